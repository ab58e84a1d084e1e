/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ext2, ext3 and ext4 through libext2fs: the kernel's Documentation/filesystems/ext4/.
 *
 * libext2fs opens the volume, finds and checks inodes, and walks extent trees and indirect blocks, all over our block
 * source and within its budget; it never sees a superblock that ext_precheck() has not accepted, never loads a bitmap
 * and never writes. Directory blocks, extended attributes and inline data are parsed here: the library gives up at the
 * first wrong byte of a directory, and trusts sizes in attributes.
 *
 * A journal that waits to be replayed is replayed into a view of the volume (fs/jbd2.c), which is then opened instead.
 * Where the primary superblock is broken, the backup in group 1 is used.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>

#include "base/bytes.h"
#include "base/cache.h"
#include "base/checked.h"
#include "base/text.h"
#include "fs/fs.h"
#include "fs/jbd2.h"

#define EXT_SB_OFF 1024u
#define EXT_SB_LEN 1024u
#define EXT_MAX_LOG_BLOCK 6u
#define EXT_LINE_LOG2 15 /* of the metadata cache: 32 KiB */
#define EXT_LINE (1u << EXT_LINE_LOG2)
#define EXT_MAX_XATTR (64u << 10) /* a value in the inode or a block; the kernel's bound */
#define EXT_MAX_EA_INODE (16u << 20)
#define EXT_XATTR_MAGIC 0xea020000u
#define EXT_FAST_SYMLINK 60u
#define EXT_MAX_PROPS 24u

/* Feature bits that matter to a reader, by their names in e2fsprogs. */
static const struct ext_feature {
	char set; /* c compat, i incompat, r ro_compat */
	uint32_t bit;
	const char *name;
	bool read; /* of incompat: it is read, or does not matter */
} ext_features[] = {
	{ 'c', 0x0001, "dir_prealloc", true },	   { 'c', 0x0002, "imagic_inodes", true },
	{ 'c', 0x0004, "has_journal", true },	   { 'c', 0x0008, "ext_attr", true },
	{ 'c', 0x0010, "resize_inode", true },	   { 'c', 0x0020, "dir_index", true },
	{ 'c', 0x0040, "lazy_bg", true },	   { 'c', 0x0200, "sparse_super2", true },
	{ 'c', 0x0400, "fast_commit", true },	   { 'c', 0x0800, "stable_inodes", true },
	{ 'c', 0x1000, "orphan_file", true },	   { 'i', 0x0001, "compression", false },
	{ 'i', 0x0002, "filetype", true },	   { 'i', 0x0004, "needs_recovery", true },
	{ 'i', 0x0008, "journal_dev", false },	   { 'i', 0x0010, "meta_bg", true },
	{ 'i', 0x0040, "extents", true },	   { 'i', 0x0080, "64bit", true },
	{ 'i', 0x0100, "mmp", true },		   { 'i', 0x0200, "flex_bg", true },
	{ 'i', 0x0400, "ea_inode", true },	   { 'i', 0x1000, "dirdata", false },
	{ 'i', 0x2000, "metadata_csum_seed", true }, { 'i', 0x4000, "large_dir", true },
	{ 'i', 0x8000, "inline_data", true },	   { 'i', 0x10000, "encrypt", true },
	{ 'i', 0x20000, "casefold", true },	   { 'r', 0x0001, "sparse_super", true },
	{ 'r', 0x0002, "large_file", true },	   { 'r', 0x0004, "btree_dir", true },
	{ 'r', 0x0008, "huge_file", true },	   { 'r', 0x0010, "uninit_bg", true },
	{ 'r', 0x0020, "dir_nlink", true },	   { 'r', 0x0040, "extra_isize", true },
	{ 'r', 0x0080, "snapshot", true },	   { 'r', 0x0100, "quota", true },
	{ 'r', 0x0200, "bigalloc", true },	   { 'r', 0x0400, "metadata_csum", true },
	{ 'r', 0x0800, "replica", true },	   { 'r', 0x1000, "read-only", true },
	{ 'r', 0x2000, "project", true },	   { 'r', 0x4000, "shared_blocks", true },
	{ 'r', 0x8000, "verity", true },	   { 'r', 0x10000, "orphan_present", true },
};

/* The superblock's fields that we use ourselves, after checking. */
struct ext_super {
	uint64_t inodes, blocks, free_blocks, free_inodes, reserved_blocks;
	uint32_t first_block, block_log2, cluster_log2, overhead; /* the last in clusters; 0: not recorded */
	uint32_t blocks_per_group, clusters_per_group, inodes_per_group;
	uint32_t inode_len, desc_len;
	uint32_t rev, state, creator;
	uint32_t compat, incompat, ro_compat;
	uint32_t journal_ino, last_orphan, error_count;
	uint8_t journal_uuid[16];
	uint32_t mkfs_time, mount_time, write_time;
	uint32_t mounts;
	uint32_t group; /* that this copy lies in, by s_block_group_nr; revision 0 has none */
	uint8_t uuid[16];
	char label[17], last_mounted[65];
};

struct ext_extent {
	uint32_t lblk, len; /* blocks */
	uint64_t pblk;
	bool unwritten;
};

/* An inode in memory, and where its blocks are once somebody asked. */
struct ext_node {
	uint64_t ino; /* 0: none */
	bool damaged;
	struct ext2_inode_large *inode; /* inode_len bytes */
	bool mapped;
	struct ext_extent *map;
	size_t n, cap;
};

struct ext {
	struct vtr_fs fs;
	ext2_filsys e2;
	struct struct_io_manager manager;
	struct ext_super sb;
	uint32_t block; /* bytes */
	struct vtr_cache *cache;
	struct vtr_error io_error; /* of the last failed read that libext2fs asked for */
	struct ext_node cur;
	uint64_t charged; /* bytes of metadata that libext2fs holds */
	bool before;	  /* opened for its journal alone: what is wrong before replay may be right after it */
	struct vtr_fs_info info;
	struct vtr_prop props[EXT_MAX_PROPS];
	char uuid[37], label[17];
	char features[1024], last_mounted[400], state[64];
	char mkfs_time[48], mount_time[48], write_time[48];
};

static struct ext *to_ext(struct vtr_fs *fs)
{
	return (struct ext *)fs;
}

/* ------------------------------------------------------------------------------------------------------ superblock */

/*
 * Superblock, little endian, at byte 1024 of the volume (the fields that are used).
 *   0x00 4 s_inodes_count	 0x3a 2 s_state			 0x7d.. 16 s_volume_name (0x78)
 *   0x04 4 s_blocks_count_lo	 0x48 4 s_creator_os		 0x88 64 s_last_mounted
 *   0x08 4 s_r_blocks_count_lo	 0x154 4 s_r_blocks_count_hi	 0x248 4 s_overhead_clusters
 *   0x0c 4 s_free_blocks_lo	 0x4c 4 s_rev_level		 0xe8 4 s_last_orphan
 *   0x10 4 s_free_inodes	 0x58 2 s_inode_size		 0xfe 2 s_desc_size
 *   0x14 4 s_first_data_block	 0x5c 4 s_feature_compat	0x108 4 s_mkfs_time
 *   0x18 4 s_log_block_size	 0x60 4 s_feature_incompat	0x150 4 s_blocks_count_hi
 *   0x1c 4 s_log_cluster_size	 0x64 4 s_feature_ro_compat	0x158 4 s_free_blocks_hi
 *   0x20 4 s_blocks_per_group	 0x68 16 s_uuid			0x194 4 s_error_count
 *   0x24 4 s_clusters_per_group 0x2c 4 s_mtime, 0x30 4 s_wtime, 0x34 2 s_mnt_count
 *   0x28 4 s_inodes_per_group	 0x38 2 s_magic 0xef53		0x5a 2 s_block_group_nr
 */
static bool ext_parse_super(struct ext_super *out, struct vtr_cur c)
{
	struct ext_super s = { 0 };
	const uint8_t *b = c.base;

	if (vtr_cur_len(&c) < EXT_SB_LEN || vtr_get_le16(b + 0x38) != EXT2_SUPER_MAGIC)
		return false;
	s.inodes = vtr_get_le32(b);
	s.blocks = vtr_get_le32(b + 0x04);
	s.reserved_blocks = vtr_get_le32(b + 0x08);
	s.free_blocks = vtr_get_le32(b + 0x0c);
	s.free_inodes = vtr_get_le32(b + 0x10);
	s.first_block = vtr_get_le32(b + 0x14);
	s.block_log2 = vtr_get_le32(b + 0x18);
	s.cluster_log2 = vtr_get_le32(b + 0x1c);
	s.blocks_per_group = vtr_get_le32(b + 0x20);
	s.clusters_per_group = vtr_get_le32(b + 0x24);
	s.inodes_per_group = vtr_get_le32(b + 0x28);
	s.mount_time = vtr_get_le32(b + 0x2c);
	s.write_time = vtr_get_le32(b + 0x30);
	s.mounts = vtr_get_le16(b + 0x34);
	s.state = vtr_get_le16(b + 0x3a);
	s.creator = vtr_get_le32(b + 0x48);
	s.rev = vtr_get_le32(b + 0x4c);
	s.inode_len = 128;
	s.desc_len = 32;
	memcpy(s.uuid, b + 0x68, 16);
	memcpy(s.label, b + 0x78, 16);
	memcpy(s.last_mounted, b + 0x88, 64);
	memcpy(s.journal_uuid, b + 0xd0, 16);
	s.journal_ino = vtr_get_le32(b + 0xe0);
	s.last_orphan = vtr_get_le32(b + 0xe8);
	s.mkfs_time = vtr_get_le32(b + 0x108);
	s.error_count = vtr_get_le32(b + 0x194);
	s.overhead = vtr_get_le32(b + 0x248);
	if (s.rev > 0) {
		s.inode_len = vtr_get_le16(b + 0x58);
		s.group = vtr_get_le16(b + 0x5a);
		s.compat = vtr_get_le32(b + 0x5c);
		s.incompat = vtr_get_le32(b + 0x60);
		s.ro_compat = vtr_get_le32(b + 0x64);
	}
	if (s.incompat & EXT4_FEATURE_INCOMPAT_64BIT) {
		s.desc_len = vtr_get_le16(b + 0xfe);
		s.blocks |= (uint64_t)vtr_get_le32(b + 0x150) << 32;
		s.reserved_blocks |= (uint64_t)vtr_get_le32(b + 0x154) << 32;
		s.free_blocks |= (uint64_t)vtr_get_le32(b + 0x158) << 32;
	}
	*out = s;
	return true;
}

