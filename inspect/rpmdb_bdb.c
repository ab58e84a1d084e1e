/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rpm's database of before 2020, Packages: a hash of Berkeley DB (versions 7 to 10, by the headers db_page.h and hash.h
 * of Berkeley DB 5.3, and observation). The byte order is that of the machine that made it.
 *
 * Page 0:
 *   12  4	magic 0x061561
 *   16  4	version
 *   20  4	page size, 2^9 to 2^16
 *   24  1	encryption, 0
 *   25  1	page type, 8
 *   26  1	flags: 1 checksums, 2 and 4 partitions
 *   72  4	last bucket
 *   96  4 * 32	spares: bucket b starts on page b + spares[bits of b]
 *
 * Every page:
 *   8   4	its number
 *   16  4	the next of its chain; 0: none
 *   20  2	items
 *   22  2	of an overflow page the bytes on it, which start at 26
 *   25  1	type: 2 and 13 hash, 7 overflow
 *   26  2 * n	of a hash page where its items start; each ends where the one before starts
 *
 * Items are key and data in turn, and start with a type: 1 the bytes follow; 3 they are on overflow pages: at 4 the
 * first page's number, at 8 their length. The key is a package's number, and 0 that of the counter.
 */
#include "inspect/packages.h"

#include <stdlib.h>
#include <string.h>

#include "base/blk.h"
#include "base/bytes.h"
#include "base/checked.h"
#include "base/held.h"

#define BDB_HASH_MAGIC 0x061561u
#define BDB_BTREE_MAGIC 0x053162u
#define BDB_META 512u /* what is read of page 0 */
#define BDB_PAGE_HEAD 26u
#define BDB_WINDOW 65536u /* chains mostly go forward */
#define BDB_META_HASH 8u

enum bdb_page_type { BDB_UNUSED = 0, BDB_HASH_UNSORTED = 2, BDB_OVERFLOW = 7, BDB_HASH = 13 };
enum bdb_item { BDB_KEYDATA = 1, BDB_DUPLICATE = 2, BDB_OFFPAGE = 3, BDB_OFFDUP = 4 };

struct bdb {
	struct vtr_packages *l;
	struct vtr_blk *b;
	bool big;
	uint32_t page_size, pages, last_bucket;
	uint32_t spares[32];
	uint8_t *seen;	 /* a bit for each page */
	uint8_t *window; /* BDB_WINDOW bytes, and where they are from */
	uint64_t window_off, window_len;
	uint64_t ahead; /* bytes to read at once: more while the pages follow each other */
};

static uint16_t bdb_get16(const struct bdb *db, const uint8_t *p)
{
	return db->big ? vtr_get_be16(p) : vtr_get_le16(p);
}

static uint32_t bdb_get32(const struct bdb *db, const uint8_t *p)
{
	return db->big ? vtr_get_be32(p) : vtr_get_le32(p);
}

static int bdb_meta_parse(struct bdb *db, const uint8_t *p, struct vtr_error *err)
{
	uint32_t version;

	db->big = vtr_get_be32(p + 12) == BDB_HASH_MAGIC || vtr_get_be32(p + 12) == BDB_BTREE_MAGIC;
	if (bdb_get32(db, p + 12) == BDB_BTREE_MAGIC)
		return vtr_fail(err, VTR_EUNSUPPORTED, "a tree of Berkeley DB's, expected a hash");
	if (bdb_get32(db, p + 12) != BDB_HASH_MAGIC || p[25] != BDB_META_HASH)
		return vtr_fail(err, VTR_ECORRUPT, "not a hash of Berkeley DB's");
	version = bdb_get32(db, p + 16);
	if (version < 7 || version > 10)
		return vtr_fail(err, VTR_EUNSUPPORTED, "Berkeley DB hash version %" PRIu32, version);
	if (p[24] != 0 || p[26] != 0)
		return vtr_fail(err, VTR_EUNSUPPORTED, "Berkeley DB with encryption %u and flags %#x", p[24], p[26]);
	db->page_size = bdb_get32(db, p + 20);
	if (!vtr_pow2_is(db->page_size) || db->page_size < 512 || db->page_size > 65536)
		return vtr_fail(err, VTR_ECORRUPT, "pages of %" PRIu32 " bytes", db->page_size);
	db->pages = (uint32_t)VTR_MIN(db->b->size / db->page_size, (uint64_t)UINT32_MAX);
	db->last_bucket = bdb_get32(db, p + 72);
	if (db->last_bucket >= db->pages || db->last_bucket >> 31 != 0)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu32 " buckets on %" PRIu32 " pages", db->last_bucket,
				db->pages);
	for (size_t i = 0; i < VTR_COUNT(db->spares); i++)
		db->spares[i] = bdb_get32(db, p + 96 + 4 * i);
	return 0;
}

