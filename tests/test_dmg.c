/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UDIF images laid out by hand, against a table of damage and against what 7-Zip and dmg2img read from them. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/packed_images.h"
#include "tests/part_images.h"

static const struct {
	uint32_t type;
	const char *subformat, *compression;
} types[] = {
	{ 1, "UDRO", NULL },
	{ 0x80000004, "UDCO", "ADC" },
	{ 0x80000005, "UDZO", "zlib" },
	{ 0x80000006, "UDBZ", "bzip2" },
	{ 0x80000008, "ULMO", "LZMA" },
};

static const char *prop(struct vtr_blk *disk, const char *key)
{
	const struct vtr_image_info *info = vtr_image_info(disk);

	for (size_t i = 0; i < info->n_props; i++)
		if (strcmp(info->props[i].key, key) == 0)
			return info->props[i].text;
	return NULL;
}

static void every_compression_is_read(void **state)
{
	(void)state;
	for (size_t t = 0; t < VTR_COUNT(types); t++) {
		for (int how = PACKED_DMG_XML; how <= PACKED_DMG_HEAD; how++) {
			struct packed_image i;
			struct qcow2_opened o;

			packed_dmg(&i, types[t].type, how);
			packed_expect_good(&i, "dmg");
			qcow2_start(&o, NULL, false);
			qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
			assert_string_equal(types[t].subformat, vtr_image_info(o.disk)->subformat);
			if (types[t].compression)
				assert_string_equal(types[t].compression, vtr_image_info(o.disk)->compression);
			assert_string_equal("30313233-3435-3637-3839-616263646566", vtr_image_info(o.disk)->id);
			assert_string_equal(how == PACKED_DMG_FORK ? "zero; last" : "zero; one & last",
					    prop(o.disk, "partitions"));
			qcow2_done(&o);
			packed_image_done(&i);
		}
	}
}

static void bytes_behind_the_trailer_do_not_hide_it(void **state)
{
	struct packed_image i;

	(void)state;
	packed_dmg(&i, 0x80000005, PACKED_DMG_XML);
	packed_zeros(&i.image, 700);
	packed_expect_good(&i, "dmg");
	packed_image_done(&i);
}

/* As hdiutil writes it, the first compressed piece is the start of the file: it is no compressed file for that. */
static void its_first_piece_is_no_compressed_file(void **state)
{
	static const char *const inner[] = { "bzip2", "xz-one" };

	(void)state;
	for (size_t k = 0; k < VTR_COUNT(inner); k++) {
		struct packed_image i = { .image = { NULL, 0 } };
		struct packed xz = { NULL, 0 };
		struct qcow2_opened o;
		uint8_t *koly, *copy;
		size_t len, n;

		/* Raw pieces will do: what is in front is what counts. */
		packed_zeros(&i.disk, 1024);
		packed_compress(&i.image, inner[k], i.disk.p, i.disk.len);
		len = i.image.len;
		packed_zeros(&i.image, 1024 - len + 512);
		memset(i.disk.p, 0, 1024);
		memcpy(i.disk.p, i.image.p, len);
		koly = i.image.p + 1024;
		memcpy(koly, "koly\0\0\0\4\0\0\2\0", 12);
		qcow2_put(koly + 32, 8, 1024);
		qcow2_put(koly + 492, 8, 2);
		packed_expect_good(&i, "dmg");
		/* Nor within a compressed file. */
		packed_compress(&xz, "xz-one", i.image.p, i.image.len);
		n = i.disk.len;
		copy = i.disk.p;
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, xz.p, xz.len, NULL);
		assert_int_equal(0, o.rc);
		assert_string_equal("dmg", vtr_image_info(o.disk)->format);
		qcow2_expect_bytes(o.disk, copy, n);
		qcow2_done(&o);
		free(xz.p);
		packed_image_done(&i);
	}
}

