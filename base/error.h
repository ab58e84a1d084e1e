/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making errors. Both macros end in `, -1`: the compiler sees the value, and GCC warns of an error that is made but
 * not returned.
 */
#ifndef VTR_BASE_ERROR_H
#define VTR_BASE_ERROR_H

#include <inttypes.h>

#include "api/vitrine.h"

/* vtr_error_set() is public: see vitrine.h. */
void vtr_error_vset(struct vtr_error *err, int code, const char *fmt, va_list ap) __attribute__((format(printf, 3, 0)));

/* Put a place in front of the text: "place: text". */
void vtr_error_at(struct vtr_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same of a failure of the host: e is its errno, whose text comes behind: "path: No such file or directory". */
void vtr_error_errno(struct vtr_error *err, int code, int e, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#define vtr_fail_errno(err, ...) (vtr_error_errno((err), __VA_ARGS__), -1)
#define vtr_fail(err, ...) (vtr_error_set((err), __VA_ARGS__), -1)
#define vtr_at(err, ...) (vtr_error_at((err), __VA_ARGS__), -1)

/*
 * A function of the caller's failed: hand on what it said in own, which is made fit for a message; VTR_EUSAGE where it
 * said nothing. who: "the resolver". -1.
 */
int vtr_callback_failed(struct vtr_error *err, struct vtr_error *own, const char *who);

/*
 * Whether a failure ends the work that meets it: a limit, cancellation, the host's files or memory. Any other is of the
 * one thing that was read: it is warned of, and its siblings follow. Who goes on after an error asks this.
 */
bool vtr_error_ends(const struct vtr_error *err);

#endif
