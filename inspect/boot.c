/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a system starts: the boot loader that is installed, the firmware that it is installed for, and the entry that it
 * takes. What is on the disk before the first partition is not looked at, and a table of partitions proves nothing: files
 * tell.
 */
#include <stdlib.h>

#include "base/checked.h"
#include "inspect/records.h"

/* A file that a loader has, and the firmware that starts it. The first says the loader; all of them say the firmware. */
static const struct {
	const char *path, *loader, *firmware;
} boot_signs[] = {
	{ "/boot/grub/i386-pc", "grub", "bios" },
	{ "/boot/grub2/i386-pc", "grub", "bios" },
	{ "/boot/grub/x86_64-efi", "grub", "uefi" },
	{ "/boot/grub2/x86_64-efi", "grub", "uefi" },
	{ "/boot/grub/i386-efi", "grub", "uefi" },
	{ "/boot/grub/arm64-efi", "grub", "uefi" },
	{ "/boot/grub2/arm64-efi", "grub", "uefi" },
	{ "/boot/grub/arm-efi", "grub", "uefi" },
	{ "/boot/grub/riscv64-efi", "grub", "uefi" },
	{ "/boot/grub/powerpc-ieee1275", "grub", "openfirmware" },
	{ "/boot/grub2/powerpc-ieee1275", "grub", "openfirmware" },
	{ "/boot/efi/EFI/systemd", "systemd-boot", "uefi" },
	{ "/boot/EFI/systemd", "systemd-boot", "uefi" },
	{ "/efi/EFI/systemd", "systemd-boot", "uefi" },
	{ "/boot/efi/EFI/refind", "refind", "uefi" },
	{ "/boot/EFI/refind", "refind", "uefi" },
	{ "/boot/grub/stage2", "grub-legacy", "bios" },
	{ "/boot/extlinux/ldlinux.sys", "extlinux", "bios" },
	{ "/boot/syslinux/ldlinux.sys", "syslinux", "bios" },
	{ "/boot/ldlinux.sys", "extlinux", "bios" },
	{ "/extlinux.conf", "extlinux", "bios" },
	{ "/boot/extlinux.conf", "extlinux", "bios" },
	{ "/etc/lilo.conf", "lilo", "bios" },
	{ "/etc/zipl.conf", "zipl", NULL },
	{ "/boot/boot.scr", "u-boot", NULL },
};

/* GRUB for UEFI alone: its files are in the ESP, and its configuration may be, too. */
struct boot_esp {
	const char *loader, *path;
	char found[64];
};

static int boot_esp_file(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct boot_esp *b = arg;
	struct vtr_span name = vtr_span_of(e->name);

	(void)os, (void)err;
	if (!b->loader && vtr_span_starts(name, "grub") && vtr_span_ends(name, ".efi"))
		b->loader = "grub";
	if (!b->loader && vtr_span_starts(name, "shim") && vtr_span_ends(name, ".efi"))
		b->loader = "grub";
	return 0;
}

static int boot_esp_dir(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	return e->type == VTR_TYPE_DIR ? vtr_os_list(os, e->path, boot_esp_file, arg, err) : 0;
}

static int boot_esp_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const dirs[] = { "/boot/efi/EFI", "/boot/EFI", "/efi/EFI", NULL };
	struct boot_esp b = { .loader = NULL };
	const char *dir = NULL;
	int there = vtr_os_there_any(&dir, os, dirs, err);

	if (there <= 0)
		return there;
	if (vtr_os_list(os, dir, boot_esp_dir, &b, err) < 0)
		return -1;
	return b.loader ? vtr_os_add_text(os, "boot_loader", b.loader, dir, err) : 0;
}

