/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Filesystems that are recognised by their signs and not read: a listing names them, opening one is refused by name.
 * Each moves to a file of its own when it is read.
 */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "fs/fs.h"

static int known_at(const struct vtr_probe *p, size_t at, const char *magic, size_t n)
{
	return at <= p->head_len && n <= p->head_len - at && memcmp(p->head + at, magic, n) == 0 ? 8 * (int)n : 0;
}
#define AT(off, magic) known_at(p, (off), "" magic, sizeof(magic) - 1)

/* A text field padded with spaces or NULs. */
static void known_label(struct vtr_fs_identity *out, const struct vtr_probe *p, size_t at, size_t len)
{
	if (at + len > p->head_len || len >= sizeof(out->label))
		return;
	memcpy(out->label, p->head + at, len);
	out->label[len] = 0;
	len = strlen(out->label);
	while (len > 0 && out->label[len - 1] == ' ')
		out->label[--len] = 0;
}

static void known_uuid(struct vtr_fs_identity *out, const struct vtr_probe *p, size_t at)
{
	if (at + 16 <= p->head_len)
		vtr_uuid_text(out->uuid, p->head + at);
}

/* Boot sector with its signature, and a jump. */
static bool known_boot(const struct vtr_probe *p)
{
	return p->head_len >= 512 && p->head[510] == 0x55 && p->head[511] == 0xaa;
}

#define KNOWN(id, text, title_text, bits, identify_fn)                                                                 \
	static int id##_probe(const struct vtr_probe *p)                                                               \
	{                                                                                                              \
		return (bits);                                                                                         \
	}                                                                                                              \
	extern const struct vtr_fs_driver vtr_fs_driver_##id;                                                          \
	const struct vtr_fs_driver vtr_fs_driver_##id = {                                                              \
		.name = (text), .title = (title_text), .probe = id##_probe, .identify = (identify_fn)                  \
	}

static void exfat_identify(struct vtr_fs_identity *out, const struct vtr_probe *p)
{
	snprintf(out->uuid, sizeof(out->uuid), "%04X-%04X", vtr_get_le16(p->head + 0x66), vtr_get_le16(p->head + 0x64));
}

/* FAT's serial and label lie after the extended boot signature 0x29: at 0x26 (FAT12 and 16) or 0x42 (FAT32). */
static void fat_identify(struct vtr_fs_identity *out, const struct vtr_probe *p)
{
	size_t at = vtr_get_le16(p->head + 0x16) == 0 ? 0x42 : 0x26;

	out->type = "vfat";
	if (p->head[at] != 0x29)
		return;
	snprintf(out->uuid, sizeof(out->uuid), "%04X-%04X", vtr_get_le16(p->head + at + 3),
		 vtr_get_le16(p->head + at + 1));
	known_label(out, p, at + 5, 11);
	if (strcmp(out->label, "NO NAME") == 0)
		out->label[0] = 0;
}

/* There is no magic: the parameter block must make sense, field by field. */
static int fat_bits(const struct vtr_probe *p)
{
	const uint8_t *b = p->head;
	uint32_t sector, media, fats, cluster;
	int bits = 16;

	if (!known_boot(p) || !(b[0] == 0xe9 || (b[0] == 0xeb && b[2] == 0x90)))
		return 0;
	sector = vtr_get_le16(b + 0x0b);
	cluster = b[0x0d];
	fats = b[0x10];
	media = b[0x15];
	if (sector < 512 || sector > 4096 || (sector & (sector - 1)) || cluster == 0 || (cluster & (cluster - 1)) ||
	    fats == 0 || fats > 4 || (media != 0xf0 && media < 0xf8) || vtr_get_le16(b + 0x0e) == 0)
		return 0;
	if (vtr_get_le16(b + 0x13) == 0 && vtr_get_le32(b + 0x20) == 0)
		return 0;
	if (memcmp(b + 0x36, "FAT", 3) == 0 || memcmp(b + 0x52, "FAT32", 5) == 0)
		bits += 24;
	return bits + 16;
}

static void xfs_identify(struct vtr_fs_identity *out, const struct vtr_probe *p)
{
	known_uuid(out, p, 32);
	known_label(out, p, 108, 12);
	out->size = vtr_get_be64(p->head + 8) * vtr_get_be32(p->head + 4);
}

static void btrfs_identify(struct vtr_fs_identity *out, const struct vtr_probe *p)
{
	known_uuid(out, p, 0x10020);
	known_label(out, p, 0x10000 + 299, 255);
}

