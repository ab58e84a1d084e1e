/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registry hives: every key and value, what was deleted, and both ways of printing them. */
#include <string.h>

#include "fuzz/fuzz.h"

#define FUZZ_OUTPUT (8u << 20) /* printed of one hive: an input cannot make more of itself than this */

struct fuzz_seen {
	struct vtr_hive *h;
	size_t keys, values, printed, lines;
	char last;
	bool json;
};

static int fuzz_string(void *arg, const char *text, size_t len)
{
	(void)arg;
	FUZZ_CHECK(text[len] == 0 && vtr_utf8_is(text, len));
	return 0;
}

static int fuzz_value(void *arg, const struct vtr_value *v)
{
	struct fuzz_seen *s = arg;
	volatile uint8_t sum = 0;
	uint64_t number;
	size_t len;
	char *text;

	s->values++;
	FUZZ_CHECK(v->name[v->name_len] == 0 && vtr_utf8_is(v->name, v->name_len));
	FUZZ_CHECK(v->len <= v->stated_len && (v->len == v->stated_len || (v->flags & VTR_VALUE_CUT)));
	for (size_t i = 0; i < v->len; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)v->data)[i]);
	for (size_t i = 0; i < v->name_raw_len; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)v->name_raw)[i]);
	if (vtr_value_text(&text, &len, v, NULL) == 0) {
		FUZZ_CHECK(text[len] == 0 && vtr_utf8_is(text, len));
		free(text);
	} else {
		FUZZ_CHECK(vtr_value_number(&number, v, NULL) < 0);
	}
	(void)vtr_value_strings(v, fuzz_string, NULL, NULL);
	return 0;
}

static int fuzz_subkey(void *arg, const struct vtr_key *k)
{
	FUZZ_CHECK(k->name[k->name_len] == 0 && vtr_utf8_is(k->name, k->name_len));
	return ++*(unsigned *)arg > 100;
}

/* Values, one by one, by names that may be there. */
static void fuzz_values(struct vtr_hive *h, uint32_t key)
{
	static const char *const names[] = { "", "M", "big", "\xe6\x97\xa5", "SymbolicLinkValue" };
	struct vtr_value v;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (vtr_hive_value(&v, h, key, names[i], NULL) == 0)
			FUZZ_CHECK(strlen(v.name) == v.name_len && (names[i][0] != 0) == (v.name_len != 0));
}

static int fuzz_key(void *arg, const struct vtr_key *k)
{
	struct fuzz_seen *s = arg;
	struct vtr_key again;
	volatile uint8_t last = 0;
	const void *sd;
	unsigned n = 0;
	uint32_t found;
	size_t len;

	s->keys++;
	FUZZ_CHECK(k->name[k->name_len] == 0 && vtr_utf8_is(k->name, k->name_len));
	FUZZ_CHECK(k->path[k->path_len] == 0 && vtr_utf8_is(k->path, k->path_len));
	FUZZ_CHECK(!k->class_name || vtr_utf8_is(k->class_name, k->class_len));
	if (s->keys > 200)
		return 0;
	if (vtr_hive_security(&sd, &len, s->h, k->id, NULL) == 0 && len > 0)
		last = ((const uint8_t *)sd)[len - 1];
	(void)last;
	FUZZ_CHECK(vtr_hive_values(s->h, k->id, fuzz_value, s, NULL) <= 0);
	FUZZ_CHECK(vtr_hive_key(&again, s->h, k->id, NULL) < 0 || again.id == k->id);
	fuzz_values(s->h, k->id);
	if (vtr_hive_subkeys(s->h, k->id, fuzz_subkey, &n, NULL) == 0)
		FUZZ_CHECK(n <= 100);
	/* A path that has no backslash within its names finds something again. */
	if (s->keys < 20 && strlen(k->path) == k->path_len)
		(void)vtr_hive_find(&found, s->h, vtr_hive_root(s->h), k->path, NULL);
	return 0;
}

