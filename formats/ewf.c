/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Expert Witness Compression Format, version 1 (E01 of EnCase and FTK Imager, S01 of SMART), little endian, as ASR's
 * Expert Witness Compression Format and Joachim Metz's "EWF specification" describe it: files (segments) of sections,
 * each of which says where the next one is. The disk lies in chunks, whose places are in tables.
 *
 * Tables are not held: what is kept of each is where it is. Its checksum is verified when it is first used, and its copy
 * ("table2") takes its place when it is damaged. Chunks have checksums of their own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/crc.h"
#include "base/search.h"
#include "base/utf16.h"
#include "formats/image.h"

#define EWF_FILE_HEADER 13u
#define EWF_SECTION 76u
#define EWF_VOLUME 1052u     /* EnCase */
#define EWF_VOLUME_SMART 94u /* the original format */
#define EWF_TABLE 24u	     /* bytes before the entries */
#define EWF_MAX_CHUNK (64u << 20)
#define EWF_MAX_HEADER (1u << 20) /* of text */
#define EWF_MAX_ENTRIES (4u << 20)
#define EWF_SEGMENTS 14971u /* .E01 to .ZZZ */
#define EWF_COMPRESSED 0x80000000u

#define EWF_NO_TABLE UINT64_MAX

struct ewf_place {
	uint64_t entries; /* offset in the segment; EWF_NO_TABLE: there is none */
	uint64_t base;	  /* added to each entry */
};

struct ewf_table {
	uint64_t first; /* chunk */
	uint32_t count;
	uint32_t segment;
	struct ewf_place place[2]; /* table, table2 */
	uint64_t data_end;	   /* of the last chunk, in the segment */
	/* Under the lock: */
	int used;	       /* which place is sound: 0 or 1; -1: neither, or not looked at */
	uint32_t no_flag_from; /* from this entry on, all 32 bits are the offset */
	char *bad;	       /* why neither is; NULL: not looked at. Ours */
};

struct ewf {
	struct vtr_image im;
	struct vtr_blk **segment; /* borrowed; [0] is the image's file */
	size_t n_segments, segments_cap;
	bool more;							      /* segments follow, and are not opened */
	bool have_volume, smart, have_text, have_md5, have_sha1, have_errors; /* the first of each is told */
	bool pending; /* a table could not be read, and its copy was not seen yet */
	bool lost;    /* nor could the copy: which chunks follow is not known */
	uint32_t chunk_sectors, sector;
	uint64_t sectors;
	size_t chunk; /* bytes */
	struct ewf_table *table;
	size_t n_tables, tables_cap;
	uint64_t chunks; /* in all tables */
	uint64_t charged, steps;
	uint64_t sectors_end; /* of the last "sectors" section, for the table that follows */
	uint64_t errors;
	pthread_mutex_t lock;
};

static int ewf_sum_bad(struct vtr_error *err, const char *what, uint32_t stored, uint32_t computed)
{
	return vtr_fail(err, VTR_ECORRUPT, "%s: checksum %08" PRIx32 ", expected %08" PRIx32, what, computed, stored);
}

/* ------------------------------------------------------------------------------------------------------------ text */

static const struct {
	const char *id, *key, *title;
	bool date;
} ewf_values[] = {
	{ "c", "case_number", "case number", false },
	{ "n", "evidence_number", "evidence number", false },
	{ "a", "description", "description", false },
	{ "e", "examiner", "examiner", false },
	{ "t", "notes", "notes", false },
	{ "av", "acquiry_software", "software", false },
	{ "ov", "acquiry_system", "system", false },
	{ "m", "acquiry_date", "acquired", true },
	{ "u", "system_date", "system date", true },
	{ "md", "model", "model", false },
	{ "sn", "serial_number", "serial number", false },
	{ "l", "device_label", "device label", false },
};

