/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VDI: images of qemu-img against what it reads, and images laid out by hand from VirtualBox' header (VDICore.h) for
 * what qemu-img neither writes nor reads: version 0.2, differencing, undo, extra bytes, odd offsets and block sizes.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

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

/* ------------------------------------------------------------------------------------------------------ other tools */

static void what_qemu_writes_is_read_as_qemu_reads_it(void **state)
{
	static const char *const how[] = { "static=off", "static=on" };
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
	for (size_t i = 0; i < VTR_COUNT(how); i++) {
		part_run("cd '%s' && qemu-img convert -f raw -O vdi -o %s raw i", dir, how[i]);
		part_run("cd '%s' && qemu-io -f vdi -c 'write -P 7 3M 70000' i >/dev/null", dir);
		qcow2_open_good(&o, in(dir, "i"), NULL);
		qcow2_expect_qemu(o.disk, path, "");
		qcow2_expect_quiet(&o);
		assert_string_equal(i == 1 ? "fixed" : "dynamic", vtr_image_info(o.disk)->subformat);
		assert_string_equal("QEMU VM Virtual Disk Image", vtr_image_info(o.disk)->creator);
		assert_int_equal(1 << 20, vtr_image_info(o.disk)->cluster_size);
		qcow2_done(&o);
	}
	part_temp_done(dir);
}

static void a_disk_of_many_terabytes_opens_at_once(void **state)
{
	struct qcow2_reads reads;
	struct qcow2_opened o;
	uint8_t buf[512];
	char *dir;

	(void)state;
	if (!qcow2_has_tools())
		skip();
	dir = part_temp();
	part_run("cd '%s' && qemu-img create -q -f vdi i 60T && qemu-io -f vdi -c 'write -P 9 50T 4k' i >/dev/null",
		 dir);
	qcow2_open_counted(&o, &reads, in(dir, "i"));
	assert_in_range(reads.bytes, 1, 1 << 20);
	assert_true(vtr_blk_size(o.disk) == 60ull << 40);
	assert_int_equal(0, vtr_blk_pread(o.disk, 50ull << 40, buf, sizeof(buf), NULL));
	assert_int_equal(9, buf[511]);
	assert_int_equal(0, vtr_blk_pread(o.disk, (60ull << 40) - 512, buf, sizeof(buf), NULL));
	assert_int_equal(0, buf[511]);
	qcow2_done(&o);
	part_temp_done(dir);
}

/* --------------------------------------------------------------------------------------------------------- by hand */

static void layouts_that_virtualbox_may_write_are_read(void **state)
{
	static const struct small_vdi how[] = {
		{ 1, 1, 384, 0x1c8, 0x1c8 + 36, 0, 1, 2, 0, 0, 1 }, /* nothing is aligned */
		{ 1, 1, 400, 0x200, 0x400, 512, 1, 2, 0, 0, 2 },    /* extra bytes */
		{ 1, 1, 400, 0x1001, 0x2003, 24, 1, 2, 0, 0, 3 },
		{ 2, 1, 400, 0x200, 0x1000, 0, 1, 2, 0, 0, 4 },	  /* fixed */
		{ 2, 1, 400, 0x200, 0x1000, 512, 1, 2, 0, 0, 5 }, /* fixed, with extra bytes */
		{ 1, 0, 0, 0, 0, 0, 1, 2, 0, 0, 6 },		  /* version 0.2 */
		{ 2, 0, 0, 0, 0, 0, 1, 2, 0, 0, 7 },
	};

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(how); i++) {
		struct small_image s;

		small_vdi(&s, &how[i]);
		small_expect("vdi", &s);
		small_done(&s);
	}
}

