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

/* -------------------------------------------------------------------------------------------------------- archives */

static bool known_starts(const struct vtr_probe *p, const char *magic, size_t n)
{
	return p->head_len >= n && memcmp(p->head, magic, n) == 0;
}
#define STARTS(magic) known_starts(p, "" magic, sizeof(magic) - 1)

static char *known_advise(struct vtr_open *o)
{
	(void)o;
	return strdup("unpack it, and name the disk image in it");
}

#define ARCHIVE(id, text, title_text, bits)                                                                            \
	static int id##_probe(const struct vtr_probe *p)                                                               \
	{                                                                                                              \
		return (bits);                                                                                         \
	}                                                                                                              \
	extern const struct vtr_format vtr_format_##id;                                                                \
	const struct vtr_format vtr_format_##id = {                                                                    \
		.name = (text), .title = (title_text), .probe = id##_probe, .advise = known_advise                     \
	}

ARCHIVE(zip, "zip", "ZIP archive", STARTS("PK\3\4") || STARTS("PK\5\6") || STARTS("PK\7\b") ? 32 : 0);
ARCHIVE(seven_zip, "7z", "7-Zip archive", STARTS("7z\xbc\xaf\x27\x1c") ? 48 : 0);
ARCHIVE(rar, "rar", "RAR archive", STARTS("Rar!\x1a\x07") ? 48 : 0);
ARCHIVE(cpio, "cpio", "cpio archive", STARTS("070701") || STARTS("070702") || STARTS("070707") ? 48 : 0);
ARCHIVE(ar, "ar", "archive of ar, or Debian package", STARTS("!<arch>\n") ? 64 : 0);
ARCHIVE(rpm, "rpm", "RPM package", STARTS("\xed\xab\xee\xdb") ? 32 : 0);
ARCHIVE(cab, "cab", "Microsoft cabinet", STARTS("MSCF\0\0\0\0") ? 64 : 0);
ARCHIVE(wim, "wim", "Windows imaging file", STARTS("MSWIM\0\0\0") ? 64 : 0);
