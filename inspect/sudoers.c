/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sudoers(5): its lines, and those of the files that it includes, in the order in which sudo reads them. */
#include <stdlib.h>

#include "base/checked.h"
#include "inspect/includes.h"

#define SUDOERS_DEPTH 128u /* sudo's own limit of files within each other */
#define SUDOERS_FILES 4096u

static bool sudoers_blank_is(char c)
{
	return c == ' ' || c == '\t';
}

static bool sudoers_word_starts(struct vtr_span line, const char *word)
{
	size_t len = strlen(word);

	return vtr_span_starts(line, word) && (line.len == len || sudoers_blank_is(line.p[len]));
}

/* Whether quotes hold things together all over a line: commands take them as they are. */
static bool sudoers_quotes(struct vtr_span line)
{
	static const char *const aliases[] = { "User_Alias", "Runas_Alias", "Host_Alias" };

	if (vtr_span_starts(line, "Defaults"))
		return true;
	for (size_t i = 0; i < VTR_COUNT(aliases); i++)
		if (sudoers_word_starts(line, aliases[i]))
			return true;
	return false;
}

/* "#" starts a comment unless it is a user's or a group's number: #1000, #-1. */
static bool sudoers_comment_is(struct vtr_span s)
{
	size_t digit = s.len > 1 && s.p[1] == '-' ? 2 : 1;

	return s.len > 0 && *s.p == '#' && !(s.len > digit && s.p[digit] >= '0' && s.p[digit] <= '9');
}

/*
 * One line: without its comment, with one blank for each run of them outside of quotes, and with the lines that a backslash
 * at its end joins to it. Within quotes nothing stands between these. *rest is what follows, *lines how many it was.
 */
static void sudoers_line(struct vtr_str *out, struct vtr_span *rest, size_t *lines)
{
	bool quotes, quoted = false, blank = false;
	struct vtr_span s = *rest;

	out->len = 0;
	*lines = 1;
	while (s.len > 0 && sudoers_blank_is(*s.p))
		s = vtr_span_skip(s, 1);
	quotes = sudoers_quotes(s);
	for (bool values = false; s.len > 0 && *s.p != '\n'; s = vtr_span_skip(s, 1)) {
		size_t n = 1;

		if (*s.p == '\r' && s.len > 1 && s.p[1] == '\n')
			continue;
		if (s.len > 1 && *s.p == '\\' && s.p[1] == '\n') {
			++*lines;
			s = vtr_span_skip(s, 1);
			blank = blank || !quoted;
			while (s.len > 1 && sudoers_blank_is(s.p[1]))
				s = vtr_span_skip(s, 1);
			continue;
		}
		if (!quoted && sudoers_blank_is(*s.p)) {
			blank = true;
			continue;
		}
		if (!quoted && sudoers_comment_is(s)) {
			s = vtr_span_skip(s, vtr_span_find(s, '\n'));
			break;
		}
		if (*s.p == '"' && (quotes || !values))
			quoted = !quoted;
		values = values || (*s.p == '=' && !quoted);
		if (*s.p == '\\' && s.len > 1 && !(s.p[1] == '\r' && s.len > 2 && s.p[2] == '\n'))
			n = 2;
		if (blank && out->len > 0)
			vtr_str_put(out, " ", 1);
		blank = false;
		vtr_str_put(out, s.p, n);
		s = vtr_span_skip(s, n - 1);
	}
	*rest = vtr_span_skip(s, s.len > 0);
}

/* The list of users in front of a rule: names, and what a comma joins to them. */
static struct vtr_span sudoers_who(struct vtr_span line)
{
	bool quoted = false, more = true; /* a comma or a "!" wants something behind it */
	size_t i = 0, end = 0;

	while (i < line.len) {
		char c = line.p[i];

		if (c == '"')
			quoted = !quoted;
		if (!quoted && c == ' ') {
			if (!more && !(i + 1 < line.len && line.p[i + 1] == ','))
				break;
		} else {
			more = !quoted && (c == ',' || (c == '!' && more));
			i += c == '\\' && i + 1 < line.len;
			end = i + 1;
		}
		i++;
	}
	return (struct vtr_span){ line.p, end };
}

