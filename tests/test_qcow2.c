/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow2: images as qemu-img 7.2 writes them against what it reads from them, and images laid out by hand from QEMU's
 * docs/interop/qcow2.txt against a table of damage.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/hostile_names.h"
#include "tests/part_images.h"
#include "tests/qcow2_images.h"

#define TOOLS_OR_SKIP()                                                                                                \
	do {                                                                                                           \
		if (!qcow2_has_tools())                                                                                \
			skip();                                                                                        \
	} while (0)

static char path[PATH_MAX], dir_buf[PATH_MAX];

/* A path in the directory of the test; until the next call. */
static const char *in(const char *dir, const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* Open with follow, compare with qemu-img, close; nothing is to be warned of. */
static void expect_like_qemu(const char *file)
{
	struct qcow2_opened o;

	qcow2_open_good(&o, file, NULL);
	qcow2_expect_qemu(o.disk, file, "");
	qcow2_expect_quiet(&o);
	qcow2_done(&o);
}

static const struct vtr_prop *prop(struct vtr_blk *disk, const char *key)
{
	const struct vtr_image_info *info = vtr_image_info(disk);

	for (size_t i = 0; i < info->n_props; i++)
		if (strcmp(info->props[i].key, key) == 0)
			return &info->props[i];
	return NULL;
}

/* -------------------------------------------------------------------------------------------------------- features */

/* Plain, zero and missing clusters in one image of clusters of c bytes. */
static void make_mixed(const char *file, const char *options, uint64_t c, bool v3)
{
	char more[512];
	int n;

	part_run("qemu-img create -q -f qcow2 -o cluster_size=%" PRIu64 ",%s '%s' %" PRIu64, c, options, file,
		 11 * c + 512);
	n = snprintf(more, sizeof(more),
		     "-c 'write -P 17 0 %" PRIu64 "' -c 'write -P 34 %" PRIu64 " 512' -c 'write -P 51 %" PRIu64
		     " %" PRIu64 "' -c 'write -z %" PRIu64 " %" PRIu64 "' -c 'write -P 68 %" PRIu64 " 512'",
		     c, 2 * c, 3 * c, 2 * c + 512, 4 * c, c, 11 * c);
	if (v3)
		snprintf(more + n, sizeof(more) - (size_t)n,
			 " -c 'write -P 85 %" PRIu64 " %" PRIu64 "' -c 'write -z -u %" PRIu64 " %" PRIu64
			 "' -c 'discard 0 %" PRIu64 "'",
			 7 * c, 2 * c, 7 * c, c, c);
	part_run("qemu-io -f qcow2 %s '%s' >/dev/null", more, file);
}

static void every_cluster_size_is_read(void **state)
{
	char *dir;

	(void)state;
	TOOLS_OR_SKIP();
	dir = part_temp();
	for (unsigned log2 = 9; log2 <= 21; log2++) {
		if (log2 % 4 == 1 || qcow2_slow()) {
			make_mixed(in(dir, "v2"), "compat=0.10", 1ull << log2, false);
			expect_like_qemu(in(dir, "v2"));
		}
		make_mixed(in(dir, "v3"), "compat=1.1", 1ull << log2, true);
		expect_like_qemu(in(dir, "v3"));
	}
	part_temp_done(dir);
}

static void every_refcount_width_is_read(void **state)
{
	char *dir, options[64];

	(void)state;
	TOOLS_OR_SKIP();
	dir = part_temp();
	for (unsigned bits = 1; bits <= 64; bits *= 2) {
		struct qcow2_opened o;

		snprintf(options, sizeof(options), "refcount_bits=%u", bits);
		make_mixed(in(dir, "i"), options, 4096, true);
		expect_like_qemu(in(dir, "i"));
		qcow2_open_good(&o, in(dir, "i"), NULL);
		assert_int_equal(bits, prop(o.disk, "refcount_bits")->number);
		qcow2_done(&o);
	}
	part_temp_done(dir);
}

static void compressed_clusters_are_read(void **state)
{
	static const unsigned logs[] = { 9, 12, 16, 21 };
	char *dir;
	uint8_t *noise;
	size_t len = 5000000;

	(void)state;
	TOOLS_OR_SKIP();
	dir = part_temp();
	noise = malloc(len);
	assert_non_null(noise);
	qcow2_noise(noise, len, 42);
	qcow2_write_file(in(dir, "raw"), noise, len - len % 512);
	for (unsigned zstd = 0; zstd < 2; zstd++) {
		for (size_t i = 0; i < VTR_COUNT(logs); i++) {
			uint64_t c = 1ull << logs[i];
			struct qcow2_opened o;

			if (logs[i] == 9) /* so many clusters take their time */
				part_run("truncate -s 100352 '%s/raw'", dir);
			else
				qcow2_write_file(in(dir, "raw"), noise, len - len % 512);
			part_run("qemu-img convert -c -O qcow2 -o cluster_size=%" PRIu64
				 ",compression_type=%s '%s/raw' '%s/i'",
				 c, zstd ? "zstd" : "zlib", dir, dir);
			expect_like_qemu(in(dir, "i"));
			/* and written into afterwards */
			part_run("qemu-io -f qcow2 -c 'write -P 7 1000 2000' -c 'write -z 3584 1024' '%s/i' >/dev/null",
				 dir);
			expect_like_qemu(in(dir, "i"));
			qcow2_open_good(&o, in(dir, "i"), NULL);
			assert_string_equal(zstd ? "zstd" : "zlib", prop(o.disk, "compression_type")->text);
			qcow2_done(&o);
		}
	}
	free(noise);
	part_temp_done(dir);
}

static void subclusters_are_read(void **state)
{
	static const unsigned logs[] = { 14, 16, 21 };
	char *dir;

	(void)state;
	TOOLS_OR_SKIP();
	dir = part_temp();
	part_run("yes parent | head -c 9000000 >'%s/base'", dir);
	for (size_t i = 0; i < VTR_COUNT(logs); i++)
		for (unsigned backed = 0; backed < 2; backed++) {
			uint64_t c = 1ull << logs[i], s = c / 32;
			char options[PATH_MAX + 64] = "";

			if (backed)
				snprintf(options, sizeof(options), "-F raw -b '%s/base'", dir);
			part_run("qemu-img create -q -f qcow2 %s -o cluster_size=%" PRIu64
				 ",extended_l2=on '%s/i' %" PRIu64,
				 options, c, dir, 5 * c + 512);
			part_run("qemu-io -f qcow2 -c 'write -P 1 %" PRIu64 " %" PRIu64 "' -c 'write -P 2 %" PRIu64
				 " 512'"
				 " -c 'write -z -u %" PRIu64 " %" PRIu64 "' -c 'write -z %" PRIu64 " %" PRIu64 "'"
				 " -c 'discard %" PRIu64 " %" PRIu64 "' -c 'write -c -P 3 %" PRIu64 " %" PRIu64 "'"
				 " -c 'write -z -u %" PRIu64 " %" PRIu64 "' -c 'write -P 4 %" PRIu64
				 " 512' '%s/i' >/dev/null",
				 s, 3 * s, c + 31 * s, 2 * s, s, 8 * s, 2 * s, 3 * s, s, 2 * c, c, 3 * c, c, 5 * c,
				 dir);
			expect_like_qemu(in(dir, "i"));
		}
	part_temp_done(dir);
}

static void preallocated_images_are_read(void **state)
{
	static const char *const how[] = { "metadata", "falloc", "full" };
	char *dir;

	(void)state;
	TOOLS_OR_SKIP();
	dir = part_temp();
	for (size_t i = 0; i < VTR_COUNT(how); i++) {
		part_run("qemu-img create -q -f qcow2 -o preallocation=%s '%s/i' 1000448", how[i], dir);
		part_run("qemu-io -f qcow2 -c 'write -P 5 70000 3000' '%s/i' >/dev/null", dir);
		expect_like_qemu(in(dir, "i"));
	}
	part_temp_done(dir);
}

static void bitmaps_are_counted_and_do_no_harm(void **state)
{
	struct qcow2_opened o;
	char *dir;

	(void)state;
	TOOLS_OR_SKIP();
	dir = part_temp();
	make_mixed(in(dir, "i"), "lazy_refcounts=on", 65536, true);
	part_run("qemu-img bitmap --add '%s/i' one && qemu-img bitmap --add -g 65536 '%s/i' two", dir, dir);
	expect_like_qemu(in(dir, "i"));
	qcow2_open_good(&o, in(dir, "i"), NULL);
	assert_int_equal(2, prop(o.disk, "bitmaps")->number);
	assert_true(prop(o.disk, "lazy_refcounts")->number);
	assert_string_equal("1.1", prop(o.disk, "compat")->text);
	assert_int_equal(3, prop(o.disk, "version")->number);
	assert_false(prop(o.disk, "extended_l2")->number);
	assert_int_equal(65536, vtr_image_info(o.disk)->cluster_size);
	assert_string_equal("qcow2", vtr_image_info(o.disk)->format);
	qcow2_done(&o);
	part_temp_done(dir);
}

static void images_of_no_bytes_and_of_an_exbibyte_open_at_once(void **state)
{
	struct qcow2_reads reads;
	size_t heap;
	struct qcow2_opened o;
	struct vtr_extent e;
	uint8_t buf[4096];
	char *dir;

	(void)state;
	TOOLS_OR_SKIP();
	dir = part_temp();
	part_run("qemu-img create -q -f qcow2 '%s/i' 0", dir);
	expect_like_qemu(in(dir, "i"));

	part_run("qemu-img create -q -f qcow2 -o cluster_size=2M '%s/i' 1E", dir);
	part_run("qemu-io -f qcow2 -c 'write -P 1 1024P 0' -c 'write -P 7 900P 8k' '%s/i' >/dev/null", dir);
	heap = qcow2_heap();
	qcow2_open_counted(&o, &reads, in(dir, "i"));
	assert_true(vtr_blk_size(o.disk) == 1ull << 60);
	assert_int_equal(0, vtr_blk_pread(o.disk, 900ull << 50, buf, sizeof(buf), NULL));
	assert_int_equal(7, buf[0]);
	assert_int_equal(7, buf[4095]);
	assert_int_equal(0, vtr_blk_pread(o.disk, (1ull << 60) - 4096, buf, sizeof(buf), NULL));
	assert_int_equal(0, buf[4095]);
	assert_int_equal(0, vtr_blk_extent(&e, o.disk, 900ull << 50, NULL));
	assert_int_equal(VTR_EXTENT_DATA, e.kind);
	assert_int_equal(2 << 20, e.len);
	assert_in_range(reads.bytes, 1, 4 << 20); /* a cluster of entries, and the header */
	assert_true(qcow2_heap() < heap + (16 << 20));
	qcow2_done(&o);
	part_temp_done(dir);
}

/* Writers other than qemu end a disk within a cluster, and within a sector. */
static void odd_sizes_end_where_the_header_says(void **state)
{
	static const uint64_t sizes[] = { 1, 511, 513, 4095, 4097, 65535, 65537, 100001 };
	uint8_t *whole;
	uint64_t len;
	char *dir;

	(void)state;
	TOOLS_OR_SKIP();
	dir = part_temp();
	part_run("qemu-img create -q -f qcow2 -o cluster_size=4k '%s/i' 100352", dir);
	part_run(
		"qemu-io -f qcow2 -c 'write -P 3 0 64k' -c 'write -P 5 68k 30k' -c 'write -z 8k 4k' -c 'write -c -P 4 64k 4k' '%s/i' >/dev/null",
		dir);
	part_run("qemu-img convert -O raw '%s/i' '%s/raw'", dir, dir);
	whole = qcow2_file(in(dir, "raw"), &len);
	for (size_t i = 0; i < VTR_COUNT(sizes); i++) {
		struct qcow2_opened o;

		qcow2_patch(in(dir, "i"), 24, 8, sizes[i]);
		qcow2_open_good(&o, in(dir, "i"), NULL);
		qcow2_expect_bytes(o.disk, whole, sizes[i]);
		qcow2_done(&o);
	}
	free(whole);
	part_temp_done(dir);
}

/* ------------------------------------------------------------------------------------------------- snapshots */

static void snapshots_are_disks_of_their_own(void **state)
{
	/* An id comes before a name: "1" is the id of the first, and the name of the third. */
	static const struct {
		const char *asked, *id;
	} wanted[] = { { "first", "1" }, { "1", "1" }, { "the 2nd", "2" }, { "3", "3" } };
	struct vtr_image_options opt = { 0 };
	const struct vtr_image_info *info;
	struct qcow2_opened o;
	char *dir;

	(void)state;
	TOOLS_OR_SKIP();
	dir = part_temp();
	part_run("yes base | head -c 3000000 >'%s/base'", dir);
	part_run("cd '%s' && qemu-img create -q -f qcow2 -F raw -b base -o cluster_size=4k i 2M", dir);
	part_run(
		"qemu-io -f qcow2 -c 'write -P 1 0 1M' -c 'write -P 1 1500k 9k' '%s/i' >/dev/null && qemu-img snapshot -c first '%s/i'",
		dir, dir);
	part_run(
		"qemu-io -f qcow2 -c 'write -P 2 512k 600k' -c 'write -z 0 64k' '%s/i' >/dev/null && qemu-img snapshot -c 'the 2nd' '%s/i'",
		dir, dir);
	part_run("qemu-img resize -q '%s/i' 5M && qemu-io -f qcow2 -c 'write -P 3 100 4M' '%s/i' >/dev/null", dir, dir);
	part_run("qemu-img snapshot -c 1 '%s/i' && qemu-img resize -q --shrink '%s/i' 1M", dir, dir);
	expect_like_qemu(in(dir, "i"));

	qcow2_open_good(&o, in(dir, "i"), NULL);
	info = vtr_image_info(o.disk);
	assert_int_equal(3, info->n_snapshots);
	assert_int_equal(1 << 20, info->virtual_size);
	assert_string_equal("1", info->snapshots[0].id);
	assert_string_equal("first", info->snapshots[0].name);
	assert_int_equal(2 << 20, info->snapshots[0].size);
	assert_int_equal(0, info->snapshots[0].vm_state_size);
	assert_in_range(info->snapshots[0].date_s, 1600000000, 1ull << 33);
	assert_string_equal("the 2nd", info->snapshots[1].name);
	assert_string_equal("1", info->snapshots[2].name);
	assert_int_equal(5 << 20, info->snapshots[2].size);
	qcow2_done(&o);

	for (size_t i = 0; i < VTR_COUNT(wanted); i++) {
		/* qemu-img convert -l gives a snapshot the size of the present disk; applying one does not. */
		part_run("cd '%s' && cp i applied && qemu-img snapshot -a '%s' applied", dir, wanted[i].id);
		opt.snapshot = wanted[i].asked;
		qcow2_open_good(&o, in(dir, "i"), &opt);
		qcow2_expect_qemu(o.disk, in(dir, "applied"), "");
		assert_int_equal(3, vtr_image_info(o.disk)->n_snapshots);
		assert_int_equal(vtr_blk_size(o.disk), vtr_image_info(o.disk)->virtual_size);
		qcow2_done(&o);
	}
	opt.snapshot = "second";
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, in(dir, "i"), &opt);
	qcow2_expect_error(&o, VTR_ENOTFOUND, "no snapshot \"second\"");
	qcow2_done(&o);
	part_temp_done(dir);
}

