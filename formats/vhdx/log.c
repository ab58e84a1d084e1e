/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log of a VHDX: [MS-VHDX] sections 2.3.1 to 2.3.3, little endian. A ring of entries of 4 KiB sectors: first those
 * with the header and the descriptors, then one for each data descriptor.
 *
 * Nothing is written: what the active sequence writes becomes an overlay of the file.
 */
#include "formats/vhdx/vhdx.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/crc.h"
#include "base/overlay.h"

#define LOG_SECTOR 4096u
#define LOG_HEADER 64u
#define LOG_DESCRIPTOR 32u
#define LOG_SECTOR_STEPS 32u /* what a sector of an entry costs of limits.steps: it is summed up */
#define LOG_NONE UINT32_MAX

struct log_entry {
	uint32_t len, tail, descriptors;
	uint64_t sequence, flushed, last;
};

/* What a descriptor says. */
struct log_write {
	uint64_t off, len;
	uint64_t data; /* where its sector lies in the file; 0: it is zeros */
	uint8_t leading[8], trailing[4];
};

struct log_writes {
	struct log_write *w;
	uint32_t n, cap;
};

/* The ring while it is searched. */
struct log_search {
	struct vtr_blk *file;
	const struct vhdx_log *log;
	uint64_t steps;
	uint32_t *at; /* where the entries of the current sequence lie */
	size_t n, cap;
	uint8_t sector[LOG_SECTOR];
};

/* A sequence of entries. */
struct log_sequence {
	uint32_t tail;
	uint32_t entries;
	struct log_entry head; /* its newest entry; sequence is 0 when there is none */
};

/* --------------------------------------------------------------------------------------------------------- entries */

static int log_read(struct log_search *s, uint64_t at, void *buf, size_t len, struct vtr_error *err)
{
	return vtr_blk_pread(s->file, s->log->off + at % s->log->len, buf, len, err);
}

/*
 * Entry header.
 *   0  4  Signature "loge"	 24  4  DescriptorCount
 *   4  4  Checksum		 32 16  LogGuid
 *   8  4  EntryLength		 48  8  FlushedFileOffset
 *  12  4  Tail			 56  8  LastFileOffset
 *  16  8  SequenceNumber
 */
static bool log_parse_header(struct log_entry *out, const uint8_t *p, const struct vhdx_log *log)
{
	struct log_entry e = {
		.len = vtr_get_le32(p + 8),
		.tail = vtr_get_le32(p + 12),
		.sequence = vtr_get_le64(p + 16),
		.descriptors = vtr_get_le32(p + 24),
		.flushed = vtr_get_le64(p + 48),
		.last = vtr_get_le64(p + 56),
	};

	if (memcmp(p, "loge", 4) != 0 || memcmp(p + 32, log->guid, 16) != 0)
		return false;
	if (e.len == 0 || e.len % LOG_SECTOR != 0 || e.len > log->len || e.tail % LOG_SECTOR != 0 || e.tail >= log->len)
		return false;
	if (e.sequence == 0 || LOG_HEADER + (uint64_t)LOG_DESCRIPTOR * e.descriptors > e.len || e.last > INT64_MAX)
		return false;
	*out = e;
	return true;
}

/*
 * Descriptor: "desc", trailing bytes 4, leading bytes 8, file offset 8, sequence number 8; or
 *	       "zero", reserved 4, length 8, file offset 8, sequence number 8.
 */
static bool log_parse_descriptor(struct log_write *out, const uint8_t *p, uint64_t sequence)
{
	struct log_write w = { .off = vtr_get_le64(p + 16) };
	uint64_t end;

	if (vtr_get_le64(p + 24) != sequence)
		return false;
	if (memcmp(p, "desc", 4) == 0) {
		w.len = LOG_SECTOR;
		w.data = 1; /* its place comes later */
		memcpy(w.trailing, p + 4, 4);
		memcpy(w.leading, p + 8, 8);
	} else if (memcmp(p, "zero", 4) == 0) {
		w.len = vtr_get_le64(p + 8);
	} else {
		return false;
	}
	if (w.off % LOG_SECTOR != 0 || w.len % LOG_SECTOR != 0 || vtr_add_over(w.off, w.len, &end) || end > INT64_MAX)
		return false;
	*out = w;
	return true;
}

/* The descriptors of one sector, from byte `from` on; how many of them have data is added to *data. */
static bool log_parse_descriptors(struct log_search *s, const struct log_entry *e, uint32_t *seen, uint32_t *data,
				  size_t from, struct log_writes *into)
{
	for (; *seen < e->descriptors && from < LOG_SECTOR; from += LOG_DESCRIPTOR, ++*seen) {
		struct log_write w;

		if (!log_parse_descriptor(&w, s->sector + from, e->sequence))
			return false;
		*data += w.data != 0;
		if (!into)
			continue;
		if (into->n == into->cap) /* somebody writes to the file */
			return false;
		into->w[into->n++] = w;
	}
	return true;
}

