/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Apple disk images (UDIF), big endian: a data fork with the stored pieces, tables of these ("blkx") in a property list
 * or, before Mac OS X 10.2, in a resource fork, and a trailer ("koly") that says where they are. There is no public
 * specification; layout and names are those that the free readers agree on, and what hdiutil's images show.
 *
 * The tables are small (40 bytes for 256 KiB and more of the disk), and are held.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/crc.h"
#include "formats/image.h"
#include "formats/xml.h"

#define DMG_KOLY 512u
#define DMG_KOLY_SEARCH 1023u /* bytes before the end where the trailer may start besides, as qemu looks for it */
#define DMG_SECTOR 512u
#define DMG_TABLE 204u	     /* bytes of a blkx table before its entries */
#define DMG_ENTRY 40u	     /* bytes of an entry */
#define DMG_UNIT (64u << 20) /* of the disk in one stored piece; as qemu */
#define DMG_TABLE_STEPS 16u  /* what a table costs of limits.steps, its entries aside */
#define DMG_NAMES 900u	     /* bytes of the partitions' names that are told */

#define DMG_ZERO 0u
#define DMG_RAW 1u
#define DMG_IGNORE 2u
#define DMG_ADC 0x80000004u
#define DMG_ZLIB 0x80000005u
#define DMG_BZIP2 0x80000006u
#define DMG_LZFSE 0x80000007u
#define DMG_XZ 0x80000008u
#define DMG_COMMENT 0x7ffffffeu
#define DMG_END 0xffffffffu

#define DMG_SUM_CRC32 2u

struct dmg_koly {
	uint64_t at; /* in the file */
	uint32_t flags;
	uint64_t data_off, data_len, rsrc_off, rsrc_len, xml_off, xml_len;
	uint32_t segment, segments;
	uint8_t segment_id[16];
	uint32_t data_sum_type, data_sum, sum_type, sum;
	uint32_t variant;
	uint64_t sectors;
};

struct dmg_chunk {
	uint64_t first, sectors; /* of the disk */
	uint64_t off, len;	 /* in the file */
	uint32_t type;
};

struct dmg {
	struct vtr_image im;
	struct dmg_koly k;
	struct dmg_chunk *chunk; /* ascending, without overlap */
	size_t n, cap;
	uint64_t charged, steps;
	uint64_t end; /* sectors that the tables describe */
	unsigned tables;
	uint32_t sum;	/* CRC-32 over the tables' checksums, in their order */
	bool summed;	/* all of them have one */
	unsigned types; /* bits: 1 << (type & 15) of the packed ones */
	struct vtr_str names;
};

/* --------------------------------------------------------------------------------------------------------- trailer */

/*
 * Trailer.
 *    0  4  "koly"			 64  16  SegmentID
 *    4  4  version 4			 80  4   type of the data fork's checksum (2: CRC-32), 84 4 bits of it, 88 it
 *    8  4  bytes of the trailer	216  8   offset of the property list, 224 8 its length
 *   12  4  flags			352  4   type of the tables' checksum, 356 4 bits of it, 360 it
 *   24  8  offset of the data fork, 32 8 its length
 *   40  8  offset of the resource fork, 48 8 its length
 *   56  4  segment, 60 4 segments	488  4   variant		492  8  sectors of the disk
 */
static int dmg_parse_koly(struct dmg_koly *out, struct vtr_cur *c, struct vtr_error *err)
{
	struct dmg_koly k = { .at = c->origin };
	const uint8_t *p = vtr_cur_take(c, DMG_KOLY);

	if (!p || memcmp(p, "koly", 4) != 0)
		return vtr_fail(err, p ? VTR_ECORRUPT : VTR_ETRUNCATED, "no trailer: \"koly\" is not there");
	if (vtr_get_be32(p + 4) != 4)
		return vtr_fail(err, VTR_EUNSUPPORTED, "trailer: version %" PRIu32 ", read is 4", vtr_get_be32(p + 4));
	if (vtr_get_be32(p + 8) != DMG_KOLY)
		return vtr_fail(err, VTR_ECORRUPT, "trailer: %" PRIu32 " bytes long, expected %u", vtr_get_be32(p + 8),
				DMG_KOLY);
	k.flags = vtr_get_be32(p + 12);
	k.data_off = vtr_get_be64(p + 24);
	k.data_len = vtr_get_be64(p + 32);
	k.rsrc_off = vtr_get_be64(p + 40);
	k.rsrc_len = vtr_get_be64(p + 48);
	k.segment = vtr_get_be32(p + 56);
	k.segments = vtr_get_be32(p + 60);
	memcpy(k.segment_id, p + 64, 16);
	k.data_sum_type = vtr_get_be32(p + 80);
	k.data_sum = vtr_get_be32(p + 88);
	k.xml_off = vtr_get_be64(p + 216);
	k.xml_len = vtr_get_be64(p + 224);
	k.sum_type = vtr_get_be32(p + 352);
	k.sum = vtr_get_be32(p + 360);
	k.variant = vtr_get_be32(p + 488);
	k.sectors = vtr_get_be64(p + 492);
	if (k.sectors > INT64_MAX / DMG_SECTOR)
		return vtr_fail(err, VTR_ECORRUPT, "trailer: a disk of %" PRIu64 " sectors is more than 2^63 bytes",
				k.sectors);
	*out = k;
	return 0;
}

