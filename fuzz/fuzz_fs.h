/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inputs that are volumes, and what must hold of every filesystem. */
#ifndef FUZZ_FUZZ_FS_H
#define FUZZ_FUZZ_FS_H

#include <string.h>

#include <zlib.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "fs/tree.h"
#include "fuzz/ext_base.h"
#include "fuzz/fuzz.h"

/*
 * Patch a volume of len bytes: patches of 8 bytes (le32 place, u8 operation, u8 value, le16 value). Its length then.
 *
 * A place counts the bytes that are not zero, and 8 after each run of them; with the high bit of the operation it is an
 * offset.
 */
static inline size_t fuzz_patch(uint8_t *out, size_t len, const uint32_t *places, size_t n_places, const uint8_t *data,
				size_t data_len)
{
	size_t n = len;

	for (const uint8_t *p = data; data_len - (size_t)(p - data) >= 8; p += 8) {
		uint32_t place = vtr_get_le32(p);
		size_t at = p[4] & 0x80 ? place % n : places[place % n_places] % n;
		uint16_t v = vtr_get_le16(p + 6);
		size_t room = n - at, from;

		switch (p[4] & 0x7f) {
		default:
			out[at] = p[5];
			break;
		case 1:
			out[at] ^= p[5];
			break;
		case 2:
			out[at] = (uint8_t)v;
			out[at + (room > 1)] = (uint8_t)(v >> 8);
			break;
		case 3:
			memset(out + at, p[5], VTR_MIN((size_t)4, room));
			out[at] = (uint8_t)v;
			break;
		case 4:
			out[at] = (uint8_t)(out[at] + p[5]);
			break;
		case 5: /* a block, or some bytes of one, from elsewhere */
			from = (size_t)v * 64 % n;
			memmove(out + at, out + from, VTR_MIN(VTR_MIN(room, n - from), (size_t)p[5] * 4 + 4));
			break;
		case 6:
			memset(out + at, p[5], VTR_MIN(room, (size_t)v));
			break;
		case 7: /* shorter */
			n = VTR_MIN(VTR_MAX(at, (size_t)4096), len);
			break;
		}
	}
	return n;
}

/* Where patches land: the array has room for len places. Their number. */
static inline size_t fuzz_places(uint32_t *places, const uint8_t *volume, size_t len)
{
	size_t n = 0;

	for (size_t at = 0, last = 0; at < len; at++) {
		if (volume[at])
			last = at + 9;
		if (at < last)
			places[n++] = (uint32_t)at;
	}
	return n;
}

/*
 * The bytes that an input stands for: a first byte that is the number of a volume, then patches; a first byte of 255:
 * what follows it; any other: the input itself. The caller frees them.
 */
static inline uint8_t *fuzz_volume(size_t *len, const uint8_t *data, size_t data_len)
{
	static uint8_t *volumes[VTR_COUNT(ext_bases)];
	static uint32_t *places[VTR_COUNT(ext_bases)];
	static size_t n_places[VTR_COUNT(ext_bases)];
	size_t i = data_len > 0 ? data[0] : 0, n;
	uint8_t *out;

	if (data_len == 0 || i >= VTR_COUNT(ext_bases)) {
		if (i == 255)
			data++, data_len--;
		out = malloc(data_len ? data_len : 1);
		FUZZ_CHECK(out);
		if (data_len > 0)
			memcpy(out, data, data_len);
		*len = data_len;
		return out;
	}
	n = ext_bases[i].len;
	if (!volumes[i]) {
		uLongf unpacked = n;

		volumes[i] = malloc(n);
		places[i] = malloc(n * sizeof(uint32_t));
		FUZZ_CHECK(volumes[i] && places[i]);
		FUZZ_CHECK(uncompress(volumes[i], &unpacked, ext_bases[i].packed, ext_bases[i].packed_len) == Z_OK &&
			   unpacked == n);
		n_places[i] = fuzz_places(places[i], volumes[i], n);
	}
	out = malloc(n);
	FUZZ_CHECK(out);
	memcpy(out, volumes[i], n);
	*len = fuzz_patch(out, n, places[i], n_places[i], data + 1, data_len - 1);
	return out;
}

