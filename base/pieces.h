/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Block sources that are put together of others. */
#ifndef VTR_BASE_PIECES_H
#define VTR_BASE_PIECES_H

#include "base/blk.h"

/* A range of a source. */
struct vtr_piece {
	struct vtr_blk *blk; /* borrowed; the result takes a reference */
	uint64_t off, len;   /* bytes. What lies beyond the end of blk fails to read as VTR_ETRUNCATED */
};

/* One piece after the other. VTR_EUSAGE: a piece without bytes; VTR_ECORRUPT: 2^63 bytes or more; VTR_ELIMIT. */
int vtr_blk_pieces(struct vtr_blk **out, struct vtr_ctx *ctx, const struct vtr_piece *pieces, size_t n,
		   struct vtr_error *err);

/*
 * The pieces side by side: chunk bytes of the first, chunk bytes of the second, and so on, then the next chunk of the
 * first. All are of the same length, a multiple of chunk. VTR_EUSAGE when they are not; VTR_ECORRUPT: 2^63 bytes or more; VTR_ELIMIT.
 */
int vtr_blk_striped(struct vtr_blk **out, struct vtr_ctx *ctx, const struct vtr_piece *pieces, size_t n, uint64_t chunk,
		    struct vtr_error *err);

/* A source of size zeros, which are stored nowhere. */
int vtr_blk_zeros(struct vtr_blk **out, struct vtr_ctx *ctx, uint64_t size, struct vtr_error *err);

/* A source of size bytes that cannot be read: reading fails with *why, which is copied. The caller has reported it. */
int vtr_blk_unreadable(struct vtr_blk **out, struct vtr_ctx *ctx, uint64_t size, const struct vtr_error *why,
		       struct vtr_error *err);

#endif
