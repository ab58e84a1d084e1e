/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copying disks to files, pipes and qcow2 images, comparing and measuring them: what is made, and what goes wrong. */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/checked.h"
#include "tests/part_images.h"
#include "tests/qcow2_images.h"

#define SIZE ((3u << 20) + 777)

static char path[PATH_MAX];

static const char *in(const char *dir, const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* A disk whose bytes are given, with a place that cannot be read. */
struct source {
	const uint8_t *bytes;
	uint64_t bad;
};

static int source_pread(void *arg, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	const struct source *s = arg;

	if (s->bad >= off && s->bad - off < len)
		return vtr_fail(err, VTR_EIO, "nothing is read at %" PRIu64, s->bad);
	memcpy(buf, s->bytes + off, len);
	return 0;
}

static struct vtr_ctx *ctx_of(uint64_t threads)
{
	struct vtr_limits l;
	struct vtr_ctx *ctx;

	vtr_limits_default(&l);
	l.threads = threads;
	ctx = vtr_ctx_new(&l, NULL);
	assert_non_null(ctx);
	return ctx;
}

static struct vtr_blk *disk_of(struct vtr_ctx *ctx, struct source *s, uint64_t size)
{
	struct vtr_blk_source src = { .pread = source_pread, .arg = s, .size = size };
	struct vtr_blk *b = NULL;

	assert_int_equal(0, vtr_blk_custom(&b, ctx, &src, NULL));
	return b;
}

static int new_file(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void sum_of(char *hex, const uint8_t *bytes, size_t len)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n;

	assert_true(EVP_Digest(bytes, len, md, &n, EVP_sha256(), NULL));
	for (unsigned i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", md[i]);
}

/* Noise with zeros at its beginning, within it, and at its end. */
static uint8_t *disk_bytes(void)
{
	uint8_t *p = malloc(SIZE);

	assert_non_null(p);
	qcow2_noise(p, SIZE, 3);
	memset(p, 0, 200000);
	memset(p + 1000000, 0, 400001);
	memset(p + SIZE - 5000, 0, 5000);
	return p;
}

static void what_is_written_is_the_disk(void **state)
{
	static const struct vtr_export_options how[] = {
		{ 0 },
		{ .format = "raw" },
		{ .format = "qcow2" },
		{ .format = "qcow2", .compression = "zlib" },
		{ .format = "qcow2", .compression = "zstd", .level = 1 },
		{ .format = "qcow2", .compression = "zlib", .level = 9, .cluster_size = 512 },
		{ .format = "qcow2", .cluster_size = 1024 },
		{ .format = "qcow2", .compression = "zstd", .cluster_size = 2 << 20 },
	};
	uint8_t *bytes = disk_bytes(), *padded = calloc(1, SIZE + 512);
	struct source s = { bytes, UINT64_MAX };
	char *dir = part_temp(), want[65], got[65];

	(void)state;
	assert_non_null(padded);
	memcpy(padded, bytes, SIZE);
	sum_of(want, bytes, SIZE);
	for (size_t i = 0; i < 3 * VTR_COUNT(how); i++) {
		const struct vtr_export_options *h = &how[i / 3];
		bool qcow2 = h->format && strcmp(h->format, "qcow2") == 0;
		struct vtr_ctx *ctx = ctx_of(i % 3 + 1);
		struct vtr_blk *b = disk_of(ctx, &s, SIZE);
		struct qcow2_opened o;
		int fd = new_file(in(dir, "out"));

		assert_int_equal(0, vtr_blk_export(got, b, fd, h, NULL));
		assert_string_equal(want, got);
		close(fd);
		qcow2_open_good(&o, path, NULL);
		assert_string_equal(qcow2 ? "qcow2" : "raw", vtr_image_info(o.disk)->format);
		qcow2_expect_bytes(o.disk, padded, qcow2 ? (SIZE + 511) / 512 * 512 : SIZE);
		qcow2_expect_quiet(&o);
		qcow2_done(&o);
		vtr_blk_unref(b);
		vtr_ctx_unref(ctx);
	}
	free(bytes);
	free(padded);
	part_temp_done(dir);
}

static void what_cannot_be_asked_for_is_refused(void **state)
{
	static const struct {
		struct vtr_export_options how;
		int code;
		const char *words;
	} cases[] = {
		{ { .format = "vmdk" }, VTR_EUSAGE, "written are raw and qcow2" },
		{ { .compression = "zlib" }, VTR_EUSAGE, "no compression" },
		{ { .cluster_size = 65536 }, VTR_EUSAGE, "no clusters" },
		{ { .format = "qcow2", .compression = "lzo" }, VTR_EUSAGE, "qcow2 has zlib and zstd" },
		{ { .format = "qcow2", .level = 1 }, VTR_EUSAGE, "compression level 1" },
		{ { .format = "qcow2", .compression = "zlib", .level = 10 }, VTR_EUSAGE, "zlib has 1 to 9" },
		{ { .format = "qcow2", .compression = "zstd", .level = -1 }, VTR_EUSAGE, "compression level -1" },
		{ { .format = "qcow2", .cluster_size = 256 }, VTR_EUSAGE, "a power of two" },
		{ { .format = "qcow2", .cluster_size = 4 << 20 }, VTR_EUSAGE, "a power of two" },
		{ { .format = "qcow2", .cluster_size = 3072 }, VTR_EUSAGE, "a power of two" },
		{ { .format = "qcow2", .cluster_size = UINT64_MAX }, VTR_EUSAGE, "a power of two" },
	};
	struct source s = { (const uint8_t *)"", UINT64_MAX };
	struct vtr_ctx *ctx = ctx_of(2);
	struct vtr_blk *b = disk_of(ctx, &s, 0), *large = disk_of(ctx, &s, 1ull << 50);
	struct vtr_export_options qcow2 = { .format = "qcow2", .cluster_size = 512 };
	char *dir = part_temp();
	struct vtr_error err;
	int fd = new_file(in(dir, "out")), ends[2];

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		assert_int_equal(-1, vtr_blk_export(NULL, b, fd, &cases[i].how, &err));
		assert_int_equal(cases[i].code, err.code);
		assert_non_null(strstr(err.text, cases[i].words));
	}
	assert_int_equal(-1, vtr_blk_export(NULL, large, fd, &qcow2, &err));
	assert_int_equal(VTR_ELIMIT, err.code);
	assert_int_equal(0, lseek(fd, 0, SEEK_END));
	assert_int_equal(1, write(fd, "x", 1));
	assert_int_equal(-1, vtr_blk_export(NULL, b, fd, &qcow2, &err));
	assert_non_null(strstr(err.text, "an empty file"));
	assert_int_equal(0, pipe(ends));
	assert_int_equal(-1, vtr_blk_export(NULL, b, ends[1], &qcow2, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	close(ends[0]);
	close(ends[1]);
	close(fd);
	vtr_blk_unref(b);
	vtr_blk_unref(large);
	vtr_ctx_unref(ctx);
	part_temp_done(dir);
}

static int stop(void *arg, uint64_t done, uint64_t total)
{
	assert_true(done <= total);
	return --*(int *)arg == 0;
}

static void what_fails_on_the_way_is_told(void **state)
{
	static const char *const formats[] = { "raw", "qcow2" };
	uint8_t *bytes = disk_bytes();
	struct source s = { bytes, SIZE - 6000 };
	struct vtr_ctx *ctx = ctx_of(2), *cancelled = ctx_of(2);
	struct vtr_blk *b = disk_of(ctx, &s, SIZE), *c = disk_of(cancelled, &s, SIZE);
	char *dir = part_temp(), sum[65];
	struct vtr_error err;
	uint64_t first;

	(void)state;
	vtr_ctx_cancel(cancelled);
	for (size_t i = 0; i < VTR_COUNT(formats); i++) {
		int rounds = 1, fd = new_file(in(dir, "out")), ro;
		struct vtr_export_options how = { .format = formats[i] };

		s.bad = SIZE - 6000;
		assert_int_equal(-1, vtr_blk_export(sum, b, fd, &how, &err));
		assert_int_equal(VTR_EIO, err.code);
		assert_non_null(strstr(err.text, "nothing is read at"));
		close(fd);
		s.bad = UINT64_MAX;
		fd = new_file(path);
		assert_int_equal(-1, vtr_blk_export(sum, c, fd, &how, &err));
		assert_int_equal(VTR_ECANCELLED, err.code);
		how.progress = stop;
		how.arg = &rounds;
		assert_int_equal(-1, vtr_blk_export(sum, b, fd, &how, &err));
		assert_int_equal(VTR_ECANCELLED, err.code);
		close(fd);
		close(new_file(path));
		ro = open(path, O_RDONLY | O_CLOEXEC);
		how.progress = NULL;
		assert_int_equal(-1, vtr_blk_export(sum, b, ro, &how, &err));
		assert_int_equal(VTR_EIO, err.code);
		assert_non_null(strstr(err.text, "writing"));
		close(ro);
	}
	assert_int_equal(-1, vtr_blk_compare(&first, c, b, NULL, NULL, &err));
	assert_int_equal(VTR_ECANCELLED, err.code);
	vtr_blk_unref(b);
	vtr_blk_unref(c);
	vtr_ctx_unref(ctx);
	vtr_ctx_unref(cancelled);
	free(bytes);
	part_temp_done(dir);
}

/* Units that are larger than what one thread takes at a time. */
static void what_is_compressed_is_decoded_once(void **state)
{
	uint8_t *bytes = disk_bytes();
	struct source s = { bytes, UINT64_MAX };
	struct vtr_ctx *ctx = ctx_of(2);
	struct vtr_blk *b = disk_of(ctx, &s, SIZE);
	struct vtr_export_options how = { .format = "qcow2", .compression = "zstd", .cluster_size = 1 << 20 };
	char *dir = part_temp();
	int fd = new_file(in(dir, "packed")), out = new_file(in(dir, "out"));
	uint64_t before, once, first;
	struct qcow2_opened o;

	(void)state;
	qcow2_noise(bytes, SIZE, 8);
	for (size_t i = 0; i < SIZE; i++) /* so that it becomes half as large */
		bytes[i] &= 15;
	assert_int_equal(0, vtr_blk_export(NULL, b, fd, &how, NULL));
	close(fd);
	qcow2_open_good(&o, in(dir, "packed"), NULL);
	/* Read in one go, each unit is decoded into place. */
	before = vtr_ctx_bytes_read(o.ctx);
	assert_int_equal(0, vtr_blk_pread(o.disk, 0, bytes, SIZE, NULL));
	once = vtr_ctx_bytes_read(o.ctx) - before;
	before = vtr_ctx_bytes_read(o.ctx);
	assert_int_equal(0, vtr_blk_copy(o.disk, out, NULL, NULL, NULL));
	assert_in_range(vtr_ctx_bytes_read(o.ctx) - before, 1, once + 65536);
	before = vtr_ctx_bytes_read(o.ctx);
	assert_int_equal(0, vtr_blk_compare(&first, b, o.disk, NULL, NULL, NULL));
	assert_in_range(vtr_ctx_bytes_read(o.ctx) - before, 1, once + 65536);
	close(out);
	qcow2_done(&o);
	vtr_blk_unref(b);
	vtr_ctx_unref(ctx);
	free(bytes);
	part_temp_done(dir);
}

static void the_first_difference_is_found(void **state)
{
	static const uint32_t at[] = { 0, 1, 4095, 4096, 131071, 131072, 200000, 1000000, 2097152, SIZE - 1 };
	uint8_t *bytes = disk_bytes(), *other = disk_bytes();
	struct source a = { bytes, UINT64_MAX }, b = { other, UINT64_MAX };
	struct vtr_ctx *ctx = ctx_of(3);
	struct vtr_blk *x = disk_of(ctx, &a, SIZE), *y = disk_of(ctx, &b, SIZE), *cut = disk_of(ctx, &b, SIZE - 5000),
		       *more = disk_of(ctx, &b, SIZE - 5001), *none = disk_of(ctx, &b, 0);
	struct vtr_error err;
	uint64_t first = 99;

	(void)state;
	assert_int_equal(0, vtr_blk_compare(&first, x, y, NULL, NULL, NULL));
	assert_int_equal(0, vtr_blk_compare(&first, x, cut, NULL, NULL, NULL));
	assert_int_equal(0, vtr_blk_compare(&first, cut, x, NULL, NULL, NULL));
	assert_int_equal(0, vtr_blk_compare(&first, none, none, NULL, NULL, NULL));
	assert_int_equal(99, first);
	if (bytes[SIZE - 5001] != 0) {
		assert_int_equal(1, vtr_blk_compare(&first, x, more, NULL, NULL, NULL));
		assert_int_equal(SIZE - 5001, first);
	}
	for (size_t i = VTR_COUNT(at); i-- > 0;) {
		other[at[i]] ^= 1;
		assert_int_equal(1, vtr_blk_compare(&first, x, y, NULL, NULL, NULL));
		assert_int_equal(at[i], first);
		assert_int_equal(1, vtr_blk_compare(&first, y, x, NULL, NULL, NULL));
		assert_int_equal(at[i], first);
	}
	a.bad = 5;
	assert_int_equal(-1, vtr_blk_compare(&first, y, x, NULL, NULL, &err));
	assert_int_equal(VTR_EIO, err.code);
	vtr_blk_unref(x);
	vtr_blk_unref(y);
	vtr_blk_unref(cut);
	vtr_blk_unref(more);
	vtr_blk_unref(none);
	vtr_ctx_unref(ctx);
	free(bytes);
	free(other);
}

static void images_are_measured(void **state)
{
	uint8_t image[QCOW2_BUILD_CLUSTERS << 12];
	struct vtr_image_usage u;
	struct vtr_image_sign sign;
	struct qcow2_opened o;
	struct vtr_blk *part = NULL;
	struct vtr_error err;
	char *dir = part_temp();

	(void)state;
	/* Guest clusters 0 and 3 are data, 1 is compressed, 2 is zero. */
	qcow2_write_file(in(dir, "i"), image, qcow2_build(image, 12));
	qcow2_open_good(&o, path, NULL);
	assert_int_equal(0, vtr_image_measure(&u, o.disk, 0, NULL));
	assert_true(u.whole);
	assert_int_equal(vtr_blk_size(o.disk), u.data + u.zero + u.absent);
	assert_int_equal(3 * 4096, u.data);
	assert_int_equal(4096, u.zero);
	assert_int_equal(4096, u.compressed);
	assert_int_equal(2 * 4096, u.plain);
	assert_int_equal(0, u.unaligned);
	assert_int_equal(2, u.blocks);
	assert_int_equal(2, u.fragments); /* host clusters 5 and 10 */
	assert_int_equal(0, vtr_image_measure(&u, o.disk, 2, NULL));
	assert_false(u.whole);
	assert_int_equal(2, u.extents);
	assert_int_equal(0, vtr_blk_slice(&part, o.disk, 0, 512, NULL));
	assert_int_equal(-1, vtr_image_measure(&u, part, 0, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	vtr_blk_unref(part);
	assert_int_equal(0, vtr_image_recognise(&sign, o.ctx, path, NULL));
	assert_string_equal("qcow2", sign.format);
	assert_true(sign.read);
	qcow2_write_file(in(dir, "b"), "Bochs Virtual HD Image", 22);
	assert_int_equal(0, vtr_image_recognise(&sign, o.ctx, path, NULL));
	assert_string_equal("bochs", sign.format);
	assert_false(sign.read);
	assert_int_equal(22, sign.file_size);
	assert_int_equal(-1, vtr_image_recognise(&sign, o.ctx, in(dir, "nosuch"), &err));
	assert_int_equal(VTR_ENOTFOUND, err.code);
	qcow2_done(&o);
	part_temp_done(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_the_disk),	 cmocka_unit_test(what_cannot_be_asked_for_is_refused),
		cmocka_unit_test(what_fails_on_the_way_is_told), cmocka_unit_test(what_is_compressed_is_decoded_once),
		cmocka_unit_test(the_first_difference_is_found), cmocka_unit_test(images_are_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
