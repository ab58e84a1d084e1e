/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Block sources: the wrapper that makes the common checks once, and the plain kinds (slice, memory, custom). */
#include "base/blk.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#define PROBE_STEP 4096u /* what probing gives up at a time, where something cannot be read */

struct vtr_blk *vtr_blk_new(const struct vtr_blk_ops *ops, size_t bytes, struct vtr_ctx *ctx, uint64_t size,
			    struct vtr_error *err)
{
	struct vtr_blk *b = vtr_calloc(1, bytes, err);

	if (!b)
		return NULL;
	b->ops = ops;
	b->ctx = vtr_ctx_ref(ctx);
	b->size = size;
	atomic_init(&b->refs, 1);
	return b;
}

int vtr_blk_stack(struct vtr_blk *b, const struct vtr_blk *below, struct vtr_error *err)
{
	b->layers = VTR_MAX(b->layers, below->layers + 1);
	return VTR_OVER(b->ctx, layers, b->layers, "block sources upon each other", err);
}

struct vtr_blk *vtr_blk_ref(struct vtr_blk *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void vtr_blk_unref(struct vtr_blk *b)
{
	struct vtr_ctx *ctx;

	if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return;
	ctx = b->ctx;
	if (b->ops->close)
		b->ops->close(b);
	free(b);
	vtr_ctx_unref(ctx);
}

void vtr_blk_unref_cleanup(struct vtr_blk **b)
{
	vtr_blk_unref(*b);
}

uint64_t vtr_blk_size(const struct vtr_blk *b)
{
	return b->size;
}

const char *vtr_blk_kind(const struct vtr_blk *b)
{
	return b->ops->kind;
}

int vtr_blk_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	if (!vtr_range_in(off, len, b->size)) {
		vtr_error_set(err, VTR_ETRUNCATED, "%zu bytes at %#" PRIx64 ": the %s ends at %#" PRIx64, len, off,
			      b->ops->kind, b->size);
		if (b->partial)
			vtr_ctx_cut(b->ctx, err, true);
		return -1;
	}
	return len == 0 ? 0 : b->ops->pread(b, off, buf, len, err);
}

int vtr_blk_extent(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err)
{
	struct vtr_extent e = { .kind = VTR_EXTENT_DATA };

	if (off >= b->size)
		return vtr_fail(err, VTR_EUSAGE, "extent at %#" PRIx64 ": the %s ends at %#" PRIx64, off, b->ops->kind,
				b->size);
	e.len = b->size - off;
	if (b->ops->extent && b->ops->extent(&e, b, off, err) < 0)
		return -1;
	e.len = VTR_MIN(e.len, b->size - off);
	*out = e;
	return 0;
}

const struct vtr_image_info *vtr_image_info(struct vtr_blk *b)
{
	return b->ops->info ? b->ops->info(b) : NULL;
}

struct vtr_blk *vtr_image_backing(struct vtr_blk *b)
{
	return b->ops->backing ? b->ops->backing(b) : NULL;
}

int vtr_blk_read_new(uint8_t **out, struct vtr_blk *b, uint64_t off, uint64_t len, const char *what,
		     struct vtr_error *err)
{
	VTR_FREE uint8_t *p = NULL;

	if (!vtr_range_in(off, len, b->size))
		return vtr_fail(err, VTR_ETRUNCATED, "%s: %" PRIu64 " bytes at %#" PRIx64 ": the %s ends at %#" PRIx64,
				what, len, off, b->ops->kind, b->size);
	if (VTR_OVER(b->ctx, alloc, len, what, err) < 0)
		return -1;
	p = malloc(len ? (size_t)len : 1);
	if (!p)
		return vtr_fail(err, VTR_ENOMEM, "%s: out of memory: %" PRIu64 " bytes", what, len);
	if (vtr_blk_pread(b, off, p, (size_t)len, err) < 0)
		return vtr_at(err, "%s", what);
	*out = vtr_steal(p);
	return 0;
}

/* ----------------------------------------------------------------------------------------------------------- slice */

struct slice {
	struct vtr_blk blk;
	struct vtr_blk *parent;
	uint64_t off;
};

static int slice_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct slice *s = (struct slice *)b;

	return vtr_blk_pread(s->parent, s->off + off, buf, len, err);
}

