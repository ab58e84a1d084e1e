/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * XML documents in memory, for property lists and descriptors: the door to expat. Nothing makes a document larger than
 * it is: the declarations of a document type, which define entities, are refused, and no other file is read.
 */
#ifndef VTR_FORMATS_XML_H
#define VTR_FORMATS_XML_H

#include "base/error.h"

#define VTR_XML_DEPTH 32u /* elements within each other */

struct vtr_ctx;

/*
 * What is done with a document. Names are without their prefix, text and names are UTF-8, whatever the document is. All
 * are borrowed until the function returns. The root has depth 1. An error gets the line put in front.
 */
struct vtr_xml {
	size_t text_max; /* bytes of the text of one element; 0: by limits.alloc */
	bool doctype;	 /* a document type without declarations may be there */
	const char
		*no_xml; /* said where the document breaks the rules of XML; NULL: VTR_ETRUNCATED where it is cut off */
	/* 1: the text is wanted, 0: it is not. attrs are for vtr_xml_attr(). */
	int (*start)(void *arg, unsigned depth, const char *name, const char *const *attrs, struct vtr_error *err);
	/* text: directly before the end; "" where it was not wanted. It may be changed in place. NULL: not called. */
	int (*end)(void *arg, unsigned depth, const char *name, char *text, size_t len, struct vtr_error *err);
};

int vtr_xml_parse(const struct vtr_xml *x, void *arg, struct vtr_ctx *ctx, const void *document, size_t len,
		  struct vtr_error *err);

/* The value of an attribute by its name without a prefix; NULL: there is none. */
const char *vtr_xml_attr(const char *const *attrs, const char *name);

#endif
