/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ranges that are replaced, beside a plain array that the same is done to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/overlay.h"

#define BELOW 3000u
#define ROOM 4096u /* what the overlay may grow to */

static struct {
	struct vtr_ctx *ctx;
	struct vtr_blk *below, *other, *view;
	uint8_t bytes[BELOW], others[ROOM];
	uint8_t model[ROOM];
	bool replaced[ROOM];
	uint64_t size;
} t;

static uint32_t seed;

static uint32_t next(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static void begin(struct vtr_limits *lim)
{
	memset(&t, 0, sizeof(t));
	t.ctx = vtr_ctx_new(lim, NULL);
	for (size_t i = 0; i < ROOM; i++)
		t.others[i] = (uint8_t)(next(255) + 1);
	for (size_t i = 0; i < BELOW; i++)
		t.model[i] = t.bytes[i] = (uint8_t)(next(255) + 1);
	assert_int_equal(0, vtr_blk_memory(&t.below, t.ctx, t.bytes, BELOW, NULL));
	assert_int_equal(0, vtr_blk_memory(&t.other, t.ctx, t.others, ROOM, NULL));
	assert_int_equal(0, vtr_overlay_new(&t.view, t.below, "view", "changes", NULL));
	t.size = BELOW;
}

static void end(void)
{
	vtr_blk_unref(t.view);
	vtr_blk_unref(t.other);
	vtr_blk_unref(t.below);
	assert_int_equal(0, atomic_load(&t.ctx->metadata));
	vtr_ctx_unref(t.ctx);
}

/* A change of each kind, of the view and of the model. */
static void change(uint32_t kind, uint32_t off, uint32_t len, uint32_t from)
{
	uint8_t bytes[ROOM];

	if (kind == 0) {
		memset(bytes, 0, len);
		assert_int_equal(0, vtr_overlay_zero(t.view, off, len, NULL));
	} else if (kind == 1) {
		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)next(256);
		assert_int_equal(0, vtr_overlay_write(t.view, off, bytes, len, NULL));
	} else if (kind == 2) {
		memcpy(bytes, t.others + from, len);
		assert_int_equal(0, vtr_overlay_map(t.view, off, len, t.other, from, NULL, NULL));
	} else { /* moved within the source below */
		from %= BELOW - len + 1;
		memcpy(bytes, t.bytes + from, len);
		assert_int_equal(0, vtr_overlay_map(t.view, off, len, t.below, from, "moved", NULL));
	}
	memcpy(t.model + off, bytes, len);
	memset(t.replaced + off, 1, len);
}

static void read_is(uint32_t off, uint32_t len)
{
	uint8_t *buf = malloc(len + 1u); /* as long as it is, for the sanitizer */

	buf[len] = 0xa5;
	assert_int_equal(0, vtr_blk_pread(t.view, off, buf, len, NULL));
	assert_memory_equal(t.model + off, buf, len);
	assert_int_equal(0xa5, buf[len]);
	free(buf);
}

/* What is replaced, byte by byte; ranges that are cut off must be alike to their end, and go on with progress. */
static void replaced_is(void)
{
	for (uint64_t off = 0; off < t.size;) {
		uint64_t len = t.size - off;
		bool is = vtr_overlay_replaced(t.view, off, &len);

		assert_true(len > 0 && len <= t.size - off);
		for (uint64_t i = off; i < off + len; i++)
			assert_int_equal(t.replaced[i] || i >= BELOW, is);
		/* No sooner than it has to be, but where below ends. */
		assert_true(off + len == t.size || off + len >= BELOW || t.replaced[off + len] != is);
		off += len;
	}
}

static void end_is(void)
{
	uint64_t last = ROOM;

	while (last > 0 && !t.replaced[last - 1])
		last--;
	assert_int_equal(last, vtr_overlay_end(t.view));
}

static void random_changes_are_what_an_array_has(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		uint32_t max_len = round % 3 == 0 ? 8 : round % 3 == 1 ? 200 : 2500;

		seed = round;
		begin(NULL);
		for (unsigned batch = next(4); batch < 5; batch++) {
			for (unsigned n = next(40); n > 0; n--) {
				uint32_t len = next(max_len), off = next(ROOM - len + 1);

				change(next(4), off, len, next(ROOM - len + 1));
			}
			assert_int_equal(0, vtr_overlay_settle(t.view, NULL));
			end_is();
			t.size = VTR_MAX(vtr_overlay_end(t.view), (uint64_t)BELOW);
			if (next(2))
				t.size += next((uint32_t)(ROOM - t.size + 1));
			vtr_overlay_resize(t.view, t.size);
			read_is(0, (uint32_t)t.size);
			for (unsigned n = 0; n < 50; n++) {
				uint32_t off = next((uint32_t)t.size);

				read_is(off, next((uint32_t)t.size - off + 1));
			}
			replaced_is();
		}
		end();
	}
}

