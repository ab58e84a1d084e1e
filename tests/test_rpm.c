/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rpm's databases, against rpm (4.18 when this was written) where it is installed: its sqlite and bdb_ro backends. Its
 * ndb backend is not in Debian's, so the headers of an ndb database are put into one of SQLite's for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/checked.h"
#include "base/hostfile.h"
#include "inspect/packages.h"
#include "tests/rpm_images.h"

enum kind { HEADER, NDB, BDB, SQLITE };

#define QUERY                                                                                                          \
	"LC_ALL=C rpm -qa --nodigest --nosignature --dbpath '%s' --define '_db_backend %s' --qf "                      \
	"'%%{NAME}|%%{EVR}|%%{ARCH}|%%{SOURCERPM}|%%{LONGSIZE}|%%{INSTALLTIME}|%%{VENDOR}|%%{SUMMARY}\\n' 2>/dev/null"

struct read {
	struct vtr_ctx *ctx;
	struct vtr_os *os;
	struct vtr_error err, warning;
	unsigned warnings;
	int rc;
};

static void warning_keep(void *arg, const struct vtr_error *w)
{
	struct read *r = arg;

	if (r->warnings++ == 0)
		r->warning = *w;
}

static void read_blks(struct read *r, enum kind kind, struct vtr_blk *b, struct vtr_blk *wal)
{
	struct vtr_packages l = { .os = r->os, .path = "db" };

	r->rc = kind == NDB ? vtr_rpmdb_ndb_read(&l, b, &r->err)
			    : (kind == BDB ? vtr_rpmdb_bdb_read(&l, b, &r->err)
					   : vtr_rpmdb_sqlite_read(&l, b, wal, &r->err));
	vtr_packages_finish(&l, r->rc);
	vtr_blk_unref(b);
	vtr_blk_unref(wal);
}

static void read_init(struct read *r, const struct vtr_limits *lim)
{
	*r = (struct read){ .ctx = vtr_ctx_new(lim, NULL) };
	assert_non_null(r->ctx);
	vtr_ctx_on_warning(r->ctx, warning_keep, r);
	r->os = vtr_os_new(r->ctx, "/dev/sda1", NULL, NULL);
	assert_non_null(r->os);
}

static void read_bytes(struct read *r, enum kind kind, const void *p, size_t len, const struct vtr_limits *lim)
{
	read_init(r, lim);
	if (kind == HEADER) {
		struct vtr_packages l = { .os = r->os, .path = "db" };
		uint8_t *copy = malloc(len > 0 ? len : 1);

		assert_non_null(copy);
		memcpy(copy, p, len);
		r->rc = vtr_rpm_header_add(&l, copy, len, 1, &r->err);
		vtr_packages_finish(&l, r->rc);
		free(copy);
	} else {
		struct vtr_blk *b = NULL;

		assert_int_equal(0, vtr_blk_memory(&b, r->ctx, p, len, NULL));
		read_blks(r, kind, b, NULL);
	}
}

static void read_file(struct read *r, enum kind kind, const char *path, const char *wal_path)
{
	struct vtr_blk *b = NULL, *wal = NULL;

	read_init(r, NULL);
	assert_int_equal(0, vtr_hostfile_open(&b, r->ctx, path, &r->err));
	if (wal_path)
		assert_int_equal(0, vtr_hostfile_open(&wal, r->ctx, wal_path, &r->err));
	read_blks(r, kind, b, wal);
}

static void read_done(struct read *r)
{
	vtr_os_free(r->os);
	vtr_ctx_unref(r->ctx);
}

/* A package a line, as listed() has rpm's. */
static char *packages_text(const struct vtr_os *os)
{
	struct vtr_str s = { 0 };
	const struct vtr_package *p;

	for (size_t i = 0; (p = vtr_os_package(os, i)); i++) {
		const char *dash = strchr(p->version, ':');

		vtr_str_putf(&s, "%s|%s|%s|", p->name, p->version, p->arch);
		if (p->source)
			vtr_str_putf(&s, "%s-%s", p->source,
				     p->source_version ? p->source_version : (dash ? dash + 1 : p->version));
		vtr_str_puts(&s, "|");
		if (p->installed_size > 0)
			vtr_str_putf(&s, "%llu", (unsigned long long)p->installed_size);
		vtr_str_puts(&s, "|");
		if (p->install_time > 0)
			vtr_str_putf(&s, "%lld", (long long)p->install_time);
		vtr_str_putf(&s, "|%s|%s\n", p->vendor ? p->vendor : "", p->summary ? p->summary : "");
	}
	vtr_str_put(&s, "", 0);
	return vtr_str_take(&s, NULL);
}

