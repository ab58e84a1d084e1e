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
#include "base/codec/codec.h"

enum { ZLIB, DEFLATE, BZIP2, ZSTD, METHODS };

static const struct vtr_method *const methods[] = { &vtr_method_zlib, &vtr_method_deflate, &vtr_method_bzip2,
						    &vtr_method_zstd };

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
	r = vtr_codec_decode(&c, methods[how], out, out_len, stored, len, NULL);
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
	assert_int_equal(1, vtr_codec_decode(&c, &vtr_method_xz, out, sizeof(out), c.in, n, NULL));
	assert_memory_equal(plain, out, sizeof(plain));
	assert_in_range(all.taken, 8 << 20, 9 << 20);
	vtr_codecs_put(&all, &c);
	assert_int_equal(0, all.taken);
	vtr_codecs_done(&all);
	vtr_ctx_unref(ctx);
}

/* ------------------------------------------------------------------------------------------------------- streams */

/* The plain bytes as a stream of a method, by its own library. */
static size_t stream_of(const struct vtr_method *m)
{
	z_stream z = { .next_in = plain, .avail_in = sizeof(plain), .next_out = stored, .avail_out = sizeof(stored) };
	size_t n = 0;

	compress_as(ZLIB, true); /* fills plain */
	if (m == &vtr_method_bzip2)
		return compress_as(BZIP2, true);
	if (m == &vtr_method_zstd)
		return compress_as(ZSTD, true);
	if (m == &vtr_method_xz) {
		assert_int_equal(LZMA_OK, lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, plain, sizeof(plain),
								  stored, &n, sizeof(stored)));
		return n;
	}
	assert_int_equal(Z_OK,
			 deflateInit2(&z, 9, Z_DEFLATED, m == &vtr_method_gzip ? 15 + 16 : 15, 9, Z_DEFAULT_STRATEGY));
	assert_int_equal(Z_STREAM_END, deflate(&z, Z_FINISH));
	n = sizeof(stored) - z.avail_out;
	deflateEnd(&z);
	return n;
}

/* Decode stored[0..len) with so many bytes of input and of room at once; *used and *made are what it came to. */
static enum vtr_codec_result stream_run(struct vtr_codec_stream *s, size_t len, size_t step, size_t *used, size_t *made)
{
	enum vtr_codec_result r = VTR_CODEC_MORE;
	bool moved = true;

	*used = *made = 0;
	while (r == VTR_CODEC_MORE && moved) {
		s->in = stored + *used;
		s->in_len = VTR_MIN(step, len - *used);
		s->out = out + *made;
		s->out_len = VTR_MIN(step, sizeof(out) - *made);
		r = vtr_codec_step(s);
		moved = s->in != stored + *used || s->out != out + *made;
		*used = (size_t)(s->in - stored);
		*made = (size_t)(s->out - out);
	}
	return r;
}

/* However they are cut, and where they end is told; twice, by starting again. */
static void streams_are_decoded_step_by_step(void **state)
{
	static const size_t steps[] = { 1, 7, 64, sizeof(stored) };

	(void)state;
	for (size_t k = 0; vtr_methods[k]; k++) {
		const struct vtr_method *m = vtr_methods[k];
		struct vtr_codec_stream s = { 0 };
		size_t n, used, made;

		if (!m->start)
			continue;
		n = stream_of(m);
		memset(stored + n, 0x55, 100);
		assert_int_equal(VTR_CODEC_MORE, vtr_codec_start(&s, m, 64 << 20));
		for (size_t i = 0; i < VTR_COUNT(steps); i++) {
			memset(out, 0, sizeof(out));
			assert_int_equal(VTR_CODEC_END, stream_run(&s, n + 100, steps[i], &used, &made));
			assert_int_equal(n, used);
			assert_int_equal(sizeof(plain), made);
			assert_memory_equal(plain, out, made);
			assert_int_equal(VTR_CODEC_MORE, vtr_codec_restart(&s));
		}
		/* One that is cut off never ends, and one whose checksum is wrong fails. */
		assert_int_equal(VTR_CODEC_MORE, stream_run(&s, n - 1, 64, &used, &made));
		assert_int_equal(VTR_CODEC_MORE, vtr_codec_restart(&s));
		stored[n / 2] ^= 0x40;
		assert_true(stream_run(&s, n, 64, &used, &made) != VTR_CODEC_END);
		vtr_codec_stop(&s);
		vtr_codec_stop(&s);
	}
}

