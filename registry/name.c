/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names and texts of hives: Latin-1 and UTF-16LE to UTF-8, their order, and what is the same but for case. */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/fold.h"
#include "base/utf16.h"
#include "registry/registry.h"

/* The code point at *i, which moves behind it; a lone surrogate is VTR_UTF16_BAD, and *bad is set. */
static uint32_t name_next(const struct hive_name *n, size_t *i, bool *bad)
{
	bool lone = false;
	uint32_t cp = n->utf16 ? vtr_utf16_next(n->p, n->len / 2, i, VTR_UTF16_LE, &lone) : n->p[(*i)++];

	*bad |= lone;
	return lone ? VTR_UTF16_BAD : cp;
}

static size_t name_units(const struct hive_name *n)
{
	return n->utf16 ? n->len / 2 : n->len;
}

void vtr_hive_name_put(struct vtr_str *out, const struct hive_name *n)
{
	char two[4];
	size_t plain = 0;

	if (n->utf16) {
		vtr_utf16_put(out, n->p, n->len);
		return;
	}
	for (size_t i = 0; i < n->len; i++) {
		if (n->p[i] < 0x80)
			continue;
		vtr_str_put(out, (const char *)n->p + plain, i - plain);
		vtr_str_put(out, two, vtr_utf8_put(two, n->p[i]));
		plain = i + 1;
	}
	vtr_str_put(out, (const char *)n->p + plain, n->len - plain);
}

bool vtr_hive_name_sound(const struct hive_name *n)
{
	bool bad = false;

	if (!n->utf16)
		return true;
	for (size_t i = 0; i < n->len / 2 && !bad;)
		name_next(n, &i, &bad);
	return !bad && n->len % 2 == 0;
}

/* UTF-8 compares as its code points do. */
int vtr_hive_name_cmp(const struct hive_name *a, const struct hive_name *b)
{
	size_t i = 0, k = 0;
	bool bad = false;

	if (!a->utf16 && !b->utf16) {
		int c = memcmp(a->p, b->p, VTR_MIN(a->len, b->len));

		return c ? c : (a->len > b->len) - (a->len < b->len);
	}
	while (i < name_units(a) && k < name_units(b)) {
		uint32_t x = name_next(a, &i, &bad), y = name_next(b, &k, &bad);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (i < name_units(a)) - (k < name_units(b));
}

/* ------------------------------------------------------------------------------------------------- looking for names */

int vtr_hive_want(struct hive_want *out, const char *text, size_t len, struct vtr_error *err)
{
	struct hive_want w = { .cap = len };

	w.u = vtr_calloc(len + 1, sizeof(*w.u), err);
	if (!w.u)
		return -1;
	for (size_t i = 0; i < len;) {
		uint16_t two[2];
		unsigned units;
		uint32_t cp;
		size_t k = vtr_utf8_next(&cp, (const uint8_t *)text + i, len - i);

		if (k == 0) {
			free(w.u);
			return vtr_fail(err, VTR_EUSAGE, "\"%.*s\" is no UTF-8", (int)VTR_MIN(len, 300u), text);
		}
		i += k;
		/* Four bytes of UTF-8 make two units: there is room. Surrogates are their own capitals. */
		units = vtr_utf16_units(two, cp);
		for (unsigned u = 0; u < units; u++)
			w.u[w.n++] = vtr_upcase(two[u]);
	}
	*out = w;
	return 0;
}

void vtr_hive_want_done(struct hive_want *w)
{
	free(w->u);
	*w = (struct hive_want){ 0 };
}

/* The capital of a unit. Lone surrogates are shown as U+FFFD, and that finds them. */
static uint16_t name_unit(const struct hive_name *n, size_t i)
{
	size_t units = name_units(n);
	uint16_t u = n->utf16 ? vtr_get_le16(n->p + 2 * i) : n->p[i];
	bool high, low;

	if (u < 0xd800 || u > 0xdfff)
		return vtr_upcase(u);
	high = vtr_utf16_is_high(u) && i + 1 < units && vtr_utf16_is_low(vtr_get_le16(n->p + 2 * (i + 1)));
	low = vtr_utf16_is_low(u) && i > 0 && vtr_utf16_is_high(vtr_get_le16(n->p + 2 * (i - 1)));
	return high || low ? u : VTR_UTF16_BAD;
}

bool vtr_hive_name_is(const struct hive_name *n, const struct hive_want *w)
{
	if (name_units(n) != w->n)
		return false;
	for (size_t i = 0; i < w->n; i++)
		if (name_unit(n, i) != w->u[i])
			return false;
	return true;
}

bool vtr_hive_name_has(const struct hive_name *n, const struct hive_want *w)
{
	size_t units = name_units(n);

	for (size_t at = 0; at + w->n <= units; at++) {
		size_t i = 0;

		while (i < w->n && name_unit(n, at + i) == w->u[i])
			i++;
		if (i == w->n)
			return true;
	}
	return false;
}
