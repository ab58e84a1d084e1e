/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rpm's own database format, Packages.db, which SUSE's systems have. There is no document; this is what rpm 4.14 to 4.19
 * write, by observation. Little endian, in blocks of 16 bytes.
 *
 *   0   4	"RpmP"
 *   4   4	version, 0
 *   8   4	generation
 *   12  4	pages of 4096 bytes with slots, from the start of the file
 *   16  4	next package number
 *   32		slots of 16 bytes to the end of these pages:
 *	 0  4	"Slot"
 *	 4  4	package number; 0: free
 *	 8  4	first block
 *	 12 4	number of blocks
 *
 * and a package's blocks:
 *   0   4	"BlbS"
 *   4   4	package number
 *   8   4	generation
 *   12  4	length of the header blob
 *   16		the blob, and zeros up to the last 12 bytes of the last block:
 *	 0  4	Adler-32 of all that comes before
 *	 4  4	length of the header blob
 *	 8  4	"BlbE"
 */
#include "inspect/packages.h"

#include "base/blk.h"
#include "base/bytes.h"
#include "base/checked.h"
#include "base/crc.h"

#define NDB_PAGE 4096u
#define NDB_BLOCK 16u
#define NDB_SLOTS_AT 32u
#define NDB_HEAD 16u
#define NDB_TAIL 12u
#define NDB_MAGIC 0x506d7052u
#define NDB_SLOT_MAGIC 0x746f6c53u
#define NDB_BLOB_MAGIC 0x53626c42u
#define NDB_END_MAGIC 0x45626c42u

struct ndb {
	struct vtr_packages *l;
	struct vtr_blk *b;
	uint64_t slots_len; /* bytes of slot pages */
	uint64_t left;	    /* bytes that packages may have yet: none is shared */
};

/* Check a package's blocks; *len is the length of the header blob in them. */
static int ndb_blob_check(uint32_t *len, struct ndb *db, const uint8_t *p, size_t size, uint32_t number,
			  struct vtr_error *err)
{
	const uint8_t *tail = p + size - NDB_TAIL;
	uint32_t sum;

	*len = vtr_get_le32(p + 12);
	if (*len > size - NDB_HEAD - NDB_TAIL)
		return vtr_fail(err, VTR_ECORRUPT, "a header of %" PRIu32 " bytes in %zu", *len, size);
	sum = vtr_adler32(1, p, size - NDB_TAIL);
	if (vtr_get_le32(tail + 8) != NDB_END_MAGIC || vtr_get_le32(tail + 4) != *len)
		vtr_packages_warn(db->l, VTR_ECORRUPT, "package %" PRIu32 ": its blocks do not end as they should",
				  number);
	else if (!vtr_sum_ok(vtr_get_le32(tail), sum))
		vtr_packages_warn(db->l, VTR_ECORRUPT,
				  "package %" PRIu32 ": Adler-32 %#010" PRIx32 ", %#010" PRIx32 " is stored", number,
				  sum, vtr_get_le32(tail));
	return 0;
}

static int ndb_package_read(struct ndb *db, uint32_t number, uint32_t block, uint32_t blocks, struct vtr_error *err)
{
	uint64_t off = (uint64_t)block * NDB_BLOCK, size = (uint64_t)blocks * NDB_BLOCK;
	uint8_t head[NDB_HEAD], *p;
	uint32_t len;

	if (size < NDB_HEAD + NDB_TAIL || off < db->slots_len || !vtr_range_in(off, size, db->b->size))
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu32 " blocks from %" PRIu32 " on in %" PRIu64 " bytes",
				blocks, block, db->b->size);
	if (vtr_blk_pread(db->b, off, head, sizeof(head), err) < 0)
		return -1;
	if (vtr_get_le32(head) != NDB_BLOB_MAGIC || vtr_get_le32(head + 4) != number)
		return vtr_fail(err, VTR_ECORRUPT, "its blocks are not there");
	if (size > db->left)
		return vtr_fail(err, VTR_ECORRUPT, "its blocks are another's, too");
	db->left -= size;
	if (vtr_packages_room(&p, db->l, size, "a package's bytes", err) < 0 ||
	    vtr_blk_pread(db->b, off, p, (size_t)size, err) < 0 ||
	    ndb_blob_check(&len, db, p, (size_t)size, number, err) < 0)
		return -1;
	/* Anything that comes from here on is no damage. */
	return vtr_rpm_header_add(db->l, p + NDB_HEAD, len, number, err) < 0 ? 1 : 0;
}

static int ndb_slots_read(struct ndb *db, struct vtr_cur *c, struct vtr_error *err)
{
	while (vtr_cur_left(c) > 0) {
		uint64_t at = c->origin + (uint64_t)(c->p - c->base);
		uint32_t magic = vtr_cur_le32(c), number = vtr_cur_le32(c);
		uint32_t block = vtr_cur_le32(c), blocks = vtr_cur_le32(c);
		struct vtr_error e = { 0 };
		int rc = 0;

		if (magic != NDB_SLOT_MAGIC)
			vtr_packages_warn(db->l, VTR_ECORRUPT, "no slot at %#" PRIx64, at);
		else if (number != 0)
			rc = ndb_package_read(db, number, block, blocks, &e);
		if (rc > 0) {
			if (err)
				*err = e;
			return -1;
		}
		if (rc < 0) {
			vtr_error_at(&e, "package %" PRIu32, number);
			if (vtr_packages_excuse(db->l, &e, err) < 0)
				return -1;
		}
	}
	return 0;
}

int vtr_rpmdb_ndb_read(struct vtr_packages *l, struct vtr_blk *b, struct vtr_error *err)
{
	struct ndb db = { .l = l, .b = b };
	uint8_t page[NDB_PAGE];
	struct vtr_cur c;
	uint32_t pages;

	if (vtr_blk_pread(b, 0, page, NDB_SLOTS_AT, err) < 0)
		return -1;
	pages = vtr_get_le32(page + 12);
	if (vtr_get_le32(page) != NDB_MAGIC)
		return vtr_fail(err, VTR_ECORRUPT, "not a database of rpm's (ndb)");
	if (vtr_get_le32(page + 4) != 0)
		return vtr_fail(err, VTR_EUNSUPPORTED, "ndb version %" PRIu32, vtr_get_le32(page + 4));
	db.slots_len = (uint64_t)pages * NDB_PAGE;
	if (pages == 0 || db.slots_len > b->size)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu32 " pages of slots in %" PRIu64 " bytes", pages, b->size);
	db.left = b->size - db.slots_len;
	for (uint64_t off = 0; off < db.slots_len; off += NDB_PAGE) {
		if (vtr_blk_pread(b, off, page, NDB_PAGE, err) < 0 || vtr_tick(l->os->ctx, &l->steps, 1, err) < 0)
			return -1;
		c = vtr_cur_of(page, NDB_PAGE, off);
		if (off == 0)
			vtr_cur_skip(&c, NDB_SLOTS_AT);
		if (ndb_slots_read(&db, &c, err) < 0)
			return -1;
	}
	return 0;
}
