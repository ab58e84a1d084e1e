/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names: UTF-16 as it is stored, bytes as the library has them, and the volume's own table of capitals. */
#include <stdlib.h>
#include <string.h>

#include "base/fold.h"
#include "base/utf16.h"
#include "fs/ntfs/ntfs.h"

#define NAMES_UPCASE_BYTES (65536u * 2)

int vtr_ntfs_name_units(uint16_t *out, const char *name, size_t len)
{
	const uint8_t *p = (const uint8_t *)name;
	int n = 0;

	while (len > 0) {
		uint16_t two[2];
		unsigned units;
		uint32_t cp;
		size_t took = vtr_utf8_next(&cp, p, len);

		/* Half a pair of surrogates stands as three bytes, which is not well-formed. */
		if (took == 0 && len >= 3 && p[0] == 0xed && (p[1] & 0xe0) == 0xa0 && (p[2] & 0xc0) == 0x80) {
			cp = 0xd000u | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
			took = 3;
		}
		if (took == 0 || n + (cp > 0xffff) >= (int)NTFS_MAX_NAME)
			return -1;
		units = vtr_utf16_units(two, cp);
		memcpy(out + n, two, units * sizeof(*out));
		n += (int)units;
		p += took;
		len -= took;
	}
	return n;
}

/* The table of $UpCase; where it cannot be read, the one of Windows 7 has to do, and a warning. */
int vtr_ntfs_upcase(struct ntfs *x, struct vtr_error *err)
{
	NTFS_PUT struct ntfs_node *n = NULL;
	const struct ntfs_attr *a;
	struct vtr_error local = { 0 };
	size_t len;

	if (x->capitals)
		return 0;
	if (vtr_ntfs_node(&n, x, NTFS_UPCASE, &local) == 0) {
		a = vtr_ntfs_attr(n, NTFS_AT_DATA, "");
		if (!a || a->size != NAMES_UPCASE_BYTES)
			vtr_error_set(&local, VTR_ECORRUPT, "it has %" PRIu64 " bytes, expected %u", a ? a->size : 0,
				      NAMES_UPCASE_BYTES);
		else
			(void)vtr_ntfs_slurp(&x->upcase, &len, x, n, a, NAMES_UPCASE_BYTES, &local);
	}
	if (!x->upcase && vtr_error_is(&local, VTR_KIND_STOPPED | VTR_KIND_LIMITED)) {
		if (err)
			*err = local;
		return -1;
	}
	x->capitals = true;
	if (!x->upcase)
		vtr_warn(x->fs.ctx, VTR_ECORRUPT, "ntfs: $UpCase: %s: names are compared with the table of Windows 7",
			 local.text);
	return 0;
}

static unsigned names_capital(const uint8_t *up, unsigned c)
{
	return up ? vtr_get_le16(up + 2 * (size_t)c) : vtr_upcase((uint16_t)c);
}

int vtr_ntfs_name_cmp(const struct ntfs *x, const uint16_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	for (size_t i = 0; i < a_len && i < b_len; i++) {
		unsigned c = names_capital(x->upcase, a[i]), d = names_capital(x->upcase, vtr_get_le16(b + 2 * i));

		if (c != d)
			return c < d ? -1 : 1;
	}
	return a_len < b_len ? -1 : a_len > b_len;
}
