/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/crc.h"

#include <zlib.h>

uint32_t vtr_crc32(uint32_t crc, const void *p, size_t len)
{
	return (uint32_t)crc32_z(crc, p, len);
}
