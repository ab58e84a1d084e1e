/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packages from rpm's database: where it lies, and the header that it has for each package. What the formats are is
 * rpm's manual "V4 Package format" (docs/manual/format.md of rpm 4.18, "Header format"); a database keeps headers
 * without the 8 bytes of magic that they have in a file. All numbers are big endian.
 *
 *   0  4		il: index entries, 1 to 65535
 *   4  4		dl: bytes of data, less than 2^28
 *   8  16 * il		index entries: tag, type, offset into the data, count
 *   …  dl		data
 *
 * The first entry is a region: entries after those that it covers were added when the package was installed, and
 * replace those of the region with the same tag. No tag is twice in either, so the later one counts.
 */
#include "inspect/packages.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "fs/fs.h"

#define RPM_MAX_ENTRIES 65535u
#define RPM_MAX_DATA (1u << 28)
#define RPM_ENTRY 16u

enum rpm_type { RPM_INT32 = 4, RPM_INT64 = 5, RPM_STRING = 6, RPM_STRING_ARRAY = 8, RPM_I18N = 9 };

enum rpm_tag {
	RPM_I18NTABLE,
	RPM_NAME,
	RPM_VERSION,
	RPM_RELEASE,
	RPM_EPOCH,
	RPM_SUMMARY,
	RPM_INSTALLTIME,
	RPM_SIZE,
	RPM_VENDOR,
	RPM_ARCH,
	RPM_SOURCERPM,
	RPM_LONGSIZE,
	RPM_TAGS,
};

static const struct {
	uint32_t tag;
	enum rpm_type type;
	const char *name;
} rpm_tags[RPM_TAGS] = {
	[RPM_I18NTABLE] = { 100, RPM_STRING_ARRAY, "Headeri18ntable" },
	[RPM_NAME] = { 1000, RPM_STRING, "Name" },
	[RPM_VERSION] = { 1001, RPM_STRING, "Version" },
	[RPM_RELEASE] = { 1002, RPM_STRING, "Release" },
	[RPM_EPOCH] = { 1003, RPM_INT32, "Epoch" },
	[RPM_SUMMARY] = { 1004, RPM_I18N, "Summary" },
	[RPM_INSTALLTIME] = { 1008, RPM_INT32, "Installtime" },
	[RPM_SIZE] = { 1009, RPM_INT32, "Size" },
	[RPM_VENDOR] = { 1011, RPM_STRING, "Vendor" },
	[RPM_ARCH] = { 1022, RPM_STRING, "Arch" },
	[RPM_SOURCERPM] = { 1044, RPM_STRING, "Sourcerpm" },
	[RPM_LONGSIZE] = { 5009, RPM_INT64, "Longsize" },
};

/* A tag's value: a number, or one string after another. */
struct rpm_value {
	const uint8_t *p; /* NULL: the header does not have the tag */
	size_t left;	  /* bytes of data from p on */
	uint32_t count;
};

struct rpm_header {
	struct rpm_value v[RPM_TAGS];
};

static bool rpm_type_is(enum rpm_tag tag, uint32_t type)
{
	/* Without translations, from before there were some and from programs other than rpm, both are one string. */
	return type == (uint32_t)rpm_tags[tag].type ||
	       ((tag == RPM_SUMMARY || tag == RPM_I18NTABLE) && type == RPM_STRING);
}

/* One index entry, when its tag is of interest. */
static int rpm_entry_parse(struct rpm_header *h, struct vtr_cur *c, const uint8_t *data, uint32_t data_len,
			   struct vtr_error *err)
{
	uint32_t tag = vtr_cur_be32(c), type = vtr_cur_be32(c), off = vtr_cur_be32(c), count = vtr_cur_be32(c);
	unsigned t = 0;
	size_t need;

