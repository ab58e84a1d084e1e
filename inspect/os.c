/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One operating system: its facts, mounts and packages, and the look at its files that all families of facts share. */
#include "inspect/inspect.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/held.h"
#include "fs/fs.h"
#include "inspect/packages.h"

#define OS_ESCAPED_BLOCK 16384u

/* Memory for strings that stay where they are. */
struct vtr_os_escaped {
	struct vtr_os_escaped *next;
	size_t len, cap; /* bytes of text */
	_Alignas(16) char text[];
};

struct vtr_os *vtr_os_new(struct vtr_ctx *ctx, const char *device, struct vtr_fs *fs, struct vtr_error *err)
{
	struct vtr_os *os = vtr_calloc(1, sizeof(*os), err);

	if (!os)
		return NULL;
	os->ctx = vtr_ctx_ref(ctx);
	os->root = vtr_strndup(device, strlen(device), err);
	if (!os->root)
		goto fail;
	if (fs) {
		os->tree = vtr_tree_new(fs, err);
		if (!os->tree || vtr_os_mount_add(os, "/", device, fs, err) < 0)
			goto fail;
	}
	return os;
fail:
	vtr_os_free(os);
	return NULL;
}

/* A directory of a filesystem as a filesystem. 1; 0: there is no such directory; -1: *err. */
static int os_view(struct vtr_fs **out, struct vtr_fs *fs, const char *dir, struct vtr_error *err)
{
	struct vtr_tree *t = vtr_tree_new(fs, err);
	struct vtr_error e = { 0 };
	struct vtr_place place;
	int rc = t ? vtr_tree_walk(&place, t, dir, 0, &e) : -1;

	vtr_tree_free(t);
	if (rc == 0)
		rc = vtr_fs_view(out, place.fs, place.node, &e);
	if (rc < 0 && vtr_error_is(&e, VTR_KINDS_ABSENT))
		return 0;
	if (rc < 0 && e.code && err)
		*err = e;
	return rc < 0 ? -1 : 1;
}

struct vtr_os *vtr_os_new_in(struct vtr_ctx *ctx, const char *device, struct vtr_fs *fs, const char *dir,
			     struct vtr_error *err)
{
	VTR_FS_UNREF struct vtr_fs *view = NULL;
	struct vtr_os *os = NULL;
	int rc = os_view(&view, fs, dir, err);

	if (rc == 0)
		vtr_error_set(err, VTR_ENOTFOUND, "%s: no directory %s", device, dir);
	if (rc > 0)
		os = vtr_os_new(ctx, device, view, err);
	if (!os)
		return NULL;
	os->dir = vtr_strndup(dir, strlen(dir), err);
	if (os->dir)
		return os;
	vtr_os_free(os);
	return NULL;
}

int vtr_os_bind_add(struct vtr_os *os, const char *path, const char *device, struct vtr_fs *fs, const char *dir,
		    struct vtr_error *err)
{
	VTR_FS_UNREF struct vtr_fs *view = NULL;
	int rc = os_view(&view, fs, dir, err);

	if (rc <= 0)
		return rc;
	return vtr_os_mount_add(os, path, device, view, err) < 0 ? -1 : 1;
}

static void os_fact_done(struct vtr_fact *f)
{
	free((char *)f->key);
	free((char *)f->value);
	free((char *)f->device);
	free((char *)f->path);
	free((char *)f->reg_key);
	free((char *)f->reg_value);
}

void vtr_os_free(struct vtr_os *os)
{
	if (!os)
		return;
	for (size_t i = 0; i < os->n_facts; i++)
		os_fact_done(&os->facts[i]);
	for (size_t i = 0; i < os->n_mounts; i++) {
		free((char *)os->mounts[i].spec);
		free((char *)os->mounts[i].path);
		free((char *)os->mounts[i].type);
		free((char *)os->mounts[i].options);
		free((char *)os->mounts[i].device);
		free((char *)os->mounts[i].why);
	}
	for (size_t i = 0; i < os->n_mounted; i++) {
		free(os->mounted[i].path);
		free(os->mounted[i].device);
	}
	vtr_records_free(os);
	vtr_windows_free(os);
	while (os->escaped) {
		struct vtr_os_escaped *next = os->escaped->next;

		vtr_uncharge(os->ctx, os->escaped->cap);
		free(os->escaped);
		os->escaped = next;
	}
	free(os->facts);
	free(os->mounts);
	free(os->mounted);
	vtr_let_go(os->packages);
	vtr_let_go(os->package_text);
	vtr_tree_free(os->tree);
	free(os->root);
	free(os->dir);
	free(os->name);
	vtr_ctx_unref(os->ctx);
	free(os);
}

