/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Formats that are recognised by their signs and refused by name, so that their bytes are never taken for a raw disk.
 * Each moves to a file of its own when it is read.
 */
#include <string.h>

#include "formats/format.h"

static bool known_at(const uint8_t *bytes, size_t len, size_t at, const char *magic, size_t n)
{
	return at <= len && n <= len - at && memcmp(bytes + at, magic, n) == 0;
}

#define HEAD(at, magic)                                                                                                \
	(known_at(p->head, p->head_len, (at), "" magic, sizeof(magic) - 1) ? 8 * (int)(sizeof(magic) - 1) : 0)
/* back: bytes before the end of the file */
#define TAIL(back, magic)                                                                                              \
	(p->tail_len >= (back) && known_at(p->tail, p->tail_len, p->tail_len - (back), "" magic, sizeof(magic) - 1)    \
		 ? 8 * (int)(sizeof(magic) - 1)                                                                        \
		 : 0)

#define KNOWN(id, text, title_text, bits) KNOWN_NAMED(id, text, title_text, bits, NULL)
#define KNOWN_NAMED(id, text, title_text, bits, by_name)                                                               \
	static int id##_probe(const struct vtr_probe *p)                                                               \
	{                                                                                                              \
		return (bits);                                                                                         \
	}                                                                                                              \
	extern const struct vtr_format vtr_format_##id;                                                                \
	const struct vtr_format vtr_format_##id = {                                                                    \
		.name = (text), .title = (title_text), .probe = id##_probe, .named = (by_name)                         \
	}

KNOWN(vhdx, "vhdx", "Hyper-V disk v2", HEAD(0, "vhdxfile"));
KNOWN(vhd, "vhd", "Virtual PC and Hyper-V disk", HEAD(0, "conectix") | TAIL(512, "conectix") | TAIL(511, "conectix"));
KNOWN(dmg, "dmg", "Apple disk image (UDIF)", TAIL(512, "koly\0\0\0\x04"));
KNOWN(ewf, "ewf", "Expert Witness (E01)", HEAD(0, "EVF\x09\x0d\x0a\xff\0") | HEAD(0, "EVF2\x0d\x0a\x81\0"));

/* A property list of which this is the type; the bytes of the disk lie in other files. */
static bool known_in(const struct vtr_probe *p, const char *text)
{
	return memmem(p->head, p->head_len < 4096 ? p->head_len : 4096, text, strlen(text)) != NULL;
}

/* The empty file that marks the folder. */
static bool known_token(const struct vtr_open *o)
{
	static const char end[] = ".sparsebundle/token";
	size_t n = o->path ? strlen(o->path) : 0;

	return o->file->size == 0 && n >= sizeof(end) - 1 && strcmp(o->path + n - (sizeof(end) - 1), end) == 0;
}

KNOWN_NAMED(sparsebundle, "sparsebundle", "Apple sparse bundle",
	    HEAD(0, "<?xml") && known_in(p, "com.apple.diskimage.sparsebundle") ? 128 : 0, known_token);
KNOWN(android_sparse, "android-sparse", "Android sparse image", HEAD(0, "\x3a\xff\x26\xed\x01\0"));
KNOWN(gzip, "gzip", "a file compressed with gzip", HEAD(0, "\x1f\x8b\x08"));
KNOWN(xz, "xz", "a file compressed with xz", HEAD(0, "\xfd\x37zXZ\0"));
KNOWN(zstd, "zstd", "a file compressed with zstd", HEAD(0, "\x28\xb5\x2f\xfd"));
KNOWN(bzip2, "bzip2", "a file compressed with bzip2", HEAD(0, "BZh") && HEAD(4, "1AY&SY") ? 72 : 0);
