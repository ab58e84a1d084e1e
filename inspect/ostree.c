/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Systems that OSTree deployed, those of bootc too: ostree's documentation, "Deployments". The root of such a system is
 * /ostree/deploy/STATEROOT/deploy/CHECKSUM.SERIAL of the filesystem that it lies on, which it sees as /sysroot; its /var
 * is /ostree/deploy/STATEROOT/var. The boot loader's entries (UAPI.1) name a deployment with the kernel's argument
 * ostree=, a symbolic link that leads to it, and have a number in "version": the largest is the one that starts.
 */
#include <stdlib.h>

#include "base/checked.h"
#include "fs/tree.h"
#include "inspect/records.h"

#define OSTREE_BOOT_VERSION UINT64_C(1000000) /* no menu has more */

/* One deployment that the boot loader has. */
struct ostree_boot {
	uint64_t node, version;
};

struct ostree_scan {
	struct vtr_os *physical; /* its tree is the filesystem with /ostree */
	struct vtr_ostree_deployment *v;
	size_t n, cap;
	struct ostree_boot *boots;
	size_t n_boots, cap_boots;
};

void vtr_ostree_done(struct vtr_ostree_deployment *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(d[i].dir);
	free(d);
}

/* "CHECKSUM.0", not "CHECKSUM.0.origin": hexadecimal digits, and a decimal number. */
static bool ostree_is_deployment(const char *name)
{
	size_t hex = strspn(name, "0123456789abcdef"), digits;

	if (hex == 0 || name[hex] != '.')
		return false;
	digits = strspn(name + hex + 1, "0123456789");
	return digits > 0 && name[hex + 1 + digits] == 0;
}

static int ostree_deployment(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct ostree_scan *s = arg;
	struct vtr_ostree_deployment *d;

	if (e->type != VTR_TYPE_DIR || !ostree_is_deployment(e->name))
		return 0;
	if (VTR_OVER(os->ctx, devices, s->n + 1, "deployments", err) < 0 || !VTR_GROW(s->v, s->n, s->cap, err))
		return -1;
	d = &s->v[s->n];
	*d = (struct vtr_ostree_deployment){ .node = e->st->node, .order = UINT64_MAX };
	d->dir = vtr_strndup(e->path, strlen(e->path), err);
	if (!d->dir)
		return -1;
	s->n++;
	return 0;
}

static int ostree_stateroot(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	VTR_FREE char *dir = NULL;
	struct vtr_str s = { 0 };

	if (e->type != VTR_TYPE_DIR)
		return 0;
	vtr_str_puts(&s, e->path);
	vtr_str_puts(&s, "/deploy");
	dir = vtr_str_take(&s, err);
	return dir ? vtr_os_list(os, dir, ostree_deployment, arg, err) : -1;
}

/* --------------------------------------------------------------------------------------------------- boot entries */

/* What an entry says: the path in ostree=, and its place in the menu. */
struct ostree_entry {
	struct vtr_span path;
	uint64_t version;
};

static struct ostree_entry ostree_entry_parse(const char *text, size_t len)
{
	struct vtr_span rest = { text, len }, line, word;
	struct ostree_entry e = { .version = 0 };

	while (vtr_span_line(&line, &rest)) {
		if (!vtr_span_word(&word, &line))
			continue;
		if (vtr_span_is(word, "version") && vtr_span_word(&word, &line)) {
			if (!vtr_span_u64(&e.version, word, OSTREE_BOOT_VERSION))
				e.version = 0;
		} else if (vtr_span_is(word, "options")) {
			while (vtr_span_word(&word, &line))
				if (vtr_span_starts(word, "ostree="))
					e.path = vtr_span_skip(word, strlen("ostree="));
		}
	}
	return e;
}

int vtr_ostree_entry_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct ostree_entry e = ostree_entry_parse(text, len);

	if (e.path.len == 0)
		return 0;
	return vtr_os_add_fact(os, "ostree", e.path.p, e.path.len, path, err);
}

/* An entry of the menu, wherever the menu lies: ostree= is a path of the filesystem with the deployments. */
static int ostree_boot_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct ostree_scan *s = arg;
	VTR_FREE char *text = NULL, *path = NULL;
	struct ostree_entry entry;
	struct vtr_place place;
	size_t len;
	int there;

	if (e->type != VTR_TYPE_FILE || !vtr_span_ends(vtr_span_of(e->name), ".conf"))
		return 0;
	there = vtr_os_text_slurp(&text, &len, os, e->path, err);
	if (there <= 0)
		return there;
	entry = ostree_entry_parse(text, len);
	if (entry.path.len == 0)
		return 0;
	path = vtr_strndup(entry.path.p, entry.path.len, err);
	there = path ? vtr_os_look(&place, NULL, s->physical, path, 0, err) : -1;
	if (there <= 0)
		return there;
	if (VTR_OVER(os->ctx, devices, s->n_boots + 1, "boot entries", err) < 0 ||
	    !VTR_GROW(s->boots, s->n_boots, s->cap_boots, err))
		return -1;
	s->boots[s->n_boots++] = (struct ostree_boot){ place.node, entry.version };
	return 0;
}

