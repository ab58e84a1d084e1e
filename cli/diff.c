/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine diff: what differs between two machines, or between two states of one: files, packages, facts. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

extern const struct cli_verb cli_verb_diff;

#define DIFF_BATCH 256u	 /* pairs of files that are hashed together */
#define DIFF_QUEUE 4096u /* lines that wait for them */

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

/* A file on one of the sides. */
struct diff_file {
	char *name;
	struct vtr_place place;
	struct vtr_stat st;
	bool failed;
};

struct diff_list {
	struct diff_file *files; /* sorted by name */
	size_t n, cap, at;
	bool failed; /* it may not be all of the directory */
};

/* A directory on both sides, or on one. */
struct diff_dir {
	char *path;
	struct diff_list a, b;
};

/* A line to come: files of both sides, or of one. */
struct diff_line {
	char *path, *target_a, *target_b;
	bool in_a, in_b, hash;
	unsigned what;
	struct vtr_place place_a, place_b;
	struct vtr_stat a, b;
};

struct diff {
	struct cli c; /* the first machine */
	struct cli b; /* the second one, in the same context */
	const char *with[64];
	size_t n_with;
	bool files, packages, facts, times, quick;
	bool differ;
	struct diff_dir *dirs; /* those being compared, each below the one before */
	size_t n_dirs, cap_dirs;
	struct diff_line *queue;
	size_t n_queue, n_hash;
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
		free(l->path);
		free(l->target_a);
		free(l->target_b);
	}
	v->n_queue = v->n_hash = 0;
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
static bool diff_xattrs(struct diff *v, const char *path, const struct diff_file *a, const struct diff_file *b)
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

static char *diff_target(struct diff *v, const char *path, const struct diff_file *f)
{
	struct vtr_error err = { 0 };
	char *out = NULL;

	if (f->st.type == VTR_TYPE_SYMLINK && vtr_fs_readlink(&out, f->place.fs, f->place.node, &err) < 0)
		cli_partial_at(&v->c, path, &err);
	return out;
}

/* What is seen without reading contents. */
static void diff_metadata(struct diff *v, struct diff_line *l, const struct diff_file *a, const struct diff_file *b)
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

/* A file of both sides, or of one (the other is NULL). */
static void diff_pair(struct diff *v, const char *path, const struct diff_file *a, const struct diff_file *b)
{
	struct diff_line l = { .in_a = a, .in_b = b };

	if ((a && a->failed) || (b && b->failed)) /* was told */
		return;
	l.path = strdup(path);
	if (!l.path) {
		diff_no_memory(v);
		return;
	}
	if (a) {
		l.a = a->st;
		l.place_a = a->place;
		l.target_a = diff_target(v, path, a);
	}
	if (b) {
		l.b = b->st;
		l.place_b = b->place;
		l.target_b = diff_target(v, path, b);
	}
	if (a && b)
		diff_metadata(v, &l, a, b);
	if (a && b && !l.what && !l.hash) {
		free(l.path);
		free(l.target_a);
		free(l.target_b);
		return;
	}
	v->queue[v->n_queue++] = l;
	v->n_hash += l.hash;
	if (v->n_queue == DIFF_QUEUE || v->n_hash == DIFF_BATCH)
		diff_flush(v);
}

struct diff_reading {
	struct diff *v;
	const char *path;
	struct diff_list *list;
};

static int diff_entry(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	struct diff_reading *r = arg;
	struct diff_list *l = r->list;
	struct diff_file f = { .place = e->place, .st = e->st, .failed = e->failed };

	if (e->failed) {
		char *path = cli_join(r->path, e->path);

		if (path)
			cli_partial_at(&r->v->c, path, e->error);
		free(path);
		if (e->path_len == 0) {
			l->failed = true;
			return 0;
		}
	}
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 16;
		struct diff_file *p = realloc(l->files, cap * sizeof(*p));

		if (p) {
			l->files = p;
			l->cap = cap;
		}
	}
	f.name = l->n < l->cap ? strdup(e->path) : NULL;
	if (!f.name) {
		err->code = VTR_ENOMEM;
		snprintf(err->text, sizeof(err->text), "no memory");
		return -1;
	}
	/* A directory that cannot be read comes twice: as an entry, and as failed. */
	if (l->n > 0 && strcmp(l->files[l->n - 1].name, f.name) == 0) {
		free(f.name);
		return 0;
	}
	l->files[l->n++] = f;
	return 0;
}

static bool diff_read(struct diff *v, struct diff_list *l, const char *path, const struct vtr_place *p,
		      struct vtr_tree *t)
{
	struct diff_reading r = { .v = v, .path = path, .list = l };
	uint64_t damage = vtr_ctx_damage(v->c.ctx);
	struct vtr_error err = { 0 };

	if (p && vtr_tree_list(t, p, VTR_LIST_SORT, diff_entry, &r, &err) < 0) {
		cli_error(&v->c, &err);
		return false;
	}
	l->failed = l->failed || vtr_ctx_damage(v->c.ctx) != damage;
	return true;
}

static void diff_list_done(struct diff_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->files[i].name);
	free(l->files);
}

