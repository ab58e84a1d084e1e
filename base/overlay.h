/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A block source over another, some ranges of which are replaced: by bytes in memory, by zeros, or by bytes of some
 * source. The log of a format or a filesystem is replayed so: nothing is written. Memory is in proportion to the
 * changes, never to the ranges that they cover.
 */
#ifndef VTR_BASE_OVERLAY_H
#define VTR_BASE_OVERLAY_H

#include "base/blk.h"

/*
 * Nothing is replaced at first, and it is as long as below, which it keeps a reference to. kind is the source's; what
 * names the changes for messages about memory ("writes of the log"). Both are borrowed. vtr_blk_stack() is the
 * caller's.
 */
int vtr_overlay_new(struct vtr_blk **out, struct vtr_blk *below, const char *kind, const char *what,
		    struct vtr_error *err);

/*
 * Changes: a later one covers those before it. They count once vtr_overlay_settle() was called, and until then nobody
 * may read. Ranges may lie beyond the end: vtr_overlay_resize() brings them in. VTR_ELIMIT: limits.metadata or alloc.
 */
int vtr_overlay_write(struct vtr_blk *overlay, uint64_t off, const void *bytes, size_t len, struct vtr_error *err);
int vtr_overlay_zero(struct vtr_blk *overlay, uint64_t off, uint64_t len, struct vtr_error *err);
/* By what lies at src_off of src, which is referenced. place: put before errors of reading it ("log"); NULL; borrowed. */
int vtr_overlay_map(struct vtr_blk *overlay, uint64_t off, uint64_t len, struct vtr_blk *src, uint64_t src_off,
		    const char *place, struct vtr_error *err);
int vtr_overlay_settle(struct vtr_blk *overlay, struct vtr_error *err);

/* How long it is. What is beyond the end of below, and is not replaced, is zeros. */
void vtr_overlay_resize(struct vtr_blk *overlay, uint64_t size);

/* The end of the last range that is replaced; 0: there is none. */
uint64_t vtr_overlay_end(const struct vtr_blk *overlay);

/* Whether what lies at off is other than below's bytes; cuts *len to where that changes. */
bool vtr_overlay_replaced(const struct vtr_blk *overlay, uint64_t off, uint64_t *len);

#endif
