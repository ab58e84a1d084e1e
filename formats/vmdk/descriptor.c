/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The descriptor: text that names a disk's extents, its parent and its facts. VMware's "Virtual Disk Format 5.0",
 * chapter "The Descriptor File". A line is a comment, an extent, or a key and its value. Case does not matter; blanks
 * around "=" and at the ends, any line ends, and values without quotes are met with, and read.
 */
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#include "base/fold.h"
#include "base/utf16.h"
#include "formats/vmdk/vmdk.h"

const char *const vtr_vmdk_types[VMDK_TYPES] = {
	"FLAT", "SPARSE", "ZERO", "VMFS", "VMFSSPARSE", "VMFSRDM", "VMFSRAW", "SESPARSE",
};

#define DESC_SIGN "disk descriptorfile"

/* ------------------------------------------------------------------------------------------------------------ text */

/* Whether p starts with the word, whatever the case of its letters. */
static bool desc_starts(const char *p, size_t len, const char *word)
{
	size_t n = strlen(word);

	return n <= len && vtr_ascii_ncasecmp(p, word, n) == 0;
}

static bool desc_is(const char *p, size_t len, const char *word)
{
	return len == strlen(word) && desc_starts(p, len, word);
}

static bool desc_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

/* 0: bytes; 1, 2: UTF-16, little and big endian. What is text in Latin letters has a NUL in every second byte. */
static int desc_utf16(const uint8_t *p, size_t len)
{
	if (len >= 2 && p[0] == 0xff && p[1] == 0xfe)
		return 1;
	if (len >= 2 && p[0] == 0xfe && p[1] == 0xff)
		return 2;
	if (len >= 4 && p[0] == '#' && p[1] == 0 && p[2] != 0 && p[3] == 0)
		return 1;
	if (len >= 4 && p[0] == 0 && p[1] == '#' && p[2] == 0 && p[3] != 0)
		return 2;
	return 0;
}

/* The bytes as text that ends with a NUL, the caller's. A descriptor ends at its first NUL: room is filled with them. */
static char *desc_text(bool *utf8, const uint8_t *p, size_t len, struct vtr_error *err)
{
	int wide = desc_utf16(p, len);
	size_t bom = 0;
	char *out;

	*utf8 = wide != 0;
	if (!wide) {
		if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
			bom = 3;
		return vtr_strndup((const char *)p + bom, strnlen((const char *)p + bom, len - bom), err);
	}
	if (!(out = vtr_calloc(1, len / 2 * 3 + 1, err)))
		return NULL;
	if (len >= 2 && memcmp(p, wide == 2 ? "\xfe\xff" : "\xff\xfe", 2) == 0)
		bom = 2;
	(void)vtr_utf16_to_utf8(out, len / 2 * 3 + 1, p + bom, len - bom, wide == 2 ? VTR_UTF16_BE : VTR_UTF16_LE);
	return out;
}

/* The first line that is neither empty nor the start of a descriptor's comments decides. */
static bool desc_is_text(const char *p, size_t len)
{
	const char *end = p + len;

	while (p < end) {
		size_t n = 0, left;

		while (p < end && (desc_blank(*p) || *p == '\r' || *p == '\n'))
			p++;
		left = (size_t)(end - p);
		while (n < left && p[n] != '\n' && p[n] != '\r' && p[n] != 0)
			n++;
		if (n < left && p[n] == 0)
			left = n;
		if (n == 0)
			return false;
		if (p[0] != '#') {
			/* Without the comment, what a configuration file may have for its first line is too little. */
			if (desc_starts(p, n, "encryption.keysafe"))
				return true;
			if (desc_starts(p, n, ".encoding") || desc_starts(p, n, "encoding")) {
				p += n;
				continue;
			}
			if (!desc_starts(p, n, "version"))
				return false;
			for (size_t i = 0; i < left; i++)
				if (desc_starts(p + i, left - i, "createtype"))
					return true;
			return false;
		}
		for (size_t i = 1; i < n; i++) {
			if (desc_starts(p + i, n - i, DESC_SIGN))
				return true;
			if (!desc_blank(p[i]) && p[i] != '#')
				break;
		}
		p += n;
	}
	return false;
}

