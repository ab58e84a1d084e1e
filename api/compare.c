/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Comparing two disks, by what both have stored. */
#include <stdlib.h>
#include <string.h>

#include "base/blk.h"
#include "base/checked.h"
#include "base/pool.h"

#define COMPARE_PIECE (128u << 10) /* what one thread reads of each in one go, */
#define COMPARE_UNIT (2u << 20)	   /* or all that is decoded in one go, up to this */
#define COMPARE_PIECES 32u

struct compare_piece {
	uint64_t off;
	size_t len;
	bool has[2]; /* which of the two has data there */
	uint8_t *buf;
	size_t same; /* bytes until the first difference; len: there is none */
};

struct compare {
	struct vtr_blk *blk[2];
	uint64_t at, size;
	uint64_t steps; /* holes of both */
	uint8_t *buf;
	size_t cap;
	struct compare_piece pieces[COMPARE_PIECES];
	size_t n;
};

/* What one of the two has at off: zeros past its end. */
static int compare_extent(struct vtr_extent *out, const struct compare *c, size_t which, uint64_t off,
			  struct vtr_error *err)
{
	if (off < c->blk[which]->size)
		return vtr_blk_extent(out, c->blk[which], off, err);
	*out = (struct vtr_extent){ .kind = VTR_EXTENT_ABSENT, .len = c->size - off };
	return 0;
}

/*
 * The next piece that at least one of them has: *out has length 0 at the end. It ends where what is compressed ends, so
 * that nothing is decoded twice.
 */
static int compare_next(struct compare_piece *out, struct compare *c, struct vtr_error *err)
{
	struct compare_piece p = { 0 };
	uint64_t len = 0;

	while (c->at + len < c->size && len < COMPARE_PIECE) {
		struct vtr_extent e[2];
		bool has[2], packed;

		for (size_t i = 0; i < 2; i++) {
			if (compare_extent(&e[i], c, i, c->at + len, err) < 0)
				return -1;
			has[i] = e[i].kind == VTR_EXTENT_DATA && !e[i].zero;
		}
		packed = (has[0] && e[0].compressed) || (has[1] && e[1].compressed);
		e[0].len = VTR_MIN(e[0].len, e[1].len);
		if (!has[0] && !has[1]) {
			if (len > 0)
				break;
			c->at += e[0].len;
			if (vtr_tick(c->blk[0]->ctx, &c->steps, 1, err) < 0)
				return -1;
			continue;
		}
		if (packed && len > 0 && len + e[0].len > COMPARE_PIECE)
			break;
		len = VTR_MIN(len + e[0].len, packed ? COMPARE_UNIT : VTR_MAX(len, (uint64_t)COMPARE_PIECE));
		p.has[0] = p.has[0] || has[0];
		p.has[1] = p.has[1] || has[1];
	}
	p.off = c->at;
	p.len = (size_t)len;
	*out = p;
	return 0;
}

/* How many bytes at the beginning are alike, or zero where there is one side alone. */
static size_t compare_bytes(const uint8_t *a, const uint8_t *b, size_t len)
{
	static const uint8_t zeros[4096];
	size_t at = 0;

	while (at < len) {
		size_t n = VTR_MIN(len - at, sizeof(zeros));
		const uint8_t *other = b ? b + at : zeros;

		if (memcmp(a + at, other, n) != 0) {
			for (n = 0; a[at + n] == other[n];)
				n++;
			return at + n;
		}
		at += n;
	}
	return len;
}

/* The bytes of one side, and zeros past its end. */
static int compare_read(const struct compare *c, size_t which, const struct compare_piece *p, uint8_t *buf,
			struct vtr_error *err)
{
	struct vtr_blk *b = c->blk[which];
	size_t n = (size_t)VTR_MIN((uint64_t)p->len, b->size > p->off ? b->size - p->off : 0);

	memset(buf + n, 0, p->len - n);
	return vtr_blk_pread(b, p->off, buf, n, err);
}

static int compare_piece(void *arg, size_t i, struct vtr_error *err)
{
	struct compare *c = arg;
	struct compare_piece *p = &c->pieces[i];
	uint8_t *other = p->buf + p->len;
	size_t one = p->has[0] ? 0 : 1;

	if (compare_read(c, one, p, p->buf, err) < 0)
		return -1;
	if (one == 0 && p->has[1]) {
		if (compare_read(c, 1, p, other, err) < 0)
			return -1;
	} else {
		other = NULL;
	}
	p->same = compare_bytes(p->buf, other, p->len);
	return 0;
}

static int compare_gather(struct compare *c, struct vtr_error *err)
{
	size_t used = 0;

	for (c->n = 0; c->n < COMPARE_PIECES; c->n++) {
		struct compare_piece *p = &c->pieces[c->n];

		if (compare_next(p, c, err) < 0)
			return -1;
		if (p->len == 0 || 2 * p->len > c->cap - used)
			break;
		p->buf = c->buf + used;
		used += 2 * p->len;
		c->at += p->len;
	}
	return 0;
}

int vtr_blk_compare(uint64_t *first, struct vtr_blk *a, struct vtr_blk *b, vtr_progress *progress, void *arg,
		    struct vtr_error *err)
{
	size_t cap = (size_t)VTR_MAX(vtr_pool_width(a->ctx), 2u) * 2 * COMPARE_UNIT;
	VTR_FREE uint8_t *buf = malloc(cap);
	struct compare c = { .blk = { a, b }, .size = VTR_MAX(a->size, b->size), .buf = buf, .cap = cap };

	if (!buf)
		return vtr_fail(err, VTR_ENOMEM, "out of memory: %zu bytes", cap);
	do {
		if (vtr_ctx_check(a->ctx, err) < 0 || compare_gather(&c, err) < 0 ||
		    vtr_pool_run(a->ctx, compare_piece, &c, c.n, err) < 0)
			return -1;
		for (size_t i = 0; i < c.n; i++) {
			if (c.pieces[i].same < c.pieces[i].len) {
				*first = c.pieces[i].off + c.pieces[i].same;
				return 1;
			}
		}
		if (progress && progress(arg, c.at, c.size))
			return vtr_fail(err, VTR_ECANCELLED, "cancelled");
	} while (c.n > 0);
	return 0;
}
