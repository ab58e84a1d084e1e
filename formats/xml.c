/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Extensible Markup Language 1.0, as far as programs write it into disk images. */
#include "formats/xml.h"

#include <stdlib.h>
#include <string.h>

void vtr_xml_init(struct vtr_xml *x, const char *document, size_t len)
{
	*x = (struct vtr_xml){ .start = document, .p = document, .end = document + len };
}

static bool xml_starts(const struct vtr_xml *x, const char *with)
{
	size_t n = strlen(with);

	return n <= (size_t)(x->end - x->p) && memcmp(x->p, with, n) == 0;
}

/* Go behind the next `with`, counted from `skip` bytes on. */
static bool xml_behind(struct vtr_xml *x, size_t skip, const char *with)
{
	const char *at = memmem(x->p + skip, (size_t)(x->end - x->p) - skip, with, strlen(with));

	if (at)
		x->p = at + strlen(with);
	return at != NULL;
}

static bool xml_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The end of a name. */
static const char *xml_name_end(const char *p, const char *end)
{
	while (p < end && !xml_is_space(*p) && !strchr("<>/=\"'", *p))
		p++;
	return p;
}

/* A name without what stands before its colon. */
static void xml_local(const char **name, size_t *len)
{
	const char *colon = memrchr(*name, ':', *len);

	if (colon) {
		*len -= (size_t)(colon + 1 - *name);
		*name = colon + 1;
	}
}

/* <name attributes> or </name>; p is behind the "<". */
static int xml_tag(struct vtr_xml *x)
{
	bool close = x->p < x->end && *x->p == '/';
	const char *name = x->p + close, *at = xml_name_end(name, x->end), *attrs = at;
	char quote = 0;

	for (; at < x->end && (quote || *at != '>'); at++) {
		if (quote)
			quote = *at == quote ? 0 : quote;
		else if (*at == '"' || *at == '\'')
			quote = *at;
		else if (*at == '<')
			return VTR_XML_BAD;
	}
	if (at == x->end || attrs == name)
		return VTR_XML_BAD;
	x->p = at + 1;
	x->name = name;
	x->name_len = (size_t)(attrs - name);
	xml_local(&x->name, &x->name_len);
	x->closes = !close && at[-1] == '/';
	x->attrs = attrs;
	x->attrs_len = (size_t)(at - attrs) - (x->closes && at > attrs ? 1 : 0);
	if (close)
		return x->depth-- == 0 ? VTR_XML_BAD : VTR_XML_CLOSE;
	return ++x->depth > VTR_XML_DEPTH ? VTR_XML_BAD : VTR_XML_OPEN;
}

static int xml_markup(struct vtr_xml *x, bool *skip)
{
	*skip = true;
	if (xml_starts(x, "<?"))
		return xml_behind(x, 2, "?>") ? 0 : VTR_XML_BAD;
	if (xml_starts(x, "<!--"))
		return xml_behind(x, 4, "-->") ? 0 : VTR_XML_BAD;
	if (xml_starts(x, "<![CDATA[")) {
		x->text = x->p + 9;
		*skip = false;
		if (!xml_behind(x, 9, "]]>"))
			return VTR_XML_BAD;
		x->text_len = (size_t)(x->p - 3 - x->text);
		x->cdata = true;
		return VTR_XML_TEXT;
	}
	if (xml_starts(x, "<!")) {
		const char *from = x->p;

		return xml_behind(x, 2, ">") && !memchr(from, '[', (size_t)(x->p - from)) ? 0 : VTR_XML_BAD;
	}
	*skip = false;
	x->p++;
	return xml_tag(x);
}

