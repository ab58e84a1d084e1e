/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/ntfs_images.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lzma.h>
#include <openssl/evp.h>

#include "base/checked.h"

#define NTFS_MAX_IMAGE (128u << 20)

static uint8_t *ntfs_file(size_t *len, const char *name, const char *end)
{
	char path[200];
	uint8_t *p = malloc(2 << 20);
	FILE *f;

	snprintf(path, sizeof(path), "tests/images/ntfs-%s.%s", name, end);
	f = fopen(path, "rbe");
	assert_non_null(p);
	if (!f)
		fail_msg("%s is not there", path);
	*len = fread(p, 1, (2 << 20) - 1, f);
	p[*len] = 0;
	fclose(f);
	return p;
}

uint8_t *ntfs_image(size_t *len, const char *name)
{
	size_t packed_len, in = 0, out = 0;
	uint8_t *packed = ntfs_file(&packed_len, name, "img.xz"), *image = malloc(NTFS_MAX_IMAGE);
	uint64_t memory = UINT64_MAX;

	assert_non_null(image);
	assert_int_equal(LZMA_OK, lzma_stream_buffer_decode(&memory, 0, NULL, packed, &in, packed_len, image, &out,
							    NTFS_MAX_IMAGE));
	free(packed);
	*len = out;
	return realloc(image, out);
}

char *ntfs_list(const char *name)
{
	size_t len;

	return (char *)ntfs_file(&len, name, "tsv");
}

static void ntfs_heard(void *arg, const struct vtr_error *w)
{
	struct ntfs_opened *o = arg;
	size_t n = strlen(o->said);

	snprintf(o->said + n, sizeof(o->said) - n, "%s: %s\n", vtr_code_name(w->code), w->text);
}

void ntfs_open_bytes(struct ntfs_opened *o, const char *driver, const void *bytes, size_t len,
		     const struct vtr_limits *limits)
{
	*o = (struct ntfs_opened){ 0 };
	o->ctx = vtr_ctx_new(limits, NULL);
	assert_non_null(o->ctx);
	vtr_ctx_on_warning(o->ctx, ntfs_heard, o);
	assert_int_equal(0, vtr_blk_memory(&o->blk, o->ctx, bytes, len, &o->err));
	if (vtr_fs_open(&o->fs, o->blk, driver, &o->err) < 0) {
		assert_null(o->fs);
		assert_int_not_equal(VTR_OK, o->err.code);
		return;
	}
	o->t = vtr_tree_new(o->fs, &o->err);
	assert_non_null(o->t);
}

void ntfs_done(struct ntfs_opened *o)
{
	vtr_tree_free(o->t);
	vtr_fs_unref(o->fs);
	vtr_blk_unref(o->blk);
	vtr_ctx_unref(o->ctx);
}

uint64_t ntfs_node_of(struct ntfs_opened *o, const char *path)
{
	struct vtr_error err = { 0 };
	struct vtr_place p;

	if (!o->t)
		fail_msg("%s", o->err.text);
	if (vtr_tree_walk(&p, o->t, path, VTR_WALK_NOFOLLOW, &err) < 0)
		fail_msg("%s", err.text);
	return p.node;
}

struct vtr_stat ntfs_stat_of(struct ntfs_opened *o, const char *path)
{
	struct vtr_error err = { 0 };
	struct vtr_stat st;

	if (vtr_fs_stat(&st, o->fs, ntfs_node_of(o, path), &err) < 0)
		fail_msg("%s: %s", path, err.text);
	return st;
}

uint8_t *ntfs_read_of(size_t *len, struct ntfs_opened *o, const char *path, size_t step)
{
	struct vtr_stat st = ntfs_stat_of(o, path);
	struct vtr_error err = { 0 };
	uint8_t *p = malloc((size_t)st.size + 1);
	ssize_t n;

	assert_non_null(p);
	*len = 0;
	while ((n = vtr_fs_read(o->fs, st.node, *len, p + *len, VTR_MIN(step, (size_t)st.size - *len), &err)) > 0)
		*len += (size_t)n;
	if (n < 0 || *len != st.size)
		fail_msg("%s: %zu bytes: %s", path, *len, err.text);
	p[*len] = 0;
	return p;
}

/* ------------------------------------------------------------------------------------------------------- comparing */

struct ntfs_row {
	char *path, *type, *size, *sum, *target;
	bool met;
};

struct ntfs_rows {
	struct ntfs_opened *o;
	unsigned flags;
	struct ntfs_row *rows;
	size_t n, cap, differ;
	const char *path; /* of the node whose streams are told */
};

static void ntfs_differs(struct ntfs_rows *r, const char *path, const char *what, const char *ours, const char *theirs)
{
	if (r->differ++ < 20)
		print_error("%s: %s %s, recorded %s\n", path, what, ours, theirs);
}

static struct ntfs_row *ntfs_row(struct ntfs_rows *r, const char *path)
{
	size_t lo = 0, hi = r->n;

	/* The list is sorted by bytes. */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int cmp = strcmp(r->rows[mid].path, path);

