/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest: how disks and partitions are named, what is told of them, and what happens when they are odd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/vitrine.h"

#define MIB (1u << 20)

/* Texts of all warnings, one a line. */
struct log {
	char text[4096];
};

static void log_warning(void *arg, const struct vtr_error *w)
{
	struct log *l = arg;
	size_t at = strlen(l->text);

	snprintf(l->text + at, sizeof(l->text) - at, "%s\n", w->text);
}

static struct vtr_ctx *new_ctx(struct log *l)
{
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);

	assert_non_null(ctx);
	memset(l, 0, sizeof(*l));
	vtr_ctx_on_warning(ctx, log_warning, l);
	return ctx;
}

/* An ext4 of so many bytes, as mke2fs makes it; NULL: there is no mke2fs. The caller frees. */
static uint8_t *make_ext4(size_t len, const char *label)
{
	char path[] = "/tmp/vitrine-guest-XXXXXX", command[300];
	int fd = mkstemp(path);
	uint8_t *p = malloc(len);
	bool good;
	FILE *f;

	assert_true(fd >= 0 && p);
	assert_int_equal(0, ftruncate(fd, (off_t)len));
	close(fd);
	snprintf(command, sizeof(command), "PATH=$PATH:/sbin:/usr/sbin mke2fs -q -F -t ext4 -L %s %s >/dev/null 2>&1",
		 label, path);
	good = system(command) == 0 && (f = fopen(path, "rb"));
	if (good) {
		assert_int_equal(len, fread(p, 1, len, f));
		fclose(f);
	}
	unlink(path);
	if (!good) {
		free(p);
		return NULL;
	}
	return p;
}

/* One entry of an MBR, and its signature. */
static void put_mbr(uint8_t *disk, unsigned i, uint8_t type, uint32_t first, uint32_t sectors)
{
	uint8_t *e = disk + 446 + 16 * i;

	e[4] = type;
	for (unsigned k = 0; k < 4; k++) {
		e[8 + k] = (uint8_t)(first >> 8 * k);
		e[12 + k] = (uint8_t)(sectors >> 8 * k);
	}
	disk[510] = 0x55;
	disk[511] = 0xaa;
}

static void add_memory(struct vtr_guest *g, struct vtr_ctx *ctx, const uint8_t *disk, size_t len)
{
	struct vtr_blk *b = NULL;

	assert_int_equal(0, vtr_blk_memory(&b, ctx, disk, len, NULL));
	assert_int_equal(0, vtr_guest_add_blk(g, b, NULL));
	vtr_blk_unref(b);
}

static void disks_are_named_in_order(void **state)
{
	struct log l;
	struct vtr_ctx *ctx = new_ctx(&l);
	struct vtr_guest *g = vtr_guest_new(ctx, NULL);
	struct vtr_error err = { 0 };
	const uint8_t empty[4096] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 28; i++)
		add_memory(g, ctx, empty, sizeof(empty));
	assert_int_equal(0, vtr_guest_scan(g, NULL));
	assert_int_equal(28, vtr_guest_devices(g));
	assert_string_equal("/dev/sda", vtr_guest_device(g, 0)->name);
	assert_string_equal("/dev/sdz", vtr_guest_device(g, 25)->name);
	assert_string_equal("/dev/sdaa", vtr_guest_device(g, 26)->name);
	assert_int_equal(27, vtr_guest_find_device(g, "sdab", NULL));
	assert_int_equal(-1, vtr_guest_find_device(g, "/dev/sdac", &err));
	assert_int_equal(VTR_ENOTFOUND, err.code);
	assert_non_null(strstr(err.text, "/dev/sdb"));
	assert_null(vtr_guest_device(g, 28));
	assert_null(vtr_guest_fs(g, 3, &err));
	assert_int_equal(VTR_ENOTFOUND, err.code);
	vtr_guest_free(g);
	vtr_ctx_unref(ctx);
}

