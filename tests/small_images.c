/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/small_images.h"

#include <setjmp.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "tests/qcow2_images.h"

void small_done(struct small_image *s)
{
	free(s->bytes);
	free(s->disk);
	memset(s, 0, sizeof(*s));
}

void small_le(uint8_t *p, unsigned width, uint64_t value)
{
	for (unsigned i = 0; i < width; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

void small_be(uint8_t *p, unsigned width, uint64_t value)
{
	qcow2_put(p, width, value);
}

static void small_new(struct small_image *s, size_t len, size_t disk_len)
{
	s->bytes = calloc(1, len);
	s->disk = calloc(1, disk_len);
	assert_true(s->bytes && s->disk);
	s->len = len;
	s->disk_len = disk_len;
}

/* A piece of both, as far as the disk goes. Bytes that no zeros stand for. */
static void small_piece(struct small_image *s, size_t at, size_t off, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++)
		s->bytes[at + i] = (uint8_t)(qcow2_random(&seed) % 255 + 1);
	if (off + len > s->disk_len)
		len = s->disk_len - off;
	memcpy(s->disk + off, s->bytes + at, len);
}

const struct small_vdi small_vdi_plain = {
	.type = 1, .major = 1, .header_len = 400, .table = 0x200, .data = 0x400, .id = 0x11, .modified = 0x22, .seed = 1
};

void small_vdi(struct small_image *s, const struct small_vdi *how)
{
	static const uint32_t entries[SMALL_VDI_BLOCKS] = { 2,		0xfffffffe, 0xffffffff, 0, 1,
							    0xffffffff, 3,	    0xfffffffe, 4 };
	unsigned table = how->major ? how->table : 420, data = how->major ? how->data : table + 4 * SMALL_VDI_BLOCKS;
	unsigned stored = how->type == 2 ? SMALL_VDI_BLOCKS : 5;
	uint8_t *p;

	small_new(s, data + stored * (512 + how->extra), SMALL_VDI_SIZE);
	memcpy(s->bytes, "<<< Oracle VM VirtualBox Disk Image >>>\n", 40);
	small_le(s->bytes + 0x40, 4, 0xbeda107f);
	small_le(s->bytes + 0x44, 4, how->major << 16 | 1);
	p = s->bytes + 0x48;
	if (how->major) {
		small_le(p, 4, how->header_len);
		p += 4;
	}
	small_le(p, 4, how->type);
	memcpy(p + 8, "a comment", 9);
	p += 8 + 256;
	if (how->major) {
		small_le(p, 4, table);
		small_le(p + 4, 4, data);
		p += 8;
	}
	small_le(p, 4, 2);
	small_le(p + 4, 4, 3);
	small_le(p + 8, 4, 63);
	small_le(p + 12, 4, 512);
	p += how->major ? 20 : 16;
	small_le(p, 8, SMALL_VDI_SIZE);
	small_le(p + 8, 4, 512);
	p += 12;
	if (how->major) {
		small_le(p, 4, how->extra);
		p += 4;
	}
	small_le(p, 4, SMALL_VDI_BLOCKS);
	small_le(p + 4, 4, stored);
	p += 8;
	memset(p, how->id, 16);
	memset(p + 16, how->modified, 16);
	memset(p + 32, how->parent, 16);
	if (how->major) {
		memset(p + 48, how->parent_modified, 16);
		assert_ptr_equal(s->bytes + 0x1c8, p + 64);
		if (how->header_len >= 400)
			small_le(p + 64, 4, 4);
	} else {
		assert_ptr_equal(s->bytes + 420, p + 48);
	}
	for (unsigned i = 0; i < SMALL_VDI_BLOCKS; i++) {
		uint32_t e = how->type == 2 ? i : entries[i];

		small_le(s->bytes + table + 4 * i, 4, e);
		if (e < stored)
			small_piece(s, data + e * (512 + how->extra) + how->extra, i * 512, 512, how->seed + i);
	}
}

void small_parallels(struct small_image *s, int ext, uint32_t seed)
{
	static const unsigned at[SMALL_PARALLELS_CLUSTERS] = { 3, 0, 1, 2, 0, 0, 0, 0, 4 }; /* in clusters; 0: none */

	small_new(s, 5 * 1024, SMALL_PARALLELS_SECTORS * 512);
	memcpy(s->bytes, ext ? "WithouFreSpacExt" : "WithoutFreeSpace", 16);
	small_le(s->bytes + 16, 4, 2);
	small_le(s->bytes + 20, 4, 16);
	small_le(s->bytes + 24, 4, 7);
	small_le(s->bytes + 28, 4, 2);
	small_le(s->bytes + 32, 4, SMALL_PARALLELS_CLUSTERS);
	small_le(s->bytes + 36, 8, SMALL_PARALLELS_SECTORS);
	small_le(s->bytes + 44, 4, 0x312e3276);
	small_le(s->bytes + 48, 4, 2);
	for (unsigned i = 0; i < SMALL_PARALLELS_CLUSTERS; i++) {
		small_le(s->bytes + 64 + 4 * i, 4, at[i] * (ext ? 1 : 2));
		if (at[i])
			small_piece(s, at[i] * 1024, i * 1024, 1024, seed + i);
	}
}

void small_qed(struct small_image *s)
{
	static const unsigned at[10] = { 5, 1, 0, 3, 4, 0, 0, 0, 0, 6 }; /* in clusters; 0: none, 1: zeros */

	small_new(s, 7 * 4096, SMALL_QED_SIZE);
	memcpy(s->bytes, "QED", 4);
	small_le(s->bytes + 4, 4, 4096);
	small_le(s->bytes + 8, 4, 1);
	small_le(s->bytes + 12, 4, 1);
	small_le(s->bytes + 40, 8, 4096);
	small_le(s->bytes + 48, 8, SMALL_QED_SIZE);
	small_le(s->bytes + 4096, 8, 8192);
	for (unsigned i = 0; i < 10; i++) {
		small_le(s->bytes + 8192 + 8 * i, 8, at[i] > 1 ? at[i] * 4096 : at[i]);
		if (at[i] > 1)
			small_piece(s, at[i] * 4096, i * 4096, 4096, i + 1);
	}
}

void small_qcow1(struct small_image *s)
{
	static const unsigned stored[3] = { 0, 3, 4 };
	z_stream z = { .next_in = NULL };

	small_new(s, 6 * 512, SMALL_QCOW1_SIZE);
	memcpy(s->bytes, "QFI\xfb", 4);
	small_be(s->bytes + 4, 4, 1);
	small_be(s->bytes + 24, 8, SMALL_QCOW1_SIZE);
	s->bytes[32] = 9;
	s->bytes[33] = 6;
	small_be(s->bytes + 40, 8, 56);
	small_be(s->bytes + 56, 8, 512); /* the second entry, for what lies behind 64 clusters, is 0 */
	for (unsigned i = 0; i < 3; i++) {
		small_be(s->bytes + 512 + 8 * stored[i], 8, (3 + i) * 512);
		small_piece(s, (3 + i) * 512, stored[i] * 512, 512, i + 1);
	}
	for (unsigned i = 0; i < 512; i++)
		s->disk[512 + i] = (uint8_t)("A compressed cluster. "[i % 22]);
	assert_int_equal(Z_OK, deflateInit2(&z, 9, Z_DEFLATED, -12, 9, Z_DEFAULT_STRATEGY));
	z.next_in = s->disk + 512;
	z.avail_in = 512;
	z.next_out = s->bytes + 1024 + 7; /* anywhere */
	z.avail_out = 500;
	assert_int_equal(Z_STREAM_END, deflate(&z, Z_FINISH));
	small_be(s->bytes + 512 + 8, 8, 1ull << 63 | (uint64_t)z.total_out << (63 - 9) | (1024 + 7));
	deflateEnd(&z);
}

void small_bochs(struct small_image *s, unsigned version)
{
	static const uint32_t catalog[5] = { 1, 0xffffffff, 0xffffffff, 0, 0xffffffff };
	size_t data = 512 + 20;

	small_new(s, data + 2 * (512 + 4096), SMALL_BOCHS_SIZE);
	strcpy((char *)s->bytes, "Bochs Virtual HD Image");
	strcpy((char *)s->bytes + 32, "Redolog");
	strcpy((char *)s->bytes + 48, "Growing");
	small_le(s->bytes + 64, 4, version << 16);
	small_le(s->bytes + 68, 4, 512);
	small_le(s->bytes + 72, 4, 5);
	small_le(s->bytes + 76, 4, 1);
	small_le(s->bytes + 80, 4, 4096);
	small_le(s->bytes + (version == 1 ? 84 : 88), 8, SMALL_BOCHS_SIZE);
	for (unsigned i = 0; i < 5; i++) {
		size_t at = data + catalog[i] * (512 + 4096);

		small_le(s->bytes + 512 + 4 * i, 4, catalog[i]);
		if (catalog[i] == 0xffffffff)
			continue;
		s->bytes[at] = 0x87;
		small_piece(s, at + 512, i * 4096, 3 * 512, i + 1);
		small_piece(s, at + 512 + 7 * 512, i * 4096 + 7 * 512, 512, i + 9);
		memset(s->bytes + at + 512 + 3 * 512, 0xee, 4 * 512); /* not written, whatever lies there */
	}
}

void small_sparse(struct small_image *s)
{
	static const uint8_t header[4] = { 5, 6, 0, 1 }, node[2] = { 12, 9 };
	uint8_t *index;

	small_new(s, SMALL_SPARSE_NODE + 4096 + 2 * 512, 12 * 512);
	memcpy(s->bytes, "sprs", 4);
	small_be(s->bytes + 4, 4, 3);
	small_be(s->bytes + 8, 4, 1);
	small_be(s->bytes + 12, 4, 1);
	small_be(s->bytes + 16, 4, 12);
	small_be(s->bytes + 20, 8, SMALL_SPARSE_NODE);
	small_be(s->bytes + 28, 8, 12);
	index = s->bytes + SMALL_SPARSE_NODE;
	memcpy(index, "sprs", 4);
	small_be(index + 8, 4, 1);
	for (unsigned i = 0; i < 4; i++) {
		small_be(s->bytes + 64 + 4 * i, 4, header[i]);
		if (header[i])
			small_piece(s, 4096 + i * 512, (header[i] - 1) * 512u, 512, header[i]);
	}
	for (unsigned i = 0; i < 2; i++) {
		small_be(index + 56 + 4 * i, 4, node[i]);
		small_piece(s, SMALL_SPARSE_NODE + 4096 + i * 512, (node[i] - 1) * 512u, 512, node[i]);
	}
}

/* --------------------------------------------------------------------------------------------------------- checking */

void small_expect(const char *format, const struct small_image *s)
{
	struct vtr_image_options named = { .format = format };
	struct qcow2_opened o;

	for (unsigned pass = 0; pass < 2; pass++) {
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, s->bytes, s->len, pass ? &named : NULL);
		if (o.rc < 0)
			print_error("%s: %s\n", format, o.err.text);
		assert_int_equal(0, o.rc);
		assert_string_equal(format, vtr_image_info(o.disk)->format);
		qcow2_expect_bytes(o.disk, s->disk, s->disk_len);
		qcow2_expect_quiet(&o);
		qcow2_done(&o);
	}
}

