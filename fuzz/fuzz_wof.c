/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The compressions of NTFS: a byte that says which, two of the length of the result, then what is compressed. Twice the
 * same must come out, and nothing beyond the result is written.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "fs/ntfs/unpack.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int (*const unpack[])(uint8_t *, size_t, const uint8_t *, size_t,
			      struct vtr_error *) = { vtr_ntfs_lznt1, vtr_ntfs_xpress, vtr_ntfs_lzx };
	struct vtr_error err = { 0 };
	uint8_t *in, *one, *two;
	size_t out_len;
	int r;

	if (len < 3)
		return 0;
	out_len = vtr_get_le16(data + 1);
	if (data[0] % 3 == 2)
		out_len %= NTFS_LZX_WINDOW + 1;
	in = malloc(len - 3 + (len == 3));
	one = malloc(out_len + (out_len == 0));
	two = malloc(out_len + (out_len == 0));
	FUZZ_CHECK(in && one && two);
	memcpy(in, data + 3, len - 3);
	memset(one, 0, out_len);
	memset(two, 0xff, out_len);
	r = unpack[data[0] % 3](one, out_len, in, len - 3, &err);
	FUZZ_CHECK(r == 0 || (err.code != VTR_OK && err.text[0]));
	FUZZ_CHECK(unpack[data[0] % 3](two, out_len, in, len - 3, &err) == r);
	FUZZ_CHECK(r < 0 || memcmp(one, two, out_len) == 0);
	free(in);
	free(one);
	free(two);
	return 0;
}
