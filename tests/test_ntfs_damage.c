/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Damage to NTFS volumes, one field at a time: what is answered, and with which words. The volume has clusters of 512
 * bytes and records of 1 KiB; offsets of fields are those in the comments of fs/ntfs/.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "fs/ntfs/ntfs.h"
#include "tests/ntfs_images.h"

static uint8_t *whole, *work;
static size_t whole_len;

static void damage_put(uint8_t *p, unsigned len, uint64_t v)
{
	for (unsigned i = 0; i < len; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void expect(const char *what, int code, const char *words, const struct vtr_error *err)
{
	if (err->code != code || !strstr(err->text, words))
		fail_msg("%s: %s \"%s\", expected %s \"%s\"", what, vtr_code_name(err->code), err->text,
			 vtr_code_name(code), words);
}

/* ----------------------------------------------------------------------------------------------------- boot sector */

static void a_damaged_boot_sector_is_named(void **state)
{
	static const struct {
		size_t at;
		unsigned len;
		uint64_t value;
		int code;
		const char *words;
	} cases[] = {
		{ 0x03, 1, 'X', VTR_ECORRUPT, "no NTFS signature" },
		{ 0x0b, 2, 0, VTR_ECORRUPT, "sectors of 0 bytes" },
		{ 0x0b, 2, 513, VTR_ECORRUPT, "sectors of 513 bytes" },
		{ 0x0b, 2, 8192, VTR_ECORRUPT, "sectors of 8192 bytes" },
		{ 0x0d, 1, 0, VTR_ECORRUPT, "0 sectors in a cluster" },
		{ 0x0d, 1, 3, VTR_ECORRUPT, "3 sectors in a cluster" },
		{ 0x0d, 1, 0xf0, VTR_ECORRUPT, "clusters of 2^25 bytes" },
		{ 0x28, 8, 0, VTR_ECORRUPT, "0 sectors" },
		{ 0x28, 8, UINT64_MAX, VTR_ECORRUPT, "18446744073709551615 sectors" },
		{ 0x30, 8, 0, VTR_ECORRUPT, "the MFT at cluster 0" },
		{ 0x30, 8, 1ull << 40, VTR_ECORRUPT, "the MFT at cluster 1099511627776" },
		{ 0x40, 1, 0, VTR_ECORRUPT, "records of 0 bytes (0)" },
		{ 0x40, 1, 0xf8, VTR_ECORRUPT, "records of 0 bytes (-8)" },
		{ 0x40, 1, 0xf0, VTR_ECORRUPT, "records of 65536 bytes (-16)" },
		{ 0x40, 1, 3, VTR_ECORRUPT, "records of 1536 bytes (3)" },
		{ 0x40, 1, 127, VTR_ECORRUPT, "records of 65024 bytes (127)" },
	};

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		struct ntfs_opened o;

		memcpy(work, whole, whole_len);
		memset(work + whole_len - 512, 0, 512); /* the copy */
		damage_put(work + cases[i].at, cases[i].len, cases[i].value);
		ntfs_open_bytes(&o, "ntfs", work, whole_len, NULL);
		assert_null(o.fs);
		expect("boot sector", cases[i].code, cases[i].words, &o.err);
		ntfs_done(&o);
	}
}

static void the_copy_of_the_boot_sector_stands_in(void **state)
{
	struct ntfs_opened o;

	(void)state;
	memcpy(work, whole, whole_len);
	memset(work, 0, 512);
	ntfs_open_bytes(&o, "ntfs", work, whole_len, NULL);
	assert_non_null(strstr(o.said, "its copy at the end"));
	assert_true(ntfs_compare(&o, "c512", 0) > 60);
	ntfs_done(&o);
}

/* --------------------------------------------------------------------------------------------------------- records */

/* Where a record lies, by its number. */
static uint64_t record_at(uint64_t ino)
{
	struct ntfs_opened o;
	const struct ntfs_run *r;
	uint64_t vcn = ino * 2, at = 0;

	ntfs_open_bytes(&o, "ntfs", whole, whole_len, NULL);
	assert_non_null(o.fs);
	for (size_t i = 0; i < to_ntfs(o.fs)->mft->n; i++) {
		r = &to_ntfs(o.fs)->mft->runs[i];
		if (vcn >= r->vcn && vcn < r->vcn + r->len)
			at = (r->lcn + vcn - r->vcn) * 512;
	}
	ntfs_done(&o);
	assert_true(at > 0);
	return at;
}

static uint64_t ino_of(const char *path)
{
	struct ntfs_opened o;
	uint64_t ino;

	ntfs_open_bytes(&o, "ntfs", whole, whole_len, NULL);
	ino = ntfs_node_of(&o, path);
	ntfs_done(&o);
	return ino;
}

/* An attribute of a record: its k-th of a type. */
static uint8_t *attr_at(uint8_t *record, uint32_t type, unsigned k)
{
	uint8_t *p = record + vtr_get_le16(record + 0x14);

	while (vtr_get_le32(p) != 0xffffffff) {
		if (vtr_get_le32(p) == type && k-- == 0)
			return p;
		p += vtr_get_le32(p + 4);
	}
	fail_msg("no attribute %#x", type);
	return NULL;
}

static void a_damaged_record_is_named(void **state)
{
	static const struct {
		size_t at;
		unsigned len;
		uint64_t value;
		int code;
		const char *words;
	} cases[] = {
		{ 0x00, 4, 0x44414142, VTR_ECORRUPT, "chkdsk marked it" },
		{ 0x00, 4, 0, VTR_ECORRUPT, "magic 00000000, expected FILE" },
		{ 0x04, 2, 0x31, VTR_ECORRUPT, "update sequence of 3 elements at 49" },
		{ 0x04, 2, 0x1fc, VTR_ECORRUPT, "update sequence of 3 elements at 508" },
		{ 0x06, 2, 2, VTR_ECORRUPT, "update sequence of 2 elements" },
		{ 0x1fe, 2, 0xdead, VTR_ECORRUPT, "torn: sector 0 ends with dead" },
		{ 0x3fe, 2, 0xbeef, VTR_ECORRUPT, "torn: sector 1 ends with beef" },
		{ 0x14, 2, 0x39, VTR_ECORRUPT, "attributes at 57" },
		{ 0x14, 2, 0x8000, VTR_ECORRUPT, "attributes at 32768" },
		{ 0x18, 4, 4096, VTR_ECORRUPT, "to 4096 of 1024 bytes" },
		{ 0x16, 2, 0, VTR_ENOTFOUND, "not in use" },
		{ 0x20, 8, 77, VTR_ENOTFOUND, "an extension of record 77" },
	};
	uint64_t ino = ino_of("/dir/large"), at = record_at(ino);

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		struct ntfs_opened o;
		struct vtr_error err = { 0 };
		struct vtr_stat st;

		memcpy(work, whole, whole_len);
		damage_put(work + at + cases[i].at, cases[i].len, cases[i].value);
		ntfs_open_bytes(&o, "ntfs", work, whole_len, NULL);
		assert_non_null(o.fs);
		assert_int_equal(-1, vtr_fs_stat(&st, o.fs, ino, &err));
		expect("record", cases[i].code, cases[i].words, &err);
		/* Its siblings are there all the same. */
		ntfs_stat_of(&o, "/dir/hard");
		ntfs_done(&o);
	}
}

