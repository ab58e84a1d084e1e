/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Filesystems that are not read: a listing tells their labels and UUIDs, opening one is refused by name. Each moves to a file
 * of its own when it is read.
 */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/fold.h"
#include "base/text.h"
#include "base/utf16.h"
#include "fs/fs.h"

static int known_at(const struct vtr_probe *p, size_t at, const char *magic, size_t n)
{
	return at <= p->head_len && n <= p->head_len - at && memcmp(p->head + at, magic, n) == 0 ? 8 * (int)n : 0;
}
#define AT(off, magic) known_at(p, (off), "" magic, sizeof(magic) - 1)

/* A label in a field that is padded with spaces or NULs. */
static void known_label_bytes(struct vtr_identity *out, const uint8_t *field, size_t len)
{
	if (len >= sizeof(out->label))
		return;
	memcpy(out->label, field, len);
	out->label[len] = 0;
	len = strlen(out->label);
	while (len > 0 && out->label[len - 1] == ' ')
		out->label[--len] = 0;
}

static void known_label(struct vtr_identity *out, const struct vtr_probe *p, size_t at, size_t len)
{
	if (at + len <= p->head_len)
		known_label_bytes(out, p->head + at, len);
}

/* One of all zeros is none. */
static void known_uuid(struct vtr_identity *out, const struct vtr_probe *p, size_t at)
{
	static const uint8_t none[16];

	if (at + 16 <= p->head_len && memcmp(p->head + at, none, 16) != 0)
		vtr_uuid_text(out->uuid, p->head + at);
}

/* Bytes that may lie beyond those that were probed. */
static bool known_read(uint8_t *buf, struct vtr_blk *b, uint64_t off, size_t len)
{
	return b && vtr_range_in(off, len, b->size) && vtr_blk_pread(b, off, buf, len, NULL) == 0;
}

/* UTF-16BE of at most 255 units. */
static void known_utf16be(char *out, size_t size, const uint8_t *p, size_t units)
{
	(void)vtr_utf16_to_utf8(out, size, p, 2 * VTR_MIN(units, (size_t)255), VTR_UTF16_BE);
}

#define KNOWN(id, signature, identify_fn)                                                                              \
	extern const struct vtr_fs_driver vtr_fs_driver_##id;                                                          \
	const struct vtr_fs_driver vtr_fs_driver_##id = { .sig = (signature), .identify = (identify_fn) }

/* --------------------------------------------------------------------------------------------------- FAT and exFAT */

/* The label lies in the root directory, and there at its start: no more of it is read. */
#define KNOWN_DIR_BYTES (256u << 10)
#define KNOWN_DIR_CHUNK 4096u

/* An entry of 32 bytes: 1: it has the label, 0: not, -1: the directory ends. */
typedef int known_dirent(struct vtr_identity *out, const uint8_t *e);

static int known_search(struct vtr_identity *out, struct vtr_blk *b, uint64_t off, uint64_t len, known_dirent *fn)
{
	uint8_t chunk[KNOWN_DIR_CHUNK];

	for (uint64_t at = 0; at < len; at += sizeof(chunk)) {
		size_t n = (size_t)VTR_MIN(len - at, (uint64_t)sizeof(chunk));

		if (!known_read(chunk, b, off + at, n))
			return -1;
		for (size_t i = 0; i + 32 <= n; i += 32) {
			int r = fn(out, chunk + i);

			if (r != 0)
				return r;
		}
	}
	return 0;
}

/* Where the clusters of a directory lie, and what leads from one to the next: entries of 4 bytes. */
struct known_chain {
	uint64_t heap, cluster_len, fat, fat_len; /* bytes; cluster 2 is at heap */
	uint32_t first, end, mask;
};

static void known_search_chain(struct vtr_identity *out, struct vtr_blk *b, const struct known_chain *c,
			       known_dirent *fn)
{
	uint32_t cluster = c->first;
	uint8_t next[4];

	for (uint64_t done = 0; done < KNOWN_DIR_BYTES; done += VTR_MAX(c->cluster_len, (uint64_t)512)) {
		uint64_t fat_at = (uint64_t)cluster * 4;

		if (cluster < 2 || cluster >= c->end || c->cluster_len == 0 ||
		    known_search(out, b, c->heap + (cluster - 2) * c->cluster_len,
				 VTR_MIN(c->cluster_len, (uint64_t)KNOWN_DIR_BYTES), fn) != 0 ||
		    !vtr_range_in(fat_at, 4, c->fat_len) || !known_read(next, b, c->fat + fat_at, 4))
			return;
		cluster = vtr_get_le32(next) & c->mask;
	}
}