/* What is encrypted has a header or a trailer of its own around all the rest. */
static int dmg_check_encrypted(struct dmg *d, struct vtr_error *err)
{
	uint8_t head[28], tail[8];
	struct vtr_blk *f = d->im.file;

	if (f->size < sizeof(head))
		return 0;
	if (vtr_blk_pread(f, 0, head, sizeof(head), err) < 0 || vtr_blk_pread(f, f->size - 8, tail, 8, err) < 0)
		return -1;
	/* 20: algorithm, 24: bits of the key. */
	if (memcmp(head, "encrcdsa", 8) == 0)
		return vtr_fail(err, VTR_EUNSUPPORTED, "encrypted with AES-%" PRIu32 " (encrcdsa): not read",
				vtr_get_be32(head + 24));
	if (memcmp(tail, "cdsaencr", 8) == 0)
		return vtr_fail(err, VTR_EUNSUPPORTED, "encrypted (cdsaencr): not read");
	return 0;
}

/* The trailer: at the end, a little before it, or, in images that were written in one pass, at the start. */
static int dmg_read_koly(struct dmg *d, struct vtr_error *err)
{
	uint8_t buf[DMG_KOLY + DMG_KOLY_SEARCH];
	struct vtr_blk *f = d->im.file;
	size_t n = (size_t)VTR_MIN((uint64_t)sizeof(buf), f->size), at;
	struct vtr_cur c;

	if (vtr_blk_pread(f, f->size - n, buf, n, err) < 0)
		return -1;
	for (at = n >= DMG_KOLY ? n - DMG_KOLY : 0; at > 0 && memcmp(buf + at, "koly\0\0\0\x04", 8) != 0; at--)
		;
	c = vtr_cur_of(buf + at, n - at, f->size - n + at);
	if (n - at < DMG_KOLY || memcmp(buf + at, "koly\0\0\0\x04", 8) != 0) {
		n = (size_t)VTR_MIN((uint64_t)DMG_KOLY, f->size);
		if (vtr_blk_pread(f, 0, buf, n, err) < 0)
			return -1;
		c = vtr_cur_of(buf, n, 0);
	}
	return dmg_parse_koly(&d->k, &c, err);
}

/* ---------------------------------------------------------------------------------------------------------- tables */

static bool dmg_is_packed(uint32_t type)
{
	return type >= DMG_ADC && type <= DMG_XZ;
}

/*
 * Entry: 0 4 type, 4 4 comment, 8 8 first sector in the table, 16 8 sectors, 24 8 offset in the data fork, 32 8 stored
 * bytes. 1: to be kept.
 */
