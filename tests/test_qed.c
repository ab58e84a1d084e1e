/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QED: images of qemu-img against what it reads, and one by hand from QEMU's docs/interop/qed_spec.rst. */
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

/* Not every qemu-img writes QED. */
static bool qed_has_writer(const char *dir)
{
	char command[PATH_MAX + 100];

	snprintf(command, sizeof(command), "cd '%s' && qemu-img create -q -f qed probe 64k >/dev/null 2>&1", dir);
	if (system(command) == 0)
		return true;
	print_message("skipped: this qemu-img writes no QED\n");
	return false;
}

/* qemu-img 7.2 writes tables of one cluster, and does not open them. */
static void what_qemu_writes_is_read_as_qemu_reads_it(void **state)
{
	static const char *const how[] = { "cluster_size=4k,table_size=2", "cluster_size=4k,table_size=16",
					   "cluster_size=64k", "cluster_size=2M,table_size=2" };
	struct qcow2_opened o;
	char *dir;

	(void)state;
	if (!qcow2_has_tools())
		skip();
	dir = part_temp();
	if (!qed_has_writer(dir)) {
		part_temp_done(dir);
		skip();
	}
	for (size_t i = 0; i < VTR_COUNT(how); i++) {
		part_run("cd '%s' && qemu-img create -q -f qed -o %s i 9M && qemu-io -f qed -c 'write -P 1 0 70000' "
			 "-c 'write -P 2 2M 512' -c 'write -z 3M 128k' -c 'write -P 3 5M 2M' -c 'write -z 6M 512k' "
			 "-c 'write -P 4 9436672 512' i >/dev/null",
			 dir, how[i]);
		qcow2_open_good(&o, in(dir, "i"), NULL);
		qcow2_expect_qemu(o.disk, path, "");
		qcow2_expect_quiet(&o);
		qcow2_done(&o);
	}
	part_temp_done(dir);
}

static void backing_files_are_read_as_the_features_say(void **state)
{
	struct qcow2_opened o;
	char *dir;

	(void)state;
	if (!qcow2_has_tools())
		skip();
	dir = part_temp();
	if (!qed_has_writer(dir)) {
		part_temp_done(dir);
		skip();
	}
	part_run("cd '%s' && yes parent | head -c 1000448 >raw && qemu-img convert -f raw -O qcow2 raw q && "
		 "qemu-img create -q -f qed -F raw -b raw a 2M && qemu-img create -q -f qed -F qcow2 -b q b 2M && "
		 "qemu-io -f qed -c 'write -P 1 64k 64k' -c 'write -z 128k 64k' a >/dev/null && "
		 "qemu-io -f qed -c 'write -P 1 64k 64k' -c 'write -z 128k 64k' b >/dev/null",
		 dir);
	qcow2_open_good(&o, in(dir, "a"), NULL);
	qcow2_expect_qemu(o.disk, path, "");
	assert_string_equal("raw", vtr_image_info(o.disk)->backing_format);
	qcow2_done(&o);
	qcow2_open_good(&o, in(dir, "b"), NULL);
	qcow2_expect_qemu(o.disk, path, "");
	assert_null(vtr_image_info(o.disk)->backing_format);
	qcow2_done(&o);
	/* With the feature bit, a qcow2 is a raw disk: what it holds is not looked at. */
	qcow2_start(&o, NULL, true);
	part_run("cd '%s' && printf '\\005' | dd of=b bs=1 seek=16 conv=notrunc status=none", dir);
	qcow2_open(&o, in(dir, "b"), NULL);
	assert_int_equal(0, o.rc);
	assert_string_equal("raw", vtr_image_info(vtr_image_backing(o.disk))->format);
	qcow2_done(&o);
	part_temp_done(dir);
}

static void one_by_hand_is_read(void **state)
{
	struct small_image s;
	struct qcow2_opened o;

	(void)state;
	small_qed(&s);
	small_expect("qed", &s);
	small_le(s.bytes + 16, 8, 2);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, s.bytes, s.len, NULL);
	assert_int_equal(0, o.rc);
	assert_true(vtr_image_info(o.disk)->dirty);
	assert_int_equal(4096, vtr_image_info(o.disk)->cluster_size);
	assert_string_equal("1", small_prop(o.disk, "table_size"));
	assert_string_equal("0x2", small_prop(o.disk, "features"));
	qcow2_done(&o);
	small_done(&s);
}

