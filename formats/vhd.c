/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VHD: Microsoft's Virtual Hard Disk Image Format Specification, version 1.0 (2006), big endian. Names of fields are that
 * document's.
 *
 * A footer at the end of the file says what it is. Of a dynamic or differencing disk a copy of it is the first sector:
 * it stands in where there is no sound footer at the end, and never outranks one, since the first sector of a fixed disk
 * is the guest's. Tables are read through the cache of pages, never held.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/fold.h"
#include "base/utf16.h"
#include "formats/table.h"

#define VHD_FOOTER 512u
#define VHD_OLD_FOOTER 511u /* by Virtual PC before 2004 */
#define VHD_HEADER 1024u
#define VHD_SECTOR 512u
#define VHD_NONE 0xffffffffu	    /* a BAT entry: no block */
#define VHD_EPOCH 946684800	    /* 2000-01-01 UTC, seconds since 1970 */
#define VHD_MAX_LOCATOR (64u << 10) /* ours, bytes: paths of Windows have at most 32767 characters */
#define VHD_BATCH 256u		    /* BAT entries looked at in one go */
#define VHD_CHS_MAX (65535ull * 16 * 255)
#define VHD_LOCATORS 8u

enum { VHD_FIXED = 2, VHD_DYNAMIC = 3, VHD_DIFFERENCING = 4 };

struct vhd_footer {
	uint64_t at; /* where it lies in the file */
	size_t len;  /* 512 or 511 */
	uint8_t bytes[VHD_FOOTER];
	bool there, good; /* the cookie is there; and the checksum fits */
	uint32_t features, version, created, creator_version, type;
	uint64_t data_off, original, size;
	uint32_t cylinders, heads, sectors;
	bool saved_state;
};

struct vhd_locator {
	char code[5];
	char *text; /* UTF-8 as far as the image has it; NULL: not understood */
};

struct vhd {
	struct vtr_image im;
	struct vhd_footer f;
	uint64_t data_end; /* what follows in the file is no block's */

	/* Dynamic and differencing disks: */
	uint64_t bat_off;
	uint32_t bat_entries, blocks;
	uint64_t block;	 /* bytes */
	uint64_t bitmap; /* bytes before each block */
	uint8_t parent_id[16];
	uint32_t parent_time;
	char *parent_name;
	struct vhd_locator locators[VHD_LOCATORS];
	size_t n_locators;
};

/* ---------------------------------------------------------------------------------------------------------- footer */

/* One's complement of the sum of all bytes but those of the checksum itself. */
static uint32_t vhd_sum(const uint8_t *p, size_t len, size_t sum_at)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i >= sum_at && i < sum_at + 4 ? 0 : p[i];
	return ~sum;
}

/*
 * Hard disk footer.
 *   0  8  Cookie "conectix"	 40  8  Original Size
 *   8  4  Features		 48  8  Current Size
 *  12  4  File Format Version	 56  2  cylinders, 1 heads, 1 sectors per track
 *  16  8  Data Offset		 60  4  Disk Type
 *  24  4  Time Stamp		 64  4  Checksum
 *  28  4  Creator Application	 68 16  Unique Id
 *  32  4  Creator Version	 84  1  Saved State
 *  36  4  Creator Host OS
 */
static void vhd_parse_footer(struct vhd_footer *out, const uint8_t *p, size_t len, uint64_t at)
{
	struct vtr_cur c = vtr_cur_of(p, len, at);
	struct vhd_footer f = { .at = at, .len = len };

	f.there = len >= VHD_OLD_FOOTER && memcmp(p, "conectix", 8) == 0;
	if (f.there) {
		memcpy(f.bytes, p, len);
		f.good = vtr_sum_ok(vtr_get_be32(p + 64), vhd_sum(p, len, 64));
	}
	vtr_cur_skip(&c, 8);
	f.features = vtr_cur_be32(&c);
	f.version = vtr_cur_be32(&c);
	f.data_off = vtr_cur_be64(&c);
	f.created = vtr_cur_be32(&c);
	vtr_cur_skip(&c, 4);
	f.creator_version = vtr_cur_be32(&c);
	vtr_cur_skip(&c, 4);
	f.original = vtr_cur_be64(&c);
	f.size = vtr_cur_be64(&c);
	f.cylinders = vtr_cur_be16(&c);
	f.heads = vtr_cur_u8(&c);
	f.sectors = vtr_cur_u8(&c);
	f.type = vtr_cur_be32(&c);
	vtr_cur_skip(&c, 20);
	f.saved_state = vtr_cur_u8(&c) != 0;
	*out = f;
}

