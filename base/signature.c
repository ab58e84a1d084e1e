/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of what is recognised, with its signatures. Types are those of libblkid 2.38. */
#include "base/signature.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"

/* Fewer verified bits are an accident; answers closer to each other than this are of similar strength. */
#define SIG_MIN_BITS 16
#define SIG_SIMILAR_BITS 8
/* Nothing shorter is a filesystem: its checks may rely on as much. */
#define SIG_MIN_LEN 512

static int sig_at(const struct vtr_probe *p, uint64_t at, const char *magic, size_t n)
{
	const uint8_t *b = vtr_probe_at(p, at, n);

	return b && memcmp(b, magic, n) == 0 ? 8 * (int)n : 0;
}
#define AT(off, magic) sig_at(p, (off), "" magic, sizeof(magic) - 1)

/* So many bytes before the end. */
static int sig_before_end(const struct vtr_probe *p, uint64_t before, const char *magic, size_t n)
{
	return p->size >= before ? sig_at(p, p->size - before, magic, n) : 0;
}
#define BEFORE_END(off, magic) sig_before_end(p, (off), "" magic, sizeof(magic) - 1)

static bool sig_boot_sector(const struct vtr_probe *p)
{
	return p->head_len >= 512 && p->head[510] == 0x55 && p->head[511] == 0xaa;
}

/* ------------------------------------------------------------------------------------------------------------- members */

static int sig_luks(const struct vtr_probe *p)
{
	return AT(0, "LUKS\xba\xbe") | AT(0, "SKUL\xba\xbe");
}

#define SIG_MD_MAGIC 0xa92b4efcu

/* Version 1, little endian: 0x04 4 version. */
static bool sig_md_v1(const struct vtr_probe *p, uint64_t at)
{
	const uint8_t *b = vtr_probe_at(p, at, 12);

	return b && vtr_get_le32(b) == SIG_MD_MAGIC && vtr_get_le32(b + 4) == 1;
}

/* Version 0.90, in the byte order of the machine: 0x04 4 and 0x08 4 version. */
static bool sig_md_v09(const struct vtr_probe *p, uint64_t at)
{
	const uint8_t *b = vtr_probe_at(p, at, 12);

	return b && ((vtr_get_le32(b) == SIG_MD_MAGIC && vtr_get_le32(b + 4) == 0 && vtr_get_le32(b + 8) == 90) ||
		     (vtr_get_be32(b) == SIG_MD_MAGIC && vtr_get_be32(b + 4) == 0 && vtr_get_be32(b + 8) == 90));
}

uint64_t vtr_mdraid_find(const struct vtr_probe *p, bool *v09)
{
	uint64_t old = p->size >= 131072 ? (p->size & ~65535ull) - 65536 : UINT64_MAX;
	uint64_t end = p->size >= 8192 ? ((p->size / 512 - 16) & ~7ull) * 512 : UINT64_MAX;

	*v09 = false;
	if (sig_md_v1(p, 0))
		return 0;
	if (sig_md_v1(p, 4096))
		return 4096;
	*v09 = old != UINT64_MAX && sig_md_v09(p, old);
	if (*v09)
		return old;
	return end != UINT64_MAX && sig_md_v1(p, end) ? end : UINT64_MAX;
}

static int sig_mdraid(const struct vtr_probe *p)
{
	bool v09;

	return vtr_mdraid_find(p, &v09) != UINT64_MAX ? 64 : 0;
}

size_t vtr_lvm2_label_find(const uint8_t *head, size_t len)
{
	for (size_t at = 0; at < 4 * 512; at += 512)
		if (vtr_range_in(at, 512, len) && memcmp(head + at, "LABELONE", 8) == 0 &&
		    memcmp(head + at + 24, "LVM2 001", 8) == 0)
			return at;
	return SIZE_MAX;
}

static int sig_lvm2(const struct vtr_probe *p)
{
	return vtr_lvm2_label_find(p->head, p->head_len) != SIZE_MAX ? 128 : 0;
}

