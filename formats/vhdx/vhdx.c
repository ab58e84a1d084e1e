/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VHDX: Microsoft's [MS-VHDX], Virtual Hard Disk v2 File Format, little endian. Names of fields are that document's.
 *
 * Two headers and two region tables, each with a checksum; a log, which is replayed into a view of the file before
 * anything else of it is read; the BAT, which is read through the cache of pages and never held; and metadata.
 */
#include "formats/table.h"
#include "formats/vhdx/vhdx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/crc.h"
#include "base/fold.h"
#include "base/overlay.h"
#include "base/utf16.h"
#include "formats/image.h"

#define VHDX_HEADER 4096u /* what its checksum covers */
#define VHDX_HEADER_1 (64u << 10)
#define VHDX_HEADER_2 (128u << 10)
#define VHDX_TABLE (64u << 10) /* a region table, or a metadata table */
#define VHDX_REGIONS_1 (192u << 10)
#define VHDX_REGIONS_2 (256u << 10)
#define VHDX_ENTRIES 2047u	 /* of a region table, or a metadata table */
#define VHDX_USER_ENTRIES 1024u	 /* of a metadata table */
#define VHDX_MAX_ITEM (1u << 20) /* bytes of a metadata item */
#define VHDX_MAX_SIZE (64ull << 40)
#define VHDX_CHUNK_SECTORS (1u << 23) /* that a sector bitmap block describes */
#define VHDX_LISTED 16u		      /* GUIDs of one kind in the facts */
#define VHDX_BATCH 512u		      /* BAT entries looked at in one go */

#define VHDX_ITEM_USER 1u
#define VHDX_ITEM_REQUIRED 4u
#define VHDX_LEAVE_ALLOCATED 1u
#define VHDX_HAS_PARENT 2u

enum {
	VHDX_NOT_PRESENT = 0,
	VHDX_UNDEFINED = 1,
	VHDX_ZERO = 2,
	VHDX_UNMAPPED = 3,
	VHDX_UNMAPPED_DRAFT = 5, /* as version 0.95 of the specification had it */
	VHDX_FULL = 6,		 /* of a sector bitmap block too */
	VHDX_PARTIAL = 7,
};

struct vhdx_header {
	bool good;
	uint64_t sequence;
	uint8_t file_write[16], data_write[16];
	uint16_t log_version, version;
	struct vhdx_log log;
	uint8_t bytes[VHDX_HEADER];
};

/* A range of the file that no block may lie in. */
struct vhdx_area {
	const char *what;
	uint64_t off, len;
};

/* GUIDs for the facts. */
struct vhdx_list {
	struct vtr_str text;
	unsigned n;
};

struct vhdx_item {
	uint64_t off; /* in the file */
	uint32_t len;
	bool there;
};

enum { VHDX_PARAMETERS, VHDX_SIZE, VHDX_ID, VHDX_LOGICAL, VHDX_PHYSICAL, VHDX_PARENT, VHDX_ITEMS };

enum { VHDX_RELATIVE, VHDX_VOLUME, VHDX_ABSOLUTE, VHDX_LINKAGE, VHDX_LINKAGE2, VHDX_KEYS };

struct vhdx {
	struct vtr_image im;
	struct vhdx_header h;
	struct vtr_blk *replayed; /* the file with its log replayed; NULL: there is nothing to replay */
	struct vhdx_replayed replay;
	struct vtr_blk *src;	 /* that, or the file; borrowed */
	struct vhdx_area *areas; /* sorted */
	size_t n_areas, cap_areas;
	uint64_t bat_off, metadata_off;
	uint32_t bat_len, metadata_len;
	struct vhdx_item items[VHDX_ITEMS];
	uint8_t id[16];
	uint32_t flags, logical, physical;
	uint64_t block, blocks;
	uint64_t ratio; /* payload blocks of a chunk */
	char *keys[VHDX_KEYS];
	struct vhdx_list other_regions, user_items, other_items;
};

static const char *const vhdx_key_names[VHDX_KEYS] = { "relative_path", "volume_path", "absolute_win32_path",
						       "parent_linkage", "parent_linkage2" };

