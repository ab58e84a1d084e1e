/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The text formats that inspection reads. Expected values are worked out from os-release(5), POSIX 2.2 (quoting),
 * fstab(5), the ELF header in the System V ABI; those of the shell were checked with dash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/held.h"
#include "inspect/inspect.h"

/* A copy of exactly len bytes, so that a sanitizer sees one byte too many. */
static char *exact(const char *text, size_t len)
{
	char *p = malloc(len ? len : 1);

	assert_non_null(p);
	if (len > 0)
		memcpy(p, text, len);
	return p;
}

/* ---------------------------------------------------------------------------------------------------------- lines */

static void lines_end_with_lf_or_crlf(void **state)
{
	static const char text[] = "one\ntwo\r\n\nfo\rur\n\0five\nlast";
	static const char *const want[] = { "one", "two", "", "fo\rur", "\0five", "last" };
	static const size_t lens[] = { 3, 3, 0, 5, 5, 4 };
	struct vtr_lines l = { text, text + sizeof(text) - 1 };
	const char *line;
	size_t len, n = 0;

	(void)state;
	while (vtr_lines_next(&l, &line, &len) > 0) {
		assert_true(n < VTR_COUNT(want));
		assert_int_equal(lens[n], len);
		assert_memory_equal(want[n], line, len);
		n++;
	}
	assert_int_equal(VTR_COUNT(want), n);
	l = (struct vtr_lines){ text, text };
	assert_int_equal(0, vtr_lines_next(&l, &line, &len));
	l = (struct vtr_lines){ text + 7, text + 9 }; /* "\r\n" alone */
	assert_int_equal(1, vtr_lines_next(&l, &line, &len));
	assert_int_equal(0, len);
	assert_int_equal(0, vtr_lines_next(&l, &line, &len));
}

/* ---------------------------------------------------------------------------------------------------- assignments */

/* All of a file as "NAME=value;NAME=value;", NULs as '@'. */
struct collected {
	struct vtr_str s;
	size_t n;
};

static int collect_assignment(void *arg, const char *name, size_t name_len, const char *value, size_t value_len,
			      struct vtr_error *err)
{
	struct collected *c = arg;

	(void)err;
	c->n++;
	vtr_str_put(&c->s, name, name_len);
	vtr_str_put(&c->s, "=", 1);
	for (size_t i = 0; i < value_len; i++)
		vtr_str_put(&c->s, value[i] ? &value[i] : "@", 1);
	vtr_str_put(&c->s, ";", 1);
	return 0;
}

static void assignments_check(const char *text, size_t len, const char *want)
{
	struct vtr_error err = { 0 };
	struct collected c = { 0 };
	char *copy = exact(text, len), *got;

	assert_int_equal(0, vtr_assignments(copy, len, collect_assignment, &c, &err));
	got = vtr_str_take(&c.s, &err);
	assert_non_null(got);
	assert_string_equal(want, got);
	free(got);
	free(copy);
}

