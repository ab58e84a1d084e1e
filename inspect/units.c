/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The directories of systemd's unit files (systemd.unit(5), UNIT FILE LOAD PATH), held in memory: which file a name leads
 * to, its drop-ins, its state (systemctl(1), is-enabled), presets (systemd.preset(5)).
 *
 * /run is left out: it is empty when a system starts.
 */
#include "inspect/units.h"

#include <stdlib.h>

#include "base/checked.h"
#include "fs/fs.h"

#define UNITS_CONFIG 1u /* where administrators, and systemctl enable, put things */
#define UNITS_HOPS 64u	/* symlinks from one name to the next */
#define UNITS_NAME_MAX 255u

static const char *const units_dirs[] = {
	"/etc/systemd/system.control",	 "/etc/systemd/system",	    "/etc/systemd/system.attached",
	"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system",
};

static const char *const units_preset_dirs[] = { "/etc/systemd/system-preset", "/usr/local/lib/systemd/system-preset",
						 "/usr/lib/systemd/system-preset", "/lib/systemd/system-preset" };

/* ---------------------------------------------------------------------------------------------------------- names */

static const char *const units_types[] = { ".service", ".socket", ".device", ".mount", ".automount", ".swap",
					   ".target",  ".path",	  ".timer",  ".slice", ".scope" };

bool vtr_unit_name_is(struct vtr_span name)
{
	size_t stem = 0, at;

	if (name.len > UNITS_NAME_MAX)
		return false;
	for (size_t i = 0; i < VTR_COUNT(units_types); i++)
		if (vtr_span_ends(name, units_types[i]))
			stem = name.len - strlen(units_types[i]);
	at = vtr_span_find(name, '@');
	if (stem == 0 || at == 0)
		return false;
	for (size_t i = 0; i < stem; i++) {
		char c = name.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    !(c != 0 && strchr(":-_.\\@", c)))
			return false;
	}
	return true;
}

/* The parts of a name: "foo", "bar" of foo@bar.service. *instance.p NULL: it has no "@". */
static struct vtr_span units_prefix(struct vtr_span *instance, const char *name)
{
	const char *dot = strrchr(name, '.'), *at = strchr(name, '@');
	size_t stem = dot ? (size_t)(dot - name) : strlen(name);

	*instance = (struct vtr_span){ NULL, 0 };
	if (!at || (size_t)(at - name) >= stem)
		return (struct vtr_span){ name, stem };
	*instance = (struct vtr_span){ at + 1, stem - (size_t)(at + 1 - name) };
	return (struct vtr_span){ name, (size_t)(at - name) };
}

enum { UNITS_PLAIN, UNITS_TEMPLATE, UNITS_INSTANCE };

static int units_kind(const char *name)
{
	struct vtr_span instance;

	units_prefix(&instance, name);
	return !instance.p ? UNITS_PLAIN : instance.len == 0 ? UNITS_TEMPLATE : UNITS_INSTANCE;
}

/* PREFIX@INSTANCE.TYPE, or without "@" when instance.p is NULL; the type is that of name. The caller's. */
static char *units_build(struct vtr_span prefix, struct vtr_span instance, const char *name, struct vtr_error *err)
{
	const char *dot = strrchr(name, '.');
	struct vtr_str s = { 0 };

	vtr_str_put(&s, prefix.p, prefix.len);
	if (instance.p) {
		vtr_str_put(&s, "@", 1);
		vtr_str_put(&s, instance.p, instance.len);
	}
	vtr_str_puts(&s, dot ? dot : "");
	return vtr_str_take(&s, err);
}

char *vtr_unit_template(const char *name, struct vtr_error *err)
{
	struct vtr_span instance, prefix = units_prefix(&instance, name);

	return instance.p && instance.len > 0 ? units_build(prefix, (struct vtr_span){ "", 0 }, name, err) : NULL;
}

