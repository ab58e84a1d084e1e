/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine diff: what differs between two machines, or between two states of one: files, packages, facts. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/records.h"

extern const struct cli_verb cli_verb_diff;

#define DIFF_BATCH 256u	      /* pairs of files that are hashed together */
#define DIFF_QUEUE 4096u      /* lines that wait for them, */
#define DIFF_BYTES (4u << 20) /* and how much of paths */

/* What differs. */
enum {
	DIFF_TYPE = 1 << 0,
	DIFF_MODE = 1 << 1,
	DIFF_OWNER = 1 << 2,
	DIFF_SIZE = 1 << 3,
	DIFF_CONTENT = 1 << 4,
	DIFF_TARGET = 1 << 5,
	DIFF_DEVICE = 1 << 6,
	DIFF_XATTRS = 1 << 7,
	DIFF_MTIME = 1 << 8,
};
static const char *const diff_words[] = { "type",   "mode",   "owner",	"size", "content",
					  "target", "device", "xattrs", "mtime" };

/* A line to come: files of both sides, or of one. */
struct diff_line {
	char *path, *target_a, *target_b;
	bool in_a, in_b, hash;
	unsigned what;
	struct vtr_place place_a, place_b;
	struct vtr_stat a, b;
};

struct diff {
	struct cli c;	 /* the first machine */
	bool escaped[2]; /* of either system, as cli_json_is_escaped() has it */
	struct cli b;	 /* the second one, in the same context */
	const char *with[64];
	size_t n_with;
	bool files, packages, facts, times, quick;
	bool differ;
	const char *base; /* the path that is compared, as the user wrote it */
	struct diff_line *queue;
	size_t n_queue, n_hash, n_bytes;
};

enum { OPT_WITH = CLI_LONG, OPT_FILES, OPT_PACKAGES, OPT_FACTS, OPT_TIMES, OPT_QUICK };

static bool diff_option(void *arg, int opt, const char *value)
{
	struct diff *v = arg;

	switch (opt) {
	case OPT_WITH:
		if (v->n_with == sizeof(v->with) / sizeof(v->with[0]))
			return false;
		v->with[v->n_with++] = value;
		return true;
	case OPT_FILES:
		return v->files = true;
	case OPT_PACKAGES:
		return v->packages = true;
	case OPT_FACTS:
		return v->facts = true;
	case OPT_TIMES:
		return v->times = true;
	default:
		return v->quick = true;
	}
}

static void diff_no_memory(struct diff *v)
{
	struct vtr_error err = { .code = VTR_ENOMEM, .text = "no memory" };

	cli_error(&v->c, &err);
}

/* --------------------------------------------------------------------------------------------------------- output */

static void diff_print_change(const struct diff_line *l)
{
	bool first = true;

	for (size_t i = 0; i < sizeof(diff_words) / sizeof(diff_words[0]); i++) {
		if (!(l->what & 1u << i))
			continue;
		printf("%s%s", first ? " (" : ", ", diff_words[i]);
		first = false;
		if (1u << i == DIFF_MODE)
			printf(" %04o -> %04o", l->a.mode, l->b.mode);
		else if (1u << i == DIFF_OWNER)
			printf(" %u:%u -> %u:%u", l->a.uid, l->a.gid, l->b.uid, l->b.gid);
		else if (1u << i == DIFF_SIZE)
			printf(" %" PRIu64 " -> %" PRIu64, l->a.size, l->b.size);
		else if (1u << i == DIFF_TYPE)
			printf(" %s -> %s", vtr_type_name(l->a.type), vtr_type_name(l->b.type));
		if (1u << i == DIFF_TARGET && l->target_a && l->target_b) {
			putchar(' ');
			cli_puts(stdout, l->target_a);
			fputs(" -> ", stdout);
			cli_puts(stdout, l->target_b);
		}
	}
	putchar(')');
}

static json_t *diff_side(const char *path, const struct vtr_stat *st, const char *target, const char *sha256)
{
	json_t *o = cli_json_file(path, st, target);

	json_object_del(o, "path");
	json_object_del(o, "path_hex");
	if (sha256)
		json_object_set_new(o, "sha256", json_string(sha256));
	return o;
}

