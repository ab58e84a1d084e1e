/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Paths in a tree of mounted filesystems, resolved as path_resolution(7) says, inside the guest alone. The walk keeps
 * the directories that it came through, so that ".." goes back the way it came and never trusts a ".." on disk.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/fold.h"
#include "base/held.h"
#include "base/text.h"
#include "fs/tree.h"

struct vtr_tree *vtr_tree_new(struct vtr_fs *root, struct vtr_error *err)
{
	struct vtr_tree *t = vtr_calloc(1, sizeof(*t), err);

	if (!t)
		return NULL;
	t->ctx = vtr_ctx_ref(root->ctx);
	t->root = vtr_fs_ref(root);
	return t;
}

void vtr_tree_free(struct vtr_tree *t)
{
	if (!t)
		return;
	for (size_t i = t->n; i-- > 0;)
		vtr_fs_unref(t->mounts[i].fs);
	free(t->mounts);
	vtr_tree_drives_done(t);
	vtr_fs_unref(t->root);
	vtr_ctx_unref(t->ctx);
	free(t);
}

struct vtr_place vtr_tree_cross(const struct vtr_tree *t, struct vtr_place at)
{
	/* A later mount on the same directory, or on the root of an earlier one, covers it. */
	for (size_t i = 0; i < t->n; i++)
		if (t->mounts[i].at.fs == at.fs && t->mounts[i].at.node == at.node)
			at = (struct vtr_place){ t->mounts[i].fs, t->mounts[i].fs->root };
	return at;
}

/* --------------------------------------------------------------------------------------------- comparing names */

/* Filesystems with tables of their own compare with those. */
static bool path_same_folded(const char *a, size_t a_len, const char *b, size_t b_len)
{
	const uint8_t *p = (const uint8_t *)a, *q = (const uint8_t *)b;

	while (a_len > 0 && b_len > 0) {
		uint32_t c, d;
		size_t n = vtr_utf8_next(&c, p, a_len), m = vtr_utf8_next(&d, q, b_len);

		if (n == 0) /* no UTF-8: the byte itself, beyond all code points */
			c = 0x110000u + *p, n = 1;
		if (m == 0)
			d = 0x110000u + *q, m = 1;
		if (vtr_fold(c) != vtr_fold(d))
			return false;
		p += n, a_len -= n;
		q += m, b_len -= m;
	}
	return a_len == 0 && b_len == 0;
}

struct path_fold {
	const char *name;
	size_t len;
	uint64_t node;
};

static int path_fold_emit(void *arg, const struct vtr_dirent *d)
{
	struct path_fold *f = arg;

	if (!path_same_folded(d->name, d->name_len, f->name, f->len))
		return 0;
	f->node = d->node;
	return 1;
}

/* ------------------------------------------------------------------------------------------------------------ walk */

struct path_walk {
	struct vtr_tree *t;
	unsigned flags;
	struct vtr_place *stack; /* the directories from the root to here; the last one is where we are */
	size_t n, cap;
	char *rest; /* what is still to be walked, in a buffer of its own */
	size_t at;
	unsigned links;
};

static int path_push(struct path_walk *w, struct vtr_place p, struct vtr_error *err)
{
	if (VTR_OVER(w->t->ctx, depth, w->n, "directories below each other", err) < 0 ||
	    !VTR_GROW(w->stack, w->n, w->cap, err))
		return -1;
	w->stack[w->n++] = p;
	return 0;
}

static int path_to_root_of(struct path_walk *w, struct vtr_fs *fs, struct vtr_error *err)
{
	w->n = 0;
	return path_push(w, vtr_tree_cross(w->t, (struct vtr_place){ fs, fs->root }), err);
}

static int path_to_root(struct path_walk *w, struct vtr_error *err)
{
	return path_to_root_of(w, w->t->root, err);
}

/*
 * Begin again with what is to be walked, in a tree with drives: a caller's path, or (link not NULL) the target of a
 * link.
 */
static int path_enter(struct path_walk *w, struct vtr_fs *link, struct vtr_error *err)
{
	struct vtr_fs *from;
	char *rest;

	if (vtr_tree_enter(&rest, &from, w->t, w->rest, link, err) < 0)
		return -1;
	free(w->rest);
	w->rest = rest;
	return from ? path_to_root_of(w, from, err) : 0;
}

/*
 * "file:stream", where there are streams and no such name. The last part may say what kind it is: "file:stream:$DATA".
 * Without a file it is the directory's own. 1: found; 0; -1.
 */