/* Type 0x83 is the label: 1 its length, 2 UTF-16LE. 0 ends the directory. */
static int exfat_dirent(struct vtr_identity *out, const uint8_t *e)
{
	if (e[0] != 0x83)
		return e[0] == 0 ? -1 : 0;
	(void)vtr_utf16_to_utf8(out->label, sizeof(out->label), e + 2, 2 * VTR_MIN((size_t)e[1], (size_t)11),
				VTR_UTF16_LE);
	return 1;
}

/*
 * exFAT's boot sector, in sectors: 0x50 4 offset of the FAT, 0x54 4 its length, 0x58 4 offset of the clusters, 0x60 4
 * first cluster of the root, 0x64 4 serial, 0x6c 1 log2 of the sector, 0x6d 1 log2 of the sectors of a cluster.
 */
static void exfat_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	const uint8_t *h = p->head;
	unsigned sector = h[0x6c], cluster = h[0x6d];
	struct known_chain c;

	if (vtr_get_le32(h + 0x64) != 0)
		snprintf(out->uuid, sizeof(out->uuid), "%04X-%04X", vtr_get_le16(h + 0x66), vtr_get_le16(h + 0x64));
	if (sector < 9 || sector > 12 || sector + cluster > 25)
		return;
	c = (struct known_chain){
		.heap = (uint64_t)vtr_get_le32(h + 0x58) << sector,
		.cluster_len = UINT64_C(1) << (sector + cluster),
		.fat = (uint64_t)vtr_get_le32(h + 0x50) << sector,
		.fat_len = (uint64_t)vtr_get_le32(h + 0x54) << sector,
		.first = vtr_get_le32(h + 0x60),
		.end = 0xfffffff7,
		.mask = 0xffffffff,
	};
	known_search_chain(out, b, &c, exfat_dirent);
}

/*
 * 0x00 11 name, 0x0b 1 attributes: 8 the label, 0x0f a piece of a long name; 0x14 and 0x1a 2 first cluster, which a label
 * has none of. 0xe5: deleted; 0x05 stands for a first byte of 0xe5.
 */
static int fat_dirent(struct vtr_identity *out, const uint8_t *e)
{
	uint8_t name[11];

	if (e[0] == 0)
		return -1;
	if (e[0] == 0xe5 || (e[0x0b] & 0x18) != 0x08 || (e[0x0b] & 0x3f) == 0x0f || vtr_get_le16(e + 0x14) != 0 ||
	    vtr_get_le16(e + 0x1a) != 0)
		return 0;
	memcpy(name, e, sizeof(name));
	if (name[0] == 0x05)
		name[0] = 0xe5;
	known_label_bytes(out, name, sizeof(name));
	return 1;
}

/*
 * 0x0b 2 bytes of a sector, 0x0d 1 sectors of a cluster, 0x0e 2 reserved sectors, 0x10 1 FATs, 0x11 2 entries of the root
 * directory, 0x16 2 sectors of a FAT; FAT32: 0 there, 0x24 4 sectors of a FAT, 0x2c 4 first cluster of the root. The
 * serial lies behind the extended boot signature at 0x26 or 0x42. What the boot sector has as a label is not used by
 * anybody, and often stale.
 */
static void fat_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	const uint8_t *h = p->head;
	bool fat32 = vtr_get_le16(h + 0x16) == 0;
	uint64_t sector = vtr_get_le16(h + 0x0b), fat_len = fat32 ? vtr_get_le32(h + 0x24) : vtr_get_le16(h + 0x16);
	uint64_t fat = vtr_get_le16(h + 0x0e) * sector, heap = fat + h[0x10] * fat_len * sector;
	size_t at = fat32 ? 0x42 : 0x26;
	struct known_chain c;

	out->type = "vfat";
	if ((h[at] == 0x28 || h[at] == 0x29) && vtr_get_le32(h + at + 1) != 0)
		snprintf(out->uuid, sizeof(out->uuid), "%04X-%04X", vtr_get_le16(h + at + 3), vtr_get_le16(h + at + 1));
	if (!fat32) {
		uint64_t bytes = (uint64_t)vtr_get_le16(h + 0x11) * 32;

		(void)known_search(out, b, heap, VTR_MIN(bytes, (uint64_t)KNOWN_DIR_BYTES), fat_dirent);
		return;
	}
	c = (struct known_chain){
		.heap = heap,
		.cluster_len = h[0x0d] * sector,
		.fat = fat,
		.fat_len = fat_len * sector,
		.first = vtr_get_le32(h + 0x2c),
		.end = 0x0ffffff7,
		.mask = 0x0fffffff,
	};
	known_search_chain(out, b, &c, fat_dirent);
}

