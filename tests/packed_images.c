/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/packed_images.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bzlib.h>
#include <cmocka.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "base/checked.h"

void packed_bytes(struct packed *b, const void *bytes, size_t len)
{
	b->p = realloc(b->p, b->len + len + 1);
	assert_non_null(b->p);
	if (bytes)
		memcpy(b->p + b->len, bytes, len);
	else
		memset(b->p + b->len, 0, len);
	b->len += len;
}

void packed_zeros(struct packed *b, size_t len)
{
	packed_bytes(b, NULL, len);
}

void packed_set_le(uint8_t *p, unsigned width, uint64_t value)
{
	for (unsigned i = 0; i < width; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

void packed_le(struct packed *b, unsigned width, uint64_t value)
{
	uint8_t raw[8];

	packed_set_le(raw, width, value);
	packed_bytes(b, raw, width);
}

void packed_be(struct packed *b, unsigned width, uint64_t value)
{
	uint8_t raw[8];

	qcow2_put(raw, width, value);
	packed_bytes(b, raw, width);
}

void packed_image_done(struct packed_image *i)
{
	free(i->image.p);
	free(i->disk.p);
	memset(i, 0, sizeof(*i));
}

void packed_expect_good(const struct packed_image *i, const char *format)
{
	struct qcow2_opened o;

	qcow2_start(&o, NULL, false);
	qcow2_open_bytes(&o, i->image.p, i->image.len, NULL);
	if (o.rc < 0)
		print_error("%s\n", o.err.text);
	assert_int_equal(0, o.rc);
	assert_string_equal(format, vtr_image_info(o.disk)->format);
	qcow2_expect_bytes(o.disk, i->disk.p, i->disk.len);
	qcow2_expect_quiet(&o);
	qcow2_done(&o);
}

/* What a damaged image says: when it is opened, or read. */
static void packed_say(struct qcow2_opened *o, const uint8_t *image, size_t len, const char *format)
{
	struct vtr_image_options opt = { .format = format };
	uint8_t buf[512];

	qcow2_start(o, NULL, false);
	qcow2_open_bytes(o, image, len, &opt);
	for (uint64_t off = 0; o->rc == 0 && off < VTR_MIN(vtr_blk_size(o->disk), (uint64_t)1 << 20);
	     off += sizeof(buf)) {
		size_t n = (size_t)VTR_MIN((uint64_t)sizeof(buf), vtr_blk_size(o->disk) - off);

		o->rc = vtr_blk_pread(o->disk, off, buf, n, &o->err);
	}
	if (o->rc < 0) {
		vtr_blk_unref(o->disk);
		o->disk = NULL;
	}
}

void packed_try_damage(const struct packed_image *i, const char *format, const struct packed_damage *d, size_t n,
		       bool little)
{
	uint8_t *copy = malloc(i->image.len);

	assert_non_null(copy);
	for (size_t k = 0; k < n; k++) {
		struct qcow2_opened o;

		assert_true(d[k].at + d[k].width <= i->image.len);
		memcpy(copy, i->image.p, i->image.len);
		(little ? packed_set_le : qcow2_put)(copy + d[k].at, d[k].width, d[k].value);
		packed_say(&o, copy, i->image.len, format);
		if (d[k].code != VTR_OK) {
			qcow2_expect_error(&o, d[k].code, d[k].words);
		} else {
			if (o.rc < 0)
				print_error("%#zx: %s\n", d[k].at, o.err.text);
			assert_int_equal(0, o.rc);
			if (d[k].words)
				qcow2_expect_said(&o, d[k].words);
			else
				qcow2_expect_quiet(&o);
		}
		qcow2_done(&o);
	}
	free(copy);
}

/* -------------------------------------------------------------------------------------------------- Android sparse */

static void android_chunk(struct packed_image *i, unsigned more, unsigned type, unsigned blocks, const void *bytes,
			  size_t len)
{
	packed_le(&i->image, 2, type);
	packed_le(&i->image, 2, 0);
	packed_le(&i->image, 4, blocks);
	packed_le(&i->image, 4, 12 + more + len);
	packed_zeros(&i->image, more);
	packed_bytes(&i->image, bytes, len);
}

void packed_android(struct packed_image *i, unsigned more)
{
	static const uint8_t fill[4] = { 0xde, 0xad, 0xbe, 0xef }, zero[4], crc[4] = { 1, 2, 3, 4 };
	uint8_t raw[1536];

	memset(i, 0, sizeof(*i));
	qcow2_noise(raw, sizeof(raw), 7);
	packed_le(&i->image, 4, 0xed26ff3a);
	packed_le(&i->image, 2, 1);
	packed_le(&i->image, 2, 0);
	packed_le(&i->image, 2, 28 + more);
	packed_le(&i->image, 2, 12 + more);
	packed_le(&i->image, 4, 512);
	packed_le(&i->image, 4, 8);
	packed_le(&i->image, 4, 6);
	packed_le(&i->image, 4, 0x11223344);
	packed_zeros(&i->image, more);
	i->at[0] = i->image.len;
	android_chunk(i, more, 0xcac1, 2, raw, 1024);
	i->at[1] = i->image.len;
	android_chunk(i, more, 0xcac2, 3, fill, 4);
	i->at[2] = i->image.len;
	android_chunk(i, more, 0xcac3, 1, NULL, 0);
	i->at[3] = i->image.len;
	android_chunk(i, more, 0xcac2, 1, zero, 4);
	i->at[4] = i->image.len;
	android_chunk(i, more, 0xcac4, 0, crc, 4);
	i->at[5] = i->image.len;
	android_chunk(i, more, 0xcac1, 1, raw + 1024, 512);
	i->at[6] = i->image.len;
	packed_bytes(&i->disk, raw, 1024);
	for (unsigned k = 0; k < 3 * 512 / 4; k++)
		packed_bytes(&i->disk, fill, 4);
	packed_zeros(&i->disk, 1024);
	packed_bytes(&i->disk, raw + 1024, 512);
}

/* ------------------------------------------------------------------------------------------------------------ UDIF */

/* Literals, and a copy of each kind where the bytes repeat. */
static void dmg_adc(struct packed *out, const uint8_t *in, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t back = at >= 600 ? 600 : at >= 8 ? 8 : 0, n = 0, lit = 1;

		while (back && at + n < len && n < 67 && in[at + n] == in[at + n - back])
			n++;
		if (n >= 4 && n % 2) {
			packed_be(out, 1, 0x40 | (n - 4));
			packed_be(out, 2, back - 1);
			at += n;
		} else if (n >= 3) {
			n = VTR_MIN(n, (size_t)18);
			packed_be(out, 1, (n - 3) << 2 | (back - 1) >> 8);
			packed_be(out, 1, (back - 1) & 0xff);
			at += n;
		} else {
			lit = VTR_MIN(len - at, (size_t)7);
			packed_be(out, 1, 0x80 | (lit - 1));
			packed_bytes(out, in + at, lit);
			at += lit;
		}
	}
}

static void dmg_pack(struct packed *out, uint32_t type, const uint8_t *in, size_t len)
{
	size_t room = len + 1000, n = 0;
	uint8_t *buf = malloc(room);
	uLongf z = room;
	unsigned bz = (unsigned)room;

	assert_non_null(buf);
	switch (type) {
	case 1:
		packed_bytes(out, in, len);
		break;
	case 0x80000004:
		dmg_adc(out, in, len);
		break;
	case 0x80000005:
		assert_int_equal(Z_OK, compress2(buf, &z, in, len, 9));
		n = z;
		break;
	case 0x80000006:
		assert_int_equal(BZ_OK, BZ2_bzBuffToBuffCompress((char *)buf, &bz, (char *)(uintptr_t)in, (unsigned)len,
								 1, 0, 0));
		n = bz;
		break;
	case 0x80000008:
		assert_int_equal(LZMA_OK, lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, in, len, buf, &n, room));
		break;
	default: /* nothing writes LZFSE here */
		memcpy(buf, "bvx-", 4);
		n = len;
	}
	packed_bytes(out, buf, n);
	free(buf);
}