/*
 * BitLocker's own mark in place of the boot sector's, and the identifiers of BitLocker To Go behind a boot sector of
 * FAT32, which lies before a discovery volume that is read without a key, and of volumes that encrypt what is used alone.
 */
static int sig_bitlocker(const struct vtr_probe *p)
{
	static const char guids[][17] = {
		"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01", /* 4967d63b-2e29-4ad8-8399-f6a339e3d001 */
		"\x3b\x4d\xa8\x92\x80\xdd\x0e\x4d\x9e\x4e\xb1\xe3\x28\x4e\xae\xd8", /* 92a84d3b-dd80-4d0e-9e4e-b1e3284eaed8 */
	};
	static const size_t places[] = { 0xa0, 0x1a8 };

	if (AT(3, "-FVE-FS-"))
		return 64;
	for (size_t i = 0; sig_boot_sector(p) && i < VTR_COUNT(places); i++)
		for (size_t k = 0; k < VTR_COUNT(guids); k++)
			if (memcmp(p->head + places[i], guids[k], 16) == 0)
				return 128;
	return 0;
}

/*
 * A label of 256 KiB at the start: at 16 KiB a list of names and values in XDR (1 its encoding, 1 the byte order of who
 * wrote it), which has the identifier of the pool in it.
 */
static int sig_zfs(const struct vtr_probe *p)
{
	const uint8_t *b = vtr_probe_at(p, 16384, 4096);

	return b && b[0] == 1 && b[1] <= 1 && memmem(b, 4096, "pool_guid", 9) ? 64 : 0;
}

static int sig_stratis(const struct vtr_probe *p)
{
	return AT(512 + 4, "!Stra0tis\x86\xff\x02^\x41rh") | AT(9 * 512 + 4, "!Stra0tis\x86\xff\x02^\x41rh");
}

/* Intel's metadata is in the last sector but one. */
static int sig_isw(const struct vtr_probe *p)
{
	return BEFORE_END(1024, "Intel Raid ISM Cfg Sig. ");
}

/* SNIA Common RAID Disk Data Format 2.0, 5.7: the anchor header is in the last block; some lay it 257 blocks before the end. */
static int sig_ddf(const struct vtr_probe *p)
{
	return BEFORE_END(512, "\xde\x11\xde\x11") | BEFORE_END(257 * 512, "\xde\x11\xde\x11");
}

static int sig_adaptec(const struct vtr_probe *p)
{
	return BEFORE_END(512, "\x37\xfc\x4d\x1e") ? BEFORE_END(256, "DPTM") : 0;
}

/* Internal metadata of versions 8.4 and 9, the last 4 KiB. */
static int sig_drbd(const struct vtr_probe *p)
{
	return BEFORE_END(4096 - 0x3c, "\x83\x74\x02\x6b") | BEFORE_END(4096 - 0x3c, "\x83\x74\x02\x6d");
}

static int sig_promise(const struct vtr_probe *p)
{
	return BEFORE_END(63 * 512, "Promise Technology, Inc.");
}

static int sig_nvidia(const struct vtr_probe *p)
{
	return BEFORE_END(1024, "NVIDIA");
}

static int sig_lsi(const struct vtr_probe *p)
{
	return BEFORE_END(512, "$XIDE$");
}

/* --------------------------------------------------------------------------------------------------------- filesystems */

#define SIG_EXT_SUPER 1024u
#define SIG_EXT_JOURNAL_DEV 8u

/*
 * A magic of 16 bits, and fields that are small in every sane volume: 0x00 4 inodes, 0x04 4 blocks (0x150 4 more of them),
 * 0x18 4 log2 of the block, less 10, 0x4c 4 revision. 0x60 4: the features that a reader must know.
 */
