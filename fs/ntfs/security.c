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
#define SECURITY_SE_DACL 0x0004u
#define SECURITY_SE_SELF_RELATIVE 0x8000u

/* MS-DTYP 2.4.2.4: the abbreviations that SDDL has for SIDs without a domain. */
static const struct {
	const char *sid, *name;
} security_sids[] = {
	{ "S-1-1-0", "WD" },	  { "S-1-3-0", "CO" },	    { "S-1-3-1", "CG" },      { "S-1-3-4", "OW" },
	{ "S-1-5-2", "NU" },	  { "S-1-5-4", "IU" },	    { "S-1-5-6", "SU" },      { "S-1-5-7", "AN" },
	{ "S-1-5-9", "ED" },	  { "S-1-5-10", "PS" },	    { "S-1-5-11", "AU" },     { "S-1-5-12", "RC" },
	{ "S-1-5-18", "SY" },	  { "S-1-5-19", "LS" },	    { "S-1-5-20", "NS" },     { "S-1-5-33", "WR" },
	{ "S-1-5-32-544", "BA" }, { "S-1-5-32-545", "BU" }, { "S-1-5-32-546", "BG" }, { "S-1-5-32-547", "PU" },
	{ "S-1-5-32-548", "AO" }, { "S-1-5-32-549", "SO" }, { "S-1-5-32-550", "PO" }, { "S-1-5-32-551", "BO" },
	{ "S-1-5-32-552", "RE" }, { "S-1-5-32-554", "RU" }, { "S-1-5-32-555", "RD" }, { "S-1-5-32-556", "NO" },
	{ "S-1-5-32-558", "MU" }, { "S-1-5-32-559", "LU" }, { "S-1-5-32-568", "IS" }, { "S-1-5-32-569", "CY" },
	{ "S-1-5-32-573", "ER" }, { "S-1-5-32-574", "CD" }, { "S-1-15-2-1", "AC" },   { "S-1-16-4096", "LW" },
	{ "S-1-16-8192", "ME" },  { "S-1-16-8448", "MP" },  { "S-1-16-12288", "HI" }, { "S-1-16-16384", "SI" },
};

/* A SID: 1 revision, 1 count, 6 authority (big endian), then 4 each. False: it is not whole. */
static bool security_sid(struct vtr_str *out, const uint8_t *p, size_t len)
{
	char text[240];
	uint64_t authority;
	size_t at;

	if (len < 8 || p[0] != 1 || p[1] > 15 || 4u * p[1] > len - 8)
		return false;
	authority = (uint64_t)p[2] << 40 | (uint64_t)p[3] << 32 | (uint64_t)vtr_get_be32(p + 4);
	at = (size_t)snprintf(text, sizeof(text), authority >> 32 ? "S-1-%#" PRIx64 : "S-1-%" PRIu64, authority);
	for (unsigned i = 0; i < p[1]; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "-%" PRIu32, vtr_get_le32(p + 8 + 4 * i));
	for (size_t i = 0; i < VTR_COUNT(security_sids); i++)
		if (strcmp(security_sids[i].sid, text) == 0) {
			vtr_str_puts(out, security_sids[i].name);
			return true;
		}
	vtr_str_puts(out, text);
	return true;
}

/* The rights of an entry: a file's usual sets, then letters when each bit has some, else the number. */
static void security_rights(struct vtr_str *out, uint32_t mask)
{
	static const struct {
		uint32_t mask;
		const char *name;
	} sets[] = { { 0x1f01ff, "FA" }, { 0x120089, "FR" }, { 0x120116, "FW" }, { 0x1200a0, "FX" } }, bits[] = {
		{ 0x1, "CC" },	      { 0x2, "DC" },	    { 0x4, "LC" },	  { 0x8, "SW" },
		{ 0x10, "RP" },	      { 0x20, "WP" },	    { 0x40, "DT" },	  { 0x80, "LO" },
		{ 0x100, "CR" },      { 0x10000, "SD" },    { 0x20000, "RC" },	  { 0x40000, "WD" },
		{ 0x80000, "WO" },    { 0x10000000, "GA" }, { 0x20000000, "GX" }, { 0x40000000, "GW" },
		{ 0x80000000, "GR" },
	};
	uint32_t left = mask;

	for (size_t i = 0; i < VTR_COUNT(sets); i++)
		if (sets[i].mask == mask) {
			vtr_str_puts(out, sets[i].name);
			return;
		}
	for (size_t i = 0; i < VTR_COUNT(bits); i++)
		left &= ~bits[i].mask;
	if (left || mask == 0) {
		vtr_str_putf(out, "%#" PRIx32, mask);
		return;
	}
	for (size_t i = 0; i < VTR_COUNT(bits); i++)
		if (mask & bits[i].mask)
			vtr_str_puts(out, bits[i].name);
}

