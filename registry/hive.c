/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registry hives, by "Windows registry file format specification" (M. Suhanov): versions 1.1 to 1.6.
 *
 * A hive is read natively: libhivex reads no logs and refuses what is damaged anywhere. Pages are read when they are first
 * asked for, each once, and stay where they are: what was checked cannot change afterwards, and pointers into the bins
 * hold until the hive closes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/filetime.h"
#include "base/hostfile.h"
#include "base/utf16.h"
#include "registry/registry.h"

#define HIVE_RUN 16u	    /* pages that are read at once */
#define HIVE_BIG_RUN 256u   /* the same of the whole */
#define HIVE_MIN_LISTED 76u /* bytes of a key: no list has more of them than fit into the bins */
#define HIVE_STEP 64u	    /* bytes of names and data for one step: cells may overlap, and be those of many */
#define HIVE_WARN_STEPS 32u /* what making a warning takes */

void vtr_hive_warn(struct vtr_hive *h, const struct vtr_error *err)
{
	struct vtr_error w = *err;

	/* Who goes on after it counts steps too, and is told. */
	(void)vtr_tick(h->ctx, &h->steps, HIVE_WARN_STEPS, NULL);
	vtr_error_at(&w, "registry");
	if (h->name)
		vtr_error_at(&w, "%s", h->name);
	vtr_warn_err(h->ctx, &w);
}

static int hive_at(struct vtr_hive *h, struct vtr_error *err)
{
	if (h->name)
		vtr_error_at(err, "%s", h->name);
	return -1;
}

/* ------------------------------------------------------------------------------------------------------ pages, cells */

static bool hive_has(const struct vtr_hive *h, uint64_t page)
{
	return h->have[page / 64] >> page % 64 & 1;
}

int vtr_hive_charge(struct vtr_hive *h, uint64_t page, uint64_t n, struct vtr_error *err)
{
	for (uint64_t i = 0; i < n; i++) {
		if (hive_has(h, page + i))
			continue;
		if (vtr_charge(h->ctx, HIVE_PAGE, "pages of a registry hive", err) < 0)
			return -1;
		h->charged += HIVE_PAGE;
	}
	return 0;
}

static int hive_fill_pages(struct vtr_hive *h, uint64_t page, uint64_t end, uint64_t ahead, struct vtr_error *err)
{
	uint64_t pages = vtr_div_up(h->size, HIVE_PAGE);

	for (; page < end; page++) {
		uint64_t n = 0, off = page * HIVE_PAGE, len;

		while (n < ahead && page + n < pages && !hive_has(h, page + n))
			n++;
		if (n == 0)
			continue;
		len = VTR_MIN(n * HIVE_PAGE, h->size - off);
		if (vtr_hive_charge(h, page, n, err) < 0)
			return -1;
		/* Where a long read fails, what was asked for may still be there. */
		if (vtr_blk_pread(h->b, HIVE_AT(off), h->bins + off, (size_t)len, err) < 0) {
			n = 1;
			len = VTR_MIN((uint64_t)HIVE_PAGE, h->size - off);
			if (vtr_error_ends(err) ||
			    vtr_blk_pread(h->b, HIVE_AT(off), h->bins + off, (size_t)len, err) < 0)
				return -1;
		}
		for (uint64_t i = 0; i < n; i++)
			h->have[(page + i) / 64] |= (uint64_t)1 << (page + i) % 64;
	}
	return 0;
}

int vtr_hive_fill(struct vtr_hive *h, uint64_t off, uint64_t len, struct vtr_error *err)
{
	uint64_t page = off / HIVE_PAGE, last = (off + (len ? len - 1 : 0)) / HIVE_PAGE;

	if (h->whole)
		return 0;
	while (page <= last && hive_has(h, page))
		page++;
	return page > last ? 0 : hive_fill_pages(h, page, last + 1, VTR_MAX((uint64_t)HIVE_RUN, last + 1 - page), err);
}

int vtr_hive_fill_all(struct vtr_hive *h, struct vtr_error *err)
{
	uint64_t pages = vtr_div_up(h->size, HIVE_PAGE);
	struct vtr_error why;

	for (uint64_t page = 0; page < pages && !h->whole; page += HIVE_BIG_RUN) {
		if (vtr_ctx_check(h->ctx, err) < 0)
			return -1;
		/* Pages that cannot be read are told of by those that ask for them. */
		if (hive_fill_pages(h, page, VTR_MIN(page + HIVE_BIG_RUN, pages), HIVE_BIG_RUN, &why) < 0) {
			if (vtr_error_ends(&why)) {
				if (err)
					*err = why;
				return -1;
			}
			return 0;
		}
	}
	h->whole = true;
	return 0;
}

/*
 * Cell: 4 bytes of size, negative where it is in use; version 1.1 has 4 bytes more. The size is of all of it.
 */
const uint8_t *vtr_hive_cell(struct vtr_hive *h, uint32_t off, uint32_t *len, unsigned flags, struct vtr_error *err)
{
	int64_t size;

	if (off % 8 != 0 || h->size < 8 || off > h->size - 8) {
		vtr_error_set(err, off < h->base.size ? VTR_ETRUNCATED : VTR_ECORRUPT,
			      "cell at %#" PRIx64 ": outside of the bins, which end at %#" PRIx64, HIVE_AT(off),
			      HIVE_AT(h->size));
		return NULL;
	}
	if (vtr_hive_fill(h, off, 8, err) < 0)
		return NULL;
	size = (int32_t)vtr_get_le32(h->bins + off);
	if (size >= 0 && !(flags & HIVE_FREE_TOO)) {
		vtr_error_set(err, VTR_ECORRUPT, "cell at %#" PRIx64 ": it is free", HIVE_AT(off));
		return NULL;
	}
	size = size < 0 ? -size : size;
	if (size < h->head + 4 || (uint64_t)size > h->size - off) {
		vtr_error_set(err,
			      size >= h->head + 4 && (uint64_t)size <= h->base.size - VTR_MIN(off, h->base.size)
				      ? VTR_ETRUNCATED
				      : VTR_ECORRUPT,
			      "cell at %#" PRIx64 ": %" PRIi64 " bytes, the bins end at %#" PRIx64, HIVE_AT(off), size,
			      HIVE_AT(h->size));
		return NULL;
	}
	if (vtr_hive_fill(h, off, (uint64_t)size, err) < 0)
		return NULL;
	*len = (uint32_t)size - h->head;
	return h->bins + off + h->head;
}

