/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest: disks, the devices on them, their filesystems, the systems in them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/text.h"
#include "formats/format.h"
#include "fs/fs.h"
#include "inspect/inspect.h"
#include "partitions/partition.h"
#include "volumes/volume.h"

struct guest_device {
	char name[64];
	char label[256];
	char uuid[40];
	struct vtr_blk *blk;	/* a reference */
	struct vtr_blk *fs_blk; /* a reference: blk, or more of the disk where the filesystem is larger */
	struct vtr_parts *table;
	struct vtr_fs *fs;
	bool tried;
	struct vtr_error error;
};

struct vtr_guest {
	struct vtr_ctx *ctx; /* a reference */
	unsigned sector;
	bool scanned, inspected;
	struct vtr_blk **disks;
	size_t n_disks, cap_disks;
	struct vtr_device *pub; /* beside own, one for one */
	struct guest_device **own;
	size_t n, cap_pub, cap_own;
	struct vtr_os **oses;
	size_t n_oses;
};

struct vtr_guest *vtr_guest_new(struct vtr_ctx *ctx, struct vtr_error *err)
{
	struct vtr_guest *g = vtr_calloc(1, sizeof(*g), err);

	if (g)
		g->ctx = vtr_ctx_ref(ctx);
	return g;
}

static void guest_device_free(struct guest_device *d)
{
	vtr_fs_unref(d->fs);
	vtr_parts_close(d->table);
	vtr_blk_unref(d->fs_blk);
	vtr_blk_unref(d->blk);
	free(d);
}

void vtr_guest_free(struct vtr_guest *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->n_oses; i++)
		vtr_os_free(g->oses[i]);
	free(g->oses);
	for (size_t i = g->n; i-- > 0;)
		guest_device_free(g->own[i]);
	free(g->own);
	free(g->pub);
	for (size_t i = 0; i < g->n_disks; i++)
		vtr_blk_unref(g->disks[i]);
	free(g->disks);
	vtr_ctx_unref(g->ctx);
	free(g);
}

void vtr_guest_sector(struct vtr_guest *g, unsigned sector)
{
	g->sector = sector;
}

int vtr_guest_add_blk(struct vtr_guest *g, struct vtr_blk *disk, struct vtr_error *err)
{
	if (g->scanned)
		return vtr_fail(err, VTR_EUSAGE, "disks are added before the scan");
	if (VTR_OVER(g->ctx, devices, g->n_disks + 1, "disks", err) < 0 ||
	    !VTR_GROW(g->disks, g->n_disks, g->cap_disks, err))
		return -1;
	g->disks[g->n_disks++] = vtr_blk_ref(disk);
	return 0;
}

int vtr_guest_add(struct vtr_guest *g, const char *path, const struct vtr_image_options *opt, struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *b = NULL;

	if (vtr_image_open(&b, g->ctx, path, opt, err) < 0)
		return -1;
	return vtr_guest_add_blk(g, b, err);
}

/* ------------------------------------------------------------------------------------------------------------ scan */

/* "sda" to "sdz", "sdaa" …: the i-th disk. */
static void guest_disk_name(char *out, size_t size, size_t i)
{
	char letters[16];
	size_t n = 0;

	for (i++; i > 0 && n < sizeof(letters); i = (i - 1) / 26)
		letters[n++] = (char)('a' + (i - 1) % 26);
	snprintf(out, size, "/dev/sd");
	for (size_t at = strlen(out); n > 0 && at + 1 < size; out[at] = 0)
		out[at++] = letters[--n];
}

/* A new device at the end of the list; its blk is taken a reference of. NULL and *err. */
static struct vtr_device *guest_add_device(struct vtr_guest *g, const char *name, int parent, struct vtr_blk *blk,
					   struct vtr_error *err)
{
	struct guest_device *d;

