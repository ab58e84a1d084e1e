/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parallels: images of qemu-img against what it reads; images by hand from QEMU's docs/interop/parallels.rst; bundles by
 * hand from docs/interop/prl-xml.rst, whose images qemu-img and qemu-io write.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/checked.h"
#include "tests/part_images.h"
#include "tests/qcow2_images.h"
#include "tests/small_images.h"

static char path[PATH_MAX];

static const char *in(const char *dir, const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* ----------------------------------------------------------------------------------------------------------- images */

static void what_qemu_writes_is_read_as_qemu_reads_it(void **state)
{
	static const unsigned clusters[] = { 4096, 65536, 1048576 };
	struct qcow2_opened o;
	uint8_t *noise;
	char *dir;

	(void)state;
	if (!qcow2_has_tools())
		skip();
	dir = part_temp();
	noise = malloc(5000192);
	assert_non_null(noise);
	qcow2_noise(noise, 5000192, 3);
	memset(noise + 1048576, 0, 2 * 1048576);
	qcow2_write_file(in(dir, "raw"), noise, 5000192);
	free(noise);
	for (size_t i = 0; i < VTR_COUNT(clusters); i++) {
		part_run("cd '%s' && qemu-img convert -f raw -O parallels -o cluster_size=%u raw i", dir, clusters[i]);
		part_run("cd '%s' && qemu-io -f parallels -c 'write -P 7 3M 70000' i >/dev/null", dir);
		qcow2_open_good(&o, in(dir, "i"), NULL);
		qcow2_expect_qemu(o.disk, path, "");
		qcow2_expect_quiet(&o);
		assert_int_equal(clusters[i], vtr_image_info(o.disk)->cluster_size);
		assert_false(vtr_image_info(o.disk)->dirty);
		qcow2_done(&o);
	}
	part_temp_done(dir);
}

static void both_magics_are_read(void **state)
{
	struct small_image s;
	struct qcow2_opened o;

	(void)state;
	for (int ext = 0; ext < 2; ext++) {
		small_parallels(&s, ext, 5);
		small_expect("parallels", &s);
		if (!ext) {
			/* The upper half of the size was padding; data_off may be missing. */
			small_le(s.bytes + 40, 4, 0xdeadbeef);
			small_le(s.bytes + 48, 4, 0);
			small_expect("parallels", &s);
		}
		small_le(s.bytes + 44, 4, 0x746f6e59);
		small_le(s.bytes + 52, 4, 1);
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, s.bytes, s.len, NULL);
		assert_int_equal(0, o.rc);
		assert_true(vtr_image_info(o.disk)->dirty);
		assert_string_equal(ext ? "WithouFreSpacExt" : "WithoutFreeSpace", vtr_image_info(o.disk)->subformat);
		assert_string_equal("7/16", small_prop(o.disk, "geometry"));
		assert_string_equal("1", small_prop(o.disk, "empty"));
		qcow2_expect_bytes(o.disk, s.disk, s.disk_len);
		qcow2_done(&o);
		small_done(&s);
	}
}

/* 63 sectors were the first writers' clusters; here, three. */
static void clusters_of_any_number_of_sectors_are_read(void **state)
{
	struct small_image s;

	(void)state;
	small_parallels(&s, 0, 1);
	memset(s.bytes + 64, 0, 4 * SMALL_PARALLELS_CLUSTERS);
	small_le(s.bytes + 28, 4, 3);
	small_le(s.bytes + 36, 4, 8);
	small_le(s.bytes + 64, 4, 2);
	small_le(s.bytes + 64 + 8, 4, 7);
	memset(s.disk, 0, s.disk_len);
	memcpy(s.disk, s.bytes + 2 * 512, 3 * 512);
	memcpy(s.disk + 6 * 512, s.bytes + 7 * 512, 2 * 512);
	s.disk_len = 8 * 512;
	small_expect("parallels", &s);
	small_done(&s);
}

