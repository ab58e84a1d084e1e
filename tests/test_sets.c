/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which sets are assembled, in which order, and how often each is asked: with a layer whose assembly only counts. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "volumes/volume.h"

static size_t asked;	     /* times that a set was to be assembled */
static char assembled[2048]; /* the sets that were, by their first letters */

/* A member: its set, a letter and how many members the set has ("a3"), or "-" for a set that it does not know. */
static int count_member(struct vtr_set_member *m, struct vtr_error *err)
{
	char text[16];

	if (vtr_blk_pread(m->blk, 0, text, sizeof(text), err) < 0)
		return -1;
	if (text[0] == '!')
		return vtr_fail(err, VTR_ECORRUPT, "damage");
	if (text[0] != '-')
		snprintf(m->set, sizeof(m->set), "%s", text);
	snprintf(m->own, sizeof(m->own), "%s", text + 8);
	return 0;
}

static int count_assemble(struct vtr_volumes *out, struct vtr_set_member *const *m, size_t n, bool degraded,
			  struct vtr_error *err)
{
	size_t want = (size_t)atoi(m[0]->set + 1), mine = 0;

	(void)out;
	asked++;
	for (size_t i = 0; i < n; i++)
		mine += strcmp(m[i]->set, m[0]->set) == 0 || m[i]->own[0] == m[0]->set[0];
	if (mine < want && !degraded)
		return 0;
	if (want == 0)
		return vtr_fail(err, VTR_ECORRUPT, "a set of nothing");
	for (size_t i = 0; i < n; i++)
		m[i]->used = m[i]->used || strcmp(m[i]->set, m[0]->set) == 0 || m[i]->own[0] == m[0]->set[0];
	assembled[strlen(assembled)] = m[0]->set[0];
	return 1;
}

static const struct vtr_layer count_layer = { .sig = VTR_SIG_LVM2, .member = count_member, .assemble = count_assemble };

static size_t warnings;

static void sets_warned(void *arg, const struct vtr_error *w)
{
	(void)arg, (void)w;
	warnings++;
}

struct sets_test {
	struct vtr_ctx *ctx;
	struct vtr_sets *s;
	struct vtr_volumes *v;
	size_t n;
};

static void sets_start(struct sets_test *t)
{
	*t = (struct sets_test){ .ctx = vtr_ctx_new(NULL, NULL) };
	assert_non_null(t->ctx);
	vtr_ctx_on_warning(t->ctx, sets_warned, NULL);
	t->s = vtr_sets_new(t->ctx, NULL);
	t->v = vtr_volumes_new(t->ctx, NULL);
	assert_true(t->s && t->v);
	asked = warnings = 0;
	memset(assembled, 0, sizeof(assembled));
}

static void sets_end(struct sets_test *t)
{
	vtr_sets_free(t->s);
	vtr_volumes_close(t->v);
	vtr_ctx_unref(t->ctx);
}

static int sets_put(struct sets_test *t, const char *set, const char *own)
{
	VTR_UNREF struct vtr_blk *b = NULL;
	char text[16] = "";

	snprintf(text, 8, "%s", set);
	snprintf(text + 8, 8, "%s", own);
	assert_int_equal(0, vtr_blk_memory(&b, t->ctx, text, sizeof(text), NULL));
	return vtr_sets_add(t->s, &count_layer, b, "device", t->n++, NULL);
}

/* Assemble until nothing is left. */
static void sets_run(struct sets_test *t, bool degraded)
{
	int r;

	while ((r = vtr_sets_assemble(t->v, t->s, degraded, NULL)) != 0)
		assert_int_equal(1, r);
}

