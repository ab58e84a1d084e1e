/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors: a code and one line of text, kept in the caller's memory; reporting never allocates. */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

const char *vtr_code_name(int code)
{
	static const char *const names[] = {
		[VTR_OK] = "ok",
		[VTR_ECORRUPT] = "corrupt",
		[VTR_ETRUNCATED] = "truncated",
		[VTR_EUNSUPPORTED] = "unsupported",
		[VTR_ELIMIT] = "limit",
		[VTR_EPOLICY] = "policy",
		[VTR_EKEY] = "key",
		[VTR_EAMBIGUOUS] = "ambiguous",
		[VTR_ENOTFOUND] = "not found",
		[VTR_EUSAGE] = "usage",
		[VTR_EIO] = "io",
		[VTR_ENOMEM] = "no memory",
		[VTR_ECANCELLED] = "cancelled",
	};

	if (code < 0 || (size_t)code >= sizeof(names) / sizeof(names[0]))
		return "unknown";
	return names[code];
}

const char *vtr_version(void)
{
#define ERROR_STR2(x) #x
#define ERROR_STR(x) ERROR_STR2(x)
	return ERROR_STR(VTR_VERSION_MAJOR) "." ERROR_STR(VTR_VERSION_MINOR) "." ERROR_STR(VTR_VERSION_PATCH);
}

/* How much of text stays when a character that its end cuts is left out. */
static size_t error_whole(const char *text, size_t len)
{
	size_t at = len;
	uint32_t cp;

	while (at > 0 && len - at < 3 && ((unsigned char)text[at - 1] & 0xc0) == 0x80)
		at--;
	if (at == 0 || ((unsigned char)text[at - 1] & 0xc0) != 0xc0)
		return len;
	return vtr_utf8_next(&cp, (const uint8_t *)text + at - 1, len - at + 1) > 0 ? len : at - 1;
}

/* Format and escape into out. Cut texts end in "…". */
static void __attribute__((format(printf, 3, 0))) error_format(char *out, size_t size, const char *fmt, va_list ap)
{
	static const char more[] = "\xe2\x80\xa6";
	char raw[1020];
	int n = vsnprintf(raw, sizeof(raw), fmt, ap);
	size_t have = n < 0 ? 0 : (size_t)n < sizeof(raw) ? (size_t)n : sizeof(raw) - 1;
	bool cut = n > 0 && (size_t)n >= sizeof(raw);
	size_t full = vtr_escape(out, size, raw, cut ? error_whole(raw, have) : have);

	if (full >= size || cut) {
		size_t at = strlen(out);

		if (at + sizeof(more) > size) {
			at = vtr_escape_cut(out, size - sizeof(more));
		}
		memcpy(out + at, more, sizeof(more));
	}
}

int vtr_code_errno(int code)
{
	static const int errnos[] = {
		[VTR_ECORRUPT] = EUCLEAN,	 [VTR_ETRUNCATED] = EUCLEAN,
		[VTR_EUNSUPPORTED] = EOPNOTSUPP, [VTR_ELIMIT] = EOVERFLOW,
		[VTR_EPOLICY] = EACCES,		 [VTR_EKEY] = ENOKEY,
		[VTR_EAMBIGUOUS] = ENOTUNIQ,	 [VTR_ENOTFOUND] = ENOENT,
		[VTR_EUSAGE] = EINVAL,		 [VTR_EIO] = EIO,
		[VTR_ENOMEM] = ENOMEM,		 [VTR_ECANCELLED] = ECANCELED,
	};

	return code < 0 || (size_t)code >= sizeof(errnos) / sizeof(errnos[0]) ? EIO : errnos[code];
}

void vtr_error_vset(struct vtr_error *err, int code, const char *fmt, va_list ap)
{
	if (!err)
		return;
	error_format(err->text, sizeof(err->text), fmt, ap);
	err->code = code;
	err->posix = vtr_code_errno(code);
}

void vtr_error_set(struct vtr_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vtr_error_vset(err, code, fmt, ap);
	va_end(ap);
}

void vtr_error_at(struct vtr_error *err, const char *fmt, ...)
{
	char place[400], text[sizeof(err->text)];
	va_list ap;
	size_t n, room;

	if (!err)
		return;
	va_start(ap, fmt);
	error_format(place, sizeof(place), fmt, ap);
	va_end(ap);
	memcpy(text, err->text, sizeof(text));
	n = strlen(place);
	memcpy(err->text, place, n);
	memcpy(err->text + n, ": ", 2);
	n += 2;
	room = sizeof(err->text) - 1 - n;
	text[vtr_escape_cut(text, room)] = 0;
	memcpy(err->text + n, text, strlen(text) + 1);
}

/* strerror_r() of glibc returns the text, that of POSIX (musl, BSD) a status: the type of the result says which. */
static const char *__attribute__((unused)) error_text_gnu(const char *text, char *buf)
{
	(void)buf;
	return text;
}

static const char *__attribute__((unused)) error_text_posix(int status, char *buf)
{
	return status == 0 ? buf : "unknown error";
}

int vtr_callback_failed(struct vtr_error *err, struct vtr_error *own, const char *who)
{
	own->text[sizeof(own->text) - 1] = 0;
	if (own->code == VTR_OK)
		return vtr_fail(err, VTR_EUSAGE, "%s failed, and did not say why", who);
	vtr_error_set(err, own->code, "%s", own->text);
	if (err && own->posix)
		err->posix = own->posix;
	return -1;
}

bool vtr_error_is(const struct vtr_error *err, unsigned kinds)
{
	static const uint16_t kind_of[] = {
		[VTR_OK] = 0,
		[VTR_ECORRUPT] = VTR_KIND_DAMAGED,
		[VTR_ETRUNCATED] = VTR_KIND_DAMAGED,
		[VTR_EUNSUPPORTED] = VTR_KIND_UNREAD,
		[VTR_ELIMIT] = VTR_KIND_LIMITED,
		[VTR_EPOLICY] = VTR_KIND_FORBIDDEN,
		[VTR_EKEY] = VTR_KIND_UNDECIDED,
		[VTR_EAMBIGUOUS] = VTR_KIND_UNDECIDED,
		[VTR_ENOTFOUND] = VTR_KIND_MISSING,
		[VTR_EUSAGE] = VTR_KIND_MISUSED,
		[VTR_EIO] = VTR_KIND_HOST,
		[VTR_ENOMEM] = VTR_KIND_STOPPED,
		[VTR_ECANCELLED] = VTR_KIND_STOPPED,
	};

	/* A caller's function may return any code. */
	return err->code >= 0 && (size_t)err->code < sizeof(kind_of) / sizeof(kind_of[0]) &&
	       (kind_of[err->code] & kinds);
}

static const char *error_errno_text(int e, char *buf)
{
	return _Generic(strerror_r(e, buf, 128), char *: error_text_gnu, int: error_text_posix)(
		strerror_r(e, buf, 128), buf);
}

void vtr_error_errno(struct vtr_error *err, int code, int e, const char *fmt, ...)
{
	char what[2 * sizeof(err->text)], text[128];
	va_list ap;

	if (!err)
		return;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	vtr_error_set(err, code, "%s: %s", what, error_errno_text(e, text));
	err->posix = e;
}
