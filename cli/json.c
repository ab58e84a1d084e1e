/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON for programs: always valid, always UTF-8, and harmless on a terminal. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

json_t *cli_json_text(const char *bytes, size_t len)
{
	char *clean;
	size_t n = 0;
	json_t *out;

	if (vtr_utf8_is(bytes, len))
		return json_stringn(bytes, len);
	clean = malloc(3 * len + 1);
	if (!clean)
		return json_null();
	for (size_t i = 0; i < len;) {
		size_t k = 1;

		/* The longest well-formed character here, at most four bytes. */
		while (k <= 4 && i + k <= len && !vtr_utf8_is(bytes + i, k))
			k++;
		if (k <= 4 && i + k <= len) {
			memcpy(clean + n, bytes + i, k);
			n += k;
			i += k;
		} else {
			memcpy(clean + n, "\xef\xbf\xbd", 3);
			n += 3;
			i++;
		}
	}
	out = json_stringn(clean, n);
	free(clean);
	return out;
}

static json_t *json_hex(const char *bytes, size_t len)
{
	char *hex = malloc(2 * len + 1);
	json_t *out;

	if (!hex)
		return json_null();
	for (size_t i = 0; i < len; i++)
		sprintf(hex + 2 * i, "%02x", (unsigned char)bytes[i]);
	out = json_stringn(hex, 2 * len);
	free(hex);
	return out;
}

void cli_json_set_bytes(json_t *o, const char *key, const char *bytes, size_t len)
{
	char name[128];

	json_object_set_new(o, key, cli_json_text(bytes, len));
	snprintf(name, sizeof(name), "%s_hex", key);
	if (!vtr_utf8_is(bytes, len))
		json_object_set_new(o, name, json_hex(bytes, len));
}

void cli_json_set(json_t *o, const char *key, const char *bytes)
{
	if (bytes)
		cli_json_set_bytes(o, key, bytes, strlen(bytes));
}

static size_t json_utf8(char *out, unsigned cp)
{
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

/* Undo vtr_escape(): out has room for len bytes. */
static size_t json_unescape(char *out, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len;) {
		size_t k = 2;
		unsigned cp;
		int used = 0;

		if (text[i] != '\\' || i + 1 >= len) {
			out[n++] = text[i++];
			continue;
		}
		if (text[i + 1] == 'x' && i + 4 <= len && sscanf(text + i + 2, "%2x", &cp) == 1) {
			out[n++] = (char)cp;
			k = 4;
		} else if (text[i + 1] == 'u' && sscanf(text + i, "\\u{%6x}%n", &cp, &used) == 1 && used > 0) {
			n += json_utf8(out + n, cp);
			k = (size_t)used;
		} else {
			out[n++] = text[i + 1] == 'n' ? '\n' : text[i + 1] == 't' ? '\t' : text[i + 1];
		}
		i += k;
	}
	return n;
}

bool cli_json_is_escaped(const struct vtr_os *os)
{
	const struct vtr_fact *type = vtr_os_fact(os, "type");

	return !type || strcmp(type->value, "windows") != 0;
}

static json_t *json_fact(json_t **hex, const char *text, size_t len, bool escaped)
{
	char *bytes = escaped && memchr(text, '\\', len) ? malloc(len) : NULL;
	json_t *out;

	*hex = NULL;
	if (!bytes)
		return json_stringn(text, len);
	len = json_unescape(bytes, text, len);
	out = cli_json_text(bytes, len);
	if (!vtr_utf8_is(bytes, len))
		*hex = json_hex(bytes, len);
	free(bytes);
	return out;
}

void cli_json_set_fact(json_t *o, const char *key, const char *text, bool escaped)
{
	char name[64];
	json_t *hex;

	if (!text)
		return;
	json_object_set_new(o, key, json_fact(&hex, text, strlen(text), escaped));
	snprintf(name, sizeof(name), "%s_hex", key);
	if (hex)
		json_object_set_new(o, name, hex);
}

void cli_json_set_list(json_t *o, const char *key, const char *values, bool escaped)
{
	json_t *list = json_array(), *hexes = json_array(), *hex;
	bool any = false;
	char name[64];

	while (*values) {
		size_t len = strcspn(values, "\n");

		json_array_append_new(list, json_fact(&hex, values, len, escaped));
		any = any || hex;
		json_array_append_new(hexes, hex ? hex : json_null());
		values += len + (values[len] != 0);
	}
	json_object_set_new(o, key, list);
	snprintf(name, sizeof(name), "%s_hex", key);
	if (any)
		json_object_set(o, name, hexes);
	json_decref(hexes);
}

json_t *cli_json_u64(uint64_t v)
{
	char digits[32];

	if (v <= 1ull << 53)
		return json_integer((json_int_t)v);
	snprintf(digits, sizeof(digits), "%" PRIu64, v);
	return json_string(digits);
}

static void json_set_time(json_t *o, const char *key, const struct vtr_time *t)
{
	char buf[48];

	if (t->set)
		json_object_set_new(o, key, json_string(cli_time(buf, t, true)));
}

