/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packages from dpkg's database: deb822(5), dpkg's "status" file, and its journal "updates" of records that are not
 * merged into it yet. Images without a dpkg of their own ("distroless") have one file for each package in status.d.
 *
 * The text is taken apart in one pass where it lies: a value ends with the NUL that is put over the end of its line.
 * Only what is not plain text goes elsewhere, escaped.
 */
#include "inspect/inspect.h"

#include <stdlib.h>

#include "base/checked.h"
#include "base/fold.h"
#include "base/held.h"
#include "fs/tree.h"
#include "inspect/packages.h"

#define DPKG_DIR "/var/lib/dpkg/"
#define DPKG_WARNINGS 16u /* damaged records that are told one by one */

enum dpkg_field {
	DPKG_PACKAGE,
	DPKG_VERSION,
	DPKG_ARCHITECTURE,
	DPKG_SOURCE,
	DPKG_STATUS,
	DPKG_INSTALLED_SIZE,
	DPKG_DESCRIPTION,
	DPKG_INSTALLED_TIME,
	DPKG_FIELDS,
};

static const struct {
	const char *name;
	size_t len;
} dpkg_fields[DPKG_FIELDS] = {
	[DPKG_PACKAGE] = { "Package", 7 },
	[DPKG_VERSION] = { "Version", 7 },
	[DPKG_ARCHITECTURE] = { "Architecture", 12 },
	[DPKG_SOURCE] = { "Source", 6 },
	[DPKG_STATUS] = { "Status", 6 },
	[DPKG_INSTALLED_SIZE] = { "Installed-Size", 14 },
	[DPKG_DESCRIPTION] = { "Description", 11 },
	[DPKG_INSTALLED_TIME] = { "Installed-Time", 14 }, /* opkg's alone */
};

struct dpkg_value {
	char *p; /* NULL: the record does not have the field. After the value there is a byte to put a NUL on */
	size_t len;
};

/* A package and its place in the file: of two records for one package the later one counts. */
struct dpkg_record {
	struct vtr_package pkg;
	size_t seq;
};

struct dpkg {
	struct vtr_os *os;
	const char *text; /* where the text starts, for messages */
	struct dpkg_record *records;
	size_t n, cap;
	size_t damaged;	 /* records */
	bool bare_is_ok; /* a record without Status is installed: status.d */
};

static bool dpkg_blank_is(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct dpkg_value dpkg_trim(char *p, char *end)
{
	while (p < end && dpkg_blank_is(*p))
		p++;
	while (p < end && dpkg_blank_is(end[-1]))
		end--;
	return (struct dpkg_value){ p, (size_t)(end - p) };
}

static void dpkg_damage(struct dpkg *d, const char *at, const char *what)
{
	if (d->damaged++ < DPKG_WARNINGS)
		vtr_warn(d->os->ctx, VTR_ECORRUPT, "%s: dpkg's status at byte %zu: %s", d->os->root,
			 (size_t)(at - d->text), what);
}

/* Printable ASCII without a backslash is its own escape; so is what escaping makes no longer. */
static bool dpkg_plain_is(const char *p, size_t len)
{
	bool ascii = true;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c < 0x20 || c == 0x7f || c == '\\')
			return false;
		ascii = ascii && c < 0x80;
	}
	return ascii || vtr_escape(NULL, 0, p, len) == len;
}

/* A value as a string for a package: where it lies, or escaped. NULL sets *err. */
static const char *dpkg_string(struct dpkg *d, struct dpkg_value v, struct vtr_error *err)
{
	if (!v.p)
		return "";
	if (!dpkg_plain_is(v.p, v.len))
		return vtr_os_escape(d->os, v.p, v.len, err);
	v.p[v.len] = 0;
	return v.p;
}

/* The word of a value after which *v goes on. */
static struct dpkg_value dpkg_word(struct dpkg_value *v)
{
	struct dpkg_value word = { v->p, 0 };

	while (word.len < v->len && !dpkg_blank_is(word.p[word.len]))
		word.len++;
	*v = dpkg_trim(word.p + word.len, v->p + v->len);
	return word;
}

