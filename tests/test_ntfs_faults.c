/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NTFS on a host that fails: each read, and each allocation, in turn. Nothing crashes, nothing is kept, nothing is made up. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/failing_heap.h"
#include "tests/ntfs_images.h"

static uint8_t *whole;
static size_t whole_len;

/* What came of a walk over all that there is. */
struct walked {
	size_t entries, failed;
	uint64_t sum; /* of contents that were read */
	struct vtr_error last;
};

static int walk_stream(void *arg, const struct vtr_stream *s)
{
	(void)arg, (void)s;
	return 0;
}

static int walk_prop(void *arg, const struct vtr_prop *p)
{
	(void)arg, (void)p;
	return 0;
}

static int walk_entry(void *arg, const struct vtr_entry *e, struct vtr_error *list_err)
{
	static uint8_t buf[40000];
	struct walked *w = arg;
	struct vtr_error err = { 0 };
	ssize_t n = 0;

	(void)list_err;
	w->entries++;
	if (e->failed) {
		w->failed++;
		w->last = *e->error;
		return 0;
	}
	if (e->st.type == VTR_TYPE_FILE)
		n = vtr_fs_read(e->place.fs, e->st.node, 0, buf, sizeof(buf), &err);
	if (n < 0 || vtr_fs_streams(e->place.fs, e->st.node, walk_stream, NULL, &err) < 0 ||
	    vtr_fs_props(e->place.fs, e->st.node, VTR_PROPS_SECURITY, walk_prop, NULL, &err) < 0) {
		w->failed++;
		w->last = err;
	}
	for (ssize_t i = 0; i < n; i++)
		w->sum = w->sum * 31 + buf[i];
	return 0;
}

static void silent(void *arg, const struct vtr_error *w)
{
	(void)arg, (void)w;
}

/* Open, list and read all. */
static int walk(struct walked *w, const struct vtr_blk_source *src, struct vtr_error *err)
{
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, err);
	struct vtr_blk *b = NULL;
	struct vtr_fs *fs = NULL;
	struct vtr_tree *t = NULL;
	int r = -1;

	*w = (struct walked){ 0 };
	if (ctx)
		vtr_ctx_on_warning(ctx, silent, NULL);
	if (ctx && vtr_blk_custom(&b, ctx, src, err) == 0 && vtr_fs_open(&fs, b, "ntfs", err) == 0 &&
	    (t = vtr_tree_new(fs, err))) {
		struct vtr_place root = { fs, vtr_fs_root(fs) };

		r = vtr_tree_list(t, &root, VTR_LIST_RECURSIVE, walk_entry, w, err);
	}
	vtr_tree_free(t);
	vtr_fs_unref(fs);
	vtr_blk_unref(b);
	vtr_ctx_unref(ctx);
	return r;
}

static struct {
	unsigned reads, fail_at; /* this read fails; 0: none */
} host;

static int host_pread(void *arg, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	(void)arg;
	if (++host.reads == host.fail_at)
		return vtr_fail(err, VTR_EIO, "the disk is on fire");
	memcpy(buf, whole + off, len);
	return 0;
}

static void each_read_may_fail(void **state)
{
	struct vtr_blk_source src = { .pread = host_pread, .size = whole_len };
	struct vtr_error err = { 0 };
	struct walked good, w;
	unsigned reads;

	(void)state;
	host.reads = host.fail_at = 0;
	assert_int_equal(0, walk(&good, &src, &err));
	reads = host.reads;
	assert_true(good.entries > 60 && good.failed == 0 && reads > 20);
	for (unsigned n = 1; n <= reads; n++) {
		int r;

		err.code = VTR_OK;
		host.reads = 0;
		host.fail_at = n;
		r = walk(&w, &src, &err);
		if (r < 0)
			assert_true(err.code == VTR_EIO);
		else if (w.failed > 0)
			assert_int_equal(VTR_EIO, w.last.code);
		else /* it was read again, or not needed: all is there */
			assert_true(w.entries == good.entries && w.sum == good.sum);
	}
	print_message("%u reads\n", reads);
	host.fail_at = 0;
}

/* ------------------------------------------------------------------------------------------------------ allocations */

#if HEAP_FAILS
/* Each of the first 400, then every 17th: a file more is more of the same. */
static void each_allocation_may_fail(void **state)
{
	struct vtr_blk_source src = { .pread = host_pread, .size = whole_len };
	struct vtr_error err = { 0 };
	struct walked good, w;
	unsigned calls;

	(void)state;
	if (!heap_counts()) {
		print_message("skipped: the allocation functions are not the test's\n");
		skip();
	}
	heap.calls = heap.fail_at = 0;
	heap.on = true;
	assert_int_equal(0, walk(&good, &src, &err));
	heap.on = false;
	calls = heap.calls;
	assert_true(calls > 0);
	for (unsigned n = 1; n <= calls; n += n < 400 ? 1 : 17) {
		long live;
		int r;

		err.code = VTR_OK;
		heap.calls = 0;
		heap.live = 0;
		heap.fail_at = n;
		heap.on = true;
		r = walk(&w, &src, &err);
		heap.on = false;
		live = heap.live;
		assert_int_equal(0, live);
		if (r < 0)
			assert_int_equal(VTR_ENOMEM, err.code);
		else if (w.failed > 0)
			assert_int_equal(VTR_ENOMEM, w.last.code);
	}
	print_message("%u allocations\n", calls);
}
#else
static void each_allocation_may_fail(void **state)
{
	(void)state;
	print_message("skipped: the allocation functions are not the C library's\n");
	skip();
}
#endif

static int load(void **state)
{
	(void)state;
	whole = ntfs_image(&whole_len, "c512");
	return 0;
}

static int unload(void **state)
{
	(void)state;
	free(whole);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_read_may_fail),
		cmocka_unit_test(each_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
