/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Users and groups of SAM, and the profiles of those who logged on, which may be of a domain: ProfileList of SOFTWARE.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/fold.h"
#include "inspect/windows/windows.h"

#define USERS_SAM "SAM\\Domains\\"
#define USERS_PROFILES "Microsoft\\Windows NT\\CurrentVersion\\ProfileList"
#define USERS_ADMINISTRATORS "S-1-5-32-544"

struct users_user {
	struct win_user u;
	char sid[WIN_SID], key[64]; /* the key's name in SAM; "" none */
	char *home;		    /* NULL: no profile */
	int64_t seen;		    /* when its profile was last loaded; 0: not said */
	uint32_t seen_nsec;
	bool administrator;
	struct vtr_str groups;
};

struct users {
	struct vtr_os *os;
	struct users_user *v;
	size_t n, cap;
	/* The group that is being read. */
	struct vtr_str members;
	char group_sid[WIN_SID], group_name[256];
};

static struct users_user *users_find(struct users *all, const char *sid)
{
	for (size_t i = 0; i < all->n; i++)
		if (vtr_ascii_casecmp(all->v[i].sid, sid) == 0)
			return &all->v[i];
	return NULL;
}

static struct users_user *users_new(struct users *all, struct vtr_error *err)
{
	if (VTR_OVER(all->os->ctx, records, all->n + 1, "users", err) < 0 || !VTR_GROW(all->v, all->n, all->cap, err))
		return NULL;
	all->v[all->n] = (struct users_user){ 0 };
	return &all->v[all->n++];
}

static void users_done(struct users *all)
{
	for (size_t i = 0; i < all->n; i++) {
		free(all->v[i].home);
		vtr_str_done(&all->v[i].groups);
	}
	free(all->v);
	vtr_str_done(&all->members);
}

/* The machine's own identifier: the second entry of V of SAM\Domains\Account, from 0x30 on. */
static int users_read_sid(struct vtr_os *os, struct vtr_error *err)
{
	struct vtr_windows *w = os->windows;
	struct win_value v = { .name = "V", .raw = true };
	char sid[WIN_SID];
	uint32_t key, off;
	int rc = vtr_win_key(&key, os, &w->sam, 0, USERS_SAM "Account", err);

	if (rc > 0 && vtr_win_values(&v, 1, os, &w->sam, key, err) < 0)
		rc = -1;
	if (rc > 0 && v.text && v.len >= 0x30) {
		const uint8_t *p = (const uint8_t *)v.text;

		off = vtr_get_le32(p + 0x0c);
		if (off <= v.len - 0x30 && vtr_win_sid_text(sid, p + 0x30 + off, v.len - 0x30 - off) > 0) {
			w->sid = vtr_strndup(sid, strlen(sid), err);
			if (!w->sid || vtr_win_fact(os, "machine_sid", sid, &w->sam, USERS_SAM "Account", "V", err) < 0)
				rc = -1;
		}
	}
	vtr_win_values_done(&v, 1);
	return rc < 0 ? -1 : 0;
}

static int users_sam_key(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *name,
			 struct vtr_error *err)
{
	struct win_value v[] = { { .name = "F", .raw = true }, { .name = "V", .raw = true } };
	struct vtr_error e = { 0 };
	struct users *all = arg;
	struct users_user *user;
	struct win_user u = { 0 };
	char *end;
	int rc = vtr_win_values(v, 2, os, hive, key, err);

	u.rid = (uint32_t)strtoul(name, &end, 16);
	if (rc < 0 || *end || end == name) { /* "Names" */
		vtr_win_values_done(v, 2);
		return rc;
	}
	for (size_t i = 0; i < 2 && rc == 0; i++) {
		const uint8_t *p = (const uint8_t *)v[i].text;

		e = (struct vtr_error){ 0 };
		if (p && (i == 0 ? vtr_win_user_f_parse(&u, p, v[i].len, &e)
				 : vtr_win_user_v_parse(&u, p, v[i].len, &e)) < 0) {
			vtr_error_at(&e, "user %s", name);
			rc = vtr_win_excuse(os, hive, &e, err);
		}
	}
	vtr_win_values_done(v, 2);
	if (rc < 0)
		return -1;
	user = users_new(all, err);
	if (!user)
		return -1;
	user->u = u;
	snprintf(user->key, sizeof(user->key), "%s", name);
	if (os->windows->sid)
		snprintf(user->sid, sizeof(user->sid), "%.170s-%" PRIu32, os->windows->sid, u.rid);
	return 0;
}

/* Whoever is at home here: local users, those of a domain, and of Azure. Not services, and nothing that ends with .bak. */
static bool users_person_is(const char *sid)
{
	return (strncmp(sid, "S-1-5-21-", 9) == 0 || strncmp(sid, "S-1-12-1-", 9) == 0) && !strchr(sid, '.');
}

static int users_profile_key(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *name,
			     struct vtr_error *err)
{
	struct win_value v[] = {
		{ .name = "ProfileImagePath" },	       { .name = "LocalProfileLoadTimeHigh" },
		{ .name = "LocalProfileLoadTimeLow" }, { .name = "ProfileLoadTimeHigh" },
		{ .name = "ProfileLoadTimeLow" },
	};
	struct users *all = arg;
	struct users_user *user;
	uint64_t high, low;