static int dmg_parse_entry(struct dmg_chunk *out, struct dmg *d, const uint8_t *p, uint64_t table_first,
			   uint64_t table_off, struct vtr_error *err)
{
	struct dmg_chunk k = { .type = vtr_get_be32(p), .sectors = vtr_get_be64(p + 16), .len = vtr_get_be64(p + 32) };
	uint64_t end, bytes;

	if (k.type == DMG_COMMENT || k.type == DMG_END || k.sectors == 0)
		return 0;
	if (k.type > DMG_IGNORE && !dmg_is_packed(k.type))
		return vtr_fail(err, VTR_EUNSUPPORTED, "type %#" PRIx32 " is unknown", k.type);
	if (vtr_add_over(table_first, vtr_get_be64(p + 8), &k.first) || vtr_add_over(k.first, k.sectors, &end) ||
	    end > INT64_MAX / DMG_SECTOR)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu64 " sectors at %#" PRIx64 " leave any disk", k.sectors,
				k.first);
	bytes = k.sectors * DMG_SECTOR;
	if (k.type == DMG_RAW || dmg_is_packed(k.type)) {
		if (vtr_add_over(d->k.data_off, table_off, &k.off) ||
		    vtr_add_over(k.off, vtr_get_be64(p + 24), &k.off) || !vtr_range_in(k.off, k.len, d->im.file->size))
			return vtr_fail(err, VTR_ETRUNCATED,
					"%" PRIu64 " bytes at %#" PRIx64 " leave the file, which ends at %#" PRIx64,
					k.len, k.off, d->im.file->size);
		if (k.type == DMG_RAW && k.len < bytes)
			return vtr_fail(err, VTR_ECORRUPT, "%" PRIu64 " stored bytes for %" PRIu64 " sectors", k.len,
					k.sectors);
	}
	if (dmg_is_packed(k.type)) {
		if (bytes > DMG_UNIT || k.len > DMG_UNIT)
			return vtr_fail(err, VTR_ELIMIT, "%" PRIu64 " bytes stored as %" PRIu64 ", at most %u", bytes,
					k.len, DMG_UNIT);
		if (VTR_OVER(d->im.blk.ctx, alloc, VTR_MAX(bytes, k.len), "a compressed piece", err) < 0)
			return -1;
		d->im.unit_max = VTR_MAX(d->im.unit_max, (size_t)bytes);
		d->types |= 1u << (k.type & 15);
	} else if (k.type == DMG_RAW) {
		d->types |= 1u << DMG_RAW;
	}
	*out = k;
	return 1;
}

static bool dmg_grow(struct dmg *d, struct vtr_error *err)
{
	size_t cap = d->cap;

	if (d->n == d->cap) {
		uint64_t more = (cap ? cap : 8) * sizeof(*d->chunk);

		if (vtr_charge(d->im.blk.ctx, more, "blkx tables", err) < 0)
			return false;
		d->charged += more;
	}
	return VTR_GROW(d->chunk, d->n, d->cap, err);
}

/*
 * Table.
 *   0  4  "mish"		 24  8  offset of its pieces in the data fork
 *   4  4  version 1		 64  4  type of its checksum, 68 4 bits of it, 72 it
 *   8  8  first sector	200  4  entries
 *  16  8  sectors		204     the entries
 */
static int dmg_parse_table(struct dmg *d, const uint8_t *p, size_t len, struct vtr_error *err)
{
	uint64_t first, off;
	uint32_t n;

	if (len < DMG_TABLE || memcmp(p, "mish", 4) != 0)
		return vtr_fail(err, VTR_ECORRUPT, "%zu bytes without the sign \"mish\"", len);
	if (vtr_get_be32(p + 4) != 1)
		return vtr_fail(err, VTR_EUNSUPPORTED, "version %" PRIu32 ", read is 1", vtr_get_be32(p + 4));
	first = vtr_get_be64(p + 8);
	off = vtr_get_be64(p + 24);
	n = vtr_get_be32(p + 200);
	if (n > (len - DMG_TABLE) / DMG_ENTRY)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu32 " entries in %zu bytes", n, len);
	if (vtr_get_be32(p + 64) == DMG_SUM_CRC32 && vtr_get_be32(p + 68) == 32)
		d->sum = vtr_crc32(d->sum, p + 72, 4);
	else
		d->summed = false;
	for (uint32_t i = 0; i < n; i++) {
		struct dmg_chunk k;
		int r;

		if (vtr_tick(d->im.blk.ctx, &d->steps, 1, err) < 0)
			return -1;
		r = dmg_parse_entry(&k, d, p + DMG_TABLE + DMG_ENTRY * (size_t)i, first, off, err);
		if (r < 0)
			return vtr_at(err, "entry %" PRIu32, i);
		if (r == 0)
			continue;
		if (!dmg_grow(d, err))
			return -1;
		d->chunk[d->n++] = k;
		d->end = VTR_MAX(d->end, k.first + k.sectors);
	}
	return 0;
}

