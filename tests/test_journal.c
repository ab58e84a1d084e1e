/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of systemd's journal, against journalctl (252 when this was written) where it is installed: the small ones in
 * fuzz/seeds/journal, and thousands of entries that systemd-journal-remote writes, also with their fields compressed
 * anew by each method.
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
#include <lz4.h>
#include <lzma.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/text.h"

#define REMOTE "/lib/systemd/systemd-journal-remote"
#define ENTRIES 4000u

struct log {
	char text[8192];
};

static void log_warning(void *arg, const struct vtr_error *w)
{
	struct log *l = arg;
	size_t at = strlen(l->text);

	snprintf(l->text + at, sizeof(l->text) - at, "%s: %s\n", vtr_code_name(w->code), w->text);
}

static uint8_t *file_read(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p;
	long n;

	if (!f)
		return NULL;
	assert_int_equal(0, fseek(f, 0, SEEK_END));
	n = ftell(f);
	rewind(f);
	p = malloc((size_t)n + 1);
	assert_non_null(p);
	assert_int_equal(n, fread(p, 1, (size_t)n, f));
	fclose(f);
	*len = (size_t)n;
	return p;
}

static void file_write(const char *path, const uint8_t *p, size_t len)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(len, fwrite(p, 1, len, f));
	assert_int_equal(0, fclose(f));
}

static uint8_t *seed(const char *name, size_t *len)
{
	char path[300];
	uint8_t *p;

	snprintf(path, sizeof(path), "fuzz/seeds/journal/%s", name);
	p = file_read(path, len);
	assert_non_null(p);
	return p;
}

static int journal_of(struct vtr_journal **out, const uint8_t *p, size_t len, const struct vtr_limits *lim,
		      struct log *l, struct vtr_error *err)
{
	struct vtr_ctx *ctx = vtr_ctx_new(lim, NULL);
	struct vtr_blk *b = NULL;
	int r;

	memset(l, 0, sizeof(*l));
	vtr_ctx_on_warning(ctx, log_warning, l);
	assert_int_equal(0, vtr_blk_memory(&b, ctx, p, len, NULL));
	r = vtr_journal_open(out, b, err);
	vtr_blk_unref(b);
	vtr_ctx_unref(ctx);
	return r;
}

/* ------------------------------------------------------------------------------------------------- against journalctl */

/* One entry in the export format without its cursor: binary fields are always written with their length. */
static void entry_put(struct vtr_str *s, const struct vtr_journal_entry *e)
{
	vtr_str_putf(s, "__REALTIME_TIMESTAMP=%llu\n__MONOTONIC_TIMESTAMP=%llu\n_BOOT_ID=%s\n",
		     (unsigned long long)e->realtime, (unsigned long long)e->monotonic, e->boot_id);
	for (size_t i = 0; i < e->n_fields; i++) {
		const struct vtr_journal_field *f = &e->fields[i];

		assert_int_equal(f->name_len, strlen(f->name));
		assert_int_equal(0, ((const char *)f->value)[f->len]);
		if (strcmp(f->name, "_BOOT_ID") == 0)
			continue;
		vtr_str_putf(s, "%s %zu ", f->name, f->len);
		vtr_str_put(s, f->value, f->len);
		vtr_str_put(s, "\n", 1);
	}
	vtr_str_put(s, "\n", 1);
}

/* The same of journalctl's own export, from p on; what follows it. */
static const uint8_t *export_put(struct vtr_str *s, const uint8_t *p, const uint8_t *end)
{
	while (p < end && *p != '\n') {
		const uint8_t *nl = memchr(p, '\n', (size_t)(end - p)), *eq, *value;
		size_t n, len;

		assert_non_null(nl);
		eq = memchr(p, '=', (size_t)(nl - p));
		n = (size_t)((eq ? eq : nl) - p);
		if (eq) {
			value = eq + 1;
			len = (size_t)(nl - value);
		} else {
			assert_true(end - nl > 9);
			len = (size_t)vtr_get_le64(nl + 1);
			value = nl + 9;
			assert_true(len < (size_t)(end - value));
		}
		if (p[0] == '_' && p[1] == '_' && strncmp((const char *)p, "__CURSOR", 8) != 0)
			vtr_str_put(s, (const char *)p, (size_t)(nl + 1 - p));
		else if (n == 8 && memcmp(p, "_BOOT_ID", 8) == 0)
			vtr_str_put(s, (const char *)p, (size_t)(nl + 1 - p));
		else if (strncmp((const char *)p, "__CURSOR", 8) != 0) {
			vtr_str_put(s, (const char *)p, n);
			vtr_str_putf(s, " %zu ", len);
			vtr_str_put(s, (const char *)value, len);
			vtr_str_put(s, "\n", 1);
		}
		p = value + len + 1;
	}
	vtr_str_put(s, "\n", 1);
	return p + 1;
}

