/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow2, version 3, written: QEMU's docs/interop/qcow2.txt, big endian.
 *
 * The file grows at its end alone. Places are given in the order of the disk: data, and each L2 table behind the data
 * that it maps; a block of refcounts behind the last cluster that it counts; in the end the L1 table, the blocks of
 * refcounts that are left, the refcount table, and the header, which was left empty until then.
 */
#include "formats/qcow2_write.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/codec/codec.h"

#define WRITE_MAX_L1 (32u << 20)      /* bytes: what qemu reads */
#define WRITE_MAX_REFTABLE (8u << 20) /* the same */
#define WRITE_HEADER 112u	      /* with the compression type, padded to 8 */
#define WRITE_REF_MAX 0xffffu	      /* refcounts have 16 bits */
#define WRITE_ENCODERS 16u	      /* kept at most */

/* qemu compresses and decompresses with a window of 4 KiB. */
#define WRITE_WINDOW_BITS 12

#define WRITE_COPIED (1ull << 63)
#define WRITE_COMPRESSED (1ull << 62)

struct vtr_qcow2_writer {
	struct vtr_ctx *ctx;
	int fd;
	uint64_t size;
	size_t cluster;
	unsigned cluster_log2;
	const struct vtr_method *method; /* NULL: not compressed */
	int level;

	uint8_t *l1; /* as it is written */
	size_t l1_entries;
	uint8_t *l2;	   /* of the part of the disk that is being written */
	uint64_t l2_index; /* which one it is */
	bool l2_used;

	uint64_t next;	    /* first cluster of the file that is free */
	uint8_t *refs;	    /* the block of refcounts that next is in */
	uint64_t ref_index; /* which one it is */
	uint64_t *table;    /* the refcount table: offsets of the blocks before it */
	size_t n_table, table_cap;

	uint64_t open;	  /* the cluster of the file that compressed ones are put into */
	size_t open_left; /* bytes of it that are free; 0: there is none */

	pthread_mutex_t lock;
	struct vtr_encoder idle[WRITE_ENCODERS];
	size_t n_idle;
};

static void write_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void write_be32(uint8_t *p, uint32_t v)
{
	write_be16(p, (uint16_t)(v >> 16));
	write_be16(p + 2, (uint16_t)v);
}

static void write_be64(uint8_t *p, uint64_t v)
{
	write_be32(p, (uint32_t)(v >> 32));
	write_be32(p + 4, (uint32_t)v);
}

