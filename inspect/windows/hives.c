/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hives of a Windows system, and how their values become facts and records. */
#include "base/filetime.h"
#include "inspect/windows/windows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/fold.h"

int vtr_win_excuse(struct vtr_os *os, const struct win_hive *hive, struct vtr_error *e, struct vtr_error *err)
{
	if (hive)
		return vtr_inspect_excuse(os->ctx, e, err, "%s: %s", os->root, hive->path);
	return vtr_inspect_excuse(os->ctx, e, err, NULL);
}

int vtr_win_open(struct win_hive *out, struct vtr_os *os, const char *path, const char *name, bool needed,
		 struct vtr_error *err)
{
	struct vtr_error e = { 0 };

	*out = (struct win_hive){ .path = vtr_strndup(path, strlen(path), err), .name = name };
	if (!out->path)
		return -1;
	if (vtr_hive_open_path(&out->h, os->tree, path, &e) == 0)
		return 1;
	out->h = NULL;
	if (needed && vtr_inspect_verdict(&e) == VTR_VERDICT_ABSENT) {
		e.code = VTR_OK; /* odd: nothing says that it was ever there */
		vtr_error_at(&e, "%s", os->root);
		vtr_warn_err(os->ctx, &e);
		return 0;
	}
	if (vtr_inspect_verdict(&e) == VTR_VERDICT_DAMAGE) {
		if (!strstr(e.text, path)) /* so that the message says whose it is, once */
			vtr_error_at(&e, "%s", path);
		vtr_error_at(&e, "%s", os->root);
	}
	return vtr_win_excuse(os, NULL, &e, err);
}

void vtr_win_close(struct win_hive *hive)
{
	vtr_hive_close(hive->h);
	free(hive->path);
	*hive = (struct win_hive){ 0 };
}

int vtr_win_key(uint32_t *out, struct vtr_os *os, const struct win_hive *hive, uint32_t from, const char *path,
		struct vtr_error *err)
{
	struct vtr_error e = { 0 };

	if (!hive->h)
		return 0;
	if (vtr_hive_find(out, hive->h, from ? from : vtr_hive_root(hive->h), path, &e) == 0)
		return 1;
	return vtr_win_excuse(os, hive, &e, err);
}

const char *vtr_win_set(char *buf, const struct vtr_windows *w, const char *path)
{
	snprintf(buf, WIN_DEPTH, "%s\\%s", w->set, path);
	return buf;
}

/* --------------------------------------------------------------------------------------------------------- values */

struct win_values {
	struct win_value *v;
	size_t n, left;
	struct vtr_error e;
};

static char *win_text(const struct vtr_value *value, size_t *len, bool list, struct vtr_error *err)
{
	char *text;
	size_t from = 0;

	if (vtr_value_text(&text, len, value, err) < 0)
		return NULL;
	if (list)
		return text;
	*len = strlen(text);
	while (*len > 0 && (text[*len - 1] == ' ' || text[*len - 1] == '\t'))
		(*len)--;
	while (from < *len && (text[from] == ' ' || text[from] == '\t'))
		from++;
	*len -= from;
	memmove(text, text + from, *len);
	text[*len] = 0;
	return text;
}

static int win_value_take(void *arg, const struct vtr_value *value)
{
	struct win_values *all = arg;

	for (size_t i = 0; i < all->n; i++) {
		struct win_value *v = &all->v[i];

		if (v->found || vtr_ascii_casecmp(v->name, value->name) != 0)
			continue;
		v->found = true;
		v->type = value->type;
		v->list = value->type == VTR_REG_MULTI_SZ;
		if (v->raw) {
			v->text = vtr_calloc(1, value->len + 1, &all->e);
			if (!v->text)
				return -1;
			if (value->len > 0)
				memcpy(v->text, value->data, value->len);
			v->len = value->len;
		} else if (vtr_value_number(&v->number, value, NULL) == 0) {
			v->has_number = true;
		} else if (v->list || value->type == VTR_REG_SZ || value->type == VTR_REG_EXPAND_SZ ||
			   value->type == VTR_REG_LINK) {
			v->text = win_text(value, &v->len, v->list, &all->e);
			if (!v->text)
				return -1;
		}
		all->left--;
	}
	return all->left == 0 ? 1 : 0;
}

int vtr_win_values(struct win_value *v, size_t n, struct vtr_os *os, const struct win_hive *hive, uint32_t key,
		   struct vtr_error *err)
{
	struct win_values all = { .v = v, .n = n, .left = n };

	if (!hive->h || vtr_hive_values(hive->h, key, win_value_take, &all, &all.e) >= 0)
		return 0;
	if (vtr_win_excuse(os, hive, &all.e, err) == 0)
		return 0;
	vtr_win_values_done(v, n);
	return -1;
}

void vtr_win_values_done(struct win_value *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].text);
		v[i] = (struct win_value){ .name = v[i].name, .raw = v[i].raw };
	}
}

/* ---------------------------------------------------------------------------------------------------------- subkeys */

struct win_each {
	struct vtr_os *os;
	const struct win_hive *hive;
	win_key_fn *fn;
	void *arg;
	struct vtr_error *err;
	bool failed;
};

static int win_each_key(void *arg, const struct vtr_key *key)
{
	struct win_each *e = arg;
	VTR_FREE char *name = vtr_strndup(key->name, key->name_len, e->err);

	if (name && vtr_ctx_check(e->os->ctx, e->err) == 0 && e->fn(e->arg, e->os, e->hive, key->id, name, e->err) == 0)
		return 0;
	e->failed = true;
	return 1;
}

