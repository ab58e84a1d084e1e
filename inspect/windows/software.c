/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is installed: programs that can be uninstalled, packages of the store, updates; and what is started by itself.
 * [Uninstall Registry Key]; names of the store's packages are those of "package identity"; states of updates are those of
 * CbsPackageState.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/fold.h"
#include "inspect/packages.h"
#include "inspect/windows/windows.h"

#define SW_VERSION "Microsoft\\Windows\\CurrentVersion"
#define SW_UNINSTALL SW_VERSION "\\Uninstall"

/* -------------------------------------------------------------------------------------------------------- programs */

enum { P_NAME, P_VERSION, P_PUBLISHER, P_DATE, P_SIZE, P_LOCATION, P_COMMENTS, P_COUNT };

static const char *const programs_values[P_COUNT] = {
	"DisplayName", "DisplayVersion", "Publisher", "InstallDate", "EstimatedSize", "InstallLocation", "Comments",
};

struct programs {
	struct vtr_packages *l;
	const char *arch, *user;
};

/* "20240506" as seconds since 1970; 0: no such day. */
static int64_t programs_day(const char *text)
{
	static const unsigned before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	unsigned y, m, d, years;
	int64_t days;

	if (!text || strspn(text, "0123456789") != 8 || text[8] != 0 || sscanf(text, "%4u%2u%2u", &y, &m, &d) != 3 ||
	    y < 1970 || m < 1 || m > 12 || d < 1 || d > 31)
		return 0;
	years = m > 2 ? y : y - 1; /* leap days that are over */
	days = (int64_t)(y - 1970) * 365 + (years / 4 - years / 100 + years / 400) -
	       (1969 / 4 - 1969 / 100 + 1969 / 400) + before[m - 1] + (d - 1);
	return days * 86400;
}

static struct vtr_bytes programs_bytes(const char *text)
{
	return (struct vtr_bytes){ text, text ? strlen(text) : 0 };
}

static int programs_key(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *name,
			struct vtr_error *err)
{
	struct programs *p = arg;
	struct win_value v[P_COUNT] = { 0 };
	struct vtr_package_bytes b = { 0 };
	int rc;

	for (size_t i = 0; i < P_COUNT; i++)
		v[i].name = programs_values[i];
	rc = vtr_win_values(v, P_COUNT, os, hive, key, err);
	if (rc == 0 && v[P_NAME].text && *v[P_NAME].text) { /* without a name it is not shown to anybody */
		b.name = programs_bytes(v[P_NAME].text);
		b.version = programs_bytes(v[P_VERSION].text);
		b.vendor = programs_bytes(v[P_PUBLISHER].text);
		b.summary = programs_bytes(v[P_COMMENTS].text);
		b.location = programs_bytes(v[P_LOCATION].text);
		b.arch = programs_bytes(p->arch);
		b.user = programs_bytes(p->user);
		b.id = programs_bytes(name);
		b.install_time = programs_day(v[P_DATE].text);
		if (v[P_SIZE].has_number && v[P_SIZE].number <= UINT32_MAX)
			b.installed_size = v[P_SIZE].number * 1024;
		rc = vtr_packages_add(p->l, &b, err);
	}
	vtr_win_values_done(v, P_COUNT);
	return rc;
}

static int programs_of(struct programs *p, struct vtr_os *os, const struct win_hive *hive, const char *path,
		       const char *arch, struct vtr_error *err)
{
	uint32_t key;
	int rc = vtr_win_key(&key, os, hive, 0, path, err);

	p->arch = arch;
	return rc > 0 ? vtr_win_each(os, hive, key, programs_key, p, err) : rc;
}

static int programs_user(void *arg, struct vtr_os *os, const struct win_hive *hive, const char *sid, const char *user,
			 struct vtr_error *err)
{
	struct programs p = *(struct programs *)arg;

	(void)sid;
	p.user = user;
	if (programs_of(&p, os, hive, "Software\\" SW_UNINSTALL, NULL, err) < 0)
		return -1;
	return programs_of(&p, os, hive, "Software\\Wow6432Node\\" SW_UNINSTALL, "i386", err);
}

