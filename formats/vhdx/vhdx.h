/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log of a VHDX, and the file as it is when the log was replayed. */
#ifndef VTR_FORMATS_VHDX_VHDX_H
#define VTR_FORMATS_VHDX_VHDX_H

#include "base/blk.h"

#define VHDX_MB (1u << 20)
#define VHDX_HEADERS_END (192u << 10) /* what comes before is not written through the log */

struct vhdx_log {
	uint64_t off; /* of the ring in the file, and its bytes: multiples of 1 MiB within the file */
	uint32_t len;
	uint8_t guid[16]; /* of the entries that count */
};

struct vhdx_replayed {
	uint64_t sequence; /* of the newest entry */
	uint32_t entries, writes;
};

/*
 * Find the active sequence of the log, and make an overlay (base/overlay.h) of the file with its writes in place. VTR_ECORRUPT when there
 * is none, or it writes where it must not; VTR_ETRUNCATED when the file is shorter than it was; VTR_ELIMIT.
 */
int vtr_vhdx_replay(struct vtr_blk **out, struct vhdx_replayed *facts, struct vtr_blk *file, const struct vhdx_log *log,
		    struct vtr_error *err);

#endif