static const char *units_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* What target is from dir, without "." and ".." and with one slash each; links are not looked at. The caller's. */
static char *units_simplify(const char *dir, const char *target, struct vtr_error *err)
{
	VTR_FREE char *joined = NULL;
	struct vtr_str s = { 0 }, out = { 0 };
	struct vtr_span rest, part;

	if (*target != '/') {
		vtr_str_puts(&s, dir);
		vtr_str_put(&s, "/", 1);
	}
	vtr_str_puts(&s, target);
	joined = vtr_str_take(&s, err);
	if (!joined)
		return NULL;
	rest = vtr_span_of(joined);
	vtr_str_puts(&out, "");
	while (!out.oom && vtr_span_field(&part, &rest, '/')) {
		if (part.len == 0 || vtr_span_is(part, "."))
			continue;
		if (vtr_span_is(part, "..")) {
			while (out.len > 0 && out.p[--out.len] != '/')
				;
			continue;
		}
		vtr_str_put(&out, "/", 1);
		vtr_str_put(&out, part.p, part.len);
	}
	if (out.len == 0)
		vtr_str_put(&out, "/", 1);
	else if (!out.oom)
		out.p[out.len] = 0;
	return vtr_str_take(&out, err);
}

/* -------------------------------------------------------------------------------------------------------- loading */

struct units_listing {
	struct vtr_units *u;
	const char *owner;
	unsigned dir;
};

/* An empty file masks, and so does what leads to /dev/null; there need be no such node in the image. 1, 0, -1. */
static int units_null(struct vtr_os *os, const struct vtr_os_entry *e, const char *target, struct vtr_error *err)
{
	VTR_FREE char *dir = NULL, *path = NULL;
	struct vtr_stat st;
	int there;

	if (e->type == VTR_TYPE_FILE)
		return e->st->size == 0;
	if (!target)
		return 0;
	dir = vtr_strndup(e->path, (size_t)(units_base(e->path) - e->path), err);
	path = dir ? units_simplify(dir, target, err) : NULL;
	if (!path)
		return -1;
	if (strcmp(path, "/dev/null") == 0)
		return 1;
	there = vtr_os_look(NULL, &st, os, e->path, 0, err);
	if (there <= 0)
		return there;
	return st.type == VTR_TYPE_CHAR || (st.type == VTR_TYPE_FILE && st.size == 0);
}

static bool units_below_is(const char *name)
{
	static const char *const suffixes[] = { ".wants", ".requires", ".upholds", ".d" };

	for (size_t i = 0; i < VTR_COUNT(suffixes); i++)
		if (vtr_span_ends(vtr_span_of(name), suffixes[i]))
			return true;
	return false;
}

static int units_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	const struct units_listing *l = arg;
	struct vtr_units *u = l->u;
	struct vtr_unit_entry *added;
	int null;

	if (*l->owner == 0 && units_below_is(e->name)) {
		struct units_listing below = { u, e->name, l->dir };

		return vtr_os_list(os, e->path, units_entry, &below, err);
	}
	if (e->type != VTR_TYPE_FILE && e->type != VTR_TYPE_SYMLINK)
		return 0;
	if (vtr_span_ends(vtr_span_of(l->owner), ".d")
		    ? !vtr_span_ends(vtr_span_of(e->name), ".conf") || *e->name == '.'
		    : !vtr_unit_name_is(vtr_span_of(e->name)))
		return 0;
	if (VTR_OVER(os->ctx, records, u->n + 1, "files of units", err) < 0 || !VTR_GROW(u->v, u->n, u->cap, err))
		return -1;
	added = &u->v[u->n++];
	*added = (struct vtr_unit_entry){ .fs = e->fs, .dir = l->dir, .type = e->type };
	added->owner = vtr_strndup(l->owner, strlen(l->owner), err);
	added->name = added->owner ? vtr_strndup(e->name, strlen(e->name), err) : NULL;
	if (!added->name ||
	    (e->type == VTR_TYPE_SYMLINK && vtr_os_readlink(&added->target, NULL, os, e->path, err) < 0))
		return -1;
	null = units_null(os, e, added->target, err);
	added->null = null > 0;
	return null < 0 ? -1 : 0;
}

static int units_compare(const void *pa, const void *pb)
{
	const struct vtr_unit_entry *a = pa, *b = pb;
	int c = strcmp(a->owner, b->owner);

	if (c == 0)
		c = strcmp(a->name, b->name);
	return c != 0 ? c : (a->dir > b->dir) - (a->dir < b->dir);
}

/* Links by their own name, and by that of what they lead to. */
static int units_by_name(const void *pa, const void *pb)
{
	const struct vtr_unit_entry *const *a = pa, *const *b = pb;
	int c = strcmp((*a)->name, (*b)->name);

	return c != 0 ? c : (*a > *b) - (*a < *b);
}