int vtr_write_at(int fd, const void *buf, size_t len, uint64_t off, const char *what, struct vtr_error *err)
{
	const uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vtr_fail_errno(err, VTR_EIO, errno, "writing %s, %zu bytes at %#" PRIx64 "", what, len,
					      off);
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_cluster(struct vtr_qcow2_writer *w, const void *buf, size_t clusters, uint64_t at, const char *what,
			 struct vtr_error *err)
{
	return vtr_write_at(w->fd, buf, clusters << w->cluster_log2, at << w->cluster_log2, what, err);
}

/* ----------------------------------------------------------------------------------------------------------- places */

static uint64_t write_refs_per_block(const struct vtr_qcow2_writer *w)
{
	return w->cluster / 2;
}

static uint8_t *write_ref(struct vtr_qcow2_writer *w, uint64_t cluster)
{
	return w->refs + 2 * (cluster % write_refs_per_block(w));
}

/* The block of refcounts is complete: write it to a cluster, and begin the next. */
static int write_refs(struct vtr_qcow2_writer *w, uint64_t at, struct vtr_error *err)
{
	if (write_cluster(w, w->refs, 1, at, "refcounts", err) < 0 ||
	    !VTR_GROW(w->table, w->n_table, w->table_cap, err))
		return -1;
	w->table[w->n_table++] = at << w->cluster_log2;
	memset(w->refs, 0, w->cluster);
	w->ref_index++;
	w->open_left = 0; /* its count is written */
	return 0;
}

/* n clusters in a row. What is full on the way is written behind them, and counted by the same loop. */
static int write_alloc(uint64_t *out, struct vtr_qcow2_writer *w, uint64_t n, struct vtr_error *err)
{
	uint64_t first = w->next;

	w->next += n;
	for (uint64_t i = first; i < w->next; i++) {
		if (i / write_refs_per_block(w) != w->ref_index && write_refs(w, w->next++, err) < 0)
			return -1;
		write_be16(write_ref(w, i), 1);
	}
	*out = first;
	return 0;
}

/* A place for len compressed bytes: behind others in the same cluster of the file, and on into clusters that follow. */
static int write_alloc_packed(uint64_t *out, struct vtr_qcow2_writer *w, size_t len, struct vtr_error *err)
{
	uint64_t at, first;
	bool join = w->open_left > 0 && vtr_get_be16(write_ref(w, w->open)) < WRITE_REF_MAX &&
		    (len <= w->open_left || w->open == w->next - 1);

	if (!join) {
		if (write_alloc(&first, w, 1, err) < 0)
			return -1;
		at = first << w->cluster_log2;
		w->open = first;
		w->open_left = w->cluster - len;
	} else {
		at = ((w->open + 1) << w->cluster_log2) - w->open_left;
		write_be16(write_ref(w, w->open), (uint16_t)(vtr_get_be16(write_ref(w, w->open)) + 1));
		if (len <= w->open_left) {
			w->open_left -= len;
		} else { /* less than a cluster: one more is enough */
			size_t left = w->cluster - (len - w->open_left);

			if (write_alloc(&first, w, 1, err) < 0)
				return -1;
			w->open = first;
			w->open_left = left;
		}
	}
	if (w->open / write_refs_per_block(w) != w->ref_index)
		w->open_left = 0;
	*out = at;
	return 0;
}

static int write_l2(struct vtr_qcow2_writer *w, struct vtr_error *err)
{
	uint64_t at;

	if (!w->l2_used)
		return 0;
	if (write_alloc(&at, w, 1, err) < 0 || write_cluster(w, w->l2, 1, at, "an L2 table", err) < 0)
		return -1;
	write_be64(w->l1 + 8 * w->l2_index, at << w->cluster_log2 | WRITE_COPIED);
	memset(w->l2, 0, w->cluster);
	w->l2_used = false;
	return 0;
}

int vtr_qcow2_writer_place(uint64_t *host, struct vtr_qcow2_writer *w, uint64_t off, size_t packed,
			   struct vtr_error *err)
{
	uint64_t i = off >> w->cluster_log2, per = w->cluster / 8, at, entry;

	if (i / per != w->l2_index) {
		if (write_l2(w, err) < 0)
			return -1;
		w->l2_index = i / per;
	}
	if (packed > 0) {
		unsigned bits = 62 - (w->cluster_log2 - 8); /* of the offset; above it sectors but the first */

		if (write_alloc_packed(&at, w, packed, err) < 0)
			return -1;
		entry = at | ((at + packed - 1) / 512 - at / 512) << bits | WRITE_COMPRESSED;
	} else {
		if (write_alloc(&at, w, 1, err) < 0)
			return -1;
		at <<= w->cluster_log2;
		entry = at | WRITE_COPIED;
	}
	write_be64(w->l2 + 8 * (i % per), entry);
	w->l2_used = true;
	*host = at;
	return 0;
}

/* --------------------------------------------------------------------------------------------------------- the end */

/*
 * The blocks of refcounts that are left and the table of all, which count themselves: *table is its first cluster, and
 * *clusters how many it has.
 */
static int write_counts(uint64_t *table, uint64_t *clusters, struct vtr_qcow2_writer *w, struct vtr_error *err)
{
	uint64_t per = write_refs_per_block(w), first = w->next, done = w->ref_index, blocks = 1, n = 1, end;
	uint8_t *bytes;
	int r;

	for (;;) {
		uint64_t b = vtr_div_up(first + blocks + n, per) - done, t = vtr_div_up((done + b) * 8, w->cluster);

		if (b == blocks && t == n)
			break;
		blocks = b;
		n = t;
	}
	end = first + blocks + n;
	if (n << w->cluster_log2 > WRITE_MAX_REFTABLE)
		return vtr_fail(err, VTR_ELIMIT,
				"a refcount table of %" PRIu64 " bytes, at most %u: a larger cluster makes it smaller",
				n << w->cluster_log2, WRITE_MAX_REFTABLE);
	for (uint64_t i = first; i < end; i++) {
		if (i / per != w->ref_index && write_refs(w, first + (w->ref_index - done), err) < 0)
			return -1;
		write_be16(write_ref(w, i), 1);
	}
	if (write_refs(w, first + blocks - 1, err) < 0 || !(bytes = vtr_calloc(n, w->cluster, err)))
		return -1;
	for (size_t i = 0; i < w->n_table; i++)
		write_be64(bytes + 8 * i, w->table[i]);
	r = write_cluster(w, bytes, n, first + blocks, "the refcount table", err);
	free(bytes);
	w->next = end;
	*table = first + blocks;
	*clusters = n;
	return r;
}

int vtr_qcow2_writer_finish(struct vtr_qcow2_writer *w, struct vtr_error *err)
{
	uint64_t l1_len = vtr_div_up(w->l1_entries * 8, w->cluster), l1, table, table_len;
	uint8_t h[WRITE_HEADER + 8] = { 0 }; /* and the extension that ends them */

	if (write_l2(w, err) < 0 || write_alloc(&l1, w, l1_len, err) < 0 ||
	    vtr_write_at(w->fd, w->l1, w->l1_entries * 8, l1 << w->cluster_log2, "the L1 table", err) < 0 ||
	    write_counts(&table, &table_len, w, err) < 0)
		return -1;
	write_be32(h, 0x514649fb);
	write_be32(h + 4, 3);
	write_be32(h + 20, w->cluster_log2);
	write_be64(h + 24, w->size);
	write_be32(h + 36, (uint32_t)w->l1_entries);
	write_be64(h + 40, l1 << w->cluster_log2);
	write_be64(h + 48, table << w->cluster_log2);
	write_be32(h + 56, (uint32_t)table_len);
	write_be64(h + 72, w->method == &vtr_method_zstd ? 1 << 3 : 0);
	write_be32(h + 96, 4); /* refcounts of 2^4 bits */
	write_be32(h + 100, WRITE_HEADER);
	h[104] = w->method == &vtr_method_zstd;
	/* The last cluster may be written in part, and is counted whole. */
	if (ftruncate(w->fd, (off_t)(w->next << w->cluster_log2)) < 0)
		return vtr_fail_errno(err, VTR_EIO, errno, "setting the size of the file");
	return vtr_write_at(w->fd, h, sizeof(h), 0, "the header", err);
}

/* ----------------------------------------------------------------------------------------------------- compression */

/* One that is idle, or a new one. */
static int write_encoder_get(struct vtr_encoder *out, struct vtr_qcow2_writer *w, struct vtr_error *err)
{
	struct vtr_encoder e = { 0 };

	pthread_mutex_lock(&w->lock);
	if (w->n_idle > 0)
		e = w->idle[--w->n_idle];
	pthread_mutex_unlock(&w->lock);
	if (!e.state && vtr_encoder_init(&e, w->method, w->level, WRITE_WINDOW_BITS, err) < 0)
		return -1;
	*out = e;
	return 0;
}

static void write_encoder_put(struct vtr_qcow2_writer *w, struct vtr_encoder *e)
{
	pthread_mutex_lock(&w->lock);
	if (w->n_idle < WRITE_ENCODERS) {
		w->idle[w->n_idle++] = *e;
		e->state = NULL;
	}
	pthread_mutex_unlock(&w->lock);
	vtr_encoder_done(e);
}

int vtr_qcow2_writer_pack(size_t *len, struct vtr_qcow2_writer *w, uint8_t *out, const uint8_t *in,
			  struct vtr_error *err)
{
	struct vtr_encoder e;
	size_t n;

	if (!w->method)
		return 0;
	if (write_encoder_get(&e, w, err) < 0)
		return -1;
	n = vtr_encoder_run(&e, out, w->cluster - 1, in, w->cluster);
	write_encoder_put(w, &e);
	if (n == 0)
		return 0;
	*len = n;
	return 1;
}

/* ------------------------------------------------------------------------------------------------------------- life */

void vtr_qcow2_writer_free(struct vtr_qcow2_writer *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n_idle; i++)
		vtr_encoder_done(&w->idle[i]);
	pthread_mutex_destroy(&w->lock);
	free(w->table);
	free(w->refs);
	free(w->l2);
	free(w->l1);
	vtr_ctx_unref(w->ctx);
	free(w);
}

