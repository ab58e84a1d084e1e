/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "formats/table.h"

#include "base/checked.h"

#define TABLE_BATCH 512u  /* entries looked at in one go */
#define TABLE_BITMAP 512u /* bytes of a bitmap looked at in one go */

int vtr_table_map(struct vtr_run *out, struct vtr_image *im, const struct vtr_table *t, uint64_t off, uint64_t max,
		  struct vtr_error *err)
{
	uint64_t i = (off - t->disk) / t->piece, in = (off - t->disk) % t->piece;
	uint8_t raw[TABLE_BATCH * 8];
	struct vtr_run run = { .len = t->piece - in };
	size_t n;

	if (i >= t->entries)
		return vtr_fail(err, VTR_ECORRUPT, "entry %" PRIu64 " of a table with %" PRIu64, i, t->entries);
	n = (size_t)VTR_MIN(t->entries - i, (uint64_t)TABLE_BATCH);
	if (max < (uint64_t)TABLE_BATCH * t->piece)
		n = (size_t)VTR_MIN((uint64_t)n, vtr_div_up(in + max, t->piece));
	if (vtr_image_meta(im, t->off + i * t->width, raw, n * t->width, err) < 0)
		return vtr_at(err, "table at %#" PRIx64, t->off);
	if (t->entry(&run, im, t, raw, i, in, err) < 0)
		return -1;
	/* What follows is joined while it is alike; it will be checked again, and named, when it is asked for itself. */
	for (size_t k = 1; k < n && run.len == k * t->piece - in && run.kind != VTR_RUN_PACKED; k++) {
		struct vtr_run next = { .len = t->piece };

		if (t->entry(&next, im, t, raw + k * t->width, i + k, 0, NULL) < 0 || next.kind != run.kind ||
		    (run.kind == VTR_RUN_PLAIN && next.host != run.host + run.len))
			break;
		run.len += next.len;
	}
	run.len = VTR_MIN(run.len, max);
	*out = run;
	return 0;
}

/* Bit i of a byte as the bitmap counts them. */
static bool table_bit(uint8_t byte, uint64_t i, bool highest_first)
{
	return byte >> (highest_first ? 7 - i % 8 : i % 8) & 1;
}

int vtr_table_bits(uint64_t *alike, bool *set, struct vtr_image *im, uint64_t off, bool highest_first, uint64_t from,
		   uint64_t n, struct vtr_error *err)
{
	uint8_t part[TABLE_BITMAP];
	uint64_t first = from / 8, at = from, end, len;

	end = from + VTR_MIN(n, 8ull * TABLE_BITMAP - from % 8);
	len = vtr_div_up(end, 8) - first;
	if (vtr_image_meta(im, off + first, part, (size_t)len, err) < 0)
		return -1;
	*set = table_bit(part[0], from, highest_first);
	while (at < end) {
		uint8_t byte = part[at / 8 - first];

		if (at % 8 == 0 && end - at >= 8 && byte == (*set ? 0xff : 0)) {
			at += 8;
			continue;
		}
		if (table_bit(byte, at, highest_first) != *set)
			break;
		at++;
	}
	*alike = at - from;
	return 0;
}
