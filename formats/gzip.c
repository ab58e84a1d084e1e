/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gzip, RFC 1952: members one after the other, and perhaps zeros behind the last. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/stream.h"

#define GZIP_NAME 1024u /* bytes of the header that are looked at for the name */

struct gzip {
	struct vtr_codec_stream s;
	bool between; /* members */
};

static int gzip_start(struct vtr_decoder *d, struct vtr_error *err)
{
	struct gzip *g = vtr_calloc(1, sizeof(*g), err);
	enum vtr_codec_result r;

	if (!g)
		return -1;
	d->state = g;
	r = vtr_codec_start(&g->s, &vtr_method_gzip, d->ctx->lim.metadata);
	return r == VTR_CODEC_MORE ? 0 : vtr_decoder_failed(d, &g->s, r, "no deflate", err);
}

static void gzip_stop(struct vtr_decoder *d)
{
	struct gzip *g = d->state;

	if (g)
		vtr_codec_stop(&g->s);
	free(g);
}

/* Behind a member. 1: nothing follows. */
static int gzip_next(struct vtr_decoder *d, struct vtr_error *err)
{
	struct gzip *g = d->state;
	enum vtr_codec_result r;

	while (d->at < d->have && d->buf[d->at] == 0)
		d->at++;
	if (d->at == d->have)
		return d->in == d->in_end;
	if (vtr_decoder_need(d, 2, err) < 0)
		return -1;
	if (d->have - d->at < 2 || d->buf[d->at] != 0x1f || d->buf[d->at + 1] != 0x8b) {
		vtr_warn(d->ctx, VTR_OK, "%s%sgzip: what follows the last member, at %#" PRIx64 ", is left aside",
			 d->path ? d->path : "", d->path ? ": " : "", d->in - (d->have - d->at));
		d->at = d->have;
		d->in = d->in_end;
		return 1;
	}
	if (vtr_tick(d->ctx, &d->steps, 1, err) < 0)
		return -1;
	r = vtr_codec_restart(&g->s);
	if (r != VTR_CODEC_MORE)
		return vtr_decoder_failed(d, &g->s, r, "no deflate", err);
	g->between = false;
	return 0;
}

static int gzip_step(struct vtr_decoder *d, uint8_t *out, size_t len, size_t *got, struct vtr_error *err)
{
	struct gzip *g = d->state;
	enum vtr_codec_result done;
	int r;

	if (g->between && ((r = gzip_next(d, err)) != 0 || g->between))
		return r;
	done = vtr_decoder_step(d, &g->s, out, len, got);
	if (done == VTR_CODEC_MORE)
		return 0;
	if (done != VTR_CODEC_END)
		return vtr_decoder_failed(d, &g->s, done, "no deflate", err);
	g->between = true;
	return d->at == d->have && d->in == d->in_end;
}

extern const struct vtr_format vtr_format_gzip;
static const struct vtr_stream_ops gzip_ops = {
	.format = &vtr_format_gzip,
	.start = gzip_start,
	.step = gzip_step,
	.stop = gzip_stop,
};

/* Header: 2 1f 8b, 1 method, 1 flags, 4 time, 1, 1; with flag 4 an extra field of 2 + n; with flag 8 the name. */
static int gzip_make_info(struct vtr_image *im, struct vtr_error *err)
{
	uint8_t head[GZIP_NAME];
	size_t n = (size_t)VTR_MIN((uint64_t)sizeof(head), im->file->size);
	struct vtr_cur c = vtr_cur_of(head, n, 0);
	const uint8_t *end;
	uint8_t flags;

	im->info.compression = "deflate";
	if (vtr_blk_pread(im->file, 0, head, n, err) < 0)
		return -1;
	vtr_cur_skip(&c, 3);
	flags = vtr_cur_u8(&c);
	vtr_cur_skip(&c, 6);
	if (flags & 4)
		vtr_cur_skip(&c, vtr_cur_le16(&c));
	if (c.bad || !(flags & 8) || !(end = memchr(c.p, 0, vtr_cur_left(&c))))
		return 0;
	return vtr_image_prop_text(im, "name", "name inside", vtr_image_text(im, c.p, (size_t)(end - c.p), err), err);
}

static int gzip_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = vtr_stream_new(&gzip_ops, o, err);

	if (!im || gzip_make_info(im, err) < 0)
		return -1;
	return vtr_stream_open(out, &im, o, true, err);
}

/* Magic, the one method, no reserved flags. */
static int gzip_probe(const struct vtr_probe *p)
{
	return p->head_len >= 4 && memcmp(p->head, "\x1f\x8b\x08", 3) == 0 && (p->head[3] & 0xe0) == 0 ? 27 : 0;
}

const struct vtr_format vtr_format_gzip = {
	.name = "gzip",
	.title = "a file compressed with gzip",
	.probe = gzip_probe,
	.open = gzip_open,
};