/* -------------------------------------------------------------------------------------------------------------- keys */

/*
 * Key node.
 *   0x00  2  "nk"
 *   0x02  2  flags
 *   0x04  8  FILETIME of the last write
 *   0x10  4  parent
 *   0x14  4  number of subkeys, 0x1c 4 their list
 *   0x24  4  number of values, 0x28 4 their list
 *   0x2c  4  security
 *   0x30  4  class name, 0x4a 2 its length
 *   0x48  2  length of the name, 0x4c the name
 */
void vtr_hive_key_parse(struct hive_key *out, const struct vtr_hive *h, uint32_t off, const uint8_t *p, uint32_t len)
{
	*out = (struct hive_key){
		.off = off,
		.flags = vtr_get_le16(p + 2),
		.time = vtr_get_le64(p + 4),
		.parent = vtr_get_le32(p + 0x10),
		.n_subkeys = vtr_get_le32(p + 0x14),
		.subkeys = vtr_get_le32(p + 0x1c),
		.n_values = vtr_get_le32(p + 0x24),
		.values = vtr_get_le32(p + 0x28),
		.security = vtr_get_le32(p + 0x2c),
		.class_off = vtr_get_le32(p + 0x30),
		.class_len = vtr_get_le16(p + 0x4a),
		.name = { .p = p + HIVE_MIN_KEY, .len = vtr_get_le16(p + 0x48) },
	};
	out->name.utf16 = !(out->flags & HIVE_KEY_COMP) || h->head == 8;
	if (out->name.len > len - HIVE_MIN_KEY)
		out->name.len = len - HIVE_MIN_KEY;
}

int vtr_hive_key_read(struct hive_key *out, struct vtr_hive *h, uint32_t off, struct vtr_error *err)
{
	uint32_t len;
	const uint8_t *p = vtr_hive_cell(h, off, &len, 0, err);
	struct vtr_error why;

	if (!p)
		return vtr_at(err, "key");
	if (len < HIVE_MIN_KEY || p[0] != 'n' || p[1] != 'k')
		return vtr_fail(err, VTR_ECORRUPT,
				"key: cell at %#" PRIx64 ": %" PRIu32 " bytes that begin %02x %02x, expected \"nk\"",
				HIVE_AT(off), len, p[0], p[1]);
	vtr_hive_key_parse(out, h, off, p, len);
	if (vtr_get_le16(p + 0x48) > out->name.len) {
		vtr_error_set(&why, VTR_ECORRUPT, "key at %#" PRIx64 ": a name of %u bytes, its cell has %" PRIu32,
			      HIVE_AT(off), vtr_get_le16(p + 0x48), out->name.len);
		vtr_hive_warn(h, &why);
	}
	return vtr_tick(h->ctx, &h->steps, out->name.len / HIVE_STEP, err);
}

/* What is wrong with one list, or a part of it, leaves the others: 0 to go on. */
static int hive_list_lost(struct vtr_hive *h, const struct hive_key *k, const char *what, struct vtr_error *why,
			  struct vtr_error *err)
{
	if (vtr_error_ends(why)) {
		if (err)
			*err = *why;
		return -1;
	}
	vtr_error_at(why, "key at %#" PRIx64 ": %s", HIVE_AT(k->off), what);
	vtr_hive_warn(h, why);
	return 0;
}

struct hive_list {
	struct vtr_hive *h;
	const struct hive_key *k;
	hive_subkey_fn *fn;
	void *arg;
	uint64_t n; /* handed out so far */
};

/* The keys of one list: li has offsets, lf and lh have offsets and what tells of the name. */
static int hive_leaf(struct hive_list *l, const uint8_t *p, uint32_t len, uint32_t off, struct vtr_error *err)
{
	struct vtr_hive *h = l->h;
	uint32_t n = vtr_get_le16(p + 2), size = p[1] == 'i' ? 4 : 8;
	struct vtr_error why;

	if (n > (len - 4) / size) {
		vtr_error_set(&why, VTR_ECORRUPT,
			      "list at %#" PRIx64 ": %" PRIu32 " elements, its cell has room for %" PRIu32,
			      HIVE_AT(off), n, (len - 4) / size);
		if (hive_list_lost(h, l->k, "subkeys", &why, err) < 0)
			return -1;
		n = (len - 4) / size;
	}
	if (vtr_tick(h->ctx, &h->steps, n, err) < 0)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *e = p + 4 + (size_t)size * i;
		int r;

		if (++l->n > h->size / HIVE_MIN_LISTED + 1) {
			vtr_error_set(&why, VTR_ECORRUPT, "more of them than the hive has room for");
			return hive_list_lost(h, l->k, "subkeys", &why, err) < 0 ? -1 : 1;
		}
		r = l->fn(l->arg, vtr_get_le32(e), p[1] == 'h', p[1] == 'h' ? vtr_get_le32(e + 4) : 0, err);
		if (r != 0)
			return r;
	}
	return 0;
}

static bool hive_leaf_is(const uint8_t *p, uint32_t len)
{
	return len >= 4 && p[0] == 'l' && (p[1] == 'i' || p[1] == 'f' || p[1] == 'h');
}

/* An index of lists: one level, as no writer makes two. */
static int hive_index(struct hive_list *l, const uint8_t *p, uint32_t len, struct vtr_error *err)
{
	struct vtr_hive *h = l->h;
	uint32_t n = vtr_get_le16(p + 2), sub_len;
	struct vtr_error why;

	if (n > (len - 4) / 4) {
		vtr_error_set(&why, VTR_ECORRUPT, "index: %" PRIu32 " lists, its cell has room for %" PRIu32, n,
			      (len - 4) / 4);
		if (hive_list_lost(h, l->k, "subkeys", &why, err) < 0)
			return -1;
		n = (len - 4) / 4;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t off = vtr_get_le32(p + 4 + 4 * (size_t)i);
		const uint8_t *sub = vtr_hive_cell(h, off, &sub_len, 0, &why);
		int r;

		/* Lists without keys, and those that are none, count too. */
		if (vtr_tick(h->ctx, &h->steps, 1, err) < 0)
			return -1;
		if (sub && !hive_leaf_is(sub, sub_len)) {
			vtr_error_set(&why, VTR_ECORRUPT,
				      "list at %#" PRIx64 ": it begins %02x %02x, expected \"li\", \"lf\" or \"lh\"",
				      HIVE_AT(off), sub[0], sub[1]);
			sub = NULL;
		}
		if (!sub) {
			if (hive_list_lost(h, l->k, "subkeys", &why, err) < 0)
				return -1;
			continue;
		}
		r = hive_leaf(l, sub, sub_len, off, err);
		if (r != 0)
			return r;
	}
	return 0;
}

