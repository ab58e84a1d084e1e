/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening images. */
#include "api/layers.h"
#include "base/signature.h"
#include "formats/format.h"
#include "partitions/partition.h"

/* Signs of a filesystem on a whole disk must be this strong to speak against a container. */
#define IMAGE_FS_BITS 32

const char *vtr_raw_content(const struct vtr_probe *p, int *bits)
{
	const char *name = NULL;
	int b = vtr_partitions_probe(p, &name), sig;

	*bits = b;
	if (b > 0)
		return name;
	sig = vtr_signature_find(p, &b, NULL);
	if (sig >= 0 && (vtr_signatures[sig].usage == VTR_USAGE_MEMBER || b >= IMAGE_FS_BITS)) {
		*bits = b;
		return vtr_signatures[sig].title;
	}
	*bits = 0;
	return NULL;
}

static const struct vtr_image_options image_no_options;

int vtr_image_open(struct vtr_blk **out, struct vtr_ctx *ctx, const char *path, const struct vtr_image_options *opt,
		   struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *file = NULL;
	struct vtr_open o = {
		.ctx = ctx,
		.path = path,
		.shown = path,
		.depth = atomic_load(&ctx->depth),
		.opt = opt ? opt : &image_no_options,
		.raw_content = vtr_raw_content,
	};

	if (vtr_hostfile_open(&file, ctx, path, err) < 0)
		return -1;
	o.file = file;
	return vtr_format_open(out, &o, err) < 0 ? vtr_at(err, "%s", path) : 0;
}

int vtr_image_recognise(struct vtr_image_sign *out, struct vtr_ctx *ctx, const char *path, struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *file = NULL;
	struct vtr_open o = {
		.ctx = ctx,
		.path = path,
		.shown = path,
		.opt = &image_no_options,
		.raw_content = vtr_raw_content,
	};
	const struct vtr_format *f;
	struct vtr_hostfile_id id;

	if (vtr_hostfile_open(&file, ctx, path, err) < 0)
		return -1;
	o.file = file;
	f = vtr_format_recognise(&o, err);
	if (!f)
		return vtr_at(err, "%s", path);
	*out = (struct vtr_image_sign){ .format = f->name,
					.title = f->title,
					.read = f->open != NULL,
					.file_size = file->size,
					.allocated_size = vtr_hostfile_id(&id, file) ? id.allocated : file->size };
	return 0;
}

int vtr_image_decode(struct vtr_blk **out, struct vtr_blk *file, const struct vtr_image_options *opt,
		     struct vtr_error *err)
{
	struct vtr_open o = {
		.ctx = file->ctx,
		.file = file,
		.depth = atomic_load(&file->ctx->depth),
		.opt = opt ? opt : &image_no_options,
		.raw_content = vtr_raw_content,
	};

	return vtr_format_open(out, &o, err);
}
