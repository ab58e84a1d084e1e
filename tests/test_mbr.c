/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MBR: against tables laid out by hand, against what sfdisk and parted write, and against what is none. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/part_images.h"

#define SECTORS 64u

extern const struct vtr_partition vtr_partition_mbr;

static uint8_t disk[SECTORS * 4096];

/*
 * Four sectors of FAT32, an extended partition from 16 to 55 with two logical ones, eight sectors of Linux, active.
 */
static void mbr_build(unsigned sector)
{
	memset(disk, 0, sizeof(disk));
	memset(disk, 0x90, 440); /* boot code */
	part_put32(disk + 440, 0x1234abcd);
	part_mbr_entry(disk, 0, 0, 0, 0x0c, 1, 4);
	part_mbr_entry(disk, 0, 1, 0, 0x05, 16, 40);
	part_mbr_entry(disk, 0, 3, 0x80, 0x83, 56, 8);
	part_mbr_entry(disk, (size_t)16 * sector, 0, 0, 0x82, 2, 6);
	part_mbr_entry(disk, (size_t)16 * sector, 1, 0, 0x05, 16, 24);
	part_mbr_entry(disk, (size_t)32 * sector, 0, 0, 0x8e, 1, 23);
}

static void mbr_expect_built(const struct part_opened *o, unsigned sector)
{
	const struct vtr_part *p;
	char uuid[64];

	part_expect(o, "mbr", 5);
	assert_int_equal(sector, vtr_parts_sector(o->t));
	assert_string_equal("1234abcd", vtr_parts_disk_id(o->t));
	part_expect_at(o, 0, 1, 1, 4);
	part_expect_at(o, 1, 2, 16, 40);
	part_expect_at(o, 2, 4, 56, 8);
	part_expect_at(o, 3, 5, 18, 6);
	part_expect_at(o, 4, 6, 33, 23);

	p = vtr_parts_at(o->t, 0);
	assert_int_equal(0x0c, p->mbr_type);
	assert_string_equal("FAT32 (LBA)", p->type_name);
	assert_string_equal("", p->guid);
	assert_string_equal("", p->name);
	assert_false(p->active || p->extended || p->logical);
	assert_true(vtr_parts_at(o->t, 1)->extended);
	assert_true(vtr_parts_at(o->t, 2)->active);
	p = vtr_parts_at(o->t, 4);
	assert_true(p->logical && !p->extended);
	assert_string_equal("Linux LVM", p->type_name);
	assert_string_equal("1234abcd-06", vtr_parts_part_uuid(o->t, 4, uuid));
	assert_string_equal("", vtr_parts_part_uuid(o->t, 5, uuid));
}

static void mbr_reads_both_sector_sizes(void **state)
{
	static const unsigned sectors[] = { 512, 4096 };

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(sectors); i++)
		for (unsigned asked = 0; asked <= sectors[i]; asked += sectors[i]) {
			struct part_opened o;

			mbr_build(sectors[i]);
			part_open(&o, disk, (size_t)SECTORS * sectors[i], asked, NULL);
			mbr_expect_built(&o, sectors[i]);
			part_expect_quiet(&o);
			part_done(&o);
		}
}

static void mbr_tells_sectors_of_4096_by_what_partitions_hold(void **state)
{
	struct part_opened o;

	(void)state;
	memset(disk, 0, sizeof(disk));
	part_mbr_entry(disk, 0, 0, 0, 0x83, 2, 40);
	part_put16(disk + 2 * 4096 + 0x438, 0xef53); /* ext */
	part_open(&o, disk, sizeof(disk), 0, NULL);
	part_expect(&o, "mbr", 1);
	assert_int_equal(4096, vtr_parts_sector(o.t));
	part_done(&o);

	memcpy(disk + 2 * 512, "XFSB", 4);
	part_open(&o, disk, sizeof(disk), 0, NULL);
	assert_int_equal(512, vtr_parts_sector(o.t));
	part_done(&o);

	/* Something is where 4096 would have it, and the disk is too small for the rest of that. */
	memset(disk + 2 * 512, 0, 4);
	part_open(&o, disk, 41 * 4096, 0, NULL);
	assert_int_equal(512, vtr_parts_sector(o.t));
	part_done(&o);

	part_open(&o, disk, sizeof(disk), 1024, NULL);
	part_expect_error(&o, VTR_EUSAGE, "sectors of 1024 bytes");
	part_done(&o);
}

