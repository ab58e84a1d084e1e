/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compressed files whose content is an image: as gzip, bzip2, xz and zstd write them, and put together by hand. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/packed_images.h"
#include "tests/part_images.h"

static const char *const hows[] = { "gzip",   "gzip-one", "bzip2",    "bzip2-one", "xz",
				    "xz-one", "zstd",	  "zstd-one", "zstd-open" };

static const struct vtr_prop *prop(const struct vtr_image_info *info, const char *key)
{
	for (size_t i = 0; i < info->n_props; i++)
		if (strcmp(info->props[i].key, key) == 0)
			return &info->props[i];
	fail_msg("no fact %s", key);
	return NULL;
}

static void members_streams_and_frames_are_one_image(void **state)
{
	(void)state;
	for (size_t k = 0; k < VTR_COUNT(hows); k++) {
		const struct vtr_image_info *info;
		struct packed_image i;
		struct qcow2_opened o;

		packed_stream(&i, hows[k]);
		packed_expect_good(&i, "raw");
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
		info = vtr_image_info(o.disk)->outer;
		assert_non_null(info);
		assert_memory_equal(info->format, hows[k], strlen(info->format));
		assert_int_equal(PACKED_STREAM, prop(info, "content_size")->number);
		/* Several units of known and modest size stay in the cache. */
		assert_int_equal(strcmp(hows[k], "xz") != 0 && strcmp(hows[k], "zstd") != 0,
				 prop(info, "spooled")->number);
		assert_int_equal(i.image.len, info->file_size);
		qcow2_done(&o);
		packed_image_done(&i);
	}
}

/* Zeros behind the last member are padding (tapes have them); anything else is left aside, as the tools do. */
static void what_follows_the_end(void **state)
{
	static const struct {
		const char *how, *bytes;
		size_t len;
		int code; /* VTR_OK: read, and said these words */
		const char *words;
	} tails[] = {
		{ "gzip", "\0\0\0\0\0", 5, VTR_OK, "" },
		{ "gzip", "\0\0xx", 4, VTR_OK, "gzip: what follows the last member" },
		{ "gzip", "x", 1, VTR_OK, "gzip: what follows the last member" },
		{ "gzip", "\x1f\x8b\x08", 3, VTR_ETRUNCATED, "gzip: the compressed bytes end at" },
		{ "bzip2", "garbage", 7, VTR_OK, "bzip2: what follows the last stream" },
		{ "bzip2", "B", 1, VTR_OK, "bzip2: what follows the last stream" },
		{ "bzip2", "BZh9", 4, VTR_ETRUNCATED, "bzip2: the compressed bytes end at" },
		{ "xz", "\0\0\0\0", 4, VTR_OK, "" },
		{ "xz", "\0\0", 2, VTR_ECORRUPT, "xz: the index near" },
		{ "xz", "xxxxxxxxxxxx", 12, VTR_ECORRUPT, "xz: the index near" },
		{ "zstd", "\x50\x2a\x4d\x18\0\0\0\0", 8, VTR_OK, "" },
		{ "zstd", "\x50\x2a\x4d\x18\1\0\0\0", 8, VTR_ETRUNCATED, "zstd: the skippable frame at" },
		{ "zstd", "\0\0\0\0", 4, VTR_ECORRUPT, "zstd: no frame at" },
		{ "zstd-open", "\0\0\0\0", 4, VTR_ECORRUPT, "zstd: near" },
	};

	(void)state;
	for (size_t k = 0; k < VTR_COUNT(tails); k++) {
		struct packed_image i;
		struct qcow2_opened o;

		packed_stream(&i, tails[k].how);
		packed_bytes(&i.image, tails[k].bytes, tails[k].len);
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
		if (tails[k].code != VTR_OK) {
			qcow2_expect_error(&o, tails[k].code, tails[k].words);
		} else {
			if (o.rc < 0)
				print_error("%s\n", o.err.text);
			assert_int_equal(0, o.rc);
			qcow2_expect_bytes(o.disk, i.disk.p, i.disk.len);
			if (tails[k].words[0])
				qcow2_expect_said(&o, tails[k].words);
			else
				qcow2_expect_quiet(&o);
		}
		qcow2_done(&o);
		packed_image_done(&i);
	}
}