static void dmg_entry(struct packed *t, uint32_t type, uint64_t first, uint64_t sectors, uint64_t off, uint64_t len)
{
	packed_be(t, 4, type);
	packed_be(t, 4, 0);
	packed_be(t, 8, first);
	packed_be(t, 8, sectors);
	packed_be(t, 8, off);
	packed_be(t, 8, len);
}

static void dmg_table(struct packed *t, uint64_t first, uint64_t sectors, uint64_t off, uint32_t sum, uint32_t entries)
{
	packed_bytes(t, "mish", 4);
	packed_be(t, 4, 1);
	packed_be(t, 8, first);
	packed_be(t, 8, sectors);
	packed_be(t, 8, off);
	packed_be(t, 4, 520);
	packed_be(t, 4, 0);
	packed_zeros(t, 24);
	packed_be(t, 4, 2);
	packed_be(t, 4, 32);
	packed_be(t, 4, sum);
	packed_zeros(t, 124);
	packed_be(t, 4, entries);
}

static void dmg_put(struct packed *b, const char *text)
{
	packed_bytes(b, text, strlen(text));
}

static void dmg_base64(struct packed *b, const struct packed *t)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t at = 0; at < t->len; at += 3) {
		uint32_t v = 0;
		size_t n = VTR_MIN(t->len - at, (size_t)3);

		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (k < n ? t->p[at + k] : 0u);
		for (size_t k = 0; k < 4; k++)
			packed_bytes(b, k <= n ? &digits[v >> (18 - 6 * k) & 63] : "=", 1);
		if (at % 33 == 30)
			dmg_put(b, "\n\t\t\t\t");
	}
}

