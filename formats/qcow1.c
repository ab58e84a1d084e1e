/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow, version 1: the copy-on-write format of QEMU before qcow2, big endian. Its description is that of QEMU's driver
 * (block/qcow.c). Two levels of tables of 64-bit entries lead to the clusters; nothing is aligned but what the entries
 * point to, and compressed clusters not even so.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/table.h"

#define QCOW1_MAGIC 0x514649fbu
#define QCOW1_HEADER 48u
#define QCOW1_MAX_BACKING 1023u
#define QCOW1_MAX_L1 (1ull << 32) /* bytes */
#define QCOW1_COMPRESSED (1ull << 63)

struct qcow1_header {
	uint64_t backing_off, size, l1_off;
	uint32_t backing_len, mtime, crypt;
	uint8_t cluster_log2, l2_log2;
};

struct qcow1 {
	struct vtr_image im;
	struct qcow1_header h;
	uint64_t cluster, l1_entries;
	const char *encrypted; /* NULL: it is not */
	char *backing;
};

/*
 *   0  4  magic "QFI\xfb"		24  8  size
 *   4  4  version, 1			32  1  cluster_bits
 *   8  8  backing_file_offset		33  1  l2_bits
 *  16  4  backing_file_size		36  4  crypt_method
 *  20  4  mtime of the backing file	40  8  l1_table_offset
 */
static int qcow1_parse_header(struct qcow1_header *out, struct vtr_cur *c, struct vtr_error *err)
{
	struct qcow1_header h;
	uint32_t version;

	if (vtr_cur_be32(c) != QCOW1_MAGIC)
		return vtr_fail(err, c->bad ? VTR_ETRUNCATED : VTR_ECORRUPT,
				"no header: it does not start with \"QFI\" and 0xfb");
	version = vtr_cur_be32(c);
	if (!c->bad && version != 1)
		return vtr_fail(err, VTR_EUNSUPPORTED, "header: version %" PRIu32 ", read is 1", version);
	h.backing_off = vtr_cur_be64(c);
	h.backing_len = vtr_cur_be32(c);
	h.mtime = vtr_cur_be32(c);
	h.size = vtr_cur_be64(c);
	h.cluster_log2 = vtr_cur_u8(c);
	h.l2_log2 = vtr_cur_u8(c);
	vtr_cur_skip(c, 2);
	h.crypt = vtr_cur_be32(c);
	h.l1_off = vtr_cur_be64(c);
	if (c->bad)
		return vtr_fail(err, VTR_ETRUNCATED, "header: the file has %zu bytes, expected %u", vtr_cur_len(c),
				QCOW1_HEADER);
	if (h.cluster_log2 < 9 || h.cluster_log2 > 16)
		return vtr_fail(err, VTR_ECORRUPT, "header: cluster_bits %u, expected 9 to 16", h.cluster_log2);
	if (h.l2_log2 < 6 || h.l2_log2 > 13)
		return vtr_fail(err, VTR_ECORRUPT, "header: l2_bits %u, expected 6 to 13", h.l2_log2);
	if (h.size > INT64_MAX)
		return vtr_fail(err, VTR_ECORRUPT, "header: size %" PRIu64 " is more than 2^63", h.size);
	if (h.crypt > 1)
		return vtr_fail(err, VTR_EUNSUPPORTED, "header: crypt_method %" PRIu32 " is unknown", h.crypt);
	if (h.backing_off != 0 && h.backing_len > QCOW1_MAX_BACKING)
		return vtr_fail(err, VTR_ECORRUPT, "header: backing file name of %" PRIu32 " bytes, at most %u",
				h.backing_len, QCOW1_MAX_BACKING);
	*out = h;
	return 0;
}

/* --------------------------------------------------------------------------------------------------------- mapping */

static bool qcow1_in_l1(const struct qcow1 *q, uint64_t off, uint64_t len)
{
	return off < q->h.l1_off + q->l1_entries * 8 && q->h.l1_off < off + len;
}

