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

#define GUEST_NAME_PART 4u /* so many letters of a deployment's name will do, where no other begins with them */

struct guest_device {
	char *name, *alias, *set, *problem;
	size_t *inputs;
	char label[256];
	char uuid[40];
	struct vtr_blk *blk;	/* a reference */
	struct vtr_blk *fs_blk; /* a reference: blk, or more of the disk where the filesystem is larger */
	bool waits;		/* it is a member whose volumes are read, once the set is assembled */
	struct vtr_parts *table;
	struct vtr_fs *fs;
	const char *type; /* of its filesystem, as the caller chose; NULL: recognised */
	bool tried;
	struct vtr_error error;
};

/* What the caller chose. */
struct guest_choice {
	char device[64];   /* "sda1"; "": whatever it fits */
	const char *value; /* static: a driver's own name */
	bool used;
};

struct guest_choices {
	struct guest_choice *c;
	size_t n, cap;
};

struct guest_systems {
	size_t device;
	struct vtr_os **v;
	size_t n;
};

struct vtr_guest {
	struct vtr_ctx *ctx; /* a reference */
	unsigned sector;
	struct guest_choices tables, types;
	bool scanned, inspected;
	struct vtr_blk **disks;
	size_t n_disks, cap_disks;
	struct vtr_device *pub; /* beside own, one for one */
	struct guest_device **own;
	size_t n, cap_pub, cap_own;
	size_t looked;	       /* devices before this one were identified: the others are the work list */
	struct vtr_sets *sets; /* the members of volumes that were found so far */
	struct vtr_os **oses;
	size_t n_oses;
	struct guest_systems *few; /* of single devices, before all were inspected */
	size_t n_few, cap_few;
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
	free(d->name);
	free(d->alias);
	free(d->set);
	free(d->problem);
	free(d->inputs);
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
	for (size_t i = 0; i < g->n_few; i++) {
		for (size_t k = 0; k < g->few[i].n; k++)
			vtr_os_free(g->few[i].v[k]);
		free(g->few[i].v);
	}
	free(g->few);
	for (size_t i = g->n; i-- > 0;)
		guest_device_free(g->own[i]);
	free(g->own);
	free(g->pub);
	vtr_sets_free(g->sets);
	for (size_t i = 0; i < g->n_disks; i++)
		vtr_blk_unref(g->disks[i]);
	free(g->disks);
	free(g->tables.c);
	free(g->types.c);
	vtr_ctx_unref(g->ctx);
	free(g);
}

void vtr_guest_sector(struct vtr_guest *g, unsigned sector)
{
	g->sector = sector;
}

static const char *guest_bare_name(const char *name)
{
	return strncmp(name, "/dev/", 5) == 0 ? name + 5 : name;
}

static int guest_choose(struct vtr_guest *g, struct guest_choices *list, const char *device, const char *value,
			struct vtr_error *err)
{
	const char *name = device ? guest_bare_name(device) : "";

	if (g->scanned)
		return vtr_fail(err, VTR_EUSAGE, "choices are made before the scan");
	if (device && (!*name || strlen(name) >= sizeof(list->c->device)))
		return vtr_fail(err, VTR_EUSAGE, "no device can be named \"%.100s\"", device);
	if (VTR_OVER(g->ctx, devices, list->n + 1, "choices", err) < 0 || !VTR_GROW(list->c, list->n, list->cap, err))
		return -1;
	list->c[list->n] = (struct guest_choice){ .value = value };
	memcpy(list->c[list->n++].device, name, strlen(name));
	return 0;
}

int vtr_guest_choose_table(struct vtr_guest *g, const char *device, const char *scheme, struct vtr_error *err)
{
	if (strcmp(scheme, "none") == 0)
		return guest_choose(g, &g->tables, device, "none", err);
	for (size_t i = 0; vtr_partitions[i]; i++)
		if (strcmp(vtr_partitions[i]->name, scheme) == 0)
			return guest_choose(g, &g->tables, device, vtr_partitions[i]->name, err);
	return vtr_fail(err, VTR_EUSAGE, "no partition table is named \"%s\"", scheme);
}

int vtr_guest_choose_fs(struct vtr_guest *g, const char *device, const char *type, struct vtr_error *err)
{
	const struct vtr_fs_driver *d = vtr_fs_driver_find(type);

	if (!d)
		return vtr_fail(err, VTR_EUSAGE, "no filesystem is named \"%s\"", type);
	return guest_choose(g, &g->types, device, vtr_fs_driver_name(d), err);
}

