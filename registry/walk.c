/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys and all below them, each once, without recursion; searching them; whether the bins fit together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "registry/registry.h"

/* A key that waits to be visited. */
struct walk_child {
	uint32_t off, index;
	struct hive_name name;
};

/* A key that says that it hangs elsewhere. */
struct walk_stray {
	uint32_t off, from;
};

/* The children of one key: those in the stack from next to end. */
struct walk_frame {
	size_t next, begin, end, path_len;
};

struct walk {
	struct vtr_hive *h;
	unsigned flags;
	uint8_t *seen;
	struct walk_child *children;
	size_t n_children, cap_children;
	struct walk_frame *frames;
	size_t n_frames, cap_frames;
	struct vtr_str path;
	uint32_t at; /* whose children are collected */
	struct walk_stray *strays;
	size_t n_strays, cap_strays;
};

static bool walk_mark(uint8_t *seen, uint32_t off)
{
	uint8_t bit = (uint8_t)(1u << off / 8 % 8);
	bool was = seen[off / 64] & bit;

	seen[off / 64] |= bit;
	return was;
}

static int walk_child(void *arg, uint32_t off, bool has_hash, uint32_t hash, struct vtr_error *err)
{
	struct walk *w = arg;
	struct vtr_error why = { 0 };
	struct hive_key k;

	(void)has_hash, (void)hash;
	if (vtr_hive_key_read(&k, w->h, off, &why) < 0) {
		if (vtr_error_ends(&why)) {
			if (err)
				*err = why;
			return -1;
		}
		vtr_error_at(&why, "\"%s\": a subkey is lost", w->path.p);
		vtr_hive_warn(w->h, &why);
		return 0;
	}
	/* A key may be in two lists: it belongs to the one of its parent. Else it is shown at last, where it was found. */
	if (k.parent != w->at && w->at != HIVE_NONE) {
		vtr_error_set(&why, VTR_ECORRUPT, "\"%s\": the key at %#" PRIx64 " says that its parent is another",
			      w->path.p, HIVE_AT(off));
		vtr_hive_warn(w->h, &why);
		if (!VTR_GROW(w->strays, w->n_strays, w->cap_strays, err))
			return -1;
		w->strays[w->n_strays++] = (struct walk_stray){ off, w->at };
		return 0;
	}
	if (walk_mark(w->seen, off)) {
		vtr_error_set(&why, VTR_ECORRUPT,
			      "\"%s\": the key at %#" PRIx64 " is reached twice: it is shown where it was found first",
			      w->path.p, HIVE_AT(off));
		vtr_hive_warn(w->h, &why);
		return 0;
	}
	if (!VTR_GROW(w->children, w->n_children, w->cap_children, err))
		return -1;
	w->children[w->n_children] =
		(struct walk_child){ .off = off, .index = (uint32_t)w->n_children, .name = k.name };
	w->n_children++;
	return 0;
}

static int walk_cmp(const void *a, const void *b)
{
	const struct walk_child *x = a, *y = b;
	int c = vtr_hive_name_cmp(&x->name, &y->name);

	return c ? c : (x->index > y->index) - (x->index < y->index);
}

static int walk_enter(struct walk *w, const struct hive_key *k, struct vtr_error *err)
{
	struct walk_frame f = { .begin = w->n_children, .next = w->n_children, .path_len = w->path.len };
	bool sorted = true;

	w->at = k->off;
	if (!VTR_GROW(w->frames, w->n_frames, w->cap_frames, err) ||
	    vtr_hive_each_subkey(w->h, k, walk_child, w, err) < 0)
		return -1;
	f.end = w->n_children;
	for (size_t i = f.begin + 1; (w->flags & HIVE_WALK_SORT) && i < f.end && sorted; i++)
		sorted = walk_cmp(&w->children[i - 1], &w->children[i]) <= 0;
	if (!sorted)
		qsort(w->children + f.begin, f.end - f.begin, sizeof(*w->children), walk_cmp);
	w->frames[w->n_frames++] = f;
	return 0;
}