static int qcow1_entry(struct vtr_run *r, struct vtr_image *im, const struct vtr_table *t, const uint8_t *raw,
		       uint64_t i, uint64_t in, struct vtr_error *err)
{
	const struct qcow1 *q = (struct qcow1 *)im;
	uint64_t e = vtr_get_be64(raw);
	unsigned x = 63 - q->h.cluster_log2;

	if (e == 0) {
		r->kind = VTR_RUN_ABSENT;
		return 0;
	}
	r->locked = q->encrypted;
	r->host = e;
	r->kind = VTR_RUN_PLAIN;
	if (e & QCOW1_COMPRESSED) {
		/* Bits 0 to x-1: offset; x to 62: bytes. */
		r->kind = VTR_RUN_PACKED;
		r->host = e & ((1ull << x) - 1);
		r->host_len = e >> x & (q->cluster - 1);
		r->unit = t->disk + i * q->cluster;
		r->unit_len = (size_t)q->cluster;
	} else if (e % q->cluster != 0) {
		return vtr_fail(err, VTR_ECORRUPT,
				"L2 table at %#" PRIx64 ": entry %" PRIu64 " points to %#" PRIx64
				", which is not aligned",
				t->off, i, e);
	}
	if (r->host < QCOW1_HEADER || qcow1_in_l1(q, r->host, 1))
		return vtr_fail(err, VTR_ECORRUPT, "L2 table at %#" PRIx64 ": entry %" PRIu64 " points into the %s",
				t->off, i, r->host < QCOW1_HEADER ? "header" : "L1 table");
	if (r->host >= im->file->size)
		return vtr_fail(err, VTR_ECORRUPT,
				"L2 table at %#" PRIx64 ": entry %" PRIu64 " points past the end of the file (%#" PRIx64
				" > %#" PRIx64 ")",
				t->off, i, r->host, im->file->size);
	if (r->kind == VTR_RUN_PACKED && !vtr_range_in(r->host, r->host_len, im->file->size))
		return vtr_fail(err, VTR_ETRUNCATED,
				"L2 table at %#" PRIx64 ": entry %" PRIu64 ": %" PRIu64 " compressed bytes at %#" PRIx64
				" end past the end of the file (%#" PRIx64 ")",
				t->off, i, r->host_len, r->host, im->file->size);
	if (r->kind == VTR_RUN_PLAIN)
		r->host += in;
	return 0;
}

static int qcow1_map(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err)
{
	struct qcow1 *q = (struct qcow1 *)im;
	unsigned log2 = q->h.cluster_log2 + q->h.l2_log2;
	uint64_t i = off >> log2, l2, l2_len = 8ull << q->h.l2_log2;
	struct vtr_table t = {
		.entries = 1ull << q->h.l2_log2,
		.disk = i << log2,
		.piece = q->cluster,
		.width = 8,
		.entry = qcow1_entry,
	};
	uint8_t raw[8];

	/* i < l1_entries, which covers the disk */
	if (vtr_image_meta(im, q->h.l1_off + i * 8, raw, 8, err) < 0)
		return vtr_at(err, "L1 entry %" PRIu64, i);
	l2 = vtr_get_be64(raw);
	if (l2 == 0) {
		out->kind = VTR_RUN_ABSENT;
		out->len = VTR_MIN(max, t.disk + (1ull << log2) - off);
		return 0;
	}
	if (!vtr_range_in(l2, l2_len, im->file->size))
		return vtr_fail(err, VTR_ECORRUPT,
				"L1 table: entry %" PRIu64 ": the L2 table at %#" PRIx64
				" ends past the end of the file (%#" PRIx64 ")",
				i, l2, im->file->size);
	if (l2 < QCOW1_HEADER || qcow1_in_l1(q, l2, l2_len))
		return vtr_fail(err, VTR_ECORRUPT,
				"L1 table: entry %" PRIu64 ": the L2 table at %#" PRIx64 " overlaps the %s", i, l2,
				l2 < QCOW1_HEADER ? "header" : "L1 table");
	t.off = l2;
	return vtr_table_map(out, im, &t, off, max, err);
}

static int qcow1_unpack(struct vtr_image *im, const struct vtr_run *run, struct vtr_codec *c, uint8_t *out,
			struct vtr_error *err)
{
	size_t len = (size_t)run->host_len; /* less than a cluster */
	int good;

	if (vtr_codec_load(c, im->file, run->host, len, err) < 0)
		return -1;
	good = vtr_codec_decode(c, &vtr_method_deflate, out, run->unit_len, c->in, len, err);
	if (good < 0)
		return -1;
	if (!good)
		return vtr_fail(err, VTR_ECORRUPT,
				"compressed cluster at %#" PRIx64 ": %zu bytes do not fill a cluster", run->host, len);
	return 0;
}

static void qcow1_close(struct vtr_image *im)
{
	free(((struct qcow1 *)im)->backing);
}

static const struct vtr_image_ops qcow1_ops = {
	.blk = VTR_IMAGE_BLK_OPS("qcow"),
	.map = qcow1_map,
	.unpack = qcow1_unpack,
	.close = qcow1_close,
	.short_tail = true,
};

/* ------------------------------------------------------------------------------------------------------------ open */

