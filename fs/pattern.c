/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Matching: "*", "?", "[…]" with ranges, classes and "!", and a backslash, glob(7). Linear in the text for each "*". */
#include "fs/pattern.h"

#include <ctype.h>
#include <string.h>

#include "base/checked.h"
#include "base/fold.h"
#include "base/text.h"

struct vtr_pattern vtr_pattern_of(const struct vtr_tree *t)
{
	return (struct vtr_pattern){ .fold = t->n_drives > 0, .escapes = t->n_drives == 0 };
}

/* A character, or a byte that is none, beyond all code points; folded where case does not count. */
static uint32_t pattern_next(const struct vtr_pattern *how, const char **p, const char *end)
{
	uint32_t c;
	size_t n = how->bytes ? 0 : vtr_utf8_next(&c, (const uint8_t *)*p, (size_t)(end - *p));

	if (n == 0) {
		c = 0x110000u + (uint8_t) * *p;
		n = 1;
	}
	*p += n;
	return how->fold ? vtr_fold(c) : c;
}

/* A character of the pattern, of which a backslash is taken away. */
static uint32_t pattern_letter(const struct vtr_pattern *how, const char **p, const char *end)
{
	if (how->escapes && **p == '\\' && end - *p > 1)
		++*p;
	return pattern_next(how, p, end);
}

/* A class in a set, "[:alpha:]", at p: its length, and whether it has c; 0: it is none. Letters are those of ASCII. */
static size_t pattern_class(bool *has, const char *p, const char *end, uint32_t c)
{
	static const struct {
		const char *name;
		int (*is)(int c);
	} classes[] = {
		{ "[:alnum:]", isalnum }, { "[:alpha:]", isalpha }, { "[:blank:]", isblank },
		{ "[:cntrl:]", iscntrl }, { "[:digit:]", isdigit }, { "[:graph:]", isgraph },
		{ "[:lower:]", islower }, { "[:print:]", isprint }, { "[:punct:]", ispunct },
		{ "[:space:]", isspace }, { "[:upper:]", isupper }, { "[:xdigit:]", isxdigit },
	};

	for (size_t i = 0; i < VTR_COUNT(classes); i++) {
		size_t len = strlen(classes[i].name);

		if ((size_t)(end - p) < len || memcmp(p, classes[i].name, len) != 0)
			continue;
		*has = c < 0x80 && classes[i].is((int)c);
		return len;
	}
	return 0;
}

/* The end of a set that begins behind "[" at p; NULL: it does not end, and the "[" is a letter. */
static const char *pattern_set_end(const struct vtr_pattern *how, const char *p, const char *end)
{
	if (p < end && (*p == '!' || *p == '^'))
		p++;
	if (p < end && *p == ']')
		p++;
	while (p < end && *p != ']') {
		bool has;
		size_t len = pattern_class(&has, p, end, 0);

		if (len == 0 && how->escapes && *p == '\\' && end - p > 1)
			len = 2;
		p += len ? len : 1;
	}
	return p < end ? p : NULL;
}

/* Whether a set, from behind its "[" to its "]", has c. */
static bool pattern_set_has(const struct vtr_pattern *how, const char *p, const char *end, uint32_t c)
{
	bool not = *p == '!' || *p == '^', found = false;

	p += not ;
	while (p < end) {
		uint32_t from, to;
		bool has;
		size_t len = pattern_class(&has, p, end, c);

		if (len > 0) {
			p += len;
			found = found || has;
			continue;
		}
		from = to = pattern_letter(how, &p, end);
		if (end - p > 1 && *p == '-') {
			p++;
			to = pattern_letter(how, &p, end);
		}
		found = found || (c >= from && c <= to);
	}
	return found != not ;
}

/* The last "*" is where matching goes on when it fails: it takes one more character then. */
enum vtr_pattern_fit vtr_pattern_match(const struct vtr_pattern *how, const char *p, const char *p_end, const char *s,
				       const char *s_end)
{
	const char *star = NULL, *star_s = NULL;

	for (;;) {
		const char *set, *at = s;
		uint32_t c;

		if (p < p_end && *p == '*') {
			star = ++p;
			star_s = s;
			continue;
		}
		if (s == s_end)
			return p == p_end ? VTR_PATTERN_FITS : star ? VTR_PATTERN_STAR : VTR_PATTERN_NOT;
		c = pattern_next(how, &at, s_end);
		set = p < p_end && *p == '[' ? pattern_set_end(how, p + 1, p_end) : NULL;
		if (set ? pattern_set_has(how, p + 1, set, c) : p < p_end && *p == '?') {
			p = set ? set + 1 : p + 1;
			s = at;
			continue;
		}
		if (!set && p < p_end) {
			const char *next = p;

			if (pattern_letter(how, &next, p_end) == c) {
				p = next;
				s = at;
				continue;
			}
		}
		if (!star)
			return VTR_PATTERN_NOT;
		(void)pattern_next(how, &star_s, s_end);
		p = star;
		s = star_s;
	}
}

bool vtr_pattern_is(const struct vtr_pattern *how, const char *p, const char *end)
{
	for (; p < end; p++) {
		if (*p == '*' || *p == '?' || (*p == '[' && pattern_set_end(how, p + 1, end)))
			return true;
		if (how->escapes && *p == '\\' && end - p > 1)
			p++;
	}
	return false;
}
