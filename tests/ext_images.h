/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes of ext2, ext3 and ext4 for the tests, made by e2fsprogs without root; and what other readers say of them. */
#ifndef TESTS_EXT_IMAGES_H
#define TESTS_EXT_IMAGES_H

#include "base/blk.h"
#include "fs/tree.h"

/* A volume as it was opened, and what was said meanwhile. */
struct ext_opened {
	struct vtr_ctx *ctx;
	struct vtr_blk *blk;
	struct vtr_fs *fs; /* NULL: it was refused with err */
	struct vtr_tree *t;
	struct vtr_error err;
	char said[32768]; /* the warnings, each with its code's name in front, a line each */
};

/* Open a file, or len bytes, as ext. limits may be NULL. */
void ext_open_file(struct ext_opened *o, const char *path, const struct vtr_limits *limits);
void ext_open_bytes(struct ext_opened *o, const void *bytes, size_t len, const struct vtr_limits *limits);
void ext_done(struct ext_opened *o);

/* The node of a path, whose last link is not followed, and its metadata. Fails the test unless there is one. */
uint64_t ext_node_of(struct ext_opened *o, const char *path);
struct vtr_stat ext_stat_of(struct ext_opened *o, const char *path);

/* The value of an attribute, the caller's; NULL: none. */
void *ext_xattr_of(size_t *len, struct ext_opened *o, const char *path, const char *name);

/* The whole of a file, the caller's. */
uint8_t *ext_load_file(size_t *len, const char *path);

/* What a command writes to its standard output, the caller's. */
char *ext_output(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Run debugfs with lines of commands on an image, for writing; the test fails when it complains. */
void ext_debugfs(const char *image, const char *commands);

/*
 * A directory of files of every size and kind that needs no root, for mke2fs -d: many/ with a number of names, and
 * others. Its image is made with mke2fs's arguments and goes through e2fsck.
 */
void ext_make_tree(const char *dir, unsigned many);
void ext_make_image(const char *image, const char *tree, const char *arguments, const char *size);

/*
 * Mount an image read-only in the kernel: an open directory, which takes the mount with it when it is closed. -1: this
 * is not possible here, or not with this volume; why is said in whole the first time.
 */
int ext_mount(const char *image);

/*
 * Compare every entry with what lies below an open directory: kind, mode, owner, size, links, inode, times, device
 * numbers, target, attributes, contents. Prints what differs. The number of entries compared, and of differences.
 */
size_t ext_compare_dir(struct ext_opened *o, int dirfd, size_t *differ);

/* The same against debugfs: stat of every inode, and the files that rdump writes into the directory scratch. */
size_t ext_compare_debugfs(struct ext_opened *o, const char *image, const char *scratch, size_t *differ);

/* Either of them; fails the test when anything differs or less than at_least entries are there. */
void ext_compare(const char *image, const char *scratch, size_t at_least);

#endif