static void mbr_slices_hold_the_bytes(void **state)
{
	struct part_opened o;
	VTR_UNREF struct vtr_blk *b = NULL;
	uint8_t got[6 * 512];
	struct vtr_error err = { 0 };

	(void)state;
	mbr_build(512);
	for (size_t i = 0; i < sizeof(got); i++)
		disk[18 * 512 + i] = (uint8_t)(i * 7 + i / 251);
	part_open(&o, disk, SECTORS * 512, 0, NULL);
	mbr_expect_built(&o, 512);
	assert_int_equal(0, vtr_parts_blk(&b, o.t, 3, NULL));
	assert_int_equal(sizeof(got), vtr_blk_size(b));
	assert_int_equal(0, vtr_blk_pread(b, 0, got, sizeof(got), NULL));
	assert_memory_equal(disk + 18 * 512, got, sizeof(got));
	assert_int_equal(-1, vtr_blk_pread(b, 1, got, sizeof(got), &err));
	assert_int_equal(VTR_ETRUNCATED, err.code);
	assert_int_equal(-1, vtr_parts_blk(&b, o.t, 5, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	part_done(&o); /* the slice keeps its disk */
	assert_int_equal(0, vtr_blk_pread(b, 0, got, 1, NULL));
}

/* A field of the built disk changed: how many partitions are left, and what is said. */
static const struct damage {
	size_t at;
	uint32_t value;
	size_t n;
	const char *text;
} damages[] = {
	/* the first record of the chain */
	{ 16 * 512 + 510, 0, 3, "corrupt: mbr: extended boot record at 0x2000: signature 0, expected 0xaa55" },
	{ 16 * 512 + 470, 0, 4,
	  "corrupt: mbr: extended boot record at 0x2000: its link leads back to the one at 0x2000" },
	{ 16 * 512 + 470, 48, 4, "truncated: mbr: extended boot record at 0x8000: the disk ends at 0x8000" },
	{ 16 * 512 + 470, 0xffffffff, 4,
	  "truncated: mbr: extended boot record at 0x20000001e00: the disk ends at 0x8000" },
	{ 16 * 512 + 470, 44, 4, "note: mbr: extended boot record at 0x2000: the next one, sector 60, is outside" },
	{ 16 * 512 + 470, 20, 4, "corrupt: mbr: extended boot record at 0x4800: signature 0, expected 0xaa55" },
	{ 16 * 512 + 454, 60, 5, "truncated: mbr: partition 5: 0xc00 bytes at 0x9800, and the disk ends at 0x8000" },
	{ 16 * 512 + 458, 39, 5, "note: mbr: partition 5: sectors 18 to 56 leave the extended partition, 16 to 55" },
	{ 16 * 512 + 458, 16, 5, "note: mbr: partition 6 starts at 0x4200, within partition 5, which ends at 0x4400" },
	{ 16 * 512 + 490, 3, 5,
	  "corrupt: mbr: extended boot record at 0x2000: entry 2 (type 00, 3 sectors at 16) is a second partition" },
	/* the table */
	{ 446 + 12, 30, 5, "note: mbr: partition 2 starts at 0x2000, within partition 1, which ends at 0x3e00" },
	{ 446 + 48 + 12, 16, 5, "truncated: mbr: partition 4: 0x2000 bytes at 0x7000, and the disk ends at 0x8000" },
	{ 446 + 48 + 8, 64, 5, "truncated: mbr: partition 4: 0x1000 bytes at 0x8000, and the disk ends at 0x8000" },
	{ 446 + 48 + 8, 0, 5, "note: mbr: partition 4 starts with sector 0" },
	{ 446 + 48 + 12, 0, 4, "note: mbr: entry 4: type 83 without a sector: left out" },
	{ 446 + 16 + 8, 64, 3, "truncated: mbr: extended boot record at 0x8000: the disk ends at 0x8000" },
	{ 446 + 16 + 4, 0x07, 3, "" },
	{ 446 + 16 + 4, 0x0f, 5, "" },
	{ 446 + 16 + 4, 0x85, 5, "" },
};

static void mbr_names_the_damage(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(damages); i++) {
		const struct damage *d = &damages[i];
		struct part_opened o;

		mbr_build(512);
		if (d->at % 512 == 510)
			part_put16(disk + d->at, (uint16_t)d->value);
		else
			part_put32(disk + d->at, d->value);
		part_open(&o, disk, SECTORS * 512, 512, NULL);
		part_expect(&o, "mbr", d->n);
		part_expect_said(&o, d->text);
		part_done(&o);
	}
}

static void mbr_chain_that_loops_later(void **state)
{
	struct part_opened o;

	(void)state;
	mbr_build(512);
	part_mbr_entry(disk, 32 * 512, 1, 0, 0x05, 16, 8);
	part_put32(disk + 32 * 512 + 470, 0);
	part_open(&o, disk, SECTORS * 512, 0, NULL);
	mbr_expect_built(&o, 512);
	part_expect_said(&o, "extended boot record at 0x4000: its link leads back to the one at 0x2000");
	part_done(&o);
}

static void mbr_reads_two_extended_partitions(void **state)
{
	struct part_opened o;

	(void)state;
	mbr_build(512);
	part_mbr_entry(disk, 0, 2, 0, 0x0f, 6, 8);
	part_mbr_entry(disk, 6 * 512, 0, 0, 0x07, 1, 3);
	part_open(&o, disk, SECTORS * 512, 0, NULL);
	part_expect(&o, "mbr", 7);
	part_expect_at(&o, 2, 3, 6, 8);
	part_expect_at(&o, 6, 7, 7, 3);
	part_done(&o);
}

static void mbr_honours_the_limits(void **state)
{
	struct vtr_limits l;
	struct part_opened o;

	(void)state;
	mbr_build(512);
	vtr_limits_default(&l);
	l.logical = 1;
	part_open(&o, disk, SECTORS * 512, 0, &l);
	part_expect_error(&o, VTR_ELIMIT, "logical=1");
	part_done(&o);
	l.logical = 2;
	l.partitions = 4;
	part_open(&o, disk, SECTORS * 512, 0, &l);
	part_expect_error(&o, VTR_ELIMIT, "partitions=4");
	part_done(&o);
	l.partitions = 5;
	part_open(&o, disk, SECTORS * 512, 0, &l);
	mbr_expect_built(&o, 512);
	part_done(&o);
}

/* A disk that cannot be read from sector 200 on, for one reason or another. */
static int mbr_pread_failing(void *arg, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	if (off + len > 200 * 512)
		return vtr_fail(err, *(const int *)arg, "planted");
	memcpy(buf, disk + off, len);
	return 0;
}

static void mbr_chain_that_cannot_be_read(void **state)
{
	int code = VTR_ECORRUPT;
	struct vtr_blk_source source = { .pread = mbr_pread_failing, .arg = &code, .size = 400 * 512 };
	struct vtr_probe p = { 0 };
	VTR_UNREF struct vtr_blk *b = NULL;
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct vtr_parts t = { .scheme = &vtr_partition_mbr, .sector = 512 };
	struct vtr_error err = { 0 };

	(void)state;
	memset(disk, 0, sizeof(disk));
	part_mbr_entry(disk, 0, 0, 0, 0x83, 1, 4);
	part_mbr_entry(disk, 0, 1, 0, 0x05, 160, 100);
	part_mbr_entry(disk, 160 * 512, 0, 0, 0x83, 1, 4);
	part_mbr_entry(disk, 160 * 512, 1, 0, 0x05, 40, 4);
	assert_int_equal(0, vtr_blk_custom(&b, ctx, &source, NULL));
	vtr_ctx_unref(ctx);
	p.head = disk;
	p.head_len = 512;
	p.size = source.size;
	assert_true(vtr_partition_mbr.probe(&p, 512) > 0);

	t.disk = b;
	assert_int_equal(0, vtr_partition_mbr.open(&t, &err)); /* the image's fault: what came before stays */
	assert_int_equal(3, t.n);
	assert_int_equal(1, vtr_ctx_damage(b->ctx));

	code = VTR_EIO;
	t.n = 0;
	assert_int_equal(-1, vtr_partition_mbr.open(&t, &err));
	assert_int_equal(VTR_EIO, err.code);
	assert_string_equal("extended boot record at 0x19000: planted", err.text);
	free(t.parts);
}

static void mbr_survives_every_length(void **state)
{
	(void)state;
	mbr_build(512);
	for (size_t len = 0; len <= SECTORS * 512; len++) {
		struct part_opened o;

		part_open(&o, disk, len, 0, NULL);
		part_check(&o);
		assert_int_equal(0, o.rc);
		assert_true((o.t != NULL) == (len >= 512));
		part_done(&o);
	}
}

static void mbr_expect_none(size_t len)
{
	struct part_opened o;

	part_open(&o, disk, len, 0, NULL);
	if (o.rc < 0)
		print_error("%s\n", o.err.text);
	else if (o.t)
		print_error("%s with %zu partitions\n", vtr_parts_scheme(o.t), vtr_parts_count(o.t));
	assert_int_equal(0, o.rc);
	assert_null(o.t);
	part_expect_quiet(&o);
	part_done(&o);
}

static void mbr_without_entries(void **state)
{
	struct part_opened o;

	(void)state;
	memset(disk, 0, sizeof(disk));
	mbr_expect_none(sizeof(disk));
	part_put32(disk + 440, 0xcafe);
	part_put16(disk + 510, 0xaa55);
	part_open(&o, disk, sizeof(disk), 0, NULL);
	part_expect(&o, "mbr", 0);
	assert_string_equal("0000cafe", vtr_parts_disk_id(o.t));
	part_done(&o);

	part_put16(disk + 0x438, 0xef53); /* ext, with a boot loader before it */
	mbr_expect_none(sizeof(disk));
}

/* The parameter block of a FAT as mkfs.fat 4.2 writes it. */
static void mbr_put_fat(void)
{
	memset(disk, 0, sizeof(disk));
	memcpy(disk, "\xeb\x3c\x90mkfs.fat\0\2\4\4\0\2\0\2\0\2\xf8", 22);
	part_put16(disk + 510, 0xaa55);
}

static void mbr_is_not_a_boot_sector(void **state)
{
	struct part_opened o;

	(void)state;
	mbr_put_fat();
	mbr_expect_none(sizeof(disk));
	memcpy(disk + 430, "Remove disks or other media.\xff\r\nDisk error\xff\r\nPress any key to restart\r\n", 71);
	mbr_expect_none(sizeof(disk));
	/* flags that are right, and nothing else */
	memset(disk + 446, 0, 64);
	memset(disk + 450, 'A', 12);
	mbr_expect_none(sizeof(disk));
	memset(disk, 0, sizeof(disk));
	memcpy(disk, "\xeb\x52\x90NTFS    ", 11);
	part_put16(disk + 510, 0xaa55);
	mbr_expect_none(sizeof(disk));
	memcpy(disk,
	       "\xeb\x76\x90"
	       "EXFAT   ",
	       11);
	mbr_expect_none(sizeof(disk));

	/* A stick that is both: Linux takes the partitions. */
	mbr_put_fat();
	part_mbr_entry(disk, 0, 0, 0x80, 0x83, 1, 40);
	part_open(&o, disk, sizeof(disk), 0, NULL);
	part_expect(&o, "mbr", 1);
	part_expect_said(&o, "note: mbr: sector 0 has the fields of a FAT boot sector too");
	part_done(&o);

	/* Without a filesystem, flags that are none are no MBR either. */
	memset(disk, 0, sizeof(disk));
	part_mbr_entry(disk, 0, 0, 0x41, 0x83, 1, 40);
	mbr_expect_none(sizeof(disk));
}

/* A CD that boots from sticks: the first partition starts with sector 0, is of type 0, and contains the second. */
static void mbr_of_a_hybrid_iso(void **state)
{
	struct part_opened o;

	(void)state;
	memset(disk, 0, sizeof(disk));
	memcpy(disk + 0x8001, "CD001", 5);
	part_mbr_entry(disk, 0, 0, 0x80, 0x00, 0, SECTORS);
	part_mbr_entry(disk, 0, 1, 0, 0xef, 8, 16);
	part_open(&o, disk, SECTORS * 4096, 512, NULL);
	part_expect(&o, "mbr", 2);
	part_expect_at(&o, 0, 1, 0, SECTORS);
	part_expect_said(&o, "note: mbr: partition 1 starts with sector 0");
	part_expect_said(&o, "note: mbr: partition 2 starts at 0x1000, within partition 1");
	assert_int_equal(0, vtr_ctx_damage(o.ctx));
	part_done(&o);
}

static void mbr_filesystems_are_not_tables(void **state)
{
	static const char *const makers[] = { "mkfs.fat -F 12", "mkfs.fat -F 16", "mkfs.fat -F 32",
					      "mkfs.ext4 -q",	"mkfs.ntfs -qfF", "mkfs.exfat",
					      "mkswap -q",	"mkfs.btrfs -q",  "mkfs.xfs -q" };

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(makers); i++) {
		struct part_opened o;
		char *dir, path[1100], tool[64], command[1300];

		snprintf(tool, sizeof(tool), "%.*s", (int)strcspn(makers[i], " "), makers[i]);
		if (!part_has_tool(tool))
			continue;
		dir = part_temp();
		snprintf(path, sizeof(path), "%s/disk", dir);
		part_run("truncate -s %s %s", strstr(makers[i], "xfs -q") ? "320M" : "120M", path);
		snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin:/sbin %s %s >/dev/null 2>&1", makers[i], path);
		if (system(command) != 0) { /* mkfs.btrfs looks at all that is mounted, which may be forbidden */
			print_message("SKIPPED: %s fails here\n", makers[i]);
			part_temp_done(dir);
			continue;
		}
		part_open_file(&o, path, 0);
		if (o.rc < 0 || o.t)
			print_error("%s: taken for a table\n", makers[i]);
		assert_int_equal(0, o.rc);
		assert_null(o.t);
		part_done(&o);
		part_temp_done(dir);
	}
}

