/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copying a disk to a raw file, a pipe, or a new qcow2 image.
 *
 * The disk is taken in batches of pieces: stretches of data, each read into memory of its own, and stretches of zeros.
 * A round of the workers reads the pieces of one batch, and at the same time does with the batch before it what must be
 * done in order: hashing it, writing it to a pipe. Between two rounds, what needs the order of the whole is decided:
 * where the next clusters of a qcow2 image go.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/blk.h"
#include "base/checked.h"
#include "base/hash.h"
#include "base/pool.h"
#include "formats/qcow2_write.h"

#define EXPORT_PIECE (128u << 10) /* what one thread reads in one go, */
#define EXPORT_UNIT (2u << 20)	  /* or all that is decoded in one go, up to this */
#define EXPORT_PIECES 32u	  /* of a batch */
#define EXPORT_ZEROS (64u << 20)  /* the same of zeros, where they take time */
#define EXPORT_GRAIN 4096u	  /* zeros of this length and alignment become holes */

struct export_piece {
	uint64_t off, len;
	uint8_t *buf; /* NULL: zeros */
};

/* A cluster of a qcow2 image that is no zeros. */
struct export_cluster {
	const uint8_t *bytes;
	size_t len;    /* that are written */
	size_t packed; /* the same when they are compressed; else 0 */
	uint64_t host; /* where to */
	bool used;     /* false: zeros */
};

struct export_batch {
	struct export_piece pieces[EXPORT_PIECES];
	size_t n;
	uint8_t *buf, *packed;
	struct export_cluster *clusters; /* of buf, in order */
};

struct export
{
	struct vtr_blk *blk;
	int fd;
	bool sparse;   /* a raw file: pieces may be written in any order, and zeros left out */
	uint64_t base; /* position in the file where the copy starts */
	uint64_t at;   /* as far as pieces were made of the disk */
	struct vtr_qcow2_writer *qcow2;
	size_t align; /* of the pieces: a cluster of qcow2, else 1 */
	struct vtr_hash *hash;
	size_t cap;	    /* bytes of a batch */
	uint64_t max_zeros; /* the same of zeros, where they take time */
	uint64_t steps;	    /* holes joined to others: tables that many parts share have them without end */
	struct export_batch batches[2], *now, *before;
};

static const uint8_t export_zero_bytes[64 << 10];

static bool export_is_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* ---------------------------------------------------------------------------------------------------------- pieces */

static bool export_is_hole(const struct vtr_extent *e)
{
	return e->kind != VTR_EXTENT_DATA || e->zero;
}

/*
 * The piece at x->at. Neighbouring data makes one piece; what is compressed is not parted, or each part would be decoded
 * anew. Zeros that fill no cluster are data.
 */
static int export_piece_at(struct export_piece *out, struct export *x, struct vtr_error *err)
{
	uint64_t at = x->at, left = x->blk->size - at, len = 0, whole, max;
	struct vtr_extent e;

	max = VTR_MIN(left, (uint64_t)VTR_MAX((size_t)EXPORT_UNIT, x->align));
	if (vtr_blk_extent(&e, x->blk, at, err) < 0)
		return -1;
	if (export_is_hole(&e)) {
		len = e.len;
		while (len < left && len < x->max_zeros) {
			if (vtr_tick(x->blk->ctx, &x->steps, 1, err) < 0 ||
			    vtr_blk_extent(&e, x->blk, at + len, err) < 0)
				return -1;
			if (!export_is_hole(&e))
				break;
			len += e.len;
		}
		whole = len == left ? len : len - len % x->align;
		if (whole > 0) {
			*out = (struct export_piece){ at, VTR_MIN(whole, x->max_zeros), NULL };
			return 0;
		}
	} else {
		for (;;) {
			if (e.compressed && len > 0 && len + e.len > EXPORT_PIECE)
				break;
			len = VTR_MIN(len + e.len, e.compressed ? max : VTR_MAX(len, (uint64_t)EXPORT_PIECE));
			if (len >= EXPORT_PIECE || len >= left)
				break;
			if (vtr_blk_extent(&e, x->blk, at + len, err) < 0)
				return -1;
			if (export_is_hole(&e))
				break;
		}
	}
	len = vtr_div_up(len, x->align) * x->align;
	*out = (struct export_piece){ at, VTR_MIN(len, max), x->now->buf };
	return 0;
}

