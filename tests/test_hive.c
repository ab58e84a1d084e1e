/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registry hives, against what tests/mk-hive.py put into them, against libhivex, and ($VITRINE_CORPUS) those that other
 * people's software wrote. What deleted records and logs must give was worked out from the specification, and from what is
 * published with the corpus.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/checked.h"
#include "base/fold.h"
#include "registry/registry.h"
#include "tests/ext_images.h"
#include "tests/hivex_reader.h"
#include "tests/part_images.h"

static char *dir, *corpus;
static bool tools;

#define NEED_TOOLS()                                                                                                   \
	do {                                                                                                           \
		if (!tools)                                                                                            \
			skip();                                                                                        \
	} while (0)

/* A hive as it was opened, and what was said meanwhile. */
struct opened {
	struct vtr_ctx *ctx;
	struct vtr_hive *h;
	struct vtr_error err;
	struct vtr_str said;
};

static void hive_said(void *arg, const struct vtr_error *w)
{
	struct opened *o = arg;

	vtr_str_putf(&o->said, "%s: %s\n", w->code == VTR_OK ? "odd" : vtr_code_name(w->code), w->text);
}

static void hive_begin(struct opened *o, const struct vtr_limits *limits)
{
	*o = (struct opened){ .ctx = vtr_ctx_new(limits, NULL) };
	assert_non_null(o->ctx);
	vtr_ctx_on_warning(o->ctx, hive_said, o);
	vtr_str_puts(&o->said, "");
}

static void hive_open_bytes(struct opened *o, const void *bytes, size_t len, const struct vtr_limits *limits)
{
	struct vtr_blk *b;

	hive_begin(o, limits);
	assert_int_equal(0, vtr_blk_memory(&b, o->ctx, bytes, len, NULL));
	if (vtr_hive_open(&o->h, b, NULL, 0, &o->err) < 0)
		o->h = NULL;
	vtr_blk_unref(b);
}

static uint8_t *hive_load(size_t *len, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return ext_load_file(len, path);
}

static void hive_open_name(struct opened *o, const char *name)
{
	size_t len;
	uint8_t *bytes = hive_load(&len, name);

	hive_open_bytes(o, bytes, len, NULL);
	free(bytes);
	if (!o->h)
		fail_msg("%s: %s", name, o->err.text);
}

static void hive_done(struct opened *o)
{
	vtr_hive_close(o->h);
	vtr_ctx_unref(o->ctx);
	vtr_str_done(&o->said);
}

static int hive_collect(void *arg, const char *text, size_t len)
{
	vtr_str_put(arg, text, len);
	return 0;
}

/* All of it as text, or "" and the error. */
static char *hive_text(struct opened *o, int format, bool deleted)
{
	struct vtr_hive_export how = { .format = format, .deleted = deleted };
	struct vtr_str s = { 0 };

	vtr_str_puts(&s, "");
	if (vtr_hive_export(o->h, vtr_hive_root(o->h), &how, hive_collect, &s, &o->err) < 0)
		s.len = 0;
	return vtr_str_take(&s, NULL);
}

static uint32_t hive_key_of(struct opened *o, const char *path)
{
	uint32_t key = 0;

	if (vtr_hive_find(&key, o->h, vtr_hive_root(o->h), path, &o->err) < 0)
		fail_msg("%s: %s", path, o->err.text);
	return key;
}

static void hive_value_is(struct opened *o, const char *path, const char *name, const char *text)
{
	struct vtr_value v;
	char *got = NULL;
	size_t len;

	if (vtr_hive_value(&v, o->h, hive_key_of(o, path), name, &o->err) < 0 ||
	    vtr_value_text(&got, &len, &v, &o->err) < 0)
		fail_msg("%s, %s: %s", path, name, o->err.text);
	assert_string_equal(text, got);
	free(got);
}

/* ------------------------------------------------------------------------------------------------------------- values */

/* What mk-hive.py wrote, as people read it; NULL: no text. */
static const struct {
	const char *name, *type, *text;
	size_t len;
} values[] = {
	{ "", "REG_SZ", "the default", 24 },
	{ "none", "REG_NONE", NULL, 0 },
	{ "sz", "REG_SZ", "text", 10 },
	{ "sz no nul", "REG_SZ", "text", 8 },
	{ "sz odd", "REG_SZ", "text", 9 },
	{ "sz nul", "REG_SZ", "one", 16 },
	{ "sz empty", "REG_SZ", "", 0 },
	{ "expand", "REG_EXPAND_SZ", "%SystemRoot%\\x", 30 },
	{ "binary", "REG_BINARY", NULL, 20 },
	{ "dword", "REG_DWORD", "305419896", 4 },
	{ "dword short", "REG_DWORD", NULL, 2 },
	{ "dword long", "REG_DWORD", NULL, 8 },
	{ "dword be", "REG_DWORD_BIG_ENDIAN", "305419896", 4 },
	{ "link", "REG_LINK", "\\Registry\\Machine\\X", 38 },
	{ "multi", "REG_MULTI_SZ", "a\nbc\n", 12 },
	{ "multi gaps", "REG_MULTI_SZ", "a\n\nb\n\n", 14 },
	{ "multi none", "REG_MULTI_SZ", "", 2 },
	{ "multi open", "REG_MULTI_SZ", "a\nb\n", 6 },
	{ "resources", "REG_RESOURCE_LIST", NULL, 16 },
	{ "full", "REG_FULL_RESOURCE_DESCRIPTOR", NULL, 1 },
	{ "required", "REG_RESOURCE_REQUIREMENTS_LIST", NULL, 5 },
	{ "qword", "REG_QWORD", "9223372036854775813", 8 },
	{ "type", NULL, NULL, 6 },
	{ "quote\"\\", "REG_SZ", "\"\\\n\x1b\xe2\x80\xae", 12 },
	{ "na\xc3\xafve", "REG_SZ", "\xc3\xa9", 4 },
	{ "\xe6\x97\xa5\xe6\x9c\xac", "REG_SZ", "\xe8\xaa\x9e \xf0\x9f\x98\x80", 10 },
	{ "utf16", "REG_DWORD", "2", 4 },
	{ "NA\xc3\x8fVE", "REG_SZ", "\xc3\xa9", 4 }, /* as Windows looks it up */
	{ "DWORD be", "REG_DWORD_BIG_ENDIAN", "305419896", 4 },
};

static void hive_reads_values(void **state)
{
	struct opened o;
	uint32_t key;

	(void)state;
	NEED_TOOLS();
	hive_open_name(&o, "first");
	key = hive_key_of(&o, "\\types");
	for (size_t i = 0; i < VTR_COUNT(values); i++) {
		const char *type;
		struct vtr_value v;
		char *text = NULL;
		size_t len;

		assert_int_equal(0, vtr_hive_value(&v, o.h, key, values[i].name, &o.err));
		type = vtr_reg_type_name(v.type);
		if (values[i].type)
			assert_string_equal(values[i].type, type);
		else
			assert_true(!type && v.type == 0xffff0012);
		assert_int_equal(values[i].len, v.len);
		assert_int_equal(0, v.flags);
		if (vtr_value_text(&text, &len, &v, &o.err) < 0) {
			assert_null(values[i].text);
			assert_int_equal(VTR_EUSAGE, o.err.code);
			continue;
		}
		assert_non_null(values[i].text);
		assert_string_equal(values[i].text, text);
		assert_int_equal(strlen(text), len);
		free(text);
	}
	assert_int_equal(-1, vtr_hive_value(&(struct vtr_value){ 0 }, o.h, key, "nothing", &o.err));
	assert_int_equal(VTR_ENOTFOUND, o.err.code);
	assert_non_null(strstr(o.err.text, "no value \"nothing\""));
	assert_string_equal("", o.said.p);
	hive_done(&o);
}

