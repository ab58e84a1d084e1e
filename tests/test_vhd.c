/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VHD: images as qemu-img 7.2 writes them against what it reads from them, and images laid out by hand from Microsoft's
 * specification against what libvhdi reads, and against a table of damage.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/part_images.h"
#include "tests/qcow2_images.h"
#include "tests/vhd_images.h"

static char path[PATH_MAX];

static const char *in(const char *dir, const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static const struct vtr_prop *prop(struct vtr_blk *disk, const char *key)
{
	const struct vtr_image_info *info = vtr_image_info(disk);

	for (size_t i = 0; i < info->n_props; i++)
		if (strcmp(info->props[i].key, key) == 0)
			return &info->props[i];
	fail_msg("no property %s", key);
	return NULL;
}

static void open_bytes(struct qcow2_opened *o, const void *bytes, size_t len)
{
	struct vtr_image_options opt = { .format = "vhd", .alone = true };

	qcow2_start(o, NULL, false);
	qcow2_open_bytes(o, bytes, len, &opt);
}

static void open_good_bytes(struct qcow2_opened *o, const void *bytes, size_t len)
{
	open_bytes(o, bytes, len);
	if (o->rc < 0)
		fail_msg("%s", o->err.text);
}

/* ------------------------------------------------------------------------------------------------- as others write */

static void what_qemu_writes_is_read(void **state)
{
	static const struct {
		const char *options, *size;
	} made[] = {
		{ "subformat=dynamic", "9M" },
		{ "subformat=dynamic,force_size=on", "9000448" },
		{ "subformat=fixed", "5M" },
		{ "subformat=fixed,force_size=on", "5000704" },
		{ "subformat=dynamic,force_size=on", "70M" },
	};
	char *dir;

	(void)state;
	if (!qcow2_has_tools())
		skip();
	dir = part_temp();
	for (size_t i = 0; i < VTR_COUNT(made); i++) {
		bool fixed = strstr(made[i].options, "fixed") != NULL;
		struct qcow2_opened o;

		part_run("qemu-img create -q -f vpc -o %s '%s/i' %s", made[i].options, dir, made[i].size);
		part_run(
			"qemu-io -f vpc -c 'write -P 1 0 3k' -c 'write -P 2 2093056 8k' -c 'write -P 3 4800k 1k' '%s/i' >/dev/null",
			dir);
		qcow2_open_good(&o, in(dir, "i"), NULL);
		qcow2_expect_qemu(o.disk, in(dir, "i"), fixed ? "-f vpc" : "");
		qcow2_expect_quiet(&o);
		assert_string_equal("vhd", vtr_image_info(o.disk)->format);
		assert_string_equal(fixed ? "fixed" : "dynamic", vtr_image_info(o.disk)->subformat);
		assert_int_equal(fixed ? 0 : 2 << 20, vtr_image_info(o.disk)->cluster_size);
		qcow2_done(&o);
	}
	part_temp_done(dir);
}

/*
 * The size by the creator: what qemu 7.2 takes, where it has heard of the creator (it looks for "d2v ", and disk2vhd
 * writes a NUL behind). Those that it has not heard of, VirtualBox for one, write the size that they show as the current
 * size.
 */
static void the_size_is_what_the_writer_shows(void **state)
{
	static const struct {
		char app[5];
		uint32_t cylinders, heads, sectors;
		uint64_t size, shown;
		bool ask_qemu;
	} rows[] = {
		{ "vpc ", 10, 4, 17, 400000, 680 * 512, true },	  { "qemu", 10, 4, 17, 400000, 680 * 512, true },
		{ "win ", 10, 4, 17, 400000, 400000, false },	  { "win ", 10, 4, 17, 400384, 400384, true },
		{ "qem2", 10, 4, 17, 400384, 400384, true },	  { "d2v\0", 10, 4, 17, 400384, 400384, false },
		{ "tap\0", 10, 4, 17, 400384, 400384, true },	  { "CTXS", 10, 4, 17, 400384, 400384, true },
		{ "wa\0\0", 10, 4, 17, 400384, 400384, false },	  { "wa  ", 10, 4, 17, 400384, 400384, false },
		{ "vbox", 10, 4, 17, 400384, 400384, false },	  { "vs  ", 10, 4, 17, 400384, 400384, false },
		{ "????", 10, 4, 17, 400384, 400384, false },	  { "vpc ", 65535, 16, 255, 400384, 400384, true },
		{ "qemu", 65535, 16, 255, 400384, 400384, true }, { "vpc ", 0, 4, 17, 400384, 400384, false },
		{ "vpc ", 12, 4, 17, 400384, 400384, false },
	};
	bool tools = qcow2_has_tools();
	char *dir = part_temp();

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		uint8_t *image = calloc(1, 400384 + 512);
		uint64_t at = (rows[i].size + 511) / 512 * 512;
		struct qcow2_opened o;

		assert_non_null(image);
		vhd_build_footer(image + at, 2, rows[i].size, UINT64_MAX, rows[i].app);
		qcow2_put(image + at + 56, 2, rows[i].cylinders);
		image[at + 58] = (uint8_t)rows[i].heads;
		image[at + 59] = (uint8_t)rows[i].sectors;
		vhd_seal_footer(image + at, 512);
		open_good_bytes(&o, image, at + 512);
		assert_int_equal(rows[i].shown, vtr_blk_size(o.disk));
		assert_int_equal(rows[i].shown != rows[i].size, prop(o.disk, "size_by_geometry")->number);
		assert_int_equal(rows[i].size, prop(o.disk, "current_size")->number);
		qcow2_expect_quiet(&o);
		qcow2_done(&o);
		if (rows[i].ask_qemu && tools) {
			qcow2_write_file(in(dir, "i"), image, at + 512);
			part_run("qemu-img info -f vpc '%s/i' | grep -q '(%" PRIu64 " bytes)'", dir, rows[i].shown);
		}
		free(image);
	}
	part_temp_done(dir);
}

