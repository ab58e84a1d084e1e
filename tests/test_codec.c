/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decompressors: what fills the output is not sound before its checksum was seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <bzlib.h>
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

	vtr_codecs_init(&all);
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_fill_the_output),
		cmocka_unit_test(no_damage_is_taken_for_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
