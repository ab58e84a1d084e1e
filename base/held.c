/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/held.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

/* Lies before what is given out. */
struct held {
	_Alignas(16) struct vtr_ctx *ctx;
	uint64_t bytes;
};

static struct held *held_of(void *p)
{
	return p ? (struct held *)(void *)((char *)p - sizeof(struct held)) : NULL;
}

void *vtr_hold(struct vtr_ctx *ctx, uint64_t n, size_t size, const char *what, struct vtr_error *err)
{
	uint64_t bytes, all;
	struct held *h;

	if (vtr_mul_over(n, size, &bytes) || vtr_add_over(bytes, sizeof(*h), &all) || all > SIZE_MAX)
		bytes = all = UINT64_MAX;
	if (vtr_charge(ctx, bytes, what, err) < 0)
		return NULL;
	h = calloc(1, (size_t)all);
	if (!h) {
		vtr_uncharge(ctx, bytes);
		vtr_error_set(err, VTR_ENOMEM, "%s: out of memory: %" PRIu64 " bytes", what, bytes);
		return NULL;
	}
	h->ctx = ctx;
	h->bytes = bytes;
	return h + 1;
}

int vtr_hold_resize(void **p, struct vtr_ctx *ctx, uint64_t n, size_t size, const char *what, struct vtr_error *err)
{
	struct held *h = held_of(*p), *to;
	uint64_t before = h ? h->bytes : 0, bytes, all;

	if (vtr_mul_over(n, size, &bytes) || vtr_add_over(bytes, sizeof(*h), &all) || all > SIZE_MAX)
		bytes = all = UINT64_MAX;
	if (VTR_OVER(ctx, alloc, bytes, what, err) < 0 ||
	    (bytes > before && vtr_charge(ctx, bytes - before, what, err) < 0))
		return -1;
	to = realloc(h, (size_t)all);
	if (!to) {
		if (bytes > before)
			vtr_uncharge(ctx, bytes - before);
		return vtr_fail(err, VTR_ENOMEM, "%s: out of memory: %" PRIu64 " bytes", what, bytes);
	}
	if (bytes < before)
		vtr_uncharge(ctx, before - bytes);
	to->ctx = ctx;
	to->bytes = bytes;
	*p = to + 1;
	return 0;
}

int vtr_hold_grow(void **array, struct vtr_ctx *ctx, size_t n, size_t *cap, size_t size, const char *what,
		  struct vtr_error *err)
{
	uint64_t want = *cap ? (uint64_t)*cap * 2 : 8, most = ctx->lim.alloc / size;
	void *p = *array;

	if (n < *cap)
		return 0;
	if (want > most && most > n) /* the last step is a smaller one */
		want = most;
	if (vtr_hold_resize(&p, ctx, want, size, what, err) < 0)
		return -1;
	*array = p;
	*cap = (size_t)want;
	return 0;
}

void vtr_let_go(void *p)
{
	struct held *h = held_of(p);

	if (!h)
		return;
	vtr_uncharge(h->ctx, h->bytes);
	free(h);
}

void vtr_held_cleanup(void *p)
{
	void *mem;

	memcpy(&mem, p, sizeof(mem));
	vtr_let_go(mem);
}
