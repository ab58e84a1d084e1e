/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Raw disks: the file's bytes are the disk's. Holes are told as the host's filesystem tells them (SEEK_DATA). */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "formats/format.h"

struct raw {
	struct vtr_blk blk;
	struct vtr_blk *file;
	char *path;
	struct vtr_image_info info;
};

static int raw_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	return vtr_blk_pread(((struct raw *)b)->file, off, buf, len, err);
}

static int raw_extent(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err)
{
	return vtr_blk_extent(out, ((struct raw *)b)->file, off, err);
}

static void raw_close(struct vtr_blk *b)
{
	struct raw *r = (struct raw *)b;

	vtr_blk_unref(r->file);
	free(r->path);
}

static const struct vtr_image_info *raw_info(struct vtr_blk *b)
{
	return &((struct raw *)b)->info;
}

static const struct vtr_blk_ops raw_ops = {
	.kind = "raw disk",
	.pread = raw_pread,
	.extent = raw_extent,
	.close = raw_close,
	.info = raw_info,
};

/* Everything is a raw disk; formats.c takes it when nothing else fits. */
static int raw_probe(const struct vtr_probe *p)
{
	(void)p;
	return 0;
}

extern const struct vtr_format vtr_format_raw;

static int raw_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *b = NULL;
	struct vtr_hostfile_id id;
	struct raw *r;

	if (o->opt->snapshot)
		return vtr_fail(err, VTR_ENOTFOUND, "no snapshot \"%s\": a raw disk has none", o->opt->snapshot);
	b = vtr_blk_new(&raw_ops, sizeof(struct raw), o->ctx, o->file->size, err);
	if (!b)
		return -1;
	r = (struct raw *)b;
	r->file = vtr_blk_ref(o->file);
	if (o->path && !(r->path = vtr_strndup(o->path, strlen(o->path), err)))
		return -1;
	if (vtr_blk_stack(b, o->file, err) < 0)
		return -1;
	r->info = (struct vtr_image_info){
		.format = vtr_format_raw.name,
		.title = vtr_format_raw.title,
		.path = r->path,
		.virtual_size = b->size,
		.file_size = b->size,
		.allocated_size = vtr_hostfile_id(&id, o->file) ? id.allocated : b->size,
	};
	*out = vtr_steal(b);
	return 0;
}

const struct vtr_format vtr_format_raw = { .name = "raw", .title = "raw disk", .probe = raw_probe, .open = raw_open };
