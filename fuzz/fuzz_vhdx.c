/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHDX, with a parent: inputs as fuzz_vhd.h has them. */
#include "fuzz/fuzz_vhd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_vhd_input("vhdx", data, len);
	return 0;
}