static void diff_print(struct diff *v, const struct diff_line *l, const struct vtr_digest *hashes)
{
	const char *change = !l->in_b ? "removed" : !l->in_a ? "added" : "changed";
	bool hashed = hashes && (l->what & DIFF_CONTENT);
	json_t *o, *what;

	v->differ = true;
	if (!v->c.json) {
		fputs(!l->in_b ? "- " : !l->in_a ? "+ " : "~ ", stdout);
		cli_puts(stdout, l->path);
		if (l->in_a && l->in_b)
			diff_print_change(l);
		putchar('\n');
		return;
	}
	o = json_object();
	json_object_set_new(o, "change", json_string(change));
	cli_json_set(o, "path", l->path);
	if (l->in_a && l->in_b) {
		what = json_array();
		for (size_t i = 0; i < sizeof(diff_words) / sizeof(diff_words[0]); i++)
			if (l->what & 1u << i)
				json_array_append_new(what, json_string(diff_words[i]));
		json_object_set_new(o, "what", what);
	}
	if (l->in_a)
		json_object_set_new(o, "a", diff_side(l->path, &l->a, l->target_a, hashed ? hashes[0].hex : NULL));
	if (l->in_b)
		json_object_set_new(o, "b", diff_side(l->path, &l->b, l->target_b, hashed ? hashes[1].hex : NULL));
	cli_json_line(o);
}

static void diff_line_done(struct diff_line *l)
{
	free(l->path);
	free(l->target_a);
	free(l->target_b);
}

/* Hash what waits for it, and print. Files of which one side cannot be read are told as lost, not as different. */
static void diff_flush(struct diff *v)
{
	struct vtr_place *places = calloc(2 * v->n_hash + 1, sizeof(*places));
	struct vtr_digest *hashes = calloc(2 * v->n_hash + 1, sizeof(*hashes));
	struct vtr_error err = { 0 };
	size_t n = 0;

	if (!places || !hashes)
		diff_no_memory(v);
	for (size_t i = 0; i < v->n_queue && places; i++) {
		if (!v->queue[i].hash)
			continue;
		places[n++] = v->queue[i].place_a;
		places[n++] = v->queue[i].place_b;
	}
	if (n > 0 && hashes && vtr_tree_sha256(hashes, places, n, &err) < 0) {
		cli_error(&v->c, &err);
		n = 0;
	}
	for (size_t i = 0, at = 0; i < v->n_queue; i++) {
		struct diff_line *l = &v->queue[i];
		const struct vtr_digest *h = NULL;

		if (l->hash && at + 1 < n) {
			h = &hashes[at];
			at += 2;
			for (size_t k = 0; k < 2; k++)
				if (h[k].failed)
					cli_partial_at(&v->c, l->path, &h[k].error);
			if (!h[0].failed && !h[1].failed && strcmp(h[0].hex, h[1].hex) != 0)
				l->what |= DIFF_CONTENT;
		}
		if (!l->in_a || !l->in_b || l->what)
			diff_print(v, l, h);
		diff_line_done(l);
	}
	v->n_queue = v->n_hash = v->n_bytes = 0;
	free(places);
	free(hashes);
}

/* ---------------------------------------------------------------------------------------------------------- files */

struct diff_bytes {
	char *p;
	size_t len, cap;
	bool oom;
};

static void diff_bytes_put(struct diff_bytes *b, const void *p, size_t len)
{
	if (len > b->cap - b->len) {
		size_t cap = 2 * (b->len + len);
		char *q = realloc(b->p, cap);

		if (!q) {
			b->oom = true;
			return;
		}
		b->p = q;
		b->cap = cap;
	}
	if (len > 0)
		memcpy(b->p + b->len, p, len);
	b->len += len;
}

static int diff_xattr(void *arg, const struct vtr_xattr *x)
{
	struct diff_bytes *b = arg;
	uint64_t len = x->len;

	diff_bytes_put(b, x->name, strlen(x->name) + 1);
	diff_bytes_put(b, &len, sizeof(len));
	diff_bytes_put(b, x->value, x->len);
	return b->oom;
}