static void dmg_plist(struct packed *b, const struct packed *t)
{
	dmg_put(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple Computer//DTD PLIST "
		   "1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n<dict>\n"
		   "<key>resource-fork</key>\n<dict>\n<key>blkx</key>\n<array>\n");
	for (unsigned k = 0; k < 2; k++) {
		dmg_put(b, "<dict>\n<key>Attributes</key>\n<string>0x0050</string>\n<key>CFName</key>\n<string>");
		dmg_put(b, k ? "one &amp; last" : "zero");
		dmg_put(b, "</string>\n<key>Data</key>\n<data>\n\t\t\t\t");
		dmg_base64(b, &t[k]);
		dmg_put(b,
			"</data>\n<key>ID</key>\n<string>0</string>\n<key>Name</key>\n<string>other</string>\n</dict>\n");
	}
	dmg_put(b, "</array>\n<key>plst</key>\n<array>\n<dict>\n<key>Data</key>\n<data>AAAA</data>\n</dict>\n</array>\n"
		   "</dict>\n</dict>\n</plist>\n");
}

/* Header, data, map with one type and two references. */
static void dmg_fork(struct packed_image *i, const struct packed *t)
{
	struct packed *b = &i->image;
	size_t data = 8 + t[0].len + t[1].len;

	packed_be(b, 4, 16);
	packed_be(b, 4, 16 + data);
	packed_be(b, 4, data);
	packed_be(b, 4, 28 + 10 + 24 + 10);
	for (unsigned k = 0; k < 2; k++) {
		packed_be(b, 4, t[k].len);
		i->at[1 + k] = b->len;
		packed_bytes(b, t[k].p, t[k].len);
	}
	packed_zeros(b, 24);
	packed_be(b, 2, 28);
	packed_be(b, 2, 28 + 10 + 24);
	packed_be(b, 2, 0);
	packed_bytes(b, "blkx", 4);
	packed_be(b, 2, 1);
	packed_be(b, 2, 10);
	for (unsigned k = 0; k < 2; k++) {
		packed_be(b, 2, k);
		packed_be(b, 2, k ? 5 : 0);
		packed_be(b, 4, k ? 4 + t[0].len : 0);
		packed_be(b, 4, 0);
	}
	packed_bytes(b, "\4zero\4last", 10);
}