static const char *ext_type(const struct ext_super *s)
{
	const uint32_t ext3_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_RECOVER |
				       EXT2_FEATURE_INCOMPAT_META_BG;
	const uint32_t ext3_ro = EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE | 0x4;

	if ((s->incompat & ~ext3_incompat) || (s->ro_compat & ~ext3_ro))
		return s->incompat & EXT3_FEATURE_INCOMPAT_JOURNAL_DEV ? "jbd" : "ext4";
	return s->compat & EXT3_FEATURE_COMPAT_HAS_JOURNAL ? "ext3" : "ext2";
}

/* Refuse features that cannot be read, by name. */
static int ext_check_features(const struct ext_super *s, struct vtr_error *err)
{
	uint32_t left = s->incompat;

	for (size_t i = 0; i < VTR_COUNT(ext_features); i++) {
		if (ext_features[i].set != 'i' || !(left & ext_features[i].bit))
			continue;
		if (!ext_features[i].read)
			return vtr_fail(err, VTR_EUNSUPPORTED, "superblock: feature %s is not read", ext_features[i].name);
		left &= ~ext_features[i].bit;
	}
	if (left)
		return vtr_fail(err, VTR_EUNSUPPORTED, "superblock: incompatible feature %#" PRIx32 " is unknown", left & -left);
	if (s->rev > 1)
		return vtr_fail(err, VTR_EUNSUPPORTED, "superblock: revision %" PRIu32 ", read are 0 and 1", s->rev);
	return 0;
}

/*
 * Everything that libext2fs trusts. s_first_data_block above all: versions 1.47.0 to 1.47.4 take it as it is.
 */
static int ext_precheck(const struct ext_super *s, const struct vtr_blk *blk, struct vtr_error *err)
{
	uint32_t block, first;
	uint64_t groups, desc, room;
	bool bigalloc = s->ro_compat & EXT4_FEATURE_RO_COMPAT_BIGALLOC;

#define EXT_BAD(fmt, ...) vtr_fail(err, VTR_ECORRUPT, "superblock: " fmt, __VA_ARGS__)
	if (s->block_log2 > EXT_MAX_LOG_BLOCK)
		return EXT_BAD("s_log_block_size %" PRIu32 ", expected at most %u", s->block_log2, EXT_MAX_LOG_BLOCK);
	block = 1024u << s->block_log2;
	if (bigalloc ? s->cluster_log2 < s->block_log2 || s->cluster_log2 > 19 : s->cluster_log2 != s->block_log2)
		return EXT_BAD("s_log_cluster_size %" PRIu32 " with s_log_block_size %" PRIu32, s->cluster_log2, s->block_log2);
	first = s->cluster_log2 == 0 ? 1 : 0;
	if (s->first_block != first)
		return EXT_BAD("s_first_data_block %" PRIu32 ", expected %" PRIu32, s->first_block, first);
	if (s->clusters_per_group == 0 || s->clusters_per_group > 8 * block || s->clusters_per_group % 8 != 0 ||
	    (uint64_t)s->clusters_per_group << (s->cluster_log2 - s->block_log2) != s->blocks_per_group)
		return EXT_BAD("s_blocks_per_group %" PRIu32 ", s_clusters_per_group %" PRIu32 " in blocks of %" PRIu32,
			       s->blocks_per_group, s->clusters_per_group, block);
	if (s->inode_len < 128 || s->inode_len > block || !vtr_pow2_is(s->inode_len))
		return EXT_BAD("s_inode_size %" PRIu32 ", expected a power of two from 128 to %" PRIu32, s->inode_len, block);
	if (s->inodes_per_group == 0 || s->inodes_per_group > 8 * block)
		return EXT_BAD("s_inodes_per_group %" PRIu32 ", expected 1 to %" PRIu32, s->inodes_per_group, 8 * block);
	if ((s->incompat & EXT4_FEATURE_INCOMPAT_64BIT) && (s->desc_len < 64 || s->desc_len > 1024 || !vtr_pow2_is(s->desc_len)))
		return EXT_BAD("s_desc_size %" PRIu32 ", expected a power of two from 64 to 1024", s->desc_len);
	if (s->blocks <= first || s->blocks > (1ull << 48))
		return EXT_BAD("s_blocks_count %" PRIu64, s->blocks);
	groups = vtr_div_up(s->blocks - first, s->blocks_per_group);
	if (groups > UINT32_MAX || groups * s->inodes_per_group != s->inodes)
		return EXT_BAD("s_inodes_count %" PRIu64 ", expected %" PRIu64 " groups of %" PRIu32, s->inodes, groups,
			       s->inodes_per_group);
#undef EXT_BAD
	desc = groups * s->desc_len; /* what it costs is charged in ext_open() */
	room = blk->size / block;
	if (!(s->incompat & EXT2_FEATURE_INCOMPAT_META_BG) && vtr_div_up(desc, block) + first + 1 > room)
		return vtr_fail(err, VTR_ETRUNCATED, "%" PRIu64 " groups: their descriptors end past the end of the volume (%#" PRIx64 ")",
				groups, blk->size);
	return 0;
}

static int ext_probe(const struct vtr_probe *p)
{
	struct ext_super s;

	if (p->head_len < EXT_SB_OFF + EXT_SB_LEN ||
	    !ext_parse_super(&s, vtr_cur_of(p->head + EXT_SB_OFF, EXT_SB_LEN, EXT_SB_OFF)))
		return 0;
	/* A magic of 16 bits, and fields that are small in every sane volume. */
	if (s.block_log2 > EXT_MAX_LOG_BLOCK || s.rev > 1 || s.blocks == 0 || s.inodes == 0)
		return s.rev > 255 ? 0 : 16;
	return 64;
}

static void ext_identify(struct vtr_fs_identity *out, const struct vtr_probe *p)
{
	struct ext_super s;

	if (!ext_parse_super(&s, vtr_cur_of(p->head + EXT_SB_OFF, EXT_SB_LEN, EXT_SB_OFF)))
		return;
	out->type = ext_type(&s);
	memcpy(out->label, s.label, sizeof(s.label));
	vtr_uuid_text(out->uuid, s.uuid);
	if (s.block_log2 <= EXT_MAX_LOG_BLOCK && s.blocks <= 1ull << 46)
		out->size = s.blocks << (10 + s.block_log2);
}

/* ------------------------------------------------------------------------------------------- libext2fs's I/O channel */

static int ext_line_fill(void *arg, uint64_t key, uint8_t *block, size_t len, struct vtr_error *err)
{
	struct ext *x = arg;
	uint64_t off = key << EXT_LINE_LOG2;
	size_t have = (size_t)VTR_MIN((uint64_t)len, x->fs.blk->size - off);

	memset(block + have, 0, len - have);
	return vtr_blk_pread(x->fs.blk, off, block, have, err);
}

/* Read metadata through the cache. */
static int ext_meta(struct ext *x, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	uint8_t *p = buf;

	if (!vtr_range_in(off, len, x->fs.blk->size))
		return vtr_fail(err, VTR_ETRUNCATED, "%zu bytes at %#" PRIx64 ": the volume ends at %#" PRIx64, len, off,
				x->fs.blk->size);
	while (len > 0) {
		size_t at = (size_t)(off & (EXT_LINE - 1)), n = VTR_MIN(len, EXT_LINE - at);

		if (vtr_tick(x->fs.ctx, &x->fs.steps, 1, err) < 0 ||
		    vtr_cache_read(x->cache, off >> EXT_LINE_LOG2, at, p, n, err) < 0)
			return -1;
		off += n;
		p += n;
		len -= n;
	}
	return 0;
}

static errcode_t ext_io_read64(io_channel ch, unsigned long long block, int count, void *data)
{
	struct ext *x = ch->private_data;
	uint64_t off, len = count < 0 ? (uint64_t) - (int64_t)count : (uint64_t)count * (unsigned)ch->block_size;

	if (vtr_mul_over((uint64_t)block, (uint64_t)(unsigned)ch->block_size, &off) ||
	    !vtr_range_in(off, len, x->sb.blocks * x->block)) {
		vtr_error_set(&x->io_error, VTR_ECORRUPT, "block %llu is outside of the volume (%" PRIu64 " blocks)", block, x->sb.blocks);
		return EXT2_ET_BAD_BLOCK_NUM;
	}
	return ext_meta(x, off, data, (size_t)len, &x->io_error) < 0 ? EXT2_ET_SHORT_READ : 0;
}

static errcode_t ext_io_read(io_channel ch, unsigned long block, int count, void *data)
{
	return ext_io_read64(ch, block, count, data);
}

static errcode_t ext_io_close(io_channel ch)
{
	free(ch->name);
	free(ch);
	return 0;
}

static errcode_t ext_io_blksize(io_channel ch, int size)
{
	ch->block_size = size;
	return 0;
}

/* Nothing may write; libext2fs calls the 32-bit one without asking whether it is there. */
static errcode_t ext_io_write(io_channel ch, unsigned long block, int count, const void *data)
{
	(void)ch, (void)block, (void)count, (void)data;
	return EXT2_ET_RO_FILSYS;
}

static errcode_t ext_io_flush(io_channel ch)
{
	(void)ch;
	return 0;
}

/* The library passes on the name it was given, and nothing else: it is our address in text. */
static errcode_t ext_io_open(const char *name, int flags, io_channel *out)
{
	io_channel ch = calloc(1, sizeof(*ch));
	char *copy = strdup(name);
	void *p = NULL;

	(void)flags;
	if (!ch || !copy || sscanf(name, "%p", &p) != 1) {
		free(ch);
		free(copy);
		return EXT2_ET_NO_MEMORY;
	}
	ch->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	ch->name = copy;
	ch->block_size = 1024;
	ch->refcount = 1;
	ch->private_data = p;
	ch->manager = &((struct ext *)p)->manager;
	*out = ch;
	return 0;
}

static const struct struct_io_manager ext_manager = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "vitrine",
	.open = ext_io_open,
	.close = ext_io_close,
	.set_blksize = ext_io_blksize,
	.read_blk = ext_io_read,
	.write_blk = ext_io_write,
	.flush = ext_io_flush,
	.read_blk64 = ext_io_read64,
};

