/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Patterns of paths, glob(7): "*", "?" and "[…]" in one name after the other. What matches is a set of names as the shell
 * would make it: a "." in front is matched by a "." alone, and the paths are sorted by their bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/text.h"
#include "fs/pattern.h"
#include "fs/tree.h"

struct glob_paths {
	char **v;
	size_t n, cap;
};

struct glob {
	struct vtr_tree *t;
	struct vtr_pattern how;
	uint64_t held, steps;
	struct glob_paths now, next; /* what the pattern's first names stand for; and with the one that is looked at */
};

static void glob_paths_done(struct glob_paths *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i]);
	free(p->v);
	*p = (struct glob_paths){ .v = NULL };
}

static void glob_done(struct glob *g)
{
	glob_paths_done(&g->now);
	glob_paths_done(&g->next);
	vtr_uncharge(g->t->ctx, g->held);
}

/* base, a slash where there is none, and a name. */
static int glob_add(struct glob *g, const char *base, const char *name, size_t len, struct vtr_error *err)
{
	struct vtr_ctx *ctx = g->t->ctx;
	size_t base_len = strlen(base);
	VTR_FREE char *path = NULL;

	if (VTR_OVER(ctx, entries, g->next.n + 1, "paths of a pattern", err) < 0 ||
	    VTR_OVER(ctx, path_len, base_len + len + 1, "path", err) < 0 ||
	    vtr_charge(ctx, base_len + len + 32, "paths of a pattern", err) < 0)
		return -1;
	g->held += base_len + len + 32;
	path = vtr_calloc(1, base_len + len + 2, err);
	if (!path || !VTR_GROW(g->next.v, g->next.n, g->next.cap, err))
		return -1;
	memcpy(path, base, base_len);
	if (base_len > 0 && base[base_len - 1] != '/' && len > 0)
		path[base_len++] = '/';
	memcpy(path + base_len, name, len);
	g->next.v[g->next.n++] = vtr_steal(path);
	return 0;
}

/* -------------------------------------------------------------------------------------------------------- expanding */

/* The names that a pattern of a name stands for: a "." in front is matched by a "." alone. */
static bool glob_match(const struct vtr_pattern *how, const char *p, const char *p_end, const char *s,
		       const char *s_end)
{
	if (s < s_end && *s == '.' && (p == p_end || (*p != '.' && !(how->escapes && *p == '\\' && p[1] == '.'))))
		return false;
	return vtr_pattern_match(how, p, p_end, s, s_end) == VTR_PATTERN_FITS;
}

struct glob_emit {
	struct glob *g;
	const char *base, *p, *end;
	struct vtr_error *err;
};

static int glob_emit(void *arg, const struct vtr_dirent *d)
{
	struct glob_emit *e = arg;

	/* What matching costs at most. */
	if (vtr_tick(e->g->t->ctx, &e->g->steps, 1 + d->name_len * (size_t)(e->end - e->p) / 4096, e->err) < 0)
		return -1;
	if (!glob_match(&e->g->how, e->p, e->end, d->name, d->name + d->name_len))
		return 0;
	return glob_add(e->g, e->base, d->name, d->name_len, e->err);
}

/* Whether a path that cannot be followed is a symbolic link itself: one that leads in a circle, and to no directory. */
static bool glob_is_circle(struct glob *g, const char *path)
{
	struct vtr_place place;
	struct vtr_stat st;

	return vtr_tree_walk(&place, g->t, path, VTR_WALK_NOFOLLOW, NULL) == 0 &&
	       vtr_fs_stat(&st, place.fs, place.node, NULL) == 0 && st.type == VTR_TYPE_SYMLINK;
}

/* Each name in a directory that matches. What is no directory has none; one that is damaged is warned of. */
static int glob_in(struct glob *g, const char *base, const char *p, const char *end, struct vtr_error *err)
{
	struct vtr_error local = { 0 };
	struct glob_emit e = { g, base, p, end, &local };
	struct vtr_place place;
	struct vtr_stat st;

	if (vtr_tree_walk(&place, g->t, base, 0, &local) < 0 || vtr_fs_stat(&st, place.fs, place.node, &local) < 0) {
		if (vtr_error_is(&local, VTR_KINDS_ABSENT) ||
		    (vtr_error_is(&local, VTR_KIND_LIMITED) && glob_is_circle(g, base)))
			return 0;
	} else if (st.type != VTR_TYPE_DIR || vtr_fs_readdir(place.fs, place.node, glob_emit, &e, &local) == 0) {
		return 0;
	}
	if (vtr_error_ends(&local)) {
		if (err)
			*err = local;
		return -1;
	}
	vtr_error_at(&local, "%s", base);
	vtr_warn_err(g->t->ctx, &local);
	return 0;
}

