/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Superblocks: parsing, what libext2fs trusts, what they tell. */
#include "fs/ext/ext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Feature bits that matter to a reader, by their names in e2fsprogs. */
static const struct ext_feature {
	char set; /* c compat, i incompat, r ro_compat */
	uint32_t bit;
	const char *name;
	bool read; /* of incompat: it is read, or does not matter */
} ext_features[] = {
	{ 'c', 0x0001, "dir_prealloc", true },
	{ 'c', 0x0002, "imagic_inodes", true },
	{ 'c', 0x0004, "has_journal", true },
	{ 'c', 0x0008, "ext_attr", true },
	{ 'c', 0x0010, "resize_inode", true },
	{ 'c', 0x0020, "dir_index", true },
	{ 'c', 0x0040, "lazy_bg", true },
	{ 'c', 0x0200, "sparse_super2", true },
	{ 'c', 0x0400, "fast_commit", true },
	{ 'c', 0x0800, "stable_inodes", true },
	{ 'c', 0x1000, "orphan_file", true },
	{ 'i', 0x0001, "compression", false },
	{ 'i', 0x0002, "filetype", true },
	{ 'i', 0x0004, "needs_recovery", true },
	{ 'i', 0x0008, "journal_dev", false },
	{ 'i', 0x0010, "meta_bg", true },
	{ 'i', 0x0040, "extents", true },
	{ 'i', 0x0080, "64bit", true },
	{ 'i', 0x0100, "mmp", true },
	{ 'i', 0x0200, "flex_bg", true },
	{ 'i', 0x0400, "ea_inode", true },
	{ 'i', 0x1000, "dirdata", false },
	{ 'i', 0x2000, "metadata_csum_seed", true },
	{ 'i', 0x4000, "large_dir", true },
	{ 'i', 0x8000, "inline_data", true },
	{ 'i', 0x10000, "encrypt", true },
	{ 'i', 0x20000, "casefold", true },
	{ 'r', 0x0001, "sparse_super", true },
	{ 'r', 0x0002, "large_file", true },
	{ 'r', 0x0004, "btree_dir", true },
	{ 'r', 0x0008, "huge_file", true },
	{ 'r', 0x0010, "uninit_bg", true },
	{ 'r', 0x0020, "dir_nlink", true },
	{ 'r', 0x0040, "extra_isize", true },
	{ 'r', 0x0080, "snapshot", true },
	{ 'r', 0x0100, "quota", true },
	{ 'r', 0x0200, "bigalloc", true },
	{ 'r', 0x0400, "metadata_csum", true },
	{ 'r', 0x0800, "replica", true },
	{ 'r', 0x1000, "read-only", true },
	{ 'r', 0x2000, "project", true },
	{ 'r', 0x4000, "shared_blocks", true },
	{ 'r', 0x8000, "verity", true },
	{ 'r', 0x10000, "orphan_present", true },
};

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
 *   0xfd 1 s_jnl_backup_type	0x10c 68 s_jnl_blocks		0xd0 16 s_journal_uuid, 0xe0 4 s_journal_inum
 *   0x28 4 s_inodes_per_group	 0x38 2 s_magic 0xef53		0x5a 2 s_block_group_nr
 */
bool vtr_ext_parse_super(struct ext_super *out, struct vtr_cur c)
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
	s.journal_backup_type = b[0xfd];
	for (unsigned i = 0; i < VTR_COUNT(s.journal_backup); i++)
		s.journal_backup[i] = vtr_get_le32(b + 0x10c + 4 * i);
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

const char *vtr_ext_type(const struct ext_super *s)
{
	const uint32_t ext3_incompat =
		EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_RECOVER | EXT2_FEATURE_INCOMPAT_META_BG;
	const uint32_t ext3_ro = EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE | 0x4;

	if ((s->incompat & ~ext3_incompat) || (s->ro_compat & ~ext3_ro))
		return s->incompat & EXT3_FEATURE_INCOMPAT_JOURNAL_DEV ? "jbd" : "ext4";
	return s->compat & EXT3_FEATURE_COMPAT_HAS_JOURNAL ? "ext3" : "ext2";
}