	if (VTR_OVER(g->ctx, devices, g->n + 1, "devices", err) < 0 || !VTR_GROW(g->pub, g->n, g->cap_pub, err) ||
	    !VTR_GROW(g->own, g->n, g->cap_own, err) || !(d = vtr_calloc(1, sizeof(*d), err)))
		return NULL;
	snprintf(d->name, sizeof(d->name), "%s", name);
	d->blk = vtr_blk_ref(blk);
	d->fs_blk = vtr_blk_ref(blk);
	g->own[g->n] = d;
	g->pub[g->n] = (struct vtr_device){
		.name = d->name,
		.parent = parent,
		.blk = blk,
		.size = blk->size,
		.label = d->label,
		.uuid = d->uuid,
	};
	return &g->pub[g->n++];
}

/* What lies on a device: a volume manager's sign, or a filesystem. NULL content: nothing known. */
struct guest_content {
	const char *name;
	bool has_fs;
	struct vtr_fs_identity id;
};

static int guest_identify(struct guest_content *out, struct vtr_blk *b, const char *name, struct vtr_error *err)
{
	VTR_PROBE_DONE struct vtr_probe p = { 0 };
	struct guest_content c = { 0 };
	const struct vtr_fs_driver *fs, *second;
	const struct vtr_volume *v;

	if (vtr_probe_read(&p, b, err) < 0)
		return -1;
	v = vtr_volume_probe(&p);
	fs = vtr_fs_probe(&p, NULL, &second);
	if (v) {
		c.name = v->title;
	} else if (fs) {
		if (fs->identify)
			fs->identify(&c.id, &p);
		c.name = c.id.type ? c.id.type : fs->name;
		c.has_fs = strcmp(fs->name, "swap") != 0 && strcmp(c.name, "jbd") != 0;
		if (second)
			vtr_warn(b->ctx, VTR_EAMBIGUOUS, "%s: it has the signs of %s and of %s", name, fs->title,
				 second->title);
	}
	*out = c;
	return 0;
}

static void guest_set_content(struct vtr_guest *g, size_t i, const struct guest_content *c)
{
	g->pub[i].content = c->name;
	g->pub[i].has_fs = c->has_fs;
	memcpy(g->own[i]->label, c->id.label, sizeof(g->own[i]->label));
	memcpy(g->own[i]->uuid, c->id.uuid, sizeof(g->own[i]->uuid));
}

/* Whether anything known lies in one of the partitions of a table. */
static bool guest_table_fits(const struct vtr_parts *t)
{
	for (size_t i = 0; i < t->n; i++) {
		VTR_UNREF struct vtr_blk *b = NULL;
		struct guest_content c;

		if (!t->parts[i].extended && vtr_parts_blk(&b, t, i, NULL) == 0 &&
		    guest_identify(&c, b, "", NULL) == 0 && c.name)
			return true;
	}
	return false;
}

/* Whether the disk has room for the partitions of a table when its sectors are eight times as large. */
static bool guest_room_for_4096(const struct vtr_parts *t, uint64_t size)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->parts[i].off > size / 8 || t->parts[i].stated_len > size / 8 - t->parts[i].off)
			return false;
	return true;
}

/*
 * The partition table of a disk. An MBR does not say how large its sectors are: where nothing known lies in the
 * partitions by sectors of 512 bytes, and something does by 4096, it is that.
 */
static int guest_read_table(struct vtr_parts **out, struct vtr_guest *g, struct vtr_blk *disk, struct vtr_error *err)
{
	struct vtr_parts *t = NULL, *large = NULL;

	if (vtr_partitions_open(&t, disk, g->sector, err) < 0)
		return -1;
	if (t && g->sector == 0 && vtr_parts_sector(t) == 512 && strcmp(vtr_parts_scheme(t), "mbr") == 0 &&
	    guest_room_for_4096(t, disk->size) && !guest_table_fits(t) &&
	    vtr_partitions_open(&large, disk, 4096, NULL) == 0 && large) {
		if (guest_table_fits(large)) {
			vtr_parts_close(t);
			t = large;
		} else {
			vtr_parts_close(large);
		}
	}
	*out = t;
	return 0;
}

