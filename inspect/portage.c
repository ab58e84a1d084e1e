/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packages from Portage's database: /var/db/pkg/CATEGORY/NAME-VERSION[-rN], a directory with a file for each fact
 * (PMS, "Gentoo package manager specification", 3.2 for versions).
 */
#include "inspect/packages.h"

#include <string.h>

#include "base/checked.h"

#define PORTAGE_DIR "/var/db/pkg"

/* Where the version starts in NAME-VERSION: behind the last hyphen, but for that of a revision. 0: there is none. */
static size_t portage_version(const char *pf)
{
	size_t len = strlen(pf), at = len;

	for (unsigned part = 0; part < 2; part++) {
		size_t end = at;

		while (at > 0 && pf[at - 1] != '-')
			at--;
		if (at < 2)
			return 0;
		if (pf[at] >= '0' && pf[at] <= '9')
			return at;
		if (part > 0 || pf[at] != 'r' || end - at < 2 || strspn(pf + at + 1, "0123456789") != end - at - 1)
			return 0;
		at--;
	}
	return 0;
}

/* The first line of a file of the package: 1, 0: there is none, -1. */
static int portage_line(char **text, struct vtr_bytes *out, struct vtr_packages *l, const char *dir, const char *name,
			struct vtr_error *err)
{
	struct vtr_str s = { 0 };
	VTR_FREE char *path = NULL;
	struct vtr_lines lines;
	const char *line;
	size_t len, n;
	int there;

	vtr_str_putf(&s, "%s/%s", dir, name);
	path = vtr_str_take(&s, err);
	there = path ? vtr_os_slurp(text, &len, l->os, path, l->os->ctx->lim.text_file, err) : -1;
	if (there <= 0)
		return there;
	lines = (struct vtr_lines){ *text, *text + len };
	if (vtr_lines_next(&lines, &line, &n) > 0)
		*out = (struct vtr_bytes){ line, n };
	return 1;
}

static int portage_package_add(struct vtr_packages *l, const char *category, const char *pf, struct vtr_error *err)
{
	struct vtr_package_bytes pkg = { 0 };
	VTR_FREE char *dir = NULL, *name = NULL, *size = NULL, *summary = NULL, *host = NULL;
	struct vtr_bytes number = { 0 };
	struct vtr_str s = { 0 };
	size_t at = portage_version(pf);
	const char *dash;

	if (pf[0] == '-') /* -MERGING-… and the like: not installed */
		return 0;
	if (at == 0) {
		vtr_packages_warn(l, VTR_ECORRUPT, "%s/%s has no version", category, pf);
		return 0;
	}
	vtr_str_putf(&s, PORTAGE_DIR "/%s/%s", category, pf);
	dir = vtr_str_take(&s, err);
	vtr_str_putf(&s, "%s/%.*s", category, (int)VTR_MIN(at - 1, (size_t)INT32_MAX), pf);
	pkg.name.len = s.len;
	name = vtr_str_take(&s, err);
	if (!dir || !name || portage_line(&size, &number, l, dir, "SIZE", err) < 0 ||
	    portage_line(&summary, &pkg.summary, l, dir, "DESCRIPTION", err) < 0 ||
	    portage_line(&host, &pkg.arch, l, dir, "CHOST", err) < 0)
		return -1;
	pkg.name.p = name;
	pkg.version = (struct vtr_bytes){ pf + at, strlen(pf + at) };
	pkg.installed_size = vtr_packages_number(number.p, number.len);
	dash = pkg.arch.len > 0 ? memchr(pkg.arch.p, '-', pkg.arch.len) : NULL;
	if (dash) /* x86_64-pc-linux-gnu */
		pkg.arch.len = (size_t)(dash - pkg.arch.p);
	return vtr_packages_add(l, &pkg, err);
}

int vtr_portage_read(struct vtr_packages *l, struct vtr_error *err)
{
	struct vtr_names categories = { 0 };
	int there, rc = 0;

	l->path = PORTAGE_DIR;
	there = vtr_names_read(&categories, l, PORTAGE_DIR, err);
	for (size_t i = 0; rc == 0 && i < categories.n; i++) {
		struct vtr_names packages = { 0 };
		VTR_FREE char *dir = NULL;
		struct vtr_str s = { 0 };

		vtr_str_putf(&s, PORTAGE_DIR "/%s", categories.names[i]);
		dir = vtr_str_take(&s, err);
		rc = dir && vtr_names_read(&packages, l, dir, err) >= 0 ? 0 : -1;
		for (size_t j = 0; rc == 0 && j < packages.n; j++)
			rc = portage_package_add(l, categories.names[i], packages.names[j], err);
		vtr_names_done(&packages);
	}
	vtr_names_done(&categories);
	return rc < 0 ? vtr_at(err, PORTAGE_DIR) : there;
}
