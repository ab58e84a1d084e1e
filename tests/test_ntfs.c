/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NTFS: all that lies in volumes that NTFS-3G and libwim wrote, against what was written; and what is told of it. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "fs/ntfs/ntfs.h"
#include "base/codec/codec.h"
#include "tests/ntfs_images.h"

static uint8_t *full;
static size_t full_len;

static void ntfs_volumes_are_what_was_written(void **state)
{
	/* comb: a file of hundreds of pieces; mft: an MFT of as many, whose record has extensions */
	static const char *const names[] = { "full", "c512", "c64k", "c2m", "s1024", "s4096", "comb", "mft" };

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(names); i++) {
		struct ntfs_opened o;
		size_t len;
		uint8_t *image = ntfs_image(&len, names[i]);

		ntfs_open_bytes(&o, NULL, image, len, NULL);
		assert_true(ntfs_compare(&o, names[i], 0) > 60);
		assert_string_equal("", o.said);
		assert_string_equal(names[i], vtr_fs_info(o.fs)->label);
		ntfs_done(&o);
		free(image);
	}
}

static int count_extent(void *arg, const struct vtr_file_extent *e)
{
	(void)e;
	++*(size_t *)arg;
	return 0;
}

static void fragments_are_in_many_records(void **state)
{
	static const struct {
		const char *image, *path;
	} cases[] = { { "comb", "/comb" }, { "mft", "/$MFT" } };

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		struct ntfs_opened o;
		struct ntfs_node *n;
		size_t len, extents = 0;
		uint8_t *image = ntfs_image(&len, cases[i].image);
		uint64_t node;

		ntfs_open_bytes(&o, NULL, image, len, NULL);
		node = ntfs_node_of(&o, cases[i].path);
		assert_int_equal(0, vtr_fs_extents(o.fs, node, count_extent, &extents, NULL));
		assert_true(extents > 150);
		assert_int_equal(0, vtr_ntfs_node(&n, to_ntfs(o.fs), node, NULL));
		assert_true(n->n_extra >= 2);
		vtr_ntfs_node_put(&n);
		ntfs_done(&o);
		free(image);
	}
}

static void geometries_are_told(void **state)
{
	static const struct {
		const char *name;
		uint32_t cluster, sector, record;
	} cases[] = { { "c512", 512, 512, 1024 },
		      { "c64k", 65536, 512, 1024 },
		      { "c2m", 2 << 20, 512, 1024 },
		      { "s1024", 2048, 1024, 1024 },
		      { "s4096", 4096, 4096, 4096 } };

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		struct ntfs_opened o;
		size_t len;
		uint8_t *image = ntfs_image(&len, cases[i].name);

		ntfs_open_bytes(&o, "ntfs", image, len, NULL);
		assert_int_equal(cases[i].cluster, vtr_fs_info(o.fs)->block_size);
		assert_int_equal(cases[i].sector, to_ntfs(o.fs)->boot.sector);
		assert_int_equal(cases[i].record, to_ntfs(o.fs)->boot.record_len);
		assert_true(vtr_fs_info(o.fs)->used > 0 && vtr_fs_info(o.fs)->used < vtr_fs_info(o.fs)->size);
		ntfs_done(&o);
		free(image);
	}
}

/* ------------------------------------------------------------------------------------------------------------ names */

static void expect_found(struct ntfs_opened *o, const char *path, const char *same_as)
{
	assert_int_equal(ntfs_node_of(o, same_as), ntfs_node_of(o, path));
}

static void expect_missing(struct ntfs_opened *o, const char *path, unsigned flags)
{
	struct vtr_error err = { 0 };
	struct vtr_place p;

	assert_int_equal(-1, vtr_tree_walk(&p, o->t, path, flags, &err));
	assert_int_equal(VTR_ENOTFOUND, err.code);
}

