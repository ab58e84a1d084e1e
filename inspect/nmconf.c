/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which files of NetworkManager count: its profiles by their UUIDs, and NetworkManager.conf(5) with what is in conf.d. A
 * profile itself is read in inspect/network.c.
 */
#include <stdlib.h>

#include "base/checked.h"
#include "base/held.h"
#include "inspect/network.h"

/* -------------------------------------------------------------------------------------------------------- profiles */

struct nmconf_profile {
	char *path, *uuid; /* uuid NULL: NetworkManager makes one of the path */
	unsigned rank;
	struct vtr_time modified;
	size_t instead; /* 1 + the index of the one that counts; 0: this one does */
};

struct nmconf {
	struct vtr_os *os;
	struct nmconf_profile *v; /* held */
	size_t n, cap;
	unsigned rank;
};

/* What editors and package managers leave is no profile; beneath /usr the ending is asked for. */
static bool nmconf_name_is(const char *path)
{
	static const char *const leavings[] = {
		"~", ".swp", ".rpmnew", ".rpmorig", ".rpmsave", ".tmp", ".pem", ".der"
	};
	struct vtr_span name = vtr_span_of(strrchr(path, '/') + 1);

	if (name.len == 0 || *name.p == '.')
		return false;
	for (size_t i = 0; i < VTR_COUNT(leavings); i++)
		if (vtr_span_ends(name, leavings[i]))
			return false;
	return strncmp(path, "/usr/", 5) != 0 || vtr_span_ends(name, ".nmconnection");
}

struct nmconf_uuid {
	char *uuid;
};

static int nmconf_uuid_setting(void *arg, const struct vtr_setting *s, struct vtr_error *err)
{
	struct nmconf_uuid *u = arg;

	if (!vtr_span_is(s->section, "connection") || !vtr_span_is(s->key, "uuid") || s->value.len == 0)
		return 0;
	free(u->uuid);
	u->uuid = vtr_strndup(s->value.p, s->value.len, err);
	return u->uuid ? 0 : -1;
}

static int nmconf_listed(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct nmconf *c = arg;
	struct nmconf_profile p = { .rank = c->rank, .modified = e->st->mtime };
	struct nmconf_uuid u = { NULL };
	VTR_FREE char *text = NULL;
	size_t len, refused;
	int there;

	if ((e->type != VTR_TYPE_FILE && e->type != VTR_TYPE_SYMLINK) || !nmconf_name_is(e->path))
		return 0;
	there = vtr_os_text_slurp(&text, &len, os, e->path, err);
	if (there <= 0)
		return there;
	if (vtr_settings(&refused, text, len, VTR_INI_GLIB, nmconf_uuid_setting, &u, err) < 0 ||
	    VTR_OVER(os->ctx, records, c->n + 1, "profiles of NetworkManager", err) < 0 ||
	    VTR_HOLD_GROW(os->ctx, c->v, c->n, c->cap, "profiles of NetworkManager", err) < 0) {
		free(u.uuid);
		return -1;
	}
	p.uuid = u.uuid;
	if (refused > 0) { /* it counts for nothing; reading it says why */
		free(p.uuid);
		p.uuid = NULL;
	}
	p.path = vtr_strndup(e->path, strlen(e->path), err);
	c->v[c->n++] = p;
	return p.path ? 0 : -1;
}

/* The one of the higher directory counts, then the younger file, then the last name. */
static int nmconf_compare(const void *pa, const void *pb)
{
	const struct nmconf_profile *const *a = pa, *const *b = pb;
	int c = !(*a)->uuid || !(*b)->uuid ? !(*a)->uuid - !(*b)->uuid : strcmp((*a)->uuid, (*b)->uuid);

	if (c == 0 && (*a)->rank != (*b)->rank)
		return (*a)->rank < (*b)->rank ? -1 : 1;
	if (c == 0 && (*a)->modified.sec != (*b)->modified.sec)
		return (*a)->modified.sec > (*b)->modified.sec ? -1 : 1;
	if (c == 0 && (*a)->modified.nsec != (*b)->modified.nsec)
		return (*a)->modified.nsec > (*b)->modified.nsec ? -1 : 1;
	return c != 0 ? c : strcmp((*b)->path, (*a)->path);
}

