/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What must hold of every partition table, volume manager, filesystem and hive, as test_conformance.c has it for formats:
 * its image cut, reads failed, allocations failed, each limit small, bytes changed, and random reads against one whole
 * read. A driver takes part by a row in the table below; one that is read and has none fails the test. The names of
 * drivers as arguments leave out the rows of others.
 *
 * A walk goes over all that there is and sums it up. One that reports nothing must have found what the good image holds.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lzma.h>

#include "base/checked.h"
#include "fs/fs.h"
#include "fs/tree.h"
#include "tests/failing_heap.h"
#include "tests/part_images.h"
#include "tests/qcow2_images.h"
#include "volumes/volume.h"

#define WALK_READ 20000u /* bytes of a file or a volume that are read */

struct walk {
	size_t items, failed;
	uint64_t sum;
	struct vtr_error last; /* of the last that failed */
	bool random;	       /* random reads, too */
	uint32_t seed;
	struct vtr_hive *hive;
};

struct sample {
	uint8_t *image;
	size_t len;
	uint8_t *more[2]; /* members beside it */
	size_t more_len[2];
	size_t n_more;
};

/* ----------------------------------------------------------------------------------------------------------- walks */

static void walk_sum(struct walk *w, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		w->sum = (w->sum ^ p[i]) * 0x100000001b3;
}

static void walk_number(struct walk *w, uint64_t v)
{
	walk_sum(w, &v, sizeof(v));
}

static int walk_failed(struct walk *w, const struct vtr_error *err)
{
	w->failed++;
	w->last = *err;
	return 0;
}

static ssize_t walk_read(struct vtr_blk *b, struct vtr_fs *fs, uint64_t node, uint64_t off, uint8_t *buf, size_t len,
			 struct vtr_error *err)
{
	if (fs)
		return vtr_fs_read(fs, node, off, buf, len, err);
	return vtr_blk_pread(b, off, buf, len, err) < 0 ? -1 : (ssize_t)len;
}

/* The bytes of a block source, or of a node. */
static int walk_bytes(struct walk *w, struct vtr_blk *b, struct vtr_fs *fs, uint64_t node, uint64_t size,
		      struct vtr_error *err)
{
	static uint8_t whole[WALK_READ], part[WALK_READ];
	size_t len = (size_t)VTR_MIN(size, (uint64_t)WALK_READ);
	ssize_t n = walk_read(b, fs, node, 0, whole, len, err);

	if (n < 0)
		return walk_failed(w, err);
	assert_int_equal(len, n);
	walk_sum(w, whole, len);
	for (unsigned i = 0; w->random && len > 0 && i < 20; i++) {
		size_t off = qcow2_random(&w->seed) % len, want = qcow2_random(&w->seed) % (len - off) + 1;

		assert_int_equal(want, walk_read(b, fs, node, off, part, want, err));
		assert_memory_equal(whole + off, part, want);
	}
	return 0;
}

static int walk_parts(struct walk *w, struct vtr_blk *const *in, size_t n, const char *driver, struct vtr_error *err)
{
	VTR_PARTS_CLOSE struct vtr_parts *t = NULL;

	(void)n;
	if (vtr_partitions_open_as(&t, in[0], driver, 512, err) < 0)
		return -1;
	if (!t)
		return vtr_fail(err, VTR_ENOTFOUND, "no table");
	for (size_t i = 0; i < vtr_parts_count(t); i++) {
		const struct vtr_part *p = vtr_parts_at(t, i);
		VTR_UNREF struct vtr_blk *b = NULL;

		w->items++;
		walk_number(w, p->number);
		walk_number(w, p->off);
		walk_sum(w, p->name, strlen(p->name));
		if (vtr_parts_blk(&b, t, i, err) < 0)
			walk_failed(w, err);
		else if (walk_bytes(w, b, NULL, 0, vtr_blk_size(b), err) < 0)
			return -1;
	}
	return 0;
}