static int units_by_target(const void *pa, const void *pb)
{
	const struct vtr_unit_entry *const *a = pa, *const *b = pb;
	int c = strcmp(units_base((*a)->target), units_base((*b)->target));

	return c != 0 ? c : (*a > *b) - (*a < *b);
}

static int units_index(struct vtr_units *u, struct vtr_error *err)
{
	if (u->n == 0)
		return 0;
	qsort(u->v, u->n, sizeof(*u->v), units_compare);
	u->by_name = vtr_calloc(u->n, sizeof(*u->by_name), err);
	u->by_target = vtr_calloc(u->n, sizeof(*u->by_target), err);
	if (!u->by_name || !u->by_target)
		return -1;
	for (size_t i = 0; i < u->n; i++)
		if (u->v[i].target && !vtr_span_ends(vtr_span_of(u->v[i].owner), ".d")) {
			u->by_name[u->n_links] = &u->v[i];
			u->by_target[u->n_links++] = &u->v[i];
		}
	qsort(u->by_name, u->n_links, sizeof(*u->by_name), units_by_name);
	qsort(u->by_target, u->n_links, sizeof(*u->by_target), units_by_target);
	return 0;
}

void vtr_units_done(struct vtr_units *u)
{
	for (size_t i = 0; i < u->n; i++) {
		free(u->v[i].owner);
		free(u->v[i].name);
		free(u->v[i].target);
	}
	for (size_t i = 0; i < u->n_presets; i++) {
		free(u->presets[i].pattern);
		free(u->presets[i].instances);
	}
	free(u->v);
	free(u->by_name);
	free(u->by_target);
	free(u->presets);
	*u = (struct vtr_units){ .os = NULL };
}

/* -------------------------------------------------------------------------------------------------------- presets */

static int units_preset_line(struct vtr_units *u, struct vtr_span line, struct vtr_error *err)
{
	struct vtr_span verdict, pattern;
	struct vtr_unit_preset *p;

	line = vtr_span_trim(line);
	if (line.len == 0 || *line.p == '#' || *line.p == ';' || !vtr_span_word(&verdict, &line) ||
	    !vtr_span_word(&pattern, &line))
		return 0;
	if (!vtr_span_is(verdict, "enable") && !vtr_span_is(verdict, "disable") && !vtr_span_is(verdict, "ignore"))
		return 0;
	if (VTR_OVER(u->os->ctx, records, u->n_presets + 1, "presets", err) < 0 ||
	    !VTR_GROW(u->presets, u->n_presets, u->cap_presets, err))
		return -1;
	p = &u->presets[u->n_presets++];
	*p = (struct vtr_unit_preset){ .verdict = vtr_span_is(verdict, "enable")    ? 1
						  : vtr_span_is(verdict, "disable") ? 0
										    : -1 };
	p->pattern = vtr_strndup(pattern.p, pattern.len, err);
	line = vtr_span_trim(line);
	p->instances = line.len > 0 && p->pattern ? vtr_strndup(line.p, line.len, err) : NULL;
	return p->pattern && (line.len == 0 || p->instances) ? 0 : -1;
}

static int units_presets_load(struct vtr_units *u, struct vtr_error *err)
{
	struct vtr_merged files = { .n = 0 };
	int rc = vtr_os_merge(&files, u->os, units_preset_dirs, VTR_COUNT(units_preset_dirs), ".preset", err);

	for (size_t i = 0; rc == 0 && i < files.n; i++) {
		VTR_FREE char *text = NULL;
		size_t len = 0;
		struct vtr_span rest, line;
		int there = vtr_os_text_slurp(&text, &len, u->os, files.paths[i], err);

		rc = there < 0 ? -1 : 0;
		rest = (struct vtr_span){ text, there > 0 ? len : 0 };
		while (rc == 0 && vtr_span_line(&line, &rest))
			rc = units_preset_line(u, line, err);
	}
	vtr_merged_done(&files);
	return rc;
}

