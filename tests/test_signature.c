/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which signature decides, and which bytes probing may look at. tests/test_identity.sh has blkid judge the list itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/signature.h"

#define DISK (4u << 20)

static uint8_t *disk;
static struct vtr_ctx *ctx;
static struct vtr_blk *blk;
static struct vtr_probe probe;

static int sig_setup(void **state)
{
	(void)state;
	disk = calloc(1, DISK);
	ctx = vtr_ctx_new(NULL, NULL);
	assert_true(disk && ctx);
	return 0;
}

static int sig_teardown(void **state)
{
	(void)state;
	vtr_probe_done(&probe);
	vtr_blk_unref(blk);
	blk = NULL;
	vtr_ctx_unref(ctx);
	free(disk);
	return 0;
}

static void sig_probe(void)
{
	assert_int_equal(0, vtr_blk_memory(&blk, ctx, disk, DISK, NULL));
	assert_int_equal(0, vtr_probe_read(&probe, blk, NULL));
}

static void sig_put(size_t at, const char *bytes, size_t len)
{
	memcpy(disk + at, bytes, len);
}

/* ext4's superblock: inodes, blocks, magic, revision (ext4(5) and the kernel's documentation of the layout). */
static void sig_put_ext(void)
{
	sig_put(1024, "\x10\0\0\0\x10\0\0\0", 8);
	sig_put(1024 + 0x38, "\x53\xef", 2);
	sig_put(1024 + 0x4c, "\1", 1);
}

/* DRBD keeps its metadata behind a filesystem that is read without it. */
static void what_lies_at_the_end_comes_last(void **state)
{
	int bits, second;

	(void)state;
	sig_put(DISK - 4096 + 0x3c, "\x83\x74\x02\x6b", 4);
	sig_probe();
	assert_int_equal(VTR_SIG_DRBD, vtr_signature_find(&probe, &bits, &second));
	assert_int_equal(-1, second);
	vtr_probe_done(&probe);
	vtr_blk_unref(blk);
	sig_put_ext();
	sig_probe();
	assert_int_equal(VTR_SIG_EXT, vtr_signature_find(&probe, &bits, &second));
	assert_int_equal(64, bits);
	assert_int_equal(-1, second);
}

/* A member of a RAID of version 1.0 looks like what is in it. */
static void what_wraps_comes_first(void **state)
{
	(void)state;
	sig_put_ext();
	sig_put(DISK - 8192, "\xfc\x4e\x2b\xa9\1\0\0\0", 8);
	sig_probe();
	assert_int_equal(VTR_SIG_MDRAID, vtr_signature_find(&probe, NULL, NULL));
	/* The end is not the start: a partition table may be there. */
	assert_int_equal(VTR_SIG_EXT, vtr_signature_at_start(disk, 4096, false));
	assert_int_equal(-1, vtr_signature_at_start(disk, 4096, true));
}

static void similar_strength_is_ambiguous(void **state)
{
	int second;

	(void)state;
	sig_put(0, "XFSB", 4);
	sig_put(1024, "\xe2\xe1\xf5\xe0", 4);
	sig_probe();
	assert_int_equal(VTR_SIG_XFS, vtr_signature_find(&probe, NULL, &second));
	assert_int_equal(VTR_SIG_EROFS, second);
	vtr_probe_done(&probe);
	vtr_blk_unref(blk);
	sig_put(0x10040, "_BHRfS_M", 8);
	sig_probe();
	assert_int_equal(VTR_SIG_BTRFS, vtr_signature_find(&probe, NULL, &second));
	assert_int_equal(-1, second);
}

/* The feature bit 0x8 is of journals, where the revision has features at all. */
static void journals_are_no_filesystems(void **state)
{
	(void)state;
	sig_put_ext();
	disk[1024 + 0x60] = 8;
	sig_probe();
	assert_int_equal(VTR_SIG_JBD, vtr_signature_find(&probe, NULL, NULL));
	vtr_probe_done(&probe);
	vtr_blk_unref(blk);
	disk[1024 + 0x4c] = 0;
	sig_probe();
	assert_int_equal(VTR_SIG_EXT, vtr_signature_find(&probe, NULL, NULL));
}

static void probing_reads_at_any_offset_within_a_budget(void **state)
{
	const uint8_t *p;

	(void)state;
	for (size_t i = 0; i < DISK; i++)
		disk[i] = (uint8_t)(i >> 12);
	sig_probe();
	p = vtr_probe_at(&probe, 0, 16);
	assert_ptr_equal(probe.head, p);
	p = vtr_probe_at(&probe, DISK - 16, 16);
	assert_ptr_equal(probe.tail + probe.tail_len - 16, p);
	assert_null(vtr_probe_at(&probe, DISK - 16, 17));
	assert_null(vtr_probe_at(&probe, UINT64_MAX, 16));
	p = vtr_probe_at(&probe, 1u << 20, 4096);
	assert_non_null(p);
	assert_int_equal(0, p[0]);
	assert_ptr_equal(p + 100, vtr_probe_at(&probe, (1u << 20) + 100, 3996));
	p = vtr_probe_at(&probe, (1u << 20) + 100, 3997); /* the last byte is of the next page */
	assert_non_null(p);
	assert_int_equal(1, p[3996]);
	assert_null(vtr_probe_at(&probe, 1u << 20, 4097));
	for (size_t i = 2; i < VTR_PROBE_MORE; i++) {
		p = vtr_probe_at(&probe, (2u << 20) + i * 8192, 4096);
		assert_non_null(p);
		assert_int_equal((uint8_t)(512 + i * 2), p[0]);
	}
	assert_null(vtr_probe_at(&probe, 1536u << 10, 1));
	assert_non_null(vtr_probe_at(&probe, (2u << 20) + 2 * 8192, 1)); /* what was read stays */
	vtr_probe_done(&probe);
	assert_int_equal(0, vtr_probe_read_head(&probe, blk, NULL));
	assert_null(vtr_probe_at(&probe, 1u << 20, 16));
	assert_null(vtr_probe_at(&probe, DISK - 16, 16));
}

static void names_lead_back(void **state)
{
	(void)state;
	for (int i = 0; i < VTR_SIG_COUNT; i++) {
		assert_non_null(vtr_signatures[i].name);
		assert_true(vtr_signatures[i].type && vtr_signatures[i].title && vtr_signatures[i].usage);
		assert_true(vtr_signatures[i].probe || vtr_signatures[i].len >= 4);
		assert_int_equal(i, vtr_signature_named(vtr_signatures[i].name));
	}
	assert_int_equal(-1, vtr_signature_named("none"));
}

int main(void)
{
#define SIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, sig_setup, sig_teardown)
	static const struct CMUnitTest tests[] = {
		SIG_TEST(what_lies_at_the_end_comes_last),
		SIG_TEST(what_wraps_comes_first),
		SIG_TEST(similar_strength_is_ambiguous),
		SIG_TEST(journals_are_no_filesystems),
		SIG_TEST(probing_reads_at_any_offset_within_a_budget),
		SIG_TEST(names_lead_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