static bool vhdx_is_zero(const uint8_t *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

/* Whether the CRC-32C of len bytes fits, of which 4 from 4 on hold it: they count as zeros. */
static bool vhdx_sum_ok(const uint8_t *p, size_t len)
{
	static const uint8_t zeros[4];
	uint32_t crc = vtr_crc32c(0, p, 4);

	crc = vtr_crc32c(crc, zeros, 4);
	return vtr_sum_ok(vtr_get_le32(p + 4), vtr_crc32c(crc, p + 8, len - 8));
}

static bool vhdx_guid_is(const uint8_t *p, const char *text)
{
	char own[37];

	vtr_guid_text(own, p);
	return strcmp(own, text) == 0;
}

static void vhdx_list_add(struct vhdx_list *l, const uint8_t *guid, uint32_t len)
{
	char text[37];

	if (l->n++ >= VHDX_LISTED)
		return;
	vtr_guid_text(text, guid);
	vtr_str_putf(&l->text, "%s%s (%" PRIu32 " bytes)", l->n > 1 ? ", " : "", text, len);
}

/* --------------------------------------------------------------------------------------------------------- headers */

/*
 * Header.
 *   0  4  Signature "head"	 48 16  LogGuid
 *   4  4  Checksum		 64  2  LogVersion
 *   8  8  SequenceNumber	 66  2  Version
 *  16 16  FileWriteGuid	 68  4  LogLength
 *  32 16  DataWriteGuid	 72  8  LogOffset
 */
static int vhdx_read_one_header(struct vhdx_header *h, struct vhdx *v, uint64_t at, struct vtr_error *err)
{
	const uint8_t *p = h->bytes;

	memset(h, 0, sizeof(*h));
	if (!vtr_range_in(at, VHDX_HEADER, v->im.file->size))
		return 0;
	if (vtr_blk_pread(v->im.file, at, h->bytes, VHDX_HEADER, err) < 0)
		return -1;
	h->good = memcmp(p, "head", 4) == 0 && vhdx_sum_ok(p, VHDX_HEADER);
	h->sequence = vtr_get_le64(p + 8);
	memcpy(h->file_write, p + 16, 16);
	memcpy(h->data_write, p + 32, 16);
	memcpy(h->log.guid, p + 48, 16);
	h->log_version = vtr_get_le16(p + 64);
	h->version = vtr_get_le16(p + 66);
	h->log.len = vtr_get_le32(p + 68);
	h->log.off = vtr_get_le64(p + 72);
	return 0;
}

/* The header that counts: the sound one with the greater sequence number. disk2vhd writes two that are the same. */
static int vhdx_choose_header(struct vhdx *v, struct vhdx_header *h, struct vtr_error *err)
{
	static const unsigned at[] = { VHDX_HEADER_1, VHDX_HEADER_2 };
	unsigned k;

	if (!h[0].good && !h[1].good)
		return vtr_fail(err, v->im.file->size < VHDX_HEADER_2 ? VTR_ETRUNCATED : VTR_ECORRUPT,
				"no header: neither %#x nor %#x has a sound one", at[0], at[1]);
	if (h[0].good && h[1].good) {
		if (h[0].sequence == h[1].sequence && memcmp(h[0].bytes, h[1].bytes, VHDX_HEADER) != 0)
			return vtr_fail(err, VTR_ECORRUPT,
					"both headers have the sequence number %" PRIu64 ", and are not the same",
					h[0].sequence);
		k = h[1].sequence > h[0].sequence;
	} else {
		k = h[1].good;
		vtr_image_warn(&v->im, VTR_ECORRUPT, "the header at %#x is damaged: the one at %#x is used", at[!k],
			       at[k]);
	}
	v->h = h[k];
	if (v->h.version != 1)
		return vtr_fail(err, VTR_EUNSUPPORTED, "header at %#x: version %u, read is 1", at[k], v->h.version);
	return 0;
}

static int vhdx_read_headers(struct vhdx *v, struct vtr_error *err)
{
	VTR_FREE struct vhdx_header *h = vtr_calloc(2, sizeof(*h), err);
	uint8_t signature[8];

	if (!h)
		return -1;
	if (v->im.file->size < sizeof(signature))
		return vtr_fail(err, VTR_ETRUNCATED, "no file identifier: the file has %" PRIu64 " bytes",
				v->im.file->size);
	if (vtr_blk_pread(v->im.file, 0, signature, sizeof(signature), err) < 0)
		return -1;
	if (memcmp(signature, "vhdxfile", 8) != 0)
		return vtr_fail(err, VTR_ECORRUPT, "no file identifier: it does not start with \"vhdxfile\"");
	if (vhdx_read_one_header(&h[0], v, VHDX_HEADER_1, err) < 0 ||
	    vhdx_read_one_header(&h[1], v, VHDX_HEADER_2, err) < 0)
		return -1;
	return vhdx_choose_header(v, h, err);
}

/* ----------------------------------------------------------------------------------------------------------- areas */

/* len bytes at off: multiples of 1 MiB behind the headers, within the file, beside all others. */
static int vhdx_add_area(struct vhdx *v, const char *what, uint64_t off, uint64_t len, struct vtr_error *err)
{
	size_t at = 0;

	if (off % VHDX_MB != 0 || len % VHDX_MB != 0 || off < VHDX_MB)
		return vtr_fail(err, VTR_ECORRUPT,
				"%s: %#" PRIx64 " bytes at %#" PRIx64 ", expected multiples of 1 MiB behind the first",
				what, len, off);
	if (!vtr_range_in(off, len, v->src->size))
		return vtr_fail(err, VTR_ETRUNCATED,
				"%s: %#" PRIx64 " bytes at %#" PRIx64 " end past the end of the file (%#" PRIx64 ")",
				what, len, off, v->src->size);
	if (len == 0)
		return 0;
	while (at < v->n_areas && v->areas[at].off < off)
		at++;
	if (at < v->n_areas && v->areas[at].off < off + len)
		return vtr_fail(err, VTR_ECORRUPT, "%s at %#" PRIx64 " overlaps the %s at %#" PRIx64, what, off,
				v->areas[at].what, v->areas[at].off);
	if (at > 0 && off - v->areas[at - 1].off < v->areas[at - 1].len)
		return vtr_fail(err, VTR_ECORRUPT, "%s at %#" PRIx64 " overlaps the %s at %#" PRIx64, what, off,
				v->areas[at - 1].what, v->areas[at - 1].off);
	if (!VTR_GROW(v->areas, v->n_areas, v->cap_areas, err))
		return -1;
	memmove(v->areas + at + 1, v->areas + at, (v->n_areas - at) * sizeof(*v->areas));
	v->areas[at] = (struct vhdx_area){ what, off, len };
	v->n_areas++;
	return 0;
}

/* What the bytes run into; NULL: nothing. */
static const char *vhdx_in_area(const struct vhdx *v, uint64_t off, uint64_t len)
{
	size_t lo = 0, hi = v->n_areas;

	if (off < VHDX_MB)
		return "header section";
	while (lo < hi) { /* the first that ends behind off */
		size_t mid = lo + (hi - lo) / 2;

		if (v->areas[mid].off + v->areas[mid].len <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < v->n_areas && v->areas[lo].off < off + len ? v->areas[lo].what : NULL;
}

/* ------------------------------------------------------------------------------------------------------------- log */

/* From here on the file is read as it is with its log replayed. */
static int vhdx_use_replayed(struct vhdx *v, struct vtr_open *o, struct vtr_error *err)
{
	struct vtr_pages *pages;

	if (vtr_vhdx_replay(&v->replayed, &v->replay, v->im.file, &v->h.log, err) < 0)
		return -1;
	pages = vtr_pages_new(v->replayed, VTR_PAGE_LOG2, o->ctx->lim.cache / (o->depth + 1) / 4, NULL, err);
	if (!pages)
		return -1;
	vtr_pages_free(v->im.pages);
	v->im.pages = pages;
	v->src = v->replayed;
	return 0;
}

static int vhdx_read_log(struct vhdx *v, struct vtr_open *o, struct vtr_error *err)
{
	const struct vhdx_log *log = &v->h.log;

	v->src = v->im.file;
	if (vhdx_is_zero(log->guid, 16)) {
		/* Nobody reads an empty log; that its place is none is told. */
		struct vtr_error odd = { 0 };

		if (log->len != 0 && vhdx_add_area(v, "log", log->off, log->len, &odd) < 0) {
			if (odd.code == VTR_ENOMEM)
				return vtr_fail(err, odd.code, "%s", odd.text);
			vtr_image_warn(&v->im, odd.code, "%s", odd.text);
		}
		return 0;
	}
	v->im.info.dirty = true;
	if (o->ctx->no_replay) {
		vtr_image_warn(&v->im, VTR_ECORRUPT, "its log is not replayed: what it says may be out of date");
		return 0;
	}
	if (v->h.log_version != 0)
		return vtr_fail(err, VTR_EUNSUPPORTED, "log version %u, read is 0", v->h.log_version);
	if (log->len == 0)
		return vtr_fail(err, VTR_ECORRUPT, "log: it is to be replayed, and has no bytes");
	if (vhdx_add_area(v, "log", log->off, log->len, err) < 0)
		return -1;
	return vhdx_use_replayed(v, o, err);
}

/* --------------------------------------------------------------------------------------------------------- regions */

static bool vhdx_table_good(const uint8_t *p)
{
	return memcmp(p, "regi", 4) == 0 && vhdx_sum_ok(p, VHDX_TABLE);
}

/* Region table entry: 0 16 Guid, 16 8 FileOffset, 24 4 Length, 28 4 Required (bit 0). */
static int vhdx_parse_region(struct vhdx *v, const uint8_t *p, struct vtr_error *err)
{
	uint64_t off = vtr_get_le64(p + 16);
	uint32_t len = vtr_get_le32(p + 24);
	bool required = vtr_get_le32(p + 28) & 1;
	char text[37];

	if (vhdx_guid_is(p, "2DC27766-F623-4200-9D64-115E9BFD4A08")) {
		if (v->bat_off != 0)
			return vtr_fail(err, VTR_ECORRUPT, "region table: it has two BATs");
		v->bat_off = off;
		v->bat_len = len;
		return vhdx_add_area(v, "BAT", off, len, err);
	}
	if (vhdx_guid_is(p, "8B7CA206-4790-4B9A-B8FE-575F050F886E")) {
		if (v->metadata_off != 0)
			return vtr_fail(err, VTR_ECORRUPT, "region table: it has two metadata regions");
		v->metadata_off = off;
		v->metadata_len = len;
		return vhdx_add_area(v, "metadata region", off, len, err);
	}
	vtr_guid_text(text, p);
	if (required)
		return vtr_fail(err, VTR_EUNSUPPORTED, "region %s is required and unknown", text);
	vhdx_list_add(&v->other_regions, p, len);
	if (vhdx_add_area(v, "unknown region", off, len, err) < 0)
		return vtr_at(err, "%s", text);
	return 0;
}

/* Region table: 0 4 Signature "regi", 4 4 Checksum, 8 4 EntryCount, 16 entries of 32 bytes. */
static int vhdx_read_regions(struct vhdx *v, struct vtr_error *err)
{
	VTR_FREE uint8_t *first = NULL, *second = NULL;
	const uint8_t *p;
	uint32_t n;

	if (!vtr_range_in(VHDX_REGIONS_2, VHDX_TABLE, v->src->size))
		return vtr_fail(err, VTR_ETRUNCATED, "region tables: the file has %" PRIu64 " bytes", v->src->size);
	if (vtr_blk_read_new(&first, v->src, VHDX_REGIONS_1, VHDX_TABLE, "region table", err) < 0 ||
	    vtr_blk_read_new(&second, v->src, VHDX_REGIONS_2, VHDX_TABLE, "region table", err) < 0)
		return -1;
	p = vhdx_table_good(first) ? first : vhdx_table_good(second) ? second : NULL;
	if (!p)
		return vtr_fail(err, VTR_ECORRUPT, "no region table: neither %#x nor %#x has a sound one",
				VHDX_REGIONS_1, VHDX_REGIONS_2);
	if (p == second)
		vtr_image_warn(&v->im, VTR_ECORRUPT, "the region table at %#x is damaged: its copy at %#x is used",
			       VHDX_REGIONS_1, VHDX_REGIONS_2);
	else if (!vhdx_table_good(second))
		vtr_image_warn(&v->im, VTR_ECORRUPT, "the copy of the region table at %#x is damaged", VHDX_REGIONS_2);
	n = vtr_get_le32(p + 8);
	if (n > VHDX_ENTRIES)
		return vtr_fail(err, VTR_ECORRUPT, "region table: %" PRIu32 " entries, at most %u", n, VHDX_ENTRIES);
	for (uint32_t i = 0; i < n; i++)
		if (vhdx_parse_region(v, p + 16 + 32 * i, err) < 0)
			return -1;
	if (v->bat_off == 0 || v->metadata_off == 0)
		return vtr_fail(err, VTR_ECORRUPT, "region table: it has no %s",
				v->bat_off == 0 ? "BAT" : "metadata region");
	return 0;
}

/* -------------------------------------------------------------------------------------------------------- metadata */

static const struct {
	const char *guid, *what;
	uint32_t len; /* at least */
} vhdx_known_items[VHDX_ITEMS] = {
	{ "CAA16737-FA36-4D43-B3B6-33F0AA44E76B", "file parameters", 8 },
	{ "2FA54224-CD1B-4876-B211-5DBED83BF4B8", "virtual disk size", 8 },
	{ "BECA12AB-B2E6-4523-93EF-C309E000C746", "virtual disk id", 16 },
	{ "8141BF1D-A96F-4709-BA47-F233A8FAAB5F", "logical sector size", 4 },
	{ "CDA348C7-445D-4471-9CC9-E9885251C556", "physical sector size", 4 },
	{ "A8D35F2D-B30B-454D-ABF7-D3D84834AB0C", "parent locator", 20 },
};

/* Metadata table entry: 0 16 ItemId, 16 4 Offset, 20 4 Length, 24 4 flags: IsUser, IsVirtualDisk, IsRequired. */
static int vhdx_parse_item(struct vhdx *v, const uint8_t *p, struct vtr_error *err)
{
	uint32_t off = vtr_get_le32(p + 16), len = vtr_get_le32(p + 20), flags = vtr_get_le32(p + 24);
	struct vhdx_item *item = NULL;
	char text[37];

	vtr_guid_text(text, p);
	for (size_t i = 0; i < VHDX_ITEMS && !(flags & VHDX_ITEM_USER); i++) {
		if (strcmp(text, vhdx_known_items[i].guid) != 0)
			continue;
		item = &v->items[i];
		if (item->there)
			return vtr_fail(err, VTR_ECORRUPT, "a second %s", vhdx_known_items[i].what);
		if (len < vhdx_known_items[i].len)
			return vtr_fail(err, VTR_ECORRUPT, "%s: %" PRIu32 " bytes, expected %" PRIu32,
					vhdx_known_items[i].what, len, vhdx_known_items[i].len);
	}
	if (!item) {
		if (flags & VHDX_ITEM_REQUIRED)
			return vtr_fail(err, VTR_EUNSUPPORTED, "item %s is required and unknown", text);
		vhdx_list_add(flags & VHDX_ITEM_USER ? &v->user_items : &v->other_items, p, len);
		return 0;
	}
	if (len > VHDX_MAX_ITEM || off < VHDX_TABLE || !vtr_range_in(off, len, v->metadata_len))
		return vtr_fail(err, VTR_ECORRUPT, "item %s: %" PRIu32 " bytes at %#" PRIx32 " leave the region", text,
				len, off);
	*item = (struct vhdx_item){ .off = v->metadata_off + off, .len = len, .there = true };
	return 0;
}

static int vhdx_read_item(struct vhdx *v, unsigned i, uint8_t *out, size_t len, struct vtr_error *err)
{
	if (!v->items[i].there)
		return vtr_fail(err, VTR_ECORRUPT, "metadata table: it has no %s", vhdx_known_items[i].what);
	return vtr_image_meta(&v->im, v->items[i].off, out, len, err);
}

static int vhdx_check_sector(const char *what, uint32_t size, struct vtr_error *err)
{
	if (size != 512 && size != 4096)
		return vtr_fail(err, VTR_ECORRUPT, "%s sector size %" PRIu32 ", expected 512 or 4096", what, size);
	return 0;
}

static int vhdx_read_parameters(struct vhdx *v, struct vtr_error *err)
{
	uint8_t p[16];
	uint64_t chunks, entries;

	if (vhdx_read_item(v, VHDX_PARAMETERS, p, 8, err) < 0)
		return -1;
	v->block = vtr_get_le32(p);
	v->flags = vtr_get_le32(p + 4);
	if (vhdx_read_item(v, VHDX_SIZE, p, 8, err) < 0)
		return -1;
	v->im.blk.size = vtr_get_le64(p);
	if (vhdx_read_item(v, VHDX_LOGICAL, p, 4, err) < 0)
		return -1;
	v->logical = vtr_get_le32(p);
	if (vhdx_read_item(v, VHDX_PHYSICAL, p, 4, err) < 0)
		return -1;
	v->physical = vtr_get_le32(p);
	if (vhdx_read_item(v, VHDX_ID, v->id, 16, err) < 0 || vhdx_check_sector("logical", v->logical, err) < 0 ||
	    vhdx_check_sector("physical", v->physical, err) < 0)
		return -1;
	if (!vtr_pow2_is(v->block) || v->block < VHDX_MB || v->block > 256 * VHDX_MB)
		return vtr_fail(err, VTR_ECORRUPT, "block size %" PRIu64 ", expected a power of 2 from 1 to 256 MiB",
				v->block);
	if (v->im.blk.size > VHDX_MAX_SIZE || v->im.blk.size % v->logical != 0)
		return vtr_fail(err, VTR_ECORRUPT,
				"virtual disk size %" PRIu64 ", expected sectors of %" PRIu32 ", and at most 64 TiB",
				v->im.blk.size, v->logical);
	v->ratio = (uint64_t)VHDX_CHUNK_SECTORS * v->logical / v->block;
	v->blocks = vtr_div_up(v->im.blk.size, v->block);
	chunks = vtr_div_up(v->blocks, v->ratio);
	entries = v->flags & VHDX_HAS_PARENT ? chunks * (v->ratio + 1)
		  : v->blocks > 0	     ? v->blocks + (v->blocks - 1) / v->ratio
					     : 0;
	if (entries > v->bat_len / 8)
		return vtr_fail(err, VTR_ECORRUPT,
				"BAT: %" PRIu32 " entries, a disk of %" PRIu64 " bytes needs %" PRIu64, v->bat_len / 8,
				v->im.blk.size, entries);
	return 0;
}

/* Metadata table: 0 8 Signature "metadata", 10 2 EntryCount, 32 entries of 32 bytes. */
static int vhdx_read_metadata(struct vhdx *v, struct vtr_error *err)
{
	uint8_t p[32];
	uint32_t n, users = 0;

	if (v->metadata_len < VHDX_TABLE)
		return vtr_fail(err, VTR_ECORRUPT, "metadata region: %" PRIu32 " bytes hold no table", v->metadata_len);
	if (vtr_image_meta(&v->im, v->metadata_off, p, sizeof(p), err) < 0)
		return -1;
	n = vtr_get_le16(p + 10);
	if (memcmp(p, "metadata", 8) != 0)
		return vtr_fail(err, VTR_ECORRUPT, "no metadata table at %#" PRIx64, v->metadata_off);
	if (n > VHDX_ENTRIES)
		return vtr_fail(err, VTR_ECORRUPT, "metadata table: %" PRIu32 " entries, at most %u", n, VHDX_ENTRIES);
	for (uint32_t i = 0; i < n; i++) {
		if (vtr_image_meta(&v->im, v->metadata_off + 32 + 32 * i, p, sizeof(p), err) < 0)
			return -1;
		users += vtr_get_le32(p + 24) & VHDX_ITEM_USER;
		if (users > VHDX_USER_ENTRIES)
			return vtr_fail(err, VTR_ECORRUPT, "metadata table: more than %u items of users",
					VHDX_USER_ENTRIES);
		if (vhdx_parse_item(v, p, err) < 0)
			return vtr_at(err, "metadata table: entry %" PRIu32, i);
	}
	return vhdx_read_parameters(v, err);
}

/* --------------------------------------------------------------------------------------------------------- locator */

static int vhdx_utf16(char **out, const uint8_t *p, size_t len, struct vtr_error *err)
{
	size_t cap = len / 2 * 3 + 1;
	VTR_FREE char *text = vtr_calloc(1, cap, err);

	if (!text)
		return -1;
	vtr_utf16_to_utf8(text, cap, p, len, VTR_UTF16_LE);
	*out = vtr_steal(text);
	return 0;
}

/* Locator entry: 0 4 KeyOffset, 4 4 ValueOffset, 8 2 KeyLength, 10 2 ValueLength. */
static int vhdx_parse_key(struct vhdx *v, const uint8_t *item, uint32_t len, const uint8_t *p, struct vtr_error *err)
{
	uint32_t key_at = vtr_get_le32(p), value_at = vtr_get_le32(p + 4);
	uint16_t key_len = vtr_get_le16(p + 8), value_len = vtr_get_le16(p + 10);
	VTR_FREE char *key = NULL;

	if (!vtr_range_in(key_at, key_len, len) || !vtr_range_in(value_at, value_len, len))
		return vtr_fail(err, VTR_ECORRUPT, "it leaves the item");
	if (vhdx_utf16(&key, item + key_at, key_len, err) < 0)
		return -1;
	for (size_t i = 0; i < VHDX_KEYS; i++) {
		if (strcmp(key, vhdx_key_names[i]) != 0)
			continue;
		if (v->keys[i])
			return vtr_fail(err, VTR_ECORRUPT, "a second %s", key);
		return vhdx_utf16(&v->keys[i], item + value_at, value_len, err);
	}
	return 0;
}

/* Parent locator: 0 16 LocatorType, 18 2 KeyValueCount, 20 entries of 12 bytes. */
static int vhdx_read_locator(struct vhdx *v, struct vtr_error *err)
{
	const struct vhdx_item *at = &v->items[VHDX_PARENT];
	VTR_FREE uint8_t *item = NULL;
	char type[37];
	uint16_t n;

	if (!at->there)
		return vtr_fail(err, VTR_ECORRUPT, "metadata table: it has no parent locator, and the disk a parent");
	if (vtr_blk_read_new(&item, v->src, at->off, at->len, "parent locator", err) < 0)
		return -1;
	vtr_guid_text(type, item);
	if (strcmp(type, "B04AEFB7-D19E-4A81-B789-25B8E9445913") != 0)
		return vtr_fail(err, VTR_EUNSUPPORTED, "parent locator: type %s is unknown", type);
	n = vtr_get_le16(item + 18);
	if (20 + 12u * n > at->len)
		return vtr_fail(err, VTR_ECORRUPT, "parent locator: %u entries in %" PRIu32 " bytes", n, at->len);
	for (unsigned i = 0; i < n; i++)
		if (vhdx_parse_key(v, item, at->len, item + 20 + 12 * i, err) < 0)
			return vtr_at(err, "parent locator: entry %u", i);
	return 0;
}

/* "{83ed0ec3-…}" as GUIDs are told elsewhere: capitals, no braces. NULL: it is none. */
static const char *vhdx_linkage(struct vhdx *v, const char *text, struct vtr_error *err)
{
	char guid[37];

	if (text[0] == '{')
		text++;
	if (strnlen(text, 38) < 36 || (text[36] != 0 && strcmp(text + 36, "}") != 0)) {
		vtr_error_set(err, VTR_ECORRUPT, "parent locator: \"%s\" is no GUID", text);
		return NULL;
	}
	for (size_t i = 0; i < 36; i++)
		guid[i] = vtr_ascii_upper(text[i]);
	return vtr_image_text(&v->im, guid, 36, err);
}

static int vhdx_parent_info(struct vhdx *v, struct vtr_error *err)
{
	static const char *const titles[VHDX_KEYS] = { "parent, relative", "parent, on volume", "parent, absolute",
						       "parent linkage", "parent linkage 2" };
	static const unsigned backing[] = { VHDX_ABSOLUTE, VHDX_VOLUME, VHDX_RELATIVE };
	struct vtr_image *im = &v->im;

	if (!v->keys[VHDX_LINKAGE])
		return vtr_fail(err, VTR_ECORRUPT, "parent locator: it has no parent_linkage");
	if (!(im->info.parent_id = vhdx_linkage(v, v->keys[VHDX_LINKAGE], err)))
		return -1;
	if (v->keys[VHDX_LINKAGE2] && !(im->other_parent_id = vhdx_linkage(v, v->keys[VHDX_LINKAGE2], err)))
		return -1;
	for (size_t i = 0; i < VHDX_KEYS; i++)
		if (v->keys[i] && i != VHDX_LINKAGE &&
		    vtr_image_prop_text(im, vhdx_key_names[i], titles[i],
					vtr_image_text(im, v->keys[i], strlen(v->keys[i]), err), err) < 0)
			return -1;
	im->info.backing_format = "vhdx";
	for (size_t i = 0; i < VTR_COUNT(backing) && !im->info.backing; i++)
		im->info.backing = v->keys[backing[i]];
	return 0;
}

/* relative_path first, then the last components of the others beside the image, then what is absolute on hosts as this. */
static int vhdx_open_parent(struct vhdx *v, struct vtr_open *o, struct vtr_error *err)
{
	const char *names[3 * 3];
	size_t n = 0;

	for (unsigned i = VHDX_RELATIVE; i <= VHDX_ABSOLUTE; i++) {
		int k = v->keys[i] ? vtr_image_windows_names(names + n, &v->im, v->keys[i], err) : 0;

		if (k < 0)
			return -1;
		n += (size_t)k;
	}
	for (unsigned i = VHDX_RELATIVE; i <= VHDX_ABSOLUTE; i++)
		if (v->keys[i] && v->keys[i][0] == '/')
			names[n++] = v->keys[i];
	if (vtr_image_open_parent(&v->im, o, names, n, "vhdx", err) < 0)
		return -1;
	if (v->im.parent && vtr_image_info(v->im.parent)->logical_sector != v->logical)
		return vtr_fail(err, VTR_ECORRUPT, "its sectors have %" PRIu32 " bytes, those of its parent %" PRIu32,
				v->logical, vtr_image_info(v->im.parent)->logical_sector);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------- map */

#define vhdx_bad_entry(err, code, i, fmt, ...)                                                                         \
	vtr_fail(err, code, "BAT: entry %" PRIu64 " " fmt, (uint64_t)(i), __VA_ARGS__)

static uint64_t vhdx_bat_index(const struct vhdx *v, uint64_t block)
{
	return block + block / v->ratio;
}

/* A place in the file that an entry names. */
static int vhdx_check_place(const struct vhdx *v, uint64_t i, uint64_t host, uint64_t len, struct vtr_error *err)
{
	const char *area;

	if (host >= v->src->size)
		return vhdx_bad_entry(err, VTR_ECORRUPT, i,
				      "points past the end of the file (%#" PRIx64 " > %#" PRIx64 ")", host,
				      v->src->size);
	area = vhdx_in_area(v, host, len);
	if (area)
		return vhdx_bad_entry(err, VTR_ECORRUPT, i, "points into the %s", area);
	return 0;
}

/* Which sectors of a partially present block are in this file: cuts the run to those that are alike. */
static int vhdx_cut_to_sectors(struct vtr_run *r, struct vhdx *v, uint64_t block, uint64_t in, struct vtr_error *err)
{
	uint64_t i = block / v->ratio * (v->ratio + 1) + v->ratio, e, alike, sector;
	uint8_t raw[8];
	bool set = false;

	if (!(v->flags & VHDX_HAS_PARENT))
		return vhdx_bad_entry(err, VTR_ECORRUPT, vhdx_bat_index(v, block), "is partially present in a disk %s",
				      "without a parent");
	if (vtr_image_meta(&v->im, v->bat_off + 8 * i, raw, 8, err) < 0)
		return vtr_at(err, "BAT");
	e = vtr_get_le64(raw);
	if ((e & 7) != VHDX_FULL)
		return vhdx_bad_entry(err, VTR_ECORRUPT, i,
				      "has the state %u, and a block of its chunk is partially present",
				      (unsigned)(e & 7));
	e = e >> 20 << 20;
	if (vhdx_check_place(v, i, e, VHDX_MB, err) < 0)
		return -1;
	sector = (block % v->ratio * v->block + in) / v->logical;
	if (vtr_table_bits(&alike, &set, &v->im, e, false, sector, vtr_div_up(in % v->logical + r->len, v->logical),
			   err) < 0)
		return vtr_at(err, "sector bitmap at %#" PRIx64, e);
	r->len = VTR_MIN(r->len, alike * v->logical - in % v->logical);
	if (!set)
		r->kind = VTR_RUN_ABSENT;
	return 0;
}

/* One entry: what the block is from byte `in` of it, for at most max bytes. */
static int vhdx_entry(struct vtr_run *r, struct vhdx *v, uint64_t e, uint64_t block, uint64_t in, uint64_t max,
		      struct vtr_error *err)
{
	uint64_t i = vhdx_bat_index(v, block), host = e >> 20 << 20;

	r->len = VTR_MIN(max, VTR_MIN(v->block, v->im.blk.size - block * v->block) - in);
	switch (e & 7) {
	case VHDX_NOT_PRESENT:
		r->kind = VTR_RUN_ABSENT;
		return 0;
	case VHDX_UNDEFINED: /* may be anything: zeros, as Hyper-V and qemu give */
	case VHDX_ZERO:
	case VHDX_UNMAPPED:
	case VHDX_UNMAPPED_DRAFT:
		r->kind = VTR_RUN_ZERO;
		return 0;
	case VHDX_FULL:
	case VHDX_PARTIAL:
		break;
	default:
		return vhdx_bad_entry(err, VTR_ECORRUPT, i, "has the state %u, which is reserved", (unsigned)(e & 7));
	}
	if (vhdx_check_place(v, i, host, v->block, err) < 0)
		return -1;
	r->kind = VTR_RUN_PLAIN;
	if ((e & 7) == VHDX_PARTIAL && vhdx_cut_to_sectors(r, v, block, in, err) < 0)
		return -1;
	if (r->kind == VTR_RUN_ABSENT)
		return 0;
	if (host + in >= v->src->size)
		return vhdx_bad_entry(err, VTR_ETRUNCATED, i, "has these bytes past the end of the file (%#" PRIx64 ")",
				      v->src->size);
	r->host = host + in;
	r->len = VTR_MIN(r->len, v->src->size - r->host);
	return 0;
}

static int vhdx_map(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err)
{
	struct vhdx *v = (struct vhdx *)im;
	uint64_t i = off / v->block, in = off % v->block, len;
	uint8_t raw[VHDX_BATCH * 8];
	struct vtr_run run = { 0 };
	size_t n;

	/* Blocks up to the sector bitmap entry of the chunk. */
	n = (size_t)VTR_MIN(VTR_MIN(v->blocks - i, v->ratio - i % v->ratio), (uint64_t)VHDX_BATCH);
	n = (size_t)VTR_MIN((uint64_t)n, vtr_div_up(in + VTR_MIN(max, v->block * VHDX_BATCH), v->block));
	if (vtr_image_meta(im, v->bat_off + 8 * vhdx_bat_index(v, i), raw, 8 * n, err) < 0)
		return vtr_at(err, "BAT");
	if (vhdx_entry(&run, v, vtr_get_le64(raw), i, in, max, err) < 0)
		return -1;
	/* What follows is joined while it is alike; it will be checked again, and named, when it is asked for itself. */
	for (size_t k = 1; k < n && run.len == k * v->block - in && run.len < max; k++) {
		struct vtr_run next = { 0 };

		if (vhdx_entry(&next, v, vtr_get_le64(raw + 8 * k), i + k, 0, max - run.len, NULL) < 0 ||
		    next.kind != run.kind || (run.kind == VTR_RUN_PLAIN && next.host != run.host + run.len))
			break;
		run.len += next.len;
	}
	if (run.kind == VTR_RUN_PLAIN && v->replayed) {
		len = run.len;
		if (vtr_overlay_replaced(v->replayed, run.host, &len)) {
			run.src = v->replayed;
			run.unplaced = true;
		}
		run.len = len;
	}
	*out = run;
	return 0;
}

/* ----------------------------------------------------------------------------------------------------------- facts */

static int vhdx_prop_list(struct vhdx *v, const char *key, const char *title, struct vhdx_list *l,
			  struct vtr_error *err)
{
	if (l->n == 0)
		return 0;
	if (l->n > VHDX_LISTED)
		vtr_str_putf(&l->text, ", and %u more", l->n - VHDX_LISTED);
	if (l->text.oom)
		return vtr_fail(err, VTR_ENOMEM, "out of memory: %s", title);
	return vtr_image_prop_text(&v->im, key, title, vtr_image_text(&v->im, l->text.p, l->text.len, err), err);
}

static int vhdx_make_info(struct vhdx *v, struct vtr_error *err)
{
	struct vtr_image *im = &v->im;
	char guid[37], text[256 * 3 + 1];
	uint8_t creator[512];

	im->info.subformat = v->flags & VHDX_HAS_PARENT	       ? "differencing"
			     : v->flags & VHDX_LEAVE_ALLOCATED ? "fixed"
							       : "dynamic";
	im->info.cluster_size = v->block;
	im->info.logical_sector = v->logical;
	im->info.physical_sector = v->physical;
	vtr_guid_text(guid, v->id);
	if (!(im->info.id = vtr_image_text(im, guid, 36, err)))
		return -1;
	vtr_guid_text(guid, v->h.data_write);
	if (!(im->info.content_id = vtr_image_text(im, guid, 36, err)))
		return -1;
	vtr_guid_text(guid, v->h.file_write);
	if (vtr_image_prop_text(im, "file_write_guid", "file write id", vtr_image_text(im, guid, 36, err), err) < 0)
		return -1;
	/* The file has them: it has headers. */
	if (vtr_blk_pread(im->file, 8, creator, sizeof(creator), err) < 0)
		return -1;
	vtr_utf16_to_utf8(text, sizeof(text), creator, sizeof(creator), VTR_UTF16_LE);
	if (text[0] && !(im->info.creator = vtr_image_text(im, text, strlen(text), err)))
		return -1;
	if (vtr_image_prop_bytes(im, "log_size", "log size", v->h.log.len, err) < 0)
		return -1;
	if (v->replayed && (vtr_image_prop_number(im, "log_entries", "entries replayed", v->replay.entries, err) < 0 ||
			    vtr_image_prop_number(im, "log_writes", "writes replayed", v->replay.writes, err) < 0))
		return -1;
	if (vhdx_prop_list(v, "user_metadata", "metadata of users", &v->user_items, err) < 0 ||
	    vhdx_prop_list(v, "other_metadata", "other metadata", &v->other_items, err) < 0 ||
	    vhdx_prop_list(v, "other_regions", "other regions", &v->other_regions, err) < 0)
		return -1;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------ open */

static void vhdx_close(struct vtr_image *im)
{
	struct vhdx *v = (struct vhdx *)im;

	for (size_t i = 0; i < VHDX_KEYS; i++)
		free(v->keys[i]);
	free(v->areas);
	vtr_str_done(&v->other_regions.text);
	vtr_str_done(&v->user_items.text);
	vtr_str_done(&v->other_items.text);
	vtr_blk_unref(v->replayed);
}

static const struct vtr_image_ops vhdx_ops = {
	.blk = VTR_IMAGE_BLK_OPS("VHDX"),
	.map = vhdx_map,
	.close = vhdx_close,
};

static int vhdx_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = NULL;
	struct vhdx *v;

	if (o->opt->snapshot)
		return vtr_fail(err, VTR_ENOTFOUND, "no snapshot \"%s\": a VHDX has none", o->opt->snapshot);
	im = vtr_image_new(&vhdx_ops, sizeof(struct vhdx), o, err);
	v = (struct vhdx *)im;
	if (!im || vhdx_read_headers(v, err) < 0 || vhdx_read_log(v, o, err) < 0 || vhdx_read_regions(v, err) < 0 ||
	    vhdx_read_metadata(v, err) < 0 || vhdx_make_info(v, err) < 0)
		return -1;
	if ((v->flags & VHDX_HAS_PARENT) &&
	    (vhdx_read_locator(v, err) < 0 || vhdx_parent_info(v, err) < 0 || vhdx_open_parent(v, o, err) < 0))
		return -1;
	return vtr_image_finish(out, &im, o, err);
}

/* The identifier, and the first header with its checksum. */
static int vhdx_probe(const struct vtr_probe *p)
{
	int bits = 64;

	if (p->head_len < 8 || memcmp(p->head, "vhdxfile", 8) != 0)
		return 0;
	if (p->head_len < VHDX_HEADER_1 + VHDX_HEADER)
		return bits;
	if (memcmp(p->head + VHDX_HEADER_1, "head", 4) == 0)
		bits += vhdx_sum_ok(p->head + VHDX_HEADER_1, VHDX_HEADER) ? 64 : 32;
	return bits;
}

extern const struct vtr_format vtr_format_vhdx;
const struct vtr_format vtr_format_vhdx = {
	.name = "vhdx",
	.title = "Hyper-V disk v2",
	.probe = vhdx_probe,
	.open = vhdx_open,
};
