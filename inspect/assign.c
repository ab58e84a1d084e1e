/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines, and files of shell-like assignments: os-release(5), lsb-release, /etc/sysconfig, /etc/conf.d.
 *
 * Values are what POSIX, section 2.2 (quoting) makes of them, without expansion. Two things are looser, as systemd's
 * reader of os-release is: an unquoted value goes on over blanks (the shell would take the second word as a command),
 * and a quote that is never closed ends with its line.
 */
#include "inspect/inspect.h"

int vtr_lines_next(struct vtr_lines *l, const char **line, size_t *len)
{
	const char *nl;

	if (l->p == l->end)
		return 0;
	nl = memchr(l->p, '\n', (size_t)(l->end - l->p));
	*line = l->p;
	*len = (size_t)((nl ? nl : l->end) - l->p);
	if (nl && *len > 0 && nl[-1] == '\r')
		--*len;
	l->p = nl ? nl + 1 : l->end;
	return 1;
}

struct assign {
	const char *p, *end;
	char *value; /* has room for all of the text */
	size_t len;
	bool unclosed[2]; /* by quote: a search for its end reached the end of the text; never look again */
};

static bool assign_blank_is(char c)
{
	return c == ' ' || c == '\t';
}

static bool assign_name_is(char c, bool first)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

/* At the end of a line: \n, \r\n or the end of the text. */
static bool assign_eol_is(const struct assign *a, const char *p)
{
	return p == a->end || *p == '\n' || (*p == '\r' && (p + 1 == a->end || p[1] == '\n'));
}

static void assign_line_skip(struct assign *a)
{
	const char *nl = memchr(a->p, '\n', (size_t)(a->end - a->p));

	a->p = nl ? nl + 1 : a->end;
}

/* The quote that closes the one before p; without one the end of p's line. */
static const char *assign_quote_end(struct assign *a, const char *p, char quote)
{
	bool *unclosed = &a->unclosed[quote == '"'];

	for (const char *q = p; !*unclosed && q < a->end; q++) {
		if (*q == quote)
			return q;
		if (quote == '"' && *q == '\\' && q + 1 < a->end)
			q++;
	}
	*unclosed = true;
	while (!assign_eol_is(a, p))
		p++;
	return p;
}

/* Inside double quotes a backslash quotes these alone. */
static bool assign_dquoted_is(char c)
{
	return c == '$' || c == '`' || c == '"' || c == '\\';
}

static void assign_quoted_parse(struct assign *a)
{
	char quote = *a->p++;
	const char *end = assign_quote_end(a, a->p, quote);

	while (a->p < end) {
		if (quote == '"' && *a->p == '\\' && a->p + 1 < end) {
			if (a->p[1] == '\n') {
				a->p += 2;
				continue;
			}
			if (assign_dquoted_is(a->p[1]))
				a->p++;
		}
		a->value[a->len++] = *a->p++;
	}
	if (end < a->end && *end == quote)
		a->p = end + 1;
}

static void assign_value_parse(struct assign *a)
{
	size_t keep = 0; /* trailing blanks that were not quoted go */
	bool blank = false;

	a->len = 0;
	while (!assign_eol_is(a, a->p)) {
		char c = *a->p;

		if (c == '#' && blank)
			break;
		blank = assign_blank_is(c);
		if (c == '"' || c == '\'') {
			assign_quoted_parse(a);
		} else if (c == '\\' && a->p + 1 < a->end) {
			if (a->p[1] != '\n')
				a->value[a->len++] = a->p[1];
			a->p += 2;
		} else {
			a->value[a->len++] = c;
			a->p++;
		}
		if (!blank)
			keep = a->len;
	}
	a->len = keep;
}

int vtr_assignments(const char *text, size_t len, vtr_assign_fn *fn, void *arg, struct vtr_error *err)
{
	VTR_FREE char *value = vtr_calloc(len, 1, err);
	struct assign a = { .p = text, .end = text + len, .value = value };

	if (!value)
		return -1;
	for (; a.p < a.end; assign_line_skip(&a)) {
		const char *name;
		size_t name_len;
		int rc;

		while (a.p < a.end && assign_blank_is(*a.p))
			a.p++;
		if (a.end - a.p > 7 && memcmp(a.p, "export", 6) == 0 && assign_blank_is(a.p[6]))
			for (a.p += 7; a.p < a.end && assign_blank_is(*a.p);)
				a.p++;
		name = a.p;
		while (a.p < a.end && assign_name_is(*a.p, a.p == name))
			a.p++;
		name_len = (size_t)(a.p - name);
		if (name_len == 0 || a.p == a.end || *a.p != '=')
			continue;
		a.p++;
		assign_value_parse(&a);
		rc = fn(arg, name, name_len, a.value, a.len, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}