/* ---------------------------------------------------------------------------------------------------------- blocks */

static void sectors_that_were_never_written_are_zeros(void **state)
{
	uint8_t image[VHD_BUILD_LEN], *disk = vhd_build_disk(NULL, 0);
	struct vtr_extent e;
	struct qcow2_opened o;

	(void)state;
	vhd_build(image, 3);
	open_good_bytes(&o, image, sizeof(image));
	qcow2_expect_bytes(o.disk, disk, VHD_BUILD_SIZE);
	qcow2_expect_quiet(&o);
	/* Block 2: sectors 1, 2, 5 and 7. */
	assert_int_equal(0, vtr_blk_extent(&e, o.disk, 2 * 4096 + 100, NULL));
	assert_int_equal(VTR_EXTENT_ABSENT, e.kind);
	assert_int_equal(412, e.len);
	assert_int_equal(0, vtr_blk_extent(&e, o.disk, 2 * 4096 + 600, NULL));
	assert_int_equal(VTR_EXTENT_DATA, e.kind);
	assert_int_equal(1024 - 88, e.len);
	assert_true(e.has_host_off);
	assert_int_equal(16384 + 512 + 600, e.host_off);
	qcow2_done(&o);
	free(disk);
}

static void a_child_has_its_own_sectors_and_its_parents(void **state)
{
	uint8_t image[VHD_BUILD_LEN], parent[VHD_BUILD_LEN], *under = vhd_build_disk(NULL, 0), *disk;
	const struct vtr_image_info *info;
	char *dir = part_temp();
	struct qcow2_opened o;
	struct stat st;

	(void)state;
	disk = vhd_build_disk(under, VHD_BUILD_SIZE);
	/* The parent has other bytes in the blocks that it shares. */
	vhd_build(parent, 3);
	for (size_t i = 2560; i < VHD_BUILD_FOOTER; i++)
		if ((i - 2560) % 4608 >= 512)
			parent[i] ^= 0x5a;
	memset(parent + 11776, 0xff, 1); /* block 4 is whole there */
	for (unsigned i = 0; i < 6 * 4096; i++)
		under[i] = 0;
	for (unsigned i = 0; i < 4096; i++) {
		under[i] = parent[7168 + 512 + i];
		under[4 * 4096 + i] = parent[11776 + 512 + i];
	}
	for (unsigned k = 0; k < 8; k++) {
		if (0x65 << k & 0x80)
			memcpy(under + 2 * 4096 + k * 512, parent + 16384 + 512 + k * 512, 512);
		if (k < 3)
			memcpy(under + 5 * 4096 + k * 512, parent + 2560 + 512 + k * 512, 512);
	}
	free(disk);
	disk = vhd_build_disk(under, VHD_BUILD_SIZE);
	vhd_build(image, 4);
	qcow2_write_file(in(dir, "child.vhd"), image, sizeof(image));
	qcow2_write_file(in(dir, "parent.vhd"), parent, sizeof(parent));

	qcow2_open_good(&o, in(dir, "child.vhd"), NULL);
	qcow2_expect_bytes(o.disk, disk, VHD_BUILD_SIZE);
	qcow2_expect_quiet(&o);
	info = vtr_image_info(o.disk);
	assert_string_equal("differencing", info->subformat);
	assert_int_equal(VTR_MATCH_YES, info->parent_match);
	assert_string_equal("03132333-4353-6373-8393-a3b3c3d3e3f3", info->parent_id);
	assert_string_equal("04142434-4454-6474-8494-a4b4c4d4e4f4", info->id);
	assert_string_equal("C:\\disks\\parent.vhd", info->backing);
	assert_string_equal(in(dir, "parent.vhd"), info->backing_path);
	assert_string_equal("2022-03-07T20:26:41Z", prop(o.disk, "parent_modified")->text);
	assert_false(prop(o.disk, "parent_modified_match")->number);
	qcow2_done(&o);

	/* With the time that was remembered: 2000-01-01 and 700000001 seconds. */
	part_run("touch -d @%u '%s/parent.vhd'", 946684800u + 700000001u, dir);
	assert_int_equal(0, stat(in(dir, "parent.vhd"), &st));
	qcow2_open_good(&o, in(dir, "child.vhd"), NULL);
	assert_true(prop(o.disk, "parent_modified_match")->number);
	qcow2_done(&o);

	free(under);
	free(disk);
	part_temp_done(dir);
}

/*
 * A child of two blocks of 64 KiB on a parent of three, against libvhdi. Its ranges end where a byte of the bitmap is
 * zero: that is as finely as libvhdi 20210425 sees where they end.
 */