/* From where a frame's keys hang, whose path is "\" for the root. */
static int walk_put_name(struct walk *w, const struct hive_key *k, struct vtr_error *err)
{
	if (w->path.len > 1)
		vtr_str_put(&w->path, "\\", 1);
	vtr_hive_name_put(&w->path, &k->name);
	vtr_str_put(&w->path, "", 0);
	if (w->path.oom)
		return vtr_fail(err, VTR_ENOMEM, "out of memory for a path");
	return VTR_OVER(w->h->ctx, path_len, w->path.len, "bytes of a registry path", err);
}

/* The next key that hangs nowhere else, in a frame of its own: 1; 0 when there is none. */
static int walk_next_stray(struct walk *w, struct vtr_error *err)
{
	while (w->n_strays > 0) {
		struct walk_stray s = w->strays[--w->n_strays];
		struct walk_frame f = { 0 };

		if (w->seen[s.off / 64] >> s.off / 8 % 8 & 1)
			continue;
		w->n_children = 0;
		w->at = HIVE_NONE;
		if (vtr_hive_path_of(&w->path, w->h, s.from, err) < 0 || walk_child(w, s.off, false, 0, err) < 0 ||
		    !VTR_GROW(w->frames, w->n_frames, w->cap_frames, err))
			return -1;
		f.end = w->n_children;
		f.path_len = w->path.len;
		w->frames[w->n_frames++] = f;
		return 1;
	}
	return 0;
}

static int walk_run(struct walk *w, uint32_t from, unsigned max_depth, hive_visit *visit, void *arg,
		    struct vtr_error *err)
{
	struct hive_key k;
	int r;

	if (vtr_hive_key_read(&k, w->h, from, err) < 0 || vtr_hive_path_of(&w->path, w->h, from, err) < 0)
		return -1;
	walk_mark(w->seen, from);
	r = visit(arg, &k, w->path.p, w->path.len, 0, err);
	if (r != 0 || max_depth == 0)
		return r < 0 ? -1 : 0;
	if (walk_enter(w, &k, err) < 0)
		return -1;
	for (;;) {
		struct vtr_error why = { 0 };
		struct walk_frame *f;

		if (w->n_frames == 0) {
			r = walk_next_stray(w, err);
			if (r <= 0)
				return r;
		}
		f = &w->frames[w->n_frames - 1];

		w->path.len = f->path_len;
		w->path.p[w->path.len] = 0;
		if (f->next == f->end) {
			w->n_children = f->begin;
			w->n_frames--;
			continue;
		}
		if (vtr_tick(w->h->ctx, &w->h->steps, 1 + w->path.len / 256, err) < 0 ||
		    vtr_hive_key_read(&k, w->h, w->children[f->next++].off, err) < 0)
			return -1;
		/* What lies too deep is lost, and the rest is not. */
		if (walk_put_name(w, &k, &why) < 0 ||
		    VTR_OVER(w->h->ctx, depth, w->n_frames, "keys below each other", &why) < 0) {
			if (why.code == VTR_ENOMEM) {
				if (err)
					*err = why;
				return -1;
			}
			vtr_hive_warn(w->h, &why);
			continue;
		}
		r = visit(arg, &k, w->path.p, w->path.len, (unsigned)w->n_frames, err);
		if (r < 0)
			return -1;
		if (r == 0 && w->n_frames < max_depth && walk_enter(w, &k, err) < 0)
			return -1;
	}
}

