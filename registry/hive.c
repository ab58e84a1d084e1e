/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hive as its callers see it: keys, values and security descriptors, and looking them up by name. */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/filetime.h"
#include "base/utf16.h"
#include "registry/registry.h"

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
			if (vtr_hive_list_lost(h, k, "class name", &why, err) < 0)
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
		return vtr_hive_at(h, err);
	for (size_t i = 0; i < len; i++) {
		size_t end = i;

		while (end < len && path[end] != '\\')
			end++;
		if (end > i) {
			if (VTR_OVER(h->ctx, depth, ++n, "names in a registry path", err) < 0 ||
			    hive_find_one(&k, h, &k, path + i, end - i, err) < 0)
				return vtr_hive_at(h, err);
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
		return vtr_hive_at(h, err);
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
		return vtr_hive_list_lost(e->h, e->of, "subkeys", &why, err);
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
		return vtr_hive_at(h, err);
	e.of = &k;
	r = vtr_hive_each_subkey(h, &k, hive_emit_key, &e, err);
	vtr_str_done(&e.name);
	vtr_str_done(&e.class_name);
	return r < 0 ? vtr_hive_at(h, err) : r == 2 ? e.result : 0;
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
		return vtr_hive_at(h, err);
	for (uint32_t i = 0; i < n && r == 0; i++) {
		if (vtr_hive_value_read(&v, h, vtr_get_le32(list + 4 * (size_t)i), &why) < 0) {
			if (vtr_hive_list_lost(h, &k, "values", &why, err) < 0)
				r = -1, vtr_hive_at(h, err);
			continue;
		}
		if (vtr_hive_value_show(&value, &name, h, &v, 0, err) < 0) {
			r = vtr_hive_at(h, err);
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
		return vtr_hive_at(h, err);
	for (uint32_t i = 0; i < n; i++) {
		if (vtr_hive_value_read(&v, h, vtr_get_le32(list + 4 * (size_t)i), &why) < 0) {
			if (vtr_hive_list_lost(h, &k, "values", &why, err) < 0)
				return vtr_hive_at(h, err);
			continue;
		}
		if (!vtr_hive_name_is(&v.name, &want))
			continue;
		return vtr_hive_value_show(out, &h->value_text, h, &v, 0, err) < 0 ? vtr_hive_at(h, err) : 0;
	}
	vtr_error_set(err, VTR_ENOTFOUND, name[0] ? "no value \"%s\"" : "no default value%s", name);
	return vtr_hive_at(h, err);
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
		return vtr_hive_at(h, err);
	if (k.security == HIVE_NONE) {
		vtr_error_set(err, VTR_ENOTFOUND, "key at %#" PRIx64 ": it has no security descriptor", HIVE_AT(k.off));
		return vtr_hive_at(h, err);
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
		return vtr_hive_at(h, err);
	}
	*out = p + 20;
	*len = size;
	return 0;
}
