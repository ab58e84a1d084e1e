/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compressed contents, unit by unit: LZNT1 in units of 2^n clusters, and the chunks of the overlay filter (WOF), which
 * Windows calls CompactOS or system compression.
 */
#include <stdlib.h>
#include <string.h>

#include "base/codec/codec.h"
#include "fs/ntfs/ntfs.h"

#define PACKED_MAX_UNIT (1u << 20) /* ours: Windows writes units of 64 KiB at most */
#define PACKED_BATCH (256u << 10)  /* of packed bytes that are read at once */

void vtr_ntfs_unit_done(struct ntfs *x)
{
	free(x->unit.bytes);
	free(x->unit.packed);
	x->unit = (struct ntfs_unit){ 0 };
}

/* Room for a unit, and for what it is packed in. Whatever was kept there is gone. */
static int unit_room(struct ntfs *x, size_t bytes, size_t packed, struct vtr_error *err)
{
	struct ntfs_unit *u = &x->unit;

	u->full = false;
	if (u->cap < bytes) {
		free(u->bytes);
		u->cap = 0;
		u->bytes = malloc(bytes);
		if (!u->bytes)
			return vtr_fail(err, VTR_ENOMEM, "out of memory: a compression unit");
		u->cap = bytes;
	}
	if (u->packed_cap < packed) {
		free(u->packed);
		u->packed_cap = 0;
		u->packed = malloc(packed);
		if (!u->packed)
			return vtr_fail(err, VTR_ENOMEM, "out of memory: a compression unit");
		u->packed_cap = packed;
	}
	return 0;
}

/* How many clusters of a unit are stored, before the holes that fill it up. */
static int lznt1_stored(uint64_t *out, const struct ntfs *x, const struct ntfs_stream *s, uint64_t vcn,
			uint64_t clusters, struct vtr_error *err)
{
	uint64_t stored = 0, at = vcn;
	bool hole = false;

	for (size_t i = vtr_ntfs_run_at(s, vcn); i < s->n && at < vcn + clusters; i++) {
		uint64_t n = VTR_MIN(s->runs[i].vcn + s->runs[i].len, vcn + clusters) - at;

		if (s->runs[i].lcn == NTFS_HOLE) {
			hole = true;
		} else {
			if (hole)
				return vtr_fail(err, VTR_ECORRUPT, "the unit at VCN %" PRIu64 " goes on after a hole",
						vcn);
			stored += n;
		}
		at += n;
	}
	/* Where a part of the map is lost, plain bytes must not be taken for packed ones. */
	if (at < vcn + clusters && (at == vcn || at << x->boot.cluster_log2 < s->head.allocated))
		return vtr_fail(err, VTR_ECORRUPT, "VCN %" PRIu64 " is mapped nowhere", at);
	*out = stored;
	return 0;
}

/* One unit: nothing stored is zeros, all of it plain bytes, less is LZNT1. */
static int lznt1_unit(uint8_t *out, size_t unit_len, struct ntfs *x, const struct ntfs_stream *s, uint64_t unit,
		      struct vtr_error *err)
{
	uint64_t clusters = unit_len >> x->boot.cluster_log2, stored;
	size_t len;

	if (lznt1_stored(&stored, x, s, unit * clusters, clusters, err) < 0)
		return -1;
	if (stored == 0) {
		memset(out, 0, unit_len);
		return 0;
	}
	if (stored == clusters)
		return vtr_ntfs_stored(x, s, unit * unit_len, out, unit_len, false, err);
	len = (size_t)(stored << x->boot.cluster_log2);
	if (vtr_ntfs_stored(x, s, unit * unit_len, x->unit.packed, len, false, err) < 0)
		return -1;
	if (vtr_codec_decode(NULL, &vtr_method_lznt1, out, unit_len, x->unit.packed, len, err) <= 0)
		return vtr_at(err, "unit %" PRIu64, unit);
	return vtr_tick(x->fs.ctx, &x->fs.steps, 1, err);
}