static int dmg_add_table(struct dmg *d, const uint8_t *p, size_t len, const char *name, size_t name_len,
			 struct vtr_error *err)
{
	if (dmg_parse_table(d, p, len, err) < 0)
		return vtr_at(err, "blkx table %u", d->tables);
	d->tables++;
	if (name_len > 0 && d->names.len + name_len < DMG_NAMES) {
		vtr_str_puts(&d->names, d->names.len > 0 ? "; " : "");
		vtr_str_put(&d->names, name, name_len);
	}
	return 0;
}

/* --------------------------------------------------------------------------------------------------- property list */

static int dmg_base64_value(uint8_t c)
{
	return c >= 'A' && c <= 'Z'   ? c - 'A'
	       : c >= 'a' && c <= 'z' ? c - 'a' + 26
	       : c >= '0' && c <= '9' ? c - '0' + 52
	       : c == '+'	      ? 62
	       : c == '/'	      ? 63
				      : -1;
}

/* Base64 in place; false: another character. */
static bool dmg_base64(uint8_t *p, size_t *len)
{
	uint32_t bits = 0;
	size_t n = 0;
	unsigned have = 0;

	for (size_t i = 0; i < *len; i++) {
		int v = dmg_base64_value(p[i]);

		if (v < 0) {
			if (p[i] == '=' || p[i] == ' ' || p[i] == '\t' || p[i] == '\r' || p[i] == '\n')
				continue;
			return false;
		}
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			p[n++] = (uint8_t)(bits >> have);
		}
	}
	*len = n;
	return true;
}

/* plist(1) dict(2) "resource-fork" dict(3) "blkx" array(4) dict(5) "Name", "CFName", "Data" */
struct dmg_plist {
	struct dmg *d;
	char key[4][16];	   /* the last key in the dictionaries at depth 2 to 5 */
	struct vtr_str name, data; /* of the table of this dictionary */
	bool has_data;
};

static bool dmg_plist_at(const struct dmg_plist *l, unsigned depth, const char *key)
{
	return depth == 6 && strcmp(l->key[0], "resource-fork") == 0 && strcmp(l->key[1], "blkx") == 0 &&
	       strcmp(l->key[3], key) == 0;
}

static bool dmg_plist_is_name(const struct dmg_plist *l, unsigned depth, const char *element)
{
	return strcmp(element, "string") == 0 &&
	       (dmg_plist_at(l, depth, "CFName") || (dmg_plist_at(l, depth, "Name") && l->name.len == 0));
}

static bool dmg_plist_is_data(const struct dmg_plist *l, unsigned depth, const char *element)
{
	return strcmp(element, "data") == 0 && dmg_plist_at(l, depth, "Data");
}

static bool dmg_plist_is_key(unsigned depth, const char *element)
{
	return strcmp(element, "key") == 0 && depth >= 3 && depth <= 6;
}

static int dmg_plist_start(void *arg, unsigned depth, const char *name, const char *const *attrs, struct vtr_error *err)
{
	const struct dmg_plist *l = arg;

	(void)attrs, (void)err;
	return dmg_plist_is_key(depth, name) || dmg_plist_is_data(l, depth, name) || dmg_plist_is_name(l, depth, name);
}

static int dmg_plist_put_data(struct dmg_plist *l, char *text, size_t len, struct vtr_error *err)
{
	if (len == 0)
		return 0;
	if (l->has_data)
		return vtr_fail(err, VTR_ECORRUPT, "data in two pieces");
	if (!dmg_base64((uint8_t *)text, &len))
		return vtr_fail(err, VTR_ECORRUPT, "no base64");
	vtr_str_put(&l->data, text, len);
	l->has_data = true;
	return 0;
}

/* A dictionary of the array ends. */
static int dmg_plist_end_table(struct dmg_plist *l, struct vtr_error *err)
{
	if (l->name.oom || l->data.oom)
		return vtr_fail(err, VTR_ENOMEM, "out of memory for a blkx table");
	if (l->has_data &&
	    dmg_add_table(l->d, (const uint8_t *)l->data.p, l->data.len, l->name.p, l->name.len, err) < 0)
		return -1;
	l->name.len = l->data.len = 0;
	l->has_data = false;
	memset(l->key[3], 0, sizeof(l->key[3]));
	return 0;
}