/* Refuse features that cannot be read, by name. */
int vtr_ext_check_features(const struct ext_super *s, struct vtr_error *err)
{
	uint32_t left = s->incompat;

	for (size_t i = 0; i < VTR_COUNT(ext_features); i++) {
		if (ext_features[i].set != 'i' || !(left & ext_features[i].bit))
			continue;
		if (!ext_features[i].read)
			return vtr_fail(err, VTR_EUNSUPPORTED, "superblock: feature %s is not read",
					ext_features[i].name);
		left &= ~ext_features[i].bit;
	}
	if (left)
		return vtr_fail(err, VTR_EUNSUPPORTED, "superblock: incompatible feature %#" PRIx32 " is unknown",
				left & -left);
	if (s->rev > 1)
		return vtr_fail(err, VTR_EUNSUPPORTED, "superblock: revision %" PRIu32 ", read are 0 and 1", s->rev);
	return 0;
}

/*
 * Everything that libext2fs trusts. s_first_data_block above all: versions 1.47.0 to 1.47.4 take it as it is.
 */
int vtr_ext_precheck(const struct ext_super *s, const struct vtr_blk *blk, struct vtr_error *err)
{
	uint32_t block, first;
	uint64_t groups, desc, room;
	bool bigalloc = s->ro_compat & EXT4_FEATURE_RO_COMPAT_BIGALLOC;

#define EXT_BAD(fmt, ...) vtr_fail(err, VTR_ECORRUPT, "superblock: " fmt, __VA_ARGS__)
	if (s->block_log2 > EXT_MAX_LOG_BLOCK)
		return EXT_BAD("s_log_block_size %" PRIu32 ", expected at most %u", s->block_log2, EXT_MAX_LOG_BLOCK);
	block = 1024u << s->block_log2;
	if (bigalloc ? s->cluster_log2 < s->block_log2 || s->cluster_log2 > 19 : s->cluster_log2 != s->block_log2)
		return EXT_BAD("s_log_cluster_size %" PRIu32 " with s_log_block_size %" PRIu32, s->cluster_log2,
			       s->block_log2);
	first = s->cluster_log2 == 0 ? 1 : 0;
	if (s->first_block != first)
		return EXT_BAD("s_first_data_block %" PRIu32 ", expected %" PRIu32, s->first_block, first);
	if (s->clusters_per_group == 0 || s->clusters_per_group > 8 * block || s->clusters_per_group % 8 != 0 ||
	    (uint64_t)s->clusters_per_group << (s->cluster_log2 - s->block_log2) != s->blocks_per_group)
		return EXT_BAD("s_blocks_per_group %" PRIu32 ", s_clusters_per_group %" PRIu32 " in blocks of %" PRIu32,
			       s->blocks_per_group, s->clusters_per_group, block);
	if (s->inode_len < 128 || s->inode_len > block || !vtr_pow2_is(s->inode_len))
		return EXT_BAD("s_inode_size %" PRIu32 ", expected a power of two from 128 to %" PRIu32, s->inode_len,
			       block);
	if (s->inodes_per_group == 0 || s->inodes_per_group > 8 * block)
		return EXT_BAD("s_inodes_per_group %" PRIu32 ", expected 1 to %" PRIu32, s->inodes_per_group,
			       8 * block);
	if ((s->incompat & EXT4_FEATURE_INCOMPAT_64BIT) &&
	    (s->desc_len < 64 || s->desc_len > 1024 || !vtr_pow2_is(s->desc_len)))
		return EXT_BAD("s_desc_size %" PRIu32 ", expected a power of two from 64 to 1024", s->desc_len);
	if (s->blocks <= first || s->blocks > (1ull << 48))
		return EXT_BAD("s_blocks_count %" PRIu64, s->blocks);
	groups = vtr_div_up(s->blocks - first, s->blocks_per_group);
	if (groups > UINT32_MAX || groups * s->inodes_per_group != s->inodes)
		return EXT_BAD("s_inodes_count %" PRIu64 ", expected %" PRIu64 " groups of %" PRIu32, s->inodes, groups,
			       s->inodes_per_group);
#undef EXT_BAD
	desc = groups * s->desc_len; /* what it costs is charged in ext_open_super() */
	room = blk->size / block;
	if (!(s->incompat & EXT2_FEATURE_INCOMPAT_META_BG) && vtr_div_up(desc, block) + first + 1 > room)
		return vtr_fail(err, VTR_ETRUNCATED,
				"%" PRIu64 " groups: their descriptors end past the end of the volume (%#" PRIx64 ")",
				groups, blk->size);
	return 0;
}