int vtr_ntfs_read_lznt1(struct ntfs *x, uint64_t node, const struct ntfs_stream *s, uint64_t off, uint8_t *buf,
			size_t len, struct vtr_error *err)
{
	struct ntfs_unit *u = &x->unit;
	size_t unit_len;

	if (s->head.unit_log2 > 20 || x->boot.cluster_log2 + s->head.unit_log2 > vtr_log2(PACKED_MAX_UNIT))
		return vtr_fail(err, VTR_ECORRUPT, "a compression unit of 2^%u clusters", s->head.unit_log2);
	unit_len = (size_t)x->cluster << s->head.unit_log2;
	while (len > 0) {
		uint64_t unit = off / unit_len;
		size_t at = (size_t)(off % unit_len), n = VTR_MIN(len, unit_len - at);

		if (!u->full || u->node != node || u->unit != unit) {
			if (unit_room(x, unit_len, unit_len, err) < 0)
				return -1;
			if (at == 0 && n == unit_len) {
				if (lznt1_unit(buf, unit_len, x, s, unit, err) < 0)
					return -1;
				goto next;
			}
			if (lznt1_unit(u->bytes, unit_len, x, s, unit, err) < 0)
				return -1;
			u->node = node;
			u->unit = unit;
			u->full = true;
		}
		memcpy(buf, u->bytes + at, n);
	next:
		off += n;
		buf += n;
		len -= n;
	}
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------- WOF */

/*
 * The stream WofCompressedData: for each chunk but the first where it begins, counted from the end of this table, in 4
 * bytes (8 for files of 4 GiB and more); then the chunks. One that is as long as what it stands for is not compressed.
 */
struct wof {
	struct ntfs *x;
	const struct ntfs_stream *s;
	enum ntfs_codec codec;
	uint64_t size, chunks, table; /* bytes of the file, chunks, bytes of the table */
	unsigned chunk_log2, entry;
};

static int wof_open(struct wof *w, struct ntfs *x, struct ntfs_node *n, enum ntfs_codec codec, uint64_t size,
		    struct vtr_error *err)
{
	static const uint8_t logs[] = {
		[NTFS_WOF_XPRESS4K] = 12,
		[NTFS_WOF_LZX] = 15,
		[NTFS_WOF_XPRESS8K] = 13,
		[NTFS_WOF_XPRESS16K] = 14,
	};
	const struct ntfs_attr *a = vtr_ntfs_attr(n, NTFS_AT_DATA, "WofCompressedData");
	struct ntfs_stream *s;

	if (!a)
		return vtr_fail(err, VTR_ECORRUPT, "it is compressed, and has no stream WofCompressedData");
	if (a->flags & (NTFS_ATTR_ENCRYPTED | NTFS_ATTR_COMPRESSION))
		return vtr_fail(err, VTR_EUNSUPPORTED,
				"its stream WofCompressedData is itself encrypted or compressed");
	if (vtr_ntfs_stream(&s, x, n, a, err) < 0)
		return -1;
	*w = (struct wof){ .x = x, .s = s, .codec = codec, .size = size, .chunk_log2 = logs[codec] };
	w->entry = size > UINT32_MAX ? 8 : 4;
	w->chunks = (size >> w->chunk_log2) + ((size & (((uint64_t)1 << w->chunk_log2) - 1)) != 0);
	w->table = (w->chunks - (w->chunks > 0)) * w->entry;
	if (w->table > s->valid)
		return vtr_fail(err, VTR_ECORRUPT, "WofCompressedData: %" PRIu64 " bytes, %" PRIu64 " chunks", s->valid,
				w->chunks);
	return 0;
}

/* Where n + 1 chunks from first on begin, in the stream; what is before the first entry and after the last is known. */
static int wof_offsets(uint64_t *out, const struct wof *w, uint64_t first, size_t n, struct vtr_error *err)
{
	uint8_t raw[(64 + 1) * 8];
	uint64_t from = first ? first : 1, to = VTR_MIN(first + n, w->chunks - 1); /* chunks whose entries are there */
	size_t len = to >= from ? (size_t)(to - from + 1) * w->entry : 0;

	if (len > 0 && vtr_ntfs_stored(w->x, w->s, (from - 1) * w->entry, raw, len, true, err) < 0)
		return -1;
	for (size_t i = 0; i <= n; i++) {
		uint64_t k = first + i;

		if (k == 0)
			out[i] = 0;
		else if (k >= w->chunks)
			out[i] = w->s->valid - w->table;
		else if (w->entry == 8)
			out[i] = vtr_get_le64(raw + (k - from) * 8);
		else
			out[i] = vtr_get_le32(raw + (k - from) * 4);
		if (out[i] > w->s->valid - w->table || (i > 0 && out[i] <= out[i - 1]))
			return vtr_fail(err, VTR_ECORRUPT,
					"WofCompressedData: chunk %" PRIu64 " at %#" PRIx64 " of %#" PRIx64, k, out[i],
					w->s->valid - w->table);
	}
	return 0;
}

/* How many bytes a chunk stands for. */
static size_t wof_chunk_len(const struct wof *w, uint64_t chunk)
{
	return (size_t)VTR_MIN((uint64_t)1 << w->chunk_log2, w->size - (chunk << w->chunk_log2));
}

static int wof_unpack(uint8_t *out, const struct wof *w, uint64_t chunk, const uint8_t *packed, size_t len,
		      struct vtr_error *err)
{
	size_t out_len = wof_chunk_len(w, chunk);

	if (len == out_len) {
		memcpy(out, packed, len);
		return 0;
	}
	if (len > out_len)
		return vtr_fail(err, VTR_ECORRUPT, "chunk %" PRIu64 ": %zu bytes for %zu", chunk, len, out_len);
	if (vtr_codec_decode(NULL, w->codec == NTFS_WOF_LZX ? &vtr_method_lzx : &vtr_method_xpress, out, out_len,
			     packed, len, err) <= 0)
		return vtr_at(err, "chunk %" PRIu64, chunk);
	return vtr_tick(w->x->fs.ctx, &w->x->fs.steps, 1, err);
}

int vtr_ntfs_read_wof(struct ntfs *x, struct ntfs_node *n, enum ntfs_codec codec, uint64_t size, uint64_t off,
		      uint8_t *buf, size_t len, struct vtr_error *err)
{
	struct ntfs_unit *u = &x->unit;
	struct wof w;

	if (wof_open(&w, x, n, codec, size, err) < 0)
		return -1;
	while (len > 0) {
		uint64_t chunk = off >> w.chunk_log2, offsets[64 + 1];
		size_t at = (size_t)(off & (((uint64_t)1 << w.chunk_log2) - 1)), count, take = 0, i;

		if (u->full && u->node == n->ino && u->unit == chunk) {
			size_t part = VTR_MIN(len, wof_chunk_len(&w, chunk) - at);

			memcpy(buf, u->bytes + at, part);
			off += part;
			buf += part;
			len -= part;
			continue;
		}
		/* As many as are asked for, and fit a batch; their packed bytes in one read. */
		count = (size_t)VTR_MIN(((uint64_t)at + len + ((uint64_t)1 << w.chunk_log2) - 1) >> w.chunk_log2,
					(uint64_t)64);
		if (wof_offsets(offsets, &w, chunk, count, err) < 0)
			return -1;
		while (count > 1 && offsets[count] - offsets[0] > PACKED_BATCH)
			count--;
		if (offsets[count] - offsets[0] > PACKED_BATCH)
			return vtr_fail(err, VTR_ECORRUPT, "chunk %" PRIu64 ": %" PRIu64 " bytes", chunk,
					offsets[1] - offsets[0]);
		if (unit_room(x, (size_t)1 << w.chunk_log2, PACKED_BATCH, err) < 0 ||
		    vtr_ntfs_stored(x, w.s, w.table + offsets[0], u->packed, (size_t)(offsets[count] - offsets[0]),
				    false, err) < 0)
			return -1;
		for (i = 0; i < count && len > 0; i++, chunk++) {
			size_t whole = wof_chunk_len(&w, chunk), part;
			const uint8_t *packed = u->packed + (offsets[i] - offsets[0]);
			bool direct = at == 0 && len >= whole;

			u->full = false;
			if (wof_unpack(direct ? buf : u->bytes, &w, chunk, packed,
				       (size_t)(offsets[i + 1] - offsets[i]), err) < 0)
				return -1;
			part = VTR_MIN(len, whole - at);
			if (!direct) {
				memcpy(buf, u->bytes + at, part);
				u->node = n->ino;
				u->unit = chunk;
				u->full = true;
			}
			take += part;
			off += part;
			buf += part;
			len -= part;
			at = 0;
		}
		if (take == 0)
			return vtr_fail(err, VTR_ECORRUPT, "it ends at chunk %" PRIu64, chunk);
	}
	return 0;
}
