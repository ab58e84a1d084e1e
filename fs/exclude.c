/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Paths that a walk leaves out, by the patterns of GNU tar's --exclude ("Controlling Pattern-Matching" of its manual: with
 * wildcards, not anchored, "*" matches a slash, and what lies below a match is excluded with it). A walk does not enter what
 * is excluded, so below its start only whole paths are matched; the start itself may lie in what is excluded.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/text.h"
#include "fs/pattern.h"

struct vtr_exclude {
	char **patterns; /* as they were given */
	size_t n, cap;
	char **ready; /* n of them, for the tree of the walk */
	struct vtr_pattern how;
	char *path; /* the start of the walk, and what is asked about */
	size_t start, path_cap;
};

static void exclude_forget(struct vtr_exclude *x)
{
	for (size_t i = 0; x->ready && i < x->n; i++)
		free(x->ready[i]);
	free(x->ready);
	x->ready = NULL;
}

struct vtr_exclude *vtr_exclude_new(struct vtr_error *err)
{
	return vtr_calloc(1, sizeof(struct vtr_exclude), err);
}

void vtr_exclude_free(struct vtr_exclude *x)
{
	if (!x)
		return;
	exclude_forget(x);
	for (size_t i = 0; i < x->n; i++)
		free(x->patterns[i]);
	free(x->patterns);
	free(x->path);
	free(x);
}

int vtr_exclude_add(struct vtr_exclude *x, const char *pattern, struct vtr_error *err)
{
	VTR_FREE char *copy = vtr_strndup(pattern, strlen(pattern), err);

	if (!copy || !VTR_GROW(x->patterns, x->n, x->cap, err))
		return -1;
	exclude_forget(x);
	x->patterns[x->n++] = vtr_steal(copy);
	return 0;
}

/* Paths begin with a slash; those of "tar -C / ." with "./". On Windows they do with a drive, unless it is the one at "/". */
static char *exclude_ready(const struct vtr_tree *t, const char *pattern, struct vtr_error *err)
{
	char *copy;

	if (pattern[0] == '.' && (pattern[1] == '/' || (pattern[1] == '\\' && t->n_drives > 0)))
		pattern++;
	else if (pattern[0] && pattern[1] == ':' && vtr_tree_drive(t, pattern[0]) == t->root)
		pattern += 2;
	copy = vtr_strndup(pattern, strlen(pattern), err);
	for (char *p = copy; p && *p && t->n_drives > 0; p++)
		if (*p == '\\')
			*p = '/';
	return copy;
}

/* A pattern with wildcards that ends in a backslash, which keeps nothing: it fits nothing (fnmatch(3) of the GNU C library). */
static bool exclude_is_open(const struct vtr_pattern *how, const char *p)
{
	bool wild = false;

	for (; how->escapes && *p; p++) {
		wild = wild || strchr("*?[", *p);
		if (*p == '\\' && *++p == 0)
			return wild;
	}
	return false;
}

/* Whether a pattern fits the path or one of its ends. A "/" in front is met at the start alone. */
static bool exclude_fits(struct vtr_pattern how, const char *p, const char *path, size_t len)
{
	const char *p_end = p + strlen(p), *end = path + len;

	if (exclude_is_open(&how, p))
		return false;
	/* A part of a character is a pattern, too. */
	how.bytes = !vtr_utf8_is(p, (size_t)(p_end - p));
	for (const char *s = path; s && s < end;) {
		enum vtr_pattern_fit fit = vtr_pattern_match(&how, p, p_end, s, end);

		if (fit != VTR_PATTERN_NOT)
			return fit == VTR_PATTERN_FITS;
		s = memchr(s, '/', (size_t)(end - s));
		if (s)
			s++;
	}
	return false;
}

static int exclude_path(const struct vtr_exclude *x, size_t len)
{
	for (size_t i = 0; i < x->n; i++)
		if (exclude_fits(x->how, x->ready[i], x->path, len))
			return 1;
	return 0;
}

/* Put a name behind the first len bytes of the path. */
static int exclude_put(struct vtr_exclude *x, size_t len, const char *name, size_t name_len, struct vtr_error *err)
{
	if (len + name_len + 2 > x->path_cap) {
		size_t cap = 2 * (len + name_len + 2);
		char *path = realloc(x->path, cap);

		if (!path)
			return vtr_fail(err, VTR_ENOMEM, "out of memory: a path");
		x->path = path;
		x->path_cap = cap;
	}
	x->path[len] = '/';
	memcpy(x->path + len + 1, name, name_len);
	x->path[len + 1 + name_len] = 0;
	return 0;
}

/* The names of the path that the walk starts at: without ".", and ".." takes one away. */
static int exclude_start(struct vtr_exclude *x, const char *p, struct vtr_error *err)
{
	size_t drive = p[0] && p[1] == ':' && (p[2] == '/' || !p[2]) ? 2 : 0;

	x->start = 0;
	if (exclude_put(x, 0, "", 0, err) < 0)
		return -1;
	if (drive) {
		if (exclude_put(x, 0, p, drive, err) < 0)
			return -1;
		memmove(x->path, x->path + 1, drive + 1);
		x->start = drive;
		p += drive;
	}
	for (p += strspn(p, "/"); *p; p += strspn(p, "/")) {
		size_t len = strcspn(p, "/");

		if (len == 2 && memcmp(p, "..", 2) == 0) {
			while (x->start > drive && x->path[--x->start] != '/')
				;
		} else if (len != 1 || *p != '.') {
			if (exclude_put(x, x->start, p, len, err) < 0)
				return -1;
			x->start += 1 + len;
		}
		p += len;
	}
	return 0;
}

int vtr_exclude_begin(struct vtr_exclude *x, struct vtr_tree *t, const char *path, struct vtr_error *err)
{
	VTR_FREE char *whole = NULL;

	exclude_forget(x);
	x->how = vtr_pattern_of(t);
	x->ready = vtr_calloc(x->n + 1, sizeof(*x->ready), err);
	if (!x->ready || vtr_tree_path(&whole, t, path, err) < 0)
		return -1;
	for (size_t i = 0; i < x->n; i++)
		if (!(x->ready[i] = exclude_ready(t, x->patterns[i], err)))
			return -1;
	if (exclude_start(x, whole, err) < 0)
		return -1;
	for (size_t len = 1; len <= x->start; len++)
		if ((len == x->start || x->path[len] == '/') && exclude_path(x, len))
			return 1;
	return x->start == 0 ? exclude_path(x, 1) : 0;
}

int vtr_exclude_has(struct vtr_exclude *x, const char *path, size_t len, struct vtr_error *err)
{
	if (!x || len == 0 || x->n == 0)
		return 0;
	if (!x->ready)
		return vtr_fail(err, VTR_EUSAGE, "vtr_exclude_begin() comes first");
	return exclude_put(x, x->start, path, len, err) < 0 ? -1 : exclude_path(x, x->start + 1 + len);
}