/* Whether the extended attributes differ; those that cannot be read are told. */
static bool diff_xattrs(struct diff *v, const char *path, const struct vtr_pair_side *a, const struct vtr_pair_side *b)
{
	struct diff_bytes x = { 0 }, y = { 0 };
	struct vtr_error err = { 0 };
	bool differ = false;

	if (vtr_fs_xattrs(a->place.fs, a->place.node, diff_xattr, &x, &err) < 0 ||
	    vtr_fs_xattrs(b->place.fs, b->place.node, diff_xattr, &y, &err) < 0)
		cli_partial_at(&v->c, path, &err);
	else if (x.oom || y.oom)
		diff_no_memory(v);
	else
		differ = x.len != y.len || (x.len > 0 && memcmp(x.p, y.p, x.len) != 0);
	free(x.p);
	free(y.p);
	return differ;
}

static bool diff_time_is(const struct vtr_time *a, const struct vtr_time *b)
{
	return a->set == b->set && a->sec == b->sec && a->nsec == b->nsec;
}

static char *diff_target(struct diff *v, const char *path, const struct vtr_pair_side *f)
{
	struct vtr_error err = { 0 };
	char *out = NULL;

	if (f->st.type == VTR_TYPE_SYMLINK && vtr_fs_readlink(&out, f->place.fs, f->place.node, &err) < 0)
		cli_partial_at(&v->c, path, &err);
	return out;
}

/* What is seen without reading contents. */
static void diff_metadata(struct diff *v, struct diff_line *l, const struct vtr_pair_side *a,
			  const struct vtr_pair_side *b)
{
	const struct vtr_stat *x = &a->st, *y = &b->st;

	if (x->mode != y->mode && !(x->type == VTR_TYPE_SYMLINK && y->type == VTR_TYPE_SYMLINK))
		l->what |= DIFF_MODE;
	if (x->uid != y->uid || x->gid != y->gid)
		l->what |= DIFF_OWNER;
	if (v->times && !diff_time_is(&x->mtime, &y->mtime))
		l->what |= DIFF_MTIME;
	if (diff_xattrs(v, l->path, a, b))
		l->what |= DIFF_XATTRS;
	if (x->type != y->type) {
		l->what |= DIFF_TYPE;
		return;
	}
	if ((x->type == VTR_TYPE_CHAR || x->type == VTR_TYPE_BLOCK) &&
	    (x->rdev_major != y->rdev_major || x->rdev_minor != y->rdev_minor))
		l->what |= DIFF_DEVICE;
	if (l->target_a && l->target_b && strcmp(l->target_a, l->target_b) != 0)
		l->what |= DIFF_TARGET;
	if (x->type != VTR_TYPE_FILE)
		return;
	if (x->size != y->size)
		l->what |= DIFF_SIZE | DIFF_CONTENT;
	else if (x->size > 0)
		l->hash = !v->quick || x->node != y->node || x->generation != y->generation ||
			  !diff_time_is(&x->mtime, &y->mtime) || !diff_time_is(&x->ctime, &y->ctime);
}

/* A file of both sides, or of one. */
static void diff_pair(struct diff *v, char *path, const struct vtr_pair_side *a, const struct vtr_pair_side *b)
{
	struct diff_line l = { .path = path, .in_a = a->there, .in_b = b->there };

	if (l.in_a) {
		l.a = a->st;
		l.place_a = a->place;
		l.target_a = diff_target(v, path, a);
	}
	if (l.in_b) {
		l.b = b->st;
		l.place_b = b->place;
		l.target_b = diff_target(v, path, b);
	}
	if (l.in_a && l.in_b)
		diff_metadata(v, &l, a, b);
	if (l.in_a && l.in_b && !l.what && !l.hash) {
		diff_line_done(&l);
		return;
	}
	v->queue[v->n_queue++] = l;
	v->n_hash += l.hash;
	v->n_bytes += strlen(path) + (l.target_a ? strlen(l.target_a) : 0) + (l.target_b ? strlen(l.target_b) : 0);
	if (v->n_queue == DIFF_QUEUE || v->n_hash == DIFF_BATCH || v->n_bytes > DIFF_BYTES)
		diff_flush(v);
}

