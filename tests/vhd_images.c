/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vhd_images.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/part_images.h"
#include "tests/qcow2_images.h"

#define BLOCK 4096u
#define MB (1u << 20)

/* ------------------------------------------------------------------------------------------------------------- VHD */

static void vhd_seal_sum(uint8_t *p, size_t len, size_t at)
{
	uint32_t sum = 0;

	memset(p + at, 0, 4);
	for (size_t i = 0; i < len; i++)
		sum += p[i];
	qcow2_put(p + at, 4, ~sum & 0xffffffff);
}

void vhd_seal_footer(uint8_t *footer, size_t len)
{
	vhd_seal_sum(footer, len, 64);
}

void vhd_seal_header(uint8_t *header)
{
	vhd_seal_sum(header, 1024, 36);
}

void vhd_seal(uint8_t *image)
{
	vhd_seal_footer(image, 512);
	vhd_seal_footer(image + VHD_BUILD_FOOTER, 512);
	vhd_seal_header(image + VHD_BUILD_HEADER);
}

void vhd_build_footer(uint8_t *p, unsigned type, uint64_t size, uint64_t data_off, const char *app)
{
	memset(p, 0, 512);
	memcpy(p, "conectix", 8);
	qcow2_put(p + 8, 4, 2);
	qcow2_put(p + 12, 4, 0x10000);
	qcow2_put(p + 16, 8, data_off);
	qcow2_put(p + 24, 4, 700000000); /* 2022-03-07T20:26:40Z */
	memcpy(p + 28, app, 4);
	qcow2_put(p + 32, 4, 0x60003);
	memcpy(p + 36, "Wi2k", 4);
	qcow2_put(p + 40, 8, size);
	qcow2_put(p + 48, 8, size);
	qcow2_put(p + 56, 2, 10); /* cylinders, heads, sectors */
	p[58] = 4;
	p[59] = 17;
	qcow2_put(p + 60, 4, type);
	for (unsigned i = 0; i < 16; i++)
		p[68 + i] = (uint8_t)(0x10 * i + type);
	vhd_seal_footer(p, 512);
}

static const struct {
	unsigned block, at;
	uint8_t bits;
} vhd_blocks[] = { { 5, 2560, 0xe0 }, { 0, 7168, 0xff }, { 4, 11776, 0 }, { 2, 16384, 0x65 } };

uint8_t *vhd_build_disk(const uint8_t *parent, size_t parent_len)
{
	uint8_t *disk = calloc(1, 6 * BLOCK), data[BLOCK];

	assert_non_null(disk);
	if (parent)
		memcpy(disk, parent, VTR_MIN(parent_len, (size_t)VHD_BUILD_SIZE));
	for (size_t i = 0; i < VTR_COUNT(vhd_blocks); i++) {
		qcow2_noise(data, BLOCK, 100 + vhd_blocks[i].block);
		for (unsigned k = 0; k < 8; k++)
			if (vhd_blocks[i].bits << k & 0x80)
				memcpy(disk + vhd_blocks[i].block * BLOCK + k * 512, data + k * 512, 512);
	}
	return disk;
}

