/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a system sets when it starts: sysctl.d(5), modules-load.d(5), modprobe.d(5), and the environment of its users:
 * environment(5) as pam_env(8) reads it, and environment.d(5).
 */
#include <stdlib.h>

#include "base/checked.h"
#include "base/held.h"
#include "inspect/records.h"

/* ---------------------------------------------------------------------------------------------------------- sysctl */

struct sysctl_setting {
	char *name, *value, *path; /* value NULL: patterns do not set it */
	bool optional, replaced;
};

struct sysctl {
	struct vtr_os *os;
	struct sysctl_setting *v; /* held; sorted by name once all are read */
	size_t n, cap;
	struct vtr_skipped skipped;
};

/* "net/ipv4/conf/eth0.1/x" as "net.ipv4.conf.eth0/1.x", which sysctl(8) prints; what is written so stays. */
static void sysctl_name(char *name)
{
	const char *first = strpbrk(name, "./");
	bool path = first && *first == '/';

	for (char *p = name; path && *p; p++)
		*p = *p == '/' ? '.' : *p == '.' ? '/' : *p;
}

static int sysctl_line(struct sysctl *s, const char *path, struct vtr_span line, struct vtr_error *err)
{
	struct sysctl_setting new = { .replaced = false };
	size_t eq = vtr_span_find(line, '=');
	struct vtr_span name = vtr_span_trim((struct vtr_span){ line.p, eq });

	new.optional = name.len > 0 && *name.p == '-';
	name = vtr_span_trim(vtr_span_skip(name, new.optional));
	if (name.len == 0 || memchr(line.p, 0, line.len) || (eq == line.len && !new.optional)) {
		vtr_skip(&s->skipped, "no assignment");
		return 0;
	}
	if (VTR_OVER(s->os->ctx, records, s->n + 1, "sysctl", err) < 0 ||
	    VTR_HOLD_GROW(s->os->ctx, s->v, s->n, s->cap, "settings of sysctl", err) < 0)
		return -1;
	new.name = vtr_strndup(name.p, name.len, err);
	new.path = vtr_strndup(path, strlen(path), err);
	if (eq < line.len) {
		line = vtr_span_trim(vtr_span_skip(line, eq + 1));
		new.value = vtr_strndup(line.p, line.len, err);
	}
	if (new.name)
		sysctl_name(new.name);
	s->v[s->n++] = new;
	return new.name &&new.path && (eq == line.len || new.value || new.optional) ? 0 : -1;
}

static int sysctl_text(struct sysctl *s, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line;

	s->skipped = (struct vtr_skipped){ .os = s->os, .path = path };
	while (vtr_span_line(&line, &rest)) {
		s->skipped.line++;
		line = vtr_span_trim(line);
		if (line.len > 0 && *line.p != '#' && *line.p != ';' && sysctl_line(s, path, line, err) < 0)
			return -1;
	}
	vtr_skip_end(&s->skipped);
	return 0;
}

static int sysctl_compare(const void *pa, const void *pb)
{
	const struct sysctl_setting *const *a = pa, *const *b = pb;
	int c = strcmp((*a)->name, (*b)->name);

	return c != 0 ? c : (*a > *b) - (*a < *b);
}

/* The last setting of a name counts. */
static int sysctl_end(struct sysctl *s, int rc, struct vtr_error *err)
{
	VTR_HELD struct sysctl_setting **sorted =
		rc == 0 ? vtr_hold(s->os->ctx, s->n + 1, sizeof(void *), "settings of sysctl", err) : NULL;

	if (!sorted)
		rc = -1;
	for (size_t i = 0; rc == 0 && i < s->n; i++)
		sorted[i] = &s->v[i];
	if (rc == 0 && s->n > 0)
		qsort(sorted, s->n, sizeof(*sorted), sysctl_compare);
	for (size_t i = 1; rc == 0 && i < s->n; i++)
		sorted[i - 1]->replaced = strcmp(sorted[i - 1]->name, sorted[i]->name) == 0;
	for (size_t i = 0; i < s->n; i++) {
		struct sysctl_setting *v = &s->v[i];
		struct vtr_draft d;

		if (rc == 0 && !v->replaced) {
			vtr_draft_begin(&d, s->os, "sysctl", v->path, err);
			vtr_draft_text(&d, "name", v->name);
			vtr_draft_text(&d, "value", v->value);
			vtr_draft_bool(&d, "optional", v->optional);
			vtr_draft_bool(&d, "excluded", !v->value);
			rc = vtr_draft_end(&d);
		}
		free(v->name);
		free(v->value);
		free(v->path);
	}
	vtr_let_go(s->v);
	return rc;
}