static void write_writer_cleanup(struct vtr_qcow2_writer **w)
{
	vtr_qcow2_writer_free(*w);
}

static int write_method(struct vtr_qcow2_writer *w, const char *compression, int level, struct vtr_error *err)
{
	int max;

	if (!compression)
		w->method = NULL;
	else if (strcmp(compression, "zlib") == 0)
		w->method = &vtr_method_deflate; /* without zlib's header */
	else if (strcmp(compression, "zstd") == 0)
		w->method = &vtr_method_zstd;
	else
		return vtr_fail(err, VTR_EUSAGE, "compression \"%s\": qcow2 has zlib and zstd", compression);
	max = w->method ? w->method->max_level() : 0;
	if (w->method)
		w->level = level ? level : w->method->default_level;
	if (level < 0 || level > max)
		return vtr_fail(err, VTR_EUSAGE, "compression level %d: %s has 1 to %d", level,
				compression ? compression : "no compression", max);
	return 0;
}

int vtr_qcow2_writer_new(struct vtr_qcow2_writer **out, struct vtr_ctx *ctx, int fd, uint64_t size, size_t cluster,
			 const char *compression, int level, struct vtr_error *err)
{
	VTR_CLEANUP(write_writer_cleanup) struct vtr_qcow2_writer *w = NULL;
	uint64_t entries, first;

	if (cluster < VTR_QCOW2_MIN_CLUSTER || cluster > VTR_QCOW2_MAX_CLUSTER || (cluster & (cluster - 1)) != 0)
		return vtr_fail(err, VTR_EUSAGE, "cluster size %zu: a power of two, %u to %u", cluster,
				VTR_QCOW2_MIN_CLUSTER, VTR_QCOW2_MAX_CLUSTER);
	entries = VTR_MAX(vtr_div_up(size, (uint64_t)cluster * (cluster / 8)), (uint64_t)1); /* never no table */
	if (size > INT64_MAX - 511 || entries > WRITE_MAX_L1 / 8)
		return vtr_fail(err, VTR_ELIMIT, "a disk of %" PRIu64 " bytes is too large for clusters of %zu", size,
				cluster);
	w = vtr_calloc(1, sizeof(*w), err);
	if (!w)
		return -1;
	pthread_mutex_init(&w->lock, NULL);
	w->ctx = vtr_ctx_ref(ctx);
	w->fd = fd;
	w->size = vtr_div_up(size, 512) * 512; /* qemu counts sectors */
	w->cluster = cluster;
	w->cluster_log2 = (unsigned)__builtin_ctzl(cluster);
	w->l1_entries = (size_t)entries;
	if (write_method(w, compression, level, err) < 0)
		return -1;
	w->l1 = vtr_calloc(entries, 8, err);
	w->l2 = vtr_calloc(1, cluster, err);
	w->refs = vtr_calloc(1, cluster, err);
	if (!w->l1 || !w->l2 || !w->refs || write_alloc(&first, w, 1, err) < 0) /* the header's */
		return -1;
	*out = vtr_steal(w);
	return 0;
}