/* "2002 3 4 10 19 59", or seconds since 1970. */
static const char *ewf_date(struct vtr_image *im, const char *p, size_t len, struct vtr_error *err)
{
	char text[32] = { 0 }, *end;
	unsigned y, mo, d, h, mi, s;
	long long at;
	time_t t;
	struct tm tm;

	if (len >= sizeof(text))
		return vtr_image_text(im, p, len, err);
	memcpy(text, p, len);
	if (sscanf(text, "%4u %2u %2u %2u %2u %2u", &y, &mo, &d, &h, &mi, &s) == 6)
		return vtr_image_textf(im, err, "%04u-%02u-%02u %02u:%02u:%02u", y, mo, d, h, mi, s);
	at = strtoll(text, &end, 10);
	t = (time_t)at;
	if (end == text || *end != 0 || at < 0 || at > 253402300799 || !gmtime_r(&t, &tm))
		return vtr_image_text(im, p, len, err);
	return vtr_image_textf(im, err, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
			       tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* The length of a line or of a field. */
static size_t ewf_until(const char *p, size_t len, char stop)
{
	const char *at = memchr(p, stop, len);

	return at ? (size_t)(at - p) : len;
}

static int ewf_add_value(struct vtr_image *im, const char *id, size_t id_len, const char *p, size_t len,
			 struct vtr_error *err)
{
	while (len > 0 && (p[len - 1] == '\r' || p[len - 1] == ' '))
		len--;
	for (size_t i = 0; i < VTR_COUNT(ewf_values) && len > 0; i++) {
		const char *text;

		if (strlen(ewf_values[i].id) != id_len || memcmp(ewf_values[i].id, id, id_len) != 0)
			continue;
		text = ewf_values[i].date ? ewf_date(im, p, len, err) : vtr_image_text(im, p, len, err);
		if (text && strcmp(ewf_values[i].id, "av") == 0)
			im->info.creator = text;
		return vtr_image_prop_text(im, ewf_values[i].key, ewf_values[i].title, text, err);
	}
	return 0;
}

/* Lines: a number, "main", names separated by tabs, values in their order. */
static int ewf_parse_text(struct vtr_image *im, const char *p, size_t len, struct vtr_error *err)
{
	const char *line[4];
	size_t line_len[4] = { 0 };

	for (unsigned i = 0; i < 4; i++) {
		size_t n = ewf_until(p, len, '\n');

		line[i] = p;
		line_len[i] = n > 0 && p[n - 1] == '\r' ? n - 1 : n;
		n = VTR_MIN(n + 1, len);
		p += n;
		len -= n;
	}
	for (unsigned i = 0; i < 64 && line_len[2] > 0; i++) {
		size_t id = ewf_until(line[2], line_len[2], '\t'), value = ewf_until(line[3], line_len[3], '\t');

		if (ewf_add_value(im, line[2], id, line[3], value, err) < 0)
			return -1;
		id = VTR_MIN(id + 1, line_len[2]);
		value = VTR_MIN(value + 1, line_len[3]);
		line[2] += id;
		line_len[2] -= id;
		line[3] += value;
		line_len[3] -= value;
	}
	return 0;
}

/* "header" is ASCII, "header2" UTF-16; both are compressed, and stored twice. */
static int ewf_read_text(struct ewf *w, struct vtr_blk *b, uint64_t off, uint64_t len, bool wide, struct vtr_error *err)
{
	VTR_FREE uint8_t *in = NULL, *out = NULL;
	VTR_FREE char *utf8 = NULL;
	struct vtr_codec_stream s = { 0 };
	enum vtr_codec_result done;
	size_t n, bom;

	if (w->have_text || len == 0)
		return 0;
	if (vtr_blk_read_new(&in, b, off, VTR_MIN(len, (uint64_t)EWF_MAX_HEADER), "header", err) < 0)
		return -1;
	out = malloc(EWF_MAX_HEADER);
	if (!out)
		return vtr_fail(err, VTR_ENOMEM, "out of memory");
	s.in = in;
	s.in_len = (size_t)VTR_MIN(len, (uint64_t)EWF_MAX_HEADER);
	s.out = out;
	s.out_len = EWF_MAX_HEADER;
	done = vtr_codec_start(&s, &vtr_method_zlib, 0);
	if (done == VTR_CODEC_MORE)
		done = vtr_codec_step(&s); /* all is there: it ends now, or not at all */
	vtr_codec_stop(&s);
	n = EWF_MAX_HEADER - s.out_len;
	if (done == VTR_CODEC_NO_MEMORY)
		return vtr_fail(err, VTR_ENOMEM, "out of memory");
	if (done != VTR_CODEC_END) {
		vtr_image_warn(&w->im, VTR_ECORRUPT, "the header at %#" PRIx64 " is damaged, and not told", off);
		return 0;
	}
	w->have_text = true;
	if (!wide)
		return ewf_parse_text(&w->im, (const char *)out, n, err);
	utf8 = malloc(2 * n + 1);
	if (!utf8)
		return vtr_fail(err, VTR_ENOMEM, "out of memory");
	bom = n >= 2 && out[0] == 0xff && out[1] == 0xfe ? 2 : 0;
	vtr_utf16_to_utf8(utf8, 2 * n + 1, out + bom, n - bom, VTR_UTF16_LE);
	return ewf_parse_text(&w->im, utf8, strlen(utf8), err);
}

/* -------------------------------------------------------------------------------------------------------- sections */

static const char *ewf_media(uint8_t type)
{
	switch (type) {
	case 0x00:
		return "removable disk";
	case 0x01:
		return "fixed disk";
	case 0x03:
		return "optical disc";
	case 0x0e:
		return "logical evidence";
	case 0x10:
		return "memory";
	default:
		return "unknown";
	}
}

/*
 * "volume" and "disk". EnCase:
 *   0  1  media type		 36  1  media flags (1: image, 2: physical, 4: FastBloc, 8: Tableau)
 *   4  4  chunks		 52  1  compression (0: none, 1: good, 2: best)
 *   8  4  sectors of a chunk	 56  4  error granularity, in sectors
 *  12  4  bytes of a sector	 64 16  set identifier
 *  16  8  sectors		1048 4  checksum
 * SMART has as much of it up to the sectors, which are 4 bytes, and its checksum at 90.
 */
static int ewf_parse_volume(struct ewf *w, const uint8_t *p, size_t len, struct vtr_error *err)
{
	struct vtr_image *im = &w->im;
	static const uint8_t none[16];
	uint64_t bytes;
	char id[37];

	w->smart = len < EWF_VOLUME;
	len = w->smart ? EWF_VOLUME_SMART : EWF_VOLUME;
	if (!vtr_sum_ok(vtr_get_le32(p + len - 4), vtr_adler32(1, p, len - 4)))
		return ewf_sum_bad(err, "volume", vtr_get_le32(p + len - 4), vtr_adler32(1, p, len - 4));
	w->chunk_sectors = vtr_get_le32(p + 8);
	w->sector = vtr_get_le32(p + 12);
	w->sectors = w->smart ? vtr_get_le32(p + 16) : vtr_get_le64(p + 16);
	if (w->sector == 0 || w->chunk_sectors == 0 || vtr_mul_over((uint64_t)w->sector, w->chunk_sectors, &bytes) ||
	    bytes > EWF_MAX_CHUNK)
		return vtr_fail(err, VTR_ECORRUPT,
				"volume: chunks of %" PRIu32 " sectors of %" PRIu32 " bytes, expected 1 to %u bytes",
				w->chunk_sectors, w->sector, EWF_MAX_CHUNK);
	if (VTR_OVER(im->blk.ctx, alloc, 2 * bytes, "a chunk", err) < 0)
		return -1;
	w->chunk = (size_t)bytes;
	if (w->sectors > INT64_MAX / w->sector)
		return vtr_fail(err, VTR_ECORRUPT, "volume: %" PRIu64 " sectors of %" PRIu32 " bytes", w->sectors,
				w->sector);
	w->have_volume = true;
	im->blk.size = w->sectors * w->sector;
	im->info.cluster_size = bytes;
	im->info.logical_sector = w->sector;
	if (vtr_image_prop_number(im, "sectors_per_chunk", "sectors per chunk", w->chunk_sectors, err) < 0 ||
	    vtr_image_prop_number(im, "sectors", "sectors", w->sectors, err) < 0)
		return -1;
	if (w->smart)
		return 0;
	if (memcmp(p + 64, none, 16) != 0) {
		vtr_guid_text(id, p + 64);
		if (!(im->info.id = vtr_image_text(im, id, 36, err)))
			return -1;
	}
	if (vtr_image_prop_text(im, "media_type", "media", ewf_media(p[0]), err) < 0 ||
	    vtr_image_prop_bool(im, "physical", "whole device", p[36] & 2, err) < 0 ||
	    vtr_image_prop_text(im, "compression_level", "compression level",
				p[52] == 0   ? "none"
				: p[52] == 1 ? "fast"
				: p[52] == 2 ? "best"
					     : "unknown",
				err) < 0 ||
	    vtr_image_prop_number(im, "error_granularity", "error granularity", vtr_get_le32(p + 56), err) < 0)
		return -1;
	return 0;
}

static int ewf_read_volume(struct ewf *w, struct vtr_blk *b, uint64_t off, uint64_t len, struct vtr_error *err)
{
	uint8_t p[EWF_VOLUME];
	size_t n = len >= EWF_VOLUME ? EWF_VOLUME : EWF_VOLUME_SMART;

	if (w->have_volume)
		return 0;
	if (len < n)
		return vtr_fail(err, VTR_ECORRUPT, "volume: %" PRIu64 " bytes, expected %u or %u", len,
				EWF_VOLUME_SMART, EWF_VOLUME);
	return vtr_blk_pread(b, off, p, n, err) < 0 ? -1 : ewf_parse_volume(w, p, n, err);
}

/*
 * "table": 0 4 entries, 8 8 base offset, 20 4 checksum of these; the entries of 4 bytes; their checksum, unless it is of
 * the original format, where the chunks themselves follow.
 */
static int ewf_read_table(struct ewf *w, uint32_t segment, uint64_t off, uint64_t end, bool second,
			  struct vtr_error *err)
{
	struct vtr_blk *b = w->segment[segment];
	struct ewf_table t = { .first = w->chunks, .segment = segment, .used = -1, .no_flag_from = UINT32_MAX };
	struct ewf_table *last = w->n_tables > 0 ? &w->table[w->n_tables - 1] : NULL;
	struct ewf_place place;
	uint8_t p[EWF_TABLE];
	uint64_t room;

	if (!w->have_volume)
		return vtr_fail(err, VTR_ECORRUPT, "a table before the volume");
	if (!second) {
		w->lost |= w->pending;
		w->pending = true;
	}
	if (w->lost)
		return vtr_fail(err, VTR_ECORRUPT, "which chunks it has is not known: a table before it is lost");
	if (end - off < EWF_TABLE)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu64 " bytes, expected at least %u", end - off, EWF_TABLE);
	if (vtr_blk_pread(b, off, p, EWF_TABLE, err) < 0)
		return -1;
	t.count = vtr_get_le32(p);
	room = (end - off - EWF_TABLE) / 4;
	if (!vtr_sum_ok(vtr_get_le32(p + 20), vtr_adler32(1, p, 20)))
		return ewf_sum_bad(err, "table", vtr_get_le32(p + 20), vtr_adler32(1, p, 20));
	if (t.count > room || t.count > EWF_MAX_ENTRIES)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu32 " entries in %" PRIu64 " bytes", t.count, end - off);
	place = (struct ewf_place){ off + EWF_TABLE, w->smart ? 0 : vtr_get_le64(p + 8) };
	if (second) {
		/* The copy of the table before it, if that could be read; else it takes its place. */
		if (last && last->segment == segment && last->place[1].entries == EWF_NO_TABLE &&
		    last->count == t.count && last->data_end == w->sectors_end) {
			last->place[1] = place;
			return 0;
		}
		if (last && last->segment == segment && last->data_end == w->sectors_end)
			return vtr_fail(err, VTR_ECORRUPT, "%" PRIu32 " entries, the table has %" PRIu32, t.count,
					last->count);
	}
	w->pending = false;
	if (t.count == 0)
		return 0;
	t.place[0] = place;
	t.place[1].entries = EWF_NO_TABLE;
	t.data_end = w->smart ? end : w->sectors_end;
	if (w->n_tables == w->tables_cap) {
		uint64_t more = (w->tables_cap ? w->tables_cap : 8) * sizeof(t);

		if (vtr_charge(w->im.blk.ctx, more, "tables", err) < 0)
			return -1;
		w->charged += more;
	}
	if (!VTR_GROW(w->table, w->n_tables, w->tables_cap, err))
		return -1;
	w->table[w->n_tables++] = t;
	w->chunks += t.count;
	return 0;
}