static void the_state_of_a_machine_is_listed(void **state)
{
	struct qcow2_opened o;
	const struct vtr_snapshot *s;
	uint8_t image[QCOW2_BUILD_CLUSTERS * 512];

	(void)state;
	qcow2_build(image, 9);
	qcow2_put(image + 8 * 512 + 32, 4, 123); /* ignored: there is the longer field */
	qcow2_put(image + 8 * 512 + 40, 8, 0x123456789ull);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, image, sizeof(image), NULL);
	s = vtr_image_info(o.disk)->snapshots;
	assert_true(s->vm_state_size == 0x123456789ull);
	assert_int_equal(1700000000, s->date_s);
	assert_int_equal(5, s->date_ns);
	assert_int_equal(77, s->vm_clock_ns);
	assert_string_equal("7", s->id);
	assert_string_equal("snap", s->name);
	qcow2_done(&o);

	/* Version 2 has no extra data: the state's size is the short field, the disk's that of the present. */
	qcow2_put(image + 8 * 512 + 36, 4, 0);
	memmove(image + 8 * 512 + 40, image + 8 * 512 + 56, 16);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, image, sizeof(image), NULL);
	s = vtr_image_info(o.disk)->snapshots;
	assert_int_equal(123, s->vm_state_size);
	assert_int_equal(qcow2_build_size(9), s->size);
	assert_string_equal("snap", s->name);
	qcow2_done(&o);
}

/* ---------------------------------------------------------------------------------------------------------- chains */