/*
 * Whether a sound entry lies at `at`: 1, 0, or -1 when it cannot be read. Every sector of it is looked at. Its writes are
 * put into *into, unless that is NULL.
 */
static int log_entry_read(struct log_entry *out, struct log_search *s, uint32_t at, struct log_writes *into,
			  struct vtr_error *err)
{
	uint32_t crc, stored, sectors, first_data, seen = 0, data = 0, mark = into ? into->n : 0;
	struct log_entry e;

	if (vtr_tick(s->file->ctx, &s->steps, 1, err) < 0 || log_read(s, at, s->sector, LOG_HEADER, err) < 0)
		return -1;
	if (!log_parse_header(&e, s->sector, s->log))
		return 0;
	sectors = e.len / LOG_SECTOR;
	first_data = (uint32_t)vtr_div_up(LOG_HEADER + (uint64_t)LOG_DESCRIPTOR * e.descriptors, LOG_SECTOR);
	stored = crc = 0;
	for (uint32_t i = 0; i < sectors; i++) {
		const uint8_t *p = s->sector;
		uint64_t here = at + (uint64_t)i * LOG_SECTOR;

		if (vtr_tick(s->file->ctx, &s->steps, LOG_SECTOR_STEPS, err) < 0 ||
		    log_read(s, here, s->sector, LOG_SECTOR, err) < 0)
			return -1;
		if (i == 0) {
			stored = vtr_get_le32(p + 4);
			memset(s->sector + 4, 0, 4);
		}
		crc = vtr_crc32c(crc, p, LOG_SECTOR);
		if (i < first_data) {
			if (!log_parse_descriptors(s, &e, &seen, &data, i == 0 ? LOG_HEADER : 0, into))
				return 0;
			continue;
		}
		if (memcmp(p, "data", 4) != 0 || vtr_get_le32(p + 4) != e.sequence >> 32 ||
		    vtr_get_le32(p + LOG_SECTOR - 4) != (uint32_t)e.sequence)
			return 0;
		/* The data sectors come in the order of the data descriptors. */
		for (; into && mark < into->n; mark++)
			if (into->w[mark].data != 0) {
				into->w[mark++].data = s->log->off + here % s->log->len;
				break;
			}
	}
	if (data != sectors - first_data || !vtr_sum_ok(stored, crc))
		return 0;
	*out = e;
	return 1;
}

/* --------------------------------------------------------------------------------------------------------- sequence */

/* The entries from `tail` on that follow each other; *end is behind the last. */
static int log_sequence_read(struct log_sequence *out, uint32_t *end, struct log_search *s, uint32_t tail,
			     struct vtr_error *err)
{
	struct log_sequence q = { .tail = tail };
	uint64_t len = 0;
	int r = 0;

	s->n = 0;
	for (;;) {
		struct log_entry e = { 0 };
		uint32_t at = (uint32_t)((tail + len) % s->log->len);

		r = log_entry_read(&e, s, at, NULL, err);
		if (r < 0)
			return -1;
		if (r == 0 || (q.entries > 0 && e.sequence != q.head.sequence + 1) || len + e.len > s->log->len)
			break;
		if (!VTR_GROW(s->at, s->n, s->cap, err))
			return -1;
		s->at[s->n++] = at;
		q.entries++;
		q.head = e;
		len += e.len;
		if (len == s->log->len)
			break;
	}
	*end = (uint32_t)len;
	/* It is whole when it has the entry that its newest one calls the oldest: the replay starts there. */
	for (size_t i = 0; i < s->n; i++) {
		if (s->at[i] == q.head.tail) {
			q.tail = q.head.tail;
			q.entries = (uint32_t)(s->n - i);
			*out = q;
			return 1;
		}
	}
	return 0;
}

/* The newest sequence that is whole. */
static int log_find_active(struct log_sequence *out, struct log_search *s, struct vtr_error *err)
{
	struct log_sequence best = { 0 };

	for (uint64_t at = 0; at < s->log->len;) {
		struct log_sequence q;
		uint32_t len;
		int r = log_sequence_read(&q, &len, s, (uint32_t)at, err);

		if (r < 0)
			return -1;
		if (r > 0 && q.head.sequence > best.head.sequence)
			best = q;
		at += r > 0 ? len : LOG_SECTOR;
	}
	if (best.head.sequence == 0)
		return vtr_fail(err, VTR_ECORRUPT, "no whole sequence of entries in %" PRIu32 " bytes at %#" PRIx64,
				s->log->len, s->log->off);
	*out = best;
	return 0;
}

