/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which format an image is: recognised by its signs, refused by name, or ambiguous. */
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/checked.h"
#include "formats/format.h"
#include "tests/part_images.h"
#include "tests/qcow2_images.h"

static char path[PATH_MAX];

static const char *in(const char *dir, const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void formats_are_listed(void **state)
{
	const char *title = NULL;
	size_t n = 0;

	(void)state;
	assert_string_equal("qcow2", vtr_format_name(0, &title));
	assert_string_equal("QEMU copy-on-write v2/v3", title);
	while (vtr_format_name(n, NULL))
		n++;
	assert_string_equal("raw", vtr_format_name(n - 1, &title));
	assert_string_equal("raw disk", title);
	assert_null(vtr_format_name(n, &title));
	assert_non_null(vtr_format_find("vhdx"));
	assert_null(vtr_format_find("QCOW2"));
	assert_null(vtr_format_find(""));
}

/* ------------------------------------------------------------------------------------------------------ recognition */

/* Signs as the formats' specifications have them; back: bytes before the end. */
static const struct {
	const char *format;
	size_t at, back;
	const char *sign;
	size_t len;
} signs[] = {
#define AT(format, at, sign)                                                                                           \
	{                                                                                                              \
		format, at, 0, sign, sizeof(sign) - 1                                                                  \
	}
#define BACK(format, back, sign)                                                                                       \
	{                                                                                                              \
		format, 0, back, sign, sizeof(sign) - 1                                                                \
	}
	AT("qcow", 0, "QFI\xfb\0\0\0\x01"),
	AT("vmdk", 0, "KDMV\x01\0\0\0"),
	AT("vmdk", 0, "COWD\x01\0\0\0"),
	AT("vmdk", 0, "# Disk DescriptorFile\nversion=1\n"),
	AT("vhdx", 0, "vhdxfile"),
	AT("vhd", 0, "conectix"),     /* dynamic: a copy of the footer */
	BACK("vhd", 512, "conectix"), /* fixed */
	BACK("vhd", 511, "conectix"), /* fixed, by Virtual PC before 2004 */
	AT("vdi", 0x40, "\x7f\x10\xda\xbe"),
	AT("qed", 0, "QED\0"),
	AT("parallels", 0, "WithoutFreeSpace"),
	AT("parallels", 0, "WithouFreSpacExt"),
	BACK("dmg", 512, "koly\0\0\0\x04"),
	AT("ewf", 0, "EVF\x09\x0d\x0a\xff\0"),
	AT("ewf", 0, "EVF2\x0d\x0a\x81\0"),
	AT("bochs", 0, "Bochs Virtual HD Image\0"),
	AT("sparseimage", 0, "sprs\0\0\0\x03"),
	AT("parallels-hdd", 0, "<Parallels_disk_image Version=\"1.0\">"),
	AT("sparsebundle", 0, "<?xml version=\"1.0\"?><plist><string>com.apple.diskimage.sparsebundle</string>"),
	AT("android-sparse", 0, "\x3a\xff\x26\xed\x01\0\0\0"),
	AT("ovf", 0, "<?xml version=\"1.0\"?>\n<Envelope xmlns=\"http://schemas.dmtf.org/ovf/envelope/1\">"),
	/* As file(1) 5.44 knows them. */
	AT("zip", 0, "PK\3\4"),
	AT("zip", 0, "PK\5\6"),
	AT("7z", 0, "7z\xbc\xaf\x27\x1c"),
	AT("rar", 0, "Rar!\x1a\x07"),
	AT("cpio", 0, "070701"),
	AT("cpio", 0, "070702"),
	AT("cpio", 0, "070707"),
	AT("ar", 0, "!<arch>\n"),
	AT("rpm", 0, "\xed\xab\xee\xdb"),
	AT("cab", 0, "MSCF\0\0\0\0"),
	AT("wim", 0, "MSWIM\0\0\0"),
	AT("gzip", 0, "\x1f\x8b\x08\0"),
	AT("xz", 0, "\xfd\x37zXZ\0"),
	AT("zstd", 0, "\x28\xb5\x2f\xfd"),
	AT("bzip2", 0, "BZh91AY&SY"),
};

#define SIZE 100000u

static void what_is_not_read_is_refused_by_name(void **state)
{
	uint8_t *bytes = malloc(SIZE);
	bool tried[64] = { false };

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < VTR_COUNT(signs); i++) {
		const struct vtr_format *f = vtr_format_find(signs[i].format);
		struct vtr_image_options raw = { .format = "raw" }, named = { .format = signs[i].format };
		struct qcow2_opened o;
		char words[128];
		uint8_t *at = bytes + (signs[i].back ? SIZE - signs[i].back : signs[i].at);

		assert_non_null(f);
		for (size_t k = 0; vtr_formats[k]; k++)
			tried[k] |= vtr_formats[k] == f;
		memset(bytes, 0, SIZE);
		memcpy(at, signs[i].sign, signs[i].len);
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, bytes, SIZE, NULL);
		assert_int_equal(-1, o.rc);
		if (!f->open) {
			snprintf(words, sizeof(words), "%s (%s) is recognised, and not read", f->name, f->title);
			qcow2_expect_error(&o, VTR_EUNSUPPORTED, words);
			qcow2_open_bytes(&o, bytes, SIZE, &named);
			qcow2_expect_error(&o, VTR_EUNSUPPORTED, words);
		} else {
			assert_non_null(strstr(o.err.text, f->name));
		}
		/* Whoever says that it is raw gets its bytes. */
		qcow2_open_bytes(&o, bytes, SIZE, &raw);
		assert_int_equal(0, o.rc);
		qcow2_expect_bytes(o.disk, bytes, SIZE);
		vtr_blk_unref(o.disk);
		o.disk = NULL;
		/* One byte less of the sign, and it is raw. */
		at[0] ^= 1;
		qcow2_open_bytes(&o, bytes, SIZE, NULL);
		assert_int_equal(0, o.rc);
		assert_string_equal("raw", vtr_image_info(o.disk)->format);
		qcow2_done(&o);
	}
	for (size_t k = 0; vtr_formats[k]; k++)
		if (!vtr_formats[k]->open && !tried[k])
			fail_msg("no sign of %s is tried", vtr_formats[k]->name);
	free(bytes);
}

