/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * jbd2, the journal of ext3 and ext4: the kernel's Documentation/filesystems/ext4/journal.rst, big endian.
 *
 * Three passes, as every reader of it makes them: find where the log's last complete transaction ends; gather what was
 * revoked; put each block that was not in its place. No block is copied: the replayed view is an overlay of the volume.
 */
#include "fs/jbd2.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/crc.h"
#include "base/overlay.h"

#define JBD2_MAGIC 0xc03b3998u
#define JBD2_HEADER 12u
#define JBD2_SUPER 1024u
#define JBD2_FC_DEFAULT 256u
#define JBD2_CRC32 1u

enum { JBD2_DESCRIPTOR = 1, JBD2_COMMIT, JBD2_SUPER_V1, JBD2_SUPER_V2, JBD2_REVOKE };

#define JBD2_COMPAT_CHECKSUM 0x1u
#define JBD2_INCOMPAT_REVOKE 0x1u
#define JBD2_INCOMPAT_64BIT 0x2u
#define JBD2_INCOMPAT_ASYNC 0x4u
#define JBD2_INCOMPAT_CSUM_V2 0x8u
#define JBD2_INCOMPAT_CSUM_V3 0x10u
#define JBD2_INCOMPAT_FAST 0x20u
#define JBD2_INCOMPAT_KNOWN 0x3fu

#define JBD2_TAG_ESCAPE 0x1u
#define JBD2_TAG_SAME_UUID 0x2u
#define JBD2_TAG_LAST 0x8u

/* ------------------------------------------------------------------------------------------------------ superblock */

static bool jbd2_has_sums(const struct vtr_jbd2_super *s)
{
	return s->incompat & (JBD2_INCOMPAT_CSUM_V2 | JBD2_INCOMPAT_CSUM_V3);
}

/*
 * Journal superblock.
 *   0x00  4  magic	   0x14  4  s_first	0x28  4  s_feature_incompat	0x54  4  s_num_fc_blks
 *   0x04  4  3 or 4	   0x18  4  s_sequence	0x2c  4  s_feature_ro_compat	0xfc  4  s_checksum
 *   0x0c  4  s_blocksize  0x1c  4  s_start	0x30 16  s_uuid
 *   0x10  4  s_maxlen	   0x20  4  s_errno	0x24  4  s_feature_compat	0x50  1  s_checksum_type
 */
int vtr_jbd2_super_read(struct vtr_jbd2_super *out, struct vtr_blk *journal, uint64_t at, struct vtr_error *err)
{
	struct vtr_jbd2_super s = { 0 };
	uint8_t b[JBD2_SUPER];
	uint32_t maxlen, type, sum;

	if (vtr_blk_pread(journal, at, b, sizeof(b), err) < 0)
		return vtr_at(err, "journal superblock");
	type = vtr_get_be32(b + 4);
	if (vtr_get_be32(b) != JBD2_MAGIC || (type != JBD2_SUPER_V1 && type != JBD2_SUPER_V2))
		return vtr_fail(err, VTR_ECORRUPT, "journal superblock: magic %#" PRIx32 ", type %" PRIu32,
				vtr_get_be32(b), type);
	s.block = vtr_get_be32(b + 0x0c);
	maxlen = vtr_get_be32(b + 0x10);
	s.first = vtr_get_be32(b + 0x14);
	s.sequence = vtr_get_be32(b + 0x18);
	s.start = vtr_get_be32(b + 0x1c);
	s.error = vtr_get_be32(b + 0x20);
	if (type == JBD2_SUPER_V2) {
		s.compat = vtr_get_be32(b + 0x24);
		s.incompat = vtr_get_be32(b + 0x28);
		memcpy(s.uuid, b + 0x30, sizeof(s.uuid));
	}
	if (s.incompat & ~JBD2_INCOMPAT_KNOWN)
		return vtr_fail(err, VTR_EUNSUPPORTED,
				"journal superblock: incompatible feature %#" PRIx32 " is unknown",
				s.incompat & ~JBD2_INCOMPAT_KNOWN);
	if (jbd2_has_sums(&s)) {
		if (b[0x50] != 4)
			return vtr_fail(err, VTR_EUNSUPPORTED,
					"journal superblock: checksum type %u, read is 4 (crc32c)", b[0x50]);
		sum = vtr_get_be32(b + 0xfc);
		memset(b + 0xfc, 0, 4);
		if (!vtr_sum_ok(sum, vtr_crc32c_raw(UINT32_MAX, b, sizeof(b))))
			return vtr_fail(err, VTR_ECORRUPT, "journal superblock: its checksum is wrong");
	}
	if (s.block < 1024 || s.block > 65536 || !vtr_pow2_is(s.block))
		return vtr_fail(err, VTR_ECORRUPT, "journal superblock: blocks of %" PRIu32 " bytes", s.block);
	if (maxlen > journal->size / s.block)
		return vtr_fail(err, VTR_ETRUNCATED, "journal superblock: %" PRIu32 " blocks, the journal has %" PRIu64,
				maxlen, journal->size / s.block);
	s.last = maxlen;
	if (s.incompat & JBD2_INCOMPAT_FAST) {
		s.fast_commit_blocks = vtr_get_be32(b + 0x54) ? vtr_get_be32(b + 0x54) : JBD2_FC_DEFAULT;
		s.last = maxlen > s.fast_commit_blocks ? maxlen - s.fast_commit_blocks : 0;
	}
	if (s.first == 0 || s.first >= s.last || (s.start != 0 && (s.start < s.first || s.start >= s.last)))
		return vtr_fail(err, VTR_ECORRUPT,
				"journal superblock: a log from block %" PRIu32 " to %" PRIu32
				" that starts at %" PRIu32,
				s.first, s.last, s.start);
	*out = s;
	return 0;
}