int vtr_sysctl_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct sysctl s = { .os = os };

	return sysctl_end(&s, sysctl_text(&s, path, text, len, err), err);
}

static int sysctl_file(struct sysctl *s, const char *path, struct vtr_error *err)
{
	VTR_FREE char *text = NULL;
	size_t len;
	int there = vtr_os_text_slurp(&text, &len, s->os, path, err);

	return there > 0 ? sysctl_text(s, path, text, len, err) : there;
}

static int sysctl_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const dirs[] = { "/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d",
					    "/usr/lib/sysctl.d", "/lib/sysctl.d" };
	const struct vtr_fact *init = vtr_os_fact(os, "init");
	struct sysctl s = { .os = os };
	struct vtr_merged m;
	int rc = vtr_os_merge(&m, os, dirs, VTR_COUNT(dirs), ".conf", err);

	for (size_t i = 0; rc == 0 && i < m.n; i++)
		rc = sysctl_file(&s, m.paths[i], err);
	/* systemd-sysctl does not read it; sysctl --system of others does so last. */
	if (rc == 0 && !(init && strcmp(init->value, "systemd") == 0))
		rc = sysctl_file(&s, "/etc/sysctl.conf", err);
	vtr_merged_done(&m);
	return sysctl_end(&s, rc, err);
}

/* --------------------------------------------------------------------------------------------------------- modules */

/* To kmod a dash and an underscore are the same, but for what is in brackets. */
static char *modules_name(struct vtr_span name, struct vtr_error *err)
{
	char *same = vtr_strndup(name.p, name.len, err);
	bool set = false;

	for (char *p = same; p && *p; p++) {
		set = *p == '[' || (set && *p != ']');
		*p = *p == '-' && !set ? '_' : *p;
	}
	return same;
}

static int modules_add(struct vtr_os *os, const char *path, const char *type, struct vtr_span name,
		       struct vtr_span value, struct vtr_error *err)
{
	VTR_FREE char *same = modules_name(name, err), *target = NULL;
	struct vtr_draft d;

	if (same && strcmp(type, "alias") == 0) {
		target = modules_name(value, err);
		value = vtr_span_of(target ? target : "");
	}
	if (!same || (!target && strcmp(type, "alias") == 0))
		return -1;
	vtr_draft_begin(&d, os, "module_settings", path, err);
	vtr_draft_text(&d, "type", type);
	vtr_draft_text(&d, "module", same);
	vtr_draft_span(&d, "value", value);
	return vtr_draft_end(&d);
}

int vtr_modules_load_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line;

	while (vtr_span_line(&line, &rest)) {
		line = vtr_span_trim(line);
		if (line.len > 0 && *line.p != '#' && *line.p != ';' &&
		    modules_add(os, path, "load", line, (struct vtr_span){ "", 0 }, err) < 0)
			return -1;
	}
	return 0;
}

int vtr_modprobe_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	static const char *const types[] = { "alias", "blacklist", "install", "options", "remove", "softdep" };
	struct vtr_skipped skipped = { .os = os, .path = path };
	struct vtr_span rest = { text, len }, line;
	struct vtr_str joined = { 0 };
	int rc = 0;

	while (rc == 0 && vtr_span_line(&line, &rest)) {
		struct vtr_span word, name;
		const char *type = NULL;

		skipped.line++;
		joined.len = 0;
		while (vtr_span_ends(line, "\\")) {
			vtr_str_put(&joined, line.p, line.len - 1);
			skipped.line++;
			if (!vtr_span_line(&line, &rest))
				line.len = 0;
		}
		if (joined.len > 0) {
			vtr_str_put(&joined, line.p, line.len);
			line = (struct vtr_span){ joined.p, joined.len };
		}
		if (joined.oom)
			rc = vtr_fail(err, VTR_ENOMEM, "a line of %s", path);
		if (rc < 0 || !vtr_span_word(&word, &line) || *word.p == '#')
			continue;
		for (size_t i = 0; i < VTR_COUNT(types); i++)
			type = vtr_span_is(word, types[i]) ? types[i] : type;
		if (type && vtr_span_word(&name, &line) && !memchr(name.p, 0, name.len)) {
			bool alone = strcmp(type, "blacklist") == 0;

			line = alone ? (struct vtr_span){ "", 0 } : vtr_span_trim(line);
			if (alone || line.len > 0) {
				rc = modules_add(os, path, type, name, line, err);
				continue;
			}
		}
		vtr_skip(&skipped, "no command of modprobe, or one that is cut");
	}
	vtr_str_done(&joined);
	vtr_skip_end(&skipped);
	return rc;
}

