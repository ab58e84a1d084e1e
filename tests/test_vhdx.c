/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VHDX: images as qemu-img 7.2 writes them against what it reads from them; images laid out by hand from [MS-VHDX]
 * against what qemu-img and libvhdi read, where those can, and against a table of damage.
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
#include "tests/vhd_images.h"

#define MB (1u << 20)

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
	return NULL;
}

static void open_built(struct qcow2_opened *o, const struct vhdx_built *b)
{
	struct vtr_image_options opt = { .format = "vhdx", .alone = true };

	qcow2_start(o, NULL, false);
	qcow2_open_bytes(o, b->p, b->len, &opt);
}

static void open_good_built(struct qcow2_opened *o, const struct vhdx_built *b)
{
	open_built(o, b);
	if (o->rc < 0)
		fail_msg("%s", o->err.text);
}

static void write_built(const struct vhdx_built *b, const char *file)
{
	qcow2_write_file(file, b->p, b->len);
}

/* ------------------------------------------------------------------------------------------------- as others write */

static void what_qemu_writes_is_read(void **state)
{
	static const struct {
		const char *options;
		unsigned block_mb;
	} made[] = {
		{ "subformat=dynamic,block_size=1M", 1 },
		{ "subformat=dynamic,block_size=2M,log_size=3M", 2 },
		{ "subformat=dynamic,block_size=8M,block_state_zero=off", 8 },
		{ "subformat=dynamic,block_size=64M", 64 },
		{ "subformat=dynamic,block_size=256M", 256 },
		{ "subformat=fixed,block_size=1M", 1 },
	};
	char *dir;

	(void)state;
	if (!qcow2_has_tools())
		skip();
	dir = part_temp();
	for (size_t i = 0; i < VTR_COUNT(made); i++) {
		bool fixed = strstr(made[i].options, "fixed") != NULL;
		struct qcow2_opened o;

		part_run("qemu-img create -q -f vhdx -o %s '%s/i' 20M", made[i].options, dir);
		part_run(
			"qemu-io -f vhdx -c 'write -P 1 1000k 100k' -c 'write -P 2 7M 3M' -c 'write -P 3 20479k 1k' '%s/i' >/dev/null",
			dir);
		qcow2_open_good(&o, in(dir, "i"), NULL);
		qcow2_expect_qemu(o.disk, in(dir, "i"), "-f vhdx"); /* it has no map of a VHDX */
		qcow2_expect_quiet(&o);
		assert_string_equal("vhdx", vtr_image_info(o.disk)->format);
		assert_string_equal(fixed ? "fixed" : "dynamic", vtr_image_info(o.disk)->subformat);
		assert_int_equal(made[i].block_mb << 20, vtr_image_info(o.disk)->cluster_size);
		assert_false(vtr_image_info(o.disk)->dirty);
		qcow2_done(&o);
	}
	part_temp_done(dir);
}

/* Sector bitmap entries stand between the chunks of the BAT: each 4 GiB, with sectors of 512 bytes. */
static void disks_of_many_chunks_are_read(void **state)
{
	static const uint64_t at[] = { 0, 4095, 4096, 4097, 8191, 8192, 12287, 12288 }; /* MiB */
	uint8_t buf[8192];
	struct vtr_extent e;
	struct qcow2_opened o;
	char *dir;

	(void)state;
	if (!qcow2_has_tools())
		skip();
	dir = part_temp();
	part_run("qemu-img create -q -f vhdx -o block_size=1M '%s/i' 13000M", dir);
	for (size_t i = 0; i < VTR_COUNT(at); i++)
		part_run("qemu-io -f vhdx -c 'write -P %zu %" PRIu64 "M 8k' '%s/i' >/dev/null", i + 1, at[i], dir);
	qcow2_open_good(&o, in(dir, "i"), NULL);
	for (size_t i = 0; i < VTR_COUNT(at); i++) {
		assert_int_equal(0, vtr_blk_pread(o.disk, at[i] << 20, buf, sizeof(buf), NULL));
		for (size_t k = 0; k < sizeof(buf); k++)
			assert_int_equal(i + 1, buf[k]);
		assert_int_equal(0, vtr_blk_extent(&e, o.disk, at[i] << 20, NULL));
		assert_int_equal(VTR_EXTENT_DATA, e.kind);
		assert_int_equal(0, vtr_blk_pread(o.disk, (at[i] + 2) << 20, buf, sizeof(buf), NULL));
		assert_int_equal(at[i] == 4095 ? 3 : 0, at[i] == 4095 ? 3 : buf[0]);
	}
	qcow2_expect_quiet(&o);
	qcow2_done(&o);
	part_temp_done(dir);
}

static void a_sparse_disk_of_60_tib_costs_little(void **state)
{
	char *dir;

	(void)state;
	if (!qcow2_has_tools())
		skip();
	dir = part_temp();
	part_run("qemu-img create -q -f vhdx -o block_size=256M '%s/i' 60T", dir);
	part_run("qemu-io -f vhdx -c 'write -P 7 50T 8k' '%s/i' >/dev/null", dir);
	qcow2_expect_sparse(in(dir, "i"), 60ull << 40, 50ull << 40, 7, 256 << 20);
	part_temp_done(dir);
}

/* ---------------------------------------------------------------------------------------------------------- blocks */

static void every_state_of_a_block_is_read(void **state)
{
	struct vhdx_options opt = { .size = 9 * MB - 512, .data_mb = 4 };
	static const struct {
		unsigned state;
		bool data;
		int kind;
	} rows[] = { { 0, false, VTR_EXTENT_ABSENT }, { 1, false, VTR_EXTENT_ZERO },   { 2, false, VTR_EXTENT_ZERO },
		     { 3, false, VTR_EXTENT_ZERO },   { 5, false, VTR_EXTENT_ZERO },   { 6, true, VTR_EXTENT_DATA },
		     { 6, true, VTR_EXTENT_DATA },    { 0, false, VTR_EXTENT_ABSENT }, { 6, true, VTR_EXTENT_DATA } };
	uint8_t *disk = calloc(9, MB);
	struct vhdx_built b;
	struct vtr_extent e;
	struct qcow2_opened o;
	unsigned mb = 0;

	(void)state;
	assert_non_null(disk);
	vhdx_build(&b, &opt);
	for (unsigned i = 0; i < VTR_COUNT(rows); i++) {
		/* Where there is no data, an offset is only a memory. */
		vhdx_bat(&b, i, rows[i].state, rows[i].data ? b.data_off + mb * MB : i == 3 ? 1ull << 40 : 0);
		if (!rows[i].data)
			continue;
		qcow2_noise(b.p + b.data_off + mb * MB, MB, 20 + i);
		memcpy(disk + (size_t)i * MB, b.p + b.data_off + mb * MB, MB);
		mb++;
	}
	open_good_built(&o, &b);
	qcow2_expect_bytes(o.disk, disk, opt.size);
	qcow2_expect_quiet(&o);
	for (unsigned i = 0; i < VTR_COUNT(rows); i++) {
		assert_int_equal(0, vtr_blk_extent(&e, o.disk, (uint64_t)i * MB, NULL));
		assert_int_equal(rows[i].kind, e.kind);
	}
	/* Blocks that lie one after the other are one extent. */
	assert_int_equal(0, vtr_blk_extent(&e, o.disk, 5 * MB, NULL));
	assert_int_equal(2 * MB, e.len);
	assert_int_equal(b.data_off, e.host_off);
	qcow2_done(&o);
	if (qcow2_has_tools()) {
		char *dir = part_temp();

		vhdx_bat(&b, 3, 2, 0);
		vhdx_bat(&b, 4, 2, 0);
		write_built(&b, in(dir, "i"));
		qcow2_open_good(&o, path, NULL);
		qcow2_expect_qemu(o.disk, in(dir, "i"), "-f vhdx");
		qcow2_done(&o);
		part_temp_done(dir);
	}
	vhdx_done(&b);
	free(disk);
}