void packed_dmg(struct packed_image *i, uint32_t type, enum packed_dmg_how how)
{
	struct packed t[2] = { { NULL, 0 }, { NULL, 0 } }, koly = { NULL, 0 }, data = { NULL, 0 };
	size_t base, packed0, packed1, fork = 0, fork_len = 0, xml = 0, xml_len = 0;
	uint32_t sum[2];
	uint8_t sums[8];

	memset(i, 0, sizeof(*i));
	packed_zeros(&i->disk, 14 * 512);
	qcow2_noise(i->disk.p, 6 * 512, 3);
	qcow2_noise(i->disk.p + 9 * 512, 3 * 512, 4);
	memset(i->disk.p + 9 * 512 + 700, 'x', 300);
	/* Of what is stored, and of zeros that are told; not of what is ignored. */
	sum[0] = (uint32_t)crc32(0, i->disk.p, 8 * 512);
	sum[1] = (uint32_t)crc32(0, i->disk.p + 9 * 512, 3 * 512);
	qcow2_put(sums, 4, sum[0]);
	qcow2_put(sums + 4, 4, sum[1]);

	if (how == PACKED_DMG_HEAD)
		packed_zeros(&i->image, 512);
	packed_bytes(&i->image, "front", 5);
	base = i->image.len;
	packed_bytes(&data, i->disk.p, 1024);
	i->at[3] = base + data.len;
	dmg_pack(&data, type, i->disk.p + 1024, 4 * 512);
	packed0 = data.len - 1024;
	dmg_pack(&data, type, i->disk.p + 9 * 512, 3 * 512);
	packed1 = data.len - 1024 - packed0;
	packed_bytes(&i->image, data.p, data.len);

	dmg_table(&t[0], 0, 8, 0, sum[0], 5);
	dmg_entry(&t[0], 1, 0, 2, 0, 1024);
	dmg_entry(&t[0], type, 2, 4, 1024, packed0);
	dmg_entry(&t[0], 0x7ffffffe, 6, 0, 0, 0);
	dmg_entry(&t[0], 0, 6, 2, 0, 0);
	dmg_entry(&t[0], 0xffffffff, 8, 0, 0, 0);
	if (how == PACKED_DMG_XML) {
		dmg_table(&t[1], 8, 6, 0, sum[1], 4);
		dmg_entry(&t[1], 2, 0, 1, 0, 0);
		dmg_entry(&t[1], type, 1, 3, 1024 + packed0, packed1);
		dmg_entry(&t[1], 2, 4, 2, 0, 0);
		dmg_entry(&t[1], 0xffffffff, 6, 0, 0, 0);
	} else {
		dmg_table(&t[1], 9, 4, 1024, sum[1], 2);
		dmg_entry(&t[1], type, 0, 3, packed0, packed1);
		dmg_entry(&t[1], 2, 3, 1, 0, 0);
	}
	if (how == PACKED_DMG_FORK) {
		fork = i->image.len;
		dmg_fork(i, t);
		fork_len = i->image.len - fork;
	} else {
		xml = i->image.len;
		dmg_plist(&i->image, t);
		xml_len = i->image.len - xml;
	}

	packed_bytes(&koly, "koly", 4);
	packed_be(&koly, 4, 4);
	packed_be(&koly, 4, 512);
	packed_be(&koly, 4, 1);
	packed_be(&koly, 8, 0);
	packed_be(&koly, 8, base);
	packed_be(&koly, 8, data.len);
	packed_be(&koly, 8, fork);
	packed_be(&koly, 8, fork_len);
	packed_be(&koly, 4, 1);
	packed_be(&koly, 4, 1);
	packed_bytes(&koly, "0123456789abcdef", 16);
	packed_be(&koly, 4, 2);
	packed_be(&koly, 4, 32);
	packed_be(&koly, 4, crc32(0, data.p, (uInt)data.len));
	packed_zeros(&koly, 124);
	packed_be(&koly, 8, xml);
	packed_be(&koly, 8, xml_len);
	packed_zeros(&koly, 120);
	packed_be(&koly, 4, 2);
	packed_be(&koly, 4, 32);
	packed_be(&koly, 4, crc32(0, sums, 8));
	packed_zeros(&koly, 124);
	packed_be(&koly, 4, 1);
	packed_be(&koly, 8, 14);
	packed_zeros(&koly, 12);
	assert_int_equal(512, koly.len);
	if (how == PACKED_DMG_HEAD) {
		memcpy(i->image.p, koly.p, 512);
	} else {
		i->at[0] = i->image.len;
		packed_bytes(&i->image, koly.p, 512);
	}
	free(t[0].p);
	free(t[1].p);
	free(koly.p);
	free(data.p);
}

/* --------------------------------------------------------------------------------------------------------- streams */

