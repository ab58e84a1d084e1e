/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of a guest's filesystems are roots of systems, and the tree that each system sees. The signs of a root are
 * those by which virt-inspector knows one (guestfs(3), INSPECTION), and some more, for systems in containers and those
 * whose /usr is a filesystem of its own.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/fold.h"
#include "fs/tree.h"
#include "inspect/records.h"

struct inspect_sign {
	const char *path;
	int type; /* VTR_TYPE_UNKNOWN: a file, or a symlink wherever it leads: its target may be on another filesystem */
};

/* Any of them beside /etc and /bin, or beside /etc, /usr and /var. */
static const struct inspect_sign inspect_signs[] = {
	{ "/etc/fstab", VTR_TYPE_UNKNOWN },	     { "/etc/os-release", VTR_TYPE_UNKNOWN },
	{ "/etc/hosts", VTR_TYPE_UNKNOWN },	     { "/etc/passwd", VTR_TYPE_UNKNOWN },
	{ "/etc/machine-id", VTR_TYPE_UNKNOWN },     { "/etc/inittab", VTR_TYPE_UNKNOWN },
	{ "/etc/debian_version", VTR_TYPE_UNKNOWN }, { "/etc/redhat-release", VTR_TYPE_UNKNOWN },
	{ "/etc/alpine-release", VTR_TYPE_UNKNOWN },
};

/* Each of them alone makes a root: what starts a system that keeps nothing in /etc. */
static const char *const inspect_stateless[] = {
	"/usr/lib/os-release",
	"/nix/var/nix/profiles/system",
	"/var/guix/profiles/system",
	"/system/build.prop",
};

/* 1: something of this type is there, 0: not, -1. */
static int inspect_has(struct vtr_os *os, const struct inspect_sign *sign, struct vtr_error *err)
{
	struct vtr_stat st;
	int there = vtr_os_look(NULL, &st, os, sign->path, VTR_WALK_NOFOLLOW, err);

	if (there <= 0)
		return there;
	if (sign->type == VTR_TYPE_UNKNOWN)
		return st.type == VTR_TYPE_FILE || st.type == VTR_TYPE_SYMLINK;
	return st.type == sign->type;
}

/* The same for a directory, or a symlink that stands for one. */
static int inspect_has_dir(struct vtr_os *os, const char *path, bool or_link, struct vtr_error *err)
{
	int there = inspect_has(os, &(struct inspect_sign){ path, VTR_TYPE_DIR }, err);

	if (there != 0 || !or_link)
		return there;
	return inspect_has(os, &(struct inspect_sign){ path, VTR_TYPE_SYMLINK }, err);
}

/*
 * Whether the tree, a single filesystem so far, is a system's root: 1, with what it is and the path that decided it, 0
 * or -1.
 */
static int inspect_root_is(const char **type, const char **why, struct vtr_os *os, struct vtr_error *err)
{
	int etc = inspect_has_dir(os, "/etc", false, err);
	int bin = etc > 0 ? inspect_has_dir(os, "/bin", true, err) : etc;
	int usr = etc > 0 ? inspect_has_dir(os, "/usr", true, err) : etc;
	int var = usr > 0 ? inspect_has_dir(os, "/var", true, err) : usr;
	int share = bin > 0 && usr == 0 ? inspect_has_dir(os, "/share", false, err) : 0;
	int there;

	if (etc < 0 || bin < 0 || usr < 0 || var < 0 || share < 0)
		return -1;
	there = vtr_unix_find(type, why, os, err);
	if (there != 0)
		return there;
	for (size_t i = 0; i < VTR_COUNT(inspect_stateless) && there == 0; i++) {
		/* /usr may be a link to a directory; what is at the end may lead to another filesystem */
		there = vtr_os_look(NULL, NULL, os, inspect_stateless[i], VTR_WALK_NOFOLLOW, err);
		*why = inspect_stateless[i];
	}
	if (there != 0)
		return there;
	if (!etc || !(bin || (usr && var)))
		return 0;
	if (share) /* /usr or /usr/local may have an etc and a bin of its own */
		return 0;
	for (size_t i = 0; i < VTR_COUNT(inspect_signs) && there == 0; i++) {
		there = inspect_has(os, &inspect_signs[i], err);
		*why = inspect_signs[i].path;
	}
	return there;
}

/* Something about an entry of fstab, or a filesystem that it names. */
static void inspect_mount_warn(struct vtr_os *os, const struct vtr_mount *m, struct vtr_error *e)
{
	/*
	 * A filesystem that is recognised and not read stays unmounted, which vtr_mount.mounted tells; it is worth a word
	 * where the system's own files would be on it.
	 */
	if (e->code == VTR_EUNSUPPORTED && strcmp(m->path, "/usr") != 0 && strcmp(m->path, "/var") != 0)
		return;
	/* What the guest itself would stumble over is no damage. */
	if (vtr_error_is(e, VTR_KIND_UNREAD | VTR_KINDS_ABSENT))
		e->code = VTR_OK;
	vtr_error_at(e, "%s: /etc/fstab: %s at %s", os->root, m->spec, m->path);
	vtr_warn_err(os->ctx, e);
}

static bool inspect_beneath(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == 0);
}

