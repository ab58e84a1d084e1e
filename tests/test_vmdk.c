/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VMDK: images as qemu-img 7.2 writes them against what it reads from them; images laid out by hand from VMware's
 * "Virtual Disk Format 5.0", which qemu-img reads too; descriptors in the spellings that are met with; names that are
 * not to be opened; damage.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/part_images.h"
#include "tests/qcow2_images.h"
#include "tests/vmdk_images.h"

#define TOOLS_OR_SKIP()                                                                                                \
	do {                                                                                                           \
		if (!qcow2_has_tools())                                                                                \
			skip();                                                                                        \
	} while (0)

static char path[PATH_MAX];

/* A path in the directory of the test; until the next call. */
static const char *in(const char *dir, const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_text(const char *file, const char *text)
{
	qcow2_write_file(file, text, strlen(text));
}

static void expect_like_qemu(const char *file)
{
	struct qcow2_opened o;
	const char *type;

	qcow2_open_good(&o, file, NULL);
	type = vtr_image_info(o.disk)->subformat;
	/* Holes of flat extents are data to qemu-img map, and zero. */
	qcow2_expect_qemu(o.disk, file, strstr(type, "Flat") ? "-f vmdk" : "");
	qcow2_expect_quiet(&o);
	qcow2_done(&o);
}

static const struct vtr_prop *prop(struct vtr_blk *disk, const char *key)
{
	const struct vtr_image_info *info = vtr_image_info(disk);

	for (size_t i = 0; i < info->n_props; i++)
		if (strcmp(info->props[i].key, key) == 0)
			return &info->props[i];
	fail_msg("no fact \"%s\"", key);
	return NULL;
}

static bool has_prop(struct vtr_blk *disk, const char *key)
{
	const struct vtr_image_info *info = vtr_image_info(disk);

	for (size_t i = 0; i < info->n_props; i++)
		if (strcmp(info->props[i].key, key) == 0)
			return true;
	return false;
}

/* Read all of it; what fails is left in o. */
static void read_all(struct qcow2_opened *o)
{
	size_t len = (size_t)vtr_blk_size(o->disk);
	uint8_t *buf = malloc(len + 1);

	assert_non_null(buf);
	o->rc = vtr_blk_pread(o->disk, 0, buf, len, &o->err);
	free(buf);
	if (o->rc < 0) {
		vtr_blk_unref(o->disk);
		o->disk = NULL;
	}
}

static void expect_disk(struct qcow2_opened *o, int kind, uint32_t seed, const uint8_t *parent)
{
	uint64_t len;
	uint8_t *disk = vmdk_build_disk(&len, kind, seed, parent);

	if (o->rc < 0)
		print_error("%s\n", o->err.text);
	assert_int_equal(0, o->rc);
	qcow2_expect_bytes(o->disk, disk, len);
	free(disk);
}

/* --------------------------------------------------------------------------------------------------- other writers */

static const char *const subformats[] = { "monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse",
					  "twoGbMaxExtentFlat", "streamOptimized" };

static void what_qemu_writes_is_what_it_reads(void **state)
{
	static const char *const options[] = { "", ",compat6=on", ",adapter_type=lsilogic,hwversion=7",
					       ",zeroed_grain=on" };
	size_t len = 3000000 / 512 * 512;
	uint8_t *noise = malloc(len);
	char *dir;

	(void)state;
	TOOLS_OR_SKIP();
	assert_non_null(noise);
	dir = part_temp();
	qcow2_noise(noise, len, 77);
	qcow2_write_file(in(dir, "raw"), noise, len);
	for (size_t s = 0; s < VTR_COUNT(subformats); s++)
		for (size_t i = 0; i < VTR_COUNT(options); i++) {
			struct qcow2_opened o;
			bool flat = strstr(subformats[s], "Flat") != NULL;

			if (i == 3 && flat)
				continue;
			part_run("cd '%s' && rm -f i*.vmdk && qemu-img convert -O vmdk -o subformat=%s%s raw i.vmdk",
				 dir, subformats[s], options[i]);
			expect_like_qemu(in(dir, "i.vmdk"));
			qcow2_open_good(&o, in(dir, "i.vmdk"), NULL);
			qcow2_expect_bytes(o.disk, noise, len);
			assert_string_equal(subformats[s], vtr_image_info(o.disk)->subformat);
			assert_int_equal(flat ? 0 : 65536, vtr_image_info(o.disk)->cluster_size);
			assert_string_equal(i == 2 ? "lsilogic" : "ide", prop(o.disk, "adapter_type")->text);
			assert_string_equal(i == 1 ? "6" : i == 2 ? "7" : "4", prop(o.disk, "hw_version")->text);
			if (!flat)
				assert_int_equal(i == 3, prop(o.disk, "zeroed_grains")->number);
			qcow2_done(&o);
		}
	free(noise);
	part_temp_done(dir);
}

/* Zeroed grains, discarded ones, those that were written to; sizes that end within a grain. */
static void grains_of_each_kind_are_read(void **state)
{
	char *dir;

	(void)state;
	TOOLS_OR_SKIP();
	dir = part_temp();
	part_run(
		"cd '%s' && qemu-img create -q -f vmdk -o zeroed_grain=on i.vmdk 40000512 && "
		"qemu-io -f vmdk -c 'write -P 1 0 65536' -c 'write -P 2 100000 70000' -c 'write -z 65536 65536' "
		"-c 'write -P 3 39000064 1000448' -c 'write -z 33554432 131072' -c 'write -P 9 5M 3M' i.vmdk >/dev/null",
		dir);
	expect_like_qemu(in(dir, "i.vmdk"));
	part_run("cd '%s' && qemu-img convert -O vmdk -o subformat=streamOptimized i.vmdk s.vmdk && "
		 "qemu-img convert -O vmdk -o subformat=twoGbMaxExtentSparse i.vmdk t.vmdk",
		 dir);
	expect_like_qemu(in(dir, "s.vmdk"));
	expect_like_qemu(in(dir, "t.vmdk"));
	part_temp_done(dir);
}

/* A disk in several files. */
static void extents_follow_each_other(void **state)
{
	static const char *const kinds[] = { "twoGbMaxExtentSparse", "twoGbMaxExtentFlat" };
	const uint64_t edge = 2047ull << 20; /* where qemu-img goes on with the next */
	char *dir;

	(void)state;
	TOOLS_OR_SKIP();
	dir = part_temp();
	for (size_t i = 0; i < VTR_COUNT(kinds); i++) {
		struct qcow2_opened o;
		uint8_t buf[8192], want[8192];

		part_run("cd '%s' && rm -f d* && qemu-img create -q -f vmdk -o subformat=%s d.vmdk 5G && "
			 "qemu-io -f vmdk -c 'write -P 1 0 4096' -c 'write -P 2 %" PRIu64
			 " 4096' -c 'write -P 3 %" PRIu64 " 4096' -c 'write -P 4 5368705024 4096' d.vmdk >/dev/null",
			 dir, kinds[i], edge - 4096, edge);
		qcow2_open_good(&o, in(dir, "d.vmdk"), NULL);
		assert_int_equal(5ull << 30, vtr_blk_size(o.disk));
		assert_int_equal(3, prop(o.disk, "extents")->number);
		assert_int_equal(3, vtr_image_info(o.disk)->n_files);
		assert_string_equal("extent", vtr_image_info(o.disk)->files[2].role);
		memset(want, 2, 4096);
		memset(want + 4096, 3, 4096);
		assert_int_equal(0, vtr_blk_pread(o.disk, edge - 4096, buf, sizeof(buf), NULL));
		assert_memory_equal(want, buf, sizeof(buf));
		memset(want, 0, 4096);
		memset(want + 4096, 4, 4096);
		assert_int_equal(0, vtr_blk_pread(o.disk, (5ull << 30) - 8192, buf, sizeof(buf), NULL));
		assert_memory_equal(want, buf, sizeof(buf));
		qcow2_expect_quiet(&o);
		qcow2_done(&o);
	}
	part_temp_done(dir);
}

static void chains_are_read(void **state)
{
	struct qcow2_opened o;
	char *dir;

	(void)state;
	TOOLS_OR_SKIP();
	dir = part_temp();
	part_run("cd '%s' && mkdir sub && yes | head -c 2000384 >raw && "
		 "qemu-img convert -O vmdk -o subformat=streamOptimized raw sub/base.vmdk && "
		 "qemu-img create -q -f vmdk -F vmdk -b sub/base.vmdk mid.vmdk && "
		 "qemu-io -f vmdk -c 'write -P 1 65536 65536' mid.vmdk >/dev/null && "
		 "qemu-img create -q -f vmdk -F vmdk -o zeroed_grain=on -b mid.vmdk top.vmdk && "
		 "qemu-io -f vmdk -c 'write -P 2 200000 1000' -c 'write -z 0 65536' top.vmdk >/dev/null",
		 dir);
	expect_like_qemu(in(dir, "top.vmdk"));
	qcow2_open_good(&o, in(dir, "top.vmdk"), NULL);
	assert_int_equal(VTR_MATCH_YES, vtr_image_info(o.disk)->parent_match);
	assert_string_equal(vtr_image_info(o.disk)->parent_id, vtr_image_info(vtr_image_backing(o.disk))->content_id);
	assert_string_equal("mid.vmdk", vtr_image_info(o.disk)->backing);
	qcow2_done(&o);
	/* Written to since: it has another CID. */
	part_run("qemu-io -f vmdk -c 'write -P 9 0 512' '%s/mid.vmdk' >/dev/null", dir);
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, in(dir, "top.vmdk"), NULL);
	qcow2_expect_error(&o, VTR_ECORRUPT, "it is another image, or was written to since this one was made");
	{
		struct vtr_image_options any = { .any_parent = true };

		qcow2_open(&o, path, &any);
		assert_int_equal(0, o.rc);
		qcow2_expect_said(&o, "corrupt: ");
		assert_int_equal(VTR_MATCH_NO, vtr_image_info(o.disk)->parent_match);
	}
	qcow2_done(&o);
	/* Not allowed to look. */
	qcow2_start(&o, NULL, false);
	qcow2_open(&o, in(dir, "top.vmdk"), NULL);
	qcow2_expect_error(&o, VTR_EPOLICY, "backing file \"mid.vmdk\" is not opened: --follow");
	qcow2_done(&o);
	part_temp_done(dir);
}

