/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Users and groups: passwd(5), shadow(5), group(5), records of systemd's userdb, the keys that sshd(8) would let in,
 * lastlog(8).
 *
 * Of a password it is told whether there is one and whether it is locked, as passwd(1) -S tells it. The hash is never
 * kept.
 */
#include <stdlib.h>

#include "base/checked.h"
#include "fs/fs.h"
#include "inspect/accounts.h"

#define USERS_DAY 86400

/* --------------------------------------------------------------------------------------------------------- shadow */

enum { USERS_LOCKED = 1 << 0, USERS_HASH = 1 << 1, USERS_CHANGED = 1 << 2, USERS_EXPIRES = 1 << 3 };

struct users_shadow {
	struct vtr_span name; /* in the file's text */
	unsigned what;
	uint64_t changed, expires; /* days since 1970 */
};

struct users {
	struct users_shadow *shadow; /* sorted by name, each once */
	size_t n, cap;
	bool shadow_lost; /* there is a shadow, and it cannot be read */
	uint64_t lastlog_size;
	unsigned lastlog_record; /* bytes; 0: there is no lastlog */
};

static int users_compare(const void *pa, const void *pb)
{
	const struct users_shadow *a = pa, *b = pb;
	int c = memcmp(a->name.p, b->name.p, VTR_MIN(a->name.len, b->name.len));

	return c != 0 ? c : (a->name.len > b->name.len) - (a->name.len < b->name.len);
}

static int users_order(const void *pa, const void *pb)
{
	const struct users_shadow *a = pa, *b = pb;
	int c = users_compare(a, b);

	return c != 0 ? c : (a->name.p > b->name.p) - (a->name.p < b->name.p);
}

/*
 * Whether crypt(3) could have made it, by the forms that crypt(5) lists: "$ID$…"; "_" and 19 characters of BSDi's; 13 of
 * the traditional one, and 11 more for each 8 of a long password; all of printable ASCII but for some.
 */
static bool users_hash_is(struct vtr_span h)
{
	static const char never[] = " :;*!\\";

	for (size_t i = 0; i < h.len; i++)
		if (h.p[i] <= 0x20 || h.p[i] >= 0x7f || memchr(never, h.p[i], sizeof(never) - 1))
			return false;
	if (h.len > 0 && *h.p == '$') {
		size_t id = vtr_span_find(vtr_span_skip(h, 1), '$');

		return id > 0 && h.len > id + 2 + 8;
	}
	for (size_t i = h.len > 0 && *h.p == '_'; i < h.len; i++)
		if (h.p[i] != '.' && h.p[i] != '/' && !(h.p[i] >= '0' && h.p[i] <= '9') &&
		    !(h.p[i] >= 'A' && h.p[i] <= 'Z') && !(h.p[i] >= 'a' && h.p[i] <= 'z'))
			return false;
	return h.len > 0 && *h.p == '_' ? h.len == 20 : h.len >= 13 && (h.len - 13) % 11 == 0;
}

/*
 * What a password field says. shadow(5): what crypt(3) cannot have made lets nobody in, "x" and "NP" as well as "!" and
 * "*"; only an empty field wants no password. Behind the "!" that passwd(1) -l puts in front there may be a hash.
 */
static unsigned users_password(struct vtr_span field)
{
	struct vtr_span hash = field;

	if (field.len == 0)
		return 0;
	while (hash.len > 0 && (*hash.p == '!' || *hash.p == '*'))
		hash = vtr_span_skip(hash, 1);
	if (!users_hash_is(hash))
		return USERS_LOCKED;
	return hash.len < field.len ? USERS_LOCKED | USERS_HASH : USERS_HASH;
}

