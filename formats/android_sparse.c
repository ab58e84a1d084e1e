/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Android sparse images, version 1, little endian: a file header, and chunks that follow one another in the file and on
 * the disk. Layout and names are those of libsparse's sparse_format.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/search.h"
#include "formats/image.h"

#define ANDROID_MAGIC 0xed26ff3au
#define ANDROID_HEADER 28u
#define ANDROID_CHUNK 12u
#define ANDROID_RAW 0xcac1u
#define ANDROID_FILL 0xcac2u
#define ANDROID_DONT_CARE 0xcac3u
#define ANDROID_CRC32 0xcac4u

#define ANDROID_UNIT (64u << 10) /* a fill is written in pieces of this size */
#define ANDROID_AHEAD 4096u	 /* bytes read at once while chunks are walked */

struct android_header {
	uint16_t minor, header_len, chunk_len;
	uint32_t block, blocks, chunks, checksum;
};

/* What a chunk puts on the disk. */
struct android_chunk {
	uint64_t at; /* RAW: of the bytes in the file */
	uint32_t first, blocks;
	uint32_t fill;
	uint16_t type;
};

struct android {
	struct vtr_image im;
	struct android_header h;
	struct android_chunk *chunk; /* in the order of the disk, without gaps */
	size_t n;
	uint64_t charged;
	uint8_t ahead[ANDROID_AHEAD]; /* while opening */
	uint64_t ahead_off;
	size_t ahead_len;
};

/*
 * File header.
 *   0  4  magic			 12  4  blk_sz, a multiple of 4
 *   4  2  major_version 1	 16  4  total_blks, of the disk
 *   6  2  minor_version	 20  4  total_chunks
 *   8  2  file_hdr_sz		 24  4  image_checksum
 *  10  2  chunk_hdr_sz
 */
static int android_parse_header(struct android_header *out, struct vtr_cur *c, struct vtr_error *err)
{
	struct android_header h = { 0 };
	uint32_t magic = vtr_cur_le32(c);
	uint16_t major = vtr_cur_le16(c);

	h.minor = vtr_cur_le16(c);
	h.header_len = vtr_cur_le16(c);
	h.chunk_len = vtr_cur_le16(c);
	h.block = vtr_cur_le32(c);
	h.blocks = vtr_cur_le32(c);
	h.chunks = vtr_cur_le32(c);
	h.checksum = vtr_cur_le32(c);
	if (c->bad)
		return vtr_fail(err, VTR_ETRUNCATED, "header: the file has %zu bytes, expected %u", vtr_cur_len(c),
				ANDROID_HEADER);
	if (magic != ANDROID_MAGIC)
		return vtr_fail(err, VTR_ECORRUPT, "header: magic %#" PRIx32 ", expected %#x", magic, ANDROID_MAGIC);
	if (major != 1)
		return vtr_fail(err, VTR_EUNSUPPORTED, "header: version %u.%u, read is 1", major, h.minor);
	if (h.header_len < ANDROID_HEADER || h.chunk_len < ANDROID_CHUNK)
		return vtr_fail(err, VTR_ECORRUPT, "header: headers of %u and %u bytes, expected at least %u and %u",
				h.header_len, h.chunk_len, ANDROID_HEADER, ANDROID_CHUNK);
	if (h.block == 0 || h.block % 4 != 0)
		return vtr_fail(err, VTR_ECORRUPT, "header: blocks of %" PRIu32 " bytes, expected a multiple of 4",
				h.block);
	if ((uint64_t)h.blocks * h.block > INT64_MAX)
		return vtr_fail(err, VTR_ECORRUPT,
				"header: %" PRIu32 " blocks of %" PRIu32 " bytes are more than 2^63 bytes", h.blocks,
				h.block);
	*out = h;
	return 0;
}

/* Few bytes of the file, in ascending order. */
static int android_read(struct android *a, uint64_t off, uint8_t *out, size_t len, struct vtr_error *err)
{
	if (off < a->ahead_off || off + len > a->ahead_off + a->ahead_len) {
		a->ahead_len = 0;
		if (vtr_blk_pread(a->im.file, off, a->ahead,
				  (size_t)VTR_MIN((uint64_t)ANDROID_AHEAD, a->im.file->size - off), err) < 0)
			return -1;
		a->ahead_off = off;
		a->ahead_len = (size_t)VTR_MIN((uint64_t)ANDROID_AHEAD, a->im.file->size - off);
	}
	memcpy(out, a->ahead + (off - a->ahead_off), len);
	return 0;
}