/* Bytes counted from the end where negative. */
static const struct {
	const char *how;
	long at;
	uint8_t change;
	int code;
	const char *words;
} damages[] = {
	{ "gzip-one", 3, 0x20, VTR_ECORRUPT, "gzip: near " },
	{ "gzip-one", 12, 0xff, VTR_ECORRUPT, "gzip: near " },
	{ "gzip-one", -8, 0x01, VTR_ECORRUPT, "incorrect data check" },
	{ "gzip-one", -4, 0x01, VTR_ECORRUPT, "incorrect length check" },
	{ "bzip2-one", 3, 0x40, VTR_ECORRUPT, "bzip2: near " },
	{ "bzip2-one", 10, 0x01, VTR_ECORRUPT, "or a wrong checksum" },
	{ "bzip2-one", -2, 0x10, VTR_ECORRUPT, "or a wrong checksum" },
	{ "xz-one", 7, 0x01, VTR_ECORRUPT, "xz: the index near " },
	{ "xz-one", 9, 0x01, VTR_ECORRUPT, "xz: the index near " },
	{ "xz-one", 12, 0x01, VTR_ECORRUPT, "of the block near 0xc is damaged" },
	{ "xz-one", 60, 0x01, VTR_ECORRUPT, "the block near " },
	{ "xz-one", -1, 0x01, VTR_ECORRUPT, "xz: the index near " },
	{ "xz-one", -8, 0x01, VTR_ECORRUPT, "xz: the index near " },
	{ "xz-one", -20, 0x01, VTR_ECORRUPT, "xz: the index near " },
	{ "zstd-one", 4, 0x08, VTR_EUNSUPPORTED, "the frame at 0 has a reserved flag" },
	{ "zstd-one", 4, 0x01, VTR_EUNSUPPORTED, "the frame at 0 needs the dictionary " },
	{ "zstd-one", 5, 0x01, VTR_ECORRUPT, "near 0: " },
	{ "zstd-one", -1, 0x01, VTR_ECORRUPT, "near " },
	{ "zstd-open", -1, 0x01, VTR_ECORRUPT, "zstd: near " },
};

/* It is named when the image is opened, or when it is read. */
static void damage_is_named(void **state)
{
	(void)state;
	for (size_t k = 0; k < VTR_COUNT(damages); k++) {
		const char *how = damages[k].how;
		char format[16];
		struct packed_damage d = { .width = 1, .code = damages[k].code, .words = damages[k].words };
		struct packed_image i;

		packed_stream(&i, how);
		d.at = damages[k].at < 0 ? i.image.len - (size_t)-damages[k].at : (size_t)damages[k].at;
		d.value = i.image.p[d.at] ^ damages[k].change;
		snprintf(format, sizeof(format), "%.*s", (int)strcspn(how, "-"), how);
		packed_try_damage(&i, format, &d, 1, true);
		packed_image_done(&i);
	}
}

static void limits_are_named(void **state)
{
	static const struct {
		const char *how;
		size_t at;
		uint64_t value;
		const char *words;
	} limits[] = {
		{ "gzip", offsetof(struct vtr_limits, spool), 100, "limit spool=100" },
		{ "xz-one", offsetof(struct vtr_limits, spool), 100, "limit spool=100" },
		{ "gzip", offsetof(struct vtr_limits, steps), 3, "steps" },
		{ "xz", offsetof(struct vtr_limits, metadata), 600, "metadata=600" },
		{ "zstd-open", offsetof(struct vtr_limits, metadata), 1024, "limit metadata=1024" },
		{ "gzip", offsetof(struct vtr_limits, chain), 0, "chain=0" },
	};

	(void)state;
	for (size_t k = 0; k < VTR_COUNT(limits); k++) {
		struct packed_image i;
		struct qcow2_opened o;
		struct vtr_limits l;
		uint8_t byte;

		packed_stream(&i, limits[k].how);
		vtr_limits_default(&l);
		memcpy((char *)&l + limits[k].at, &limits[k].value, sizeof(uint64_t));
		qcow2_start(&o, &l, false);
		qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
		for (uint64_t off = 0; o.rc == 0 && off < vtr_blk_size(o.disk); off += 500)
			o.rc = vtr_blk_pread(o.disk, off, &byte, 1, &o.err);
		if (o.rc < 0) {
			vtr_blk_unref(o.disk);
			o.disk = NULL;
		}
		qcow2_expect_error(&o, VTR_ELIMIT, limits[k].words);
		qcow2_done(&o);
		packed_image_done(&i);
	}
}