static int users_shadow_parse(struct users *u, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line, field;
	size_t n = 0;

	while (vtr_span_line(&line, &rest)) {
		struct users_shadow s = { .what = 0 };

		for (unsigned i = 0; i < 8 && vtr_span_field(&field, &line, ':'); i++) {
			if (i == 0)
				s.name = field;
			else if (i == 1)
				s.what |= users_password(field);
			else if (i == 2 && vtr_span_u64(&s.changed, field, INT32_MAX))
				s.what |= USERS_CHANGED;
			else if (i == 7 && vtr_span_u64(&s.expires, field, INT32_MAX))
				s.what |= USERS_EXPIRES;
		}
		if (s.name.len == 0)
			continue;
		if (!VTR_GROW(u->shadow, u->n, u->cap, err))
			return -1;
		u->shadow[u->n++] = s;
	}
	if (u->n == 0)
		return 0;
	qsort(u->shadow, u->n, sizeof(*u->shadow), users_order);
	/* Of lines with one name getspnam(3) finds the first. */
	for (size_t i = 1; i < u->n; i++)
		if (users_compare(&u->shadow[n], &u->shadow[i]) != 0)
			u->shadow[++n] = u->shadow[i];
	u->n = n + 1;
	return 0;
}

/* ----------------------------------------------------------------------------------------------- several databases */

/* The names of databases that were read before: the first one that has a name is what it means. */
struct users_seen {
	struct vtr_span *v; /* sorted, in the texts */
	size_t n, cap;
	char *texts[VTR_ACCOUNT_SOURCES];
	size_t n_texts;
};

static int users_seen_order(const void *pa, const void *pb)
{
	const struct users_shadow a = { .name = *(const struct vtr_span *)pa },
				  b = { .name = *(const struct vtr_span *)pb };

	return users_compare(&a, &b);
}

static bool users_seen_has(const struct users_seen *s, struct vtr_span name)
{
	return s && s->n > 0 && bsearch(&name, s->v, s->n, sizeof(name), users_seen_order);
}

/* The names of a text, which becomes theirs. */
static int users_seen_add(struct users_seen *s, struct vtr_os *os, char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line, name;

	s->texts[s->n_texts++] = text;
	while (vtr_span_line(&line, &rest)) {
		if (!vtr_span_field(&name, &line, ':') || name.len == 0)
			continue;
		if (VTR_OVER(os->ctx, records, s->n + 1, "users or groups", err) < 0 ||
		    !VTR_GROW(s->v, s->n, s->cap, err))
			return -1;
		s->v[s->n++] = name;
	}
	if (s->n > 0)
		qsort(s->v, s->n, sizeof(*s->v), users_seen_order);
	return 0;
}

static void users_seen_done(struct users_seen *s)
{
	for (size_t i = 0; i < s->n_texts; i++)
		free(s->texts[i]);
	free(s->v);
}

/* ---------------------------------------------------------------------------------------------------------- users */

/* Lines of authorized_keys(5) that are keys. */
static uint64_t users_keys(const char *text, size_t len)
{
	struct vtr_span rest = { text, len }, line;
	uint64_t n = 0;

	while (vtr_span_line(&line, &rest)) {
		line = vtr_span_trim(line);
		n += line.len > 0 && *line.p != '#';
	}
	return n;
}

static int users_keys_add(struct vtr_draft *d, struct vtr_span home, struct vtr_error *err)
{
	static const char *const names[] = { "/.ssh/authorized_keys", "/.ssh/authorized_keys2" };
	uint64_t n = 0;

	if (!d->os->tree || home.len == 0 || *home.p != '/' || home.len > d->os->ctx->lim.path_len ||
	    memchr(home.p, 0, home.len))
		return 0;
	for (size_t i = 0; i < VTR_COUNT(names); i++) {
		VTR_FREE char *path = NULL, *text = NULL;
		struct vtr_str s = { 0 };
		size_t len;
		int there;

		vtr_str_put(&s, home.p, home.len);
		vtr_str_puts(&s, names[i]);
		path = vtr_str_take(&s, err);
		there = path ? vtr_os_text_slurp(&text, &len, d->os, path, err) : -1;
		if (there < 0)
			return -1;
		if (there > 0)
			n += users_keys(text, len);
	}
	vtr_draft_number(d, "authorized_keys", n);
	return 0;
}

/*
 * struct lastlog of lastlog.h: a time, 32 bytes of terminal, 256 of host. The time has 4 bytes, or 8 where the C library
 * says so (AArch64 and s390x): then the file is made of 296 bytes.
 */
