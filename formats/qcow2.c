/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow2, versions 2 and 3: QEMU's docs/interop/qcow2.txt, big endian. Names of bits and tables are that document's.
 *
 * The two-level table L1 -> L2 -> cluster is never held as a whole: entries are read through a cache of pages of the
 * file, so that an image costs the same memory whatever it claims to hold. Refcounts are of no use to a reader; the
 * place of their table is checked, so that no other table lies in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/image.h"

#define QCOW2_MAGIC 0x514649fbu
#define QCOW2_V2_HEADER 72u
#define QCOW2_V3_HEADER 104u

/* Bounds of ours; qemu's are the same or wider. */
#define QCOW2_MAX_L1 (32u << 20)      /* bytes */
#define QCOW2_MAX_REFTABLE (8u << 20) /* bytes */
#define QCOW2_MAX_SNAPTABLE (64u << 20)
#define QCOW2_MAX_SNAP_EXTRA 1024u
#define QCOW2_MAX_BACKING 1023u
#define QCOW2_MAX_EXTENSION (1u << 20)

#define QCOW2_INCOMPAT_DIRTY (1u << 0)
#define QCOW2_INCOMPAT_CORRUPT (1u << 1)
#define QCOW2_INCOMPAT_DATA_FILE (1u << 2)
#define QCOW2_INCOMPAT_COMPRESSION (1u << 3)
#define QCOW2_INCOMPAT_EXTL2 (1u << 4)
#define QCOW2_INCOMPAT_KNOWN 0x1fu
#define QCOW2_AUTOCLEAR_RAW_DATA (1u << 1)

#define QCOW2_EXT_BACKING_FORMAT 0xe2792acau
#define QCOW2_EXT_FEATURES 0x6803f857u
#define QCOW2_EXT_BITMAPS 0x23852875u
#define QCOW2_EXT_DATA_FILE 0x44415441u

#define QCOW2_OFFSET_MASK 0x00fffffffffffe00u /* of L1 and standard L2 entries */
#define QCOW2_L2_COMPRESSED (1ull << 62)
#define QCOW2_L2_ZERO (1ull << 0)

#define QCOW2_BATCH 64u /* L2 entries looked at in one go */

enum { QCOW2_ZLIB = 0, QCOW2_ZSTD = 1 };

/* The header's fields after checking. */
struct qcow2_header {
	uint32_t version;
	uint64_t backing_off;
	uint32_t backing_len;
	uint32_t cluster_log2;
	uint64_t size;
	uint32_t crypt;
	uint32_t l1_entries;
	uint64_t l1_off;
	uint64_t reftable_off;
	uint32_t reftable_clusters;
	uint32_t snapshots;
	uint64_t snapshots_off;
	uint64_t incompat, compat, autoclear;
	uint32_t refcount_order;
	uint32_t header_len;
	uint8_t compression;
};

/* A range of the file that holds one of the fixed tables. */
struct qcow2_area {
	const char *what;
	uint64_t off, len;
};

struct qcow2_snapshot {
	struct vtr_snapshot pub;
	uint64_t l1_off;
	uint32_t l1_entries;
};

struct qcow2 {
	struct vtr_image im;
	struct vtr_blk *data; /* where plain clusters lie: the image's file, or the data file; NULL: not opened */
	struct qcow2_header h;
	const char *encrypted; /* NULL: it is not */

	uint64_t l1_off; /* of the state that is shown: the present one, or a snapshot's */
	uint32_t l1_entries;
	uint64_t cluster;   /* bytes */
	unsigned l2_log2;   /* entries of an L2 table */
	unsigned entry_len; /* 8, or 16 with subclusters */
	struct qcow2_area areas[5];
	size_t n_areas;

	char *backing_name, *backing_format, *data_name;
	uint8_t *features; /* the feature name table */
	size_t features_len;
	uint32_t bitmaps;
	struct qcow2_snapshot *snapshots;
	struct vtr_snapshot *snapshots_pub;
};

/* ---------------------------------------------------------------------------------------------------------- header */

/*
 * Header, all big endian.
 *   0  4  magic "QFI\xfb"		  48  8  refcount_table_offset
 *   4  4  version			  56  4  refcount_table_clusters
 *   8  8  backing_file_offset		  60  4  nb_snapshots
 *  16  4  backing_file_size		  64  8  snapshots_offset
 *  20  4  cluster_bits			  72  8  incompatible_features	(from here on: version 3)
 *  24  8  size				  80  8  compatible_features
 *  32  4  crypt_method			  88  8  autoclear_features
 *  36  4  l1_size			  96  4  refcount_order
 *  40  8  l1_table_offset		 100  4  header_length
 *					 104  1  compression_type	(when header_length covers it)
 */