static void names_are_found_in_any_case(void **state)
{
	struct ntfs_opened o;

	(void)state;
	ntfs_open_bytes(&o, NULL, full, full_len, NULL);
	expect_found(&o, "/DIR/LARGE", "/dir/large");
	expect_found(&o,
		     "/names/\xc3\xbc"
		     "BER-\xe6\x97\xa5\xe6\x9c\xac",
		     "/names/\xc3\x9c"
		     "ber-\xe6\x97\xa5\xe6\x9c\xac");
	expect_found(&o, "/names/MIXEDC~1.TEX", "/names/Mixed Case Name.Text");
	expect_found(&o, "/names/mixedc~1.tex", "/names/Mixed Case Name.Text");
	expect_found(&o, "/MANY/A NAME THAT TAKES SOME ROOM IN ITS DIRECTORY 042",
		     "/many/a name that takes some room in its directory 042");
	assert_int_not_equal(ntfs_node_of(&o, "/names/Case"), ntfs_node_of(&o, "/names/case"));
	expect_missing(&o, "/names/Cases", 0);
	expect_missing(&o, "/names/nope", VTR_WALK_ICASE);
	/* A link's path is Windows' own, and in any case. */
	expect_found(&o, "/TO-DIR/large", "/dir/large");
	ntfs_done(&o);
}

static void case_sensitive_directories_are(void **state)
{
	struct ntfs_opened o;
	struct vtr_stat st;

	(void)state;
	ntfs_open_bytes(&o, NULL, full, full_len, NULL);
	st = ntfs_stat_of(&o, "/sensitive");
	assert_false(st.flags & VTR_STAT_CASEFOLD);
	st = ntfs_stat_of(&o, "/names");
	assert_true(st.flags & VTR_STAT_CASEFOLD);
	expect_missing(&o, "/sensitive/name", 0);
	expect_found(&o, "/Sensitive/Name", "/sensitive/Name");
	ntfs_done(&o);
}

static int count_name(void *arg, const struct vtr_dirent *d)
{
	size_t *n = arg;

	n[0]++;
	n[1] += d->name[0] == '$';
	return 0;
}

static void the_volumes_own_files_are_not_listed_and_found(void **state)
{
	struct ntfs_opened o;
	size_t n[2] = { 0, 0 };

	(void)state;
	ntfs_open_bytes(&o, NULL, full, full_len, NULL);
	assert_int_equal(0, vtr_fs_readdir(o.fs, vtr_fs_root(o.fs), count_name, n, NULL));
	assert_true(n[0] > 20);
	assert_int_equal(0, n[1]);
	assert_int_equal(0, ntfs_node_of(&o, "/$MFT"));
	assert_int_equal(9, ntfs_node_of(&o, "/$secure"));
	assert_true(ntfs_stat_of(&o, "/$Secure:$SDS").size > 0);
	assert_true(ntfs_stat_of(&o, "/$Extend/$ObjId").node >= NTFS_USER_RECORDS);
	ntfs_done(&o);
}

static void streams_have_paths(void **state)
{
	struct ntfs_opened o;
	uint8_t *p;
	size_t len;

	(void)state;
	ntfs_open_bytes(&o, NULL, full, full_len, NULL);
	p = ntfs_read_of(&len, &o, "/small:BESIDE", 100);
	assert_string_equal("a stream", p);
	free(p);
	p = ntfs_read_of(&len, &o, "/small:beside:$DATA", 100);
	assert_string_equal("a stream", p);
	free(p);
	expect_found(&o, "/small::$DATA", "/small");
	p = ntfs_read_of(&len, &o, "/streams:of a directory", 100);
	assert_string_equal("d", p);
	free(p);
	expect_missing(&o, "/small:other", 0);
	expect_missing(&o, "/nothing:beside", 0);
	expect_missing(&o, "/small:beside/x", 0);
	/* No stream has streams. */
	expect_missing(&o, "/small:beside:beside", 0);
	ntfs_done(&o);
}

/* ------------------------------------------------------------------------------------------------------------ facts */

struct wanted {
	const char *key;
	char text[600];
};

static int wanted_prop(void *arg, const struct vtr_prop *p)
{
	struct wanted *w = arg;

	if (strcmp(p->key, w->key) != 0)
		return 0;
	if (p->kind == VTR_PROP_TEXT)
		snprintf(w->text, sizeof(w->text), "%s", p->text);
	else
		snprintf(w->text, sizeof(w->text), "%" PRIu64, p->number);
	return 1;
}

