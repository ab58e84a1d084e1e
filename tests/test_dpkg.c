/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dpkg's database, against dpkg-query (1.21.22 when this was written) where it is installed, and deb822(5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/held.h"
#include "inspect/inspect.h"

#define QUERY                                                                                                          \
	"LC_ALL=C dpkg-query --admindir='%s' -W -f "                                                                   \
	"'${Package}|${Version}|${Architecture}|${source:Package}|${source:Version}|${db:Status-Status}|"              \
	"${Installed-Size}|${binary:Summary}\\n' 2>/dev/null"

struct parsed {
	struct vtr_ctx *ctx;
	struct vtr_os *os;
	struct vtr_error err;
	int rc;
};

static struct parsed parse(const char *text, size_t len, const struct vtr_limits *lim)
{
	struct parsed p = { .ctx = vtr_ctx_new(lim, NULL) };
	char *copy = vtr_hold(p.ctx, len + 1, 1, "text", NULL);

	assert_non_null(p.ctx);
	assert_non_null(copy);
	p.os = vtr_os_new(p.ctx, "/dev/sda1", NULL, &p.err);
	assert_non_null(p.os);
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = 0;
	p.rc = vtr_dpkg_parse(p.os, copy, len, &p.err);
	if (p.rc < 0)
		vtr_let_go(copy);
	return p;
}

static void parsed_done(struct parsed *p)
{
	vtr_os_free(p->os);
	vtr_ctx_unref(p->ctx);
}

/* A package as QUERY prints it; a size of 0 as nothing. */
static void package_put(struct vtr_str *s, const struct vtr_package *p)
{
	vtr_str_putf(s, "%s|%s|%s|%s|%s|%s|", p->name, p->version, p->arch, p->source ? p->source : p->name,
		     p->source_version ? p->source_version : p->version, p->status);
	if (p->installed_size > 0)
		vtr_str_putf(s, "%llu", (unsigned long long)(p->installed_size / 1024));
	vtr_str_putf(s, "|%s\n", p->summary ? p->summary : "");
}

static char *packages_text(const struct vtr_os *os)
{
	struct vtr_str s = { 0 };
	const struct vtr_package *p;

	for (size_t i = 0; (p = vtr_os_package(os, i)); i++)
		package_put(&s, p);
	return vtr_str_take(&s, NULL);
}

static char *file_read(const char *path, size_t *len)
{
	FILE *f = fopen(path, "r");
	struct vtr_str s = { 0 };
	char buf[65536];
	size_t got;

	if (!f)
		return NULL;
	while ((got = fread(buf, 1, sizeof(buf), f)) > 0)
		vtr_str_put(&s, buf, got);
	fclose(f);
	*len = s.len;
	return vtr_str_take(&s, NULL);
}

/* dpkg-query's lines, escaped as ours are; NULL when there is no dpkg-query or it refuses the directory. */
static char *query(const char *admindir)
{
	struct vtr_str s = { 0 };
	char command[1024], line[8192];
	FILE *f;

	snprintf(command, sizeof(command), QUERY, admindir);
	f = popen(command, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		size_t len = strcspn(line, "\n");

		while (len > 0 && line[len - 1] == ' ') /* dpkg keeps them after a summary, when more lines follow */
			len--;
		vtr_str_put_escaped(&s, line, len);
		vtr_str_put(&s, "\n", 1);
	}
	if (pclose(f) != 0) {
		vtr_str_done(&s);
		return NULL;
	}
	return vtr_str_take(&s, NULL);
}

static bool query_there(void)
{
	if (system("dpkg-query --version >/dev/null 2>&1") == 0)
		return true;
	print_message("SKIPPED: no dpkg-query to compare with\n");
	return false;
}

static void lines_compare(const char *want, const char *got)
{
	for (size_t line = 1; *want || *got; line++) {
		size_t n = strcspn(want, "\n"), m = strcspn(got, "\n");

		if (n != m || memcmp(want, got, n) != 0)
			fail_msg("line %zu: \"%.*s\", dpkg-query has \"%.*s\"", line, (int)m, got, (int)n, want);
		want += n + (want[n] == '\n');
		got += m + (got[m] == '\n');
	}
}