static int nmconf_choose(struct nmconf *c, struct vtr_error *err)
{
	VTR_HELD struct nmconf_profile **sorted =
		vtr_hold(c->os->ctx, c->n + 1, sizeof(void *), "profiles of NetworkManager", err);
	size_t best = 0;

	if (!sorted)
		return -1;
	for (size_t i = 0; i < c->n; i++)
		sorted[i] = &c->v[i];
	if (c->n > 0)
		qsort(sorted, c->n, sizeof(*sorted), nmconf_compare);
	for (size_t i = 1; i < c->n; i++) {
		if (!sorted[i]->uuid || strcmp(sorted[i]->uuid, sorted[best]->uuid) != 0)
			best = i;
		else
			sorted[i]->instead = 1 + (size_t)(sorted[best] - c->v);
	}
	return 0;
}

int vtr_nmconf_profiles_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const dirs[] = { "/run/NetworkManager/system-connections",
					    "/etc/NetworkManager/system-connections",
					    "/usr/lib/NetworkManager/system-connections" };
	struct nmconf c = { .os = os };
	int rc = 0;

	for (; rc == 0 && c.rank < VTR_COUNT(dirs); c.rank++)
		rc = vtr_os_list(os, dirs[c.rank], nmconf_listed, &c, err);
	if (rc == 0)
		rc = nmconf_choose(&c, err);
	for (size_t i = 0; i < c.n; i++) {
		struct nmconf_profile *p = &c.v[i];

		if (rc == 0 && p->instead > 0)
			vtr_os_warn(os, p->path, VTR_OK, "has the UUID of %s, which counts", c.v[p->instead - 1].path);
		else if (rc == 0)
			rc = vtr_os_text(os, p->path, vtr_keyfile_parse, err) < 0 ? -1 : 0;
	}
	for (size_t i = 0; i < c.n; i++) {
		free(c.v[i].path);
		free(c.v[i].uuid);
	}
	vtr_let_go(c.v);
	return rc;
}

/* -------------------------------------------------------------------------------------------------- configuration */

struct nmconf_unmanaged {
	struct vtr_str items;	  /* as they are written, each with a newline behind it */
	const char *path;	  /* of the last file that has any */
	struct vtr_str values[3]; /* of this file: set, added, taken out */
	bool has, apply;
};

/* Where an item is; SIZE_MAX: nowhere. */
static size_t nmconf_item_find(const struct vtr_str *items, struct vtr_span item)
{
	struct vtr_span rest = { items->p, items->len }, line;

	while (vtr_span_line(&line, &rest))
		if (line.len == item.len && memcmp(line.p, item.p, item.len) == 0)
			return (size_t)(line.p - items->p);
	return SIZE_MAX;
}

/* A list between commas or semicolons, where a backslash quotes one. */
static bool nmconf_item(struct vtr_span *item, struct vtr_span *rest)
{
	size_t n = 0;

	if (rest->len == 0)
		return false;
	while (n < rest->len && rest->p[n] != ',' && rest->p[n] != ';')
		n += 1 + (rest->p[n] == '\\' && n + 1 < rest->len);
	*item = vtr_span_trim((struct vtr_span){ rest->p, n });
	*rest = vtr_span_skip(*rest, VTR_MIN(n + 1, rest->len));
	return true;
}

/* A list between commas or semicolons becomes the list, is put behind it, or is taken out of it. */
static void nmconf_list(struct vtr_str *items, char op, struct vtr_span rest)
{
	struct vtr_span item;

	if (op == '=')
		items->len = 0;
	while (nmconf_item(&item, &rest)) {
		size_t at = item.len > 0 && op != '=' ? nmconf_item_find(items, item) : SIZE_MAX;

		if (op != '-' && at == SIZE_MAX && item.len > 0) {
			vtr_str_put(items, item.p, item.len);
			vtr_str_put(items, "\n", 1);
		}
		while (op == '-' && at != SIZE_MAX && item.len > 0 && !items->oom) {
			size_t end = at + item.len + 1;

			memmove(items->p + at, items->p + end, items->len - end);
			items->len -= end - at;
			at = nmconf_item_find(items, item);
		}
	}
}