static void a_child_reads_as_libvhdi_reads_it(void **state)
{
	static const uint8_t bits[16] = { 0xff, 0, 0x0f, 0xff, 0, 0, 0x01, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0x7f };
	const size_t block = 65536, len = 2048 + 3 * (512 + block) + 512;
	uint8_t *image = calloc(2, len), *disk = calloc(3, block);
	struct qcow2_opened o;
	char *dir, images[600];

	(void)state;
	assert_true(image && disk);
	if (!vhd_has_peer())
		skip();
	dir = part_temp();
	for (unsigned child = 0; child < 2; child++) {
		uint8_t *p = image + child * len;
		size_t at = 2048;

		vhd_build_footer(p, child ? 4 : 3, 3 * block, 512, "win ");
		memcpy(p + 512, "cxsparse", 8);
		qcow2_put(p + 512 + 16, 8, 1536);
		qcow2_put(p + 512 + 24, 4, 0x10000);
		qcow2_put(p + 512 + 28, 4, 3);
		qcow2_put(p + 512 + 32, 4, block);
		memset(p + 1536, 0xff, 512);
		if (child) {
			memcpy(p + 512 + 40, image + 68, 16);
			vhd_utf16(p + 512 + 64, "parent.vhd", true);
		}
		for (unsigned k = 0; k < 3 - child; k++, at += 512 + block) {
			qcow2_put(p + 1536 + 4 * k, 4, at / 512);
			memset(p + at, 0xff, 16);
			if (child && k == 1)
				memcpy(p + at, bits, sizeof(bits));
			if (!child && k == 2) /* never written: zeros in a dynamic disk */
				memset(p + at + 3, 0, 5);
			qcow2_noise(p + at + 512, block, 10 * child + k);
			for (unsigned s = 0; s < 128; s++)
				if (p[at + s / 8] << s % 8 & 0x80)
					memcpy(disk + k * block + s * 512, p + at + 512 + s * 512, 512);
		}
		memcpy(p + at, p, 512);
		vhd_seal_header(p + 512);
		qcow2_write_file(in(dir, child ? "child.vhd" : "parent.vhd"), p, at + 512);
	}
	qcow2_open_good(&o, in(dir, "child.vhd"), NULL);
	qcow2_expect_bytes(o.disk, disk, 3 * block);
	qcow2_expect_quiet(&o);
	qcow2_done(&o);
	snprintf(images, sizeof(images), "'%s/child.vhd' '%s/parent.vhd'", dir, dir);
	vhd_expect_peer(images, disk, 3 * block);
	free(image);
	free(disk);
	part_temp_done(dir);
}

/* What Windows 10 wrote into a child, of which the corpus has no parent: the rest is as a parent of ours has it. */
static void sectors_that_windows_wrote_are_the_childs(void **state)
{
	static const unsigned own[] = { 134, 143, 152, 153, 154, 155, 156, 157, 158,
					159, 184, 185, 188, 190, 191, 192, 194, 196 };
	static const uint8_t id[16] = { 0x5f, 0xa2, 0x1a, 0x55, 0xf3, 0x94, 0xaa, 0x4d,
					0x99, 0x58, 0x19, 0x51, 0xa6, 0x7d, 0x55, 0x40 };
	const char *corpus = part_corpus();
	uint8_t *parent, *child, *disk;
	struct qcow2_opened o;
	uint64_t len;
	char *dir;

	(void)state;
	if (!corpus) {
		print_message("skipped: VITRINE_CORPUS is not set\n");
		skip();
	}
	dir = part_temp();
	part_run("xz -dc '%s/container/dfvfs-fat-differential.vhd.xz' >'%s/child.vhd'", corpus, dir);
	child = qcow2_file(in(dir, "child.vhd"), &len);
	parent = malloc((4 << 20) + 512);
	disk = malloc(4 << 20);
	assert_true(parent && disk && len == 2183168);
	memset(parent, 'P', 4 << 20);
	memset(disk, 'P', 4 << 20);
	vhd_build_footer(parent + (4 << 20), 2, 4 << 20, UINT64_MAX, "win ");
	memcpy(parent + (4 << 20) + 68, id, 16);
	vhd_seal_footer(parent + (4 << 20), 512);
	qcow2_write_file(in(dir, "fat-parent.vhd"), parent, (4 << 20) + 512);
	/* The only block lies at sector 0x9f. */
	for (size_t i = 0; i < VTR_COUNT(own); i++)
		memcpy(disk + 512 * own[i], child + 0xa0 * 512 + 512 * own[i], 512);
	qcow2_open_good(&o, in(dir, "child.vhd"), NULL);
	qcow2_expect_bytes(o.disk, disk, 4 << 20);
	qcow2_expect_quiet(&o);
	assert_int_equal(VTR_MATCH_YES, vtr_image_info(o.disk)->parent_match);
	assert_string_equal("Windows (win 10.0)", vtr_image_info(o.disk)->creator);
	qcow2_done(&o);
	free(child);
	free(parent);
	free(disk);
	part_temp_done(dir);
}

/* A disk of more blocks than are looked at in one go, and larger ones, each with bits here and there. */
static void bitmaps_of_all_sizes_are_followed(void **state)
{
	static const uint32_t sizes[] = { 512, 1024, 65536, 2 << 20, 8 << 20 };

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(sizes); i++) {
		uint32_t block = sizes[i], n = block < 65536 ? 700 : 3, x = 77 + (uint32_t)i;
		size_t bitmap = VTR_MAX((size_t)(block / 4096 + 511) / 512 * 512, (size_t)512);
		size_t bat = (4 * n + 511) / 512 * 512, len = 1536 + bat + n * (bitmap + block) + 512;
		uint8_t *image = calloc(1, len), *disk = calloc(n, block), *p;
		size_t at = 1536 + bat;
		struct qcow2_opened o;

		assert_true(image && disk);
		vhd_build_footer(image, 3, (uint64_t)n * block, 512, "tap");
		p = image + 512;
		memcpy(p, "cxsparse", 8);
		qcow2_put(p + 16, 8, 1536);
		qcow2_put(p + 24, 4, 0x10000);
		qcow2_put(p + 28, 4, n);
		qcow2_put(p + 32, 4, block);
		memset(image + 1536, 0xff, bat);
		for (uint32_t k = 0; k < n; k++) {
			if (qcow2_random(&x) % 3 == 0 && n > 3)
				continue;
			qcow2_put(image + 1536 + 4 * k, 4, at / 512);
			qcow2_noise(image + at + bitmap, block, x);
			for (uint32_t s = 0; s < block / 512;) {
				uint32_t run = qcow2_random(&x) % 3000 % (block / 512) + 1;
				bool set = qcow2_random(&x) & 1;

				for (; run > 0 && s < block / 512; run--, s++) {
					if (!set)
						continue;
					image[at + s / 8] |= (uint8_t)(0x80 >> s % 8);
					memcpy(disk + (size_t)k * block + s * 512, image + at + bitmap + s * 512, 512);
				}
			}
			at += bitmap + block;
		}
		memcpy(image + at, image, 512);
		vhd_seal_header(image + 512);
		open_good_bytes(&o, image, at + 512);
		qcow2_expect_bytes(o.disk, disk, (uint64_t)n * block);
		qcow2_expect_quiet(&o);
		qcow2_done(&o);
		free(image);
		free(disk);
	}
}