static int ostree_entries(struct ostree_scan *s, struct vtr_os *os, const char *loader, struct vtr_error *err)
{
	VTR_FREE char *dir = NULL;
	struct vtr_str path = { 0 };

	vtr_str_puts(&path, loader);
	vtr_str_puts(&path, "/entries");
	dir = vtr_str_take(&path, err);
	return dir ? vtr_os_list(os, dir, ostree_boot_entry, s, err) : -1;
}

/* A filesystem of the same disk: 1; 0, -1. */
static int ostree_sibling(struct vtr_fs **out, const struct vtr_inspect *in, size_t i, size_t device,
			  struct vtr_error *err)
{
	const struct vtr_device *d = &in->devices[i];

	if (i == device || d->parent < 0 || d->parent != in->devices[device].parent)
		return 0;
	return vtr_inspect_fs(out, in, i, err);
}

/*
 * The partition with the boot loader's menu of this filesystem's deployments: 1, with its index; 0; -1. It is /boot of
 * the systems, and few of them say so in fstab.
 */
static int ostree_boot_find(size_t *out, struct ostree_scan *s, const struct vtr_inspect *in, size_t device,
			    struct vtr_error *err)
{
	for (size_t i = 0; i < in->n_devices; i++) {
		struct vtr_fs *fs;
		struct vtr_os *os;
		int rc = ostree_sibling(&fs, in, i, device, err);

		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		os = vtr_os_new(in->ctx, in->devices[i].name, fs, err);
		rc = os ? ostree_entries(s, os, "/loader", err) : -1;
		vtr_os_free(os);
		if (rc < 0)
			return -1;
		if (s->n_boots > 0) {
			*out = i;
			return 1;
		}
	}
	return 0;
}

static int ostree_boot_compare(const void *pa, const void *pb)
{
	const struct ostree_boot *a = pa, *b = pb;

	return a->version > b->version ? -1 : a->version < b->version;
}

static int ostree_deployment_compare(const void *pa, const void *pb)
{
	const struct vtr_ostree_deployment *a = pa, *b = pb;

	if (a->order != b->order)
		return a->order < b->order ? -1 : 1;
	return strcmp(a->dir, b->dir);
}

static void ostree_order(struct ostree_scan *s)
{
	if (s->n_boots > 1)
		qsort(s->boots, s->n_boots, sizeof(*s->boots), ostree_boot_compare);
	for (size_t i = s->n_boots; i-- > 0;)
		for (size_t k = 0; k < s->n; k++)
			if (s->v[k].node == s->boots[i].node)
				s->v[k].order = i;
	if (s->n > 1)
		qsort(s->v, s->n, sizeof(*s->v), ostree_deployment_compare);
}

int vtr_ostree_find(struct vtr_ostree_deployment **out, size_t *n, struct vtr_os *os, const struct vtr_inspect *in,
		    size_t device, struct vtr_error *err)
{
	struct ostree_scan s = { .physical = os };
	size_t boot;
	int rc = vtr_os_list(os, "/ostree/deploy", ostree_stateroot, &s, err);

	if (rc == 0 && s.n > 0)
		rc = ostree_entries(&s, os, "/boot/loader", err);
	if (rc == 0 && s.n > 0 && s.n_boots == 0)
		rc = ostree_boot_find(&boot, &s, in, device, err);
	if (rc >= 0)
		ostree_order(&s);
	free(s.boots);
	if (rc < 0) {
		vtr_ostree_done(s.v, s.n);
		return -1;
	}
	*out = s.v;
	*n = s.n;
	return 0;
}

/* ---------------------------------------------------------------------------------------------------------- mounts */

static bool ostree_has_mount(const struct vtr_os *os, const char *path)
{
	for (size_t i = 0; i < os->n_mounts; i++)
		if (strcmp(os->mounts[i].path, path) == 0)
			return true;
	return false;
}