static void backing_chains_are_read(void **state)
{
	static const char *const formats[] = { "raw", "qcow2" };
	static const unsigned sizes[] = { 1 << 20, 700 << 10, 3000000 / 512 * 512, 512, 0 };
	struct qcow2_opened o;
	char *dir;

	(void)state;
	TOOLS_OR_SKIP();
	dir = part_temp();
	part_run("mkdir '%s/sub' '%s/sub/deeper'", dir, dir);
	for (size_t f = 0; f < VTR_COUNT(formats); f++)
		for (size_t i = 0; i < VTR_COUNT(sizes); i++) {
			part_run("cd '%s/sub' && yes parent | head -c %u >raw && qemu-img convert -O %s raw base", dir,
				 sizes[i], formats[f]);
			part_run("cd '%s' && qemu-img create -q -f qcow2 -F %s -b sub/base top 1M", dir, formats[f]);
			expect_like_qemu(in(dir, "top"));
			part_run(
				"qemu-io -f qcow2 -c 'write -P 2 65000 9000' -c 'write -z 500k 64k' -c 'discard 500k 64k' '%s/top' >/dev/null",
				dir);
			expect_like_qemu(in(dir, "top"));
		}
	/* three, with names relative to the directory of each */
	part_run("cd '%s' && yes bottom | head -c 900096 >bottom", dir);
	part_run("cd '%s/sub/deeper' && qemu-img create -q -f qcow2 -F raw -b ../../bottom mid 1000k && "
		 "qemu-io -f qcow2 -c 'write -P 6 100k 90k' mid >/dev/null",
		 dir);
	part_run("cd '%s' && qemu-img create -q -f qcow2 -F qcow2 -b sub/deeper/mid top 950k && "
		 "qemu-io -f qcow2 -c 'write -P 7 150k 90k' top >/dev/null",
		 dir);
	qcow2_start(&o, NULL, true); /* beneath the directory of the image that names it */
	qcow2_open(&o, in(dir, "top"), NULL);
	qcow2_expect_error(&o, VTR_EPOLICY, "backing file \"../../bottom\" is not opened");
	qcow2_done(&o);
	qcow2_start(&o, NULL, true);
	assert_int_equal(0, vtr_ctx_allow_dir(o.ctx, dir, NULL));
	qcow2_open(&o, in(dir, "top"), NULL);
	assert_int_equal(0, o.rc);
	qcow2_expect_qemu(o.disk, in(dir, "top"), "");
	assert_string_equal("sub/deeper/mid", vtr_image_info(o.disk)->backing);
	assert_string_equal("qcow2", vtr_image_info(o.disk)->backing_format);
	assert_string_equal("../../bottom", vtr_image_info(vtr_image_backing(o.disk))->backing);
	assert_string_equal("raw", vtr_image_info(vtr_image_backing(vtr_image_backing(o.disk)))->format);
	qcow2_done(&o);
	part_temp_done(dir);
}

/* name: of the image, written by hand into dir; NULL format: not said. */
static void write_backed(const char *dir, const char *name, const char *backing, const char *format)
{
	uint8_t image[QCOW2_BUILD_CLUSTERS * 4096];
	size_t n = qcow2_build(image, 12);

	qcow2_build_backing(image, backing, strlen(backing), format);
	snprintf(dir_buf, sizeof(dir_buf), "%s/%s", dir, name);
	qcow2_write_file(dir_buf, image, n);
}

static void long_chains_and_cycles_are_refused(void **state)
{
	struct qcow2_opened o;
	char *dir = part_temp(), name[16], below[16];
	struct vtr_limits limits;

	(void)state;
	qcow2_write_file(in(dir, "0"), "x", 1);
	for (int i = 1; i <= 11; i++) {
		snprintf(name, sizeof(name), "%d", i);
		snprintf(below, sizeof(below), "%d", i - 1);
		write_backed(dir, name, below, i == 1 ? "raw" : "qcow2");
	}
	qcow2_open_good(&o, in(dir, "10"), NULL);
	qcow2_done(&o);
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, in(dir, "11"), NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "limit chain=10");
	qcow2_done(&o);
	vtr_limits_default(&limits);
	limits.chain = 2;
	qcow2_start(&o, &limits, true);
	qcow2_open(&o, in(dir, "3"), NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "limit chain=2");
	qcow2_done(&o);

	write_backed(dir, "self", "self", "qcow2");
	write_backed(dir, "a", "b", NULL);
	write_backed(dir, "b", "./c", NULL);
	write_backed(dir, "c", hostile_links_are_followed() ? "link" : "a", NULL);
	assert_int_equal(0, symlink("a", in(dir, "link")));
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, in(dir, "self"), NULL);
	qcow2_expect_error(&o, VTR_ECORRUPT, "cycle");
	qcow2_open(&o, in(dir, "a"), NULL);
	qcow2_expect_error(&o, VTR_ECORRUPT, "cycle");
	assert_int_equal(0, link(in(dir, "self"), strcat(strcpy(dir_buf, dir), "/hard")));
	write_backed(dir, "d", "hard", "qcow2"); /* hard names self, which is the same file */
	qcow2_open(&o, in(dir, "d"), NULL);
	qcow2_expect_error(&o, VTR_ECORRUPT, "cycle");
	qcow2_done(&o);
	part_temp_done(dir);
}

static void the_format_of_a_backing_file_is_what_the_image_says(void **state)
{
	uint8_t image[QCOW2_BUILD_CLUSTERS * 512], got[512];
	struct qcow2_opened o;
	char *dir = part_temp();

	(void)state;
	qcow2_write_file(in(dir, "inner"), image, qcow2_build(image, 9));
	/* Said to be raw: its bytes are the disk, whatever they look like. */
	write_backed(dir, "as-raw", "inner", "raw");
	qcow2_open_good(&o, in(dir, "as-raw"), NULL);
	assert_string_equal("raw", vtr_image_info(vtr_image_backing(o.disk))->format);
	assert_int_equal(0, vtr_blk_pread(vtr_image_backing(o.disk), 0, got, 4, NULL));
	assert_memory_equal("QFI\xfb", got, 4);
	qcow2_done(&o);
	/* Not said: recognised. */
	write_backed(dir, "unsaid", "inner", NULL);
	qcow2_open_good(&o, in(dir, "unsaid"), NULL);
	assert_string_equal("qcow2", vtr_image_info(vtr_image_backing(o.disk))->format);
	assert_null(vtr_image_info(o.disk)->backing_format);
	qcow2_done(&o);
	write_backed(dir, "unsaid", "inner", "");
	qcow2_open_good(&o, in(dir, "unsaid"), NULL);
	assert_null(vtr_image_info(o.disk)->backing_format);
	qcow2_done(&o);
	/* Not said, and two readings fit. */
	image[510] = 0x55, image[511] = 0xaa;
	memset(image + 446, 0, 64);
	image[446 + 4] = 0x83, image[446 + 8] = 1, image[446 + 12] = 3;
	qcow2_write_file(in(dir, "inner"), image, sizeof(image));
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, in(dir, "unsaid"), NULL);
	qcow2_expect_error(&o, VTR_EAMBIGUOUS, "backing file \"inner\"");
	qcow2_done(&o);

	qcow2_start(&o, NULL, true);
	write_backed(dir, "odd", "inner", "qcow9");
	qcow2_open(&o, in(dir, "odd"), NULL);
	qcow2_expect_error(&o, VTR_EUNSUPPORTED, "\"qcow9\"");
	write_backed(dir, "odd", "inner", "vpc"); /* qemu's word */
	qcow2_open(&o, in(dir, "odd"), NULL);
	assert_int_equal(-1, o.rc);
	assert_null(strstr(o.err.text, "unknown"));
	write_backed(dir, "odd", "inner", "\x1b[31m");
	qcow2_open(&o, in(dir, "odd"), NULL);
	qcow2_expect_error(&o, VTR_EUNSUPPORTED, "\\x1B[31m");
	qcow2_done(&o);
	part_temp_done(dir);
}

static int resolve_memory(void *arg, struct vtr_blk **out, const char *image, const char *name, struct vtr_error *err)
{
	struct qcow2_opened *o = arg;

	(void)image;
	if (strcmp(name, "nbd:mine") == 0)
		return vtr_blk_memory(out, o->ctx, "hello", 5, err) == 0 ? 1 : -1;
	if (strcmp(name, "never") == 0)
		return vtr_fail(err, VTR_EKEY, "not for you");
	return 0;
}