/* --------------------------------------------------------------------------------------------------------- footers */

static void one_footer_is_enough(void **state)
{
	uint8_t image[VHD_BUILD_LEN], *disk = vhd_build_disk(NULL, 0);
	struct qcow2_opened o;

	(void)state;
	/* Without the last one. */
	vhd_build(image, 3);
	open_good_bytes(&o, image, VHD_BUILD_FOOTER);
	qcow2_expect_bytes(o.disk, disk, VHD_BUILD_SIZE);
	qcow2_expect_said(&o, "truncated: VHD: there is no footer at the end: its copy at the start is used");
	qcow2_done(&o);
	image[VHD_BUILD_FOOTER + 100] = 1;
	open_good_bytes(&o, image, sizeof(image));
	qcow2_expect_bytes(o.disk, disk, VHD_BUILD_SIZE);
	qcow2_expect_said(&o,
			  "corrupt: VHD: the footer has a wrong checksum at the end: its copy at the start is used");
	qcow2_done(&o);
	/* Without the first one. */
	vhd_build(image, 3);
	image[100] = 1;
	open_good_bytes(&o, image, sizeof(image));
	qcow2_expect_bytes(o.disk, disk, VHD_BUILD_SIZE);
	qcow2_expect_said(&o, "corrupt: VHD: the copy of the footer at the start has a wrong checksum");
	qcow2_done(&o);
	memset(image, 0, 512);
	open_good_bytes(&o, image, sizeof(image));
	qcow2_expect_said(&o, "corrupt: VHD: the copy of the footer at the start is not there");
	qcow2_done(&o);
	/* Both sound, and not the same: the last one counts. */
	vhd_build(image, 3);
	image[84] = 1;
	vhd_seal(image);
	open_good_bytes(&o, image, sizeof(image));
	assert_false(prop(o.disk, "saved_state")->number);
	qcow2_expect_said(&o, "note: VHD: the copy of the footer at the start is another: not used");
	qcow2_done(&o);
	/* Both wrong: read when they are the same, and not otherwise. */
	vhd_build(image, 3);
	image[100] = image[VHD_BUILD_FOOTER + 100] = 1;
	open_good_bytes(&o, image, sizeof(image));
	qcow2_expect_bytes(o.disk, disk, VHD_BUILD_SIZE);
	qcow2_expect_said(&o,
			  "corrupt: VHD: the footer and its copy at the start are the same, and have a wrong checksum");
	qcow2_done(&o);
	image[101] = 1;
	open_bytes(&o, image, sizeof(image));
	qcow2_expect_error(&o, VTR_ECORRUPT, "footer at 0x5200: checksum ");
	qcow2_done(&o);
	free(disk);
}

/* Virtual PC before 2004 wrote 511 bytes. */
static void a_footer_of_511_bytes_is_one(void **state)
{
	uint8_t image[4096 + 511];
	struct qcow2_opened o;
	struct vtr_image_options none = { 0 };

	(void)state;
	qcow2_noise(image, 4096, 9);
	image[510] = 0;
	vhd_build_footer(image + 4095, 2, 4096, UINT64_MAX, "vpc ");
	memmove(image + 4096, image + 4095, 511);
	qcow2_noise(image, 4096, 9);
	qcow2_put(image + 4096 + 56, 2, 0);
	vhd_seal_footer(image + 4096, 511);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, image, sizeof(image), &none);
	assert_int_equal(0, o.rc);
	assert_string_equal("vhd", vtr_image_info(o.disk)->format);
	qcow2_expect_bytes(o.disk, image, 4096);
	qcow2_expect_quiet(&o);
	qcow2_done(&o);
}

/* The first sector of a fixed disk is the guest's: a copy of a footer that it writes there changes nothing. */
static void a_guest_in_a_fixed_disk_cannot_make_it_another(void **state)
{
	uint8_t image[VHD_BUILD_LEN + 512];
	struct qcow2_opened o;
	struct vtr_image_options none = { 0 };

	(void)state;
	vhd_build(image, 4);
	vhd_build_footer(image + VHD_BUILD_LEN, 2, VHD_BUILD_LEN, UINT64_MAX, "win ");
	qcow2_start(&o, NULL, true);
	qcow2_open_bytes(&o, image, sizeof(image), &none);
	assert_int_equal(0, o.rc);
	assert_string_equal("fixed", vtr_image_info(o.disk)->subformat);
	assert_null(vtr_image_info(o.disk)->backing);
	qcow2_expect_bytes(o.disk, image, VHD_BUILD_LEN);
	qcow2_expect_quiet(&o);
	qcow2_done(&o);
}

