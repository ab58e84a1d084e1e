/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OVA archives, laid out by hand and as tar writes them, against a table of damage. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/packed_images.h"
#include "tests/part_images.h"

static const struct vtr_prop *prop(const struct vtr_image_info *info, const char *key)
{
	for (size_t i = 0; i < info->n_props; i++)
		if (strcmp(info->props[i].key, key) == 0)
			return &info->props[i];
	fail_msg("no fact %s", key);
	return NULL;
}

static void the_only_disk_is_opened(void **state)
{
	(void)state;
	for (int kind = PACKED_USTAR; kind <= PACKED_PAX; kind++) {
		const struct vtr_image_info *outer;
		struct packed_image i;
		struct qcow2_opened o;

		packed_ova(&i, (enum packed_tar)kind, 1);
		packed_expect_good(&i, "raw");
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
		outer = vtr_image_info(o.disk)->outer;
		assert_string_equal("ova", outer->format);
		assert_string_equal("tiny & old", prop(outer, "system")->text);
		assert_string_equal("machine.ovf", prop(outer, "descriptor")->text);
		assert_string_equal("machine-disk1.img", prop(outer, "member")->text);
		assert_int_equal(1, prop(outer, "manifest")->number);
		assert_int_equal(1, prop(outer, "certificate")->number);
		assert_int_equal(1, prop(outer, "disks")->number);
		qcow2_done(&o);
		packed_image_done(&i);
	}
}

static void of_several_disks_one_is_chosen(void **state)
{
	static const char two[] = "a directory with a long name/machine-disk2.qcow2.gz";
	static const struct {
		const char *member;
		int disk;
	} members[] = { { "1", 1 }, { "machine-disk1.img", 1 }, { "./machine-disk1.img", 1 }, { "2", 2 }, { two, 2 } };
	uint8_t *disk = qcow2_build_disk(9);

	(void)state;
	for (int kind = PACKED_USTAR; kind <= PACKED_PAX; kind++) {
		struct vtr_image_options opt = { .member = NULL };
		struct packed_image i;
		struct qcow2_opened o;

		packed_ova(&i, (enum packed_tar)kind, 2);
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
		qcow2_expect_error(&o, VTR_EAMBIGUOUS,
				   "ova: it holds 2 disks: name one with --member: "
				   "machine-disk1.img, a directory with a long name/");
		for (size_t k = 0; k < VTR_COUNT(members); k++) {
			opt.member = members[k].member;
			qcow2_open_bytes(&o, i.image.p, i.image.len, &opt);
			if (o.rc < 0)
				print_error("%s\n", o.err.text);
			assert_int_equal(0, o.rc);
			if (members[k].disk == 1)
				qcow2_expect_bytes(o.disk, i.disk.p, i.disk.len);
			else
				qcow2_expect_bytes(o.disk, disk, qcow2_build_size(9));
			vtr_blk_unref(o.disk);
			o.disk = NULL;
		}
		opt.member = "3";
		qcow2_open_bytes(&o, i.image.p, i.image.len, &opt);
		qcow2_expect_error(&o, VTR_ENOTFOUND, "ova: no disk \"3\": there is machine-disk1.img, ");
		opt.member = "1";
		qcow2_open_bytes(&o, i.disk.p, i.disk.len, &opt);
		qcow2_expect_error(&o, VTR_EUSAGE, "member \"1\": it is raw, no archive");
		qcow2_done(&o);
		packed_image_done(&i);
	}
	free(disk);
}

/* The disks of an archive are one guest's. */
static void a_guest_has_all_of_them(void **state)
{
	struct vtr_image_options opt = { .member = "2" };
	struct packed_image i;
	char *dir, name[300];

	(void)state;
	packed_ova(&i, PACKED_USTAR, 2);
	dir = part_temp();
	snprintf(name, sizeof(name), "%s/i.ova", dir);
	qcow2_write_file(name, i.image.p, i.image.len);
	for (int chosen = 0; chosen < 2; chosen++) {
		struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
		struct vtr_guest *g = vtr_guest_new(ctx, NULL);
		struct vtr_error err = { 0 };

		assert_int_equal(0, vtr_guest_add(g, name, chosen ? &opt : NULL, &err));
		assert_int_equal(0, vtr_guest_scan(g, &err));
		assert_int_equal(chosen ? 1 : 2, vtr_guest_devices(g));
		vtr_guest_free(g);
		vtr_ctx_unref(ctx);
	}
	packed_image_done(&i);
	part_temp_done(dir);
}