static void a_damaged_attribute_is_named(void **state)
{
	static const struct {
		size_t at; /* in $DATA */
		unsigned len;
		uint64_t value;
		const char *words; /* of a warning, or of the error of reading */
	} cases[] = {
		{ 0x04, 4, 0, "attribute 0x80 at" },
		{ 0x04, 4, 13, "13 bytes" },
		{ 0x04, 4, 0x10000, "65536 bytes" },
		{ 0x09, 1, 255, "a name of 255 units" },
		{ 0x10, 8, UINT64_MAX, "VCN 18446744073709551615" },
		{ 0x18, 8, 3, "mapping pairs: they end at VCN" },
		{ 0x20, 2, 0x10, "mapping pairs at 16" },
		{ 0x20, 2, 0x1000, "mapping pairs at 4096" },
		{ 0x30, 8, UINT64_MAX, "18446744073709551615 bytes" },
		{ 0x30, 8, 1ull << 40, "is mapped nowhere" },
		{ 0x40, 1, 0x01, "mapping pairs:" },
		{ 0x40, 1, 0x90, "0 bytes of length and 9 of place" },
		{ 0x40, 1, 0x88, "8 bytes of length and 8 of place" },
		{ 0x0c, 2, 0x4000, "is encrypted (EFS)" },
		{ 0x0c, 2, 0x0002, "compression 2 is unknown" },
	};
	uint64_t ino = ino_of("/dir/large"), at = record_at(ino);

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		struct ntfs_opened o;
		struct vtr_error err = { 0 };
		char buf[64];
		ssize_t n;

		memcpy(work, whole, whole_len);
		damage_put(attr_at(work + at, 0x80, 0) + cases[i].at, cases[i].len, cases[i].value);
		if (i == 9) /* what is beyond the valid length needs no clusters */
			damage_put(attr_at(work + at, 0x80, 0) + 0x38, 8, cases[i].value);
		ntfs_open_bytes(&o, "ntfs", work, whole_len, NULL);
		assert_non_null(o.fs);
		n = vtr_fs_read(o.fs, ino, i == 9 ? 1u << 20 : 0, buf, sizeof(buf), &err);
		if (!(n < 0 && strstr(err.text, cases[i].words)) && !strstr(o.said, cases[i].words))
			fail_msg("case %zu: read %zd \"%s\", said \"%s\", expected \"%s\"", i, n, err.text, o.said,
				 cases[i].words);
		ntfs_done(&o);
	}
}