static int walk_volumes(struct walk *w, struct vtr_blk *const *in, size_t n, const char *driver, struct vtr_error *err)
{
	struct vtr_volumes *v = NULL;
	int r = 0;

	(void)driver;
	if (vtr_volumes_open(&v, in, n, err) < 0)
		return -1;
	for (size_t i = 0; r == 0 && i < vtr_volumes_count(v); i++) {
		const struct vtr_volume *o = vtr_volumes_at(v, i);
		VTR_UNREF struct vtr_blk *b = NULL;

		w->items++;
		walk_sum(w, o->name, strlen(o->name));
		if (vtr_volumes_blk(&b, v, i, err) < 0)
			walk_failed(w, err);
		else
			r = walk_bytes(w, b, NULL, 0, vtr_blk_size(b), err);
	}
	if (r == 0 && vtr_volumes_count(v) == 0)
		r = vtr_fail(err, VTR_ENOTFOUND, "no volumes");
	vtr_volumes_close(v);
	return r;
}

static int walk_stream(void *arg, const struct vtr_stream *s)
{
	walk_sum(arg, s->name, strlen(s->name));
	return 0;
}

static int walk_xattr(void *arg, const struct vtr_xattr *x)
{
	walk_sum(arg, x->name, strlen(x->name));
	walk_sum(arg, x->value, x->len);
	return 0;
}

static int walk_entry(void *arg, const struct vtr_entry *e, struct vtr_error *list_err)
{
	struct walk *w = arg;
	struct vtr_error err = { 0 };

	w->items++;
	walk_sum(w, e->path, strlen(e->path));
	if (e->failed)
		return walk_failed(w, e->error);
	walk_number(w, e->st.size);
	if (vtr_fs_streams(e->place.fs, e->st.node, walk_stream, w, &err) < 0 ||
	    vtr_fs_xattrs(e->place.fs, e->st.node, walk_xattr, w, &err) < 0)
		walk_failed(w, &err);
	if (e->st.type == VTR_TYPE_FILE)
		return walk_bytes(w, NULL, e->place.fs, e->st.node, e->st.size, list_err);
	return 0;
}

static int walk_fs(struct walk *w, struct vtr_blk *const *in, size_t n, const char *driver, struct vtr_error *err)
{
	struct vtr_fs *fs = NULL;
	struct vtr_tree *t = NULL;
	int r = -1;

	(void)n;
	if (vtr_fs_open(&fs, in[0], driver, err) == 0 && (t = vtr_tree_new(fs, err))) {
		struct vtr_place root = { fs, vtr_fs_root(fs) };

		r = vtr_tree_list(t, &root, VTR_LIST_RECURSIVE, walk_entry, w, err);
	}
	vtr_tree_free(t);
	vtr_fs_unref(fs);
	return r;
}

static int walk_value(void *arg, const struct vtr_value *v)
{
	struct walk *w = arg;

	w->items++;
	walk_sum(w, v->name, v->name_len);
	walk_number(w, v->type);
	walk_sum(w, v->data, v->len);
	return 0;
}

static int walk_key(void *arg, const struct vtr_key *k)
{
	struct walk *w = arg;
	struct vtr_error err = { 0 };

	w->items++;
	walk_sum(w, k->path, k->path_len);
	if (vtr_hive_values(w->hive, k->id, walk_value, w, &err) < 0)
		walk_failed(w, &err);
	return 0;
}

static int walk_hive(struct walk *w, struct vtr_blk *const *in, size_t n, const char *driver, struct vtr_error *err)
{
	int r;

	(void)driver, (void)n;
	if (vtr_hive_open(&w->hive, in[0], NULL, 0, err) < 0)
		return -1;
	r = vtr_hive_walk(w->hive, vtr_hive_root(w->hive), walk_key, w, err);
	vtr_hive_close(w->hive);
	return r;
}

/* --------------------------------------------------------------------------------------------------------- samples */

static uint8_t *sample_file(size_t *len, const char *path)
{
	size_t room = 1 << 20;
	uint8_t *p = malloc(room);
	FILE *f = fopen(path, "rbe");

	assert_non_null(p);
	if (!f)
		fail_msg("%s is not there", path);
	*len = fread(p, 1, room, f);
	assert_true(*len > 0 && *len < room);
	fclose(f);
	return p;
}

