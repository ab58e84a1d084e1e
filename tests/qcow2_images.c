/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/qcow2_images.h"

#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/part_images.h"

static void qcow2_warning(void *arg, const struct vtr_error *w)
{
	struct qcow2_opened *o = arg;
	size_t at = strlen(o->said);

	snprintf(o->said + at, sizeof(o->said) - at, "%s: %s\n", w->code ? vtr_code_name(w->code) : "note", w->text);
}

void qcow2_start(struct qcow2_opened *o, const struct vtr_limits *limits, bool follow)
{
	memset(o, 0, sizeof(*o));
	o->ctx = vtr_ctx_new(limits, NULL);
	assert_non_null(o->ctx);
	vtr_ctx_on_warning(o->ctx, qcow2_warning, o);
	vtr_ctx_follow(o->ctx, follow);
}

void qcow2_open(struct qcow2_opened *o, const char *path, const struct vtr_image_options *opt)
{
	o->rc = vtr_image_open(&o->disk, o->ctx, path, opt, &o->err);
	assert_true(o->rc == 0 ? o->disk != NULL : o->disk == NULL);
}

void qcow2_open_bytes(struct qcow2_opened *o, const void *bytes, size_t len, const struct vtr_image_options *opt)
{
	VTR_UNREF struct vtr_blk *file = NULL;

	assert_int_equal(0, vtr_blk_memory(&file, o->ctx, bytes, len, NULL));
	o->rc = vtr_image_decode(&o->disk, file, opt, &o->err);
	assert_true(o->rc == 0 ? o->disk != NULL : o->disk == NULL);
}

void qcow2_done(struct qcow2_opened *o)
{
	vtr_blk_unref(o->disk);
	vtr_ctx_unref(o->ctx);
	memset(o, 0, sizeof(*o));
}

void qcow2_open_good(struct qcow2_opened *o, const char *path, const struct vtr_image_options *opt)
{
	qcow2_start(o, NULL, true);
	qcow2_open(o, path, opt);
	if (o->rc < 0)
		print_error("%s\n", o->err.text);
	assert_int_equal(0, o->rc);
}

static int qcow2_counted_pread(void *arg, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct qcow2_reads *reads = arg;

	(void)err;
	__atomic_add_fetch(&reads->calls, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&reads->bytes, len, __ATOMIC_RELAXED);
	return pread(reads->fd, buf, len, (off_t)off) == (ssize_t)len ? 0 : -1;
}

static void qcow2_counted_close(void *arg)
{
	close(((struct qcow2_reads *)arg)->fd);
}

void qcow2_open_counted(struct qcow2_opened *o, struct qcow2_reads *reads, const char *path)
{
	struct vtr_blk_source src = { .pread = qcow2_counted_pread, .close = qcow2_counted_close, .arg = reads };
	VTR_UNREF struct vtr_blk *file = NULL;

	*reads = (struct qcow2_reads){ .fd = open(path, O_RDONLY | O_CLOEXEC) };
	assert_true(reads->fd >= 0);
	src.size = (uint64_t)lseek(reads->fd, 0, SEEK_END);
	qcow2_start(o, NULL, false);
	assert_int_equal(0, vtr_blk_custom(&file, o->ctx, &src, NULL));
	o->rc = vtr_image_decode(&o->disk, file, NULL, &o->err);
	if (o->rc < 0)
		print_error("%s\n", o->err.text);
	assert_int_equal(0, o->rc);
}

