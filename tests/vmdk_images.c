/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vmdk_images.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "tests/qcow2_images.h"

void vmdk_put(uint8_t *p, unsigned width, uint64_t value)
{
	for (unsigned i = 0; i < width; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

const char *vmdk_text(const char *fmt, ...)
{
	static char text[65536];
	int n = sprintf(text, "# Disk DescriptorFile\nversion=1\n");
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	return text;
}

#define SPARSE_SECTORS 89u
#define COWD_SECTORS 10u
#define SESPARSE_SECTORS 41u

/* The grains that are stored, and where; a table ends with a sector of 0. */
static const struct stored {
	unsigned grain, sector;
} sparse_stored[] = { { 0, 24 }, { 3, 16 }, { 9, 32 }, { 10, 40 }, { 11, 48 }, { 0, 0 } },
  cowd_stored[] = { { 2, 41 }, { 3, 42 }, { 7, 40 }, { 0, 0 } },
  sesparse_stored[] = { { 0, 72 }, { 3, 88 }, { 4, 80 }, { 0, 0 } };

static const struct kind {
	const struct stored *stored;
	unsigned sectors, grain; /* sectors */
	size_t len;
} kinds[] = {
	[VMDK_BUILD_SPARSE] = { sparse_stored, SPARSE_SECTORS, 8, 56 * 512 },
	[VMDK_BUILD_STREAM] = { sparse_stored, SPARSE_SECTORS, 8, 0 },
	[VMDK_BUILD_COWD] = { cowd_stored, COWD_SECTORS, 1, 43 * 512 },
	[VMDK_BUILD_SESPARSE] = { sesparse_stored, SESPARSE_SECTORS, 8, 96 * 512 },
};

/* A stored grain's bytes: half of text, half of noise, none of them zero throughout. */
static void build_grain(uint8_t *p, size_t len, unsigned grain, uint32_t seed)
{
	uint32_t x = (seed * 64 + grain) * 2654435761u | 1;

	for (size_t i = 0; i < len; i++)
		p[i] = i % 512 < 256 ? (uint8_t)('a' + (grain + i / 16) % 26) : (uint8_t)(qcow2_random(&x) >> 8);
}

uint8_t *vmdk_build_disk(uint64_t *len, int kind, uint32_t seed, const uint8_t *parent)
{
	const struct kind *k = &kinds[kind];
	size_t grain = k->grain * 512, n = k->sectors * 512;
	uint8_t *disk = calloc(1, n + grain);

	assert_non_null(disk);
	if (parent)
		memcpy(disk, parent, n);
	for (const struct stored *s = k->stored; s->sector; s++)
		build_grain(disk + s->grain * grain, grain, s->grain, seed);
	if (kind == VMDK_BUILD_SPARSE)
		memset(disk + 2 * grain, 0, grain);
	if (kind == VMDK_BUILD_SESPARSE)
		memset(disk + grain, 0, 2 * grain);
	*len = n;
	return disk;
}

/* The header of the first two kinds; what differs is put in afterwards. */
static void build_header(uint8_t *p, const char *text)
{
	memcpy(p, "KDMV", 4);
	vmdk_put(p + 4, 4, 2);
	vmdk_put(p + 8, 4, 7);
	vmdk_put(p + 12, 8, SPARSE_SECTORS);
	vmdk_put(p + 20, 8, 8);
	if (!text || text[0]) {
		vmdk_put(p + 28, 8, 1);
		vmdk_put(p + 36, 8, 2);
	}
	vmdk_put(p + 44, 4, 4);
	vmdk_put(p + 48, 8, 3);
	vmdk_put(p + 56, 8, 6);
	vmdk_put(p + 64, 8, 16);
	memcpy(p + 73, "\n \r\n", 4);
}

static void build_descriptor(uint8_t *out, const char *text, const char *type)
{
	char usual[256];

	snprintf(usual, sizeof(usual),
		 "CID=12345678\nparentCID=ffffffff\ncreateType=\"%s\"\nRW %u SPARSE \"disk.vmdk\"\n", type,
		 SPARSE_SECTORS);
	text = vmdk_text("%s", text ? text : usual);
	assert_true(strlen(text) <= 1024);
	memcpy(out, text, strlen(text));
}

static void build_sparse(uint8_t *out, const char *text, uint32_t seed)
{
	build_header(out, text);
	if (!text || text[0])
		build_descriptor(out + 512, text, "monolithicSparse");
	for (int copy = 0; copy < 2; copy++) {
		uint8_t *gd = out + (copy ? VMDK_BUILD_GD2 : VMDK_BUILD_GD), *gt = gd + 512;

		vmdk_put(gd, 4, copy ? 4 : 7);
		vmdk_put(gd + 8, 4, copy ? 5 : 8);
		for (const struct stored *s = sparse_stored; s->sector; s++)
			vmdk_put(gt + s->grain / 8 * 512 + s->grain % 4 * 4, 4, s->sector);
		vmdk_put(gt + 8, 4, 1);
	}
	for (const struct stored *s = sparse_stored; s->sector; s++)
		build_grain(out + s->sector * 512, 4096, s->grain, seed);
}

/* A marker of metadata, with what follows it. */
static size_t build_marker(uint8_t *out, unsigned type, unsigned sectors)
{
	vmdk_put(out, 8, sectors);
	vmdk_put(out + 12, 4, type);
	return 512;
}

static size_t build_stream(uint8_t *out, const char *text, uint32_t seed)
{
	unsigned sector[12] = { 0 }, tables[3] = { 0 }, gd;
	uint8_t grain[4096];
	size_t at = 4 * 512;

	build_header(out, text);
	vmdk_put(out + 4, 4, 3);
	vmdk_put(out + 8, 4, 0x30001);
	vmdk_put(out + 48, 8, 0);
	vmdk_put(out + 64, 8, 4);
	vmdk_put(out + 77, 2, 1);
	if (!text || text[0])
		build_descriptor(out + 512, text, "streamOptimized");
	for (unsigned t = 0; t < 3; t++) {
		for (const struct stored *s = sparse_stored; s->sector; s++) {
			uLongf n = 8192;

			if (s->grain / 4 != t)
				continue;
			build_grain(grain, sizeof(grain), s->grain, seed);
			/* The last grain has one sector of the disk: some store no more. */
			assert_int_equal(Z_OK,
					 compress(out + at + 12, &n, grain, s->grain == 11 && seed % 2 ? 512 : 4096));
			vmdk_put(out + at, 8, s->grain * 8);
			vmdk_put(out + at + 8, 4, n);
			sector[s->grain] = (unsigned)(at / 512);
			at += (12 + n + 511) / 512 * 512;
		}
		if (t == 1)
			continue;
		at += build_marker(out + at, 1, 1);
		tables[t] = (unsigned)(at / 512);
		for (unsigned i = 0; i < 4; i++)
			vmdk_put(out + at + 4 * i, 4, sector[4 * t + i]);
		at += 512;
	}
	at += build_marker(out + at, 2, 1);
	gd = (unsigned)(at / 512);
	for (unsigned t = 0; t < 3; t++)
		vmdk_put(out + at + 4 * t, 4, tables[t]);
	at += 512;
	at += build_marker(out + at, 3, 1);
	memcpy(out + at, out, 512);
	vmdk_put(out + at + 56, 8, gd);
	vmdk_put(out + 56, 8, UINT64_MAX);
	return at + 1024; /* the end-of-stream marker is all zeros */
}

static void build_cowd(uint8_t *out, uint32_t seed)
{
	memcpy(out, "COWD", 4);
	vmdk_put(out + 4, 4, 1);
	vmdk_put(out + 8, 4, 3);
	vmdk_put(out + 12, 4, COWD_SECTORS);
	vmdk_put(out + 16, 4, 1);
	vmdk_put(out + 20, 4, 4);
	vmdk_put(out + 24, 4, 1);
	vmdk_put(out + 28, 4, 43);
	vmdk_put(out + 4 * 512, 4, 5);
	for (const struct stored *s = cowd_stored; s->sector; s++) {
		vmdk_put(out + 5 * 512 + 4 * s->grain, 4, s->sector);
		build_grain(out + s->sector * 512, 512, s->grain, seed);
	}
}

static void build_sesparse(uint8_t *out, uint32_t seed)
{
	static const unsigned places[][2] = { { 1, 1 },	 { 3, 1 }, { 3, 1 }, { 2, 1 },
					      { 8, 64 }, { 4, 1 }, { 5, 1 }, { 72, 24 } };

	vmdk_put(out, 8, 0xcafebabe);
	vmdk_put(out + 8, 8, 0x200000001);
	vmdk_put(out + 16, 8, SESPARSE_SECTORS);
	vmdk_put(out + 24, 8, 8);
	vmdk_put(out + 32, 8, 64);
	for (unsigned i = 0; i < 8; i++) {
		vmdk_put(out + 80 + 16 * i, 8, places[i][0]);
		vmdk_put(out + 88 + 16 * i, 8, places[i][1]);
	}
	vmdk_put(out + 512, 8, 0xcafecafe);
	vmdk_put(out + 2 * 512, 8, 0x1000000000000000);
	for (const struct stored *s = sesparse_stored; s->sector; s++) {
		uint64_t number = (s->sector - 72) / 8;

		vmdk_put(out + 8 * 512 + 8 * s->grain, 8, 0x3000000000000000 | (number & 0xfff) << 48 | number >> 12);
		build_grain(out + s->sector * 512, 4096, s->grain, seed);
	}
	vmdk_put(out + 8 * 512 + 8, 8, 0x2000000000000000);
	vmdk_put(out + 8 * 512 + 16, 8, 0x1000000000000000);
}

uint8_t *vmdk_build(size_t *len, int kind, const char *text, uint32_t seed)
{
	uint8_t *out = calloc(1, 128 * 512);

	assert_non_null(out);
	*len = kinds[kind].len;
	switch (kind) {
	case VMDK_BUILD_SPARSE:
		build_sparse(out, text, seed);
		break;
	case VMDK_BUILD_STREAM:
		*len = build_stream(out, text, seed);
		break;
	case VMDK_BUILD_COWD:
		build_cowd(out, seed);
		break;
	default:
		build_sesparse(out, seed);
	}
	return out;
}
