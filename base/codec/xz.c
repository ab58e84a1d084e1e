/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The .xz file format 1.1: streams of blocks, each stream with an index at its end. */
#include "base/codec/xz.h"

#include <stdlib.h>

#include <lzma.h>

#include "base/checked.h"
#include "base/codec/methods.h"

#define XZ_PIECE_MEMORY (96u << 20) /* xz -9 needs 65 MiB */
#define XZ_LOAD 16384u

static enum vtr_codec_result xz_result(lzma_ret r)
{
	switch (r) {
	case LZMA_OK:
	case LZMA_SEEK_NEEDED:
		return VTR_CODEC_MORE;
	case LZMA_STREAM_END:
		return VTR_CODEC_END;
	case LZMA_MEM_ERROR:
		return VTR_CODEC_NO_MEMORY;
	case LZMA_MEMLIMIT_ERROR:
		return VTR_CODEC_LIMIT;
	case LZMA_OPTIONS_ERROR:
		return VTR_CODEC_OPTIONS;
	case LZMA_BUF_ERROR:
		return VTR_CODEC_TRUNCATED;
	case LZMA_FORMAT_ERROR:
		return VTR_CODEC_FOREIGN;
	default:
		return VTR_CODEC_DAMAGED;
	}
}

int vtr_xz_fail(struct vtr_error *err, enum vtr_codec_result r, uint64_t limit, uint64_t at, const char *what)
{
	switch (r) {
	case VTR_CODEC_NO_MEMORY:
		return vtr_codec_no_memory(err);
	case VTR_CODEC_LIMIT:
		return vtr_fail(err, VTR_ELIMIT, "%s at %#" PRIx64 " needs more memory than limit metadata=%" PRIu64,
				what, at, limit);
	case VTR_CODEC_OPTIONS:
		return vtr_fail(err, VTR_EUNSUPPORTED, "%s at %#" PRIx64 " has options that liblzma does not know",
				what, at);
	case VTR_CODEC_TRUNCATED:
		return vtr_fail(err, VTR_ETRUNCATED, "%s near %#" PRIx64 " is cut off", what, at);
	case VTR_CODEC_FOREIGN:
		return vtr_fail(err, VTR_ECORRUPT, "%s near %#" PRIx64 " is no xz", what, at);
	default:
		return vtr_fail(err, VTR_ECORRUPT, "%s near %#" PRIx64 " is damaged, or has a wrong checksum", what,
				at);
	}
}

/* ---------------------------------------------------------------------------------------------------------- piece */

/* The filters say how much memory they need only when their header was read: that is taken then. */
static lzma_ret xz_memory(struct vtr_codec *c, lzma_stream *z, size_t in_len)
{
	uint64_t need = lzma_memusage(z);

	if (need > XZ_PIECE_MEMORY)
		return LZMA_MEMLIMIT_ERROR;
	vtr_codec_take(c, in_len + need);
	return lzma_memlimit_set(z, need);
}

static int xz_decode(struct vtr_codec *c, uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len,
		     struct vtr_error *err)
{
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_ret r = lzma_stream_decoder(&z, 1, 0);

	if (r != LZMA_OK)
		return vtr_codec_no_memory(err);
	z.next_in = in;
	z.avail_in = in_len;
	z.next_out = out;
	z.avail_out = out_len;
	do {
		r = lzma_code(&z, LZMA_FINISH);
		if (r == LZMA_MEMLIMIT_ERROR)
			r = xz_memory(c, &z, in_len);
	} while (r == LZMA_OK);
	lzma_end(&z);
	if (r == LZMA_MEM_ERROR)
		return vtr_codec_no_memory(err);
	if (r == LZMA_MEMLIMIT_ERROR)
		return vtr_fail(err, VTR_ELIMIT, "xz: its dictionary needs more than %u bytes", XZ_PIECE_MEMORY);
	return r == LZMA_STREAM_END && z.avail_out == 0 ? 1 : vtr_codec_unsound(&vtr_method_xz, out_len, in_len, err);
}

/* --------------------------------------------------------------------------------------------------------- stream */

/* Of a whole stream, or of one block. */
struct xz {
	lzma_stream z;
	uint64_t memory;
	lzma_block block;
	lzma_filter filters[LZMA_FILTERS_MAX + 1];
};

static enum vtr_codec_result xz_new(struct vtr_codec_stream *s)
{
	lzma_stream none = LZMA_STREAM_INIT;
	struct xz *x = calloc(1, sizeof(*x));

	if (!x)
		return VTR_CODEC_NO_MEMORY;
	x->z = none;
	x->filters[0].id = LZMA_VLI_UNKNOWN;
	s->state = x;
	return VTR_CODEC_MORE;
}

static enum vtr_codec_result xz_restart(struct vtr_codec_stream *s)
{
	struct xz *x = s->state;

	return xz_result(lzma_stream_decoder(&x->z, x->memory, 0));
}

static enum vtr_codec_result xz_start(struct vtr_codec_stream *s, uint64_t memory)
{
	if (xz_new(s) != VTR_CODEC_MORE)
		return VTR_CODEC_NO_MEMORY;
	((struct xz *)s->state)->memory = memory;
	return xz_restart(s);
}

static enum vtr_codec_result xz_step(struct vtr_codec_stream *s)
{
	struct xz *x = s->state;
	lzma_ret r;

