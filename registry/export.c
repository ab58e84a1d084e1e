/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hives as text: the .reg files of regedit, version 5, as hivexregedit prints them (UTF-8, lines that end with LF alone,
 * strings as hexadecimal bytes), and JSON, an object a line. Both are written by hand: a hive has a hundred thousand
 * values, and most of the text is digits.
 *
 * What a terminal would act on is escaped: in JSON as it has it, in .reg files, which have no such thing, as vtr_escape()
 * does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/utf16.h"
#include "registry/registry.h"

#define EXPORT_BUFFER 65536u

struct export
{
	struct vtr_hive *h;
	const struct vtr_hive_export *how;
	vtr_write *write;
	void *arg;
	int result; /* of write */
	char *buf;
	size_t n;
	char *wide; /* for UTF-16; NULL: the text is UTF-8 */
	struct vtr_str text;
	struct hive_value *values;
	size_t n_values, cap_values;
};

enum export_mode { EXPORT_KEY, EXPORT_NAME, EXPORT_JSON };

/* A character of UTF-16LE; the bytes that it has. */
static size_t export_wide(char *to, uint32_t c)
{
	uint16_t two[2];
	unsigned units = vtr_utf16_units(two, c);

	for (unsigned i = 0; i < units; i++) {
		to[2 * i] = (char)(two[i] & 0xff);
		to[2 * i + 1] = (char)(two[i] >> 8);
	}
	return 2 * (size_t)units;
}

/* What is in the buffer as UTF-16, with a CR before each LF. A character that is not all there stays, but at the end. */
static void export_flush_wide(struct export *e, bool end)
{
	size_t at = 0, n = 0;

	while (at < e->n && (end || e->n - at >= 4 || (unsigned char)e->buf[at] < 0x80)) {
		uint32_t c = 0xfffd;
		size_t len = vtr_utf8_next(&c, (const uint8_t *)e->buf + at, e->n - at);

		if (c == '\n')
			n += export_wide(e->wide + n, '\r');
		n += export_wide(e->wide + n, len ? c : 0xfffd);
		at += len ? len : 1;
	}
	if (n > 0 && e->result == 0)
		e->result = e->write(e->arg, e->wide, n);
	memmove(e->buf, e->buf + at, e->n - at);
	e->n -= at;
}

static void export_flush(struct export *e)
{
	if (e->wide) {
		export_flush_wide(e, false);
		return;
	}
	if (e->n > 0 && e->result == 0)
		e->result = e->write(e->arg, e->buf, e->n);
	e->n = 0;
}

static void export_put(struct export *e, const char *p, size_t len)
{
	while (len > 0) {
		size_t n = VTR_MIN(len, EXPORT_BUFFER - e->n);

		memcpy(e->buf + e->n, p, n);
		e->n += n;
		p += n;
		len -= n;
		if (e->n == EXPORT_BUFFER)
			export_flush(e);
	}
}

static void export_puts(struct export *e, const char *text)
{
	export_put(e, text, strlen(text));
}

