/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The block cache: a hash table with chains and a list in order of use, both of slot numbers, under one lock. A block
 * is filled outside the lock into fresh memory and enters the table complete; whoever misses a block that is being
 * filled waits for it. No more blocks are filled at once than the cache may hold: blocks may be large, and threads
 * many. Those who wait hold no block, so that they cannot wait for each other.
 */
#include "base/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#define CACHE_NONE UINT32_MAX

struct cache_slot {
	uint64_t key;
	uint8_t *block;
	uint32_t chain;	       /* next in the same bucket */
	uint32_t newer, older; /* in order of use */
};

/* A block that is being filled, on the stack of who fills it. */
struct cache_filling {
	uint64_t key;
	bool dropped; /* since it was begun */
	struct cache_filling *next;
};

struct vtr_cache {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct cache_filling *filling;
	uint32_t n_filling;
	vtr_cache_fill *fill;
	void *arg;
	size_t block_len;
	struct cache_slot *slots;
	uint32_t n, used;
	uint32_t *buckets;
	uint32_t mask;
	uint32_t newest, oldest;
	uint8_t *spare; /* one block that is in no slot */
};

struct vtr_cache *vtr_cache_new(size_t block_len, size_t slots, vtr_cache_fill *fill, void *arg, struct vtr_error *err)
{
	struct vtr_cache *c = vtr_calloc(1, sizeof(*c), err);
	uint32_t buckets = 1;

	if (!c)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->filled, NULL);
	c->n = (uint32_t)VTR_MIN(VTR_MAX(slots, (size_t)1), (size_t)1 << 20);
	while (buckets < c->n)
		buckets *= 2;
	c->mask = buckets - 1;
	c->fill = fill;
	c->arg = arg;
	c->block_len = block_len;
	c->newest = c->oldest = CACHE_NONE;
	c->slots = vtr_calloc(c->n, sizeof(*c->slots), err);
	c->buckets = vtr_calloc(buckets, sizeof(*c->buckets), err);
	if (!c->slots || !c->buckets) {
		vtr_cache_free(c);
		return NULL;
	}
	memset(c->buckets, 0xff, buckets * sizeof(*c->buckets));
	return c;
}

