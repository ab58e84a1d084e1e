/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Headers of sparse extents, all little endian:
 *
 * "KDMV", hosted sparse and stream-optimized extents, and "COWD", those of ESX before 6.5: VMware's "Virtual Disk
 * Format 5.0", chapters "Hosted Sparse Extents", "Stream-Optimized Compressed Sparse Extents", "ESX Server Sparse
 * Extents". seSparse, those of ESXi since 6.5, is not published; what is read is what is known of version 2.1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/vmdk/vmdk.h"

#define SPARSE_MAGIC 0x564d444bu /* "KDMV" */
#define COWD_MAGIC 0x44574f43u	 /* "COWD" */
#define SE_MAGIC 0xcafebabeull
#define SE_VOLATILE_MAGIC 0xcafecafeull
#define SE_VERSION 0x0000000200000001ull

#define SPARSE_NEWLINES (1u << 0)
#define SPARSE_REDUNDANT (1u << 1)
#define SPARSE_ZEROED (1u << 2)
#define SPARSE_PACKED (1u << 16)
#define SPARSE_MARKERS (1u << 17)
#define SPARSE_AT_END UINT64_MAX /* as the grain directory's place: the footer tells */

#define SPARSE_DEFLATE 1u
#define SPARSE_MAX_ENTRIES 65536u /* of one grain table; writers have 512 */
#define SPARSE_FOOTER_SEARCH (64u << 10)

#define COWD_HEADER 2048u
#define COWD_ENTRIES 4096u
#define COWD_ROOT (1u << 0)

#define SE_GRAIN 8u  /* sectors */
#define SE_TABLE 64u /* sectors */

enum { MARKER_END = 0, MARKER_TABLE = 1, MARKER_DIRECTORY = 2, MARKER_FOOTER = 3 };

void vtr_vmdk_warn(struct vmdk *v, const char *name, int code, const char *fmt, ...)
{
	char text[700];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (name)
		vtr_image_warn(&v->im, code, "extent \"%s\": %s", name, text);
	else
		vtr_image_warn(&v->im, code, "%s", text);
}

int vtr_vmdk_sparse_kind(const uint8_t *p, size_t len)
{
	if (len >= 4 && vtr_get_le32(p) == SPARSE_MAGIC)
		return VMDK_IS_HOSTED;
	if (len >= 4 && vtr_get_le32(p) == COWD_MAGIC)
		return VMDK_IS_COWD;
	if (len >= 8 && vtr_get_le64(p) == SE_MAGIC)
		return VMDK_IS_SESPARSE;
	return VMDK_IS_FLAT;
}

/* Sectors as bytes; false: more than 2^63. */
static bool sparse_bytes(uint64_t *out, uint64_t sectors)
{
	*out = sectors * VMDK_SECTOR;
	return sectors <= INT64_MAX / VMDK_SECTOR;
}

static void sparse_area(struct vmdk_sparse *s, const char *what, uint64_t off, uint64_t len)
{
	if (len > 0)
		s->areas[s->n_areas++] = (struct vmdk_area){ what, off, len };
}

/* The capacity and the size of a grain, which all headers have; they give the entries of the grain directory. */
static int sparse_sizes(struct vmdk_sparse *s, uint64_t capacity, uint64_t grain, struct vtr_error *err)
{
	if (!sparse_bytes(&s->capacity, capacity))
		return vtr_fail(err, VTR_ECORRUPT, "header: capacity of %" PRIu64 " sectors, more than 2^63 bytes",
				capacity);
	if (!vtr_pow2_is(grain) || grain > VMDK_MAX_GRAIN / VMDK_SECTOR)
		return vtr_fail(err, VTR_ECORRUPT, "header: grains of %" PRIu64 " sectors, expected 2^n, at most %u",
				grain, VMDK_MAX_GRAIN / VMDK_SECTOR);
	s->grain = grain * VMDK_SECTOR;
	s->gd_entries = vtr_div_up(vtr_div_up(s->capacity, s->grain), s->gt_entries);
	return 0;
}