void vhd_build(uint8_t *out, unsigned type)
{
	uint8_t *h = out + VHD_BUILD_HEADER;

	memset(out, 0, VHD_BUILD_LEN);
	vhd_build_footer(out, type, VHD_BUILD_SIZE, VHD_BUILD_HEADER, "win ");
	memcpy(out + VHD_BUILD_FOOTER, out, 512);
	memcpy(h, "cxsparse", 8);
	memset(h + 8, 0xff, 8);
	qcow2_put(h + 16, 8, VHD_BUILD_BAT);
	qcow2_put(h + 24, 4, 0x10000);
	qcow2_put(h + 28, 4, 6);
	qcow2_put(h + 32, 4, BLOCK);
	memset(out + VHD_BUILD_BAT, 0xff, 512);
	for (size_t i = 0; i < VTR_COUNT(vhd_blocks); i++) {
		qcow2_put(out + VHD_BUILD_BAT + 4 * vhd_blocks[i].block, 4, vhd_blocks[i].at / 512);
		out[vhd_blocks[i].at] = vhd_blocks[i].bits;
		qcow2_noise(out + vhd_blocks[i].at + 512, BLOCK, 100 + vhd_blocks[i].block);
		if (vhd_blocks[i].block == 4)
			memset(out + vhd_blocks[i].at + 512, 0xee, BLOCK);
	}
	if (type == 4) {
		uint8_t name[100];

		for (unsigned i = 0; i < 16; i++)
			h[40 + i] = (uint8_t)(0x10 * i + 3);
		qcow2_put(h + 56, 4, 700000001);
		vhd_utf16(h + 64, "C:\\disks\\parent.vhd", true);
		vhd_build_locator(out, 0, "W2ru", VHD_BUILD_LOCATOR, name, vhd_utf16(name, ".\\parent.vhd", false));
	}
	vhd_seal(out);
}

void vhd_build_locator(uint8_t *image, unsigned i, const char *code, size_t at, const void *data, size_t len)
{
	uint8_t *e = image + VHD_BUILD_HEADER + 576 + 24 * i;

	memcpy(e, code, 4);
	qcow2_put(e + 4, 4, 512);
	qcow2_put(e + 8, 4, len);
	qcow2_put(e + 16, 8, at);
	memcpy(image + at, data, len);
	vhd_seal(image);
}

size_t vhd_utf16(uint8_t *out, const char *text, bool big_endian)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++) {
		out[2 * i + big_endian] = (uint8_t)text[i];
		out[2 * i + !big_endian] = 0;
	}
	return 2 * n;
}

/* ------------------------------------------------------------------------------------------------------------ VHDX */