/* ---------------------------------------------------------------------------------------------------------- replay */

/* A block of the volume that a transaction wrote, or revoked. */
struct jbd2_record {
	uint64_t block;
	uint32_t tid;	/* counted from the first transaction */
	uint32_t log;	/* which block of the journal has it */
	uint32_t order; /* among all that were gathered */
	bool escaped;	/* its first four bytes were the journal's magic */
};

struct jbd2_list {
	struct jbd2_record *r;
	size_t n, cap;
};

struct jbd2 {
	struct vtr_blk *journal, *fs;
	struct vtr_ctx *ctx;
	struct vtr_jbd2_super s;
	uint32_t seed;
	uint64_t steps;
	uint8_t *block, *data; /* one block each */
	struct jbd2_list writes, revokes;
	uint64_t max_block; /* of the volume */
	struct vtr_jbd2_result result;
};

static uint32_t jbd2_next(const struct jbd2 *j, uint32_t at)
{
	return at + 1 >= j->s.last ? j->s.first : at + 1;
}

static int jbd2_read(struct jbd2 *j, uint32_t at, uint8_t *buf, struct vtr_error *err)
{
	if (vtr_tick(j->ctx, &j->steps, 1, err) < 0 ||
	    vtr_blk_pread(j->journal, (uint64_t)at * j->s.block, buf, j->s.block, err) < 0)
		return vtr_at(err, "journal block %" PRIu32, at);
	return 0;
}

static int jbd2_keep(struct jbd2 *j, struct jbd2_list *l, struct jbd2_record r, struct vtr_error *err)
{
	if (VTR_OVER(j->ctx, alloc, (l->n + 1) * sizeof(*l->r), "blocks in the journal", err) < 0 ||
	    !VTR_GROW(l->r, l->n, l->cap, err))
		return -1;
	r.order = (uint32_t)l->n;
	l->r[l->n++] = r;
	return 0;
}

/* The tail of descriptor and revoke blocks: four bytes of checksum over the block with them as zero. */
static bool jbd2_tail_ok(const struct jbd2 *j, uint8_t *b)
{
	uint32_t stored = vtr_get_be32(b + j->s.block - 4), sum;

	if (!jbd2_has_sums(&j->s))
		return true;
	memset(b + j->s.block - 4, 0, 4);
	sum = vtr_crc32c_raw(j->seed, b, j->s.block);
	return vtr_sum_ok(stored, sum);
}

struct jbd2_tag {
	uint64_t block;
	uint32_t flags, sum;
	size_t len; /* in the descriptor, with the UUID that may follow */
};

/*
 * A tag of a descriptor block.
 *	checksum v3: block 4, flags 4, block high 4, checksum 4
 *	else: block 4, checksum 2, flags 2, with 64bit block high 4; with checksum v2 two bytes more
 */