/* ------------------------------------------------------------------------------------------------- made by hand */

static void open_built(struct qcow2_opened *o, int kind, const char *text, bool follow)
{
	size_t len;
	uint8_t *image = vmdk_build(&len, kind, text, 1);

	qcow2_start(o, NULL, follow);
	qcow2_open_bytes(o, image, len, NULL);
	free(image);
}

/* The four layouts, by us and by qemu-img, against the bytes that they were made of. */
static void what_is_laid_out_by_hand_is_read(void **state)
{
	static const struct {
		int kind;
		const char *text; /* of the descriptor of its own; NULL: it is embedded */
	} rows[] = {
		{ VMDK_BUILD_SPARSE, NULL },
		{ VMDK_BUILD_STREAM, NULL },
		{ VMDK_BUILD_COWD,
		  "CID=fffffffe\nparentCID=ffffffff\ncreateType=\"vmfsSparse\"\nRW 10 VMFSSPARSE \"x\"\n" },
		{ VMDK_BUILD_SESPARSE, "CID=1\nparentCID=ffffffff\ncreateType=\"seSparse\"\nRW 41 SESPARSE \"x\"\n" },
	};
	char *dir = part_temp();

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(rows); i++)
		for (uint32_t seed = 1; seed < 3; seed++) {
			struct qcow2_opened o;
			size_t len;
			uint8_t *image = vmdk_build(&len, rows[i].kind, NULL, seed), *got;
			uint64_t n, n_got;
			uint8_t *disk = vmdk_build_disk(&n, rows[i].kind, seed, NULL);

			qcow2_write_file(in(dir, rows[i].text ? "x" : "i"), image, len);
			if (rows[i].text)
				write_text(in(dir, "i"), vmdk_text("%s", rows[i].text));
			qcow2_open_good(&o, in(dir, "i"), NULL);
			expect_disk(&o, rows[i].kind, seed, NULL);
			qcow2_expect_quiet(&o);
			assert_int_equal(512, vtr_image_info(o.disk)->logical_sector);
			if (part_has_tool("qemu-img")) {
				part_run("cd '%s' && qemu-img convert -f vmdk -O raw i raw", dir);
				got = qcow2_file(in(dir, "raw"), &n_got);
				assert_int_equal(n, n_got);
				assert_memory_equal(disk, got, n);
				free(got);
			}
			qcow2_done(&o);
			free(image);
			free(disk);
		}
	part_temp_done(dir);
}

static void facts_are_told(void **state)
{
	static const char text[] =
		"encoding=\"windows-1252\"\nCID=abc\nparentCID=ffffffff\nisNativeSnapshot=\"no\"\ncreateType=\"custom\"\n"
		"RW 89 SPARSE \"disk.vmdk\"\nchangeTrackPath=\"d-ctk.vmdk\"\nddb.adapterType = \"lsilogic\"\n"
		"ddb.geometry.cylinders = \"5\"\nddb.geometry.heads = \"16\"\nddb.geometry.sectors = \"63\"\n"
		"ddb.uuid = \"60 00 C2 9a\"\nddb.virtualHWVersion = \"21\"\nddb.toolsVersion = \"12352\"\n"
		"ddb.thinProvisioned = \"1\"\nddb.longContentID = \"585d5321e58749a4844754b97cbff84f\"\n"
		"ddb.nativeParentCID = \"1f\"\nddb.objectParentUri = \"vvol://x\"\nddb.comment = \"caf\xe9\"\n";
	static const struct {
		const char *key, *value;
	} facts[] = {
		{ "adapter_type", "lsilogic" },
		{ "geometry", "5/16/63" },
		{ "hw_version", "21" },
		{ "tools_version", "12352" },
		{ "long_content_id", "585d5321e58749a4844754b97cbff84f" },
		{ "change_track_path", "d-ctk.vmdk" },
		{ "native_parent_cid", "1f" },
		{ "object_parent_uri", "vvol://x" },
		{ "encoding", "windows-1252" },
		{ "extent_types", "SPARSE" },
		{ "extent_names", "disk.vmdk" },
		{ "descriptor", "embedded" },
		{ "comment", "caf\xc3\xa9" },
	};
	const struct vtr_image_info *info;
	struct qcow2_opened o;

	(void)state;
	open_built(&o, VMDK_BUILD_SPARSE, text, false);
	expect_disk(&o, VMDK_BUILD_SPARSE, 1, NULL);
	info = vtr_image_info(o.disk);
	assert_string_equal("vmdk", info->format);
	assert_string_equal("custom", info->subformat);
	assert_string_equal("00000abc", info->content_id);
	assert_null(info->parent_id);
	assert_string_equal("60 00 C2 9a", info->id);
	assert_int_equal(4096, info->cluster_size);
	assert_false(info->dirty);
	assert_null(info->compression);
	for (size_t i = 0; i < VTR_COUNT(facts); i++)
		assert_string_equal(facts[i].value, prop(o.disk, facts[i].key)->text);
	assert_int_equal(1, prop(o.disk, "thin_provisioned")->number);
	assert_int_equal(0, prop(o.disk, "native_snapshot")->number);
	assert_int_equal(1, prop(o.disk, "redundant_tables")->number);
	assert_int_equal(2, prop(o.disk, "version")->number);
	assert_false(has_prop(o.disk, "rebuilt"));
	qcow2_expect_quiet(&o);
	qcow2_done(&o);
	open_built(&o, VMDK_BUILD_STREAM, NULL, false);
	assert_string_equal("zlib", vtr_image_info(o.disk)->compression);
	assert_string_equal("streamOptimized", vtr_image_info(o.disk)->subformat);
	qcow2_done(&o);
}

