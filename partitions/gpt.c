/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The GUID partition table, UEFI Specification 2.10, section 5.3. */
#include "partitions/gpt.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/crc.h"
#include "base/text.h"
#include "base/utf16.h"
#include "partitions/mbr.h"
#include "partitions/partition.h"
#include "partitions/types.h"

#define GPT_SIGNATURE "EFI PART"
#define GPT_SIGNATURE_LEN 8u
#define GPT_MIN_HEADER 92u
#define GPT_PRIMARY_LBA 1u
#define GPT_MIN_ENTRY 128u
#define GPT_MAX_ENTRY 4096u /* ours; nobody was seen to write more than 128 */
#define GPT_NAME_LEN 72u
#define GPT_ATTRIBUTE_ACTIVE (UINT64_C(1) << 2) /* legacy BIOS bootable */

/* Bits that probing verified. */
#define GPT_BITS_PROTECTIVE 16
#define GPT_BITS_SIGNATURE 64
#define GPT_BITS_CRC 32

struct gpt_header {
	uint64_t alternate_lba, first_usable, last_usable, entries_lba;
	uint32_t entries, entry_len, table_crc;
	uint32_t table_len; /* bytes */
	uint8_t guid[16];
};

/* One of the two: its header and its table, both sound. */
struct gpt_copy {
	struct gpt_header h;
	uint8_t *table; /* h.table_len bytes */
};

static void gpt_copy_done(struct gpt_copy *copy)
{
	free(copy->table);
}

static bool gpt_signature_is(const uint8_t *bytes, size_t len, uint64_t at)
{
	return vtr_range_in(at, GPT_SIGNATURE_LEN, len) && memcmp(bytes + at, GPT_SIGNATURE, GPT_SIGNATURE_LEN) == 0;
}

/* The header's own checksum, taken with its field as zero; header_len was checked. */
static uint32_t gpt_header_crc(const uint8_t *header, size_t header_len)
{
	static const uint8_t zero[4];
	uint32_t crc = vtr_crc32(0, header, 0x10);

	crc = vtr_crc32(crc, zero, sizeof(zero));
	return vtr_crc32(crc, header + 0x14, header_len - 0x14);
}

/*
 * GPT header, section 5.3.2, little endian.
 *   0x00  8  "EFI PART"
 *   0x08  4  Revision			1.x
 *   0x0c  4  HeaderSize		92 to a sector
 *   0x10  4  HeaderCRC32
 *   0x18  8  MyLBA
 *   0x20  8  AlternateLBA		not checked: the caller looks whether there is a header
 *   0x28  8  FirstUsableLBA
 *   0x30  8  LastUsableLBA		at least FirstUsableLBA - 1
 *   0x38 16  DiskGUID
 *   0x48  8  PartitionEntryLBA
 *   0x50  4  NumberOfPartitionEntries	limits.partitions
 *   0x54  4  SizeOfPartitionEntry	128 * 2^n, at most 4096 (ours)
 *   0x58  4  PartitionEntryArrayCRC32
 */
static int gpt_parse_header(struct gpt_header *out, struct vtr_cur *c, uint64_t lba, struct vtr_ctx *ctx,
			    struct vtr_error *err)
{
	struct gpt_header h = { 0 };
	uint32_t revision, header_len, crc, computed;
	uint64_t my_lba;

	if (vtr_cur_len(c) < GPT_MIN_HEADER)
		return vtr_fail(err, VTR_ETRUNCATED, "%zu bytes, expected %u", vtr_cur_len(c), GPT_MIN_HEADER);
	if (!gpt_signature_is(c->base, vtr_cur_len(c), 0))
		return vtr_fail(err, VTR_ECORRUPT, "no signature, expected \"%s\"", GPT_SIGNATURE);
	vtr_cur_seek(c, 0x08);
	revision = vtr_cur_le32(c);
	header_len = vtr_cur_le32(c);
	crc = vtr_cur_le32(c);
	if (header_len < GPT_MIN_HEADER || header_len > vtr_cur_len(c))
		return vtr_fail(err, VTR_ECORRUPT, "header size %" PRIu32 ", expected %u to %zu", header_len,
				GPT_MIN_HEADER, vtr_cur_len(c));
	computed = gpt_header_crc(c->base, header_len);
	if (!vtr_sum_ok(crc, computed))
		return vtr_fail(err, VTR_ECORRUPT, "header checksum %#" PRIx32 ", computed %#" PRIx32, crc, computed);
	if (revision >> 16 != 1)
		return vtr_fail(err, VTR_EUNSUPPORTED, "revision %#" PRIx32 ", expected 1.x", revision);

