/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz_images.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_image(data, len, "dmg", true);
	return 0;
}
