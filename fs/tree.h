/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Filesystems mounted together, seen from inside. */
#ifndef VTR_FS_TREE_H
#define VTR_FS_TREE_H

#include "fs/fs.h"

struct vtr_tree_mount {
	struct vtr_place at; /* the directory that is covered; at.fs is borrowed from another mount */
	struct vtr_fs *fs;   /* a reference */
};

/* A drive of a Windows system, or a volume that has no letter. */
struct vtr_tree_drive {
	char letter;	   /* a capital; 0: none */
	char volume[37];   /* its GUID as Windows names it, in small letters; "" not known */
	struct vtr_fs *fs; /* a reference */
};

struct vtr_tree {
	struct vtr_ctx *ctx; /* a reference */
	struct vtr_fs *root; /* a reference */
	struct vtr_tree_mount *mounts;
	size_t n, cap;
	struct vtr_tree_drive *drives; /* none: paths are those of POSIX */
	size_t n_drives, cap_drives;
	char *system_root; /* "/Windows"; NULL: not known */
};

/* What is mounted on a place: the root of the topmost filesystem there, else the place itself. */
struct vtr_place vtr_tree_cross(const struct vtr_tree *t, struct vtr_place at);

/*
 * Take a path of a tree with drives apart: *rest (the caller's) has slashes alone and goes on from the root of *from, or,
 * with *from NULL, from where the walk is. link: the path is the target of a link on this filesystem; NULL: a caller's.
 */
int vtr_tree_enter(char **rest, struct vtr_fs **from, const struct vtr_tree *t, const char *path, struct vtr_fs *link,
		   struct vtr_error *err);
/* As vtr_tree_slurp(), into memory that is held: for what may be large. */
int vtr_tree_slurp_held(char **out, size_t *len, struct vtr_tree *t, const char *path, uint64_t max,
			struct vtr_error *err);
void vtr_tree_drives_done(struct vtr_tree *t);

#endif
