/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The base block of a hive, and the logs beside it, by "Windows registry file format specification" (M. Suhanov): sections
 * "Base block", "Format of transaction log files", "Dirty state of a hive" and "Multiple transaction log files".
 *
 * A hive is dirty when its two sequence numbers differ, or the checksum of its base block is wrong. What makes it whole is
 * in a log of the old format (all dirty pages at once, "DIRT") or in the logs of the new one (entries, "HvLE", that count
 * on from log to log). Logs are only read; the pages go into the hive's copy in memory.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "registry/registry.h"

#define LOG_SECTOR 512u
#define LOG_BASE 512u /* bytes of the base block that logs have a copy of, and that the checksum is in */
#define LOG_MIN_ENTRY 40u
#define LOG_SEED 0x82ef4d887a4e55c5u /* of both hashes */

enum { LOG_PRIMARY = 0, LOG_OLD = 1, LOG_OLD_2000 = 2, LOG_NEW = 6 };

/*
 * Base block, little endian.
 *   0x00  4  "regf"
 *   0x04  4  primary sequence number, 0x08 4 secondary
 *   0x0c  8  FILETIME of the last write
 *   0x14  4  major version, 0x18 4 minor version
 *   0x1c  4  type: 0 a hive, 1 or 2 a log in the old format, 6 in the new one
 *   0x24  4  offset of the root's cell
 *   0x28  4  bytes of bins
 *   0x30 64  end of the file's name, UTF-16LE
 *   0x90  4  flags
 *   0x1fc 4  the 127 words before it, XORed; never 0 or -1
 */
int vtr_hive_parse_base(struct hive_base *out, const uint8_t *p, size_t len, struct vtr_error *err)
{
	struct vtr_cur c = vtr_cur_of(p, len, 0);
	struct hive_base b = { 0 };
	uint32_t sum = 0;

	if (len < LOG_BASE)
		return vtr_fail(err, VTR_ETRUNCATED, "base block: %zu bytes, expected %u", len, LOG_BASE);
	if (memcmp(p, "regf", 4) != 0)
		return vtr_fail(err, VTR_ECORRUPT,
				"base block: signature %02x %02x %02x %02x, expected \"regf\": no registry hive", p[0],
				p[1], p[2], p[3]);
	vtr_cur_seek(&c, 4);
	b.seq[0] = vtr_cur_le32(&c);
	b.seq[1] = vtr_cur_le32(&c);
	b.time = vtr_cur_le64(&c);
	b.major = vtr_cur_le32(&c);
	b.minor = vtr_cur_le32(&c);
	b.type = vtr_cur_le32(&c);
	vtr_cur_skip(&c, 4);
	b.root = vtr_cur_le32(&c);
	b.size = vtr_cur_le32(&c);
	vtr_cur_skip(&c, 4);
	vtr_cur_bytes(&c, b.name, sizeof(b.name));
	vtr_cur_seek(&c, 0x90);
	b.flags = vtr_cur_le32(&c);
	for (size_t i = 0; i < 508; i += 4)
		sum ^= vtr_get_le32(p + i);
	sum = sum == 0 ? 1 : sum == 0xffffffff ? 0xfffffffe : sum;
	b.sum_ok = vtr_sum_ok(vtr_get_le32(p + 508), sum);
	*out = b;
	return 0;
}