/* A tag, "NOPASSWD:", with blanks before its colon at most, as a word of its own. */
static bool sudoers_tag_has(struct vtr_span line, const char *tag)
{
	size_t len = strlen(tag);

	for (size_t i = 0; i < line.len && line.len - i > len; i++) {
		size_t end = i + len;

		if (memcmp(line.p + i, tag, len) != 0 || (i > 0 && !memchr(" =:,)", line.p[i - 1], 5)))
			continue;
		while (end < line.len && line.p[end] == ' ')
			end++;
		if (end < line.len && line.p[end] == ':')
			return true;
	}
	return false;
}

static int sudoers_add(struct vtr_os *os, const char *path, struct vtr_span line, struct vtr_error *err)
{
	static const char *const aliases[] = { "User_Alias", "Runas_Alias", "Host_Alias", "Cmnd_Alias", "Cmd_Alias" };
	const char *type = vtr_span_starts(line, "Defaults") ? "defaults" : "rule";
	struct vtr_draft d;

	for (size_t i = 0; i < VTR_COUNT(aliases); i++)
		if (sudoers_word_starts(line, aliases[i]))
			type = "alias";
	vtr_draft_begin(&d, os, "sudoers", path, err);
	vtr_draft_text(&d, "type", type);
	vtr_draft_span(&d, "text", line);
	if (strcmp(type, "rule") == 0) {
		vtr_draft_span(&d, "who", sudoers_who(line));
		vtr_draft_bool(&d, "nopasswd", sudoers_tag_has(line, "NOPASSWD"));
	}
	return vtr_draft_end(&d);
}

/* The path behind an include: in quotes, or with backslashes before blanks; "%h" is the host's name up to a dot. */
static bool sudoers_path(struct vtr_str *out, struct vtr_os *os, const char *from, struct vtr_span word, bool directory)
{
	bool quoted = word.len > 0 && *word.p == '"', closed = !quoted;
	const struct vtr_fact *host = vtr_os_fact(os, "hostname");
	const char *slash = strrchr(from, '/');
	size_t i = quoted;

	if (word.len > quoted && word.p[quoted] != '/' && slash)
		vtr_str_put(out, from, (size_t)(slash - from) + 1);
	for (; i < word.len; i++) {
		char c = word.p[i];

		if (c == 0 || (quoted ? c == '"' : c == ' ')) {
			closed = true;
			break;
		}
		if (c == '%' && i + 1 < word.len && word.p[i + 1] == 'h') {
			if (host)
				vtr_str_put(out, host->value, strcspn(host->value, "."));
			i++;
			continue;
		}
		if (c == '\\' && !quoted && i + 1 < word.len)
			i++;
		vtr_str_put(out, &word.p[i], 1);
	}
	while (directory && out->len > 1 && out->p[out->len - 1] == '/')
		out->len--;
	i += quoted && closed;
	return closed && out->len > 0 && i >= word.len;
}

static int sudoers_listed(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct vtr_span name = vtr_span_of(e->name);

	/* sudoers(5): names with a dot or a tilde at the end are not read. */
	if (memchr(name.p, '.', name.len) || vtr_span_ends(name, "~") || e->type == VTR_TYPE_DIR)
		return 0;
	return vtr_paths_add(arg, os, vtr_span_of(e->path), err);
}

static int sudoers_include_read(struct vtr_includes *i, struct vtr_include *f, struct vtr_span word, bool directory,
				struct vtr_error *err)
{
	struct vtr_os *os = i->os;
	struct vtr_paths paths = { .n = 0 };
	VTR_FREE char *path = NULL;
	struct vtr_str s = { 0 };
	int there = 1;