static uint8_t *sample_xz(size_t *len, const char *path)
{
	size_t packed_len, in = 0, room = 64 << 20;
	uint8_t *packed = sample_file(&packed_len, path), *p = malloc(room);
	uint64_t memory = UINT64_MAX;

	assert_non_null(p);
	*len = 0;
	assert_int_equal(LZMA_OK, lzma_stream_buffer_decode(&memory, 0, NULL, packed, &in, packed_len, p, len, room));
	free(packed);
	return realloc(p, *len);
}

static void sample_gpt(struct sample *s)
{
	s->len = PART_GPT_SECTORS * 512;
	s->image = malloc(s->len);
	assert_non_null(s->image);
	part_gpt_build(s->image, 512);
}

/* Two partitions, and an extended one with two logical ones. */
static void sample_mbr(struct sample *s)
{
	s->len = 64 * 512;
	s->image = malloc(s->len);
	assert_non_null(s->image);
	qcow2_noise(s->image, s->len, 41);
	memset(s->image, 0, 512);
	part_mbr_entry(s->image, 0, 0, 0x80, 0x83, 4, 8);
	part_mbr_entry(s->image, 0, 1, 0, 0x82, 12, 4);
	part_mbr_entry(s->image, 0, 2, 0, 0x05, 20, 40);
	memset(s->image + 20 * 512, 0, 512);
	part_mbr_entry(s->image, 20 * 512, 0, 0, 0x83, 1, 10);
	part_mbr_entry(s->image, 20 * 512, 1, 0, 0x05, 20, 20);
	memset(s->image + 40 * 512, 0, 512);
	part_mbr_entry(s->image, 40 * 512, 0, 0, 0x83, 2, 18);
}

static void sample_lvm2(struct sample *s)
{
	s->image = sample_xz(&s->len, "tests/images/lvm2-1.img.xz");
	s->more[0] = sample_xz(&s->more_len[0], "tests/images/lvm2-2.img.xz");
	s->more[1] = sample_xz(&s->more_len[1], "tests/images/lvm2-3.img.xz");
	s->n_more = 2;
}

static void sample_ext(struct sample *s)
{
	s->image = sample_xz(&s->len, "tests/images/ext-fast.img.xz");
}

static void sample_ext_inline(struct sample *s)
{
	s->image = sample_xz(&s->len, "tests/images/ext-fast-inline.img.xz");
}

static void sample_ntfs(struct sample *s)
{
	s->image = sample_xz(&s->len, "tests/images/ntfs-s1024.img.xz");
}

static void sample_hive_lh(struct sample *s)
{
	s->image = sample_file(&s->len, "fuzz/seeds/hive/lh");
}

static void sample_hive_big(struct sample *s)
{
	s->image = sample_file(&s->len, "fuzz/seeds/hive/big");
}

static const struct conform {
	const char *driver; /* NULL: the layer has one */
	const char *name;   /* of the row */
	void (*make)(struct sample *s);
	int (*walk)(struct walk *w, struct vtr_blk *const *in, size_t n, const char *driver, struct vtr_error *err);
	bool damaged; /* the good image, too: a group whose last member is gone */
} rows[] = {
	{ "gpt", "gpt", sample_gpt, walk_parts, false },
	{ "mbr", "mbr", sample_mbr, walk_parts, false },
	{ "lvm2", "lvm2", sample_lvm2, walk_volumes, true },
	{ "ext", "ext", sample_ext, walk_fs, false },
	{ "ext", "ext inline", sample_ext_inline, walk_fs, false },
	{ "ntfs", "ntfs", sample_ntfs, walk_fs, false },
	{ NULL, "hive", sample_hive_lh, walk_hive, false },
	{ NULL, "hive big", sample_hive_big, walk_hive, false },
};

static void sample_done(struct sample *s)
{
	free(s->image);
	free(s->more[0]);
	free(s->more[1]);
}