/* A format that is named and does not fit: what it is instead is said. */
static void a_wrong_format_is_told_with_the_right_one(void **state)
{
	static const struct {
		const char *named, *words;
		const char *sign;
		size_t len, at;
	} wrong[] = {
		{ "qcow2", "; it has the signs of vhdx", "vhdxfile", 8, 0 },
		{ "vmdk", "; it has the signs of zip", "PK\3\4", 4, 0 },
		{ "qcow2", "; it has the signs of a raw disk with LUKS encrypted volume", "LUKS\xba\xbe\0\1", 8, 0 },
		{ "vdi", "; it has the signs of no format that is known", "", 0, 0 },
	};
	uint8_t *bytes = malloc(SIZE);

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < VTR_COUNT(wrong); i++) {
		struct vtr_image_options named = { .format = wrong[i].named };
		struct qcow2_opened o;

		memset(bytes, 0, SIZE);
		memcpy(bytes + wrong[i].at, wrong[i].sign, wrong[i].len);
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, bytes, SIZE, &named);
		qcow2_expect_error(&o, VTR_ECORRUPT, wrong[i].words);
		/* One that fits and is damaged is told as that. */
		memcpy(bytes, "QFI\xfb\0\0\0\2", 8);
		named.format = "qcow2";
		qcow2_open_bytes(&o, bytes, SIZE, &named);
		assert_int_equal(-1, o.rc);
		assert_null(strstr(o.err.text, "has the signs"));
		qcow2_done(&o);
	}
	free(bytes);
}

static void tiny_files_are_raw(void **state)
{
	static const uint8_t bytes[8] = "QFI\xfb\0\0\0";

	(void)state;
	for (size_t len = 0; len < sizeof(bytes); len++) {
		struct qcow2_opened o;

		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, bytes, len, NULL);
		assert_int_equal(0, o.rc);
		assert_string_equal("raw", vtr_image_info(o.disk)->format);
		qcow2_expect_bytes(o.disk, bytes, len);
		qcow2_done(&o);
	}
}