static int ewf_add_hash(struct ewf *w, const char *key, const char *title, const uint8_t *p, size_t len,
			struct vtr_error *err)
{
	static const uint8_t none[20];
	char hex[41];

	if (memcmp(p, none, len) == 0)
		return 0;
	for (size_t i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", p[i]);
	return vtr_image_prop_text(&w->im, key, title, vtr_image_text(&w->im, hex, 2 * len, err), err);
}

/* "digest": 0 16 MD5, 16 20 SHA-1, 76 4 checksum. "hash": 0 16 MD5, 32 4 checksum. */
static int ewf_read_hash(struct ewf *w, struct vtr_blk *b, uint64_t off, uint64_t len, bool digest,
			 struct vtr_error *err)
{
	uint8_t p[80];
	size_t n = digest ? 80 : 36;

	if (len < n)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu64 " bytes, expected %zu", len, n);
	if (vtr_blk_pread(b, off, p, n, err) < 0)
		return -1;
	if (!vtr_sum_ok(vtr_get_le32(p + n - 4), vtr_adler32(1, p, n - 4)))
		return ewf_sum_bad(err, "hash", vtr_get_le32(p + n - 4), vtr_adler32(1, p, n - 4));
	if (!w->have_md5 && ewf_add_hash(w, "md5", "MD5", p, 16, err) < 0)
		return -1;
	w->have_md5 = true;
	if (!digest || w->have_sha1)
		return 0;
	w->have_sha1 = true;
	return ewf_add_hash(w, "sha1", "SHA-1", p + 16, 20, err);
}