static void an_unclean_shutdown_is_told(void **state)
{
	static const struct {
		int kind;
		size_t at;
	} rows[] = { { VMDK_BUILD_SPARSE, 72 }, { VMDK_BUILD_COWD, 1648 } };

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		struct qcow2_opened o;
		size_t len;
		uint8_t *image = vmdk_build(&len, rows[i].kind, NULL, 1);

		image[rows[i].at] = 1;
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, image, len, NULL);
		expect_disk(&o, rows[i].kind, 1, NULL);
		assert_true(vtr_image_info(o.disk)->dirty);
		qcow2_done(&o);
		free(image);
	}
}

/* A part of a disk, without what tells of the whole. */
static void an_extent_by_itself_is_read(void **state)
{
	static const struct {
		int kind;
		const char *subformat;
	} rows[] = {
		{ VMDK_BUILD_SPARSE, "sparse extent" },
		{ VMDK_BUILD_STREAM, "sparse extent" },
		{ VMDK_BUILD_COWD, "COWD extent" },
		{ VMDK_BUILD_SESPARSE, "seSparse extent" },
	};
	struct qcow2_opened o;

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		open_built(&o, rows[i].kind, "", false);
		expect_disk(&o, rows[i].kind, 1, NULL);
		qcow2_expect_said(&o, "note: vmdk: an extent without its descriptor");
		assert_int_equal(0, vtr_ctx_damage(o.ctx));
		assert_string_equal(rows[i].subformat, vtr_image_info(o.disk)->subformat);
		assert_string_equal("none", prop(o.disk, "descriptor")->text);
		qcow2_done(&o);
	}
	/* One that qemu-img wrote as a part. */
	if (part_has_tool("qemu-img")) {
		char *dir = part_temp();

		part_run("cd '%s' && yes | head -c 1000448 >raw && "
			 "qemu-img convert -O vmdk -o subformat=twoGbMaxExtentSparse raw d.vmdk",
			 dir);
		qcow2_open_good(&o, in(dir, "d-s001.vmdk"), NULL);
		{
			uint64_t len;
			uint8_t *raw = qcow2_file(in(dir, "raw"), &len);

			qcow2_expect_bytes(o.disk, raw, len);
			free(raw);
		}
		qcow2_done(&o);
		part_temp_done(dir);
	}
}

/* A journal of which nothing is known is not replayed. */
static void a_sesparse_extent_with_a_journal_is_refused(void **state)
{
	struct qcow2_opened o;
	size_t len;
	uint8_t *image = vmdk_build(&len, VMDK_BUILD_SESPARSE, NULL, 1);

	(void)state;
	image[512 + 24] = 1;
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, image, len, NULL);
	qcow2_expect_error(&o, VTR_EUNSUPPORTED, "its journal must be replayed");
	vtr_ctx_no_replay(o.ctx, true);
	qcow2_open_bytes(&o, image, len, NULL);
	expect_disk(&o, VMDK_BUILD_SESPARSE, 1, NULL);
	qcow2_expect_said(&o, "its journal waits to be replayed: it is read as it lies");
	assert_true(vtr_image_info(o.disk)->dirty);
	qcow2_done(&o);
	free(image);
}

/* Old redo logs name what they lie on. */
static void the_parent_of_a_cowd_extent_is_named(void **state)
{
	struct qcow2_opened o;
	size_t len;
	uint8_t *image = vmdk_build(&len, VMDK_BUILD_COWD, NULL, 1);

	(void)state;
	image[8] = 2; /* no root */
	memcpy(image + 32, "base.vmdk", 10);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, image, len, NULL);
	expect_disk(&o, VMDK_BUILD_COWD, 1, NULL);
	assert_string_equal("base.vmdk", prop(o.disk, "named_parent")->text);
	qcow2_done(&o);
	free(image);
}

/* Compressed grains need no markers. */
static void a_stream_without_markers_is_read(void **state)
{
	struct qcow2_opened o;
	size_t len, at = 4 * 512;
	uint8_t *image = vmdk_build(&len, VMDK_BUILD_STREAM, NULL, 2);

	(void)state;
	while (at + 1536 < len) {
		size_t size = image[at + 8] | (size_t)image[at + 9] << 8;

		if (size > 0) {
			memmove(image + at, image + at + 12, size);
			at += (12 + size + 511) / 512 * 512;
		} else {
			at += 1024; /* a marker, and the table or directory behind it */
		}
	}
	vmdk_put(image + 8, 4, 0x10001);
	vmdk_put(image + len - 1024 + 8, 4, 0x10001);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, image, len, NULL);
	expect_disk(&o, VMDK_BUILD_STREAM, 2, NULL);
	qcow2_expect_quiet(&o);
	qcow2_done(&o);
	free(image);
}

/* A zeroed table hides the parent, as a zeroed grain does; one that is not there does not. */
static void zeroed_tables_hide_the_parent(void **state)
{
	static const char text[] =
		"CID=1\nparentCID=12345678\nparentFileNameHint=\"p.vmdk\"\nRW 89 SPARSE \"i.vmdk\"\n";
	char *dir = part_temp();

	(void)state;
	for (int zeroed = 0; zeroed < 2; zeroed++) {
		struct qcow2_opened o;
		size_t len;
		uint64_t n;
		uint8_t *image, *parent, *disk;

		/* A parent that has all of its sectors. */
		n = 89 * 512;
		parent = malloc(n);
		assert_non_null(parent);
		memset(parent, 0x5a, n);
		qcow2_write_file(in(dir, "flat"), parent, n);
		write_text(in(dir, "p.vmdk"), vmdk_text("CID=12345678\nparentCID=ffffffff\nRW 89 FLAT \"flat\" 0\n"));
		image = vmdk_build(&len, VMDK_BUILD_SPARSE, text, 1);
		disk = vmdk_build_disk(&n, VMDK_BUILD_SPARSE, 1, parent);
		if (zeroed) {
			vmdk_put(image + VMDK_BUILD_GD + 4, 4, 1);
			vmdk_put(image + VMDK_BUILD_GD2 + 4, 4, 1);
			memset(disk + 4 * 4096, 0, 4 * 4096);
		}
		qcow2_write_file(in(dir, "i.vmdk"), image, len);
		qcow2_open_good(&o, path, NULL);
		qcow2_expect_quiet(&o);
		for (uint64_t off = 0; off < n; off += 512) {
			uint8_t buf[512];

			assert_int_equal(0, vtr_blk_pread(o.disk, off, buf, 512, NULL));
			assert_memory_equal(disk + off, buf, 512);
		}
		qcow2_done(&o);
		free(image);
		free(parent);
		free(disk);
	}
	part_temp_done(dir);
}

/* Parts of one file, in any order. */
static void extents_share_a_file(void **state)
{
	uint8_t bytes[4096], disk[5 * 512];
	struct qcow2_opened o;
	char *dir = part_temp();

	(void)state;
	qcow2_noise(bytes, sizeof(bytes), 3);
	memcpy(disk, bytes + 3 * 512, 2 * 512);
	memcpy(disk + 2 * 512, bytes, 3 * 512);
	qcow2_write_file(in(dir, "a"), bytes, sizeof(bytes));
	write_text(in(dir, "i.vmdk"), vmdk_text("RW 2 FLAT \"a\" 3\nRW 3 FLAT \"a\" 0\n"));
	qcow2_open_good(&o, path, NULL);
	qcow2_expect_bytes(o.disk, disk, sizeof(disk));
	assert_int_equal(1, vtr_image_info(o.disk)->n_files);
	qcow2_done(&o);
	part_temp_done(dir);
}