int vtr_hive_each_subkey(struct vtr_hive *h, const struct hive_key *k, hive_subkey_fn *fn, void *arg,
			 struct vtr_error *err)
{
	struct hive_list l = { h, k, fn, arg, 0 };
	struct vtr_error why;
	const uint8_t *p;
	uint32_t len;
	int r;

	if (k->n_subkeys == 0)
		return 0;
	p = vtr_hive_cell(h, k->subkeys, &len, 0, &why);
	if (!p)
		return hive_list_lost(h, k, "subkeys", &why, err);
	if (hive_leaf_is(p, len)) {
		r = hive_leaf(&l, p, len, k->subkeys, err);
	} else if (len >= 4 && p[0] == 'r' && p[1] == 'i') {
		r = hive_index(&l, p, len, err);
	} else {
		vtr_error_set(&why, VTR_ECORRUPT,
			      "list at %#" PRIx64 ": it begins %02x %02x, expected \"li\", \"lf\", \"lh\" or \"ri\"",
			      HIVE_AT(k->subkeys), p[0], p[1]);
		return hive_list_lost(h, k, "subkeys", &why, err);
	}
	if (r == 0 && l.n != k->n_subkeys) {
		vtr_error_set(&why, l.n < k->n_subkeys ? VTR_ECORRUPT : VTR_OK,
			      "it says %" PRIu32 ", there are %" PRIu64, k->n_subkeys, l.n);
		return hive_list_lost(h, k, "subkeys", &why, err);
	}
	return r;
}

/* ------------------------------------------------------------------------------------------------------------ values */

int vtr_hive_value_list(const uint8_t **out, uint32_t *n, uint32_t *room, struct vtr_hive *h, const struct hive_key *k,
			struct vtr_error *err)
{
	struct vtr_error why;
	uint32_t len;

	*n = *room = 0;
	*out = NULL;
	if (k->n_values == 0)
		return 0;
	*out = vtr_hive_cell(h, k->values, &len, 0, &why);
	/* With this flag the number is a handle, unless there is such a list all the same. */
	if ((k->flags & HIVE_KEY_PREDEF) && (!*out || k->n_values > len / 4))
		return 0;
	if (!*out)
		return hive_list_lost(h, k, "values", &why, err);
	*room = len / 4;
	*n = k->n_values;
	if (*n > *room) {
		*n = *room;
		vtr_error_set(&why, VTR_ECORRUPT, "it says %" PRIu32 ", the list at %#" PRIx64 " has room for %" PRIu32,
			      k->n_values, HIVE_AT(k->values), *room);
		return hive_list_lost(h, k, "values", &why, err);
	}
	return vtr_tick(h->ctx, &h->steps, *n, err);
}

/*
 * Key value.
 *   0x00  2  "vk"
 *   0x02  2  length of the name, 0x14 the name
 *   0x04  4  bytes of data; the highest bit: they lie in the next field
 *   0x08  4  data
 *   0x0c  4  type
 *   0x10  2  flags; version 1.1 has none
 */
void vtr_hive_value_parse(struct hive_value *out, const struct vtr_hive *h, uint32_t off, const uint8_t *p,
			  uint32_t len)
{
	uint32_t size = vtr_get_le32(p + 4);
	uint16_t flags = h->head == 8 ? 0 : vtr_get_le16(p + 16);

	*out = (struct hive_value){
		.off = off,
		.type = vtr_get_le32(p + 12),
		.data = vtr_get_le32(p + 8),
		.size = size & 0x7fffffff,
		.inline_data = size >> 31,
		.tombstone = flags & HIVE_VALUE_TOMBSTONE,
		.name = { .p = p + HIVE_MIN_VALUE, .len = vtr_get_le16(p + 2), .utf16 = !(flags & HIVE_VALUE_COMP) },
	};
	if (out->name.len > len - HIVE_MIN_VALUE)
		out->name.len = len - HIVE_MIN_VALUE;
}

int vtr_hive_value_read(struct hive_value *out, struct vtr_hive *h, uint32_t off, struct vtr_error *err)
{
	uint32_t len;
	const uint8_t *p = vtr_hive_cell(h, off, &len, 0, err);
	struct vtr_error why;

	if (!p)
		return vtr_at(err, "value");
	if (len < HIVE_MIN_VALUE || p[0] != 'v' || p[1] != 'k')
		return vtr_fail(err, VTR_ECORRUPT,
				"value: cell at %#" PRIx64 ": %" PRIu32 " bytes that begin %02x %02x, expected \"vk\"",
				HIVE_AT(off), len, p[0], p[1]);
	vtr_hive_value_parse(out, h, off, p, len);
	if (vtr_get_le16(p + 2) > out->name.len) {
		vtr_error_set(&why, VTR_ECORRUPT, "value at %#" PRIx64 ": a name of %u bytes, its cell has %" PRIu32,
			      HIVE_AT(off), vtr_get_le16(p + 2), out->name.len);
		vtr_hive_warn(h, &why);
	}
	return vtr_tick(h->ctx, &h->steps, out->name.len / HIVE_STEP, err);
}

/* Data of more than one cell: "db", the number of segments, their list. What there is: 0; 1 with err: less than all. */
static int hive_join(size_t *len, struct vtr_hive *h, const struct hive_value *v, const uint8_t *db, unsigned flags,
		     struct vtr_error *err)
{
	uint32_t n = vtr_get_le16(db + 2), list_len, seg_len;
	const uint8_t *list = vtr_hive_cell(h, vtr_get_le32(db + 4), &list_len, flags, err), *seg;
	size_t at = 0;

