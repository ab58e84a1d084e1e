/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a system has many of, as inspect shows it: all of it as JSON, the interesting ones as text. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/records.h"

#define RECORDS_WIDTH 100u
#define RECORDS_INDENT 16u /* where values start */
#define RECORDS_NAMES 24u  /* of one kind, in the text */

/* For "%.*s": at most n bytes of a text, which is escaped, without a part of an escape. */
#define CUT(text, n) (int)vtr_escape_cut(text, n), text

/* ----------------------------------------------------------------------------------------------------------- JSON */

static void records_set(json_t *o, const struct vtr_member *m, bool escaped)
{
	switch (m->kind) {
	case VTR_MEMBER_NUMBER:
		json_object_set_new(o, m->key, cli_json_u64(strtoull(m->value, NULL, 10)));
		break;
	case VTR_MEMBER_BOOL:
		json_object_set_new(o, m->key, json_boolean(strcmp(m->value, "true") == 0));
		break;
	case VTR_MEMBER_LIST:
		cli_json_set_list(o, m->key, m->value, escaped);
		break;
	default:
		cli_json_set_fact(o, m->key, m->value, escaped);
		break;
	}
}

json_t *cli_record_json(const struct vtr_record *r, bool escaped)
{
	json_t *o = json_object();

	for (size_t m = 0; m < r->n; m++)
		records_set(o, &r->members[m], escaped);
	return o;
}

void cli_records_json(struct cli_stream *s, const struct vtr_os *os)
{
	bool escaped = cli_json_is_escaped(os);
	const char *kind;

	for (size_t k = 0; (kind = vtr_record_kind(k)); k++) {
		const struct vtr_record *r;

		cli_stream_begin(s, kind, '[');
		for (size_t i = 0; (r = vtr_os_record(os, kind, i)); i++) {
			json_t *e = cli_record_json(r, escaped), *source = json_object();

			cli_json_set(source, "device", r->device);
			cli_json_set_fact(source, "path", r->path, escaped);
			cli_json_set_fact(source, "key", r->reg_key, escaped);
			json_object_set_new(e, "source", source);
			cli_stream_put(s, NULL, e);
		}
		cli_stream_end(s);
	}
}

/* ----------------------------------------------------------------------------------------------------------- text */

/* A line of names with a title, folded at words' ends. */
struct records_line {
	const char *title;
	size_t column, names;
	const char *separator; /* before the next name */
};

static void records_put(struct records_line *l, const char *text)
{
	size_t len = strlen(text);

	if (l->column == 0) {
		printf("  %-13s ", l->title);
		l->column = RECORDS_INDENT;
	} else if (l->column + len + 2 > RECORDS_WIDTH) {
		printf("%s\n%*s", l->separator ? l->separator : "", (int)RECORDS_INDENT, "");
		l->column = RECORDS_INDENT;
	} else {
		l->column += (size_t)printf("%s ", l->separator ? l->separator : "");
	}
	fputs(text, stdout);
	l->column += len;
	l->separator = NULL;
}

