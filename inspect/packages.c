/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of packages: which database is read, and what all of them share. */
#include "inspect/packages.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/held.h"
#include "fs/tree.h"

#define PACKAGES_WARNINGS 16u /* damaged places that are told one by one */

void vtr_packages_warn(struct vtr_packages *l, int code, const char *fmt, ...)
{
	struct vtr_error e = { 0 };
	va_list ap;

	if (l->damaged++ >= PACKAGES_WARNINGS)
		return;
	va_start(ap, fmt);
	vtr_error_vset(&e, code, fmt, ap);
	va_end(ap);
	vtr_error_at(&e, "%s: %s", l->os->root, l->path);
	vtr_warn_err(l->os->ctx, &e);
}

int vtr_packages_excuse(struct vtr_packages *l, const struct vtr_error *e, struct vtr_error *err)
{
	if (vtr_inspect_leave(e, err) < 0)
		return -1;
	vtr_packages_warn(l, e->code, "%s", e->text); /* also of what is not there: the database names it */
	return 0;
}

int vtr_packages_room(uint8_t **out, struct vtr_packages *l, uint64_t len, const char *what, struct vtr_error *err)
{
	if (VTR_OVER(l->os->ctx, alloc, len, what, err) < 0)
		return -1;
	if (len > l->room_len || !l->room) {
		uint64_t want = VTR_MAX(len, 16384u);
		void *room = l->room;

		if (vtr_hold_resize(&room, l->os->ctx, want, 1, what, err) < 0)
			return -1;
		l->room = room;
		l->room_len = (size_t)want;
	}
	*out = l->room;
	return 0;
}

/* A string of a package; NULL when it is not recorded, too long, or (rc -1) memory is short. */
static const char *packages_string(struct vtr_packages *l, struct vtr_bytes b, const char *what, int *rc,
				   struct vtr_error *err)
{
	const char *s;

	if (!b.p || b.len == 0 || *rc < 0)
		return NULL;
	if (b.len > l->os->ctx->lim.line) {
		vtr_packages_warn(l, VTR_ELIMIT, "a %s of %zu bytes, limit line=%" PRIu64, what, b.len,
				  l->os->ctx->lim.line);
		return NULL;
	}
	s = vtr_os_escape(l->os, b.p, b.len, err);
	if (!s)
		*rc = -1;
	return s;
}

int vtr_packages_add(struct vtr_packages *l, const struct vtr_package_bytes *p, struct vtr_error *err)
{
	struct vtr_os *os = l->os;
	struct vtr_package pkg = { .status = "installed" };
	int rc = 0;

	if (!p->name.p || p->name.len == 0) {
		vtr_packages_warn(l, VTR_ECORRUPT, "a package without a name");
		return 0;
	}
	if (VTR_OVER(os->ctx, packages, os->n_packages + 1, "packages", err) < 0 ||
	    VTR_HOLD_GROW(os->ctx, os->packages, os->n_packages, os->cap_packages, "packages", err) < 0)
		return -1;
	pkg.name = packages_string(l, p->name, "name", &rc, err);
	if (!pkg.name)
		return rc;
	pkg.version = packages_string(l, p->version, "version", &rc, err);
	pkg.arch = packages_string(l, p->arch, "architecture", &rc, err);
	pkg.source = packages_string(l, p->source, "source package", &rc, err);
	pkg.source_version = packages_string(l, p->source_version, "version", &rc, err);
	pkg.summary = packages_string(l, p->summary, "summary", &rc, err);
	pkg.vendor = packages_string(l, p->vendor, "vendor", &rc, err);
	pkg.id = packages_string(l, p->id, "identifier", &rc, err);
	pkg.user = packages_string(l, p->user, "user", &rc, err);
	pkg.location = packages_string(l, p->location, "location", &rc, err);
	if (rc < 0)
		return -1;
	pkg.version = pkg.version ? pkg.version : "";
	pkg.arch = pkg.arch ? pkg.arch : "";
	pkg.installed_size = p->installed_size;
	pkg.install_time = p->install_time;
	os->packages[os->n_packages++] = pkg;
	return os->n_packages % 1024 == 0 ? vtr_ctx_check(os->ctx, err) : 0;
}

/* By name and architecture; several versions of one (kernels, keys) in the order of their installation. */
static int packages_compare(const void *pa, const void *pb, void *format)
{
	const struct vtr_package *a = pa, *b = pb;
	int c = strcmp(a->name, b->name);

	if (c == 0)
		c = strcmp(a->arch, b->arch);
	if (c == 0)
		c = a->install_time < b->install_time ? -1 : a->install_time > b->install_time;
	if (c == 0)
		c = vtr_package_version_compare(format, a->version, b->version);
	return c ? c : strcmp(a->version, b->version);
}