/* Whether an entry is a filesystem of the guest's disks that belongs into the tree. */
static bool inspect_mountable_is(const struct vtr_mount *m)
{
	return m->device && m->path[0] == '/' && strcmp(m->type, "swap") != 0 && strcmp(m->type, "ignore") != 0 &&
	       !inspect_beneath(m->path, "/dev") && !inspect_beneath(m->path, "/proc") &&
	       !inspect_beneath(m->path, "/sys");
}

struct inspect_order {
	struct vtr_mount *m;
	size_t len, at;
};

static int inspect_order_compare(const void *pa, const void *pb)
{
	const struct inspect_order *a = pa, *b = pb;

	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

static ssize_t inspect_device(const struct vtr_inspect *in, const char *name)
{
	for (size_t i = 0; i < in->n_devices; i++)
		if (strcmp(in->devices[i].name, name) == 0)
			return (ssize_t)i;
	return -1;
}

/* Whether it was mounted there before fstab was read. */
static bool inspect_is_there(const struct vtr_os *os, const struct vtr_mount *m, const struct vtr_fs *fs)
{
	for (size_t i = 0; i < os->n_mounted; i++)
		if (os->mounted[i].fs == fs && strcmp(os->mounted[i].path, m->path) == 0)
			return true;
	return false;
}

/* What is said of a mount that is not in the tree. 0, -1. */
static int inspect_mount_lost(struct vtr_os *os, struct vtr_mount *m, struct vtr_error *e, struct vtr_error *err)
{
	if (vtr_inspect_leave(e, err) < 0)
		return -1;
	free((char *)m->why);
	m->why = vtr_strndup(e->text, strlen(e->text), err);
	if (!m->why)
		return -1;
	inspect_mount_warn(os, m, e);
	return 0;
}

/* 0, and m->mounted when it went well. */
static int inspect_mount(struct vtr_os *os, const struct vtr_inspect *in, struct vtr_mount *m, struct vtr_error *err)
{
	struct vtr_error e = { 0 };
	ssize_t i = inspect_device(in, m->device);
	struct vtr_fs *fs = NULL;

	if (i >= 0 && !in->devices[i].has_fs)
		vtr_error_set(&e, VTR_EUNSUPPORTED, "%s: %s is not read", m->device,
			      in->devices[i].content ? in->devices[i].content : "this");
	else if (i >= 0)
		fs = in->fs(in->arg, (size_t)i, &e);
	if (fs && (inspect_is_there(os, m, fs) || vtr_os_mount_add(os, m->path, m->device, fs, &e) == 0)) {
		m->mounted = true;
		return 0;
	}
	return inspect_mount_lost(os, m, &e, err);
}

/* fstab's "bind": a directory of the tree at another place. It is looked for where the filesystems are mounted by now. */
static int inspect_mount_bind(struct vtr_os *os, struct vtr_mount *m, struct vtr_error *err)
{
	const struct vtr_os_mounted *from = NULL;
	struct vtr_error e = { 0 };
	const char *dir;
	char *device;
	int rc;

	for (size_t i = 0; i < os->n_mounted && !from; i++) {
		const char *path = os->mounted[i].path;

		if (strcmp(path, "/") == 0 || inspect_beneath(m->spec, path)) /* the longest path is first */
			from = &os->mounted[i];
	}
	if (!from)
		return 0;
	dir = m->spec + (strcmp(from->path, "/") == 0 ? 0 : strlen(from->path));
	device = vtr_strndup(from->device, strlen(from->device), err);
	if (!device)
		return -1;
	rc = vtr_os_bind_add(os, m->path, device, (struct vtr_fs *)from->fs, *dir ? dir : "/", &e);
	free((char *)m->device);
	m->device = device;
	m->mounted = rc > 0;
	if (rc == 0)
		vtr_error_set(&e, VTR_ENOTFOUND, "there is no directory %s", m->spec);
	return rc > 0 ? 0 : inspect_mount_lost(os, m, &e, err);
}

static bool inspect_bind_is(const struct vtr_mount *m)
{
	struct vtr_span rest = vtr_span_of(m->options), option;

	while (vtr_span_field(&option, &rest, ','))
		if (vtr_span_is(option, "bind") || vtr_span_is(option, "rbind"))
			return m->spec[0] == '/' && m->path[0] == '/' && !inspect_beneath(m->spec, "/dev");
	return false;
}

/* A mount that fstab does not have. NULL sets *err. */
static struct vtr_mount *inspect_mount_new(struct vtr_os *os, const char *path, const char *device, const char *type,
					   struct vtr_error *err)
{
	return vtr_os_mount_new(os, device, path, type, device, err);
}

/* The root's own line: what fstab says, or what we know when it says nothing that can be right. */
static int inspect_mount_root(struct vtr_os *os, struct vtr_fs *fs, struct vtr_error *err)
{
	const struct vtr_fs_info *info = vtr_fs_info(fs);
	const char *type = info && info->type ? info->type : "auto";
	struct vtr_mount *m;

	for (size_t i = 0; i < os->n_mounts; i++) {
		m = &os->mounts[i];
		if (strcmp(m->path, "/") != 0)
			continue;
		if (!m->device) {
			vtr_warn(os->ctx, VTR_OK, "%s: /etc/fstab: %s at / is not among the devices: taken for %s",
				 os->root, m->spec, os->root);
			m->device = vtr_strndup(os->root, strlen(os->root), err);
			if (!m->device)
				return -1;
		}
		if (strcmp(m->device, os->root) == 0) {
			m->mounted = true;
			return 0;
		}
		vtr_warn(os->ctx, VTR_OK, "%s: /etc/fstab: %s at / is %s", os->root, m->spec, m->device);
	}
	m = inspect_mount_new(os, "/", os->root, type, err);
	if (!m)
		return -1;
	m->mounted = true;
	return 0;
}

/* Whether fstab means a disk of this machine. */
static bool inspect_names_device(const struct vtr_mount *m)
{
	static const char *const tags[] = { "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=", "ID=", "/dev/" };

	for (size_t i = 0; i < VTR_COUNT(tags); i++)
		if (strncmp(m->spec, tags[i], strlen(tags[i])) == 0)
			return strcmp(m->type, "swap") != 0 && strcmp(m->path, "/") != 0;
	return false;
}

/* Shortest path first, so that what lies in another filesystem finds it there. */
static int inspect_mount_all(struct vtr_os *os, const struct vtr_inspect *in, struct vtr_error *err)
{
	VTR_FREE struct inspect_order *order = vtr_calloc(os->n_mounts, sizeof(*order), err);
	size_t n = 0;

	if (!order)
		return -1;
	for (size_t i = 0; i < os->n_mounts; i++) {
		struct vtr_mount *m = &os->mounts[i];

		if (strcmp(m->path, "/") != 0 && inspect_mountable_is(m))
			order[n++] = (struct inspect_order){ m, strlen(m->path), i };
	}
	qsort(order, n, sizeof(*order), inspect_order_compare);
	for (size_t i = 0; i < n; i++) {
		if (vtr_ctx_check(os->ctx, err) < 0 || inspect_mount(os, in, order[i].m, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < os->n_mounts; i++) {
		struct vtr_mount *m = &os->mounts[i];

		if (inspect_bind_is(m) && (vtr_ctx_check(os->ctx, err) < 0 || inspect_mount_bind(os, m, err) < 0))
			return -1;
		if (!m->device && !m->why && !m->mounted && inspect_names_device(m)) {
			static const char none[] = "not among the devices";

			m->why = vtr_strndup(none, sizeof(none) - 1, err);
			if (!m->why)
				return -1;
		}
	}
	return 0;
}

/*
 * The Discoverable Partitions Specification (UAPI.2): what systemd mounts without being told, by the partition's type, when
 * fstab says nothing of the place and the directory there is empty. /usr is chosen by vtr_slots_usr(). systemd wants of
 * /var that its GUID is derived from the machine's id, too, which an image that has not started yet cannot have.
 */
static const struct inspect_discoverable {
	const char *path, *type_guid;
} inspect_discoverables[] = {
	{ "/var", "4D21B016-B534-45C2-A9FB-5C16E091FD2D" },  { "/home", "933AC7E1-2EB4-4F13-B844-0E14E2AEF915" },
	{ "/srv", "3B8F8425-20E0-4F3B-907F-1A25A76F98E8" },  { "/var/tmp", "7EC6F557-3BC5-4ACA-B293-16EF5DF639D1" },
	{ "/boot", "BC13C2FF-59E6-4262-A352-B275FD6F7172" }, /* XBOOTLDR */
	{ "/efi", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B" },  { "/boot", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B" },
};

static int inspect_any_emit(void *arg, const struct vtr_dirent *d)
{
	bool *any = arg;

	*any = *any || strcmp(d->name, "lost+found") != 0;
	return *any;
}

/* Whether a directory is empty but for what mke2fs makes: 1, 0: it is not, or it is damaged, which is reported; -1. */
static int inspect_nothing_in(struct vtr_os *os, const struct vtr_place *place, const char *path, struct vtr_error *err)
{
	struct vtr_error e = { 0 };
	bool any = false;

	if (vtr_fs_readdir(place->fs, place->node, inspect_any_emit, &any, &e) == 0 || any)
		return !any;
	return vtr_inspect_excuse(os->ctx, &e, err, "%s: %s", vtr_os_device(os, place->fs, path), path);
}

/* 1: fstab says nothing of the path, and an empty directory waits there; 0, -1. */
static int inspect_mount_point_is(struct vtr_os *os, const char *path, struct vtr_error *err)
{
	struct vtr_place place;
	struct vtr_stat st;
	int there;

	for (size_t i = 0; i < os->n_mounts; i++)
		if (strcmp(os->mounts[i].path, path) == 0)
			return 0;
	there = vtr_os_look(&place, &st, os, path, VTR_WALK_NOFOLLOW, err);
	if (there <= 0)
		return there;
	return st.type == VTR_TYPE_DIR ? inspect_nothing_in(os, &place, path, err) : 0;
}

static bool inspect_is_mounted(const struct vtr_os *os, const char *device)
{
	for (size_t i = 0; i < os->n_mounts; i++)
		if (os->mounts[i].device && strcmp(os->mounts[i].device, device) == 0)
			return true;
	return false;
}

static int inspect_discover(struct vtr_os *os, const struct vtr_inspect *in, size_t root, size_t device,
			    const char *path, struct vtr_error *err)
{
	const struct vtr_device *d = &in->devices[device];
	int wanted = device != root && d->has_fs && !inspect_is_mounted(os, d->name)
			     ? inspect_mount_point_is(os, path, err)
			     : 0;
	struct vtr_mount *m;

	if (wanted <= 0)
		return wanted;
	m = inspect_mount_new(os, path, d->name, d->content ? d->content : "auto", err);
	return m ? inspect_mount(os, in, m, err) : -1;
}

static int inspect_discover_all(struct vtr_os *os, const struct vtr_inspect *in, size_t root, struct vtr_error *err)
{
	size_t usr;
	int there = inspect_mount_point_is(os, "/usr", err);

	if (there > 0)
		there = vtr_slots_usr(&usr, in, root, err);
	if (there < 0 || (there > 0 && inspect_discover(os, in, root, usr, "/usr", err) < 0))
		return -1;
	for (size_t j = 0; j < VTR_COUNT(inspect_discoverables); j++) {
		for (size_t i = 0; i < in->n_devices; i++) {
			const struct vtr_device *d = &in->devices[i];
			const struct vtr_part *p =
				d->of && d->of == in->devices[root].of ? vtr_parts_at(d->of, d->part) : NULL;

			if (p && !(p->attributes & VTR_SLOTS_NO_AUTO) &&
			    strcmp(p->type_guid, inspect_discoverables[j].type_guid) == 0 &&
			    inspect_discover(os, in, root, i, inspect_discoverables[j].path, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* Android names partitions after the directories that they are mounted at, with "_a" or "_b" where there are two. */
static int inspect_android_mount(struct vtr_os *os, const struct vtr_inspect *in, size_t root, struct vtr_error *err)
{
	static const char *const names[] = { "vendor", "product", "system_ext", "odm" };
	const struct vtr_part *at =
		in->devices[root].of ? vtr_parts_at(in->devices[root].of, in->devices[root].part) : NULL;
	size_t len = at ? strlen(at->name) : 0;
	const char *slot = len > 2 && at->name[len - 2] == '_' ? at->name + len - 2 : "";
	int there = at ? vtr_os_look(NULL, NULL, os, "/system/build.prop", 0, err) : 0;

	for (size_t k = 0; k < VTR_COUNT(names) && there > 0; k++) {
		char path[16], name[16];

		snprintf(path, sizeof(path), "/%s", names[k]);
		snprintf(name, sizeof(name), "%s%s", names[k], slot);
		for (size_t i = 0; i < in->n_devices; i++) {
			const struct vtr_device *d = &in->devices[i];
			const struct vtr_part *p = d->of == in->devices[root].of ? vtr_parts_at(d->of, d->part) : NULL;

			if (p && strcmp(p->name, name) == 0 && inspect_discover(os, in, root, i, path, err) < 0)
				return -1;
		}
	}
	return there < 0 ? -1 : 0;
}

/*
 * ChromeOS keeps what changes on the partition STATE, and binds directories of it into the tree (chromeos_startup of
 * platform2). /var of a machine that encrypts it lies in a file there, which is not read.
 */
static int inspect_chrome_mount(struct vtr_os *os, const struct vtr_inspect *in, size_t root, struct vtr_error *err)
{
	static const char stateful[] = "/mnt/stateful_partition";
	static const char *const binds[][2] = { { "/home", "/home" },
						{ "/var", "/var" },
						{ "/dev_image", "/usr/local" } };
	const struct vtr_device *r = &in->devices[root];
	const struct vtr_part *at = r->of ? vtr_parts_at(r->of, r->part) : NULL;

	if (!vtr_slots_chrome_is(at))
		return 0;
	for (size_t i = 0; i < in->n_devices; i++) {
		const struct vtr_device *d = &in->devices[i];
		const struct vtr_part *p = d->of && d->of == r->of ? vtr_parts_at(d->of, d->part) : NULL;
		struct vtr_fs *fs;
		int there = p && strcmp(p->name, "STATE") == 0 ? vtr_inspect_fs(&fs, in, i, err) : 0;

		if (there < 0 || (there > 0 && inspect_discover(os, in, root, i, stateful, err) < 0))
			return -1;
		for (size_t k = 0; there > 0 && k < VTR_COUNT(binds); k++) {
			struct vtr_error e = { 0 };
			int rc = inspect_mount_point_is(os, binds[k][1], err);
			struct vtr_mount *m;

			if (rc > 0)
				rc = vtr_os_bind_add(os, binds[k][1], d->name, fs, binds[k][0], &e);
			if (rc < 0 && e.code == 0)
				return -1;
			if (rc < 0 && vtr_inspect_excuse(os->ctx, &e, err, "%s: %s", d->name, binds[k][0]) < 0)
				return -1;
			if (rc <= 0)
				continue;
			m = vtr_os_mount_new(os, binds[k][0], binds[k][1], d->content ? d->content : "auto", d->name,
					     err);
			if (!m)
				return -1;
			m->mounted = true;
		}
	}
	return 0;
}

/* One mount of what is no root in the root that a system makes of it: see inspect_piece(). */
struct inspect_piece {
	const char *path, *why; /* where it is mounted, and what it is known by there */
	const char *name;	/* of the directory in the skeleton */
};

/* A filesystem of the same disk with this name at its root that can be read: 1, with its index; 0; -1. */
static int inspect_sibling_with(size_t *out, const struct vtr_inspect *in, size_t device, const char *path,
				struct vtr_error *err)
{
	for (size_t i = 0; i < in->n_devices; i++) {
		struct vtr_fs *fs;
		struct vtr_os *os;
		int there;

		if (i == device || in->devices[i].parent != in->devices[device].parent)
			continue;
		there = vtr_inspect_fs(&fs, in, i, err);
		if (there == 0)
			continue;
		os = there > 0 ? vtr_os_new(in->ctx, in->devices[i].name, fs, err) : NULL;
		there = os ? vtr_os_look(NULL, NULL, os, path, VTR_WALK_NOFOLLOW, err) : -1;
		vtr_os_free(os);
		if (there != 0) {
			*out = i;
			return there;
		}
	}
	return 0;
}

static int inspect_facts(struct vtr_os *os, const char *type, const char *why, struct vtr_error *err)
{
	if (vtr_os_add_fact(os, "type", type, strlen(type), why, err) < 0 || vtr_unix_read(os, type, err) < 0 ||
	    vtr_linux_read(os, err) < 0 || vtr_layouts_read(os, err) < 0 ||
	    (os->layout == VTR_LAYOUT_OSTREE && vtr_ostree_read(os, err) < 0))
		return -1;
	return vtr_elf_read(os, err);
}

/*
 * NixOS has its fstab in the store: where /nix is a filesystem of its own, that has to be there first.
 */
static int inspect_nix_mount(struct vtr_os *os, const struct vtr_inspect *in, size_t root, struct vtr_error *err)
{
	struct vtr_error e = { 0 };
	struct vtr_fs *fs;
	size_t store;
	int there = inspect_mount_point_is(os, "/nix", err);

	if (there > 0)
		there = inspect_sibling_with(&store, in, root, "/var/nix/profiles/system", err);
	if (there <= 0)
		return there;
	there = vtr_inspect_fs(&fs, in, store, err);
	if (there <= 0 || vtr_os_mount_add(os, "/nix", in->devices[store].name, fs, &e) == 0)
		return there < 0 ? -1 : 0;
	return vtr_inspect_excuse(os->ctx, &e, err, "%s: %s at /nix", os->root, in->devices[store].name);
}

static int inspect_os_fill(struct vtr_os *os, const struct vtr_inspect *in, size_t root, const char *type,
			   const char *why, struct vtr_error *err)
{
	struct vtr_fs *fs = os->tree->root;

	if (inspect_nix_mount(os, in, root, err) < 0 || vtr_fstab_read(os, in, root, err) < 0 ||
	    inspect_mount_root(os, fs, err) < 0 || inspect_mount_all(os, in, err) < 0 ||
	    inspect_discover_all(os, in, root, err) < 0 || inspect_android_mount(os, in, root, err) < 0 ||
	    inspect_chrome_mount(os, in, root, err) < 0 ||
	    (os->layout == VTR_LAYOUT_OSTREE && vtr_ostree_mount(os, in, root, err) < 0))
		return -1;
	return inspect_facts(os, type, why, err);
}

struct inspect_systems {
	struct vtr_os **v;
	size_t n, cap;
};

static int inspect_system_add(struct inspect_systems *s, struct vtr_os *os, struct vtr_error *err)
{
	if (!VTR_GROW(s->v, s->n, s->cap, err)) {
		vtr_os_free(os);
		return -1;
	}
	s->v[s->n++] = os;
	return 0;
}

/* The Windows systems whose folders lie at the root of a filesystem: how many, -1. */
static int inspect_windows_find(struct inspect_systems *out, const struct vtr_inspect *in, size_t device,
				struct vtr_fs *fs, struct vtr_os *first, struct vtr_error *err)
{
	const char *name = in->devices[device].name;
	char **folders = NULL;
	size_t n = 0;
	int rc = vtr_windows_find(&folders, &n, first, err);

	for (size_t i = 0; rc >= 0 && i < n; i++) {
		struct vtr_os *os = vtr_os_new(in->ctx, name, fs, err);

		rc = os ? vtr_windows_read(os, in, device, folders[i], err) : -1;
		if (rc < 0)
			vtr_os_free(os);
		else
			rc = inspect_system_add(out, os, err);
	}
	for (size_t i = 0; i < n; i++)
		free(folders[i]);
	free(folders);
	return rc < 0 ? -1 : (int)n;
}

/* A damaged tree of one system is warned of; the others go on. 0, or -1. */
static int inspect_excuse(const struct vtr_inspect *in, const char *device, struct vtr_error *e, struct vtr_error *err)
{
	return vtr_inspect_excuse(in->ctx, e, err, "%s", device);
}

/* The system of one deployment, if its directory has one. role NULL: it is the only one. */
static int inspect_deployment(struct inspect_systems *out, const struct vtr_inspect *in, size_t device,
			      struct vtr_fs *fs, const struct vtr_ostree_deployment *d, const char *role,
			      struct vtr_error *err)
{
	static const char menu[] = "/boot/loader/entries";
	const char *name = in->devices[device].name, *type = "linux", *why = NULL;
	struct vtr_os *os = vtr_os_new_in(in->ctx, name, fs, d->dir, err);
	int rc = os ? inspect_root_is(&type, &why, os, err) : -1;

	if (os)
		os->layout = VTR_LAYOUT_OSTREE;
	if (rc == 0) {
		vtr_warn(in->ctx, VTR_OK, "%s: %s: a deployment without a system in it", name, d->dir);
		vtr_os_free(os);
		return 0;
	}
	if (rc > 0)
		rc = inspect_os_fill(os, in, device, type, why, err);
	if (rc == 0 && role)
		rc = vtr_os_add_fact(os, "role", role, strlen(role), menu, err);
	if (rc < 0) {
		vtr_os_free(os);
		return -1;
	}
	os->alternative = role && strcmp(role, "default") != 0;
	return inspect_system_add(out, os, err);
}

/* The systems that OSTree deployed on a filesystem, in the order of the boot loader's menu. */
static int inspect_deployments(struct inspect_systems *out, const struct vtr_inspect *in, size_t device,
			       struct vtr_fs *fs, struct vtr_os *physical, struct vtr_error *err)
{
	struct vtr_ostree_deployment *d = NULL;
	struct vtr_error e = { 0 };
	size_t n = 0;
	int rc = vtr_ostree_find(&d, &n, physical, in, device, &e);

	if (rc < 0)
		return inspect_excuse(in, in->devices[device].name, &e, err);
	for (size_t i = 0; i < n && rc == 0; i++) {
		const char *role = i == 0 ? "default" : "alternative";

		if (n == 1 || d[0].order == UINT64_MAX) /* nothing says which one starts */
			role = NULL;
		if (inspect_deployment(out, in, device, fs, &d[i], role, &e) < 0)
			rc = inspect_excuse(in, in->devices[device].name, &e, err);
		e = (struct vtr_error){ 0 };
	}
	vtr_ostree_done(d, n);
	return rc;
}

/* Nothing, but for what mke2fs makes. 1, 0, -1. */
static int inspect_is_empty(struct vtr_os *os, struct vtr_error *err)
{
	struct vtr_place place;
	int there = vtr_os_look(&place, NULL, os, "/", 0, err);

	if (there <= 0)
		return there;
	return inspect_nothing_in(os, &place, "/", err);
}

/* Another partition of the same disk by a test of its type, with a filesystem that can be read: 1, 0, -1. */
static int inspect_has_sibling(const struct vtr_inspect *in, size_t device, bool (*is)(const struct vtr_part *p),
			       struct vtr_error *err)
{
	for (size_t i = 0; i < in->n_devices; i++) {
		const struct vtr_device *d = &in->devices[i];

		struct vtr_fs *fs;
		int there = i != device && d->of && d->of == in->devices[device].of && is(vtr_parts_at(d->of, d->part))
				    ? vtr_inspect_fs(&fs, in, i, err)
				    : 0;

		if (there != 0)
			return there;
	}
	return 0;
}

/*
 * What a filesystem is that has no root, and that a system makes one for when it starts: 1, with the piece, and the device
 * that is to be mounted; 0; -1. A root partition stays empty until the first start; without any, /usr is all there is.
 */
static int inspect_piece_is(struct inspect_piece *out, size_t *mount, struct vtr_os *os, const struct vtr_inspect *in,
			    size_t device, struct vtr_error *err)
{
	static const struct inspect_piece usr = { "/usr", "/usr/lib/os-release", "usr" };
	static const struct {
		const char *sign, *also;
		struct inspect_piece piece;
	} kinds[] = {
		{ "/var/nix/profiles/system", "/store", { "/nix", "/nix/var/nix/profiles/system", "nix" } },
		{ "/build.prop", "/framework", { "/system", "/system/build.prop", "system" } },
		/* What Ubuntu Core is installed from, on a disk where that has not happened yet. */
		{ "/systems", "/snaps", { "/ubuntu-seed", "/ubuntu-seed/systems", "ubuntu-seed" } },
	};
	const struct vtr_device *d = &in->devices[device];
	const struct vtr_part *p = d->of ? vtr_parts_at(d->of, d->part) : NULL;
	int there = 0;

	*mount = device;
	if (vtr_slots_root_is(p)) {
		there = inspect_is_empty(os, err);
		if (there > 0)
			there = vtr_slots_usr(mount, in, device, err);
		*out = usr;
	} else if (vtr_slots_usr_is(p)) {
		size_t best;

		there = inspect_has_sibling(in, device, vtr_slots_root_is, err);
		there = there < 0 ? -1 : there > 0 ? 0 : vtr_slots_usr(&best, in, device, err);
		if (there > 0)
			there = best == device;
		*out = usr;
	}
	for (size_t i = 0; i < VTR_COUNT(kinds) && there == 0; i++) {
		there = vtr_os_look(NULL, NULL, os, kinds[i].sign, VTR_WALK_NOFOLLOW, err);
		if (there > 0)
			there = vtr_os_look(NULL, NULL, os, kinds[i].also, VTR_WALK_NOFOLLOW, err);
		*out = kinds[i].piece;
	}
	return there;
}

/* The system of a piece: its root is made up, and the piece is mounted in it. 1: there is one, 0, -1. */
static int inspect_piece(struct inspect_systems *out, const struct vtr_inspect *in, size_t device, struct vtr_fs *fs,
			 struct vtr_os *alone, struct vtr_error *err)
{
	VTR_FS_UNREF struct vtr_fs *skeleton = NULL;
	struct inspect_piece piece;
	struct vtr_os *os;
	struct vtr_mount *m;
	size_t mount, root;
	bool seed;
	int rc = inspect_piece_is(&piece, &mount, alone, in, device, err);

	seed = rc > 0 && strcmp(piece.name, "ubuntu-seed") == 0;
	if (rc > 0 && mount == device) { /* unless a root is there for it */
		rc = inspect_sibling_with(&root, in, device, seed ? "/system-data" : piece.path, err);
		rc = rc < 0 ? -1 : !rc;
	}
	if (rc <= 0)
		return rc;
	if (vtr_fs_skeleton(&skeleton, fs->blk, piece.name, err) < 0)
		return -1;
	os = vtr_os_new(in->ctx, in->devices[device].name, skeleton, err);
	if (os && seed)
		os->layout = VTR_LAYOUT_SNAP;
	m = os ? vtr_os_mount_new(os, "tmpfs", "/", "tmpfs", NULL, err) : NULL;
	if (m)
		m->mounted = true;
	m = m ? inspect_mount_new(os, piece.path, in->devices[mount].name,
				  in->devices[mount].content ? in->devices[mount].content : "auto", err)
	      : NULL;
	if (!m || inspect_mount(os, in, m, err) < 0 || inspect_discover_all(os, in, device, err) < 0 ||
	    (seed && vtr_ubuntu_seed_read(os, piece.why, err) < 0) || inspect_facts(os, "linux", piece.why, err) < 0) {
		vtr_os_free(os);
		return -1;
	}
	return inspect_system_add(out, os, err) < 0 ? -1 : 1;
}

/* Ubuntu Core's partition of what is written: /etc, /var and so on of the running system are below /system-data. */
static int inspect_ubuntu_core(struct inspect_systems *out, const struct vtr_inspect *in, size_t device,
			       struct vtr_fs *fs, struct vtr_os *alone, struct vtr_error *err)
{
	static const char dir[] = "/system-data", snapd[] = "/var/lib/snapd";
	const struct vtr_device *d = &in->devices[device];
	int there = vtr_os_look(NULL, NULL, alone, "/system-data/var/lib/snapd", VTR_WALK_NOFOLLOW, err);
	struct vtr_error e = { 0 };
	struct vtr_mount *m;
	struct vtr_os *os;
	int home;

	if (there <= 0)
		return there;
	os = vtr_os_new_in(in->ctx, d->name, fs, dir, err);
	if (!os)
		return -1;
	os->layout = VTR_LAYOUT_SNAP;
	m = inspect_mount_new(os, "/", d->name, d->content ? d->content : "auto", err);
	if (m)
		m->mounted = true;
	home = m ? vtr_os_bind_add(os, "/home", d->name, fs, "/user-data", &e) : 0;
	if (home < 0 && inspect_excuse(in, d->name, &e, err) < 0)
		m = NULL;
	if (home > 0) {
		m = vtr_os_mount_new(os, "/user-data", "/home", d->content ? d->content : "auto", d->name, err);
		if (m)
			m->mounted = true;
	}
	for (size_t i = 0; i < in->n_devices && m; i++)
		if (in->devices[i].parent == d->parent && in->devices[i].label &&
		    vtr_ascii_casecmp(in->devices[i].label, "ubuntu-seed") == 0 && in->devices[i].has_fs) {
			m = inspect_mount_new(os, "/var/lib/snapd/seed", in->devices[i].name,
					      in->devices[i].content ? in->devices[i].content : "auto", err);
			if (m && inspect_mount(os, in, m, err) < 0)
				m = NULL;
		}
	if (!m || vtr_ubuntu_core_read(os, err) < 0 || inspect_facts(os, "linux", snapd, err) < 0) {
		vtr_os_free(os);
		return -1;
	}
	return inspect_system_add(out, os, err) < 0 ? -1 : 1;
}

struct inspect_android {
	struct inspect_systems *out;
	const struct vtr_inspect *in;
	size_t device;
	struct vtr_fs *fs;
	int n;
};

/* Android-x86 installs into a directory of its own: /android-9.0-r2, with system in it. */
static int inspect_android_entry(void *arg, struct vtr_os *alone, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct inspect_android *a = arg;
	VTR_FREE char *sign = NULL;
	struct vtr_str s = { 0 };
	struct vtr_os *os;
	int there;

	if (e->type != VTR_TYPE_DIR || strncmp(e->name, "android-", 8) != 0)
		return 0;
	vtr_str_puts(&s, e->path);
	vtr_str_puts(&s, "/system/build.prop");
	sign = vtr_str_take(&s, err);
	there = sign ? vtr_os_look(NULL, NULL, alone, sign, 0, err) : -1;
	if (there <= 0)
		return there;
	os = vtr_os_new_in(a->in->ctx, a->in->devices[a->device].name, a->fs, e->path, err);
	if (!os)
		return -1;
	if (inspect_os_fill(os, a->in, a->device, "linux", "/system/build.prop", err) < 0) {
		vtr_os_free(os);
		return -1;
	}
	a->n++;
	return inspect_system_add(a->out, os, err);
}

/* bootc keeps a system in images of EROFS that name objects beside them (composefs), and its state in a directory. */
static int inspect_composefs_warn(const char *device, struct vtr_os *alone, struct vtr_error *err)
{
	static const char *const signs[] = { "/composefs/images", "/composefs/objects", "/state/deploy" };
	int there = 1;

	for (size_t i = 0; i < VTR_COUNT(signs) && there > 0; i++)
		there = vtr_os_look(NULL, NULL, alone, signs[i], VTR_WALK_NOFOLLOW, err);
	if (there > 0)
		vtr_warn(alone->ctx, VTR_EUNSUPPORTED,
			 "%s: a system of bootc in /composefs/images: EROFS is not read; its state is in /state/deploy",
			 device);
	return there < 0 ? -1 : 0;
}

/* The systems whose root is a directory, or that have none: how many; -1. */
static int inspect_elsewhere(struct inspect_systems *out, const struct vtr_inspect *in, size_t device,
			     struct vtr_fs *fs, struct vtr_os *alone, struct vtr_error *err)
{
	struct inspect_android a = { out, in, device, fs, 0 };
	int n = inspect_ubuntu_core(out, in, device, fs, alone, err);

	if (n == 0)
		n = inspect_piece(out, in, device, fs, alone, err);
	if (n == 0)
		n = vtr_os_list(alone, "/", inspect_android_entry, &a, err) < 0 ? -1 : a.n;
	if (n == 0 && inspect_composefs_warn(in->devices[device].name, alone, err) < 0)
		n = -1;
	return n;
}

/* The systems whose root the device holds. */
static int inspect_os_find(struct inspect_systems *out, const struct vtr_inspect *in, size_t device,
			   struct vtr_error *err)
{
	const char *name = in->devices[device].name;
	const char *type = "linux", *why = NULL;
	struct vtr_error e = { 0 };
	struct vtr_fs *fs = in->fs(in->arg, device, &e);
	struct vtr_os *os;
	int found;

	if (!fs) {
		if (e.code == VTR_EUNSUPPORTED) /* a filesystem that is not read: a listing of devices tells */
			return 0;
		return vtr_inspect_excuse(in->ctx, &e, err, NULL);
	}
	os = vtr_os_new(in->ctx, name, fs, err);
	if (!os)
		return -1;
	found = inspect_deployments(out, in, device, fs, os, err);
	if (found == 0)
		found = inspect_root_is(&type, &why, os, err);
	if (found > 0 && inspect_os_fill(os, in, device, type, why, err) == 0)
		return inspect_system_add(out, os, err);
	if (found == 0)
		found = inspect_elsewhere(out, in, device, fs, os, err);
	else
		found = -1;
	if (found == 0)
		found = inspect_windows_find(out, in, device, fs, os, err);
	vtr_os_free(os);
	return found < 0 ? -1 : 0;
}

/* Several systems on one device are told apart by their directories. */
static int inspect_name(struct vtr_os *os, const struct inspect_systems *s, struct vtr_error *err)
{
	const char *dir = os->dir, *escaped;
	struct vtr_str name = { 0 };

	for (size_t i = 0; i < s->n && !dir; i++)
		if (s->v[i] != os && !s->v[i]->dir && strcmp(s->v[i]->root, os->root) == 0)
			dir = vtr_windows_folder(os);
	if (!dir)
		return 0;
	escaped = vtr_os_escape(os, dir, strlen(dir), err);
	if (!escaped)
		return -1;
	vtr_str_puts(&name, os->root);
	vtr_str_puts(&name, ":");
	vtr_str_puts(&name, escaped);
	os->name = vtr_str_take(&name, err);
	return os->name ? 0 : -1;
}

int vtr_inspect_run(struct vtr_os ***out, size_t *n, const struct vtr_inspect *in, struct vtr_error *err)
{
	struct inspect_systems systems = { 0 };
	int rc = 0;

	for (size_t i = 0; i < in->n_devices && rc == 0; i++)
		if (in->devices[i].has_fs && (in->only == 0 || in->only == i + 1))
			rc = vtr_ctx_check(in->ctx, err) < 0 ? -1 : inspect_os_find(&systems, in, i, err);
	if (rc == 0)
		rc = vtr_slots_roles(systems.v, systems.n, in, err);
	for (size_t i = 0; i < systems.n && rc == 0; i++)
		rc = inspect_name(systems.v[i], &systems, err);
	if (rc < 0) {
		for (size_t k = 0; k < systems.n; k++)
			vtr_os_free(systems.v[k]);
		free(systems.v);
		return -1;
	}
	*out = systems.v;
	*n = systems.n;
	return 0;
}