static void facts_are_told(void **state)
{
	struct small_image s;
	struct qcow2_opened o;
	const struct vtr_image_info *i;

	(void)state;
	small_vdi(&s, &small_vdi_plain);
	/* A UUID as VirtualBox stores {12345678-9abc-def0-1122-334455667788}. */
	memcpy(s.bytes + 0x188, "\x78\x56\x34\x12\xbc\x9a\xf0\xde\x11\x22\x33\x44\x55\x66\x77\x88", 16);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, s.bytes, s.len, NULL);
	assert_int_equal(0, o.rc);
	i = vtr_image_info(o.disk);
	assert_string_equal("dynamic", i->subformat);
	assert_string_equal("12345678-9abc-def0-1122-334455667788", i->id);
	assert_string_equal("22222222-2222-2222-2222-222222222222", i->content_id);
	assert_null(i->parent_id);
	assert_null(i->backing);
	assert_string_equal("Oracle VM VirtualBox Disk Image", i->creator);
	assert_int_equal(512, i->cluster_size);
	assert_int_equal(512, i->logical_sector);
	assert_string_equal("1.1", small_prop(o.disk, "version"));
	assert_string_equal("a comment", small_prop(o.disk, "comment"));
	assert_string_equal("2/3/63", small_prop(o.disk, "geometry"));
	assert_string_equal("4/0/0", small_prop(o.disk, "logical_geometry"));
	assert_string_equal("9", small_prop(o.disk, "blocks"));
	assert_string_equal("5", small_prop(o.disk, "blocks_allocated"));
	assert_string_equal("0", small_prop(o.disk, "image_flags"));
	assert_string_equal("", small_prop(o.disk, "block_extra"));
	qcow2_done(&o);
	small_done(&s);
}

static const struct small_damage damages[] = {
	{ 0x40, 4, 0, VTR_ECORRUPT, "no header: no signature at 0x40" },
	{ 0x44, 4, 0x10002, VTR_EUNSUPPORTED, "version 1.2, read are 1.1, 0.2 and 0.1" },
	{ 0x44, 4, 0, VTR_EUNSUPPORTED, "version 0.0" },
	{ 0x44, 4, 3, VTR_EUNSUPPORTED, "version 0.3" },
	{ 0x44, 4, 0x20001, VTR_EUNSUPPORTED, "version 2.1" },
	{ 0x48, 4, 383, VTR_ECORRUPT, "its size is 383, expected at least 384" },
	{ 0x48, 4, 0x1000, VTR_ECORRUPT, "the block table at 0x200 lies in the header" },
	{ 0x4c, 4, 0, VTR_EUNSUPPORTED, "image type 0 is unknown" },
	{ 0x4c, 4, 5, VTR_EUNSUPPORTED, "image type 5 is unknown" },
	{ 0x4c, 4, 4, VTR_ECORRUPT, "the parent's UUID is missing, the image type is differencing" },
	{ 0x4c, 4, 3, VTR_ECORRUPT, "the parent's UUID is missing, the image type is undo" },
	{ 0x1a8, 4, 7, VTR_OK, "it has the UUID of a parent, of which a dynamic image makes no use" },
	{ 0x154, 4, 0x40, VTR_ECORRUPT, "the block table at 0x40 lies in the header" },
	{ 0x154, 4, 0xfffffff0, VTR_ECORRUPT, "run into the block table" },
	{ 0x158, 4, 0x210, VTR_ECORRUPT, "blocks from 0x210 on run into the block table, 9 entries at 0x200" },
	{ 0x158, 4, 0xfffffff0, VTR_ECORRUPT, "entry 0 is block 2, which lies past the end of the file" },
	{ 0x170, 8, 9 * 512 + 1, VTR_ECORRUPT, "9 blocks of 512 bytes, a disk of 4609 bytes needs more" },
	{ 0x170, 8, UINT64_MAX, VTR_ECORRUPT, "needs more" },
	{ 0x178, 4, 0, VTR_ECORRUPT, "blocks of 0 bytes" },
	{ 0x178, 4, 256, VTR_ECORRUPT, "blocks of 256 bytes, expected a power of 2 from 512" },
	{ 0x178, 4, 768, VTR_ECORRUPT, "blocks of 768 bytes" },
	{ 0x178, 4, 1u << 29, VTR_ECORRUPT, "blocks of 536870912 bytes" },
	{ 0x17c, 4, 0xffffffff, VTR_ECORRUPT, "4294967295 extra bytes in front of each block" },
	{ 0x180, 4, 8, VTR_ECORRUPT, "8 blocks of 512 bytes" },
	{ 0x180, 4, 0x10000000, VTR_ECORRUPT, "run into the block table" },
	{ 0x200 + 4 * 3, 4, 5, VTR_ECORRUPT, "block table: entry 3 is block 5, which lies past the end of the file" },
	{ 0x200 + 4 * 8, 4, 0xfffffffd, VTR_ECORRUPT, "entry 8 is block 4294967293" },
};