	while (t < RPM_TAGS && rpm_tags[t].tag != tag)
		t++;
	if (t == RPM_TAGS)
		return 0;
	if (!rpm_type_is(t, type))
		return vtr_fail(err, VTR_ECORRUPT, "%s of type %" PRIu32 ", expected %d", rpm_tags[t].name, type,
				rpm_tags[t].type);
	need = type == RPM_INT32 ? 4 : type == RPM_INT64 ? 8 : 1;
	if (count == 0 || (type != RPM_STRING_ARRAY && type != RPM_I18N && count != 1))
		return vtr_fail(err, VTR_ECORRUPT, "%s has %" PRIu32 " values", rpm_tags[t].name, count);
	if (!vtr_range_in(off, need, data_len))
		return vtr_fail(err, VTR_ECORRUPT, "%s at %#" PRIx32 " in %#" PRIx32 " bytes of data", rpm_tags[t].name,
				off, data_len);
	h->v[t] = (struct rpm_value){ data + off, data_len - off, count };
	return 0;
}

/* The i-th string of a value. */
static int rpm_string(struct vtr_bytes *out, const struct rpm_header *h, enum rpm_tag tag, uint32_t i,
		      struct vtr_error *err)
{
	const struct rpm_value *v = &h->v[tag];
	const uint8_t *p = v->p, *end;
	size_t left = v->left;

	*out = (struct vtr_bytes){ 0 };
	if (!p)
		return 0;
	for (;; i--) {
		end = left > 0 ? memchr(p, 0, left) : NULL;
		if (!end)
			return vtr_fail(err, VTR_ECORRUPT, "%s does not end", rpm_tags[tag].name);
		if (i == 0)
			break;
		left -= (size_t)(end + 1 - p);
		p = end + 1;
	}
	*out = (struct vtr_bytes){ (const char *)p, (size_t)(end - p) };
	return 0;
}

static uint64_t rpm_number(const struct rpm_header *h, enum rpm_tag tag)
{
	const uint8_t *p = h->v[tag].p;

	if (!p)
		return 0;
	return rpm_tags[tag].type == RPM_INT64 ? vtr_get_be64(p) : vtr_get_be32(p);
}

/* Which of the summaries is in the locale "C"; without one in the table it is the first. */
static uint32_t rpm_locale(const struct rpm_header *h)
{
	const struct rpm_value *table = &h->v[RPM_I18NTABLE];
	uint32_t count = VTR_MIN(h->v[RPM_SUMMARY].count, table->count);
	const uint8_t *p = table->p, *end = table->p + table->left;

	for (uint32_t i = 0; i < count && p < end; i++) {
		const uint8_t *nul = memchr(p, 0, (size_t)(end - p));

		if (!nul)
			break;
		if (nul - p == 1 && *p == 'C')
			return i;
		p = nul + 1;
	}
	return 0;
}

/* The first line of the summary. */
static int rpm_summary(struct vtr_bytes *out, const struct rpm_header *h, struct vtr_error *err)
{
	const char *nl;

	if (rpm_string(out, h, RPM_SUMMARY, h->v[RPM_I18NTABLE].p ? rpm_locale(h) : 0, err) < 0)
		return -1;
	nl = out->len > 0 ? memchr(out->p, '\n', out->len) : NULL;
	if (nl)
		out->len = (size_t)(nl - out->p);
	return 0;
}

/* name-version-release.src.rpm: the name, and the version with its release unless the package has the same. */
static void rpm_source_parse(struct vtr_package_bytes *p, struct vtr_bytes source, struct vtr_bytes version)
{
	static const char *const ends[] = { ".src.rpm", ".nosrc.rpm" };
	size_t len = source.len, dash = 0, dashes = 0;

	for (size_t i = 0; i < VTR_COUNT(ends); i++) {
		size_t n = strlen(ends[i]);

		if (len > n && memcmp(source.p + len - n, ends[i], n) == 0) {
			len -= n;
			break;
		}
	}
	for (size_t i = len; i > 0 && dashes < 2; i--)
		if (source.p[i - 1] == '-') {
			dash = i - 1;
			dashes++;
		}
	if (dashes < 2 || dash == 0) { /* not named as rpm does it */
		p->source = (struct vtr_bytes){ source.p, len };
		return;
	}
	p->source = (struct vtr_bytes){ source.p, dash };
	p->source_version = (struct vtr_bytes){ source.p + dash + 1, len - dash - 1 };
	if (p->source_version.len == version.len && memcmp(p->source_version.p, version.p, version.len) == 0)
		p->source_version = (struct vtr_bytes){ 0 };
}