static void a_fixed_disk_is_a_raw_one_and_a_footer(void **state)
{
	size_t len = PART_GPT_SECTORS * 512;
	uint8_t *image = calloc(1, len + 512);
	struct vtr_image_options none = { 0 };
	struct qcow2_opened o;

	(void)state;
	assert_non_null(image);
	/* With a partition table in it: that is what it is for. */
	part_gpt_build(image, 512);
	vhd_build_footer(image + len, 2, len, UINT64_MAX, "win ");
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, image, len + 512, &none);
	assert_int_equal(0, o.rc);
	qcow2_expect_bytes(o.disk, image, len);
	qcow2_done(&o);
	/* A dynamic disk is laid around no raw one: who wrote this? */
	vhd_build_footer(image + len, 3, len, 512, "win ");
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, image, len + 512, &none);
	qcow2_expect_error(&o, VTR_EAMBIGUOUS, "vhd");
	qcow2_done(&o);
	/* Cut short behind the footer's back. */
	vhd_build_footer(image + len, 2, len + 512, UINT64_MAX, "win ");
	open_good_bytes(&o, image, len + 512);
	qcow2_expect_said(&o, "truncated: VHD: the disk has 16896 bytes, and 16384 come before the footer");
	{
		uint8_t buf[512];
		struct vtr_error err;

		assert_int_equal(0, vtr_blk_pread(o.disk, len - 512, buf, 512, NULL));
		assert_memory_equal(image + len - 512, buf, 512);
		assert_int_equal(-1, vtr_blk_pread(o.disk, len, buf, 512, &err));
		assert_int_equal(VTR_ETRUNCATED, err.code);
	}
	qcow2_done(&o);
	free(image);
}

/* ---------------------------------------------------------------------------------------------------------- parents */

static void the_parent_is_found_by_each_kind_of_locator(void **state)
{
	static const struct {
		const char *code, *text, *file; /* relative to the child's directory */
	} rows[] = {
		{ "W2ru", "..\\sub\\p.vhd", NULL }, /* leads out of the directory: not followed */
		{ "W2ru", ".\\sub\\p.vhd", "sub/p.vhd" },
		{ "W2ru", "sub\\p.vhd", "sub/p.vhd" },
		{ "W2ru", "gone\\p.vhd", "p.vhd" },
		{ "W2ku", "D:\\vm\\disks\\p.vhd", "p.vhd" },
		{ "W2ku", "\\\\server\\share\\p.vhd", "p.vhd" },
		{ "Wi2r", ".\\p.vhd", "p.vhd" },
		{ "Wi2k", "C:\\p.vhd", "p.vhd" },
		{ "MacX", "file://./sub/p.vhd", "sub/p.vhd" }, /* as XenServer writes it */
		{ "MacX", "file://localhost/Users/a/my%20p%2Evhd", "my p.vhd" },
		{ "MacX", "file:%zz/%7/p.vhd", "p.vhd" },
		{ "MacX", "file:///Users/a/p.vhd", "p.vhd" },
		{ "Mac ", "p.vhd", "p.vhd" },
	};
	uint8_t image[VHD_BUILD_LEN], parent[VHD_BUILD_LEN];
	char *dir = part_temp();

	(void)state;
	vhd_build(parent, 3);
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		uint8_t data[200] = { 0 };
		size_t len = strlen(rows[i].text);
		struct qcow2_opened o;
		char file[300];

		vhd_build(image, 4);
		memset(image + VHD_BUILD_HEADER + 64, 0, 512);
		memset(image + VHD_BUILD_HEADER + 576, 0, 192);
		if (strncmp(rows[i].code, "W2", 2) == 0) {
			len = vhd_utf16(data, rows[i].text, false);
		} else if (strcmp(rows[i].code, "Mac ") == 0) {
			data[50] = (uint8_t)len;
			memcpy(data + 51, rows[i].text, len);
			len = 150;
		} else {
			memcpy(data, rows[i].text, len);
		}
		vhd_build_locator(image, (unsigned)i % 8, rows[i].code, VHD_BUILD_LOCATOR, data, len);
		part_run("rm -rf '%s'/* && mkdir -p '%s/d/sub' '%s/sub'", dir, dir, dir);
		qcow2_write_file(in(dir, "sub/p.vhd"), parent, sizeof(parent));
		qcow2_write_file(in(dir, "d/c.vhd"), image, sizeof(image));
		if (rows[i].file) {
			snprintf(file, sizeof(file), "d/%s", rows[i].file);
			qcow2_write_file(in(dir, file), parent, sizeof(parent));
		}
		qcow2_start(&o, NULL, true);
		qcow2_open(&o, in(dir, "d/c.vhd"), NULL);
		if (!rows[i].file) {
			qcow2_expect_error(&o, VTR_EPOLICY, "p.vhd");
		} else {
			if (o.rc < 0)
				fail_msg("%s %s: %s", rows[i].code, rows[i].text, o.err.text);
			snprintf(file, sizeof(file), "%s/d/%s", dir, rows[i].file);
			assert_string_equal(file, vtr_image_info(o.disk)->backing_path);
			assert_non_null(vtr_image_info(o.disk)->backing);
		}
		qcow2_done(&o);
	}
	part_temp_done(dir);
}

