/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Members, the sets that they are of, and the volumes that come out of these. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "volumes/volume.h"

struct vtr_sets {
	struct vtr_ctx *ctx; /* a reference */
	struct vtr_set_member **m;
	bool *tried; /* beside m: its set was assembled, or cannot be */
	size_t n, cap, cap_tried;
};

struct vtr_sets *vtr_sets_new(struct vtr_ctx *ctx, struct vtr_error *err)
{
	struct vtr_sets *s = vtr_calloc(1, sizeof(*s), err);

	if (s)
		s->ctx = vtr_ctx_ref(ctx);
	return s;
}

static void sets_member_free(struct vtr_set_member *m)
{
	if (m->layer->forget)
		m->layer->forget(m);
	vtr_blk_unref(m->blk);
	free(m->name);
	free(m);
}

void vtr_sets_free(struct vtr_sets *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		sets_member_free(s->m[i]);
	free(s->m);
	free(s->tried);
	vtr_ctx_unref(s->ctx);
	free(s);
}

static void sets_free_cleanup(struct vtr_sets **s)
{
	vtr_sets_free(*s);
}

int vtr_sets_add(struct vtr_sets *s, const struct vtr_layer *layer, struct vtr_blk *b, const char *name, size_t index,
		 struct vtr_error *err)
{
	struct vtr_set_member *m;

	if (!layer->member)
		return 0;
	if (VTR_OVER(s->ctx, devices, s->n + 1, "members of volumes", err) < 0 || !VTR_GROW(s->m, s->n, s->cap, err) ||
	    !VTR_GROW(s->tried, s->n, s->cap_tried, err) || !(m = vtr_calloc(1, sizeof(*m), err)))
		return -1;
	m->layer = layer;
	m->blk = vtr_blk_ref(b);
	m->index = index;
	m->name = vtr_strndup(name, strlen(name), err);
	if (!m->name || layer->member(m, err) < 0) {
		sets_member_free(m);
		return vtr_at(err, "%s", layer->name);
	}
	s->tried[s->n] = false;
	s->m[s->n++] = m;
	return 1;
}

/* The members of the set of one, and behind them those that know no set. The count. */
static size_t sets_gather(struct vtr_set_member **out, const struct vtr_sets *s, size_t of)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->m[i]->layer == s->m[of]->layer && strcmp(s->m[i]->set, s->m[of]->set) == 0)
			out[n++] = s->m[i];
	for (size_t i = 0; i < s->n; i++)
		if (s->m[i]->layer == s->m[of]->layer && !s->m[i]->set[0] && s->m[of]->set[0] && !s->m[i]->used)
			out[n++] = s->m[i];
	return n;
}

int vtr_sets_assemble(struct vtr_volumes *out, struct vtr_sets *s, bool degraded, struct vtr_error *err)
{
	VTR_FREE struct vtr_set_member **m = vtr_calloc(s->n + 1, sizeof(struct vtr_set_member *), err);

	if (!m)
		return -1;
	for (size_t i = 0; i < s->n; i++) {
		size_t n;
		int r;

		if (s->tried[i] || !s->m[i]->set[0])
			continue;
		n = sets_gather(m, s, i);
		r = s->m[i]->layer->assemble(out, m, n, degraded, err);
		if (r == 0)
			continue;
		for (size_t k = i; k < s->n; k++)
			if (s->m[k]->layer == s->m[i]->layer && strcmp(s->m[k]->set, s->m[i]->set) == 0)
				s->tried[k] = true;
		return r < 0 ? vtr_at(err, "%s", s->m[i]->layer->name) : 1;
	}
	return 0;
}

bool vtr_sets_used(const struct vtr_sets *s, size_t index)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->m[i]->index == index && s->m[i]->used)
			return true;
	return false;
}

void vtr_sets_warn_rest(const struct vtr_sets *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->m[i]->used && !s->tried[i])
			vtr_warn(s->ctx, VTR_OK, "%s: %s: %s is in no set that is there", s->m[i]->name,
				 s->m[i]->layer->name, s->m[i]->own);
}

/* ---------------------------------------------------------------------------------------------- without a guest */

/* Whether a source is a member of something; 1: it was added, or it is only recognised (*unread). */
static int sets_add_source(struct vtr_sets *s, struct vtr_blk *b, size_t i, const struct vtr_layer **unread,
			   struct vtr_error *err)
{
	VTR_PROBE_DONE struct vtr_probe p = { 0 };
	const struct vtr_layer *layer;
	char name[32];
	int r;

	snprintf(name, sizeof(name), "source %zu", i);
	if (vtr_probe_read(&p, b, err) < 0)
		return vtr_at(err, "%s", name);
	layer = vtr_volume_probe(&p);
	if (!layer)
		return 0;
	r = vtr_sets_add(s, layer, b, name, i, err);
	if (r < 0)
		return vtr_at(err, "%s", name);
	if (r == 0)
		*unread = layer;
	return r;
}

int vtr_volumes_open(struct vtr_volumes **out, struct vtr_blk *const *in, size_t n, struct vtr_error *err)
{
	VTR_VOLUMES_CLOSE struct vtr_volumes *v = NULL;
	VTR_CLEANUP(sets_free_cleanup) struct vtr_sets *s = NULL;
	const struct vtr_layer *unread = NULL;
	struct vtr_error why = { 0 };
	size_t members = 0;
	int r;

	if (n == 0)
		return vtr_fail(err, VTR_EUSAGE, "volumes of no source");
	v = vtr_volumes_new(in[0]->ctx, err);
	s = v ? vtr_sets_new(in[0]->ctx, err) : NULL;
	if (!s)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct vtr_error local = { 0 };

		r = sets_add_source(s, in[i], i, &unread, &local);
		if (r < 0 && vtr_error_ends(&local)) {
			if (err)
				*err = local;
			return -1;
		}
		members += r > 0;
		if (r < 0) {
			vtr_warn_err(v->ctx, &local);
			why = local;
		}
	}
	for (int degraded = 0; degraded <= 1; degraded++) {
		struct vtr_error local = { 0 };

		while ((r = vtr_sets_assemble(v, s, degraded, &local)) != 0) {
			if (r < 0 && vtr_error_ends(&local)) {
				if (err)
					*err = local;
				return -1;
			}
			if (r < 0) {
				vtr_warn_err(v->ctx, &local);
				why = local;
			}
		}
	}
	vtr_sets_warn_rest(s);
	if (v->n == 0 && why.code) {
		if (err)
			*err = why;
		return -1;
	}
	if (members == 0 && unread)
		return vtr_fail(err, VTR_EUNSUPPORTED, "%s: recognised, and not read", unread->title);
	if (members == 0)
		return vtr_fail(err, VTR_ENOTFOUND, "no source is a member of a volume");
	*out = vtr_steal(v);
	return 0;
}