static bool there(const char *program)
{
	char command[300];

	snprintf(command, sizeof(command), "command -v %s >/dev/null", program);
	if (system(command) == 0)
		return true;
	print_message("SKIPPED: no %s\n", program);
	return false;
}

/* What journalctl has of a file, and what matches. The caller frees. */
static uint8_t *journalctl(const char *dir, const char *args, size_t *len)
{
	char command[600], path[300];
	uint8_t *p;

	snprintf(command, sizeof(command),
		 "cd %s && journalctl -q --file ./x.journal -o export -a %s >export 2>/dev/null", dir, args);
	assert_int_equal(0, system(command));
	snprintf(path, sizeof(path), "%s/export", dir);
	p = file_read(path, len);
	assert_non_null(p);
	return p;
}

/* All entries of a journal, or those that were found by a field. The count. */
static size_t compare(const char *dir, const uint8_t *image, size_t image_len, const char *field, bool whole)
{
	struct vtr_journal *j = NULL;
	struct vtr_error err = { 0 };
	struct vtr_journal_entry e;
	char path[300];
	const uint8_t *at, *end;
	uint64_t *list = NULL;
	uint8_t *p;
	struct log l;
	size_t len, n = 0;
	ssize_t found = 0;

	snprintf(path, sizeof(path), "%s/x.journal", dir);
	file_write(path, image, image_len);
	p = journalctl(dir, field ? field : "", &len);
	at = p;
	end = p + len;
	if (journal_of(&j, image, image_len, NULL, &l, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(vtr_journal_info(j)->whole == whole);
	if (field)
		found = vtr_journal_find(&list, j, field, strlen(field), &err);
	assert_true(found >= 0);
	while (at < end) {
		struct vtr_str want = { 0 }, got = { 0 };

		at = export_put(&want, at, end);
		if (field) {
			assert_true(n < (size_t)found);
			assert_int_equal(0, vtr_journal_read(&e, j, list[n], &err));
		} else {
			assert_int_equal(1, vtr_journal_next(&e, j, &err));
			assert_int_equal(n, e.index);
		}
		entry_put(&got, &e);
		if (want.len != got.len || memcmp(want.p, got.p, got.len) != 0)
			fail_msg("entry %zu: \"%s\", journalctl has \"%s\"", n, got.p, want.p);
		vtr_str_done(&want);
		vtr_str_done(&got);
		n++;
	}
	if (field)
		assert_int_equal(found, n);
	else
		assert_int_equal(0, vtr_journal_next(&e, j, &err));
	assert_true(!whole || l.text[0] == 0);
	free(list);
	vtr_journal_close(j);
	free(p);
	return n;
}

static void small_journals_are_read_as_journalctl_reads_them(void **state)
{
	static const struct {
		const char *name;
		size_t n;
	} all[] = { { "regular", 7 }, { "keyed", 7 }, { "compact", 7 }, { "xz", 4 },
		    { "lz4", 4 },     { "zstd", 4 },  { "empty", 0 },	{ "online", 3 } };
	static const char *const fields[] = {
		"PRIORITY=0",	   "_HOSTNAME=www", "SYSLOG_IDENTIFIER=id1", "_SYSTEMD_UNIT=u2.service",
		"MESSAGE=nothing", "TWICE=one"
	};
	char dir[] = "/tmp/vitrine-journal-XXXXXX", command[100];

	(void)state;
	if (!there("journalctl"))
		skip();
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < VTR_COUNT(all); i++) {
		size_t len;
		uint8_t *p = seed(all[i].name, &len);

		assert_int_equal(all[i].n, compare(dir, p, len, NULL, true));
		for (size_t k = 0; k < VTR_COUNT(fields); k++)
			compare(dir, p, len, fields[k], true);
		free(p);
	}
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(0, system(command));
}

/* What systemd-journal-remote is given: repeated, long, binary and empty values, and names that come twice. */
static void export_write(const char *path)
{
	FILE *f = fopen(path, "wb");
	uint32_t random = 12345;

	assert_non_null(f);
	for (uint32_t i = 0; i < ENTRIES; i++) {
		fprintf(f, "__REALTIME_TIMESTAMP=%llu\n__MONOTONIC_TIMESTAMP=%u\n_BOOT_ID=%032u\n",
			1714979289000000ull + i * 1003ull, i * 1003, 1 + i / 1500);
		fprintf(f,
			"_HOSTNAME=www\nPRIORITY=%u\nSYSLOG_IDENTIFIER=id%u\n_SYSTEMD_UNIT=u%u.service\nMESSAGE=number %u\nEMPTY=\n",
			i % 8, i % 50, i % 7, i);
		if (i % 3 == 0)
			fprintf(f, "TWICE=one\nTWICE=two %u\n", i);
		if (i % 10 == 0) {
			uint64_t len = i % 100 == 0 ? 70000 : 700;

			fputs("BINARY\n", f);
			for (unsigned k = 0; k < 8; k++)
				fputc((int)(len >> 8 * k & 0xff), f);
			for (uint64_t k = 0; k < len; k++) {
				random = random * 1103515245 + 12345;
				fputc(k % 16 < 12 ? (int)(i % 251) : (int)(random >> 16 & 0xff), f);
			}
			fputc('\n', f);
		}
		if (i % 11 == 0) {
			fputs("LONG=", f);
			for (unsigned k = 0; k < 300 + i % 1000; k++)
				fprintf(f, "%u,", k % 10);
			fputc('\n', f);
		}
		fputc('\n', f);
	}
	assert_int_equal(0, fclose(f));
}

/* A payload compressed; 0: it does not get smaller. out has as many bytes as in. */
static size_t packed(uint8_t *out, const uint8_t *in, size_t len, int method)
{
	size_t n = 0;

	if (len < 100)
		return 0;
	if (method == 1) {
		lzma_options_lzma o;
		lzma_filter f[] = { { LZMA_FILTER_LZMA2, &o }, { LZMA_VLI_UNKNOWN, NULL } };

		assert_false(lzma_lzma_preset(&o, LZMA_PRESET_DEFAULT));
		if (lzma_stream_buffer_encode(f, LZMA_CHECK_NONE, NULL, in, len, out, &n, len - 1) != LZMA_OK)
			return 0;
	} else if (method == 2) {
		int got = LZ4_compress_default((const char *)in, (char *)out + 8, (int)len, (int)len - 9);

		for (unsigned k = 0; k < 8; k++)
			out[k] = (uint8_t)((uint64_t)len >> 8 * k);
		n = got > 0 ? (size_t)got + 8 : 0;
	} else {
		n = ZSTD_compress(out, len - 1, in, len, 3);
		if (ZSTD_isError(n))
			return 0;
	}
	return n;
}

/* Compress what is long in a journal without compression, each object where it lies. The count. */
static size_t pack_all(uint8_t *image, size_t image_len, int method)
{
	size_t head = image[12] & 16 ? 72 : 64, n = 0;
	uint8_t *out = malloc(1 << 20);

	assert_non_null(out);
	image[12] |= (uint8_t)(method == 4 ? 8 : method);
	for (size_t at = (size_t)vtr_get_le64(image + 0x58); at + 16 < image_len && image[at] != 0;) {
		size_t len = (size_t)vtr_get_le64(image + at + 8), got;

		if (image[at] == 1 && image[at + 1] == 0 &&
		    (got = packed(out, image + at + head, len - head, method)) > 0) {
			memcpy(image + at + head, out, got);
			image[at + 1] = (uint8_t)method;
			for (unsigned k = 0; k < 8; k++)
				image[at + 8 + k] = (uint8_t)((uint64_t)(head + got) >> 8 * k);
			n++;
		}
		at += (len + 7) & ~(size_t)7;
	}
	free(out);
	return n;
}

static void thousands_of_entries_are_read_as_journalctl_reads_them(void **state)
{
	static const char *const fields[] = { "PRIORITY=3", "SYSLOG_IDENTIFIER=id49", "TWICE=one",
					      "_SYSTEMD_UNIT=u6.service" };
	char dir[] = "/tmp/vitrine-journal-XXXXXX", command[600], path[300];
	size_t n = 0;

	(void)state;
	if (!there("journalctl") || !there(REMOTE))
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/in", dir);
	export_write(path);
	for (int kind = 0; kind < 4; kind++) {
		for (int method = 0; method <= 4; method = method ? method * 2 : 1) {
			uint8_t *image;
			size_t len;

			snprintf(
				command, sizeof(command),
				"cd %s && rm -f made.journal && SYSTEMD_JOURNAL_KEYED_HASH=%d SYSTEMD_JOURNAL_COMPACT=%d " REMOTE
				" --split-mode=none --compress=no -o made.journal in >/dev/null 2>&1",
				dir, kind & 1, kind >> 1);
			assert_int_equal(0, system(command));
			snprintf(path, sizeof(path), "%s/made.journal", dir);
			image = file_read(path, &len);
			assert_non_null(image);
			if (method)
				assert_true(pack_all(image, len, method) > 300);
			assert_int_equal(ENTRIES, compare(dir, image, len, NULL, true));
			n += ENTRIES;
			for (size_t k = 0; method == 4 && k < VTR_COUNT(fields); k++)
				n += compare(dir, image, len, fields[k], true);
			free(image);
		}
	}
	/* As it compresses by itself. */
	snprintf(command, sizeof(command),
		 "cd %s && rm -f made.journal && " REMOTE
		 " --split-mode=none --compress=yes -o made.journal in >/dev/null 2>&1",
		 dir);
	assert_int_equal(0, system(command));
	snprintf(path, sizeof(path), "%s/made.journal", dir);
	{
		size_t len;
		uint8_t *image = file_read(path, &len);

		n += compare(dir, image, len, NULL, true);
		free(image);
	}
	print_message("%zu entries are as journalctl has them\n", n);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(0, system(command));
}

/* -------------------------------------------------------------------------------------------------------- damage */

/* The n-th object of a type in a seed. */
static size_t object(const uint8_t *p, size_t len, int type, size_t n)
{
	for (size_t at = 272; at + 16 <= len; at += (vtr_get_le64(p + at + 8) + 7) & ~7ull)
		if (p[at] == type && n-- == 0)
			return at;
	fail();
	return 0;
}

static void the_header_names_its_damage(void **state)
{
	static const struct {
		size_t at;
		uint8_t byte;
		int code;
		const char *text;
	} damages[] = {
		{ 0x00, 'X', VTR_ECORRUPT, "its signature is missing" },
		{ 0x0c, 0x20, VTR_EUNSUPPORTED, "incompatible flags 0x20, known are 0x1f" },
		{ 0x58, 0x11, VTR_ECORRUPT, "journal header: 273 bytes" },
		{ 0x5b, 0x01, VTR_ECORRUPT, "journal header: 16777488 bytes" },
	};
	size_t len;
	uint8_t *p = seed("regular", &len);

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(damages); i++) {
		struct vtr_journal *j = NULL;
		struct vtr_error err = { 0 };
		uint8_t before = p[damages[i].at];
		struct log l;

		p[damages[i].at] = damages[i].byte;
		assert_int_equal(-1, journal_of(&j, p, len, NULL, &l, &err));
		assert_null(j);
		assert_int_equal(damages[i].code, err.code);
		if (!strstr(err.text, damages[i].text))
			fail_msg("\"%s\" has no \"%s\"", err.text, damages[i].text);
		p[damages[i].at] = before;
	}
	free(p);
}