static int diff_met(void *arg, const struct vtr_pair *p, struct vtr_error *err)
{
	struct diff *v = arg;
	int excluded = vtr_exclude_has(v->c.exclude, p->path, p->path_len, err);
	char *path;

	if (excluded != 0)
		return excluded;
	path = cli_join(v->base, p->path);
	if (!path) {
		err->code = VTR_ENOMEM;
		snprintf(err->text, sizeof(err->text), "no memory");
		return -1;
	}
	if (p->side[0].failed || p->side[1].failed) {
		for (size_t i = 0; i < 2; i++)
			if (p->side[i].failed)
				cli_partial_at(&v->c, path, p->side[i].error);
		free(path);
	} else {
		diff_pair(v, path, &p->side[0], &p->side[1]);
	}
	if (!ferror(stdout))
		return 0;
	err->code = VTR_OK; /* cli_flush() tells */
	return -1;
}

/* Where the walk starts on one side: it may not be there. */
static bool diff_start(struct diff *v, struct vtr_place *out, bool *there, struct vtr_tree *t, const char *path)
{
	struct vtr_error err = { 0 };

	*there = vtr_tree_walk(out, t, path, 0, &err) == 0;
	if (*there || err.code == VTR_ENOTFOUND)
		return true;
	cli_error(&v->c, &err);
	return false;
}

static void diff_path(struct diff *v, struct vtr_tree *ta, struct vtr_tree *tb, const char *path)
{
	struct vtr_error err = { .code = VTR_ENOTFOUND };
	struct vtr_place a, b;
	bool in_a, in_b;

	if (!diff_start(v, &a, &in_a, ta, path) || !diff_start(v, &b, &in_b, tb, path))
		return;
	if (!in_a && !in_b) {
		snprintf(err.text, sizeof(err.text), "neither image has it");
		cli_partial_at(&v->c, path, &err);
		v->c.status = CLI_FAILED;
		return;
	}
	if (cli_begin_excluded(&v->c, ta, path))
		return;
	v->base = path;
	err.code = VTR_OK;
	if (vtr_tree_pairs(ta, in_a ? &a : NULL, tb, in_b ? &b : NULL, 0, diff_met, v, &err) < 0 && err.code != VTR_OK)
		cli_error(&v->c, &err);
	diff_flush(v);
}

/* ------------------------------------------------------------------------------------------------------- packages */

/* What happened to a package of the first system, the second, or both; NULL: nothing did. */
static const char *diff_package_change(const char *format, const struct vtr_package *a, const struct vtr_package *b)
{
	int order;

	if (!a || !b)
		return a ? "removed" : "added";
	if (strcmp(a->version, b->version) == 0)
		return strcmp(a->status, b->status) == 0 ? NULL : "changed";
	order = vtr_package_version_compare(format, a->version, b->version);
	/* The same version, written otherwise: 1.0 and 1.00. */
	return order == 0 ? "changed" : order < 0 ? "upgraded" : "downgraded";
}

static void diff_package(struct diff *v, const char *format, const struct vtr_package *a, const struct vtr_package *b)
{
	const struct vtr_package *p = a ? a : b;
	const char *change = diff_package_change(format, a, b);
	json_t *o;

	if (!change)
		return;
	v->differ = true;
	if (v->c.json) {
		o = json_object();
		json_object_set_new(o, "change", json_string(change));
		cli_json_set(o, "package", p->name);
		cli_json_set(o, "arch", p->arch);
		if (a) {
			cli_json_set(o, "a_version", a->version);
			cli_json_set(o, "a_status", a->status);
		}
		if (b) {
			cli_json_set(o, "b_version", b->version);
			cli_json_set(o, "b_status", b->status);
		}
		cli_json_line(o);
		return;
	}
	printf("%c package %s %s ", !b ? '-' : !a ? '+' : '~', p->name, p->arch);
	if (!a || !b)
		printf("%s\n", p->version);
	else if (strcmp(a->version, b->version) == 0)
		printf("%s (%s -> %s)\n", p->version, a->status, b->status);
	else
		printf("%s -> %s (%s)\n", a->version, b->version, change);
}

static int diff_compare_packages(const struct vtr_package *a, const struct vtr_package *b)
{
	int c = strcmp(a->name, b->name);

	return c ? c : strcmp(a->arch, b->arch);
}