static int qcow1_read_backing(struct qcow1 *q, struct vtr_error *err)
{
	uint8_t name[QCOW1_MAX_BACKING];

	if (q->h.backing_off == 0 || q->h.backing_len == 0)
		return 0;
	if (q->h.backing_off < QCOW1_HEADER || !vtr_range_in(q->h.backing_off, q->h.backing_len, q->im.file->size))
		return vtr_fail(err, VTR_ECORRUPT,
				"backing file name: %" PRIu32 " bytes at %#" PRIx64
				" leave the file, or lie in the header",
				q->h.backing_len, q->h.backing_off);
	if (vtr_blk_pread(q->im.file, q->h.backing_off, name, q->h.backing_len, err) < 0)
		return -1;
	if (memchr(name, 0, q->h.backing_len))
		return vtr_fail(err, VTR_ECORRUPT, "backing file name: it has a NUL");
	q->backing = vtr_strndup((const char *)name, q->h.backing_len, err);
	return q->backing ? 0 : -1;
}

static int qcow1_make_info(struct qcow1 *q, struct vtr_error *err)
{
	struct vtr_image *im = &q->im;

	im->info.cluster_size = q->cluster;
	im->info.compression = "zlib";
	im->info.backing = q->backing;
	im->info.encrypted = q->encrypted;
	if (vtr_image_prop_number(im, "version", "version", 1, err) < 0 ||
	    vtr_image_prop_number(im, "l2_entries", "L2 entries", 1ull << q->h.l2_log2, err) < 0)
		return -1;
	if (q->encrypted && vtr_image_prop_text(im, "encryption", "encryption", q->encrypted, err) < 0)
		return -1;
	if (q->backing && q->h.mtime &&
	    vtr_image_prop_number(im, "backing_mtime", "backing mtime", q->h.mtime, err) < 0)
		return -1;
	return 0;
}

static int qcow1_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = NULL;
	uint8_t head[QCOW1_HEADER] = { 0 };
	size_t n = (size_t)VTR_MIN(o->file->size, (uint64_t)sizeof(head));
	struct vtr_cur c = vtr_cur_of(head, n, 0);
	const char *backing;
	struct qcow1 *q;

	if (o->opt->snapshot)
		return vtr_fail(err, VTR_ENOTFOUND, "no snapshot \"%s\": a qcow of version 1 has none",
				o->opt->snapshot);
	if (!(im = vtr_image_new(&qcow1_ops, sizeof(*q), o, err)))
		return -1;
	q = (struct qcow1 *)im;
	if (vtr_blk_pread(im->file, 0, head, n, err) < 0 || qcow1_parse_header(&q->h, &c, err) < 0)
		return -1;
	q->cluster = 1ull << q->h.cluster_log2;
	q->l1_entries = vtr_div_up(q->h.size, 1ull << (q->h.cluster_log2 + q->h.l2_log2));
	if (q->l1_entries > QCOW1_MAX_L1 / 8)
		return vtr_fail(err, VTR_ELIMIT, "L1 table: %" PRIu64 " entries, at most %llu", q->l1_entries,
				QCOW1_MAX_L1 / 8);
	if (q->h.l1_off < QCOW1_HEADER || !vtr_range_in(q->h.l1_off, q->l1_entries * 8, im->file->size))
		return vtr_fail(err, q->h.l1_off < QCOW1_HEADER ? VTR_ECORRUPT : VTR_ETRUNCATED,
				"L1 table: %" PRIu64 " entries at %#" PRIx64
				" lie in the header, or end past the end of "
				"the file (%#" PRIx64 ")",
				q->l1_entries, q->h.l1_off, im->file->size);
	im->blk.size = q->h.size;
	im->unit_max = (size_t)q->cluster;
	q->encrypted = q->h.crypt ? "AES" : NULL;
	if (q->encrypted && !o->opt->alone)
		return vtr_fail(err, VTR_EUNSUPPORTED, "encrypted with AES: not read");
	if (qcow1_read_backing(q, err) < 0 || qcow1_make_info(q, err) < 0)
		return -1;
	backing = q->backing;
	if (backing && vtr_image_open_parent(im, o, &backing, 1, NULL, err) < 0)
		return -1;
	return vtr_image_finish(out, &im, o, err);
}

/* Magic and version. */
static int qcow1_probe(const struct vtr_probe *p)
{
	return p->head_len >= 8 && vtr_get_be32(p->head) == QCOW1_MAGIC && vtr_get_be32(p->head + 4) == 1 ? 64 : 0;
}

extern const struct vtr_format vtr_format_qcow1;
const struct vtr_format vtr_format_qcow1 = {
	.name = "qcow",
	.title = "QEMU copy-on-write v1",
	.probe = qcow1_probe,
	.open = qcow1_open,
};
