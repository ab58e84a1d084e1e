/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qcow, version 1: images of qemu-img against what it reads, and one by hand. */
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

static char path[PATH_MAX];

static const char *in(const char *dir, const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void what_qemu_writes_is_read_as_qemu_reads_it(void **state)
{
	struct qcow2_opened o;
	uint8_t *noise;
	char *dir;

	(void)state;
	if (!qcow2_has_tools())
		skip();
	dir = part_temp();
	noise = malloc(3002368);
	assert_non_null(noise);
	qcow2_noise(noise, 3002368, 3);
	memset(noise + 1048576, 0, 1048576);
	qcow2_write_file(in(dir, "raw"), noise, 3002368);
	free(noise);
	/* qemu-img 7.2 writes the compressed image, and then says that it failed. */
	part_run("cd '%s' && qemu-img convert -f raw -O qcow raw plain && "
		 "(qemu-img convert -c -f raw -O qcow raw zlib || :) && qemu-img create -q -f qcow -F raw -b raw over",
		 dir);
	part_run("cd '%s' && for i in plain zlib over; do "
		 "qemu-io -f qcow -c 'write -P 7 1000 70000' -c 'write -P 8 2M 512' $i >/dev/null; done",
		 dir);
	for (unsigned i = 0; i < 3; i++) {
		qcow2_open_good(&o, in(dir, i == 0 ? "plain" : i == 1 ? "zlib" : "over"), NULL);
		qcow2_expect_qemu(o.disk, path, "");
		qcow2_expect_quiet(&o);
		assert_string_equal("qcow", vtr_image_info(o.disk)->format);
		/* qemu-img writes smaller clusters over a backing file. */
		assert_int_equal(i == 2 ? 512 : 4096, vtr_image_info(o.disk)->cluster_size);
		qcow2_done(&o);
	}
	/* The parent of a parent, of whatever format it is. */
	part_run("cd '%s' && qemu-img create -q -f qcow -F qcow -b over top && "
		 "qemu-io -f qcow -c 'write -P 9 512 512' top >/dev/null",
		 dir);
	qcow2_open_good(&o, in(dir, "top"), NULL);
	qcow2_expect_qemu(o.disk, path, "");
	qcow2_done(&o);
	part_temp_done(dir);
}

static void one_by_hand_is_read(void **state)
{
	struct vtr_image_options alone = { .alone = true };
	struct small_image s;
	struct qcow2_opened o;
	uint8_t byte;

	(void)state;
	small_qcow1(&s);
	small_expect("qcow", &s);
	small_be(s.bytes + 36, 4, 1);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, s.bytes, s.len, NULL);
	qcow2_expect_error(&o, VTR_EUNSUPPORTED, "encrypted with AES: not read");
	qcow2_open_bytes(&o, s.bytes, s.len, &alone);
	assert_int_equal(0, o.rc);
	assert_true(vtr_image_info(o.disk)->encrypted);
	assert_string_equal("AES", small_prop(o.disk, "encryption"));
	assert_int_equal(-1, vtr_blk_pread(o.disk, 0, &byte, 1, &o.err));
	assert_non_null(strstr(o.err.text, "encrypted with AES"));
	qcow2_done(&o);
	small_done(&s);
}

static const struct small_damage damages[] = {
	{ 0, 1, 'q', VTR_ECORRUPT, "no header" },
	{ 4, 4, 2, VTR_EUNSUPPORTED, "version 2, read is 1" },
	{ 24, 8, 1ull << 63, VTR_ECORRUPT, "is more than 2^63" },
	{ 24, 8, 1ull << 62, VTR_ELIMIT, "L1 table:" },
	{ 24, 8, 1 << 25, VTR_ETRUNCATED, "L1 table: 1024 entries at 0x38" },
	{ 32, 1, 8, VTR_ECORRUPT, "cluster_bits 8, expected 9 to 16" },
	{ 32, 1, 17, VTR_ECORRUPT, "cluster_bits 17" },
	{ 33, 1, 5, VTR_ECORRUPT, "l2_bits 5, expected 6 to 13" },
	{ 33, 1, 14, VTR_ECORRUPT, "l2_bits 14" },
	{ 36, 4, 2, VTR_EUNSUPPORTED, "crypt_method 2 is unknown" },
	{ 40, 8, 40, VTR_ECORRUPT, "L1 table: 2 entries at 0x28" },
	{ 40, 8, UINT64_MAX, VTR_ETRUNCATED, "L1 table: 2 entries" },
	{ 56, 8, 6 * 512 - 8, VTR_ECORRUPT, "L1 table: entry 0: the L2 table at 0xbf8 ends past the end" },
	{ 56, 8, 60, VTR_ECORRUPT, "the L2 table at 0x3c overlaps the L1 table" },
	{ 512, 8, 513, VTR_ECORRUPT, "L2 table at 0x200: entry 0 points to 0x201, which is not aligned" },
	{ 512, 8, 6 * 512, VTR_ECORRUPT, "entry 0 points past the end of the file (0xc00 > 0xc00)" },
	{ 512, 8, 1ull << 63, VTR_ECORRUPT, "entry 0 points into the header" },
	{ 512, 8, 1ull << 63 | 60, VTR_ECORRUPT, "entry 0 points into the L1 table" },
	{ 512, 8, 1ull << 63 | 100ull << 54 | (6 * 512 - 10), VTR_ETRUNCATED,
	  "100 compressed bytes at 0xbf6 end past" },
	{ 512 + 8, 8, 1ull << 63 | 3ull << 54 | (1024 + 7), VTR_ECORRUPT,
	  "compressed cluster at 0x407: 3 bytes do not fill" },
	{ 1024 + 7, 1, 0xff, VTR_ECORRUPT, "compressed cluster at 0x407" },
};

static const struct small_damage names[] = {
	{ 8, 8, 40, VTR_ECORRUPT, "backing file name: 4 bytes at 0x28 leave the file, or lie in the header" },
	{ 8, 8, UINT64_MAX, VTR_ECORRUPT, "leave the file" },
	{ 16, 4, 5, VTR_ECORRUPT, "it has a NUL" },
	{ 16, 4, 1024, VTR_ECORRUPT, "backing file name of 1024 bytes" },
	{ 16, 4, 4, VTR_EPOLICY, "an image without a path" },
};

static void damage_is_named(void **state)
{
	struct small_image s;

	(void)state;
	small_qcow1(&s);
	small_expect_damage("qcow", &s, true, damages, VTR_COUNT(damages));
	small_be(s.bytes + 8, 8, 80);
	small_expect("qcow", &s); /* no length: no name */
	small_be(s.bytes + 16, 4, 4);
	memcpy(s.bytes + 80, "base", 4);
	small_expect_damage("qcow", &s, true, names, VTR_COUNT(names));
	small_done(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_qemu_writes_is_read_as_qemu_reads_it),
		cmocka_unit_test(one_by_hand_is_read),
		cmocka_unit_test(damage_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