/* Damage at a byte of the n-th object of a type: what is said, and how many entries and fields are still there. */
static void objects_name_their_damage(void **state)
{
	static const struct {
		int type;
		size_t n, at;
		uint8_t byte;
		const char *text;
		size_t entries, fields;
	} damages[] = {
		/* 7 entries of 7 fields each, and of 2 + 1 * 2 + 2 * 2 more. */
		{ 1, 0, 64, 'X', "its hash does not fit", 7, 57 },
		{ 1, 0, 1, 1, "XZ: the data is damaged", 7, 57 },
		{ 1, 0, 1, 2, "LZ4: ", 7, 57 },
		{ 1, 0, 1, 4, "Zstandard: no frame", 7, 57 },
		{ 1, 0, 1, 3, "compression flags 0x3", 7, 57 },
		{ 1, 0, 0, 2, "type 2, expected 1", 7, 57 },
		{ 1, 0, 8, 63, "63 bytes, expected at least 64", 7, 57 },
		{ 1, 0, 11, 1, "the journal ends after", 7, 57 },
		{ 3, 2, 0, 9, "type 9, expected 3", 6, 49 },
		{ 3, 2, 8, 40, "40 bytes, expected at least 64", 6, 49 },
		{ 3, 2, 65, 0xff, "", 7, 57 }, /* the first item's place */
		/* Of the chain of arrays, the second: what the chain has lost, the walk over all objects finds. */
		{ 6, 0, 24, 0x01, "", 7, 58 },
		{ 6, 0, 16, 0x08, "", 7, 58 },
	};
	size_t len;
	uint8_t *p = seed("regular", &len);

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(damages); i++) {
		size_t at = object(p, len, damages[i].type, damages[i].n) + damages[i].at, entries = 0, fields = 0;
		struct vtr_journal *j = NULL;
		struct vtr_journal_entry e;
		struct vtr_error err = { 0 };
		uint8_t before = p[at];
		struct log l;

		p[at] = damages[i].byte;
		assert_int_equal(0, journal_of(&j, p, len, NULL, &l, &err));
		while (vtr_journal_next(&e, j, &err) == 1) {
			entries++;
			fields += e.n_fields;
		}
		if (!strstr(l.text, damages[i].text) || l.text[0] == 0 || entries != damages[i].entries ||
		    fields != damages[i].fields)
			fail_msg("damage %zu: %zu entries, %zu fields, \"%s\"", i, entries, fields, l.text);
		vtr_journal_close(j);
		p[at] = before;
	}
	free(p);
}

