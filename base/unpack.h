/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a compressed file from its start to its end: gzip, bzip2, xz, Zstandard, or not compressed at all. */
#ifndef VTR_BASE_UNPACK_H
#define VTR_BASE_UNPACK_H

#include <sys/types.h>

#include "base/blk.h"

struct vtr_unpack;

/*
 * Begin; the magic says how it is compressed. Keeps a reference to b. VTR_EUNSUPPORTED: compressed in a way that is known
 * and not read (LZ4, lzip, compress).
 */
int vtr_unpack_open(struct vtr_unpack **out, struct vtr_blk *b, struct vtr_error *err);
void vtr_unpack_close(struct vtr_unpack *u); /* NULL is fine */

/*
 * The next bytes, at most len of them: their count; 0 at the end. What comes before damage is given first, then -1 with
 * VTR_ECORRUPT or VTR_ETRUNCATED, each time it is called. Members that follow each other are read as one; zeros after the
 * last are padding. VTR_ELIMIT: limits.steps, of which a kilobyte costs two, or 256 when a byte makes more than a
 * thousand; or a dictionary larger than limits.alloc.
 */
ssize_t vtr_unpack_read(struct vtr_unpack *u, void *buf, size_t len, struct vtr_error *err);

/* Back to the start. */
int vtr_unpack_rewind(struct vtr_unpack *u, struct vtr_error *err);

#endif