/* A footer at the end, of either length, in the last bytes of a file of size bytes; there is false when there is none. */
static void vhd_find_tail(struct vhd_footer *out, const uint8_t *tail, size_t len, uint64_t size)
{
	struct vhd_footer f = { 0 }, old = { 0 };

	if (len >= VHD_FOOTER)
		vhd_parse_footer(&f, tail + (len - VHD_FOOTER), VHD_FOOTER, size - VHD_FOOTER);
	if (len >= VHD_OLD_FOOTER && !f.good)
		vhd_parse_footer(&old, tail + (len - VHD_OLD_FOOTER), VHD_OLD_FOOTER, size - VHD_OLD_FOOTER);
	*out = old.good || !f.there ? old : f;
}

static uint64_t vhd_chs_sectors(const struct vhd_footer *f)
{
	return (uint64_t)f->cylinders * f->heads * f->sectors;
}

/*
 * The size of the disk. Virtual PC shows its guests what the geometry comes to, a little less than the current size, and
 * qemu did as Virtual PC does when it signed as "qemu". All others (Hyper-V "win ", disk2vhd "d2v", XenServer "tap",
 * Azure "wa", VirtualBox "vbox", Virtual Server "vs  ", later qemu "qem2") show the current size, and so does everyone
 * when the geometry is at its maximum. Of creators that it has not heard of, qemu trusts the geometry; we do not.
 */
static bool vhd_size_by_geometry(const struct vhd_footer *f)
{
	uint64_t sectors = vhd_chs_sectors(f);

	if (memcmp(f->bytes + 28, "vpc ", 4) != 0 && memcmp(f->bytes + 28, "qemu", 4) != 0)
		return false;
	return sectors != 0 && sectors < VHD_CHS_MAX && sectors < f->size / VHD_SECTOR;
}

/* The parts of the file that say that it is a VHD, and which one it is. */
static int vhd_read_footer(struct vhd *v, struct vtr_error *err)
{
	uint64_t size = v->im.file->size;
	size_t n = (size_t)VTR_MIN((uint64_t)VHD_FOOTER, size);
	struct vhd_footer tail, head;
	uint8_t bytes[VHD_FOOTER];

	if (n < VHD_OLD_FOOTER)
		return vtr_fail(err, VTR_ETRUNCATED, "no footer: the file has %" PRIu64 " bytes", size);
	if (vtr_blk_pread(v->im.file, size - n, bytes, n, err) < 0)
		return -1;
	vhd_find_tail(&tail, bytes, n, size);
	v->data_end = tail.there ? tail.at : size;
	if (tail.good && tail.type == VHD_FIXED) {
		v->f = tail;
		return 0;
	}
	if (vtr_blk_pread(v->im.file, 0, bytes, n, err) < 0)
		return -1;
	vhd_parse_footer(&head, bytes, n, 0);
	/* What a file that is a fixed disk has at its start is no copy of a footer. */
	if (head.type == VHD_FIXED && head.at != tail.at)
		head.there = head.good = false;
	if (tail.good) {
		v->f = tail;
		if (!head.good)
			vtr_image_warn(&v->im, VTR_ECORRUPT, "the copy of the footer at the start %s",
				       head.there ? "has a wrong checksum" : "is not there");
		else if (memcmp(head.bytes, tail.bytes, VHD_OLD_FOOTER) != 0)
			vtr_image_warn(&v->im, VTR_OK, "the copy of the footer at the start is another: not used");
		return 0;
	}
	if (head.good) {
		v->f = head;
		vtr_image_warn(&v->im, tail.there ? VTR_ECORRUPT : VTR_ETRUNCATED,
			       "%s at the end: its copy at the start is used",
			       tail.there ? "the footer has a wrong checksum" : "there is no footer");
		return 0;
	}
	/* Who edits both and forgets the checksum has not damaged anything. */
	if (tail.there && head.there && tail.at != 0 && memcmp(head.bytes, tail.bytes, VHD_OLD_FOOTER) == 0) {
		v->f = tail;
		vtr_image_warn(&v->im, VTR_ECORRUPT,
			       "the footer and its copy at the start are the same, and have a wrong checksum: %#" PRIx32
			       ", expected %#" PRIx32,
			       vtr_get_be32(tail.bytes + 64), vhd_sum(tail.bytes, tail.len, 64));
		return 0;
	}
	if (!tail.there && !head.there)
		return vtr_fail(err, VTR_ECORRUPT, "no footer: neither the end nor the start has \"conectix\"");
	if (tail.there)
		head = tail;
	return vtr_fail(err, VTR_ECORRUPT, "footer at %#" PRIx64 ": checksum %#" PRIx32 ", expected %#" PRIx32, head.at,
			vtr_get_be32(head.bytes + 64), vhd_sum(head.bytes, head.len, 64));
}

