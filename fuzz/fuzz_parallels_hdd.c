/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parallels' bundles: a descriptor and the images that it names. */
#include "fuzz/fuzz_chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	return fuzz_chain("parallels-hdd", data, len);
}
