/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the methods of MS-XCA and of WIM files share: bits, Huffman codes, matches. Nothing allocates. */
#ifndef VTR_BASE_CODEC_LZ_H
#define VTR_BASE_CODEC_LZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bits of little-endian 16-bit words, the high bit first. Beyond the end there are zeros: words are fetched ahead of
 * their need.
 */
struct lz_bits {
	const uint8_t *in;
	size_t at, len; /* of in; at goes on beyond len */
	uint32_t buf;	/* the next bits, from the highest down */
	unsigned have;	/* of them */
};

static inline uint32_t lz_bits_word(struct lz_bits *b)
{
	uint32_t w = 0;

	if (b->at < b->len && b->len - b->at >= 2)
		w = (uint32_t)b->in[b->at] | (uint32_t)b->in[b->at + 1] << 8;
	b->at += 2;
	return w;
}

/* Have at least n (1 to 16) bits at hand. */
static inline void lz_bits_need(struct lz_bits *b, unsigned n)
{
	if (b->have < n) {
		b->buf |= lz_bits_word(b) << (16 - b->have);
		b->have += 16;
	}
}

/* The next n (0 to 16) bits, which are at hand. */
static inline uint32_t lz_bits_take(struct lz_bits *b, unsigned n)
{
	uint32_t v = n ? b->buf >> (32 - n) : 0;

	b->buf <<= n;
	b->have -= n;
	return v;
}

static inline uint32_t lz_bits_get(struct lz_bits *b, unsigned n)
{
	if (n == 0)
		return 0;
	lz_bits_need(b, n);
	return lz_bits_take(b, n);
}

/* Canonical Huffman codes of at most 16 bits: short ones by a table, long ones by comparing. */
#define LZ_HUFF_FAST 10
#define LZ_HUFF_SYMBOLS 512
struct lz_huff {
	uint16_t fast[1 << LZ_HUFF_FAST]; /* symbol << 4 | length; 0: longer */
	uint32_t last[17];		  /* the first code, as 16 bits, that is longer than this length */
	uint16_t first[17];		  /* the first code of a length, … */
	uint16_t index[17];		  /* … and where its symbol is among the sorted ones */
	uint16_t sorted[LZ_HUFF_SYMBOLS];
};

/* From the lengths of n codes. False: more codes than there can be. */
bool vtr_lz_huff_build(struct lz_huff *h, const uint8_t *lens, unsigned n);

/* The next symbol; -1: no code begins so. */
static inline int lz_huff_next(const struct lz_huff *h, struct lz_bits *b)
{
	uint32_t v;
	unsigned e;

	lz_bits_need(b, 16);
	v = b->buf >> 16;
	e = h->fast[v >> (16 - LZ_HUFF_FAST)];
	if (e) {
		lz_bits_take(b, e & 15);
		return (int)(e >> 4);
	}
	for (unsigned len = LZ_HUFF_FAST + 1; len <= 16; len++)
		if (v < h->last[len]) {
			lz_bits_take(b, len);
			return h->sorted[h->index[len] + ((v >> (16 - len)) - h->first[len])];
		}
	return -1;
}

/* Copy len bytes from dist before at, byte after byte: they may overlap. The caller has checked both ends. */
static inline void lz_copy_match(uint8_t *at, size_t dist, size_t len)
{
	const uint8_t *from = at - dist;

	if (dist >= len) {
		__builtin_memcpy(at, from, len);
		return;
	}
	while (len-- > 0)
		*at++ = *from++;
}

#endif