	vtr_cur_seek(c, 0x18);
	my_lba = vtr_cur_le64(c);
	h.alternate_lba = vtr_cur_le64(c);
	h.first_usable = vtr_cur_le64(c);
	h.last_usable = vtr_cur_le64(c);
	vtr_cur_bytes(c, h.guid, sizeof(h.guid));
	h.entries_lba = vtr_cur_le64(c);
	h.entries = vtr_cur_le32(c);
	h.entry_len = vtr_cur_le32(c);
	h.table_crc = vtr_cur_le32(c);
	if (my_lba != lba)
		return vtr_fail(err, VTR_ECORRUPT, "it says that it lies at LBA %" PRIu64 ", not %" PRIu64, my_lba,
				lba);
	if (h.first_usable == 0 || h.last_usable < h.first_usable - 1)
		return vtr_fail(err, VTR_ECORRUPT, "usable from LBA %" PRIu64 " to %" PRIu64, h.first_usable,
				h.last_usable);
	if (h.entry_len < GPT_MIN_ENTRY || !vtr_pow2_is(h.entry_len))
		return vtr_fail(err, VTR_ECORRUPT, "entry size %" PRIu32 ", expected 128 * 2^n", h.entry_len);
	if (h.entry_len > GPT_MAX_ENTRY)
		return vtr_fail(err, VTR_EUNSUPPORTED, "entry size %" PRIu32 ", at most %u are read", h.entry_len,
				GPT_MAX_ENTRY);
	if (VTR_OVER(ctx, partitions, h.entries, "entries in the table", err) < 0)
		return -1;
	if (vtr_mul_over(h.entries, h.entry_len, &h.table_len))
		return vtr_fail(err, VTR_ELIMIT, "%" PRIu32 " entries of %" PRIu32 " bytes, limit 4 GiB in all",
				h.entries, h.entry_len);
	*out = h;
	return 0;
}

/*
 * How many bits of a header there are at a sector that probing has. A sound one that says that it lies elsewhere is
 * none: on a small disk the backup of 512-byte sectors may lie where the primary of 4096-byte sectors would.
 */
static int gpt_header_bits(const uint8_t *bytes, size_t len, uint64_t lba)
{
	uint32_t header_len;

	if (len < GPT_MIN_HEADER || !gpt_signature_is(bytes, len, 0))
		return 0;
	header_len = vtr_get_le32(bytes + 0x0c);
	if (header_len < GPT_MIN_HEADER || header_len > len ||
	    !vtr_sum_ok(vtr_get_le32(bytes + 0x10), gpt_header_crc(bytes, header_len)))
		return GPT_BITS_SIGNATURE;
	return vtr_get_le64(bytes + 0x18) == lba ? GPT_BITS_SIGNATURE + GPT_BITS_CRC : 0;
}

/* Whether the table of a sound primary header is sound, as far as it lies in the bytes that probing has. */
static bool gpt_table_is_sound(const struct vtr_probe *p, const uint8_t *header, unsigned sector)
{
	uint64_t at, len;

	if (vtr_mul_over(vtr_get_le64(header + 0x48), sector, &at))
		return false;
	len = (uint64_t)vtr_get_le32(header + 0x50) * vtr_get_le32(header + 0x54);
	if (!vtr_range_in(at, len, p->head_len))
		return true;
	return vtr_sum_ok(vtr_get_le32(header + 0x58), vtr_crc32(0, p->head + at, (size_t)len));
}

