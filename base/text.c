/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text from images: UTF-8 (RFC 3629), UTF-16, GUIDs (RFC 4122), and escaping for terminals and logs. */
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"

size_t vtr_utf8_next(uint32_t *out, const uint8_t *p, size_t len)
{
	uint32_t cp, min;
	size_t n;

	if (len == 0)
		return 0;
	if (p[0] < 0x80) {
		*out = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] < 0xe0) {
		n = 2, cp = p[0] & 0x1f, min = 0x80;
	} else if ((p[0] & 0xf0) == 0xe0) {
		n = 3, cp = p[0] & 0x0f, min = 0x800;
	} else if (p[0] >= 0xf0 && p[0] < 0xf5) {
		n = 4, cp = p[0] & 0x07, min = 0x10000;
	} else {
		return 0;
	}
	if (n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (p[i] & 0x3f);
	}
	if (cp < min || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		return 0;
	*out = cp;
	return n;
}

bool vtr_utf8_is(const char *bytes, size_t len)
{
	const uint8_t *p = (const uint8_t *)bytes;
	uint32_t cp;

	for (size_t i = 0, n; i < len; i += n) {
		n = vtr_utf8_next(&cp, p + i, len - i);
		if (n == 0)
			return false;
	}
	return true;
}

size_t vtr_utf8_put(char *out, uint32_t cp)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

/*
 * Code points that change how a terminal shows what follows, or that cannot be seen: C1 controls, bidirectional
 * controls and marks, zero-width and line separators, the byte-order mark, tags, noncharacters at the planes' ends.
 */
static bool text_hides(uint32_t cp)
{
	return (cp >= 0x80 && cp < 0xa0) || cp == 0xad || cp == 0x61c || cp == 0x180e ||
	       (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2060 && cp <= 0x206f) ||
	       cp == 0xfeff || (cp >= 0xfff9 && cp <= 0xfffb) || (cp & 0xfffe) == 0xfffe ||
	       (cp >= 0xe0000 && cp <= 0xe007f);
}

/* The escaped form of what starts at p: its length into esc (at most 12), the bytes used as the result. */
static size_t text_escape_one(char *esc, size_t *esc_len, const uint8_t *p, size_t len)
{
	uint32_t cp = 0;
	size_t n = vtr_utf8_next(&cp, p, len);

	if (n == 0 || (n == 1 && (cp < 0x20 || cp == 0x7f))) {
		if (n == 1 && cp == '\n')
			*esc_len = (size_t)sprintf(esc, "\\n");
		else if (n == 1 && cp == '\t')
			*esc_len = (size_t)sprintf(esc, "\\t");
		else
			*esc_len = (size_t)sprintf(esc, "\\x%02X", p[0]);
		return 1;
	}
	if (cp == '\\') {
		*esc_len = (size_t)sprintf(esc, "\\\\");
	} else if (text_hides(cp)) {
		*esc_len = (size_t)sprintf(esc, "\\u{%04X}", cp);
	} else {
		memcpy(esc, p, n);
		*esc_len = n;
	}
	return n;
}

/* How many bytes from p on are plain: printable ASCII, and no backslash. Most names are nothing else. */
static size_t text_plain(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && p[n] >= 0x20 && p[n] < 0x7f && p[n] != '\\')
		n++;
	return n;
}

/* The escape in a JSON string of what starts at p and must not stand there as it is; at most 12 bytes and a NUL. */
static size_t text_json_one(char *esc, size_t *esc_len, const uint8_t *p, size_t len)
{
	static const char letters[0x20] = { [8] = 'b', [9] = 't', [10] = 'n', [12] = 'f', [13] = 'r' };
	uint32_t cp = 0;
	size_t n = vtr_utf8_next(&cp, p, len);

	if (n == 0) {
		*esc_len = (size_t)sprintf(esc, "\xef\xbf\xbd"); /* U+FFFD */
		return 1;
	}
	if (cp == '"' || cp == '\\') {
		*esc_len = (size_t)sprintf(esc, "\\%c", (int)cp);
	} else if (cp < 0x20 && letters[cp]) {
		*esc_len = (size_t)sprintf(esc, "\\%c", letters[cp]);
	} else if (cp >= 0x10000 && text_hides(cp)) {
		*esc_len = (size_t)sprintf(esc, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((cp - 0x10000) >> 10)),
					   (unsigned)(0xdc00 + ((cp - 0x10000) & 0x3ff)));
	} else if (cp < 0x20 || cp == 0x7f || text_hides(cp)) {
		*esc_len = (size_t)sprintf(esc, "\\u%04x", (unsigned)cp);
	} else {
		*esc_len = 0; /* it may stand there */
	}
	return n;
}

