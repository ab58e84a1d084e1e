/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The store of records: how they are made, held and found, and the order in which the families are asked. */
#include "inspect/records.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "fs/fs.h"

/* All the text that one system may make us read, in files of limits.text_file. */
#define RECORDS_FILES 64u
#define RECORDS_SKIPPED 16u /* malformed lines of one file that are reported one by one */

static const char *const record_kinds[] = {
	"users",    "groups",	  "sudoers",	  "kernels",	   "services",	      "timers",
	"cron",	    "interfaces", "crypttab",	  "ssh_host_keys", "ssh_settings",    "container_images",
	"snaps",    "flatpaks",	  "repositories", "logins",	   "drivers",	      "app_packages",
	"hotfixes", "autoruns",	  "tasks",	  "sysctl",	   "module_settings", "environment",
};

struct record_list {
	struct vtr_record *v; /* members and strings lie in the system's memory */
	size_t n, cap;
};

struct vtr_records {
	struct record_list kinds[VTR_COUNT(record_kinds)];
	uint64_t text_read;   /* bytes */
	const char *path;     /* of the last record, as it was given */
	char *given, *device; /* and in whose memory; device is borrowed */
	const char *path_escaped;
	bool read;
};

void vtr_records_free(struct vtr_os *os)
{
	struct vtr_records *r = os->records;

	if (!r)
		return;
	for (size_t i = 0; i < VTR_COUNT(record_kinds); i++) {
		vtr_uncharge(os->ctx, r->kinds[i].cap * sizeof(*r->kinds[i].v));
		free(r->kinds[i].v);
	}
	free(r->given);
	free(r);
	os->records = NULL;
}

static struct vtr_records *records_of(struct vtr_os *os, struct vtr_error *err)
{
	if (!os->records)
		os->records = vtr_calloc(1, sizeof(*os->records), err);
	return os->records;
}

static ssize_t record_kind_find(const char *kind)
{
	for (size_t i = 0; i < VTR_COUNT(record_kinds); i++)
		if (strcmp(record_kinds[i], kind) == 0)
			return (ssize_t)i;
	return -1;
}

const char *vtr_record_kind(size_t i)
{
	return i < VTR_COUNT(record_kinds) ? record_kinds[i] : NULL;
}

const struct vtr_record *vtr_os_record(const struct vtr_os *os, const char *kind, size_t i)
{
	ssize_t k = record_kind_find(kind);

	return k >= 0 && os->records && i < os->records->kinds[k].n ? &os->records->kinds[k].v[i] : NULL;
}

const char *vtr_record_member(const struct vtr_record *r, const char *key)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->members[i].key, key) == 0)
			return r->members[i].value;
	return NULL;
}

/* --------------------------------------------------------------------------------------------------------- drafts */

static void draft_fail(struct vtr_draft *d)
{
	d->failed = true;
}

/* Many records in a row come from one file: its path and its device are looked for once. */
static int draft_place(struct vtr_draft *d, const char *path, const struct vtr_fs *fs)
{
	struct vtr_records *r = records_of(d->os, d->err);
	struct vtr_place place = { .fs = (struct vtr_fs *)fs };

	if (!r)
		return -1;
	if (!r->given || strcmp(r->given, path) != 0 || fs) {
		char *given = vtr_strndup(path, strlen(path), d->err);

		free(r->given);
		r->given = NULL;
		if (!given)
			return -1;
		r->path_escaped = vtr_os_escape(d->os, path, strlen(path), d->err);
		if (!fs && d->os->tree && r->path_escaped && vtr_os_look(&place, NULL, d->os, path, 0, d->err) < 0)
			r->path_escaped = NULL;
		if (!r->path_escaped) {
			free(given);
			return -1;
		}
		r->device = (char *)vtr_os_device(d->os, place.fs, path);
		if (fs) /* the next one of this path may be meant otherwise */
			free(given);
		else
			r->given = given;
	}
	d->r.path = r->path_escaped;
	d->r.device = r->device;
	return 0;
}

void vtr_draft_begin_on(struct vtr_draft *d, struct vtr_os *os, const char *kind, const char *path,
			const struct vtr_fs *fs, struct vtr_error *err)
{
	*d = (struct vtr_draft){ .os = os, .err = err, .r = { .kind = kind } };
	if (draft_place(d, path, fs) < 0)
		draft_fail(d);
}