static void admindir_compare(const char *admindir)
{
	char path[512], *text, *want, *got;
	struct parsed p;
	size_t len = 0;

	snprintf(path, sizeof(path), "%s/status", admindir);
	text = file_read(path, &len);
	assert_non_null(text);
	p = parse(text, len, NULL);
	assert_int_equal(0, p.rc);
	got = packages_text(p.os);
	want = query(admindir);
	assert_non_null(want);
	lines_compare(want, got);
	free(want);
	free(got);
	free(text);
	parsed_done(&p);
}

static void this_machine_is_read_as_dpkg_query_reads_it(void **state)
{
	(void)state;
	if (access("/var/lib/dpkg/status", R_OK) != 0) {
		print_message("SKIPPED: no /var/lib/dpkg/status\n");
		skip();
	}
	if (!query_there())
		skip();
	admindir_compare("/var/lib/dpkg");
}

/* All that dpkg accepts without an error. */
static const char strange[] = "Package: zeta\n"
			      "Status: install ok installed\n"
			      "Installed-Size: 12\n"
			      "Maintainer: a <a@b>\n"
			      "Architecture: amd64\n"
			      "Version: 1.0\n"
			      "Conffiles:\n"
			      " /etc/a 0123456789abcdef0123456789abcdef\n"
			      " Package: not-me 0123456789abcdef0123456789abcdef\n"
			      "Description: zeta thing\n"
			      " Version: 99\n"
			      " .\n"
			      " more\n"
			      "\n"
			      "Package: alpha\n"
			      "Status: deinstall ok config-files\n"
			      "Architecture: amd64\n"
			      "Version: 1:2-3\n"
			      "Description:\n"
			      "\n"
			      "Package: gone\n"
			      "Status: purge ok not-installed\n"
			      "Architecture: amd64\n"
			      "\n"
			      "Package: noarch\n"
			      "Status: install ok installed\n"
			      "Version: 2\n"
			      "\n"
			      "Package: nostatus\n"
			      "Architecture: all\n"
			      "Version: 2\n"
			      "\n"
			      "Package: multi\n"
			      "Status: install ok installed\n"
			      "Multi-Arch: same\n"
			      "Architecture: i386\n"
			      "Version: 2\n"
			      "Source: sm (4)\n"
			      "\n"
			      "Package: multi\n"
			      "Status: install ok installed\n"
			      "Multi-Arch: same\n"
			      "Architecture: amd64\n"
			      "Version: 2\n"
			      "Source: sm (4)\n"
			      "\n"
			      "Package: multi\n"
			      "Status: install ok installed\n"
			      "Multi-Arch: same\n"
			      "Architecture: arm64\n"
			      "Version: 2\n"
			      "Source: sm\n"
			      "\n"
			      "\n"
			      "package:   half  \n"
			      "STATUS: install reinstreq half-configured\n"
			      "Architecture: amd64\n"
			      "Version:9\n"
			      "Installed-Size: 007\n"
			      "Description:   caf\xc3\xa9 C:\\x  \n"
			      "Source:   src   (  1.2  )  \n"
			      "\n"
			      "Package: Upper\n"
			      "Status: install ok installed\n"
			      "Architecture: all\n"
			      "Version: 9\n"
			      "\n"
			      "Package: trg\n"
			      "Status: install ok triggers-pending\n"
			      "Architecture: amd64\n"
			      "Version: 9\n"
			      "Triggers-Pending: a\n"
			      "\n"
			      "Package: a+b\n"
			      "Status: hold ok installed\n"
			      "Architecture: amd64\n"
			      "Version: 10\n"
			      "\n"
			      "Package: a-b\n"
			      "Status: hold ok unpacked\n"
			      "Architecture: amd64\n"
			      "Version: 10";

