/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ground floor: cursors, checked arithmetic, text, errors, limits, the cache, the pool, plain block sources. */
#include <ctype.h>
#include <iconv.h>
#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cache.h"
#include "base/checked.h"
#include "base/filetime.h"
#include "base/fold.h"
#include "base/pages.h"
#include "base/pool.h"
#include "base/text.h"
#include "base/units.h"
#include "base/utf16.h"

/* --------------------------------------------------------------------------------------------------- bytes, numbers */

static void a_cursor_stays_within_its_bytes(void **state)
{
	static const uint8_t bytes[8] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
	struct vtr_cur c = vtr_cur_of(bytes, sizeof(bytes), 0x1000);
	uint8_t out[4] = { 9, 9, 9, 9 };

	(void)state;
	assert_int_equal(0x01, vtr_cur_u8(&c));
	assert_int_equal(0x4523, vtr_cur_le16(&c));
	assert_int_equal(0x6789, vtr_cur_be16(&c));
	assert_int_equal(3, vtr_cur_left(&c));
	assert_false(c.bad);
	assert_int_equal(0, vtr_cur_be32(&c)); /* 4 asked, 3 left */
	assert_true(c.bad);
	assert_int_equal(0, vtr_cur_u8(&c)); /* and it stays bad, although there are 3 */
	vtr_cur_bytes(&c, out, sizeof(out));
	assert_int_equal(0, out[0] | out[1] | out[2] | out[3]);

	c = vtr_cur_of(bytes, sizeof(bytes), 0);
	assert_true(vtr_cur_le64(&c) == 0xefcdab8967452301u);
	assert_int_equal(0, vtr_cur_left(&c));
	assert_non_null(vtr_cur_take(&c, 0));
	assert_false(c.bad);
	vtr_cur_seek(&c, 0);
	assert_true(vtr_cur_be64(&c) == 0x0123456789abcdefu);
	vtr_cur_seek(&c, 4);
	assert_true(vtr_cur_le32(&c) == 0xefcdab89u);
	vtr_cur_seek(&c, 4);
	assert_true(vtr_cur_be32(&c) == 0x89abcdefu);
	vtr_cur_seek(&c, 8);
	assert_false(c.bad);
	vtr_cur_seek(&c, 9);
	assert_true(c.bad);

	c = vtr_cur_of(bytes, sizeof(bytes), 0);
	vtr_cur_skip(&c, SIZE_MAX);
	assert_true(c.bad);
	c = vtr_cur_of(bytes, 0, 0);
	assert_int_equal(0, vtr_cur_u8(&c));
	assert_true(c.bad);
}

static void sums_and_products_that_do_not_fit_are_told(void **state)
{
	uint64_t u64;
	uint32_t u32;

	(void)state;
	assert_false(vtr_add_over(UINT64_MAX - 1, 1u, &u64));
	assert_true(vtr_add_over(UINT64_MAX, 1u, &u64));
	assert_true(vtr_sub_over(1u, 2u, &u64));
	assert_false(vtr_mul_over(UINT32_MAX, UINT32_MAX, &u64));
	assert_true(vtr_mul_over(65536u, 65536u, &u32));
	assert_true(vtr_range_in(0, 0, 0));
	assert_true(vtr_range_in(10, 0, 10));
	assert_false(vtr_range_in(11, 0, 10));
	assert_true(vtr_range_in(4, 6, 10));
	assert_false(vtr_range_in(4, 7, 10));
	assert_false(vtr_range_in(4, UINT64_MAX - 2, 10)); /* the sum wraps to 1 */
	assert_false(vtr_range_in(UINT64_MAX, 1, 10));
	assert_true(vtr_pow2_is(1) && vtr_pow2_is(1ull << 63));
	assert_false(vtr_pow2_is(0) || vtr_pow2_is(3));
	assert_int_equal(0, vtr_div_up(0, 512));
	assert_int_equal(1, vtr_div_up(1, 512));
	assert_int_equal(1, vtr_div_up(512, 512));
	assert_true(vtr_div_up(UINT64_MAX, 2) == 1ull << 63);
	assert_int_equal(0, vtr_log2(1));
	assert_int_equal(9, vtr_log2(1023));
	assert_int_equal(63, vtr_log2(UINT64_MAX));
}

/* ------------------------------------------------------------------------------------------------------------- text */

static void text_is_cut_between_escapes(void **state)
{
	static const struct {
		const char *text;
		size_t len, cut;
	} cases[] = {
		{ "abc", 2, 2 },
		{ "abc", 9, 3 },
		{ "", 5, 0 },
		{ "a\\nb", 2, 1 },
		{ "a\\nb", 3, 3 },
		{ "a\\x1Bb", 4, 1 },
		{ "a\\x1Bb", 5, 5 },
		{ "a\\\\b", 2, 1 },
		{ "a\\\\nb", 3, 3 },
		{ "\\u{202E}x", 7, 0 },
		{ "\\u{202E}x", 8, 8 },
		{ "\\u{E0041}", 8, 0 },
		{ "\\u{E0041}", 9, 9 },
		{ "\xc3\xa9x", 1, 0 },
		{ "\xc3\xa9x", 2, 2 },
		{ "\xf0\x9f\x98\x80", 3, 0 },
		{ "\xf0\x9f\x98\x80", 4, 4 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(cases[i].cut, vtr_escape_cut(cases[i].text, cases[i].len));
	/* A place and a text of escapes alone, of every length: what is cut is never half of one. */
	for (size_t n = 1; n < 1200; n += 7) {
		struct vtr_error err = { 0 };
		char raw[1201], shift[8] = "";

		memset(raw, 0x1b, n);
		raw[n] = 0;
		memset(shift, 'x', n % 5);
		vtr_error_set(&err, VTR_ECORRUPT, "%s%s", shift, raw);
		vtr_error_at(&err, "%s%s", shift, raw);
		for (const char *p = err.text; (p = strchr(p, '\\')); p += 4)
			assert_int_equal(0, strncmp(p, "\\x1B", 4));
	}
}

static void each_single_byte_is_escaped(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		char byte = (char)i, expected[8], out[16];

		if (i == '\n')
			strcpy(expected, "\\n");
		else if (i == '\t')
			strcpy(expected, "\\t");
		else if (i == '\\')
			strcpy(expected, "\\\\");
		else if (i < 0x20 || i >= 0x7f)
			snprintf(expected, sizeof(expected), "\\x%02X", i);
		else
			snprintf(expected, sizeof(expected), "%c", (char)i);
		assert_int_equal(strlen(expected), vtr_escape(out, sizeof(out), &byte, 1));
		assert_string_equal(expected, out);
	}
}

static const struct {
	const char *bytes, *expected;
} escapes[] = {
	/* well-formed and visible */
	{ "a\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80", "a\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80" },
	{ "\xef\xbf\xbd", "\xef\xbf\xbd" }, /* U+FFFD */
	{ "\xc2\xa0", "\xc2\xa0" },	    /* U+00A0 */
	/* a terminal obeys these */
	{ "\x1b[31mred", "\\x1B[31mred" },
	{ "\xc2\x9b"
	  "31m",
	  "\\u{009B}31m" }, /* CSI as one code point */
	{ "\xc2\x80\xc2\x9f", "\\u{0080}\\u{009F}" },
	{ "a\rb\bc\x07", "a\\x0Db\\x08c\\x07" },
	/* not seen, or turning what follows around */
	{ "\xe2\x80\xae"
	  "cod.exe",
	  "\\u{202E}cod.exe" },
	{ "\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad", "\\u{202A}\\u{202B}\\u{202C}\\u{202D}" },
	{ "\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9", "\\u{2066}\\u{2067}\\u{2068}\\u{2069}" },
	{ "\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c", "\\u{200E}\\u{200F}\\u{061C}" },
	{ "\xe2\x80\x8b\xe2\x80\x8d\xef\xbb\xbf\xc2\xad", "\\u{200B}\\u{200D}\\u{FEFF}\\u{00AD}" },
	{ "\xe2\x80\xa8\xe2\x80\xa9", "\\u{2028}\\u{2029}" },
	{ "\xf3\xa0\x81\x81", "\\u{E0041}" }, /* a tag */
	{ "\xef\xbf\xbe\xf4\x8f\xbf\xbf", "\\u{FFFE}\\u{10FFFF}" },
	/* not UTF-8 */
	{ "\xc0\xaf", "\\xC0\\xAF" }, /* overlong slash */
	{ "\xe0\x80\xaf", "\\xE0\\x80\\xAF" },
	{ "\xf0\x80\x80\xaf", "\\xF0\\x80\\x80\\xAF" },
	{ "\xed\xa0\x80", "\\xED\\xA0\\x80" },		/* a surrogate */
	{ "\xf4\x90\x80\x80", "\\xF4\\x90\\x80\\x80" }, /* U+110000 */
	{ "\xf8\x88\x80\x80\x80", "\\xF8\\x88\\x80\\x80\\x80" },
	{ "\xe2\x82", "\\xE2\\x82" }, /* cut */
	{ "\xe2\x82z", "\\xE2\\x82z" },
	{ "\xe2\xe2\x82\xac", "\\xE2\xe2\x82\xac" }, /* a whole one after a cut one */
	{ "\x80\xbf", "\\x80\\xBF" },
	{ "C:\\x41", "C:\\\\x41" }, /* what looks like an escape is none */
};

static void names_are_escaped_for_terminals(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(escapes); i++) {
		const char *in = escapes[i].bytes;
		size_t n = strlen(escapes[i].expected);
		struct vtr_str s = { 0 };
		char out[128];

		assert_int_equal(n, vtr_escape(out, sizeof(out), in, strlen(in)));
		assert_string_equal(escapes[i].expected, out);
		assert_true(vtr_utf8_is(out, strlen(out)));
		vtr_str_put_escaped(&s, in, strlen(in));
		assert_string_equal(escapes[i].expected, s.p);
		vtr_str_done(&s);
		/* In less room: cut between characters, and the whole length told all the same. */
		for (size_t size = 0; size <= n; size++) {
			memset(out, 'X', sizeof(out));
			assert_int_equal(n, vtr_escape(out, size, in, strlen(in)));
			assert_int_equal('X', out[size]);
			if (size == 0)
				continue;
			assert_true(strlen(out) < size);
			assert_memory_equal(escapes[i].expected, out, strlen(out));
			assert_true(vtr_utf8_is(out, strlen(out)));
		}
	}
}

