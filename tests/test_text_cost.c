/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * No parser of text takes time but in proportion to the text: each gets a text of one piece over and over, in which
 * something is opened, quoted, continued or named again. What is quadratic takes several times what is allowed here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/checked.h"
#include "fuzz/parsers.h"
#include "inspect/accounts.h"
#include "inspect/records.h"
#include "inspect/yaml.h"

#define COST_TEXT (192u << 10)
#define COST_SECONDS 1.5 /* of CPU, with sanitizers too */

static int fuzz_passwd(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	return vtr_passwd_parse(os, path, text, len, text, len, err);
}

static int fuzz_kernel(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	uint64_t at;

	(void)os, (void)path, (void)err;
	(void)vtr_kernel_arch((const uint8_t *)text, len, &at);
	return 0;
}

static int cost_scalar(void *arg, const struct vtr_span *keys, size_t n, struct vtr_span value, uint64_t item,
		       struct vtr_error *err)
{
	(void)arg, (void)keys, (void)n, (void)value, (void)item, (void)err;
	return 0;
}

static int fuzz_yaml(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	uint64_t skipped;

	(void)os, (void)path;
	return vtr_yaml_parse(&skipped, text, len, cost_scalar, NULL, err);
}

static int cost_setting(void *arg, const struct vtr_setting *s, struct vtr_error *err)
{
	(void)arg, (void)s, (void)err;
	return 0;
}

static int fuzz_settings(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	size_t refused;

	(void)os, (void)path;
	return vtr_settings(&refused, text, len, VTR_INI_SYSTEMD, cost_setting, NULL, err) < 0 ||
			       vtr_settings(&refused, text, len, VTR_INI_GLIB, cost_setting, NULL, err) < 0
		       ? -1
		       : 0;
}

/* A pattern and a name of a file are short: the cost of one against the other is bounded by their lengths. */
static int fuzz_glob(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	(void)os, (void)path, (void)err;
	(void)vtr_span_glob((struct vtr_span){ text, VTR_MIN(len, (size_t)255) }, (struct vtr_span){ text, len });
	return 0;
}

static int fuzz_nsswitch(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_account_order order;

	(void)os, (void)path, (void)err;
	vtr_nsswitch_parse(&order, "group", text, len);
	return 0;
}

static int fuzz_userdb(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_userdb u = { .path = path };
	int rc = vtr_userdb_parse(&u, text, len, err);

	(void)os;
	vtr_userdb_done(&u);
	return rc;
}

static int fuzz_netdev(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	(void)path;
	return vtr_networkd_parse(os, "/a.netdev", text, len, err);
}

static int fuzz_link(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	(void)path;
	return vtr_networkd_parse(os, "/a.link", text, len, err);
}

static const struct cost_parser {
	const char *name;
	vtr_text_fn *parse;
} cost_parsers[] = {
#define X(fn) { #fn, fn },
	TEXT_PARSERS(X)
#undef X
};

/* What each text starts with, so that the parser is inside of something; and what comes over and over. */
static const char *const cost_heads[] = { "", "[Unit]\nA=" };
static const char *const cost_units[] = {
	"\\\n",
	" \\\n",
	"\n",
	"\\",
	"\"",
	"'",
	"\"\\",
	"[",
	"[[",
	"{",
	"(",
	"<",
	"*",
	"*?",
	"a,",
	"a b ",
	",",
	":",
	"=",
	"#\n",
	"a:x:1:1::/:/bin/sh\n",
	"a:x:1:b,c,d\n",
	"a ALL=ALL\n",
	"User_Alias A=b\n",
	"A=b\n",
	"[a]\n",
	"[a]\nb=c\n",
	"a:\n",
	"  a: &a *a\n",
	"- a\n",
	"{\"a\":",
	"[{",
	"iface a inet static\n",
	"iface a inherits a\n",
	"deb http://a b c\n",
	"Types: deb\n",
	"a b c d\n",
	"* * * * * root a\n",
	"ssh-rsa AAAA b\n",
	"${A}",
	"$A\n",
	"install a b\n",
	"Match a\n",
	"include /a*\n",
	"@include a\n",
	"menuentry a {\n",
	"}\n",
	"\xff",
	"\r",
	"\t",
};

static double cost_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void cost_one(const struct cost_parser *p, const char *head, const char *unit)
{
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct vtr_os *os = ctx ? vtr_os_new(ctx, "/dev/sda1", NULL, NULL) : NULL;
	size_t n = strlen(unit), at = strlen(head);
	char *text = malloc(COST_TEXT);
	struct vtr_error err = { 0 };
	double start, took;

	assert_true(os && text);
	memcpy(text, head, at);
	for (size_t i = at; i < COST_TEXT; i++)
		text[i] = unit[(i - at) % n];
	start = cost_now();
	if (p->parse(os, "/etc/file", text, COST_TEXT, &err) < 0)
		assert_int_equal(VTR_ELIMIT, err.code);
	took = cost_now() - start;
	if (took > COST_SECONDS)
		fail_msg("%s: %u bytes of \"%s\" behind \"%s\" take %.1f s", p->name, COST_TEXT, unit, head, took);
	free(text);
	vtr_os_free(os);
	vtr_ctx_unref(ctx);
}

static void parsers_take_linear_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cost_parsers); i++)
		for (size_t h = 0; h < VTR_COUNT(cost_heads); h++)
			for (size_t u = 0; u < VTR_COUNT(cost_units); u++)
				cost_one(&cost_parsers[i], cost_heads[h], cost_units[u]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(parsers_take_linear_time) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