/* Whether a grain directory of the entries that are needed can be at off. */
static bool sparse_has_directory(const struct vmdk_sparse *s, const struct vtr_blk *file, uint64_t off)
{
	/* gd_entries < 2^54, so that its bytes fit */
	return off >= VMDK_SECTOR && vtr_range_in(off, s->gd_entries * 4, file->size);
}

/* ---------------------------------------------------------------------------------------------------------- hosted */

/* The header's fields that are not in struct vmdk_sparse. */
struct sparse_header {
	uint64_t capacity, grain, descriptor, descriptor_len, gd, gd2, overhead; /* sectors */
	uint16_t algorithm;
};

/*
 *   0  4  magic "KDMV"		48  8  rgdOffset	redundant grain directory
 *   4  4  version, 1 to 3	56  8  gdOffset		all ones: the footer has it
 *   8  4  flags			64  8  overHead		where grains begin
 *  12  8  capacity		72  1  uncleanShutdown
 *  20  8  grainSize		73  4  "\n \r\n"	what a transfer as text changes
 *  28  8  descriptorOffset	77  2  compressAlgorithm
 *  36  8  descriptorSize	79     zeros, up to 512
 *  44  4  numGTEsPerGT
 */
static int sparse_parse_hosted(struct vmdk_sparse *s, struct sparse_header *h, struct vtr_cur *c, struct vtr_error *err)
{
	uint8_t newlines[4];

	if (vtr_cur_le32(c) != SPARSE_MAGIC)
		return vtr_fail(err, c->bad ? VTR_ETRUNCATED : VTR_ECORRUPT,
				"no header: it does not start with \"KDMV\"");
	s->version = vtr_cur_le32(c);
	s->flags = vtr_cur_le32(c);
	h->capacity = vtr_cur_le64(c);
	h->grain = vtr_cur_le64(c);
	h->descriptor = vtr_cur_le64(c);
	h->descriptor_len = vtr_cur_le64(c);
	s->gt_entries = vtr_cur_le32(c);
	h->gd2 = vtr_cur_le64(c);
	h->gd = vtr_cur_le64(c);
	h->overhead = vtr_cur_le64(c);
	s->dirty = vtr_cur_u8(c) != 0;
	vtr_cur_bytes(c, newlines, sizeof(newlines));
	h->algorithm = vtr_cur_le16(c);
	if (c->bad)
		return vtr_fail(err, VTR_ETRUNCATED, "header: the file has %zu bytes, expected %u", vtr_cur_len(c),
				VMDK_SECTOR);
	if (s->version < 1 || s->version > 3)
		return vtr_fail(err, VTR_EUNSUPPORTED, "header: version %" PRIu32 ", read are 1 to 3", s->version);
	if ((s->flags & SPARSE_NEWLINES) && memcmp(newlines, "\n \r\n", 4) != 0)
		return vtr_fail(
			err, VTR_ECORRUPT,
			"header: line ends %02x %02x %02x %02x, expected 0a 20 0d 0a: it was transferred as text",
			newlines[0], newlines[1], newlines[2], newlines[3]);
	if (h->algorithm > SPARSE_DEFLATE)
		return vtr_fail(err, VTR_EUNSUPPORTED, "header: compression %u is unknown", h->algorithm);
	if ((s->flags & SPARSE_PACKED) && h->algorithm == 0)
		return vtr_fail(err, VTR_ECORRUPT, "header: grains are compressed, by no algorithm");
	s->packed = h->algorithm == SPARSE_DEFLATE;
	s->markers = s->flags & SPARSE_MARKERS;
	s->zeroed = s->flags & SPARSE_ZEROED;
	return 0;
}

/*
 * The footer is a second header, in the last sector but one; the last is the end-of-stream marker. What was put behind
 * the stream (the padding of an archive) is passed over. false: there is none.
 */
static bool sparse_read_footer(struct vmdk_sparse *s, struct sparse_header *h, struct vtr_blk *file,
			       struct vtr_error *err)
{
	uint64_t at = file->size / VMDK_SECTOR * VMDK_SECTOR, lowest;
	uint8_t sector[VMDK_SECTOR];

