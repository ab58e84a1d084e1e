/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decompressors of whole pieces, kept for reuse. */
#ifndef VTR_FORMATS_CODEC_H
#define VTR_FORMATS_CODEC_H

#include "base/blk.h"

struct vtr_codecs;

/* One thread's. Members are made when they are first needed. */
struct vtr_codec {
	struct vtr_codecs *all;
	struct libdeflate_decompressor *deflate;
	struct ZSTD_DCtx_s *zstd;
	uint8_t *in; /* the stored bytes, see vtr_codec_load() */
	size_t in_cap;
	uint64_t taken; /* of the memory for all */
};

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

/* Read len stored bytes into c->in, in their turn. The caller has bounded len. */
int vtr_codec_load(struct vtr_codec *c, struct vtr_blk *b, uint64_t off, size_t len, struct vtr_error *err);

/*
 * Decode into out, which must become full: what is stored may go on behind that, and is sound up to its checksum, where
 * it has one. 1: done; 0: it is not sound; -1: there is no memory. in may be c->in.
 */
int vtr_codec_inflate(struct vtr_codec *c, bool zlib_header, const uint8_t *in, size_t in_len, uint8_t *out,
		      size_t out_len, struct vtr_error *err);
int vtr_codec_unzstd(struct vtr_codec *c, const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len,
		     struct vtr_error *err);
int vtr_codec_bunzip2(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, struct vtr_error *err);
int vtr_codec_unxz(struct vtr_codec *c, const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len,
		   struct vtr_error *err);

#endif