static int os_mounted_add(struct vtr_os *os, const char *path, const char *device, struct vtr_fs *fs,
			  struct vtr_error *err)
{
	struct vtr_os_mounted m = { .fs = fs };
	size_t at;

	if (!VTR_GROW(os->mounted, os->n_mounted, os->cap_mounted, err))
		return -1;
	m.path = vtr_strndup(path, strlen(path), err);
	m.device = m.path ? vtr_strndup(device, strlen(device), err) : NULL;
	if (!m.device) {
		free(m.path);
		return -1;
	}
	for (at = 0; at < os->n_mounted && strlen(os->mounted[at].path) >= strlen(path); at++)
		;
	memmove(os->mounted + at + 1, os->mounted + at, (os->n_mounted - at) * sizeof(m));
	os->mounted[at] = m;
	os->n_mounted++;
	return 0;
}

int vtr_os_mount_add(struct vtr_os *os, const char *path, const char *device, struct vtr_fs *fs, struct vtr_error *err)
{
	for (size_t i = 0; i < os->n_mounted; i++)
		if (os->mounted[i].fs == fs)
			return vtr_fail(err, VTR_EUSAGE, "%s is mounted at %s already", device, os->mounted[i].path);
	if (os->n_mounted > 0 && vtr_tree_mount(os->tree, path, fs, err) < 0)
		return -1;
	return os_mounted_add(os, path, device, fs, err);
}

struct vtr_mount *vtr_os_mount_new(struct vtr_os *os, const char *spec, const char *path, const char *type,
				   const char *device, struct vtr_error *err)
{
	struct vtr_mount *m;

	if (!VTR_GROW(os->mounts, os->n_mounts, os->cap_mounts, err))
		return NULL;
	m = &os->mounts[os->n_mounts++]; /* freed with os, however much of it is there */
	*m = (struct vtr_mount){ .spec = vtr_strndup(spec, strlen(spec), err) };
	m->path = vtr_strndup(path, strlen(path), err);
	m->type = vtr_strndup(type, strlen(type), err);
	m->options = vtr_strndup("", 0, err);
	m->device = device ? vtr_strndup(device, strlen(device), err) : NULL;
	return m->spec && m->path && m->type && m->options && !m->device == !device ? m : NULL;
}

int vtr_os_beside_add(struct vtr_os *os, const char *path, const char *device, struct vtr_fs *fs, struct vtr_error *err)
{
	for (size_t i = 0; i < os->n_mounted; i++)
		if (os->mounted[i].fs == fs)
			return 0;
	return os_mounted_add(os, path, device, fs, err);
}

const char *vtr_os_device(const struct vtr_os *os, const struct vtr_fs *fs, const char *path)
{
	for (size_t i = 0; fs && i < os->n_mounted; i++)
		if (os->mounted[i].fs == fs)
			return os->mounted[i].device;
	for (size_t i = 0; i < os->n_mounted; i++) {
		const char *dir = os->mounted[i].path;
		size_t len = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

		if (strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == 0))
			return os->mounted[i].device;
	}
	return os->root;
}

/* As vtr_escape(), but what comes from Windows keeps its backslashes: there are too many of them to be told twice. */
static size_t os_escape(const struct vtr_os *os, char *buf, size_t size, const char *bytes, size_t len)
{
	size_t at = 0;

	if (!os->windows)
		return vtr_escape(buf, size, bytes, len);
	if (size > 0)
		buf[0] = 0;
	while (len > 0) {
		const char *stop = memchr(bytes, '\\', len);
		size_t n = stop ? (size_t)(stop - bytes) : len;

		if (n == 0) {
			if (at + 1 < size)
				memcpy(buf + at, "\\", 2);
			at++;
			n = 1;
		} else {
			at += vtr_escape(at < size ? buf + at : NULL, at < size ? size - at : 0, bytes, n);
		}
		bytes += n;
		len -= n;
	}
	return at;
}

int vtr_os_add_fact_on(struct vtr_os *os, const char *key, const char *value, size_t len, const char *path,
		       const struct vtr_fs *fs, struct vtr_error *err)
{
	return vtr_os_add_fact_in(os, key, value, len, path, fs, NULL, NULL, err);
}