static void records_putf(struct records_line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void records_putf(struct records_line *l, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	records_put(l, text);
}

/* One of a list. After the first so many, the others are counted by records_end(). */
static void records_name(struct records_line *l, const char *text)
{
	if (!text || l->names++ >= RECORDS_NAMES)
		return;
	records_put(l, text);
	l->separator = ",";
}

static void records_end(struct records_line *l)
{
	if (l->names > RECORDS_NAMES)
		records_putf(l, "%zu more", l->names - RECORDS_NAMES);
	if (l->column > 0)
		putchar('\n');
}

static size_t records_count(const struct vtr_os *os, const char *kind)
{
	size_t n = 0;

	while (vtr_os_record(os, kind, n))
		n++;
	return n;
}

static bool records_is(const struct vtr_record *r, const char *key, const char *value)
{
	const char *v = vtr_record_member(r, key);

	return v && strcmp(v, value) == 0;
}

/* Whether somebody can log in: a shell that is one, and a password or a key; of Windows, who is not shut out. */
static bool records_login_is(const struct vtr_record *r)
{
	const char *shell = vtr_record_member(r, "shell");
	const char *slash = shell ? strrchr(shell, '/') : NULL, *base = slash ? slash + 1 : "";
	const char *keys = vtr_record_member(r, "authorized_keys");

	if (vtr_record_member(r, "sid"))
		return !records_is(r, "disabled", "true") && !records_is(r, "locked", "true");
	if (strcmp(base, "nologin") == 0 || strcmp(base, "false") == 0 || strcmp(base, "sync") == 0 ||
	    strcmp(base, "halt") == 0 || strcmp(base, "shutdown") == 0)
		return false;
	return !records_is(r, "locked", "true") || (keys && strcmp(keys, "0") != 0);
}

static void records_users_print(const struct vtr_os *os)
{
	struct records_line l = { .title = "users" };
	const struct vtr_record *r;
	size_t n = records_count(os, "users"), logins = 0;

	if (n == 0)
		return;
	for (size_t i = 0; (r = vtr_os_record(os, "users", i)); i++)
		logins += records_login_is(r);
	records_putf(&l, "%zu, of whom %zu can log in%s", n, logins, logins ? ":" : "");
	for (size_t i = 0; (r = vtr_os_record(os, "users", i)); i++) {
		const char *keys = vtr_record_member(r, "authorized_keys"), *name = vtr_record_member(r, "name");
		char text[160];

		if (!records_login_is(r))
			continue;
		snprintf(text, sizeof(text), "%.*s", CUT(name ? name : "", 80));
		if (keys && strcmp(keys, "0") != 0)
			snprintf(text, sizeof(text), "%.*s (%.*s key%s)", CUT(name ? name : "", 80), CUT(keys, 20),
				 strcmp(keys, "1") == 0 ? "" : "s");
		else if (records_is(r, "has_password", "false") && records_is(r, "locked", "false"))
			snprintf(text, sizeof(text), "%.*s (no password)", CUT(name ? name : "", 80));
		else if (records_is(r, "administrator", "true"))
			snprintf(text, sizeof(text), "%.*s (administrator)", CUT(name ? name : "", 80));
		records_name(&l, text);
	}
	records_end(&l);
}

/* A list's values with blanks between them. */
static void records_flat(char *out, size_t size, const char *values)
{
	snprintf(out, size, "%s", values ? values : "");
	for (char *p = out; *p; p++)
		if (*p == '\n')
			*p = ' ';
}

static void records_network_print(const struct vtr_os *os)
{
	struct records_line l = { .title = "network" };
	const struct vtr_record *r;

	for (size_t i = 0; (r = vtr_os_record(os, "interfaces", i)); i++) {
		const char *method = vtr_record_member(r, "method"), *six = vtr_record_member(r, "method6");
		const char *name = vtr_record_member(r, "name"), *how;
		char text[200], addresses[120];

		if (records_is(r, "method", "loopback") || records_is(r, "name", "lo"))
			continue;
		records_flat(addresses, sizeof(addresses), vtr_record_member(r, "addresses"));
		how = addresses[0] ? addresses : method ? method : six ? six : "(not configured)";
		snprintf(text, sizeof(text), "%.*s %.*s", CUT(name ? name : "?", 40), CUT(how, 120));
		records_name(&l, text);
	}
	records_end(&l);
}

static void records_kernels_print(const struct vtr_os *os)
{
	struct records_line l = { .title = "kernels" };
	const struct vtr_record *r;

	for (size_t i = 0; (r = vtr_os_record(os, "kernels", i)); i++) {
		const char *version = vtr_record_member(r, "version");
		char text[200];

		version = version ? version : vtr_record_member(r, "path");
		snprintf(text, sizeof(text), "%.*s%s", CUT(version, 120),
			 vtr_record_member(r, "modules") ? "" : " (no modules)");
		records_name(&l, text);
	}
	records_end(&l);
}

/* Names of a kind whose member has this value; value NULL: all. count: before them, how many. */
static void records_names_print(const struct vtr_os *os, const char *title, const char *kind, const char *name,
				const char *key, const char *value, bool count)
{
	struct records_line l = { .title = title };
	const struct vtr_record *r;
	const char *before = NULL;
	size_t n = 0;

	for (size_t i = 0; (r = vtr_os_record(os, kind, i)); i++)
		n += !value || records_is(r, key, value);
	if (n == 0)
		return;
	if (count)
		records_putf(&l, "%zu:", n);
	for (size_t i = 0; (r = vtr_os_record(os, kind, i)); i++) {
		const char *v = vtr_record_member(r, name);

		if ((value && !records_is(r, key, value)) || !v || (before && strcmp(before, v) == 0))
			continue;
		records_name(&l, v);
		before = v;
	}
	records_end(&l);
}

/* Whether an enabled service has something that starts it: what systemd enables may be masked where it is wanted. */
static bool records_started(const struct vtr_record *r)
{
	static const char *const lists[] = { "wanted_by", "required_by", "upheld_by", "aliases" };

	if (!records_is(r, "state", "enabled"))
		return false;
	if (!records_is(r, "manager", "systemd"))
		return true;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const char *list = vtr_record_member(r, lists[i]);

		if (list && *list)
			return true;
	}
	return false;
}

