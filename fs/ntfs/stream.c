/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bytes of attributes: where they lie, and reading them. */
#include <stdlib.h>
#include <string.h>

#include "fs/ntfs/ntfs.h"

/*
 * Mapping pairs: a byte whose low half says how many bytes of length follow and whose high half how many of a distance
 * from the cluster of the run before; no distance is a hole, and a zero byte the end.
 */
static int stream_pairs(struct ntfs *x, struct ntfs_stream *s, const struct ntfs_attr *a, struct vtr_error *err)
{
	const uint8_t *p = a->value, *end = p + a->value_len;
	uint64_t vcn = a->first_vcn;
	int64_t lcn = 0;

	while (p < end && *p) {
		unsigned n_len = *p & 15, n_lcn = *p >> 4;
		uint64_t len = 0, raw = 0;

		p++;
		if (n_len == 0 || n_len > 8 || n_lcn > 8 || n_len + n_lcn > (size_t)(end - p))
			return vtr_fail(err, VTR_ECORRUPT,
					"mapping pairs: %u bytes of length and %u of place, %zu are left", n_len, n_lcn,
					(size_t)(end - p));
		for (unsigned i = 0; i < n_len; i++)
			len |= (uint64_t)p[i] << (8 * i);
		p += n_len;
		for (unsigned i = 0; i < n_lcn; i++)
			raw |= (uint64_t)p[i] << (8 * i);
		if (n_lcn > 0 && n_lcn < 8 && (p[n_lcn - 1] & 0x80))
			raw |= UINT64_MAX << (8 * n_lcn);
		p += n_lcn;
		if (len == 0 || len > (uint64_t)INT64_MAX >> x->boot.cluster_log2 ||
		    vcn > ((uint64_t)INT64_MAX >> x->boot.cluster_log2) - len)
			return vtr_fail(err, VTR_ECORRUPT, "mapping pairs: %" PRIu64 " clusters at VCN %" PRIu64, len,
					vcn);
		if (n_lcn > 0 && (vtr_add_over(lcn, (int64_t)raw, &lcn) || lcn < -1))
			return vtr_fail(err, VTR_ECORRUPT, "mapping pairs: VCN %" PRIu64 " is at cluster %" PRId64, vcn,
					lcn);
		if (VTR_OVER(x->fs.ctx, alloc, (s->n + 1) * sizeof(*s->runs), "bytes of a map of clusters", err) < 0 ||
		    !VTR_GROW(s->runs, s->n, s->cap, err))
			return -1;
		/* NT 4 wrote holes as a distance to cluster -1. */
		s->runs[s->n++] = (struct ntfs_run){ .vcn = vcn,
						     .len = len,
						     .lcn = n_lcn && lcn >= 0 ? (uint64_t)lcn : NTFS_HOLE };
		vcn += len;
	}
	if (vcn != a->last_vcn + 1)
		return vtr_fail(err, VTR_ECORRUPT, "mapping pairs: they end at VCN %" PRIu64 ", expected %" PRIu64, vcn,
				a->last_vcn + 1);
	/* The map of the MFT itself is made again for each part of its list. */
	return vtr_tick(x->fs.ctx, &x->fs.steps, s->n / 16, err);
}

static bool stream_same(const struct ntfs_attr *a, const struct ntfs_attr *b)
{
	return a->type == b->type && a->name_len == b->name_len && memcmp(a->name, b->name, 2u * a->name_len) == 0;
}

/* Segments of the attribute by their first VCN; it may be in any record. */
static const struct ntfs_attr *stream_segment(const struct ntfs_node *n, const struct ntfs_attr *head, uint64_t vcn)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->attrs[i].nonresident && n->attrs[i].first_vcn == vcn && stream_same(&n->attrs[i], head))
			return &n->attrs[i];
	return NULL;
}

/*
 * The map of a stream, from its segments. The search for the next one goes over all attributes: with an order that is
 * kept (as it is in lists) it is the one after, and is tried first.
 */
static int stream_map(struct ntfs *x, struct ntfs_stream *s, struct ntfs_node *n, struct vtr_error *err)
{
	const struct ntfs_attr *a = stream_segment(n, &s->head, 0), *end = n->attrs + n->n;
	uint64_t next = 0;

	while (a) {
		if (stream_pairs(x, s, a, err) < 0)
			return -1;
		if (a->last_vcn + 1 <= next)
			break;
		next = a->last_vcn + 1;
		if (a + 1 < end && a[1].nonresident && a[1].first_vcn == next && stream_same(a + 1, &s->head)) {
			a++;
			continue;
		}
		if (vtr_tick(x->fs.ctx, &x->fs.steps, 1 + n->n / 64, err) < 0)
			return -1;
		a = stream_segment(n, &s->head, next);
	}
	return 0;
}

int vtr_ntfs_stream(struct ntfs_stream **out, struct ntfs *x, struct ntfs_node *n, const struct ntfs_attr *head,
		    struct vtr_error *err)
{
	struct ntfs_stream *s;

