/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the seeds of fuzz_vmdk into the folder that is given: the images that tests/vmdk_images.c lays out, with and
 * without descriptors, and chains of them. From the top of the source:
 *
 *	cc -I. -o mk-vmdk fuzz/seeds/mk-vmdk.c tests/vmdk_images.c tests/qcow2_images.c tests/part_images.c \
 *		build/release/libvitrine.a $(pkg-config --libs cmocka zlib …) && ./mk-vmdk fuzz/seeds/vmdk
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmdk_images.h"

static const char *dir;

/* One file, or several of which each but the last is filled up to blocks of 512 bytes. */
static void put(const char *name, unsigned n, const void *const *bytes, const size_t *len)
{
	static const uint8_t zeros[512];
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (!f)
		exit(1);
	if (n > 1) {
		fputs("chain", f);
		fputc((int)((len[0] + 511) / 512), f);
		fputc(n > 2 ? (int)((len[1] + 511) / 512) : 0, f);
	}
	for (unsigned i = 0; i < n; i++) {
		fwrite(bytes[i], 1, len[i], f);
		if (i + 1 < n)
			fwrite(zeros, 1, (512 - len[i] % 512) % 512, f);
	}
	fclose(f);
}

static void put_text(const char *name, const char *text)
{
	const void *bytes = text;
	size_t len = strlen(text);

	put(name, 1, &bytes, &len);
}

static void put_built(const char *name, int kind, const char *text, size_t cut)
{
	size_t len;
	uint8_t *image = vmdk_build(&len, kind, text, 1);
	const void *bytes = image;

	len -= cut;
	put(name, 1, &bytes, &len);
	free(image);
}

/* A descriptor, an extent of a kind named "a" (1 modulo 3), and one named "b". */
static void put_disk(const char *name, const char *text, int a, int b)
{
	size_t len[3];
	char *copy = strdup(text);
	uint8_t *one = vmdk_build(&len[1], a, b < 0 ? NULL : "", 1), *two = vmdk_build(&len[2], b < 0 ? a : b, NULL, 2);
	const void *bytes[3] = { copy, one, two };

	len[0] = strlen(copy);
	put(name, 3, bytes, len);
	free(copy);
	free(one);
	free(two);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	dir = argv[1];
	put_built("sparse", VMDK_BUILD_SPARSE, NULL, 0);
	put_built("sparse-lone", VMDK_BUILD_SPARSE, "", 0);
	put_built("stream", VMDK_BUILD_STREAM, NULL, 0);
	put_built("stream-lone", VMDK_BUILD_STREAM, "", 0);
	put_built("stream-cut", VMDK_BUILD_STREAM, "", 4000);
	put_built("stream-no-footer", VMDK_BUILD_STREAM, "", 1536);
	put_built("cowd", VMDK_BUILD_COWD, NULL, 0);
	put_built("sesparse", VMDK_BUILD_SESPARSE, NULL, 0);
	put_disk("disk-cowd", vmdk_text("CID=1\ncreateType=\"vmfsSparse\"\nRW 10 VMFSSPARSE \"a\"\n"), VMDK_BUILD_COWD,
		 -1);
	put_disk("disk-sesparse", vmdk_text("CID=1\ncreateType=\"seSparse\"\nRW 41 SESPARSE \"a\"\n"),
		 VMDK_BUILD_SESPARSE, -1);
	put_disk("disk-many",
		 vmdk_text("CID=1\ncreateType=\"custom\"\nRW 89 SPARSE \"a\"\nRW 3 ZERO\nRDONLY 5 FLAT \"b\" 4\n"
			   "NOACCESS 7 FLAT \"x\" 0\nRW 9 VMFS \"b\"\nRW 10 VMFSSPARSE \"b\"\n"),
		 VMDK_BUILD_SPARSE, VMDK_BUILD_COWD);
	put_disk("delta",
		 vmdk_text("CID=1\nparentCID=12345678\nparentFileNameHint=\"b\"\nRW 89 SPARSE \"a\"\nddb.uuid=\"1\"\n"),
		 VMDK_BUILD_SPARSE, VMDK_BUILD_STREAM);
	put_text(
		"facts",
		vmdk_text("encoding=\"windows-1252\"\nCID=123\nparentCID=ffffffff\nisNativeSnapshot=\"no\"\n"
			  "createType=\"vmfs\"\nRW 3 ZERO\nchangeTrackPath=\"x\"\nddb.adapterType = \"ide\"\n"
			  "ddb.geometry.cylinders = \"5\"\nddb.geometry.heads = \"16\"\nddb.geometry.sectors = \"63\"\n"
			  "ddb.uuid = \"60 00\"\nddb.thinProvisioned = \"1\"\nddb.comment = \"caf\xe9\"\n"));
	put_text("encrypted", vmdk_text("RW 1 ZERO\nencryption.keySafe = \"x\"\nencryption.data = \"y\"\n"));
	return 0;
}
