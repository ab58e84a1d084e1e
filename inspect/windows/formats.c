/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What Windows keeps in values of its registry as bytes, and boot.ini. None of the structures is documented by Microsoft
 * but identifiers (MS-DTYP 2.4.2); the others are as the hives of Windows 2000 to 11 have them. All is little endian.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/fold.h"
#include "base/utf16.h"
#include "inspect/windows/windows.h"

/* ------------------------------------------------------------------------------------------------------ identifiers */

/*
 *   0x00  1  revision, 1
 *   0x01  1  how many sub-authorities, 15 at most
 *   0x02  6  authority, big endian
 *   0x08  4  each sub-authority
 */
size_t vtr_win_sid_text(char out[WIN_SID], const uint8_t *p, size_t len)
{
	uint64_t authority = 0;
	size_t n;

	if (len < 8 || p[0] != 1 || p[1] > 15 || len < 8 + 4u * p[1])
		return 0;
	for (unsigned i = 2; i < 8; i++)
		authority = authority << 8 | p[i];
	n = (size_t)snprintf(out, WIN_SID, authority >> 32 ? "S-1-%#" PRIx64 : "S-1-%" PRIu64, authority);
	for (unsigned i = 0; i < p[1]; i++)
		n += (size_t)snprintf(out + n, WIN_SID - n, "-%" PRIu32, vtr_get_le32(p + 8 + 4 * i));
	return 8 + 4u * p[1];
}

/* ---------------------------------------------------------------------------------------------------------- drives */

/*
 * MBR, 12 bytes:	0x00  4  signature of the disk		0x04  8  where the partition begins, bytes
 * GPT, 24 bytes:	0x00  8  "DMIO:ID:"			0x08 16  the partition's GUID
 * else the name of a device, in UTF-16
 */
void vtr_win_mount_parse(struct win_mount *out, const uint8_t *p, size_t len)
{
	*out = (struct win_mount){ 0 };
	if (len == 12) {
		out->kind = WIN_MOUNT_MBR;
		out->disk = vtr_get_le32(p);
		out->off = vtr_get_le64(p + 4);
	} else if (len == 24 && memcmp(p, "DMIO:ID:", 8) == 0) {
		out->kind = WIN_MOUNT_GPT;
		vtr_guid_text(out->guid, p + 8);
	} else if (len >= 4) {
		vtr_utf16_to_utf8(out->name, sizeof(out->name), p, len & ~(size_t)1, VTR_UTF16_LE);
		if (out->name[0] == '\\' || out->name[0] == '_')
			out->kind = WIN_MOUNT_NAME;
	}
}

static bool formats_guid_is(const char *p)
{
	for (unsigned i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? p[i] != '-' : vtr_hex_digit(p[i]) < 0)
			return false;
	}
	return true;
}

bool vtr_win_mount_name(char *letter, char guid[37], const char *name, size_t len)
{
	struct vtr_span s = { name, len };

	*letter = 0;
	guid[0] = 0;
	if (s.len == 14 && vtr_span_is_icase((struct vtr_span){ s.p, 12 }, "\\DosDevices\\") && s.p[13] == ':' &&
	    vtr_ascii_is_letter(s.p[12])) {
		*letter = vtr_ascii_upper(s.p[12]);
		return true;
	}
	if (s.len != 48 ||
	    !vtr_span_is_icase((struct vtr_span){ s.p, 11 }, "\\?"
							     "?\\Volume{") ||
	    s.p[47] != '}' || !formats_guid_is(s.p + 11))
		return false;
	for (unsigned i = 0; i < 36; i++)
		guid[i] = vtr_ascii_lower(s.p[11 + i]);
	guid[36] = 0;
	return true;
}

/*
 * An element of a boot store that names a device:
 *   0x00 16  object with more about it	0x10  4  type: 6 a partition	0x18  4  size from 0x10
 *   GPT:	0x20 16  the partition's GUID		0x34  4  0	0x38 16  the disk's GUID
 *   MBR:	0x20  8  where the partition begins	0x34  4  1	0x38  4  signature of the disk
 */
void vtr_win_bcd_device_parse(struct win_mount *out, const uint8_t *p, size_t len)
{
	*out = (struct win_mount){ 0 };
	if (len < 0x48 || vtr_get_le32(p + 0x10) != 6 || vtr_get_le32(p + 0x18) < 0x38)
		return;
	if (vtr_get_le32(p + 0x34) == 0) {
		out->kind = WIN_MOUNT_GPT;
		vtr_guid_text(out->guid, p + 0x20);
	} else if (vtr_get_le32(p + 0x34) == 1) {
		out->kind = WIN_MOUNT_MBR;
		out->off = vtr_get_le64(p + 0x20);
		out->disk = vtr_get_le32(p + 0x38);
	}
}