static void export_putf(struct export *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void export_putf(struct export *e, const char *fmt, ...)
{
	char text[64];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	export_put(e, text, (size_t)n);
}

/* Bytes as two digits each, with a comma between them where there is one. */
static void export_hex(struct export *e, const uint8_t *p, size_t len, bool comma)
{
	static const char digits[] = "0123456789abcdef";

	while (len > 0) {
		size_t n = VTR_MIN(len, (EXPORT_BUFFER - e->n) / 3);
		char *to = e->buf + e->n;

		for (size_t i = 0; i < n; i++) {
			*to++ = digits[p[i] >> 4];
			*to++ = digits[p[i] & 15];
			if (comma && (i + 1 < n || n < len))
				*to++ = ',';
		}
		e->n = (size_t)(to - e->buf);
		p += n;
		len -= n;
		if (EXPORT_BUFFER - e->n < 3)
			export_flush(e);
	}
}

static bool export_plain(unsigned char c, enum export_mode mode)
{
	return c >= 0x20 && c < 0x7f && (c != '\\' || mode == EXPORT_KEY) && (c != '"' || mode == EXPORT_KEY);
}

/*
 * A character that a .reg file has no place for is escaped, which makes another name of it. Text in UTF-16 is for no terminal,
 * and its lines end at these alone.
 */
static void export_no_room(struct export *e, const char *p, size_t len, const char *esc, size_t n)
{
	const struct vtr_error odd = {
		.text = "a name has characters that a .reg file does not hold: they are escaped"
	};

	if (e->wide && *p != '\n' && *p != '\r' && *p != 0) {
		export_put(e, p, len);
		return;
	}
	vtr_hive_warn(e->h, &odd);
	export_put(e, esc, n);
}

static int export_piece(void *arg, const char *text, size_t len)
{
	export_put(arg, text, len);
	return 0;
}

/* One character that is not plain; p is well-formed UTF-8. The bytes that it has. */
static size_t export_special(struct export *e, const char *p, size_t len, enum export_mode mode)
{
	uint32_t cp = 0;
	size_t k = vtr_utf8_next(&cp, (const uint8_t *)p, len);
	char esc[24];
	size_t n;

	k = k ? k : 1;
	if (mode == EXPORT_JSON) {
		(void)vtr_json_escape(p, k, export_piece, e);
		return k;
	}
	if (cp == '\\' || cp == '"') {
		export_putf(e, "\\%c", (int)cp);
		return k;
	}
	n = vtr_escape(esc, sizeof(esc), p, k);
	if (esc[0] == '\\')
		export_no_room(e, p, k, esc, n);
	else
		export_put(e, esc, n);
	return k;
}

static void export_text(struct export *e, const char *p, size_t len, enum export_mode mode)
{
	size_t from = 0, i = 0;

	while (i < len) {
		if (export_plain((unsigned char)p[i], mode)) {
			i++;
			continue;
		}
		export_put(e, p + from, i - from);
		i += export_special(e, p + i, len - i, mode);
		from = i;
	}
	export_put(e, p + from, len - from);
}

static void export_name(struct export *e, const struct hive_name *n, enum export_mode mode)
{
	e->text.len = 0;
	vtr_hive_name_put(&e->text, n);
	export_text(e, e->text.p ? e->text.p : "", e->text.len, mode);
}

static void export_path(struct export *e, const char *path, size_t len, enum export_mode mode)
{
	const char *prefix = e->how->prefix ? e->how->prefix : "";
	size_t n = strlen(prefix);

	/* What begins with no backslash is below a key that is lost. */
	if (len == 0 || path[0] != '\\')
		n = 0;
	/* A prefix may end with the backslash that the path begins with; the root has nothing but that. */
	if (n > 0)
		export_text(e, prefix, prefix[n - 1] == '\\' ? n - 1 : n, mode);
	if (n == 0 || len > 1)
		export_text(e, path, len, mode);
}

/* ------------------------------------------------------------------------------------------------------------- values */

static int export_value_cmp(const void *a, const void *b)
{
	const struct hive_value *x = a, *y = b;

	return vtr_hive_name_cmp(&x->name, &y->name);
}

/* Many values: sorted by merging, which keeps those of the same name in their order. */
static int export_merge(struct export *e, struct vtr_error *err)
{
	VTR_FREE struct hive_value *more = vtr_calloc(e->n_values, sizeof(*more), err);
	struct hive_value *from = e->values, *to = more, *swap;

	if (!more)
		return -1;
	for (size_t width = 1; width < e->n_values; width *= 2) {
		for (size_t at = 0; at < e->n_values; at += 2 * width) {
			size_t mid = VTR_MIN(at + width, e->n_values), end = VTR_MIN(mid + width, e->n_values);
			size_t i = at, k = mid;

			for (size_t n = at; n < end; n++) {
				bool left = k >= end || (i < mid && export_value_cmp(&from[i], &from[k]) <= 0);

				to[n] = left ? from[i++] : from[k++];
			}
		}
		swap = from;
		from = to;
		to = swap;
	}
	if (from != e->values)
		memcpy(e->values, from, e->n_values * sizeof(*from));
	return 0;
}

/* The values of a key, sorted; those of the same name in the order of the hive. */
static int export_values(struct export *e, const struct hive_key *k, const char *path, struct vtr_error *err)
{
	struct vtr_error why = { 0 };
	const uint8_t *list;
	uint32_t n, room;
	bool sorted = true;

	e->n_values = 0;
	if (vtr_hive_value_list(&list, &n, &room, e->h, k, err) < 0 ||
	    VTR_OVER(e->h->ctx, alloc, n * sizeof(*e->values), "the values of one key", err) < 0)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		if (!VTR_GROW(e->values, e->n_values, e->cap_values, err))
			return -1;
		if (vtr_hive_value_read(&e->values[e->n_values], e->h, vtr_get_le32(list + 4 * (size_t)i), &why) < 0) {
			vtr_error_at(&why, "\"%s\": a value is lost", path);
			vtr_hive_warn(e->h, &why);
			continue;
		}
		e->n_values++;
		if (e->n_values > 1)
			sorted &= export_value_cmp(&e->values[e->n_values - 2], &e->values[e->n_values - 1]) <= 0;
	}
	if (sorted)
		return 0;
	/* Few values come almost in order; many do not, and then they are merged. */
	if (e->n_values < 64) {
		for (size_t i = 1; i < e->n_values; i++) {
			struct hive_value v = e->values[i];
			size_t to = i;

			for (; to > 0 && export_value_cmp(&e->values[to - 1], &v) > 0; to--)
				e->values[to] = e->values[to - 1];
			e->values[to] = v;
		}
		return 0;
	}
	return export_merge(e, err);
}

