/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The package databases that are text or directories: apk's, pacman's, Portage's and opkg's, and which of a system's
 * databases is read. What is expected is what was written, or what grep finds in files of other projects.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/hostfile.h"
#include "fs/fs.h"
#include "inspect/packages.h"

struct read {
	struct vtr_ctx *ctx;
	struct vtr_os *os;
	struct vtr_error err, warning;
	unsigned warnings;
	int rc;
};

static void warning_keep(void *arg, const struct vtr_error *w)
{
	struct read *r = arg;

	if (r->warnings++ == 0)
		r->warning = *w;
}

static void read_init(struct read *r, struct vtr_fs *fs, const struct vtr_limits *lim)
{
	*r = (struct read){ .ctx = vtr_ctx_new(lim, NULL) };
	assert_non_null(r->ctx);
	vtr_ctx_on_warning(r->ctx, warning_keep, r);
	r->os = vtr_os_new(r->ctx, "/dev/sda1", fs, NULL);
	assert_non_null(r->os);
}

/* dir NULL: apk's installed, else pacman's desc. */
static void read_text(struct read *r, const char *dir, const char *text, size_t len, const struct vtr_limits *lim)
{
	struct vtr_packages l = { .path = "db" };
	char *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	read_init(r, NULL, lim);
	l.os = r->os;
	r->rc = dir ? vtr_pacman_parse(&l, dir, copy, len, &r->err) : vtr_apk_parse(&l, copy, len, &r->err);
	vtr_packages_finish(&l, r->rc);
	free(copy);
}

static void read_done(struct read *r)
{
	vtr_os_free(r->os);
	vtr_ctx_unref(r->ctx);
}

static char *packages_text(const struct vtr_os *os)
{
	struct vtr_str s = { 0 };
	const struct vtr_package *p;

	for (size_t i = 0; (p = vtr_os_package(os, i)); i++)
		vtr_str_putf(&s, "%s|%s|%s|%s|%llu|%lld|%s\n", p->name, p->version, p->arch, p->source ? p->source : "",
			     (unsigned long long)p->installed_size, (long long)p->install_time,
			     p->summary ? p->summary : "");
	vtr_str_put(&s, "", 0);
	return vtr_str_take(&s, NULL);
}

static void packages_check(struct read *r, const char *want, const char *warning)
{
	char *got = packages_text(r->os);

	if (r->rc < 0)
		fail_msg("%s", r->err.text);
	if (strcmp(want, got) != 0)
		fail_msg("\"%s\", expected \"%s\"", got, want);
	if (warning ? !strstr(r->warning.text, warning) : r->warnings > 0)
		fail_msg("warning \"%s\", expected \"%s\"", r->warning.text, warning ? warning : "");
	free(got);
	read_done(r);
}

static void apk_is_read_and_its_damage_named(void **state)
{
#define GOOD "P:good\nV:1-r0\nA:x86_64\n\n"
#define GOOD_LISTED "good|1-r0|x86_64||0|0|\n"
	static const struct {
		const char *text, *listed, *warning;
	} cases[] = {
		{ "C:Q1v4=\nP:musl\nV:1.2.4-r4\nA:aarch64\nS:4\nI:667648\nT:the C: library\nU:x\no:musl-src\nt:1699271358\n"
		  "D:so:a\np:P:1\nF:lib\nR:a\na:0:0:755\nP:not me\nM:0:0:1777\n\n" GOOD,
		  GOOD_LISTED "musl|1.2.4-r4|aarch64|musl-src|667648|0|the C: library\n", NULL },
		{ "", "", NULL },
		{ "\n\n\n" GOOD "\n\n", GOOD_LISTED, NULL },
		{ "P:good\r\nV:1-r0\r\nA:x86_64\r\n", GOOD_LISTED, NULL },
		{ "this is a corrupt db\n\n" GOOD, GOOD_LISTED, "byte 0: a line that is no field" },
		{ "V:1\nA:x\n\n" GOOD, GOOD_LISTED, "byte 0: a record without a name" },
		{ GOOD "P:\nV:1\n", GOOD_LISTED, "byte 24: a record without a name" },
		{ "P:a\nP:b\n", "a||||0|0|\n", "byte 4: a second P" },
		{ "P:a\nI:12x\n", "a||||0|0|\n", NULL },
		{ "P:a\x1b\nV:\xff\n", "a\\x1B|\\xFF|||0|0|\n", NULL },
	};
	struct read r;

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		read_text(&r, NULL, cases[i].text, strlen(cases[i].text), NULL);
		packages_check(&r, cases[i].listed, cases[i].warning);
	}
}