static int nmconf_setting(void *arg, const struct vtr_setting *s, struct vtr_error *err)
{
	static const char *const keys[] = { "unmanaged-devices", "unmanaged-devices+", "unmanaged-devices-" };
	struct nmconf_unmanaged *u = arg;

	(void)err;
	for (size_t i = 0; i < VTR_COUNT(keys) && vtr_span_is(s->section, "keyfile"); i++) {
		if (!vtr_span_is(s->key, keys[i]))
			continue;
		u->has = true;
		if (u->apply) {
			nmconf_list(
				&u->items, "=+-" [i], (struct vtr_span) { u->values[i].p, u->values[i].len });
		} else {
			u->values[i].len = 0;
			vtr_str_put(&u->values[i], s->value.p, s->value.len);
		}
	}
	return 0;
}

/* To GLib a key that is there twice has its last value at both places. */
static int nmconf_text(struct nmconf_unmanaged *u, struct vtr_os *os, const char *path, const char *text, size_t len,
		       struct vtr_error *err)
{
	size_t refused;
	int rc = 0;

	u->has = u->apply = false;
	rc = vtr_settings(&refused, text, len, VTR_INI_GLIB, nmconf_setting, u, err);
	u->apply = true;
	if (rc == 0 && refused > 0)
		vtr_os_warn(os, path, VTR_ECORRUPT,
			    "line %zu is no group, no key and no comment: NetworkManager does not start", refused);
	else if (rc == 0)
		rc = vtr_settings(&refused, text, len, VTR_INI_GLIB, nmconf_setting, u, err);
	for (size_t i = 0; i < VTR_COUNT(u->values); i++) {
		u->items.oom = u->items.oom || u->values[i].oom;
		vtr_str_done(&u->values[i]);
	}
	return rc;
}

static int nmconf_end(struct nmconf_unmanaged *u, struct vtr_os *os, const char *path, int rc, struct vtr_error *err)
{
	if (u->items.oom && rc == 0)
		rc = vtr_fail(err, VTR_ENOMEM, "devices that are not managed");
	for (size_t i = 0; i + 1 < u->items.len; i++)
		if (u->items.p[i] == '\n')
			u->items.p[i] = ' ';
	if (rc == 0 && u->items.len > 0)
		rc = vtr_os_add_fact(os, "unmanaged_devices", u->items.p, u->items.len - 1, path, err);
	vtr_str_done(&u->items);
	return rc;
}

int vtr_nmconf_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct nmconf_unmanaged u = { .path = NULL };

	return nmconf_end(&u, os, path, nmconf_text(&u, os, path, text, len, err), err);
}

static int nmconf_file(struct nmconf_unmanaged *u, struct vtr_os *os, const char *path, struct vtr_error *err)
{
	VTR_FREE char *text = NULL;
	size_t len;
	int there = vtr_os_text_slurp(&text, &len, os, path, err);

	if (there <= 0)
		return there;
	if (nmconf_text(u, os, path, text, len, err) < 0)
		return -1;
	if (u->has)
		u->path = path;
	return 0;
}

/*
 * The files beneath /usr/lib and /run, then NetworkManager.conf, then those of /etc. A file hides those of its name in the
 * directories before it.
 */
int vtr_nmconf_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const dirs[] = { "/etc/NetworkManager/conf.d", "/run/NetworkManager/conf.d",
					    "/usr/lib/NetworkManager/conf.d" };
	static const char *const main_file = "/etc/NetworkManager/NetworkManager.conf";
	struct nmconf_unmanaged u = { .path = main_file };
	struct vtr_merged m;
	int rc = vtr_os_merge(&m, os, dirs, VTR_COUNT(dirs), ".conf", err);

	for (size_t d = VTR_COUNT(dirs); rc == 0 && d-- > 0;) {
		struct vtr_span dir = vtr_span_of(dirs[d]);

		if (d == 0)
			rc = nmconf_file(&u, os, main_file, err);
		for (size_t i = 0; rc == 0 && i < m.n; i++)
			if (vtr_span_starts(vtr_span_of(m.paths[i]), dirs[d]) && m.paths[i][dir.len] == '/')
				rc = nmconf_file(&u, os, m.paths[i], err);
	}
	rc = nmconf_end(&u, os, u.path, rc, err);
	vtr_merged_done(&m);
	return rc;
}