/* Source: name, or name (version). */
static int dpkg_source_parse(struct vtr_package *p, struct dpkg *d, struct dpkg_value v, struct vtr_error *err)
{
	struct dpkg_value name, version = { 0 };
	char *open = v.p && v.len > 0 ? memchr(v.p, '(', v.len) : NULL;

	if (!v.p || v.len == 0)
		return 0;
	name = dpkg_trim(v.p, open ? open : v.p + v.len);
	if (open) {
		char *end = v.p + v.len;

		version = dpkg_trim(open + 1, end[-1] == ')' ? end - 1 : end);
	}
	/* The version first: the name's NUL may fall on the bracket before it. */
	if (version.len > 0) {
		p->source_version = dpkg_string(d, version, err);
		if (!p->source_version)
			return -1;
	}
	if (name.len > 0) {
		p->source = dpkg_string(d, name, err);
		if (!p->source)
			return -1;
	}
	return 0;
}

/* KiB, in bytes; 0 when it is no number or none that fits. */
static uint64_t dpkg_size_parse(struct dpkg_value v)
{
	uint64_t bytes;

	return vtr_mul_over(vtr_packages_number(v.p, v.len), 1024u, &bytes) ? 0 : bytes;
}

static int64_t dpkg_time_parse(struct dpkg_value v)
{
	return (int64_t)VTR_MIN(vtr_packages_number(v.p, v.len), (uint64_t)INT64_MAX);
}

/* One paragraph's fields become a package. */
static int dpkg_record_add(struct dpkg *d, const char *at, struct dpkg_value *f, struct vtr_error *err)
{
	struct vtr_package pkg = { 0 };
	struct dpkg_value status = f[DPKG_STATUS];

	if (!f[DPKG_PACKAGE].p || f[DPKG_PACKAGE].len == 0) {
		dpkg_damage(d, at, "a record without a Package field");
		return 0;
	}
	for (size_t i = 0; i < f[DPKG_PACKAGE].len; i++) /* as dpkg has it */
		f[DPKG_PACKAGE].p[i] = vtr_ascii_lower(f[DPKG_PACKAGE].p[i]);
	if (status.p) { /* "install ok installed" */
		dpkg_word(&status);
		dpkg_word(&status);
		if (status.len == 0) { /* dpkg would refuse the whole file; as it stands it tells more than nothing */
			dpkg_damage(d, at, "a Status of less than three words");
			status = f[DPKG_STATUS];
			pkg.status = status.len > 0 ? dpkg_string(d, status, err) : "not-installed";
		} else {
			pkg.status = dpkg_string(d, dpkg_word(&status), err);
		}
	} else {
		pkg.status = d->bare_is_ok ? "installed" : "not-installed";
	}
	pkg.name = dpkg_string(d, f[DPKG_PACKAGE], err);
	pkg.version = dpkg_string(d, f[DPKG_VERSION], err);
	pkg.arch = dpkg_string(d, f[DPKG_ARCHITECTURE], err);
	if (!pkg.status || !pkg.name || !pkg.version || !pkg.arch ||
	    dpkg_source_parse(&pkg, d, f[DPKG_SOURCE], err) < 0)
		return -1;
	if (f[DPKG_DESCRIPTION].p && f[DPKG_DESCRIPTION].len > 0) {
		pkg.summary = dpkg_string(d, f[DPKG_DESCRIPTION], err);
		if (!pkg.summary)
			return -1;
	}
	pkg.installed_size = dpkg_size_parse(f[DPKG_INSTALLED_SIZE]);
	pkg.install_time = dpkg_time_parse(f[DPKG_INSTALLED_TIME]);
	if (VTR_OVER(d->os->ctx, packages, d->n + 1, "dpkg's status: packages", err) < 0 ||
	    VTR_HOLD_GROW(d->os->ctx, d->records, d->n, d->cap, "packages", err) < 0)
		return -1;
	d->records[d->n] = (struct dpkg_record){ pkg, d->n };
	d->n++;
	return 0;
}