static void pacman_is_read_and_its_damage_named(void **state)
{
	static const struct {
		const char *text, *listed, *warning;
	} cases[] = {
		{ "%NAME%\nlibx\n\n%VERSION%\n1:2-3\n\n%BASE%\nx\n\n%DESC%\nA lib\n\n%ARCH%\nany\n\n%BUILDDATE%\n1\n\n"
		  "%INSTALLDATE%\n1733011443\n\n%SIZE%\n4002425\n\n%DEPENDS%\n%NAME%\na\n\n%LICENSE%\nMIT\nGPL\n",
		  "libx|1:2-3|any|x|4002425|1733011443|A lib\n", NULL },
		{ "", "d|1-2|||0|0|\n", "d-1-2/desc has no name" },
		{ "%NAME%\nd\n", "d|1-2|||0|0|\n", "d-1-2/desc has no version" },
		{ "x\n%NAME%\nd\n\n%VERSION%\n9-9\n", "d|9-9|||0|0|\n", "byte 0: no field starts here" },
		{ "%NAME%\n\n%VERSION%\n9-9\n\n", "d|1-2|||0|0|\n", "d-1-2/desc has no name" },
		{ "%NAME%\nd\n\n%VERSION%\n9-9\n\n%SIZE%\n99999999999999999999\n\n%INSTALLDATE%\n18446744073709551615\n",
		  "d|9-9|||0|9223372036854775807|\n", NULL },
	};
	struct read r;

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		read_text(&r, "d-1-2", cases[i].text, strlen(cases[i].text), NULL);
		packages_check(&r, cases[i].listed, cases[i].warning);
	}
}

static void limits_are_kept_and_named(void **state)
{
	struct vtr_limits lim;
	struct read r;

	(void)state;
	vtr_limits_default(&lim);
	lim.packages = 1;
	read_text(&r, NULL, "P:a\n\nP:b\n", 9, &lim);
	assert_int_equal(-1, r.rc);
	assert_int_equal(VTR_ELIMIT, r.err.code);
	assert_non_null(strstr(r.err.text, "limit packages=1"));
	assert_null(vtr_os_package(r.os, 0));
	read_done(&r);

	vtr_limits_default(&lim);
	lim.line = 3;
	read_text(&r, NULL, "P:a\nV:1234\n\nP:bcde\n", 19, &lim);
	assert_int_equal(2, r.warnings);
	assert_int_equal(VTR_ELIMIT, r.warning.code);
	packages_check(&r, "a||||0|0|\n", "a version of 4 bytes, limit line=3");

	vtr_limits_default(&lim);
	lim.metadata = 100;
	read_text(&r, NULL, "P:a\n", 4, &lim);
	assert_int_equal(-1, r.rc);
	assert_int_equal(VTR_ELIMIT, r.err.code);
	read_done(&r);
}

static void warnings_of_many_records_are_few(void **state)
{
	struct vtr_str s = { 0 };
	struct read r;

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		vtr_str_puts(&s, "V:1\n\n");
	read_text(&r, NULL, s.p, s.len, NULL);
	assert_int_equal(0, r.rc);
	assert_int_equal(11, r.warnings); /* ten of a kind, and how many packages were left out */
	read_done(&r);
	vtr_str_done(&s);
}

/* ------------------------------------------------------------------------------------------------------ the corpus */

static char *command_read(const char *command)
{
	struct vtr_str s = { 0 };
	FILE *f = popen(command, "r");
	char buf[65536];
	size_t got;

	assert_non_null(f);
	while ((got = fread(buf, 1, sizeof(buf), f)) > 0)
		vtr_str_put(&s, buf, got);
	assert_int_equal(0, pclose(f));
	vtr_str_put(&s, "", 0);
	return vtr_str_take(&s, NULL);
}

