/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registry hives from inside. Offsets are those of cells: bytes from the first bin, which lies at HIVE_BASE of the file. */
#ifndef VTR_REGISTRY_REGISTRY_H
#define VTR_REGISTRY_REGISTRY_H

#include "base/blk.h"
#include "base/bytes.h"
#include "base/text.h"

#define HIVE_BASE 4096u
#define HIVE_PAGE 4096u
#define HIVE_NONE 0xffffffffu /* an offset that leads nowhere */
#define HIVE_AT(off) ((uint64_t)(off) + HIVE_BASE)

#define HIVE_MIN_KEY 76u
#define HIVE_MIN_VALUE 20u
#define HIVE_SEGMENT 16344u /* bytes of a value in one cell of big data */

enum {
	HIVE_KEY_ENTRY = 0x0004,
	HIVE_KEY_LINK = 0x0010,
	HIVE_KEY_COMP = 0x0020,
	HIVE_KEY_PREDEF = 0x0040,
	HIVE_VALUE_COMP = 1,
	HIVE_VALUE_TOMBSTONE = 2,
};

/* A name as it lies: bytes of Latin-1, or UTF-16LE. Borrowed until the hive closes. */
struct hive_name {
	const uint8_t *p;
	uint32_t len; /* bytes */
	bool utf16;
};

struct hive_key {
	uint32_t off;
	uint16_t flags;
	uint64_t time; /* FILETIME */
	uint32_t parent;
	uint32_t n_subkeys, subkeys;
	uint32_t n_values, values;
	uint32_t security, class_off;
	uint16_t class_len; /* bytes */
	struct hive_name name;
};

struct hive_value {
	uint32_t off;
	uint32_t type, data;
	uint32_t size; /* bytes, without the bit */
	bool inline_data, tombstone;
	struct hive_name name;
};

/* The base block. */
struct hive_base {
	uint32_t seq[2];
	uint64_t time; /* FILETIME */
	uint32_t major, minor, type;
	uint32_t root, size; /* of the bins, bytes */
	uint8_t name[64];    /* UTF-16LE */
	uint32_t flags;
	bool sum_ok;
};

struct vtr_hive {
	struct vtr_ctx *ctx; /* a reference */
	struct vtr_blk *b;   /* a reference */
	char *name;	     /* for messages; NULL: none */
	struct hive_base base;
	struct vtr_hive_info info;
	char file_name[3 * 32 + 1];
	uint8_t *bins;	/* size bytes, read when they are asked for */
	uint64_t size;	/* what there is of them */
	uint64_t *have; /* a bit for each page that was read */
	uint64_t charged;
	bool whole;    /* all were */
	unsigned head; /* bytes before a cell's contents */
	uint64_t steps;
	uint8_t *joined; /* a value of several cells */
	size_t joined_cap;
	struct vtr_str text, value_text, class_text; /* of the last key and value that were given out */
};

/* name.c */
void vtr_hive_name_put(struct vtr_str *out, const struct hive_name *n);	     /* UTF-8; lone surrogates become U+FFFD */
int vtr_hive_name_cmp(const struct hive_name *a, const struct hive_name *b); /* as their UTF-8 compares */
bool vtr_hive_name_sound(const struct hive_name *n);			     /* its UTF-16 has no lone surrogates */

/* A name to look for: capitals, in UTF-16. */
struct hive_want {
	uint16_t *u;
	size_t n, cap;
};
int vtr_hive_want(struct hive_want *out, const char *text, size_t len, struct vtr_error *err);
void vtr_hive_want_done(struct hive_want *w);
#define HIVE_WANT_DONE VTR_CLEANUP(vtr_hive_want_done)
bool vtr_hive_name_is(const struct hive_name *n, const struct hive_want *w);
bool vtr_hive_name_has(const struct hive_name *n, const struct hive_want *w); /* somewhere in it */

/* log.c */
int vtr_hive_parse_base(struct hive_base *out, const uint8_t *p, size_t len, struct vtr_error *err);
uint64_t vtr_marvin32(const uint8_t *p, size_t len);
struct hive_log {
	struct vtr_blk *b; /* borrowed */
	uint8_t *bytes;	   /* all of it */
	size_t len;
	struct hive_base base;
	bool sound, new_format;
	struct { /* new: entries that are sound, one after the other; old: the pages */
		size_t from, n;
		uint32_t seq, last_seq;
		uint32_t size; /* of the bins, after the last */
	} run;
};
/* Read what these logs hold, and say which of them apply to the hive, in order. The count. */
int vtr_hive_logs_read(struct hive_log *logs, struct vtr_hive *h, struct vtr_blk *const *blks, size_t n,
		       struct vtr_error *err);
int vtr_hive_log_apply(struct vtr_hive *h, const struct hive_log *log, struct vtr_error *err);
void vtr_hive_logs_free(struct hive_log *logs, size_t n);

/* Charge n pages from this one that were not read yet: done before they are, and released with the hive. */
int vtr_hive_charge(struct vtr_hive *h, uint64_t page, uint64_t n, struct vtr_error *err);