/* The field that a line starts, DPKG_FIELDS for one that is of no interest; *value is where its value starts. */
static enum dpkg_field dpkg_field_of(char *p, size_t len, char **value)
{
	for (unsigned i = 0; i < DPKG_FIELDS; i++) {
		size_t n = dpkg_fields[i].len;

		if (len <= n || vtr_ascii_ncasecmp(p, dpkg_fields[i].name, n) != 0)
			continue;
		while (n < len && (p[n] == ' ' || p[n] == '\t'))
			n++;
		if (n < len && p[n] == ':') {
			*value = p + n + 1;
			return (enum dpkg_field)i;
		}
	}
	return DPKG_FIELDS;
}

/* One field's line. */
static void dpkg_line_parse(struct dpkg *d, struct dpkg_value *f, char *line, size_t len)
{
	enum dpkg_field field;
	char *value;

	if (len > d->os->ctx->lim.line) {
		if (d->damaged++ < DPKG_WARNINGS)
			vtr_warn(d->os->ctx, VTR_ELIMIT,
				 "%s: dpkg's status at byte %zu: a line of %zu bytes, limit line=%" PRIu64, d->os->root,
				 (size_t)(line - d->text), len, d->os->ctx->lim.line);
		return;
	}
	field = dpkg_field_of(line, len, &value);
	if (field == DPKG_FIELDS) {
		if (!memchr(line, ':', len))
			dpkg_damage(d, line, "a line that is no field");
		return;
	}
	if (f[field].p)
		dpkg_damage(d, line, "a field that the record has already");
	else
		f[field] = dpkg_trim(value, line + len);
}

static int dpkg_text_parse(struct dpkg *d, char *text, size_t len, struct vtr_error *err)
{
	struct dpkg_value f[DPKG_FIELDS] = { 0 };
	char *p = text, *end = text + len, *start = text;
	bool any = false;

	while (p < end) {
		char *nl = memchr(p, '\n', (size_t)(end - p)), *eol = nl ? nl : end;
		size_t blank = 0;

		/* A continuation is told from an empty line by what is in it; ours are all single lines. */
		while (p + blank < eol && dpkg_blank_is(p[blank]))
			blank++;
		if (p + blank == eol) {
			if (any && dpkg_record_add(d, start, f, err) < 0)
				return -1;
			if (any && d->n % 1024 == 0 && vtr_ctx_check(d->os->ctx, err) < 0)
				return -1;
			memset(f, 0, sizeof(f));
			any = false;
		} else if (blank == 0) {
			if (!any)
				start = p;
			any = true;
			dpkg_line_parse(d, f, p, (size_t)(eol - p));
		}
		p = nl ? nl + 1 : end;
	}
	return any ? dpkg_record_add(d, start, f, err) : 0;
}

/* By name, then architecture, then the later record first. */
static int dpkg_compare(const void *pa, const void *pb)
{
	const struct dpkg_record *a = pa, *b = pb;
	int c = strcmp(a->pkg.name, b->pkg.name);

	if (c == 0)
		c = strcmp(a->pkg.arch, b->pkg.arch);
	if (c == 0)
		c = a->seq > b->seq ? -1 : a->seq < b->seq;
	return c;
}

static bool dpkg_same_is(const struct vtr_package *a, const struct vtr_package *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->arch, b->arch) == 0;
}

/* What dpkg-query -W would list goes to os. */
static int dpkg_finish(struct dpkg *d, struct vtr_error *err)
{
	struct vtr_os *os = d->os;
	bool sorted = true;
	size_t n = 0;

	for (size_t i = 1; i < d->n && sorted; i++)
		sorted = dpkg_compare(&d->records[i - 1], &d->records[i]) < 0;
	if (!sorted)
		qsort(d->records, d->n, sizeof(*d->records), dpkg_compare);
	os->packages = vtr_hold(os->ctx, d->n, sizeof(*os->packages), "packages", err);
	if (!os->packages)
		return -1;
	for (size_t i = 0; i < d->n; i++) {
		const struct vtr_package *p = &d->records[i].pkg;

		if (i > 0 && dpkg_same_is(&d->records[i - 1].pkg, p))
			continue;
		if (strcmp(p->status, "not-installed") != 0)
			os->packages[n++] = *p;
	}
	os->n_packages = n;
	os->cap_packages = d->n;
	if (d->damaged > DPKG_WARNINGS)
		vtr_warn(os->ctx, VTR_ECORRUPT, "%s: dpkg's status: %zu more damaged places", os->root,
			 d->damaged - DPKG_WARNINGS);
	return 0;
}

