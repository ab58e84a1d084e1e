/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is installed beside the packages: images of containers in the stores of Docker and of podman (containers/storage),
 * snaps, flatpaks. containerd's store is a database that is not read.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "inspect/records.h"
#include "inspect/yaml.h"

#define BUNDLES_HOMES 256u /* homes that are looked into for stores of their own */

/* ------------------------------------------------------------------------------------------------------ containers */

struct bundles_image {
	struct vtr_os *os;
	const char *path;
	struct vtr_span id, digest, created;
	struct vtr_str names;
};

static int bundles_image_flush(struct bundles_image *i, struct vtr_error *err)
{
	struct vtr_draft d;
	int rc = 0;

	if (i->id.len > 0) {
		vtr_draft_begin(&d, i->os, "container_images", i->path, err);
		vtr_draft_text(&d, "store", "containers-storage");
		vtr_draft_list(&d, "names", &i->names);
		vtr_draft_span(&d, "id", i->id);
		vtr_draft_span(&d, "digest", i->digest);
		vtr_draft_span(&d, "created", i->created);
		rc = vtr_draft_end(&d);
	}
	i->names.len = i->id.len = i->digest.len = i->created.len = 0;
	return rc;
}

/* An array of objects, whose first member is "id". */
static int bundles_image_scalar(void *arg, const struct vtr_span *keys, size_t n, struct vtr_span value, uint64_t item,
				struct vtr_error *err)
{
	struct bundles_image *i = arg;

	(void)item;
	if (n != 1)
		return 0;
	if (vtr_span_is(keys[0], "id")) {
		if (bundles_image_flush(i, err) < 0)
			return -1;
		i->id = value;
	} else if (vtr_span_is(keys[0], "digest")) {
		i->digest = value;
	} else if (vtr_span_is(keys[0], "created")) {
		i->created = value;
	} else if (vtr_span_is(keys[0], "names")) {
		vtr_list_put(&i->names, value);
	}
	return 0;
}

int vtr_storage_images_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct bundles_image i = { .os = os, .path = path };
	uint64_t skipped;
	int rc = vtr_yaml_parse(&skipped, text, len, bundles_image_scalar, &i, err);

	if (rc == 0)
		rc = bundles_image_flush(&i, err);
	vtr_str_done(&i.names);
	return rc;
}

/* {"Repositories": {"alpine": {"alpine:3.19": "sha256:…", "alpine@sha256:…": "sha256:…"}}} */
static int bundles_docker_scalar(void *arg, const struct vtr_span *keys, size_t n, struct vtr_span value, uint64_t item,
				 struct vtr_error *err)
{
	const struct bundles_image *i = arg;
	struct vtr_str names = { 0 };
	struct vtr_draft d;
	int rc;

	(void)item;
	if (n != 3 || !vtr_span_is(keys[0], "Repositories") || memchr(keys[2].p, '@', keys[2].len))
		return 0;
	vtr_list_put(&names, keys[2]);
	vtr_draft_begin(&d, i->os, "container_images", i->path, err);
	vtr_draft_text(&d, "store", "docker");
	vtr_draft_list(&d, "names", &names);
	vtr_draft_span(&d, "id", vtr_span_starts(value, "sha256:") ? vtr_span_skip(value, 7) : value);
	rc = vtr_draft_end(&d);
	vtr_str_done(&names);
	return rc;
}

int vtr_docker_repositories_parse(struct vtr_os *os, const char *path, const char *text, size_t len,
				  struct vtr_error *err)
{
	struct bundles_image i = { .os = os, .path = path };
	uint64_t skipped;

	return vtr_yaml_parse(&skipped, text, len, bundles_docker_scalar, &i, err);
}