size_t qcow2_heap(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

void qcow2_expect_sparse(const char *path, uint64_t size, uint64_t off, uint8_t value, uint64_t stored)
{
	size_t heap = qcow2_heap();
	struct qcow2_reads reads;
	struct qcow2_opened o;
	struct vtr_extent e;
	uint64_t data = 0;
	uint8_t byte = 0;

	qcow2_open_counted(&o, &reads, path);
	assert_true(vtr_blk_size(o.disk) == size);
	assert_in_range(reads.bytes, 1, 1 << 20);
	assert_int_equal(0, vtr_blk_pread(o.disk, off, &byte, 1, NULL));
	assert_int_equal(value, byte);
	for (uint64_t at = 0; at < size; at += e.len) {
		assert_int_equal(0, vtr_blk_extent(&e, o.disk, at, NULL));
		data += e.kind == VTR_EXTENT_DATA ? e.len : 0;
	}
	assert_int_equal(stored, data);
	assert_true(qcow2_heap() < heap + (16 << 20));
	qcow2_done(&o);
}

static void qcow2_expect_words(const char *text, const char *words)
{
	if (!strstr(text, words)) {
		print_error("\"%s\" is not in: %s\n", words, text);
		fail();
	}
}

void qcow2_expect_error(const struct qcow2_opened *o, int code, const char *words)
{
	if (o->rc == 0)
		print_error("opened, and should not: %s: %s\n", vtr_code_name(code), words);
	assert_int_equal(-1, o->rc);
	assert_null(o->disk);
	qcow2_expect_words(o->err.text, words);
	if (code != o->err.code)
		print_error("%s\n", o->err.text);
	assert_string_equal(vtr_code_name(code), vtr_code_name(o->err.code));
}

void qcow2_expect_said(const struct qcow2_opened *o, const char *words)
{
	qcow2_expect_words(o->said, words);
}

void qcow2_expect_quiet(const struct qcow2_opened *o)
{
	assert_string_equal("", o->said);
}

uint32_t qcow2_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

void qcow2_noise(uint8_t *p, size_t len, uint32_t seed)
{
	static const char text[] = "Two households, both alike in dignity, in fair Verona. ";
	uint32_t x = seed * 2654435761u | 1;

	for (size_t at = 0; at < len;) {
		uint32_t kind = qcow2_random(&x) % 3;
		size_t n = qcow2_random(&x) % 20000 + 1;

		n = VTR_MIN(n, len - at);
		for (size_t i = 0; i < n; i++)
			p[at + i] = kind == 0	? 0
				    : kind == 1 ? (uint8_t)text[(at + i) % (sizeof(text) - 1)]
						: (uint8_t)(qcow2_random(&x) >> 8);
		at += n;
	}
}

/* ------------------------------------------------------------------------------------------------------- comparing */

static void qcow2_same(const uint8_t *expected, const uint8_t *got, uint64_t off, size_t len)
{
	if (memcmp(expected, got, len) == 0)
		return;
	for (size_t i = 0; i < len; i++) {
		if (expected[i] != got[i]) {
			print_error("byte %#" PRIx64 ": %#x, expected %#x\n", off + i, got[i], expected[i]);
			fail();
		}
	}
}

static void qcow2_expect_piece(struct vtr_blk *disk, const uint8_t *bytes, uint8_t *buf, uint64_t off, size_t len)
{
	struct vtr_error err = { 0 };

	memset(buf, 0xa5, len);
	if (vtr_blk_pread(disk, off, buf, len, &err) < 0)
		fail_msg("%zu bytes at %#" PRIx64 ": %s", len, off, err.text);
	qcow2_same(bytes + off, buf, off, len);
}

void qcow2_expect_bytes(struct vtr_blk *disk, const uint8_t *bytes, uint64_t len)
{
	static const size_t most[] = { 16, 1000, 70000, 3000000 };
	uint8_t *buf = malloc(len + 1);
	struct vtr_error err = { 0 };
	uint32_t x = 12345;

	assert_non_null(buf);
	assert_int_equal(len, vtr_blk_size(disk));
	qcow2_expect_piece(disk, bytes, buf, 0, len);
	for (unsigned i = 0; i < 200 && len > 0; i++) {
		uint64_t off = (((uint64_t)qcow2_random(&x) << 32) | qcow2_random(&x)) % len;
		size_t n = qcow2_random(&x) % most[i % VTR_COUNT(most)] + 1;

		if (i % 3 == 0)
			off &= ~511ull;
		qcow2_expect_piece(disk, bytes, buf, off, (size_t)VTR_MIN((uint64_t)n, len - off));
	}
	for (uint64_t off = 0; off < len;) {
		struct vtr_extent e = { 0 };

		if (vtr_blk_extent(&e, disk, off, &err) < 0)
			fail_msg("extent at %#" PRIx64 ": %s", off, err.text);
		assert_in_range(e.len, 1, len - off);
		if (e.kind != VTR_EXTENT_DATA)
			for (uint64_t i = 0; i < e.len; i++)
				assert_int_equal(0, bytes[off + i]);
		off += e.len;
	}
	assert_int_equal(-1, vtr_blk_pread(disk, len, buf, 1, &err));
	assert_int_equal(VTR_ETRUNCATED, err.code);
	assert_int_equal(0, vtr_blk_pread(disk, len, buf, 0, &err));
	free(buf);
}

static bool qcow2_map_flag(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at && strncmp(at + strlen(key), " true", 5) == 0;
}

static uint64_t qcow2_map_number(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	assert_non_null(at);
	return strtoull(at + strlen(key), NULL, 10);
}

/* Extents against qemu-img map --output=json: a line for each range that is alike. */
static void qcow2_expect_map(struct vtr_blk *disk, const char *map)
{
	uint64_t off = 0;
	char *line = NULL;
	size_t cap = 0;
	FILE *f = fopen(map, "r");

	assert_non_null(f);
	while (getline(&line, &cap, f) > 0) {
		bool data = qcow2_map_flag(line, "\"data\":"), present = qcow2_map_flag(line, "\"present\":");
		uint64_t start, len, end, depth;

		if (!strstr(line, "\"start\":"))
			continue;
		start = qcow2_map_number(line, "\"start\":");
		len = qcow2_map_number(line, "\"length\":");
		depth = qcow2_map_number(line, "\"depth\":");
		assert_int_equal(off, start);
		end = VTR_MIN(start + len, vtr_blk_size(disk));
		while (off < end) {
			struct vtr_extent e = { 0 };

			assert_int_equal(0, vtr_blk_extent(&e, disk, off, NULL));
			if ((e.kind == VTR_EXTENT_DATA) != data || (e.kind == VTR_EXTENT_ZERO && !present) ||
			    ((data || e.kind == VTR_EXTENT_ZERO) && e.depth != depth))
				fail_msg("at %#" PRIx64 " kind %d depth %u; qemu-img: %s", off, e.kind, e.depth, line);
			if (e.has_host_off && strstr(line, "\"offset\":"))
				assert_int_equal(qcow2_map_number(line, "\"offset\":") + (off - start), e.host_off);
			else if (data)
				assert_true(e.compressed && !e.has_host_off);
			off += e.len;
		}
		off = end;
	}
	assert_int_equal(off, vtr_blk_size(disk));
	free(line);
	fclose(f);
}

void qcow2_expect_qemu(struct vtr_blk *disk, const char *path, const char *more)
{
	char *dir = part_temp();
	char raw[300], map[300];
	uint8_t *bytes;
	uint64_t len;

	snprintf(raw, sizeof(raw), "%s/raw", dir);
	snprintf(map, sizeof(map), "%s/map", dir);
	part_run("qemu-img convert -O raw %s '%s' '%s'", more, path, raw);
	bytes = qcow2_file(raw, &len);
	qcow2_expect_bytes(disk, bytes, len);
	free(bytes);
	if (more[0] == 0) {
		part_run("qemu-img map --output=json '%s' >'%s'", path, map);
		qcow2_expect_map(disk, map);
	}
	part_temp_done(dir);
}

/* ------------------------------------------------------------------------------------------------------------ files */

uint8_t *qcow2_file(const char *path, uint64_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p;
	long n;

	assert_non_null(f);
	assert_int_equal(0, fseek(f, 0, SEEK_END));
	n = ftell(f);
	assert_true(n >= 0);
	p = malloc((size_t)n + 1);
	assert_non_null(p);
	rewind(f);
	assert_int_equal(n, fread(p, 1, (size_t)n, f));
	fclose(f);
	*len = (uint64_t)n;
	return p;
}

void qcow2_write_file(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(len, fwrite(bytes, 1, len, f));
	assert_int_equal(0, fclose(f));
}

void qcow2_put(uint8_t *p, unsigned width, uint64_t value)
{
	for (unsigned i = 0; i < width; i++)
		p[i] = (uint8_t)(value >> 8 * (width - 1 - i));
}

void qcow2_patch(const char *path, uint64_t at, unsigned width, uint64_t value)
{
	uint8_t bytes[8];
	FILE *f = fopen(path, "r+b");

	assert_non_null(f);
	qcow2_put(bytes, width, value);
	assert_int_equal(0, fseek(f, (long)at, SEEK_SET));
	assert_int_equal(width, fwrite(bytes, 1, width, f));
	assert_int_equal(0, fclose(f));
}

bool qcow2_has_tools(void)
{
	return part_has_tool("qemu-img") && part_has_tool("qemu-io");
}

bool qcow2_slow(void)
{
	const char *slow = getenv("VTR_SLOW");

	return slow && slow[0] && strcmp(slow, "0") != 0;
}

/* --------------------------------------------------------------------------------------------------------- building */

uint64_t qcow2_build_size(unsigned cluster_log2)
{
	return (1ull << (2 * cluster_log2 - 3)) + QCOW2_BUILD_TAIL;
}

static void qcow2_build_data(uint8_t *disk, size_t cluster)
{
	qcow2_noise(disk, cluster, 1);
	for (size_t i = 0; i < cluster; i++)
		disk[cluster + i] = (uint8_t)('a' + i % 26);
	qcow2_noise(disk + 3 * cluster, cluster, 3);
	memset(disk + 3 * cluster, 0x33, 100);
}

uint8_t *qcow2_build_disk(unsigned cluster_log2)
{
	uint8_t *disk = calloc(1, qcow2_build_size(cluster_log2));

	assert_non_null(disk);
	qcow2_build_data(disk, (size_t)1 << cluster_log2);
	return disk;
}

size_t qcow2_build(uint8_t *out, unsigned cluster_log2)
{
	size_t cluster = (size_t)1 << cluster_log2;
	uint8_t *disk = qcow2_build_disk(cluster_log2), *p;

	memset(out, 0, QCOW2_BUILD_CLUSTERS * cluster);
	qcow2_put(out, 4, 0x514649fb);
	qcow2_put(out + 4, 4, 3);
	qcow2_put(out + 20, 4, cluster_log2);
	qcow2_put(out + 24, 8, qcow2_build_size(cluster_log2));
	qcow2_put(out + 36, 4, 2);
	qcow2_put(out + 40, 8, 3 * cluster);
	qcow2_put(out + 48, 8, 1 * cluster);
	qcow2_put(out + 56, 4, 1);
	qcow2_put(out + 60, 4, 1);
	qcow2_put(out + 64, 8, 8 * cluster);
	qcow2_put(out + 96, 4, 4);
	qcow2_put(out + 100, 4, QCOW2_BUILD_EXTENSIONS);
	/* refcounts of 16 bits: one for each cluster, two for what the snapshot shares */
	qcow2_put(out + cluster, 8, 2 * cluster);
	for (unsigned i = 0; i < QCOW2_BUILD_CLUSTERS; i++)
		qcow2_put(out + 2 * cluster + 2 * i, 2, (i >= 4 && i <= 7) || i == 10 ? 2 : 1);
	qcow2_put(out + 3 * cluster, 8, 4 * cluster);
	p = out + 4 * cluster;
	qcow2_put(p, 8, 5 * cluster);
	/* compressed: bits 62-(cluster_bits-8) and up hold the sectors after the first */
	qcow2_put(p + 8, 8, 1ull << 62 | (uint64_t)(cluster / 512) << (62 - (cluster_log2 - 8)) | 6 * cluster);
	qcow2_put(p + 16, 8, 1);
	qcow2_put(p + 24, 8, 10 * cluster);
	memcpy(out + 5 * cluster, disk, cluster);
	/* RFC 1951: a last, stored block: 1, length, its complement, the bytes */
	p = out + 6 * cluster;
	p[0] = 1;
	p[1] = (uint8_t)cluster, p[2] = (uint8_t)(cluster >> 8);
	p[3] = (uint8_t)~cluster, p[4] = (uint8_t)(~cluster >> 8);
	memcpy(p + 5, disk + cluster, cluster);
	p = out + 8 * cluster;
	qcow2_put(p, 8, 9 * cluster);
	qcow2_put(p + 8, 4, 2);
	qcow2_put(p + 12, 2, 1);
	qcow2_put(p + 14, 2, 4);
	qcow2_put(p + 16, 4, 1700000000);
	qcow2_put(p + 20, 4, 5);
	qcow2_put(p + 24, 8, 77);
	qcow2_put(p + 36, 4, 16);
	qcow2_put(p + 48, 8, qcow2_build_size(cluster_log2));
	memcpy(p + 56, "7snap", 5);
	qcow2_put(out + 9 * cluster, 8, 4 * cluster);
	memcpy(out + 10 * cluster, disk + 3 * cluster, cluster);
	free(disk);
	return QCOW2_BUILD_CLUSTERS * cluster;
}

void qcow2_build_backing(uint8_t *image, const char *name, size_t len, const char *format)
{
	uint8_t *p = image + QCOW2_BUILD_EXTENSIONS;

	if (format) {
		size_t n = strlen(format);

		qcow2_put(p, 4, 0xe2792aca);
		qcow2_put(p + 4, 4, n);
		memcpy(p + 8, format, n);
		p += 8 + (n + 7) / 8 * 8;
	}
	qcow2_put(p, 8, 0);
	p += 8;
	qcow2_put(image + 8, 8, (uint64_t)(p - image));
	qcow2_put(image + 16, 4, len);
	memcpy(p, name, len);
}