/* Go into a directory of both sides, or of one. */
static bool diff_enter(struct diff *v, struct vtr_tree *ta, struct vtr_tree *tb, const char *path,
		       const struct vtr_place *a, const struct vtr_place *b)
{
	struct vtr_error err = { .code = VTR_ELIMIT };
	struct diff_dir *d;

	if (v->n_dirs >= vtr_ctx_limits(v->c.ctx)->depth) {
		snprintf(err.text, sizeof(err.text), "directories too deep below each other, limit depth=%" PRIu64,
			 vtr_ctx_limits(v->c.ctx)->depth);
		cli_partial_at(&v->c, path, &err);
		return true;
	}
	if (v->n_dirs == v->cap_dirs) {
		size_t cap = v->cap_dirs ? 2 * v->cap_dirs : 32;

		d = realloc(v->dirs, cap * sizeof(*d));
		if (!d) {
			diff_no_memory(v);
			return false;
		}
		v->dirs = d;
		v->cap_dirs = cap;
	}
	d = &v->dirs[v->n_dirs];
	*d = (struct diff_dir){ .path = strdup(path) };
	if (!d->path) {
		diff_no_memory(v);
		return false;
	}
	v->n_dirs++;
	if (!diff_read(v, &d->a, path, a, ta) || !diff_read(v, &d->b, path, b, tb))
		return false;
	return true;
}

/* The next name of the innermost directory, and what is below it. */
static bool diff_step(struct diff *v, struct vtr_tree *ta, struct vtr_tree *tb)
{
	struct diff_dir *d = &v->dirs[v->n_dirs - 1];
	const struct diff_file *a = d->a.at < d->a.n ? &d->a.files[d->a.at] : NULL;
	const struct diff_file *b = d->b.at < d->b.n ? &d->b.files[d->b.at] : NULL;
	bool dir_a, dir_b, good = true;
	char *path;
	int order;

	if (!a && !b) {
		diff_list_done(&d->a);
		diff_list_done(&d->b);
		free(d->path);
		v->n_dirs--;
		return true;
	}
	order = !a ? 1 : !b ? -1 : strcmp(a->name, b->name);
	if (order < 0)
		b = NULL;
	else if (order > 0)
		a = NULL;
	d->a.at += a != NULL;
	d->b.at += b != NULL;
	if ((!a && d->a.failed) || (!b && d->b.failed)) /* who knows */
		return true;
	path = cli_join(d->path, a ? a->name : b->name);
	if (!path) {
		diff_no_memory(v);
		return false;
	}
	diff_pair(v, path, a, b);
	dir_a = a && !a->failed && a->st.type == VTR_TYPE_DIR;
	dir_b = b && !b->failed && b->st.type == VTR_TYPE_DIR;
	if (!(a && a->failed) && !(b && b->failed) && (dir_a || dir_b))
		good = diff_enter(v, ta, tb, path, dir_a ? &a->place : NULL, dir_b ? &b->place : NULL);
	free(path);
	return good;
}

static bool diff_start(struct diff *v, struct diff_file *f, struct vtr_tree *t, const char *path, bool *there)
{
	struct vtr_error err = { 0 };

	*there = vtr_tree_walk(&f->place, t, path, 0, &err) == 0 &&
		 vtr_fs_stat(&f->st, f->place.fs, f->place.node, &err) == 0;
	if (*there || err.code == VTR_ENOTFOUND)
		return true;
	cli_error(&v->c, &err);
	return false;
}

static void diff_path(struct diff *v, struct vtr_tree *ta, struct vtr_tree *tb, const char *path)
{
	struct diff_file a = { 0 }, b = { 0 };
	struct vtr_error err = { .code = VTR_ENOTFOUND };
	bool in_a, in_b, dir_a, dir_b;

	if (!diff_start(v, &a, ta, path, &in_a) || !diff_start(v, &b, tb, path, &in_b))
		return;
	if (!in_a && !in_b) {
		snprintf(err.text, sizeof(err.text), "neither image has it");
		cli_partial_at(&v->c, path, &err);
		v->c.status = CLI_FAILED;
		return;
	}
	diff_pair(v, path, in_a ? &a : NULL, in_b ? &b : NULL);
	dir_a = in_a && a.st.type == VTR_TYPE_DIR;
	dir_b = in_b && b.st.type == VTR_TYPE_DIR;
	if ((dir_a || dir_b) && diff_enter(v, ta, tb, path, dir_a ? &a.place : NULL, dir_b ? &b.place : NULL))
		while (v->n_dirs > 0 && !ferror(stdout) && diff_step(v, ta, tb))
			;
	while (v->n_dirs > 0) {
		struct diff_dir *d = &v->dirs[--v->n_dirs];

		diff_list_done(&d->a);
		diff_list_done(&d->b);
		free(d->path);
	}
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
		cli_json_set(o, "a_value", a ? a->value : NULL);
		cli_json_set(o, "b_value", b ? b->value : NULL);
		cli_json_line(o);
		return;
	}
	printf("%c fact %s ", !b ? '-' : !a ? '+' : '~', key);
	printf(a && b ? "%s -> %s\n" : "%s%s\n", a ? a->value : "", b ? b->value : "");
}

static void diff_facts(struct diff *v, const struct vtr_os *a, const struct vtr_os *b)
{
	const struct vtr_fact *f;

	for (size_t i = 0; (f = vtr_os_fact_at(a, i)); i++)
		diff_fact(v, f->key, f, vtr_os_fact(b, f->key));
	for (size_t i = 0; (f = vtr_os_fact_at(b, i)); i++)
		if (!vtr_os_fact(a, f->key))
			diff_fact(v, f->key, NULL, f);
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
	cli_paths(&v->c, ta, argv, argc);
	if (argc == 0)
		diff_path(v, ta, tb, "/");
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
	free(v->dirs);
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
		   "      --facts          what inspect tells of the system\n"
		   "      --times          files that differ in nothing but their time of change, too\n"
		   "      --quick          trust inode, size and times where all are equal: do not read\n",
	.run = diff_run,
};
