/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parallels' expandable images. */
#include "fuzz/fuzz_chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	return fuzz_chain("parallels", data, len);
}