static const struct small_damage damages[] = {
	{ 0, 1, 'q', VTR_ECORRUPT, "no header" },
	{ 4, 4, 2048, VTR_ECORRUPT, "cluster_size 2048" },
	{ 4, 4, 5000, VTR_ECORRUPT, "cluster_size 5000" },
	{ 4, 4, 1u << 26, VTR_ECORRUPT, "L1 table at 0x1000: it is not aligned" }, /* the largest clusters */
	{ 4, 4, 1u << 27, VTR_ECORRUPT, "cluster_size 134217728" },
	{ 8, 4, 0, VTR_ECORRUPT, "table_size 0" },
	{ 8, 4, 3, VTR_ECORRUPT, "table_size 3" },
	{ 8, 4, 16, VTR_ETRUNCATED, "L1 table: 65536 bytes at 0x1000 end past the end of the file" }, /* the largest */
	{ 8, 4, 32, VTR_ECORRUPT, "table_size 32" },
	{ 8, 4, 8, VTR_ETRUNCATED, "L1 table: 32768 bytes at 0x1000 end past the end of the file" },
	{ 8, 4, 4, VTR_ECORRUPT, "entry 0: the L2 table at 0x2000 overlaps the L1 table" },
	{ 12, 4, 0, VTR_ECORRUPT, "header_size 0" },
	{ 12, 4, 2, VTR_ECORRUPT, "L1 table at 0x1000: it lies in the header" },
	{ 16, 8, 8, VTR_EUNSUPPORTED, "feature bit 3 is unknown" },
	{ 16, 8, 1ull << 63, VTR_EUNSUPPORTED, "feature bit 63 is unknown" },
	{ 40, 8, 4097, VTR_ECORRUPT, "L1 table at 0x1001: it is not aligned" },
	{ 40, 8, 1 << 20, VTR_ETRUNCATED, "L1 table: 4096 bytes at 0x100000 end past the end" },
	{ 48, 8, 1000, VTR_ECORRUPT, "image_size 1000" },
	{ 48, 8, (1ull << 63) - 512, VTR_ECORRUPT, "tables of 512 entries are too small" },
	{ 48, 8, 1ull << 63, VTR_ECORRUPT, "image_size" },
	{ 48, 8, (512ull * 512 + 1) * 4096, VTR_ECORRUPT, "tables of 512 entries are too small" },
	{ 4096, 8, 1, VTR_ECORRUPT, "L1 table: entry 0 points to 0x1, which is not aligned" },
	{ 4096, 8, 1ull << 40, VTR_ECORRUPT, "the L2 table at 0x10000000000 ends past the end" },
	{ 8192, 8, 4096, VTR_ECORRUPT, "L2 table at 0x2000: entry 0 points into the L1 table" },
	{ 8192 + 24, 8, 4097, VTR_ECORRUPT, "entry 3 points to 0x1001, which is not aligned" },
	{ 8192 + 24, 8, 7 * 4096, VTR_ECORRUPT, "entry 3 points past the end of the file (0x7000 > 0x7000)" },
};

static const struct small_damage names[] = {
	{ 56, 4, 63, VTR_ECORRUPT, "backing file name: 4 bytes at 0x3f are no name" },
	{ 56, 4, 64, VTR_ECORRUPT, "it has a NUL" },   /* the first byte behind the header's fields */
	{ 56, 4, 4092, VTR_ECORRUPT, "it has a NUL" }, /* the last four of the header */
	{ 56, 4, 4093, VTR_ECORRUPT, "backing file name: 4 bytes at 0xffd are no name" },
	{ 56, 4, 4094, VTR_ECORRUPT, "backing file name: 4 bytes at 0xffe are no name" },
	{ 56, 4, 0xffffffff, VTR_ECORRUPT, "are no name" },
	{ 60, 4, 1023, VTR_ECORRUPT, "it has a NUL" }, /* the longest that QEMU takes */
	{ 60, 4, 1024, VTR_ECORRUPT, "backing file name: 1024 bytes" },
	{ 60, 4, 2000, VTR_ECORRUPT, "backing file name: 2000 bytes" },
	{ 60, 4, 5, VTR_ECORRUPT, "it has a NUL" },
	{ 60, 4, 4, VTR_EPOLICY, "an image without a path" },
};

/* Exchange two clusters. */
static void qed_swap(struct small_image *s, unsigned a, unsigned b)
{
	uint8_t part[4096];

	memcpy(part, s->bytes + a * 4096, 4096);
	memcpy(s->bytes + a * 4096, s->bytes + b * 4096, 4096);
	memcpy(s->bytes + b * 4096, part, 4096);
}