static int sig_ext_bits(const struct vtr_probe *p, bool journal)
{
	const uint8_t *b = vtr_probe_at(p, SIG_EXT_SUPER, 1024);
	uint32_t rev;

	if (!b || vtr_get_le16(b + 0x38) != 0xef53)
		return 0;
	rev = vtr_get_le32(b + 0x4c);
	if (rev > 255 || ((rev > 0 && (vtr_get_le32(b + 0x60) & SIG_EXT_JOURNAL_DEV)) != journal))
		return 0;
	return vtr_get_le32(b + 0x18) > 6 || rev > 1 || vtr_get_le32(b) == 0 ||
			       (vtr_get_le32(b + 0x04) == 0 && vtr_get_le32(b + 0x150) == 0)
		       ? 16
		       : 64;
}

static int sig_ext(const struct vtr_probe *p)
{
	return sig_ext_bits(p, false);
}

static int sig_jbd(const struct vtr_probe *p)
{
	return sig_ext_bits(p, true);
}

static int sig_ntfs(const struct vtr_probe *p)
{
	return sig_boot_sector(p) ? AT(3, "NTFS    ") : 0;
}

static int sig_exfat(const struct vtr_probe *p)
{
	return sig_boot_sector(p) ? AT(3, "EXFAT   ") : 0;
}

/* There is no magic: the parameter block must make sense, field by field, behind a jump or with the type's name. */
static int sig_fat(const struct vtr_probe *p)
{
	const uint8_t *b = p->head;
	uint32_t sector, media, fats, cluster;
	bool jump, named;

	if (!sig_boot_sector(p))
		return 0;
	jump = b[0] == 0xe9 || (b[0] == 0xeb && b[2] == 0x90);
	named = memcmp(b + 0x36, "FAT", 3) == 0 || memcmp(b + 0x52, "FAT32", 5) == 0;
	sector = vtr_get_le16(b + 0x0b);
	cluster = b[0x0d];
	fats = b[0x10];
	media = b[0x15];
	if ((!jump && !named) || sector < 512 || sector > 4096 || !vtr_pow2_is(sector) || !vtr_pow2_is(cluster) ||
	    fats == 0 || fats > 4 || (media != 0xf0 && media < 0xf8) || vtr_get_le16(b + 0x0e) == 0 ||
	    (vtr_get_le16(b + 0x13) == 0 && vtr_get_le32(b + 0x20) == 0))
		return 0;
	return 32 + (named ? 24 : 0);
}

/* 0x1c 2 version. Before 4, both byte orders were written. */
static int sig_squashfs(const struct vtr_probe *p)
{
	return vtr_get_le16(p->head + 28) >= 4 ? AT(0, "hsqs") : 0;
}

static int sig_squashfs3(const struct vtr_probe *p)
{
	return AT(0, "sqsh") | (vtr_get_le16(p->head + 28) < 4 ? AT(0, "hsqs") : 0);
}

static int sig_hfsplus(const struct vtr_probe *p)
{
	return AT(1024, "H+\0\x04") | AT(1024, "HX\0\x05") | (AT(1024, "BD") && AT(1024 + 124, "H+") ? 32 : 0);
}

static int sig_reiserfs(const struct vtr_probe *p)
{
	return AT(0x10034, "ReIsEr2Fs") | AT(0x10034, "ReIsErFs") | AT(0x10034, "ReIsEr3Fs");
}

/* Either byte order; 0x10 16 "Compressed ROMFS". */
static int sig_cramfs(const struct vtr_probe *p)
{
	return (AT(0, "\x45\x3d\xcd\x28") || AT(0, "\x28\xcd\x3d\x45")) && AT(0x10, "Compressed ROMFS") ? 128 : 0;
}

/*
 * ECMA-167, part 2, 8: a sequence of descriptors from 0x8000 in which NSR follows BEA01. Of a disk that is ISO 9660, too,
 * UDF is what systems read, so that is the stronger signature.
 */
static int sig_udf(const struct vtr_probe *p)
{
	bool begun = false;

	for (size_t at = 0x8001; at + 5 <= p->head_len; at += 2048) {
		if (AT(at, "BEA01"))
			begun = true;
		else if (begun && (AT(at, "NSR02") || AT(at, "NSR03")))
			return 80;
	}
	return begun ? 40 : 0;
}

