/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One loop feeds four decompressors: each takes from "in", gives to "out", and says when a member has ended. */
#include "base/unpack.h"

#include <bzlib.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/checked.h"

#define UNPACK_IN 65536u
#define UNPACK_STEP 512u	  /* bytes out for one step, */
#define UNPACK_STEP_ODD 4u	  /* or so many once a byte has made more than UNPACK_RATIO */
#define UNPACK_RATIO 1000u	  /* text logs do not compress better than a few hundred to one */
#define UNPACK_XZ_MEMORY 1048576u /* what liblzma needs beside the dictionary */

enum { UNPACK_PLAIN, UNPACK_GZIP, UNPACK_BZIP2, UNPACK_XZ, UNPACK_ZSTD };

static const char *const unpack_names[] = { "", "gzip", "bzip2", "xz", "zstd" };

struct vtr_unpack {
	struct vtr_blk *b;
	struct vtr_ctx *ctx;
	int kind;
	uint64_t off; /* of what is read next */
	uint64_t taken, made, steps;
	uint8_t *in;
	size_t at, have;
	bool ready;  /* the decompressor is in the middle of a member */
	bool full;   /* it filled all the room that it had, and may have more to give */
	bool begun;  /* a member has been begun */
	bool failed; /* err is what every further read says */
	struct vtr_error err;
	z_stream z;
	bz_stream bz;
	lzma_stream xz;
	ZSTD_DStream *zstd;
};

static void unpack_end(struct vtr_unpack *u)
{
	if (!u->ready)
		return;
	if (u->kind == UNPACK_GZIP)
		inflateEnd(&u->z);
	else if (u->kind == UNPACK_BZIP2)
		BZ2_bzDecompressEnd(&u->bz);
	else if (u->kind == UNPACK_XZ)
		lzma_end(&u->xz);
	u->ready = false;
}

/* Begin a member. */
static int unpack_begin(struct vtr_unpack *u, struct vtr_error *err)
{
	uint64_t memory = u->ctx->lim.alloc;
	bool ok = true;

	switch (u->kind) {
	case UNPACK_GZIP:
		u->z = (z_stream){ 0 };
		ok = inflateInit2(&u->z, 15 + 16) == Z_OK;
		break;
	case UNPACK_BZIP2:
		u->bz = (bz_stream){ 0 };
		ok = BZ2_bzDecompressInit(&u->bz, 0, 0) == BZ_OK;
		break;
	case UNPACK_XZ:
		u->xz = (lzma_stream)LZMA_STREAM_INIT;
		ok = lzma_stream_decoder(&u->xz,
					 memory > UINT64_MAX - UNPACK_XZ_MEMORY ? memory : memory + UNPACK_XZ_MEMORY,
					 0) == LZMA_OK;
		break;
	default:
		if (!u->zstd)
			u->zstd = ZSTD_createDStream();
		ok = u->zstd && !ZSTD_isError(ZSTD_initDStream(u->zstd));
		/* Windows are powers of two, from 2^10 to 2^31. */
		for (int log = 31; ok && log >= 10; log--)
			if (UINT64_C(1) << log <= memory || log == 10) {
				ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, log);
				break;
			}
	}
	if (!ok)
		return vtr_fail(err, VTR_ENOMEM, "%s: out of memory", unpack_names[u->kind]);
	u->ready = true;
	u->begun = true;
	return 0;
}

static int unpack_damage(const struct vtr_unpack *u, struct vtr_error *err)
{
	return vtr_fail(err, VTR_ECORRUPT, "%s: the data is damaged near byte %" PRIu64, unpack_names[u->kind],
			u->off - (u->have - u->at));
}

static int unpack_memory(const struct vtr_unpack *u, struct vtr_error *err)
{
	return vtr_fail(err, VTR_ELIMIT, "%s: a dictionary over limit alloc=%" PRIu64, unpack_names[u->kind],
			u->ctx->lim.alloc);
}

