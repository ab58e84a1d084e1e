/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * UTF-16. Systems that store it check little: halves of pairs of surrogates stand alone. vtr_utf16_next() says so, and
 * its caller decides. What is shown has U+FFFD for it. Names that must be found again keep it: written as UTF-8 would
 * have it, its three bytes are no well-formed UTF-8, and nothing else becomes the same.
 */
#ifndef VTR_BASE_UTF16_H
#define VTR_BASE_UTF16_H

#include "base/text.h"

#define VTR_UTF16_BAD 0xfffdu /* what stands for a lone surrogate */

enum vtr_utf16_order { VTR_UTF16_LE, VTR_UTF16_BE };

static inline bool vtr_utf16_is_high(uint32_t u)
{
	return (u & 0xfffffc00) == 0xd800;
}

static inline bool vtr_utf16_is_low(uint32_t u)
{
	return (u & 0xfffffc00) == 0xdc00;
}

/* The code point of a pair. */
static inline uint32_t vtr_utf16_pair(uint32_t high, uint32_t low)
{
	return 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
}

/* The code point at unit *i of so many; *i moves behind it. A lone surrogate comes as it is, and *lone is set. */
static inline uint32_t vtr_utf16_next(const uint8_t *p, size_t units, size_t *i, enum vtr_utf16_order order, bool *lone)
{
	const uint8_t *at = p + 2 * (*i)++;
	uint32_t u = order == VTR_UTF16_BE ? vtr_get_be16(at) : vtr_get_le16(at), low;

	if (u < 0xd800 || u > 0xdfff)
		return u;
	if (vtr_utf16_is_high(u) && *i < units) {
		low = order == VTR_UTF16_BE ? vtr_get_be16(at + 2) : vtr_get_le16(at + 2);
		if (vtr_utf16_is_low(low)) {
			++*i;
			return vtr_utf16_pair(u, low);
		}
	}
	*lone = true;
	return u;
}

/* The units of a code point: one or two. */
static inline unsigned vtr_utf16_units(uint16_t out[2], uint32_t cp)
{
	if (cp < 0x10000) {
		out[0] = (uint16_t)cp;
		return 1;
	}
	out[0] = (uint16_t)(0xd800 + ((cp - 0x10000) >> 10));
	out[1] = (uint16_t)(0xdc00 + ((cp - 0x10000) & 0x3ff));
	return 2;
}

/*
 * UTF-16 to UTF-8, up to a NUL or len bytes. Lone surrogates become U+FFFD. Writes at most size bytes with the NUL,
 * cut between characters, and returns whether all of it was well-formed and fitted.
 */
bool vtr_utf16_to_utf8(char *out, size_t size, const uint8_t *p, size_t len, enum vtr_utf16_order order);

/* The same of all of it, NULs too, at the end of a string. Little endian. */
void vtr_utf16_put(struct vtr_str *out, const uint8_t *p, size_t len);

/*
 * So many units as bytes of names, little endian: lone surrogates are kept. out has room for three bytes a unit and the
 * NUL at the end. The length.
 */
size_t vtr_utf16_name(char *out, const uint8_t *p, size_t units);

#endif
