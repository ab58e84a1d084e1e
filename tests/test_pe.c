/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Headers and versions of programs. Those of the seeds are laid out by fuzz/seeds/mk-pe.py, but for "windres", which GNU
 * windres and ld 2.40 made; the expected values are what pefile 2023.2.7 reads of them. It leaves out the second of two
 * tables of strings: what that has is as windres was given it.
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
#include "inspect/pe.h"

static size_t pe_load(uint8_t *out, size_t size, const char *name)
{
	char path[256];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "fuzz/seeds/pe/%s", name);
	f = fopen(path, "rb");
	assert_non_null(f);
	n = fread(out, 1, size, f);
	fclose(f);
	assert_true(n > 0 && n < size);
	return n;
}

/* Read the program, and its version: what vtr_pe_read_version() returns, -1 as well when the headers are refused. */
static int pe_parse(struct vtr_pe *pe, struct vtr_pe_version *v, const uint8_t *p, size_t len, struct vtr_error *err)
{
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	VTR_UNREF struct vtr_blk *b = NULL;
	int rc;

	assert_non_null(ctx);
	assert_int_equal(0, vtr_blk_memory(&b, ctx, p, len, NULL));
	vtr_ctx_unref(ctx);
	rc = vtr_pe_read(pe, b, err);
	return rc < 0 ? -1 : vtr_pe_read_version(v, pe, b, err);
}

static const struct seed {
	const char *name, *arch;
	bool plus;
	unsigned sections;
	int has_version;
	uint16_t file[4];
	uint32_t flags;
	const char *company, *description, *file_version, *product_name, *product_version, *original_name;
} seeds[] = {
	{ "x86_64",
	  "x86_64",
	  true,
	  1,
	  1,
	  { 10, 0, 19041, 3803 },
	  0,
	  "Microsoft Corporation",
	  "NT Kernel & System",
	  "10.0.19041.3803 (WinBuild.160101.0800)",
	  "Microsoft\302\256 Windows\302\256 Operating System",
	  "10.0.19041.3803",
	  "ntkrnlmp.exe" },
	{ "i386",
	  "i386",
	  false,
	  1,
	  1,
	  { 5, 1, 2600, 5512 },
	  0,
	  "",
	  "",
	  "",
	  "Microsoft\302\256 Windows\302\256 Operating System",
	  "",
	  "" },
	{ "aarch64", "aarch64", true, 1, 1, { 10, 0, 22621, 1 }, 0, "", "", "", "", "", "" },
	{ "alpha", "alpha", false, 1, 1, { 4, 0, 1381, 4 }, 0, "", "", "", "", "", "" },
	{ "bare", "x86_64", true, 0, 0, { 0 }, 0, "", "", "", "", "", "" },
	/* Two tables of strings: each value is taken where it comes first. */
	{ "windres",
	  "x86_64",
	  true,
	  3,
	  1,
	  { 6, 3, 9600, 17031 },
	  2,
	  "Somebody",
	  "",
	  "6.3.9600.17031 (winblue)",
	  "A Product",
	  "",
	  "" },
};

static void pe_tells_versions(void **state)
{
	static uint8_t bytes[8192];

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(seeds); i++) {
		const struct seed *s = &seeds[i];
		struct vtr_pe_version v = { 0 };
		struct vtr_error err = { 0 };
		struct vtr_pe pe;
		size_t n = pe_load(bytes, sizeof(bytes), s->name);

		if (pe_parse(&pe, &v, bytes, n, &err) != s->has_version)
			fail_msg("%s: %s", s->name, err.text);
		assert_string_equal(s->arch, vtr_pe_arch(pe.machine));
		assert_int_equal(s->plus, pe.plus);
		assert_int_equal(s->sections, pe.n_sections);
		assert_int_equal(s->has_version, v.has_fixed);
		assert_memory_equal(s->file, v.file, sizeof(s->file));
		assert_memory_equal(s->file, v.product, sizeof(s->file));
		assert_int_equal(s->flags, v.flags);
		assert_string_equal(s->company, v.company);
		assert_string_equal(s->description, v.description);
		assert_string_equal(s->file_version, v.file_version);
		assert_string_equal(s->product_name, v.product_name);
		assert_string_equal(s->product_version, v.product_version);
		assert_string_equal(s->original_name, v.original_name);
	}
	assert_null(vtr_pe_arch(0xebc));
}

/*
 * The seed "i386": PE header at 0x80, optional header at 0x98, its directories at 0xf8, the section's header at 0x178,
 * resources at 0x200: tables at 0x200, 0x218 and 0x230, the leaf at 0x248, the version at 0x258.
 */