/* As many pieces as there is room for. */
static int export_gather(struct export *x, struct vtr_error *err)
{
	struct export_batch *b = x->now;
	uint64_t zeros = 0;
	size_t used = 0;

	b->n = 0;
	while (x->at < x->blk->size && b->n < EXPORT_PIECES && zeros < x->max_zeros) {
		struct export_piece *p = &b->pieces[b->n];

		if (export_piece_at(p, x, err) < 0)
			return -1;
		if (p->buf) {
			/* A cluster is read whole, what is past the end of the disk as zeros. */
			size_t room = (size_t)(vtr_div_up(p->len, x->align) * x->align);

			if (room > x->cap - used)
				break;
			p->buf = b->buf + used;
			used += room;
		} else {
			zeros += p->len;
		}
		x->at += p->len;
		b->n++;
	}
	return 0;
}

/* --------------------------------------------------------------------------------------------------------- writing */

static int export_write(struct export *x, const uint8_t *p, size_t len, struct vtr_error *err)
{
	while (len > 0) {
		ssize_t n = write(x->fd, p, len);

		if (n < 0 && errno != EINTR)
			return vtr_fail_errno(err, VTR_EIO, errno, "writing %zu bytes", len);
		p += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
		/* A signal cuts a write short; who caught it may have cancelled. */
		if (len > 0 && vtr_ctx_check(x->blk->ctx, err) < 0)
			return -1;
	}
	return 0;
}

/* To a raw file, without zero grains. */
static int export_put(struct export *x, const struct export_piece *p, struct vtr_error *err)
{
	size_t from = 0, at = 0, len = (size_t)p->len;

	while (at < len) {
		size_t n = VTR_MIN(len - at, (size_t)(EXPORT_GRAIN - (p->off + at) % EXPORT_GRAIN));

		if (export_is_zero(p->buf + at, n)) {
			if (vtr_write_at(x->fd, p->buf + from, at - from, x->base + p->off + from, "the disk", err) < 0)
				return -1;
			from = at + n;
		}
		at += n;
	}
	return vtr_write_at(x->fd, p->buf + from, at - from, x->base + p->off + from, "the disk", err);
}

/* The bytes of a batch, in order, to a pipe or into the digest. */
static int export_in_order(struct export *x, const struct export_batch *b, bool hash, struct vtr_error *err)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct export_piece *p = &b->pieces[i];
		uint64_t left = p->len;

		if (vtr_ctx_check(x->blk->ctx, err) < 0)
			return -1;
		while (left > 0) {
			size_t n = (size_t)(p->buf ? left : VTR_MIN(left, (uint64_t)sizeof(export_zero_bytes)));
			const uint8_t *bytes = p->buf ? p->buf : export_zero_bytes;

			if (hash && vtr_hash_update(x->hash, bytes, n, err) < 0)
				return -1;
			if (!hash && export_write(x, bytes, n, err) < 0)
				return -1;
			left -= n;
		}
	}
	return 0;
}

/* ----------------------------------------------------------------------------------------------------------- qcow2 */

/* The clusters of a piece that was read: which are zeros, and what the others become. */
static int export_clusters(struct export *x, struct export_batch *b, const struct export_piece *p,
			   struct vtr_error *err)
{
	size_t n = (size_t)vtr_div_up(p->len, x->align), at = (size_t)(p->buf - b->buf);

	memset(p->buf + p->len, 0, n * x->align - (size_t)p->len);
	for (size_t i = 0; i < n; i++, at += x->align) {
		struct export_cluster *c = &b->clusters[at / x->align];
		int r;

		*c = (struct export_cluster){ .bytes = b->buf + at, .len = x->align };
		c->used = !export_is_zero(c->bytes, x->align);
		if (!c->used || !b->packed)
			continue;
		r = vtr_qcow2_writer_pack(&c->packed, x->qcow2, b->packed + at, c->bytes, err);
		if (r < 0)
			return -1;
		if (r > 0) {
			c->bytes = b->packed + at;
			c->len = c->packed;
		}
	}
	return 0;
}

