/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The .xz file format 1.1: streams of blocks, each stream with an index at its end, and padding between them. The index
 * tells the size of all, and where each block is: blocks are the units.
 */
#include <stdlib.h>
#include <string.h>

#include <lzma.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/stream.h"

#define XZ_LOAD 16384u

struct xz {
	lzma_stream z;
	lzma_block block;
	lzma_filter filters[LZMA_FILTERS_MAX + 1];
	bool begun;
};

static const char *xz_check_name(unsigned check)
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

static int xz_fail(struct vtr_ctx *ctx, lzma_ret r, uint64_t at, const char *what, struct vtr_error *err)
{
	switch (r) {
	case LZMA_MEM_ERROR:
		return vtr_decoder_no_memory(err);
	case LZMA_MEMLIMIT_ERROR:
		return vtr_fail(err, VTR_ELIMIT, "%s at %#" PRIx64 " needs more memory than limit metadata=%" PRIu64,
				what, at, ctx->lim.metadata);
	case LZMA_OPTIONS_ERROR:
		return vtr_fail(err, VTR_EUNSUPPORTED, "%s at %#" PRIx64 " has options that liblzma does not know",
				what, at);
	case LZMA_BUF_ERROR:
		return vtr_fail(err, VTR_ETRUNCATED, "%s near %#" PRIx64 " is cut off", what, at);
	case LZMA_FORMAT_ERROR:
		return vtr_fail(err, VTR_ECORRUPT, "%s near %#" PRIx64 " is no xz", what, at);
	default:
		return vtr_fail(err, VTR_ECORRUPT, "%s near %#" PRIx64 " is damaged, or has a wrong checksum", what,
				at);
	}
}

static int xz_start(struct vtr_decoder *d, struct vtr_error *err)
{
	struct xz *x = vtr_calloc(1, sizeof(*x), err);
	lzma_stream none = LZMA_STREAM_INIT;

	if (!x)
		return -1;
	x->z = none;
	x->filters[0].id = LZMA_VLI_UNKNOWN;
	d->state = x;
	return 0;
}

static void xz_stop(struct vtr_decoder *d)
{
	struct xz *x = d->state;

	if (!x)
		return;
	lzma_end(&x->z);
	lzma_filters_free(x->filters, NULL);
	free(x);
}

/* The block's header, and the decoder that it asks for. */
static int xz_begin(struct vtr_decoder *d, struct xz *x, struct vtr_error *err)
{
	uint64_t at = d->in - (d->have - d->at), memory;
	lzma_ret r;

	x->block.version = 1;
	x->block.check = (lzma_check)d->method;
	x->block.filters = x->filters;
	x->block.header_size = lzma_block_header_size_decode(d->buf[d->at]);
	if (vtr_decoder_need(d, x->block.header_size, err) < 0)
		return -1;
	if (d->have - d->at < x->block.header_size || d->buf[d->at] == 0)
		return xz_fail(d->ctx, LZMA_BUF_ERROR, at, "the block", err);
	r = lzma_block_header_decode(&x->block, NULL, d->buf + d->at);
	if (r != LZMA_OK)
		return xz_fail(d->ctx, r, at, "the header of the block", err);
	d->at += x->block.header_size;
	memory = lzma_raw_decoder_memusage(x->filters);
	if (memory > d->ctx->lim.metadata)
		return xz_fail(d->ctx, memory == UINT64_MAX ? LZMA_OPTIONS_ERROR : LZMA_MEMLIMIT_ERROR, at, "the block",
			       err);
	vtr_decoder_take(d, memory);
#ifdef VTR_FUZZING
	x->block.ignore_check = true;
#endif
	r = lzma_block_decoder(&x->z, &x->block);
	if (r != LZMA_OK)
		return xz_fail(d->ctx, r, at, "the block", err);
	x->begun = true;
	return 0;
}

