/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small pool of worker threads. */
#ifndef VTR_BASE_POOL_H
#define VTR_BASE_POOL_H

#include "base/ctx.h"

/*
 * Call fn(arg, i) for each i below n, on the context's workers and on the calling thread; returns when all are done.
 * From within fn it runs everything on the calling thread. The first failure (by i) is returned in *err, and items
 * after it may be left out.
 */
typedef int vtr_pool_fn(void *arg, size_t i, struct vtr_error *err);
int vtr_pool_run(struct vtr_ctx *ctx, vtr_pool_fn *fn, void *arg, size_t n, struct vtr_error *err);

/* How many threads work at once, the caller's included. */
unsigned vtr_pool_width(struct vtr_ctx *ctx);

void vtr_pool_free(struct vtr_pool *p);

#endif
