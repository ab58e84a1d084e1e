/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GPT: against tables laid out by hand from UEFI 2.10, section 5.3, and against what sfdisk, sgdisk and parted write. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/part_images.h"

#define LAST (PART_GPT_SECTORS - 1)

static uint8_t disk[PART_GPT_SECTORS * 4096];

static void gpt_expect_built(const struct part_opened *o, unsigned sector)
{
	const struct vtr_part *p;
	char uuid[64];

	part_expect(o, "gpt", 3);
	assert_int_equal(sector, vtr_parts_sector(o->t));
	assert_string_equal("00112233-4455-6677-8899-AABBCCDDEEFF", vtr_parts_disk_id(o->t));
	part_expect_at(o, 0, 1, 6, 4);
	part_expect_at(o, 1, 2, 10, 8);
	part_expect_at(o, 2, 4, 18, 2);

	p = vtr_parts_at(o->t, 0);
	assert_string_equal("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", p->type_guid);
	assert_string_equal("EFI System", p->type_name);
	assert_string_equal("efi", p->name);
	assert_false(p->active || p->extended || p->logical);
	p = vtr_parts_at(o->t, 1);
	assert_string_equal("Linux filesystem", p->type_name);
	assert_string_equal("r\u00f6\u00f6t \U0001f5a5", p->name);
	assert_string_equal("A2A2A2A2-A2A2-A2A2-A2A2-A2A2A2A2A2A2", p->guid);
	assert_string_equal("a2a2a2a2-a2a2-a2a2-a2a2-a2a2a2a2a2a2", vtr_parts_part_uuid(o->t, 1, uuid));
	assert_true(p->active);
	assert_int_equal(4, p->attributes);
	assert_string_equal("Linux swap", vtr_parts_at(o->t, 2)->type_name);
	assert_string_equal("", vtr_parts_at(o->t, 2)->name);
}

static void gpt_reads_both_sector_sizes(void **state)
{
	static const unsigned sectors[] = { 512, 4096 };

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(sectors); i++)
		for (unsigned asked = 0; asked <= sectors[i]; asked += sectors[i]) {
			struct part_opened o;

			part_gpt_build(disk, sectors[i]);
			part_open(&o, disk, (size_t)PART_GPT_SECTORS * sectors[i], asked, NULL);
			gpt_expect_built(&o, sectors[i]);
			part_expect_quiet(&o);
			part_done(&o);
		}
}

static void gpt_of_the_other_sector_size_is_damage(void **state)
{
	struct part_opened o;

	(void)state;
	part_gpt_build(disk, 512);
	part_open(&o, disk, PART_GPT_SECTORS * 512, 4096, NULL);
	part_expect_error(&o, VTR_ECORRUPT, "gpt: primary header at 0x1000: no signature");
	part_done(&o);
}

/* On a disk of nine sectors of 512 bytes the backup lies where sectors of 4096 bytes would have the primary. */
static void gpt_of_a_disk_of_nine_sectors(void **state)
{
	struct part_opened o;

	(void)state;
	part_gpt_build(disk, 512);
	memmove(disk + 8 * 512, disk + LAST * 512, 512);
	part_put64(disk + 8 * 512 + 24, 8);
	part_put64(disk + 8 * 512 + 48, 7);
	part_put64(disk + 8 * 512 + 72, 2); /* both use one table: there is no room for two */
	part_gpt_seal(disk, 512, 8);
	part_put64(disk + 512 + 32, 8);
	part_put64(disk + 512 + 48, 7);
	part_gpt_seal(disk, 512, 1);
	for (size_t sectors = 9; sectors < 16; sectors++) {
		part_open(&o, disk, sectors * 512, 0, NULL);
		part_expect(&o, "gpt", 3);
		assert_int_equal(512, vtr_parts_sector(o.t));
		part_done(&o);
	}
	memset(disk + 512, 0, 512);
	part_open(&o, disk, 9 * 512, 0, NULL);
	part_expect(&o, "gpt", 3);
	part_expect_said(&o, "the backup at LBA 8 is read instead");
	part_done(&o);
}

