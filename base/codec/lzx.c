/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LZX, by the description in the Microsoft cabinet SDK with what WIM files change: each chunk begins anew, a block's
 * size takes one bit when it is 32768 and 17 bits else, and addresses after the bytes 0xe8 were always translated, as
 * if the file had 12000000 bytes.
 *
 * Blocks, each with 3 bits of kind and its size; verbatim (1) and aligned (2) ones have codes, whose lengths are stored
 * as differences to the block before, themselves in a code ("pretree"); stored ones (3) have three offsets and bytes.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/codec/lz.h"
#include "base/codec/methods.h"

#define LZX_SLOTS 30u /* of offsets in a window of 32 KiB */
#define LZX_MAIN (256 + 8 * LZX_SLOTS)
#define LZX_LENGTHS 249u
#define LZX_PRETREE 20u
#define LZX_ALIGNED 8u
#define LZX_DEFAULT_BLOCK 32768u
#define LZX_TRANSLATED 12000000

enum { LZX_VERBATIM = 1, LZX_WITH_ALIGNED, LZX_STORED };

struct lzx {
	struct lz_bits b;
	uint32_t recent[3]; /* offsets of the last matches */
	uint8_t main_lens[LZX_MAIN], length_lens[LZX_LENGTHS];
	struct lz_huff main, lengths, aligned, pretree;
};

static unsigned lzx_extra_bits(unsigned slot)
{
	return slot < 4 ? 0 : slot / 2 - 1;
}

static uint32_t lzx_base(unsigned slot)
{
	return slot < 4 ? slot : (2u | (slot & 1)) << (slot / 2 - 1);
}

/* Bring n lengths up to date. */
static int lzx_read_lens(struct lzx *z, uint8_t *lens, unsigned n, struct vtr_error *err)
{
	uint8_t pre[LZX_PRETREE];

	for (unsigned i = 0; i < LZX_PRETREE; i++)
		pre[i] = (uint8_t)lz_bits_get(&z->b, 4);
	if (!vtr_lz_huff_build(&z->pretree, pre, LZX_PRETREE))
		return vtr_fail(err, VTR_ECORRUPT, "LZX: more codes of lengths than their lengths allow");
	for (unsigned i = 0; i < n;) {
		int symbol = lz_huff_next(&z->pretree, &z->b);
		unsigned run = 1;
		uint8_t len;

		if (symbol == 17)
			run = 4 + lz_bits_get(&z->b, 4);
		else if (symbol == 18)
			run = 20 + lz_bits_get(&z->b, 5);
		else if (symbol == 19) {
			run = 4 + lz_bits_get(&z->b, 1);
			symbol = lz_huff_next(&z->pretree, &z->b);
			if (symbol > 16)
				symbol = -1;
		}
		if (symbol < 0)
			return vtr_fail(err, VTR_ECORRUPT, "LZX: no length of a code where one is due");
		len = symbol <= 16 ? (uint8_t)((lens[i] + 17 - symbol) % 17) : 0;
		/* Runs may go beyond the end, as those of the first writers do. */
		for (; run > 0 && i < n; run--)
			lens[i++] = len;
	}
	return 0;
}

static int lzx_read_codes(struct lzx *z, bool aligned, struct vtr_error *err)
{
	uint8_t lens[LZX_ALIGNED];

	if (aligned) {
		for (unsigned i = 0; i < LZX_ALIGNED; i++)
			lens[i] = (uint8_t)lz_bits_get(&z->b, 3);
		if (!vtr_lz_huff_build(&z->aligned, lens, LZX_ALIGNED))
			return vtr_fail(err, VTR_ECORRUPT, "LZX: more aligned codes than their lengths allow");
	}
	if (lzx_read_lens(z, z->main_lens, 256, err) < 0 ||
	    lzx_read_lens(z, z->main_lens + 256, LZX_MAIN - 256, err) < 0 ||
	    lzx_read_lens(z, z->length_lens, LZX_LENGTHS, err) < 0)
		return -1;
	if (!vtr_lz_huff_build(&z->main, z->main_lens, LZX_MAIN) ||
	    !vtr_lz_huff_build(&z->lengths, z->length_lens, LZX_LENGTHS))
		return vtr_fail(err, VTR_ECORRUPT, "LZX: more codes than their lengths allow");
	return 0;
}

/* The distance of a match; 0: no code where one is due. */
static uint32_t lzx_offset(struct lzx *z, unsigned slot, bool aligned)
{
	unsigned bits = lzx_extra_bits(slot);
	uint32_t off;

	if (slot < 3) {
		off = z->recent[slot];
		z->recent[slot] = z->recent[0];
		z->recent[0] = off;
		return off;
	}
	if (aligned && bits >= 3) {
		int low;

		off = lz_bits_get(&z->b, bits - 3) << 3;
		low = lz_huff_next(&z->aligned, &z->b);
		if (low < 0)
			return 0;
		off += (uint32_t)low;
	} else {
		off = lz_bits_get(&z->b, bits);
	}
	off += lzx_base(slot) - 2;
	z->recent[2] = z->recent[1];
	z->recent[1] = z->recent[0];
	z->recent[0] = off;
	return off;
}

