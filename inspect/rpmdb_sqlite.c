/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rpm's database in SQLite, rpmdb.sqlite: a table Packages of hnum INTEGER PRIMARY KEY and blob BLOB. libsqlite3 reads it
 * from memory. It gets a copy of the file in which the write-ahead log beside it is merged (SQLite's "Database File
 * Format", section 4), never writes to it, and never opens a file.
 *
 * The schema is the image's, so it may name views, virtual tables and functions: none of them is run. What is asked is
 * which rows there are, and then each row's blob by itself, so that a broken one costs no other.
 */
#include "inspect/packages.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/blk.h"
#include "base/bytes.h"
#include "base/checked.h"
#include "base/held.h"
#include "base/library.h"

#define SQLITE_HEADER 100u	/* of the database */
#define SQLITE_OPS 1000		/* of its virtual machine, between two looks at the clock */
#define SQLITE_STEPS 10		/* that each of them is worth; a package takes four */
#define SQLITE_SCHEMA_OPS 20000 /* to load the schema; rpm's takes less than 1000 */

#define SQLITE_FUNCS(X)                                                                                                \
	X(sqlite3_blob_bytes)                                                                                          \
	X(sqlite3_blob_close)                                                                                          \
	X(sqlite3_blob_open)                                                                                           \
	X(sqlite3_blob_read)                                                                                           \
	X(sqlite3_blob_reopen)                                                                                         \
	X(sqlite3_close)                                                                                               \
	X(sqlite3_column_int64)                                                                                        \
	X(sqlite3_db_config)                                                                                           \
	X(sqlite3_db_status)                                                                                           \
	X(sqlite3_deserialize)                                                                                         \
	X(sqlite3_drop_modules)                                                                                        \
	X(sqlite3_errmsg)                                                                                              \
	X(sqlite3_errstr)                                                                                              \
	X(sqlite3_exec)                                                                                                \
	X(sqlite3_finalize)                                                                                            \
	X(sqlite3_limit)                                                                                               \
	X(sqlite3_open_v2)                                                                                             \
	X(sqlite3_prepare_v2)                                                                                          \
	X(sqlite3_progress_handler)                                                                                    \
	X(sqlite3_set_authorizer)                                                                                      \
	X(sqlite3_step)                                                                                                \
	X(sqlite3_stricmp)

VTR_LIBRARY(lite, "libsqlite3.so.0", SQLITE_FUNCS)

/* ------------------------------------------------------------------------------------------- the write-ahead log */

#define WAL_HEADER 32u
#define WAL_FRAME 24u
#define WAL_MAGIC 0x377f0682u /* and 1 more: checksums are of big-endian words */
#define WAL_VERSION 3007000u

/*
 * Header, big endian:
 *   0  4	magic
 *   4  4	version
 *   8  4	page size, 2^9 to 2^16
 *   16 8	salts
 *   24 8	checksum of the above
 * Frame:
 *   0  4	page number, from 1
 *   4  4	of a commit the size of the database in pages, else 0
 *   8  8	the header's salts
 *   16 8	checksum of the header, all frames before, and this
 *   24		the page
 */
struct wal {
	struct vtr_blk *b;
	uint32_t page_size, sum[2];
	bool big;
	uint8_t salts[8];
	uint64_t frames; /* up to the last commit */
	uint32_t pages;	 /* of the database then */
};

static void wal_sum(struct wal *w, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		w->sum[0] += (w->big ? vtr_get_be32(p + i) : vtr_get_le32(p + i)) + w->sum[1];
		w->sum[1] += (w->big ? vtr_get_be32(p + i + 4) : vtr_get_le32(p + i + 4)) + w->sum[0];
	}
}

static bool wal_sum_ok(const struct wal *w, const uint8_t *stored)
{
	return vtr_sum_ok(vtr_get_be64(stored), (uint64_t)w->sum[0] << 32 | w->sum[1]);
}

/* Read the header. 1, 0: SQLite would not use this log, -1. */
static int wal_open(struct wal *w, struct vtr_blk *b, struct vtr_packages *l, struct vtr_error *err)
{
	uint8_t head[WAL_HEADER];
	uint32_t magic;

	*w = (struct wal){ .b = b };
	if (b->size < WAL_HEADER)
		return 0;
	if (vtr_blk_pread(b, 0, head, sizeof(head), err) < 0)
		return -1;
	magic = vtr_get_be32(head);
	w->big = (magic & 1) != 0;
	w->page_size = vtr_get_be32(head + 8);
	memcpy(w->salts, head + 16, sizeof(w->salts));
	wal_sum(w, head, 24);
	if ((magic & ~1u) == WAL_MAGIC && vtr_get_be32(head + 4) == WAL_VERSION && vtr_pow2_is(w->page_size) &&
	    w->page_size >= 512 && w->page_size <= 65536 && wal_sum_ok(w, head + 24))
		return 1;
	vtr_packages_warn(l, VTR_OK, "the write-ahead log beside it has no valid header, and is not used");
	return 0;
}