/* ------------------------------------------------------------------------------------------------------- the others */

static void xfs_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	(void)b;
	known_uuid(out, p, 32);
	known_label(out, p, 108, 12);
	out->size = vtr_get_be64(p->head + 8) * vtr_get_be32(p->head + 4);
}

static void btrfs_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	(void)b;
	known_uuid(out, p, 0x10020);
	known_label(out, p, 0x10000 + 299, 255);
}

/* "YYYYMMDDhhmmsscc" and a zone as blkid has it for a UUID; false: it is not set. */
static bool iso9660_date(struct vtr_identity *out, const uint8_t *d)
{
	if (memcmp(d, "0000000000000000", 16) == 0)
		return false;
	for (size_t i = 0; i < 16; i++)
		if (d[i] < '0' || d[i] > '9')
			return false;
	snprintf(out->uuid, sizeof(out->uuid), "%.4s-%.2s-%.2s-%.2s-%.2s-%.2s-%.2s", (const char *)d,
		 (const char *)d + 4, (const char *)d + 6, (const char *)d + 8, (const char *)d + 10,
		 (const char *)d + 12, (const char *)d + 14);
	return true;
}

/* Whether a primary label is a Joliet one in capitals, with '_' for what has none, and is longer. */
static bool iso9660_goes_on(const uint8_t *joliet, const char *label)
{
	if (strlen(label) <= 16)
		return false;
	for (size_t i = 0; i < 16; i++) {
		unsigned c = vtr_get_be16(joliet + 2 * i), l = (unsigned char)label[i];

		if (c == 0 || (l != '_' && l != c && !(c >= 'a' && c <= 'z' && l == c - 32)))
			return false;
	}
	return true;
}

/*
 * Descriptors of 2048 bytes from 0x8000: 0 1 type (1 primary, 2 supplementary, 255 the end), 0x28 32 label, 0x58 escape
 * sequence of Joliet, whose label is 16 units of UTF-16BE; primary: 0x32d 17 created, 0x33e 17 modified. A longer label
 * goes on in the primary one.
 */
static void iso9660_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	char joliet[64];

	if (vtr_range_in(0x8000, 2048, p->head_len) && p->head[0x8000] == 1 &&
	    !iso9660_date(out, p->head + 0x8000 + 0x33e))
		(void)iso9660_date(out, p->head + 0x8000 + 0x32d);
	known_label(out, p, 0x8000 + 0x28, 32);
	for (unsigned i = 1; i < 16; i++) {
		uint8_t d[2048];

		if (!known_read(d, b, 0x8000 + i * 2048, sizeof(d)) || memcmp(d + 1, "CD001", 5) != 0 || d[0] == 255)
			return;
		if (d[0] != 2 || d[0x58] != '%' || d[0x59] != '/' || !strchr("@CE", d[0x5a]) || d[0x5a] == 0)
			continue;
		known_utf16be(joliet, sizeof(joliet), d + 0x28, 16);
		for (size_t at = strlen(joliet); at > 0 && joliet[at - 1] == ' ';)
			joliet[--at] = 0;
		if (joliet[0]) {
			char rest[17] = "";

			if (iso9660_goes_on(d + 0x28, out->label))
				memcpy(rest, out->label + 16, sizeof(rest));
			snprintf(out->label, sizeof(out->label), "%s%s", joliet, rest);
		}
		return;
	}
}

/* Both layouts before version 2 have neither. */
static void swap_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	(void)b;
	if (vtr_get_le32(p->head + 1024) != 1 && vtr_get_be32(p->head + 1024) != 1)
		return;
	known_uuid(out, p, 1036);
	known_label(out, p, 1052, 16);
}

static void f2fs_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	(void)b;
	known_uuid(out, p, 1024 + 108);
	if (vtr_range_in(1024 + 124, 1024, p->head_len))
		(void)vtr_utf16_to_utf8(out->label, sizeof(out->label), p->head + 1024 + 124, 1024, VTR_UTF16_LE);
}

static void erofs_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	(void)b;
	known_uuid(out, p, 1024 + 48);
	known_label(out, p, 1024 + 64, 16);
}

static void apfs_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	(void)b;
	known_uuid(out, p, 72);
}

/* Version 3.5 has neither. */
static void reiserfs_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	(void)b;
	if (AT(0x10034, "ReIsErFs"))
		return;
	known_uuid(out, p, 0x10000 + 84);
	known_label(out, p, 0x10000 + 100, 16);
}