static void without_tables_the_data_fork_is_the_disk(void **state)
{
	struct packed_image i = { .image = { NULL, 0 } };
	uint8_t *koly;

	(void)state;
	packed_zeros(&i.disk, 8192);
	qcow2_noise(i.disk.p, 8192, 9);
	memset(i.disk.p + 510, 0, 2);
	packed_bytes(&i.image, i.disk.p, 8192);
	packed_zeros(&i.image, 512);
	koly = i.image.p + 8192;
	memcpy(koly, "koly\0\0\0\4\0\0\2\0", 12);
	qcow2_put(koly + 32, 8, 8192);
	qcow2_put(koly + 492, 8, 16);
	packed_expect_good(&i, "dmg");
	packed_image_done(&i);
}

static void what_is_not_read_is_refused_by_name(void **state)
{
	struct vtr_image_options alone = { .alone = true };
	struct packed_image i;
	struct qcow2_opened o;
	uint8_t encrypted[4096] = { 0 }, buf[512];

	(void)state;
	packed_dmg(&i, 0x80000007, PACKED_DMG_XML);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
	qcow2_expect_error(&o, VTR_EUNSUPPORTED, "compressed with LZFSE (ULFO): not read");
	qcow2_open_bytes(&o, i.image.p, i.image.len, &alone);
	assert_int_equal(0, o.rc);
	assert_string_equal("ULFO", vtr_image_info(o.disk)->subformat);
	assert_int_equal(0, vtr_blk_pread(o.disk, 0, buf, 512, NULL));
	assert_int_equal(-1, vtr_blk_pread(o.disk, 1024, buf, 512, &o.err));
	assert_int_equal(VTR_EUNSUPPORTED, o.err.code);
	vtr_blk_unref(o.disk);
	o.disk = NULL;
	packed_image_done(&i);

	memcpy(encrypted, "encrcdsa\0\0\0\2", 12);
	qcow2_put(encrypted + 24, 4, 256);
	qcow2_open_bytes(&o, encrypted, sizeof(encrypted), NULL);
	qcow2_expect_error(&o, VTR_EUNSUPPORTED, "dmg: encrypted with AES-256 (encrcdsa): not read");
	memset(encrypted, 0, sizeof(encrypted));
	memcpy(encrypted + sizeof(encrypted) - 8, "cdsaencr", 8);
	qcow2_open_bytes(&o, encrypted, sizeof(encrypted), NULL);
	qcow2_expect_error(&o, VTR_EUNSUPPORTED, "dmg: encrypted (cdsaencr): not read");
	qcow2_done(&o);
}