static int rpm_header_parse(struct rpm_header *out, const uint8_t *p, size_t len, struct vtr_packages *l,
			    uint64_t number, struct vtr_error *err)
{
	struct vtr_cur c = vtr_cur_of(p, len, 0);
	uint32_t entries = vtr_cur_be32(&c), data_len = vtr_cur_be32(&c);
	struct rpm_header h = { 0 };
	const uint8_t *data;

	if (c.bad)
		return vtr_fail(err, VTR_ETRUNCATED, "%zu bytes, at least 8 are expected", len);
	if (entries == 0 || entries > RPM_MAX_ENTRIES || data_len >= RPM_MAX_DATA)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu32 " entries and %" PRIu32 " bytes of data", entries,
				data_len);
	if (8 + (uint64_t)entries * RPM_ENTRY + data_len > len)
		return vtr_fail(err, VTR_ETRUNCATED, "%" PRIu32 " entries and %" PRIu32 " bytes of data in %zu bytes",
				entries, data_len, len);
	data = p + 8 + (size_t)entries * RPM_ENTRY;
	for (uint32_t i = 0; i < entries; i++) {
		struct vtr_error e = { 0 };

		if (rpm_entry_parse(&h, &c, data, data_len, &e) < 0)
			vtr_packages_warn(l, e.code, "header %" PRIu64 ": entry %" PRIu32 ": %s", number, i, e.text);
	}
	*out = h;
	return 0;
}

/* A string of the header, or with a warning none. */
static struct vtr_bytes rpm_text(struct vtr_packages *l, const struct rpm_header *h, enum rpm_tag tag, uint64_t number)
{
	struct vtr_error e = { 0 };
	struct vtr_bytes b = { 0 };

	if ((tag == RPM_SUMMARY ? rpm_summary(&b, h, &e) : rpm_string(&b, h, tag, 0, &e)) < 0) {
		vtr_packages_warn(l, e.code, "header %" PRIu64 ": %s", number, e.text);
		return (struct vtr_bytes){ 0 };
	}
	if (b.len == 6 && memcmp(b.p, "(none)", 6) == 0) /* what rpm prints for nothing, and stores for keys */
		return (struct vtr_bytes){ 0 };
	return b;
}

int vtr_rpm_header_add(struct vtr_packages *l, const uint8_t *p, size_t len, uint64_t number, struct vtr_error *err)
{
	struct vtr_package_bytes pkg = { 0 };
	struct vtr_bytes version, release, source;
	struct vtr_error e = { 0 };
	struct rpm_header h;
	struct vtr_str s = { 0 };
	VTR_FREE char *text = NULL;
	size_t at = 0;

	if (rpm_header_parse(&h, p, len, l, number, &e) < 0) {
		vtr_packages_warn(l, e.code, "header %" PRIu64 ": %s", number, e.text);
		return 0;
	}
	pkg.name = rpm_text(l, &h, RPM_NAME, number);
	if (pkg.name.len == 0) {
		vtr_packages_warn(l, VTR_ECORRUPT, "header %" PRIu64 " has no Name", number);
		return 0;
	}
	version = rpm_text(l, &h, RPM_VERSION, number);
	release = rpm_text(l, &h, RPM_RELEASE, number);
	pkg.arch = rpm_text(l, &h, RPM_ARCH, number); /* keys have none */
	pkg.summary = rpm_text(l, &h, RPM_SUMMARY, number);
	pkg.vendor = rpm_text(l, &h, RPM_VENDOR, number);
	source = rpm_text(l, &h, RPM_SOURCERPM, number);
	pkg.installed_size = rpm_number(&h, h.v[RPM_LONGSIZE].p ? RPM_LONGSIZE : RPM_SIZE);
	pkg.install_time = (int64_t)rpm_number(&h, RPM_INSTALLTIME);

	if (VTR_MAX(version.len, release.len) > l->os->ctx->lim.line) {
		vtr_packages_warn(l, VTR_ELIMIT, "header %" PRIu64 ": a version of %zu bytes, limit line=%" PRIu64,
				  number, VTR_MAX(version.len, release.len), l->os->ctx->lim.line);
		version = release = (struct vtr_bytes){ 0 };
	}
	if (h.v[RPM_EPOCH].p) {
		vtr_str_putf(&s, "%" PRIu64 ":", rpm_number(&h, RPM_EPOCH));
		at = s.len;
	}
	vtr_str_put(&s, version.len ? version.p : "", version.len);
	if (release.len > 0) {
		vtr_str_put(&s, "-", 1);
		vtr_str_put(&s, release.p, release.len);
	}
	pkg.version.len = s.len;
	vtr_str_put(&s, "", 0);
	text = vtr_str_take(&s, err);
	if (!text)
		return -1;
	pkg.version.p = text;
	if (source.len > 0)
		rpm_source_parse(&pkg, source, (struct vtr_bytes){ text + at, pkg.version.len - at });
	return vtr_packages_add(l, &pkg, err);
}

