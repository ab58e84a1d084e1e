/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Replaying journals that were put together by hand (tests/jbd2_images.c), with what must come out worked out by hand;
 * tests/test_replay.sh compares with e2fsck and the kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fs/jbd2.h"
#include "tests/jbd2_images.h"

#define VOLUME_BLOCKS 32u

struct replay {
	struct vtr_ctx *ctx;
	struct vtr_blk *view; /* NULL: it failed */
	struct vtr_jbd2_result result;
	struct vtr_error err;
	char warnings[2048];
};

static void keep_warning(void *arg, const struct vtr_error *w)
{
	struct replay *r = arg;
	size_t at = strlen(r->warnings);

	snprintf(r->warnings + at, sizeof(r->warnings) - at, "%s\n", w->text);
}

/* A volume of dots, with the journal replayed. */
static void replay(struct replay *r, const struct journal_maker *m)
{
	static uint8_t dots[VOLUME_BLOCKS * JOURNAL_BLOCK];
	struct vtr_blk *fs = NULL, *journal = NULL;

	memset(r, 0, sizeof(*r));
	memset(dots, '.', sizeof(dots));
	r->ctx = vtr_ctx_new(NULL, NULL);
	vtr_ctx_on_warning(r->ctx, keep_warning, r);
	assert_int_equal(0, vtr_blk_memory(&fs, r->ctx, dots, sizeof(dots), NULL));
	assert_int_equal(0, vtr_blk_memory(&journal, r->ctx, m->b, sizeof(m->b), NULL));
	vtr_jbd2_replay(&r->view, &r->result, fs, journal, 0, &r->err);
	vtr_blk_unref(fs);
	vtr_blk_unref(journal);
}

static void done(struct replay *r)
{
	vtr_blk_unref(r->view);
	vtr_ctx_unref(r->ctx);
}

/* What a block of the volume is filled with; 0: with more than one thing. */
static char letter(struct replay *r, uint64_t block)
{
	uint8_t b[JOURNAL_BLOCK];

	assert_non_null(r->view);
	assert_int_equal(0, vtr_blk_pread(r->view, block * JOURNAL_BLOCK, b, sizeof(b), NULL));
	for (size_t i = 1; i < sizeof(b); i++)
		if (b[i] != b[0])
			return 0;
	return (char)b[0];
}

/* Plain, 64bit, and each checksum format with and without. */
static const uint32_t all_features[] = { 0x1, 0x3, 0x9, 0xb, 0x11, 0x13 };

static void complete_transactions_count(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(all_features) / sizeof(all_features[0]); i++) {
		struct journal_maker m;
		struct replay r;

		journal_begin(&m, all_features[i], 0, 1, 7);
		journal_write(&m, (uint64_t[]){ 3, 4 }, "ab", 2, false);
		journal_commit(&m, 100);
		journal_write(&m, (uint64_t[]){ 4 }, "c", 1, false);
		journal_commit(&m, 101);
		journal_write(&m, (uint64_t[]){ 5 }, "d", 1, false); /* no commit */
		replay(&r, &m);
		assert_int_equal('a', letter(&r, 3));
		assert_int_equal('c', letter(&r, 4));
		assert_int_equal('.', letter(&r, 5));
		assert_int_equal(2, r.result.transactions);
		assert_int_equal(2, r.result.blocks);
		assert_string_equal("", r.warnings);
		done(&r);
	}
}

static void revoked_blocks_stay_out_until_written_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(all_features) / sizeof(all_features[0]); i++) {
		struct journal_maker m;
		struct replay r;

		journal_begin(&m, all_features[i], 0, 1, UINT32_MAX); /* the sequence wraps */
		journal_write(&m, (uint64_t[]){ 3, 4, 5 }, "abc", 3, false);
		journal_commit(&m, 1);
		journal_revoke(&m, (uint64_t[]){ 3, 4 }, 2);
		journal_commit(&m, 2);
		journal_write(&m, (uint64_t[]){ 4 }, "d", 1, false);
		journal_commit(&m, 3);
		replay(&r, &m);
		assert_int_equal('.', letter(&r, 3));
		assert_int_equal('d', letter(&r, 4));
		assert_int_equal('c', letter(&r, 5));
		assert_int_equal(2, r.result.revoked);
		done(&r);
	}
}

/* A revoke and a write in one transaction: the revoke is of what came before. It covers its own transaction, too. */
static void a_revoke_covers_its_own_transaction(void **state)
{
	struct journal_maker m;
	struct replay r;

	(void)state;
	journal_begin(&m, 0x13, 0, 1, 1);
	journal_revoke(&m, (uint64_t[]){ 3 }, 1);
	journal_write(&m, (uint64_t[]){ 3, 4 }, "ab", 2, false);
	journal_commit(&m, 1);
	replay(&r, &m);
	assert_int_equal('.', letter(&r, 3));
	assert_int_equal('b', letter(&r, 4));
	done(&r);
}