/* Decode from in to out. *n is room, then what was made. 1: the member has ended; 0: more is needed; -1. */
static int unpack_some(struct vtr_unpack *u, uint8_t *out, size_t *n, struct vtr_error *err)
{
	unsigned have = (unsigned)(u->have - u->at), room = (unsigned)VTR_MIN(*n, (size_t)UNPACK_IN);
	uint8_t *in = u->in + u->at;
	int r;

	if (u->kind == UNPACK_GZIP) {
		u->z.next_in = in;
		u->z.avail_in = have;
		u->z.next_out = out;
		u->z.avail_out = room;
		r = inflate(&u->z, Z_NO_FLUSH);
		u->at = u->have - u->z.avail_in;
		*n = room - u->z.avail_out;
		return r == Z_STREAM_END ? 1 : r == Z_OK || r == Z_BUF_ERROR ? 0 : unpack_damage(u, err);
	}
	if (u->kind == UNPACK_BZIP2) {
		u->bz.next_in = (char *)in;
		u->bz.avail_in = have;
		u->bz.next_out = (char *)out;
		u->bz.avail_out = room;
		r = BZ2_bzDecompress(&u->bz);
		u->at = u->have - u->bz.avail_in;
		*n = room - u->bz.avail_out;
		return r == BZ_STREAM_END ? 1 : r == BZ_OK ? 0 : unpack_damage(u, err);
	}
	if (u->kind == UNPACK_XZ) {
		u->xz.next_in = in;
		u->xz.avail_in = have;
		u->xz.next_out = out;
		u->xz.avail_out = room;
		r = (int)lzma_code(&u->xz, LZMA_RUN);
		u->at = u->have - u->xz.avail_in;
		*n = room - u->xz.avail_out;
		if (r == LZMA_MEMLIMIT_ERROR)
			return unpack_memory(u, err);
		return r == LZMA_STREAM_END ? 1 : r == LZMA_OK || r == LZMA_BUF_ERROR ? 0 : unpack_damage(u, err);
	}
	{
		ZSTD_inBuffer from = { in, have, 0 };
		ZSTD_outBuffer to = { out, room, 0 };
		size_t left = ZSTD_decompressStream(u->zstd, &to, &from);

		u->at += from.pos;
		*n = to.pos;
		if (ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge)
			return unpack_memory(u, err);
		return ZSTD_isError(left) ? unpack_damage(u, err) : left == 0;
	}
}

/* More bytes as they lie, when all are used. 1, 0: the end, -1. */
static int unpack_fill(struct vtr_unpack *u, struct vtr_error *err)
{
	size_t n = (size_t)VTR_MIN(u->b->size - u->off, (uint64_t)UNPACK_IN);

	if (u->at < u->have)
		return 1;
	if (n == 0)
		return 0;
	if (vtr_blk_pread(u->b, u->off, u->in, n, err) < 0)
		return -1;
	u->off += n;
	u->taken += n;
	u->at = 0;
	u->have = n;
	return 1;
}

/* Whether only zeros are left, which pad tapes and sectors. */
static int unpack_padding(struct vtr_unpack *u, struct vtr_error *err)
{
	int r;

	while ((r = unpack_fill(u, err)) > 0) {
		while (u->at < u->have && u->in[u->at] == 0)
			u->at++;
		if (u->at < u->have)
			return 0;
		if (vtr_tick(u->ctx, &u->steps, 1, err) < 0)
			return -1;
	}
	return r < 0 ? -1 : 1;
}

static ssize_t unpack_read(struct vtr_unpack *u, uint8_t *buf, size_t len, struct vtr_error *err)
{
	for (;;) {
		size_t n = len;
		int r;

		if (!u->ready) {
			r = u->begun ? unpack_padding(u, err) : unpack_fill(u, err) == 0;
			if (r != 0)
				return r < 0 ? -1 : 0;
			if (unpack_begin(u, err) < 0)
				return -1;
		}
		r = unpack_fill(u, err);
		if (r < 0)
			return -1;
		if (r == 0 && !u->full)
			return vtr_fail(err, VTR_ETRUNCATED, "%s: the file ends before its data",
					unpack_names[u->kind]);
		r = unpack_some(u, buf, &n, err);
		u->full = n == VTR_MIN(len, (size_t)UNPACK_IN);
		u->made += n;
		if (vtr_tick(u->ctx, &u->steps,
			     1 + n / (u->made / UNPACK_RATIO > u->taken ? UNPACK_STEP_ODD : UNPACK_STEP), err) < 0)
			return -1;
		if (r > 0)
			unpack_end(u);
		if (n > 0) {
			if (r < 0) { /* what was made is given first */
				u->failed = true;
				u->err = *err;
			}
			return (ssize_t)n;
		}
		if (r < 0)
			return -1;
	}
}