int vtr_os_add_fact_in(struct vtr_os *os, const char *key, const char *value, size_t len, const char *path,
		       const struct vtr_fs *fs, const char *reg_key, const char *reg_value, struct vtr_error *err)
{
	const char *device = vtr_os_device(os, fs, path);
	struct vtr_fact *f;
	VTR_FREE char *text = NULL;
	size_t size;

	if (len == 0 || vtr_os_fact(os, key))
		return 0;
	if (len > os->ctx->lim.line) {
		vtr_warn(os->ctx, VTR_ELIMIT, "%s: %s: %s of %zu bytes, limit line=%" PRIu64, device, path, key, len,
			 os->ctx->lim.line);
		return 0;
	}
	size = os_escape(os, NULL, 0, value, len) + 1;
	text = vtr_calloc(size, 1, err);
	if (!text || !VTR_GROW(os->facts, os->n_facts, os->cap_facts, err))
		return -1;
	os_escape(os, text, size, value, len);
	f = &os->facts[os->n_facts];
	*f = (struct vtr_fact){ .key = vtr_strndup(key, strlen(key), err), .value = vtr_steal(text) };
	f->device = vtr_strndup(device, strlen(device), err);
	f->path = vtr_strndup(path, strlen(path), err);
	f->reg_key = reg_key ? vtr_strndup(reg_key, strlen(reg_key), err) : NULL;
	f->reg_value = reg_value ? vtr_strndup(reg_value, strlen(reg_value), err) : NULL;
	if (f->key && f->device && f->path && !f->reg_key == !reg_key && !f->reg_value == !reg_value) {
		os->n_facts++;
		return 0;
	}
	os_fact_done(f); /* others may still be asked for */
	return -1;
}

int vtr_os_add_fact(struct vtr_os *os, const char *key, const char *value, size_t len, const char *path,
		    struct vtr_error *err)
{
	struct vtr_place place = { 0 };
	struct vtr_error e = { 0 };

	/* Whoever read the file told what is wrong with its path. */
	if (os->tree && vtr_tree_walk(&place, os->tree, path, 0, &e) < 0 && vtr_inspect_leave(&e, err) < 0)
		return -1;
	return vtr_os_add_fact_on(os, key, value, len, path, place.fs, err);
}

void *vtr_os_keep(struct vtr_os *os, size_t size, size_t align, struct vtr_error *err)
{
	struct vtr_os_escaped *e = os->escaped;
	size_t at = e ? (e->len + align - 1) & ~(align - 1) : 0;

	if (!e || at > e->cap || size > e->cap - at) {
		size_t cap = VTR_MAX(size, (size_t)OS_ESCAPED_BLOCK);

		if (vtr_charge(os->ctx, cap, "names and values", err) < 0)
			return NULL;
		e = vtr_calloc(1, sizeof(*e) + cap, err);
		if (!e) {
			vtr_uncharge(os->ctx, cap);
			return NULL;
		}
		e->cap = cap;
		e->next = os->escaped;
		os->escaped = e;
		at = 0;
	}
	e->len = at + size;
	return e->text + at;
}

const char *vtr_os_escape(struct vtr_os *os, const char *bytes, size_t len, struct vtr_error *err)
{
	size_t size = os_escape(os, NULL, 0, bytes, len) + 1;
	char *text = vtr_os_keep(os, size, 1, err);

	if (text)
		os_escape(os, text, size, bytes, len);
	return text;
}

enum vtr_verdict vtr_inspect_verdict(const struct vtr_error *e)
{
	if (vtr_error_is(e, VTR_KIND_STOPPED))
		return VTR_VERDICT_END;
	return vtr_error_is(e, VTR_KINDS_ABSENT) ? VTR_VERDICT_ABSENT : VTR_VERDICT_DAMAGE;
}

int vtr_inspect_leave(const struct vtr_error *e, struct vtr_error *err)
{
	if (vtr_inspect_verdict(e) != VTR_VERDICT_END)
		return 0;
	if (err)
		*err = *e;
	return -1;
}

int vtr_inspect_excuse(struct vtr_ctx *ctx, struct vtr_error *e, struct vtr_error *err, const char *place, ...)
{
	struct vtr_error in_front = { 0 };
	va_list ap;

	if (vtr_inspect_leave(e, err) < 0)
		return -1;
	if (vtr_inspect_verdict(e) == VTR_VERDICT_ABSENT)
		return 0;
	if (place) {
		va_start(ap, place);
		vtr_error_vset(&in_front, VTR_OK, place, ap);
		va_end(ap);
		vtr_error_at(e, "%s", in_front.text);
	}
	vtr_warn_err(ctx, e);
	return 0;
}