int vtr_json_escape(const char *bytes, size_t len, vtr_write *write, void *arg)
{
	const uint8_t *p = (const uint8_t *)bytes;
	size_t from = 0, i = 0;
	int r = 0;

	while (i < len && r == 0) {
		char esc[16];
		size_t n, k;

		if (p[i] >= 0x20 && p[i] < 0x7f && p[i] != '"' && p[i] != '\\') {
			i++;
			continue;
		}
		k = text_json_one(esc, &n, p + i, len - i);
		if (n > 0) {
			if (i > from)
				r = write(arg, bytes + from, i - from);
			if (r == 0)
				r = write(arg, esc, n);
			from = i + k;
		}
		i += k;
	}
	return r == 0 && len > from ? write(arg, bytes + from, len - from) : r;
}

size_t vtr_escape(char *buf, size_t size, const char *bytes, size_t len)
{
	const uint8_t *p = (const uint8_t *)bytes;
	size_t full = text_plain(p, len), at = 0;
	bool cut = full >= size;

	at = cut ? (size > 0 ? size - 1 : 0) : full;
	if (at > 0)
		memcpy(buf, p, at);
	for (size_t i = full; i < len;) {
		char esc[16];
		size_t n;

		i += text_escape_one(esc, &n, p + i, len - i);
		if (!cut && at + n < size) {
			memcpy(buf + at, esc, n);
			at += n;
		} else {
			cut = true;
		}
		full += n;
	}
	if (size > 0)
		buf[at] = 0;
	return full;
}

/* The length of the escape at p, a backslash; 1 when none is there. */
static size_t text_escape_len(const char *p)
{
	size_t n = 3;

	if (p[1] == 'n' || p[1] == 't' || p[1] == '\\')
		return 2;
	if (p[1] == 'x' && p[2] && p[3])
		return 4;
	if (p[1] != 'u' || p[2] != '{')
		return 1;
	while (n < 10 && p[n] && p[n] != '}')
		n++;
	return p[n] == '}' ? n + 1 : 1;
}

size_t vtr_escape_cut(const char *escaped, size_t len)
{
	size_t size = strnlen(escaped, len < SIZE_MAX - 16 ? len + 16 : len), at = 0;

	while (at < size && at < len) {
		uint32_t cp;
		size_t n = escaped[at] == '\\' ? text_escape_len(escaped + at)
					       : vtr_utf8_next(&cp, (const uint8_t *)escaped + at, size - at);

		n = n ? n : 1;
		if (n > len - at)
			break;
		at += n;
	}
	return at;
}

static void text_hex(char *out, const uint8_t *p, size_t len, const char *digits)
{
	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
}

static void text_uuid(char out[37], const uint8_t u[16], const char *digits)
{
	text_hex(out, u, 4, digits);
	text_hex(out + 9, u + 4, 2, digits);
	text_hex(out + 14, u + 6, 2, digits);
	text_hex(out + 19, u + 8, 2, digits);
	text_hex(out + 24, u + 10, 6, digits);
	out[8] = out[13] = out[18] = out[23] = '-';
	out[36] = 0;
}

void vtr_uuid_text(char out[37], const uint8_t uuid[16])
{
	text_uuid(out, uuid, "0123456789abcdef");
}

void vtr_guid_text(char out[37], const uint8_t g[16])
{
	const uint8_t u[16] = { g[3], g[2], g[1],  g[0],  g[5],	 g[4],	g[7],  g[6],
				g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15] };

	text_uuid(out, u, "0123456789ABCDEF");
}

