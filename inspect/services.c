/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is started: units of systemd that are enabled or masked (systemctl(1), UNIT FILE COMMANDS), timers among them,
 * links of System V's runlevels, OpenRC's and runit's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "inspect/records.h"

#define SERVICES_ETC "/etc/systemd/system"

static const char *const services_unit_dirs[] = { SERVICES_ETC, "/usr/local/lib/systemd/system",
						  "/usr/lib/systemd/system", "/lib/systemd/system" };

enum { SERVICES_WANTED, SERVICES_REQUIRED, SERVICES_ALIAS, SERVICES_MASKED };

/* A link of /etc/systemd/system: what it does to a unit. */
struct services_link {
	char *unit, *path, *other; /* owned; other: who wants it, or its other name */
	const struct vtr_fs *fs;
	int kind;
};

struct services {
	struct services_link *links;
	size_t n, cap;
	const char *dir; /* name of the directory that is being listed */
};

static void services_done(struct services *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->links[i].unit);
		free(s->links[i].path);
		free(s->links[i].other);
	}
	free(s->links);
}

static int services_link_add(struct services *s, struct vtr_os *os, int kind, struct vtr_span unit,
			     struct vtr_span other, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct services_link *l;

	if (VTR_OVER(os->ctx, records, s->n + 1, "links of units", err) < 0 || !VTR_GROW(s->links, s->n, s->cap, err))
		return -1;
	l = &s->links[s->n++];
	*l = (struct services_link){ .unit = vtr_strndup(unit.p, unit.len, err), .fs = e->fs, .kind = kind };
	l->path = vtr_strndup(e->path, strlen(e->path), err);
	l->other = vtr_strndup(other.p, other.len, err);
	return l->unit && l->path && l->other ? 0 : -1;
}

/* systemd.unit(5): the kinds of units. */
static bool services_unit_is(struct vtr_span name)
{
	static const char *const suffixes[] = { ".service", ".socket", ".timer", ".path",     ".target",
						".mount",   ".swap",   ".slice", ".automount" };

	for (size_t i = 0; i < VTR_COUNT(suffixes); i++)
		if (vtr_span_ends(name, suffixes[i]) && name.len > strlen(suffixes[i]))
			return true;
	return false;
}

static int services_wants_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct services *s = arg;
	struct vtr_span dir = vtr_span_of(s->dir), name = vtr_span_of(e->name);
	bool wants = vtr_span_ends(dir, ".wants");

	if (!services_unit_is(name) || e->type == VTR_TYPE_DIR)
		return 0;
	dir.len -= strlen(wants ? ".wants" : ".requires");
	return services_link_add(s, os, wants ? SERVICES_WANTED : SERVICES_REQUIRED, name, dir, e, err);
}

static int services_link_entry(struct services *s, struct vtr_os *os, const struct vtr_os_entry *e,
			       struct vtr_error *err)
{
	VTR_FREE char *target = NULL;
	int there = vtr_os_readlink(&target, NULL, os, e->path, err);
	const char *slash = there > 0 ? strrchr(target, '/') : NULL, *base = slash ? slash + 1 : target;
	struct vtr_span name = vtr_span_of(e->name);

	if (there <= 0)
		return there;
	if (strcmp(target, "/dev/null") == 0)
		return services_link_add(s, os, SERVICES_MASKED, name, vtr_span_of(""), e, err);
	if (strcmp(e->name, "default.target") == 0)
		return vtr_os_add_fact_on(os, "default_target", base, strlen(base), e->path, e->fs, err);
	if (!services_unit_is(vtr_span_of(base)) || strcmp(base, e->name) == 0)
		return 0; /* a unit that lies elsewhere: "linked", not enabled */
	return services_link_add(s, os, SERVICES_ALIAS, vtr_span_of(base), name, e, err);
}

static int services_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct services *s = arg;
	struct vtr_span name = vtr_span_of(e->name);

	if (e->type == VTR_TYPE_DIR && (vtr_span_ends(name, ".wants") || vtr_span_ends(name, ".requires"))) {
		s->dir = e->name;
		return vtr_os_list(os, e->path, services_wants_entry, s, err);
	}
	if (e->type == VTR_TYPE_SYMLINK && services_unit_is(name))
		return services_link_entry(s, os, e, err);
	return 0;
}

