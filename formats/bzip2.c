/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bzip2: streams one after the other. */
#include <stdlib.h>
#include <string.h>

#include <bzlib.h>

#include "formats/stream.h"

#define BZIP2_STREAM_STEPS 32u /* what a stream costs of limits.steps: 3.6 MB are made ready for it, empty or not */

struct bzip2 {
	bz_stream z;
	bool open, between; /* streams */
};

static int bzip2_begin(struct bzip2 *b, struct vtr_error *err)
{
	memset(&b->z, 0, sizeof(b->z));
	if (BZ2_bzDecompressInit(&b->z, 0, 0) != BZ_OK)
		return vtr_decoder_no_memory(err);
	b->open = true;
	b->between = false;
	return 0;
}

static int bzip2_start(struct vtr_decoder *d, struct vtr_error *err)
{
	d->state = vtr_calloc(1, sizeof(struct bzip2), err);
	return d->state ? bzip2_begin(d->state, err) : -1;
}

static void bzip2_stop(struct vtr_decoder *d)
{
	struct bzip2 *b = d->state;

	if (b && b->open)
		BZ2_bzDecompressEnd(&b->z);
	free(b);
}

/* Behind a stream. 1: nothing follows. */
static int bzip2_next(struct vtr_decoder *d, struct vtr_error *err)
{
	struct bzip2 *b = d->state;

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
	return vtr_tick(d->ctx, &d->steps, BZIP2_STREAM_STEPS, err) < 0 ? -1 : bzip2_begin(b, err);
}

static int bzip2_step(struct vtr_decoder *d, uint8_t *out, size_t len, size_t *got, struct vtr_error *err)
{
	struct bzip2 *b = d->state;
	int r;

	if (b->between && (r = bzip2_next(d, err)) != 0)
		return r;
	b->z.next_in = (char *)d->buf + d->at;
	b->z.avail_in = (unsigned)(d->have - d->at);
	b->z.next_out = (char *)out;
	b->z.avail_out = (unsigned)len;
	r = BZ2_bzDecompress(&b->z);
	d->at = d->have - b->z.avail_in;
	*got += len - b->z.avail_out;
	switch (r) {
	case BZ_OK:
		return 0;
	case BZ_STREAM_END:
		BZ2_bzDecompressEnd(&b->z);
		b->open = false;
		b->between = true;
		return d->at == d->have && d->in == d->in_end;
	case BZ_MEM_ERROR:
		return vtr_decoder_no_memory(err);
	default:
		return vtr_fail(err, VTR_ECORRUPT, "near %#" PRIx64 ": no bzip2, or a wrong checksum",
				d->in - b->z.avail_in);
	}
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