/* qcow2 in gzip in xz, its snapshot, and how deep that may go. */
static void images_lie_in_each_other(void **state)
{
	struct vtr_image_options snap = { .snapshot = "snap" }, format = { .format = "gzip" };
	uint8_t qcow2[QCOW2_BUILD_CLUSTERS * 512], *disk = qcow2_build_disk(9);
	struct packed a = { NULL, 0 }, b = { NULL, 0 };
	struct qcow2_opened o;

	(void)state;
	packed_compress(&a, "gzip", qcow2, qcow2_build(qcow2, 9));
	packed_compress(&b, "xz-one", a.p, a.len);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, b.p, b.len, NULL);
	assert_int_equal(0, o.rc);
	assert_string_equal("qcow2", vtr_image_info(o.disk)->format);
	assert_string_equal("gzip", vtr_image_info(o.disk)->outer->format);
	assert_string_equal("xz", vtr_image_info(o.disk)->outer->outer->format);
	assert_null(vtr_image_info(o.disk)->outer->outer->outer);
	qcow2_expect_bytes(o.disk, disk, qcow2_build_size(9));
	qcow2_done(&o);

	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, a.p, a.len, &snap);
	assert_int_equal(0, o.rc);
	vtr_blk_unref(o.disk);
	o.disk = NULL;
	qcow2_open_bytes(&o, a.p, a.len, &format);
	assert_int_equal(0, o.rc);
	assert_string_equal("qcow2", vtr_image_info(o.disk)->format);
	vtr_blk_unref(o.disk);
	o.disk = NULL;
	qcow2_open_bytes(&o, b.p, b.len, &format);
	qcow2_expect_error(&o, VTR_ECORRUPT, "gzip: near ");
	for (unsigned k = 0; k < 12; k++) {
		struct packed c = { NULL, 0 };

		packed_compress(&c, "zstd", a.p, a.len);
		free(a.p);
		a = c;
	}
	qcow2_open_bytes(&o, a.p, a.len, NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "limit chain=10");
	qcow2_done(&o);
	free(a.p);
	free(b.p);
	free(disk);
}

/* Zeros by the gigabyte are holes: neither memory nor disk is taken for them. They take time: four count as a byte. */
static void zeros_cost_little(void **state)
{
	struct packed zeros = { NULL, 0 }, small = { NULL, 0 }, all = { NULL, 0 };
	struct vtr_limits l;
	struct qcow2_opened o;
	struct vtr_extent e;
	uint64_t off = 0;

	(void)state;
	packed_zeros(&zeros, 1 << 20);
	packed_compress(&all, "gzip", "start", 5);
	packed_compress(&small, "gzip", zeros.p, zeros.len);
	for (unsigned k = 0; k < 1000; k++)
		packed_bytes(&all, small.p, small.len);
	vtr_limits_default(&l);
	l.spool = 251 << 20;
	qcow2_start(&o, &l, false);
	qcow2_open_bytes(&o, all.p, all.len, NULL);
	assert_int_equal(0, o.rc);
	assert_int_equal((1000ull << 20) + 5, vtr_blk_size(o.disk));
	assert_int_equal(0, vtr_blk_extent(&e, o.disk, 0, NULL));
	assert_int_equal(VTR_EXTENT_DATA, e.kind);
	for (off = e.len; off < vtr_blk_size(o.disk); off += e.len) {
		assert_int_equal(0, vtr_blk_extent(&e, o.disk, off, NULL));
		assert_int_equal(VTR_EXTENT_ZERO, e.kind);
	}
	qcow2_done(&o);
	l.spool = 249 << 20;
	qcow2_start(&o, &l, false);
	qcow2_open_bytes(&o, all.p, all.len, NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "limit spool=261095424");
	qcow2_done(&o);
	free(zeros.p);
	free(small.p);
	free(all.p);
}

