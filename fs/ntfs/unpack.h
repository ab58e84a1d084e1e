/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The compressions of NTFS, as functions from bytes to bytes: none allocates, none reads or writes outside of its buffers. */
#ifndef VTR_FS_NTFS_UNPACK_H
#define VTR_FS_NTFS_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * LZNT1, MS-XCA 2.5: fill out; what the chunks leave of it is zeros. A chunk that is not whole, or goes beyond out, is
 * VTR_ECORRUPT.
 */
int vtr_ntfs_lznt1(uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len, struct vtr_error *err);

/* LZ77 with Huffman codes, MS-XCA 2.2, one block of at most 64 KiB: out is filled exactly, or VTR_ECORRUPT. */
int vtr_ntfs_xpress(uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len, struct vtr_error *err);

/* LZX as WIM files have it, in a window of 32 KiB that out lies in: out is filled exactly, or VTR_ECORRUPT. */
#define NTFS_LZX_WINDOW 32768u
int vtr_ntfs_lzx(uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len, struct vtr_error *err);

/*
 * Bits of little-endian 16-bit words, the high bit first. Beyond the end there are zeros: words are fetched ahead of
 * their need.
 */
struct ntfs_bits {
	const uint8_t *in;
	size_t at, len; /* of in; at goes on beyond len */
	uint32_t buf;	/* the next bits, from the highest down */
	unsigned have;	/* of them */
};

static inline uint32_t ntfs_bits_word(struct ntfs_bits *b)
{
	uint32_t w = 0;

	if (b->at < b->len && b->len - b->at >= 2)
		w = (uint32_t)b->in[b->at] | (uint32_t)b->in[b->at + 1] << 8;
	b->at += 2;
	return w;
}

/* Have at least n (1 to 16) bits at hand. */
static inline void ntfs_bits_need(struct ntfs_bits *b, unsigned n)
{
	if (b->have < n) {
		b->buf |= ntfs_bits_word(b) << (16 - b->have);
		b->have += 16;
	}
}

/* The next n (0 to 16) bits, which are at hand. */
static inline uint32_t ntfs_bits_take(struct ntfs_bits *b, unsigned n)
{
	uint32_t v = n ? b->buf >> (32 - n) : 0;

	b->buf <<= n;
	b->have -= n;
	return v;
}

static inline uint32_t ntfs_bits_get(struct ntfs_bits *b, unsigned n)
{
	if (n == 0)
		return 0;
	ntfs_bits_need(b, n);
	return ntfs_bits_take(b, n);
}

/* Canonical Huffman codes of at most 16 bits: short ones by a table, long ones by comparing. */
#define NTFS_HUFF_FAST 10
#define NTFS_HUFF_SYMBOLS 512
struct ntfs_huff {
	uint16_t fast[1 << NTFS_HUFF_FAST]; /* symbol << 4 | length; 0: longer */
	uint32_t last[17];		    /* the first code, as 16 bits, that is longer than this length */
	uint16_t first[17];		    /* the first code of a length, … */
	uint16_t index[17];		    /* … and where its symbol is among the sorted ones */
	uint16_t sorted[NTFS_HUFF_SYMBOLS];
};

/* From the lengths of n codes. False: more codes than there can be. */
bool vtr_ntfs_huff_build(struct ntfs_huff *h, const uint8_t *lens, unsigned n);

/* The next symbol; -1: no code begins so. */
static inline int ntfs_huff_next(const struct ntfs_huff *h, struct ntfs_bits *b)
{
	uint32_t v;
	unsigned e;

	ntfs_bits_need(b, 16);
	v = b->buf >> 16;
	e = h->fast[v >> (16 - NTFS_HUFF_FAST)];
	if (e) {
		ntfs_bits_take(b, e & 15);
		return (int)(e >> 4);
	}
	for (unsigned len = NTFS_HUFF_FAST + 1; len <= 16; len++)
		if (v < h->last[len]) {
			ntfs_bits_take(b, len);
			return h->sorted[h->index[len] + ((v >> (16 - len)) - h->first[len])];
		}
	return -1;
}

/* Copy len bytes from dist before at, byte after byte: they may overlap. The caller has checked both ends. */
static inline void ntfs_copy_match(uint8_t *at, size_t dist, size_t len)
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
