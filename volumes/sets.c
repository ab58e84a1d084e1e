/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Members, the sets that they are of, and the volumes that come out of these. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "volumes/volume.h"

/* The members of one set that are known so far. */
struct sets_set {
	const struct vtr_set_member *first; /* its layer and its set's name are the set's */
	bool fresh;			    /* members came since it was last looked at */
	bool done;			    /* it was assembled, or cannot be */
};

#define SETS_NONE SIZE_MAX /* the member does not know its set */

struct vtr_sets {
	struct vtr_ctx *ctx; /* a reference */
	struct vtr_set_member **m;
	size_t *of; /* beside m: the set's index, or SETS_NONE */
	size_t n, cap, cap_of;
	struct sets_set *sets;
	size_t n_sets, cap_sets;
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
	free(s->of);
	free(s->sets);
	vtr_ctx_unref(s->ctx);
	free(s);
}

static void sets_free_cleanup(struct vtr_sets **s)
{
	vtr_sets_free(*s);
}

/* Put a member, for which there is room, into its set. One that knows no set may be of each that is not complete. */
static void sets_join(struct vtr_sets *s, const struct vtr_set_member *m)
{
	size_t k;

	s->of[s->n] = SETS_NONE;
	for (k = 0; k < s->n_sets && !m->set[0]; k++)
		s->sets[k].fresh = s->sets[k].fresh || s->sets[k].first->layer == m->layer;
	if (!m->set[0])
		return;
	while (k < s->n_sets && (s->sets[k].first->layer != m->layer || strcmp(s->sets[k].first->set, m->set) != 0))
		k++;
	if (k == s->n_sets)
		s->sets[s->n_sets++] = (struct sets_set){ .first = m };
	if (s->sets[k].done)
		vtr_warn(s->ctx, VTR_OK, "%s: %s: %s is left out: its set was assembled before it was found", m->name,
			 vtr_signatures[m->layer->sig].name, m->own);
	s->sets[k].fresh = true;
	s->of[s->n] = k;
}

int vtr_sets_add(struct vtr_sets *s, const struct vtr_layer *layer, struct vtr_blk *b, const char *name, size_t index,
		 struct vtr_error *err)
{
	struct vtr_set_member *m;

	if (!layer->member)
		return 0;
	if (VTR_OVER(s->ctx, devices, s->n + 1, "members of volumes", err) < 0 || !VTR_GROW(s->m, s->n, s->cap, err) ||
	    !VTR_GROW(s->of, s->n, s->cap_of, err) || !VTR_GROW(s->sets, s->n_sets, s->cap_sets, err) ||
	    !(m = vtr_calloc(1, sizeof(*m), err)))
		return -1;
	m->layer = layer;
	m->blk = vtr_blk_ref(b);
	m->index = index;
	m->name = vtr_strndup(name, strlen(name), err);
	if (!m->name || layer->member(m, err) < 0) {
		sets_member_free(m);
		return vtr_at(err, "%s", vtr_signatures[layer->sig].name);
	}
	sets_join(s, m);
	s->m[s->n++] = m;
	return 1;
}

/* The members of a set, and behind them those that know no set and are free. The count. */
static size_t sets_gather(struct vtr_set_member **out, const struct vtr_sets *s, size_t set)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->of[i] == set)
			out[n++] = s->m[i];
	for (size_t i = 0; i < s->n; i++)
		if (s->of[i] == SETS_NONE && s->m[i]->layer == s->sets[set].first->layer && !s->m[i]->used)
			out[n++] = s->m[i];
	return n;
}

int vtr_sets_assemble(struct vtr_volumes *out, struct vtr_sets *s, bool degraded, struct vtr_error *err)
{
	VTR_FREE struct vtr_set_member **m = vtr_calloc(s->n + 1, sizeof(struct vtr_set_member *), err);

	if (!m)
		return -1;
	for (size_t i = 0; i < s->n_sets; i++) {
		struct sets_set *set = &s->sets[i];
		int r;

		/* An incomplete set stays incomplete until members come. */
		if (set->done || (!degraded && !set->fresh))
			continue;
		set->fresh = false;
		r = set->first->layer->assemble(out, m, sets_gather(m, s, i), degraded, err);
		if (r == 0)
			continue;
		set->done = true;
		return r < 0 ? vtr_at(err, "%s", vtr_signatures[set->first->layer->sig].name) : 1;
	}
	return 0;
}

const struct vtr_set_member *vtr_sets_member(const struct vtr_sets *s, size_t i)
{
	return i < s->n ? s->m[i] : NULL;
}

void vtr_sets_warn_rest(const struct vtr_sets *s)
{
	for (size_t i = 0; i < s->n; i++) {
		bool done = s->of[i] != SETS_NONE && s->sets[s->of[i]].done;

		if (!s->m[i]->used && !done)
			vtr_warn(s->ctx, VTR_OK, "%s: %s: %s is in no set that is there", s->m[i]->name,
				 vtr_signatures[s->m[i]->layer->sig].name, s->m[i]->own);
	}
}

/* ---------------------------------------------------------------------------------------------- without a guest */

/* Whether a source is a member of something: 1: it was added; 0: not, or it is only recognised (*unread). */
static int sets_add_source(struct vtr_sets *s, struct vtr_blk *b, size_t i, const struct vtr_signature **unread,
			   struct vtr_error *err)
{
	VTR_PROBE_DONE struct vtr_probe p = { 0 };
	const struct vtr_layer *layer;
	char name[32];
	int r, sig;

	snprintf(name, sizeof(name), "source %zu", i);
	if (vtr_probe_read(&p, b, err) < 0)
		return vtr_at(err, "%s", name);
	sig = vtr_signature_find(&p, NULL, NULL);
	if (sig < 0 || vtr_signatures[sig].usage != VTR_USAGE_MEMBER)
		return 0;
	layer = vtr_volume_layer(sig);
	r = layer ? vtr_sets_add(s, layer, b, name, i, err) : 0;
	if (r < 0)
		return vtr_at(err, "%s", name);
	if (r == 0)
		*unread = &vtr_signatures[sig];
	return r;
}

/* 0, when an error concerned one set or one member: it is kept in *why and warned of. -1: the work ends with it. */
static int sets_failed(struct vtr_sets *s, struct vtr_error *why, const struct vtr_error *local, struct vtr_error *err)
{
	if (vtr_error_ends(local)) {
		if (err)
			*err = *local;
		return -1;
	}
	vtr_warn_err(s->ctx, local);
	*why = *local;
	return 0;
}

int vtr_volumes_open(struct vtr_volumes **out, struct vtr_blk *const *in, size_t n, struct vtr_error *err)
{
	VTR_VOLUMES_CLOSE struct vtr_volumes *v = NULL;
	VTR_CLEANUP(sets_free_cleanup) struct vtr_sets *s = NULL;
	const struct vtr_signature *unread = NULL;
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
		members += r > 0;
		if (r < 0 && sets_failed(s, &why, &local, err) < 0)
			return -1;
	}
	for (int degraded = 0; degraded <= 1; degraded++) {
		struct vtr_error local = { 0 };

		while ((r = vtr_sets_assemble(v, s, degraded, &local)) != 0)
			if (r < 0 && sets_failed(s, &why, &local, err) < 0)
				return -1;
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
