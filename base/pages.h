/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A block source read through a cache of its pages: for tables that are too large to hold, and looked at in places. */
#ifndef VTR_BASE_PAGES_H
#define VTR_BASE_PAGES_H

#include "base/cache.h"

#define VTR_PAGE_LOG2 14 /* 16 KiB: what tables are read in */
#define VTR_PAGE (1u << VTR_PAGE_LOG2)

struct vtr_pages;

/*
 * Pages of 2^page_log2 bytes. Keeps a reference to b, and at most bytes of its pages (one at least). what: "volume", for
 * messages; NULL: b's kind. Borrowed.
 */
struct vtr_pages *vtr_pages_new(struct vtr_blk *b, unsigned page_log2, uint64_t bytes, const char *what,
				struct vtr_error *err);
void vtr_pages_free(struct vtr_pages *p); /* NULL is fine */

/* As vtr_blk_pread(). */
int vtr_pages_read(struct vtr_pages *p, uint64_t off, void *buf, size_t len, struct vtr_error *err);

/* The bytes from off on have changed, or the size has: forget the pages that they are in. See vtr_cache_drop(). */
void vtr_pages_drop(struct vtr_pages *p, uint64_t off, uint64_t len);

#endif