	if (!users_person_is(name) || strlen(name) >= WIN_SID)
		return 0;
	if (vtr_win_values(v, VTR_COUNT(v), os, hive, key, err) < 0)
		return -1;
	user = users_find(all, name);
	if (!user && v[0].text)
		user = users_new(all, err);
	if (user) {
		snprintf(user->sid, sizeof(user->sid), "%s", name);
		if (!user->home)
			user->home = vtr_steal(v[0].text);
		high = v[1].has_number ? v[1].number : v[3].number;
		low = v[1].has_number ? v[2].number : v[4].number;
		vtr_win_time(&user->seen, &user->seen_nsec, high << 32 | (low & UINT32_MAX));
	}
	vtr_win_values_done(v, VTR_COUNT(v));
	return user || !v[0].text ? 0 : -1;
}

static int users_member(void *arg, const char *sid, struct vtr_error *err)
{
	struct users *all = arg;
	struct users_user *user = users_find(all, sid);
	const char *name = user && user->u.name[0] ? user->u.name : sid;

	vtr_win_list_put(&all->members, all->os, name, strlen(name));
	if (user) {
		vtr_win_list_put(&user->groups, all->os, all->group_name, strlen(all->group_name));
		user->administrator = user->administrator || strcmp(all->group_sid, USERS_ADMINISTRATORS) == 0;
	}
	return vtr_ctx_check(all->os->ctx, err);
}

/* Names come before members in C, and are needed for them. */
static int users_no_member(void *arg, const char *sid, struct vtr_error *err)
{
	(void)arg, (void)sid, (void)err;
	return 0;
}

struct users_groups {
	struct users *all;
	const char *domain; /* "Builtin" */
	const char *sid;
};

static int users_group_key(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *name,
			   struct vtr_error *err)
{
	struct win_value v = { .name = "C", .raw = true };
	const struct users_groups *g = arg;
	struct users *all = g->all;
	struct vtr_error e = { 0 };
	struct vtr_draft d;
	char comment[512], path[128], *end;
	uint32_t rid = (uint32_t)strtoul(name, &end, 16);
	const uint8_t *p;
	int rc;

	if (*end || end == name) /* "Members", "Names" */
		return 0;
	if (vtr_win_values(&v, 1, os, hive, key, err) < 0)
		return -1;
	p = (const uint8_t *)v.text;
	snprintf(all->group_sid, sizeof(all->group_sid), "%.170s-%" PRIu32, g->sid, rid);
	all->members.len = 0;
	rc = !p ? -1 : vtr_win_group_c_parse(all->group_name, comment, p, v.len, users_no_member, all, &e);
	if (rc == 0)
		rc = vtr_win_group_c_parse(all->group_name, comment, p, v.len, users_member, all, &e);
	if (p && rc < 0) {
		vtr_error_at(&e, "group %s", name);
		if (vtr_win_excuse(os, hive, &e, err) < 0) {
			vtr_win_values_done(&v, 1);
			return -1;
		}
	}
	vtr_win_values_done(&v, 1);
	if (rc < 0)
		return 0;
	snprintf(path, sizeof(path), USERS_SAM "%s\\Aliases\\%.40s", g->domain, name);
	vtr_win_draft(&d, os, "groups", hive, path, err);
	vtr_draft_text(&d, "name", all->group_name);
	vtr_draft_text(&d, "sid", all->group_sid);
	vtr_draft_text(&d, "comment", comment);
	vtr_draft_list(&d, "members", &all->members);
	return vtr_draft_end(&d);
}

