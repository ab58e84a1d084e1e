/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What must hold of every list of packages. */
#ifndef FUZZ_FUZZ_PACKAGES_H
#define FUZZ_FUZZ_PACKAGES_H

#include <string.h>

#include "fuzz/fuzz.h"
#include "inspect/packages.h"

static inline void fuzz_packages_string(const char *s)
{
	for (const char *p = s; p && *p; p++)
		FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
	FUZZ_CHECK(!s || vtr_utf8_is(s, strlen(s)));
}

/* The end of reading: strings are plain, packages are sorted, and a failure leaves none. */
static inline void fuzz_packages_check(struct vtr_packages *l, int rc, const struct vtr_error *err)
{
	const struct vtr_package *p, *before = NULL;
	size_t i;

	FUZZ_CHECK(vtr_packages_finish(l, rc) == rc && (rc == 0 || rc == -1));
	FUZZ_CHECK(rc == 0 || (err->code != 0 && err->text[0] != 0));
	for (i = 0; (p = vtr_os_package(l->os, i)); i++) {
		FUZZ_CHECK(p->name && *p->name && p->version && p->arch && p->status);
		fuzz_packages_string(p->name);
		fuzz_packages_string(p->version);
		fuzz_packages_string(p->arch);
		fuzz_packages_string(p->source);
		fuzz_packages_string(p->source_version);
		fuzz_packages_string(p->summary);
		fuzz_packages_string(p->vendor);
		fuzz_packages_string(p->id);
		fuzz_packages_string(p->user);
		fuzz_packages_string(p->location);
		FUZZ_CHECK(p->install_time >= 0);
		if (before) {
			int c = strcmp(before->name, p->name);

			FUZZ_CHECK(c < 0 || (c == 0 && strcmp(before->arch, p->arch) <= 0));
		}
		before = p;
	}
	FUZZ_CHECK(rc == 0 || i == 0);
}

#endif
