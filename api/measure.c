/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an image stores, by its extents. */
#include "base/checked.h"
#include "formats/image.h"

#define MEASURE_BLOCK 4096u /* of formats that have no clusters */

struct measure {
	struct vtr_image_usage u;
	struct vtr_extent last; /* of plain data */
	uint64_t last_end;	/* on the disk */
	uint64_t cluster;	/* 0: the format has none */
};

/*
 * Whether data goes on in its file where the data before it ended. Where there are no clusters, what is left out of the
 * disk is left out of the file, too.
 */
static bool measure_follows(const struct measure *m, const struct vtr_extent *e, uint64_t off)
{
	uint64_t end = m->last.host_off + m->last.len;

	if (m->u.plain == 0 || e->host_file != m->last.host_file || e->host_off < end)
		return false;
	return e->host_off == end || (m->cluster == 0 && e->host_off - end == off - m->last_end);
}

/* Data that lies in a file as it is. */
static void measure_plain(struct measure *m, const struct vtr_extent *e, uint64_t off)
{
	uint64_t block = m->cluster ? m->cluster : MEASURE_BLOCK, first = off / block;

	m->u.fragments += !measure_follows(m, e, off);
	m->u.plain += e->len;
	if ((e->host_off - off) % 4096 != 0)
		m->u.unaligned += e->len;
	/* A block that two extents share counts once. */
	first = VTR_MAX(first, vtr_div_up(m->last_end, block));
	m->u.blocks += vtr_div_up(off + e->len, block) - VTR_MIN(first, vtr_div_up(off + e->len, block));
	m->last = *e;
	m->last_end = off + e->len;
}

int vtr_image_measure(struct vtr_image_usage *out, struct vtr_blk *b, uint64_t max, struct vtr_error *err)
{
	const struct vtr_image_info *info = vtr_image_info(b);
	struct measure m = { 0 };
	struct vtr_image_usage *u = &m.u;
	struct vtr_extent e;
	uint64_t off = 0;

	if (!info)
		return vtr_fail(err, VTR_EUSAGE, "a %s is no image", b->ops->kind);
	m.cluster = info->cluster_size;
	for (; off < b->size && (max == 0 || u->extents < max); off += e.len) {
		if (vtr_tick(b->ctx, &u->extents, 1, err) < 0 || vtr_image_extent_own(&e, b, off, err) < 0)
			return -1;
		e.len = VTR_MIN(e.len, b->size - off);
		if (e.kind == VTR_EXTENT_ZERO)
			u->zero += e.len;
		else if (e.kind == VTR_EXTENT_ABSENT)
			u->absent += e.len;
		else
			u->data += e.len;
		if (e.kind == VTR_EXTENT_DATA && e.compressed)
			u->compressed += e.len;
		else if (e.kind == VTR_EXTENT_DATA && e.has_host_off)
			measure_plain(&m, &e, off);
	}
	u->whole = off >= b->size;
	*out = m.u;
	return 0;
}