static void runs_outside_of_the_volume_are_refused(void **state)
{
	uint64_t ino = ino_of("/dir/large"), at = record_at(ino);
	struct ntfs_opened o;
	struct vtr_error err = { 0 };
	char buf[64];
	uint8_t *pairs;

	(void)state;
	memcpy(work, whole, whole_len);
	pairs = attr_at(work + at, 0x80, 0);
	pairs += vtr_get_le16(pairs + 0x20);
	assert_true((*pairs & 15) == 1 && *pairs >> 4 >= 2);
	pairs[1 + (*pairs & 15) + (*pairs >> 4) - 1] = 0x7f; /* the high byte of the first cluster */
	ntfs_open_bytes(&o, "ntfs", work, whole_len, NULL);
	assert_int_equal(-1, vtr_fs_read(o.fs, ino, 0, buf, sizeof(buf), &err));
	expect("run", VTR_ECORRUPT, "leave the volume", &err);
	ntfs_done(&o);
}

/* --------------------------------------------------------------------------------------------------------- the MFT */

static void the_mirror_stands_in_for_the_mft(void **state)
{
	struct ntfs_opened o;

	(void)state;
	memcpy(work, whole, whole_len);
	memset(work + record_at(0), 0, 1024);
	ntfs_open_bytes(&o, "ntfs", work, whole_len, NULL);
	assert_non_null(strstr(o.said, "its mirror is used"));
	/* Record 0 itself is gone, and nobody lists it. */
	assert_true(ntfs_compare(&o, "c512", 0) > 60);
	ntfs_done(&o);
	memset(work + (vtr_get_le64(work + 0x38) << 9), 0, 1024);
	ntfs_open_bytes(&o, "ntfs", work, whole_len, NULL);
	assert_null(o.fs);
	expect("both", VTR_ECORRUPT, "record 0 ($MFT): magic 00000000", &o.err);
	ntfs_done(&o);
}

static void a_damaged_table_of_capitals_is_told(void **state)
{
	uint8_t *p;
	struct ntfs_opened o;

	(void)state;
	memcpy(work, whole, whole_len);
	p = attr_at(work + record_at(NTFS_UPCASE), 0x80, 0);
	damage_put(p + 0x30, 8, 4096);
	ntfs_open_bytes(&o, "ntfs", work, whole_len, NULL);
	ntfs_stat_of(&o, "/DIR/LARGE");
	assert_non_null(strstr(o.said, "$UpCase: it has 4096 bytes"));
	ntfs_done(&o);
}

/* --------------------------------------------------------------------------------------------------------- indexes */

static size_t listed;
static int list_count(void *arg, const struct vtr_dirent *d)
{
	(void)arg, (void)d;
	listed++;
	return 0;
}