/* Master directory block: 0x12 2 allocation blocks, 0x14 4 their size, a multiple of 512; 0x24 1 length of the label. */
static int sig_hfs(const struct vtr_probe *p)
{
	const uint8_t *b = vtr_probe_at(p, 1024, 1024);
	uint32_t size;

	if (!b || memcmp(b, "BD", 2) != 0 || memcmp(b + 124, "H+", 2) == 0)
		return 0;
	size = vtr_get_be32(b + 0x14);
	return size != 0 && size % 512 == 0 && vtr_get_be16(b + 0x12) != 0 && b[0x24] <= 27 ? 32 : 0;
}

static int sig_ufs(const struct vtr_probe *p)
{
	return AT(8192 + 1372, "\x54\x19\x01\x00") | AT(8192 + 1372, "\x00\x01\x19\x54") |
	       AT(65536 + 1372, "\x19\x01\x54\x19") | AT(65536 + 1372, "\x19\x54\x01\x19");
}

/* The end of the first page, whose size is the machine's. */
static const uint32_t sig_pages[] = { 4096, 8192, 16384, 65536 };

static int sig_swap(const struct vtr_probe *p)
{
	for (size_t i = 0; i < VTR_COUNT(sig_pages); i++)
		if (AT(sig_pages[i] - 10, "SWAPSPACE2") || AT(sig_pages[i] - 10, "SWAP-SPACE"))
			return 80;
	return 0;
}

/* A system that sleeps: its memory is in the swap space, in whose place the signature is. */
static int sig_swsuspend(const struct vtr_probe *p)
{
	for (size_t i = 0; i < VTR_COUNT(sig_pages); i++)
		if (AT(sig_pages[i] - 10, "S1SUSPEND") || AT(sig_pages[i] - 10, "S2SUSPEND") ||
		    AT(sig_pages[i] - 10, "ULSUSPEND") || AT(sig_pages[i] - 10, "LINHIB0001"))
			return 72;
	return 0;
}

static int sig_nilfs2(const struct vtr_probe *p)
{
	return AT(1024 + 6, "\x34\x34") && vtr_get_le32(p->head + 1024) == 2 ? 40 : 0;
}

/* Magic of 16 bits alone, so the block size and the counts must agree. */
static int sig_minix(const struct vtr_probe *p)
{
	const uint8_t *b = vtr_probe_at(p, 1024, 32);

	if (!(AT(1040, "\x7f\x13") || AT(1040, "\x8f\x13") || AT(1040, "\x68\x24") || AT(1040, "\x78\x24")))
		return 0;
	return b && vtr_get_le16(b) > 0 && vtr_get_le16(b + 4) > 0 && vtr_get_le16(b + 6) > 0 &&
			       vtr_get_le16(b + 10) == 0 && vtr_get_le16(b + 8) < 4096
		       ? 18
		       : 0;
}

/* In one of the blocks 1 to 8, of 1 KiB. */
static int sig_ocfs2(const struct vtr_probe *p)
{
	return AT(1024, "OCFSV2") | AT(2048, "OCFSV2") | AT(4096, "OCFSV2") | AT(8192, "OCFSV2");
}

static int sig_vxfs(const struct vtr_probe *p)
{
	return AT(1024, "\xf5\xfc\x01\xa5") | AT(0x2000, "\xa5\x01\xfc\xf5");
}

/* Behind the boot block, or without one; the second magic says in which byte order. */
static int sig_befs(const struct vtr_probe *p)
{
	for (size_t at = 0; at <= 512; at += 512)
		if ((AT(at + 32, "1SFB") && AT(at + 68, "\x31\x05\x12\xdd")) ||
		    (AT(at + 32, "BFS1") && AT(at + 68, "\xdd\x12\x05\x31")))
			return 64;
	return 0;
}

static int sig_hpfs(const struct vtr_probe *p)
{
	return AT(8192, "\x49\xe8\x95\xf9\xc5\xe9\x53\xfa");
}

/* ---------------------------------------------------------------------------------------------------------------- list */

#define MEMBER .usage = VTR_USAGE_MEMBER
#define FS .usage = VTR_USAGE_FILESYSTEM
#define MAGIC(off, text) .at = (off), .magic = text, .len = sizeof(text) - 1