/* What libext2fs says, in our words. The library's own texts live in a table that is not safe between threads. */
static int ext_fail(struct ext *x, errcode_t code, struct vtr_error *err)
{
	static const struct {
		errcode_t code;
		int ours;
		const char *text;
	} texts[] = {
		{ EXT2_ET_SB_CSUM_INVALID, VTR_ECORRUPT, "the superblock's checksum is wrong" },
		{ EXT2_ET_INODE_CSUM_INVALID, VTR_ECORRUPT, "the inode's checksum is wrong" },
		{ EXT2_ET_EXTENT_CSUM_INVALID, VTR_ECORRUPT, "the checksum of an extent block is wrong" },
		{ EXT2_ET_EXTENT_HEADER_BAD, VTR_ECORRUPT, "the header of an extent block is wrong" },
		{ EXT2_ET_EXTENT_INVALID_LENGTH, VTR_ECORRUPT, "an extent has a wrong length" },
		{ EXT2_ET_EXTENT_NO_NEXT, VTR_ECORRUPT, "the extent tree ends early" },
		{ EXT2_ET_BAD_INODE_NUM, VTR_ECORRUPT, "there is no such inode" },
		{ EXT2_ET_BAD_BLOCK_NUM, VTR_ECORRUPT, "a block number is outside of the volume" },
		{ EXT2_ET_MISSING_INODE_TABLE, VTR_ECORRUPT, "its group has no inode table" },
		{ EXT2_ET_GDESC_BAD_INODE_TABLE, VTR_ECORRUPT, "its group's inode table is in a wrong place" },
		{ EXT2_ET_BAD_IND_BLOCK, VTR_ECORRUPT, "an indirect block is wrong" },
		{ EXT2_ET_BAD_DIND_BLOCK, VTR_ECORRUPT, "a double indirect block is wrong" },
		{ EXT2_ET_BAD_TIND_BLOCK, VTR_ECORRUPT, "a triple indirect block is wrong" },
		{ EXT2_ET_CORRUPT_SUPERBLOCK, VTR_ECORRUPT, "the superblock is not sound" },
		{ EXT2_ET_UNKNOWN_CSUM, VTR_EUNSUPPORTED, "the type of the superblock's checksum is unknown" },
		{ EXT2_ET_UNSUPP_FEATURE, VTR_EUNSUPPORTED, "libext2fs does not know one of its features" },
		{ EXT2_ET_NO_MEMORY, VTR_ENOMEM, "out of memory" },
	};

	if (x->io_error.code) {
		if (err)
			*err = x->io_error;
		x->io_error.code = 0;
		return -1;
	}
	for (size_t i = 0; i < VTR_COUNT(texts); i++)
		if (texts[i].code == code)
			return vtr_fail(err, texts[i].ours, "%s", texts[i].text);
	return vtr_fail(err, VTR_ECORRUPT, "libext2fs refuses it (error %ld)", (long)code);
}

/* ---------------------------------------------------------------------------------------------------------- inodes */

static void ext_node_done(struct ext_node *n)
{
	free(n->inode);
	free(n->map);
	*n = (struct ext_node){ 0 };
}

/* Read an inode. A wrong checksum is warned of: what is there is delivered all the same. */
static int ext_node_load(struct ext *x, struct ext_node *n, uint64_t ino, struct vtr_error *err)
{
	errcode_t r;

	if (n->ino == ino && ino != 0)
		return 0;
	n->ino = 0;
	n->mapped = false;
	n->damaged = false;
	n->n = 0;
	if (ino == 0 || ino > x->sb.inodes)
		return vtr_fail(err, VTR_ENOTFOUND, "there is no inode %" PRIu64 ", the last is %" PRIu64, ino, x->sb.inodes);
	if (!n->inode && !(n->inode = vtr_calloc(1, VTR_MAX(x->sb.inode_len, (uint32_t)sizeof(*n->inode)), err)))
		return -1;
	x->io_error.code = 0;
	r = ext2fs_read_inode2(x->e2, (ext2_ino_t)ino, (struct ext2_inode *)n->inode, (int)x->sb.inode_len, 0);
	if (r == EXT2_ET_INODE_CSUM_INVALID) {
		n->damaged = true;
		vtr_warn(x->fs.ctx, VTR_ECORRUPT, "%s: inode %" PRIu64 ": its checksum is wrong", x->info.type, ino);
		r = ext2fs_read_inode2(x->e2, (ext2_ino_t)ino, (struct ext2_inode *)n->inode, (int)x->sb.inode_len,
				       READ_INODE_NOCSUM);
	}
	if (r) {
		ext_fail(x, r, err);
		return vtr_at(err, "inode %" PRIu64, ino);
	}
	n->ino = ino;
	return 0;
}

static uint64_t ext_inode_size(const struct ext2_inode_large *i)
{
	return EXT2_I_SIZE(i);
}

/* Whether a field of the large inode is there. */
#define EXT_HAS(x, i, field)                                                                                           \
	((x)->sb.inode_len > 128 && offsetof(struct ext2_inode_large, field) + sizeof((i)->field) <=                     \
					    128u + (i)->i_extra_isize &&                                                   \
	 128u + (i)->i_extra_isize <= (x)->sb.inode_len)

/* 32 bits of signed seconds; the extra field has two bits of epoch below 30 of nanoseconds. */
static struct vtr_time ext_time(uint32_t sec, bool has_extra, uint32_t extra)
{
	struct vtr_time t = { .sec = (int32_t)sec, .set = true };

	if (has_extra) {
		t.sec += (int64_t)(extra & 3) << 32;
		t.nsec = extra >> 2;
		if (t.nsec > 999999999)
			t.nsec = 0;
	}
	return t;
}

static int ext_mode_type(uint32_t mode)
{
	switch (mode & 0xf000) {
	case 0x1000: return VTR_TYPE_FIFO;
	case 0x2000: return VTR_TYPE_CHAR;
	case 0x4000: return VTR_TYPE_DIR;
	case 0x6000: return VTR_TYPE_BLOCK;
	case 0x8000: return VTR_TYPE_FILE;
	case 0xa000: return VTR_TYPE_SYMLINK;
	case 0xc000: return VTR_TYPE_SOCKET;
	default: return VTR_TYPE_UNKNOWN;
	}
}

static uint32_t ext_flags(uint32_t f, bool damaged)
{
	static const struct {
		uint32_t theirs, ours;
	} map[] = {
		{ EXT4_ENCRYPT_FL, VTR_STAT_ENCRYPTED }, { EXT4_CASEFOLD_FL, VTR_STAT_CASEFOLD },
		{ EXT2_COMPR_FL, VTR_STAT_COMPRESSED },	 { EXT2_IMMUTABLE_FL, VTR_STAT_IMMUTABLE },
		{ EXT2_APPEND_FL, VTR_STAT_APPEND },	 { EXT4_INLINE_DATA_FL, VTR_STAT_INLINE },
		{ EXT4_VERITY_FL, VTR_STAT_VERITY },	 { EXT2_NODUMP_FL, VTR_STAT_NODUMP },
	};
	uint32_t out = damaged ? VTR_STAT_DAMAGED : 0;

	for (size_t i = 0; i < VTR_COUNT(map); i++)
		if (f & map[i].theirs)
			out |= map[i].ours;
	return out;
}