static void mbr_as_sfdisk_writes_it(void **state)
{
	struct part_opened o;
	char *dir, path[1100];

	(void)state;
	if (!part_has_tool("sfdisk"))
		skip();
	dir = part_temp();
	snprintf(path, sizeof(path), "%s/disk", dir);
	part_run(
		"truncate -s 16M %s && printf '%%s\\n' 'label: dos' 'label-id: 0xfeedbeef' "
		"'start=2048, size=2048, type=c, bootable' 'start=4096, size=20480, type=5' 'start=24576, size=1, type=fd' "
		"'' | sed '/^$/d' | sfdisk -q %s && printf '%%s\\n' 'start=6144, size=2048, type=83' "
		"'start=10240, size=4096, type=82' 'start=16384, size=8192, type=8e' | sfdisk -q -a --force %s",
		path, path, path);
	part_open_file(&o, path, 0);
	part_expect(&o, "mbr", 6);
	part_expect_quiet(&o);
	assert_string_equal("feedbeef", vtr_parts_disk_id(o.t));
	part_expect_at(&o, 0, 1, 2048, 2048);
	part_expect_at(&o, 1, 2, 4096, 20480);
	part_expect_at(&o, 2, 3, 24576, 1);
	part_expect_at(&o, 3, 5, 6144, 2048);
	part_expect_at(&o, 4, 6, 10240, 4096);
	part_expect_at(&o, 5, 7, 16384, 8192);
	assert_true(vtr_parts_at(o.t, 0)->active);
	assert_string_equal("Linux RAID", vtr_parts_at(o.t, 2)->type_name);
	part_done(&o);

	/* The middle one deleted: what comes after moves up, as with Linux. */
	part_run("sfdisk -q --delete %s 6", path);
	part_open_file(&o, path, 0);
	part_expect(&o, "mbr", 5);
	part_expect_at(&o, 4, 6, 16384, 8192);
	part_done(&o);
	part_temp_done(dir);
}