/* The last whole sector of the disk, where the backup header belongs; NULL when probing has not all of it. */
static const uint8_t *gpt_last_sector(const struct vtr_probe *p, unsigned sector)
{
	uint64_t start, tail_at = p->size - p->tail_len;

	if (p->size < sector)
		return NULL;
	start = (p->size / sector - 1) * sector;
	return start >= tail_at ? p->tail + (start - tail_at) : NULL;
}

bool vtr_gpt_signed(const struct vtr_probe *p)
{
	static const unsigned sectors[] = { 512, 4096 };

	for (size_t i = 0; i < VTR_COUNT(sectors); i++) {
		const uint8_t *last = gpt_last_sector(p, sectors[i]);

		if (gpt_signature_is(p->head, p->head_len, sectors[i]) ||
		    (last && gpt_signature_is(last, sectors[i], 0)))
			return true;
	}
	return false;
}

/*
 * How many bits there are of a header at the start, *primary, and of one at the end, together. *sound: the primary's
 * table is sound, as far as it was looked at.
 */
static int gpt_bits(int *primary, bool *sound, const struct vtr_probe *p, unsigned sector)
{
	const uint8_t *last = gpt_last_sector(p, sector);
	int backup = 0;

	*primary = 0;
	if (p->head_len > sector)
		*primary = gpt_header_bits(p->head + sector, VTR_MIN(p->head_len - sector, sector), GPT_PRIMARY_LBA);
	if (last)
		backup = gpt_header_bits(last, sector, p->size / sector - 1);
	*sound = *primary > GPT_BITS_SIGNATURE && gpt_table_is_sound(p, p->head + sector, sector);
	return *primary + backup + *sound * GPT_BITS_CRC;
}

static int gpt_present(const struct vtr_probe *p, unsigned sector)
{
	bool sound;
	int primary;

	return gpt_bits(&primary, &sound, p, sector);
}

/*
 * A GPT is what a protective entry in the MBR announces (UEFI 2.10, section 5.2.3). Without one the firmware and every
 * system take the disk for something else, but such disks are met (the first sector was overwritten with zeros or with
 * boot code): a sound header is believed where nothing else claims the disk. Beside an MBR with entries of its own it
 * is what is left of an earlier use.
 */
static int gpt_probe(const struct vtr_probe *p, unsigned sector)
{
	struct vtr_mbr m = { 0 };
	bool has_mbr, sound;
	int primary, bits = gpt_bits(&primary, &sound, p, sector);

	has_mbr = vtr_mbr_parse(&m, p->head, p->head_len) && m.flags_ok;
	if (has_mbr && m.protective > 0) {
		if (bits > 0)
			return bits + GPT_BITS_PROTECTIVE;
		/* The announcement alone: damaged beyond reading. The length of its entry tells the sectors' size. */
		if (m.others > 0 && !vtr_gpt_signed(p))
			return 0;
		for (size_t i = 0; i < VTR_MBR_ENTRIES; i++)
			if (m.entry[i].type == VTR_MBR_TYPE_PROTECTIVE && sector == 4096 &&
			    (uint64_t)m.entry[i].sectors + m.entry[i].start_sector == p->size / sector)
				return GPT_BITS_PROTECTIVE + 1;
		return sector == 512 ? GPT_BITS_PROTECTIVE : GPT_BITS_PROTECTIVE - 1;
	}
	if (has_mbr && m.others > 0 && vtr_mbr_fits(&m, p, sector))
		return 0;
	if (sound)
		return bits;
	if ((has_mbr && m.others > 0) || vtr_signature_at_start(p->head, p->head_len, false) >= 0)
		return 0;
	return primary > 0 || bits > GPT_BITS_SIGNATURE ? bits : 0;
}

/* Read one header and its table, and check both. Errors name the place. */
static int gpt_read_copy(struct gpt_copy *out, const struct vtr_parts *t, const char *which, uint64_t lba,
			 struct vtr_error *err)
{
	uint64_t off, table_off, header_end;
	VTR_FREE uint8_t *table = NULL;
	uint32_t computed;
	uint8_t bytes[4096];
	struct vtr_cur c;
	struct gpt_header h;

