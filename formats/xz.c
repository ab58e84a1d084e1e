/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The .xz file format 1.1: streams of blocks, each stream with an index at its end, and padding between them. The index
 * tells the size of all, and where each block is: blocks are the units.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/codec/xz.h"
#include "formats/stream.h"

static int xz_failed(struct vtr_decoder *d, enum vtr_codec_result r, uint64_t at, const char *what,
		     struct vtr_error *err)
{
	return vtr_xz_fail(err, r, d->ctx->lim.metadata, at, what);
}

static int xz_start(struct vtr_decoder *d, struct vtr_error *err)
{
	d->state = vtr_calloc(1, sizeof(struct vtr_codec_stream), err);
	return d->state ? 0 : -1;
}

static void xz_stop(struct vtr_decoder *d)
{
	struct vtr_codec_stream *s = d->state;

	if (s)
		vtr_codec_stop(s);
	free(s);
}

/* The block's header, and the decoder that it asks for. */
static int xz_begin(struct vtr_decoder *d, struct vtr_codec_stream *s, struct vtr_error *err)
{
	uint64_t at = d->in - (d->have - d->at), memory;
	size_t header = vtr_xz_header_len(d->buf[d->at]);
	enum vtr_codec_result r;

	if (vtr_decoder_need(d, header, err) < 0)
		return -1;
	if (d->have - d->at < header || header == 0)
		return xz_failed(d, VTR_CODEC_TRUNCATED, at, "the block", err);
	s->in = d->buf + d->at;
	s->in_len = d->have - d->at;
	r = vtr_xz_block_open(s, &memory, d->method);
	if (r != VTR_CODEC_MORE)
		return xz_failed(d, r, at, s->in == d->buf + d->at ? "the header of the block" : "the block", err);
	d->at += header;
	if (memory > d->ctx->lim.metadata)
		return xz_failed(d, VTR_CODEC_LIMIT, at, "the block", err);
	vtr_decoder_take(d, memory);
	r = vtr_xz_block_start(s);
	return r == VTR_CODEC_MORE ? 0 : xz_failed(d, r, at, "the block", err);
}

static int xz_step(struct vtr_decoder *d, uint8_t *out, size_t len, size_t *got, struct vtr_error *err)
{
	struct vtr_codec_stream *s = d->state;
	enum vtr_codec_result r;

	if (!s->state)
		return d->at < d->have ? xz_begin(d, s, err) : 0;
	r = vtr_decoder_step(d, s, out, len, got);
	if (r == VTR_CODEC_MORE)
		return 0;
	return r == VTR_CODEC_END ? 1 : xz_failed(d, r, d->in - (d->have - d->at), "the block", err);
}

extern const struct vtr_format vtr_format_xz;
static const struct vtr_stream_ops xz_ops = {
	.format = &vtr_format_xz,
	.start = xz_start,
	.step = xz_step,
	.stop = xz_stop,
};

/* ------------------------------------------------------------------------------------------------------------ open */

struct xz_blocks {
	struct vtr_image *im;
	uint64_t steps;
	unsigned checks, last; /* a bit for each that occurs */
};

static int xz_add_block(void *arg, const struct vtr_xz_block *b, struct vtr_error *err)
{
	struct xz_blocks *all = arg;

	all->last = b->check;
	all->checks |= 1u << b->check;
	if (vtr_tick(all->im->blk.ctx, &all->steps, 1, err) < 0)
		return -1;
	return vtr_stream_add(all->im, b->in, b->in_len, b->out_len, b->check, err);
}

static int xz_add_blocks(struct vtr_image *im, const struct vtr_xz_index *index, struct vtr_error *err)
{
	struct xz_blocks all = { .im = im };
	const char *name = "none";

	if (vtr_xz_index_each(index, xz_add_block, &all, err) < 0)
		return -1;
	if (all.checks & (all.checks - 1))
		name = "several";
	else if (all.checks)
		name = vtr_xz_check_name(all.last);
	im->info.compression = "lzma";
	if (vtr_image_prop_number(im, "streams", "streams", index->streams, err) < 0 ||
	    vtr_image_prop_number(im, "blocks", "blocks", index->blocks, err) < 0)
		return -1;
	return vtr_image_prop_text(im, "check", "checksums", name, err);
}

static int xz_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = vtr_stream_new(&xz_ops, o, err);
	struct vtr_xz_index index = { 0 };
	int r;

	if (!im)
		return -1;
	r = vtr_xz_index_read(&index, im->file, err);
	if (r == 0)
		r = xz_add_blocks(im, &index, err);
	vtr_xz_index_done(&index);
	return r < 0 ? -1 : vtr_stream_open(out, &im, o, false, err);
}

extern const struct vtr_format vtr_format_dmg;

/*
 * Magic, and the first of two bytes of flags, which is reserved. An Apple disk image may start with its first compressed
 * piece; its trailer tells.
 */
static int xz_probe(const struct vtr_probe *p)
{
	return p->head_len >= 8 && vtr_format_dmg.probe(p) == 0 && memcmp(p->head, "\xfd\x37zXZ\0\0", 7) == 0 ? 56 : 0;
}

const struct vtr_format vtr_format_xz = {
	.name = "xz",
	.title = "a file compressed with xz",
	.probe = xz_probe,
	.open = xz_open,
};
