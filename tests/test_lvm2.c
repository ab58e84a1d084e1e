/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LVM2. A volume group that lvm2 made, with what the kernel reads of its volumes (tests/images/mk-lvm2.sh); and physical
 * volumes that are put together here, with texts that are changed in one place.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/crc.h"
#include "base/hash.h"
#include "base/pieces.h"
#include "tests/part_images.h"
#include "volumes/lvm2_text.h"
#include "volumes/volume.h"

#define PV_LEN 1048576u
#define AREA_AT 4096u
#define AREA_LEN 61440u
#define EXTENT 65536u

static char *dir;
static char said[65536];

static void lvm2_said(void *arg, const struct vtr_error *w)
{
	size_t n = strlen(said);

	(void)arg;
	snprintf(said + n, sizeof(said) - n, "%s: %s\n", vtr_code_name(w->code), w->text);
}

static struct vtr_ctx *lvm2_ctx(const struct vtr_limits *l)
{
	struct vtr_ctx *ctx = vtr_ctx_new(l, NULL);

	assert_non_null(ctx);
	said[0] = 0;
	vtr_ctx_on_warning(ctx, lvm2_said, NULL);
	return ctx;
}

static void lvm2_expect_said(const char *words)
{
	if (!strstr(said, words))
		fail_msg("expected \"%s\" among the warnings:\n%s", words, said);
}

/* --------------------------------------------------------------------------------------------------- real images */

static struct vtr_blk *lvm2_file(struct vtr_ctx *ctx, unsigned i)
{
	struct vtr_blk *b = NULL;
	struct vtr_error err = { 0 };
	char path[1200];

	snprintf(path, sizeof(path), "%s/lvm2-%u.img", dir, i);
	if (vtr_image_open(&b, ctx, path, &(struct vtr_image_options){ .format = "raw" }, &err) < 0)
		fail_msg("%s", err.text);
	return b;
}

