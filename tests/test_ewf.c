/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* EWF: laid out by hand against a table of damage, and as ewfacquire writes it against what ewfexport reads. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/packed_images.h"
#include "tests/part_images.h"

static const char *prop(struct vtr_blk *disk, const char *key)
{
	const struct vtr_image_info *info = vtr_image_info(disk);

	for (size_t i = 0; i < info->n_props; i++)
		if (strcmp(info->props[i].key, key) == 0)
			return info->props[i].text;
	return NULL;
}

static void chunks_of_each_kind_are_read(void **state)
{
	struct packed_ewf e;
	struct qcow2_opened o;

	(void)state;
	packed_ewf(&e, false, false);
	packed_expect_good(&e.first, "ewf");
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, e.first.image.p, e.first.image.len, NULL);
	assert_string_equal("E01", vtr_image_info(o.disk)->subformat);
	assert_int_equal(1024, vtr_image_info(o.disk)->cluster_size);
	assert_int_equal(512, vtr_image_info(o.disk)->logical_sector);
	assert_string_equal("33323130-3534-3736-3839-616263646566", vtr_image_info(o.disk)->id);
	assert_string_equal("6.19", vtr_image_info(o.disk)->creator);
	assert_string_equal("a disk", prop(o.disk, "description"));
	assert_string_equal("case 7", prop(o.disk, "case_number"));
	assert_string_equal("evidence 9", prop(o.disk, "evidence_number"));
	assert_string_equal("W. Hopkins", prop(o.disk, "examiner"));
	assert_null(prop(o.disk, "notes"));
	assert_string_equal("Windows", prop(o.disk, "acquiry_system"));
	assert_string_equal("1970-01-02T00:00:00Z", prop(o.disk, "acquiry_date"));
	assert_string_equal("2000-02-29T00:00:00Z", prop(o.disk, "system_date"));
	assert_string_equal("fixed disk", prop(o.disk, "media_type"));
	assert_string_equal("best", prop(o.disk, "compression_level"));
	assert_string_equal("0102030405060708090a0b0c0d0e0f10", prop(o.disk, "md5"));
	assert_string_equal("1112131415161718191a1b1c1d1e1f2021222324", prop(o.disk, "sha1"));
	qcow2_done(&o);
	packed_ewf_done(&e);
	packed_ewf(&e, false, true);
	packed_expect_good(&e.first, "ewf");
	packed_ewf_done(&e);
}

static void segments_are_found_by_their_names(void **state)
{
	static const struct {
		const char *first, *second;
		bool smart;
	} names[] = { { "i.E01", "i.E02", false }, { "a.b.e01", "a.b.e02", false }, { "i.s01", "i.s02", true } };
	struct vtr_image_options alone = { .alone = true };
	char *dir, name[300];
	struct qcow2_opened o;
	struct packed_ewf e;
	uint8_t buf[512];

	(void)state;
	dir = part_temp();
	for (size_t k = 0; k < VTR_COUNT(names); k++) {
		packed_ewf(&e, true, names[k].smart);
		snprintf(name, sizeof(name), "%s/%s", dir, names[k].second);
		qcow2_write_file(name, e.second.p, e.second.len);
		snprintf(name, sizeof(name), "%s/%s", dir, names[k].first);
		qcow2_write_file(name, e.first.image.p, e.first.image.len);
		qcow2_open_good(&o, name, NULL);
		qcow2_expect_bytes(o.disk, e.first.disk.p, e.first.disk.len);
		qcow2_expect_quiet(&o);
		assert_int_equal(1, vtr_image_info(o.disk)->n_files);
		assert_string_equal("segment", vtr_image_info(o.disk)->files[0].role);
		qcow2_done(&o);
		packed_ewf_done(&e);
	}
	/* Who opens no other file gets the facts, and what is in the first. */
	snprintf(name, sizeof(name), "%s/i.E01", dir);
	qcow2_start(&o, NULL, false);
	qcow2_open(&o, name, &alone);
	assert_int_equal(0, o.rc);
	assert_int_equal(0, vtr_blk_pread(o.disk, 2048, buf, 512, NULL));
	assert_int_equal(-1, vtr_blk_pread(o.disk, 3072, buf, 512, &o.err));
	assert_int_equal(VTR_EPOLICY, o.err.code);
	qcow2_done(&o);
	qcow2_start(&o, NULL, false);
	qcow2_open(&o, name, NULL);
	qcow2_expect_error(&o, VTR_EPOLICY, "segment \"i.E02\" is not opened: --follow");
	qcow2_done(&o);
	qcow2_start(&o, NULL, true);
	snprintf(name, sizeof(name), "%s/i.E02", dir);
	qcow2_open(&o, name, NULL);
	qcow2_expect_error(&o, VTR_ECORRUPT, "segment 2, expected 1: the first one (.E01) is the one to open");
	part_run("mv '%s/i.E02' '%s/other'", dir, dir);
	snprintf(name, sizeof(name), "%s/i.E01", dir);
	qcow2_open(&o, name, NULL);
	qcow2_expect_error(&o, VTR_ENOTFOUND, "segment \"");
	part_run("cp '%s/i.E01' '%s/i.E02'", dir, dir);
	qcow2_open(&o, name, NULL);
	qcow2_expect_error(&o, VTR_ECORRUPT, "segment \"i.E02\": segment 1, expected 2");
	part_run("mv '%s/i.E01' '%s/image'", dir, dir);
	snprintf(name, sizeof(name), "%s/image", dir);
	qcow2_open(&o, name, NULL);
	qcow2_expect_error(&o, VTR_ENOTFOUND, "segment 2 follows, and \"image\" does not end in .E01");
	qcow2_done(&o);
	part_temp_done(dir);
}

