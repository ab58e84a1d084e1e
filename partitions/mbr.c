/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The MBR of the PC and its extended partitions. No standard describes it: this follows what DOS laid down, and reads
 * and numbers as Linux does. Sectors of 4096 bytes have the same record in the first 512 of them, and count in 4096.
 */
#include "partitions/mbr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "partitions/gpt.h"
#include "partitions/partition.h"
#include "partitions/types.h"

#define MBR_ID_AT 0x1b8
#define MBR_TABLE_AT 0x1be
#define MBR_ENTRY_LEN 16u
#define MBR_SIGNATURE_AT 0x1fe
#define MBR_SIGNATURE 0xaa55u
#define MBR_ACTIVE 0x80u
#define MBR_FIRST_LOGICAL 5u

/* Bits that probing verified: the signature; the flags, when some entry is used; each entry that fits. */
#define MBR_BITS_SIGNATURE 16
#define MBR_BITS_FLAGS 28
#define MBR_BITS_ENTRY 8

/*
 * Boot record, little endian.
 *   0x1b8  4  disk signature
 *   0x1be  4 entries of 16 bytes
 *     0x0  1  0x80: active
 *     0x4  1  type
 *     0x8  4  first sector	the cylinders, heads and sectors beside it are not used
 *     0xc  4  number of sectors
 *   0x1fe  2  0xaa55
 */
bool vtr_mbr_parse(struct vtr_mbr *out, const uint8_t *bytes, size_t len)
{
	struct vtr_cur c = vtr_cur_of(bytes, len, 0);
	struct vtr_mbr m = { .flags_ok = true, .bare = true };

	vtr_cur_seek(&c, MBR_SIGNATURE_AT);
	if (vtr_cur_le16(&c) != MBR_SIGNATURE)
		return false;
	vtr_cur_seek(&c, MBR_ID_AT);
	m.disk_id = vtr_cur_le32(&c);
	for (size_t i = 0; i < VTR_MBR_ENTRIES; i++) {
		struct vtr_mbr_entry *e = &m.entry[i];

		vtr_cur_seek(&c, MBR_TABLE_AT + i * MBR_ENTRY_LEN);
		for (size_t k = 0; k < MBR_ENTRY_LEN; k++)
			m.bare &= c.p[k] == 0;
		e->flag = vtr_cur_u8(&c);
		vtr_cur_skip(&c, 3);
		e->type = vtr_cur_u8(&c);
		vtr_cur_skip(&c, 3);
		e->start_sector = vtr_cur_le32(&c);
		e->sectors = vtr_cur_le32(&c);

		m.flags_ok &= (e->flag & ~MBR_ACTIVE) == 0;
		if (e->sectors != 0 && e->type == VTR_MBR_TYPE_PROTECTIVE)
			m.protective++;
		else if (e->sectors != 0)
			m.others++;
	}
	*out = m;
	return true;
}