static void logs_wrap(void **state)
{
	struct journal_maker m;
	struct replay r;

	(void)state;
	journal_begin(&m, 0x13, 0, JOURNAL_BLOCKS - 2, 9);
	journal_write(&m, (uint64_t[]){ 3, 4, 5 }, "abc", 3, false); /* the descriptor and one block before the end */
	journal_commit(&m, 1);
	replay(&r, &m);
	assert_int_equal('a', letter(&r, 3));
	assert_int_equal('b', letter(&r, 4));
	assert_int_equal('c', letter(&r, 5));
	done(&r);
}

static void escaped_blocks_get_their_magic_back(void **state)
{
	struct journal_maker m;
	struct replay r;
	uint8_t b[8];

	(void)state;
	journal_begin(&m, 0x13, 0, 1, 1);
	journal_write(&m, (uint64_t[]){ 3 }, "x", 1, true);
	journal_commit(&m, 1);
	replay(&r, &m);
	assert_int_equal(0, vtr_blk_pread(r.view, 3 * JOURNAL_BLOCK, b, 8, NULL));
	assert_memory_equal("\xc0\x3b\x39\x98xxxx", b, 8);
	assert_int_equal(0, vtr_blk_pread(r.view, 3 * JOURNAL_BLOCK + 2, b, 4, NULL));
	assert_memory_equal("\x39\x98xx", b, 4);
	assert_int_equal(0, vtr_blk_pread(r.view, 3 * JOURNAL_BLOCK - 2, b, 4, NULL));
	assert_memory_equal("..\xc0\x3b", b, 4);
	done(&r);
}

static void clean_journals_change_nothing(void **state)
{
	struct journal_maker m;
	struct replay r;

	(void)state;
	journal_begin(&m, 0x13, 0, 1, 1);
	journal_write(&m, (uint64_t[]){ 3 }, "x", 1, false);
	journal_commit(&m, 1);
	memset(m.b + 0x1c, 0, 4); /* s_start */
	journal_seal(&m, 0);
	replay(&r, &m);
	assert_int_equal('.', letter(&r, 3));
	assert_int_equal(0, r.result.transactions);
	done(&r);
}

/* Damage to the log itself: what came before counts. at is a byte of block 4, the second transaction's descriptor. */
static void damage_ends_the_log_or_is_left_out(void **state)
{
	static const struct {
		uint32_t block, at;
		char third, fourth; /* letters of blocks 3 and 4 */
		const char *text;
	} damages[] = {
		{ 1, 20, '.', '.', "transaction 1: its checksum is wrong" },			 /* first descriptor */
		{ 2, 500, '.', 'b', "transaction 1: the checksum of the block for 3 is wrong" }, /* data */
		{ 3, 0x20, '.', '.', "transaction 1: its checksum is wrong" },			 /* commit */
		{ 4, 20, 'a', '.', "transaction 2: its checksum is wrong" },
		{ 5, 500, 'a', '.', "transaction 2: the checksum of the block for 4 is wrong" },
		{ 6, 0x20, 'a', '.', "transaction 2: its checksum is wrong" },
		{ 4, 0, 'a', '.', "" },	 /* no magic: the log ends */
		{ 4, 11, 'a', '.', "" }, /* another sequence: the log ends */
		{ 4, 7, 'a', '.', "" },	 /* an unknown type: the log ends */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct journal_maker m;
		struct replay r;

		journal_begin(&m, 0x13, 0, 1, 1);
		journal_write(&m, (uint64_t[]){ 3 }, "a", 1, false);
		journal_commit(&m, 100);
		journal_write(&m, (uint64_t[]){ 4 }, "b", 1, false);
		journal_commit(&m, 101);
		journal_block(&m, damages[i].block)[damages[i].at] ^= 0x40;
		replay(&r, &m);
		assert_int_equal(damages[i].third, letter(&r, 3));
		assert_int_equal(damages[i].fourth, letter(&r, 4));
		assert_non_null(strstr(r.warnings, damages[i].text));
		assert_int_equal(damages[i].text[0] != 0, vtr_ctx_damage(r.ctx) > 0);
		done(&r);
	}
}

/* Blocks of an older log behind the end: their commit is older than the last that counted, and says nothing. */
static void stale_blocks_are_no_damage(void **state)
{
	struct journal_maker m;
	struct replay r;

	(void)state;
	journal_begin(&m, 0x13, 0, 1, 1);
	journal_write(&m, (uint64_t[]){ 3 }, "a", 1, false);
	journal_commit(&m, 100);
	journal_write(&m, (uint64_t[]){ 4 }, "b", 1, false);
	journal_commit(&m, 50);
	journal_block(&m, 4)[20] ^= 1;
	replay(&r, &m);
	assert_int_equal('a', letter(&r, 3));
	assert_int_equal('.', letter(&r, 4));
	assert_string_equal("", r.warnings);
	done(&r);
}