/* The chunk at off, for block first of the disk; *next is where the following one is. */
static int android_parse_chunk(struct android_chunk *out, uint64_t *next, struct android *a, uint64_t off,
			       uint32_t first, struct vtr_error *err)
{
	uint64_t size = a->im.file->size, body = off + a->h.chunk_len, expected = a->h.chunk_len;
	uint8_t raw[ANDROID_CHUNK], value[4];
	struct android_chunk k = { .first = first, .at = body };
	uint32_t total;

	if (!vtr_range_in(off, a->h.chunk_len, size))
		return vtr_fail(err, VTR_ETRUNCATED, "its header leaves the file, which ends at %#" PRIx64, size);
	if (android_read(a, off, raw, sizeof(raw), err) < 0)
		return -1;
	k.type = vtr_get_le16(raw);
	k.blocks = vtr_get_le32(raw + 4);
	total = vtr_get_le32(raw + 8);
	switch (k.type) {
	case ANDROID_RAW:
		expected += (uint64_t)k.blocks * a->h.block;
		break;
	case ANDROID_FILL:
	case ANDROID_CRC32:
		expected += 4;
		break;
	case ANDROID_DONT_CARE:
		break;
	default:
		return vtr_fail(err, VTR_EUNSUPPORTED, "type %#x is unknown", k.type);
	}
	if (total != expected)
		return vtr_fail(err, VTR_ECORRUPT,
				"total_sz %" PRIu32 ", expected %" PRIu64 " for type %#x and %" PRIu32 " blocks", total,
				expected, k.type, k.blocks);
	if (k.type == ANDROID_CRC32 && k.blocks != 0)
		return vtr_fail(err, VTR_ECORRUPT, "a checksum of %" PRIu32 " blocks, expected 0", k.blocks);
	if (k.blocks > a->h.blocks - first)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu32 " blocks at block %" PRIu32 " leave the disk of %" PRIu32,
				k.blocks, first, a->h.blocks);
	if (!vtr_range_in(off, total, size))
		return vtr_fail(err, VTR_ETRUNCATED, "%" PRIu32 " bytes leave the file, which ends at %#" PRIx64, total,
				size);
	if (k.type == ANDROID_FILL) {
		if (android_read(a, body, value, 4, err) < 0)
			return -1;
		k.fill = vtr_get_le32(value);
	}
	*out = k;
	*next = off + total;
	return 0;
}

static int android_read_chunks(struct android *a, struct vtr_error *err)
{
	uint64_t off = a->h.header_len, steps = 0, room;
	uint32_t first = 0;

	room = off > a->im.file->size ? 0 : (a->im.file->size - off) / a->h.chunk_len;
	if (a->h.chunks > room)
		return vtr_fail(err, VTR_ETRUNCATED,
				"%" PRIu32 " chunks: there is room for %" PRIu64 " in a file of %" PRIu64 " bytes",
				a->h.chunks, room, a->im.file->size);
	a->charged = (uint64_t)a->h.chunks * sizeof(*a->chunk);
	if (vtr_charge(a->im.blk.ctx, a->charged, "chunks", err) < 0) {
		a->charged = 0;
		return -1;
	}
	a->chunk = vtr_calloc(a->h.chunks ? a->h.chunks : 1, sizeof(*a->chunk), err);
	if (!a->chunk)
		return -1;
	for (uint32_t i = 0; i < a->h.chunks; i++) {
		struct android_chunk k;
		uint64_t at = off;

		if (vtr_tick(a->im.blk.ctx, &steps, 1, err) < 0)
			return -1;
		if (android_parse_chunk(&k, &off, a, at, first, err) < 0)
			return vtr_at(err, "chunk %" PRIu32 " at %#" PRIx64, i, at);
		if (k.blocks == 0)
			continue;
		a->chunk[a->n++] = k;
		first += k.blocks;
	}
	if (first != a->h.blocks)
		return vtr_fail(err, VTR_EUNSUPPORTED,
				"its chunks hold %" PRIu32 " of %" PRIu32
				" blocks: a part of a split image, which simg2img puts together",
				first, a->h.blocks);
	return 0;
}

/* --------------------------------------------------------------------------------------------------------- mapping */