/* What dpkg-query 1.21.22 printed for it; a size as the number that it is. */
static const char strange_listed[] = "a+b|10|amd64|a+b|10|installed||\n"
				     "a-b|10|amd64|a-b|10|unpacked||\n"
				     "alpha|1:2-3|amd64|alpha|1:2-3|config-files||\n"
				     "half|9|amd64|src|1.2|half-configured|7|caf\xc3\xa9 C:\\\\x\n"
				     "multi|2|amd64|sm|4|installed||\n"
				     "multi|2|arm64|sm|2|installed||\n"
				     "multi|2|i386|sm|4|installed||\n"
				     "noarch|2||noarch|2|installed||\n"
				     "trg|9|amd64|trg|9|triggers-pending||\n"
				     "upper|9|all|upper|9|installed||\n"
				     "zeta|1.0|amd64|zeta|1.0|installed|12|zeta thing\n";

static void strange_records_are_read_as_dpkg_query_reads_them(void **state)
{
	struct parsed p = parse(strange, sizeof(strange) - 1, NULL);
	char *got = packages_text(p.os);

	(void)state;
	assert_int_equal(0, p.rc);
	lines_compare(strange_listed, got);
	assert_int_equal(0, vtr_ctx_warnings(p.ctx));
	free(got);
	parsed_done(&p);
}

/* A directory as dpkg wants it, with this status file; dir is a template of mkdtemp(). */
static void admindir_make(char *dir, const char *status, size_t len)
{
	char command[256], path[128];
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(command, sizeof(command), "mkdir '%s/updates' '%s/info'", dir, dir);
	assert_int_equal(0, system(command));
	snprintf(path, sizeof(path), "%s/status", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(len, fwrite(status, 1, len, f));
	fputc('\n', f); /* dpkg wants it */
	assert_int_equal(0, fclose(f));
}

static void admindir_remove(const char *dir)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	assert_int_equal(0, system(command));
}

static void dpkg_query_still_reads_them_so(void **state)
{
	char dir[] = "/tmp/vitrine-dpkg-XXXXXX", *want, *size;

	(void)state;
	if (!query_there())
		skip();
	admindir_make(dir, strange, sizeof(strange) - 1);
	want = query(dir);
	admindir_remove(dir);
	assert_non_null(want);
	size = strstr(want, "|007|"); /* printed as written */
	assert_non_null(size);
	memmove(size + 1, size + 3, strlen(size + 3) + 1);
	lines_compare(want, strange_listed);
	free(want);
}

/* Status files that other projects keep for their own tests. */
static void the_corpus_is_read_as_dpkg_query_reads_it(void **state)
{
	const char *corpus = getenv("VITRINE_CORPUS");
	char path[512], line[2048];
	unsigned compared = 0;
	FILE *manifest;

	(void)state;
	snprintf(path, sizeof(path), "%s/MANIFEST.tsv", corpus ? corpus : "");
	manifest = corpus ? fopen(path, "r") : NULL;
	if (!manifest) {
		print_message("SKIPPED: no corpus in VITRINE_CORPUS\n");
		skip();
	}
	if (!query_there()) {
		fclose(manifest);
		skip();
	}
	while (fgets(line, sizeof(line), manifest)) {
		char dir[] = "/tmp/vitrine-dpkg-XXXXXX", *text, *want;
		size_t len;

		if (!strstr(line, "\tdpkg-status\t"))
			continue;
		snprintf(path, sizeof(path), "%s/%.*s", corpus, (int)strcspn(line, "\t"), line);
		text = file_read(path, &len);
		assert_non_null(text);
		admindir_make(dir, text, len);
		want = query(dir);
		if (want) {
			admindir_compare(dir);
			compared++;
		} else {
			print_message("dpkg-query refuses %s\n", path);
		}
		admindir_remove(dir);
		free(want);
		free(text);
	}
	fclose(manifest);
	assert_true(compared > 0);
}