static const struct small_damage damages[] = {
	{ 0, 1, 'w', VTR_ECORRUPT, "no header: it starts neither with" },
	{ 16, 4, 3, VTR_EUNSUPPORTED, "version 3, read is 2" },
	{ 28, 4, 0, VTR_ECORRUPT, "clusters of 0 sectors" },
	{ 28, 4, 0xffffffff, VTR_ECORRUPT, "clusters of 4294967295 sectors" },
	{ 28, 4, 1, VTR_ECORRUPT, "9 clusters of 1 sectors, a disk of 17 sectors needs more" },
	{ 32, 4, 8, VTR_ECORRUPT, "8 clusters of 2 sectors" },
	{ 32, 4, 0xffffffff, VTR_ECORRUPT, "data_off 0x400 lies in the BAT" },
	{ 36, 8, 19, VTR_ECORRUPT, "a disk of 19 sectors needs more" },
	{ 36, 8, UINT64_MAX, VTR_ECORRUPT, "needs more" },
	{ 44, 4, 5, VTR_OK, "in_use 0x5 is no known value" },
	{ 56, 8, 4, VTR_ECORRUPT, "format extension at 0x800: its magic is wrong" },
	{ 56, 8, 9, VTR_ETRUNCATED, "format extension at 0x1200: it ends past the end of the file" },
	{ 56, 8, UINT64_MAX, VTR_ETRUNCATED, "format extension at" },
	{ 64, 4, 5, VTR_ECORRUPT, "BAT: entry 0 points past the end of the file (0x1400 > 0x1400)" },
	{ 64 + 8, 4, 0xffffffff, VTR_ECORRUPT, "BAT: entry 2 points past the end of the file" },
};

static void damage_is_named(void **state)
{
	struct small_image s;
	struct qcow2_opened o;

	(void)state;
	small_parallels(&s, 1, 1);
	small_expect_damage("parallels", &s, false, damages, VTR_COUNT(damages));
	qcow2_start(&o, NULL, false);
	small_le(s.bytes + 32, 4, 1000);
	small_le(s.bytes + 48, 4, 100);
	qcow2_open_bytes(&o, s.bytes, 4000, NULL);
	qcow2_expect_error(&o, VTR_ETRUNCATED, "BAT: 1000 entries at 0x40 end past the end of the file");
	qcow2_done(&o);
	small_done(&s);
	/* Sectors, and not clusters: an entry may point into the table. */
	small_parallels(&s, 0, 1);
	s.bytes[64] = 0;
	small_le(s.bytes + 28, 4, 2);
	small_le(s.bytes + 32, 4, 200);
	small_expect_damage(
		"parallels", &s, false,
		&(struct small_damage){ 64, 4, 1, VTR_ECORRUPT, "BAT: entry 0 points to 0x200, into the BAT" }, 1);
	small_done(&s);
	/* A BAT of 112 entries ends where the second sector begins: data may lie there, and data_off may say so. */
	small_parallels(&s, 0, 1);
	small_le(s.bytes + 32, 4, 112);
	small_le(s.bytes + 48, 4, 1);
	small_le(s.bytes + 64, 4, 1);
	memcpy(s.disk, s.bytes + 512, 1024);
	small_expect("parallels", &s);
	small_expect_damage("parallels", &s, false,
			    &(struct small_damage){ 32, 4, 113, VTR_ECORRUPT, "data_off 0x200 lies in the BAT" }, 1);
	small_done(&s);
}