bool vtr_vmdk_is_descriptor(const uint8_t *p, size_t len)
{
	char narrow[512];
	int wide = desc_utf16(p, len);
	size_t n = 0;

	if (!wide) {
		if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
			return desc_is_text((const char *)p + 3, len - 3);
		return desc_is_text((const char *)p, len);
	}
	for (size_t i = 0; i + 2 <= len && n < sizeof(narrow); i += 2)
		if (p[i + (wide == 1)] == 0 && p[i + (wide == 2)] < 0x80)
			narrow[n++] = (char)p[i + (wide == 2)];
	return desc_is_text(narrow, n);
}

/* ----------------------------------------------------------------------------------------------------------- lines */

/* The next word of a line: p at its start; its length. */
static size_t desc_word(char **p)
{
	size_t n = 0;

	while (desc_blank(**p))
		(*p)++;
	while ((*p)[n] && !desc_blank((*p)[n]))
		n++;
	return n;
}

/* A number in decimal digits and nothing else. */
static bool desc_number(uint64_t *out, const char *p, size_t len)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++)
		if (p[i] < '0' || p[i] > '9' || vtr_mul_over(v, 10u, &v) || vtr_add_over(v, (uint64_t)(p[i] - '0'), &v))
			return false;
	*out = v;
	return len > 0;
}

/* The access of an extent's line; -1: it is none. */
static int desc_access(const char *p, size_t len)
{
	static const char *const names[] = { "RW", "RDONLY", "NOACCESS" };

	for (int i = 0; i < 3; i++)
		if (desc_is(p, len, names[i]))
			return i;
	return -1;
}

/*
 *	RW 4192256 SPARSE "test-s001.vmdk"
 *	RW 1048576 FLAT "test-f001.vmdk" 0
 *	RW 63 ZERO
 *
 * What follows (the identifiers of a partition and a device, by Workstation 9) is left aside.
 */
static int desc_extent(struct vmdk_descriptor *d, int access, char *p, struct vtr_error *err)
{
	struct vmdk_line line = { .access = access, .type = VMDK_TYPES };
	size_t n = desc_word(&p);
	char *name;

	if (!desc_number(&line.sectors, p, n) || line.sectors > INT64_MAX / VMDK_SECTOR)
		return vtr_fail(err, VTR_ECORRUPT, "\"%.*s\" is no number of sectors", (int)VTR_MIN(n, (size_t)80), p);
	p += n;
	n = desc_word(&p);
	for (int i = 0; i < VMDK_TYPES; i++)
		if (desc_is(p, n, vtr_vmdk_types[i]))
			line.type = i;
	/* A line that ends here was cut. */
	if (line.type == VMDK_TYPES)
		return vtr_fail(err, p[n] ? VTR_EUNSUPPORTED : VTR_ECORRUPT, "the type \"%.*s\" is unknown",
				(int)VTR_MIN(n, (size_t)80), p);
	p += n;
	while (desc_blank(*p))
		p++;
	if (*p == '"') {
		name = ++p;
		p = strchr(p, '"');
		if (!p)
			return vtr_fail(err, VTR_ECORRUPT, "the name has no end");
		line.name = name;
		*p++ = 0;
	} else if (*p && line.type != VMDK_ZERO) {
		name = p;
		p += desc_word(&p);
		if (*p)
			*p++ = 0;
		line.name = name;
	}
	n = desc_word(&p);
	if (n > 0 && line.type != VMDK_ZERO && !desc_number(&line.offset, p, n))
		return vtr_fail(err, VTR_ECORRUPT, "\"%.*s\" is no offset in sectors", (int)VTR_MIN(n, (size_t)80), p);
	if (line.offset > INT64_MAX / VMDK_SECTOR)
		return vtr_fail(err, VTR_ECORRUPT, "the offset of %" PRIu64 " sectors is more than 2^63 bytes",
				line.offset);
	if (line.type != VMDK_ZERO && access != VMDK_NOACCESS && (!line.name || !line.name[0]))
		return vtr_fail(err, VTR_ECORRUPT, "it names no file");
	if (line.name && strlen(line.name) >= VMDK_MAX_NAME)
		return vtr_fail(err, VTR_ECORRUPT, "a name of %zu bytes", strlen(line.name));
	if (d->n_lines == VMDK_MAX_EXTENTS)
		return vtr_fail(err, VTR_ELIMIT, "more than %u extents", VMDK_MAX_EXTENTS);
	if (!VTR_GROW(d->lines, d->n_lines, d->cap_lines, err))
		return -1;
	d->lines[d->n_lines++] = line;
	return 0;
}