static int qcow2_parse_header(struct qcow2_header *out, struct vtr_cur *c, struct vtr_error *err)
{
	struct qcow2_header h = { 0 };

	if (vtr_cur_be32(c) != QCOW2_MAGIC)
		return vtr_fail(err, c->bad ? VTR_ETRUNCATED : VTR_ECORRUPT,
				"no header: it does not start with \"QFI\" and 0xfb");
	h.version = vtr_cur_be32(c);
	h.backing_off = vtr_cur_be64(c);
	h.backing_len = vtr_cur_be32(c);
	h.cluster_log2 = vtr_cur_be32(c);
	h.size = vtr_cur_be64(c);
	h.crypt = vtr_cur_be32(c);
	h.l1_entries = vtr_cur_be32(c);
	h.l1_off = vtr_cur_be64(c);
	h.reftable_off = vtr_cur_be64(c);
	h.reftable_clusters = vtr_cur_be32(c);
	h.snapshots = vtr_cur_be32(c);
	h.snapshots_off = vtr_cur_be64(c);
	h.refcount_order = 4;
	h.header_len = QCOW2_V2_HEADER;
	if (!c->bad && h.version != 2 && h.version != 3)
		return vtr_fail(err, VTR_EUNSUPPORTED, "header: version %" PRIu32 ", read are 2 and 3", h.version);
	if (h.version == 3) {
		h.incompat = vtr_cur_be64(c);
		h.compat = vtr_cur_be64(c);
		h.autoclear = vtr_cur_be64(c);
		h.refcount_order = vtr_cur_be32(c);
		h.header_len = vtr_cur_be32(c);
		if (!c->bad && h.header_len > QCOW2_V3_HEADER)
			h.compression = vtr_cur_u8(c);
	}
	if (c->bad)
		return vtr_fail(err, VTR_ETRUNCATED, "header: the file has %zu bytes", vtr_cur_len(c));
	if (h.cluster_log2 < 9 || h.cluster_log2 > 21)
		return vtr_fail(err, VTR_ECORRUPT, "header: cluster_bits %" PRIu32 ", expected 9 to 21",
				h.cluster_log2);
	if (h.version == 3 && h.header_len < QCOW2_V3_HEADER)
		return vtr_fail(err, VTR_ECORRUPT, "header: header_length %" PRIu32 ", expected at least %u",
				h.header_len, QCOW2_V3_HEADER);
	if (h.header_len > 1u << h.cluster_log2)
		return vtr_fail(err, VTR_ECORRUPT, "header: header_length %" PRIu32 " is more than a cluster",
				h.header_len);
	if (h.refcount_order > 6)
		return vtr_fail(err, VTR_ECORRUPT, "header: refcount_order %" PRIu32 ", expected 0 to 6",
				h.refcount_order);
	if (h.size > INT64_MAX)
		return vtr_fail(err, VTR_ECORRUPT, "header: size %" PRIu64 " is more than 2^63", h.size);
	if (h.crypt > 2)
		return vtr_fail(err, VTR_EUNSUPPORTED, "header: crypt_method %" PRIu32 " is unknown", h.crypt);
	if (h.backing_off != 0 && h.backing_len > QCOW2_MAX_BACKING)
		return vtr_fail(err, VTR_ECORRUPT, "header: backing file name of %" PRIu32 " bytes, at most %u",
				h.backing_len, QCOW2_MAX_BACKING);
	*out = h;
	return 0;
}

static bool qcow2_text_is(const uint8_t *p, size_t len)
{
	return memchr(p, 0, len) == NULL;
}

/* Header extensions: type, length, data padded to 8 bytes; they end with type 0, or where the first cluster does. */
static int qcow2_parse_extensions(struct qcow2 *q, struct vtr_cur *c, struct vtr_error *err)
{
	while (vtr_cur_left(c) >= 8) {
		uint32_t type = vtr_cur_be32(c), len = vtr_cur_be32(c);
		uint64_t at = c->origin + (uint64_t)(c->p - c->base) - 8;
		const uint8_t *p;

		if (type == 0)
			return 0;
		if (len > QCOW2_MAX_EXTENSION || !(p = vtr_cur_take(c, len)))
			return vtr_fail(err, VTR_ECORRUPT,
					"header extension %#" PRIx32 " at %#" PRIx64 ": %" PRIu32
					" bytes leave the header cluster",
					type, at, len);
		vtr_cur_skip(c, VTR_MIN((8 - len % 8) % 8, vtr_cur_left(c)));
		switch (type) {
		case QCOW2_EXT_BACKING_FORMAT:
		case QCOW2_EXT_DATA_FILE: {
			char **to = type == QCOW2_EXT_DATA_FILE ? &q->data_name : &q->backing_format;

			if (len == 0) /* as good as none */
				break;
			if (len > QCOW2_MAX_BACKING || !qcow2_text_is(p, len) || *to)
				return vtr_fail(err, VTR_ECORRUPT, "header extension %#" PRIx32 " at %#" PRIx64 ": %s",
						type, at, *to ? "a second one" : "no name");
			if (!(*to = vtr_strndup((const char *)p, len, err)))
				return -1;
			break;
		}
		case QCOW2_EXT_FEATURES:
			free(q->features);
			q->features_len = 0;
			if (!(q->features = vtr_calloc(1, len, err)))
				return -1;
			memcpy(q->features, p, len);
			q->features_len = len;
			break;
		case QCOW2_EXT_BITMAPS:
			if (len >= 4)
				q->bitmaps = vtr_get_be32(p);
			break;
		default: /* unknown extensions are to be ignored; the crypto header is named by crypt_method */
			break;
		}
	}
	return 0;
}

