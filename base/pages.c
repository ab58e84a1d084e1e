/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/pages.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

struct vtr_pages {
	struct vtr_blk *blk;
	struct vtr_cache *cache;
	unsigned page_log2;
	const char *what;
};

/* The last page has zeros behind the end. */
static int pages_fill(void *arg, uint64_t key, uint8_t *block, size_t len, struct vtr_error *err)
{
	struct vtr_pages *p = arg;
	uint64_t off = key << p->page_log2;
	size_t have = (size_t)VTR_MIN((uint64_t)len, p->blk->size - off);

	memset(block + have, 0, len - have);
	return vtr_blk_pread(p->blk, off, block, have, err);
}

struct vtr_pages *vtr_pages_new(struct vtr_blk *b, unsigned page_log2, uint64_t bytes, const char *what,
				struct vtr_error *err)
{
	struct vtr_pages *p = vtr_calloc(1, sizeof(*p), err);

	if (!p)
		return NULL;
	p->page_log2 = page_log2;
	p->what = what ? what : b->ops->kind;
	p->cache = vtr_cache_new((size_t)1 << page_log2, (size_t)(bytes >> page_log2), pages_fill, p, err);
	if (!p->cache) {
		free(p);
		return NULL;
	}
	p->blk = vtr_blk_ref(b);
	return p;
}

void vtr_pages_free(struct vtr_pages *p)
{
	if (!p)
		return;
	vtr_cache_free(p->cache);
	vtr_blk_unref(p->blk);
	free(p);
}

int vtr_pages_read(struct vtr_pages *p, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	if (!vtr_range_in(off, len, p->blk->size)) {
		vtr_error_set(err, VTR_ETRUNCATED, "%zu bytes at %#" PRIx64 ": the %s ends at %#" PRIx64, len, off,
			      p->what, p->blk->size);
		if (p->blk->partial)
			vtr_ctx_cut(p->blk->ctx, err, true);
		return -1;
	}
	return vtr_cache_read_row(p->cache, 0, off, buf, len, err);
}

void vtr_pages_drop(struct vtr_pages *p, uint64_t off, uint64_t len)
{
	uint64_t last = len > UINT64_MAX - off ? UINT64_MAX : off + len - (len > 0);

	if (len > 0)
		vtr_cache_drop(p->cache, off >> p->page_log2, last >> p->page_log2);
}
