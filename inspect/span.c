/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pieces of a text: lines, words, fields; and files of sections. */

#include "base/checked.h"
#include "base/fold.h"
#include "inspect/records.h"

static bool span_blank_is(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

struct vtr_span vtr_span_of(const char *text)
{
	return (struct vtr_span){ text, strlen(text) };
}

bool vtr_span_is(struct vtr_span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

bool vtr_span_starts(struct vtr_span s, const char *text)
{
	return s.len >= strlen(text) && memcmp(s.p, text, strlen(text)) == 0;
}

bool vtr_span_ends(struct vtr_span s, const char *text)
{
	size_t len = strlen(text);

	return s.len >= len && memcmp(s.p + s.len - len, text, len) == 0;
}

bool vtr_span_is_icase(struct vtr_span s, const char *text)
{
	return s.len == strlen(text) && vtr_ascii_ncasecmp(s.p, text, s.len) == 0;
}

struct vtr_span vtr_span_skip(struct vtr_span s, size_t n)
{
	return (struct vtr_span){ s.p + n, s.len - n };
}

struct vtr_span vtr_span_trim(struct vtr_span s)
{
	while (s.len > 0 && span_blank_is(*s.p))
		s = vtr_span_skip(s, 1);
	while (s.len > 0 && span_blank_is(s.p[s.len - 1]))
		s.len--;
	return s;
}

struct vtr_span vtr_span_unquote(struct vtr_span s)
{
	if (s.len >= 2 && (*s.p == '"' || *s.p == '\'') && s.p[s.len - 1] == *s.p)
		return (struct vtr_span){ s.p + 1, s.len - 2 };
	return s;
}

size_t vtr_span_find(struct vtr_span s, char c)
{
	const char *at = s.len > 0 ? memchr(s.p, c, s.len) : NULL;

	return at ? (size_t)(at - s.p) : s.len;
}

/* One character of a pattern, whose length is *used, against c. */
static bool span_glob_one(struct vtr_span p, char c, size_t *used)
{
	bool not, found = false;
	size_t i = 1;

	*used = 1;
	if (*p.p == '?')
		return true;
	if (*p.p == '\\' && p.len > 1) {
		*used = 2;
		return p.p[1] == c;
	}
	if (*p.p != '[')
		return *p.p == c;
	not = p.len > 1 && (p.p[1] == '!' || p.p[1] == '^');
	i += not ;
	for (size_t first = i; i < p.len && (p.p[i] != ']' || i == first); i++) {
		if (i + 2 < p.len && p.p[i + 1] == '-' && p.p[i + 2] != ']') {
			found = found || ((unsigned char)p.p[i] <= (unsigned char)c &&
					  (unsigned char)c <= (unsigned char)p.p[i + 2]);
			i += 2;
		} else {
			found = found || p.p[i] == c;
		}
	}
	if (i == p.len) /* no end: a bracket is a bracket */
		return c == '[';
	*used = i + 1;
	return found != not ;
}

bool vtr_span_glob(struct vtr_span name, struct vtr_span pattern)
{
	struct vtr_span star = { NULL, 0 }, from = name;

	for (;;) {
		size_t used = 0;

		if (pattern.len > 0 && *pattern.p == '*') {
			star = pattern = vtr_span_skip(pattern, 1);
			from = name;
		} else if (name.len == 0 && pattern.len == 0) {
			return true;
		} else if (name.len > 0 && pattern.len > 0 && span_glob_one(pattern, *name.p, &used)) {
			pattern = vtr_span_skip(pattern, used);
			name = vtr_span_skip(name, 1);
		} else if (star.p && from.len > 0) { /* what the last * stands for is one more */
			name = from = vtr_span_skip(from, 1);
			pattern = star;
		} else {
			return false;
		}
	}
}

bool vtr_span_line(struct vtr_span *out, struct vtr_span *rest)
{
	struct vtr_lines lines;

	if (rest->len == 0)
		return false;
	lines = (struct vtr_lines){ rest->p, rest->p + rest->len };
	vtr_lines_next(&lines, &out->p, &out->len);
	*rest = (struct vtr_span){ lines.p, (size_t)(lines.end - lines.p) };
	return true;
}

bool vtr_span_word(struct vtr_span *out, struct vtr_span *rest)
{
	size_t n = 0;

	while (rest->len > 0 && span_blank_is(*rest->p))
		*rest = vtr_span_skip(*rest, 1);
	while (n < rest->len && !span_blank_is(rest->p[n]))
		n++;
	if (n == 0)
		return false;
	*out = (struct vtr_span){ rest->p, n };
	*rest = vtr_span_skip(*rest, n);
	return true;
}

bool vtr_span_field(struct vtr_span *out, struct vtr_span *rest, char sep)
{
	size_t n;

	if (!rest->p)
		return false;
	n = vtr_span_find(*rest, sep);
	*out = (struct vtr_span){ rest->p, n };
	*rest = n < rest->len ? vtr_span_skip(*rest, n + 1) : (struct vtr_span){ NULL, 0 };
	return true;
}

bool vtr_span_u64(uint64_t *out, struct vtr_span s, uint64_t max)
{
	uint64_t n = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || vtr_mul_over(n, 10u, &n) ||
		    vtr_add_over(n, (uint64_t)(s.p[i] - '0'), &n) || n > max)
			return false;
	}
	*out = n;
	return true;
}
