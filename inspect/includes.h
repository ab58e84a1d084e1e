/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that name others, which are read in their place: sudoers(5), interfaces(5). */
#ifndef VTR_INSPECT_INCLUDES_H
#define VTR_INSPECT_INCLUDES_H

#include "inspect/records.h"

/* The paths that a pattern of glob(7) fits, sorted by bytes. Any part of it may have wildcards. Paths are the list's. */
struct vtr_paths {
	char **v;
	size_t n, cap;
};
int vtr_os_glob(struct vtr_paths *out, struct vtr_os *os, struct vtr_span pattern, struct vtr_error *err);
int vtr_paths_add(struct vtr_paths *p, struct vtr_os *os, struct vtr_span path, struct vtr_error *err);
void vtr_paths_done(struct vtr_paths *p);

/*
 * The files that are being read: the last one is read until its text is used up or it names another. depth: how many may be
 * within each other; files: how many are read in all. What is more is reported once. once: a file that was read is passed
 * over when it is named again.
 */
struct vtr_include {
	char *path, *text; /* text NULL: not read yet */
	struct vtr_span rest;
	size_t depth;
	struct vtr_skipped skipped; /* its line is that of the file */
};
struct vtr_includes {
	struct vtr_os *os;
	size_t max_depth, max_files, files;
	struct vtr_include **v;
	size_t n, cap;
	struct vtr_paths seen;
	bool once, lost;
};

/* A text that is there already, the first of all; the caller's. */
int vtr_includes_text(struct vtr_includes *i, const char *path, const char *text, size_t len, struct vtr_error *err);
/* Files that are read next, in this order, and then what is left of the current one. Takes the paths. */
int vtr_includes_push(struct vtr_includes *i, struct vtr_paths *paths, struct vtr_error *err);
/* The file that is to be read on: 1; 0: all is read; -1. It stays until the next call of this. */
int vtr_includes_next(struct vtr_include **out, struct vtr_includes *i, struct vtr_error *err);
void vtr_includes_done(struct vtr_includes *i);

#endif