static void damage_is_named(void **state)
{
	struct packed_image i;

	(void)state;
	packed_dmg(&i, 0x80000005, PACKED_DMG_FORK);
	{
		size_t koly = i.at[0], zero = i.at[1], one = i.at[2], fork = zero - 20;
		const struct packed_damage d[] = {
			{ koly, 1, 'K', VTR_ECORRUPT, "no trailer: \"koly\" is not there" },
			{ koly + 8, 4, 511, VTR_ECORRUPT, "trailer: 511 bytes long, expected 512" },
			{ koly + 24, 8, 1ull << 63, VTR_ETRUNCATED,
			  "blkx table 0: entry 0: 1024 bytes at 0x8000000000000000" },
			{ koly + 40, 8, 1ull << 40, VTR_ETRUNCATED, "resource fork: " },
			{ koly + 48, 8, 1ull << 40, VTR_ETRUNCATED, "resource fork: " },
			{ koly + 48, 8, 20, VTR_ECORRUPT, "resource fork: its " },
			{ koly + 60, 4, 7, VTR_EUNSUPPORTED, "segment 1 of 7: an image in several files (.dmgpart)" },
			{ koly + 360, 4, 1, VTR_OK, "expected 00000001 by the trailer" },
			{ koly + 492, 8, 1ull << 60, VTR_ECORRUPT, "trailer: a disk of 1152921504606846976 sectors" },
			{ koly + 492, 8, 12, VTR_OK, "describe 13 sectors, the trailer says 12: the rest is left out" },
			{ koly + 492, 8, 0, VTR_OK, NULL },
			{ fork + 4, 4, 0xfffffff0, VTR_ECORRUPT, "resource fork: its map leaves it" },
			{ zero - 4, 4, 0x7fffffff, VTR_ECORRUPT, "resource fork: blkx resource 0 leaves it" },
			{ zero - 4, 4, 100, VTR_ECORRUPT, "blkx table 0: 100 bytes without the sign \"mish\"" },
			{ zero, 1, 'M', VTR_ECORRUPT, "blkx table 0: 404 bytes without the sign \"mish\"" },
			{ zero + 4, 4, 2, VTR_EUNSUPPORTED, "blkx table 0: version 2, read is 1" },
			{ zero + 8, 8, ~0ull, VTR_ECORRUPT, "leave any disk" },
			{ zero + 200, 4, 6, VTR_ECORRUPT, "blkx table 0: 6 entries in 404 bytes" },
			{ zero + 204, 4, 3, VTR_EUNSUPPORTED, "blkx table 0: entry 0: type 0x3 is unknown" },
			{ zero + 204 + 32, 8, 1023, VTR_ECORRUPT, "entry 0: 1023 stored bytes for 2 sectors" },
			{ zero + 204 + 16, 8, 1ull << 60, VTR_ECORRUPT, "entry 0: 1152921504606846976 sectors at" },
			{ zero + 244 + 16, 8, 140000, VTR_ELIMIT, "entry 1: 71680000 bytes stored as" },
			{ zero + 244 + 24, 8, 1ull << 50, VTR_ETRUNCATED, "entry 1: " },
			{ zero + 244 + 32, 8, 5, VTR_ECORRUPT, "5 bytes of zlib are no 2048 bytes of the disk" },
			{ zero + 244 + 8, 8, 1, VTR_ECORRUPT, "two pieces for sector 0x1: of type 0x1 and 0x80000005" },
			{ one + 204, 4, 0x80000004, VTR_ECORRUPT, "bytes of ADC are no 1536 bytes" },
			{ one + 204, 4, 0x80000006, VTR_ECORRUPT, "bytes of bzip2 are no 1536 bytes" },
			{ one + 204, 4, 0x80000008, VTR_ECORRUPT, "bytes of LZMA are no 1536 bytes" },
			{ one + 204, 4, 0x80000009, VTR_EUNSUPPORTED, "type 0x80000009 is unknown" },
			{ i.at[3], 1, 0, VTR_ECORRUPT, "bytes of zlib are no 2048 bytes of the disk" },
		};

		packed_try_damage(&i, "dmg", d, VTR_COUNT(d), false);
	}
	packed_image_done(&i);
}

/* A change to the text of the property list, of the same length. */
static const struct {
	const char *find, *put;
	int code;
	const char *words;
} lists[] = {
	{ "</plist>", "<plist/>", VTR_ECORRUPT, "property list: no XML, or cut off" },
	{ "<key>blkx<", "<key>blky<", VTR_ECORRUPT, "the property list has no blkx table" },
	{ "resource-fork", "Resource-fork", VTR_ECORRUPT, "the property list has no blkx table" },
	{ "bWlzaAAA", "bWlz$AAA", VTR_ECORRUPT, "no base64" },
	{ "bWlzaAAAAAEAAA", "bWl<!-- -->zaA", VTR_EUNSUPPORTED, "blkx table 0: version 0" },
	{ "bWlzaAAAAAEAAA", "</data><data>A", VTR_ECORRUPT, "data in two pieces" },
	{ "<key>Attributes</key>", "<?a b?><!-- attrs -->", VTR_OK, NULL },
	{ "bWlzaA", "bWlyaA", VTR_ECORRUPT, "blkx table 0: " },
	{ "<!DOCTYPE plist", "<!DOCTYPE [list", VTR_ECORRUPT, "property list: no XML" },
	{ "<!DOCTYPE plist PUBLIC \"-//Apple Computer//DTD PLIST",
	  "<!DOCTYPE plist [<!ENTITY a \"aaaaaaaaaaaaaaaaaa\">]>   \"", VTR_ECORRUPT,
	  "property list: line 2: it has a document type (\"plist\") with declarations" },
	{ "<string>0x0050", "<string>&#65;1", VTR_OK, NULL },
	{ "<string>0x0050", "<string>0x&#5;", VTR_ECORRUPT, "property list: no XML, or cut off: line 11: " },
	{ "<string>zero", "<string>&#8;", VTR_ECORRUPT, "property list: no XML, or cut off: line " },
	{ "<string>zero", "<string>z\xff\xff\xff", VTR_ECORRUPT, "property list: no XML, or cut off: line " },
};

