/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The registry as programs of Windows see it: which file holds what is below a root's name, and the names that are made
 * when a system starts (CurrentControlSet, the keys of users, HKCR, HKCC). Hives are opened when they are asked for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/fold.h"
#include "fs/list.h"
#include "registry/registry.h"

/* Where setup puts the system, from NT 3.1 on. */
static const char *const roots_windows[] = { "Windows", "WINNT", "WINNT35", "WTSRV" };

/* Hives by the path of their root; the file is below the folder of the system, or (with '/') below the tree's root. */
static const struct roots_file {
	const char *root;
	const char *files[3];
} roots_files[] = {
	{ "HKLM\\SYSTEM", { "System32/config/SYSTEM" } },
	{ "HKLM\\SOFTWARE", { "System32/config/SOFTWARE" } },
	{ "HKLM\\SAM", { "System32/config/SAM" } },
	{ "HKLM\\SECURITY", { "System32/config/SECURITY" } },
	{ "HKLM\\COMPONENTS", { "System32/config/COMPONENTS" } },
	{ "HKLM\\DRIVERS", { "System32/config/DRIVERS" } },
	{ "HKLM\\ELAM", { "System32/config/ELAM" } },
	{ "HKLM\\BCD00000000", { "/Boot/BCD", "/EFI/Microsoft/Boot/BCD" } },
	{ "HKU\\.DEFAULT", { "System32/config/DEFAULT" } },
	{ "HKU\\S-1-5-18", { "System32/config/DEFAULT" } },
	{ "HKU\\S-1-5-19",
	  { "ServiceProfiles/LocalService/NTUSER.DAT", "/Documents and Settings/LocalService/NTUSER.DAT" } },
	{ "HKU\\S-1-5-20",
	  { "ServiceProfiles/NetworkService/NTUSER.DAT", "/Documents and Settings/NetworkService/NTUSER.DAT" } },
};

static const struct {
	const char *name, *shown;
} roots_names[] = {
	{ "HKEY_LOCAL_MACHINE", "HKLM" }, { "HKLM", "HKLM" }, { "HKEY_USERS", "HKU" },		 { "HKU", "HKU" },
	{ "HKEY_CLASSES_ROOT", "HKCR" },  { "HKCR", "HKCR" }, { "HKEY_CURRENT_CONFIG", "HKCC" }, { "HKCC", "HKCC" },
	{ "HKEY_CURRENT_USER", "HKCU" },  { "HKCU", "HKCU" },
};

struct roots_hive {
	char *root, *whole, *file; /* "HKLM\\SAM", "HKEY_LOCAL_MACHINE\\SAM" */
	struct vtr_hive *h;
};

struct roots_user {
	char *sid, *profile;
};

struct vtr_registry {
	struct vtr_tree *t;
	char *windows;
	struct roots_hive *hives;
	size_t n_hives, cap_hives;
	struct roots_user *users;
	size_t n_users, cap_users;
	bool users_read;
};

static bool roots_there(struct vtr_tree *t, const char *path)
{
	struct vtr_place p;

	return vtr_tree_walk(&p, t, path, VTR_WALK_ICASE, NULL) == 0;
}

static char *roots_join(const char *dir, const char *path, struct vtr_error *err)
{
	struct vtr_str s = { 0 };

	vtr_str_puts(&s, dir);
	if (dir[0] && path[0])
		vtr_str_puts(&s, "/");
	vtr_str_puts(&s, path);
	return vtr_str_take(&s, err);
}

/* A folder is a system's when its hives are in it: the one that every version has. */
static int roots_try(bool *is, struct vtr_tree *t, const char *windows, struct vtr_error *err)
{
	VTR_FREE char *config = roots_join(windows, "System32/config/SYSTEM", err);

	if (!config)
		return -1;
	*is = roots_there(t, config);
	return 0;
}

void vtr_registry_close(struct vtr_registry *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_hives; i++) {
		vtr_hive_close(r->hives[i].h);
		free(r->hives[i].root);
		free(r->hives[i].whole);
		free(r->hives[i].file);
	}
	for (size_t i = 0; i < r->n_users; i++) {
		free(r->users[i].sid);
		free(r->users[i].profile);
	}
	free(r->hives);
	free(r->users);
	free(r->windows);
	free(r);
}

static void roots_close_cleanup(struct vtr_registry **r)
{
	vtr_registry_close(*r);
}