/* "error2": 0 4 entries, 516 4 checksum; entries of 4 first sector, 4 sectors. */
static int ewf_read_errors(struct ewf *w, struct vtr_blk *b, uint64_t off, uint64_t len, struct vtr_error *err)
{
	uint8_t p[520], e[8];
	uint32_t n;
	char text[512];
	int at = 0;

	if (len < sizeof(p))
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu64 " bytes, expected at least 520", len);
	if (vtr_blk_pread(b, off, p, sizeof(p), err) < 0)
		return -1;
	n = vtr_get_le32(p);
	if (n > (len - sizeof(p)) / 8)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu32 " entries in %" PRIu64 " bytes", n, len);
	w->errors += n;
	if (n == 0 || w->have_errors)
		return 0;
	w->have_errors = true;
	for (uint32_t i = 0; i < n && i < 16; i++) {
		if (vtr_blk_pread(b, off + sizeof(p) + 8 * (uint64_t)i, e, 8, err) < 0)
			return -1;
		at += snprintf(text + at, sizeof(text) - (size_t)at, "%s%" PRIu32 "+%" PRIu32, i ? ", " : "",
			       vtr_get_le32(e), vtr_get_le32(e + 4));
	}
	return vtr_image_prop_text(&w->im, "error_sectors", "not acquired",
				   vtr_image_textf(&w->im, err, "%s%s", text, n > 16 ? ", ..." : ""), err);
}