/* Some tools make a filesystem larger than its partition: it is given what the disk has of it. */
static int guest_widen(struct vtr_guest *g, size_t i, const struct vtr_part *part, const struct guest_content *c,
		       struct vtr_blk *disk, struct vtr_error *err)
{
	struct guest_device *d = g->own[i];
	uint64_t room = disk->size - part->off, want = VTR_MIN(c->id.size, room);
	struct vtr_blk *wide = NULL;

	if (!c->has_fs || c->id.size <= part->len || want <= part->len)
		return 0;
	vtr_warn(g->ctx, VTR_OK,
		 "%s: its %s has %" PRIu64 " bytes, the partition %" PRIu64
		 ": read beyond its end, as far as the disk goes",
		 d->name, c->name, c->id.size, part->len);
	if (vtr_blk_slice(&wide, disk, part->off, want, err) < 0)
		return -1;
	vtr_blk_unref(d->fs_blk);
	d->fs_blk = wide;
	return 0;
}

static int guest_scan_partition(struct vtr_guest *g, size_t disk_i, struct vtr_parts *t, size_t k,
				struct vtr_error *err)
{
	struct vtr_blk *disk = g->own[disk_i]->blk;
	const struct vtr_part *part = vtr_parts_at(t, k);
	VTR_UNREF struct vtr_blk *b = NULL;
	struct guest_content c = { 0 };
	struct vtr_device *dev;
	char name[64];
	size_t i;

	snprintf(name, sizeof(name), "%.48s%u", g->own[disk_i]->name, part->number);
	if (vtr_parts_blk(&b, t, k, err) < 0)
		return vtr_at(err, "%s", name);
	dev = guest_add_device(g, name, (int)disk_i, b, err);
	if (!dev)
		return -1;
	i = g->n - 1;
	dev->of = t;
	dev->part = k;
	if (part->extended)
		return 0;
	if (guest_identify(&c, b, name, err) < 0)
		return vtr_at(err, "%s", name);
	guest_set_content(g, i, &c);
	return guest_widen(g, i, part, &c, disk, err);
}

/* Errors that concern one device are warned of; these end the scan. */
static bool guest_fatal(const struct vtr_error *e)
{
	return e->code == VTR_ENOMEM || e->code == VTR_ECANCELLED || e->code == VTR_ELIMIT;
}

static int guest_scan_disk(struct vtr_guest *g, size_t i, struct vtr_error *err)
{
	struct guest_content c = { 0 };
	struct vtr_error local = { 0 };
	struct vtr_parts *t = NULL;
	struct vtr_blk *disk = g->own[i]->blk;

	if (guest_identify(&c, disk, g->own[i]->name, err) < 0)
		return -1;
	guest_set_content(g, i, &c);
	if (guest_read_table(&t, g, disk, &local) < 0) {
		if (c.name && !guest_fatal(&local)) /* a filesystem on the whole disk: its boot block is no table */
			return 0;
		if (err)
			*err = local;
		return -1;
	}
	if (t && vtr_parts_count(t) == 0 && c.name) { /* the end of a boot sector, and no table behind it */
		vtr_parts_close(t);
		t = NULL;
	}
	if (!t)
		return 0;
	if (c.has_fs && strcmp(c.name, "iso9660") != 0)
		vtr_warn(g->ctx, VTR_EAMBIGUOUS,
			 "%s: it has the signs of a partition table (%s) and of a filesystem (%s) on the whole disk",
			 g->own[i]->name, vtr_parts_scheme(t), c.name);
	else
		g->pub[i].content = vtr_parts_scheme(t);
	g->own[i]->table = t;
	g->pub[i].table = t;
	for (size_t k = 0; k < vtr_parts_count(t); k++) {
		if (guest_scan_partition(g, i, t, k, &local) == 0)
			continue;
		if (guest_fatal(&local)) {
			if (err)
				*err = local;
			return -1;
		}
		vtr_warn_err(g->ctx, &local);
	}
	return 0;
}

