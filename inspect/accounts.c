/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where users and groups are: the databases that nsswitch.conf(5) names for passwd and group, as far as they are files of
 * the image, and the names of their numbers. What is elsewhere (LDAP, NIS, Active Directory) is not in it.
 */
#include "inspect/accounts.h"

#include <stdlib.h>

#include "base/checked.h"
#include "base/fold.h"
#include "base/utf16.h"
#include "inspect/includes.h"
#include "inspect/yaml.h"

/*
 * A service of nsswitch.conf, and its files. "compat" reads the same as "files": its lines with a plus or a minus are for
 * NIS. The paths of nss-altfiles are those that it is built with by Fedora CoreOS and others.
 */
const struct vtr_account_source vtr_account_sources[VTR_ACCOUNT_SOURCES] = {
	{ "files", "/etc/passwd", "/etc/shadow", "/etc/group" },
	{ "compat", "/etc/passwd", "/etc/shadow", "/etc/group" },
	{ "extrausers", "/var/lib/extrausers/passwd", "/var/lib/extrausers/shadow", "/var/lib/extrausers/group" },
	{ "altfiles", "/usr/lib/passwd", "/usr/lib/shadow", "/usr/lib/group" },
	{ "usrfiles", "/usr/etc/passwd", "/usr/etc/shadow", "/usr/etc/group" },
	{ "cache", "/etc/passwd.cache", "/etc/shadow.cache", "/etc/group.cache" },
	{ "cache_oslogin", "/etc/oslogin_passwd.cache", NULL, "/etc/oslogin_group.cache" },
	{ "systemd", NULL, NULL, NULL }, /* userdb */
};

/* The words of a line, without actions: "[NOTFOUND=return]". */
static void accounts_words(struct vtr_account_order *out, struct vtr_span rest)
{
	struct vtr_span word;

	out->n = 0;
	out->merge = false;
	while (vtr_span_word(&word, &rest)) {
		if (*word.p == '[') {
			struct vtr_span action = { word.p, (size_t)(rest.p + rest.len - word.p) };
			size_t end = vtr_span_find(action, ']');

			out->merge = out->merge || memmem(action.p, end, "merge", 5);
			rest = vtr_span_skip(action, VTR_MIN(end + 1, action.len));
			continue;
		}
		for (unsigned i = 0; i < VTR_ACCOUNT_SOURCES; i++) {
			bool again = false;

			if (!vtr_span_is(word, vtr_account_sources[i].service))
				continue;
			for (size_t k = 0; k < out->n; k++) {
				const char *path = vtr_account_sources[out->sources[k]].passwd;

				again = again || out->sources[k] == i ||
					(path && vtr_account_sources[i].passwd &&
					 strcmp(path, vtr_account_sources[i].passwd) == 0);
			}
			if (!again)
				out->sources[out->n++] = i;
		}
	}
}

void vtr_nsswitch_parse(struct vtr_account_order *out, const char *database, const char *text, size_t len)
{
	struct vtr_span rest = { text, len }, line;

	*out = (struct vtr_account_order){ .n = 1 }; /* "files": what glibc takes for a database that is not named */
	while (vtr_span_line(&line, &rest)) {
		size_t colon;

		line.len = vtr_span_find(line, '#');
		colon = vtr_span_find(line, ':');
		if (colon < line.len && vtr_span_is(vtr_span_trim((struct vtr_span){ line.p, colon }), database))
			accounts_words(out, vtr_span_skip(line, colon + 1));
	}
}

int vtr_nsswitch_read(struct vtr_account_order *out, struct vtr_os *os, bool groups, struct vtr_error *err)
{
	VTR_FREE char *text = NULL;
	size_t len = 0;

	if (vtr_os_text_slurp(&text, &len, os, "/etc/nsswitch.conf", err) < 0)
		return -1;
	vtr_nsswitch_parse(out, groups ? "group" : "passwd", text ? text : "", len);
	return 0;
}

/* ---------------------------------------------------------------------------------------------------------- userdb */

/* Four hexadecimal digits; -1: they are none. */
static int32_t userdb_hex(const char *p, size_t len)
{
	int32_t n = 0;

	for (size_t i = 0; i < 4; i++) {
		int digit = vtr_hex_digit(i < len ? p[i] : 0);

		if (digit < 0)
			return -1;
		n = n << 4 | digit;
	}
	return n;
}

