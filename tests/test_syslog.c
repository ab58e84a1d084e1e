/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines of classic log files. Those that RFC 3164 (5.4) and RFC 5424 (6.5) give as examples are read as the texts say;
 * times in seconds are those of GNU date (coreutils 9.1).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bzlib.h>
#include <cmocka.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "base/checked.h"
#include "base/ctx.h"

static char said[4096];

static void keep_warning(void *arg, const struct vtr_error *w)
{
	size_t at = strlen(said);

	(void)arg;
	snprintf(said + at, sizeof(said) - at, "%s: %s\n", vtr_code_name(w->code), w->text);
}

/* Everything of a line that is not NULL, as "sec.nsec|pri|fac|host|ident|pid|msgid|data|message". */
static void print_line(char *out, size_t size, const struct vtr_syslog_line *l)
{
	const char *p[] = { l->host, l->ident, l->pid, l->msgid, l->data, l->message };
	size_t n[] = { l->host_len, l->ident_len, l->pid_len, l->msgid_len, l->data_len, l->message_len };
	int at = l->time.set ? snprintf(out, size, "%lld.%09u|%d|%d", (long long)l->time.sec, l->time.nsec, l->priority,
					l->facility)
			     : snprintf(out, size, "-|%d|%d", l->priority, l->facility);

	for (size_t i = 0; i < VTR_COUNT(p); i++)
		at += snprintf(out + at, size - (size_t)at, "|%.*s", (int)n[i], p[i] ? p[i] : "");
}

static struct vtr_ctx *ctx_new(const char *limit, uint64_t value)
{
	struct vtr_ctx *ctx;
	struct vtr_limits lim;
	struct vtr_error err = { 0 };

	vtr_limits_default(&lim);
	if (limit)
		assert_int_equal(0, vtr_limits_set(&lim, limit, value, &err));
	ctx = vtr_ctx_new(&lim, &err);
	assert_non_null(ctx);
	vtr_ctx_on_warning(ctx, keep_warning, NULL);
	said[0] = 0;
	return ctx;
}

/* All lines of a file, joined with newlines; its own time is 2024-05-06 10:00 UTC. Returns what the last call did. */
static int read_all(char *out, size_t size, struct vtr_ctx *ctx, const void *bytes, size_t len, struct vtr_error *err)
{
	struct vtr_time mtime = { .sec = 1714989600, .set = true };
	struct vtr_syslog *s = NULL;
	struct vtr_syslog_line l;
	struct vtr_blk *b = NULL;
	size_t at = 0;
	int r;

	out[0] = 0;
	assert_int_equal(0, vtr_blk_memory(&b, ctx, bytes, len, err));
	r = vtr_syslog_open(&s, b, "log", &mtime, err);
	vtr_blk_unref(b);
	if (r < 0)
		return -1;
	while ((r = vtr_syslog_next(&l, s, err)) == 1) {
		print_line(out + at, size - at, &l);
		at += strlen(out + at);
		at += (size_t)snprintf(out + at, size - at, "\n");
	}
	vtr_syslog_close(s);
	return r;
}

static void lines_are(const char *text, const char *expected)
{
	struct vtr_ctx *ctx = ctx_new(NULL, 0);
	struct vtr_error err = { 0 };
	char out[8192];

	assert_int_equal(0, read_all(out, sizeof(out), ctx, text, strlen(text), &err));
	assert_string_equal(expected, out);
	assert_string_equal("", said);
	vtr_ctx_unref(ctx);
}

static void lines_of_rfc_3164(void **state)
{
	(void)state;
	lines_are("<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8\n",
		  "1697062455.000000000|2|4|mymachine|su||||'su root' failed for lonvick on /dev/pts/8\n");
	lines_are("Feb  5 17:32:18 10.0.0.99 Use the BFG!", "1707154338.000000000|-1|-1|10.0.0.99|||||Use the BFG!\n");
	lines_are("May  6 07:08:09 www sshd[77]: yes\n", "1714979289.000000000|-1|-1|www|sshd|77|||yes\n");
	/* The year before or after the time, and fractions of seconds. */
	lines_are("Oct 10 2018 12:34:56 asa %ASA-6: x\n", "1539174896.000000000|-1|-1|asa|%ASA-6||||x\n");
	lines_are("Oct 10 12:34:56.250 2018 asa a: x\n", "1539174896.250000000|-1|-1|asa|a||||x\n");
	lines_are("Feb 29 12:00:00 www last message repeated 2 times\n",
		  "1709208000.000000000|-1|-1|www|||||last message repeated 2 times\n");
}