static int lines_sort(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lines in one order. */
static char *sorted(char *text)
{
	char *lines[4096];
	struct vtr_str s = { 0 };
	size_t n = 0;

	for (char *p = strtok(text, "\n"); p && n < VTR_COUNT(lines); p = strtok(NULL, "\n"))
		lines[n++] = p;
	qsort(lines, n, sizeof(*lines), lines_sort);
	for (size_t i = 0; i < n; i++)
		vtr_str_putf(&s, "%s\n", lines[i]);
	vtr_str_put(&s, "", 0);
	free(text);
	return vtr_str_take(&s, NULL);
}

/* rpm -qa's packages; what is not recorded, "(none)", is empty, and so is a number that is 0. */
static char *listed(const char *dbpath, const char *backend)
{
	struct vtr_str s = { 0 };
	char command[1024], line[8192], *none;
	FILE *f;

	snprintf(command, sizeof(command), QUERY, dbpath, backend);
	f = popen(command, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char *src;

		if (!strchr(line, '|')) /* a summary goes on */
			continue;
		while ((none = strstr(line, "|0|")))
			memmove(none + 1, none + 2, strlen(none + 2) + 1);
		while ((none = strstr(line, "|(none)|")))
			memmove(none + 1, none + 7, strlen(none + 7) + 1);
		src = strstr(line, ".src.rpm|");
		if (src)
			memmove(src, src + 8, strlen(src + 8) + 1);
		vtr_str_put_escaped(&s, line, strcspn(line, "\n"));
		vtr_str_put(&s, "\n", 1);
	}
	assert_int_equal(0, pclose(f));
	vtr_str_put(&s, "", 0);
	return sorted(vtr_str_take(&s, NULL));
}

static bool tool_there(const char *name)
{
	char command[128];

	snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", name);
	if (system(command) == 0)
		return true;
	print_message("SKIPPED: no %s\n", name);
	return false;
}

static void lines_compare(const char *want, const char *got)
{
	for (size_t line = 1; *want || *got; line++) {
		size_t n = strcspn(want, "\n"), m = strcspn(got, "\n");

		if (n != m || memcmp(want, got, n) != 0)
			fail_msg("line %zu: \"%.*s\", expected \"%.*s\"", line, (int)m, got, (int)n, want);
		want += n + (want[n] == '\n');
		got += m + (got[m] == '\n');
	}
}

static unsigned lines_count(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *fmt, ...)
{
	char command[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	if (system(command) != 0)
		fail_msg("%s", command);
}

/* ----------------------------------------------------------------------------------------------- made by hand */

static const struct rpm_item bash[] = {
	{ 100, 8, 3, "de\0C\0fr", 8 },
	RPM_STR(1000, "bash"),
	RPM_STR(1001, "5.2"),
	RPM_STR(1002, "1.fc38"),
	RPM_INT(1003, "\0\0\0\2"),
	{ 1004, 9, 3, "Die Shell\0The shell\nof many\0Le shell", 37 },
	RPM_INT(1009, "\0\0\1\0"),
	RPM_STR(1011, "Fedora Project"),
	RPM_STR(1022, "x86_64"),
	RPM_STR(1044, "bash-5.2-1.fc38.src.rpm"),
	{ 1116, 4, 2, "\0\0\0\0\0\0\0\1", 8 },
	RPM_STR(1001, "5.3"),	     /* added, in place of the region's */
	RPM_INT(1008, "\x65\0\0\0"), /* and */
};
#define BASH "bash|2:5.3-1.fc38|x86_64|bash-5.2-1.fc38|256|1694498816|Fedora Project|The shell\n"

static const struct rpm_item key[] = {
	RPM_STR(1000, "gpg-pubkey"),
	RPM_STR(1001, "5a6340b3"),
	RPM_STR(1002, "6229229e"),
	RPM_STR(1004, "a key"),
	{ 5009, 5, 1, "\0\0\0\1\0\0\0\0", 8 },
	RPM_STR(1044, "(none)"), /* as rpm writes it for keys */
};
#define KEY "gpg-pubkey|5a6340b3-6229229e|||4294967296|||a key\n"

static const struct rpm_item odd[] = {
	RPM_STR(1000, "o\x1b\xff"),	   RPM_STR(1001, "1"), RPM_STR(1022, "noarch"), RPM_STR(1044, "odd"),
	RPM_INT(1009, "\xff\xff\xff\xff"),
};
#define ODD "o\\x1B\\xFF|1|noarch|odd-1|4294967295|||\n"

static struct vtr_str headers[3];
static struct rpm_blob blobs[3];

static int headers_make(void **state)
{
	(void)state;
	headers[0] = rpm_header_make(bash, VTR_COUNT(bash), 2);
	headers[1] = rpm_header_make(key, VTR_COUNT(key), 0);
	headers[2] = rpm_header_make(odd, VTR_COUNT(odd), 0);
	for (size_t i = 0; i < VTR_COUNT(blobs); i++)
		blobs[i] = (struct rpm_blob){ (uint32_t)i + 1, headers[i].p, headers[i].len };
	return 0;
}

static int headers_free(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(headers); i++)
		vtr_str_done(&headers[i]);
	return 0;
}

static void sql(sqlite3 *db, const char *text)
{
	char *message = NULL;

	if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", text, message);
}

static void sql_insert(sqlite3 *db, const struct rpm_blob *b)
{
	sqlite3_stmt *st = NULL;

	assert_int_equal(SQLITE_OK, sqlite3_prepare_v2(db, "INSERT INTO Packages VALUES(?,?)", -1, &st, NULL));
	sqlite3_bind_int64(st, 1, b->number);
	sqlite3_bind_blob64(st, 2, b->p, b->len, SQLITE_STATIC);
	assert_int_equal(SQLITE_DONE, sqlite3_step(st));
	sqlite3_finalize(st);
}

#define TABLE "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)"

/* A database of SQLite's with this schema, and the blobs in it when there is a table for them. */
static struct vtr_str sqlite_make(const char *schema, bool fill)
{
	sqlite3_int64 len = 0;
	struct vtr_str s = { 0 };
	unsigned char *p;
	sqlite3 *db = NULL;

	assert_int_equal(SQLITE_OK, sqlite3_open(":memory:", &db));
	sql(db, "PRAGMA page_size=512");
	sql(db, schema);
	for (size_t i = 0; fill && i < VTR_COUNT(blobs); i++)
		sql_insert(db, &blobs[i]);
	p = sqlite3_serialize(db, "main", &len, 0);
	assert_non_null(p);
	vtr_str_put(&s, (char *)p, (size_t)len);
	sqlite3_free(p);
	sqlite3_close(db);
	return s;
}

static void all_are_there(struct read *r, const char *want)
{
	char *got = packages_text(r->os);

	if (r->rc < 0)
		fail_msg("%s", r->err.text);
	if (r->warnings > 0)
		fail_msg("%s", r->warning.text);
	lines_compare(want, got);
	free(got);
	read_done(r);
}

static void headers_are_read(void **state)
{
	static const char *const want[] = { BASH, KEY, ODD };
	struct read r;

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(want); i++) {
		read_bytes(&r, HEADER, blobs[i].p, blobs[i].len, NULL);
		all_are_there(&r, want[i]);
	}
}