int vtr_packages_finish(struct vtr_packages *l, int rc)
{
	struct vtr_os *os = l->os;
	const struct vtr_fact *format = vtr_os_fact(os, "package_format");

	if (rc < 0)
		os->n_packages = 0;
	if (os->n_packages > 0)
		qsort_r(os->packages, os->n_packages, sizeof(*os->packages), packages_compare,
			(void *)(uintptr_t)(format ? format->value : NULL));
	if (l->damaged > PACKAGES_WARNINGS)
		vtr_warn(os->ctx, VTR_ECORRUPT, "%s: %s: %zu more damaged places", os->root, l->path,
			 l->damaged - PACKAGES_WARNINGS);
	l->damaged = 0;
	vtr_let_go(l->room);
	l->room = NULL;
	return rc;
}

uint64_t vtr_packages_number(const char *p, size_t len)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++)
		if (p[i] < '0' || p[i] > '9' || vtr_mul_over(n, 10u, &n) || vtr_add_over(n, (unsigned)(p[i] - '0'), &n))
			return 0;
	return n;
}

bool vtr_package_is_there(const struct vtr_package *p)
{
	return strcmp(p->status, "config-files") != 0 && strcmp(p->status, "not-installed") != 0;
}

/* ----------------------------------------------------------------------------------------- files and directories */

int vtr_packages_slurp(char **out, size_t *len, struct vtr_packages *l, const char *path, struct vtr_error *err)
{
	struct vtr_error e = { 0 };

	if (vtr_tree_slurp_held(out, len, l->os->tree, path, l->os->ctx->lim.package_db, &e) == 0)
		return 1;
	if (vtr_error_is(&e, VTR_KINDS_ABSENT))
		return 0;
	if (err)
		*err = e;
	return -1;
}

struct names_reading {
	struct vtr_packages *l;
	struct vtr_names *out;
	struct vtr_error *err;
};

static int names_add(void *arg, const struct vtr_dirent *e)
{
	struct names_reading *r = arg;
	struct vtr_names *out = r->out;
	char *name;

	if (e->name_len == 0 || e->name[0] == '.')
		return 0;
	if (VTR_OVER(r->l->os->ctx, packages, out->n + 1, "packages", r->err) < 0 ||
	    VTR_HOLD_GROW(r->l->os->ctx, out->names, out->n, out->cap, "names of packages", r->err) < 0)
		return -1;
	name = vtr_hold(r->l->os->ctx, e->name_len + 1, 1, "names of packages", r->err);
	if (!name)
		return -1;
	memcpy(name, e->name, e->name_len);
	out->names[out->n++] = name;
	return 0;
}

static int names_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int vtr_names_read(struct vtr_names *out, struct vtr_packages *l, const char *dir, struct vtr_error *err)
{
	struct vtr_names names = { 0 };
	struct vtr_error e = { 0 };
	struct names_reading r = { l, &names, &e };
	struct vtr_place place;
	struct vtr_stat st;
	int there = vtr_os_look(&place, &st, l->os, dir, 0, err);

	if (there <= 0 || st.type != VTR_TYPE_DIR)
		return there < 0 ? -1 : 0;
	if (vtr_fs_readdir(place.fs, place.node, names_add, &r, &e) < 0) {
		vtr_error_at(&e, "%s", dir);
		if (e.code == VTR_ELIMIT || vtr_inspect_verdict(&e) == VTR_VERDICT_END) {
			vtr_names_done(&names);
			if (err)
				*err = e;
			return -1;
		}
		vtr_packages_warn(l, e.code, "%s", e.text); /* and what was listed is read */
	}
	if (names.n > 0)
		qsort(names.names, names.n, sizeof(*names.names), names_compare);
	*out = names;
	return 1;
}

void vtr_names_done(struct vtr_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		vtr_let_go(names->names[i]);
	vtr_let_go(names->names);
	*names = (struct vtr_names){ 0 };
}

/* ------------------------------------------------------------------------------------------------- which database */

static const struct {
	const char *format;
	int (*read)(struct vtr_packages *l, struct vtr_error *err);
} packages_readers[] = {
	{ "rpm", vtr_rpm_read },	{ "apk", vtr_apk_read },   { "pacman", vtr_pacman_read },
	{ "ebuild", vtr_portage_read }, { "opkg", vtr_opkg_read }, { "windows", vtr_windows_packages_read },
};

int vtr_packages_read(struct vtr_os *os, struct vtr_error *err)
{
	const struct vtr_fact *format = vtr_os_fact(os, "package_format");
	struct vtr_packages l = { .os = os, .path = format ? format->path : "" };

	if (!format || strcmp(format->value, "deb") == 0)
		return vtr_dpkg_read(os, err) < 0 ? -1 : 0;
	for (size_t i = 0; i < VTR_COUNT(packages_readers); i++)
		if (strcmp(format->value, packages_readers[i].format) == 0)
			return vtr_packages_finish(&l, packages_readers[i].read(&l, err) < 0 ? -1 : 0);
	return vtr_fail(err, VTR_EUNSUPPORTED, "packages of format %s are not read", format->value);
}