static int services_compare(const void *pa, const void *pb)
{
	const struct services_link *a = pa, *b = pb;
	int c = strcmp(a->unit, b->unit);

	if (c == 0 && a->kind != b->kind)
		return a->kind - b->kind;
	return c != 0 ? c : strcmp(a->path, b->path);
}

/* ----------------------------------------------------------------------------------------------------- unit files */

/* What a unit's file says. */
struct services_unit {
	struct vtr_str exec, on; /* lists */
	char *description, *user, *unit;
	bool persistent;
};

static void services_unit_done(struct services_unit *u)
{
	vtr_str_done(&u->exec);
	vtr_str_done(&u->on);
	free(u->description);
	free(u->user);
	free(u->unit);
}

/* An empty assignment takes back what was before it. */
static int services_set(char **out, struct vtr_span value, struct vtr_error *err)
{
	struct vtr_str s = { 0 };

	free(*out);
	*out = NULL;
	if (value.len == 0)
		return 0;
	vtr_span_join(&s, value);
	*out = vtr_str_take(&s, err);
	return *out ? 0 : -1;
}

static int services_list(struct vtr_str *list, const char *before, struct vtr_span value, struct vtr_error *err)
{
	struct vtr_str s = { 0 };
	VTR_FREE char *text = NULL;

	if (value.len == 0) {
		list->len = 0;
		return 0;
	}
	vtr_str_puts(&s, before);
	vtr_span_join(&s, value);
	text = vtr_str_take(&s, err);
	if (text)
		vtr_list_put(list, vtr_span_of(text));
	return text ? 0 : -1;
}

static int services_setting(void *arg, const struct vtr_setting *s, struct vtr_error *err)
{
	static const char *const when[] = { "OnBootSec=", "OnStartupSec=", "OnActiveSec=", "OnUnitActiveSec=",
					    "OnUnitInactiveSec=" };
	struct services_unit *u = arg;

	if (vtr_span_is(s->section, "Unit") && vtr_span_is(s->key, "Description"))
		return services_set(&u->description, s->value, err);
	if (vtr_span_is(s->section, "Service") && vtr_span_is(s->key, "User"))
		return services_set(&u->user, s->value, err);
	if (vtr_span_is(s->section, "Service") && vtr_span_is(s->key, "ExecStart"))
		return services_list(&u->exec, "", s->value, err);
	if (!vtr_span_is(s->section, "Timer"))
		return 0;
	if (vtr_span_is(s->key, "Unit"))
		return services_set(&u->unit, s->value, err);
	if (vtr_span_is(s->key, "Persistent"))
		u->persistent = vtr_span_is_icase(s->value, "true") || vtr_span_is_icase(s->value, "yes") ||
				vtr_span_is_icase(s->value, "on") || vtr_span_is(s->value, "1");
	if (vtr_span_is(s->key, "OnCalendar"))
		return services_list(&u->on, "", s->value, err);
	for (size_t i = 0; i < VTR_COUNT(when); i++)
		if (s->key.len + 1 == strlen(when[i]) && memcmp(s->key.p, when[i], s->key.len) == 0)
			return services_list(&u->on, when[i], s->value, err);
	return 0;
}

/* DIR/NAME, and for an instance DIR/NAME@.SUFFIX. Each in turn is looked for; *path is the caller's. 1, 0, -1. */
static int services_unit_find(char **path, struct vtr_os *os, const char *unit, struct vtr_error *err)
{
	const char *at = strchr(unit, '@'), *dot = strrchr(unit, '.');

	for (size_t i = 0; i < 2 * VTR_COUNT(services_unit_dirs); i++) {
		VTR_FREE char *p = NULL;
		struct vtr_str s = { 0 };
		struct vtr_stat st;
		int there;

		if (i % 2 == 1 && (!at || !dot || dot < at))
			continue;
		vtr_str_puts(&s, services_unit_dirs[i / 2]);
		vtr_str_put(&s, "/", 1);
		if (i % 2 == 0) {
			vtr_str_puts(&s, unit);
		} else {
			vtr_str_put(&s, unit, (size_t)(at + 1 - unit));
			vtr_str_puts(&s, dot);
		}
		p = vtr_str_take(&s, err);
		there = p ? vtr_os_look(NULL, &st, os, p, 0, err) : -1;
		if (there > 0 && st.type == VTR_TYPE_FILE)
			*path = vtr_steal(p);
		if (there < 0 || *path)
			return there;
	}
	return 0;
}