static void every_database_is_read(void **state)
{
	struct vtr_str dbs[] = { rpm_ndb_make(blobs, 3), rpm_bdb_make(blobs, 3, false), rpm_bdb_make(blobs, 3, true),
				 sqlite_make(TABLE, true) };
	static const enum kind kinds[] = { NDB, BDB, BDB, SQLITE };
	struct read r;

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(dbs); i++) {
		read_bytes(&r, kinds[i], dbs[i].p, dbs[i].len, NULL);
		all_are_there(&r, BASH KEY ODD);
		vtr_str_done(&dbs[i]);
	}
}

static void versions_of_one_package_stay_apart(void **state)
{
	const struct rpm_blob twice[] = { { 7, blobs[0].p, blobs[0].len }, { 9, blobs[0].p, blobs[0].len } };
	struct vtr_str db = rpm_bdb_make(twice, 2, false);
	struct read r;

	(void)state;
	read_bytes(&r, BDB, db.p, db.len, NULL);
	all_are_there(&r, BASH BASH);
	vtr_str_done(&db);
}

/* --------------------------------------------------------------------------------------------------------- damage */

struct damage {
	enum kind kind;
	size_t at;
	uint32_t value;
	unsigned bytes; /* 0: cut here */
	int code;
	const char *text, *left; /* left NULL: the database is refused */
};

/*
 * Headers: bash, whose entries start at 8 (the region), then 24, 40…; little endian databases; the ndb slots start at
 * 48, bash's blocks at 4096.
 */
