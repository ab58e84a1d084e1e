/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libcrypto's hashes. It is loaded when the first of them is asked for. */
#include "base/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/opensslv.h>
#include <stdlib.h>

#include "base/library.h"

#define HASH_STR2(x) #x
#define HASH_STR(x) HASH_STR2(x)

#define HASH_FUNCS(X)                                                                                                  \
	X(OSSL_LIB_CTX_new)                                                                                            \
	X(EVP_MD_fetch)                                                                                                \
	X(EVP_MD_CTX_new)                                                                                              \
	X(EVP_MD_CTX_free)                                                                                             \
	X(EVP_DigestInit_ex)                                                                                           \
	X(EVP_DigestUpdate)                                                                                            \
	X(EVP_DigestFinal_ex)

VTR_LIBRARY(crypto, "libcrypto.so." HASH_STR(OPENSSL_SHLIB_VERSION), HASH_FUNCS)

struct vtr_hash {
	EVP_MD_CTX *md;
	enum vtr_hash_kind kind;
};

static const struct {
	const char *name;
	unsigned len;
} hash_kinds[VTR_HASH_KINDS] = {
	[VTR_HASH_MD5] = { "MD5", 16 },
	[VTR_HASH_SHA1] = { "SHA1", 20 },
	[VTR_HASH_SHA256] = { "SHA256", 32 },
};

/* Looked up once for the process: that takes longer than hashing a small file. */
static pthread_once_t hash_once = PTHREAD_ONCE_INIT;
static EVP_MD *hash_found[VTR_HASH_KINDS];

static void hash_find(void)
{
	/*
	 * A context of its own does not read the host's openssl.cnf, and what the calling program configures in the
	 * default one stays the program's.
	 */
	OSSL_LIB_CTX *own = crypto.OSSL_LIB_CTX_new();

	for (size_t i = 0; own && i < VTR_HASH_KINDS; i++)
		hash_found[i] = crypto.EVP_MD_fetch(own, hash_kinds[i].name, NULL);
}

int vtr_hash_new(struct vtr_hash **out, enum vtr_hash_kind kind, struct vtr_error *err)
{
	struct vtr_hash *h;

	if (crypto_load(err) < 0)
		return -1;
	pthread_once(&hash_once, hash_find);
	if (!hash_found[kind])
		return vtr_fail(err, VTR_EUNSUPPORTED, "libcrypto has no %s", hash_kinds[kind].name);
	h = calloc(1, sizeof(*h));
	if (h)
		h->md = crypto.EVP_MD_CTX_new();
	if (!h || !h->md || crypto.EVP_DigestInit_ex(h->md, hash_found[kind], NULL) != 1) {
		vtr_hash_free(h);
		return vtr_fail(err, VTR_ENOMEM, "out of memory for hashing");
	}
	h->kind = kind;
	*out = h;
	return 0;
}

int vtr_hash_update(struct vtr_hash *h, const void *bytes, size_t len, struct vtr_error *err)
{
	if (crypto.EVP_DigestUpdate(h->md, bytes, len) != 1)
		return vtr_fail(err, VTR_ENOMEM, "libcrypto failed to hash %zu bytes", len);
	return 0;
}

int vtr_hash_final(uint8_t out[VTR_HASH_MAX], struct vtr_hash *h, struct vtr_error *err)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (crypto.EVP_DigestFinal_ex(h->md, sum, &len) != 1 || len != hash_kinds[h->kind].len)
		return vtr_fail(err, VTR_ENOMEM, "libcrypto failed to finish a hash");
	for (unsigned i = 0; i < len; i++)
		out[i] = sum[i];
	return 0;
}

int vtr_hash_final_hex(char out[2 * VTR_HASH_MAX + 1], struct vtr_hash *h, struct vtr_error *err)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t sum[VTR_HASH_MAX];
	unsigned len = hash_kinds[h->kind].len;

	if (vtr_hash_final(sum, h, err) < 0)
		return -1;
	for (unsigned i = 0; i < len; i++) {
		out[2 * i] = digits[sum[i] >> 4];
		out[2 * i + 1] = digits[sum[i] & 15];
	}
	out[2 * len] = 0;
	return 0;
}

void vtr_hash_free(struct vtr_hash *h)
{
	if (!h)
		return;
	if (h->md)
		crypto.EVP_MD_CTX_free(h->md);
	free(h);
}

int vtr_hash_bytes(uint8_t out[VTR_HASH_MAX], enum vtr_hash_kind kind, const void *bytes, size_t len,
		   struct vtr_error *err)
{
	struct vtr_hash *h;
	int r = vtr_hash_new(&h, kind, err);

	if (r < 0)
		return -1;
	r = vtr_hash_update(h, bytes, len, err);
	if (r == 0)
		r = vtr_hash_final(out, h, err);
	vtr_hash_free(h);
	return r;
}
