/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decoded units: what is stored compressed and decoded in one go, of which a part is wanted. Small ones are kept in
 * memory, the least recently used go first. Of those that would take more than a share of that memory, a few that
 * alternate would be decoded for each read: these are decoded once, into a spool; or, where the host has no room for one,
 * the last is kept. Each unit that is decoded is counted
 * each time. Several threads at once.
 */
#ifndef VTR_BASE_UNITS_H
#define VTR_BASE_UNITS_H

#include "base/cache.h"
#include "base/spool.h"

#define VTR_UNITS_SHARE 8u /* so many units have room in memory, at least */

struct vtr_units;

/*
 * unit_max: bytes of the largest; cache: of memory for all. fill gets the whole unit, of the length that
 * vtr_units_read() was given. account is borrowed.
 */
struct vtr_units *vtr_units_new(struct vtr_ctx *ctx, size_t unit_max, uint64_t cache, struct vtr_decoded *account,
				vtr_cache_fill *fill, void *arg, struct vtr_error *err);
void vtr_units_free(struct vtr_units *u);

/* Copy len bytes from at within unit key, which has unit_len bytes. */
int vtr_units_read(struct vtr_units *u, uint64_t key, size_t unit_len, size_t at, void *buf, size_t len,
		   struct vtr_error *err);

#endif