static int hive_count_key(void *arg, const struct vtr_key *k)
{
	(void)k;
	++*(unsigned *)arg;
	return 0;
}

static void hive_reads_keys(void **state)
{
	static const uint8_t sd[] = { 1, 0, 4, 0x80, 0x14, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0x2c, 0, 0, 0 };
	static const char *const lists[] = { "li", "lf", "lh", "ri", "rili", "rilf" };
	const struct vtr_hive_info *info;
	struct vtr_key k;
	struct opened o;
	const void *p;
	unsigned n = 0;
	char path[64];
	uint32_t id;
	size_t len;

	(void)state;
	NEED_TOOLS();
	for (unsigned version = 3; version <= 5; version += 2) {
		hive_open_name(&o, version == 3 ? "first3" : "first");
		info = vtr_hive_info(o.h);
		assert_true(info->major == 1 && info->minor == version && !info->dirty && !info->replayed);
		assert_string_equal("\\SystemRoot\\test", info->file_name);
		assert_int_equal(0, vtr_hive_key(&k, o.h, hive_key_of(&o, "TYPES"), &o.err));
		assert_string_equal("types", k.name);
		assert_string_equal("Klasse", k.class_name);
		/* 133596688890123456 as a FILETIME. */
		assert_true(k.written.sec == 1715195289 && k.written.nsec == 12345600);
		assert_int_equal(28, k.values);
		assert_int_equal(vtr_hive_root(o.h), k.parent);
		assert_int_equal(0, vtr_hive_security(&p, &len, o.h, k.id, &o.err));
		assert_int_equal(72, len);
		assert_memory_equal(sd, p, sizeof(sd));
		for (size_t i = 0; i < VTR_COUNT(lists); i++) {
			for (unsigned c = 0; c < 10; c++) {
				snprintf(path, sizeof(path), "lists\\%s\\%s%02u\\", lists[i], lists[i], c);
				snprintf(path + 32, 32, "%u", c);
				hive_value_is(&o, path, "N", path + 32);
			}
			snprintf(path, sizeof(path), "lists\\%s\\none", lists[i]);
			assert_int_equal(-1, vtr_hive_find(&id, o.h, vtr_hive_root(o.h), path, &o.err));
			assert_int_equal(VTR_ENOTFOUND, o.err.code);
			assert_non_null(strstr(o.err.text, "no key \"none\""));
		}
		hive_key_of(&o, "text/html");
		hive_key_of(&o, "\xc3\xa4RGER");
		hive_key_of(&o, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
		assert_int_equal(vtr_hive_root(o.h), hive_key_of(&o, ""));
		assert_int_equal(vtr_hive_root(o.h), hive_key_of(&o, "\\"));
		assert_int_equal(0, vtr_hive_key(&k, o.h, hive_key_of(&o, "link"), &o.err));
		assert_int_equal(VTR_KEY_LINK, k.flags);
		n = 0;
		assert_int_equal(0, vtr_hive_walk(o.h, vtr_hive_root(o.h), hive_count_key, &n, &o.err));
		assert_int_equal(1 + 6 + 6 + 60, n);
		assert_int_equal(-1, vtr_hive_find(&id, o.h, vtr_hive_root(o.h), "\xff", &o.err));
		assert_int_equal(VTR_EUSAGE, o.err.code);
		assert_string_equal("", o.said.p);
		hive_done(&o);
	}
}

static void hive_reads_nt31(void **state)
{
	struct opened o;

	(void)state;
	NEED_TOOLS();
	hive_open_name(&o, "nt31");
	hive_value_is(&o, "ALPHA", "V", "NT 3.1");
	hive_value_is(&o, "Alpha", "n", "31");
	hive_key_of(&o, "Alpha\\beta");
	assert_string_equal("", o.said.p);
	hive_done(&o);
}

static void hive_reads_big_data(void **state)
{
	static const char *const names[] = { "16344", "16345", "32688", "40000" };
	struct vtr_value v;
	struct opened o;

	(void)state;
	NEED_TOOLS();
	for (int direct = 0; direct < 2; direct++) {
		hive_open_name(&o, direct ? "big3" : "big");
		for (size_t i = 0; i < VTR_COUNT(names); i++) {
			assert_int_equal(0, vtr_hive_value(&v, o.h, hive_key_of(&o, "big"), names[i], &o.err));
			assert_int_equal(atoi(names[i]), v.len);
			for (size_t k = 0; k < v.len; k++)
				assert_int_equal(k * 7 & 255, ((const uint8_t *)v.data)[k]);
		}
		assert_string_equal("", o.said.p);
		hive_done(&o);
	}
}

static int hive_read_another(void *arg, const struct vtr_value *v)
{
	struct opened *o = arg;
	struct vtr_value other;

	assert_int_equal(0, vtr_hive_value(&other, o->h, hive_key_of(o, "big"), "40000", &o->err));
	for (size_t k = 0; k < v->len; k++)
		assert_int_equal(k * 7 & 255, ((const uint8_t *)v->data)[k]);
	return 0;
}

static void hive_reads_one_value_within_another(void **state)
{
	struct opened o;

	(void)state;
	NEED_TOOLS();
	hive_open_name(&o, "big");
	assert_int_equal(0, vtr_hive_values(o.h, hive_key_of(&o, "big"), hive_read_another, &o, &o.err));
	hive_done(&o);
}

static void hive_names_are_escaped(void **state)
{
	struct opened o;
	char *reg, *json;

	(void)state;
	NEED_TOOLS();
	hive_open_name(&o, "odd");
	reg = hive_text(&o, VTR_HIVE_REG, false);
	json = hive_text(&o, VTR_HIVE_JSON, false);
	assert_non_null(strstr(reg, "[\\esc\\x1B[0m\\u{009B}]\n"));
	assert_non_null(strstr(reg, "[\\\xef\xbf\xbdy]\n\"\xef\xbf\xbdx\"=hex(1):00,d8,78,00,00,00\n"));
	assert_non_null(strstr(json, "\"\\\\esc\\u001b[0m\\u009b\""));
	assert_non_null(strstr(json, "\"key_hex\":\"00dc7900\""));
	assert_non_null(strstr(json, "\"name\":\"\xef\xbf\xbdx\",\"name_hex\":\"00d87800\""));
	/* What is shown finds it. */
	hive_value_is(&o, "\xef\xbf\xbdy", "\xef\xbf\xbdX", "\xef\xbf\xbdx");
	free(reg);
	free(json);
	hive_done(&o);
}

/* -------------------------------------------------------------------------------------------------------------- search */

struct hits {
	struct opened *o;
	struct vtr_str s;
};

static int hive_hit(void *arg, const struct vtr_key *k, const struct vtr_value *v)
{
	struct hits *hits = arg;

	vtr_str_putf(&hits->s, "%s%s%s;", k->path, v ? ":" : "", v ? v->name : "");
	return 0;
}

static void hive_searches(void **state)
{
	static const struct {
		const char *text, *want;
		unsigned flags;
	} searches[] = {
		{ "ri0", "\\lists\\ri\\ri00;", VTR_SEARCH_KEYS | VTR_SEARCH_WHOLE },
		{ "LI09", "\\lists\\li\\li09;\\lists\\rili\\rili09;", VTR_SEARCH_KEYS },
		{ "expan", "\\types:expand;", VTR_SEARCH_VALUES },
		{ "%systemroot%\\X", "\\types:expand;", VTR_SEARCH_DATA },
		{ "bc", "\\types:multi;", VTR_SEARCH_DATA | VTR_SEARCH_WHOLE },
		{ "two", "\\types:sz nul;", VTR_SEARCH_DATA },
		{ "305419896", "\\types:dword;\\types:dword be;", VTR_SEARCH_DATA },
		{ "0x12345678", "\\types:dword;\\types:dword be;", VTR_SEARCH_DATA },
		{ "link", "\\Link;\\Link:SymbolicLinkValue;\\types:link;", 0 },
		{ "nothing of this", "", 0 },
	};

	(void)state;
	NEED_TOOLS();
	for (size_t i = 0; i < VTR_COUNT(searches); i++) {
		struct hits hits = { 0 };
		struct opened o;

		hive_open_name(&o, "first");
		vtr_str_puts(&hits.s, "");
		assert_int_equal(0, vtr_hive_search(o.h, vtr_hive_root(o.h), searches[i].text, searches[i].flags,
						    hive_hit, &hits, &o.err));
		if (i == 0)
			assert_string_equal("", hits.s.p); /* a part is not the whole */
		else
			assert_string_equal(searches[i].want, hits.s.p);
		vtr_str_done(&hits.s);
		hive_done(&o);
	}
}

/* ---------------------------------------------------------------------------------------------------------------- logs */

static void hive_open_logs(struct opened *o, const char *name, bool no_replay)
{
	static const char *const ends[] = { "", ".LOG1", ".LOG2" };
	struct vtr_blk *b[3] = { NULL };
	char path[600];

	hive_begin(o, NULL);
	vtr_ctx_no_replay(o->ctx, no_replay);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s%s", dir, name, ends[i]);
		if (vtr_image_open(&b[i], o->ctx, path, &(struct vtr_image_options){ .format = "raw" }, &o->err) < 0)
			assert_true(i > 0 && o->err.code == VTR_ENOTFOUND);
	}
	if (vtr_hive_open(&o->h, b[0], b + 1, 2, &o->err) < 0)
		fail_msg("%s: %s", name, o->err.text);
	for (size_t i = 0; i < 3; i++)
		vtr_blk_unref(b[i]);
}