/* Both lists are sorted by name and architecture. Of a name with several versions, those that both have are passed over. */
static void diff_packages(struct diff *v, struct vtr_os *a, struct vtr_os *b)
{
	const struct vtr_fact *format = vtr_os_fact(a, "package_format");
	struct vtr_error err = { 0 };
	size_t i = 0, j = 0;

	if (vtr_os_read_packages(a, &err) < 0 || vtr_os_read_packages(b, &err) < 0) {
		cli_error(&v->c, &err);
		return;
	}
	for (;;) {
		const struct vtr_package *p = vtr_os_package(a, i), *q = vtr_os_package(b, j);
		int order;

		if (!p && !q)
			return;
		order = !p ? 1 : !q ? -1 : diff_compare_packages(p, q);
		if (order == 0 && strcmp(p->version, q->version) != 0) {
			const struct vtr_package *p2 = vtr_os_package(a, i + 1), *q2 = vtr_os_package(b, j + 1);

			/* Kernels of rpm, for one: the same name again. */
			if (p2 && diff_compare_packages(p2, q) == 0 && strcmp(p2->version, q->version) == 0)
				order = -1;
			else if (q2 && diff_compare_packages(p, q2) == 0 && strcmp(p->version, q2->version) == 0)
				order = 1;
		}
		diff_package(v, format ? format->value : NULL, order <= 0 ? p : NULL, order >= 0 ? q : NULL);
		i += order <= 0;
		j += order >= 0;
	}
}

/* ---------------------------------------------------------------------------------------------------------- facts */

static void diff_fact(struct diff *v, const char *key, const struct vtr_fact *a, const struct vtr_fact *b)
{
	json_t *o;

	if (a && b && strcmp(a->value, b->value) == 0)
		return;
	v->differ = true;
	if (v->c.json) {
		o = json_object();
		json_object_set_new(o, "change", json_string(!b ? "removed" : !a ? "added" : "changed"));
		cli_json_set(o, "fact", key);
		cli_json_set_fact(o, "a_value", a ? a->value : NULL, v->escaped[0]);
		cli_json_set_fact(o, "b_value", b ? b->value : NULL, v->escaped[1]);
		cli_json_line(o);
		return;
	}
	printf("%c fact %s ", !b ? '-' : !a ? '+' : '~', key);
	printf(a && b ? "%s -> %s\n" : "%s%s\n", a ? a->value : "", b ? b->value : "");
}

/* What a record is known by in both systems: its first text of these members. "": nothing; it is there or it is not. */
static const char *diff_record_name(const struct vtr_record *r)
{
	static const char *const keys[] = { "name", "id", "path" };
	const char *name = NULL;

	if (strcmp(r->kind, "repositories") == 0 || strcmp(r->kind, "logins") == 0)
		return "";
	if (strcmp(r->kind, "kernels") == 0) /* the version of one may change where it lies */
		return (name = vtr_record_member(r, "path")) ? name : "";
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !name; i++)
		name = vtr_record_member(r, keys[i]);
	return name ? name : "";
}

/* By name, then member by member. */
static int diff_record_compare(const void *pa, const void *pb)
{
	const struct vtr_record *a = *(const struct vtr_record *const *)pa, *b = *(const struct vtr_record *const *)pb;
	int c = strcmp(diff_record_name(a), diff_record_name(b));

	for (size_t i = 0; c == 0 && (i < a->n || i < b->n); i++) {
		if (i >= a->n || i >= b->n)
			return i < a->n ? 1 : -1;
		c = strcmp(a->members[i].key, b->members[i].key);
		c = c ? c : strcmp(a->members[i].value, b->members[i].value);
	}
	return c;
}

/* A value as a line has it: the texts of a list with commas between them. */
static void diff_record_value(const char *value)
{
	for (; value && *value; value++)
		fputs(*value == '\n' ? ", " : (const char[]){ *value, 0 }, stdout);
}