static int slice_extent(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err)
{
	struct slice *s = (struct slice *)b;

	return vtr_blk_extent(out, s->parent, s->off + off, err);
}

static void slice_close(struct vtr_blk *b)
{
	vtr_blk_unref(((struct slice *)b)->parent);
}

static const struct vtr_blk_ops slice_ops = {
	.kind = "slice",
	.pread = slice_pread,
	.extent = slice_extent,
	.close = slice_close,
};

int vtr_blk_slice(struct vtr_blk **out, struct vtr_blk *parent, uint64_t off, uint64_t len, struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *b = NULL;

	if (!vtr_range_in(off, len, parent->size))
		return vtr_fail(err, VTR_EUSAGE,
				"%" PRIu64 " bytes at %#" PRIx64 " leave the %s, which ends at %#" PRIx64, len, off,
				parent->ops->kind, parent->size);
	b = vtr_blk_new(&slice_ops, sizeof(struct slice), parent->ctx, len, err);
	if (!b)
		return -1;
	((struct slice *)b)->parent = vtr_blk_ref(parent);
	((struct slice *)b)->off = off;
	b->partial = parent->partial;
	if (vtr_blk_stack(b, parent, err) < 0)
		return -1;
	*out = vtr_steal(b);
	return 0;
}

/* ---------------------------------------------------------------------------------------------------------- memory */

struct memory {
	struct vtr_blk blk;
	uint8_t *bytes;
};

static int memory_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	(void)err;
	memcpy(buf, ((struct memory *)b)->bytes + off, len);
	return 0;
}

static void memory_close(struct vtr_blk *b)
{
	free(((struct memory *)b)->bytes);
}

static const struct vtr_blk_ops memory_ops = { .kind = "memory", .pread = memory_pread, .close = memory_close };

int vtr_blk_memory(struct vtr_blk **out, struct vtr_ctx *ctx, const void *bytes, size_t len, struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *b = vtr_blk_new(&memory_ops, sizeof(struct memory), ctx, len, err);
	uint8_t *copy;

	if (!b)
		return -1;
	/* Exactly len bytes, so that a sanitizer sees the first one past them. */
	copy = malloc(len ? len : 1);
	if (!copy)
		return vtr_fail(err, VTR_ENOMEM, "out of memory: %zu bytes", len);
	if (len > 0)
		memcpy(copy, bytes, len);
	((struct memory *)b)->bytes = copy;
	*out = vtr_steal(b);
	return 0;
}

/* ---------------------------------------------------------------------------------------------------------- custom */

struct custom {
	struct vtr_blk blk;
	struct vtr_blk_source src;
};

static int custom_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct custom *c = (struct custom *)b;

	struct vtr_error own = { 0 };
	int r = c->src.pread(c->src.arg, off, buf, len, &own);

	if (r < 0)
		return vtr_callback_failed(err, &own, "the source's pread");
	/* A count, as read(2) gives it, would say nothing of the rest. */
	if (r > 0)
		return vtr_fail(err, VTR_EUSAGE, "the source's pread returned %d, expected 0 or -1", r);
	return 0;
}

static void custom_close(struct vtr_blk *b)
{
	struct custom *c = (struct custom *)b;

	if (c->src.close)
		c->src.close(c->src.arg);
}

static const struct vtr_blk_ops custom_ops = { .kind = "source", .pread = custom_pread, .close = custom_close };

int vtr_blk_custom(struct vtr_blk **out, struct vtr_ctx *ctx, const struct vtr_blk_source *src, struct vtr_error *err)
{
	struct vtr_blk *b;

	if (!src->pread)
		return vtr_fail(err, VTR_EUSAGE, "a block source needs a pread function");
	if (src->size > INT64_MAX)
		return vtr_fail(err, VTR_EUSAGE, "a block source of %" PRIu64 " bytes: at most 2^63 - 1", src->size);
	b = vtr_blk_new(&custom_ops, sizeof(struct custom), ctx, src->size, err);
	if (!b)
		return -1;
	((struct custom *)b)->src = *src;
	*out = b;
	return 0;
}

/* ----------------------------------------------------------------------------------------------------------- probe */