/* Text of the descriptor, replaced by other text of its length. */
static const struct {
	const char *find, *put;
	int code;
	const char *words;
} lists[] = {
	{ "</Envelope>", "<Envelope/>", VTR_ECORRUPT, "descriptor \"machine.ovf\": no XML, or cut off" },
	{ "fileRef=\"file1\"", "fileRef=\"file3\"", VTR_ECORRUPT, "disk 1: its descriptor has no file \"file3\"" },
	{ "fileRef=\"file1\"", "fileRef_\"file1\"", VTR_ECORRUPT,
	  "descriptor \"machine.ovf\": no XML, or cut off: line 7: " },
	{ "fileRef=\"file1\"", "fileRfe=\"file1\"", VTR_ENOTFOUND, "its descriptor names no disk with a file" },
	{ "<?xml version=\"1.0\"?>", "<!DOCTYPE  Envelope >", VTR_ECORRUPT,
	  "descriptor \"machine.ovf\": line 1: it has a document type (\"Envelope\")" },
	{ "machine-disk1.img", "machine_disk1.img", VTR_ECORRUPT,
	  "disk 1: \"machine_disk1.img\" is not in the archive" },
	{ "ovf:size=\"3000\"", "o:chunkSize=\"1\"", VTR_EUNSUPPORTED, "is in pieces (ovf:chunkSize): not read" },
};

static void damage_is_named(void **state)
{
	struct packed_image i;

	(void)state;
	packed_ova(&i, PACKED_USTAR, 1);
	{
		size_t h = i.at[0], d = i.at[2];
		const struct {
			size_t at;
			const char *bytes;
			size_t len;
			bool seal;
			int code;
			const char *words;
		} damages[] = {
			{ h, "n", 1, false, VTR_ECORRUPT, "member at 0: its checksum does not fit" },
			{ h, "m.ova\0\0\0\0\0", 11, true, VTR_EUNSUPPORTED,
			  "a tar archive without a descriptor (.ovf), its first member is \"m.ova\"" },
			{ h + 156, "5", 1, true, VTR_EUNSUPPORTED, "its first member is \"machine.ovf\"" },
			{ h + 124, "x", 1, true, VTR_ECORRUPT, "member at 0: its size is no number" },
			{ h + 124, "77777777777", 11, true, VTR_ETRUNCATED, "8589934591 bytes leave the file" },
			{ h + 124, "\x80\0\0\0\x80\0\0\0\0\0\0\0", 12, true, VTR_ECORRUPT, "its size is no number" },
			{ h + 156, "x", 1, true, VTR_ECORRUPT, "no record of an extended header" },
			{ d + 156, "2", 1, true, VTR_EUNSUPPORTED, "is a member of type '2', no plain file" },
			{ d + 124, "00000000777", 11, true, VTR_ECORRUPT, "member at " },
		};

		for (size_t k = 0; k < VTR_COUNT(damages); k++) {
			struct packed_damage none = { 0, 0, 0, damages[k].code, damages[k].words };
			struct packed_image c;

			packed_ova(&c, PACKED_USTAR, 1);
			memcpy(c.image.p + damages[k].at, damages[k].bytes, damages[k].len);
			if (damages[k].seal)
				packed_ova_seal(c.image.p + damages[k].at / 512 * 512);
			packed_try_damage(&c, "ova", &none, 1, true);
			packed_image_done(&c);
		}
		for (size_t k = 0; k < VTR_COUNT(lists); k++) {
			struct packed_damage none = { 0, 0, 0, lists[k].code, lists[k].words };
			struct packed_image c;
			uint8_t *at;

			packed_ova(&c, PACKED_USTAR, 1);
			at = memmem(c.image.p + c.at[1], 2000, lists[k].find, strlen(lists[k].find));
			assert_non_null(at);
			memcpy(at, lists[k].put, strlen(lists[k].put));
			packed_try_damage(&c, "ova", &none, 1, true);
			packed_image_done(&c);
		}
	}
	packed_image_done(&i);
}