static void damage_is_named(void **state)
{
	struct packed_ewf e;

	(void)state;
	packed_ewf(&e, false, false);
	{
		const size_t *at = e.first.at, v = at[0] + 76, t = at[2] + 76;
		const struct packed_damage unsealed[] = {
			{ 0, 1, 'F', VTR_ECORRUPT, "no file header: it does not start with \"EVF\"" },
			{ 0, 3, 0x46564c, VTR_EUNSUPPORTED, "logical evidence (L01)" },
			{ 9, 2, 3, VTR_ECORRUPT, "segment 3, expected 1" },
			{ at[0], 1, 'V', VTR_ECORRUPT, "its header: checksum " },
			{ v, 1, 0, VTR_ECORRUPT, "volume: checksum " },
			{ at[1], 1, 'S', VTR_ECORRUPT, "chunk 0 is in no table" },
			{ t, 1, 9, VTR_OK, "table: checksum" },
			{ t + 25, 1, 9, VTR_OK, "its copy is used" },
			{ at[4] + 76, 1, 9, VTR_OK, "hash: checksum" },
			{ at[1] + 76 + 4, 1, 0x55, VTR_ECORRUPT, "chunk 0 at " },
			{ 13 + 76 + 4, 1, 0x55, VTR_OK, "the header at 0x59 is damaged, and not told" },
		};
		const struct packed_damage sealed[] = {
			{ at[0] + 16, 8, 1 << 20, VTR_ETRUNCATED, "section \"volume\" ends at 0x100000, expected" },
			{ at[0] + 16, 8, 10, VTR_ECORRUPT, "section \"volume\" ends at 0xa, expected" },
			{ at[0], 1, 'x', VTR_ECORRUPT, "a table before the volume" },
			{ at[0], 6, 0x656572746c, VTR_EUNSUPPORTED,
			  "logical evidence (L01): it has files, and no disk" },
			{ v + 8, 4, 0, VTR_ECORRUPT, "volume: chunks of 0 sectors of 512 bytes" },
			{ v + 8, 4, 1 << 20, VTR_ECORRUPT, "volume: chunks of 1048576 sectors" },
			{ v + 12, 4, 0, VTR_ECORRUPT, "chunks of 2 sectors of 0 bytes" },
			{ v + 16, 8, 1ull << 62, VTR_ECORRUPT, "volume: 4611686018427387904 sectors" },
			{ v + 16, 8, 12, VTR_ECORRUPT, "bytes of zlib are no 1024 bytes" },
			{ t, 4, 100000, VTR_OK, "100000 entries in 40 bytes" },
			{ t + 24, 4, 0x0fffffff, VTR_ECORRUPT, "chunk 0: from 0x1000000c to " },
			{ t + 28, 4, 0, VTR_ECORRUPT, "chunk 0: from " },
			{ t + 8, 8, ~0ull, VTR_ECORRUPT, "chunk 0: from " },
			{ t + 24, 1, 0x2f, VTR_ECORRUPT, "chunk 0 at " },
			{ at[7], 4, 0x7478656e, VTR_ENOTFOUND, "segment 2 follows" },
		};

		packed_try_damage(&e.first, "ewf", unsealed, VTR_COUNT(unsealed), true);
		for (size_t k = 0; k < VTR_COUNT(sealed); k++) {
			struct packed_damage none = sealed[k];
			struct packed_ewf s;

			packed_ewf(&s, false, false);
			packed_set_le(s.first.image.p + none.at, none.width, none.value);
			packed_ewf_seal(&s.first);
			none.width = 0;
			if (none.code == VTR_ENOTFOUND) /* without a path it is asked for by the policy */
				none = (struct packed_damage){ 0, 0, 0, VTR_EPOLICY, "segment \"image.E02\"" };
			packed_try_damage(&s.first, "ewf", &none, 1, true);
			packed_ewf_done(&s);
		}
	}
	packed_ewf_done(&e);
}