/* The BAT must be there; of the data behind it a file may lack some. */
static void a_file_may_end_with_its_bat(void **state)
{
	struct small_image s;
	struct qcow2_opened o;

	(void)state;
	small_parallels(&s, 1, 1);
	memset(s.bytes + 64, 0, 4 * SMALL_PARALLELS_CLUSTERS);
	for (size_t len = 64 + 4 * SMALL_PARALLELS_CLUSTERS - 1; len <= 64 + 4 * SMALL_PARALLELS_CLUSTERS; len++) {
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, s.bytes, len, &(struct vtr_image_options){ .format = "parallels" });
		if (len < 64 + 4 * SMALL_PARALLELS_CLUSTERS) {
			qcow2_expect_error(&o, VTR_ETRUNCATED,
					   "BAT: 9 entries at 0x40 end past the end of the file (0x63)");
		} else {
			uint8_t zeros[SMALL_PARALLELS_SECTORS * 512] = { 0 };

			assert_int_equal(0, o.rc);
			qcow2_expect_bytes(o.disk, zeros, sizeof(zeros));
		}
		qcow2_done(&o);
	}
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, s.bytes, 63, &(struct vtr_image_options){ .format = "parallels" });
	qcow2_expect_error(&o, VTR_ETRUNCATED, "header: the file has 63 bytes, expected 64");
	qcow2_done(&o);
	small_done(&s);
}

/* Dirty bitmaps, in a cluster that is appended. */
static void format_extensions_are_told(void **state)
{
	struct small_image s;
	struct qcow2_opened o;
	struct vtr_limits l;
	uint8_t *image, *x, sum[EVP_MAX_MD_SIZE];

	(void)state;
	small_parallels(&s, 1, 1);
	image = calloc(1, s.len + 1024);
	assert_non_null(image);
	memcpy(image, s.bytes, s.len);
	small_le(image + 56, 8, s.len / 512);
	x = image + s.len;
	small_le(x, 8, 0xab234cef23dcea87);
	for (unsigned i = 0; i < 2; i++) {
		small_le(x + 24 + 56 * i, 8, 0x20385fae252cb34a);
		small_le(x + 24 + 56 * i + 16, 4, 29 + i); /* padded to 32 */
	}
	small_le(x + 24 + 112, 8, 0x1234567812345678);
	small_le(x + 24 + 112 + 8, 8, 1);
	assert_int_equal(1, EVP_Digest(x + 24, 1024 - 24, sum, NULL, EVP_md5(), NULL));
	memcpy(x + 8, sum, 16);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, image, s.len + 1024, NULL);
	assert_int_equal(0, o.rc);
	qcow2_expect_bytes(o.disk, s.disk, s.disk_len);
	assert_string_equal("2", small_prop(o.disk, "bitmaps"));
	qcow2_expect_said(&o, "note: parallels: format extension 0x1234567812345678 is unknown: others must not write");
	qcow2_done(&o);
	/* One that leaves the cluster; a checksum that is wrong. */
	small_le(x + 24 + 16, 4, 990);
	assert_int_equal(1, EVP_Digest(x + 24, 1024 - 24, sum, NULL, EVP_md5(), NULL));
	memcpy(x + 8, sum, 16);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, image, s.len + 1024, NULL);
	assert_int_equal(0, o.rc);
	qcow2_expect_said(&o, "section 0: 990 bytes leave the cluster");
	vtr_blk_unref(o.disk);
	x[30] ^= 1;
	qcow2_open_bytes(&o, image, s.len + 1024, NULL);
	qcow2_expect_said(&o, "its checksum is wrong");
	qcow2_done(&o);
	/* One that is too large to be held: the disk is read all the same. */
	vtr_limits_default(&l);
	l.alloc = 1000;
	qcow2_start(&o, &l, false);
	qcow2_open_bytes(&o, image, s.len + 1024, NULL);
	assert_int_equal(0, o.rc);
	qcow2_expect_said(&o, "format extension at 0x1400: its cluster: 1024 needed, limit alloc=1000");
	qcow2_expect_bytes(o.disk, s.disk, s.disk_len);
	qcow2_done(&o);
	free(image);
	small_done(&s);
}

/* ---------------------------------------------------------------------------------------------------------- bundles */