/* The name of an incompatible feature bit by the image's own table (48 bytes: kind, bit, name), escaped. */
static void qcow2_feature_name(char *out, size_t size, const struct qcow2 *q, unsigned bit)
{
	for (size_t i = 0; i + 48 <= q->features_len; i += 48) {
		const uint8_t *f = q->features + i;

		if (f[0] == 0 && f[1] == bit) {
			snprintf(out, size, "\"%.46s\" (bit %u)", (const char *)f + 2, bit);
			return;
		}
	}
	snprintf(out, size, "bit %u", bit);
}

static int qcow2_check_features(const struct qcow2 *q, struct vtr_error *err)
{
	uint64_t unknown = q->h.incompat & ~(uint64_t)QCOW2_INCOMPAT_KNOWN;
	char name[80];

	if (unknown) {
		qcow2_feature_name(name, sizeof(name), q, (unsigned)__builtin_ctzll(unknown));
		return vtr_fail(err, VTR_EUNSUPPORTED, "incompatible feature %s is unknown", name);
	}
	if (q->h.compression > QCOW2_ZSTD)
		return vtr_fail(err, VTR_EUNSUPPORTED, "compression type %u is unknown", q->h.compression);
	if ((q->h.compression != QCOW2_ZLIB) != !!(q->h.incompat & QCOW2_INCOMPAT_COMPRESSION))
		return vtr_fail(err, VTR_ECORRUPT, "compression type %u and its feature bit (%s) do not agree",
				q->h.compression, q->h.incompat & QCOW2_INCOMPAT_COMPRESSION ? "set" : "clear");
	if ((q->h.incompat & QCOW2_INCOMPAT_EXTL2) && q->h.cluster_log2 < 14)
		return vtr_fail(err, VTR_ECORRUPT, "subclusters in clusters of %u bytes, expected at least 16384",
				1u << q->h.cluster_log2);
	return 0;
}

/* ----------------------------------------------------------------------------------------------------------- areas */

/* A fixed table lies at off: aligned, within the file, beside all others. */
static int qcow2_add_area(struct qcow2 *q, const char *what, uint64_t off, uint64_t len, struct vtr_error *err)
{
	if (len == 0)
		return 0;
	if (off % q->cluster != 0)
		return vtr_fail(err, VTR_ECORRUPT, "%s at %#" PRIx64 " is not aligned to a cluster of %#" PRIx64, what,
				off, q->cluster);
	if (!vtr_range_in(off, len, q->im.file->size))
		return vtr_fail(err, VTR_ETRUNCATED,
				"%s: %" PRIu64 " bytes at %#" PRIx64 " end past the end of the file (%#" PRIx64 ")",
				what, len, off, q->im.file->size);
	for (size_t i = 0; i < q->n_areas; i++)
		if (off < q->areas[i].off + q->areas[i].len && q->areas[i].off < off + len)
			return vtr_fail(err, VTR_ECORRUPT, "%s at %#" PRIx64 " overlaps the %s at %#" PRIx64, what, off,
					q->areas[i].what, q->areas[i].off);
	q->areas[q->n_areas++] = (struct qcow2_area){ what, off, len };
	return 0;
}

/* Which fixed table the bytes run into; NULL: none. */
static const struct qcow2_area *qcow2_in_area(const struct qcow2 *q, uint64_t off, uint64_t len)
{
	for (size_t i = 0; i < q->n_areas; i++)
		if (off < q->areas[i].off + q->areas[i].len && q->areas[i].off < off + len)
			return &q->areas[i];
	return NULL;
}

/* The L1 table has an entry for every L2 table that a disk of size bytes needs. */
static int qcow2_check_l1(const struct qcow2 *q, const char *what, uint64_t size, uint32_t entries,
			  struct vtr_error *err)
{
	uint64_t need = vtr_div_up(vtr_div_up(size, q->cluster), 1ull << q->l2_log2);

	if (entries > QCOW2_MAX_L1 / 8)
		return vtr_fail(err, VTR_ELIMIT, "%s: %" PRIu32 " entries, at most %u", what, entries,
				QCOW2_MAX_L1 / 8);
	if (entries < need)
		return vtr_fail(err, VTR_ECORRUPT,
				"%s: %" PRIu32 " entries, a disk of %" PRIu64 " bytes needs %" PRIu64, what, entries,
				size, need);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------- snapshots */

/*
 * Snapshot table entry, padded to 8 bytes.
 *   0  8  l1_table_offset		 24  8  vm_clock_nsec
 *   8  4  l1_size			 32  4  vm_state_size
 *  12  2  id_str_size			 36  4  extra_data_size
 *  14  2  name_size			 40     extra data: vm_state_size 8, disk size 8, icount 8
 *  16  4  date_sec			        id_str, name
 *  20  4  date_nsec
 */
static int qcow2_parse_snapshot(struct qcow2_snapshot *s, const struct qcow2 *q, struct vtr_cur *c,
				struct vtr_error *err)
{
	uint16_t id_len, name_len;
	uint32_t extra_len;
	const uint8_t *extra, *id, *name;