static int export_reg_value(struct export *e, const struct hive_value *v, struct vtr_error *err)
{
	struct vtr_error why = { 0 };
	const uint8_t *data;
	size_t len;
	int r = vtr_hive_value_data(&data, &len, e->h, v, 0, &why);

	if (r < 0) {
		if (err)
			*err = why;
		return -1;
	}
	if (r == 1)
		vtr_hive_warn(e->h, &why);
	if (v->name.len == 0) {
		export_puts(e, "@=");
	} else {
		export_puts(e, "\"");
		export_name(e, &v->name, EXPORT_NAME);
		export_puts(e, "\"=");
	}
	if (v->type == VTR_REG_DWORD && len == 4) {
		export_putf(e, "dword:%08" PRIx32, vtr_get_le32(data));
	} else {
		export_putf(e, "hex(%" PRIx32 "):", v->type);
		export_hex(e, data, len, true);
	}
	export_puts(e, "\n");
	return 0;
}

static int export_json_string(void *arg, const char *text, size_t len)
{
	struct export *e = arg;

	export_puts(e, e->n > 0 && e->buf[e->n - 1] == '[' ? "\"" : ",\"");
	export_text(e, text, len, EXPORT_JSON);
	export_puts(e, "\"");
	return 0;
}

static int export_json_text(void *arg, const char *text, size_t len)
{
	struct export *e = arg;

	export_puts(e, ",\"value\":\"");
	export_text(e, text, len, EXPORT_JSON);
	export_puts(e, "\"");
	return 0;
}

static void export_json_raw_name(struct export *e, const char *member, const uint8_t *p, size_t len)
{
	export_putf(e, ",\"%s\":\"", member);
	export_hex(e, p, len, false);
	export_puts(e, "\"");
}

static void export_json_value(struct export *e, const struct vtr_value *v, bool first)
{
	const char *type = vtr_reg_type_name(v->type);
	uint64_t number;

	export_puts(e, first ? "{\"name\":\"" : ",{\"name\":\"");
	export_text(e, v->name, v->name_len, EXPORT_JSON);
	export_puts(e, "\"");
	if (v->flags & VTR_VALUE_NAME_CUT)
		export_json_raw_name(e, "name_hex", v->name_raw, v->name_raw_len);
	if (type)
		export_putf(e, ",\"type\":\"%s\"", type);
	else
		export_putf(e, ",\"type\":\"0x%08" PRIx32 "\"", v->type);
	if (vtr_value_number(&number, v, NULL) == 0) {
		/* Above 2^53 not every program has the number. */
		export_putf(e, number > (uint64_t)1 << 53 ? ",\"value\":\"%" PRIu64 "\"" : ",\"value\":%" PRIu64,
			    number);
	} else if (v->type == VTR_REG_MULTI_SZ) {
		export_puts(e, ",\"value\":");
		/* The bracket is looked back at: it is in the buffer. */
		if (EXPORT_BUFFER - e->n < 2)
			export_flush(e);
		export_puts(e, "[");
		(void)vtr_value_strings(v, export_json_string, e, NULL);
		export_puts(e, "]");
	} else {
		(void)vtr_value_strings(v, export_json_text, e, NULL);
	}
	export_json_raw_name(e, "hex", v->data, v->len);
	if (v->flags & VTR_VALUE_CUT)
		export_putf(e, ",\"stated_size\":%" PRIu64, v->stated_len);
	if (v->flags & VTR_VALUE_TOMBSTONE)
		export_puts(e, ",\"tombstone\":true");
	if (v->flags & VTR_VALUE_DELETED)
		export_puts(e, ",\"deleted\":true");
	export_puts(e, "}");
}

/* --------------------------------------------------------------------------------------------------------------- keys */

static int export_stopped(struct export *e, struct vtr_error *err)
{
	if (e->text.oom)
		return vtr_fail(err, VTR_ENOMEM, "out of memory for text");
	return e->result != 0 ? -1 : 0;
}

static int export_reg_key(void *arg, const struct hive_key *k, const char *path, size_t path_len, unsigned depth,
			  struct vtr_error *err)
{
	struct export *e = arg;