/* A name without a pattern, of which the backslashes are taken away; it need not be there. */
static int glob_literal(struct glob *g, const char *base, const char *p, const char *end, struct vtr_error *err)
{
	VTR_FREE char *name = vtr_calloc(1, (size_t)(end - p) + 1, err);
	size_t n = 0;

	if (!name)
		return -1;
	for (; p < end; p++) {
		if (g->how.escapes && *p == '\\' && end - p > 1)
			p++;
		name[n++] = *p;
	}
	return glob_add(g, base, name, n, err);
}

/* Whether a path is there; one that ends in a slash: as a directory. */
static bool glob_is_there(struct glob *g, const char *path)
{
	size_t len = strlen(path);
	bool dir = len > 1 && path[len - 1] == '/';
	struct vtr_place place;
	struct vtr_stat st;

	if (vtr_tree_walk(&place, g->t, path, dir ? 0 : VTR_WALK_NOFOLLOW, NULL) < 0)
		return false;
	return !dir || (vtr_fs_stat(&st, place.fs, place.node, NULL) == 0 && st.type == VTR_TYPE_DIR);
}

/* Where the names of a path begin: behind "/", "D:/", or "//?/Volume{…}/". */
static const char *glob_names(const char *path)
{
	const char *p = path;

	if (strncmp(path, "//?/", 4) == 0)
		p = path + 4 + strcspn(path + 4, "/");
	else if (path[0] && path[1] == ':' && path[2] == '/')
		p = path + 2;
	return p + strspn(p, "/");
}

static int glob_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names of a pattern after each other: *out is the paths, of which the last names need not be there. */
static int glob_expand(struct glob *g, const char *pattern, struct vtr_error *err)
{
	const char *p = glob_names(pattern);

	if (glob_add(g, "", pattern, (size_t)(p - pattern), err) < 0)
		return -1;
	while (*p) {
		const char *end = p + strcspn(p, "/"), *after = end + strspn(end, "/");

		glob_paths_done(&g->now);
		g->now = g->next;
		g->next = (struct glob_paths){ .v = NULL };
		for (size_t i = 0; i < g->now.n; i++)
			if ((vtr_pattern_is(&g->how, p, end) ? glob_in(g, g->now.v[i], p, end, err)
							     : glob_literal(g, g->now.v[i], p, end, err)) < 0)
				return -1;
		/* A slash at the end asks for directories. */
		for (size_t i = 0; *end && !*after && i < g->next.n; i++) {
			char *with = realloc(g->next.v[i], strlen(g->next.v[i]) + 2);

			if (!with)
				return vtr_fail(err, VTR_ENOMEM, "out of memory");
			strcat(with, "/");
			g->next.v[i] = with;
		}
		p = after;
	}
	return 0;
}

int vtr_tree_glob(struct vtr_tree *t, const char *pattern, vtr_glob_fn *fn, void *arg, struct vtr_error *err)
{
	VTR_CLEANUP(glob_done) struct glob g = { .t = t, .how = vtr_pattern_of(t) };
	VTR_FREE char *path = NULL;
	bool pattern_is;
	int r = 0, found = 0;

	if (vtr_tree_path(&path, t, pattern, err) < 0)
		return -1;
	pattern_is = vtr_pattern_is(&g.how, glob_names(path), path + strlen(path));
	if ((!pattern_is && !(g.how.escapes && strchr(path, '\\'))) || glob_is_there(&g, path))
		return fn(arg, path);
	if (glob_expand(&g, path, err) < 0)
		return vtr_at(err, "%s", pattern);
	if (g.next.n > 1)
		qsort(g.next.v, g.next.n, sizeof(g.next.v[0]), glob_compare);
	for (size_t i = 0; i < g.next.n && r == 0; i++) {
		if (!glob_is_there(&g, g.next.v[i]))
			continue;
		found++;
		r = fn(arg, g.next.v[i]);
	}
	if (found == 0 && !pattern_is)
		return fn(arg, path);
	if (found == 0)
		return vtr_fail(err, VTR_ENOTFOUND, "%s: no path matches", pattern);
	return r;
}