static void odd_parents_are_told(void **state)
{
	struct vtr_image_options snapshot = { .snapshot = "one" };
	struct qcow2_opened o;
	char *dir = part_temp();

	(void)state;
	write_text(in(dir, "p"), vmdk_text("CID=1\nRW 1 ZERO\n"));
	write_text(in(dir, "i"),
		   vmdk_text("CID=what\nparentCID=ffffffff\nparentFileNameHint=\"D:\\x\\p\"\nRW 1 ZERO\n"));
	qcow2_open_good(&o, path, NULL);
	qcow2_expect_said(&o, "it names a parent, and has no parentCID to know it by");
	qcow2_expect_said(&o, "CID \"what\" is no number of 8 hexadecimal digits");
	assert_non_null(vtr_image_backing(o.disk));
	assert_null(vtr_image_info(o.disk)->content_id);
	assert_int_equal(VTR_MATCH_UNKNOWN, vtr_image_info(o.disk)->parent_match);
	qcow2_done(&o);
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, in(dir, "i"), &snapshot);
	qcow2_expect_error(&o, VTR_ENOTFOUND, "no snapshot \"one\": each is a disk of its own");
	/* A parent of the image itself. */
	write_text(in(dir, "i"), vmdk_text("CID=1\nparentCID=1\nparentFileNameHint=\"i\"\nRW 1 ZERO\n"));
	qcow2_open(&o, path, NULL);
	qcow2_expect_error(&o, VTR_ECORRUPT, "a cycle");
	/* An encrypted configuration of VMware's is none of a disk. */
	write_text(in(dir, "i"), ".encoding = \"UTF-8\"\nencryption.keySafe = \"x\"\nencryption.data = \"y\"\n");
	qcow2_open(&o, path, NULL);
	qcow2_expect_error(&o, VTR_EUNSUPPORTED, "encrypted, by encryption.keySafe");
	qcow2_done(&o);
	part_temp_done(dir);
}

/* ----------------------------------------------------------------------------------------------------- descriptors */

/* Spellings of a descriptor of the same disk: "a" from its second sector, two sectors of zeros, "b". */
static void odd_spellings_are_read(void **state)
{
	static const struct {
		const char *text;
		size_t len; /* 0: up to its NUL */
	} rows[] = {
#define ROW(text) { text, 0 }
#define LINES(end)                                                                                                     \
	"# Disk DescriptorFile" end "version=1" end "CID=1" end "parentCID=ffffffff" end                               \
	"createType=\"monolithicFlat\"" end "RW 3 FLAT \"a\" 1" end "RW 2 ZERO" end "RW 4 FLAT \"b\" 0" end
		ROW(LINES("\n")),
		ROW(LINES("\r\n")),
		ROW(LINES("\r")),
		ROW(LINES("  \n\n")),
		ROW("\xef\xbb\xbf" LINES("\n")),
		ROW("#Disk DescriptorFile\nversion=1\nRW 3 FLAT \"a\" 1\nRW 2 ZERO\nRW 4 VMFS \"b\""),
		ROW("#  DISK DESCRIPTORFILE\nVERSION = 3\ncreatetype = monolithicflat\n\trw\t3\tflat\t\"a\"\t1\n"
		    "rdonly 2 zero\nrDoNlY 4 vmfs \"b\" 0\n"),
		ROW("\n\n  # a comment\n\n# Disk DescriptorFile\n \nRW 3 FLAT a 1\nRW 2 ZERO \"\"\nRW 4 FLAT b\n"),
		ROW("version=1\nCreateType=\"custom\"\n  RW   3   FLAT   \"a\"   1 partitionUUID x\n"
		    "RW 2 ZERO\nRW 4 FLAT \"b\" 0\n"),
		ROW("# Disk DescriptorFile\nencoding=\"UTF-8\"\nRW 3 FLAT \"a\" 1\nRW 0 FLAT \"nothing\" 0\nNOACCESS 2 FLAT "
		    "\"/dev/sda\" 5\nRW 4 FLAT \"b\" 0\nthis line means nothing\n=\n\"\n"),
		ROW("# Disk DescriptorFile\nRW 3 FLAT \"C:\\\\VMs\\a\" 1\nRW 2 ZERO\nRW 4 FLAT \"sub\\..\\b\" 0\n"),
		ROW("# Disk DescriptorFile\nRW 3 FLAT \"/vmfs/volumes/x/a\" 1\nRW 2 ZERO\nRW 4 FLAT \"./b\" 0\n"),
		{ "# Disk DescriptorFile\nRW 3 FLAT \"a\" 1\nRW 2 ZERO\nRW 4 FLAT \"b\" 0\n\0RW 9 ZERO\n", 75 },
	};
	uint8_t a[2048], b[2048], disk[9 * 512] = { 0 };
	char *dir = part_temp();

	(void)state;
	qcow2_noise(a, sizeof(a), 1);
	qcow2_noise(b, sizeof(b), 3);
	memcpy(disk, a + 512, 3 * 512);
	memcpy(disk + 5 * 512, b, 4 * 512);
	qcow2_write_file(in(dir, "a"), a, sizeof(a));
	qcow2_write_file(in(dir, "b"), b, sizeof(b));
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		size_t len = rows[i].len ? rows[i].len : strlen(rows[i].text);

		for (int wide = 0; wide < 5; wide++) {
			uint8_t text[4096];
			size_t n = 0;
			struct qcow2_opened o;

			/* UTF-16, little and big endian, with a mark and without. */
			if (wide && (rows[i].text[0] == '\xef' || (wide > 2 && rows[i].text[0] != '#')))
				continue;
			if (wide == 1 || wide == 2) {
				text[n++] = wide == 1 ? 0xff : 0xfe;
				text[n++] = wide == 1 ? 0xfe : 0xff;
			}
			for (size_t k = 0; k < len; k++) {
				if (wide && wide % 2 == 0)
					text[n++] = 0;
				text[n++] = (uint8_t)rows[i].text[k];
				if (wide % 2)
					text[n++] = 0;
			}
			qcow2_write_file(in(dir, "i"), text, n);
			qcow2_start(&o, NULL, true);
			qcow2_open(&o, path, NULL);
			if (o.rc < 0)
				print_error("row %zu.%d: %s\n", i, wide, o.err.text);
			assert_int_equal(0, o.rc);
			qcow2_expect_bytes(o.disk, disk, sizeof(disk));
			assert_int_equal(0, vtr_ctx_damage(o.ctx));
			qcow2_done(&o);
		}
	}
	part_temp_done(dir);
}

/* A file whose name is written in an encoding, and is UTF-8 on this host, or the same bytes. */
static void names_in_other_encodings_are_found(void **state)
{
	static const struct {
		const char *encoding, *written, *utf8;
	} rows[] = {
		{ "windows-1252", "b\xfcro", "b\xc3\xbcro" },
		{ "GBK", "\xb4\xc5\xc5\xcc", "\xe7\xa3\x81\xe7\x9b\x98" },
		{ "Shift_JIS", "\x83\x66\x83\x42\x83\x58\x83\x4e", "\xe3\x83\x87\xe3\x82\xa3\xe3\x82\xb9\xe3\x82\xaf" },
		{ "big5", "\xba\xcf\xba\xd0", "\xe7\xa3\x81\xe7\xa2\x9f" },
		{ "windows-1251", "\xe4\xe8\xf1\xea", "\xd0\xb4\xd0\xb8\xd1\x81\xd0\xba" },
		{ "EUC-KR", "\xb5\xf0\xbd\xba\xc5\xa9", "\xeb\x94\x94\xec\x8a\xa4\xed\x81\xac" },
		{ "UTF-8", "\xc3\xa9", "\xc3\xa9" },
		{ NULL, "\xc3\xa9", "\xc3\xa9" },
		{ NULL, "caf\xe9", "caf\xc3\xa9" },
		{ "no such thing", "\xe9", "\xe9" },
	};
	uint8_t bytes[512];

	(void)state;
	memset(bytes, 7, sizeof(bytes));
	for (size_t i = 0; i < VTR_COUNT(rows); i++)
		for (int as = 0; as < 2; as++) {
			char *dir = part_temp();
			struct qcow2_opened o;

			qcow2_write_file(in(dir, as ? rows[i].written : rows[i].utf8), bytes, sizeof(bytes));
			write_text(in(dir, "i.vmdk"),
				   vmdk_text("%s%s%s%sRW 1 FLAT \"%s\" 0\n", rows[i].encoding ? "encoding=\"" : "",
					     rows[i].encoding ? rows[i].encoding : "", rows[i].encoding ? "\"" : "",
					     "\n", rows[i].written));
			qcow2_open_good(&o, in(dir, "i.vmdk"), NULL);
			qcow2_expect_bytes(o.disk, bytes, sizeof(bytes));
			qcow2_done(&o);
			part_temp_done(dir);
		}
}

