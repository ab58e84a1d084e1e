/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kernels: files that are kernels by their names, with what their first bytes say (the boot protocols of x86, Arm and
 * RISC-V in Linux's Documentation), the initramfs that goes with each, and whether its modules are there.
 */
#include <stdlib.h>

#include "base/checked.h"
#include "inspect/records.h"

#define KERNELS_HEAD 1024u   /* bytes of a kernel that its headers are in */
#define KERNELS_VERSION 256u /* bytes of the text that starts with its version */

static const char *const kernels_modules_dirs[] = { "/usr/lib/modules", "/lib/modules" };

/* A kernel is NAME, or NAME and "-" and a version; so is an initramfs, with SUFFIX behind it. */
static const char *const kernels_names[] = { "vmlinuz", "vmlinux", "kernel", "bzImage", "zImage", "Image", "linux" };

static const struct {
	const char *before, *after;
} kernels_initramfs[] = {
	{ "initrd.img-", "" }, { "initramfs-", ".img" }, { "initrd-", ".img" },
	{ "initrd-", "" },     { "initramfs-", "" },	 { "initrd.", "" },
};

/*
 * The setup header of an x86 kernel: "HdrS" at 0x202, kernel_version (less 0x200) at 0x20e, version 2.12 and later:
 * xloadflags at 0x236, whose bit 0 is a 64-bit entry. The others: "ARM\x64" at 56, "RSC\x05" at 56.
 */
const char *vtr_kernel_arch(const uint8_t *p, size_t len, uint64_t *version_at)
{
	*version_at = 0;
	if (len >= 0x238 && memcmp(p + 0x202, "HdrS", 4) == 0) {
		uint16_t protocol = vtr_get_le16(p + 0x206), at = vtr_get_le16(p + 0x20e);

		if (at != 0)
			*version_at = at + 0x200u;
		if (protocol < 0x20c)
			return NULL;
		return vtr_get_le16(p + 0x236) & 1 ? "x86_64" : "i386";
	}
	if (len >= 64 && memcmp(p + 56, "ARM\x64", 4) == 0)
		return "aarch64";
	if (len >= 64 && memcmp(p + 56, "RSC\x05", 4) == 0)
		return "riscv64";
	if (len >= 40 && vtr_get_le32(p + 36) == 0x016f2818) /* zImage */
		return "arm";
	return vtr_elf_arch(p, len);
}

/* The version in a kernel's name; {NULL, 0}: it is none, "": a kernel without one. */
static struct vtr_span kernels_name_version(struct vtr_span name)
{
	for (size_t i = 0; i < VTR_COUNT(kernels_names); i++) {
		struct vtr_span rest;

		if (!vtr_span_starts(name, kernels_names[i]))
			continue;
		rest = vtr_span_skip(name, strlen(kernels_names[i]));
		if (rest.len == 0)
			return rest;
		if (*rest.p == '-' && rest.len > 1)
			return vtr_span_skip(rest, 1);
	}
	return (struct vtr_span){ NULL, 0 };
}

/* DIR/BEFORE NAME AFTER as a path; NULL sets *err. */
static char *kernels_path(const char *dir, const char *before, struct vtr_span name, const char *after,
			  struct vtr_error *err)
{
	struct vtr_str s = { 0 };

	vtr_str_puts(&s, dir);
	vtr_str_put(&s, "/", 1);
	vtr_str_puts(&s, before);
	vtr_str_put(&s, name.p, name.len);
	vtr_str_puts(&s, after);
	return vtr_str_take(&s, err);
}

static int kernels_initramfs_add(struct vtr_draft *d, const char *dir, struct vtr_span version, struct vtr_error *err)
{
	for (size_t i = 0; version.len > 0 && i < VTR_COUNT(kernels_initramfs); i++) {
		VTR_FREE char *path =
			kernels_path(dir, kernels_initramfs[i].before, version, kernels_initramfs[i].after, err);
		int there = path ? vtr_os_there(d->os, path, err) : -1;

		if (there < 0)
			return -1;
		if (there > 0) {
			vtr_draft_text(d, "initramfs", path);
			return 0;
		}
	}
	return 0;
}

static int kernels_modules_add(struct vtr_draft *d, struct vtr_span version, struct vtr_error *err)
{
	for (size_t i = 0; version.len > 0 && i < VTR_COUNT(kernels_modules_dirs); i++) {
		VTR_FREE char *path = kernels_path(kernels_modules_dirs[i], "", version, "", err);
		struct vtr_stat st;
		int there = path ? vtr_os_look(NULL, &st, d->os, path, 0, err) : -1;

		if (there < 0)
			return -1;
		if (there > 0 && st.type == VTR_TYPE_DIR) {
			vtr_draft_text(d, "modules", path);
			return 0;
		}
	}
	return 0;
}

/*
 * One kernel. The version of its name is believed first: it is what its modules and its initramfs are found by. Names
 * of Alpine and Arch ("lts", "linux") have none: then the kernel itself says.
 */
static int kernels_add(struct vtr_os *os, const char *path, const char *dir, struct vtr_span suffix,
		       struct vtr_error *err)
{
	uint8_t head[KERNELS_HEAD];
	char text[KERNELS_VERSION];
	uint64_t version_at = 0;
	struct vtr_span inside = { text, 0 }, version = suffix;
	const char *arch = NULL;
	struct vtr_draft d;
	ssize_t n = vtr_os_peek(head, sizeof(head), 0, NULL, os, path, err);

	if (n < 0)
		return -1;
	arch = vtr_kernel_arch(head, (size_t)n, &version_at);
	if (version_at != 0) {
		n = vtr_os_peek(text, sizeof(text), version_at, NULL, os, path, err);
		if (n < 0)
			return -1;
		inside.len = strnlen(text, (size_t)n);
		inside.len = vtr_span_find(inside, ' ');
	}
	if (version.len == 0 || *version.p < '0' || *version.p > '9')
		version = inside.len > 0 ? inside : suffix;
	vtr_draft_begin(&d, os, "kernels", path, err);
	vtr_draft_span(&d, "version", version);
	vtr_draft_text(&d, "path", path);
	vtr_draft_text(&d, "arch", arch);
	if (kernels_initramfs_add(&d, dir, suffix, err) < 0 || kernels_modules_add(&d, version, err) < 0)
		return -1;
	return vtr_draft_end(&d);
}

static int kernels_boot_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct vtr_span version = kernels_name_version(vtr_span_of(e->name));

	(void)arg;
	/* A symlink is another name of one that is listed. */
	if (!version.p || e->type != VTR_TYPE_FILE)
		return 0;
	/* What lies beside kernels: vmlinuz-6.1.hmac, vmlinux-6.1.gz is one though. */
	if (vtr_span_ends(version, ".hmac") || vtr_span_ends(version, ".sig") || vtr_span_ends(version, ".efi.stub"))
		return 0;
	return kernels_add(os, e->path, "/boot", version, err);
}