ssize_t vtr_unpack_read(struct vtr_unpack *u, void *buf, size_t len, struct vtr_error *err)
{
	struct vtr_error e = { 0 };
	ssize_t n;

	if (len == 0)
		return 0;
	if (!u->failed && u->kind == UNPACK_PLAIN) {
		n = (ssize_t)VTR_MIN(u->b->size - u->off, (uint64_t)VTR_MIN(len, (size_t)UNPACK_IN));
		if (n > 0 && vtr_blk_pread(u->b, u->off, buf, (size_t)n, &e) < 0)
			n = -1;
		if (n > 0 && vtr_tick(u->ctx, &u->steps, 1 + (size_t)n / UNPACK_STEP, &e) < 0)
			n = -1;
		u->off += n > 0 ? (uint64_t)n : 0;
	} else {
		n = u->failed ? -1 : unpack_read(u, buf, len, &e);
	}
	if (n < 0 && !u->failed) {
		u->failed = true;
		u->err = e;
	}
	if (n < 0 && err)
		*err = u->err;
	return n;
}

int vtr_unpack_rewind(struct vtr_unpack *u, struct vtr_error *err)
{
	unpack_end(u);
	u->off = u->at = u->have = 0;
	u->taken = u->made = 0;
	u->begun = u->failed = u->full = false;
	return vtr_ctx_check(u->ctx, err);
}

/*
 * Magics: gzip RFC 1952, 2.3.1; bzip2 "BZh" and a digit; xz .xz file format 2.1.1.1; Zstandard RFC 8878, 3.1.1, and its
 * skippable frames; LZ4 frames; lzip; compress(1).
 */
static int unpack_probe(const uint8_t *p, size_t n)
{
	static const struct {
		const char *magic;
		uint8_t len;
		int8_t kind;
	} all[] = {
		{ "\x1f\x8b\x08", 3, UNPACK_GZIP },
		{ "BZh", 3, UNPACK_BZIP2 },
		{ "\xfd"
		  "7zXZ",
		  6, UNPACK_XZ },
		{ "\x28\xb5\x2f\xfd", 4, UNPACK_ZSTD },
		{ "\x04\x22\x4d\x18", 4, -1 },
		{ "LZIP", 4, -1 },
		{ "\x1f\x9d", 2, -1 },
	};

	for (size_t i = 0; i < VTR_COUNT(all); i++)
		if (n >= all[i].len && memcmp(p, all[i].magic, all[i].len) == 0)
			return all[i].kind;
	return UNPACK_PLAIN;
}

int vtr_unpack_open(struct vtr_unpack **out, struct vtr_blk *b, struct vtr_error *err)
{
	size_t n = (size_t)VTR_MIN(b->size, (uint64_t)8);
	struct vtr_unpack *u;
	uint8_t magic[8];
	int kind;

	if (vtr_blk_pread(b, 0, magic, n, err) < 0)
		return -1;
	kind = unpack_probe(magic, n);
	if (kind < 0)
		return vtr_fail(err, VTR_EUNSUPPORTED, "compressed by %s, which is not read",
				magic[0] == 'L' ? "lzip"
				: magic[0] == 4 ? "LZ4"
						: "compress");
	u = vtr_calloc(1, sizeof(*u), err);
	if (!u)
		return -1;
	u->b = vtr_blk_ref(b);
	u->ctx = b->ctx;
	u->kind = kind;
	if (kind != UNPACK_PLAIN && !(u->in = vtr_calloc(1, UNPACK_IN, err))) {
		vtr_unpack_close(u);
		return -1;
	}
	*out = u;
	return 0;
}

void vtr_unpack_close(struct vtr_unpack *u)
{
	if (!u)
		return;
	unpack_end(u);
	ZSTD_freeDStream(u->zstd);
	vtr_blk_unref(u->b);
	free(u->in);
	free(u);
}