static int put_piece(void *arg, const char *text, size_t len)
{
	vtr_str_put(arg, text, len);
	return 0;
}

static int put_none(void *arg, const char *text, size_t len)
{
	(void)text, (void)len;
	++*(int *)arg;
	return 7;
}

static void json_strings_are_escaped(void **state)
{
	/* RFC 8259, section 7; of UTF-16 halves, what iconv -t utf-16be makes of the character. */
	static const struct {
		const char *bytes, *expected;
	} cases[] = {
		{ "", "" },
		{ "a/b c", "a/b c" },
		{ "say \"a\\b\"", "say \\\"a\\\\b\\\"" },
		{ "\b\t\n\f\r", "\\b\\t\\n\\f\\r" },
		{ "\x01\x0b\x1b[31m\x1f\x7f", "\\u0001\\u000b\\u001b[31m\\u001f\\u007f" },
		{ "\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", "\\u0080\\u009b\\u009f\xc2\xa0" },
		{ "\xe2\x80\xae"
		  "cod.exe",
		  "\\u202ecod.exe" },
		{ "\xc2\xad\xef\xbb\xbf\xe2\x80\xa8", "\\u00ad\\ufeff\\u2028" },
		{ "\xf3\xa0\x81\x81\xf4\x8f\xbf\xbf", "\\udb40\\udc41\\udbff\\udfff" },
		{ "\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80", "\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80" },
		{ "a\xff"
		  "b\xe2\x82",
		  "a\xef\xbf\xbd"
		  "b\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80\xe2\x82\xac", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xe2\x82\xac" },
	};
	struct vtr_str s = { 0 };
	int calls = 0;

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		vtr_str_puts(&s, "");
		assert_int_equal(0, vtr_json_escape(cases[i].bytes, strlen(cases[i].bytes), put_piece, &s));
		assert_string_equal(cases[i].expected, s.p);
		vtr_str_done(&s);
	}
	assert_int_equal(0, vtr_json_escape("a\0b", 3, put_piece, &s));
	assert_string_equal("a\\u0000b", s.p);
	vtr_str_done(&s);
	/* What is not taken ends it. */
	assert_int_equal(7, vtr_json_escape("a\nb\n", 4, put_none, &calls));
	assert_int_equal(1, calls);
	/* A terminal and a program of JSON are spared the same characters, but for the quotation mark. */
	for (uint32_t c = 1; c < 0x110000; c++) {
		char bytes[4], text[16];
		size_t n;

		if (c == '"' || (c >= 0xd800 && c < 0xe000))
			continue;
		n = vtr_utf8_put(bytes, c);
		vtr_escape(text, sizeof(text), bytes, n);
		vtr_json_escape(bytes, n, put_piece, &s);
		assert_int_equal(text[0] == '\\', s.p[0] == '\\');
		s.len = 0;
	}
	vtr_str_done(&s);
}

static void utf8_is_told_from_other_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(escapes); i++)
		assert_int_equal(!strstr(escapes[i].expected, "\\x") || escapes[i].bytes[0] == 0x1b ||
					 (escapes[i].bytes[0] > 0 && escapes[i].bytes[0] < 0x7f),
				 vtr_utf8_is(escapes[i].bytes, strlen(escapes[i].bytes)));
	assert_true(vtr_utf8_is("", 0));
	assert_true(vtr_utf8_is("a\0b", 3));
}

static void utf16_becomes_utf8(void **state)
{
	static const uint8_t text[] = { 'a', 0, 0xe9, 0, 0xac, 0x20, 0x3d, 0xd8, 0x00, 0xde, 0, 0, 'x', 0 };
	static const uint8_t high[] = { 0x3d, 0xd8, 'b', 0 }, low[] = { 0x00, 0xde, 'b', 0 },
			     last[] = { 'b', 0, 0x3d, 0xd8 };
	char out[32];

	(void)state;
	assert_true(vtr_utf16_to_utf8(out, sizeof(out), text, sizeof(text), VTR_UTF16_LE));
	assert_string_equal("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", out);
	assert_true(vtr_utf16_to_utf8(out, sizeof(out), text, 2, VTR_UTF16_LE));
	assert_string_equal("a", out);
	assert_true(vtr_utf16_to_utf8(out, sizeof(out), text, 0, VTR_UTF16_LE));
	assert_string_equal("", out);
	assert_false(vtr_utf16_to_utf8(out, sizeof(out), high, sizeof(high), VTR_UTF16_LE));
	assert_string_equal("\xef\xbf\xbd"
			    "b",
			    out);
	assert_false(vtr_utf16_to_utf8(out, sizeof(out), low, sizeof(low), VTR_UTF16_LE));
	assert_string_equal("\xef\xbf\xbd"
			    "b",
			    out);
	assert_false(vtr_utf16_to_utf8(out, sizeof(out), last, sizeof(last), VTR_UTF16_LE));
	assert_string_equal("b\xef\xbf\xbd", out);
	for (size_t size = 1; size <= 10; size++) {
		memset(out, 'X', sizeof(out));
		assert_false(vtr_utf16_to_utf8(out, size, text, sizeof(text), VTR_UTF16_LE));
		assert_true(strlen(out) < size);
		assert_true(vtr_utf8_is(out, strlen(out)));
		assert_int_equal('X', out[size]);
	}
	assert_true(vtr_utf16_to_utf8(out, 11, text, sizeof(text), VTR_UTF16_LE));
}

static void guids_are_written_as_their_owners_do(void **state)
{
	/* EFI System, UEFI 2.10, table 5.7: C12A7328-F81F-11D2-BA4B-00A0C93EC93B */
	static const uint8_t esp[16] = { 0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11,
					 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b };
	char out[37];

	(void)state;
	vtr_guid_text(out, esp);
	assert_string_equal("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", out);
	vtr_uuid_text(out, esp);
	assert_string_equal("28732ac1-1ff8-d211-ba4b-00a0c93ec93b", out);
}

static void a_string_grows(void **state)
{
	struct vtr_str s = { 0 };
	struct vtr_error err = { 0 };
	char *p;

	(void)state;
	assert_non_null(p = vtr_str_take(&s, &err));
	assert_string_equal("", p);
	free(p);
	for (int i = 0; i < 1000; i++)
		vtr_str_putf(&s, "%d,", i % 10);
	vtr_str_putf(&s, "%0700d", 7); /* more than what is formatted at once */
	vtr_str_puts(&s, "end");
	assert_int_equal(2703, s.len);
	assert_non_null(p = vtr_str_take(&s, &err));
	assert_memory_equal("0,1,2,3,4,5,6,7,8,9,0,", p, 22);
	assert_string_equal("0007end", p + 2696);
	free(p);
	assert_null(s.p);
}

/* ----------------------------------------------------------------------------------------------------------- errors */

static void an_error_is_built_from_the_inside_out(void **state)
{
	struct vtr_error err = { 0 };

	(void)state;
	assert_int_equal(-1, vtr_fail(&err, VTR_ECORRUPT, "entry %d", 12));
	assert_int_equal(-1, vtr_at(&err, "L2 table at %#x", 0x200));
	assert_int_equal(-1, vtr_at(&err, "%s", "a\nb\x1b.img"));
	assert_int_equal(VTR_ECORRUPT, err.code);
	assert_string_equal("a\\nb\\x1B.img: L2 table at 0x200: entry 12", err.text);
	assert_int_equal(-1, vtr_fail(NULL, VTR_ECORRUPT, "entry %d", 12));
	assert_int_equal(-1, vtr_at(NULL, "place"));
	assert_string_equal("corrupt", vtr_code_name(VTR_ECORRUPT));
	assert_string_equal("cancelled", vtr_code_name(VTR_ECANCELLED));
	assert_string_equal("unknown", vtr_code_name(-1));
	assert_string_equal("unknown", vtr_code_name(VTR_ECANCELLED + 1));
}