/* 160 MiB that bzip2 makes very small: decoded for its size, past the 128 MiB that are free. */
static void a_ratio_is_bounded(void **state)
{
	struct packed zeros = { NULL, 0 }, small = { NULL, 0 }, all = { NULL, 0 };
	struct vtr_limits l;
	struct qcow2_opened o;

	(void)state;
	packed_zeros(&zeros, 16 << 20);
	packed_compress(&small, "bzip2", zeros.p, zeros.len);
	for (unsigned k = 0; k < 10; k++)
		packed_bytes(&all, small.p, small.len);
	for (int good = 0; good < 2; good++) {
		vtr_limits_default(&l);
		/* It is looked at for each 256 KiB. */
		l.ratio = good ? vtr_div_up(32u << 20, all.len) : ((32u << 20) - (256u << 10)) / all.len - 1;
		qcow2_start(&o, &l, false);
		qcow2_open_bytes(&o, all.p, all.len, NULL);
		if (good)
			assert_int_equal(160u << 20, vtr_blk_size(o.disk));
		else
			qcow2_expect_error(&o, VTR_ELIMIT, "limit ratio=");
		qcow2_done(&o);
	}
	free(zeros.p);
	free(small.p);
	free(all.p);
}

/* Bytes, of which some reads fail. */
struct faulty {
	const uint8_t *p;
	unsigned calls;
	uint32_t fail; /* bits: these calls */
};

static int faulty_pread(void *arg, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct faulty *f = arg;

	if (f->calls < 32 && f->fail >> f->calls++ & 1)
		return vtr_fail(err, VTR_EIO, "not now");
	memcpy(buf, f->p + off, len);
	return 0;
}

/* A unit is decoded anew when the file could not be read, and counts once against the limit. */
static void what_is_decoded_again_counts_once(void **state)
{
	const size_t third = 400000;
	struct packed all = { NULL, 0 };
	uint8_t *disk = malloc(3 * third), buf[512];
	struct faulty f = { .calls = 0 };
	struct vtr_blk_source src = { .pread = faulty_pread, .arg = &f };
	struct vtr_blk *file;
	struct vtr_limits l;
	struct qcow2_opened o;
	unsigned failed = 0;
	uint32_t x = 5;

	(void)state;
	assert_non_null(disk);
	for (size_t i = 0; i < 3 * third; i++)
		disk[i] = (uint8_t)(qcow2_random(&x) >> 8);
	for (size_t i = 0; i < 3; i++) {
		struct packed one = { NULL, 0 };

		packed_compress(&one, "xz-one", disk + i * third, third);
		packed_bytes(&all, one.p, one.len);
		free(one.p);
	}
	vtr_limits_default(&l);
	l.alloc = 256 << 10; /* a unit is larger: into the spool */
	l.spool = 3 * third;
	qcow2_start(&o, &l, false);
	f.p = all.p;
	src.size = all.len;
	assert_int_equal(0, vtr_blk_custom(&file, o.ctx, &src, NULL));
	assert_int_equal(0, vtr_image_decode(&o.disk, file, NULL, NULL));
	vtr_blk_unref(file);
	/* The first and the last were looked at, for what the disk may be. */
	f.calls = 0;
	f.fail = 3 << 4 | 3 << 11;
	for (uint64_t off = 0; off < 3 * third; off += 512 * 50) {
		while (vtr_blk_pread(o.disk, off, buf, 512, &o.err) < 0) {
			assert_int_equal(VTR_EIO, o.err.code);
			failed++;
		}
		assert_memory_equal(disk + off, buf, 512);
	}
	assert_int_equal(2, failed);
	qcow2_done(&o);
	free(all.p);
	free(disk);
}

/* What several images keep counts together, as long as they are open. */
static void images_share_the_spool(void **state)
{
	struct vtr_blk *file, *first, *second;
	struct packed_image i;
	struct vtr_limits l;
	struct vtr_error err;
	struct vtr_ctx *ctx;

	(void)state;
	packed_stream(&i, "gzip");
	vtr_limits_default(&l);
	l.spool = PACKED_STREAM;
	ctx = vtr_ctx_new(&l, NULL);
	assert_int_equal(0, vtr_blk_memory(&file, ctx, i.image.p, i.image.len, NULL));
	assert_int_equal(0, vtr_image_decode(&first, file, NULL, NULL));
	assert_int_equal(-1, vtr_image_decode(&second, file, NULL, &err));
	assert_int_equal(VTR_ELIMIT, err.code);
	assert_non_null(strstr(err.text, "limit spool=9000"));
	vtr_blk_unref(first);
	assert_int_equal(0, vtr_image_decode(&second, file, NULL, NULL));
	vtr_blk_unref(second);
	vtr_blk_unref(file);
	vtr_ctx_unref(ctx);
	packed_image_done(&i);
}

