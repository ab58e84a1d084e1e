/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a Windows system is started: the boot store (BCD, a hive on the partition that the firmware starts), or boot.ini of
 * those before Vista. Types of objects and elements are those of the BCD WMI reference.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/fold.h"
#include "fs/fs.h"
#include "inspect/windows/windows.h"

#define BOOT_MANAGER "{9dea862c-5cdd-4e70-acc1-01b344d44795}"
#define BOOT_OBJECTS "Objects"
#define BOOT_LOADER 0x10200003u /* the type of an object that loads Windows */

struct boot_loader {
	char id[64];
	char path[256], title[256], folder[256];
	struct win_mount on;
};

struct boot_store {
	struct vtr_os *os;
	const struct vtr_inspect *in;
	size_t root;
	char def[64];
	struct boot_loader best;
	int score;
	char default_title[256];
};

/* The text, or bytes, of an element. 1, 0, -1. */
static int boot_element(struct win_value *out, struct vtr_os *os, const struct win_hive *hive, uint32_t object,
			const char *number, bool raw, struct vtr_error *err)
{
	char path[64];
	uint32_t key;
	int rc;

	*out = (struct win_value){ .name = "Element", .raw = raw };
	snprintf(path, sizeof(path), "Elements\\%s", number);
	rc = vtr_win_key(&key, os, hive, object, path, err);
	if (rc > 0 && vtr_win_values(out, 1, os, hive, key, err) < 0)
		return -1;
	return rc > 0 ? out->text != NULL : rc;
}

static int boot_element_text(char *buf, size_t size, struct vtr_os *os, const struct win_hive *hive, uint32_t object,
			     const char *number, struct vtr_error *err)
{
	struct win_value v;
	int rc = boot_element(&v, os, hive, object, number, false, err);

	buf[0] = 0;
	if (rc > 0)
		snprintf(buf, size, "%s", v.text);
	vtr_win_values_done(&v, 1);
	return rc;
}

static bool boot_same_folder(const struct vtr_windows *w, const char *folder)
{
	return (folder[0] == '\\' || folder[0] == '/') && vtr_ascii_casecmp(folder + 1, w->root + 1) == 0;
}

/* Whether the partition that an element names is the system's: 1; 0: it is not known; -1: it is another. */
static int boot_is_root(const struct boot_store *s, const struct win_mount *on)
{
	const struct vtr_device *d = &s->in->devices[s->root];
	const struct vtr_part *p = d->of ? vtr_parts_at(d->of, d->part) : NULL;
	char disk[16];

	if (!p || (on->kind != WIN_MOUNT_MBR && on->kind != WIN_MOUNT_GPT))
		return 0;
	if (on->kind == WIN_MOUNT_GPT)
		return vtr_ascii_casecmp(p->guid, on->guid) == 0 ? 1 : -1;
	snprintf(disk, sizeof(disk), "%08" PRIx32, on->disk);
	return p->off == on->off && strcmp(vtr_parts_disk_id(d->of), disk) == 0 ? 1 : -1;
}

static int boot_object(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *name,
		       struct vtr_error *err)
{
	struct boot_store *s = arg;
	struct win_value type = { .name = "Type" }, device;
	struct boot_loader l = { 0 };
	uint32_t description;
	int rc = vtr_win_key(&description, os, hive, key, "Description", err), score = 1;