static void long_texts_are_cut_between_characters(void **state)
{
	(void)state;
	for (size_t ascii = 0; ascii < 8; ascii++) {
		struct vtr_error err = { 0 };
		char text[4096] = "";

		memset(text, 'a', ascii);
		for (size_t i = 0; i < 500; i++)
			strcat(text, i % 2 ? "\xe2\x82\xac" : "\xf0\x9f\x98\x80");
		vtr_error_set(&err, VTR_EIO, "%s", text);
		assert_in_range(strlen(err.text), sizeof(err.text) - 16, sizeof(err.text) - 1);
		assert_true(vtr_utf8_is(err.text, strlen(err.text)));
		assert_string_equal("\xe2\x80\xa6", err.text + strlen(err.text) - 3);
		assert_memory_equal(text, err.text, strlen(err.text) - 3);
		assert_null(strchr(err.text, '\\'));

		vtr_error_at(&err, "%s", text);
		assert_true(strlen(err.text) < sizeof(err.text));
		assert_true(vtr_utf8_is(err.text, strlen(err.text)));
		assert_null(strchr(err.text, '\\'));
		assert_non_null(strstr(err.text, "\xe2\x80\xa6: "));
	}
	/* Escapes make it longer than the room: still whole, still marked. */
	for (size_t ascii = 0; ascii < 8; ascii++) {
		struct vtr_error err = { 0 };
		char text[1001] = "";

		memset(text, 1, 1000);
		memset(text, 'a', ascii);
		vtr_error_set(&err, VTR_EIO, "%s", text);
		assert_true(vtr_utf8_is(err.text, strlen(err.text)));
		assert_string_equal("\xe2\x80\xa6", err.text + strlen(err.text) - 3);
	}
}

struct said {
	unsigned n;
	struct vtr_error last;
};

static void say(void *arg, const struct vtr_error *w)
{
	struct said *s = arg;

	s->n++;
	s->last = *w;
}

static void a_warning_is_handed_on_once_and_counted_always(void **state)
{
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct said said = { 0 };
	char text[3000];

	(void)state;
	vtr_ctx_on_warning(ctx, say, &said);
	for (int i = 0; i < 3; i++)
		vtr_warn(ctx, VTR_ECORRUPT, "block %d", 7);
	vtr_warn(ctx, VTR_OK, "odd");
	assert_int_equal(2, said.n);
	assert_int_equal(3, vtr_ctx_damage(ctx));
	assert_int_equal(4, vtr_ctx_warnings(ctx));
	/* Of one kind, whatever number or name is in it, ten are handed on; "block 7" is one of them. */
	for (int i = 0; i < 2000; i++)
		vtr_warn(ctx, VTR_OK, "block %d", i);
	assert_int_equal(11, said.n);
	assert_int_equal(2004, vtr_ctx_warnings(ctx));
	/* A program's own messages are of the same account, and may be equal. */
	for (int i = 0; i < 12; i++)
		assert_int_equal(i < 10, vtr_ctx_message(ctx, &(struct vtr_error){ .text = "/a/B c2/d: is lost" }));
	assert_false(vtr_ctx_message(ctx, &(struct vtr_error){ .text = "/another: is lost" }));
	assert_int_equal(11, said.n);
	vtr_ctx_left_out(ctx, say, &said);
	assert_int_equal(13, said.n);
	assert_string_equal("\xe2\x80\xa6 and 3 more like this: /a/B c2/d: is lost", said.last.text);
	vtr_ctx_left_out(ctx, say, &said);
	assert_int_equal(13, said.n);
	vtr_ctx_unref(ctx);

	/* Of more kinds than there is room for, the last one has all others. */
	ctx = vtr_ctx_new(NULL, NULL);
	said.n = 0;
	vtr_ctx_on_warning(ctx, say, &said);
	for (int i = 0; i < 10000; i++)
		vtr_warn(ctx, VTR_ECORRUPT, "word %c%c%c is lost", 'a' + i % 26, 'a' + i / 26 % 26, 'a' + i / 676);
	assert_int_equal(99 + 10, said.n);
	assert_int_equal(10000, vtr_ctx_damage(ctx));
	vtr_ctx_left_out(ctx, say, &said);
	assert_int_equal(99 + 10 + 1, said.n);
	assert_non_null(strstr(said.last.text, " and 9891 more like this: word "));
	vtr_ctx_unref(ctx);

	ctx = vtr_ctx_new(NULL, NULL);
	vtr_ctx_on_warning(ctx, say, &said);
	for (size_t i = 0; i < 999; i++)
		memcpy(text + 3 * i, "\xe2\x82\xac", 4);
	vtr_warn(ctx, VTR_ECORRUPT, "a%s", text);
	assert_true(vtr_utf8_is(said.last.text, strlen(said.last.text)));
	assert_null(strchr(said.last.text, '\\'));
	assert_string_equal("\xe2\x80\xa6", said.last.text + strlen(said.last.text) - 3);
	vtr_ctx_unref(ctx);
}

/* Names are no part of a kind, whatever words they have. */
static void names_of_words_make_no_kinds(void **state)
{
	static const char *const names[] = { "red", "green blue", "is lost", "x: y, z" };
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct said said = { 0 };

	(void)state;
	vtr_ctx_on_warning(ctx, say, &said);
	for (int i = 0; i < 30; i++)
		vtr_warn(ctx, VTR_ECORRUPT, "hive: \"\\some %s key %c\": a value is lost", names[i % 4], 'a' + i % 26);
	assert_int_equal(10, said.n);
	for (int i = 0; i < 30; i++)
		vtr_warn(ctx, VTR_ECORRUPT, "/dev/sda1: /my %s/%c: its name is lost", names[i % 3], 'a' + i % 26);
	assert_int_equal(20, said.n);
	vtr_warn(ctx, VTR_ECORRUPT, "hive: \"\\some\": a key is lost");
	assert_int_equal(21, said.n);
	vtr_ctx_unref(ctx);
}

/* What an image that ends early leads to is told once, and counted. */
static void a_cut_is_told_once(void **state)
{
	struct vtr_error cut[3] = { { .code = VTR_ETRUNCATED, .text = "a.qcow2: qcow2: entry 7 points past the end" },
				    { .code = VTR_ETRUNCATED, .text = "b.qcow2: qcow2: entry 9 points past the end" },
				    { .code = VTR_ETRUNCATED, .text = "512 bytes at 0x10: the slice ends at 0x8" } };
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct said said = { 0 };

	(void)state;
	vtr_ctx_on_warning(ctx, say, &said);
	for (size_t i = 0; i < 3; i++)
		vtr_ctx_cut(ctx, &cut[i], i == 2);
	vtr_ctx_cut(ctx, NULL, false);
	for (int i = 0; i < 20; i++) {
		vtr_warn(ctx, VTR_ETRUNCATED, "ext4: inode %d: a.qcow2: qcow2: entry %d points past the end", i, 2 * i);
		vtr_warn(ctx, VTR_ECORRUPT, "ntfs: record %d: names: a.qcow2: qcow2: entry 1 points past the end", i);
	}
	assert_int_equal(1, said.n);
	vtr_warn(ctx, VTR_ETRUNCATED, "b.qcow2: qcow2: entry 4 points past the end");
	assert_int_equal(2, said.n);
	for (int i = 0; i < 20; i++)
		vtr_warn(ctx, VTR_ETRUNCATED, "ext4: inode %d: %d bytes at 0x9: the slice ends at 0x8", i, i);
	assert_int_equal(2, said.n);
	/* Others are as they were, and so are a program's own messages. */
	for (int i = 0; i < 20; i++)
		vtr_warn(ctx, VTR_ECORRUPT, "ext4: inode %d: a.qcow2: qcow2: entry %d is odd", i, i);
	assert_int_equal(12, said.n);
	for (int i = 0; i < 12; i++)
		assert_int_equal(i < 10, vtr_ctx_message(ctx, &cut[0]));
	assert_int_equal(81, vtr_ctx_damage(ctx));
	said.n = 0;
	vtr_ctx_left_out(ctx, say, &said);
	assert_int_equal(4, said.n);
	vtr_ctx_left_out(ctx, say, &said);
	assert_int_equal(4, said.n);
	vtr_ctx_unref(ctx);
}

/* ----------------------------------------------------------------------------------------------------------- limits */

