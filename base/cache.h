/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A bounded cache of equally large blocks, by number; the least recently used goes first. Used by several threads at
 * once: a block is filled outside the lock, by whoever missed it first; the others wait. fill may not read the block that it
 * fills.
 */
#ifndef VTR_BASE_CACHE_H
#define VTR_BASE_CACHE_H

#include "base/blk.h"

struct vtr_cache;

/* Fill block (len bytes) for key. */
typedef int vtr_cache_fill(void *arg, uint64_t key, uint8_t *block, size_t len, struct vtr_error *err);

/*
 * A cache of at most slots blocks of block_len bytes; as many more may be in the course of being filled, but where slots
 * is 1. Memory is taken as blocks come in.
 */
struct vtr_cache *vtr_cache_new(size_t block_len, size_t slots, vtr_cache_fill *fill, void *arg, struct vtr_error *err);
void vtr_cache_free(struct vtr_cache *c);

/* Copy len bytes from at within block key. */
int vtr_cache_read(struct vtr_cache *c, uint64_t key, size_t at, void *buf, size_t len, struct vtr_error *err);

/* The same of a row of blocks that lie one after the other: from off on, where block first begins at 0. */
int vtr_cache_read_row(struct vtr_cache *c, uint64_t first, uint64_t off, void *buf, size_t len, struct vtr_error *err);

/*
 * Forget the blocks from first to last. A read that begins after this gets what lies there then: a block that was being
 * filled is not kept.
 */
void vtr_cache_drop(struct vtr_cache *c, uint64_t first, uint64_t last);
#define VTR_CACHE_ALL 0, UINT64_MAX

/* Whether a block is there now. */
bool vtr_cache_has(struct vtr_cache *c, uint64_t key);

#endif
