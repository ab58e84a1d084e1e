/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening images, and copying what they decode to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/layers.h"
#include "base/checked.h"
#include "formats/format.h"
#include "fs/fs.h"
#include "partitions/partition.h"
#include "volumes/volume.h"

/* Signs of a filesystem on a whole disk must be this strong to speak against a container. */
#define IMAGE_FS_BITS 32

const char *vtr_raw_content(const struct vtr_probe *p, int *bits)
{
	const struct vtr_volume *v;
	const struct vtr_fs_driver *fs;
	const char *name = NULL;
	int b = vtr_partitions_probe(p, &name);

	*bits = b;
	if (b > 0)
		return name;
	v = vtr_volume_probe(p);
	if (v) {
		*bits = 64;
		return v->title;
	}
	fs = vtr_fs_probe(p, &b, NULL);
	if (fs && b >= IMAGE_FS_BITS) {
		*bits = b;
		return fs->title;
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
		.opt = opt ? opt : &image_no_options,
		.raw_content = vtr_raw_content,
	};

	if (vtr_hostfile_open(&file, ctx, path, err) < 0)
		return -1;
	o.file = file;
	return vtr_format_open(out, &o, err) < 0 ? vtr_at(err, "%s", path) : 0;
}

int vtr_image_decode(struct vtr_blk **out, struct vtr_blk *file, const struct vtr_image_options *opt, struct vtr_error *err)
{
	struct vtr_open o = {
		.ctx = file->ctx,
		.file = file,
		.opt = opt ? opt : &image_no_options,
		.raw_content = vtr_raw_content,
	};

	return vtr_format_open(out, &o, err);
}

/* ------------------------------------------------------------------------------------------------------------ copy */

#define COPY_CHUNK (4u << 20)  /* what is decoded in one go */
#define COPY_GRAIN 4096u       /* zeros of this length and alignment become holes */

struct copy {
	int fd;
	bool sparse;
	uint64_t base; /* position in the file where the copy starts */
	uint8_t *buf;
};

static int copy_write(struct copy *c, const uint8_t *p, size_t len, uint64_t off, struct vtr_error *err)
{
	char text[128];

	while (len > 0) {
		ssize_t n = c->sparse ? pwrite(c->fd, p, len, (off_t)(c->base + off)) : write(c->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vtr_fail(err, VTR_EIO, "writing %zu bytes at %#" PRIx64 ": %s", len, off, vtr_errno_text(errno, text));
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static bool copy_is_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* Write a chunk, and leave out its zero grains when holes are possible. */
static int copy_put(struct copy *c, const uint8_t *p, size_t len, uint64_t off, struct vtr_error *err)
{
	size_t from = 0, at = 0;

	if (!c->sparse)
		return copy_write(c, p, len, off, err);
	while (at < len) {
		size_t n = VTR_MIN(len - at, (size_t)(COPY_GRAIN - (off + at) % COPY_GRAIN));

		if (copy_is_zero(p + at, n)) {
			if (copy_write(c, p + from, at - from, off + from, err) < 0)
				return -1;
			from = at + n;
		}
		at += n;
	}
	return copy_write(c, p + from, at - from, off + from, err);
}

static int copy_zeros(struct copy *c, uint64_t off, uint64_t len, vtr_progress *progress, void *arg, uint64_t total,
		      struct vtr_ctx *ctx, struct vtr_error *err)
{
	static const uint8_t zeros[64 << 10];

	if (c->sparse)
		return 0;
	while (len > 0) {
		size_t n = (size_t)VTR_MIN(len, (uint64_t)sizeof(zeros));

		if (vtr_ctx_check(ctx, err) < 0 || copy_write(c, zeros, n, off, err) < 0)
			return -1;
		off += n;
		len -= n;
		if (progress && off % COPY_CHUNK == 0 && progress(arg, off, total))
			return vtr_fail(err, VTR_ECANCELLED, "cancelled");
	}
	return 0;
}

int vtr_blk_copy(struct vtr_blk *b, int fd, vtr_progress *progress, void *arg, struct vtr_error *err)
{
	VTR_FREE uint8_t *buf = malloc(COPY_CHUNK);
	struct copy c = { .fd = fd, .buf = buf };
	struct vtr_extent e = { 0 };
	uint64_t off = 0;
	struct stat st;
	char text[128];
	off_t base;

	if (!buf)
		return vtr_fail(err, VTR_ENOMEM, "out of memory: %u bytes", COPY_CHUNK);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (base = lseek(fd, 0, SEEK_CUR)) == st.st_size) {
		/* At the end of a file: what is not written reads as zeros. */
		c.sparse = true;
		c.base = (uint64_t)base;
	}
	while (off < b->size) {
		uint64_t data = 0;

		if (vtr_ctx_check(b->ctx, err) < 0)
			return -1;
		/* Join what must be read into one chunk, so that its clusters are decoded side by side. */
		while (off + data < b->size && data < COPY_CHUNK) {
			if (vtr_blk_extent(&e, b, off + data, err) < 0)
				return -1;
			if (e.kind != VTR_EXTENT_DATA)
				break;
			data = VTR_MIN(data + e.len, (uint64_t)COPY_CHUNK);
		}
		if (data > 0) {
			if (vtr_blk_pread(b, off, buf, (size_t)data, err) < 0 || copy_put(&c, buf, (size_t)data, off, err) < 0)
				return -1;
			off += data;
		} else {
			if (copy_zeros(&c, off, e.len, progress, arg, b->size, b->ctx, err) < 0)
				return -1;
			off += e.len;
		}
		if (progress && progress(arg, off, b->size))
			return vtr_fail(err, VTR_ECANCELLED, "cancelled");
	}
	if (c.sparse && ftruncate(fd, (off_t)(c.base + b->size)) < 0)
		return vtr_fail(err, VTR_EIO, "setting the size to %" PRIu64 ": %s", b->size, vtr_errno_text(errno, text));
	return 0;
}