static int android_map(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err)
{
	struct android *a = (struct android *)im;
	uint64_t block = off / a->h.block, start, end;
	const struct android_chunk *k;

	(void)max;
	(void)err;
	/* The last that starts at or before the block: they cover the disk. */
	k = &a->chunk[VTR_LAST_AT(a->chunk, a->n, first, block)];
	start = (uint64_t)k->first * a->h.block;
	end = start + (uint64_t)k->blocks * a->h.block;
	out->len = end - off;
	if (k->type == ANDROID_RAW) {
		out->kind = VTR_RUN_PLAIN;
		out->host = k->at + (off - start);
	} else if (k->type == ANDROID_DONT_CARE) {
		out->kind = VTR_RUN_ABSENT;
	} else if (k->fill == 0) {
		out->kind = VTR_RUN_ZERO;
	} else {
		out->kind = VTR_RUN_PACKED;
		out->host = k->fill;
		out->unit = start + (off - start) / ANDROID_UNIT * ANDROID_UNIT;
		out->unit_len = (size_t)VTR_MIN((uint64_t)ANDROID_UNIT, end - out->unit);
		out->len = out->unit + out->unit_len - off;
	}
	return 0;
}

/* A value over and over. Units start at a multiple of 4 within it. */
static int android_unpack(struct vtr_image *im, const struct vtr_run *run, struct vtr_codec *c, uint8_t *out,
			  struct vtr_error *err)
{
	uint8_t fill[4] = { (uint8_t)run->host, (uint8_t)(run->host >> 8), (uint8_t)(run->host >> 16),
			    (uint8_t)(run->host >> 24) };

	(void)im;
	(void)c;
	(void)err;
	for (size_t i = 0; i < run->unit_len; i++)
		out[i] = fill[i % 4];
	return 0;
}

static void android_close(struct vtr_image *im)
{
	struct android *a = (struct android *)im;

	free(a->chunk);
	vtr_uncharge(im->blk.ctx, a->charged);
}

static const struct vtr_image_ops android_ops = {
	.blk = VTR_IMAGE_BLK_OPS("android-sparse"),
	.map = android_map,
	.unpack = android_unpack,
	.close = android_close,
};

/* ------------------------------------------------------------------------------------------------------------ open */

static int android_make_info(struct android *a, struct vtr_error *err)
{
	struct vtr_image *im = &a->im;
	uint64_t raw = 0, fill = 0;

	for (size_t i = 0; i < a->n; i++) {
		raw += a->chunk[i].type == ANDROID_RAW ? a->chunk[i].blocks : 0;
		fill += a->chunk[i].type == ANDROID_FILL ? a->chunk[i].blocks : 0;
	}
	im->info.cluster_size = a->h.block;
	if (vtr_image_prop_text(im, "version", "version", vtr_image_textf(im, err, "1.%u", a->h.minor), err) < 0 ||
	    vtr_image_prop_number(im, "chunks", "chunks", a->h.chunks, err) < 0 ||
	    vtr_image_prop_bytes(im, "raw_bytes", "raw chunks", raw * a->h.block, err) < 0 ||
	    vtr_image_prop_bytes(im, "fill_bytes", "fill chunks", fill * a->h.block, err) < 0)
		return -1;
	if (a->h.checksum != 0)
		return vtr_image_prop_text(im, "image_checksum", "CRC-32",
					   vtr_image_textf(im, err, "%08" PRIx32, a->h.checksum), err);
	return 0;
}

static int android_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = NULL;
	struct android *a;
	uint8_t head[ANDROID_HEADER];
	size_t n = (size_t)VTR_MIN((uint64_t)sizeof(head), o->file->size);
	struct vtr_cur c = vtr_cur_of(head, n, 0);

	if (o->opt->snapshot)
		return vtr_fail(err, VTR_ENOTFOUND, "no snapshot \"%s\": the format has none", o->opt->snapshot);
	im = vtr_image_new(&android_ops, sizeof(*a), o, err);
	a = (struct android *)im;
	if (!im || vtr_blk_pread(o->file, 0, head, n, err) < 0 || android_parse_header(&a->h, &c, err) < 0 ||
	    android_read_chunks(a, err) < 0 || android_make_info(a, err) < 0)
		return -1;
	im->blk.size = (uint64_t)a->h.blocks * a->h.block;
	im->unit_max = ANDROID_UNIT;
	return vtr_image_finish(out, &im, o, err);
}

/* Magic and major version. */
static int android_probe(const struct vtr_probe *p)
{
	struct vtr_cur c = vtr_cur_of(p->head, p->head_len, 0);

	return vtr_cur_le32(&c) == ANDROID_MAGIC && vtr_cur_le16(&c) == 1 && !c.bad ? 48 : 0;
}

extern const struct vtr_format vtr_format_android_sparse;
const struct vtr_format vtr_format_android_sparse = {
	.name = "android-sparse",
	.title = "Android sparse image",
	.probe = android_probe,
	.open = android_open,
};
