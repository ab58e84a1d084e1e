/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kernels: files that are kernels by their names, with what their first bytes say (the boot protocols of x86, Arm and
 * RISC-V in Linux's Documentation), the initramfs that goes with each, and whether its modules are there.
 */
#include <stdlib.h>

#include "base/blk.h"
#include "base/checked.h"
#include "fs/fs.h"
#include "inspect/pe.h"
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
	static const char *const beside[] = { "initrd", "initramfs.img" }; /* in a directory of the kernel's own */

	for (size_t i = 0; strcmp(dir, "/boot") != 0 && i < VTR_COUNT(beside); i++) {
		VTR_FREE char *path = kernels_path(dir, beside[i], vtr_span_of(""), "", err);
		int there = path ? vtr_os_there(d->os, path, err) : -1;

		if (there > 0)
			vtr_draft_text(d, "initramfs", path);
		if (there != 0)
			return there < 0 ? -1 : 0;
	}
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

/* The modules of a kernel whose version is not known: "vmlinuz-NAME" is that of the package NAME, or of a flavour. */
struct kernels_flavour {
	struct vtr_span name;
	char version[KERNELS_VERSION];
	size_t found; /* directories that may be meant */
};

static int kernels_flavour_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct kernels_flavour *f = arg;
	struct vtr_span dir = vtr_span_of(e->name);
	VTR_FREE char *path = NULL;
	char base[KERNELS_VERSION];
	bool fits = false;
	ssize_t n;

	if (e->type != VTR_TYPE_DIR || dir.len >= sizeof(f->version))
		return 0;
	path = kernels_path(e->path, "pkgbase", vtr_span_of(""), "", err);
	n = path ? vtr_os_peek(base, sizeof(base), 0, NULL, os, path, err) : -1;
	if (n < 0)
		return -1;
	if (n > 0) { /* Arch: the name of the kernel's package */
		struct vtr_span line, rest = { base, (size_t)n };

		fits = vtr_span_line(&line, &rest) && line.len == f->name.len &&
		       memcmp(line.p, f->name.p, line.len) == 0;
	} else if (dir.len > f->name.len + 1 && dir.p[dir.len - f->name.len - 1] == '-') { /* Alpine: 6.6.30-0-lts */
		fits = memcmp(dir.p + dir.len - f->name.len, f->name.p, f->name.len) == 0;
	}
	if (fits) {
		f->found++;
		memcpy(f->version, e->name, dir.len + 1);
	}
	return 0;
}

static int kernels_flavour_find(struct kernels_flavour *f, struct vtr_os *os, struct vtr_span name,
				struct vtr_error *err)
{
	*f = (struct kernels_flavour){ .name = name };
	if (name.len == 0 || (*name.p >= '0' && *name.p <= '9'))
		return 0;
	for (size_t i = 0; i < VTR_COUNT(kernels_modules_dirs) && f->found == 0; i++)
		if (vtr_os_list(os, kernels_modules_dirs[i], kernels_flavour_entry, f, err) < 0)
			return -1;
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
	struct kernels_flavour flavour = { .found = 0 };
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
	if (inside.len == 0 && kernels_flavour_find(&flavour, os, suffix, err) < 0)
		return -1;
	if (inside.len == 0 && flavour.found == 1)
		inside = vtr_span_of(flavour.version);
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

/* kernel-install(8), layout bls: ENTRY-TOKEN/VERSION/linux, with an initrd beside it. */
static int kernels_version_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	static const char *const names[] = { "linux", "vmlinuz" };

	(void)arg;
	for (size_t i = 0; e->type == VTR_TYPE_DIR && i < VTR_COUNT(names); i++) {
		VTR_FREE char *path = kernels_path(e->path, names[i], vtr_span_of(""), "", err);
		struct vtr_stat st;
		int there = path ? vtr_os_look(NULL, &st, os, path, 0, err) : -1;

		if (there < 0)
			return -1;
		if (there > 0 && st.type == VTR_TYPE_FILE)
			return kernels_add(os, path, e->path, vtr_span_of(e->name), err);
	}
	return 0;
}

static int kernels_token_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	static const char *const others[] = { "EFI",	"efi",	      "grub",	  "grub2",
					      "loader", "lost+found", "extlinux", "syslinux" };

	for (size_t i = 0; i < VTR_COUNT(others); i++)
		if (strcmp(e->name, others[i]) == 0)
			return 0;
	return e->type == VTR_TYPE_DIR ? vtr_os_list(os, e->path, kernels_version_entry, arg, err) : 0;
}

/* The version in the name of a unified kernel image: without the entry token in front, and the tries left behind it. */
static struct vtr_span kernels_uki_name(struct vtr_span name)
{
	size_t digits = 0, at;

