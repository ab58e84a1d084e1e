/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recursive listings: a stack of directories whose names are held, never recursion. A directory that was met before
 * (a hard link or a damaged entry that leads back) is told and not entered again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "fs/tree.h"

struct list_name {
	uint64_t node;
	size_t at; /* of the name in text */
	size_t len;
	int type;
};

/* A directory that is being listed. */
struct list_dir {
	struct vtr_fs *fs;
	char *text;
	size_t text_len, text_cap;
	struct list_name *names;
	size_t n, cap, next;
	size_t path_len; /* of the path before its names */
};

struct list_key {
	const struct vtr_fs *fs; /* NULL: free */
	uint64_t node;
};

struct list {
	struct vtr_tree *t;
	unsigned flags;
	vtr_list_fn *fn;
	void *arg;
	struct list_dir *dirs;
	size_t n, cap;
	char *path;
	size_t path_cap;
	struct list_key *seen; /* open addressing, a power of two */
	size_t n_seen, seen_cap;
	uint64_t entries;
	struct vtr_error *err; /* for the emitter */
};

static void list_dir_done(struct list_dir *d)
{
	free(d->text);
	free(d->names);
}

static size_t list_slot(const struct list *l, const struct vtr_fs *fs, uint64_t node)
{
	size_t i = (size_t)((node ^ (uintptr_t)fs) * 0x9e3779b97f4a7c15u >> 20) & (l->seen_cap - 1);

	while (l->seen[i].fs && (l->seen[i].fs != fs || l->seen[i].node != node))
		i = (i + 1) & (l->seen_cap - 1);
	return i;
}

/* 1: this directory is new, 0: it was met before, -1. */
static int list_first_time(struct list *l, const struct vtr_fs *fs, uint64_t node, struct vtr_error *err)
{
	size_t i;

	if (l->n_seen * 2 >= l->seen_cap) {
		size_t old_cap = l->seen_cap, cap = old_cap ? old_cap * 2 : 256;
		struct list_key *old = l->seen, *fresh = vtr_calloc(cap, sizeof(*fresh), err);

		if (!fresh)
			return -1;
		l->seen = fresh;
		l->seen_cap = cap;
		for (i = 0; i < old_cap; i++)
			if (old[i].fs)
				fresh[list_slot(l, old[i].fs, old[i].node)] = old[i];
		free(old);
	}
	i = list_slot(l, fs, node);
	if (l->seen[i].fs)
		return 0;
	l->seen[i] = (struct list_key){ fs, node };
	l->n_seen++;
	return 1;
}

static int list_keep(void *arg, const struct vtr_dirent *d)
{
	struct list *l = arg;
	struct list_dir *dir = &l->dirs[l->n - 1];
	size_t need = dir->text_len + d->name_len + 1;

	if (need > dir->text_cap) {
		size_t cap = VTR_MAX(need, dir->text_cap ? dir->text_cap * 2 : (size_t)1024);
		char *p;

		if (VTR_OVER(l->t->ctx, alloc, cap, "names of one directory", l->err) < 0)
			return -1;
		p = realloc(dir->text, cap);
		if (!p)
			return vtr_fail(l->err, VTR_ENOMEM, "out of memory: names of a directory");
		dir->text = p;
		dir->text_cap = cap;
	}
	if (!VTR_GROW(dir->names, dir->n, dir->cap, l->err))
		return -1;
	memcpy(dir->text + dir->text_len, d->name, d->name_len);
	dir->text[dir->text_len + d->name_len] = 0;
	dir->names[dir->n++] = (struct list_name){ d->node, dir->text_len, d->name_len, d->type };
	dir->text_len = need;
	return 0;
}

static int list_cmp(const void *a, const void *b, void *text)
{
	const char *t = text;

	return strcmp(t + ((const struct list_name *)a)->at, t + ((const struct list_name *)b)->at);
}

/* Read a directory's names onto the stack. */
static int list_push(struct list *l, struct vtr_place at, size_t path_len, struct vtr_error *err)
{
	struct list_dir *d;

	if (VTR_OVER(l->t->ctx, depth, l->n, "directories below each other", err) < 0 ||
	    !VTR_GROW(l->dirs, l->n, l->cap, err))
		return -1;
	d = &l->dirs[l->n++];
	*d = (struct list_dir){ .fs = at.fs, .path_len = path_len };
	l->err = err;
	if (vtr_fs_readdir(at.fs, at.node, list_keep, l, err) < 0)
		return -1; /* what was read before stays */
	return 0;
}

/* The path of the entry: the directory's, and its name. */
static int list_path(struct list *l, const struct list_dir *d, const struct list_name *name, size_t *len,
		     struct vtr_error *err)
{
	size_t at = d->path_len, need;

	*len = at + (at > 0) + name->len;
	need = *len + 1;
	if (VTR_OVER(l->t->ctx, path_len, *len, "bytes of path", err) < 0)
		return -1;
	if (need > l->path_cap) {
		char *p = realloc(l->path, need * 2);

		if (!p)
			return vtr_fail(err, VTR_ENOMEM, "out of memory: a path");
		l->path = p;
		l->path_cap = need * 2;
	}
	if (at > 0)
		l->path[at++] = '/';
	memcpy(l->path + at, d->text + name->at, name->len + 1);
	return 0;
}