/* One byte of the primary changed, the checksums made right again where the damage is not that they are wrong. */
static const struct damage {
	size_t at;
	uint8_t byte;
	bool seal;
	const char *text;
} damages[] = {
	{ 512, 'X', false, "no signature, expected \"EFI PART\"" },
	{ 512 + 10, 2, true, "revision 0x20000, expected 1.x" },
	{ 512 + 12, 91, true, "header size 91, expected 92 to 512" },
	{ 512 + 13, 3, true, "header size 860, expected 92 to 512" },
	{ 512 + 16, 1, false, "header checksum" },
	{ 512 + 24, 2, true, "it says that it lies at LBA 2, not 1" },
	{ 512 + 41, 1, true, "usable from LBA 262 to 27" },
	{ 512 + 40, 0, true, "usable from LBA 0 to 27" },
	{ 512 + 72, 0, true, "covers a header" },
	{ 512 + 72, 1, true, "covers a header" },
	{ 512 + 72, 32, true, "the disk ends at 0x4000" },
	{ 512 + 79, 0x80, true, "the disk ends at 0x4000" },
	{ 512 + 84, 0, true, "entry size 0, expected 128 * 2^n" },
	{ 512 + 84, 64, true, "entry size 64, expected 128 * 2^n" },
	{ 512 + 84, 129, true, "entry size 129, expected 128 * 2^n" },
	{ 512 + 86, 1, true, "entry size 65664, expected 128 * 2^n" },
	{ 512 + 88, 1, false, "header checksum" },
	{ 1024 + 7, 0xff, false, "primary table at 0x400: checksum" },
};

static void gpt_falls_back_to_the_backup(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(damages); i++) {
		const struct damage *d = &damages[i];
		struct part_opened o;

		part_gpt_build(disk, 512);
		disk[d->at] = d->byte;
		if (d->seal)
			part_gpt_seal(disk, 512, 1);
		part_open(&o, disk, PART_GPT_SECTORS * 512, 0, NULL);
		gpt_expect_built(&o, 512);
		part_expect_said(&o, d->text);
		part_expect_said(&o, "gpt: primary ");
		part_expect_said(&o, "the backup at LBA 31 is read instead");
		assert_int_equal(1, vtr_ctx_damage(o.ctx));
		part_done(&o);
	}
}

static void gpt_names_both_when_both_are_damaged(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(damages); i++) {
		const struct damage *d = &damages[i];
		struct part_opened o;

		part_gpt_build(disk, 512);
		disk[d->at] = d->byte;
		if (d->seal)
			part_gpt_seal(disk, 512, 1);
		disk[LAST * 512 + 60] ^= 1; /* its GUID: the checksum is wrong */
		part_open(&o, disk, PART_GPT_SECTORS * 512, 0, NULL);
		part_expect_error(&o, d->byte == 2 && d->at == 522 ? VTR_EUNSUPPORTED : VTR_ECORRUPT, d->text);
		part_expect_error(&o, o.err.code, "gpt: primary ");
		part_expect_error(&o, o.err.code, "backup header at 0x3e00: header checksum");
		part_done(&o);
	}
}

static void gpt_says_that_the_backup_is_damaged(void **state)
{
	struct part_opened o;

	(void)state;
	part_gpt_build(disk, 512);
	disk[(LAST - 2) * 512 + 3] ^= 1;
	part_open(&o, disk, PART_GPT_SECTORS * 512, 0, NULL);
	gpt_expect_built(&o, 512);
	part_expect_said(&o, "corrupt: gpt: backup table at 0x3a00: checksum");
	part_done(&o);
}

static void gpt_says_that_the_copies_differ(void **state)
{
	struct part_opened o;

	(void)state;
	part_gpt_build(disk, 512);
	disk[(LAST - 2) * 512 + 128 + 40] = 16;
	part_gpt_seal(disk, 512, LAST);
	part_open(&o, disk, PART_GPT_SECTORS * 512, 0, NULL);
	gpt_expect_built(&o, 512);
	part_expect_said(&o, "corrupt: gpt: the primary and the backup table are sound and differ in their entries");
	part_done(&o);
}

static void gpt_of_a_grown_disk(void **state)
{
	struct part_opened o;

	(void)state;
	part_gpt_build(disk, 512);
	memset(disk + PART_GPT_SECTORS * 512, 0, 100 * 512);
	part_open(&o, disk, (PART_GPT_SECTORS + 100) * 512, 0, NULL);
	gpt_expect_built(&o, 512);
	part_expect_said(&o, "note: gpt: the backup is at LBA 31 and the disk ends with 131: it has grown");
	assert_int_equal(0, vtr_ctx_damage(o.ctx));
	part_done(&o);

	disk[512 + 60] ^= 1; /* the damaged primary still tells where the backup is */
	part_open(&o, disk, (PART_GPT_SECTORS + 100) * 512, 0, NULL);
	gpt_expect_built(&o, 512);
	part_expect_said(&o, "the backup at LBA 31 is read instead");
	part_done(&o);
}

