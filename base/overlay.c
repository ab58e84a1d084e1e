/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/overlay.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#define OVERLAY_NONE UINT32_MAX
#define OVERLAY_MAX (UINT32_MAX / 8) /* ranges: their ends are counted in 32 bits */

enum { OVERLAY_ZEROS, OVERLAY_BYTES, OVERLAY_SOURCES /* and more: a source each */ };

/* A range that is replaced, from off to end. */
struct overlay_range {
	uint64_t off, end;
	uint64_t from; /* where its first byte is in bytes, or in the source */
	uint32_t kind;
};

struct overlay_source {
	struct vtr_blk *blk; /* a reference */
	const char *place;
};

struct overlay {
	struct vtr_blk blk;
	struct vtr_blk_ops ops;
	struct vtr_blk *below; /* a reference */
	const char *what;
	struct overlay_range *ranges; /* settled: ascending, and apart */
	size_t n_ranges, cap_ranges;
	struct overlay_range *changes; /* in the order in which they were made */
	size_t n_changes, cap_changes;
	struct overlay_source *sources;
	size_t n_sources, cap_sources;
	uint8_t *bytes;
	size_t n_bytes, cap_bytes;
	uint64_t charged;
};

static int overlay_charge(struct overlay *o, uint64_t bytes, struct vtr_error *err)
{
	if (vtr_charge(o->blk.ctx, bytes, o->what, err) < 0)
		return -1;
	o->charged += bytes;
	return 0;
}

/* --------------------------------------------------------------------------------------------------------- reading */

