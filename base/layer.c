/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of volumes that a layer makes. */
#include "base/layer.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

struct vtr_volumes *vtr_volumes_new(struct vtr_ctx *ctx, struct vtr_error *err)
{
	struct vtr_volumes *v = vtr_calloc(1, sizeof(*v), err);

	if (v)
		v->ctx = vtr_ctx_ref(ctx);
	return v;
}

static void layer_made_done(struct vtr_made *m)
{
	free((void *)(uintptr_t)m->pub.name);
	free((void *)(uintptr_t)m->pub.alias);
	free((void *)(uintptr_t)m->pub.set);
	free((void *)(uintptr_t)m->pub.uuid);
	free((void *)(uintptr_t)m->pub.problem);
	free((void *)(uintptr_t)m->pub.inputs);
	vtr_blk_unref(m->blk);
}

void vtr_volumes_close(struct vtr_volumes *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->n; i++)
		layer_made_done(&v->v[i]);
	free(v->v);
	vtr_ctx_unref(v->ctx);
	free(v);
}

void vtr_volumes_close_cleanup(struct vtr_volumes **v)
{
	vtr_volumes_close(*v);
}

/* A copy of a text, NULL for NULL. false sets VTR_ENOMEM. */
static bool layer_copy(const char **out, const char *text, struct vtr_error *err)
{
	*out = text ? vtr_strndup(text, strlen(text), err) : NULL;
	return *out || !text;
}

int vtr_volumes_add(struct vtr_volumes *out, const struct vtr_volume *v, struct vtr_blk *blk, struct vtr_error *err)
{
	struct vtr_made m = { .pub = { .kind = v->kind, .size = blk->size, .state = v->state } };
	size_t *inputs;

	if (VTR_OVER(out->ctx, devices, out->n + 1, "volumes", err) < 0 || !VTR_GROW(out->v, out->n, out->cap, err))
		return -1;
	inputs = vtr_calloc(v->n_inputs ? v->n_inputs : 1, sizeof(*inputs), err);
	m.pub.inputs = inputs;
	if (!inputs || !layer_copy(&m.pub.name, v->name, err) || !layer_copy(&m.pub.alias, v->alias, err) ||
	    !layer_copy(&m.pub.set, v->set, err) || !layer_copy(&m.pub.uuid, v->uuid, err) ||
	    !layer_copy(&m.pub.problem, v->problem, err)) {
		layer_made_done(&m);
		return -1;
	}
	for (size_t i = 0; i < v->n_inputs; i++)
		inputs[i] = v->inputs[i];
	m.pub.n_inputs = v->n_inputs;
	m.blk = vtr_blk_ref(blk);
	out->v[out->n++] = m;
	return 0;
}

size_t vtr_volumes_count(const struct vtr_volumes *v)
{
	return v->n;
}

const struct vtr_volume *vtr_volumes_at(const struct vtr_volumes *v, size_t i)
{
	return i < v->n ? &v->v[i].pub : NULL;
}

int vtr_volumes_blk(struct vtr_blk **out, const struct vtr_volumes *v, size_t i, struct vtr_error *err)
{
	if (i >= v->n)
		return vtr_fail(err, VTR_EUSAGE, "volume at index %zu of %zu", i, v->n);
	*out = vtr_blk_ref(v->v[i].blk);
	return 0;
}

const char *vtr_state_name(int state)
{
	static const char *const names[] = {
		[VTR_STATE_COMPLETE] = "complete", [VTR_STATE_DEGRADED] = "degraded", [VTR_STATE_PARTIAL] = "partial",
		[VTR_STATE_LOCKED] = "locked",	   [VTR_STATE_UNREAD] = "not read",
	};

	return state < 0 || (size_t)state >= VTR_COUNT(names) ? "unknown" : names[state];
}

const char *vtr_usage_name(int usage)
{
	static const char *const names[] = {
		[VTR_USAGE_UNKNOWN] = "unknown", [VTR_USAGE_TABLE] = "partition table",
		[VTR_USAGE_MEMBER] = "member",	 [VTR_USAGE_FILESYSTEM] = "filesystem",
		[VTR_USAGE_SWAP] = "swap",	 [VTR_USAGE_JOURNAL] = "journal",
	};

	return usage < 0 || (size_t)usage >= VTR_COUNT(names) ? names[0] : names[usage];
}