	for (s = n->streams; s; s = s->next)
		if (s->head.value == head->value) {
			*out = s;
			return 0;
		}
	s = vtr_calloc(1, sizeof(*s), err);
	if (!s)
		return -1;
	s->head = *head;
	s->size = head->size;
	s->valid = head->valid;
	if (head->nonresident && (stream_map(x, s, n, err) < 0 ||
				  vtr_ntfs_charge(x, s->n * sizeof(*s->runs), "a map of clusters", err) < 0)) {
		free(s->runs);
		free(s);
		return -1;
	}
	s->charged = s->n * sizeof(*s->runs);
	s->next = n->streams;
	n->streams = s;
	*out = s;
	return 0;
}

size_t vtr_ntfs_run_at(const struct ntfs_stream *s, uint64_t vcn)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->runs[mid].vcn + s->runs[mid].len <= vcn)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The run that vcn lies in, or NULL. */
static const struct ntfs_run *stream_run(const struct ntfs_stream *s, uint64_t vcn)
{
	size_t i = vtr_ntfs_run_at(s, vcn);

	return i < s->n && s->runs[i].vcn <= vcn ? &s->runs[i] : NULL;
}

int vtr_ntfs_stored(struct ntfs *x, const struct ntfs_stream *s, uint64_t off, uint8_t *buf, size_t len, bool meta,
		    struct vtr_error *err)
{
	const struct ntfs_run *r;

	if (!s->head.nonresident) {
		if (!vtr_range_in(off, len, s->head.value_len))
			return vtr_fail(err, VTR_ETRUNCATED, "%zu bytes at %#" PRIx64 " of %" PRIu32, len, off,
					s->head.value_len);
		memcpy(buf, s->head.value + off, len);
		return 0;
	}
	r = stream_run(s, off >> x->boot.cluster_log2);
	for (; len > 0; r = r + 1 < s->runs + s->n ? r + 1 : NULL) {
		uint64_t in, at;
		size_t n;

		if (!r)
			return vtr_fail(err, VTR_ECORRUPT, "VCN %" PRIu64 " is mapped nowhere",
					off >> x->boot.cluster_log2);
		in = off - (r->vcn << x->boot.cluster_log2);
		n = (size_t)VTR_MIN((uint64_t)len, (r->len << x->boot.cluster_log2) - in);
		if (r->lcn == NTFS_HOLE) {
			memset(buf, 0, n);
		} else {
			if (!vtr_range_in(r->lcn, r->len, x->boot.clusters))
				return vtr_fail(err, VTR_ECORRUPT,
						"%" PRIu64 " clusters at %" PRIu64 " leave the volume (%" PRIu64
						" clusters)",
						r->len, r->lcn, x->boot.clusters);
			at = (r->lcn << x->boot.cluster_log2) + in;
			if (meta ? vtr_ntfs_meta(x, at, buf, n, err) < 0
				 : vtr_blk_pread(x->fs.blk, at, buf, n, err) < 0)
				return -1;
		}
		off += n;
		buf += n;
		len -= n;
	}
	return 0;
}

int vtr_ntfs_slurp(uint8_t **out, size_t *len, struct ntfs *x, struct ntfs_node *n, const struct ntfs_attr *head,
		   size_t max, struct vtr_error *err)
{
	VTR_FREE uint8_t *buf = NULL;
	struct ntfs_stream *s;
	uint64_t size = head->size;

	if (size > max)
		return vtr_fail(err, VTR_ECORRUPT,
				"attribute %#" PRIx32 " of %" PRIu64 " bytes, at most %zu are expected", head->type,
				size, max);
	if (vtr_ntfs_stream(&s, x, n, head, err) < 0)
		return -1;
	buf = malloc((size_t)size + 1);
	if (!buf)
		return vtr_fail(err, VTR_ENOMEM, "out of memory: an attribute");
	if (size > 0 && vtr_ntfs_stored(x, s, 0, buf, (size_t)size, true, err) < 0)
		return -1;
	*len = (size_t)size;
	*out = vtr_steal(buf);
	return 0;
}

/* --------------------------------------------------------------------------------------------- contents of a file */

/* The node, its stream's attribute (NULL: an empty file), and how it is packed. */
struct stream_file {
	struct ntfs_node *n;
	const struct ntfs_attr *a;
	enum ntfs_codec codec;
};