/* In order, one by one, backwards and in the middle: where ranges meet, begin and end together. */
static void neighbours_and_covers(void **state)
{
	static const struct {
		uint32_t off, len;
	} cases[][4] = {
		{ { 10, 10 }, { 20, 10 }, { 0, 10 }, { 30, 1 } },
		{ { 10, 10 }, { 10, 10 }, { 10, 9 }, { 11, 9 } },
		{ { 10, 30 }, { 20, 10 }, { 15, 20 }, { 10, 30 } },
		{ { 10, 1 }, { 12, 1 }, { 11, 1 }, { 9, 5 } },
		{ { 0, BELOW }, { 0, 1 }, { BELOW - 1, 1 }, { 5, 0 } },
	};

	(void)state;
	for (size_t k = 0; k < VTR_COUNT(cases); k++)
		for (uint32_t kinds = 0; kinds < 256; kinds++) {
			begin(NULL);
			for (size_t i = 0; i < 4; i++) {
				change(kinds >> (2 * i) & 3, cases[k][i].off, cases[k][i].len, cases[k][i].off);
				if (kinds % 3 == 0)
					assert_int_equal(0, vtr_overlay_settle(t.view, NULL));
			}
			assert_int_equal(0, vtr_overlay_settle(t.view, NULL));
			assert_int_equal(0, vtr_overlay_settle(t.view, NULL)); /* nothing to do */
			read_is(0, BELOW);
			replaced_is();
			end();
		}
}

static void what_cannot_be_is_refused(void **state)
{
	struct vtr_error err = { 0 };
	uint8_t buf[16];

	(void)state;
	begin(NULL);
	assert_int_equal(-1, vtr_overlay_zero(t.view, UINT64_MAX - 3, 5, &err));
	assert_int_equal(VTR_ECORRUPT, err.code);
	assert_int_equal(0, vtr_overlay_zero(t.view, UINT64_MAX - 3, 3, NULL));
	/* The source that is mapped is shorter than the range. */
	assert_int_equal(0, vtr_overlay_map(t.view, 0, 16, t.other, ROOM - 8, "log", NULL));
	assert_int_equal(0, vtr_overlay_settle(t.view, NULL));
	assert_int_equal(0, vtr_blk_pread(t.view, 0, buf, 8, NULL));
	assert_memory_equal(t.others + ROOM - 8, buf, 8);
	assert_int_equal(-1, vtr_blk_pread(t.view, 0, buf, 9, &err));
	assert_int_equal(VTR_ETRUNCATED, err.code);
	assert_non_null(strstr(err.text, "log: "));
	assert_int_equal(-1, vtr_blk_pread(t.view, BELOW - 8, buf, 9, &err));
	assert_non_null(strstr(err.text, "view"));
	end();
}

static void memory_is_charged_and_limited(void **state)
{
	struct vtr_limits lim;
	struct vtr_error err = { 0 };
	uint8_t bytes[600] = { 0 };
	unsigned n = 0;

	(void)state;
	vtr_limits_default(&lim);
	lim.metadata = 20000;
	begin(&lim);
	while (vtr_overlay_zero(t.view, 2 * n, 1, &err) == 0)
		n++;
	assert_int_equal(VTR_ELIMIT, err.code);
	assert_non_null(strstr(err.text, "changes"));
	assert_in_range(n, 100, 20000 / 32);
	end();
	begin(&lim);
	for (n = 0; vtr_overlay_write(t.view, 0, bytes, sizeof(bytes), &err) == 0;)
		n++;
	assert_int_equal(VTR_ELIMIT, err.code);
	assert_in_range(n, 10, 33);
	end();
	/* What settles is given back: the same range over and over takes no more in the end. */
	begin(&lim);
	for (n = 0; n < 1000; n++) {
		assert_int_equal(0, vtr_overlay_zero(t.view, n % 7, 5, NULL));
		assert_int_equal(0, vtr_overlay_settle(t.view, NULL));
	}
	assert_in_range(atomic_load(&t.ctx->metadata), 1, 200);
	end();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes_are_what_an_array_has),
		cmocka_unit_test(neighbours_and_covers),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(memory_is_charged_and_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
