/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CRC-32 (ISO 3309, as GPT has it) and CRC-32C (RFC 3720) of len bytes, going on from crc (0 to start). */
#ifndef VTR_BASE_CRC_H
#define VTR_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t vtr_crc32(uint32_t crc, const void *p, size_t len);
uint32_t vtr_crc32c(uint32_t crc, const void *p, size_t len);

#endif