static void stream_gzip(struct packed *out, const void *bytes, size_t len)
{
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)bytes, .avail_in = (uInt)len };
	size_t room = len + 1000;

	assert_int_equal(Z_OK, deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY));
	packed_zeros(out, room);
	z.next_out = out->p + out->len - room;
	z.avail_out = (uInt)room;
	assert_int_equal(Z_STREAM_END, deflate(&z, Z_FINISH));
	out->len -= z.avail_out;
	deflateEnd(&z);
}

static void stream_bzip2(struct packed *out, const void *bytes, size_t len)
{
	unsigned n = (unsigned)len + 1000;

	packed_zeros(out, n);
	out->len -= n;
	assert_int_equal(BZ_OK, BZ2_bzBuffToBuffCompress((char *)out->p + out->len, &n, (char *)(uintptr_t)bytes,
							 (unsigned)len, 9, 0, 0));
	out->len += n;
}

/* A stream of blocks, of block bytes each. */
static void stream_xz(struct packed *out, const uint8_t *bytes, size_t len, size_t block)
{
	lzma_stream z = LZMA_STREAM_INIT;
	size_t room = len + 1000;

	assert_int_equal(LZMA_OK, lzma_easy_encoder(&z, 0, LZMA_CHECK_CRC64));
	packed_zeros(out, room);
	z.next_out = out->p + out->len - room;
	z.avail_out = room;
	for (size_t at = 0; at < len; at += block) {
		lzma_action how = LZMA_FULL_FLUSH;

		z.next_in = bytes + at;
		z.avail_in = VTR_MIN(block, len - at);
		assert_int_equal(LZMA_STREAM_END, lzma_code(&z, how));
	}
	assert_int_equal(LZMA_STREAM_END, lzma_code(&z, LZMA_FINISH));
	out->len -= z.avail_out;
	lzma_end(&z);
}

static void stream_zstd(struct packed *out, const void *bytes, size_t len, bool size)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();
	size_t room = len + 1000, n;

	assert_non_null(z);
	ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, size);
	ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
	packed_zeros(out, room);
	n = ZSTD_compress2(z, out->p + out->len - room, room, bytes, len);
	assert_false(ZSTD_isError(n));
	out->len -= room - n;
	ZSTD_freeCCtx(z);
}

void packed_compress(struct packed *out, const char *how, const void *bytes, size_t len)
{
	if (strncmp(how, "gzip", 4) == 0)
		stream_gzip(out, bytes, len);
	else if (strncmp(how, "bzip2", 5) == 0)
		stream_bzip2(out, bytes, len);
	else if (strncmp(how, "xz", 2) == 0)
		stream_xz(out, bytes, len, strcmp(how, "xz-one") == 0 ? len : len / 2 + 1);
	else
		stream_zstd(out, bytes, len, strcmp(how, "zstd-open") != 0);
}

void packed_stream(struct packed_image *i, const char *how)
{
	size_t first = strstr(how, "-one") ? PACKED_STREAM : 5000;

	memset(i, 0, sizeof(*i));
	packed_zeros(&i->disk, PACKED_STREAM);
	qcow2_noise(i->disk.p, 3000, 21);
	qcow2_noise(i->disk.p + 7000, 2000, 22);
	packed_compress(&i->image, strncmp(how, "xz", 2) == 0 ? "xz-one" : how, i->disk.p, first);
	if (first == PACKED_STREAM)
		return;
	i->at[0] = i->image.len;
	if (strncmp(how, "xz", 2) == 0)
		packed_zeros(&i->image, 8);
	else if (strncmp(how, "zstd", 4) == 0)
		packed_bytes(&i->image, "\x5a\x2a\x4d\x18\3\0\0\0skp", 11);
	packed_compress(&i->image, how, i->disk.p + first, PACKED_STREAM - first);
	if (strncmp(how, "xz", 2) == 0)
		packed_zeros(&i->image, 4);
}

/* ------------------------------------------------------------------------------------------------------------- EWF */

#define EWF_CHUNK 1024u

static void ewf_sum(struct packed *b, size_t from)
{
	packed_le(b, 4, adler32(1, b->p + from, (uInt)(b->len - from)));
}