static bool mbr_type_is_extended(unsigned type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

/* Whether all entries in use start on the disk and keep clear of each other. Ends are free: images are cut. */
static bool mbr_entries_fit(const struct vtr_mbr *m, uint64_t disk_sectors)
{
	for (size_t i = 0; i < VTR_MBR_ENTRIES; i++) {
		const struct vtr_mbr_entry *a = &m->entry[i];

		if (a->sectors == 0)
			continue;
		if (a->start_sector == 0 || a->start_sector >= disk_sectors)
			return false;
		for (size_t k = 0; k < i; k++) {
			const struct vtr_mbr_entry *b = &m->entry[k];
			uint64_t a_end = (uint64_t)a->start_sector + a->sectors;
			uint64_t b_end = (uint64_t)b->start_sector + b->sectors;

			if (b->sectors != 0 && a->start_sector < b_end && b->start_sector < a_end)
				return false;
		}
	}
	return true;
}

bool vtr_mbr_fits(const struct vtr_mbr *m, const struct vtr_probe *p, unsigned sector)
{
	/* A hybrid ISO starts its first partition with sector 0, and lays the others into it. */
	return mbr_entries_fit(m, p->size / sector) || vtr_signature_at_start(p->head, p->head_len, true) < 0;
}

static int mbr_present(const struct vtr_probe *p, unsigned sector)
{
	struct vtr_mbr m;

	(void)sector;
	return vtr_mbr_parse(&m, p->head, p->head_len) ? MBR_BITS_SIGNATURE : 0;
}

static int mbr_probe(const struct vtr_probe *p, unsigned sector)
{
	struct vtr_mbr m;

	if (!vtr_mbr_parse(&m, p->head, p->head_len) || !m.flags_ok)
		return 0;
	/* The GPT's own; and one that says GPT where there is none is a damaged GPT. */
	if (m.protective > 0 && (m.others == 0 || vtr_gpt_signed(p)))
		return 0;
	/*
	 * The signature alone is on every boot sector. The code of one may by chance look like entries, and most end
	 * in zeros: where a filesystem starts with the disk, only entries that make sense are a partition table.
	 */
	if (m.others + m.protective == 0) {
		if (!m.bare || vtr_gpt_signed(p) || vtr_signature_at_start(p->head, p->head_len, false) >= 0)
			return 0;
		return MBR_BITS_SIGNATURE;
	}
	if (!vtr_mbr_fits(&m, p, sector))
		return 0;
	return MBR_BITS_SIGNATURE + MBR_BITS_FLAGS +
	       (mbr_entries_fit(&m, p->size / sector) ? (int)m.others * MBR_BITS_ENTRY : 0);
}

/* Whether something that a partition holds starts at off. */
static bool mbr_content_at(struct vtr_blk *disk, uint64_t off, uint8_t type)
{
	VTR_FREE uint8_t *head = NULL;
	struct vtr_mbr m;
	size_t len;

	if (off >= disk->size)
		return false;
	len = (size_t)VTR_MIN(disk->size - off, (uint64_t)VTR_PROBE_HEAD);
	if (vtr_blk_read_new(&head, disk, off, len, "start of a partition", NULL) < 0)
		return false;
	if (mbr_type_is_extended(type))
		return vtr_mbr_parse(&m, head, len);
	return vtr_signature_at_start(head, len, false) >= 0;
}

static bool mbr_ends_within(const struct vtr_mbr *m, uint64_t disk_sectors)
{
	for (size_t i = 0; i < VTR_MBR_ENTRIES; i++)
		if (m->entry[i].sectors != 0 &&
		    !vtr_range_in(m->entry[i].start_sector, m->entry[i].sectors, disk_sectors))
			return false;
	return true;
}

/*
 * The table does not tell the size of its sectors. 512 unless what the entries point to is found only when they count
 * in 4096, and the disk has room for that.
 */
static unsigned mbr_sector(struct vtr_blk *disk)
{
	uint8_t bytes[VTR_MBR_LEN];
	struct vtr_mbr m;
	unsigned found = 512;

	if (vtr_blk_pread(disk, 0, bytes, sizeof(bytes), NULL) < 0 || !vtr_mbr_parse(&m, bytes, sizeof(bytes)))
		return 512;
	if (mbr_ends_within(&m, disk->size / 512) && !mbr_ends_within(&m, disk->size / 4096))
		return 512;
	for (size_t i = 0; i < VTR_MBR_ENTRIES; i++) {
		const struct vtr_mbr_entry *e = &m.entry[i];

		if (e->sectors == 0 || e->start_sector == 0)
			continue;
		if (mbr_content_at(disk, (uint64_t)e->start_sector * 512, e->type))
			return 512;
		if (mbr_content_at(disk, (uint64_t)e->start_sector * 4096, e->type))
			found = 4096;
	}
	return found;
}

static struct vtr_part *mbr_add(struct vtr_parts *t, unsigned number, const struct vtr_mbr_entry *e, uint64_t start,
				struct vtr_error *err)
{
	struct vtr_part *part = vtr_parts_add(t, number, start * t->sector, (uint64_t)e->sectors * t->sector, err);

	if (!part)
		return NULL;
	part->active = (e->flag & MBR_ACTIVE) != 0;
	part->mbr_type = e->type;
	part->type_name = vtr_mbr_type_name(e->type);
	part->extended = mbr_type_is_extended(e->type) || e->type == VTR_MBR_TYPE_PROTECTIVE;
	return part;
}

/* ---------------------------------------------------------------------------------------------- extended partitions */

/* Where a chain of extended boot records has been, sorted. */
struct mbr_chain {
	struct vtr_parts *t;
	uint64_t start, end; /* sectors of the extended partition */
	unsigned *number;    /* the next logical partition's */
	uint64_t *seen;	     /* sectors */
	size_t n, cap;
};

static void mbr_chain_done(struct mbr_chain *ch)
{
	free(ch->seen);
}

/* 1 when the sector was seen before, 0 when it is new. */
static int mbr_chain_visit(struct mbr_chain *ch, uint64_t sector, struct vtr_error *err)
{
	size_t at = 0, end = ch->n;

	while (at < end) {
		size_t mid = at + (end - at) / 2;

		if (ch->seen[mid] < sector)
			at = mid + 1;
		else
			end = mid;
	}
	if (at < ch->n && ch->seen[at] == sector)
		return 1;
	if (VTR_OVER(ch->t->disk->ctx, logical, ch->n + 1, "extended boot records", err) < 0 ||
	    !VTR_GROW(ch->seen, ch->n, ch->cap, err))
		return -1;
	memmove(&ch->seen[at + 1], &ch->seen[at], (ch->n - at) * sizeof(ch->seen[0]));
	ch->seen[at] = sector;
	ch->n++;
	return 0;
}

/* A logical partition: the first entry of a record that is no link. */
static int mbr_add_logical(struct mbr_chain *ch, const struct vtr_mbr_entry *e, uint64_t record, struct vtr_error *err)
{
	uint64_t start = record + e->start_sector;
	struct vtr_part *part = mbr_add(ch->t, *ch->number, e, start, err);

	if (!part)
		return -1;
	part->logical = true;
	++*ch->number;
	if (start < ch->start || start + e->sectors > ch->end)
		vtr_warn(ch->t->disk->ctx, VTR_OK,
			 "mbr: partition %u: sectors %" PRIu64 " to %" PRIu64 " leave the extended partition, %" PRIu64
			 " to %" PRIu64,
			 part->number, start, start + e->sectors - 1, ch->start, ch->end - 1);
	return 0;
}

/*
 * One extended boot record: its entries count from the record, its link from the start of the extended partition. One
 * partition and one link is all that DOS knows, so what is more is said and left out, as fdisk and Windows do. (Linux
 * takes further partitions and then numbers the later ones differently.) *next is 0 when there is no link.
 */
static int mbr_read_record(uint64_t *next, struct mbr_chain *ch, uint64_t record, struct vtr_error *err)
{
	struct vtr_ctx *ctx = ch->t->disk->ctx;
	uint64_t off = record * ch->t->sector;
	bool has_data = false, has_link = false;
	uint8_t bytes[VTR_MBR_LEN];
	struct vtr_mbr m;

	*next = 0;
	if (vtr_blk_pread(ch->t->disk, off, bytes, sizeof(bytes), err) < 0)
		return vtr_at(err, "extended boot record at %#" PRIx64, off);
	if (!vtr_mbr_parse(&m, bytes, sizeof(bytes)))
		return vtr_fail(err, VTR_ECORRUPT, "extended boot record at %#" PRIx64 ": signature %#x, expected %#x",
				off, vtr_get_le16(bytes + MBR_SIGNATURE_AT), MBR_SIGNATURE);
	for (size_t i = 0; i < VTR_MBR_ENTRIES; i++) {
		const struct vtr_mbr_entry *e = &m.entry[i];
		bool link = mbr_type_is_extended(e->type);

		if (e->sectors == 0)
			continue;
		if (link ? has_link : has_data) {
			vtr_warn(ctx, VTR_ECORRUPT,
				 "mbr: extended boot record at %#" PRIx64 ": entry %zu (type %02x, %" PRIu32
				 " sectors at %" PRIu64 ") is a second %s: left out",
				 off, i, e->type, e->sectors, (link ? ch->start : record) + e->start_sector,
				 link ? "link" : "partition");
		} else if (link) {
			has_link = true;
			*next = ch->start + e->start_sector;
		} else {
			has_data = true;
			if (mbr_add_logical(ch, e, record, err) < 0)
				return -1;
		}
	}
	if (has_link && (*next < ch->start || *next >= ch->end))
		vtr_warn(ctx, VTR_OK,
			 "mbr: extended boot record at %#" PRIx64 ": the next one, sector %" PRIu64
			 ", is outside the extended partition, %" PRIu64 " to %" PRIu64,
			 off, *next, ch->start, ch->end - 1);
	return 0;
}

/* A chain that breaks ends there, warned of: what came before stays. */
static int mbr_read_chain(struct vtr_parts *t, const struct vtr_mbr_entry *ext, unsigned *number, struct vtr_error *err)
{
	VTR_CLEANUP(mbr_chain_done)
	struct mbr_chain ch = {
		.t = t, .start = ext->start_sector, .end = (uint64_t)ext->start_sector + ext->sectors, .number = number
	};
	struct vtr_ctx *ctx = t->disk->ctx;
	uint64_t from = 0, next = ch.start;

	do {
		struct vtr_error broken = { 0 };
		uint64_t record = next;
		int seen;

		if (!vtr_range_in(record * t->sector, VTR_MBR_LEN, t->disk->size)) {
			vtr_warn(ctx, VTR_ETRUNCATED,
				 "mbr: extended boot record at %#" PRIx64 ": the disk ends at %#" PRIx64,
				 record * t->sector, t->disk->size);
			return 0;
		}
		if (vtr_ctx_check(ctx, err) < 0)
			return -1;
		seen = mbr_chain_visit(&ch, record, err);
		if (seen < 0)
			return -1;
		if (seen) {
			vtr_warn(ctx, VTR_ECORRUPT,
				 "mbr: extended boot record at %#" PRIx64
				 ": its link leads back to the one at %#" PRIx64,
				 from * t->sector, record * t->sector);
			return 0;
		}
		if (mbr_read_record(&next, &ch, record, &broken) < 0) {
			if (!vtr_error_is(&broken, VTR_KINDS_LOST)) {
				if (err)
					*err = broken;
				return -1;
			}
			(void)vtr_at(&broken, "mbr");
			vtr_warn_err(ctx, &broken);
			return 0;
		}
		from = record;
	} while (next != 0);
	return 0;
}

static int mbr_open(struct vtr_parts *t, struct vtr_error *err)
{
	struct vtr_ctx *ctx = t->disk->ctx;
	unsigned number = MBR_FIRST_LOGICAL;
	uint8_t bytes[VTR_MBR_LEN];
	struct vtr_mbr m;

	if (vtr_blk_pread(t->disk, 0, bytes, sizeof(bytes), err) < 0)
		return vtr_at(err, "sector 0");
	if (!vtr_mbr_parse(&m, bytes, sizeof(bytes)))
		return vtr_fail(err, VTR_ECORRUPT, "sector 0: signature %#x, expected %#x",
				vtr_get_le16(bytes + MBR_SIGNATURE_AT), MBR_SIGNATURE);
	snprintf(t->disk_id, sizeof(t->disk_id), "%08" PRIx32, m.disk_id);

	for (unsigned i = 0; i < VTR_MBR_ENTRIES; i++) {
		const struct vtr_mbr_entry *e = &m.entry[i];

		if (e->sectors == 0) {
			if (e->type != 0)
				vtr_warn(ctx, VTR_OK, "mbr: entry %u: type %02x without a sector: left out", i + 1,
					 e->type);
			continue;
		}
		if (e->start_sector == 0)
			vtr_warn(ctx, VTR_OK, "mbr: partition %u starts with sector 0, where the table is", i + 1);
		if (!mbr_add(t, i + 1, e, e->start_sector, err))
			return -1;
	}
	for (size_t i = 0; i < VTR_MBR_ENTRIES; i++) {
		const struct vtr_mbr_entry *e = &m.entry[i];

		if (e->sectors != 0 && mbr_type_is_extended(e->type) && mbr_read_chain(t, e, &number, err) < 0)
			return -1;
	}
	return 0;
}

const struct vtr_partition vtr_partition_mbr = {
	.name = "mbr",
	.title = "DOS partition table",
	.probe = mbr_probe,
	.present = mbr_present,
	.sector = mbr_sector,
	.open = mbr_open,
};