#define TOP "{5fbaabe3-6958-40ff-92a7-860e329aab41}"
#define ONE "{11111111-1111-1111-1111-111111111111}"
#define TWO "{22222222-2222-2222-2222-22222222222A}"
#define NONE "{00000000-0000-0000-0000-000000000000}"
#define IMAGE(guid, type, file) "<Image><GUID>" guid "</GUID><Type>" type "</Type><File>" file "</File></Image>"
#define STORAGE(start, end, images)                                                                                    \
	"<Storage><Start>" #start "</Start><End>" #end "</End><Blocksize>2048</Blocksize>" images "</Storage>"
#define SHOT(guid, parent) "<Shot><GUID>" guid "</GUID><ParentGUID>" parent "</ParentGUID></Shot>"
#define DOC(size, storages, snapshots)                                                                                 \
	"<?xml version='1.0' encoding='UTF-8'?>\n<Parallels_disk_image Version=\"1.0\">\n <Disk_Parameters>\n"         \
	"  <Disk_size> " #size " </Disk_size><Cylinders>3</Cylinders><Heads>16</Heads><Sectors>63</Sectors>"           \
	"<PhysicalSectorSize>4096</PhysicalSectorSize><LogicSectorSize>512</LogicSectorSize><Padding>0</Padding>\n"    \
	"<Encryption><Engine>" NONE "</Engine><Data></Data></Encryption><UID>" ONE "</UID><Name>x</Name>"              \
	"<Miscellaneous/></Disk_Parameters><StorageData>" storages "</StorageData><Snapshots>" snapshots               \
	"</Snapshots></Parallels_disk_image>\n"

static void put_text(const char *file, const char *text)
{
	qcow2_write_file(file, text, strlen(text));
}

/* A raw disk of three and a half clusters of 1 MiB, and two overlays in which qemu-io writes. */
static void make_bundle(const char *dir)
{
	part_run(
		"cd '%s' && yes root | head -c 3670016 >root.hds && qemu-img create -q -f parallels one.hds 3670016 && "
		"qemu-img create -q -f parallels top.hds 3670016 && "
		"qemu-io -f parallels -c 'write -P 1 1M 1M' -c 'write -P 1 3M 512k' one.hds >/dev/null && "
		"qemu-io -f parallels -c 'write -P 2 3M 512k' top.hds >/dev/null",
		dir);
}

/* What they hold together, up to a level: 0 root, 1 one, 2 top. */
static uint8_t *bundle_disk(const char *dir, int level)
{
	uint64_t n;
	uint8_t *disk = qcow2_file(in(dir, "root.hds"), &n);

	assert_int_equal(3670016, n);
	if (level > 0) {
		memset(disk + (1 << 20), 1, 1 << 20);
		memset(disk + (3 << 20), 1, 1 << 19);
	}
	if (level > 1)
		memset(disk + (3 << 20), 2, 1 << 19);
	return disk;
}

static const char chain_text[] = DOC(7168,
				     STORAGE(0, 7168,
					     IMAGE(TWO, "Plain", "root.hds") IMAGE(ONE, "Compressed", "one.hds")
						     IMAGE(TOP, "Compressed", "top.hds")),
				     SHOT(TOP, ONE) SHOT(ONE, TWO) SHOT(TWO, NONE));

