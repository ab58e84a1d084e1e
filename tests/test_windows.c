/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What Windows keeps in values as bytes. Values of the corpus' hives are told by hivexregedit 1.3.23 (MountedDevices and
 * BCD of the regipy project), names and members of groups by samusrgrp of chntpw 1.4; the rest is laid out by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "inspect/windows/windows.h"

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)v);
	put16(p + 2, (uint16_t)(v >> 16));
}

static void put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	put32(p + 4, (uint32_t)(v >> 32));
}

static size_t put_utf16(uint8_t *p, const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		put16(p + 2 * i, (uint8_t)text[i]);
	return 2 * n;
}

/* ---------------------------------------------------------------------------------------------------------- drives */

static void mounts_are_told(void **state)
{
	static const uint8_t mbr[] = { 0x3e, 0xa0, 0xbe, 0x5c, 0, 0, 0x10, 0, 0, 0, 0, 0 };
	static const uint8_t gpt[] = { 0x44, 0x4d, 0x49, 0x4f, 0x3a, 0x49, 0x44, 0x3a, 0x21, 0x1f, 0x93, 0x09,
				       0xaf, 0x7f, 0xa9, 0x44, 0x81, 0xd8, 0x1e, 0x73, 0xc1, 0x4b, 0x9e, 0xaf };
	struct win_mount m;
	uint8_t name[64];
	size_t n;

	(void)state;
	vtr_win_mount_parse(&m, mbr, sizeof(mbr));
	assert_int_equal(WIN_MOUNT_MBR, m.kind);
	assert_int_equal(0x5cbea03e, m.disk);
	assert_int_equal(1 << 20, m.off);
	vtr_win_mount_parse(&m, gpt, sizeof(gpt));
	assert_int_equal(WIN_MOUNT_GPT, m.kind);
	assert_string_equal("09931F21-7FAF-44A9-81D8-1E73C14B9EAF", m.guid);
	n = put_utf16(name, "\\?"
			    "?\\FDC#GENERIC");
	vtr_win_mount_parse(&m, name, n);
	assert_int_equal(WIN_MOUNT_NAME, m.kind);
	assert_string_equal("\\?"
			    "?\\FDC#GENERIC",
			    m.name);
	for (size_t len = 0; len < 12; len++) {
		vtr_win_mount_parse(&m, mbr, len);
		assert_int_equal(WIN_MOUNT_OTHER, m.kind);
	}
	vtr_win_mount_parse(&m, gpt, 23);
	assert_int_equal(WIN_MOUNT_OTHER, m.kind);
}

static void mount_names_are_told(void **state)
{
	static const struct {
		const char *name;
		bool is;
		char letter;
		const char *guid;
	} names[] = {
		{ "\\DosDevices\\C:", true, 'C', "" },
		{ "\\dosdevices\\z:", true, 'Z', "" },
		{ "\\DosDevices\\1:", false, 0, "" },
		{ "\\DosDevices\\C", false, 0, "" },
		{ "\\?"
		  "?\\Volume{656B1715-ecf6-11df-92e6-806e6f6e6963}",
		  true, 0, "656b1715-ecf6-11df-92e6-806e6f6e6963" },
		{ "\\?"
		  "?\\Volume{656b1715-ecf6-11df-92e6-806e6f6e696}",
		  false, 0, "" },
		{ "\\?"
		  "?\\Volume{656b1715-ecf6-11df-92e6_806e6f6e6963}",
		  false, 0, "" },
		{ "#{46686113-4e39-11ea-bd05-784f439fa657}", false, 0, "" },
		{ "", false, 0, "" },
	};
	char letter, guid[37];

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(names); i++) {
		assert_int_equal(names[i].is, vtr_win_mount_name(&letter, guid, names[i].name, strlen(names[i].name)));
		assert_int_equal(names[i].letter, letter);
		assert_string_equal(names[i].guid, guid);
	}
}