	if (vtr_mul_over(lba, t->sector, &off) || !vtr_range_in(off, t->sector, t->disk->size))
		return vtr_fail(err, VTR_ETRUNCATED, "%s header at LBA %" PRIu64 ": the disk ends at %#" PRIx64, which,
				lba, t->disk->size);
	c = vtr_cur_of(bytes, t->sector, off);
	if (vtr_blk_pread(t->disk, off, bytes, t->sector, err) < 0 ||
	    gpt_parse_header(&h, &c, lba, t->disk->ctx, err) < 0)
		return vtr_at(err, "%s header at %#" PRIx64, which, off);

	header_end = off + t->sector;
	if (vtr_mul_over(h.entries_lba, t->sector, &table_off) || !vtr_range_in(table_off, h.table_len, t->disk->size))
		return vtr_fail(err, VTR_ETRUNCATED,
				"%s header at %#" PRIx64 ": table of %" PRIu32 " bytes at LBA %" PRIu64
				": the disk ends at %#" PRIx64,
				which, off, h.table_len, h.entries_lba, t->disk->size);
	if (h.entries_lba == 0 || (table_off < header_end && off < table_off + h.table_len))
		return vtr_fail(err, VTR_ECORRUPT,
				"%s header at %#" PRIx64 ": table of %" PRIu32 " bytes at LBA %" PRIu64
				" covers a header",
				which, off, h.table_len, h.entries_lba);
	if (h.table_len > 0 && vtr_blk_read_new(&table, t->disk, table_off, h.table_len, "partition table", err) < 0)
		return vtr_at(err, "%s table at %#" PRIx64, which, table_off);
	computed = vtr_crc32(0, table, h.table_len);
	if (!vtr_sum_ok(h.table_crc, computed))
		return vtr_fail(err, VTR_ECORRUPT,
				"%s table at %#" PRIx64 ": checksum %#" PRIx32 ", computed %#" PRIx32, which, table_off,
				h.table_crc, computed);
	out->h = h;
	out->table = vtr_steal(table);
	return 0;
}

/* What a primary header that is not sound says of its alternate; 0: nothing. */
static uint64_t gpt_alternate_hint(const struct vtr_parts *t)
{
	uint8_t bytes[GPT_MIN_HEADER];

	if (vtr_blk_pread(t->disk, t->sector, bytes, sizeof(bytes), NULL) < 0 ||
	    !gpt_signature_is(bytes, sizeof(bytes), 0))
		return 0;
	return vtr_get_le64(bytes + 0x20);
}

/*
 * The backup: where the alternate says that it is, and at the end of the disk. A disk that has grown has it in the
 * middle; one whose backup was moved to the end before the primary was written has it there. *lba is where it was.
 */
static int gpt_read_backup(struct gpt_copy *out, uint64_t *lba, const struct vtr_parts *t, uint64_t alternate,
			   struct vtr_error *err)
{
	uint64_t last = t->disk->size / t->sector - 1, tries[] = { alternate, last };
	struct vtr_error first = { 0 };

	for (size_t i = 0; i < VTR_COUNT(tries); i++) {
		struct vtr_error one = { 0 };

		if (tries[i] <= GPT_PRIMARY_LBA || (i > 0 && tries[i] == tries[0]))
			continue;
		if (gpt_read_copy(out, t, "backup", tries[i], &one) == 0) {
			*lba = tries[i];
			return 0;
		}
		if (first.code == VTR_OK || !vtr_error_is(&one, VTR_KINDS_LOST))
			first = one;
		if (!vtr_error_is(&one, VTR_KINDS_LOST))
			break;
	}
	if (first.code == VTR_OK)
		return vtr_fail(err, VTR_ETRUNCATED, "backup header: a disk of %" PRIu64 " sectors has no room for it",
				last + 1);
	if (err)
		*err = first;
	return -1;
}

