/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The order of packages' versions, by the rules of the packages' own managers:
 *
 *	deb, opkg	deb-version(7)
 *	rpm		rpm-version(7): segments, "~" before and "^" after the end
 *	pacman		vercmp(8): rpm's rules before "~", separators count
 *	apk		apk-package(5), versions of apk-tools 2 and 3
 *	ebuild		Package Manager Specification, section 3.3
 *
 * Any text has a place in each order: what a manager would refuse is compared as far as its rules go, and then by bytes.
 * Numbers are compared as digits, whatever their length.
 */
#include <string.h>

#include "base/checked.h"
#include "inspect/inspect.h"

struct version_text {
	const char *p, *end;
};

static bool version_digit_is(char c)
{
	return c >= '0' && c <= '9';
}

static bool version_letter_is(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int version_sign(int c)
{
	return (c > 0) - (c < 0);
}

static int version_text_compare(struct version_text a, struct version_text b)
{
	size_t n = (size_t)(a.end - a.p), m = (size_t)(b.end - b.p);
	int c = n && m ? memcmp(a.p, b.p, VTR_MIN(n, m)) : 0;

	return c ? version_sign(c) : (n > m) - (n < m);
}

/* Take the digits, or the letters, from the front of *t. */
static struct version_text version_take(struct version_text *t, bool (*is)(char c))
{
	struct version_text out = { t->p, t->p };

	while (out.end < t->end && is(*out.end))
		out.end++;
	t->p = out.end;
	return out;
}

/* Digits by their value; none are 0. */
static int version_digits_compare(struct version_text a, struct version_text b)
{
	size_t n, m;

	while (a.p < a.end && *a.p == '0')
		a.p++;
	while (b.p < b.end && *b.p == '0')
		b.p++;
	n = (size_t)(a.end - a.p);
	m = (size_t)(b.end - b.p);
	return n != m ? (n > m ? 1 : -1) : version_text_compare(a, b);
}

/* Take an epoch away from the front: digits and a colon. "" is 0. */
static struct version_text version_epoch(struct version_text *t)
{
	struct version_text rest = *t, epoch = version_take(&rest, version_digit_is);

	if (rest.p == rest.end || *rest.p != ':')
		return (struct version_text){ t->p, t->p };
	t->p = rest.p + 1;
	return epoch;
}

/* Take what follows the last hyphen away from the end. p is NULL where there is no hyphen. */
static struct version_text version_revision(struct version_text *t)
{
	struct version_text out = { NULL, NULL };

	for (const char *p = t->end; p > t->p; p--) {
		if (p[-1] != '-')
			continue;
		out = (struct version_text){ p, t->end };
		t->end = p - 1;
		break;
	}
	return out;
}

/* ------------------------------------------------------------------------------------------------------ deb, opkg */

/* deb-version(7): "~" before the end, the end before letters, letters before all else. */
static int version_deb_weight(struct version_text t)
{
	if (t.p == t.end || version_digit_is(*t.p))
		return 0;
	if (*t.p == '~')
		return -1;
	return (unsigned char)*t.p + (version_letter_is(*t.p) ? 0 : 256);
}

static int version_deb_part(struct version_text a, struct version_text b)
{
	int c = 0;

	while (c == 0 && (a.p < a.end || b.p < b.end)) {
		while (c == 0 &&
		       ((a.p < a.end && !version_digit_is(*a.p)) || (b.p < b.end && !version_digit_is(*b.p)))) {
			c = version_sign(version_deb_weight(a) - version_deb_weight(b));
			a.p += a.p < a.end;
			b.p += b.p < b.end;
		}
		if (c == 0)
			c = version_digits_compare(version_take(&a, version_digit_is),
						   version_take(&b, version_digit_is));
	}
	return c;
}

static int version_deb(struct version_text a, struct version_text b)
{
	int c = version_digits_compare(version_epoch(&a), version_epoch(&b));
	struct version_text x = version_revision(&a), y = version_revision(&b);

	if (c == 0)
		c = version_deb_part(a, b);
	return c ? c : version_deb_part(x, y);
}

/* ---------------------------------------------------------------------------------------------------- rpm, pacman */

static bool version_alnum_is(char c)
{
	return version_digit_is(c) || version_letter_is(c);
}

/* How far the segments of both go on alike: the order that one of them decides, or 0. Neither starts with a separator. */
static int version_segment(struct version_text *a, struct version_text *b)
{
	bool number = version_digit_is(*a->p);
	struct version_text x = version_take(a, number ? version_digit_is : version_letter_is);
	struct version_text y = version_take(b, number ? version_digit_is : version_letter_is);

	if (y.p == y.end) /* digits are newer than letters */
		return number ? 1 : -1;
	return number ? version_digits_compare(x, y) : version_text_compare(x, y);
}

static bool version_at(struct version_text t, char c)
{
	return t.p < t.end && *t.p == c;
}

static void version_rpm_skip(struct version_text *t)
{
	while (t->p < t->end && !version_alnum_is(*t->p) && *t->p != '~' && *t->p != '^')
		t->p++;
}

static int version_rpm_part(struct version_text a, struct version_text b)
{
	int c = 0;

	while (c == 0 && (a.p < a.end || b.p < b.end)) {
		version_rpm_skip(&a);
		version_rpm_skip(&b);
		if (version_at(a, '~') || version_at(b, '~')) {
			if (!version_at(a, '~') || !version_at(b, '~'))
				return version_at(a, '~') ? -1 : 1;
			a.p++;
			b.p++;
		} else if (version_at(a, '^') || version_at(b, '^')) {
			/* After the end, before anything else that goes on. */
			if (a.p == a.end || b.p == b.end)
				return a.p == a.end ? -1 : 1;
			if (!version_at(a, '^') || !version_at(b, '^'))
				return version_at(a, '^') ? -1 : 1;
			a.p++;
			b.p++;
		} else if (a.p == a.end || b.p == b.end) {
			break;
		} else {
			c = version_segment(&a, &b);
		}
	}
	return c ? c : (a.p < a.end) - (b.p < b.end);
}

static int version_rpm(struct version_text a, struct version_text b)
{
	struct version_text e = version_epoch(&a), f = version_epoch(&b), x, y;
	int c = version_digits_compare(e, f);

	x = version_revision(&a);
	y = version_revision(&b);
	if (c == 0)
		c = version_rpm_part(a, b);
	if (c != 0)
		return c;
	return x.p && y.p ? version_rpm_part(x, y) : (x.p != NULL) - (y.p != NULL);
}

static size_t version_pacman_skip(struct version_text *t)
{
	const char *from = t->p;

	while (t->p < t->end && !version_alnum_is(*t->p))
		t->p++;
	return (size_t)(t->p - from);
}

static int version_pacman_part(struct version_text a, struct version_text b)
{
	int c = 0;

	if (version_text_compare(a, b) == 0)
		return 0;
	while (a.p < a.end && b.p < b.end) {
		size_t n = version_pacman_skip(&a), m = version_pacman_skip(&b);

		if (a.p == a.end || b.p == b.end)
			break;
		if (n != m)
			return n < m ? -1 : 1;
		c = version_segment(&a, &b);
		if (c != 0)
			return c;
	}
	if (a.p == a.end && b.p == b.end)
		return 0;
	/* Letters that are left are older than the end: 1.0rc1, 1.0. */
	if (a.p == a.end)
		return version_letter_is(*b.p) ? 1 : -1;
	return version_letter_is(*a.p) ? -1 : 1;
}

/* A release counts where both have one. */
static int version_pacman(struct version_text a, struct version_text b)
{
	struct version_text e = version_epoch(&a), f = version_epoch(&b), x, y;
	int c = version_digits_compare(e, f);

	x = version_revision(&a);
	y = version_revision(&b);
	if (c == 0)
		c = version_pacman_part(a, b);
	return c == 0 && x.p && y.p ? version_pacman_part(x, y) : c;
}

/* ---------------------------------------------------------------------------------------------------- apk, ebuild */

/* The rank of a suffix; the end of a version is 0. */
static const struct version_suffix {
	const char *name;
	int rank;
	bool apk_only;
} version_suffixes[] = {
	{ "alpha", -4, false }, { "beta", -3, false }, { "pre", -2, false }, { "rc", -1, false }, { "cvs", 1, true },
	{ "svn", 2, true },	{ "git", 3, true },    { "hg", 4, true },    { "p", 5, false },
};

/* Take "_" and the name of a suffix: its rank; 0: there is none. */
static int version_suffix_take(struct version_text *t, bool apk)
{
	struct version_text rest = { t->p + 1, t->end }, name;

	if (!version_at(*t, '_'))
		return 0;
	name = version_take(&rest, version_letter_is);
	for (size_t i = 0; i < VTR_COUNT(version_suffixes); i++) {
		const struct version_suffix *s = &version_suffixes[i];
		size_t len = strlen(s->name);

		if ((apk || !s->apk_only) && len == (size_t)(name.end - name.p) && memcmp(name.p, s->name, len) == 0) {
			*t = rest;
			return s->rank;
		}
	}
	return 0;
}

/*
 * A number behind a dot. Where one of the two begins with a zero they are compared as digits of a fraction: 1.01 is older
 * than 1.1. Zeros at its end count to apk-tools 3 alone.
 */
static int version_fraction_compare(struct version_text a, struct version_text b, bool apk)
{
	if (!version_at(a, '0') && !version_at(b, '0'))
		return version_digits_compare(a, b);
	while (!apk && a.end > a.p && a.end[-1] == '0')
		a.end--;
	while (!apk && b.end > b.p && b.end[-1] == '0')
		b.end--;
	return version_text_compare(a, b);
}

static struct version_text version_number_take(struct version_text *t)
{
	return version_take(t, version_digit_is);
}

/* Take ".digits": false, and nothing, when there is no such thing. */
static bool version_dot_take(struct version_text *out, struct version_text *t)
{
	if (!version_at(*t, '.') || t->p + 1 == t->end || !version_digit_is(t->p[1]))
		return false;
	t->p++;
	*out = version_number_take(t);
	return true;
}

/* Take "~" and the hash of a commit, which apk-tools 3 has before the revision. */
static struct version_text version_hash_take(struct version_text *t)
{
	if (!version_at(*t, '~'))
		return (struct version_text){ t->p, t->p };
	t->p++;
	return version_take(t, version_alnum_is);
}

/* digits{.digits}[letter]{_suffix[digits]}[-rdigits] */
static int version_dotted(struct version_text a, struct version_text b, bool apk)
{
	struct version_text x, y;
	int c = version_digits_compare(version_number_take(&a), version_number_take(&b));
	bool p, q;

	while (c == 0) {
		p = version_dot_take(&x, &a);
		q = version_dot_take(&y, &b);
		if (!p || !q) {
			c = p - q;
			break;
		}
		c = version_fraction_compare(x, y, apk);
	}
	if (c != 0)
		return c;
	p = a.p < a.end && version_letter_is(*a.p);
	q = b.p < b.end && version_letter_is(*b.p);
	if (p != q || (p && *a.p != *b.p))
		return p && q ? (*a.p > *b.p ? 1 : -1) : p - q;
	a.p += p;
	b.p += q;
	for (;;) {
		int i = version_suffix_take(&a, apk), j = version_suffix_take(&b, apk);

		c = version_sign(i - j);
		if (c != 0 || i == 0)
			break;
		x = version_number_take(&a);
		y = version_number_take(&b);
		if (apk && (x.p == x.end) != (y.p == y.end)) {
			/* To apk-tools _p0 is newer than _p, and older than _p_p. */
			bool bare = x.p == x.end;

			return (version_suffix_take(bare ? &a : &b, true) > 0) == bare ? 1 : -1;
		}
		c = version_digits_compare(x, y);
		if (c != 0)
			break;
	}
	if (c == 0 && apk)
		c = version_text_compare(version_hash_take(&a), version_hash_take(&b));
	if (c != 0)
		return c;
	p = a.end - a.p > 2 && a.p[0] == '-' && a.p[1] == 'r' && version_digit_is(a.p[2]);
	q = b.end - b.p > 2 && b.p[0] == '-' && b.p[1] == 'r' && version_digit_is(b.p[2]);
	a.p += p ? 2 : 0;
	b.p += q ? 2 : 0;
	if (p || q) {
		c = version_digits_compare(p ? version_number_take(&a) : (struct version_text){ a.p, a.p },
					   q ? version_number_take(&b) : (struct version_text){ b.p, b.p });
		if (c == 0 && apk && p != q) /* 1.0-r0 and 1.0 */
			c = p - q;
	}
	return c ? c : version_text_compare(a, b); /* what is left has no meaning */
}

/* ----------------------------------------------------------------------------------------------------- which rules */

int vtr_package_version_compare(const char *format, const char *a, const char *b)
{
	struct version_text x = { a, a + strlen(a) }, y = { b, b + strlen(b) };

	if (format && strcmp(format, "rpm") == 0)
		return version_rpm(x, y);
	if (format && strcmp(format, "pacman") == 0)
		return version_pacman(x, y);
	if (format && (strcmp(format, "apk") == 0 || strcmp(format, "ebuild") == 0))
		return version_dotted(x, y, strcmp(format, "apk") == 0);
	return version_deb(x, y);
}