static void descriptors_that_are_wrong_are_refused(void **state)
{
	static const struct {
		const char *lines;
		int code;
		const char *words;
	} rows[] = {
		{ "", VTR_ECORRUPT, "descriptor: it names no extents" },
		{ "RW x FLAT \"a\" 0\n", VTR_ECORRUPT, "line 3: extent: \"x\" is no number of sectors" },
		{ "RW -1 FLAT \"a\" 0\n", VTR_ECORRUPT, "\"-1\" is no number of sectors" },
		{ "RW 99999999999999999999 FLAT \"a\" 0\n", VTR_ECORRUPT, "is no number of sectors" },
		{ "RW 18014398509481984 FLAT \"a\" 0\n", VTR_ECORRUPT, "is no number of sectors" },
		{ "RW 18014398509481983 ZERO\nRW 9 ZERO\n", VTR_ECORRUPT, "the extents have more than 2^63 bytes" },
		{ "RW 1 FLAT \"a\" z\n", VTR_ECORRUPT, "\"z\" is no offset in sectors" },
		{ "RW 1 FLAT \"a\" 18014398509481984\n", VTR_ECORRUPT, "is more than 2^63 bytes" },
		{ "RW 1 FLAT \"a 0\n", VTR_ECORRUPT, "the name has no end" },
		{ "RW 1 FLAT\n", VTR_ECORRUPT, "it names no file" },
		{ "RW 1 FLAT \"\" 0\n", VTR_ECORRUPT, "it names no file" },
		{ "RW 1\n", VTR_ECORRUPT, "the type \"\" is unknown" },
		{ "RW 1 QUILT \"a\"\n", VTR_EUNSUPPORTED, "the type \"QUILT\" is unknown" },
		{ "RW 1 VMFSRDM \"a\"\n", VTR_EUNSUPPORTED, "the type VMFSRDM, a device of the host that wrote it" },
		{ "RW 1 VMFSRAW \"a\"\n", VTR_EUNSUPPORTED, "the type VMFSRAW" },
		{ "RW 1 SPARSE \"a\"\n", VTR_ECORRUPT,
		  "extent 1, \"a\": no header of a sparse extent: it starts with 07 07 07 07" },
		{ "RW 1 FLAT \"i.vmdk\" 0\n", VTR_ECORRUPT, "is an image of its own chain: a cycle" },
		{ "RW 1 FLAT \"missing\" 0\n", VTR_ENOTFOUND, "missing" },
		{ "RW 1 ZERO\nparentCID=12345678\n", VTR_ENOTFOUND, "it does not name its parent" },
		{ "RW 1 ZERO\nparentCID=12345678\nddb.uuid.parent=\"b0a7\"\n", VTR_ENOTFOUND,
		  "it names its parent by the id b0a7 alone, and no file" },
		{ "RW 1 ZERO\nparentCID=1\nparentFileNameHint=\"a\"\n", VTR_ECORRUPT, "does not start with" },
		{ "RW 1 ZERO\nencryption.keySafe = \"vmware:key/list/x\"\nencryption.data=\"x\"\n", VTR_EUNSUPPORTED,
		  "encrypted, by encryption.keySafe: not read" },
		{ "RW 1 ZERO\nencryption.data=\"x\"\n", VTR_EUNSUPPORTED, "encrypted, by encryption.data" },
		{ "RW 1 ZERO\nencryptionKeys=\"vmware:key/list/x\"\n", VTR_EUNSUPPORTED,
		  "encrypted, by encryptionKeys" },
		{ "RW 1 ZERO\nddb.iofilters = \"vmwarevmcrypt\"\n", VTR_EUNSUPPORTED,
		  "encrypted, by the I/O filter vmwarevmcrypt" },
	};
	uint8_t bytes[512];
	char *dir = part_temp();

	(void)state;
	memset(bytes, 7, sizeof(bytes));
	qcow2_write_file(in(dir, "a"), bytes, sizeof(bytes));
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		struct vtr_image_options alone = { .alone = true };
		struct qcow2_opened o;

		write_text(in(dir, "i.vmdk"), vmdk_text("%s", rows[i].lines));
		qcow2_start(&o, NULL, true);
		qcow2_open(&o, path, NULL);
		qcow2_expect_error(&o, rows[i].code, rows[i].words);
		/* What is encrypted tells its facts. */
		if (strstr(rows[i].words, "encrypted")) {
			qcow2_open(&o, path, &alone);
			assert_int_equal(0, o.rc);
			assert_true(vtr_image_info(o.disk)->encrypted);
			assert_non_null(strstr(rows[i].words, prop(o.disk, "encryption")->text));
		}
		qcow2_done(&o);
	}
	part_temp_done(dir);
}

static void a_descriptor_of_many_extents_is_bounded(void **state)
{
	size_t n = 4097, len = 0;
	char *text = malloc(n * 16 + 64);
	struct qcow2_opened o;

	(void)state;
	assert_non_null(text);
	len = (size_t)sprintf(text, "# Disk DescriptorFile\n");
	for (size_t i = 0; i < n; i++)
		len += (size_t)sprintf(text + len, "RW 1 ZERO\n");
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, text, len, NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "more than 4096 extents");
	qcow2_open_bytes(&o, text, len - 10, NULL);
	assert_int_equal(0, o.rc);
	assert_int_equal(4096 * 512, vtr_blk_size(o.disk));
	qcow2_done(&o);
	free(text);
	text = calloc(1, (1 << 20) + 1);
	assert_non_null(text);
	strcpy(text, "# Disk DescriptorFile\nRW 1 ZERO\n");
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, text, (1 << 20) + 1, NULL);
	qcow2_expect_error(&o, VTR_ECORRUPT, "a descriptor of 1048577 bytes, at most 1048576");
	qcow2_open_bytes(&o, text, 1 << 20, NULL);
	assert_int_equal(0, o.rc);
	qcow2_done(&o);
	free(text);
}

/* What is asked about the image alone opens no other file. */
static void alone_opens_no_other_file(void **state)
{
	struct vtr_image_options alone = { .alone = true };
	struct qcow2_opened o;
	uint8_t byte;

	(void)state;
	qcow2_start(&o, NULL, true);
	qcow2_open_bytes(
		&o,
		vmdk_text("CID=7\nparentCID=8\nparentFileNameHint=\"p\"\ncreateType=\"vmfs\"\nRW 3 VMFS \"x\"\n"
			  "RW 2 ZERO\nRW 1 VMFSRDM \"y\"\n"),
		strlen(vmdk_text("CID=7\nparentCID=8\nparentFileNameHint=\"p\"\ncreateType=\"vmfs\"\nRW 3 VMFS "
				 "\"x\"\nRW 2 ZERO\nRW 1 VMFSRDM \"y\"\n")),
		&alone);
	assert_int_equal(0, o.rc);
	assert_int_equal(6 * 512, vtr_blk_size(o.disk));
	assert_string_equal("00000008", vtr_image_info(o.disk)->parent_id);
	assert_string_equal("VMFS, ZERO, VMFSRDM", prop(o.disk, "extent_types")->text);
	assert_string_equal("x, y", prop(o.disk, "extent_names")->text);
	assert_int_equal(-1, vtr_blk_pread(o.disk, 0, &byte, 1, &o.err));
	assert_int_equal(VTR_EPOLICY, o.err.code);
	assert_non_null(strstr(o.err.text, "extent \"x\": it is not opened"));
	assert_int_equal(0, vtr_blk_pread(o.disk, 3 * 512, &byte, 1, NULL));
	qcow2_done(&o);
}

/* A flat file that is shorter than the descriptor says. */
static void a_short_flat_extent_is_told(void **state)
{
	uint8_t bytes[1024], buf[1024];
	struct qcow2_opened o;
	char *dir = part_temp();

	(void)state;
	memset(bytes, 7, sizeof(bytes));
	qcow2_write_file(in(dir, "a"), bytes, sizeof(bytes));
	write_text(in(dir, "i.vmdk"), vmdk_text("RW 4 FLAT \"a\" 0\n"));
	qcow2_open_good(&o, path, NULL);
	qcow2_expect_said(&o, "truncated: ");
	qcow2_expect_said(&o, "extent \"a\": it has 1024 bytes, 2048 at 0 are expected");
	assert_int_equal(0, vtr_blk_pread(o.disk, 0, buf, sizeof(buf), NULL));
	assert_memory_equal(bytes, buf, sizeof(buf));
	assert_int_equal(-1, vtr_blk_pread(o.disk, 512, buf, sizeof(buf), &o.err));
	assert_int_equal(VTR_ETRUNCATED, o.err.code);
	qcow2_done(&o);
	part_temp_done(dir);
}