static void streams_are_held_to_their_memory(void **state)
{
	struct vtr_codec_stream s = { 0 };
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t n = stream_of(&vtr_method_xz), used, made;
	ZSTD_inBuffer from = { plain, sizeof(plain), 0 };
	ZSTD_outBuffer to = { stored, sizeof(stored), 0 };

	(void)state;
	assert_int_equal(VTR_CODEC_MORE, vtr_codec_start(&s, &vtr_method_xz, 100000));
	assert_int_equal(VTR_CODEC_LIMIT, stream_run(&s, n, 64, &used, &made));
	vtr_codec_stop(&s);
	/* A window of 1 MiB. */
	ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 20);
	ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
	assert_true(ZSTD_compressStream2(c, &to, &from, ZSTD_e_flush) == 0);
	assert_true(ZSTD_compressStream2(c, &to, &from, ZSTD_e_end) == 0);
	ZSTD_freeCCtx(c);
	assert_int_equal(VTR_CODEC_MORE, vtr_codec_start(&s, &vtr_method_zstd, (1 << 20) - 1));
	assert_int_equal(VTR_CODEC_LIMIT, stream_run(&s, to.pos, 64, &used, &made));
	vtr_codec_stop(&s);
	assert_int_equal(VTR_CODEC_MORE, vtr_codec_start(&s, &vtr_method_zstd, 1 << 20));
	assert_int_equal(VTR_CODEC_END, stream_run(&s, to.pos, 64, &used, &made));
	vtr_codec_stop(&s);
}

/* Worked out by hand: three literals, a short copy of 3 from 2 back, a long one of 4 from 1 back; and an LZ4 block. */
static void pieces_without_a_library_of_the_tests(void **state)
{
	static const uint8_t adc[] = { 0x82, 'a', 'b', 'c', 0x00, 0x01, 0x40, 0x00, 0x00 };
	static const uint8_t lz4[] = { 0x31, 'a', 'b', 'c', 0x02, 0x00, 0x70, 't', 'u', 'v', 'w', 'x', 'y', 'z' };
	struct vtr_error err = { 0 };

	(void)state;
	assert_int_equal(1, vtr_codec_decode(NULL, &vtr_method_adc, out, 10, adc, sizeof(adc), NULL));
	assert_memory_equal("abcbcbbbbb", out, 10);
	assert_int_equal(0, vtr_codec_decode(NULL, &vtr_method_adc, out, 11, adc, sizeof(adc), &err));
	assert_int_equal(VTR_ECORRUPT, err.code);
	assert_string_equal("adc: 9 bytes are no 11 decompressed bytes", err.text);
	assert_int_equal(0, vtr_codec_decode(NULL, &vtr_method_adc, out, 9, adc, sizeof(adc), NULL));
	assert_int_equal(1, vtr_codec_decode(NULL, &vtr_method_lz4, out, 15, lz4, sizeof(lz4), NULL));
	assert_memory_equal("abcbcbcbtuvwxyz", out, 15);
	assert_int_equal(0, vtr_codec_decode(NULL, &vtr_method_lz4, out, 14, lz4, sizeof(lz4), NULL));
	assert_int_equal(0, vtr_codec_decode(NULL, &vtr_method_lz4, out, 15, lz4, sizeof(lz4) - 1, NULL));
	assert_int_equal(-1, vtr_codec_decode(NULL, &vtr_method_lzx, out, VTR_LZX_WINDOW + 1, lz4, sizeof(lz4), &err));
	assert_int_equal(VTR_EUSAGE, err.code);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_fill_the_output),
		cmocka_unit_test(memory_for_decoding_is_shared),
		cmocka_unit_test(decoders_take_what_they_need),
		cmocka_unit_test(no_damage_is_taken_for_bytes),
		cmocka_unit_test(streams_are_decoded_step_by_step),
		cmocka_unit_test(streams_are_held_to_their_memory),
		cmocka_unit_test(pieces_without_a_library_of_the_tests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