	x->z.next_in = s->in;
	x->z.avail_in = s->in_len;
	x->z.next_out = s->out;
	x->z.avail_out = s->out_len;
	r = lzma_code(&x->z, LZMA_RUN);
	s->in = x->z.next_in;
	s->in_len = x->z.avail_in;
	s->out = x->z.next_out;
	s->out_len = x->z.avail_out;
	return r == LZMA_BUF_ERROR ? VTR_CODEC_MORE : xz_result(r);
}

static void xz_stop(struct vtr_codec_stream *s)
{
	struct xz *x = s->state;

	lzma_end(&x->z);
	lzma_filters_free(x->filters, NULL);
	free(x);
}

const struct vtr_method vtr_method_xz = {
	.name = "xz",
	.decode = xz_decode,
	.start = xz_start,
	.step = xz_step,
	.restart = xz_restart,
	.stop = xz_stop,
};

/* --------------------------------------------------------------------------------------------------------- blocks */

size_t vtr_xz_header_len(uint8_t first)
{
	return first ? lzma_block_header_size_decode(first) : 0;
}

enum vtr_codec_result vtr_xz_block_open(struct vtr_codec_stream *s, uint64_t *memory, unsigned check)
{
	struct xz *x;
	lzma_ret r;

	s->method = &vtr_method_xz;
	s->why = NULL;
	if (xz_new(s) != VTR_CODEC_MORE)
		return VTR_CODEC_NO_MEMORY;
	x = s->state;
	x->block.version = 1;
	x->block.check = (lzma_check)check;
	x->block.filters = x->filters;
	x->block.header_size = (uint32_t)vtr_xz_header_len(s->in[0]);
	r = lzma_block_header_decode(&x->block, NULL, s->in);
	if (r != LZMA_OK)
		return xz_result(r);
	s->in += x->block.header_size;
	s->in_len -= x->block.header_size;
	*memory = lzma_raw_decoder_memusage(x->filters);
	return *memory == UINT64_MAX ? VTR_CODEC_OPTIONS : VTR_CODEC_MORE;
}

enum vtr_codec_result vtr_xz_block_start(struct vtr_codec_stream *s)
{
	struct xz *x = s->state;

#ifdef VTR_FUZZING
	x->block.ignore_check = true;
#endif
	return xz_result(lzma_block_decoder(&x->z, &x->block));
}

/* ---------------------------------------------------------------------------------------------------------- index */

const char *vtr_xz_check_name(unsigned check)
{
	switch (check) {
	case LZMA_CHECK_NONE:
		return "none";
	case LZMA_CHECK_CRC32:
		return "CRC32";
	case LZMA_CHECK_CRC64:
		return "CRC64";
	case LZMA_CHECK_SHA256:
		return "SHA-256";
	default:
		return "unknown";
	}
}

/* liblzma says where it wants to read. */
static int xz_index_decode(lzma_index **out, lzma_stream *z, struct vtr_blk *b, struct vtr_error *err)
{
	uint8_t buf[XZ_LOAD];
	uint64_t at = 0, size = b->size, steps = 0;
	lzma_ret r = lzma_file_info_decoder(z, out, b->ctx->lim.metadata, size);

	while (r == LZMA_OK || r == LZMA_SEEK_NEEDED) {
		if (vtr_tick(b->ctx, &steps, 1, err) < 0)
			return -1;
		if (r == LZMA_SEEK_NEEDED)
			at = VTR_MIN(z->seek_pos, size);
		if (z->avail_in == 0 || r == LZMA_SEEK_NEEDED) {
			z->next_in = buf;
			z->avail_in = (size_t)VTR_MIN((uint64_t)sizeof(buf), size - at);
			if (vtr_blk_pread(b, at, buf, z->avail_in, err) < 0)
				return -1;
			at += z->avail_in;
		}
		r = lzma_code(z, at == size ? LZMA_FINISH : LZMA_RUN);
	}
	return r == LZMA_STREAM_END
		       ? 0
		       : vtr_xz_fail(err, xz_result(r), b->ctx->lim.metadata, at - z->avail_in, "the index");
}

int vtr_xz_index_read(struct vtr_xz_index *out, struct vtr_blk *b, struct vtr_error *err)
{
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_index *index = NULL;
	int r = xz_index_decode(&index, &z, b, err);

	lzma_end(&z);
	out->index = index;
	if (r < 0)
		return -1;
	out->streams = lzma_index_stream_count(index);
	out->blocks = lzma_index_block_count(index);
	return 0;
}

void vtr_xz_index_done(struct vtr_xz_index *x)
{
	lzma_index_end(x->index, NULL);
	x->index = NULL;
}

int vtr_xz_index_each(const struct vtr_xz_index *x, vtr_xz_block_fn *fn, void *arg, struct vtr_error *err)
{
	lzma_index_iter i;
	int r = 0;

	lzma_index_iter_init(&i, x->index);
	while (r == 0 && !lzma_index_iter_next(&i, LZMA_INDEX_ITER_BLOCK)) {
		struct vtr_xz_block b = {
			.in = i.block.compressed_file_offset,
			.in_len = i.block.total_size,
			.out_len = i.block.uncompressed_size,
			.check = (unsigned)i.stream.flags->check,
		};

		r = fn(arg, &b, err);
	}
	return r;
}