static void bundles_with_snapshots_are_read(void **state)
{
	struct vtr_image_options one = { .snapshot = ONE },
				 two = { .snapshot = "22222222-2222-2222-2222-22222222222a" },
				 bad = { .snapshot = "x" }, alone = { .alone = true };
	const struct vtr_image_info *i;
	struct qcow2_opened o;
	uint8_t *disk, byte;
	char *dir;

	(void)state;
	if (!qcow2_has_tools())
		skip();
	dir = part_temp();
	make_bundle(dir);
	put_text(in(dir, "DiskDescriptor.xml"), chain_text);
	qcow2_open_good(&o, path, NULL);
	qcow2_expect_quiet(&o);
	disk = bundle_disk(dir, 2);
	qcow2_expect_bytes(o.disk, disk, 3670016);
	free(disk);
	i = vtr_image_info(o.disk);
	assert_string_equal("parallels-hdd", i->format);
	assert_string_equal(ONE, i->id);
	assert_int_equal(512, i->logical_sector);
	assert_int_equal(4096, i->physical_sector);
	assert_int_equal(1 << 20, i->cluster_size);
	assert_int_equal(3, i->n_files);
	assert_string_equal("image", i->files[0].role);
	{
		struct vtr_extent e;

		/* Where the bytes of the overlay lie. */
		assert_int_equal(0, vtr_blk_extent(&e, o.disk, 3 << 20, NULL));
		assert_true(e.has_host_off && e.kind == VTR_EXTENT_DATA);
		assert_non_null(strstr(e.host_file, "/top.hds"));
		assert_int_equal(0, vtr_blk_extent(&e, o.disk, 0, NULL));
		assert_true(e.has_host_off && e.host_off == 0);
		assert_non_null(strstr(e.host_file, "/root.hds"));
	}
	assert_int_equal(2, i->n_snapshots);
	assert_string_equal(ONE, i->snapshots[0].id);
	assert_string_equal("{22222222-2222-2222-2222-22222222222a}", i->snapshots[1].id);
	assert_string_equal("3/16/63", small_prop(o.disk, "geometry"));
	assert_string_equal(TOP, small_prop(o.disk, "top_guid"));
	qcow2_done(&o);

	qcow2_open_good(&o, in(dir, "DiskDescriptor.xml"), &one);
	disk = bundle_disk(dir, 1);
	qcow2_expect_bytes(o.disk, disk, 3670016);
	free(disk);
	qcow2_done(&o);
	qcow2_open_good(&o, in(dir, "DiskDescriptor.xml"), &two);
	disk = bundle_disk(dir, 0);
	qcow2_expect_bytes(o.disk, disk, 3670016);
	free(disk);
	qcow2_done(&o);

	qcow2_start(&o, NULL, true);
	qcow2_open(&o, in(dir, "DiskDescriptor.xml"), &bad);
	qcow2_expect_error(&o, VTR_ENOTFOUND, "no snapshot \"x\": there is " ONE ", {22222222-");
	qcow2_done(&o);
	qcow2_start(&o, NULL, false);
	qcow2_open(&o, path, NULL);
	qcow2_expect_error(&o, VTR_EPOLICY, "--follow or --allow-dir");
	qcow2_open(&o, path, &alone);
	assert_int_equal(0, o.rc);
	assert_int_equal(2, vtr_image_info(o.disk)->n_snapshots);
	assert_int_equal(-1, vtr_blk_pread(o.disk, 0, &byte, 1, &o.err));
	assert_int_equal(VTR_EPOLICY, o.err.code);
	qcow2_done(&o);
	part_temp_done(dir);
}

/* Absolute names are those of the machine that it was made on. */
static void bundles_that_were_moved_are_read(void **state)
{
	static const char *const names[] = { "/home/u/vms/d.hdd/raw", "C:\\vms\\d.hdd\\raw", "d.hdd/raw" };
	char *dir = part_temp(), raw[8 * 512] = "raw", text[1200];
	struct qcow2_opened o;

	(void)state;
	qcow2_write_file(in(dir, "raw"), raw, sizeof(raw));
	for (size_t i = 0; i < VTR_COUNT(names); i++) {
		snprintf(text, sizeof(text), DOC(8, STORAGE(0, 8, IMAGE(TOP, "Plain", "%s")), ""), names[i]);
		put_text(in(dir, "d.xml"), text);
		qcow2_open_good(&o, path, NULL);
		qcow2_expect_bytes(o.disk, (uint8_t *)raw, sizeof(raw));
		qcow2_expect_quiet(&o);
		assert_string_equal("plain", vtr_image_info(o.disk)->subformat);
		qcow2_done(&o);
	}
	part_temp_done(dir);
}