static struct export_cluster *export_first_cluster(const struct export *x, const struct export_batch *b,
						   const struct export_piece *p)
{
	return &b->clusters[(size_t)(p->buf - b->buf) / x->align];
}

/* Give the batch that was read its places. */
static int export_place(struct export *x, struct export_batch *b, struct vtr_error *err)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct export_piece *p = &b->pieces[i];
		struct export_cluster *c = p->buf ? export_first_cluster(x, b, p) : NULL;

		for (uint64_t at = 0; c && at < p->len; at += x->align, c++)
			if (c->used && vtr_qcow2_writer_place(&c->host, x->qcow2, p->off + at, c->packed, err) < 0)
				return -1;
	}
	return 0;
}

/* Write the clusters of a piece to their places, what lies in a row in memory and in the file in one go. */
static int export_write_clusters(struct export *x, const struct export_batch *b, const struct export_piece *p,
				 struct vtr_error *err)
{
	const struct export_cluster *c = export_first_cluster(x, b, p), *end = c + vtr_div_up(p->len, x->align);

	while (c < end) {
		size_t len = c->len;
		const struct export_cluster *next = c + 1;

		while (c->used && next < end && next->used && next->bytes == c->bytes + len &&
		       next->host == c->host + len)
			len += next++->len;
		if (c->used && vtr_write_at(x->fd, c->bytes, len, c->host, "the disk", err) < 0)
			return -1;
		c = next;
	}
	return 0;
}

/* ---------------------------------------------------------------------------------------------------------- rounds */

static int export_read(struct export *x, struct export_batch *b, const struct export_piece *p, struct vtr_error *err)
{
	if (!p->buf)
		return 0;
	if (vtr_blk_pread(x->blk, p->off, p->buf, (size_t)p->len, err) < 0)
		return -1;
	if (x->qcow2)
		return export_clusters(x, b, p, err);
	return x->sparse ? export_put(x, p, err) : 0;
}

/* Items of a round: 0 the digest, 1 the pipe, then the pieces of the batch before to be written, and those to be read. */
static int export_item(void *arg, size_t i, struct vtr_error *err)
{
	struct export *x = arg;

	if (i == 0)
		return x->hash ? export_in_order(x, x->before, true, err) : 0;
	if (i == 1)
		return x->sparse || x->qcow2 ? 0 : export_in_order(x, x->before, false, err);
	i -= 2;
	if (x->qcow2 && i < x->before->n)
		return x->before->pieces[i].buf ? export_write_clusters(x, x->before, &x->before->pieces[i], err) : 0;
	if (x->qcow2)
		i -= x->before->n;
	return export_read(x, x->now, &x->now->pieces[i], err);
}