	if (!list)
		return 1;
	if (v->size > h->joined_cap) {
		uint8_t *p;

		if (VTR_OVER(h->ctx, alloc, v->size, "a value's data", err) < 0)
			return 1;
		p = realloc(h->joined, v->size);
		if (!p)
			return vtr_fail(err, VTR_ENOMEM, "out of memory for a value");
		h->joined = p;
		h->joined_cap = v->size;
	}
	for (uint32_t i = 0; at < v->size; i++) {
		uint32_t want = VTR_MIN(v->size - (uint32_t)at, HIVE_SEGMENT);

		*len = at;
		if (vtr_tick(h->ctx, &h->steps, 8, err) < 0)
			return -1;
		if (i >= n || i >= list_len / 4) {
			vtr_error_set(err, VTR_ECORRUPT, "%" PRIu32 " bytes in %" PRIu32 " segments", v->size, n);
			return 1;
		}
		seg = vtr_hive_cell(h, vtr_get_le32(list + 4 * (size_t)i), &seg_len, flags, err);
		if (!seg) {
			vtr_error_at(err, "segment %" PRIu32, i);
			return 1;
		}
		memcpy(h->joined + at, seg, VTR_MIN(want, seg_len));
		at += VTR_MIN(want, seg_len);
		if (seg_len < want) {
			*len = at;
			vtr_error_set(err, VTR_ECORRUPT, "segment %" PRIu32 " has %" PRIu32 " bytes, expected %" PRIu32,
				      i, seg_len, want);
			return 1;
		}
	}
	*len = at;
	return 0;
}

static int hive_data(const uint8_t **out, size_t *len, struct vtr_hive *h, const struct hive_value *v, unsigned flags,
		     struct vtr_error *err)
{
	uint32_t cell_len;
	const uint8_t *p;

	*len = 0;
	*out = h->bins;
	if (v->inline_data) {
		*out = h->bins + v->off + h->head + 8;
		*len = VTR_MIN(v->size, 4u);
		if (v->size > 4) {
			vtr_error_set(err, VTR_ECORRUPT, "%" PRIu32 " bytes in a field of 4", v->size);
			return 1;
		}
		return 0;
	}
	if (v->size == 0)
		return 0;
	if (v->size > h->size) {
		vtr_error_set(err, VTR_ECORRUPT, "%" PRIu32 " bytes in a hive of %" PRIu64, v->size, h->size);
		return 1;
	}
	p = vtr_hive_cell(h, v->data, &cell_len, flags, err);
	if (!p)
		return 1;
	if (cell_len >= v->size) {
		*out = p;
		*len = v->size;
		return 0;
	}
	if (v->size > HIVE_SEGMENT && cell_len >= 8 && p[0] == 'd' && p[1] == 'b') {
		int r = hive_join(len, h, v, p, flags, err);

		if (*len > 0)
			*out = h->joined;
		return r;
	}
	*out = p;
	*len = cell_len;
	vtr_error_set(err, VTR_ECORRUPT, "%" PRIu32 " bytes, the cell at %#" PRIx64 " has %" PRIu32, v->size,
		      HIVE_AT(v->data), cell_len);
	return 1;
}

int vtr_hive_value_data(const uint8_t **out, size_t *len, struct vtr_hive *h, const struct hive_value *v,
			unsigned flags, struct vtr_error *err)
{
	int r = hive_data(out, len, h, v, flags, err);

	/* Values may have the same cell. */
	if (r >= 0 && vtr_tick(h->ctx, &h->steps, *len / HIVE_STEP, err) < 0)
		return -1;
	if (r != 0) {
		vtr_error_at(err, "data of the value at %#" PRIx64, HIVE_AT(v->off));
		/* A limit of one value's size loses that value alone. */
		if (err && (err->code == VTR_ECANCELLED || err->code == VTR_ENOMEM))
			return -1;
	}
	return r;
}

/* --------------------------------------------------------------------------------------------------- what is given out */

int vtr_hive_key_show(struct vtr_key *out, struct vtr_str *name, struct vtr_str *class_name, struct vtr_hive *h,
		      const struct hive_key *k, struct vtr_error *err)
{
	struct vtr_error why;
	uint32_t len;
	struct vtr_key key = {
		.id = k->off,
		.written = vtr_filetime(k->time),
		.parent = k->parent,
		.subkeys = k->n_subkeys,
		.values = (k->flags & HIVE_KEY_PREDEF) && k->n_values > h->size / 4 ? 0 : k->n_values,
		.flags = (k->flags & HIVE_KEY_LINK ? VTR_KEY_LINK : 0) |
			 (k->flags & HIVE_KEY_PREDEF ? VTR_KEY_PREDEFINED : 0) |
			 (vtr_hive_name_sound(&k->name) ? 0 : VTR_KEY_NAME_CUT),
		.name_raw = k->name.p,
		.name_raw_len = k->name.len,
		.name_utf16 = k->name.utf16,
	};

	name->len = class_name->len = 0;
	vtr_hive_name_put(name, &k->name);
	if (k->class_len > 0 && k->class_off != HIVE_NONE) {
		const uint8_t *p = vtr_hive_cell(h, k->class_off, &len, 0, &why);

		if (!p) {
			if (hive_list_lost(h, k, "class name", &why, err) < 0)
				return -1;
		} else {
			if (vtr_tick(h->ctx, &h->steps, k->class_len / HIVE_STEP, err) < 0)
				return -1;
			vtr_utf16_put(class_name, p, VTR_MIN(len, k->class_len));
			key.class_name = "";
			key.class_len = class_name->len;
		}
	}
	if (name->oom || class_name->oom)
		return vtr_fail(err, VTR_ENOMEM, "out of memory for a name");
	key.name = name->p;
	key.name_len = name->len;
	if (key.class_name)
		key.class_name = class_name->p;
	*out = key;
	return 0;
}

int vtr_hive_value_show(struct vtr_value *out, struct vtr_str *name, struct vtr_hive *h, const struct hive_value *v,
			unsigned flags, struct vtr_error *err)
{
	struct vtr_value value = {
		.type = v->type,
		.stated_len = v->size,
		.flags = (v->tombstone ? VTR_VALUE_TOMBSTONE : 0) |
			 (vtr_hive_name_sound(&v->name) ? 0 : VTR_VALUE_NAME_CUT),
		.name_raw = v->name.p,
		.name_raw_len = v->name.len,
		.name_utf16 = v->name.utf16,
	};
	struct vtr_error why = { 0 };
	const uint8_t *data;
	int r = vtr_hive_value_data(&data, &value.len, h, v, flags, &why);

	if (r < 0) {
		if (err)
			*err = why;
		return -1;
	}
	if (r == 1) {
		if (!(flags & HIVE_FREE_TOO))
			vtr_hive_warn(h, &why);
		value.flags |= VTR_VALUE_CUT;
	}
	value.data = data;
	name->len = 0;
	vtr_hive_name_put(name, &v->name);
	if (name->oom)
		return vtr_fail(err, VTR_ENOMEM, "out of memory for a name");
	value.name = name->p;
	value.name_len = name->len;
	*out = value;
	return 0;
}