	lowest = at > SPARSE_FOOTER_SEARCH ? at - SPARSE_FOOTER_SEARCH : 0;
	for (at = at >= VMDK_SECTOR ? at - VMDK_SECTOR : 0; at > lowest; at -= VMDK_SECTOR) {
		struct vmdk_sparse footer = { .kind = VMDK_IS_HOSTED, .lost = UINT64_MAX };
		struct vtr_cur c = vtr_cur_of(sector, sizeof(sector), at);
		struct sparse_header f = { 0 };

		if (vtr_blk_pread(file, at, sector, sizeof(sector), err) < 0)
			return false;
		if (sparse_parse_hosted(&footer, &f, &c, NULL) < 0 || f.gd == SPARSE_AT_END)
			continue;
		/* Where the descriptor is, only the header is sure to say. */
		f.descriptor = h->descriptor;
		f.descriptor_len = h->descriptor_len;
		f.capacity = f.capacity ? f.capacity : h->capacity;
		*h = f;
		*s = footer;
		return true;
	}
	return false;
}

/* A grain that was found by its marker. */
static int sparse_add_found(struct vmdk_sparse *s, struct vtr_ctx *ctx, uint64_t lba, uint64_t at,
			    struct vtr_error *err)
{
	size_t had = s->cap_found;
	uint64_t more;

	if (!VTR_GROW(s->found, s->n_found, s->cap_found, err))
		return -1;
	more = (s->cap_found - had) * sizeof(*s->found);
	if (more > 0 && vtr_charge(ctx, more, "grains of a stream without a grain directory", err) < 0)
		return -1;
	s->charged += more;
	s->found[s->n_found++] = (struct vmdk_found){
		.grain = (uint32_t)(lba * VMDK_SECTOR / s->grain),
		.sector = (uint32_t)(at / VMDK_SECTOR),
	};
	return 0;
}

/*
 * A stream whose grain directory is lost: the markers from its start on tell what there is. They must go forward, and
 * the disk with them, so that what was not found up to the last grain is known to be absent. A marker of a grain:
 * its LBA, 8 bytes, the bytes of compressed data, 4, and these; of anything else: the sectors that follow, 8, zero, 4,
 * and a type, 4, in a sector of its own.
 */
static int sparse_rebuild(struct vmdk_sparse *s, struct vmdk *v, struct vtr_blk *file, const char *name,
			  struct vtr_error *err)
{
	struct vtr_ctx *ctx = v->im.blk.ctx;
	uint64_t at = VTR_MAX(s->overhead, (uint64_t)VMDK_SECTOR), steps = 0, next_lba = 0;
	const char *why = "the file ends";

	s->rebuilt = true;
	s->lost = 0;
	if (vtr_div_up(s->capacity, s->grain) > UINT32_MAX)
		return vtr_fail(err, VTR_ECORRUPT, "header: %" PRIu64 " bytes in grains of %" PRIu64 " are too many",
				s->capacity, s->grain);
	while (vtr_range_in(at, 16, file->size) && at / VMDK_SECTOR <= UINT32_MAX) {
		uint8_t m[16];
		uint64_t lba, end;
		uint32_t size, type;

		if (vtr_tick(ctx, &steps, 1, err) < 0 || vtr_blk_pread(file, at, m, sizeof(m), err) < 0)
			return -1;
		lba = vtr_get_le64(m);
		size = vtr_get_le32(m + 8);
		type = vtr_get_le32(m + 12);
		if (size == 0) {
			if (type == MARKER_DIRECTORY && sparse_has_directory(s, file, at + VMDK_SECTOR)) {
				/* Only the footer is missing. */
				s->rebuilt = false;
				s->gd = at + VMDK_SECTOR;
				vtr_vmdk_warn(v, name, VTR_ETRUNCATED,
					      "no footer at its end: the grain directory at %#" PRIx64
					      ", which its marker names, is used",
					      s->gd);
				return 0;
			}
			if (type != MARKER_TABLE || lba > file->size / VMDK_SECTOR) {
				why = type == MARKER_END ? "the stream ends" : "no marker is known";
				break;
			}
			at += (1 + lba) * VMDK_SECTOR;
			continue;
		}
		if (lba < next_lba || lba > s->capacity / VMDK_SECTOR || lba * VMDK_SECTOR % s->grain != 0 ||
		    lba * VMDK_SECTOR >= s->capacity || size > 2 * s->grain + VMDK_SECTOR) {
			why = "no marker is known";
			break;
		}
		end = at + 12 + size;
		if (end > file->size) {
			s->lost = lba * VMDK_SECTOR;
			break;
		}
		if (sparse_add_found(s, ctx, lba, at, err) < 0)
			return -1;
		next_lba = lba + s->grain / VMDK_SECTOR;
		s->lost = VTR_MIN(next_lba * VMDK_SECTOR, s->capacity);
		at = (end + VMDK_SECTOR - 1) / VMDK_SECTOR * VMDK_SECTOR;
	}
	vtr_vmdk_warn(v, name, VTR_ETRUNCATED,
		      "the stream has no grain directory, and %s at %#" PRIx64 ": its markers give the first %" PRIu64
		      " bytes of the disk, what follows is lost",
		      why, VTR_MIN(at, file->size), s->lost);
	return 0;
}