static void a_resolver_decides_about_names(void **state)
{
	uint8_t image[QCOW2_BUILD_CLUSTERS * 4096], got[8];
	struct qcow2_opened o;

	(void)state;
	qcow2_build(image, 12);
	qcow2_put(image + 4 * 4096, 8, 0); /* the first cluster is the backing file's */
	qcow2_build_backing(image, "nbd:mine", 8, "raw");
	qcow2_start(&o, NULL, false);
	vtr_ctx_resolver(o.ctx, resolve_memory, &o);
	qcow2_open_bytes(&o, image, sizeof(image), NULL);
	assert_int_equal(0, o.rc);
	assert_int_equal(0, vtr_blk_pread(o.disk, 0, got, 8, NULL));
	assert_memory_equal("hello\0\0\0", got, 8);
	vtr_blk_unref(o.disk);
	o.disk = NULL;
	qcow2_build_backing(image, "never", 5, "raw");
	qcow2_open_bytes(&o, image, sizeof(image), NULL);
	qcow2_expect_error(&o, VTR_EKEY, "not for you");
	qcow2_build_backing(image, "base", 4, "raw");
	qcow2_open_bytes(&o, image, sizeof(image), NULL);
	qcow2_expect_error(&o, VTR_EPOLICY, "names no files");
	qcow2_done(&o);
}

/* ------------------------------------------------------------------------------------------------- names in images */

static void open_named(const char *dir, const char *name, int mode, int expected)
{
	struct qcow2_opened o;

	write_backed(dir, "images/top", name, "raw");
	qcow2_start(&o, NULL, mode == 1);
	if (mode == 2)
		assert_int_equal(0, vtr_ctx_allow_dir(o.ctx, strcat(strcpy(dir_buf, dir), "/outside"), NULL));
	qcow2_open(&o, in(dir, "images/top"), NULL);
	if ((o.rc < 0 ? o.err.code : VTR_OK) != expected)
		print_error("%s, mode %d: %s\n", name, mode, o.rc < 0 ? o.err.text : "opened");
	assert_int_equal(expected, o.rc < 0 ? o.err.code : VTR_OK);
	if (o.rc < 0) {
		for (const char *p = o.err.text; *p; p++)
			assert_false((unsigned char)*p < 0x20 || *p == 0x7f);
		assert_true(vtr_utf8_is(o.err.text, strlen(o.err.text)));
		if (expected == NO && mode == 0)
			assert_non_null(strstr(o.err.text, "--allow-dir"));
	} else {
		assert_int_equal(0, strncmp(vtr_image_info(o.disk)->backing_path, dir, strlen(dir)));
	}
	qcow2_done(&o);
	/* For its facts alone it opens whatever it names. */
	qcow2_open_good(&o, in(dir, "images/top"), &(struct vtr_image_options){ .alone = true });
	assert_string_equal(name, vtr_image_info(o.disk)->backing);
	assert_null(vtr_image_backing(o.disk));
	qcow2_done(&o);
}

static void names_in_images_open_only_what_is_allowed(void **state)
{
	char *made = part_temp(), *dir = realpath(made, NULL), name[2 * PATH_MAX];

	(void)state;
	assert_non_null(dir);
	hostile_dir(dir);
	for (size_t i = 0; i < VTR_COUNT(hostile_names); i++)
		for (int mode = 0; mode < 3; mode++) {
			snprintf(name, sizeof(name), "%s%s", hostile_names[i].name[0] == '@' ? dir : "",
				 hostile_names[i].name + (hostile_names[i].name[0] == '@'));
			if (mode == 1 && strcmp(hostile_names[i].name, "link_in") == 0 && !hostile_links_are_followed())
				continue;
			open_named(dir, name, mode,
				   mode == 0   ? hostile_names[i].plain
				   : mode == 1 ? hostile_names[i].follow
					       : hostile_names[i].allowed);
		}
	memset(name, 'a', sizeof(name));
	name[1023] = 0;
	open_named(dir, name, 1, NF);
	for (size_t i = 0; i < 1020; i += 3)
		memcpy(name + i, "../", 3);
	open_named(dir, name, 1, NO);
	/* A directory of devices, allowed: still only regular files. */
	write_backed(dir, "images/top", "/dev/zero", "raw");
	{
		struct qcow2_opened o;

		qcow2_start(&o, NULL, true);
		assert_int_equal(0, vtr_ctx_allow_dir(o.ctx, "/dev", NULL));
		qcow2_open(&o, in(dir, "images/top"), NULL);
		qcow2_expect_error(&o, VTR_EPOLICY, "a character device, expected a regular file");
		qcow2_done(&o);
	}
	free(dir);
	part_temp_done(made);
}

/* ----------------------------------------------------------------------------------------- data files, header bits */

static void data_files_are_read(void **state)
{
	struct vtr_image_options alone = { .alone = true };
	struct vtr_error err = { 0 };
	struct qcow2_opened o;
	uint8_t byte;
	char *dir, cwd[PATH_MAX];

	(void)state;
	TOOLS_OR_SKIP();
	dir = part_temp();
	/* qemu takes the name of a data file from where it runs, we from where the image is. */
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(0, chdir(dir));
	for (unsigned raw = 0; raw < 2; raw++) {
		part_run(
			"cd '%s' && rm -f data && qemu-img create -q -f qcow2 -o data_file=data,data_file_raw=%s i 1M && "
			"qemu-io -f qcow2 -c 'write -P 1 0 9k' -c 'write -P 2 300k 100k' -c 'write -z 320k 64k' -c 'write -z -u 0 64k' "
			"-c 'write -P 3 1023k 1k' i >/dev/null",
			dir, raw ? "on" : "off");
		expect_like_qemu(in(dir, "i"));
		qcow2_open_good(&o, in(dir, "i"), NULL);
		assert_int_equal(raw, prop(o.disk, "data_file_raw")->number);
		assert_string_equal("data", prop(o.disk, "data_file")->text);
		qcow2_done(&o);
		qcow2_start(&o, NULL, false);
		qcow2_open(&o, in(dir, "i"), NULL);
		qcow2_expect_error(&o, VTR_EPOLICY, "data file \"data\" is not opened");
		qcow2_open(&o, in(dir, "i"), &alone);
		assert_int_equal(0, o.rc);
		assert_int_equal(-1, vtr_blk_pread(o.disk, 301 << 10, &byte, 1, &err));
		assert_int_equal(VTR_EPOLICY, err.code);
		assert_non_null(strstr(err.text, "\"data\""));
		qcow2_done(&o);
	}
	/* An image that names itself. */
	part_run("cd '%s' && cp i self && rm -f data && ln self data", dir);
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, in(dir, "self"), NULL);
	qcow2_expect_error(&o, VTR_ECORRUPT, "cycle");
	qcow2_done(&o);
	assert_int_equal(0, chdir(cwd));
	part_temp_done(dir);
}

/* What lies in the data file lies where the guest sees it: anything else is a way to other parts of that file. */
static void an_entry_that_moves_within_the_data_file_is_refused(void **state)
{
	struct vtr_error err = { 0 };
	struct qcow2_opened o;
	uint8_t image[QCOW2_BUILD_CLUSTERS * 512], byte;
	char *dir = part_temp();

	(void)state;
	qcow2_build(image, 9);
	qcow2_put(image + 72, 8, 4);
	qcow2_put(image + 112, 4, 0x44415441);
	qcow2_put(image + 116, 4, 4);
	memcpy(image + 120, "data", 4);
	qcow2_put(image + 4 * 512, 8, 1ull << 63);
	qcow2_put(image + 4 * 512 + 8, 8, 1ull << 63 | 1024);
	qcow2_write_file(in(dir, "i"), image, sizeof(image));
	part_run("yes data | head -c 40000 >'%s/data'", dir);
	qcow2_open_good(&o, in(dir, "i"), NULL);
	assert_int_equal(0, vtr_blk_pread(o.disk, 0, &byte, 1, &err));
	assert_int_equal('d', byte);
	assert_int_equal(-1, vtr_blk_pread(o.disk, 512, &byte, 1, &err));
	assert_int_equal(VTR_ECORRUPT, err.code);
	assert_non_null(strstr(err.text, "points to 0x400 in the data file, expected 0x200"));
	qcow2_done(&o);
	/* For its facts alone: the data file is not opened, and what lies in it fails to read. */
	qcow2_open_good(&o, in(dir, "i"), &(struct vtr_image_options){ .alone = true });
	assert_int_equal(-1, vtr_blk_pread(o.disk, 0, &byte, 1, &err));
	assert_int_equal(VTR_EPOLICY, err.code);
	assert_non_null(strstr(err.text, "lies in the data file \"data\", which is not opened"));
	assert_int_equal(0, vtr_blk_pread(o.disk, 1024, &byte, 1, &err));
	qcow2_done(&o);
	/* Nor is there anything compressed. */
	qcow2_patch(in(dir, "i"), 4 * 512, 8, 1ull << 62 | 6 * 512);
	qcow2_open_good(&o, in(dir, "i"), NULL);
	assert_int_equal(-1, vtr_blk_pread(o.disk, 0, &byte, 1, &err));
	assert_int_equal(VTR_ECORRUPT, err.code);
	assert_non_null(strstr(err.text, "entry 0 is compressed in an image with a data file"));
	qcow2_done(&o);
	part_temp_done(dir);
}

