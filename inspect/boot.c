/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a system starts: the boot loader that is installed, the firmware that it is installed for, and the entry that it
 * takes. What is on the disk before the first partition is not looked at, and a table of partitions proves nothing: files
 * tell.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "inspect/records.h"

#define BOOT_DEPTH 16u /* submenus within each other */

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

/*
 * The entries of a menu: GRUB's, in the order and the nesting of grub.cfg, or those of the Boot Loader Specification
 * (UAPI.1). One of the latter is a file, whose name is its id.
 */
struct boot_entry {
	char *title, *id; /* owned; NULL: none */
	char *version, *sort_key, *machine_id;
	size_t parent; /* index of the submenu that it is in, SIZE_MAX: none */
	bool submenu;
};

struct boot_menu {
	struct boot_entry *v;
	size_t n, cap;
};

static void boot_menu_done(struct boot_menu *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->v[i].title);
		free(m->v[i].id);
		free(m->v[i].version);
		free(m->v[i].sort_key);
		free(m->v[i].machine_id);
	}
	free(m->v);
}

static struct boot_entry *boot_menu_new(struct boot_menu *m, struct vtr_os *os, struct vtr_error *err)
{
	if (VTR_OVER(os->ctx, records, m->n + 1, "boot entries", err) < 0 || !VTR_GROW(m->v, m->n, m->cap, err))
		return NULL;
	m->v[m->n] = (struct boot_entry){ .parent = SIZE_MAX };
	return &m->v[m->n++];
}

static int boot_set(char **out, struct vtr_span value, struct vtr_error *err)
{
	free(*out);
	*out = vtr_strndup(value.p, value.len, err);
	return *out ? 0 : -1;
}

/* ------------------------------------------------------------------------------------ entries that are files: UAPI.1 */

/* Keys of an entry that are wanted. */
static int boot_bls_line(struct boot_entry *e, struct vtr_span line, struct vtr_error *err)
{
	const struct {
		const char *key;
		char **to;
	} keys[] = { { "title", &e->title },
		     { "version", &e->version },
		     { "sort-key", &e->sort_key },
		     { "machine-id", &e->machine_id } };
	struct vtr_span key;

	if (!vtr_span_word(&key, &line))
		return 0;
	line = vtr_span_trim(line);
	for (size_t i = 0; i < VTR_COUNT(keys); i++)
		if (vtr_span_is(key, keys[i].key) && line.len > 0)
			return boot_set(keys[i].to, line, err);
	return 0;
}

static int boot_bls_text(struct boot_menu *menu, struct vtr_os *os, struct vtr_span id, const char *text, size_t len,
			 struct vtr_error *err)
{
	struct boot_entry *e = boot_menu_new(menu, os, err);
	struct vtr_span rest = { text, len }, line;
	int rc = e ? boot_set(&e->id, id, err) : -1;

	while (rc == 0 && vtr_span_line(&line, &rest))
		rc = boot_bls_line(e, line, err);
	return rc;
}

static int boot_bls_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *entry, struct vtr_error *err)
{
	struct vtr_span name = vtr_span_of(entry->name);
	struct boot_menu *menu = arg;
	VTR_FREE char *text = NULL;
	size_t len;
	int there;

	if (*entry->name == '.' || !vtr_span_ends(name, ".conf") || entry->type == VTR_TYPE_DIR)
		return 0;
	there = vtr_os_text_slurp(&text, &len, os, entry->path, err);
	if (there <= 0)
		return there;
	name.len -= strlen(".conf");
	return boot_bls_text(menu, os, name, text, len, err);
}

/* Versions, or names with them. A dash is no more than a dot here: which of them is before a release is not known. */
static int boot_versions(const char *a, const char *b)
{
	char x[256], y[256];

	snprintf(x, sizeof(x), "%s", a ? a : "");
	snprintf(y, sizeof(y), "%s", b ? b : "");
	for (char *p = x; *p; p++)
		*p = (char)(*p == '-' ? '.' : *p);
	for (char *p = y; *p; p++)
		*p = (char)(*p == '-' ? '.' : *p);
	return vtr_package_version_compare("rpm", x, y);
}