/* What comes after a section. */
enum { EWF_GO_ON, EWF_NEXT, EWF_DONE };

static bool ewf_type_is(const uint8_t *p, const char *type)
{
	return strncmp((const char *)p, type, 16) == 0;
}

/* Section: 0 16 type, 16 8 offset of the next, 24 8 its bytes, 72 4 checksum of these; its contents. */
static int ewf_read_section(int *then, uint64_t *next, struct ewf *w, uint32_t segment, uint64_t off,
			    struct vtr_error *err)
{
	struct vtr_blk *b = w->segment[segment];
	uint8_t p[EWF_SECTION];
	uint64_t body = off + EWF_SECTION, end, len;

	if (!vtr_range_in(off, EWF_SECTION, b->size))
		return vtr_fail(err, VTR_ETRUNCATED, "the file ends at %#" PRIx64, b->size);
	if (vtr_blk_pread(b, off, p, EWF_SECTION, err) < 0)
		return -1;
	if (!vtr_sum_ok(vtr_get_le32(p + 72), vtr_adler32(1, p, 72)))
		return ewf_sum_bad(err, "its header", vtr_get_le32(p + 72), vtr_adler32(1, p, 72));
	if (ewf_type_is(p, "done") || ewf_type_is(p, "next")) {
		*then = ewf_type_is(p, "next") ? EWF_NEXT : EWF_DONE;
		return 0;
	}
	end = *next = vtr_get_le64(p + 16);
	if (end < body || end > b->size)
		return vtr_fail(err, end > b->size ? VTR_ETRUNCATED : VTR_ECORRUPT,
				"section \"%.16s\" ends at %#" PRIx64 ", expected %#" PRIx64 " to %#" PRIx64,
				(const char *)p, end, body, b->size);
	len = end - body;
	*then = EWF_GO_ON;
	if (ewf_type_is(p, "header") || ewf_type_is(p, "header2"))
		return ewf_read_text(w, b, body, len, p[6] == '2', err);
	if (ewf_type_is(p, "volume") || ewf_type_is(p, "disk") || ewf_type_is(p, "data"))
		return ewf_read_volume(w, b, body, len, err);
	if (ewf_type_is(p, "sectors"))
		w->sectors_end = end;
	else if (ewf_type_is(p, "table") || ewf_type_is(p, "table2"))
		return ewf_read_table(w, segment, body, end, p[5] == '2', err);
	else if (ewf_type_is(p, "hash") || ewf_type_is(p, "digest"))
		return ewf_read_hash(w, b, body, len, p[0] == 'd', err);
	else if (ewf_type_is(p, "error2"))
		return ewf_read_errors(w, b, body, len, err);
	else if (ewf_type_is(p, "ltree"))
		return vtr_fail(err, VTR_EUNSUPPORTED, "logical evidence (L01): it has files, and no disk");
	return 0;
}

/* File: 0 8 magic, 9 2 segment. */
static int ewf_check_file(struct vtr_blk *b, unsigned expected, struct vtr_error *err)
{
	uint8_t p[EWF_FILE_HEADER];

	if (b->size < sizeof(p))
		return vtr_fail(err, VTR_ETRUNCATED, "the file has %" PRIu64 " bytes", b->size);
	if (vtr_blk_pread(b, 0, p, sizeof(p), err) < 0)
		return -1;
	if (memcmp(p, "EVF2\x0d\x0a\x81\0", 8) == 0)
		return vtr_fail(err, VTR_EUNSUPPORTED, "version 2 (Ex01): not read");
	if (memcmp(p, "LVF\x09\x0d\x0a\xff\0", 8) == 0 || memcmp(p, "LEF2\x0d\x0a\x81\0", 8) == 0)
		return vtr_fail(err, VTR_EUNSUPPORTED, "logical evidence (L01): it has files, and no disk");
	if (memcmp(p, "EVF\x09\x0d\x0a\xff\0", 8) != 0)
		return vtr_fail(err, VTR_ECORRUPT, "no file header: it does not start with \"EVF\"");
	if (vtr_get_le16(p + 9) != expected)
		return vtr_fail(err, VTR_ECORRUPT, "segment %u, expected %u%s", vtr_get_le16(p + 9), expected,
				expected == 1 ? ": the first one (.E01) is the one to open" : "");
	return 0;
}