static void damage_is_named(void **state)
{
	struct small_vdi how = small_vdi_plain;
	struct small_image s;
	struct qcow2_opened o;
	uint8_t buf[200];

	(void)state;
	small_vdi(&s, &how);
	small_expect_damage("vdi", &s, false, damages, VTR_COUNT(damages));
	/* Cut within the table, and within the last block. */
	qcow2_start(&o, NULL, false);
	small_le(s.bytes + 0x158, 4, 0x1000);
	qcow2_open_bytes(&o, s.bytes, 0x220, NULL);
	qcow2_expect_error(&o, VTR_ETRUNCATED, "block table: 9 entries at 0x200 end past the end of the file (0x220)");
	small_le(s.bytes + 0x158, 4, 0x400);
	qcow2_open_bytes(&o, s.bytes, s.len - 400, NULL);
	assert_int_equal(0, o.rc);
	assert_int_equal(0, vtr_blk_pread(o.disk, 8 * 512, buf, 200, NULL));
	assert_memory_equal(s.disk + 8 * 512, buf, 112);
	assert_int_equal(0, buf[150]);
	qcow2_expect_said(&o, "the file ends within a cluster");
	qcow2_done(&o);
	small_done(&s);
}

/* -------------------------------------------------------------------------------------------------------- parents */

/* In the directory: base.vdi (UUID 11…, modified 22…), and child (UUID 33…) on it. The child's disk. */
static uint8_t *make_chain(const char *base, const char *child)
{
	struct small_vdi how = small_vdi_plain;
	struct small_image s, parent;
	uint8_t *disk;

	small_vdi(&parent, &how);
	small_le(parent.bytes + how.table + 4 * 2, 4, 1); /* what the child has free */
	memcpy(parent.disk + 2 * 512, parent.disk + 4 * 512, 512);
	qcow2_write_file(base, parent.bytes, parent.len);
	how = (struct small_vdi){ 4, 1, 400, 0x200, 0x400, 0, 0x33, 0x44, 0x11, 0x22, 9 };
	small_vdi(&s, &how);
	small_le(s.bytes + how.table + 4 * 6, 4, 0xffffffff);
	qcow2_write_file(child, s.bytes, s.len);
	disk = s.disk;
	s.disk = NULL;
	memcpy(disk + 2 * 512, parent.disk + 2 * 512, 512);
	memcpy(disk + 6 * 512, parent.disk + 6 * 512, 512);
	small_done(&s);
	small_done(&parent);
	return disk;
}

static void parents_are_found_by_their_uuid(void **state)
{
	char *dir = part_temp(), base[PATH_MAX], child[PATH_MAX];
	struct vtr_image_options alone = { .alone = true }, any = { .any_parent = true };
	struct qcow2_opened o;
	uint8_t *disk;

	(void)state;
	snprintf(base, sizeof(base), "%s/a base: of disks", dir);
	snprintf(child, sizeof(child), "%s/child.vdi", dir);
	disk = make_chain(base, child);
	part_run("cd '%s' && echo no image >x.vdi && : >y.vdi && mkdir z.vdi && mkfifo f.vdi && ln -s child.vdi l.vdi",
		 dir);
	qcow2_open_good(&o, child, NULL);
	qcow2_expect_bytes(o.disk, disk, SMALL_VDI_SIZE);
	qcow2_expect_quiet(&o);
	assert_string_equal("differencing", vtr_image_info(o.disk)->subformat);
	assert_string_equal("{11111111-1111-1111-1111-111111111111}", vtr_image_info(o.disk)->backing);
	assert_string_equal("22222222-2222-2222-2222-222222222222", vtr_image_info(o.disk)->parent_id);
	assert_int_equal(VTR_MATCH_YES, vtr_image_info(o.disk)->parent_match);
	assert_non_null(strstr(vtr_image_info(o.disk)->backing_path, "/a base: of disks"));
	assert_non_null(vtr_image_backing(o.disk));
	qcow2_done(&o);

	/* Nothing is looked at unless it is allowed. */
	qcow2_start(&o, NULL, false);
	qcow2_open(&o, child, NULL);
	qcow2_expect_error(&o, VTR_EPOLICY, "the disk with the UUID 11111111-1111-1111-1111-111111111111");
	qcow2_expect_error(&o, VTR_EPOLICY, "--follow or --allow-dir");
	qcow2_open(&o, child, &alone);
	assert_int_equal(0, o.rc);
	assert_null(vtr_image_backing(o.disk));
	qcow2_done(&o);

	/* A parent that was written to since. */
	qcow2_patch(base, 0x198, 4, 0x99999999);
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, child, NULL);
	qcow2_expect_error(&o, VTR_ECORRUPT, "its parent is 99999999-2222");
	qcow2_expect_error(&o, VTR_ECORRUPT, "--any-parent reads it all the same");
	qcow2_open(&o, child, &any);
	assert_int_equal(0, o.rc);
	qcow2_expect_bytes(o.disk, disk, SMALL_VDI_SIZE);
	qcow2_expect_said(&o, "its parent is 99999999-2222");
	qcow2_done(&o);

	/* Of two, the one that is as it was. */
	part_run("cd '%s' && cp 'a base: of disks' zz", dir);
	qcow2_patch(in(dir, "zz"), 0x198, 4, 0x22222222);
	qcow2_open_good(&o, child, NULL);
	assert_non_null(strstr(vtr_image_info(o.disk)->backing_path, "/zz"));
	qcow2_done(&o);

	part_run("cd '%s' && rm -f zz a*", dir);
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, child, NULL);
	qcow2_expect_error(&o, VTR_ENOTFOUND, "none of the 3 files beside it is that");
	qcow2_done(&o);
	free(disk);
	part_temp_done(dir);
}