/* Mount a directory of the filesystem that the deployment lies on, unless fstab has something for the place. */
static int ostree_bind(struct vtr_os *os, const struct vtr_device *d, struct vtr_fs *fs, const char *path,
		       const char *dir, struct vtr_error *err)
{
	struct vtr_error e = { 0 };
	struct vtr_mount *m;
	int rc;

	if (ostree_has_mount(os, path))
		return 0;
	rc = vtr_os_bind_add(os, path, d->name, fs, dir, &e);
	if (rc < 0 && vtr_inspect_excuse(os->ctx, &e, err, "%s: %s", d->name, dir) < 0)
		return -1;
	if (rc <= 0)
		return 0;
	m = vtr_os_mount_new(os, dir, path, d->content ? d->content : "auto", d->name, err);
	if (!m)
		return -1;
	m->mounted = true;
	return 0;
}

/* "/ostree/deploy/STATEROOT/deploy/CHECKSUM.SERIAL": the length of what comes before "/deploy/CHECKSUM.SERIAL". */
static size_t ostree_stateroot_len(const char *dir)
{
	size_t len = strlen(dir);

	for (unsigned slashes = 0; len > 0 && slashes < 2;)
		slashes += dir[--len] == '/';
	return len;
}

int vtr_ostree_mount(struct vtr_os *os, const struct vtr_inspect *in, size_t device, struct vtr_error *err)
{
	const struct vtr_device *d = &in->devices[device];
	struct vtr_fs *fs = vtr_fs_whole(os->tree->root);
	struct vtr_os *physical = vtr_os_new(os->ctx, os->root, fs, err);
	struct ostree_scan s = { .physical = physical };
	struct vtr_str var = { 0 };
	VTR_FREE char *var_dir = NULL;
	size_t boot = 0;
	int here, rc;

	if (!physical)
		return -1;
	vtr_str_put(&var, os->dir, ostree_stateroot_len(os->dir));
	vtr_str_puts(&var, "/var");
	var_dir = vtr_str_take(&var, err);
	rc = var_dir ? ostree_bind(os, d, fs, "/sysroot", "/", err) : -1;
	if (rc == 0)
		rc = ostree_bind(os, d, fs, "/var", var_dir, err);
	here = rc == 0 && !ostree_has_mount(os, "/boot") ? vtr_os_there(physical, "/boot/loader", err) : 0;
	if (here > 0)
		rc = ostree_bind(os, d, fs, "/boot", "/boot", err);
	else if (here == 0 && rc == 0 && !ostree_has_mount(os, "/boot"))
		rc = ostree_boot_find(&boot, &s, in, device, err);
	else if (here < 0)
		rc = -1;
	if (rc > 0) {
		rc = vtr_inspect_fs(&fs, in, boot, err);
		rc = rc > 0 ? ostree_bind(os, &in->devices[boot], fs, "/boot", "/", err) : rc;
	}
	free(s.boots);
	vtr_os_free(physical);
	return rc < 0 ? -1 : 0;
}

/* ----------------------------------------------------------------------------------------------------------- facts */

struct ostree_origin {
	struct vtr_os *os;
	const char *path;
};

/* [origin]: refspec= of ostree, container-image-reference= of bootc and rpm-ostree. */
static int ostree_origin_setting(void *arg, const struct vtr_setting *s, struct vtr_error *err)
{
	const struct ostree_origin *o = arg;

	if (!vtr_span_is(s->section, "origin") ||
	    !(vtr_span_is(s->key, "refspec") || vtr_span_is(s->key, "baserefspec") ||
	      vtr_span_is(s->key, "container-image-reference")))
		return 0;
	return vtr_os_add_fact(o->os, "origin", s->value.p, s->value.len, o->path, err);
}

int vtr_ostree_origin_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct ostree_origin o = { os, path };
	size_t refused;

	if (vtr_settings(&refused, text, len, VTR_INI_GLIB, ostree_origin_setting, &o, err) < 0)
		return -1;
	if (refused > 0)
		vtr_os_warn(os, path, VTR_ECORRUPT, "line %zu is no group, no key and no comment", refused);
	return 0;
}

int vtr_ostree_read(struct vtr_os *os, struct vtr_error *err)
{
	size_t state = ostree_stateroot_len(os->dir);
	const char *name = strrchr(os->dir, '/') + 1;
	VTR_FREE char *origin = NULL, *dir = NULL;
	struct vtr_str s = { 0 };
	size_t start = state;

	while (start > 0 && os->dir[start - 1] != '/')
		start--;
	vtr_str_puts(&s, "/sysroot");
	vtr_str_puts(&s, os->dir);
	dir = vtr_str_take(&s, err);
	if (!dir || vtr_os_add_text(os, "deployment", name, dir, err) < 0 ||
	    vtr_os_add_fact(os, "stateroot", os->dir + start, state - start, dir, err) < 0)
		return -1;
	vtr_str_puts(&s, dir);
	vtr_str_puts(&s, ".origin");
	origin = vtr_str_take(&s, err);
	return origin && vtr_os_text(os, origin, vtr_ostree_origin_parse, err) >= 0 ? 0 : -1;
}