static void sectors_of_4096_bytes_are_read(void **state)
{
	struct vhdx_options opt = { .size = 5 * MB + 4096, .block = 2 * MB, .logical = 4096, .data_mb = 4 };
	uint8_t *disk = calloc(1, 6 * MB);
	struct vhdx_built b;
	struct qcow2_opened o;

	(void)state;
	assert_non_null(disk);
	vhdx_build(&b, &opt);
	qcow2_noise(b.p + b.data_off, 4 * MB, 5);
	vhdx_bat(&b, 0, 6, b.data_off + 2 * MB);
	vhdx_bat(&b, 2, 6, b.data_off);
	memcpy(disk, b.p + b.data_off + 2 * MB, 2 * MB);
	memcpy(disk + 4 * MB, b.p + b.data_off, MB + 4096);
	open_good_built(&o, &b);
	qcow2_expect_bytes(o.disk, disk, opt.size);
	assert_int_equal(4096, vtr_image_info(o.disk)->logical_sector);
	assert_int_equal(4096, vtr_image_info(o.disk)->physical_sector);
	qcow2_done(&o);
	if (vhd_has_peer()) {
		char *dir = part_temp(), images[600];

		write_built(&b, in(dir, "i"));
		snprintf(images, sizeof(images), "'%s/i'", dir);
		vhd_expect_peer(images, disk, opt.size);
		part_temp_done(dir);
	}
	vhdx_done(&b);
	free(disk);
}

/* Write a child of a parent of 3 MiB with whole blocks; the bytes of both together are given. */
static uint8_t *make_child(const char *dir, uint32_t logical, bool whole_bytes)
{
	struct vhdx_options child = { .size = 3 * MB,
				      .logical = logical,
				      .flags = 2,
				      .data_mb = 3,
				      .linkage = "{33221100-5544-7766-8899-aabbccddeeff}",
				      .relative = ".\\parent.vhdx",
				      .absolute = "\\\\?\\C:\\disks\\parent.vhdx" },
			    parent = { .size = 3 * MB, .logical = logical, .data_mb = 3 };
	uint64_t ratio = (1ull << 23) * (logical ? logical : 512) / MB;
	uint32_t sector = logical ? logical : 512, x = 5;
	uint8_t *disk = malloc(3 * MB), *bits;
	struct vhdx_built b;

	assert_non_null(disk);
	vhdx_build(&b, &parent);
	qcow2_noise(b.p + b.data_off, 3 * MB, 31);
	memcpy(disk, b.p + b.data_off, 3 * MB);
	for (unsigned i = 0; i < 3; i++)
		vhdx_bat(&b, i, 6, b.data_off + (uint64_t)i * MB);
	write_built(&b, in(dir, "parent.vhdx"));
	vhdx_done(&b);

	/* Block 0 is the parent's, 1 partly, 2 whole, whatever the bitmap says of it. */
	vhdx_build(&b, &child);
	qcow2_noise(b.p + b.data_off, 2 * MB, 32);
	vhdx_bat(&b, 1, 7, b.data_off + MB);
	vhdx_bat(&b, 2, 6, b.data_off);
	vhdx_bat(&b, ratio, 6, b.data_off + 2 * MB);
	memcpy(disk + 2 * MB, b.p + b.data_off, MB);
	bits = b.p + b.data_off + 2 * MB;
	for (uint32_t s = MB / sector; s < 2 * MB / sector;) {
		uint32_t run = qcow2_random(&x) % 100 + 1;
		bool set = qcow2_random(&x) & 1;

		if (whole_bytes)
			run = run * 8;
		for (; run > 0 && s < 2 * MB / sector; run--, s++)
			if (set) {
				bits[s / 8] |= (uint8_t)(1 << s % 8);
				memcpy(disk + (size_t)s * sector, b.p + b.data_off + (size_t)s * sector, sector);
			}
	}
	write_built(&b, in(dir, "child.avhdx"));
	vhdx_done(&b);
	return disk;
}

static void a_child_has_its_own_sectors_and_its_parents(void **state)
{
	char *dir = part_temp(), images[600];
	const struct vtr_image_info *info;
	struct vtr_extent e;
	struct qcow2_opened o;

	(void)state;
	/* libvhdi 20210425 sees where sectors of the child end when a byte of the bitmap is zero, no finer. */
	for (unsigned round = 0; round < 4; round++) {
		uint32_t sector = round % 2 ? 4096 : 512;
		uint8_t *disk = make_child(dir, sector, round >= 2);

		qcow2_open_good(&o, in(dir, "child.avhdx"), NULL);
		qcow2_expect_bytes(o.disk, disk, 3 * MB);
		qcow2_expect_quiet(&o);
		info = vtr_image_info(o.disk);
		assert_string_equal("differencing", info->subformat);
		assert_string_equal(VHDX_DATA_WRITE_GUID, info->parent_id);
		assert_int_equal(VTR_MATCH_YES, info->parent_match);
		assert_string_equal("\\\\?\\C:\\disks\\parent.vhdx", info->backing);
		assert_string_equal(in(dir, "parent.vhdx"), info->backing_path);
		assert_int_equal(sector, info->logical_sector);
		assert_int_equal(0, vtr_blk_extent(&e, o.disk, 100, NULL));
		assert_int_equal(1, e.depth);
		assert_int_equal(0, vtr_blk_extent(&e, o.disk, 2 * MB, NULL));
		assert_int_equal(0, e.depth);
		qcow2_done(&o);
		if (round >= 2 && vhd_has_peer()) {
			snprintf(images, sizeof(images), "'%s/child.avhdx' '%s/parent.vhdx'", dir, dir);
			vhd_expect_peer(images, disk, 3 * MB);
		}
		free(disk);
	}
	part_temp_done(dir);
}

/* ------------------------------------------------------------------------------------------------------------- log */

/* A page of the BAT with these states of its first entries. */
static void bat_page(uint8_t page[4096], const struct vhdx_built *b, unsigned n)
{
	memset(page, 0, 4096);
	for (unsigned i = 0; i < n; i++)
		vhd_put_le(page + 8 * i, 8, 6 | (b->data_off + (uint64_t)i * MB));
}

/* Against what qemu-img makes of a copy that it repairs: it replays the log into it. */
static void expect_replayed_as_qemu_does(const struct vhdx_built *b)
{
	struct qcow2_opened o;
	uint8_t *bytes;
	uint64_t len;
	char *dir;

	if (!qcow2_has_tools())
		return;
	dir = part_temp();
	write_built(b, in(dir, "i"));
	part_run(
		"cd '%s' && cp i copy && qemu-img check -q -f vhdx -r all copy && qemu-img convert -f vhdx -O raw copy raw",
		dir);
	bytes = qcow2_file(in(dir, "raw"), &len);
	qcow2_open_good(&o, in(dir, "i"), NULL);
	qcow2_expect_bytes(o.disk, bytes, len);
	qcow2_done(&o);
	/* What it wrote into the copy reads the same, and nothing is to be replayed any more. */
	qcow2_open_good(&o, in(dir, "copy"), NULL);
	qcow2_expect_bytes(o.disk, bytes, len);
	assert_false(vtr_image_info(o.disk)->dirty);
	qcow2_done(&o);
	free(bytes);
	part_temp_done(dir);
}