static void boot_devices_are_told(void **state)
{
	/* The application device of the resume loader in the BCD of regipy: a partition of a GPT. */
	static const uint8_t gpt[] = {
		0,    0,    0,	  0,	0,    0,    0,	  0,	0,    0,    0,	  0,	0,    0,    0,
		0,    6,    0,	  0,	0,    0,    0,	  0,	0,    0x48, 0,	  0,	0,    0,    0,
		0,    0,    0x38, 0x2c, 0x0f, 0x8e, 0xea, 0xe4, 0xba, 0x47, 0xb7, 0xfc, 0x9d, 0x8c, 0x74,
		0xdc, 0xcf, 0x0b, 0,	0,    0,    0,	  0,	0,    0,    0,	  0xa9, 0x94, 0x23, 0x0b,
		0x5e, 0x09, 0x7d, 0x48, 0x8d, 0x48, 0x71, 0x9e, 0,    0,    0,	  0,	0,    0,    0,
		0,    0,    0,	  0,	0,    0,    0,	  0,	0,    0,    0,	  0,	0,
	};
	struct win_mount m;
	uint8_t mbr[0x58] = { 0 };

	(void)state;
	vtr_win_bcd_device_parse(&m, gpt, sizeof(gpt));
	assert_int_equal(WIN_MOUNT_GPT, m.kind);
	assert_string_equal("8E0F2C38-E4EA-47BA-B7FC-9D8C74DCCF0B", m.guid);
	vtr_win_bcd_device_parse(&m, gpt, 0x47);
	assert_int_equal(WIN_MOUNT_OTHER, m.kind);
	put32(mbr + 0x10, 6);
	put32(mbr + 0x18, 0x48);
	put64(mbr + 0x20, 1 << 20);
	put32(mbr + 0x34, 1);
	put32(mbr + 0x38, 0x1234abcd);
	vtr_win_bcd_device_parse(&m, mbr, sizeof(mbr));
	assert_int_equal(WIN_MOUNT_MBR, m.kind);
	assert_int_equal(0x1234abcd, m.disk);
	assert_int_equal(1 << 20, m.off);
	put32(mbr + 0x10, 5); /* the device that the loader came from */
	vtr_win_bcd_device_parse(&m, mbr, sizeof(mbr));
	assert_int_equal(WIN_MOUNT_OTHER, m.kind);
}

/* ------------------------------------------------------------------------------------------------------------- SAM */

static void sids_are_text(void **state)
{
	static const struct {
		uint8_t bytes[24];
		size_t len, took;
		const char *text;
	} sids[] = {
		{ { 1, 1, 0, 0, 0, 0, 0, 5, 18 }, 12, 12, "S-1-5-18" },
		{ { 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2 }, 20, 16, "S-1-5-32-544" },
		{ { 1, 0, 0, 0, 0, 0, 0, 5 }, 8, 8, "S-1-5" },
		{ { 1, 1, 0x12, 0x34, 0, 0, 0, 1, 7 }, 12, 12, "S-1-0x123400000001-7" },
		{ { 2, 1, 0, 0, 0, 0, 0, 5, 18 }, 12, 0, NULL },
		{ { 1, 16, 0, 0, 0, 0, 0, 5, 18 }, 24, 0, NULL },
		{ { 1, 2, 0, 0, 0, 0, 0, 5, 18 }, 15, 0, NULL },
		{ { 1, 0, 0, 0, 0, 0, 0 }, 7, 0, NULL },
	};
	char text[WIN_SID];

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(sids); i++) {
		assert_int_equal(sids[i].took, vtr_win_sid_text(text, sids[i].bytes, sids[i].len));
		if (sids[i].text)
			assert_string_equal(sids[i].text, text);
	}
}

/* The value F of user 1000 in the SAM of regipy: what chntpw prints of it is the number, the flags, and 4 logons. */
static const uint8_t user_f[] = {
	0x02, 0, 1,    0, 0,	0,    0,    0,	  0xd0, 0x01, 0x4d, 0x90, 0x5a, 0xdc, 0xcf, 0x01, 0,	0,    0,    0,
	0,    0, 0,    0, 0x8e, 0x66, 0x27, 0xa0, 0xa8, 0xd7, 0xcf, 0x01, 0,	0,    0,    0,	  0,	0,    0,    0,
	0,    0, 0,    0, 0,	0,    0,    0,	  0xe8, 3,    0,    0,	  1,	2,    0,    0,	  0x10, 0,    0,    0,
	1,    0, 0xe4, 4, 0,	0,    4,    0,	  1,	0,    0,    0,	  0,	0,    0x71, 0,	  0xbc, 0xee, 0x71, 0,
};

