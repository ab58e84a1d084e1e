/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/utf16.h"

bool vtr_utf16_to_utf8(char *out, size_t size, const uint8_t *p, size_t len, enum vtr_utf16_order order)
{
	bool good = true;
	size_t at = 0;

	for (size_t i = 0; i < len / 2;) {
		bool lone = false;
		uint32_t cp = vtr_utf16_next(p, len / 2, &i, order, &lone);
		char c[4];
		size_t n;

		if (cp == 0)
			break;
		good = good && !lone;
		n = vtr_utf8_put(c, lone ? VTR_UTF16_BAD : cp);
		if (at + n + 1 > size) {
			good = false;
			break;
		}
		memcpy(out + at, c, n);
		at += n;
	}
	if (size > 0)
		out[at] = 0;
	return good;
}

void vtr_utf16_put(struct vtr_str *out, const uint8_t *p, size_t len)
{
	char part[256];
	size_t n = 0;

	for (size_t i = 0; i < len / 2;) {
		bool lone = false;
		uint32_t cp = vtr_utf16_next(p, len / 2, &i, VTR_UTF16_LE, &lone);

		n += vtr_utf8_put(part + n, lone ? VTR_UTF16_BAD : cp);
		if (n > sizeof(part) - 4) {
			vtr_str_put(out, part, n);
			n = 0;
		}
	}
	vtr_str_put(out, part, n);
}

size_t vtr_utf16_name(char *out, const uint8_t *p, size_t units)
{
	bool lone = false;
	size_t at = 0, i = 0;

	for (; i < units; i++) {
		unsigned c = vtr_get_le16(p + 2 * i);

		if (c >= 0x80)
			break;
		out[at++] = (char)c;
	}
	while (i < units)
		at += vtr_utf8_put(out + at, vtr_utf16_next(p, units, &i, VTR_UTF16_LE, &lone));
	out[at] = 0;
	return at;
}