	if (!sudoers_path(&s, os, f->path, word, directory)) {
		vtr_str_done(&s);
		vtr_skip(&f->skipped, "an include without a path, or with more than one");
		return 0;
	}
	path = vtr_str_take(&s, err);
	if (!path)
		return -1;
	for (size_t k = 0; k < i->n && !directory; k++)
		if (i->v[k]->text && strcmp(i->v[k]->path, path) == 0) {
			vtr_skip(&f->skipped, "a file that includes itself");
			return 0;
		}
	if (!os->tree) /* a text alone */
		return 0;
	if (directory)
		there = vtr_os_list(os, path, sudoers_listed, &paths, err) < 0 ? -1 : 1;
	else
		there = vtr_os_there(os, path, err);
	if (there == 0)
		vtr_os_warn(os, f->path, VTR_OK, "line %zu: includes %s, which is not there", f->skipped.line, path);
	if (there > 0 && !directory)
		there = vtr_paths_add(&paths, os, vtr_span_of(path), err) < 0 ? -1 : 1;
	if (there >= 0)
		return vtr_includes_push(i, &paths, err);
	vtr_paths_done(&paths);
	return -1;
}

/* 1: the line includes files, which are read next; 0: it does not; -1. */
static int sudoers_include(struct vtr_includes *i, struct vtr_include *f, struct vtr_span line, struct vtr_error *err)
{
	for (int directory = 0; directory < 2; directory++) {
		const char *word = directory ? "includedir" : "include";

		if (!sudoers_word_starts(line, word))
			continue;
		line = vtr_span_trim(vtr_span_skip(line, strlen(word)));
		return sudoers_include_read(i, f, line, directory, err) < 0 ? -1 : 1;
	}
	return 0;
}

static int sudoers_next(struct vtr_includes *i, struct vtr_include *f, struct vtr_str *joined, struct vtr_error *err)
{
	bool hash = vtr_span_starts(f->rest, "#include"); /* behind blanks it is a comment */
	struct vtr_span line;
	size_t lines;
	int rc = 0;

	if (hash)
		f->rest = vtr_span_skip(f->rest, 1);
	sudoers_line(joined, &f->rest, &lines);
	if (joined->oom)
		return vtr_fail(err, VTR_ENOMEM, "a line of %s", f->path);
	f->skipped.line++;
	line = (struct vtr_span){ joined->p, joined->len };
	if (hash || (line.len > 0 && *line.p == '@'))
		rc = sudoers_include(i, f, vtr_span_skip(line, !hash), err);
	if (rc == 0 && line.len > 0 && !hash)
		rc = sudoers_add(i->os, f->path, line, err);
	f->skipped.line += lines - 1;
	return rc < 0 ? -1 : 0;
}

static int sudoers_all(struct vtr_includes *i, struct vtr_error *err)
{
	struct vtr_str joined = { 0 };
	struct vtr_include *f;
	int more;

	do {
		more = vtr_includes_next(&f, i, err);
		if (more > 0 && sudoers_next(i, f, &joined, err) < 0)
			more = -1;
	} while (more > 0);
	vtr_str_done(&joined);
	vtr_includes_done(i);
	return more;
}

int vtr_sudoers_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_includes i = { .os = os, .max_depth = SUDOERS_DEPTH, .max_files = SUDOERS_FILES };
	int rc = vtr_includes_text(&i, path, text, len, err);

	if (rc == 0)
		return sudoers_all(&i, err);
	vtr_includes_done(&i);
	return -1;
}

int vtr_sudoers_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const paths[] = { "/etc/sudoers", "/usr/etc/sudoers",
					     NULL }; /* SUSE's, when /etc has none */
	struct vtr_includes i = { .os = os, .max_depth = SUDOERS_DEPTH, .max_files = SUDOERS_FILES };
	struct vtr_paths first = { .n = 0 };
	const char *path;
	int rc = vtr_os_there_any(&path, os, paths, err);

	if (rc > 0)
		rc = vtr_paths_add(&first, os, vtr_span_of(path), err);
	if (rc == 0)
		rc = vtr_includes_push(&i, &first, err);
	if (rc == 0)
		return sudoers_all(&i, err);
	vtr_includes_done(&i);
	return -1;
}