static void limits_are_set_by_name(void **state)
{
	struct vtr_limits l;
	struct vtr_error err = { 0 };
	struct vtr_ctx *ctx;

	(void)state;
	vtr_limits_default(&l);
	assert_int_equal(10, l.chain);
	assert_int_equal(64 << 20, l.alloc);
#define X(name, value)                                                                                                 \
	assert_int_equal(0, vtr_limits_set(&l, #name, 12345, &err));                                                   \
	assert_int_equal(12345, l.name);                                                                               \
	assert_int_equal(0, vtr_limits_set(&l, #name, (value), &err));
	VTR_LIMITS(X)
#undef X
	assert_int_equal(-1, vtr_limits_set(&l, "chains", 1, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	assert_string_equal("no limit is named \"chains\"", err.text);
	assert_int_equal(-1, vtr_limits_set(&l, "", 1, &err));

	l.alloc = 1000;
	l.metadata = 1500;
	l.steps = 2000;
	ctx = vtr_ctx_new(&l, NULL);
	assert_int_equal(1000, vtr_ctx_limits(ctx)->alloc);
	assert_int_equal(-1, vtr_charge(ctx, 1001, "table", &err));
	assert_int_equal(VTR_ELIMIT, err.code);
	assert_string_equal("table: 1001 needed, limit alloc=1000", err.text);
	assert_int_equal(0, vtr_charge(ctx, 1000, "table", &err));
	assert_int_equal(-1, vtr_charge(ctx, 501, "table", &err));
	assert_string_equal("table: 1501 needed, limit metadata=1500", err.text);
	assert_int_equal(0, vtr_charge(ctx, 500, "table", &err));
	vtr_uncharge(ctx, 1500);
	assert_int_equal(0, vtr_charge(ctx, 1000, "table", &err));
	vtr_ctx_unref(ctx);

	/* Numbers that wrap when they are added. */
	l.alloc = UINT64_MAX;
	ctx = vtr_ctx_new(&l, NULL);
	assert_int_equal(0, vtr_charge(ctx, 100, "table", &err));
	assert_int_equal(-1, vtr_charge(ctx, UINT64_MAX, "table", &err));
	assert_int_equal(VTR_ELIMIT, err.code);
	assert_int_equal(0, vtr_charge(ctx, 1400, "table", &err));
	vtr_ctx_unref(ctx);
}

static void steps_end_at_their_limit(void **state)
{
	struct vtr_limits l;
	struct vtr_error err = { 0 };
	struct vtr_ctx *ctx;
	uint64_t steps = 0;

	(void)state;
	vtr_limits_default(&l);
	l.steps = 5000;
	ctx = vtr_ctx_new(&l, NULL);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(0, vtr_tick(ctx, &steps, 1, &err));
	assert_int_equal(-1, vtr_tick(ctx, &steps, 1, &err));
	assert_int_equal(VTR_ELIMIT, err.code);
	assert_non_null(strstr(err.text, "limit steps=5000"));
	assert_int_equal(-1, vtr_tick(ctx, &steps, UINT64_MAX, &err));
	steps = 0;
	vtr_ctx_cancel(ctx);
	for (int i = 0; i < 1023; i++)
		assert_int_equal(0, vtr_tick(ctx, &steps, 1, &err));
	assert_int_equal(-1, vtr_tick(ctx, &steps, 1, &err));
	assert_int_equal(VTR_ECANCELLED, err.code);
	vtr_ctx_unref(ctx);
}

static void work_ends_at_the_deadline(void **state)
{
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct vtr_error err = { 0 };

	(void)state;
	assert_int_equal(0, vtr_ctx_check(ctx, &err));
	vtr_ctx_deadline(ctx, 1);
	usleep(5000);
	assert_int_equal(-1, vtr_ctx_check(ctx, &err));
	assert_int_equal(VTR_ECANCELLED, err.code);
	vtr_ctx_deadline(ctx, 0);
	assert_int_equal(0, vtr_ctx_check(ctx, &err));
	vtr_ctx_deadline(ctx, UINT64_MAX);
	assert_int_equal(0, vtr_ctx_check(ctx, &err));
	vtr_ctx_cancel(ctx);
	assert_int_equal(-1, vtr_ctx_check(ctx, &err));
	assert_int_equal(VTR_ECANCELLED, err.code);
	vtr_ctx_unref(ctx);
}

/* ------------------------------------------------------------------------------------------------------------ cache */

struct filler {
	atomic_uint fills, now, most; /* most: at once */
	atomic_uint_fast64_t bad;     /* this key fails */
};

static int cache_fill(void *arg, uint64_t key, uint8_t *block, size_t len, struct vtr_error *err)
{
	struct filler *f = arg;

	atomic_fetch_add(&f->fills, 1);
	memset(block, 0xee, len / 2); /* half done */
	if (key == atomic_load(&f->bad))
		return vtr_fail(err, VTR_EIO, "block %" PRIu64, key);
	for (size_t i = 0; i < len; i++)
		block[i] = (uint8_t)(key * 31 + i);
	return 0;
}

static void cache_expect(struct vtr_cache *c, uint64_t key, size_t at, size_t len)
{
	uint8_t buf[256];
	struct vtr_error err = { 0 };

	assert_int_equal(0, vtr_cache_read(c, key, at, buf, len, &err));
	for (size_t i = 0; i < len; i++)
		assert_int_equal((uint8_t)(key * 31 + at + i), buf[i]);
}

static void the_cache_is_bounded_and_drops_what_is_least_used(void **state)
{
	struct filler f = { .bad = 77 };
	struct vtr_cache *c = vtr_cache_new(256, 4, cache_fill, &f, NULL);
	struct vtr_error err = { 0 };
	uint8_t byte;

	(void)state;
	assert_non_null(c);
	for (uint64_t k = 0; k < 4; k++)
		cache_expect(c, k, 0, 256);
	for (uint64_t k = 0; k < 4; k++)
		cache_expect(c, k, 255, 1);
	assert_int_equal(4, f.fills);
	cache_expect(c, 0, 3, 5); /* now 1 is the oldest */
	cache_expect(c, 1000, 0, 256);
	assert_int_equal(5, f.fills);
	assert_true(vtr_cache_has(c, 0) && vtr_cache_has(c, 2) && vtr_cache_has(c, 3) && vtr_cache_has(c, 1000));
	assert_false(vtr_cache_has(c, 1));

	/* What fails is not kept, and takes nothing with it. */
	assert_int_equal(-1, vtr_cache_read(c, 77, 0, &byte, 1, &err));
	assert_string_equal("block 77", err.text);
	assert_false(vtr_cache_has(c, 77));
	assert_true(vtr_cache_has(c, 2));
	atomic_store(&f.bad, 78);
	cache_expect(c, 77, 0, 256);

	for (uint64_t k = 0; k < 1000; k++)
		cache_expect(c, k << 32 | k, 0, 256);
	for (uint64_t k = 0, n = 0; k < 1000; k++) {
		n += vtr_cache_has(c, k << 32 | k);
		assert_true(k < 999 || n == 4);
	}
	vtr_cache_free(c);
	vtr_cache_free(NULL);

	c = vtr_cache_new(16, 0, cache_fill, &f, NULL); /* at least one */
	cache_expect(c, 5, 0, 16);
	cache_expect(c, 6, 0, 16);
	assert_true(vtr_cache_has(c, 6));
	vtr_cache_free(c);
}

#define CACHE_THREADS 4

static void *cache_thread(void *arg)
{
	struct vtr_cache *c = arg;
	uint32_t x = (uint32_t)(uintptr_t)&x | 1;
	uint8_t buf[64];

	for (int i = 0; i < 20000; i++) {
		uint64_t key;

		x = x * 1664525 + 1013904223;
		key = x >> 16 & 31;
		if (vtr_cache_read(c, key, key, buf, sizeof(buf), NULL) < 0)
			return arg;
		for (size_t k = 0; k < sizeof(buf); k++)
			if (buf[k] != (uint8_t)(key * 31 + key + k))
				return arg;
	}
	return NULL;
}

static void threads_share_a_cache(void **state)
{
	struct filler f = { .bad = UINT64_MAX };
	struct vtr_cache *c = vtr_cache_new(256, 8, cache_fill, &f, NULL);
	pthread_t t[CACHE_THREADS];

	(void)state;
	for (int i = 0; i < CACHE_THREADS; i++)
		assert_int_equal(0, pthread_create(&t[i], NULL, cache_thread, c));
	for (int i = 0; i < CACHE_THREADS; i++) {
		void *bad;

		pthread_join(t[i], &bad);
		assert_null(bad);
	}
	vtr_cache_free(c);
}

/* Takes its time, and fails as long as it is told to. */
static int slow_fill(void *arg, uint64_t key, uint8_t *block, size_t len, struct vtr_error *err)
{
	struct filler *f = arg;
	unsigned now = atomic_fetch_add(&f->now, 1) + 1;
	int r;

	if (now > atomic_load(&f->most))
		atomic_store(&f->most, now);
	usleep(20000);
	r = cache_fill(f, key, block, len, err);
	atomic_fetch_sub(&f->now, 1);
	return r;
}

static void *slow_thread(void *arg)
{
	uint8_t byte = 0;

	return vtr_cache_read(arg, 3, 1, &byte, 1, NULL) == 0 && byte == 3 * 31 + 1 ? arg : NULL;
}

static void who_misses_what_is_being_filled_waits(void **state)
{
	struct filler f = { .bad = UINT64_MAX };
	struct vtr_cache *c = vtr_cache_new(256, 8, slow_fill, &f, NULL);
	pthread_t t[CACHE_THREADS];

	(void)state;
	for (unsigned bad = 0; bad < 2; bad++) {
		unsigned before = atomic_load(&f.fills);

		atomic_store(&f.bad, bad ? 3 : UINT64_MAX);
		for (int i = 0; i < CACHE_THREADS; i++)
			assert_int_equal(0, pthread_create(&t[i], NULL, slow_thread, c));
		for (int i = 0; i < CACHE_THREADS; i++) {
			void *good;

			pthread_join(t[i], &good);
			assert_true((good != NULL) == !bad);
		}
		/* Who waited for what then failed tries it, too. */
		assert_int_equal(bad ? CACHE_THREADS : 1, atomic_load(&f.fills) - before);
		vtr_cache_free(c);
		c = vtr_cache_new(256, 8, slow_fill, &f, NULL);
	}
	vtr_cache_free(c);
}

struct own_key {
	struct vtr_cache *c;
	uint64_t key;
};

static void *own_key_thread(void *arg)
{
	struct own_key *own = arg;

	for (unsigned i = 0; i < 3; i++)
		cache_expect(own->c, own->key + 100 * i, 0, 256);
	return NULL;
}

/* Blocks may be large: threads fill as many at once as the cache may hold. */
static void no_more_is_filled_than_may_be_held(void **state)
{
	(void)state;
	for (unsigned slots = 1; slots <= 2; slots++) {
		struct filler f = { .bad = UINT64_MAX };
		struct own_key own[CACHE_THREADS];
		struct vtr_cache *c = vtr_cache_new(256, slots, slow_fill, &f, NULL);
		pthread_t t[CACHE_THREADS];

		for (unsigned i = 0; i < CACHE_THREADS; i++) {
			own[i] = (struct own_key){ c, i };
			assert_int_equal(0, pthread_create(&t[i], NULL, own_key_thread, &own[i]));
		}
		for (unsigned i = 0; i < CACHE_THREADS; i++)
			pthread_join(t[i], NULL);
		assert_int_equal(3 * CACHE_THREADS, atomic_load(&f.fills));
		assert_int_equal(slots, atomic_load(&f.most));
		vtr_cache_free(c);
	}
}

/* Reads and drops in any order, beside a list of what should be there in order of use. */
static void what_is_dropped_is_filled_again(void **state)
{
	enum { SLOTS = 9, KEYS = 24 };
	struct filler f = { .bad = UINT64_MAX };
	struct vtr_cache *c = vtr_cache_new(256, SLOTS, cache_fill, &f, NULL);
	uint64_t model[SLOTS + 1];
	size_t n = 0;
	unsigned fills = 0;
	uint32_t x = 7;

	(void)state;
	for (unsigned round = 0; round < 100000; round++) {
		uint64_t key, last;
		size_t at = 0;

		x = x * 1664525 + 1013904223;
		key = (x >> 16) % KEYS;
		if ((x >> 8) % 4 > 0) {
			cache_expect(c, key, (size_t)key, 9);
			while (at < n && model[at] != key)
				at++;
			fills += at == n;
			n += at == n;
			memmove(model + 1, model, at * sizeof(model[0]));
			model[0] = key;
			n = VTR_MIN(n, (size_t)SLOTS);
		} else {
			last = (x >> 24) % 16 == 0 ? UINT64_MAX : key + (x >> 24) % 16 - 1; /* none, too */
			vtr_cache_drop(c, key, last);
			for (size_t k = 0; k < n; k++)
				if (model[k] < key || model[k] > last)
					model[at++] = model[k];
			n = at;
		}
		assert_int_equal(fills, f.fills);
		for (uint64_t k = 0; k < KEYS; k++) {
			bool there = false;

			for (size_t m = 0; m < n; m++)
				there |= model[m] == k;
			assert_int_equal(there, vtr_cache_has(c, k));
		}
	}
	vtr_cache_drop(c, VTR_CACHE_ALL);
	for (uint64_t k = 0; k < KEYS; k++)
		assert_false(vtr_cache_has(c, k));
	vtr_cache_free(c);
}

/* A block that was dropped while it was filled may be of before: it is not kept. */
static void what_is_dropped_while_it_is_filled_is_not_kept(void **state)
{
	struct filler f = { .bad = UINT64_MAX };
	struct vtr_cache *c = vtr_cache_new(256, 8, slow_fill, &f, NULL);
	pthread_t t;
	void *good;

	(void)state;
	assert_int_equal(0, pthread_create(&t, NULL, slow_thread, c)); /* reads 3 */
	while (atomic_load(&f.now) == 0)
		usleep(100);
	vtr_cache_drop(c, 0, 2);
	vtr_cache_drop(c, 3, 3);
	cache_expect(c, 3, 0, 256); /* waits, and fills it itself */
	pthread_join(t, &good);
	assert_non_null(good);
	assert_int_equal(2, f.fills);
	assert_true(vtr_cache_has(c, 3));
	vtr_cache_free(c);
}

static uint8_t disk[70000];

static int disk_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	(void)b;
	(void)err;
	memcpy(buf, disk + off, len);
	return 0;
}

static const struct vtr_blk_ops disk_ops = { .kind = "disk", .pread = disk_pread };

static void pages_follow_a_source_that_changes(void **state)
{
	VTR_UNREF struct vtr_blk *b = NULL;
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct vtr_error err = { 0 };
	struct vtr_pages *p;
	uint8_t buf[40000];

	(void)state;
	for (size_t i = 0; i < sizeof(disk); i++)
		disk[i] = (uint8_t)(i * 7 >> 3);
	b = vtr_blk_new(&disk_ops, sizeof(*b), ctx, sizeof(disk), NULL);
	assert_non_null(b);
	p = vtr_pages_new(b, 12, 16 << 12, "thing", NULL);
	assert_int_equal(0, vtr_pages_read(p, 4095, buf, 40000, NULL));
	assert_memory_equal(disk + 4095, buf, 40000);
	assert_int_equal(0, vtr_pages_read(p, sizeof(disk), buf, 0, NULL));
	assert_int_equal(-1, vtr_pages_read(p, sizeof(disk) - 1, buf, 2, &err));
	assert_int_equal(VTR_ETRUNCATED, err.code);
	assert_string_equal("2 bytes at 0x1116f: the thing ends at 0x11170", err.text);
	memset(disk + 8191, 0x55, 2);
	vtr_pages_drop(p, 8192, 0);
	vtr_pages_drop(p, 8192, 1);
	assert_int_equal(0, vtr_pages_read(p, 8190, buf, 4, NULL));
	assert_int_equal((uint8_t)(8191 * 7 >> 3), buf[1]); /* another page, which was not said to have changed */
	assert_int_equal(0x55, buf[2]);
	vtr_pages_drop(p, 8191, UINT64_MAX);
	assert_int_equal(0, vtr_pages_read(p, 8190, buf, 4, NULL));
	assert_memory_equal(disk + 8190, buf, 4);
	vtr_pages_free(p);
	vtr_pages_free(NULL);
	vtr_ctx_unref(ctx);
}

/* ------------------------------------------------------------------------------------------------------------- pool */

struct work {
	struct vtr_ctx *ctx;
	atomic_uint done[300];
	size_t fail_from, fail_step; /* these items fail */
	bool nest;
};

static int work_item(void *arg, size_t i, struct vtr_error *err)
{
	struct work *w = arg;

	if (w->nest) {
		struct work inner = { .ctx = w->ctx, .fail_from = SIZE_MAX, .fail_step = 1 };

		if (vtr_pool_run(w->ctx, work_item, &inner, 10, err) < 0)
			return -1;
		for (size_t k = 0; k < 10; k++)
			if (atomic_load(&inner.done[k]) != 1)
				return vtr_fail(err, VTR_EIO, "inner %zu", k);
	}
	atomic_fetch_add(&w->done[i], 1);
	if (i >= w->fail_from && (i - w->fail_from) % w->fail_step == 0) {
		usleep(i == w->fail_from ? 2000 : 0); /* later ones fail earlier */
		return vtr_fail(err, VTR_ECORRUPT, "item %zu", i);
	}
	return 0;
}

static struct vtr_ctx *work_ctx(unsigned threads)
{
	struct vtr_limits l;

	vtr_limits_default(&l);
	l.threads = threads;
	return vtr_ctx_new(&l, NULL);
}

static void the_pool_does_each_item_once(void **state)
{
	static const size_t counts[] = { 0, 1, 2, 3, 64, 300 };

	(void)state;
	for (unsigned threads = 1; threads <= 9; threads += 2) {
		struct vtr_ctx *ctx = work_ctx(threads);

		assert_int_equal(VTR_MIN(threads, 8u), vtr_pool_width(ctx));
		for (size_t k = 0; k < VTR_COUNT(counts) * 4; k++) {
			struct work w = { .ctx = ctx, .fail_from = SIZE_MAX, .fail_step = 1, .nest = k % 4 == 3 };
			size_t n = counts[k / 4];

			assert_int_equal(0, vtr_pool_run(ctx, work_item, &w, n, NULL));
			for (size_t i = 0; i < 300; i++)
				assert_int_equal(i < n, atomic_load(&w.done[i]));
		}
		vtr_ctx_unref(ctx);
	}
}

static void the_pool_returns_the_first_failure(void **state)
{
	(void)state;
	for (unsigned threads = 1; threads <= 4; threads++) {
		struct vtr_ctx *ctx = work_ctx(threads);

		for (size_t from = 0; from < 40; from++) {
			struct work w = { .ctx = ctx, .fail_from = from, .fail_step = 1 };
			struct vtr_error err = { 0 };
			char text[32];

			assert_int_equal(-1, vtr_pool_run(ctx, work_item, &w, 64, &err));
			snprintf(text, sizeof(text), "item %zu", from);
			assert_string_equal(text, err.text);
			for (size_t i = 0; i < from; i++)
				assert_int_equal(1, atomic_load(&w.done[i]));
			assert_int_equal(-1, vtr_pool_run(ctx, work_item, &w, 64, NULL));
		}
		vtr_ctx_unref(ctx);
	}
}

static void *pool_caller(void *arg)
{
	struct vtr_ctx *ctx = arg;

	for (int k = 0; k < 200; k++) {
		struct work w = { .ctx = ctx, .fail_from = SIZE_MAX, .fail_step = 1 };

		if (vtr_pool_run(ctx, work_item, &w, 50, NULL) < 0)
			return arg;
		for (size_t i = 0; i < 50; i++)
			if (atomic_load(&w.done[i]) != 1)
				return arg;
	}
	return NULL;
}

static void several_threads_use_one_pool(void **state)
{
	struct vtr_ctx *ctx = work_ctx(4);
	pthread_t t[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(0, pthread_create(&t[i], NULL, pool_caller, ctx));
	for (int i = 0; i < 3; i++) {
		void *bad;

		pthread_join(t[i], &bad);
		assert_null(bad);
	}
	vtr_ctx_unref(ctx);
}

/* ---------------------------------------------------------------------------------------------------- block sources */

static int counting_pread(void *arg, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	(void)arg, (void)err;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)(off + i);
	return 0;
}

static void counting_close(void *arg)
{
	++*(int *)arg;
}

static void sources_are_read_within_their_size(void **state)
{
	int closed = 0;
	struct vtr_blk_source src = { .pread = counting_pread, .close = counting_close, .arg = &closed, .size = 1000 };
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct vtr_blk *b = NULL, *slice = NULL, *memory = NULL;
	struct vtr_extent e;
	struct vtr_error err = { 0 };
	uint8_t buf[16];

	(void)state;
	assert_int_equal(0, vtr_blk_custom(&b, ctx, &src, &err));
	assert_int_equal(0, vtr_blk_slice(&slice, b, 100, 50, &err));
	vtr_blk_unref(b); /* the slice keeps it */
	assert_int_equal(0, vtr_blk_pread(slice, 10, buf, 16, &err));
	assert_int_equal(110, buf[0]);
	assert_int_equal(125, buf[15]);
	assert_int_equal(0, vtr_blk_pread(slice, 50, buf, 0, &err));
	assert_int_equal(-1, vtr_blk_pread(slice, 35, buf, 16, &err));
	assert_int_equal(VTR_ETRUNCATED, err.code);
	assert_string_equal("16 bytes at 0x23: the slice ends at 0x32", err.text);
	assert_int_equal(-1, vtr_blk_pread(slice, UINT64_MAX, buf, 2, &err));
	assert_int_equal(0, vtr_blk_extent(&e, slice, 20, &err));
	assert_int_equal(30, e.len); /* cut to the slice */
	assert_int_equal(VTR_EXTENT_DATA, e.kind);
	assert_int_equal(-1, vtr_blk_extent(&e, slice, 50, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	assert_int_equal(-1, vtr_blk_slice(&b, slice, 51, 0, &err));
	assert_int_equal(-1, vtr_blk_slice(&b, slice, 1, UINT64_MAX, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	assert_int_equal(0, closed);
	vtr_blk_unref(slice);
	assert_int_equal(1, closed);
	vtr_blk_unref(NULL);

	assert_int_equal(0, vtr_blk_memory(&memory, ctx, "abc", 3, &err));
	assert_int_equal(0, vtr_blk_pread(memory, 1, buf, 2, &err));
	assert_memory_equal("bc", buf, 2);
	vtr_blk_unref(memory);
	assert_int_equal(0, vtr_blk_memory(&memory, ctx, NULL, 0, &err));
	assert_int_equal(0, vtr_blk_size(memory));
	assert_int_equal(-1, vtr_blk_pread(memory, 0, buf, 1, &err));
	vtr_blk_unref(memory);
	src.pread = NULL;
	assert_int_equal(-1, vtr_blk_custom(&b, ctx, &src, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	vtr_ctx_unref(ctx);
}

static void layers_are_counted(void **state)
{
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct vtr_blk *b = NULL, *next = NULL;
	struct vtr_error err = { 0 };
	unsigned n = 0;

	(void)state;
	assert_int_equal(0, vtr_blk_memory(&b, ctx, "abc", 3, &err));
	while (vtr_blk_slice(&next, b, 0, 3, &err) == 0) {
		vtr_blk_unref(b);
		b = next;
		n++;
	}
	assert_int_equal(16, n);
	assert_int_equal(VTR_ELIMIT, err.code);
	assert_non_null(strstr(err.text, "limit layers=16"));
	vtr_blk_unref(b);
	vtr_ctx_unref(ctx);
}

static void what_is_probed_is_read_once(void **state)
{
	static const uint64_t sizes[] = { 0, 1, 511, VTR_PROBE_TAIL, VTR_PROBE_HEAD + 7, 1 << 20 };

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(sizes); i++) {
		int closed = 0;
		struct vtr_blk_source src = {
			.pread = counting_pread, .close = counting_close, .arg = &closed, .size = sizes[i]
		};
		struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
		struct vtr_blk *b = NULL;
		struct vtr_probe p = { 0 };

		assert_int_equal(0, vtr_blk_custom(&b, ctx, &src, NULL));
		assert_int_equal(0, vtr_probe_read(&p, b, NULL));
		assert_int_equal(VTR_MIN(sizes[i], (uint64_t)VTR_PROBE_HEAD), p.head_len);
		assert_int_equal(VTR_MIN(sizes[i], (uint64_t)VTR_PROBE_TAIL), p.tail_len);
		if (sizes[i] > 0) {
			assert_int_equal(0, p.head[0]);
			assert_int_equal((uint8_t)(sizes[i] - 1), p.tail[p.tail_len - 1]);
		}
		vtr_probe_done(&p);
		vtr_blk_unref(b);
		vtr_ctx_unref(ctx);
	}
}

/* ------------------------------------------------------------------------------------------------------------ units */

#define UNIT (1u << 20)

static int unit_fill(void *arg, uint64_t key, uint8_t *unit, size_t len, struct vtr_error *err)
{
	struct filler *f = arg;

	atomic_fetch_add(&f->fills, 1);
	if (key == atomic_load(&f->bad))
		return vtr_fail(err, VTR_ECORRUPT, "unit %" PRIu64, key);
	memset(unit, 0, len);
	memset(unit + 5000, (int)key + 1, 100);
	return 0;
}

struct units {
	struct vtr_ctx *ctx;
	struct vtr_decoded account;
	struct vtr_units *u;
	struct filler f;
};

static void units_start(struct units *t, uint64_t cache, const char *limit, uint64_t value)
{
	struct vtr_limits l;

	memset(t, 0, sizeof(*t));
	vtr_limits_default(&l);
	if (limit)
		assert_int_equal(0, vtr_limits_set(&l, limit, value, NULL));
	t->ctx = vtr_ctx_new(&l, NULL);
	t->account = (struct vtr_decoded){ .ctx = t->ctx, .stored = 10 };
	t->f.bad = UINT64_MAX;
	t->u = vtr_units_new(t->ctx, UNIT, cache, &t->account, unit_fill, &t->f, NULL);
	assert_non_null(t->u);
}

static void units_done(struct units *t)
{
	vtr_units_free(t->u);
	assert_int_equal(0, atomic_load(&t->ctx->metadata));
	assert_int_equal(0, atomic_load(&t->ctx->spool));
	vtr_ctx_unref(t->ctx);
}

static int unit_read(struct units *t, uint64_t key, struct vtr_error *err)
{
	uint8_t buf[200];

	if (vtr_units_read(t->u, key, UNIT, 4950, buf, sizeof(buf), err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(buf); i++)
		assert_int_equal(i >= 50 && i < 150 ? key + 1 : 0, buf[i]);
	return 0;
}

/* Units that are larger than a share of the memory, in an order that no cache of a few units helps with. */
static void large_units_are_decoded_once(void **state)
{
	struct vtr_error err = { 0 };
	struct units t;

	(void)state;
	units_start(&t, VTR_UNITS_SHARE * UNIT - 1, NULL, 0);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(0, unit_read(&t, i * 7 % 10, NULL));
	assert_int_equal(10, t.f.fills);
	assert_int_equal(10 * UNIT, atomic_load(&t.account.decoded));
	/* 4096 bytes are written, of each; the rest is zeros, of which four count as one. */
	assert_int_equal(10 * (4096 + (UNIT - 4096) / 4), atomic_load(&t.ctx->spool));
	atomic_store(&t.f.bad, 20);
	assert_int_equal(-1, unit_read(&t, 20, &err));
	assert_string_equal("unit 20", err.text);
	atomic_store(&t.f.bad, UINT64_MAX);
	assert_int_equal(0, unit_read(&t, 20, NULL));
	units_done(&t);
	units_start(&t, UNIT, "spool", 3 * (4096 + (UNIT - 4096) / 4));
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(0, unit_read(&t, i, &err));
	assert_int_equal(-1, unit_read(&t, 3, &err));
	assert_int_equal(VTR_ELIMIT, err.code);
	assert_non_null(strstr(err.text, "limit spool="));
	assert_int_equal(0, unit_read(&t, 2, &err));
	units_done(&t);
}

/* Where there is no room for a temporary file, the last one is kept. */
static void large_units_need_no_spool(void **state)
{
	struct rlimit was, none;
	struct units t;

	(void)state;
	assert_int_equal(0, getrlimit(RLIMIT_FSIZE, &was));
	none = was;
	none.rlim_cur = 0;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &none));
	units_start(&t, UNIT, NULL, 0);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(0, unit_read(&t, i / 10, NULL));
	assert_int_equal(4, t.f.fills);
	units_done(&t);
	assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &was));
	signal(SIGXFSZ, SIG_DFL);
}

/* Small ones go, and come again: each time is counted, and what was read is taken off. */
static void units_that_are_decoded_again_are_counted(void **state)
{
	static const struct {
		const char *limit;
		uint64_t value;
		unsigned good; /* so many reads of 200 bytes, each of a unit that went meanwhile */
	} rows[] = {
		{ "ratio", 0, 128 },			      /* 128 MiB are free */
		{ "ratio", UNIT / 10 + 1, 129 },	      /* and 10 bytes are stored */
		{ "ratio", UNIT / 10 - 200 * 128 / 10, 128 }, /* the 129th needs so much less what 128 reads gave */
		{ "ratio", UNIT / 10 - 200 * 128 / 10 + 1, 129 },
		{ "steps", 2048, 2 },
		{ "steps", 1023, 0 },
		{ "steps", 1024, 1 },
	};
	uint8_t *whole = malloc(UNIT);
	struct units t;

	(void)state;
	assert_non_null(whole);
	for (size_t k = 0; k < VTR_COUNT(rows); k++) {
		struct vtr_error err = { 0 };
		unsigned n = 0;

		units_start(&t, VTR_UNITS_SHARE * UNIT, rows[k].limit, rows[k].value);
		while (n < 1000 && unit_read(&t, n % (2 * VTR_UNITS_SHARE), &err) == 0)
			n++;
		assert_int_equal(VTR_ELIMIT, err.code);
		assert_non_null(strstr(err.text, rows[k].limit));
		assert_int_equal(rows[k].good, n);
		units_done(&t);
	}
	/* Whoever reads all of it may go on for ever. */
	units_start(&t, VTR_UNITS_SHARE * UNIT, "ratio", 0);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(0, vtr_units_read(t.u, i % (2 * VTR_UNITS_SHARE), UNIT, 0, whole, UNIT, NULL));
	assert_int_equal(1000, t.f.fills);
	/* So may whoever reads what is there. */
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(0, unit_read(&t, 5, NULL));
	assert_int_equal(1000, t.f.fills);
	units_done(&t);
	free(whole);
}

/* ----------------------------------------------------------------------------------------------------------- case */

static int fold_sign(int n)
{
	return (n > 0) - (n < 0);
}

/* As the C library does in the locale "C", which is the tests'. */
static void ascii_is_compared_as_in_the_c_locale(void **state)
{
	static const char letters[] = "aAzZ@[`{\xe4\xc4iI_-0";
	uint32_t seed = 1;

	(void)state;
	for (int c = 0; c < 256; c++) {
		char digit[2] = { (char)c, 0 };

		assert_int_equal((char)tolower(c), vtr_ascii_lower((char)c));
		assert_int_equal((char)toupper(c), vtr_ascii_upper((char)c));
		assert_int_equal(!!isalpha(c), vtr_ascii_is_letter((char)c));
		assert_int_equal(isxdigit(c) ? (int)strtol(digit, NULL, 16) : -1, vtr_hex_digit((char)c));
	}
	for (unsigned round = 0; round < 20000; round++) {
		char s[2][5] = { "", "" };
		const char *at;
		size_t n;

		for (unsigned k = 0; k < 2; k++)
			for (unsigned i = 0; i < 4; i++) {
				seed = seed * 1103515245 + 12345;
				s[k][i] = letters[(seed >> 16) % (sizeof(letters) - 1 + (k + i > 1))];
			}
		n = seed >> 8 & 7;
		assert_int_equal(fold_sign(strcasecmp(s[0], s[1])), fold_sign(vtr_ascii_casecmp(s[0], s[1])));
		assert_int_equal(fold_sign(strncasecmp(s[0], s[1], n)), fold_sign(vtr_ascii_ncasecmp(s[0], s[1], n)));
		s[1][1 + round % 2] = 0;
		at = vtr_ascii_casestr(s[0], s[1]);
		assert_true(at == strcasestr(s[0], s[1]));
	}
}

/* Pairs of the Unicode Character Database 5.1, and what Windows keeps apart. */
static void the_two_cases_of_a_letter_are_one(void **state)
{
	static const uint32_t pairs[][2] = {
		{ 'A', 'a' },	  { 0xc9, 0xe9 },     { 0x178, 0xff },	  { 0x100, 0x101 },   { 0x147, 0x148 },
		{ 0x17d, 0x17e }, { 0x391, 0x3b1 },   { 0x3a9, 0x3c9 },	  { 0x401, 0x451 },   { 0x42f, 0x44f },
		{ 0x531, 0x561 }, { 0x1e00, 0x1e01 }, { 0x2160, 0x2170 }, { 0xff21, 0xff41 }, { 0x48a, 0x48b },
	};
	static const uint32_t apart[][2] = {
		{ 'i', 0x130 },	 { 'I', 0x131 }, { 0x130, 0x131 }, { 0xd7, 0xf7 },	 { 's', 0x17f },
		{ 'k', 0x212a }, { '@', '`' },	 { '[', '{' },	   { 0x10400, 0x10428 },
	};

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(pairs); i++)
		assert_int_equal(vtr_fold(pairs[i][0]), vtr_fold(pairs[i][1]));
	for (size_t i = 0; i < VTR_COUNT(apart); i++)
		assert_int_not_equal(vtr_fold(apart[i][0]), vtr_fold(apart[i][1]));
	for (uint32_t c = 0; c < 0x110100; c++) { /* beyond Unicode, too: bytes that are no characters */
		assert_int_equal(vtr_fold(c), vtr_fold(vtr_fold(c)));
		assert_true(c < 0x10000 || vtr_fold(c) == c);
	}
}

/* ---------------------------------------------------------------------------------------------------------- UTF-16 */

/* Every code point, as iconv(3) has it. */
static void utf16_is_what_iconv_makes_of_it(void **state)
{
	static const char *const names[] = { "UTF-16LE", "UTF-16BE" };
	iconv_t to[2], from;

	(void)state;
	from = iconv_open("UTF-8", "UTF-32LE");
	to[0] = iconv_open(names[0], "UTF-8");
	to[1] = iconv_open(names[1], "UTF-8");
	for (uint32_t cp = 1; cp < 0x110000; cp += cp < 0x11000 ? 1 : 97) {
		char utf8[8] = { 0 }, wide[2][8], out[16], *p, *q;
		size_t in_len = 4, room = sizeof(utf8), units;
		uint8_t raw[4] = { (uint8_t)cp, (uint8_t)(cp >> 8), (uint8_t)(cp >> 16), 0 };
		uint16_t two[2];

		if (cp >= 0xd800 && cp < 0xe000)
			continue;
		p = (char *)raw, q = utf8;
		assert_int_equal(0, iconv(from, &p, &in_len, &q, &room));
		for (int order = VTR_UTF16_LE; order <= VTR_UTF16_BE; order++) {
			in_len = strlen(utf8), room = sizeof(wide[0]);
			p = utf8, q = wide[order];
			assert_int_equal(0, iconv(to[order], &p, &in_len, &q, &room));
			units = (sizeof(wide[0]) - room) / 2;
			assert_true(vtr_utf16_to_utf8(out, sizeof(out), (uint8_t *)wide[order], 2 * units,
						      (enum vtr_utf16_order)order));
			assert_string_equal(utf8, out);
			/* Room to the byte. */
			assert_true(vtr_utf16_to_utf8(out, strlen(utf8) + 1, (uint8_t *)wide[order], 2 * units,
						      (enum vtr_utf16_order)order));
			assert_false(vtr_utf16_to_utf8(out, strlen(utf8), (uint8_t *)wide[order], 2 * units,
						       (enum vtr_utf16_order)order));
			assert_string_equal("", out);
		}
		units = vtr_utf16_units(two, cp);
		for (unsigned i = 0; i < units; i++)
			assert_int_equal(two[i], vtr_get_le16((uint8_t *)wide[0] + 2 * i));
		assert_int_equal(strlen(utf8), vtr_utf16_name(out, (uint8_t *)wide[0], units));
		assert_string_equal(utf8, out);
	}
	iconv_close(from);
	iconv_close(to[0]);
	iconv_close(to[1]);
}

static void halves_of_pairs_are_replaced_or_kept(void **state)
{
	/* a, high, b; low, high, low (a pair), high at the end */
	static const uint8_t text[] = { 'a', 0, 0x3d, 0xd8, 'b', 0, 0x00, 0xde, 0x3d, 0xd8, 0x00, 0xde, 0x3d, 0xd8 };
	struct vtr_str s = { 0 };
	char out[64];

	(void)state;
	assert_false(vtr_utf16_to_utf8(out, sizeof(out), text, sizeof(text), VTR_UTF16_LE));
	assert_string_equal("a\xef\xbf\xbd"
			    "b\xef\xbf\xbd\xf0\x9f\x98\x80\xef\xbf\xbd",
			    out);
	vtr_utf16_put(&s, text, sizeof(text));
	assert_string_equal(out, s.p);
	vtr_str_done(&s);
	assert_int_equal(sizeof("a\xed\xa0\xbd"
				"b\xed\xb8\x80\xf0\x9f\x98\x80\xed\xa0\xbd") -
				 1,
			 vtr_utf16_name(out, text, sizeof(text) / 2));
	assert_string_equal("a\xed\xa0\xbd"
			    "b\xed\xb8\x80\xf0\x9f\x98\x80\xed\xa0\xbd",
			    out);
	/* Half a unit at the end is left aside. */
	assert_true(vtr_utf16_to_utf8(out, sizeof(out), text, 3, VTR_UTF16_LE));
	assert_string_equal("a", out);
}

static void filetimes_are_counted_from_1601(void **state)
{
	static const struct {
		uint64_t filetime;
		int64_t sec;
		uint32_t nsec;
	} cases[] = {
		{ 1, INT64_C(-11644473600), 100 },
		{ 116444736000000000, 0, 0 },
		{ 116444735999999999, -1, 999999900 },
		{ 132223104001234567, 1577836800, 123456700 },	   /* 2020-01-01 */
		{ UINT64_MAX, INT64_C(1833029933770), 955161500 }, /* date -d '1601-01-01 UTC +1844674407370 seconds' */
	};

	(void)state;
	assert_false(vtr_filetime(0).set);
	assert_int_equal(0, vtr_filetime(0).sec);
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		assert_true(vtr_filetime(cases[i].filetime).set);
		assert_true(vtr_filetime(cases[i].filetime).sec == cases[i].sec);
		assert_int_equal(cases[i].nsec, vtr_filetime(cases[i].filetime).nsec);
	}
}

/* A failure of the host carries its own errno and says what that means; every code has one that is close. */
static void errors_carry_an_errno(void **state)
{
	struct vtr_error err = { 0 };
	struct vtr_limits l;
	uint64_t value;
	size_t n = 0;

	(void)state;
	assert_int_equal(-1, vtr_fail_errno(&err, VTR_EIO, ENOSPC, "writing %d bytes", 5));
	assert_string_equal("writing 5 bytes: No space left on device", err.text);
	assert_int_equal(ENOSPC, err.posix);
	assert_int_equal(VTR_EIO, err.code);
	assert_int_equal(-1, vtr_at(&err, "file"));
	assert_int_equal(ENOSPC, err.posix);
	vtr_error_errno(NULL, VTR_EIO, ENOSPC, "nobody asks");
	vtr_error_set(&err, VTR_ECORRUPT, "an %s", "odd\x1bname");
	assert_string_equal("an odd\\x1Bname", err.text);
	assert_int_equal(EUCLEAN, err.posix);
	assert_int_equal(0, vtr_code_errno(VTR_OK));
	for (int code = VTR_OK + 1; code <= VTR_ECANCELLED; code++)
		assert_true(vtr_code_errno(code) > 0);
	assert_int_equal(ECANCELED, vtr_code_errno(VTR_ECANCELLED));
	assert_int_equal(EIO, vtr_code_errno(VTR_ECANCELLED + 1));
	assert_int_equal(EIO, vtr_code_errno(-1));

	vtr_limits_default(&l);
	l.depth = 7;
	for (const char *name; (name = vtr_limits_name(n, &l, &value)); n++) {
		if (strcmp(name, "depth") == 0)
			assert_int_equal(7, value);
		assert_int_equal(0, vtr_limits_set(&l, name, value + 1, NULL));
	}
	assert_int_equal(8, l.depth);
	assert_int_equal(sizeof(l) / sizeof(uint64_t), n);
	assert_non_null(vtr_limits_name(0, NULL, NULL));
}

/* ---------------------------------------------------------------------------------------------------------- errors */

static void every_code_is_of_one_kind(void **state)
{
	static const struct {
		int code;
		unsigned kind;
		bool ends, lost, unopened;
	} cases[] = {
		{ VTR_OK, 0, false, false, false },
		{ VTR_ECORRUPT, VTR_KIND_DAMAGED, false, true, false },
		{ VTR_ETRUNCATED, VTR_KIND_DAMAGED, false, true, false },
		{ VTR_EUNSUPPORTED, VTR_KIND_UNREAD, false, true, true },
		{ VTR_ELIMIT, VTR_KIND_LIMITED, true, false, false },
		{ VTR_EPOLICY, VTR_KIND_FORBIDDEN, false, false, true },
		{ VTR_EKEY, VTR_KIND_UNDECIDED, false, false, false },
		{ VTR_EAMBIGUOUS, VTR_KIND_UNDECIDED, false, false, false },
		{ VTR_ENOTFOUND, VTR_KIND_MISSING, false, false, true },
		{ VTR_EUSAGE, VTR_KIND_MISUSED, false, false, false },
		{ VTR_EIO, VTR_KIND_HOST, true, false, false },
		{ VTR_ENOMEM, VTR_KIND_STOPPED, true, false, false },
		{ VTR_ECANCELLED, VTR_KIND_STOPPED, true, false, false },
		{ VTR_ECANCELLED + 1, 0, false, false, false }, /* of a caller's function */
		{ -1, 0, false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		struct vtr_error e = { .code = cases[i].code };

		for (unsigned kind = 1; kind <= 1u << 8; kind *= 2)
			assert_int_equal(kind == cases[i].kind, vtr_error_is(&e, kind));
		assert_int_equal(cases[i].ends, vtr_error_ends(&e));
		assert_int_equal(cases[i].lost, vtr_error_is(&e, VTR_KINDS_LOST));
		assert_int_equal(cases[i].unopened, vtr_error_is(&e, VTR_KINDS_UNOPENED));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_is_of_one_kind),
		cmocka_unit_test(utf16_is_what_iconv_makes_of_it),
		cmocka_unit_test(halves_of_pairs_are_replaced_or_kept),
		cmocka_unit_test(filetimes_are_counted_from_1601),
		cmocka_unit_test(ascii_is_compared_as_in_the_c_locale),
		cmocka_unit_test(the_two_cases_of_a_letter_are_one),
		cmocka_unit_test(a_cursor_stays_within_its_bytes),
		cmocka_unit_test(sums_and_products_that_do_not_fit_are_told),
		cmocka_unit_test(each_single_byte_is_escaped),
		cmocka_unit_test(text_is_cut_between_escapes),
		cmocka_unit_test(names_are_escaped_for_terminals),
		cmocka_unit_test(json_strings_are_escaped),
		cmocka_unit_test(utf8_is_told_from_other_bytes),
		cmocka_unit_test(utf16_becomes_utf8),
		cmocka_unit_test(guids_are_written_as_their_owners_do),
		cmocka_unit_test(a_string_grows),
		cmocka_unit_test(an_error_is_built_from_the_inside_out),
		cmocka_unit_test(long_texts_are_cut_between_characters),
		cmocka_unit_test(a_warning_is_handed_on_once_and_counted_always),
		cmocka_unit_test(names_of_words_make_no_kinds),
		cmocka_unit_test(a_cut_is_told_once),
		cmocka_unit_test(limits_are_set_by_name),
		cmocka_unit_test(steps_end_at_their_limit),
		cmocka_unit_test(work_ends_at_the_deadline),
		cmocka_unit_test(the_cache_is_bounded_and_drops_what_is_least_used),
		cmocka_unit_test(threads_share_a_cache),
		cmocka_unit_test(what_is_dropped_is_filled_again),
		cmocka_unit_test(what_is_dropped_while_it_is_filled_is_not_kept),
		cmocka_unit_test(pages_follow_a_source_that_changes),
		cmocka_unit_test(no_more_is_filled_than_may_be_held),
		cmocka_unit_test(who_misses_what_is_being_filled_waits),
		cmocka_unit_test(the_pool_does_each_item_once),
		cmocka_unit_test(the_pool_returns_the_first_failure),
		cmocka_unit_test(several_threads_use_one_pool),
		cmocka_unit_test(sources_are_read_within_their_size),
		cmocka_unit_test(layers_are_counted),
		cmocka_unit_test(what_is_probed_is_read_once),
		cmocka_unit_test(large_units_are_decoded_once),
		cmocka_unit_test(large_units_need_no_spool),
		cmocka_unit_test(units_that_are_decoded_again_are_counted),
		cmocka_unit_test(errors_carry_an_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
