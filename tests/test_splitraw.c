/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Raw disks in pieces, as split(1) makes them. */
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

#define SIZE 100000u

static char path[PATH_MAX];

static const char *in(const char *dir, const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* A disk of SIZE bytes in the file raw of a directory. */
static char *make_disk(uint8_t **disk)
{
	char *dir = part_temp();

	*disk = malloc(SIZE);
	assert_non_null(*disk);
	qcow2_noise(*disk, SIZE, 11);
	qcow2_write_file(in(dir, "raw"), *disk, SIZE);
	return dir;
}

static void every_way_to_number_is_read(void **state)
{
	static const struct {
		const char *split, *first, *pieces;
	} how[] = {
		{ "-b 9000 raw x.", "x.aa", "12" },
		{ "-b 9000 -a 3 raw x.", "x.aaa", "12" },
		{ "-b 9000 -d raw x.", "x.00", "12" },
		{ "-b 9000 -a 3 -d raw x.", "x.000", "12" },
		{ "-b 9000 -a 3 --numeric-suffixes=1 raw x.", "x.001", "12" },
		{ "-b 900 -a 4 --numeric-suffixes=1 raw x.y.", "x.y.0001", "112" },
		{ "-b 1000 -d raw x.", "x.00", "100" }, /* 89, then 9000 */
		{ "-b 140 raw x.", "x.aa", "715" },	/* yz, then zaaa */
		{ "-n 3 raw 'a: b.'", "a: b.aa", "3" },
	};
	struct qcow2_opened o;
	uint8_t *disk;
	char *dir = make_disk(&disk);

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(how); i++) {
		part_run("cd '%s' && rm -f x.* a:* && split %s", dir, how[i].split);
		qcow2_open_good(&o, in(dir, how[i].first), NULL);
		assert_string_equal("splitraw", vtr_image_info(o.disk)->format);
		assert_string_equal(how[i].pieces, small_prop(o.disk, "pieces"));
		assert_int_equal(strtoul(how[i].pieces, NULL, 10) - 1, vtr_image_info(o.disk)->n_files);
		qcow2_expect_bytes(o.disk, disk, SIZE);
		if (strncmp(how[i].split, "-n", 2) != 0) /* its last piece is the largest */
			qcow2_expect_quiet(&o);
		qcow2_done(&o);
	}
	/* After 99 comes 100, where it is not split that names them. */
	part_run("cd '%s' && rm -f x.* a:* && split -b 990 -a 3 -d raw x. && for f in x.0??; do mv $f x.${f#x.0}; done",
		 dir);
	qcow2_open_good(&o, in(dir, "x.00"), NULL);
	assert_string_equal("102", small_prop(o.disk, "pieces"));
	qcow2_expect_bytes(o.disk, disk, SIZE);
	qcow2_done(&o);
	part_temp_done(dir);
	free(disk);
}

static void one_piece_is_not_taken_for_the_disk(void **state)
{
	struct vtr_image_options raw = { .format = "raw" }, alone = { .alone = true }, split = { .format = "splitraw" };
	struct qcow2_opened o;
	uint8_t *disk;
	char *dir = make_disk(&disk);

	(void)state;
	part_run("cd '%s' && split -b 40000 -a 3 --numeric-suffixes=1 raw x.", dir);
	qcow2_start(&o, NULL, false);
	qcow2_open(&o, in(dir, "x.001"), NULL);
	qcow2_expect_error(&o, VTR_EPOLICY, "piece \"x.002\" is not opened: --follow or --allow-dir");
	qcow2_expect_error(&o, VTR_EPOLICY, "--format raw reads the first piece alone");
	qcow2_open(&o, path, &alone);
	assert_int_equal(0, o.rc);
	assert_string_equal("splitraw", vtr_image_info(o.disk)->format);
	assert_int_equal(40000, vtr_blk_size(o.disk));
	qcow2_expect_said(&o, "the sizes are those of the first one");
	vtr_blk_unref(o.disk);
	o.disk = NULL;
	qcow2_open(&o, path, &raw);
	assert_int_equal(0, o.rc);
	qcow2_expect_bytes(o.disk, disk, 40000);
	vtr_blk_unref(o.disk);
	o.disk = NULL;
	/* A later piece is what it is; so is a first one that has no other beside it. */
	qcow2_open(&o, in(dir, "x.002"), NULL);
	assert_int_equal(0, o.rc);
	assert_string_equal("raw", vtr_image_info(o.disk)->format);
	vtr_blk_unref(o.disk);
	o.disk = NULL;
	qcow2_open(&o, path, &split);
	qcow2_expect_error(&o, VTR_EUSAGE, "a first piece has a name that ends in .001");
	part_run("cd '%s' && cp x.001 y.001", dir);
	qcow2_open(&o, in(dir, "y.001"), NULL);
	assert_int_equal(0, o.rc);
	assert_string_equal("raw", vtr_image_info(o.disk)->format);
	qcow2_done(&o);
	/* An allowed directory does, too. */
	qcow2_start(&o, NULL, false);
	assert_int_equal(0, vtr_ctx_allow_dir(o.ctx, dir, NULL));
	qcow2_open(&o, in(dir, "x.001"), NULL);
	assert_int_equal(0, o.rc);
	qcow2_expect_bytes(o.disk, disk, SIZE);
	qcow2_done(&o);
	part_temp_done(dir);
	free(disk);
}