static void the_corpus_is_read(void **state)
{
	static const struct {
		const char *name;
		unsigned packages, warnings; /* grep -c ^P: */
	} known[] = {
		{ "5437f4-syft-installed.xz", 14, 0 }, { "68f790-syft-installed", 1, 1 },
		{ "fa2339-syft-installed", 4, 0 },     { "osv-scalibr-installed.xz", 15, 0 },
		{ "osv-scalibr-single", 1, 0 },
	};
	const char *corpus = getenv("VITRINE_CORPUS");
	char command[512], *text, *names, *got;
	struct read r;

	(void)state;
	if (!corpus) {
		print_message("SKIPPED: no corpus in VITRINE_CORPUS\n");
		skip();
	}
	for (size_t i = 0; i < VTR_COUNT(known); i++) {
		struct vtr_str s = { 0 };
		const struct vtr_package *p;

		snprintf(command, sizeof(command), "xz -dcf '%s/pkgdb/%s'", corpus, known[i].name);
		text = command_read(command);
		snprintf(
			command, sizeof(command),
			"xz -dcf '%s/pkgdb/%s' | sed -n 's/^P://p; s/^V:\\(.*\\)/=\\1/p' | paste -sd ' ' | sed 's/ =/=/g' | "
			"tr ' ' '\\n' | LC_ALL=C sort -t= -k1,1",
			corpus, known[i].name);
		names = command_read(command);
		read_text(&r, NULL, text, strlen(text), NULL);
		assert_int_equal(0, r.rc);
		assert_int_equal(known[i].warnings, r.warnings);
		assert_int_equal(known[i].packages, r.os->n_packages);
		for (size_t j = 0; (p = vtr_os_package(r.os, j)); j++)
			vtr_str_putf(&s, "%s=%s\n", p->name, p->version);
		got = vtr_str_take(&s, NULL);
		assert_string_equal(names, got);
		read_done(&r);
		free(got);
		free(names);
		free(text);
	}
	snprintf(command, sizeof(command), "cat '%s/pkgdb/osv-scalibr-valid_no_dep'", corpus);
	text = command_read(command);
	read_text(&r, "libxml2-2.13.5-1", text, strlen(text), NULL);
	packages_check(&r, "libxml2|2.13.5-1|x86_64|libxml2|4002425|1733011443|XML C parser and toolkit\n", NULL);
	free(text);
}

/* ------------------------------------------------------------------------------------------------------ whole trees */

/* What a system of this package format lists, whose tree a shell script makes in the current directory. */
static void tree_check(const char *format, const char *script, const char *want, const char *warning)
{
	char dir[] = "/tmp/vitrine-packages-XXXXXX", command[4096];
	VTR_UNREF struct vtr_blk *b = NULL;
	VTR_FS_UNREF struct vtr_fs *fs = NULL;
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct vtr_error err = { 0 };
	struct read r;
	ssize_t n;

	assert_non_null(mkdtemp(dir));
	snprintf(command, sizeof(command),
		 "PATH=$PATH:/usr/sbin:/sbin; set -e; mkdir %s/tree; cd %s/tree; { %s; }; cd ..; "
		 "mke2fs -q -t ext4 -d tree image 2048 >/dev/null",
		 dir, dir, script);
	if (system(command) != 0)
		fail_msg("%s", command);
	snprintf(command, sizeof(command), "%s/image", dir);
	if (vtr_hostfile_open(&b, ctx, command, &err) < 0 || vtr_fs_open(&fs, b, NULL, &err) < 0)
		fail_msg("%s", err.text);
	read_init(&r, fs, NULL);
	assert_int_equal(0, vtr_os_add_fact(r.os, "package_format", format, strlen(format), "/x", NULL));
	n = vtr_os_read_packages(r.os, &r.err);
	r.rc = n < 0 ? -1 : 0;
	assert_int_equal(n, vtr_os_read_packages(r.os, NULL));
	if (warning && n < 0) {
		if (!strstr(r.err.text, warning))
			fail_msg("\"%s\", expected \"%s\"", r.err.text, warning);
		read_done(&r);
	} else {
		packages_check(&r, want, warning);
	}
	vtr_ctx_unref(ctx);
	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	assert_int_equal(0, system(command));
}

static bool mke2fs_there(void)
{
	if (system("PATH=$PATH:/usr/sbin:/sbin; command -v mke2fs >/dev/null") == 0)
		return true;
	print_message("SKIPPED: no mke2fs to make filesystems with\n");
	return false;
}