void vtr_cache_free(struct vtr_cache *c)
{
	if (!c)
		return;
	for (uint32_t i = 0; i < c->used; i++)
		free(c->slots[i].block);
	free(c->spare);
	free(c->slots);
	free(c->buckets);
	pthread_cond_destroy(&c->filled);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static uint32_t *cache_bucket(struct vtr_cache *c, uint64_t key)
{
	return &c->buckets[(uint32_t)(key * 0x9e3779b97f4a7c15u >> 32) & c->mask];
}

static uint32_t cache_find(struct vtr_cache *c, uint64_t key)
{
	uint32_t i = *cache_bucket(c, key);

	while (i != CACHE_NONE && c->slots[i].key != key)
		i = c->slots[i].chain;
	return i;
}

static void cache_unlink(struct vtr_cache *c, uint32_t i)
{
	struct cache_slot *s = &c->slots[i];

	if (s->newer != CACHE_NONE)
		c->slots[s->newer].older = s->older;
	else
		c->newest = s->older;
	if (s->older != CACHE_NONE)
		c->slots[s->older].newer = s->newer;
	else
		c->oldest = s->newer;
}

static void cache_push(struct vtr_cache *c, uint32_t i)
{
	struct cache_slot *s = &c->slots[i];

	s->newer = CACHE_NONE;
	s->older = c->newest;
	if (c->newest != CACHE_NONE)
		c->slots[c->newest].newer = i;
	c->newest = i;
	if (c->oldest == CACHE_NONE)
		c->oldest = i;
}

/* The link that leads to a slot, from its bucket or from a slot before it. */
static uint32_t *cache_link(struct vtr_cache *c, uint32_t i)
{
	uint32_t *at = cache_bucket(c, c->slots[i].key);

	while (*at != i)
		at = &c->slots[*at].chain;
	return at;
}

/* Put a complete block in; what it displaces becomes the spare. */
static void cache_insert(struct vtr_cache *c, uint64_t key, uint8_t *block)
{
	uint32_t i, *b;
	uint8_t *old = NULL;

	if (c->used < c->n) {
		i = c->used++;
	} else {
		i = c->oldest;
		cache_unlink(c, i);
		*cache_link(c, i) = c->slots[i].chain;
		old = c->slots[i].block;
	}
	c->slots[i].key = key;
	c->slots[i].block = block;
	b = cache_bucket(c, key);
	c->slots[i].chain = *b;
	*b = i;
	cache_push(c, i);
	if (old && !c->spare)
		c->spare = old;
	else
		free(old);
}

/* Under the lock: copy from a block that is there. */
static bool cache_copy(struct vtr_cache *c, uint64_t key, size_t at, void *buf, size_t len)
{
	uint32_t i = cache_find(c, key);

	if (i == CACHE_NONE)
		return false;
	if (c->newest != i) {
		cache_unlink(c, i);
		cache_push(c, i);
	}
	memcpy(buf, c->slots[i].block + at, len);
	return true;
}

static bool cache_is_filling(const struct vtr_cache *c, uint64_t key)
{
	const struct cache_filling *f = c->filling;

	while (f && f->key != key)
		f = f->next;
	return f != NULL;
}

/* Under the lock: memory for a block; NULL: none is left over. A cache of one block has no room for a second. */
static uint8_t *cache_take_spare(struct vtr_cache *c)
{
	uint8_t *block = c->spare;

	c->spare = NULL;
	if (!block && c->n == 1 && c->used == 1) {
		block = c->slots[0].block;
		*cache_bucket(c, c->slots[0].key) = CACHE_NONE;
		c->newest = c->oldest = CACHE_NONE;
		c->used = 0;
	}
	return block;
}

/* Publish a filled block, or free it: filling failed, or it was dropped meanwhile. block may be NULL. */
static void cache_finish(struct vtr_cache *c, struct cache_filling *own, uint8_t *block, bool good)
{
	struct cache_filling **at = &c->filling;

	pthread_mutex_lock(&c->lock);
	while (*at != own)
		at = &(*at)->next;
	*at = own->next;
	c->n_filling--;
	if (good && !own->dropped) {
		cache_insert(c, own->key, block);
		block = NULL;
	}
	pthread_cond_broadcast(&c->filled);
	pthread_mutex_unlock(&c->lock);
	free(block);
}

int vtr_cache_read(struct vtr_cache *c, uint64_t key, size_t at, void *buf, size_t len, struct vtr_error *err)
{
	struct cache_filling own = { .key = key };
	uint8_t *block;
	bool have, good;

	pthread_mutex_lock(&c->lock);
	/* When it could not be filled, the next one tries, and has an error of its own. */
	while (!(have = cache_copy(c, key, at, buf, len)) && (cache_is_filling(c, key) || c->n_filling == c->n))
		pthread_cond_wait(&c->filled, &c->lock);
	if (have) {
		pthread_mutex_unlock(&c->lock);
		return 0;
	}
	own.next = c->filling;
	c->filling = &own;
	c->n_filling++;
	block = cache_take_spare(c);
	pthread_mutex_unlock(&c->lock);

	if (!block && !(block = malloc(c->block_len)))
		vtr_error_set(err, VTR_ENOMEM, "out of memory: %zu bytes of cache", c->block_len);
	good = block && c->fill(c->arg, key, block, c->block_len, err) == 0;
	if (good)
		memcpy(buf, block + at, len);
	cache_finish(c, &own, block, good);
	return good ? 0 : -1;
}

int vtr_cache_read_row(struct vtr_cache *c, uint64_t first, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	uint8_t *to = buf;

	while (len > 0) {
		uint64_t block = off / c->block_len;
		size_t at = (size_t)(off - block * c->block_len), n = VTR_MIN(len, c->block_len - at);

		if (vtr_cache_read(c, first + block, at, to, n, err) < 0)
			return -1;
		off += n;
		to += n;
		len -= n;
	}
	return 0;
}

/* Take a block out. The last slot takes its place: slots in use have no gaps. */
static void cache_remove(struct vtr_cache *c, uint32_t i)
{
	uint32_t last = c->used - 1;

	*cache_link(c, i) = c->slots[i].chain;
	cache_unlink(c, i);
	free(c->slots[i].block);
	if (i != last) {
		struct cache_slot *s = &c->slots[i];

		*cache_link(c, last) = i;
		*s = c->slots[last];
		*(s->newer == CACHE_NONE ? &c->newest : &c->slots[s->newer].older) = i;
		*(s->older == CACHE_NONE ? &c->oldest : &c->slots[s->older].newer) = i;
	}
	c->used = last;
}

void vtr_cache_drop(struct vtr_cache *c, uint64_t first, uint64_t last)
{
	pthread_mutex_lock(&c->lock);
	for (struct cache_filling *f = c->filling; f; f = f->next)
		f->dropped |= f->key >= first && f->key <= last;
	if (first <= last && last - first < c->used) {
		for (uint64_t n = last - first + 1, key = first; n > 0; n--, key++) {
			uint32_t i = cache_find(c, key);

			if (i != CACHE_NONE)
				cache_remove(c, i);
		}
	} else {
		for (uint32_t i = c->used; i-- > 0;)
			if (c->slots[i].key >= first && c->slots[i].key <= last)
				cache_remove(c, i);
	}
	pthread_mutex_unlock(&c->lock);
}

bool vtr_cache_has(struct vtr_cache *c, uint64_t key)
{
	bool has;

	pthread_mutex_lock(&c->lock);
	has = cache_find(c, key) != CACHE_NONE;
	pthread_mutex_unlock(&c->lock);
	return has;
}