static void lvm2_sum(char *out, struct vtr_blk *b)
{
	uint8_t *all = malloc(vtr_blk_size(b)), sum[VTR_HASH_MAX];
	struct vtr_error err = { 0 };

	assert_non_null(all);
	if (vtr_blk_pread(b, 0, all, vtr_blk_size(b), &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(0, vtr_hash_bytes(sum, VTR_HASH_SHA256, all, vtr_blk_size(b), &err));
	for (size_t i = 0; i < 32; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
	/* The same in pieces of an odd length. */
	for (uint64_t at = 0; at < vtr_blk_size(b); at += 1511) {
		size_t n = VTR_MIN(vtr_blk_size(b) - at, (uint64_t)1511);
		uint8_t part[1511];

		assert_int_equal(0, vtr_blk_pread(b, at, part, n, &err));
		assert_memory_equal(all + at, part, n);
	}
	free(all);
}

static const struct vtr_volume *lvm2_named(struct vtr_volumes *v, const char *name, size_t *at)
{
	for (size_t i = 0; i < vtr_volumes_count(v); i++)
		if (strcmp(vtr_volumes_at(v, i)->name, name) == 0) {
			if (at)
				*at = i;
			return vtr_volumes_at(v, i);
		}
	fail_msg("no volume %s", name);
	return NULL;
}

/* Each line of the list: a volume of the group, and its SHA-256. complete: how many of them can be read. */
static void lvm2_compare(struct vtr_volumes *v, size_t complete)
{
	FILE *f = fopen("tests/images/lvm2.tsv", "r");
	char name[64], want[80], got[65], full[80];
	size_t n = 0, i;

	assert_non_null(f);
	while (fscanf(f, "%63s %79s", name, want) == 2) {
		VTR_UNREF struct vtr_blk *b = NULL;

		snprintf(full, sizeof(full), "vt-one/%s", name);
		if (lvm2_named(v, full, &i)->state != VTR_STATE_COMPLETE)
			continue;
		assert_int_equal(0, vtr_volumes_blk(&b, v, i, NULL));
		lvm2_sum(got, b);
		assert_string_equal(want, got);
		n++;
	}
	fclose(f);
	assert_int_equal(complete, n);
}

static void volumes_are_what_the_kernel_reads(void **state)
{
	static const unsigned orders[][3] = { { 1, 2, 3 }, { 3, 2, 1 }, { 2, 3, 1 } };

	(void)state;
	if (!dir)
		skip();
	for (size_t o = 0; o < VTR_COUNT(orders); o++) {
		struct vtr_ctx *ctx = lvm2_ctx(NULL);
		struct vtr_volumes *v = NULL;
		struct vtr_error err = { 0 };
		struct vtr_blk *in[3];
		const struct vtr_volume *lin;

		for (size_t i = 0; i < 3; i++)
			in[i] = lvm2_file(ctx, orders[o][i]);
		if (vtr_volumes_open(&v, in, 3, &err) < 0)
			fail_msg("%s", err.text);
		assert_string_equal("", said);
		assert_int_equal(6, vtr_volumes_count(v));
		lvm2_compare(v, 5);
		lin = lvm2_named(v, "vt-one/lin", NULL);
		assert_string_equal("mapper/vt--one-lin", lin->alias);
		assert_string_equal("vt-one", lin->set);
		assert_string_equal("lvm", lin->kind);
		assert_int_equal(7 * EXTENT, lin->size);
		assert_int_equal(2, lin->n_inputs); /* on the first and the third */
		assert_true(orders[o][lin->inputs[0]] != 2 && orders[o][lin->inputs[1]] != 2);
		assert_string_equal("mapper/vt--one-a--b_c.d", lvm2_named(v, "vt-one/a-b_c.d", NULL)->alias);
		assert_int_equal(VTR_STATE_PARTIAL, lvm2_named(v, "vt-one/gone", NULL)->state);
		for (size_t i = 0; i < 3; i++)
			vtr_blk_unref(in[i]);
		vtr_volumes_close(v);
		vtr_ctx_unref(ctx);
	}
}

static void extents_lead_to_the_files(void **state)
{
	struct vtr_ctx *ctx;
	struct vtr_blk *in[3], *b = NULL;
	struct vtr_volumes *v = NULL;
	struct vtr_extent e;
	size_t i;

	(void)state;
	if (!dir)
		skip();
	ctx = lvm2_ctx(NULL);
	for (i = 0; i < 3; i++)
		in[i] = lvm2_file(ctx, (unsigned)i + 1);
	assert_int_equal(0, vtr_volumes_open(&v, in, 3, NULL));
	(void)lvm2_named(v, "vt-one/two", &i);
	assert_int_equal(0, vtr_volumes_blk(&b, v, i, NULL));
	/* lvs: pv1 from extent 0, pv2 from 2, in stripes of 8 KiB; pvs: they start at 128 and at 64 KiB */
	assert_int_equal(0, vtr_blk_extent(&e, b, 0, NULL));
	assert_true(e.has_host_off && e.host_off == 131072 && e.len == 8192 && strstr(e.host_file, "lvm2-2"));
	assert_int_equal(0, vtr_blk_extent(&e, b, 8192 + 512, NULL));
	assert_true(e.has_host_off && e.host_off == 3 * 65536 + 512 && e.len == 8192 - 512 &&
		    strstr(e.host_file, "lvm2-3"));
	assert_int_equal(0, vtr_blk_extent(&e, b, 3 * 8192, NULL));
	assert_true(e.has_host_off && e.host_off == 3 * 65536 + 8192 && strstr(e.host_file, "lvm2-3"));
	vtr_blk_unref(b);
	b = NULL;
	(void)lvm2_named(v, "vt-one/zero", &i);
	assert_int_equal(0, vtr_volumes_blk(&b, v, i, NULL));
	assert_int_equal(0, vtr_blk_extent(&e, b, 0, NULL));
	assert_int_equal(VTR_EXTENT_ABSENT, e.kind);
	vtr_blk_unref(b);
	for (i = 0; i < 3; i++)
		vtr_blk_unref(in[i]);
	vtr_volumes_close(v);
	vtr_ctx_unref(ctx);
}

static void what_is_missing_is_named_and_the_rest_is_read(void **state)
{
	struct vtr_ctx *ctx;
	struct vtr_blk *in[2], *b = NULL;
	struct vtr_volumes *v = NULL;
	struct vtr_error err = { 0 };
	uint8_t bytes[512];
	size_t i;

	(void)state;
	if (!dir)
		skip();
	ctx = lvm2_ctx(NULL);
	in[0] = lvm2_file(ctx, 1);
	in[1] = lvm2_file(ctx, 2);
	assert_int_equal(0, vtr_volumes_open(&v, in, 2, NULL));
	lvm2_expect_said("truncated: lvm2: volume group vt-one: physical volume pv2 (");
	lvm2_compare(v, 2);
	assert_int_equal(VTR_STATE_PARTIAL, lvm2_named(v, "vt-one/lin", &i)->state);
	assert_non_null(strstr(vtr_volumes_at(v, i)->problem, "is missing"));
	assert_int_equal(0, vtr_volumes_blk(&b, v, i, NULL));
	assert_int_equal(0, vtr_blk_pread(b, 5 * EXTENT - 512, bytes, sizeof(bytes), &err));
	assert_memory_equal("lin 639\n", bytes, 8);
	assert_int_equal(-1, vtr_blk_pread(b, 5 * EXTENT, bytes, sizeof(bytes), &err));
	assert_int_equal(VTR_ETRUNCATED, err.code);
	assert_non_null(strstr(err.text, "physical volume pv2"));
	vtr_blk_unref(b);
	vtr_volumes_close(v);
	vtr_blk_unref(in[1]);
	/* The one without metadata knows nothing of its volumes. */
	in[1] = lvm2_file(ctx, 3);
	said[0] = 0;
	assert_int_equal(0, vtr_volumes_open(&v, &in[1], 1, NULL));
	assert_int_equal(0, vtr_volumes_count(v));
	lvm2_expect_said("is in no set that is there");
	vtr_volumes_close(v);
	/* With the first: what lies on these two is whole. */
	said[0] = 0;
	assert_int_equal(0, vtr_volumes_open(&v, in, 2, NULL));
	lvm2_expect_said("truncated: lvm2: volume group vt-one: physical volume pv1 (");
	if (strstr(said, "is in no set") || strstr(said, "pv2"))
		fail_msg("the third volume is there: %s", said);
	assert_int_equal(VTR_STATE_COMPLETE, lvm2_named(v, "vt-one/lin", NULL)->state);
	lvm2_compare(v, 3);
	vtr_volumes_close(v);
	vtr_blk_unref(in[0]);
	vtr_blk_unref(in[1]);
	vtr_ctx_unref(ctx);
}

static void copies_of_a_member_are_ambiguous(void **state)
{
	struct vtr_ctx *ctx;
	struct vtr_blk *in[4];
	struct vtr_volumes *v = NULL;

	(void)state;
	if (!dir)
		skip();
	ctx = lvm2_ctx(NULL);
	for (unsigned i = 0; i < 4; i++)
		in[i] = lvm2_file(ctx, i < 3 ? i + 1 : 2);
	assert_int_equal(0, vtr_volumes_open(&v, in, 4, NULL));
	lvm2_expect_said("ambiguous: lvm2: volume group vt-one: source 1 and source 3 are the same physical volume");
	lvm2_compare(v, 5);
	for (unsigned i = 0; i < 4; i++)
		vtr_blk_unref(in[i]);
	vtr_volumes_close(v);
	vtr_ctx_unref(ctx);
}

/* ------------------------------------------------------------------------------------------ put together by hand */

#define ID_A "aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa"
#define ID_B "bbbbbb-bbbb-bbbb-bbbb-bbbb-bbbb-bbbbbb"

static const char text_whole[] =
	"vg {\n"
	"id = \"gggggg-gggg-gggg-gggg-gggg-gggg-gggggg\"\n"
	"seqno = 7 # a comment\n"
	"status = [\"READ\", \"WRITE\"]\n"
	"extent_size = 128\n"
	"physical_volumes {\n"
	"pv0 {\nid = \"" ID_A "\"\npe_start = 128\npe_count = 15\n}\n"
	"pv1 {\nid = \"" ID_B "\"\npe_start = 128\npe_count = 15\n}\n"
	"}\n"
	"logical_volumes {\n"
	"low {\nid = \"low\"\nstatus = [\"READ\"]\n"
	"segment1 {\nstart_extent = 0\nextent_count = 4\ntype = \"striped\"\nstripe_count = 1\nstripes = [\n\"pv0\", 11\n]\n}\n}\n"
	"one {\nid = \"one\"\nstatus = [\"READ\", \"VISIBLE\"]\n"
	"segment1 {\nstart_extent = 0\nextent_count = 2\ntype = \"striped\"\nstripe_count = 1\nstripes = [\"pv0\", 0]\n}\n"
	"segment2 {\nstart_extent = 2\nextent_count = 4\ntype = \"striped\"\nstripe_count = 2\nstripe_size = 16\n"
	"stripes = [\"pv1\", 13, \"low\", 2]\n}\n}\n"
	"}\n"
	"}\n"
	"contents = \"Text Format Volume Group\"\nversion = 1\n";

static uint32_t lvm2_crc(const uint8_t *p, size_t len)
{
	/* By the bit, as the polynomial says: x^32 + x^26 + …, reflected. */
	uint32_t crc = 0xf597a6cf;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return crc;
}

/* A physical volume with an identifier and a text that begins at an offset of its area; NULL: none. */
static uint8_t *lvm2_build(const char *id, const char *text, size_t text_at)
{
	uint8_t *p = calloc(1, PV_LEN), *label = p + 512, *area = p + AREA_AT;
	size_t len = text ? strlen(text) + 1 : 0, n = 0;

	assert_non_null(p);
	memcpy(label, "LABELONE", 8);
	part_put64(label + 8, 1);
	part_put32(label + 0x14, 32);
	memcpy(label + 0x18, "LVM2 001", 8);
	for (const char *c = id; *c; c++)
		if (*c != '-')
			label[32 + n++] = (uint8_t)*c;
	part_put64(label + 64, PV_LEN);
	part_put64(label + 72, 65536); /* the data area, which goes to the end */
	if (text) {
		part_put64(label + 104, AREA_AT);
		part_put64(label + 112, AREA_LEN);
		memcpy(area + 4, " LVM2 x[5A%r0N*>", 16);
		part_put32(area + 0x14, 1);
		part_put64(area + 0x18, AREA_AT);
		part_put64(area + 0x20, AREA_LEN);
		part_put64(area + 0x28, text_at);
		part_put64(area + 0x30, len);
		part_put32(area + 0x38, lvm2_crc((const uint8_t *)text, len));
		for (size_t i = 0; i < len; i++) {
			size_t at = text_at + i;

			area[at < AREA_LEN ? at : at - AREA_LEN + 512] = (uint8_t)text[i];
		}
		part_put32(area, lvm2_crc(area + 4, 508));
	}
	part_put32(label + 0x10, lvm2_crc(label + 0x14, 512 - 0x14));
	for (size_t s = 128; s < PV_LEN / 512; s++)
		snprintf((char *)p + s * 512, 512, "%c %zu", id[0], s - 128);
	return p;
}

/* The text with what is changed in it; the caller frees it. */
static char *lvm2_changed(const char *from, const char *to)
{
	const char *at = strstr(text_whole, from);
	size_t before = (size_t)(at - text_whole), size = sizeof(text_whole) + strlen(to);
	char *out = malloc(size);

	if (!at)
		fail_msg("no \"%s\" in the text", from);
	assert_non_null(out);
	snprintf(out, size, "%.*s%s%s", (int)before, text_whole, to, at + strlen(from));
	return out;
}

struct lvm2_opened {
	struct vtr_ctx *ctx;
	struct vtr_blk *in[3];
	size_t n;
	struct vtr_volumes *v;
	struct vtr_error err;
	int rc;
};

static void lvm2_open(struct lvm2_opened *o, uint8_t *a, uint8_t *b, const struct vtr_limits *l)
{
	*o = (struct lvm2_opened){ .ctx = lvm2_ctx(l) };
	for (uint8_t *p = a; p; p = p == a ? b : NULL)
		assert_int_equal(0, vtr_blk_memory(&o->in[o->n++], o->ctx, p, PV_LEN, NULL));
	o->rc = vtr_volumes_open(&o->v, o->in, o->n, &o->err);
	free(a);
	free(b);
}

static void lvm2_done(struct lvm2_opened *o)
{
	vtr_volumes_close(o->v);
	for (size_t i = 0; i < o->n; i++)
		vtr_blk_unref(o->in[i]);
	vtr_ctx_unref(o->ctx);
}

/* Sector s of the volume "one": which volume's, and which sector of its data. */
static void lvm2_check_one(struct lvm2_opened *o)
{
	VTR_UNREF struct vtr_blk *b = NULL;

	if (o->rc < 0)
		fail_msg("%s", o->err.text);
	assert_int_equal(1, vtr_volumes_count(o->v));
	assert_string_equal("vg/one", vtr_volumes_at(o->v, 0)->name);
	assert_int_equal(0, vtr_volumes_blk(&b, o->v, 0, NULL));
	assert_int_equal(6 * EXTENT, vtr_blk_size(b));
	for (unsigned s = 0; s < 6 * 128; s++) {
		unsigned in = s - 256, chunk = in / 16, at = chunk / 2 * 16 + in % 16;
		char want[32] = "", bytes[512];

		if (s < 256)
			snprintf(want, sizeof(want), "a %u", s);
		else if (chunk % 2 == 0)
			snprintf(want, sizeof(want), "b %u", 13 * 128 + at);
		else
			snprintf(want, sizeof(want), "a %u", (11 + 2) * 128 + at);
		assert_int_equal(0, vtr_blk_pread(b, s * 512ull, bytes, 512, NULL));
		assert_string_equal(want, bytes);
	}
}

static void volumes_lie_on_volumes_and_texts_wrap(void **state)
{
	static const size_t places[] = { 512, 5120, AREA_LEN - 1, AREA_LEN - 512, AREA_LEN - 100 };

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(places); i++) {
		struct lvm2_opened o;

		lvm2_open(&o, lvm2_build(ID_A, text_whole, places[i]), lvm2_build(ID_B, i % 2 ? text_whole : NULL, 512),
			  NULL);
		assert_string_equal("", said);
		lvm2_check_one(&o);
		lvm2_done(&o);
	}
}

/* One change of the text. words: in the error, in a warning, or in the problem of the volume. */
static const struct lvm2_damage {
	const char *from, *to;
	int code; /* VTR_OK: the volume is read as a whole */
	const char *words;
} damages[] = {
	{ "seqno = 7", "seqno = 8", VTR_OK, NULL },
	{ "seqno = 7", "seqno = -7", VTR_ECORRUPT, "no volume group with an id and a seqno" },
	{ "seqno = 7 ", "seqno = ", VTR_ECORRUPT, "line 4: \"= [\"READ\", \"WRIT\", expected a name" },
	{ "vg {", "v/g {", VTR_ECORRUPT, "\"v/g\" is no name of a volume group" },
	{ "vg {", "-vg {", VTR_ECORRUPT, "is no name of a volume group" },
	{ "extent_size = 128", "extent_size = 0", VTR_ECORRUPT, "no extent_size" },
	{ "extent_size = 128", "extent_size = 36028797018963967", VTR_ECORRUPT, "extents" },
	{ "extent_size = 128", "extent_size = 36028797018963968", VTR_ECORRUPT, "no extent_size" },
	{ "pe_count = 15", "pe_count = 1", VTR_ECORRUPT, "2 extents from 0 leave pv0, which has 1" },
	{ "\"pv0\", 0]", "\"pv0\", 13]", VTR_OK, "a 1664" },
	{ "\"pv0\", 0]", "\"pv0\", 14]", VTR_ECORRUPT, "2 extents from 14 leave pv0, which has 15" },
	{ "\"pv0\", 0]", "\"pv0\", -1]", VTR_ECORRUPT, "no pairs of a name and a number" },
	{ "\"pv0\", 0]", "\"pv0\"]", VTR_ECORRUPT, "no pairs of a name and a number" },
	{ "\"pv0\", 0]", "]", VTR_ECORRUPT, "0 stripes, expected 1" },
	{ "\"pv0\", 0]", "\"pv0\", 0, \"pv0\", 1]", VTR_ECORRUPT, "more than 1 stripes" },
	{ "\"pv0\", 0]", "\"pv2\", 0]", VTR_ECORRUPT, "it lies on \"pv2\", which there is not" },
	{ "\"pv0\", 0]", "\"one\", 0]", VTR_ECORRUPT, "it lies on one, which lies on it" },
	{ "\"pv0\", 11\n", "\"one\", 0\n", VTR_ECORRUPT, "it lies on low, which lies on it" },
	{ "\"low\", 2]", "\"low\", 3]", VTR_ECORRUPT, "2 extents from 3 leave low, which has 4" },
	{ "start_extent = 2", "start_extent = 3", VTR_ECORRUPT,
	  "it starts at extent 3, and the one before it ends at 2" },
	{ "extent_count = 2\n", "extent_count = 0\n", VTR_ECORRUPT, "no type, start_extent or extent_count" },
	{ "extent_count = 4\ntype = \"striped\"\nstripe_count = 2",
	  "extent_count = 3\ntype = \"striped\"\nstripe_count = 2", VTR_ECORRUPT, "3 extents in 2 stripes" },
	{ "stripe_count = 2", "stripe_count = 0", VTR_ECORRUPT, "4 extents in 0 stripes" },
	{ "stripe_size = 16", "stripe_size = 0", VTR_ECORRUPT, "stripes of 0 sectors" },
	{ "stripe_size = 16", "stripe_size = 256", VTR_OK, NULL },
	{ "stripe_size = 16", "stripe_size = 512", VTR_ECORRUPT, "stripes of 512 sectors" },
	{ "type = \"striped\"\nstripe_count = 2", "type = \"thin\"\nstripe_count = 2", VTR_EUNSUPPORTED,
	  "segment2: segments of type thin are recognised, and not read" },
	{ "stripe_count = 1\nstripes = [\"pv0\", 0]", "", VTR_ECORRUPT, "it has no stripes" },
	{ "one {", "on/e {", VTR_ECORRUPT, "\"on/e\" is no name of a logical volume: left out" },
	{ "one {", "low {", VTR_ECORRUPT, "two logical volumes are named low" },
	{ "pv1 {", "pv0 {", VTR_ECORRUPT, "two physical volumes are named pv0" },
	{ ID_B, "cccccc-cccc-cccc-cccc-cccc-cccc-cccccc", VTR_ETRUNCATED, "physical volume pv1 (cccccc" },
	{ "version = 1\n", "version = 1\n}", VTR_ECORRUPT, "\"}\", expected a name" },
	{ "version = 1\n", "version = 1\nx {", VTR_ECORRUPT, "the text ends, expected \"}\"" },
	{ "version = 1\n", "version = [1", VTR_ECORRUPT, "the text ends, expected \"]\"" },
	{ "version = 1\n", "version = [1,]", VTR_OK, NULL },
	{ "version = 1\n", "version = [1 2]", VTR_ECORRUPT, "\"2]\", expected \",\" or \"]\"" },
	{ "version = 1\n", "version = \"1", VTR_ECORRUPT, "a string does not end" },
	{ "version = 1\n", "version = 'a\"b' other = bare third = -1.5 \"quoted\" = \"\\\"\\\\\"", VTR_OK, NULL },
	{ "version = 1\n", "version", VTR_ECORRUPT, "the text ends, expected \"=\" or \"{\"" },
	{ "version = 1\n", "a {b {c {d {e {f {g {h {i {j {k {l {m {n {o {}}}}}}}}}}}}}}}", VTR_OK, NULL },
	{ "version = 1\n", "a {b {c {d {e {f {g {h {i {j {k {l {m {n {o {p {}}}}}}}}}}}}}}}}", VTR_ELIMIT,
	  "more than 16 sections in each other" },
};

static void damage_of_the_text_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(damages); i++) {
		const struct lvm2_damage *d = &damages[i];
		char *text = lvm2_changed(d->from, d->to), all[sizeof(said) + 4096];
		const struct vtr_volume *one;
		struct lvm2_opened o;
		bool clean;

		lvm2_open(&o, lvm2_build(ID_A, text, 512), lvm2_build(ID_B, NULL, 0), NULL);
		one = o.v && vtr_volumes_count(o.v) ? vtr_volumes_at(o.v, 0) : NULL;
		snprintf(all, sizeof(all), "%s%s: %s\n%s", said, vtr_code_name(o.err.code), o.err.text,
			 one && one->problem ? one->problem : "");
		clean = o.rc == 0 && !said[0] && one && one->state == VTR_STATE_COMPLETE;
		if (clean != (d->code == VTR_OK))
			fail_msg("\"%s\" for \"%s\": %s", d->to, d->from, all);
		if (d->code != VTR_OK && !strstr(all, d->words))
			fail_msg("\"%s\" for \"%s\": expected \"%s\":\n%s", d->to, d->from, d->words, all);
		if (d->code != VTR_OK && d->code != VTR_EUNSUPPORTED && o.err.code != d->code &&
		    !strstr(said, vtr_code_name(d->code)))
			fail_msg("\"%s\" for \"%s\": expected %s:\n%s", d->to, d->from, vtr_code_name(d->code), all);
		if (clean && d->words) {
			VTR_UNREF struct vtr_blk *b = NULL;
			char bytes[512];

			assert_int_equal(0, vtr_volumes_blk(&b, o.v, 0, NULL));
			assert_int_equal(0, vtr_blk_pread(b, 0, bytes, sizeof(bytes), NULL));
			assert_string_equal(d->words, bytes);
		}
		free(text);
		lvm2_done(&o);
	}
}

