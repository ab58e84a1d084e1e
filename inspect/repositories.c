/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where packages come from: sources.list(5) of apt in both of its styles, the .repo files of yum, dnf and zypper, apk's
 * repositories, pacman.conf(5). A name and a password in a URI are left out.
 */
#include <stdlib.h>

#include "base/checked.h"
#include "base/fold.h"
#include "inspect/records.h"

#define PACMAN_DEPTH 10u /* files within files: pacman's own limit */
#define PACMAN_FILES 128u

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

/* A list of dnf.conf(5): blanks and commas between URIs. */
static void repository_uris(struct repository *r, struct vtr_span words)
{
	struct vtr_span line, field, word;

	while (vtr_span_line(&line, &words))
		while (vtr_span_field(&field, &line, ','))
			while (vtr_span_word(&word, &field))
				repository_uri(r, word);
}

/* ------------------------------------------------------------------------------------------------------------- apt */

/*
 * A word of a one-line entry: up to a blank that is neither in "…" nor in […]. Quotes go, and %20 is a blank: apt 2.6 does
 * so. 1, 0: there is none, -1: it does not end.
 */
static int apt_word(struct vtr_str *out, struct vtr_span *rest)
{
	struct vtr_span w = vtr_span_trim(*rest);
	size_t n = 0;

	out->len = 0;
	while (n < w.len && w.p[n] != ' ' && w.p[n] != '\t') {
		if (w.p[n] == '"' || w.p[n] == '[') {
			struct vtr_span in = vtr_span_skip(w, n + 1);
			size_t end = vtr_span_find(in, w.p[n] == '"' ? '"' : ']');

			if (end == in.len)
				return -1;
			n += end + 1;
		}
		n++;
	}
	*rest = vtr_span_skip(w, n);
	for (size_t i = 0; i < n; i++) {
		char c = w.p[i];

		if (c == '"')
			continue;
		if (c == '%' && i + 2 < n && vtr_hex_digit(w.p[i + 1]) >= 0 && vtr_hex_digit(w.p[i + 2]) >= 0) {
			c = (char)(vtr_hex_digit(w.p[i + 1]) << 4 | vtr_hex_digit(w.p[i + 2]));
			i += 2;
		}
		vtr_str_put(out, &c, 1);
	}
	return n > 0;
}

static bool apt_type_is(struct vtr_span type)
{
	static const char *const types[] = { "deb", "deb-src", "rpm", "rpm-src" }; /* the last two: ALT Linux's apt */

	for (size_t i = 0; i < VTR_COUNT(types); i++)
		if (vtr_span_is(type, types[i]))
			return true;
	return false;
}

/* What is behind the type: [options] URI SUITE COMPONENT… NULL, or what is wrong. */
static const char *apt_entry(struct repository *r, struct vtr_span line, struct vtr_str *word)
{
	bool exact;
	int rc;

	line = vtr_span_trim(line);
	if (line.len > 0 && *line.p == '[') {
		size_t end = vtr_span_find(line, ']');

		line = vtr_span_skip(line, VTR_MIN(end + 1, line.len));
		if (line.len == 0 || (*line.p != ' ' && *line.p != '\t'))
			return "options that do not end";
	}
	if (apt_word(word, &line) <= 0)
		return "no URI";
	repository_uri(r, (struct vtr_span){ word->p, word->len });
	if (apt_word(word, &line) <= 0 || word->len == 0)
		return "no suite";
	exact = word->p[word->len - 1] == '/'; /* a path, which has no components */
	vtr_list_put(&r->suites, (struct vtr_span){ word->p, word->len });
	while ((rc = apt_word(word, &line)) > 0)
		vtr_list_put(&r->components, (struct vtr_span){ word->p, word->len });
	if (rc < 0)
		return "a word that does not end";
	return exact == (r->components.len == 0) ? NULL : exact ? "components of a path" : "no component";
}