/* /usr/lib/modules/VERSION/vmlinuz, where nothing of that version is in /boot. */
static int kernels_modules_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct vtr_span version = vtr_span_of(e->name);
	const struct vtr_record *r;
	VTR_FREE char *path = NULL;
	struct vtr_stat st;
	int there;

	(void)arg;
	if (e->type != VTR_TYPE_DIR)
		return 0;
	path = kernels_path(e->path, "vmlinuz", vtr_span_of(""), "", err);
	there = path ? vtr_os_look(NULL, &st, os, path, 0, err) : -1;
	if (there <= 0 || st.type != VTR_TYPE_FILE)
		return there < 0 ? -1 : 0;
	for (size_t i = 0; (r = vtr_os_record(os, "kernels", i)); i++) {
		const char *v = vtr_record_member(r, "version");

		if (v && vtr_span_is(version, v))
			return 0;
	}
	return kernels_add(os, path, "/boot", version, err);
}

/* Unified kernel images, UAPI.5: PE files whose section .uname is not looked for: the name says it. */
static int kernels_uki_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct vtr_span name = vtr_span_of(e->name);
	struct vtr_draft d;

	(void)arg;
	if (!vtr_span_ends(name, ".efi") || e->type != VTR_TYPE_FILE)
		return 0;
	name.len -= strlen(".efi");
	vtr_draft_begin(&d, os, "kernels", e->path, err);
	vtr_draft_span(&d, "version", name);
	vtr_draft_text(&d, "path", e->path);
	if (kernels_modules_add(&d, name, err) < 0)
		return -1;
	return vtr_draft_end(&d);
}

int vtr_kernels_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const uki[] = { "/boot/efi/EFI/Linux", "/efi/EFI/Linux", "/boot/EFI/Linux", NULL };
	const char *dir = NULL;
	int rc = vtr_os_list(os, "/boot", kernels_boot_entry, NULL, err);

	if (rc == 0)
		rc = vtr_os_list(os, kernels_modules_dirs[0], kernels_modules_entry, NULL, err);
	if (rc == 0)
		rc = vtr_os_there_any(&dir, os, uki, err);
	if (rc > 0)
		rc = vtr_os_list(os, dir, kernels_uki_entry, NULL, err);
	return rc;
}
