/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What must hold of every format that is listed: its image cut at each length, each read failed in turn, each
 * allocation failed in turn, each byte changed, and random reads from several threads against one whole read. A format
 * takes part by a row in the table below; one that is read and has none fails the test. The names of formats as arguments
 * leave out the rows of others.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zstd.h>

#include "base/checked.h"
#include "formats/format.h"
#include "tests/failing_heap.h"
#include "tests/packed_images.h"
#include "tests/qcow2_images.h"
#include "tests/vhd_images.h"
#include "tests/vmdk_images.h"
#include "tests/small_images.h"

/* -------------------------------------------------------------------------------------------------------- the table */

/* A small good image of a format, and the disk that it holds. */
struct sample {
	uint8_t *image, *disk;
	uint8_t *parent; /* what a resolver gives for the names in it; NULL: none */
	size_t image_len, parent_len;
	uint64_t disk_len;
};

static void sample_raw(struct sample *s)
{
	s->image_len = s->disk_len = 3000;
	s->image = malloc(s->image_len);
	s->disk = malloc(s->image_len);
	assert_true(s->image && s->disk);
	qcow2_noise(s->image, s->image_len, 5);
	memcpy(s->disk, s->image, s->image_len);
}

static void sample_qcow2(struct sample *s)
{
	s->image = malloc(QCOW2_BUILD_CLUSTERS * 512);
	assert_non_null(s->image);
	s->image_len = qcow2_build(s->image, 9);
	s->disk = qcow2_build_disk(9);
	s->disk_len = qcow2_build_size(9);
}

/* The compressed cluster as a frame of zstd, RFC 8878. */
static void sample_zstd(struct sample *s)
{
	size_t n;

	sample_qcow2(s);
	qcow2_put(s->image + 72, 8, 1 << 3);
	s->image[104] = 1;
	memset(s->image + 6 * 512, 0, 1024);
	n = ZSTD_compress(s->image + 6 * 512, 1024, s->disk + 512, 512, 3);
	assert_false(ZSTD_isError(n));
}

/* The first and the last cluster are the parent's, which ends before the disk does. */
static void sample_chain(struct sample *s)
{
	sample_qcow2(s);
	s->parent_len = s->disk_len - 100;
	s->parent = malloc(s->parent_len);
	assert_non_null(s->parent);
	qcow2_noise(s->parent, s->parent_len, 8);
	qcow2_put(s->image + 4 * 512, 8, 0);
	qcow2_build_backing(s->image, "parent", 6, "raw");
	memcpy(s->disk, s->parent, 512);
	memcpy(s->disk + 2048, s->parent + 2048, s->parent_len - 2048);
}

static void sample_vhd_fixed(struct sample *s)
{
	s->disk_len = 4096;
	s->image_len = s->disk_len + 512;
	s->image = malloc(s->image_len);
	s->disk = malloc(s->disk_len);
	assert_true(s->image && s->disk);
	qcow2_noise(s->disk, s->disk_len, 15);
	memcpy(s->image, s->disk, s->disk_len);
	vhd_build_footer(s->image + s->disk_len, 2, s->disk_len, UINT64_MAX, "win ");
}

static void sample_vhd(struct sample *s)
{
	s->image_len = VHD_BUILD_LEN;
	s->image = malloc(s->image_len);
	assert_non_null(s->image);
	vhd_build(s->image, 3);
	s->disk = vhd_build_disk(NULL, 0);
	s->disk_len = VHD_BUILD_SIZE;
}

static void sample_vhd_child(struct sample *s)
{
	uint8_t *parent = vhd_build_disk(NULL, 0);

	sample_vhd(s);
	free(s->disk);
	s->disk = vhd_build_disk(parent, VHD_BUILD_SIZE);
	s->parent = s->image;
	s->parent_len = s->image_len;
	s->image = malloc(s->image_len);
	assert_non_null(s->image);
	vhd_build(s->image, 4);
	free(parent);
}