/* Start a section; ewf_end() sets where it ends. The offset of the section. */
static size_t ewf_begin(struct packed *b, const char *type)
{
	size_t at = b->len;

	packed_bytes(b, type, strlen(type));
	packed_zeros(b, 76 - strlen(type));
	return at;
}

static void ewf_end(struct packed *b, size_t at)
{
	packed_set_le(b->p + at + 16, 8, b->len);
	packed_set_le(b->p + at + 24, 8, b->len - at);
	packed_set_le(b->p + at + 72, 4, adler32(1, b->p + at, 72));
}

/* "next" and "done" are where they say that they are. */
static void ewf_last(struct packed *b, const char *type)
{
	size_t at = ewf_begin(b, type);

	packed_set_le(b->p + at + 16, 8, at);
	packed_set_le(b->p + at + 72, 4, adler32(1, b->p + at, 72));
}

static void ewf_file(struct packed *b, unsigned segment)
{
	packed_bytes(b, "EVF\x09\x0d\x0a\xff\0\1", 9);
	packed_le(b, 2, segment);
	packed_le(b, 2, 0);
}

static void ewf_header(struct packed *b)
{
	static const char text[] = "3\nmain\na\tc\tn\te\tt\tav\tov\tm\tu\tp\n"
				   "a disk\tcase 7\tevidence 9\tW. Hopkins\t\t6.19\tWindows\t86400\t951782400\t0\n\n";
	size_t at = ewf_begin(b, "header2"), n = sizeof(text) - 1;
	uint8_t wide[2 * sizeof(text)] = { 0xff, 0xfe }, out[1000];
	uLongf len = sizeof(out);

	for (size_t i = 0; i < n; i++) {
		wide[2 + 2 * i] = (uint8_t)text[i];
		wide[3 + 2 * i] = 0;
	}
	assert_int_equal(Z_OK, compress2(out, &len, wide, 2 + 2 * n, 9));
	packed_bytes(b, out, len);
	ewf_end(b, at);
}

static void ewf_volume(struct packed_image *i, bool smart)
{
	struct packed *b = &i->image;
	size_t from, len = smart ? 94 : 1052;

	i->at[0] = ewf_begin(b, "volume");
	from = b->len;
	packed_zeros(b, len - 4);
	b->p[from] = 1;
	packed_set_le(b->p + from + 4, 4, 5);
	packed_set_le(b->p + from + 8, 4, 2);
	packed_set_le(b->p + from + 12, 4, 512);
	packed_set_le(b->p + from + 16, smart ? 4 : 8, 9);
	if (!smart) {
		b->p[from + 36] = 3;
		b->p[from + 52] = 2;
		packed_set_le(b->p + from + 56, 4, 64);
		memcpy(b->p + from + 64, "0123456789abcdef", 16);
	}
	ewf_sum(b, from);
	ewf_end(b, i->at[0]);
}

/* Chunks n from first, of which the odd ones are compressed where that is what `odd` says; their offsets in entry. */
static void ewf_chunks(struct packed *b, const struct packed *disk, unsigned first, unsigned n, uint32_t *entry,
		       size_t base)
{
	for (unsigned k = 0; k < n; k++) {
		const uint8_t *p = disk->p + (first + k) * EWF_CHUNK;
		size_t len = VTR_MIN((size_t)EWF_CHUNK, disk->len - (first + k) * EWF_CHUNK), from = b->len;
		bool plain = first + k == 1 || first + k == 3;

		entry[k] = (uint32_t)(from - base);
		if (plain) {
			packed_bytes(b, p, len);
			ewf_sum(b, from);
		} else {
			uint8_t out[2 * EWF_CHUNK];
			uLongf z = sizeof(out);

			assert_int_equal(Z_OK, compress2(out, &z, p, len, 9));
			packed_bytes(b, out, z);
			entry[k] |= 0x80000000u;
		}
	}
}

static void ewf_table(struct packed *b, const char *type, const uint32_t *entry, unsigned n, uint64_t base,
		      const struct packed *data)
{
	size_t at = ewf_begin(b, type), from = b->len;

	packed_le(b, 4, n);
	packed_le(b, 4, 0);
	packed_le(b, 8, base);
	packed_le(b, 4, 0);
	ewf_sum(b, from);
	from = b->len;
	for (unsigned k = 0; k < n; k++)
		packed_le(b, 4, entry[k]);
	if (data)
		packed_bytes(b, data->p, data->len);
	else
		ewf_sum(b, from);
	ewf_end(b, at);
}

