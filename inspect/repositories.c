/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where packages come from: sources.list(5) of apt in both of its styles, the .repo files of yum, dnf and zypper, apk's
 * repositories, pacman.conf(5). A name and a password in a URI are left out.
 */
#include "base/checked.h"
#include "inspect/records.h"

struct repository {
	const char *manager;
	struct vtr_span name, type;
	struct vtr_str uris, suites, components;
	bool disabled;
};

static int repository_add(struct repository *r, struct vtr_os *os, const char *path, struct vtr_error *err)
{
	struct vtr_draft d;
	int rc;

	vtr_draft_begin(&d, os, "repositories", path, err);
	vtr_draft_text(&d, "manager", r->manager);
	vtr_draft_span(&d, "name", r->name);
	vtr_draft_span(&d, "type", r->type);
	vtr_draft_bool(&d, "enabled", !r->disabled);
	vtr_draft_list(&d, "uris", &r->uris);
	vtr_draft_list(&d, "suites", &r->suites);
	vtr_draft_list(&d, "components", &r->components);
	rc = vtr_draft_end(&d);
	vtr_str_done(&r->uris);
	vtr_str_done(&r->suites);
	vtr_str_done(&r->components);
	*r = (struct repository){ .manager = r->manager };
	return rc;
}

static void repository_done(struct repository *r)
{
	vtr_str_done(&r->uris);
	vtr_str_done(&r->suites);
	vtr_str_done(&r->components);
}

/* SCHEME://USER:PASSWORD@HOST/… without what is before the @. */
static void repository_uri(struct repository *r, struct vtr_span uri)
{
	const char *colon = memmem(uri.p, uri.len, "://", 3);
	struct vtr_span rest;
	struct vtr_str s = { 0 };
	size_t slash, at = 0;

	if (!colon) {
		vtr_list_put(&r->uris, uri);
		return;
	}
	rest = vtr_span_skip(uri, (size_t)(colon + 3 - uri.p));
	slash = vtr_span_find(rest, '/');
	for (size_t i = 0; i < slash; i++)
		if (rest.p[i] == '@')
			at = i + 1;
	vtr_str_put(&s, uri.p, (size_t)(rest.p - uri.p));
	vtr_str_put(&s, rest.p + at, rest.len - at);
	if (s.oom)
		r->uris.oom = true;
	else
		vtr_list_put(&r->uris, (struct vtr_span){ s.p, s.len });
	vtr_str_done(&s);
}

static void repository_uris(struct repository *r, struct vtr_span words)
{
	struct vtr_span line, word;

	while (vtr_span_line(&line, &words))
		while (vtr_span_word(&word, &line))
			repository_uri(r, word);
}

/* ------------------------------------------------------------------------------------------------------------- apt */

/* deb [options] URI SUITE COMPONENT… */
int vtr_sources_list_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line, word;

	while (vtr_span_line(&line, &rest)) {
		struct repository r = { .manager = "apt" };

		line.len = vtr_span_find(line, '#');
		if (!vtr_span_word(&r.type, &line) ||
		    !(vtr_span_is(r.type, "deb") || vtr_span_is(r.type, "deb-src") || vtr_span_is(r.type, "rpm")))
			continue;
		line = vtr_span_trim(line);
		if (line.len > 0 && *line.p == '[') {
			size_t end = vtr_span_find(line, ']');

			line = vtr_span_skip(line, VTR_MIN(end + 1, line.len));
		}
		if (!vtr_span_word(&word, &line))
			continue;
		repository_uri(&r, word);
		if (vtr_span_word(&word, &line))
			vtr_list_put(&r.suites, word);
		vtr_list_put_words(&r.components, line, ' ');
		if (repository_add(&r, os, path, err) < 0)
			return -1;
	}
	return 0;
}

/* A field of a stanza, with the lines that go on: they start with a blank. */
static bool repository_field(struct vtr_span *key, struct vtr_span *value, struct vtr_span *rest)
{
	struct vtr_span line, more;
	size_t colon;

	if (!vtr_span_line(&line, rest))
		return false;
	colon = vtr_span_find(line, ':');
	if (colon == line.len || *line.p == '#') {
		*key = vtr_span_trim(line);
		key->len = key->len > 0; /* an empty line is an empty key; a comment is one that nobody knows */
		*value = (struct vtr_span){ line.p, 0 };
		return true;
	}
	*key = vtr_span_trim((struct vtr_span){ line.p, colon });
	*value = vtr_span_skip(line, colon + 1);
	while (rest->len > 0 && (*rest->p == ' ' || *rest->p == '\t' || *rest->p == '#') && vtr_span_line(&more, rest))
		value->len = (size_t)(more.p + more.len - value->p);
	*value = vtr_span_trim(*value);
	return true;
}

static void repository_list(struct vtr_str *list, struct vtr_span words)
{
	struct vtr_span line;

	while (vtr_span_line(&line, &words))
		if (*line.p != '#')
			vtr_list_put_words(list, line, ' ');
}

