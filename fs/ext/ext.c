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
#include "base/pieces.h"
#include "fs/ext/ext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static void ext_close(struct vtr_fs *fs)
{
	struct ext *x = to_ext(fs);

	vtr_ext_node_done(&x->cur);
	vtr_ext_fast_free(x->fast);
	if (x->e2)
		ext2fs_free(x->e2);
	vtr_uncharge(fs->ctx, x->charged);
	vtr_pages_free(x->pages);
}

static const struct vtr_fs_info *ext_info(struct vtr_fs *fs)
{
	return &to_ext(fs)->info;
}

static const struct vtr_fs_ops ext_ops = {
	.stat = vtr_ext_stat,
	.readdir = vtr_ext_readdir,
	.read = vtr_ext_read,
	.readlink = vtr_ext_readlink,
	.xattrs = vtr_ext_xattrs,
	.extents = vtr_ext_extents,
	.info = ext_info,
	.close = ext_close,
};

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
		return vtr_ext_fail(x, r, err);
	}
	for (dgrp_t g = 0; g < x->e2->group_desc_count && !x->before; g++) {
		if (!vtr_sum_ok(1, (uint64_t)ext2fs_group_desc_csum_verify(x->e2, g)))
			bad++;
		if (vtr_ext_table_is_outside(x, g) && outside++ == 0)
			vtr_warn(x->fs.ctx, VTR_ECORRUPT,
				 "%s: group %u: its inode table at block %llu is outside of the volume", x->info.type,
				 (unsigned)g, (unsigned long long)ext2fs_inode_table_loc(x->e2, g));
		if (g % 4096 == 0 && vtr_ctx_check(x->fs.ctx, err) < 0)
			return -1;
	}
	if (outside > 1)
		vtr_warn(x->fs.ctx, VTR_ECORRUPT,
			 "%s: the inode tables of %" PRIu64 " groups of %u are outside of the volume", x->info.type,
			 outside, (unsigned)x->e2->group_desc_count);
	if (bad)
		vtr_warn(x->fs.ctx, VTR_ECORRUPT, "%s: the checksums of %" PRIu64 " group descriptors of %u are wrong",
			 x->info.type, bad, (unsigned)x->e2->group_desc_count);
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
	if (!vtr_ext_parse_super(out, vtr_cur_of(sb, sizeof(sb), off)))
		return vtr_fail(err, VTR_ECORRUPT, "superblock: magic %#x, expected %#x", vtr_get_le16(sb + 0x38),
				EXT2_SUPER_MAGIC);
	if (vtr_ext_check_features(out, err) < 0 || vtr_ext_precheck(out, b, err) < 0)
		return -1;
	return 0;
}