/* The next frame, in buf of WAL_FRAME + page_size bytes. 1, 0: there is no valid one, -1. */
static int wal_next(uint8_t *buf, struct wal *w, uint64_t frame, struct vtr_error *err)
{
	uint64_t size = WAL_FRAME + (uint64_t)w->page_size;

	if (frame >= (w->b->size - WAL_HEADER) / size)
		return 0;
	if (vtr_blk_pread(w->b, WAL_HEADER + frame * size, buf, (size_t)size, err) < 0)
		return -1;
	wal_sum(w, buf, 8);
	wal_sum(w, buf + WAL_FRAME, w->page_size);
	return vtr_get_be32(buf) != 0 && memcmp(buf + 8, w->salts, 8) == 0 && wal_sum_ok(w, buf + 16);
}

/* How far the log is committed. */
static int wal_scan(struct wal *w, struct vtr_packages *l, struct vtr_error *err)
{
	VTR_FREE uint8_t *buf = vtr_calloc(1, WAL_FRAME + (size_t)w->page_size, err);
	int rc = buf ? 1 : -1;

	for (uint64_t i = 0; rc > 0; i++) {
		rc = wal_next(buf, w, i, err);
		if (rc > 0 && vtr_tick(l->os->ctx, &l->steps, 1, err) < 0)
			return -1;
		if (rc > 0 && vtr_get_be32(buf + 4) != 0) {
			w->frames = i + 1;
			w->pages = vtr_get_be32(buf + 4);
		}
	}
	return rc;
}

static int wal_apply(const struct wal *w, uint8_t *image, uint64_t len, struct vtr_error *err)
{
	for (uint64_t i = 0; i < w->frames; i++) {
		uint64_t at = WAL_HEADER + i * (WAL_FRAME + (uint64_t)w->page_size), off;
		uint8_t head[4];

		if (vtr_blk_pread(w->b, at, head, sizeof(head), err) < 0)
			return -1;
		off = ((uint64_t)vtr_get_be32(head) - 1) * w->page_size;
		if (vtr_range_in(off, w->page_size, len) && /* a later commit may have made it shorter */
		    vtr_blk_pread(w->b, at + WAL_FRAME, image + off, w->page_size, err) < 0)
			return -1;
	}
	return 0;
}

/* The database as SQLite would see it. */
static int sqlite_image(uint8_t **out, uint64_t *len, struct vtr_packages *l, struct vtr_blk *b, struct vtr_blk *log,
			struct vtr_error *err)
{
	struct wal w = { 0 };
	VTR_HELD uint8_t *image = NULL;
	uint64_t size = b->size;
	int rc = log ? wal_open(&w, log, l, err) : 0;