/* With a log that says where the only block lies, and changes some of it. */
static void sample_vhdx(struct sample *s)
{
	struct vhdx_options opt = { .size = 6144, .data_mb = 1 };
	struct vhdx_write w[3];
	struct vhdx_built b;
	uint8_t page[4096] = { 0 }, noise[4096];

	vhdx_build(&b, &opt);
	qcow2_noise(b.p + b.data_off, 6144, 16);
	qcow2_noise(noise, sizeof(noise), 17);
	vhd_put_le(page, 8, b.data_off | 6);
	w[0] = (struct vhdx_write){ .off = b.bat_off, .data = page };
	w[1] = (struct vhdx_write){ .off = b.data_off, .zeros = 8192 };
	w[2] = (struct vhdx_write){ .off = b.data_off, .data = noise };
	vhdx_log_entry(&b, (1 << 20) - 8192, 5, (1 << 20) - 8192, w, 2);
	vhdx_log_entry(&b, 0, 6, (1 << 20) - 8192, w + 2, 1);
	vhdx_log_use(&b);
	s->image = b.p;
	s->image_len = b.len;
	s->disk_len = opt.size;
	s->disk = calloc(1, opt.size);
	assert_non_null(s->disk);
	memcpy(s->disk, noise, 4096);
}

static void sample_vhdx_child(struct sample *s)
{
	struct vhdx_options opt = { .size = 6144,
				    .flags = 2,
				    .data_mb = 2,
				    .linkage = "{33221100-5544-7766-8899-aabbccddeeff}",
				    .relative = ".\\parent.vhdx" };
	struct vhdx_built b;

	sample_vhdx(s);
	s->parent = s->image;
	s->parent_len = s->image_len;
	vhdx_build(&b, &opt);
	qcow2_noise(b.p + b.data_off, 6144, 18);
	vhdx_bat(&b, 0, 7, b.data_off);
	vhdx_bat(&b, 4096, 6, b.data_off + (1 << 20));
	b.p[b.data_off + (1 << 20)] = 0x36; /* sectors 1, 2, 4 and 5 */
	memcpy(s->disk + 512, b.p + b.data_off + 512, 1024);
	memcpy(s->disk + 2048, b.p + b.data_off + 2048, 1024);
	s->image = b.p;
	s->image_len = b.len;
}

static void sample_packed(struct sample *s, struct packed_image *i)
{
	s->image = i->image.p;
	s->image_len = i->image.len;
	s->disk = i->disk.p;
	s->disk_len = i->disk.len;
}

static void sample_android(struct sample *s)
{
	struct packed_image i;

	packed_android(&i, 0);
	sample_packed(s, &i);
}

static void sample_dmg(struct sample *s)
{
	struct packed_image i;

	packed_dmg(&i, 0x80000005, PACKED_DMG_XML);
	sample_packed(s, &i);
}

static void sample_dmg_fork(struct sample *s)
{
	struct packed_image i;

	packed_dmg(&i, 0x80000006, PACKED_DMG_FORK);
	sample_packed(s, &i);
}

static void sample_ewf(struct sample *s)
{
	struct packed_ewf e;

	packed_ewf(&e, false, false);
	sample_packed(s, &e.first);
}

/* The second segment is what the resolver gives. */
static void sample_ewf_split(struct sample *s)
{
	struct packed_ewf e;

	packed_ewf(&e, true, false);
	sample_packed(s, &e.first);
	s->parent = e.second.p;
	s->parent_len = e.second.len;
}

static void sample_ova(struct sample *s)
{
	struct packed_image i;

	packed_ova(&i, PACKED_PAX, 1);
	sample_packed(s, &i);
}

#define STREAM(name, how)                                                                                              \
	static void sample_##name(struct sample *s)                                                                    \
	{                                                                                                              \
		struct packed_image i;                                                                                 \
                                                                                                                       \
		packed_stream(&i, how);                                                                                \
		sample_packed(s, &i);                                                                                  \
	}
STREAM(gzip, "gzip")
STREAM(bzip2, "bzip2")
STREAM(xz, "xz")
STREAM(xz_one, "xz-one")
STREAM(zstd_frames, "zstd")
STREAM(zstd_open, "zstd-open")

static void sample_vmdk(struct sample *s)
{
	s->image = vmdk_build(&s->image_len, VMDK_BUILD_SPARSE, NULL, 1);
	s->disk = vmdk_build_disk(&s->disk_len, VMDK_BUILD_SPARSE, 1, NULL);
}