static int fuzz_hit(void *arg, const struct vtr_key *k, const struct vtr_value *v)
{
	(void)arg;
	FUZZ_CHECK(vtr_utf8_is(k->path, k->path_len) && (!v || vtr_utf8_is(v->name, v->name_len)));
	return 0;
}

static int fuzz_write(void *arg, const char *text, size_t len)
{
	struct fuzz_seen *s = arg;

	s->printed += len;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		FUZZ_CHECK((c >= 0x20 && c != 0x7f) || c == '\n');
		if (c == '\n')
			s->lines++;
	}
	if (len > 0)
		s->last = text[len - 1];
	return s->printed > FUZZ_OUTPUT ? 1 : 0;
}

/* UTF-16: each LF after a CR, and no CR elsewhere. */
static int fuzz_write_wide(void *arg, const char *text, size_t len)
{
	struct fuzz_seen *s = arg;

	FUZZ_CHECK(len % 2 == 0);
	s->printed += len;
	for (size_t i = 0; i < len; i += 2) {
		bool lf = text[i] == '\n' && text[i + 1] == 0;

		FUZZ_CHECK(lf == (s->last == '\r'));
		s->last = text[i + 1] == 0 ? text[i] : 'x';
	}
	return s->printed > FUZZ_OUTPUT ? 1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VTR_UNREF struct vtr_blk *b = fuzz_blk(data, len);
	struct vtr_hive_export how = { .format = VTR_HIVE_REG };
	struct fuzz_seen s = { 0 };
	struct vtr_error err = { 0 };
	uint32_t found;

	if (vtr_hive_open(&s.h, b, NULL, 0, &err) < 0) {
		FUZZ_CHECK(err.code != VTR_OK && err.text[0]);
		return 0;
	}
	FUZZ_CHECK(vtr_hive_info(s.h)->size <= len);
	FUZZ_CHECK(vtr_utf8_is(vtr_hive_info(s.h)->file_name, strlen(vtr_hive_info(s.h)->file_name)));
	(void)vtr_hive_walk(s.h, vtr_hive_root(s.h), fuzz_key, &s, NULL);
	(void)vtr_hive_search(s.h, vtr_hive_root(s.h), "e", 0, fuzz_hit, NULL, NULL);
	(void)vtr_hive_search(s.h, vtr_hive_root(s.h), "x", VTR_SEARCH_DATA | VTR_SEARCH_WHOLE, fuzz_hit, NULL, NULL);
	(void)vtr_hive_search(s.h, vtr_hive_root(s.h), "\xf0\x9f\x98\x80k", VTR_SEARCH_KEYS | VTR_SEARCH_WHOLE,
			      fuzz_hit, NULL, NULL);
	(void)vtr_hive_find(&found, s.h, vtr_hive_root(s.h), "\\A\\\xe6\x97\xa5", NULL);
	(void)vtr_hive_check(s.h, NULL);
	if (vtr_hive_export(s.h, vtr_hive_root(s.h), &how, fuzz_write, &s, &err) == 0)
		FUZZ_CHECK(s.last == '\n');
	how.prefix = "HKEY_LOCAL_MACHINE\\X\\";
	how.shallow = true;
	(void)vtr_hive_export(s.h, vtr_hive_root(s.h), &how, fuzz_write, &s, NULL);
	how.format = VTR_HIVE_REGEDIT;
	s.printed = 0;
	s.last = 'x';
	(void)vtr_hive_export(s.h, vtr_hive_root(s.h), &how, fuzz_write_wide, &s, NULL);
	how = (struct vtr_hive_export){ .format = VTR_HIVE_JSON };
	how.deleted = true;
	if (vtr_hive_export(s.h, vtr_hive_root(s.h), &how, fuzz_write, &s, &err) == 0)
		FUZZ_CHECK(s.last == '\n');
	vtr_hive_close(s.h);
	return 0;
}