/* zstd: what says that it has no content may have some, or a checksum that is wrong. RFC 8878, 3.1.1. */
static void frames_that_hold_nothing_are_looked_at(void **state)
{
	static const struct {
		uint8_t bytes[16];
		size_t len;
		int code;
		const char *words;
	} frames[] = {
		{ { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0 }, 9, VTR_OK, NULL },
		{ { 0x28, 0xb5, 0x2f, 0xfd, 0x24, 0, 1, 0, 0, 0x99, 0xe9, 0xd8, 0x51 }, 13, VTR_OK, NULL },
		{ { 0x28, 0xb5, 0x2f, 0xfd, 0x24, 0, 1, 0, 0, 0x98, 0xe9, 0xd8, 0x51 }, 13, VTR_ECORRUPT, "checksum" },
		{ { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 0x11, 0, 0, 'h', 'i' }, 11, VTR_ECORRUPT, "zstd: " },
	};

	(void)state;
	for (size_t k = 0; k < VTR_COUNT(frames); k++) {
		struct packed_image i;
		struct qcow2_opened o;

		packed_stream(&i, "zstd");
		packed_bytes(&i.image, frames[k].bytes, frames[k].len);
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
		if (frames[k].code != VTR_OK) {
			qcow2_expect_error(&o, frames[k].code, frames[k].words);
		} else {
			assert_int_equal(0, o.rc);
			qcow2_expect_bytes(o.disk, i.disk.p, i.disk.len);
			qcow2_expect_quiet(&o);
		}
		qcow2_done(&o);
		packed_image_done(&i);
	}
}

/* Members, streams and blocks that hold nothing are counted as work. */
static void emptiness_is_work(void **state)
{
	static const struct {
		const char *how;
		unsigned n;
		uint64_t steps;
	} hows_empty[] = { { "gzip", 5000, 1000 }, { "bzip2", 500, 5000 } };

	(void)state;
	for (size_t k = 0; k < VTR_COUNT(hows_empty); k++) {
		struct packed one = { NULL, 0 }, all = { NULL, 0 };
		struct vtr_limits l;
		struct qcow2_opened o;

		packed_compress(&one, hows_empty[k].how, "", 0);
		for (unsigned i = 0; i < hows_empty[k].n; i++)
			packed_bytes(&all, one.p, one.len);
		vtr_limits_default(&l);
		l.steps = hows_empty[k].steps;
		qcow2_start(&o, &l, false);
		qcow2_open_bytes(&o, all.p, all.len, &(struct vtr_image_options){ .format = hows_empty[k].how });
		qcow2_expect_error(&o, VTR_ELIMIT, "limit steps=");
		qcow2_done(&o);
		free(one.p);
		free(all.p);
	}
}

/* What could not be made has no descriptor, and closes none of the program's. */
static void what_is_half_built_closes_nothing(void **state)
{
	int fd = open("/dev/null", O_RDONLY);
	struct packed_image i;
	struct qcow2_opened o;
	struct vtr_limits l;

	(void)state;
	assert_true(fd >= 0);
	if (fcntl(0, F_GETFD) < 0)
		assert_int_equal(0, dup2(fd, 0));
	packed_stream(&i, "gzip");
	vtr_limits_default(&l);
	l.layers = 0;
	qcow2_start(&o, &l, false);
	qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "layers=0");
	assert_true(fcntl(0, F_GETFD) >= 0);
	qcow2_done(&o);
	packed_image_done(&i);
	if (fd > 0)
		close(fd);
}

/* ----------------------------------------------------------------------------------------------------------- tools */