/* All sections of a segment. Damage behind the volume costs what is behind it. */
static int ewf_read_segment(int *then, struct ewf *w, uint32_t segment, struct vtr_error *err)
{
	uint64_t off = EWF_FILE_HEADER, next = 0;
	struct vtr_error e = { 0 };

	w->sectors_end = 0;
	for (*then = EWF_GO_ON; *then == EWF_GO_ON; off = next) {
		if (vtr_tick(w->im.blk.ctx, &w->steps, 1, err) < 0)
			return -1;
		next = 0;
		if (ewf_read_section(then, &next, w, segment, off, &e) == 0)
			continue;
		vtr_error_at(&e, "segment %" PRIu32 ", section at %#" PRIx64, segment + 1, off);
		if (!w->have_volume || !vtr_error_is(&e, VTR_KIND_DAMAGED)) {
			if (err)
				*err = e;
			return -1;
		}
		vtr_image_warn(&w->im, e.code, "%s", e.text);
		if (next >= off + EWF_SECTION && next < w->segment[segment]->size)
			continue;
		*then = EWF_DONE;
	}
	return 0;
}

/* -------------------------------------------------------------------------------------------------------- segments */

static bool ewf_add_segment(struct ewf *w, struct vtr_blk *b, struct vtr_error *err)
{
	if (!VTR_GROW(w->segment, w->n_segments, w->segments_cap, err))
		return false;
	w->segment[w->n_segments++] = b;
	return true;
}

/* .E01 to .E99, .EAA to .EZZ, .FAA to .ZZZ; in the case of the first. n counts from 1. */
static bool ewf_segment_name(char *name, unsigned n)
{
	size_t len = strlen(name);
	char *p = name + len - 3, first, a;

	if (len < 4 || p[-1] != '.' || !strchr("EeSs", p[0]) || strcmp(p + 1, "01") != 0)
		return false;
	first = p[0];
	a = first >= 'a' ? 'a' : 'A';
	if (n < 100) {
		p[1] = (char)('0' + n / 10);
		p[2] = (char)('0' + n % 10);
		return true;
	}
	n -= 100;
	if ((unsigned)(first - a) + n / 676 >= 26)
		return false;
	p[0] = (char)(first + n / 676);
	p[1] = (char)(a + n / 26 % 26);
	p[2] = (char)(a + n % 26);
	return true;
}

static int ewf_open_segments(struct ewf *w, struct vtr_open *o, struct vtr_error *err)
{
	const char *path = o->shown ? o->shown : "image.E01", *slash = strrchr(path, '/');
	int then = EWF_GO_ON;

	for (uint32_t i = 0; i < EWF_SEGMENTS; i++) {
		VTR_FREE char *name = NULL;
		struct vtr_blk *b = NULL;

		if (i == 0) {
			b = w->im.file;
		} else {
			path = slash ? slash + 1 : path;
			slash = NULL;
			name = vtr_strndup(path, strlen(path), err);
			if (!name)
				return -1;
			if (!ewf_segment_name(name, i + 1))
				return vtr_fail(err, VTR_ENOTFOUND,
						"segment %" PRIu32 " follows, and \"%s\" does not end in .E01: which "
						"file it is, is not known",
						i + 1, path);
			if (vtr_image_open_file(&b, &w->im, o, name, "segment", err) < 0)
				return -1;
		}
		if (ewf_check_file(b, i + 1, err) < 0)
			return name ? vtr_at(err, "segment \"%s\"", name) : -1;
		if (!ewf_add_segment(w, b, err) || ewf_read_segment(&then, w, i, err) < 0)
			return -1;
		if (then == EWF_DONE)
			return 0;
		if (o->opt->alone) {
			w->more = true;
			return 0;
		}
	}
	return vtr_fail(err, VTR_ECORRUPT, "more than %u segments", EWF_SEGMENTS);
}

/* --------------------------------------------------------------------------------------------------------- mapping */

