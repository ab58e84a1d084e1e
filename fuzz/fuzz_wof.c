/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The compressions of NTFS: a byte that says which, two of the length of the result, then what is compressed. Twice the
 * same must come out, and nothing beyond the result is written.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/codec/codec.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct vtr_method *const methods[] = { &vtr_method_lznt1, &vtr_method_xpress, &vtr_method_lzx }, *m;
	struct vtr_error err = { 0 };
	uint8_t *in, *one, *two;
	size_t out_len;
	int r;

	if (len < 3)
		return 0;
	m = methods[data[0] % 3];
	out_len = vtr_get_le16(data + 1);
	if (m == &vtr_method_lzx)
		out_len %= VTR_LZX_WINDOW + 1;
	in = malloc(len - 3 + (len == 3));
	one = malloc(out_len + (out_len == 0));
	two = malloc(out_len + (out_len == 0));
	FUZZ_CHECK(in && one && two);
	memcpy(in, data + 3, len - 3);
	memset(one, 0, out_len);
	memset(two, 0xff, out_len);
	r = vtr_codec_decode(NULL, m, one, out_len, in, len - 3, &err);
	FUZZ_CHECK(r == 1 || (r == 0 && err.code != VTR_OK && err.text[0]));
	FUZZ_CHECK(vtr_codec_decode(NULL, m, two, out_len, in, len - 3, &err) == r);
	FUZZ_CHECK(r == 0 || memcmp(one, two, out_len) == 0);
	free(in);
	free(one);
	free(two);
	return 0;
}