static int users_lastlog_open(struct users *u, struct vtr_os *os, struct vtr_error *err)
{
	struct vtr_stat st;
	int there = os->tree ? vtr_os_look(NULL, &st, os, "/var/log/lastlog", 0, err) : 0;

	if (there <= 0 || st.type != VTR_TYPE_FILE || st.size == 0)
		return there < 0 ? -1 : 0;
	u->lastlog_size = st.size;
	u->lastlog_record = st.size % 292 != 0 && st.size % 296 == 0 ? 296 : 292;
	return 0;
}

static int users_lastlog_add(const struct users *u, struct vtr_draft *d, uint64_t uid, struct vtr_error *err)
{
	uint8_t record[296];
	uint64_t off = uid * u->lastlog_record; /* uid has 32 bits */
	const uint8_t *host = record + u->lastlog_record - 256;
	ssize_t n;

	if (u->lastlog_record == 0 || !vtr_range_in(off, u->lastlog_record, u->lastlog_size))
		return 0;
	n = vtr_os_peek(record, u->lastlog_record, off, NULL, d->os, "/var/log/lastlog", err);
	if (n < (ssize_t)u->lastlog_record)
		return n < 0 ? -1 : 0;
	if (vtr_get_le32(record) == 0)
		return 0;
	vtr_draft_time(d, "last_login", vtr_get_le32(record), 0);
	vtr_draft_span(d, "last_login_from", (struct vtr_span){ (const char *)host, strnlen((const char *)host, 256) });
	return 0;
}

/* The line of shadow that has the name; NULL: none. */
static const struct users_shadow *users_shadow_find(const struct users *u, struct vtr_span name)
{
	struct users_shadow key = { .name = name };

	return u->n > 0 ? bsearch(&key, u->shadow, u->n, sizeof(key), users_compare) : NULL;
}

static int users_add(const struct users *u, struct vtr_os *os, const char *path, const struct vtr_span *field,
		     struct vtr_skipped *skipped, struct vtr_error *err)
{
	const struct users_shadow *s = users_shadow_find(u, field[0]);
	uint64_t uid, gid;
	struct vtr_draft d;

	if (!vtr_span_u64(&uid, field[2], UINT32_MAX) || !vtr_span_u64(&gid, field[3], UINT32_MAX)) {
		vtr_skip(skipped, "an ID that is no number of 32 bits");
		return 0;
	}
	vtr_draft_begin(&d, os, "users", path, err);
	vtr_draft_span(&d, "name", field[0]);
	vtr_draft_number(&d, "uid", uid);
	vtr_draft_number(&d, "gid", gid);
	vtr_draft_span(&d, "gecos", field[4]);
	vtr_draft_span(&d, "home", field[5]);
	/* passwd(5): an empty one is this. */
	vtr_draft_span(&d, "shell", field[6].len > 0 ? field[6] : vtr_span_of("/bin/sh"));
	/* Without its line in shadow, "x" is a password that nobody has. */
	if (s || !vtr_span_is(field[1], "x") || !u->shadow_lost) {
		unsigned what = s ? s->what : users_password(field[1]);

		vtr_draft_bool(&d, "locked", what & USERS_LOCKED);
		vtr_draft_bool(&d, "has_password", what & USERS_HASH);
		if (what & USERS_CHANGED && s->changed == 0)
			vtr_draft_bool(&d, "must_change", true);
		else if (what & USERS_CHANGED)
			vtr_draft_time(&d, "password_changed", (int64_t)s->changed * USERS_DAY, 0);
		if (what & USERS_EXPIRES)
			vtr_draft_time(&d, "expires", (int64_t)s->expires * USERS_DAY, 0);
	}
	if (users_keys_add(&d, field[5], err) < 0 || users_lastlog_add(u, &d, uid, err) < 0)
		return -1;
	return vtr_draft_end(&d);
}

/* False: the line is empty, a comment, or for NIS, with a plus or a minus. Blanks in front do not count. */
static bool users_line_is(struct vtr_span *line)
{
	while (line->len > 0 && (*line->p == ' ' || *line->p == '\t'))
		*line = vtr_span_skip(*line, 1);
	return line->len > 0 && *line->p != '#' && *line->p != '+' && *line->p != '-';
}

/* The fields of a line, of which the last may have colons; how many. */
static size_t users_fields(struct vtr_span *field, size_t max, struct vtr_span line)
{
	size_t n = 0;

	while (n + 1 < max && vtr_span_field(&field[n], &line, ':'))
		n++;
	if (line.p)
		field[n++] = line;
	return n;
}