static void another_parent_is_refused_unless_allowed(void **state)
{
	uint8_t image[VHD_BUILD_LEN], parent[VHD_BUILD_LEN];
	struct vtr_image_options any = { .any_parent = true }, alone = { .alone = true };
	char *dir = part_temp();
	struct qcow2_opened o;

	(void)state;
	vhd_build(image, 4);
	vhd_build(parent, 3);
	qcow2_write_file(in(dir, "c.vhd"), image, sizeof(image));
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, in(dir, "c.vhd"), NULL);
	qcow2_expect_error(&o, VTR_ENOTFOUND, "parent.vhd");
	qcow2_open(&o, in(dir, "c.vhd"), &alone);
	assert_int_equal(0, o.rc);
	assert_string_equal(".\\\\parent.vhd", prop(o.disk, "parent_relative")->text);
	qcow2_done(&o);

	parent[68] = parent[VHD_BUILD_FOOTER + 68] = 0x77;
	vhd_seal(parent);
	qcow2_write_file(in(dir, "parent.vhd"), parent, sizeof(parent));
	qcow2_start(&o, NULL, false);
	qcow2_open(&o, in(dir, "c.vhd"), NULL);
	qcow2_expect_error(&o, VTR_EPOLICY, "parent.vhd");
	qcow2_done(&o);
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, in(dir, "c.vhd"), NULL);
	qcow2_expect_error(&o, VTR_ECORRUPT,
			   "its parent is 77132333-4353-6373-8393-a3b3c3d3e3f3, expected 03132333-4353-6373-8393-");
	qcow2_open(&o, in(dir, "c.vhd"), &any);
	assert_int_equal(0, o.rc);
	assert_int_equal(VTR_MATCH_NO, vtr_image_info(o.disk)->parent_match);
	qcow2_expect_said(&o, "corrupt: ");
	qcow2_done(&o);
	/* A parent is a VHD, whatever else a guest has made of a raw disk. */
	qcow2_write_file(in(dir, "parent.vhd"), "QFI\xfb\0\0\0\3", 8);
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, in(dir, "c.vhd"), NULL);
	qcow2_expect_error(&o, VTR_ETRUNCATED, "vhd: no footer: the file has 8 bytes");
	qcow2_done(&o);
	/* Its own parent. */
	qcow2_write_file(in(dir, "parent.vhd"), image, sizeof(image));
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, in(dir, "parent.vhd"), NULL);
	qcow2_expect_error(&o, VTR_ECORRUPT, "a cycle");
	qcow2_done(&o);
	part_temp_done(dir);
}

/* ------------------------------------------------------------------------------------------------------------ facts */

static void the_footer_is_told(void **state)
{
	uint8_t image[VHD_BUILD_LEN];
	const struct vtr_image_info *info;
	struct qcow2_opened o;

	(void)state;
	vhd_build(image, 3);
	image[11] = image[VHD_BUILD_FOOTER + 11] = 3;
	image[84] = image[VHD_BUILD_FOOTER + 84] = 1;
	qcow2_put(image + 40, 8, 12345678);
	qcow2_put(image + VHD_BUILD_FOOTER + 40, 8, 12345678);
	vhd_seal(image);
	open_good_bytes(&o, image, sizeof(image));
	info = vtr_image_info(o.disk);
	assert_string_equal("Windows (win 6.3)", info->creator);
	assert_string_equal("Windows", prop(o.disk, "creator_host")->text);
	/* date -u -d @1646684800 */
	assert_string_equal("2022-03-07T20:26:40Z", prop(o.disk, "created")->text);
	assert_string_equal("10 cylinders, 4 heads, 17 sectors", prop(o.disk, "geometry")->text);
	assert_int_equal(12345678, prop(o.disk, "original_size")->number);
	assert_true(prop(o.disk, "temporary")->number);
	assert_string_equal("0x3", prop(o.disk, "features")->text);
	assert_true(prop(o.disk, "saved_state")->number);
	assert_int_equal(4096, info->cluster_size);
	assert_int_equal(512, info->logical_sector);
	assert_string_equal("03132333-4353-6373-8393-a3b3c3d3e3f3", info->id);
	assert_null(info->backing);
	qcow2_done(&o);
}

/* ----------------------------------------------------------------------------------------------------------- damage */

/* A field of an image as vhd_build() makes it. In the footers it is changed in both. */
static const struct damage {
	unsigned type, at, width;
	uint64_t value;
	int code;
	const char *text;
} damages[] = {
	{ 3, 12, 4, 0x20000, VTR_EUNSUPPORTED, "file format version 2.0, read is 1" },
	{ 3, 16, 8, UINT64_MAX, VTR_ETRUNCATED, "dynamic disk header at 0xffffffffffffffff" },
	{ 3, 16, 8, 0x600, VTR_ECORRUPT, "no dynamic disk header" },
	{ 3, 48, 8, 1ull << 63, VTR_ECORRUPT, "current size 9223372036854775808 is more than 2^63" },
	{ 3, 48, 8, 6 * 4096 + 1, VTR_ECORRUPT, "6 blocks of 4096 bytes do not hold a disk of 24577" },
	{ 3, 60, 4, 0, VTR_EUNSUPPORTED, "disk type 0" },
	{ 3, 60, 4, 5, VTR_EUNSUPPORTED, "disk type 5" },
	{ 3, 512, 1, 'x', VTR_ECORRUPT, "does not start with \"cxsparse\"" },
	{ 3, 512 + 16, 8, 1ull << 40, VTR_ETRUNCATED, "BAT: 6 entries at 0x10000000000 end past the end" },
	{ 3, 512 + 16, 8, 1024, VTR_ECORRUPT, "BAT at 0x400 overlaps the header" },
	{ 3, 512 + 16, 8, 0, VTR_ECORRUPT, "BAT at 0 overlaps the header" },
	{ 3, 512 + 24, 4, 0x20001, VTR_EUNSUPPORTED, "dynamic disk header: version 2.1" },
	{ 3, 512 + 28, 4, 0xffffffff, VTR_ETRUNCATED, "BAT: 4294967295 entries" },
	{ 3, 512 + 28, 4, 5, VTR_ECORRUPT, "5 blocks of 4096 bytes do not hold" },
	{ 3, 512 + 32, 4, 0, VTR_ECORRUPT, "block size 0, expected" },
	{ 3, 512 + 32, 4, 4608, VTR_ECORRUPT, "block size 4608, expected" },
	{ 3, 512 + 32, 4, 256, VTR_ECORRUPT, "block size 256, expected" },
};