int vtr_registry_open(struct vtr_registry **out, struct vtr_tree *t, const char *windows, struct vtr_error *err)
{
	VTR_CLEANUP(roots_close_cleanup) struct vtr_registry *r = vtr_calloc(1, sizeof(*r), err);
	bool is = false;

	if (!r)
		return -1;
	r->t = t;
	if (!windows)
		windows = t->system_root;
	for (size_t i = 0; !is && i < (windows ? 1 : VTR_COUNT(roots_windows)); i++) {
		const char *dir = windows ? windows : roots_windows[i];

		if (roots_try(&is, t, dir, err) < 0)
			return -1;
		if (is && !(r->windows = vtr_strndup(dir, strlen(dir), err)))
			return -1;
	}
	if (!is)
		return vtr_fail(err, VTR_ENOTFOUND, "no registry of Windows: there is no %s/System32/config/SYSTEM",
				windows ? windows : "Windows or WINNT");
	*out = vtr_steal(r);
	return 0;
}

const char *vtr_registry_windows(const struct vtr_registry *r)
{
	return r->windows;
}

/* --------------------------------------------------------------------------------------------------------------- hives */

/* A root with the long name of its first part. */
static char *roots_whole(const char *root, struct vtr_error *err)
{
	size_t len = strcspn(root, "\\");
	struct vtr_str s = { 0 };

	for (size_t i = 0; i < VTR_COUNT(roots_names) && s.len == 0; i++)
		if (strlen(roots_names[i].shown) == len && strncmp(roots_names[i].shown, root, len) == 0)
			vtr_str_puts(&s, roots_names[i].name);
	vtr_str_puts(&s, root + len);
	return vtr_str_take(&s, err);
}

/* Open a hive once; its name is its root's. */
static int roots_open(struct roots_hive **out, struct vtr_registry *r, const char *root, const char *file,
		      struct vtr_error *err)
{
	struct roots_hive n = { 0 };

	for (size_t i = 0; i < r->n_hives; i++) {
		/* S-1-5-18 and .DEFAULT are one hive. */
		if (vtr_ascii_casecmp(r->hives[i].file, file) == 0) {
			*out = &r->hives[i];
			return 0;
		}
	}
	if (!VTR_GROW(r->hives, r->n_hives, r->cap_hives, err))
		return -1;
	n.root = vtr_strndup(root, strlen(root), err);
	n.whole = n.root ? roots_whole(root, err) : NULL;
	n.file = n.whole ? vtr_strndup(file, strlen(file), err) : NULL;
	if (!n.file || vtr_hive_open_path(&n.h, r->t, file, err) < 0) {
		free(n.root);
		free(n.whole);
		free(n.file);
		return -1;
	}
	r->hives[r->n_hives] = n;
	*out = &r->hives[r->n_hives++];
	return 0;
}

/* The first of the files of a root that is there, the caller's; NULL in *out: none is. */
static int roots_file_path(char **out, const struct vtr_registry *r, const struct roots_file *f, struct vtr_error *err)
{
	*out = NULL;
	for (size_t i = 0; i < VTR_COUNT(f->files) && f->files[i]; i++) {
		bool below = f->files[i][0] != '/';
		VTR_FREE char *path = roots_join(below ? r->windows : "", f->files[i] + !below, err);

		if (!path)
			return -1;
		if (roots_there(r->t, path)) {
			*out = vtr_steal(path);
			return 0;
		}
	}
	return 0;
}

static int roots_open_file(struct roots_hive **out, struct vtr_registry *r, const struct roots_file *f,
			   struct vtr_error *err)
{
	VTR_FREE char *path = NULL;

	if (roots_file_path(&path, r, f, err) < 0)
		return -1;
	if (!path)
		return vtr_fail(err, VTR_ENOTFOUND, "%s: there is no file %s", f->root, f->files[0]);
	return roots_open(out, r, f->root, path, err);
}

/* --------------------------------------------------------------------------------------------------------------- users */