const char *vtr_unit_preset(const struct vtr_units *u, const char *name)
{
	struct vtr_span instance, prefix = units_prefix(&instance, name);
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; i < u->n_presets; i++) {
		const struct vtr_unit_preset *p = &u->presets[i];
		bool fits = vtr_span_glob(vtr_span_of(name), vtr_span_of(p->pattern));

		if (!fits && p->verdict > 0 && p->instances && instance.p && dot) {
			struct vtr_span rest = vtr_span_of(p->instances), word, pattern = vtr_span_of(p->pattern);

			/* "enable foo@.service one two" is for these two. */
			if (pattern.len == prefix.len + 1 + strlen(dot) &&
			    memcmp(pattern.p, prefix.p, prefix.len) == 0 && pattern.p[prefix.len] == '@' &&
			    vtr_span_ends(pattern, dot))
				while (!fits && vtr_span_word(&word, &rest))
					fits = word.len == instance.len && memcmp(word.p, instance.p, word.len) == 0;
		}
		if (fits)
			return p->verdict > 0 ? "enabled" : p->verdict == 0 ? "disabled" : "ignored";
	}
	return "enabled"; /* what no preset names */
}

int vtr_units_load(struct vtr_units *u, struct vtr_os *os, struct vtr_error *err)
{
	*u = (struct vtr_units){ .os = os };
	for (unsigned i = 0; i < VTR_COUNT(units_dirs); i++) {
		struct units_listing l = { u, "", i };
		int there = vtr_os_look(&u->places[i], NULL, os, units_dirs[i], 0, err);

		for (unsigned j = 0; there > 0 && j < i; j++)
			if (u->dirs[j] && u->places[j].fs == u->places[i].fs && u->places[j].node == u->places[i].node)
				there = 0; /* /lib is /usr/lib */
		u->dirs[i] = there > 0;
		if (there < 0 || (there > 0 && vtr_os_list(os, units_dirs[i], units_entry, &l, err) < 0))
			return -1;
	}
	return units_index(u, err) < 0 ? -1 : units_presets_load(u, err);
}

/* -------------------------------------------------------------------------------------------------------- finding */

