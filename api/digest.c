/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hashing many files at once. Where a file lies is asked of its filesystem by one thread at a time; reading and
 * hashing, which take the time, run side by side.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/hash.h"
#include "base/pool.h"
#include "fs/fs.h"

#define DIGEST_CHUNK (256u << 10)

struct digest_map {
	struct vtr_file_extent *e;
	size_t n, cap;
	struct vtr_error *err;
};

struct digest_batch {
	struct vtr_digest *out;
	const struct vtr_place *places;
	pthread_mutex_t fs_lock;
};

static int digest_keep(void *arg, const struct vtr_file_extent *e)
{
	struct digest_map *m = arg;

	if (!VTR_GROW(m->e, m->n, m->cap, m->err))
		return -1;
	m->e[m->n++] = *e;
	return 0;
}

/* Holes may be of any size, and take as long as bytes do. */
static int digest_zeros(struct vtr_hash *h, struct vtr_ctx *ctx, uint64_t len, struct vtr_error *err)
{
	static const uint8_t zeros[64 << 10];

	while (len > 0) {
		size_t n = (size_t)VTR_MIN(len, (uint64_t)sizeof(zeros));

		if (vtr_hash_update(h, zeros, n, err) < 0)
			return -1;
		len -= n;
		if (len > 0 && vtr_ctx_check(ctx, err) < 0)
			return -1;
	}
	return 0;
}

/* By the file's extents. */
static int digest_extents(struct vtr_hash *h, struct vtr_fs *fs, const struct digest_map *m, uint64_t size,
			  uint8_t *buf, struct vtr_error *err)
{
	uint64_t at = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct vtr_file_extent *e = &m->e[i];

		if (digest_zeros(h, fs->ctx, e->off - at, err) < 0)
			return -1;
		for (uint64_t done = 0; done < e->len;) {
			size_t n = (size_t)VTR_MIN(e->len - done, (uint64_t)DIGEST_CHUNK);

			if (e->unwritten) {
				if (digest_zeros(h, fs->ctx, n, err) < 0)
					return -1;
			} else {
				if (vtr_blk_pread(fs->blk, e->phys + done, buf, n, err) < 0 ||
				    vtr_hash_update(h, buf, n, err) < 0)
					return -1;
			}
			done += n;
			if (vtr_ctx_check(fs->ctx, err) < 0)
				return -1;
		}
		at = e->off + e->len;
	}
	return digest_zeros(h, fs->ctx, size - at, err);
}

/* Through the driver, where it cannot tell extents. */
static int digest_read(struct vtr_hash *h, struct digest_batch *b, struct vtr_place p, uint64_t size, uint8_t *buf,
		       struct vtr_error *err)
{
	for (uint64_t at = 0; at < size;) {
		ssize_t n;

		pthread_mutex_lock(&b->fs_lock);
		n = vtr_fs_read(p.fs, p.node, at, buf, (size_t)VTR_MIN(size - at, (uint64_t)DIGEST_CHUNK), err);
		pthread_mutex_unlock(&b->fs_lock);
		if (n < 0)
			return -1;
		if (n == 0)
			return vtr_fail(err, VTR_ETRUNCATED, "it ends at %#" PRIx64, at);
		if (vtr_hash_update(h, buf, (size_t)n, err) < 0)
			return -1;
		at += (uint64_t)n;
	}
	return 0;
}

static int digest_file(struct digest_batch *b, size_t i, struct vtr_digest *out, struct vtr_error *err)
{
	struct vtr_place p = b->places[i];
	struct digest_map m = { .err = err };
	VTR_FREE uint8_t *buf = NULL;
	struct vtr_hash *h = NULL;
	bool by_extents = p.fs->ops->extents != NULL;
	struct vtr_stat st;
	int r = -1;

	if (vtr_hash_new(&h, VTR_HASH_SHA256, err) < 0)
		goto done;
	pthread_mutex_lock(&b->fs_lock);
	r = vtr_fs_stat(&st, p.fs, p.node, err);
	if (r == 0 && st.type != VTR_TYPE_FILE)
		r = vtr_fail(err, VTR_EUSAGE, "a %s, not a file", vtr_type_noun(st.type));
	/* Holes take as long as bytes do. */
	if (r == 0)
		r = VTR_OVER(p.fs->ctx, file, st.size, "bytes of a file", err);
	if (r == 0 && by_extents)
		r = vtr_fs_extents(p.fs, p.node, digest_keep, &m, err);
	if (r < 0 && by_extents && err->code == VTR_EUNSUPPORTED) { /* compressed: nothing lies anywhere as it is */
		by_extents = false;
		r = 0;
	}
	pthread_mutex_unlock(&b->fs_lock);
	if (r == 0 && !(buf = malloc((size_t)VTR_MIN(st.size + 1, (uint64_t)DIGEST_CHUNK))))
		r = vtr_fail(err, VTR_ENOMEM, "out of memory for hashing");
	if (r < 0)
		goto done;
	for (size_t k = 0; k < m.n; k++)
		by_extents = by_extents && !m.e[k].inline_data;
	out->size = st.size;
	r = by_extents ? digest_extents(h, p.fs, &m, st.size, buf, err) : digest_read(h, b, p, st.size, buf, err);
	if (r == 0)
		r = vtr_hash_final_hex(out->hex, h, err);
done:
	vtr_hash_free(h);
	free(m.e);
	return r;
}

static int digest_one(void *arg, size_t i, struct vtr_error *err)
{
	struct digest_batch *b = arg;
	struct vtr_digest *out = &b->out[i];
	struct vtr_error local = { 0 };

	*out = (struct vtr_digest){ 0 };
	if (digest_file(b, i, out, &local) == 0)
		return 0;
	out->failed = true;
	out->error = local;
	/* One unreadable file is its own affair; these are everybody's. */
	if (vtr_error_is(&local, VTR_KIND_STOPPED)) {
		if (err)
			*err = local;
		return -1;
	}
	return 0;
}

int vtr_tree_sha256(struct vtr_digest *out, const struct vtr_place *places, size_t n, struct vtr_error *err)
{
	struct digest_batch b = { .out = out, .places = places };
	int r;

	if (n == 0)
		return 0;
	pthread_mutex_init(&b.fs_lock, NULL);
	r = vtr_pool_run(places[0].fs->ctx, digest_one, &b, n, err);
	pthread_mutex_destroy(&b.fs_lock);
	return r;
}