/* key = "value". The first of a key counts. */
static void desc_pair(struct vmdk_descriptor *d, char *p)
{
	static const struct {
		const char *key;
		size_t member;
	} keys[] = {
#define X(member, key) { key, offsetof(struct vmdk_descriptor, member) },
		VMDK_KEYS(X)
#undef X
	};
	char *eq = strchr(p, '='), *v, *end;
	size_t n;

	if (!eq)
		return;
	n = (size_t)(eq - p);
	while (n > 0 && desc_blank(p[n - 1]))
		n--;
	v = eq + 1;
	while (desc_blank(*v))
		v++;
	end = v + strlen(v);
	if (*v == '"') {
		char *quote = strrchr(++v, '"');

		if (quote)
			end = quote;
	}
	*end = 0;
	for (size_t i = 0; i < VTR_COUNT(keys); i++) {
		const char **to = (const char **)((char *)d + keys[i].member);

		if (desc_is(p, n, keys[i].key) && !*to)
			*to = v;
	}
}

static int desc_line(struct vmdk_descriptor *d, char *p, size_t number, struct vtr_error *err)
{
	size_t len = strlen(p), n;
	int access;

	while (len > 0 && desc_blank(p[len - 1]))
		p[--len] = 0;
	n = desc_word(&p);
	if (n == 0 || *p == '#')
		return 0;
	access = desc_access(p, n);
	if (access < 0) {
		desc_pair(d, p);
		return 0;
	}
	if (desc_extent(d, access, p + n, err) < 0)
		return vtr_at(err, "descriptor: line %zu: extent", number);
	return 0;
}

int vtr_vmdk_parse(struct vmdk_descriptor *out, const uint8_t *p, size_t len, struct vtr_error *err)
{
	struct vmdk_descriptor d = { .text = NULL };
	size_t number = 0;
	char *line, *next;

	d.text = desc_text(&d.utf8, p, len, err);
	if (!d.text)
		return -1;
	for (line = d.text; line; line = next) {
		size_t n = strcspn(line, "\r\n");

		next = line[n] ? line + n + 1 : NULL;
		if (next && line[n] == '\r' && *next == '\n')
			next++;
		line[n] = 0;
		if (desc_line(&d, line, ++number, err) < 0) {
			vtr_vmdk_descriptor_done(&d);
			return -1;
		}
	}
	*out = d;
	return 0;
}

void vtr_vmdk_descriptor_done(struct vmdk_descriptor *d)
{
	free(d->text);
	free(d->lines);
	memset(d, 0, sizeof(*d));
}

