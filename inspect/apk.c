/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packages from apk's database "installed": apk-package(5) and apk-tools' own writing of it. Records are parted by empty
 * lines; each line is a letter, a colon and a value: P name, V version, A architecture, I installed size in bytes,
 * T description, o origin. What comes after the first F (a directory) are the package's files. When a package was
 * installed is not kept: t is when it was built.
 */
#include "base/held.h"
#include "inspect/packages.h"

#include <string.h>

#include "base/checked.h"

struct apk_record {
	struct vtr_package_bytes pkg;
	size_t at; /* where it starts */
	bool any, files;
};

static int apk_record_add(struct vtr_packages *l, struct apk_record *r, struct vtr_error *err)
{
	int rc = 0;

	if (r->any && r->pkg.name.len == 0)
		vtr_packages_warn(l, VTR_ECORRUPT, "byte %zu: a record without a name", r->at);
	else if (r->any)
		rc = vtr_packages_add(l, &r->pkg, err);
	*r = (struct apk_record){ 0 };
	return rc;
}

static void apk_set(struct vtr_bytes *out, struct vtr_packages *l, const char *line, size_t len, size_t at)
{
	if (out->p)
		vtr_packages_warn(l, VTR_ECORRUPT, "byte %zu: a second %c in a record", at, line[0]);
	else
		*out = (struct vtr_bytes){ line + 2, len - 2 };
}

static void apk_line_parse(struct vtr_packages *l, struct apk_record *r, const char *line, size_t len, size_t at)
{
	if (len < 2 || line[1] != ':') {
		vtr_packages_warn(l, VTR_ECORRUPT, "byte %zu: a line that is no field", at);
		return;
	}
	if (!r->any)
		r->at = at;
	r->any = true;
	switch (line[0]) {
	case 'P':
		apk_set(&r->pkg.name, l, line, len, at);
		break;
	case 'V':
		apk_set(&r->pkg.version, l, line, len, at);
		break;
	case 'A':
		apk_set(&r->pkg.arch, l, line, len, at);
		break;
	case 'T':
		apk_set(&r->pkg.summary, l, line, len, at);
		break;
	case 'o':
		apk_set(&r->pkg.source, l, line, len, at);
		break;
	case 'I':
		r->pkg.installed_size = vtr_packages_number(line + 2, len - 2);
		break;
	case 'F':
		r->files = true;
		break;
	default:
		break;
	}
}

int vtr_apk_parse(struct vtr_packages *l, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_lines lines = { text, text + len };
	struct apk_record r = { 0 };
	const char *line;
	size_t n;

	while (vtr_lines_next(&lines, &line, &n) > 0) {
		if (n == 0) {
			if (apk_record_add(l, &r, err) < 0)
				return -1;
		} else if (!r.files) {
			apk_line_parse(l, &r, line, n, (size_t)(line - text));
		}
	}
	return apk_record_add(l, &r, err);
}

int vtr_apk_read(struct vtr_packages *l, struct vtr_error *err)
{
	static const char *const paths[] = { "/lib/apk/db/installed", "/usr/lib/apk/db/installed" };

	for (size_t i = 0; i < VTR_COUNT(paths); i++) {
		VTR_HELD char *text = NULL;
		size_t len;
		int there = vtr_packages_slurp(&text, &len, l, paths[i], err);

		if (there < 0)
			return -1;
		if (there == 0)
			continue;
		l->path = paths[i];
		return vtr_apk_parse(l, text, len, err) < 0 ? vtr_at(err, "%s", l->path) : 1;
	}
	return 0;
}
