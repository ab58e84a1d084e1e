/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is started: units of systemd, each with its state as systemctl(1) has it, what starts it, and what its file says
 * with its drop-ins; timers among them. Which file counts is in inspect/units.c, runlevels are in inspect/runlevels.c.
 */
#include <stdlib.h>

#include "base/checked.h"
#include "base/fold.h"
#include "inspect/units.h"

/* A name of a unit, and what it leads to. */
struct services_name {
	const char *name; /* lies in units.v */
	struct vtr_unit unit;
};

struct services {
	struct vtr_units units;
	const struct vtr_unit_entry **deps; /* that count, sorted by name */
	struct services_name *names;	    /* sorted by name */
	const struct services_name **aliases;
	size_t n_deps, n_names, n_aliases;
};

static void services_done(struct services *s)
{
	for (size_t i = 0; i < s->n_names; i++)
		vtr_unit_done(&s->names[i].unit);
	free(s->deps);
	free(s->names);
	free(s->aliases);
	vtr_units_done(&s->units);
}

/* ----------------------------------------------------------------------------------------------------- unit files */

/* What a unit's file says. */
struct services_unit {
	const char *name;
	struct vtr_str exec, on, listen; /* lists */
	char *description, *user, *unit;
	bool persistent;
};

static void services_unit_done(struct services_unit *u)
{
	vtr_str_done(&u->exec);
	vtr_str_done(&u->on);
	vtr_str_done(&u->listen);
	free(u->description);
	free(u->user);
	free(u->unit);
}

/* As systemd-escape(1) -u: a dash is a slash, and \x2d a dash. */
static void services_unescape(struct vtr_str *out, struct vtr_span s)
{
	for (size_t i = 0; i < s.len; i++) {
		int hi = i + 3 < s.len && s.p[i] == '\\' && s.p[i + 1] == 'x' ? vtr_hex_digit(s.p[i + 2]) : -1;
		int lo = hi >= 0 ? vtr_hex_digit(s.p[i + 3]) : -1;
		char c = lo >= 0 ? (char)(hi << 4 | lo) : s.p[i] == '-' ? '/' : s.p[i];

		vtr_str_put(out, &c, 1);
		i += lo >= 0 ? 3 : 0;
	}
}

/* systemd.unit(5), SPECIFIERS: those that the unit's name alone decides. Others stay as they are. */
static void services_expand(struct vtr_str *out, const char *name, struct vtr_span value)
{
	struct vtr_span whole = vtr_span_of(name), stem = whole, prefix, instance = { "", 0 }, last;
	const char *dot = strrchr(name, '.'), *at = strchr(name, '@');

	stem.len = dot ? (size_t)(dot - name) : whole.len;
	prefix = stem;
	if (at && at < name + stem.len) {
		prefix.len = (size_t)(at - name);
		instance = (struct vtr_span){ at + 1, stem.len - prefix.len - 1 };
	}
	last = prefix;
	for (size_t i = 0; i < prefix.len; i++)
		if (prefix.p[i] == '-')
			last = vtr_span_skip(prefix, i + 1);
	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i] == '%' && i + 1 < value.len ? value.p[i + 1] : 0;
		struct vtr_span put = c == 'n'	 ? whole
				      : c == 'N' ? stem
				      : c == 'p' ? prefix
				      : c == 'j' ? last
						 : instance;

		/* A template alone has no instance yet. */
		if ((c == 'i' || c == 'I') && at && instance.len == 0)
			c = 0;
		if (c != 0 && strchr("nNpij", c))
			vtr_str_put(out, put.p, put.len);
		else if (c == 'P' || c == 'J' || c == 'I')
			services_unescape(out, c == 'P' ? prefix : c == 'J' ? last : instance);
		else if (c == '%')
			vtr_str_put(out, "%", 1);
		else
			vtr_str_put(out, &value.p[i], 1);
		i += c != 0 && strchr("nNpijPJI%", c);
	}
}

/* An empty assignment takes back what was before it. */
static int services_set(char **out, const char *name, struct vtr_span value, struct vtr_error *err)
{
	struct vtr_str s = { 0 };

	free(*out);
	*out = NULL;
	if (value.len == 0)
		return 0;
	services_expand(&s, name, value);
	*out = vtr_str_take(&s, err);
	return *out ? 0 : -1;
}