int vtr_windows_packages_read(struct vtr_packages *l, struct vtr_error *err)
{
	struct programs p = { .l = l };
	struct win_hive *software = &l->os->windows->software;
	const struct vtr_fact *arch = vtr_os_fact(l->os, "arch");

	l->path = software->path;
	if (!software->h)
		return vtr_fail(err, VTR_ENOTFOUND, "%s: not there, or of no use", software->path);
	if (programs_of(&p, l->os, software, SW_UNINSTALL, arch ? arch->value : NULL, err) < 0 ||
	    programs_of(&p, l->os, software, "Wow6432Node\\" SW_UNINSTALL, "i386", err) < 0)
		return -1;
	return vtr_win_each_user(l->os, programs_user, &p, err);
}

/* -------------------------------------------------------------------------------------------------------- the store */

#define APPS_STORE SW_VERSION "\\Appx\\AppxAllUserStore"

/* "Microsoft.WindowsCalculator_10.2103.8.0_x64__8wekyb3d8bbwe": name, version, architecture, resource, publisher. */
static int apps_add(struct vtr_os *os, const struct win_hive *hive, const char *path, const char *full,
		    const char *scope, const char *sid, struct vtr_error *err)
{
	static const char *const keys[] = { "name", "version", "arch", "resource", "publisher_id" };
	struct vtr_span rest = vtr_span_of(full), part[5];
	struct vtr_draft d;
	size_t n = 0;

	while (n < 5 && vtr_span_field(&part[n], &rest, '_'))
		n++;
	if (n != 5 || rest.p) /* a setting, or a user */
		return 0;
	vtr_win_draft(&d, os, "app_packages", hive, path, err);
	vtr_draft_text(&d, "full_name", full);
	for (size_t i = 0; i < 5; i++)
		vtr_draft_span(&d, keys[i], part[i]);
	vtr_draft_text(&d, "scope", scope);
	vtr_draft_text(&d, "user_sid", sid);
	return vtr_draft_end(&d);
}

struct apps {
	const char *below, *scope, *sid;
};

static int apps_key(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *name,
		    struct vtr_error *err)
{
	const struct apps *a = arg;
	char path[WIN_DEPTH];

	(void)key;
	snprintf(path, sizeof(path), APPS_STORE "\\%.600s\\%.700s", a->below, name);
	return apps_add(os, hive, path, name, a->scope, a->sid, err);
}

static int apps_store_key(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *name,
			  struct vtr_error *err)
{
	struct apps a = { .below = name };

	(void)arg;
	if (vtr_ascii_casecmp(name, "Applications") == 0)
		a.scope = "provisioned";
	else if (vtr_ascii_casecmp(name, "InboxApplications") == 0)
		a.scope = "inbox";
	else if (strncmp(name, "S-1-", 4) == 0)
		a.scope = "user", a.sid = name;
	return a.scope ? vtr_win_each(os, hive, key, apps_key, &a, err) : 0;
}

int vtr_windows_apps_read(struct vtr_os *os, struct vtr_error *err)
{
	struct win_hive *software = &os->windows->software;
	uint32_t key;
	int rc = vtr_win_key(&key, os, software, 0, APPS_STORE, err);

	if (rc > 0)
		rc = vtr_win_each(os, software, key, apps_store_key, NULL, err);
	return rc < 0 ? -1 : 0;
}

/* --------------------------------------------------------------------------------------------------------- updates */

#define UPDATES_CBS SW_VERSION "\\Component Based Servicing\\Packages"
#define UPDATES_HOTFIX "Microsoft\\Windows NT\\CurrentVersion\\HotFix"
#define UPDATES_PRODUCTS "Microsoft\\Updates"

