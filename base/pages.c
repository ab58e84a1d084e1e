/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/pages.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

struct vtr_pages {
	struct vtr_blk *blk;
	struct vtr_cache *cache;
};

static int pages_fill(void *arg, uint64_t key, uint8_t *block, size_t len, struct vtr_error *err)
{
	struct vtr_blk *b = arg;
	uint64_t off = key << VTR_PAGE_LOG2;
	size_t have = (size_t)VTR_MIN((uint64_t)len, b->size - off);

	memset(block + have, 0, len - have);
	return vtr_blk_pread(b, off, block, have, err);
}

struct vtr_pages *vtr_pages_new(struct vtr_blk *b, uint64_t bytes, struct vtr_error *err)
{
	struct vtr_pages *p = vtr_calloc(1, sizeof(*p), err);

	if (!p)
		return NULL;
	p->cache = vtr_cache_new(VTR_PAGE, (size_t)(bytes / VTR_PAGE), pages_fill, b, err);
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
	uint8_t *to = buf;

	if (!vtr_range_in(off, len, p->blk->size))
		return vtr_fail(err, VTR_ETRUNCATED, "%zu bytes at %#" PRIx64 ": the %s ends at %#" PRIx64, len, off,
				p->blk->ops->kind, p->blk->size);
	while (len > 0) {
		size_t at = (size_t)(off & (VTR_PAGE - 1)), n = VTR_MIN(len, VTR_PAGE - at);

		if (vtr_cache_read(p->cache, off >> VTR_PAGE_LOG2, at, to, n, err) < 0)
			return -1;
		off += n;
		to += n;
		len -= n;
	}
	return 0;
}