	s->l1_off = vtr_cur_be64(c);
	s->l1_entries = vtr_cur_be32(c);
	id_len = vtr_cur_be16(c);
	name_len = vtr_cur_be16(c);
	s->pub.date_s = vtr_cur_be32(c);
	s->pub.date_ns = vtr_cur_be32(c);
	s->pub.vm_clock_ns = vtr_cur_be64(c);
	s->pub.vm_state_size = vtr_cur_be32(c);
	extra_len = vtr_cur_be32(c);
	s->pub.size = q->h.size;
	if (!c->bad && extra_len > QCOW2_MAX_SNAP_EXTRA)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu32 " bytes of extra data, at most %u", extra_len,
				QCOW2_MAX_SNAP_EXTRA);
	extra = vtr_cur_take(c, extra_len);
	id = vtr_cur_take(c, id_len);
	name = vtr_cur_take(c, name_len);
	if (c->bad)
		return vtr_fail(err, VTR_ETRUNCATED, "it leaves the file");
	if (extra_len >= 8)
		s->pub.vm_state_size = vtr_get_be64(extra);
	if (extra_len >= 16)
		s->pub.size = vtr_get_be64(extra + 8);
	if (s->pub.size > INT64_MAX)
		return vtr_fail(err, VTR_ECORRUPT, "disk size %" PRIu64 " is more than 2^63", s->pub.size);
	s->pub.id = vtr_strndup((const char *)id, id_len, err);
	s->pub.name = s->pub.id ? vtr_strndup((const char *)name, name_len, err) : NULL;
	return s->pub.name ? 0 : -1;
}

static int qcow2_read_snapshots(struct qcow2 *q, struct vtr_error *err)
{
	uint64_t max, at = 0;
	VTR_FREE uint8_t *table = NULL;
	uint64_t have;

	if (q->h.snapshots == 0)
		return 0;
	if (VTR_OVER(q->im.blk.ctx, snapshots, q->h.snapshots, "internal snapshots", err) < 0)
		return -1;
	if (q->h.snapshots_off % q->cluster != 0)
		return vtr_fail(err, VTR_ECORRUPT, "snapshot table at %#" PRIx64 " is not aligned to a cluster",
				q->h.snapshots_off);
	if (!vtr_range_in(q->h.snapshots_off, 40ull * q->h.snapshots, q->im.file->size))
		return vtr_fail(err, VTR_ETRUNCATED,
				"snapshot table at %#" PRIx64 " with %" PRIu32
				" entries ends past the end of the file (%#" PRIx64 ")",
				q->h.snapshots_off, q->h.snapshots, q->im.file->size);
	/* Entries have any length up to this; read what the file has of it. */
	max = q->h.snapshots * (40ull + QCOW2_MAX_SNAP_EXTRA + 2 * 65535ull + 8);
	max = VTR_MIN(max, (uint64_t)QCOW2_MAX_SNAPTABLE);
	have = VTR_MIN(max, q->im.file->size - q->h.snapshots_off);
	if (vtr_blk_read_new(&table, q->im.file, q->h.snapshots_off, have, "snapshot table", err) < 0)
		return -1;
	q->snapshots = vtr_calloc(q->h.snapshots, sizeof(*q->snapshots), err);
	q->snapshots_pub = q->snapshots ? vtr_calloc(q->h.snapshots, sizeof(*q->snapshots_pub), err) : NULL;
	if (!q->snapshots_pub)
		return -1;
	for (uint32_t i = 0; i < q->h.snapshots; i++) {
		struct vtr_cur c = vtr_cur_of(table + at, (size_t)(have - at), q->h.snapshots_off + at);

		if (qcow2_parse_snapshot(&q->snapshots[i], q, &c, err) < 0)
			return vtr_at(err, "snapshot %" PRIu32 " at %#" PRIx64, i, c.origin);
		q->snapshots_pub[i] = q->snapshots[i].pub;
		at += (uint64_t)(c.p - c.base);
		at = VTR_MIN((at + 7) & ~7ull, have);
	}
	return qcow2_add_area(q, "snapshot table", q->h.snapshots_off, at, err);
}

/* Show the disk as it was in a snapshot: by id, else by name. */
static int qcow2_choose_snapshot(struct qcow2 *q, const char *want, struct vtr_error *err)
{
	const struct qcow2_snapshot *s = NULL;

	for (uint32_t i = 0; i < q->h.snapshots && !s; i++)
		if (strcmp(q->snapshots[i].pub.id, want) == 0)
			s = &q->snapshots[i];
	for (uint32_t i = 0; i < q->h.snapshots && !s; i++)
		if (strcmp(q->snapshots[i].pub.name, want) == 0)
			s = &q->snapshots[i];
	if (!s) {
		struct vtr_str known = { 0 };

		for (uint32_t i = 0; i < q->h.snapshots && i < 16; i++)
			vtr_str_putf(&known, "%s%s (id %s)", i ? ", " : "", q->snapshots[i].pub.name,
				     q->snapshots[i].pub.id);
		vtr_error_set(err, VTR_ENOTFOUND, "no snapshot \"%s\": there is %s%s", want, known.p ? known.p : "none",
			      q->h.snapshots > 16 ? ", …" : "");
		vtr_str_done(&known);
		return -1;
	}
	if (qcow2_check_l1(q, "L1 table of the snapshot", s->pub.size, s->l1_entries, err) < 0)
		return -1;
	q->l1_off = s->l1_off;
	q->l1_entries = s->l1_entries;
	q->im.blk.size = s->pub.size;
	return 0;
}