static void split_bundles_are_read(void **state)
{
	static const char text[] = DOC(9216,
				       STORAGE(4096, 9216, IMAGE(TOP, "Compressed", "b.hds"))
					       STORAGE(0, 4096, IMAGE(TOP, "Compressed", "a.hds")),
				       SHOT(TOP, NONE));
	struct qcow2_opened o;
	uint8_t *disk;
	uint64_t n;
	char *dir;

	(void)state;
	if (!qcow2_has_tools())
		skip();
	dir = part_temp();
	disk = malloc(9216 * 512);
	assert_non_null(disk);
	qcow2_noise(disk, 9216 * 512, 4);
	qcow2_write_file(in(dir, "raw"), disk, 9216 * 512);
	free(disk);
	part_run(
		"cd '%s' && head -c 2M raw >a && tail -c +2097153 raw >b && qemu-img convert -f raw -O parallels a a.hds && "
		"qemu-img convert -f raw -O parallels b b.hds",
		dir);
	put_text(in(dir, "d.xml"), text);
	qcow2_open_good(&o, path, NULL);
	disk = qcow2_file(in(dir, "raw"), &n);
	qcow2_expect_bytes(o.disk, disk, n);
	qcow2_expect_quiet(&o);
	assert_string_equal("split", vtr_image_info(o.disk)->subformat);
	assert_string_equal("2", small_prop(o.disk, "storages"));
	qcow2_done(&o);
	free(disk);
	part_temp_done(dir);
}