int vtr_inspect_fs(struct vtr_fs **out, const struct vtr_inspect *in, size_t device, struct vtr_error *err)
{
	struct vtr_error e = { 0 };
	struct vtr_fs *fs = in->devices[device].has_fs ? in->fs(in->arg, device, &e) : NULL;

	if (!fs)
		return vtr_inspect_leave(&e, err);
	*out = fs;
	return 1;
}

void vtr_os_warn(struct vtr_os *os, const char *path, int code, const char *fmt, ...)
{
	struct vtr_error e = { 0 };
	va_list ap;

	va_start(ap, fmt);
	vtr_error_vset(&e, code, fmt, ap);
	va_end(ap);
	vtr_error_at(&e, "%s: %s", vtr_os_device(os, NULL, path), path);
	vtr_warn_err(os->ctx, &e);
}

int vtr_os_look(struct vtr_place *place, struct vtr_stat *st, struct vtr_os *os, const char *path, unsigned flags,
		struct vtr_error *err)
{
	struct vtr_error e = { 0 };
	struct vtr_place found;
	struct vtr_stat found_st;

	if (vtr_tree_walk(&found, os->tree, path, flags, &e) < 0)
		return vtr_inspect_excuse(os->ctx, &e, err, "%s", os->root);
	if (st && vtr_fs_stat(&found_st, found.fs, found.node, &e) < 0) {
		vtr_error_at(&e, "%s", path);
		return vtr_inspect_excuse(os->ctx, &e, err, "%s", os->root);
	}
	if (place)
		*place = found;
	if (st)
		*st = found_st;
	return 1;
}

int vtr_os_slurp(char **out, size_t *len, struct vtr_os *os, const char *path, uint64_t max, struct vtr_error *err)
{
	struct vtr_error e = { 0 };

	if (vtr_tree_slurp(out, len, os->tree, path, max, &e) < 0)
		return vtr_inspect_excuse(os->ctx, &e, err, "%s", os->root);
	return 1;
}

int vtr_os_readlink(char **out, const struct vtr_fs **fs, struct vtr_os *os, const char *path, struct vtr_error *err)
{
	struct vtr_error e = { 0 };
	struct vtr_place place;
	struct vtr_stat st;
	int there = vtr_os_look(&place, &st, os, path, VTR_WALK_NOFOLLOW, err);

	if (there <= 0)
		return there;
	if (st.type != VTR_TYPE_SYMLINK)
		return 0;
	if (vtr_fs_readlink(out, place.fs, place.node, &e) < 0) {
		vtr_error_at(&e, "%s", path);
		return vtr_inspect_excuse(os->ctx, &e, err, "%s", os->root);
	}
	if (fs)
		*fs = place.fs;
	return 1;
}

const char *vtr_os_root(const struct vtr_os *os)
{
	return os->root;
}

const char *vtr_os_root_dir(const struct vtr_os *os)
{
	return os->dir ? os->dir : "/";
}

const char *vtr_os_name(const struct vtr_os *os)
{
	return os->name ? os->name : os->root;
}

const struct vtr_fact *vtr_os_fact(const struct vtr_os *os, const char *key)
{
	for (size_t i = 0; i < os->n_facts; i++)
		if (strcmp(os->facts[i].key, key) == 0)
			return &os->facts[i];
	return NULL;
}

const struct vtr_fact *vtr_os_fact_at(const struct vtr_os *os, size_t i)
{
	return i < os->n_facts ? &os->facts[i] : NULL;
}

size_t vtr_os_mounts(const struct vtr_os *os)
{
	return os->n_mounts;
}

const struct vtr_mount *vtr_os_mount(const struct vtr_os *os, size_t i)
{
	return i < os->n_mounts ? &os->mounts[i] : NULL;
}

struct vtr_tree *vtr_os_tree(struct vtr_os *os)
{
	return os->tree;
}

ssize_t vtr_os_read_packages(struct vtr_os *os, struct vtr_error *err)
{
	if (os->packages_read)
		return (ssize_t)os->n_packages;
	if (vtr_packages_read(os, err) < 0)
		return vtr_at(err, "%s", os->root);
	os->packages_read = true;
	return (ssize_t)os->n_packages;
}

const struct vtr_package *vtr_os_package(const struct vtr_os *os, size_t i)
{
	return i < os->n_packages ? &os->packages[i] : NULL;
}
