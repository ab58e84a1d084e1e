/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#define UNITS_ALIGN 4096u /* of units in the spool, so that their zeros are holes */

/* A unit in the spool. */
struct units_place {
	uint64_t key, off;
	size_t len;
};

struct vtr_units {
	struct vtr_ctx *ctx;
	struct vtr_decoded *account;
	vtr_cache_fill *fill;
	void *arg;
	struct vtr_cache *cache;
	uint64_t share; /* larger ones go to the spool */
	struct vtr_spool spool;
	pthread_mutex_t lock,
		large; /* of the places; of whoever decodes a large one: one at a time, as each takes much */
	struct units_place *place; /* ascending */
	size_t n, cap;
	uint64_t end, charged;
	/* Without a spool the last one is kept; under large. */
	bool no_spool;
	uint8_t *last;
	uint64_t last_key;
	size_t last_len;
};

static int units_fill(void *arg, uint64_t key, uint8_t *block, size_t len, struct vtr_error *err)
{
	struct vtr_units *u = arg;

	return u->fill(u->arg, key, block, len, err);
}

struct vtr_units *vtr_units_new(struct vtr_ctx *ctx, size_t unit_max, uint64_t cache, struct vtr_decoded *account,
				vtr_cache_fill *fill, void *arg, struct vtr_error *err)
{
	struct vtr_units *u = vtr_calloc(1, sizeof(*u), err);

	if (!u)
		return NULL;
	u->ctx = ctx;
	u->account = account;
	u->fill = fill;
	u->arg = arg;
	u->share = cache / VTR_UNITS_SHARE;
	vtr_spool_init(&u->spool, ctx);
	pthread_mutex_init(&u->lock, NULL);
	pthread_mutex_init(&u->large, NULL);
	unit_max = (size_t)VTR_MAX(VTR_MIN((uint64_t)unit_max, u->share), 1u);
	u->cache = vtr_cache_new(unit_max, (size_t)(cache / unit_max), units_fill, u, err);
	if (!u->cache) {
		vtr_units_free(u);
		return NULL;
	}
	return u;
}

void vtr_units_free(struct vtr_units *u)
{
	if (!u)
		return;
	vtr_cache_free(u->cache);
	vtr_spool_done(&u->spool);
	vtr_uncharge(u->ctx, u->charged);
	free(u->place);
	free(u->last);
	pthread_mutex_destroy(&u->lock);
	pthread_mutex_destroy(&u->large);
	free(u);
}

/* The first place whose key is not less; under the lock. */
static size_t units_find(const struct vtr_units *u, uint64_t key)
{
	size_t low = 0, high = u->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (u->place[mid].key < key)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool units_place(struct units_place *out, struct vtr_units *u, uint64_t key)
{
	bool found;
	size_t i;

	pthread_mutex_lock(&u->lock);
	i = units_find(u, key);
	found = i < u->n && u->place[i].key == key;
	if (found)
		*out = u->place[i];
	pthread_mutex_unlock(&u->lock);
	return found;
}

static int units_add_place(struct vtr_units *u, const struct units_place *p, struct vtr_error *err)
{
	size_t cap = u->cap, i;
	int r = -1;

	pthread_mutex_lock(&u->lock);
	if (u->n == cap && vtr_charge(u->ctx, (cap ? cap : 8) * sizeof(*p), "decoded units", err) < 0)
		goto out;
	if (u->n == cap)
		u->charged += (cap ? cap : 8) * sizeof(*p);
	if (!VTR_GROW(u->place, u->n, u->cap, err))
		goto out;
	i = units_find(u, p->key);
	memmove(u->place + i + 1, u->place + i, (u->n - i) * sizeof(*p));
	u->place[i] = *p;
	u->n++;
	r = 0;
out:
	pthread_mutex_unlock(&u->lock);
	return r;
}

/* Put a unit into the spool; under large. A host without room for temporary files reads all the same. */
static int units_spool(struct vtr_units *u, uint64_t key, const uint8_t *unit, size_t len, struct vtr_error *err)
{
	struct units_place p = { .key = key, .off = u->end, .len = len };
	struct vtr_error e = { 0 };
	uint64_t counted = 0;

	if (u->no_spool)
		return 0;
	if ((u->spool.fd < 0 && vtr_spool_open(&u->spool, &e) < 0) ||
	    vtr_spool_write(&u->spool, p.off, unit, len, &counted, &e) < 0 || units_add_place(u, &p, &e) < 0) {
		vtr_spool_uncount(&u->spool, counted);
		u->no_spool = e.code == VTR_EIO;
		if (!u->no_spool && err)
			*err = e;
		return u->no_spool ? 0 : -1;
	}
	u->end += vtr_div_up(len, UNITS_ALIGN) * UNITS_ALIGN;
	return 0;
}

/* Have a unit in last; under large. */
static int units_decode(struct vtr_units *u, uint64_t key, size_t len, struct vtr_error *err)
{
	if (u->last && u->last_key == key && u->last_len == len)
		return 0;
	if (vtr_decoded_add(u->account, len, err) < 0)
		return -1;
	free(u->last);
	u->last = malloc(len);
	if (!u->last)
		return vtr_fail(err, VTR_ENOMEM, "out of memory: %zu bytes to decode", len);
	if (u->fill(u->arg, key, u->last, len, err) < 0 || units_spool(u, key, u->last, len, err) < 0) {
		free(u->last);
		u->last = NULL;
		return -1;
	}
	u->last_key = key;
	u->last_len = len;
	return 0;
}

static int units_read_large(struct vtr_units *u, uint64_t key, size_t unit_len, size_t at, void *buf, size_t len,
			    struct vtr_error *err)
{
	struct units_place p;
	int r;

	if (!units_place(&p, u, key)) {
		pthread_mutex_lock(&u->large);
		if (!units_place(&p, u, key)) {
			r = units_decode(u, key, unit_len, err);
			if (r == 0)
				memcpy(buf, u->last + at, len);
			if (!u->no_spool) {
				free(u->last);
				u->last = NULL;
			}
			pthread_mutex_unlock(&u->large);
			return r;
		}
		pthread_mutex_unlock(&u->large);
	}
	if (!vtr_range_in(at, len, p.len)) /* somebody writes to the image */
		return vtr_fail(err, VTR_ECORRUPT, "what lies at %#" PRIx64 " changed while it was read", key);
	return vtr_spool_read(&u->spool, p.off + at, buf, len, err);
}

/* A unit that is in memory costs nothing. */
static int units_read_small(struct vtr_units *u, uint64_t key, size_t unit_len, size_t at, void *buf, size_t len,
			    struct vtr_error *err)
{
	if (!vtr_cache_has(u->cache, key) && vtr_decoded_add(u->account, unit_len, err) < 0)
		return -1;
	return vtr_cache_read(u->cache, key, at, buf, len, err);
}

int vtr_units_read(struct vtr_units *u, uint64_t key, size_t unit_len, size_t at, void *buf, size_t len,
		   struct vtr_error *err)
{
	if ((unit_len > u->share ? units_read_large : units_read_small)(u, key, unit_len, at, buf, len, err) < 0)
		return -1;
	vtr_decoded_deliver(u->account, len);
	return 0;
}