/* A block of codes: out from n to end. */
static int lzx_block(struct lzx *z, uint8_t *out, size_t n, size_t end, bool aligned, struct vtr_error *err)
{
	while (n < end) {
		int symbol = lz_huff_next(&z->main, &z->b);
		size_t len, dist;

		if (symbol < 0)
			return vtr_fail(err, VTR_ECORRUPT, "LZX: no code at byte %zu of the result", n);
		if (symbol < 256) {
			out[n++] = (uint8_t)symbol;
			continue;
		}
		len = (size_t)symbol & 7;
		if (len == 7) {
			int more = lz_huff_next(&z->lengths, &z->b);

			if (more < 0)
				return vtr_fail(err, VTR_ECORRUPT, "LZX: no length at byte %zu of the result", n);
			len += (size_t)more;
		}
		len += 2;
		dist = lzx_offset(z, ((unsigned)symbol - 256) >> 3, aligned);
		if (dist == 0 || dist > n)
			return vtr_fail(err, VTR_ECORRUPT, "LZX: a match %zu bytes back, %zu are there", dist, n);
		if (len > end - n)
			return vtr_fail(err, VTR_ECORRUPT, "LZX: a match of %zu bytes, %zu are missing", len, end - n);
		lz_copy_match(out + n, dist, len);
		n += len;
	}
	return 0;
}

/* A stored block. The words begin anew; one that has been begun, or would be next, is passed over. */
static int lzx_stored(struct lzx *z, uint8_t *out, size_t len, struct vtr_error *err)
{
	const uint8_t *p;
	size_t left;

	lz_bits_need(&z->b, 1);
	/* A whole word that was fetched ahead is given back. */
	if (z->b.have > 16)
		z->b.at -= 2;
	z->b.buf = 0;
	z->b.have = 0;
	left = z->b.at < z->b.len ? z->b.len - z->b.at : 0;
	if (left < 12 || left - 12 < len)
		return vtr_fail(err, VTR_ECORRUPT, "LZX: a stored block of %zu bytes, %zu are left", len, left);
	p = z->b.in + z->b.at;
	for (unsigned i = 0; i < 3; i++)
		z->recent[i] = vtr_get_le32(p + 4 * i);
	memcpy(out, p + 12, len);
	z->b.at += 12 + len + (len & 1);
	return 0;
}

/* Calls of x86 had their relative addresses made absolute before compression. */
static void lzx_translate_back(uint8_t *out, size_t len)
{
	if (len <= 10)
		return;
	for (size_t i = 0; i < len - 10; i++) {
		int32_t value;

		if (out[i] != 0xe8)
			continue;
		value = (int32_t)vtr_get_le32(out + i + 1);
		if (value >= -(int32_t)i && value < LZX_TRANSLATED) {
			uint32_t v = value >= 0 ? (uint32_t)(value - (int32_t)i) : (uint32_t)(value + LZX_TRANSLATED);

			out[i + 1] = (uint8_t)v;
			out[i + 2] = (uint8_t)(v >> 8);
			out[i + 3] = (uint8_t)(v >> 16);
			out[i + 4] = (uint8_t)(v >> 24);
		}
		i += 4;
	}
}

static int lzx_fill(uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len, struct vtr_error *err)
{
	struct lzx z;
	size_t n = 0;

	z.b = (struct lz_bits){ .in = in, .len = in_len };
	z.recent[0] = z.recent[1] = z.recent[2] = 1;
	memset(z.main_lens, 0, sizeof(z.main_lens));
	memset(z.length_lens, 0, sizeof(z.length_lens));
	while (n < out_len) {
		unsigned kind = lz_bits_get(&z.b, 3);
		size_t len = lz_bits_get(&z.b, 1) ? LZX_DEFAULT_BLOCK : lz_bits_get(&z.b, 16);

		if (len == 0 || len > out_len - n)
			return vtr_fail(err, VTR_ECORRUPT, "LZX: a block of %zu bytes, %zu are missing", len,
					out_len - n);
		if (kind == LZX_STORED) {
			if (lzx_stored(&z, out + n, len, err) < 0)
				return -1;
		} else if (kind == LZX_VERBATIM || kind == LZX_WITH_ALIGNED) {
			if (lzx_read_codes(&z, kind == LZX_WITH_ALIGNED, err) < 0 ||
			    lzx_block(&z, out, n, n + len, kind == LZX_WITH_ALIGNED, err) < 0)
				return -1;
		} else {
			return vtr_fail(err, VTR_ECORRUPT, "LZX: a block of kind %u", kind);
		}
		n += len;
	}
	lzx_translate_back(out, out_len);
	return 0;
}

static int lzx_decode(struct vtr_codec *c, uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len,
		      struct vtr_error *err)
{
	(void)c;
	if (out_len > VTR_LZX_WINDOW)
		return vtr_fail(err, VTR_EUSAGE, "LZX: %zu bytes, the window has %u", out_len, VTR_LZX_WINDOW);
	return lzx_fill(out, out_len, in, in_len, err) == 0;
}

const struct vtr_method vtr_method_lzx = {
	.name = "lzx",
	.decode = lzx_decode,
};