static void a_cut_journal_is_read_as_far_as_it_goes(void **state)
{
	size_t len, most = 0;
	uint8_t *p = seed("compact", &len);

	(void)state;
	for (size_t cut = 0; cut <= len; cut += 8) {
		struct vtr_journal *j = NULL;
		struct vtr_journal_entry e;
		struct vtr_error err = { 0 };
		struct log l;
		size_t n = 0;

		if (journal_of(&j, p, cut, NULL, &l, &err) < 0) {
			assert_true(cut < 272);
			continue;
		}
		assert_true(vtr_journal_info(j)->whole == (cut == len));
		assert_true(cut == len || strstr(l.text, "its header says"));
		while (vtr_journal_next(&e, j, &err) == 1)
			n++;
		assert_true(n >= most);
		most = n;
		vtr_journal_close(j);
	}
	assert_int_equal(7, most);
	free(p);
}

static void limits_are_named(void **state)
{
	struct vtr_limits lim;
	struct vtr_journal *j = NULL;
	struct vtr_journal_entry e;
	struct vtr_error err = { 0 };
	struct log l;
	size_t len, n = 0;
	uint8_t *p = seed("xz", &len);

	(void)state;
	vtr_limits_default(&lim);
	lim.metadata = 16;
	assert_int_equal(-1, journal_of(&j, p, len, &lim, &l, &err));
	assert_int_equal(VTR_ELIMIT, err.code);
	assert_non_null(strstr(err.text, "metadata=16"));
	vtr_limits_default(&lim);
	lim.steps = 12;
	assert_int_equal(0, journal_of(&j, p, len, &lim, &l, &err));
	assert_int_equal(-1, vtr_journal_next(&e, j, &err));
	assert_int_equal(VTR_ELIMIT, err.code);
	assert_non_null(strstr(err.text, "steps=12"));
	vtr_journal_close(j);
	/* One field too large costs that field. */
	vtr_limits_default(&lim);
	lim.alloc = 1000;
	assert_int_equal(0, journal_of(&j, p, len, &lim, &l, &err));
	while (vtr_journal_next(&e, j, &err) == 1)
		n++;
	assert_int_equal(4, n);
	assert_non_null(strstr(l.text, "alloc=1000"));
	assert_int_equal(-1, vtr_journal_stamp(&e, j, 4, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	vtr_journal_close(j);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_journals_are_read_as_journalctl_reads_them),
		cmocka_unit_test(thousands_of_entries_are_read_as_journalctl_reads_them),
		cmocka_unit_test(the_header_names_its_damage),
		cmocka_unit_test(objects_name_their_damage),
		cmocka_unit_test(a_cut_journal_is_read_as_far_as_it_goes),
		cmocka_unit_test(limits_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