static const struct damage damages[] = {
	{ HEADER, 4, 0, 0, VTR_ETRUNCATED, "4 bytes, at least 8", "" },
	{ HEADER, 60, 0, 0, VTR_ETRUNCATED, "in 60 bytes", "" },
	{ HEADER, 0, 0, 4, VTR_ECORRUPT, "0 entries", "" },
	{ HEADER, 0, 0x00000100, 4, VTR_ECORRUPT, "65536 entries", "" },
	{ HEADER, 4, 0x10, 1, VTR_ECORRUPT, "bytes of data", "" },
	{ HEADER, 4, 0x01, 1, VTR_ETRUNCATED, "bytes of data in", "" },
	{ HEADER, 40 + 7, 7, 1, VTR_ECORRUPT, "Name of type 7, expected 6", "" },
	{ HEADER, 40 + 8, 0x7f, 1, VTR_ECORRUPT, "Name at 0x7f", "" },
	{ HEADER, 40 + 3, 0, 1, VTR_ECORRUPT, "header 1 has no Name", "" },
	{ HEADER, 40 + 15, 2, 1, VTR_ECORRUPT, "Name has 2 values", "" },
	{ HEADER, 88 + 16 + 15, 0, 1, VTR_ECORRUPT, "Summary has 0 values",
	  "bash|2:5.3-1.fc38|x86_64|bash-5.2-1.fc38|256|1694498816|Fedora Project|\n" },
	{ HEADER, 88 + 7, 5, 1, VTR_ECORRUPT, "Epoch of type 5, expected 4",
	  "bash|5.3-1.fc38|x86_64|bash-5.2-1.fc38|256|1694498816|Fedora Project|The shell\n" },
	{ HEADER, 88 + 8, 1, 1, VTR_ECORRUPT, "Epoch at 0x10",
	  "bash|5.3-1.fc38|x86_64|bash-5.2-1.fc38|256|1694498816|Fedora Project|The shell\n" },

	{ NDB, 16, 0, 0, VTR_ETRUNCATED, "32 bytes at 0", NULL },
	{ NDB, 0, 'r', 1, VTR_ECORRUPT, "not a database", NULL },
	{ NDB, 4, 1, 1, VTR_EUNSUPPORTED, "ndb version 1", NULL },
	{ NDB, 12, 0, 1, VTR_ECORRUPT, "0 pages of slots", NULL },
	{ NDB, 12, 2, 1, VTR_ECORRUPT, "2 pages of slots", NULL },
	{ NDB, 48, 's', 1, VTR_ECORRUPT, "no slot at 0x30", KEY ODD },
	{ NDB, 52, 7, 1, VTR_ECORRUPT, "package 7: its blocks are not there", KEY ODD },
	{ NDB, 56, 255, 2, VTR_ECORRUPT, "blocks from 255 on", KEY ODD }, /* among the slots */
	{ NDB, 58, 255, 1, VTR_ECORRUPT, "blocks from", KEY ODD },
	{ NDB, 60, 1, 1, VTR_ECORRUPT, "1 blocks from", KEY ODD },
	{ NDB, 62, 255, 1, VTR_ECORRUPT, "blocks from", KEY ODD },
	{ NDB, 4096, 'b', 1, VTR_ECORRUPT, "package 1: its blocks are not there", KEY ODD },
	{ NDB, 4096 + 13, 0x70, 1, VTR_ECORRUPT, "package 1: a header of", KEY ODD },
	{ NDB, 4096 + 8, 9, 1, VTR_ECORRUPT, "Adler-32", BASH KEY ODD },

	{ BDB, 100, 0, 0, VTR_ETRUNCATED, "512 bytes at 0", NULL },
	{ BDB, 12, 0, 1, VTR_ECORRUPT, "not a hash", NULL },
	{ BDB, 12, 0x053162, 4, VTR_EUNSUPPORTED, "a tree", NULL },
	{ BDB, 16, 11, 1, VTR_EUNSUPPORTED, "version 11", NULL },
	{ BDB, 24, 1, 1, VTR_EUNSUPPORTED, "encryption 1", NULL },
	{ BDB, 26, 1, 1, VTR_EUNSUPPORTED, "flags 0x1", NULL },
	{ BDB, 25, 9, 1, VTR_ECORRUPT, "not a hash", NULL },
	{ BDB, 20, 513, 2, VTR_ECORRUPT, "pages of 513 bytes", NULL },
	{ BDB, 20, 256, 2, VTR_ECORRUPT, "pages of 256 bytes", NULL },
	{ BDB, 72, 0xffff, 2, VTR_ECORRUPT, "65535 buckets", NULL },
	{ BDB, 100, 0xffff, 2, VTR_ECORRUPT, "bucket 1: page 65536 of", BASH ODD },
	{ BDB, 100, 0xffffffff, 4, VTR_ECORRUPT, "bucket 1: its page is beyond the last", BASH ODD },
	{ BDB, 100, 0, 1, VTR_ECORRUPT, "bucket 1: page 1 is reached twice", BASH ODD },
	{ BDB, 512 + 8, 7, 1, VTR_ECORRUPT, "page 1 says that it is 7", KEY },
	{ BDB, 512 + 25, 5, 1, VTR_ECORRUPT, "page 1 of type 5", KEY },
	{ BDB, 512 + 16, 1, 1, VTR_ECORRUPT, "bucket 0: page 1 is reached twice", BASH KEY ODD },
	{ BDB, 512 + 20, 3, 1, VTR_ECORRUPT, "page 1 with 3 items", KEY },
	{ BDB, 512 + 20, 254, 1, VTR_ECORRUPT, "page 1 with 254 items", KEY },
	{ BDB, 512 + 26, 0x1ff, 2, VTR_ECORRUPT, "item 0 is no package", BASH KEY ODD },
	{ BDB, 512 + 30, 8, 2, VTR_ECORRUPT, "item 2 from 0x8", KEY ODD },
	{ BDB, 512 + 512 - 5 - 5 - 5 - 12, 2, 1, VTR_EUNSUPPORTED, "package 1: an item of type 2", KEY ODD },
	{ BDB, 512 + 512 - 5 - 5 - 5 - 12, 9, 1, VTR_ECORRUPT, "package 1: an item of type 9", KEY ODD },
	{ BDB, 512 + 512 - 5 - 5 - 5 - 8, 2, 1, VTR_ECORRUPT, "package 1: page 2 of type 13", ODD },
	{ BDB, 512 + 512 - 5 - 5 - 5 - 4, 1, 1, VTR_ECORRUPT, "package 1: ", KEY ODD },
	{ BDB, 512 + 512 - 5 - 5 - 5 - 1, 1, 1, VTR_ECORRUPT, "package 1: 1677", KEY ODD },
	{ BDB, 1536 + 22, 0xffff, 2, VTR_ECORRUPT, "page 3 of type 7 with 65535 bytes", KEY ODD },
	{ BDB, 1536 + 16, 3, 1, VTR_ECORRUPT, "package 1: page 3 is reached twice", KEY ODD },
	{ BDB, 1536 + 25, 2, 1, VTR_ECORRUPT, "page 3 of type 2", KEY ODD },

	{ SQLITE, 90, 0, 0, VTR_ECORRUPT, "not a database of SQLite's", NULL },
	{ SQLITE, 0, 's', 1, VTR_ECORRUPT, "not a database of SQLite's", NULL },
	{ SQLITE, 16, 3, 1, VTR_ECORRUPT, "SQLite: ", NULL },
	{ SQLITE, 100, 1, 1, VTR_ECORRUPT, "SQLite: ", NULL },
};

static struct vtr_str damage_base(enum kind kind)
{
	struct vtr_str s = { 0 };

	switch (kind) {
	case HEADER:
		vtr_str_put(&s, blobs[0].p, blobs[0].len);
		return s;
	case NDB:
		return rpm_ndb_make(blobs, 3);
	case BDB:
		return rpm_bdb_make(blobs, 3, false);
	default:
		return sqlite_make(TABLE, true);
	}
}