static void ewf_part(struct packed *b, struct packed_image *i, unsigned first, unsigned n, bool smart)
{
	uint32_t entry[4];
	size_t at, base;

	if (smart) {
		struct packed data = { NULL, 0 };

		/* The chunks follow the entries of the table. */
		ewf_chunks(&data, &i->disk, first, n, entry, 0);
		for (unsigned k = 0; k < n; k++)
			entry[k] += (uint32_t)(b->len + 76 + 24 + 4 * (size_t)n);
		i->at[first ? 6 : 2] = b->len;
		ewf_table(b, "table", entry, n, 0, &data);
		free(data.p);
		return;
	}
	at = ewf_begin(b, "sectors");
	base = first ? 0 : 13;
	ewf_chunks(b, &i->disk, first, n, entry, base);
	ewf_end(b, at);
	i->at[1] = first ? i->at[1] : at;
	i->at[first ? 6 : 2] = b->len;
	ewf_table(b, "table", entry, n, base, NULL);
	if (first == 0)
		i->at[3] = b->len;
	ewf_table(b, "table2", entry, n, base, NULL);
}

void packed_ewf(struct packed_ewf *e, bool split, bool smart)
{
	struct packed_image *i = &e->first;
	struct packed *b = &i->image;
	size_t from;

	memset(e, 0, sizeof(*e));
	packed_zeros(&i->disk, 4 * EWF_CHUNK + 512);
	qcow2_noise(i->disk.p, 2500, 31);
	qcow2_noise(i->disk.p + 3 * EWF_CHUNK, EWF_CHUNK + 512, 32);
	ewf_file(b, 1);
	ewf_header(b);
	ewf_volume(i, smart);
	ewf_part(b, i, 0, 3, smart);
	if (split) {
		ewf_last(b, "next");
		ewf_file(&e->second, 2);
		b = &e->second;
	}
	ewf_part(b, i, 3, 2, smart);
	if (!smart) {
		i->at[4] = ewf_begin(b, "digest");
		from = b->len;
		for (unsigned k = 0; k < 36; k++)
			packed_le(b, 1, k + 1);
		packed_zeros(b, 40);
		ewf_sum(b, from);
		ewf_end(b, i->at[4]);
		i->at[5] = ewf_begin(b, "hash");
		from = b->len;
		for (unsigned k = 0; k < 32; k++)
			packed_le(b, 1, k + 1);
		ewf_sum(b, from);
		ewf_end(b, i->at[5]);
	}
	i->at[7] = b->len;
	ewf_last(b, "done");
}

void packed_ewf_done(struct packed_ewf *e)
{
	packed_image_done(&e->first);
	free(e->second.p);
}

