/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QED, QEMU's enhanced disk format: QEMU's docs/interop/qed_spec.rst, little endian. Two levels of tables of one size
 * lead to the clusters; their entries are offsets in the file, 0 for what the backing file has, 1 for zeros.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/table.h"

#define QED_MAGIC 0x00444551u /* "QED\0" */
#define QED_HEADER 64u
#define QED_MIN_CLUSTER (1u << 12)
#define QED_MAX_CLUSTER (1u << 26)
#define QED_MAX_TABLE 16u /* clusters */
#define QED_MAX_BACKING 1023u

#define QED_F_BACKING (1ull << 0)
#define QED_F_NEED_CHECK (1ull << 1)
#define QED_F_BACKING_RAW (1ull << 2)
#define QED_F_KNOWN 7ull

struct qed_header {
	uint32_t cluster, table_clusters, header_clusters;
	uint64_t features, compat, autoclear, l1_off, size;
	uint32_t backing_off, backing_len;
};

struct qed {
	struct vtr_image im;
	struct qed_header h;
	uint64_t table_len, entries; /* of a table: bytes, entries */
	uint64_t header_end;
	char *backing;
};

/*
 *   0  4  magic			24  8  compat_features
 *   4  4  cluster_size			32  8  autoclear_features
 *   8  4  table_size, clusters		40  8  l1_table_offset
 *  12  4  header_size, clusters	48  8  image_size
 *  16  8  features			56  4  backing_filename_offset
 *					60  4  backing_filename_size
 */
static int qed_parse_header(struct qed_header *out, struct vtr_cur *c, struct vtr_error *err)
{
	struct qed_header h;

	if (vtr_cur_le32(c) != QED_MAGIC)
		return vtr_fail(err, c->bad ? VTR_ETRUNCATED : VTR_ECORRUPT,
				"no header: it does not start with \"QED\"");
	h.cluster = vtr_cur_le32(c);
	h.table_clusters = vtr_cur_le32(c);
	h.header_clusters = vtr_cur_le32(c);
	h.features = vtr_cur_le64(c);
	h.compat = vtr_cur_le64(c);
	h.autoclear = vtr_cur_le64(c);
	h.l1_off = vtr_cur_le64(c);
	h.size = vtr_cur_le64(c);
	h.backing_off = vtr_cur_le32(c);
	h.backing_len = vtr_cur_le32(c);
	if (c->bad)
		return vtr_fail(err, VTR_ETRUNCATED, "header: the file has %zu bytes, expected %u", vtr_cur_len(c),
				QED_HEADER);
	if (h.features & ~QED_F_KNOWN)
		return vtr_fail(err, VTR_EUNSUPPORTED, "header: feature bit %u is unknown",
				(unsigned)__builtin_ctzll(h.features & ~QED_F_KNOWN));
	if (!vtr_pow2_is(h.cluster) || h.cluster < QED_MIN_CLUSTER || h.cluster > QED_MAX_CLUSTER)
		return vtr_fail(err, VTR_ECORRUPT,
				"header: cluster_size %" PRIu32 ", expected a power of 2 from %u to %u", h.cluster,
				QED_MIN_CLUSTER, QED_MAX_CLUSTER);
	if (!vtr_pow2_is(h.table_clusters) || h.table_clusters > QED_MAX_TABLE)
		return vtr_fail(err, VTR_ECORRUPT, "header: table_size %" PRIu32 ", expected a power of 2 up to %u",
				h.table_clusters, QED_MAX_TABLE);
	if (h.header_clusters == 0)
		return vtr_fail(err, VTR_ECORRUPT, "header: header_size 0");
	if (h.size > INT64_MAX || h.size % 512 != 0)
		return vtr_fail(err, VTR_ECORRUPT, "header: image_size %" PRIu64 ", expected a multiple of 512",
				h.size);
	*out = h;
	return 0;
}

/* --------------------------------------------------------------------------------------------------------- mapping */