/* --------------------------------------------------------------------------------------------------------- mapping */

/* Where the L2 table for guest offset off is: 0 when there is none. */
static int qcow2_l2_table(uint64_t *out, struct qcow2 *q, uint64_t off, struct vtr_error *err)
{
	uint64_t i = off >> (q->h.cluster_log2 + q->l2_log2), l2;
	const struct qcow2_area *area;
	uint8_t raw[8];

	/* i < l1_entries: qcow2_check_l1() */
	if (vtr_image_meta(&q->im, q->l1_off + i * 8, raw, 8, err) < 0)
		return vtr_at(err, "L1 entry %" PRIu64, i);
	l2 = vtr_get_be64(raw) & QCOW2_OFFSET_MASK;
	if (l2 != 0) {
		if (l2 % q->cluster != 0)
			return vtr_fail(err, VTR_ECORRUPT,
					"L2 table %" PRIu64 " at %#" PRIx64 " is not aligned to a cluster", i, l2);
		if (!vtr_range_in(l2, q->cluster, q->im.file->size))
			return vtr_fail(err, VTR_ECORRUPT,
					"L2 table %" PRIu64 " at %#" PRIx64 " ends past the end of the file (%#" PRIx64
					")",
					i, l2, q->im.file->size);
		area = qcow2_in_area(q, l2, q->cluster);
		if (area)
			return vtr_fail(err, VTR_ECORRUPT, "L2 table %" PRIu64 " at %#" PRIx64 " overlaps the %s", i,
					l2, area->what);
	}
	*out = l2;
	return 0;
}

/* Say where in the tables something is wrong. */
#define qcow2_bad_entry(err, code, l2, i, fmt, ...)                                                                    \
	vtr_fail(err, code, "L2 table at %#" PRIx64 ": entry %" PRIu64 " " fmt, (l2), (uint64_t)(i), __VA_ARGS__)

/* A cluster that lies plainly in the data file. */
static int qcow2_check_plain(struct qcow2 *q, uint64_t host, uint64_t guest, uint64_t l2, uint64_t i,
			     struct vtr_error *err)
{
	const struct qcow2_area *area;

	if (host % q->cluster != 0)
		return qcow2_bad_entry(err, VTR_ECORRUPT, l2, i, "points to %#" PRIx64 ", which is not aligned", host);
	if (q->data != q->im.file && host != guest)
		return qcow2_bad_entry(err, VTR_ECORRUPT, l2, i,
				       "points to %#" PRIx64 " in the data file, expected %#" PRIx64, host, guest);
	if (!q->data)
		return qcow2_bad_entry(err, VTR_EPOLICY, l2, i, "lies in the data file \"%s\", which is not opened",
				       q->data_name);
	if (host >= q->data->size)
		return qcow2_bad_entry(err, VTR_ECORRUPT, l2, i,
				       "points past the end of the file (%#" PRIx64 " > %#" PRIx64 ")", host,
				       q->data->size);
	area = q->data == q->im.file ? qcow2_in_area(q, host, q->cluster) : NULL;
	if (area)
		return qcow2_bad_entry(err, VTR_ECORRUPT, l2, i, "points into the %s", area->what);
	return 0;
}

