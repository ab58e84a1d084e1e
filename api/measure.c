/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an image stores, by its extents. */
#include "base/checked.h"
#include "formats/image.h"

#define MEASURE_BLOCK 4096u /* of formats that have no clusters */

/* Data that lies in a file as it is: whether it goes on where what came before it ended. */
static void measure_plain(struct vtr_image_usage *u, const struct vtr_extent *e, uint64_t off, uint64_t block,
			  struct vtr_extent *last, uint64_t *last_end)
{
	bool follows = u->plain > 0 && e->host_file == last->host_file && e->host_off >= last->host_off + last->len &&
		       (e->host_off == last->host_off + last->len ||
			e->host_off - (last->host_off + last->len) == off - *last_end);

	u->plain += e->len;
	u->fragments += !follows;
	if ((e->host_off - off) % 4096 != 0)
		u->unaligned += e->len;
	/* A block that two extents share counts once. */
	u->blocks += vtr_div_up(off + e->len, block) -
		     (*last_end > 0 ? VTR_MAX(off / block, vtr_div_up(*last_end, block)) : off / block);
	*last = *e;
	*last_end = off + e->len;
}

int vtr_image_measure(struct vtr_image_usage *out, struct vtr_blk *b, uint64_t max, struct vtr_error *err)
{
	const struct vtr_image_info *info = vtr_image_info(b);
	struct vtr_image_usage u = { 0 };
	struct vtr_extent e, last = { 0 };
	uint64_t off = 0, last_end = 0, block;

	if (!info)
		return vtr_fail(err, VTR_EUSAGE, "a %s is no image", b->ops->kind);
	block = info->cluster_size ? info->cluster_size : MEASURE_BLOCK;
	for (; off < b->size && (max == 0 || u.extents < max); off += e.len) {
		if (vtr_tick(b->ctx, &u.extents, 1, err) < 0 || vtr_image_extent_own(&e, b, off, err) < 0)
			return -1;
		e.len = VTR_MIN(e.len, b->size - off);
		if (e.kind == VTR_EXTENT_ZERO)
			u.zero += e.len;
		else if (e.kind == VTR_EXTENT_ABSENT)
			u.absent += e.len;
		else
			u.data += e.len;
		if (e.kind == VTR_EXTENT_DATA && e.compressed)
			u.compressed += e.len;
		else if (e.kind == VTR_EXTENT_DATA && e.has_host_off)
			measure_plain(&u, &e, off, block, &last, &last_end);
	}
	u.whole = off >= b->size;
	*out = u;
	return 0;
}
