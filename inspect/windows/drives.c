/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which volume has which letter: HKLM\SYSTEM\MountedDevices, where the mount manager keeps it. The system's volume is "/"
 * of the tree, whatever its letter; the others are reached by theirs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/fold.h"
#include "fs/fs.h"
#include "inspect/windows/windows.h"

struct drives_entry {
	char letter, guid[37];
	struct win_mount mount;
	ssize_t device; /* -1: not among the guest's */
};

struct drives {
	struct vtr_os *os;
	const struct vtr_inspect *in;
	size_t root;
	struct drives_entry *v;
	size_t n, cap;
	struct vtr_error *err;
};

static bool drives_fits(const struct vtr_device *d, const struct win_mount *m)
{
	const struct vtr_part *p = d->of ? vtr_parts_at(d->of, d->part) : NULL;
	char disk[16];

	if (!p)
		return false;
	if (m->kind == WIN_MOUNT_GPT)
		return vtr_ascii_casecmp(p->guid, m->guid) == 0;
	snprintf(disk, sizeof(disk), "%08" PRIx32, m->disk);
	return m->kind == WIN_MOUNT_MBR && p->off == m->off && strcmp(vtr_parts_scheme(d->of), "mbr") == 0 &&
	       strcmp(vtr_parts_disk_id(d->of), disk) == 0;
}

/* Of copies of a disk that are all among the guest's, the system's own is meant. */
static ssize_t drives_find(const struct vtr_inspect *in, size_t root, const struct win_mount *m)
{
	ssize_t found = -1;

	for (size_t i = 0; i < in->n_devices; i++)
		if (drives_fits(&in->devices[i], m) && (found < 0 || in->devices[i].of == in->devices[root].of))
			found = (ssize_t)i;
	return found;
}

static int drives_value(void *arg, const struct vtr_value *value)
{
	struct drives *d = arg;
	struct drives_entry e = { 0 };

	if (!vtr_win_mount_name(&e.letter, e.guid, value->name, value->name_len))
		return 0;
	vtr_win_mount_parse(&e.mount, value->data, value->len);
	e.device = drives_find(d->in, d->root, &e.mount);
	if (d->n >= d->os->ctx->lim.devices) {
		vtr_warn(d->os->ctx, VTR_ELIMIT, "%s: more mounted devices than limit devices=%" PRIu64, d->os->root,
			 d->os->ctx->lim.devices);
		return 1;
	}
	if (!VTR_GROW(d->v, d->n, d->cap, d->err))
		return -1;
	d->v[d->n++] = e;
	return 0;
}

static int drives_compare(const void *pa, const void *pb)
{
	const struct drives_entry *a = pa, *b = pb;

	if (!a->letter != !b->letter) /* volumes without a letter come last */
		return a->letter ? -1 : 1;
	return a->letter != b->letter ? a->letter - b->letter : strcmp(a->guid, b->guid);
}

/* What MountedDevices identifies it by, and what kind of thing it is where it is no filesystem of the guest. */
static const char *drives_spec(char *buf, size_t size, const char **type, const struct win_mount *m)
{
	static const struct {
		const char *word, *type;
	} words[] = {
		{ "CdRom", "cdrom" },
		{ "FDC#", "floppy" },
		{ "Floppy", "floppy" },
		{ "USBSTOR", "removable" },
		{ "RemovableMedia", "removable" },
	};
	char *guid;

	*type = "unknown";
	switch (m->kind) {
	case WIN_MOUNT_MBR:
		snprintf(buf, size, "disk=%08" PRIx32 ",offset=%" PRIu64, m->disk, m->off);
		break;
	case WIN_MOUNT_GPT:
		guid = buf + snprintf(buf, size, "PARTUUID=");
		snprintf(guid, size - (size_t)(guid - buf), "%s", m->guid);
		vtr_ascii_lower_text(guid);
		break;
	default:
		snprintf(buf, size, "%s", m->name);
		for (size_t i = 0; i < VTR_COUNT(words); i++)
			if (vtr_ascii_casestr(m->name, words[i].word)) {
				*type = words[i].type;
				break;
			}
	}
	return buf;
}

