/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bzip2. */
#include <stdlib.h>
#include <string.h>

#include <bzlib.h>

#include "base/checked.h"
#include "base/codec/methods.h"

static int bzip2_decode(struct vtr_codec *c, uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len,
			struct vtr_error *err)
{
	bz_stream z = { .next_in = (char *)(uintptr_t)in, .next_out = (char *)out };
	uint8_t rest[4096];
	bool full;
	int r;

	(void)c;
	if (in_len > UINT32_MAX || out_len > UINT32_MAX)
		return vtr_codec_unsound(&vtr_method_bzip2, out_len, in_len, err);
	r = BZ2_bzDecompressInit(&z, 0, 0);
	if (r != BZ_OK)
		return vtr_codec_no_memory(err);
	z.avail_in = (unsigned)in_len;
	z.avail_out = (unsigned)out_len;
	r = BZ2_bzDecompress(&z);
	full = z.avail_out == 0;
	/* The checksums are behind the last byte. */
	while (r == BZ_OK && full) {
		unsigned before = z.avail_in;

		z.next_out = (char *)rest;
		z.avail_out = sizeof(rest);
		r = BZ2_bzDecompress(&z);
		if (z.avail_in == before && z.avail_out == sizeof(rest))
			break;
	}
	BZ2_bzDecompressEnd(&z);
	if (r == BZ_MEM_ERROR)
		return vtr_codec_no_memory(err);
	return r == BZ_STREAM_END && full ? 1 : vtr_codec_unsound(&vtr_method_bzip2, out_len, in_len, err);
}

/* --------------------------------------------------------------------------------------------------------- stream */

struct bzip2 {
	bz_stream z;
	bool open;
};

static enum vtr_codec_result bzip2_restart(struct vtr_codec_stream *s)
{
	struct bzip2 *b = s->state;

	if (b->open)
		BZ2_bzDecompressEnd(&b->z);
	memset(&b->z, 0, sizeof(b->z));
	b->open = BZ2_bzDecompressInit(&b->z, 0, 0) == BZ_OK;
	return b->open ? VTR_CODEC_MORE : VTR_CODEC_NO_MEMORY;
}

static enum vtr_codec_result bzip2_start(struct vtr_codec_stream *s, uint64_t memory)
{
	(void)memory; /* 4 MB, whatever the stream is */
	s->state = calloc(1, sizeof(struct bzip2));
	return s->state ? bzip2_restart(s) : VTR_CODEC_NO_MEMORY;
}

/* A member that has ended gives its memory back at once: what follows is often nothing. */
static enum vtr_codec_result bzip2_step(struct vtr_codec_stream *s)
{
	struct bzip2 *b = s->state;
	unsigned in = (unsigned)VTR_MIN(s->in_len, (size_t)UINT32_MAX);
	unsigned out = (unsigned)VTR_MIN(s->out_len, (size_t)UINT32_MAX);
	int r;

	b->z.next_in = (char *)(uintptr_t)s->in;
	b->z.avail_in = in;
	b->z.next_out = (char *)s->out;
	b->z.avail_out = out;
	r = BZ2_bzDecompress(&b->z);
	s->in += in - b->z.avail_in;
	s->in_len -= in - b->z.avail_in;
	s->out += out - b->z.avail_out;
	s->out_len -= out - b->z.avail_out;
	switch (r) {
	case BZ_OK:
		return VTR_CODEC_MORE;
	case BZ_STREAM_END:
		BZ2_bzDecompressEnd(&b->z);
		b->open = false;
		return VTR_CODEC_END;
	case BZ_MEM_ERROR:
		return VTR_CODEC_NO_MEMORY;
	default:
		return VTR_CODEC_DAMAGED;
	}
}

static void bzip2_stop(struct vtr_codec_stream *s)
{
	struct bzip2 *b = s->state;

	if (b->open)
		BZ2_bzDecompressEnd(&b->z);
	free(b);
}

const struct vtr_method vtr_method_bzip2 = {
	.name = "bzip2",
	.decode = bzip2_decode,
	.start = bzip2_start,
	.step = bzip2_step,
	.restart = bzip2_restart,
	.stop = bzip2_stop,
};
