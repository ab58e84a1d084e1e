/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text that LVM2 keeps its metadata in: nested sections of names with numbers, strings and arrays of these. */
#ifndef VTR_VOLUMES_LVM2_TEXT_H
#define VTR_VOLUMES_LVM2_TEXT_H

#include "base/ctx.h"

enum lvm2_kind { LVM2_SECTION = 1, LVM2_ARRAY, LVM2_NUMBER, LVM2_STRING };

/* A name with what it stands for, or an item of an array, whose key is "". */
struct lvm2_node {
	const char *key;
	int kind;	  /* enum lvm2_kind */
	int64_t number;	  /* NUMBER; a fraction is cut off */
	const char *text; /* STRING */
	uint32_t child;	  /* SECTION, ARRAY: the first one; 0: none */
	uint32_t next;	  /* 0: the last one */
};

struct lvm2_text {
	struct vtr_ctx *ctx; /* a reference */
	char *bytes;	     /* a copy of the text; strings and keys lie in it */
	struct lvm2_node *v; /* v[0] is the whole, a section */
	size_t n, cap;
	uint64_t held;
};

/*
 * Parse len bytes. With top only what stands outside of sections is kept, and what is in the first section: the sections
 * below that are passed over. VTR_ECORRUPT with the line; VTR_ELIMIT (depth, metadata). t is released with
 * lvm2_text_done() in any case.
 */
int lvm2_text_parse(struct lvm2_text *t, struct vtr_ctx *ctx, const char *text, size_t len, bool top,
		    struct vtr_error *err);
void lvm2_text_done(struct lvm2_text *t);

/* The first child of a section that has this name; NULL: there is none. in may be NULL. */
const struct lvm2_node *lvm2_find(const struct lvm2_text *t, const struct lvm2_node *in, const char *key);

/* The first and the next child; NULL after the last. in may be NULL. */
const struct lvm2_node *lvm2_first(const struct lvm2_text *t, const struct lvm2_node *in);
const struct lvm2_node *lvm2_next(const struct lvm2_text *t, const struct lvm2_node *n);

/* A number of a section that is there and not negative; false: it is not. */
bool lvm2_number(uint64_t *out, const struct lvm2_text *t, const struct lvm2_node *in, const char *key);
/* A string; NULL: there is none of this name. */
const char *lvm2_string(const struct lvm2_text *t, const struct lvm2_node *in, const char *key);
/* Whether an array of strings has one; a string alone counts as an array of one. */
bool lvm2_has_flag(const struct lvm2_text *t, const struct lvm2_node *in, const char *key, const char *flag);

#endif
