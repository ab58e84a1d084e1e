/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The architecture of a system, from the header of its programs: System V ABI, chapter 4 (ELF header), and the
 * machine numbers of the processors' supplements.
 *   0x00  4  magic
 *   0x04  1  EI_CLASS	1: 32, 2: 64 bits
 *   0x05  1  EI_DATA	1: little, 2: big endian
 *   0x12  2  e_machine
 */
#include "inspect/inspect.h"

#include "base/checked.h"
#include "fs/fs.h"

#define ELF_HEADER 20u /* bytes that are looked at */

/* A name for each class and endianness; NULL: there is no such machine. */
struct elf_machine {
	unsigned machine;
	const char *le32, *be32, *le64, *be64;
};

static const struct elf_machine elf_machines[] = {
	{ 2, NULL, "sparc", NULL, NULL },
	{ 3, "i386", NULL, NULL, NULL },
	{ 4, NULL, "m68k", NULL, NULL },
	{ 6, "i386", NULL, NULL, NULL }, /* 80486, never used much */
	{ 8, "mipsel", "mips", "mips64el", "mips64" },
	{ 10, "mipsel", NULL, NULL, NULL },
	{ 15, NULL, "parisc", NULL, "parisc64" },
	{ 18, NULL, "sparc", NULL, NULL }, /* SPARC32PLUS */
	{ 20, "ppcle", "ppc", NULL, NULL },
	{ 21, NULL, NULL, "ppc64le", "ppc64" },
	{ 22, NULL, "s390", NULL, "s390x" },
	{ 40, "arm", "armeb", NULL, NULL },
	{ 42, "sh4", "sh4eb", NULL, NULL },
	{ 43, NULL, NULL, NULL, "sparc64" },
	{ 50, NULL, NULL, "ia64", NULL },
	{ 62, "x32", NULL, "x86_64", NULL }, /* ILP32 programs of the x86-64 are their own ABI */
	{ 92, NULL, "or1k", NULL, NULL },
	{ 94, "xtensa", "xtensaeb", NULL, NULL },
	{ 113, "nios2", NULL, NULL, NULL },
	{ 183, "aarch64_ilp32", NULL, "aarch64", "aarch64_be" },
	{ 189, "microblazeel", "microblaze", NULL, NULL },
	{ 195, "arc", "arceb", NULL, NULL },
	{ 243, "riscv32", NULL, "riscv64", NULL },
	{ 252, "csky", NULL, NULL, NULL },
	{ 258, "loongarch32", NULL, "loongarch64", NULL },
	{ 0x9026, NULL, NULL, "alpha", NULL },
};

/* What every system has of its own, in the order of how sure it is that it is. */
static const char *const elf_binaries[] = {
	"/bin/bash",
	"/bin/ls",
	"/bin/echo",
	"/bin/rm",
	"/bin/sh",
	"/bin/busybox",
	"/usr/bin/bash",
	"/usr/bin/ls",
	"/usr/bin/rpm",
	"/usr/bin/dpkg",
	"/usr/lib/systemd/systemd",
	"/lib/systemd/systemd",
	"/sbin/init",
	"/usr/sbin/init",
	"/sbin/ldconfig",
	"/usr/bin/env",
	"/nix/var/nix/profiles/system/sw/bin/bash",
	"/var/guix/profiles/system/profile/bin/bash",
	"/system/bin/sh",
};

const char *vtr_elf_arch(const uint8_t *p, size_t len)
{
	bool be, wide;
	unsigned machine;

	if (len < ELF_HEADER || memcmp(p, "\177ELF", 4) != 0 || p[4] < 1 || p[4] > 2 || p[5] < 1 || p[5] > 2)
		return NULL;
	wide = p[4] == 2;
	be = p[5] == 2;
	machine = be ? vtr_get_be16(p + 18) : vtr_get_le16(p + 18);
	for (size_t i = 0; i < VTR_COUNT(elf_machines); i++) {
		const struct elf_machine *m = &elf_machines[i];

		if (m->machine == machine)
			return wide ? (be ? m->be64 : m->le64) : (be ? m->be32 : m->le32);
	}
	return NULL;
}

int vtr_elf_read(struct vtr_os *os, struct vtr_error *err)
{
	for (size_t i = 0; i < VTR_COUNT(elf_binaries); i++) {
		const char *path = elf_binaries[i], *arch;
		struct vtr_error e = { 0 };
		struct vtr_place place;
		struct vtr_stat st;
		uint8_t head[ELF_HEADER];
		ssize_t got;
		int there = vtr_os_look(&place, &st, os, path, 0, err);

		if (there < 0)
			return -1;
		if (there == 0 || st.type != VTR_TYPE_FILE)
			continue;
		got = vtr_fs_read(place.fs, place.node, 0, head, sizeof(head), &e);
		if (got < 0) {
			if (vtr_inspect_excuse(os->ctx, &e, err, "%s: %s", os->root, path) < 0)
				return -1;
			continue;
		}
		arch = vtr_elf_arch(head, (size_t)got);
		if (arch)
			return vtr_os_add_fact_on(os, "arch", arch, strlen(arch), path, place.fs, err);
	}
	return 0;
}
