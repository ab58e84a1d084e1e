/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CRC-32 (ISO 3309, as GPT has it) and CRC-32C (RFC 3720) of len bytes, going on from crc (0 to start); Adler-32 (RFC 1950),
 * going on from sum (1 to start).
 */
#ifndef VTR_BASE_CRC_H
#define VTR_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t vtr_crc32(uint32_t crc, const void *p, size_t len);
uint32_t vtr_crc32c(uint32_t crc, const void *p, size_t len);
uint32_t vtr_adler32(uint32_t sum, const void *p, size_t len);

/* CRC-32C as ext4 and its journal have it: inverted neither at the start nor at the end; they begin with all ones. */
static inline uint32_t vtr_crc32c_raw(uint32_t crc, const void *p, size_t len)
{
	return ~vtr_crc32c(~crc, p, len);
}

#endif