static bool jbd2_tag_parse(struct jbd2_tag *t, const struct jbd2 *j, size_t at)
{
	bool wide = j->s.incompat & JBD2_INCOMPAT_64BIT;
	size_t end = j->s.block - (jbd2_has_sums(&j->s) ? 4 : 0);
	const uint8_t *p = j->block + at;

	*t = (struct jbd2_tag){ .len = 8 };
	if (j->s.incompat & JBD2_INCOMPAT_CSUM_V3)
		t->len = 16;
	else
		t->len = 8 + (wide ? 4 : 0) + (j->s.incompat & JBD2_INCOMPAT_CSUM_V2 ? 2 : 0);
	if (at > end || t->len > end - at)
		return false;
	t->block = vtr_get_be32(p);
	if (j->s.incompat & JBD2_INCOMPAT_CSUM_V3) {
		t->flags = vtr_get_be32(p + 4);
		t->sum = vtr_get_be32(p + 12);
	} else {
		t->sum = vtr_get_be16(p + 4);
		t->flags = vtr_get_be16(p + 6);
	}
	if (wide)
		t->block |= (uint64_t)vtr_get_be32(p + 8) << 32;
	if (!(t->flags & JBD2_TAG_SAME_UUID))
		t->len += 16;
	return true;
}

/* Whether a block in the journal is what its tag says, read into j->data. */
static int jbd2_data_ok(struct jbd2 *j, const struct jbd2_tag *t, uint32_t log, uint32_t sequence, bool *ok,
			struct vtr_error *err)
{
	const uint8_t seq[4] = { (uint8_t)(sequence >> 24), (uint8_t)(sequence >> 16), (uint8_t)(sequence >> 8),
				 (uint8_t)sequence };
	uint32_t sum;

	*ok = true;
	if (!jbd2_has_sums(&j->s))
		return 0;
	if (jbd2_read(j, log, j->data, err) < 0)
		return -1;
	sum = vtr_crc32c_raw(vtr_crc32c_raw(j->seed, seq, 4), j->data, j->s.block);
	*ok = vtr_sum_ok(t->sum, j->s.incompat & JBD2_INCOMPAT_CSUM_V3 ? sum : sum & 0xffff);
	return 0;
}

/* The transaction that is being read. It counts when its commit block is met. */
struct jbd2_transaction {
	uint32_t sequence, tid;
	size_t writes, revokes; /* how long the lists were before it */
	uint32_t crc;		/* of checksum v1: over descriptors and data */
	bool suspicious;	/* a checksum was wrong: stale blocks of an older log, or damage; the commit tells */
};

/*
 * CRC-32 with the most significant bit first (polynomial 0x04c11db7), which checksum v1 uses. zlib has the reflected
 * one; the journals that need this are old and small.
 */
static uint32_t jbd2_crc32_be(uint32_t crc, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= (uint32_t)p[i] << 24;
		for (unsigned k = 0; k < 8; k++)
			crc = crc << 1 ^ (crc & 0x80000000u ? 0x04c11db7u : 0);
	}
	return crc;
}

/* A descriptor block in j->block: its data blocks follow. *at is moved past them. */
static int jbd2_descriptor(struct jbd2 *j, struct jbd2_transaction *tr, uint32_t *at, struct vtr_error *err)
{
	size_t pos = JBD2_HEADER;
	struct jbd2_tag t;

	if (!jbd2_tail_ok(j, j->block))
		tr->suspicious = true;
	if (j->s.compat & JBD2_COMPAT_CHECKSUM)
		tr->crc = jbd2_crc32_be(tr->crc, j->block, j->s.block);
	while (jbd2_tag_parse(&t, j, pos)) {
		struct jbd2_record r = {
			.block = t.block,
			.tid = tr->tid,
			.log = *at,
			.escaped = t.flags & JBD2_TAG_ESCAPE,
		};
		bool ok;

		if (vtr_tick(j->ctx, &j->steps, 1, err) < 0)
			return -1;
		if (j->s.compat & JBD2_COMPAT_CHECKSUM) {
			if (jbd2_read(j, *at, j->data, err) < 0)
				return -1;
			tr->crc = jbd2_crc32_be(tr->crc, j->data, j->s.block);
		}
		if (!tr->suspicious) {
			if (jbd2_data_ok(j, &t, *at, tr->sequence, &ok, err) < 0)
				return -1;
			if (!ok)
				vtr_warn(j->ctx, VTR_ECORRUPT,
					 "journal: transaction %" PRIu32 ": the checksum of the block for %" PRIu64
					 " is wrong: not replayed",
					 tr->sequence, t.block);
			else if (t.block > j->max_block)
				vtr_warn(j->ctx, VTR_ECORRUPT,
					 "journal: transaction %" PRIu32 ": block %" PRIu64 " is outside of the volume",
					 tr->sequence, t.block);
			else if (jbd2_keep(j, &j->writes, r, err) < 0)
				return -1;
		}
		*at = jbd2_next(j, *at);
		pos += t.len;
		if (t.flags & JBD2_TAG_LAST)
			break;
	}
	return 0;
}