static void damage_in_the_property_list_is_named(void **state)
{
	(void)state;
	for (size_t k = 0; k < VTR_COUNT(lists); k++) {
		struct packed_image i;
		struct qcow2_opened o;
		uint8_t *at;

		packed_dmg(&i, 0x80000005, PACKED_DMG_XML);
		at = memmem(i.image.p, i.image.len, lists[k].find, strlen(lists[k].find));
		assert_non_null(at);
		memcpy(at, lists[k].put, strlen(lists[k].put));
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
		if (lists[k].code)
			qcow2_expect_error(&o, lists[k].code, lists[k].words);
		else
			assert_int_equal(0, o.rc);
		qcow2_done(&o);
		packed_image_done(&i);
	}
}

/* A thousand types whose references are the same sixty thousand, all to one table. */
static void tables_that_share_their_bytes_are_work(void **state)
{
	struct packed image = { NULL, 0 };
	struct vtr_limits l;
	struct qcow2_opened o;
	size_t fork;

	(void)state;
	packed_be(&image, 4, 16);
	packed_be(&image, 4, 16 + 4 + 204);
	packed_zeros(&image, 8);
	packed_be(&image, 4, 204);
	packed_bytes(&image, "mish", 4);
	packed_be(&image, 4, 1);
	packed_zeros(&image, 196);
	packed_zeros(&image, 24);
	packed_be(&image, 2, 28);
	packed_be(&image, 2, 0);
	packed_be(&image, 2, 999);
	for (unsigned i = 0; i < 1000; i++) {
		packed_bytes(&image, "blkx", 4);
		packed_be(&image, 2, 59999);
		packed_be(&image, 2, 2 + 8000);
	}
	for (unsigned i = 0; i < 60000; i++) {
		packed_be(&image, 4, 0xffff);
		packed_zeros(&image, 8);
	}
	fork = image.len;
	packed_bytes(&image, "koly", 4);
	packed_be(&image, 4, 4);
	packed_be(&image, 4, 512);
	packed_zeros(&image, 36);
	packed_be(&image, 8, fork);
	packed_zeros(&image, 436);
	packed_be(&image, 8, 8);
	packed_zeros(&image, 12);
	vtr_limits_default(&l);
	qcow2_start(&o, &l, false);
	qcow2_open_bytes(&o, image.p, image.len, NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "limit steps=");
	qcow2_done(&o);
	free(image.p);
}

static void what_is_held_is_limited(void **state)
{
	struct packed_image i;
	struct qcow2_opened o;
	struct vtr_limits l;

	(void)state;
	packed_dmg(&i, 0x80000005, PACKED_DMG_FORK);
	vtr_limits_default(&l);
	l.metadata = 100;
	qcow2_start(&o, &l, false);
	qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "blkx tables");
	qcow2_done(&o);
	packed_image_done(&i);
	packed_dmg(&i, 0x80000005, PACKED_DMG_XML);
	qcow2_start(&o, &l, false);
	qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "an XML document");
	qcow2_done(&o);
	vtr_limits_default(&l);
	l.alloc = 1000;
	qcow2_start(&o, &l, false);
	qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "property list");
	qcow2_done(&o);
	packed_image_done(&i);
	packed_dmg(&i, 0x80000005, PACKED_DMG_FORK);
	l.alloc = 1600;
	qcow2_start(&o, &l, false);
	qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "a compressed piece");
	qcow2_done(&o);
	packed_image_done(&i);
}