static void services_list(struct vtr_str *list, const char *name, struct vtr_span before, struct vtr_span value)
{
	struct vtr_str s = { 0 };
	bool plain = !memchr(value.p, '"', value.len) && !memchr(value.p, '\'', value.len);
	struct vtr_span word;

	vtr_str_put(&s, before.p, before.len);
	if (plain) /* blanks where lines were joined are no part of it */
		for (size_t n = 0; vtr_span_word(&word, &value); n++) {
			if (n > 0)
				vtr_str_put(&s, " ", 1);
			services_expand(&s, name, word);
		}
	else
		services_expand(&s, name, value);
	if (s.oom)
		list->oom = true;
	else
		vtr_list_put(list, (struct vtr_span){ s.p, s.len });
	vtr_str_done(&s);
}

static bool services_boolean(bool *out, struct vtr_span v)
{
	static const char *const words[] = { "1", "yes", "y", "true", "t", "on", "0", "no", "n", "false", "f", "off" };

	for (size_t i = 0; i < VTR_COUNT(words); i++)
		if (vtr_span_is_icase(v, words[i])) {
			*out = i < 6;
			return true;
		}
	return false;
}

static int services_timer_setting(struct services_unit *u, const struct vtr_setting *s, struct vtr_error *err)
{
	static const char *const when[] = { "OnBootSec=",	"OnStartupSec=",      "OnActiveSec=",
					    "OnUnitActiveSec=", "OnUnitInactiveSec=", "OnCalendar=" };
	const struct vtr_span none = { "", 0 };

	if (vtr_span_is(s->key, "Unit"))
		return services_set(&u->unit, u->name, s->value, err);
	if (vtr_span_is(s->key, "Persistent"))
		services_boolean(&u->persistent, s->value);
	for (size_t i = 0; i < VTR_COUNT(when); i++) {
		if (s->key.len + 1 != strlen(when[i]) || memcmp(s->key.p, when[i], s->key.len) != 0)
			continue;
		/* systemd.timer(5): an empty one of any kind takes back those of all kinds. */
		if (s->value.len == 0)
			u->on.len = 0;
		else
			services_list(&u->on, u->name, i + 1 < VTR_COUNT(when) ? vtr_span_of(when[i]) : none, s->value);
	}
	return 0;
}

static void services_socket_setting(struct services_unit *u, const struct vtr_setting *s)
{
	static const char *const what[] = { "ListenStream=",	   "ListenDatagram=",	"ListenSequentialPacket=",
					    "ListenFIFO=",	   "ListenSpecial=",	"ListenNetlink=",
					    "ListenMessageQueue=", "ListenUSBFunction=" };

	for (size_t i = 0; i < VTR_COUNT(what); i++) {
		if (s->key.len + 1 != strlen(what[i]) || memcmp(s->key.p, what[i], s->key.len) != 0)
			continue;
		/* systemd.socket(5): as with timers. */
		if (s->value.len == 0)
			u->listen.len = 0;
		else
			services_list(&u->listen, u->name, vtr_span_of(what[i]), s->value);
	}
}

static int services_setting(void *arg, const struct vtr_setting *s, struct vtr_error *err)
{
	struct services_unit *u = arg;

	if (vtr_span_is(s->section, "Unit") && vtr_span_is(s->key, "Description"))
		return services_set(&u->description, u->name, s->value, err);
	if (vtr_span_is(s->section, "Service") && vtr_span_is(s->key, "User"))
		return services_set(&u->user, u->name, s->value, err);
	if (vtr_span_is(s->section, "Service") && vtr_span_is(s->key, "ExecStart")) {
		if (s->value.len == 0)
			u->exec.len = 0;
		else
			services_list(&u->exec, u->name, (struct vtr_span){ "", 0 }, s->value);
	}
	if (vtr_span_is(s->section, "Timer"))
		return services_timer_setting(u, s, err);
	if (vtr_span_is(s->section, "Socket"))
		services_socket_setting(u, s);
	return 0;
}

static int services_text(struct services_unit *u, struct vtr_os *os, const char *path, const char *text, size_t len,
			 struct vtr_error *err)
{
	size_t refused;

	if (vtr_settings(&refused, text, len, VTR_INI_SYSTEMD, services_setting, u, err) < 0)
		return -1;
	if (refused > 0)
		vtr_os_warn(
			os, path, VTR_ECORRUPT,
			"line %zu: a section's name without its bracket, or more than 1 MiB: systemd refuses the file",
			refused);
	return 0;
}

static int services_file_read(struct services_unit *u, struct vtr_os *os, const char *path, struct vtr_error *err)
{
	VTR_FREE char *text = NULL;
	size_t len;
	int there = vtr_os_text_slurp(&text, &len, os, path, err);

	return there > 0 ? services_text(u, os, path, text, len, err) : there;
}