static void expect_prop(struct ntfs_opened *o, const char *path, const char *key, const char *value)
{
	struct wanted w = { .key = key };

	assert_true(vtr_fs_props(o->fs, ntfs_node_of(o, path), VTR_PROPS_SECURITY, wanted_prop, &w, NULL) >= 0);
	if (strcmp(w.text, value) != 0)
		fail_msg("%s: %s is \"%s\", expected \"%s\"", path, key, w.text, value);
}

static int sum_xattr(void *arg, const struct vtr_xattr *x)
{
	struct vtr_str *s = arg;

	vtr_str_putf(s, "%s=%zu ", x->name, x->len);
	return 0;
}

static void what_only_ntfs_has_is_told(void **state)
{
	struct vtr_str s = { 0 };
	struct ntfs_opened o;
	struct vtr_stat st;

	(void)state;
	ntfs_open_bytes(&o, NULL, full, full_len, NULL);
	st = ntfs_stat_of(&o, "/facts");
	assert_int_equal(1000, st.uid);
	assert_int_equal(1001, st.gid);
	assert_int_equal(0640, st.mode);
	/* To the 100 ns, as they were set: created, modified, read. */
	assert_true(st.btime.sec == 0 && st.btime.nsec == 100);
	assert_true(st.mtime.sec == 1607011199 && st.mtime.nsec == 999999900);
	assert_true(st.atime.sec == 946684800 && st.atime.nsec == 0);
	expect_prop(&o, "/facts", "attributes", "readonly hidden archive");
	expect_prop(&o, "/facts", "object_id", "04030201-0605-0807-090A-0B0C0D0E0F10");
	expect_prop(&o, "/facts", "sddl",
		    "O:BAG:S-1-5-21-1-2-3-513D:PAI(A;;FA;;;SY)(A;OICIIO;SDGXGWGR;;;AU)(D;ID;0x1301bf;;;BU)"
		    "(A;;FR;;;S-1-5-21-1-2-3-1001)");
	expect_prop(&o, "/small", "sddl", "O:BAG:BAD:(A;OICI;FA;;;WD)");
	expect_prop(&o, "/names/Mixed Case Name.Text", "short_name", "MIXEDC~1.TEX");
	expect_prop(&o, "/overlay/lzx-90000", "compression", "wof-lzx");
	expect_prop(&o, "/overlay/xpress16k-90000", "compression", "wof-xpress16k");
	expect_prop(&o, "/packed/text", "compression", "lznt1");
	expect_prop(&o, "/to-dir", "reparse_point", "0xa0000003, junction or mount point");
	expect_prop(&o, "/placeholder", "reparse_point", "0x9000001a, cloud file");
	assert_int_equal(0, vtr_fs_xattrs(o.fs, ntfs_node_of(&o, "/facts"), sum_xattr, &s, NULL));
	assert_string_equal("$LXGID=4 $LXMOD=4 $LXUID=4 USER.TAG=5 ", s.p);
	vtr_str_done(&s);
	assert_int_equal(31, ntfs_stat_of(&o, "/list").nlink);
	assert_int_equal(1, ntfs_stat_of(&o, "/names/Mixed Case Name.Text").nlink);
	assert_true(ntfs_stat_of(&o, "/packed/text").flags & VTR_STAT_COMPRESSED);
	assert_true(ntfs_stat_of(&o, "/packed/text").allocated < 200000);
	assert_true(ntfs_stat_of(&o, "/sparse").allocated < 1000000);
	assert_int_equal(1, ntfs_stat_of(&o, "/null").rdev_major);
	assert_int_equal(3, ntfs_stat_of(&o, "/null").rdev_minor);
	assert_int_equal(5, ntfs_stat_of(&o, "/zero").rdev_minor);
	ntfs_done(&o);
}

static void expect_target(struct ntfs_opened *o, const char *path, const char *target)
{
	char *got = NULL;

	assert_int_equal(0, vtr_fs_readlink(&got, o->fs, ntfs_node_of(o, path), NULL));
	assert_string_equal(target, got);
	free(got);
}