/* A path as profiles are told, "%SystemDrive%\Users\x", in the tree; NULL: on another drive. */
static char *roots_guest_path(const struct vtr_registry *r, const char *path, struct vtr_error *err)
{
	struct vtr_str s = { 0 };

	if (vtr_ascii_ncasecmp(path, "%SystemRoot%", 12) == 0) {
		vtr_str_puts(&s, r->windows);
		path += 12;
	} else if (vtr_ascii_ncasecmp(path, "%SystemDrive%", 13) == 0) {
		path += 13;
	} else if (path[0] && path[1] == ':') {
		path += 2;
	}
	for (; *path; path++)
		vtr_str_put(&s, *path == '\\' ? "/" : path, 1);
	return vtr_str_take(&s, err);
}

static int roots_add_user(struct vtr_registry *r, const char *sid, const char *profile, struct vtr_error *err)
{
	struct roots_user u = { 0 };

	if (!VTR_GROW(r->users, r->n_users, r->cap_users, err))
		return -1;
	u.sid = vtr_strndup(sid, strlen(sid), err);
	u.profile = u.sid ? roots_guest_path(r, profile, err) : NULL;
	if (!u.profile) {
		free(u.sid);
		return -1;
	}
	r->users[r->n_users++] = u;
	return 0;
}

struct roots_profiles {
	struct vtr_registry *r;
	struct vtr_hive *h;
	struct vtr_error *err;
};

static int roots_profile(void *arg, const struct vtr_key *key)
{
	struct roots_profiles *p = arg;
	VTR_FREE char *path = NULL;
	struct vtr_value v;
	size_t len;

	/* A key that a broken sign-in left ends with ".bak"; it is no user's. */
	if (strlen(key->name) != key->name_len || strchr(key->name, '.') ||
	    vtr_hive_value(&v, p->h, key->id, "ProfileImagePath", NULL) < 0 ||
	    vtr_value_text(&path, &len, &v, NULL) < 0 || strlen(path) != len || len == 0)
		return 0;
	return roots_add_user(p->r, key->name, path, p->err) < 0 ? -1 : 0;
}

/* The profiles that SOFTWARE lists. */
static int roots_read_users(struct vtr_registry *r, struct vtr_error *err)
{
	struct roots_profiles p = { .r = r, .err = err };
	struct roots_hive *software;
	struct vtr_error why = { 0 };
	uint32_t key;

	if (r->users_read)
		return 0;
	if (roots_open_file(&software, r, &roots_files[1], err) < 0)
		return -1;
	p.h = software->h;
	if (vtr_hive_find(&key, p.h, vtr_hive_root(p.h), "Microsoft\\Windows NT\\CurrentVersion\\ProfileList", &why) <
	    0) {
		if (why.code != VTR_ENOTFOUND) {
			if (err)
				*err = why;
			return -1;
		}
	} else if (vtr_hive_subkeys(p.h, key, roots_profile, &p, err) != 0) {
		return -1;
	}
	r->users_read = true;
	return 0;
}

int vtr_registry_users(struct vtr_registry *r, vtr_user_fn *fn, void *arg, struct vtr_error *err)
{
	int stop = 0;

	if (roots_read_users(r, err) < 0)
		return -1;
	for (size_t i = 0; i < r->n_users && stop == 0; i++)
		stop = fn(arg, r->users[i].sid, roots_there(r->t, r->users[i].profile) ? r->users[i].profile : NULL);
	return stop;
}

/* The hive of a user, or (classes) of what is registered for them alone; *out is the caller's, NULL: there is none. */
static int roots_user_path(char **out, const struct vtr_registry *r, const struct roots_user *u, bool classes,
			   struct vtr_error *err)
{
	static const char *const own[] = { "NTUSER.DAT", NULL };
	static const char *const of_classes[] = {
		"AppData/Local/Microsoft/Windows/UsrClass.dat",
		"Local Settings/Application Data/Microsoft/Windows/UsrClass.dat",
		NULL,
	};

	*out = NULL;
	for (const char *const *file = classes ? of_classes : own; *file; file++) {
		VTR_FREE char *path = roots_join(u->profile, *file, err);

		if (!path)
			return -1;
		if (roots_there(r->t, path)) {
			*out = vtr_steal(path);
			return 0;
		}
	}
	return 0;
}

static int roots_open_user(struct roots_hive **out, struct vtr_registry *r, const char *sid, size_t len,
			   struct vtr_error *err)
{
	bool classes = len > 8 && vtr_ascii_ncasecmp(sid + len - 8, "_Classes", 8) == 0;
	size_t sid_len = len - (classes ? 8 : 0);
	VTR_FREE char *root = NULL, *path = NULL;
	struct vtr_str s = { 0 };