/* ----------------------------------------------------------------------------------------------- reading the files */

/* A file as a block source. 1, 0: there is none, or it is empty, -1: it cannot be read. */
static int rpm_file_open(struct vtr_blk **out, struct vtr_packages *l, const char *path, struct vtr_error *err)
{
	struct vtr_place place;
	struct vtr_stat st;
	int there = vtr_os_look(&place, &st, l->os, path, 0, err);

	if (there <= 0 || st.type != VTR_TYPE_FILE || st.size == 0)
		return there < 0 ? -1 : 0;
	if (VTR_OVER(l->os->ctx, package_db, st.size, "bytes", err) < 0 ||
	    vtr_fs_file_blk(out, place.fs, place.node, err) < 0)
		return vtr_at(err, "%s", path);
	return 1;
}

static int rpm_beside_open(struct vtr_blk **out, struct vtr_packages *l, const char *suffix, struct vtr_error *err)
{
	struct vtr_str s = { 0 };
	VTR_FREE char *path = NULL;

	vtr_str_putf(&s, "%s%s", l->path, suffix);
	path = vtr_str_take(&s, err);
	return path ? rpm_file_open(out, l, path, err) : -1;
}

static int rpm_sqlite_read(struct vtr_packages *l, struct vtr_blk *b, struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *wal = NULL, *journal = NULL;

	if (!l->os->ctx->no_replay) {
		if (rpm_beside_open(&wal, l, "-wal", err) < 0 || rpm_beside_open(&journal, l, "-journal", err) < 0)
			return -1;
		if (journal)
			vtr_packages_warn(l, VTR_EUNSUPPORTED,
					  "a rollback journal is beside it: the database is read as it lies");
	}
	return vtr_rpmdb_sqlite_read(l, b, wal, err);
}

/*
 * Where databases lie, and of which kind. Where a system was converted from one to another the old one may be left,
 * empty.
 */
static const struct {
	const char *path;
	int (*read)(struct vtr_packages *l, struct vtr_blk *b, struct vtr_error *err);
} rpm_databases[] = {
	{ "/var/lib/rpm/rpmdb.sqlite", rpm_sqlite_read },
	{ "/var/lib/rpm/Packages.db", vtr_rpmdb_ndb_read },
	{ "/var/lib/rpm/Packages", vtr_rpmdb_bdb_read },
	{ "/usr/lib/sysimage/rpm/rpmdb.sqlite", rpm_sqlite_read },
	{ "/usr/lib/sysimage/rpm/Packages.db", vtr_rpmdb_ndb_read },
	{ "/usr/lib/sysimage/rpm/Packages", vtr_rpmdb_bdb_read },
	{ "/usr/share/rpm/rpmdb.sqlite", rpm_sqlite_read },
	{ "/usr/share/rpm/Packages.db", vtr_rpmdb_ndb_read },
	{ "/usr/share/rpm/Packages", vtr_rpmdb_bdb_read },
};

int vtr_rpm_read(struct vtr_packages *l, struct vtr_error *err)
{
	int found = 0;

	for (size_t i = 0; i < VTR_COUNT(rpm_databases) && l->os->n_packages == 0; i++) {
		VTR_UNREF struct vtr_blk *b = NULL;
		int there;

		l->path = rpm_databases[i].path;
		there = rpm_file_open(&b, l, l->path, err);
		if (there < 0)
			return -1;
		if (there == 0)
			continue;
		found = 1;
		if (rpm_databases[i].read(l, b, err) < 0)
			return vtr_at(err, "%s", l->path);
	}
	return found;
}
