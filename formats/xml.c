/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Extensible Markup Language 1.0, by expat. */
#include "formats/xml.h"

#include <string.h>

#include <expat.h>

#include "base/checked.h"
#include "base/held.h"

#define XML_PIECE 65536u /* bytes of the document that expat gets at once: it keeps a copy of what is not parsed yet */

struct xml {
	const struct vtr_xml *x;
	void *arg;
	struct vtr_ctx *ctx;
	XML_Parser parser;
	uint64_t steps;
	unsigned depth;
	bool wanted, too_long; /* the text of the element that was opened last */
	char *text;	       /* held memory */
	size_t text_len, text_cap;
	bool stopped;
	struct vtr_error err; /* why */
};

/*
 * What expat allocates is held: names that are unlike each other, a tag that does not end. Its functions for memory have
 * no argument, so the account is the thread's for as long as one document is parsed.
 */
static _Thread_local struct xml_account {
	struct vtr_ctx *ctx;
	struct vtr_error err; /* why memory was refused */
} * xml_account;

static void *xml_malloc(size_t size)
{
	return vtr_hold(xml_account->ctx, size, 1, "an XML document", &xml_account->err);
}

static void *xml_realloc(void *p, size_t size)
{
	if (vtr_hold_resize(&p, xml_account->ctx, size, 1, "an XML document", &xml_account->err) < 0)
		return NULL;
	return p;
}

static const XML_Memory_Handling_Suite xml_memory = { xml_malloc, xml_realloc, vtr_let_go };

/* Some events may come yet after this. */
static void xml_stop(struct xml *p)
{
	p->stopped = true;
	XML_StopParser(p->parser, XML_FALSE);
}

/* Prefixes are not looked up: writers forget to declare them. */
static const char *xml_local(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon ? colon + 1 : name;
}

const char *vtr_xml_attr(const char *const *attrs, const char *name)
{
	for (; attrs[0]; attrs += 2)
		if (strcmp(xml_local(attrs[0]), name) == 0)
			return attrs[1];
	return NULL;
}

static void xml_begin_text(struct xml *p, bool wanted)
{
	p->wanted = wanted;
	p->too_long = false;
	p->text_len = 0;
}

static void XMLCALL xml_on_start(void *arg, const XML_Char *name, const XML_Char **attrs)
{
	struct xml *p = arg;
	int r;

	if (p->stopped)
		return;
	if (p->depth == VTR_XML_DEPTH)
		r = vtr_fail(&p->err, VTR_ECORRUPT, "more than %u elements within each other", VTR_XML_DEPTH);
	else if (vtr_tick(p->ctx, &p->steps, 1, &p->err) < 0)
		r = -1;
	else
		r = p->x->start(p->arg, ++p->depth, xml_local(name), (const char *const *)attrs, &p->err);
	if (r < 0)
		xml_stop(p);
	xml_begin_text(p, r > 0);
}

/* The text, with a NUL behind it, in held memory that grows by doubling. */
static int xml_text_put(struct xml *p, const char *bytes, size_t len)
{
	uint64_t need = (uint64_t)p->text_len + len + 1, most = VTR_MAX(p->ctx->lim.alloc, need);
	void *text = p->text;

	if (need > p->text_cap) {
		uint64_t cap = VTR_MIN(2 * need, most);

		if (vtr_hold_resize(&text, p->ctx, cap, 1, "text of an element", &p->err) < 0)
			return -1;
		p->text = text;
		p->text_cap = (size_t)cap;
	}
	if (len > 0)
		memcpy(p->text + p->text_len, bytes, len);
	p->text_len += len;
	p->text[p->text_len] = 0;
	return 0;
}

static void XMLCALL xml_on_text(void *arg, const XML_Char *text, int len)
{
	struct xml *p = arg;
	size_t max = p->x->text_max;

	if (p->stopped || !p->wanted)
		return;
	if (max && (size_t)len > max - p->text_len)
		p->too_long = true;
	else if (vtr_tick(p->ctx, &p->steps, 1, &p->err) < 0 || xml_text_put(p, text, (size_t)len) < 0)
		xml_stop(p);
}