/* A revoke block: after the header its length in bytes, 4, then block numbers. */
static int jbd2_revokes(struct jbd2 *j, struct jbd2_transaction *tr, struct vtr_error *err)
{
	size_t step = j->s.incompat & JBD2_INCOMPAT_64BIT ? 8 : 4, end = j->s.block - (jbd2_has_sums(&j->s) ? 4 : 0);
	uint32_t used = vtr_get_be32(j->block + JBD2_HEADER);

	if (!jbd2_tail_ok(j, j->block)) {
		tr->suspicious = true;
		return 0;
	}
	if (used > end)
		return vtr_fail(err, VTR_ECORRUPT,
				"journal: transaction %" PRIu32 ": a revoke block of %" PRIu32 " bytes, at most %zu",
				tr->sequence, used, end);
	for (size_t at = JBD2_HEADER + 4; at + step <= used; at += step) {
		struct jbd2_record r = { .tid = tr->tid };

		r.block = step == 8 ? vtr_get_be64(j->block + at) : vtr_get_be32(j->block + at);
		if (jbd2_keep(j, &j->revokes, r, err) < 0)
			return -1;
	}
	return 0;
}

/*
 * A commit block. Whether the transaction counts; else the log ends before it, and damage is told.
 *   0x0c  1  h_chksum_type	0x10 32  h_chksum
 *   0x0d  1  h_chksum_size	0x30  8  h_commit_sec
 */
static bool jbd2_commit(struct jbd2 *j, struct jbd2_transaction *tr, uint64_t *last_time)
{
	uint8_t *b = j->block;
	uint64_t when = vtr_get_be64(b + 0x30);
	uint32_t stored = vtr_get_be32(b + 0x10);
	bool good = !tr->suspicious;

	if (good && (j->s.compat & JBD2_COMPAT_CHECKSUM)) {
		bool none = b[0x0c] == 0 && b[0x0d] == 0 && stored == 0;

		good = none || (b[0x0c] == JBD2_CRC32 && b[0x0d] == 4 && vtr_sum_ok(stored, tr->crc));
	}
	if (good && jbd2_has_sums(&j->s)) {
		memset(b + 0x10, 0, 4);
		good = vtr_sum_ok(stored, vtr_crc32c_raw(j->seed, b, j->s.block));
	}
	if (good) {
		*last_time = when;
		return true;
	}
	/* Blocks of an older log, from before the journal was cleaned, look like this: the log ends here. */
	if (when < *last_time)
		return false;
	if (!tr->suspicious && (j->s.incompat & JBD2_INCOMPAT_ASYNC))
		return false; /* the commit block may reach the disk before the blocks: an interrupted commit */
	vtr_warn(j->ctx, VTR_ECORRUPT,
		 "journal: transaction %" PRIu32 ": its checksum is wrong: it and what follows is not replayed",
		 tr->sequence);
	return false;
}

static void jbd2_begin(const struct jbd2 *j, struct jbd2_transaction *tr, uint32_t tid)
{
	*tr = (struct jbd2_transaction){
		.sequence = j->s.sequence + tid,
		.tid = tid,
		.writes = j->writes.n,
		.revokes = j->revokes.n,
		.crc = UINT32_MAX,
	};
}

/* Read the log from its start to the end of its last complete transaction. */
static int jbd2_scan(struct jbd2 *j, struct vtr_error *err)
{
	struct jbd2_transaction tr;
	uint32_t at = j->s.start;
	uint64_t last_time = 0;
	int r = 0;

	jbd2_begin(j, &tr, 0);
	for (;;) {
		uint32_t type;

		if (jbd2_read(j, at, j->block, err) < 0)
			return -1;
		type = vtr_get_be32(j->block + 4);
		if (vtr_get_be32(j->block) != JBD2_MAGIC || vtr_get_be32(j->block + 8) != tr.sequence)
			break;
		at = jbd2_next(j, at);
		if (type == JBD2_DESCRIPTOR)
			r = jbd2_descriptor(j, &tr, &at, err);
		else if (type == JBD2_REVOKE)
			r = jbd2_revokes(j, &tr, err);
		else if (type == JBD2_COMMIT && jbd2_commit(j, &tr, &last_time))
			jbd2_begin(j, &tr, tr.tid + 1);
		else
			break;
		if (r < 0)
			return -1;
		if (tr.tid > j->s.last) /* each takes a block of the log at least */
			break;
	}
	/* What came after the last commit did not happen. */
	j->writes.n = tr.writes;
	j->revokes.n = tr.revokes;
	j->result.transactions = tr.tid;
	return 0;
}