/* deb [options] URI SUITE COMPONENT… */
int vtr_sources_list_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_skipped skipped = { .os = os, .path = path };
	struct vtr_span rest = { text, len }, line;
	struct vtr_str word = { 0 };
	int rc = 0;

	while (rc == 0 && vtr_span_line(&line, &rest)) {
		struct repository r = { .manager = "apt" };
		const char *wrong;

		skipped.line++;
		line.len = vtr_span_find(line, '#');
		if (!vtr_span_word(&r.type, &line))
			continue;
		wrong = apt_type_is(r.type) ? apt_entry(&r, line, &word) : "an unknown type";
		if (wrong)
			vtr_skip(&skipped, wrong);
		else
			rc = repository_add(&r, os, path, err);
		repository_done(&r);
	}
	if (rc == 0 && word.oom)
		rc = vtr_fail(err, VTR_ENOMEM, "a line of %s", path);
	vtr_str_done(&word);
	vtr_skip_end(&skipped);
	return rc;
}

/* A stanza of sources.list(5)'s deb822 style. A field that is there twice counts as it was last. */
enum apt_field { APT_TYPES, APT_URIS, APT_SUITES, APT_COMPONENTS, APT_ENABLED, APT_FIELDS };

static const char *const apt_fields[APT_FIELDS] = { "Types", "URIs", "Suites", "Components", "Enabled" };

struct apt_stanza {
	struct vtr_str f[APT_FIELDS]; /* words with newlines between them, escaped; of URIs without passwords */
	int at;			      /* the field that a line goes on with; APT_FIELDS: none of these */
	bool any;
};

/* What apt takes for a no: StringToBool() of apt 2.6. Anything else is a yes. */
static bool apt_no_is(struct vtr_span value)
{
	static const char *const no[] = { "no", "false", "without", "off", "disable" };

	for (size_t i = 0; i < VTR_COUNT(no); i++)
		if (vtr_span_is_icase(value, no[i]))
			return true;
	if (vtr_span_starts(value, "0x") && value.len > 2)
		value = vtr_span_skip(value, 2);
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] != '0')
			return false;
	return value.len > 0;
}

static void apt_words(struct apt_stanza *s, struct vtr_span line)
{
	struct repository uris = { .uris = s->f[APT_URIS] };
	struct vtr_span word;

	if (s->at == APT_FIELDS)
		return;
	while (vtr_span_word(&word, &line)) {
		if (s->at != APT_URIS) {
			vtr_list_put(&s->f[s->at], word);
			continue;
		}
		repository_uri(&uris, word);
		s->f[APT_URIS] = uris.uris;
	}
}

/* Each type is a repository of its own. */
static int apt_stanza_add(struct apt_stanza *s, struct vtr_os *os, const char *path, struct vtr_skipped *skipped,
			  struct vtr_error *err)
{
	struct vtr_span types = { s->f[APT_TYPES].p, s->f[APT_TYPES].len }, type;
	struct vtr_span suites = { s->f[APT_SUITES].p, s->f[APT_SUITES].len }, suite;
	const bool enabled = !apt_no_is((struct vtr_span){ s->f[APT_ENABLED].p, s->f[APT_ENABLED].len });
	bool paths = true, names = true;

	for (size_t i = 0; i < APT_FIELDS; i++)
		if (s->f[i].oom)
			return vtr_fail(err, VTR_ENOMEM, "a stanza of %s", path);
	while (vtr_span_line(&suite, &suites)) {
		paths = paths && vtr_span_ends(suite, "/");
		names = names && !vtr_span_ends(suite, "/");
	}
	/* apt looks no further at what is disabled. */
	if (enabled && (types.len == 0 || s->f[APT_URIS].len == 0 || s->f[APT_SUITES].len == 0))
		vtr_skip(skipped, types.len == 0 ? "no Types" : s->f[APT_URIS].len == 0 ? "no URIs" : "no Suites");
	else if (enabled && (s->f[APT_COMPONENTS].len == 0 ? !paths : !names))
		vtr_skip(skipped, s->f[APT_COMPONENTS].len == 0 ? "no Components" : "Components of a path");
	else
		while (vtr_span_line(&type, &types)) {
			struct vtr_draft d;

			if (enabled && !apt_type_is(type)) {
				vtr_skip(skipped, "an unknown type");
				continue;
			}
			vtr_draft_begin(&d, os, "repositories", path, err);
			vtr_draft_text(&d, "manager", "apt");
			vtr_draft_span(&d, "type", type);
			vtr_draft_bool(&d, "enabled", enabled);
			vtr_draft_list(&d, "uris", &s->f[APT_URIS]);
			vtr_draft_list(&d, "suites", &s->f[APT_SUITES]);
			vtr_draft_list(&d, "components", &s->f[APT_COMPONENTS]);
			if (vtr_draft_end(&d) < 0)
				return -1;
		}
	return 0;
}