/* cell.c */
#define HIVE_STEP 64u /* bytes of names and data for one step: cells may overlap, and be those of many */
void vtr_hive_warn(struct vtr_hive *h, const struct vtr_error *err);
int vtr_hive_at(struct vtr_hive *h, struct vtr_error *err); /* puts the hive's name in front: -1 */
bool vtr_hive_has(const struct vtr_hive *h, uint64_t page); /* it was read */
int vtr_hive_fill(struct vtr_hive *h, uint64_t off, uint64_t len, struct vtr_error *err);
int vtr_hive_fill_all(struct vtr_hive *h, struct vtr_error *err);
#define HIVE_FREE_TOO (1u << 0) /* a cell that is free will do: for what was deleted */
const uint8_t *vtr_hive_cell(struct vtr_hive *h, uint32_t off, uint32_t *len, unsigned flags, struct vtr_error *err);
int vtr_hive_key_read(struct hive_key *out, struct vtr_hive *h, uint32_t off, struct vtr_error *err);
void vtr_hive_key_parse(struct hive_key *out, const struct vtr_hive *h, uint32_t off, const uint8_t *p, uint32_t len);
/* Each offset in a list of subkeys. hash: of its name, or 0 with has_hash unset. */
typedef int hive_subkey_fn(void *arg, uint32_t off, bool has_hash, uint32_t hash, struct vtr_error *err);
int vtr_hive_each_subkey(struct vtr_hive *h, const struct hive_key *k, hive_subkey_fn *fn, void *arg,
			 struct vtr_error *err);
/* A list of a key that is damaged: 0 with a warning, -1 where *why ends the work. */
int vtr_hive_list_lost(struct vtr_hive *h, const struct hive_key *k, const char *what, struct vtr_error *why,
		       struct vtr_error *err);
/* The list of a key's values: *n offsets of 4 bytes each. What is damaged is warned of. */
int vtr_hive_value_list(const uint8_t **out, uint32_t *n, uint32_t *room, struct vtr_hive *h, const struct hive_key *k,
			struct vtr_error *err);
int vtr_hive_value_read(struct hive_value *out, struct vtr_hive *h, uint32_t off, struct vtr_error *err);
void vtr_hive_value_parse(struct hive_value *out, const struct vtr_hive *h, uint32_t off, const uint8_t *p,
			  uint32_t len);
/*
 * The bytes of a value: 0. 1: less than all, and *err says why. -1: the hive cannot go on. Borrowed until the next call.
 */
int vtr_hive_value_data(const uint8_t **out, size_t *len, struct vtr_hive *h, const struct hive_value *v,
			unsigned flags, struct vtr_error *err);
int vtr_hive_path_of(struct vtr_str *out, struct vtr_hive *h, uint32_t off, struct vtr_error *err);

/* hive.c: what callers see. The texts are in the two strings, which the caller keeps. */
int vtr_hive_key_show(struct vtr_key *out, struct vtr_str *name, struct vtr_str *class_name, struct vtr_hive *h,
		      const struct hive_key *k, struct vtr_error *err);
int vtr_hive_value_show(struct vtr_value *out, struct vtr_str *name, struct vtr_hive *h, const struct hive_value *v,
			unsigned flags, struct vtr_error *err);

/*
 * Data that were put together lie in a buffer of the hive's: it is lent to who is called with them, who may read other
 * values meanwhile.
 */
struct hive_lent {
	uint8_t *p;
	size_t cap;
};
struct hive_lent vtr_hive_lend(struct vtr_hive *h);
void vtr_hive_give_back(struct vtr_hive *h, struct hive_lent lent);

/* open.c */
/* Where the logs of a dirty hive come from; *n stays 0 when there are none. */
typedef int hive_logs_fn(void *arg, struct vtr_hive *h, struct vtr_blk *logs[3], size_t *n, struct vtr_error *err);
/* Open a hive. name: for messages, or NULL; more (or NULL): asked for logs when n_logs is 0 and the hive is dirty. */
int vtr_hive_open_as(struct vtr_hive **out, struct vtr_blk *b, const char *name, struct vtr_blk *const *logs,
		     size_t n_logs, hive_logs_fn *more, void *arg, struct vtr_error *err);

/* walk.c */
#define HIVE_WALK_SORT (1u << 0) /* subkeys by their names' code points, as hivexregedit has them */
typedef int hive_visit(void *arg, const struct hive_key *k, const char *path, size_t path_len, unsigned depth,
		       struct vtr_error *err);
/*
 * From a key downwards, each key once. visit: 0 to go on, 1 not below this one, -1 to stop. seen (may be NULL): a bit for
 * every 8 bytes of the bins, set for each key.
 */
int vtr_hive_visit(struct vtr_hive *h, uint32_t from, unsigned flags, unsigned max_depth, hive_visit *visit, void *arg,
		   uint8_t *seen, struct vtr_error *err);

#endif