static void assignments_are_unquoted_as_the_shell_does(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "\n\n", "" },
		{ "ID=debian\n", "ID=debian;" },
		{ "ID=debian", "ID=debian;" },
		{ "ID=\"debian\"\r\nVERSION_ID='12'\r\n", "ID=debian;VERSION_ID=12;" },
		{ "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n", "PRETTY_NAME=Debian GNU/Linux 12 (bookworm);" },
		{ "A=\n", "A=;" },
		{ "A=\"\"\n", "A=;" },
		{ "# A=1\n#B=2\nC=3\n", "C=3;" },
		{ "  A=1\n\tB=2\n", "A=1;B=2;" },
		{ "export A=1\nexport\tB=2\nexport=3\nexportC=4\n", "A=1;B=2;export=3;exportC=4;" },
		{ "A =1\n=2\n1A=3\nB-C=4\nD\nE=5\n", "E=5;" },
		{ "A=one # comment\nB=one#two\nC=#three\n", "A=one;B=one#two;C=#three;" },
		{ "A=\"one # two\"\n", "A=one # two;" },
		{ "A=a\"b\"'c'd\n", "A=abcd;" },
		{ "A='a\"b'\nB=\"a'b\"\n", "A=a\"b;B=a'b;" },
		{ "A=\"a\\\"b\\$c\\`d\\\\e\\nf\"\n", "A=a\"b$c`d\\e\\nf;" },
		{ "A='a\\\\b'\n", "A=a\\\\b;" },
		{ "A=a\\ b\\\"c\\\\d\n", "A=a b\"c\\d;" },
		{ "A=ab\\\ncd\nB=1\n", "A=abcd;B=1;" },
		{ "A=\"ab\\\ncd\"\nB=1\n", "A=abcd;B=1;" },
		{ "A='one\ntwo'\nB=3\n", "A=one\ntwo;B=3;" },
		{ "A=\"  padded  \"\nB=  x\t \n", "A=  padded  ;B=  x;" },
		{ "A=two words \n", "A=two words;" }, /* not the shell: see assign.c */
		{ "A=1\nA=2\n", "A=1;A=2;" },
		{ "A=\\", "A=\\;" },
		{ "A=\"\\", "A=\\;" },
		/* never closed: it ends with its line */
		{ "A=\"one\nB=two\nC='three\nD=four\n", "A=one;B=two;C=three;D=four;" },
		{ "\xff=1\nA=\xff\xfe\n", "A=\xff\xfe;" },
	};

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++)
		assignments_check(cases[i].text, strlen(cases[i].text), cases[i].want);
	assignments_check("A=a\0b\nB\0=1\nC=\"\0\"\n", 18, "A=a@b;C=@;");
}

static int stop_at_once(void *arg, const char *name, size_t name_len, const char *value, size_t value_len,
			struct vtr_error *err)
{
	(void)name, (void)name_len, (void)value, (void)value_len, (void)err;
	++*(int *)arg;
	return 7;
}

static void assignments_stop_when_told(void **state)
{
	int calls = 0;

	(void)state;
	assert_int_equal(7, vtr_assignments("A=1\nB=2\n", 8, stop_at_once, &calls, NULL));
	assert_int_equal(1, calls);
}

/* ---------------------------------------------------------------------------------------------------------- fstab */

static int collect_entry(void *arg, const struct vtr_fstab_entry *e, struct vtr_error *err)
{
	struct collected *c = arg;

	(void)err;
	c->n++;
	vtr_str_puts(&c->s, e->spec);
	vtr_str_put(&c->s, "|", 1);
	vtr_str_puts(&c->s, e->file);
	vtr_str_put(&c->s, "|", 1);
	vtr_str_puts(&c->s, e->type);
	vtr_str_put(&c->s, "|", 1);
	vtr_str_puts(&c->s, e->options);
	vtr_str_put(&c->s, ";", 1);
	return 0;
}

static void fstab_check(const char *text, size_t len, const char *want)
{
	struct vtr_error err = { 0 };
	struct collected c = { 0 };
	char *copy = exact(text, len), *got;

	assert_int_equal(0, vtr_fstab_parse(copy, len, collect_entry, &c, &err));
	got = vtr_str_take(&c.s, &err);
	assert_non_null(got);
	assert_string_equal(want, got);
	free(got);
	free(copy);
}

