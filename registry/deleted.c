/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Deleted keys and values. Deleting marks cells as free, and free cells that are neighbours become one; what was in them
 * stays until they are used again. So records are looked for at every place of a free cell where a cell may have begun,
 * and in cells that are in use, but that nothing leads to.
 *
 * A record that is found is checked in all that can be: a signature alone is two bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "registry/registry.h"

#define DELETED_MIN_YEAR 0x01b0000000000000u /* FILETIMEs from 1984… */
#define DELETED_MAX_YEAR 0x0280000000000000u /* …to 2171: others are no times of keys */
#define DELETED_MAX_KEY_NAME 512u	     /* bytes: 255 characters, and some */
#define DELETED_MAX_TYPE 0xffffu

/* A value that was found, and the key that it belongs to. */
struct deleted_value {
	struct hive_value v;
	uint32_t owner; /* cell of the key; HIVE_NONE: not known */
};

struct deleted {
	struct vtr_hive *h;
	uint8_t *seen;	      /* a bit for every cell of a key that is there */
	uint8_t *seen_values; /* and of a value */
	struct hive_key *keys;
	size_t n_keys, cap_keys;
	struct deleted_value *values;
	size_t n_values, cap_values;
	struct vtr_value *shown;
	struct vtr_str *names;
	size_t cap_shown, cap_names;
	struct vtr_str data; /* of the values that are shown: theirs may be put together in one place */
	struct vtr_str name, class_name, path;
	vtr_deleted_fn *fn;
	void *arg;
	int result;
};

static bool deleted_bit(const uint8_t *map, uint32_t off)
{
	return map[off / 64] >> off / 8 % 8 & 1;
}

/* Every value of every key that is there. */
static int deleted_mark(void *arg, const struct hive_key *k, const char *path, size_t path_len, unsigned depth,
			struct vtr_error *err)
{
	struct deleted *d = arg;
	const uint8_t *list;
	uint32_t n, room;

	(void)path, (void)path_len, (void)depth;
	if (vtr_hive_value_list(&list, &n, &room, d->h, k, err) < 0)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t off = vtr_get_le32(list + 4 * (size_t)i);

		if (off < d->h->size)
			d->seen_values[off / 64] |= (uint8_t)(1u << off / 8 % 8);
	}
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------ finding */

static bool deleted_name_fits(const struct hive_name *n)
{
	bool bad = n->utf16 && n->len % 2 != 0;

	for (uint32_t i = 0; i < n->len && !n->utf16 && !bad; i++)
		bad = n->p[i] < 0x20 || n->p[i] == 0x7f;
	for (uint32_t i = 0; i + 2 <= n->len && n->utf16 && !bad; i += 2)
		bad = vtr_get_le16(n->p + i) < 0x20;
	return !bad;
}

/* A key whose cell begins at off, with room up to end. */
static int deleted_try_key(struct deleted *d, uint32_t off, uint64_t end, struct vtr_error *err)
{
	const uint8_t *p = d->h->bins + off + d->h->head;
	uint64_t room = end - off - d->h->head;
	struct hive_key k;

	if (room < HIVE_MIN_KEY)
		return 0;
	vtr_hive_key_parse(&k, d->h, off, p, (uint32_t)room);
	if (k.name.len == 0 || k.name.len != vtr_get_le16(p + 0x48) || k.name.len > DELETED_MAX_KEY_NAME ||
	    k.time < DELETED_MIN_YEAR || k.time > DELETED_MAX_YEAR || k.n_subkeys > d->h->size / 8 ||
	    (k.n_values > d->h->size / 8 && !(k.flags & HIVE_KEY_PREDEF)) || !deleted_name_fits(&k.name))
		return 0;
	if (!VTR_GROW(d->keys, d->n_keys, d->cap_keys, err))
		return -1;
	d->keys[d->n_keys++] = k;
	return 0;
}

static int deleted_try_value(struct deleted *d, uint32_t off, uint64_t end, struct vtr_error *err)
{
	const uint8_t *p = d->h->bins + off + d->h->head;
	uint64_t room = end - off - d->h->head;
	struct hive_value v;

	if (room < HIVE_MIN_VALUE)
		return 0;
	vtr_hive_value_parse(&v, d->h, off, p, (uint32_t)room);
	if (v.name.len != vtr_get_le16(p + 2) || v.type > DELETED_MAX_TYPE || (d->h->head == 4 && p[16] > 3) ||
	    (v.inline_data && v.size > 4) || v.size > d->h->size || !deleted_name_fits(&v.name))
		return 0;
	if (!v.inline_data && v.size > 0 && (v.data % 8 != 0 || v.data > d->h->size - 8))
		return 0;
	if (!VTR_GROW(d->values, d->n_values, d->cap_values, err))
		return -1;
	d->values[d->n_values++] = (struct deleted_value){ .v = v, .owner = HIVE_NONE };
	return 0;
}

