/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening images, and copying what they decode to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/layers.h"
#include "base/checked.h"
#include "base/pool.h"
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

int vtr_image_decode(struct vtr_blk **out, struct vtr_blk *file, const struct vtr_image_options *opt,
		     struct vtr_error *err)
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

#define COPY_CHUNK (128u << 10) /* what one thread decodes in one go */
#define COPY_CHUNKS 16u		/* and how many of these are under way */
#define COPY_GRAIN 4096u	/* zeros of this length and alignment become holes */

/* A piece of the disk that must be read. */
struct copy_piece {
	uint64_t off;
	size_t len;
};

struct copy {
	struct vtr_blk *blk;
	int fd;
	bool sparse;   /* a file: pieces may be written in any order, and zeros left out */
	uint64_t base; /* position in the file where the copy starts */
	uint8_t *buf;  /* COPY_CHUNK bytes for each piece */
	struct copy_piece pieces[COPY_CHUNKS];
	size_t n;
};

static int copy_write(struct copy *c, const uint8_t *p, size_t len, uint64_t off, struct vtr_error *err)
{
	char text[128];

	while (len > 0) {
		ssize_t n = c->sparse ? pwrite(c->fd, p, len, (off_t)(c->base + off)) : write(c->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vtr_fail(err, VTR_EIO, "writing %zu bytes at %#" PRIx64 ": %s", len, off,
					vtr_errno_text(errno, text));
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

static int copy_zeros(struct copy *c, uint64_t off, uint64_t len, struct vtr_error *err)
{
	static const uint8_t zeros[64 << 10];

	while (len > 0 && !c->sparse) {
		size_t n = (size_t)VTR_MIN(len, (uint64_t)sizeof(zeros));

		if (vtr_ctx_check(c->blk->ctx, err) < 0 || copy_write(c, zeros, n, off, err) < 0)
			return -1;
		off += n;
		len -= n;
	}
	return 0;
}

static int copy_piece(void *arg, size_t i, struct vtr_error *err)
{
	struct copy *c = arg;
	uint8_t *buf = c->buf + i * COPY_CHUNK;

	if (vtr_blk_pread(c->blk, c->pieces[i].off, buf, c->pieces[i].len, err) < 0)
		return -1;
	return c->sparse ? copy_put(c, buf, c->pieces[i].len, c->pieces[i].off, err) : 0;
}

/* Read the pieces that were gathered, side by side, and write them. */
static int copy_pieces(struct copy *c, struct vtr_error *err)
{
	if (vtr_pool_run(c->blk->ctx, copy_piece, c, c->n, err) < 0)
		return -1;
	for (size_t i = 0; i < c->n && !c->sparse; i++)
		if (copy_write(c, c->buf + i * COPY_CHUNK, c->pieces[i].len, c->pieces[i].off, err) < 0)
			return -1;
	c->n = 0;
	return 0;
}

/* One stretch of the disk from off: as many pieces as there is room for, or one run of zeros. */
static int copy_step(struct copy *c, uint64_t *off, struct vtr_error *err)
{
	struct vtr_extent e;
	uint64_t at = *off, size = c->blk->size;

	while (at < size && c->n < COPY_CHUNKS) {
		uint64_t len = 0;

		/* Neighbouring clusters make one piece. */
		do {
			if (vtr_blk_extent(&e, c->blk, at + len, err) < 0)
				return -1;
			if (e.kind == VTR_EXTENT_DATA)
				len = VTR_MIN(len + e.len, (uint64_t)COPY_CHUNK);
		} while (e.kind == VTR_EXTENT_DATA && len < COPY_CHUNK && at + len < size);
		if (len == 0)
			break;
		c->pieces[c->n++] = (struct copy_piece){ at, (size_t)len };
		at += len;
	}
	if (c->n > 0) {
		if (copy_pieces(c, err) < 0)
			return -1;
	} else {
		if (copy_zeros(c, at, e.len, err) < 0)
			return -1;
		at += e.len;
	}
	*off = at;
	return 0;
}

int vtr_blk_copy(struct vtr_blk *b, int fd, vtr_progress *progress, void *arg, struct vtr_error *err)
{
	VTR_FREE uint8_t *buf = malloc((size_t)COPY_CHUNK * COPY_CHUNKS);
	struct copy c = { .blk = b, .fd = fd, .buf = buf };
	uint64_t off = 0;
	struct stat st;
	char text[128];
	off_t base;

	if (!buf)
		return vtr_fail(err, VTR_ENOMEM, "out of memory: %u bytes", COPY_CHUNK * COPY_CHUNKS);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (base = lseek(fd, 0, SEEK_CUR)) == st.st_size) {
		/* At the end of a file: what is not written reads as zeros. */
		c.sparse = true;
		c.base = (uint64_t)base;
	}
	while (off < b->size) {
		if (vtr_ctx_check(b->ctx, err) < 0 || copy_step(&c, &off, err) < 0)
			return -1;
		if (progress && progress(arg, off, b->size))
			return vtr_fail(err, VTR_ECANCELLED, "cancelled");
	}
	if (c.sparse && ftruncate(fd, (off_t)(c.base + b->size)) < 0)
		return vtr_fail(err, VTR_EIO, "setting the size to %" PRIu64 ": %s", b->size,
				vtr_errno_text(errno, text));
	return 0;
}
