/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/part_images.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/hostfile.h"

/* What tools print and make depends on none of the user's settings. tests/environment.sh does the same for scripts. */
__attribute__((constructor)) static void part_environment(void)
{
	static const char *const unset[] = { "LANGUAGE",  "POSIXLY_CORRECT", "SOURCE_DATE_EPOCH",
					     "BLOCKSIZE", "BLOCK_SIZE",	     "TAR_OPTIONS",
					     "XZ_OPT",	  "XZ_DEFAULTS" };

	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("TZ", "UTC", 1);
	for (size_t i = 0; i < VTR_COUNT(unset); i++)
		unsetenv(unset[i]);
	umask(022);
}

static void part_warning(void *arg, const struct vtr_error *w)
{
	struct part_opened *o = arg;
	size_t at = strlen(o->said);

	snprintf(o->said + at, sizeof(o->said) - at, "%s: %s\n", w->code ? vtr_code_name(w->code) : "note", w->text);
}

static void part_start(struct part_opened *o, const struct vtr_limits *limits)
{
	memset(o, 0, sizeof(*o));
	o->ctx = vtr_ctx_new(limits, NULL);
	assert_non_null(o->ctx);
	vtr_ctx_on_warning(o->ctx, part_warning, o);
}

void part_open(struct part_opened *o, const void *bytes, size_t len, unsigned sector, const struct vtr_limits *limits)
{
	part_start(o, limits);
	assert_int_equal(0, vtr_blk_memory(&o->disk, o->ctx, bytes, len, NULL));
	o->rc = vtr_partitions_open(&o->t, o->disk, sector, &o->err);
}

void part_open_as(struct part_opened *o, const void *bytes, size_t len, const char *scheme, unsigned sector)
{
	part_start(o, NULL);
	assert_int_equal(0, vtr_blk_memory(&o->disk, o->ctx, bytes, len, NULL));
	o->rc = vtr_partitions_open_as(&o->t, o->disk, scheme, sector, &o->err);
}

void part_open_file(struct part_opened *o, const char *path, unsigned sector)
{
	part_start(o, NULL);
	assert_int_equal(0, vtr_hostfile_open(&o->disk, o->ctx, path, NULL));
	o->rc = vtr_partitions_open(&o->t, o->disk, sector, &o->err);
}

void part_done(struct part_opened *o)
{
	vtr_parts_close(o->t);
	vtr_blk_unref(o->disk);
	vtr_ctx_unref(o->ctx);
}

void part_expect(const struct part_opened *o, const char *scheme, size_t n)
{
	if (o->rc < 0)
		print_error("%s\n", o->err.text);
	assert_int_equal(0, o->rc);
	assert_non_null(o->t);
	assert_string_equal(scheme, vtr_parts_scheme(o->t));
	assert_int_equal(n, vtr_parts_count(o->t));
	assert_null(vtr_parts_at(o->t, n));
	part_check(o);
}

static void part_expect_words(const char *text, const char *words)
{
	if (!strstr(text, words)) {
		print_error("\"%s\" is not in: %s\n", words, text);
		fail();
	}
}

void part_expect_error(const struct part_opened *o, int code, const char *words)
{
	assert_int_equal(-1, o->rc);
	assert_null(o->t);
	part_expect_words(o->err.text, words);
	assert_string_equal(vtr_code_name(code), vtr_code_name(o->err.code));
}

void part_expect_said(const struct part_opened *o, const char *words)
{
	part_expect_words(o->said, words);
}

void part_expect_quiet(const struct part_opened *o)
{
	assert_string_equal("", o->said);
}

void part_expect_at(const struct part_opened *o, size_t i, unsigned number, uint64_t start, uint64_t sectors)
{
	const struct vtr_part *p = vtr_parts_at(o->t, i);

	assert_non_null(p);
	assert_int_equal(number, p->number);
	assert_int_equal(start * vtr_parts_sector(o->t), p->off);
	assert_int_equal(sectors * vtr_parts_sector(o->t), p->stated_len);
}

void part_check(const struct part_opened *o)
{
	uint64_t size = vtr_blk_size(o->disk);
	size_t n;

	if (o->rc < 0) {
		assert_int_not_equal(VTR_OK, o->err.code);
		assert_int_not_equal(0, strlen(o->err.text));
		return;
	}
	n = o->t ? vtr_parts_count(o->t) : 0;
	for (size_t i = 0; i < n; i++) {
		const struct vtr_part *p = vtr_parts_at(o->t, i);
		VTR_UNREF struct vtr_blk *b = NULL;
		struct vtr_error err = { 0 };
		uint8_t byte;

		assert_true(i == 0 || p[-1].number < p->number);
		assert_true(p->len <= p->stated_len);
		if (p->off >= size) {
			assert_int_equal(0, p->len);
			assert_int_equal(-1, vtr_parts_blk(&b, o->t, i, &err));
			assert_int_equal(VTR_ETRUNCATED, err.code);
			continue;
		}
		assert_true(vtr_range_in(p->off, p->len, size));
		assert_int_equal(0, vtr_parts_blk(&b, o->t, i, NULL));
		assert_int_equal(p->len, vtr_blk_size(b));
		assert_int_equal(0, vtr_blk_pread(b, p->len - 1, &byte, 1, NULL));
	}
}

