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

#define KNOWN(id, text, title_text, bits)                                                                              \
	static int id##_probe(const struct vtr_probe *p)                                                               \
	{                                                                                                              \
		return (bits);                                                                                         \
	}                                                                                                              \
	extern const struct vtr_format vtr_format_##id;                                                                \
	const struct vtr_format vtr_format_##id = { .name = (text), .title = (title_text), .probe = id##_probe }

KNOWN(qcow1, "qcow", "QEMU copy-on-write v1", HEAD(0, "QFI\xfb\0\0\0\x01"));
KNOWN(vmdk, "vmdk", "VMware disk", HEAD(0, "KDMV") | HEAD(0, "COWD") | HEAD(0, "# Disk DescriptorFile"));
KNOWN(vhdx, "vhdx", "Hyper-V disk v2", HEAD(0, "vhdxfile"));
KNOWN(vhd, "vhd", "Virtual PC and Hyper-V disk", HEAD(0, "conectix") | TAIL(512, "conectix") | TAIL(511, "conectix"));
KNOWN(vdi, "vdi", "VirtualBox disk", HEAD(0x40, "\x7f\x10\xda\xbe"));
KNOWN(qed, "qed", "QEMU enhanced disk", HEAD(0, "QED\0"));
KNOWN(parallels, "parallels", "Parallels disk", HEAD(0, "WithoutFreeSpace") | HEAD(0, "WithouFreSpacExt"));
KNOWN(bochs, "bochs", "Bochs disk", HEAD(0, "Bochs Virtual HD Image"));
KNOWN(sparseimage, "sparseimage", "Apple sparse image", HEAD(0, "sprs\0\0\0\x03"));
