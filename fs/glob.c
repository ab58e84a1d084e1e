/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Patterns of paths, glob(7): "*", "?" and "[…]" in one name after the other. What matches is a set of names as the shell
 * would make it: a "." in front is matched by a "." alone, and the paths are sorted by their bytes.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/text.h"
#include "fs/tree.h"

struct glob_paths {
	char **v;
	size_t n, cap;
};

struct glob {
	struct vtr_tree *t;
	bool fold;    /* names are compared without regard to case */
	bool escapes; /* a backslash keeps the character after it */
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

/* ---------------------------------------------------------------------------------------------------------- matching */

/* A character, or a byte that is none, beyond all code points; in small letters where case does not count. */
static uint32_t glob_char(const struct glob *g, const char **p, const char *end)
{
	uint32_t c;
	size_t n = vtr_utf8_next(&c, (const uint8_t *)*p, (size_t)(end - *p));

	if (n == 0) {
		c = 0x110000u + (uint8_t) * *p;
		n = 1;
	}
	*p += n;
	return g->fold ? vtr_path_lower(c) : c;
}

/* A character of the pattern, of which a backslash is taken away. */
static uint32_t glob_pattern_char(const struct glob *g, const char **p, const char *end)
{
	if (g->escapes && **p == '\\' && end - *p > 1)
		++*p;
	return glob_char(g, p, end);
}

/* A class in a set, "[:alpha:]", at p: its length, and whether it has c; 0: it is none. Letters are those of ASCII. */
static size_t glob_class(bool *has, const char *p, const char *end, uint32_t c)
{
	static const struct {
		const char *name;
		int (*is)(int c);
	} classes[] = {
		{ "[:alnum:]", isalnum }, { "[:alpha:]", isalpha }, { "[:blank:]", isblank },
		{ "[:cntrl:]", iscntrl }, { "[:digit:]", isdigit }, { "[:graph:]", isgraph },
		{ "[:lower:]", islower }, { "[:print:]", isprint }, { "[:punct:]", ispunct },
		{ "[:space:]", isspace }, { "[:upper:]", isupper }, { "[:xdigit:]", isxdigit },
	};

	for (size_t i = 0; i < VTR_COUNT(classes); i++) {
		size_t len = strlen(classes[i].name);

		if ((size_t)(end - p) < len || memcmp(p, classes[i].name, len) != 0)
			continue;
		*has = c < 0x80 && classes[i].is((int)c);
		return len;
	}
	return 0;
}

/* The end of a set that begins behind "[" at p; NULL: it does not end, and the "[" is a letter. */
static const char *glob_set_end(const struct glob *g, const char *p, const char *end)
{
	if (p < end && (*p == '!' || *p == '^'))
		p++;
	if (p < end && *p == ']')
		p++;
	while (p < end && *p != ']') {
		bool has;
		size_t len = glob_class(&has, p, end, 0);

		if (len == 0 && g->escapes && *p == '\\' && end - p > 1)
			len = 2;
		p += len ? len : 1;
	}
	return p < end ? p : NULL;
}

/* Whether a set, from behind its "[" to its "]", has c. */
static bool glob_set_has(const struct glob *g, const char *p, const char *end, uint32_t c)
{
	bool not = *p == '!' || *p == '^', found = false;

	p += not ;
	while (p < end) {
		uint32_t from, to;
		bool has;
		size_t len = glob_class(&has, p, end, c);

		if (len > 0) {
			p += len;
			found = found || has;
			continue;
		}
		from = to = glob_pattern_char(g, &p, end);
		if (end - p > 1 && *p == '-') {
			p++;
			to = glob_pattern_char(g, &p, end);
		}
		found = found || (c >= from && c <= to);
	}
	return found != not ;
}

/* The last "*" is where matching goes on when it fails: it takes one more character then. */
static bool glob_match(const struct glob *g, const char *p, const char *p_end, const char *s, const char *s_end)
{
	const char *star = NULL, *star_s = NULL;

	if (s < s_end && *s == '.' && (p == p_end || (*p != '.' && !(g->escapes && *p == '\\' && p[1] == '.'))))
		return false;
	for (;;) {
		const char *set, *at = s;
		uint32_t c;

		if (p < p_end && *p == '*') {
			star = ++p;
			star_s = s;
			continue;
		}
		if (s == s_end)
			return p == p_end;
		c = glob_char(g, &at, s_end);
		set = p < p_end && *p == '[' ? glob_set_end(g, p + 1, p_end) : NULL;
		if (set ? glob_set_has(g, p + 1, set, c) : p < p_end && *p == '?') {
			p = set ? set + 1 : p + 1;
			s = at;
			continue;
		}
		if (!set && p < p_end) {
			const char *next = p;

			if (glob_pattern_char(g, &next, p_end) == c) {
				p = next;
				s = at;
				continue;
			}
		}
		if (!star)
			return false;
		(void)glob_char(g, &star_s, s_end);
		p = star;
		s = star_s;
	}
}

/* Whether a name of a pattern has more than letters. */
static bool glob_is_pattern(const struct glob *g, const char *p, const char *end)
{
	for (; p < end; p++) {
		if (*p == '*' || *p == '?' || (*p == '[' && glob_set_end(g, p + 1, end)))
			return true;
		if (g->escapes && *p == '\\' && end - p > 1)
			p++;
	}
	return false;
}

/* -------------------------------------------------------------------------------------------------------- expanding */

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
	if (!glob_match(e->g, e->p, e->end, d->name, d->name + d->name_len))
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
		if (local.code == VTR_ENOTFOUND || local.code == VTR_EUSAGE ||
		    (local.code == VTR_ELIMIT && glob_is_circle(g, base)))
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
		if (g->escapes && *p == '\\' && end - p > 1)
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
			if ((glob_is_pattern(g, p, end) ? glob_in(g, g->now.v[i], p, end, err)
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
	VTR_CLEANUP(glob_done) struct glob g = { .t = t, .fold = t->n_drives > 0, .escapes = t->n_drives == 0 };
	VTR_FREE char *path = NULL;
	bool pattern_is;
	int r = 0, found = 0;

	if (vtr_tree_path(&path, t, pattern, err) < 0)
		return -1;
	pattern_is = glob_is_pattern(&g, glob_names(path), path + strlen(path));
	if ((!pattern_is && !(g.escapes && strchr(path, '\\'))) || glob_is_there(&g, path))
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
