/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recursive listings: a stack of directories whose names are held, never recursion. A directory that was met before
 * (a hard link or a damaged entry that leads back) is told and not entered again.
 */
#include "fs/list.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/held.h"

/* --------------------------------------------------------------------------------------------- what walks share */

struct list_reading {
	struct vtr_list_dir *d;
	struct vtr_ctx *ctx;
	struct vtr_error *err;
};

static int list_keep(void *arg, const struct vtr_dirent *e)
{
	struct list_reading *r = arg;
	struct vtr_list_dir *d = r->d;
	size_t need = d->text_len + e->name_len + 1;

	if (need > d->text_cap) {
		size_t cap = VTR_MAX(need, d->text_cap ? d->text_cap * 2 : (size_t)1024);
		void *p = d->text;

		if (vtr_hold_resize(&p, r->ctx, cap, 1, "names of one directory", r->err) < 0)
			return -1;
		d->text = p;
		d->text_cap = cap;
	}
	if (VTR_HOLD_GROW(r->ctx, d->names, d->n, d->cap, "names of one directory", r->err) < 0)
		return -1;
	memcpy(d->text + d->text_len, e->name, e->name_len);
	d->text[d->text_len + e->name_len] = 0;
	d->names[d->n++] = (struct vtr_list_name){ e->node, d->text_len, e->name_len, e->type };
	d->text_len = need;
	return 0;
}

static int list_cmp(const void *a, const void *b, void *text)
{
	const char *t = text;

	return strcmp(t + ((const struct vtr_list_name *)a)->at, t + ((const struct vtr_list_name *)b)->at);
}

int vtr_list_dir_read(struct vtr_list_dir *out, struct vtr_ctx *ctx, struct vtr_place at, bool sort,
		      struct vtr_error *err)
{
	struct list_reading reading = { out, ctx, err };
	int r;

	out->fs = at.fs;
	r = vtr_fs_readdir(at.fs, at.node, list_keep, &reading, err);
	if (sort && out->n > 1)
		qsort_r(out->names, out->n, sizeof(*out->names), list_cmp, out->text);
	return r < 0 ? -1 : 0;
}

void vtr_list_dir_done(struct vtr_list_dir *d)
{
	vtr_let_go(d->text);
	vtr_let_go(d->names);
}

static size_t list_slot(const struct vtr_list_seen *s, struct vtr_place at)
{
	size_t i = (size_t)((at.node ^ (uintptr_t)at.fs) * 0x9e3779b97f4a7c15u >> 20) & (s->cap - 1);

	while (s->places[i].fs && (s->places[i].fs != at.fs || s->places[i].node != at.node))
		i = (i + 1) & (s->cap - 1);
	return i;
}

int vtr_list_enter(struct vtr_list_seen *s, struct vtr_ctx *ctx, struct vtr_place at, struct vtr_error *err)
{
	size_t i;

	if (s->n * 2 >= s->cap) {
		struct vtr_list_seen more = { .n = s->n, .cap = s->cap ? s->cap * 2 : 256 };

		more.places = vtr_hold(ctx, more.cap, sizeof(*more.places), "directories of a walk", err);
		if (!more.places)
			return -1;
		for (i = 0; i < s->cap; i++)
			if (s->places[i].fs)
				more.places[list_slot(&more, s->places[i])] = s->places[i];
		vtr_let_go(s->places);
		*s = more;
	}
	i = list_slot(s, at);
	if (s->places[i].fs)
		return vtr_fail(err, VTR_ECORRUPT,
				"directory inode %" PRIu64 " is met a second time: not entered again", at.node);
	s->places[i] = at;
	s->n++;
	return 0;
}

void vtr_list_seen_done(struct vtr_list_seen *s)
{
	vtr_let_go(s->places);
}