static void databases_are_found_in_trees(void **state)
{
	(void)state;
	if (!mke2fs_there())
		skip();
	tree_check("apk", "mkdir -p lib/apk/db; printf 'P:a\\nV:1\\n' >lib/apk/db/installed", "a|1|||0|0|\n", NULL);
	tree_check("apk", "mkdir -p usr/lib/apk/db; printf 'P:b\\nV:1\\n' >usr/lib/apk/db/installed", "b|1|||0|0|\n",
		   NULL);
	tree_check("apk", "true", "", NULL);
	tree_check(
		"pacman",
		"mkdir -p var/lib/pacman/local; cd var/lib/pacman/local; echo 9 >ALPM_DB_VERSION; mkdir b-2-1 a-b-1:0-1; "
		"printf '%%NAME%%\\nb\\n\\n%%VERSION%%\\n2-1\\n' >b-2-1/desc; cd ../../../..",
		"a-b|1:0-1|||0|0|\nb|2-1|||0|0|\n", "a-b-1:0-1/desc has no name");
	tree_check(
		"ebuild",
		"mkdir -p var/db/pkg/sys-libs/glibc-2.38-r1 var/db/pkg/app-misc/a-b-1.0_p2 var/db/pkg/app-misc/-MERGING-x-1 "
		"var/db/pkg/app-misc/none; cd var/db/pkg/sys-libs/glibc-2.38-r1; echo 1234 >SIZE; "
		"echo 'GNU libc' >DESCRIPTION; echo x86_64-pc-linux-gnu >CHOST; cd ../../../../..",
		"app-misc/a-b|1.0_p2|||0|0|\nsys-libs/glibc|2.38-r1|x86_64||1234|0|GNU libc\n",
		"app-misc/none has no version");
	tree_check("opkg",
		   "mkdir -p usr/lib/opkg; printf 'Package: o\\nVersion: 1\\nStatus: install user installed\\n"
		   "Architecture: mips\\nInstalled-Size: 4096\\nInstalled-Time: 1700000000\\n' >usr/lib/opkg/status",
		   "o|1|mips||4096|1700000000|\n", NULL);
	tree_check(
		"deb",
		"mkdir -p var/lib/dpkg; printf 'Package: d\\nVersion: 1\\nStatus: a b installed\\nInstalled-Size: 4\\n' "
		">var/lib/dpkg/status",
		"d|1|||4096|0|\n", NULL);
	tree_check("xbps", "true", "", "packages of format xbps are not read");
	tree_check("rpm", "true", "", NULL);
	tree_check("rpm", "mkdir -p var/lib/rpm; echo x >var/lib/rpm/Packages.db", "",
		   "/dev/sda1: /var/lib/rpm/Packages.db: 32 bytes at 0");
}

/* The whole way to rpm's database: with a log beside it, and an empty one before it. */
static void rpm_is_found_in_trees(void **state)
{
	(void)state;
	if (!mke2fs_there())
		skip();
	if (system("python3 -c 'import sqlite3'") != 0) {
		print_message("SKIPPED: no python3 with sqlite3\n");
		skip();
	}
	/* A header with a name and a version, of two entries; "x" in the file and "y" in the log. */
#define PYTHON(path)                                                                                                   \
	"mkdir -p " path "; python3 -c '\n"                                                                            \
	"import sqlite3, struct, os\n"                                                                                 \
	"c = sqlite3.connect(\"" path "/rpmdb.sqlite\", isolation_level=None)\n"                                       \
	"c.execute(\"PRAGMA journal_mode=WAL\"); c.execute(\"PRAGMA wal_autocheckpoint=0\")\n"                         \
	"c.execute(\"CREATE TABLE Packages(hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)\")\n"           \
	"def add(n):\n"                                                                                                \
	"  h = struct.pack(\">10I\", 2, 4, 1000, 6, 0, 1, 1001, 6, 2, 1) + n + b\"\\0\" + b\"1\\0\"\n"                 \
	"  c.execute(\"INSERT INTO Packages(blob) VALUES(?)\", (h,))\n"                                                \
	"add(b\"x\"); c.execute(\"PRAGMA wal_checkpoint(RESTART)\"); add(b\"y\")\n"                                    \
	"os._exit(0)'; rm " path "/rpmdb.sqlite-shm"
	tree_check("rpm", PYTHON("var/lib/rpm"), "x|1|||0|0|\ny|1|||0|0|\n", NULL);
	tree_check("rpm", PYTHON("usr/lib/sysimage/rpm") "; mkdir -p var/lib/rpm; : >var/lib/rpm/Packages",
		   "x|1|||0|0|\ny|1|||0|0|\n", NULL);
	tree_check("rpm",
		   PYTHON("usr/share/rpm") "; cd usr/share/rpm; rm *-wal; echo x >rpmdb.sqlite-journal; cd ../../..",
		   "x|1|||0|0|\n", "rollback journal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(apk_is_read_and_its_damage_named),
		cmocka_unit_test(pacman_is_read_and_its_damage_named),
		cmocka_unit_test(limits_are_kept_and_named),
		cmocka_unit_test(warnings_of_many_records_are_few),
		cmocka_unit_test(the_corpus_is_read),
		cmocka_unit_test(databases_are_found_in_trees),
		cmocka_unit_test(rpm_is_found_in_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