int vtr_deb822_sources_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, key, value;
	struct repository r = { .manager = "apt" };
	bool more = true;
	int rc = 0;

	while (rc == 0 && more) {
		more = repository_field(&key, &value, &rest);
		if (!more || key.len == 0) {
			if (r.uris.len > 0)
				rc = repository_add(&r, os, path, err);
			continue;
		}
		if (vtr_span_is_icase(key, "Types"))
			r.type = value;
		else if (vtr_span_is_icase(key, "URIs"))
			repository_uris(&r, value);
		else if (vtr_span_is_icase(key, "Suites"))
			repository_list(&r.suites, value);
		else if (vtr_span_is_icase(key, "Components"))
			repository_list(&r.components, value);
		else if (vtr_span_is_icase(key, "Enabled"))
			r.disabled = vtr_span_is_icase(value, "no") || vtr_span_is_icase(value, "false") ||
				     vtr_span_is(value, "0");
	}
	repository_done(&r);
	return rc;
}

/* -------------------------------------------------------------------------------------------------- yum and zypper */

/* Lines of a .repo file, by hand: a baseurl goes on over lines that start with a blank, which is no key. */
static int repository_ini_parse(struct vtr_os *os, const char *manager, const char *path, const char *text, size_t len,
				struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line, key = { "", 0 }, value;
	struct repository r = { .manager = manager };
	bool section = false;
	int rc = 0;

	while (rc == 0 && vtr_span_line(&line, &rest)) {
		bool more = line.len > 0 && (*line.p == ' ' || *line.p == '\t');

		line = vtr_span_trim(line);
		if (line.len == 0 || *line.p == '#' || *line.p == ';')
			continue;
		if (*line.p == '[') {
			if (section && !vtr_span_is(r.name, "main"))
				rc = repository_add(&r, os, path, err);
			repository_done(&r);
			r = (struct repository){ .manager = manager };
			r.name = (struct vtr_span){ line.p + 1, vtr_span_find(line, ']') - 1 };
			section = vtr_span_find(line, ']') < line.len;
			continue;
		}
		if (!more) {
			size_t eq = vtr_span_find(line, '=');

			key = vtr_span_trim((struct vtr_span){ line.p, eq });
			value = vtr_span_trim(vtr_span_skip(line, VTR_MIN(eq + 1, line.len)));
		} else {
			value = line;
		}
		if (vtr_span_is(key, "baseurl") || vtr_span_is(key, "mirrorlist") || vtr_span_is(key, "metalink"))
			repository_uris(&r, value);
		else if (vtr_span_is(key, "type"))
			r.type = value;
		else if (vtr_span_is(key, "enabled"))
			r.disabled = vtr_span_is(value, "0") || vtr_span_is_icase(value, "no") ||
				     vtr_span_is_icase(value, "false");
	}
	if (rc == 0 && section && !vtr_span_is(r.name, "main"))
		rc = repository_add(&r, os, path, err);
	repository_done(&r);
	return rc;
}

int vtr_yum_repo_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	return repository_ini_parse(os, "yum", path, text, len, err);
}

int vtr_zypp_repo_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	return repository_ini_parse(os, "zypper", path, text, len, err);
}

/* -------------------------------------------------------------------------------------------------- apk and pacman */

/* A URI a line, behind "@tag" perhaps. */
int vtr_apk_repositories_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line, word;

	while (vtr_span_line(&line, &rest)) {
		struct repository r = { .manager = "apk" };

		if (!vtr_span_word(&word, &line) || *word.p == '#')
			continue;
		if (*word.p == '@') {
			r.name = vtr_span_skip(word, 1);
			if (!vtr_span_word(&word, &line))
				continue;
		}
		repository_uri(&r, word);
		if (repository_add(&r, os, path, err) < 0)
			return -1;
	}
	return 0;
}

/* [core], with Server = URI or Include = FILE; [options] is none. */
int vtr_pacman_conf_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line;
	struct repository r = { .manager = "pacman" };
	bool section = false;
	int rc = 0;

	for (;;) {
		bool more = vtr_span_line(&line, &rest);

		line = more ? vtr_span_trim(line) : (struct vtr_span){ "[", 1 };
		if (line.len > 0 && *line.p == '[') {
			if (section && !vtr_span_is(r.name, "options"))
				rc = repository_add(&r, os, path, err);
			repository_done(&r);
			r = (struct repository){ .manager = "pacman" };
			section = vtr_span_find(line, ']') < line.len;
			if (section)
				r.name = (struct vtr_span){ line.p + 1, vtr_span_find(line, ']') - 1 };
		} else if (vtr_span_starts(line, "Server")) {
			size_t eq = vtr_span_find(line, '=');

			repository_uri(&r, vtr_span_trim(vtr_span_skip(line, VTR_MIN(eq + 1, line.len))));
		}
		if (!more || rc < 0)
			break;
	}
	repository_done(&r);
	return rc;
}

int vtr_repositories_read(struct vtr_os *os, struct vtr_error *err)
{
	if (vtr_os_text(os, "/etc/apt/sources.list", vtr_sources_list_parse, err) < 0 ||
	    vtr_os_texts(os, "/etc/apt/sources.list.d", ".list", vtr_sources_list_parse, err) < 0 ||
	    vtr_os_texts(os, "/etc/apt/sources.list.d", ".sources", vtr_deb822_sources_parse, err) < 0 ||
	    vtr_os_texts(os, "/etc/yum.repos.d", ".repo", vtr_yum_repo_parse, err) < 0 ||
	    vtr_os_texts(os, "/etc/zypp/repos.d", ".repo", vtr_zypp_repo_parse, err) < 0 ||
	    vtr_os_text(os, "/etc/apk/repositories", vtr_apk_repositories_parse, err) < 0)
		return -1;
	return vtr_os_text(os, "/etc/pacman.conf", vtr_pacman_conf_parse, err) < 0 ? -1 : 0;
}
