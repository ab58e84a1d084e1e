/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory whose size an image drives. It is charged to the account limits.metadata of its context, one allocation against
 * limits.alloc, for as long as it is held. This is the way to allocate whatever grows with an image; vtr_calloc() and
 * VTR_GROW() are for what has a bound of its own.
 */
#ifndef VTR_BASE_HELD_H
#define VTR_BASE_HELD_H

#include "base/ctx.h"

/* Zeroed, n times size bytes; what names the structure. VTR_ELIMIT, VTR_ENOMEM. The context outlives it. */
void *vtr_hold(struct vtr_ctx *ctx, uint64_t n, size_t size, const char *what, struct vtr_error *err);

/* Make *p (NULL: none yet) that long; bytes that are added are not set. On failure *p is as before. */
int vtr_hold_resize(void **p, struct vtr_ctx *ctx, uint64_t n, size_t size, const char *what, struct vtr_error *err);

/* Make room for one more in an array that grows by doubling. */
#define VTR_HOLD_GROW(ctx, array, n, cap, what, err)                                                                   \
	vtr_hold_grow((void **)&(array), (ctx), (n), &(cap), sizeof(*(array)), (what), (err))
int vtr_hold_grow(void **array, struct vtr_ctx *ctx, size_t n, size_t *cap, size_t size, const char *what,
		  struct vtr_error *err);

void vtr_let_go(void *p); /* NULL is fine */
void vtr_held_cleanup(void *p);
#define VTR_HELD VTR_CLEANUP(vtr_held_cleanup)

#endif