void packed_ewf_seal(struct packed_image *i)
{
	static const unsigned sections[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	uint8_t *p = i->image.p;

	for (size_t k = 0; k < VTR_COUNT(sections); k++)
		packed_set_le(p + i->at[k] + 72, 4, adler32(1, p + i->at[k], 72));
	packed_set_le(p + i->at[0] + 76 + 1048, 4, adler32(1, p + i->at[0] + 76, 1048));
	for (unsigned k = 2; k <= 6; k += k == 3 ? 3 : 1) {
		unsigned n = k == 6 ? 2 : 3;

		packed_set_le(p + i->at[k] + 76 + 20, 4, adler32(1, p + i->at[k] + 76, 20));
		packed_set_le(p + i->at[k] + 100 + 4 * n, 4, adler32(1, p + i->at[k] + 100, 4 * n));
	}
}

/* ------------------------------------------------------------------------------------------------------------- OVA */

void packed_ova_seal(uint8_t *h)
{
	unsigned sum = 0;
	char text[8];

	memset(h + 148, ' ', 8);
	for (unsigned k = 0; k < 512; k++)
		sum += h[k];
	snprintf(text, sizeof(text), "%06o", sum & 0777777);
	memcpy(h + 148, text, 7);
}

static void ova_header(struct packed *b, const char *name, char type, size_t size, enum packed_tar kind)
{
	size_t at = b->len;
	char text[16];
	uint8_t *h;

	packed_zeros(b, 512);
	h = b->p + at;
	memcpy(h, name, VTR_MIN(strlen(name), (size_t)100));
	memcpy(h + 100, "0000644", 7);
	if (kind == PACKED_GNU) {
		h[124] = 0x80;
		qcow2_put(h + 128, 8, size);
		memcpy(h + 257, "ustar  ", 7);
	} else {
		snprintf(text, sizeof(text), "%011zo", size);
		memcpy(h + 124, text, 11);
		memcpy(h + 257, "ustar\00000", 8);
	}
	h[156] = (uint8_t)type;
	packed_ova_seal(h);
}

static void ova_body(struct packed *b, const void *bytes, size_t len)
{
	packed_bytes(b, bytes, len);
	packed_zeros(b, (512 - len % 512) % 512);
}

/* The offset of the member's own header. */
static size_t ova_member(struct packed *b, const char *name, const void *bytes, size_t len, enum packed_tar kind)
{
	char pax[300];
	size_t at;

	if (kind == PACKED_GNU && strlen(name) > 40) {
		ova_header(b, "././@LongLink", 'L', strlen(name) + 1, kind);
		ova_body(b, name, strlen(name) + 1);
	} else if (kind == PACKED_PAX) {
		size_t n = strlen(name) + 9;
		int w = snprintf(pax, sizeof(pax), "%zu path=%s\n23 size=%014zu\n", n + (n > 98 ? 1 : 0), name, len);

		ova_header(b, "PaxHeaders/x", 'x', (size_t)w, kind);
		ova_body(b, pax, (size_t)w);
	}
	at = b->len;
	ova_header(b, kind == PACKED_PAX && !strstr(name, ".ovf") ? "short" : name, '0', len, kind);
	ova_body(b, bytes, len);
	return at;
}

void packed_ova(struct packed_image *i, enum packed_tar kind, unsigned disks)
{
	static const char one[] = "machine-disk1.img", two[] = "a directory with a long name/machine-disk2.qcow2.gz";
	uint8_t qcow2[QCOW2_BUILD_CLUSTERS * 512];
	struct packed *b = &i->image, packed = { NULL, 0 };
	char ovf[2000];

	memset(i, 0, sizeof(*i));
	packed_zeros(&i->disk, 3000);
	qcow2_noise(i->disk.p, 3000, 41);
	packed_compress(&packed, "gzip", qcow2, qcow2_build(qcow2, 9));
	snprintf(
		ovf, sizeof(ovf),
		"<?xml version=\"1.0\"?>\n<Envelope ovf:version=\"1.0\" xmlns=\"http://schemas.dmtf.org/ovf/envelope/1\" "
		"xmlns:ovf=\"http://schemas.dmtf.org/ovf/envelope/1\">\n <References>\n"
		"  <File ovf:href=\"%s\" ovf:id=\"file1\" ovf:size=\"3000\"/>\n%s%s%s </References>\n"
		" <DiskSection><Info>disks</Info>\n  <Disk ovf:capacity=\"1\" ovf:diskId=\"d1\" ovf:fileRef=\"file1\"/>\n"
		"  <Disk ovf:capacity=\"1\" ovf:diskId=\"empty\"/>\n%s </DiskSection>\n"
		" <VirtualSystem ovf:id=\"tiny &amp; old\"><Info>x</Info></VirtualSystem>\n</Envelope>\n",
		one, disks > 1 ? "  <File ovf:compression=\"gzip\" ovf:href='" : "", disks > 1 ? two : "",
		disks > 1 ? "' ovf:id='file2'></File>\n" : "",
		disks > 1 ? "  <Disk ovf:diskId='d2' ovf:fileRef='file2'/>\n" : "");
	i->at[0] = ova_member(b, "machine.ovf", ovf, strlen(ovf), kind);
	i->at[1] = i->at[0] + 512;
	ova_member(b, "machine.mf", "SHA256(x)= 0\n", 13, kind);
	ova_member(b, "machine.cert", "-\n", 2, kind);
	i->at[2] = ova_member(b, one, i->disk.p, i->disk.len, kind);
	if (disks > 1)
		ova_member(b, two, packed.p, packed.len, kind);
	packed_zeros(b, 1024);
	free(packed.p);
}