static void unknown_features_are_refused_by_name(void **state)
{
	uint8_t image[QCOW2_BUILD_CLUSTERS * 512];
	struct qcow2_opened o;

	(void)state;
	qcow2_build(image, 9);
	qcow2_put(image + 112, 4, 0x12345678); /* an unknown extension, of a length that needs padding */
	qcow2_put(image + 116, 4, 5);
	qcow2_put(image + 128, 4, 0x6803f857);
	qcow2_put(image + 132, 4, 96);
	image[136] = 1, image[137] = 6; /* a compatible one of the same bit */
	strcpy((char *)image + 138, "harmless");
	image[184] = 0, image[185] = 6;
	strcpy((char *)image + 186, "time \x1b travel");
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, image, sizeof(image), NULL);
	assert_int_equal(0, o.rc);
	vtr_blk_unref(o.disk);
	o.disk = NULL;
	qcow2_put(image + 80, 8, ~0ull); /* compatible and autoclear features are not ours to care for */
	qcow2_put(image + 88, 8, ~0ull & ~2ull);
	qcow2_open_bytes(&o, image, sizeof(image), NULL);
	assert_int_equal(0, o.rc);
	vtr_blk_unref(o.disk);
	o.disk = NULL;
	qcow2_put(image + 72, 8, 1 << 6);
	qcow2_open_bytes(&o, image, sizeof(image), NULL);
	qcow2_expect_error(&o, VTR_EUNSUPPORTED, "incompatible feature \"time \\x1B travel\" (bit 6) is unknown");
	qcow2_put(image + 72, 8, 1ull << 63);
	qcow2_open_bytes(&o, image, sizeof(image), NULL);
	qcow2_expect_error(&o, VTR_EUNSUPPORTED, "incompatible feature bit 63 is unknown");
	qcow2_done(&o);
}

static void dirty_and_corrupt_are_told(void **state)
{
	uint8_t image[QCOW2_BUILD_CLUSTERS * 512];
	struct qcow2_opened o;

	(void)state;
	for (uint64_t bits = 0; bits < 4; bits++) {
		qcow2_build(image, 9);
		qcow2_put(image + 72, 8, bits);
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, image, sizeof(image), NULL);
		assert_int_equal(0, o.rc);
		assert_int_equal(bits & 1, vtr_image_info(o.disk)->dirty);
		assert_int_equal(bits >> 1, vtr_image_info(o.disk)->corrupt);
		if (bits & 2)
			qcow2_expect_said(&o, "corrupt: qcow2: the image says of itself that it is corrupt");
		else
			qcow2_expect_quiet(&o);
		qcow2_done(&o);
	}
}

static void encrypted_images_are_refused_by_name(void **state)
{
	struct vtr_image_options alone = { .alone = true };
	struct vtr_error err = { 0 };
	struct qcow2_opened o;
	uint8_t image[QCOW2_BUILD_CLUSTERS * 512], buf[512], zeros[512] = { 0 };
	char *dir;

	(void)state;
	for (unsigned method = 1; method <= 2; method++) {
		const char *name = method == 1 ? "encrypted with AES" : "encrypted with LUKS";

		qcow2_build(image, 9);
		qcow2_put(image + 32, 4, method);
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, image, sizeof(image), NULL);
		qcow2_expect_error(&o, VTR_EUNSUPPORTED, name);
		qcow2_open_bytes(&o, image, sizeof(image), &alone);
		assert_int_equal(0, o.rc);
		assert_true(vtr_image_info(o.disk)->encrypted);
		assert_string_equal(method == 1 ? "AES" : "LUKS", prop(o.disk, "encryption")->text);
		assert_int_equal(-1, vtr_blk_pread(o.disk, 0, buf, 1, &err));
		assert_int_equal(VTR_EUNSUPPORTED, err.code);
		/* What is not stored is not encrypted. */
		assert_int_equal(0, vtr_blk_pread(o.disk, 1024, buf, 512, &err));
		assert_memory_equal(zeros, buf, 512);
		assert_int_equal(0, vtr_blk_pread(o.disk, 10240, buf, 512, &err));
		qcow2_done(&o);
	}
	if (!qcow2_slow()) /* the key derivation takes seconds, however little of it is asked for */
		return;
	TOOLS_OR_SKIP();
	dir = part_temp();
	/* It measures the machine first, and fails on one that is busy. */
	part_run("for t in 10 100 1000 1000; do qemu-img create -q -f qcow2 --object secret,id=s,data=pass "
		 "-o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=$t '%s/i' 1M && exit; done; exit 1",
		 dir);
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, in(dir, "i"), NULL);
	qcow2_expect_error(&o, VTR_EUNSUPPORTED, "i: qcow2: encrypted with LUKS");
	qcow2_open(&o, in(dir, "i"), &alone);
	assert_int_equal(0, o.rc);
	assert_int_equal(1 << 20, vtr_blk_size(o.disk));
	qcow2_done(&o);
	part_temp_done(dir);
}

/* ---------------------------------------------------------------------------------------------------------- damage */

static void a_built_image_is_what_qemu_thinks(void **state)
{
	char *dir;
	uint8_t image[QCOW2_BUILD_CLUSTERS * 4096];

	(void)state;
	for (unsigned log2 = 9; log2 <= 12; log2 += 3) {
		struct vtr_image_options opt = { .snapshot = "snap" };
		uint8_t *disk = qcow2_build_disk(log2);
		struct qcow2_opened o;

		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, image, qcow2_build(image, log2), NULL);
		assert_int_equal(0, o.rc);
		qcow2_expect_bytes(o.disk, disk, qcow2_build_size(log2));
		vtr_blk_unref(o.disk);
		qcow2_open_bytes(&o, image, qcow2_build(image, log2), &opt);
		assert_int_equal(0, o.rc);
		qcow2_expect_bytes(o.disk, disk, qcow2_build_size(log2));
		qcow2_expect_quiet(&o);
		qcow2_done(&o);
		free(disk);
	}
	TOOLS_OR_SKIP();
	dir = part_temp();
	qcow2_write_file(in(dir, "i"), image, qcow2_build(image, 12));
	part_run("qemu-img check -q '%s'", path);
	part_temp_done(dir);
}

enum { OPEN, READ, SNAP, SNAP_READ, FINE };

#define C 4096u
#define L1 (3 * C)
#define L2 (4 * C)
#define SNAPS (8 * C)