/* One change of the bytes: a number of 8 at an offset; 4 and seal 1 or 2: the label or the area gets its checksum. */
static const struct lvm2_bytes {
	size_t at;
	unsigned width;
	uint64_t value;
	int seal;
	const char *words; /* in the error or a warning; NULL: all is well */
} bytes[] = {
	{ 512 + 0x10, 4, 1, 0, "the label's checksum is wrong" },
	{ 512 + 8, 8, 0, 1, "the label in sector 1 is of sector 0" },
	{ 512 + 0x14, 4, 472, 1, "the label leads to no header with an identifier" },
	{ 512 + 0x14, 4, 513, 1, "the label leads to no header with an identifier" },
	{ 512 + 32, 8, 0x20, 1, "the label leads to no header with an identifier" },
	{ AREA_AT, 4, 1, 0, "metadata area at 0x1000: the header's checksum is wrong" },
	{ AREA_AT + 4, 8, 1, 2, "metadata area at 0x1000: the header has no magic" },
	{ AREA_AT + 0x14, 4, 2, 2, "metadata area at 0x1000: version 2" },
	{ AREA_AT + 0x18, 8, 8192, 2, "metadata area at 0x1000: the header is of an area at 0x2000" },
	{ AREA_AT + 0x20, 8, 512, 2, "metadata area at 0x1000: " },
	{ AREA_AT + 0x28, 8, 511, 2, "bytes of text at 0x1ff" },
	{ AREA_AT + 0x28, 8, AREA_LEN, 2, "bytes of text at 0xf000 of 0xf000" },
	{ AREA_AT + 0x28, 8, 0, 2, "is in no set that is there" },
	{ AREA_AT + 0x30, 8, AREA_LEN - 511, 2, "60929 bytes of text" },
	{ AREA_AT + 0x30, 8, AREA_LEN - 512, 2, "the checksum of the text is wrong" },
	{ AREA_AT + 0x38, 4, 1, 2, "the checksum of the text is wrong" },
	{ AREA_AT + 0x3c, 4, 1, 2, "is in no set that is there" },
	{ AREA_AT + 0x3c, 4, 2, 2, NULL },
	{ 512 + 112, 8, 512, 1, "metadata area at 0x1000: 512 bytes" },
	{ 512 + 104, 8, PV_LEN - 511, 1,
	  "metadata area at 0xffe01: 512 bytes at 0xffe01: the memory ends at 0x100000" },
};