static void XMLCALL xml_on_end(void *arg, const XML_Char *name)
{
	struct xml *p = arg;
	int r = 0;

	if (p->stopped)
		return;
	if (xml_text_put(p, "", 0) < 0)
		r = -1;
	else if (p->too_long)
		r = vtr_fail(&p->err, VTR_ECORRUPT, "%s: more than %zu bytes", xml_local(name), p->x->text_max);
	else if (p->x->end)
		r = p->x->end(p->arg, p->depth, xml_local(name), p->text, p->text_len, &p->err);
	if (r < 0)
		xml_stop(p);
	p->depth--;
	xml_begin_text(p, false);
}

static void XMLCALL xml_on_doctype(void *arg, const XML_Char *name, const XML_Char *system_id,
				   const XML_Char *public_id, int declarations)
{
	struct xml *p = arg;

	(void)system_id, (void)public_id;
	if (p->x->doctype && !declarations)
		return;
	vtr_error_set(&p->err, VTR_ECORRUPT, "it has a document type (\"%s\")%s, which no writer puts there", name,
		      p->x->doctype ? " with declarations" : "");
	xml_stop(p);
}

/* Why it ended at this place. */
static int xml_fail(const struct xml *p, struct vtr_error *err)
{
	enum XML_Error why = XML_GetErrorCode(p->parser);
	unsigned long line = XML_GetCurrentLineNumber(p->parser);
	bool cut = why == XML_ERROR_NO_ELEMENTS || why == XML_ERROR_UNCLOSED_TOKEN;

	if (p->stopped) {
		if (err)
			*err = p->err;
		return p->err.code == VTR_ENOMEM ? -1 : vtr_at(err, "line %lu", line);
	}
	if (why == XML_ERROR_NO_MEMORY) {
		if (xml_account->err.code != VTR_ELIMIT)
			return vtr_fail(err, VTR_ENOMEM, "out of memory");
		if (err)
			*err = xml_account->err;
		return vtr_at(err, "line %lu", line);
	}
	if (p->x->no_xml)
		return vtr_fail(err, VTR_ECORRUPT, "%s: line %lu: %s", p->x->no_xml, line, XML_ErrorString(why));
	return vtr_fail(err, cut ? VTR_ETRUNCATED : VTR_ECORRUPT, "line %lu: %s%s", line,
			cut ? "the document ends too early: " : "", XML_ErrorString(why));
}

int vtr_xml_parse(const struct vtr_xml *x, void *arg, struct vtr_ctx *ctx, const void *document, size_t len,
		  struct vtr_error *err)
{
	struct xml_account account = { ctx, { 0 } }, *outer = xml_account;
	struct xml p = { .x = x, .arg = arg, .ctx = ctx };
	int r = 0;

	/* expat counts lines and bytes in long. */
	if (len > INT32_MAX / 2)
		return vtr_fail(err, VTR_ELIMIT, "a document of %zu bytes, at most %d", len, INT32_MAX / 2);
	xml_account = &account;
	p.parser = XML_ParserCreate_MM(NULL, &xml_memory, NULL);
	if (!p.parser) {
		xml_account = outer;
		if (err)
			*err = account.err;
		return -1;
	}
	XML_SetUserData(p.parser, &p);
	XML_SetElementHandler(p.parser, xml_on_start, xml_on_end);
	XML_SetCharacterDataHandler(p.parser, xml_on_text);
	XML_SetStartDoctypeDeclHandler(p.parser, xml_on_doctype);
	for (size_t at = 0, n; r == 0 && (at < len || len == 0); at += n) {
		n = VTR_MIN(len - at, (size_t)XML_PIECE);
		if (XML_Parse(p.parser, (const char *)document + at, (int)n, at + n == len) != XML_STATUS_OK)
			r = xml_fail(&p, err);
		if (len == 0)
			break;
	}
	XML_ParserFree(p.parser);
	xml_account = outer;
	vtr_let_go(p.text);
	return r;
}
