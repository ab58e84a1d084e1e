/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QED: images, and chains of them. */
#include "fuzz/fuzz_chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	return fuzz_chain("qed", data, len);
}