/*
 * As apt 2.6 reads it: a line that starts with # is not there at all, also between the lines of a value; a line of blanks
 * goes on with the value, and does not end the stanza.
 */
int vtr_deb822_sources_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_skipped skipped = { .os = os, .path = path };
	struct vtr_span rest = { text, len }, line;
	struct apt_stanza s = { .at = APT_FIELDS };
	int rc = 0;

	for (bool more = true; rc == 0 && more;) {
		more = vtr_span_line(&line, &rest);
		skipped.line++;
		if (more && line.len > 0 && *line.p == '#')
			continue;
		if (!more || line.len == 0) {
			if (s.any)
				rc = apt_stanza_add(&s, os, path, &skipped, err);
			for (size_t i = 0; i < APT_FIELDS; i++)
				s.f[i].len = 0;
			s.any = false;
			s.at = APT_FIELDS;
		} else if (*line.p == ' ' || *line.p == '\t') {
			apt_words(&s, line);
		} else {
			size_t colon = vtr_span_find(line, ':');
			struct vtr_span key = vtr_span_trim((struct vtr_span){ line.p, colon });

			s.any = true;
			for (s.at = 0; s.at < APT_FIELDS && !vtr_span_is_icase(key, apt_fields[s.at]); s.at++)
				;
			if (colon == line.len) {
				vtr_skip(&skipped, "a line without a colon");
			} else if (s.at < APT_FIELDS) {
				s.f[s.at].len = 0;
				apt_words(&s, vtr_span_skip(line, colon + 1));
			}
		}
	}
	for (size_t i = 0; i < APT_FIELDS; i++)
		vtr_str_done(&s.f[i]);
	vtr_skip_end(&skipped);
	return rc;
}

/* Whether apt reads a file of sources.list.d: by its name alone. Others are ignored without a word. */
static bool apt_name_is(struct vtr_span name)
{
	if (name.len == 0 || *name.p == '.' || name.p[name.len - 1] == '.')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      memchr("_-:.", c, 4)))
			return false;
	}
	return true;
}