/* ----------------------------------------------------------------------------------------------------- environment */

static int environment_add(struct vtr_os *os, const char *path, const char *reader, struct vtr_span name,
			   struct vtr_span value, struct vtr_error *err)
{
	struct vtr_draft d;

	vtr_draft_begin(&d, os, "environment", path, err);
	vtr_draft_span(&d, "name", name);
	vtr_draft_span(&d, "value", value);
	vtr_draft_text(&d, "manager", reader);
	return vtr_draft_end(&d);
}

/* pam_env(8): "#" ends a line even in quotes; of quotes only the first and the last character are left out. */
int vtr_environment_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_skipped skipped = { .os = os, .path = path };
	struct vtr_span rest = { text, len }, line;

	while (vtr_span_line(&line, &rest)) {
		struct vtr_span name;
		size_t n = 0;

		skipped.line++;
		while (line.len > 0 && (*line.p == ' ' || *line.p == '\t'))
			line = vtr_span_skip(line, 1);
		line.len = vtr_span_find(line, '#');
		if (line.len == 0)
			continue;
		if (vtr_span_starts(line, "export "))
			line = vtr_span_skip(line, 7);
		while (n < line.len &&
		       (line.p[n] == '_' || (line.p[n] >= '0' && line.p[n] <= '9') ||
			(line.p[n] >= 'A' && line.p[n] <= 'Z') || (line.p[n] >= 'a' && line.p[n] <= 'z')))
			n++;
		if (n == 0 || n == line.len || line.p[n] != '=') {
			vtr_skip(&skipped, "no assignment");
			continue;
		}
		name = (struct vtr_span){ line.p, n };
		line = vtr_span_skip(line, n + 1);
		if (line.len > 0 && (*line.p == '"' || *line.p == '\'')) {
			line = vtr_span_skip(line, 1);
			if (line.len > 0 && (line.p[line.len - 1] == '"' || line.p[line.len - 1] == '\''))
				line.len--;
		}
		if (environment_add(os, path, "pam_env", name, line, err) < 0)
			return -1;
	}
	vtr_skip_end(&skipped);
	return 0;
}

struct environment {
	struct vtr_os *os;
	const char *path;
};

static int environment_assigned(void *arg, const char *name, size_t name_len, const char *value, size_t value_len,
				struct vtr_error *err)
{
	const struct environment *e = arg;

	return environment_add(e->os, e->path, "systemd", (struct vtr_span){ name, name_len },
			       (struct vtr_span){ value, value_len }, err);
}

/* Variables in values stay as they are written: what they are is known when somebody logs in. */
int vtr_environment_d_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct environment e = { os, path };

	return vtr_assignments(text, len, environment_assigned, &e, err);
}

/* ------------------------------------------------------------------------------------------------------------- all */

int vtr_kernelconf_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const load[] = { "/etc/modules-load.d", "/run/modules-load.d",
					    "/usr/local/lib/modules-load.d", "/usr/lib/modules-load.d",
					    "/lib/modules-load.d" };
	static const char *const modprobe[] = { "/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d",
						"/usr/lib/modprobe.d", "/lib/modprobe.d" };
	static const char *const environment[] = { "/etc/environment.d", "/run/environment.d",
						   "/usr/local/lib/environment.d", "/usr/lib/environment.d" };

	if (sysctl_read(os, err) < 0 ||
	    vtr_os_merged_texts(os, load, VTR_COUNT(load), ".conf", vtr_modules_load_parse, err) < 0 ||
	    vtr_os_merged_texts(os, modprobe, VTR_COUNT(modprobe), ".conf", vtr_modprobe_parse, err) < 0 ||
	    vtr_os_text(os, "/etc/environment", vtr_environment_parse, err) < 0)
		return -1;
	return vtr_os_merged_texts(os, environment, VTR_COUNT(environment), ".conf", vtr_environment_d_parse, err);
}