struct hive_lent vtr_hive_lend(struct vtr_hive *h)
{
	struct hive_lent lent = { h->joined, h->joined_cap };

	h->joined = NULL;
	h->joined_cap = 0;
	return lent;
}

void vtr_hive_give_back(struct vtr_hive *h, struct hive_lent lent)
{
	if (h->joined_cap >= lent.cap) {
		free(lent.p);
		return;
	}
	free(h->joined);
	h->joined = lent.p;
	h->joined_cap = lent.cap;
}

/* ----------------------------------------------------------------------------------------------------------- opening */

/* The bins as far as there are any, without reading them. */
static int hive_room(struct vtr_hive *h, uint32_t size, struct vtr_error *err)
{
	uint64_t there = h->b->size > HIVE_BASE ? h->b->size - HIVE_BASE : 0;
	struct vtr_error why;

	h->base.size = size;
	/* Without a checksum the file is the better witness. */
	h->size = h->base.sum_ok || h->info.replayed ? size : VTR_MAX(there, (uint64_t)size);
	if (h->size > 0xfffff000u)
		h->size = 0xfffff000u;
	if (h->info.log_entries == 0 && h->size > there) {
		vtr_error_set(&why, VTR_ETRUNCATED,
			      "the file ends at %#" PRIx64 ", its bins at %#" PRIx64 ": what is not there is lost",
			      h->b->size, HIVE_AT(h->size));
		vtr_hive_warn(h, &why);
		h->size = there;
	}
	if (h->size < HIVE_PAGE)
		return vtr_fail(err, VTR_ETRUNCATED, "%" PRIu64 " bytes of bins, expected %u or more", h->size,
				HIVE_PAGE);
	if (VTR_OVER(h->ctx, hive, h->size, "bytes of a registry hive", err) < 0)
		return -1;
	h->bins = vtr_calloc(1, (size_t)h->size, err);
	h->have = vtr_calloc((size_t)(h->size / HIVE_PAGE / 64 + 1), sizeof(*h->have), err);
	return h->bins && h->have ? 0 : -1;
}

/* Pages beyond the end of the file that a log did not bring. */
static void hive_grown(struct vtr_hive *h)
{
	uint64_t there = h->b->size > HIVE_BASE ? (h->b->size - HIVE_BASE) / HIVE_PAGE : 0;
	uint64_t pages = vtr_div_up(h->size, HIVE_PAGE), lost = 0, first = 0;
	struct vtr_error why;

	for (uint64_t page = there; page < pages; page++) {
		uint64_t off = page * HIVE_PAGE;

		if (hive_has(h, page))
			continue;
		if (lost++ == 0)
			first = page;
		/* Part of it may be in the file; the rest is zeros, which is no cell. */
		if (h->b->size > HIVE_AT(off))
			(void)vtr_blk_pread(h->b, HIVE_AT(off), h->bins + off, (size_t)(h->b->size - HIVE_AT(off)),
					    NULL);
		h->have[page / 64] |= (uint64_t)1 << page % 64;
	}
	if (lost == 0)
		return;
	vtr_error_set(&why, VTR_ETRUNCATED,
		      "the file ends at %#" PRIx64 ", and no log has %" PRIu64 " pages from %#" PRIx64
		      " on: they are lost",
		      h->b->size, lost, HIVE_AT(first * HIVE_PAGE));
	vtr_hive_warn(h, &why);
}

static int hive_replay(struct vtr_hive *h, struct vtr_blk *const *blks, size_t n, struct vtr_error *err)
{
	struct hive_log logs[3] = { 0 };
	struct vtr_error why;
	int used = vtr_hive_logs_read(logs, h, blks, VTR_MIN(n, VTR_COUNT(logs)), err), r = used < 0 ? -1 : 0;
	uint32_t size = h->base.size;

	if (used > 0) {
		/* What a lost base block said is in the log's copy. */
		if (!h->base.sum_ok) {
			struct hive_base lost = h->base;

			h->base = logs[0].base;
			h->base.type = lost.type;
			h->base.sum_ok = false;
		}
		size = logs[used - 1].run.size;
		h->info.replayed = true;
		/* The room is made for what comes out: the file may be shorter. */
		h->info.log_entries = 1;
		r = hive_room(h, size, err);
		h->info.log_entries = 0;
		for (int i = 0; i < used && r == 0; i++)
			r = vtr_hive_log_apply(h, &logs[i], err);
		if (r == 0)
			hive_grown(h);
	} else if (used == 0) {
		vtr_error_set(&why, h->base.sum_ok ? VTR_OK : VTR_ECORRUPT, "%s, and no log %s: it is read as it lies",
			      h->base.sum_ok ? "the hive was being written" : "the checksum of its base block is wrong",
			      n > 0 ? "fits" : "is given");
		vtr_hive_warn(h, &why);
		r = hive_room(h, size, err);
	}
	vtr_hive_logs_free(logs, VTR_COUNT(logs));
	return r;
}

static bool hive_key_at(struct vtr_hive *h, uint64_t off)
{
	return vtr_range_in(off, 8, h->size) && vtr_hive_fill(h, off, 8, NULL) == 0 && h->bins[off] == 'n' &&
	       h->bins[off + 1] == 'k';
}

/* The first key in use that says that it is a root; HIVE_NONE. */
static uint32_t hive_scan_root(struct vtr_hive *h, struct hive_key *k, struct vtr_error *err)
{
	for (uint64_t off = 32; off + 8 + HIVE_MIN_KEY <= h->size; off += 8) {
		const uint8_t *p = h->bins + off + h->head;

		if (off % HIVE_PAGE == 0 && vtr_tick(h->ctx, &h->steps, HIVE_PAGE / 64, err) < 0)
			return HIVE_NONE;
		if (p[0] == 'n' && p[1] == 'k' && (p[2] & HIVE_KEY_ENTRY) &&
		    vtr_hive_key_read(k, h, (uint32_t)off, NULL) == 0)
			return (uint32_t)off;
	}
	vtr_error_set(err, VTR_ECORRUPT, "no key is a root");
	return HIVE_NONE;
}