/* ---------------------------------------------------------------------------------------------------- laid by hand */

void part_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

void part_put32(uint8_t *p, uint32_t v)
{
	part_put16(p, (uint16_t)v);
	part_put16(p + 2, (uint16_t)(v >> 16));
}

void part_put64(uint8_t *p, uint64_t v)
{
	part_put32(p, (uint32_t)v);
	part_put32(p + 4, (uint32_t)(v >> 32));
}

void part_mbr_entry(uint8_t *disk, size_t off, unsigned i, uint8_t flag, uint8_t type, uint32_t start, uint32_t count)
{
	uint8_t *e = disk + off + 446 + (size_t)i * 16;

	memset(e, 0, 16);
	e[0] = flag;
	e[4] = type;
	part_put32(e + 8, start);
	part_put32(e + 12, count);
	part_put16(disk + off + 510, 0xaa55);
}

/* Bit by bit, as ISO 3309 has it: not the code that is tested. */
static uint32_t part_crc32(const uint8_t *p, size_t len)
{
	uint32_t crc = 0xffffffff;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = (crc >> 1) ^ (0xedb88320 & (0 - (crc & 1)));
	}
	return ~crc;
}

void part_gpt_seal(uint8_t *disk, unsigned sector, uint64_t lba)
{
	uint8_t *h = disk + lba * sector;
	uint64_t table = vtr_get_le64(h + 72) * sector;
	uint32_t len = vtr_get_le32(h + 80) * vtr_get_le32(h + 84), header = vtr_get_le32(h + 12);

	if (vtr_range_in(table, len, (uint64_t)PART_GPT_SECTORS * sector))
		part_put32(h + 88, part_crc32(disk + table, len));
	part_put32(h + 16, 0);
	if (header <= sector)
		part_put32(h + 16, part_crc32(h, header));
}

static void part_gpt_entry(uint8_t *e, const char *type, uint8_t guid, uint64_t first, uint64_t last, const char *name,
			   size_t name_len)
{
	memcpy(e, type, 16);
	memset(e + 16, guid, 16);
	part_put64(e + 32, first);
	part_put64(e + 40, last);
	memcpy(e + 56, name, name_len);
}

static void part_gpt_table(uint8_t *table)
{
	part_gpt_entry(table, "\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b", 0xa1, 6, 9, "e\0f\0i",
		       6);
	part_gpt_entry(table + 128, "\xaf\x3d\xc6\x0f\x83\x84\x72\x47\x8e\x79\x3d\x69\xd8\x47\x7d\xe4", 0xa2, 10, 17,
		       "r\0\xf6\0\xf6\0t\0 \0\x3d\xd8\xa5\xdd", 14);
	part_put64(table + 128 + 48, 4);
	part_gpt_entry(table + 384, "\x6d\xfd\x57\x06\xab\xa4\xc4\x43\x84\xe5\x09\x33\xc8\x4b\x4f\x4f", 0xa4, 18, 19,
		       "", 0);
}