static void damage_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(damages); i++) {
		uint8_t image[VHD_BUILD_LEN];
		struct qcow2_opened o;

		vhd_build(image, damages[i].type);
		qcow2_put(image + damages[i].at, damages[i].width, damages[i].value);
		if (damages[i].at < 512)
			memcpy(image + VHD_BUILD_FOOTER, image, 512);
		vhd_seal(image);
		open_bytes(&o, image, sizeof(image));
		qcow2_expect_error(&o, damages[i].code, damages[i].text);
		qcow2_done(&o);
	}
}

static void more_damage_is_named(void **state)
{
	struct vtr_image_options snapshot = { .format = "vhd", .snapshot = "s" };
	uint8_t image[VHD_BUILD_LEN], old[1024] = { 0 };
	struct qcow2_opened o;

	(void)state;
	memset(image, 1, sizeof(image));
	open_bytes(&o, image, sizeof(image));
	qcow2_expect_error(&o, VTR_ECORRUPT, "no footer: neither the end nor the start has \"conectix\"");
	qcow2_open_bytes(&o, image, sizeof(image), &snapshot);
	qcow2_expect_error(&o, VTR_ENOTFOUND, "no snapshot \"s\": a VHD has none");
	qcow2_done(&o);
	/* The footer of a fixed disk stands at the end, or nowhere. */
	vhd_build_footer(image, 2, VHD_BUILD_SIZE, UINT64_MAX, "win ");
	open_bytes(&o, image, sizeof(image));
	qcow2_expect_error(&o, VTR_ECORRUPT, "no footer");
	qcow2_done(&o);
	/* A disk of nothing, by a Macintosh. */
	vhd_build_footer(old, 2, 0, UINT64_MAX, "vpc ");
	memcpy(old + 36, "Mac ", 4);
	vhd_seal_footer(old, 512);
	open_good_bytes(&o, old, 512);
	assert_int_equal(0, vtr_blk_size(o.disk));
	assert_string_equal("Macintosh", prop(o.disk, "creator_host")->text);
	assert_string_equal("Virtual PC (vpc 6.3)", vtr_image_info(o.disk)->creator);
	qcow2_done(&o);
	/* Locators without a name in them. */
	vhd_build(image, 4);
	vhd_build_locator(image, 1, "Mac ", VHD_BUILD_LOCATOR + 300, old, 60);
	vhd_build_locator(image, 2, "W2ku", VHD_BUILD_LOCATOR + 300, old, 0);
	open_good_bytes(&o, image, sizeof(image));
	qcow2_expect_quiet(&o);
	qcow2_done(&o);
}

/* Of the block that an entry of the BAT misplaces; the others are read. */
static void a_damaged_entry_costs_its_block(void **state)
{
	static const struct {
		uint32_t sector;
		int code;
		const char *text;
	} rows[] = {
		{ 0, VTR_ECORRUPT, "BAT: entry 0 points into the header" },
		{ 2, VTR_ECORRUPT, "BAT: entry 0 points into the header" },
		{ 3, VTR_ECORRUPT, "BAT: entry 0 points into the BAT" },
		{ 0xfffffffe, VTR_ECORRUPT, "BAT: entry 0 points past the end of the file (0x1fffffffe00 > 0x5200)" },
		{ VHD_BUILD_FOOTER / 512, VTR_ECORRUPT, "BAT: entry 0 points past the end of the file" },
	};
	uint8_t *disk = vhd_build_disk(NULL, 0);

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		uint8_t image[VHD_BUILD_LEN], buf[VHD_BUILD_SIZE];
		struct vtr_error err = { 0 };
		struct qcow2_opened o;

		vhd_build(image, 3);
		qcow2_put(image + VHD_BUILD_BAT, 4, rows[i].sector);
		open_good_bytes(&o, image, sizeof(image));
		assert_int_equal(-1, vtr_blk_pread(o.disk, 4095, buf, 100, &err));
		assert_int_equal(rows[i].code, err.code);
		if (!strstr(err.text, rows[i].text))
			fail_msg("%s", err.text);
		assert_int_equal(0, vtr_blk_pread(o.disk, 4096, buf, VHD_BUILD_SIZE - 4096, NULL));
		assert_memory_equal(disk + 4096, buf, VHD_BUILD_SIZE - 4096);
		qcow2_done(&o);
	}
	free(disk);
}

static void a_file_cut_within_a_block_gives_what_it_has(void **state)
{
	uint8_t image[VHD_BUILD_LEN], buf[4096], *disk = vhd_build_disk(NULL, 0);
	struct vtr_error err = { 0 };
	struct qcow2_opened o;

	(void)state;
	vhd_build(image, 3);
	open_good_bytes(&o, image, 16384 + 512 + 2 * 512); /* two sectors of block 2 */
	assert_int_equal(0, vtr_blk_pread(o.disk, 0, buf, 4096, NULL));
	assert_memory_equal(disk, buf, 4096);
	assert_int_equal(0, vtr_blk_pread(o.disk, 2 * 4096, buf, 1024, NULL));
	assert_memory_equal(disk + 2 * 4096, buf, 1024);
	assert_int_equal(-1, vtr_blk_pread(o.disk, 2 * 4096 + 1024, buf, 512, &err));
	assert_int_equal(VTR_ETRUNCATED, err.code);
	assert_non_null(strstr(err.text, "BAT: entry 2 has its sectors past the end of the file"));
	qcow2_done(&o);
	free(disk);
}