/* What is installed without having been put in place: the modules of GRUB's packages, when they are for one firmware. */
static int boot_packages_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const bios[] = { "/usr/lib/grub/i386-pc", NULL };
	static const char *const uefi[] = { "/usr/lib/grub/x86_64-efi", "/usr/lib/grub/arm64-efi",
					    "/usr/lib/grub/riscv64-efi", NULL };
	const char *b = NULL, *u = NULL;

	if (vtr_os_there_any(&b, os, bios, err) < 0 || vtr_os_there_any(&u, os, uefi, err) < 0)
		return -1;
	if (!b && !u)
		return 0;
	if (vtr_os_add_text(os, "boot_loader", "grub", b ? b : u, err) < 0)
		return -1;
	return b && u ? 0 : vtr_os_add_text(os, "firmware", b ? "bios" : "uefi", b ? b : u, err);
}

static int boot_loader_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const names[] = { "bios", "uefi", "openfirmware" };
	const char *loader = NULL, *path = NULL, *first[VTR_COUNT(names)] = { NULL };
	struct vtr_str all = { 0 };
	int rc = 0;

	for (size_t i = 0; i < VTR_COUNT(boot_signs); i++) {
		int there = vtr_os_there(os, boot_signs[i].path, err);

		if (there < 0)
			return -1;
		if (there == 0)
			continue;
		if (!loader) {
			loader = boot_signs[i].loader;
			path = boot_signs[i].path;
		}
		for (size_t f = 0; f < VTR_COUNT(names) && boot_signs[i].firmware; f++)
			if (!first[f] && strcmp(boot_signs[i].firmware, names[f]) == 0)
				first[f] = boot_signs[i].path;
	}
	if (loader && vtr_os_add_text(os, "boot_loader", loader, path, err) < 0)
		return -1;
	/* An ESP with something of ours in it is no loader of another system's. */
	if (!first[1] && boot_esp_read(os, err) < 0)
		return -1;
	if (!first[1] && vtr_os_fact(os, "boot_loader") && strstr(vtr_os_fact(os, "boot_loader")->path, "/EFI"))
		first[1] = "/boot/efi/EFI";
	path = NULL;
	for (size_t f = 0; f < VTR_COUNT(names); f++) {
		if (!first[f])
			continue;
		path = path ? path : first[f];
		vtr_str_puts(&all, all.len > 0 ? ", " : "");
		vtr_str_puts(&all, names[f]);
	}
	if (all.oom)
		rc = vtr_fail(err, VTR_ENOMEM, "firmware");
	else if (all.len > 0)
		rc = vtr_os_add_text(os, "firmware", all.p, path, err);
	vtr_str_done(&all);
	return rc < 0 ? -1 : boot_packages_read(os, err);
}

/* -------------------------------------------------------------------------------------------------- default entry */

/* saved_entry of grubenv, a block of 1 KiB of assignments that is filled up with '#'. */
static int boot_saved_entry(char **out, struct vtr_os *os, const char **path, struct vtr_error *err)
{
	static const char *const paths[] = { "/boot/grub/grubenv", "/boot/grub2/grubenv" };

	for (size_t i = 0; i < VTR_COUNT(paths) && !*out; i++) {
		VTR_FREE char *text = NULL;
		struct vtr_span rest, line;
		size_t len;
		int there = vtr_os_text_slurp(&text, &len, os, paths[i], err);

		if (there < 0)
			return -1;
		if (there == 0)
			continue;
		rest = (struct vtr_span){ text, len };
		while (!*out && vtr_span_line(&line, &rest)) {
			if (!vtr_span_starts(line, "saved_entry=") || line.len == 12)
				continue;
			line = vtr_span_skip(line, 12);
			*out = vtr_strndup(line.p, line.len, err);
			*path = paths[i];
			if (!*out)
				return -1;
		}
	}
	return 0;
}