static void build_for_log(struct vhdx_built *b)
{
	struct vhdx_options opt = { .size = 4 * MB, .data_mb = 4 };

	vhdx_build(b, &opt);
	qcow2_noise(b->p + b->data_off, 4 * MB, 50);
	vhdx_log_use(b);
}

/* The disk when the first n blocks are there. */
static void expect_blocks(const struct vhdx_built *b, unsigned n, unsigned entries)
{
	uint8_t *disk = calloc(4, MB);
	struct qcow2_opened o;

	assert_non_null(disk);
	memcpy(disk, b->p + b->data_off, (size_t)n * MB);
	open_good_built(&o, b);
	qcow2_expect_bytes(o.disk, disk, 4 * MB);
	qcow2_expect_quiet(&o);
	assert_true(vtr_image_info(o.disk)->dirty);
	assert_int_equal(entries, prop(o.disk, "log_entries")->number);
	qcow2_done(&o);
	free(disk);
}

static void a_log_is_replayed_entry_by_entry(void **state)
{
	uint8_t one[4096], two[4096], three[4096];
	struct vhdx_built b;
	struct vhdx_write w = { .zeros = 0 };
	uint32_t at = 0;

	(void)state;
	build_for_log(&b);
	bat_page(one, &b, 1);
	bat_page(two, &b, 2);
	bat_page(three, &b, 4);
	w.off = b.bat_off;
	w.data = one;
	at = vhdx_log_entry(&b, at, 100, 0, &w, 1);
	expect_blocks(&b, 1, 1);
	w.data = three;
	at = vhdx_log_entry(&b, at, 101, 0, &w, 1);
	expect_blocks(&b, 4, 2);
	w.data = two;
	at = vhdx_log_entry(&b, at, 102, 0, &w, 1);
	expect_blocks(&b, 2, 3);
	expect_replayed_as_qemu_does(&b);
	/* The fourth says that the first two are done with. */
	w.data = three;
	at = vhdx_log_entry(&b, at, 103, 2 * 8192, &w, 1);
	expect_blocks(&b, 4, 2);
	/* The fifth is torn: its data sector did not get there. */
	w.data = one;
	vhdx_log_entry(&b, at, 104, 2 * 8192, &w, 1);
	memset(b.p + b.log_off + at + 4096, 0, 4096);
	expect_blocks(&b, 4, 2);
	/* Nor did this one: its checksum tells. */
	vhdx_log_entry(&b, at, 104, 2 * 8192, &w, 1);
	b.p[b.log_off + at + 4096 + 2000] ^= 1;
	expect_blocks(&b, 4, 2);
	/* An entry that does not follow is of another time. */
	vhdx_log_entry(&b, at, 105, at - 8192, &w, 1);
	expect_blocks(&b, 4, 2);
	/* One that is newer, and whole in itself, is the active sequence. */
	vhdx_log_entry(&b, at, 105, at, &w, 1);
	expect_blocks(&b, 1, 1);
	vhdx_done(&b);
}

/* Two entries; the second begins split sectors before the end of the log, and goes on at its start. */
static void expect_wrapped(unsigned split)
{
	uint32_t at = MB - (split + 3) * 4096, tail = at;
	uint8_t page[4096], noise[4][4096], *disk = calloc(4, MB);
	struct vhdx_write w[4];
	struct vhdx_built b;
	struct vtr_extent e;
	struct qcow2_opened o;

	assert_non_null(disk);
	build_for_log(&b);
	/* Payload too, though nobody logs it. */
	for (unsigned i = 0; i < 4; i++) {
		qcow2_noise(noise[i], 4096, 60 + i);
		memset(noise[i], 0xa0 + (int)i, 8);
		memset(noise[i] + 4092, 0xb0 + (int)i, 4);
		w[i] = (struct vhdx_write){ .off = b.data_off + i * 8192, .data = noise[i] };
	}
	at = vhdx_log_entry(&b, at, 7, tail, w, 2);
	assert_int_equal((MB - split * 4096) % MB, at);
	bat_page(page, &b, 3);
	w[0] = (struct vhdx_write){ .off = b.bat_off, .data = page };
	at = vhdx_log_entry(&b, at, 8, tail, w, 4);
	/* Rubbish of an older time, in front of which it ends. */
	vhdx_log_entry(&b, at, 5, at, w, 1);
	memcpy(disk, b.p + b.data_off, 3 * MB);
	for (unsigned i = 0; i < 4; i++)
		memcpy(disk + i * 8192, noise[i], 4096);
	open_good_built(&o, &b);
	qcow2_expect_bytes(o.disk, disk, 4 * MB);
	/* What comes from the log lies at no place of the file. */
	assert_int_equal(0, vtr_blk_extent(&e, o.disk, 0, NULL));
	assert_int_equal(VTR_EXTENT_DATA, e.kind);
	assert_false(e.has_host_off);
	assert_int_equal(4096, e.len);
	assert_int_equal(0, vtr_blk_extent(&e, o.disk, 4096, NULL));
	assert_true(e.has_host_off);
	assert_int_equal(b.data_off + 4096, e.host_off);
	assert_int_equal(4096, e.len);
	assert_int_equal(6, prop(o.disk, "log_writes")->number);
	qcow2_done(&o);
	/* qemu takes the entry at the start of the log for a sequence of its own, though it names one before it as the oldest. */
	if (split > 0)
		expect_replayed_as_qemu_does(&b);
	vhdx_done(&b);
	free(disk);
}

static void a_log_wraps_around_its_end(void **state)
{
	(void)state;
	for (unsigned split = 0; split < 5; split++)
		expect_wrapped(split);
}

/* From its first sector to its last, the tail in the middle. */
static void a_log_may_be_full(void **state)
{
	uint8_t page[4096];
	struct vhdx_write w;
	struct vhdx_built b;
	uint32_t at = MB / 2;

	(void)state;
	build_for_log(&b);
	for (unsigned i = 0; i < 128; i++) {
		bat_page(page, &b, i == 127 ? 3 : 1 + i % 3);
		w = (struct vhdx_write){ .off = b.bat_off, .data = page };
		at = vhdx_log_entry(&b, at, 1000 + i, MB / 2, &w, 1);
	}
	assert_int_equal(MB / 2, at);
	expect_blocks(&b, 3, 128);
	vhdx_done(&b);
}

static void zero_descriptors_wipe_what_was_there(void **state)
{
	uint8_t page[4096], noise[4096], *disk = calloc(4, MB);
	struct vhdx_write w[5];
	struct vhdx_built b;
	struct qcow2_opened o;
	uint32_t at;

	(void)state;
	assert_non_null(disk);
	build_for_log(&b);
	qcow2_noise(noise, 4096, 70);
	memset(noise, 0x77, 8);
	for (unsigned i = 0; i < 4; i++)
		vhdx_bat(&b, i, 6, b.data_off + (uint64_t)i * MB);
	bat_page(page, &b, 4);
	w[0] = (struct vhdx_write){ .off = b.data_off + 4096, .zeros = 3 * 4096 };
	w[1] = (struct vhdx_write){ .off = b.data_off + 2 * 4096, .data = noise };
	w[2] = (struct vhdx_write){ .off = b.data_off + 8 * 4096, .data = noise };
	w[3] = (struct vhdx_write){ .off = b.data_off + 7 * 4096, .zeros = MB };
	w[4] = (struct vhdx_write){ .off = b.data_off + 3 * MB, .zeros = 0 };
	at = vhdx_log_entry(&b, 0, 1, 0, w, 5);
	w[0] = (struct vhdx_write){ .off = b.data_off + 9 * 4096, .data = noise };
	w[1] = (struct vhdx_write){ .off = b.data_off + 2 * MB + 4096, .zeros = 4096 };
	vhdx_log_entry(&b, at, 2, 0, w, 2);
	memcpy(disk, b.p + b.data_off, 4 * MB);
	memset(disk + 4096, 0, 3 * 4096);
	memcpy(disk + 2 * 4096, noise, 4096);
	memset(disk + 7 * 4096, 0, MB);
	memcpy(disk + 9 * 4096, noise, 4096);
	memset(disk + 2 * MB + 4096, 0, 4096);
	open_good_built(&o, &b);
	qcow2_expect_bytes(o.disk, disk, 4 * MB);
	qcow2_done(&o);
	expect_replayed_as_qemu_does(&b);
	vhdx_done(&b);
	free(disk);
}