/* One field of qcow2_build(image, 12) at a time: what is written there, when that is noticed, and what is said. */
static const struct {
	uint64_t at;
	unsigned width;
	uint64_t value;
	int when, code;
	const char *words;
} damages[] = {
	/* header */
	{ 0, 4, 0x514649fa, OPEN, VTR_ECORRUPT, "does not start with" },
	{ 4, 4, 0, OPEN, VTR_EUNSUPPORTED, "version 0" },
	{ 4, 4, 1, OPEN, VTR_EUNSUPPORTED, "version 1" },
	{ 4, 4, 4, OPEN, VTR_EUNSUPPORTED, "version 4" },
	{ 20, 4, 8, OPEN, VTR_ECORRUPT, "cluster_bits 8, expected 9 to 21" },
	{ 20, 4, 22, OPEN, VTR_ECORRUPT, "cluster_bits 22" },
	{ 20, 4, 64, OPEN, VTR_ECORRUPT, "cluster_bits 64" },
	{ 20, 4, 0xffffffff, OPEN, VTR_ECORRUPT, "cluster_bits 4294967295" },
	{ 20, 4, 13, OPEN, VTR_ECORRUPT, "not aligned" },
	{ 24, 8, 1ull << 63, OPEN, VTR_ECORRUPT, "more than 2^63" },
	{ 24, 8, ~0ull, OPEN, VTR_ECORRUPT, "more than 2^63" },
	{ 24, 8, INT64_MAX, OPEN, VTR_ECORRUPT, "L1 table: 2 entries, a disk of 9223372036854775807 bytes needs" },
	{ 24, 8, 2 * C * 512 + 1, OPEN, VTR_ECORRUPT, "needs 3" },
	{ 24, 8, 2 * C * 512, FINE, 0, "" },
	{ 24, 8, 0, FINE, 0, "" },
	{ 32, 4, 1, OPEN, VTR_EUNSUPPORTED, "AES" },
	{ 32, 4, 2, OPEN, VTR_EUNSUPPORTED, "LUKS" },
	{ 32, 4, 3, OPEN, VTR_EUNSUPPORTED, "crypt_method 3" },
	{ 36, 4, 0, OPEN, VTR_ECORRUPT, "L1 table: 0 entries" },
	{ 36, 4, 1, OPEN, VTR_ECORRUPT, "L1 table: 1 entries" },
	{ 36, 4, 4 << 20, OPEN, VTR_ETRUNCATED, "L1 table: 33554432 bytes at 0x3000 end past the end" },
	{ 36, 4, (4 << 20) + 1, OPEN, VTR_ELIMIT, "L1 table: 4194305 entries, at most 4194304" },
	{ 36, 4, 0xffffffff, OPEN, VTR_ELIMIT, "L1 table" },
	{ 40, 8, 0, OPEN, VTR_ECORRUPT, "L1 table at 0 overlaps the header" },
	{ 40, 8, L1 + 1, OPEN, VTR_ECORRUPT, "L1 table at 0x3001 is not aligned" },
	{ 40, 8, L1 + 512, OPEN, VTR_ECORRUPT, "not aligned" },
	{ 40, 8, C, OPEN, VTR_ECORRUPT, "refcount table at 0x1000 overlaps the L1 table" },
	{ 40, 8, SNAPS, OPEN, VTR_ECORRUPT, "snapshot table at 0x8000 overlaps the L1 table" },
	{ 40, 8, 11 * C, OPEN, VTR_ETRUNCATED, "L1 table: 16 bytes at 0xb000 end past the end of the file (0xb000)" },
	{ 40, 8, 0xfffffffffffff000, OPEN, VTR_ETRUNCATED, "past the end" },
	{ 48, 8, 0, OPEN, VTR_ECORRUPT, "refcount table at 0 overlaps the header" },
	{ 48, 8, C + 8, OPEN, VTR_ECORRUPT, "not aligned" },
	{ 48, 8, L1, OPEN, VTR_ECORRUPT, "overlaps the L1 table" },
	{ 48, 8, 1ull << 40, FINE, 0, "refcount table at 0x10000000000 ends past the end" },
	{ 56, 4, 3, OPEN, VTR_ECORRUPT, "refcount table at 0x1000 overlaps the L1 table" },
	{ 56, 4, 2049, OPEN, VTR_ELIMIT, "refcount table of 8392704 bytes, at most 8388608" },
	{ 56, 4, 0xffffffff, OPEN, VTR_ELIMIT, "refcount table" },
	{ 60, 4, 0, FINE, 0, "" },
	{ 60, 4, 2000, OPEN, VTR_ETRUNCATED, "snapshot table at 0x8000 with 2000 entries" },
	{ 60, 4, 65537, OPEN, VTR_ELIMIT, "limit snapshots=65536" },
	{ 60, 4, 0xffffffff, OPEN, VTR_ELIMIT, "limit snapshots=65536" },
	{ 64, 8, SNAPS + 8, OPEN, VTR_ECORRUPT, "snapshot table at 0x8008 is not aligned" },
	{ 64, 8, 0, OPEN, VTR_ECORRUPT, "" },
	{ 64, 8, L1, OPEN, VTR_ECORRUPT, "snapshot table at 0x3000 overlaps the L1 table" },
	{ 64, 8, 11 * C, OPEN, VTR_ETRUNCATED, "snapshot table" },
	{ 64, 8, 0xfffffffffffff000, OPEN, VTR_ETRUNCATED, "snapshot table" },
	{ 72, 8, 1 << 2, OPEN, VTR_ECORRUPT, "does not name it" },
	{ 72, 8, 1 << 3, OPEN, VTR_ECORRUPT, "compression type 0 and its feature bit (set) do not agree" },
	{ 72, 8, 1 << 4, OPEN, VTR_ECORRUPT, "subclusters in clusters of 4096 bytes" },
	{ 72, 8, 1 << 5, OPEN, VTR_EUNSUPPORTED, "incompatible feature bit 5" },
	{ 96, 4, 0, FINE, 0, "" },
	{ 96, 4, 6, FINE, 0, "" },
	{ 96, 4, 7, OPEN, VTR_ECORRUPT, "refcount_order 7" },
	{ 100, 4, 0, OPEN, VTR_ECORRUPT, "header_length 0" },
	{ 100, 4, 103, OPEN, VTR_ECORRUPT, "header_length 103" },
	{ 100, 4, 104, FINE, 0, "" },
	{ 100, 4, C, FINE, 0, "" },
	{ 100, 4, C + 1, OPEN, VTR_ECORRUPT, "header_length 4097" },
	{ 100, 4, 0xffffffff, OPEN, VTR_ECORRUPT, "header_length 4294967295" },
	{ 104, 1, 1, OPEN, VTR_ECORRUPT, "compression type 1 and its feature bit (clear)" },
	{ 104, 1, 2, OPEN, VTR_EUNSUPPORTED, "compression type 2" },
	/* header extensions, and the backing file's name */
	{ 112, 8, 0x12345678ffffffff, OPEN, VTR_ECORRUPT, "header extension 0x12345678 at 0x70: 4294967295 bytes" },
	{ 112, 8, 0x1234567800000f89, OPEN, VTR_ECORRUPT, "leave the header cluster" },
	{ 112, 8, 0x1234567800000f88, FINE, 0, "" },
	{ 112, 8, 0xe2792aca00000008, OPEN, VTR_ECORRUPT, "no name" }, /* zeros */
	{ 112, 8, 0xe2792aca00000400, OPEN, VTR_ECORRUPT, "no name" }, /* too long */
	{ 112, 8, 0x6803f85700000f88, FINE, 0, "" },
	{ 112, 8, 0x6803f85700000001, FINE, 0, "" },
	{ 112, 8, 0x2385287500000000, FINE, 0, "" },
	{ 8, 12, 8, OPEN, VTR_ECORRUPT, "backing file name: 16 bytes at 0x8" }, /* within the header's fields */
	{ 8, 12, C - 15, OPEN, VTR_ECORRUPT, "no name in the header cluster" },
	{ 8, 12, 1ull << 62, OPEN, VTR_ECORRUPT, "no name in the header cluster" },
	{ 8, 12, ~0ull, OPEN, VTR_ECORRUPT, "no name in the header cluster" },
	{ 8, 12, 2000, OPEN, VTR_ECORRUPT, "no name in the header cluster" }, /* zeros */
	/* L1 table */
	{ L1, 8, 0, FINE, 0, "" },
	{ L1, 8, L2 + 512, READ, VTR_ECORRUPT, "L2 table 0 at 0x4200 is not aligned to a cluster" },
	{ L1, 8, 11 * C, READ, VTR_ECORRUPT, "L2 table 0 at 0xb000 ends past the end of the file (0xb000)" },
	{ L1, 8, 0x00fffffffffff000, READ, VTR_ECORRUPT, "past the end" },
	{ L1, 8, C, READ, VTR_ECORRUPT, "L2 table 0 at 0x1000 overlaps the refcount table" },
	{ L1, 8, L1, READ, VTR_ECORRUPT, "L2 table 0 at 0x3000 overlaps the L1 table" },
	{ L1, 8, SNAPS, READ, VTR_ECORRUPT, "overlaps the snapshot table" },
	{ L1 + 8, 8, 512, READ, VTR_ECORRUPT, "L2 table 1 at 0x200 is not aligned" },
	/* L2 table */
	{ L2, 8, 5 * C + 512, READ, VTR_ECORRUPT,
	  "L2 table at 0x4000: entry 0 points to 0x5200, which is not aligned" },
	{ L2, 8, 11 * C, READ, VTR_ECORRUPT, "entry 0 points past the end of the file (0xb000 > 0xb000)" },
	{ L2, 8, 0x00fffffffffff000, READ, VTR_ECORRUPT, "entry 0 points past the end" },
	{ L2, 8, 1ull << 63, FINE, 0, "" }, /* offset 0: not there */
	{ L2, 8, C, READ, VTR_ECORRUPT, "entry 0 points into the refcount table" },
	{ L2, 8, L1, READ, VTR_ECORRUPT, "entry 0 points into the L1 table" },
	{ L2, 8, SNAPS, READ, VTR_ECORRUPT, "entry 0 points into the snapshot table" },
	{ L2 + 4088, 8, 11 * C, READ, VTR_ECORRUPT, "entry 511 points past the end" },
	{ L2 + 8, 8, 1ull << 62 | 11 * C, READ, VTR_ECORRUPT, "entry 1 points past the end" },
	{ L2 + 8, 8, 0x7fffffffffffffff, READ, VTR_ECORRUPT, "entry 1 points past the end" },
	{ L2 + 8, 8, 1ull << 62, READ, VTR_ECORRUPT, "entry 1 points into the header" },
	{ L2 + 8, 8, 1ull << 62 | L1, READ, VTR_ECORRUPT, "entry 1 points into the L1 table" },
	{ L2 + 8, 8, 1ull << 62 | 6 * C, READ, VTR_ECORRUPT,
	  "compressed cluster at 0x6000: 512 bytes of deflate" },				       /* too few */
	{ L2 + 8, 8, 0x5c00000000000000 | 5 * C, READ, VTR_ECORRUPT, "compressed cluster at 0x5000" }, /* garbage */
	{ 6 * C, 1, 7, READ, VTR_ECORRUPT, "do not fill a cluster" }, /* a kind of block that is not */
	{ 6 * C + 1, 2, 0, READ, VTR_ECORRUPT, "do not fill a cluster" },
	/* snapshot table */
	{ SNAPS, 8, 9 * C + 8, SNAP, VTR_ECORRUPT, "snapshot's L1 table at 0x9008 is not aligned" },
	{ SNAPS, 8, 0, SNAP, VTR_ECORRUPT, "overlaps the header" },
	{ SNAPS, 8, L1, SNAP, VTR_ECORRUPT, "overlaps the L1 table" },
	{ SNAPS, 8, 11 * C, SNAP, VTR_ETRUNCATED, "past the end" },
	{ SNAPS, 8, 10 * C, SNAP_READ, VTR_ECORRUPT, "L2 table 0" }, /* data as a table */
	{ SNAPS + 8, 4, 1, SNAP, VTR_ECORRUPT, "L1 table of the snapshot: 1 entries" },
	{ SNAPS + 8, 4, 0xffffffff, SNAP, VTR_ELIMIT, "L1 table of the snapshot" },
	{ SNAPS + 12, 2, 0xffff, OPEN, VTR_ETRUNCATED, "snapshot 0 at 0x8000: it leaves the file" },
	{ SNAPS + 14, 2, 0xffff, OPEN, VTR_ETRUNCATED, "leaves the file" },
	{ SNAPS + 12, 2, 0, SNAP, VTR_ENOTFOUND, "no snapshot \"snap\"" }, /* its name is cut off */
	{ SNAPS + 36, 4, 1025, OPEN, VTR_ECORRUPT, "1025 bytes of extra data, at most 1024" },
	{ SNAPS + 36, 4, 0xffffffff, OPEN, VTR_ECORRUPT, "extra data" },
	{ SNAPS + 48, 8, 1ull << 63, OPEN, VTR_ECORRUPT, "disk size 9223372036854775808" },
	{ SNAPS + 48, 8, 1ull << 62, SNAP, VTR_ECORRUPT, "L1 table of the snapshot: 2 entries" },
	{ SNAPS + 48, 8, 0, FINE, 0, "" },
	{ 9 * C, 8, C, SNAP_READ, VTR_ECORRUPT, "overlaps the refcount table" },
	{ 9 * C, 8, 9 * C, SNAP_READ, VTR_ECORRUPT, "overlaps the snapshot's L1 table" },
};