static void gpt_of_a_disk_that_was_cut(void **state)
{
	struct part_opened o;

	(void)state;
	part_gpt_build(disk, 512);
	part_open(&o, disk, 12 * 512, 0, NULL);
	part_expect(&o, "gpt", 3);
	assert_int_equal(2 * 512, vtr_parts_at(o.t, 1)->len);
	assert_int_equal(8 * 512, vtr_parts_at(o.t, 1)->stated_len);
	assert_int_equal(0, vtr_parts_at(o.t, 2)->len);
	part_expect_said(&o, "truncated: gpt: partition 2: 0x1000 bytes at 0x1400, and the disk ends at 0x1800");
	part_expect_said(&o, "truncated: gpt: backup header at LBA 31: the disk ends at 0x1800");
	part_done(&o);
}

static void gpt_survives_every_length(void **state)
{
	(void)state;
	for (unsigned sector = 512; sector <= 4096; sector += 4096 - 512) {
		part_gpt_build(disk, sector);
		for (size_t len = 0; len <= (size_t)PART_GPT_SECTORS * sector; len += len < 16384 ? 1 : 509) {
			struct part_opened o;

			part_open(&o, disk, len, 0, NULL);
			part_check(&o);
			if (len >= 4 * 4096)
				assert_int_equal(0, o.rc);
			part_done(&o);
		}
	}
}

/* Entries that contradict the header, the disk or each other. */
static void gpt_names_odd_entries(void **state)
{
	struct part_opened o;
	uint8_t *e = disk + 1024;

	(void)state;
	part_gpt_build(disk, 512);
	part_put64(e + 32, 9); /* the first: ends before it starts */
	part_put64(e + 40, 8);
	part_put64(e + 128 + 40, 18); /* the second: runs into the fourth */
	memcpy(e + 256, e, 16);	      /* the third: where the table is */
	part_put64(e + 256 + 32, 4);
	part_put64(e + 256 + 40, 5);
	memcpy(e + 512, e, 16); /* the fifth: more bytes than 64 bits count */
	part_put64(e + 512 + 32, 1);
	part_put64(e + 512 + 40, UINT64_MAX / 512 + 1);
	memcpy(e + 640, e, 16); /* the sixth: all that there are */
	part_put64(e + 640 + 40, UINT64_MAX);
	memcpy(e + 384 + 56, "\x00\xd8\x41\x00", 4); /* half a surrogate pair */
	part_gpt_seal(disk, 512, 1);
	part_open(&o, disk, PART_GPT_SECTORS * 512, 0, NULL);
	part_expect(&o, "gpt", 3);
	part_expect_at(&o, 0, 2, 10, 9);
	part_expect_at(&o, 1, 3, 4, 2);
	part_expect_at(&o, 2, 4, 18, 2);
	assert_string_equal("\ufffdA", vtr_parts_at(o.t, 2)->name);
	part_expect_said(&o, "corrupt: gpt: partition 1: from LBA 9 to 8: no such range: left out");
	part_expect_said(&o, "corrupt: gpt: partition 5: from LBA 1 to 36028797018963968: no such range: left out");
	part_expect_said(&o, "corrupt: gpt: partition 6: from LBA 0 to 18446744073709551615: no such range: left out");
	part_expect_said(&o, "note: gpt: partition 3: LBA 4 to 5 leave the usable ones, 6 to 27");
	part_expect_said(&o, "note: gpt: partition 4 starts at 0x2400, within partition 2, which ends at 0x2600");
	part_expect_said(&o, "note: gpt: partition 4: its name is not UTF-16");
	part_done(&o);
}

static void gpt_reads_wide_entries(void **state)
{
	struct part_opened o;

	(void)state;
	part_gpt_build(disk, 512);
	part_put32(disk + 512 + 80, 4);
	part_put32(disk + 512 + 84, 256);
	memset(disk + 1024 + 128, 0, 128);
	memmove(disk + 1024 + 256, disk + 1024 + 384, 128);
	memset(disk + 1024 + 384, 0, 128);
	part_gpt_seal(disk, 512, 1);
	part_open(&o, disk, PART_GPT_SECTORS * 512, 0, NULL);
	part_expect(&o, "gpt", 2);
	part_expect_at(&o, 0, 1, 6, 4);
	part_expect_at(&o, 1, 2, 18, 2); /* what was the fourth of 128 bytes */
	part_expect_said(&o, "differ in the size of their tables");
	part_done(&o);
}