static void mbr_as_parted_writes_it(void **state)
{
	struct part_opened o;
	char *dir, path[1100];

	(void)state;
	if (!part_has_tool("parted"))
		skip();
	dir = part_temp();
	snprintf(path, sizeof(path), "%s/disk", dir);
	part_run("truncate -s 16M %s && parted -s %s mklabel msdos mkpart primary ntfs 2048s 4095s "
		 "mkpart extended 4096s 32767s mkpart logical ext4 6144s 8191s mkpart logical linux-swap 10240s 32767s "
		 "2>/dev/null",
		 path, path);
	part_open_file(&o, path, 0);
	part_expect(&o, "mbr", 4);
	part_expect_quiet(&o);
	part_expect_at(&o, 0, 1, 2048, 2048);
	part_expect_at(&o, 1, 2, 4096, 28672);
	part_expect_at(&o, 2, 5, 6144, 2048);
	part_expect_at(&o, 3, 6, 10240, 22528);
	part_done(&o);
	part_temp_done(dir);
}

static void mbr_refuses_other_machines_by_name(void **state)
{
	static const struct {
		const char *image, *words;
	} known[] = {
		{ "util-linux-bsd.img.xz", "bsd: BSD disklabel" },
		{ "util-linux-sun.img.xz", "sun: Sun disk label" },
		{ "util-linux-atari-xgm.img.xz", "atari: Atari root sector" },
		{ "util-linux-dasd-ldl.img.xz", "dasd: IBM DASD volume label" },
	};
	const char *corpus = part_corpus();
	struct part_opened o;

	(void)state;
	memset(disk, 0, sizeof(disk));
	memcpy(disk, "ER\2\0", 4);
	memcpy(disk + 512, "PM\0\0\0\0\0\3", 8);
	part_open(&o, disk, sizeof(disk), 0, NULL);
	part_expect_error(&o, VTR_EUNSUPPORTED, "apm: Apple partition map: recognised, not read");
	part_done(&o);
	memset(disk, 0, sizeof(disk));
	memcpy(disk + 1024, "RDSK\0\0\0\3\xad\xbb\xac\xb2", 12); /* the three words make zero */
	part_open(&o, disk, sizeof(disk), 0, NULL);
	part_expect_error(&o, VTR_EUNSUPPORTED, "amiga: ");
	part_done(&o);

	/* An MBR beside a disklabel is read. */
	memset(disk, 0, sizeof(disk));
	part_put32(disk + 512, 0x82564557);
	part_put32(disk + 512 + 132, 0x82564557);
	part_open(&o, disk, sizeof(disk), 0, NULL);
	part_expect_error(&o, VTR_EUNSUPPORTED, "bsd: BSD disklabel: recognised, not read");
	part_done(&o);
	part_mbr_entry(disk, 0, 3, 0x80, 0xa5, 1, 60);
	part_open(&o, disk, sizeof(disk), 0, NULL);
	part_expect(&o, "mbr", 1);
	assert_string_equal("FreeBSD", vtr_parts_at(o.t, 0)->type_name);
	part_done(&o);

	for (size_t i = 0; i < VTR_COUNT(known) && corpus; i++) {
		char *dir = part_temp(), path[1100];

		snprintf(path, sizeof(path), "%s/disk", dir);
		part_run("xz -dc '%s/ptable/%s' >%s", corpus, known[i].image, path);
		part_open_file(&o, path, 0);
		part_expect_error(&o, VTR_EUNSUPPORTED, known[i].words);
		part_done(&o);
		part_temp_done(dir);
	}
}

