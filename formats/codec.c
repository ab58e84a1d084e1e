/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "formats/codec.h"

#include <stdlib.h>

#include <bzlib.h>
#include <libdeflate.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define CODEC_ZSTD_WINDOW_LOG 23    /* 8 MiB: more than any cluster */
#define CODEC_XZ_MEMORY (96u << 20) /* xz -9 needs 65 MiB */
#define CODEC_KEEP (1u << 20)	    /* stored bytes: a larger buffer is not kept */

static int codec_no_memory(struct vtr_error *err)
{
	return vtr_fail(err, VTR_ENOMEM, "out of memory for decompression");
}

static void codec_free(struct vtr_codec *c)
{
	free(c->in);
	ZSTD_freeDCtx(c->zstd);
	if (c->deflate)
		libdeflate_free_decompressor(c->deflate);
}

void vtr_codecs_init(struct vtr_codecs *all, uint64_t memory)
{
	pthread_mutex_init(&all->lock, NULL);
	pthread_cond_init(&all->given, NULL);
	all->memory = memory;
	all->taken = 0;
	all->n = 0;
}

void vtr_codecs_done(struct vtr_codecs *all)
{
	for (size_t i = 0; i < all->n; i++)
		codec_free(&all->idle[i]);
	pthread_cond_destroy(&all->given);
	pthread_mutex_destroy(&all->lock);
}

void vtr_codecs_get(struct vtr_codec *out, struct vtr_codecs *all)
{
	*out = (struct vtr_codec){ .deflate = NULL };
	pthread_mutex_lock(&all->lock);
	if (all->n > 0)
		*out = all->idle[--all->n];
	pthread_mutex_unlock(&all->lock);
	out->all = all;
}

void vtr_codecs_take(struct vtr_codecs *all, uint64_t bytes)
{
	pthread_mutex_lock(&all->lock);
	while (all->taken > 0 && (all->taken > all->memory || bytes > all->memory - all->taken))
		pthread_cond_wait(&all->given, &all->lock);
	all->taken += bytes;
	pthread_mutex_unlock(&all->lock);
}

void vtr_codecs_give(struct vtr_codecs *all, uint64_t bytes)
{
	pthread_mutex_lock(&all->lock);
	all->taken -= bytes;
	pthread_cond_broadcast(&all->given);
	pthread_mutex_unlock(&all->lock);
}

/* The part of one thread is to be so large: it is given back first. */
static void codec_take(struct vtr_codec *c, uint64_t bytes)
{
	if (c->taken > 0)
		vtr_codecs_give(c->all, c->taken);
	vtr_codecs_take(c->all, bytes);
	c->taken = bytes;
}

void vtr_codecs_put(struct vtr_codecs *all, struct vtr_codec *c)
{
	bool kept = false;

	if (c->in_cap > CODEC_KEEP) {
		free(c->in);
		c->in = NULL;
		c->in_cap = 0;
	}
	if (c->taken > 0)
		vtr_codecs_give(all, c->taken);
	c->taken = 0;
	pthread_mutex_lock(&all->lock);
	if (all->n < VTR_CODECS) {
		all->idle[all->n++] = *c;
		kept = true;
	}
	pthread_mutex_unlock(&all->lock);
	if (!kept)
		codec_free(c);
}

int vtr_codec_load(struct vtr_codec *c, struct vtr_blk *b, uint64_t off, size_t len, struct vtr_error *err)
{
	if (len > c->taken)
		codec_take(c, len);
	if (len > c->in_cap) {
		free(c->in);
		c->in_cap = 0;
		if (!(c->in = malloc(len)))
			return vtr_fail(err, VTR_ENOMEM, "out of memory: %zu compressed bytes", len);
		c->in_cap = len;
	}
	return vtr_blk_pread(b, off, c->in, len, err);
}

/*
 * The output is full, and the stream goes on: to its end, where its checksum is. Damage makes a stream longer as often as
 * it makes it shorter.
 */
