/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Security descriptors, MS-DTYP 2.4.6, as text, MS-DTYP 2.5.1 (SDDL). */
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/ctx.h"
#include "base/text.h"

#define SDDL_DACL 0x0004u

/* MS-DTYP 2.4.2.4: the abbreviations that SDDL has for SIDs without a domain. */
static const struct {
	const char *sid, *name;
} sddl_sids[] = {
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
static bool sddl_sid(struct vtr_str *out, const uint8_t *p, size_t len)
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
	for (size_t i = 0; i < VTR_COUNT(sddl_sids); i++)
		if (strcmp(sddl_sids[i].sid, text) == 0) {
			vtr_str_puts(out, sddl_sids[i].name);
			return true;
		}
	vtr_str_puts(out, text);
	return true;
}

/* The rights of an entry: the usual sets of such an object, then letters when each bit has some, else the number. */
static void sddl_rights(struct vtr_str *out, uint32_t mask, int kind)
{
	static const struct {
		int kind;
		uint32_t mask;
		const char *name;
	} sets[] = {
		{ VTR_SECURITY_FILE, 0x1f01ff, "FA" }, { VTR_SECURITY_FILE, 0x120089, "FR" },
		{ VTR_SECURITY_FILE, 0x120116, "FW" }, { VTR_SECURITY_FILE, 0x1200a0, "FX" },
		{ VTR_SECURITY_KEY, 0xf003f, "KA" },   { VTR_SECURITY_KEY, 0x20019, "KR" },
		{ VTR_SECURITY_KEY, 0x20006, "KW" },
	};
	static const struct {
		uint32_t mask;
		const char *name;
	} bits[] = {
		{ 0x1, "CC" },	      { 0x2, "DC" },	    { 0x4, "LC" },	  { 0x8, "SW" },
		{ 0x10, "RP" },	      { 0x20, "WP" },	    { 0x40, "DT" },	  { 0x80, "LO" },
		{ 0x100, "CR" },      { 0x10000, "SD" },    { 0x20000, "RC" },	  { 0x40000, "WD" },
		{ 0x80000, "WO" },    { 0x10000000, "GA" }, { 0x20000000, "GX" }, { 0x40000000, "GW" },
		{ 0x80000000, "GR" },
	};
	uint32_t left = mask;

	for (size_t i = 0; i < VTR_COUNT(sets); i++)
		if (sets[i].kind == kind && sets[i].mask == mask) {
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
static bool sddl_ace(struct vtr_str *out, const uint8_t *p, size_t len, int kind)
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
	sddl_rights(out, vtr_get_le32(p + 4), kind);
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
	if (!sddl_sid(out, p + at, len - at))
		return false;
	/* The condition that follows the SID of a conditional entry is an expression of its own. */
	vtr_str_puts(out, p[0] == 9 || p[0] == 10 ? ";(...))" : ")");
	return true;
}

/* An access list: 1 revision, 1 zero, 2 size, 2 count, 2 zero, entries. */
static bool sddl_acl(struct vtr_str *out, const uint8_t *p, size_t len, int kind)
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
		if (ace < 8 || ace > size - at || !sddl_ace(out, p + at, ace, kind))
			return false;
		at += ace;
	}
	return true;
}

/*
 * SECURITY_DESCRIPTOR, self-relative: 1 revision, 1, 2 control, then offsets of 4 bytes: owner, group, SACL, DACL.
 */
int vtr_security_text(char **out, const void *bytes, size_t len, int kind, struct vtr_error *err)
{
	const uint8_t *p = bytes;
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
		good = owner < len && sddl_sid(&s, p + owner, len - owner);
	}
	if (good && group) {
		vtr_str_puts(&s, "G:");
		good = group < len && sddl_sid(&s, p + group, len - group);
	}
	if (good && (control & SDDL_DACL)) {
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
			good = dacl < len && sddl_acl(&s, p + dacl, len - dacl, kind);
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