	(void)depth;
	export_puts(e, "[");
	export_path(e, path, path_len, EXPORT_KEY);
	export_puts(e, "]\n");
	if (export_values(e, k, path, err) < 0)
		return -1;
	for (size_t i = 0; i < e->n_values; i++)
		if (export_reg_value(e, &e->values[i], err) < 0)
			return -1;
	export_puts(e, "\n");
	return export_stopped(e, err);
}

static void export_json_begin(struct export *e, const struct vtr_key *k)
{
	char time[48];

	export_puts(e, "{\"key\":\"");
	export_path(e, k->path, k->path_len, EXPORT_JSON);
	export_puts(e, "\"");
	if (k->flags & VTR_KEY_NAME_CUT)
		export_json_raw_name(e, "key_hex", k->name_raw, k->name_raw_len);
	if (k->written.set) {
		vtr_time_text(time, sizeof(time), &k->written);
		export_putf(e, ",\"mtime\":\"%s\"", time);
	}
	if (k->class_name) {
		export_puts(e, ",\"class\":\"");
		export_text(e, k->class_name, k->class_len, EXPORT_JSON);
		export_puts(e, "\"");
	}
	if (k->flags & VTR_KEY_LINK)
		export_puts(e, ",\"link\":true");
	if (k->flags & VTR_KEY_DELETED)
		export_puts(e, ",\"deleted\":true");
	export_puts(e, ",\"values\":[");
}

static int export_json_key(void *arg, const struct hive_key *k, const char *path, size_t path_len, unsigned depth,
			   struct vtr_error *err)
{
	struct export *e = arg;
	struct vtr_value v;
	struct vtr_key key;

	(void)depth;
	if (vtr_hive_key_show(&key, &e->h->text, &e->h->class_text, e->h, k, err) < 0)
		return -1;
	key.path = path;
	key.path_len = path_len;
	export_json_begin(e, &key);
	if (export_values(e, k, path, err) < 0)
		return -1;
	for (size_t i = 0; i < e->n_values; i++) {
		if (vtr_hive_value_show(&v, &e->h->value_text, e->h, &e->values[i], 0, err) < 0)
			return -1;
		export_json_value(e, &v, i == 0);
	}
	export_puts(e, "]}\n");
	return export_stopped(e, err);
}

static int export_deleted(void *arg, const struct vtr_key *key, const struct vtr_value *values, size_t n)
{
	static const struct vtr_key unknown = { .path = "" };
	struct export *e = arg;

	export_json_begin(e, key ? key : &unknown);
	for (size_t i = 0; i < n; i++)
		export_json_value(e, &values[i], i == 0);
	export_puts(e, "]}\n");
	return e->result != 0 ? 1 : 0;
}

int vtr_hive_export(struct vtr_hive *h, uint32_t key, const struct vtr_hive_export *how, vtr_write *write, void *arg,
		    struct vtr_error *err)
{
	struct export e = { .h = h, .how = how, .write = write, .arg = arg };
	bool json = how->format == VTR_HIVE_JSON, wide = how->format == VTR_HIVE_REGEDIT, named = false;
	struct vtr_error why = { 0 };
	int r;

	if (!json && !wide && how->format != VTR_HIVE_REG)
		return vtr_fail(err, VTR_EUSAGE, "export: no format %d", how->format);
	if (how->deleted && (!json || key != h->base.root))
		return vtr_fail(err, VTR_EUSAGE, "export: what was deleted is in JSON, of the whole hive, alone");
	e.buf = vtr_calloc(1, EXPORT_BUFFER, err);
	/* A newline becomes two characters of two bytes. */
	e.wide = e.buf && wide ? vtr_calloc(4, EXPORT_BUFFER, err) : NULL;
	if (!e.buf || (wide && !e.wide)) {
		free(e.buf);
		return -1;
	}
	if (wide)
		export_puts(&e, "\xef\xbb\xbf");
	if (!json)
		export_puts(&e, "Windows Registry Editor Version 5.00\n\n");
	r = vtr_hive_visit(h, key, HIVE_WALK_SORT, how->shallow ? 1 : UINT32_MAX,
			   json ? export_json_key : export_reg_key, &e, NULL, &why);
	if (r == 0 && how->deleted && vtr_hive_deleted(h, export_deleted, &e, &why) != 0) {
		r = -1;
		named = true;
	}
	export_flush(&e);
	if (wide)
		export_flush_wide(&e, true);
	free(e.buf);
	free(e.wide);
	free(e.values);
	vtr_str_done(&e.text);
	if (e.result != 0)
		return e.result;
	if (r == 0)
		return 0;
	if (h->name && !named)
		vtr_error_at(&why, "%s", h->name);
	if (err)
		*err = why;
	return -1;
}