/* GRUB's blscfg: the files' names as versions, the latest first. */
static int boot_grub_order(const void *pa, const void *pb)
{
	const struct boot_entry *a = pa, *b = pb;

	return boot_versions(b->id, a->id);
}

/* "+0" and "+0-3" behind a name: no tries are left. */
static bool boot_bad_is(const char *id)
{
	const char *plus = strrchr(id, '+');

	return plus && plus[1] == '0' && (plus[2] == 0 || plus[2] == '-');
}

/* UAPI.1, "Sorting": what is bad last, what has a sort-key first; by that, by machine-id, and the latest version first. */
static int boot_bls_order(const void *pa, const void *pb)
{
	const struct boot_entry *a = pa, *b = pb;
	int c = boot_bad_is(a->id) - boot_bad_is(b->id);

	if (c == 0)
		c = !a->sort_key - !b->sort_key;
	if (c == 0 && a->sort_key) {
		c = strcmp(a->sort_key, b->sort_key);
		if (c == 0)
			c = strcmp(a->machine_id ? a->machine_id : "", b->machine_id ? b->machine_id : "");
		if (c == 0)
			c = boot_versions(b->version, a->version);
	}
	return c ? c : boot_versions(b->id, a->id);
}

static int boot_add(struct vtr_os *os, const struct boot_entry *e, const char *path, struct vtr_error *err)
{
	const char *title = e->title ? e->title : e->id;

	if (title && vtr_os_add_text(os, "boot_default", title, path, err) < 0)
		return -1;
	return e->id ? vtr_os_add_text(os, "boot_default_id", e->id, path, err) : 0;
}

/* One entry of a menu, as if it were all there is. */
int vtr_boot_entry_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	const char *slash = strrchr(path, '/');
	struct boot_menu menu = { .n = 0 };
	int rc = boot_bls_text(&menu, os, vtr_span_of(slash ? slash + 1 : path), text, len, err);

	if (rc == 0)
		rc = boot_add(os, &menu.v[0], path, err);
	boot_menu_done(&menu);
	return rc;
}

/* ----------------------------------------------------------------------------------------------------------- GRUB */

