/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values as text. Strings are UTF-16LE with a NUL behind them, which not every writer puts there; a byte that is left over
 * at the end is no character. A list ends with an empty string, but those that rename files at the next start have empty
 * strings in the middle: its strings are all that its NULs separate.
 */
#include <string.h>

#include "base/checked.h"
#include "base/utf16.h"
#include "registry/registry.h"

const char *vtr_reg_type_name(uint32_t type)
{
	static const char *const names[] = {
		"REG_NONE",
		"REG_SZ",
		"REG_EXPAND_SZ",
		"REG_BINARY",
		"REG_DWORD",
		"REG_DWORD_BIG_ENDIAN",
		"REG_LINK",
		"REG_MULTI_SZ",
		"REG_RESOURCE_LIST",
		"REG_FULL_RESOURCE_DESCRIPTOR",
		"REG_RESOURCE_REQUIREMENTS_LIST",
		"REG_QWORD",
	};

	return type < VTR_COUNT(names) ? names[type] : NULL;
}

static bool value_string_is(uint32_t type)
{
	return type == VTR_REG_SZ || type == VTR_REG_EXPAND_SZ || type == VTR_REG_LINK;
}

int vtr_value_number(uint64_t *out, const struct vtr_value *v, struct vtr_error *err)
{
	if (v->type == VTR_REG_DWORD && v->len == 4)
		*out = vtr_get_le32(v->data);
	else if (v->type == VTR_REG_DWORD_BIG_ENDIAN && v->len == 4)
		*out = vtr_get_be32(v->data);
	else if (v->type == VTR_REG_QWORD && v->len == 8)
		*out = vtr_get_le64(v->data);
	else
		return vtr_fail(err, VTR_EUSAGE, "type %" PRIu32 " with %zu bytes is no number", v->type, v->len);
	return 0;
}

/* Bytes of the string at p, of len at most: up to its NUL. */
static size_t value_string_len(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n + 2 <= len && vtr_get_le16(p + n) != 0)
		n += 2;
	return n;
}

/* Bytes of a list without the NUL that ends it, or nothing when all are NULs. */
static size_t value_list_len(const uint8_t *p, size_t len)
{
	size_t end = len &= ~(size_t)1;

	while (end > 0 && vtr_get_le16(p + end - 2) == 0)
		end -= 2;
	return end == 0 ? 0 : end < len ? len - 2 : len;
}

int vtr_value_strings(const struct vtr_value *v, vtr_string_fn *fn, void *arg, struct vtr_error *err)
{
	const uint8_t *p = v->data;
	struct vtr_str s = { 0 };
	size_t len = v->len;
	int r = 0;

	if (!value_string_is(v->type) && v->type != VTR_REG_MULTI_SZ)
		return vtr_fail(err, VTR_EUSAGE, "type %" PRIu32 " is no string", v->type);
	if (v->type == VTR_REG_MULTI_SZ)
		len = value_list_len(p, len);
	for (size_t at = 0; r == 0 && (at + 2 <= len || (at == 0 && value_string_is(v->type)));) {
		size_t n = value_string_len(p + at, len - at);

		s.len = 0;
		vtr_utf16_put(&s, p + at, n);
		vtr_str_put(&s, "", 0);
		if (s.oom) {
			vtr_str_done(&s);
			return vtr_fail(err, VTR_ENOMEM, "out of memory for a string");
		}
		r = fn(arg, s.p, s.len);
		if (value_string_is(v->type))
			break;
		at += n + 2;
	}
	vtr_str_done(&s);
	return r;
}

static int value_put_line(void *arg, const char *text, size_t len)
{
	vtr_str_put(arg, text, len);
	vtr_str_put(arg, "\n", 1);
	return 0;
}

static int value_put(void *arg, const char *text, size_t len)
{
	vtr_str_put(arg, text, len);
	return 0;
}

int vtr_value_text(char **out, size_t *len, const struct vtr_value *v, struct vtr_error *err)
{
	struct vtr_str s = { 0 };
	uint64_t number;
	size_t n;
	char *text;

	if (vtr_value_number(&number, v, NULL) == 0) {
		vtr_str_putf(&s, "%" PRIu64, number);
	} else if (vtr_value_strings(v, v->type == VTR_REG_MULTI_SZ ? value_put_line : value_put, &s, err) < 0) {
		vtr_str_done(&s);
		if (v->type == VTR_REG_DWORD || v->type == VTR_REG_DWORD_BIG_ENDIAN || v->type == VTR_REG_QWORD)
			(void)vtr_value_number(&number, v, err);
		return -1;
	}
	n = s.len;
	text = vtr_str_take(&s, err);
	if (!text)
		return -1;
	*out = text;
	*len = n;
	return 0;
}