static int qed_entry(struct vtr_run *r, struct vtr_image *im, const struct vtr_table *t, const uint8_t *raw, uint64_t i,
		     uint64_t in, struct vtr_error *err)
{
	const struct qed *q = (struct qed *)im;
	uint64_t host = vtr_get_le64(raw);

	if (host <= 1) {
		r->kind = host ? VTR_RUN_ZERO : VTR_RUN_ABSENT;
		return 0;
	}
	if (host % q->h.cluster != 0)
		return vtr_fail(err, VTR_ECORRUPT,
				"L2 table at %#" PRIx64 ": entry %" PRIu64 " points to %#" PRIx64
				", which is not aligned",
				t->off, i, host);
	if (host < q->header_end || (host >= q->h.l1_off && host < q->h.l1_off + q->table_len))
		return vtr_fail(err, VTR_ECORRUPT, "L2 table at %#" PRIx64 ": entry %" PRIu64 " points into the %s",
				t->off, i, host < q->header_end ? "header" : "L1 table");
	if (host >= im->file->size)
		return vtr_fail(err, VTR_ECORRUPT,
				"L2 table at %#" PRIx64 ": entry %" PRIu64 " points past the end of the file (%#" PRIx64
				" > %#" PRIx64 ")",
				t->off, i, host, im->file->size);
	r->kind = VTR_RUN_PLAIN;
	r->host = host + in;
	return 0;
}

static int qed_map(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err)
{
	struct qed *q = (struct qed *)im;
	uint64_t span = q->entries * q->h.cluster, i = off / span, l2;
	struct vtr_table t = {
		.entries = q->entries,
		.disk = i * span,
		.piece = q->h.cluster,
		.width = 8,
		.entry = qed_entry,
	};
	uint8_t raw[8];

	/* i < entries: qed_open() */
	if (vtr_image_meta(im, q->h.l1_off + i * 8, raw, 8, err) < 0)
		return vtr_at(err, "L1 entry %" PRIu64, i);
	l2 = vtr_get_le64(raw);
	if (l2 == 0) {
		out->kind = VTR_RUN_ABSENT;
		out->len = VTR_MIN(max, t.disk + span - off);
		return 0;
	}
	if (l2 % q->h.cluster != 0 || l2 < q->header_end)
		return vtr_fail(err, VTR_ECORRUPT, "L1 table: entry %" PRIu64 " points to %#" PRIx64 ", %s", i, l2,
				l2 % q->h.cluster ? "which is not aligned" : "into the header");
	if (!vtr_range_in(l2, q->table_len, im->file->size))
		return vtr_fail(err, VTR_ECORRUPT,
				"L1 table: entry %" PRIu64 ": the L2 table at %#" PRIx64
				" ends past the end of the file (%#" PRIx64 ")",
				i, l2, im->file->size);
	if (l2 < q->h.l1_off + q->table_len && q->h.l1_off < l2 + q->table_len)
		return vtr_fail(err, VTR_ECORRUPT,
				"L1 table: entry %" PRIu64 ": the L2 table at %#" PRIx64 " overlaps the L1 table", i,
				l2);
	t.off = l2;
	return vtr_table_map(out, im, &t, off, max, err);
}

static void qed_close(struct vtr_image *im)
{
	free(((struct qed *)im)->backing);
}

static const struct vtr_image_ops qed_ops = {
	.blk = VTR_IMAGE_BLK_OPS("qed"),
	.map = qed_map,
	.close = qed_close,
	.short_tail = true,
};

/* ------------------------------------------------------------------------------------------------------------ open */

static int qed_read_backing(struct qed *q, struct vtr_error *err)
{
	const struct qed_header *h = &q->h;
	uint8_t name[QED_MAX_BACKING];

	if (!(h->features & QED_F_BACKING) || h->backing_len == 0)
		return 0;
	if (h->backing_len > QED_MAX_BACKING || h->backing_off < QED_HEADER ||
	    !vtr_range_in(h->backing_off, h->backing_len, VTR_MIN(q->header_end, q->im.file->size)))
		return vtr_fail(err, VTR_ECORRUPT,
				"backing file name: %" PRIu32 " bytes at %#" PRIx32 " are no name in the header",
				h->backing_len, h->backing_off);
	if (vtr_blk_pread(q->im.file, h->backing_off, name, h->backing_len, err) < 0)
		return -1;
	if (memchr(name, 0, h->backing_len))
		return vtr_fail(err, VTR_ECORRUPT, "backing file name: it has a NUL");
	q->backing = vtr_strndup((const char *)name, h->backing_len, err);
	return q->backing ? 0 : -1;
}