/* Where the root is. Where the base block leads nowhere, a key that says so is looked for. */
static int hive_find_root(struct vtr_hive *h, struct vtr_error *err)
{
	struct vtr_error why, none;
	struct hive_key k;
	uint32_t off;

	h->head = 4;
	/* Cells of version 1.1 have 8 bytes before them; a damaged base block may say anything. */
	if (h->base.minor == 1 && hive_key_at(h, (uint64_t)h->base.root + 8))
		h->head = 8;
	if (vtr_hive_key_read(&k, h, h->base.root, &why) == 0)
		return 0;
	vtr_error_at(&why, "root");
	off = vtr_error_ends(&why) || vtr_hive_fill_all(h, NULL) < 0 ? HIVE_NONE : hive_scan_root(h, &k, &none);
	if (off == HIVE_NONE) {
		if (err)
			*err = why;
		return -1;
	}
	vtr_error_set(&none, why.code, "%s: the key at %#" PRIx64 " is taken for it", why.text, HIVE_AT(off));
	vtr_hive_warn(h, &none);
	h->base.root = off;
	return 0;
}

static int hive_parse(struct vtr_hive *h, struct vtr_error *err)
{
	size_t len = (size_t)VTR_MIN(h->b->size, (uint64_t)1024);
	uint8_t head[1024] = { 0 };

	if (vtr_blk_pread(h->b, 0, head, len, err) < 0 || vtr_hive_parse_base(&h->base, head, len, err) < 0)
		return -1;
	if (memcmp(head + 512, "DIRT", 4) == 0 || memcmp(head + 512, "HvLE", 4) == 0)
		return vtr_fail(err, VTR_EUNSUPPORTED,
				"a transaction log (type %" PRIu32 "): open the hive that it belongs to", h->base.type);
	if (h->base.sum_ok && (h->base.major != 1 || h->base.minor < 1 || h->base.minor > 6))
		return vtr_fail(err, VTR_EUNSUPPORTED, "version %" PRIu32 ".%" PRIu32 ", read are 1.1 to 1.6",
				h->base.major, h->base.minor);
	return 0;
}

static bool hive_dirty(const struct vtr_hive *h)
{
	return !h->base.sum_ok || h->base.seq[0] != h->base.seq[1];
}

static void hive_describe(struct vtr_hive *h, const uint32_t seq[2])
{
	struct vtr_str s = { 0 };
	size_t n = 0;

	while (n < sizeof(h->base.name) && vtr_get_le16(h->base.name + n) != 0)
		n += 2;
	vtr_utf16_put(&s, h->base.name, n);
	vtr_str_put(&s, "", 0);
	if (!s.oom && s.len < sizeof(h->file_name))
		memcpy(h->file_name, s.p, s.len + 1);
	vtr_str_done(&s);
	h->info.file_name = h->file_name;
	h->info.major = h->base.major;
	h->info.minor = h->base.minor;
	h->info.sequence1 = seq[0];
	h->info.sequence2 = seq[1];
	h->info.written = vtr_filetime(h->base.time);
	h->info.size = h->size;
}

void vtr_hive_close(struct vtr_hive *h)
{
	if (!h)
		return;
	free(h->name);
	if (h->charged > 0)
		vtr_uncharge(h->ctx, h->charged);
	free(h->bins);
	free(h->have);
	free(h->joined);
	vtr_str_done(&h->text);
	vtr_str_done(&h->value_text);
	vtr_str_done(&h->class_text);
	vtr_blk_unref(h->b);
	vtr_ctx_unref(h->ctx);
	free(h);
}

static void hive_close_cleanup(struct vtr_hive **h)
{
	vtr_hive_close(*h);
}

/* Where the logs of a dirty hive come from; *n stays 0 when there are none. */
typedef int hive_logs_fn(void *arg, struct vtr_hive *h, struct vtr_blk *logs[3], size_t *n, struct vtr_error *err);

static int hive_open_as(struct vtr_hive **out, struct vtr_blk *b, const char *name, struct vtr_blk *const *logs,
			size_t n_logs, hive_logs_fn *more, void *arg, struct vtr_error *err)
{
	VTR_CLEANUP(hive_close_cleanup) struct vtr_hive *h = vtr_calloc(1, sizeof(*h), err);
	struct vtr_blk *found[3] = { NULL };
	uint32_t seq[2];
	int r;

	if (!h)
		return -1;
	h->ctx = vtr_ctx_ref(b->ctx);
	h->b = vtr_blk_ref(b);
	if (name && !(h->name = vtr_strndup(name, strlen(name), err)))
		return -1;
	if (hive_parse(h, err) < 0)
		return hive_at(h, err);
	memcpy(seq, h->base.seq, sizeof(seq));
	h->info.dirty = hive_dirty(h);
	if (h->info.dirty && h->ctx->no_replay) {
		struct vtr_error why;

		vtr_error_set(&why, h->base.sum_ok ? VTR_OK : VTR_ECORRUPT, "%s: it is read as it lies",
			      h->base.sum_ok ? "the hive was being written"
					     : "the checksum of its base block is wrong");
		vtr_hive_warn(h, &why);
		r = hive_room(h, h->base.size, err);
	} else if (h->info.dirty) {
		r = 0;
		if (n_logs == 0 && more) {
			r = more(arg, h, found, &n_logs, err);
			logs = found;
		}
		if (r == 0)
			r = hive_replay(h, logs, n_logs, err);
		for (size_t i = 0; i < VTR_COUNT(found); i++)
			vtr_blk_unref(found[i]);
	} else {
		r = hive_room(h, h->base.size, err);
	}
	if (r < 0 || hive_find_root(h, err) < 0)
		return hive_at(h, err);
	hive_describe(h, seq);
	*out = vtr_steal(h);
	return 0;
}

int vtr_hive_open(struct vtr_hive **out, struct vtr_blk *b, struct vtr_blk *const *logs, size_t n_logs,
		  struct vtr_error *err)
{
	return hive_open_as(out, b, NULL, logs, n_logs, NULL, NULL, err);
}