/* A table and its copy gone: chunks behind them are not taken for others. */
static void a_lost_table_moves_no_chunk(void **state)
{
	struct packed_ewf e;
	struct qcow2_opened o;
	uint8_t buf[512];

	(void)state;
	packed_ewf(&e, false, false);
	e.first.image.p[e.first.at[2] + 76] ^= 1;
	e.first.image.p[e.first.at[3] + 76] ^= 1;
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, e.first.image.p, e.first.image.len, NULL);
	assert_int_equal(0, o.rc);
	qcow2_expect_said(&o, "which chunks it has is not known: a table before it is lost");
	assert_int_equal(-1, vtr_blk_pread(o.disk, 0, buf, 512, NULL));
	assert_int_equal(-1, vtr_blk_pread(o.disk, 4096, buf, 512, &o.err));
	assert_int_equal(VTR_ECORRUPT, o.err.code);
	qcow2_done(&o);
	packed_ewf_done(&e);
}

/* That a table and its copy are damaged is found once: another chunk of it costs no look at them. */
static void a_damaged_table_is_read_once(void **state)
{
	struct qcow2_reads reads, before;
	struct qcow2_opened o;
	struct packed_ewf e;
	char *dir, name[300];
	struct vtr_error first;
	uint8_t buf[512];

	(void)state;
	dir = part_temp();
	packed_ewf(&e, false, false);
	e.first.image.p[e.first.at[2] + 76 + 25] ^= 1;
	e.first.image.p[e.first.at[3] + 76 + 25] ^= 1;
	snprintf(name, sizeof(name), "%s/i.E01", dir);
	qcow2_write_file(name, e.first.image.p, e.first.image.len);
	qcow2_open_counted(&o, &reads, name);
	assert_int_equal(-1, vtr_blk_pread(o.disk, 0, buf, 512, &o.err));
	assert_int_equal(VTR_ECORRUPT, o.err.code);
	assert_non_null(strstr(o.err.text, "table: checksum"));
	first = o.err;
	before = reads;
	for (unsigned k = 0; k < 6; k++) {
		assert_int_equal(-1, vtr_blk_pread(o.disk, 512 * k, buf, 512, &o.err));
		assert_string_equal(first.text, o.err.text);
	}
	assert_int_equal(before.calls, reads.calls);
	assert_int_equal(0, vtr_blk_pread(o.disk, 3072, buf, 512, NULL));
	qcow2_done(&o);
	packed_ewf_done(&e);
	part_temp_done(dir);
}

/* Sections that come again and again add nothing to what is held. */
static void the_first_of_each_hash_is_told(void **state)
{
	struct packed_ewf e;
	struct qcow2_opened o;
	struct packed *b = &e.first.image;
	const struct vtr_image_info *info;
	uint8_t digest[200], done[200];
	size_t len, last, n = 0;

	(void)state;
	packed_ewf(&e, false, false);
	len = e.first.at[5] - e.first.at[4];
	last = b->len - e.first.at[7];
	assert_true(len <= sizeof(digest) && last <= sizeof(done));
	memcpy(digest, b->p + e.first.at[4], len);
	memcpy(done, b->p + e.first.at[7], last);
	b->len = e.first.at[7];
	for (unsigned k = 0; k < 100; k++) {
		packed_set_le(digest + 16, 8, b->len + len);
		e.first.at[4] = b->len;
		packed_bytes(b, digest, len);
		packed_ewf_seal(&e.first);
	}
	e.first.at[7] = b->len;
	packed_set_le(done + 16, 8, b->len);
	packed_bytes(b, done, last);
	packed_ewf_seal(&e.first);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, b->p, b->len, NULL);
	assert_int_equal(0, o.rc);
	qcow2_expect_quiet(&o);
	info = vtr_image_info(o.disk);
	for (size_t k = 0; k < info->n_props; k++)
		n += strcmp(info->props[k].key, "sha1") == 0;
	assert_int_equal(1, n);
	qcow2_done(&o);
	packed_ewf_done(&e);
}

