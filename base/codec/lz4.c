/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LZ4: one block, as lz4_Block_format.md has it, without the frame around it. */
#include <limits.h>

#include <lz4.h>

#include "base/codec/methods.h"

static int lz4_decode(struct vtr_codec *c, uint8_t *out, size_t out_len, const uint8_t *in, size_t in_len,
		      struct vtr_error *err)
{
	(void)c;
	if (in_len > INT_MAX || out_len > INT_MAX ||
	    LZ4_decompress_safe((const char *)in, (char *)out, (int)in_len, (int)out_len) != (int)out_len)
		return vtr_codec_unsound(&vtr_method_lz4, out_len, in_len, err);
	return 1;
}

const struct vtr_method vtr_method_lz4 = {
	.name = "lz4",
	.decode = lz4_decode,
};