static int vhd_check_footer(struct vhd *v, struct vtr_error *err)
{
	const struct vhd_footer *f = &v->f;

	if (f->version >> 16 != 1)
		return vtr_fail(err, VTR_EUNSUPPORTED, "footer: file format version %" PRIu32 ".%" PRIu32 ", read is 1",
				f->version >> 16, f->version & 0xffff);
	if (f->type < VHD_FIXED || f->type > VHD_DIFFERENCING)
		return vtr_fail(err, VTR_EUNSUPPORTED,
				"footer: disk type %" PRIu32 ", read are 2 (fixed), 3 (dynamic) and 4 (differencing)",
				f->type);
	if (f->size > INT64_MAX)
		return vtr_fail(err, VTR_ECORRUPT, "footer: current size %" PRIu64 " is more than 2^63", f->size);
	v->im.blk.size = vhd_size_by_geometry(f) ? vhd_chs_sectors(f) * VHD_SECTOR : f->size;
	if (f->type == VHD_FIXED && v->im.blk.size > f->at)
		vtr_image_warn(&v->im, VTR_ETRUNCATED,
			       "the disk has %" PRIu64 " bytes, and %" PRIu64 " come before the footer", v->im.blk.size,
			       f->at);
	return 0;
}

/* ---------------------------------------------------------------------------------------------------------- header */

