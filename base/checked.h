/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checked arithmetic: true when the result does not fit the type of *out. */
#ifndef VTR_BASE_CHECKED_H
#define VTR_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define vtr_add_over(a, b, out) __builtin_add_overflow((a), (b), (out))
#define vtr_sub_over(a, b, out) __builtin_sub_overflow((a), (b), (out))
#define vtr_mul_over(a, b, out) __builtin_mul_overflow((a), (b), (out))

#define VTR_MIN(a, b) ((a) < (b) ? (a) : (b))
#define VTR_MAX(a, b) ((a) > (b) ? (a) : (b))
#define VTR_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* len bytes from off lie within size. */
static inline bool vtr_range_in(uint64_t off, uint64_t len, uint64_t size)
{
	return off <= size && len <= size - off;
}

static inline bool vtr_pow2_is(uint64_t v)
{
	return v != 0 && (v & (v - 1)) == 0;
}

/* a / b, rounded up; b is not 0. */
static inline uint64_t vtr_div_up(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

/* The number of the highest bit; v is not 0. */
static inline unsigned vtr_log2(uint64_t v)
{
	return 63u - (unsigned)__builtin_clzll(v);
}

#endif