/* The members of a record that the other one does not have so. */
static void diff_record_members(const struct vtr_record *a, const struct vtr_record *b, const char *name)
{
	const struct vtr_record *r = b ? b : a;
	const char *sep = " (";

	for (size_t i = 0; i < r->n; i++) {
		const char *key = r->members[i].key, *value = r->members[i].value;
		const char *before = a && b ? vtr_record_member(a, key) : NULL;

		if (*value == 0 || value == name || (before && strcmp(before, value) == 0))
			continue;
		printf("%s%s ", sep, key);
		if (a && b) {
			diff_record_value(before ? before : "-");
			fputs(" -> ", stdout);
		}
		diff_record_value(value);
		sep = ", ";
	}
	for (size_t i = 0; a && b && i < a->n; i++) {
		if (vtr_record_member(b, a->members[i].key))
			continue;
		printf("%s%s ", sep, a->members[i].key);
		diff_record_value(a->members[i].value);
		fputs(" -> -", stdout);
		sep = ", ";
	}
	puts(*sep == ',' ? ")" : "");
}

static void diff_record(struct diff *v, const struct vtr_record *a, const struct vtr_record *b)
{
	const struct vtr_record *r = b ? b : a;
	const char *name = diff_record_name(r);
	json_t *o;

	v->differ = true;
	if (v->c.json) {
		o = json_object();
		json_object_set_new(o, "change", json_string(!b ? "removed" : !a ? "added" : "changed"));
		cli_json_set(o, "record", r->kind);
		if (a)
			json_object_set_new(o, "a_record", cli_record_json(a, v->escaped[0]));
		if (b)
			json_object_set_new(o, "b_record", cli_record_json(b, v->escaped[1]));
		cli_json_line(o);
		return;
	}
	printf("%c %s%s%s", !b ? '-' : !a ? '+' : '~', r->kind, *name ? " " : "", name);
	diff_record_members(a, b, name);
}

/* A kind of records, sorted. */
struct diff_records {
	const struct vtr_record **v;
	size_t n, at;
};

static bool diff_records_sort(struct diff_records *out, const struct vtr_os *os, const char *kind)
{
	const struct vtr_record *r;
	size_t n = 0;

	while (vtr_os_record(os, kind, n))
		n++;
	out->v = calloc(n + 1, sizeof(const struct vtr_record *));
	if (!out->v)
		return false;
	for (size_t i = 0; (r = vtr_os_record(os, kind, i)); i++)
		out->v[out->n++] = r;
	qsort(out->v, out->n, sizeof(const struct vtr_record *), diff_record_compare);
	return true;
}

/* Records that both have go; what is left stays in order. */
static void diff_records_cancel(struct diff_records *a, struct diff_records *b)
{
	size_t i = 0, j = 0, n = 0, m = 0;

	while (i < a->n || j < b->n) {
		int order = i == a->n ? 1 : j == b->n ? -1 : diff_record_compare(&a->v[i], &b->v[j]);

		if (order < 0)
			a->v[n++] = a->v[i++];
		else if (order > 0)
			b->v[m++] = b->v[j++];
		else
			i++, j++;
	}
	a->n = n;
	b->n = m;
}

static void diff_records_kind(struct diff *v, const struct vtr_os *a, const struct vtr_os *b, const char *kind)
{
	struct diff_records x = { 0 }, y = { 0 };

	if (!diff_records_sort(&x, a, kind) || !diff_records_sort(&y, b, kind)) {
		diff_no_memory(v);
	} else {
		diff_records_cancel(&x, &y);
		while (x.at < x.n || y.at < y.n) {
			const struct vtr_record *r = x.at < x.n ? x.v[x.at] : NULL, *s = y.at < y.n ? y.v[y.at] : NULL;
			int order = !r ? 1 : !s ? -1 : strcmp(diff_record_name(r), diff_record_name(s));

			if (order == 0 && !*diff_record_name(r))
				order = -1;
			diff_record(v, order <= 0 ? r : NULL, order >= 0 ? s : NULL);
			x.at += order <= 0;
			y.at += order >= 0;
		}
	}
	free(x.v);
	free(y.v);
}

static void diff_facts(struct diff *v, struct vtr_os *a, struct vtr_os *b)
{
	struct vtr_error err = { 0 };
	const struct vtr_fact *f;
	const char *kind;

	v->escaped[0] = cli_json_is_escaped(a);
	v->escaped[1] = cli_json_is_escaped(b);
	if (vtr_os_read_records(a, &err) < 0 || vtr_os_read_records(b, &err) < 0) {
		cli_error(&v->c, &err);
		return;
	}
	for (size_t i = 0; (f = vtr_os_fact_at(a, i)); i++)
		diff_fact(v, f->key, f, vtr_os_fact(b, f->key));
	for (size_t i = 0; (f = vtr_os_fact_at(b, i)); i++)
		if (!vtr_os_fact(a, f->key))
			diff_fact(v, f->key, NULL, f);
	for (size_t i = 0; (kind = vtr_record_kind(i)); i++)
		diff_records_kind(v, a, b, kind);
}