/* The text, whose records from byte bare on need no Status. */
static int dpkg_parse(struct vtr_os *os, char *text, size_t len, size_t bare, struct vtr_error *err)
{
	struct dpkg d = { .os = os, .text = text };
	int rc = dpkg_text_parse(&d, text, bare, err);

	if (rc == 0) {
		d.bare_is_ok = true;
		rc = dpkg_text_parse(&d, text + bare, len - bare, err);
	}
	if (rc == 0)
		rc = dpkg_finish(&d, err);
	vtr_let_go(d.records);
	if (rc < 0)
		return vtr_at(err, DPKG_DIR "status");
	os->package_text = text;
	return 0;
}

int vtr_dpkg_parse(struct vtr_os *os, char *text, size_t len, struct vtr_error *err)
{
	return dpkg_parse(os, text, len, len, err);
}

/* ---------------------------------------------------------------------------------------------- reading the files */

struct dpkg_names {
	struct vtr_os *os;
	bool (*wanted)(const char *name, size_t len);
	char **names;
	size_t n, cap;
	struct vtr_error *err;
};

static void dpkg_names_done(struct dpkg_names *l)
{
	for (size_t i = 0; i < l->n; i++)
		vtr_let_go(l->names[i]);
	vtr_let_go(l->names);
}

static int dpkg_name_add(void *arg, const struct vtr_dirent *e)
{
	struct dpkg_names *l = arg;
	char *name;

	if (!l->wanted(e->name, e->name_len))
		return 0;
	if (VTR_OVER(l->os->ctx, packages, l->n + 1, "files", l->err) < 0 ||
	    VTR_HOLD_GROW(l->os->ctx, l->names, l->n, l->cap, "names of files", l->err) < 0)
		return -1;
	name = vtr_hold(l->os->ctx, e->name_len + 1, 1, "names of files", l->err);
	if (!name)
		return -1;
	memcpy(name, e->name, e->name_len);
	l->names[l->n++] = name;
	return 0;
}

static int dpkg_name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* updates/0000, as dpkg names them: nothing but digits. */
static bool dpkg_update_is(const char *name, size_t len)
{
	return len > 0 && len < 16 && strspn(name, "0123456789") == len;
}

/* status.d/NAME, beside NAME.md5sums. */
static bool dpkg_part_is(const char *name, size_t len)
{
	return len < 8 || strcmp(name + len - 8, ".md5sums") != 0;
}

/* A text that is put together. */
struct dpkg_text {
	char *p; /* held memory */
	size_t len, cap;
};

static int dpkg_text_put(struct dpkg_text *t, struct vtr_os *os, const char *bytes, size_t len, struct vtr_error *err)
{
	void *p = t->p;

	if (len >= t->cap - t->len || !p) {
		size_t cap = VTR_MAX(2 * t->cap, t->len + len + 1);

		if (VTR_OVER(os->ctx, package_db, t->len + len, "dpkg's status", err) < 0 ||
		    vtr_hold_resize(&p, os->ctx, VTR_MIN((uint64_t)cap, VTR_MAX(os->ctx->lim.alloc, t->len + len + 1)),
				    1, "dpkg's status", err) < 0)
			return -1;
		t->p = p;
		t->cap = (size_t)VTR_MIN((uint64_t)cap, VTR_MAX(os->ctx->lim.alloc, t->len + len + 1));
	}
	if (len > 0)
		memcpy(t->p + t->len, bytes, len);
	t->len += len;
	t->p[t->len] = 0;
	return 0;
}