int vtr_xml_next(struct vtr_xml *x)
{
	int event = VTR_XML_BAD;
	bool skip;

	if (x->closes) {
		x->closes = false;
		x->depth--;
		return VTR_XML_CLOSE;
	}
	do {
		skip = false;
		if (x->p == x->end)
			return x->depth == 0 ? VTR_XML_END : VTR_XML_BAD;
		if (*x->p == '<') {
			event = xml_markup(x, &skip);
			skip &= event == 0;
		} else {
			const char *at = memchr(x->p, '<', (size_t)(x->end - x->p));

			x->text = x->p;
			x->p = at ? at : x->end;
			x->text_len = (size_t)(x->p - x->text);
			x->cdata = false;
			event = VTR_XML_TEXT;
		}
	} while (skip);
	if (event == VTR_XML_BAD) { /* and it stays so */
		x->p = x->end;
		x->depth = VTR_XML_DEPTH;
		x->closes = false;
	}
	return event;
}

bool vtr_xml_is(const struct vtr_xml *x, const char *name)
{
	return strlen(name) == x->name_len && memcmp(name, x->name, x->name_len) == 0;
}

/* One reference, behind its "&": the bytes that it takes; 0: it is none. */
static size_t xml_put_reference(struct vtr_str *out, const char *p, size_t len)
{
	static const struct {
		const char *name;
		char is;
	} names[] = { { "amp;", '&' }, { "lt;", '<' }, { "gt;", '>' }, { "quot;", '"' }, { "apos;", '\'' } };
	size_t n = 1;
	uint32_t cp = 0;
	bool hex;
	char utf8[4];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		n = strlen(names[i].name);
		if (len >= n && memcmp(p, names[i].name, n) == 0) {
			vtr_str_put(out, &names[i].is, 1);
			return n;
		}
	}
	if (len < 3 || p[0] != '#')
		return 0;
	hex = p[1] == 'x';
	for (n = hex ? 2 : 1; n < len && n < 10 && p[n] != ';'; n++) {
		char c = p[n];
		unsigned digit = c >= '0' && c <= '9'	       ? (unsigned)(c - '0')
				 : hex && c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
				 : hex && c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
							       : 99;

		if (digit == 99)
			return 0;
		cp = cp * (hex ? 16 : 10) + digit;
	}
	if (n == len || p[n] != ';' || cp == 0 || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		return 0;
	vtr_str_put(out, utf8, vtr_utf8_put(utf8, cp));
	return n + 1;
}

static void xml_put(struct vtr_str *out, const char *p, size_t len)
{
	vtr_str_puts(out, "");
	while (len > 0) {
		const char *amp = memchr(p, '&', len);
		size_t n = amp ? (size_t)(amp - p) : len;

		vtr_str_put(out, p, n);
		p += n;
		len -= n;
		if (len == 0)
			break;
		n = xml_put_reference(out, p + 1, len - 1);
		if (n == 0)
			vtr_str_put(out, "&", 1);
		p += n + 1;
		len -= n + 1;
	}
}

void vtr_xml_put_text(struct vtr_str *out, const struct vtr_xml *x)
{
	if (x->cdata) {
		vtr_str_puts(out, "");
		vtr_str_put(out, x->text, x->text_len);
	} else {
		xml_put(out, x->text, x->text_len);
	}
}

bool vtr_xml_put_attr(struct vtr_str *out, const struct vtr_xml *x, const char *name)
{
	const char *p = x->attrs, *end = x->attrs + x->attrs_len;

	while (p < end) {
		const char *from, *value;
		size_t n;

		while (p < end && xml_is_space(*p))
			p++;
		from = p;
		p = xml_name_end(p, end);
		n = (size_t)(p - from);
		while (p < end && xml_is_space(*p))
			p++;
		if (p == end || *p != '=')
			return false;
		for (p++; p < end && xml_is_space(*p);)
			p++;
		if (p == end || (*p != '"' && *p != '\''))
			return false;
		value = p + 1;
		p = memchr(value, *p, (size_t)(end - value));
		if (!p)
			return false;
		xml_local(&from, &n);
		if (n == strlen(name) && memcmp(from, name, n) == 0) {
			xml_put(out, value, (size_t)(p - value));
			return true;
		}
		p++;
	}
	return false;
}
