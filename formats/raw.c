/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Raw disks: the file's bytes are the disk's. Holes are told as the host's filesystem tells them (SEEK_DATA). */
#include "formats/image.h"

static int raw_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct vtr_image *im = vtr_image_of(b);

	return vtr_blk_pread(im->file, off, buf, len, err) < 0 ? vtr_image_at(im, err) : 0;
}

static int raw_extent(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err)
{
	struct vtr_image *im = vtr_image_of(b);

	if (vtr_blk_extent(out, im->file, off, err) < 0)
		return vtr_image_at(im, err);
	out->host_file = out->has_host_off ? im->path : NULL;
	return 0;
}

/* No map: the file is the disk. */
static const struct vtr_image_ops raw_ops = {
	.blk = {
		.kind = "raw disk",
		.pread = raw_pread,
		.extent = raw_extent,
		.close = vtr_image_close,
		.info = vtr_image_get_info,
	},
};

/* Everything is a raw disk; formats.c takes it when nothing else fits. */
static int raw_probe(const struct vtr_probe *p)
{
	(void)p;
	return 0;
}

static int raw_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = NULL;

	if (o->opt->snapshot)
		return vtr_fail(err, VTR_ENOTFOUND, "no snapshot \"%s\": a raw disk has none", o->opt->snapshot);
	im = vtr_image_new(&raw_ops, sizeof(*im), o, err);
	if (!im)
		return -1;
	im->blk.size = o->file->size;
	return vtr_image_finish(out, &im, o, err);
}

extern const struct vtr_format vtr_format_raw;
const struct vtr_format vtr_format_raw = { .name = "raw", .title = "raw disk", .probe = raw_probe, .open = raw_open };