/* Append the files of a directory, in the order of their names. 1: it is there, 0, -1. */
static int dpkg_dir_read(struct dpkg_text *text, struct vtr_os *os, const char *dir,
			 bool (*wanted)(const char *name, size_t len), struct vtr_error *err)
{
	struct vtr_error e = { 0 };
	struct dpkg_names l = { .os = os, .wanted = wanted, .err = &e };
	struct vtr_place place;
	struct vtr_stat st;
	int there = vtr_os_look(&place, &st, os, dir, 0, err), rc = -1;

	if (there <= 0 || st.type != VTR_TYPE_DIR)
		return there < 0 ? -1 : 0;
	if (vtr_fs_readdir(place.fs, place.node, dpkg_name_add, &l, &e) < 0) {
		if (e.code == VTR_ELIMIT) { /* of the packages themselves */
			vtr_error_at(&e, "%s: %s", os->root, dir);
			goto out;
		}
		if (vtr_inspect_excuse(os->ctx, &e, &e, "%s: %s", os->root, dir) < 0)
			goto out;
		e = (struct vtr_error){ 0 }; /* and what was listed is read */
	}
	if (l.n > 0)
		qsort(l.names, l.n, sizeof(*l.names), dpkg_name_compare);
	for (size_t i = 0; i < l.n; i++) {
		VTR_FREE char *path = NULL, *part = NULL;
		struct vtr_str s = { 0 };
		size_t len;

		vtr_str_putf(&s, "%s/%s", dir, l.names[i]);
		path = vtr_str_take(&s, &e);
		if (!path)
			goto out;
		there = vtr_os_slurp(&part, &len, os, path, os->ctx->lim.text_file, &e);
		if (there < 0)
			goto out;
		if (there == 0)
			continue;
		if (dpkg_text_put(text, os, "\n\n", 2, &e) < 0 || dpkg_text_put(text, os, part, len, &e) < 0)
			goto out;
	}
	rc = 1;
out:
	if (rc < 0 && err)
		*err = e;
	dpkg_names_done(&l);
	return rc;
}

/* The status file itself: 1, 0: there is none, -1: it is there and cannot be read. */
static int dpkg_status_read(char **out, size_t *len, struct vtr_os *os, struct vtr_error *err)
{
	struct vtr_error e = { 0 };

	if (vtr_tree_slurp_held(out, len, os->tree, DPKG_DIR "status", os->ctx->lim.package_db, &e) == 0)
		return 1;
	if (vtr_error_is(&e, VTR_KINDS_ABSENT))
		return 0;
	if (err)
		*err = e;
	return -1;
}

/* The status file, and behind it what the two directories have; *bare: where those of status.d begin. 1, 0, -1. */
static int dpkg_collect(struct dpkg_text *all, size_t *bare, struct vtr_os *os, struct vtr_error *err)
{
	int status = dpkg_status_read(&all->p, &all->len, os, err), parts = status;
	size_t len = all->len;

	all->cap = status > 0 ? len + 1 : 0;
	/* dpkg would not go on: "end of file during value of field". */
	if (status > 0 && len > 0 && all->p[len - 1] != '\n')
		vtr_os_warn(os, DPKG_DIR "status", VTR_ETRUNCATED,
			    "the last line does not end: records may be cut off");
	if (parts >= 0)
		parts = dpkg_dir_read(all, os, DPKG_DIR "updates", dpkg_update_is, err);
	*bare = all->len;
	if (parts >= 0)
		parts = dpkg_dir_read(all, os, DPKG_DIR "status.d", dpkg_part_is, err);
	if (parts < 0)
		return -1;
	if (*bare < all->len)
		++*bare; /* the newline after the last value before it becomes that one's NUL */
	return status > 0 || parts > 0;
}

int vtr_dpkg_read(struct vtr_os *os, struct vtr_error *err)
{
	struct dpkg_text all = { 0 };
	size_t bare;
	int there = dpkg_collect(&all, &bare, os, err);

	if (there > 0 && !all.p && dpkg_text_put(&all, os, "", 0, err) < 0)
		there = -1;
	if (there > 0 && dpkg_parse(os, all.p, all.len, bare, err) < 0)
		there = -1;
	if (there <= 0) /* else os owns it */
		vtr_let_go(all.p);
	return there;
}
