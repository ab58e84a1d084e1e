/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One loop feeds the streams of base/codec, member after member. */
#include "base/unpack.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/codec/codec.h"

#define UNPACK_IN 65536u
#define UNPACK_STEP 512u	  /* bytes out for one step, */
#define UNPACK_STEP_ODD 4u	  /* or so many once a byte has made more than UNPACK_RATIO */
#define UNPACK_RATIO 1000u	  /* text logs do not compress better than a few hundred to one */
#define UNPACK_XZ_MEMORY 1048576u /* what liblzma needs beside the dictionary */

struct vtr_unpack {
	struct vtr_blk *b;
	struct vtr_ctx *ctx;
	const struct vtr_method *method; /* NULL: not compressed */
	uint64_t off;			 /* of what is read next */
	uint64_t taken, made, steps;
	uint8_t *in;
	size_t at, have;
	bool ready;  /* the decompressor is in the middle of a member */
	bool full;   /* it filled all the room that it had, and may have more to give */
	bool begun;  /* a member has been begun */
	bool failed; /* err is what every further read says */
	struct vtr_error err;
	struct vtr_codec_stream s;
};

/* Fail as the decompressor did. */
static int unpack_failed(const struct vtr_unpack *u, enum vtr_codec_result r, struct vtr_error *err)
{
	switch (r) {
	case VTR_CODEC_NO_MEMORY:
		return vtr_fail(err, VTR_ENOMEM, "%s: out of memory", u->method->name);
	case VTR_CODEC_LIMIT:
		return vtr_fail(err, VTR_ELIMIT, "%s: a dictionary over limit alloc=%" PRIu64, u->method->name,
				u->ctx->lim.alloc);
	default:
		return vtr_fail(err, VTR_ECORRUPT, "%s: the data is damaged near byte %" PRIu64, u->method->name,
				u->off - (u->have - u->at));
	}
}

/* Begin a member. */
static int unpack_begin(struct vtr_unpack *u, struct vtr_error *err)
{
	uint64_t memory = u->ctx->lim.alloc;
	enum vtr_codec_result r;

	if (u->method == &vtr_method_xz && memory <= UINT64_MAX - UNPACK_XZ_MEMORY)
		memory += UNPACK_XZ_MEMORY;
	r = u->s.state ? vtr_codec_restart(&u->s) : vtr_codec_start(&u->s, u->method, memory);
	if (r != VTR_CODEC_MORE)
		return unpack_failed(u, r, err);
	u->ready = true;
	u->begun = true;
	return 0;
}

/* Decode from in to out. *n is room, then what was made. 1: the member has ended; 0: more is needed; -1. */
static int unpack_some(struct vtr_unpack *u, uint8_t *out, size_t *n, struct vtr_error *err)
{
	size_t room = VTR_MIN(*n, (size_t)UNPACK_IN);
	enum vtr_codec_result r;

	u->s.in = u->in + u->at;
	u->s.in_len = u->have - u->at;
	u->s.out = out;
	u->s.out_len = room;
	r = vtr_codec_step(&u->s);
	u->at = u->have - u->s.in_len;
	*n = room - u->s.out_len;
	if (r == VTR_CODEC_MORE)
		return 0;
	return r == VTR_CODEC_END ? 1 : unpack_failed(u, r, err);
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
			return vtr_fail(err, VTR_ETRUNCATED, "%s: the file ends before its data", u->method->name);
		r = unpack_some(u, buf, &n, err);
		u->full = n == VTR_MIN(len, (size_t)UNPACK_IN);
		u->made += n;
		if (vtr_tick(u->ctx, &u->steps,
			     1 + n / (u->made / UNPACK_RATIO > u->taken ? UNPACK_STEP_ODD : UNPACK_STEP), err) < 0)
			return -1;
		if (r > 0)
			u->ready = false;
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
	if (!u->failed && !u->method) {
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
	vtr_codec_stop(&u->s);
	u->ready = false;
	u->off = u->at = u->have = 0;
	u->taken = u->made = 0;
	u->begun = u->failed = u->full = false;
	return vtr_ctx_check(u->ctx, err);
}

/*
 * Magics: gzip RFC 1952, 2.3.1; bzip2 "BZh" and a digit; xz .xz file format 2.1.1.1; Zstandard RFC 8878, 3.1.1, and its
 * skippable frames; LZ4 frames; lzip; compress(1).
 */
static const struct unpack_magic {
	const char *magic;
	uint8_t len;
	const struct vtr_method *method;
	const char *unread; /* no method: its name */
} unpack_magics[] = {
	{ "\x1f\x8b\x08", 3, &vtr_method_gzip, NULL }, { "BZh", 3, &vtr_method_bzip2, NULL },
	{ "\xfd\x37zXZ", 6, &vtr_method_xz, NULL },    { "\x28\xb5\x2f\xfd", 4, &vtr_method_zstd, NULL },
	{ "\x04\x22\x4d\x18", 4, NULL, "LZ4" },	       { "LZIP", 4, NULL, "lzip" },
	{ "\x1f\x9d", 2, NULL, "compress" },
};

/* NULL: not compressed. */
static const struct unpack_magic *unpack_probe(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < VTR_COUNT(unpack_magics); i++)
		if (n >= unpack_magics[i].len && memcmp(p, unpack_magics[i].magic, unpack_magics[i].len) == 0)
			return &unpack_magics[i];
	return NULL;
}

int vtr_unpack_open(struct vtr_unpack **out, struct vtr_blk *b, struct vtr_error *err)
{
	size_t n = (size_t)VTR_MIN(b->size, (uint64_t)8);
	struct vtr_unpack *u;
	const struct unpack_magic *m;
	uint8_t magic[8];

	if (vtr_blk_pread(b, 0, magic, n, err) < 0)
		return -1;
	m = unpack_probe(magic, n);
	if (m && !m->method)
		return vtr_fail(err, VTR_EUNSUPPORTED, "compressed by %s, which is not read", m->unread);
	u = vtr_calloc(1, sizeof(*u), err);
	if (!u)
		return -1;
	u->b = vtr_blk_ref(b);
	u->ctx = b->ctx;
	u->method = m ? m->method : NULL;
	if (u->method && !(u->in = vtr_calloc(1, UNPACK_IN, err))) {
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
	vtr_codec_stop(&u->s);
	vtr_blk_unref(u->b);
	free(u->in);
	free(u);
}