static int bundles_containers_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const docker[] = { "overlay2", "overlay", "aufs", "btrfs", "devicemapper", "vfs" };
	static const char *const storage[] = { "overlay", "vfs", "btrfs" };
	const struct vtr_record *r;
	char path[128];

	for (size_t i = 0; i < VTR_COUNT(docker); i++) {
		snprintf(path, sizeof(path), "/var/lib/docker/image/%s/repositories.json", docker[i]);
		if (vtr_os_text(os, path, vtr_docker_repositories_parse, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < VTR_COUNT(storage); i++) {
		snprintf(path, sizeof(path), "/var/lib/containers/storage/%s-images/images.json", storage[i]);
		if (vtr_os_text(os, path, vtr_storage_images_parse, err) < 0)
			return -1;
	}
	/* A home's name was escaped; one that is not plain is not looked into. */
	for (size_t i = 0, homes = 0; (r = vtr_os_record(os, "users", i)) && homes < BUNDLES_HOMES; i++) {
		const char *home = vtr_record_member(r, "home"), *uid = vtr_record_member(r, "uid");
		VTR_FREE char *own = NULL;
		struct vtr_str s = { 0 };

		if (!home || *home != '/' || strchr(home, '\\') || !uid || strtoull(uid, NULL, 10) < 1000)
			continue;
		homes++;
		vtr_str_puts(&s, home);
		vtr_str_puts(&s, "/.local/share/containers/storage/overlay-images/images.json");
		own = vtr_str_take(&s, err);
		if (!own || vtr_os_text(os, own, vtr_storage_images_parse, err) < 0)
			return -1;
	}
	return 0;
}

/* ----------------------------------------------------------------------------------------------------------- snaps */

/* /var/lib/snapd/snaps/NAME_REVISION.snap; the one that is run is where /snap/NAME/current leads. */
static int bundles_snap_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	static const char *const dirs[] = { "/snap/", "/var/lib/snapd/snap/" };
	struct vtr_span name = vtr_span_of(e->name), revision;
	const char *under = memrchr(name.p, '_', name.len);
	VTR_FREE char *target = NULL;
	struct vtr_draft d;

	(void)arg;
	if (!vtr_span_ends(name, ".snap") || !under || under == name.p)
		return 0;
	revision = (struct vtr_span){ under + 1, (size_t)(name.p + name.len - strlen(".snap") - under - 1) };
	name.len = (size_t)(under - name.p);
	for (size_t i = 0; i < VTR_COUNT(dirs) && !target; i++) {
		VTR_FREE char *link = NULL;
		struct vtr_str s = { 0 };

		vtr_str_puts(&s, dirs[i]);
		vtr_str_put(&s, name.p, name.len);
		vtr_str_puts(&s, "/current");
		link = vtr_str_take(&s, err);
		if (!link || vtr_os_readlink(&target, NULL, os, link, err) < 0)
			return -1;
	}
	vtr_draft_begin(&d, os, "snaps", e->path, err);
	vtr_draft_span(&d, "name", name);
	vtr_draft_span(&d, "revision", revision);
	vtr_draft_bool(&d, "current", target && vtr_span_is(revision, target));
	return vtr_draft_end(&d);
}

/* -------------------------------------------------------------------------------------------------------- flatpaks */

/* DIR/NAME/ARCH/BRANCH: the levels that were entered so far. */
struct bundles_flatpak {
	const char *type, *name, *arch;
};

static int bundles_flatpak_branch(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	const struct bundles_flatpak *f = arg;
	struct vtr_draft d;

	if (e->type != VTR_TYPE_DIR)
		return 0;
	vtr_draft_begin(&d, os, "flatpaks", e->path, err);
	vtr_draft_text(&d, "name", f->name);
	vtr_draft_text(&d, "type", f->type);
	vtr_draft_text(&d, "arch", f->arch);
	vtr_draft_text(&d, "branch", e->name);
	return vtr_draft_end(&d);
}

static int bundles_flatpak_arch(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct bundles_flatpak *f = arg;

	if (e->type != VTR_TYPE_DIR)
		return 0;
	f->arch = e->name;
	return vtr_os_list(os, e->path, bundles_flatpak_branch, f, err);
}

static int bundles_flatpak_name(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct bundles_flatpak *f = arg;

	if (e->type != VTR_TYPE_DIR)
		return 0;
	f->name = e->name;
	return vtr_os_list(os, e->path, bundles_flatpak_arch, f, err);
}

int vtr_bundles_read(struct vtr_os *os, struct vtr_error *err)
{
	struct bundles_flatpak app = { .type = "app" }, runtime = { .type = "runtime" };

	if (bundles_containers_read(os, err) < 0 ||
	    vtr_os_list(os, "/var/lib/snapd/snaps", bundles_snap_entry, NULL, err) < 0 ||
	    vtr_os_list(os, "/var/lib/flatpak/app", bundles_flatpak_name, &app, err) < 0)
		return -1;
	return vtr_os_list(os, "/var/lib/flatpak/runtime", bundles_flatpak_name, &runtime, err);
}