static void iso9660_identify(struct vtr_fs_identity *out, const struct vtr_probe *p)
{
	known_label(out, p, 0x8000 + 40, 32);
}

static void swap_identify(struct vtr_fs_identity *out, const struct vtr_probe *p)
{
	known_uuid(out, p, 1036);
	known_label(out, p, 1052, 16);
}

static void f2fs_identify(struct vtr_fs_identity *out, const struct vtr_probe *p)
{
	known_uuid(out, p, 1024 + 108);
}

static void erofs_identify(struct vtr_fs_identity *out, const struct vtr_probe *p)
{
	known_uuid(out, p, 1024 + 48);
	known_label(out, p, 1024 + 64, 16);
}

static int swap_bits(const struct vtr_probe *p)
{
	static const size_t pages[] = { 4096, 8192, 16384, 65536 };

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (AT(pages[i] - 10, "SWAPSPACE2") || AT(pages[i] - 10, "SWAP-SPACE"))
			return 80;
	return 0;
}

static int ufs_bits(const struct vtr_probe *p)
{
	return AT(8192 + 1372, "\x54\x19\x01\x00") | AT(8192 + 1372, "\x00\x01\x19\x54") |
	       AT(65536 + 1372, "\x19\x01\x54\x19") | AT(65536 + 1372, "\x19\x54\x01\x19");
}

static int minix_bits(const struct vtr_probe *p)
{
	/* Magic of 16 bits alone, so the block size and the counts must agree. */
	if (!(AT(1040, "\x7f\x13") || AT(1040, "\x8f\x13") || AT(1040, "\x68\x24") || AT(1040, "\x78\x24")))
		return 0;
	return vtr_get_le16(p->head + 1024) > 0 && vtr_get_le16(p->head + 1028) > 0 &&
			       vtr_get_le16(p->head + 1030) > 0 && vtr_get_le16(p->head + 1034) == 0 &&
			       vtr_get_le16(p->head + 1024 + 8) < 4096
		       ? 18
		       : 0;
}

KNOWN(exfat, "exfat", "exFAT", known_boot(p) ? AT(3, "EXFAT   ") : 0, exfat_identify);
KNOWN(fat, "fat", "FAT", fat_bits(p), fat_identify);
KNOWN(xfs, "xfs", "XFS", p->head_len >= 512 ? AT(0, "XFSB") : 0, xfs_identify);
KNOWN(btrfs, "btrfs", "Btrfs", AT(0x10040, "_BHRfS_M"), btrfs_identify);
KNOWN(iso9660, "iso9660", "ISO 9660", AT(0x8001, "CD001"), iso9660_identify);
KNOWN(squashfs, "squashfs", "SquashFS", AT(0, "hsqs"), NULL);
KNOWN(f2fs, "f2fs", "F2FS", AT(1024, "\x10\x20\xf5\xf2"), f2fs_identify);
KNOWN(hfsplus, "hfsplus", "HFS+",
      AT(1024, "H+\0\x04") | AT(1024, "HX\0\x05") | (AT(1024, "BD") && AT(1024 + 124, "H+") ? 32 : 0), NULL);
KNOWN(apfs, "apfs", "APFS container", AT(32, "NXSB"), NULL);
KNOWN(reiserfs, "reiserfs", "ReiserFS", AT(0x10034, "ReIsEr2Fs") | AT(0x10034, "ReIsErFs") | AT(0x10034, "ReIsEr3Fs"),
      NULL);
KNOWN(jfs, "jfs", "JFS", AT(0x8000, "JFS1"), NULL);
KNOWN(erofs, "erofs", "EROFS", AT(1024, "\xe2\xe1\xf5\xe0"), erofs_identify);
KNOWN(udf, "udf", "UDF", AT(0x8001, "BEA01") || AT(0x8801, "BEA01") || AT(0x9001, "BEA01") ? 40 : 0, NULL);
KNOWN(ufs, "ufs", "UFS", ufs_bits(p), NULL);
KNOWN(swap, "swap", "swap space", swap_bits(p), swap_identify);
KNOWN(refs, "refs", "ReFS", AT(3, "ReFS\0\0\0\0"), NULL);
KNOWN(bcachefs, "bcachefs", "bcachefs",
      AT(4096 + 24, "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"), NULL);
KNOWN(nilfs2, "nilfs2", "NILFS2", AT(1024 + 6, "\x34\x34") && vtr_get_le32(p->head + 1024) == 2 ? 40 : 0, NULL);
KNOWN(minix, "minix", "Minix", minix_bits(p), NULL);