static int dmg_plist_end(void *arg, unsigned depth, const char *name, char *text, size_t len, struct vtr_error *err)
{
	struct dmg_plist *l = arg;

	if (dmg_plist_is_key(depth, name)) {
		memset(l->key[depth - 3], 0, sizeof(l->key[0]));
		if (len < sizeof(l->key[0]))
			memcpy(l->key[depth - 3], text, len);
	} else if (dmg_plist_is_data(l, depth, name)) {
		return dmg_plist_put_data(l, text, len, err);
	} else if (dmg_plist_is_name(l, depth, name)) {
		l->name.len = 0;
		vtr_str_put(&l->name, text, len);
	} else if (depth == 5) {
		return dmg_plist_end_table(l, err);
	}
	return 0;
}

static int dmg_read_plist(struct dmg *d, struct vtr_error *err)
{
	/* Apple's document type is in each. */
	static const struct vtr_xml xml = {
		.doctype = true, .no_xml = "no XML, or cut off", .start = dmg_plist_start, .end = dmg_plist_end
	};
	VTR_FREE uint8_t *document = NULL;
	struct dmg_plist l = { .d = d };
	int r;

	if (vtr_blk_read_new(&document, d->im.file, d->k.xml_off, d->k.xml_len, "property list", err) < 0)
		return -1;
	r = vtr_xml_parse(&xml, &l, d->im.blk.ctx, document, (size_t)d->k.xml_len, err);
	vtr_str_done(&l.name);
	vtr_str_done(&l.data);
	return r < 0 ? vtr_at(err, "property list") : 0;
}

/* --------------------------------------------------------------------------------------------------- resource fork */

/*
 * Inside Macintosh: More Macintosh Toolbox, 1-121. Header: 0 4 offset of the data, 4 4 of the map, 8 4 length of the
 * data, 12 4 of the map. Map: 24 2 offset of the list of types, 26 2 of the names. List: count - 1, then 4 type,
 * 2 count - 1, 2 offset of its references, which have 2 id, 2 offset of the name, 1 attributes, 3 offset of the data,
 * 4 reserved. Data: 4 length, the bytes.
 */
static int dmg_parse_fork(struct dmg *d, const uint8_t *fork, size_t len, struct vtr_error *err)
{
	struct vtr_cur c = vtr_cur_of(fork, len, d->k.rsrc_off);
	uint32_t data = vtr_cur_be32(&c), map = vtr_cur_be32(&c), types, names;
	unsigned n_types;

	vtr_cur_seek(&c, map);
	vtr_cur_skip(&c, 24);
	types = map + vtr_cur_be16(&c);
	names = map + vtr_cur_be16(&c);
	vtr_cur_seek(&c, types);
	n_types = (uint16_t)(vtr_cur_be16(&c) + 1u);
	for (unsigned i = 0; i < n_types && !c.bad; i++) {
		struct vtr_cur t = c;
		uint32_t type, refs;
		unsigned n;

		vtr_cur_seek(&t, types);
		vtr_cur_skip(&t, 2 + 8 * (size_t)i);
		type = vtr_cur_be32(&t);
		n = (unsigned)vtr_cur_be16(&t) + 1;
		refs = types + vtr_cur_be16(&t);
		if (t.bad)
			return vtr_fail(err, VTR_ECORRUPT, "resource fork: its list of types leaves it");
		for (unsigned k = 0; k < n && type == 0x626c6b78 /* "blkx" */; k++) {
			struct vtr_cur r = vtr_cur_of(fork, len, d->k.rsrc_off), name = r;
			uint32_t name_at, at, table_len;
			const uint8_t *table, *text;
			uint8_t name_len;

			/* Types and references may share their bytes: there are more of them than bytes. */
			if (vtr_tick(d->im.blk.ctx, &d->steps, DMG_TABLE_STEPS, err) < 0)
				return -1;
			vtr_cur_seek(&r, refs);
			vtr_cur_skip(&r, 12 * (size_t)k + 2);
			name_at = vtr_cur_be16(&r);
			at = vtr_cur_be32(&r) & 0xffffff;
			vtr_cur_seek(&r, data);
			vtr_cur_skip(&r, at);
			table_len = vtr_cur_be32(&r);
			table = vtr_cur_take(&r, table_len);
			if (!table)
				return vtr_fail(err, VTR_ECORRUPT, "resource fork: blkx resource %u leaves it", k);
			vtr_cur_seek(&name, names);
			vtr_cur_skip(&name, name_at);
			name_len = vtr_cur_u8(&name);
			text = name_at == 0xffff ? NULL : vtr_cur_take(&name, name_len);
			if (dmg_add_table(d, table, table_len, (const char *)text, text ? name_len : 0, err) < 0)
				return -1;
		}
	}
	return c.bad ? vtr_fail(err, VTR_ECORRUPT, "resource fork: its map leaves it") : 0;
}