static void damage_is_named_and_the_rest_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(damages); i++) {
		const struct damage *d = &damages[i];
		struct vtr_str s = damage_base(d->kind);
		const struct vtr_error *said;
		struct read r;
		char *got;

		for (unsigned j = 0; j < d->bytes; j++)
			s.p[d->at + j] = (char)(d->value >> 8 * j);
		read_bytes(&r, d->kind, s.p, d->bytes > 0 ? s.len : d->at, NULL);
		said = d->left ? &r.warning : &r.err;
		if (r.rc != (d->left ? 0 : -1) || said->code != d->code || !strstr(said->text, d->text))
			fail_msg("damage %zu: %d, %d \"%s\", expected \"%s\"", i, r.rc, said->code, said->text,
				 d->text);
		got = packages_text(r.os);
		if (strcmp(got, d->left ? d->left : "") != 0)
			fail_msg("damage %zu: \"%s\", expected \"%s\"", i, got, d->left);
		free(got);
		read_done(&r);
		vtr_str_done(&s);
	}
}

/* A slot for every place, all of them with the same blocks. */
static void packages_do_not_share_blocks(void **state)
{
	struct vtr_str s = rpm_ndb_make(blobs, 1);
	struct read r;
	char *got;

	(void)state;
	for (size_t at = 64; at < 4096; at += 16)
		memcpy(s.p + at, s.p + 48, 16);
	read_bytes(&r, NDB, s.p, s.len, NULL);
	assert_int_equal(0, r.rc);
	assert_int_equal(2, r.warnings); /* equal ones are one, and how many more there were */
	assert_non_null(strstr(r.warning.text, "package 1: its blocks are another's, too"));
	got = packages_text(r.os);
	lines_compare(BASH, got);
	free(got);
	read_done(&r);
	vtr_str_done(&s);
}

/* What a schema may say instead of the table that rpm makes. */
static void hostile_schemas_are_refused(void **state)
{
	static const struct {
		const char *schema, *text;
	} cases[] = {
		{ "CREATE TABLE packets(hnum INTEGER PRIMARY KEY, blob)", "no such table" },
		{ "CREATE TABLE p(hnum INTEGER PRIMARY KEY, blob); CREATE VIEW Packages AS SELECT * FROM p",
		  "SQLite: " },
		{ "CREATE VIEW Packages AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
		  "SELECT x AS hnum, randomblob(x) AS blob FROM n",
		  "SQLite: " },
		{ "CREATE VIRTUAL TABLE Packages USING fts5(hnum, blob)", "no such module" },
		{ "CREATE TABLE Packages(hnum TEXT PRIMARY KEY, blob) WITHOUT ROWID", "SQLite: " },
	};

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		struct vtr_str s = sqlite_make(cases[i].schema, false);
		struct read r;

		read_bytes(&r, SQLITE, s.p, s.len, NULL);
		assert_int_equal(-1, r.rc);
		assert_int_equal(VTR_ECORRUPT, r.err.code);
		if (!strstr(r.err.text, cases[i].text))
			fail_msg("schema %zu: %s", i, r.err.text);
		read_done(&r);
		vtr_str_done(&s);
	}
}

static void schemas_without_end_are_refused(void **state)
{
	struct vtr_str schema = { 0 }, s;
	struct read r;

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		vtr_str_putf(&schema, "CREATE TABLE t%u(a, b, c);", i);
	vtr_str_puts(&schema, TABLE);
	s = sqlite_make(schema.p, true);
	read_bytes(&r, SQLITE, s.p, s.len, NULL);
	assert_int_equal(-1, r.rc);
	assert_int_equal(VTR_ELIMIT, r.err.code);
	assert_non_null(strstr(r.err.text, "more than 20000 operations to load the schema"));
	read_done(&r);
	vtr_str_done(&s);
	vtr_str_done(&schema);
}

/* A tree whose last page is its first one, too. */
static void pages_that_are_shared_end_the_list(void **state)
{
	struct vtr_str s = sqlite_make(TABLE, true);
	const uint8_t *p = (const uint8_t *)s.p + 512; /* the table's root */
	struct read r;
	char *got;

	(void)state;
	assert_int_equal(5, p[0]); /* a page of pages */
	memcpy(s.p + 512 + 8, p + vtr_get_be16(p + 12), 4);
	read_bytes(&r, SQLITE, s.p, s.len, NULL);
	assert_int_equal(0, r.rc);
	assert_int_equal(1, r.warnings);
	assert_int_equal(VTR_ECORRUPT, r.warning.code);
	assert_non_null(strstr(r.warning.text, "package 1 comes after"));
	got = packages_text(r.os);
	assert_non_null(strstr(got, "bash"));
	free(got);
	read_done(&r);
	vtr_str_done(&s);
}

static void rows_that_are_no_blobs_are_warned_of(void **state)
{
	struct vtr_str s = sqlite_make("CREATE TABLE Packages(hnum INTEGER PRIMARY KEY, blob);"
				       "INSERT INTO Packages VALUES(-1, NULL),(-2, 17),(-3, 'text'),(-4, x'')",
				       true);
	struct read r;
	char *got;

	(void)state;
	read_bytes(&r, SQLITE, s.p, s.len, NULL);
	assert_int_equal(0, r.rc);
	assert_int_equal(4, r.warnings);
	got = packages_text(r.os);
	lines_compare(BASH KEY ODD, got);
	free(got);
	read_done(&r);
	vtr_str_done(&s);
}