static void read_all(struct qcow2_opened *o)
{
	uint64_t n = vtr_blk_size(o->disk);
	uint8_t *buf = malloc(n + 1);

	assert_non_null(buf);
	o->rc = vtr_blk_pread(o->disk, 0, buf, n, &o->err);
	vtr_blk_unref(o->disk);
	o->disk = NULL;
	free(buf);
}

static void damage_is_named(void **state)
{
	struct vtr_image_options opt = { .format = "qcow2" };
	uint8_t image[QCOW2_BUILD_CLUSTERS * C];

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(damages); i++) {
		struct qcow2_opened o;
		int when = damages[i].when;

		qcow2_build(image, 12);
		if (damages[i].width == 12) {
			qcow2_put(image + 8, 8, damages[i].value);
			qcow2_put(image + 16, 4, 16);
		} else {
			qcow2_put(image + damages[i].at, damages[i].width, damages[i].value);
		}
		opt.snapshot = when == SNAP || when == SNAP_READ ? "snap" : NULL;
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, image, sizeof(image), &opt);
		if (o.rc < 0 && when != OPEN && when != SNAP)
			print_error("row %zu, %#" PRIx64 ": %s\n", i, damages[i].at, o.err.text);
		if (when == READ || when == SNAP_READ || when == FINE) {
			assert_int_equal(0, o.rc);
			read_all(&o);
		}
		if (when == FINE) {
			assert_int_equal(0, o.rc);
			qcow2_expect_said(&o, damages[i].words);
		} else {
			if (o.rc == 0)
				print_error("row %zu, %#" PRIx64 "\n", i, damages[i].at);
			qcow2_expect_error(&o, damages[i].code, damages[i].words);
		}
		qcow2_done(&o);
		/* The same without anybody to tell. */
		if (when == OPEN) {
			VTR_UNREF struct vtr_blk *file = NULL, *disk = NULL;
			struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);

			assert_int_equal(0, vtr_blk_memory(&file, ctx, image, sizeof(image), NULL));
			assert_int_equal(-1, vtr_image_decode(&disk, file, &opt, NULL));
			vtr_ctx_unref(ctx);
		}
	}
}

static void a_header_that_the_file_cuts_is_told(void **state)
{
	struct vtr_image_options opt = { .format = "qcow2", .alone = true };
	uint8_t image[QCOW2_BUILD_CLUSTERS * C];
	struct qcow2_opened o;

	(void)state;
	for (size_t len = 0; len < 105; len++) {
		qcow2_build(image, 12);
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, image, len, &opt);
		qcow2_expect_error(&o, VTR_ETRUNCATED, "header");
		qcow2_put(image + 4, 4, 2); /* whose header is shorter */
		qcow2_open_bytes(&o, image, len, &opt);
		qcow2_expect_error(&o, VTR_ETRUNCATED, len < 72 ? "header" : "L1 table");
		qcow2_done(&o);
	}
	/* A name of 1023 bytes is the longest. */
	for (unsigned n = 1023; n <= 1024; n++) {
		char name[1024];

		qcow2_build(image, 12);
		memset(name, 'n', sizeof(name));
		qcow2_build_backing(image, name, n, "raw");
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, image, sizeof(image), &opt);
		if (n == 1023)
			assert_int_equal(0, o.rc);
		else
			qcow2_expect_error(&o, VTR_ECORRUPT, "backing file name of 1024 bytes, at most 1023");
		qcow2_done(&o);
	}
}

static void a_zero_cluster_in_version_2_is_damage(void **state)
{
	uint8_t image[QCOW2_BUILD_CLUSTERS * 512];
	struct qcow2_opened o;

	(void)state;
	qcow2_build(image, 9);
	qcow2_put(image + 4, 4, 2);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, image, sizeof(image), NULL);
	assert_int_equal(0, o.rc);
	read_all(&o);
	qcow2_expect_error(&o, VTR_ECORRUPT, "entry 2 is a zero cluster in an image of version 2");
	qcow2_done(&o);
}

/* An image of one cluster with subclusters, and its bitmap. */
static void subclusters_that_contradict_themselves_are_damage(void **state)
{
	static const struct {
		uint64_t entry, bitmap;
		const char *words;
	} rows[] = {
		{ 0x14000, 0x0000000100000001, "has subclusters both allocated and zero (0x100000001)" },
		{ 0x14000, 0x8000000080000000, "both allocated and zero" },
		{ 0, 1, "has allocated subclusters (0x1) and no cluster" },
		{ 0, 0x80000000, "and no cluster" },
		{ 0x4000000000014000, 1, "is compressed and has subclusters" },
		{ 0x16000, 1, "not aligned" },
		{ 0x14000, 0xfffffffe00000001, NULL },
		{ 0x14000, 0, NULL },
		{ 0, 0xffffffff00000000, NULL },
	};
	static uint8_t image[6 * 0x4000];

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		struct qcow2_opened o;

		memset(image, 0, sizeof(image));
		qcow2_put(image, 8, 0x514649fb00000003);
		qcow2_put(image + 20, 4, 14);
		qcow2_put(image + 24, 8, 0x4000);
		qcow2_put(image + 36, 4, 1);
		qcow2_put(image + 40, 8, 3 * 0x4000);
		qcow2_put(image + 48, 8, 0x4000);
		qcow2_put(image + 56, 4, 1);
		qcow2_put(image + 72, 8, 1 << 4);
		qcow2_put(image + 96, 4, 4);
		qcow2_put(image + 100, 4, 112);
		qcow2_put(image + 3 * 0x4000, 8, 4 * 0x4000);
		qcow2_put(image + 4 * 0x4000, 8, rows[i].entry);
		qcow2_put(image + 4 * 0x4000 + 8, 8, rows[i].bitmap);
		memset(image + 5 * 0x4000, 0x77, 0x4000);
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, image, sizeof(image), NULL);
		assert_int_equal(0, o.rc);
		if (!rows[i].words) {
			uint8_t expected[0x4000] = { 0 };

			if (rows[i].bitmap & 1)
				memset(expected, 0x77, 512);
			qcow2_expect_bytes(o.disk, expected, sizeof(expected));
		} else {
			read_all(&o);
			qcow2_expect_error(&o, VTR_ECORRUPT, rows[i].words);
		}
		qcow2_done(&o);
	}
}