/* More than the 126 that fit beside the header; and writes behind the end of the file, which grows. */
static void long_entries_and_longer_files_are_replayed(void **state)
{
	struct vhdx_write w[200];
	uint8_t page[4096], (*noise)[4096] = calloc(198, 4096), *disk = calloc(4, MB);
	struct vhdx_built b;
	struct qcow2_opened o;

	(void)state;
	assert_true(noise && disk);
	build_for_log(&b);
	b.last = b.len + 2 * MB;
	bat_page(page, &b, 3);
	vhd_put_le(page + 24, 8, 6 | b.len); /* block 3: behind the end */
	w[0] = (struct vhdx_write){ .off = b.bat_off, .data = page };
	w[1] = (struct vhdx_write){ .off = b.data_off, .zeros = 4096 };
	memcpy(disk, b.p + b.data_off, 3 * MB);
	memset(disk, 0, 4096);
	for (unsigned i = 0; i < 198; i++) {
		memset(noise[i], (int)(i + 1), 4096);
		w[2 + i] = (struct vhdx_write){ .off = b.len + i * 4096, .data = noise[i] };
		memcpy(disk + 3 * MB + i * 4096, noise[i], 4096);
	}
	vhdx_log_entry(&b, 128 * 4096, 1ull << 40, 128 * 4096, w, 200);
	open_good_built(&o, &b);
	qcow2_expect_bytes(o.disk, disk, 4 * MB);
	qcow2_done(&o);
	vhdx_done(&b);
	free(noise);
	free(disk);
}

static void a_log_may_mend_the_tables(void **state)
{
	struct vhdx_options opt = { .size = 2 * MB, .data_mb = 2 };
	struct vhdx_write w[4];
	struct vhdx_built b;
	struct qcow2_opened o;
	uint8_t pages[4][4096];
	static const unsigned at[] = { 192 * 1024, 256 * 1024 };

	(void)state;
	vhdx_build(&b, &opt);
	vhdx_bat(&b, 0, 6, b.data_off);
	vhdx_log_use(&b);
	for (unsigned i = 0; i < 2; i++) {
		memcpy(pages[i], b.p + at[i], 4096);
		memset(b.p + at[i], 0xdd, 4096);
		w[i] = (struct vhdx_write){ .off = at[i], .data = pages[i] };
	}
	memcpy(pages[2], b.p + b.metadata_off, 4096);
	memset(b.p + b.metadata_off, 0xdd, 4096);
	w[2] = (struct vhdx_write){ .off = b.metadata_off, .data = pages[2] };
	memcpy(pages[3], b.p + b.metadata_off + 65536, 4096);
	memset(b.p + b.metadata_off + 65536, 0xdd, 4096);
	w[3] = (struct vhdx_write){ .off = b.metadata_off + 65536, .data = pages[3] };
	vhdx_log_entry(&b, 0, 1, 0, w, 4);
	open_good_built(&o, &b);
	assert_int_equal(2 * MB, vtr_blk_size(o.disk));
	qcow2_expect_quiet(&o);
	qcow2_done(&o);
	vhdx_done(&b);
}

static void a_log_that_cannot_be_replayed_is_refused(void **state)
{
	uint8_t page[4096];
	struct vhdx_built b;
	struct vhdx_write w[2] = { 0 };
	struct qcow2_opened o;
	struct vtr_image_options opt = { .format = "vhdx" };

	(void)state;
	build_for_log(&b);
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ECORRUPT, "log: no whole sequence of entries in 1048576 bytes at 0x100000");
	qcow2_done(&o);
	/* Who insists gets the file as it lies. */
	qcow2_start(&o, NULL, false);
	vtr_ctx_no_replay(o.ctx, true);
	qcow2_open_bytes(&o, b.p, b.len, &opt);
	assert_int_equal(0, o.rc);
	qcow2_expect_said(&o, "its log is not replayed");
	assert_true(vtr_image_info(o.disk)->dirty);
	qcow2_done(&o);

	bat_page(page, &b, 1);
	w[0] = (struct vhdx_write){ .off = b.bat_off, .data = page };
	/* The oldest entry is not there. */
	vhdx_log_entry(&b, 0, 3, 8192, w, 1);
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ECORRUPT, "log: no whole sequence");
	qcow2_done(&o);
	/* The file was longer. */
	b.flushed = b.len + MB;
	vhdx_log_entry(&b, 0, 3, 0, w, 1);
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ETRUNCATED,
			   "log: it was written when the file had 9437184 bytes, and now it has 8388608");
	qcow2_done(&o);
	b.flushed = 0;
	/* Where it must not write. */
	w[1] = (struct vhdx_write){ .off = 128 * 1024, .zeros = 4096 };
	vhdx_log_entry(&b, 0, 3, 0, w, 2);
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ECORRUPT, "log: it writes to 0x20000, where the headers are");
	qcow2_done(&o);
	w[1] = (struct vhdx_write){ .off = MB - 4096, .zeros = 8192 };
	vhdx_log_entry(&b, 0, 3, 0, w, 2);
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ECORRUPT, "log: it writes to 0xff000, into itself");
	qcow2_done(&o);
	/* What an entry must not say, with a checksum that fits. */
	w[1] = (struct vhdx_write){ .off = 2 * MB + 512, .zeros = 4096 };
	vhdx_log_entry(&b, 0, 3, 0, w, 2);
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ECORRUPT, "log: no whole sequence");
	qcow2_done(&o);
	w[1] = (struct vhdx_write){ .off = UINT64_MAX - 4095, .zeros = 8192 };
	vhdx_log_entry(&b, 0, 3, 0, w, 2);
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ECORRUPT, "log: no whole sequence");
	qcow2_done(&o);
	vhdx_log_entry(&b, 0, 0, 0, w, 1);
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ECORRUPT, "log: no whole sequence");
	qcow2_done(&o);
	/* Of another log. */
	vhdx_log_entry(&b, 0, 3, 0, w, 1);
	memset(b.p + 64 * 1024 + 48, 0x20, 16);
	memset(b.p + 128 * 1024 + 48, 0x20, 16);
	vhdx_seal(&b);
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ECORRUPT, "log: no whole sequence");
	qcow2_done(&o);
	vhdx_done(&b);
}