static void limits_are_kept_and_named(void **state)
{
	static const struct {
		const char *name;
		uint64_t value;
		bool fatal;
	} cases[] = { { "packages", 2, true },
		      { "steps", 1, true },
		      { "metadata", 1000, true },
		      { "alloc", 100, true },
		      { "line", 4, false } };

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++)
		for (unsigned kind = NDB; kind <= SQLITE; kind++) {
			struct vtr_str s = damage_base(kind);
			struct vtr_limits lim;
			struct vtr_error *said;
			char text[64];
			struct read r;

			vtr_limits_default(&lim);
			assert_int_equal(0, vtr_limits_set(&lim, cases[i].name, cases[i].value, NULL));
			read_bytes(&r, kind, s.p, s.len, &lim);
			said = r.rc < 0 ? &r.err : &r.warning;
			snprintf(text, sizeof(text), "limit %s=%u", cases[i].name, (unsigned)cases[i].value);
			if ((cases[i].fatal || r.warnings > 0) && kind == NDB && cases[i].value == 1) {
				assert_int_equal(0, r.rc); /* it has one page of slots: one step */
			} else {
				assert_int_equal(VTR_ELIMIT, said->code);
				if (!strstr(said->text, text))
					fail_msg("kind %u: \"%s\", expected \"%s\"", kind, said->text, text);
			}
			read_done(&r);
			vtr_str_done(&s);
		}
}

/* A schema of many tables takes memory of SQLite's own, which counts as any other. */
static void memory_of_sqlite_counts(void **state)
{
	struct vtr_limits lim;
	sqlite3_int64 len = 0;
	unsigned char *image;
	struct read r;
	sqlite3 *db;

	(void)state;
	assert_int_equal(SQLITE_OK, sqlite3_open(":memory:", &db));
	sql(db, "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)");
	for (unsigned i = 0; i < 200; i++) {
		char text[64];

		snprintf(text, sizeof(text), "CREATE TABLE t%u (a, b, c, d, e, f, g, h)", i);
		sql(db, text);
	}
	image = sqlite3_serialize(db, "main", &len, 0);
	assert_non_null(image);
	vtr_limits_default(&lim);
	read_bytes(&r, SQLITE, image, (size_t)len, &lim);
	assert_int_equal(0, r.rc);
	read_done(&r);
	lim.metadata = (uint64_t)len + 20000;
	read_bytes(&r, SQLITE, image, (size_t)len, &lim);
	assert_int_equal(VTR_ELIMIT, r.err.code);
	if (!strstr(r.err.text, "SQLite") || !strstr(r.err.text, "metadata"))
		fail_msg("\"%s\"", r.err.text);
	read_done(&r);
	sqlite3_free(image);
	sqlite3_close(db);
}

static void every_prefix_and_every_byte_is_read(void **state)
{
	(void)state;
	for (unsigned kind = HEADER; kind <= SQLITE; kind++) {
		struct vtr_str s = damage_base(kind);
		size_t step = s.len > 4096 ? 7 : 1;

		for (size_t len = 0; len < s.len; len += step) {
			struct read r;
			char was = s.p[len];

			read_bytes(&r, kind, s.p, len, NULL);
			read_done(&r);
			for (unsigned bit = 0; bit < 8; bit += 7) {
				s.p[len] = (char)(was ^ (char)(1u << bit));
				read_bytes(&r, kind, s.p, s.len, NULL);
				read_done(&r);
			}
			s.p[len] = was;
		}
		vtr_str_done(&s);
	}
}

/* ---------------------------------------------------------------------------------------- against independent tools */

static void a_log_is_merged_as_sqlite_merges_it(void **state)
{
	char dir[] = "/tmp/vitrine-rpm-XXXXXX", path[64], wal[64];
	struct read r;
	sqlite3 *db = NULL;
	char *got;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/rpmdb.sqlite", dir);
	snprintf(wal, sizeof(wal), "%s/rpmdb.sqlite-wal", dir);
	assert_int_equal(SQLITE_OK, sqlite3_open(path, &db));
	sql(db, "PRAGMA journal_mode=WAL");
	sql(db, "PRAGMA wal_autocheckpoint=0");
	sql(db, TABLE);
	sql_insert(db, &blobs[0]);
	sql(db, "PRAGMA wal_checkpoint(RESTART)");
	sql_insert(db, &blobs[1]);
	sql(db, "BEGIN");
	sql_insert(db, &blobs[2]);
	sqlite3_db_cacheflush(db); /* written, and not committed */

	read_file(&r, SQLITE, path, wal);
	all_are_there(&r, BASH KEY);
	read_file(&r, SQLITE, path, NULL);
	all_are_there(&r, BASH);
	sql(db, "COMMIT");
	read_file(&r, SQLITE, path, wal);
	all_are_there(&r, BASH KEY ODD);
	sql(db, "DELETE FROM Packages WHERE hnum > 1");
	sql(db, "VACUUM"); /* shorter */
	read_file(&r, SQLITE, path, wal);
	all_are_there(&r, BASH);

	run("printf xxxxxxxx | dd of='%s' bs=1 seek=24 conv=notrunc status=none", wal);
	read_file(&r, SQLITE, path, wal);
	got = packages_text(r.os);
	assert_int_equal(0, r.rc);
	lines_compare(BASH, got);
	assert_int_equal(1, r.warnings);
	assert_non_null(strstr(r.warning.text, "write-ahead log"));
	free(got);
	read_done(&r);
	sqlite3_close(db);
	run("rm -r '%s'", dir);
}

