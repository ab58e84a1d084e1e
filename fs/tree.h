/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Filesystems mounted together, seen from inside. */
#ifndef VTR_FS_TREE_H
#define VTR_FS_TREE_H

#include "fs/fs.h"

struct vtr_tree_mount {
	struct vtr_place at; /* the directory that is covered; at.fs is borrowed from another mount */
	struct vtr_fs *fs;   /* a reference */
};

struct vtr_tree {
	struct vtr_ctx *ctx; /* a reference */
	struct vtr_fs *root; /* a reference */
	struct vtr_tree_mount *mounts;
	size_t n, cap;
};

/* What is mounted on a place: the root of the topmost filesystem there, else the place itself. */
struct vtr_place vtr_tree_cross(const struct vtr_tree *t, struct vtr_place at);

#endif