static void damage_of_the_bytes_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(bytes); i++) {
		uint8_t *a = lvm2_build(ID_A, text_whole, 512);
		char all[sizeof(said) + 1100];
		struct lvm2_opened o;

		memcpy(a + bytes[i].at, &(uint64_t){ htole64(bytes[i].value) }, bytes[i].width);
		if (bytes[i].seal == 1)
			part_put32(a + 512 + 0x10, lvm2_crc(a + 512 + 0x14, 512 - 0x14));
		else if (bytes[i].seal == 2)
			part_put32(a + AREA_AT, lvm2_crc(a + AREA_AT + 4, 508));
		lvm2_open(&o, a, lvm2_build(ID_B, NULL, 0), NULL);
		snprintf(all, sizeof(all), "%s%s", said, o.err.text);
		if (!bytes[i].words)
			lvm2_check_one(&o);
		else if (!strstr(all, bytes[i].words))
			fail_msg("row %zu: expected \"%s\":\n%s", i, bytes[i].words, all);
		lvm2_done(&o);
	}
}

static void the_newest_metadata_is_read(void **state)
{
	char *old = lvm2_changed("seqno = 7", "seqno = 6");
	struct lvm2_opened o;

	(void)state;
	lvm2_open(&o, lvm2_build(ID_A, old, 512), lvm2_build(ID_B, text_whole, 512), NULL);
	lvm2_check_one(&o);
	lvm2_expect_said(
		"source 0: lvm2: its metadata has sequence number 6, that of source 1 7: the newer one is read");
	lvm2_done(&o);
	free(old);
}

