/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bochs' growing disks, by hand, against qemu-img too, which reads them. */
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/part_images.h"
#include "tests/qcow2_images.h"
#include "tests/small_images.h"

static void both_versions_are_read(void **state)
{
	struct small_image s;
	struct qcow2_opened o;

	(void)state;
	for (unsigned version = 1; version <= 2; version++) {
		small_bochs(&s, version);
		small_expect("bochs", &s);
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, s.bytes, s.len, NULL);
		assert_int_equal(0, o.rc);
		assert_string_equal("growing", vtr_image_info(o.disk)->subformat);
		assert_int_equal(4096, vtr_image_info(o.disk)->cluster_size);
		assert_string_equal(version == 1 ? "1" : "2", small_prop(o.disk, "version"));
		assert_string_equal("5", small_prop(o.disk, "catalog_entries"));
		qcow2_done(&o);
		small_done(&s);
	}
}

/* Extents of the size that bximage takes, of which the bitmap has several sectors. */
static void large_extents_are_read_as_qemu_reads_them(void **state)
{
	uint32_t extent = 0x800000, bitmap = extent / 512 / 8, seed = 7;
	size_t data = 512 + 4 * 8, len = data + 2 * (bitmap + (size_t)extent);
	uint8_t *image;
	struct qcow2_opened o;
	char *dir, path[PATH_MAX];

	(void)state;
	if (!qcow2_has_tools())
		skip();
	dir = part_temp();
	image = calloc(1, len);
	assert_non_null(image);
	strcpy((char *)image, "Bochs Virtual HD Image");
	strcpy((char *)image + 32, "Redolog");
	strcpy((char *)image + 48, "Growing");
	small_le(image + 64, 4, 0x20000);
	small_le(image + 68, 4, 512);
	small_le(image + 72, 4, 8);
	small_le(image + 76, 4, bitmap);
	small_le(image + 80, 4, extent);
	small_le(image + 88, 8, 3ull * extent - 512 * 5);
	for (unsigned i = 0; i < 8; i++)
		small_le(image + 512 + 4 * i, 4, i == 0 ? 1 : i == 2 ? 0 : 0xffffffff);
	for (size_t i = data; i < len; i++)
		image[i] = (uint8_t)qcow2_random(&seed);
	/* Runs of either kind, short and long, across the sectors of the bitmap. */
	memset(image + data, 0xff, 700);
	memset(image + data + 1000, 0, 900);
	snprintf(path, sizeof(path), "%s/i", dir);
	qcow2_write_file(path, image, len);
	free(image);
	qcow2_open_good(&o, path, NULL);
	qcow2_expect_qemu(o.disk, path, "-f bochs");
	qcow2_expect_quiet(&o);
	qcow2_done(&o);
	part_temp_done(dir);
}

static void redologs_over_other_disks_are_refused(void **state)
{
	static const char *const kinds[] = { "Undoable", "Volatile" };
	struct vtr_image_options alone = { .alone = true };
	struct small_image s;
	struct qcow2_opened o;

	(void)state;
	small_bochs(&s, 2);
	for (unsigned i = 0; i < 2; i++) {
		strcpy((char *)s.bytes + 48, kinds[i]);
		qcow2_start(&o, NULL, true);
		qcow2_open_bytes(&o, s.bytes, s.len, NULL);
		qcow2_expect_error(&o, VTR_EUNSUPPORTED, kinds[i]);
		qcow2_expect_error(&o, VTR_EUNSUPPORTED, "over a disk that it does not name");
		qcow2_open_bytes(&o, s.bytes, s.len, &alone);
		assert_int_equal(0, o.rc);
		qcow2_done(&o);
	}
	small_done(&s);
}

static const struct small_damage damages[] = {
	{ 0, 1, 'b', VTR_ECORRUPT, "no header" },
	{ 32, 1, 'X', VTR_EUNSUPPORTED, "type \"Xedolog\"" },
	{ 48, 1, 'X', VTR_EUNSUPPORTED, "subtype \"Xrowing\"" },
	{ 64, 4, 0x30000, VTR_EUNSUPPORTED, "version 0x30000" },
	{ 68, 4, 16, VTR_ECORRUPT, "its size is 16" },
	{ 68, 4, 0xfffffffc, VTR_ETRUNCATED, "catalog: 5 entries at 0xfffffffc end past the end of the file" },
	{ 72, 4, 4, VTR_ECORRUPT, "a catalog of 4 entries, a disk of 17408 bytes needs more" },
	{ 72, 4, 0xffffffff, VTR_ELIMIT, "a catalog of 4294967295 entries" },
	{ 76, 4, 0, VTR_ECORRUPT, "a bitmap of 0 bytes" },
	{ 76, 4, 0xffffffff, VTR_ECORRUPT, "a bitmap of 4294967295 bytes" },
	{ 80, 4, 0, VTR_ECORRUPT, "extents of 0 bytes" },
	{ 80, 4, 6000, VTR_ECORRUPT, "extents of 6000 bytes" },
	{ 80, 4, 8192, VTR_ECORRUPT, "a bitmap of 1 bytes for an extent of 8192 bytes" },
	{ 88, 8, 5 * 4096 + 1, VTR_ECORRUPT, "needs more" },
	{ 88, 8, UINT64_MAX, VTR_ECORRUPT, "needs more" },
	{ 512, 4, 2, VTR_ECORRUPT, "catalog: entry 0 is extent 2, which lies past the end of the file" },
	{ 512, 4, 0xfffffffe, VTR_ECORRUPT, "entry 0 is extent 4294967294" },
};

static void damage_is_named(void **state)
{
	struct small_image s;
	struct qcow2_opened o;
	uint8_t buf[512];

	(void)state;
	small_bochs(&s, 2);
	small_expect_damage("bochs", &s, false, damages, VTR_COUNT(damages));
	/* Cut before a sector that the bitmap has. */
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, s.bytes, s.len - 512, NULL);
	assert_int_equal(0, o.rc);
	assert_int_equal(-1, vtr_blk_pread(o.disk, 7 * 512, buf, 512, &o.err));
	assert_int_equal(VTR_ECORRUPT, o.err.code);
	assert_non_null(strstr(o.err.text, "has sectors past the end of the file"));
	qcow2_done(&o);
	small_done(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_versions_are_read),
		cmocka_unit_test(large_extents_are_read_as_qemu_reads_them),
		cmocka_unit_test(redologs_over_other_disks_are_refused),
		cmocka_unit_test(damage_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