	vtr_str_puts(&s, "HKU\\");
	vtr_str_put(&s, sid, len);
	root = vtr_str_take(&s, err);
	if (!root || roots_read_users(r, err) < 0)
		return -1;
	for (size_t i = 0; i < r->n_users; i++) {
		const struct roots_user *u = &r->users[i];

		if (strlen(u->sid) != sid_len || vtr_ascii_ncasecmp(u->sid, sid, sid_len) != 0)
			continue;
		if (roots_user_path(&path, r, u, classes, err) < 0)
			return -1;
		if (path)
			return roots_open(out, r, root, path, err);
		return vtr_fail(err, VTR_ENOTFOUND, "%s: there is no %s in %s", root,
				classes ? "UsrClass.dat" : "NTUSER.DAT", u->profile);
	}
	return vtr_fail(err, VTR_ENOTFOUND, "%s: no user of this identifier", root);
}

/* Services have profiles, too, whose hives are in the table. */
static bool roots_in_table(const char *sid)
{
	for (size_t i = 0; i < VTR_COUNT(roots_files); i++)
		if (strncmp(roots_files[i].root, "HKU\\", 4) == 0 &&
		    vtr_ascii_casecmp(roots_files[i].root + 4, sid) == 0)
			return true;
	return false;
}

static int roots_tell(vtr_root_fn *fn, void *arg, const char *root, const char *path, struct vtr_error *err)
{
	VTR_FREE char *file = NULL;
	struct vtr_str s = { 0 };

	vtr_str_puts(&s, path[0] == '/' ? "" : "/");
	vtr_str_puts(&s, path);
	file = vtr_str_take(&s, err);
	return file ? fn(arg, root, file) : -1;
}

static int roots_tell_user(struct vtr_registry *r, const struct roots_user *u, vtr_root_fn *fn, void *arg,
			   struct vtr_error *err)
{
	int stop = 0;

	for (unsigned classes = roots_in_table(u->sid); classes < 2 && stop == 0; classes++) {
		VTR_FREE char *path = NULL, *root = NULL;
		struct vtr_str s = { 0 };

		if (roots_user_path(&path, r, u, classes, err) < 0)
			return -1;
		if (!path)
			continue;
		vtr_str_puts(&s, "HKU\\");
		vtr_str_puts(&s, u->sid);
		vtr_str_puts(&s, classes ? "_Classes" : "");
		root = vtr_str_take(&s, err);
		if (!root)
			return -1;
		stop = roots_tell(fn, arg, root, path, err);
	}
	return stop;
}

int vtr_registry_roots(struct vtr_registry *r, vtr_root_fn *fn, void *arg, struct vtr_error *err)
{
	struct vtr_error why = { 0 };
	int stop = 0;

	for (size_t i = 0; i < VTR_COUNT(roots_files) && stop == 0; i++) {
		VTR_FREE char *path = NULL;

		if (roots_file_path(&path, r, &roots_files[i], err) < 0)
			return -1;
		if (path)
			stop = roots_tell(fn, arg, roots_files[i].root, path, err);
	}
	if (stop == 0 && roots_read_users(r, &why) < 0) {
		if (vtr_error_is(&why, VTR_KIND_STOPPED)) {
			if (err)
				*err = why;
			return -1;
		}
		vtr_error_at(&why, "users");
		vtr_warn_err(r->t->ctx, &why);
		return 0;
	}
	for (size_t i = 0; i < r->n_users && stop == 0; i++)
		stop = roots_tell_user(r, &r->users[i], fn, arg, err);
	return stop;
}

const char *vtr_registry_root(const struct vtr_registry *r, const struct vtr_hive *h, bool whole)
{
	for (size_t i = 0; i < r->n_hives; i++)
		if (r->hives[i].h == h)
			return whole ? r->hives[i].whole : r->hives[i].root;
	return NULL;
}

/* ------------------------------------------------------------------------------------------------------------- search */

struct roots_search {
	struct vtr_registry *r;
	const char *above, *text;
	unsigned flags;
	vtr_search_fn *fn;
	void *arg;
	struct vtr_list_seen seen; /* files: a user may be listed twice */
	const char *root;	   /* of the hive that is searched */
	struct vtr_str path;
	struct vtr_error *err;
	int result;
};