/* ------------------------------------------------------------------------------------------------------------- SAM */

/*
 * The value F of a user:
 *   0x08  8  last logon	0x18  8  the password was set	0x20  8  the account expires; all ones: never
 *   0x30  4  relative identifier	0x34  4  that of its first group	0x38  4  flags	0x42  2  how many logons
 */
int vtr_win_user_f_parse(struct win_user *u, const uint8_t *p, size_t len, struct vtr_error *err)
{
	struct vtr_cur c = vtr_cur_of(p, len, 0);
	struct win_user f = *u;

	vtr_cur_seek(&c, 8);
	f.last_logon = vtr_cur_le64(&c);
	vtr_cur_skip(&c, 8);
	f.password_set = vtr_cur_le64(&c);
	f.expires = vtr_cur_le64(&c);
	vtr_cur_skip(&c, 8);
	f.rid = vtr_cur_le32(&c);
	f.group = vtr_cur_le32(&c);
	f.flags = vtr_cur_le32(&c);
	vtr_cur_skip(&c, 6);
	f.logons = vtr_cur_le16(&c);
	if (c.bad)
		return vtr_fail(err, VTR_ECORRUPT, "value F of %zu bytes, expected 68 or more", len);
	f.expires = f.expires >= INT64_MAX ? 0 : f.expires;
	f.has_f = true;
	*u = f;
	return 0;
}

#define SAM_V_BASE 0xccu

/* An entry of V or C: where a text lies, from base. False: outside. */
static bool sam_text(char *out, size_t size, const uint8_t *p, size_t len, size_t entry, size_t base)
{
	uint32_t off = vtr_get_le32(p + entry), n = vtr_get_le32(p + entry + 4);

	if (!vtr_range_in((uint64_t)base + off, n, len))
		return false;
	vtr_utf16_to_utf8(out, size, p + base + off, n & ~(size_t)1, VTR_UTF16_LE);
	return true;
}

/*
 * The value V of a user: 17 entries of offset (from 0xcc), length and 4 bytes more: 0x0c the name, 0x18 the whole name,
 * 0x24 a comment, 0xa8 the password's hash. The hash is in a structure of 4 bytes without one and 20 with (until Windows
 * 10 1511), or of 24 and 56; its length is all that is looked at.
 */
int vtr_win_user_v_parse(struct win_user *u, const uint8_t *p, size_t len, struct vtr_error *err)
{
	struct win_user v = *u;
	uint32_t hash;

	if (len < SAM_V_BASE)
		return vtr_fail(err, VTR_ECORRUPT, "value V of %zu bytes, expected %u or more", len, SAM_V_BASE);
	if (!sam_text(v.name, sizeof(v.name), p, len, 0x0c, SAM_V_BASE) ||
	    !sam_text(v.full_name, sizeof(v.full_name), p, len, 0x18, SAM_V_BASE) ||
	    !sam_text(v.comment, sizeof(v.comment), p, len, 0x24, SAM_V_BASE))
		return vtr_fail(err, VTR_ECORRUPT, "value V of %zu bytes: a text leaves it", len);
	hash = vtr_get_le32(p + 0xac);
	v.has_password = hash == 20 || hash > 24;
	v.has_v = true;
	*u = v;
	return 0;
}

#define SAM_C_BASE 0x34u

/*
 * The value C of a group: entries as in V, offsets from 0x34: 0x10 the name, 0x1c a comment; 0x28 the members: offset,
 * bytes, and how many.
 */
int vtr_win_group_c_parse(char name[256], char comment[512], const uint8_t *p, size_t len, win_sid_fn *fn, void *arg,
			  struct vtr_error *err)
{
	uint32_t off, bytes, n;
	char sid[WIN_SID];
	size_t at = 0;

	if (len < SAM_C_BASE)
		return vtr_fail(err, VTR_ECORRUPT, "value C of %zu bytes, expected %u or more", len, SAM_C_BASE);
	if (!sam_text(name, 256, p, len, 0x10, SAM_C_BASE) || !sam_text(comment, 512, p, len, 0x1c, SAM_C_BASE))
		return vtr_fail(err, VTR_ECORRUPT, "value C of %zu bytes: a text leaves it", len);
	off = vtr_get_le32(p + 0x28);
	bytes = vtr_get_le32(p + 0x2c);
	n = vtr_get_le32(p + 0x30);
	if (!vtr_range_in((uint64_t)SAM_C_BASE + off, bytes, len))
		return vtr_fail(err, VTR_ECORRUPT, "value C of %zu bytes: its members leave it", len);
	for (uint32_t i = 0; i < n && at < bytes; i++) {
		size_t took = vtr_win_sid_text(sid, p + SAM_C_BASE + off + at, bytes - at);

		if (took == 0)
			return vtr_fail(err, VTR_ECORRUPT,
					"value C: member %" PRIu32 " of %" PRIu32 " is no identifier", i, n);
		if (fn(arg, sid, err) < 0)
			return -1;
		at += took;
	}
	return 0;
}

