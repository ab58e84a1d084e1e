/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Deflate: RFC 1951, in the frames of zlib (RFC 1950) and gzip (RFC 1952). libdeflate decodes whole pieces, zlib streams and
 * what libdeflate refuses.
 */
#include <stdlib.h>

#include <libdeflate.h>
#include <zlib.h>

#include "base/checked.h"
#include "base/codec/methods.h"

#define DEFLATE_MEM_LEVEL 9

void vtr_codec_free_deflate(struct vtr_codec *c)
{
	if (c->deflate)
		libdeflate_free_decompressor(c->deflate);
}

/*
 * The output is full, and the stream goes on: to its end, where its checksum is. Damage makes a stream longer as often as
 * it makes it shorter.
 */
static int deflate_rest(z_stream *z)
{
	uint8_t rest[4096];
	int r;

	do {
		z->next_out = rest;
		z->avail_out = sizeof(rest);
		r = inflate(z, Z_NO_FLUSH);
	} while (r == Z_OK);
	return r;
}

/*
 * libdeflate wants the stream to end exactly with the output; streams that go on are legal, and zlib reads those. Only
 * one with a header has a checksum.
 */
static int deflate_decode_as(const struct vtr_method *m, struct vtr_codec *c, uint8_t *out, size_t out_len,
			     const uint8_t *in, size_t in_len, struct vtr_error *err)
{
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)in, .next_out = out };
	bool header = m == &vtr_method_zlib, full;
	size_t in_used, out_used;
	enum libdeflate_result fast;
	int r;

	if (!c->deflate && !(c->deflate = libdeflate_alloc_decompressor()))
		return vtr_codec_no_memory(err);
	fast = header ? libdeflate_zlib_decompress_ex(c->deflate, in, in_len, out, out_len, &in_used, &out_used)
		      : libdeflate_deflate_decompress_ex(c->deflate, in, in_len, out, out_len, &in_used, &out_used);
	if (fast == LIBDEFLATE_SUCCESS)
		return out_used == out_len ? 1 : vtr_codec_unsound(m, out_len, in_len, err);
	if (in_len > UINT32_MAX || out_len > UINT32_MAX)
		return vtr_codec_unsound(m, out_len, in_len, err);
	if (inflateInit2(&z, header ? 15 : -15) != Z_OK)
		return vtr_codec_no_memory(err);
	z.avail_in = (uInt)in_len;
	z.avail_out = (uInt)out_len;
	r = inflate(&z, Z_FINISH);
	full = z.avail_out == 0;
	if (header && full && (r == Z_OK || r == Z_BUF_ERROR))
		r = deflate_rest(&z);
	inflateEnd(&z);
	if (r == Z_MEM_ERROR)
		return vtr_codec_no_memory(err);
	if (full && (r == Z_STREAM_END || (r == Z_BUF_ERROR && !header)))
		return 1;
	return vtr_codec_unsound(m, out_len, in_len, err);
}

static int deflate_decode(struct vtr_codec *c, uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len,
			  struct vtr_error *err)
{
	return deflate_decode_as(&vtr_method_deflate, c, out, out_len, in, in_len, err);
}

static int zlib_decode(struct vtr_codec *c, uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len,
		       struct vtr_error *err)
{
	return deflate_decode_as(&vtr_method_zlib, c, out, out_len, in, in_len, err);
}

/* --------------------------------------------------------------------------------------------------------- stream */

/* The fuzz build lets wrong checksums pass, as vtr_sum_ok() does. */
static enum vtr_codec_result inflate_ready(z_stream *z)
{
#ifdef VTR_FUZZING
	inflateValidate(z, 0);
#else
	(void)z;
#endif
	return VTR_CODEC_MORE;
}

static enum vtr_codec_result inflate_start(struct vtr_codec_stream *s, uint64_t memory)
{
	z_stream *z = calloc(1, sizeof(*z));

	(void)memory; /* 40 KiB, whatever the stream is */
	if (!z || inflateInit2(z, s->method == &vtr_method_gzip ? 15 + 16 : 15) != Z_OK) {
		free(z);
		return VTR_CODEC_NO_MEMORY;
	}
	s->state = z;
	return inflate_ready(z);
}

static enum vtr_codec_result inflate_restart(struct vtr_codec_stream *s)
{
	inflateReset(s->state);
	return inflate_ready(s->state);
}

static enum vtr_codec_result inflate_step(struct vtr_codec_stream *s)
{
	z_stream *z = s->state;
	uInt in = (uInt)VTR_MIN(s->in_len, (size_t)UINT32_MAX), out = (uInt)VTR_MIN(s->out_len, (size_t)UINT32_MAX);
	int r;

	z->next_in = (uint8_t *)(uintptr_t)s->in;
	z->avail_in = in;
	z->next_out = s->out;
	z->avail_out = out;
	r = inflate(z, Z_NO_FLUSH);
	s->in += in - z->avail_in;
	s->in_len -= in - z->avail_in;
	s->out += out - z->avail_out;
	s->out_len -= out - z->avail_out;
	switch (r) {
	case Z_OK:
	case Z_BUF_ERROR:
		return VTR_CODEC_MORE;
	case Z_STREAM_END:
		return VTR_CODEC_END;
	case Z_MEM_ERROR:
		return VTR_CODEC_NO_MEMORY;
	default:
		s->why = z->msg;
		return VTR_CODEC_DAMAGED;
	}
}

static void inflate_stop(struct vtr_codec_stream *s)
{
	inflateEnd(s->state);
	free(s->state);
}

/* ---------------------------------------------------------------------------------------------------- compression */

static int deflate_max_level(void)
{
	return Z_BEST_COMPRESSION;
}

static void *deflate_encode_new(int level, unsigned window_log)
{
	z_stream *z = calloc(1, sizeof(*z));

	if (!z || deflateInit2(z, level, Z_DEFLATED, -(int)window_log, DEFLATE_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(z);
		return NULL;
	}
	return z;
}

static size_t deflate_encode(void *state, uint8_t *out, size_t room, const uint8_t *in, size_t in_len)
{
	z_stream *z = state;

	if (room > UINT32_MAX || in_len > UINT32_MAX || deflateReset(z) != Z_OK)
		return 0;
	z->next_in = (uint8_t *)(uintptr_t)in; /* zlib does not write to it */
	z->avail_in = (uInt)in_len;
	z->next_out = out;
	z->avail_out = (uInt)room;
	return deflate(z, Z_FINISH) == Z_STREAM_END ? room - z->avail_out : 0;
}

static void deflate_encode_free(void *state)
{
	deflateEnd(state);
	free(state);
}

const struct vtr_method vtr_method_deflate = {
	.name = "deflate",
	.decode = deflate_decode,
	.default_level = Z_DEFAULT_COMPRESSION,
	.max_level = deflate_max_level,
	.encode_new = deflate_encode_new,
	.encode = deflate_encode,
	.encode_free = deflate_encode_free,
};

const struct vtr_method vtr_method_zlib = {
	.name = "zlib",
	.decode = zlib_decode,
	.start = inflate_start,
	.step = inflate_step,
	.restart = inflate_restart,
	.stop = inflate_stop,
};

const struct vtr_method vtr_method_gzip = {
	.name = "gzip",
	.start = inflate_start,
	.step = inflate_step,
	.restart = inflate_restart,
	.stop = inflate_stop,
};