static int apt_listed(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct vtr_span name = vtr_span_of(e->name);

	(void)arg;
	if (!apt_name_is(name) || e->type == VTR_TYPE_DIR)
		return 0;
	if (vtr_span_ends(name, ".list"))
		return vtr_os_text(os, e->path, vtr_sources_list_parse, err) < 0 ? -1 : 0;
	if (vtr_span_ends(name, ".sources"))
		return vtr_os_text(os, e->path, vtr_deb822_sources_parse, err) < 0 ? -1 : 0;
	return 0;
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
				     vtr_span_is_icase(value, "false") || vtr_span_is_icase(value, "off");
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

/*
 * pacman.conf(5): [core], with Server = URI; [options] is none. Include = PATTERN goes on in other files, as if they stood
 * there: servers of a section, or sections of their own.
 */
struct pacman_file {
	struct vtr_span rest;
	char *path, *text; /* owned; of the first one NULL */
};

struct pacman {
	struct pacman_file files[PACMAN_DEPTH];
	size_t depth, included;
	struct vtr_span pattern; /* that a directory is listed for */
	char **found;
	size_t n_found, cap_found;
	char *name; /* of the section; NULL: none, or [options] */
	char *section_path;
	struct repository r;
};

static void pacman_found_done(struct pacman *p)
{
	for (size_t i = 0; i < p->n_found; i++)
		free(p->found[i]);
	p->n_found = 0;
}

static void pacman_done(struct pacman *p)
{
	pacman_found_done(p);
	free(p->found);
	for (size_t i = 0; i < p->depth; i++) {
		free(p->files[i].path);
		free(p->files[i].text);
	}
	free(p->name);
	free(p->section_path);
	repository_done(&p->r);
}

static int pacman_listed(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct pacman *p = arg;

	if (*e->name == '.' || e->type == VTR_TYPE_DIR || !vtr_span_glob(vtr_span_of(e->name), p->pattern))
		return 0;
	if (VTR_OVER(os->ctx, records, p->n_found + 1, "files that pacman.conf includes", err) < 0 ||
	    !VTR_GROW(p->found, p->n_found, p->cap_found, err))
		return -1;
	p->found[p->n_found] = vtr_strndup(e->path, strlen(e->path), err);
	return p->found[p->n_found] ? (p->n_found++, 0) : -1;
}

/* Put what the pattern names on top, so that the first of them is read next. */
static int pacman_include(struct pacman *p, struct vtr_os *os, const char *path, struct vtr_span pattern,
			  struct vtr_error *err)
{
	size_t slash = pattern.len;
	VTR_FREE char *dir = NULL;

	while (slash > 0 && pattern.p[slash - 1] != '/')
		slash--;
	if (!os->tree || slash == 0 || *pattern.p != '/' || memchr(pattern.p, 0, pattern.len))
		return 0;
	for (size_t i = 0; i < slash; i++)
		if (memchr("*?[", pattern.p[i], 3)) {
			vtr_os_warn(os, path, VTR_EUNSUPPORTED, "Include: a pattern of directories is not followed");
			return 0;
		}
	dir = vtr_strndup(pattern.p, VTR_MAX(slash - 1, (size_t)1), err);
	p->pattern = vtr_span_skip(pattern, slash);
	if (!dir || vtr_os_list(os, dir, pacman_listed, p, err) < 0)
		return -1;
	for (size_t i = p->n_found; i > 0; i--) {
		VTR_FREE char *text = NULL;
		size_t len;
		int there;

		if (p->depth == PACMAN_DEPTH || ++p->included > PACMAN_FILES) {
			vtr_os_warn(os, path, VTR_ELIMIT, "Include: more than %u files, or %u at once", PACMAN_FILES,
				    PACMAN_DEPTH);
			break;
		}
		there = vtr_os_text_slurp(&text, &len, os, p->found[i - 1], err);
		if (there < 0)
			return -1;
		if (there > 0) {
			struct pacman_file *f = &p->files[p->depth++];

			*f = (struct pacman_file){ { text, len }, p->found[i - 1], vtr_steal(text) };
			p->found[i - 1] = NULL;
		}
	}
	pacman_found_done(p);
	return 0;
}

static int pacman_section_end(struct pacman *p, struct vtr_os *os, struct vtr_error *err)
{
	int rc = 0;

	if (p->name) {
		p->r.name = vtr_span_of(p->name);
		rc = repository_add(&p->r, os, p->section_path, err);
	}
	free(p->name);
	free(p->section_path);
	p->name = p->section_path = NULL;
	repository_done(&p->r);
	p->r = (struct repository){ .manager = "pacman" };
	return rc;
}

static int pacman_line(struct pacman *p, struct vtr_os *os, const char *path, struct vtr_span line,
		       struct vtr_error *err)
{
	size_t eq = vtr_span_find(line, '='), end = vtr_span_find(line, ']');
	struct vtr_span key = vtr_span_trim((struct vtr_span){ line.p, eq });
	struct vtr_span value = vtr_span_trim(vtr_span_skip(line, VTR_MIN(eq + 1, line.len)));

	if (line.len > 0 && *line.p == '[') {
		struct vtr_span name = { line.p + 1, end - 1 };

		if (pacman_section_end(p, os, err) < 0)
			return -1;
		if (end == line.len || name.len == 0 || vtr_span_is(name, "options") || memchr(name.p, 0, name.len))
			return 0;
		p->name = vtr_strndup(name.p, name.len, err);
		p->section_path = p->name ? vtr_strndup(path, strlen(path), err) : NULL;
		return p->section_path ? 0 : -1;
	}
	if (vtr_span_is(key, "Include"))
		return pacman_include(p, os, path, value, err);
	if (p->name && vtr_span_is(key, "Server"))
		repository_uri(&p->r, value);
	return 0;
}

int vtr_pacman_conf_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct pacman p = { .depth = 1, .r = { .manager = "pacman" } };
	int rc = 0;

	p.files[0].rest = (struct vtr_span){ text, len };
	while (rc == 0 && p.depth > 0) {
		struct pacman_file *f = &p.files[p.depth - 1];
		struct vtr_span line;

		if (vtr_span_line(&line, &f->rest)) {
			rc = pacman_line(&p, os, f->path ? f->path : path, vtr_span_trim(line), err);
			continue;
		}
		free(f->path);
		free(f->text);
		p.depth--;
	}
	if (rc == 0)
		rc = pacman_section_end(&p, os, err);
	pacman_done(&p);
	return rc;
}