/* The title of menuentry 'TITLE' or submenu "TITLE"; false: the line is another. */
static bool boot_title(struct vtr_span *out, struct vtr_span line)
{
	struct vtr_span word, rest = line;
	char quote;
	size_t end;

	if (!vtr_span_word(&word, &rest) || !(vtr_span_is(word, "menuentry") || vtr_span_is(word, "submenu")))
		return false;
	rest = vtr_span_trim(rest);
	quote = rest.len > 0 ? *rest.p : 0;
	if (quote != '\'' && quote != '"')
		return vtr_span_word(out, &rest);
	rest = vtr_span_skip(rest, 1);
	end = vtr_span_find(rest, quote);
	*out = (struct vtr_span){ rest.p, end };
	return end < rest.len;
}

/*
 * grub.cfg as grub-mkconfig writes it: set default="0", or "${saved_entry}", and entries at the first level, which start
 * at the start of a line.
 */
int vtr_grub_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line, title, value = { NULL, 0 };
	VTR_FREE char *saved = NULL;
	const char *saved_path = path;
	uint64_t n, at = 0;

	while (vtr_span_line(&line, &rest)) {
		line = vtr_span_trim(line);
		if (!vtr_span_starts(line, "set default="))
			continue;
		line = vtr_span_unquote(vtr_span_skip(line, 12));
		if (!vtr_span_is(line, "${next_entry}"))
			value = line;
	}
	if (!value.p)
		return 0;
	if (value.len > 0 && *value.p == '$') {
		if (os->tree && boot_saved_entry(&saved, os, &saved_path, err) < 0)
			return -1;
		value = vtr_span_of(saved ? saved : "0");
	}
	/* "1>2": an entry of a submenu is told as it is. */
	if (!vtr_span_u64(&n, value, 10000))
		return vtr_os_add_fact(os, "boot_default", value.p, value.len, saved ? saved_path : path, err);
	rest = (struct vtr_span){ text, len };
	while (vtr_span_line(&line, &rest)) {
		if (line.len == 0 || *line.p == ' ' || *line.p == '\t' || !boot_title(&title, line))
			continue;
		if (at++ == n)
			return vtr_os_add_fact(os, "boot_default", title.p, title.len, path, err);
	}
	return 0;
}

/* loader.conf(5) of systemd-boot, and the configuration of syslinux: the word default, and what follows. */
int vtr_loader_conf_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line, word;

	while (vtr_span_line(&line, &rest)) {
		if (!vtr_span_word(&word, &line) || !vtr_span_is_icase(word, "default"))
			continue;
		line = vtr_span_trim(line);
		return vtr_os_add_fact(os, "boot_default", line.p, line.len, path, err);
	}
	return 0;
}

int vtr_boot_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const grubs[] = { "/boot/grub/grub.cfg", "/boot/grub2/grub.cfg" };
	static const char *const loaders[] = { "/boot/efi/loader/loader.conf",
					       "/boot/loader/loader.conf",
					       "/efi/loader/loader.conf",
					       "/boot/extlinux/extlinux.conf",
					       "/boot/syslinux/syslinux.cfg",
					       "/boot/extlinux.conf",
					       "/extlinux.conf" };
	VTR_FREE char *saved = NULL;
	const char *path = NULL;

	if (boot_loader_read(os, err) < 0)
		return -1;
	for (size_t i = 0; i < VTR_COUNT(grubs) && !vtr_os_fact(os, "boot_default"); i++)
		if (vtr_os_text(os, grubs[i], vtr_grub_parse, err) < 0)
			return -1;
	for (size_t i = 0; i < VTR_COUNT(loaders) && !vtr_os_fact(os, "boot_default"); i++)
		if (vtr_os_text(os, loaders[i], vtr_loader_conf_parse, err) < 0)
			return -1;
	/* With entries of their own in /boot/loader, GRUB's environment alone says which. */
	if (vtr_os_fact(os, "boot_default"))
		return 0;
	if (boot_saved_entry(&saved, os, &path, err) < 0)
		return -1;
	return saved ? vtr_os_add_text(os, "boot_default", saved, path, err) : 0;
}
