/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Units of a compressed file that are streams of base/codec. */
#include "formats/stream.h"

enum vtr_codec_result vtr_decoder_step(struct vtr_decoder *d, struct vtr_codec_stream *s, uint8_t *out, size_t len,
				       size_t *got)
{
	enum vtr_codec_result r;

	s->in = d->buf + d->at;
	s->in_len = d->have - d->at;
	s->out = out;
	s->out_len = len;
	r = vtr_codec_step(s);
	d->at = d->have - s->in_len;
	*got += len - s->out_len;
	return r;
}

int vtr_decoder_failed(const struct vtr_decoder *d, const struct vtr_codec_stream *s, enum vtr_codec_result r,
		       const char *words, struct vtr_error *err)
{
	switch (r) {
	case VTR_CODEC_NO_MEMORY:
		return vtr_decoder_no_memory(err);
	case VTR_CODEC_LIMIT:
		return vtr_fail(err, VTR_ELIMIT, "its window is larger than limit metadata=%" PRIu64,
				d->ctx->lim.metadata);
	case VTR_CODEC_OPTIONS:
		return vtr_fail(err, VTR_EUNSUPPORTED, "it needs a dictionary");
	default:
		return vtr_fail(err, VTR_ECORRUPT, "near %#" PRIx64 ": %s", d->in - (d->have - d->at),
				s->why ? s->why : words);
	}
}