static bool vhd_overlaps(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* UTF-16, big endian, of at most 512 bytes, up to a NUL; the caller frees it. */
static char *vhd_utf16be(const uint8_t *p, size_t len, struct vtr_error *err)
{
	char text[512 / 2 * 3 + 1];

	vtr_utf16_to_utf8(text, sizeof(text), p, VTR_MIN(len, (size_t)512), VTR_UTF16_BE);
	return vtr_strndup(text, strlen(text), err);
}

/* The path of a file URL (RFC 8089), in place: what an empty host or localhost has is absolute, XenServer's "." is not. */
static void vhd_url_path(char *s)
{
	const char *p = s;
	size_t n = 0;

	if (strncmp(p, "file:", 5) == 0)
		p += 5;
	if (strncmp(p, "//localhost/", 12) == 0)
		p += 11;
	else if (strncmp(p, "//", 2) == 0)
		p += 2;
	while (*p) {
		int a = p[0] == '%' ? vtr_hex_digit((uint8_t)p[1]) : -1, b = a >= 0 ? vtr_hex_digit((uint8_t)p[2]) : -1;

		if (b >= 0 && (a | b) != 0) {
			s[n++] = (char)(a << 4 | b);
			p += 3;
		} else {
			s[n++] = *p++;
		}
	}
	s[n] = 0;
}

/*
 * The data of a parent locator as a path, the caller's; NULL without an error: not understood.
 *	W2ru, W2ku	UTF-16LE, relative and absolute, of Windows
 *	Wi2r, Wi2k	the same in the code page of the writer (deprecated)
 *	MacX		a file URL in UTF-8
 *	Mac		an alias record: the name alone, a Pascal string of at most 63 bytes at 50
 */
static int vhd_locator_text(char **out, const char *code, const uint8_t *p, size_t len, struct vtr_error *err)
{
	VTR_FREE char *text = NULL;

	if (memcmp(code, "W2", 2) == 0) {
		size_t cap = len / 2 * 3 + 1;

		if (!(text = vtr_calloc(1, cap, err)))
			return -1;
		vtr_utf16_to_utf8(text, cap, p, len, VTR_UTF16_LE);
	} else if (memcmp(code, "Mac ", 4) == 0) {
		if (len < 51 || p[50] == 0 || p[50] > 63 || len < 51u + p[50])
			return 0;
		if (!(text = vtr_strndup((const char *)p + 51, p[50], err)))
			return -1;
	} else {
		if (!(text = vtr_strndup((const char *)p, strnlen((const char *)p, len), err)))
			return -1;
		if (memcmp(code, "MacX", 4) == 0)
			vhd_url_path(text);
	}
	if (text[0] != 0)
		*out = vtr_steal(text);
	return 0;
}

static bool vhd_locator_known(const char *code)
{
	static const char known[][5] = { "W2ru", "W2ku", "Wi2r", "Wi2k", "MacX", "Mac " };

	for (size_t i = 0; i < VTR_COUNT(known); i++)
		if (strcmp(code, known[i]) == 0)
			return true;
	return false;
}

/*
 * Parent locator entry: 0 4 Platform Code, 4 4 Platform Data Space, 8 4 Platform Data Length, 16 8 Platform Data Offset.
 * The space is told in sectors by some writers and in bytes by others; nothing depends on it. A locator that leads
 * nowhere is warned of: others may do.
 */
static int vhd_read_locator(struct vhd *v, const uint8_t *entry, unsigned i, struct vtr_error *err)
{
	struct vhd_locator *l = &v->locators[v->n_locators];
	uint32_t len = vtr_get_be32(entry + 8);
	uint64_t off = vtr_get_be64(entry + 16);
	VTR_FREE uint8_t *data = NULL;

	memcpy(l->code, entry, 4);
	if (vtr_get_be32(entry) == 0)
		return 0;
	v->n_locators++;
	if (!vhd_locator_known(l->code)) {
		vtr_image_warn(&v->im, VTR_OK, "parent locator %u has the unknown platform code %#" PRIx32, i,
			       vtr_get_be32(entry));
		return 0;
	}
	if (len > VHD_MAX_LOCATOR || !vtr_range_in(off, len, v->im.file->size)) {
		vtr_image_warn(&v->im, VTR_ECORRUPT,
			       "parent locator %u (%s): %" PRIu32 " bytes at %#" PRIx64 " are no path", i, l->code, len,
			       off);
		return 0;
	}
	if (len == 0)
		return 0;
	if (vtr_blk_read_new(&data, v->im.file, off, len, "parent locator", err) < 0)
		return -1;
	return vhd_locator_text(&l->text, l->code, data, len, err);
}

/*
 * Dynamic disk header.
 *   0  8  Cookie "cxsparse"	 40 16  Parent Unique ID
 *   8  8  Data Offset		 56  4  Parent Time Stamp
 *  16  8  Table Offset		 64 512 Parent Unicode Name, UTF-16BE
 *  24  4  Header Version	576 192 Parent Locator Entries, eight of 24 bytes
 *  28  4  Max Table Entries
 *  32  4  Block Size
 *  36  4  Checksum
 */
static int vhd_read_header(struct vhd *v, struct vtr_error *err)
{
	uint8_t p[VHD_HEADER];
	uint32_t version;

	if (!vtr_range_in(v->f.data_off, VHD_HEADER, v->im.file->size))
		return vtr_fail(err, VTR_ETRUNCATED,
				"footer: dynamic disk header at %#" PRIx64 ", the file ends at %#" PRIx64,
				v->f.data_off, v->im.file->size);
	if (vtr_blk_pread(v->im.file, v->f.data_off, p, sizeof(p), err) < 0)
		return -1;
	if (memcmp(p, "cxsparse", 8) != 0)
		return vtr_fail(err, VTR_ECORRUPT, "no dynamic disk header: it does not start with \"cxsparse\"");
	/* It has no copy; all that it says is checked below, and libvhdi and qemu go on as well. */
	if (!vtr_sum_ok(vtr_get_be32(p + 36), vhd_sum(p, sizeof(p), 36)))
		vtr_image_warn(&v->im, VTR_ECORRUPT,
			       "the dynamic disk header has a wrong checksum: %#" PRIx32 ", expected %#" PRIx32,
			       vtr_get_be32(p + 36), vhd_sum(p, sizeof(p), 36));
	version = vtr_get_be32(p + 24);
	v->bat_off = vtr_get_be64(p + 16);
	v->bat_entries = vtr_get_be32(p + 28);
	v->block = vtr_get_be32(p + 32);
	memcpy(v->parent_id, p + 40, 16);
	v->parent_time = vtr_get_be32(p + 56);
	if (version >> 16 != 1)
		return vtr_fail(err, VTR_EUNSUPPORTED,
				"dynamic disk header: version %" PRIu32 ".%" PRIu32 ", read is 1", version >> 16,
				version & 0xffff);
	if (!vtr_pow2_is(v->block) || v->block < VHD_SECTOR)
		return vtr_fail(err, VTR_ECORRUPT, "dynamic disk header: block size %" PRIu64 ", expected 512 * 2^n",
				v->block);
	if (vtr_div_up(v->im.blk.size, v->block) > v->bat_entries)
		return vtr_fail(err, VTR_ECORRUPT,
				"dynamic disk header: %" PRIu32 " blocks of %" PRIu64
				" bytes do not hold a disk of %" PRIu64,
				v->bat_entries, v->block, v->im.blk.size);
	v->blocks = (uint32_t)vtr_div_up(v->im.blk.size, v->block);
	v->bitmap = vtr_div_up(v->block / VHD_SECTOR / 8, VHD_SECTOR);
	v->bitmap = VTR_MAX(v->bitmap, (uint64_t)1) * VHD_SECTOR;
	if (!vtr_range_in(v->bat_off, 4ull * v->bat_entries, v->im.file->size))
		return vtr_fail(err, VTR_ETRUNCATED,
				"BAT: %" PRIu32 " entries at %#" PRIx64 " end past the end of the file (%#" PRIx64 ")",
				v->bat_entries, v->bat_off, v->im.file->size);
	if (v->bat_off < VHD_FOOTER || vhd_overlaps(v->bat_off, 4ull * v->bat_entries, v->f.data_off, VHD_HEADER))
		return vtr_fail(err, VTR_ECORRUPT, "BAT at %#" PRIx64 " overlaps the header", v->bat_off);
	if (v->f.type != VHD_DIFFERENCING)
		return 0;
	if (!(v->parent_name = vhd_utf16be(p + 64, 512, err)))
		return -1;
	for (unsigned i = 0; i < VHD_LOCATORS; i++)
		if (vhd_read_locator(v, p + 576 + 24 * i, i, err) < 0)
			return -1;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------- map */

#define vhd_bad_entry(err, code, i, fmt, ...)                                                                          \
	vtr_fail(err, code, "BAT: entry %" PRIu64 " " fmt, (uint64_t)(i), __VA_ARGS__)

/* A block that the file has: which sectors of it are used, from byte `in` on. */
static int vhd_map_block(struct vtr_run *r, struct vhd *v, uint64_t i, uint32_t sector, uint64_t in, uint64_t max,
			 struct vtr_error *err)
{
	uint64_t host = (uint64_t)sector * VHD_SECTOR, end = host + v->bitmap, alike;
	bool set = false;

	if (host < VHD_FOOTER || vhd_overlaps(host, v->bitmap + v->block, v->f.data_off, VHD_HEADER))
		return vhd_bad_entry(err, VTR_ECORRUPT, i, "points into the %s", "header");
	if (vhd_overlaps(host, v->bitmap + v->block, v->bat_off, 4ull * v->bat_entries))
		return vhd_bad_entry(err, VTR_ECORRUPT, i, "points into the %s", "BAT");
	if (end > v->data_end)
		return vhd_bad_entry(err, VTR_ECORRUPT, i,
				     "points past the end of the file (%#" PRIx64 " > %#" PRIx64 ")", end, v->data_end);
	max = VTR_MIN(max, v->block - in);
	if (vtr_table_bits(&alike, &set, &v->im, host, true, in / VHD_SECTOR,
			   vtr_div_up(in % VHD_SECTOR + max, VHD_SECTOR), err) < 0)
		return vtr_at(err, "bitmap at %#" PRIx64, host);
	r->len = VTR_MIN(alike * VHD_SECTOR - in % VHD_SECTOR, max);
	if (!set)
		return 0;
	if (end + in >= v->data_end)
		return vhd_bad_entry(err, VTR_ETRUNCATED, i, "has its sectors past the end of the file (%#" PRIx64 ")",
				     v->data_end);
	r->kind = VTR_RUN_PLAIN;
	r->host = end + in;
	r->len = VTR_MIN(r->len, v->data_end - r->host);
	return 0;
}

/*
 * Sectors whose bit in their block's bitmap is clear were never written: they are the parent's, and zeros without one,
 * whatever lies in their place. XenServer relies on it, whose blocks lie on volumes that are not wiped. qemu, Hyper-V and
 * disk2vhd set all bits of a block that a dynamic disk has.
 */
static int vhd_map(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err)
{
	struct vhd *v = (struct vhd *)im;
	struct vtr_run r = { .kind = VTR_RUN_ABSENT };
	uint64_t i, in;
	uint8_t raw[VHD_BATCH * 4];
	size_t n, k = 1;

	if (v->f.type == VHD_FIXED) {
		if (off >= v->f.at)
			return vtr_fail(err, VTR_ETRUNCATED, "the file has %" PRIu64 " bytes of the disk", v->f.at);
		*out = (struct vtr_run){ .kind = VTR_RUN_PLAIN, .host = off, .len = VTR_MIN(max, v->f.at - off) };
		return 0;
	}
	i = off / v->block;
	in = off % v->block;
	n = (size_t)VTR_MIN(v->blocks - i, (uint64_t)VHD_BATCH);
	n = (size_t)VTR_MIN((uint64_t)n, vtr_div_up(in + VTR_MIN(max, v->block * VHD_BATCH), v->block));
	if (vtr_image_meta(im, v->bat_off + 4 * i, raw, 4 * n, err) < 0)
		return vtr_at(err, "BAT");
	if (vtr_get_be32(raw) != VHD_NONE) {
		if (vhd_map_block(&r, v, i, vtr_get_be32(raw), in, max, err) < 0)
			return -1;
	} else {
		while (k < n && vtr_get_be32(raw + 4 * k) == VHD_NONE)
			k++;
		r.len = k * v->block - in;
	}
	*out = r;
	return 0;
}

/* ----------------------------------------------------------------------------------------------------------- facts */

/* Four characters as they are, without the blanks and NULs behind. */
static const char *vhd_code_text(struct vtr_image *im, const uint8_t *p, struct vtr_error *err)
{
	size_t n = 4;

	while (n > 0 && (p[n - 1] == 0 || p[n - 1] == ' '))
		n--;
	return vtr_image_text(im, p, n, err);
}

static const char *vhd_time_text(struct vtr_image *im, uint32_t t, struct vtr_error *err)
{
	time_t when = (time_t)t + VHD_EPOCH;
	char text[40];
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return vtr_image_text(im, text, strlen(text), err);
}

static const char *vhd_creator(struct vhd *v, struct vtr_error *err)
{
	static const struct {
		char code[5];
		const char *name;
	} known[] = {
		{ "vpc ", "Virtual PC" }, { "vs  ", "Virtual Server" }, { "win ", "Windows" }, { "d2v\0", "Disk2vhd" },
		{ "tap\0", "XenServer" }, { "CTXS", "XenConvert" },	{ "qemu", "QEMU" },    { "qem2", "QEMU" },
		{ "vbox", "VirtualBox" }, { "wa\0\0", "Azure" },	{ "wa  ", "Azure" },
	};
	const char *code = vhd_code_text(&v->im, v->f.bytes + 28, err);

	if (!code)
		return NULL;
	for (size_t i = 0; i < VTR_COUNT(known); i++)
		if (memcmp(v->f.bytes + 28, known[i].code, 4) == 0)
			return vtr_image_textf(&v->im, err, "%s (%s %u.%u)", known[i].name, code,
					       (unsigned)(v->f.creator_version >> 16),
					       (unsigned)(v->f.creator_version & 0xffff));
	return vtr_image_textf(&v->im, err, "%s %u.%u", code, (unsigned)(v->f.creator_version >> 16),
			       (unsigned)(v->f.creator_version & 0xffff));
}

static int vhd_make_info(struct vhd *v, struct vtr_error *err)
{
	static const char *const types[] = { NULL, NULL, "fixed", "dynamic", "differencing" };
	const uint8_t *host = v->f.bytes + 36;
	struct vtr_image *im = &v->im;
	const char *os = vhd_code_text(im, host, err);
	char id[37];

	if (memcmp(host, "Wi2k", 4) == 0)
		os = "Windows";
	else if (memcmp(host, "Mac ", 4) == 0)
		os = "Macintosh";
	vtr_uuid_text(id, v->f.bytes + 68);
	im->info.subformat = types[v->f.type];
	im->info.cluster_size = v->f.type == VHD_FIXED ? 0 : v->block;
	im->info.logical_sector = VHD_SECTOR;
	im->info.physical_sector = VHD_SECTOR;
	im->info.content_id = im->info.id = vtr_image_text(im, id, 36, err);
	im->info.creator = vhd_creator(v, err);
	if (!im->info.id || !im->info.creator || vtr_image_prop_text(im, "creator_host", "written on", os, err) < 0 ||
	    vtr_image_prop_text(im, "created", "created", vhd_time_text(im, v->f.created, err), err) < 0 ||
	    vtr_image_prop_text(im, "geometry", "geometry (CHS)",
				vtr_image_textf(im, err, "%u/%u/%u", v->f.cylinders, v->f.heads, v->f.sectors),
				err) < 0 ||
	    vtr_image_prop_bytes(im, "current_size", "current size", v->f.size, err) < 0 ||
	    vtr_image_prop_bytes(im, "original_size", "original size", v->f.original, err) < 0 ||
	    vtr_image_prop_bool(im, "size_by_geometry", "size by geometry", vhd_size_by_geometry(&v->f), err) < 0 ||
	    vtr_image_prop_text(im, "features", "features", vtr_image_textf(im, err, "%#x", (unsigned)v->f.features),
				err) < 0 ||
	    vtr_image_prop_bool(im, "temporary", "temporary", v->f.features & 1, err) < 0 ||
	    vtr_image_prop_bool(im, "saved_state", "in a saved state", v->f.saved_state, err) < 0)
		return -1;
	return 0;
}

/* ---------------------------------------------------------------------------------------------------------- parent */

struct vhd_names {
	const char *name[4 * VHD_LOCATORS];
	size_t n;
};

static void vhd_add_name(struct vhd_names *all, const char *name)
{
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->name[i], name) == 0)
			return;
	if (all->n < VTR_COUNT(all->name))
		all->name[all->n++] = name;
}

