/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Zstandard, RFC 8878. */
#include <stdlib.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "base/checked.h"
#include "base/codec/methods.h"

#define ZSTD_PIECE_WINDOW_LOG 23 /* 8 MiB: more than any cluster */
#define ZSTD_LEVEL 3

void vtr_codec_free_zstd(struct vtr_codec *c)
{
	ZSTD_freeDCtx(c->zstd);
}

/* A frame that is there as a whole, and says its size, needs no window: only others are held to it. */
static int zstd_decode(struct vtr_codec *c, uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len,
		       struct vtr_error *err)
{
	ZSTD_inBuffer from = { in, in_len, 0 };
	ZSTD_outBuffer to = { out, out_len, 0 };
	size_t left = 1;

	if (!c->zstd && !(c->zstd = ZSTD_createDCtx()))
		return vtr_codec_no_memory(err);
	ZSTD_DCtx_reset(c->zstd, ZSTD_reset_session_only);
	ZSTD_DCtx_setParameter(c->zstd, ZSTD_d_windowLogMax, ZSTD_PIECE_WINDOW_LOG);
	while (to.pos < to.size) {
		size_t in_before = from.pos, out_before = to.pos;

		left = ZSTD_decompressStream(c->zstd, &to, &from);
		if (ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation)
			return vtr_codec_no_memory(err);
		if (ZSTD_isError(left) || (from.pos == in_before && to.pos == out_before))
			return vtr_codec_unsound(&vtr_method_zstd, out_len, in_len, err);
	}
	/* The frame ends with the output, and may have its checksum still before it. */
	if (left != 0)
		left = ZSTD_decompressStream(c->zstd, &to, &from);
	return left == 0 ? 1 : vtr_codec_unsound(&vtr_method_zstd, out_len, in_len, err);
}

bool vtr_zstd_size(uint64_t *out, const uint8_t *in, size_t in_len)
{
	unsigned long long size = ZSTD_getFrameContentSize(in, in_len);

	if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN)
		return false;
	*out = size;
	return true;
}

/* --------------------------------------------------------------------------------------------------------- stream */

static enum vtr_codec_result zstd_start(struct vtr_codec_stream *s, uint64_t memory)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();

	if (!z)
		return VTR_CODEC_NO_MEMORY;
	/* Windows are powers of two, from 2^10 to 2^31. */
	ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, memory < 2048 ? 10 : (int)VTR_MIN(vtr_log2(memory), 31u));
	s->state = z;
	return VTR_CODEC_MORE;
}

/* Keeps the bound of the window. */
static enum vtr_codec_result zstd_restart(struct vtr_codec_stream *s)
{
	ZSTD_DCtx_reset(s->state, ZSTD_reset_session_only);
	return VTR_CODEC_MORE;
}

static enum vtr_codec_result zstd_step(struct vtr_codec_stream *s)
{
	ZSTD_inBuffer from = { s->in, s->in_len, 0 };
	ZSTD_outBuffer to = { s->out, s->out_len, 0 };
	size_t left = ZSTD_decompressStream(s->state, &to, &from);

	s->in += from.pos;
	s->in_len -= from.pos;
	s->out += to.pos;
	s->out_len -= to.pos;
	if (!ZSTD_isError(left))
		return left == 0 ? VTR_CODEC_END : VTR_CODEC_MORE;
	switch (ZSTD_getErrorCode(left)) {
	case ZSTD_error_memory_allocation:
		return VTR_CODEC_NO_MEMORY;
	case ZSTD_error_frameParameter_windowTooLarge:
		return VTR_CODEC_LIMIT;
	case ZSTD_error_dictionary_wrong:
		return VTR_CODEC_OPTIONS;
	default:
		s->why = ZSTD_getErrorName(left);
		return VTR_CODEC_DAMAGED;
	}
}

static void zstd_stop(struct vtr_codec_stream *s)
{
	ZSTD_freeDCtx(s->state);
}

/* ---------------------------------------------------------------------------------------------------- compression */

struct zstd_encoder {
	ZSTD_CCtx *z;
	int level;
};

static void zstd_encode_free(void *state)
{
	struct zstd_encoder *e = state;

	ZSTD_freeCCtx(e->z);
	free(e);
}

static void *zstd_encode_new(int level, unsigned window_log)
{
	struct zstd_encoder *e = calloc(1, sizeof(*e));

	(void)window_log; /* a piece is its own window */
	if (!e)
		return NULL;
	e->level = level;
	e->z = ZSTD_createCCtx();
	if (!e->z) {
		free(e);
		return NULL;
	}
	return e;
}

static size_t zstd_encode(void *state, uint8_t *out, size_t room, const uint8_t *in, size_t in_len)
{
	struct zstd_encoder *e = state;
	size_t n = ZSTD_compressCCtx(e->z, out, room, in, in_len, e->level);

	return ZSTD_isError(n) ? 0 : n;
}

const struct vtr_method vtr_method_zstd = {
	.name = "zstd",
	.decode = zstd_decode,
	.start = zstd_start,
	.step = zstd_step,
	.restart = zstd_restart,
	.stop = zstd_stop,
	.default_level = ZSTD_LEVEL,
	.max_level = ZSTD_maxCLevel,
	.encode_new = zstd_encode_new,
	.encode = zstd_encode,
	.encode_free = zstd_encode_free,
};