static size_t user_v_make(uint8_t v[512], const char *name, const char *full, const char *comment, uint32_t hash)
{
	const char *const texts[] = { name, full, comment };
	size_t at = 0;

	memset(v, 0, 512);
	for (size_t i = 0; i < 3; i++) {
		size_t n = put_utf16(v + 0xcc + at, texts[i]);

		put32(v + 0x0c + 12 * i, (uint32_t)at);
		put32(v + 0x10 + 12 * i, (uint32_t)n);
		at += n;
	}
	put32(v + 0xa8, (uint32_t)at);
	put32(v + 0xac, hash);
	return 0xcc + at + hash;
}

static void users_are_told(void **state)
{
	struct vtr_error err = { 0 };
	struct win_user u = { 0 };
	uint8_t v[512];
	size_t n;

	(void)state;
	assert_int_equal(0, vtr_win_user_f_parse(&u, user_f, sizeof(user_f), &err));
	assert_true(u.has_f);
	assert_int_equal(1000, u.rid);
	assert_int_equal(513, u.group);
	assert_int_equal(0x10, u.flags);
	assert_int_equal(4, u.logons);
	assert_int_equal(0x01cfdc5a904d01d0, u.last_logon);
	assert_int_equal(0x01cfd7a8a027668e, u.password_set);
	assert_int_equal(0, u.expires);
	assert_int_equal(-1, vtr_win_user_f_parse(&u, user_f, 67, &err));
	assert_int_equal(VTR_ECORRUPT, err.code);
	assert_non_null(strstr(err.text, "F of 67 bytes"));

	n = user_v_make(v, "alice", "Alice Liddell", "", 20);
	assert_int_equal(0, vtr_win_user_v_parse(&u, v, n, &err));
	assert_string_equal("alice", u.name);
	assert_string_equal("Alice Liddell", u.full_name);
	assert_string_equal("", u.comment);
	assert_true(u.has_password);
	n = user_v_make(v, "bob", "", "x", 4);
	assert_int_equal(0, vtr_win_user_v_parse(&u, v, n, &err));
	assert_false(u.has_password);
	n = user_v_make(v, "bob", "", "x", 24);
	assert_int_equal(0, vtr_win_user_v_parse(&u, v, n, &err));
	assert_false(u.has_password);
	n = user_v_make(v, "bob", "", "x", 56);
	assert_int_equal(0, vtr_win_user_v_parse(&u, v, n, &err));
	assert_true(u.has_password);
}

struct members {
	char text[256];
};

static int members_add(void *arg, const char *sid, struct vtr_error *err)
{
	struct members *m = arg;

	(void)err;
	strcat(m->text, sid);
	strcat(m->text, " ");
	return 0;
}

static size_t group_c_make(uint8_t c[256])
{
	static const uint8_t sid[] = { 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0, 1, 1, 0, 0, 0, 0, 0, 5, 17 };

	memset(c, 0, 256);
	put32(c + 0x10, 0);
	put32(c + 0x14, (uint32_t)put_utf16(c + 0x34, "Users"));
	put32(c + 0x1c, 10);
	put32(c + 0x20, (uint32_t)put_utf16(c + 0x34 + 10, "all"));
	put32(c + 0x28, 16);
	put32(c + 0x2c, 28);
	put32(c + 0x30, 2);
	memcpy(c + 0x34 + 16, sid, sizeof(sid));
	return 0x34 + 16 + 28;
}

static void groups_are_told(void **state)
{
	char name[256], comment[512];
	struct members m = { "" };
	struct vtr_error err = { 0 };
	uint8_t c[256];
	size_t n = group_c_make(c);

	(void)state;
	assert_int_equal(0, vtr_win_group_c_parse(name, comment, c, n, members_add, &m, &err));
	assert_string_equal("Users", name);
	assert_string_equal("all", comment);
	assert_string_equal("S-1-5-32-544 S-1-5-17 ", m.text);
}

