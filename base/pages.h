/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A block source read through a cache of its pages: for tables that are too large to hold, and looked at in places. */
#ifndef VTR_BASE_PAGES_H
#define VTR_BASE_PAGES_H

#include "base/cache.h"

#define VTR_PAGE_LOG2 14 /* 16 KiB */
#define VTR_PAGE (1u << VTR_PAGE_LOG2)

struct vtr_pages;

/* Keeps a reference to b, and at most bytes of its pages (one at least). */
struct vtr_pages *vtr_pages_new(struct vtr_blk *b, uint64_t bytes, struct vtr_error *err);
void vtr_pages_free(struct vtr_pages *p); /* NULL is fine */

/* As vtr_blk_pread(). */
int vtr_pages_read(struct vtr_pages *p, uint64_t off, void *buf, size_t len, struct vtr_error *err);

#endif