/* A string of JSON (RFC 8259, section 7), which stays as it is where an escape is none. */
static void userdb_unescape(struct vtr_str *out, struct vtr_span s)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";

	for (size_t i = 0; i < s.len; i++) {
		const char *p = s.p + i;
		size_t left = s.len - i;
		int32_t cp, low;
		char utf8[4];

		if (*p != '\\' || left < 2) {
			vtr_str_put(out, p, 1);
		} else if (p[1] != 'u') {
			const char *at = p[1] ? strchr(from, p[1]) : NULL;

			vtr_str_put(out, at ? &to[at - from] : &p[1], 1);
			i++;
		} else {
			cp = userdb_hex(p + 2, left - 2);
			low = vtr_utf16_is_high((uint32_t)cp) && left >= 12 && p[6] == '\\' && p[7] == 'u'
				      ? userdb_hex(p + 8, left - 8)
				      : -1;
			if (vtr_utf16_is_low((uint32_t)low)) {
				cp = (int32_t)vtr_utf16_pair((uint32_t)cp, (uint32_t)low);
				i += 6;
			} else if (vtr_utf16_is_high((uint32_t)cp) || vtr_utf16_is_low((uint32_t)cp)) {
				cp = VTR_UTF16_BAD; /* half of a pair */
			}
			if (cp < 0) {
				vtr_str_put(out, p, 1);
				continue;
			}
			vtr_str_put(out, utf8, vtr_utf8_put(utf8, (uint32_t)cp));
			i += 5;
		}
	}
}

static int userdb_scalar(void *arg, const struct vtr_span *keys, size_t n, struct vtr_span value, uint64_t item,
			 struct vtr_error *err)
{
	struct vtr_userdb *u = arg;
	const struct {
		const char *key;
		struct vtr_span *to;
	} texts[VTR_USERDB_TEXTS] = {
		{ "userName", &u->name }, { "groupName", &u->name },	 { "realName", &u->gecos },
		{ "shell", &u->shell },	  { "homeDirectory", &u->home }, { "uid", &u->uid },
		{ "gid", &u->gid },	  { "locked", &u->locked },	 { "passwordChangeNow", &u->must_change }
	};

	(void)item, (void)err;
	if (n == 2 && vtr_span_is(keys[0], "privileged") && vtr_span_is(keys[1], "hashedPassword") && u->hash.len == 0)
		u->hash = value;
	if (n == 1 && vtr_span_is(keys[0], "members") && value.len > 0) {
		struct vtr_str one = { 0 };

		userdb_unescape(&one, value);
		vtr_list_put(&u->members, (struct vtr_span){ one.p, one.len });
		u->members.oom = u->members.oom || one.oom;
		vtr_str_done(&one);
	}
	for (size_t i = 0; n == 1 && i < VTR_COUNT(texts); i++) {
		if (!vtr_span_is(keys[0], texts[i].key))
			continue;
		*texts[i].to = value;
		if (value.len > 0 && memchr(value.p, '\\', value.len)) {
			u->unescaped[i].len = 0;
			userdb_unescape(&u->unescaped[i], value);
			*texts[i].to = (struct vtr_span){ u->unescaped[i].p, u->unescaped[i].len };
		}
	}
	return 0;
}

void vtr_userdb_done(struct vtr_userdb *u)
{
	vtr_str_done(&u->members);
	for (size_t i = 0; i < VTR_COUNT(u->unescaped); i++)
		vtr_str_done(&u->unescaped[i]);
}

int vtr_userdb_parse(struct vtr_userdb *u, const char *text, size_t len, struct vtr_error *err)
{
	uint64_t skipped;
	int rc = vtr_yaml_parse(&skipped, text, len, userdb_scalar, u, err);

	u->skipped += rc == 0 ? skipped : 0;
	for (size_t i = 0; i < VTR_COUNT(u->unescaped); i++)
		if (u->unescaped[i].oom)
			return vtr_fail(err, VTR_ENOMEM, "a record of userdb");
	return rc;
}

struct userdb_listing {
	const struct vtr_paths *memberships; /* "/DIR/USER:GROUP.membership" */
	bool groups;
	vtr_userdb_fn *fn;
	void *arg;
};