/* Texts that reach people are UTF-8 without control characters. */
static inline void fuzz_check_text(const char *s)
{
	FUZZ_CHECK(s && vtr_utf8_is(s, strlen(s)));
	for (; *s; s++)
		FUZZ_CHECK((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static inline void fuzz_check_error(const struct vtr_error *err)
{
	FUZZ_CHECK(err->code != VTR_OK && err->text[0] != 0);
	fuzz_check_text(err->text);
}

static inline void fuzz_warned(void *arg, const struct vtr_error *w)
{
	(void)arg;
	fuzz_check_text(w->text);
}

struct fuzz_walk {
	struct vtr_tree *t;
	struct vtr_fs *fs;
	uint64_t entries;
	uint64_t size; /* of the file at hand */
	uint64_t end;  /* of its last extent */
	uint64_t node;
	unsigned n;
	unsigned part; /* 0: all entries are looked at; else one in 15 */
};

static inline int fuzz_xattr(void *arg, const struct vtr_xattr *x)
{
	unsigned sum = 0;

	(void)arg;
	FUZZ_CHECK(x->len <= 16u << 20 && strlen(x->name) < 300);
	for (size_t i = 0; i < x->len; i++)
		sum += ((const uint8_t *)x->value)[i];
	return sum == UINT32_MAX;
}

static inline int fuzz_extent(void *arg, const struct vtr_file_extent *e)
{
	struct fuzz_walk *w = arg;
	uint8_t one[256], two[256];
	size_t n = (size_t)VTR_MIN(e->len, (uint64_t)sizeof(one));
	uint64_t last = e->len - n;
	struct vtr_error err = { 0 };

	FUZZ_CHECK(e->len > 0 && e->off >= w->end && vtr_range_in(e->off, e->len, w->size));
	w->end = e->off + e->len;
	if (++w->n > 16 || e->inline_data)
		return 0;
	if (vtr_fs_read(w->fs, w->node, e->off + last, one, n, &err) != (ssize_t)n)
		return 0;
	if (e->unwritten)
		memset(two, 0, n);
	else
		FUZZ_CHECK(vtr_blk_pread(w->fs->blk, e->phys + last, two, n, NULL) == 0);
	FUZZ_CHECK(memcmp(one, two, n) == 0);
	return 0;
}

static inline int fuzz_stream(void *arg, const struct vtr_stream *s)
{
	struct fuzz_walk *w = arg;
	struct vtr_error err = { 0 };
	struct vtr_stat st;
	uint8_t one[300];

	FUZZ_CHECK(strlen(s->name) == s->name_len && s->node != w->node);
	if (vtr_fs_stat(&st, w->fs, s->node, &err) < 0 ||
	    vtr_fs_read(w->fs, s->node, s->size / 2, one, sizeof(one), &err) < 0)
		fuzz_check_error(&err);
	else
		FUZZ_CHECK(st.type == VTR_TYPE_FILE && st.size == s->size);
	return 0;
}

static inline int fuzz_prop(void *arg, const struct vtr_prop *p)
{
	(void)arg;
	FUZZ_CHECK(p->key && p->title);
	if (p->kind == VTR_PROP_TEXT)
		fuzz_check_text(p->text);
	return 0;
}

static inline void fuzz_file(struct fuzz_walk *w, const struct vtr_stat *st)
{
	const uint64_t offs[] = { 0, st->size / 2, st->size > 1000 ? st->size - 1000 : 0, st->size, UINT64_MAX };
	VTR_UNREF struct vtr_blk *b = NULL;
	struct vtr_error err = { 0 };
	uint8_t one[2000], two[2000];

	w->size = st->size;
	w->node = st->node;
	w->end = 0;
	w->n = 0;
	if (vtr_fs_extents(w->fs, st->node, fuzz_extent, w, &err) < 0)
		fuzz_check_error(&err);
	for (size_t i = 0; i < VTR_COUNT(offs); i++) {
		ssize_t n = vtr_fs_read(w->fs, st->node, offs[i], one, sizeof(one), &err);
		uint64_t left = st->size - VTR_MIN(st->size, offs[i]);

		if (n < 0) {
			fuzz_check_error(&err);
			continue;
		}
		FUZZ_CHECK((uint64_t)n == VTR_MIN(left, (uint64_t)sizeof(one)));
		if (vtr_fs_read(w->fs, st->node, offs[i], two, sizeof(two), &err) == n)
			FUZZ_CHECK(memcmp(one, two, (size_t)n) == 0);
		else
			FUZZ_CHECK(err.code == VTR_ELIMIT);
	}
	if (vtr_fs_file_blk(&b, w->fs, st->node, &err) < 0)
		fuzz_check_error(&err);
	else
		FUZZ_CHECK(vtr_blk_size(b) == st->size && vtr_blk_pread(b, st->size, one, 1, NULL) < 0);
}

static inline int fuzz_entry(void *arg, const struct vtr_entry *e, struct vtr_error *list_err)
{
	struct fuzz_walk *w = arg;
	struct vtr_ctx *ctx = w->t->ctx;
	struct vtr_error err = { 0 };
	struct vtr_place p;
	char *target = NULL;

	(void)list_err;
	FUZZ_CHECK(++w->entries <= ctx->lim.entries && e->depth <= ctx->lim.depth);
	FUZZ_CHECK(strlen(e->path) == e->path_len && e->path_len <= ctx->lim.path_len);
	FUZZ_CHECK(e->path[0] != '/' && (e->path_len == 0 || e->path[e->path_len - 1] != '/'));
	if (e->failed) {
		fuzz_check_error(e->error);
		return 0;
	}
	FUZZ_CHECK(e->st.node == e->place.node && e->st.type > VTR_TYPE_UNKNOWN && e->st.type <= VTR_TYPE_SOCKET);
	FUZZ_CHECK(e->st.mode <= 07777 && e->st.mtime.nsec < 1000000000);
	if (w->part && w->entries % 15 != w->part - 1)
		return 0;
	w->fs = e->place.fs;
	if (vtr_fs_xattrs(w->fs, e->st.node, fuzz_xattr, NULL, &err) < 0)
		fuzz_check_error(&err);
	w->node = e->st.node;
	if (vtr_fs_streams(w->fs, e->st.node, fuzz_stream, w, &err) < 0)
		fuzz_check_error(&err);
	if (vtr_fs_props(w->fs, e->st.node, VTR_PROPS_SECURITY, fuzz_prop, NULL, &err) < 0)
		fuzz_check_error(&err);
	if (e->st.type == VTR_TYPE_SYMLINK) {
		if (vtr_fs_readlink(&target, w->fs, e->st.node, &err) < 0)
			fuzz_check_error(&err);
		else
			FUZZ_CHECK(strlen(target) <= ctx->lim.path_len);
		free(target);
		if (vtr_tree_walk(&p, w->t, e->path, 0, &err) < 0)
			fuzz_check_error(&err);
	} else {
		FUZZ_CHECK(vtr_fs_readlink(&target, w->fs, e->st.node, &err) < 0);
	}
	if (e->st.type == VTR_TYPE_FILE)
		fuzz_file(w, &e->st);
	else
		FUZZ_CHECK(vtr_fs_read(w->fs, e->st.node, 0, &p, 1, &err) < 0);
	/* Names may be there twice: the walk need not lead to this one. */
	if (vtr_tree_walk(&p, w->t, e->path, VTR_WALK_NOFOLLOW, &err) < 0)
		fuzz_check_error(&err);
	if (vtr_tree_walk(&p, w->t, e->path, VTR_WALK_NOFOLLOW | VTR_WALK_ICASE, &err) < 0)
		fuzz_check_error(&err);
	return e->path_len == 60; /* now and then, but in none of the volumes that are patched: they are seen whole */
}

/* List a tree, and look at everything in it, or at a part of it: 1 to 15. */
static inline void fuzz_check_part(struct vtr_tree *t, unsigned part)
{
	struct vtr_place root = vtr_tree_cross(t, (struct vtr_place){ t->root, vtr_fs_root(t->root) });
	struct fuzz_walk w = { .t = t, .part = part };
	struct vtr_error err = { 0 };

	if (vtr_tree_list(t, &root, VTR_LIST_RECURSIVE | VTR_LIST_SORT | VTR_LIST_SELF, fuzz_entry, &w, &err) < 0)
		fuzz_check_error(&err);
	if (vtr_tree_walk(&root, t, "loop/../loop/./x", 0, &err) < 0)
		fuzz_check_error(&err);
	if (vtr_tree_walk(&root, t, "/HOME/A/./../Slow/", VTR_WALK_ICASE, &err) < 0)
		fuzz_check_error(&err);
}

/* What a pattern stands for is there, and comes once and in order. */
static inline int fuzz_glob_path(void *arg, const char *path)
{
	char *last = arg;

	FUZZ_CHECK(strlen(path) < 1100 && strcmp(last, path) < 0);
	strcpy(last, path);
	return 0;
}

/* Left out is what has the letter of the pattern. */
static inline int fuzz_excluded(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	struct vtr_exclude *x = arg;
	int r = vtr_exclude_has(x, e->path, e->path_len, err);

	FUZZ_CHECK(r >= 0 && (r == 1) == (memchr(e->path, 'a', e->path_len) != NULL));
	return r;
}

static inline void fuzz_check_exclude(struct vtr_tree *t)
{
	struct vtr_place root;
	struct vtr_error err = { 0 };
	struct vtr_exclude *x = vtr_exclude_new(NULL);

	FUZZ_CHECK(x && vtr_exclude_add(x, "*a*", NULL) == 0 && vtr_exclude_begin(x, t, "/..//.", NULL) == 0);
	if (vtr_tree_walk(&root, t, "/", 0, &err) < 0 ||
	    vtr_tree_list(t, &root, VTR_LIST_RECURSIVE, fuzz_excluded, x, &err) < 0)
		fuzz_check_error(&err);
	vtr_exclude_free(x);
}

static inline void fuzz_check_glob(struct vtr_tree *t)
{
	struct vtr_error err = { 0 };
	char last[1200] = "";

	if (vtr_tree_glob(t, "/*/[!b-c]*?", fuzz_glob_path, last, &err) < 0)
		fuzz_check_error(&err);
}

static inline void fuzz_check_tree(struct vtr_tree *t)
{
	fuzz_check_part(t, 0);
	fuzz_check_glob(t);
	fuzz_check_exclude(t);
}

static inline void fuzz_check_fs_part(struct vtr_fs *fs, unsigned part)
{
	const struct vtr_fs_info *info = vtr_fs_info(fs);
	struct vtr_error err = { 0 };
	struct vtr_tree *t = vtr_tree_new(fs, NULL);
	struct vtr_stat st;

	FUZZ_CHECK(t && info->used <= info->size && info->nodes_used <= info->nodes);
	fuzz_check_text(info->uuid);
	for (size_t i = 0; i < info->n_props; i++)
		if (info->props[i].kind == VTR_PROP_TEXT)
			fuzz_check_text(info->props[i].text);
	fuzz_check_part(t, part);
	fuzz_check_glob(t);
	fuzz_check_exclude(t);
	for (uint64_t i = 0; i < 20; i++)
		if (vtr_fs_stat(&st, fs, i, &err) < 0)
			fuzz_check_error(&err);
	FUZZ_CHECK(vtr_fs_stat(&st, fs, info->nodes + 1, &err) < 0);
	vtr_tree_free(t);
}

static inline void fuzz_check_fs(struct vtr_fs *fs)
{
	fuzz_check_fs_part(fs, 0);
}

#endif