static int stream_file(struct stream_file *out, struct ntfs *x, uint64_t node, struct vtr_error *err)
{
	NTFS_PUT struct ntfs_node *n = NULL;
	struct stream_file f = { 0 };
	struct ntfs_standard st;
	unsigned k = ntfs_stream_number(node);
	const char *elsewhere;
	uint32_t tag;

	if (vtr_ntfs_node(&n, x, ntfs_ino(node), err) < 0)
		return -1;
	f.a = k ? vtr_ntfs_named(n, k) : vtr_ntfs_attr(n, NTFS_AT_DATA, "");
	if (k && !f.a)
		return vtr_fail(err, VTR_ENOTFOUND, "record %" PRIu64 " has no stream %u", n->ino, k);
	vtr_ntfs_standard(&st, n);
	tag = k ? 0 : vtr_ntfs_tag(x, n);
	if (tag == NTFS_TAG_WOF && vtr_ntfs_wof(&f.codec, x, n, err) < 0)
		return -1;
	elsewhere = vtr_ntfs_tag_elsewhere(tag, st.attributes);
	if (elsewhere)
		return vtr_fail(err, VTR_EUNSUPPORTED, "record %" PRIu64 ": its contents are elsewhere: %s", n->ino,
				elsewhere);
	if (f.a && (f.a->flags & NTFS_ATTR_ENCRYPTED))
		return vtr_fail(err, VTR_EUNSUPPORTED, "record %" PRIu64 " is encrypted (EFS)", n->ino);
	if (f.a && f.a->nonresident && (f.a->flags & NTFS_ATTR_COMPRESSION)) {
		if ((f.a->flags & NTFS_ATTR_COMPRESSION) != NTFS_ATTR_LZNT1)
			return vtr_fail(err, VTR_EUNSUPPORTED, "record %" PRIu64 ": compression %u is unknown", n->ino,
					f.a->flags & NTFS_ATTR_COMPRESSION);
		if (f.codec == NTFS_PLAIN && f.a->unit_log2 > 0)
			f.codec = NTFS_LZNT1;
	}
	f.n = vtr_steal(n);
	*out = f;
	return 0;
}

int vtr_ntfs_read(struct vtr_fs *fs, uint64_t node, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct ntfs *x = to_ntfs(fs);
	NTFS_PUT struct ntfs_node *n = NULL;
	struct stream_file f;
	struct ntfs_stream *s;
	size_t part;
	int r;

	if (stream_file(&f, x, node, err) < 0)
		return -1;
	n = f.n;
	if (f.codec > NTFS_LZNT1) {
		r = vtr_ntfs_read_wof(x, n, f.codec, f.a ? f.a->size : 0, off, buf, len, err);
	} else {
		if (!f.a || vtr_ntfs_stream(&s, x, n, f.a, err) < 0)
			return f.a ? vtr_at(err, "record %" PRIu64, n->ino)
				   : vtr_fail(err, VTR_ECORRUPT, "no contents");
		part = off < s->valid ? (size_t)VTR_MIN((uint64_t)len, s->valid - off) : 0;
		memset((uint8_t *)buf + part, 0, len - part);
		r = part == 0		    ? 0
		    : f.codec == NTFS_LZNT1 ? vtr_ntfs_read_lznt1(x, node, s, off, buf, part, err)
					    : vtr_ntfs_stored(x, s, off, buf, part, false, err);
	}
	return r < 0 ? vtr_at(err, "record %" PRIu64, n->ino) : 0;
}

/* What of a run is to be told: cut at the valid length, whose rest reads as zeros, and at the size. */
static int stream_tell(const struct ntfs_stream *s, uint64_t off, uint64_t len, uint64_t phys, vtr_file_extent_fn *fn,
		       void *arg)
{
	struct vtr_file_extent e = { .off = off, .phys = phys };
	int r = 0;

	len = off < s->size ? VTR_MIN(len, s->size - off) : 0;
	e.len = off < s->valid ? VTR_MIN(len, s->valid - off) : 0;
	if (e.len > 0)
		r = fn(arg, &e);
	if (r != 0 || e.len == len)
		return r;
	e = (struct vtr_file_extent){ .off = off + e.len, .len = len - e.len, .phys = phys + e.len, .unwritten = true };
	return fn(arg, &e);
}

int vtr_ntfs_extents(struct vtr_fs *fs, uint64_t node, vtr_file_extent_fn *fn, void *arg, struct vtr_error *err)
{
	struct ntfs *x = to_ntfs(fs);
	NTFS_PUT struct ntfs_node *n = NULL;
	struct vtr_file_extent e = { .inline_data = true };
	struct stream_file f;
	struct ntfs_stream *s;
	int r = 0;

	if (stream_file(&f, x, node, err) < 0)
		return -1;
	n = f.n;
	if (f.codec != NTFS_PLAIN)
		return vtr_fail(err, VTR_EUNSUPPORTED,
				"record %" PRIu64 " is compressed: its bytes lie nowhere as they are", n->ino);
	if (!f.a)
		return 0;
	e.len = f.a->size;
	if (!f.a->nonresident)
		return e.len ? fn(arg, &e) : 0;
	if (vtr_ntfs_stream(&s, x, n, f.a, err) < 0)
		return vtr_at(err, "record %" PRIu64, n->ino);
	for (size_t i = 0; i < s->n && r == 0; i++) {
		const struct ntfs_run *run = &s->runs[i];
		uint64_t off = run->vcn << x->boot.cluster_log2;

		if (run->lcn == NTFS_HOLE || off >= s->size)
			continue;
		if (!vtr_range_in(run->lcn, run->len, x->boot.clusters))
			return vtr_fail(err, VTR_ECORRUPT,
					"record %" PRIu64 ": %" PRIu64 " clusters at %" PRIu64
					" leave the volume (%" PRIu64 " clusters)",
					n->ino, run->len, run->lcn, x->boot.clusters);
		r = stream_tell(s, off, run->len << x->boot.cluster_log2, run->lcn << x->boot.cluster_log2, fn, arg);
	}
	return r;
}