static int codec_inflate_rest(z_stream *z)
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
int vtr_codec_inflate(struct vtr_codec *c, bool zlib_header, const uint8_t *in, size_t in_len, uint8_t *out,
		      size_t out_len, struct vtr_error *err)
{
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)in, .next_out = out };
	size_t in_used, out_used;
	enum libdeflate_result fast;
	bool full;
	int r;

	if (!c->deflate && !(c->deflate = libdeflate_alloc_decompressor()))
		return codec_no_memory(err);
	fast = zlib_header
		       ? libdeflate_zlib_decompress_ex(c->deflate, in, in_len, out, out_len, &in_used, &out_used)
		       : libdeflate_deflate_decompress_ex(c->deflate, in, in_len, out, out_len, &in_used, &out_used);
	if (fast == LIBDEFLATE_SUCCESS)
		return out_used == out_len;
	if (in_len > UINT32_MAX || out_len > UINT32_MAX)
		return 0;
	if (inflateInit2(&z, zlib_header ? 15 : -15) != Z_OK)
		return codec_no_memory(err);
	z.avail_in = (uInt)in_len;
	z.avail_out = (uInt)out_len;
	r = inflate(&z, Z_FINISH);
	full = z.avail_out == 0;
	if (zlib_header && full && (r == Z_OK || r == Z_BUF_ERROR))
		r = codec_inflate_rest(&z);
	inflateEnd(&z);
	if (r == Z_MEM_ERROR)
		return codec_no_memory(err);
	return full && (r == Z_STREAM_END || (r == Z_BUF_ERROR && !zlib_header));
}

int vtr_codec_unzstd(struct vtr_codec *c, const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len,
		     struct vtr_error *err)
{
	ZSTD_inBuffer from = { in, in_len, 0 };
	ZSTD_outBuffer to = { out, out_len, 0 };
	size_t left = 1;

	if (!c->zstd && !(c->zstd = ZSTD_createDCtx()))
		return codec_no_memory(err);
	ZSTD_DCtx_reset(c->zstd, ZSTD_reset_session_only);
	ZSTD_DCtx_setParameter(c->zstd, ZSTD_d_windowLogMax, CODEC_ZSTD_WINDOW_LOG);
	while (to.pos < to.size) {
		size_t in_before = from.pos, out_before = to.pos;

		left = ZSTD_decompressStream(c->zstd, &to, &from);
		if (ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation)
			return codec_no_memory(err);
		if (ZSTD_isError(left) || (from.pos == in_before && to.pos == out_before))
			return 0;
	}
	/* The frame ends with the output, and may have its checksum still before it. */
	if (left != 0)
		left = ZSTD_decompressStream(c->zstd, &to, &from);
	return left == 0;
}

int vtr_codec_bunzip2(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, struct vtr_error *err)
{
	bz_stream z = { .next_in = (char *)(uintptr_t)in, .next_out = (char *)out };
	uint8_t rest[4096];
	bool full;
	int r;

	if (in_len > UINT32_MAX || out_len > UINT32_MAX)
		return 0;
	r = BZ2_bzDecompressInit(&z, 0, 0);
	if (r != BZ_OK)
		return codec_no_memory(err);
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
		return codec_no_memory(err);
	return r == BZ_STREAM_END && full;
}

/* The filters say how much memory they need only when their header was read: that is taken then. */
static lzma_ret codec_unxz_memory(struct vtr_codec *c, lzma_stream *z, size_t in_len)
{
	uint64_t need = lzma_memusage(z);

	if (need > CODEC_XZ_MEMORY)
		return LZMA_MEMLIMIT_ERROR;
	codec_take(c, in_len + need);
	return lzma_memlimit_set(z, need);
}

int vtr_codec_unxz(struct vtr_codec *c, const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len,
		   struct vtr_error *err)
{
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_ret r = lzma_stream_decoder(&z, 1, 0);

	if (r != LZMA_OK)
		return codec_no_memory(err);
	z.next_in = in;
	z.avail_in = in_len;
	z.next_out = out;
	z.avail_out = out_len;
	do {
		r = lzma_code(&z, LZMA_FINISH);
		if (r == LZMA_MEMLIMIT_ERROR)
			r = codec_unxz_memory(c, &z, in_len);
	} while (r == LZMA_OK);
	lzma_end(&z);
	if (r == LZMA_MEM_ERROR)
		return codec_no_memory(err);
	if (r == LZMA_MEMLIMIT_ERROR)
		return vtr_fail(err, VTR_ELIMIT, "xz: its dictionary needs more than %u bytes", CODEC_XZ_MEMORY);
	return r == LZMA_STREAM_END && z.avail_out == 0;
}