size_t vtr_units_first(const struct vtr_units *u, const char *owner)
{
	size_t lo = 0, hi = u->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(u->v[mid].owner, owner) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The first of the owner's with this name and at least this dir. */
static const struct vtr_unit_entry *units_find_from(const struct vtr_units *u, const char *owner, const char *name,
						    unsigned dir)
{
	const struct vtr_unit_entry key = { .owner = (char *)owner, .name = (char *)name, .dir = dir };
	size_t lo = 0, hi = u->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (units_compare(&u->v[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < u->n && strcmp(u->v[lo].owner, owner) == 0 && strcmp(u->v[lo].name, name) == 0 ? &u->v[lo] : NULL;
}

const struct vtr_unit_entry *vtr_units_find(const struct vtr_units *u, const char *owner, const char *name)
{
	return units_find_from(u, owner, name, 0);
}

char *vtr_unit_entry_path(const struct vtr_unit_entry *e, struct vtr_error *err)
{
	struct vtr_str s = { 0 };

	vtr_str_putf(&s, "%s/%s%s%s", units_dirs[e->dir], e->owner, *e->owner ? "/" : "", e->name);
	return vtr_str_take(&s, err);
}

/* The directory of unit files that a path's parent is, -1: none, -2: an error. */
static int units_dir_of(const struct vtr_units *u, const char *path, struct vtr_error *err)
{
	VTR_FREE char *parent = vtr_strndup(path, (size_t)(units_base(path) - path), err);
	struct vtr_place place;
	int there = parent ? vtr_os_look(&place, NULL, u->os, *parent ? parent : "/", 0, err) : -1;

	for (unsigned i = 0; there > 0 && i < VTR_COUNT(units_dirs); i++)
		if (u->dirs[i] && u->places[i].fs == place.fs && u->places[i].node == place.node)
			return (int)i;
	return there < 0 ? -2 : -1;
}

/* Whether a link of this name may lead to that one: they are of one type, and both are templates, or neither is. */
static bool units_alias_fits(const char *name, const char *target)
{
	struct vtr_span a, b;
	int kind = units_kind(name), other = units_kind(target);
	const char *dot = strrchr(name, '.'), *dot_target = strrchr(target, '.');

	if (!vtr_unit_name_is(vtr_span_of(target)) || !dot || !dot_target || strcmp(dot, dot_target) != 0)
		return false;
	if (kind != UNITS_INSTANCE)
		return kind == other;
	units_prefix(&a, name);
	units_prefix(&b, target);
	return other == UNITS_TEMPLATE || (other == UNITS_INSTANCE && a.len == b.len && memcmp(a.p, b.p, a.len) == 0);
}

struct units_walk {
	const struct vtr_units *u;
	const struct vtr_unit_entry *at;
	char *name, *path; /* path: of a file outside */
	bool masked, bad, self;
};

/* The file or link that has the name, else its template's. */
static int units_search(struct units_walk *w, struct vtr_error *err)
{
	VTR_FREE char *template = NULL;

	w->at = vtr_units_find(w->u, "", w->name);
	if (w->at || units_kind(w->name) != UNITS_INSTANCE)
		return 0;
	template = vtr_unit_template(w->name, err);
	if (!template)
		return -1;
	w->at = vtr_units_find(w->u, "", template);
	return 0;
}

/* The link at w->at leads out of the directories: to a file, to nothing. */
static int units_outside(struct units_walk *w, const char *path, struct vtr_error *err)
{
	struct vtr_stat st;
	int there = vtr_os_look(NULL, &st, w->u->os, path, 0, err);

	if (there < 0)
		return -1;
	if (w->at->null)
		w->masked = true;
	else if (there == 0 || st.type != VTR_TYPE_FILE)
		w->bad = true;
	w->path = vtr_strndup(path, strlen(path), err);
	return w->path ? 0 : -1;
}

/* One link further. 1: go on, 0: this is the end of it, -1. */
static int units_step(struct units_walk *w, struct vtr_error *err)
{
	VTR_FREE char *path = NULL, *next = NULL, *dir = NULL;
	const struct vtr_unit_entry *at = w->at;
	struct vtr_span instance;
	const char *base;
	int into;

	if (!at->target) {
		w->masked = at->null;
		w->bad = at->type == VTR_TYPE_SYMLINK; /* it could not be read */
		return 0;
	}
	dir = vtr_strndup(units_dirs[at->dir], strlen(units_dirs[at->dir]), err);
	path = dir ? units_simplify(dir, at->target, err) : NULL;
	into = path ? units_dir_of(w->u, path, err) : -2;
	if (into == -2)
		return -1;
	if (into == -1)
		return units_outside(w, path, err);
	base = units_base(path);
	if (!units_alias_fits(at->name, base)) {
		w->bad = true;
		return 0;
	}
	units_prefix(&instance, w->name);
	if (units_kind(w->name) == UNITS_INSTANCE && units_kind(base) == UNITS_TEMPLATE) {
		struct vtr_span none, other = units_prefix(&none, base);

		next = units_build(other, instance, base, err);
	} else {
		next = vtr_strndup(base, strlen(base), err);
	}
	if (!next)
		return -1;
	if (strcmp(next, w->name) == 0) {
		/* The same name further down: that file, whatever lies between. */
		w->at = units_find_from(w->u, "", base, (unsigned)into);
		if (w->at && w->at->dir != (unsigned)into)
			w->at = NULL;
		w->bad = !w->at;
		/* A name that leads to itself is refused by systemctl; systemd takes the file all the same. */
		w->self = w->self || strcmp(at->name, base) == 0;
		return !w->bad;
	}
	free(w->name);
	w->name = vtr_steal(next);
	if (units_search(w, err) < 0)
		return -1;
	w->bad = !w->at;
	return !w->bad;
}

/* ---------------------------------------------------------------------------------------------------------- state */

/* [Install] of a unit and of its drop-ins. */
struct units_install {
	struct vtr_str aliases, wanted, required, upheld, also; /* lists */
	char *instance;
	bool refused;
};

static void units_install_words(struct vtr_str *list, struct vtr_span value)
{
	if (value.len == 0)
		list->len = 0;
	else
		vtr_list_put_words(list, value, ' ');
}

static int units_install_setting(void *arg, const struct vtr_setting *s, struct vtr_error *err)
{
	struct units_install *i = arg;

	if (!vtr_span_is(s->section, "Install"))
		return 0;
	if (vtr_span_is(s->key, "Alias")) {
		units_install_words(&i->aliases, s->value);
	} else if (vtr_span_is(s->key, "WantedBy")) {
		units_install_words(&i->wanted, s->value);
	} else if (vtr_span_is(s->key, "RequiredBy")) {
		units_install_words(&i->required, s->value);
	} else if (vtr_span_is(s->key, "UpheldBy")) {
		units_install_words(&i->upheld, s->value);
	} else if (vtr_span_is(s->key, "Also")) {
		vtr_list_put_words(&i->also, s->value, ' ');
	} else if (vtr_span_is(s->key, "DefaultInstance")) {
		free(i->instance);
		i->instance = vtr_strndup(s->value.p, s->value.len, err);
		return i->instance ? 0 : -1;
	}
	return 0;
}

static int units_install_read(struct units_install *i, const struct vtr_units *u, const char *path,
			      struct vtr_error *err)
{
	VTR_FREE char *text = NULL;
	size_t len, refused;
	int there = vtr_os_text_slurp(&text, &len, u->os, path, err);

	if (there <= 0)
		return there;
	if (vtr_settings(&refused, text, len, VTR_INI_SYSTEMD, units_install_setting, i, err) < 0)
		return -1;
	i->refused = i->refused || refused > 0; /* reported where the whole file is read */
	return 0;
}

static bool units_list_has(const struct vtr_str *list, const char *name)
{
	struct vtr_span rest = { list->p, list->len }, line;

	while (vtr_span_line(&line, &rest))
		if (vtr_span_is(line, name))
			return true;
	return false;
}

/* Whether a name is an instance of this template, whose name ends with "@.TYPE". */
static bool units_instance_is(const char *name, const char *template)
{
	struct vtr_span instance, prefix = units_prefix(&instance, name), none, other = units_prefix(&none, template);
	const char *dot = strrchr(name, '.'), *dot_template = strrchr(template, '.');

	return instance.p && instance.len > 0 && none.p && none.len == 0 && prefix.len == other.len &&
	       memcmp(prefix.p, other.p, prefix.len) == 0 && dot && dot_template && strcmp(dot, dot_template) == 0;
}

struct units_links {
	bool enabled, elsewhere, linked, other, other_elsewhere; /* elsewhere: outside of /etc */
};

static void units_link_look(struct units_links *found, const struct units_install *i, const struct units_walk *w,
			    const struct vtr_unit_entry *e, const char *default_name)
{
	bool same = strcmp(e->name, w->name) == 0;
	bool known =
		same || units_list_has(&i->aliases, e->name) || (default_name && strcmp(e->name, default_name) == 0);

	if (*e->owner) {
		/* A dependency counts by its own name, whatever it leads to; for a template, each of its instances. */
		if (!same && !units_instance_is(e->name, w->name))
			return;
	} else if (same) {
		/* Below the unit's own file such a link counts for nothing. */
		if (w->at && e->dir > w->at->dir && !w->path)
			return;
		if (strcmp(units_base(e->target), e->name) == 0) {
			found->linked = found->linked || e->dir == UNITS_CONFIG;
			return;
		}
	}
	if (e->dir == UNITS_CONFIG)
		*(known ? &found->enabled : &found->other) = true;
	else
		*(known ? &found->elsewhere : &found->other_elsewhere) = true;
}

static int units_links_find(struct units_links *found, const struct units_install *i, const struct units_walk *w,
			    struct vtr_error *err)
{
	const struct vtr_units *u = w->u;
	VTR_FREE char *default_name = NULL;
	size_t lo = 0, hi = u->n_links, stem;

	if (i->instance && units_kind(w->name) == UNITS_TEMPLATE) {
		struct vtr_span none, prefix = units_prefix(&none, w->name);

		default_name = units_build(prefix, vtr_span_of(i->instance), w->name, err);
		if (!default_name)
			return -1;
	}
	/* A template's instances have its name up to the "@" in common, and so have those of "foo@.socket". */
	stem = units_kind(w->name) == UNITS_TEMPLATE ? (size_t)(strchr(w->name, '@') + 1 - w->name)
						     : strlen(w->name) + 1;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strncmp(u->by_name[mid]->name, w->name, stem) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < u->n_links && strncmp(u->by_name[lo]->name, w->name, stem) == 0; lo++)
		if (*u->by_name[lo]->owner || strcmp(u->by_name[lo]->name, w->name) == 0)
			units_link_look(found, i, w, u->by_name[lo], default_name);
	lo = 0;
	hi = u->n_links;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(units_base(u->by_target[mid]->target), w->name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < u->n_links && strcmp(units_base(u->by_target[lo]->target), w->name) == 0; lo++)
		units_link_look(found, i, w, u->by_target[lo], default_name);
	return 0;
}

/* The drop-ins that systemctl looks for [Install] in: of the name and of its template alone. */
static int units_install_dropins(struct units_install *i, const struct vtr_units *u, const char *name,
				 struct vtr_error *err)
{
	VTR_FREE char *template = NULL;
	const char *names[3] = { name, NULL, NULL };
	char **paths = NULL;
	size_t n = 0;
	int rc;

	if (units_kind(name) == UNITS_INSTANCE) {
		template = vtr_unit_template(name, err);
		if (!template)
			return -1;
		names[1] = template;
	}
	rc = vtr_unit_dropins(&paths, &n, u, names, false, err);
	for (size_t k = 0; rc == 0 && k < n; k++)
		rc = units_install_read(i, u, paths[k], err);
	vtr_unit_paths_free(paths, n);
	return rc;
}

static int units_state(const char **state, const struct units_walk *w, const char *asked, const char *path,
		       struct vtr_error *err)
{
	struct units_install i = { .instance = NULL };
	struct units_links found = { .enabled = false };
	bool instance = units_kind(w->name) == UNITS_INSTANCE;
	int rc = 0;

	/* Those of another name are read for what is wrong with them; their settings are that name's. */
	if (strcmp(asked, w->name) != 0)
		rc = units_install_dropins(&i, w->u, asked, err);
	i.aliases.len = i.wanted.len = i.required.len = i.upheld.len = i.also.len = 0;
	free(i.instance);
	i.instance = NULL;
	if (rc == 0)
		rc = units_install_read(&i, w->u, path, err);
	if (rc == 0)
		rc = units_install_dropins(&i, w->u, w->name, err);
	if (rc == 0)
		rc = units_links_find(&found, &i, w, err);
	*state = i.refused || w->self						    ? "bad"
		 : !instance && strcmp(asked, units_base(path)) != 0		    ? "alias"
		 : found.enabled						    ? "enabled"
		 : found.elsewhere && instance					    ? "static"
		 : found.linked							    ? "linked"
		 : found.other || (found.other_elsewhere && instance)		    ? "indirect"
		 : i.aliases.len + i.wanted.len + i.required.len + i.upheld.len > 0 ? "disabled"
		 : i.also.len > 0						    ? "indirect"
										    : "static";
	vtr_str_done(&i.aliases);
	vtr_str_done(&i.wanted);
	vtr_str_done(&i.required);
	vtr_str_done(&i.upheld);
	vtr_str_done(&i.also);
	free(i.instance);
	return rc;
}

void vtr_unit_done(struct vtr_unit *unit)
{
	free(unit->name);
	free(unit->path);
	*unit = (struct vtr_unit){ .name = NULL };
}

int vtr_unit_resolve(struct vtr_unit *out, const struct vtr_units *u, const char *name, struct vtr_error *err)
{
	struct units_walk w = { .u = u, .name = vtr_strndup(name, strlen(name), err) };
	unsigned hops = 0;
	int rc = w.name ? units_search(&w, err) : -1;

	*out = (struct vtr_unit){ .state = "not-found" };
	out->entry = w.at;
	if (rc == 0 && w.at) {
		while ((rc = units_step(&w, err)) > 0 && ++hops < UNITS_HOPS)
			;
		w.bad = w.bad || rc > 0;
		rc = rc < 0 ? -1 : 0;
		if (rc == 0 && !w.masked && !w.bad) {
			out->path = w.path ? vtr_steal(w.path) : vtr_unit_entry_path(w.at, err);
			rc = out->path ? units_state(&out->state, &w, name, out->path, err) : -1;
		} else {
			out->state = w.masked ? "masked" : "bad";
		}
		out->masked = w.masked;
	}
	out->name = vtr_steal(w.name);
	free(w.path);
	if (rc < 0)
		vtr_unit_done(out);
	return rc;
}

/* ------------------------------------------------------------------------------------------------------- drop-ins */

struct units_dropins {
	const struct vtr_units *u;
	struct units_dropin {
		const struct vtr_unit_entry *e;
		size_t order;
	} * v;
	size_t n, cap;
};

static int units_dropins_dir(struct units_dropins *d, const char *name, unsigned dir, struct vtr_error *err)
{
	VTR_FREE char *owner = NULL;
	struct vtr_str s = { 0 };

	vtr_str_putf(&s, "%s.d", name);
	owner = vtr_str_take(&s, err);
	if (!owner)
		return -1;
	for (size_t i = vtr_units_first(d->u, owner); i < d->u->n && strcmp(d->u->v[i].owner, owner) == 0; i++) {
		if (d->u->v[i].dir != dir)
			continue;
		if (!VTR_GROW(d->v, d->n, d->cap, err))
			return -1;
		d->v[d->n] = (struct units_dropin){ &d->u->v[i], d->n };
		d->n++;
	}
	return 0;
}

/* The name, and what its dashes make of it: foo-bar.service has foo-.service, too. */
static int units_dropins_dashes(struct units_dropins *d, const char *name, unsigned dir, struct vtr_error *err)
{
	struct vtr_span instance, prefix = units_prefix(&instance, name);

	if (units_dropins_dir(d, name, dir, err) < 0)
		return -1;
	for (;;) {
		VTR_FREE char *built = NULL;

		if (prefix.len > 0 && prefix.p[prefix.len - 1] == '-')
			prefix.len--;
		while (prefix.len > 0 && prefix.p[prefix.len - 1] != '-')
			prefix.len--;
		if (prefix.len == 0)
			return 0;
		built = units_build(prefix, instance, name, err);
		if (!built || units_dropins_dir(d, built, dir, err) < 0)
			return -1;
	}
}

static int units_dropins_of(struct units_dropins *d, const char *name, bool dashes, struct vtr_error *err)
{
	VTR_FREE char *template = units_kind(name) == UNITS_INSTANCE ? vtr_unit_template(name, err) : NULL;

	if (!template && units_kind(name) == UNITS_INSTANCE)
		return -1;
	for (unsigned dir = 0; dir < VTR_COUNT(units_dirs); dir++) {
		if (!dashes) {
			if (units_dropins_dir(d, name, dir, err) < 0)
				return -1;
			continue;
		}
		if (units_dropins_dir(d, name, dir, err) < 0 ||
		    (template && units_dropins_dashes(d, template, dir, err) < 0) ||
		    units_dropins_dashes(d, name, dir, err) < 0)
			return -1;
	}
	return 0;
}

static int units_dropins_compare(const void *pa, const void *pb)
{
	const struct units_dropin *a = pa, *b = pb;
	int c = strcmp(a->e->name, b->e->name);

	return c != 0 ? c : (a->order > b->order) - (a->order < b->order);
}

void vtr_unit_paths_free(char **paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(paths[i]);
	free(paths);
}

int vtr_unit_dropins(char ***paths, size_t *n, const struct vtr_units *u, const char *const *names, bool all,
		     struct vtr_error *err)
{
	struct units_dropins d = { .u = u };
	char **list = NULL;
	size_t count = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && names[i]; i++)
		rc = units_dropins_of(&d, names[i], all, err);
	/* Those of a whole type come last: others of the same file name stand in for them. */
	for (unsigned dir = 0; rc == 0 && all && names[0] && dir < VTR_COUNT(units_dirs); dir++) {
		const char *dot = strrchr(names[0], '.');

		rc = dot ? units_dropins_dir(&d, dot + 1, dir, err) : 0;
	}
	list = rc == 0 ? vtr_calloc(d.n + 1, sizeof(*list), err) : NULL;
	if (!list)
		rc = -1;
	if (rc == 0 && d.n > 0)
		qsort(d.v, d.n, sizeof(*d.v), units_dropins_compare);
	for (size_t i = 0; rc == 0 && i < d.n; i++) {
		if ((i > 0 && strcmp(d.v[i].e->name, d.v[i - 1].e->name) == 0) || d.v[i].e->null)
			continue;
		list[count] = vtr_unit_entry_path(d.v[i].e, err);
		rc = list[count] ? 0 : -1;
		count += rc == 0;
	}
	free(d.v);
	if (rc < 0) {
		vtr_unit_paths_free(list, count);
		return -1;
	}
	*paths = list;
	*n = count;
	return 0;
}