/* The first failure while all of it is read, in pieces of a sector. */
static int small_read(struct vtr_blk *disk, struct vtr_error *err)
{
	uint8_t buf[512];

	for (uint64_t off = 0; off < vtr_blk_size(disk) && off < 1 << 20; off += sizeof(buf)) {
		uint64_t left = vtr_blk_size(disk) - off;

		if (vtr_blk_pread(disk, off, buf, left < sizeof(buf) ? (size_t)left : sizeof(buf), err) < 0)
			return -1;
	}
	return 0;
}

void small_expect_damage(const char *format, const struct small_image *s, bool big, const struct small_damage *d,
			 size_t n)
{
	struct vtr_image_options named = { .format = format };
	uint8_t *bytes = malloc(s->len);

	assert_non_null(bytes);
	for (size_t i = 0; i < n; i++) {
		struct qcow2_opened o;
		char said[1100];
		const char *text;
		int r;

		memcpy(bytes, s->bytes, s->len);
		assert_true(d[i].at + d[i].width <= s->len);
		(big ? small_be : small_le)(bytes + d[i].at, d[i].width, d[i].value);
		qcow2_start(&o, NULL, false);
		qcow2_open_bytes(&o, bytes, s->len, &named);
		r = o.rc < 0 ? -1 : small_read(o.disk, &o.err);
		text = o.err.text;
		if (r == 0) {
			snprintf(said, sizeof(said), "%s: ", d[i].code == VTR_OK ? "note" : vtr_code_name(d[i].code));
			if (!strstr(o.said, said))
				print_error("%s, damage %zu: not a %s\n", format, i, said);
			assert_non_null(strstr(o.said, said));
			text = o.said;
		} else if (d[i].code != o.err.code) {
			print_error("%s, damage %zu: %s\n", format, i, o.err.text);
			assert_string_equal(vtr_code_name(d[i].code), vtr_code_name(o.err.code));
		}
		if (!strstr(text, d[i].words))
			fail_msg("%s, damage %zu: \"%s\" is not in: %s", format, i, d[i].words, text);
		qcow2_done(&o);
	}
	free(bytes);
}

const char *small_prop(struct vtr_blk *disk, const char *key)
{
	const struct vtr_image_info *info = vtr_image_info(disk);
	static char text[1024];

	for (size_t i = 0; i < info->n_props; i++) {
		const struct vtr_prop *p = &info->props[i];

		if (strcmp(p->key, key) != 0)
			continue;
		if (p->kind == VTR_PROP_TEXT)
			snprintf(text, sizeof(text), "%s", p->text);
		else
			snprintf(text, sizeof(text), "%" PRIu64, p->number);
		return text;
	}
	return "";
}