/* The first range that ends behind off; n_ranges when there is none. */
static size_t overlay_find(const struct overlay *o, uint64_t off)
{
	size_t lo = 0, hi = o->n_ranges;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (o->ranges[mid].end <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int overlay_read_below(const struct overlay *o, uint64_t off, uint8_t *buf, size_t len, struct vtr_error *err)
{
	size_t have = off < o->below->size ? (size_t)VTR_MIN((uint64_t)len, o->below->size - off) : 0;

	memset(buf + have, 0, len - have);
	return have == 0 ? 0 : vtr_blk_pread(o->below, off, buf, have, err);
}

static int overlay_read_range(const struct overlay *o, const struct overlay_range *r, uint64_t off, uint8_t *buf,
			      size_t len, struct vtr_error *err)
{
	uint64_t from = r->from + (off - r->off);
	const struct overlay_source *s;

	if (r->kind == OVERLAY_ZEROS) {
		memset(buf, 0, len);
		return 0;
	}
	if (r->kind == OVERLAY_BYTES) {
		memcpy(buf, o->bytes + from, len);
		return 0;
	}
	s = &o->sources[r->kind - OVERLAY_SOURCES];
	if (vtr_blk_pread(s->blk, from, buf, len, err) == 0)
		return 0;
	return s->place ? vtr_at(err, "%s", s->place) : -1;
}

static int overlay_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	const struct overlay *o = (struct overlay *)b;
	size_t i = overlay_find(o, off);
	uint8_t *to = buf;

	assert(o->n_changes == 0);
	while (len > 0) {
		const struct overlay_range *r = i < o->n_ranges ? &o->ranges[i] : NULL;
		bool in = r && off >= r->off;
		size_t n = r ? (size_t)VTR_MIN((uint64_t)len, (in ? r->end : r->off) - off) : len;

		if ((in ? overlay_read_range(o, r, off, to, n, err) : overlay_read_below(o, off, to, n, err)) < 0)
			return -1;
		off += n;
		to += n;
		len -= n;
		i += in;
	}
	return 0;
}

bool vtr_overlay_replaced(const struct vtr_blk *overlay, uint64_t off, uint64_t *len)
{
	const struct overlay *o = (const struct overlay *)overlay;
	size_t i = overlay_find(o, off);

	if (off >= o->below->size)
		return true;
	if (i < o->n_ranges && o->ranges[i].off <= off) {
		uint64_t end = o->ranges[i].end;

		while (++i < o->n_ranges && o->ranges[i].off == end && end - off < *len)
			end = o->ranges[i].end;
		*len = VTR_MIN(*len, end - off);
		return true;
	}
	if (i < o->n_ranges)
		*len = VTR_MIN(*len, o->ranges[i].off - off);
	*len = VTR_MIN(*len, o->below->size - off);
	return false;
}

uint64_t vtr_overlay_end(const struct vtr_blk *overlay)
{
	const struct overlay *o = (const struct overlay *)overlay;

	return o->n_ranges > 0 ? o->ranges[o->n_ranges - 1].end : 0;
}

void vtr_overlay_resize(struct vtr_blk *overlay, uint64_t size)
{
	overlay->size = size;
}

/* --------------------------------------------------------------------------------------------------------- changes */

static int overlay_add(struct overlay *o, uint64_t off, uint64_t len, uint32_t kind, uint64_t from,
		       struct vtr_error *err)
{
	size_t cap = o->cap_changes;
	uint64_t end;

	if (len == 0)
		return 0;
	if (vtr_add_over(off, len, &end))
		return vtr_fail(err, VTR_ECORRUPT, "%#" PRIx64 " bytes at %#" PRIx64 ": no such range", len, off);
	if (o->n_ranges + o->n_changes >= OVERLAY_MAX)
		return vtr_fail(err, VTR_ELIMIT, "%zu %s, at most %" PRIu32, o->n_changes, o->what, OVERLAY_MAX);
	if (!VTR_GROW(o->changes, o->n_changes, o->cap_changes, err) ||
	    overlay_charge(o, (o->cap_changes - cap) * sizeof(*o->changes), err) < 0)
		return -1;
	o->changes[o->n_changes++] = (struct overlay_range){ off, end, from, kind };
	return 0;
}

int vtr_overlay_zero(struct vtr_blk *overlay, uint64_t off, uint64_t len, struct vtr_error *err)
{
	return overlay_add((struct overlay *)overlay, off, len, OVERLAY_ZEROS, 0, err);
}

int vtr_overlay_write(struct vtr_blk *overlay, uint64_t off, const void *bytes, size_t len, struct vtr_error *err)
{
	struct overlay *o = (struct overlay *)overlay;
	size_t cap = VTR_MAX(o->cap_bytes, (size_t)64);

	if (len == 0)
		return 0;
	while (cap - o->n_bytes < len) {
		if (cap > SIZE_MAX / 2)
			return vtr_fail(err, VTR_ENOMEM, "out of memory: %s", o->what);
		cap *= 2;
	}
	if (cap > o->cap_bytes) {
		uint8_t *more;

		if (overlay_charge(o, cap - o->cap_bytes, err) < 0)
			return -1;
		more = realloc(o->bytes, cap);
		if (!more)
			return vtr_fail(err, VTR_ENOMEM, "out of memory: %s", o->what);
		o->bytes = more;
		o->cap_bytes = cap;
	}
	if (overlay_add(o, off, len, OVERLAY_BYTES, o->n_bytes, err) < 0)
		return -1;
	memcpy(o->bytes + o->n_bytes, bytes, len);
	o->n_bytes += len;
	return 0;
}

/* There are few: most often one, the last. */
int vtr_overlay_map(struct vtr_blk *overlay, uint64_t off, uint64_t len, struct vtr_blk *src, uint64_t src_off,
		    const char *place, struct vtr_error *err)
{
	struct overlay *o = (struct overlay *)overlay;
	size_t i = o->n_sources;

	while (i > 0 && (o->sources[i - 1].blk != src || o->sources[i - 1].place != place))
		i--;
	if (i == 0) {
		if (!VTR_GROW(o->sources, o->n_sources, o->cap_sources, err))
			return -1;
		o->sources[o->n_sources++] = (struct overlay_source){ vtr_blk_ref(src), place };
		i = o->n_sources;
	}
	return overlay_add(o, off, len, OVERLAY_SOURCES + (uint32_t)(i - 1), src_off, err);
}

/* -------------------------------------------------------------------------------------------------------- settling */

static int overlay_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint32_t overlay_point(const uint64_t *points, uint32_t n, uint64_t off)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (points[mid] < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The first interval from i on that nobody has; paths are halved on the way. */
static uint32_t overlay_free(uint32_t *next, uint32_t i)
{
	while (next[i] != i) {
		next[i] = next[next[i]];
		i = next[i];
	}
	return i;
}

/* The i-th of all: the settled ranges are the oldest. */
static const struct overlay_range *overlay_nth(const struct overlay *o, uint32_t i)
{
	return i < o->n_ranges ? &o->ranges[i] : &o->changes[i - o->n_ranges];
}

/* The ends of all, each once. */
static uint32_t overlay_points(uint64_t *points, const struct overlay *o, uint32_t all)
{
	uint32_t n = 0, k = 0;

	for (uint32_t i = 0; i < all; i++) {
		points[n++] = overlay_nth(o, i)->off;
		points[n++] = overlay_nth(o, i)->end;
	}
	qsort(points, n, sizeof(*points), overlay_compare);
	for (uint32_t i = 0; i < n; i++)
		if (k == 0 || points[k - 1] != points[i])
			points[k++] = points[i];
	return k;
}

/* Put a range behind the others; what goes on where the last one ends is joined to it. */
static size_t overlay_put(struct overlay_range *to, size_t n, struct overlay_range r)
{
	struct overlay_range *last = n > 0 ? &to[n - 1] : NULL;

	if (last && last->end == r.off && last->kind == r.kind &&
	    (r.kind == OVERLAY_ZEROS || last->from + (last->end - last->off) == r.from)) {
		last->end = r.end;
		return n;
	}
	to[n] = r;
	return n + 1;
}

/*
 * Who wrote last has a range. The ends of all cut the source into intervals; each change, the newest first, takes those of
 * its own that are still free: n log n for n changes, however they overlap.
 */
static int overlay_arrange(struct overlay *o, uint32_t all, struct vtr_error *err)
{
	VTR_FREE uint64_t *points = vtr_calloc(2 * (size_t)all, sizeof(*points), err);
	VTR_FREE uint32_t *next = points ? vtr_calloc(2 * (size_t)all, sizeof(*next), err) : NULL;
	VTR_FREE uint32_t *owner = next ? vtr_calloc(2 * (size_t)all, sizeof(*owner), err) : NULL;
	struct overlay_range *to = owner ? vtr_calloc(2 * (size_t)all, sizeof(*to), err) : NULL, *fit;
	uint32_t n;
	size_t kept = 0;

	if (!to)
		return -1;
	n = overlay_points(points, o, all);
	for (uint32_t i = 0; i < n; i++) {
		next[i] = i;
		owner[i] = OVERLAY_NONE;
	}
	for (uint32_t w = all; w-- > 0;) {
		uint32_t i = overlay_point(points, n, overlay_nth(o, w)->off);
		uint32_t end = overlay_point(points, n, overlay_nth(o, w)->end); /* at most n - 1, which nobody takes */

		for (i = overlay_free(next, i); i < end; i = overlay_free(next, i)) {
			owner[i] = w;
			next[i] = i + 1;
		}
	}
	for (uint32_t i = 0; i + 1 < n; i++) {
		struct overlay_range r;

		if (owner[i] == OVERLAY_NONE)
			continue;
		r = *overlay_nth(o, owner[i]);
		r.from += points[i] - r.off;
		r.off = points[i];
		r.end = points[i + 1];
		kept = overlay_put(to, kept, r);
	}
	fit = realloc(to, kept * sizeof(*to));
	free(o->ranges);
	o->ranges = fit ? fit : to;
	o->n_ranges = kept;
	return 0;
}

int vtr_overlay_settle(struct vtr_blk *overlay, struct vtr_error *err)
{
	struct overlay *o = (struct overlay *)overlay;
	uint64_t all = o->n_ranges + o->n_changes;
	uint64_t bytes = 2 * all * (sizeof(uint64_t) + 2 * sizeof(uint32_t) + sizeof(struct overlay_range));
	uint64_t before = o->n_ranges * sizeof(*o->ranges) + o->cap_changes * sizeof(*o->changes), after;
	int r;

	if (o->n_changes == 0)
		return 0;
	if (overlay_charge(o, bytes, err) < 0)
		return -1;
	r = overlay_arrange(o, (uint32_t)all, err);
	if (r == 0) {
		free(o->changes);
		o->changes = NULL;
		o->n_changes = o->cap_changes = 0;
		after = o->n_ranges * sizeof(*o->ranges);
		/* after <= bytes */
		bytes += before - after;
	}
	vtr_uncharge(o->blk.ctx, bytes);
	o->charged -= bytes;
	return r;
}

/* ------------------------------------------------------------------------------------------------------------ life */

static void overlay_close(struct vtr_blk *b)
{
	struct overlay *o = (struct overlay *)b;

	vtr_uncharge(b->ctx, o->charged);
	for (size_t i = 0; i < o->n_sources; i++)
		vtr_blk_unref(o->sources[i].blk);
	free(o->sources);
	free(o->changes);
	free(o->ranges);
	free(o->bytes);
	vtr_blk_unref(o->below);
}

int vtr_overlay_new(struct vtr_blk **out, struct vtr_blk *below, const char *kind, const char *what,
		    struct vtr_error *err)
{
	static const struct vtr_blk_ops ops = { .kind = "overlay", .pread = overlay_pread, .close = overlay_close };
	struct vtr_blk *b = vtr_blk_new(&ops, sizeof(struct overlay), below->ctx, below->size, err);
	struct overlay *o = (struct overlay *)b;

	if (!b)
		return -1;
	o->ops = ops;
	o->ops.kind = kind;
	b->ops = &o->ops;
	o->below = vtr_blk_ref(below);
	o->what = what;
	*out = b;
	return 0;
}