/* The file, and what its drop-ins in /etc say after it. */
static int services_dropin(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	VTR_FREE char *text = NULL;
	size_t len;
	int there;

	if (!vtr_span_ends(vtr_span_of(e->name), ".conf"))
		return 0;
	there = vtr_os_text_slurp(&text, &len, os, e->path, err);
	return there > 0 ? vtr_settings(text, len, services_setting, arg, err) : there;
}

static int services_unit_read(struct services_unit *u, struct vtr_os *os, const char *unit, const char *path,
			      struct vtr_error *err)
{
	VTR_FREE char *text = NULL, *dir = NULL;
	struct vtr_str s = { 0 };
	size_t len;
	int there = vtr_os_text_slurp(&text, &len, os, path, err);

	if (there > 0)
		there = vtr_settings(text, len, services_setting, u, err);
	if (there < 0)
		return -1;
	vtr_str_putf(&s, SERVICES_ETC "/%s.d", unit);
	dir = vtr_str_take(&s, err);
	return dir ? vtr_os_list(os, dir, services_dropin, u, err) : -1;
}

/* The links of one unit, from first on, are a record. */
static int services_unit_add(struct vtr_os *os, const struct services_link *first, size_t n, struct vtr_error *err)
{
	struct vtr_str wanted = { 0 }, required = { 0 }, aliases = { 0 };
	struct vtr_span name = vtr_span_of(first->unit);
	const bool masked = first[n - 1].kind == SERVICES_MASKED;
	struct services_unit u = { .description = NULL };
	VTR_FREE char *path = NULL, *service = NULL;
	struct vtr_draft d;
	int rc = masked ? 0 : services_unit_find(&path, os, first->unit, err);

	if (rc > 0)
		rc = services_unit_read(&u, os, first->unit, path, err);
	for (size_t i = 0; i < n && !masked; i++)
		vtr_list_put(first[i].kind == SERVICES_WANTED  ? &wanted
			     : first[i].kind == SERVICES_ALIAS ? &aliases
							       : &required,
			     vtr_span_of(first[i].other));
	vtr_draft_begin_on(&d, os, "services", first->path, first->fs, err);
	vtr_draft_span(&d, "name", name);
	vtr_draft_text(&d, "manager", "systemd");
	vtr_draft_text(&d, "state", masked ? "masked" : "enabled");
	vtr_draft_text(&d, "description", u.description);
	vtr_draft_text(&d, "unit", path);
	if (!masked) {
		vtr_draft_list(&d, "wanted_by", &wanted);
		vtr_draft_list(&d, "required_by", &required);
		vtr_draft_list(&d, "aliases", &aliases);
	}
	if (u.exec.len > 0)
		vtr_draft_list(&d, "exec", &u.exec);
	vtr_draft_text(&d, "user", u.user);
	rc = rc < 0 ? -1 : vtr_draft_end(&d);
	if (rc == 0 && path && vtr_span_ends(name, ".timer")) {
		struct vtr_str s = { 0 };

		vtr_str_put(&s, name.p, name.len - strlen(".timer"));
		vtr_str_puts(&s, ".service");
		service = vtr_str_take(&s, err);
		vtr_draft_begin(&d, os, "timers", path, err);
		vtr_draft_span(&d, "name", name);
		vtr_draft_text(&d, "description", u.description);
		vtr_draft_list(&d, "schedule", &u.on);
		vtr_draft_text(&d, "starts", u.unit ? u.unit : service);
		vtr_draft_bool(&d, "persistent", u.persistent);
		rc = service ? vtr_draft_end(&d) : -1;
	}
	services_unit_done(&u);
	vtr_str_done(&wanted);
	vtr_str_done(&required);
	vtr_str_done(&aliases);
	return rc;
}

