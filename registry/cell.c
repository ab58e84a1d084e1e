/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pages and cells of a hive, and what lies in them: keys, lists of subkeys, values and their data, by "Windows registry file
 * format specification" (M. Suhanov), versions 1.1 to 1.6.
 *
 * Pages are read when they are first asked for, each once, and stay where they are: what was checked cannot change
 * afterwards, and pointers into the bins hold until the hive closes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "registry/registry.h"

#define HIVE_RUN 16u	    /* pages that are read at once */
#define HIVE_BIG_RUN 256u   /* the same of the whole */
#define HIVE_MIN_LISTED 76u /* bytes of a key: no list has more of them than fit into the bins */
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

int vtr_hive_at(struct vtr_hive *h, struct vtr_error *err)
{
	if (h->name)
		vtr_error_at(err, "%s", h->name);
	return -1;
}

/* ------------------------------------------------------------------------------------------------------ pages, cells */

bool vtr_hive_has(const struct vtr_hive *h, uint64_t page)
{
	return h->have[page / 64] >> page % 64 & 1;
}

int vtr_hive_charge(struct vtr_hive *h, uint64_t page, uint64_t n, struct vtr_error *err)
{
	for (uint64_t i = 0; i < n; i++) {
		if (vtr_hive_has(h, page + i))
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

		while (n < ahead && page + n < pages && !vtr_hive_has(h, page + n))
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
	while (page <= last && vtr_hive_has(h, page))
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
int vtr_hive_list_lost(struct vtr_hive *h, const struct hive_key *k, const char *what, struct vtr_error *why,
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
		if (vtr_hive_list_lost(h, l->k, "subkeys", &why, err) < 0)
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
			return vtr_hive_list_lost(h, l->k, "subkeys", &why, err) < 0 ? -1 : 1;
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
		if (vtr_hive_list_lost(h, l->k, "subkeys", &why, err) < 0)
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
			if (vtr_hive_list_lost(h, l->k, "subkeys", &why, err) < 0)
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
		return vtr_hive_list_lost(h, k, "subkeys", &why, err);
	if (hive_leaf_is(p, len)) {
		r = hive_leaf(&l, p, len, k->subkeys, err);
	} else if (len >= 4 && p[0] == 'r' && p[1] == 'i') {
		r = hive_index(&l, p, len, err);
	} else {
		vtr_error_set(&why, VTR_ECORRUPT,
			      "list at %#" PRIx64 ": it begins %02x %02x, expected \"li\", \"lf\", \"lh\" or \"ri\"",
			      HIVE_AT(k->subkeys), p[0], p[1]);
		return vtr_hive_list_lost(h, k, "subkeys", &why, err);
	}
	if (r == 0 && l.n != k->n_subkeys) {
		vtr_error_set(&why, l.n < k->n_subkeys ? VTR_ECORRUPT : VTR_OK,
			      "it says %" PRIu32 ", there are %" PRIu64, k->n_subkeys, l.n);
		return vtr_hive_list_lost(h, k, "subkeys", &why, err);
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
		return vtr_hive_list_lost(h, k, "values", &why, err);
	*room = len / 4;
	*n = k->n_values;
	if (*n > *room) {
		*n = *room;
		vtr_error_set(&why, VTR_ECORRUPT, "it says %" PRIu32 ", the list at %#" PRIx64 " has room for %" PRIu32,
			      k->n_values, HIVE_AT(k->values), *room);
		return vtr_hive_list_lost(h, k, "values", &why, err);
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
		if (err && vtr_error_is(err, VTR_KIND_STOPPED))
			return -1;
	}
	return r;
}