static void hive_replays_logs(void **state)
{
	static const struct {
		const char *name, *state;
		unsigned entries;
		const char *said;
	} logs[] = {
		{ "dirty", "state 4", 3, "" },
		{ "old", "state 2", 1, "" },
		{ "badbase", "state 2", 1, "" },
		{ "grown", "state 9", 1, "" },
		/* What is clean is not touched, whatever logs there are. */
		{ "clean", "state 1", 0, "" },
		/* The second entry of the first log is cut: the second log does not follow. */
		{ "cut", "state 2", 1, "odd: registry: log: at " },
		/* The log of another day. */
		{ "other", "state 1", 0, "odd: registry: the hive was being written, and no log fits" },
	};

	(void)state;
	NEED_TOOLS();
	part_run(
		"cd %s; for n in clean cut other; do cp dirty $n; done; cp dirty.LOG1 clean.LOG1; cp dirty.LOG2 cut.LOG2;"
		"cp dirty.LOG1 cut.LOG1; truncate -s -512 cut.LOG1; cp old other; cp old.LOG1 other.LOG1",
		dir);
	for (size_t i = 0; i < VTR_COUNT(logs); i++) {
		struct opened o;
		char path[600];

		snprintf(path, sizeof(path), "%s/%s", dir, logs[i].name);
		if (strcmp(logs[i].name, "clean") == 0 || strcmp(logs[i].name, "other") == 0) {
			bool log = strcmp(logs[i].name, "other") == 0;
			FILE *f;
			uint8_t b[512];
			uint32_t sum = 0;

			/* The sequence numbers of the one, the time of the other's log. */
			if (log)
				strcat(path, ".LOG1");
			f = fopen(path, "r+");
			assert_true(f && fread(b, 1, 512, f) == 512);
			if (log)
				b[12] ^= 1;
			else
				b[8] = b[4];
			for (size_t k = 0; k < 508; k += 4)
				sum ^= vtr_get_le32(b + k);
			part_put32(b + 508, sum);
			rewind(f);
			assert_int_equal(512, fwrite(b, 1, 512, f));
			fclose(f);
		}
		hive_open_logs(&o, logs[i].name, false);
		hive_value_is(&o, "a", "v", logs[i].state);
		assert_int_equal(logs[i].entries, vtr_hive_info(o.h)->log_entries);
		assert_int_equal(logs[i].entries > 0, vtr_hive_info(o.h)->replayed);
		assert_int_equal(strcmp(logs[i].name, "clean") != 0, vtr_hive_info(o.h)->dirty);
		if (logs[i].said[0])
			assert_non_null(strstr(o.said.p, logs[i].said));
		else
			assert_string_equal("", o.said.p);
		assert_int_equal(0, vtr_hive_check(o.h, &o.err));
		hive_done(&o);

		hive_open_logs(&o, logs[i].name, true);
		hive_value_is(&o, "a", "v", "state 1");
		assert_false(vtr_hive_info(o.h)->replayed);
		hive_done(&o);
	}
}

/* Marvin32 of what corpus/regf/yarp-NewDirtyHive2's logs have: worked out by another program. */
static void hive_hashes(void **state)
{
	(void)state;
	assert_true(vtr_marvin32((const uint8_t *)"", 0) != vtr_marvin32((const uint8_t *)"\0", 1));
	assert_int_equal(0xffef, vtr_upcase(0xffef));
	assert_int_equal(0x178, vtr_upcase(0xff));
	assert_int_equal('Z', vtr_upcase('z'));
	assert_int_equal(0x131, vtr_upcase(0x131)); /* not I: Windows keeps it */
	assert_int_equal(0xdf, vtr_upcase(0xdf));
	assert_int_equal(0x410, vtr_upcase(0x430));
	assert_int_equal(0x100, vtr_upcase(0x101));
	assert_int_equal(0xff21, vtr_upcase(0xff41));
}

/* ------------------------------------------------------------------------------------------------------------- deleted */

static void hive_finds_deleted(void **state)
{
	static const char *const want[] = {
		"{\"key\":\"\\\\gone\",\"mtime\":\"2024-05-08T19:08:09.012345600Z\",\"deleted\":true,\"values\":[{\"name\":"
		"\"long\",\"type\":\"REG_SZ\",\"value\":\"long text\",",
		"{\"key\":\"\\\\gone\\\\below\",\"mtime\":\"2024-05-08T19:08:09.012345600Z\",\"deleted\":true,\"values\":["
		"{\"name\":\"x\",\"type\":\"REG_DWORD\",\"value\":7,\"hex\":\"07000000\",\"deleted\":true}]}\n",
		"{\"key\":\"\\\\kept\",\"mtime\":\"2024-05-08T19:08:09.012345600Z\",\"values\":[{\"name\":\"v2\",\"type\":"
		"\"REG_SZ\",\"value\":\"456\",\"hex\":\"3400350036000000\",\"deleted\":true}]}\n",
	};
	struct opened o;
	char *text;

	(void)state;
	NEED_TOOLS();
	hive_open_name(&o, "deleted");
	text = hive_text(&o, VTR_HIVE_JSON, true);
	for (size_t i = 0; i < VTR_COUNT(want); i++)
		if (!strstr(text, want[i]))
			fail_msg("no %s in\n%s", want[i], text);
	free(text);
	text = hive_text(&o, VTR_HIVE_JSON, false);
	assert_null(strstr(text, "deleted"));
	free(text);
	assert_string_equal("", o.said.p);
	hive_done(&o);
}