static void blocks_outside_are_told(void **state)
{
	struct journal_maker m;
	struct replay r;

	(void)state;
	journal_begin(&m, 0x13, 0, 1, 1);
	journal_write(&m, (uint64_t[]){ 3, VOLUME_BLOCKS, 1ull << 40 }, "abc", 3, false);
	journal_commit(&m, 1);
	replay(&r, &m);
	assert_int_equal('a', letter(&r, 3));
	assert_int_equal(1, r.result.blocks);
	assert_non_null(strstr(r.warnings, "block 32 is outside"));
	assert_non_null(strstr(r.warnings, "block 1099511627776 is outside"));
	done(&r);
}

/* Their area begins a block after the log's end, and is replayed elsewhere; without a start of the log there is none. */
static void fast_commits_are_located(void **state)
{
	struct journal_maker m;
	struct replay r;

	(void)state;
	for (uint32_t start = 0; start < 2; start++) {
		journal_begin(&m, 0x33, 0, 1, 1);
		journal_write(&m, (uint64_t[]){ 3 }, "a", 1, false);
		journal_commit(&m, 1);
		m.b[0x1f] = (uint8_t)start; /* s_start */
		m.b[0x57] = 4;		    /* s_num_fc_blks */
		journal_seal(&m, 0);
		replay(&r, &m);
		assert_int_equal(start ? JOURNAL_BLOCKS - 3 : 0, r.result.fast_first);
		assert_int_equal(start ? 3 : 0, r.result.fast_blocks);
		assert_int_equal(start ? 2 : 1, r.result.next);
		assert_int_equal(1024, r.result.block);
		done(&r);
	}
}

static void superblocks_are_checked(void **state)
{
	static const struct {
		size_t at;
		uint8_t byte;
		int code;
		const char *text;
	} damages[] = {
		{ 0x00, 0, VTR_ECORRUPT, "magic" },
		{ 0x07, 9, VTR_ECORRUPT, "type 9" },
		{ 0x0e, 3, VTR_ECORRUPT, "blocks of 768 bytes" },
		{ 0x0d, 2, VTR_ECORRUPT, "blocks of" },
		{ 0x13, 17, VTR_ETRUNCATED, "17 blocks, the journal has 16" },
		{ 0x17, 0, VTR_ECORRUPT, "a log from block 0" },
		{ 0x17, 15, VTR_ECORRUPT, "starts at 1" }, /* of one block: the start lies before it */
		{ 0x17, 16, VTR_ECORRUPT, "a log from block 16 to 16" },
		{ 0x1f, 16, VTR_ECORRUPT, "starts at 16" },
		{ 0x2a, 1, VTR_EUNSUPPORTED, "feature 0x100 is unknown" },
		{ 0x50, 1, VTR_EUNSUPPORTED, "checksum type 1" },
	};
	struct journal_maker m;
	struct replay r;

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		journal_begin(&m, 0x13, 0, 1, 1);
		m.b[damages[i].at] = damages[i].byte;
		journal_seal(&m, 0);
		replay(&r, &m);
		assert_null(r.view);
		assert_int_equal(damages[i].code, r.err.code);
		assert_non_null(strstr(r.err.text, damages[i].text));
		done(&r);
	}
	journal_begin(&m, 0x13, 0, 1, 1);
	m.b[0x30] ^= 1;
	replay(&r, &m);
	assert_null(r.view);
	assert_non_null(strstr(r.err.text, "checksum is wrong"));
	done(&r);
}

/*
 * With 64bit and no checksums tags have 12 bytes, and the first a UUID behind it: 83 of them end where the block does. The
 * log has 15 blocks, so that their data lies there more than once; journal.rst says how many tags there are, and no more.
 */
static void a_descriptor_may_be_full_of_tags(void **state)
{
	struct journal_maker m;
	struct replay r;
	uint8_t *b;

	(void)state;
	journal_begin(&m, 2, 0, 1, 1);
	journal_write(&m, (uint64_t[]){ 3 }, "a", 1, false);
	b = journal_block(&m, 1);
	b[12 + 7] = 0; /* not the last */
	for (unsigned k = 0; k < 82; k++) {
		uint8_t *tag = b + 12 + 12 + 16 + 12 * k;

		tag[3] = k == 81 ? 5 : 4;
		tag[7] = 2; /* the same UUID; not the last */
	}
	m.at = 1 + (1 + 83) % 15;
	memset(journal_block(&m, m.at - 1), 'z', JOURNAL_BLOCK);
	journal_commit(&m, 1);
	replay(&r, &m);
	assert_int_equal(1, r.result.transactions);
	assert_int_equal('z', letter(&r, 5));
	assert_int_equal(3, r.result.blocks);
	assert_string_equal("", r.warnings);
	done(&r);
}

