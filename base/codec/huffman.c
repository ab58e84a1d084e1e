/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Canonical Huffman codes, as XPRESS and LZX have them: shorter codes first, those of one length by their symbols. */
#include <string.h>

#include "base/codec/lz.h"

bool vtr_lz_huff_build(struct lz_huff *h, const uint8_t *lens, unsigned n)
{
	unsigned count[17] = { 0 }, at[17];
	uint32_t code = 0;
	unsigned index = 0;

	for (unsigned i = 0; i < n; i++)
		count[lens[i]]++;
	for (unsigned len = 1; len <= 16; len++) {
		h->first[len] = (uint16_t)(code >> (16 - len));
		h->index[len] = (uint16_t)index;
		at[len] = index;
		code += (uint32_t)count[len] << (16 - len);
		index += count[len];
		if (code > 0x10000)
			return false;
		h->last[len] = code;
	}
	for (unsigned i = 0; i < n; i++)
		if (lens[i])
			h->sorted[at[lens[i]]++] = (uint16_t)i;
	memset(h->fast, 0, sizeof(h->fast));
	for (unsigned len = 1, fast = 0; len <= LZ_HUFF_FAST; len++)
		for (unsigned i = h->index[len]; i < h->index[len] + count[len]; i++) {
			unsigned times = 1u << (LZ_HUFF_FAST - len);

			for (unsigned k = 0; k < times; k++)
				h->fast[fast++] = (uint16_t)(h->sorted[i] << 4 | len);
		}
	return true;
}