/* -------------------------------------------------------------------------------------------------------------- damage */

enum where { BASE, KEY, SUBKEYS, VALUES, VALUE, DATA, BIN };

/* One field of "first" (the key lists\lh, or types and its value "sz") is changed: what is said, or why it is refused. */
static const struct damage {
	enum where where;
	int at, width;
	uint32_t value;
	const char *words; /* of a warning after its code, or of the error */
} damages[] = {
	{ BASE, 0, 4, 0x66676572 ^ 1, "corrupt: base block: signature 73 65 67 66, expected \"regf\"" },
	{ BASE, 20, 4, 2, "unsupported: version 2.5, read are 1.1 to 1.6" },
	{ BASE, 24, 4, 0, "unsupported: version 1.0" },
	{ BASE, 24, 4, 7, "unsupported: version 1.7" },
	{ BASE, 36, 4, 0x40, "corrupt: registry: root: key: cell at 0x1040: it is free: the key at 0x10" },
	{ BASE, 36, 4, 0xffffffff, "corrupt: registry: root: key: cell at 0x100000fff: outside of the bins" },
	{ BASE, 40, 4, 0x20000, "truncated: registry: the file ends at " },
	{ BASE, 40, 4, 0, "truncated: 0 bytes of bins, expected 4096 or more" },
	{ BASE, 512, 4, 0x54524944, "unsupported: a transaction log (type 0)" },
	{ BASE, 508, 4, 1, "corrupt: registry: the checksum of its base block is wrong, and no log is given" },
	{ BASE, 4, 4, 9, "odd: registry: the hive was being written, and no log is given" },
	{ BIN, 0, 4, 0, "corrupt: registry: no bin at 0x1000, expected one up to " },
	{ BIN, 4, 4, 4096, "corrupt: registry: no bin at 0x1000" },
	{ BIN, 8, 4, 4097, "corrupt: registry: bin at 0x1000: 4097 bytes" },
	{ BIN, 8, 4, 0x100000, "corrupt: registry: bin at 0x1000: 1048576 bytes" },
	{ BIN, 32, 4, 12, "corrupt: registry: cell at 0x1020: 12 bytes" },
	{ KEY, -4, 4, 0x58, "\"\\\\lists\": a subkey is lost: key: cell at " },
	{ KEY, -4, 4, 0x80000000, "a subkey is lost: key: cell at " },
	{ KEY, 0, 2, 0, "bytes that begin 00 00, expected \"nk\"" },
	{ KEY, 0x10, 4, 0x20, "says that its parent is another" },
	{ KEY, 0x14, 4, 11, "subkeys: it says 11, there are 10" },
	{ KEY, 0x14, 4, 9, "odd: registry: key at " },
	{ KEY, 0x1c, 4, 0x7ffffff8, "subkeys: cell at 0x80000ff8: outside of the bins" },
	{ KEY, 0x1c, 4, 0x23, "subkeys: cell at 0x1023: outside of the bins" },
	{ KEY, 0x24, 4, 5, "values: cell at 0x100000fff: outside" },
	{ KEY, 0x48, 2, 500, "a name of 500 bytes, its cell has " },
	{ KEY, 0x4a, 2, 8, NULL }, /* leads nowhere: there is no class name */
	{ SUBKEYS, -4, 4, 0x100, "subkeys: cell at " },
	{ SUBKEYS, 0, 2, 0x7878, "it begins 78 78, expected \"li\", \"lf\", \"lh\" or \"ri\"" },
	{ SUBKEYS, 0, 2, 0x6972, "subkeys: list at " },
	{ SUBKEYS, 2, 2, 5000, "subkeys: list at " },
	{ SUBKEYS, 4, 4, 0, "a subkey is lost" },
	{ SUBKEYS, 4, 4, 0x20, "a subkey is lost: key: cell at 0x1020: " },
	{ SUBKEYS, 8, 4, 0, NULL }, /* a wrong hash: the name is found all the same */
	{ VALUES, -4, 4, 8, "values: cell at " },
	{ VALUES, 8, 4, 0x31, "a value is lost: value: cell at 0x1031" },
	{ VALUE, -4, 4, 0x20, "\"\\\\types\": a value is lost: value: cell at " },
	{ VALUE, 0, 2, 0, "begin 00 00, expected \"vk\"" },
	{ VALUE, 2, 2, 500, "a name of 500 bytes, its cell has " },
	{ VALUE, 4, 4, 500, "data of the value at " },
	{ VALUE, 4, 4, 0x7fffffff, "2147483647 bytes in a hive of " },
	{ VALUE, 4, 4, 0x80000005, "5 bytes in a field of 4" },
	{ VALUE, 8, 4, 0xfffffff0, "data of the value at " },
	{ DATA, -4, 4, 0x10, "it is free" },
};

static void damage_seal(uint8_t *bytes)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < 508; i += 4)
		sum ^= vtr_get_le32(bytes + i);
	part_put32(bytes + 508, sum);
}

/* Where a structure's contents are in the file. */
static size_t damage_where(struct opened *o, enum where where)
{
	struct hive_key k;
	struct hive_value v;
	const uint8_t *list;
	uint32_t n, room;

	if (where == BASE)
		return 0;
	if (where == BIN)
		return 4096;
	assert_int_equal(0,
			 vtr_hive_key_read(&k, o->h, hive_key_of(o, where <= SUBKEYS ? "lists\\lh" : "types"), NULL));
	if (where == KEY)
		return k.off + 4100;
	if (where == SUBKEYS)
		return k.subkeys + 4100;
	if (where == VALUES)
		return k.values + 4100;
	assert_int_equal(0, vtr_hive_value_list(&list, &n, &room, o->h, &k, NULL));
	assert_int_equal(0, vtr_hive_value_read(&v, o->h, vtr_get_le32(list + 8), NULL)); /* "sz" */
	return (where == VALUE ? v.off : v.data) + 4100;
}

static void hive_names_the_damage(void **state)
{
	size_t len;
	uint8_t *good;

	(void)state;
	NEED_TOOLS();
	good = hive_load(&len, "first");
	for (size_t i = 0; i < VTR_COUNT(damages); i++) {
		const struct damage *d = &damages[i];
		uint8_t *bad = malloc(len);
		struct opened o;
		char *text;
		size_t at, said;

		memcpy(bad, good, len);
		hive_open_bytes(&o, good, len, NULL);
		at = damage_where(&o, d->where) + (size_t)(ptrdiff_t)d->at;
		hive_done(&o);
		for (int b = 0; b < d->width; b++)
			bad[at + (size_t)b] = (uint8_t)(d->value >> 8 * b);
		if (d->where == BASE && d->at != 508)
			damage_seal(bad);
		hive_open_bytes(&o, bad, len, NULL);
		if (!o.h) {
			vtr_str_putf(&o.said, "%s: %s\n", vtr_code_name(o.err.code), o.err.text);
			said = o.said.len;
		} else {
			assert_int_equal(0, vtr_hive_check(o.h, &o.err));
			text = hive_text(&o, VTR_HIVE_JSON, true);
			assert_non_null(strstr(text, "{\"key\":\"\\\\\""));
			/* The neighbours of what is damaged are there. */
			if (d->where >= KEY && d->where < BIN)
				assert_non_null(strstr(text, "{\"key\":\"\\\\lists\\\\rilf\\\\rilf09\""));
			free(text);
			said = o.said.len; /* .reg files do not hold all of its names */
			text = hive_text(&o, VTR_HIVE_REG, false);
			free(text);
			if (!d->words)
				hive_value_is(&o, "lists\\lh\\lh00", "n", "0");
		}
		if (d->words ? !strstr(o.said.p, d->words) : said > 0)
			fail_msg("damage %zu: expected \"%s\", not\n%s", i, d->words ? d->words : "", o.said.p);
		hive_done(&o);
		free(bad);
	}
	free(good);
}