/* ----------------------------------------------------------------------------------------------------------- work */

static void diff_work(struct diff *v, int argc, char **argv)
{
	struct vtr_error err = { .code = VTR_ENOTFOUND };
	struct vtr_tree *ta = cli_tree(&v->c), *tb;
	struct vtr_os *a, *b;

	v->c.hush = true; /* warnings of both go through the first */
	tb = ta ? cli_tree(&v->b) : NULL;
	v->c.hush = false;
	if (!tb)
		return;
	if (v->packages || v->facts) {
		a = v->c.os;
		b = v->b.os;
		if (!a || !b) {
			snprintf(err.text, sizeof(err.text),
				 v->c.device ? "%s: no operating system has its root there"
					     : "%s: no operating system is found",
				 a ? v->b.images[0] : v->c.images[0]);
			cli_error(&v->c, &err);
			return;
		}
		if (v->facts)
			diff_facts(v, a, b);
		if (v->packages)
			diff_packages(v, a, b);
	}
	v->queue = v->files ? calloc(DIFF_QUEUE, sizeof(*v->queue)) : NULL;
	if (!v->files)
		return;
	if (!v->queue) {
		diff_no_memory(v);
		return;
	}
	argv = cli_paths(&v->c, ta, argv, &argc, false);
	for (int i = 0; i < argc; i++)
		diff_path(v, ta, tb, argv[i]);
}

/* What is left of the command line, and the second machine. */
static bool diff_prepare(struct diff *v, int *argc, char ***argv)
{
	v->b = v->c;
	v->b.images = v->with;
	v->b.n_images = v->n_with;
	if (v->n_with == 0) {
		if (*argc == 0) {
			cli_usage(&v->c, "which second image?");
			return false;
		}
		v->with[0] = (*argv)[0];
		v->b.n_images = 1;
		(*argc)--;
		(*argv)++;
	}
	v->files = v->files || *argc > 0 || (!v->packages && !v->facts);
	return true;
}

static int diff_run(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "with", required_argument, NULL, OPT_WITH },
		{ "files", no_argument, NULL, OPT_FILES },
		{ "packages", no_argument, NULL, OPT_PACKAGES },
		{ "facts", no_argument, NULL, OPT_FACTS },
		{ "times", no_argument, NULL, OPT_TIMES },
		{ "quick", no_argument, NULL, OPT_QUICK },
		{ 0 },
	};
	struct diff *v = calloc(1, sizeof(*v));
	bool begun;
	int status;

	if (!v)
		return CLI_USAGE;
	begun = cli_begin(&v->c, &cli_verb_diff, &argc, &argv, "", longs, diff_option, v);
	if (begun && diff_prepare(v, &argc, &argv)) {
		diff_work(v, argc, argv);
		cli_flush(&v->c);
		vtr_tree_free(v->b.own_tree);
		vtr_guest_free(v->b.guest);
		if (v->b.status == CLI_FAILED || (v->b.status == CLI_PARTIAL && v->c.status == CLI_OK))
			v->c.status = v->b.status;
	}
	status = cli_end(&v->c);
	if (status == CLI_FAILED) /* as diff(1): 1 is a difference */
		status = CLI_USAGE;
	else if (status == CLI_OK && v->differ)
		status = 1;
	free(v->queue);
	free(v);
	return status;
}

const struct cli_verb cli_verb_diff = {
	.name = "diff",
	.summary = "Tell what differs between two images: files, packages, facts",
	.usage = "[options] IMAGE IMAGE [PATH…]",
	.options = "      --with IMAGE     one of several disks of the second machine\n"
		   "      --files          files; that is what is compared without these options\n"
		   "      --packages       installed packages\n"
		   "      --facts          what inspect tells of the systems: facts, users, services and so on\n"
		   "      --times          files that differ in nothing but their time of change, too\n"
		   "      --quick          trust inode, size and times where all are equal: do not read\n",
	.run = diff_run,
};