static const struct damage {
	size_t at, len;
	const char *bytes;
	int code;
	const char *text;
} damages[] = {
	{ 0x00, 1, "Z", VTR_ECORRUPT, "expected \"MZ\"" },
	{ 0x3c, 4, "\xff\xff\xff\x7f", VTR_ETRUNCATED, "PE header at 0x7fffffff" },
	{ 0x80, 2, "NE", VTR_EUNSUPPORTED, "kind NE" },
	{ 0x80, 2, "XY", VTR_ECORRUPT, "expected \"PE\"" },
	{ 0x86, 2, "\xff\xff", VTR_ETRUNCATED, "65535 sections" },
	{ 0x94, 2, "\xff\xff", VTR_ETRUNCATED, "optional header of 65535 bytes" },
	{ 0x94, 2, "\x01\x00", VTR_ETRUNCATED, "optional header at 0x98: 1 bytes" },
	{ 0x94, 2, "\x40\x00", VTR_ETRUNCATED, "64 bytes, expected 96" },
	{ 0x94, 2, "\x70\x00", VTR_ETRUNCATED, "16 directories in 112 bytes" },
	{ 0x98, 2, "\x07\x01", VTR_ECORRUPT, "magic 0x107" },
	{ 0x108, 4, "\x00\x00\x10\x00", VTR_ECORRUPT, "lie in no section" }, /* resources elsewhere */
	{ 0x10c, 4, "\x10\x00\x00\x00", VTR_ECORRUPT, "they end at 0x10" },  /* and too short */
	{ 0x188, 4, "\x10\x00\x00\x00", VTR_ECORRUPT, "lie in no section" }, /* SizeOfRawData */
	{ 0x18c, 4, "\x00\x10\x00\x00", VTR_ETRUNCATED, "at 0x1000" },	     /* PointerToRawData */
	{ 0x20e, 2, "\xff\xff", VTR_ELIMIT, "65535 resources in a table, limit 4096" },
	{ 0x214, 4, "\x18\x00\x00\x00", VTR_ECORRUPT, "level 1 ends at 0x18" },
	{ 0x244, 4, "\x48\x00\x00\x80", VTR_ECORRUPT, "a table below the languages" },
	{ 0x248, 4, "\x00\x00\x00\x00", VTR_ECORRUPT, "at address 0 lie" },
	{ 0x24c, 4, "\x01\x00\x01\x00", VTR_ECORRUPT, "65537 bytes, at most 65536" },
	{ 0x258, 2, "\xff\xff", VTR_ECORRUPT, "a node of 65535 bytes at 0" },
	{ 0x258, 2, "\x00\x00", VTR_ECORRUPT, "no VS_VERSION_INFO" },
	{ 0x25e, 2, "X\x00", VTR_ECORRUPT, "no VS_VERSION_INFO" },
	{ 0x280, 1, "\x00", VTR_ECORRUPT, "expected 0xfeef04bd" },
};

static void pe_names_the_damage(void **state)
{
	static uint8_t good[8192], bytes[8192];
	size_t n = pe_load(good, sizeof(good), "i386");

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(damages); i++) {
		const struct damage *d = &damages[i];
		struct vtr_pe_version v;
		struct vtr_error err = { 0 };
		struct vtr_pe pe;

		memcpy(bytes, good, n);
		memcpy(bytes + d->at, d->bytes, d->len);
		if (pe_parse(&pe, &v, bytes, n, &err) != -1 || err.code != d->code || !strstr(err.text, d->text))
			fail_msg("%#zx: %s: %s, expected %s: %s", d->at, vtr_code_name(err.code), err.text,
				 vtr_code_name(d->code), d->text);
	}
}

/* Cut anywhere it is told, or read: never more than there is. */
static void pe_is_cut(void **state)
{
	static uint8_t bytes[8192];

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(seeds); i++) {
		size_t n = pe_load(bytes, sizeof(bytes), seeds[i].name);

		for (size_t len = 0; len < n; len++) {
			struct vtr_pe_version v;
			struct vtr_error err = { 0 };
			struct vtr_pe pe;
			uint8_t *copy = malloc(len ? len : 1);

			assert_non_null(copy);
			memcpy(copy, bytes, len);
			if (pe_parse(&pe, &v, copy, len, &err) < 0)
				assert_true(err.code == VTR_ETRUNCATED || err.code == VTR_ECORRUPT);
			free(copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pe_tells_versions),
		cmocka_unit_test(pe_names_the_damage),
		cmocka_unit_test(pe_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
