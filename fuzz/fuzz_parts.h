/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What must hold of every partition table, for the targets of the schemes. */
#ifndef FUZZ_FUZZ_PARTS_H
#define FUZZ_FUZZ_PARTS_H

#include <string.h>

#include "base/checked.h"
#include "fuzz/fuzz.h"
#include "partitions/partition.h"

/* The bytes of a partition, read twice, are the disk's, and nothing beyond them is read. */
static inline void fuzz_check_slice(struct vtr_blk *b, struct vtr_blk *disk, uint64_t off, uint64_t len)
{
	uint8_t one[512], two[512], plain[512];
	uint64_t at = len > sizeof(one) ? len - sizeof(one) : 0;
	size_t n = (size_t)VTR_MIN(len, (uint64_t)sizeof(one));

	FUZZ_CHECK(vtr_blk_size(b) == len);
	FUZZ_CHECK(vtr_blk_pread(b, at, one, n, NULL) == 0 && vtr_blk_pread(b, at, two, n, NULL) == 0);
	FUZZ_CHECK(vtr_blk_pread(disk, off + at, plain, n, NULL) == 0);
	FUZZ_CHECK(memcmp(one, two, n) == 0 && memcmp(one, plain, n) == 0);
	FUZZ_CHECK(vtr_blk_pread(b, len, one, 1, NULL) < 0);
}

static inline void fuzz_check_parts(const struct vtr_parts *t, struct vtr_blk *disk)
{
	for (size_t i = 0; i < vtr_parts_count(t); i++) {
		const struct vtr_part *p = vtr_parts_at(t, i);
		VTR_UNREF struct vtr_blk *b = NULL;
		char uuid[64];

		FUZZ_CHECK(i == 0 || p[-1].number < p->number);
		FUZZ_CHECK(p->len <= p->stated_len && p->off % t->sector == 0 && p->stated_len % t->sector == 0);
		FUZZ_CHECK(vtr_utf8_is(p->name, strlen(p->name)));
		FUZZ_CHECK(vtr_parts_part_uuid(t, i, uuid) == uuid && strlen(uuid) < sizeof(uuid));
		if (p->off >= vtr_blk_size(disk)) {
			FUZZ_CHECK(p->len == 0 && vtr_parts_blk(&b, t, i, NULL) < 0);
			continue;
		}
		FUZZ_CHECK(vtr_range_in(p->off, p->len, vtr_blk_size(disk)));
		FUZZ_CHECK(vtr_parts_blk(&b, t, i, NULL) == 0);
		fuzz_check_slice(b, disk, p->off, p->len);
	}
	FUZZ_CHECK(vtr_parts_at(t, vtr_parts_count(t)) == NULL);
}

/* One scheme alone, past its probing, and then the disk as callers open it. */
static inline void fuzz_parts(const struct vtr_partition *scheme, const uint8_t *data, size_t len)
{
	VTR_UNREF struct vtr_blk *disk = fuzz_blk(data, len);

	for (unsigned sector = 0; sector <= 4096; sector = sector == 0 ? 512 : sector * 8) {
		VTR_PARTS_CLOSE struct vtr_parts *t = NULL, *alone = NULL;
		struct vtr_error err = { 0 };

		if (vtr_partitions_open(&t, disk, sector, &err) < 0)
			FUZZ_CHECK(!t && err.code != VTR_OK && err.text[0] != '\0');
		else if (t)
			fuzz_check_parts(t, disk);
		if (sector == 0 || len < sector)
			continue;
		alone = vtr_calloc(1, sizeof(*alone), NULL);
		FUZZ_CHECK(alone);
		alone->scheme = scheme;
		alone->disk = vtr_blk_ref(disk);
		alone->sector = sector;
		if (scheme->open(alone, &err) == 0)
			fuzz_check_parts(alone, disk);
		FUZZ_CHECK(vtr_parts_check_overlaps(alone, NULL) == 0);
	}
}

#endif