/* nss-systemd(8): a file "USER:GROUP.membership" makes the user a member, whatever is in it. */
static int userdb_members(struct vtr_userdb *u, const struct vtr_paths *memberships, struct vtr_error *err)
{
	for (size_t i = 0; i < memberships->n; i++) {
		struct vtr_span name = vtr_span_of(memberships->v[i]), group, rest, line;
		size_t colon = vtr_span_find(name, ':');
		struct vtr_str one = { 0 };
		bool there = false;

		group = vtr_span_skip(name, colon + 1);
		group.len -= strlen(".membership");
		if (group.len != u->name.len || memcmp(group.p, u->name.p, group.len) != 0)
			continue;
		name.len = colon;
		vtr_list_put(&one, name);
		rest = (struct vtr_span){ u->members.p, u->members.len };
		while (vtr_span_line(&line, &rest))
			there = there || (line.len == one.len && memcmp(line.p, one.p, one.len) == 0);
		if (!there)
			vtr_list_put(&u->members, name);
		u->members.oom = u->members.oom || one.oom;
		vtr_str_done(&one);
	}
	return u->members.oom ? vtr_fail(err, VTR_ENOMEM, "members") : 0;
}

static int userdb_listed(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	const struct userdb_listing *l = arg;
	struct vtr_span name = vtr_span_of(e->name);
	VTR_FREE char *text = NULL, *secret = NULL, *path = NULL;
	struct vtr_userdb u = { .path = e->path };
	struct vtr_str s = { 0 };
	size_t len, secret_len;
	int there;

	/* A symlink is the record under its number. systemd-homed's own are whole in one file. */
	if (e->type != VTR_TYPE_FILE ||
	    !(vtr_span_ends(name, l->groups ? ".group" : ".user") || (!l->groups && vtr_span_ends(name, ".identity"))))
		return 0;
	vtr_str_putf(&s, "%s-privileged", e->path);
	path = vtr_str_take(&s, err);
	there = path ? vtr_os_text_slurp(&text, &len, os, e->path, err) : -1;
	if (there <= 0)
		return there;
	there = vtr_os_text_slurp(&secret, &secret_len, os, path, err);
	if (there >= 0)
		there = vtr_userdb_parse(&u, text, len, err);
	if (there >= 0 && secret)
		there = vtr_userdb_parse(&u, secret, secret_len, err);
	if (there >= 0 && u.skipped > 0)
		vtr_os_warn(os, e->path, VTR_ECORRUPT, "%" PRIu64 " lines are no JSON, and are left out", u.skipped);
	if (there >= 0 && (u.name.len == 0 || (l->groups ? u.gid : u.uid).len == 0))
		vtr_os_warn(os, e->path, VTR_ECORRUPT, "no %s, or no number", l->groups ? "groupName" : "userName");
	else if (there >= 0 && userdb_members(&u, l->memberships, err) < 0)
		there = -1;
	else if (there >= 0)
		there = l->fn(l->arg, os, &u, err);
	vtr_userdb_done(&u);
	return there < 0 ? -1 : 0;
}

static int userdb_membership(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct vtr_span name = vtr_span_of(e->name);

	if (!vtr_span_ends(name, ".membership") || vtr_span_find(name, ':') == name.len || e->type == VTR_TYPE_DIR)
		return 0;
	return vtr_paths_add(arg, os, name, err);
}

int vtr_userdb_each(struct vtr_os *os, bool groups, vtr_userdb_fn *fn, void *arg, struct vtr_error *err)
{
	static const char *const dirs[] = { "/etc/userdb", "/run/userdb", "/usr/local/lib/userdb", "/usr/lib/userdb",
					    "/var/lib/systemd/home" };
	struct vtr_paths memberships = { .n = 0 };
	struct userdb_listing l = { .memberships = &memberships, .groups = groups, .fn = fn, .arg = arg };
	int rc = 0;

	for (size_t i = 0; rc == 0 && groups && i < VTR_COUNT(dirs); i++)
		rc = vtr_os_list(os, dirs[i], userdb_membership, &memberships, err);
	for (size_t i = 0; rc == 0 && i < VTR_COUNT(dirs); i++)
		rc = vtr_os_list(os, dirs[i], userdb_listed, &l, err);
	vtr_paths_done(&memberships);
	return rc;
}

/* ----------------------------------------------------------------------------------------------- names and numbers */

