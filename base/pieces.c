/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Block sources that are put together of others: one after the other, side by side, and one that cannot be read. */
#include "base/pieces.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/search.h"

/* One of the pieces, and where it begins in the whole. */
struct pieces_one {
	struct vtr_blk *blk; /* a reference */
	uint64_t off, start;
};

struct pieces {
	struct vtr_blk blk;
	struct pieces_one *v; /* by start */
	size_t n;
	uint64_t held;	/* bytes charged for v */
	uint64_t chunk; /* striped: bytes */
};

static void pieces_close(struct vtr_blk *b)
{
	struct pieces *p = (struct pieces *)b;

	for (size_t i = 0; i < p->n; i++)
		vtr_blk_unref(p->v[i].blk);
	free(p->v);
	vtr_uncharge(b->ctx, p->held);
}

/* The extent of one input. What is beyond its end is no hole: reading it must say what is wrong. */
static int pieces_extent_of(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, uint64_t len,
			    struct vtr_error *err)
{
	struct vtr_extent e = { .kind = VTR_EXTENT_DATA, .len = len };

	if (off < b->size && vtr_blk_extent(&e, b, off, err) < 0)
		return -1;
	e.len = VTR_MIN(e.len, len);
	*out = e;
	return 0;
}

/* ------------------------------------------------------------------------------------------------ one after the other */

/* The piece that off lies in. */
static size_t pieces_find(const struct pieces *p, uint64_t off)
{
	return VTR_LAST_AT(p->v, p->n, start, off);
}

static uint64_t pieces_left(const struct pieces *p, size_t i, uint64_t off)
{
	return (i + 1 < p->n ? p->v[i + 1].start : p->blk.size) - off;
}

static int pieces_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	const struct pieces *p = (const struct pieces *)b;
	uint8_t *to = buf;

	for (size_t i = pieces_find(p, off); len > 0; i++) {
		size_t n = (size_t)VTR_MIN((uint64_t)len, pieces_left(p, i, off));

		if (vtr_blk_pread(p->v[i].blk, p->v[i].off + (off - p->v[i].start), to, n, err) < 0)
			return -1;
		to += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int pieces_extent(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err)
{
	const struct pieces *p = (const struct pieces *)b;
	size_t i = pieces_find(p, off);

	return pieces_extent_of(out, p->v[i].blk, p->v[i].off + (off - p->v[i].start), pieces_left(p, i, off), err);
}

/* An object over the pieces, whose starts and size are still to be set. */
static struct pieces *pieces_new(const struct vtr_blk_ops *ops, struct vtr_ctx *ctx, const struct vtr_piece *pieces,
				 size_t n, struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *b = vtr_blk_new(ops, sizeof(struct pieces), ctx, 0, err);
	struct pieces *p = (struct pieces *)b;

	if (!b || vtr_charge(ctx, n * sizeof(p->v[0]), "pieces of a volume", err) < 0)
		return NULL;
	p->held = n * sizeof(p->v[0]);
	p->v = vtr_calloc(n ? n : 1, sizeof(p->v[0]), err);
	if (!p->v)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		uint64_t end;

		if (pieces[i].len == 0 || vtr_add_over(pieces[i].off, pieces[i].len, &end)) {
			vtr_error_set(err, VTR_EUSAGE, "piece %zu: %" PRIu64 " bytes at %#" PRIx64, i, pieces[i].len,
				      pieces[i].off);
			return NULL;
		}
		p->v[i] = (struct pieces_one){ .blk = vtr_blk_ref(pieces[i].blk), .off = pieces[i].off };
		p->n++;
		if (vtr_blk_stack(b, pieces[i].blk, err) < 0)
			return NULL;
		b->forward |= pieces[i].blk->forward;
		b->partial |= pieces[i].blk->partial;
	}
	return (struct pieces *)vtr_steal(b);
}

int vtr_blk_pieces(struct vtr_blk **out, struct vtr_ctx *ctx, const struct vtr_piece *pieces, size_t n,
		   struct vtr_error *err)
{
	static const struct vtr_blk_ops ops = {
		.kind = "volume", .pread = pieces_pread, .extent = pieces_extent, .close = pieces_close
	};
	struct pieces *p = pieces_new(&ops, ctx, pieces, n, err);
	uint64_t at = 0;