static int services_systemd_read(struct vtr_os *os, struct vtr_error *err)
{
	struct services s = { .n = 0 };
	int rc = vtr_os_list(os, SERVICES_ETC, services_entry, &s, err);

	if (rc == 0 && s.n > 0)
		qsort(s.links, s.n, sizeof(*s.links), services_compare);
	for (size_t i = 0, n; rc == 0 && i < s.n; i += n) {
		for (n = 1; i + n < s.n && strcmp(s.links[i].unit, s.links[i + n].unit) == 0; n++)
			;
		rc = services_unit_add(os, &s.links[i], n, err);
	}
	services_done(&s);
	return rc;
}

/* ------------------------------------------------------------------------------------------------------ runlevels */

/* A link that starts something in a runlevel. */
struct runlevels {
	struct runlevels_link {
		char *name, *path;
		const struct vtr_fs *fs;
		char level[24];
	} * links;
	size_t n, cap;
	const char *level;
	bool sysv; /* names are S20name and K20name */
};

static void runlevels_done(struct runlevels *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->links[i].name);
		free(r->links[i].path);
	}
	free(r->links);
}

static int runlevels_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct runlevels *r = arg;
	const char *name = e->name;
	struct runlevels_link *l;

	if (r->sysv) {
		if (name[0] != 'S' || name[1] < '0' || name[1] > '9' || name[2] < '0' || name[2] > '9' || name[3] == 0)
			return 0;
		name += 3;
	} else if (*name == '.') {
		return 0;
	}
	if (VTR_OVER(os->ctx, records, r->n + 1, "links of runlevels", err) < 0 ||
	    !VTR_GROW(r->links, r->n, r->cap, err))
		return -1;
	l = &r->links[r->n++];
	*l = (struct runlevels_link){ .name = vtr_strndup(name, strlen(name), err), .fs = e->fs };
	l->path = vtr_strndup(e->path, strlen(e->path), err);
	snprintf(l->level, sizeof(l->level), "%s", r->level);
	return l->name && l->path ? 0 : -1;
}

static int runlevels_compare(const void *pa, const void *pb)
{
	const struct runlevels_link *a = pa, *b = pb;
	int c = strcmp(a->name, b->name);

	return c != 0 ? c : strcmp(a->path, b->path);
}

static int runlevels_add(struct vtr_os *os, const char *manager, const struct runlevels_link *first, size_t n,
			 struct vtr_error *err)
{
	struct vtr_str levels = { 0 };
	struct vtr_draft d;
	int rc;

	for (size_t i = 0; i < n; i++)
		vtr_list_put(&levels, vtr_span_of(first[i].level));
	vtr_draft_begin_on(&d, os, "services", first->path, first->fs, err);
	vtr_draft_text(&d, "name", first->name);
	vtr_draft_text(&d, "manager", manager);
	vtr_draft_text(&d, "state", "enabled");
	vtr_draft_list(&d, "runlevels", &levels);
	rc = vtr_draft_end(&d);
	vtr_str_done(&levels);
	return rc;
}

/*
 * systemd-sysv-generator(8): a unit of the same name stands in for the script, and so does a mask, a link to /dev/null.
 * 1, 0, -1.
 */
static int runlevels_unit_has(struct vtr_os *os, const char *name, struct vtr_error *err)
{
	struct vtr_span base = vtr_span_of(name);
	int there = 0;

	if (vtr_span_ends(base, ".sh"))
		base.len -= 3;
	for (size_t i = 0; i < VTR_COUNT(services_unit_dirs) && there == 0; i++) {
		VTR_FREE char *path = NULL;
		struct vtr_str s = { 0 };

		vtr_str_puts(&s, services_unit_dirs[i]);
		vtr_str_put(&s, "/", 1);
		vtr_str_put(&s, base.p, base.len);
		vtr_str_puts(&s, ".service");
		path = vtr_str_take(&s, err);
		there = path ? vtr_os_look(NULL, NULL, os, path, VTR_WALK_NOFOLLOW, err) : -1;
	}
	return there;
}

static int runlevels_emit(struct runlevels *r, struct vtr_os *os, const char *manager, bool systemd,
			  struct vtr_error *err)
{
	int rc = 0;