static void limits_are_named(void **state)
{
	static const struct {
		const char *limit;
		uint64_t value;
	} limits[] = { { "devices", 1 }, { "metadata", 1500 }, { "steps", 20 }, { "alloc", 1000 }, { "layers", 1 } };

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(limits); i++) {
		struct vtr_limits l;
		struct lvm2_opened o;

		vtr_limits_default(&l);
		assert_int_equal(0, vtr_limits_set(&l, limits[i].limit, limits[i].value, NULL));
		lvm2_open(&o, lvm2_build(ID_A, text_whole, 512), lvm2_build(ID_B, text_whole, 512), &l);
		assert_int_equal(-1, o.rc);
		assert_int_equal(VTR_ELIMIT, o.err.code);
		if (!strstr(o.err.text, limits[i].limit))
			fail_msg("%s: %s", limits[i].limit, o.err.text);
		lvm2_done(&o);
	}
}

/* A source that fails from the n-th read on. */
struct lvm2_failing {
	uint8_t *bytes;
	int *left;
};

static int lvm2_fail_pread(void *arg, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct lvm2_failing *f = arg;

	if ((*f->left)-- <= 0) {
		err->code = VTR_EIO;
		snprintf(err->text, sizeof(err->text), "failed as asked");
		return -1;
	}
	memcpy(buf, f->bytes + off, len);
	return 0;
}