/* A header in a descriptor file's stead: what is in it names other files. */
static void a_header_without_a_disk_is_a_descriptor(void **state)
{
	uint8_t bytes[512], header[1536] = { 0 };
	struct qcow2_opened o;
	const char *text;
	char *dir = part_temp();

	(void)state;
	memset(bytes, 7, sizeof(bytes));
	qcow2_write_file(in(dir, "a"), bytes, sizeof(bytes));
	memcpy(header, "KDMV", 4);
	header[4] = 1;
	header[28] = 1;
	header[36] = 2;
	text = vmdk_text("RW 1 FLAT \"a\" 0\n");
	memcpy(header + 512, text, strlen(text));
	qcow2_write_file(in(dir, "i.vmdk"), header, sizeof(header));
	qcow2_open_good(&o, path, NULL);
	qcow2_expect_bytes(o.disk, bytes, sizeof(bytes));
	qcow2_done(&o);
	part_temp_done(dir);
}

/* ---------------------------------------------------------------------------------------------------------- damage */

static const struct damage {
	int kind;
	size_t at;
	unsigned width;
	uint64_t value;
	int code;
	const char *words;
	bool on_reading;
} damages[] = {
#define SPARSE VMDK_BUILD_SPARSE
	{ SPARSE, 4, 4, 0, VTR_EUNSUPPORTED, "header: version 0, read are 1 to 3", false },
	{ SPARSE, 4, 4, 4, VTR_EUNSUPPORTED, "header: version 4", false },
	{ SPARSE, 8, 4, 0x10007, VTR_ECORRUPT, "grains are compressed, by no algorithm", false },
	{ SPARSE, 12, 8, 1ull << 60, VTR_ECORRUPT, "capacity of 1152921504606846976 sectors, more than 2^63", false },
	{ SPARSE, 12, 8, 1ull << 40, VTR_ETRUNCATED, "grain directory of 34359738368 entries", false },
	{ SPARSE, 20, 8, 0, VTR_ECORRUPT, "grains of 0 sectors", false },
	{ SPARSE, 20, 8, 24, VTR_ECORRUPT, "grains of 24 sectors, expected 2^n", false },
	{ SPARSE, 20, 8, 1 << 22, VTR_ECORRUPT, "grains of 4194304 sectors", false },
	{ SPARSE, 28, 8, 1ull << 40, VTR_ETRUNCATED, "header: descriptor at sector", false },
	{ SPARSE, 36, 8, 1ull << 40, VTR_ECORRUPT, "header: descriptor of 1099511627776 sectors", false },
	{ SPARSE, 44, 4, 0, VTR_ECORRUPT, "0 entries of a grain table", false },
	{ SPARSE, 44, 4, 1 << 20, VTR_ECORRUPT, "1048576 entries of a grain table", false },
	{ SPARSE, 73, 1, '\r', VTR_ECORRUPT, "line ends 0d 20 0d 0a, expected 0a 20 0d 0a", false },
	{ SPARSE, 77, 2, 2, VTR_EUNSUPPORTED, "compression 2 is unknown", false },
	{ SPARSE, 512, 1, 'x', VTR_ECORRUPT, "descriptor at 0x200: it does not start with", false },
	{ SPARSE, VMDK_BUILD_GT + 12, 4, 3, VTR_ECORRUPT, "", true }, /* and the redundant one, below */
#undef SPARSE
#define STREAM VMDK_BUILD_STREAM
	{ STREAM, 8, 4, 0x20001, VTR_OK, "", false }, /* what compresses says so */
	{ STREAM, 20, 8, 4096, VTR_OK, "", false },   /* the footer counts */
	{ STREAM, 4 * 512 + 8, 4, 0, VTR_ECORRUPT, "compressed grain at 0x800: 0 bytes, expected 1 to", true },
	{ STREAM, 4 * 512 + 8, 4, 1 << 20, VTR_ECORRUPT, "compressed grain at 0x800: 1048576 bytes", true },
	{ STREAM, 4 * 512 + 8, 4, 100, VTR_ECORRUPT, "100 bytes of deflate do not fill 4096 bytes", true },
	{ STREAM, 4 * 512 + 12, 2, 0, VTR_ECORRUPT, "of deflate do not fill", true },
	{ STREAM, 4 * 512 + 40, 2, 0, VTR_ECORRUPT, "of deflate do not fill", true },
#undef STREAM
#define COWD VMDK_BUILD_COWD
	{ COWD, 4, 4, 2, VTR_EUNSUPPORTED, "version 2 of COWD, read is 1", false },
	{ COWD, 12, 4, 5000, VTR_ECORRUPT, "grain directory of 1 entries, 5000 sectors need 2", false },
	{ COWD, 16, 4, 3, VTR_ECORRUPT, "grains of 3 sectors", false },
	{ COWD, 20, 4, 43, VTR_ETRUNCATED, "grain directory of 1 entries at sector 43", false },
	{ COWD, 20, 4, 0, VTR_ETRUNCATED, "grain directory of 1 entries at sector 0", false },
	{ COWD, 4 * 512, 4, 43, VTR_ECORRUPT, "grain directory: entry 0 points to a table at 0x5600 that ends past",
	  true },
	{ COWD, 4 * 512, 4, 4, VTR_ECORRUPT, "grain directory: entry 0 points into the grain directory", true },
	{ COWD, 4 * 512, 4, 1, VTR_ECORRUPT, "entry 0 points into the header", true },
	{ COWD, 5 * 512 + 8, 4, 43, VTR_ECORRUPT, "grain table at 0xa00: entry 2 points past the end of the file",
	  true },
	{ COWD, 5 * 512 + 8, 4, 4, VTR_ECORRUPT, "entry 2 points into the grain directory", true },
	{ COWD, 5 * 512 + 8, 4, 1, VTR_ECORRUPT, "entry 2 points into the header", true },
#undef COWD
#define SE VMDK_BUILD_SESPARSE
	{ SE, 8, 8, 1, VTR_EUNSUPPORTED, "version 0x1 of seSparse, read is 0x200000001", false },
	{ SE, 24, 8, 16, VTR_EUNSUPPORTED, "grains of 16 and tables of 64 sectors", false },
	{ SE, 32, 8, 128, VTR_EUNSUPPORTED, "grains of 8 and tables of 128 sectors", false },
	{ SE, 40, 8, 1, VTR_EUNSUPPORTED, "flags 0x1", false },
	{ SE, 56, 8, 2, VTR_EUNSUPPORTED, "reserved fields 0x2", false },
	{ SE, 16, 8, 1ull << 60, VTR_ECORRUPT, "more than 2^63", false },
	{ SE, 16, 8, 1ull << 22, VTR_ECORRUPT, "grain directory of 64 entries, a capacity of 4194304 sectors needs 128",
	  false },
	{ SE, 80, 8, 96, VTR_ETRUNCATED, "volatile header at 0xc000, the file ends at 0xc000", false },
	{ SE, 80, 8, 2, VTR_ECORRUPT, "volatile header at 0x400: magic 0x1000000000000000, expected 0xcafecafe",
	  false },
	{ SE, 128, 8, 96, VTR_ETRUNCATED, "grain directory of 1 entries at 0xc000", false },
	{ SE, 144, 8, 1ull << 60, VTR_ECORRUPT, "the place of the grain tables is past 2^63", false },
	{ SE, 2 * 512, 8, 0x2000000000000000, VTR_ECORRUPT, "entry 0 is 0x2000000000000000, expected 0x10000000",
	  true },
	{ SE, 2 * 512, 8, 0x1000000000000001, VTR_ECORRUPT, "entry 0 is table 1 of 1", true },
	{ SE, 144, 8, 2, VTR_ECORRUPT, "entry 0 points into the grain directory", true },
	{ SE, 8 * 512, 8, 1, VTR_ECORRUPT, "entry 0 is 0x1, of no known kind", true },
	{ SE, 8 * 512, 8, 0x4000000000000000, VTR_ECORRUPT, "entry 0 is 0x4000000000000000, of no known kind", true },
	{ SE, 8 * 512, 8, 0x3003000000000000, VTR_ECORRUPT, "points past the end of the file (0xc000", true },
	{ SE, 8 * 512, 8, 0x3fffffffffffffff, VTR_ECORRUPT, "points past the end of the file", true },
	{ SE, 192, 8, 0, VTR_ECORRUPT, "entry 0 points into the header", true },
#undef SE
};