static void gpt_honours_the_limit(void **state)
{
	struct vtr_limits l;
	struct part_opened o;

	(void)state;
	vtr_limits_default(&l);
	l.partitions = 7;
	part_gpt_build(disk, 512);
	part_open(&o, disk, PART_GPT_SECTORS * 512, 0, &l);
	part_expect_error(&o, VTR_ELIMIT, "partitions=7");
	part_done(&o);

	l.partitions = 8;
	part_open(&o, disk, PART_GPT_SECTORS * 512, 0, &l);
	gpt_expect_built(&o, 512);
	part_done(&o);

	part_put32(disk + 512 + 80, 0xffffffff);
	part_gpt_seal(disk, 512, 1);
	part_open(&o, disk, PART_GPT_SECTORS * 512, 0, NULL);
	part_expect_error(&o, VTR_ELIMIT, "partitions=4096");
	part_done(&o);
}

static void gpt_without_its_mbr(void **state)
{
	struct part_opened o;

	(void)state;
	part_gpt_build(disk, 512);
	memset(disk, 0, 512);
	part_open(&o, disk, PART_GPT_SECTORS * 512, 0, NULL);
	gpt_expect_built(&o, 512);
	part_expect_said(&o, "note: gpt: no protective MBR in sector 0");
	part_done(&o);

	memset(disk, 0, 5 * 512); /* the whole start of the disk */
	part_open(&o, disk, PART_GPT_SECTORS * 512, 0, NULL);
	gpt_expect_built(&o, 512);
	part_done(&o);
}

static void gpt_and_what_lies_over_it(void **state)
{
	struct part_opened o;

	(void)state;
	/* A hybrid: the MBR has a protective entry and one of its own. */
	part_gpt_build(disk, 512);
	part_mbr_entry(disk, 0, 1, 0x80, 0x83, 10, 8);
	part_open(&o, disk, PART_GPT_SECTORS * 512, 0, NULL);
	gpt_expect_built(&o, 512);
	part_expect_said(&o, "note: gpt: hybrid MBR: it has 1 entry of its own");
	part_done(&o);

	/* A hybrid's MBR is there for who names it: the protective entry and the other one. */
	part_open_as(&o, disk, PART_GPT_SECTORS * 512, "mbr", 0);
	part_expect(&o, "mbr", 2);
	part_done(&o);

	/*
	 * A sound GPT and an MBR that says nothing of it: UEFI 2.10, 5.2.3, and Linux (block/partitions/efi.c) want a
	 * protective entry; blkid of util-linux 2.38 says PTTYPE="dos".
	 */
	part_mbr_entry(disk, 0, 0, 0, 0x83, 6, 4);
	part_open(&o, disk, PART_GPT_SECTORS * 512, 0, NULL);
	part_expect(&o, "mbr", 2);
	part_expect_said(&o, "note: mbr: there is a GPT header too, and no protective entry");
	part_expect_said(&o, "--table gpt reads the GPT");
	part_done(&o);
	part_open_as(&o, disk, PART_GPT_SECTORS * 512, "gpt", 0);
	gpt_expect_built(&o, 512);
	part_done(&o);
	part_open_as(&o, disk, PART_GPT_SECTORS * 512, "mbr", 0);
	part_expect(&o, "mbr", 2);
	part_expect_quiet(&o);
	part_done(&o);
	part_open_as(&o, disk, PART_GPT_SECTORS * 512, "apm", 0);
	part_expect_error(&o, VTR_ENOTFOUND, "there is no apm partition table: it is mbr");
	part_done(&o);
	part_open_as(&o, disk, PART_GPT_SECTORS * 512, "dos", 0);
	part_expect_error(&o, VTR_EUSAGE, "no partition table is named \"dos\"");
	part_done(&o);

	/* The same with the primary overwritten: the MBR took the disk over. */
	disk[1024] ^= 1;
	part_open(&o, disk, PART_GPT_SECTORS * 512, 0, NULL);
	part_expect(&o, "mbr", 2);
	part_expect_said(&o, "note: mbr: there is a GPT header too");
	part_done(&o);

	/* A filesystem took the disk over, and a backup is left at its end. */
	part_gpt_build(disk, 512);
	memset(disk, 0, 5 * 512);
	part_put16(disk + 0x438, 0xef53);
	part_open(&o, disk, PART_GPT_SECTORS * 512, 0, NULL);
	assert_int_equal(0, o.rc);
	assert_null(o.t);
	part_done(&o);
}