json_t *cli_json_file(const char *path, const struct vtr_stat *st, const char *target)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} flags[] = {
		{ VTR_STAT_ENCRYPTED, "encrypted" },   { VTR_STAT_CASEFOLD, "casefold" },
		{ VTR_STAT_COMPRESSED, "compressed" }, { VTR_STAT_IMMUTABLE, "immutable" },
		{ VTR_STAT_APPEND, "append" },	       { VTR_STAT_INLINE, "inline" },
		{ VTR_STAT_VERITY, "verity" },	       { VTR_STAT_DAMAGED, "damaged" },
		{ VTR_STAT_NODUMP, "nodump" },
	};
	json_t *o = json_object(), *list = NULL;
	char mode[8];

	cli_json_set(o, "path", path);
	json_object_set_new(o, "type", json_string(vtr_type_name(st->type)));
	snprintf(mode, sizeof(mode), "%04o", st->mode & 07777);
	json_object_set_new(o, "mode", json_string(mode));
	json_object_set_new(o, "uid", json_integer(st->uid));
	json_object_set_new(o, "gid", json_integer(st->gid));
	json_object_set_new(o, "size", cli_json_u64(st->size));
	json_set_time(o, "mtime", &st->mtime);
	json_set_time(o, "atime", &st->atime);
	json_set_time(o, "ctime", &st->ctime);
	json_set_time(o, "btime", &st->btime);
	json_object_set_new(o, "ino", cli_json_u64(st->node));
	json_object_set_new(o, "nlink", cli_json_u64(st->nlink));
	json_object_set_new(o, "allocated", cli_json_u64(st->allocated));
	cli_json_set(o, "target", target);
	if (st->type == VTR_TYPE_CHAR || st->type == VTR_TYPE_BLOCK) {
		json_object_set_new(o, "major", json_integer(st->rdev_major));
		json_object_set_new(o, "minor", json_integer(st->rdev_minor));
	}
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (!(st->flags & flags[i].flag))
			continue;
		if (!list)
			list = json_array();
		json_array_append_new(list, json_string(flags[i].name));
	}
	if (list)
		json_object_set_new(o, "flags", list);
	return o;
}

void cli_json_props(json_t *o, const struct vtr_prop *props, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct vtr_prop *p = &props[i];

		if (p->kind == VTR_PROP_TEXT)
			cli_json_set(o, p->key, p->text);
		else if (p->kind == VTR_PROP_BOOL)
			json_object_set_new(o, p->key, json_boolean(p->number));
		else
			json_object_set_new(o, p->key, cli_json_u64(p->number));
	}
}

static int json_piece(void *arg, const char *text, size_t len)
{
	(void)arg;
	return fwrite(text, 1, len, stdout) == len ? 0 : 1;
}

/* Failing to write is noticed by cli_flush(). */
static void json_put_text(const char *text, size_t len)
{
	putchar('"');
	(void)vtr_json_escape(text, len, json_piece, NULL);
	putchar('"');
}

/* Members on lines of their own, which start with so many spaces; -1: all on one line. */
static void json_put_line(int indent)
{
	if (indent >= 0)
		printf("\n%*s", indent, "");
}

static void json_put(const json_t *v, int indent)
{
	int inner = indent < 0 ? indent : indent + 2;
	size_t n = 0;

	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_OBJECT:
		putchar('{');
		/* jansson's own iteration asks for an object that may be changed. */
		for (void *i = json_object_iter((json_t *)v); i; i = json_object_iter_next((json_t *)v, i)) {
			if (n++ > 0)
				putchar(',');
			json_put_line(inner);
			json_put_text(json_object_iter_key(i), strlen(json_object_iter_key(i)));
			fputs(indent < 0 ? ":" : ": ", stdout);
			json_put(json_object_iter_value(i), inner);
		}
		if (n > 0)
			json_put_line(indent);
		putchar('}');
		break;
	case JSON_ARRAY:
		putchar('[');
		for (; n < json_array_size(v); n++) {
			if (n > 0)
				putchar(',');
			json_put_line(inner);
			json_put(json_array_get(v, n), inner);
		}
		if (n > 0)
			json_put_line(indent);
		putchar(']');
		break;
	case JSON_STRING:
		json_put_text(json_string_value(v), json_string_length(v));
		break;
	case JSON_INTEGER:
		printf("%" JSON_INTEGER_FORMAT, json_integer_value(v));
		break;
	case JSON_REAL:
		printf("%.15g", json_real_value(v));
		break;
	case JSON_TRUE:
		fputs("true", stdout);
		break;
	case JSON_FALSE:
		fputs("false", stdout);
		break;
	case JSON_NULL:
		fputs("null", stdout);
		break;
	}
}

void cli_json_print(json_t *o)
{
	json_put(o, 0);
	putchar('\n');
	json_decref(o);
}

void cli_json_line(json_t *o)
{
	json_put(o, -1);
	putchar('\n');
	json_decref(o);
}

/* -------------------------------------------------------------------------------------------- as it is made */

/* What comes before a value: a comma, its line, its key. */
static void stream_next(struct cli_stream *s, const char *key)
{
	if (s->depth == 0)
		return;
	fputs(s->any[s->depth - 1] ? ",\n" : "\n", stdout);
	printf("%*s", (int)(2 * s->depth), "");
	s->any[s->depth - 1] = true;
	if (key) {
		json_put_text(key, strlen(key));
		fputs(": ", stdout);
	}
}

void cli_stream_begin(struct cli_stream *s, const char *key, char kind)
{
	stream_next(s, key);
	putchar(kind);
	s->kinds[s->depth] = kind;
	s->any[s->depth++] = false;
}

void cli_stream_put(struct cli_stream *s, const char *key, json_t *value)
{
	stream_next(s, key);
	json_put(value, (int)(2 * s->depth));
	json_decref(value);
}

void cli_stream_put_all(struct cli_stream *s, json_t *members)
{
	const char *key;
	json_t *value;

	json_object_foreach(members, key, value) cli_stream_put(s, key, json_incref(value));
	json_decref(members);
}

void cli_stream_end(struct cli_stream *s)
{
	s->depth--;
	if (s->any[s->depth])
		printf("\n%*s", (int)(2 * s->depth), "");
	putchar(s->kinds[s->depth] == '{' ? '}' : ']');
	if (s->depth == 0)
		putchar('\n');
}