/* An entry: 1 type, 1 flags, 2 size, 4 rights; of object entries 4 flags and up to two GUIDs; then a SID. */
static bool security_ace(struct vtr_str *out, const uint8_t *p, size_t len)
{
	static const char *const types[] = { [0] = "A", [1] = "D", [5] = "OA", [6] = "OD", [9] = "XA", [10] = "XD" };
	static const char *const flags[] = { "OI", "CI", "NP", "IO", "ID", NULL, "SA", "FA" };
	bool object = p[0] == 5 || p[0] == 6;
	size_t at = 8;
	char guid[2][37] = { "", "" };

	if (p[0] >= VTR_COUNT(types) || !types[p[0]]) {
		vtr_str_putf(out, "(%#x)", p[0]);
		return true;
	}
	vtr_str_putf(out, "(%s;", types[p[0]]);
	for (unsigned i = 0; i < VTR_COUNT(flags); i++)
		if ((p[1] >> i & 1) && flags[i])
			vtr_str_puts(out, flags[i]);
	vtr_str_puts(out, ";");
	if (len < 12)
		return false;
	security_rights(out, vtr_get_le32(p + 4));
	if (object) {
		uint32_t which = vtr_get_le32(p + 8);

		at = 12;
		for (unsigned i = 0; i < 2; i++)
			if (which >> i & 1) {
				if (len - at < 16)
					return false;
				vtr_guid_text(guid[i], p + at);
				at += 16;
			}
	}
	vtr_str_putf(out, ";%s;%s;", guid[0], guid[1]);
	if (!security_sid(out, p + at, len - at))
		return false;
	/* The condition that follows the SID of a conditional entry is an expression of its own. */
	vtr_str_puts(out, p[0] == 9 || p[0] == 10 ? ";(...))" : ")");
	return true;
}

/* An access list: 1 revision, 1 zero, 2 size, 2 count, 2 zero, entries. */
static bool security_acl(struct vtr_str *out, const uint8_t *p, size_t len)
{
	size_t size, at = 8;

	if (len < 8)
		return false;
	size = vtr_get_le16(p + 2);
	if (size < 8 || size > len)
		return false;
	for (unsigned i = vtr_get_le16(p + 4); i > 0; i--) {
		size_t ace;

		if (size - at < 8)
			return false;
		ace = vtr_get_le16(p + at + 2);
		if (ace < 8 || ace > size - at || !security_ace(out, p + at, ace))
			return false;
		at += ace;
	}
	return true;
}

/*
 * SECURITY_DESCRIPTOR, self-relative: 1 revision, 1, 2 control, then offsets of 4 bytes: owner, group, SACL, DACL.
 */
static int security_text(char **out, const uint8_t *p, size_t len, struct vtr_error *err)
{
	struct vtr_str s = { 0 };
	uint32_t owner, group, dacl;
	unsigned control;
	bool good = len >= 20 && p[0] == 1;
	char *text;

	if (!good)
		return vtr_fail(err, VTR_ECORRUPT, "%zu bytes, revision %u", len, len ? p[0] : 0);
	control = vtr_get_le16(p + 2);
	owner = vtr_get_le32(p + 4);
	group = vtr_get_le32(p + 8);
	dacl = vtr_get_le32(p + 16);
	if (owner) {
		vtr_str_puts(&s, "O:");
		good = owner < len && security_sid(&s, p + owner, len - owner);
	}
	if (good && group) {
		vtr_str_puts(&s, "G:");
		good = group < len && security_sid(&s, p + group, len - group);
	}
	if (good && (control & SECURITY_SE_DACL)) {
		vtr_str_puts(&s, "D:");
		if (control & 0x1000)
			vtr_str_puts(&s, "P");
		if (control & 0x0100)
			vtr_str_puts(&s, "AR");
		if (control & 0x0400)
			vtr_str_puts(&s, "AI");
		if (dacl == 0)
			vtr_str_puts(&s, "NO_ACCESS_CONTROL");
		else
			good = dacl < len && security_acl(&s, p + dacl, len - dacl);
	}
	if (!good) {
		vtr_str_done(&s);
		return vtr_fail(err, VTR_ECORRUPT, "a SID or an access list in %zu bytes is not whole", len);
	}
	vtr_str_puts(&s, "");
	text = vtr_str_take(&s, err);
	if (!text)
		return -1;
	*out = text;
	return 0;
}

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
	return security_text(out, entry + SECURITY_HEADER, size - SECURITY_HEADER, err);
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
		return security_text(out, p, len, err);
	}
	if (st.v3 && st.security_id != 0)
		return security_by_id(out, x, st.security_id, err);
	*out = NULL;
	return 0;
}