static void each_read_may_fail(void **state)
{
	int left = 0;
	struct lvm2_failing f[2] = { { lvm2_build(ID_A, text_whole, AREA_LEN - 100), &left },
				     { lvm2_build(ID_B, NULL, 0), &left } };
	bool whole = false;

	(void)state;
	for (int n = 0; !whole; n++) {
		struct lvm2_opened o = { .ctx = lvm2_ctx(NULL), .n = 2 };

		assert_true(n < 100);
		for (size_t i = 0; i < 2; i++)
			assert_int_equal(0, vtr_blk_custom(&o.in[i], o.ctx,
							   &(struct vtr_blk_source){ .pread = lvm2_fail_pread,
										     .arg = &f[i],
										     .size = PV_LEN },
							   NULL));
		left = n;
		o.rc = vtr_volumes_open(&o.v, o.in, 2, &o.err);
		whole = left >= 0;
		left = INT32_MAX;
		if (!whole && o.rc == 0 && !said[0])
			fail_msg("read %d failed without a word", n);
		if (whole)
			lvm2_check_one(&o);
		lvm2_done(&o);
	}
	free(f[0].bytes);
	free(f[1].bytes);
}

static void guests_have_their_volumes(void **state)
{
	struct lvm2_opened o;
	struct vtr_guest *g;
	const struct vtr_device *d;
	struct vtr_error err = { 0 };

	(void)state;
	lvm2_open(&o, lvm2_build(ID_A, text_whole, 512), lvm2_build(ID_B, NULL, 0), NULL);
	g = vtr_guest_new(o.ctx, NULL);
	assert_non_null(g);
	assert_int_equal(0, vtr_guest_add_blk(g, o.in[0], &err));
	assert_int_equal(0, vtr_guest_add_blk(g, o.in[1], &err));
	assert_int_equal(0, vtr_guest_scan(g, &err));
	assert_int_equal(3, vtr_guest_devices(g));
	d = vtr_guest_device(g, 0);
	assert_string_equal("LVM2_member", d->type);
	assert_int_equal(VTR_USAGE_MEMBER, d->usage);
	assert_true(d->used && d->parent == -1 && d->n_inputs == 0);
	d = vtr_guest_device(g, 2);
	assert_string_equal("/dev/vg/one", d->name);
	assert_string_equal("/dev/mapper/vg-one", d->alias);
	assert_int_equal(2, d->n_inputs);
	assert_true(d->inputs[0] == 0 && d->inputs[1] == 1 && d->parent == 0);
	assert_int_equal(2, vtr_guest_find_device(g, "vg/one", NULL));
	assert_int_equal(2, vtr_guest_find_device(g, "/dev/mapper/vg-one", NULL));
	assert_null(vtr_guest_fs(g, 0, &err));
	assert_non_null(strstr(err.text, "it is a member of volumes"));
	vtr_guest_free(g);
	lvm2_done(&o);
}

