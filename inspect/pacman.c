/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packages from pacman's local database: a directory for each, NAME-VERSION-RELEASE, with a file "desc". In that a line
 * %KEY% starts a field, whose values are the lines up to an empty one (alpm-db-desc(5), versions 1 and 2).
 */
#include "inspect/packages.h"

#include <string.h>

#include "base/checked.h"

#define PACMAN_DIR "/var/lib/pacman/local"

/* The bytes of a field's first line go to a member, or are a number. */
static bool pacman_field(struct vtr_package_bytes *p, const char *key, size_t key_len, const char *value, size_t len)
{
	const struct {
		const char *key;
		struct vtr_bytes *out;
	} fields[] = {
		{ "%NAME%", &p->name },	  { "%VERSION%", &p->version }, { "%ARCH%", &p->arch },
		{ "%BASE%", &p->source }, { "%DESC%", &p->summary },
	};

	for (size_t i = 0; i < VTR_COUNT(fields); i++)
		if (strlen(fields[i].key) == key_len && memcmp(fields[i].key, key, key_len) == 0) {
			*fields[i].out = (struct vtr_bytes){ value, len };
			return true;
		}
	if (key_len == 6 && memcmp(key, "%SIZE%", 6) == 0)
		p->installed_size = vtr_packages_number(value, len);
	else if (key_len == 13 && memcmp(key, "%INSTALLDATE%", 13) == 0)
		p->install_time = (int64_t)VTR_MIN(vtr_packages_number(value, len), (uint64_t)INT64_MAX);
	else
		return false;
	return true;
}

/* NAME-VERSION-RELEASE */
static void pacman_split(struct vtr_bytes *name, struct vtr_bytes *version, const char *dir)
{
	size_t len = strlen(dir), at = len, dashes = 0;

	while (at > 0 && dashes < 2)
		dashes += dir[--at] == '-';
	if (dashes < 2)
		at = len;
	*name = (struct vtr_bytes){ dir, at };
	*version = at < len ? (struct vtr_bytes){ dir + at + 1, len - at - 1 } : (struct vtr_bytes){ 0 };
}

int vtr_pacman_parse(struct vtr_packages *l, const char *dir, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_lines lines = { text, text + len };
	struct vtr_package_bytes pkg = { 0 };
	struct vtr_bytes name, version;
	const char *line, *key = NULL;
	size_t n, key_len = 0;

	while (vtr_lines_next(&lines, &line, &n) > 0) {
		if (n == 0) {
			key = NULL;
		} else if (!key) {
			if (n > 2 && line[0] == '%' && line[n - 1] == '%') {
				key = line;
				key_len = n;
			} else {
				vtr_packages_warn(l, VTR_ECORRUPT, "%s/desc: byte %zu: no field starts here", dir,
						  (size_t)(line - text));
			}
		} else if (key_len > 0) {
			pacman_field(&pkg, key, key_len, line, n);
			key_len = 0; /* of lists the first is enough */
		}
	}
	pacman_split(&name, &version, dir);
	if (pkg.name.len == 0 || pkg.version.len == 0) {
		vtr_packages_warn(l, VTR_ECORRUPT, "%s/desc has no %s", dir, pkg.name.len ? "version" : "name");
		pkg.name = name;
		pkg.version = version;
	}
	return vtr_packages_add(l, &pkg, err);
}

int vtr_pacman_read(struct vtr_packages *l, struct vtr_error *err)
{
	struct vtr_names dirs = { 0 };
	int there, rc = 0;

	l->path = PACMAN_DIR;
	there = vtr_names_read(&dirs, l, PACMAN_DIR, err);
	for (size_t i = 0; rc == 0 && i < dirs.n; i++) {
		VTR_FREE char *path = NULL, *text = NULL;
		struct vtr_str s = { 0 };
		size_t len = 0;
		int found;

		if (strcmp(dirs.names[i], "ALPM_DB_VERSION") == 0)
			continue;
		vtr_str_putf(&s, PACMAN_DIR "/%s/desc", dirs.names[i]);
		path = vtr_str_take(&s, err);
		found = path ? vtr_os_slurp(&text, &len, l->os, path, l->os->ctx->lim.text_file, err) : -1;
		rc = found < 0 ? -1 : vtr_pacman_parse(l, dirs.names[i], found ? text : "", len, err);
	}
	vtr_names_done(&dirs);
	if (rc < 0)
		return vtr_at(err, PACMAN_DIR);
	return there;
}