static void jfs_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	(void)b;
	known_uuid(out, p, 0x8000 + 136);
	known_label(out, p, 0x8000 + 152, 16);
}

static void nilfs2_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	(void)b;
	known_uuid(out, p, 1024 + 152);
	known_label(out, p, 1024 + 168, 80);
}

/* What users see; each device has one of its own beside it. */
static void bcachefs_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	(void)b;
	known_uuid(out, p, 4096 + 56);
	known_label(out, p, 4096 + 72, 32);
}

/* 0x90 two numbers of 4 bytes that make an identifier; UFS2: 0x2a8 32 label. */
static void ufs_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	bool v2 = AT(65536 + 1372, "\x19\x01\x54\x19") || AT(65536 + 1372, "\x19\x54\x01\x19");
	size_t at = v2 ? 65536 : 8192;
	bool little = AT(at + 1372, "\x54\x19\x01\x00") || AT(at + 1372, "\x19\x01\x54\x19");
	uint32_t one, two;

	(void)b;
	one = little ? vtr_get_le32(p->head + at + 0x90) : vtr_get_be32(p->head + at + 0x90);
	two = little ? vtr_get_le32(p->head + at + 0x94) : vtr_get_be32(p->head + at + 0x94);
	if (one != 0 || two != 0)
		snprintf(out->uuid, sizeof(out->uuid), "%08" PRIx32 "%08" PRIx32, one, two);
	if (v2)
		known_label(out, p, at + 0x2a8, 32);
}

/*
 * The label is the name of the root folder, whose parent is 1: the first record of the catalog's first leaf. The volume
 * header lies at 1024, of a volume in an HFS wrapper where that says: 0x28 4 block size, 0x110 the catalog, whose extents
 * are from 0x120, 8 of 4 start and 4 count. Header node of a tree: 0x18 4 first leaf, 0x20 2 size of a node.
 */
static void hfsplus_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	uint64_t base = 0, block, off, left;
	uint8_t h[512], node[512];
	uint32_t node_len, leaf;

	if (AT(1024, "BD"))
		base = (uint64_t)vtr_get_be16(p->head + 1024 + 28) * 512 +
		       (uint64_t)vtr_get_be16(p->head + 1024 + 126) * vtr_get_be32(p->head + 1024 + 20);
	if (!known_read(h, b, base + 1024, sizeof(h)) || (memcmp(h, "H+", 2) != 0 && memcmp(h, "HX", 2) != 0))
		return;
	block = vtr_get_be32(h + 0x28);
	if (!vtr_pow2_is(block) || !known_read(node, b, base + vtr_get_be32(h + 0x120) * block, sizeof(node)))
		return;
	leaf = vtr_get_be32(node + 0x18);
	node_len = vtr_get_be16(node + 0x20);
	left = (uint64_t)leaf * node_len;
	for (size_t i = 0; i < 8; i++) {
		uint64_t start = vtr_get_be32(h + 0x120 + 8 * i), len = vtr_get_be32(h + 0x124 + 8 * i) * block;

		if (left >= len) {
			left -= len;
			continue;
		}
		off = base + start * block + left;
		/* Behind the node's descriptor: 2 length of the key, 4 parent, 2 length of the name, its UTF-16BE. */
		if (known_read(node, b, off, sizeof(node)) && node[8] == 0xff && vtr_get_be32(node + 14 + 2) == 1 &&
		    vtr_get_be16(node + 14 + 6) <= 240)
			known_utf16be(out->label, sizeof(out->label), node + 14 + 8, vtr_get_be16(node + 14 + 6));
		return;
	}
}

/* Master directory block: 0x24 a length and 27 label. */
static void hfs_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	(void)b;
	known_label_bytes(out, p->head + 1024 + 0x25, p->head[1024 + 0x24]);
}

/* 0x30 16 label. */
static void cramfs_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	(void)b;
	known_label(out, p, 0x30, 16);
}

/* A string of OSTA: 8 or 16 bits a character, by its first byte; the field's last byte is its length. */
static void udf_dstring(char *out, size_t size, const uint8_t *d, size_t len)
{
	size_t n = VTR_MIN((size_t)d[len - 1], len - 1), at = 0;

	out[0] = 0;
	if (n > 1 && d[0] == 16) {
		known_utf16be(out, size, d + 1, (n - 1) / 2);
	} else if (n > 1 && d[0] == 8) {
		for (size_t i = 1; i < n && d[i] != 0 && at + 3 < size; i++)
			at += vtr_utf8_put(out + at, d[i]);
		out[at] = 0;
	}
}

