/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of sections: as systemd reads them (systemd.syntax(7)), and as GLib reads keyfiles (GKeyFile). They differ in
 * comments, in what may follow a section's name, in blanks at the end of a value, and in what makes them refuse a file.
 */
#include "base/checked.h"
#include "inspect/records.h"

#define INI_BOM "\xef\xbb\xbf"

struct ini {
	struct vtr_span rest, section;
	struct vtr_str joined; /* a line that goes on, and what it goes on with */
	enum vtr_ini how;
	size_t line; /* from 1 */
	vtr_setting_fn *fn;
	void *arg;
};

static bool ini_blank_is(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct vtr_span ini_trim(struct vtr_span s)
{
	while (s.len > 0 && ini_blank_is(*s.p))
		s = vtr_span_skip(s, 1);
	while (s.len > 0 && ini_blank_is(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* systemd refuses the file from the first longer line on, or from what continued lines make (LONG_LINE_MAX). */
#define INI_SYSTEMD_LINE 1048576u

/* For systemd a line ends with any of \n, \r and NUL, and with several that differ. */
static bool ini_systemd_line(struct vtr_span *out, struct vtr_span *rest)
{
	static const char ends[] = { '\n', '\r', 0 };
	bool seen[sizeof(ends)] = { false };
	size_t n = 0;

	if (rest->len == 0)
		return false;
	while (n < rest->len && !memchr(ends, rest->p[n], sizeof(ends)))
		n++;
	*out = (struct vtr_span){ rest->p, n };
	while (n < rest->len) {
		const char *end = memchr(ends, rest->p[n], sizeof(ends));

		if (!end || seen[end - ends])
			break;
		seen[end - ends] = true;
		n++;
	}
	*rest = vtr_span_skip(*rest, n);
	return true;
}

/* Whether the last backslash of a line is one that no other quotes. */
static bool ini_goes_on(struct vtr_span line)
{
	bool escaped = false;

	for (size_t i = 0; i < line.len; i++)
		escaped = !escaped && line.p[i] == '\\';
	return escaped;
}

/* 0: go on, 1: the file is refused here; -1. The section's name must stay: it lies in the text. */
static int ini_systemd_section(struct ini *f, struct vtr_span line)
{
	if (line.p[line.len - 1] != ']' || line.len < 2)
		return 1;
	f->section = (struct vtr_span){ line.p + 1, line.len - 2 };
	return 0;
}

static int ini_systemd_logical(struct ini *f, struct vtr_span line, struct vtr_error *err)
{
	struct vtr_setting s = { .section = f->section };
	size_t eq;

	line = ini_trim(line);
	if (line.len == 0 || !vtr_utf8_is(line.p, line.len))
		return 0;
	if (*line.p == '[') {
		/* What was joined does not stay; no section's name goes on over lines. */
		return f->joined.len > 0 ? 1 : ini_systemd_section(f, line);
	}
	eq = vtr_span_find(line, '=');
	s.key = ini_trim((struct vtr_span){ line.p, eq });
	if (eq == line.len || s.key.len == 0 || s.section.len == 0)
		return 0;
	s.value = ini_trim(vtr_span_skip(line, eq + 1));
	return f->fn(f->arg, &s, err);
}

static int ini_systemd(struct ini *f, struct vtr_error *err)
{
	struct vtr_span line;
	bool bom = false, more = false;
	int rc = 0;

	while (rc == 0 && ini_systemd_line(&line, &f->rest)) {
		struct vtr_span first = ini_trim(line);

		f->line++;
		if (line.len >= INI_SYSTEMD_LINE)
			return 1;
		/* Comments within a value that goes on are left out. */
		if (first.len > 0 && (*first.p == '#' || *first.p == ';'))
			continue;
		if (!bom && vtr_span_starts(line, INI_BOM)) {
			line = vtr_span_skip(line, 3);
			bom = true;
		}
		if (!more && !ini_goes_on(line)) {
			f->joined.len = 0;
			rc = ini_systemd_logical(f, line, err);
			continue;
		}
		if (!more)
			f->joined.len = 0;
		if (f->joined.len + line.len > INI_SYSTEMD_LINE)
			return 1;
		/* What is joined so far ends in a blank: no backslash of it quotes one of this line. */
		more = ini_goes_on(line);
		vtr_str_put(&f->joined, line.p, line.len);
		if (f->joined.oom)
			return vtr_fail(err, VTR_ENOMEM, "a line that goes on");
		if (more)
			f->joined.p[f->joined.len - 1] = ' ';
		else
			rc = ini_systemd_logical(f, (struct vtr_span){ f->joined.p, f->joined.len }, err);
	}
	return rc == 0 && more ? ini_systemd_logical(f, (struct vtr_span){ f->joined.p, f->joined.len }, err) : rc;
}

/* "[name]" and blanks. */
static bool ini_glib_group(struct vtr_span *name, struct vtr_span line)
{
	size_t end = vtr_span_find(line, ']');

	if (line.len == 0 || *line.p != '[' || end == line.len || end == 1)
		return false;
	*name = (struct vtr_span){ line.p + 1, end - 1 };
	for (size_t i = end + 1; i < line.len; i++)
		if (line.p[i] != ' ' && line.p[i] != '\t')
			return false;
	for (size_t i = 0; i < name->len; i++)
		if (name->p[i] == '[' || (unsigned char)name->p[i] < 0x20 || name->p[i] == 0x7f)
			return false;
	return true;
}

static int ini_glib(struct ini *f, struct vtr_error *err)
{
	struct vtr_span line;
	int rc = 0;

	while (rc == 0 && vtr_span_line(&line, &f->rest)) {
		struct vtr_setting s = { .section = { NULL, 0 } };
		size_t eq;

		f->line++;
		while (line.len > 0 && (ini_blank_is(*line.p) || *line.p == '\v' || *line.p == '\f'))
			line = vtr_span_skip(line, 1);
		if (line.len == 0 || *line.p == '#')
			continue;
		if (*line.p == '[') {
			if (!ini_glib_group(&f->section, line))
				return 1;
			continue;
		}
		eq = vtr_span_find(line, '=');
		if (eq == line.len || eq == 0 || f->section.len == 0)
			return 1;
		s.section = f->section;
		s.key = vtr_span_trim((struct vtr_span){ line.p, eq });
		s.value = vtr_span_skip(line, eq + 1);
		while (s.value.len > 0 && (ini_blank_is(*s.value.p) || *s.value.p == '\v' || *s.value.p == '\f'))
			s.value = vtr_span_skip(s.value, 1);
		rc = f->fn(f->arg, &s, err);
	}
	return rc;
}

int vtr_settings(size_t *refused, const char *text, size_t len, enum vtr_ini how, vtr_setting_fn *fn, void *arg,
		 struct vtr_error *err)
{
	struct ini f = { .rest = { text, len }, .section = { "", 0 }, .fn = fn, .arg = arg };
	int rc = how == VTR_INI_GLIB ? ini_glib(&f, err) : ini_systemd(&f, err);

	vtr_str_done(&f.joined);
	*refused = rc > 0 ? f.line : 0;
	return rc < 0 ? -1 : 0;
}