static void sample_vmdk_stream(struct sample *s)
{
	s->image = vmdk_build(&s->image_len, VMDK_BUILD_STREAM, NULL, 1);
	s->disk = vmdk_build_disk(&s->disk_len, VMDK_BUILD_STREAM, 1, NULL);
}

/* On a parent of the same kind with other contents. */
static void sample_vmdk_chain(struct sample *s)
{
	uint8_t *parent = vmdk_build_disk(&s->disk_len, VMDK_BUILD_STREAM, 2, NULL);

	s->image = vmdk_build(&s->image_len, VMDK_BUILD_SPARSE,
			      "CID=1\nparentCID=12345678\nparentFileNameHint=\"p\"\nRW 89 SPARSE \"c\"\n", 1);
	s->parent = vmdk_build(&s->parent_len, VMDK_BUILD_STREAM, NULL, 2);
	s->disk = vmdk_build_disk(&s->disk_len, VMDK_BUILD_SPARSE, 1, parent);
	free(parent);
}

/* A descriptor, and its extent. */
static void sample_vmdk_extent(struct sample *s, int kind, const char *text)
{
	s->image_len = strlen(text);
	s->image = malloc(s->image_len + 1);
	assert_non_null(s->image);
	memcpy(s->image, text, s->image_len + 1);
	s->parent = vmdk_build(&s->parent_len, kind, NULL, 3);
	s->disk = vmdk_build_disk(&s->disk_len, kind, 3, NULL);
}

static void sample_vmdk_cowd(struct sample *s)
{
	sample_vmdk_extent(s, VMDK_BUILD_COWD, vmdk_text("createType=\"vmfsSparse\"\nRW 10 VMFSSPARSE \"x\"\n"));
}

static void sample_vmdk_sesparse(struct sample *s)
{
	sample_vmdk_extent(s, VMDK_BUILD_SESPARSE, vmdk_text("createType=\"seSparse\"\nRW 41 SESPARSE \"x\"\n"));
}

static void sample_take(struct sample *s, struct small_image *from)
{
	s->image = from->bytes;
	s->image_len = from->len;
	s->disk = from->disk;
	s->disk_len = from->disk_len;
}

static void sample_vdi(struct sample *s)
{
	struct small_image v = { .len = 0 };

	small_vdi(&v, &small_vdi_plain);
	sample_take(s, &v);
}

/* Free blocks are the parent's, which has the same ones free. */
static void sample_vdi_chain(struct sample *s)
{
	struct small_vdi how = small_vdi_plain;
	struct small_image v = { .len = 0 }, parent = { .len = 0 };

	small_vdi(&parent, &how);
	how.type = 4;
	how.parent = how.id;
	how.parent_modified = how.modified;
	how.id = 0x33;
	how.seed = 77;
	small_vdi(&v, &how);
	small_le(v.bytes + how.table + 4 * 6, 4, 0xffffffff);
	memcpy(v.disk + 6 * 512, parent.disk + 6 * 512, 512);
	sample_take(s, &v);
	s->parent = parent.bytes;
	s->parent_len = parent.len;
	free(parent.disk);
}

static void sample_parallels(struct sample *s)
{
	struct small_image p = { .len = 0 };

	small_parallels(&p, 1, 1);
	sample_take(s, &p);
}

static void sample_parallels_hdd(struct sample *s)
{
	static const char text[] =
		"<?xml version='1.0' encoding='UTF-8'?>\n<Parallels_disk_image Version=\"1.0\">"
		"<Disk_Parameters><Disk_size>17</Disk_size></Disk_Parameters><StorageData><Storage><Start>0</Start>"
		"<End>17</End><Blocksize>2</Blocksize><Image><GUID>{5fbaabe3-6958-40ff-92a7-860e329aab41}</GUID>"
		"<Type>Compressed</Type><File>a.hds</File></Image></Storage></StorageData></Parallels_disk_image>";
	struct small_image p = { .len = 0 };

	small_parallels(&p, 0, 1);
	s->parent = p.bytes;
	s->parent_len = p.len;
	s->disk = p.disk;
	s->disk_len = p.disk_len;
	s->image = malloc(sizeof(text) - 1);
	assert_non_null(s->image);
	memcpy(s->image, text, sizeof(text) - 1);
	s->image_len = sizeof(text) - 1;
}