/* Each damaged field of V and C, its code and a word of its text. */
static const struct damage {
	bool group;
	size_t at;
	uint32_t value;
	const char *text;
} damages[] = {
	{ false, 0x0c, 0x7fffffff, "V of" },	      { false, 0x10, 0xffffffff, "a text leaves it" },
	{ false, 0x18, 0xffffffff, "a text leaves" }, { false, 0x28, 0x1000, "a text leaves it" },
	{ true, 0x10, 0xffffffff, "C of" },	      { true, 0x14, 0x1000, "a text leaves it" },
	{ true, 0x20, 0xffffffff, "a text leaves" },  { true, 0x28, 0xfffffff0, "its members leave it" },
	{ true, 0x2c, 0x1000, "its members leave" },  { true, 0x2c, 20, "member 1 of 2 is no identifier" },
	{ true, 0x44, 0x00000002, "member 0 of 2" },
};

static void sam_names_the_damage(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(damages); i++) {
		const struct damage *d = &damages[i];
		char name[256], comment[512];
		struct members m = { "" };
		struct vtr_error err = { 0 };
		struct win_user u = { 0 };
		uint8_t bytes[512];
		size_t n = d->group ? group_c_make(bytes) : user_v_make(bytes, "alice", "Alice", "none", 20);
		int rc;

		put32(bytes + d->at, d->value);
		rc = d->group ? vtr_win_group_c_parse(name, comment, bytes, n, members_add, &m, &err)
			      : vtr_win_user_v_parse(&u, bytes, n, &err);
		assert_int_equal(-1, rc);
		assert_int_equal(VTR_ECORRUPT, err.code);
		if (!strstr(err.text, d->text))
			fail_msg("%zu: %s, expected %s", i, err.text, d->text);
	}
}

static void sam_is_cut(void **state)
{
	uint8_t bytes[512];
	size_t n = user_v_make(bytes, "alice", "Alice", "none", 20), k;

	(void)state;
	for (size_t len = 0; len < n; len++) {
		uint8_t *copy = malloc(len ? len : 1);
		struct win_user u = { 0 };

		assert_non_null(copy);
		memcpy(copy, bytes, len);
		/* The hash is not looked at. */
		assert_int_equal(len < n - 20 ? -1 : 0, vtr_win_user_v_parse(&u, copy, len, NULL));
		free(copy);
	}
	k = group_c_make(bytes);
	for (size_t len = 0; len < k; len++) {
		char name[256], comment[512];
		struct members m = { "" };
		uint8_t *copy = malloc(len ? len : 1);

		assert_non_null(copy);
		memcpy(copy, bytes, len);
		assert_int_equal(-1, vtr_win_group_c_parse(name, comment, copy, len, members_add, &m, NULL));
		free(copy);
	}
}

/* -------------------------------------------------------------------------------------------------------- boot.ini */

static int boot_put(void *arg, const struct win_boot_entry *e, struct vtr_error *err)
{
	char *out = arg;

	(void)err;
	sprintf(out + strlen(out), "%.*s|%.*s|%.*s|%s\n", (int)e->arc.len, e->arc.p, (int)e->folder.len, e->folder.p,
		(int)e->title.len, e->title.p, e->is_default ? "default" : "");
	return 0;
}

static void boot_ini_is_read(void **state)
{
	static const char text[] = "; a comment\r\n[Boot Loader]\r\ntimeout=30\r\n"
				   "Default=MULTI(0)disk(0)rdisk(0)partition(2)\\WINNT\r\n\r\n"
				   "[operating systems]\r\n"
				   "multi(0)disk(0)rdisk(0)partition(1)\\WINDOWS=\"Windows XP\" /fastdetect /pae\r\n"
				   " multi(0)disk(0)rdisk(0)partition(2)\\winnt = \"Windows 2000\"\r\n"
				   "scsi(0)disk(1)rdisk(0)partition(1)\\NT4=Windows NT /basevideo\n"
				   "C:\\=\"MS-DOS\"\r\n"
				   "broken\r\n"
				   "[other]\r\nx=y\r\n\x1a";
	char got[1024] = "";

	(void)state;
	assert_int_equal(0, vtr_win_boot_ini_parse(text, strlen(text), boot_put, got, NULL));
	assert_string_equal("multi(0)disk(0)rdisk(0)partition(1)|\\WINDOWS|Windows XP|\n"
			    "multi(0)disk(0)rdisk(0)partition(2)|\\winnt|Windows 2000|default\n"
			    "scsi(0)disk(1)rdisk(0)partition(1)|\\NT4|Windows NT|\n"
			    "C:|\\|MS-DOS|\n",
			    got);
}

