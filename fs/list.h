/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What walks through trees share: the names of a directory, and which directories were entered. */
#ifndef VTR_FS_LIST_H
#define VTR_FS_LIST_H

#include "fs/tree.h"

struct vtr_list_name {
	uint64_t node;
	size_t at; /* of the name in text */
	size_t len;
	int type;
};

/* A directory whose names are held. Zeroed before it is read. */
struct vtr_list_dir {
	struct vtr_fs *fs;
	char *text; /* held memory */
	size_t text_len, text_cap;
	struct vtr_list_name *names; /* held memory */
	size_t n, cap, next;
};

/* Read the names of a directory, sorted or as they lie. On failure those that were read before stay. */
int vtr_list_dir_read(struct vtr_list_dir *out, struct vtr_ctx *ctx, struct vtr_place at, bool sort,
		      struct vtr_error *err);
void vtr_list_dir_done(struct vtr_list_dir *d);

/* The directories that one walk entered. */
struct vtr_list_seen {
	struct vtr_place *places; /* held memory; open addressing, fs NULL: free */
	size_t n, cap;
};

/*
 * Enter a directory: 0 the first time. VTR_ECORRUPT when the walk was there before: a hard link or a damaged entry leads
 * back to it.
 */
int vtr_list_enter(struct vtr_list_seen *s, struct vtr_ctx *ctx, struct vtr_place at, struct vtr_error *err);
void vtr_list_seen_done(struct vtr_list_seen *s);

/* A path that grows and shrinks with a walk: put a name behind the first len bytes of it. Against limits.path_len. */
struct vtr_list_path {
	char *text;
	size_t cap;
};
int vtr_list_path_put(struct vtr_list_path *p, size_t *out, struct vtr_ctx *ctx, size_t len, const char *name,
		      size_t name_len, struct vtr_error *err);

#endif