/* One entry, of the cluster at guest: what it is from byte `in` of it, up to where that changes. */
static int qcow2_entry(struct vtr_run *r, struct qcow2 *q, const uint8_t *raw, uint64_t guest, uint64_t in, uint64_t l2,
		       uint64_t i, struct vtr_error *err)
{
	uint64_t e = vtr_get_be64(raw), host = e & QCOW2_OFFSET_MASK;
	/* In a data file, offset 0 is a place: only the copied flag tells. */
	bool placed = host != 0 || (q->data != q->im.file && e >> 63);

	r->len = q->cluster - in;
	if (e & QCOW2_L2_COMPRESSED) {
		/* Bits 0 to x-1: offset; x to 61: additional sectors of 512 bytes. */
		unsigned x = 62 - (q->h.cluster_log2 - 8);
		uint64_t sectors = (e & (QCOW2_L2_COMPRESSED - 1)) >> x;

		r->kind = VTR_RUN_PACKED;
		r->host = e & ((1ull << x) - 1);
		r->host_len = (sectors + 1) * 512 - (r->host & 511);
		r->unit = guest;
		r->unit_len = (size_t)q->cluster;
		r->locked = q->encrypted;
		if (q->data != q->im.file)
			return qcow2_bad_entry(err, VTR_ECORRUPT, l2, i, "is compressed in an image with %s",
					       "a data file");
		if (q->entry_len == 16 && vtr_get_be64(raw + 8) != 0)
			return qcow2_bad_entry(err, VTR_ECORRUPT, l2, i, "is compressed and has %s", "subclusters");
		if (r->host >= q->im.file->size)
			return qcow2_bad_entry(err, VTR_ECORRUPT, l2, i,
					       "points past the end of the file (%#" PRIx64 " > %#" PRIx64 ")", r->host,
					       q->im.file->size);
		if (qcow2_in_area(q, r->host, 1))
			return qcow2_bad_entry(err, VTR_ECORRUPT, l2, i, "points into the %s",
					       qcow2_in_area(q, r->host, 1)->what);
		r->host_len = VTR_MIN(r->host_len, q->im.file->size - r->host);
		return 0;
	}
	if (q->entry_len == 16) {
		/* Bits 0 to 31: allocated; 32 to 63: zero; one pair for each of 32 subclusters. */
		uint64_t bits = vtr_get_be64(raw + 8), sub = q->cluster / 32;
		uint32_t alloc = (uint32_t)bits, zero = (uint32_t)(bits >> 32);
		unsigned first = (unsigned)(in / sub), n = first + 1;

		if (alloc != 0 && !placed)
			return qcow2_bad_entry(err, VTR_ECORRUPT, l2, i,
					       "has allocated subclusters (%#" PRIx64 ") and no cluster", bits);
		if (alloc & zero)
			return qcow2_bad_entry(err, VTR_ECORRUPT, l2, i,
					       "has subclusters both allocated and zero (%#" PRIx64 ")", bits);
		while (n < 32 && (alloc >> n & 1) == (alloc >> first & 1) && (zero >> n & 1) == (zero >> first & 1))
			n++;
		r->len = n * sub - in;
		if (zero >> first & 1) {
			r->kind = VTR_RUN_ZERO;
			return 0;
		}
		if (!(alloc >> first & 1)) {
			r->kind = VTR_RUN_ABSENT;
			return 0;
		}
	} else {
		if (e & QCOW2_L2_ZERO) {
			if (q->h.version < 3)
				return qcow2_bad_entry(err, VTR_ECORRUPT, l2, i,
						       "is a zero cluster in an image of version %u", q->h.version);
			r->kind = VTR_RUN_ZERO;
			return 0;
		}
		if (!placed) {
			r->kind = VTR_RUN_ABSENT;
			return 0;
		}
	}
	if (qcow2_check_plain(q, host, guest, l2, i, err) < 0)
		return -1;
	r->kind = VTR_RUN_PLAIN;
	r->src = q->data;
	r->host = host + in;
	r->locked = q->encrypted;
	return 0;
}

/* How many entries of the L1 table, from i on, have no L2 table: the one at i is known to. */
static uint64_t qcow2_l1_empty(struct qcow2 *q, uint64_t i, uint64_t max)
{
	uint8_t raw[QCOW2_BATCH * 8];
	uint64_t n = VTR_MIN(VTR_MIN(max, q->l1_entries - i), (uint64_t)QCOW2_BATCH), k = 1;

	if (vtr_image_meta(&q->im, q->l1_off + i * 8, raw, n * 8, NULL) < 0) /* told when it is asked for itself */
		return 1;
	while (k < n && (vtr_get_be64(raw + 8 * k) & QCOW2_OFFSET_MASK) == 0)
		k++;
	return k;
}

/* What lies at guest offset off, at most max bytes of it. */
static int qcow2_map(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err)
{
	struct qcow2 *q = (struct qcow2 *)im;
	uint8_t raw[QCOW2_BATCH * 16];
	uint64_t l2, per = 1ull << q->l2_log2, i = off >> q->h.cluster_log2 & (per - 1), in = off & (q->cluster - 1);
	struct vtr_run run = { 0 };
	size_t n;

	if (qcow2_l2_table(&l2, q, off, err) < 0)
		return -1;
	if (l2 == 0) {
		uint64_t part = per * q->cluster, at = i * q->cluster + in;

		run.kind = VTR_RUN_ABSENT;
		run.len = VTR_MIN(max, part - at);
		if (run.len < max)
			run.len = VTR_MIN(
				max, part * qcow2_l1_empty(q, off / part, vtr_div_up(max - run.len, part) + 1) - at);
		*out = run;
		return 0;
	}
	n = (size_t)VTR_MIN(per - i, (uint64_t)QCOW2_BATCH);
	n = (size_t)VTR_MIN((uint64_t)n, vtr_div_up(in + max, q->cluster));
	if (vtr_image_meta(&q->im, l2 + i * q->entry_len, raw, n * q->entry_len, err) < 0)
		return vtr_at(err, "L2 table at %#" PRIx64, l2);
	if (qcow2_entry(&run, q, raw, off - in, in, l2, i, err) < 0)
		return -1;
	/* What follows is joined while it is alike; it will be checked again, and named, when it is asked for itself. */
	for (size_t k = 1; k < n && run.len == k * q->cluster - in && run.kind != VTR_RUN_PACKED; k++) {
		struct vtr_run next = { 0 };

		if (qcow2_entry(&next, q, raw + k * q->entry_len, off - in + k * q->cluster, 0, l2, i + k, NULL) < 0 ||
		    next.kind != run.kind || (run.kind == VTR_RUN_PLAIN && next.host != run.host + run.len))
			break;
		run.len += next.len;
	}
	run.len = VTR_MIN(run.len, max);
	*out = run;
	return 0;
}

/* --------------------------------------------------------------------------------------------------- decompression */