/* Entries that claim to be as long as the log cost a sum over it each: that is counted. */
static void a_log_that_costs_too_much_is_refused(void **state)
{
	struct vtr_image_options opt = { .format = "vhdx" };
	struct vtr_limits l;
	struct vhdx_built b;
	struct qcow2_opened o;

	(void)state;
	build_for_log(&b);
	for (uint32_t at = 0; at < MB; at += 4096) {
		uint8_t *p = b.p + b.log_off + at;

		vhdx_log_entry(&b, at, 3, at, NULL, 0);
		vhd_put_le(p + 8, 4, MB);
		vhd_put_le(p + 24, 4, 126); /* then come sectors of data; this one is 126 zero descriptors */
		for (unsigned i = 2; i < 128; i++) {
			memcpy(p + 32 * i, "zero", 4);
			vhd_put_le(p + 32 * i + 24, 8, 3);
		}
	}
	vtr_limits_default(&l);
	l.steps = 10000;
	qcow2_start(&o, &l, false);
	qcow2_open_bytes(&o, b.p, b.len, &opt);
	qcow2_expect_error(&o, VTR_ELIMIT, "limit steps=10000");
	qcow2_done(&o);
	vhdx_done(&b);
}

/* ----------------------------------------------------------------------------------------------- headers, tables */

static void one_header_is_enough(void **state)
{
	struct vhdx_options opt = { .size = 2 * MB, .data_mb = 1 };
	struct vhdx_built b;
	struct qcow2_opened o;

	(void)state;
	vhdx_build(&b, &opt);
	vhdx_bat(&b, 0, 6, b.data_off);
	/* The current one is the second: sequence 8 after 7. */
	b.p[64 * 1024 + 20] = 0xaa;
	vhdx_seal(&b);
	open_good_built(&o, &b);
	qcow2_expect_quiet(&o);
	assert_string_equal("F1F1F1F1-F1F1-F1F1-F1F1-F1F1F1F1F1F1", prop(o.disk, "file_write_guid")->text);
	qcow2_done(&o);
	b.p[128 * 1024 + 500] ^= 1;
	open_good_built(&o, &b);
	qcow2_expect_said(&o, "corrupt: VHDX: the header at 0x20000 is damaged: the one at 0x10000 is used");
	/* The byte at 20 is the first of the second field, little endian. */
	assert_string_equal("F1F1F1F1-F1AA-F1F1-F1F1-F1F1F1F1F1F1", prop(o.disk, "file_write_guid")->text);
	qcow2_done(&o);
	b.p[64 * 1024 + 500] ^= 1;
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ECORRUPT, "no header: neither 0x10000 nor 0x20000 has a sound one");
	qcow2_done(&o);
	/* As disk2vhd has it: the same twice. */
	memcpy(b.p + 64 * 1024, b.p + 128 * 1024, 4096);
	vhdx_seal(&b);
	open_good_built(&o, &b);
	qcow2_expect_quiet(&o);
	qcow2_done(&o);
	b.p[64 * 1024 + 16] = 1;
	vhdx_seal(&b);
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ECORRUPT, "both headers have the sequence number 8, and are not the same");
	qcow2_done(&o);
	vhdx_done(&b);
}

static void one_region_table_is_enough(void **state)
{
	struct vhdx_options opt = { .size = 2 * MB, .data_mb = 1 };
	struct vhdx_built b;
	struct qcow2_opened o;

	(void)state;
	vhdx_build(&b, &opt);
	b.p[256 * 1024 + 60000] = 1;
	open_good_built(&o, &b);
	qcow2_expect_said(&o, "corrupt: VHDX: the copy of the region table at 0x40000 is damaged");
	qcow2_done(&o);
	b.p[256 * 1024 + 60000] = 0;
	b.p[192 * 1024 + 60000] = 1;
	open_good_built(&o, &b);
	qcow2_expect_said(&o, "corrupt: VHDX: the region table at 0x30000 is damaged: its copy at 0x40000 is used");
	qcow2_done(&o);
	b.p[256 * 1024 + 60000] = 1;
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ECORRUPT, "no region table: neither 0x30000 nor 0x40000 has a sound one");
	qcow2_done(&o);
	vhdx_done(&b);
}

static void what_is_unknown_is_told_or_refused(void **state)
{
	static const uint8_t guid[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	struct vhdx_options opt = { .size = 2 * MB, .data_mb = 2 };
	struct vhdx_built b;
	struct qcow2_opened o;

	(void)state;
	vhdx_build(&b, &opt);
	vhdx_item(&b, guid, "hello", 5, 1);
	vhdx_item(&b, guid, NULL, 0, 2);
	for (unsigned k = 0; k < 2; k++) {
		uint8_t *p = b.p + (192u + 64 * k) * 1024;

		vhd_put_le(p + 8, 4, 3);
		memcpy(p + 16 + 64, guid, 16);
		vhd_put_le(p + 16 + 64 + 16, 8, b.data_off);
		vhd_put_le(p + 16 + 64 + 24, 4, MB);
	}
	vhdx_seal(&b);
	open_good_built(&o, &b);
	assert_string_equal("04030201-0605-0807-090A-0B0C0D0E0F10 (5 bytes)", prop(o.disk, "user_metadata")->text);
	assert_string_equal("04030201-0605-0807-090A-0B0C0D0E0F10 (0 bytes)", prop(o.disk, "other_metadata")->text);
	assert_string_equal("04030201-0605-0807-090A-0B0C0D0E0F10 (1048576 bytes)",
			    prop(o.disk, "other_regions")->text);
	assert_string_equal("83838383-8383-8383-8383-838383838383", vtr_image_info(o.disk)->id);
	assert_string_equal(VHDX_DATA_WRITE_GUID, vtr_image_info(o.disk)->content_id);
	assert_string_equal("made by hand", vtr_image_info(o.disk)->creator);
	assert_int_equal(512, vtr_image_info(o.disk)->logical_sector);
	assert_int_equal(4096, vtr_image_info(o.disk)->physical_sector);
	qcow2_done(&o);
	/* No block lies there. */
	vhdx_bat(&b, 0, 6, b.data_off);
	open_good_built(&o, &b);
	{
		struct vtr_error err;
		uint8_t byte;

		assert_int_equal(-1, vtr_blk_pread(o.disk, 0, &byte, 1, &err));
		assert_non_null(strstr(err.text, "BAT: entry 0 points into the unknown region"));
	}
	qcow2_done(&o);
	vhdx_item(&b, guid, "hello", 5, 1 | 4);
	open_built(&o, &b);
	qcow2_expect_error(
		&o, VTR_EUNSUPPORTED,
		"metadata table: entry 7: item 04030201-0605-0807-090A-0B0C0D0E0F10 is required and unknown");
	qcow2_done(&o);
	vhd_put_le(b.p + 192 * 1024 + 16 + 64 + 28, 4, 1);
	vhdx_seal(&b);
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_EUNSUPPORTED, "region 04030201-0605-0807-090A-0B0C0D0E0F10 is required and unknown");
	qcow2_done(&o);
	vhdx_done(&b);
}

/* ---------------------------------------------------------------------------------------------------------- parents */