static void later_records_replace_earlier_ones(void **state)
{
	static const char text[] = "Package: p\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n"
				   "Package: q\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n"
				   "Package: p\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2\n\n"
				   "Package: q\nStatus: purge ok not-installed\nArchitecture: all\n";
	struct parsed p = parse(text, sizeof(text) - 1, NULL);
	char *got = packages_text(p.os);

	(void)state;
	lines_compare("p|2|amd64|p|2|installed||\n", got);
	free(got);
	parsed_done(&p);
}

static void crlf_and_blank_lines_end_records(void **state)
{
	static const char text[] = "\r\n\r\nPackage: p\r\nStatus: install ok installed\r\nVersion: 1\r\n\r\n \t\r\n"
				   "Package: q\r\nStatus: install ok installed\r\nArchitecture: all\r\nVersion: 1\r\n";
	struct parsed p = parse(text, sizeof(text) - 1, NULL);
	char *got = packages_text(p.os);

	(void)state;
	lines_compare("p|1||p|1|installed||\nq|1|all|q|1|installed||\n", got);
	assert_int_equal(0, vtr_ctx_warnings(p.ctx));
	free(got);
	parsed_done(&p);
}

struct last_warning {
	struct vtr_error err;
	unsigned n;
};

static void warning_keep(void *arg, const struct vtr_error *w)
{
	struct last_warning *last = arg;

	last->err = *w;
	last->n++;
}