static void options_are_checked(void **state)
{
	struct vtr_image_options opt = { .format = "qcow9" };
	struct qcow2_opened o;

	(void)state;
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, "x", 1, &opt);
	qcow2_expect_error(&o, VTR_EUSAGE, "no format is named \"qcow9\"");
	opt.format = "qcow2";
	qcow2_open_bytes(&o, "x", 1, &opt);
	qcow2_expect_error(&o, VTR_ETRUNCATED, "qcow2: no header");
	qcow2_open_bytes(&o, NULL, 0, &opt);
	qcow2_expect_error(&o, VTR_ETRUNCATED, "qcow2: no header");
	opt = (struct vtr_image_options){ .snapshot = "s" };
	qcow2_open_bytes(&o, "x", 1, &opt);
	qcow2_expect_error(&o, VTR_ENOTFOUND, "no snapshot \"s\": a raw disk has none");
	qcow2_open(&o, "/nonexistent/image", NULL);
	qcow2_expect_error(&o, VTR_ENOTFOUND, "/nonexistent/image: No such file");
	qcow2_done(&o);
}

/* -------------------------------------------------------------------------------------------------------- ambiguity */

static void expect_ambiguous(const uint8_t *bytes, size_t len, const char *one, const char *other)
{
	struct vtr_image_options raw = { .format = "raw" };
	struct qcow2_opened o;

	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, bytes, len, NULL);
	qcow2_expect_error(&o, VTR_EAMBIGUOUS, one);
	qcow2_expect_error(&o, VTR_EAMBIGUOUS, other);
	qcow2_expect_error(&o, VTR_EAMBIGUOUS, "--format");
	qcow2_open_bytes(&o, bytes, len, &raw);
	assert_int_equal(0, o.rc);
	qcow2_expect_bytes(o.disk, bytes, len);
	qcow2_done(&o);
}

/* What a guest can write into its own raw disk: the header of a container. */
static void a_raw_disk_that_looks_like_a_container_is_ambiguous(void **state)
{
	size_t len = PART_GPT_SECTORS * 512;
	uint8_t *disk = calloc(1, SIZE), qcow2[QCOW2_BUILD_CLUSTERS * 512];
	uint64_t n;
	char *dir;

	(void)state;
	assert_non_null(disk);
	qcow2_build(qcow2, 9);
	part_gpt_build(disk, 512);
	memcpy(disk, qcow2, 112);
	expect_ambiguous(disk, len, "qcow2", "gpt");
	part_gpt_build(disk, 512);
	memcpy(disk, "KDMV\x01\0\0\0", 8);
	expect_ambiguous(disk, len, "vmdk", "gpt");

	memset(disk, 0, SIZE);
	part_mbr_entry(disk, 0, 0, 0x80, 0x83, 1, 20);
	memcpy(disk, qcow2, 112);
	expect_ambiguous(disk, len, "qcow2", "mbr");
	memset(disk, 0, 112);
	memcpy(disk + len - 512, "conectix", 8);
	expect_ambiguous(disk, len, "vhd", "mbr");

	/* Two containers. */
	memset(disk, 0, SIZE);
	memcpy(disk, qcow2, sizeof(qcow2));
	memcpy(disk + len - 512, "conectix", 8);
	expect_ambiguous(disk, len, "qcow2", "vhd");
	memset(disk, 0, SIZE);
	memcpy(disk, qcow2, sizeof(qcow2));
	memcpy(disk + 0x40, "\x7f\x10\xda\xbe", 4);
	expect_ambiguous(disk, len, "qcow2", "vdi");
	free(disk);

	if (!part_has_tool("mkfs.ext4"))
		skip();
	dir = part_temp();
	part_run("truncate -s 8M '%s/fs' && mkfs.ext4 -q -F '%s/fs'", dir, dir);
	disk = qcow2_file(in(dir, "fs"), &n);
	memcpy(disk, qcow2, 112);
	expect_ambiguous(disk, n, "qcow2", "ext4");
	free(disk);
	part_temp_done(dir);
}

/* Once a disk is decoded, what its bytes look like is the guest's affair. */
static void what_a_container_holds_is_not_decoded_again(void **state)
{
	struct qcow2_opened o;
	uint8_t inner[QCOW2_BUILD_CLUSTERS * 512], got[4], *disk;
	char *dir;

	(void)state;
	if (!qcow2_has_tools())
		skip();
	dir = part_temp();
	qcow2_write_file(in(dir, "inner"), inner, qcow2_build(inner, 9));
	part_run("cd '%s' && qemu-img convert -f raw -O qcow2 inner outer", dir);
	qcow2_open_good(&o, in(dir, "outer"), NULL);
	assert_int_equal(sizeof(inner), vtr_blk_size(o.disk));
	assert_int_equal(0, vtr_blk_pread(o.disk, 0, got, 4, NULL));
	assert_memory_equal("QFI\xfb", got, 4);
	/* Who wants it to be, says so. */
	{
		VTR_UNREF struct vtr_blk *b = NULL;

		disk = qcow2_build_disk(9);
		assert_int_equal(0, vtr_image_decode(&b, o.disk, NULL, NULL));
		qcow2_expect_bytes(b, disk, qcow2_build_size(9));
		free(disk);
	}
	qcow2_done(&o);
	part_temp_done(dir);
}