static void the_parent_is_found_and_checked(void **state)
{
	static const struct {
		const char *relative, *volume, *absolute, *linkage, *linkage2, *file;
		int code;
		const char *text;
	} rows[] = {
		{ ".\\p.vhdx", NULL, NULL, "{33221100-5544-7766-8899-aabbccddeeff}", NULL, "p.vhdx", 0, NULL },
		{ "sub\\p.vhdx", NULL, NULL, "{33221100-5544-7766-8899-AABBCCDDEEFF}", NULL, "sub/p.vhdx", 0, NULL },
		{ "..\\x\\p.vhdx", NULL, NULL, "33221100-5544-7766-8899-aabbccddeeff", NULL, "p.vhdx", 0, NULL },
		{ NULL, "\\\\?\\Volume{26A21BDA-A627-11D7-9931-806E6F6E6963}\\d\\p.vhdx", NULL,
		  "{33221100-5544-7766-8899-aabbccddeeff}", NULL, "p.vhdx", 0, NULL },
		{ "gone.vhdx", NULL, "\\\\?\\d:\\d\\p.vhdx", "{33221100-5544-7766-8899-aabbccddeeff}", NULL, "p.vhdx",
		  0, NULL },
		{ ".\\p.vhdx", NULL, NULL, "{83ed0ec3-24c8-49a6-a959-5e4bf1288bfb}",
		  "{33221100-5544-7766-8899-aabbccddeeff}", "p.vhdx", 0, NULL },
		{ ".\\p.vhdx", NULL, NULL, "{83ed0ec3-24c8-49a6-a959-5e4bf1288bfb}", NULL, "p.vhdx", VTR_ECORRUPT,
		  "its parent is 33221100-5544-7766-8899-AABBCCDDEEFF, expected 83ED0EC3-24C8-49A6-A959-5E4BF1288BFB" },
		{ ".\\p.vhdx", NULL, NULL, "{83ed0ec3}", NULL, "p.vhdx", VTR_ECORRUPT, "is no GUID" },
		{ ".\\p.vhdx", NULL, NULL, NULL, NULL, "p.vhdx", VTR_ECORRUPT, "it has no parent_linkage" },
		{ NULL, NULL, NULL, "{33221100-5544-7766-8899-aabbccddeeff}", NULL, "p.vhdx", VTR_ENOTFOUND,
		  "it does not name its parent" },
		{ ".\\gone.vhdx", NULL, NULL, "{33221100-5544-7766-8899-aabbccddeeff}", NULL, "p.vhdx", VTR_ENOTFOUND,
		  "gone.vhdx" },
	};
	struct vhdx_options plain = { .size = MB, .data_mb = 1 }, large = { .size = MB, .logical = 4096, .data_mb = 1 };
	struct vhdx_built parent, b;
	char *dir = part_temp(), file[600];
	struct qcow2_opened o;

	(void)state;
	vhdx_build(&parent, &plain);
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		struct vhdx_options opt = { .size = MB,
					    .flags = 2,
					    .data_mb = 1,
					    .relative = rows[i].relative,
					    .volume = rows[i].volume,
					    .absolute = rows[i].absolute,
					    .linkage = rows[i].linkage,
					    .linkage2 = rows[i].linkage2 };

		part_run("rm -rf '%s'/* && mkdir '%s/sub'", dir, dir);
		write_built(&parent, in(dir, rows[i].file));
		vhdx_build(&b, &opt);
		write_built(&b, in(dir, "c.avhdx"));
		vhdx_done(&b);
		qcow2_start(&o, NULL, true);
		qcow2_open(&o, in(dir, "c.avhdx"), NULL);
		if (rows[i].code) {
			qcow2_expect_error(&o, rows[i].code, rows[i].text);
		} else {
			if (o.rc < 0)
				fail_msg("%zu: %s", i, o.err.text);
			snprintf(file, sizeof(file), "%s/%s", dir, rows[i].file);
			assert_string_equal(file, vtr_image_info(o.disk)->backing_path);
			assert_int_equal(VTR_MATCH_YES, vtr_image_info(o.disk)->parent_match);
		}
		qcow2_done(&o);
	}
	vhdx_done(&parent);
	/* Sectors of another size. */
	{
		struct vhdx_options opt = { .size = MB,
					    .flags = 2,
					    .relative = "p.vhdx",
					    .linkage = "{33221100-5544-7766-8899-aabbccddeeff}" };

		vhdx_build(&parent, &large);
		write_built(&parent, in(dir, "p.vhdx"));
		vhdx_build(&b, &opt);
		write_built(&b, in(dir, "c.avhdx"));
		qcow2_start(&o, NULL, true);
		qcow2_open(&o, in(dir, "c.avhdx"), NULL);
		qcow2_expect_error(&o, VTR_ECORRUPT, "its sectors have 512 bytes, those of its parent 4096");
		qcow2_done(&o);
		vhdx_done(&parent);
		vhdx_done(&b);
	}
	part_temp_done(dir);
}

/* ----------------------------------------------------------------------------------------------------------- damage */

enum { HEAD, REGION, META, ITEM };

/* A field of an image: of both headers, of both region tables, of the metadata table, of its items. */
static const struct damage {
	int where;
	unsigned at, width;
	uint64_t value;
	int code;
	const char *text;
} damages[] = {
	{ HEAD, 66, 2, 2, VTR_EUNSUPPORTED, "version 2, read is 1" },
	{ HEAD, 0, 1, 'x', VTR_ECORRUPT, "no header" },
	{ REGION, 0, 1, 'x', VTR_ECORRUPT, "no region table" },
	{ REGION, 8, 4, 2048, VTR_ECORRUPT, "region table: 2048 entries, at most 2047" },
	{ REGION, 8, 4, 1, VTR_ECORRUPT, "region table: it has no metadata region" },
	{ REGION, 8, 4, 0, VTR_ECORRUPT, "region table: it has no BAT" },
	{ REGION, 16, 1, 0, VTR_EUNSUPPORTED, "region 2DC27700-F623-4200-9D64-115E9BFD4A08 is required and unknown" },
	{ REGION, 16 + 16, 8, 2 * MB + 512, VTR_ECORRUPT,
	  "BAT: 0x100000 bytes at 0x200200, expected multiples of 1 MiB" },
	{ REGION, 16 + 16, 8, 0, VTR_ECORRUPT, "BAT: 0x100000 bytes at 0, expected" },
	{ REGION, 16 + 16, 8, 1ull << 50, VTR_ETRUNCATED, "BAT: 0x100000 bytes at 0x4000000000000 end past the end" },
	{ REGION, 16 + 16, 8, 3 * MB, VTR_ECORRUPT, "metadata region at 0x300000 overlaps the BAT at 0x300000" },
	{ REGION, 16 + 16, 8, MB, VTR_ECORRUPT, "BAT at 0x100000 overlaps the log at 0x100000" },
	{ REGION, 16 + 24, 4, 2 * MB, VTR_ECORRUPT, "overlaps the BAT at 0x200000" },
	{ REGION, 16 + 24, 4, 1000, VTR_ECORRUPT, "BAT: 0x3e8 bytes at 0x200000, expected multiples" },
	{ REGION, 16 + 24, 4, 0, VTR_ECORRUPT, "BAT: 0 entries, a disk of" },
	{ REGION, 48 + 24, 4, 0, VTR_ECORRUPT, "metadata region: 0 bytes hold no table" },
	{ META, 0, 1, 'x', VTR_ECORRUPT, "no metadata table at 0x300000" },
	{ META, 10, 2, 2048, VTR_ECORRUPT, "metadata table: 2048 entries, at most 2047" },
	{ META, 10, 2, 4, VTR_ECORRUPT, "metadata table: it has no physical sector size" },
	{ META, 10, 2, 0, VTR_ECORRUPT, "metadata table: it has no file parameters" },
	{ META, 32, 1, 0, VTR_EUNSUPPORTED,
	  "entry 0: item CAA16700-FA36-4D43-B3B6-33F0AA44E76B is required and unknown" },
	{ META, 32 + 16, 4, 65535, VTR_ECORRUPT, "8 bytes at 0xffff leave the region" },
	{ META, 32 + 16, 4, MB - 7, VTR_ECORRUPT, "8 bytes at 0xffff9 leave the region" },
	{ META, 32 + 20, 4, 0xffffffff, VTR_ECORRUPT, "4294967295 bytes at 0x10000 leave the region" },
	{ META, 32 + 20, 4, 7, VTR_ECORRUPT, "file parameters: 7 bytes, expected 8" },
	{ ITEM, 0, 4, 512 << 10, VTR_ECORRUPT, "block size 524288, expected a power of 2 from 1 to 256 MiB" },
	{ ITEM, 0, 4, 3 * MB, VTR_ECORRUPT, "block size 3145728" },
	{ ITEM, 0, 4, 512 * MB, VTR_ECORRUPT, "block size 536870912" },
	{ ITEM, 4, 4, 2, VTR_ECORRUPT, "it has no parent locator, and the disk a parent" },
	{ ITEM, 8, 8, 1000, VTR_ECORRUPT, "virtual disk size 1000, expected sectors of 512" },
	{ ITEM, 8, 8, (64ull << 40) + 512, VTR_ECORRUPT, "and at most 64 TiB" },
	{ ITEM, 8, 8, 64ull << 40, VTR_ECORRUPT, "BAT: 131072 entries, a disk of 70368744177664 bytes needs 67125247" },
	{ ITEM, 32, 4, 1024, VTR_ECORRUPT, "logical sector size 1024, expected 512 or 4096" },
	{ ITEM, 36, 4, 0, VTR_ECORRUPT, "physical sector size 0, expected 512 or 4096" },
};