	while (digits < name.len &&
	       ((name.p[digits] >= '0' && name.p[digits] <= '9') || (name.p[digits] >= 'a' && name.p[digits] <= 'f')))
		digits++;
	if (digits == 32 && digits + 1 < name.len && name.p[digits] == '-') /* a machine ID */
		name = vtr_span_skip(name, digits + 1);
	for (at = name.len; at > 0 && ((name.p[at - 1] >= '0' && name.p[at - 1] <= '9') || name.p[at - 1] == '-'); at--)
		;
	if (at > 1 && at < name.len && name.p[at - 1] == '+')
		name.len = at - 1;
	return name;
}

/*
 * Unified kernel images, UAPI.5: PE files with the kernel in a section. Its version is in .uname; without that it is in the
 * kernel's own header, else the file's name is all there is.
 */
static int kernels_uki_add(struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_span name, struct vtr_error *err)
{
	struct vtr_error w = { 0 };
	VTR_UNREF struct vtr_blk *b = NULL;
	VTR_FREE char *uname = NULL, *kernel = NULL;
	struct vtr_span version = { NULL, 0 };
	char inside[KERNELS_VERSION];
	const char *arch = NULL;
	struct vtr_place place;
	struct vtr_pe pe = { 0 };
	struct vtr_draft d;
	uint64_t at, version_at;
	size_t len;
	int there = vtr_os_look(&place, NULL, os, e->path, 0, err);

	if (there <= 0)
		return there;
	there = vtr_fs_file_blk(&b, place.fs, place.node, &w) < 0 || vtr_pe_read(&pe, b, &w) < 0 ? -1 : 0;
	if (there == 0) {
		arch = vtr_pe_arch(pe.machine);
		there = vtr_pe_section(&uname, &len, &at, &pe, b, ".uname", KERNELS_VERSION, &w);
	}
	if (there > 0)
		version = vtr_span_trim((struct vtr_span){
			uname, vtr_span_find((struct vtr_span){ uname, strnlen(uname, len) }, '\n') });
	if (there == 0 && pe.n_sections > 0) {
		there = vtr_pe_section(&kernel, &len, &at, &pe, b, ".linux", KERNELS_HEAD, &w);
		if (there > 0 && vtr_kernel_arch((const uint8_t *)kernel, len, &version_at) && version_at != 0) {
			ssize_t n = vtr_os_peek(inside, sizeof(inside), at + version_at, NULL, os, e->path, err);

			if (n < 0)
				return -1;
			version = (struct vtr_span){ inside, strnlen(inside, (size_t)n) };
			version.len = vtr_span_find(version, ' ');
		}
	}
	if (there < 0 &&
	    vtr_inspect_excuse(os->ctx, &w, err, "%s: %s", vtr_os_device(os, place.fs, e->path), e->path) < 0)
		return -1;
	if (version.len == 0)
		version = kernels_uki_name(name);
	vtr_draft_begin(&d, os, "kernels", e->path, err);
	vtr_draft_span(&d, "version", version);
	vtr_draft_text(&d, "path", e->path);
	vtr_draft_text(&d, "arch", arch);
	if (kernels_modules_add(&d, version, err) < 0)
		return -1;
	return vtr_draft_end(&d);
}

static int kernels_uki_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct vtr_span name = vtr_span_of(e->name);

	(void)arg;
	if (!vtr_span_ends(name, ".efi") || e->type != VTR_TYPE_FILE)
		return 0;
	name.len -= strlen(".efi");
	return kernels_uki_add(os, e, name, err);
}

/* One of several names of a directory: "/efi" may be a link to "/boot/efi". */
static int kernels_list_once(struct vtr_os *os, const char *const *dirs, vtr_os_entry_fn *fn, struct vtr_error *err)
{
	struct vtr_place seen[4];
	size_t n = 0;

	for (size_t i = 0; dirs[i] && n < VTR_COUNT(seen); i++) {
		bool again = false;
		int there = vtr_os_look(&seen[n], NULL, os, dirs[i], 0, err);

		if (there < 0)
			return -1;
		for (size_t k = 0; there > 0 && k < n; k++)
			again = again || (seen[k].fs == seen[n].fs && seen[k].node == seen[n].node);
		if (there == 0 || again)
			continue;
		n++;
		if (vtr_os_list(os, dirs[i], fn, NULL, err) < 0)
			return -1;
	}
	return 0;
}

int vtr_kernels_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const uki[] = { "/boot/efi/EFI/Linux", "/efi/EFI/Linux", "/boot/EFI/Linux", NULL };
	static const char *const boot[] = { "/boot", "/boot/efi", "/efi", NULL };

	if (vtr_os_list(os, "/boot", kernels_boot_entry, NULL, err) < 0 ||
	    kernels_list_once(os, boot, kernels_token_entry, err) < 0 ||
	    kernels_list_once(os, uki, kernels_uki_entry, err) < 0)
		return -1;
	/* After them: what is in /boot too is not listed twice. */
	return vtr_os_list(os, kernels_modules_dirs[0], kernels_modules_entry, NULL, err);
}