void vtr_draft_begin(struct vtr_draft *d, struct vtr_os *os, const char *kind, const char *path, struct vtr_error *err)
{
	vtr_draft_begin_on(d, os, kind, path, NULL, err);
}

/* The value is in the system's memory, or static. */
static void draft_add(struct vtr_draft *d, const char *key, int kind, const char *value)
{
	if (!value || d->r.n == VTR_DRAFT_MEMBERS) {
		draft_fail(d);
		return;
	}
	d->members[d->r.n++] = (struct vtr_member){ .key = key, .kind = kind, .value = value };
}

void vtr_draft_span(struct vtr_draft *d, const char *key, struct vtr_span s)
{
	if (d->failed || s.len == 0)
		return;
	if (s.len > d->os->ctx->lim.line) {
		vtr_warn(d->os->ctx, VTR_ELIMIT, "%s: %s: %s of %zu bytes, limit line=%" PRIu64, d->r.device, d->r.path,
			 key, s.len, d->os->ctx->lim.line);
		return;
	}
	draft_add(d, key, VTR_MEMBER_TEXT, vtr_os_escape(d->os, s.p, s.len, d->err));
}

void vtr_draft_words(struct vtr_draft *d, const char *key, struct vtr_span s)
{
	struct vtr_str words = { 0 };
	struct vtr_span word;

	while (!d->failed && vtr_span_word(&word, &s)) {
		if (words.len > 0)
			vtr_str_put(&words, " ", 1);
		vtr_str_put(&words, word.p, word.len);
	}
	if (words.oom) {
		vtr_error_set(d->err, VTR_ENOMEM, "words of %s", key);
		draft_fail(d);
	} else if (words.len > 0) {
		vtr_draft_span(d, key, (struct vtr_span){ words.p, words.len });
	}
	vtr_str_done(&words);
}

void vtr_draft_text(struct vtr_draft *d, const char *key, const char *text)
{
	if (text)
		vtr_draft_span(d, key, vtr_span_of(text));
}

void vtr_draft_number(struct vtr_draft *d, const char *key, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);

	if (!d->failed)
		draft_add(d, key, VTR_MEMBER_NUMBER, vtr_os_escape(d->os, digits, (size_t)len, d->err));
}

void vtr_draft_bool(struct vtr_draft *d, const char *key, bool yes)
{
	if (!d->failed)
		draft_add(d, key, VTR_MEMBER_BOOL, yes ? "true" : "false");
}

void vtr_draft_time(struct vtr_draft *d, const char *key, int64_t sec, uint32_t nsec)
{
	const struct vtr_time t = { .sec = sec, .nsec = nsec, .set = true };
	char text[48];

	if (sec != 0 && vtr_time_text(text, sizeof(text), &t) < sizeof(text))
		vtr_draft_text(d, key, text);
}

void vtr_draft_list(struct vtr_draft *d, const char *key, const struct vtr_str *list)
{
	char *value;

	if (d->failed)
		return;
	if (list->oom) {
		vtr_error_set(d->err, VTR_ENOMEM, "a list of %s", key);
		draft_fail(d);
		return;
	}
	value = vtr_os_keep(d->os, list->len + 1, 1, d->err);
	if (value && list->len > 0)
		memcpy(value, list->p, list->len);
	draft_add(d, key, VTR_MEMBER_LIST, value);
}

void vtr_draft_key(struct vtr_draft *d, const char *key)
{
	if (d->failed)
		return;
	d->r.reg_key = vtr_os_escape(d->os, key, strlen(key), d->err);
	if (!d->r.reg_key)
		draft_fail(d);
}