/* ----------------------------------------------------------------------------------------------------------- writes */

/* Entry by entry, oldest first; what is there was found sound before. */
static int log_collect(struct log_writes *all, struct log_search *s, const struct log_sequence *q,
		       struct vtr_error *err)
{
	uint64_t n = 0;

	for (int fill = 0; fill < 2; fill++) {
		uint64_t at = q->tail;

		for (uint32_t i = 0; i < q->entries; i++) {
			struct log_entry e = { 0 };
			int r = log_entry_read(&e, s, (uint32_t)(at % s->log->len), fill ? all : NULL, err);

			if (r < 0)
				return -1;
			if (r == 0)
				return vtr_fail(err, VTR_ECORRUPT,
						"the entry at %#" PRIx64 " changed while it was read",
						s->log->off + at % s->log->len);
			n += e.descriptors;
			at += e.len;
		}
		if (fill)
			break;
		if (n > LOG_NONE / 4)
			return vtr_fail(err, VTR_ELIMIT, "%" PRIu64 " descriptors, at most %u", n, LOG_NONE / 4);
		if (vtr_charge(s->file->ctx, n * sizeof(*all->w), "writes of the log", err) < 0)
			return -1;
		all->cap = (uint32_t)n;
		all->w = vtr_calloc(VTR_MAX(n, (uint64_t)1), sizeof(*all->w), err);
		if (!all->w)
			return -1;
	}
	return 0;
}

static int log_check_writes(const struct log_writes *all, const struct vhdx_log *log, struct vtr_error *err)
{
	for (uint32_t i = 0; i < all->n; i++) {
		const struct log_write *w = &all->w[i];

		if (w->len == 0)
			continue;
		if (w->off < VHDX_HEADERS_END)
			return vtr_fail(err, VTR_ECORRUPT, "it writes to %#" PRIx64 ", where the headers are", w->off);
		if (w->off < log->off + log->len && log->off < w->off + w->len)
			return vtr_fail(err, VTR_ECORRUPT, "it writes to %#" PRIx64 ", into itself", w->off);
	}
	return 0;
}

/*
 * The writes as changes of the file, oldest first. The ends of a data sector are in its descriptor: in the log the
 * sector's own mark is there.
 */
static int log_apply(struct vtr_blk *view, struct vtr_blk *file, const struct log_writes *all, struct vtr_error *err)
{
	for (uint32_t i = 0; i < all->n; i++) {
		const struct log_write *w = &all->w[i];

		if (w->data == 0 ? vtr_overlay_zero(view, w->off, w->len, err) < 0
				 : vtr_overlay_map(view, w->off, w->len, file, w->data, "log", err) < 0 ||
					   vtr_overlay_write(view, w->off, w->leading, sizeof(w->leading), err) < 0 ||
					   vtr_overlay_write(view, w->off + w->len - sizeof(w->trailing), w->trailing,
							     sizeof(w->trailing), err) < 0)
			return -1;
	}
	return vtr_overlay_settle(view, err);
}

static int log_replay(struct vtr_blk *view, struct vhdx_replayed *facts, struct log_search *s, struct log_writes *all,
		      struct vtr_error *err)
{
	struct log_sequence q = { 0 };

	if (log_find_active(&q, s, err) < 0)
		return -1;
	if (q.head.flushed > s->file->size)
		return vtr_fail(err, VTR_ETRUNCATED,
				"it was written when the file had %" PRIu64 " bytes, and now it has %" PRIu64,
				q.head.flushed, s->file->size);
	if (log_collect(all, s, &q, err) < 0 || log_check_writes(all, s->log, err) < 0 ||
	    log_apply(view, s->file, all, err) < 0)
		return -1;
	vtr_overlay_resize(view, VTR_MAX(VTR_MAX(s->file->size, q.head.last), vtr_overlay_end(view)));
	*facts = (struct vhdx_replayed){ q.head.sequence, q.entries, all->n };
	return 0;
}

int vtr_vhdx_replay(struct vtr_blk **out, struct vhdx_replayed *facts, struct vtr_blk *file, const struct vhdx_log *log,
		    struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *view = NULL;
	struct log_search s = { .file = file, .log = log };
	struct log_writes all = { 0 };
	int r;

	if (vtr_overlay_new(&view, file, "replayed file", "writes of the log", err) < 0)
		return -1;
	r = log_replay(view, facts, &s, &all, err);
	vtr_uncharge(file->ctx, all.cap * sizeof(*all.w));
	free(all.w);
	free(s.at);
	if (r < 0)
		return vtr_at(err, "log");
	*out = vtr_steal(view);
	return 0;
}