/*
 * Tags of checksum v3 have 16 bytes, and a UUID of 16 where they do not say that it is the same one: the 32nd ends where the
 * checksum of the descriptor begins, and its UUID would lie beyond the block.
 */
static void a_tag_may_end_where_its_block_does(void **state)
{
	struct journal_maker m;
	struct replay r;
	uint8_t *b;

	(void)state;
	journal_begin(&m, 0x13, 0, 1, 1);
	journal_write(&m, (uint64_t[]){ 3 }, "a", 1, false);
	b = journal_block(&m, 1);
	for (unsigned k = 0; k < 32; k++) {
		memset(b + 12 + 32 * k, 0, k < 31 ? 32 : 16);
		b[12 + 32 * k + 3] = 3; /* the block; neither the same UUID nor the last */
	}
	replay(&r, &m); /* the descriptor's checksum is wrong now: nothing is replayed, but all of it was read */
	assert_non_null(r.view);
	assert_int_equal(0, r.result.transactions);
	assert_int_equal('.', letter(&r, 3));
	done(&r);
}

/* The block behind the log's last one is its first; the volume's last block is the last that can be written. */
static void the_last_blocks_count(void **state)
{
	struct journal_maker m;
	struct replay r;

	(void)state;
	journal_begin(&m, 0x13, 0, JOURNAL_BLOCKS - 1, 1);
	journal_write(&m, (uint64_t[]){ VOLUME_BLOCKS - 1 }, "a", 1, false);
	journal_commit(&m, 1);
	replay(&r, &m);
	assert_int_equal('a', letter(&r, VOLUME_BLOCKS - 1));
	assert_string_equal("", r.warnings);
	done(&r);
}

/* As many bytes as the block has without its checksum: 252 numbers of four bytes, and their length. */
static void a_revoke_block_may_be_full(void **state)
{
	struct journal_maker m;
	struct replay r;
	uint8_t *b;

	(void)state;
	for (uint32_t used = 1020; used <= 1021; used++) {
		journal_begin(&m, 0x10, 0, 1, 1);
		journal_write(&m, (uint64_t[]){ 3 }, "a", 1, false);
		journal_revoke(&m, (uint64_t[]){ 9 }, 1);
		b = journal_block(&m, 3);
		b[14] = (uint8_t)(used >> 8);
		b[15] = (uint8_t)used;
		b[1016 + 3] = 3; /* the last number; the others are 9 and zeros */
		journal_seal(&m, 3);
		journal_commit(&m, 1);
		replay(&r, &m);
		if (used == 1020) {
			assert_int_equal('.', letter(&r, 3));
			assert_int_equal(1, r.result.transactions);
		} else {
			assert_null(r.view);
			assert_non_null(strstr(r.err.text, "a revoke block of 1021 bytes, at most 1020"));
		}
		done(&r);
	}
}

/* A revoke block that says that it is longer than a block. */
static void a_revoke_block_is_bounded(void **state)
{
	struct journal_maker m;
	struct replay r;

	(void)state;
	journal_begin(&m, 0x13, 0, 1, 1);
	journal_revoke(&m, (uint64_t[]){ 3 }, 1);
	journal_block(&m, 1)[12] = 1;
	journal_seal(&m, 1);
	journal_commit(&m, 1);
	replay(&r, &m);
	assert_null(r.view);
	assert_int_equal(VTR_ECORRUPT, r.err.code);
	assert_non_null(strstr(r.err.text, "a revoke block of 16777240 bytes, at most 1020"));
	done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(complete_transactions_count),
		cmocka_unit_test(revoked_blocks_stay_out_until_written_again),
		cmocka_unit_test(a_revoke_covers_its_own_transaction),
		cmocka_unit_test(logs_wrap),
		cmocka_unit_test(escaped_blocks_get_their_magic_back),
		cmocka_unit_test(clean_journals_change_nothing),
		cmocka_unit_test(damage_ends_the_log_or_is_left_out),
		cmocka_unit_test(stale_blocks_are_no_damage),
		cmocka_unit_test(blocks_outside_are_told),
		cmocka_unit_test(fast_commits_are_located),
		cmocka_unit_test(superblocks_are_checked),
		cmocka_unit_test(a_descriptor_may_be_full_of_tags),
		cmocka_unit_test(a_tag_may_end_where_its_block_does),
		cmocka_unit_test(the_last_blocks_count),
		cmocka_unit_test(a_revoke_block_may_be_full),
		cmocka_unit_test(a_revoke_block_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
