/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Letters without regard to case, and digits. The C library's functions go by the locale of the program that uses
 * vitrine: in a Turkish one, "i" and "I" are no pair.
 */
#ifndef VTR_BASE_FOLD_H
#define VTR_BASE_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---------------------------------------------------------------------------------------------- ASCII */

static inline bool vtr_ascii_is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static inline char vtr_ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline char vtr_ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

void vtr_ascii_lower_text(char *s); /* in place */

/* The value of a hexadecimal digit, or -1. */
static inline int vtr_hex_digit(char c)
{
	c = vtr_ascii_lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* As strcasecmp(3), strncasecmp(3) and strcasestr(3), for the letters of ASCII. */
int vtr_ascii_casecmp(const char *a, const char *b) __attribute__((pure));
int vtr_ascii_ncasecmp(const char *a, const char *b, size_t n) __attribute__((pure));
char *vtr_ascii_casestr(const char *s, const char *word) __attribute__((pure));

/* -------------------------------------------------------------------------------------------- Unicode */

/* The capital of a unit of UTF-16, as Windows compares names. */
uint16_t vtr_upcase(uint16_t u);

/*
 * A code point for comparing: equal for the two cases of a letter. It is the small letter in ASCII, and the capital as
 * Windows has it beyond. What is no Unicode (above 0x10ffff) stays.
 */
uint32_t vtr_fold(uint32_t c);

#endif