static void version_2_is_refused_by_name(void **state)
{
	struct qcow2_opened o;
	uint8_t image[100] = "EVF2\x0d\x0a\x81";

	(void)state;
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, image, sizeof(image), NULL);
	qcow2_expect_error(&o, VTR_EUNSUPPORTED, "ewf: version 2 (Ex01): not read");
	qcow2_done(&o);
}

static const struct {
	const char *format, *suffix, *more;
} writers[] = {
	{ "encase2", "E01", "-c best" },       { "encase5", "E01", "-c fast" }, { "encase6", "E01", "-c none" },
	{ "encase7", "E01", "-c best -b 16" }, { "ftk", "E01", "-c best" },	{ "linen7", "E01", "-c none -b 128" },
	{ "smart", "s01", "-c best" },	       { "ewf", "e01", "-c none" },	{ "ewfx", "e01", "-c best" },
};

static void what_ewfacquire_writes_is_what_ewfexport_reads(void **state)
{
	char *dir, name[300];
	uint8_t *raw;
	size_t len = 3000320;

	(void)state;
	if (!part_has_tool("ewfacquire") || !part_has_tool("ewfexport"))
		skip();
	dir = part_temp();
	raw = malloc(len);
	assert_non_null(raw);
	qcow2_noise(raw, len, 55);
	snprintf(name, sizeof(name), "%s/disk.raw", dir);
	qcow2_write_file(name, raw, len);
	for (size_t k = 0; k < VTR_COUNT(writers); k++) {
		struct qcow2_opened o;
		uint8_t *bytes;
		uint64_t n;

		part_run(
			"cd '%s' && rm -f i.* out.* && ewfacquire -u -q -f %s %s -S 1048576 -t i -C case -D desc -e exam "
			"-E evid -N notes disk.raw >log 2>&1 && ewfexport -u -q -f raw -t out i.%s >log 2>&1 || { cat log; "
			"false; }",
			dir, writers[k].format, writers[k].more, writers[k].suffix);
		snprintf(name, sizeof(name), "%s/out.raw", dir);
		bytes = qcow2_file(name, &n);
		assert_int_equal(len, n);
		snprintf(name, sizeof(name), "%s/i.%s", dir, writers[k].suffix);
		qcow2_open_good(&o, name, NULL);
		assert_string_equal("exam", prop(o.disk, "examiner"));
		qcow2_expect_bytes(o.disk, bytes, n);
		assert_memory_equal(raw, bytes, n);
		qcow2_expect_quiet(&o);
		qcow2_done(&o);
		free(bytes);
	}
	free(raw);
	part_temp_done(dir);
}

/* Pieces that alternate, where memory has room for none of them. */
static void pieces_that_alternate_are_decoded_once(void **state)
{
	static const uint64_t at[] = { 0, 2048 };
	struct vtr_limits l;
	struct qcow2_opened o;
	char *dir = part_temp(), file[300];
	uint64_t before;
	uint8_t buf[16];
	struct packed_ewf e;

	(void)state;
	packed_ewf(&e, false, false);
	vtr_limits_default(&l);
	l.cache = 4096;
	snprintf(file, sizeof(file), "%s/image", dir);
	qcow2_write_file(file, e.first.image.p, e.first.image.len);
	qcow2_start(&o, &l, false);
	qcow2_open(&o, file, NULL);
	assert_int_equal(0, o.rc);
	for (unsigned k = 0; k < 2; k++)
		assert_int_equal(0, vtr_blk_pread(o.disk, at[k] + 1, buf, sizeof(buf), NULL));
	before = vtr_ctx_bytes_read(o.ctx);
	for (unsigned k = 0; k < 1000; k++) {
		assert_int_equal(0, vtr_blk_pread(o.disk, at[k % 2] + 100, buf, sizeof(buf), NULL));
		assert_memory_equal(e.first.disk.p + at[k % 2] + 100, buf, sizeof(buf));
	}
	/* The entries of the table are looked at: 8 bytes for each read, where a page has no room to stay. */
	assert_in_range(vtr_ctx_bytes_read(o.ctx) - before, 0, 1000 * 8);
	qcow2_done(&o);
	packed_ewf_done(&e);
	part_temp_done(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_of_each_kind_are_read),
		cmocka_unit_test(segments_are_found_by_their_names),
		cmocka_unit_test(damage_is_named),
		cmocka_unit_test(a_lost_table_moves_no_chunk),
		cmocka_unit_test(a_damaged_table_is_read_once),
		cmocka_unit_test(the_first_of_each_hash_is_told),
		cmocka_unit_test(version_2_is_refused_by_name),
		cmocka_unit_test(what_ewfacquire_writes_is_what_ewfexport_reads),
		cmocka_unit_test(pieces_that_alternate_are_decoded_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