static const char *const hive_log_ends[] = { ".LOG1", ".LOG2", ".LOG" };

/* The last part of a path. */
static const char *hive_leaf_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Logs beside a file of the host: a name that the caller did not give, so that its policy decides. */
static int hive_logs_beside(void *arg, struct vtr_hive *h, struct vtr_blk *logs[3], size_t *n, struct vtr_error *err)
{
	const char *path = arg, *name = hive_leaf_name(path);
	struct vtr_origin hive = { .shown = path, .path = path };
	struct vtr_error why;

	for (size_t i = 0; i < VTR_COUNT(hive_log_ends); i++) {
		VTR_FREE char *want = NULL;
		struct vtr_str s = { 0 };

		vtr_str_puts(&s, name);
		vtr_str_puts(&s, hive_log_ends[i]);
		want = vtr_str_take(&s, err);
		if (!want)
			return -1;
		if (vtr_hostfile_open_named(&logs[i], NULL, h->ctx, &hive, want, "log of a registry hive", &why) == 0) {
			*n = VTR_COUNT(hive_log_ends);
		} else if (why.code == VTR_EPOLICY) {
			why.code = VTR_OK;
			vtr_hive_warn(h, &why);
			return 0;
		} else if (why.code != VTR_ENOTFOUND) {
			vtr_hive_warn(h, &why);
		}
	}
	return 0;
}

int vtr_hive_open_file(struct vtr_hive **out, struct vtr_ctx *ctx, const char *path, struct vtr_blk *const *logs,
		       size_t n_logs, struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *b = NULL;
	char *copy;
	int r;

	if (vtr_hostfile_open(&b, ctx, path, err) < 0)
		return -1;
	copy = vtr_strndup(path, strlen(path), err);
	if (!copy)
		return -1;
	r = hive_open_as(out, b, path, logs, n_logs, hive_logs_beside, copy, err);
	free(copy);
	return r;
}

static int hive_tree_blk(struct vtr_blk **out, struct vtr_tree *t, const char *path, struct vtr_error *err)
{
	struct vtr_place p;

	if (vtr_tree_walk(&p, t, path, VTR_WALK_ICASE, err) < 0)
		return -1;
	return vtr_fs_file_blk(out, p.fs, p.node, err);
}

struct hive_place {
	struct vtr_tree *t;
	const char *path;
};

static int hive_logs_in_tree(void *arg, struct vtr_hive *h, struct vtr_blk *logs[3], size_t *n, struct vtr_error *err)
{
	const struct hive_place *p = arg;
	struct vtr_error why;

	for (size_t i = 0; i < VTR_COUNT(hive_log_ends); i++) {
		VTR_FREE char *path = NULL;
		struct vtr_str s = { 0 };

		vtr_str_puts(&s, p->path);
		vtr_str_puts(&s, hive_log_ends[i]);
		path = vtr_str_take(&s, err);
		if (!path)
			return -1;
		if (hive_tree_blk(&logs[i], p->t, path, &why) == 0)
			*n = VTR_COUNT(hive_log_ends);
		else if (why.code != VTR_ENOTFOUND)
			vtr_hive_warn(h, &why);
	}
	return 0;
}

int vtr_hive_open_path(struct vtr_hive **out, struct vtr_tree *t, const char *path, struct vtr_error *err)
{
	struct hive_place place = { t, path };
	VTR_UNREF struct vtr_blk *b = NULL;

	if (hive_tree_blk(&b, t, path, err) < 0)
		return -1;
	return hive_open_as(out, b, path, NULL, 0, hive_logs_in_tree, &place, err);
}

const struct vtr_hive_info *vtr_hive_info(const struct vtr_hive *h)
{
	return &h->info;
}

uint32_t vtr_hive_root(const struct vtr_hive *h)
{
	return h->base.root;
}

/* ---------------------------------------------------------------------------------------------------------- looking up */

struct hive_lookup {
	struct vtr_hive *h;
	const struct hive_want *want;
	uint32_t hash;
	bool by_hash, passed; /* passed: some have another hash */
	struct hive_key found;
};

/* Names that cannot be read are passed over here: a walk tells of them. */
static int hive_match(void *arg, uint32_t off, bool has_hash, uint32_t hash, struct vtr_error *err)
{
	struct hive_lookup *l = arg;
	struct vtr_error why = { 0 };
	struct hive_key k;

	if (has_hash && l->by_hash && hash != l->hash) {
		l->passed = true;
		return 0;
	}
	if (vtr_hive_key_read(&k, l->h, off, &why) < 0) {
		if (!vtr_error_ends(&why))
			return 0;
		if (err)
			*err = why;
		return -1;
	}
	if (!vtr_hive_name_is(&k.name, l->want))
		return 0;
	l->found = k;
	return 2;
}

/* One name below a key: 0, or VTR_ENOTFOUND. */
static int hive_find_one(struct hive_key *out, struct vtr_hive *h, const struct hive_key *k, const char *name,
			 size_t len, struct vtr_error *err)
{
	HIVE_WANT_DONE struct hive_want want = { 0 };
	struct hive_lookup l = { .h = h, .want = &want, .by_hash = true };
	int r;

	if (vtr_hive_want(&want, name, len, err) < 0)
		return -1;
	for (size_t i = 0; i < want.n; i++)
		l.hash = l.hash * 37 + want.u[i];
	r = vtr_hive_each_subkey(h, k, hive_match, &l, err);
	if (r == 0 && l.passed) {
		/* Hashes are hints: one that is wrong hides no key. */
		l.by_hash = false;
		r = vtr_hive_each_subkey(h, k, hive_match, &l, err);
	}
	if (r < 0)
		return -1;
	if (r != 2)
		return vtr_fail(err, VTR_ENOTFOUND, "no key \"%.*s\"", (int)VTR_MIN(len, 500u), name);
	*out = l.found;
	return 0;
}

int vtr_hive_find(uint32_t *out, struct vtr_hive *h, uint32_t from, const char *path, struct vtr_error *err)
{
	size_t len = strlen(path), n = 0;
	struct hive_key k;

	if (VTR_OVER(h->ctx, path_len, len, "bytes of a registry path", err) < 0 ||
	    vtr_hive_key_read(&k, h, from, err) < 0)
		return hive_at(h, err);
	for (size_t i = 0; i < len; i++) {
		size_t end = i;

		while (end < len && path[end] != '\\')
			end++;
		if (end > i) {
			if (VTR_OVER(h->ctx, depth, ++n, "names in a registry path", err) < 0 ||
			    hive_find_one(&k, h, &k, path + i, end - i, err) < 0)
				return hive_at(h, err);
		}
		i = end;
	}
	*out = k.off;
	return 0;
}