/* Decode one compressed cluster. */
static int qcow2_unpack(struct vtr_image *im, const struct vtr_run *run, struct vtr_codec *c, uint8_t *out,
			struct vtr_error *err)
{
	const struct vtr_method *m =
		((struct qcow2 *)im)->h.compression == QCOW2_ZSTD ? &vtr_method_zstd : &vtr_method_deflate;
	size_t len = (size_t)run->host_len;
	int good;

	/* len < 2 * cluster + 512 for every cluster_bits: the count of sectors has cluster_log2 - 8 bits. */
	if (vtr_codec_load(c, im->file, run->host, len, err) < 0)
		return -1;
	/* The last sector goes on behind what was compressed. */
	good = vtr_codec_decode(c, m, out, run->unit_len, c->in, len, err);
	if (good < 0)
		return -1;
	if (!good)
		return vtr_fail(err, VTR_ECORRUPT,
				"compressed cluster at %#" PRIx64 ": %zu bytes of %s do not fill a cluster", run->host,
				len, m->name);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------ open */

static void qcow2_close(struct vtr_image *im)
{
	struct qcow2 *q = (struct qcow2 *)im;

	for (uint32_t i = 0; q->snapshots && i < q->h.snapshots; i++) {
		free((char *)(uintptr_t)q->snapshots[i].pub.id);
		free((char *)(uintptr_t)q->snapshots[i].pub.name);
	}
	free(q->snapshots);
	free(q->snapshots_pub);
	free(q->backing_name);
	free(q->backing_format);
	free(q->data_name);
	free(q->features);
}

static const struct vtr_image_ops qcow2_ops = {
	.blk = VTR_IMAGE_BLK_OPS("qcow2"),
	.map = qcow2_map,
	.unpack = qcow2_unpack,
	.close = qcow2_close,
	.short_tail = true,
};

/* The header cluster: fixed fields, extensions, the backing file's name. */
static int qcow2_read_header(struct qcow2 *q, struct vtr_error *err)
{
	uint8_t first[QCOW2_V3_HEADER + 8] = { 0 };
	VTR_FREE uint8_t *bytes = NULL;
	size_t n = (size_t)VTR_MIN((uint64_t)sizeof(first), q->im.file->size);
	uint64_t end;
	struct vtr_cur c = vtr_cur_of(first, n, 0);

	if (vtr_blk_pread(q->im.file, 0, first, n, err) < 0 || qcow2_parse_header(&q->h, &c, err) < 0)
		return -1;
	q->cluster = 1ull << q->h.cluster_log2;
	end = VTR_MIN(q->cluster, q->im.file->size);
	if (vtr_blk_read_new(&bytes, q->im.file, 0, end, "header", err) < 0)
		return -1;
	if (q->h.backing_off != 0 && q->h.backing_len != 0) {
		if (!vtr_range_in(q->h.backing_off, q->h.backing_len, end) || q->h.backing_off < q->h.header_len ||
		    !qcow2_text_is(bytes + q->h.backing_off, q->h.backing_len))
			return vtr_fail(err, VTR_ECORRUPT,
					"backing file name: %" PRIu32 " bytes at %#" PRIx64
					" are no name in the header cluster",
					q->h.backing_len, q->h.backing_off);
		q->backing_name = vtr_strndup((const char *)bytes + q->h.backing_off, q->h.backing_len, err);
		if (!q->backing_name)
			return -1;
		end = q->h.backing_off;
	}
	if (q->h.header_len > end)
		return vtr_fail(err, VTR_ETRUNCATED, "header: header_length %" PRIu32 ", the file has %" PRIu64,
				q->h.header_len, end);
	c = vtr_cur_of(bytes + q->h.header_len, (size_t)(end - q->h.header_len), q->h.header_len);
	if (qcow2_parse_extensions(q, &c, err) < 0)
		return -1;
	return qcow2_check_features(q, err);
}

/* The tables' places. */
static int qcow2_check_tables(struct qcow2 *q, struct vtr_error *err)
{
	uint64_t reftable = (uint64_t)q->h.reftable_clusters << q->h.cluster_log2;

	q->entry_len = q->h.incompat & QCOW2_INCOMPAT_EXTL2 ? 16 : 8;
	q->l2_log2 = q->h.cluster_log2 - (q->entry_len == 16 ? 4 : 3);
	if (reftable > QCOW2_MAX_REFTABLE)
		return vtr_fail(err, VTR_ELIMIT, "refcount table of %" PRIu64 " bytes, at most %u", reftable,
				QCOW2_MAX_REFTABLE);
	if (qcow2_check_l1(q, "L1 table", q->h.size, q->h.l1_entries, err) < 0)
		return -1;
	if (qcow2_add_area(q, "header", 0, VTR_MIN(q->cluster, q->im.file->size), err) < 0 ||
	    qcow2_add_area(q, "L1 table", q->h.l1_off, 8ull * q->h.l1_entries, err) < 0)
		return -1;
	/* No reader needs the refcounts: an image whose refcount table is lost is still read. */
	if (reftable != 0 && q->h.reftable_off % q->cluster == 0 &&
	    !vtr_range_in(q->h.reftable_off, reftable, q->im.file->size)) {
		vtr_image_warn(&q->im, VTR_ETRUNCATED,
			       "the refcount table at %#" PRIx64 " ends past the end of the file", q->h.reftable_off);
	} else if (qcow2_add_area(q, "refcount table", q->h.reftable_off, reftable, err) < 0) {
		return -1;
	}
	return qcow2_read_snapshots(q, err);
}

static int qcow2_open_data_file(struct qcow2 *q, struct vtr_open *o, struct vtr_error *err)
{
	if (!(q->h.incompat & QCOW2_INCOMPAT_DATA_FILE)) {
		q->data = q->im.file;
		return 0;
	}
	if (!q->data_name)
		return vtr_fail(err, VTR_ECORRUPT, "it keeps its data in another file, and does not name it");
	if (o->opt->alone)
		return 0;
	return vtr_image_open_file(&q->data, &q->im, o, q->data_name, "data file", err);
}

static int qcow2_make_info(struct qcow2 *q, struct vtr_error *err)
{
	struct vtr_image *im = &q->im;

	im->info.cluster_size = q->cluster;
	im->info.compression = q->h.compression == QCOW2_ZSTD ? "zstd" : "zlib";
	im->info.backing = q->backing_name;
	im->info.backing_format = q->backing_format;
	im->info.dirty = q->h.incompat & QCOW2_INCOMPAT_DIRTY;
	im->info.corrupt = q->h.incompat & QCOW2_INCOMPAT_CORRUPT;
	im->info.encrypted = q->encrypted;
	im->info.snapshots = q->snapshots_pub;
	im->info.n_snapshots = q->h.snapshots;
	if (vtr_image_prop_number(im, "version", "version", q->h.version, err) < 0 ||
	    vtr_image_prop_text(im, "compat", "compatible with", q->h.version == 2 ? "0.10" : "1.1", err) < 0 ||
	    vtr_image_prop_text(im, "compression_type", "compression", im->info.compression, err) < 0 ||
	    vtr_image_prop_number(im, "refcount_bits", "refcount width", 1u << q->h.refcount_order, err) < 0 ||
	    vtr_image_prop_bool(im, "lazy_refcounts", "lazy refcounts", q->h.compat & 1, err) < 0 ||
	    vtr_image_prop_bool(im, "extended_l2", "subclusters", q->entry_len == 16, err) < 0)
		return -1;
	if (q->encrypted && vtr_image_prop_text(im, "encryption", "encryption", q->encrypted, err) < 0)
		return -1;
	if (q->bitmaps && vtr_image_prop_number(im, "bitmaps", "dirty bitmaps", q->bitmaps, err) < 0)
		return -1;
	if (q->data_name &&
	    (vtr_image_prop_text(im, "data_file", "data file",
				 vtr_image_text(im, q->data_name, strlen(q->data_name), err), err) < 0 ||
	     vtr_image_prop_bool(im, "data_file_raw", "data file is a raw disk",
				 q->h.autoclear & QCOW2_AUTOCLEAR_RAW_DATA, err) < 0))
		return -1;
	return 0;
}

static int qcow2_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = vtr_image_new(&qcow2_ops, sizeof(struct qcow2), o, err);
	struct qcow2 *q = (struct qcow2 *)im;
	const char *backing;

