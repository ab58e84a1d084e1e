/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The volumes of tests/images/ntfs-*, which mk-ntfs.py wrote through NTFS-3G, for the tests. */
#ifndef TESTS_NTFS_IMAGES_H
#define TESTS_NTFS_IMAGES_H

#include "base/blk.h"
#include "fs/tree.h"

/* A volume as it was opened, and what was said meanwhile. */
struct ntfs_opened {
	struct vtr_ctx *ctx;
	struct vtr_blk *blk;
	struct vtr_fs *fs; /* NULL: it was refused with err */
	struct vtr_tree *t;
	struct vtr_error err;
	char said[32768]; /* the warnings, each with its code's name in front, a line each */
};

/* The bytes of a volume, unpacked ("full"), the caller's; and the text of its list. */
uint8_t *ntfs_image(size_t *len, const char *name);
char *ntfs_list(const char *name);

/* Open len bytes by a driver's name. limits may be NULL. */
void ntfs_open_bytes(struct ntfs_opened *o, const char *driver, const void *bytes, size_t len,
		     const struct vtr_limits *limits);
void ntfs_done(struct ntfs_opened *o);

/* Fail unless there is such a path; what is there, and the whole of a file, the caller's. */
uint64_t ntfs_node_of(struct ntfs_opened *o, const char *path);
struct vtr_stat ntfs_stat_of(struct ntfs_opened *o, const char *path);
uint8_t *ntfs_read_of(size_t *len, struct ntfs_opened *o, const char *path, size_t step);

/*
 * Compare all of a volume with its list: kinds, sizes, targets, contents as vtr_tree_sha256() and as vtr_fs_read() give
 * them, named streams. Nothing more may be there. The number of rows; fails the test when anything differs.
 */
#define NTFS_NO_OVERLAY (1u << 0) /* leave out contents of the overlay filter, and reparse points */
size_t ntfs_compare(struct ntfs_opened *o, const char *name, unsigned flags);

#endif