/* ------------------------------------------------------------------------------------------------------------ runs */

/* The program's arguments, with NULL behind them. */
static char **asked;

static bool conform_asked(const struct conform *row)
{
	for (size_t i = 0; asked[i]; i++)
		if (strncmp(asked[i], row->name, strlen(asked[i])) == 0)
			return true;
	return !asked[0];
}

/* Bytes as a source, of which a read may fail. */
struct source {
	const uint8_t *bytes;
	unsigned *reads, fail_at; /* this read fails; 0: none does */
};

static int source_pread(void *arg, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct source *src = arg;

	if (++*src->reads == src->fail_at)
		return vtr_fail(err, VTR_EIO, "the disk is on fire");
	memcpy(buf, src->bytes + off, len);
	return 0;
}

static void run_warned(void *arg, const struct vtr_error *w)
{
	(void)arg, (void)w;
}

struct run {
	struct walk w;
	int rc;
	uint64_t damage;
	unsigned reads, fail_at; /* this read fails */
	struct vtr_error err;
};

/* From nothing to nothing: the context, the sources, a walk. */
static void run(struct run *o, const struct conform *row, const struct sample *s, size_t len,
		const struct vtr_limits *l)
{
	struct source src[3] = { { s->image, &o->reads, o->fail_at },
				 { s->more[0], &o->reads, o->fail_at },
				 { s->more[1], &o->reads, o->fail_at } };
	uint64_t sizes[3] = { len, s->more_len[0], s->more_len[1] };
	struct vtr_blk *in[3] = { NULL };
	struct vtr_ctx *ctx;

	o->rc = -1;
	o->w.sum = 0xcbf29ce484222325;
	ctx = vtr_ctx_new(l, &o->err);
	if (!ctx)
		return;
	vtr_ctx_on_warning(ctx, run_warned, NULL);
	o->rc = 0;
	for (size_t i = 0; o->rc == 0 && i < 1 + s->n_more; i++) {
		struct vtr_blk_source from = { .pread = source_pread, .arg = &src[i], .size = sizes[i] };

		o->rc = vtr_blk_custom(&in[i], ctx, &from, &o->err);
	}
	if (o->rc == 0)
		o->rc = row->walk(&o->w, in, 1 + s->n_more, row->driver, &o->err);
	o->damage = vtr_ctx_damage(ctx);
	for (size_t i = 0; i < VTR_COUNT(in); i++)
		vtr_blk_unref(in[i]);
	vtr_ctx_unref(ctx);
}

static void limits_of_test(struct vtr_limits *l)
{
	vtr_limits_default(l);
	l->threads = 1;
}

/* Whether nothing was reported but what is of the good image, too. */
static bool run_whole(const struct run *o, const struct run *good)
{
	return o->rc == 0 && o->damage <= good->damage && o->w.failed <= good->w.failed;
}

/* What reports nothing found what the good image holds; what failed says why. */
static void run_expect(const struct run *o, const struct run *good, const char *what, uint64_t n, const char *row)
{
	if (o->rc < 0 && (o->err.code == VTR_OK || !o->err.text[0]))
		fail_msg("%s: %s %" PRIu64 ": it fails and does not say why", row, what, n);
	if (run_whole(o, good) && (o->w.sum != good->w.sum || o->w.items != good->w.items))
		fail_msg("%s: %s %" PRIu64 ": %zu items of %zu, other bytes, and no word of it", row, what, n,
			 o->w.items, good->w.items);
}

static void run_good(struct run *good, const struct conform *row, const struct sample *s)
{
	struct vtr_limits l;

	limits_of_test(&l);
	*good = (struct run){ .w.random = true, .w.seed = 1 };
	run(good, row, s, s->len, &l);
	if (good->rc < 0 || (!row->damaged && good->damage + good->w.failed > 0))
		fail_msg("%s: %s", row->name,
			 good->rc < 0	  ? good->err.text
			 : good->w.failed ? good->w.last.text
					  : "damage");
	assert_true(good->w.items > 1);
}