	if (rc > 0 && vtr_win_values(&type, 1, os, hive, description, err) < 0)
		return -1;
	if (rc <= 0 || !type.has_number || type.number != BOOT_LOADER) {
		vtr_win_values_done(&type, 1);
		return rc < 0 ? -1 : 0;
	}
	snprintf(l.id, sizeof(l.id), "%s", name);
	if (boot_element_text(l.path, sizeof(l.path), os, hive, key, "12000002", err) < 0 ||
	    boot_element_text(l.title, sizeof(l.title), os, hive, key, "12000004", err) < 0 ||
	    boot_element_text(l.folder, sizeof(l.folder), os, hive, key, "22000002", err) < 0)
		return -1;
	rc = boot_element(&device, os, hive, key, "21000001", true, err);
	if (rc > 0)
		vtr_win_bcd_device_parse(&l.on, (const uint8_t *)device.text, device.len);
	vtr_win_values_done(&device, 1);
	if (rc < 0)
		return -1;
	if (vtr_ascii_casecmp(l.id, s->def) == 0) {
		score++;
		memcpy(s->default_title, l.title, sizeof(s->default_title));
	}
	if (boot_same_folder(os->windows, l.folder))
		score += 2;
	score += 4 * boot_is_root(s, &l.on);
	if (score > s->score) {
		s->score = score;
		s->best = l;
	}
	return 0;
}

/* Facts of the store that is at path on a device: 1: it has a loader, 0, -1. */
static int boot_store_read(struct vtr_os *os, const struct vtr_inspect *in, size_t root, const struct win_hive *hive,
			   struct vtr_error *err)
{
	struct boot_store s = { .os = os, .in = in, .root = root };
	char path[128];
	const char *dot, *firmware;
	uint32_t key;
	int rc = vtr_win_key(&key, os, hive, 0, BOOT_OBJECTS "\\" BOOT_MANAGER, err);

	if (rc > 0)
		rc = boot_element_text(s.def, sizeof(s.def), os, hive, key, "23000003", err);
	if (rc >= 0)
		rc = vtr_win_key(&key, os, hive, 0, BOOT_OBJECTS, err);
	if (rc > 0)
		rc = vtr_win_each(os, hive, key, boot_object, &s, err);
	if (rc < 0 || s.score <= 0)
		return rc < 0 ? -1 : 0;
	if (vtr_win_fact(os, "boot_loader", "bootmgr", hive, BOOT_OBJECTS "\\" BOOT_MANAGER, NULL, err) < 0)
		return -1;
	dot = strrchr(s.best.path, '.');
	firmware = !dot					 ? NULL
		   : vtr_ascii_casecmp(dot, ".efi") == 0 ? "uefi"
		   : vtr_ascii_casecmp(dot, ".exe") == 0 ? "bios"
							 : NULL;
	snprintf(path, sizeof(path), BOOT_OBJECTS "\\%.40s\\Elements\\12000002", s.best.id);
	if (firmware && vtr_win_fact(os, "firmware", firmware, hive, path, "Element", err) < 0)
		return -1;
	snprintf(path, sizeof(path), BOOT_OBJECTS "\\%.40s\\Elements\\12000004", s.def);
	if (s.default_title[0] && vtr_win_fact(os, "boot_default", s.default_title, hive, path, "Element", err) < 0)
		return -1;
	return 1;
}

struct boot_ini {
	struct vtr_os *os;
	const char *path;
	const struct vtr_fs *fs;
};

static int boot_ini_entry(void *arg, const struct win_boot_entry *e, struct vtr_error *err)
{
	const struct boot_ini *b = arg;

	return e->is_default ? vtr_os_add_fact_on(b->os, "boot_default", e->title.p, e->title.len, b->path, b->fs, err)
			     : 0;
}

/* The first boot store on a device that loads a system. 1, 0, -1. */
static int boot_stores_read(struct vtr_os *os, const struct vtr_inspect *in, size_t root, const char *device,
			    struct vtr_fs *fs, struct vtr_tree *tree, struct vtr_error *err)
{
	static const char *const stores[] = { "/EFI/Microsoft/Boot/BCD", "/Boot/BCD" };
	int rc = 0;

