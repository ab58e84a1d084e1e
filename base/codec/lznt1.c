/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LZNT1, MS-XCA 2.5. Chunks of at most 4096 bytes:
 *   0  2  header: bit 15 compressed, bits 0 to 11 the bytes after it less one; 0 ends the buffer
 * A compressed chunk is groups of a byte of flags and eight tokens, the lowest bit first: a byte as it is, or (1) 16 bits
 * of distance and length, which share them by how much of the chunk there is already.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/codec/lz.h"
#include "base/codec/methods.h"

#define LZNT1_CHUNK 4096u

/* One compressed chunk into at most room bytes of out. The count, or -1. */
static int lznt1_chunk(uint8_t *out, size_t room, const uint8_t *in, size_t len, struct vtr_error *err)
{
	const uint8_t *p = in, *end = in + len;
	unsigned length_bits = 12;
	size_t n = 0;

	while (p < end) {
		unsigned flags = *p++;

		for (unsigned bit = 0; bit < 8 && p < end; bit++, flags >>= 1) {
			size_t dist, count;
			unsigned token;

			if (!(flags & 1)) {
				if (n == room)
					return vtr_fail(err, VTR_ECORRUPT, "LZNT1: a chunk of more than %zu bytes",
							room);
				out[n++] = *p++;
				continue;
			}
			if (end - p < 2)
				return vtr_fail(err, VTR_ECORRUPT, "LZNT1: a chunk ends within a token");
			token = vtr_get_le16(p);
			p += 2;
			while (length_bits > 4 && n > (size_t)1 << (16 - length_bits))
				length_bits--;
			dist = (token >> length_bits) + 1;
			count = (token & ((1u << length_bits) - 1)) + 3;
			if (dist > n)
				return vtr_fail(err, VTR_ECORRUPT, "LZNT1: a match %zu bytes back, %zu are there", dist,
						n);
			if (count > room - n)
				return vtr_fail(err, VTR_ECORRUPT, "LZNT1: a chunk of more than %zu bytes", room);
			lz_copy_match(out + n, dist, count);
			n += count;
		}
	}
	return (int)n;
}

static int lznt1_fill(uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len, struct vtr_error *err)
{
	size_t at = 0, done = 0;

	while (done < out_len && in_len - at >= 2) {
		unsigned header = vtr_get_le16(in + at);
		size_t len = (header & 0xfff) + 1, room = VTR_MIN(out_len - done, (size_t)LZNT1_CHUNK);
		int n;

		if (header == 0)
			break;
		at += 2;
		if (len > in_len - at)
			return vtr_fail(err, VTR_ECORRUPT, "LZNT1: a chunk of %zu bytes, %zu are left", len,
					in_len - at);
		if (header & 0x8000) {
			n = lznt1_chunk(out + done, room, in + at, len, err);
			if (n < 0)
				return -1;
		} else {
			n = (int)VTR_MIN(len, room);
			memcpy(out + done, in + at, (size_t)n);
		}
		memset(out + done + n, 0, room - (size_t)n);
		done += room;
		at += len;
	}
	memset(out + done, 0, out_len - done);
	return 0;
}

static int lznt1_decode(struct vtr_codec *c, uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len,
			struct vtr_error *err)
{
	(void)c;
	return lznt1_fill(out, out_len, in, in_len, err) == 0;
}

const struct vtr_method vtr_method_lznt1 = {
	.name = "lznt1",
	.decode = lznt1_decode,
};
