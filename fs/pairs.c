/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two trees walked in lock step: what is at the same path in both comes together. Each side has the rules of a listing: a
 * directory is entered once, and what cannot be read is told and left out.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "fs/list.h"

/* A directory that is being walked, on both sides or on one. */
struct pairs_dir {
	struct vtr_list_dir side[2];
	bool lost[2]; /* not all of its names are known */
	size_t path_len;
};

struct pairs {
	struct vtr_tree *t[2];
	unsigned flags;
	vtr_pair_fn *fn;
	void *arg;
	struct pairs_dir *dirs;
	size_t n, cap;
	struct vtr_list_path path;
	struct vtr_list_seen seen[2];
	uint64_t entries;
};

static int pairs_emit(struct pairs *w, struct vtr_pair *p, size_t path_len, struct vtr_error *err)
{
	const struct vtr_ctx *ctx = w->t[0]->ctx;

	p->path = path_len ? w->path.text : "";
	p->path_len = path_len;
	p->depth = (unsigned)w->n;
	if (++w->entries > ctx->lim.entries)
		return vtr_fail(err, VTR_ELIMIT, "more entries than limit entries=%" PRIu64, ctx->lim.entries);
	return w->fn(w->arg, p, err);
}

/* Hand on what one side failed at; -1 when it ends the walk. */
static int pairs_failed(struct pairs *w, struct vtr_pair *p, size_t side, size_t path_len, struct vtr_error *why,
			struct vtr_error *err)
{
	struct vtr_pair failed = *p;

	if (vtr_error_ends(why)) {
		*err = *why;
		return -1;
	}
	failed.side[side].failed = true;
	failed.side[side].error = why;
	return pairs_emit(w, &failed, path_len, err) < 0 ? -1 : 0;
}

static bool pairs_dir_is(const struct vtr_pair_side *s)
{
	return s->there && !s->failed && s->st.type == VTR_TYPE_DIR;
}

/* Read the names of one side of a directory: lost says whether all of them are there. */
static int pairs_read(struct pairs *w, struct pairs_dir *d, struct vtr_pair *p, size_t side, struct vtr_error *err)
{
	struct vtr_ctx *ctx = w->t[side]->ctx;
	uint64_t damage = vtr_ctx_damage(ctx);
	struct vtr_error why = { 0 };

	if (vtr_list_enter(&w->seen[side], ctx, p->side[side].place, &why) < 0 ||
	    vtr_list_dir_read(&d->side[side], ctx, p->side[side].place, true, &why) < 0) {
		d->lost[side] = true;
		return pairs_failed(w, p, side, d->path_len, &why, err);
	}
	d->lost[side] = vtr_ctx_damage(ctx) != damage;
	return 0;
}

/* Go into what is a directory on either side. */
static int pairs_enter(struct pairs *w, struct vtr_pair *p, size_t path_len, struct vtr_error *err)
{
	struct pairs_dir d = { .path_len = path_len };
	int r = VTR_OVER(w->t[0]->ctx, depth, w->n, "directories below each other", err);

	for (size_t i = 0; r == 0 && i < 2; i++) {
		if (p->side[i].failed)
			d.lost[i] = true;
		else if (pairs_dir_is(&p->side[i]))
			r = pairs_read(w, &d, p, i, err);
	}
	if (r == 0 && !VTR_GROW(w->dirs, w->n, w->cap, err))
		r = -1;
	if (r < 0) {
		for (size_t i = 0; i < 2; i++)
			vtr_list_dir_done(&d.side[i]);
		return -1;
	}
	w->dirs[w->n++] = d;
	return vtr_ctx_check(w->t[0]->ctx, err);
}

