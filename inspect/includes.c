/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that name others: a stack of those that are open, and what patterns of paths stand for. */
#include "inspect/includes.h"

#include <stdlib.h>

#include "base/checked.h"

void vtr_paths_done(struct vtr_paths *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i]);
	free(p->v);
	*p = (struct vtr_paths){ .n = 0 };
}

int vtr_paths_add(struct vtr_paths *p, struct vtr_os *os, struct vtr_span path, struct vtr_error *err)
{
	if (VTR_OVER(os->ctx, records, p->n + 1, "files that others name", err) < 0 ||
	    !VTR_GROW(p->v, p->n, p->cap, err))
		return -1;
	p->v[p->n] = vtr_strndup(path.p, path.len, err);
	return p->v[p->n] ? (p->n++, 0) : -1;
}

static bool paths_magic(struct vtr_span part)
{
	for (size_t i = 0; i < part.len; i++)
		if (memchr("*?[\\", part.p[i], 4))
			return true;
	return false;
}

struct paths_listing {
	struct vtr_paths *out;
	struct vtr_span part;
	bool last;
};

static int paths_listed(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	const struct paths_listing *l = arg;

	/* A star does not stand for a dot in front. */
	if ((*e->name == '.' && *l->part.p != '.') || (!l->last && e->type == VTR_TYPE_FILE) ||
	    !vtr_span_glob(vtr_span_of(e->name), l->part))
		return 0;
	return vtr_paths_add(l->out, os, vtr_span_of(e->path), err);
}

static int paths_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What one part of a pattern makes of the paths so far: from becomes empty. */
static int paths_step(struct vtr_paths *out, struct vtr_paths *from, struct vtr_os *os, struct vtr_span part, bool last,
		      struct vtr_error *err)
{
	struct paths_listing l = { out, part, last };
	int rc = 0;

	for (size_t i = 0; i < from->n && rc == 0; i++) {
		struct vtr_str s = { 0 };
		VTR_FREE char *path = NULL;

		if (paths_magic(part)) {
			rc = vtr_os_list(os, *from->v[i] ? from->v[i] : "/", paths_listed, &l, err);
			continue;
		}
		vtr_str_putf(&s, "%s/", from->v[i]);
		vtr_str_put(&s, part.p, part.len);
		path = vtr_str_take(&s, err);
		rc = path ? vtr_paths_add(out, os, vtr_span_of(path), err) : -1;
	}
	vtr_paths_done(from);
	return rc;
}

int vtr_os_glob(struct vtr_paths *out, struct vtr_os *os, struct vtr_span pattern, struct vtr_error *err)
{
	struct vtr_paths paths = { .n = 0 };
	struct vtr_span rest = pattern, part;
	bool magic = paths_magic(pattern);
	int rc = pattern.len > 0 && *pattern.p == '/' && !memchr(pattern.p, 0, pattern.len)
			 ? vtr_paths_add(&paths, os, vtr_span_of(""), err)
			 : 0;

	while (rc == 0 && paths.n > 0 && vtr_span_field(&part, &rest, '/')) {
		struct vtr_paths next = { .n = 0 };

		if (part.len == 0)
			continue;
		rc = paths_step(&next, &paths, os, part, rest.len == 0, err);
		paths = next;
	}
	for (size_t i = 0; rc == 0 && i < paths.n; i++) {
		int there = magic ? vtr_os_there(os, paths.v[i], err) : 1;

		rc = there > 0 ? vtr_paths_add(out, os, vtr_span_of(paths.v[i]), err) : there;
	}
	vtr_paths_done(&paths);
	if (rc == 0 && out->n > 1)
		qsort(out->v, out->n, sizeof(*out->v), paths_compare);
	return rc;
}

static struct vtr_include *includes_new(struct vtr_includes *i, const char *path, struct vtr_error *err)
{
	struct vtr_include *f = VTR_GROW(i->v, i->n, i->cap, err) ? vtr_calloc(1, sizeof(*f), err) : NULL;

	if (!f)
		return NULL;
	i->v[i->n++] = f;
	f->path = vtr_strndup(path, strlen(path), err);
	f->skipped = (struct vtr_skipped){ .os = i->os, .path = f->path };
	return f->path ? f : NULL;
}

/* Whether a file is named for the first time: 1, 0, -1. */
static int includes_first(struct vtr_includes *i, const char *path, struct vtr_error *err)
{
	for (size_t k = 0; i->once && k < i->seen.n; k++)
		if (strcmp(i->seen.v[k], path) == 0)
			return 0;
	return i->once && vtr_paths_add(&i->seen, i->os, vtr_span_of(path), err) < 0 ? -1 : 1;
}

int vtr_includes_text(struct vtr_includes *i, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_include *f = includes_new(i, path, err);

	if (!f)
		return -1;
	f->text = vtr_strndup(text, len, err);
	f->rest = (struct vtr_span){ f->text, len };
	i->files++;
	return f->text && includes_first(i, path, err) >= 0 ? 0 : -1;
}

/* Leave those out that were read already. */
static int includes_once(struct vtr_includes *i, struct vtr_paths *paths, struct vtr_error *err)
{
	size_t n = 0;
	int first = 1;

	for (size_t k = 0; k < paths->n; k++) {
		first = first < 0 ? first : includes_first(i, paths->v[k], err);
		if (first > 0)
			paths->v[n++] = paths->v[k];
		else
			free(paths->v[k]);
	}
	paths->n = n;
	return first < 0 ? -1 : 0;
}

int vtr_includes_push(struct vtr_includes *i, struct vtr_paths *paths, struct vtr_error *err)
{
	size_t depth = i->n > 0 ? i->v[i->n - 1]->depth + 1 : 0;
	int rc = includes_once(i, paths, err);
	size_t n = rc == 0 ? paths->n : 0;

	if (n > 0 && (depth >= i->max_depth || n > i->max_files - VTR_MIN(i->files, i->max_files))) {
		if (!i->lost)
			vtr_os_warn(i->os, paths->v[0], VTR_ELIMIT,
				    "more than %zu files, or more than %zu within each other: the others are left out",
				    i->max_files, i->max_depth);
		i->lost = true;
		n = depth < i->max_depth ? i->max_files - VTR_MIN(i->files, i->max_files) : 0;
	}
	i->files += n;
	while (rc == 0 && n > 0) {
		struct vtr_include *f = includes_new(i, paths->v[--n], err);

		if (f)
			f->depth = depth;
		rc = f ? 0 : -1;
	}
	vtr_paths_done(paths);
	return rc;
}

static void includes_pop(struct vtr_includes *i)
{
	struct vtr_include *f = i->v[--i->n];

	vtr_skip_end(&f->skipped);
	free(f->path);
	free(f->text);
	free(f);
}

int vtr_includes_next(struct vtr_include **out, struct vtr_includes *i, struct vtr_error *err)
{
	while (i->n > 0) {
		struct vtr_include *f = i->v[i->n - 1];
		int there = 1;
		size_t len = 0;

		if (!f->text) {
			there = vtr_os_text_slurp(&f->text, &len, i->os, f->path, err);
			f->rest = (struct vtr_span){ f->text, there > 0 ? len : 0 };
		}
		if (there < 0 || vtr_ctx_check(i->os->ctx, err) < 0)
			return -1;
		*out = f;
		if (f->rest.len > 0)
			return 1;
		includes_pop(i);
	}
	return 0;
}

void vtr_includes_done(struct vtr_includes *i)
{
	while (i->n > 0)
		includes_pop(i);
	free(i->v);
	i->v = NULL;
	vtr_paths_done(&i->seen);
}
