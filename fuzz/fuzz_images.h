/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What must hold of every decoded disk, for the targets of the formats. */
#ifndef FUZZ_FUZZ_IMAGES_H
#define FUZZ_FUZZ_IMAGES_H

#include <string.h>

#include "base/checked.h"
#include "formats/format.h"
#include "fuzz/fuzz.h"

#define FUZZ_EXTENTS 600u     /* looked at in one disk */
#define FUZZ_PIECE 8192u      /* bytes read at each end of an extent */
#define FUZZ_BYTES (4u << 20) /* read of one disk in all, however many snapshots show it */

/* A failure says what it is. */
static inline void fuzz_check_error(const struct vtr_error *err)
{
	FUZZ_CHECK(err->code > VTR_OK && err->code <= VTR_ECANCELLED && err->text[0] != 0);
	FUZZ_CHECK(vtr_utf8_is(err->text, strlen(err->text)));
}

static inline bool fuzz_is_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* Bytes within one extent: the same each time, in one read and in two, and what the extent says of them. */
static inline void fuzz_check_piece(struct vtr_blk *b, struct vtr_blk *file, const struct vtr_extent *e, uint64_t start,
				    uint64_t off, size_t len)
{
	static uint8_t one[FUZZ_PIECE], two[FUZZ_PIECE];
	struct vtr_error err = { 0 };
	size_t half = len / 2;

	if (vtr_blk_pread(b, off, one, len, &err) < 0) {
		fuzz_check_error(&err);
		FUZZ_CHECK(e->kind == VTR_EXTENT_DATA || e->depth > 0);
		return;
	}
	FUZZ_CHECK(vtr_blk_pread(b, off, two, half, NULL) == 0);
	FUZZ_CHECK(vtr_blk_pread(b, off + half, two + half, len - half, NULL) == 0);
	FUZZ_CHECK(memcmp(one, two, len) == 0);
	if (e->kind != VTR_EXTENT_DATA || e->zero)
		FUZZ_CHECK(fuzz_is_zero(one, len));
	if (e->has_host_off && e->depth == 0 && file) {
		uint64_t at = e->host_off + (off - start);
		size_t have = at >= file->size ? 0 : (size_t)VTR_MIN((uint64_t)len, file->size - at);

		memset(two, 0, len);
		FUZZ_CHECK(vtr_blk_pread(file, VTR_MIN(at, file->size), two, have, NULL) == 0);
		FUZZ_CHECK(memcmp(one, two, len) == 0);
	}
}

/* Walk the extents of a disk: they cover it exactly, and what they say is so. file: where plain bytes lie, or NULL. */
static inline void fuzz_check_disk(struct vtr_blk *b, struct vtr_blk *file, size_t *budget)
{
	uint64_t off = 0, step = 512;
	const struct vtr_image_info *info = vtr_image_info(b);
	struct vtr_image_usage u;
	struct vtr_error err = { 0 };
	uint8_t byte;

	FUZZ_CHECK(info && info->virtual_size == b->size);
	FUZZ_CHECK(vtr_blk_pread(b, b->size, &byte, 1, &err) < 0 && err.code == VTR_ETRUNCATED);
	FUZZ_CHECK(vtr_blk_pread(b, UINT64_MAX, &byte, 1, NULL) < 0);
	if (info->cluster_size)
		step = info->cluster_size;
	for (unsigned n = 0; n < FUZZ_EXTENTS && off<b->size && * budget> 0; n++) {
		struct vtr_extent e = { 0 };
		size_t len;

		if (vtr_blk_extent(&e, b, off, &err) < 0) {
			fuzz_check_error(&err);
			FUZZ_CHECK(vtr_blk_pread(b, off, &byte, 1, NULL) < 0);
			off += VTR_MIN(step - off % step, b->size - off);
			continue;
		}
		FUZZ_CHECK(e.len > 0 && e.len <= b->size - off);
		FUZZ_CHECK(e.kind >= VTR_EXTENT_DATA && e.kind <= VTR_EXTENT_ABSENT);
		FUZZ_CHECK(!e.has_host_off || (e.kind == VTR_EXTENT_DATA && !e.compressed));
		len = (size_t)VTR_MIN(e.len, (uint64_t)FUZZ_PIECE);
		fuzz_check_piece(b, file, &e, off, off, len);
		if (e.len > len)
			fuzz_check_piece(b, file, &e, off, off + e.len - len, len);
		/* Whatever a byte costs, what it takes to get it is a cluster. */
		*budget -= VTR_MIN(*budget, e.compressed ? VTR_MAX((size_t)info->cluster_size, len) : len);
		off += e.len;
	}
	if (vtr_image_measure(&u, b, FUZZ_EXTENTS, &err) < 0) {
		fuzz_check_error(&err);
		return;
	}
	FUZZ_CHECK(u.data + u.zero + u.absent <= b->size && u.whole == (u.data + u.zero + u.absent == b->size));
	FUZZ_CHECK(u.compressed + u.plain <= u.data && u.unaligned <= u.plain && u.fragments <= u.extents);
	FUZZ_CHECK(u.plain == 0 || (u.fragments > 0 && u.blocks > 0));
}

/* Open the input as an image of one file, and walk its disk. plain: what extents say of the file is compared with it. */
static inline void fuzz_image(const uint8_t *data, size_t len, const char *format, bool plain)
{
	struct vtr_image_options opt = { .format = format };

	for (int alone = 0; alone < 2; alone++) {
		VTR_UNREF struct vtr_blk *file = fuzz_blk(data, len), *b = NULL;
		struct vtr_error err = { 0 };
		size_t budget = FUZZ_BYTES;
		const struct vtr_image_info *info;

		opt.alone = alone;
		if (vtr_image_decode(&b, file, &opt, &err) < 0) {
			FUZZ_CHECK(!b);
			fuzz_check_error(&err);
			continue;
		}
		info = vtr_image_info(b);
		for (const struct vtr_image_info *i = info; i; i = i->outer)
			for (size_t k = 0; k < i->n_props; k++)
				FUZZ_CHECK(i->props[k].kind != VTR_PROP_TEXT ||
					   vtr_utf8_is(i->props[k].text, strlen(i->props[k].text)));
		fuzz_check_disk(b, plain ? file : NULL, &budget);
	}
}

#endif