		if (cmp == 0)
			return &r->rows[mid];
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static void ntfs_sum(char out[65], const void *p, size_t len)
{
	unsigned char sum[32];

	assert_int_equal(1, EVP_Digest(p, len, sum, NULL, EVP_sha256(), NULL));
	for (size_t i = 0; i < 32; i++)
		sprintf(out + 2 * i, "%02x", sum[i]);
}

/* Contents by the pieces of a reader, of a size that fits no cluster, and by digests. */
static void ntfs_contents(struct ntfs_rows *r, const struct ntfs_row *row, struct vtr_place at)
{
	struct vtr_digest digest;
	char sum[65], path[1100];
	uint8_t *p;
	size_t len;

	snprintf(path, sizeof(path), "/%s", row->path);
	p = ntfs_read_of(&len, r->o, path, 5003);
	ntfs_sum(sum, p, len);
	free(p);
	if (strcmp(sum, row->sum) != 0)
		ntfs_differs(r, row->path, "contents", sum, row->sum);
	assert_int_equal(0, vtr_tree_sha256(&digest, &at, 1, NULL));
	if (digest.failed || strcmp(digest.hex, row->sum) != 0)
		ntfs_differs(r, row->path, "digest", digest.failed ? digest.error.text : digest.hex, row->sum);
}

static int ntfs_compare_stream(void *arg, const struct vtr_stream *s)
{
	struct ntfs_rows *r = arg;
	char path[1400], size[24];
	struct ntfs_row *row;

	snprintf(path, sizeof(path), "%s:%s", r->path, s->name);
	row = ntfs_row(r, path);
	if (!row) {
		ntfs_differs(r, path, "stream", s->name, "nothing");
		return 0;
	}
	row->met = true;
	snprintf(size, sizeof(size), "%" PRIu64, s->size);
	if (strcmp(size, row->size) != 0)
		ntfs_differs(r, path, "size", size, row->size);
	ntfs_contents(r, row, (struct vtr_place){ r->o->fs, s->node });
	return 0;
}

static int ntfs_compare_entry(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	static const char letters[] = "?fdlcbps";
	struct ntfs_rows *r = arg;
	struct ntfs_row *row = ntfs_row(r, e->path);
	const char type[] = { letters[e->st.type], 0 };
	char size[24], *target = NULL;

	if (e->failed)
		fail_msg("%s: %s", e->path, e->error->text);
	if (!row) {
		ntfs_differs(r, e->path, "type", type, "nothing");
		return 0;
	}
	row->met = true;
	r->path = e->path;
	if ((r->flags & NTFS_NO_OVERLAY) && (strncmp(e->path, "overlay/", 8) == 0 || strchr("lcps", row->type[0])))
		return 0;
	if (strcmp(type, row->type) != 0)
		ntfs_differs(r, e->path, "type", type, row->type);
	snprintf(size, sizeof(size), "%" PRIu64, e->st.size);
	if (row->size[0] != '-' && strcmp(size, row->size) != 0)
		ntfs_differs(r, e->path, "size", size, row->size);
	if (e->st.type == VTR_TYPE_SYMLINK) {
		if (vtr_fs_readlink(&target, r->o->fs, e->st.node, err) < 0)
			fail_msg("%s: %s", e->path, err->text);
		if (strcmp(target, row->target) != 0)
			ntfs_differs(r, e->path, "target", target, row->target);
		free(target);
	}
	if (row->sum[0])
		ntfs_contents(r, row, e->place);
	assert_int_equal(0, vtr_fs_streams(r->o->fs, e->st.node, ntfs_compare_stream, r, err));
	return 0;
}

size_t ntfs_compare(struct ntfs_opened *o, const char *name, unsigned flags)
{
	struct ntfs_rows r = { .o = o, .flags = flags };
	struct vtr_place root = { o->fs, o->fs ? vtr_fs_root(o->fs) : 0 };
	char *list = ntfs_list(name), *line = list;
	struct vtr_error err = { 0 };

	if (!o->t)
		fail_msg("%s", o->err.text);
	while (*line) {
		char *f[5], *end = strchr(line, '\n');

		*end = 0;
		for (size_t i = 0; i < 5; i++) {
			char *tab = strchr(line, '\t');

			f[i] = line;
			line = tab ? tab + 1 : line + strlen(line);
			if (tab)
				*tab = 0;
		}
		assert_true(VTR_GROW(r.rows, r.n, r.cap, NULL));
		r.rows[r.n++] = (struct ntfs_row){ f[0], f[1], f[2], f[3], f[4], false };
		line = end + 1;
	}
	if (vtr_tree_list(o->t, &root, VTR_LIST_RECURSIVE, ntfs_compare_entry, &r, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < r.n; i++)
		if (!r.rows[i].met && !(flags & NTFS_NO_OVERLAY))
			ntfs_differs(&r, r.rows[i].path, "type", "nothing", r.rows[i].type);
	if (r.differ)
		fail_msg("%s: %zu differences", name, r.differ);
	free(r.rows);
	free(list);
	return r.n;
}