static int roots_hit(void *arg, const struct vtr_key *key, const struct vtr_value *value)
{
	struct roots_search *s = arg;
	struct vtr_key named = *key;

	s->path.len = 0;
	vtr_str_puts(&s->path, s->root);
	if (key->path_len > 1)
		vtr_str_put(&s->path, key->path, key->path_len);
	if (s->path.oom) {
		vtr_error_set(s->err, VTR_ENOMEM, "out of memory for text");
		return s->result = -1;
	}
	named.path = s->path.p;
	named.path_len = s->path.len;
	return s->result = s->fn(s->arg, &named, value);
}

/* One hive, which closes again: memory is that of the largest. */
static int roots_search_file(struct roots_search *s, const char *file, struct vtr_error *why)
{
	struct vtr_place at;
	struct vtr_hive *h;
	int r;

	if (vtr_tree_walk(&at, s->r->t, file, VTR_WALK_ICASE, why) < 0)
		return -1;
	if (vtr_list_enter(&s->seen, s->r->t->ctx, at, why) < 0)
		return why->code == VTR_ECORRUPT ? 0 : -1;
	if (vtr_hive_open_path(&h, s->r->t, file, why) < 0)
		return -1;
	r = vtr_hive_search(h, vtr_hive_root(h), s->text, s->flags, roots_hit, s, why);
	vtr_hive_close(h);
	return r;
}

static int roots_search_root(void *arg, const char *root, const char *file)
{
	struct roots_search *s = arg;
	struct vtr_error why = { 0 };

	if (strncmp(root, s->above, strlen(s->above)) != 0)
		return 0;
	s->root = root;
	if (roots_search_file(s, file, &why) >= 0 || s->result != 0)
		return s->result;
	/* A limit is of one hive. */
	if (vtr_error_is(&why, VTR_KINDS_ENDING & ~VTR_KIND_LIMITED)) {
		if (s->err)
			*s->err = why;
		return s->result = -1;
	}
	vtr_error_at(&why, "%s", root);
	vtr_warn_err(s->r->t->ctx, &why);
	return 0;
}

int vtr_registry_search(struct vtr_registry *r, const char *above, const char *text, unsigned flags, vtr_search_fn *fn,
			void *arg, struct vtr_error *err)
{
	struct roots_search s = {
		.r = r, .above = above, .text = text, .flags = flags, .fn = fn, .arg = arg, .err = err
	};
	int stop = vtr_registry_roots(r, roots_search_root, &s, err);

	vtr_list_seen_done(&s.seen);
	vtr_str_done(&s.path);
	return stop;
}

/* Who HKCU is: the one user that is no service. */
static int roots_current_user(const char **out, struct vtr_registry *r, struct vtr_error *err)
{
	struct vtr_str s = { 0 };
	size_t n = 0;

	if (roots_read_users(r, err) < 0)
		return -1;
	for (size_t i = 0; i < r->n_users; i++) {
		if (vtr_ascii_ncasecmp(r->users[i].sid, "S-1-5-21-", 9) != 0 &&
		    vtr_ascii_ncasecmp(r->users[i].sid, "S-1-12-1-", 9) != 0)
			continue;
		*out = r->users[i].sid;
		vtr_str_puts(&s, " HKU\\");
		vtr_str_puts(&s, r->users[i].sid);
		n++;
	}
	if (n == 1) {
		vtr_str_done(&s);
		return 0;
	}
	vtr_error_set(err, n ? VTR_EAMBIGUOUS : VTR_ENOTFOUND,
		      n ? "HKCU: there are several users:%s" : "HKCU: no user%s", s.p ? s.p : "");
	vtr_str_done(&s);
	return -1;
}

/* -------------------------------------------------------------------------------------------------------------- paths */

/* The next name of a path; *path moves behind it. */
static const char *roots_next(const char **path, size_t *len)
{
	const char *p = *path;

	while (*p == '\\')
		p++;
	*len = strcspn(p, "\\");
	*path = p + *len;
	return p;
}

static bool roots_is(const char *p, size_t len, const char *name)
{
	return strlen(name) == len && vtr_ascii_ncasecmp(p, name, len) == 0;
}