static void sample_qed(struct sample *s)
{
	struct small_image q = { .len = 0 };

	small_qed(&q);
	sample_take(s, &q);
}

static void sample_qcow1(struct sample *s)
{
	struct small_image q = { .len = 0 };

	small_qcow1(&q);
	sample_take(s, &q);
}

static void sample_bochs(struct sample *s)
{
	struct small_image b = { .len = 0 };

	small_bochs(&b, 2);
	sample_take(s, &b);
}

static void sample_sparse(struct sample *s)
{
	struct small_image i = { .len = 0 };

	small_sparse(&i);
	sample_take(s, &i);
}

static const struct conform {
	const char *format;
	void (*make)(struct sample *s); /* s is zeroed; sample_done() releases what it makes */
	const char *snapshot;		/* an internal snapshot of it with the same bytes; NULL: none */
} rows[] = {
	{ "qcow2", sample_qcow2, NULL },
	{ "qcow2", sample_qcow2, "snap" },
	{ "qcow2", sample_zstd, NULL },
	{ "qcow2", sample_chain, NULL },
	{ "raw", sample_raw, NULL },
	{ "vhd", sample_vhd_fixed, NULL },
	{ "vhd", sample_vhd, NULL },
	{ "vhd", sample_vhd_child, NULL },
	{ "vhdx", sample_vhdx, NULL },
	{ "vhdx", sample_vhdx_child, NULL },
	{ "vmdk", sample_vmdk, NULL },
	{ "vmdk", sample_vmdk_stream, NULL },
	{ "vmdk", sample_vmdk_chain, NULL },
	{ "vmdk", sample_vmdk_cowd, NULL },
	{ "vmdk", sample_vmdk_sesparse, NULL },
	{ "vdi", sample_vdi, NULL },
	{ "vdi", sample_vdi_chain, NULL },
	{ "parallels", sample_parallels, NULL },
	{ "parallels-hdd", sample_parallels_hdd, NULL },
	{ "qed", sample_qed, NULL },
	{ "qcow", sample_qcow1, NULL },
	{ "bochs", sample_bochs, NULL },
	{ "sparseimage", sample_sparse, NULL },
	{ "splitraw", sample_raw, NULL },
	{ "android-sparse", sample_android, NULL },
	{ "dmg", sample_dmg, NULL },
	{ "dmg", sample_dmg_fork, NULL },
	{ "ewf", sample_ewf, NULL },
	{ "ewf", sample_ewf_split, NULL },
	{ "ova", sample_ova, NULL },
	{ "gzip", sample_gzip, NULL },
	{ "bzip2", sample_bzip2, NULL },
	{ "xz", sample_xz, NULL },
	{ "xz", sample_xz_one, NULL },
	{ "zstd", sample_zstd_frames, NULL },
	{ "zstd", sample_zstd_open, NULL },
};

static void sample_done(struct sample *s)
{
	free(s->image);
	free(s->disk);
	free(s->parent);
}

/* The program's arguments, with NULL behind them. */
static char **asked;

static bool conform_asked(const struct conform *row)
{
	for (size_t i = 0; asked[i]; i++)
		if (strcmp(asked[i], row->format) == 0)
			return true;
	return !asked[0];
}

static void every_format_that_is_read_has_a_row(void **state)
{
	const char *name;

	(void)state;
	for (size_t i = 0; (name = vtr_format_name(i, NULL)); i++) {
		bool found = false;

		for (size_t k = 0; k < VTR_COUNT(rows); k++)
			found |= strcmp(rows[k].format, name) == 0;
		if (!found)
			fail_msg("no row for %s", name);
	}
}

/* Bytes as a source, of which a read may fail. */
struct source {
	const uint8_t *bytes;
	unsigned *reads, fail_at; /* this read fails; 0: none does */
};

static int source_pread(void *arg, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct source *src = arg;

	if (src->reads && ++*src->reads == src->fail_at)
		return vtr_fail(err, VTR_EIO, "the disk is on fire");
	memcpy(buf, src->bytes + off, len);
	return 0;
}

/* The two files of a sample. */
struct files {
	struct vtr_ctx *ctx;
	const struct sample *s;
	unsigned reads;
	struct source image, parent;
};