/* Whether the entries at a place fit their checksum; where their flag ends. */
static int ewf_check_entries(uint32_t *no_flag_from, struct ewf *w, const struct ewf_table *t,
			     const struct ewf_place *p, struct vtr_error *err)
{
	VTR_FREE uint8_t *raw = NULL;
	size_t len = 4 * (size_t)t->count;
	uint32_t before = 0;

	if (vtr_blk_read_new(&raw, w->segment[t->segment], p->entries, len + (w->smart ? 0 : 4), "table", err) < 0)
		return -1;
	if (!w->smart && !vtr_sum_ok(vtr_get_le32(raw + len), vtr_adler32(1, raw, len)))
		return ewf_sum_bad(err, "table", vtr_get_le32(raw + len), vtr_adler32(1, raw, len));
	*no_flag_from = UINT32_MAX;
	for (uint32_t i = 0; i < t->count; i++) {
		uint32_t at = vtr_get_le32(raw + 4 * (size_t)i) & ~EWF_COMPRESSED;

		/* Past 2 GiB, EnCase 6.7 uses all the bits, and no longer compresses. */
		if (at < before) {
			*no_flag_from = i;
			break;
		}
		before = at;
	}
	return 0;
}

/* Look at a table that was not used yet. */
static int ewf_use_table(struct ewf *w, struct ewf_table *t, struct vtr_error *err)
{
	struct vtr_error e[2] = { { 0 }, { 0 } };
	int r = 0;

	pthread_mutex_lock(&w->lock);
	for (int i = 0; t->used == -1 && !t->bad && i < 2; i++) {
		uint32_t from;

		if (t->place[i].entries == EWF_NO_TABLE)
			break;
		if (ewf_check_entries(&from, w, t, &t->place[i], &e[i]) == 0) {
			t->used = i;
			t->no_flag_from = from;
			if (i == 1)
				vtr_image_warn(&w->im, e[0].code, "table at %#" PRIx64 ": %s: its copy is used",
					       t->place[0].entries, e[0].text);
		} else if (!vtr_error_is(&e[i], VTR_KIND_DAMAGED)) {
			if (err)
				*err = e[i];
			r = -1;
			break;
		}
	}
	/* Looking again, for each of its chunks, would find the same. */
	if (r == 0 && t->used < 0 && !t->bad && !(t->bad = vtr_strndup(e[0].text, strlen(e[0].text), err)))
		r = -1;
	if (r == 0 && t->used < 0)
		r = vtr_fail(err, VTR_ECORRUPT, "segment %" PRIu32 ", table at %#" PRIx64 ": %s", t->segment + 1,
			     t->place[0].entries, t->bad);
	pthread_mutex_unlock(&w->lock);
	return r;
}

static int ewf_map(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err)
{
	struct ewf *w = (struct ewf *)im;
	uint64_t chunk = off / w->chunk, at, end, room;
	struct ewf_table *t;
	uint32_t i, entry, flag = EWF_COMPRESSED;
	uint8_t raw[8];
	bool last;

	(void)max;
	if (chunk >= w->chunks)
		return vtr_fail(err, w->more ? VTR_EPOLICY : VTR_ECORRUPT, "chunk %" PRIu64 " %s", chunk,
				w->more ? "lies in a segment that is not opened" : "is in no table");
	t = &w->table[VTR_LAST_AT(w->table, w->n_tables, first, chunk)];
	if (ewf_use_table(w, t, err) < 0)
		return -1;
	i = (uint32_t)(chunk - t->first);
	last = i + 1 == t->count;
	if (vtr_blk_pread(w->segment[t->segment], t->place[t->used].entries + 4 * (uint64_t)i, raw, last ? 4 : 8, err) <
	    0)
		return vtr_at(err, "chunk %" PRIu64, chunk);
	if (i >= t->no_flag_from)
		flag = 0;
	entry = vtr_get_le32(raw);
	end = last ? t->data_end : vtr_get_le32(raw + 4) & ~(i + 1 >= t->no_flag_from ? 0 : EWF_COMPRESSED);
	if (vtr_add_over(t->place[t->used].base, entry & ~flag, &at) ||
	    (!last && vtr_add_over(end, t->place[t->used].base, &end)) || at >= end ||
	    end > w->segment[t->segment]->size)
		return vtr_fail(err, VTR_ECORRUPT,
				"chunk %" PRIu64 ": from %#" PRIx64 " to %#" PRIx64 " in segment %" PRIu32
				", which ends at %#" PRIx64,
				chunk, at, end, t->segment + 1, w->segment[t->segment]->size);
	room = 2 * (uint64_t)w->chunk + 64; /* nothing that deflate writes is longer */
	out->kind = VTR_RUN_PACKED;
	out->src = w->segment[t->segment];
	out->host = at;
	out->host_len = VTR_MIN(end - at, room);
	out->unit = chunk * w->chunk;
	out->unit_len = (size_t)VTR_MIN((uint64_t)w->chunk, im->blk.size - out->unit);
	out->len = out->unit + out->unit_len - off;
	out->method = (entry & flag) != 0;
	return 0;
}