static int dmg_read_fork(struct dmg *d, struct vtr_error *err)
{
	VTR_FREE uint8_t *fork = NULL;

	if (vtr_blk_read_new(&fork, d->im.file, d->k.rsrc_off, d->k.rsrc_len, "resource fork", err) < 0)
		return -1;
	return dmg_parse_fork(d, fork, (size_t)d->k.rsrc_len, err);
}

/* --------------------------------------------------------------------------------------------------------- mapping */

static int dmg_map(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err)
{
	struct dmg *d = (struct dmg *)im;
	uint64_t sector = off / DMG_SECTOR, start, end;
	size_t low = 0, high = d->n;
	const struct dmg_chunk *k;

	(void)max;
	(void)err;
	/* The first that ends behind the sector. */
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (d->chunk[mid].first + d->chunk[mid].sectors > sector)
			high = mid;
		else
			low = mid + 1;
	}
	if (low == d->n || d->chunk[low].first > sector) {
		out->kind = VTR_RUN_ABSENT;
		out->len = (low == d->n ? im->blk.size : d->chunk[low].first * DMG_SECTOR) - off;
		return 0;
	}
	k = &d->chunk[low];
	start = k->first * DMG_SECTOR;
	end = start + k->sectors * DMG_SECTOR;
	out->len = end - off;
	if (k->type == DMG_ZERO) {
		out->kind = VTR_RUN_ZERO;
	} else if (k->type == DMG_IGNORE) {
		out->kind = VTR_RUN_ABSENT;
	} else if (k->type == DMG_RAW) {
		out->kind = VTR_RUN_PLAIN;
		out->host = k->off + (off - start);
		/* Pieces that go on in the file. */
		for (size_t i = low + 1; i < d->n && out->len < max; i++) {
			const struct dmg_chunk *next = &d->chunk[i];

			if (next->type != DMG_RAW || next->first * DMG_SECTOR != off + out->len ||
			    next->off != out->host + out->len)
				break;
			out->len += next->sectors * DMG_SECTOR;
		}
	} else {
		out->kind = VTR_RUN_PACKED;
		out->host = k->off;
		out->host_len = k->len;
		out->unit = start;
		out->unit_len = (size_t)(end - start);
		out->method = k->type;
	}
	return 0;
}

static const struct dmg_method {
	const char *name;
	const struct vtr_method *method;
} dmg_methods[] = {
	{ "ADC", &vtr_method_adc }, { "zlib", &vtr_method_zlib }, { "bzip2", &vtr_method_bzip2 },
	{ "LZFSE", NULL },	    { "LZMA", &vtr_method_xz },
};

static int dmg_unpack(struct vtr_image *im, const struct vtr_run *run, struct vtr_codec *c, uint8_t *out,
		      struct vtr_error *err)
{
	const struct dmg_method *m = &dmg_methods[run->method - DMG_ADC];
	size_t len = (size_t)run->host_len;
	int good;

	if (!m->method)
		return vtr_fail(err, VTR_EUNSUPPORTED, "the piece at %#" PRIx64 " is compressed with LZFSE: not read",
				run->host);
	if (vtr_codec_load(c, im->file, run->host, len, err) < 0)
		return -1;
	good = vtr_codec_decode(c, m->method, out, run->unit_len, c->in, len, err);
	if (good < 0)
		return -1;
	if (!good)
		return vtr_fail(err, VTR_ECORRUPT,
				"piece at %#" PRIx64 ": %zu bytes of %s are no %zu bytes of the disk", run->host, len,
				m->name, run->unit_len);
	return 0;
}

static void dmg_close(struct vtr_image *im)
{
	struct dmg *d = (struct dmg *)im;

	free(d->chunk);
	vtr_str_done(&d->names);
	vtr_uncharge(im->blk.ctx, d->charged);
}