static void gpt_compare(const struct vtr_parts *t, const struct gpt_copy *a, const struct gpt_copy *b)
{
	const char *what = NULL;

	if (memcmp(a->h.guid, b->h.guid, sizeof(a->h.guid)) != 0)
		what = "the disk's GUID";
	else if (a->h.entries != b->h.entries || a->h.entry_len != b->h.entry_len)
		what = "the size of their tables";
	else if (a->h.table_len > 0 && memcmp(a->table, b->table, a->h.table_len) != 0)
		what = "their entries";
	else if (a->h.first_usable != b->h.first_usable || a->h.last_usable != b->h.last_usable)
		what = "the usable sectors";
	if (what)
		vtr_warn(t->disk->ctx, VTR_ECORRUPT,
			 "gpt: the primary and the backup table are sound and differ in %s: the primary is read", what);
}

/* Find the copy to read, and say what is wrong with the other. */
static int gpt_choose(struct gpt_copy *out, const struct vtr_parts *t, struct vtr_error *err)
{
	VTR_CLEANUP(gpt_copy_done) struct gpt_copy primary = { 0 }, backup = { 0 };
	struct vtr_error primary_err = { 0 }, backup_err = { 0 };
	struct vtr_ctx *ctx = t->disk->ctx;
	uint64_t sectors = t->disk->size / t->sector, alternate, lba = 0;
	bool primary_ok = gpt_read_copy(&primary, t, "primary", GPT_PRIMARY_LBA, &primary_err) == 0, backup_ok;

	if (!primary_ok && !vtr_error_is(&primary_err, VTR_KINDS_LOST)) {
		if (err)
			*err = primary_err;
		return -1;
	}
	alternate = primary_ok ? primary.h.alternate_lba : gpt_alternate_hint(t);
	backup_ok = gpt_read_backup(&backup, &lba, t, alternate, &backup_err) == 0;
	if (!backup_ok && backup_err.code == VTR_ECANCELLED) {
		if (err)
			*err = backup_err;
		return -1;
	}

	if (!primary_ok && !backup_ok) {
		int code = vtr_error_is(&backup_err, VTR_KINDS_LOST) ? VTR_ECORRUPT : backup_err.code;

		if (primary_err.code == VTR_EUNSUPPORTED)
			code = VTR_EUNSUPPORTED;
		return vtr_fail(err, code, "%s; %s", primary_err.text, backup_err.text);
	}
	if (!primary_ok)
		vtr_warn(ctx, VTR_ECORRUPT, "gpt: %s: the backup at LBA %" PRIu64 " is read instead", primary_err.text,
			 lba);
	else if (!backup_ok)
		vtr_warn(ctx, backup_err.code, "gpt: %s: the primary is sound", backup_err.text);
	else
		gpt_compare(t, &primary, &backup);
	if (backup_ok && lba != sectors - 1)
		vtr_warn(ctx, VTR_OK,
			 "gpt: the backup is at LBA %" PRIu64 " and the disk ends with %" PRIu64 ": it has grown", lba,
			 sectors - 1);
	else if (backup_ok && primary_ok && lba != alternate)
		vtr_warn(ctx, VTR_OK, "gpt: the backup is at LBA %" PRIu64 ", not at %" PRIu64 " as the primary says",
			 lba, alternate);

	*out = primary_ok ? primary : backup;
	if (primary_ok)
		primary.table = NULL;
	else
		backup.table = NULL;
	return 0;
}

/*
 * Partition entry, section 5.3.3, little endian. The cursor has h->entry_len bytes.
 *   0x00 16  PartitionTypeGUID	zeros: not used
 *   0x10 16  UniquePartitionGUID
 *   0x20  8  StartingLBA
 *   0x28  8  EndingLBA		the last one
 *   0x30  8  Attributes
 *   0x38 72  PartitionName	UTF-16LE, NUL terminated unless it is full
 */
static int gpt_add_entry(struct vtr_parts *t, const struct gpt_header *h, unsigned number, struct vtr_cur *c,
			 struct vtr_error *err)
{
	static const uint8_t unused[16];
	struct vtr_ctx *ctx = t->disk->ctx;
	uint8_t type[16], guid[16], name[GPT_NAME_LEN];
	uint64_t start, end, attributes, off, len;
	struct vtr_part *part;