const char *vtr_registry_above(const char *path)
{
	size_t len, more;
	const char *name = roots_next(&path, &len);

	roots_next(&path, &more);
	if (more > 0)
		return NULL;
	for (size_t i = 0; i < VTR_COUNT(roots_names) && len > 0; i++) {
		if (!roots_is(name, len, roots_names[i].name))
			continue;
		return strcmp(roots_names[i].shown, "HKLM") == 0  ? "HKLM\\"
		       : strcmp(roots_names[i].shown, "HKU") == 0 ? "HKU\\"
								  : NULL;
	}
	return len == 0 ? "" : NULL;
}

/* The hive of a path, and what of the path is below its root. */
static int roots_resolve(struct roots_hive **out, const char **rest, struct vtr_registry *r, const char *path,
			 struct vtr_error *err)
{
	const char *whole = path, *shown = NULL, *name, *sub;
	size_t len, n;

	name = roots_next(&path, &len);
	for (size_t i = 0; i < VTR_COUNT(roots_names) && !shown; i++)
		if (roots_is(name, len, roots_names[i].name))
			shown = roots_names[i].shown;
	if (!shown)
		return vtr_fail(err, VTR_ENOTFOUND,
				"\"%.300s\": it begins with no root: HKLM, HKU, HKCR, HKCC, HKCU, or their long names",
				whole);
	*rest = path;
	if (strcmp(shown, "HKCU") == 0) {
		if (roots_current_user(&sub, r, err) < 0)
			return -1;
		return roots_open_user(out, r, sub, strlen(sub), err);
	}
	sub = roots_next(&path, &n);
	if (n == 0)
		return vtr_fail(err, VTR_EUSAGE, "\"%.300s\": name what is below %s: it is no file's root", whole,
				shown);
	*rest = path;
	for (size_t i = 0; i < VTR_COUNT(roots_files); i++) {
		const char *at = roots_files[i].root;
		size_t root_len;
		const char *root = roots_next(&at, &root_len);

		if (!roots_is(root, root_len, shown))
			continue;
		root = roots_next(&at, &root_len);
		if (root_len == n && vtr_ascii_ncasecmp(root, sub, n) == 0)
			return roots_open_file(out, r, &roots_files[i], err);
	}
	if (strcmp(shown, "HKU") == 0)
		return roots_open_user(out, r, sub, n, err);
	if (roots_is(sub, n, "HARDWARE"))
		return vtr_fail(err, VTR_ENOTFOUND,
				"HKLM\\HARDWARE: it is made when the system starts, and is in no file");
	return vtr_fail(err, VTR_ENOTFOUND, "\"%.300s\": no hive has this root", whole);
}

/* HKCR and HKCC are keys of others. The path that they stand for, the caller's; NULL in *out: the path is its own. */
static int roots_alias(char **out, const char *path, struct vtr_error *err)
{
	const char *rest = path;
	size_t len;
	const char *name = roots_next(&rest, &len);
	struct vtr_str s = { 0 };

	*out = NULL;
	if (roots_is(name, len, "HKCR") || roots_is(name, len, "HKEY_CLASSES_ROOT"))
		vtr_str_puts(&s, "HKLM\\SOFTWARE\\Classes");
	else if (roots_is(name, len, "HKCC") || roots_is(name, len, "HKEY_CURRENT_CONFIG"))
		vtr_str_puts(&s, "HKLM\\SYSTEM\\CurrentControlSet\\Hardware Profiles\\Current");
	else
		return 0;
	vtr_str_puts(&s, rest);
	*out = vtr_str_take(&s, err);
	return *out ? 0 : -1;
}

/* "\Registry\Machine\…" as links have it, as a path of ours. */
static char *roots_from_native(const char *target, const char *rest, struct vtr_error *err)
{
	struct vtr_str s = { 0 };
	size_t len;
	const char *name = roots_next(&target, &len);

	if (roots_is(name, len, "Registry")) {
		name = roots_next(&target, &len);
		if (roots_is(name, len, "Machine"))
			vtr_str_puts(&s, "HKLM");
		else if (roots_is(name, len, "User"))
			vtr_str_puts(&s, "HKU");
	}
	if (s.len == 0 && !s.oom) {
		vtr_error_set(err, VTR_ENOTFOUND, "a link to \"%.300s\", which is no key of a hive", target);
		return NULL;
	}
	vtr_str_puts(&s, target);
	vtr_str_puts(&s, rest);
	return vtr_str_take(&s, err);
}