static void lines_of_rfc_5424(void **state)
{
	(void)state;
	lines_are("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed\n",
		  "1065910455.003000000|2|4|mymachine.example.com|su||ID47||'su root' failed\n");
	lines_are("<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time\n",
		  "1061727255.000003000|5|20|192.0.2.1|myproc|8710|||%% It's time\n");
	lines_are(
		"<165>1 2003-10-11T22:14:15.003Z m evntslog - ID47 [exampleSDID@32473 iut=\"3\" e=\"A\\]p\\\"p\"][x@1 y=\"z\"]\n",
		"1065910455.003000000|5|20|m|evntslog||ID47|[exampleSDID@32473 iut=\"3\" e=\"A\\]p\\\"p\"][x@1 y=\"z\"]|\n");
	lines_are("<0>1 - - - - - -\n", "-|0|0||||||\n");
	/* Structured data without an end is no line of this kind. */
	lines_are("<34>1 2003-10-11T22:14:15Z h a p m [x y=\"z] text\n",
		  "-|2|4||||||1 2003-10-11T22:14:15Z h a p m [x y=\"z] text\n");
}

static void times_of_rfc_3339(void **state)
{
	(void)state;
	lines_are("2024-05-06T09:08:09.123456+02:00 www app[5]: a\n2024-05-06 07:08:10,5 www b: c\n"
		  "2024-05-06T07:08:10-0330 www b: d\n2024-05-06T07:08:60Z www b: e\n2024-05-06T07:08:61Z www b: f\n",
		  "1714979289.123456000|-1|-1|www|app|5|||a\n1714979290.500000000|-1|-1|www|b||||c\n"
		  "1714991890.000000000|-1|-1|www|b||||d\n1714979340.000000000|-1|-1|www|b||||e\n"
		  "-|-1|-1||||||2024-05-06T07:08:61Z www b: f\n");
}

/* <191> is the last that there can be; what is no number is text. */
static void priorities_have_bounds(void **state)
{
	(void)state;
	lines_are("<191>x\n<192>x\n<>x\n<1911>x\n<19\n", "-|7|23||||||x\n-|-1|-1||||||<192>x\n-|-1|-1||||||<>x\n"
							 "-|-1|-1||||||<1911>x\n-|-1|-1||||||<19\n");
}

/* The years of lines that have none: back from the file's own time, or from a line that has one. */
static void years_are_counted(void **state)
{
	(void)state;
	lines_are("Nov  3 10:00:00 w a: 1\nDec 31 23:59:59 w a: 2\nJan  1 00:00:01 w a: 3\nMay  6 07:08:09 w a: 4\n",
		  "1699005600.000000000|-1|-1|w|a||||1\n1704067199.000000000|-1|-1|w|a||||2\n"
		  "1704067201.000000000|-1|-1|w|a||||3\n1714979289.000000000|-1|-1|w|a||||4\n");
	/* Dec 31 is after the file's time, so it is of the year before. */
	lines_are("Dec 31 23:59:59 w a: 1\n", "1704067199.000000000|-1|-1|w|a||||1\n");
	lines_are("Dec 31 23:59:59 w a: 1\n2019-01-01T00:00:00Z w a: 2\nFeb  1 00:00:00 w a: 3\n",
		  "1546300799.000000000|-1|-1|w|a||||1\n1546300800.000000000|-1|-1|w|a||||2\n"
		  "1548979200.000000000|-1|-1|w|a||||3\n");
}

static void zeros_of_a_crash_are_reported(void **state)
{
	static const char text[] = "\0\0\0May  6 07:08:09 www a: b\n\0\0\nMay  6 07:08:10 www a: c\n";
	struct vtr_ctx *ctx = ctx_new(NULL, 0);
	struct vtr_error err = { 0 };
	char out[1024];

	(void)state;
	assert_int_equal(0, read_all(out, sizeof(out), ctx, text, sizeof(text) - 1, &err));
	assert_string_equal("1714979289.000000000|-1|-1|www|a||||b\n1714979290.000000000|-1|-1|www|a||||c\n", out);
	assert_string_equal("corrupt: log: line 1 begins with zeros, as a crash leaves them\n", said);
	vtr_ctx_unref(ctx);
}

static void long_lines_are_cut_once(void **state)
{
	struct vtr_ctx *ctx = ctx_new("line", 30);
	struct vtr_error err = { 0 };
	char out[1024];
	/* 30 bytes pass, 31 are cut. */
	static const char text[] =
		"May  6 07:08:09 w a: 123456789\nMay  6 07:08:09 w a: 1234567890\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n";

	(void)state;
	assert_int_equal(0, read_all(out, sizeof(out), ctx, text, sizeof(text) - 1, &err));
	assert_non_null(strstr(out, "|123456789\n1714979289.000000000|-1|-1|w|a||||123456789\n"));
	assert_string_equal("limit: log: line 2 is longer than limit line=30: cut, as are others\n", said);
	vtr_ctx_unref(ctx);
}

/* -------------------------------------------------------------------------------------------------- compressed */

static size_t pack(uint8_t *out, size_t cap, int kind, const char *text, size_t len)
{
	unsigned n = (unsigned)cap;
	size_t at = 0;
	z_stream z = { 0 };

	switch (kind) {
	case 0:
		assert_int_equal(Z_OK, deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY));
		z.next_in = (Bytef *)(uintptr_t)text;
		z.avail_in = (uInt)len;
		z.next_out = out;
		z.avail_out = (uInt)cap;
		assert_int_equal(Z_STREAM_END, deflate(&z, Z_FINISH));
		at = cap - z.avail_out;
		deflateEnd(&z);
		return at;
	case 1:
		assert_int_equal(BZ_OK, BZ2_bzBuffToBuffCompress((char *)out, &n, (char *)(uintptr_t)text,
								 (unsigned)len, 9, 0, 0));
		return n;
	case 2:
		assert_int_equal(LZMA_OK, lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, (const uint8_t *)text, len,
								  out, &at, cap));
		return at;
	default:
		at = ZSTD_compress(out, cap, text, len, 3);
		assert_false(ZSTD_isError(at));
		return at;
	}
}