	for (size_t i = 0; i < VTR_COUNT(stores) && rc == 0; i++) {
		struct win_hive hive = { .name = "HKLM\\BCD00000000", .fs = fs };
		struct vtr_error e = { 0 };

		hive.path = vtr_strndup(stores[i], strlen(stores[i]), err);
		if (!hive.path)
			return -1;
		if (vtr_hive_open_path(&hive.h, tree, stores[i], &e) == 0) {
			rc = vtr_os_beside_add(os, device, device, fs, err);
			if (rc == 0)
				rc = boot_store_read(os, in, root, &hive, err);
		} else {
			if (e.code != VTR_ENOTFOUND)
				vtr_error_at(&e, "%s", device);
			rc = vtr_win_excuse(os, NULL, &e, err);
		}
		vtr_win_close(&hive);
	}
	return rc;
}

static int boot_ini_read(struct vtr_os *os, const char *device, struct vtr_fs *fs, struct vtr_tree *tree,
			 struct vtr_error *err)
{
	struct boot_ini ini = { .os = os, .path = "/boot.ini", .fs = fs };
	struct vtr_error e = { 0 };
	VTR_FREE char *text = NULL;
	size_t len;

	if (vtr_tree_slurp(&text, &len, tree, ini.path, os->ctx->lim.text_file, &e) < 0) {
		if (e.code != VTR_ENOTFOUND)
			vtr_error_at(&e, "%s", device);
		return vtr_win_excuse(os, NULL, &e, err);
	}
	if (vtr_os_beside_add(os, device, device, fs, err) < 0 ||
	    vtr_os_add_fact_on(os, "boot_loader", "ntldr", 5, ini.path, fs, err) < 0 ||
	    vtr_os_add_fact_on(os, "firmware", "bios", 4, ini.path, fs, err) < 0)
		return -1;
	return vtr_win_boot_ini_parse(text, len, boot_ini_entry, &ini, err) < 0 ? -1 : 1;
}

/* What starts the system, if it is on this device: 1, 0, -1. */
static int boot_device(struct vtr_os *os, const struct vtr_inspect *in, size_t root, size_t device,
		       struct vtr_error *err)
{
	const struct vtr_device *d = &in->devices[device];
	struct vtr_tree *tree;
	struct vtr_fs *fs;
	int rc = vtr_inspect_fs(&fs, in, device, err);

	if (rc <= 0)
		return rc;
	tree = vtr_tree_new(fs, err);
	if (!tree)
		return -1;
	/* As a drive it is looked at without regard to case. */
	rc = vtr_tree_add_drive(tree, 'C', NULL, fs, err);
	if (rc == 0)
		rc = boot_stores_read(os, in, root, d->name, fs, tree, err);
	if (rc == 0)
		rc = boot_ini_read(os, d->name, fs, tree, err);
	vtr_tree_free(tree);
	return rc;
}

int vtr_win_boot_read(struct vtr_os *os, const struct vtr_inspect *in, size_t device, struct vtr_error *err)
{
	struct vtr_windows *w = os->windows;
	struct win_value v = { .name = "PEFirmwareType" };
	char path[WIN_DEPTH];
	uint32_t key;
	int rc = 0;

	/* The disk that the system is on first, and there its own volume last: a partition for starting comes before. */
	for (unsigned pass = 0; pass < 3 && rc == 0; pass++) {
		for (size_t i = 0; i < in->n_devices && rc == 0; i++) {
			bool same = in->devices[i].of && in->devices[i].of == in->devices[device].of;

			if (i == device ? pass == 1 : same ? pass == 0 : pass == 2)
				rc = boot_device(os, in, device, i, err);
		}
	}
	if (rc < 0 || vtr_os_fact(os, "firmware"))
		return rc < 0 ? -1 : 0;
	rc = vtr_win_key(&key, os, &w->system, 0, vtr_win_set(path, w, "Control"), err);
	if (rc > 0 && vtr_win_values(&v, 1, os, &w->system, key, err) < 0)
		rc = -1;
	if (rc > 0 && v.has_number && (v.number == 1 || v.number == 2))
		rc = vtr_win_fact(os, "firmware", v.number == 2 ? "uefi" : "bios", &w->system, path, v.name, err);
	vtr_win_values_done(&v, 1);
	return rc < 0 ? -1 : 0;
}