static void fstab_lines_have_fields(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "# UNCONFIGURED FSTAB FOR BASE SYSTEM\n", "" },
		{ "UUID=1234 / ext4 errors=remount-ro 0 1\n", "UUID=1234|/|ext4|errors=remount-ro;" },
		{ "/dev/sda1\t/boot   ext2\tdefaults\t0\t2\r\n", "/dev/sda1|/boot|ext2|defaults;" },
		{ "  /dev/sda1 / ext4 ro", "/dev/sda1|/|ext4|ro;" },
		{ "   # comment\n\n \t\n/dev/a / xfs\n", "/dev/a|/|xfs|defaults;" },
		{ "/dev/a /b\n/dev/c\n", "" },
		{ "/dev/sda2 none swap sw 0 0\n", "/dev/sda2|none|swap|sw;" },
		{ "LABEL=my\\040root /mnt/a\\011b\\012c\\134d ext4 rw\n", "LABEL=my root|/mnt/a\tb\nc\\d|ext4|rw;" },
		{ "LABEL=\"my root\" / ext4 rw\n", "LABEL=\"my root\"|/|ext4|rw;" },
		{ "LABEL='my root' / ext4 rw\n", "LABEL='my root'|/|ext4|rw;" },
		{ "LABEL=\"my / ext4 rw\n", "LABEL=\"my|/|ext4|rw;" },
		{ "a b=\"c d\" ext4 rw\n", "a|b=\"c|d\"|ext4;" },
		{ "a\\04 b\\0x0 c\\999 d\\\n", "a\\04|b\\0x0|c\\999|d\\;" },
		{ "a\\000b /\\400 c\n", "a\\000b|/\\400|c|defaults;" },
		{ "server:/export /srv nfs rw,hard 0 0\ntmpfs /tmp tmpfs size=1g\n",
		  "server:/export|/srv|nfs|rw,hard;tmpfs|/tmp|tmpfs|size=1g;" },
		{ "a#b / ext4 # rw\n", "a#b|/|ext4|#;" },
	};

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++)
		fstab_check(cases[i].text, strlen(cases[i].text), cases[i].want);
	fstab_check("/dev/a /\0b ext4 rw\n/dev/c / ext4 rw\n", 36, "/dev/c|/|ext4|rw;");
}

/* A device as the guest would give it, without tables. */
static const struct vtr_device resolve_devices[] = {
	{ .name = "/dev/sda", .parent = -1, .content = "gpt", .label = "", .uuid = "" },
	{ .name = "/dev/sda1",
	  .parent = 0,
	  .label = "ROOT A",
	  .uuid = "0f3f0e53-2a7e-4b6f-9b66-0d1f1f0a0001",
	  .has_fs = true },
	{ .name = "/dev/sdb", .parent = -1, .label = "data", .uuid = "ABCD-1234", .has_fs = true },
	{ .name = "/dev/sdc", .parent = -1, .content = "gpt", .label = "", .uuid = "" },
	{ .name = "/dev/sdc1",
	  .parent = 3,
	  .label = "ROOT A",
	  .uuid = "0f3f0e53-2a7e-4b6f-9b66-0d1f1f0a0001",
	  .has_fs = true },
	{ .name = "/dev/my-vg/root-lv", .parent = -2, .label = "lv", .uuid = "0f3f0e53-2a7e-4b6f-9b66-0d1f1f0a0002" },
	{ .name = "/dev/mapper/luks-1", .parent = -2, .label = "", .uuid = "" },
};

/* The device's index; -1: none. */
static ssize_t resolve(const struct vtr_inspect *in, const char *spec, size_t root)
{
	struct vtr_error err = { 0 };
	size_t device;
	int found = vtr_fstab_resolve(&device, in, spec, root, &err);

	assert_true(found >= 0);
	return found ? (ssize_t)device : -1;
}