static void mbr_probe_names_the_scheme(void **state)
{
	VTR_PROBE_DONE struct vtr_probe p = { 0 };
	const char *name = NULL;
	struct part_opened o;

	(void)state;
	mbr_build(512);
	part_open(&o, disk, SECTORS * 512, 0, NULL);
	assert_int_equal(0, vtr_probe_read(&p, o.disk, NULL));
	assert_true(vtr_partitions_probe(&p, &name) > 16);
	assert_string_equal("mbr", name);
	part_done(&o);
}

static void mbr_images_of_the_corpus(void **state)
{
	int n = part_check_corpus("mbr");

	(void)state;
	if (n < 0) {
		print_message("SKIPPED: VITRINE_CORPUS is not set\n");
		skip();
	}
	print_message("%d images\n", n);
	assert_true(n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mbr_reads_both_sector_sizes),
		cmocka_unit_test(mbr_tells_sectors_of_4096_by_what_partitions_hold),
		cmocka_unit_test(mbr_slices_hold_the_bytes),
		cmocka_unit_test(mbr_names_the_damage),
		cmocka_unit_test(mbr_chain_that_loops_later),
		cmocka_unit_test(mbr_reads_two_extended_partitions),
		cmocka_unit_test(mbr_honours_the_limits),
		cmocka_unit_test(mbr_chain_that_cannot_be_read),
		cmocka_unit_test(mbr_survives_every_length),
		cmocka_unit_test(mbr_without_entries),
		cmocka_unit_test(mbr_is_not_a_boot_sector),
		cmocka_unit_test(mbr_of_a_hybrid_iso),
		cmocka_unit_test(mbr_filesystems_are_not_tables),
		cmocka_unit_test(mbr_as_sfdisk_writes_it),
		cmocka_unit_test(mbr_as_parted_writes_it),
		cmocka_unit_test(mbr_refuses_other_machines_by_name),
		cmocka_unit_test(mbr_probe_names_the_scheme),
		cmocka_unit_test(mbr_images_of_the_corpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