int vtr_guest_scan(struct vtr_guest *g, struct vtr_error *err)
{
	if (g->scanned)
		return 0;
	if (g->n_disks == 0)
		return vtr_fail(err, VTR_EUSAGE, "a guest without disks");
	if (g->sector != 0 && g->sector != 512 && g->sector != 4096)
		return vtr_fail(err, VTR_EUSAGE, "sectors of %u bytes, expected 512 or 4096", g->sector);
	g->scanned = true;
	for (size_t i = 0; i < g->n_disks; i++) {
		struct vtr_error local = { 0 };
		char name[64];
		size_t at = g->n;

		guest_disk_name(name, sizeof(name), i);
		if (!guest_add_device(g, name, -1, g->disks[i], err))
			return -1;
		if (guest_scan_disk(g, at, &local) == 0)
			continue;
		vtr_error_at(&local, "%s", name);
		if (guest_fatal(&local) || g->n_disks == 1) {
			if (err)
				*err = local;
			return -1;
		}
		vtr_warn_err(g->ctx, &local);
	}
	return 0;
}

/* --------------------------------------------------------------------------------------------------------- devices */

size_t vtr_guest_devices(const struct vtr_guest *g)
{
	return g->n;
}

const struct vtr_device *vtr_guest_device(const struct vtr_guest *g, size_t i)
{
	return i < g->n ? &g->pub[i] : NULL;
}

int vtr_guest_find_device(const struct vtr_guest *g, const char *name, struct vtr_error *err)
{
	struct vtr_str known = { 0 };

	for (size_t i = 0; i < g->n; i++)
		if (strcmp(g->pub[i].name, name) == 0 || strcmp(g->pub[i].name + strlen("/dev/"), name) == 0)
			return (int)i;
	for (size_t i = 0; i < g->n && i < 32; i++) {
		vtr_str_puts(&known, i ? " " : "");
		vtr_str_puts(&known, g->pub[i].name);
	}
	vtr_error_set(err, VTR_ENOTFOUND, "no device \"%s\": there is %s%s", name, known.p ? known.p : "none",
		      g->n > 32 ? " …" : "");
	vtr_str_done(&known);
	return -1;
}

/* A device by the UUID of what is on it. */
static int guest_find_uuid(void *arg, struct vtr_blk **out, const char *uuid, struct vtr_error *err)
{
	struct vtr_guest *g = arg;

	(void)err;
	for (size_t i = 0; i < g->n; i++) {
		if (strcmp(g->own[i]->uuid, uuid) == 0) {
			*out = vtr_blk_ref(g->own[i]->fs_blk);
			return 1;
		}
	}
	return 0;
}

struct vtr_fs *vtr_guest_fs(struct vtr_guest *g, size_t i, struct vtr_error *err)
{
	struct vtr_fs_others others = { .find = guest_find_uuid, .arg = g };
	struct guest_device *d;

	if (i >= g->n) {
		vtr_error_set(err, VTR_EUSAGE, "no device number %zu", i);
		return NULL;
	}
	d = g->own[i];
	if (!d->tried) {
		d->tried = true;
		if (vtr_fs_open_among(&d->fs, d->fs_blk, NULL, &others, &d->error) < 0)
			vtr_error_at(&d->error, "%s", d->name);
		else if (d->fs->label && !d->label[0])
			snprintf(d->label, sizeof(d->label), "%s", d->fs->label);
	}
	if (!d->fs && err)
		*err = d->error;
	return d->fs;
}

/* ------------------------------------------------------------------------------------------------------ inspection */

static struct vtr_fs *guest_inspect_fs(void *arg, size_t device, struct vtr_error *err)
{
	return vtr_guest_fs(arg, device, err);
}

int vtr_guest_inspect(struct vtr_guest *g, struct vtr_error *err)
{
	struct vtr_inspect in = { .ctx = g->ctx, .fs = guest_inspect_fs, .arg = g };

	if (vtr_guest_scan(g, err) < 0)
		return -1;
	in.devices = g->pub;
	in.n_devices = g->n;
	if (!g->inspected && vtr_inspect_run(&g->oses, &g->n_oses, &in, err) < 0)
		return -1;
	g->inspected = true;
	return (int)g->n_oses;
}

struct vtr_os *vtr_guest_os(struct vtr_guest *g, size_t i)
{
	return i < g->n_oses ? g->oses[i] : NULL;
}