int vtr_win_each(struct vtr_os *os, const struct win_hive *hive, uint32_t key, win_key_fn *fn, void *arg,
		 struct vtr_error *err)
{
	struct win_each each = { .os = os, .hive = hive, .fn = fn, .arg = arg, .err = err };
	struct vtr_error e = { 0 };
	int rc;

	if (!hive->h)
		return 0;
	rc = vtr_hive_subkeys(hive->h, key, win_each_key, &each, &e);
	if (each.failed)
		return -1;
	return rc >= 0 ? 0 : vtr_win_excuse(os, hive, &e, err);
}

/* ------------------------------------------------------------------------------------------------ facts and records */

static void win_full_key(struct vtr_str *out, const struct win_hive *hive, const char *key_path)
{
	vtr_str_puts(out, hive->name);
	if (key_path[0])
		vtr_str_puts(out, "\\");
	vtr_str_puts(out, key_path);
}

int vtr_win_fact(struct vtr_os *os, const char *fact, const char *text, const struct win_hive *hive,
		 const char *key_path, const char *value, struct vtr_error *err)
{
	VTR_FREE char *key = NULL;
	struct vtr_str s = { 0 };

	win_full_key(&s, hive, key_path);
	key = vtr_str_take(&s, err);
	if (!key)
		return -1;
	return vtr_os_add_fact_in(os, fact, text, strlen(text), hive->path, hive->fs, key, value, err);
}

int vtr_win_fact_read(struct vtr_os *os, const char *fact, const struct win_hive *hive, const char *key_path,
		      const char *value, struct vtr_error *err)
{
	struct win_value v = { .name = value };
	char digits[24];
	uint32_t key;
	int rc = vtr_win_key(&key, os, hive, 0, key_path, err);

	if (rc <= 0)
		return rc;
	if (vtr_win_values(&v, 1, os, hive, key, err) < 0)
		return -1;
	if (v.has_number)
		snprintf(digits, sizeof(digits), "%" PRIu64, v.number);
	rc = v.has_number || (v.text && v.len > 0);
	if (rc > 0 && vtr_win_fact(os, fact, v.has_number ? digits : v.text, hive, key_path, value, err) < 0)
		rc = -1;
	vtr_win_values_done(&v, 1);
	return rc;
}

int vtr_win_fact_time(struct vtr_os *os, const char *fact, int64_t sec, uint32_t nsec, const struct win_hive *hive,
		      const char *key_path, const char *value, struct vtr_error *err)
{
	const struct vtr_time t = { .sec = sec, .nsec = nsec, .set = true };
	char text[48];

	vtr_time_text(text, sizeof(text), &t);
	return vtr_win_fact(os, fact, text, hive, key_path, value, err);
}

void vtr_win_draft(struct vtr_draft *d, struct vtr_os *os, const char *kind, const struct win_hive *hive,
		   const char *key_path, struct vtr_error *err)
{
	VTR_FREE char *key = NULL;
	struct vtr_str s = { 0 };

	vtr_draft_begin(d, os, kind, hive->path, err);
	win_full_key(&s, hive, key_path);
	key = vtr_str_take(&s, err);
	if (key)
		vtr_draft_key(d, key);
	else
		d->failed = true;
}

void vtr_win_list_put(struct vtr_str *list, struct vtr_os *os, const char *text, size_t len)
{
	if (len == 0)
		return;
	if (len > os->ctx->lim.line) {
		vtr_warn(os->ctx, VTR_ELIMIT, "%s: a text of %zu bytes in a list, limit line=%" PRIu64, os->root, len,
			 os->ctx->lim.line);
		return;
	}
	if (list->len > 0)
		vtr_str_put(list, "\n", 1);
	while (len > 0) {
		const char *stop = memchr(text, '\\', len);
		size_t n = stop ? (size_t)(stop - text) : len;

		vtr_str_put_escaped(list, text, n);
		if (stop)
			vtr_str_put(list, "\\", 1);
		n += stop != NULL;
		text += n;
		len -= n;
	}
}

void vtr_win_list_put_all(struct vtr_str *list, struct vtr_os *os, const struct win_value *v)
{
	struct vtr_span rest = { v->text, v->text ? v->len : 0 }, one;

	while (vtr_span_field(&one, &rest, '\n'))
		vtr_win_list_put(list, os, one.p, one.len);
}

bool vtr_win_time(int64_t *sec, uint32_t *nsec, uint64_t filetime)
{
	const struct vtr_time t = vtr_filetime(filetime);

	if (!t.set || filetime >= INT64_MAX) /* never */
		return false;
	*sec = t.sec;
	*nsec = t.nsec;
	return true;
}

/* ----------------------------------------------------------------------------------------------------------- paths */

static const char *win_after(const char *p, const char *prefix)
{
	size_t len = strlen(prefix);

	return vtr_ascii_ncasecmp(p, prefix, len) == 0 ? p + len : NULL;
}

char *vtr_win_path(const struct vtr_windows *w, const char *path, struct vtr_error *err)
{
	static const char *const roots[] = { "\\SystemRoot\\", "%SystemRoot%\\", "%windir%\\" };
	struct vtr_str s = { 0 };
	const char *rest = NULL;
	char *out;

	for (size_t i = 0; i < VTR_COUNT(roots) && !rest; i++)
		rest = win_after(path, roots[i]);
	/* Drivers are named from the system's folder. */
	if (!rest && path[0] != '\\' && path[0] != '/' && path[0] != '%' && !(path[0] && path[1] == ':'))
		rest = path;
	if (rest) {
		vtr_str_puts(&s, w->root);
		vtr_str_puts(&s, "/");
	} else {
		rest = path;
	}
	vtr_str_puts(&s, rest);
	out = vtr_str_take(&s, err);
	for (char *p = rest == path ? NULL : out; p && *p; p++)
		if (*p == '\\')
			*p = '/';
	return out;
}