static void damage_is_named(void **state)
{
	struct vhdx_options opt = { .size = 2 * MB, .data_mb = 1 };

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(damages); i++) {
		const struct damage *d = &damages[i];
		struct vhdx_built b;
		struct qcow2_opened o;

		vhdx_build(&b, &opt);
		for (unsigned k = 0; k < 2; k++) {
			uint64_t at = d->where == HEAD	   ? 64 * 1024 + k * 65536
				      : d->where == REGION ? 192 * 1024 + k * 65536
				      : d->where == META   ? b.metadata_off
							   : b.metadata_off + 65536;

			vhd_put_le(b.p + at + d->at, d->width, d->value);
		}
		vhdx_seal(&b);
		open_built(&o, &b);
		qcow2_expect_error(&o, d->code, d->text);
		qcow2_done(&o);
		vhdx_done(&b);
	}
}

/* What lies in another place than the tables of damage reach. */
static void more_damage_is_named(void **state)
{
	struct vhdx_options opt = { .size = 2 * MB, .data_mb = 1 };
	struct vtr_image_options snapshot = { .format = "vhdx", .snapshot = "s" };
	struct vhdx_built b, good;
	struct qcow2_opened o;

	(void)state;
	vhdx_build(&good, &opt);
	b = good;
	b.len = 7;
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ETRUNCATED, "no file identifier: the file has 7 bytes");
	qcow2_done(&o);
	b.len = 100000;
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ETRUNCATED, "region tables: the file has 100000 bytes");
	qcow2_done(&o);
	b.len = 60000;
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ETRUNCATED, "no header");
	qcow2_done(&o);
	b = good;
	b.p[3] = 'X';
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ECORRUPT, "does not start with \"vhdxfile\"");
	b.p[3] = 'x';
	qcow2_open_bytes(&o, b.p, b.len, &snapshot);
	qcow2_expect_error(&o, VTR_ENOTFOUND, "no snapshot \"s\": a VHDX has none");
	qcow2_done(&o);

	/* An empty log that lies nowhere does no harm; one that is to be replayed does. */
	for (unsigned k = 0; k < 2; k++)
		vhd_put_le(b.p + 65536 * (k + 1) + 72, 8, 1ull << 40);
	vhdx_seal(&b);
	open_good_built(&o, &b);
	qcow2_expect_said(&o, "truncated: VHDX: log: 0x100000 bytes at 0x10000000000 end past the end of the file");
	qcow2_done(&o);
	vhdx_log_use(&b);
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ETRUNCATED, "log: 0x100000 bytes at 0x10000000000 end past the end");
	qcow2_done(&o);
	for (unsigned k = 0; k < 2; k++)
		vhd_put_le(b.p + 65536 * (k + 1) + 68, 4, 0);
	vhdx_seal(&b);
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ECORRUPT, "log: it is to be replayed, and has no bytes");
	qcow2_done(&o);
	for (unsigned k = 0; k < 2; k++)
		vhd_put_le(b.p + 65536 * (k + 1) + 64, 2, 1);
	vhdx_seal(&b);
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_EUNSUPPORTED, "log version 1, read is 0");
	qcow2_done(&o);
	vhdx_done(&b);

	/* Twice the same region. */
	for (unsigned i = 0; i < 2; i++) {
		vhdx_build(&b, &opt);
		for (unsigned k = 0; k < 2; k++)
			memcpy(b.p + (192 + 64 * k) * 1024 + 16 + 32 * !i, b.p + (192 + 64 * k) * 1024 + 16 + 32 * i,
			       16);
		vhdx_seal(&b);
		open_built(&o, &b);
		qcow2_expect_error(&o, VTR_ECORRUPT, i ? "it has two metadata regions" : "it has two BATs");
		qcow2_done(&o);
		vhdx_done(&b);
	}
	/* Twice the same item, and too many. */
	vhdx_build(&b, &opt);
	vhdx_item(&b, b.p + b.metadata_off + 32, "12345678", 8, 4);
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ECORRUPT, "entry 5: a second file parameters");
	qcow2_done(&o);
	vhdx_done(&b);
	vhdx_build(&b, &opt);
	for (unsigned i = 0; i < 1025; i++) {
		uint8_t guid[16] = { (uint8_t)i, (uint8_t)(i >> 8) };

		if (i == 1024) {
			open_good_built(&o, &b);
			assert_non_null(strstr(prop(o.disk, "user_metadata")->text, " (0 bytes), and 1008 more"));
			qcow2_done(&o);
		}
		vhdx_item(&b, guid, NULL, 0, 1);
	}
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ECORRUPT, "metadata table: more than 1024 items of users");
	qcow2_done(&o);
	vhdx_done(&b);
}

static void damage_to_a_locator_is_named(void **state)
{
	/* Offsets in the item: type at 0, count at 18, then entries of 12 bytes: key and value, their lengths. */
	static const struct {
		unsigned at, width;
		uint64_t value;
		int code;
		const char *text;
	} rows[] = {
		{ 0, 1, 0, VTR_EUNSUPPORTED, "parent locator: type B04AEF00-D19E-4A81-B789-25B8E9445913 is unknown" },
		{ 18, 2, 65535, VTR_ECORRUPT, "parent locator: 65535 entries in" },
		{ 20, 4, UINT32_MAX, VTR_ECORRUPT, "parent locator: entry 0: it leaves the item" },
		{ 24, 4, 60000, VTR_ECORRUPT, "parent locator: entry 0: it leaves the item" },
		{ 28, 2, 60000, VTR_ECORRUPT, "parent locator: entry 0: it leaves the item" },
		{ 30, 2, 60000, VTR_ECORRUPT, "parent locator: entry 0: it leaves the item" },
		{ 28, 2, 4, VTR_ECORRUPT, "parent locator: it has no parent_linkage" }, /* "pa": an unknown key */
	};
	struct vhdx_options opt = {
		.size = 2 * MB, .flags = 2, .relative = "p", .linkage = "{33221100-5544-7766-8899-aabbccddeeff}"
	};
	struct vhdx_built b;
	struct qcow2_opened o;

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		vhdx_build(&b, &opt);
		vhd_put_le(b.p + b.metadata_off + 65536 + 40 + rows[i].at, rows[i].width, rows[i].value);
		open_built(&o, &b);
		qcow2_expect_error(&o, rows[i].code, rows[i].text);
		qcow2_done(&o);
		vhdx_done(&b);
	}
	/* A key twice. */
	vhdx_build(&b, &opt);
	memcpy(b.p + b.metadata_off + 65536 + 40 + 32, b.p + b.metadata_off + 65536 + 40 + 20, 12);
	open_built(&o, &b);
	qcow2_expect_error(&o, VTR_ECORRUPT, "parent locator: entry 1: a second parent_linkage");
	qcow2_done(&o);
	vhdx_done(&b);
	/* A path of hosts like this one: by the policy. */
	opt.relative = "/nonexistent/p.vhdx";
	vhdx_build(&b, &opt);
	qcow2_start(&o, NULL, true);
	qcow2_open_bytes(&o, b.p, b.len, NULL);
	qcow2_expect_error(&o, VTR_EPOLICY, "p.vhdx");
	qcow2_done(&o);
	vhdx_done(&b);
}