static void a_damaged_directory_lists_the_rest(void **state)
{
	static const struct {
		size_t at; /* in an index block */
		unsigned len;
		uint64_t value;
		const char *words;
		size_t least;
	} cases[] = {
		{ 0x00, 4, 0, "magic 00000000, expected INDX", 30 },
		{ 0x10, 8, 99, "it says that it is VCN 99", 30 },
		{ 0x18, 4, 0x7fffffff, "entries at 2147483647", 30 },
		{ 0x18, 4, 8, "entries at 8 to", 30 },	   /* in the header, which has 16 bytes */
		{ 0x18, 4, 0x2c, "entries at 44 to", 30 }, /* no multiple of 8 */
		{ 0x1c, 4, 0xffff, "to 65535 of", 30 },
		{ 0x1c, 4, 4096 - 0x18 + 8, "to 4080 of 4072", 30 },
		{ 0x1c, 4, 0x28, "a node of its index has no last entry", 30 }, /* it ends where it starts */
		{ 0x1fe, 2, 0x4141, "torn: sector 0", 30 },
		{ 0x40 + 0x08, 2, 8, "an index entry of 8 bytes", 30 },
		{ 0x40 + 0x08, 2, 0xfff8, "an index entry of 65528 bytes", 30 },
		{ 0x40 + 0x0a, 2, 0xffff, "with a key of 65535", 30 },
		{ 0x40 + 0x06, 2, 0x7777, "as it was (sequence 30583", 59 },
		{ 0x40 + 0x10 + 0x40, 1, 255, "a name that is not whole", 59 },
	};
	uint64_t ino = ino_of("/many"), at = 0;
	struct ntfs_opened o;

	(void)state;
	/* The directory's first block, found by its magic and the name in it. */
	ntfs_open_bytes(&o, "ntfs", whole, whole_len, NULL);
	for (size_t i = 0; i + 4096 <= whole_len && at == 0; i += 512)
		if (memcmp(whole + i, "INDX", 4) == 0 && memmem(whole + i, 4096, "t\0a\0k\0e\0s\0", 10))
			at = i;
	ntfs_done(&o);
	assert_true(at > 0);
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		struct vtr_error err = { 0 };
		int r;

		memcpy(work, whole, whole_len);
		damage_put(work + at + cases[i].at, cases[i].len, cases[i].value);
		ntfs_open_bytes(&o, "ntfs", work, whole_len, NULL);
		listed = 0;
		r = vtr_fs_readdir(o.fs, ino, list_count, NULL, &err);
		if (r != 0 || !strstr(o.said, cases[i].words) || listed < cases[i].least || listed > 59)
			fail_msg("case %zu: %d, %zu names, said \"%s\", expected \"%s\"", i, r, listed, o.said,
				 cases[i].words);
		ntfs_done(&o);
	}
}

/* Entries that end where their block does, a key that ends where its entry does; and one byte more. */
static void index_blocks_and_entries_may_be_full(void **state)
{
	uint64_t ino = ino_of("/many");
	size_t at = 0, all = 0;

	(void)state;
	for (size_t i = 0; i + 4096 <= whole_len && at == 0; i += 512)
		if (memcmp(whole + i, "INDX", 4) == 0 && memmem(whole + i, 4096, "t\0a\0k\0e\0s\0", 10))
			at = i;
	assert_true(at > 0);
	for (unsigned i = 0; i < 4; i++) {
		struct vtr_error err = { 0 };
		struct ntfs_opened o;

		memcpy(work, whole, whole_len);
		if (i == 1)
			damage_put(work + at + 0x1c, 4, 4096 - 0x18);
		else if (i > 1) /* the first entry's length without what is in front of the key */
			damage_put(work + at + 0x40 + 0x0a, 2,
				   (uint64_t)(work[at + 0x48] | work[at + 0x49] << 8) - 0x10 + (i == 3));
		ntfs_open_bytes(&o, "ntfs", work, whole_len, NULL);
		listed = 0;
		assert_int_equal(0, vtr_fs_readdir(o.fs, ino, list_count, NULL, &err));
		if (i == 0)
			all = listed;
		assert_true(i == 3 ? listed < all : listed == all);
		assert_int_equal(i == 3, strstr(o.said, "an index entry of") != NULL);
		assert_int_equal(i == 3, o.said[0] != 0);
		ntfs_done(&o);
	}
	assert_true(all >= 60); /* mk-ntfs.py */
}

/* ---------------------------------------------------------------------------------------------------------- limits */