	if (r->n > 0)
		qsort(r->links, r->n, sizeof(*r->links), runlevels_compare);
	for (size_t i = 0, n; rc == 0 && i < r->n; i += n) {
		for (n = 1; i + n < r->n && strcmp(r->links[i].name, r->links[i + n].name) == 0; n++)
			;
		rc = systemd ? runlevels_unit_has(os, r->links[i].name, err) : 0;
		rc = rc == 0 ? runlevels_add(os, manager, &r->links[i], n, err) : rc < 0 ? -1 : 0;
	}
	return rc;
}

static int runlevels_sysv_read(struct vtr_os *os, bool systemd, struct vtr_error *err)
{
	static const char *const dirs[] = { "/etc", "/etc/rc.d", "/etc/init.d" };
	/* What is started at a shutdown, in 0 and 6, is no service. */
	static const char *const levels[] = { "S", "1", "2", "3", "4", "5" };
	struct runlevels r = { .sysv = true };
	int rc = 0;

	for (size_t d = 0; rc == 0 && d < VTR_COUNT(dirs) && r.n == 0; d++) {
		for (size_t i = 0; rc == 0 && i < VTR_COUNT(levels); i++) {
			char dir[40];

			snprintf(dir, sizeof(dir), "%s/rc%s.d", dirs[d], levels[i]);
			r.level = levels[i];
			rc = vtr_os_list(os, dir, runlevels_entry, &r, err);
		}
	}
	if (rc == 0)
		rc = runlevels_emit(&r, os, "sysvinit", systemd, err);
	runlevels_done(&r);
	return rc;
}

/* OpenRC: a directory for each of its runlevels. */
static int runlevels_openrc_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct runlevels *r = arg;

	if (e->type != VTR_TYPE_DIR)
		return 0;
	r->level = e->name;
	return vtr_os_list(os, e->path, runlevels_entry, r, err);
}

static int runlevels_openrc_read(struct vtr_os *os, struct vtr_error *err)
{
	struct runlevels r = { .sysv = false };
	int rc = vtr_os_list(os, "/etc/runlevels", runlevels_openrc_entry, &r, err);

	if (rc == 0)
		rc = runlevels_emit(&r, os, "openrc", false, err);
	runlevels_done(&r);
	return rc;
}

static int runlevels_runit_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const dirs[] = { "/etc/runit/runsvdir/default", "/etc/service", NULL };
	struct runlevels r = { .level = "default" };
	const char *dir = NULL;
	int rc = vtr_os_there_any(&dir, os, dirs, err);

	if (rc > 0)
		rc = vtr_os_list(os, dir, runlevels_entry, &r, err);
	if (rc == 0)
		rc = runlevels_emit(&r, os, "runit", false, err);
	runlevels_done(&r);
	return rc;
}

static int services_default_target(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const paths[] = { "/usr/lib/systemd/system/default.target",
					     "/lib/systemd/system/default.target" };

	for (size_t i = 0; i < VTR_COUNT(paths) && !vtr_os_fact(os, "default_target"); i++) {
		VTR_FREE char *target = NULL;
		const struct vtr_fs *fs = NULL;
		int there = vtr_os_readlink(&target, &fs, os, paths[i], err);
		const char *slash = there > 0 ? strrchr(target, '/') : NULL, *base = slash ? slash + 1 : target;

		if (there < 0 ||
		    (there > 0 && vtr_os_add_fact_on(os, "default_target", base, strlen(base), paths[i], fs, err) < 0))
			return -1;
	}
	return 0;
}

int vtr_services_read(struct vtr_os *os, struct vtr_error *err)
{
	const struct vtr_fact *init = vtr_os_fact(os, "init");
	bool systemd = init && strcmp(init->value, "systemd") == 0;

	if (services_systemd_read(os, err) < 0 || services_default_target(os, err) < 0 ||
	    runlevels_sysv_read(os, systemd, err) < 0)
		return -1;
	if (systemd) /* it does not read what others have */
		return 0;
	return runlevels_openrc_read(os, err) < 0 ? -1 : runlevels_runit_read(os, err);
}