static const char *updates_state(uint64_t state)
{
	static const struct {
		unsigned state;
		const char *name;
	} names[] = {
		{ 0x00, "absent" },	{ 0x05, "uninstall pending" }, { 0x10, "resolving" },
		{ 0x20, "resolved" },	{ 0x30, "staging" },	       { 0x40, "staged" },
		{ 0x50, "superseded" }, { 0x60, "install pending" },   { 0x65, "partially installed" },
		{ 0x70, "installed" },	{ 0x80, "permanent" },
	};

	for (size_t i = 0; i < VTR_COUNT(names); i++)
		if (names[i].state == state)
			return names[i].name;
	return "unknown";
}

/* "KB5005565" somewhere in a text; false: there is none. */
static bool updates_number(char out[24], const char *text)
{
	for (const char *p = text; p && (p = vtr_ascii_casestr(p, "KB")); p += 2) {
		size_t n = strspn(p + 2, "0123456789");

		if (n < 5 || n > 9)
			continue;
		snprintf(out, 24, "KB%.*s", (int)n, p + 2);
		return true;
	}
	return false;
}

/* An update is a package whose parts are packages, too: "Package_for_KB976902~31bf3856ad364e35~amd64~~6.1.1.17514". */
static int updates_cbs_key(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *name,
			   struct vtr_error *err)
{
	static const char prefix[] = "Package_for_";
	struct win_value v[] = {
		{ .name = "CurrentState" },    { .name = "InstallTimeHigh" }, { .name = "InstallTimeLow" },
		{ .name = "InstallLocation" }, { .name = "InstallClient" },
	};
	char path[WIN_DEPTH], id[128];
	const char *tilde = strchr(name, '~'), *version = strrchr(name, '~');
	struct vtr_draft d;
	uint32_t nsec;
	int64_t sec;
	int rc;

	(void)arg;
	if (vtr_ascii_ncasecmp(name, prefix, sizeof(prefix) - 1) != 0 || !tilde)
		return 0;
	if (vtr_win_values(v, VTR_COUNT(v), os, hive, key, err) < 0)
		return -1;
	snprintf(id, sizeof(id), "%.*s", (int)VTR_MIN((size_t)(tilde - name) - (sizeof(prefix) - 1), sizeof(id) - 1),
		 name + sizeof(prefix) - 1);
	/* A monthly rollup has no number in its name, but the file that it came in has. */
	if (!updates_number(id, id) && v[3].text)
		updates_number(id, v[3].text);
	snprintf(path, sizeof(path), UPDATES_CBS "\\%.1000s", name);
	vtr_win_draft(&d, os, "hotfixes", hive, path, err);
	vtr_draft_text(&d, "id", id);
	vtr_draft_text(&d, "state", v[0].has_number ? updates_state(v[0].number) : NULL);
	if (v[1].has_number && v[2].has_number &&
	    vtr_win_time(&sec, &nsec, v[1].number << 32 | (v[2].number & UINT32_MAX)))
		vtr_draft_time(&d, "installed", sec, nsec);
	vtr_draft_text(&d, "version", version[1] ? version + 1 : NULL);
	vtr_draft_text(&d, "package", name);
	vtr_draft_text(&d, "client", v[4].text);
	rc = vtr_draft_end(&d);
	vtr_win_values_done(v, VTR_COUNT(v));
	return rc;
}

/* Of Windows 2000 to 2003. Service packs list the updates that they hold here, too. */
static int updates_old_add(struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *path,
			   const char *name, struct vtr_error *err)
{
	struct win_value v[] = { { .name = "Installed" },
				 { .name = "Description" },
				 { .name = "Fix Description" },
				 { .name = "InstalledDate" } };
	struct vtr_draft d;
	char id[24];
	int rc;

	if (!updates_number(id, name) && (name[0] != 'Q' || strspn(name + 1, "0123456789") < 5))
		return 0;
	if (vtr_win_values(v, VTR_COUNT(v), os, hive, key, err) < 0)
		return -1;
	vtr_win_draft(&d, os, "hotfixes", hive, path, err);
	vtr_draft_text(&d, "id", name[0] == 'Q' ? name : id);
	vtr_draft_text(&d, "state", v[0].has_number && v[0].number == 0 ? "absent" : "installed");
	vtr_draft_text(&d, "description", v[1].text ? v[1].text : v[2].text);
	vtr_draft_text(&d, "installed_day", v[3].text);
	rc = vtr_draft_end(&d);
	vtr_win_values_done(v, VTR_COUNT(v));
	return rc;
}