static void gpt_announced_and_not_there(void **state)
{
	struct part_opened o;

	(void)state;
	memset(disk, 0, sizeof(disk));
	part_mbr_entry(disk, 0, 0, 0, 0xee, 1, PART_GPT_SECTORS - 1);
	part_open(&o, disk, PART_GPT_SECTORS * 512, 0, NULL);
	part_expect_error(&o, VTR_ECORRUPT, "gpt: primary header at 0x200: no signature");
	part_expect_error(&o, VTR_ECORRUPT, "; backup header at 0x3e00: no signature");
	part_done(&o);

	part_open(&o, disk, sizeof(disk), 0, NULL);
	part_expect_error(&o, VTR_ECORRUPT, "gpt: primary header at 0x1000: no signature");
	part_done(&o);
}

static void gpt_with_both_sector_sizes_is_ambiguous(void **state)
{
	static uint8_t other[PART_GPT_SECTORS * 4096];
	struct part_opened o;

	(void)state;
	part_gpt_build(disk, 512);
	part_gpt_build(other, 4096);
	memset(disk + PART_GPT_SECTORS * 512, 0, sizeof(disk) - PART_GPT_SECTORS * 512);
	part_put64(disk + 512 + 72, 20); /* the smaller one's table out of the way */
	memmove(disk + 20 * 512, disk + 1024, 1024);
	part_gpt_seal(disk, 512, 1);
	memcpy(disk + 4096, other + 4096, 92);
	part_put64(disk + 4096 + 72, 3);
	memcpy(disk + 3 * 4096, other + 2 * 4096, 1024);
	part_gpt_seal(disk, 4096, 1);
	part_open(&o, disk, sizeof(disk), 0, NULL);
	part_expect_error(&o, VTR_EAMBIGUOUS, "gpt with sectors of 512 bytes and gpt with sectors of 4096 bytes");
	part_expect_error(&o, VTR_EAMBIGUOUS, "choose with --sector-size");
	part_done(&o);
	part_open(&o, disk, sizeof(disk), 4096, NULL);
	part_expect(&o, "gpt", 3);
	part_done(&o);
}

static void gpt_as_sfdisk_writes_it(void **state)
{
	struct part_opened o;
	const struct vtr_part *p;
	char *dir, path[1100];

	(void)state;
	if (!part_has_tool("sfdisk"))
		skip();
	dir = part_temp();
	snprintf(path, sizeof(path), "%s/disk", dir);
	part_run("truncate -s 8M %s && printf '%%s\\n' 'label: gpt' 'label-id: 01234567-89AB-CDEF-0123-456789ABCDEF' "
		 "'start=2048, size=2048, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, "
		 "uuid=11111111-2222-3333-4444-555555555555, name=\"Gr\u00fc\u00dfe\"' "
		 "'start=4096, size=1, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, "
		 "uuid=AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE, attrs=\"LegacyBIOSBootable GUID:48,63\"' "
		 "'start=6144, size=10000, type=E6D6D379-F507-44C2-A23C-238F2A3DF928' | sfdisk -q %s",
		 path, path);
	part_open_file(&o, path, 0);
	part_expect(&o, "gpt", 3);
	part_expect_quiet(&o);
	assert_string_equal("01234567-89AB-CDEF-0123-456789ABCDEF", vtr_parts_disk_id(o.t));
	part_expect_at(&o, 0, 1, 2048, 2048);
	part_expect_at(&o, 1, 2, 4096, 1);
	part_expect_at(&o, 2, 3, 6144, 10000);
	p = vtr_parts_at(o.t, 0);
	assert_string_equal("Gr\u00fc\u00dfe", p->name);
	assert_string_equal("11111111-2222-3333-4444-555555555555", p->guid);
	assert_int_equal(0, p->attributes);
	p = vtr_parts_at(o.t, 1);
	assert_string_equal("Linux root (x86-64)", p->type_name);
	assert_string_equal("AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE", p->guid);
	assert_true(p->active);
	assert_true(p->attributes == (UINT64_C(1) << 63 | UINT64_C(1) << 48 | 4));
	assert_string_equal("Linux LVM", vtr_parts_at(o.t, 2)->type_name);
	part_done(&o);
	part_temp_done(dir);
}

