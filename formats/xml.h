/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A scanner of small XML documents in memory, for property lists and descriptors: elements, attributes and text, one
 * after the other. No entities but the five of XML and numbers, no internal subset of a document type: nothing in a
 * document makes it larger than it is. UTF-8 only.
 */
#ifndef VTR_FORMATS_XML_H
#define VTR_FORMATS_XML_H

#include "base/text.h"

#define VTR_XML_DEPTH 64u

enum vtr_xml_event { VTR_XML_END = 0, VTR_XML_OPEN, VTR_XML_CLOSE, VTR_XML_TEXT, VTR_XML_BAD };

struct vtr_xml {
	const char *start, *p, *end;
	unsigned depth; /* elements that are open, the one of this event included for OPEN, not for CLOSE */
	bool closes;	/* the element that was opened is empty: <a/> */
	bool cdata;	/* TEXT: as it is */
	/* Borrowed from the document. OPEN and CLOSE: the name without its prefix, and what is written behind it. TEXT. */
	const char *name, *attrs, *text;
	size_t name_len, attrs_len, text_len;
};

void vtr_xml_init(struct vtr_xml *x, const char *document, size_t len);
int vtr_xml_next(struct vtr_xml *x); /* an enum vtr_xml_event. After END and BAD the same again */
bool vtr_xml_is(const struct vtr_xml *x, const char *name);

/* Append the decoded text of this event; or an attribute's by its name without a prefix: false when there is none. */
void vtr_xml_put_text(struct vtr_str *out, const struct vtr_xml *x);
bool vtr_xml_put_attr(struct vtr_str *out, const struct vtr_xml *x, const char *name);

#endif