	vtr_cur_bytes(c, type, sizeof(type));
	vtr_cur_bytes(c, guid, sizeof(guid));
	start = vtr_cur_le64(c);
	end = vtr_cur_le64(c);
	attributes = vtr_cur_le64(c);
	vtr_cur_bytes(c, name, sizeof(name));
	if (c->bad)
		return vtr_fail(err, VTR_ECORRUPT, "entry %u: %zu bytes, expected %u", number, vtr_cur_len(c),
				GPT_MIN_ENTRY);
	if (memcmp(type, unused, sizeof(type)) == 0)
		return 0;
	if (start > end || end == UINT64_MAX || vtr_mul_over(start, t->sector, &off) ||
	    vtr_mul_over(end - start + 1, t->sector, &len) || len > UINT64_MAX - off) {
		vtr_warn(ctx, VTR_ECORRUPT,
			 "gpt: partition %u: from LBA %" PRIu64 " to %" PRIu64 ": no such range: left out", number,
			 start, end);
		return 0;
	}
	if (start < h->first_usable || end > h->last_usable)
		vtr_warn(ctx, VTR_OK,
			 "gpt: partition %u: LBA %" PRIu64 " to %" PRIu64 " leave the usable ones, %" PRIu64
			 " to %" PRIu64,
			 number, start, end, h->first_usable, h->last_usable);
	part = vtr_parts_add(t, number, off, len, err);
	if (!part)
		return -1;
	vtr_guid_text(part->type_guid, type);
	vtr_guid_text(part->guid, guid);
	part->type_name = vtr_gpt_type_name(part->type_guid);
	part->attributes = attributes;
	part->active = (attributes & GPT_ATTRIBUTE_ACTIVE) != 0;
	if (!vtr_utf16_to_utf8(part->name, sizeof(part->name), name, sizeof(name), VTR_UTF16_LE))
		vtr_warn(ctx, VTR_OK, "gpt: partition %u: its name is not UTF-16", number);
	return 0;
}

/* What sector 0 says beside the GPT. */
static void gpt_check_mbr(const struct vtr_parts *t)
{
	uint8_t bytes[VTR_MBR_LEN];
	struct vtr_ctx *ctx = t->disk->ctx;
	struct vtr_mbr m = { 0 };

	if (vtr_blk_pread(t->disk, 0, bytes, sizeof(bytes), NULL) < 0)
		return;
	if (!vtr_mbr_parse(&m, bytes, sizeof(bytes)) || m.protective == 0)
		vtr_warn(ctx, VTR_OK, "gpt: no protective MBR in sector 0");
	else if (m.others > 0)
		vtr_warn(ctx, VTR_OK, "gpt: hybrid MBR: it has %u %s of its own beside the GPT, left aside", m.others,
			 m.others == 1 ? "entry" : "entries");
}

static int gpt_open(struct vtr_parts *t, struct vtr_error *err)
{
	VTR_CLEANUP(gpt_copy_done) struct gpt_copy copy = { 0 };

	if (gpt_choose(&copy, t, err) < 0)
		return -1;
	vtr_guid_text(t->disk_id, copy.h.guid);
	if (vtr_mul_over(copy.h.first_usable, t->sector, &t->first) ||
	    vtr_mul_over(copy.h.last_usable + 1, t->sector, &t->end))
		t->first = t->end = 0;
	gpt_check_mbr(t);
	for (uint32_t i = 0; i < copy.h.entries; i++) {
		size_t at = (size_t)i * copy.h.entry_len;
		struct vtr_cur c = vtr_cur_of(copy.table + at, copy.h.entry_len, at);

		if (gpt_add_entry(t, &copy.h, i + 1, &c, err) < 0)
			return -1;
	}
	return 0;
}

const struct vtr_partition vtr_partition_gpt = {
	.name = "gpt",
	.title = "GUID partition table",
	.probe = gpt_probe,
	.present = gpt_present,
	.open = gpt_open,
};