/* Hand one entry on. Returns fn's answer; -1 has *err set. */
static int list_emit(struct list *l, size_t path_len, unsigned depth, struct vtr_place at, const struct vtr_stat *st,
		     struct vtr_error *failed, struct vtr_error *err)
{
	struct vtr_entry e = {
		.path = path_len ? l->path : "",
		.path_len = path_len,
		.depth = depth,
		.place = at,
		.st = *st,
		.failed = failed != NULL,
		.error = failed,
	};

	if (++l->entries > l->t->ctx->lim.entries)
		return vtr_fail(err, VTR_ELIMIT, "more entries than limit entries=%" PRIu64, l->t->ctx->lim.entries);
	return l->fn(l->arg, &e, err);
}

/* Whether an error ends the whole listing, or belongs to one entry. */
static bool list_fatal(const struct vtr_error *e)
{
	return e->code == VTR_ELIMIT || e->code == VTR_ENOMEM || e->code == VTR_ECANCELLED;
}

/* Go into a directory whose entry was handed on; what is wrong with it is handed on too. */
static int list_enter(struct list *l, struct vtr_place at, const struct vtr_stat *st, size_t path_len, unsigned depth,
		      struct vtr_error *err)
{
	struct vtr_error local = { 0 };
	int first = list_first_time(l, at.fs, at.node, err), r;
	size_t before = l->n;

	if (first < 0)
		return -1;
	if (first == 0) {
		vtr_error_set(&local, VTR_ECORRUPT,
			      "directory inode %" PRIu64 " is met a second time: not entered again", at.node);
	} else if (list_push(l, at, path_len, &local) == 0) {
		struct list_dir *d = &l->dirs[l->n - 1];

		if ((l->flags & VTR_LIST_SORT) && d->n > 1)
			qsort_r(d->names, d->n, sizeof(*d->names), list_cmp, d->text);
		return 0;
	}
	if (list_fatal(&local)) {
		*err = local;
		return -1;
	}
	r = list_emit(l, path_len, depth, at, st, &local, err);
	if (r < 0)
		return -1;
	if (l->n > before && (l->flags & VTR_LIST_SORT) && l->dirs[l->n - 1].n > 1)
		qsort_r(l->dirs[l->n - 1].names, l->dirs[l->n - 1].n, sizeof(struct list_name), list_cmp,
			l->dirs[l->n - 1].text);
	return 0;
}

static int list_next(struct list *l, struct vtr_error *err)
{
	struct list_dir *d = &l->dirs[l->n - 1];
	const struct list_name name = d->names[d->next++];
	unsigned depth = (unsigned)l->n;
	struct vtr_error local = { 0 };
	struct vtr_place at = { d->fs, name.node };
	struct vtr_stat st = { .node = name.node, .type = name.type };
	size_t path_len;
	int r;

	if (list_path(l, d, &name, &path_len, err) < 0)
		return -1;
	if (!(l->flags & VTR_LIST_ONE_FS))
		at = vtr_tree_cross(l->t, at);
	if (vtr_fs_stat(&st, at.fs, at.node, &local) < 0) {
		if (list_fatal(&local)) {
			*err = local;
			return -1;
		}
		return list_emit(l, path_len, depth, at, &st, &local, err) < 0 ? -1 : 0;
	}
	r = list_emit(l, path_len, depth, at, &st, NULL, err);
	if (r < 0)
		return -1;
	if (st.type == VTR_TYPE_DIR && (l->flags & VTR_LIST_RECURSIVE) && r == 0)
		return list_enter(l, at, &st, path_len, depth, err);
	return 0;
}

int vtr_tree_list(struct vtr_tree *t, const struct vtr_place *from, unsigned flags, vtr_list_fn *fn, void *arg,
		  struct vtr_error *err)
{
	struct list l = { .t = t, .flags = flags, .fn = fn, .arg = arg };
	struct vtr_error local = { 0 };
	struct vtr_stat st;
	int r;

	if (!err)
		err = &local;
	r = vtr_fs_stat(&st, from->fs, from->node, err);
	if (r == 0 && (st.type != VTR_TYPE_DIR || (flags & VTR_LIST_SELF)))
		r = list_emit(&l, 0, 0, *from, &st, NULL, err);
	if (r == 0 && st.type == VTR_TYPE_DIR)
		r = list_enter(&l, *from, &st, 0, 0, err);
	while (r == 0 && l.n > 0) {
		if (l.dirs[l.n - 1].next < l.dirs[l.n - 1].n)
			r = list_next(&l, err);
		else
			list_dir_done(&l.dirs[--l.n]);
	}
	while (l.n > 0)
		list_dir_done(&l.dirs[--l.n]);
	free(l.dirs);
	free(l.path);
	free(l.seen);
	return r < 0 ? -1 : 0;
}
