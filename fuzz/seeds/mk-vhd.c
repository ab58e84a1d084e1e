/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the seeds of fuzz_vhd and fuzz_vhdx, in the form that fuzz_vhd.h has: the images of the tests, and files that
 * are named.
 *	make build/release/libvitrine.a
 *	cc -D_GNU_SOURCE -I. -o build/mk-vhd fuzz/seeds/mk-vhd.c tests/vhd_images.c tests/qcow2_images.c \
 *		tests/part_images.c build/release/libvitrine.a $(pkg-config --libs …) -lcmocka && build/mk-vhd
 *	build/mk-vhd NAME IMAGE [PARENT]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/qcow2_images.h"
#include "tests/vhd_images.h"

#define MB (1u << 20)

static void put(FILE *f, uint64_t value, unsigned width)
{
	for (unsigned i = 0; i < width; i++)
		fputc((int)(value >> 8 * i & 0xff), f);
}

/* What is not zero, in pieces without long runs of zeros, and at most 1 KiB of each block of noise. */
static void put_file(FILE *f, const uint8_t *p, size_t len, unsigned second)
{
	for (size_t at = 0; at < len;) {
		size_t n = 0, want;

		while (at + n < len && n < 512 && p[at + n] == 0)
			n++;
		if (n == 512) {
			at += 512;
			continue;
		}
		want = len - at < 512 ? len - at : 512;
		while (want > 1 && p[at + want - 1] == 0)
			want--;
		put(f, at / 512 | second << 23, 3);
		put(f, want, 2);
		fwrite(p + at, 1, want, f);
		at += 512;
	}
}

static void seed(const char *folder, const char *name, unsigned flags, const uint8_t *p, size_t len,
		 const uint8_t *parent, size_t parent_len)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "fuzz/seeds/%s/%s", folder, name);
	f = fopen(path, "wb");
	if (!f)
		exit(1);
	put(f, len, 4);
	put(f, parent_len, 4);
	put(f, flags, 1);
	put_file(f, p, len, 0);
	put_file(f, parent, parent_len, 1);
	if (fclose(f) != 0)
		exit(1);
}

static void vhd_seeds(void)
{
	uint8_t dynamic[VHD_BUILD_LEN], child[VHD_BUILD_LEN], fixed[4096 + 512], data[400] = { 0 };

	vhd_build(dynamic, 3);
	vhd_build(child, 4);
	qcow2_noise(fixed, 4096, 1);
	vhd_build_footer(fixed + 4096, 2, 4096, UINT64_MAX, "vpc ");
	seed("vhd", "fixed", 0, fixed, sizeof(fixed), NULL, 0);
	seed("vhd", "dynamic", 0, dynamic, sizeof(dynamic), NULL, 0);
	seed("vhd", "no-footer", 0, dynamic, VHD_BUILD_FOOTER, NULL, 0);
	seed("vhd", "child", 0, child, sizeof(child), dynamic, sizeof(dynamic));
	seed("vhd", "child-of-fixed", 1, child, sizeof(child), fixed, sizeof(fixed));
	vhd_build_locator(child, 1, "MacX", VHD_BUILD_LOCATOR + 100, "file://localhost/a%20b", 22);
	data[50] = 3;
	memcpy(data + 51, "abc", 3);
	vhd_build_locator(child, 2, "Mac ", VHD_BUILD_LOCATOR + 140, data, 60);
	vhd_build_locator(child, 3, "W2ku", VHD_BUILD_LOCATOR + 220, data, vhd_utf16(data, "C:\\a\\b!", false));
	vhd_build_locator(child, 4, "Wi2k", VHD_BUILD_LOCATOR + 260, "C:\\b", 4);
	vhd_build_locator(child, 5, "Wi2r", VHD_BUILD_LOCATOR + 270, "b", 1);
	seed("vhd", "locators", 1, child, sizeof(child), dynamic, sizeof(dynamic));
}

static void vhdx_seeds(void)
{
	struct vhdx_options plain = { .size = 3 * MB, .data_mb = 2 },
			    small = { .size = 8192, .logical = 4096, .data_mb = 1 },
			    child = { .size = 3 * MB,
				      .flags = 2,
				      .data_mb = 2,
				      .linkage = "{33221100-5544-7766-8899-aabbccddeeff}",
				      .linkage2 = "{33221100-5544-7766-8899-aabbccddeef0}",
				      .relative = ".\\parent.vhdx",
				      .volume = "\\\\?\\Volume{26A21BDA-A627-11D7-9931-806E6F6E6963}\\p!",
				      .absolute = "\\\\?\\C:\\p" };
	uint8_t guid[16] = { 1 }, page[4096] = { 0 }, noise[4096];
	struct vhdx_write w[3];
	struct vhdx_built b, p;
	uint32_t at;

	vhdx_build(&p, &plain);
	qcow2_noise(p.p + p.data_off, 3000, 1);
	vhdx_bat(&p, 0, 6, p.data_off);
	vhdx_bat(&p, 2, 6, p.data_off + MB);
	seed("vhdx", "dynamic", 0, p.p, p.len, NULL, 0);
	vhdx_item(&p, guid, "user", 4, 1);
	vhdx_item(&p, guid, NULL, 0, 2);
	vhdx_bat(&p, 1, 3, 0);
	seed("vhdx", "items", 0, p.p, p.len, NULL, 0);

	vhdx_build(&b, &child);
	qcow2_noise(b.p + b.data_off, 3000, 2);
	vhdx_bat(&b, 0, 7, b.data_off);
	vhdx_bat(&b, 4096, 6, b.data_off + MB);
	b.p[b.data_off + MB] = 0x5b;
	seed("vhdx", "child", 0, b.p, b.len, p.p, p.len);
	vhdx_done(&b);
	vhdx_done(&p);

	vhdx_build(&b, &small);
	qcow2_noise(b.p + b.data_off, 3000, 3);
	qcow2_noise(noise, 700, 4);
	memset(noise + 700, 0, sizeof(noise) - 700);
	vhd_put_le(page, 8, b.data_off | 6);
	w[0] = (struct vhdx_write){ .off = b.bat_off, .data = page };
	w[1] = (struct vhdx_write){ .off = b.data_off, .zeros = 8192 };
	w[2] = (struct vhdx_write){ .off = b.data_off, .data = noise };
	at = vhdx_log_entry(&b, 0, 5, 0, w, 2);
	at = vhdx_log_entry(&b, at, 6, 0, w + 2, 1);
	vhdx_log_entry(&b, at, 7, 8192, w + 1, 2);
	vhdx_log_use(&b);
	seed("vhdx", "log", 0, b.p, b.len, NULL, 0);
	seed("vhdx", "log-not-replayed", 2, b.p, b.len, NULL, 0);
	memset(b.p + b.log_off, 0, b.log_len);
	at = vhdx_log_entry(&b, MB - 8192, 5, MB - 8192, w, 2);
	vhdx_log_entry(&b, at, 6, MB - 8192, w + 2, 1);
	seed("vhdx", "log-wrap", 0, b.p, b.len, NULL, 0);
	vhdx_done(&b);
}

int main(int argc, char **argv)
{
	uint8_t *image, *parent = NULL;
	uint64_t len, parent_len = 0;

	if (argc < 3) {
		vhd_seeds();
		vhdx_seeds();
		return 0;
	}
	image = qcow2_file(argv[2], &len);
	if (argc > 3)
		parent = qcow2_file(argv[3], &parent_len);
	seed(strchr(argv[1], 'x') ? "vhdx" : "vhd", argv[1], 0, image, len, parent, parent_len);
	return 0;
}