static int vhd_add_windows(struct vhd_names *all, struct vhd *v, const char *path, struct vtr_error *err)
{
	const char *names[2];
	int n = vtr_image_windows_names(names, &v->im, path, err);

	for (int i = 0; i < n; i++)
		vhd_add_name(all, names[i]);
	return n;
}

static const char *vhd_locator(const struct vhd *v, const char *code)
{
	for (size_t i = 0; i < v->n_locators; i++)
		if (v->locators[i].text && strcmp(v->locators[i].code, code) == 0)
			return v->locators[i].text;
	return NULL;
}

/* What to try: relative names first, then the last components of absolute ones, then those of hosts like this one. */
static int vhd_parent_names(struct vhd_names *all, struct vhd *v, struct vtr_error *err)
{
	static const char order[][5] = { "W2ru", "Wi2r", "MacX", "Mac ", "", "W2ku", "Wi2k" };

	for (size_t i = 0; i < VTR_COUNT(order); i++) {
		const char *path = order[i][0] ? vhd_locator(v, order[i]) : v->parent_name;

		if (path && vhd_add_windows(all, v, path, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < VTR_COUNT(order); i++) {
		const char *path = order[i][0] ? vhd_locator(v, order[i]) : v->parent_name;

		if (path && path[0] == '/')
			vhd_add_name(all, path);
	}
	return 0;
}

static int vhd_parent_info(struct vhd *v, struct vtr_error *err)
{
	static const struct {
		char code[5];
		const char *key, *title;
	} props[] = {
		{ "W2ru", "parent_relative", "parent, relative" }, { "W2ku", "parent_absolute", "parent, absolute" },
		{ "Wi2r", "parent_wi2r", "parent (Wi2r)" },	   { "Wi2k", "parent_wi2k", "parent (Wi2k)" },
		{ "MacX", "parent_macx", "parent (MacX)" },	   { "Mac ", "parent_mac", "parent (Mac)" },
	};
	static const uint8_t none[16];
	struct vtr_image *im = &v->im;
	const char *name = v->parent_name;
	char id[37];

	for (size_t i = 0; i < VTR_COUNT(props); i++) {
		const char *path = vhd_locator(v, props[i].code);

		if (path && vtr_image_prop_text(im, props[i].key, props[i].title,
						vtr_image_text(im, path, strlen(path), err), err) < 0)
			return -1;
		/* The name is cut at 256 characters; what is absolute says most. */
		if (path && (name[0] == 0 || strcmp(props[i].code, "W2ku") == 0))
			name = path;
	}
	if (name[0] != 0)
		im->info.backing = name;
	im->info.backing_format = "vhd";
	if (memcmp(v->parent_id, none, sizeof(none)) != 0) {
		vtr_uuid_text(id, v->parent_id);
		if (!(im->info.parent_id = vtr_image_text(im, id, 36, err)))
			return -1;
	}
	return v->parent_time == 0 ? 0
				   : vtr_image_prop_text(im, "parent_modified", "parent written",
							 vhd_time_text(im, v->parent_time, err), err);
}

/* Copying a file changes when it was last written: that the time is another one is told, and nothing more. */
static int vhd_check_parent_time(struct vhd *v, struct vtr_error *err)
{
	struct vtr_hostfile_id id;

	if (!v->im.parent || v->parent_time == 0 || !vtr_hostfile_id(&id, vtr_image_of(v->im.parent)->file))
		return 0;
	return vtr_image_prop_bool(&v->im, "parent_modified_match", "written then",
				   id.mtime_s == (int64_t)v->parent_time + VHD_EPOCH, err);
}

/* ------------------------------------------------------------------------------------------------------------ open */

static void vhd_close(struct vtr_image *im)
{
	struct vhd *v = (struct vhd *)im;

	free(v->parent_name);
	for (size_t i = 0; i < VHD_LOCATORS; i++)
		free(v->locators[i].text);
}

static const struct vtr_image_ops vhd_ops = {
	.blk = VTR_IMAGE_BLK_OPS("VHD"),
	.map = vhd_map,
	.close = vhd_close,
};

static int vhd_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = NULL;
	struct vhd_names names = { .n = 0 };
	struct vhd *v;

	if (o->opt->snapshot)
		return vtr_fail(err, VTR_ENOTFOUND, "no snapshot \"%s\": a VHD has none", o->opt->snapshot);
	im = vtr_image_new(&vhd_ops, sizeof(struct vhd), o, err);
	v = (struct vhd *)im;
	if (!im || vhd_read_footer(v, err) < 0 || vhd_check_footer(v, err) < 0 ||
	    (v->f.type != VHD_FIXED && vhd_read_header(v, err) < 0) || vhd_make_info(v, err) < 0)
		return -1;
	if (v->f.type == VHD_DIFFERENCING &&
	    (vhd_parent_info(v, err) < 0 || vhd_parent_names(&names, v, err) < 0 ||
	     vtr_image_open_parent(im, o, names.name, names.n, "vhd", err) < 0 || vhd_check_parent_time(v, err) < 0))
		return -1;
	return vtr_image_finish(out, &im, o, err);
}

static int vhd_footer_bits(const struct vhd_footer *f)
{
	if (!f->there)
		return 0;
	return 64 + (f->good ? 32 : 0) + (f->type >= VHD_FIXED && f->type <= VHD_DIFFERENCING ? 29 : 0) +
	       (f->version >> 16 == 1 ? 16 : 0);
}

/* The footer or its copy: cookie, checksum, type, version. */
static int vhd_probe(const struct vtr_probe *p)
{
	struct vhd_footer tail, head = { 0 };

	vhd_find_tail(&tail, p->tail, p->tail_len, p->size);
	if (p->head_len >= VHD_OLD_FOOTER)
		vhd_parse_footer(&head, p->head, VTR_MIN(p->head_len, (size_t)VHD_FOOTER), 0);
	return VTR_MAX(vhd_footer_bits(&tail), vhd_footer_bits(&head));
}

/* A fixed disk is a raw disk, and a footer behind it. */
static bool vhd_raw_inside(const struct vtr_probe *p)
{
	struct vhd_footer f;

	vhd_find_tail(&f, p->tail, p->tail_len, p->size);
	return f.good && f.type == VHD_FIXED && f.version >> 16 == 1 && f.size <= f.at;
}

extern const struct vtr_format vtr_format_vhd;
const struct vtr_format vtr_format_vhd = {
	.name = "vhd",
	.title = "Virtual PC and Hyper-V disk",
	.probe = vhd_probe,
	.raw_inside = vhd_raw_inside,
	.open = vhd_open,
};
