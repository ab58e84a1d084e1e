/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A temporary file without a name for decoded bytes, whose zeros are holes; and the account of what is decoded. Several
 * threads at once.
 */
#ifndef VTR_BASE_SPOOL_H
#define VTR_BASE_SPOOL_H

#include "base/blk.h"

/*
 * What an image decodes, against limits.ratio and limits.steps. Bytes that are read count for it: the limits bound what
 * is decoded beyond that, be it for a size, for a part of a large unit, or again and again.
 */
#define VTR_DECODED_FREE (128u << 20) /* of any image */
#define VTR_DECODED_STEP 1024u	      /* bytes for one step of work */
struct vtr_decoded {
	struct vtr_ctx *ctx;
	uint64_t stored; /* bytes that the files of the image have */
	atomic_uint_fast64_t decoded, delivered;
};

/* So many bytes are about to be decoded. VTR_ELIMIT, VTR_ECANCELLED. */
int vtr_decoded_add(struct vtr_decoded *d, uint64_t bytes, struct vtr_error *err);

/* So many were read, or told to be zero. */
void vtr_decoded_deliver(struct vtr_decoded *d, uint64_t bytes);

struct vtr_spool {
	struct vtr_ctx *ctx;
	int fd; /* -1: not opened */
	atomic_uint_fast64_t counted;
};

void vtr_spool_init(struct vtr_spool *s, struct vtr_ctx *ctx);
void vtr_spool_done(struct vtr_spool *s);
int vtr_spool_open(struct vtr_spool *s, struct vtr_error *err); /* VTR_EIO */

/*
 * Write, and leave out zeros; against limits.spool, where zeros that are left out count a fourth. *counted grows by what
 * was counted, for vtr_spool_uncount() when it is to be written again.
 */
int vtr_spool_write(struct vtr_spool *s, uint64_t off, const uint8_t *p, size_t len, uint64_t *counted,
		    struct vtr_error *err);
void vtr_spool_uncount(struct vtr_spool *s, uint64_t counted);

/* What was not written reads as zeros. */
int vtr_spool_read(struct vtr_spool *s, uint64_t off, uint8_t *buf, size_t len, struct vtr_error *err);

/* Whether bytes up to end are left out; *len is how many are alike from off on. off is less than end. */
bool vtr_spool_hole(uint64_t *len, struct vtr_spool *s, uint64_t off, uint64_t end);

#endif
