/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Security descriptors, MS-DTYP 2.4.6, and their text, MS-DTYP 2.5.1 (SDDL). Volumes of version 3 keep each descriptor
 * once, in the stream $SDS of $Secure, which the index $SII finds by its number; older ones in each record.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/ntfs/ntfs.h"

#define SECURITY_HEADER 20u	   /* of an entry in $SDS */
#define SECURITY_COPY (256u << 10) /* each entry is there again, this much further on */

/* MS-DTYP has no word on it: each 4 bytes are added to what was, turned left by 3. */
static uint32_t security_hash(const uint8_t *p, size_t len)
{
	uint32_t hash = 0;

	for (size_t i = 0; i + 4 <= len; i += 4)
		hash = vtr_get_le32(p + i) + (hash << 3 | hash >> 29);
	return hash;
}

/*
 * The entry of a number, at off of $SDS: 4 hash, 4 number, 8 offset, 4 size with these 20 bytes; then the descriptor.
 */
static int security_entry(uint8_t **out, struct ntfs *x, const struct ntfs_stream *sds, uint64_t off, uint32_t size,
			  uint32_t id, struct vtr_error *err)
{
	VTR_FREE uint8_t *p = NULL;

	if (size < SECURITY_HEADER || size > NTFS_MAX_SD + SECURITY_HEADER || !vtr_range_in(off, size, sds->valid))
		return vtr_fail(err, VTR_ECORRUPT, "number %" PRIu32 ": %" PRIu32 " bytes at %#" PRIx64 " of $SDS", id,
				size, off);
	p = malloc(size);
	if (!p)
		return vtr_fail(err, VTR_ENOMEM, "out of memory: a security descriptor");
	if (vtr_ntfs_stored(x, sds, off, p, size, true, err) < 0)
		return -1;
	if (vtr_get_le32(p + 4) != id || vtr_get_le32(p + 16) != size)
		return vtr_fail(err, VTR_ECORRUPT, "number %" PRIu32 ": at %#" PRIx64 " of $SDS is number %" PRIu32, id,
				off, vtr_get_le32(p + 4));
	if (!vtr_sum_ok(vtr_get_le32(p), security_hash(p + SECURITY_HEADER, size - SECURITY_HEADER)))
		return vtr_fail(err, VTR_ECORRUPT, "number %" PRIu32 ": its hash at %#" PRIx64 " of $SDS is wrong", id,
				off);
	*out = vtr_steal(p);
	return 0;
}

static int security_by_id(char **out, struct ntfs *x, uint32_t id, struct vtr_error *err)
{
	NTFS_PUT struct ntfs_node *secure = NULL;
	VTR_FREE uint8_t *entry = NULL;
	const struct ntfs_attr *a;
	struct ntfs_stream *sds;
	uint8_t value[SECURITY_HEADER];
	uint64_t off;
	uint32_t size;
	int r;

	if (vtr_ntfs_node(&secure, x, NTFS_SECURE, err) < 0)
		return -1;
	a = vtr_ntfs_attr(secure, NTFS_AT_DATA, "$SDS");
	if (!a)
		return vtr_fail(err, VTR_ECORRUPT, "$Secure has no stream $SDS");
	r = vtr_ntfs_index_le32(value, sizeof(value), x, secure, "$SII", id, err);
	if (r <= 0)
		return r < 0 ? -1 : vtr_fail(err, VTR_ECORRUPT, "number %" PRIu32 " is not in $Secure", id);
	if (vtr_ntfs_stream(&sds, x, secure, a, err) < 0)
		return -1;
	off = vtr_get_le64(value + 8);
	size = vtr_get_le32(value + 16);
	if (security_entry(&entry, x, sds, off, size, id, err) < 0 &&
	    (off > INT64_MAX || security_entry(&entry, x, sds, off + SECURITY_COPY, size, id, NULL) < 0))
		return -1;
	return vtr_security_text(out, entry + SECURITY_HEADER, size - SECURITY_HEADER, VTR_SECURITY_FILE, err);
}

int vtr_ntfs_sddl(char **out, struct ntfs *x, struct ntfs_node *n, struct vtr_error *err)
{
	const struct ntfs_attr *a = vtr_ntfs_attr(n, NTFS_AT_SECURITY, "");
	VTR_FREE uint8_t *p = NULL;
	struct ntfs_standard st;
	size_t len;

	vtr_ntfs_standard(&st, n);
	if (a) {
		if (vtr_ntfs_slurp(&p, &len, x, n, a, NTFS_MAX_SD, err) < 0)
			return -1;
		return vtr_security_text(out, p, len, VTR_SECURITY_FILE, err);
	}
	if (st.v3 && st.security_id != 0)
		return security_by_id(out, x, st.security_id, err);
	*out = NULL;
	return 0;
}