int vtr_hive_visit(struct vtr_hive *h, uint32_t from, unsigned flags, unsigned max_depth, hive_visit *visit, void *arg,
		   uint8_t *seen, struct vtr_error *err)
{
	size_t bits = (size_t)(h->size / 64 + 1);
	struct walk w = { .h = h, .flags = flags, .seen = seen };
	VTR_FREE uint8_t *own = NULL;
	int r;

	if (!seen)
		w.seen = own = vtr_calloc(1, bits, err);
	if (!w.seen)
		return -1;
	/* All of it is read sooner or later: in large pieces. */
	if (from == h->base.root && max_depth > 1 && vtr_hive_fill_all(h, err) < 0)
		return -1;
	r = walk_run(&w, from, max_depth, visit, arg, err);
	free(w.children);
	free(w.frames);
	free(w.strays);
	vtr_str_done(&w.path);
	return r;
}

int vtr_hive_path_of(struct vtr_str *out, struct vtr_hive *h, uint32_t off, struct vtr_error *err)
{
	uint32_t *chain = NULL;
	size_t n = 0, cap = 0;
	struct hive_key k;

	out->len = 0;
	/* Parents that lead nowhere leave the names that there are. */
	while (off != h->base.root && n < h->ctx->lim.depth && vtr_hive_key_read(&k, h, off, NULL) == 0) {
		if (!VTR_GROW(chain, n, cap, err) || vtr_tick(h->ctx, &h->steps, 1, err) < 0) {
			free(chain);
			return -1;
		}
		chain[n++] = off;
		off = k.parent;
	}
	vtr_str_put(out, "\\", n == 0 || off == h->base.root);
	for (size_t i = n; i-- > 0 && out->len <= h->ctx->lim.path_len;) {
		if (vtr_hive_key_read(&k, h, chain[i], NULL) < 0)
			break;
		vtr_hive_name_put(out, &k.name);
		vtr_str_put(out, "\\", i > 0);
	}
	free(chain);
	if (out->oom)
		return vtr_fail(err, VTR_ENOMEM, "out of memory for a path");
	return VTR_OVER(h->ctx, path_len, out->len, "bytes of a registry path", err);
}

/* -------------------------------------------------------------------------------------------------------------- walks */

struct walk_emit {
	struct vtr_hive *h;
	vtr_key_fn *fn;
	void *arg;
	int result;
	struct vtr_str name, class_name;
};

static int walk_show(void *arg, const struct hive_key *k, const char *path, size_t path_len, unsigned depth,
		     struct vtr_error *err)
{
	struct walk_emit *e = arg;
	struct vtr_key key;
	int r;

	if (vtr_hive_key_show(&key, &e->name, &e->class_name, e->h, k, err) < 0)
		return -1;
	key.path = path;
	key.path_len = path_len;
	key.depth = depth;
	r = e->fn(e->arg, &key);
	if (r == 0 || r == 1)
		return r;
	e->result = r;
	return -1;
}

int vtr_hive_walk(struct vtr_hive *h, uint32_t key, vtr_key_fn *fn, void *arg, struct vtr_error *err)
{
	struct walk_emit e = { .h = h, .fn = fn, .arg = arg };
	int r = vtr_hive_visit(h, key, 0, UINT32_MAX, walk_show, &e, NULL, err);

	vtr_str_done(&e.name);
	vtr_str_done(&e.class_name);
	return r < 0 && e.result == 0 ? vtr_hive_at(h, err) : e.result;
}

/* ------------------------------------------------------------------------------------------------------------- search */

struct walk_search {
	struct vtr_hive *h;
	struct hive_want want;
	unsigned flags;
	vtr_search_fn *fn;
	void *arg;
	int result;
	struct vtr_str name, class_name, value_name;
};

static bool search_hit(const struct walk_search *s, const struct hive_name *n)
{
	return s->flags & VTR_SEARCH_WHOLE ? vtr_hive_name_is(n, &s->want) : vtr_hive_name_has(n, &s->want);
}