/* ----------------------------------------------------------------------------------------------------------- tasks */

static size_t actions_text_put(uint8_t *p, const char *text)
{
	size_t n = put_utf16(p + 4, text);

	put32(p, (uint32_t)n);
	return 4 + n;
}

static void actions_are_told(void **state)
{
	uint8_t bytes[256] = { 3 };
	struct vtr_str out = { 0 };
	size_t at = 2, n;

	(void)state;
	at += actions_text_put(bytes + at, "Author");
	put16(bytes + at, 0x6666);
	at += 2;
	at += actions_text_put(bytes + at, "");
	at += actions_text_put(bytes + at, "C:\\agent.exe");
	n = at + actions_text_put(bytes + at, "--now");
	assert_int_equal(1, vtr_win_actions_parse(&out, bytes, n));
	assert_string_equal("C:\\agent.exe --now", out.p);
	for (size_t len = 0; len < at; len++) {
		out.len = 0;
		assert_int_equal(0, vtr_win_actions_parse(&out, bytes, len));
	}
	/* A handler of COM. */
	put16(bytes + 18, 0x7777);
	put32(bytes + 24, 0x11223344);
	out.len = 0;
	assert_int_equal(1, vtr_win_actions_parse(&out, bytes, 24 + 16));
	assert_memory_equal("{11223344-", out.p, 10);
	bytes[0] = 9;
	assert_int_equal(0, vtr_win_actions_parse(&out, bytes, n));
	vtr_str_done(&out);
}

static void names_are_known(void **state)
{
	(void)state;
	assert_string_equal("Europe/Berlin", vtr_win_zone("W. Europe Standard Time"));
	assert_string_equal("America/Los_Angeles", vtr_win_zone("pacific standard time"));
	assert_string_equal("Asia/Kolkata", vtr_win_zone("India Standard Time"));
	assert_string_equal("Etc/UTC", vtr_win_zone("UTC"));
	assert_null(vtr_win_zone("Middle-earth Standard Time"));
	assert_string_equal("en-US", vtr_win_language(0x409));
	assert_string_equal("zh-CN", vtr_win_language(0x804));
	assert_string_equal("sr-Latn-RS", vtr_win_language(0x241a));
	assert_null(vtr_win_language(0));
}

static void times_are_told(void **state)
{
	uint32_t nsec;
	int64_t sec;

	(void)state;
	/* "[MS-DTYP] FILETIME": 1970-01-01 is 116444736000000000. */
	assert_true(vtr_win_time(&sec, &nsec, 116444736000000001));
	assert_int_equal(0, sec);
	assert_int_equal(100, nsec);
	assert_true(vtr_win_time(&sec, &nsec, 1));
	assert_int_equal(-11644473600, sec);
	assert_false(vtr_win_time(&sec, &nsec, 0));
	assert_false(vtr_win_time(&sec, &nsec, INT64_MAX));
	assert_false(vtr_win_time(&sec, &nsec, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mounts_are_told),	 cmocka_unit_test(mount_names_are_told),
		cmocka_unit_test(boot_devices_are_told), cmocka_unit_test(sids_are_text),
		cmocka_unit_test(users_are_told),	 cmocka_unit_test(groups_are_told),
		cmocka_unit_test(sam_names_the_damage),	 cmocka_unit_test(sam_is_cut),
		cmocka_unit_test(boot_ini_is_read),	 cmocka_unit_test(actions_are_told),
		cmocka_unit_test(names_are_known),	 cmocka_unit_test(times_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
