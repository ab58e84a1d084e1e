/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is recognised on a block source: members of volumes, filesystems, swap space. Partition tables and containers have
 * lists of their own (partitions/, formats/), since they are asked by sector size, and of host files.
 */
#ifndef VTR_BASE_SIGNATURE_H
#define VTR_BASE_SIGNATURE_H

#include "base/blk.h"

/* The order is that in which members are asked: what wraps comes before what is wrapped. */
/* clang-format off */
#define VTR_SIGNATURES(X) \
	X(LUKS) X(MDRAID) X(LVM2) X(BITLOCKER) X(ZFS) X(BCACHE) X(STRATIS) X(VDO) X(DM_INTEGRITY) X(DM_SNAPSHOT) \
	X(DM_VERITY) X(CEPH) X(UBI) X(VMFS_VOLUME) X(ORACLE_ASM) X(DRBDMANAGE) X(ISW) X(DDF) X(ADAPTEC) X(DRBD) X(PROMISE) X(NVIDIA) X(LSI) \
	X(EXT) X(JBD) X(NTFS) X(EXFAT) X(FAT) X(XFS) X(BTRFS) X(ISO9660) X(SQUASHFS) X(F2FS) X(HFSPLUS) X(APFS) \
	X(REISERFS) X(REISER4) X(JFS) X(EROFS) X(UDF) X(CRAMFS) X(HFS) X(UFS) X(SWAP) X(SWSUSPEND) X(REFS) X(BCACHEFS) \
	X(NILFS2) X(MINIX) X(VMFS) X(OCFS2) X(GFS2) X(VXFS) X(BEFS) X(BFS) X(HPFS) X(ROMFS) X(UBIFS) X(ZONEFS) \
	X(SQUASHFS3)
/* clang-format on */
enum {
#define X(id) VTR_SIG_##id,
	VTR_SIGNATURES(X)
#undef X
		VTR_SIG_COUNT
};

/* It lies in a boot sector, beside code and its signature 0xaa55: where a partition table would be. */
#define VTR_SIG_BOOT 1u
/* Asked where nothing else is found: it lies at the end and leaves alone what is before, or it costs a read of its own. */
#define VTR_SIG_LAST 2u

struct vtr_signature {
	const char *name;  /* "fat": that of a driver, where one reads it */
	const char *type;  /* blkid's name: "vfat" */
	const char *title; /* for people: "FAT" */
	int usage;	   /* enum vtr_usage */
	unsigned flags;	   /* VTR_SIG_… */
	/* The bytes at an offset; or a function, which says how many bits it verified. 0: it is not there. */
	uint64_t at;
	const char *magic;
	size_t len;
	int (*probe)(const struct vtr_probe *p);
};

extern const struct vtr_signature vtr_signatures[VTR_SIG_COUNT];

/* How many bits of a signature the bytes have; 0: it is not there. */
int vtr_signature_bits(int sig, const struct vtr_probe *p);

/*
 * Which signature decides what a source is: that of a member, else the strongest. *second is that of another filesystem that
 * is of similar strength, else -1. *bits and *second are set where they are not NULL. -1: there is none.
 */
int vtr_signature_find(const struct vtr_probe *p, int *bits, int *second);

/*
 * Whether something else starts where a partition table would be, so that the signature of a boot sector is no table's:
 * any signature (boot: of those alone that have a boot sector of their own) in the first bytes. -1: none.
 */
int vtr_signature_at_start(const uint8_t *head, size_t len, bool boot);

/*
 * Where the superblock of a Linux RAID member is: version 1.1 at the start, 1.2 at 4 KiB, 1.0 at least 8 KiB before the end
 * and aligned to 4 KiB, 0.90 (*v09) at least 64 KiB before the end and aligned to that. UINT64_MAX: there is none.
 */
uint64_t vtr_mdraid_find(const struct vtr_probe *p, bool *v09);

/* Where LVM's label is, in one of the first four sectors. SIZE_MAX: there is none. */
size_t vtr_lvm2_label_find(const uint8_t *head, size_t len);

/* By the name of a driver. -1: there is none. */
int vtr_signature_named(const char *name);

#endif
