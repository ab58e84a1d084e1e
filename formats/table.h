/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flat tables of a container: entry i says where the i-th piece of the disk lies. */
#ifndef VTR_FORMATS_TABLE_H
#define VTR_FORMATS_TABLE_H

#include "formats/image.h"

struct vtr_table {
	uint64_t off;	  /* of the first entry in the image's file */
	uint64_t entries; /* checked: they lie in the file */
	uint64_t disk;	  /* offset on the disk of the first piece */
	uint64_t piece;	  /* bytes of the disk that an entry describes */
	unsigned width;	  /* bytes of an entry, at most 8 */
	/* What entry i says from byte `in` of its piece on. out is zeroed, and out->len the rest of the piece. */
	int (*entry)(struct vtr_run *out, struct vtr_image *im, const struct vtr_table *t, const uint8_t *raw,
		     uint64_t i, uint64_t in, struct vtr_error *err);
};

/* For the map() of a driver: what lies at disk offset off, which the table describes. Neighbours that go on are joined. */
int vtr_table_map(struct vtr_run *out, struct vtr_image *im, const struct vtr_table *t, uint64_t off, uint64_t max,
		  struct vtr_error *err);

/*
 * Bitmaps in the image's file: how many of the n (not 0) bits from bit `from` on are alike, and what they are.
 * highest_first: the first bit of a byte is 0x80, else 0x01. Few of many are looked at: who asks again and again within
 * a long run, as the parent's extents end, gets through it all the same.
 */
int vtr_table_bits(uint64_t *alike, bool *set, struct vtr_image *im, uint64_t off, bool highest_first, uint64_t from,
		   uint64_t n, struct vtr_error *err);

#endif