static void a_cut_image_gives_the_right_bytes_or_an_error(void **state)
{
	uint8_t image[QCOW2_BUILD_CLUSTERS * 512];
	size_t len = qcow2_build(image, 9), good = 0, partial = 0;
	uint8_t *disk = qcow2_build_disk(9), buf[64];

	(void)state;
	for (size_t cut = 0; cut < len; cut += 7) {
		struct vtr_image_options opt = { .format = "qcow2" };
		struct qcow2_opened o;

		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, image, cut, &opt);
		if (o.rc == 0) {
			for (uint64_t off = 0; off + sizeof(buf) <= qcow2_build_size(9); off += sizeof(buf)) {
				uint64_t damage = vtr_ctx_damage(o.ctx);

				if (vtr_blk_pread(o.disk, off, buf, sizeof(buf), NULL) < 0)
					continue;
				/* what the end of the file cuts reads as zeros, and that is said */
				if (vtr_ctx_damage(o.ctx) == damage)
					assert_memory_equal(disk + off, buf, sizeof(buf));
				else
					partial++;
			}
			good++;
		} else {
			assert_true(o.err.code == VTR_ETRUNCATED || o.err.code == VTR_ECORRUPT);
		}
		qcow2_done(&o);
	}
	assert_true(good > 0 && partial > 0);
	free(disk);
}

/* ---------------------------------------------------------------------------------------------------------- threads */

struct reader {
	struct vtr_blk *disk;
	const uint8_t *bytes;
	uint64_t len;
	uint32_t seed;
	bool bad;
};

static void *reader_thread(void *arg)
{
	struct reader *r = arg;
	uint8_t *buf = malloc(300000);

	for (int i = 0; buf && i < 300 && !r->bad; i++) {
		uint64_t off = qcow2_random(&r->seed) % r->len;
		size_t n = qcow2_random(&r->seed) % (i % 8 ? 3000 : 300000) + 1;
		struct vtr_extent e;

		n = (size_t)VTR_MIN((uint64_t)n, r->len - off);
		r->bad = vtr_blk_pread(r->disk, off, buf, n, NULL) < 0 || memcmp(buf, r->bytes + off, n) != 0 ||
			 vtr_blk_extent(&e, r->disk, off, NULL) < 0;
	}
	free(buf);
	return NULL;
}

static void threads_read_one_image(void **state)
{
	struct reader readers[4];
	pthread_t threads[4];
	struct vtr_limits limits;
	struct qcow2_opened o;
	uint8_t *noise;
	size_t len = 3 << 20;
	char *dir;

	(void)state;
	TOOLS_OR_SKIP();
	dir = part_temp();
	noise = malloc(len);
	assert_non_null(noise);
	qcow2_noise(noise, len, 9);
	qcow2_write_file(in(dir, "raw"), noise, len);
	part_run(
		"cd '%s' && qemu-img convert -c -O qcow2 -o cluster_size=16k,compression_type=zstd raw base && "
		"qemu-img create -q -f qcow2 -F qcow2 -b base top 3M && qemu-io -f qcow2 -c 'write -P 1 1M 70000' top >/dev/null",
		dir);
	memset(noise + (1 << 20), 1, 70000);
	vtr_limits_default(&limits);
	limits.threads = 4;
	limits.cache = 256 << 10; /* small: blocks come and go */
	qcow2_start(&o, &limits, true);
	qcow2_open(&o, in(dir, "top"), NULL);
	assert_int_equal(0, o.rc);
	for (unsigned i = 0; i < VTR_COUNT(threads); i++) {
		readers[i] = (struct reader){ .disk = o.disk, .bytes = noise, .len = len, .seed = i + 1 };
		assert_int_equal(0, pthread_create(&threads[i], NULL, reader_thread, &readers[i]));
	}
	for (unsigned i = 0; i < VTR_COUNT(threads); i++) {
		pthread_join(threads[i], NULL);
		assert_false(readers[i].bad);
	}
	qcow2_done(&o);
	free(noise);
	part_temp_done(dir);
}

/* Many images of random options and random writes. Slow. */
static void random_images_are_what_qemu_reads(void **state)
{
	uint32_t x = 20240601;
	char *dir;

	(void)state;
	if (!qcow2_slow()) {
		print_message("set VTR_SLOW=1 for random images\n");
		skip();
	}
	TOOLS_OR_SKIP();
	dir = part_temp();
	for (unsigned i = 0; i < 150; i++) {
		unsigned log2 = 9 + qcow2_random(&x) % 13;
		bool sub = log2 >= 14 && qcow2_random(&x) % 2, backed = qcow2_random(&x) % 2;
		uint64_t c = 1ull << log2, size = VTR_MIN(40 * c, (uint64_t)(24 << 20)) + 512 * (qcow2_random(&x) % 9);
		char cmd[8192] = "";

		part_run("cd '%s' && rm -f base i && yes %u | head -c %" PRIu64 " >base", dir, i, size / 512 * 300);
		part_run("cd '%s' && qemu-img create -q -f qcow2 %s -o cluster_size=%" PRIu64
			 ",compression_type=%s,extended_l2=%s i %" PRIu64,
			 dir, backed ? "-F raw -b base" : "", c, qcow2_random(&x) % 2 ? "zstd" : "zlib",
			 sub ? "on" : "off", size);
		for (unsigned k = 0; k < 25; k++) {
			static const char *const how[] = { "write -P 1",  "write -P 2", "write -z",
							   "write -z -u", "discard",	"write -c -P 3" };
			unsigned kind = k < 5 ? 5 : qcow2_random(&x) % 5;
			uint64_t off = qcow2_random(&x) % (size / 512) * 512;
			uint64_t n = (qcow2_random(&x) % (4 * c) / 512 + 1) * 512;

			n = VTR_MIN(n, size - off);
			if (kind == 5) { /* whole clusters, of which nothing is there yet */
				off = 3 * k * c;
				n = c;
				if (off + n > size)
					continue;
			}
			snprintf(cmd + strlen(cmd), sizeof(cmd) - strlen(cmd), " -c '%s %" PRIu64 " %" PRIu64 "'",
				 how[kind], off, n);
		}
		part_run("qemu-io -f qcow2%s '%s/i' >/dev/null", cmd, dir);
		expect_like_qemu(in(dir, "i"));
	}
	part_temp_done(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cluster_size_is_read),
		cmocka_unit_test(every_refcount_width_is_read),
		cmocka_unit_test(compressed_clusters_are_read),
		cmocka_unit_test(subclusters_are_read),
		cmocka_unit_test(preallocated_images_are_read),
		cmocka_unit_test(bitmaps_are_counted_and_do_no_harm),
		cmocka_unit_test(images_of_no_bytes_and_of_an_exbibyte_open_at_once),
		cmocka_unit_test(odd_sizes_end_where_the_header_says),
		cmocka_unit_test(snapshots_are_disks_of_their_own),
		cmocka_unit_test(the_state_of_a_machine_is_listed),
		cmocka_unit_test(backing_chains_are_read),
		cmocka_unit_test(long_chains_and_cycles_are_refused),
		cmocka_unit_test(the_format_of_a_backing_file_is_what_the_image_says),
		cmocka_unit_test(a_resolver_decides_about_names),
		cmocka_unit_test(names_in_images_open_only_what_is_allowed),
		cmocka_unit_test(data_files_are_read),
		cmocka_unit_test(an_entry_that_moves_within_the_data_file_is_refused),
		cmocka_unit_test(unknown_features_are_refused_by_name),
		cmocka_unit_test(dirty_and_corrupt_are_told),
		cmocka_unit_test(encrypted_images_are_refused_by_name),
		cmocka_unit_test(a_built_image_is_what_qemu_thinks),
		cmocka_unit_test(damage_is_named),
		cmocka_unit_test(a_header_that_the_file_cuts_is_told),
		cmocka_unit_test(a_zero_cluster_in_version_2_is_damage),
		cmocka_unit_test(subclusters_that_contradict_themselves_are_damage),
		cmocka_unit_test(a_cut_image_gives_the_right_bytes_or_an_error),
		cmocka_unit_test(threads_read_one_image),
		cmocka_unit_test(random_images_are_what_qemu_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