static int users_read_groups(struct users *all, struct vtr_error *err)
{
	struct vtr_windows *w = all->os->windows;
	const struct users_groups groups[] = { { all, "Builtin", "S-1-5-32" }, { all, "Account", w->sid } };

	for (size_t i = 0; i < VTR_COUNT(groups); i++) {
		char path[64];
		uint32_t key;
		int rc;

		if (!groups[i].sid)
			continue;
		snprintf(path, sizeof(path), USERS_SAM "%s\\Aliases", groups[i].domain);
		rc = vtr_win_key(&key, all->os, &w->sam, 0, path, err);
		if (rc > 0)
			rc = vtr_win_each(all->os, &w->sam, key, users_group_key, (void *)&groups[i], err);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static void users_draft_time(struct vtr_draft *d, const char *key, uint64_t filetime)
{
	uint32_t nsec;
	int64_t sec;

	if (vtr_win_time(&sec, &nsec, filetime))
		vtr_draft_time(d, key, sec, nsec);
}

static int users_add(struct users *all, const struct users_user *user, struct vtr_error *err)
{
	struct vtr_windows *w = all->os->windows;
	const struct win_user *u = &user->u;
	const char *slash = user->home ? strrchr(user->home, '\\') : NULL;
	char path[WIN_SID + 128];
	struct vtr_draft d;

	if (user->key[0]) {
		snprintf(path, sizeof(path), USERS_SAM "Account\\Users\\%s", user->key);
		vtr_win_draft(&d, all->os, "users", &w->sam, path, err);
	} else {
		snprintf(path, sizeof(path), USERS_PROFILES "\\%s", user->sid);
		vtr_win_draft(&d, all->os, "users", &w->software, path, err);
	}
	vtr_draft_text(&d, "name", u->name[0] ? u->name : slash ? slash + 1 : user->sid[0] ? user->sid : user->key);
	vtr_draft_text(&d, "sid", user->sid);
	if (user->key[0])
		vtr_draft_number(&d, "rid", u->rid);
	vtr_draft_text(&d, "gecos", u->full_name);
	vtr_draft_text(&d, "comment", u->comment);
	vtr_draft_text(&d, "home", user->home);
	if (u->has_f) {
		vtr_draft_bool(&d, "disabled", u->flags & 1);
		vtr_draft_bool(&d, "locked", u->flags & 0x400);
		vtr_draft_bool(&d, "password_required", !(u->flags & 4));
		vtr_draft_bool(&d, "password_expires", !(u->flags & 0x200));
	}
	if (u->has_v)
		vtr_draft_bool(&d, "has_password", u->has_password);
	users_draft_time(&d, "password_changed", u->password_set);
	users_draft_time(&d, "expires", u->expires);
	users_draft_time(&d, "last_login", u->last_logon);
	if (u->has_f)
		vtr_draft_number(&d, "logins", u->logons);
	vtr_draft_time(&d, "profile_loaded", user->seen, user->seen_nsec);
	if (user->key[0]) {
		vtr_draft_bool(&d, "administrator", user->administrator);
		vtr_draft_list(&d, "groups", &user->groups);
	}
	return vtr_draft_end(&d);
}

int vtr_windows_users_read(struct vtr_os *os, struct vtr_error *err)
{
	struct vtr_windows *w = os->windows;
	struct users all = { .os = os };
	char path[WIN_DEPTH];
	uint32_t key;
	int rc = 0;

	snprintf(path, sizeof(path), "%s/System32/config/SAM", w->root);
	if (!w->sam.path)
		rc = vtr_win_open(&w->sam, os, path, "HKLM\\SAM", false, err);
	if (rc >= 0)
		rc = users_read_sid(os, err);
	if (rc >= 0)
		rc = vtr_win_key(&key, os, &w->sam, 0, USERS_SAM "Account\\Users", err);
	if (rc > 0)
		rc = vtr_win_each(os, &w->sam, key, users_sam_key, &all, err);
	if (rc >= 0)
		rc = vtr_win_key(&key, os, &w->software, 0, USERS_PROFILES, err);
	if (rc > 0)
		rc = vtr_win_each(os, &w->software, key, users_profile_key, &all, err);
	if (rc >= 0)
		rc = users_read_groups(&all, err);
	for (size_t i = 0; i < all.n && rc >= 0; i++)
		rc = users_add(&all, &all.v[i], err);
	users_done(&all);
	return rc < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------------------- their hives */

struct users_hives {
	win_user_fn *fn;
	void *arg;
};

static int users_hive_key(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *name,
			  struct vtr_error *err)
{
	struct vtr_error e = { 0 };
	struct win_value v = { .name = "ProfileImagePath" };
	const struct users_hives *h = arg;
	struct win_hive user = { 0 };
	VTR_FREE char *path = NULL, *root = NULL, *in_tree = NULL;
	struct vtr_str s = { 0 };
	const char *slash;
	int rc;

	if (!users_person_is(name))
		return 0;
	if (vtr_win_values(&v, 1, os, hive, key, err) < 0)
		return -1;
	if (!v.text || !*v.text) {
		vtr_win_values_done(&v, 1);
		return 0;
	}
	vtr_str_puts(&s, v.text);
	vtr_str_puts(&s, "\\NTUSER.DAT");
	path = vtr_str_take(&s, err);
	vtr_str_puts(&s, "HKU\\");
	vtr_str_puts(&s, name);
	root = vtr_str_take(&s, err);
	rc = path && root ? 1 : -1;
	if (rc > 0 && vtr_tree_path(&in_tree, os->tree, path, &e) < 0) /* as on a drive that is not there */
		rc = vtr_inspect_excuse(os->ctx, &e, err, "%s", os->root);
	else if (rc > 0)
		rc = vtr_win_open(&user, os, in_tree, root, false, err);
	slash = strrchr(v.text, '\\');
	if (rc > 0)
		rc = h->fn(h->arg, os, &user, name, slash ? slash + 1 : v.text, err);
	vtr_win_close(&user);
	vtr_win_values_done(&v, 1);
	return rc < 0 ? -1 : 0;
}

int vtr_win_each_user(struct vtr_os *os, win_user_fn *fn, void *arg, struct vtr_error *err)
{
	struct users_hives h = { fn, arg };
	uint32_t key;
	int rc = vtr_win_key(&key, os, &os->windows->software, 0, USERS_PROFILES, err);

	return rc > 0 ? vtr_win_each(os, &os->windows->software, key, users_hive_key, &h, err) : rc;
}