/* \??\C:\dir is in this volume's root as long as nobody says that the volume is another drive. */
static void links_keep_the_letters_of_other_drives(void **state)
{
	static const struct {
		const char *letters, *dir, *file;
	} cases[] = {
		{ "", "/dir", "/names/Case" },	       { "c", "/dir", "/names/Case" },
		{ "D", "/C:/dir", "/c:/names/Case" },  { "CC", "/dir", "/names/Case" },
		{ "CD", "/C:/dir", "/c:/names/Case" }, /* two systems differ */
	};

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		struct ntfs_opened o;

		ntfs_open_bytes(&o, NULL, full, full_len, NULL);
		for (const char *c = cases[i].letters; *c; c++) {
			struct vtr_tree *t = vtr_tree_new(o.fs, NULL);

			assert_non_null(t);
			assert_int_equal(0, vtr_tree_add_drive(t, *c, NULL, o.fs, NULL));
			vtr_tree_free(t);
		}
		expect_target(&o, "/to-dir", cases[i].dir);
		expect_target(&o, "/absolute", cases[i].file);
		ntfs_done(&o);
	}
}

static void contents_that_are_elsewhere_are_refused_by_name(void **state)
{
	static const struct {
		const char *path, *words;
	} cases[] = { { "/dedup", "deduplication" }, { "/wimboot", "WIMBoot" } };
	struct ntfs_opened o;

	(void)state;
	ntfs_open_bytes(&o, NULL, full, full_len, NULL);
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		struct vtr_error err = { 0 };
		char c;

		assert_int_equal(-1, vtr_fs_read(o.fs, ntfs_node_of(&o, cases[i].path), 0, &c, 1, &err));
		assert_int_equal(VTR_EUNSUPPORTED, err.code);
		assert_non_null(strstr(err.text, cases[i].words));
		assert_int_equal(-1, vtr_fs_extents(o.fs, ntfs_node_of(&o, cases[i].path), NULL, NULL, &err));
	}
	ntfs_done(&o);
}

/* libntfs-3g reads the same. */
static void a_second_reader_agrees(void **state)
{
#ifdef VTR_NTFS3G
	static const char *const names[] = { "full", "c512", "c64k", "c2m", "s1024", "s4096", "comb", "mft" };

	for (size_t i = 0; i < VTR_COUNT(names); i++) {
		struct ntfs_opened o;
		size_t len;
		uint8_t *image = ntfs_image(&len, names[i]);

		ntfs_open_bytes(&o, "ntfs-3g", image, len, NULL);
		assert_true(ntfs_compare(&o, names[i], NTFS_NO_OVERLAY) > 60);
		ntfs_done(&o);
		/* What is damaged it does not get to see. */
		memset(image + 0x30, 0xff, 8);
		ntfs_open_bytes(&o, "ntfs-3g", image, len, NULL);
		assert_null(o.fs);
		ntfs_done(&o);
		free(image);
	}
	(void)state;
#else
	(void)state;
	puts("built with NTFS=0: nothing to compare with");
	skip();
#endif
}

/* The pass over the MFT tells what the records themselves tell. */
static int compare_stat(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	struct ntfs_opened *alone = arg;
	struct vtr_stat st;

	assert_int_equal(0, vtr_fs_stat(&st, alone->fs, e->st.node, err));
	assert_memory_equal(&st, &e->st, sizeof(st));
	return 0;
}

static void the_pass_over_the_mft_tells_the_same(void **state)
{
	struct ntfs_opened passed, alone;
	struct vtr_place root;

	(void)state;
	ntfs_open_bytes(&passed, NULL, full, full_len, NULL);
	ntfs_open_bytes(&alone, NULL, full, full_len, NULL);
	to_ntfs(passed.fs)->loads = 1000000;
	to_ntfs(alone.fs)->passed = true;
	root = (struct vtr_place){ passed.fs, vtr_fs_root(passed.fs) };
	assert_int_equal(0, vtr_tree_list(passed.t, &root, VTR_LIST_RECURSIVE, compare_stat, &alone, NULL));
	assert_non_null(to_ntfs(passed.fs)->briefs);
	assert_null(to_ntfs(alone.fs)->briefs);
	ntfs_done(&passed);
	ntfs_done(&alone);
}

/* ------------------------------------------------------------------------------------------------------------ state */

static uint8_t *find_bytes(uint8_t *image, size_t len, const char *text)
{
	uint8_t *p = memmem(image, len, text, strlen(text));

	assert_non_null(p);
	return p;
}

static uint64_t phys_of;
static int keep_phys(void *arg, const struct vtr_file_extent *e)
{
	(void)arg;
	phys_of = e->phys;
	return 1;
}