/*
 * A page that was not asked for before, at db's until the next call. Each is part of one chain, and once: so nothing
 * goes in a circle.
 */
static int bdb_page_read(const uint8_t **out, struct bdb *db, uint32_t page, struct vtr_error *err)
{
	uint64_t off = (uint64_t)page * db->page_size;

	if (page == 0 || page >= db->pages)
		return vtr_fail(err, VTR_ECORRUPT, "page %" PRIu32 " of %" PRIu32, page, db->pages);
	if (db->seen[page / 8] & 1u << page % 8)
		return vtr_fail(err, VTR_ECORRUPT, "page %" PRIu32 " is reached twice", page);
	db->seen[page / 8] |= (uint8_t)(1u << page % 8);
	if (off < db->window_off || off - db->window_off + db->page_size > db->window_len) {
		bool next = db->window_len > 0 && off == db->window_off + db->window_len;
		uint64_t len;

		db->ahead = next ? VTR_MIN(2 * db->ahead, (uint64_t)BDB_WINDOW) : db->page_size;
		len = VTR_MIN(db->ahead, (uint64_t)db->pages * db->page_size - off);
		db->window_len = 0;
		if (vtr_blk_pread(db->b, off, db->window, (size_t)len, err) < 0)
			return -1;
		db->window_off = off;
		db->window_len = len;
	}
	*out = db->window + (off - db->window_off);
	return 0;
}

static int bdb_number_check(const struct bdb *db, const uint8_t *p, uint32_t page, struct vtr_error *err)
{
	if (bdb_get32(db, p + 8) != page)
		return vtr_fail(err, VTR_ECORRUPT, "page %" PRIu32 " says that it is %" PRIu32, page,
				bdb_get32(db, p + 8));
	return 0;
}

/* A value of len bytes on a chain of overflow pages, to l's memory. */
static int bdb_overflow_read(uint8_t **out, struct bdb *db, uint32_t page, uint32_t len, struct vtr_error *err)
{
	uint32_t have = 0, n;
	const uint8_t *p;
	uint8_t *value;

	if (len > (uint64_t)db->pages * db->page_size)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu32 " bytes on %" PRIu32 " pages", len, db->pages);
	if (vtr_packages_room(&value, db->l, len, "a package's bytes", err) < 0)
		return -1;
	for (; page != 0; page = bdb_get32(db, p + 16)) {
		if (bdb_page_read(&p, db, page, err) < 0 || bdb_number_check(db, p, page, err) < 0)
			return -1;
		n = bdb_get16(db, p + 22);
		if (p[25] != BDB_OVERFLOW || n > db->page_size - BDB_PAGE_HEAD || n > len - have)
			return vtr_fail(err, VTR_ECORRUPT, "page %" PRIu32 " of type %u with %" PRIu32 " bytes", page,
					p[25], n);
		memcpy(value + have, p + BDB_PAGE_HEAD, n);
		have += n;
	}
	if (have != len)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu32 " bytes, expected %" PRIu32, have, len);
	*out = value;
	return 0;
}

/* The range of the i-th item of a page with n. */
static int bdb_item_find(struct vtr_bytes *out, const struct bdb *db, const uint8_t *p, unsigned n, unsigned i,
			 struct vtr_error *err)
{
	uint32_t start = bdb_get16(db, p + BDB_PAGE_HEAD + 2 * (size_t)i);
	uint32_t end = i == 0 ? db->page_size : bdb_get16(db, p + BDB_PAGE_HEAD + 2 * (size_t)(i - 1));

	if (start < BDB_PAGE_HEAD + 2 * n || start >= end || end > db->page_size)
		return vtr_fail(err, VTR_ECORRUPT, "item %u from %#" PRIx32 " to %#" PRIx32, i, start, end);
	*out = (struct vtr_bytes){ (const char *)p + start, end - start };
	return 0;
}