static int services_unit_add(struct vtr_draft *d, struct services_unit *u)
{
	vtr_draft_text(d, "description", u->description);
	if (u->exec.len > 0)
		vtr_draft_list(d, "exec", &u->exec);
	if (u->listen.len > 0)
		vtr_draft_list(d, "listen", &u->listen);
	vtr_draft_text(d, "user", u->user);
	return 0;
}

static int services_timer_add(struct vtr_os *os, const struct services_unit *u, const char *path, struct vtr_error *err)
{
	struct vtr_span name = vtr_span_of(u->name);
	VTR_FREE char *service = NULL;
	struct vtr_str s = { 0 };
	struct vtr_draft d;

	vtr_str_put(&s, name.p, name.len - strlen(".timer"));
	vtr_str_puts(&s, ".service");
	service = vtr_str_take(&s, err);
	if (!service)
		return -1;
	vtr_draft_begin(&d, os, "timers", path, err);
	vtr_draft_span(&d, "name", name);
	vtr_draft_text(&d, "description", u->description);
	vtr_draft_list(&d, "schedule", &u->on);
	vtr_draft_text(&d, "starts", u->unit ? u->unit : service);
	vtr_draft_bool(&d, "persistent", u->persistent);
	return vtr_draft_end(&d);
}

int vtr_unit_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	struct services_unit u = { .name = name };
	struct vtr_draft d;
	int rc = services_text(&u, os, path, text, len, err);

	if (rc == 0) {
		vtr_draft_begin(&d, os, "services", path, err);
		vtr_draft_text(&d, "name", name);
		services_unit_add(&d, &u);
		rc = vtr_draft_end(&d);
	}
	if (rc == 0 && vtr_span_ends(vtr_span_of(name), ".timer"))
		rc = services_timer_add(os, &u, path, err);
	services_unit_done(&u);
	return rc;
}

/* ---------------------------------------------------------------------------------------------- names and records */

static int services_deps_compare(const void *pa, const void *pb)
{
	const struct vtr_unit_entry *const *a = pa, *const *b = pb;
	int c = strcmp((*a)->name, (*b)->name);

	return c != 0 ? c : (*a > *b) - (*a < *b); /* they are sorted by their owners already */
}

/* What of two owner's suffixes this is; NULL: it is no dependency. */
static const char *services_dep_kind(const struct vtr_unit_entry *e)
{
	static const char *const kinds[] = { ".wants", ".requires", ".upholds" };

	for (size_t i = 0; i < VTR_COUNT(kinds); i++)
		if (vtr_span_ends(vtr_span_of(e->owner), kinds[i]))
			return kinds[i];
	return NULL;
}