static int files_resolve(void *arg, struct vtr_blk **out, const char *image, const char *name, struct vtr_error *err)
{
	struct files *f = arg;
	struct vtr_blk_source from = { .pread = source_pread, .arg = &f->parent, .size = f->s->parent_len };

	(void)image, (void)name;
	return vtr_blk_custom(out, f->ctx, &from, err) < 0 ? -1 : 1;
}

static void files_init(struct files *f, struct vtr_ctx *ctx, const struct sample *s, unsigned fail_at)
{
	*f = (struct files){ .ctx = ctx, .s = s };
	f->image = (struct source){ .bytes = s->image, .reads = fail_at ? &f->reads : NULL, .fail_at = fail_at };
	f->parent = (struct source){ .bytes = s->parent, .reads = fail_at ? &f->reads : NULL, .fail_at = fail_at };
	if (s->parent)
		vtr_ctx_resolver(ctx, files_resolve, f);
}

static int files_open(struct vtr_blk **out, struct files *f, struct vtr_error *err)
{
	struct vtr_blk_source from = { .pread = source_pread, .arg = &f->image, .size = f->s->image_len };

	return vtr_blk_custom(out, f->ctx, &from, err);
}

/* A context without worker threads, so that the n-th of anything is the same each time. */
static struct vtr_ctx *conform_ctx(struct vtr_error *err)
{
	struct vtr_limits l;

	vtr_limits_default(&l);
	l.threads = 1;
	l.cache = 1 << 20;
	return vtr_ctx_new(&l, err);
}

/* ------------------------------------------------------------------------------------------------------------- cut */

static void conform_cut(const struct conform *row, const struct sample *s, size_t len)
{
	struct vtr_image_options opt = { .format = row->format, .snapshot = row->snapshot };
	struct qcow2_opened o;
	struct files f;
	uint8_t buf[128];

	qcow2_start(&o, NULL, false);
	files_init(&f, o.ctx, s, 0);
	qcow2_open_bytes(&o, s->image, len, &opt);
	if (o.rc < 0) {
		assert_true(o.err.code == VTR_ETRUNCATED || o.err.code == VTR_ECORRUPT);
		qcow2_done(&o);
		return;
	}
	for (uint64_t off = 0; off < vtr_blk_size(o.disk); off += sizeof(buf)) {
		size_t n = (size_t)VTR_MIN((uint64_t)sizeof(buf), vtr_blk_size(o.disk) - off);
		uint64_t damage = vtr_ctx_damage(o.ctx);
		struct vtr_error err = { 0 };

		assert_true(off + n <= s->disk_len);
		if (vtr_blk_pread(o.disk, off, buf, n, &err) < 0)
			assert_true(err.code == VTR_ETRUNCATED || err.code == VTR_ECORRUPT);
		else if (vtr_ctx_damage(o.ctx) == damage)
			assert_memory_equal(s->disk + off, buf, n);
	}
	qcow2_done(&o);
}

static void an_image_cut_anywhere_gives_its_bytes_or_an_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		struct sample s = { 0 };
		size_t step;

		if (!conform_asked(&rows[i]))
			continue;
		rows[i].make(&s);
		step = VTR_MAX(s.image_len / 400, (size_t)1);
		if (qcow2_slow())
			step = VTR_MAX(s.image_len / 40000, (size_t)1);
		for (size_t len = 0; len <= s.image_len; len += step)
			conform_cut(&rows[i], &s, len);
		sample_done(&s);
	}
}

/* --------------------------------------------------------------------------------------------------- failing reads */

/* Open and read all of it; the error of what failed. */
static int conform_read(struct vtr_blk **disk, struct vtr_blk *file, const struct conform *row, const struct sample *s,
			uint8_t *buf, struct vtr_error *err)
{
	struct vtr_image_options opt = { .format = row->format, .snapshot = row->snapshot };

	if (vtr_image_decode(disk, file, &opt, err) < 0)
		return -1;
	assert_int_equal(s->disk_len, vtr_blk_size(*disk));
	/* In parts too, so that what is kept is used. */
	for (uint64_t off = 0; off < s->disk_len; off += 300)
		if (vtr_blk_pread(*disk, off, buf + off, (size_t)VTR_MIN((uint64_t)300, s->disk_len - off), err) < 0)
			return -1;
	return vtr_blk_pread(*disk, 0, buf, (size_t)s->disk_len, err);
}

