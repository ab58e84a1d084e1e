/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Apple Data Compression. A byte of 0x80 and more: literals; of 0x40 and more: a copy of 4 to 67 bytes from up to 64 KiB
 * back; less: one of 3 to 18 bytes from up to 1 KiB back.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/codec/methods.h"

static bool adc_fill(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
	size_t i = 0, o = 0;

	while (i < in_len && o < out_len) {
		uint8_t b = in[i];
		size_t n, back;

		if (b & 0x80) {
			n = (b & 0x7fu) + 1;
			if (n > in_len - i - 1 || n > out_len - o)
				return false;
			memcpy(out + o, in + i + 1, n);
			i += 1 + n;
			o += n;
			continue;
		}
		if (in_len - i < (b & 0x40 ? 3u : 2u))
			return false;
		if (b & 0x40) {
			n = (b & 0x3fu) + 4;
			back = vtr_get_be16(in + i + 1) + 1u;
			i += 3;
		} else {
			n = (b >> 2) + 3u;
			back = ((b & 3u) << 8 | in[i + 1]) + 1u;
			i += 2;
		}
		if (back > o || n > out_len - o)
			return false;
		for (; n > 0; n--, o++)
			out[o] = out[o - back];
	}
	return o == out_len;
}

static int adc_decode(struct vtr_codec *c, uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len,
		      struct vtr_error *err)
{
	(void)c;
	return adc_fill(in, in_len, out, out_len) ? 1 : vtr_codec_unsound(&vtr_method_adc, out_len, in_len, err);
}

const struct vtr_method vtr_method_adc = {
	.name = "adc",
	.decode = adc_decode,
};