/* A pair of a page. 1: what follows is no damage and ends the work. */
static int bdb_pair_read(struct bdb *db, const uint8_t *p, unsigned n, unsigned i, struct vtr_error *err)
{
	struct vtr_bytes key, data;
	const uint8_t *d;
	uint32_t number, len;
	uint8_t *value;

	if (bdb_item_find(&key, db, p, n, i, err) < 0 || bdb_item_find(&data, db, p, n, i + 1, err) < 0)
		return -1;
	if (key.p[0] != BDB_KEYDATA || key.len != 5)
		return vtr_fail(err, VTR_ECORRUPT, "item %u is no package's number", i);
	number = bdb_get32(db, (const uint8_t *)key.p + 1);
	if (number == 0)
		return 0;
	d = (const uint8_t *)data.p;
	if (d[0] == BDB_OFFPAGE && data.len >= 12) {
		len = bdb_get32(db, d + 8);
		if (bdb_overflow_read(&value, db, bdb_get32(db, d + 4), len, err) < 0)
			return vtr_at(err, "package %" PRIu32, number);
		return vtr_rpm_header_add(db->l, value, len, number, err) < 0 ? 1 : 0;
	}
	if (d[0] != BDB_KEYDATA)
		return vtr_fail(err, d[0] == BDB_DUPLICATE || d[0] == BDB_OFFDUP ? VTR_EUNSUPPORTED : VTR_ECORRUPT,
				"package %" PRIu32 ": an item of type %u", number, d[0]);
	return vtr_rpm_header_add(db->l, d + 1, data.len - 1, number, err) < 0 ? 1 : 0;
}

/* A page of a bucket, in memory that no other read changes. */
static int bdb_bucket_page_read(struct bdb *db, const uint8_t *p, uint32_t page, struct vtr_error *err)
{
	unsigned n = bdb_get16(db, p + 20);

	if (BDB_PAGE_HEAD + 2 * n > db->page_size || n % 2 != 0)
		return vtr_fail(err, VTR_ECORRUPT, "page %" PRIu32 " with %u items", page, n);
	for (unsigned i = 0; i < n; i += 2) {
		struct vtr_error e = { 0 };
		int rc = bdb_pair_read(db, p, n, i, &e);

		if (rc > 0) {
			if (err)
				*err = e;
			return 1;
		}
		if (rc < 0) {
			vtr_error_at(&e, "page %" PRIu32, page);
			if (vtr_packages_excuse(db->l, &e, err) < 0)
				return 1;
		}
	}
	return 0;
}

/* The chain of pages of a bucket; copy has room for one. 1: as above. */
static int bdb_bucket_read(struct bdb *db, uint32_t bucket, uint8_t *copy, struct vtr_error *err)
{
	uint32_t page;
	const uint8_t *p;
	int rc;

	if (vtr_add_over(bucket, db->spares[bucket == 0 ? 0 : vtr_log2(bucket) + 1], &page))
		return vtr_fail(err, VTR_ECORRUPT, "its page is beyond the last");
	do {
		if (bdb_page_read(&p, db, page, err) < 0)
			return -1;
		if (p[25] == BDB_UNUSED && bdb_get32(db, p + 8) == 0)
			return 0; /* a bucket that nothing was put into yet */
		if (bdb_number_check(db, p, page, err) < 0)
			return -1;
		if (p[25] != BDB_HASH && p[25] != BDB_HASH_UNSORTED)
			return vtr_fail(err, VTR_ECORRUPT, "page %" PRIu32 " of type %u", page, p[25]);
		memcpy(copy, p, db->page_size);
		rc = bdb_bucket_page_read(db, copy, page, err);
		if (rc == 0 && vtr_tick(db->l->os->ctx, &db->l->steps, 1, err) < 0)
			rc = 1;
		page = bdb_get32(db, copy + 16);
	} while (rc == 0 && page != 0);
	return rc;
}

int vtr_rpmdb_bdb_read(struct vtr_packages *l, struct vtr_blk *b, struct vtr_error *err)
{
	struct bdb db = { .l = l, .b = b };
	VTR_FREE uint8_t *window = NULL, *copy = NULL;
	VTR_HELD uint8_t *seen = NULL;
	uint8_t meta[BDB_META];

	if (vtr_blk_pread(b, 0, meta, sizeof(meta), err) < 0 || bdb_meta_parse(&db, meta, err) < 0)
		return -1;
	seen = vtr_hold(l->os->ctx, (uint64_t)db.pages / 8 + 1, 1, "pages that were read", err);
	window = seen ? vtr_calloc(1, BDB_WINDOW, err) : NULL;
	copy = window ? vtr_calloc(1, db.page_size, err) : NULL;
	if (!copy)
		return -1;
	db.seen = seen;
	db.window = window;
	for (uint32_t bucket = 0; bucket <= db.last_bucket; bucket++) {
		struct vtr_error e = { 0 };
		int rc = bdb_bucket_read(&db, bucket, copy, &e);

		if (rc > 0) {
			if (err)
				*err = e;
			return -1;
		}
		if (rc < 0) {
			vtr_error_at(&e, "bucket %" PRIu32, bucket);
			if (vtr_packages_excuse(l, &e, err) < 0)
				return -1;
		}
	}
	return 0;
}
