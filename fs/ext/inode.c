/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inodes, and the checksums of what belongs to one. */
#include "fs/ext/ext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"

/*
 * Checksums of inodes and directory blocks take half of the time of a listing, and the processor has CRC-32C. What it
 * does not confirm, libext2fs decides: it knows the exceptions.
 */

/* Of an inode's number and generation (at 0x64), which begin the checksums of all that belongs to it. */
static uint32_t ext_crc_seed(const struct ext *x, uint64_t ino, const uint8_t generation[4])
{
	const uint8_t number[4] = { (uint8_t)ino, (uint8_t)(ino >> 8), (uint8_t)(ino >> 16), (uint8_t)(ino >> 24) };

	return vtr_crc32c_raw(vtr_crc32c_raw(x->e2->csum_seed, number, 4), generation, 4);
}

/* Both halves of the checksum, at 0x7c and 0x82, count as zeros. */
static bool ext_inode_sum_ok(struct ext *x, uint64_t ino, struct ext2_inode_large *inode)
{
	static const uint8_t zeros[2];
	const uint8_t *b = (const uint8_t *)inode;
	uint32_t crc;

	if (!(x->sb.ro_compat & EXT4_FEATURE_RO_COMPAT_METADATA_CSUM))
		return true;
	if (x->sb.inode_len > 128 && vtr_get_le16(b + 0x80) >= 4) {
		crc = vtr_crc32c_raw(ext_crc_seed(x, ino, b + 0x64), b, 0x7c);
		crc = vtr_crc32c_raw(vtr_crc32c_raw(crc, zeros, 2), b + 0x7e, 4);
		crc = vtr_crc32c_raw(vtr_crc32c_raw(crc, zeros, 2), b + 0x84, x->sb.inode_len - 0x84);
		if (crc == (vtr_get_le16(b + 0x7c) | (uint32_t)vtr_get_le16(b + 0x82) << 16))
			return true;
	}
	return vtr_sum_ok(1, (uint64_t)ext2fs_inode_csum_verify(x->e2, (ext2_ino_t)ino, inode));
}

/* A leaf's last 12 bytes look like an entry without a name, of type 0xde, that holds the checksum of what is before it. */
bool vtr_ext_dir_sum_ok(struct ext *x, uint64_t ino, const uint8_t generation[4], uint8_t *block)
{
	static const uint8_t tail[8] = { 0, 0, 0, 0, 12, 0, 0, 0xde };
	size_t at = x->block - 12;

	if (!(x->sb.ro_compat & EXT4_FEATURE_RO_COMPAT_METADATA_CSUM))
		return true;
	if (memcmp(block + at, tail, sizeof(tail)) == 0 &&
	    vtr_crc32c_raw(ext_crc_seed(x, ino, generation), block, at) == vtr_get_le32(block + at + 8))
		return true;
	return vtr_sum_ok(1, (uint64_t)ext2fs_dir_block_csum_verify(x->e2, (ext2_ino_t)ino,
								    (struct ext2_dir_entry *)(void *)block));
}

void vtr_ext_node_done(struct ext_node *n)
{
	free(n->inode);
	free(n->map);
	*n = (struct ext_node){ 0 };
}

bool vtr_ext_table_is_outside(const struct ext *x, dgrp_t g)
{
	uint64_t table = ext2fs_inode_table_loc(x->e2, g), len = x->e2->inode_blocks_per_group;

	return table >= x->sb.blocks || len > x->sb.blocks - table || table <= x->sb.first_block;
}

/*
 * An inode's bytes on disk. The library would compute the checksum in software each time, asked or not: only the place
 * is its word.
 */
int vtr_ext_inode_raw(void *out, struct ext *x, uint64_t ino, struct vtr_error *err)
{
	dgrp_t group = (dgrp_t)((ino - 1) / x->sb.inodes_per_group);
	uint64_t off = (ino - 1) % x->sb.inodes_per_group * x->sb.inode_len;

	if (vtr_ext_table_is_outside(x, group))
		return vtr_fail(err, VTR_ECORRUPT, "its group has no inode table");
	return vtr_ext_meta(x, ext2fs_inode_table_loc(x->e2, group) * x->block + off, out, x->sb.inode_len, err);
}