int vtr_hive_key(struct vtr_key *out, struct vtr_hive *h, uint32_t key, struct vtr_error *err)
{
	struct hive_key k;

	if (vtr_hive_key_read(&k, h, key, err) < 0 || vtr_hive_key_show(out, &h->text, &h->class_text, h, &k, err) < 0)
		return hive_at(h, err);
	return 0;
}

struct hive_emit {
	struct vtr_hive *h;
	const struct hive_key *of;
	vtr_key_fn *fn;
	void *arg;
	int result;
	struct vtr_str name, class_name;
};

static int hive_emit_key(void *arg, uint32_t off, bool has_hash, uint32_t hash, struct vtr_error *err)
{
	struct hive_emit *e = arg;
	struct vtr_error why = { 0 };
	struct vtr_key key;
	struct hive_key k;

	(void)has_hash, (void)hash;
	if (vtr_hive_key_read(&k, e->h, off, &why) < 0)
		return hive_list_lost(e->h, e->of, "subkeys", &why, err);
	if (vtr_hive_key_show(&key, &e->name, &e->class_name, e->h, &k, err) < 0)
		return -1;
	e->result = e->fn(e->arg, &key);
	return e->result != 0 ? 2 : 0;
}

int vtr_hive_subkeys(struct vtr_hive *h, uint32_t key, vtr_key_fn *fn, void *arg, struct vtr_error *err)
{
	struct hive_emit e = { .h = h, .fn = fn, .arg = arg };
	struct hive_key k;
	int r;

	if (vtr_hive_key_read(&k, h, key, err) < 0)
		return hive_at(h, err);
	e.of = &k;
	r = vtr_hive_each_subkey(h, &k, hive_emit_key, &e, err);
	vtr_str_done(&e.name);
	vtr_str_done(&e.class_name);
	return r < 0 ? hive_at(h, err) : r == 2 ? e.result : 0;
}

int vtr_hive_values(struct vtr_hive *h, uint32_t key, vtr_value_fn *fn, void *arg, struct vtr_error *err)
{
	struct vtr_error why = { 0 };
	struct vtr_str name = { 0 };
	struct vtr_value value;
	struct hive_value v;
	const uint8_t *list;
	struct hive_key k;
	uint32_t n, room;
	int r = 0;

	if (vtr_hive_key_read(&k, h, key, err) < 0 || vtr_hive_value_list(&list, &n, &room, h, &k, err) < 0)
		return hive_at(h, err);
	for (uint32_t i = 0; i < n && r == 0; i++) {
		if (vtr_hive_value_read(&v, h, vtr_get_le32(list + 4 * (size_t)i), &why) < 0) {
			if (hive_list_lost(h, &k, "values", &why, err) < 0)
				r = -1, hive_at(h, err);
			continue;
		}
		if (vtr_hive_value_show(&value, &name, h, &v, 0, err) < 0) {
			r = hive_at(h, err);
		} else {
			struct hive_lent lent = vtr_hive_lend(h);

			r = fn(arg, &value);
			vtr_hive_give_back(h, lent);
		}
	}
	vtr_str_done(&name);
	return r;
}

int vtr_hive_value(struct vtr_value *out, struct vtr_hive *h, uint32_t key, const char *name, struct vtr_error *err)
{
	HIVE_WANT_DONE struct hive_want want = { 0 };
	struct vtr_error why = { 0 };
	struct hive_value v;
	const uint8_t *list;
	struct hive_key k;
	uint32_t n, room;

	if (vtr_hive_want(&want, name, strlen(name), err) < 0 || vtr_hive_key_read(&k, h, key, err) < 0 ||
	    vtr_hive_value_list(&list, &n, &room, h, &k, err) < 0)
		return hive_at(h, err);
	for (uint32_t i = 0; i < n; i++) {
		if (vtr_hive_value_read(&v, h, vtr_get_le32(list + 4 * (size_t)i), &why) < 0) {
			if (hive_list_lost(h, &k, "values", &why, err) < 0)
				return hive_at(h, err);
			continue;
		}
		if (!vtr_hive_name_is(&v.name, &want))
			continue;
		return vtr_hive_value_show(out, &h->value_text, h, &v, 0, err) < 0 ? hive_at(h, err) : 0;
	}
	vtr_error_set(err, VTR_ENOTFOUND, name[0] ? "no value \"%s\"" : "no default value%s", name);
	return hive_at(h, err);
}

/*
 * Security.
 *   0x00  2  "sk"
 *   0x10  4  bytes of the descriptor, 0x14 the descriptor
 */
int vtr_hive_security(const void **out, size_t *len, struct vtr_hive *h, uint32_t key, struct vtr_error *err)
{
	const uint8_t *p;
	struct hive_key k;
	uint32_t n, size;

	if (vtr_hive_key_read(&k, h, key, err) < 0)
		return hive_at(h, err);
	if (k.security == HIVE_NONE) {
		vtr_error_set(err, VTR_ENOTFOUND, "key at %#" PRIx64 ": it has no security descriptor", HIVE_AT(k.off));
		return hive_at(h, err);
	}
	p = vtr_hive_cell(h, k.security, &n, 0, err);
	if (p && (n < 20 || p[0] != 's' || p[1] != 'k')) {
		vtr_error_set(err, VTR_ECORRUPT, "cell at %#" PRIx64 ": it begins %02x %02x, expected \"sk\"",
			      HIVE_AT(k.security), p[0], p[1]);
		p = NULL;
	}
	size = p ? vtr_get_le32(p + 16) : 0;
	if (p && size > n - 20) {
		vtr_error_set(err, VTR_ECORRUPT, "a descriptor of %" PRIu32 " bytes, its cell has %" PRIu32, size,
			      n - 20);
		p = NULL;
	}
	if (!p) {
		vtr_error_at(err, "key at %#" PRIx64 ": security", HIVE_AT(k.off));
		return hive_at(h, err);
	}
	*out = p + 20;
	*len = size;
	return 0;
}