static void damage_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(damages); i++) {
		const struct damage *d = &damages[i];
		struct vtr_image_options opt = { .format = "vmdk" };
		struct qcow2_opened o;
		size_t len;
		uint8_t *image = vmdk_build(&len, d->kind, NULL, 1);

		vmdk_put(image + d->at, d->width, d->value);
		if (d->kind == VMDK_BUILD_SPARSE && d->at >= VMDK_BUILD_GD)
			vmdk_put(image + d->at - (VMDK_BUILD_GD - VMDK_BUILD_GD2), d->width, d->value);
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, image, len, &opt);
		if (d->code == VTR_OK) {
			expect_disk(&o, d->kind, 1, NULL);
		} else {
			if (d->on_reading) {
				if (o.rc < 0)
					print_error("%zu: %s\n", i, o.err.text);
				assert_int_equal(0, o.rc);
				read_all(&o);
			}
			qcow2_expect_error(&o, d->code, d->words);
		}
		qcow2_done(&o);
		free(image);
	}
}

/* The first copy of a table is damaged: the second serves, and it is said. */
static void the_redundant_tables_are_used(void **state)
{
	static const struct {
		size_t at;
		unsigned width;
		uint64_t value;
		const char *words;
	} rows[] = {
		{ 56, 8, 0, "its grain directory is lost: the redundant one at 0x600 is used" },
		{ 56, 8, 1000, "its grain directory is lost" },
		{ 56, 8, UINT64_MAX, "its grain directory is lost" },
		{ VMDK_BUILD_GD, 4, 1000, "entry 0 points to a table at 0x7d000 that ends past" },
		{ VMDK_BUILD_GD, 4, 0, "an entry of the grain directory is lost" },
		{ VMDK_BUILD_GD + 8, 4, 0, "an entry of the grain directory is lost" },
		{ VMDK_BUILD_GD, 4, 6, "entry 0 points into the grain directory" },
		{ VMDK_BUILD_GT, 4, 1000, "entry 0 points past the end of the file" },
		{ VMDK_BUILD_GT + 12, 4, 3, "entry 3 points into the grain directory" },
	};

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		struct qcow2_opened o;
		size_t len;
		uint8_t *image = vmdk_build(&len, VMDK_BUILD_SPARSE, NULL, 1);

		vmdk_put(image + rows[i].at, rows[i].width, rows[i].value);
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, image, len, NULL);
		expect_disk(&o, VMDK_BUILD_SPARSE, 1, NULL);
		qcow2_expect_said(&o, rows[i].words);
		qcow2_expect_said(&o, "redundant");
		assert_true(vtr_ctx_damage(o.ctx) > 0);
		qcow2_done(&o);
		/* Without the flag there is none. */
		image[8] = 5;
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, image, len, NULL);
		if (o.rc == 0 && rows[i].value != 0)
			read_all(&o);
		if (rows[i].value != 0 || rows[i].width == 8)
			assert_int_equal(-1, o.rc);
		qcow2_done(&o);
		free(image);
	}
}

/* Where the tables of a stream are lost, its markers tell what there is; never more than what is known. */
static void a_cut_stream_gives_what_it_has(void **state)
{
	size_t len;
	uint8_t *image = vmdk_build(&len, VMDK_BUILD_STREAM, NULL, 1);
	uint64_t n;
	uint8_t *disk = vmdk_build_disk(&n, VMDK_BUILD_STREAM, 1, NULL), buf[512];
	unsigned best = 0;

	(void)state;
	for (size_t cut = 1536; cut < len; cut += 100) {
		struct qcow2_opened o;
		unsigned good = 0;

		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, image, cut, NULL);
		assert_int_equal(0, o.rc);
		if (cut < len - 512)
			assert_true(vtr_ctx_damage(o.ctx) > 0);
		for (uint64_t off = 0; off < n; off += 512) {
			if (vtr_blk_pread(o.disk, off, buf, 512, &o.err) < 0) {
				assert_int_equal(VTR_ETRUNCATED, o.err.code);
				continue;
			}
			assert_memory_equal(disk + off, buf, 512);
			good++;
		}
		assert_true(good >= best); /* more of the file is more of the disk */
		best = good;
		qcow2_done(&o);
	}
	assert_int_equal(n / 512, best);
	/* The footer alone is damaged, or something lies behind the stream. */
	for (int kind = 0; kind < 3; kind++) {
		struct qcow2_opened o;
		uint8_t *more = calloc(1, len + 20000);

		assert_non_null(more);
		memcpy(more, image, len);
		if (kind == 0)
			more[len - 1024] = 'x';
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, more, kind == 0 ? len : kind == 1 ? len + 20000 : len + 7, NULL);
		expect_disk(&o, VMDK_BUILD_STREAM, 1, NULL);
		if (kind == 0)
			qcow2_expect_said(&o, "no footer at its end: the grain directory at ");
		else
			qcow2_expect_quiet(&o);
		qcow2_done(&o);
		free(more);
	}
	free(image);
	free(disk);
}

/* A stream of zeros where the rest of a download should be: the first sector of them is no end of the stream. */
static void zeros_behind_a_cut_are_no_end(void **state)
{
	size_t len;
	uint8_t *image = vmdk_build(&len, VMDK_BUILD_STREAM, NULL, 1), byte;
	struct qcow2_opened o;

	(void)state;
	memset(image + len / 2 / 512 * 512, 0, len - len / 2 / 512 * 512);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, image, len, NULL);
	assert_int_equal(0, o.rc);
	qcow2_expect_said(&o, "what follows is lost");
	assert_int_equal(1, prop(o.disk, "rebuilt")->number);
	assert_int_equal(0, vtr_blk_pread(o.disk, 0, &byte, 1, NULL));
	assert_int_equal(-1, vtr_blk_pread(o.disk, vtr_blk_size(o.disk) - 1, &byte, 1, &o.err));
	assert_int_equal(VTR_ETRUNCATED, o.err.code);
	qcow2_done(&o);
	free(image);
}

static void a_marker_for_another_place_is_told(void **state)
{
	struct qcow2_opened o;
	size_t len;
	uint8_t *image = vmdk_build(&len, VMDK_BUILD_STREAM, NULL, 1);

	(void)state;
	vmdk_put(image + 4 * 512, 8, 16);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, image, len, NULL);
	expect_disk(&o, VMDK_BUILD_STREAM, 1, NULL);
	qcow2_expect_said(&o, "the marker of the grain at 0x800 is for sector 16, the grain table for 0");
	qcow2_done(&o);
	free(image);
}