int vtr_draft_end(struct vtr_draft *d)
{
	ssize_t kind = record_kind_find(d->r.kind);
	struct record_list *list;
	struct vtr_member *members;
	size_t cap;

	if (d->failed || kind < 0)
		return -1;
	list = &d->os->records->kinds[kind];
	cap = list->cap;
	if (VTR_OVER(d->os->ctx, records, list->n + 1, d->r.kind, d->err) < 0)
		return -1;
	members = vtr_os_keep(d->os, VTR_MAX(d->r.n, (size_t)1) * sizeof(*members), sizeof(void *), d->err);
	if (!members || !VTR_GROW(list->v, list->n, list->cap, d->err))
		return -1;
	if (vtr_charge(d->os->ctx, (list->cap - cap) * sizeof(*list->v), d->r.kind, d->err) < 0) {
		list->cap = cap; /* what is more than was charged is not used */
		return -1;
	}
	memcpy(members, d->members, d->r.n * sizeof(*members));
	d->r.members = members;
	list->v[list->n++] = d->r;
	return 0;
}

void vtr_list_put(struct vtr_str *list, struct vtr_span s)
{
	if (s.len == 0)
		return;
	if (list->len > 0)
		vtr_str_put(list, "\n", 1);
	vtr_str_put_escaped(list, s.p, s.len);
}

void vtr_list_put_words(struct vtr_str *list, struct vtr_span words, char sep)
{
	struct vtr_span field, word;

	while (vtr_span_field(&field, &words, sep))
		while (vtr_span_word(&word, &field))
			vtr_list_put(list, word);
}

void vtr_skip(struct vtr_skipped *s, const char *what)
{
	if (s->n++ < RECORDS_SKIPPED)
		vtr_os_warn(s->os, s->path, VTR_ECORRUPT, "line %zu: %s: left out", s->line, what);
}

void vtr_skip_end(const struct vtr_skipped *s)
{
	if (s->n > RECORDS_SKIPPED)
		vtr_os_warn(s->os, s->path, VTR_ECORRUPT, "%zu more malformed lines are left out",
			    s->n - RECORDS_SKIPPED);
}

/* ---------------------------------------------------------------------------------------------------------- files */

int vtr_os_text_slurp(char **out, size_t *len, struct vtr_os *os, const char *path, struct vtr_error *err)
{
	struct vtr_records *r = records_of(os, err);
	int there = r ? vtr_os_slurp(out, len, os, path, os->ctx->lim.text_file, err) : -1;
	uint64_t limit;

	if (there <= 0)
		return there;
	r->text_read += *len;
	if (vtr_mul_over(os->ctx->lim.text_file, RECORDS_FILES, &limit) || r->text_read <= limit)
		return 1;
	free(*out);
	*out = NULL;
	return vtr_fail(err, VTR_ELIMIT, "%s: %" PRIu64 " bytes of configuration files, limit %u * text_file=%" PRIu64,
			path, r->text_read, RECORDS_FILES, os->ctx->lim.text_file);
}

int vtr_os_text(struct vtr_os *os, const char *path, vtr_text_fn *fn, struct vtr_error *err)
{
	VTR_FREE char *text = NULL;
	size_t len;
	int there = vtr_os_text_slurp(&text, &len, os, path, err);

	if (there <= 0)
		return there;
	return vtr_ctx_check(os->ctx, err) < 0 || fn(os, path, text, len, err) < 0 ? -1 : 1;
}

ssize_t vtr_os_peek(void *buf, size_t max, uint64_t off, uint64_t *size, struct vtr_os *os, const char *path,
		    struct vtr_error *err)
{
	struct vtr_error e = { 0 };
	struct vtr_place place;
	struct vtr_stat st;
	int there = vtr_os_look(&place, &st, os, path, 0, err);
	ssize_t n;

	if (there <= 0 || st.type != VTR_TYPE_FILE)
		return there < 0 ? -1 : 0;
	if (size)
		*size = st.size;
	n = vtr_fs_read(place.fs, place.node, off, buf, max, &e);
	if (n >= 0)
		return n;
	return vtr_inspect_excuse(os->ctx, &e, err, "%s: %s", vtr_os_device(os, place.fs, path), path);
}

struct os_listing {
	struct vtr_os *os;
	const char *dir;
	vtr_os_entry_fn *fn;
	void *arg;
};