struct accounts_name {
	char *name;
	uint32_t id;
	size_t at; /* in the order of the databases */
};

struct vtr_accounts {
	struct accounts_name *v; /* by number, then as the databases have them */
	size_t n, cap;
};

static int accounts_add(struct vtr_accounts *a, struct vtr_os *os, struct vtr_span name, struct vtr_span number,
			struct vtr_error *err)
{
	uint64_t id;

	if (name.len == 0 || memchr(name.p, 0, name.len) || !vtr_span_u64(&id, number, UINT32_MAX))
		return 0; /* inspection reports it */
	if (VTR_OVER(os->ctx, records, a->n + 1, "users or groups", err) < 0 || !VTR_GROW(a->v, a->n, a->cap, err))
		return -1;
	a->v[a->n] = (struct accounts_name){ vtr_strndup(name.p, name.len, err), (uint32_t)id, a->n };
	return a->v[a->n].name ? (a->n++, 0) : -1;
}

/* "NAME:PASSWORD:ID:…" is what passwd(5) and group(5) have in common. */
static int accounts_file_read(struct vtr_accounts *a, struct vtr_os *os, const char *path, struct vtr_error *err)
{
	VTR_FREE char *text = NULL;
	struct vtr_span rest, line, field[3];
	size_t len;
	int there = path ? vtr_os_text_slurp(&text, &len, os, path, err) : 0;

	if (there <= 0)
		return there;
	rest = (struct vtr_span){ text, len };
	while (vtr_span_line(&line, &rest)) {
		size_t n = 0;

		line = vtr_span_trim(line);
		if (line.len == 0 || *line.p == '#' || *line.p == '+' || *line.p == '-')
			continue;
		while (n < VTR_COUNT(field) && vtr_span_field(&field[n], &line, ':'))
			n++;
		if (n == VTR_COUNT(field) && accounts_add(a, os, field[0], field[2], err) < 0)
			return -1;
	}
	return 0;
}

struct accounts_userdb {
	struct vtr_accounts *a;
	bool groups;
};

static int accounts_userdb_add(void *arg, struct vtr_os *os, const struct vtr_userdb *u, struct vtr_error *err)
{
	const struct accounts_userdb *to = arg;

	return accounts_add(to->a, os, u->name, to->groups ? u->gid : u->uid, err);
}

static int accounts_compare(const void *pa, const void *pb)
{
	const struct accounts_name *a = pa, *b = pb;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

int vtr_accounts_read(struct vtr_accounts **out, struct vtr_ctx *ctx, struct vtr_tree *t, bool groups,
		      struct vtr_error *err)
{
	char root[] = "system";
	struct vtr_os os = { .ctx = ctx, .root = root, .tree = t }; /* borrowed: what reads files wants one */
	struct vtr_account_order order;
	struct vtr_accounts *a = vtr_calloc(1, sizeof(*a), err);
	struct accounts_userdb userdb = { a, groups };
	int rc = a ? vtr_nsswitch_read(&order, &os, groups, err) : -1;

	for (size_t i = 0; rc == 0 && i < order.n; i++) {
		const struct vtr_account_source *s = &vtr_account_sources[order.sources[i]];

		rc = s->passwd ? accounts_file_read(a, &os, groups ? s->group : s->passwd, err)
			       : vtr_userdb_each(&os, groups, accounts_userdb_add, &userdb, err);
	}
	vtr_records_free(&os);
	if (rc < 0) {
		vtr_accounts_free(a);
		return -1;
	}
	if (a->n > 0)
		qsort(a->v, a->n, sizeof(*a->v), accounts_compare);
	*out = a;
	return 0;
}

const char *vtr_accounts_name(const struct vtr_accounts *a, uint32_t id)
{
	size_t low = 0, high = a->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (a->v[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < a->n && a->v[low].id == id ? a->v[low].name : NULL;
}

bool vtr_accounts_id(uint32_t *id, const struct vtr_accounts *a, const char *name)
{
	const struct accounts_name *first = NULL;

	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i].name, name) == 0 && (!first || a->v[i].at < first->at))
			first = &a->v[i];
	if (first)
		*id = first->id;
	return first != NULL;
}

void vtr_accounts_free(struct vtr_accounts *a)
{
	for (size_t i = 0; a && i < a->n; i++)
		free(a->v[i].name);
	if (a)
		free(a->v);
	free(a);
}