static void conform_failing_reads(const struct conform *row, const struct sample *s)
{
	uint8_t *buf = malloc(s->disk_len);

	assert_non_null(buf);
	for (unsigned n = 1;; n++) {
		VTR_UNREF struct vtr_blk *file = NULL, *disk = NULL;
		struct vtr_ctx *ctx = conform_ctx(NULL);
		struct vtr_error err = { 0 };
		struct files f;
		int r;

		files_init(&f, ctx, s, n);
		assert_int_equal(0, files_open(&file, &f, NULL));
		vtr_ctx_unref(ctx);
		r = conform_read(&disk, file, row, s, buf, &err);
		if (r == 0) {
			assert_true(n > 1);
			assert_memory_equal(s->disk, buf, s->disk_len);
			if (f.reads < n) /* it reads less often than that */
				break;
			continue; /* who looks for signs in an image inside tries again */
		}
		assert_int_equal(VTR_EIO, err.code);
		assert_non_null(strstr(err.text, "the disk is on fire"));
		/* A failure leaves nothing behind: the next reads are right. */
		if (disk)
			qcow2_expect_bytes(disk, s->disk, s->disk_len);
	}
	assert_memory_equal(s->disk, buf, s->disk_len);
	free(buf);
}

static void each_read_may_fail(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		struct sample s = { 0 };

		if (!conform_asked(&rows[i]))
			continue;
		rows[i].make(&s);
		conform_failing_reads(&rows[i], &s);
		sample_done(&s);
	}
}

/* --------------------------------------------------------------------------------------------- failing allocations */

#if HEAP_FAILS
static void heap_warning(void *arg, const struct vtr_error *w)
{
	(void)arg, (void)w;
}

/* From nothing to nothing: the context, the file, the image, its bytes. */
static int conform_whole(const struct conform *row, const struct sample *s, uint8_t *buf, struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *file = NULL, *disk = NULL;
	struct vtr_ctx *ctx = conform_ctx(err);
	struct files f;
	int r;

	if (!ctx)
		return -1;
	vtr_ctx_on_warning(ctx, heap_warning, NULL);
	files_init(&f, ctx, s, 0);
	r = files_open(&file, &f, err);
	vtr_ctx_unref(ctx);
	return r < 0 ? -1 : conform_read(&disk, file, row, s, buf, err);
}

static void each_allocation_may_fail(void **state)
{
	(void)state;
	if (!heap_counts()) {
		print_message("skipped: the allocation functions are not the test's\n");
		skip();
	}
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		struct sample s = { 0 };
		uint8_t *buf;
		unsigned n = 0;
		int r = -1;

		if (!conform_asked(&rows[i]))
			continue;
		rows[i].make(&s);
		buf = malloc(s.disk_len);
		assert_non_null(buf);
		do {
			struct vtr_error err = { 0 };
			unsigned calls;
			long live;

			heap.calls = 0;
			heap.live = 0;
			heap.fail_at = ++n;
			heap.on = true;
			r = conform_whole(&rows[i], &s, buf, &err);
			heap.on = false;
			calls = heap.calls;
			live = heap.live;
			assert_int_equal(0, live);
			if (r < 0) {
				assert_string_equal("no memory", vtr_code_name(err.code));
				assert_true(calls >= n);
			} else {
				assert_memory_equal(s.disk, buf, s.disk_len);
				if (calls >= n) /* it could do without */
					r = -1;
			}
		} while (r < 0);
		print_message("row %zu, %s: %u allocations\n", i, rows[i].format, n - 1);
		assert_true(n > 2);
		free(buf);
		sample_done(&s);
	}
}
#else
static void each_allocation_may_fail(void **state)
{
	(void)state;
	print_message("skipped: the allocation functions are not the C library's\n");
	skip();
}
#endif

/* --------------------------------------------------------------------------------------------------- changed bytes */