static int os_listed(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	const struct os_listing *l = arg;
	VTR_FREE char *path = NULL;
	struct vtr_str s = { 0 };
	struct vtr_os_entry entry = { .type = e->st.type, .fs = e->place.fs, .st = &e->st };

	if (e->failed) {
		struct vtr_error w = *e->error;

		vtr_error_at(&w, "%s: %s", vtr_os_device(l->os, e->place.fs, l->dir), l->dir);
		vtr_warn_err(l->os->ctx, &w);
		return 0;
	}
	vtr_str_puts(&s, strcmp(l->dir, "/") == 0 ? "" : l->dir);
	vtr_str_put(&s, "/", 1);
	vtr_str_put(&s, e->path, e->path_len);
	path = vtr_str_take(&s, err);
	if (!path)
		return -1;
	entry.path = path;
	entry.name = e->path;
	return l->fn(l->arg, l->os, &entry, err);
}

int vtr_os_list(struct vtr_os *os, const char *dir, vtr_os_entry_fn *fn, void *arg, struct vtr_error *err)
{
	struct os_listing l = { os, dir, fn, arg };
	struct vtr_place place;
	struct vtr_stat st;
	int there = vtr_os_look(&place, &st, os, dir, 0, err);

	if (there <= 0 || st.type != VTR_TYPE_DIR)
		return there < 0 ? -1 : 0;
	return vtr_tree_list(os->tree, &place, VTR_LIST_SORT, os_listed, &l, err) < 0 ? -1 : 0;
}

struct os_texts {
	const char *suffix;
	vtr_text_fn *fn;
};

static int os_texts_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	const struct os_texts *t = arg;

	if (*e->name == '.' || !vtr_span_ends(vtr_span_of(e->name), t->suffix) ||
	    (e->type != VTR_TYPE_FILE && e->type != VTR_TYPE_SYMLINK))
		return 0;
	return vtr_os_text(os, e->path, t->fn, err) < 0 ? -1 : 0;
}

int vtr_os_texts(struct vtr_os *os, const char *dir, const char *suffix, vtr_text_fn *fn, struct vtr_error *err)
{
	struct os_texts t = { suffix, fn };

	return vtr_os_list(os, dir, os_texts_entry, &t, err);
}

int vtr_os_there(struct vtr_os *os, const char *path, struct vtr_error *err)
{
	return vtr_os_look(NULL, NULL, os, path, 0, err);
}

int vtr_os_there_any(const char **out, struct vtr_os *os, const char *const *paths, struct vtr_error *err)
{
	for (size_t i = 0; paths[i]; i++) {
		int there = vtr_os_there(os, paths[i], err);

		if (there > 0)
			*out = paths[i];
		if (there != 0)
			return there;
	}
	return 0;
}

int vtr_os_add_text(struct vtr_os *os, const char *key, const char *value, const char *path, struct vtr_error *err)
{
	return vtr_os_add_fact(os, key, value, strlen(value), path, err);
}

/* -------------------------------------------------------------------------------------------------------- reading */

typedef int records_family(struct vtr_os *os, struct vtr_error *err);

static records_family *const records_unix[] = {
	vtr_boot_read,	     vtr_kernels_read,
	vtr_users_read,	     vtr_services_read,
	vtr_system_read,     vtr_cron_read,
	vtr_network_read,    vtr_crypttab_read,
	vtr_kernelconf_read, vtr_ssh_read,
	vtr_bundles_read,    vtr_repositories_read,
	vtr_logins_read,     NULL,
};

static records_family *const records_windows[] = {
	vtr_windows_state_read,	   vtr_windows_users_read,   vtr_windows_services_read,
	vtr_windows_network_read,  vtr_windows_updates_read, vtr_windows_apps_read,
	vtr_windows_autoruns_read, vtr_windows_tasks_read,   NULL,
};

int vtr_os_read_records(struct vtr_os *os, struct vtr_error *err)
{
	records_family *const *families = os->windows ? records_windows : records_unix;
	struct vtr_records *r = records_of(os, err);

	if (!r)
		return -1;
	if (r->read)
		return 0;
	r->read = true; /* what fails is not tried again: what is there would be there twice */
	for (size_t i = 0; families[i]; i++) {
		struct vtr_error e = { 0 };

		if (vtr_ctx_check(os->ctx, err) < 0)
			return -1;
		if (families[i](os, &e) == 0)
			continue;
		/* A limit: the other families may be within theirs. */
		if (vtr_inspect_excuse(os->ctx, &e, err, "%s", os->root) < 0)
			return -1;
	}
	return 0;
}