static const struct {
	const char *name, *make;
	bool spooled;
} files[] = {
	{ "gz", "gzip -9 -c raw", true },
	{ "members.gz", "split -n 3 raw p.; for p in p.*; do gzip -1 -c $p; done", true },
	{ "bz2", "bzip2 -c raw", true },
	{ "streams.bz2", "split -n 3 raw p.; for p in p.*; do bzip2 -1 -c $p; done", true },
	{ "xz", "xz -1 -c raw", true },
	{ "sha.xz", "xz -0 -C sha256 --x86 --lzma2=preset=0 -c raw", true },
	{ "none.xz", "xz -0 -C none --delta=dist=4 --lzma2=preset=0 -c raw", true },
	{ "blocks.xz", "xz -0 --block-size=1MiB -c raw", false },
	{ "large.xz", "xz -0 --block-size=5MiB -c raw", true },
	{ "zst", "zstd -q -c raw", true },
	{ "check.zst", "zstd -q --ultra -20 --long=24 -c raw", true },
	{ "pipe.zst", "zstd -q -c <raw", true },
	{ "frames.zst", "split -n 9 raw p.; for p in p.*; do zstd -q -c $p; done", false },
	{ "plain.zst", "split -n 9 raw p.; for p in p.*; do zstd -q --no-check -c $p; done", false },
};

static void what_the_tools_write(void **state)
{
	char *dir, name[300];
	uint8_t *raw;
	uint64_t len;

	(void)state;
	if (!part_has_tool("gzip") || !part_has_tool("bzip2") || !part_has_tool("xz") || !part_has_tool("zstd"))
		skip();
	dir = part_temp();
	len = 7000000;
	raw = malloc(len);
	assert_non_null(raw);
	qcow2_noise(raw, len, 77);
	memset(raw + 3000000, 0, 2000000);
	snprintf(name, sizeof(name), "%s/raw", dir);
	qcow2_write_file(name, raw, len);
	for (size_t k = 0; k < VTR_COUNT(files); k++) {
		struct qcow2_opened o;

		part_run("cd '%s' && rm -f p.* && { %s; } >i.%s", dir, files[k].make, files[k].name);
		snprintf(name, sizeof(name), "%s/i.%s", dir, files[k].name);
		qcow2_open_good(&o, name, NULL);
		assert_string_equal("raw", vtr_image_info(o.disk)->format);
		assert_int_equal(files[k].spooled, prop(vtr_image_info(o.disk)->outer, "spooled")->number);
		qcow2_expect_bytes(o.disk, raw, len);
		qcow2_expect_quiet(&o);
		qcow2_done(&o);
	}
	free(raw);
	part_temp_done(dir);
}

/* An image inside that is known by its first bytes is opened without the rest. */
static void no_more_is_decompressed_than_is_read(void **state)
{
	char *dir, name[300];
	struct qcow2_opened o;
	uint8_t byte;

	(void)state;
	if (!qcow2_has_tools() || !part_has_tool("xz"))
		skip();
	dir = part_temp();
	part_run("cd '%s' && head -c 20000000 /dev/urandom >raw && qemu-img convert -f raw -O qcow2 raw i && xz -0 i",
		 dir);
	snprintf(name, sizeof(name), "%s/i.xz", dir);
	qcow2_open_good(&o, name, NULL);
	assert_string_equal("qcow2", vtr_image_info(o.disk)->format);
	assert_in_range(vtr_ctx_bytes_read(o.ctx), 1, 2 << 20);
	assert_int_equal(0, vtr_blk_pread(o.disk, 5000000, &byte, 1, NULL));
	assert_in_range(vtr_ctx_bytes_read(o.ctx), 5 << 20, 9 << 20);
	qcow2_done(&o);
	part_temp_done(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_streams_and_frames_are_one_image),
		cmocka_unit_test(what_follows_the_end),
		cmocka_unit_test(damage_is_named),
		cmocka_unit_test(limits_are_named),
		cmocka_unit_test(a_ratio_is_bounded),
		cmocka_unit_test(images_lie_in_each_other),
		cmocka_unit_test(zeros_cost_little),
		cmocka_unit_test(what_is_decoded_again_counts_once),
		cmocka_unit_test(images_share_the_spool),
		cmocka_unit_test(frames_that_hold_nothing_are_looked_at),
		cmocka_unit_test(emptiness_is_work),
		cmocka_unit_test(what_is_half_built_closes_nothing),
		cmocka_unit_test(what_the_tools_write),
		cmocka_unit_test(no_more_is_decompressed_than_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