static const struct vtr_image_ops dmg_ops = {
	.blk = VTR_IMAGE_BLK_OPS("dmg"),
	.map = dmg_map,
	.unpack = dmg_unpack,
	.close = dmg_close,
};

/* ------------------------------------------------------------------------------------------------------------ open */

static int dmg_compare(const void *a, const void *b)
{
	uint64_t x = ((const struct dmg_chunk *)a)->first, y = ((const struct dmg_chunk *)b)->first;

	return x < y ? -1 : x > y;
}

/* Without tables, the data fork is the disk. */
static int dmg_plain(struct dmg *d, struct vtr_error *err)
{
	struct dmg_chunk k = { .type = DMG_RAW, .off = d->k.data_off, .len = d->k.data_len };

	k.sectors = d->k.data_len / DMG_SECTOR;
	if (k.sectors == 0)
		return vtr_fail(err, VTR_ECORRUPT, "trailer: neither property list nor resource fork nor data");
	if (!vtr_range_in(k.off, k.len, d->im.file->size))
		return vtr_fail(err, VTR_ETRUNCATED,
				"data fork: %" PRIu64 " bytes at %#" PRIx64 " leave the file, which ends at %#" PRIx64,
				k.len, k.off, d->im.file->size);
	if (!dmg_grow(d, err))
		return -1;
	d->types |= 1u << DMG_RAW;
	d->chunk[d->n++] = k;
	d->end = k.sectors;
	return 0;
}

static int dmg_read_tables(struct dmg *d, struct vtr_error *err)
{
	d->summed = true;
	if (d->k.xml_len > 0) {
		if (dmg_read_plist(d, err) < 0)
			return -1;
	} else if (d->k.rsrc_len > 0) {
		if (dmg_read_fork(d, err) < 0)
			return -1;
	} else if (dmg_plain(d, err) < 0) {
		return -1;
	}
	if (d->tables == 0 && (d->k.xml_len > 0 || d->k.rsrc_len > 0))
		return vtr_fail(err, VTR_ECORRUPT, "the %s has no blkx table",
				d->k.xml_len > 0 ? "property list" : "resource fork");
	if (d->n > 0)
		qsort(d->chunk, d->n, sizeof(*d->chunk), dmg_compare);
	for (size_t i = 1; i < d->n; i++)
		if (d->chunk[i].first < d->chunk[i - 1].first + d->chunk[i - 1].sectors)
			return vtr_fail(err, VTR_ECORRUPT,
					"two pieces for sector %#" PRIx64 ": of type %#" PRIx32 " and %#" PRIx32,
					d->chunk[i].first, d->chunk[i - 1].type, d->chunk[i].type);
	if (d->tables > 0 && d->summed && d->k.sum_type == DMG_SUM_CRC32 && !vtr_sum_ok(d->k.sum, d->sum))
		vtr_image_warn(&d->im, VTR_ECORRUPT,
			       "checksum of the tables %08" PRIx32 ", expected %08" PRIx32 " by the trailer", d->sum,
			       d->k.sum);
	if (d->k.sectors == 0)
		d->k.sectors = d->end;
	if (d->end > d->k.sectors)
		vtr_image_warn(&d->im, VTR_ECORRUPT,
			       "its tables describe %" PRIu64 " sectors, the trailer says %" PRIu64
			       ": the rest is left out",
			       d->end, d->k.sectors);
	return 0;
}

static const char *dmg_subformat(const struct dmg *d)
{
	static const struct {
		uint32_t type;
		const char *name;
	} names[] = { { DMG_XZ, "ULMO" },
		      { DMG_LZFSE, "ULFO" },
		      { DMG_BZIP2, "UDBZ" },
		      { DMG_ZLIB, "UDZO" },
		      { DMG_ADC, "UDCO" } };

	for (size_t i = 0; i < VTR_COUNT(names); i++)
		if (d->types & 1u << (names[i].type & 15))
			return names[i].name;
	return "UDRO";
}

