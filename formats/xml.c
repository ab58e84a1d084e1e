/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Extensible Markup Language 1.0, by expat. */
#include "formats/xml.h"

#include <string.h>

#include <expat.h>

#include "base/ctx.h"
#include "base/text.h"

struct xml {
	const struct vtr_xml *x;
	void *arg;
	struct vtr_ctx *ctx;
	XML_Parser parser;
	uint64_t steps;
	unsigned depth;
	bool wanted, too_long; /* the text of the element that was opened last */
	struct vtr_str text;
	bool stopped;
	struct vtr_error err; /* why */
};

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
	p->text.len = 0;
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

static void XMLCALL xml_on_text(void *arg, const XML_Char *text, int len)
{
	struct xml *p = arg;
	size_t max = p->x->text_max;

	if (p->stopped || !p->wanted)
		return;
	if (max && (size_t)len > max - p->text.len)
		p->too_long = true;
	else if (vtr_tick(p->ctx, &p->steps, 1, &p->err) < 0 ||
		 VTR_OVER(p->ctx, alloc, p->text.len + (size_t)len, "text of an element", &p->err) < 0)
		xml_stop(p);
	else
		vtr_str_put(&p->text, text, (size_t)len);
}

static void XMLCALL xml_on_end(void *arg, const XML_Char *name)
{
	struct xml *p = arg;
	int r = 0;

	if (p->stopped)
		return;
	vtr_str_puts(&p->text, "");
	if (p->text.oom)
		r = vtr_fail(&p->err, VTR_ENOMEM, "out of memory for text");
	else if (p->too_long)
		r = vtr_fail(&p->err, VTR_ECORRUPT, "%s: more than %zu bytes", xml_local(name), p->x->text_max);
	else if (p->x->end)
		r = p->x->end(p->arg, p->depth, xml_local(name), p->text.p, p->text.len, &p->err);
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
	if (why == XML_ERROR_NO_MEMORY)
		return vtr_fail(err, VTR_ENOMEM, "out of memory");
	if (p->x->no_xml)
		return vtr_fail(err, VTR_ECORRUPT, "%s: line %lu: %s", p->x->no_xml, line, XML_ErrorString(why));
	return vtr_fail(err, cut ? VTR_ETRUNCATED : VTR_ECORRUPT, "line %lu: %s%s", line,
			cut ? "the document ends too early: " : "", XML_ErrorString(why));
}

int vtr_xml_parse(const struct vtr_xml *x, void *arg, struct vtr_ctx *ctx, const void *document, size_t len,
		  struct vtr_error *err)
{
	struct xml p = { .x = x, .arg = arg, .ctx = ctx };
	int r = 0;

	/* expat counts in int, and holds a copy of up to the next power of two. */
	if (len > INT32_MAX / 2)
		return vtr_fail(err, VTR_ELIMIT, "a document of %zu bytes, at most %d", len, INT32_MAX / 2);
	p.parser = XML_ParserCreate(NULL);
	if (!p.parser)
		return vtr_fail(err, VTR_ENOMEM, "out of memory");
	XML_SetUserData(p.parser, &p);
	XML_SetElementHandler(p.parser, xml_on_start, xml_on_end);
	XML_SetCharacterDataHandler(p.parser, xml_on_text);
	XML_SetStartDoctypeDeclHandler(p.parser, xml_on_doctype);
	if (XML_Parse(p.parser, document, (int)len, XML_TRUE) != XML_STATUS_OK)
		r = xml_fail(&p, err);
	XML_ParserFree(p.parser);
	vtr_str_done(&p.text);
	return r;
}
