/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bzip2: streams one after the other. */
#include <stdlib.h>
#include <string.h>

#include "formats/stream.h"

#define BZIP2_STREAM_STEPS 32u /* what a stream costs of limits.steps: 3.6 MB are made ready for it, empty or not */

struct bzip2 {
	struct vtr_codec_stream s;
	bool between; /* streams */
};

static int bzip2_failed(struct vtr_decoder *d, enum vtr_codec_result r, struct vtr_error *err)
{
	struct bzip2 *b = d->state;

	return vtr_decoder_failed(d, &b->s, r, "no bzip2, or a wrong checksum", err);
}

static int bzip2_start(struct vtr_decoder *d, struct vtr_error *err)
{
	struct bzip2 *b = vtr_calloc(1, sizeof(*b), err);
	enum vtr_codec_result r;

	if (!b)
		return -1;
	d->state = b;
	r = vtr_codec_start(&b->s, &vtr_method_bzip2, d->ctx->lim.metadata);
	return r == VTR_CODEC_MORE ? 0 : bzip2_failed(d, r, err);
}

static void bzip2_stop(struct vtr_decoder *d)
{
	struct bzip2 *b = d->state;

	if (b)
		vtr_codec_stop(&b->s);
	free(b);
}

/* Behind a stream. 1: nothing follows. */
static int bzip2_next(struct vtr_decoder *d, struct vtr_error *err)
{
	struct bzip2 *b = d->state;
	enum vtr_codec_result r;

	if (vtr_decoder_need(d, 4, err) < 0)
		return -1;
	if (d->at == d->have)
		return 1;
	if (d->have - d->at < 4 || memcmp(d->buf + d->at, "BZh", 3) != 0) {
		vtr_warn(d->ctx, VTR_OK, "%s%sbzip2: what follows the last stream, at %#" PRIx64 ", is left aside",
			 d->path ? d->path : "", d->path ? ": " : "", d->in - (d->have - d->at));
		d->at = d->have;
		d->in = d->in_end;
		return 1;
	}
	if (vtr_tick(d->ctx, &d->steps, BZIP2_STREAM_STEPS, err) < 0)
		return -1;
	r = vtr_codec_restart(&b->s);
	if (r != VTR_CODEC_MORE)
		return bzip2_failed(d, r, err);
	b->between = false;
	return 0;
}

static int bzip2_step(struct vtr_decoder *d, uint8_t *out, size_t len, size_t *got, struct vtr_error *err)
{
	struct bzip2 *b = d->state;
	enum vtr_codec_result done;
	int r;

	if (b->between && (r = bzip2_next(d, err)) != 0)
		return r;
	done = vtr_decoder_step(d, &b->s, out, len, got);
	if (done == VTR_CODEC_MORE)
		return 0;
	if (done != VTR_CODEC_END)
		return bzip2_failed(d, done, err);
	b->between = true;
	return d->at == d->have && d->in == d->in_end;
}

extern const struct vtr_format vtr_format_bzip2;
static const struct vtr_stream_ops bzip2_ops = {
	.format = &vtr_format_bzip2,
	.start = bzip2_start,
	.step = bzip2_step,
	.stop = bzip2_stop,
};

static int bzip2_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = vtr_stream_new(&bzip2_ops, o, err);

	if (!im)
		return -1;
	im->info.compression = "bzip2";
	return vtr_stream_open(out, &im, o, true, err);
}

extern const struct vtr_format vtr_format_dmg;

/*
 * Magic, level, and that of the first block, or of the end where there is none. An Apple disk image may start with its
 * first compressed piece; its trailer tells.
 */
static int bzip2_probe(const struct vtr_probe *p)
{
	const uint8_t *h = p->head;

	if (p->head_len < 10 || vtr_format_dmg.probe(p) > 0 || memcmp(h, "BZh", 3) != 0 || h[3] < '1' || h[3] > '9')
		return 0;
	return memcmp(h + 4, "1AY&SY", 6) == 0 || memcmp(h + 4, "\x17\x72\x45\x38\x50\x90", 6) == 0 ? 76 : 0;
}

const struct vtr_format vtr_format_bzip2 = {
	.name = "bzip2",
	.title = "a file compressed with bzip2",
	.probe = bzip2_probe,
	.open = bzip2_open,
};