void vhd_put_le(uint8_t *p, unsigned width, uint64_t value)
{
	for (unsigned i = 0; i < width; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

/* CRC-32C bit by bit, from its polynomial. */
static uint32_t vhdx_crc(uint32_t crc, const uint8_t *p, size_t len)
{
	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (unsigned k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void vhdx_seal_crc(uint8_t *p, size_t len)
{
	memset(p + 4, 0, 4);
	vhd_put_le(p + 4, 4, vhdx_crc(0, p, len));
}

/* A GUID from its text form. */
static void vhdx_guid(uint8_t out[16], const char *text)
{
	static const unsigned order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };

	for (unsigned i = 0; i < 16; i++) {
		unsigned byte;

		if (*text == '-')
			text++;
		assert_int_equal(1, sscanf(text, "%2x", &byte));
		out[order[i]] = (uint8_t)byte;
		text += 2;
	}
}

static void vhdx_region(struct vhdx_built *b, unsigned i, const char *guid, uint64_t off, uint32_t len)
{
	for (unsigned k = 0; k < 2; k++) {
		uint8_t *p = b->p + (192u + 64 * k) * 1024;

		memcpy(p, "regi", 4);
		vhd_put_le(p + 8, 4, i + 1);
		p += 16 + 32 * i;
		vhdx_guid(p, guid);
		vhd_put_le(p + 16, 8, off);
		vhd_put_le(p + 24, 4, len);
		vhd_put_le(p + 28, 4, 1);
	}
}

void vhdx_item(struct vhdx_built *b, const uint8_t guid[16], const void *data, size_t len, uint32_t flags)
{
	uint8_t *table = b->p + b->metadata_off, *e;
	unsigned n = (unsigned)(table[10] | table[11] << 8);

	e = table + 32 + 32 * n;
	memcpy(e, guid, 16);
	vhd_put_le(e + 16, 4, len ? b->item_at : 0);
	vhd_put_le(e + 20, 4, len);
	vhd_put_le(e + 24, 4, flags);
	if (len)
		memcpy(table + b->item_at, data, len);
	b->item_at += (uint32_t)len;
	vhd_put_le(table + 10, 2, n + 1);
}

static void vhdx_known_item(struct vhdx_built *b, const char *guid, uint64_t value, unsigned len, uint32_t flags)
{
	uint8_t id[16], data[8];

	vhdx_guid(id, guid);
	vhd_put_le(data, len, value);
	vhdx_item(b, id, data, len, flags);
}

static void vhdx_locator(struct vhdx_built *b, const struct vhdx_options *o)
{
	const struct {
		const char *key, *value;
	} pairs[] = { { "parent_linkage", o->linkage },
		      { "parent_linkage2", o->linkage2 },
		      { "relative_path", o->relative },
		      { "volume_path", o->volume },
		      { "absolute_win32_path", o->absolute } };
	uint8_t item[4096] = { 0 }, id[16];
	size_t at = 20 + 12 * VTR_COUNT(pairs);
	unsigned n = 0;

	vhdx_guid(item, "B04AEFB7-D19E-4A81-B789-25B8E9445913");
	for (size_t i = 0; i < VTR_COUNT(pairs); i++) {
		uint8_t *e = item + 20 + 12 * n;
		size_t len;

		if (!pairs[i].value)
			continue;
		len = vhd_utf16(item + at, pairs[i].key, false);
		vhd_put_le(e, 4, at);
		vhd_put_le(e + 8, 2, len);
		at += len;
		len = vhd_utf16(item + at, pairs[i].value, false);
		vhd_put_le(e + 4, 4, at);
		vhd_put_le(e + 10, 2, len);
		at += len;
		n++;
	}
	vhd_put_le(item + 18, 2, n);
	vhdx_guid(id, "A8D35F2D-B30B-454D-ABF7-D3D84834AB0C");
	vhdx_item(b, id, item, at, 4);
}

void vhdx_build(struct vhdx_built *b, const struct vhdx_options *o)
{
	uint32_t block = o->block ? o->block : MB;

	memset(b, 0, sizeof(*b));
	b->log_off = MB;
	b->log_len = (o->log_mb ? o->log_mb : 1) * MB;
	b->bat_off = b->log_off + b->log_len;
	b->bat_len = (o->bat_mb ? o->bat_mb : 1) * MB;
	b->metadata_off = b->bat_off + b->bat_len;
	b->data_off = b->metadata_off + MB;
	b->len = b->data_off + (size_t)o->data_mb * MB;
	b->p = calloc(1, b->len);
	assert_non_null(b->p);
	b->item_at = 65536;
	memcpy(b->p, "vhdxfile", 8);
	vhd_utf16(b->p + 8, "made by hand", false);
	for (unsigned k = 0; k < 2; k++) {
		uint8_t *p = b->p + (64u + 64 * k) * 1024;

		memcpy(p, "head", 4);
		vhd_put_le(p + 8, 8, 7 + k);
		memset(p + 16, 0xf1, 16);
		for (unsigned i = 0; i < 16; i++)
			p[32 + i] = (uint8_t)(0x11 * i);
		vhd_put_le(p + 66, 2, 1);
		vhd_put_le(p + 68, 4, b->log_len);
		vhd_put_le(p + 72, 8, b->log_off);
	}
	vhdx_region(b, 0, "2DC27766-F623-4200-9D64-115E9BFD4A08", b->bat_off, b->bat_len);
	vhdx_region(b, 1, "8B7CA206-4790-4B9A-B8FE-575F050F886E", b->metadata_off, MB);
	memcpy(b->p + b->metadata_off, "metadata", 8);
	vhdx_known_item(b, "CAA16737-FA36-4D43-B3B6-33F0AA44E76B", block | (uint64_t)o->flags << 32, 8, 4);
	vhdx_known_item(b, "2FA54224-CD1B-4876-B211-5DBED83BF4B8", o->size, 8, 6);
	{
		uint8_t guid[16], id[16];

		vhdx_guid(guid, "BECA12AB-B2E6-4523-93EF-C309E000C746");
		memset(id, 0x83, 16);
		vhdx_item(b, guid, id, 16, 6);
	}
	vhdx_known_item(b, "8141BF1D-A96F-4709-BA47-F233A8FAAB5F", o->logical ? o->logical : 512, 4, 6);
	vhdx_known_item(b, "CDA348C7-445D-4471-9CC9-E9885251C556", o->physical ? o->physical : 4096, 4, 6);
	if (o->flags & 2)
		vhdx_locator(b, o);
	vhdx_seal(b);
}

void vhdx_done(struct vhdx_built *b)
{
	free(b->p);
	memset(b, 0, sizeof(*b));
}

void vhdx_bat(struct vhdx_built *b, uint64_t i, unsigned state, uint64_t off)
{
	vhd_put_le(b->p + b->bat_off + 8 * i, 8, off | state);
}

void vhdx_seal(struct vhdx_built *b)
{
	vhdx_seal_crc(b->p + 64 * 1024, 4096);
	vhdx_seal_crc(b->p + 128 * 1024, 4096);
	vhdx_seal_crc(b->p + 192 * 1024, 65536);
	vhdx_seal_crc(b->p + 256 * 1024, 65536);
}

void vhdx_log_use(struct vhdx_built *b)
{
	memset(b->p + 64 * 1024 + 48, 0x10, 16);
	memset(b->p + 128 * 1024 + 48, 0x10, 16);
	vhdx_seal(b);
}

uint32_t vhdx_log_entry(struct vhdx_built *b, uint32_t at, uint64_t sequence, uint32_t tail,
			const struct vhdx_write *writes, unsigned n)
{
	size_t head = (64 + 32 * (size_t)n + 4095) / 4096 * 4096, len = head;
	uint8_t *e;

	for (unsigned i = 0; i < n; i++)
		len += writes[i].data ? 4096 : 0;
	e = calloc(1, len);
	assert_non_null(e);
	memcpy(e, "loge", 4);
	vhd_put_le(e + 8, 4, len);
	vhd_put_le(e + 12, 4, tail);
	vhd_put_le(e + 16, 8, sequence);
	vhd_put_le(e + 24, 4, n);
	memset(e + 32, 0x10, 16);
	vhd_put_le(e + 48, 8, b->flushed ? b->flushed : b->len);
	vhd_put_le(e + 56, 8, b->last ? b->last : b->len);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *d = e + 64 + 32 * (size_t)i;

		vhd_put_le(d + 16, 8, writes[i].off);
		vhd_put_le(d + 24, 8, sequence);
		if (!writes[i].data) {
			memcpy(d, "zero", 4);
			vhd_put_le(d + 8, 8, writes[i].zeros);
			continue;
		}
		memcpy(d, "desc", 4);
		memcpy(d + 4, writes[i].data + 4092, 4);
		memcpy(d + 8, writes[i].data, 8);
		memcpy(e + head, writes[i].data, 4096);
		memcpy(e + head, "data", 4);
		vhd_put_le(e + head + 4, 4, sequence >> 32);
		vhd_put_le(e + head + 4092, 4, sequence & 0xffffffff);
		head += 4096;
	}
	vhdx_seal_crc(e, len);
	for (size_t i = 0; i < len; i += 4096)
		memcpy(b->p + b->log_off + (at + i) % b->log_len, e + i, 4096);
	free(e);
	return (uint32_t)((at + len) % b->log_len);
}

/* ------------------------------------------------------------------------------------------------------------ peer */

bool vhd_has_peer(void)
{
	if (system("/usr/bin/python3 -c 'import pyvhdi' 2>/dev/null") == 0)
		return true;
	print_message("SKIPPED: libvhdi for Python is not installed\n");
	return false;
}

void vhd_expect_peer(const char *images, const uint8_t *bytes, uint64_t len)
{
	char *dir = part_temp(), path[300];
	uint8_t *got;
	uint64_t got_len;

	snprintf(path, sizeof(path), "%s/raw", dir);
	part_run("/usr/bin/python3 tests/read-vhdi.py '%s' %s", path, images);
	got = qcow2_file(path, &got_len);
	assert_int_equal(len, got_len);
	assert_memory_equal(bytes, got, len);
	free(got);
	part_temp_done(dir);
}