/* An inode for the host, of what fast commits made of it or of what is on disk. */
static int ext_inode_read(struct ext2_inode_large *out, struct ext *x, uint64_t ino, bool *fast, struct vtr_error *err)
{
	const uint8_t *changed = vtr_ext_fast_inode(x, ino);

	*fast = changed != NULL;
	if (changed)
		memcpy(out, changed, x->sb.inode_len);
	else if (vtr_ext_inode_raw(out, x, ino, err) < 0)
		return -1;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	VTR_FREE struct ext2_inode_large *raw = vtr_calloc(1, VTR_MAX(x->sb.inode_len, (uint32_t)sizeof(*raw)), err);

	if (!raw)
		return -1;
	memcpy(raw, out, x->sb.inode_len);
	ext2fs_swap_inode_full(x->e2, out, raw, 0, (int)x->sb.inode_len);
#endif
	return 0;
}

/* Read an inode. A wrong checksum is warned of: what is there is delivered all the same. */
int vtr_ext_node_load(struct ext *x, struct ext_node *n, uint64_t ino, struct vtr_error *err)
{
	if (n->ino == ino && ino != 0)
		return 0;
	n->ino = 0;
	n->mapped = false;
	n->damaged = false;
	n->given = false;
	n->n = 0;
	if (ino == 0 || ino > x->sb.inodes)
		return vtr_fail(err, VTR_ENOTFOUND, "there is no inode %" PRIu64 ", the last is %" PRIu64, ino,
				x->sb.inodes);
	if (!n->inode && !(n->inode = vtr_calloc(1, VTR_MAX(x->sb.inode_len, (uint32_t)sizeof(*n->inode)), err)))
		return -1;
	if (ext_inode_read(n->inode, x, ino, &n->given, err) < 0)
		return vtr_at(err, "inode %" PRIu64, ino);
	if (!n->given && !ext_inode_sum_ok(x, ino, n->inode)) {
		n->damaged = true;
		vtr_warn(x->fs.ctx, VTR_ECORRUPT, "%s: inode %" PRIu64 ": its checksum is wrong", x->info.type, ino);
	}
	n->ino = ino;
	return 0;
}

uint64_t vtr_ext_inode_size(const struct ext2_inode_large *i)
{
	return EXT2_I_SIZE(i);
}

/* Whether a field of the large inode is there. */
#define EXT_HAS(x, i, field)                                                                                           \
	((x)->sb.inode_len > 128 &&                                                                                    \
	 offsetof(struct ext2_inode_large, field) + sizeof((i)->field) <= 128u + (i)->i_extra_isize &&                 \
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

int vtr_ext_mode_type(uint32_t mode)
{
	switch (mode & 0xf000) {
	case 0x1000:
		return VTR_TYPE_FIFO;
	case 0x2000:
		return VTR_TYPE_CHAR;
	case 0x4000:
		return VTR_TYPE_DIR;
	case 0x6000:
		return VTR_TYPE_BLOCK;
	case 0x8000:
		return VTR_TYPE_FILE;
	case 0xa000:
		return VTR_TYPE_SYMLINK;
	case 0xc000:
		return VTR_TYPE_SOCKET;
	default:
		return VTR_TYPE_UNKNOWN;
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

int vtr_ext_stat(struct vtr_stat *out, struct vtr_fs *fs, uint64_t node, struct vtr_error *err)
{
	struct ext *x = to_ext(fs);
	const struct ext2_inode_large *i;

	if (vtr_ext_node_load(x, &x->cur, node, err) < 0)
		return -1;
	i = x->cur.inode;
	out->type = vtr_ext_mode_type(i->i_mode);
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
		out->size = vtr_ext_inode_size(i);
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
