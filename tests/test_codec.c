/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decompressors: what fills the output is not sound before its checksum was seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "base/checked.h"
#include "formats/codec.h"

enum { ZLIB, DEFLATE, BZIP2, ZSTD, METHODS };

static uint8_t plain[3000], stored[4000], out[3000];

static size_t compress_as(int how, bool checksum)
{
	unsigned bz_len = sizeof(stored);
	uLongf len = sizeof(stored);
	ZSTD_CCtx *c;
	size_t n;

	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * i >> 5 ^ i % 7);
	switch (how) {
	case ZLIB:
	case DEFLATE:
		assert_int_equal(Z_OK, compress(stored, &len, plain, sizeof(plain)));
		if (how == ZLIB)
			return len;
		memmove(stored, stored + 2, len - 6);
		return len - 6;
	case BZIP2:
		assert_int_equal(BZ_OK, BZ2_bzBuffToBuffCompress((char *)stored, &bz_len, (char *)plain, sizeof(plain),
								 9, 0, 0));
		return bz_len;
	default:
		c = ZSTD_createCCtx();
		assert_non_null(c);
		ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, checksum);
		n = ZSTD_compress2(c, stored, sizeof(stored), plain, sizeof(plain));
		ZSTD_freeCCtx(c);
		assert_false(ZSTD_isError(n));
		return n;
	}
}

static int decode(int how, size_t len, size_t out_len)
{
	struct vtr_codecs all;
	struct vtr_codec c;
	int r;

	vtr_codecs_init(&all, 1 << 20);
	vtr_codecs_get(&c, &all);
	memset(out, 0, sizeof(out));
	r = how == BZIP2  ? vtr_codec_bunzip2(stored, len, out, out_len, NULL)
	    : how == ZSTD ? vtr_codec_unzstd(&c, stored, len, out, out_len, NULL)
			  : vtr_codec_inflate(&c, how == ZLIB, stored, len, out, out_len, NULL);
	vtr_codecs_put(&all, &c);
	vtr_codecs_done(&all);
	if (r == 1)
		assert_memory_equal(plain, out, out_len);
	return r;
}

/* Of each method: what is whole, with bytes behind it, shorter than asked for, and longer. */
static void streams_fill_the_output(void **state)
{
	(void)state;
	for (int how = 0; how < METHODS; how++) {
		size_t n = compress_as(how, true);

		assert_int_equal(1, decode(how, n, sizeof(plain)));
		memset(stored + n, 0x55, 100);
		assert_int_equal(1, decode(how, n + 100, sizeof(plain)));
		assert_int_equal(how != ZSTD, decode(how, n, sizeof(plain) - 1));
		n = compress_as(how, true);
		assert_int_equal(0, decode(how, n / 2, sizeof(plain)));
	}
	assert_int_equal(1, decode(ZSTD, compress_as(ZSTD, false), sizeof(plain)));
}

/* Every changed bit is seen, whatever the stream becomes by it. */
static void no_damage_is_taken_for_bytes(void **state)
{
	static const int sums[] = { ZLIB, BZIP2, ZSTD };

	(void)state;
	for (size_t k = 0; k < VTR_COUNT(sums); k++) {
		size_t n = compress_as(sums[k], true);

		for (size_t bit = 0; bit < 8 * n; bit++) {
			stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
			(void)decode(sums[k], n, sizeof(plain)); /* compares what it takes */
			stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

static struct {
	struct vtr_codecs all;
	atomic_ulong now, most;
} shared;

static void *take_and_give(void *arg)
{
	unsigned long n = (unsigned long)(uintptr_t)arg, now, most;

	for (unsigned i = 0; i < 200; i++) {
		vtr_codecs_take(&shared.all, n);
		now = atomic_fetch_add(&shared.now, n) + n;
		most = atomic_load(&shared.most);
		while (now > most && !atomic_compare_exchange_weak(&shared.most, &most, now))
			;
		usleep(10);
		atomic_fetch_sub(&shared.now, n);
		vtr_codecs_give(&shared.all, n);
	}
	return NULL;
}

/* Threads share the memory; who needs more than there is has it alone. */
static void memory_for_decoding_is_shared(void **state)
{
	static const struct {
		unsigned long each, most;
	} cases[] = { { 30, 90 }, { 51, 51 }, { 1000, 1000 } };

	(void)state;
	for (size_t k = 0; k < VTR_COUNT(cases); k++) {
		pthread_t t[6];

		vtr_codecs_init(&shared.all, 100);
		atomic_store(&shared.most, 0);
		for (size_t i = 0; i < VTR_COUNT(t); i++)
			assert_int_equal(0,
					 pthread_create(&t[i], NULL, take_and_give, (void *)(uintptr_t)cases[k].each));
		for (size_t i = 0; i < VTR_COUNT(t); i++)
			assert_int_equal(0, pthread_join(t[i], NULL));
		assert_in_range(atomic_load(&shared.most), cases[k].each, cases[k].most);
		assert_int_equal(0, shared.all.taken);
		vtr_codecs_done(&shared.all);
	}
}

/* What is stored counts, and what xz asks for; all is given back. */
static void decoders_take_what_they_need(void **state)
{
	lzma_options_lzma opt;
	lzma_filter filters[2] = { { LZMA_FILTER_LZMA2, &opt }, { LZMA_VLI_UNKNOWN, NULL } };
	VTR_UNREF struct vtr_blk *file = NULL;
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct vtr_codecs all;
	struct vtr_codec c;
	size_t n = 0;

	(void)state;
	compress_as(ZLIB, true);
	assert_false(lzma_lzma_preset(&opt, 6)); /* a dictionary of 8 MiB */
	assert_int_equal(LZMA_OK, lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, plain, sizeof(plain),
							    stored, &n, sizeof(stored)));
	assert_int_equal(0, vtr_blk_memory(&file, ctx, stored, n, NULL));
	vtr_codecs_init(&all, 1 << 20);
	vtr_codecs_get(&c, &all);
	assert_int_equal(0, vtr_codec_load(&c, file, 0, n, NULL));
	assert_int_equal(n, all.taken);
	memset(out, 0xee, sizeof(out));
	assert_int_equal(1, vtr_codec_unxz(&c, c.in, n, out, sizeof(out), NULL));
	assert_memory_equal(plain, out, sizeof(plain));
	assert_in_range(all.taken, 8 << 20, 9 << 20);
	vtr_codecs_put(&all, &c);
	assert_int_equal(0, all.taken);
	vtr_codecs_done(&all);
	vtr_ctx_unref(ctx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_fill_the_output),
		cmocka_unit_test(memory_for_decoding_is_shared),
		cmocka_unit_test(decoders_take_what_they_need),
		cmocka_unit_test(no_damage_is_taken_for_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
