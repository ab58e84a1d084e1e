/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cryptographic hashes, by libcrypto. */
#ifndef VTR_BASE_HASH_H
#define VTR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum vtr_hash_kind { VTR_HASH_MD5, VTR_HASH_SHA1, VTR_HASH_SHA256, VTR_HASH_KINDS };

#define VTR_HASH_MAX 32u /* bytes of the longest */

struct vtr_hash; /* one computation; used by one thread at a time */

/*
 * Begin a hash. VTR_EUNSUPPORTED: libcrypto is not installed, or was built without this hash; VTR_ENOMEM.
 */
int vtr_hash_new(struct vtr_hash **out, enum vtr_hash_kind kind, struct vtr_error *err);

/* Add bytes. */
int vtr_hash_update(struct vtr_hash *h, const void *bytes, size_t len, struct vtr_error *err);

/* Write the hash to out: 16, 20 or 32 bytes. Then only vtr_hash_free() may follow. */
int vtr_hash_final(uint8_t out[VTR_HASH_MAX], struct vtr_hash *h, struct vtr_error *err);

/* The same of a hash's text: 2 hexadecimal digits a byte, and a zero. */
int vtr_hash_final_hex(char out[2 * VTR_HASH_MAX + 1], struct vtr_hash *h, struct vtr_error *err);

void vtr_hash_free(struct vtr_hash *h); /* NULL is fine */

/* The hash of bytes in memory. */
int vtr_hash_bytes(uint8_t out[VTR_HASH_MAX], enum vtr_hash_kind kind, const void *bytes, size_t len,
		   struct vtr_error *err);

#endif