static const struct {
	const char *text;
	int code;
	const char *words;
} documents[] = {
	{ "<Parallels_disk_image Version=\"1.0\">", VTR_ETRUNCATED, "the document ends too early" },
	{ "<Parallels_disk_image Version=\"1.0\"", VTR_ETRUNCATED, "the document ends too early" },
	{ "<Parallels_disk_image Version=\"1.0\"/>", VTR_ECORRUPT, "Disk_size is missing" },
	{ "<Parallels_disk_image/>", VTR_EUNSUPPORTED, "version \"\", read is 1.0" },
	{ "<Parallels_disk_image Version=\"2.0\"/>", VTR_EUNSUPPORTED,
	  "line 1: Parallels_disk_image: version \"2.0\"" },
	{ "<Other><Parallels_disk_image Version=\"1.0\"/></Other>", VTR_ECORRUPT, "the document is \"Other\"" },
	{ "<Parallels_disk_image Version=\"1.0\"></Other>", VTR_ECORRUPT, "mismatched tag" },
	{ "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><Parallels_disk_image Version=\"1.0\">&b;"
	  "</Parallels_disk_image>",
	  VTR_ECORRUPT, "it has a document type (\"x\")" },
	{ "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><Parallels_disk_image Version=\"1.0\"/>", VTR_ECORRUPT,
	  "it has a document type" },
	{ DOC(x, "", ""), VTR_ECORRUPT, "Disk_size is \"x\", expected a number" },
	{ DOC(-1, "", ""), VTR_ECORRUPT, "Disk_size is \"-1\"" },
	{ DOC(99999999999999999999, "", ""), VTR_ECORRUPT, "Disk_size is \"99999999999999999999\"" },
	{ DOC(18446744073709551615, "", ""), VTR_ECORRUPT, "are more than 2^63 bytes" },
	{ DOC(8, "", ""), VTR_ECORRUPT, "it has no storages" },
	{ DOC(8, "<Storage/>", ""), VTR_ECORRUPT, "storage 0 has no Start" },
	{ DOC(8, STORAGE(0, 8, ""), ""), VTR_ECORRUPT, "storage 0 has no images" },
	{ DOC(8, STORAGE(0, 8, "<Image/>"), ""), VTR_ECORRUPT, "storage 0: image 0 has no GUID" },
	{ DOC(8, STORAGE(0, 8, IMAGE("{1}", "Plain", "a")), ""), VTR_ECORRUPT, "GUID is \"{1}\", expected a GUID" },
	{ DOC(8, STORAGE(0, 8, IMAGE(ONE, "Odd", "a")), ""), VTR_EUNSUPPORTED, "images of the type \"Odd\"" },
	{ DOC(8, STORAGE(1, 8, IMAGE(ONE, "Plain", "a")), ""), VTR_ECORRUPT,
	  "the sectors 1 to 8, expected a range from 0" },
	{ DOC(8, STORAGE(0, 4, IMAGE(ONE, "Plain", "a")) STORAGE(3, 8, IMAGE(ONE, "Plain", "a")), ""), VTR_ECORRUPT,
	  "storage 1 has the sectors 3 to 8, expected a range from 4" },
	{ DOC(8, STORAGE(0, 0, IMAGE(ONE, "Plain", "a")), ""), VTR_ECORRUPT, "the sectors 0 to 0" },
	{ DOC(8, STORAGE(0, 7, IMAGE(ONE, "Plain", "a")), ""), VTR_ECORRUPT, "the storages end at sector 7" },
	{ DOC(8, STORAGE(0, 8, IMAGE(ONE, "Plain", "a") IMAGE(TWO, "Plain", "a")), ""), VTR_ECORRUPT,
	  "2 images, and no snapshots tell their order" },
	{ DOC(8, STORAGE(0, 8, IMAGE(ONE, "Plain", "a")), SHOT(ONE, NONE) SHOT(TWO, ONE)), VTR_ECORRUPT,
	  "no snapshot has the GUID of the present state, " TOP },
	{ DOC(8, STORAGE(0, 8, IMAGE(ONE, "Plain", "a")), "<TopGUID>" TWO "</TopGUID>" SHOT(ONE, NONE)), VTR_ECORRUPT,
	  "no snapshot has the GUID of the present state, {22222222-" },
	{ DOC(8, STORAGE(0, 8, IMAGE(ONE, "Plain", "a")), "<Shot/>"), VTR_ECORRUPT, "snapshot 0 has no GUID" },
	{ DOC(8, STORAGE(0, 8, IMAGE(ONE, "Plain", "a")), SHOT(ONE, TWO)), VTR_ECORRUPT,
	  "snapshot {22222222-2222-2222-2222-22222222222a}, which is the parent of another, is missing" },
	{ DOC(8, STORAGE(0, 8, IMAGE(ONE, "Plain", "a")), SHOT(ONE, TWO) SHOT(TWO, ONE) "<TopGUID>" ONE "</TopGUID>"),
	  VTR_ELIMIT, "limit chain=10, or a cycle" },
	{ DOC(8, STORAGE(0, 8, IMAGE(ONE, "Plain", "raw") IMAGE(TOP, "Plain", "raw")), SHOT(TOP, ONE) SHOT(ONE, NONE)),
	  VTR_ECORRUPT, "image \"raw\" is plain, and has a parent" },
	{ DOC(8, STORAGE(0, 8, IMAGE(ONE, "Plain", "raw")), SHOT(TOP, ONE) SHOT(ONE, NONE)), VTR_ECORRUPT,
	  "storage 0: it has no image for the snapshot " TOP },
	{ DOC(8, STORAGE(0, 8, IMAGE(ONE, "Plain", "missing")), ""), VTR_ENOTFOUND, "missing" },
	{ DOC(8, STORAGE(0, 8, IMAGE(ONE, "Plain", "../x")), ""), VTR_EPOLICY, "\"../x\" is not opened" },
	{ DOC(8, STORAGE(0, 8, IMAGE(ONE, "Plain", "/etc/passwd")), ""), VTR_EPOLICY, "\"/etc/passwd\" is not opened" },
	{ DOC(8, STORAGE(0, 8, IMAGE(ONE, "Compressed", "d.xml")), ""), VTR_ECORRUPT, "a cycle" },
	{ DOC(8, STORAGE(0, 8, IMAGE(ONE, "Compressed", "raw")), ""), VTR_ECORRUPT, "parallels: no header" },
	{ "<Parallels_disk_image Version=\"1.0\"><Disk_Parameters><Disk_size>8</Disk_size><Padding>1</Padding>"
	  "</Disk_Parameters><StorageData>" STORAGE(0, 8, IMAGE(ONE, "Plain", "raw")) "</StorageData>"
										      "</Parallels_disk_image>",
	  VTR_EUNSUPPORTED, "Padding is 1" },
	{ "<Parallels_disk_image Version=\"1.0\"><Disk_Parameters><Disk_size>8</Disk_size><Encryption><Engine>" ONE
	  "</Engine></Encryption></Disk_Parameters><StorageData>" STORAGE(
		  0, 8, IMAGE(ONE, "Plain", "raw")) "</StorageData></Parallels_disk_image>",
	  VTR_EUNSUPPORTED, "encrypted" },
};

