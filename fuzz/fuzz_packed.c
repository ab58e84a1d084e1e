/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gzip, bzip2, xz and zstd, and whatever image is inside. */
#include "fuzz/fuzz_images.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_image(data, len, NULL, false);
	return 0;
}