/* Records in the cell at off, which ends at end. */
static int deleted_scan_cell(struct deleted *d, uint64_t off, uint64_t end, bool used, struct vtr_error *err)
{
	struct vtr_hive *h = d->h;

	for (uint64_t at = off; at + h->head + HIVE_MIN_VALUE <= end; at += 8) {
		const uint8_t *p = h->bins + at + h->head;
		int r = 0;

		if (p[0] == 'n' && p[1] == 'k' && !deleted_bit(d->seen, (uint32_t)at))
			r = deleted_try_key(d, (uint32_t)at, end, err);
		else if (p[0] == 'v' && p[1] == 'k' && !deleted_bit(d->seen_values, (uint32_t)at))
			r = deleted_try_value(d, (uint32_t)at, end, err);
		if (r < 0)
			return -1;
		/* A cell in use is one record. */
		if (used)
			break;
	}
	return 0;
}

static int deleted_scan(struct deleted *d, struct vtr_error *err)
{
	struct vtr_hive *h = d->h;
	uint64_t at = 0, size, end;

	while (h->size - at >= HIVE_PAGE) {
		size = vtr_get_le32(h->bins + at + 8);
		if (memcmp(h->bins + at, "hbin", 4) != 0 || size < HIVE_PAGE || size % HIVE_PAGE != 0 ||
		    size > h->size - at) {
			at += HIVE_PAGE;
			continue;
		}
		end = at + size;
		for (uint64_t cell = at + 32; cell + 8 <= end;) {
			int64_t n = (int32_t)vtr_get_le32(h->bins + cell);
			bool used = n < 0;

			n = n < 0 ? -n : n;
			/* Where the cells are lost, all up to the end of the bin is searched. */
			if (n < 8 || n % 8 != 0 || (uint64_t)n > end - cell) {
				n = (int64_t)(end - cell);
				used = false;
			}
			if (vtr_tick(h->ctx, &h->steps, 1 + (uint64_t)n / 512, err) < 0 ||
			    deleted_scan_cell(d, cell, cell + (uint64_t)n, used, err) < 0)
				return -1;
			cell += (uint64_t)n;
		}
		at = end;
	}
	return 0;
}

/* ------------------------------------------------------------------------------------------------------ what is whose */

/* The value whose cell is off; they were found in ascending order. */
static struct deleted_value *deleted_value_at(struct deleted *d, uint32_t off)
{
	size_t from = 0, to = d->n_values;

	while (from < to) {
		size_t mid = (from + to) / 2;

		if (d->values[mid].v.off < off)
			from = mid + 1;
		else
			to = mid;
	}
	return from < d->n_values && d->values[from].v.off == off ? &d->values[from] : NULL;
}

static const struct hive_key *deleted_key_at(const struct deleted *d, uint32_t off)
{
	size_t from = 0, to = d->n_keys;

	while (from < to) {
		size_t mid = (from + to) / 2;

		if (d->keys[mid].off < off)
			from = mid + 1;
		else
			to = mid;
	}
	return from < d->n_keys && d->keys[from].off == off ? &d->keys[from] : NULL;
}

/* The values in a list, as far as nobody has them yet. */
static int deleted_own(struct deleted *d, uint32_t owner, const uint8_t *list, uint64_t n, struct vtr_error *err)
{
	if (vtr_tick(d->h->ctx, &d->h->steps, 1 + n, err) < 0)
		return -1;
	for (uint64_t i = 0; i < n; i++) {
		struct deleted_value *v = deleted_value_at(d, vtr_get_le32(list + 4 * i));

		if (v && v->owner == HIVE_NONE)
			v->owner = owner;
	}
	return 0;
}

/* The lists of deleted keys lie in free cells, whose size may be that of many that became one. */
static int deleted_own_all(struct deleted *d, struct vtr_error *err)
{
	struct vtr_hive *h = d->h;

	for (size_t i = 0; i < d->n_keys; i++) {
		const struct hive_key *k = &d->keys[i];
		uint64_t from = (uint64_t)k->values + h->head, n = k->n_values;

		if (n == 0 || k->values == HIVE_NONE || k->values % 8 != 0 || (k->flags & HIVE_KEY_PREDEF) ||
		    from >= h->size)
			continue;
		n = VTR_MIN(n, (h->size - from) / 4);
		if (deleted_own(d, k->off, h->bins + from, n, err) < 0)
			return -1;
	}
	return 0;
}