static void odd_locators_are_warned_of(void **state)
{
	uint8_t image[VHD_BUILD_LEN];
	struct qcow2_opened o;

	(void)state;
	vhd_build(image, 4);
	vhd_build_locator(image, 1, "Quux", VHD_BUILD_LOCATOR + 300, "x", 1);
	vhd_build_locator(image, 2, "W2ku", VHD_BUILD_LOCATOR + 300, "x", 1);
	qcow2_put(image + VHD_BUILD_HEADER + 576 + 48 + 16, 8, UINT64_MAX - 1);
	vhd_build_locator(image, 3, "MacX", VHD_BUILD_LOCATOR + 300, "x", 1);
	qcow2_put(image + VHD_BUILD_HEADER + 576 + 72 + 8, 4, UINT32_MAX);
	vhd_seal(image);
	open_good_bytes(&o, image, sizeof(image));
	qcow2_expect_said(&o, "note: VHD: parent locator 1 has the unknown platform code 0x51757578");
	qcow2_expect_said(&o, "corrupt: VHD: parent locator 2 (W2ku): 1 bytes at 0xfffffffffffffffe are no path");
	qcow2_expect_said(&o, "corrupt: VHD: parent locator 3 (MacX): 4294967295 bytes");
	assert_string_equal(".\\\\parent.vhd", prop(o.disk, "parent_relative")->text);
	qcow2_done(&o);
	/* The header has no copy; what it says is checked all the same. */
	vhd_build(image, 4);
	image[VHD_BUILD_HEADER + 60] = 1;
	open_good_bytes(&o, image, sizeof(image));
	qcow2_expect_said(&o, "corrupt: VHD: the dynamic disk header has a wrong checksum");
	qcow2_done(&o);
}

/* The bitmap of a block of 2 GiB is not looked through again and again, however small the steps are. */
static void a_block_of_2_gib_is_walked_in_small_steps(void **state)
{
	const uint64_t block = 2ull << 30, at = 2048, bitmap = block / 4096;
	uint8_t head[2048] = { 0 };
	struct qcow2_opened o;
	struct vtr_extent e;
	clock_t start;
	char *dir;
	FILE *f;

	(void)state;
	dir = part_temp();
	vhd_build_footer(head, 3, block, 512, "win ");
	memcpy(head + 512, "cxsparse", 8);
	qcow2_put(head + 512 + 16, 8, 1536);
	qcow2_put(head + 512 + 24, 4, 0x10000);
	qcow2_put(head + 512 + 28, 4, 1);
	qcow2_put(head + 512 + 32, 4, block);
	qcow2_put(head + 1536, 4, at / 512);
	vhd_seal_header(head + 512);
	qcow2_write_file(in(dir, "i"), head, sizeof(head));
	f = fopen(path, "r+");
	assert_non_null(f);
	/* One sector, in the middle of the block. */
	assert_int_equal(0, fseek(f, (long)(at + bitmap / 2), SEEK_SET));
	assert_int_equal(0x80, fputc(0x80, f));
	assert_int_equal(0, fseek(f, (long)(at + bitmap + block), SEEK_SET));
	assert_int_equal(512, fwrite(head, 1, 512, f));
	assert_int_equal(0, fclose(f));
	qcow2_open_good(&o, path, NULL);
	start = clock();
	for (uint64_t off = block / 4; off < block; off += off < block / 2 + 512 ? 512 : e.len) {
		assert_int_equal(0, vtr_blk_extent(&e, o.disk, off, NULL));
		assert_int_equal(off == block / 2 ? VTR_EXTENT_DATA : VTR_EXTENT_ABSENT, e.kind);
	}
	assert_in_range((clock() - start) / CLOCKS_PER_SEC, 0, 60);
	qcow2_done(&o);
	part_temp_done(dir);
}

static void a_sparse_disk_of_2040_gib_costs_little(void **state)
{
	char *dir;

	(void)state;
	if (!qcow2_has_tools())
		skip();
	dir = part_temp();
	part_run("qemu-img create -q -f vpc -o force_size=on '%s/i' 2040G", dir);
	part_run("qemu-io -f vpc -c 'write -P 7 2000G 8k' '%s/i' >/dev/null", dir);
	qcow2_expect_sparse(in(dir, "i"), 2040ull << 30, 2000ull << 30, 7, 2 << 20);
	part_temp_done(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_qemu_writes_is_read),
		cmocka_unit_test(the_size_is_what_the_writer_shows),
		cmocka_unit_test(sectors_that_were_never_written_are_zeros),
		cmocka_unit_test(a_child_has_its_own_sectors_and_its_parents),
		cmocka_unit_test(a_child_reads_as_libvhdi_reads_it),
		cmocka_unit_test(sectors_that_windows_wrote_are_the_childs),
		cmocka_unit_test(bitmaps_of_all_sizes_are_followed),
		cmocka_unit_test(one_footer_is_enough),
		cmocka_unit_test(a_footer_of_511_bytes_is_one),
		cmocka_unit_test(a_guest_in_a_fixed_disk_cannot_make_it_another),
		cmocka_unit_test(a_fixed_disk_is_a_raw_one_and_a_footer),
		cmocka_unit_test(the_parent_is_found_by_each_kind_of_locator),
		cmocka_unit_test(another_parent_is_refused_unless_allowed),
		cmocka_unit_test(the_footer_is_told),
		cmocka_unit_test(damage_is_named),
		cmocka_unit_test(more_damage_is_named),
		cmocka_unit_test(a_damaged_entry_costs_its_block),
		cmocka_unit_test(a_file_cut_within_a_block_gives_what_it_has),
		cmocka_unit_test(odd_locators_are_warned_of),
		cmocka_unit_test(a_block_of_2_gib_is_walked_in_small_steps),
		cmocka_unit_test(a_sparse_disk_of_2040_gib_costs_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