	if (rc > 0)
		rc = wal_scan(&w, l, err);
	if (rc < 0)
		return vtr_at(err, "write-ahead log");
	if (w.frames > 0)
		size = (uint64_t)w.pages * w.page_size;
	if (VTR_OVER(l->os->ctx, package_db, size, "bytes", err) < 0)
		return -1;
	image = vtr_hold(l->os->ctx, size + 1, 1, "a database", err);
	if (!image || vtr_blk_pread(b, 0, image, (size_t)VTR_MIN(size, b->size), err) < 0 ||
	    (w.frames > 0 && wal_apply(&w, image, size, err) < 0))
		return -1;
	*out = vtr_steal(image);
	*len = size;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------ the database */

struct sqlite {
	struct vtr_packages *l;
	sqlite3 *db;
	struct vtr_error stop; /* why the work was stopped from within */
	uint64_t left;	       /* bytes that rows may have yet: none is shared */
	unsigned schema_ops;   /* that loading the schema may take yet */
	bool loaded;
	uint64_t charged; /* what SQLite itself has taken: its pages, the schema, statements */
};

/* Keep the account of memory up to what SQLite says that the connection takes. */
static int sqlite_account(struct sqlite *s, struct vtr_error *err)
{
	static const int what[] = { SQLITE_DBSTATUS_CACHE_USED, SQLITE_DBSTATUS_SCHEMA_USED,
				    SQLITE_DBSTATUS_STMT_USED };
	uint64_t used = 0;

	for (size_t i = 0; i < VTR_COUNT(what); i++) {
		int now = 0, most;

		if (lite.sqlite3_db_status(s->db, what[i], &now, &most, 0) == SQLITE_OK && now > 0)
			used += (uint64_t)now;
	}
	if (used > s->charged && vtr_charge(s->l->os->ctx, used - s->charged, "SQLite", err) < 0)
		return -1;
	if (used < s->charged)
		vtr_uncharge(s->l->os->ctx, s->charged - used);
	s->charged = used;
	return 0;
}

/*
 * The pages of a tree may be shared, so that a small file is a tree of any size, and each entry of a schema takes memory.
 */
static int sqlite_progress(void *arg)
{
	struct sqlite *s = arg;

	if (!s->loaded) {
		if (s->schema_ops < SQLITE_OPS) {
			vtr_error_set(&s->stop, VTR_ELIMIT, "SQLite: more than %u operations to load the schema",
				      SQLITE_SCHEMA_OPS);
			return 1;
		}
		s->schema_ops -= SQLITE_OPS;
	}
	return sqlite_account(s, &s->stop) < 0 ||
	       vtr_tick(s->l->os->ctx, &s->l->steps, SQLITE_OPS * SQLITE_STEPS, &s->stop) < 0;
}

/* What statements may do: read this table. */
static int sqlite_authorize(void *arg, int action, const char *a, const char *b, const char *c, const char *d)
{
	(void)arg, (void)b, (void)c, (void)d;
	if (action == SQLITE_SELECT || (action == SQLITE_READ && a && lite.sqlite3_stricmp(a, "Packages") == 0))
		return SQLITE_OK;
	return SQLITE_DENY;
}

static int sqlite_fail(struct sqlite *s, int rc, struct vtr_error *err)
{
	if (s->stop.code) {
		if (err)
			*err = s->stop;
		return -1;
	}
	if ((rc & 0xff) == SQLITE_NOMEM)
		return vtr_fail(err, VTR_ENOMEM, "SQLite: out of memory");
	return vtr_fail(err, (rc & 0xff) == SQLITE_TOOBIG ? VTR_ELIMIT : VTR_ECORRUPT, "SQLite: %s",
			s->db ? lite.sqlite3_errmsg(s->db) : lite.sqlite3_errstr(rc));
}

/* An empty connection that can do as little as it may. */
static int sqlite_open(struct sqlite *s, struct vtr_error *err)
{
	static const struct {
		int limit, value;
	} limits[] = {
		{ SQLITE_LIMIT_SQL_LENGTH, 10000 },   { SQLITE_LIMIT_COLUMN, 100 },
		{ SQLITE_LIMIT_EXPR_DEPTH, 20 },      { SQLITE_LIMIT_COMPOUND_SELECT, 2 },
		{ SQLITE_LIMIT_VDBE_OP, 10000 },      { SQLITE_LIMIT_FUNCTION_ARG, 8 },
		{ SQLITE_LIMIT_ATTACHED, 0 },	      { SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100 },
		{ SQLITE_LIMIT_VARIABLE_NUMBER, 10 }, { SQLITE_LIMIT_TRIGGER_DEPTH, 1 },
		{ SQLITE_LIMIT_WORKER_THREADS, 0 },
	};
	static const struct {
		int option, on;
	} config[] = {
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },
		{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
		{ SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
		{ SQLITE_DBCONFIG_ENABLE_FKEY, 0 },
		{ SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0 },
		{ SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
		{ SQLITE_DBCONFIG_DQS_DML, 0 },
		{ SQLITE_DBCONFIG_DQS_DDL, 0 },
	};
	uint64_t max = VTR_MIN(s->l->os->ctx->lim.alloc, (uint64_t)INT32_MAX / 2);
	int rc = lite.sqlite3_open_v2(":memory:", &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc != SQLITE_OK)
		return sqlite_fail(s, rc, err);
	for (size_t i = 0; i < VTR_COUNT(limits); i++)
		lite.sqlite3_limit(s->db, limits[i].limit, limits[i].value);
	lite.sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, (int)max);
	for (size_t i = 0; i < VTR_COUNT(config); i++)
		lite.sqlite3_db_config(s->db, config[i].option, config[i].on, NULL);
	lite.sqlite3_drop_modules(s->db, NULL);
	rc = lite.sqlite3_exec(
		s->db,
		"PRAGMA cache_size=-1024; PRAGMA temp_store=MEMORY; PRAGMA query_only=ON; PRAGMA cell_size_check=ON",
		NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return sqlite_fail(s, rc, err);
	lite.sqlite3_progress_handler(s->db, SQLITE_OPS, sqlite_progress, s);
	return 0;
}

/* One row's blob. blob is kept from row to row. 1: what follows is no damage and ends the work. */
static int sqlite_row_read(struct sqlite *s, sqlite3_blob **blob, int64_t row, struct vtr_error *err)
{
	int rc = *blob ? lite.sqlite3_blob_reopen(*blob, row)
		       : lite.sqlite3_blob_open(s->db, "main", "Packages", "blob", row, 0, blob);
	uint8_t *p;
	int len;

	if (rc != SQLITE_OK) {
		(void)sqlite_fail(s, rc, err);
		lite.sqlite3_blob_close(*blob); /* after a failure it is of no use any more */
		*blob = NULL;
		return s->stop.code ? 1 : -1;
	}
	len = lite.sqlite3_blob_bytes(*blob);
	if (len < 0 || (uint64_t)len > s->left)
		return vtr_fail(err, VTR_ECORRUPT, "its bytes are another's, too");
	if (vtr_packages_room(&p, s->l, (uint64_t)len, "a package's bytes", err) < 0)
		return -1;
	s->left -= (uint64_t)len;
	rc = lite.sqlite3_blob_read(*blob, p, len, 0);
	if (rc != SQLITE_OK) {
		(void)sqlite_fail(s, rc, err);
		lite.sqlite3_blob_close(*blob);
		*blob = NULL;
		return s->stop.code ? 1 : -1;
	}
	return vtr_rpm_header_add(s->l, p, (size_t)len, (uint64_t)row, err) < 0 ? 1 : 0;
}

static int sqlite_rows_read(struct sqlite *s, struct vtr_error *err)
{
	sqlite3_stmt *rows = NULL;
	sqlite3_blob *blob = NULL;
	static const char query[] = "SELECT rowid FROM Packages NOT INDEXED ORDER BY rowid";
	int rc = lite.sqlite3_prepare_v2(s->db, query, -1, &rows, NULL), result = 0;
	int64_t before = 0;
	bool any = false;

	s->loaded = true;
	if (rc != SQLITE_OK)
		return sqlite_fail(s, rc, err);
	while (result == 0 && (rc = lite.sqlite3_step(rows)) == SQLITE_ROW) {
		int64_t row = lite.sqlite3_column_int64(rows, 0);
		struct vtr_error e = { 0 };
		int read;

		if (any && row <= before) { /* shared pages, of which there is no end */
			vtr_packages_warn(s->l, VTR_ECORRUPT, "package %" PRId64 " comes after %" PRId64, row, before);
			rc = SQLITE_DONE;
			break;
		}
		any = true;
		before = row;
		read = sqlite_row_read(s, &blob, row, &e);
		if (read > 0) {
			if (err)
				*err = e;
			result = -1;
		} else if (read < 0) {
			vtr_error_at(&e, "package %" PRId64, row);
			result = vtr_packages_excuse(s->l, &e, err);
		}
		if (result == 0)
			result = vtr_tick(s->l->os->ctx, &s->l->steps, 1, err);
	}
	if (result == 0 && rc != SQLITE_DONE) { /* what was read until then stays */
		struct vtr_error e = { 0 };

		(void)sqlite_fail(s, rc, &e);
		if (s->stop.code) {
			if (err)
				*err = e;
			result = -1;
		} else {
			result = vtr_packages_excuse(s->l, &e, err);
		}
	}
	lite.sqlite3_blob_close(blob);
	lite.sqlite3_finalize(rows);
	return result;
}

int vtr_rpmdb_sqlite_read(struct vtr_packages *l, struct vtr_blk *b, struct vtr_blk *wal, struct vtr_error *err)
{
	struct sqlite s = { .l = l, .schema_ops = SQLITE_SCHEMA_OPS };
	VTR_HELD uint8_t *image = NULL;
	uint64_t len;
	int rc;

	if (lite_load(err) < 0 || sqlite_image(&image, &len, l, b, wal, err) < 0)
		return -1;
	if (len < SQLITE_HEADER || memcmp(image, "SQLite format 3", 16) != 0)
		return vtr_fail(err, VTR_ECORRUPT, "not a database of SQLite's");
	/* "The log is merged": SQLite would look for one beside a database that may have one. */
	image[18] = image[18] == 2 ? 1 : image[18];
	image[19] = image[19] == 2 ? 1 : image[19];
	s.left = 2 * len; /* twice: a broken row must not cost its siblings theirs */
	rc = sqlite_open(&s, err);
	if (rc == 0) {
		rc = lite.sqlite3_deserialize(s.db, "main", image, (sqlite3_int64)len, (sqlite3_int64)len,
					      SQLITE_DESERIALIZE_READONLY);
		lite.sqlite3_set_authorizer(s.db, sqlite_authorize, NULL); /* deserializing is an ATTACH */
		rc = rc == SQLITE_OK ? sqlite_rows_read(&s, err) : sqlite_fail(&s, rc, err);
	}
	lite.sqlite3_close(s.db);
	vtr_uncharge(l->os->ctx, s.charged);
	return rc;
}