/* As VirtualBox lays them out: the disk, and a folder Snapshots beside it. */
static void parents_in_the_folder_above_need_it_to_be_allowed(void **state)
{
	char *dir = part_temp(), base[PATH_MAX], child[PATH_MAX];
	struct qcow2_opened o;
	uint8_t *disk;

	(void)state;
	part_run("mkdir '%s/Snapshots'", dir);
	snprintf(base, sizeof(base), "%s/disk.vdi", dir);
	snprintf(child, sizeof(child), "%s/Snapshots/{33333333-3333-3333-3333-333333333333}.vdi", dir);
	disk = make_chain(base, child);
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, child, NULL);
	qcow2_expect_error(&o, VTR_ENOTFOUND, "--allow-dir with the folder above looks there, too");
	qcow2_done(&o);
	qcow2_start(&o, NULL, false);
	assert_int_equal(0, vtr_ctx_allow_dir(o.ctx, dir, NULL));
	qcow2_open(&o, child, NULL);
	assert_int_equal(0, o.rc);
	qcow2_expect_bytes(o.disk, disk, SMALL_VDI_SIZE);
	qcow2_done(&o);

	/* Beside the child, under the name that VirtualBox gives it. */
	part_run("cd '%s' && mv disk.vdi 'Snapshots/{11111111-1111-1111-1111-111111111111}.vdi'", dir);
	qcow2_open_good(&o, child, NULL);
	qcow2_expect_bytes(o.disk, disk, SMALL_VDI_SIZE);
	qcow2_done(&o);
	free(disk);
	part_temp_done(dir);
}

static void a_disk_that_is_its_own_parent_is_refused(void **state)
{
	struct small_vdi how = { 4, 1, 400, 0x200, 0x400, 0, 0x33, 0x44, 0x33, 0x44, 9 };
	char *dir = part_temp();
	struct small_image s;
	struct qcow2_opened o;

	(void)state;
	small_vdi(&s, &how);
	qcow2_write_file(in(dir, "a.vdi"), s.bytes, s.len);
	qcow2_start(&o, NULL, true);
	qcow2_open(&o, in(dir, "a.vdi"), NULL);
	qcow2_expect_error(&o, VTR_ECORRUPT, "a cycle");
	qcow2_open_bytes(&o, s.bytes, s.len, NULL);
	qcow2_expect_error(&o, VTR_EPOLICY, "an image without a path of its own");
	qcow2_done(&o);
	small_done(&s);
	part_temp_done(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_qemu_writes_is_read_as_qemu_reads_it),
		cmocka_unit_test(a_disk_of_many_terabytes_opens_at_once),
		cmocka_unit_test(layouts_that_virtualbox_may_write_are_read),
		cmocka_unit_test(facts_are_told),
		cmocka_unit_test(damage_is_named),
		cmocka_unit_test(parents_are_found_by_their_uuid),
		cmocka_unit_test(parents_in_the_folder_above_need_it_to_be_allowed),
		cmocka_unit_test(a_disk_that_is_its_own_parent_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