/* A list that became shorter keeps what was behind its new end. */
static int deleted_own_rest(void *arg, const struct hive_key *k, const char *path, size_t path_len, unsigned depth,
			    struct vtr_error *err)
{
	struct deleted *d = arg;
	const uint8_t *list;
	uint32_t len;

	(void)path, (void)path_len, (void)depth;
	/* One that has no values any more may still lead to their list. */
	list = k->values == HIVE_NONE || (k->flags & HIVE_KEY_PREDEF)
		       ? NULL
		       : vtr_hive_cell(d->h, k->values, &len, HIVE_FREE_TOO, NULL);
	if (!list || len / 4 <= k->n_values)
		return 0;
	return deleted_own(d, k->off, list + 4 * (size_t)k->n_values, len / 4 - k->n_values, err);
}

/* The path of a deleted key, through its parents: deleted ones, then those that are there. */
static int deleted_path(struct deleted *d, const struct hive_key *k, struct vtr_error *err)
{
	uint64_t depth = d->h->ctx->lim.depth;
	const struct hive_key *up = k;
	struct vtr_str tail = { 0 };
	uint32_t parent;

	/* The names come from the last one on; there are few of them. */
	d->path.len = 0;
	for (uint64_t n = 0; n < depth && up; n++) {
		if (vtr_tick(d->h->ctx, &d->h->steps, 1 + d->path.len / 256, err) < 0) {
			vtr_str_done(&tail);
			return -1;
		}
		tail.len = 0;
		vtr_str_put(&tail, "\\", 1);
		vtr_hive_name_put(&tail, &up->name);
		vtr_str_put(&tail, d->path.p ? d->path.p : "", d->path.len);
		if (VTR_OVER(d->h->ctx, path_len, tail.len, "bytes of a registry path", NULL) < 0)
			break;
		d->path.len = 0;
		vtr_str_put(&d->path, tail.p ? tail.p : "", tail.len);
		parent = up->parent;
		if (parent % 8 == 0 && parent < d->h->size && deleted_bit(d->seen, parent)) {
			struct vtr_str base = { 0 };

			if (vtr_hive_path_of(&base, d->h, parent, NULL) == 0) {
				/* The root's path is the backslash that the names below it begin with. */
				if (base.len == 1)
					base.len = 0;
				tail.len = 0;
				vtr_str_put(&tail, base.p ? base.p : "", base.len);
				vtr_str_put(&tail, d->path.p, d->path.len);
				d->path.len = 0;
				vtr_str_put(&d->path, tail.p ? tail.p : "", tail.len);
			}
			vtr_str_done(&base);
			up = NULL;
			depth = 0;
			break;
		}
		up = deleted_key_at(d, parent);
		/* A parent is deleted with its keys: one that is no parent is another's remains. */
		if (up && up->off == k->off)
			up = NULL;
	}
	/* Where the way up is lost, so is the first backslash. */
	if (depth != 0 && d->path.len > 0) {
		memmove(d->path.p, d->path.p + 1, d->path.len - 1);
		d->path.len--;
	}
	vtr_str_put(&d->path, "", 0);
	if (tail.oom || d->path.oom) {
		vtr_str_done(&tail);
		return vtr_fail(err, VTR_ENOMEM, "out of memory for a path");
	}
	vtr_str_done(&tail);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------ showing */

static int deleted_owner_cmp(const void *a, const void *b)
{
	const struct deleted_value *x = a, *y = b;

	if (x->owner != y->owner)
		return x->owner < y->owner ? -1 : 1;
	return (x->v.off > y->v.off) - (x->v.off < y->v.off);
}

/* The first value of an owner, or of one behind it; they are sorted by their owners now. */
static size_t deleted_first_of(const struct deleted *d, uint32_t owner)
{
	size_t from = 0, to = d->n_values;

	while (from < to) {
		size_t mid = (from + to) / 2;

		if (d->values[mid].owner < owner)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

/* The values of an owner, each with data of its own. Their count in *n. */
static int deleted_show_values(struct deleted *d, uint32_t owner, size_t *n, struct vtr_error *err)
{
	size_t at = 0;

	*n = 0;
	d->data.len = 0;
	for (size_t i = deleted_first_of(d, owner); i < d->n_values && d->values[i].owner == owner; i++) {
		size_t was = d->cap_names;

		if (!VTR_GROW(d->shown, *n, d->cap_shown, err) || !VTR_GROW(d->names, *n, d->cap_names, err))
			return -1;
		if (d->cap_names > was)
			memset(d->names + was, 0, (d->cap_names - was) * sizeof(*d->names));
		if (vtr_hive_value_show(&d->shown[*n], &d->names[*n], d->h, &d->values[i].v, HIVE_FREE_TOO, err) < 0)
			return -1;
		if (VTR_OVER(d->h->ctx, alloc, d->data.len + d->shown[*n].len, "data of deleted values", err) < 0)
			return -1;
		vtr_str_put(&d->data, d->shown[*n].data, d->shown[*n].len);
		d->shown[*n].flags |= VTR_VALUE_DELETED;
		++*n;
	}
	if (d->data.oom)
		return vtr_fail(err, VTR_ENOMEM, "out of memory for deleted values");
	for (size_t i = 0; i < *n; i++) {
		d->shown[i].data = d->data.p ? d->data.p + at : "";
		at += d->shown[i].len;
	}
	return 0;
}

static int deleted_give(struct deleted *d, const struct hive_key *k, bool gone, struct vtr_error *err)
{
	struct vtr_key key;
	size_t n;

	if (deleted_show_values(d, k ? k->off : HIVE_NONE, &n, err) < 0)
		return -1;
	if (k) {
		struct hive_key shown = *k;

		/* A class name in a free cell is as likely another's. */
		if (gone)
			shown.class_len = 0;
		if (vtr_hive_key_show(&key, &d->name, &d->class_name, d->h, &shown, err) < 0)
			return -1;
		key.path = d->path.p;
		key.path_len = d->path.len;
		key.flags |= gone ? VTR_KEY_DELETED : 0;
	} else if (n == 0) {
		return 0;
	}
	d->result = d->fn(d->arg, k ? &key : NULL, d->shown, n);
	return d->result != 0 ? -1 : 0;
}

static int deleted_show(struct deleted *d, struct vtr_error *err)
{
	struct hive_key k;

	if (d->n_values > 1)
		qsort(d->values, d->n_values, sizeof(*d->values), deleted_owner_cmp);
	for (size_t i = 0; i < d->n_keys; i++)
		if (vtr_tick(d->h->ctx, &d->h->steps, 1, err) < 0 || deleted_path(d, &d->keys[i], err) < 0 ||
		    deleted_give(d, &d->keys[i], true, err) < 0)
			return -1;
	for (size_t i = 0; i < d->n_values; i++) {
		uint32_t owner = d->values[i].owner;

		if (owner == HIVE_NONE || (i > 0 && owner == d->values[i - 1].owner) || deleted_key_at(d, owner))
			continue;
		if (vtr_tick(d->h->ctx, &d->h->steps, 1, err) < 0 || vtr_hive_key_read(&k, d->h, owner, err) < 0 ||
		    vtr_hive_path_of(&d->path, d->h, owner, err) < 0 || deleted_give(d, &k, false, err) < 0)
			return -1;
	}
	return deleted_give(d, NULL, false, err);
}

static void deleted_done(struct deleted *d)
{
	for (size_t i = 0; i < d->cap_names; i++)
		vtr_str_done(&d->names[i]);
	free(d->names);
	free(d->shown);
	free(d->keys);
	free(d->values);
	free(d->seen);
	free(d->seen_values);
	vtr_str_done(&d->data);
	vtr_str_done(&d->name);
	vtr_str_done(&d->class_name);
	vtr_str_done(&d->path);
}

int vtr_hive_deleted(struct vtr_hive *h, vtr_deleted_fn *fn, void *arg, struct vtr_error *err)
{
	struct deleted d = { .h = h, .fn = fn, .arg = arg };
	size_t bits = (size_t)(h->size / 64 + 1);
	int r = -1;

	d.seen = vtr_calloc(1, bits, err);
	d.seen_values = vtr_calloc(1, bits, err);
	if (d.seen && d.seen_values && vtr_hive_fill_all(h, err) == 0 &&
	    vtr_hive_visit(h, h->base.root, 0, UINT32_MAX, deleted_mark, &d, d.seen, err) == 0 &&
	    deleted_scan(&d, err) == 0 && deleted_own_all(&d, err) == 0) {
		r = vtr_hive_visit(h, h->base.root, 0, UINT32_MAX, deleted_own_rest, &d, NULL, err);
		if (r == 0)
			r = deleted_show(&d, err);
	}
	deleted_done(&d);
	if (d.result != 0)
		return d.result;
	if (r < 0 && h->name)
		vtr_error_at(err, "%s", h->name);
	return r;
}