/* An archive without a descriptor is no disk, and named as what it is. */
static void other_archives_are_named(void **state)
{
	struct packed_image i;
	struct qcow2_opened o;

	(void)state;
	packed_ova(&i, PACKED_USTAR, 1);
	memcpy(i.image.p, "machine.ovx", 11);
	packed_ova_seal(i.image.p);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
	qcow2_expect_error(&o, VTR_EUNSUPPORTED, "a tar archive without a descriptor (.ovf)");
	qcow2_expect_error(&o, VTR_EUNSUPPORTED, "unpack it, and name the disk image in it");
	qcow2_done(&o);
	packed_image_done(&i);
}

/* What tar makes of a descriptor with this reference and a disk, which is opened or refused with these words. */
static void expect_href(const char *href, const char *folder, const char *disk, const char *members, const char *words)
{
	static const char xml[] =
		"<Envelope xmlns=\"http://schemas.dmtf.org/ovf/envelope/1\"><References><File href=\"%s\" "
		"id=\"f\"/></References><DiskSection><Disk diskId=\"d\" fileRef=\"f\"/></DiskSection>"
		"</Envelope>";
	uint8_t *bytes = qcow2_build_disk(9);
	char *dir = part_temp(), name[400], text[600];
	struct qcow2_opened o;

	part_run("mkdir -p '%s/%s/a b'", dir, folder);
	snprintf(name, sizeof(name), "%s/%s/m.ovf", dir, folder);
	snprintf(text, sizeof(text), xml, href);
	qcow2_write_file(name, text, strlen(text));
	snprintf(name, sizeof(name), "%s/%s", dir, disk);
	qcow2_write_file(name, bytes, qcow2_build_size(9));
	part_run("cd '%s' && tar cf i.ova %s", dir, members);
	snprintf(name, sizeof(name), "%s/i.ova", dir);
	if (words) {
		qcow2_start(&o, NULL, false);
		qcow2_open(&o, name, NULL);
		qcow2_expect_error(&o, VTR_EUNSUPPORTED, words);
	} else {
		qcow2_open_good(&o, name, NULL);
		qcow2_expect_bytes(o.disk, bytes, qcow2_build_size(9));
	}
	qcow2_done(&o);
	part_temp_done(dir);
	free(bytes);
}

/* DSP0243 1.1, 7.1: ovf:href is a URI, relative to the descriptor (RFC 3986). */
static void a_reference_is_a_uri(void **state)
{
	(void)state;
	if (!part_has_tool("tar"))
		skip();
	expect_href("d.img", ".", "d.img", "d.img m.ovf", NULL); /* the descriptor behind the disk */
	expect_href("d.img", "sub", "sub/d.img", "sub/m.ovf sub/d.img", NULL);
	expect_href("../d.img", "sub", "d.img", "./sub/m.ovf ./d.img", NULL);
	expect_href("./a%20b/%64.img", ".", "a b/d.img", "m.ovf 'a b/d.img'", NULL);
	expect_href("a b/d.img", ".", "a b/d.img", "m.ovf 'a b/d.img'", NULL);
	expect_href("50%25.img", ".", "50%25.img", "m.ovf 50%25.img", NULL); /* not encoded, and with a percent sign */
	expect_href("100%.img", ".", "100%.img", "m.ovf 100%.img", NULL);
	expect_href("http://a.example/d.img", ".", "d.img", "m.ovf d.img",
		    "disk 1: \"http://a.example/d.img\" lies elsewhere, not in the archive");
	expect_href("/d.img", ".", "d.img", "m.ovf d.img", "lies elsewhere");
	/* Nothing packed: the descriptor by itself names its disks. */
	expect_href("my%20disk.img", ".", "d.img", "d.img; cp m.ovf i.ova",
		    "is recognised, and not read: \"my disk.img\" is its disk: name that");
}

/* A descriptor that is full of disks. */
static void disks_are_limited(void **state)
{
	struct packed_image i;
	struct qcow2_opened o;
	uint8_t *from, *list;
	size_t room = 40000, n = 0;

	(void)state;
	packed_ova(&i, PACKED_USTAR, 1);
	list = calloc(1, i.image.len + room);
	assert_non_null(list);
	/* The descriptor's member alone. */
	memcpy(list, i.image.p, 512);
	n += (size_t)sprintf((char *)list + 512, "<Envelope>");
	while (n + 40 < room)
		n += (size_t)sprintf((char *)list + 512 + n, "<Disk fileRef=\"x\"/>");
	n += (size_t)sprintf((char *)list + 512 + n, "</Envelope>");
	sprintf((char *)list + 124, "%011zo", n);
	packed_ova_seal(list);
	from = list + 512 + (n + 511) / 512 * 512;
	memset(from, 0, 1024);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, list, (size_t)(from + 1024 - list), NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "names more than 1024 disks");
	qcow2_done(&o);
	free(list);
	packed_image_done(&i);
}