static bool str_room(struct vtr_str *s, size_t more)
{
	size_t want, cap = s->cap ? s->cap : 64;
	char *p;

	if (s->oom || vtr_add_over(s->len, more, &want) || vtr_add_over(want, (size_t)1, &want)) {
		s->oom = true;
		return false;
	}
	if (want <= s->cap)
		return true;
	while (cap < want)
		cap = cap > SIZE_MAX / 2 ? want : cap * 2;
	p = realloc(s->p, cap);
	if (!p) {
		s->oom = true;
		return false;
	}
	s->p = p;
	s->cap = cap;
	return true;
}

void vtr_str_put(struct vtr_str *s, const char *bytes, size_t len)
{
	if (!str_room(s, len))
		return;
	if (len > 0)
		memcpy(s->p + s->len, bytes, len);
	s->len += len;
	s->p[s->len] = 0;
}

void vtr_str_puts(struct vtr_str *s, const char *text)
{
	vtr_str_put(s, text, strlen(text));
}

void vtr_str_putf(struct vtr_str *s, const char *fmt, ...)
{
	char buf[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n < 0) {
		s->oom = true;
	} else if ((size_t)n < sizeof(buf)) {
		vtr_str_put(s, buf, (size_t)n);
	} else if (str_room(s, (size_t)n)) {
		va_start(ap, fmt);
		vsnprintf(s->p + s->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
		s->len += (size_t)n;
	}
}

void vtr_str_put_escaped(struct vtr_str *s, const char *bytes, size_t len)
{
	const uint8_t *p = (const uint8_t *)bytes;

	for (size_t i = 0; i < len;) {
		char esc[16];
		size_t n;

		i += text_escape_one(esc, &n, p + i, len - i);
		vtr_str_put(s, esc, n);
	}
	vtr_str_put(s, "", 0);
}

void vtr_str_done(struct vtr_str *s)
{
	free(s->p);
	*s = (struct vtr_str){ 0 };
}

char *vtr_str_take(struct vtr_str *s, struct vtr_error *err)
{
	char *p;

	vtr_str_put(s, "", 0);
	if (s->oom) {
		vtr_str_done(s);
		vtr_error_set(err, VTR_ENOMEM, "out of memory for text");
		return NULL;
	}
	p = s->p;
	*s = (struct vtr_str){ 0 };
	return p;
}

/* The civil date of a day counted from 1970-01-01, in the proleptic Gregorian calendar; years of any sign. */
static void text_civil(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097), yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = (int64_t)yoe + era * 400 + (*month <= 2);
}

static char *text_digits(char *p, unsigned v, unsigned n, char after)
{
	for (unsigned i = n; i-- > 0; v /= 10)
		p[i] = (char)('0' + v % 10);
	p[n] = after;
	return p + n + 1;
}

/* Not gmtime_r() and strftime(): they read the host's time zone files. */
size_t vtr_time_text(char *buf, size_t size, const struct vtr_time *t)
{
	int64_t days = t->sec / 86400, year;
	unsigned rest, month, day;
	char text[64], *p = text;
	size_t n;

	if (t->sec % 86400 < 0)
		days--;
	rest = (unsigned)(t->sec - days * 86400);
	/* Dates beyond any that a filesystem can hold are cut, not wrapped. */
	text_civil(VTR_MAX(VTR_MIN(days, INT64_C(3652059) * 10), INT64_C(-3652059) * 10), &year, &month, &day);
	if (year >= 0 && year <= 9999)
		p = text_digits(p, (unsigned)year, 4, '-');
	else
		p += sprintf(p, "%05" PRId64 "-", year);
	p = text_digits(p, month, 2, '-');
	p = text_digits(p, day, 2, 'T');
	p = text_digits(p, rest / 3600, 2, ':');
	p = text_digits(p, rest / 60 % 60, 2, ':');
	p = text_digits(p, rest % 60, 2, '.');
	p = text_digits(p, t->nsec, 9, 'Z');
	n = (size_t)(p - text);
	if (size > 0) {
		size_t put = VTR_MIN(n, size - 1);

		memcpy(buf, text, put);
		buf[put] = 0;
	}
	return n;
}
