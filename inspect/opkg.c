/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packages from opkg's database, which has dpkg's syntax. Its sizes are bytes, as opkg-build writes them, and it keeps
 * when a package was installed.
 */
#include "base/held.h"
#include "inspect/packages.h"

#include "base/checked.h"

int vtr_opkg_read(struct vtr_packages *l, struct vtr_error *err)
{
	static const char *const paths[] = { "/usr/lib/opkg/status", "/var/lib/opkg/status" };
	struct vtr_os *os = l->os;

	for (size_t i = 0; i < VTR_COUNT(paths); i++) {
		VTR_HELD char *text = NULL;
		size_t len;
		int there = vtr_packages_slurp(&text, &len, l, paths[i], err);

		if (there < 0)
			return -1;
		if (there == 0)
			continue;
		l->path = paths[i];
		if (vtr_dpkg_parse(os, text, len, err) < 0)
			return -1;
		vtr_steal(text);
		for (size_t j = 0; j < os->n_packages; j++)
			os->packages[j].installed_size /= 1024;
		return 1;
	}
	return 0;
}