static int xz_step(struct vtr_decoder *d, uint8_t *out, size_t len, size_t *got, struct vtr_error *err)
{
	struct xz *x = d->state;
	lzma_ret r;

	if (!x->begun)
		return d->at < d->have ? xz_begin(d, x, err) : 0;
	x->z.next_in = d->buf + d->at;
	x->z.avail_in = d->have - d->at;
	x->z.next_out = out;
	x->z.avail_out = len;
	r = lzma_code(&x->z, LZMA_RUN);
	d->at = d->have - x->z.avail_in;
	*got += len - x->z.avail_out;
	if (r == LZMA_STREAM_END)
		return 1;
	if (r == LZMA_OK || r == LZMA_BUF_ERROR)
		return 0;
	return xz_fail(d->ctx, r, d->in - x->z.avail_in, "the block", err);
}

extern const struct vtr_format vtr_format_xz;
static const struct vtr_stream_ops xz_ops = {
	.format = &vtr_format_xz,
	.start = xz_start,
	.step = xz_step,
	.stop = xz_stop,
};

/* ------------------------------------------------------------------------------------------------------------ open */

/* liblzma says where it wants to read. */
static int xz_read_index(lzma_index **out, struct vtr_image *im, lzma_stream *z, struct vtr_error *err)
{
	uint8_t buf[XZ_LOAD];
	uint64_t at = 0, size = im->file->size, steps = 0;
	lzma_ret r = lzma_file_info_decoder(z, out, im->blk.ctx->lim.metadata, size);

	while (r == LZMA_OK || r == LZMA_SEEK_NEEDED) {
		if (vtr_tick(im->blk.ctx, &steps, 1, err) < 0)
			return -1;
		if (r == LZMA_SEEK_NEEDED)
			at = VTR_MIN(z->seek_pos, size);
		if (z->avail_in == 0 || r == LZMA_SEEK_NEEDED) {
			z->next_in = buf;
			z->avail_in = (size_t)VTR_MIN((uint64_t)sizeof(buf), size - at);
			if (vtr_blk_pread(im->file, at, buf, z->avail_in, err) < 0)
				return -1;
			at += z->avail_in;
		}
		r = lzma_code(z, at == size ? LZMA_FINISH : LZMA_RUN);
	}
	return r == LZMA_STREAM_END ? 0 : xz_fail(im->blk.ctx, r, at - z->avail_in, "the index", err);
}

static int xz_add_blocks(struct vtr_image *im, const lzma_index *index, struct vtr_error *err)
{
	uint64_t steps = 0;
	unsigned checks = 0;
	const char *name = "none";
	lzma_index_iter i;

	lzma_index_iter_init(&i, index);
	while (!lzma_index_iter_next(&i, LZMA_INDEX_ITER_BLOCK)) {
		if (vtr_tick(im->blk.ctx, &steps, 1, err) < 0 ||
		    vtr_stream_add(im, i.block.compressed_file_offset, i.block.total_size, i.block.uncompressed_size,
				   (unsigned)i.stream.flags->check, err) < 0)
			return -1;
		name = xz_check_name((unsigned)i.stream.flags->check);
		checks |= 1u << i.stream.flags->check;
	}
	if (checks & (checks - 1))
		name = "several";
	im->info.compression = "lzma";
	if (vtr_image_prop_number(im, "streams", "streams", lzma_index_stream_count(index), err) < 0 ||
	    vtr_image_prop_number(im, "blocks", "blocks", lzma_index_block_count(index), err) < 0)
		return -1;
	return vtr_image_prop_text(im, "check", "checksums", name, err);
}

static int xz_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = vtr_stream_new(&xz_ops, o, err);
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_index *index = NULL;
	int r;

	if (!im)
		return -1;
	r = xz_read_index(&index, im, &z, err);
	lzma_end(&z);
	if (r == 0)
		r = xz_add_blocks(im, index, err);
	lzma_index_end(index, NULL);
	return r < 0 ? -1 : vtr_stream_open(out, &im, o, false, err);
}

extern const struct vtr_format vtr_format_dmg;

/*
 * Magic, and the first of two bytes of flags, which is reserved. An Apple disk image may start with its first compressed
 * piece; its trailer tells.
 */
static int xz_probe(const struct vtr_probe *p)
{
	return p->head_len >= 8 && vtr_format_dmg.probe(p) == 0 && memcmp(p->head, "\xfd\x37zXZ\0\0", 7) == 0 ? 56 : 0;
}

const struct vtr_format vtr_format_xz = {
	.name = "xz",
	.title = "a file compressed with xz",
	.probe = xz_probe,
	.open = xz_open,
};