#define EACH_ROW(check)                                                                                                \
	for (size_t row = 0; row < VTR_COUNT(rows); row++) {                                                           \
		struct sample s = { 0 };                                                                               \
		struct run good;                                                                                       \
                                                                                                                       \
		if (!conform_asked(&rows[row]))                                                                        \
			continue;                                                                                      \
		rows[row].make(&s);                                                                                    \
		run_good(&good, &rows[row], &s);                                                                       \
		check(&rows[row], &s, &good);                                                                          \
		sample_done(&s);                                                                                       \
	}

/* How far apart the n-th things are that are tried, so that there are not more than this. */
static size_t step_of(size_t all, size_t most)
{
	return VTR_MAX(all / (qcow2_slow() ? most * 20 : most), (size_t)1);
}

/* ----------------------------------------------------------------------------------------------------------- tests */

static bool row_of(int (*walk)(struct walk *, struct vtr_blk *const *, size_t, const char *, struct vtr_error *),
		   const char *driver)
{
	for (size_t i = 0; i < VTR_COUNT(rows); i++)
		if (rows[i].walk == walk && strcmp(rows[i].driver, driver) == 0)
			return true;
	return false;
}

static void every_driver_that_is_read_has_a_row(void **state)
{
	(void)state;
	for (size_t i = 0; vtr_partitions[i]; i++)
		if (vtr_partitions[i]->open && !row_of(walk_parts, vtr_partitions[i]->name))
			fail_msg("no row for %s", vtr_partitions[i]->name);
	/* One that has a name of its own is another library, to be compared with. */
	for (size_t i = 0; vtr_fs_drivers[i]; i++)
		if (vtr_fs_drivers[i]->open && !vtr_fs_drivers[i]->name &&
		    !row_of(walk_fs, vtr_fs_driver_name(vtr_fs_drivers[i])))
			fail_msg("no row for %s", vtr_fs_driver_name(vtr_fs_drivers[i]));
	for (size_t i = 0; vtr_volume_layers[i]; i++)
		if (vtr_volume_layers[i]->member &&
		    !row_of(walk_volumes, vtr_signatures[vtr_volume_layers[i]->sig].name))
			fail_msg("no row for %s", vtr_signatures[vtr_volume_layers[i]->sig].name);
}

static void check_cut(const struct conform *row, const struct sample *s, const struct run *good)
{
	struct vtr_limits l;

	limits_of_test(&l);
	for (size_t len = 0; len < s->len; len += step_of(s->len, 60)) {
		struct sample cut = *s;
		struct run o = { 0 };

		/* Exactly as long: what reads behind it is noticed. */
		cut.image = malloc(len ? len : 1);
		assert_non_null(cut.image);
		memcpy(cut.image, s->image, len);
		run(&o, row, &cut, len, &l);
		run_expect(&o, good, "cut at", len, row->name);
		free(cut.image);
	}
}

static void an_image_cut_anywhere_gives_its_contents_or_an_error(void **state)
{
	(void)state;
	EACH_ROW(check_cut)
}

static void check_reads(const struct conform *row, const struct sample *s, const struct run *good)
{
	struct vtr_limits l;

	limits_of_test(&l);
	for (unsigned n = 1; n <= good->reads; n += n < 40 ? 1 : (unsigned)step_of(good->reads, 60)) {
		struct run o = { .fail_at = n };

		run(&o, row, s, s->len, &l);
		if (o.reads < n) /* the good one read at random, too */
			break;
		if (o.rc < 0)
			assert_int_equal(VTR_EIO, o.err.code);
		run_expect(&o, good, "failing read", n, row->name);
	}
}

static void each_read_may_fail(void **state)
{
	(void)state;
	EACH_ROW(check_reads)
}

