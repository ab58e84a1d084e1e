/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Apple's sparse images, laid out by hand from what others have found of the format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/qcow2_images.h"
#include "tests/small_images.h"

static void one_by_hand_is_read(void **state)
{
	struct small_image s;
	struct qcow2_opened o;

	(void)state;
	small_sparse(&s);
	small_expect("sparseimage", &s);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, s.bytes, s.len, NULL);
	assert_int_equal(512, vtr_image_info(o.disk)->cluster_size);
	assert_string_equal("12", small_prop(o.disk, "bands"));
	assert_string_equal("5", small_prop(o.disk, "bands_allocated"));
	assert_string_equal("1", small_prop(o.disk, "index_nodes"));
	qcow2_done(&o);
	/* The size in the first place alone. */
	small_be(s.bytes + 28, 8, 0);
	small_expect("sparseimage", &s);
	small_done(&s);
}

/* The last band of the disk is the last of the file, and need not be whole. */
static void a_short_last_band_is_read(void **state)
{
	struct small_image s;

	(void)state;
	small_sparse(&s);
	small_be(s.bytes + 8, 4, 2); /* bands of two sectors: 5 is sectors 8 and 9, 6 is 10 and 11, 1 is 0 and 1 */
	small_be(s.bytes + 20, 8, 0);
	small_be(s.bytes + 64, 4, 1);
	small_be(s.bytes + 68, 4, 6);
	small_be(s.bytes + 72, 4, 0);
	small_be(s.bytes + 76, 4, 0);
	memset(s.disk, 0, s.disk_len);
	memcpy(s.disk, s.bytes + 4096, 1024);
	memcpy(s.disk + 10 * 512, s.bytes + 4096 + 1024, 512);
	s.disk_len = 11 * 512;
	small_be(s.bytes + 16, 4, 11);
	small_be(s.bytes + 28, 8, 11);
	s.len = 4096 + 3 * 512;
	small_expect("sparseimage", &s);
	small_done(&s);
}

static const struct small_damage damages[] = {
	{ 0, 1, 'S', VTR_ECORRUPT, "no header" },
	{ 4, 4, 2, VTR_EUNSUPPORTED, "version 2, read is 3" },
	{ 8, 4, 0, VTR_ECORRUPT, "bands of 0 sectors" },
	{ 8, 4, 0xffffffff, VTR_ECORRUPT, "bands of 4294967295 sectors" },
	{ 16, 4, 13, VTR_ECORRUPT, "12 sectors and 13 do not agree" },
	{ 28, 8, 1ull << 60 | 12, VTR_ECORRUPT, "do not agree" },
	{ 20, 8, 100, VTR_ECORRUPT, "index node at 0x64 follows the one at 0" },
	{ 20, 8, 1 << 20, VTR_ETRUNCATED, "index node at 0x100000 ends past the end of the file" },
	{ 20, 8, UINT64_MAX, VTR_ETRUNCATED, "ends past the end of the file" },
	{ 20, 8, 4096, VTR_ECORRUPT, "index node at 0x1000 does not start with \"sprs\"" },
	{ SMALL_SPARSE_NODE + 12, 8, SMALL_SPARSE_NODE, VTR_ECORRUPT,
	  "index node at 0x1800 follows the one at 0x1800" },
	{ 64, 4, 13, VTR_ECORRUPT, "entry 0 is band 13, the disk has 12" },
	{ 64, 4, 6, VTR_ECORRUPT, "band 5 lies both at" },
	{ SMALL_SPARSE_NODE + 56 + 4 * 100, 4, 2, VTR_ETRUNCATED, "band 1 at 0xf000 lies past the end of the file" },
};

static void damage_is_named(void **state)
{
	struct small_image s;
	struct qcow2_opened o;
	struct vtr_limits l;

	(void)state;
	small_sparse(&s);
	small_expect_damage("sparseimage", &s, true, damages, VTR_COUNT(damages));
	vtr_limits_default(&l);
	l.alloc = 100;
	qcow2_start(&o, &l, false);
	qcow2_open_bytes(&o, s.bytes, s.len, NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "limit alloc=100");
	qcow2_done(&o);
	small_done(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_by_hand_is_read),
		cmocka_unit_test(a_short_last_band_is_read),
		cmocka_unit_test(damage_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
