/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Apple's sparse images. */
#include "fuzz/fuzz_chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	return fuzz_chain("sparseimage", data, len);
}
