/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz_parts.h"

extern const struct vtr_partition vtr_partition_gpt;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_parts(&vtr_partition_gpt, data, len);
	return 0;
}
