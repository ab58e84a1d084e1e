/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Formats that are recognised by their signs and refused by name, so that their bytes are never taken for a raw disk.
 * Each moves to a file of its own when it is read.
 */
#include <string.h>

#include "base/checked.h"
#include "formats/format.h"

/* A property list of this type; the bytes of the disk lie in other files, its bands. */
static int sparsebundle_probe(const struct vtr_probe *p)
{
	static const char xml[] = "<?xml", type[] = "com.apple.diskimage.sparsebundle";

	return p->head_len >= sizeof(xml) - 1 && memcmp(p->head, xml, sizeof(xml) - 1) == 0 &&
			       memmem(p->head, VTR_MIN(p->head_len, (size_t)4096), type, sizeof(type) - 1)
		       ? 128
		       : 0;
}

/* The empty file that marks the folder. */
static bool sparsebundle_named(const struct vtr_open *o)
{
	static const char end[] = ".sparsebundle/token";
	size_t n = o->path ? strlen(o->path) : 0;

	return o->file->size == 0 && n >= sizeof(end) - 1 && strcmp(o->path + n - (sizeof(end) - 1), end) == 0;
}

extern const struct vtr_format vtr_format_sparsebundle;
const struct vtr_format vtr_format_sparsebundle = {
	.name = "sparsebundle", .title = "Apple sparse bundle", .probe = sparsebundle_probe, .named = sparsebundle_named
};