static void complete_sets_come_first(void **state)
{
	struct sets_test t;

	(void)state;
	sets_start(&t);
	assert_int_equal(1, sets_put(&t, "a3", "1"));
	assert_int_equal(1, sets_put(&t, "b2", "1"));
	assert_int_equal(1, sets_put(&t, "a3", "2"));
	assert_int_equal(1, sets_put(&t, "b2", "2"));
	assert_int_equal(1, sets_put(&t, "c1", "1"));
	sets_run(&t, false);
	assert_string_equal("bc", assembled);
	sets_run(&t, true);
	assert_string_equal("bca", assembled);
	sets_run(&t, false);
	sets_run(&t, true);
	assert_string_equal("bca", assembled);
	for (size_t i = 0; i < 5; i++)
		assert_true(vtr_sets_member(t.s, i)->used && vtr_sets_member(t.s, i)->index == i);
	assert_null(vtr_sets_member(t.s, 5));
	vtr_sets_warn_rest(t.s);
	assert_int_equal(0, warnings);
	sets_end(&t);
}

/* A disk may have thousands of sets that never become complete; each is asked again only when a member came. */
static void incomplete_sets_are_not_asked_again(void **state)
{
	struct sets_test t;
	char name[8];

	(void)state;
	sets_start(&t);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "x%u", 2000 + i);
		assert_int_equal(1, sets_put(&t, name, "1"));
		sets_run(&t, false);
	}
	assert_int_equal(1000, asked);
	sets_run(&t, false);
	assert_int_equal(1000, asked);
	assert_int_equal(1, sets_put(&t, "x2000", "2"));
	sets_run(&t, false);
	assert_int_equal(1001, asked);
	sets_run(&t, true);
	assert_int_equal(2001, asked);
	sets_end(&t);
}

/* Members that do not know their set: whose they are, the set's own members know. */
static void members_of_no_known_set_complete_one(void **state)
{
	struct sets_test t;

	(void)state;
	sets_start(&t);
	assert_int_equal(1, sets_put(&t, "a2", "1"));
	assert_int_equal(1, sets_put(&t, "b3", "1"));
	sets_run(&t, false);
	assert_string_equal("", assembled);
	assert_int_equal(1, sets_put(&t, "-", "b"));
	assert_int_equal(1, sets_put(&t, "-", "a"));
	assert_int_equal(1, sets_put(&t, "-", "z"));
	sets_run(&t, false);
	assert_string_equal("a", assembled);
	assert_false(vtr_sets_member(t.s, 2)->used); /* b is not complete: it took nothing */
	assert_true(vtr_sets_member(t.s, 3)->used);
	assert_int_equal(1, sets_put(&t, "b3", "2"));
	sets_run(&t, false);
	assert_string_equal("ab", assembled);
	assert_true(vtr_sets_member(t.s, 2)->used);
	vtr_sets_warn_rest(t.s);
	assert_int_equal(1, warnings); /* z */
	sets_end(&t);
}

static void a_set_that_fails_is_left(void **state)
{
	struct sets_test t;
	struct vtr_error err = { 0 };

	(void)state;
	sets_start(&t);
	assert_int_equal(1, sets_put(&t, "f0", "1"));
	assert_int_equal(1, sets_put(&t, "a1", "1"));
	assert_int_equal(-1, sets_put(&t, "!", "1"));
	assert_int_equal(-1, vtr_sets_assemble(t.v, t.s, false, &err));
	assert_string_equal("lvm2: a set of nothing", err.text);
	sets_run(&t, false);
	sets_run(&t, true);
	assert_string_equal("a", assembled);
	/* A member that comes too late does not assemble its set again. It is reported once. */
	assert_int_equal(1, sets_put(&t, "a1", "2"));
	sets_run(&t, true);
	assert_string_equal("a", assembled);
	vtr_sets_warn_rest(t.s);
	assert_int_equal(1, warnings);
	sets_end(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(complete_sets_come_first),
		cmocka_unit_test(incomplete_sets_are_not_asked_again),
		cmocka_unit_test(members_of_no_known_set_complete_one),
		cmocka_unit_test(a_set_that_fails_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