/* Tables and data may lie in any order: qed_spec.rst has no other rule than that they are aligned. */
static void tables_lie_anywhere(void **state)
{
	struct small_image s;

	(void)state;
	/* The L2 table in front of the L1 table. */
	small_qed(&s);
	qed_swap(&s, 1, 2);
	small_le(s.bytes + 40, 8, 8192);
	small_le(s.bytes + 8192, 8, 4096);
	small_expect("qed", &s);
	small_done(&s);
	/* Data behind the L1 table, and the L2 table at the end of the file. */
	small_qed(&s);
	qed_swap(&s, 2, 6);
	small_le(s.bytes + 4096, 8, 6 * 4096);
	small_le(s.bytes + 6 * 4096 + 9 * 8, 8, 8192);
	small_expect("qed", &s);
	small_done(&s);
}

/* A header of two clusters, of which the second is empty, and all else behind it. */
static void a_header_of_two_clusters_is_no_data(void **state)
{
	static const struct small_damage of_two[] = {
		{ 40, 8, 4096, VTR_ECORRUPT, "L1 table at 0x1000: it lies in the header" },
		{ 8192, 8, 4096, VTR_ECORRUPT, "L1 table: entry 0 points to 0x1000, into the header" },
		{ 12288, 8, 4096, VTR_ECORRUPT, "entry 0 points into the header" },
		{ 12288, 8, 8192, VTR_ECORRUPT, "entry 0 points into the L1 table" },
	};
	struct small_image s;

	(void)state;
	small_qed(&s);
	s.bytes = realloc(s.bytes, s.len + 4096);
	assert_non_null(s.bytes);
	memmove(s.bytes + 8192, s.bytes + 4096, s.len - 4096);
	memset(s.bytes + 4096, 0, 4096);
	s.len += 4096;
	small_le(s.bytes + 12, 4, 2);
	small_le(s.bytes + 40, 8, 8192);
	small_le(s.bytes + 8192, 8, 12288);
	for (unsigned i = 0; i < 10; i++)
		if (s.bytes[12288 + 8 * i + 1])
			s.bytes[12288 + 8 * i + 1] = (uint8_t)(s.bytes[12288 + 8 * i + 1] + 0x10);
	small_expect("qed", &s);
	small_expect_damage("qed", &s, false, of_two, VTR_COUNT(of_two));
	small_done(&s);
}

/* The header has 64 bytes, the magic 4; what is shorter is said to be. */
static void short_headers_are_told(void **state)
{
	static const struct {
		size_t len;
		const char *words;
	} cuts[] = {
		{ 0, "no header" },
		{ 3, "no header" },
		{ 4, "header: the file has 4 bytes, expected 64" },
		{ 63, "header: the file has 63 bytes, expected 64" },
		{ 64, "L1 table: 4096 bytes at 0x1000 end past the end of the file (0x40)" },
		{ 8191, "L1 table: 4096 bytes at 0x1000 end past the end of the file (0x1fff)" },
	};
	struct small_image s;
	struct qcow2_opened o;

	(void)state;
	small_qed(&s);
	for (size_t i = 0; i < VTR_COUNT(cuts); i++) {
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, s.bytes, cuts[i].len, &(struct vtr_image_options){ .format = "qed" });
		qcow2_expect_error(&o, VTR_ETRUNCATED, cuts[i].words);
		qcow2_done(&o);
	}
	/* Unnamed, three bytes of the magic are a raw disk. */
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, s.bytes, 3, NULL);
	assert_int_equal(0, o.rc);
	assert_string_equal("raw", vtr_image_info(o.disk)->format);
	qcow2_done(&o);
	small_done(&s);
}

static void damage_is_named(void **state)
{
	struct small_image s;

	(void)state;
	small_qed(&s);
	small_expect_damage("qed", &s, false, damages, VTR_COUNT(damages));
	small_le(s.bytes + 16, 8, 1);
	small_le(s.bytes + 56, 4, 100);
	small_le(s.bytes + 60, 4, 4);
	memcpy(s.bytes + 100, "base", 4);
	small_expect_damage("qed", &s, false, names, VTR_COUNT(names));
	small_done(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_qemu_writes_is_read_as_qemu_reads_it),
		cmocka_unit_test(backing_files_are_read_as_the_features_say),
		cmocka_unit_test(one_by_hand_is_read),
		cmocka_unit_test(tables_lie_anywhere),
		cmocka_unit_test(a_header_of_two_clusters_is_no_data),
		cmocka_unit_test(short_headers_are_told),
		cmocka_unit_test(damage_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