	if (!p)
		return vtr_at(err, "volume");
	for (size_t i = 0; i < n; i++) {
		p->v[i].start = at;
		if (vtr_add_over(at, pieces[i].len, &at) || at > INT64_MAX) {
			vtr_blk_unref(&p->blk);
			return vtr_fail(err, VTR_ECORRUPT, "volume: more than 2^63 bytes");
		}
	}
	p->blk.size = at;
	*out = &p->blk;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------- side by side */

/* Where off lies: the piece, and the offset in it. */
static size_t pieces_column(uint64_t *in, const struct pieces *p, uint64_t off)
{
	uint64_t k = off / p->chunk;
	size_t i = (size_t)(k % p->n);

	*in = p->v[i].off + k / p->n * p->chunk + off % p->chunk;
	return i;
}

static int pieces_striped_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	const struct pieces *p = (const struct pieces *)b;
	uint8_t *to = buf;

	while (len > 0) {
		size_t n = (size_t)VTR_MIN((uint64_t)len, p->chunk - off % p->chunk);
		uint64_t in;
		size_t i = pieces_column(&in, p, off);

		if (vtr_blk_pread(p->v[i].blk, in, to, n, err) < 0)
			return -1;
		to += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int pieces_striped_extent(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err)
{
	const struct pieces *p = (const struct pieces *)b;
	uint64_t in;
	size_t i = pieces_column(&in, p, off);

	return pieces_extent_of(out, p->v[i].blk, in, p->chunk - off % p->chunk, err);
}

int vtr_blk_striped(struct vtr_blk **out, struct vtr_ctx *ctx, const struct vtr_piece *pieces, size_t n, uint64_t chunk,
		    struct vtr_error *err)
{
	static const struct vtr_blk_ops ops = {
		.kind = "stripes", .pread = pieces_striped_pread, .extent = pieces_striped_extent, .close = pieces_close
	};
	struct pieces *p;
	uint64_t size;

	if (n == 0 || chunk == 0 || pieces[0].len % chunk != 0)
		return vtr_fail(err, VTR_EUSAGE, "%zu stripes of chunks of %" PRIu64 " bytes", n, chunk);
	for (size_t i = 1; i < n; i++)
		if (pieces[i].len != pieces[0].len)
			return vtr_fail(err, VTR_EUSAGE, "stripe %zu: %" PRIu64 " bytes, expected %" PRIu64, i,
					pieces[i].len, pieces[0].len);
	if (vtr_mul_over(pieces[0].len, (uint64_t)n, &size) || size > INT64_MAX)
		return vtr_fail(err, VTR_ECORRUPT, "stripes: more than 2^63 bytes");
	p = pieces_new(&ops, ctx, pieces, n, err);
	if (!p)
		return vtr_at(err, "stripes");
	p->chunk = chunk;
	p->blk.size = size;
	*out = &p->blk;
	return 0;
}

/* -------------------------------------------------------------------------------------------------- zeros, unreadable */

static int zeros_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	(void)b, (void)off, (void)err;
	memset(buf, 0, len);
	return 0;
}

static int zeros_extent(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err)
{
	(void)err;
	*out = (struct vtr_extent){ .kind = VTR_EXTENT_ABSENT, .len = b->size - off };
	return 0;
}

int vtr_blk_zeros(struct vtr_blk **out, struct vtr_ctx *ctx, uint64_t size, struct vtr_error *err)
{
	static const struct vtr_blk_ops ops = { .kind = "zeros", .pread = zeros_pread, .extent = zeros_extent };

	*out = vtr_blk_new(&ops, sizeof(struct vtr_blk), ctx, size, err);
	return *out ? 0 : -1;
}

struct unreadable {
	struct vtr_blk blk;
	struct vtr_error why;
};

static int unreadable_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	const struct unreadable *u = (const struct unreadable *)b;

	(void)buf;
	vtr_error_set(err, u->why.code, "%zu bytes at %#" PRIx64 ": %s", len, off, u->why.text);
	vtr_ctx_cut(b->ctx, err, true);
	return -1;
}

int vtr_blk_unreadable(struct vtr_blk **out, struct vtr_ctx *ctx, uint64_t size, const struct vtr_error *why,
		       struct vtr_error *err)
{
	static const struct vtr_blk_ops ops = { .kind = "unreadable", .pread = unreadable_pread };
	struct vtr_blk *b = vtr_blk_new(&ops, sizeof(struct unreadable), ctx, size, err);

	if (!b)
		return -1;
	((struct unreadable *)b)->why = *why;
	b->partial = true;
	*out = b;
	return 0;
}