/* What cannot be read stays zero and has no signature. One warning tells of it, with the first error. */
static int probe_part(struct vtr_blk *b, uint64_t off, uint8_t *buf, size_t len, struct vtr_error *err)
{
	struct vtr_error first = { 0 };
	size_t lost = 0;

	if (vtr_blk_pread(b, off, buf, len, NULL) == 0)
		return 0;
	for (size_t at = 0; at < len; at += PROBE_STEP) {
		size_t n = VTR_MIN(len - at, (size_t)PROBE_STEP);
		struct vtr_error local = { 0 };

		if (vtr_blk_pread(b, off + at, buf + at, n, &local) == 0)
			continue;
		if (!vtr_error_is(&local, VTR_KIND_DAMAGED | VTR_KIND_HOST)) {
			if (err)
				*err = local;
			return -1;
		}
		if (lost == 0)
			first = local;
		lost += n;
		memset(buf + at, 0, n);
	}
	if (lost > 0 && !b->partial) {
		if (lost > PROBE_STEP)
			vtr_error_at(&first, "%zu of %zu bytes at %#" PRIx64 " cannot be read", lost, len, off);
		vtr_warn_err(b->ctx, &first);
	}
	return 0;
}

/* Pieces of the source that were asked for. */
struct vtr_probe_more {
	struct vtr_blk *blk; /* a reference */
	struct {
		uint64_t off;
		size_t len;
		uint8_t *bytes;
	} piece[VTR_PROBE_MORE];
	size_t n;
};

const uint8_t *vtr_probe_at(const struct vtr_probe *p, uint64_t off, size_t len)
{
	struct vtr_probe_more *m = p->more;
	uint8_t *bytes;

	if (vtr_range_in(off, len, p->head_len))
		return p->head + off;
	if (!vtr_range_in(off, len, p->size))
		return NULL;
	if (off >= p->size - p->tail_len)
		return p->tail + (off - (p->size - p->tail_len));
	for (size_t i = 0; m && i < m->n; i++)
		if (off >= m->piece[i].off && vtr_range_in(off - m->piece[i].off, len, m->piece[i].len))
			return m->piece[i].bytes + (off - m->piece[i].off);
	if (!m || m->n == VTR_PROBE_MORE || len > VTR_PROBE_PAGE)
		return NULL;
	bytes = malloc(len);
	if (!bytes || vtr_blk_pread(m->blk, off, bytes, len, NULL) < 0) {
		free(bytes);
		return NULL;
	}
	m->piece[m->n].off = off;
	m->piece[m->n].len = len;
	m->piece[m->n++].bytes = bytes;
	return bytes;
}

static int probe_read(struct vtr_probe *out, struct vtr_blk *b, uint64_t tail, struct vtr_error *err)
{
	struct vtr_probe p = { .size = b->size };

	p.head_len = (size_t)VTR_MIN(b->size, (uint64_t)VTR_PROBE_HEAD);
	p.tail_len = (size_t)VTR_MIN(b->size, tail);
	p.memory = vtr_calloc(1, p.head_len + p.tail_len, err);
	if (!p.memory)
		return -1;
	p.more = tail > 0 ? vtr_calloc(1, sizeof(*p.more), err) : NULL;
	if (tail > 0 && !p.more) {
		free(p.memory);
		return -1;
	}
	if (probe_part(b, 0, p.memory, p.head_len, err) < 0 ||
	    probe_part(b, b->size - p.tail_len, p.memory + p.head_len, p.tail_len, err) < 0) {
		free(p.memory);
		free(p.more);
		return -1;
	}
	if (p.more)
		p.more->blk = vtr_blk_ref(b);
	p.head = p.memory;
	p.tail = p.memory + p.head_len;
	*out = p;
	return 0;
}

int vtr_probe_read(struct vtr_probe *out, struct vtr_blk *b, struct vtr_error *err)
{
	return probe_read(out, b, VTR_PROBE_TAIL, err);
}

int vtr_probe_read_head(struct vtr_probe *out, struct vtr_blk *b, struct vtr_error *err)
{
	return probe_read(out, b, 0, err);
}

void vtr_probe_done(struct vtr_probe *p)
{
	for (size_t i = 0; p->more && i < p->more->n; i++)
		free(p->more->piece[i].bytes);
	if (p->more)
		vtr_blk_unref(p->more->blk);
	free(p->more);
	p->more = NULL;
	free(p->memory);
	p->memory = NULL;
}
