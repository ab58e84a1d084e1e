/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Zstandard, RFC 8878: frames one after the other, some of which are to be skipped (a seek table is one). Where each says
 * how large its content is, frames are the units; their blocks are walked once to find where each ends.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/stream.h"

#define ZSTD_FRAME 0xfd2fb528u
#define ZSTD_SKIP 0x184d2a50u /* and 15 more */
#define ZSTD_HEADER 18u	      /* bytes at most, the magic included */
#define ZSTD_WINDOW 1024u     /* bytes: what windows are counted in */

static int zstd_start(struct vtr_decoder *d, struct vtr_error *err)
{
	struct vtr_codec_stream *s = vtr_calloc(1, sizeof(*s), err);
	enum vtr_codec_result r;

	if (!s)
		return -1;
	d->state = s;
	r = vtr_codec_start(s, &vtr_method_zstd, d->ctx->lim.metadata);
	if (r != VTR_CODEC_MORE)
		return vtr_decoder_failed(d, s, r, "", err);
	vtr_decoder_take(d, (uint64_t)d->method * ZSTD_WINDOW);
	return 0;
}

static void zstd_stop(struct vtr_decoder *d)
{
	struct vtr_codec_stream *s = d->state;

	if (s)
		vtr_codec_stop(s);
	free(s);
}

/* A unit may be several frames: libzstd goes from one to the next. */
static int zstd_step(struct vtr_decoder *d, uint8_t *out, size_t len, size_t *got, struct vtr_error *err)
{
	enum vtr_codec_result r = vtr_decoder_step(d, d->state, out, len, got);

	if (r == VTR_CODEC_MORE)
		return 0;
	if (r == VTR_CODEC_END)
		return d->at == d->have && d->in == d->in_end;
	return vtr_decoder_failed(d, d->state, r, "", err);
}

extern const struct vtr_format vtr_format_zstd;
static const struct vtr_stream_ops zstd_ops = {
	.format = &vtr_format_zstd,
	.start = zstd_start,
	.step = zstd_step,
	.stop = zstd_stop,
};

/* --------------------------------------------------------------------------------------------------------- walking */

struct zstd_walk {
	uint64_t at, steps;
	uint64_t frames, skipped;
	bool unknown; /* a frame does not say how large its content is */
	bool sums;
};

/*
 * Frame: magic; a byte of flags (bits 0 and 1: length of the dictionary's number, 2: checksum, 5: single segment, 6 and 7:
 * length of the content's size); window, unless single; dictionary's number; size; blocks of 3 bytes (0: last, 1 and 2:
 * type, the rest size) and their bytes, one alone for type 1; checksum.
 */
static int zstd_walk_frame(struct zstd_walk *w, struct vtr_image *im, struct vtr_error *err)
{
	static const uint8_t dict_len[] = { 0, 1, 2, 4 }, size_len[] = { 0, 2, 4, 8 };
	uint64_t size = im->file->size, start = w->at, content = 0, window = 0;
	uint8_t raw[ZSTD_HEADER] = { 0 };
	size_t n = (size_t)VTR_MIN((uint64_t)sizeof(raw), size - start);
	struct vtr_cur c = vtr_cur_of(raw, n, start);
	unsigned flags, bytes;
	uint32_t dict = 0, block;

	if (vtr_image_meta(im, start, raw, n, err) < 0)
		return -1;
	vtr_cur_skip(&c, 4);
	flags = vtr_cur_u8(&c);
	bytes = size_len[flags >> 6];
	if (flags & 0x20) {
		bytes = VTR_MAX(bytes, 1u);
	} else {
		unsigned b = vtr_cur_u8(&c); /* exponent, and eighths */

		window = (uint64_t)(8 + (b & 7)) << (b >> 3) << 7;
	}
	for (unsigned i = 0; i < dict_len[flags & 3]; i++)
		dict |= (uint32_t)vtr_cur_u8(&c) << 8 * i;
	for (unsigned i = 0; i < bytes; i++)
		content |= (uint64_t)vtr_cur_u8(&c) << 8 * i;
	if (c.bad)
		return vtr_fail(err, VTR_ETRUNCATED, "the frame at %#" PRIx64 " is cut off", start);
	if (flags & 8)
		return vtr_fail(err, VTR_EUNSUPPORTED, "the frame at %#" PRIx64 " has a reserved flag", start);
	if (dict != 0)
		return vtr_fail(err, VTR_EUNSUPPORTED, "the frame at %#" PRIx64 " needs the dictionary %" PRIu32, start,
				dict);
	w->unknown |= bytes == 0;
	content += bytes == 2 ? 256 : 0;
	window = vtr_div_up(flags & 0x20 ? content : window, ZSTD_WINDOW);
	w->at += (uint64_t)(c.p - c.base);
	do {
		if (vtr_tick(im->blk.ctx, &w->steps, 1, err) < 0)
			return -1;
		if (!vtr_range_in(w->at, 3, size))
			return vtr_fail(err, VTR_ETRUNCATED, "the frame at %#" PRIx64 " is cut off", start);
		if (vtr_image_meta(im, w->at, raw, 3, err) < 0)
			return -1;
		block = vtr_get_le16(raw) | (uint32_t)raw[2] << 16;
		w->at += 3;
		n = (block >> 1 & 3) == 1 ? 1 : block >> 3;
		if ((block >> 1 & 3) == 3)
			return vtr_fail(err, VTR_ECORRUPT, "a block of a reserved type at %#" PRIx64, w->at - 3);
		if (!vtr_range_in(w->at, n, size))
			return vtr_fail(err, VTR_ETRUNCATED, "the frame at %#" PRIx64 " is cut off", start);
		w->at += n;
	} while (!(block & 1));
	n = flags & 4 ? 4 : 0;
	w->sums |= n > 0;
	if (!vtr_range_in(w->at, n, size))
		return vtr_fail(err, VTR_ETRUNCATED, "the frame at %#" PRIx64 " is cut off", start);
	w->at += n;
	w->frames++;
	return w->unknown ? 0
			  : vtr_stream_add(im, start, w->at - start, content,
					   (unsigned)VTR_MIN(window, (uint64_t)UINT32_MAX), err);
}

