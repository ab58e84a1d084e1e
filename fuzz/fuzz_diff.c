/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two trees in lock step: a mutated volume against the one that it was made of, and against itself. */
#include "fuzz/fuzz_fs.h"

struct diff_walk {
	size_t n, alone[2], failed;
	char path[1100]; /* the last one that did not fail */
};

static int diff_met(void *arg, const struct vtr_pair *p, struct vtr_error *err)
{
	struct diff_walk *w = arg;

	(void)err;
	w->n++;
	FUZZ_CHECK(p->path_len == strlen(p->path) && p->path_len < sizeof(w->path));
	FUZZ_CHECK(p->side[0].there || p->side[1].there);
	for (size_t i = 0; i < 2; i++) {
		const struct vtr_pair_side *s = &p->side[i];

		FUZZ_CHECK(s->failed == (s->error != NULL) && (s->there || !s->failed));
		if (s->failed)
			fuzz_check_error(s->error);
		w->failed += s->failed;
		w->alone[i] += s->there && !p->side[!i].there;
	}
	memcpy(w->path, p->path, p->path_len + 1);
	return 0;
}

static int diff_walk(struct diff_walk *w, struct vtr_tree *a, struct vtr_tree *b, struct vtr_fs *x, struct vtr_fs *y)
{
	const struct vtr_place from = { x, vtr_fs_root(x) }, to = { y, vtr_fs_root(y) };
	struct vtr_error err = { 0 };

	*w = (struct diff_walk){ 0 };
	if (vtr_tree_pairs(a, &from, b, &to, 0, diff_met, w, &err) == 0)
		return 0;
	fuzz_check_error(&err);
	return -1;
}

static struct vtr_fs *diff_open(const uint8_t *data, size_t len)
{
	VTR_UNREF struct vtr_blk *b = NULL;
	struct vtr_error err = { 0 };
	struct vtr_fs *fs = NULL;
	size_t n;
	uint8_t *volume = fuzz_volume(&n, data, len);

	b = fuzz_blk(volume, n);
	free(volume);
	vtr_ctx_on_warning(b->ctx, fuzz_warned, NULL);
	if (vtr_fs_open(&fs, b, NULL, &err) < 0)
		fuzz_check_error(&err);
	return fs;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VTR_FS_UNREF struct vtr_fs *x = len > 0 && data[0] < VTR_COUNT(ext_bases) ? diff_open(data, len) : NULL;
	VTR_FS_UNREF struct vtr_fs *y = x ? diff_open(data, 1) : NULL;
	struct vtr_tree *a = x ? vtr_tree_new(x, NULL) : NULL, *b = y ? vtr_tree_new(y, NULL) : NULL;
	struct diff_walk there, back;

	if (a && b && diff_walk(&there, a, b, x, y) == 0 && diff_walk(&back, b, a, y, x) == 0)
		FUZZ_CHECK(there.alone[0] == back.alone[1] && there.alone[1] == back.alone[0] && there.n == back.n);
	/* Damage that is met for the first time makes one of the sides incomplete: only of whole trees all are the same. */
	if (a && diff_walk(&there, a, a, x, x) == 0 && there.failed == 0 && vtr_ctx_warnings(x->ctx) == 0)
		FUZZ_CHECK(there.alone[0] == 0 && there.alone[1] == 0);
	vtr_tree_free(a);
	vtr_tree_free(b);
	return 0;
}