static const char *const backends[] = { [NDB] = "", [BDB] = "bdb_ro", [SQLITE] = "sqlite" };
static const char *const files[] = { [NDB] = "Packages.db", [BDB] = "Packages", [SQLITE] = "rpmdb.sqlite" };

/* The blobs of an ndb database: its slots point to them, and each says its length. */
static void ndb_to_sqlite(const char *dir, const char *from)
{
	FILE *f = fopen(from, "r");
	sqlite3 *db = NULL;
	uint8_t slots[4096], head[16];
	char path[256];

	assert_non_null(f);
	assert_int_equal(1, fread(slots, sizeof(slots), 1, f)); /* one page of them is enough here */
	run("rpm --dbpath '%s' --define '_db_backend sqlite' --initdb", dir);
	snprintf(path, sizeof(path), "%s/rpmdb.sqlite", dir);
	assert_int_equal(SQLITE_OK, sqlite3_open(path, &db));
	for (size_t i = 32; i < sizeof(slots); i += 16) {
		struct rpm_blob b = { .number = vtr_get_le32(slots + i + 4) };
		char *p;

		if (b.number == 0)
			continue;
		fseek(f, 16L * (long)vtr_get_le32(slots + i + 8), SEEK_SET);
		assert_int_equal(1, fread(head, sizeof(head), 1, f));
		b.len = vtr_get_le32(head + 12);
		p = malloc(b.len);
		assert_int_equal(1, fread(p, b.len, 1, f));
		b.p = p;
		sql_insert(db, &b);
		free(p);
	}
	sqlite3_close(db);
	fclose(f);
}

/* The database in dir, as rpm -qa lists it. The count of packages. */
static unsigned dir_compare(enum kind kind, const char *dir)
{
	char path[256], *want, *got;
	struct read r;
	unsigned n;

	snprintf(path, sizeof(path), "%s/%s", dir, files[kind]);
	read_file(&r, kind, path, NULL);
	if (kind == NDB) {
		ndb_to_sqlite(dir, path);
		kind = SQLITE;
	}
	want = listed(dir, backends[kind]);
	if (r.rc < 0 || r.warnings > 0)
		fail_msg("%s: %s%s", path, r.err.text, r.warning.text);
	got = sorted(packages_text(r.os));
	lines_compare(want, got);
	n = lines_count(want);
	assert_int_equal(n, lines_count(got));
	free(want);
	free(got);
	read_done(&r);
	return n;
}

static void the_corpus_is_read_as_rpm_reads_it(void **state)
{
	static const struct {
		enum kind kind;
		const char *name;
		unsigned packages;
	} known[] = {
		{ NDB, "go-rpmdb-Packages.db", 35 },	    { BDB, "go-rpmdb-Packages", 1 },
		{ BDB, "osv-scalibr-Packages_epoch", 1 },   { BDB, "syft-Packages", 1 },
		{ SQLITE, "libguestfs-fedora-db.sql", 17 },
	};
	const char *corpus = getenv("VITRINE_CORPUS");

	(void)state;
	if (!corpus || !tool_there("rpm")) {
		if (!corpus)
			print_message("SKIPPED: no corpus in VITRINE_CORPUS\n");
		skip();
	}
	for (size_t i = 0; i < VTR_COUNT(known); i++) {
		char dir[] = "/tmp/vitrine-rpm-XXXXXX", path[128];
		bool text = strstr(known[i].name, ".sql") != NULL;

		assert_non_null(mkdtemp(dir));
		snprintf(path, sizeof(path), "%s/%s", dir, text ? "dump" : files[known[i].kind]);
		run("xz -dc '%s/pkgdb/%s.xz' >'%s'", corpus, known[i].name, path);
		if (text) { /* a dump */
			sqlite3 *db = NULL;
			FILE *f = fopen(path, "r");
			struct vtr_str s = { 0 };
			char buf[65536];
			size_t got;

			assert_non_null(f);
			while ((got = fread(buf, 1, sizeof(buf), f)) > 0)
				vtr_str_put(&s, buf, got);
			fclose(f);
			snprintf(path, sizeof(path), "%s/%s", dir, files[SQLITE]);
			assert_int_equal(SQLITE_OK, sqlite3_open(path, &db));
			sql(db, s.p);
			sqlite3_close(db);
			vtr_str_done(&s);
		}
		assert_int_equal(known[i].packages, dir_compare(known[i].kind, dir));
		run("rm -r '%s'", dir);
	}
}

/* What rpm itself makes of headers that were made by hand. */
static void rpm_lists_what_was_made_by_hand(void **state)
{
	char dir[] = "/tmp/vitrine-rpm-XXXXXX", path[128];
	sqlite3 *db = NULL;

	(void)state;
	if (!tool_there("rpm"))
		skip();
	assert_non_null(mkdtemp(dir));
	run("rpm --dbpath '%s' --define '_db_backend sqlite' --initdb", dir);
	snprintf(path, sizeof(path), "%s/rpmdb.sqlite", dir);
	assert_int_equal(SQLITE_OK, sqlite3_open(path, &db));
	sql_insert(db, &blobs[0]);
	sql_insert(db, &blobs[1]);
	sqlite3_close(db);
	assert_int_equal(2, dir_compare(SQLITE, dir));
	run("rm -r '%s'", dir);
}