/* Where the grain directory is. */
static int sparse_find_directory(struct vmdk_sparse *s, const struct sparse_header *h, struct vmdk *v,
				 struct vtr_blk *file, const char *name, struct vtr_error *err)
{
	bool good = h->gd != SPARSE_AT_END && sparse_bytes(&s->gd, h->gd) && sparse_has_directory(s, file, s->gd);

	if (!(s->flags & SPARSE_REDUNDANT) || h->gd2 == 0 || !sparse_bytes(&s->gd2, h->gd2) ||
	    !sparse_has_directory(s, file, s->gd2) || s->gd2 == s->gd)
		s->gd2 = 0;
	if (good)
		return 0;
	if (s->gd2) {
		vtr_vmdk_warn(v, name, VTR_ECORRUPT,
			      "its grain directory is lost: the redundant one at %#" PRIx64 " is used", s->gd2);
		s->gd = s->gd2;
		s->gd2 = 0;
		return 0;
	}
	if (s->packed && s->markers)
		return sparse_rebuild(s, v, file, name, err);
	if (h->gd == SPARSE_AT_END)
		return vtr_fail(err, VTR_ETRUNCATED,
				"the header leaves the grain directory to the footer, and there is none");
	if (h->gd == 0)
		return vtr_fail(err, VTR_ECORRUPT, "header: no grain directory");
	return vtr_fail(err, VTR_ETRUNCATED,
			"grain directory of %" PRIu64 " entries at sector %" PRIu64
			" ends past the end of the file (%#" PRIx64 ")",
			s->gd_entries, h->gd, file->size);
}

static int sparse_open_hosted(struct vmdk_sparse *s, struct vmdk *v, struct vtr_blk *file, const char *name,
			      struct vtr_error *err)
{
	uint8_t sector[VMDK_SECTOR] = { 0 };
	size_t n = (size_t)VTR_MIN((uint64_t)VMDK_SECTOR, file->size);
	struct vtr_cur c = vtr_cur_of(sector, n, 0);
	struct sparse_header h = { 0 };
	struct vtr_error bad = { 0 };