static void gaps_are_named(void **state)
{
	struct qcow2_opened o;
	uint8_t *disk;
	char *dir = make_disk(&disk);

	(void)state;
	part_run("cd '%s' && split -b 10000 -a 3 --numeric-suffixes=1 raw x. && rm x.004 && : >x.txt && mkdir x.011",
		 dir);
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, in(dir, "x.001"), NULL);
	qcow2_expect_error(&o, VTR_ENOTFOUND, "piece \"x.004\" is missing, \"x.005\" is there");
	/* Pieces that are no files, links out of the folder, and a piece that is shorter than the others. */
	part_run("cd '%s' && mkdir x.004", dir);
	qcow2_open(&o, path, NULL);
	qcow2_expect_error(&o, VTR_EPOLICY, "a directory, expected a regular file");
	part_run("cd '%s' && rmdir x.004 && ln -s /etc/passwd x.004", dir);
	qcow2_open(&o, path, NULL);
	qcow2_expect_error(&o, VTR_EPOLICY, "a symbolic link leads out of the allowed directory");
	qcow2_done(&o);
	part_run("cd '%s' && rm -r x.004 x.011 && echo short >x.004", dir);
	qcow2_open_good(&o, in(dir, "x.001"), NULL);
	qcow2_expect_said(&o, "note: ");
	qcow2_expect_said(&o, "piece 4 has 6 bytes, the first 10000");
	qcow2_done(&o);
	part_temp_done(dir);
	free(disk);
}

/* A container in the first piece is that container. */
static void what_has_other_signs_is_not_split(void **state)
{
	struct small_image s;
	struct qcow2_opened o;
	char *dir = part_temp();

	(void)state;
	small_vdi(&s, &small_vdi_plain);
	qcow2_write_file(in(dir, "x.002"), s.bytes, 100);
	qcow2_write_file(in(dir, "x.001"), s.bytes, s.len);
	qcow2_open_good(&o, path, NULL);
	assert_string_equal("vdi", vtr_image_info(o.disk)->format);
	qcow2_done(&o);
	small_done(&s);
	part_temp_done(dir);
}

/* The empty file that marks an Apple sparse bundle. */
static void tokens_of_sparse_bundles_are_refused_by_name(void **state)
{
	struct qcow2_opened o;
	char *dir = part_temp();

	(void)state;
	part_run("mkdir '%s/x.sparsebundle' && : >'%s/x.sparsebundle/token' && : >'%s/token'", dir, dir, dir);
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, in(dir, "x.sparsebundle/token"), NULL);
	qcow2_expect_error(&o, VTR_EUNSUPPORTED, "sparsebundle (Apple sparse bundle) is recognised, and not read");
	qcow2_open(&o, in(dir, "token"), NULL);
	assert_int_equal(0, o.rc);
	qcow2_done(&o);
	part_temp_done(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_to_number_is_read),
		cmocka_unit_test(one_piece_is_not_taken_for_the_disk),
		cmocka_unit_test(gaps_are_named),
		cmocka_unit_test(what_has_other_signs_is_not_split),
		cmocka_unit_test(tokens_of_sparse_bundles_are_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