static int export_rounds(struct export *x, vtr_progress *progress, void *arg, struct vtr_error *err)
{
	do {
		struct export_batch *b = x->now;

		if (vtr_ctx_check(x->blk->ctx, err) < 0 || export_gather(x, err) < 0 ||
		    vtr_pool_run(x->blk->ctx, export_item, x, 2 + b->n + (x->qcow2 ? x->before->n : 0), err) < 0)
			return -1;
		if (x->qcow2 && export_place(x, b, err) < 0)
			return -1;
		x->now = x->before;
		x->before = b;
		if (progress && progress(arg, x->at, x->blk->size))
			return vtr_fail(err, VTR_ECANCELLED, "cancelled");
	} while (x->before->n > 0);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------ whole */

static int export_begin(struct export *x, const struct vtr_export_options *opt, struct vtr_error *err)
{
	bool qcow2 = opt->format && strcmp(opt->format, "qcow2") == 0;
	struct stat st;
	off_t base;
	int flags = fcntl(x->fd, F_GETFL);
	/* Where each write goes to the end there is no other place to write to. */
	bool file = fstat(x->fd, &st) == 0 && S_ISREG(st.st_mode) && flags >= 0 && !(flags & O_APPEND);

	if (opt->format && !qcow2 && strcmp(opt->format, "raw") != 0)
		return vtr_fail(err, VTR_EUSAGE, "format \"%s\": written are raw and qcow2", opt->format);
	if (!qcow2 && (opt->compression || opt->level || opt->cluster_size))
		return vtr_fail(err, VTR_EUSAGE, "a raw disk has no compression and no clusters");
	x->align = 1;
	x->cap = (size_t)VTR_MAX(vtr_pool_width(x->blk->ctx), 2u) * EXPORT_UNIT;
	if (!qcow2) {
		/* At the end of a file: what is not written reads as zeros. */
		if (file && (base = lseek(x->fd, 0, SEEK_CUR)) == st.st_size) {
			x->sparse = true;
			x->base = (uint64_t)base;
		}
	} else {
		if (!file || st.st_size != 0)
			return vtr_fail(
				err, VTR_EUSAGE,
				"qcow2 is written to an empty file: its header is written last, and a pipe has no way back");
		x->align =
			opt->cluster_size ? (size_t)VTR_MIN(opt->cluster_size, (uint64_t)SIZE_MAX) : VTR_QCOW2_CLUSTER;
		if (vtr_qcow2_writer_new(&x->qcow2, x->blk->ctx, x->fd, x->blk->size, x->align, opt->compression,
					 opt->level, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < 2; i++) {
		struct export_batch *b = &x->batches[i];

		b->buf = malloc(x->cap);
		b->packed = opt->compression ? malloc(x->cap) : NULL;
		b->clusters = qcow2 ? malloc(x->cap / x->align * sizeof(*b->clusters)) : NULL;
		if (!b->buf || (opt->compression && !b->packed) || (qcow2 && !b->clusters))
			return vtr_fail(err, VTR_ENOMEM, "out of memory: %zu bytes", x->cap);
	}
	x->max_zeros = x->hash || !(x->sparse || x->qcow2) ? EXPORT_ZEROS : UINT64_MAX;
	x->now = &x->batches[0];
	x->before = &x->batches[1];
	return 0;
}

static int export_end(char *sha256, struct export *x, struct vtr_error *err)
{
	if (x->qcow2 && vtr_qcow2_writer_finish(x->qcow2, err) < 0)
		return -1;
	if (x->sparse && ftruncate(x->fd, (off_t)(x->base + x->blk->size)) < 0)
		return vtr_fail_errno(err, VTR_EIO, errno, "setting the size to %" PRIu64 "", x->blk->size);
	return x->hash ? vtr_hash_final_hex(sha256, x->hash, err) : 0;
}

static void export_done(struct export *x)
{
	for (size_t i = 0; i < 2; i++) {
		free(x->batches[i].buf);
		free(x->batches[i].packed);
		free(x->batches[i].clusters);
	}
	vtr_qcow2_writer_free(x->qcow2);
	vtr_hash_free(x->hash);
}

int vtr_blk_export(char *sha256, struct vtr_blk *b, int fd, const struct vtr_export_options *opt, struct vtr_error *err)
{
	static const struct vtr_export_options none;
	VTR_CLEANUP(export_done) struct export x = { .blk = b, .fd = fd };

	opt = opt ? opt : &none;
	if (sha256 && vtr_hash_new(&x.hash, VTR_HASH_SHA256, err) < 0)
		return -1;
	if (export_begin(&x, opt, err) < 0 || export_rounds(&x, opt->progress, opt->arg, err) < 0)
		return -1;
	return export_end(sha256, &x, err);
}

int vtr_blk_copy(struct vtr_blk *b, int fd, vtr_progress *progress, void *arg, struct vtr_error *err)
{
	struct vtr_export_options opt = { .progress = progress, .arg = arg };

	return vtr_blk_export(NULL, b, fd, &opt, err);
}