static int ext_stat(struct vtr_stat *out, struct vtr_fs *fs, uint64_t node, struct vtr_error *err)
{
	struct ext *x = to_ext(fs);
	const struct ext2_inode_large *i;

	if (ext_node_load(x, &x->cur, node, err) < 0)
		return -1;
	i = x->cur.inode;
	out->type = ext_mode_type(i->i_mode);
	if (i->i_mode == 0 && i->i_links_count == 0)
		return vtr_fail(err, VTR_ENOTFOUND, "inode %" PRIu64 " is not in use", node);
	out->mode = i->i_mode & 07777;
	out->uid = i->i_uid | (uint32_t)i->osd2.linux2.l_i_uid_high << 16;
	out->gid = i->i_gid | (uint32_t)i->osd2.linux2.l_i_gid_high << 16;
	out->nlink = i->i_links_count;
	out->generation = i->i_generation;
	out->flags = ext_flags(i->i_flags, x->cur.damaged);
	out->allocated = i->i_blocks;
	if (x->sb.ro_compat & EXT4_FEATURE_RO_COMPAT_HUGE_FILE)
		out->allocated |= (uint64_t)i->osd2.linux2.l_i_blocks_hi << 32;
	out->allocated *= i->i_flags & EXT4_HUGE_FILE_FL ? x->block : 512;
	if (out->type == VTR_TYPE_CHAR || out->type == VTR_TYPE_BLOCK) {
		uint32_t v = i->i_block[0] ? i->i_block[0] : i->i_block[1];

		out->rdev_major = i->i_block[0] ? v >> 8 & 0xff : v >> 8 & 0xfff;
		out->rdev_minor = i->i_block[0] ? v & 0xff : (v & 0xff) | (v >> 12 & 0xfff00);
	} else if (out->type == VTR_TYPE_FILE || out->type == VTR_TYPE_DIR || out->type == VTR_TYPE_SYMLINK) {
		out->size = ext_inode_size(i);
	}
	out->mtime = ext_time(i->i_mtime, EXT_HAS(x, i, i_mtime_extra), i->i_mtime_extra);
	out->atime = ext_time(i->i_atime, EXT_HAS(x, i, i_atime_extra), i->i_atime_extra);
	out->ctime = ext_time(i->i_ctime, EXT_HAS(x, i, i_ctime_extra), i->i_ctime_extra);
	if (EXT_HAS(x, i, i_crtime))
		out->btime = ext_time(i->i_crtime, EXT_HAS(x, i, i_crtime_extra), i->i_crtime_extra);
	if (out->type == VTR_TYPE_UNKNOWN)
		return vtr_fail(err, VTR_ECORRUPT, "inode %" PRIu64 ": mode %#o is of no type", node, i->i_mode);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------ block maps */

/* Append a run; runs must go forward, or a tree of few blocks could describe any number of them. */
static int ext_map_add(struct ext *x, struct ext_node *n, uint64_t lblk, uint64_t pblk, uint64_t len, bool unwritten,
		       struct vtr_error *err)
{
	struct ext_extent *last = n->n ? &n->map[n->n - 1] : NULL;

	if (last && lblk < (uint64_t)last->lblk + last->len)
		return vtr_fail(err, VTR_ECORRUPT, "its extents overlap or go back: block %" PRIu64 " after %" PRIu64, lblk,
				(uint64_t)last->lblk + last->len - 1);
	if (lblk > UINT32_MAX || len > UINT32_MAX - lblk + 1)
		return vtr_fail(err, VTR_ECORRUPT, "an extent of %" PRIu64 " blocks at block %" PRIu64, len, lblk);
	if (last && !unwritten && !last->unwritten && lblk == (uint64_t)last->lblk + last->len && pblk == last->pblk + last->len &&
	    last->len + len <= UINT32_MAX) {
		last->len += (uint32_t)len;
		return 0;
	}
	if (vtr_tick(x->fs.ctx, &x->fs.steps, 1, err) < 0 ||
	    VTR_OVER(x->fs.ctx, alloc, (n->n + 1) * sizeof(*n->map), "extents of one file", err) < 0 ||
	    !VTR_GROW(n->map, n->n, n->cap, err))
		return -1;
	n->map[n->n++] = (struct ext_extent){ (uint32_t)lblk, (uint32_t)len, pblk, unwritten };
	return 0;
}

/* The extents in the inode and the tree below it. */
static int ext_map_extents(struct ext *x, struct ext_node *n, struct vtr_error *err)
{
	struct ext2fs_extent e;
	ext2_extent_handle_t h;
	errcode_t r = ext2fs_extent_open2(x->e2, (ext2_ino_t)n->ino, (struct ext2_inode *)n->inode, &h);
	int op = EXT2_EXTENT_ROOT, result = 0;

	if (r)
		return ext_fail(x, r, err);
	while (result == 0 && !(r = ext2fs_extent_get(h, op, &e))) {
		op = EXT2_EXTENT_NEXT;
		if (vtr_tick(x->fs.ctx, &x->fs.steps, 1, err) < 0) {
			result = -1;
		} else if (e.e_flags & EXT2_EXTENT_FLAGS_LEAF) {
			if (e.e_len > 0)
				result = ext_map_add(x, n, e.e_lblk, e.e_pblk, e.e_len, e.e_flags & EXT2_EXTENT_FLAGS_UNINIT, err);
		}
	}
	ext2fs_extent_free(h);
	if (result == 0 && r != EXT2_ET_EXTENT_NO_NEXT && r != EXT2_ET_NO_CURRENT_NODE)
		return ext_fail(x, r, err);
	return result;
}

struct ext_blocks {
	struct ext *x;
	struct ext_node *n;
	uint64_t end; /* blocks of the file */
	int result;
	struct vtr_error *err;
};

static int ext_block_cb(ext2_filsys e2, blk64_t *block, e2_blkcnt_t lblk, blk64_t ref, int ref_off, void *arg)
{
	struct ext_blocks *b = arg;

	(void)e2, (void)ref, (void)ref_off;
	if (lblk < 0)
		return 0;
	if ((uint64_t)lblk >= b->end)
		return BLOCK_ABORT;
	b->result = ext_map_add(b->x, b->n, (uint64_t)lblk, *block, 1, false, b->err);
	return b->result < 0 ? BLOCK_ABORT : 0;
}

/* Direct, indirect, double and triple indirect blocks. */
static int ext_map_blocks(struct ext *x, struct ext_node *n, struct vtr_error *err)
{
	struct ext_blocks b = {
		.x = x,
		.n = n,
		.end = vtr_div_up(ext_inode_size(n->inode), x->block),
		.err = err,
	};
	errcode_t r = ext2fs_block_iterate3(x->e2, (ext2_ino_t)n->ino, BLOCK_FLAG_READ_ONLY | BLOCK_FLAG_DATA_ONLY, NULL,
					    ext_block_cb, &b);

	if (b.result < 0)
		return -1;
	return r ? ext_fail(x, r, err) : 0;
}

/* Where the blocks of a node are, once. On damage what was found before it stays usable, with a warning. */
static int ext_node_map(struct ext *x, struct ext_node *n, struct vtr_error *err)
{
	struct vtr_error local = { 0 };
	int r;

	if (n->mapped)
		return 0;
	n->n = 0;
	x->io_error.code = 0;
	if (n->inode->i_flags & EXT4_EXTENTS_FL)
		r = ext_map_extents(x, n, &local);
	else
		r = ext_map_blocks(x, n, &local);
	if (r < 0) {
		vtr_error_at(&local, "inode %" PRIu64, n->ino);
		/* A directory's other blocks are worth reading; a file with a hole where data was is not the file. */
		if (ext_mode_type(n->inode->i_mode) != VTR_TYPE_DIR || n->n == 0 ||
		    (local.code != VTR_ECORRUPT && local.code != VTR_ETRUNCATED)) {
			if (err)
				*err = local;
			return -1;
		}
		vtr_error_at(&local, "%s", x->info.type);
		vtr_warn_err(x->fs.ctx, &local);
	}
	n->mapped = true;
	return 0;
}

/* The first run that ends after lblk; n->n when there is none. */
static size_t ext_map_find(const struct ext_node *n, uint64_t lblk)
{
	size_t lo = 0, hi = n->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if ((uint64_t)n->map[mid].lblk + n->map[mid].len <= lblk)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Read mapped bytes; holes and unwritten extents are zeros. */
static int ext_read_mapped(struct ext *x, const struct ext_node *n, uint64_t off, uint8_t *buf, size_t len, bool meta,
			   struct vtr_error *err)
{
	size_t i = ext_map_find(n, off / x->block);

	while (len > 0) {
		uint64_t start = i < n->n ? (uint64_t)n->map[i].lblk * x->block : UINT64_MAX, end, from, phys;
		size_t part;

		if (off < start) {
			part = (size_t)VTR_MIN((uint64_t)len, start - off);
			memset(buf, 0, part);
		} else {
			end = start + (uint64_t)n->map[i].len * x->block;
			part = (size_t)VTR_MIN((uint64_t)len, end - off);
			from = off - start;
			if (n->map[i].unwritten) {
				memset(buf, 0, part);
			} else if (!vtr_range_in(n->map[i].pblk, n->map[i].len, x->sb.blocks) ||
				   vtr_mul_over(n->map[i].pblk, (uint64_t)x->block, &phys)) {
				return vtr_fail(err, VTR_ECORRUPT,
						"inode %" PRIu64 ": %" PRIu32 " blocks at %" PRIu64 " leave the volume (%" PRIu64 " blocks)",
						n->ino, n->map[i].len, n->map[i].pblk, x->sb.blocks);
			} else if ((meta ? ext_meta(x, phys + from, buf, part, err)
					 : vtr_blk_pread(x->fs.blk, phys + from, buf, part, err)) < 0) {
				return vtr_at(err, "inode %" PRIu64 " at %#" PRIx64, n->ino, off);
			}
			i++;
		}
		buf += part;
		off += part;
		len -= part;
	}
	return 0;
}

/* ------------------------------------------------------------------------------------------------ attributes, inline */

struct ext_xattr {
	uint8_t index;
	const char *name;
	size_t name_len;
	uint32_t value_ino;
	const uint8_t *value; /* NULL with value_ino */
	size_t len;
};

typedef int ext_xattr_fn(struct ext *x, const struct ext_xattr *a, void *arg, struct vtr_error *err);

/*
 * A list of attributes: entries of 16 bytes and a name each, padded to 4, that end with four zero bytes. Values lie at
 * an offset from values. fn returns nonzero to stop.
 *   0  1  e_name_len	 4  4  e_value_inum
 *   1  1  e_name_index	 8  4  e_value_size
 *   2  2  e_value_offs	12  4  e_hash
 */
static int ext_xattr_list(struct ext *x, struct vtr_cur c, const uint8_t *values, ext_xattr_fn *fn, void *arg,
			  struct vtr_error *err)
{
	size_t values_len = (size_t)(c.end - values);

	while (vtr_cur_left(&c) >= 4 && vtr_get_le32(c.p) != 0) {
		struct ext_xattr a = { 0 };
		uint32_t off;
		int r;

		a.name_len = vtr_cur_u8(&c);
		a.index = vtr_cur_u8(&c);
		off = vtr_cur_le16(&c);
		a.value_ino = vtr_cur_le32(&c);
		a.len = vtr_cur_le32(&c);
		vtr_cur_skip(&c, 4);
		a.name = (const char *)vtr_cur_take(&c, a.name_len);
		if (c.bad)
			return vtr_fail(err, VTR_ECORRUPT, "an attribute's name leaves its block");
		vtr_cur_skip(&c, VTR_MIN((4 - a.name_len % 4) % 4, vtr_cur_left(&c)));
		if (memchr(a.name, 0, a.name_len))
			return vtr_fail(err, VTR_ECORRUPT, "an attribute's name holds a NUL");
		if (a.value_ino == 0) {
			if (a.len > EXT_MAX_XATTR || !vtr_range_in(off, a.len, values_len))
				return vtr_fail(err, VTR_ECORRUPT, "attribute \"%.*s\": %zu bytes at %" PRIu32 " leave its block",
						(int)a.name_len, a.name, a.len, off);
			a.value = values + off;
		}
		r = fn(x, &a, arg, err);
		if (r != 0)
			return r;
	}
	return 0;
}

/* The attributes after the inode's fixed part. */
static int ext_xattr_inode(struct ext *x, const struct ext_node *n, ext_xattr_fn *fn, void *arg, struct vtr_error *err)
{
	struct vtr_cur c;
	size_t at = 128u + n->inode->i_extra_isize;

	if (x->sb.inode_len <= 128)
		return 0;
	if (n->inode->i_extra_isize % 4 != 0 || at > x->sb.inode_len)
		return vtr_fail(err, VTR_ECORRUPT, "i_extra_isize %u in an inode of %" PRIu32 " bytes", n->inode->i_extra_isize,
				x->sb.inode_len);
	c = vtr_cur_of(n->inode, x->sb.inode_len, 0);
	vtr_cur_seek(&c, at);
	if (vtr_cur_left(&c) < 8 || vtr_cur_le32(&c) != EXT_XATTR_MAGIC)
		return 0;
	return ext_xattr_list(x, c, c.p, fn, arg, err);
}

/*
 * The attribute block that i_file_acl names.
 *   0  4  h_magic	 8  4  h_blocks (1)	16  4  h_checksum
 *   4  4  h_refcount	12  4  h_hash		32     entries
 */
static int ext_xattr_block(struct ext *x, const struct ext_node *n, ext_xattr_fn *fn, void *arg, struct vtr_error *err)
{
	uint64_t block = n->inode->i_file_acl;
	VTR_FREE uint8_t *b = NULL;
	struct vtr_cur c;

	if (x->sb.incompat & EXT4_FEATURE_INCOMPAT_64BIT)
		block |= (uint64_t)n->inode->osd2.linux2.l_i_file_acl_high << 32;
	if (block == 0)
		return 0;
	if (block >= x->sb.blocks)
		return vtr_fail(err, VTR_ECORRUPT, "attribute block %" PRIu64 " is outside of the volume (%" PRIu64 " blocks)", block,
				x->sb.blocks);
	if (!(b = vtr_calloc(1, x->block, err)) || ext_meta(x, block * x->block, b, x->block, err) < 0)
		return -1;
	c = vtr_cur_of(b, x->block, block * x->block);
	if (vtr_cur_le32(&c) != EXT_XATTR_MAGIC)
		return vtr_fail(err, VTR_ECORRUPT, "attribute block %" PRIu64 ": magic %#" PRIx32 ", expected %#x", block,
				vtr_get_le32(b), EXT_XATTR_MAGIC);
	if (!vtr_sum_ok(1, (uint64_t)ext2fs_ext_attr_block_csum_verify(x->e2, (ext2_ino_t)n->ino, block, (void *)b)))
		vtr_warn(x->fs.ctx, VTR_ECORRUPT, "%s: inode %" PRIu64 ": the checksum of attribute block %" PRIu64 " is wrong",
			 x->info.type, n->ino, block);
	vtr_cur_seek(&c, 32);
	return ext_xattr_list(x, c, b, fn, arg, err);
}

struct ext_inline {
	uint8_t *buf; /* room for the whole inode */
	size_t len;   /* 0: there is no system.data */
};

static int ext_inline_cb(struct ext *x, const struct ext_xattr *a, void *arg, struct vtr_error *err)
{
	struct ext_inline *in = arg;

	(void)err;
	if (a->index != 7 || a->name_len != 4 || memcmp(a->name, "data", 4) != 0 || !a->value)
		return 0;
	in->len = EXT_FAST_SYMLINK + VTR_MIN(a->len, (size_t)x->sb.inode_len);
	memcpy(in->buf + EXT_FAST_SYMLINK, a->value, in->len - EXT_FAST_SYMLINK);
	return 1;
}

/*
 * What lies in an inode with inline data: 60 bytes in i_block, and the attribute system.data, however large the file
 * is: mke2fs -d leaves files that are one large hole like this, and the kernel reads zeros there. The caller frees *out.
 */
static int ext_inline_read(uint8_t **out, size_t *len, struct ext *x, const struct ext_node *n, struct vtr_error *err)
{
	VTR_FREE uint8_t *buf = vtr_calloc(1, (size_t)EXT_FAST_SYMLINK + x->sb.inode_len, err);
	struct ext_inline in = { .buf = buf };

	if (!buf)
		return -1;
	memcpy(buf, n->inode->i_block, EXT_FAST_SYMLINK);
	if (ext_xattr_inode(x, n, ext_inline_cb, &in, err) < 0)
		return vtr_at(err, "inode %" PRIu64, n->ino);
	if (in.len == 0 && ext_inode_size(n->inode) > EXT_FAST_SYMLINK)
		return vtr_fail(err, VTR_ECORRUPT, "inode %" PRIu64 ": %" PRIu64 " bytes of inline data, and no system.data", n->ino,
				ext_inode_size(n->inode));
	*out = vtr_steal(buf);
	*len = VTR_MAX(in.len, (size_t)EXT_FAST_SYMLINK);
	return 0;
}

/* --------------------------------------------------------------------------------------------------------- reading */

static int ext_read(struct vtr_fs *fs, uint64_t node, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct ext *x = to_ext(fs);

	if (ext_node_load(x, &x->cur, node, err) < 0)
		return -1;
	if (x->cur.inode->i_flags & EXT4_ENCRYPT_FL)
		return vtr_fail(err, VTR_EUNSUPPORTED, "inode %" PRIu64 " is encrypted (fscrypt)", node);
	if (x->cur.inode->i_flags & EXT2_COMPRBLK_FL)
		return vtr_fail(err, VTR_EUNSUPPORTED, "inode %" PRIu64 " is compressed (e2compr)", node);
	if (x->cur.inode->i_flags & EXT4_INLINE_DATA_FL) {
		VTR_FREE uint8_t *all = NULL;
		size_t have, part;

		if (ext_inline_read(&all, &have, x, &x->cur, err) < 0)
			return -1;
		part = off < have ? VTR_MIN(len, have - (size_t)off) : 0;
		if (part > 0)
			memcpy(buf, all + off, part);
		memset((uint8_t *)buf + part, 0, len - part);
		return 0;
	}
	if (ext_node_map(x, &x->cur, err) < 0)
		return -1;
	return ext_read_mapped(x, &x->cur, off, buf, len, false, err);
}

static int ext_extents(struct vtr_fs *fs, uint64_t node, vtr_file_extent_fn *fn, void *arg, struct vtr_error *err)
{
	struct ext *x = to_ext(fs);
	uint64_t size;
	int r;

	if (ext_node_load(x, &x->cur, node, err) < 0)
		return -1;
	size = ext_inode_size(x->cur.inode);
	if (x->cur.inode->i_flags & (EXT4_ENCRYPT_FL | EXT2_COMPRBLK_FL))
		return vtr_fail(err, VTR_EUNSUPPORTED, "inode %" PRIu64 " is %s", node,
				x->cur.inode->i_flags & EXT4_ENCRYPT_FL ? "encrypted (fscrypt)" : "compressed (e2compr)");
	if (x->cur.inode->i_flags & EXT4_INLINE_DATA_FL) {
		struct vtr_file_extent e = { .inline_data = true };
		VTR_FREE uint8_t *all = NULL;
		size_t have;

		if (ext_inline_read(&all, &have, x, &x->cur, err) < 0)
			return -1;
		e.len = VTR_MIN(size, (uint64_t)have);
		return size ? fn(arg, &e) : 0;
	}
	if (ext_node_map(x, &x->cur, err) < 0)
		return -1;
	for (size_t i = 0; i < x->cur.n; i++) {
		const struct ext_extent *m = &x->cur.map[i];
		struct vtr_file_extent e = { .off = (uint64_t)m->lblk * x->block, .unwritten = m->unwritten };

		if (e.off >= size)
			break;
		e.len = VTR_MIN((uint64_t)m->len * x->block, size - e.off);
		if (m->pblk >= x->sb.blocks || m->len > x->sb.blocks - m->pblk)
			return vtr_fail(err, VTR_ECORRUPT, "inode %" PRIu64 ": %" PRIu32 " blocks at %" PRIu64 " leave the volume (%" PRIu64 " blocks)",
					node, m->len, m->pblk, x->sb.blocks);
		e.phys = m->pblk * x->block;
		r = fn(arg, &e);
		if (r != 0)
			return r;
	}
	return 0;
}

/* A target of fewer than 60 bytes lies in the inode when no block (but that of attributes) belongs to it. */
static bool ext_symlink_is_fast(const struct ext *x, const struct ext2_inode_large *i)
{
	uint32_t attr = i->i_file_acl || i->osd2.linux2.l_i_file_acl_high ? (1u << (x->sb.cluster_log2 + 1)) : 0;

	return ext_inode_size(i) < EXT_FAST_SYMLINK && !(i->i_flags & EXT4_EXTENTS_FL) &&
	       (i->i_blocks == 0 || i->i_blocks == attr || (x->sb.incompat & EXT4_FEATURE_INCOMPAT_EA_INODE));
}

static ssize_t ext_readlink(struct vtr_fs *fs, uint64_t node, char *buf, size_t size, struct vtr_error *err)
{
	struct ext *x = to_ext(fs);
	const struct ext2_inode_large *i;

	if (ext_node_load(x, &x->cur, node, err) < 0)
		return -1;
	i = x->cur.inode;
	if (i->i_flags & EXT4_ENCRYPT_FL)
		return vtr_fail(err, VTR_EUNSUPPORTED, "symbolic link inode %" PRIu64 " is encrypted (fscrypt)", node);
	if (i->i_flags & EXT4_INLINE_DATA_FL) {
		VTR_FREE uint8_t *all = NULL;
		size_t have;

		if (ext_inline_read(&all, &have, x, &x->cur, err) < 0)
			return -1;
		if (size > have)
			return vtr_fail(err, VTR_ECORRUPT, "symbolic link inode %" PRIu64 ": a target of %zu bytes, %zu are there", node,
					size, have);
		memcpy(buf, all, size);
		return (ssize_t)size;
	}
	if (ext_symlink_is_fast(x, i)) {
		memcpy(buf, i->i_block, size);
		return (ssize_t)size;
	}
	if (size >= x->block)
		return vtr_fail(err, VTR_ECORRUPT, "symbolic link inode %" PRIu64 ": a target of %zu bytes, at most %" PRIu32, node, size,
				x->block - 1);
	if (ext_node_map(x, &x->cur, err) < 0 ||
	    ext_read_mapped(x, &x->cur, 0, (uint8_t *)buf, size, true, err) < 0)
		return -1;
	return (ssize_t)size;
}

/* ----------------------------------------------------------------------------------------------------- directories */

struct ext_dir {
	struct ext *x;
	uint64_t ino;
	bool encrypted;
	struct vtr_emitter *e;
};

static int ext_dirent_type(unsigned t)
{
	static const int types[] = {
		VTR_TYPE_UNKNOWN, VTR_TYPE_FILE, VTR_TYPE_DIR,	 VTR_TYPE_CHAR,
		VTR_TYPE_BLOCK,	  VTR_TYPE_FIFO, VTR_TYPE_SOCKET, VTR_TYPE_SYMLINK,
	};

	return t < VTR_COUNT(types) ? types[t] : VTR_TYPE_UNKNOWN;
}

/* Encrypted names may hold any byte: they are given in base64url (RFC 4648) of their bytes. */
static size_t ext_base64(char *out, const uint8_t *p, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t acc = 0;
	unsigned bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		acc = acc << 8 | p[i];
		for (bits += 8; bits >= 6; bits -= 6)
			out[n++] = digits[acc >> (bits - 6) & 63];
	}
	if (bits > 0)
		out[n++] = digits[acc << (6 - bits) & 63];
	return n;
}

/*
 * The entries in one block, or one part of inline data.
 *   0  4  inode	6  1  name_len
 *   4  2  rec_len	7  1  file_type (or the high byte of name_len without the feature filetype)
 * In blocks of 64 KiB a rec_len of 0 or 65535 is the whole block.
 */
static int ext_dir_block(struct ext_dir *d, const uint8_t *b, size_t len, uint64_t origin, struct vtr_error *err)
{
	struct ext *x = d->x;
	size_t at = 0;

	while (at + 8 <= len) {
		uint32_t ino = vtr_get_le32(b + at), rec = vtr_get_le16(b + at + 4), name_len = b[at + 6];
		int type = VTR_TYPE_UNKNOWN, r;
		const char *name = (const char *)b + at + 8;
		char text[400];

		if (x->block > 32768 && (rec == 0 || rec == 65535))
			rec = x->block;
		else if (x->block > 32768)
			rec = (rec & 65532) | (rec & 3) << 16;
		if (rec < 8 || rec % 4 != 0 || rec > len - at) {
			vtr_warn(x->fs.ctx, VTR_ECORRUPT,
				 "%s: directory inode %" PRIu64 ": entry at %#" PRIx64 ": record length %" PRIu32 ": the rest of its block is lost",
				 x->info.type, d->ino, origin + at, rec);
			return 0;
		}
		if (x->sb.incompat & EXT2_FEATURE_INCOMPAT_FILETYPE)
			type = ext_dirent_type(b[at + 7] & 15);
		else
			name_len |= (uint32_t)b[at + 7] << 8;
		if (ino != 0 && (name_len > rec - 8 || name_len > 255 || ino > x->sb.inodes)) {
			vtr_warn(x->fs.ctx, VTR_ECORRUPT,
				 "%s: directory inode %" PRIu64 ": entry at %#" PRIx64 ": a name of %" PRIu32 " bytes for inode %" PRIu32 ": left out",
				 x->info.type, d->ino, origin + at, name_len, ino);
		} else if (ino != 0) {
			if (d->encrypted && !(name_len <= 2 && memcmp(name, "..", name_len) == 0)) {
				name_len = (uint32_t)ext_base64(text, (const uint8_t *)name, name_len);
				name = text;
			} else {
				memcpy(text, name, name_len); /* the caller is promised a NUL */
				name = text;
			}
			text[name_len] = 0;
			r = vtr_fs_emit(d->e, name, name_len, ino, type, err);
			if (r != 0)
				return r;
		}
		at += rec;
	}
	return 0;
}

static int ext_readdir_inline(struct ext_dir *d, struct vtr_error *err)
{
	struct ext *x = d->x;
	VTR_FREE uint8_t *all = NULL;
	size_t len;
	int r;

	if (ext_inline_read(&all, &len, x, &x->cur, err) < 0)
		return -1;
	/* Four bytes name the parent. */
	r = ext_dir_block(d, all + 4, EXT_FAST_SYMLINK - 4, 4, err);
	if (r == 0)
		r = ext_dir_block(d, all + EXT_FAST_SYMLINK, len - EXT_FAST_SYMLINK, EXT_FAST_SYMLINK, err);
	return r;
}

/* One block of a directory: read, checked, parsed. Damage is warned of. */
static int ext_readdir_block(struct ext_dir *d, uint64_t pblk, uint8_t *buf, struct vtr_error *err)
{
	struct ext *x = d->x;
	struct vtr_error local = { 0 };

	if (pblk == 0 || pblk >= x->sb.blocks) {
		vtr_warn(x->fs.ctx, VTR_ECORRUPT, "%s: directory inode %" PRIu64 ": block %" PRIu64 " is outside of the volume",
			 x->info.type, d->ino, pblk);
		return 0;
	}
	if (ext_meta(x, pblk * x->block, buf, x->block, &local) < 0) {
		if (local.code != VTR_ECORRUPT && local.code != VTR_ETRUNCATED) {
			if (err)
				*err = local;
			return -1;
		}
		vtr_error_at(&local, "%s: directory inode %" PRIu64, x->info.type, d->ino);
		vtr_warn_err(x->fs.ctx, &local);
		return 0;
	}
	if ((x->sb.ro_compat & EXT4_FEATURE_RO_COMPAT_METADATA_CSUM) &&
	    !vtr_sum_ok(1, (uint64_t)ext2fs_dir_block_csum_verify(x->e2, (ext2_ino_t)d->ino, (struct ext2_dir_entry *)(void *)buf)))
		vtr_warn(x->fs.ctx, VTR_ECORRUPT, "%s: directory inode %" PRIu64 ": the checksum of block %" PRIu64 " is wrong",
			 x->info.type, d->ino, pblk);
	return ext_dir_block(d, buf, x->block, pblk * x->block, err);
}

static int ext_readdir(struct vtr_fs *fs, uint64_t dir, struct vtr_emitter *e, struct vtr_error *err)
{
	struct ext *x = to_ext(fs);
	struct ext_dir d = { .x = x, .ino = dir, .e = e };
	VTR_FREE struct ext_extent *map = NULL;
	VTR_FREE uint8_t *buf = NULL;
	uint64_t end;
	size_t n;

	if (ext_node_load(x, &x->cur, dir, err) < 0)
		return -1;
	d.encrypted = x->cur.inode->i_flags & EXT4_ENCRYPT_FL;
	if (x->cur.inode->i_flags & EXT4_INLINE_DATA_FL)
		return ext_readdir_inline(&d, err);
	if (ext_node_map(x, &x->cur, err) < 0 || !(buf = vtr_calloc(1, x->block, err)))
		return -1;
	end = vtr_div_up(ext_inode_size(x->cur.inode), x->block);
	/* The caller may look at other nodes from within emit: the map must not go with the current one. */
	n = x->cur.n;
	if (n > 0) {
		map = vtr_calloc(n, sizeof(*map), err);
		if (!map)
			return -1;
		memcpy(map, x->cur.map, n * sizeof(*map));
	}
	for (size_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < map[i].len && (uint64_t)map[i].lblk + k < end; k++) {
			int r = map[i].unwritten ? 0 : ext_readdir_block(&d, map[i].pblk + k, buf, err);

			if (r != 0)
				return r;
			if (vtr_tick(fs->ctx, &fs->steps, 1, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* ------------------------------------------------------------------------------------------------ attributes, public */

struct ext_xattrs {
	vtr_xattr_fn *fn;
	void *arg;
	uint64_t ino;
};

/*
 * An access list as ext4 stores it (version 1: tag 2, permissions 2, and an id 4 for named users and groups) to the
 * form that getxattr(2) gives (version 2: tag, permissions and id always). *len is the new length.
 */
static uint8_t *ext_acl(size_t *len, const uint8_t *p, size_t in_len, struct vtr_error *err)
{
	struct vtr_cur c = vtr_cur_of(p, in_len, 0);
	uint8_t *out;
	size_t n = 4;

	if (in_len < 4 || vtr_cur_le32(&c) != 1) {
		vtr_error_set(err, VTR_ECORRUPT, "access list of version %" PRIu32 ", expected 1", in_len < 4 ? 0 : vtr_get_le32(p));
		return NULL;
	}
	out = vtr_calloc(1, 4 + in_len * 2, err); /* 4 bytes become 8 */
	if (!out)
		return NULL;
	out[0] = 2;
	while (vtr_cur_left(&c) > 0) {
		uint16_t tag = vtr_cur_le16(&c), perm = vtr_cur_le16(&c);
		bool named = tag == 2 || tag == 8;
		uint32_t id = named ? vtr_cur_le32(&c) : UINT32_MAX;
		const uint8_t entry[8] = { (uint8_t)tag, (uint8_t)(tag >> 8), (uint8_t)perm,	  (uint8_t)(perm >> 8),
					   (uint8_t)id,	 (uint8_t)(id >> 8),  (uint8_t)(id >> 16), (uint8_t)(id >> 24) };

		if (c.bad || (tag & (tag - 1)) || tag == 0 || tag > 32) {
			vtr_error_set(err, VTR_ECORRUPT, "access list: an entry with tag %#x", tag);
			free(out);
			return NULL;
		}
		memcpy(out + n, entry, 8);
		n += 8;
	}
	*len = n;
	return out;
}

/* A value that fills an inode of its own. The caller frees it. */
static uint8_t *ext_ea_inode(struct ext *x, const struct ext_xattr *a, struct vtr_error *err)
{
	struct ext_node n = { 0 };
	uint8_t *out = NULL;
	bool good = false;
	uint32_t sum;

	if (ext_node_load(x, &n, a->value_ino, err) < 0)
		goto done;
	if (!(n.inode->i_flags & EXT4_EA_INODE_FL) || ext_inode_size(n.inode) != a->len || a->len > EXT_MAX_EA_INODE) {
		vtr_error_set(err, VTR_ECORRUPT, "value inode %" PRIu32 " has %" PRIu64 " bytes, expected %zu", a->value_ino,
			      ext_inode_size(n.inode), a->len);
		goto done;
	}
	if (ext_node_map(x, &n, err) < 0 || !(out = vtr_calloc(1, a->len, err)) ||
	    ext_read_mapped(x, &n, 0, out, a->len, true, err) < 0)
		goto done;
	/* The hash lies in i_atime; inodes of Lustre have none, and name their owner in i_mtime. */
	sum = ext2fs_crc32c_le(x->e2->csum_seed, out, a->len);
	if (!vtr_sum_ok(n.inode->i_atime, sum) && n.inode->i_mtime == 0) {
		vtr_error_set(err, VTR_ECORRUPT, "value inode %" PRIu32 ": hash %#" PRIx32 ", expected %#" PRIx32, a->value_ino, sum,
			      (uint32_t)n.inode->i_atime);
		goto done;
	}
	good = true;
done:
	ext_node_done(&n);
	if (!good) {
		free(out);
		return NULL;
	}
	return out;
}

static int ext_xattr_emit(struct ext *x, const struct ext_xattr *a, void *arg, struct vtr_error *err)
{
	static const char *const prefixes[] = {
		[1] = "user.", [2] = "system.posix_acl_access", [3] = "system.posix_acl_default", [4] = "trusted.",
		[6] = "security.", [7] = "system.", [8] = "system.richacl", [10] = "gnu.",
	};
	const struct ext_xattrs *l = arg;
	VTR_FREE uint8_t *own = NULL;
	struct vtr_xattr out = { .value = a->value, .len = a->len };
	char name[300];

	if (vtr_tick(x->fs.ctx, &x->fs.steps, 1, err) < 0)
		return -1;
	/* What lies inline, and the key's description of an encrypted node, are no attributes to the outside. */
	if (a->index == 9 || (a->index == 7 && a->name_len == 4 && memcmp(a->name, "data", 4) == 0))
		return 0;
	if (a->index < VTR_COUNT(prefixes) && prefixes[a->index])
		snprintf(name, sizeof(name), "%s%.*s", prefixes[a->index], (int)a->name_len, a->name);
	else if (a->index == 0)
		snprintf(name, sizeof(name), "%.*s", (int)a->name_len, a->name);
	else
		snprintf(name, sizeof(name), "ext-index-%u.%.*s", a->index, (int)a->name_len, a->name);
	out.name = name;
	if (a->value_ino) {
		if (!(own = ext_ea_inode(x, a, err)))
			return vtr_at(err, "attribute \"%s\"", name);
		out.value = own;
	}
	if (a->index == 2 || a->index == 3) {
		uint8_t *acl = ext_acl(&out.len, out.value, a->len, err);

		if (!acl)
			return vtr_at(err, "attribute \"%s\"", name);
		free(own);
		out.value = own = acl;
	}
	return l->fn(l->arg, &out);
}

static int ext_xattrs(struct vtr_fs *fs, uint64_t node, vtr_xattr_fn *fn, void *arg, struct vtr_error *err)
{
	struct ext *x = to_ext(fs);
	struct ext_xattrs l = { .fn = fn, .arg = arg, .ino = node };
	int r;

	if (ext_node_load(x, &x->cur, node, err) < 0)
		return -1;
	r = ext_xattr_inode(x, &x->cur, ext_xattr_emit, &l, err);
	if (r == 0)
		r = ext_xattr_block(x, &x->cur, ext_xattr_emit, &l, err);
	return r < 0 ? vtr_at(err, "inode %" PRIu64, node) : r;
}

/* ------------------------------------------------------------------------------------------------------------ open */

static void ext_close(struct vtr_fs *fs)
{
	struct ext *x = to_ext(fs);

	ext_node_done(&x->cur);
	if (x->e2)
		ext2fs_free(x->e2);
	vtr_uncharge(fs->ctx, x->charged);
	vtr_cache_free(x->cache);
}

static const struct vtr_fs_info *ext_info(struct vtr_fs *fs)
{
	return &to_ext(fs)->info;
}

static const struct vtr_fs_ops ext_ops = {
	.stat = ext_stat,
	.readdir = ext_readdir,
	.read = ext_read,
	.readlink = ext_readlink,
	.xattrs = ext_xattrs,
	.extents = ext_extents,
	.info = ext_info,
	.close = ext_close,
};

static void ext_prop(struct ext *x, const char *key, const char *title, int kind, uint64_t number, const char *text)
{
	if (x->info.n_props < EXT_MAX_PROPS)
		x->props[x->info.n_props++] = (struct vtr_prop){ key, title, kind, text, number };
}

/*
 * What statfs(2) says of it when Linux has it mounted: the blocks of its own structures do not count as its size, and
 * those that are kept for the superuser, and for late allocation where there are extents (2 %, at most 4096 clusters),
 * are not available.
 */
static void ext_space(const struct ext_super *s, uint64_t *overhead, uint64_t *available)
{
	unsigned shift = s->cluster_log2 - s->block_log2;
	uint64_t clusters = s->blocks >> shift, kept = s->reserved_blocks;

	*overhead = (uint64_t)s->overhead << shift;
	if (*overhead >= s->blocks)
		*overhead = 0;
	if (s->incompat & EXT3_FEATURE_INCOMPAT_EXTENTS)
		kept += VTR_MIN(clusters / 50, (uint64_t)4096) << shift;
	*available = s->free_blocks > s->blocks || kept < s->reserved_blocks || kept > s->free_blocks ? 0 : s->free_blocks - kept;
}

static void ext_make_info(struct ext *x)
{
	const struct ext_super *s = &x->sb;
	static const char *const creators[] = { "Linux", "Hurd", "Masix", "FreeBSD", "Lites" };
	bool orphans = s->last_orphan != 0 || (s->ro_compat & 0x10000);
	uint64_t overhead, available;
	size_t at = 0;

	x->info.label = x->label;
	x->info.uuid = x->uuid;
	memcpy(x->label, s->label, sizeof(x->label));
	vtr_uuid_text(x->uuid, s->uuid);
	x->info.block_size = x->block;
	x->info.size = s->blocks * x->block;
	x->info.used = (s->blocks - VTR_MIN(s->free_blocks, s->blocks)) * x->block;
	x->info.nodes = s->inodes;
	x->info.nodes_used = s->inodes - VTR_MIN(s->free_inodes, s->inodes);
	x->info.damaged = s->state & EXT2_ERROR_FS;
	x->info.dirty = !(s->state & EXT2_VALID_FS) || (s->incompat & EXT3_FEATURE_INCOMPAT_RECOVER);
	x->info.props = x->props;
	for (size_t i = 0; i < VTR_COUNT(ext_features); i++) {
		const struct ext_feature *f = &ext_features[i];
		uint32_t set = f->set == 'c' ? s->compat : f->set == 'i' ? s->incompat : s->ro_compat;

		if (set & f->bit)
			at += (size_t)snprintf(x->features + at, sizeof(x->features) - at, "%s%s", at ? " " : "", f->name);
	}
	snprintf(x->state, sizeof(x->state), "%s%s%s%s", x->info.dirty ? "not clean" : "clean",
		 s->incompat & EXT3_FEATURE_INCOMPAT_RECOVER ? ", journal to be replayed" : "",
		 x->info.damaged ? ", with errors" : "", orphans ? ", with orphans" : "");
	vtr_escape(x->last_mounted, sizeof(x->last_mounted), s->last_mounted, strlen(s->last_mounted));
	vtr_time_text(x->mkfs_time, sizeof(x->mkfs_time), &(struct vtr_time){ .sec = s->mkfs_time });
	vtr_time_text(x->mount_time, sizeof(x->mount_time), &(struct vtr_time){ .sec = s->mount_time });
	vtr_time_text(x->write_time, sizeof(x->write_time), &(struct vtr_time){ .sec = s->write_time });
	ext_prop(x, "state", "state", VTR_PROP_TEXT, 0, x->state);
	ext_prop(x, "features", "features", VTR_PROP_TEXT, 0, x->features);
	ext_prop(x, "needs_recovery", "journal to be replayed", VTR_PROP_BOOL, !!(s->incompat & EXT3_FEATURE_INCOMPAT_RECOVER), NULL);
	ext_prop(x, "orphans", "orphaned inodes", VTR_PROP_BOOL, orphans, NULL);
	ext_prop(x, "error_count", "errors counted", VTR_PROP_NUMBER, s->error_count, NULL);
	ext_space(s, &overhead, &available);
	ext_prop(x, "overhead", "taken by its own structures", VTR_PROP_BYTES, overhead * x->block, NULL);
	ext_prop(x, "available", "available to users", VTR_PROP_BYTES, available * x->block, NULL);
	ext_prop(x, "inode_size", "inode size", VTR_PROP_BYTES, s->inode_len, NULL);
	if (s->cluster_log2 != s->block_log2)
		ext_prop(x, "cluster_size", "cluster size", VTR_PROP_BYTES, 1024ull << s->cluster_log2, NULL);
	ext_prop(x, "creator_os", "made by", VTR_PROP_TEXT, 0, s->creator < VTR_COUNT(creators) ? creators[s->creator] : "unknown");
	if (s->last_mounted[0])
		ext_prop(x, "last_mounted", "last mounted on", VTR_PROP_TEXT, 0, x->last_mounted);
	ext_prop(x, "created", "created", VTR_PROP_TEXT, 0, x->mkfs_time);
	if (s->mount_time)
		ext_prop(x, "mounted", "last mounted", VTR_PROP_TEXT, 0, x->mount_time);
	ext_prop(x, "written", "last written", VTR_PROP_TEXT, 0, x->write_time);
	ext_prop(x, "mount_count", "mounts since the last check", VTR_PROP_NUMBER, s->mounts, NULL);
}

static bool ext_table_is_outside(const struct ext *x, dgrp_t g)
{
	uint64_t table = ext2fs_inode_table_loc(x->e2, g), len = x->e2->inode_blocks_per_group;

	return table >= x->sb.blocks || len > x->sb.blocks - table || table <= x->sb.first_block;
}

/*
 * Open with libext2fs, by the superblock and the group descriptors at block backup (0: the primary ones): with
 * checksums, else without and with a warning.
 */
static int ext_open_library(struct ext *x, uint64_t backup, struct vtr_error *err)
{
	const int at = (int)backup, at_size = backup ? (int)x->block : 0;
	const int flags = EXT2_FLAG_64BITS | EXT2_FLAG_SOFTSUPP_FEATURES | EXT2_FLAG_SKIP_MMP;
	char name[32];
	errcode_t r;
	uint64_t bad = 0, outside = 0;

	snprintf(name, sizeof(name), "%p", (void *)x);
#ifdef VTR_FUZZING
	r = EXT2_ET_SB_CSUM_INVALID;
#else
	r = ext2fs_open2(name, NULL, flags, at, at_size, &x->manager, &x->e2);
#endif
	if (r == EXT2_ET_SB_CSUM_INVALID) {
		if (!vtr_sum_ok(0, 1) && !x->before)
			vtr_warn(x->fs.ctx, VTR_ECORRUPT, "%s: the superblock's checksum is wrong", x->info.type);
		r = ext2fs_open2(name, NULL, flags | EXT2_FLAG_IGNORE_CSUM_ERRORS, at, at_size, &x->manager, &x->e2);
#ifndef VTR_FUZZING
		if (!r)
			x->e2->flags &= ~EXT2_FLAG_IGNORE_CSUM_ERRORS;
#endif
	}
	if (r) {
		x->e2 = NULL;
		return ext_fail(x, r, err);
	}
	for (dgrp_t g = 0; g < x->e2->group_desc_count && !x->before; g++) {
		if (!vtr_sum_ok(1, (uint64_t)ext2fs_group_desc_csum_verify(x->e2, g)))
			bad++;
		if (ext_table_is_outside(x, g) && outside++ == 0)
			vtr_warn(x->fs.ctx, VTR_ECORRUPT, "%s: group %u: its inode table at block %llu is outside of the volume",
				 x->info.type, (unsigned)g, (unsigned long long)ext2fs_inode_table_loc(x->e2, g));
		if (g % 4096 == 0 && vtr_ctx_check(x->fs.ctx, err) < 0)
			return -1;
	}
	if (outside > 1)
		vtr_warn(x->fs.ctx, VTR_ECORRUPT, "%s: the inode tables of %" PRIu64 " groups of %u are outside of the volume",
			 x->info.type, outside, (unsigned)x->e2->group_desc_count);
	if (bad)
		vtr_warn(x->fs.ctx, VTR_ECORRUPT, "%s: the checksums of %" PRIu64 " group descriptors of %u are wrong", x->info.type, bad,
			 (unsigned)x->e2->group_desc_count);
	return 0;
}

/* Read and check the superblock at off. */
static int ext_read_super(struct ext_super *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err)
{
	uint8_t sb[EXT_SB_LEN];

	if (!vtr_range_in(off, EXT_SB_LEN, b->size))
		return vtr_fail(err, VTR_ETRUNCATED, "superblock: the volume has %" PRIu64 " bytes", b->size);
	if (vtr_blk_pread(b, off, sb, sizeof(sb), err) < 0)
		return vtr_at(err, "superblock");
	if (!ext_parse_super(out, vtr_cur_of(sb, sizeof(sb), off)))
		return vtr_fail(err, VTR_ECORRUPT, "superblock: magic %#x, expected %#x", vtr_get_le16(sb + 0x38), EXT2_SUPER_MAGIC);
	if (ext_check_features(out, err) < 0 || ext_precheck(out, b, err) < 0)
		return -1;
	return 0;
}

/* Open by a superblock that was checked; whatever an earlier one left is given up. */
static int ext_open_super(struct ext *x, const struct ext_super *s, uint64_t backup, struct vtr_error *err)
{
	struct vtr_ctx *ctx = x->fs.ctx;
	uint64_t held = s->inodes / s->inodes_per_group * s->desc_len;

	ext_node_done(&x->cur);
	if (x->e2)
		ext2fs_free(x->e2);
	x->e2 = NULL;
	vtr_uncharge(ctx, x->charged);
	x->charged = 0;
	x->sb = *s;
	x->block = 1024u << s->block_log2;
	x->info = (struct vtr_fs_info){ .type = ext_type(s) };
	ext_make_info(x);
	if (vtr_charge(ctx, held, "group descriptors", err) < 0)
		return -1;
	x->charged = held;
	return ext_open_library(x, backup, err);
}

/*
 * The backup in group 1 of a volume as mke2fs lays it out (groups of as many blocks as a block has bits), for each size
 * of block: it must say itself that it lies there. The block, or 0: there is none.
 */
static uint64_t ext_find_backup(struct ext_super *out, struct vtr_blk *b)
{
	for (unsigned log2 = 0; log2 <= EXT_MAX_LOG_BLOCK; log2++) {
		uint64_t block = 1024ull << log2, at = 8 * block + (log2 == 0);
		struct ext_super s;

		if (ext_read_super(&s, b, at * block, NULL) == 0 && s.block_log2 == log2 && s.group == (s.rev > 0) &&
		    (uint64_t)s.first_block + s.blocks_per_group == at) {
			*out = s;
			return at;
		}
	}
	return 0;
}

/* By the primary superblock; where that or the root's inode table cannot be used, by a backup, and with a warning. */
static int ext_open_any(struct ext *x, struct vtr_error *err)
{
	struct vtr_blk *b = x->fs.blk;
	struct vtr_error first = { 0 }, local = { 0 };
	struct ext_super s, backup;
	uint64_t at;
	bool opened = ext_read_super(&s, b, EXT_SB_OFF, &first) == 0 && ext_open_super(x, &s, 0, &first) == 0;

	if (opened && !ext_table_is_outside(x, 0))
		return 0;
	if (opened)
		vtr_error_set(&first, VTR_ECORRUPT, "group 0 has no inode table");
	at = first.code == VTR_ECORRUPT ? ext_find_backup(&backup, b) : 0;
	if (at > 0 && ext_open_super(x, &backup, at, &local) == 0 && !ext_table_is_outside(x, 0)) {
		if (!x->before)
			vtr_warn(x->fs.ctx, VTR_ECORRUPT, "%s: %s: the backup superblock at block %" PRIu64 " is used", x->info.type,
				 first.text, at);
		return 0;
	}
	if (opened)
		return at > 0 ? ext_open_super(x, &s, 0, err) : 0;
	if (err)
		*err = first;
	return -1;
}

/* Open the volume as it lies. */
static int ext_open_plain(struct vtr_fs **out, struct vtr_blk *b, bool before, struct vtr_error *err)
{
	VTR_FS_UNREF struct vtr_fs *fs = vtr_fs_new(&ext_ops, sizeof(struct ext), b, err);
	struct ext *x;
	uint64_t size;

	if (!fs)
		return -1;
	x = to_ext(fs);
	x->manager = ext_manager;
	x->before = before;
	fs->root = EXT2_ROOT_INO;
	x->cache = vtr_cache_new(EXT_LINE, (size_t)(fs->ctx->lim.cache / 4 / EXT_LINE), ext_line_fill, x, err);
	if (!x->cache || ext_open_any(x, err) < 0)
		return -1;
	size = x->sb.blocks * x->block;
	if (size > b->size && !before)
		vtr_warn(fs->ctx, VTR_ETRUNCATED, "%s: it has %" PRIu64 " bytes, the volume %" PRIu64 ": read as far as that goes",
			 x->info.type, size, b->size);
	*out = vtr_steal(fs);
	return 0;
}

/* The journal's bytes: of the inode that the superblock names. */
static int ext_journal_open(struct vtr_blk **out, struct ext *x, struct vtr_error *err)
{
	VTR_FREE struct vtr_piece *pieces = NULL;
	struct ext_node n = { 0 };
	uint64_t next = 0;
	int r = -1;

	if (x->sb.journal_ino == 0) {
		char uuid[37];

		vtr_uuid_text(uuid, x->sb.journal_uuid);
		return vtr_fail(err, VTR_EUNSUPPORTED, "its journal is on another device, with UUID %s", uuid);
	}
	if (ext_node_load(x, &n, x->sb.journal_ino, err) < 0 || ext_node_map(x, &n, err) < 0)
		goto done;
	if (!(pieces = vtr_calloc(n.n, sizeof(*pieces), err)))
		goto done;
	for (size_t i = 0; i < n.n; i++) {
		if (n.map[i].lblk != next || n.map[i].unwritten) {
			vtr_error_set(err, VTR_ECORRUPT, "journal inode %" PRIu32 ": block %" PRIu64 " is a hole", x->sb.journal_ino, next);
			goto done;
		}
		pieces[i] = (struct vtr_piece){ n.map[i].pblk * x->block, (uint64_t)n.map[i].len * x->block };
		next += n.map[i].len;
	}
	r = vtr_blk_pieces(out, x->fs.blk, pieces, n.n, err);
done:
	ext_node_done(&n);
	return r;
}

/* A view of the volume in which its journal was replayed. */
static int ext_replay(struct vtr_blk **out, struct vtr_jbd2_result *result, struct ext *x, struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *journal = NULL;

	if (ext_journal_open(&journal, x, err) < 0)
		return -1;
	return vtr_jbd2_replay(out, result, x->fs.blk, journal, err);
}

/* What replay did, for those who ask. */
static void ext_tell_replay(struct ext *x, const struct vtr_jbd2_result *r)
{
	ext_prop(x, "replayed_transactions", "transactions replayed", VTR_PROP_NUMBER, r->transactions, NULL);
	ext_prop(x, "replayed_blocks", "blocks replayed", VTR_PROP_NUMBER, r->blocks, NULL);
	if (r->fast_commits)
		vtr_warn(x->fs.ctx, VTR_EUNSUPPORTED,
			 "%s: its journal ends in fast commits, which are not replayed: the last changes before the crash are missing",
			 x->info.type);
}

/* The volume after its journal was replayed; the journal is found in the volume as it lies. */
static int ext_open_replayed(struct vtr_fs **out, struct vtr_blk *b, struct vtr_error *err)
{
	VTR_FS_UNREF struct vtr_fs *before = NULL;
	VTR_UNREF struct vtr_blk *view = NULL;
	struct vtr_jbd2_result result = { 0 };

	if (ext_open_plain(&before, b, true, err) < 0 || ext_replay(&view, &result, to_ext(before), err) < 0 ||
	    ext_open_plain(out, view, false, err) < 0)
		return -1;
	ext_tell_replay(to_ext(*out), &result);
	return 0;
}

/* Whether the superblock says that a journal waits. */
static bool ext_is_waiting(struct vtr_blk *b)
{
	uint8_t sb[EXT_SB_LEN];
	struct ext_super s;

	return vtr_blk_pread(b, EXT_SB_OFF, sb, sizeof(sb), NULL) == 0 &&
	       ext_parse_super(&s, vtr_cur_of(sb, sizeof(sb), EXT_SB_OFF)) && (s.incompat & EXT3_FEATURE_INCOMPAT_RECOVER);
}

static int ext_open(struct vtr_fs **out, struct vtr_blk *b, struct vtr_error *err)
{
	struct vtr_error local = { 0 };
	bool waiting = ext_is_waiting(b);

	if (waiting && !b->ctx->no_replay) {
		if (ext_open_replayed(out, b, &local) == 0)
			return 0;
		if (local.code != VTR_ECORRUPT && local.code != VTR_ETRUNCATED && local.code != VTR_EUNSUPPORTED) {
			if (err)
				*err = local;
			return -1;
		}
	}
	if (ext_open_plain(out, b, false, err) < 0)
		return -1;
	if (local.code != VTR_OK) {
		vtr_error_at(&local, "%s: its journal cannot be replayed, and the volume is read as it lies", to_ext(*out)->info.type);
		vtr_warn_err(b->ctx, &local);
	} else if (waiting) {
		vtr_warn(b->ctx, VTR_OK, "%s: its journal waits to be replayed: read as it lies", to_ext(*out)->info.type);
	}
	return 0;
}

extern const struct vtr_fs_driver vtr_fs_driver_ext;
const struct vtr_fs_driver vtr_fs_driver_ext = {
	.name = "ext",
	.title = "ext2/ext3/ext4",
	.probe = ext_probe,
	.open = ext_open,
	.identify = ext_identify,
};