static void expect_state(const uint8_t *image, const char *state, const char *warning)
{
	struct ntfs_opened o;
	const struct vtr_fs_info *info;

	ntfs_open_bytes(&o, NULL, image, full_len, NULL);
	info = vtr_fs_info(o.fs);
	for (size_t i = 0; i < info->n_props; i++)
		if (strcmp(info->props[i].key, "state") == 0)
			assert_string_equal(state, info->props[i].text);
	assert_int_equal(strcmp(state, "clean") != 0, info->dirty);
	if (!strstr(o.said, warning))
		fail_msg("said \"%s\", expected \"%s\"", o.said, warning);
	assert_int_equal(0, vtr_ctx_damage(o.ctx));
	ntfs_done(&o);
}

/* A restart page, by the layout in fs/ntfs/volume.c. */
static void put_restart(uint8_t *p, uint64_t lsn, uint16_t in_use, uint16_t flags)
{
	memset(p, 0, 4096);
	memcpy(p, "RSTR", 4);
	p[4] = 0x1e;
	p[6] = 9;
	p[0x10 + 1] = p[0x14 + 1] = 0x10;
	p[0x18] = 0x30;
	p[0x30] = (uint8_t)lsn;
	p[0x3c] = (uint8_t)in_use;
	p[0x3d] = (uint8_t)(in_use >> 8);
	p[0x3e] = (uint8_t)flags;
}

static void the_state_of_the_volume_is_told(void **state)
{
	uint8_t *image = malloc(full_len), *p;
	struct ntfs_opened o;

	(void)state;
	assert_non_null(image);
	memcpy(image, full, full_len);
	expect_state(image, "clean", "");
	memcpy(find_bytes(image, full_len, "wake up, session"), "HIBR", 4);
	expect_state(image, "not clean, hibernated", "Fast Startup");
	memcpy(image, full, full_len);
	ntfs_open_bytes(&o, NULL, image, full_len, NULL);
	/* $VOLUME_INFORMATION: 8 bytes, version 3.1, flags. */
	p = image + (to_ntfs(o.fs)->boot.mft_lcn << to_ntfs(o.fs)->boot.cluster_log2) + 3 * 1024;
	p = memmem(p, 1024, "\3\1\0\0", 4);
	assert_non_null(p);
	assert_int_equal(1, vtr_fs_extents(o.fs, NTFS_LOGFILE, keep_phys, NULL, NULL));
	ntfs_done(&o);
	p[2] = 1;
	expect_state(image, "not clean, marked dirty", "marked dirty");
	p[2] = 0;
	put_restart(image + phys_of, 7, 0xffff, 0);
	put_restart(image + phys_of + 4096, 6, 0, 0);
	expect_state(image, "clean", "");
	put_restart(image + phys_of + 4096, 8, 0, 0);
	expect_state(image, "not clean, $LogFile to be replayed", "$LogFile was not closed");
	put_restart(image + phys_of + 4096, 8, 0, 2);
	expect_state(image, "clean", "");
	memset(image + phys_of, 0, 8192);
	expect_state(image, "not clean, $LogFile to be replayed", "$LogFile was not closed");
	free(image);
}

/* ----------------------------------------------------------------------------------------------------- compressions */

/* The example of MS-XCA 3.3. */
static void lznt1_is_as_in_its_specification(void **state)
{
	static const uint8_t packed[] = { 0x38, 0xb0, 0x88, 0x46, 0x23, 0x20, 0x00, 0x20, 0x47, 0x20, 0x41, 0x00,
					  0x10, 0xa2, 0x47, 0x01, 0xa0, 0x45, 0x20, 0x44, 0x00, 0x08, 0x45, 0x01,
					  0x50, 0x79, 0x00, 0xc0, 0x45, 0x20, 0x05, 0x24, 0x13, 0x88, 0x05, 0xb4,
					  0x02, 0x4a, 0x44, 0xef, 0x03, 0x58, 0x02, 0x8c, 0x09, 0x16, 0x01, 0x48,
					  0x45, 0x00, 0xbe, 0x00, 0x9e, 0x00, 0x04, 0x01, 0x18, 0x90, 0x00 };
	static const char plain[] =
		"F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E F# "
		"G F# D E F# G F# E D E A F# F# G A A G F# E D D E F# E D D";
	struct vtr_error err = { 0 };
	uint8_t out[200];

	(void)state;
	assert_int_equal(1, vtr_codec_decode(NULL, &vtr_method_lznt1, out, sizeof(out), packed, sizeof(packed), &err));
	assert_string_equal(plain, (char *)out);
	for (size_t i = sizeof(plain); i < sizeof(out); i++)
		assert_int_equal(0, out[i]);
}