/* What was chosen for a device: the last choice that names it; else, *named false, the last for all. NULL: nothing. */
static const char *guest_chosen(bool *named, struct guest_choices *list, const char *device)
{
	const char *value = NULL;

	*named = false;
	device = guest_bare_name(device);
	for (size_t i = 0; i < list->n; i++) {
		struct guest_choice *c = &list->c[i];

		if (*device && strcmp(c->device, device) == 0) {
			c->used = true;
			value = c->value;
			*named = true;
		} else if (!*named && !c->device[0]) {
			value = c->value;
		}
	}
	return value;
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

/* How many disks the archive has that an image lies in; 0: it lies in none. */
static uint64_t guest_archive_disks(struct vtr_blk *b)
{
	for (const struct vtr_image_info *i = vtr_image_info(b); i; i = i->outer)
		for (size_t k = 0; strcmp(i->format, "ova") == 0 && k < i->n_props; k++)
			if (strcmp(i->props[k].key, "disks") == 0)
				return i->props[k].number;
	return 0;
}

int vtr_guest_add(struct vtr_guest *g, const char *path, const struct vtr_image_options *opt, struct vtr_error *err)
{
	struct vtr_image_options one = opt ? *opt : (struct vtr_image_options){ .format = NULL };
	VTR_UNREF struct vtr_blk *first = NULL;
	struct vtr_error why = { 0 };
	uint64_t n;

	if (vtr_image_open(&first, g->ctx, path, opt, &why) == 0)
		return vtr_guest_add_blk(g, first, err);
	/* An archive with several disks is one guest: all of them are its disks. */
	if (why.code == VTR_EAMBIGUOUS && !one.member) {
		one.member = "1";
		(void)vtr_image_open(&first, g->ctx, path, &one, NULL);
	}
	n = first ? guest_archive_disks(first) : 0;
	if (n < 2) {
		if (err)
			*err = why;
		return -1;
	}
	if (vtr_guest_add_blk(g, first, err) < 0)
		return -1;
	for (uint64_t i = 2; i <= n; i++) {
		VTR_UNREF struct vtr_blk *b = NULL;
		char number[24];

		snprintf(number, sizeof(number), "%" PRIu64, i);
		one.member = number;
		if (vtr_image_open(&b, g->ctx, path, &one, err) < 0 || vtr_guest_add_blk(g, b, err) < 0)
			return -1;
	}
	return 0;
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

/* Copies of what describes a new device. */
static int guest_describe(struct guest_device *d, const char *name, const struct vtr_volume *v, struct vtr_error *err)
{
	d->name = vtr_strndup(name, strlen(name), err);
	d->inputs = vtr_calloc(v->n_inputs ? v->n_inputs : 1, sizeof(d->inputs[0]), err);
	if (!d->name || !d->inputs)
		return -1;
	for (size_t i = 0; i < v->n_inputs; i++)
		d->inputs[i] = v->inputs[i];
	if (v->alias) {
		VTR_CLEANUP(vtr_str_done) struct vtr_str alias = { 0 };

		vtr_str_putf(&alias, "/dev/%s", v->alias);
		d->alias = vtr_str_take(&alias, err);
		if (!d->alias)
			return -1;
	}
	if (v->set && !(d->set = vtr_strndup(v->set, strlen(v->set), err)))
		return -1;
	if (v->problem && !(d->problem = vtr_strndup(v->problem, strlen(v->problem), err)))
		return -1;
	return 0;
}

/* A new device at the end of the list, made of others as v says. A reference is taken of blk. NULL sets *err. */
static struct vtr_device *guest_add_device(struct vtr_guest *g, const char *name, const struct vtr_volume *v,
					   struct vtr_blk *blk, struct vtr_error *err)
{
	struct guest_device *d;

	if (VTR_OVER(g->ctx, devices, g->n + 1, "devices", err) < 0 || !VTR_GROW(g->pub, g->n, g->cap_pub, err) ||
	    !VTR_GROW(g->own, g->n, g->cap_own, err) || !(d = vtr_calloc(1, sizeof(*d), err)))
		return NULL;
	if (guest_describe(d, name, v, err) < 0) {
		guest_device_free(d);
		return NULL;
	}
	d->blk = vtr_blk_ref(blk);
	d->fs_blk = vtr_blk_ref(blk);
	g->own[g->n] = d;
	g->pub[g->n] = (struct vtr_device){
		.name = d->name,
		.alias = d->alias,
		.kind = v->kind,
		.parent = v->n_inputs ? (int)v->inputs[0] : -1,
		.inputs = d->inputs,
		.n_inputs = v->n_inputs,
		.blk = blk,
		.size = blk->size,
		.state = v->state,
		.problem = d->problem,
		.set = d->set,
		.label = d->label,
		.uuid = d->uuid,
	};
	for (size_t i = 0; i < v->n_inputs; i++)
		g->pub[v->inputs[i]].used = true;
	return &g->pub[g->n++];
}

/* What lies on a device: a volume manager's sign, or a filesystem. NULL content: nothing known. */
struct guest_content {
	const char *name;
	const char *type; /* blkid's name */
	const char *fs;	  /* the filesystem that the caller chose; NULL: recognised */
	int usage;	  /* enum vtr_usage */
	bool has_fs;
	const struct vtr_layer *layer; /* the volume manager; NULL: none */
	struct vtr_identity id;
};

/* What was chosen for a device, as far as it is there; NULL: nothing. */
static const struct vtr_fs_driver *guest_chosen_fs(struct vtr_guest *g, const struct vtr_probe *p, const char *device)
{
	const struct vtr_fs_driver *d;
	const char *type;
	bool named;

	type = guest_chosen(&named, &g->types, device);
	d = type ? vtr_fs_driver_find(type) : NULL;
	return d && (named || vtr_signature_bits(d->sig, p) > 0) ? d : NULL;
}

/* device: its name; "": it has none yet, and nothing is said of it. */
static int guest_identify(struct guest_content *out, struct vtr_guest *g, struct vtr_blk *b, const char *device,
			  struct vtr_error *err)
{
	VTR_PROBE_DONE struct vtr_probe p = { 0 };
	struct guest_content c = { 0 };
	const struct vtr_fs_driver *fs;
	const struct vtr_signature *sig;
	int found, second = -1;

	if (vtr_probe_read(&p, b, err) < 0)
		return -1;
	fs = guest_chosen_fs(g, &p, device);
	if (fs) {
		c.fs = vtr_fs_driver_name(fs);
		found = fs->sig;
	} else {
		found = vtr_signature_find(&p, NULL, &second);
		fs = found >= 0 ? vtr_fs_driver_of(found) : NULL;
	}
	if (found < 0) {
		*out = c;
		return 0;
	}
	sig = &vtr_signatures[found];
	c.type = sig->type;
	c.usage = sig->usage;
	c.has_fs = c.usage == VTR_USAGE_FILESYSTEM;
	c.layer = c.usage == VTR_USAGE_MEMBER ? vtr_volume_layer(found) : NULL;
	if (*device && c.layer && c.layer->identify)
		c.layer->identify(&c.id, &p);
	if (*device && fs && fs->identify && vtr_signature_bits(found, &p) > 0)
		fs->identify(&c.id, &p, b);
	if (c.has_fs && c.id.type)
		c.type = c.id.type;
	c.name = c.usage == VTR_USAGE_MEMBER ? sig->title : c.type;
	if (second >= 0 && *device)
		vtr_warn(b->ctx, VTR_EAMBIGUOUS,
			 "%s: it has the signs of %s and of %s: choose with --fs %s=%s or --fs %s=%s", device,
			 sig->title, vtr_signatures[second].title, guest_bare_name(device), sig->name,
			 guest_bare_name(device), vtr_signatures[second].name);
	*out = c;
	return 0;
}

static void guest_set_content(struct vtr_guest *g, size_t i, const struct guest_content *c)
{
	g->pub[i].content = c->name;
	g->pub[i].type = c->type;
	g->pub[i].usage = c->usage;
	g->pub[i].has_fs = c->has_fs;
	g->own[i]->type = c->fs;
	g->own[i]->waits = c->layer && c->layer->member;
	memcpy(g->own[i]->label, c->id.label, sizeof(g->own[i]->label));
	memcpy(g->own[i]->uuid, c->id.uuid, sizeof(g->own[i]->uuid));
}

/* Whether anything known lies in one of the partitions of a table. */
static bool guest_table_fits(struct vtr_guest *g, const struct vtr_parts *t)
{
	for (size_t i = 0; i < t->n; i++) {
		VTR_UNREF struct vtr_blk *b = NULL;
		struct guest_content c;

		if (!t->parts[i].extended && vtr_parts_blk(&b, t, i, NULL) == 0 &&
		    guest_identify(&c, g, b, "", NULL) == 0 && c.name)
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
static int guest_read_table(struct vtr_parts **out, struct vtr_guest *g, struct vtr_blk *disk, const char *scheme,
			    struct vtr_error *err)
{
	struct vtr_parts *t = NULL, *large = NULL;

	if (vtr_partitions_open_as(&t, disk, scheme, g->sector, err) < 0)
		return -1;
	if (t && g->sector == 0 && vtr_parts_sector(t) == 512 && strcmp(vtr_parts_scheme(t), "mbr") == 0 &&
	    guest_room_for_4096(t, disk->size) && !guest_table_fits(g, t) &&
	    vtr_partitions_open_as(&large, disk, scheme, 4096, NULL) == 0 && large) {
		if (guest_table_fits(g, large)) {
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

/* Errors that concern one device are warned of; these end the scan. */
static bool guest_fatal(const struct vtr_error *e)
{
	return vtr_error_is(e, VTR_KIND_STOPPED | VTR_KIND_LIMITED);
}

/* 0, when err concerned one device alone and was warned of, by the device's name; or -1. */
static int guest_failed(struct vtr_guest *g, const char *name, struct vtr_error *local, struct vtr_error *err)
{
	if (name)
		vtr_error_at(local, "%s", name);
	if (!guest_fatal(local)) {
		vtr_warn_err(g->ctx, local);
		return 0;
	}
	if (err)
		*err = *local;
	return -1;
}

/* The index of the device of a name, with or without /dev/; -1: there is none. */
static int guest_device_index(const struct vtr_guest *g, const char *name)
{
	const char *bare = guest_bare_name(name);

	for (size_t i = 0; i < g->n; i++)
		if (strcmp(g->pub[i].name + strlen("/dev/"), bare) == 0 ||
		    (g->pub[i].alias && strcmp(g->pub[i].alias + strlen("/dev/"), bare) == 0))
			return (int)i;
	return -1;
}

/* The contents of a partition table or of a set as devices, whose names start with prefix: put on the work list. */
static int guest_add_volumes(struct vtr_guest *g, const char *prefix, const struct vtr_volumes *v,
			     struct vtr_error *err)
{
	for (size_t i = 0; i < v->n; i++) {
		VTR_CLEANUP(vtr_str_done) struct vtr_str name = { 0 };
		size_t whole;

		vtr_str_putf(&name, "%s%s", prefix, v->v[i].pub.name);
		/* Two volume groups of the same name: the second one's volumes are told from the first one's. */
		whole = name.len;
		for (int k = 2; !name.oom && guest_device_index(g, name.p) >= 0; k++) {
			name.len = whole;
			vtr_str_putf(&name, "#%d", k);
		}
		if (name.oom)
			return vtr_fail(err, VTR_ENOMEM, "out of memory");
		if (!guest_add_device(g, name.p, &v->v[i].pub, v->v[i].blk, err))
			return -1;
	}
	return 0;
}

/* The partitions of a table as devices. t becomes the device's. */
static int guest_add_table(struct vtr_guest *g, size_t i, struct vtr_parts *t, struct vtr_error *err)
{
	VTR_VOLUMES_CLOSE struct vtr_volumes *v = vtr_volumes_new(g->ctx, err);
	VTR_CLEANUP(vtr_str_done) struct vtr_str prefix = { 0 };
	const char *name = g->own[i]->name;
	size_t at = g->n;

	g->own[i]->table = t;
	g->pub[i].table = t;
	/* As the kernel names partitions: those of "md0" and "nvme0n1" have a "p" before the number. */
	vtr_str_puts(&prefix, name);
	if (name[strlen(name) - 1] >= '0' && name[strlen(name) - 1] <= '9')
		vtr_str_puts(&prefix, "p");
	if (prefix.oom)
		return vtr_fail(err, VTR_ENOMEM, "out of memory");
	if (!v || vtr_parts_volumes(v, t, i, err) < 0 || guest_add_volumes(g, prefix.p, v, err) < 0)
		return -1;
	for (size_t k = 0; k < v->n; k++) {
		g->pub[at + k].of = t;
		g->pub[at + k].part = v->v[k].part;
	}
	return 0;
}

/* Look for a partition table on a device, which has content c. */
static int guest_scan_table(struct vtr_guest *g, size_t i, const struct guest_content *c, struct vtr_error *err)
{
	struct vtr_error local = { 0 };
	struct vtr_parts *t = NULL;
	const char *scheme;
	bool named;

	scheme = guest_chosen(&named, &g->tables, g->own[i]->name);
	if (scheme && strcmp(scheme, "none") == 0)
		return 0;
	if (guest_read_table(&t, g, g->own[i]->blk, scheme, &local) < 0) {
		/* A filesystem on the whole disk: its boot block is no table. */
		if (c->name && !scheme && !guest_fatal(&local))
			return 0;
		if (err)
			*err = local;
		return -1;
	}
	if (t && vtr_parts_count(t) == 0 && c->name && !scheme) { /* the end of a boot sector, and no table behind it */
		vtr_parts_close(t);
		t = NULL;
	}
	if (!t)
		return 0;
	if (c->has_fs && strcmp(c->name, "iso9660") != 0 && !scheme) {
		vtr_warn(g->ctx, VTR_EAMBIGUOUS,
			 "%s: it has the signs of a partition table (%s) and of a filesystem (%s) on the whole disk: "
			 "--table none leaves the table aside",
			 g->own[i]->name, vtr_parts_scheme(t), c->name);
	} else {
		g->pub[i].content = vtr_parts_scheme(t);
		g->pub[i].type = vtr_parts_scheme(t);
		g->pub[i].usage = VTR_USAGE_TABLE;
	}
	return guest_add_table(g, i, t, err);
}

/* Identify a device of the work list. What lies in it comes behind the others. */
static int guest_scan_device(struct vtr_guest *g, size_t i, struct vtr_error *err)
{
	const struct vtr_part *part = g->pub[i].of ? vtr_parts_at(g->pub[i].of, g->pub[i].part) : NULL;
	struct guest_content c = { 0 };
	struct vtr_error local = { 0 };

	if (part && part->extended)
		return 0;
	if (g->pub[i].state == VTR_STATE_UNREAD || g->pub[i].state == VTR_STATE_LOCKED) {
		g->pub[i].content = g->pub[i].problem;
		return 0;
	}
	if (guest_identify(&c, g, g->own[i]->blk, g->own[i]->name, err) < 0)
		return -1;
	guest_set_content(g, i, &c);
	/* Its contents cannot be had. What is around it can: a partition table, say. The caller names the device. */
	if (c.layer && vtr_sets_add(g->sets, c.layer, g->own[i]->blk, g->own[i]->name, i, &local) < 0) {
		if (guest_fatal(&local)) {
			*err = local;
			return -1;
		}
		(void)guest_failed(g, g->own[i]->name, &local, NULL);
	}
	if (part)
		return guest_widen(g, i, part, &c, g->own[g->pub[i].parent]->blk, err);
	return guest_scan_table(g, i, &c, err);
}

/* Choices that name a device which does not exist are a mistake that the caller wants to hear of. */
static int guest_check_choices(const struct vtr_guest *g, const struct guest_choices *list, struct vtr_error *err)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->c[i].device[0] && !list->c[i].used && vtr_guest_find_device(g, list->c[i].device, err) < 0)
			return -1;
	return 0;
}

/* Identify what is on the work list, and what comes onto it meanwhile. fail: the first device's error is the caller's. */
static int guest_scan_list(struct vtr_guest *g, bool fail, struct vtr_error *err)
{
	while (g->looked < g->n) {
		struct vtr_error local = { 0 };
		size_t i = g->looked++;

		if (guest_scan_device(g, i, &local) == 0)
			continue;
		if (fail && g->pub[i].parent < 0) {
			vtr_error_at(&local, "%s", g->own[i]->name);
			if (err)
				*err = local;
			return -1;
		}
		if (guest_failed(g, g->own[i]->name, &local, err) < 0)
			return -1;
	}
	return 0;
}

/* Assemble one set. 1: one was, or could not be used, which was warned of; 0: there is none; -1. */
static int guest_assemble(struct vtr_guest *g, bool degraded, struct vtr_error *err)
{
	VTR_VOLUMES_CLOSE struct vtr_volumes *v = vtr_volumes_new(g->ctx, err);
	struct vtr_error local = { 0 };
	int r;

	if (!v)
		return -1;
	r = vtr_sets_assemble(v, g->sets, degraded, &local);
	if (r < 0)
		return guest_failed(g, NULL, &local, err) < 0 ? -1 : 1;
	return r > 0 && guest_add_volumes(g, "/dev/", v, err) < 0 ? -1 : r;
}

/* Complete sets first: what comes out of them may complete others. */
static int guest_assemble_all(struct vtr_guest *g, struct vtr_error *err)
{
	const struct vtr_set_member *m;
	int r;

	do {
		r = guest_assemble(g, false, err);
		if (r == 0)
			r = guest_assemble(g, true, err);
		if (r < 0 || guest_scan_list(g, false, err) < 0)
			return -1;
	} while (r > 0);
	for (size_t i = 0; (m = vtr_sets_member(g->sets, i)); i++)
		g->pub[m->index].used = g->pub[m->index].used || m->used;
	vtr_sets_warn_rest(g->sets);
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
	g->sets = vtr_sets_new(g->ctx, err);
	if (!g->sets)
		return -1;
	for (size_t i = 0; i < g->n_disks; i++) {
		struct vtr_volume disk = { .kind = "disk" };
		char name[64];

		guest_disk_name(name, sizeof(name), i);
		if (!guest_add_device(g, name, &disk, g->disks[i], err) || guest_scan_list(g, g->n_disks == 1, err) < 0)
			return -1;
	}
	if (guest_assemble_all(g, err) < 0)
		return -1;
	if (guest_check_choices(g, &g->tables, err) < 0)
		return -1;
	return guest_check_choices(g, &g->types, err);
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
	int i = guest_device_index(g, name);
	struct vtr_str known = { 0 };

	if (i >= 0)
		return i;
	for (size_t k = 0; k < g->n && k < 32; k++) {
		vtr_str_puts(&known, k ? " " : "");
		vtr_str_puts(&known, g->pub[k].name);
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

/* What has no filesystem is refused with what it has. */
static int guest_open_fs(struct vtr_guest *g, size_t i, struct vtr_error *err)
{
	struct vtr_fs_others others = { .find = guest_find_uuid, .arg = g };
	const struct vtr_device *pub = &g->pub[i];
	const struct vtr_part *part = pub->of ? vtr_parts_at(pub->of, pub->part) : NULL;
	struct guest_device *d = g->own[i];

	if (part && part->extended)
		return vtr_fail(err, VTR_EUSAGE, "it is no volume of its own, other partitions lie in it");
	if (pub->table && !pub->has_fs)
		return vtr_fail(err, VTR_EUSAGE, "it is a disk with partitions (%s): choose one of them",
				vtr_parts_scheme(pub->table));
	if (pub->state == VTR_STATE_UNREAD || pub->state == VTR_STATE_LOCKED)
		return vtr_fail(err, pub->state == VTR_STATE_LOCKED ? VTR_EKEY : VTR_EUNSUPPORTED, "%s", pub->problem);
	if (pub->used && pub->usage == VTR_USAGE_MEMBER)
		return vtr_fail(err, VTR_EUSAGE, "it is a member of volumes (%s): choose one of them", pub->content);
	if (d->waits)
		return vtr_fail(err, VTR_ENOTFOUND, "%s: no volume that it is part of could be assembled",
				pub->content);
	if (pub->content && !pub->has_fs)
		return vtr_fail(err, VTR_EUNSUPPORTED, "%s: recognised, and not read", pub->content);
	return vtr_fs_open_among(&d->fs, d->fs_blk, d->type, &others, err);
}

struct vtr_fs *vtr_guest_fs(struct vtr_guest *g, size_t i, struct vtr_error *err)
{
	struct guest_device *d;

	if (i >= g->n) {
		vtr_error_set(err, VTR_EUSAGE, "no device number %zu", i);
		return NULL;
	}
	d = g->own[i];
	if (!d->tried) {
		d->tried = true;
		if (guest_open_fs(g, i, &d->error) < 0)
			vtr_error_at(&d->error, "%s", d->name);
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

/* The systems whose root is on one device, without a look at the others. */
static const struct guest_systems *guest_systems_on(struct vtr_guest *g, size_t device, struct vtr_error *err)
{
	const struct vtr_inspect in = {
		.ctx = g->ctx,
		.fs = guest_inspect_fs,
		.arg = g,
		.devices = g->pub,
		.n_devices = g->n,
		.only = device + 1,
	};
	struct guest_systems *s;

	for (size_t i = 0; i < g->n_few; i++)
		if (g->few[i].device == device)
			return &g->few[i];
	if (!VTR_GROW(g->few, g->n_few, g->cap_few, err))
		return NULL;
	s = &g->few[g->n_few];
	*s = (struct guest_systems){ .device = device };
	if (vtr_inspect_run(&s->v, &s->n, &in, err) < 0)
		return NULL;
	g->n_few++;
	return s;
}

static bool guest_number(size_t *out, const char *text)
{
	size_t n = 0, i;

	for (i = 0; text[i] >= '0' && text[i] <= '9' && i < 9; i++)
		n = 10 * n + (size_t)(text[i] - '0');
	*out = n;
	return i > 0 && text[i] == 0;
}

/* Whether what names a system. A device does, and it names all that have their root there. part: a beginning will do. */
static bool guest_os_is(const struct vtr_os *os, const char *what, bool part)
{
	const char *root = vtr_os_root(os), *dir = vtr_os_root_dir(os), *last = strrchr(dir, '/');

	if (strcmp(what, root) == 0 || strcmp(what, root + strlen("/dev/")) == 0 || strcmp(what, vtr_os_name(os)) == 0)
		return true;
	if (strcmp(what, vtr_os_name(os) + strlen("/dev/")) == 0)
		return true;
	if (!dir[1] || !last)
		return false;
	if (strcmp(what, dir) == 0 || strcmp(what, last + 1) == 0)
		return true;
	return part && strlen(what) >= GUEST_NAME_PART && strncmp(last + 1, what, strlen(what)) == 0;
}

/* VTR_EAMBIGUOUS or VTR_ENOTFOUND, with the names of all that could have been meant: what NULL or "": all. */
static struct vtr_os *guest_os_choices(struct vtr_os **v, size_t n, const char *what, bool part, int code,
				       struct vtr_error *err)
{
	struct vtr_str names = { 0 };
	size_t listed = 0;

	for (size_t i = 0; i < n; i++) {
		if (what && !guest_os_is(v[i], what, part))
			continue;
		if (listed++ >= 16) {
			vtr_str_puts(&names, " …");
			break;
		}
		vtr_str_puts(&names, " ");
		vtr_str_puts(&names, vtr_os_name(v[i]));
	}
	vtr_error_set(err, code, "%s:%s", code == VTR_ENOTFOUND ? "there is" : "several operating systems",
		      names.p ? names.p : " none");
	vtr_str_done(&names);
	return NULL;
}

struct vtr_os *vtr_guest_find_os(struct vtr_guest *g, const char *what, struct vtr_error *err)
{
	const struct guest_systems *few;
	struct vtr_os **v, *found = NULL, *only = NULL;
	size_t n, number, fits = 0, starts = 0;
	bool part = true;
	int device;

	if (vtr_guest_scan(g, err) < 0)
		return NULL;
	device = what ? vtr_guest_find_device(g, what, NULL) : -1;
	if (device >= 0 && !g->inspected) {
		few = guest_systems_on(g, (size_t)device, err);
		if (!few)
			return NULL;
		v = few->v;
		n = few->n;
	} else {
		if (vtr_guest_inspect(g, err) < 0)
			return NULL;
		v = g->oses;
		n = g->n_oses;
	}
	if (what && guest_number(&number, what) && number >= 1 && number <= n)
		return v[number - 1];
	for (size_t i = 0; i < n && what && part; i++)
		part = !guest_os_is(v[i], what, false); /* a whole name comes before the beginning of another */
	for (size_t i = 0; i < n; i++) {
		if (what && !guest_os_is(v[i], what, part))
			continue;
		only = v[i];
		fits++;
		if (v[i]->alternative)
			continue;
		found = v[i];
		starts++;
	}
	if (starts == 1)
		return found;
	if (fits == 1)
		return only;
	if (fits > 1)
		return guest_os_choices(v, n, what, part, VTR_EAMBIGUOUS, err);
	if (!what)
		vtr_error_set(err, VTR_ENOTFOUND, "no operating system is found");
	else if (device >= 0)
		vtr_error_set(err, VTR_ENOTFOUND, "%s is the root of no operating system", g->pub[device].name);
	else {
		struct vtr_error choices = { 0 };

		guest_os_choices(v, n, NULL, false, VTR_ENOTFOUND, &choices);
		vtr_error_set(err, VTR_ENOTFOUND, "no operating system \"%s\": %s", what, choices.text);
	}
	return NULL;
}