/* -------------------------------------------------------------------------------------------------------- boot.ini */

/* "multi(0)disk(0)rdisk(0)partition(1)\WINDOWS": the name of the device goes up to the first backslash. */
static void boot_split(struct win_boot_entry *e, struct vtr_span s)
{
	size_t slash = vtr_span_find(s, '\\');

	e->arc = vtr_span_trim((struct vtr_span){ s.p, slash });
	e->folder = vtr_span_trim(vtr_span_skip(s, slash));
}

static bool boot_same(struct vtr_span a, struct vtr_span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) /* may have zeros */
		if (vtr_ascii_lower(a.p[i]) != vtr_ascii_lower(b.p[i]))
			return false;
	return true;
}

int vtr_win_boot_ini_parse(const char *text, size_t len, win_boot_fn *fn, void *arg, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line, def = { NULL, 0 };
	enum { NONE, LOADER, SYSTEMS } section = NONE;

	while (vtr_span_line(&line, &rest)) {
		struct vtr_span key, value, option;
		struct win_boot_entry e = { 0 };
		size_t eq;

		line = vtr_span_trim(line);
		if (line.len == 0 || line.p[0] == ';' || line.p[0] == 0x1a) /* what an editor of DOS ends a file with */
			continue;
		if (line.p[0] == '[') {
			section = vtr_span_is_icase(line, "[boot loader]") || vtr_span_is_icase(line, "[flexboot]")
					  ? LOADER
				  : vtr_span_is_icase(line, "[operating systems]") ? SYSTEMS
										   : NONE;
			continue;
		}
		eq = vtr_span_find(line, '=');
		if (eq == line.len || section == NONE)
			continue;
		key = vtr_span_trim((struct vtr_span){ line.p, eq });
		value = vtr_span_trim(vtr_span_skip(line, eq + 1));
		if (section == LOADER) {
			if (vtr_span_is_icase(key, "default"))
				def = value;
			continue;
		}
		if (value.len > 0 && value.p[0] == '"') { /* "title" /options */
			value = vtr_span_skip(value, 1);
			value.len = vtr_span_find(value, '"');
		} else if ((eq = vtr_span_find(value, '/')) < value.len) {
			option = vtr_span_skip(value, eq);
			value = vtr_span_trim((struct vtr_span){ value.p, value.len - option.len });
		}
		boot_split(&e, key);
		e.title = value;
		e.is_default = def.len > 0 && boot_same(key, def);
		if (fn(arg, &e, err) < 0)
			return -1;
	}
	return 0;
}

/* ----------------------------------------------------------------------------------------------------------- tasks */

/* A length of 4 bytes, and UTF-16 of that many. */
static bool actions_text(struct vtr_str *out, struct vtr_cur *c, const char *before)
{
	uint32_t n = vtr_cur_le32(c);
	const uint8_t *p = vtr_cur_take(c, n);
	VTR_FREE char *text = NULL;
	size_t size = (size_t)n / 2 * 3 + 1;

	if (!p)
		return false;
	if (!out || n < 2)
		return true;
	text = malloc(size);
	if (!text) {
		out->oom = true;
		return false;
	}
	vtr_utf16_to_utf8(text, size, p, n & ~(size_t)1, VTR_UTF16_LE);
	if (text[0]) {
		vtr_str_puts(out, before);
		vtr_str_puts(out, text);
	}
	return true;
}

/*
 *   0x00  2  version, 1 to 3; from 2 on: 4  length, and whose it is
 *   each:  2  kind: 0x6666 a program, 0x7777 a handler of COM;  4  length, and its name
 *	program:  texts: the command, its arguments, its folder; from version 3 on: 2  flags
 *	handler: 16  class;  text: data
 */
int vtr_win_actions_parse(struct vtr_str *out, const uint8_t *p, size_t len)
{
	struct vtr_cur c = vtr_cur_of(p, len, 0);
	unsigned version = vtr_cur_le16(&c), kind;
	char guid[37];

	if (version < 1 || version > 3 || (version > 1 && !actions_text(NULL, &c, "")))
		return 0;
	kind = vtr_cur_le16(&c);
	if (!actions_text(NULL, &c, ""))
		return 0;
	if (kind == 0x6666)
		return actions_text(out, &c, "") && actions_text(out, &c, " ");
	if (kind == 0x7777) {
		p = vtr_cur_take(&c, 16);
		if (!p)
			return 0;
		vtr_guid_text(guid, p);
		vtr_str_putf(out, "{%s}", guid);
		return 1;
	}
	return 0;
}