void vtr_ext_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	struct ext_super s;

	(void)b;
	if (!vtr_ext_parse_super(&s, vtr_cur_of(p->head + EXT_SB_OFF, EXT_SB_LEN, EXT_SB_OFF)))
		return;
	out->type = vtr_ext_type(&s);
	memcpy(out->label, s.label, sizeof(s.label));
	if (memcmp(s.uuid, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16) != 0)
		vtr_uuid_text(out->uuid, s.uuid);
	if (s.block_log2 <= EXT_MAX_LOG_BLOCK && s.blocks <= 1ull << 46)
		out->size = s.blocks << (10 + s.block_log2);
}

void vtr_ext_prop(struct ext *x, const char *key, const char *title, int kind, uint64_t number, const char *text)
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
	*available = s->free_blocks > s->blocks || kept < s->reserved_blocks || kept > s->free_blocks
			     ? 0
			     : s->free_blocks - kept;
}

void vtr_ext_make_info(struct ext *x)
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
			at += (size_t)snprintf(x->features + at, sizeof(x->features) - at, "%s%s", at ? " " : "",
					       f->name);
	}
	snprintf(x->state, sizeof(x->state), "%s%s%s%s", x->info.dirty ? "not clean" : "clean",
		 s->incompat & EXT3_FEATURE_INCOMPAT_RECOVER ? ", journal to be replayed" : "",
		 x->info.damaged ? ", with errors" : "", orphans ? ", with orphans" : "");
	vtr_escape(x->last_mounted, sizeof(x->last_mounted), s->last_mounted, strlen(s->last_mounted));
	vtr_time_text(x->mkfs_time, sizeof(x->mkfs_time), &(struct vtr_time){ .sec = s->mkfs_time });
	vtr_time_text(x->mount_time, sizeof(x->mount_time), &(struct vtr_time){ .sec = s->mount_time });
	vtr_time_text(x->write_time, sizeof(x->write_time), &(struct vtr_time){ .sec = s->write_time });
	vtr_ext_prop(x, "state", "state", VTR_PROP_TEXT, 0, x->state);
	vtr_ext_prop(x, "features", "features", VTR_PROP_TEXT, 0, x->features);
	vtr_ext_prop(x, "needs_recovery", "journal to be replayed", VTR_PROP_BOOL,
		     !!(s->incompat & EXT3_FEATURE_INCOMPAT_RECOVER), NULL);
	vtr_ext_prop(x, "orphans", "orphaned inodes", VTR_PROP_BOOL, orphans, NULL);
	vtr_ext_prop(x, "error_count", "errors counted", VTR_PROP_NUMBER, s->error_count, NULL);
	ext_space(s, &overhead, &available);
	vtr_ext_prop(x, "overhead", "taken by its own structures", VTR_PROP_BYTES, overhead * x->block, NULL);
	vtr_ext_prop(x, "available", "available to users", VTR_PROP_BYTES, available * x->block, NULL);
	vtr_ext_prop(x, "inode_size", "inode size", VTR_PROP_BYTES, s->inode_len, NULL);
	if (s->cluster_log2 != s->block_log2)
		vtr_ext_prop(x, "cluster_size", "cluster size", VTR_PROP_BYTES, 1024ull << s->cluster_log2, NULL);
	vtr_ext_prop(x, "creator_os", "made by", VTR_PROP_TEXT, 0,
		     s->creator < VTR_COUNT(creators) ? creators[s->creator] : "unknown");
	if (s->last_mounted[0])
		vtr_ext_prop(x, "last_mounted", "last mounted on", VTR_PROP_TEXT, 0, x->last_mounted);
	vtr_ext_prop(x, "created", "created", VTR_PROP_TEXT, 0, x->mkfs_time);
	if (s->mount_time)
		vtr_ext_prop(x, "mounted", "last mounted", VTR_PROP_TEXT, 0, x->mount_time);
	vtr_ext_prop(x, "written", "last written", VTR_PROP_TEXT, 0, x->write_time);
	vtr_ext_prop(x, "mount_count", "mounts since the last check", VTR_PROP_NUMBER, s->mounts, NULL);
}