static void a_file_cut_within_a_block_gives_what_it_has(void **state)
{
	struct vhdx_options opt = { .size = 2 * MB, .data_mb = 2 };
	struct vtr_error err = { 0 };
	struct vhdx_built b;
	struct qcow2_opened o;
	uint8_t buf[512];

	(void)state;
	vhdx_build(&b, &opt);
	qcow2_noise(b.p + b.data_off, 2 * MB, 9);
	vhdx_bat(&b, 0, 6, b.data_off);
	vhdx_bat(&b, 1, 6, b.data_off + MB);
	b.len = b.data_off + MB + 1024;
	open_good_built(&o, &b);
	assert_int_equal(0, vtr_blk_pread(o.disk, MB + 512, buf, 512, NULL));
	assert_memory_equal(b.p + b.data_off + MB + 512, buf, 512);
	assert_int_equal(-1, vtr_blk_pread(o.disk, MB + 1024, buf, 512, &err));
	assert_int_equal(VTR_ETRUNCATED, err.code);
	assert_non_null(strstr(err.text, "BAT: entry 1 has these bytes past the end of the file (0x500400)"));
	qcow2_done(&o);
	vhdx_done(&b);
}

static void a_damaged_entry_costs_its_block(void **state)
{
	static const struct {
		uint64_t entry;
		int code;
		const char *text;
	} rows[] = {
		{ 4, VTR_ECORRUPT, "BAT: entry 1 has the state 4, which is reserved" },
		{ 6, VTR_ECORRUPT, "BAT: entry 1 points into the header section" },
		{ 6 | MB, VTR_ECORRUPT, "BAT: entry 1 points into the log" },
		{ 6 | 2 * MB, VTR_ECORRUPT, "BAT: entry 1 points into the BAT" },
		{ 6 | 3 * MB, VTR_ECORRUPT, "BAT: entry 1 points into the metadata region" },
		{ 6 | 6 * MB, VTR_ECORRUPT, "BAT: entry 1 points past the end of the file (0x600000 > 0x600000)" },
		{ 6 | 0xfffffffffff00000, VTR_ECORRUPT, "BAT: entry 1 points past the end of the file" },
		{ 7 | 5 * MB, VTR_ECORRUPT, "BAT: entry 1 is partially present in a disk without a parent" },
	};
	struct vhdx_options opt = { .size = 2 * MB, .data_mb = 2 };
	uint8_t *buf = malloc(MB);

	(void)state;
	assert_non_null(buf);
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		struct vtr_error err = { 0 };
		struct vhdx_built b;
		struct qcow2_opened o;

		vhdx_build(&b, &opt);
		qcow2_noise(b.p + b.data_off, MB, 3);
		vhdx_bat(&b, 0, 6, b.data_off);
		vhd_put_le(b.p + b.bat_off + 8, 8, rows[i].entry);
		open_good_built(&o, &b);
		assert_int_equal(-1, vtr_blk_pread(o.disk, 2 * MB - 512, buf, 512, &err));
		if (err.code != rows[i].code || !strstr(err.text, rows[i].text))
			fail_msg("%s", err.text);
		assert_int_equal(0, vtr_blk_pread(o.disk, 0, buf, MB, NULL));
		assert_memory_equal(b.p + b.data_off, buf, MB);
		qcow2_done(&o);
		vhdx_done(&b);
	}
	free(buf);
}

/* A block that is partly there needs the bitmap of its chunk. */
static void a_damaged_bitmap_entry_costs_its_blocks(void **state)
{
	static const struct {
		uint64_t entry;
		const char *text;
	} rows[] = {
		{ 0, "BAT: entry 4096 has the state 0, and a block of its chunk is partially present" },
		{ 6 | 2 * MB, "BAT: entry 4096 points into the BAT" },
		{ 6 | 1ull << 40, "BAT: entry 4096 points past the end of the file" },
	};
	struct vhdx_options opt = { .size = 2 * MB,
				    .flags = 2,
				    .data_mb = 2,
				    .relative = "p",
				    .linkage = "{33221100-5544-7766-8899-aabbccddeeff}" };

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		struct vtr_error err = { 0 };
		struct vhdx_built b;
		struct qcow2_opened o;
		uint8_t byte;

		vhdx_build(&b, &opt);
		vhdx_bat(&b, 0, 7, b.data_off);
		vhd_put_le(b.p + b.bat_off + 8 * 4096, 8, rows[i].entry);
		open_good_built(&o, &b);
		assert_int_equal(-1, vtr_blk_pread(o.disk, 0, &byte, 1, &err));
		if (err.code != VTR_ECORRUPT || !strstr(err.text, rows[i].text))
			fail_msg("%s", err.text);
		assert_int_equal(0, vtr_blk_pread(o.disk, MB, &byte, 1, NULL));
		qcow2_done(&o);
		vhdx_done(&b);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_qemu_writes_is_read),
		cmocka_unit_test(disks_of_many_chunks_are_read),
		cmocka_unit_test(a_sparse_disk_of_60_tib_costs_little),
		cmocka_unit_test(every_state_of_a_block_is_read),
		cmocka_unit_test(sectors_of_4096_bytes_are_read),
		cmocka_unit_test(a_child_has_its_own_sectors_and_its_parents),
		cmocka_unit_test(a_log_is_replayed_entry_by_entry),
		cmocka_unit_test(a_log_wraps_around_its_end),
		cmocka_unit_test(a_log_may_be_full),
		cmocka_unit_test(zero_descriptors_wipe_what_was_there),
		cmocka_unit_test(long_entries_and_longer_files_are_replayed),
		cmocka_unit_test(a_log_may_mend_the_tables),
		cmocka_unit_test(a_log_that_cannot_be_replayed_is_refused),
		cmocka_unit_test(a_log_that_costs_too_much_is_refused),
		cmocka_unit_test(one_header_is_enough),
		cmocka_unit_test(one_region_table_is_enough),
		cmocka_unit_test(what_is_unknown_is_told_or_refused),
		cmocka_unit_test(the_parent_is_found_and_checked),
		cmocka_unit_test(damage_is_named),
		cmocka_unit_test(more_damage_is_named),
		cmocka_unit_test(damage_to_a_locator_is_named),
		cmocka_unit_test(a_file_cut_within_a_block_gives_what_it_has),
		cmocka_unit_test(a_damaged_entry_costs_its_block),
		cmocka_unit_test(a_damaged_bitmap_entry_costs_its_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