static int dmg_make_info(struct dmg *d, struct vtr_error *err)
{
	struct vtr_image *im = &d->im;
	static const uint8_t none[16];
	char id[37];

	im->info.subformat = dmg_subformat(d);
	im->info.logical_sector = DMG_SECTOR;
	for (uint32_t type = DMG_ADC; type <= DMG_XZ; type++)
		if (d->types & 1u << (type & 15))
			im->info.compression = dmg_methods[type - DMG_ADC].name;
	if (memcmp(d->k.segment_id, none, 16) != 0) {
		vtr_uuid_text(id, d->k.segment_id);
		if (!(im->info.id = vtr_image_text(im, id, 36, err)))
			return -1;
	}
	if (vtr_image_prop_number(im, "tables", "blkx tables", d->tables, err) < 0 ||
	    vtr_image_prop_number(im, "chunks", "pieces", d->n, err) < 0 ||
	    vtr_image_prop_bytes(im, "data_fork", "data fork", d->k.data_len, err) < 0)
		return -1;
	if (d->names.oom)
		return vtr_fail(err, VTR_ENOMEM, "out of memory");
	if (d->names.len > 0 && vtr_image_prop_text(im, "partitions", "partitions",
						    vtr_image_text(im, d->names.p, d->names.len, err), err) < 0)
		return -1;
	if (d->k.data_sum_type == DMG_SUM_CRC32 &&
	    vtr_image_prop_text(im, "data_crc32", "CRC-32 of data",
				vtr_image_textf(im, err, "%08" PRIx32, d->k.data_sum), err) < 0)
		return -1;
	if (d->k.sum_type == DMG_SUM_CRC32 &&
	    vtr_image_prop_text(im, "tables_crc32", "CRC-32 of tables",
				vtr_image_textf(im, err, "%08" PRIx32, d->k.sum), err) < 0)
		return -1;
	return 0;
}

static int dmg_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = NULL;
	struct dmg *d;

	if (o->opt->snapshot)
		return vtr_fail(err, VTR_ENOTFOUND, "no snapshot \"%s\": the format has none", o->opt->snapshot);
	im = vtr_image_new(&dmg_ops, sizeof(*d), o, err);
	d = (struct dmg *)im;
	if (!im || dmg_check_encrypted(d, err) < 0 || dmg_read_koly(d, err) < 0)
		return -1;
	if (d->k.segments > 1)
		return vtr_fail(err, VTR_EUNSUPPORTED,
				"segment %" PRIu32 " of %" PRIu32
				": an image in several files (.dmgpart), of which only whole ones are read",
				d->k.segment, d->k.segments);
	if (dmg_read_tables(d, err) < 0 || dmg_make_info(d, err) < 0)
		return -1;
	if ((d->types & 1u << (DMG_LZFSE & 15)) && !o->opt->alone)
		return vtr_fail(err, VTR_EUNSUPPORTED, "compressed with LZFSE (ULFO): not read");
	im->blk.size = d->k.sectors * DMG_SECTOR;
	return vtr_image_finish(out, &im, o, err);
}

static bool dmg_is_koly(const uint8_t *p, size_t len)
{
	return len >= DMG_KOLY && memcmp(p, "koly\0\0\0\x04", 8) == 0;
}

static const uint8_t *dmg_find_koly(const struct vtr_probe *p)
{
	size_t n = p->tail_len;

	for (size_t back = DMG_KOLY; back <= n && back <= DMG_KOLY + DMG_KOLY_SEARCH; back++)
		if (dmg_is_koly(p->tail + n - back, back))
			return p->tail + n - back;
	return dmg_is_koly(p->head, p->head_len) && vtr_get_be32(p->head + 8) == DMG_KOLY ? p->head : NULL;
}

/* The trailer's sign and version; what encryption puts there instead. */
static int dmg_probe(const struct vtr_probe *p)
{
	if (dmg_find_koly(p))
		return 64;
	if (p->head_len >= 12 && memcmp(p->head, "encrcdsa\0\0\0", 11) == 0)
		return 64;
	return p->tail_len >= 8 && memcmp(p->tail + p->tail_len - 8, "cdsaencr", 8) == 0 ? 64 : 0;
}

/* What is stored as it is starts with the disk. */
static bool dmg_raw_inside(const struct vtr_probe *p)
{
	const uint8_t *k = dmg_find_koly(p);

	return k && vtr_get_be64(k + 24) == 0 && vtr_get_be64(k + 32) / DMG_SECTOR >= vtr_get_be64(k + 492);
}

extern const struct vtr_format vtr_format_dmg;
const struct vtr_format vtr_format_dmg = {
	.name = "dmg",
	.title = "Apple disk image (UDIF)",
	.probe = dmg_probe,
	.raw_inside = dmg_raw_inside,
	.open = dmg_open,
};
