/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text from images: UTF-8, GUIDs, strings that grow. UTF-16 is in base/utf16.h. */
#ifndef VTR_BASE_TEXT_H
#define VTR_BASE_TEXT_H

#include "base/bytes.h"
#include "base/error.h"

/* One code point of UTF-8: its length in bytes, 0 when the bytes are not well-formed. */
size_t vtr_utf8_next(uint32_t *out, const uint8_t *p, size_t len);

/* Write a code point; out has 4 bytes. The count. */
size_t vtr_utf8_put(char *out, uint32_t cp);

/* A GUID as EFI and Microsoft store it (the first three fields little endian), in capitals. */
void vtr_guid_text(char out[37], const uint8_t guid[16]);

/* A UUID stored in the order in which it is written, in small letters. */
void vtr_uuid_text(char out[37], const uint8_t uuid[16]);

/* A string that grows. Failing memory is remembered: ask oom at the end. */
struct vtr_str {
	char *p; /* NUL terminated once something was put; NULL before */
	size_t len, cap;
	bool oom;
};
void vtr_str_put(struct vtr_str *s, const char *bytes, size_t len);
void vtr_str_puts(struct vtr_str *s, const char *text);
void vtr_str_putf(struct vtr_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void vtr_str_put_escaped(struct vtr_str *s, const char *bytes, size_t len); /* as vtr_escape() */
void vtr_str_done(struct vtr_str *s);
/* What was put, the caller's to free; NULL and VTR_ENOMEM. s is empty afterwards. */
char *vtr_str_take(struct vtr_str *s, struct vtr_error *err);

#endif