/* Strings without their NULs, each of a list; digits of numbers; the units of everything else at any place. */
static bool search_data(const struct walk_search *s, const struct hive_value *v, const uint8_t *data, size_t len)
{
	struct vtr_value value = { .type = v->type, .data = data, .len = len };
	struct hive_name n = { .p = data, .utf16 = true };
	uint64_t number;
	char digits[32];

	if (vtr_value_number(&number, &value, NULL) == 0) {
		n = (struct hive_name){ .p = (const uint8_t *)digits };
		n.len = (uint32_t)snprintf(digits, sizeof(digits), "%" PRIu64, number);
		if (search_hit(s, &n))
			return true;
		n.len = (uint32_t)snprintf(digits, sizeof(digits), "0x%0*" PRIx64, (int)len * 2, number);
		return search_hit(s, &n);
	}
	if (v->type != VTR_REG_SZ && v->type != VTR_REG_EXPAND_SZ && v->type != VTR_REG_LINK &&
	    v->type != VTR_REG_MULTI_SZ) {
		for (unsigned odd = 0; odd < 2 && len > odd; odd++) {
			n.p = data + odd;
			n.len = (uint32_t)(len - odd) & ~1u;
			if (search_hit(s, &n))
				return true;
		}
		return false;
	}
	for (size_t at = 0; at + 2 <= len; at += n.len + 2) {
		n.p = data + at;
		n.len = 0;
		while (at + n.len + 2 <= len && vtr_get_le16(n.p + n.len) != 0)
			n.len += 2;
		if (search_hit(s, &n))
			return true;
	}
	return false;
}

static int search_give(struct walk_search *s, const struct vtr_key *key, const struct vtr_value *value)
{
	struct hive_lent lent = vtr_hive_lend(s->h);

	s->result = s->fn(s->arg, key, value);
	vtr_hive_give_back(s->h, lent);
	return s->result != 0 ? -1 : 0;
}

static int search_values(struct walk_search *s, const struct hive_key *k, const struct vtr_key *key,
			 struct vtr_error *err)
{
	struct vtr_error why = { 0 };
	struct vtr_value value;
	struct hive_value v;
	const uint8_t *list, *data;
	uint32_t n, room;
	size_t len;

	if (vtr_hive_value_list(&list, &n, &room, s->h, k, err) < 0)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		bool hit;
		int r;

		if (vtr_hive_value_read(&v, s->h, vtr_get_le32(list + 4 * (size_t)i), &why) < 0) {
			if (vtr_error_ends(&why)) {
				if (err)
					*err = why;
				return -1;
			}
			vtr_error_at(&why, "\"%s\": a value is lost", key->path);
			vtr_hive_warn(s->h, &why);
			continue;
		}
		hit = (s->flags & VTR_SEARCH_VALUES) && search_hit(s, &v.name);
		if (!hit && (s->flags & VTR_SEARCH_DATA)) {
			r = vtr_hive_value_data(&data, &len, s->h, &v, 0, &why);
			if (r < 0) {
				if (err)
					*err = why;
				return -1;
			}
			if (vtr_tick(s->h->ctx, &s->h->steps, 1 + len / 64, err) < 0)
				return -1;
			hit = search_data(s, &v, data, len);
			if (r == 1 && !hit)
				vtr_hive_warn(s->h, &why);
		}
		if (hit && (vtr_hive_value_show(&value, &s->value_name, s->h, &v, 0, err) < 0 ||
			    search_give(s, key, &value) < 0))
			return -1;
	}
	return 0;
}

static int search_visit(void *arg, const struct hive_key *k, const char *path, size_t path_len, unsigned depth,
			struct vtr_error *err)
{
	struct walk_search *s = arg;
	struct vtr_key key;

	if (vtr_hive_key_show(&key, &s->name, &s->class_name, s->h, k, err) < 0)
		return -1;
	key.path = path;
	key.path_len = path_len;
	key.depth = depth;
	/* The root's name is nowhere shown. */
	if ((s->flags & VTR_SEARCH_KEYS) && k->off != s->h->base.root && search_hit(s, &k->name) &&
	    search_give(s, &key, NULL) < 0)
		return -1;
	return s->flags & (VTR_SEARCH_VALUES | VTR_SEARCH_DATA) ? search_values(s, k, &key, err) : 0;
}