/* An archive of many empty members; a descriptor of many files. All of it is read for each disk. */
static void members_and_files_are_limited(void **state)
{
	struct packed_image i;
	struct qcow2_opened o;
	struct packed b = { NULL, 0 }, text = { NULL, 0 };
	uint8_t header[512];

	(void)state;
	packed_ova(&i, PACKED_USTAR, 1);
	memcpy(header, i.image.p, 512);
	sprintf((char *)header + 124, "%011o", 0);
	packed_ova_seal(header);
	for (unsigned k = 0; k < 4097; k++)
		packed_bytes(&b, header, 512);
	packed_zeros(&b, 1024);
	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, b.p, b.len, NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "member at 0x200000: it has more than 4096 headers before it");
	packed_bytes(&text, "<Envelope>", 10);
	for (unsigned k = 0; k < 4097; k++)
		packed_bytes(&text, "<File/>", 7);
	packed_bytes(&text, "</Envelope>", 11);
	sprintf((char *)header + 124, "%011zo", text.len);
	packed_ova_seal(header);
	b.len = 0;
	packed_bytes(&b, header, 512);
	packed_bytes(&b, text.p, text.len);
	packed_zeros(&b, 2048 - text.len % 512);
	qcow2_open_bytes(&o, b.p, b.len, NULL);
	qcow2_expect_error(&o, VTR_ELIMIT, "names more than 4096 files");
	qcow2_done(&o);
	free(b.p);
	free(text.p);
	packed_image_done(&i);
}

static void what_is_held_is_limited(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
		const char *words;
	} limits[] = {
		{ offsetof(struct vtr_limits, metadata), 100, "limit metadata=100" },
		{ offsetof(struct vtr_limits, text_file), 100, "limit text_file=100" },
		{ offsetof(struct vtr_limits, steps), 3, "steps" },
	};
	struct packed_image i;

	(void)state;
	packed_ova(&i, PACKED_USTAR, 1);
	for (size_t k = 0; k < VTR_COUNT(limits); k++) {
		struct qcow2_opened o;
		struct vtr_limits l;

		vtr_limits_default(&l);
		memcpy((char *)&l + limits[k].at, &limits[k].value, sizeof(uint64_t));
		qcow2_start(&o, &l, false);
		qcow2_open_bytes(&o, i.image.p, i.image.len, NULL);
		qcow2_expect_error(&o, VTR_ELIMIT, limits[k].words);
		qcow2_done(&o);
	}
	packed_image_done(&i);
}

static void what_tar_writes(void **state)
{
	static const char *const formats[] = { "ustar", "gnu", "pax", "v7" };
	char *dir, name[300];
	struct packed_image i;

	(void)state;
	if (!part_has_tool("tar"))
		skip();
	dir = part_temp();
	packed_ova(&i, PACKED_USTAR, 1);
	snprintf(name, sizeof(name), "%s/i.ova", dir);
	qcow2_write_file(name, i.image.p, i.image.len);
	part_run("cd '%s' && tar xf i.ova", dir);
	for (size_t k = 0; k < VTR_COUNT(formats); k++) {
		struct qcow2_opened o;

		part_run("cd '%s' && tar -c --format=%s -f i.ova ./machine.ovf machine-disk1.img machine.mf", dir,
			 formats[k]);
		qcow2_open_good(&o, name, NULL);
		qcow2_expect_bytes(o.disk, i.disk.p, i.disk.len);
		qcow2_expect_quiet(&o);
		qcow2_done(&o);
	}
	packed_image_done(&i);
	part_temp_done(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_only_disk_is_opened),  cmocka_unit_test(of_several_disks_one_is_chosen),
		cmocka_unit_test(a_guest_has_all_of_them),  cmocka_unit_test(damage_is_named),
		cmocka_unit_test(other_archives_are_named), cmocka_unit_test(a_reference_is_a_uri),
		cmocka_unit_test(disks_are_limited),	    cmocka_unit_test(members_and_files_are_limited),
		cmocka_unit_test(what_is_held_is_limited),  cmocka_unit_test(what_tar_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
