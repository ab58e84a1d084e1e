/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rpm's databases: the first byte says which, the rest is it. Of SQLite's with a write-ahead log four bytes, little
 * endian, say how long the database is, and the log follows it.
 */
#include "fuzz/fuzz_packages.h"

#include "base/bytes.h"

static struct vtr_blk *fuzz_part(struct vtr_ctx *ctx, const uint8_t *p, size_t len)
{
	struct vtr_blk *b = NULL;

	FUZZ_CHECK(vtr_blk_memory(&b, ctx, p, len, NULL) == 0);
	return b;
}

static int fuzz_read(struct vtr_packages *l, unsigned kind, const uint8_t *p, size_t len, struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *b = NULL, *wal = NULL;
	size_t db = len;

	if (kind == 4 && len >= 4) {
		db = vtr_get_le32(p);
		p += 4;
		len -= 4;
		db = db < len ? db : len;
		wal = fuzz_part(l->os->ctx, p + db, len - db);
	}
	b = fuzz_part(l->os->ctx, p, db);
	switch (kind) {
	case 1:
		return vtr_rpmdb_bdb_read(l, b, err);
	case 2:
		return vtr_rpmdb_ndb_read(l, b, err);
	default:
		return vtr_rpmdb_sqlite_read(l, b, wal, err);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vtr_error err = { 0 };
	struct vtr_packages l = { .path = "db" };
	struct vtr_ctx *ctx;
	int rc;

	if (len == 0)
		return 0;
	ctx = fuzz_ctx();
	l.os = vtr_os_new(ctx, "/dev/sda1", NULL, NULL);
	FUZZ_CHECK(l.os);
	if (data[0] % 5 == 0) {
		uint8_t *copy = malloc(len); /* of exactly its size, and one */

		FUZZ_CHECK(copy);
		memcpy(copy + 1, data + 1, len - 1);
		rc = vtr_rpm_header_add(&l, copy + 1, len - 1, 7, &err);
		free(copy);
	} else {
		rc = fuzz_read(&l, data[0] % 5, data + 1, len - 1, &err);
	}
	fuzz_packages_check(&l, rc, &err);
	vtr_os_free(l.os);
	vtr_ctx_unref(ctx);
	return 0;
}