/* Everything that there is to ask, of whatever opens. */
static void hive_ask_all(struct opened *o)
{
	struct hits hits = { 0 };

	if (!o->h) {
		assert_true(o->err.code != VTR_OK && o->err.text[0]);
		return;
	}
	(void)vtr_hive_check(o->h, &o->err);
	free(hive_text(o, VTR_HIVE_REG, false));
	free(hive_text(o, VTR_HIVE_JSON, true));
	(void)vtr_hive_search(o->h, vtr_hive_root(o->h), "1", 0, hive_hit, &hits, &o->err);
	vtr_str_done(&hits.s);
}

static void hive_may_end_anywhere(void **state)
{
	size_t len;
	uint8_t *good;

	(void)state;
	NEED_TOOLS();
	good = hive_load(&len, "first");
	for (size_t n = 0; n < len; n += n < 4200 || n % 4096 < 16 ? 8 : 504) {
		struct opened o;

		hive_open_bytes(&o, good, n, NULL);
		hive_ask_all(&o);
		if (o.h)
			assert_true(vtr_ctx_damage(o.ctx) > 0);
		hive_done(&o);
	}
	free(good);
}

struct failing {
	const uint8_t *bytes;
	unsigned left;
};

static int hive_failing_pread(void *arg, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct failing *f = arg;

	if (f->left-- == 0) {
		f->left = 0;
		return vtr_fail(err, VTR_EIO, "no more");
	}
	memcpy(buf, f->bytes + off, len);
	return 0;
}

static void hive_reads_may_fail(void **state)
{
	size_t len;
	uint8_t *good;

	(void)state;
	NEED_TOOLS();
	good = hive_load(&len, "big");
	for (unsigned n = 0; n < 6; n++) {
		struct failing f = { good, n };
		struct vtr_blk_source src = { .pread = hive_failing_pread, .arg = &f, .size = len };
		struct vtr_blk *b;
		struct opened o;

		hive_begin(&o, NULL);
		assert_int_equal(0, vtr_blk_custom(&b, o.ctx, &src, NULL));
		if (vtr_hive_open(&o.h, b, NULL, 0, &o.err) < 0)
			o.h = NULL;
		vtr_blk_unref(b);
		if (!o.h)
			assert_int_equal(VTR_EIO, o.err.code);
		hive_ask_all(&o);
		hive_done(&o);
	}
	free(good);
}

static void hive_limits(void **state)
{
	struct vtr_limits l;
	struct opened o;
	unsigned n = 0;
	size_t len;
	uint8_t *bytes;
	char *text;

	(void)state;
	NEED_TOOLS();
	bytes = hive_load(&len, "deep");
	vtr_limits_default(&l);
	hive_open_bytes(&o, bytes, len, &l);
	assert_int_equal(0, vtr_hive_walk(o.h, vtr_hive_root(o.h), hive_count_key, &n, &o.err));
	assert_int_equal(601, n);
	assert_string_equal("", o.said.p);
	hive_done(&o);
	l.depth = 100;
	hive_open_bytes(&o, bytes, len, &l);
	n = 0;
	assert_int_equal(0, vtr_hive_walk(o.h, vtr_hive_root(o.h), hive_count_key, &n, &o.err));
	assert_int_equal(101, n);
	assert_non_null(strstr(o.said.p, "limit depth=100"));
	hive_done(&o);
	vtr_limits_default(&l);
	l.hive = len - 4097;
	hive_open_bytes(&o, bytes, len, &l);
	assert_true(!o.h && o.err.code == VTR_ELIMIT && strstr(o.err.text, "limit hive="));
	hive_done(&o);
	vtr_limits_default(&l);
	l.path_len = 50;
	hive_open_bytes(&o, bytes, len, &l);
	text = hive_text(&o, VTR_HIVE_REG, false);
	assert_non_null(strstr(o.said.p, "limit path_len=50"));
	free(text);
	hive_done(&o);
	vtr_limits_default(&l);
	l.steps = 100;
	hive_open_bytes(&o, bytes, len, &l);
	text = hive_text(&o, VTR_HIVE_REG, false);
	assert_true(o.err.code == VTR_ELIMIT && strstr(o.err.text, "limit steps=100"));
	free(text);
	hive_done(&o);
	free(bytes);
	bytes = hive_load(&len, "big");
	vtr_limits_default(&l);
	l.alloc = 20000;
	hive_open_bytes(&o, bytes, len, &l);
	text = hive_text(&o, VTR_HIVE_REG, false);
	assert_non_null(strstr(o.said.p, "limit alloc=20000"));
	assert_non_null(strstr(text, "\"16345\"=hex(3):00,07,"));
	free(text);
	hive_done(&o);
	free(bytes);
}

/* One bin of 256 KiB whose cells are used by many: a small hive that would keep a reader busy for hours. */
enum { SHARED_SIZE = 256 << 10, SHARED_KEYS = 200, SHARED_LISTS = 2000 };

static void shared_le32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t shared_cell(uint8_t *bins, uint32_t *at, uint32_t len)
{
	uint32_t off = *at, size = (len + 4 + 7) / 8 * 8;

	shared_le32(bins + off, (uint32_t) - (int32_t)size);
	*at += size;
	return off;
}

static void shared_key(uint8_t *bins, uint32_t off, uint32_t parent, uint32_t n, uint32_t list, uint32_t value_list)
{
	uint8_t *p = bins + off + 4;

	memcpy(p, "nk", 2);
	p[2] = parent ? HIVE_KEY_COMP : HIVE_KEY_COMP | HIVE_KEY_ENTRY;
	shared_le32(p + 0x10, parent);
	shared_le32(p + 0x14, n);
	shared_le32(p + 0x1c, list);
	shared_le32(p + 0x24, value_list == HIVE_NONE ? 0 : SHARED_LISTS);
	shared_le32(p + 0x28, value_list);
	shared_le32(p + 0x2c, HIVE_NONE);
	shared_le32(p + 0x30, HIVE_NONE);
}