/* What lies at a name of one side. -1: the walk ends. */
static int pairs_look(struct vtr_pair_side *s, struct vtr_error *why, struct pairs *w, size_t side, struct vtr_fs *fs,
		      const struct vtr_list_name *name, struct vtr_error *err)
{
	s->there = true;
	s->place = (struct vtr_place){ fs, name->node };
	s->st = (struct vtr_stat){ .node = name->node, .type = name->type };
	if (!(w->flags & VTR_LIST_ONE_FS))
		s->place = vtr_tree_cross(w->t[side], s->place);
	if (vtr_fs_stat(&s->st, s->place.fs, s->place.node, why) == 0)
		return 0;
	if (vtr_error_ends(why)) {
		*err = *why;
		return -1;
	}
	s->failed = true;
	s->error = why;
	return 0;
}

/* The next name of the innermost directory, which has one. */
static int pairs_next(struct pairs *w, struct vtr_error *err)
{
	struct pairs_dir *d = &w->dirs[w->n - 1];
	const struct vtr_list_name *names[2] = { NULL, NULL }, *name;
	const char *text[2] = { NULL, NULL };
	struct vtr_error why[2] = { { 0 }, { 0 } };
	struct vtr_pair p = { 0 };
	size_t path_len;
	int order, r;

	for (size_t i = 0; i < 2; i++) {
		if (d->side[i].next == d->side[i].n)
			continue;
		names[i] = &d->side[i].names[d->side[i].next];
		text[i] = d->side[i].text + names[i]->at;
	}
	order = !text[0] ? 1 : !text[1] ? -1 : strcmp(text[0], text[1]);
	if (order != 0)
		names[order < 0] = NULL;
	name = names[0] ? names[0] : names[1];
	if (vtr_list_path_put(&w->path, &path_len, w->t[0]->ctx, d->path_len, text[!names[0]], name->len, err) < 0)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		d->side[i].next += names[i] != NULL;
		if (names[i] && pairs_look(&p.side[i], &why[i], w, i, d->side[i].fs, names[i], err) < 0)
			return -1;
	}
	/* Whether the other side has it is not known. */
	if ((!names[0] && d->lost[0]) || (!names[1] && d->lost[1]))
		return 0;
	r = pairs_emit(w, &p, path_len, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	return pairs_dir_is(&p.side[0]) || pairs_dir_is(&p.side[1]) ? pairs_enter(w, &p, path_len, err) : 0;
}

static void pairs_leave(struct pairs *w)
{
	struct pairs_dir *d = &w->dirs[--w->n];

	for (size_t i = 0; i < 2; i++)
		vtr_list_dir_done(&d->side[i]);
}

static int pairs_walk(struct pairs *w, struct vtr_pair *p, struct vtr_error *err)
{
	int r = pairs_emit(w, p, 0, err);

	if (r == 0 && (pairs_dir_is(&p->side[0]) || pairs_dir_is(&p->side[1])))
		r = pairs_enter(w, p, 0, err);
	while (r == 0 && w->n > 0) {
		const struct pairs_dir *d = &w->dirs[w->n - 1];

		if (d->side[0].next < d->side[0].n || d->side[1].next < d->side[1].n)
			r = pairs_next(w, err);
		else
			pairs_leave(w);
	}
	return r < 0 ? -1 : 0;
}

int vtr_tree_pairs(struct vtr_tree *a, const struct vtr_place *from_a, struct vtr_tree *b,
		   const struct vtr_place *from_b, unsigned flags, vtr_pair_fn *fn, void *arg, struct vtr_error *err)
{
	struct pairs w = { .t = { a, b }, .flags = flags, .fn = fn, .arg = arg };
	const struct vtr_place *from[2] = { from_a, from_b };
	struct vtr_error local = { 0 };
	struct vtr_pair p = { 0 };
	int r = 0;

	if (!err)
		err = &local;
	for (size_t i = 0; r == 0 && i < 2; i++) {
		if (!from[i])
			continue;
		p.side[i].there = true;
		p.side[i].place = *from[i];
		r = vtr_fs_stat(&p.side[i].st, from[i]->fs, from[i]->node, err);
	}
	if (r == 0)
		r = pairs_walk(&w, &p, err);
	while (w.n > 0)
		pairs_leave(&w);
	free(w.dirs);
	free(w.path.text);
	for (size_t i = 0; i < 2; i++)
		vtr_list_seen_done(&w.seen[i]);
	return r;
}