static void each_byte_may_be_wrong(void **state)
{
	static const uint8_t changes[] = { 0x01, 0x80, 0xff };

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		struct sample s = { 0 };
		uint8_t *buf;
		size_t step = qcow2_slow() ? 1 : 23;
		bool sparse;

		if (!conform_asked(&rows[i]))
			continue;
		rows[i].make(&s);
		buf = malloc(s.disk_len);
		assert_non_null(buf);
		/* What has its tables MiBs apart is mostly nothing. */
		sparse = s.image_len > 1 << 20;
		for (size_t at = 0; at < s.image_len; at += at < 256 ? 1 : sparse && s.image[at] == 0 ? 2 : step)
			for (size_t k = sparse && s.image[at] == 0 ? VTR_COUNT(changes) : 0; k < VTR_COUNT(changes);
			     k++) {
				struct vtr_image_options opt = { .format = rows[i].format,
								 .snapshot = rows[i].snapshot };
				struct qcow2_opened o;
				struct files f;

				s.image[at] ^= changes[k];
				qcow2_start(&o, NULL, false);
				files_init(&f, o.ctx, &s, 0);
				qcow2_open_bytes(&o, s.image, s.image_len, &opt);
				for (uint64_t off = 0; o.rc == 0 && off < VTR_MIN(s.disk_len, vtr_blk_size(o.disk));
				     off += 512)
					(void)vtr_blk_pread(o.disk, off, buf,
							    (size_t)VTR_MIN((uint64_t)512, vtr_blk_size(o.disk) - off),
							    &o.err);
				qcow2_done(&o);
				s.image[at] ^= changes[k];
			}
		free(buf);
		sample_done(&s);
	}
}

/* --------------------------------------------------------------------------------------------------------- threads */

struct reader {
	struct vtr_blk *disk;
	const struct sample *s;
	uint32_t seed;
	bool bad;
};

static void *conform_reader(void *arg)
{
	struct reader *r = arg;
	uint8_t buf[4000];

	for (int i = 0; i < 500 && !r->bad; i++) {
		uint64_t off = qcow2_random(&r->seed) % r->s->disk_len;
		size_t n = qcow2_random(&r->seed) % (i % 4 ? 300 : sizeof(buf)) + 1;
		struct vtr_extent e;

		n = (size_t)VTR_MIN((uint64_t)n, r->s->disk_len - off);
		r->bad = vtr_blk_pread(r->disk, off, buf, n, NULL) < 0 || memcmp(buf, r->s->disk + off, n) != 0 ||
			 vtr_blk_extent(&e, r->disk, off, NULL) < 0;
	}
	return NULL;
}

static void threads_read_what_one_read_reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		struct vtr_image_options opt = { .format = rows[i].format, .snapshot = rows[i].snapshot };
		struct reader readers[4];
		pthread_t threads[4];
		struct vtr_limits l;
		struct qcow2_opened o;
		struct files f;
		struct sample s = { 0 };

		if (!conform_asked(&rows[i]))
			continue;
		rows[i].make(&s);
		vtr_limits_default(&l);
		l.cache = 40000;
		l.threads = 3;
		qcow2_start(&o, &l, false);
		files_init(&f, o.ctx, &s, 0);
		qcow2_open_bytes(&o, s.image, s.image_len, &opt);
		assert_int_equal(0, o.rc);
		qcow2_expect_bytes(o.disk, s.disk, s.disk_len);
		for (unsigned k = 0; k < VTR_COUNT(threads); k++) {
			readers[k] = (struct reader){ .disk = o.disk, .s = &s, .seed = k + 1 };
			assert_int_equal(0, pthread_create(&threads[k], NULL, conform_reader, &readers[k]));
		}
		for (unsigned k = 0; k < VTR_COUNT(threads); k++) {
			pthread_join(threads[k], NULL);
			assert_false(readers[k].bad);
		}
		qcow2_expect_quiet(&o);
		qcow2_done(&o);
		sample_done(&s);
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_that_is_read_has_a_row),
		cmocka_unit_test(an_image_cut_anywhere_gives_its_bytes_or_an_error),
		cmocka_unit_test(each_read_may_fail),
		cmocka_unit_test(each_allocation_may_fail),
		cmocka_unit_test(each_byte_may_be_wrong),
		cmocka_unit_test(threads_read_what_one_read_reads),
	};

	asked = argv + (argc > 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