static int qed_make_info(struct qed *q, struct vtr_error *err)
{
	struct vtr_image *im = &q->im;

	im->info.cluster_size = q->h.cluster;
	im->info.backing = q->backing;
	im->info.backing_format = q->backing && (q->h.features & QED_F_BACKING_RAW) ? "raw" : NULL;
	im->info.dirty = q->h.features & QED_F_NEED_CHECK;
	if (vtr_image_prop_number(im, "table_size", "table's clusters", q->h.table_clusters, err) < 0 ||
	    vtr_image_prop_text(im, "features", "features", vtr_image_textf(im, err, "%#" PRIx64, q->h.features), err) <
		    0 ||
	    vtr_image_prop_text(im, "compat_features", "compat. features",
				vtr_image_textf(im, err, "%#" PRIx64, q->h.compat), err) < 0 ||
	    vtr_image_prop_text(im, "autoclear_features", "autoclear feat.",
				vtr_image_textf(im, err, "%#" PRIx64, q->h.autoclear), err) < 0)
		return -1;
	return 0;
}

static int qed_check_tables(struct qed *q, struct vtr_error *err)
{
	uint64_t size = q->im.file->size;

	q->table_len = (uint64_t)q->h.table_clusters * q->h.cluster;
	q->entries = q->table_len / 8;
	q->header_end = (uint64_t)q->h.header_clusters * q->h.cluster;
	/* At most 2^27 entries of 2^27 clusters of 2^26 bytes: count in clusters. */
	if (vtr_div_up(vtr_div_up(q->h.size, q->h.cluster), q->entries) > q->entries)
		return vtr_fail(err, VTR_ECORRUPT,
				"header: tables of %" PRIu64 " entries are too small for a disk of %" PRIu64 " bytes",
				q->entries, q->h.size);
	if (q->h.l1_off % q->h.cluster != 0 || q->h.l1_off < q->header_end)
		return vtr_fail(err, VTR_ECORRUPT, "L1 table at %#" PRIx64 ": %s", q->h.l1_off,
				q->h.l1_off % q->h.cluster ? "it is not aligned to a cluster"
							   : "it lies in the header");
	if (!vtr_range_in(q->h.l1_off, q->table_len, size))
		return vtr_fail(err, VTR_ETRUNCATED,
				"L1 table: %" PRIu64 " bytes at %#" PRIx64 " end past the end of the file (%#" PRIx64
				")",
				q->table_len, q->h.l1_off, size);
	return 0;
}

static int qed_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = NULL;
	uint8_t head[QED_HEADER] = { 0 };
	size_t n = (size_t)VTR_MIN(o->file->size, (uint64_t)sizeof(head));
	struct vtr_cur c = vtr_cur_of(head, n, 0);
	const char *backing;
	struct qed *q;

	if (o->opt->snapshot)
		return vtr_fail(err, VTR_ENOTFOUND, "no snapshot \"%s\": a QED image has none", o->opt->snapshot);
	if (!(im = vtr_image_new(&qed_ops, sizeof(*q), o, err)))
		return -1;
	q = (struct qed *)im;
	if (vtr_blk_pread(im->file, 0, head, n, err) < 0 || qed_parse_header(&q->h, &c, err) < 0 ||
	    qed_check_tables(q, err) < 0 || qed_read_backing(q, err) < 0 || qed_make_info(q, err) < 0)
		return -1;
	im->blk.size = q->h.size;
	backing = q->backing;
	if (backing && vtr_image_open_parent(im, o, &backing, 1, im->info.backing_format, err) < 0)
		return -1;
	return vtr_image_finish(out, &im, o, err);
}

/* Magic, and two fields that are bounded. */
static int qed_probe(const struct vtr_probe *p)
{
	if (p->head_len < 4 || vtr_get_le32(p->head) != QED_MAGIC)
		return 0;
	return p->head_len >= QED_HEADER && vtr_pow2_is(vtr_get_le32(p->head + 4)) &&
			       vtr_pow2_is(vtr_get_le32(p->head + 8))
		       ? 64
		       : 32;
}

extern const struct vtr_format vtr_format_qed;
const struct vtr_format vtr_format_qed = {
	.name = "qed",
	.title = "QEMU enhanced disk",
	.probe = qed_probe,
	.open = qed_open,
};