static void limits_are_named(void **state)
{
	struct ntfs_opened o;
	struct vtr_limits l;

	(void)state;
	vtr_limits_default(&l);
	l.steps = 40;
	ntfs_open_bytes(&o, "ntfs", whole, whole_len, &l);
	if (o.fs) {
		struct vtr_place root = { o.fs, vtr_fs_root(o.fs) };

		listed = 0;
		assert_int_equal(-1, vtr_fs_readdir(o.fs, root.node, list_count, NULL, &o.err) +
					     vtr_fs_readdir(o.fs, ino_of("/many"), list_count, NULL, &o.err));
	}
	expect("steps", VTR_ELIMIT, "steps=40", &o.err);
	ntfs_done(&o);
}

/* Plain bytes of a compressed file, the end of whose map is lost, are not taken for packed ones: two zeros end those. */
static void a_unit_whose_map_ends_is_no_packed_one(void **state)
{
	struct vtr_error err = { 0 };
	struct ntfs_opened o;
	uint8_t *full, *a, *pairs;
	uint64_t ino, at = 0, lcn = 0;
	unsigned log2;
	char buf[64];
	size_t len;

	(void)state;
	full = ntfs_image(&len, "full");
	ntfs_open_bytes(&o, "ntfs", full, len, NULL);
	ino = ntfs_node_of(&o, "/packed/random");
	log2 = to_ntfs(o.fs)->boot.cluster_log2;
	for (size_t i = 0; i < to_ntfs(o.fs)->mft->n; i++) {
		const struct ntfs_run *r = &to_ntfs(o.fs)->mft->runs[i];
		uint64_t off = ino * to_ntfs(o.fs)->boot.record_len, vcn = off >> log2;

		if (vcn >= r->vcn && vcn < r->vcn + r->len)
			at = off + ((r->lcn - r->vcn) << log2);
	}
	ntfs_done(&o);
	a = attr_at(full + at, 0x80, 0);
	pairs = a + vtr_get_le16(a + 0x20);
	assert_true((*pairs & 15) == 1 && *pairs >> 4 >= 1 && *pairs >> 4 < 8 && pairs[1] > 5);
	for (unsigned i = 0; i < *pairs >> 4; i++)
		lcn |= (uint64_t)pairs[2 + i] << 8 * i;
	pairs[1] = 5;
	pairs[2 + (*pairs >> 4)] = 0;
	damage_put(a + 0x18, 8, 4);
	memset(full + (lcn << log2), 0, 2);
	ntfs_open_bytes(&o, "ntfs", full, len, NULL);
	assert_int_equal(-1, vtr_fs_read(o.fs, ino, 0, buf, sizeof(buf), &err));
	expect("unit", VTR_ECORRUPT, "VCN 5 is mapped nowhere", &err);
	ntfs_done(&o);
	free(full);
}

/* Extension records and maps are held against the limit of metadata, and given back. */
static void extension_records_are_metadata(void **state)
{
	struct vtr_error err = { 0 };
	struct ntfs_opened o;
	struct vtr_stat st;
	uint64_t before, ino;
	uint8_t *comb;
	size_t len;

	(void)state;
	comb = ntfs_image(&len, "comb");
	ntfs_open_bytes(&o, "ntfs", comb, len, NULL);
	before = atomic_load(&o.ctx->metadata);
	ino = ntfs_node_of(&o, "/a");
	assert_true(atomic_load(&o.ctx->metadata) >= before + 2u * to_ntfs(o.fs)->boot.record_len);
	vtr_tree_free(o.t);
	o.t = NULL;
	vtr_fs_unref(o.fs);
	assert_int_equal(0, atomic_load(&o.ctx->metadata));
	o.fs = NULL;
	ntfs_done(&o);
	ntfs_open_bytes(&o, "ntfs", comb, len, NULL);
	o.ctx->lim.metadata = before + 1024;
	assert_int_equal(-1, vtr_fs_stat(&st, o.fs, ino, &err));
	expect("extension records", VTR_ELIMIT, "limit metadata=", &err);
	ntfs_done(&o);
	free(comb);
}

/* A file of 2^60 bytes, of which none was written, hashes until the time is over. */
static void a_huge_hole_can_be_cancelled(void **state)
{
	uint64_t ino = ino_of("/dir/large"), at = record_at(ino);
	struct vtr_digest digest;
	struct vtr_place place;
	struct ntfs_opened o;
	struct vtr_error err = { 0 };
	uint8_t *a;

	(void)state;
	memcpy(work, whole, whole_len);
	a = attr_at(work + at, 0x80, 0);
	damage_put(a + 0x30, 8, (uint64_t)1 << 60);
	damage_put(a + 0x38, 8, 0);
	ntfs_open_bytes(&o, "ntfs", work, whole_len, NULL);
	assert_non_null(o.fs);
	o.ctx->lim.file = UINT64_MAX;
	vtr_ctx_deadline(o.ctx, 50);
	place = (struct vtr_place){ o.fs, ino };
	assert_int_equal(-1, vtr_tree_sha256(&digest, &place, 1, &err));
	expect("hole", VTR_ECANCELLED, "time allowed", &err);
	ntfs_done(&o);
}