int vtr_list_path_put(struct vtr_list_path *p, size_t *out, struct vtr_ctx *ctx, size_t len, const char *name,
		      size_t name_len, struct vtr_error *err)
{
	size_t all = len + (len > 0) + name_len;

	if (VTR_OVER(ctx, path_len, all, "bytes of path", err) < 0)
		return -1;
	if (all + 1 > p->cap) {
		size_t cap = 2 * (all + 1);
		char *text = realloc(p->text, cap);

		if (!text)
			return vtr_fail(err, VTR_ENOMEM, "out of memory: a path");
		p->text = text;
		p->cap = cap;
	}
	if (len > 0)
		p->text[len++] = '/';
	memcpy(p->text + len, name, name_len);
	p->text[all] = 0;
	*out = all;
	return 0;
}

/* -------------------------------------------------------------------------------------------------------- listing */

/* A directory that is being listed. */
struct list_dir {
	struct vtr_list_dir d;
	size_t path_len; /* of the path before its names */
};

struct list {
	struct vtr_tree *t;
	unsigned flags;
	vtr_list_fn *fn;
	void *arg;
	struct list_dir *dirs;
	size_t n, cap;
	struct vtr_list_path path;
	struct vtr_list_seen seen;
	uint64_t entries;
};

/* Hand one entry on. Returns fn's answer; -1 has *err set. */
static int list_emit(struct list *l, size_t path_len, unsigned depth, struct vtr_place at, const struct vtr_stat *st,
		     struct vtr_error *failed, struct vtr_error *err)
{
	struct vtr_entry e = {
		.path = path_len ? l->path.text : "",
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

/* Read a directory's names onto the stack; what was read before it failed is there, too. */
static int list_push(struct list *l, struct vtr_place at, size_t path_len, struct vtr_error *err)
{
	if (vtr_list_enter(&l->seen, l->t->ctx, at, err) < 0 ||
	    VTR_OVER(l->t->ctx, depth, l->n, "directories below each other", err) < 0 ||
	    !VTR_GROW(l->dirs, l->n, l->cap, err))
		return -1;
	l->dirs[l->n] = (struct list_dir){ .path_len = path_len };
	return vtr_list_dir_read(&l->dirs[l->n++].d, l->t->ctx, at, l->flags & VTR_LIST_SORT, err);
}

/* Go into a directory whose entry was handed on; what is wrong with it is handed on too. */
static int list_enter(struct list *l, struct vtr_place at, const struct vtr_stat *st, size_t path_len, unsigned depth,
		      struct vtr_error *err)
{
	struct vtr_error local = { 0 };

	if (list_push(l, at, path_len, &local) == 0)
		return 0;
	if (vtr_error_ends(&local)) {
		*err = local;
		return -1;
	}
	return list_emit(l, path_len, depth, at, st, &local, err) < 0 ? -1 : 0;
}

static int list_next(struct list *l, struct vtr_error *err)
{
	struct list_dir *d = &l->dirs[l->n - 1];
	const struct vtr_list_name name = d->d.names[d->d.next++];
	unsigned depth = (unsigned)l->n;
	struct vtr_error local = { 0 };
	struct vtr_place at = { d->d.fs, name.node };
	struct vtr_stat st = { .node = name.node, .type = name.type };
	size_t path_len;
	int r;

	if (vtr_list_path_put(&l->path, &path_len, l->t->ctx, d->path_len, d->d.text + name.at, name.len, err) < 0)
		return -1;
	if (!(l->flags & VTR_LIST_ONE_FS))
		at = vtr_tree_cross(l->t, at);
	if (vtr_fs_stat(&st, at.fs, at.node, &local) < 0) {
		if (vtr_error_ends(&local)) {
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
		struct vtr_list_dir *d = &l.dirs[l.n - 1].d;

		if (d->next < d->n) {
			r = list_next(&l, err);
		} else {
			vtr_list_dir_done(d);
			l.n--;
		}
	}
	while (l.n > 0)
		vtr_list_dir_done(&l.dirs[--l.n].d);
	free(l.dirs);
	free(l.path.text);
	vtr_list_seen_done(&l.seen);
	return r < 0 ? -1 : 0;
}