/* Make the filesystem of a device a drive of the tree. 1: it is one, 0: it cannot be read, which was warned of; -1. */
static int drives_add(struct drives *d, char letter, const char *guid, size_t device, struct vtr_error *err)
{
	const struct vtr_device *dev = &d->in->devices[device];
	struct vtr_error e = { 0 };
	struct vtr_fs *fs = dev->has_fs ? d->in->fs(d->in->arg, device, &e) : NULL;
	char path[8] = { letter, ':', 0 };

	if (fs && vtr_tree_add_drive(d->os->tree, letter, *guid ? guid : NULL, fs, &e) == 0)
		return vtr_os_beside_add(d->os, letter ? path : dev->name, dev->name, fs, err) < 0 ? -1 : 1;
	if (e.code == VTR_OK ||
	    vtr_error_is(&e, VTR_KIND_UNREAD | VTR_KIND_MISUSED)) /* mounts tell; a letter told twice */
		return 0;
	return vtr_win_excuse(d->os, &d->os->windows->system, &e, err);
}

static int drives_mount(struct drives *d, char letter, const char *spec, const char *type, ssize_t device, bool mounted,
			struct vtr_error *err)
{
	const struct vtr_device *dev = device >= 0 ? &d->in->devices[device] : NULL;
	char path[3] = { letter, ':', 0 };
	struct vtr_mount *m = vtr_os_mount_new(d->os, spec, path, dev && dev->content ? dev->content : type,
					       dev ? dev->name : NULL, err);

	if (!m)
		return -1;
	m->mounted = mounted;
	return 0;
}

/* The letter that the system itself is on by its own word: "C:\Windows"; 'C' when it says none. */
static char drives_system_letter(const struct vtr_os *os)
{
	const struct vtr_fact *f = vtr_os_fact(os, "system_root");
	char c = f && f->value[0] && f->value[1] == ':' ? f->value[0] : 'C';

	return vtr_ascii_is_letter(c) ? vtr_ascii_upper(c) : 'C';
}

static int drives_all(struct drives *d, struct vtr_error *err)
{
	char system = drives_system_letter(d->os), spec[600];
	bool has_system = false; /* the letter leads to a device already */
	struct vtr_mount *m;
	const char *type;

	m = vtr_os_mount_new(d->os, d->in->devices[d->root].name, "/",
			     d->in->devices[d->root].content ? d->in->devices[d->root].content : "auto",
			     d->in->devices[d->root].name, err);
	if (!m)
		return -1;
	m->mounted = true;
	for (size_t i = 0; i < d->n; i++)
		has_system = has_system || (d->v[i].letter == system && d->v[i].device >= 0);
	if (!has_system) {
		/* The disk was copied, or is new: what the registry knew it by is gone, and the letter stayed. */
		if (drives_add(d, system, "", d->root, err) < 0 ||
		    drives_mount(d, system, d->in->devices[d->root].name, "auto", (ssize_t)d->root, true, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < d->n; i++) {
		const struct drives_entry *e = &d->v[i];
		int added = 0;

		if (e->letter == system && !has_system)
			continue;
		if (i > 0 && e->letter && e->letter == d->v[i - 1].letter)
			continue;
		if (e->device >= 0)
			added = drives_add(d, e->letter, e->guid, (size_t)e->device, err);
		if (added < 0)
			return -1;
		drives_spec(spec, sizeof(spec), &type, &e->mount);
		if (e->letter && drives_mount(d, e->letter, spec, type, e->device, added > 0, err) < 0)
			return -1;
	}
	return 0;
}

int vtr_win_drives_read(struct vtr_os *os, const struct vtr_inspect *in, size_t device, struct vtr_error *err)
{
	struct win_hive *system = &os->windows->system;
	struct vtr_error e = { 0 };
	struct drives d = { .os = os, .in = in, .root = device, .err = &e };
	uint32_t key;
	int rc = vtr_win_key(&key, os, system, 0, "MountedDevices", err);

	if (rc > 0 && vtr_hive_values(system->h, key, drives_value, &d, &e) < 0)
		rc = vtr_win_excuse(os, system, &e, err);
	if (d.n > 0)
		qsort(d.v, d.n, sizeof(*d.v), drives_compare);
	if (rc >= 0)
		rc = drives_all(&d, err);
	free(d.v);
	return rc < 0 ? -1 : 0;
}