/* What all keys have: 'i' an index of lists without keys, 'x' one of no lists, 's' the list of the root, 'v' values. */
static void shared_make(uint8_t *file, char what)
{
	uint8_t *bins = file + 4096;
	uint32_t at = 32, root, list, index, none, value, data, keys[SHARED_KEYS];

	memset(file, 0, 4096 + SHARED_SIZE);
	memcpy(bins, "hbin", 4);
	shared_le32(bins + 8, SHARED_SIZE);
	root = shared_cell(bins, &at, 76);
	list = shared_cell(bins, &at, 4 + 8 * SHARED_KEYS);
	none = shared_cell(bins, &at, 4);
	index = shared_cell(bins, &at, 4 + 4 * SHARED_LISTS);
	value = shared_cell(bins, &at, 20);
	data = shared_cell(bins, &at, 64000);
	memcpy(bins + list + 4, "lf\xc8", 4);
	memcpy(bins + none + 4, what == 'i' ? "lf" : "zz", 2);
	memcpy(bins + index + 4, "ri\xd0\x07", 4);
	for (uint32_t i = 0; i < SHARED_LISTS; i++)
		shared_le32(bins + index + (what == 'v' ? 4 : 8) + 4 * i, what == 'v' ? value : none);
	memcpy(bins + value + 4, "vk", 2);
	shared_le32(bins + value + 8, 64000);
	shared_le32(bins + value + 12, data);
	shared_le32(bins + value + 16, VTR_REG_BINARY);
	for (uint32_t i = 0; i < SHARED_KEYS; i++) {
		keys[i] = shared_cell(bins, &at, 76);
		shared_le32(bins + list + 8 + 8 * i, keys[i]);
		shared_key(bins, keys[i], root, what == 'v' ? 0 : SHARED_KEYS, what == 's' ? list : index,
			   what == 'v' ? index : HIVE_NONE);
	}
	shared_key(bins, root, 0, SHARED_KEYS, list, HIVE_NONE);
	memcpy(file, "regf\1\0\0\0\1", 9);
	file[0x14] = 1;
	file[0x18] = 5;
	shared_le32(file + 0x24, root);
	shared_le32(file + 0x28, SHARED_SIZE);
	damage_seal(file);
}

/* Each cell that is met again costs steps, and so does each warning. */
static void hive_shared_cells_take_steps(void **state)
{
	uint8_t *file = malloc(4096 + SHARED_SIZE);
	struct vtr_limits l;

	(void)state;
	assert_non_null(file);
	vtr_limits_default(&l);
	l.steps = 100000;
	for (const char *what = "ixsv"; *what; what++) {
		struct opened o;
		char *text;

		shared_make(file, *what);
		hive_open_bytes(&o, file, 4096 + SHARED_SIZE, &l);
		if (!o.h)
			fail_msg("%c: %s", *what, o.err.text);
		text = hive_text(&o, VTR_HIVE_JSON, false);
		if (o.err.code != VTR_ELIMIT || !strstr(o.err.text, "limit steps=100000"))
			fail_msg("%c: %s", *what, o.err.text);
		free(text);
		hive_done(&o);
	}
	free(file);
}

/* ----------------------------------------------------------------------------------------------------- other programs */

/* Compare with libhivex: false when it refuses the hive. */
static bool hive_same_as_hivex(const char *name, struct opened *o, const uint8_t *bytes, size_t len)
{
	struct vtr_str theirs = { 0 };
	const char *why;
	char *ours;

	if (!hivex_export(&theirs, bytes, len, &why)) {
		vtr_str_done(&theirs);
		return false;
	}
	ours = hive_text(o, VTR_HIVE_REG, false);
	vtr_str_put(&theirs, "", 0);
	if (strcmp(ours, theirs.p) != 0) {
		size_t at = 0;

		while (ours[at] == theirs.p[at])
			at++;
		fail_msg("%s: from byte %zu on, libhivex has \"%.100s\", not \"%.100s\"", name, at, theirs.p + at,
			 ours + at);
	}
	free(ours);
	vtr_str_done(&theirs);
	return true;
}

static void hive_same_as_libhivex(void **state)
{
	static const char *const names[] = { "first", "first3", "big", "big3", "deep", "dirty", "old", "deleted" };

	(void)state;
	NEED_TOOLS();
	for (size_t i = 0; i < VTR_COUNT(names); i++) {
		size_t len;
		uint8_t *bytes = hive_load(&len, names[i]);
		struct opened o;

		hive_open_bytes(&o, bytes, len, NULL);
		assert_non_null(o.h);
		assert_true(hive_same_as_hivex(names[i], &o, bytes, len));
		hive_done(&o);
		free(bytes);
	}
}

/* The lines that the corpus has of a hive: keys and values, sorted. */
struct truth {
	struct vtr_hive *h;
	char **lines;
	size_t n, cap, keys, values;
	struct vtr_str path;
};

static void truth_name(struct vtr_str *s, const char *name, size_t len, bool key)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)name[i];

		if (c == '/' && key)
			vtr_str_puts(s, "\\\\/");
		else if (c == '\\')
			vtr_str_puts(s, "\\\\");
		else if (c < 0x20 || c == 0x7f)
			vtr_str_putf(s, "\\x%02x", c);
		else
			vtr_str_put(s, name + i, 1);
	}
}

static void truth_line(struct truth *t, struct vtr_str *s)
{
	assert_true(VTR_GROW(t->lines, t->n, t->cap, NULL));
	t->lines[t->n++] = vtr_str_take(s, NULL);
}

static int truth_value(void *arg, const struct vtr_value *v)
{
	struct truth *t = arg;
	struct vtr_str s = { 0 };
	uint8_t sum[32];

	EVP_Digest(v->data, v->len, sum, NULL, EVP_sha256(), NULL);
	vtr_str_putf(&s, "V\t%s\t", t->path.p);
	truth_name(&s, v->name, v->name_len, false);
	vtr_str_putf(&s, "\t%u\t%zu\t", v->type, v->len);
	for (size_t i = 0; i < 8; i++)
		vtr_str_putf(&s, "%02x", sum[i]);
	truth_line(t, &s);
	t->values++;
	return 0;
}

static void truth_key(struct truth *t, uint32_t id);

static int truth_subkey(void *arg, const struct vtr_key *k)
{
	struct truth *t = arg;
	size_t len = t->path.len;

	vtr_str_puts(&t->path, "/");
	truth_name(&t->path, k->name, k->name_len, true);
	truth_key(t, k->id);
	t->path.len = len;
	t->path.p[len] = 0;
	return 0;
}

static void truth_key(struct truth *t, uint32_t id)
{
	struct vtr_str s = { 0 };

	vtr_str_putf(&s, "K\t%s", t->path.p);
	truth_line(t, &s);
	t->keys++;
	assert_int_equal(0, vtr_hive_values(t->h, id, truth_value, t, NULL));
	assert_int_equal(0, vtr_hive_subkeys(t->h, id, truth_subkey, t, NULL));
}

static int truth_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void truth_sum(char hex[65], struct truth *t)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t sum[32];

	qsort(t->lines, t->n, sizeof(*t->lines), truth_cmp);
	EVP_DigestInit_ex(md, EVP_sha256(), NULL);
	for (size_t i = 0; i < t->n; i++) {
		EVP_DigestUpdate(md, t->lines[i], strlen(t->lines[i]));
		EVP_DigestUpdate(md, "\n", 1);
		free(t->lines[i]);
	}
	EVP_DigestFinal_ex(md, sum, NULL);
	EVP_MD_CTX_free(md);
	free(t->lines);
	vtr_str_done(&t->path);
	for (size_t i = 0; i < 32; i++)
		sprintf(hex + 2 * i, "%02x", sum[i]);
}