static void what_is_wrong_in_compressed_bytes_is_named(void **state)
{
	static const struct {
		const struct vtr_method *method;
		size_t out_len, len;
		const char *in, *words;
	} cases[] = {
		{ &vtr_method_lznt1, 100, 4, "\x05\xb0 a", "a chunk of 6 bytes, 2 are left" },
		{ &vtr_method_lznt1, 100, 5, "\x02\xb0\x01\x00\x10", "a match 2 bytes back, 0 are there" },
		{ &vtr_method_lznt1, 100, 4, "\x01\xb0\x01\x00", "ends within a token" },
		{ &vtr_method_lznt1, 4, 6, "\x03\xb0\x02\x61\x05\x00", "a chunk of more than 4 bytes" },
		{ &vtr_method_xpress, 10, 5, "abcde", "5 bytes, the table of codes takes 256" },
		{ &vtr_method_lzx, 10, 4, "\0\0\0\0", "a block of 0 bytes" },
		{ &vtr_method_lzx, 10, 4, "\x00\x20\x00\xb0", "a block of 11 bytes, 10 are missing" },
		{ &vtr_method_lzx, 10, 4, "\x00\xa0\x00\x50", "a block of kind 5" },
	};

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		struct vtr_error err = { 0 };
		uint8_t out[100];

		assert_int_equal(0, vtr_codec_decode(NULL, cases[i].method, out, cases[i].out_len,
						     (const uint8_t *)cases[i].in, cases[i].len, &err));
		assert_int_equal(VTR_ECORRUPT, err.code);
		if (!strstr(err.text, cases[i].words))
			fail_msg("%zu: \"%s\", expected \"%s\"", i, err.text, cases[i].words);
	}
}

/* A result that is longer than the stream says must never be made up. */
static void compressed_bytes_that_end_early_are_told(void **state)
{
	struct ntfs_opened o;
	uint8_t *whole, out[90000];
	size_t len;

	(void)state;
	ntfs_open_bytes(&o, NULL, full, full_len, NULL);
	whole = ntfs_read_of(&len, &o, "/overlay/xpress4k-4096:WofCompressedData", 5000);
	assert_true(len < 4096);
	for (size_t n = 0; n < len; n += 13) {
		struct vtr_error err = { 0 };

		/* Zeros stand for what is missing, so that it may end in whatever way: but within the bounds. */
		if (vtr_codec_decode(NULL, &vtr_method_xpress, out, 4096, whole, n, &err) == 0)
			assert_int_equal(VTR_ECORRUPT, err.code);
	}
	free(whole);
	ntfs_done(&o);
}

static int load(void **state)
{
	(void)state;
	full = ntfs_image(&full_len, "full");
	return 0;
}

static int unload(void **state)
{
	(void)state;
	free(full);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ntfs_volumes_are_what_was_written),
		cmocka_unit_test(fragments_are_in_many_records),
		cmocka_unit_test(geometries_are_told),
		cmocka_unit_test(names_are_found_in_any_case),
		cmocka_unit_test(case_sensitive_directories_are),
		cmocka_unit_test(the_volumes_own_files_are_not_listed_and_found),
		cmocka_unit_test(streams_have_paths),
		cmocka_unit_test(what_only_ntfs_has_is_told),
		cmocka_unit_test(links_keep_the_letters_of_other_drives),
		cmocka_unit_test(contents_that_are_elsewhere_are_refused_by_name),
		cmocka_unit_test(a_second_reader_agrees),
		cmocka_unit_test(the_pass_over_the_mft_tells_the_same),
		cmocka_unit_test(the_state_of_the_volume_is_told),
		cmocka_unit_test(lznt1_is_as_in_its_specification),
		cmocka_unit_test(what_is_wrong_in_compressed_bytes_is_named),
		cmocka_unit_test(compressed_bytes_that_end_early_are_told),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