/* By block, then in the order of the log. */
static int jbd2_record_cmp(const void *pa, const void *pb)
{
	const struct jbd2_record *a = pa, *b = pb;

	if (a->block != b->block)
		return a->block < b->block ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* Leave of the writes those that count: the last to each block that no later or same transaction revoked. */
static void jbd2_settle(struct jbd2 *j)
{
	size_t kept = 0, rev = 0;

	if (j->writes.n > 1)
		qsort(j->writes.r, j->writes.n, sizeof(*j->writes.r), jbd2_record_cmp);
	if (j->revokes.n > 1)
		qsort(j->revokes.r, j->revokes.n, sizeof(*j->revokes.r), jbd2_record_cmp);
	for (size_t i = 0; i < j->writes.n; i++) {
		const struct jbd2_record *w = &j->writes.r[i];
		bool has = false;
		uint32_t tid = 0;

		while (rev < j->revokes.n && j->revokes.r[rev].block < w->block)
			rev++;
		for (size_t k = rev; k < j->revokes.n && j->revokes.r[k].block == w->block; k++)
			has = true, tid = j->revokes.r[k].tid;
		if (has && tid >= w->tid) {
			j->result.revoked++;
			continue;
		}
		if (kept > 0 && j->writes.r[kept - 1].block == w->block)
			kept--;
		j->writes.r[kept++] = *w;
	}
	j->writes.n = kept;
	j->result.blocks = kept;
}

/*
 * Fast commits belong to the transaction that follows the last. Their area begins a block after the log's end, as Linux
 * and e2fsck have it: one of the blocks that are set aside for it is never used. A log without a start has none.
 */
static void jbd2_locate_fast_commits(struct jbd2 *j)
{
	j->result.block = j->s.block;
	j->result.next = j->s.sequence + (uint32_t)j->result.transactions;
	if (j->s.start == 0 || j->s.fast_commit_blocks < 2)
		return;
	j->result.fast_first = j->s.last + 1;
	j->result.fast_blocks = j->s.fast_commit_blocks - 1;
}

/* ---------------------------------------------------------------------------------------------- the replayed volume */

static int jbd2_make_view(struct vtr_blk **out, struct jbd2 *j, struct vtr_error *err)
{
	static const uint8_t magic[4] = { 0xc0, 0x3b, 0x39, 0x98 };
	VTR_UNREF struct vtr_blk *view = NULL;

	if (vtr_overlay_new(&view, j->fs, "replayed volume", "blocks in the journal", err) < 0 ||
	    vtr_blk_stack(view, j->fs, err) < 0)
		return -1;
	for (size_t i = 0; i < j->writes.n; i++) {
		const struct jbd2_record *r = &j->writes.r[i];
		uint64_t off = r->block * j->s.block; /* within the volume */

		if (vtr_overlay_map(view, off, j->s.block, j->journal, (uint64_t)r->log * j->s.block, NULL, err) < 0)
			return -1;
		if (r->escaped && vtr_overlay_write(view, off, magic, sizeof(magic), err) < 0)
			return -1;
	}
	if (vtr_overlay_settle(view, err) < 0)
		return -1;
	*out = vtr_steal(view);
	return 0;
}

static void jbd2_done(struct jbd2 *j)
{
	free(j->block);
	free(j->data);
	free(j->writes.r);
	free(j->revokes.r);
}

int vtr_jbd2_replay(struct vtr_blk **out, struct vtr_jbd2_result *result, struct vtr_blk *fs_blk,
		    struct vtr_blk *journal, uint64_t at, struct vtr_error *err)
{
	struct jbd2 j = { .journal = journal, .fs = fs_blk, .ctx = fs_blk->ctx };
	int r = vtr_jbd2_super_read(&j.s, journal, at, err);

	if (r < 0)
		return -1;
	j.seed = vtr_crc32c_raw(UINT32_MAX, j.s.uuid, sizeof(j.s.uuid));
	if (fs_blk->size < j.s.block)
		return vtr_fail(err, VTR_ETRUNCATED, "the volume has %" PRIu64 " bytes", fs_blk->size);
	j.max_block = fs_blk->size / j.s.block - 1;
	j.block = vtr_calloc(1, j.s.block, err);
	j.data = j.block ? vtr_calloc(1, j.s.block, err) : NULL;
	r = j.data ? 0 : -1;
	if (r == 0 && j.s.start != 0)
		r = jbd2_scan(&j, err);
	if (r == 0) {
		jbd2_settle(&j);
		jbd2_locate_fast_commits(&j);
		r = jbd2_make_view(out, &j, err);
	}
	if (r == 0)
		*result = j.result;
	jbd2_done(&j);
	return r;
}
