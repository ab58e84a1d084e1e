/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Android sparse images: laid out by hand, and as img2simg writes them against what simg2img reads. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/packed_images.h"
#include "tests/part_images.h"

static void every_kind_of_chunk_is_read(void **state)
{
	(void)state;
	for (unsigned more = 0; more <= 8; more += 4) {
		struct packed_image i;
		struct qcow2_opened o;
		struct vtr_extent e;

		packed_android(&i, more);
		packed_expect_good(&i, "android-sparse");
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
		assert_int_equal(512, vtr_image_info(o.disk)->cluster_size);
		assert_int_equal(0, vtr_blk_extent(&e, o.disk, 100, NULL));
		assert_int_equal(VTR_EXTENT_DATA, e.kind);
		assert_true(e.has_host_off && e.host_off == i.at[0] + 12 + more + 100 && e.len == 924);
		assert_int_equal(0, vtr_blk_extent(&e, o.disk, 5 * 512, NULL));
		assert_int_equal(VTR_EXTENT_ABSENT, e.kind);
		assert_int_equal(0, vtr_blk_extent(&e, o.disk, 6 * 512, NULL));
		assert_int_equal(VTR_EXTENT_ZERO, e.kind);
		qcow2_done(&o);
		packed_image_done(&i);
	}
}

static void damage_is_named(void **state)
{
	struct packed_image i;

	(void)state;
	packed_android(&i, 0);
	{
		const struct packed_damage d[] = {
			{ 0, 4, 0xed26ff3b, VTR_ECORRUPT, "header: magic 0xed26ff3b, expected 0xed26ff3a" },
			{ 4, 2, 2, VTR_EUNSUPPORTED, "version 2.0, read is 1" },
			{ 6, 2, 9, VTR_OK, NULL },
			{ 8, 2, 27, VTR_ECORRUPT, "headers of 27 and 12 bytes, expected at least 28 and 12" },
			{ 10, 2, 11, VTR_ECORRUPT, "headers of 28 and 11" },
			{ 12, 4, 0, VTR_ECORRUPT, "blocks of 0 bytes, expected a multiple of 4" },
			{ 12, 4, 510, VTR_ECORRUPT, "blocks of 510 bytes" },
			{ 12, 4, 1024, VTR_ECORRUPT, "chunk 0 at 0x1c: total_sz 1036, expected 2060" },
			{ 12, 8, 0xfffffffffffffffc, VTR_ECORRUPT,
			  "4294967295 blocks of 4294967292 bytes are more than 2^63 bytes" },
			{ 16, 4, 9, VTR_EUNSUPPORTED, "its chunks hold 8 of 9 blocks: a part of a split image" },
			{ 16, 4, 4, VTR_ECORRUPT, "chunk 1 at 0x428: 3 blocks at block 2 leave the disk of 4" },
			{ 20, 4, 5, VTR_EUNSUPPORTED, "its chunks hold 7 of 8 blocks" },
			{ 20, 4, 7, VTR_ETRUNCATED, "chunk 6 at 0x670: its header leaves the file" },
			{ 20, 4, 0x7fffffff, VTR_ETRUNCATED, "2147483647 chunks: there is room for 135" },
			{ i.at[0], 2, 0xcac0, VTR_EUNSUPPORTED, "chunk 0 at 0x1c: type 0xcac0 is unknown" },
			{ i.at[0] + 4, 4, 3, VTR_ECORRUPT,
			  "total_sz 1036, expected 1548 for type 0xcac1 and 3 blocks" },
			{ i.at[1] + 8, 4, 12, VTR_ECORRUPT, "chunk 1 at 0x428: total_sz 12, expected 16" },
			{ i.at[2] + 8, 4, 16, VTR_ECORRUPT, "chunk 2 at 0x438: total_sz 16, expected 12" },
			{ i.at[2] + 4, 4, 0xffffffff, VTR_ECORRUPT,
			  "4294967295 blocks at block 5 leave the disk of 8" },
			{ i.at[4] + 4, 4, 1, VTR_ECORRUPT, "a checksum of 1 blocks, expected 0" },
		};

		packed_try_damage(&i, "android-sparse", d, VTR_COUNT(d), true);
	}
	packed_image_done(&i);
}

static void tables_are_held_against_the_limit(void **state)
{
	struct packed_image i;
	struct qcow2_opened o;
	struct vtr_limits l;

	(void)state;
	packed_android(&i, 0);
	vtr_limits_default(&l);
	l.metadata = 100;
	qcow2_start(&o, &l, false);
	qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "limit metadata=100");
	qcow2_done(&o);
	vtr_limits_default(&l);
	l.steps = 3;
	qcow2_start(&o, &l, false);
	qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "steps");
	qcow2_done(&o);
	packed_image_done(&i);
}

static void what_img2simg_writes_is_what_simg2img_reads(void **state)
{
	static const unsigned blocks[] = { 1024, 4096, 65536 };
	char *dir, name[300];

	(void)state;
	if (!part_has_tool("img2simg"))
		skip();
	dir = part_temp();
	part_run("(yes text | head -c 700000; head -c 3000000 /dev/zero; tr '\\0' '\\377' </dev/zero | head -c 500000; "
		 "yes more | head -c 100000) >'%s/raw' && truncate -s 9M '%s/raw'",
		 dir, dir);
	for (size_t k = 0; k < VTR_COUNT(blocks); k++) {
		struct qcow2_opened o;
		uint64_t len;
		uint8_t *bytes;

		part_run("cd '%s' && rm -f out && img2simg raw i %u && simg2img i out", dir, blocks[k]);
		snprintf(name, sizeof(name), "%s/out", dir);
		bytes = qcow2_file(name, &len);
		assert_int_equal(9 << 20, len);
		snprintf(name, sizeof(name), "%s/i", dir);
		qcow2_open_good(&o, name, NULL);
		assert_string_equal("android-sparse", vtr_image_info(o.disk)->format);
		qcow2_expect_bytes(o.disk, bytes, len);
		qcow2_expect_quiet(&o);
		qcow2_done(&o);
		free(bytes);
	}
	part_temp_done(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_chunk_is_read),
		cmocka_unit_test(damage_is_named),
		cmocka_unit_test(tables_are_held_against_the_limit),
		cmocka_unit_test(what_img2simg_writes_is_what_simg2img_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