static void damaged_documents_are_named(void **state)
{
	struct vtr_image_options named = { .format = "parallels-hdd" };
	char *dir = part_temp(), raw[8 * 512] = "raw", *text;
	struct qcow2_opened o;
	struct vtr_limits l;
	size_t at;

	(void)state;
	qcow2_write_file(in(dir, "raw"), raw, sizeof(raw));
	for (size_t i = 0; i < VTR_COUNT(documents); i++) {
		put_text(in(dir, "d.xml"), documents[i].text);
		qcow2_start(&o, NULL, true);
		qcow2_open(&o, path, &named);
		if (o.rc == 0 || o.err.code != documents[i].code)
			print_error("document %zu: %s\n", i, o.err.text);
		qcow2_expect_error(&o, documents[i].code, documents[i].words);
		qcow2_done(&o);
	}
	/* Deep, long, and large. */
	text = malloc(100000);
	assert_non_null(text);
	strcpy(text, "<Parallels_disk_image Version=\"1.0\">");
	for (unsigned i = 0; i < 40; i++)
		strcat(text, "<a>");
	qcow2_start(&o, NULL, true);
	qcow2_open_bytes(&o, text, strlen(text), NULL);
	qcow2_expect_error(&o, VTR_ECORRUPT, "more than 32 elements within each other");
	at = (size_t)sprintf(text, "<Parallels_disk_image Version=\"1.0\"><Disk_Parameters><Disk_size>");
	memset(text + at, '1', 5000);
	strcpy(text + at + 5000, "</Disk_size></Disk_Parameters></Parallels_disk_image>");
	qcow2_open_bytes(&o, text, strlen(text), NULL);
	qcow2_expect_error(&o, VTR_ECORRUPT, "Disk_size: more than 4096 bytes");
	qcow2_done(&o);
	vtr_limits_default(&l);
	l.text_file = 1000;
	qcow2_start(&o, &l, true);
	qcow2_open_bytes(&o, text, strlen(text), NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "limit text_file=1000");
	qcow2_done(&o);
	vtr_limits_default(&l);
	l.snapshots = 1;
	qcow2_start(&o, &l, true);
	qcow2_open_bytes(&o, chain_text, strlen(chain_text), NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "limit snapshots=1");
	qcow2_done(&o);
	free(text);
	part_temp_done(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_qemu_writes_is_read_as_qemu_reads_it),
		cmocka_unit_test(both_magics_are_read),
		cmocka_unit_test(clusters_of_any_number_of_sectors_are_read),
		cmocka_unit_test(damage_is_named),
		cmocka_unit_test(a_file_may_end_with_its_bat),
		cmocka_unit_test(format_extensions_are_told),
		cmocka_unit_test(bundles_with_snapshots_are_read),
		cmocka_unit_test(bundles_that_were_moved_are_read),
		cmocka_unit_test(split_bundles_are_read),
		cmocka_unit_test(damaged_documents_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