static int zstd_walk(struct zstd_walk *w, struct vtr_image *im, struct vtr_error *err)
{
	while (w->at < im->file->size && !w->unknown) {
		uint8_t raw[8] = { 0 };
		size_t n = (size_t)VTR_MIN((uint64_t)sizeof(raw), im->file->size - w->at);
		uint32_t magic;

		if (vtr_tick(im->blk.ctx, &w->steps, 1, err) < 0 || vtr_image_meta(im, w->at, raw, n, err) < 0)
			return -1;
		magic = vtr_get_le32(raw);
		if ((magic & ~15u) == ZSTD_SKIP) {
			if (n < 8 || !vtr_range_in(w->at + 8, vtr_get_le32(raw + 4), im->file->size))
				return vtr_fail(err, VTR_ETRUNCATED, "the skippable frame at %#" PRIx64 " is cut off",
						w->at);
			w->at += 8 + (uint64_t)vtr_get_le32(raw + 4);
			w->skipped++;
		} else if (magic != ZSTD_FRAME) {
			return vtr_fail(err, VTR_ECORRUPT, "no frame at %#" PRIx64, w->at);
		} else if (zstd_walk_frame(w, im, err) < 0) {
			return -1;
		}
	}
	return 0;
}

static int zstd_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = vtr_stream_new(&zstd_ops, o, err);
	struct zstd_walk w = { 0 };

	if (!im || zstd_walk(&w, im, err) < 0)
		return -1;
	if (w.frames + w.skipped == 0)
		return vtr_fail(err, VTR_ETRUNCATED, "no frame: the file has 0 bytes");
	im->info.compression = "zstd";
	if (vtr_image_prop_bool(im, "size_stated", "size is stated", !w.unknown, err) < 0)
		return -1;
	if (!w.unknown && (vtr_image_prop_number(im, "frames", "frames", w.frames, err) < 0 ||
			   vtr_image_prop_number(im, "skippable_frames", "skippable frames", w.skipped, err) < 0 ||
			   vtr_image_prop_bool(im, "checksums", "checksums", w.sums, err) < 0))
		return -1;
	return vtr_stream_open(out, &im, o, w.unknown, err);
}

/* The first frame that is not to be skipped. */
static int zstd_probe(const struct vtr_probe *p)
{
	struct vtr_cur c = vtr_cur_of(p->head, p->head_len, 0);
	uint32_t magic = vtr_cur_le32(&c);

	for (unsigned i = 0; i < 4 && (magic & ~15u) == ZSTD_SKIP; i++) {
		vtr_cur_skip(&c, vtr_cur_le32(&c));
		magic = vtr_cur_le32(&c);
	}
	return !c.bad && magic == ZSTD_FRAME ? 32 : 0;
}

const struct vtr_format vtr_format_zstd = {
	.name = "zstd",
	.title = "a file compressed with zstd",
	.probe = zstd_probe,
	.open = zstd_open,
};