static void fstab_names_find_devices(void **state)
{
	static const struct {
		const char *spec;
		size_t root;
		int device;
	} cases[] = {
		{ "UUID=0f3f0e53-2a7e-4b6f-9b66-0d1f1f0a0002", 1, 5 },
		{ "UUID=0F3F0E53-2A7E-4B6F-9B66-0D1F1F0A0002", 1, 5 },
		{ "UUID=\"abcd-1234\"", 1, 2 },
		{ "UUID=", 1, -1 },
		{ "UUID=\"\"", 1, -1 },
		{ "UUID=0000", 1, -1 },
		{ "LABEL=data", 1, 2 },
		{ "LABEL=Data", 1, -1 },
		{ "LABEL=\"ROOT A\"", 1, 1 },
		{ "LABEL=ROOT A", 4, 4 }, /* a copy of the disk: the one that is looked at */
		{ "UUID=0f3f0e53-2a7e-4b6f-9b66-0d1f1f0a0001", 4, 4 },
		{ "UUID=0f3f0e53-2a7e-4b6f-9b66-0d1f1f0a0001", 3, 4 },
		{ "/dev/disk/by-uuid/ABCD-1234", 1, 2 },
		{ "/dev/disk/by-label/ROOT\\x20A", 1, 1 },
		{ "/dev/disk/by-label/ROOT\\x2", 1, -1 },
		{ "/dev/disk/by-id/ata-X-part1", 1, -1 }, /* which of the disks? */
		{ "/dev/root", 4, 4 },
		{ "/dev/sdb", 1, 2 },
		{ "/dev/vdb", 1, 2 },
		{ "/dev/xvda", 1, 0 },
		{ "/dev/hdc", 1, 3 },
		{ "/dev/nvme1n1", 1, 2 },
		{ "/dev/mmcblk2", 1, 3 },
		{ "/dev/sdz", 1, -1 },
		{ "/dev/sdaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1, -1 },
		{ "/dev/sda99999999999999999999", 1, -1 },
		{ "/dev/nvme99999999999999999999n1", 1, -1 },
		{ "/dev/my-vg/root-lv", 1, 5 },
		{ "/dev/mapper/my--vg-root--lv", 1, 5 },
		{ "/dev/mapper/luks-1", 1, 6 },
		{ "/dev/mapper/", 1, -1 },
		{ "/dev/", 1, -1 },
		{ "tmpfs", 1, -1 },
		{ "", 1, -1 },
		{ "PARTUUID=1234abcd-01", 1, -1 },
	};
	struct vtr_inspect in = { .devices = resolve_devices, .n_devices = 5 };
	struct vtr_device devices[VTR_COUNT(resolve_devices)];

	(void)state;
	memcpy(devices, resolve_devices, sizeof(devices));
	devices[5].parent = devices[6].parent = 0; /* volumes: no disks */
	in.devices = devices;
	in.n_devices = VTR_COUNT(devices);
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		ssize_t got = resolve(&in, cases[i].spec, cases[i].root);

		if (got != cases[i].device)
			fail_msg("%s: %zd, expected %d", cases[i].spec, got, cases[i].device);
	}
	in.n_devices = 1; /* a single disk is what every hardware's name must mean */
	assert_int_equal(0, resolve(&in, "/dev/disk/by-id/ata-X", 0));
	assert_int_equal(0, resolve(&in, "ID=ata-X", 0));
	assert_int_equal(-1, resolve(&in, "ID=ata-X-part3", 0));
	assert_int_equal(-1, resolve(&in, "/dev/disk/by-id/dm-name-x", 0));
}

/* ------------------------------------------------------------------------------------------------------------ elf */