static void damage_is_named_and_the_rest_is_read(void **state)
{
#define GOOD "\nPackage: good\nStatus: install ok installed\nVersion: 1\n\n"
#define GOOD_LISTED "good|1||good|1|installed||\n"
	static const struct {
		const char *text, *listed, *warning;
		size_t len; /* 0: of the string */
	} cases[] = {
		{ GOOD "Version: 2\nStatus: install ok installed\n", GOOD_LISTED,
		  "at byte 56: a record without a Package", 0 },
		{ "Package:\nVersion: 2\n\n" GOOD, GOOD_LISTED, "at byte 0: a record without a Package", 0 },
		{ "garbage\n\n" GOOD, GOOD_LISTED, "without a Package", 0 },
		{ "Package: a\nStatus: installed ok\nVersion: 1\n" GOOD, "a|1||a|1|installed ok||\n" GOOD_LISTED,
		  "at byte 0: a Status of less than three words", 0 },
		{ "Package: a\nStatus:\nVersion: 1\n" GOOD, GOOD_LISTED, "Status of less than three words", 0 },
		{ "Package: a\nno field here\nStatus: a b installed\n" GOOD, "a|||a||installed||\n" GOOD_LISTED,
		  "at byte 11: a line that is no field", 0 },
		{ "Package: a\nPackage: b\nStatus: a b installed\n" GOOD, "a|||a||installed||\n" GOOD_LISTED,
		  "at byte 11: a field that the record has already", 0 },
		{ "Package: a\x1b[1m\nStatus: a b installed\nVersion: \xff\n" GOOD,
		  "a\\x1B[1m|\\xFF||a\\x1B[1m|\\xFF|installed||\n" GOOD_LISTED, NULL, 0 },
		{ "Package: a\0b\nStatus: a b installed\n", "a\\x00b|||a\\x00b||installed||\n", NULL, 35 },
		{ "Package: a\nStatus: a b installed\nSource: (1)\nInstalled-Size: -1\n", "a|||a|1|installed||\n", NULL,
		  0 },
		{ "Package: a\nStatus: a b installed\nSource: b (\nInstalled-Size: 99999999999999999999\n",
		  "a|||b||installed||\n", NULL, 0 },
		{ "Package: a\nStatus: a b installed\nSource: b ()\nInstalled-Size: 18014398509481984\n",
		  "a|||b||installed||\n", NULL, 0 },
		{ "Package: a\nStatus: a b installed\nSource: b(2)c\n", "a|||b|2)c|installed||\n", NULL, 0 },
		{ "", "", NULL, 0 },
		{ "\n\n\n", "", NULL, 0 },
		{ " continuation of nothing\n" GOOD, GOOD_LISTED, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		size_t len = cases[i].len ? cases[i].len : strlen(cases[i].text);
		struct last_warning last = { 0 };
		struct parsed p = { .ctx = vtr_ctx_new(NULL, NULL) };
		char *copy = vtr_hold(p.ctx, len + 1, 1, "text", NULL), *got;

		assert_non_null(copy);
		vtr_ctx_on_warning(p.ctx, warning_keep, &last);
		p.os = vtr_os_new(p.ctx, "/dev/sda1", NULL, &p.err);
		memcpy(copy, cases[i].text, len);
		copy[len] = 0;
		assert_int_equal(0, vtr_dpkg_parse(p.os, copy, len, &p.err));
		got = packages_text(p.os);
		lines_compare(cases[i].listed, got);
		if (cases[i].warning && !strstr(last.err.text, cases[i].warning))
			fail_msg("case %zu: \"%s\", expected \"%s\"", i, last.err.text, cases[i].warning);
		assert_int_equal(cases[i].warning ? VTR_ECORRUPT : 0, last.err.code);
		free(got);
		parsed_done(&p);
	}
}

static void warnings_of_many_records_are_few(void **state)
{
	struct vtr_str s = { 0 };
	struct parsed p;

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		vtr_str_puts(&s, "Version: 1\n\n");
	p = parse(s.p, s.len, NULL);
	assert_int_equal(0, p.rc);
	assert_int_equal(17, vtr_ctx_damage(p.ctx));
	parsed_done(&p);
	vtr_str_done(&s);
}

static void limits_are_kept_and_named(void **state)
{
	struct vtr_limits lim;
	struct vtr_str s = { 0 };
	struct parsed p;
	char *got;

	(void)state;
	vtr_limits_default(&lim);
	lim.packages = 10;
	p = parse(strange, sizeof(strange) - 1, &lim);
	assert_int_equal(-1, p.rc);
	assert_int_equal(VTR_ELIMIT, p.err.code);
	assert_non_null(strstr(p.err.text, "limit packages=10"));
	assert_null(vtr_os_package(p.os, 0));
	parsed_done(&p);

	vtr_limits_default(&lim);
	lim.line = 40;
	vtr_str_puts(&s, "Package: a\nStatus: install ok installed\nVersion: 1\nDescription: ");
	for (unsigned i = 0; i < 64; i++)
		vtr_str_puts(&s, "x");
	p = parse(s.p, s.len, &lim);
	assert_int_equal(0, p.rc);
	got = packages_text(p.os);
	lines_compare("a|1||a|1|installed||\n", got);
	assert_int_equal(1, vtr_ctx_damage(p.ctx));
	free(got);
	parsed_done(&p);
	vtr_str_done(&s);

	vtr_limits_default(&lim);
	lim.metadata = 1000; /* names that must be escaped take memory of their own */
	p = parse("Package: \xff\nStatus: a b installed\n", 33, &lim);
	assert_int_equal(-1, p.rc);
	assert_int_equal(VTR_ELIMIT, p.err.code);
	assert_non_null(strstr(p.err.text, "metadata"));
	parsed_done(&p);
}

static void every_prefix_is_read(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(strange); len++) {
		struct parsed p = parse(strange, len, NULL);
		struct parsed q = parse(strange + len, sizeof(strange) - 1 - len, NULL);

		assert_int_equal(0, p.rc);
		assert_int_equal(0, q.rc);
		parsed_done(&p);
		parsed_done(&q);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(this_machine_is_read_as_dpkg_query_reads_it),
		cmocka_unit_test(strange_records_are_read_as_dpkg_query_reads_them),
		cmocka_unit_test(dpkg_query_still_reads_them_so),
		cmocka_unit_test(the_corpus_is_read_as_dpkg_query_reads_it),
		cmocka_unit_test(later_records_replace_earlier_ones),
		cmocka_unit_test(crlf_and_blank_lines_end_records),
		cmocka_unit_test(damage_is_named_and_the_rest_is_read),
		cmocka_unit_test(warnings_of_many_records_are_few),
		cmocka_unit_test(limits_are_kept_and_named),
		cmocka_unit_test(every_prefix_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