static void what_is_no_member_is_said(void **state)
{
	struct vtr_ctx *ctx = lvm2_ctx(NULL);
	struct vtr_blk *b = NULL;
	struct vtr_volumes *v = NULL;
	struct vtr_error err = { 0 };
	uint8_t zeros[8192] = { 0 };

	(void)state;
	assert_int_equal(-1, vtr_volumes_open(&v, NULL, 0, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	assert_int_equal(0, vtr_blk_memory(&b, ctx, zeros, sizeof(zeros), NULL));
	assert_int_equal(-1, vtr_volumes_open(&v, &b, 1, &err));
	assert_int_equal(VTR_ENOTFOUND, err.code);
	vtr_blk_unref(b);
	memcpy(zeros, "LUKS\xba\xbe\0\1", 8);
	assert_int_equal(0, vtr_blk_memory(&b, ctx, zeros, sizeof(zeros), NULL));
	assert_int_equal(-1, vtr_volumes_open(&v, &b, 1, &err));
	assert_int_equal(VTR_EUNSUPPORTED, err.code);
	vtr_blk_unref(b);
	vtr_ctx_unref(ctx);
}

static int lvm2_setup(void **state)
{
	(void)state;
	if (!part_has_tool("xz"))
		return 0;
	dir = part_temp();
	part_run("for i in 1 2 3; do xz -dc tests/images/lvm2-$i.img.xz >'%s'/lvm2-$i.img; done", dir);
	return 0;
}

static int lvm2_teardown(void **state)
{
	(void)state;
	if (dir)
		part_temp_done(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(volumes_are_what_the_kernel_reads),
		cmocka_unit_test(extents_lead_to_the_files),
		cmocka_unit_test(what_is_missing_is_named_and_the_rest_is_read),
		cmocka_unit_test(copies_of_a_member_are_ambiguous),
		cmocka_unit_test(volumes_lie_on_volumes_and_texts_wrap),
		cmocka_unit_test(damage_of_the_text_is_named),
		cmocka_unit_test(damage_of_the_bytes_is_named),
		cmocka_unit_test(the_newest_metadata_is_read),
		cmocka_unit_test(limits_are_named),
		cmocka_unit_test(each_read_may_fail),
		cmocka_unit_test(guests_have_their_volumes),
		cmocka_unit_test(what_is_no_member_is_said),
	};

	return cmocka_run_group_tests(tests, lvm2_setup, lvm2_teardown);
}