/* The root's index says that it has 2^50 bytes, and its first block leads to itself. */
static void an_index_that_leads_in_circles_ends(void **state)
{
	uint64_t at = record_at(5), node;
	struct ntfs_opened o;
	struct vtr_error err = { 0 };
	uint8_t *a, *p, *entry;
	int type;

	(void)state;
	memcpy(work, whole, whole_len);
	a = attr_at(work + at, 0xa0, 0);
	damage_put(a + 0x30, 8, (uint64_t)1 << 50);
	damage_put(a + 0x38, 8, (uint64_t)1 << 50);
	p = a + vtr_get_le16(a + 0x20);
	assert_int_equal(2, *p >> 4);
	p = work + (size_t)vtr_get_le16(p + 1 + (*p & 15)) * 512;
	assert_memory_equal("INDX", p, 4);
	/* One entry, the last, with a block below it: number 0. */
	entry = p + 0x18 + vtr_get_le32(p + 0x18);
	damage_put(p + 0x1c, 4, vtr_get_le32(p + 0x18) + 24);
	damage_put(entry, 8, 0);
	damage_put(entry + 8, 8, 24 | (uint64_t)3 << 32);
	damage_put(entry + 16, 8, 0);
	/* And so has the root. */
	a = attr_at(work + at, 0x90, 0);
	a += vtr_get_le16(a + 0x14) + 0x10;
	entry = a + vtr_get_le32(a);
	damage_put(a + 4, 4, vtr_get_le32(a) + 24);
	damage_put(entry, 8, 0);
	damage_put(entry + 8, 8, 24 | (uint64_t)3 << 32);
	damage_put(entry + 16, 8, 0);
	ntfs_open_bytes(&o, "ntfs", work, whole_len, NULL);
	assert_non_null(o.fs);
	assert_int_equal(-1, vtr_fs_lookup(&node, &type, o.fs, 5, "zzz", 3, &err));
	expect("index", VTR_ECORRUPT, "leads in circles", &err);
	ntfs_done(&o);
}

static void a_volume_that_is_cut_is_read_as_far_as_it_goes(void **state)
{
	(void)state;
	for (size_t len = 0; len < whole_len - 4096; len += whole_len / 97) {
		struct ntfs_opened o;

		ntfs_open_bytes(&o, "ntfs", whole, len, NULL);
		if (!o.fs)
			assert_true(o.err.code == VTR_ETRUNCATED || o.err.code == VTR_ECORRUPT);
		else
			assert_non_null(strstr(o.said, "read as far as that goes"));
		ntfs_done(&o);
	}
}

static int load(void **state)
{
	(void)state;
	whole = ntfs_image(&whole_len, "c512");
	work = malloc(whole_len);
	return work ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	free(whole);
	free(work);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_damaged_boot_sector_is_named),
		cmocka_unit_test(the_copy_of_the_boot_sector_stands_in),
		cmocka_unit_test(a_damaged_record_is_named),
		cmocka_unit_test(a_damaged_attribute_is_named),
		cmocka_unit_test(runs_outside_of_the_volume_are_refused),
		cmocka_unit_test(the_mirror_stands_in_for_the_mft),
		cmocka_unit_test(a_damaged_table_of_capitals_is_told),
		cmocka_unit_test(a_damaged_directory_lists_the_rest),
		cmocka_unit_test(index_blocks_and_entries_may_be_full),
		cmocka_unit_test(limits_are_named),
		cmocka_unit_test(a_unit_whose_map_ends_is_no_packed_one),
		cmocka_unit_test(extension_records_are_metadata),
		cmocka_unit_test(a_huge_hole_can_be_cancelled),
		cmocka_unit_test(an_index_that_leads_in_circles_ends),
		cmocka_unit_test(a_volume_that_is_cut_is_read_as_far_as_it_goes),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