/* One header: 8 entries of 128 bytes, one sector of 4096 or two of 512. */
static void part_gpt_header(uint8_t *disk, unsigned sector, uint64_t lba, uint64_t other, uint64_t table)
{
	uint8_t *h = disk + lba * sector;

	memcpy(h, "EFI PART", 8);
	part_put32(h + 8, 0x10000);
	part_put32(h + 12, 92);
	part_put64(h + 24, lba);
	part_put64(h + 32, other);
	part_put64(h + 40, 6);
	part_put64(h + 48, 27);
	memcpy(h + 56, "\x33\x22\x11\x00\x55\x44\x77\x66\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);
	part_put64(h + 72, table);
	part_put32(h + 80, 8);
	part_put32(h + 84, 128);
	part_gpt_table(disk + table * sector);
	part_gpt_seal(disk, sector, lba);
}

void part_gpt_build(uint8_t *disk, unsigned sector)
{
	memset(disk, 0, (size_t)PART_GPT_SECTORS * sector);
	part_mbr_entry(disk, 0, 0, 0, 0xee, 1, PART_GPT_SECTORS - 1);
	part_gpt_header(disk, sector, 1, PART_GPT_SECTORS - 1, 2);
	part_gpt_header(disk, sector, PART_GPT_SECTORS - 1, 1, PART_GPT_SECTORS - 3);
}

/* --------------------------------------------------------------------------------------------------- made by tools */

bool part_has_tool(const char *name)
{
	char command[256];

	snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin:/sbin command -v %s >/dev/null 2>&1", name);
	if (system(command) == 0)
		return true;
	print_message("SKIPPED: %s is not installed\n", name);
	return false;
}

char *part_temp(void)
{
	const char *base = getenv("TMPDIR");
	char path[1024], *dir;

	snprintf(path, sizeof(path), "%s/vitrine-part-XXXXXX", base ? base : "/tmp");
	assert_non_null(mkdtemp(path));
	dir = strdup(path);
	assert_non_null(dir);
	return dir;
}

void part_temp_done(char *dir)
{
	part_run("rm -rf '%s'", dir);
	free(dir);
}

void part_run(const char *fmt, ...)
{
	char command[4096];
	va_list ap;
	int n;

	n = snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin:/sbin; ");
	va_start(ap, fmt);
	vsnprintf(command + n, sizeof(command) - (size_t)n, fmt, ap);
	va_end(ap);
	if (system(command) != 0) {
		print_error("failed: %s\n", command);
		fail();
	}
}

/* ---------------------------------------------------------------------------------------------------- of the corpus */

const char *part_corpus(void)
{
	const char *corpus = getenv("VITRINE_CORPUS");

	return corpus && corpus[0] != '\0' ? corpus : NULL;
}

/* The value of "key": in a JSON object, without its quotes; "" for null. */
static void part_json_text(char *out, size_t size, const char *object, const char *key)
{
	const char *end = strchr(object, '}'), *at = strstr(object, key);

	out[0] = '\0';
	if (!at || at > end)
		return;
	at += strlen(key);
	if (*at == '"')
		snprintf(out, size, "%.*s", (int)strcspn(at + 1, "\""), at + 1);
	else if (strncmp(at, "null", 4) != 0)
		snprintf(out, size, "%.*s", (int)strcspn(at, ",}"), at);
}

static void part_check_recorded(const struct part_opened *o, const char *recorded)
{
	size_t i = 0;

	for (const char *at = recorded; (at = strchr(at, '{')) != NULL; at++, i++) {
		const struct vtr_part *p = vtr_parts_at(o->t, i);
		char text[256];

		if (!strchr(at, '}'))
			return; /* long notes are cut */
		assert_non_null(p);
		part_json_text(text, sizeof(text), at, "\"start\":");
		assert_int_equal(strtoull(text, NULL, 10) * vtr_parts_sector(o->t), p->off);
		part_json_text(text, sizeof(text), at, "\"size\":");
		assert_int_equal(strtoull(text, NULL, 10) * vtr_parts_sector(o->t), p->stated_len);
		part_json_text(text, sizeof(text), at, "\"type\":");
		if (strlen(text) == 36)
			assert_string_equal(text, p->type_guid);
		else
			assert_int_equal(strtoul(text, NULL, 16), p->mbr_type);
		part_json_text(text, sizeof(text), at, "\"uuid\":");
		assert_string_equal(text, p->guid);
		part_json_text(text, sizeof(text), at, "\"name\":");
		assert_string_equal(text, p->name);
	}
	assert_int_equal(i, vtr_parts_count(o->t));
}

static void part_check_image(const char *corpus, const char *name, const char *scheme, const char *notes)
{
	const char *dot = strrchr(name, '.'), *recorded = strstr(notes, "parts=[");
	struct part_opened o;
	char *dir = part_temp(), path[1100];

	snprintf(path, sizeof(path), "%s/image", dir);
	part_run("%s '%s/%s' >%s",
		 strcmp(dot, ".xz") == 0   ? "xz -dc"
		 : strcmp(dot, ".gz") == 0 ? "gzip -dc"
					   : "cat",
		 corpus, name, path);
	part_open_file(&o, path, 0);
	if (o.rc < 0 || !o.t)
		print_error("%s: %s\n", name, o.rc < 0 ? o.err.text : "no table");
	assert_int_equal(0, o.rc);
	assert_non_null(o.t);
	assert_string_equal(scheme, vtr_parts_scheme(o.t));
	if (strstr(name, "4096"))
		assert_int_equal(4096, vtr_parts_sector(o.t));
	part_check(&o);
	part_check_recorded(&o, recorded ? recorded : "");
	part_done(&o);
	part_temp_done(dir);
}

int part_check_corpus(const char *scheme)
{
	const char *corpus = part_corpus(), *want = strcmp(scheme, "mbr") == 0 ? "dos" : scheme;
	char path[1024], *line = NULL;
	size_t cap = 0;
	FILE *f;
	int n = 0;

	if (!corpus)
		return -1;
	snprintf(path, sizeof(path), "%s/MANIFEST.tsv", corpus);
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (getline(&line, &cap, f) > 0) {
		char *column[9] = { 0 }, *at = line;

		for (size_t i = 0; i < VTR_COUNT(column) && at; i++)
			column[i] = strsep(&at, "\t");
		if (!column[8] || strncmp(column[0], "ptable/", 7) != 0 || strcmp(column[4], want) != 0)
			continue;
		part_check_image(corpus, column[0], scheme, column[8]);
		n++;
	}
	free(line);
	fclose(f);
	return n;
}