bool vtr_vmdk_hex(uint32_t *out, const char *text)
{
	uint32_t v = 0;
	size_t n = 0;

	if (desc_starts(text, strlen(text), "0x"))
		text += 2;
	for (; text[n] && !desc_blank(text[n]); n++) {
		char c = vtr_ascii_lower(text[n]);

		if (n == 8 || !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*out = v;
	return n > 0;
}

/* -------------------------------------------------------------------------------------------------------- encoding */

/*
 * What the C library calls an encoding. Only these: a name from an image is never given to it, and encodings with
 * states are none that VMware writes.
 */
static const char *desc_charset(const char *name)
{
	static const struct {
		const char *name, *charset; /* small letters and digits alone */
	} known[] = {
		{ "gbk", "GBK" },
		{ "gb2312", "GBK" },
		{ "cp936", "GBK" },
		{ "windows936", "GBK" },
		{ "ms936", "GBK" },
		{ "gb18030", "GB18030" },
		{ "big5", "BIG5" },
		{ "cp950", "BIG5" },
		{ "windows950", "BIG5" },
		{ "shiftjis", "CP932" },
		{ "sjis", "CP932" },
		{ "cp932", "CP932" },
		{ "ms932", "CP932" },
		{ "windows31j", "CP932" },
		{ "windows932", "CP932" },
		{ "windows932j", "CP932" },
		{ "eucjp", "EUC-JP" },
		{ "euckr", "UHC" },
		{ "cp949", "UHC" },
		{ "windows949", "UHC" },
		{ "ms949", "UHC" },
		{ "ksc56011987", "UHC" },
		{ "koi8r", "KOI8-R" },
		{ "cp874", "CP874" },
		{ "windows874", "CP874" },
		{ "tis620", "TIS-620" },
		{ "cp1250", "CP1250" },
		{ "windows1250", "CP1250" },
		{ "cp1251", "CP1251" },
		{ "windows1251", "CP1251" },
		{ "cp1252", "CP1252" },
		{ "windows1252", "CP1252" },
		{ "cp1253", "CP1253" },
		{ "windows1253", "CP1253" },
		{ "cp1254", "CP1254" },
		{ "windows1254", "CP1254" },
		{ "cp1255", "CP1255" },
		{ "windows1255", "CP1255" },
		{ "cp1256", "CP1256" },
		{ "windows1256", "CP1256" },
		{ "cp1257", "CP1257" },
		{ "windows1257", "CP1257" },
		{ "cp1258", "CP1258" },
		{ "windows1258", "CP1258" },
		{ "iso88591", "ISO-8859-1" },
		{ "latin1", "ISO-8859-1" },
		{ "iso88592", "ISO-8859-2" },
		{ "iso88595", "ISO-8859-5" },
		{ "iso88597", "ISO-8859-7" },
		{ "iso88599", "ISO-8859-9" },
		{ "iso885915", "ISO-8859-15" },
	};
	char plain[24];
	size_t n = 0;

	for (const char *p = name; *p && n < sizeof(plain) - 1; p++) {
		char c = vtr_ascii_lower(*p);

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			plain[n++] = c;
	}
	plain[n] = 0;
	for (size_t i = 0; i < VTR_COUNT(known); i++)
		if (strcmp(plain, known[i].name) == 0)
			return known[i].charset;
	return NULL;
}

char *vtr_vmdk_utf8(const struct vmdk_descriptor *d, const char *value)
{
	const char *name = d->encoding ? d->encoding : d->dot_encoding, *charset;
	size_t left = strlen(value), room = left * 4 + 1;
	char *in = (char *)(uintptr_t)value, *out, *to;
	bool ascii = true;
	iconv_t conv;

	for (size_t i = 0; i < left; i++)
		ascii &= (unsigned char)value[i] < 0x80;
	/* Before it was written down, it was what Windows had; most had this. */
	charset = name ? desc_charset(name) : vtr_utf8_is(value, left) ? NULL : "CP1252";
	if (ascii || d->utf8 || !charset)
		return NULL;
	conv = iconv_open("UTF-8", charset);
	if (conv == (iconv_t)-1)
		return NULL;
	out = to = malloc(room);
	if (out && (iconv(conv, &in, &left, &to, &room) == (size_t)-1 || left > 0 || room == 0)) {
		free(out);
		out = NULL;
	}
	if (out)
		*to = 0;
	iconv_close(conv);
	return out;
}