static const struct vtr_unit_entry **services_deps_of(size_t *n, const struct services *s, const char *name)
{
	size_t lo = 0, hi = s->n_deps;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(s->deps[mid]->name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (*n = 0; lo + *n < s->n_deps && strcmp(s->deps[lo + *n]->name, name) == 0; ++*n)
		;
	return s->deps + lo;
}

static int services_alias_compare(const void *pa, const void *pb)
{
	const struct services_name *const *a = pa, *const *b = pb;
	int c = strcmp((*a)->unit.name, (*b)->unit.name);

	return c != 0 ? c : strcmp((*a)->name, (*b)->name);
}

static const struct services_name **services_aliases_of(size_t *n, const struct services *s, const char *name)
{
	size_t lo = 0, hi = s->n_aliases;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(s->aliases[mid]->unit.name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (*n = 0; lo + *n < s->n_aliases && strcmp(s->aliases[lo + *n]->unit.name, name) == 0; ++*n)
		;
	return s->aliases + lo;
}

static int services_name_compare(const void *pa, const void *pb)
{
	const struct services_name *a = pa, *b = pb;

	return strcmp(a->name, b->name);
}

/* Dependencies that count, names, and what they lead to. */
static int services_names_find(struct services *s, struct vtr_error *err)
{
	const struct vtr_units *u = &s->units;
	size_t n = 0;

	s->deps = vtr_calloc(u->n + 1, sizeof(*s->deps), err);
	s->names = vtr_calloc(u->n + 1, sizeof(*s->names), err);
	s->aliases = vtr_calloc(u->n + 1, sizeof(*s->aliases), err);
	if (!s->deps || !s->names || !s->aliases)
		return -1;
	for (size_t i = 0; i < u->n; i++) {
		const struct vtr_unit_entry *e = &u->v[i];

		/* The best of a name counts: an empty one, and what is no link, is no dependency. */
		if (i > 0 && strcmp(e[-1].owner, e->owner) == 0 && strcmp(e[-1].name, e->name) == 0)
			continue;
		if (services_dep_kind(e) && e->target && !e->null)
			s->deps[s->n_deps++] = e;
		if (*e->owner == 0 || (services_dep_kind(e) && e->target && !e->null))
			s->names[n++].name = e->name;
	}
	if (s->n_deps > 0)
		qsort(s->deps, s->n_deps, sizeof(*s->deps), services_deps_compare);
	if (n > 0)
		qsort(s->names, n, sizeof(*s->names), services_name_compare);
	for (size_t i = 0; i < n; i++) {
		if (s->n_names > 0 && strcmp(s->names[s->n_names - 1].name, s->names[i].name) == 0)
			continue;
		s->names[s->n_names].name = s->names[i].name;
		if (vtr_ctx_check(u->os->ctx, err) < 0 ||
		    vtr_unit_resolve(&s->names[s->n_names].unit, u, s->names[i].name, err) < 0)
			return -1;
		s->n_names++;
	}
	for (size_t i = 0; i < s->n_names; i++)
		if (strcmp(s->names[i].unit.state, "alias") == 0)
			s->aliases[s->n_aliases++] = &s->names[i];
	if (s->n_aliases > 0)
		qsort(s->aliases, s->n_aliases, sizeof(*s->aliases), services_alias_compare);
	return 0;
}

/* One unit with all its names. */
struct services_one {
	const struct services_name *name;
	const struct services_name **aliases;
	size_t n_aliases;
	struct vtr_str wanted, required, upheld, other, dropins; /* lists */
	const struct vtr_unit_entry *link;			 /* the first in /etc that makes it start */
	struct services_unit unit;
};

static void services_deps_add(struct services_one *o, const struct services *s, const char *name)
{
	size_t n;
	const struct vtr_unit_entry **deps = services_deps_of(&n, s, name);

	for (size_t i = 0; i < n; i++) {
		const char *kind = services_dep_kind(deps[i]);
		struct vtr_span owner = vtr_span_of(deps[i]->owner);

		owner.len -= strlen(kind);
		vtr_list_put(strcmp(kind, ".wants") == 0      ? &o->wanted
			     : strcmp(kind, ".requires") == 0 ? &o->required
							      : &o->upheld,
			     owner);
		if (!o->link)
			o->link = deps[i];
	}
}

static int services_content_read(struct services_one *o, const struct services *s, struct vtr_error *err)
{
	const char **names = vtr_calloc(o->n_aliases + 2, sizeof(*names), err);
	struct vtr_os *os = s->units.os;
	char **paths = NULL;
	size_t n = 0;
	int rc;

	if (!names)
		return -1;
	names[0] = o->name->name;
	for (size_t i = 0; i < o->n_aliases; i++)
		names[i + 1] = o->aliases[i]->name;
	rc = vtr_unit_dropins(&paths, &n, &s->units, names, true, err);
	if (rc == 0)
		rc = services_file_read(&o->unit, os, o->name->unit.path, err);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		vtr_list_put(&o->dropins, vtr_span_of(paths[i]));
		rc = services_file_read(&o->unit, os, paths[i], err);
	}
	vtr_unit_paths_free(paths, n);
	free(names);
	return rc;
}

/* Where it is said what its state is: a link that starts it, its mask, else its own file. */
static int services_place(char **path, const struct vtr_fs **fs, const struct services_one *o, struct vtr_error *err)
{
	const struct vtr_unit *unit = &o->name->unit;
	const struct vtr_unit_entry *e = unit->path ? NULL : unit->entry;

	*fs = NULL;
	if (o->link && (!unit->entry || strcmp(unit->state, "enabled") == 0))
		e = o->link;
	if (e) {
		*path = vtr_unit_entry_path(e, err);
		*fs = e->target ? e->fs : NULL;
	} else {
		*path = vtr_strndup(unit->path, strlen(unit->path), err);
	}
	return *path ? 0 : -1;
}

static bool services_preset_is(const char *state)
{
	static const char *const without[] = { "alias", "static", "bad", "not-found" };

	for (size_t i = 0; i < VTR_COUNT(without); i++)
		if (strcmp(state, without[i]) == 0)
			return false;
	return true;
}

static int services_record_add(struct services_one *o, const struct services *s, struct vtr_error *err)
{
	const struct vtr_unit *unit = &o->name->unit;
	bool alias = strcmp(unit->state, "alias") == 0, whole = !unit->masked && !alias;
	struct vtr_os *os = s->units.os;
	VTR_FREE char *path = NULL;
	const struct vtr_fs *fs;
	struct vtr_draft d;

	if (services_place(&path, &fs, o, err) < 0)
		return -1;
	vtr_draft_begin_on(&d, os, "services", path, fs, err);
	vtr_draft_text(&d, "name", o->name->name);
	vtr_draft_text(&d, "manager", "systemd");
	vtr_draft_text(&d, "state", unit->state);
	if (services_preset_is(unit->state))
		vtr_draft_text(&d, "preset", vtr_unit_preset(&s->units, o->name->name));
	vtr_draft_text(&d, "unit", unit->path);
	if (alias && strcmp(unit->name, o->name->name) != 0)
		vtr_draft_text(&d, "alias_of", unit->name);
	if (whole) {
		if (o->dropins.len > 0)
			vtr_draft_list(&d, "dropins", &o->dropins);
		vtr_draft_list(&d, "wanted_by", &o->wanted);
		vtr_draft_list(&d, "required_by", &o->required);
		if (o->upheld.len > 0)
			vtr_draft_list(&d, "upheld_by", &o->upheld);
		vtr_draft_list(&d, "aliases", &o->other);
	}
	services_unit_add(&d, &o->unit);
	if (vtr_draft_end(&d) < 0)
		return -1;
	/* A timer that nothing starts does not run. */
	if (whole && unit->path && vtr_span_ends(vtr_span_of(o->name->name), ".timer") &&
	    o->wanted.len + o->required.len + o->upheld.len > 0)
		return services_timer_add(os, &o->unit, unit->path, err);
	return 0;
}

static int services_name_add(const struct services *s, const struct services_name *name, struct vtr_error *err)
{
	struct services_one o = { .name = name, .unit = { .name = name->name } };
	bool alias = strcmp(name->unit.state, "alias") == 0;
	int rc = 0;

	if (!alias && !name->unit.masked) {
		o.aliases = services_aliases_of(&o.n_aliases, s, name->name);
		services_deps_add(&o, s, name->name);
		for (size_t i = 0; i < o.n_aliases; i++) {
			services_deps_add(&o, s, o.aliases[i]->name);
			vtr_list_put(&o.other, vtr_span_of(o.aliases[i]->name));
		}
		if (name->unit.path)
			rc = services_content_read(&o, s, err);
	}
	if (rc == 0)
		rc = services_record_add(&o, s, err);
	services_unit_done(&o.unit);
	vtr_str_done(&o.wanted);
	vtr_str_done(&o.required);
	vtr_str_done(&o.upheld);
	vtr_str_done(&o.other);
	vtr_str_done(&o.dropins);
	return rc;
}

/* What default.target leads to; when that is not there, what it should be. */
static int services_default_target(const struct services *s, struct vtr_error *err)
{
	const struct vtr_unit_entry *e = vtr_units_find(&s->units, "", "default.target");
	VTR_FREE char *path = NULL;
	struct vtr_unit unit;
	int rc;

	if (!e || e->null)
		return 0;
	path = vtr_unit_entry_path(e, err);
	if (!path || vtr_unit_resolve(&unit, &s->units, "default.target", err) < 0)
		return -1;
	if (unit.path) {
		rc = vtr_os_add_fact_on(s->units.os, "default_target", unit.name, strlen(unit.name), path, e->fs, err);
	} else {
		const char *slash = e->target ? strrchr(e->target, '/') : NULL;
		const char *base = slash ? slash + 1 : e->target ? e->target : "";

		rc = vtr_os_add_fact_on(s->units.os, "default_target", base, strlen(base), path, e->fs, err);
	}
	vtr_unit_done(&unit);
	return rc;
}

int vtr_services_read(struct vtr_os *os, struct vtr_error *err)
{
	const struct vtr_fact *init = vtr_os_fact(os, "init");
	bool systemd = init && strcmp(init->value, "systemd") == 0;
	struct services s = { .n_names = 0 };
	int rc = vtr_units_load(&s.units, os, err);

	if (rc == 0)
		rc = services_names_find(&s, err);
	for (size_t i = 0; rc == 0 && i < s.n_names; i++)
		rc = services_name_add(&s, &s.names[i], err);
	if (rc == 0)
		rc = services_default_target(&s, err);
	if (rc == 0)
		rc = vtr_runlevels_read(os, systemd ? &s.units : NULL, err);
	services_done(&s);
	return rc;
}
