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

void cli_json_set(json_t *o, const char *key, const char *bytes)
{
	size_t len;
	char *hex, name[64];

	if (!bytes)
		return;
	len = strlen(bytes);
	json_object_set_new(o, key, cli_json_text(bytes, len));
	if (vtr_utf8_is(bytes, len) || !(hex = malloc(2 * len + 1)))
		return;
	for (size_t i = 0; i < len; i++)
		sprintf(hex + 2 * i, "%02x", (unsigned char)bytes[i]);
	snprintf(name, sizeof(name), "%s_hex", key);
	json_object_set_new(o, name, json_string(hex));
	free(hex);
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

struct json_out {
	FILE *f;
	unsigned indent; /* put after each newline */
};

/* jansson escapes below 0x20 and gives whole characters; what a terminal would act on is escaped here. */
static int json_put(const char *buf, size_t len, void *arg)
{
	const struct json_out *out = arg;
	FILE *f = out->f;
	size_t from = 0;

	for (size_t i = 0; i < len;) {
		unsigned char b = (unsigned char)buf[i];
		size_t k = b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
		char esc[24];
		unsigned cp;

		if (i + k > len)
			k = len - i;
		if (b >= 0x7f && vtr_escape(esc, sizeof(esc), buf + i, k) > 0 && esc[0] == '\\') {
			fwrite(buf + from, 1, i - from, f);
			if (k == 1) {
				fprintf(f, "\\u%04x", b);
			} else if (sscanf(esc, "\\u{%x}", &cp) == 1 && cp >= 0x10000) {
				fprintf(f, "\\u%04x\\u%04x", 0xd800 + ((cp - 0x10000) >> 10),
					0xdc00 + ((cp - 0x10000) & 0x3ff));
			} else {
				sscanf(esc, "\\u{%x}", &cp);
				fprintf(f, "\\u%04x", cp);
			}
			from = i + k;
		} else if (b == '\n' && out->indent > 0) { /* between members: those in texts are escaped */
			fwrite(buf + from, 1, i + 1 - from, f);
			fprintf(f, "%*s", (int)out->indent, "");
			from = i + 1;
		}
		i += k;
	}
	fwrite(buf + from, 1, len - from, f);
	return ferror(f) ? -1 : 0;
}

void cli_json_print(json_t *o)
{
	struct json_out out = { stdout, 0 };

	json_dump_callback(o, json_put, &out, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	fputc('\n', stdout);
	json_decref(o);
}

void cli_json_line(json_t *o)
{
	struct json_out out = { stdout, 0 };

	json_dump_callback(o, json_put, &out, JSON_COMPACT);
	fputc('\n', stdout);
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
	if (key)
		printf("\"%s\": ", key); /* ours: it needs no escape */
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
	struct json_out out = { stdout, 2 * s->depth };

	stream_next(s, key);
	json_dump_callback(value, json_put, &out, JSON_INDENT(2) | JSON_REAL_PRECISION(15) | JSON_ENCODE_ANY);
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
