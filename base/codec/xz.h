/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of the .xz file format 1.1, for reading it at random: the index says where the blocks are. */
#ifndef VTR_BASE_CODEC_XZ_H
#define VTR_BASE_CODEC_XZ_H

#include "base/codec/codec.h"

struct vtr_xz_block {
	uint64_t in, in_len, out_len; /* where in the file; how much is in it */
	unsigned check;		      /* which checksum its stream has */
};

struct vtr_xz_index {
	uint64_t streams, blocks;
	void *index; /* liblzma's */
};

/* Read the index of all of b. Takes limits.metadata of memory at most. The caller releases it, after a failure too. */
int vtr_xz_index_read(struct vtr_xz_index *out, struct vtr_blk *b, struct vtr_error *err);
void vtr_xz_index_done(struct vtr_xz_index *x);

/* Each block in turn. 0, or what fn returned to stop. */
typedef int vtr_xz_block_fn(void *arg, const struct vtr_xz_block *b, struct vtr_error *err);
int vtr_xz_index_each(const struct vtr_xz_index *x, vtr_xz_block_fn *fn, void *arg, struct vtr_error *err);

const char *vtr_xz_check_name(unsigned check);

/* How long a block's header is, by its first byte; 0: no block begins so. */
size_t vtr_xz_header_len(uint8_t first);

/*
 * A stream of one block: its header is at s->in, all of it, and is used. *memory is what the decoder needs; after it was
 * made sure of, vtr_xz_block_start() takes it. From then on it is a stream like others, but that it cannot restart.
 */
enum vtr_codec_result vtr_xz_block_open(struct vtr_codec_stream *s, uint64_t *memory, unsigned check);
enum vtr_codec_result vtr_xz_block_start(struct vtr_codec_stream *s);

/* -1, and what a failure means: of what ("the block"), at an offset in the file. limit: of limits.metadata. */
int vtr_xz_fail(struct vtr_error *err, enum vtr_codec_result r, uint64_t limit, uint64_t at, const char *what);

#endif