/* The control set that was current; where Select does not tell, the first one. */
static int roots_control_set(char buf[32], struct vtr_hive *h, struct vtr_error *err)
{
	static const char *const names[] = { "Current", "Default", "LastKnownGood" };
	struct vtr_error why = { 0 };
	uint64_t number = 0;
	struct vtr_value v;
	uint32_t key;

	if (vtr_hive_find(&key, h, vtr_hive_root(h), "Select", &why) == 0)
		for (size_t i = 0; i < VTR_COUNT(names) && number == 0; i++)
			if (vtr_hive_value(&v, h, key, names[i], &why) == 0)
				(void)vtr_value_number(&number, &v, NULL);
	if (why.code != VTR_OK && !vtr_error_is(&why, VTR_KIND_DAMAGED | VTR_KIND_MISSING)) {
		if (err)
			*err = why;
		return -1;
	}
	if (number == 0 || number > 999)
		number = 1;
	snprintf(buf, 32, "ControlSet%03u", (unsigned)number);
	return 0;
}

/* Down a hive by names. A link on the way gives another path, the caller's, in *on. */
static int roots_walk(uint32_t *out, char **on, struct roots_hive *hive, const char *rest, struct vtr_error *err)
{
	struct vtr_hive *h = hive->h;
	bool first = true, system = strcmp(hive->root, "HKLM\\SYSTEM") == 0;
	uint32_t at = vtr_hive_root(h);
	struct vtr_error why = { 0 };
	struct vtr_value v;
	struct vtr_key key;
	char set[32];

	*on = NULL;
	for (;;) {
		VTR_FREE char *one = NULL;
		size_t len;
		const char *name = roots_next(&rest, &len);

		if (vtr_hive_key(&key, h, at, err) < 0)
			return -1;
		if ((key.flags & VTR_KEY_LINK) && vtr_hive_value(&v, h, at, "SymbolicLinkValue", &why) == 0) {
			VTR_FREE char *target = NULL;
			size_t n;
			struct vtr_value text = v;

			if (v.type != VTR_REG_LINK || vtr_value_text(&target, &n, &text, err) < 0 ||
			    strlen(target) != n)
				return vtr_fail(err, VTR_ECORRUPT, "%s: a link without a target", hive->root);
			*on = roots_from_native(target, len ? name - 1 : "", err);
			return *on ? 0 : -1;
		}
		if (len == 0)
			break;
		one = vtr_strndup(name, len, err);
		if (!one)
			return -1;
		if (vtr_hive_find(&at, h, at, one, &why) < 0) {
			if (why.code != VTR_ENOTFOUND || !first || !system ||
			    vtr_ascii_casecmp(one, "CurrentControlSet") != 0) {
				if (err)
					*err = why;
				return -1;
			}
			if (roots_control_set(set, h, err) < 0 || vtr_hive_find(&at, h, at, set, err) < 0)
				return -1;
		}
		first = false;
	}
	*out = at;
	return 0;
}

int vtr_registry_find(struct vtr_hive **out, uint32_t *key, struct vtr_registry *r, const char *path,
		      struct vtr_error *err)
{
	VTR_FREE char *now = NULL;
	struct roots_hive *hive;
	uint64_t hops = 0;
	const char *rest;
	uint32_t found;
	char *next;

	if (roots_alias(&next, path, err) < 0)
		return -1;
	now = next ? next : vtr_strndup(path, strlen(path), err);
	if (!now)
		return -1;
	for (;;) {
		if (roots_resolve(&hive, &rest, r, now, err) < 0 || roots_walk(&found, &next, hive, rest, err) < 0)
			return -1;
		if (!next)
			break;
		free(now);
		now = next;
		if (VTR_OVER(hive->h->ctx, symlinks, ++hops, "links in a registry path", err) < 0)
			return -1;
	}
	*out = hive->h;
	*key = found;
	return 0;
}

int vtr_registry_hive(struct vtr_hive **out, const char **file, struct vtr_registry *r, const char *root,
		      struct vtr_error *err)
{
	struct roots_hive *hive;
	const char *rest;
	size_t len;

	if (roots_resolve(&hive, &rest, r, root, err) < 0)
		return -1;
	roots_next(&rest, &len);
	if (len != 0)
		return vtr_fail(err, VTR_EUSAGE, "\"%.300s\": not the root of a hive", root);
	*out = hive->h;
	if (file)
		*file = hive->file;
	return 0;
}
