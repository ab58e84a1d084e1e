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
 * What a failure is to the work that meets it. Every code is of one kind. Who goes on after an error asks
 * vtr_error_is() with the kinds that it goes on after, or does not; no file has a list of codes of its own, and the lint
 * sees to it.
 *
 * - DAMAGED: these bytes are wrong, others need not be. It loses one thing: that is warned of, and its siblings follow.
 *   A copy of the bytes elsewhere may help.
 * - UNREAD: these bytes are right, and we fall short. One thing is lost here, too.
 * - MISSING, MISUSED: there is no such thing, or it is of another kind than was asked for. Often no word is said.
 * - FORBIDDEN, UNDECIDED: the caller may allow it, or supply a key or a choice. It is passed up.
 * - LIMITED: more of the work meets the same limit, most often, and it is passed up. Where a limit is of one thing (the
 *   length of one name, the size of one value), that thing is lost, and its siblings follow.
 * - HOST: a file of the host cannot be read. It is passed up where all lies in that file. Where there are several, or the
 *   rest may be readable, one thing is lost.
 * - STOPPED: no memory, or cancelled. Whatever is done next fails, too: it is always passed up.
 */
enum vtr_error_kind {
	VTR_KIND_DAMAGED = 1 << 0,   /* VTR_ECORRUPT, VTR_ETRUNCATED */
	VTR_KIND_UNREAD = 1 << 1,    /* VTR_EUNSUPPORTED */
	VTR_KIND_MISSING = 1 << 2,   /* VTR_ENOTFOUND */
	VTR_KIND_MISUSED = 1 << 3,   /* VTR_EUSAGE */
	VTR_KIND_FORBIDDEN = 1 << 4, /* VTR_EPOLICY */
	VTR_KIND_UNDECIDED = 1 << 5, /* VTR_EKEY, VTR_EAMBIGUOUS */
	VTR_KIND_LIMITED = 1 << 6,   /* VTR_ELIMIT */
	VTR_KIND_HOST = 1 << 7,	     /* VTR_EIO */
	VTR_KIND_STOPPED = 1 << 8,   /* VTR_ENOMEM, VTR_ECANCELLED */
};

/* The image's own failings: reading it again, or raising limits, changes nothing. */
#define VTR_KINDS_LOST (VTR_KIND_DAMAGED | VTR_KIND_UNREAD)
/* Nothing is there that is of use. */
#define VTR_KINDS_ABSENT (VTR_KIND_MISSING | VTR_KIND_MISUSED)
/* What most work ends at. */
#define VTR_KINDS_ENDING (VTR_KIND_LIMITED | VTR_KIND_HOST | VTR_KIND_STOPPED)
/* A file that an image names cannot be opened by this name: another name is worth a try. */
#define VTR_KINDS_UNOPENED (VTR_KIND_MISSING | VTR_KIND_FORBIDDEN | VTR_KIND_UNREAD)

/* Whether an error is of one of the kinds; none is, where nothing has failed. */
bool vtr_error_is(const struct vtr_error *err, unsigned kinds);

static inline bool vtr_error_ends(const struct vtr_error *err)
{
	return vtr_error_is(err, VTR_KINDS_ENDING);
}

#endif