/* clang-format off */
const struct vtr_signature vtr_signatures[VTR_SIG_COUNT] = {
	[VTR_SIG_LUKS] = { "luks", "crypto_LUKS", "LUKS encrypted volume", MEMBER, .probe = sig_luks },
	[VTR_SIG_MDRAID] = { "mdraid", "linux_raid_member", "Linux RAID member", MEMBER, .probe = sig_mdraid },
	[VTR_SIG_LVM2] = { "lvm2", "LVM2_member", "LVM2 physical volume", MEMBER, .probe = sig_lvm2 },
	[VTR_SIG_BITLOCKER] = { "bitlocker", "BitLocker", "BitLocker encrypted volume", MEMBER,
				.flags = VTR_SIG_BOOT, .probe = sig_bitlocker },
	[VTR_SIG_ZFS] = { "zfs", "zfs_member", "ZFS member", MEMBER, .probe = sig_zfs },
	[VTR_SIG_BCACHE] = { "bcache", "bcache", "bcache device", MEMBER,
			     MAGIC(4096 + 24, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81") },
	[VTR_SIG_STRATIS] = { "stratis", "stratis", "Stratis block device", MEMBER, .probe = sig_stratis },
	[VTR_SIG_VDO] = { "vdo", "vdo", "VDO volume", MEMBER, MAGIC(0, "dmvdo001") },
	[VTR_SIG_DM_INTEGRITY] = { "dm-integrity", "DM_integrity", "dm-integrity volume", MEMBER, MAGIC(0, "integrt\0") },
	[VTR_SIG_DM_SNAPSHOT] = { "dm-snapshot", "DM_snapshot_cow", "device mapper snapshot", MEMBER, MAGIC(0, "SnAp") },
	[VTR_SIG_DM_VERITY] = { "dm-verity", "DM_verity_hash", "dm-verity hash tree", MEMBER, MAGIC(0, "verity\0\0") },
	[VTR_SIG_CEPH] = { "bluestore", "ceph_bluestore", "Ceph BlueStore", MEMBER, MAGIC(0, "bluestore block device") },
	[VTR_SIG_UBI] = { "ubi", "ubi", "UBI volume", MEMBER, MAGIC(0, "UBI#") },
	[VTR_SIG_VMFS_VOLUME] = { "vmfs-volume", "VMFS_volume_member", "VMFS volume", MEMBER,
				  .flags = VTR_SIG_LAST, MAGIC(1048576, "\x0d\xd0\x01\xc0") },
	[VTR_SIG_ORACLE_ASM] = { "oracleasm", "oracleasm", "Oracle ASM disk", MEMBER, MAGIC(32, "ORCLDISK") },
	[VTR_SIG_DRBDMANAGE] = { "drbdmanage", "drbdmanage_control_volume", "drbdmanage control volume", MEMBER,
				 MAGIC(0, "$DRBDmgr=q") },
	[VTR_SIG_ISW] = { "isw", "isw_raid_member", "Intel RAID member", MEMBER,
			  .flags = VTR_SIG_LAST, .probe = sig_isw },
	[VTR_SIG_DDF] = { "ddf", "ddf_raid_member", "DDF RAID member", MEMBER,
			  .flags = VTR_SIG_LAST, .probe = sig_ddf },
	[VTR_SIG_ADAPTEC] = { "adaptec", "adaptec_raid_member", "Adaptec RAID member", MEMBER,
			      .flags = VTR_SIG_LAST, .probe = sig_adaptec },
	[VTR_SIG_DRBD] = { "drbd", "drbd", "DRBD device", MEMBER, .flags = VTR_SIG_LAST, .probe = sig_drbd },
	[VTR_SIG_PROMISE] = { "promise", "promise_fasttrack_raid_member", "Promise RAID member", MEMBER,
			      .flags = VTR_SIG_LAST, .probe = sig_promise },
	[VTR_SIG_NVIDIA] = { "nvidia", "nvidia_raid_member", "NVIDIA RAID member", MEMBER,
			     .flags = VTR_SIG_LAST, .probe = sig_nvidia },
	[VTR_SIG_LSI] = { "lsi", "lsi_mega_raid_member", "LSI RAID member", MEMBER,
			  .flags = VTR_SIG_LAST, .probe = sig_lsi },

	[VTR_SIG_EXT] = { "ext", "ext", "ext2/ext3/ext4", FS, .probe = sig_ext },
	[VTR_SIG_JBD] = { "jbd", "jbd", "ext journal", .usage = VTR_USAGE_JOURNAL, .probe = sig_jbd },
	[VTR_SIG_NTFS] = { "ntfs", "ntfs", "NTFS", FS, .flags = VTR_SIG_BOOT, .probe = sig_ntfs },
	[VTR_SIG_EXFAT] = { "exfat", "exfat", "exFAT", FS, .flags = VTR_SIG_BOOT, .probe = sig_exfat },
	[VTR_SIG_FAT] = { "fat", "vfat", "FAT", FS, .flags = VTR_SIG_BOOT, .probe = sig_fat },
	[VTR_SIG_XFS] = { "xfs", "xfs", "XFS", FS, MAGIC(0, "XFSB") },
	[VTR_SIG_BTRFS] = { "btrfs", "btrfs", "Btrfs", FS, MAGIC(0x10040, "_BHRfS_M") },
	[VTR_SIG_ISO9660] = { "iso9660", "iso9660", "ISO 9660", FS, MAGIC(0x8001, "CD001") },
	[VTR_SIG_SQUASHFS] = { "squashfs", "squashfs", "SquashFS", FS, .probe = sig_squashfs },
	[VTR_SIG_F2FS] = { "f2fs", "f2fs", "F2FS", FS, MAGIC(1024, "\x10\x20\xf5\xf2") },
	[VTR_SIG_HFSPLUS] = { "hfsplus", "hfsplus", "HFS+", FS, .probe = sig_hfsplus },
	[VTR_SIG_APFS] = { "apfs", "apfs", "APFS container", FS, MAGIC(32, "NXSB") },
	[VTR_SIG_REISERFS] = { "reiserfs", "reiserfs", "ReiserFS", FS, .probe = sig_reiserfs },
	[VTR_SIG_REISER4] = { "reiser4", "reiser4", "Reiser4", FS, MAGIC(65536, "ReIsEr4") },
	[VTR_SIG_JFS] = { "jfs", "jfs", "JFS", FS, MAGIC(0x8000, "JFS1") },
	[VTR_SIG_EROFS] = { "erofs", "erofs", "EROFS", FS, MAGIC(1024, "\xe2\xe1\xf5\xe0") },
	[VTR_SIG_UDF] = { "udf", "udf", "UDF", FS, .probe = sig_udf },
	[VTR_SIG_CRAMFS] = { "cramfs", "cramfs", "cramfs", FS, .probe = sig_cramfs },
	[VTR_SIG_HFS] = { "hfs", "hfs", "HFS", FS, .probe = sig_hfs },
	[VTR_SIG_UFS] = { "ufs", "ufs", "UFS", FS, .probe = sig_ufs },
	[VTR_SIG_SWAP] = { "swap", "swap", "swap space", .usage = VTR_USAGE_SWAP, .probe = sig_swap },
	[VTR_SIG_SWSUSPEND] = { "swsuspend", "swsuspend", "hibernated system's memory", .usage = VTR_USAGE_SWAP,
				.probe = sig_swsuspend },
	[VTR_SIG_REFS] = { "refs", "ReFS", "ReFS", FS, .flags = VTR_SIG_BOOT, MAGIC(3, "ReFS\0\0\0\0") },
	[VTR_SIG_BCACHEFS] = { "bcachefs", "bcachefs", "bcachefs", FS,
			       MAGIC(4096 + 24, "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef") },
	[VTR_SIG_NILFS2] = { "nilfs2", "nilfs2", "NILFS2", FS, .probe = sig_nilfs2 },
	[VTR_SIG_MINIX] = { "minix", "minix", "Minix", FS, .probe = sig_minix },
	[VTR_SIG_VMFS] = { "vmfs", "VMFS", "VMFS", FS, .flags = VTR_SIG_LAST, MAGIC(2097152, "\x5e\xf1\xab\x2f") },
	[VTR_SIG_OCFS2] = { "ocfs2", "ocfs2", "OCFS2", FS, .probe = sig_ocfs2 },
	[VTR_SIG_GFS2] = { "gfs2", "gfs2", "GFS2", FS, MAGIC(65536, "\x01\x16\x19\x70\0\0\0\1") },
	[VTR_SIG_VXFS] = { "vxfs", "vxfs", "Veritas VxFS", FS, .probe = sig_vxfs },
	[VTR_SIG_BEFS] = { "befs", "befs", "BeFS", FS, .probe = sig_befs },
	[VTR_SIG_BFS] = { "bfs", "bfs", "SCO BFS", FS, MAGIC(0, "\xce\xfa\xad\x1b") },
	[VTR_SIG_HPFS] = { "hpfs", "hpfs", "HPFS", FS, .probe = sig_hpfs },
	[VTR_SIG_ROMFS] = { "romfs", "romfs", "romfs", FS, MAGIC(0, "-rom1fs-") },
	[VTR_SIG_UBIFS] = { "ubifs", "ubifs", "UBIFS", FS, MAGIC(0, "\x31\x18\x10\x06") },
	[VTR_SIG_ZONEFS] = { "zonefs", "zonefs", "zonefs", FS, MAGIC(0, "SFOZ") },
	[VTR_SIG_SQUASHFS3] = { "squashfs3", "squashfs3", "SquashFS 3", FS, .probe = sig_squashfs3 },
};
/* clang-format on */

int vtr_signature_bits(int sig, const struct vtr_probe *p)
{
	const struct vtr_signature *s = &vtr_signatures[sig];

	if (s->usage != VTR_USAGE_MEMBER && p->head_len < SIG_MIN_LEN)
		return 0;
	return s->probe ? s->probe(p) : sig_at(p, s->at, s->magic, s->len);
}

int vtr_signature_find(const struct vtr_probe *p, int *bits, int *second)
{
	int best = -1, next = -1, best_bits = 0, next_bits = 0;

	for (int i = 0; i < VTR_SIG_COUNT; i++) {
		bool member = vtr_signatures[i].usage == VTR_USAGE_MEMBER;
		int b = vtr_signatures[i].flags & VTR_SIG_LAST ? 0 : vtr_signature_bits(i, p);

		if (b > 0 && member) {
			best = i, best_bits = b;
			break;
		}
		if (b < SIG_MIN_BITS)
			continue;
		if (b > best_bits) {
			next = best, next_bits = best_bits;
			best = i, best_bits = b;
		} else if (b > next_bits) {
			next = i, next_bits = b;
		}
	}
	for (int i = 0; i < VTR_SIG_COUNT && best < 0; i++)
		if ((vtr_signatures[i].flags & VTR_SIG_LAST) && (best_bits = vtr_signature_bits(i, p)) > 0)
			best = i;
	if (bits)
		*bits = best_bits;
	if (second)
		*second = best_bits - next_bits < SIG_SIMILAR_BITS ? next : -1;
	return best;
}

int vtr_signature_at_start(const uint8_t *head, size_t len, bool boot)
{
	const struct vtr_probe p = { .head = head, .head_len = len, .size = INT64_MAX }; /* its end is not there */

	for (int i = 0; i < VTR_SIG_COUNT; i++)
		if ((!boot || (vtr_signatures[i].flags & VTR_SIG_BOOT)) && !(vtr_signatures[i].flags & VTR_SIG_LAST) &&
		    vtr_signature_bits(i, &p) > 0)
			return i;
	return -1;
}

int vtr_signature_named(const char *name)
{
	for (int i = 0; i < VTR_SIG_COUNT; i++)
		if (strcmp(vtr_signatures[i].name, name) == 0)
			return i;
	return -1;
}