static void elf_headers_name_the_machine(void **state)
{
	static const struct {
		uint8_t class, data, machine[2];
		const char *arch;
	} cases[] = {
		{ 2, 1, { 62, 0 }, "x86_64" },	 { 1, 1, { 62, 0 }, "x32" },	     { 1, 1, { 3, 0 }, "i386" },
		{ 2, 1, { 183, 0 }, "aarch64" }, { 2, 2, { 0, 183 }, "aarch64_be" }, { 1, 1, { 40, 0 }, "arm" },
		{ 1, 2, { 0, 40 }, "armeb" },	 { 2, 2, { 0, 21 }, "ppc64" },	     { 2, 1, { 21, 0 }, "ppc64le" },
		{ 1, 2, { 0, 20 }, "ppc" },	 { 2, 1, { 243, 0 }, "riscv64" },    { 1, 1, { 243, 0 }, "riscv32" },
		{ 2, 2, { 0, 22 }, "s390x" },	 { 1, 2, { 0, 22 }, "s390" },	     { 2, 1, { 2, 1 }, "loongarch64" },
		{ 1, 2, { 0, 8 }, "mips" },	 { 1, 1, { 8, 0 }, "mipsel" },	     { 2, 2, { 0, 8 }, "mips64" },
		{ 2, 1, { 8, 0 }, "mips64el" },	 { 2, 2, { 0, 43 }, "sparc64" },     { 1, 2, { 0, 2 }, "sparc" },
		{ 2, 1, { 50, 0 }, "ia64" },	 { 2, 1, { 0x26, 0x90 }, "alpha" },  { 1, 2, { 0, 4 }, "m68k" },
		{ 2, 2, { 62, 0 }, NULL },	 { 3, 1, { 62, 0 }, NULL },	     { 0, 1, { 62, 0 }, NULL },
		{ 2, 0, { 62, 0 }, NULL },	 { 2, 3, { 62, 0 }, NULL },	     { 2, 1, { 0xff, 0xff }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		uint8_t head[20] = { 0x7f, 'E', 'L', 'F', cases[i].class, cases[i].data, 1 };
		const char *arch;

		head[18] = cases[i].machine[0];
		head[19] = cases[i].machine[1];
		arch = vtr_elf_arch(head, sizeof(head));
		if (cases[i].arch)
			assert_string_equal(cases[i].arch, arch);
		else
			assert_null(arch);
		for (size_t len = 0; len < sizeof(head); len++) {
			char *cut = exact((char *)head, len);

			assert_null(vtr_elf_arch((uint8_t *)cut, len));
			free(cut);
		}
		head[0] = 0x7e;
		assert_null(vtr_elf_arch(head, sizeof(head)));
	}
}

/* ---------------------------------------------------------------------------------------------------------- facts */

static void facts_are_escaped_and_the_first_stays(void **state)
{
	struct vtr_limits lim;
	struct vtr_error err = { 0 };
	struct vtr_ctx *ctx;
	struct vtr_os *os;

	(void)state;
	vtr_limits_default(&lim);
	lim.line = 16;
	ctx = vtr_ctx_new(&lim, &err);
	assert_non_null(ctx);
	os = vtr_os_new(ctx, "/dev/sda1", NULL, &err);
	assert_non_null(os);
	assert_string_equal("/dev/sda1", vtr_os_root(os));
	assert_int_equal(0, vtr_os_add_fact(os, "hostname", "a\x1b[0m\xff", 6, "/etc/hostname", &err));
	assert_int_equal(0, vtr_os_add_fact(os, "hostname", "second", 6, "/etc/HOSTNAME", &err));
	assert_int_equal(0, vtr_os_add_fact(os, "codename", "", 0, "/etc/os-release", &err));
	assert_int_equal(0, vtr_ctx_warnings(ctx));
	assert_int_equal(0, vtr_os_add_fact(os, "codename", "12345678901234567", 17, "/etc/os-release", &err));
	assert_int_equal(1, vtr_ctx_damage(ctx));
	assert_string_equal("a\\x1B[0m\\xFF", vtr_os_fact(os, "hostname")->value);
	assert_string_equal("/etc/hostname", vtr_os_fact(os, "hostname")->path);
	assert_string_equal("/dev/sda1", vtr_os_fact(os, "hostname")->device);
	assert_null(vtr_os_fact(os, "codename"));
	assert_ptr_equal(vtr_os_fact(os, "hostname"), vtr_os_fact_at(os, 0));
	assert_null(vtr_os_fact_at(os, 1));
	assert_null(vtr_os_package(os, 0));
	assert_null(vtr_os_mount(os, 0));
	vtr_os_free(os);
	vtr_os_free(NULL);
	vtr_ctx_unref(ctx);
}

/* --------------------------------------------------------------------------------------------------------- damage */

/* Every parser over any bytes; what comes of it does not matter. */
static void parse_everything(const char *text, size_t len, struct vtr_ctx *ctx)
{
	struct vtr_error err = { 0 };
	struct collected c = { 0 };
	struct vtr_lines l;
	const char *line;
	char *copy = exact(text, len), *db = vtr_hold(ctx, len + 1, 1, "text", NULL);
	struct vtr_os *os = vtr_os_new(ctx, "/dev/sda", NULL, &err);
	size_t line_len;

	assert_non_null(db);
	assert_non_null(os);
	assert_int_equal(0, vtr_assignments(copy, len, collect_assignment, &c, &err));
	assert_int_equal(0, vtr_fstab_parse(copy, len, collect_entry, &c, &err));
	vtr_str_done(&c.s);
	vtr_elf_arch((const uint8_t *)copy, len);
	for (l = (struct vtr_lines){ copy, copy + len }; vtr_lines_next(&l, &line, &line_len) > 0;)
		assert_true(line + line_len <= copy + len);
	if (len > 0)
		memcpy(db, text, len);
	db[len] = 0;
	if (vtr_dpkg_parse(os, db, len, &err) < 0)
		vtr_let_go(db);
	vtr_os_free(os);
	free(copy);
}

static void every_prefix_and_every_flip_is_read(void **state)
{
	static const char text[] = "PRETTY_NAME=\"A \\\"B\\\" 'C'\" # x\r\nID='a\\b'\nUUID=\"a b\" /\\040x ext4 ro\n\n"
				   "Package: a\nStatus: install ok installed\nSource: b (1.0)\nVersion: 1\n"
				   "Description: x\\y\xff\n more\n\n";
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	char copy[sizeof(text)];

	(void)state;
	assert_non_null(ctx);
	for (size_t len = 0; len < sizeof(text); len++) {
		parse_everything(text, len, ctx);
		parse_everything(text + len, sizeof(text) - 1 - len, ctx);
	}
	for (size_t at = 0; at + 1 < sizeof(text); at++) {
		static const char bytes[] = "\0\n\r\"'\\=:(# \xff";

		for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
			memcpy(copy, text, sizeof(text));
			copy[at] = bytes[i];
			parse_everything(copy, sizeof(text) - 1, ctx);
		}
	}
	vtr_ctx_unref(ctx);
}