static int updates_hotfix_key(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *name,
			      struct vtr_error *err)
{
	const char *below = arg;
	char path[WIN_DEPTH];

	snprintf(path, sizeof(path), "%.900s\\%.700s", below, name);
	return updates_old_add(os, hive, key, path, name, err);
}

/* Updates of a product, "Windows XP\SP4\KB915800": two levels below. */
static int updates_pack_key(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *name,
			    struct vtr_error *err)
{
	char path[WIN_DEPTH];

	snprintf(path, sizeof(path), "%.900s\\%.700s", (const char *)arg, name);
	return vtr_win_each(os, hive, key, updates_hotfix_key, path, err);
}

static int updates_product_key(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key,
			       const char *name, struct vtr_error *err)
{
	char path[WIN_DEPTH];

	(void)arg;
	snprintf(path, sizeof(path), UPDATES_PRODUCTS "\\%.700s", name);
	return vtr_ascii_ncasecmp(name, "Windows", 7) == 0 ? vtr_win_each(os, hive, key, updates_pack_key, path, err)
							   : 0;
}

int vtr_windows_updates_read(struct vtr_os *os, struct vtr_error *err)
{
	static char hotfix[] = UPDATES_HOTFIX;
	const struct {
		const char *path;
		win_key_fn *fn;
		void *arg;
	} places[] = {
		{ UPDATES_CBS, updates_cbs_key, NULL },
		{ UPDATES_HOTFIX, updates_hotfix_key, hotfix },
		{ UPDATES_PRODUCTS, updates_product_key, NULL },
	};
	struct win_hive *software = &os->windows->software;

	for (size_t i = 0; i < VTR_COUNT(places); i++) {
		uint32_t key;
		int rc = vtr_win_key(&key, os, software, 0, places[i].path, err);

		if (rc > 0)
			rc = vtr_win_each(os, software, key, places[i].fn, places[i].arg, err);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* ------------------------------------------------------------------------------------------------ started by itself */

struct autoruns {
	struct vtr_os *os;
	const struct win_hive *hive;
	const char *path, *user;
	struct vtr_error *err;
};

static int autoruns_value(void *arg, const struct vtr_value *value)
{
	const struct autoruns *a = arg;
	VTR_FREE char *text = NULL;
	struct vtr_error e = { 0 };
	struct vtr_draft d;
	size_t len;

	if (value->name_len == 0 || (value->type != VTR_REG_SZ && value->type != VTR_REG_EXPAND_SZ))
		return 0;
	if (vtr_value_text(&text, &len, value, &e) < 0) {
		*a->err = e;
		return -1;
	}
	if (*text == 0)
		return 0;
	vtr_win_draft(&d, a->os, "autoruns", a->hive, a->path, a->err);
	vtr_draft_span(&d, "name", (struct vtr_span){ value->name, value->name_len });
	vtr_draft_text(&d, "command", text);
	vtr_draft_bool(&d, "once", vtr_ascii_casestr(a->path, "RunOnce") != NULL);
	vtr_draft_text(&d, "user", a->user);
	return vtr_draft_end(&d) < 0 ? -1 : 0;
}

static int autoruns_of(struct vtr_os *os, const struct win_hive *hive, const char *prefix, const char *user,
		       struct vtr_error *err)
{
	static const char *const keys[] = {
		SW_VERSION "\\Run",
		SW_VERSION "\\RunOnce",
		SW_VERSION "\\RunServices",
		SW_VERSION "\\Policies\\Explorer\\Run",
		"Wow6432Node\\" SW_VERSION "\\Run",
		"Wow6432Node\\" SW_VERSION "\\RunOnce",
	};

	for (size_t i = 0; i < VTR_COUNT(keys); i++) {
		struct vtr_error e = { 0 };
		struct autoruns a = { os, hive, NULL, user, &e };
		char path[256];
		uint32_t key;
		int rc;

		snprintf(path, sizeof(path), "%s%s", prefix, keys[i]);
		a.path = path;
		rc = vtr_win_key(&key, os, hive, 0, path, err);
		if (rc < 0)
			return -1;
		if (rc == 0 || vtr_hive_values(hive->h, key, autoruns_value, &a, &e) >= 0)
			continue;
		if (e.code == VTR_ELIMIT) { /* of records: what follows would not fit either */
			if (err)
				*err = e;
			return -1;
		}
		if (vtr_win_excuse(os, hive, &e, err) < 0)
			return -1;
	}
	return 0;
}

static int autoruns_user(void *arg, struct vtr_os *os, const struct win_hive *hive, const char *sid, const char *user,
			 struct vtr_error *err)
{
	(void)arg, (void)sid;
	return autoruns_of(os, hive, "Software\\", user, err);
}

int vtr_windows_autoruns_read(struct vtr_os *os, struct vtr_error *err)
{
	if (autoruns_of(os, &os->windows->software, "", NULL, err) < 0)
		return -1;
	return vtr_win_each_user(os, autoruns_user, NULL, err);
}

/* ----------------------------------------------------------------------------------------------------------- tasks */

#define TASKS "Microsoft\\Windows NT\\CurrentVersion\\Schedule\\TaskCache\\Tasks"

/* DynamicInfo: 4 version, 8 created, 8 last run, 4 state, 4 what the last run returned, and more. */
static int tasks_key(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *name,
		     struct vtr_error *err)
{
	struct win_value v[] = { { .name = "Path" },
				 { .name = "Actions", .raw = true },
				 { .name = "DynamicInfo", .raw = true },
				 { .name = "Author" } };
	struct vtr_str command = { 0 };
	char path[WIN_DEPTH];
	struct vtr_draft d;
	const uint8_t *p;
	uint32_t nsec;
	int64_t sec;
	int rc;

	(void)arg;
	if (vtr_win_values(v, VTR_COUNT(v), os, hive, key, err) < 0)
		return -1;
	if (!v[0].text || !*v[0].text) {
		vtr_win_values_done(v, VTR_COUNT(v));
		return 0;
	}
	if (v[1].text)
		vtr_win_actions_parse(&command, (const uint8_t *)v[1].text, v[1].len);
	snprintf(path, sizeof(path), TASKS "\\%.700s", name);
	vtr_win_draft(&d, os, "tasks", hive, path, err);
	vtr_draft_text(&d, "name", v[0].text);
	vtr_draft_text(&d, "command", command.p);
	vtr_draft_text(&d, "author", v[3].text && v[3].text[0] != '$' ? v[3].text : NULL);
	p = (const uint8_t *)v[2].text;
	if (p && v[2].len >= 28) {
		if (vtr_win_time(&sec, &nsec, vtr_get_le64(p + 4)))
			vtr_draft_time(&d, "created", sec, nsec);
		if (vtr_win_time(&sec, &nsec, vtr_get_le64(p + 12)))
			vtr_draft_time(&d, "last_run", sec, nsec);
	}
	rc = command.oom ? vtr_fail(err, VTR_ENOMEM, "a task's command") : vtr_draft_end(&d);
	vtr_str_done(&command);
	vtr_win_values_done(v, VTR_COUNT(v));
	return rc;
}

int vtr_windows_tasks_read(struct vtr_os *os, struct vtr_error *err)
{
	struct win_hive *software = &os->windows->software;
	uint32_t key;
	int rc = vtr_win_key(&key, os, software, 0, TASKS, err);

	if (rc > 0)
		rc = vtr_win_each(os, software, key, tasks_key, NULL, err);
	return rc < 0 ? -1 : 0;
}