static void gpt_as_sgdisk_writes_it(void **state)
{
	struct part_opened o;
	char *dir, path[1100];

	(void)state;
	if (!part_has_tool("sgdisk"))
		skip();
	dir = part_temp();
	snprintf(path, sizeof(path), "%s/disk", dir);
	part_run("truncate -s 8M %s && sgdisk -o -a 1 -n 1:34:2047 -t 1:ef02 -c 1:bios -n 7:2048:4095 -t 7:8309 "
		 "-c 7:abcdefghijklmnopqrstuvwxyz0123456789 %s >/dev/null",
		 path, path);
	part_open_file(&o, path, 0);
	part_expect(&o, "gpt", 2);
	part_expect_quiet(&o);
	part_expect_at(&o, 0, 1, 34, 2014);
	part_expect_at(&o, 1, 7, 2048, 2048);
	assert_string_equal("BIOS boot", vtr_parts_at(o.t, 0)->type_name);
	assert_string_equal("bios", vtr_parts_at(o.t, 0)->name);
	assert_string_equal("Linux LUKS", vtr_parts_at(o.t, 1)->type_name);
	assert_string_equal("abcdefghijklmnopqrstuvwxyz0123456789", vtr_parts_at(o.t, 1)->name);
	part_done(&o);

	part_run("sgdisk -h 7 %s >/dev/null", path);
	part_open_file(&o, path, 0);
	part_expect(&o, "gpt", 2);
	part_expect_said(&o, "hybrid MBR: it has 1 entry of its own");
	part_done(&o);

	part_run("truncate -s 9M %s", path);
	part_open_file(&o, path, 0);
	part_expect(&o, "gpt", 2);
	part_expect_said(&o, "it has grown");
	part_done(&o);

	/* Its backup alone, moved to the new end, and no table left at the start. */
	part_run("sgdisk -e %s >/dev/null && dd if=/dev/zero of=%s bs=512 seek=1 count=33 conv=notrunc status=none",
		 path, path);
	part_open_file(&o, path, 0);
	part_expect(&o, "gpt", 2);
	part_expect_at(&o, 1, 7, 2048, 2048);
	part_expect_said(&o, "the backup at LBA 18431 is read instead");
	part_done(&o);
	part_temp_done(dir);
}

static void gpt_as_parted_writes_it(void **state)
{
	struct part_opened o;
	char *dir, path[1100];

	(void)state;
	if (!part_has_tool("parted"))
		skip();
	dir = part_temp();
	snprintf(path, sizeof(path), "%s/disk", dir);
	part_run("truncate -s 8M %s && parted -s %s mklabel gpt mkpart esp fat32 2048s 4095s set 1 esp on "
		 "mkpart data ext4 4096s 8191s 2>/dev/null",
		 path, path);
	part_open_file(&o, path, 0);
	part_expect(&o, "gpt", 2);
	part_expect_quiet(&o);
	part_expect_at(&o, 0, 1, 2048, 2048);
	part_expect_at(&o, 1, 2, 4096, 4096);
	assert_string_equal("EFI System", vtr_parts_at(o.t, 0)->type_name);
	assert_string_equal("esp", vtr_parts_at(o.t, 0)->name);
	part_done(&o);
	part_temp_done(dir);
}

static void gpt_images_of_the_corpus(void **state)
{
	int n = part_check_corpus("gpt");

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
		cmocka_unit_test(gpt_reads_both_sector_sizes),
		cmocka_unit_test(gpt_of_the_other_sector_size_is_damage),
		cmocka_unit_test(gpt_of_a_disk_of_nine_sectors),
		cmocka_unit_test(gpt_falls_back_to_the_backup),
		cmocka_unit_test(gpt_names_both_when_both_are_damaged),
		cmocka_unit_test(gpt_says_that_the_backup_is_damaged),
		cmocka_unit_test(gpt_says_that_the_copies_differ),
		cmocka_unit_test(gpt_of_a_grown_disk),
		cmocka_unit_test(gpt_of_a_disk_that_was_cut),
		cmocka_unit_test(gpt_survives_every_length),
		cmocka_unit_test(gpt_names_odd_entries),
		cmocka_unit_test(gpt_reads_wide_entries),
		cmocka_unit_test(gpt_honours_the_limit),
		cmocka_unit_test(gpt_without_its_mbr),
		cmocka_unit_test(gpt_and_what_lies_over_it),
		cmocka_unit_test(gpt_announced_and_not_there),
		cmocka_unit_test(gpt_with_both_sector_sizes_is_ambiguous),
		cmocka_unit_test(gpt_as_sfdisk_writes_it),
		cmocka_unit_test(gpt_as_sgdisk_writes_it),
		cmocka_unit_test(gpt_as_parted_writes_it),
		cmocka_unit_test(gpt_images_of_the_corpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
