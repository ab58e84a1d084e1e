/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Matching of patterns, for paths that are named by one (fs/glob.c) and for those that are left out (fs/exclude.c). */
#ifndef VTR_FS_PATTERN_H
#define VTR_FS_PATTERN_H

#include "fs/tree.h"

/* How a tree's names are matched. */
struct vtr_pattern {
	bool fold;    /* without regard to case */
	bool escapes; /* a backslash keeps the character after it */
	bool bytes;   /* characters are bytes */
};

/* A tree with drives has Windows' names: case does not count, and a backslash is a slash. */
struct vtr_pattern vtr_pattern_of(const struct vtr_tree *t);

enum vtr_pattern_fit {
	VTR_PATTERN_NOT,
	VTR_PATTERN_FITS,
	VTR_PATTERN_STAR, /* it does not fit beyond a "*": neither would any end of the text */
};

/* Whether a pattern fits all of a text. A slash is a character like any other. */
enum vtr_pattern_fit vtr_pattern_match(const struct vtr_pattern *how, const char *p, const char *p_end, const char *s,
				       const char *s_end);

/* Whether it has more than letters. */
bool vtr_pattern_is(const struct vtr_pattern *how, const char *p, const char *end);

#endif