static int path_find_stream(uint64_t *node, struct vtr_place dir, const char *name, size_t len, struct vtr_error *err)
{
	static const char kind[] = ":$DATA";
	const char *colon = memchr(name, ':', len), *stream;
	uint64_t file = dir.node;
	size_t n;

	if (!colon || !dir.fs->ops->streams)
		return 0;
	stream = colon + 1;
	n = len - (size_t)(stream - name);
	if (n >= sizeof(kind) - 1 && vtr_ascii_ncasecmp(stream + n - (sizeof(kind) - 1), kind, sizeof(kind) - 1) == 0)
		n -= sizeof(kind) - 1;
	if (colon > name && vtr_fs_lookup(&file, NULL, dir.fs, dir.node, name, (size_t)(colon - name), err) < 0)
		return err->code == VTR_ENOTFOUND ? 0 : -1;
	if (n == 0) { /* its own contents */
		*node = file;
		return 1;
	}
	if (vtr_fs_stream(node, dir.fs, file, stream, n, err) < 0)
		return err->code == VTR_ENOTFOUND ? 0 : -1;
	return 1;
}

/* Find a name in the directory where the walk is. */
static int path_find(uint64_t *node, struct path_walk *w, const char *name, size_t len, bool last,
		     struct vtr_error *err)
{
	struct vtr_place dir = w->stack[w->n - 1];
	struct path_fold f = { .name = name, .len = len };
	struct vtr_stat st;
	int r;

	if (vtr_fs_lookup(node, NULL, dir.fs, dir.node, name, len, err) == 0)
		return 0;
	if (err->code != VTR_ENOTFOUND)
		return -1;
	r = last ? path_find_stream(node, dir, name, len, err) : 0;
	if (r != 0)
		return r < 0 ? -1 : 0;
	vtr_error_set(err, VTR_ENOTFOUND, "no such file or directory (\"%.*s\")", (int)VTR_MIN(len, (size_t)255), name);
	if (vtr_fs_stat(&st, dir.fs, dir.node, NULL) < 0)
		return -1;
	if (st.flags & VTR_STAT_CASEFOLD ? dir.fs->ops->lookup != NULL : !(w->flags & VTR_WALK_ICASE))
		return -1;
	r = vtr_fs_readdir(dir.fs, dir.node, path_fold_emit, &f, err);
	if (r <= 0)
		return -1;
	*node = f.node;
	return 0;
}

/* Put the target of a link in front of what is left to walk. */
static int path_follow(struct path_walk *w, struct vtr_place link, struct vtr_error *err)
{
	VTR_FREE char *target = NULL;
	size_t n, left;
	char *both;

	if (++w->links > w->t->ctx->lim.symlinks)
		return vtr_fail(err, VTR_ELIMIT, "more than %" PRIu64 " symbolic links, limit symlinks=%" PRIu64,
				w->t->ctx->lim.symlinks, w->t->ctx->lim.symlinks);
	if (vtr_fs_readlink(&target, link.fs, link.node, err) < 0)
		return -1;
	n = strlen(target);
	left = strlen(w->rest + w->at);
	if (VTR_OVER(w->t->ctx, path_len, n + left + 1, "bytes of path after a symbolic link", err) < 0)
		return -1;
	both = vtr_calloc(1, n + left + 2, err);
	if (!both)
		return -1;
	memcpy(both, target, n);
	both[n] = '/';
	memcpy(both + n + 1, w->rest + w->at, left);
	if (left == 0)
		both[n] = 0;
	free(w->rest);
	w->rest = both;
	w->at = 0;
	if (w->t->n_drives > 0)
		return path_enter(w, link.fs, err);
	return target[0] == '/' ? path_to_root(w, err) : 0;
}

/* One component. Returns 1 when the walk is at its end, with the place in *out. */
static int path_step(struct vtr_place *out, struct path_walk *w, struct vtr_error *err)
{
	struct vtr_place next;
	struct vtr_stat st;
	const char *name;
	size_t len;
	bool last, slash;

	while (w->rest[w->at] == '/')
		w->at++;
	name = w->rest + w->at;
	len = strcspn(name, "/");
	if (len == 0) {
		*out = w->stack[w->n - 1];
		return 1;
	}
	w->at += len;
	slash = w->rest[w->at] == '/';
	last = w->rest[w->at + strspn(w->rest + w->at, "/")] == 0;
	if (len == 1 && name[0] == '.')
		return 0;
	if (len == 2 && memcmp(name, "..", 2) == 0) {
		if (w->n > 1)
			w->n--;
		return 0;
	}
	next.fs = w->stack[w->n - 1].fs;
	if (path_find(&next.node, w, name, len, last && !slash, err) < 0)
		return -1;
	next = vtr_tree_cross(w->t, next);
	if (vtr_fs_stat(&st, next.fs, next.node, err) < 0)
		return -1;
	/* A slash at the end asks for what the link leads to. */
	if (st.type == VTR_TYPE_SYMLINK && (!last || slash || !(w->flags & VTR_WALK_NOFOLLOW)))
		return path_follow(w, next, err);
	if (st.type == VTR_TYPE_DIR)
		return path_push(w, next, err);
	if (!last || slash)
		return vtr_fail(err, VTR_ENOTFOUND, "\"%.*s\" is a %s, not a directory", (int)len, name,
				vtr_type_noun(st.type));
	*out = next;
	return 1;
}