static int users_passwd_each(const struct users *u, struct vtr_os *os, const char *path, const char *text, size_t len,
			     const struct users_seen *seen, struct vtr_error *err)
{
	struct vtr_skipped skipped = { .os = os, .path = path };
	struct vtr_span rest = { text, len }, line;

	while (vtr_span_line(&line, &rest)) {
		struct vtr_span field[7] = { 0 };
		size_t n;

		skipped.line++;
		if (!users_line_is(&line))
			continue;
		n = users_fields(field, VTR_COUNT(field), line);
		/* The C library takes a line that ends behind the numbers: what is missing is empty. */
		if (n < 4 || field[0].len == 0)
			vtr_skip(&skipped, n < 4 ? "fewer than 4 fields" : "no name");
		else if (!users_seen_has(seen, field[0]) && users_add(u, os, path, field, &skipped, err) < 0)
			return -1;
	}
	vtr_skip_end(&skipped);
	return 0;
}

static int users_passwd_parse(struct vtr_os *os, const char *path, const char *text, size_t len, const char *shadow,
			      size_t shadow_len, const struct users_seen *seen, struct vtr_error *err)
{
	struct users u = { .shadow_lost = !shadow };
	int rc = users_shadow_parse(&u, shadow, shadow_len, err);

	if (rc == 0)
		rc = users_lastlog_open(&u, os, err);
	if (rc == 0)
		rc = users_passwd_each(&u, os, path, text, len, seen, err);
	free(u.shadow);
	return rc;
}

int vtr_passwd_parse(struct vtr_os *os, const char *path, const char *text, size_t len, const char *shadow,
		     size_t shadow_len, struct vtr_error *err)
{
	return users_passwd_parse(os, path, text, len, shadow, shadow_len, NULL, err);
}

static int users_group_parse(struct vtr_os *os, const char *path, const char *text, size_t len,
			     const struct users_seen *seen, struct vtr_error *err)
{
	struct vtr_skipped skipped = { .os = os, .path = path };
	struct vtr_span rest = { text, len }, line;

	while (vtr_span_line(&line, &rest)) {
		struct vtr_span field[4] = { 0 };
		struct vtr_str members = { 0 };
		struct vtr_draft d;
		uint64_t gid;
		size_t n;
		int rc;

		skipped.line++;
		if (!users_line_is(&line))
			continue;
		n = users_fields(field, VTR_COUNT(field), line);
		if (n < 3 || field[0].len == 0 || !vtr_span_u64(&gid, field[2], UINT32_MAX)) {
			vtr_skip(&skipped, n < 3	       ? "fewer than 3 fields"
					   : field[0].len == 0 ? "no name"
							       : "an ID that is no number of 32 bits");
			continue;
		}
		if (users_seen_has(seen, field[0]))
			continue;
		vtr_list_put_words(&members, field[3], ',');
		vtr_draft_begin(&d, os, "groups", path, err);
		vtr_draft_span(&d, "name", field[0]);
		vtr_draft_number(&d, "gid", gid);
		vtr_draft_list(&d, "members", &members);
		rc = vtr_draft_end(&d);
		vtr_str_done(&members);
		if (rc < 0)
			return -1;
	}
	vtr_skip_end(&skipped);
	return 0;
}

int vtr_group_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	return users_group_parse(os, path, text, len, NULL, err);
}