	if (!im || qcow2_read_header(q, err) < 0 || qcow2_check_tables(q, err) < 0)
		return -1;
	im->blk.size = q->h.size;
	im->unit_max = (size_t)q->cluster;
	q->l1_off = q->h.l1_off;
	q->l1_entries = q->h.l1_entries;
	if (o->opt->snapshot) {
		if (qcow2_choose_snapshot(q, o->opt->snapshot, err) < 0 ||
		    qcow2_add_area(q, "snapshot's L1 table", q->l1_off, 8ull * q->l1_entries, err) < 0)
			return -1;
	}
	if (q->h.crypt)
		q->encrypted = q->h.crypt == 2 ? "LUKS" : "AES";
	if (q->encrypted && !o->opt->alone)
		return vtr_fail(err, VTR_EUNSUPPORTED, "encrypted with %s: not read", q->encrypted);
	if (qcow2_make_info(q, err) < 0 || qcow2_open_data_file(q, o, err) < 0)
		return -1;
	backing = q->backing_name;
	if (backing && vtr_image_open_parent(im, o, &backing, 1, q->backing_format, err) < 0)
		return -1;
	if (q->h.incompat & QCOW2_INCOMPAT_CORRUPT)
		vtr_image_warn(im, VTR_ECORRUPT, "the image says of itself that it is corrupt");
	return vtr_image_finish(out, &im, o, err);
}

/* Magic, version, and two fields that are bounded. */
static int qcow2_probe(const struct vtr_probe *p)
{
	struct vtr_cur c = vtr_cur_of(p->head, p->head_len, 0);
	uint32_t version;

	if (vtr_cur_be32(&c) != QCOW2_MAGIC)
		return 0;
	version = vtr_cur_be32(&c);
	return c.bad || version < 2 ? 0 : 64;
}

extern const struct vtr_format vtr_format_qcow2;
const struct vtr_format vtr_format_qcow2 = {
	.name = "qcow2",
	.title = "QEMU copy-on-write v2/v3",
	.probe = qcow2_probe,
	.open = qcow2_open,
};