/* Open by a superblock that was checked; whatever an earlier one left is given up. */
static int ext_open_super(struct ext *x, const struct ext_super *s, uint64_t backup, struct vtr_error *err)
{
	struct vtr_ctx *ctx = x->fs.ctx;
	uint64_t held = s->inodes / s->inodes_per_group * s->desc_len;

	vtr_ext_node_done(&x->cur);
	if (x->e2)
		ext2fs_free(x->e2);
	x->e2 = NULL;
	vtr_uncharge(ctx, x->charged);
	x->charged = 0;
	x->sb = *s;
	x->block = 1024u << s->block_log2;
	x->info = (struct vtr_fs_info){ .type = vtr_ext_type(s) };
	vtr_ext_make_info(x);
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

	if (opened && !vtr_ext_table_is_outside(x, 0))
		return 0;
	if (opened)
		vtr_error_set(&first, VTR_ECORRUPT, "group 0 has no inode table");
	at = first.code == VTR_ECORRUPT ? ext_find_backup(&backup, b) : 0;
	if (at > 0 && ext_open_super(x, &backup, at, &local) == 0 && !vtr_ext_table_is_outside(x, 0)) {
		if (!x->before)
			vtr_warn(x->fs.ctx, VTR_ECORRUPT, "%s: %s: the backup superblock at block %" PRIu64 " is used",
				 x->info.type, first.text, at);
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
	x->manager = vtr_ext_manager;
	x->before = before;
	x->reads_left = UINT64_MAX;
	fs->root = EXT2_ROOT_INO;
	x->pages = vtr_pages_new(fs->blk, VTR_PAGE_LOG2, fs->ctx->lim.cache / 16, "volume", err);
	if (!x->pages || ext_open_any(x, err) < 0)
		return -1;
	size = x->sb.blocks * x->block;
	if (size > b->size && !before && !b->partial)
		vtr_warn(fs->ctx, VTR_ETRUNCATED,
			 "%s: it has %" PRIu64 " bytes, the volume %" PRIu64 ": read as far as that goes", x->info.type,
			 size, b->size);
	b->partial |= size > b->size;
	*out = vtr_steal(fs);
	return 0;
}

/*
 * A journal on a device of its own: an ext superblock with the feature journal_dev and the journal's UUID, then, in the
 * next block, the journal.
 */
static int ext_journal_elsewhere(struct vtr_blk **out, uint64_t *at, struct ext *x, const struct vtr_fs_others *others,
				 struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *device = NULL;
	struct ext_super s;
	uint8_t sb[EXT_SB_LEN];
	char uuid[37];
	int found;

	vtr_uuid_text(uuid, x->sb.journal_uuid);
	found = others ? others->find(others->arg, &device, uuid, err) : 0;
	if (found < 0)
		return -1;
	if (found == 0)
		return vtr_fail(err, VTR_EUNSUPPORTED, "its journal is on a device that is not there, with UUID %s",
				uuid);
	if (vtr_blk_pread(device, EXT_SB_OFF, sb, sizeof(sb), err) < 0 ||
	    !vtr_ext_parse_super(&s, vtr_cur_of(sb, sizeof(sb), EXT_SB_OFF)) ||
	    !(s.incompat & EXT3_FEATURE_INCOMPAT_JOURNAL_DEV) || s.block_log2 > EXT_MAX_LOG_BLOCK)
		return vtr_fail(err, VTR_ECORRUPT, "the device with UUID %s is no journal", uuid);
	*at = (1024ull << s.block_log2) * (s.block_log2 == 0 ? 2 : 1);
	*out = vtr_steal(device);
	return 0;
}

/*
 * The journal's inode. Its table may wait in the journal itself: the superblock has a copy of where the journal's blocks
 * are, which counts where the inode is none.
 */
static int ext_journal_inode(struct ext *x, struct ext_node *n, struct vtr_error *err)
{
	const struct ext_super *s = &x->sb;
	struct vtr_error local = { 0 };
	struct ext2_inode_large *i;

	if (vtr_ext_node_load(x, n, s->journal_ino, &local) == 0 &&
	    vtr_ext_mode_type(n->inode->i_mode) == VTR_TYPE_FILE && vtr_ext_inode_size(n->inode) > 0)
		return 0;
	if (s->journal_backup_type != 1 || s->journal_ino > s->inodes || !n->inode) {
		if (local.code == VTR_OK)
			vtr_error_set(&local, VTR_ECORRUPT, "journal inode %" PRIu32 " is no file", s->journal_ino);
		if (err)
			*err = local;
		return -1;
	}
	i = n->inode;
	memset(i, 0, x->sb.inode_len);
	i->i_mode = 0100600;
	i->i_links_count = 1;
	for (size_t k = 0; k < VTR_COUNT(i->i_block); k++)
		i->i_block[k] = s->journal_backup[k];
	i->i_size_high = s->journal_backup[15];
	i->i_size = s->journal_backup[16];
	if ((i->i_block[0] & 0xffff) == 0xf30a) /* the head of an extent tree */
		i->i_flags = EXT4_EXTENTS_FL;
	n->ino = s->journal_ino;
	n->given = true;
	return 0;
}

/* The journal's bytes, and where in them its superblock is: of the inode that the superblock names. */
static int ext_journal_open(struct vtr_blk **out, uint64_t *at, struct ext *x, const struct vtr_fs_others *others,
			    struct vtr_error *err)
{
	VTR_FREE struct vtr_piece *pieces = NULL;
	struct ext_node n = { 0 };
	uint64_t next = 0;
	int r = -1;

	if (x->sb.journal_ino == 0)
		return ext_journal_elsewhere(out, at, x, others, err);
	*at = 0;
	if (ext_journal_inode(x, &n, err) < 0 || vtr_ext_node_map(x, &n, err) < 0)
		goto done;
	if (!(pieces = vtr_calloc(n.n, sizeof(*pieces), err)))
		goto done;
	for (size_t i = 0; i < n.n; i++) {
		if (n.map[i].lblk != next || n.map[i].unwritten) {
			vtr_error_set(err, VTR_ECORRUPT, "journal inode %" PRIu32 ": block %" PRIu64 " is a hole",
				      x->sb.journal_ino, next);
			goto done;
		}
		pieces[i] =
			(struct vtr_piece){ x->fs.blk, n.map[i].pblk * x->block, (uint64_t)n.map[i].len * x->block };
		next += n.map[i].len;
		if (!vtr_range_in(pieces[i].off, pieces[i].len, x->fs.blk->size)) {
			vtr_error_set(err, VTR_ETRUNCATED,
				      "%" PRIu64 " bytes at %#" PRIx64 ": the %s ends at %#" PRIx64, pieces[i].len,
				      pieces[i].off, x->fs.blk->ops->kind, x->fs.blk->size);
			goto done;
		}
	}
	r = vtr_blk_pieces(out, x->fs.ctx, pieces, n.n, err);
done:
	vtr_ext_node_done(&n);
	return r;
}

/* What replay did, for those who ask. */
static void ext_tell_replay(struct ext *x, const struct vtr_jbd2_result *r)
{
	vtr_ext_prop(x, "replayed_transactions", "transactions replayed", VTR_PROP_NUMBER, r->transactions, NULL);
	vtr_ext_prop(x, "replayed_blocks", "blocks replayed", VTR_PROP_NUMBER, r->blocks, NULL);
	if (r->fast_blocks > 0)
		vtr_ext_prop(x, "replayed_fast_commits", "fast commits replayed", VTR_PROP_NUMBER,
			     vtr_ext_fast_commits(x), NULL);
}

/*
 * The volume after its journal was replayed, and the fast commits that follow. The journal is found in the volume as it
 * lies.
 */
static int ext_open_replayed(struct vtr_fs **out, struct vtr_blk *b, const struct vtr_fs_others *others,
			     struct vtr_error *err)
{
	VTR_FS_UNREF struct vtr_fs *before = NULL, *after = NULL;
	VTR_UNREF struct vtr_blk *journal = NULL, *view = NULL;
	struct vtr_jbd2_result result = { 0 };
	uint64_t at;

	if (ext_open_plain(&before, b, true, err) < 0 ||
	    ext_journal_open(&journal, &at, to_ext(before), others, err) < 0 ||
	    vtr_jbd2_replay(&view, &result, b, journal, at, err) < 0 || ext_open_plain(&after, view, false, err) < 0 ||
	    vtr_ext_fast_replay(to_ext(after), journal, &result, err) < 0)
		return -1;
	ext_tell_replay(to_ext(after), &result);
	*out = vtr_steal(after);
	return 0;
}

/* Whether the superblock says that a journal waits. */
static bool ext_is_waiting(struct vtr_blk *b)
{
	uint8_t sb[EXT_SB_LEN];
	struct ext_super s;

	return vtr_blk_pread(b, EXT_SB_OFF, sb, sizeof(sb), NULL) == 0 &&
	       vtr_ext_parse_super(&s, vtr_cur_of(sb, sizeof(sb), EXT_SB_OFF)) &&
	       (s.incompat & EXT3_FEATURE_INCOMPAT_RECOVER);
}

/*
 * A volume that says it needs no recovery while its journal has transactions. Linux drops them when it mounts such a
 * volume, and so they stay out here; e2fsck would replay them. A journal that cannot be read matters to nobody then.
 */
static int ext_warn_of_dropped(struct ext *x, struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *journal = NULL;
	struct vtr_error local = { 0 };
	struct vtr_jbd2_super s;
	uint64_t at;

	if (!(x->sb.compat & EXT3_FEATURE_COMPAT_HAS_JOURNAL) || x->sb.journal_ino == 0)
		return 0;
	if (ext_journal_open(&journal, &at, x, NULL, &local) < 0 || vtr_jbd2_super_read(&s, journal, at, &local) < 0) {
		if (vtr_error_is(&local, VTR_KINDS_LOST))
			return 0;
		if (err)
			*err = local;
		return -1;
	}
	if (s.start != 0)
		vtr_warn(x->fs.ctx, VTR_ECORRUPT,
			 "%s: its journal has transactions, and the superblock says that none waits: they are not "
			 "replayed, as Linux does; e2fsck would replay them",
			 x->info.type);
	return 0;
}

static int ext_open(struct vtr_fs **out, struct vtr_blk *b, const struct vtr_fs_others *others, struct vtr_error *err)
{
	VTR_FS_UNREF struct vtr_fs *fs = NULL;
	struct vtr_error local = { 0 };
	bool waiting = ext_is_waiting(b);
	struct ext *x;

	if (waiting && !b->ctx->no_replay) {
		if (ext_open_replayed(out, b, others, &local) == 0)
			return 0;
		if (!vtr_error_is(&local, VTR_KINDS_LOST)) {
			if (err)
				*err = local;
			return -1;
		}
	}
	if (ext_open_plain(&fs, b, false, err) < 0)
		return -1;
	x = to_ext(fs);
	if (local.code != VTR_OK) {
		vtr_error_at(&local, "%s: its journal cannot be replayed, and the volume is read as it lies",
			     x->info.type);
		vtr_warn_err(b->ctx, &local);
	} else if (waiting) {
		vtr_warn(b->ctx, VTR_OK, "%s: its journal waits to be replayed%s: read as it lies", x->info.type,
			 x->sb.compat & EXT4_FEATURE_COMPAT_FAST_COMMIT ? ", and its fast commits" : "");
	} else if (ext_warn_of_dropped(x, err) < 0) {
		return -1;
	}
	*out = vtr_steal(fs);
	return 0;
}

extern const struct vtr_fs_driver vtr_fs_driver_ext;
const struct vtr_fs_driver vtr_fs_driver_ext = {
	.sig = VTR_SIG_EXT,
	.open = ext_open,
	.identify = vtr_ext_identify,
};