/* Every hive of the corpus: the recorded lists, libhivex, and an end in good time. */
static void hive_corpus(void **state)
{
	size_t hives = 0, listed = 0, same = 0, refused = 0;
	char *list, *line, *save = NULL;

	(void)state;
	if (!tools || !corpus)
		skip();
	list = ext_output("grep '^regf/' '%s/MANIFEST.tsv'; ls '%s/hostile/regf' | sed 's,^,hostile/regf/,'", corpus,
			  corpus);
	for (line = strtok_r(list, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *tab = strchr(line, '\t'), *sum = tab ? strstr(tab + 1, "lines_sha256=") : NULL;
		bool whole = sum && strstr(tab + 1, "unreadable=0");
		size_t len;
		uint8_t *bytes;
		struct opened o;

		if (tab)
			*tab = 0;
		part_run("case '%s' in *.xz) xzcat '%s/%s' ;; *) cat '%s/%s' ;; esac >%s/corpus", line, corpus, line,
			 corpus, line, dir);
		bytes = hive_load(&len, "corpus");
		hive_open_bytes(&o, bytes, len, NULL);
		hives++;
		if (!o.h)
			refused++;
		if (whole && !o.h)
			fail_msg("%s: %s", line, o.err.text);
		if (whole) {
			struct truth t = { .h = o.h };
			char hex[65];

			vtr_str_puts(&t.path, "");
			truth_key(&t, vtr_hive_root(o.h));
			truth_sum(hex, &t);
			if (memcmp(sum + 13, hex, 64) != 0)
				fail_msg("%s: %zu keys, %zu values, other lines than those recorded", line, t.keys,
					 t.values);
			listed++;
			assert_int_equal(0, vtr_ctx_damage(o.ctx));
			if (len < 4 << 20 || getenv("VTR_SLOW")) {
				same += hive_same_as_hivex(line, &o, bytes, len);
				assert_int_equal(0, vtr_ctx_damage(o.ctx));
			}
		} else {
			hive_ask_all(&o);
		}
		hive_done(&o);
		free(bytes);
	}
	free(list);
	print_message("%zu hives and logs: %zu as recorded, %zu as libhivex reads them, %zu refused\n", hives, listed,
		      same, refused);
	assert_true(listed > 0 && same > 0);
}

/* Logs of the corpus, whose outcome Windows itself recorded. */
static void hive_corpus_logs(void **state)
{
	static const struct {
		const char *hive, *log1, *log2, *whole;
	} logs[] = {
		{ "yarp-NewDirtyHive2/NewDirtyHive", "yarp-NewDirtyHive1/NewDirtyHive.LOG1",
		  "yarp-NewDirtyHive1/NewDirtyHive.LOG2", NULL },
		{ "yarp-BadBaseBlockHive/BadBaseBlockHive", "yarp-BadBaseBlockHive/BadBaseBlockHive.LOG1", NULL,
		  "yarp-OldDirtyHive/RecoveredHive_Windows7" },
		{ "regipy-SYSTEM_B/SYSTEM_B", "regipy-SYSTEM_B/SYSTEM_B.LOG1", "regipy-SYSTEM_B/SYSTEM_B.LOG2", NULL },
		{ "regipy-UsrClass/UsrClass.dat", "regipy-UsrClass/UsrClass.dat.LOG1",
		  "regipy-UsrClass/UsrClass.dat.LOG2", NULL },
	};
	/* Keys after the replay, as yarp 1.0.33 and libhivex count them. */
	static const unsigned keys[] = { 5, 5003, 35595, 6238 };

	(void)state;
	if (!tools || !corpus)
		skip();
	for (size_t i = 0; i < VTR_COUNT(logs); i++) {
		unsigned n = 0;
		struct opened o;

		part_run("cd %s; rm -f c c.*; xzcat '%s/regf/%s.xz' >c; xzcat '%s/regf/%s.xz' >c.LOG1; "
			 "if [ -n '%s' ]; then xzcat '%s/regf/%s.xz' >c.LOG2; fi",
			 dir, corpus, logs[i].hive, corpus, logs[i].log1, logs[i].log2 ? logs[i].log2 : "", corpus,
			 logs[i].log2 ? logs[i].log2 : "");
		hive_open_logs(&o, "c", false);
		assert_true(vtr_hive_info(o.h)->replayed);
		assert_int_equal(0, vtr_hive_walk(o.h, vtr_hive_root(o.h), hive_count_key, &n, &o.err));
		assert_int_equal(keys[i], n);
		if (logs[i].whole) {
			struct opened w;
			char *a = hive_text(&o, VTR_HIVE_REG, false), *b;

			part_run("xzcat '%s/regf/%s.xz' >%s/w", corpus, logs[i].whole, dir);
			hive_open_name(&w, "w");
			b = hive_text(&w, VTR_HIVE_REG, false);
			assert_string_equal(a, b);
			free(a);
			free(b);
			hive_done(&w);
		}
		hive_done(&o);
	}
}

/* --------------------------------------------------------------------------------------------------- the whole registry */

static int hive_user(void *arg, const char *sid, const char *profile)
{
	vtr_str_putf(arg, "%s=%s;", sid, profile ? profile : "-");
	return 0;
}

#define HIVE_SID "S-1-5-21-1004336348-1177238915-682003330-1001"

static int hive_root(void *arg, const char *root, const char *file)
{
	vtr_str_putf(arg, "%s=%s;", root, file);
	return 0;
}

/* A hit: its key, and the value's name. */
static int hive_root_hit(void *arg, const struct vtr_key *key, const struct vtr_value *value)
{
	vtr_str_putf(arg, value ? "%s=%s;" : "%s;", key->path, value ? value->name : "");
	return 0;
}

static int hive_hit_stop(void *arg, const struct vtr_key *key, const struct vtr_value *value)
{
	(void)arg;
	(void)key;
	(void)value;
	return 7;
}

static int hive_stop(void *arg, const char *root, const char *file)
{
	(void)arg, (void)file;
	return strcmp(root, "HKU\\" HIVE_SID "_Classes") == 0 ? 7 : 0;
}

static void registry_finds_keys(void **state)
{
	static const struct {
		const char *path, *value, *text; /* text NULL: an error whose words value has */
		int code;
	} finds[] = {
		{ "HKLM\\SYSTEM\\CurrentControlSet\\Control\\ComputerName\\ComputerName", "ComputerName", "DESKTOP-7",
		  0 },
		{ "hkey_local_machine\\system\\currentcontrolset\\control\\computername\\computername\\",
		  "computername", "DESKTOP-7", 0 },
		{ "HKLM\\SYSTEM\\ControlSet001\\Control\\ComputerName\\ComputerName", "ComputerName", "OLD-NAME", 0 },
		{ "\\HKLM\\Software\\Microsoft\\Windows NT\\CurrentVersion", "ProductName", "Windows 10 Pro", 0 },
		{ "HKCR\\.TXT", "", "txtfile", 0 },
		{ "HKEY_CLASSES_ROOT\\.txt", "", "txtfile", 0 },
		{ "HKU\\.Default\\Environment", "TEMP", "%USERPROFILE%\\T", 0 },
		{ "HKU\\S-1-5-18\\Environment", "TEMP", "%USERPROFILE%\\T", 0 },
		{ "HKCU\\Software\\Editor", "Font", "Consolas", 0 },
		{ "HKU\\s-1-5-21-1004336348-1177238915-682003330-1001\\Software\\Editor", "Font", "Consolas", 0 },
		{ "HKU\\S-1-5-21-1004336348-1177238915-682003330-1001_Classes\\.md", "", "Editor.md", 0 },
		{ "HKCC", "Pref", "1", 0 },
		{ "HKLM\\SYSTEM\\CurrentControlSet\\Hardware Profiles\\Current", "Pref", "1", 0 },
		{ "HKLM\\SOFTWARE\\Classes\\Wow6432Node", "limit symlinks=40", NULL, VTR_ELIMIT },
		{ "HKLM", "name what is below HKLM", NULL, VTR_EUSAGE },
		{ "HKLM\\HARDWARE\\X", "made when the system starts", NULL, VTR_ENOTFOUND },
		{ "HKLM\\NONE", "no hive has this root", NULL, VTR_ENOTFOUND },
		{ "HKLM\\SECURITY", "there is no file System32/config/SECURITY", NULL, VTR_ENOTFOUND },
		{ "HKU\\S-1-5-21-7", "no user of this identifier", NULL, VTR_ENOTFOUND },
		{ "Software\\X", "it begins with no root", NULL, VTR_ENOTFOUND },
		{ "HKLM\\SYSTEM\\None", "no key \"None\"", NULL, VTR_ENOTFOUND },
	};
	struct vtr_str users = { 0 }, roots = { 0 };
	struct vtr_registry *r;
	struct ext_opened e;
	struct vtr_hive *h;
	char image[600];
	const char *file;
	struct vtr_error err = { 0 };

	(void)state;
	NEED_TOOLS();
	if (!part_has_tool("mke2fs"))
		skip();
	part_run("mkdir %s/guest && tests/mk-hive.py guest %s/guest && truncate -s 16M %s/guest.img && "
		 "PATH=$PATH:/sbin:/usr/sbin mke2fs -q -F -t ext4 -d %s/guest %s/guest.img",
		 dir, dir, dir, dir, dir);
	snprintf(image, sizeof(image), "%s/guest.img", dir);
	ext_open_file(&e, image, NULL);
	assert_non_null(e.t);
	assert_int_equal(-1, vtr_registry_open(&r, e.t, "Nowhere", &err));
	assert_int_equal(VTR_ENOTFOUND, err.code);
	assert_int_equal(0, vtr_registry_open(&r, e.t, NULL, &err));
	assert_string_equal("Windows", vtr_registry_windows(r));
	for (size_t i = 0; i < VTR_COUNT(finds); i++) {
		struct vtr_value v;
		char *text = NULL;
		uint32_t key;
		size_t len;

		if (!finds[i].text) {
			assert_int_equal(-1, vtr_registry_find(&h, &key, r, finds[i].path, &err));
			assert_int_equal(finds[i].code, err.code);
			if (!strstr(err.text, finds[i].value))
				fail_msg("%s: %s", finds[i].path, err.text);
			continue;
		}
		if (vtr_registry_find(&h, &key, r, finds[i].path, &err) < 0 ||
		    vtr_hive_value(&v, h, key, finds[i].value, &err) < 0 || vtr_value_text(&text, &len, &v, &err) < 0)
			fail_msg("%s: %s", finds[i].path, err.text);
		assert_string_equal(finds[i].text, text);
		free(text);
	}
	assert_int_equal(0, vtr_registry_users(r, hive_user, &users, &err));
	assert_string_equal("S-1-5-18=-;S-1-5-21-1004336348-1177238915-682003330-1001=/Users/eva;", users.p);
	vtr_str_done(&users);
	assert_int_equal(0, vtr_registry_roots(r, hive_root, &roots, &err));
	assert_string_equal(
		"HKLM\\SYSTEM=/Windows/System32/config/SYSTEM;HKLM\\SOFTWARE=/Windows/System32/config/SOFTWARE;"
		"HKLM\\SAM=/Windows/System32/config/SAM;HKU\\.DEFAULT=/Windows/System32/config/DEFAULT;"
		"HKU\\S-1-5-18=/Windows/System32/config/DEFAULT;HKU\\" HIVE_SID "=/Users/eva/NTUSER.DAT;"
		"HKU\\" HIVE_SID "_Classes=/Users/eva/AppData/Local/Microsoft/Windows/UsrClass.dat;",
		roots.p);
	vtr_str_done(&roots);
	assert_int_equal(7, vtr_registry_roots(r, hive_stop, NULL, &err));
	assert_int_equal(0, vtr_registry_search(r, "", "e\\", VTR_SEARCH_DATA, hive_root_hit, &roots, &err));
	assert_int_equal(0, vtr_registry_search(r, "HKU\\", ".MD", VTR_SEARCH_KEYS, hive_root_hit, &roots, &err));
	assert_string_equal("HKLM\\SYSTEM\\ControlSet002\\Hardware Profiles\\Current=SymbolicLinkValue;"
			    "HKLM\\SOFTWARE\\Classes\\Wow6432Node=SymbolicLinkValue;"
			    "HKLM\\SOFTWARE\\Loop=SymbolicLinkValue;"
			    "HKU\\" HIVE_SID "_Classes\\.md;",
			    roots.p);
	vtr_str_done(&roots);
	assert_int_equal(7, vtr_registry_search(r, "HKLM\\", "e", 0, hive_hit_stop, NULL, &err));
	assert_string_equal("", vtr_registry_above("\\"));
	assert_string_equal("HKLM\\", vtr_registry_above("hkey_local_machine\\"));
	assert_string_equal("HKU\\", vtr_registry_above("HKU"));
	assert_null(vtr_registry_above("HKCU"));
	assert_null(vtr_registry_above("HKLM\\SAM"));
	assert_int_equal(0, vtr_registry_hive(&h, &file, r, "HKU\\.default", &err));
	assert_string_equal("HKU\\.DEFAULT", vtr_registry_root(r, h, false));
	assert_string_equal("HKEY_USERS\\.DEFAULT", vtr_registry_root(r, h, true));
	assert_null(vtr_registry_root(r, NULL, true));
	assert_int_equal(0, vtr_registry_hive(&h, &file, r, "HKLM\\software", &err));
	assert_string_equal("Windows/System32/config/SOFTWARE", file);
	vtr_registry_close(r);
	ext_done(&e);
}

static int hive_setup(void **state)
{
	(void)state;
	dir = part_temp();
	corpus = getenv("VITRINE_CORPUS");
	tools = part_has_tool("python3") && part_has_tool("xz");
	if (!tools)
		print_message("python3 or xz is not installed: no hives\n");
	else
		part_run("tests/mk-hive.py hives %s", dir);
	return 0;
}

static int hive_teardown(void **state)
{
	(void)state;
	part_temp_done(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hive_reads_values),
		cmocka_unit_test(hive_reads_keys),
		cmocka_unit_test(hive_reads_nt31),
		cmocka_unit_test(hive_reads_big_data),
		cmocka_unit_test(hive_reads_one_value_within_another),
		cmocka_unit_test(hive_names_are_escaped),
		cmocka_unit_test(hive_searches),
		cmocka_unit_test(hive_replays_logs),
		cmocka_unit_test(hive_hashes),
		cmocka_unit_test(hive_finds_deleted),
		cmocka_unit_test(hive_names_the_damage),
		cmocka_unit_test(hive_may_end_anywhere),
		cmocka_unit_test(hive_reads_may_fail),
		cmocka_unit_test(hive_limits),
		cmocka_unit_test(hive_shared_cells_take_steps),
		cmocka_unit_test(hive_same_as_libhivex),
		cmocka_unit_test(hive_corpus),
		cmocka_unit_test(hive_corpus_logs),
		cmocka_unit_test(registry_finds_keys),
	};

	return cmocka_run_group_tests(tests, hive_setup, hive_teardown);
}
