/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compressed files whose content is an image. A driver tells its units (what can be decompressed by itself) and how one
 * is decoded; keeping what was decoded, and opening the image inside, is done here, once.
 */
#ifndef VTR_FORMATS_STREAM_H
#define VTR_FORMATS_STREAM_H

#include "formats/image.h"

/* Decoding of one unit, forward. */
struct vtr_decoder {
	struct vtr_ctx *ctx;
	struct vtr_blk *file;
	uint64_t in, in_end; /* of the file: the next byte to load, the end of the unit */
	uint8_t *buf;
	size_t at, have; /* loaded, and not yet used: buf[at] to buf[have] */
	unsigned method; /* of the unit */
	uint64_t steps;	 /* for vtr_tick() */
	struct vtr_codecs *all;
	uint64_t taken; /* of the memory for all */
	bool ended;
	void *state; /* the driver's */
	char *path;  /* for warnings; borrowed */
};

struct vtr_stream_ops {
	const struct vtr_format *format;
	/* Make d->state for a unit; nothing is loaded yet. */
	int (*start)(struct vtr_decoder *d, struct vtr_error *err);
	/*
	 * Decode what is loaded into out, of len bytes: adds to *got, moves d->at. 1: the unit is at its end. 0: go on; when
	 * nothing was used or made, more must be loaded. After a failure only stop is called.
	 */
	int (*step)(struct vtr_decoder *d, uint8_t *out, size_t len, size_t *got, struct vtr_error *err);
	void (*stop)(struct vtr_decoder *d); /* release d->state, which may be NULL */
};

struct vtr_packed;

/* A compressed image over o->file, and its vtr_image for facts. Released with vtr_blk_unref(). */
struct vtr_image *vtr_stream_new(const struct vtr_stream_ops *ops, struct vtr_open *o, struct vtr_error *err);

/* The next unit: bytes of the file, decompressed bytes that it holds. */
int vtr_stream_add(struct vtr_image *im, uint64_t in, uint64_t in_len, uint64_t out_len, unsigned method,
		   struct vtr_error *err);

/*
 * The units are known; or none was added, and the whole file is one, of a size that must be found out: that decodes all
 * of it now. Then open what is inside. *im is taken in every case.
 */
int vtr_stream_open(struct vtr_blk **out, struct vtr_image **im, struct vtr_open *o, bool whole, struct vtr_error *err);

/* At least n bytes (few) are loaded behind d->at, unless the unit ends before. */
int vtr_decoder_need(struct vtr_decoder *d, size_t n, struct vtr_error *err);

/* It is going to take so much memory, once: waits while others, of the same image, have too much. */
void vtr_decoder_take(struct vtr_decoder *d, uint64_t bytes);

/* What most decoders say. */
int vtr_decoder_no_memory(struct vtr_error *err);

/* A step of a stream from what is loaded: for the step of a driver. */
enum vtr_codec_result vtr_decoder_step(struct vtr_decoder *d, struct vtr_codec_stream *s, uint8_t *out, size_t len,
				       size_t *got);

/* What its failure means; damage is described by the library's words, or by these. */
int vtr_decoder_failed(const struct vtr_decoder *d, const struct vtr_codec_stream *s, enum vtr_codec_result r,
		       const char *words, struct vtr_error *err);

#endif