static const char *const kinds[] = { "gzip", "bzip2", "xz", "zstd" };

static void compressed_logs_are_read(void **state)
{
	static const char text[] = "May  6 07:08:09 www a: b\n", all[] = "1714979289.000000000|-1|-1|www|a||||b\n";
	uint8_t packed[4096];
	char out[1024], twice[256];

	(void)state;
	snprintf(twice, sizeof(twice), "%s%s", all, all);
	for (int kind = 0; kind < 4; kind++) {
		struct vtr_ctx *ctx = ctx_new(NULL, 0);
		struct vtr_error err = { 0 };
		size_t n = pack(packed, 2048, kind, text, sizeof(text) - 1);

		/* Two members, and zeros that fill a block. */
		memcpy(packed + n, packed, n);
		memset(packed + 2 * n, 0, 512);
		assert_int_equal(0, read_all(out, sizeof(out), ctx, packed, n, &err));
		assert_string_equal(all, out);
		assert_int_equal(0, read_all(out, sizeof(out), ctx, packed, 2 * n + 512, &err));
		assert_string_equal(twice, out);
		assert_string_equal("", said);
		/* Every length that is cut is reported, but that of whole members. */
		for (size_t len = 8; len < 2 * n; len++) {
			if (len == n)
				continue;
			vtr_ctx_unref(ctx); /* one hands on the same text once */
			ctx = ctx_new(NULL, 0);
			assert_int_equal(0, read_all(out, sizeof(out), ctx, packed, len, &err));
			if (strncmp(said, "truncated: log: ", 16) != 0 || !strstr(said, kinds[kind]))
				fail_msg("%s cut at %zu of %zu: %s", kinds[kind], len, 2 * n, said);
		}
		/* A byte that is changed in the data is damage. ZSTD_compress() writes no checksum that would tell. */
		for (size_t at = 12; kind < 3 && at < n; at++) {
			vtr_ctx_unref(ctx);
			ctx = ctx_new(NULL, 0);
			packed[at] ^= 0x55;
			(void)read_all(out, sizeof(out), ctx, packed, n, &err);
			packed[at] ^= 0x55;
			if (!said[0] && strcmp(out, all) != 0)
				fail_msg("%s changed at %zu: nothing is said of %s", kinds[kind], at, out);
		}
		vtr_ctx_unref(ctx);
	}
}

static void unread_compression_is_named(void **state)
{
	static const struct {
		const char *bytes, *name;
	} all[] = { { "\x04\x22\x4d\x18xxxx", "LZ4" }, { "LZIP\1xxx", "lzip" }, { "\x1f\x9d\x90xxxxx", "compress" } };
	char out[64];

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(all); i++) {
		struct vtr_ctx *ctx = ctx_new(NULL, 0);
		struct vtr_error err = { 0 };

		assert_int_equal(-1, read_all(out, sizeof(out), ctx, all[i].bytes, 8, &err));
		assert_int_equal(VTR_EUNSUPPORTED, err.code);
		assert_non_null(strstr(err.text, all[i].name));
		vtr_ctx_unref(ctx);
	}
}

/* 256 MiB of zeros in some hundred bytes: two hundred thousand steps would do for a log of that size, this takes more. */
static void bombs_end_at_the_steps(void **state)
{
	const size_t len = 256u << 20;
	char *zeros = calloc(1, len), out[64];
	uint8_t *packed = malloc(1u << 20);
	size_t n;

	(void)state;
	assert_non_null(zeros);
	assert_non_null(packed);
	n = pack(packed, 1u << 20, 1, zeros, len);
	free(zeros);
	{
		struct vtr_ctx *ctx = ctx_new("steps", 1000000);
		struct vtr_error err = { 0 };

		assert_int_equal(-1, read_all(out, sizeof(out), ctx, packed, n, &err));
		assert_int_equal(VTR_ELIMIT, err.code);
		assert_non_null(strstr(err.text, "limit steps=1000000"));
		vtr_ctx_unref(ctx);
	}
	free(packed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_rfc_3164),	       cmocka_unit_test(lines_of_rfc_5424),
		cmocka_unit_test(times_of_rfc_3339),	       cmocka_unit_test(priorities_have_bounds),
		cmocka_unit_test(years_are_counted),	       cmocka_unit_test(zeros_of_a_crash_are_reported),
		cmocka_unit_test(long_lines_are_cut_once),     cmocka_unit_test(compressed_logs_are_read),
		cmocka_unit_test(unread_compression_is_named), cmocka_unit_test(bombs_end_at_the_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