static void what_rpmbuild_and_rpm_write_is_read(void **state)
{
	static const char spec[] =
		"Name: tiny\\nVersion: 1.0~rc1\\nRelease: 3\\nEpoch: 4\\nSummary: A tiny thing\\n"
		"Summary(de): Ein kleines Ding\\nLicense: MIT\\nVendor: Nobody\\nBuildArch: noarch\\n"
		"%description\\nx\\n%package -n tiny-sub\\nVersion: 7\\nSummary: Its part\\n"
		"%description -n tiny-sub\\ny\\n%install\\nmkdir -p %{buildroot}/usr/share/tiny\\n"
		"echo hello >%{buildroot}/usr/share/tiny/a\\n%files\\n/usr/share/tiny/a\\n"
		"%files -n tiny-sub\\n";
	char dir[] = "/tmp/vitrine-rpm-XXXXXX", db[64];

	(void)state;
	if (!tool_there("rpmbuild"))
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(db, sizeof(db), "%s/db", dir);
	run("printf '%%b' '%s' >'%s/tiny.spec'", spec, dir);
	run("rpmbuild --quiet --define '_topdir %s' -bb '%s/tiny.spec' >'%s/log' 2>&1", dir, dir, dir);
	run("mkdir '%s' && rpm --dbpath '%s' --define '_db_backend sqlite' -i --justdb --nodeps '%s'/RPMS/noarch/*.rpm 2>/dev/null",
	    db, db, dir);
	assert_int_equal(2, dir_compare(SQLITE, db));
	run("rm -r '%s'", dir);
}

static void put_hex(FILE *f, const void *bytes, size_t len)
{
	fputc(' ', f);
	for (size_t i = 0; i < len; i++)
		fprintf(f, "%02x", ((const uint8_t *)bytes)[i]);
	fputc('\n', f);
}

/* Many packages, so that Berkeley DB splits its buckets; both byte orders, small and large pages. */
static void what_berkeley_db_writes_is_read(void **state)
{
	static const struct {
		unsigned order, page;
	} variants[] = { { 1234, 4096 }, { 4321, 4096 }, { 1234, 512 }, { 4321, 65536 } };
	const unsigned n = 300;

	(void)state;
	if (!tool_there("rpm") || !tool_there("db_load"))
		skip();
	for (size_t v = 0; v < VTR_COUNT(variants); v++) {
		char dir[] = "/tmp/vitrine-rpm-XXXXXX", path[64];
		FILE *f;

		assert_non_null(mkdtemp(dir));
		snprintf(path, sizeof(path), "%s/dump", dir);
		f = fopen(path, "w");
		assert_non_null(f);
		fprintf(f, "VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize=%u\ndb_lorder=%u\nHEADER=END\n",
			variants[v].page, variants[v].order);
		for (unsigned i = 0; i <= n; i++) {
			char name[32], *big = malloc(20000);
			uint8_t number[4];
			struct rpm_item items[] = {
				RPM_STR(1000, ""),	  RPM_STR(1001, "1"),	  RPM_STR(1002, "2"),
				RPM_STR(1004, "package"), RPM_STR(1022, "s390x"), { 1005, 6, 1, big, 1 + i * 50 },
			};
			struct vtr_str header;

			assert_non_null(big);
			memset(big, 'x', 20000);
			big[i * 50] = 0;
			snprintf(name, sizeof(name), "package-%u", i);
			items[0].bytes = name;
			items[0].len = strlen(name) + 1;
			header = rpm_header_make(items, VTR_COUNT(items), 0);
			for (unsigned b = 0; b < 4; b++)
				number[b] = (uint8_t)(i >> 8 * (variants[v].order == 1234 ? b : 3 - b));
			put_hex(f, number, 4);
			put_hex(f, i > 0 ? header.p : "abcd", i > 0 ? header.len : 4);
			vtr_str_done(&header);
			free(big);
		}
		fputs("DATA=END\n", f);
		assert_int_equal(0, fclose(f));
		run("db_load -f '%s/dump' '%s/Packages'", dir, dir);
		assert_int_equal(n, dir_compare(BDB, dir));
		run("rm -r '%s'", dir);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_read),
		cmocka_unit_test(every_database_is_read),
		cmocka_unit_test(versions_of_one_package_stay_apart),
		cmocka_unit_test(damage_is_named_and_the_rest_is_read),
		cmocka_unit_test(packages_do_not_share_blocks),
		cmocka_unit_test(hostile_schemas_are_refused),
		cmocka_unit_test(schemas_without_end_are_refused),
		cmocka_unit_test(pages_that_are_shared_end_the_list),
		cmocka_unit_test(rows_that_are_no_blobs_are_warned_of),
		cmocka_unit_test(limits_are_kept_and_named),
		cmocka_unit_test(memory_of_sqlite_counts),
		cmocka_unit_test(every_prefix_and_every_byte_is_read),
		cmocka_unit_test(a_log_is_merged_as_sqlite_merges_it),
		cmocka_unit_test(the_corpus_is_read_as_rpm_reads_it),
		cmocka_unit_test(rpm_lists_what_was_made_by_hand),
		cmocka_unit_test(what_rpmbuild_and_rpm_write_is_read),
		cmocka_unit_test(what_berkeley_db_writes_is_read),
	};

	return cmocka_run_group_tests(tests, headers_make, headers_free);
}
