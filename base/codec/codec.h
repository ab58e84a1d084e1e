/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decompression. A method decodes a whole piece, whose decompressed size is known, or a stream, step by step. Each
 * method is one file of this folder, and each third-party library is used in its file alone.
 */
#ifndef VTR_BASE_CODEC_CODEC_H
#define VTR_BASE_CODEC_CODEC_H

#include "base/blk.h"

struct vtr_codecs;

/* The workspace of one thread. Members are made when they are first needed. Zeroed, it is usable without a pool. */
struct vtr_codec {
	struct vtr_codecs *all;
	struct libdeflate_decompressor *deflate;
	struct ZSTD_DCtx_s *zstd;
	uint8_t *in; /* the stored bytes, see vtr_codec_load() */
	size_t in_cap;
	uint64_t taken; /* of the memory for all */
};

/* What a step of a stream came to. All from VTR_CODEC_DAMAGED on are failures: the stream is only stopped after one. */
enum vtr_codec_result {
	VTR_CODEC_MORE,	     /* go on; when nothing was used or made, more input is needed, or more room */
	VTR_CODEC_END,	     /* the member has ended, its checksum included; what follows is left in the input */
	VTR_CODEC_DAMAGED,   /* why may have the library's own words */
	VTR_CODEC_FOREIGN,   /* not of this method at all */
	VTR_CODEC_TRUNCATED, /* the input ended too early; of xz.h alone, streams do not know their end */
	VTR_CODEC_OPTIONS,   /* it needs what the library lacks: a filter, a dictionary */
	VTR_CODEC_LIMIT,     /* it needs more memory than is allowed */
	VTR_CODEC_NO_MEMORY, /* there is none */
};

struct vtr_codec_stream {
	const struct vtr_method *method;
	const uint8_t *in; /* what is left of the input; a step moves it */
	size_t in_len;
	uint8_t *out; /* where the output goes on; a step moves it */
	size_t out_len;
	const char *why; /* after a failure, or NULL */
	void *state;	 /* the method's */
};

/* Functions are called through the wrappers below. NULL: the method does not have that. */
struct vtr_method {
	const char *name; /* for messages */
	int (*decode)(struct vtr_codec *c, uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len,
		      struct vtr_error *err);
	enum vtr_codec_result (*start)(struct vtr_codec_stream *s, uint64_t memory);
	enum vtr_codec_result (*step)(struct vtr_codec_stream *s);
	enum vtr_codec_result (*restart)(struct vtr_codec_stream *s);
	void (*stop)(struct vtr_codec_stream *s); /* s->state is not NULL */
	/* Compression. */
	int default_level;
	int (*max_level)(void);
	void *(*encode_new)(int level, unsigned window_log);
	size_t (*encode)(void *state, uint8_t *out, size_t room, const uint8_t *in, size_t in_len);
	void (*encode_free)(void *state);
};

/*
 *		decode	stream	compress
 * deflate	yes	no	yes	RFC 1951, without header and checksum
 * zlib		yes	yes	no	RFC 1950
 * gzip		no	yes	no	RFC 1952
 * zstd		yes	yes	yes	RFC 8878, one frame
 * bzip2	yes	yes	no
 * xz		yes	yes	no	a stream of the .xz format; its blocks and index: base/codec/xz.h
 * lz4		yes	no	no	one block, without a frame
 * adc		yes	no	no	Apple Data Compression
 * lznt1	yes	no	no	MS-XCA 2.5; what its chunks leave of the output is zeros
 * xpress	yes	no	no	LZ77 with Huffman codes, MS-XCA 2.2: one block of at most 64 KiB
 * lzx		yes	no	no	as WIM files have it: one piece of at most VTR_LZX_WINDOW bytes
 */
#define VTR_METHODS(X) X(deflate) X(zlib) X(gzip) X(zstd) X(bzip2) X(xz) X(lz4) X(adc) X(lznt1) X(xpress) X(lzx)
#define X(name) extern const struct vtr_method vtr_method_##name;
VTR_METHODS(X)
#undef X
extern const struct vtr_method *const vtr_methods[]; /* all of them, then NULL */