/* A record of userdb: what it says of itself, without what only holds for some machines. */
static int users_userdb_add(void *arg, struct vtr_os *os, const struct vtr_userdb *u, struct vtr_error *err)
{
	const struct users_seen *seen = arg;
	unsigned what = u->hash.len > 0 ? users_password(u->hash) : USERS_LOCKED;
	uint64_t uid, gid;
	struct vtr_draft d;

	if (users_seen_has(seen, u->name))
		return 0;
	if (!vtr_span_u64(&uid, u->uid, UINT32_MAX) ||
	    !vtr_span_u64(&gid, u->gid.len > 0 ? u->gid : u->uid, UINT32_MAX)) {
		vtr_os_warn(os, u->path, VTR_ECORRUPT, "an ID that is no number of 32 bits");
		return 0;
	}
	vtr_draft_begin(&d, os, "users", u->path, err);
	vtr_draft_span(&d, "name", u->name);
	vtr_draft_number(&d, "uid", uid);
	vtr_draft_number(&d, "gid", gid);
	vtr_draft_span(&d, "gecos", u->gecos);
	vtr_draft_span(&d, "home", u->home);
	vtr_draft_span(&d, "shell", u->shell);
	vtr_draft_bool(&d, "locked", (what & USERS_LOCKED) || vtr_span_is(u->locked, "true"));
	vtr_draft_bool(&d, "has_password", what & USERS_HASH);
	if (vtr_span_is(u->must_change, "true"))
		vtr_draft_bool(&d, "must_change", true);
	if (u->home.len > 0 && users_keys_add(&d, u->home, err) < 0)
		return -1;
	return vtr_draft_end(&d);
}

static int users_userdb_group_add(void *arg, struct vtr_os *os, const struct vtr_userdb *u, struct vtr_error *err)
{
	const struct users_seen *seen = arg;
	struct vtr_draft d;
	uint64_t gid;

	if (users_seen_has(seen, u->name))
		return 0;
	if (!vtr_span_u64(&gid, u->gid, UINT32_MAX)) {
		vtr_os_warn(os, u->path, VTR_ECORRUPT, "an ID that is no number of 32 bits");
		return 0;
	}
	vtr_draft_begin(&d, os, "groups", u->path, err);
	vtr_draft_span(&d, "name", u->name);
	vtr_draft_number(&d, "gid", gid);
	vtr_draft_list(&d, "members", &u->members);
	return vtr_draft_end(&d);
}

/* The users of one source. */
static int users_source_read(struct users_seen *seen, struct vtr_os *os, const struct vtr_account_source *s,
			     struct vtr_error *err)
{
	VTR_FREE char *text = NULL, *shadow = NULL;
	size_t len, shadow_len = 0;
	int there = vtr_os_text_slurp(&text, &len, os, s->passwd, err);

	if (there > 0 && s->shadow)
		there = vtr_os_text_slurp(&shadow, &shadow_len, os, s->shadow, err);
	if (there < 0)
		return -1;
	if (!text)
		return 0;
	/* A shadow that is not there has no line for anybody. */
	if (!shadow) {
		there = s->shadow ? vtr_os_there(os, s->shadow, err) : 0;
		if (there < 0)
			return -1;
		shadow = there == 0 ? vtr_calloc(1, 1, err) : NULL;
		if (there == 0 && !shadow)
			return -1;
	}
	if (users_passwd_parse(os, s->passwd, text, len, shadow, shadow_len, seen, err) < 0)
		return -1;
	return users_seen_add(seen, os, vtr_steal(text), len, err);
}

static int users_databases_read(struct vtr_os *os, bool groups, struct vtr_error *err)
{
	struct users_seen seen = { .n = 0 };
	struct vtr_account_order order;
	int rc = vtr_nsswitch_read(&order, os, groups, err);

	for (size_t i = 0; rc == 0 && i < order.n; i++) {
		const struct vtr_account_source *s = &vtr_account_sources[order.sources[i]];
		VTR_FREE char *text = NULL;
		size_t len;

		if (!s->passwd) {
			rc = vtr_userdb_each(os, groups, groups ? users_userdb_group_add : users_userdb_add, &seen,
					     err);
			continue;
		}
		if (!groups) {
			rc = users_source_read(&seen, os, s, err);
			continue;
		}
		rc = vtr_os_text_slurp(&text, &len, os, s->group, err);
		if (rc > 0)
			rc = users_group_parse(os, s->group, text, len, order.merge ? NULL : &seen, err);
		if (rc == 0 && text)
			rc = users_seen_add(&seen, os, vtr_steal(text), len, err);
	}
	users_seen_done(&seen);
	return rc < 0 ? -1 : 0;
}

int vtr_users_read(struct vtr_os *os, struct vtr_error *err)
{
	if (users_databases_read(os, false, err) < 0 || users_databases_read(os, true, err) < 0)
		return -1;
	return vtr_sudoers_read(os, err);
}