static int ewf_unpack(struct vtr_image *im, const struct vtr_run *run, struct vtr_codec *c, uint8_t *out,
		      struct vtr_error *err)
{
	struct ewf *w = (struct ewf *)im;
	uint64_t chunk = run->unit / w->chunk;
	size_t len = (size_t)run->host_len, n = run->unit_len;
	int good;

	if (vtr_codec_load(c, run->src, run->host, len, err) < 0)
		return vtr_at(err, "chunk %" PRIu64, chunk);
	if (run->method) {
		good = vtr_codec_decode(c, &vtr_method_zlib, out, n, c->in, len, err);
		if (good < 0)
			return -1;
		return good ? 0
			    : vtr_fail(err, VTR_ECORRUPT,
				       "chunk %" PRIu64 " at %#" PRIx64 ": %zu bytes of zlib are no %zu bytes", chunk,
				       run->host, len, n);
	}
	/* The bytes and their checksum. The last chunk is as long as the disk, or as all others. */
	for (;;) {
		if (len < n + 4)
			return vtr_fail(err, VTR_ECORRUPT, "chunk %" PRIu64 " at %#" PRIx64 ": %zu bytes, expected %zu",
					chunk, run->host, len, n + 4);
		if (vtr_sum_ok(vtr_get_le32(c->in + n), vtr_adler32(1, c->in, n)))
			break;
		if (n == w->chunk || len < w->chunk + 4)
			return vtr_fail(err, VTR_ECORRUPT,
					"chunk %" PRIu64 " at %#" PRIx64 ": checksum %08" PRIx32
					", expected %08" PRIx32,
					chunk, run->host, vtr_adler32(1, c->in, n), vtr_get_le32(c->in + n));
		n = w->chunk;
	}
	memcpy(out, c->in, run->unit_len);
	return 0;
}

static void ewf_close(struct vtr_image *im)
{
	struct ewf *w = (struct ewf *)im;

	for (size_t i = 0; i < w->n_tables; i++)
		free(w->table[i].bad);
	free(w->table);
	free(w->segment);
	vtr_uncharge(im->blk.ctx, w->charged);
	pthread_mutex_destroy(&w->lock);
}

static const struct vtr_image_ops ewf_ops = {
	.blk = VTR_IMAGE_BLK_OPS("ewf"),
	.map = ewf_map,
	.unpack = ewf_unpack,
	.close = ewf_close,
};

/* ------------------------------------------------------------------------------------------------------------ open */

static int ewf_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = NULL;
	struct ewf *w;

	if (o->opt->snapshot)
		return vtr_fail(err, VTR_ENOTFOUND, "no snapshot \"%s\": the format has none", o->opt->snapshot);
	im = vtr_image_new(&ewf_ops, sizeof(*w), o, err);
	w = (struct ewf *)im;
	if (!im)
		return -1;
	pthread_mutex_init(&w->lock, NULL);
	im->info.compression = "deflate";
	if (ewf_open_segments(w, o, err) < 0)
		return -1;
	if (!w->have_volume)
		return vtr_fail(err, VTR_ECORRUPT, "no section \"volume\" or \"disk\"");
	im->info.subformat = w->smart ? "S01" : "E01";
	im->unit_max = w->chunk;
	if (!w->more && w->chunks < vtr_div_up(im->blk.size, w->chunk))
		vtr_image_warn(im, VTR_ETRUNCATED, "%" PRIu64 " chunks are in its tables, the disk has %" PRIu64,
			       w->chunks, vtr_div_up(im->blk.size, w->chunk));
	if (vtr_image_prop_number(im, "segments", "segments", w->n_segments, err) < 0 ||
	    vtr_image_prop_number(im, "read_errors", "read errors", w->errors, err) < 0)
		return -1;
	return vtr_image_finish(out, &im, o, err);
}

/* Magic; of version 1 the start of the fields and their end too. */
static int ewf_probe(const struct vtr_probe *p)
{
	if (p->head_len < EWF_FILE_HEADER)
		return 0;
	return memcmp(p->head, "EVF\x09\x0d\x0a\xff\0", 8) == 0 || memcmp(p->head, "LVF\x09\x0d\x0a\xff\0", 8) == 0 ||
			       memcmp(p->head, "EVF2\x0d\x0a\x81\0", 8) == 0 ||
			       memcmp(p->head, "LEF2\x0d\x0a\x81\0", 8) == 0
		       ? 64
		       : 0;
}

extern const struct vtr_format vtr_format_ewf;
const struct vtr_format vtr_format_ewf = {
	.name = "ewf",
	.title = "Expert Witness (E01)",
	.probe = ewf_probe,
	.open = ewf_open,
};