static uint32_t log_rotate(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static void log_marvin_mix(uint32_t *a, uint32_t *b)
{
	*b ^= *a;
	*a = log_rotate(*a, 20) + *b;
	*b = log_rotate(*b, 9) ^ *a;
	*a = log_rotate(*a, 27) + *b;
	*b = log_rotate(*b, 19);
}

uint64_t vtr_marvin32(const uint8_t *p, size_t len)
{
	uint32_t a = (uint32_t)LOG_SEED, b = (uint32_t)(LOG_SEED >> 32), last = 0x80;

	for (; len >= 4; p += 4, len -= 4) {
		a += vtr_get_le32(p);
		log_marvin_mix(&a, &b);
	}
	for (size_t i = len; i-- > 0;)
		last = last << 8 | p[i];
	a += last;
	log_marvin_mix(&a, &b);
	log_marvin_mix(&a, &b);
	return (uint64_t)b << 32 | a;
}

/* ------------------------------------------------------------------------------------------------------- new format */

/*
 * Log entry, little endian, on a multiple of 512.
 *   0x00  4  "HvLE"
 *   0x04  4  bytes of the entry, a multiple of 512
 *   0x0c  4  sequence number
 *   0x10  4  bytes of bins
 *   0x14  4  pages
 *   0x18  8  Marvin32 of what is behind 0x28; 0x20 8 of what is before 0x20
 *   0x28     for each page: offset, bytes; then the pages themselves
 */
struct log_entry {
	uint32_t len, seq, size, pages;
	size_t data; /* where in the entry the first page is */
};

static int log_parse_entry(struct log_entry *out, const uint8_t *p, size_t left, struct vtr_error *err)
{
	struct log_entry e = { 0 };
	uint64_t refs, bytes = 0;

	if (left < LOG_MIN_ENTRY || memcmp(p, "HvLE", 4) != 0)
		return vtr_fail(err, VTR_ENOTFOUND, "no log entry");
	e.len = vtr_get_le32(p + 4);
	e.seq = vtr_get_le32(p + 12);
	e.size = vtr_get_le32(p + 16);
	e.pages = vtr_get_le32(p + 20);
	if (e.len < LOG_SECTOR || e.len % LOG_SECTOR != 0 || e.len > left)
		return vtr_fail(err, VTR_ECORRUPT, "log entry %" PRIu32 " of %" PRIu32 " bytes, %zu are left", e.seq,
				e.len, left);
	if (!vtr_sum_ok(vtr_get_le64(p + 32), vtr_marvin32(p, 32)))
		return vtr_fail(err, VTR_ECORRUPT, "log entry %" PRIu32 ": the hash of its header is wrong", e.seq);
	if (!vtr_sum_ok(vtr_get_le64(p + 24), vtr_marvin32(p + LOG_MIN_ENTRY, e.len - LOG_MIN_ENTRY)))
		return vtr_fail(err, VTR_ECORRUPT, "log entry %" PRIu32 ": the hash of its pages is wrong", e.seq);
	if (e.size == 0 || e.size % HIVE_PAGE != 0)
		return vtr_fail(err, VTR_ECORRUPT, "log entry %" PRIu32 ": bins of %" PRIu32 " bytes", e.seq, e.size);
	refs = LOG_MIN_ENTRY + (uint64_t)e.pages * 8;
	if (refs > e.len)
		return vtr_fail(err, VTR_ECORRUPT, "log entry %" PRIu32 ": %" PRIu32 " pages in %" PRIu32 " bytes",
				e.seq, e.pages, e.len);
	for (uint32_t i = 0; i < e.pages; i++) {
		uint32_t off = vtr_get_le32(p + LOG_MIN_ENTRY + 8 * (size_t)i);
		uint32_t len = vtr_get_le32(p + LOG_MIN_ENTRY + 8 * (size_t)i + 4);

		bytes += len;
		if (!vtr_range_in(off, len, e.size) || bytes > e.len - refs)
			return vtr_fail(err, VTR_ECORRUPT,
					"log entry %" PRIu32 ": page %" PRIu32 ", %" PRIu32 " bytes at %#" PRIx32
					", is not in it, or leaves the bins",
					e.seq, i, len, off);
	}
	e.data = (size_t)refs;
	*out = e;
	return 0;
}

/* How far the entries of a log are sound and count on from first. */
static void log_run(struct hive_log *log, uint32_t first, struct vtr_hive *h)
{
	struct vtr_error why = { 0 };
	size_t at = LOG_SECTOR;
	struct log_entry e;

	log->run.n = 0;
	log->run.from = LOG_SECTOR;
	log->run.seq = log->run.last_seq = first;
	while (at < log->len) {
		if (log_parse_entry(&e, log->bytes + at, log->len - at, &why) < 0) {
			if (why.code != VTR_ENOTFOUND) {
				vtr_error_at(&why, "log: at %#zx", at);
				why.code = VTR_OK; /* what was being written when the system stopped */
				vtr_hive_warn(h, &why);
			}
			return;
		}
		if (e.seq != first + (uint32_t)log->run.n)
			return;
		log->run.n++;
		log->run.last_seq = e.seq;
		log->run.size = e.size;
		at += e.len;
	}
}

/* ------------------------------------------------------------------------------------------------------- old format */

/* Whether a log has all the pages that it marks as dirty. */
static int log_count_dirty(struct hive_log *log, struct vtr_error *err)
{
	uint64_t bits = log->base.size / LOG_SECTOR, bytes = vtr_div_up(bits, 8), n = 0;
	uint64_t from = LOG_SECTOR + vtr_div_up(4 + bytes, LOG_SECTOR) * LOG_SECTOR;

	if (log->len < LOG_SECTOR + 4 || memcmp(log->bytes + LOG_SECTOR, "DIRT", 4) != 0)
		return vtr_fail(err, VTR_ECORRUPT, "log: no dirty vector at %#x", LOG_SECTOR);
	if (log->base.size == 0 || log->base.size % HIVE_PAGE != 0 || from > log->len)
		return vtr_fail(err, VTR_ETRUNCATED,
				"log: %zu bytes, the dirty vector of %#" PRIx32 " bytes takes %" PRIu64, log->len,
				log->base.size, from);
	for (uint64_t i = 0; i < bytes; i++)
		n += (unsigned)__builtin_popcount(log->bytes[LOG_SECTOR + 4 + i]);
	if (n > (log->len - from) / LOG_SECTOR)
		return vtr_fail(err, VTR_ETRUNCATED,
				"log: %" PRIu64 " dirty pages, there are %" PRIu64 ": it was being written", n,
				(log->len - from) / LOG_SECTOR);
	log->run.from = (size_t)from;
	log->run.n = (size_t)n;
	log->run.size = log->base.size;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------ reading */

/* What a log is: of no use for whatever reason leaves it unsound. */
static int log_read(struct hive_log *log, struct vtr_hive *h, struct vtr_blk *b, struct vtr_error *err)
{
	struct vtr_error why = { 0 };
	uint8_t head[LOG_BASE];

	if (!b || b->size < LOG_BASE + LOG_SECTOR)
		return 0;
	if (vtr_blk_pread(b, 0, head, sizeof(head), err) < 0)
		return vtr_at(err, "log");
	if (vtr_hive_parse_base(&log->base, head, sizeof(head), &why) < 0 || !log->base.sum_ok ||
	    log->base.seq[0] != log->base.seq[1] ||
	    (log->base.type != LOG_OLD && log->base.type != LOG_OLD_2000 && log->base.type != LOG_NEW)) {
		/* One that was never used is zeros. */
		if (head[0] != 0)
			vtr_error_set(&why, VTR_OK, "log: its base block is not sound: it is left aside"),
				vtr_hive_warn(h, &why);
		return 0;
	}
	if (vtr_blk_read_new(&log->bytes, b, 0, b->size, "registry log", err) < 0)
		return vtr_at(err, "log");
	log->len = (size_t)b->size;
	log->b = b;
	log->new_format = log->base.type == LOG_NEW;
	if (!log->new_format && log_count_dirty(log, &why) < 0) {
		why.code = VTR_OK;
		vtr_hive_warn(h, &why);
		return 0;
	}
	log->sound = true;
	return 0;
}

/* The entries of new logs that apply, in their order, moved to the front. */
static int log_choose_new(struct hive_log *logs, size_t n, struct vtr_hive *h)
{
	struct hive_log t;
	uint32_t expect = 0;
	bool begun = false;
	size_t used = 0;

	for (size_t i = 0; i < n; i++)
		if (logs[i].sound)
			log_run(&logs[i], logs[i].base.seq[0], h);
	/* Earlier entries first; counted from each other, as the numbers may come round. */
	for (size_t i = 1; i < n; i++) {
		for (size_t k = i; k > 0 && logs[k].sound; k--) {
			bool later = logs[k - 1].sound && (int32_t)(logs[k - 1].run.seq - logs[k].run.seq) <= 0;

			if (later)
				break;
			t = logs[k - 1];
			logs[k - 1] = logs[k];
			logs[k] = t;
		}
	}
	if (!h->base.sum_ok) {
		/* A lost base block comes from the log with the latest entries, and that one alone is used. */
		for (size_t i = n; i-- > 0;) {
			if (!logs[i].sound || logs[i].run.n == 0)
				continue;
			t = logs[0];
			logs[0] = logs[i];
			logs[i] = t;
			return 1;
		}
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		struct hive_log *log = &logs[i];

		if (!log->sound || log->run.n == 0)
			continue;
		/* What was written to the hive before is not applied again. */
		if (begun ? log->run.seq != expect : (int32_t)(log->run.seq - h->base.seq[1]) < 0)
			continue;
		begun = true;
		expect = log->run.last_seq + 1;
		t = logs[used];
		logs[used++] = *log;
		*log = t;
	}
	return (int)used;
}

/* Which of the logs in the old format applies; moved to the front. */
static int log_choose_old(struct hive_log *logs, size_t n, uint64_t time, uint64_t other)
{
	size_t best = n;
	struct hive_log t;

	/* A log is of this state of the hive when both were written at the same time. The first one is asked first. */
	for (size_t i = 0; i < n && best == n; i++)
		if (logs[i].sound && (logs[i].base.time == time || logs[i].base.time == other))
			best = i;
	/*
	 * A second log that is later than the first holds all that could not be written since: it is used, as Windows 8
	 * does, though its time is another.
	 */
	if (best == n && n > 1 && logs[1].sound && logs[1].base.time > time &&
	    (!logs[0].sound || logs[1].base.time > logs[0].base.time))
		best = 1;
	if (best == n)
		return 0;
	t = logs[0];
	logs[0] = logs[best];
	logs[best] = t;
	return 1;
}

int vtr_hive_logs_read(struct hive_log *logs, struct vtr_hive *h, struct vtr_blk *const *blks, size_t n,
		       struct vtr_error *err)
{
	uint64_t time = h->base.time, other = time;
	bool has_new = false;
	uint8_t bin[32];

	for (size_t i = 0; i < n; i++) {
		if (log_read(&logs[i], h, blks[i], err) < 0)
			return -1;
		has_new |= logs[i].sound && logs[i].new_format;
	}
	if (has_new) {
		for (size_t i = 0; i < n; i++)
			logs[i].sound &= logs[i].new_format;
		return log_choose_new(logs, n, h);
	}
	/* The first bin has a copy of the time. A time that fits is good, whatever the checksum is of. */
	if (!h->base.sum_ok && h->b->size >= HIVE_BASE + sizeof(bin)) {
		if (vtr_blk_pread(h->b, HIVE_BASE, bin, sizeof(bin), err) < 0)
			return -1;
		other = vtr_get_le64(bin + 20);
	}
	return log_choose_old(logs, n, time, other);
}

/* ----------------------------------------------------------------------------------------------------------- applying */

/* Put a piece of a log over the hive. Pages that it covers whole need not be read. */
static int log_put(struct vtr_hive *h, uint64_t off, const uint8_t *p, size_t len, struct vtr_error *err)
{
	uint64_t to;

	if (off >= h->size)
		return 0;
	len = (size_t)VTR_MIN((uint64_t)len, h->size - off);
	to = off + len;
	/* Beyond the end of the file there is nothing to keep. */
	if (off % HIVE_PAGE != 0 && vtr_hive_fill(h, off, 1, err) < 0 && HIVE_AT(off) < h->b->size)
		return -1;
	if (to % HIVE_PAGE != 0 && to != h->size && vtr_hive_fill(h, to, 1, err) < 0 && HIVE_AT(to) < h->b->size)
		return -1;
	if (len > 0 && vtr_hive_charge(h, off / HIVE_PAGE, (to - 1) / HIVE_PAGE - off / HIVE_PAGE + 1, err) < 0)
		return -1;
	memcpy(h->bins + off, p, len);
	for (uint64_t page = off / HIVE_PAGE; page <= (to - 1) / HIVE_PAGE && len > 0; page++)
		h->have[page / 64] |= (uint64_t)1 << page % 64;
	return 0;
}

static int log_apply_new(struct vtr_hive *h, const struct hive_log *log, struct vtr_error *err)
{
	size_t at = log->run.from;
	struct log_entry e;

	for (size_t n = 0; n < log->run.n; n++) {
		const uint8_t *p = log->bytes + at, *data;

		if (log_parse_entry(&e, p, log->len - at, err) < 0)
			return -1;
		data = p + e.data;
		for (uint32_t i = 0; i < e.pages; i++) {
			uint32_t off = vtr_get_le32(p + LOG_MIN_ENTRY + 8 * (size_t)i);
			uint32_t len = vtr_get_le32(p + LOG_MIN_ENTRY + 8 * (size_t)i + 4);

			if (vtr_tick(h->ctx, &h->steps, 1, err) < 0 || log_put(h, off, data, len, err) < 0)
				return -1;
			data += len;
		}
		at += e.len;
	}
	h->info.log_entries += (uint32_t)log->run.n;
	return 0;
}

static bool log_dirty(const struct hive_log *log, uint64_t bit)
{
	return log->bytes[LOG_SECTOR + 4 + bit / 8] >> bit % 8 & 1;
}

static int log_apply_old(struct vtr_hive *h, const struct hive_log *log, struct vtr_error *err)
{
	uint64_t bits = log->base.size / LOG_SECTOR;
	const uint8_t *p = log->bytes + log->run.from;
	struct vtr_error why;

	for (uint64_t bit = 0; bit < bits;) {
		uint64_t n = 0;

		while (bit + n < bits && log_dirty(log, bit + n))
			n++;
		if (vtr_tick(h->ctx, &h->steps, 1 + n / 8, err) < 0)
			return -1;
		/* A bin that begins with this page says so: where it does not, the log ends being of use. */
		if (n > 0 && bit % (HIVE_PAGE / LOG_SECTOR) == 0 && memcmp(p, "hbin", 4) == 0 &&
		    (vtr_get_le32(p + 4) != bit * LOG_SECTOR || vtr_get_le32(p + 8) < HIVE_PAGE)) {
			vtr_error_set(&why, VTR_ECORRUPT,
				      "log: the bin at %#" PRIx64 " says %#" PRIx32 ": what follows is not applied",
				      HIVE_AT(bit * LOG_SECTOR), vtr_get_le32(p + 4));
			vtr_hive_warn(h, &why);
			break;
		}
		if (n > 0 && log_put(h, bit * LOG_SECTOR, p, (size_t)(n * LOG_SECTOR), err) < 0)
			return -1;
		p += n * LOG_SECTOR;
		bit += n + (n == 0);
	}
	h->info.log_entries++;
	return 0;
}

int vtr_hive_log_apply(struct vtr_hive *h, const struct hive_log *log, struct vtr_error *err)
{
	return log->new_format ? log_apply_new(h, log, err) : log_apply_old(h, log, err);
}

void vtr_hive_logs_free(struct hive_log *logs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(logs[i].bytes);
}