int vtr_tree_walk(struct vtr_place *out, struct vtr_tree *t, const char *path, unsigned flags, struct vtr_error *err)
{
	struct path_walk w = { .t = t, .flags = flags };
	struct vtr_error local = { 0 };
	int r = -1;

	if (!err)
		err = &local;
	if (path[0] == 0) /* as POSIX has it */
		return vtr_fail(err, VTR_ENOTFOUND, "an empty path");
	if (VTR_OVER(t->ctx, path_len, strlen(path), "bytes of path", err) < 0 || path_to_root(&w, err) < 0 ||
	    !(w.rest = vtr_strndup(path, strlen(path), err)))
		goto done;
	if (t->n_drives > 0) {
		w.flags |= VTR_WALK_ICASE;
		if (path_enter(&w, NULL, err) < 0)
			goto done;
	}
	while ((r = path_step(out, &w, err)) == 0)
		;
done:
	free(w.rest);
	free(w.stack);
	return r < 0 ? vtr_at(err, "%s", path) : 0;
}

int vtr_tree_mount(struct vtr_tree *t, const char *path, struct vtr_fs *fs, struct vtr_error *err)
{
	struct vtr_place at;
	struct vtr_stat st;

	if (vtr_tree_walk(&at, t, path, 0, err) < 0 || vtr_fs_stat(&st, at.fs, at.node, err) < 0)
		return -1;
	if (st.type != VTR_TYPE_DIR)
		return vtr_fail(err, VTR_EUSAGE, "%s: a %s, not a directory", path, vtr_type_noun(st.type));
	for (size_t i = 0; i < t->n; i++)
		if (t->mounts[i].fs == fs)
			return vtr_fail(err, VTR_EUSAGE, "%s: the filesystem is mounted in this tree already", path);
	if (fs == t->root)
		return vtr_fail(err, VTR_EUSAGE, "%s: the filesystem is the root of this tree", path);
	if (VTR_OVER(t->ctx, devices, t->n + 1, "mounts", err) < 0 || !VTR_GROW(t->mounts, t->n, t->cap, err))
		return -1;
	t->mounts[t->n++] = (struct vtr_tree_mount){ .at = at, .fs = vtr_fs_ref(fs) };
	return 0;
}

/* A regular file of at most max bytes. */
static int path_find_file(struct vtr_place *out, uint64_t *size, struct vtr_tree *t, const char *path, uint64_t max,
			  struct vtr_error *err)
{
	struct vtr_stat st;

	if (vtr_tree_walk(out, t, path, 0, err) < 0 || vtr_fs_stat(&st, out->fs, out->node, err) < 0)
		return -1;
	if (st.type != VTR_TYPE_FILE)
		return vtr_fail(err, VTR_EUSAGE, "%s: a %s, not a file", path, vtr_type_noun(st.type));
	if (st.size > max)
		return vtr_fail(err, VTR_ELIMIT, "%s: %" PRIu64 " bytes, at most %" PRIu64 " are read", path, st.size,
				max);
	*size = st.size;
	return 0;
}

/* Fill buf, and put a NUL behind what there is. */
static int path_read_file(char *buf, size_t *len, const struct vtr_place *p, uint64_t size, const char *path,
			  struct vtr_error *err)
{
	size_t have = 0;

	while (have < size) {
		ssize_t n = vtr_fs_read(p->fs, p->node, have, buf + have, (size_t)size - have, err);

		if (n < 0)
			return vtr_at(err, "%s", path);
		if (n == 0)
			break;
		have += (size_t)n;
	}
	buf[have] = 0;
	*len = have;
	return 0;
}

int vtr_tree_slurp(char **out, size_t *len, struct vtr_tree *t, const char *path, uint64_t max, struct vtr_error *err)
{
	VTR_FREE char *buf = NULL;
	struct vtr_place p;
	uint64_t size;

	if (path_find_file(&p, &size, t, path, max, err) < 0)
		return -1;
	buf = malloc((size_t)size + 1);
	if (!buf)
		return vtr_fail(err, VTR_ENOMEM, "%s: out of memory: %" PRIu64 " bytes", path, size);
	if (path_read_file(buf, len, &p, size, path, err) < 0)
		return -1;
	*out = vtr_steal(buf);
	return 0;
}

int vtr_tree_slurp_held(char **out, size_t *len, struct vtr_tree *t, const char *path, uint64_t max,
			struct vtr_error *err)
{
	VTR_HELD char *buf = NULL;
	struct vtr_place p;
	uint64_t size;

	if (path_find_file(&p, &size, t, path, max, err) < 0)
		return -1;
	buf = vtr_hold(t->ctx, size + 1, 1, path, err);
	if (!buf || path_read_file(buf, len, &p, size, path, err) < 0)
		return -1;
	*out = vtr_steal(buf);
	return 0;
}
