/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LZ77 with Huffman codes ("XPRESS"), MS-XCA 2.2. One block: the lengths of 512 codes, 4 bits each, then symbols: below
 * 256 a byte; else bits 0 to 3 the length of a match less 3 (15: more follows in bytes of their own, which lie between
 * the words of bits), bits 4 to 7 how many bits of distance follow the highest.
 */
#include "base/bytes.h"
#include "base/codec/lz.h"
#include "base/codec/methods.h"

#define XPRESS_SYMBOLS 512u
#define XPRESS_TABLE (XPRESS_SYMBOLS / 2)

/* n bytes between the words; NULL: they are not there. */
static const uint8_t *xpress_bytes(struct lz_bits *b, size_t n)
{
	const uint8_t *p = b->in + b->at;

	if (b->at > b->len || b->len - b->at < n)
		return NULL;
	b->at += n;
	return p;
}

/* The length beyond 15. False: it is not there. */
static bool xpress_length(size_t *len, struct lz_bits *b)
{
	const uint8_t *p = xpress_bytes(b, 1);

	if (!p)
		return false;
	*len += *p;
	if (*p < 255)
		return true;
	p = xpress_bytes(b, 2);
	if (!p)
		return false;
	*len = vtr_get_le16(p);
	if (*len > 0)
		return true;
	p = xpress_bytes(b, 4);
	if (!p)
		return false;
	*len = vtr_get_le32(p);
	return true;
}

static int xpress_fill(uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len, struct vtr_error *err)
{
	struct lz_bits b = { .in = in, .at = XPRESS_TABLE, .len = in_len };
	uint8_t lens[XPRESS_SYMBOLS];
	struct lz_huff h;
	size_t n = 0;

	if (in_len < XPRESS_TABLE)
		return vtr_fail(err, VTR_ECORRUPT, "XPRESS: %zu bytes, the table of codes takes %u", in_len,
				XPRESS_TABLE);
	for (unsigned i = 0; i < XPRESS_TABLE; i++) {
		lens[2 * i] = in[i] & 15;
		lens[2 * i + 1] = in[i] >> 4;
	}
	if (!vtr_lz_huff_build(&h, lens, XPRESS_SYMBOLS))
		return vtr_fail(err, VTR_ECORRUPT, "XPRESS: more codes than their lengths allow");
	while (n < out_len) {
		int symbol = lz_huff_next(&h, &b);
		unsigned bits;
		size_t dist, len;

		if (symbol < 0)
			return vtr_fail(err, VTR_ECORRUPT, "XPRESS: no code at byte %zu of the result", n);
		if (symbol < 256) {
			out[n++] = (uint8_t)symbol;
			continue;
		}
		len = (size_t)symbol & 15;
		bits = (unsigned)symbol >> 4 & 15;
		lz_bits_need(&b, 16);
		if (len == 15 && !xpress_length(&len, &b))
			return vtr_fail(err, VTR_ECORRUPT, "XPRESS: it ends within the length of a match");
		dist = ((size_t)1 << bits) | lz_bits_take(&b, bits);
		if (dist > n)
			return vtr_fail(err, VTR_ECORRUPT, "XPRESS: a match %zu bytes back, %zu are there", dist, n);
		if (len > out_len - n || len + 3 > out_len - n)
			return vtr_fail(err, VTR_ECORRUPT, "XPRESS: a match of %zu bytes, %zu are missing", len + 3,
					out_len - n);
		lz_copy_match(out + n, dist, len + 3);
		n += len + 3;
	}
	return 0;
}

static int xpress_decode(struct vtr_codec *c, uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len,
			 struct vtr_error *err)
{
	(void)c;
	return xpress_fill(out, out_len, in, in_len, err) == 0;
}

const struct vtr_method vtr_method_xpress = {
	.name = "xpress",
	.decode = xpress_decode,
};
