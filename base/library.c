/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading a shared library by its SONAME, which the dynamic linker looks for where it looks for any other. */
#include "base/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static void library_why(struct vtr_library *lib)
{
	const char *why = dlerror();

	snprintf(lib->why, sizeof(lib->why), "%s", why ? why : "unknown error");
}

void vtr_library_open(struct vtr_library *lib, const char *soname, void *table, const char *const *names, size_t n)
{
	/* Never closed: libcrypto registers handlers that run when the process ends. */
	void *handle = dlopen(soname, RTLD_NOW | RTLD_LOCAL);

	if (!handle) {
		library_why(lib);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		void *function = dlsym(handle, names[i]);

		if (!function) {
			library_why(lib);
			return;
		}
		memcpy((char *)table + i * sizeof(function), &function, sizeof(function));
	}
	lib->loaded = true;
}

int vtr_library_check(const struct vtr_library *lib, const char *soname, struct vtr_error *err)
{
	if (lib->loaded)
		return 0;
	return vtr_fail(err, VTR_EUNSUPPORTED, "%s cannot be loaded: %s", soname, lib->why);
}