/* A value of grubenv, a block of 1 KiB of assignments that is filled up with '#'. An empty one is none. */
static int boot_grubenv(char **out, struct vtr_os *os, const char *name, const char **path, struct vtr_error *err)
{
	static const char *const paths[] = { "/boot/grub/grubenv", "/boot/grub2/grubenv" };

	for (size_t i = 0; i < VTR_COUNT(paths) && !*out && os->tree; i++) {
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
			size_t eq = vtr_span_find(line, '=');

			if (eq != strlen(name) || !vtr_span_starts(line, name) || eq + 1 >= line.len)
				continue;
			line = vtr_span_skip(line, eq + 1);
			*path = paths[i];
			if (boot_set(out, line, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* 'WORD', "WORD" or WORD from the front; false: there is none, or it does not end. */
static bool boot_word(struct vtr_span *out, struct vtr_span *rest)
{
	struct vtr_span r = vtr_span_trim(*rest);
	size_t end;

	if (r.len == 0 || (*r.p != '\'' && *r.p != '"'))
		return vtr_span_word(out, rest);
	end = vtr_span_find(vtr_span_skip(r, 1), *r.p);
	*out = (struct vtr_span){ r.p + 1, end };
	if (end + 1 >= r.len)
		return false;
	*rest = vtr_span_skip(r, end + 2);
	return true;
}

/* menuentry TITLE … --id ID {, or submenu; grub-mkconfig writes $menuentry_id_option for --id. 1, 0: another line, -1. */
static int boot_grub_entry(struct boot_menu *m, struct vtr_os *os, struct vtr_span line, size_t parent,
			   struct vtr_error *err)
{
	struct vtr_span word, title, rest = line;
	struct boot_entry *e;
	bool submenu;

	if (!vtr_span_word(&word, &rest))
		return 0;
	submenu = vtr_span_is(word, "submenu");
	if ((!submenu && !vtr_span_is(word, "menuentry")) || !boot_word(&title, &rest))
		return 0;
	e = boot_menu_new(m, os, err);
	if (!e || boot_set(&e->title, title, err) < 0)
		return -1;
	e->parent = parent;
	e->submenu = submenu;
	while (boot_word(&word, &rest)) {
		if (vtr_span_is(word, "$menuentry_id_option") || vtr_span_is(word, "${menuentry_id_option}") ||
		    vtr_span_is(word, "--id")) {
			if (boot_word(&word, &rest) && boot_set(&e->id, word, err) < 0)
				return -1;
		} else if (vtr_span_starts(word, "--id=")) {
			if (boot_set(&e->id, vtr_span_unquote(vtr_span_skip(word, 5)), err) < 0)
				return -1;
		}
	}
	return 1;
}

/* Entries of /boot/loader/entries where blscfg stands. */
static int boot_grub_bls(struct boot_menu *m, struct vtr_os *os, struct vtr_error *err)
{
	size_t first = m->n;

	if (!os->tree)
		return 0;
	if (vtr_os_list(os, "/boot/loader/entries", boot_bls_entry, m, err) < 0)
		return -1;
	if (m->n > first + 1)
		qsort(m->v + first, m->n - first, sizeof(*m->v), boot_grub_order);
	return 0;
}

/* The whole menu. A block ends with a line that starts with "}"; a submenu is known by the depth that it started at. */
static int boot_grub_menu(struct boot_menu *m, struct vtr_os *os, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line, word;
	size_t stack[BOOT_DEPTH] = { 0 }, depth = 0, open = 0, opened[BOOT_DEPTH] = { 0 };
	bool bls = false;

	while (vtr_span_line(&line, &rest)) {
		struct vtr_span words;
		int rc;

		line = vtr_span_trim(line);
		words = line;
		if (line.len == 0 || *line.p == '#')
			continue;
		/* An entry within another is none yet: it would be one when that is run. */
		rc = open == (depth > 0 ? opened[depth - 1] : 0)
			     ? boot_grub_entry(m, os, line, depth > 0 ? stack[depth - 1] : SIZE_MAX, err)
			     : 0;
		if (rc < 0)
			return -1;
		if (rc == 0 && !bls && vtr_span_word(&word, &words) && vtr_span_is(word, "blscfg")) {
			bls = true;
			if (boot_grub_bls(m, os, err) < 0)
				return -1;
		}
		if (*line.p == '}') {
			open -= open > 0;
			depth -= depth > 0 && opened[depth - 1] > open;
		}
		if (vtr_span_ends(line, "{")) {
			open++;
			if (rc > 0 && m->v[m->n - 1].submenu && depth < BOOT_DEPTH) {
				stack[depth] = m->n - 1;
				opened[depth++] = open;
			}
		}
	}
	return 0;
}

/* The entry of one level that a number, an id or a title means; SIZE_MAX: none. */
static size_t boot_grub_find(const struct boot_menu *m, size_t parent, struct vtr_span what)
{
	uint64_t number, at = 0;
	bool counted = vtr_span_u64(&number, what, 100000);

	for (size_t i = 0; i < m->n; i++) {
		const struct boot_entry *e = &m->v[i];

		if (e->parent != parent)
			continue;
		if (counted ? at++ == number
			    : (e->id && vtr_span_is(what, e->id)) || (e->title && vtr_span_is(what, e->title)))
			return i;
	}
	return SIZE_MAX;
}

/* GRUB's manual, "default": MENU>ENTRY goes into a submenu. What is not found is the first entry. */
static size_t boot_grub_default(const struct boot_menu *m, struct vtr_span value)
{
	size_t at = SIZE_MAX, next;
	struct vtr_span part, rest = value;

	next = boot_grub_find(m, SIZE_MAX, value); /* a title with a ">" in it */
	if (next != SIZE_MAX)
		return next;
	while (vtr_span_field(&part, &rest, '>')) {
		next = boot_grub_find(m, at, part);
		if (next == SIZE_MAX)
			return at == SIZE_MAX ? boot_grub_find(m, SIZE_MAX, vtr_span_of("0")) : at;
		at = next;
	}
	return at;
}

/*
 * grub.cfg as grub-mkconfig writes it: set default="0", "1>2", an id or a title, or "${saved_entry}", which is in grubenv.
 * next_entry there is for the next start alone.
 */
int vtr_grub_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line, value = { NULL, 0 };
	VTR_FREE char *saved = NULL, *next = NULL;
	const char *saved_path = path;
	struct boot_menu m = { .n = 0 };
	bool takes_next = false;
	size_t at;
	int rc;

	while (vtr_span_line(&line, &rest)) {
		line = vtr_span_trim(line);
		if (!vtr_span_starts(line, "set default="))
			continue;
		line = vtr_span_unquote(vtr_span_skip(line, 12));
		if (vtr_span_is(line, "${next_entry}"))
			takes_next = true;
		else
			value = line;
	}
	if (!value.p)
		return 0;
	if (value.len > 0 && *value.p == '$') {
		if (boot_grubenv(&saved, os, "saved_entry", &saved_path, err) < 0)
			return -1;
		value = vtr_span_of(saved ? saved : "0");
	}
	rc = boot_grub_menu(&m, os, text, len, err);
	at = rc < 0 ? SIZE_MAX : boot_grub_default(&m, value);
	if (rc == 0 && at != SIZE_MAX)
		rc = boot_add(os, &m.v[at], saved ? saved_path : path, err);
	else if (rc == 0 && m.n == 0 &&
		 !vtr_span_u64(&(uint64_t){ 0 }, value, UINT64_MAX)) /* a menu that is elsewhere */
		rc = vtr_os_add_fact(os, "boot_default", value.p, value.len, saved ? saved_path : path, err);
	if (rc == 0 && takes_next)
		rc = boot_grubenv(&next, os, "next_entry", &saved_path, err);
	at = rc == 0 && next ? boot_grub_default(&m, vtr_span_of(next)) : SIZE_MAX;
	if (at != SIZE_MAX)
		rc = vtr_os_add_text(os, "boot_next", m.v[at].title ? m.v[at].title : m.v[at].id, saved_path, err);
	boot_menu_done(&m);
	return rc;
}

/* ----------------------------------------------------------------------------------------- systemd-boot, syslinux */

/* The configuration of syslinux: the word default, and what follows. */
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

static int boot_uki_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *entry, struct vtr_error *err)
{
	struct boot_entry *e;

	if (entry->type != VTR_TYPE_FILE || !vtr_span_ends(vtr_span_of(entry->name), ".efi"))
		return 0;
	e = boot_menu_new(arg, os, err);
	return e && boot_set(&e->id, vtr_span_of(entry->name), err) == 0 ? 0 : -1;
}

/*
 * loader.conf(5): default is a pattern of glob(7) for ids, with or without ".conf", and the first entry that it fits is
 * meant; without one, or when none fits, the first of all. "@saved" is in the firmware's memory: it stays what it is.
 */
static int boot_sd_read(struct vtr_os *os, const char *dir, struct vtr_error *err)
{
	VTR_FREE char *conf = NULL, *entries = NULL, *efi = NULL, *text = NULL, *pattern = NULL;
	struct boot_menu m = { .n = 0 };
	struct vtr_str s = { 0 };
	size_t len = 0, at = 0;
	int rc;

	vtr_str_putf(&s, "%s/loader/loader.conf", dir);
	conf = vtr_str_take(&s, err);
	vtr_str_putf(&s, "%s/loader/entries", dir);
	entries = vtr_str_take(&s, err);
	vtr_str_putf(&s, "%s/EFI/Linux", dir);
	efi = vtr_str_take(&s, err);
	rc = conf && entries && efi ? vtr_os_text_slurp(&text, &len, os, conf, err) : -1;
	if (rc <= 0)
		return rc;
	for (struct vtr_span rest = { text, len }, line, word; rc >= 0 && vtr_span_line(&line, &rest);)
		if (vtr_span_word(&word, &line) && vtr_span_is(word, "default"))
			rc = boot_set(&pattern, vtr_span_trim(line), err);
	if (rc >= 0 && pattern && *pattern == '@')
		return vtr_os_add_text(os, "boot_default", pattern, conf, err);
	if (rc >= 0)
		rc = vtr_os_list(os, entries, boot_bls_entry, &m, err);
	if (rc >= 0)
		rc = vtr_os_list(os, efi, boot_uki_entry, &m, err);
	if (rc >= 0 && m.n > 0) {
		qsort(m.v, m.n, sizeof(*m.v), boot_bls_order);
		for (size_t i = 0; pattern && i < m.n; i++) {
			struct vtr_span id = vtr_span_of(m.v[i].id), p = vtr_span_of(pattern);

			if (vtr_span_ends(p, ".conf"))
				p.len -= strlen(".conf");
			if (vtr_span_glob(id, p) || vtr_span_glob(id, vtr_span_of(pattern))) {
				at = i;
				break;
			}
		}
		rc = boot_add(os, &m.v[at], conf, err);
	}
	boot_menu_done(&m);
	return rc < 0 ? -1 : 0;
}

int vtr_boot_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const grubs[] = { "/boot/grub/grub.cfg", "/boot/grub2/grub.cfg" };
	static const char *const esps[] = { "/boot/efi", "/boot", "/efi" };
	static const char *const loaders[] = { "/boot/extlinux/extlinux.conf", "/boot/syslinux/syslinux.cfg",
					       "/boot/extlinux.conf", "/extlinux.conf" };
	VTR_FREE char *saved = NULL;
	struct boot_menu m = { .n = 0 };
	const char *path = NULL;
	size_t at;
	int rc;

	if (boot_loader_read(os, err) < 0)
		return -1;
	for (size_t i = 0; i < VTR_COUNT(grubs) && !vtr_os_fact(os, "boot_default"); i++)
		if (vtr_os_text(os, grubs[i], vtr_grub_parse, err) < 0)
			return -1;
	for (size_t i = 0; i < VTR_COUNT(esps) && !vtr_os_fact(os, "boot_default"); i++)
		if (boot_sd_read(os, esps[i], err) < 0)
			return -1;
	for (size_t i = 0; i < VTR_COUNT(loaders) && !vtr_os_fact(os, "boot_default"); i++)
		if (vtr_os_text(os, loaders[i], vtr_loader_conf_parse, err) < 0)
			return -1;
	/* With entries of their own in /boot/loader, GRUB's environment alone says which. */
	if (vtr_os_fact(os, "boot_default"))
		return 0;
	if (boot_grubenv(&saved, os, "saved_entry", &path, err) < 0)
		return -1;
	if (!saved)
		return 0;
	rc = boot_grub_bls(&m, os, err);
	at = rc == 0 ? boot_grub_default(&m, vtr_span_of(saved)) : SIZE_MAX;
	if (at != SIZE_MAX)
		rc = boot_add(os, &m.v[at], path, err);
	else if (rc == 0)
		rc = vtr_os_add_text(os, "boot_default", saved, path, err);
	boot_menu_done(&m);
	return rc;
}