int vtr_hive_search(struct vtr_hive *h, uint32_t key, const char *text, unsigned flags, vtr_search_fn *fn, void *arg,
		    struct vtr_error *err)
{
	struct walk_search s = { .h = h, .flags = flags, .fn = fn, .arg = arg };
	int r;

	if (!(flags & (VTR_SEARCH_KEYS | VTR_SEARCH_VALUES | VTR_SEARCH_DATA)))
		s.flags |= VTR_SEARCH_KEYS | VTR_SEARCH_VALUES | VTR_SEARCH_DATA;
	if (vtr_hive_want(&s.want, text, strlen(text), err) < 0)
		return -1;
	r = vtr_hive_visit(h, key, 0, UINT32_MAX, search_visit, &s, NULL, err);
	vtr_hive_want_done(&s.want);
	vtr_str_done(&s.name);
	vtr_str_done(&s.class_name);
	vtr_str_done(&s.value_name);
	return r < 0 && s.result == 0 ? vtr_hive_at(h, err) : s.result;
}

/* -------------------------------------------------------------------------------------------------------------- check */

/*
 * Bins follow each other from the first one on; each begins "hbin", its own offset and size, and its cells fill it.
 */
int vtr_hive_check(struct vtr_hive *h, struct vtr_error *err)
{
	struct vtr_error why;
	bool lost = false;

	if (vtr_hive_fill_all(h, err) < 0)
		return vtr_hive_at(h, err);
	for (uint64_t at = 0; at < h->size;) {
		uint64_t size = HIVE_PAGE, cell = 32, end;

		if (vtr_hive_fill(h, at, VTR_MIN(h->size - at, (uint64_t)32), err) < 0)
			return vtr_hive_at(h, err);
		if (h->size - at < 32 || memcmp(h->bins + at, "hbin", 4) != 0 || vtr_get_le32(h->bins + at + 4) != at) {
			/* Behind the last bin a base block that cannot be trusted says nothing. */
			if (!h->base.sum_ok && at > 0)
				return 0;
			if (!lost) {
				vtr_error_set(&why, VTR_ECORRUPT,
					      "no bin at %#" PRIx64 ", expected one up to %#" PRIx64, HIVE_AT(at),
					      HIVE_AT(h->size));
				vtr_hive_warn(h, &why);
			}
			lost = true;
			at += HIVE_PAGE;
			continue;
		}
		lost = false;
		size = vtr_get_le32(h->bins + at + 8);
		if (size < HIVE_PAGE || size % HIVE_PAGE != 0 || size > h->size - at) {
			vtr_error_set(&why, VTR_ECORRUPT, "bin at %#" PRIx64 ": %" PRIu64 " bytes, there are %" PRIu64,
				      HIVE_AT(at), size, h->size - at);
			vtr_hive_warn(h, &why);
			at += HIVE_PAGE;
			continue;
		}
		end = at + size;
		for (cell = at + 32; cell < end;) {
			int64_t n;

			if (vtr_tick(h->ctx, &h->steps, 1, err) < 0 || vtr_hive_fill(h, cell, 8, err) < 0)
				return vtr_hive_at(h, err);
			n = (int32_t)vtr_get_le32(h->bins + cell);
			n = n < 0 ? -n : n;
			if (n < 8 || n % 8 != 0 || (uint64_t)n > end - cell) {
				vtr_error_set(&why, VTR_ECORRUPT,
					      "cell at %#" PRIx64 ": %" PRIi64 " bytes, its bin ends at %#" PRIx64,
					      HIVE_AT(cell), n, HIVE_AT(end));
				vtr_hive_warn(h, &why);
				break;
			}
			cell += (uint64_t)n;
		}
		at = end;
	}
	return 0;
}