/* Header and descriptor do not agree. */
static void capacities_that_differ_are_told(void **state)
{
	struct qcow2_opened o;
	uint64_t n;
	uint8_t *disk = vmdk_build_disk(&n, VMDK_BUILD_SPARSE, 1, NULL), *more = calloc(1, n + 5120);

	(void)state;
	assert_non_null(more);
	open_built(&o, VMDK_BUILD_SPARSE, "RW 97 SPARSE \"x\"\n", false);
	expect_disk(&o, VMDK_BUILD_SPARSE, 1, NULL);
	qcow2_expect_said(&o, "note: vmdk: extent \"x\": the descriptor has 97 sectors for it, its header 89");
	qcow2_done(&o);
	/* Where others follow, they lie where the descriptor says. */
	open_built(&o, VMDK_BUILD_SPARSE, "RW 95 SPARSE \"x\"\nRW 4 ZERO\n", false);
	memcpy(more, disk, n);
	qcow2_expect_bytes(o.disk, more, 99 * 512);
	qcow2_expect_said(&o, "corrupt: ");
	qcow2_done(&o);
	open_built(&o, VMDK_BUILD_SPARSE, "RW 80 SPARSE \"x\"\nRW 4 ZERO\n", false);
	memset(more + 80 * 512, 0, 4 * 512);
	qcow2_expect_bytes(o.disk, more, 84 * 512);
	qcow2_done(&o);
	/* VirtualBox: the header has whole grains. */
	{
		size_t len;
		uint8_t *image = vmdk_build(&len, VMDK_BUILD_SPARSE, NULL, 1);

		vmdk_put(image + 12, 8, 96);
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, image, len, NULL);
		expect_disk(&o, VMDK_BUILD_SPARSE, 1, NULL);
		qcow2_expect_quiet(&o);
		qcow2_done(&o);
		free(image);
	}
	/* A descriptor that tells of others. */
	open_built(&o, VMDK_BUILD_SPARSE, "CID=7\nRW 3 FLAT \"x\" 0\n", false);
	expect_disk(&o, VMDK_BUILD_SPARSE, 1, NULL);
	qcow2_expect_said(&o, "the descriptor in it does not name the extent that it lies in");
	assert_string_equal("00000007", vtr_image_info(o.disk)->content_id);
	qcow2_done(&o);
	free(disk);
	free(more);
}

/* ------------------------------------------------------------------------------------------------------- vast disks */

/* 60 TiB in 2 million tables, of which one exists: it opens at once, and its holes are few. */
static void vast_sparse_disks_open_at_once(void **state)
{
	const uint64_t tib = 1ull << 40;
	uint8_t header[512] = { 0 }, buf[8192], entry[4];
	struct qcow2_opened o;
	unsigned extents = 0;
	struct qcow2_reads reads;
	char *dir = part_temp();
	FILE *f;

	(void)state;
	memcpy(header, "KDMV", 4);
	vmdk_put(header + 4, 4, 3);
	vmdk_put(header + 8, 4, 1);
	vmdk_put(header + 12, 8, 60 * tib / 512);
	vmdk_put(header + 20, 8, 128);
	vmdk_put(header + 44, 4, 512);
	vmdk_put(header + 56, 8, 8);
	memcpy(header + 73, "\n \r\n", 4);
	qcow2_write_file(in(dir, "i"), header, sizeof(header));
	part_run("truncate -s 20M '%s'", path);
	f = fopen(path, "r+b");
	assert_non_null(f);
	/* The table of the last 32 MiB at 16 MiB, its last grain at 17 MiB. */
	vmdk_put(entry, 4, 16 << 11);
	assert_int_equal(0, fseek(f, 8 * 512 + (60 * 32768 - 1) * 4, SEEK_SET));
	assert_int_equal(4, fwrite(entry, 1, 4, f));
	vmdk_put(entry, 4, 17 << 11);
	assert_int_equal(0, fseek(f, (16 << 20) + 511 * 4, SEEK_SET));
	assert_int_equal(4, fwrite(entry, 1, 4, f));
	assert_int_equal(0, fseek(f, 18 << 20, SEEK_SET));
	fclose(f);
	part_run("printf end | dd of='%s' bs=1 seek=%u conv=notrunc 2>/dev/null", path, (17 << 20) + 65533);
	qcow2_open_counted(&o, &reads, path);
	assert_in_range(reads.bytes, 1, 1 << 20);
	assert_int_equal(60 * tib, vtr_blk_size(o.disk));
	assert_int_equal(0, vtr_blk_pread(o.disk, 60 * tib - sizeof(buf), buf, sizeof(buf), NULL));
	assert_memory_equal("end", buf + sizeof(buf) - 3, 3);
	for (uint64_t off = 0; off < 60 * tib; extents++) {
		struct vtr_extent e;

		assert_int_equal(0, vtr_blk_extent(&e, o.disk, off, NULL));
		off += e.len;
	}
	assert_true(extents < 3000);
	assert_in_range(reads.bytes, 1, 16 << 20); /* the directory is of 8 MB */
	qcow2_done(&o);
	part_temp_done(dir);
}

/* ------------------------------------------------------------------------------------------------------------ random */

static void random_images_are_what_qemu_reads(void **state)
{
	uint32_t x = 20240607;
	char *dir;

	(void)state;
	if (!qcow2_slow()) {
		print_message("set VTR_SLOW=1 for random images\n");
		skip();
	}
	TOOLS_OR_SKIP();
	dir = part_temp();
	for (unsigned i = 0; i < 60; i++) {
		const char *kind = subformats[qcow2_random(&x) % 5];
		bool stream = strcmp(kind, "streamOptimized") == 0, flat = strstr(kind, "Flat") != NULL;
		bool backed = !stream && !flat && qcow2_random(&x) % 2;
		uint64_t size = 512 * (1 + qcow2_random(&x) % 80000);
		uint8_t *noise = malloc(size);
		char cmd[8192] = "";

		assert_non_null(noise);
		part_run("cd '%s' && rm -f *", dir);
		qcow2_noise(noise, size, i);
		qcow2_write_file(in(dir, "raw"), noise, size);
		free(noise);
		part_run("cd '%s' && qemu-img convert -O vmdk -o subformat=%s raw i.vmdk", dir, kind);
		if (backed)
			part_run("cd '%s' && qemu-img create -q -f vmdk -F vmdk -o zeroed_grain=on -b i.vmdk t.vmdk",
				 dir);
		for (unsigned k = 0; k < 20 && !stream; k++) {
			uint64_t off = qcow2_random(&x) % (size / 512) * 512;
			uint64_t n = (qcow2_random(&x) % 200000 / 512 + 1) * 512;

			n = VTR_MIN(n, size - off);
			snprintf(cmd + strlen(cmd), sizeof(cmd) - strlen(cmd), " -c '%s %" PRIu64 " %" PRIu64 "'",
				 backed && k % 3 == 0 ? "write -z" : "write -P 5", off, n);
		}
		if (!stream)
			part_run("cd '%s' && qemu-io -f vmdk%s %s >/dev/null", dir, cmd, backed ? "t.vmdk" : "i.vmdk");
		expect_like_qemu(in(dir, backed ? "t.vmdk" : "i.vmdk"));
	}
	part_temp_done(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_qemu_writes_is_what_it_reads),
		cmocka_unit_test(grains_of_each_kind_are_read),
		cmocka_unit_test(extents_follow_each_other),
		cmocka_unit_test(chains_are_read),
		cmocka_unit_test(what_is_laid_out_by_hand_is_read),
		cmocka_unit_test(facts_are_told),
		cmocka_unit_test(an_unclean_shutdown_is_told),
		cmocka_unit_test(an_extent_by_itself_is_read),
		cmocka_unit_test(a_sesparse_extent_with_a_journal_is_refused),
		cmocka_unit_test(the_parent_of_a_cowd_extent_is_named),
		cmocka_unit_test(a_stream_without_markers_is_read),
		cmocka_unit_test(zeroed_tables_hide_the_parent),
		cmocka_unit_test(extents_share_a_file),
		cmocka_unit_test(odd_parents_are_told),
		cmocka_unit_test(odd_spellings_are_read),
		cmocka_unit_test(names_in_other_encodings_are_found),
		cmocka_unit_test(descriptors_that_are_wrong_are_refused),
		cmocka_unit_test(a_descriptor_of_many_extents_is_bounded),
		cmocka_unit_test(alone_opens_no_other_file),
		cmocka_unit_test(a_short_flat_extent_is_told),
		cmocka_unit_test(a_header_without_a_disk_is_a_descriptor),
		cmocka_unit_test(damage_is_named),
		cmocka_unit_test(the_redundant_tables_are_used),
		cmocka_unit_test(a_cut_stream_gives_what_it_has),
		cmocka_unit_test(zeros_behind_a_cut_are_no_end),
		cmocka_unit_test(a_marker_for_another_place_is_told),
		cmocka_unit_test(capacities_that_differ_are_told),
		cmocka_unit_test(vast_sparse_disks_open_at_once),
		cmocka_unit_test(random_images_are_what_qemu_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