/* ------------------------------------------------------------------------------------------------------- the corpus */

static const struct {
	const char *column, *format; /* how the corpus calls a format, how we do */
} corpus_names[] = {
	{ "qcow2", "qcow2" },
	{ "vpc", "vhd" },
	{ "vpc-differencing", "vhd" },
	{ "vmdk", "vmdk" },
	{ "vhdx", "vhdx" },
	{ "vdi", "vdi" },
	{ "dmg", "dmg" },
	{ "bochs", "bochs" },
	{ "qcow", "qcow" },
	{ "ewf-e01", "ewf" },
	{ "parallels", "parallels" },
	{ "raw", "raw" },
	{ "?", NULL },
};

/* sha256 of a whole disk, holes and all. */
static void disk_sha256(char hex[65], struct vtr_blk *disk)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint64_t size = vtr_blk_size(disk);
	size_t piece = 1 << 20;
	uint8_t *buf = malloc(piece), sum[32];
	struct vtr_error err = { 0 };

	assert_true(md && buf && EVP_DigestInit_ex(md, EVP_sha256(), NULL));
	for (uint64_t off = 0; off < size; off += piece) {
		size_t n = (size_t)VTR_MIN((uint64_t)piece, size - off);

		if (vtr_blk_pread(disk, off, buf, n, &err) < 0)
			fail_msg("%s", err.text);
		EVP_DigestUpdate(md, buf, n);
	}
	EVP_DigestFinal_ex(md, sum, NULL);
	for (size_t i = 0; i < sizeof(sum); i++)
		sprintf(hex + 2 * i, "%02x", sum[i]);
	EVP_MD_CTX_free(md);
	free(buf);
}

static const char *corpus_format(const char *column)
{
	for (size_t i = 0; i < VTR_COUNT(corpus_names); i++)
		if (strcmp(corpus_names[i].column, column) == 0)
			return corpus_names[i].format;
	fail_msg("the corpus has \"%s\", of which the test knows nothing", column);
	return NULL;
}

static void corpus_expect_bytes(struct vtr_blk *disk, const char *truth)
{
	const char *at = strstr(truth, "raw_sha256="), *bytes = strstr(truth, "raw_bytes=");
	char hex[65];

	if (!at || !bytes)
		return;
	assert_int_equal(strtoull(bytes + 10, NULL, 10), vtr_blk_size(disk));
	if (vtr_blk_size(disk) > 300000000 && !qcow2_slow())
		return;
	disk_sha256(hex, disk);
	assert_memory_equal(at + 11, hex, 64);
}

static void corpus_check(const char *corpus, const char *name, const char *column, const char *state, const char *notes,
			 const char *truth)
{
	const char *dot = strrchr(name, '.'), *format = corpus_format(column);
	const char *segment = strstr(name, ".E01"), *as = segment ? "image.E01" : "image"; /* which names the others */
	struct vtr_image_options alone = { .alone = true };
	struct qcow2_opened o;
	char *dir = part_temp();

	part_run("%s '%s/%s' >'%s/%s'",
		 strcmp(dot, ".xz") == 0    ? "xz -dc"
		 : strcmp(dot, ".bz2") == 0 ? "bzip2 -dc"
					    : "cat",
		 corpus, name, dir, as);
	if (strstr(name, "vhd-diff/image-")) /* its parent lies beside it */
		part_run("xz -dc '%s/container/dfvfs-vhd-diff/image.vhd.xz' >'%s/image.vhd'", corpus, dir);
	if (segment)
		part_run("if [ -e '%s/%.*s.E02.xz' ]; then xz -dc '%s/%.*s.E02.xz' >'%s/image.E02'; fi", corpus,
			 (int)(segment - name), name, corpus, (int)(segment - name), name, dir);
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, in(dir, as), NULL);
	if (o.rc == 0 && !format)
		print_message("%s: taken for %s\n", name, vtr_image_info(o.disk)->format);
	else if (o.rc < 0 && !format)
		assert_int_not_equal(0, o.err.code);
	else if (strstr(notes, "encrypted")) {
		qcow2_expect_error(&o, VTR_EUNSUPPORTED, "encrypted with AES");
		qcow2_open(&o, path, &alone);
		assert_int_equal(0, o.rc);
	} else if (!vtr_format_find(format)->open) {
		char words[64];

		snprintf(words, sizeof(words), "image: %s (%s) is recognised, and not read", format,
			 vtr_format_find(format)->title);
		qcow2_expect_error(&o, VTR_EUNSUPPORTED, words);
	} else if (strcmp(state, "clean") == 0) {
		if (o.rc < 0)
			print_error("%s: %s\n", name, o.err.text);
		assert_int_equal(0, o.rc);
		assert_string_equal(format, vtr_image_info(o.disk)->format);
		corpus_expect_bytes(o.disk, truth);
		if (strstr(name, "vhd-diff/")) /* edited by hand, but for the checksums */
			qcow2_expect_said(&o, "wrong checksum");
		else
			qcow2_expect_quiet(&o);
	}
	qcow2_done(&o);
	part_temp_done(dir);
}