/* opkg.conf: src/gz NAME URI, and src without compression. */
int vtr_opkg_conf_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line, word;

	while (vtr_span_line(&line, &rest)) {
		struct repository r = { .manager = "opkg" };

		if (!vtr_span_word(&word, &line) || !(vtr_span_is(word, "src") || vtr_span_is(word, "src/gz")) ||
		    !vtr_span_word(&r.name, &line) || !vtr_span_word(&word, &line))
			continue;
		repository_uri(&r, word);
		if (repository_add(&r, os, path, err) < 0)
			return -1;
	}
	return 0;
}

/* yum.conf is often another name of dnf.conf; sections beside [main] are repositories. */
static int repositories_dnf_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const dirs[] = { "/etc/yum.repos.d", "/etc/yum/repos.d", "/etc/distro.repos.d" };
	int there = vtr_os_text(os, "/etc/dnf/dnf.conf", vtr_yum_repo_parse, err);

	if (there == 0)
		there = vtr_os_text(os, "/etc/yum.conf", vtr_yum_repo_parse, err);
	for (size_t i = 0; there >= 0 && i < VTR_COUNT(dirs); i++)
		if (vtr_os_texts(os, dirs[i], ".repo", vtr_yum_repo_parse, err) < 0)
			return -1;
	return there < 0 ? -1 : 0;
}

int vtr_repositories_read(struct vtr_os *os, struct vtr_error *err)
{
	if (vtr_os_text(os, "/etc/apt/sources.list", vtr_sources_list_parse, err) < 0 ||
	    vtr_os_list(os, "/etc/apt/sources.list.d", apt_listed, NULL, err) < 0 ||
	    repositories_dnf_read(os, err) < 0 ||
	    vtr_os_texts(os, "/etc/zypp/repos.d", ".repo", vtr_zypp_repo_parse, err) < 0 ||
	    vtr_os_text(os, "/etc/apk/repositories", vtr_apk_repositories_parse, err) < 0 ||
	    vtr_os_texts(os, "/etc/apk/repositories.d", ".list", vtr_apk_repositories_parse, err) < 0 ||
	    vtr_os_text(os, "/etc/opkg.conf", vtr_opkg_conf_parse, err) < 0 ||
	    vtr_os_texts(os, "/etc/opkg", ".conf", vtr_opkg_conf_parse, err) < 0)
		return -1;
	return vtr_os_text(os, "/etc/pacman.conf", vtr_pacman_conf_parse, err) < 0 ? -1 : 0;
}