#define VTR_LZX_WINDOW 32768u

/* ------------------------------------------------------------------------------------------------ pieces */

/*
 * Decode into out, which must become full. 1: done, and the checksum was right, where there is one. 0: it is not sound,
 * and err says why (VTR_ECORRUPT), for callers that have no better words. -1: VTR_ENOMEM, VTR_ELIMIT, VTR_EUSAGE (more
 * than the method's window). in may be c->in. The streams of libraries may end before the input does: their last
 * sectors go on. c may be NULL for the methods from lz4 on, which need no workspace.
 */
int vtr_codec_decode(struct vtr_codec *c, const struct vtr_method *m, uint8_t *out, size_t out_len, const uint8_t *in,
		     size_t in_len, struct vtr_error *err);

/* Read len stored bytes into c->in, in their turn. The caller has bounded len. */
int vtr_codec_load(struct vtr_codec *c, struct vtr_blk *b, uint64_t off, size_t len, struct vtr_error *err);

void vtr_codec_done(struct vtr_codec *c); /* of one without a pool */

/* This thread's part of the pool's memory is to be so large. What it had is given back first. */
void vtr_codec_take(struct vtr_codec *c, uint64_t bytes);

/* The size that a Zstandard frame says it decodes to. False: it says none, or is no frame. */
bool vtr_zstd_size(uint64_t *out, const uint8_t *in, size_t in_len);

/* ----------------------------------------------------------------------------------------------- streams */

/*
 * Begin a stream, zeroed but for in and in_len; VTR_CODEC_MORE, or a failure. memory bounds what the stream may make the
 * decoder take: zstd's window, all of what xz needs. vtr_codec_stop() releases it in every case, and may be called twice.
 */
enum vtr_codec_result vtr_codec_start(struct vtr_codec_stream *s, const struct vtr_method *m, uint64_t memory);

/* Decode what is there into the room that is there. */
enum vtr_codec_result vtr_codec_step(struct vtr_codec_stream *s);

/* Behind a member: begin the next, with the bounds of the first. */
enum vtr_codec_result vtr_codec_restart(struct vtr_codec_stream *s);
void vtr_codec_stop(struct vtr_codec_stream *s);

/* ------------------------------------------------------------------------------------------- compression */

/* Reused for piece after piece by one thread. */
struct vtr_encoder {
	const struct vtr_method *method;
	void *state; /* NULL: not made yet */
};

/* A level from 1 to the method's. window_log bounds the window of deflate. VTR_ENOMEM. */
int vtr_encoder_init(struct vtr_encoder *out, const struct vtr_method *m, int level, unsigned window_log,
		     struct vtr_error *err);
void vtr_encoder_done(struct vtr_encoder *e);

/* How many bytes in became, at most room; 0: it does not fit. */
size_t vtr_encoder_run(struct vtr_encoder *e, uint8_t *out, size_t room, const uint8_t *in, size_t in_len);

/* ------------------------------------------------------------------------------------------------- pools */

#define VTR_CODECS 16u /* kept at most */

struct vtr_codecs {
	pthread_mutex_t lock;
	pthread_cond_t given;
	uint64_t memory, taken; /* what may be taken, what is */
	struct vtr_codec idle[VTR_CODECS];
	size_t n;
};

void vtr_codecs_init(struct vtr_codecs *all, uint64_t memory);
void vtr_codecs_done(struct vtr_codecs *all);
void vtr_codecs_get(struct vtr_codec *out, struct vtr_codecs *all);
void vtr_codecs_put(struct vtr_codecs *all, struct vtr_codec *c); /* c is given up */

/*
 * Memory for decoding, of all threads together: takes what is needed, and waits while others have too much for that.
 * Whoever has the only part may take any. A thread that waits holds no other part.
 */
void vtr_codecs_take(struct vtr_codecs *all, uint64_t bytes);
void vtr_codecs_give(struct vtr_codecs *all, uint64_t bytes);

#endif