	if (vtr_blk_pread(file, 0, sector, n, err) < 0 || sparse_parse_hosted(s, &h, &c, err) < 0)
		return -1;
	if (h.gd == SPARSE_AT_END && !sparse_read_footer(s, &h, file, &bad) && bad.code) {
		if (err)
			*err = bad;
		return -1;
	}
	if (h.descriptor != 0 && h.descriptor_len != 0) {
		if (!sparse_bytes(&s->descriptor, h.descriptor) || s->descriptor >= file->size)
			return vtr_fail(err, VTR_ETRUNCATED,
					"header: descriptor at sector %" PRIu64 ", the file ends at %#" PRIx64,
					h.descriptor, file->size);
		if (h.descriptor_len > VMDK_MAX_DESCRIPTOR / VMDK_SECTOR)
			return vtr_fail(err, VTR_ECORRUPT, "header: descriptor of %" PRIu64 " sectors, at most %u",
					h.descriptor_len, VMDK_MAX_DESCRIPTOR / VMDK_SECTOR);
		s->descriptor_len = VTR_MIN(h.descriptor_len * VMDK_SECTOR, file->size - s->descriptor);
	}
	if (h.capacity == 0 && s->descriptor_len > 0) /* the descriptor alone, of a disk whose extents are elsewhere */
		return 0;
	if (s->gt_entries == 0 || s->gt_entries > SPARSE_MAX_ENTRIES)
		return vtr_fail(err, VTR_ECORRUPT, "header: %" PRIu32 " entries of a grain table, expected 1 to %u",
				s->gt_entries, SPARSE_MAX_ENTRIES);
	if (sparse_sizes(s, h.capacity, h.grain, err) < 0)
		return -1;
	if (s->packed && s->grain > VMDK_MAX_PACKED_GRAIN)
		return vtr_fail(err, VTR_ECORRUPT, "header: compressed grains of %" PRIu64 " bytes, at most %u",
				s->grain, VMDK_MAX_PACKED_GRAIN);
	if (!sparse_bytes(&s->overhead, h.overhead))
		return vtr_fail(err, VTR_ECORRUPT, "header: overhead of %" PRIu64 " sectors", h.overhead);
	if (sparse_find_directory(s, &h, v, file, name, err) < 0)
		return -1;
	sparse_area(s, "header", 0, VMDK_SECTOR);
	sparse_area(s, "descriptor", s->descriptor, s->descriptor_len);
	if (!s->rebuilt)
		sparse_area(s, "grain directory", s->gd, s->gd_entries * 4);
	if (s->gd2)
		sparse_area(s, "redundant grain directory", s->gd2, s->gd_entries * 4);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------ COWD */

/*
 *   0  4  magic "COWD"		  32  12 or 1028  of a root: its geometry; else: the parent's name, 1024, and
 *   4  4  version, 1			its generation, 4
 *   8  4  flags		1060   4  generation
 *  12  4  capacity		1064  60  name
 *  16  4  grain size		1124 512  description
 *  20  4  grain directory	1636   4  savedGeneration
 *  24  4  its entries		1648   4  uncleanShutdown
 *  28  4  next free sector	1652      zeros, up to 2048
 */
static int sparse_open_cowd(struct vmdk_sparse *s, struct vtr_blk *file, struct vtr_error *err)
{
	uint8_t bytes[COWD_HEADER] = { 0 };
	size_t n = (size_t)VTR_MIN((uint64_t)COWD_HEADER, file->size);
	struct vtr_cur c = vtr_cur_of(bytes, n, 0);
	uint32_t capacity, grain, gd, entries;

	if (vtr_blk_pread(file, 0, bytes, n, err) < 0)
		return -1;
	vtr_cur_skip(&c, 4);
	s->version = vtr_cur_le32(&c);
	s->flags = vtr_cur_le32(&c);
	capacity = vtr_cur_le32(&c);
	grain = vtr_cur_le32(&c);
	gd = vtr_cur_le32(&c);
	entries = vtr_cur_le32(&c);
	if (!(s->flags & COWD_ROOT)) {
		vtr_cur_seek(&c, 32);
		vtr_cur_bytes(&c, s->parent, sizeof(s->parent) - 1);
	}
	vtr_cur_seek(&c, 1648);
	s->dirty = vtr_cur_le32(&c) != 0;
	if (c.bad)
		return vtr_fail(err, VTR_ETRUNCATED, "header: the file has %zu bytes, expected %u", n, COWD_HEADER);
	if (s->version != 1)
		return vtr_fail(err, VTR_EUNSUPPORTED, "header: version %" PRIu32 " of COWD, read is 1", s->version);
	s->gt_entries = COWD_ENTRIES;
	if (sparse_sizes(s, capacity, grain, err) < 0)
		return -1;
	s->gd = (uint64_t)gd * VMDK_SECTOR;
	if (entries < s->gd_entries)
		return vtr_fail(err, VTR_ECORRUPT,
				"header: grain directory of %" PRIu32 " entries, %" PRIu32 " sectors need %" PRIu64,
				entries, capacity, s->gd_entries);
	if (!sparse_has_directory(s, file, s->gd))
		return vtr_fail(err, VTR_ETRUNCATED,
				"grain directory of %" PRIu64 " entries at sector %" PRIu32
				" ends past the end of the file (%#" PRIx64 ")",
				s->gd_entries, gd, file->size);
	sparse_area(s, "header", 0, COWD_HEADER);
	sparse_area(s, "grain directory", s->gd, s->gd_entries * 4);
	return 0;
}

/* -------------------------------------------------------------------------------------------------------- seSparse */

/*
 * The constant header, all of 8 bytes, offsets and sizes in sectors.
 *   0  magic			 80  volatile header	128  grain directory	176  backmap
 *   8  version			 96  journal header	144  grain tables	192  grains
 *  16  capacity		112  journal		160  free bitmap	208  zeros, up to 512
 *  24  grain size			each: offset, size
 *  32  grain table size
 *  40  flags			 48  reserved, 32 bytes
 * The volatile header: magic, number of the next free grain table, of the next transaction, whether the journal waits
 * to be replayed.
 */
static int sparse_open_sesparse(struct vmdk_sparse *s, struct vmdk *v, struct vtr_blk *file, const char *name,
				struct vtr_error *err)
{
	uint8_t bytes[VMDK_SECTOR] = { 0 };
	size_t n = (size_t)VTR_MIN((uint64_t)VMDK_SECTOR, file->size);
	struct vtr_cur c = vtr_cur_of(bytes, n, 0);
	uint64_t version, capacity, grain, table, flags, reserved = 0, at[9], len[9];
	enum { VOLATILE, JOURNAL_HEADER, JOURNAL, DIRECTORY, TABLES, BITMAP, BACKMAP, GRAINS };