/* Of this process alone: how busy the machine is does not matter. */
static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A megabyte of one short text after another: nothing takes time but in proportion. */
static void repeated_bytes_take_linear_time(void **state)
{
	static const char *const units[] = {
		"\"",
		"'",
		"\\",
		"\"\\",
		"A=\"\n",
		"A='\n",
		"A=\\\"\n",
		"A='\"\n",
		"A=\"'\n",
		"=\"",
		"a=' ",
		"\n",
		"\r\n",
		" ",
		"Package: \n",
		"Package: a\n",
		"(",
		"\xff",
		"Package: a\nStatus: x\n\n",
		"A=x\\\n",
		"a b c d\n",
		"\\040",
		"Package: \xff\nStatus: a b c\n\n",
		"#",
		":",
	};
	const size_t size = 1 << 20;
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	char *text = malloc(size);

	(void)state;
	assert_non_null(ctx);
	assert_non_null(text);
	for (size_t i = 0; i < VTR_COUNT(units); i++) {
		size_t len = strlen(units[i]);
		double start = seconds_now(), took;

		for (size_t at = 0; at < size; at++)
			text[at] = units[i][at % len];
		memcpy(text, "A=", 2);
		parse_everything(text, size, ctx);
		took = seconds_now() - start;
		if (took > 5) /* a quadratic one takes minutes */
			fail_msg("1 MiB of \"%s\" took %.1f s", units[i], took);
	}
	free(text);
	vtr_ctx_unref(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_with_lf_or_crlf),
		cmocka_unit_test(assignments_are_unquoted_as_the_shell_does),
		cmocka_unit_test(assignments_stop_when_told),
		cmocka_unit_test(fstab_lines_have_fields),
		cmocka_unit_test(fstab_names_find_devices),
		cmocka_unit_test(elf_headers_name_the_machine),
		cmocka_unit_test(facts_are_escaped_and_the_first_stays),
		cmocka_unit_test(every_prefix_and_every_flip_is_read),
		cmocka_unit_test(repeated_bytes_take_linear_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