static void a_guest_needs_a_disk(void **state)
{
	struct log l;
	struct vtr_ctx *ctx = new_ctx(&l);
	struct vtr_guest *g = vtr_guest_new(ctx, NULL);
	struct vtr_error err = { 0 };

	(void)state;
	assert_int_equal(-1, vtr_guest_scan(g, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	vtr_guest_free(g);
	vtr_ctx_unref(ctx);
}

/* A partition of 2 MiB with a filesystem of 4: kernels refuse it, and its files may lie anywhere in it. */
static void a_filesystem_larger_than_its_partition_is_read(void **state)
{
	uint8_t *fs = make_ext4(4 * MIB, "large"), *disk;
	struct log l;
	struct vtr_ctx *ctx;
	struct vtr_guest *g;

	(void)state;
	if (!fs) {
		print_message("skipped: no mke2fs\n");
		skip();
	}
	ctx = new_ctx(&l);
	g = vtr_guest_new(ctx, NULL);
	disk = calloc(1, 6 * MIB);
	put_mbr(disk, 0, 0x83, 2048, 2 * MIB / 512);
	memcpy(disk + MIB, fs, 4 * MIB);
	add_memory(g, ctx, disk, 6 * MIB);
	assert_int_equal(0, vtr_guest_scan(g, NULL));
	assert_int_equal(2, vtr_guest_devices(g));
	assert_int_equal(2 * MIB, vtr_guest_device(g, 1)->size);
	assert_non_null(strstr(l.text, "read beyond its end"));
	assert_int_equal(0, vtr_ctx_damage(ctx));
	assert_non_null(vtr_guest_fs(g, 1, NULL));
	assert_int_equal(4 * MIB, vtr_fs_info(vtr_guest_fs(g, 1, NULL))->size);
	assert_int_equal(0, vtr_ctx_damage(ctx));
	vtr_guest_free(g);

	/* The same on a disk that ends first: as far as that goes, and it is damage. */
	g = vtr_guest_new(ctx, NULL);
	add_memory(g, ctx, disk, 4 * MIB);
	assert_int_equal(0, vtr_guest_scan(g, NULL));
	assert_non_null(vtr_guest_fs(g, 1, NULL));
	assert_non_null(strstr(l.text, "read as far as that goes"));
	assert_int_equal(1, vtr_ctx_damage(ctx));
	vtr_guest_free(g);
	vtr_ctx_unref(ctx);
	free(disk);
	free(fs);
}

static void sectors_of_4096_bytes_are_found_by_what_lies_there(void **state)
{
	uint8_t *fs = make_ext4(2 * MIB, "large"), *disk;
	struct log l;
	struct vtr_ctx *ctx;
	struct vtr_guest *g;

	(void)state;
	if (!fs) {
		print_message("skipped: no mke2fs\n");
		skip();
	}
	ctx = new_ctx(&l);
	g = vtr_guest_new(ctx, NULL);
	disk = calloc(1, 4 * MIB);
	put_mbr(disk, 0, 0x83, 256, 2 * MIB / 4096);
	memcpy(disk + MIB, fs, 2 * MIB);
	add_memory(g, ctx, disk, 4 * MIB);
	assert_int_equal(0, vtr_guest_scan(g, NULL));
	assert_int_equal(4096, vtr_parts_sector(vtr_guest_device(g, 0)->table));
	assert_string_equal("ext4", vtr_guest_device(g, 1)->content);
	vtr_guest_free(g);

	/* Unless the caller says otherwise. */
	g = vtr_guest_new(ctx, NULL);
	vtr_guest_sector(g, 512);
	add_memory(g, ctx, disk, 4 * MIB);
	assert_int_equal(0, vtr_guest_scan(g, NULL));
	assert_int_equal(512, vtr_parts_sector(vtr_guest_device(g, 0)->table));
	assert_null(vtr_guest_device(g, 1)->content);
	vtr_guest_free(g);
	vtr_ctx_unref(ctx);
	free(disk);
	free(fs);
}

/* A whole disk that is a filesystem, whose boot block somebody made a partition table of: both are told. */
static void a_table_in_a_filesystem_is_told(void **state)
{
	uint8_t *disk = make_ext4(4 * MIB, "whole");
	struct log l;
	struct vtr_ctx *ctx;
	struct vtr_guest *g;

	(void)state;
	if (!disk) {
		print_message("skipped: no mke2fs\n");
		skip();
	}
	ctx = new_ctx(&l);
	g = vtr_guest_new(ctx, NULL);
	add_memory(g, ctx, disk, 4 * MIB);
	assert_int_equal(0, vtr_guest_scan(g, NULL));
	assert_int_equal(1, vtr_guest_devices(g));
	assert_string_equal("ext4", vtr_guest_device(g, 0)->content);
	assert_string_equal("whole", vtr_guest_device(g, 0)->label);
	assert_string_equal("", l.text);
	vtr_guest_free(g);

	put_mbr(disk, 0, 0x83, 4096, 2048);
	g = vtr_guest_new(ctx, NULL);
	add_memory(g, ctx, disk, 4 * MIB);
	assert_int_equal(0, vtr_guest_scan(g, NULL));
	assert_non_null(strstr(l.text, "partition table"));
	assert_non_null(strstr(l.text, "ext4"));
	assert_true(vtr_guest_device(g, 0)->has_fs);
	assert_int_equal(2, vtr_guest_devices(g));
	assert_int_equal(1, vtr_ctx_damage(ctx));
	vtr_guest_free(g);
	vtr_ctx_unref(ctx);
	free(disk);
}

/* A source of which one range cannot be read. */
struct torn {
	const uint8_t *bytes;
	uint64_t from, to;
};

static int torn_pread(void *arg, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	const struct torn *t = arg;

	if (off < t->to && t->from < off + len) {
		if (err) {
			err->code = VTR_EIO;
			snprintf(err->text, sizeof(err->text), "bad sector at %#llx", (unsigned long long)t->from);
		}
		return -1;
	}
	memcpy(buf, t->bytes + off, len);
	return 0;
}

static void a_bad_sector_at_the_start_hides_nothing_else(void **state)
{
	uint8_t *disk = make_ext4(4 * MIB, "torn");
	struct torn t = { disk, 16384, 16896 };
	struct vtr_blk_source src = { .pread = torn_pread, .arg = &t, .size = 4 * MIB };
	struct vtr_blk *b = NULL;
	struct log l;
	struct vtr_ctx *ctx;
	struct vtr_guest *g;

	(void)state;
	if (!disk) {
		print_message("skipped: no mke2fs\n");
		skip();
	}
	ctx = new_ctx(&l);
	g = vtr_guest_new(ctx, NULL);
	assert_int_equal(0, vtr_blk_custom(&b, ctx, &src, NULL));
	assert_int_equal(0, vtr_guest_add_blk(g, b, NULL));
	assert_int_equal(0, vtr_guest_scan(g, NULL));
	assert_string_equal("ext4", vtr_guest_device(g, 0)->content);
	assert_non_null(strstr(l.text, "bad sector at 0x4000"));
	assert_true(vtr_ctx_damage(ctx) > 0);
	vtr_guest_free(g);
	vtr_blk_unref(b);
	vtr_ctx_unref(ctx);
	free(disk);
}

static void limits_and_cancelling_end_a_scan(void **state)
{
	struct vtr_limits lim;
	struct vtr_error err = { 0 };
	struct vtr_ctx *ctx;
	struct vtr_guest *g;
	uint8_t *disk = calloc(1, MIB);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		put_mbr(disk, i, 0x83, 64 + 64 * i, 64);
	vtr_limits_default(&lim);
	lim.devices = 3;
	ctx = vtr_ctx_new(&lim, NULL);
	g = vtr_guest_new(ctx, NULL);
	add_memory(g, ctx, disk, MIB);
	assert_int_equal(-1, vtr_guest_scan(g, &err));
	assert_int_equal(VTR_ELIMIT, err.code);
	assert_non_null(strstr(err.text, "limit devices=3"));
	vtr_guest_free(g);
	vtr_ctx_unref(ctx);
	free(disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disks_are_named_in_order),
		cmocka_unit_test(a_guest_needs_a_disk),
		cmocka_unit_test(a_filesystem_larger_than_its_partition_is_read),
		cmocka_unit_test(sectors_of_4096_bytes_are_found_by_what_lies_there),
		cmocka_unit_test(a_table_in_a_filesystem_is_told),
		cmocka_unit_test(a_bad_sector_at_the_start_hides_nothing_else),
		cmocka_unit_test(limits_and_cancelling_end_a_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