/* The first 16 characters of the volume set's name, or what is hexadecimal of them and the rest in hexadecimal. */
static void udf_uuid(struct vtr_identity *out, const char *name)
{
	size_t len = strlen(name), hex = strspn(name, "0123456789abcdefABCDEF");

	if (len < 8)
		return;
	if (hex < 8)
		for (size_t i = 0; i < 8; i++)
			snprintf(out->uuid + 2 * i, 3, "%02x", (uint8_t)name[i]);
	else if (hex < 16 || len < 16)
		for (size_t i = 0; i < 4; i++)
			snprintf(out->uuid + 2 * i + 8, 3, "%02x", (uint8_t)name[8 + i]);
	if (hex >= 8)
		memcpy(out->uuid, name, hex < 16 ? 8 : 16);
	out->uuid[16] = 0;
	vtr_ascii_lower_text(out->uuid);
}

/*
 * ECMA-167: the anchor (tag 2) in block 256: 16 4 bytes of the main sequence, 20 4 its block. There the primary volume
 * descriptor (1) has the name of the set at 72, the logical one (6) the label at 84, 128 bytes each; 8 ends it.
 */
static void udf_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	static const uint32_t blocks[] = { 2048, 512, 1024, 4096 };
	uint8_t d[512];
	char set[400];

	(void)p;
	for (size_t i = 0; i < VTR_COUNT(blocks); i++) {
		uint32_t n, at;

		if (!known_read(d, b, 256ull * blocks[i], sizeof(d)) || vtr_get_le16(d) != 2 ||
		    vtr_get_le32(d + 12) != 256)
			continue;
		n = VTR_MIN(vtr_get_le32(d + 16) / blocks[i], (uint32_t)64);
		at = vtr_get_le32(d + 20);
		for (; n > 0; n--, at++) {
			if (!known_read(d, b, (uint64_t)at * blocks[i], sizeof(d)) || vtr_get_le16(d) == 8)
				return;
			if (vtr_get_le16(d) == 6) {
				udf_dstring(out->label, sizeof(out->label), d + 84, 128);
			} else if (vtr_get_le16(d) == 1) {
				udf_dstring(set, sizeof(set), d + 72, 128);
				udf_uuid(out, set);
			}
		}
		return;
	}
}

/* 0x09 16 UUID, of which the first three groups are little endian; 0x1d 128 label. */
static void vmfs_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	const uint8_t *h = vtr_probe_at(p, 2097152, 0x9d), *u = h + 9;

	(void)b;
	if (!h)
		return;
	known_label_bytes(out, h + 0x1d, 128);
	snprintf(out->uuid, sizeof(out->uuid), "%08x-%08x-%02x%02x-%02x%02x%02x%02x%02x%02x", vtr_get_le32(u),
		 vtr_get_le32(u + 4), u[9], u[8], u[10], u[11], u[12], u[13], u[14], u[15]);
}

KNOWN(exfat, VTR_SIG_EXFAT, exfat_identify);
KNOWN(fat, VTR_SIG_FAT, fat_identify);
KNOWN(xfs, VTR_SIG_XFS, xfs_identify);
KNOWN(btrfs, VTR_SIG_BTRFS, btrfs_identify);
KNOWN(iso9660, VTR_SIG_ISO9660, iso9660_identify);
KNOWN(squashfs, VTR_SIG_SQUASHFS, NULL);
KNOWN(f2fs, VTR_SIG_F2FS, f2fs_identify);
KNOWN(hfsplus, VTR_SIG_HFSPLUS, hfsplus_identify);
KNOWN(apfs, VTR_SIG_APFS, apfs_identify);
KNOWN(reiserfs, VTR_SIG_REISERFS, reiserfs_identify);
KNOWN(jfs, VTR_SIG_JFS, jfs_identify);
KNOWN(erofs, VTR_SIG_EROFS, erofs_identify);
KNOWN(udf, VTR_SIG_UDF, udf_identify);
KNOWN(cramfs, VTR_SIG_CRAMFS, cramfs_identify);
KNOWN(hfs, VTR_SIG_HFS, hfs_identify);
KNOWN(ufs, VTR_SIG_UFS, ufs_identify);
KNOWN(swap, VTR_SIG_SWAP, swap_identify);
KNOWN(refs, VTR_SIG_REFS, NULL);
KNOWN(bcachefs, VTR_SIG_BCACHEFS, bcachefs_identify);
KNOWN(nilfs2, VTR_SIG_NILFS2, nilfs2_identify);
KNOWN(minix, VTR_SIG_MINIX, NULL);
KNOWN(vmfs, VTR_SIG_VMFS, vmfs_identify);