	if (vtr_blk_pread(file, 0, bytes, n, err) < 0)
		return -1;
	vtr_cur_skip(&c, 8);
	version = vtr_cur_le64(&c);
	capacity = vtr_cur_le64(&c);
	grain = vtr_cur_le64(&c);
	table = vtr_cur_le64(&c);
	flags = vtr_cur_le64(&c);
	for (int i = 0; i < 4; i++)
		reserved |= vtr_cur_le64(&c);
	for (int i = 0; i <= GRAINS; i++) {
		at[i] = vtr_cur_le64(&c);
		len[i] = vtr_cur_le64(&c);
	}
	if (c.bad || n < VMDK_SECTOR)
		return vtr_fail(err, VTR_ETRUNCATED, "header: the file has %zu bytes, expected %u", n, VMDK_SECTOR);
	if (version != SE_VERSION)
		return vtr_fail(err, VTR_EUNSUPPORTED, "header: version %#" PRIx64 " of seSparse, read is %#" PRIx64,
				version, (uint64_t)SE_VERSION);
	if (grain != SE_GRAIN || table != SE_TABLE)
		return vtr_fail(err, VTR_EUNSUPPORTED,
				"header: grains of %" PRIu64 " and tables of %" PRIu64 " sectors, read are %u and %u",
				grain, table, SE_GRAIN, SE_TABLE);
	if (flags || reserved)
		return vtr_fail(err, VTR_EUNSUPPORTED,
				"header: flags %#" PRIx64 " and reserved fields %#" PRIx64 " are unknown, expected 0",
				flags, reserved);
	for (int i = 0; i <= GRAINS; i++) {
		static const char *const what[] = { "volatile header", "journal header", "journal", "grain directory",
						    "grain tables",    "free bitmap",	 "backmap", "grains" };

		if (!sparse_bytes(&at[i], at[i]) || !sparse_bytes(&len[i], len[i]))
			return vtr_fail(err, VTR_ECORRUPT, "header: the place of the %s is past 2^63", what[i]);
	}
	s->version = 2;
	s->gt_entries = SE_TABLE * VMDK_SECTOR / 8;
	if (sparse_sizes(s, capacity, grain, err) < 0)
		return -1;
	if (len[DIRECTORY] / 8 < s->gd_entries)
		return vtr_fail(err, VTR_ECORRUPT,
				"header: grain directory of %" PRIu64 " entries, a capacity of %" PRIu64
				" sectors needs %" PRIu64,
				len[DIRECTORY] / 8, capacity, s->gd_entries);
	if (at[DIRECTORY] < VMDK_SECTOR || !vtr_range_in(at[DIRECTORY], s->gd_entries * 8, file->size))
		return vtr_fail(err, VTR_ETRUNCATED,
				"grain directory of %" PRIu64 " entries at %#" PRIx64
				" ends past the end of the file (%#" PRIx64 ")",
				s->gd_entries, at[DIRECTORY], file->size);
	if (!vtr_range_in(at[VOLATILE], VMDK_SECTOR, file->size))
		return vtr_fail(err, VTR_ETRUNCATED, "volatile header at %#" PRIx64 ", the file ends at %#" PRIx64,
				at[VOLATILE], file->size);
	s->gd = at[DIRECTORY];
	s->tables = at[TABLES];
	s->tables_len = len[TABLES];
	s->grains = at[GRAINS];
	if (vtr_blk_pread(file, at[VOLATILE], bytes, 32, err) < 0)
		return -1;
	if (vtr_get_le64(bytes) != SE_VOLATILE_MAGIC)
		return vtr_fail(err, VTR_ECORRUPT,
				"volatile header at %#" PRIx64 ": magic %#" PRIx64 ", expected %#" PRIx64, at[VOLATILE],
				vtr_get_le64(bytes), (uint64_t)SE_VOLATILE_MAGIC);
	s->dirty = vtr_get_le64(bytes + 24) != 0;
	if (s->dirty && v->im.blk.ctx->no_replay)
		vtr_vmdk_warn(v, name, VTR_ECORRUPT, "its journal waits to be replayed: it is read as it lies");
	sparse_area(s, "header", 0, VMDK_SECTOR);
	sparse_area(s, "volatile header", at[VOLATILE], VMDK_SECTOR);
	sparse_area(s, "grain directory", s->gd, s->gd_entries * 8);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------ open */

int vtr_vmdk_sparse_open(struct vmdk_sparse *out, struct vmdk *v, struct vtr_blk *file, const char *name,
			 struct vtr_error *err)
{
	struct vmdk_sparse s = { .lost = UINT64_MAX };
	uint8_t magic[8] = { 0 };
	size_t n = (size_t)VTR_MIN((uint64_t)sizeof(magic), file->size);
	int r = -1;

	if (vtr_blk_pread(file, 0, magic, n, err) < 0)
		return -1;
	s.kind = vtr_vmdk_sparse_kind(magic, n);
	switch (s.kind) {
	case VMDK_IS_HOSTED:
		r = sparse_open_hosted(&s, v, file, name, err);
		break;
	case VMDK_IS_COWD:
		r = sparse_open_cowd(&s, file, err);
		break;
	case VMDK_IS_SESPARSE:
		r = sparse_open_sesparse(&s, v, file, name, err);
		break;
	default:
		vtr_error_set(err, n < 4 ? VTR_ETRUNCATED : VTR_ECORRUPT,
			      "no header of a sparse extent: it starts with %02x %02x %02x %02x", magic[0], magic[1],
			      magic[2], magic[3]);
	}
	if (r < 0) {
		vtr_vmdk_sparse_done(&s, v->im.blk.ctx);
		return -1;
	}
	*out = s;
	return 0;
}

void vtr_vmdk_sparse_done(struct vmdk_sparse *s, struct vtr_ctx *ctx)
{
	free(s->found);
	s->found = NULL;
	vtr_uncharge(ctx, s->charged);
	s->charged = 0;
}