static void images_of_other_peoples_software_are_known(void **state)
{
	const char *corpus = part_corpus();
	char *line = NULL;
	size_t cap = 0, n = 0;
	FILE *f = NULL;

	(void)state;
	if (!corpus || !(f = fopen(in(corpus, "MANIFEST.tsv"), "r"))) {
		print_message("skipped: VITRINE_CORPUS is not set\n");
		skip();
	}
	while (getline(&line, &cap, f) > 0) {
		char *column[10] = { 0 }, *at = line;

		for (size_t i = 0; i < VTR_COUNT(column); i++)
			column[i] = at ? strsep(&at, "\t\n") : NULL;
		/* path sha256 bytes container partition volume fs state notes source; then truth */
		if (!column[9] || strncmp(column[0], "container/", 10) != 0)
			continue;
		if (strstr(column[0], ".E02")) /* a second segment has signs of its own, and is no image */
			continue;
		corpus_check(corpus, column[0], column[3], column[7], column[8], at ? at : "");
		n++;
	}
	assert_true(n > 0);
	free(line);
	fclose(f);
}

/* A file that is said to be of a format and is not: damage of that format. */
static void what_is_of_no_kind_is_damage_of_the_named_one(void **state)
{
	static const size_t lengths[] = { 0, 1, 3, 4, 8, 64, 511, 512, 513, 4096, 100000 };
	uint8_t *noise = malloc(100000), *zeros = calloc(1, 100000);
	const char *name;

	(void)state;
	assert_true(noise && zeros);
	for (size_t i = 0; i < 100000; i++)
		noise[i] = (uint8_t)(i * i >> 7 ^ i * 31);
	for (size_t f = 0; (name = vtr_format_name(f, NULL)); f++) {
		struct vtr_image_options opt = { .format = name };

		if (strcmp(name, "raw") == 0 || strcmp(name, "splitraw") == 0) /* any bytes will do */
			continue;
		for (size_t i = 0; i < VTR_COUNT(lengths); i++)
			for (int fill = 0; fill < 2; fill++) {
				struct qcow2_opened o;

				qcow2_start(&o, NULL, false);
				qcow2_open_bytes(&o, fill ? noise : zeros, lengths[i], &opt);
				if (o.rc == 0)
					fail_msg("%s: %zu bytes are opened", name, lengths[i]);
				if (o.err.code != VTR_ECORRUPT && o.err.code != VTR_ETRUNCATED)
					fail_msg("%s, %zu bytes: %s: %s", name, lengths[i], vtr_code_name(o.err.code),
						 o.err.text);
				if (strncmp(o.err.text, name, strlen(name)) != 0)
					fail_msg("%s is not named: %s", name, o.err.text);
				qcow2_done(&o);
			}
	}
	free(noise);
	free(zeros);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_are_listed),
		cmocka_unit_test(what_is_not_read_is_refused_by_name),
		cmocka_unit_test(a_wrong_format_is_told_with_the_right_one),
		cmocka_unit_test(tiny_files_are_raw),
		cmocka_unit_test(what_is_of_no_kind_is_damage_of_the_named_one),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(a_raw_disk_that_looks_like_a_container_is_ambiguous),
		cmocka_unit_test(what_a_container_holds_is_not_decoded_again),
		cmocka_unit_test(images_of_other_peoples_software_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