/* dmg2img writes what the tables describe, and does not know LZMA. 7-Zip writes a file for each table, and checks sums. */
static void others_read_the_same(void **state)
{
	static const struct {
		const char *tool, *run;
		uint32_t unknown;
	} tools[] = {
		{ "dmg2img", "dmg2img -s i.dmg out", 0x80000008 },
		{ "7zz", "7zz x -oparts -y i.dmg && cat parts/* >out", 0 },
	};
	char *dir, name[300];

	(void)state;
	if (!part_has_tool("dmg2img") || !part_has_tool("7zz"))
		skip();
	dir = part_temp();
	for (size_t k = 0; k < VTR_COUNT(tools); k++)
		for (size_t t = 0; t < VTR_COUNT(types); t++) {
			struct packed_image i;
			uint64_t len;
			uint8_t *bytes;

			if (types[t].type == tools[k].unknown)
				continue;
			packed_dmg(&i, types[t].type, PACKED_DMG_XML);
			snprintf(name, sizeof(name), "%s/i.dmg", dir);
			qcow2_write_file(name, i.image.p, i.image.len);
			part_run("cd '%s' && rm -rf out parts && { %s; } >log 2>&1 || { cat log; false; }", dir,
				 tools[k].run);
			snprintf(name, sizeof(name), "%s/out", dir);
			bytes = qcow2_file(name, &len);
			assert_true(len >= 12 * 512);
			assert_memory_equal(i.disk.p, bytes, 12 * 512);
			free(bytes);
			packed_image_done(&i);
		}
	part_temp_done(dir);
}

/* Pieces that alternate, where memory has room for none of them. */
static void pieces_that_alternate_are_decoded_once(void **state)
{
	static const uint64_t at[] = { 1024, 9 * 512 };
	struct vtr_limits l;
	struct qcow2_opened o;
	char *dir = part_temp(), file[300];
	uint64_t before;
	uint8_t buf[16];
	struct packed_image i;

	(void)state;
	packed_dmg(&i, 0x80000005, PACKED_DMG_XML);
	vtr_limits_default(&l);
	l.cache = 4096;
	snprintf(file, sizeof(file), "%s/image", dir);
	qcow2_write_file(file, i.image.p, i.image.len);
	qcow2_start(&o, &l, false);
	qcow2_open(&o, file, NULL);
	assert_int_equal(0, o.rc);
	for (unsigned k = 0; k < 2; k++)
		assert_int_equal(0, vtr_blk_pread(o.disk, at[k] + 1, buf, sizeof(buf), NULL));
	before = vtr_ctx_bytes_read(o.ctx);
	for (unsigned k = 0; k < 1000; k++) {
		assert_int_equal(0, vtr_blk_pread(o.disk, at[k % 2] + 100, buf, sizeof(buf), NULL));
		assert_memory_equal(i.disk.p + at[k % 2] + 100, buf, sizeof(buf));
	}
	assert_int_equal(before, vtr_ctx_bytes_read(o.ctx));
	qcow2_done(&o);
	packed_image_done(&i);
	part_temp_done(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_compression_is_read),
		cmocka_unit_test(bytes_behind_the_trailer_do_not_hide_it),
		cmocka_unit_test(its_first_piece_is_no_compressed_file),
		cmocka_unit_test(without_tables_the_data_fork_is_the_disk),
		cmocka_unit_test(what_is_not_read_is_refused_by_name),
		cmocka_unit_test(damage_is_named),
		cmocka_unit_test(damage_in_the_property_list_is_named),
		cmocka_unit_test(tables_that_share_their_bytes_are_work),
		cmocka_unit_test(what_is_held_is_limited),
		cmocka_unit_test(others_read_the_same),
		cmocka_unit_test(pieces_that_alternate_are_decoded_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