#if HEAP_FAILS
static void check_heap(const struct conform *row, const struct sample *s, const struct run *good)
{
	unsigned calls;
	struct vtr_limits l;
	struct run o = { 0 };

	limits_of_test(&l);
	/* e2fsprogs 1.47.0 does not look whether each of its own succeeds: ext2fs_extent_open2(). */
	heap.ours = row->driver && strcmp(row->driver, "ext") == 0;
	heap.calls = heap.fail_at = 0;
	heap.on = true;
	run(&o, row, s, s->len, &l);
	heap.on = false;
	calls = heap.calls;
	for (unsigned n = 1; n <= calls; n += n < 60 ? 1 : (unsigned)step_of(calls, 150)) {
		long live;

		o = (struct run){ 0 };
		heap.calls = 0;
		heap.live = 0;
		heap.fail_at = n;
		heap.on = true;
		run(&o, row, s, s->len, &l);
		heap.on = false;
		live = heap.live;
		if (live != 0)
			fail_msg("%s: allocation %u fails: %ld blocks are kept", row->name, n, live);
		if (o.rc < 0)
			assert_string_equal("no memory", vtr_code_name(o.err.code));
		run_expect(&o, good, "failing allocation", n, row->name);
	}
	print_message("%s: %u allocations\n", row->name, calls);
}

static void each_allocation_may_fail(void **state)
{
	(void)state;
	if (!heap_counts()) {
		print_message("skipped: the allocation functions are not the test's\n");
		skip();
	}
	EACH_ROW(check_heap)
}
#else
static void each_allocation_may_fail(void **state)
{
	(void)state;
	print_message("skipped: the allocation functions are not the C library's\n");
	skip();
}
#endif

static void check_limits(const struct conform *row, const struct sample *s, const struct run *good)
{
#define LIMIT_NAME(name, value) #name,
	static const char *const names[] = { VTR_LIMITS(LIMIT_NAME) };
#undef LIMIT_NAME
	static const uint64_t values[] = { 1, 5, 100, 3000, 40000 };

	for (size_t i = 0; i < VTR_COUNT(names); i++)
		for (size_t k = 0; k < VTR_COUNT(values); k++) {
			struct run o = { 0 };
			struct vtr_limits l;

			if (strcmp(names[i], "threads") == 0)
				continue;
			limits_of_test(&l);
			assert_int_equal(0, vtr_limits_set(&l, names[i], values[k], NULL));
			run(&o, row, s, s->len, &l);
			if (o.rc < 0 && (o.err.code != VTR_ELIMIT || !strstr(o.err.text, names[i])))
				fail_msg("%s: limit %s: %s", row->name, names[i], o.err.text);
			run_expect(&o, good, names[i], values[k], row->name);
		}
}

static void each_limit_is_named_or_out_of_reach(void **state)
{
	(void)state;
	EACH_ROW(check_limits)
}

static void check_changes(const struct conform *row, const struct sample *s, const struct run *good)
{
	static const uint8_t changes[] = { 0x01, 0x80, 0xff };
	size_t used = 0, at = 0, step;
	struct vtr_limits l;

	(void)good;
	limits_of_test(&l);
	l.steps = 500000;
	for (size_t i = 0; i < s->len; i++)
		used += s->image[i] != 0;
	step = step_of(used, 250);
	/* What is zero is mostly unused. */
	for (size_t i = 0; i < s->len; i++) {
		struct run o = { 0 };

		if (s->image[i] == 0 || at++ % step != 0)
			continue;
		s->image[i] ^= changes[at / step % VTR_COUNT(changes)];
		run(&o, row, s, s->len, &l);
		if (o.rc < 0 && (o.err.code == VTR_OK || !o.err.text[0]))
			fail_msg("%s: byte %zu: it fails and does not say why", row->name, i);
		s->image[i] ^= changes[at / step % VTR_COUNT(changes)];
	}
}

static void bytes_may_be_wrong(void **state)
{
	(void)state;
	EACH_ROW(check_changes)
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_driver_that_is_read_has_a_row),
		cmocka_unit_test(an_image_cut_anywhere_gives_its_contents_or_an_error),
		cmocka_unit_test(each_read_may_fail),
		cmocka_unit_test(each_allocation_may_fail),
		cmocka_unit_test(each_limit_is_named_or_out_of_reach),
		cmocka_unit_test(bytes_may_be_wrong),
	};

	asked = argv + (argc > 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