static void records_services_print(const struct vtr_os *os)
{
	struct records_line l = { .title = "services" };
	const struct vtr_record *r;
	size_t n = 0;

	for (size_t i = 0; (r = vtr_os_record(os, "services", i)); i++)
		n += records_started(r);
	if (n == 0)
		return;
	records_putf(&l, "%zu:", n);
	for (size_t i = 0; (r = vtr_os_record(os, "services", i)); i++)
		if (records_started(r))
			records_name(&l, vtr_record_member(r, "name"));
	records_end(&l);
}

static void records_sudo_print(const struct vtr_os *os)
{
	struct records_line l = { .title = "sudo" };
	const struct vtr_record *r;

	for (size_t i = 0; (r = vtr_os_record(os, "sudoers", i)); i++) {
		const char *who = vtr_record_member(r, "who");
		char text[120];

		if (!who)
			continue;
		snprintf(text, sizeof(text), "%.*s%s", CUT(who, 80),
			 records_is(r, "nopasswd", "true") ? " (without a password)" : "");
		records_name(&l, text);
	}
	records_end(&l);
}

/* The first values of a list, of each record that is not switched off. */
static void records_firsts_print(const struct vtr_os *os, const char *title, const char *kind, const char *list)
{
	struct records_line l = { .title = title };
	const struct vtr_record *r;
	char before[120] = "", text[120];

	for (size_t i = 0; (r = vtr_os_record(os, kind, i)); i++) {
		const char *values = vtr_record_member(r, list);
		size_t len = values ? strcspn(values, "\n") : 0;

		if (len == 0 || records_is(r, "enabled", "false"))
			continue;
		snprintf(text, sizeof(text), "%.*s",
			 (int)vtr_escape_cut(values, len < sizeof(text) ? len : sizeof(text) - 1), values);
		if (strcmp(text, before) != 0)
			records_name(&l, text);
		memcpy(before, text, sizeof(before));
	}
	records_end(&l);
}

/* Drivers for virtual machines, whose files are there. */
static void records_drivers_print(const struct vtr_os *os)
{
	struct records_line l = { .title = "virtual" };
	const struct vtr_record *r;
	char text[160];

	for (size_t i = 0; (r = vtr_os_record(os, "drivers", i)); i++) {
		const char *platform = vtr_record_member(r, "platform"), *name = vtr_record_member(r, "name");
		const char *start = vtr_record_member(r, "start");

		if (!platform || !name || !start || !records_is(r, "present", "true"))
			continue;
		snprintf(text, sizeof(text), "%.*s (%.*s, %.*s)", CUT(name, 80), CUT(platform, 20), CUT(start, 20));
		records_name(&l, text);
	}
	records_end(&l);
}

static void records_count_print(const struct vtr_os *os, const char *title, const char *kind)
{
	size_t n = records_count(os, kind);

	if (n > 0)
		printf("  %-13s %zu\n", title, n);
}

void cli_records_print(const struct vtr_os *os)
{

	records_kernels_print(os);
	records_users_print(os);
	records_sudo_print(os);
	records_services_print(os);
	records_names_print(os, "masked", "services", "name", "state", "masked", true);
	records_count_print(os, "drivers", "drivers");
	records_drivers_print(os);
	records_count_print(os, "cron jobs", "cron");
	records_count_print(os, "tasks", "tasks");
	records_names_print(os, "autoruns", "autoruns", "name", NULL, NULL, true);
	records_names_print(os, "hotfixes", "hotfixes", "id", "state", "installed", true);
	records_count_print(os, "app packages", "app_packages");
	records_network_print(os);
	records_names_print(os, "ssh host keys", "ssh_host_keys", "type", NULL, NULL, false);
	records_firsts_print(os, "containers", "container_images", "names");
	records_names_print(os, "snaps", "snaps", "name", NULL, NULL, true);
	records_names_print(os, "flatpaks", "flatpaks", "name", NULL, NULL, true);
	records_firsts_print(os, "repositories", "repositories", "uris");
}
