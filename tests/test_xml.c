/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XML documents: what is handed on, and what is refused. Expected values are by XML 1.0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/ctx.h"
#include "base/text.h"
#include "formats/xml.h"

static int on_start(void *arg, unsigned depth, const char *name, const char *const *attrs, struct vtr_error *err)
{
	const char *id = vtr_xml_attr(attrs, "id");

	if (strcmp(name, "stop") == 0)
		return vtr_fail(err, VTR_EPOLICY, "stopped");
	vtr_str_putf(arg, "%u<%s", depth, name);
	if (id)
		vtr_str_putf(arg, " %s", id);
	vtr_str_puts(arg, ">");
	return strcmp(name, "x") != 0;
}

static int on_end(void *arg, unsigned depth, const char *name, char *text, size_t len, struct vtr_error *err)
{
	(void)err;
	assert_int_equal(strlen(text), len);
	vtr_str_putf(arg, "%s%u</%s>", text, depth, name);
	return 0;
}

static const struct {
	const char *text, *events; /* or words of the error */
	bool doctype;
	const char *no_xml;
	int code;
} documents[] = {
	{ "<a/>", "1<a>1</a>", .code = VTR_OK },
	{ "\xef\xbb\xbf<a>b<!-- c --><![CDATA[<&]]>&lt;&#x20ac;</a>\n",
	  "1<a>b<&<\xe2\x82\xac"
	  "1</a>",
	  .code = VTR_OK },
	{ "<p:a q:id='1 &amp; 2' ido='3'>lost<b id=\"\">in</b>kept?</p:a>", "1<a 1 & 2>2<b >in2</b>1</a>",
	  .code = VTR_OK },
	{ "<a><x>unwanted</x></a>", "1<a>2<x>2</x>1</a>", .code = VTR_OK },
	{ "<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>",
	  "1<a>\xc3\xa9"
	  "1</a>",
	  .code = VTR_OK },
	{ "<!DOCTYPE a PUBLIC \"p\" \"file:///etc/passwd\"><a/>", "1<a>1</a>", .doctype = true },
	{ "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", "line 1: it has a document type (\"a\"), which no",
	  .code = VTR_ECORRUPT },
	{ "\n<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "line 2: it has a document type (\"a\") with declarations",
	  .doctype = true, .code = VTR_ECORRUPT },
	{ "<a>&b;</a>", "line 1: undefined entity", .code = VTR_ECORRUPT },
	{ "<a><b>\n", "line 2: the document ends too early", .code = VTR_ETRUNCATED },
	{ "", "the document ends too early", .code = VTR_ETRUNCATED },
	{ "<a><b>\n", "bad: line 2: ", .no_xml = "bad", .code = VTR_ECORRUPT },
	{ "<a>\n<stop/></b>", "line 2: stopped", .no_xml = "bad", .code = VTR_EPOLICY },
	{ "<a><stop>", "line 1: stopped", .code = VTR_EPOLICY },
	{ "<a></b>", "line 1: mismatched tag", .code = VTR_ECORRUPT },
	{ "<a/><b/>", "line 1: junk after document element", .code = VTR_ECORRUPT },
	{ "<a>\xff</a>", "line 1: not well-formed", .code = VTR_ECORRUPT },
	{ "<a b='' b=''/>", "line 1: duplicate attribute", .code = VTR_ECORRUPT },
	{ "<a>12345678</a>", "1<a>123456781</a>", .code = VTR_OK },
	{ "<a><b>123456789</b></a>", "line 1: b: more than 8 bytes", .code = VTR_ECORRUPT },
	{ "<a><x>123456789</x></a>", "1<a>2<x>2</x>1</a>", .code = VTR_OK },
};

static void events_and_errors(void **state)
{
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(documents); i++) {
		struct vtr_xml x = { 8, documents[i].doctype, documents[i].no_xml, on_start, on_end };
		const char *text = documents[i].text;
		struct vtr_error err = { 0 };
		struct vtr_str got = { 0 };
		int r = vtr_xml_parse(&x, &got, ctx, text, strlen(text), &err);

		assert_int_equal(documents[i].code ? -1 : 0, r);
		assert_int_equal(documents[i].code, err.code);
		if (documents[i].code && !strstr(err.text, documents[i].events))
			fail_msg("\"%s\" is not in \"%s\"", documents[i].events, err.text);
		if (!documents[i].code)
			assert_string_equal(documents[i].events, got.p);
		vtr_str_done(&got);
		assert_int_equal(r, vtr_xml_parse(&x, &got, ctx, text, strlen(text), NULL));
		vtr_str_done(&got);
	}
	vtr_ctx_unref(ctx);
}

static void expect_limit(const struct vtr_limits *l, const char *text, int code, const char *words)
{
	static const struct vtr_xml x = { .start = on_start, .end = on_end };
	struct vtr_ctx *ctx = vtr_ctx_new(l, NULL);
	struct vtr_error err = { 0 };
	struct vtr_str got = { 0 };

	assert_int_equal(code ? -1 : 0, vtr_xml_parse(&x, &got, ctx, text, strlen(text), &err));
	assert_int_equal(code, err.code);
	if (code && !strstr(err.text, words))
		fail_msg("\"%s\" is not in \"%s\"", words, err.text);
	assert_int_equal(0, ctx->metadata);
	vtr_str_done(&got);
	vtr_ctx_unref(ctx);
}

static void depth_text_and_steps_are_limited(void **state)
{
	static char text[700000];
	char deep[3 * VTR_XML_DEPTH + 32] = "";
	struct vtr_limits l;
	int n;

	(void)state;
	for (unsigned i = 0; i < VTR_XML_DEPTH; i++)
		strcat(deep, "<a>");
	expect_limit(NULL, deep, VTR_ETRUNCATED, "the document ends too early");
	strcat(deep, "<a>");
	expect_limit(NULL, deep, VTR_ECORRUPT, "line 1: more than 32 elements within each other");
	vtr_limits_default(&l);
	/* More than expat itself takes at once. */
	l.alloc = 600001;
	snprintf(text, sizeof(text), "<a>%0600000d</a>", 0);
	expect_limit(&l, text, VTR_OK, NULL);
	snprintf(text, sizeof(text), "<a>%0600000d<![CDATA[9]]></a>", 0);
	expect_limit(&l, text, VTR_ELIMIT, "text of an element: 600002 needed, limit alloc=600001");
	/* A tag that does not end, and names that are unlike each other, are in the account of the context. */
	vtr_limits_default(&l);
	l.metadata = 300000;
	n = snprintf(text, sizeof(text), "<a ");
	memset(text + n, 'b', 200000);
	strcpy(text + n + 200000, "='1'/>");
	expect_limit(&l, text, VTR_ELIMIT, "an XML document: ");
	n = snprintf(text, sizeof(text), "<a>");
	for (int i = 0; i < 20000; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "<b%05d/>", i);
	strcpy(text + n, "</a>");
	expect_limit(&l, text, VTR_ELIMIT, "limit metadata=300000");
	expect_limit(NULL, text, VTR_OK, NULL);
	vtr_limits_default(&l);
	l.steps = 3;
	expect_limit(&l, "<a><b/><b/></a>", VTR_OK, NULL);
	expect_limit(&l, "<a><b/><b/><b/></a>", VTR_ELIMIT, "limit steps=3");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_and_errors),
		cmocka_unit_test(depth_text_and_steps_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
