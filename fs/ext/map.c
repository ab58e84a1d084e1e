/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the blocks of a node are: extents, indirect blocks. */
#include "fs/ext/ext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Append a run; runs must go forward, or a tree of few blocks could describe any number of them. */
static int ext_map_add(struct ext *x, struct ext_node *n, uint64_t lblk, uint64_t pblk, uint64_t len, bool unwritten,
		       struct vtr_error *err)
{
	struct ext_extent *last = n->n ? &n->map[n->n - 1] : NULL;

	if (last && lblk < (uint64_t)last->lblk + last->len)
		return vtr_fail(err, VTR_ECORRUPT, "its extents overlap or go back: block %" PRIu64 " after %" PRIu64,
				lblk, (uint64_t)last->lblk + last->len - 1);
	if (lblk > UINT32_MAX || len > UINT32_MAX - lblk + 1)
		return vtr_fail(err, VTR_ECORRUPT, "an extent of %" PRIu64 " blocks at block %" PRIu64, len, lblk);
	if (last && !unwritten && !last->unwritten && lblk == (uint64_t)last->lblk + last->len &&
	    pblk == last->pblk + last->len && last->len + len <= UINT32_MAX) {
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
		return vtr_ext_fail(x, r, err);
	while (result == 0 && !(r = ext2fs_extent_get(h, op, &e))) {
		op = EXT2_EXTENT_NEXT;
		if (vtr_tick(x->fs.ctx, &x->fs.steps, 1, err) < 0) {
			result = -1;
		} else if (e.e_flags & EXT2_EXTENT_FLAGS_LEAF) {
			if (e.e_len == 0)
				result = vtr_fail(err, VTR_ECORRUPT, "the extent at block %" PRIu64 " has no blocks",
						  (uint64_t)e.e_lblk);
			else
				result = ext_map_add(x, n, e.e_lblk, e.e_pblk, e.e_len,
						     e.e_flags & EXT2_EXTENT_FLAGS_UNINIT, err);
		}
	}
	ext2fs_extent_free(h);
	if (result == 0 && r != EXT2_ET_EXTENT_NO_NEXT && r != EXT2_ET_NO_CURRENT_NODE)
		return vtr_ext_fail(x, r, err);
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

/* What libext2fs takes for an inode that is not in the table. */
static errcode_t ext_given_inode(ext2_filsys e2, ext2_ino_t ino, struct ext2_inode *inode)
{
	const struct ext *x = e2->io->private_data;

	if (ino != x->given->ino)
		return EXT2_ET_CALLBACK_NOTHANDLED;
	memcpy(inode, x->given->inode, sizeof(*inode));
	return 0;
}

/* Direct, indirect, double and triple indirect blocks. */
static int ext_map_blocks(struct ext *x, struct ext_node *n, struct vtr_error *err)
{
	struct ext_blocks b = {
		.x = x,
		.n = n,
		.end = vtr_div_up(vtr_ext_inode_size(n->inode), x->block),
		.err = err,
	};
	const int flags = x->e2->flags;
	errcode_t r;

	if (n->given) {
		x->given = n;
		x->e2->read_inode = ext_given_inode;
	}
	/* The library reads the inode again, and would refuse what we warned of and let through. */
	if (n->damaged)
		x->e2->flags |= EXT2_FLAG_IGNORE_CSUM_ERRORS;
	r = ext2fs_block_iterate3(x->e2, (ext2_ino_t)n->ino, BLOCK_FLAG_READ_ONLY | BLOCK_FLAG_DATA_ONLY, NULL,
				  ext_block_cb, &b);
	x->e2->flags = flags;
	x->e2->read_inode = NULL;
	if (b.result < 0)
		return -1;
	return r ? vtr_ext_fail(x, r, err) : 0;
}

/* Where the blocks of a node are, once. On damage what was found before it stays usable, with a warning. */
int vtr_ext_node_map(struct ext *x, struct ext_node *n, struct vtr_error *err)
{
	struct vtr_error local = { 0 };
	int r;

	if (n->mapped)
		return 0;
	if ((r = vtr_ext_fast_map(x, n, err)) != 0) {
		n->mapped = r > 0;
		return r < 0 ? -1 : 0;
	}
	n->n = 0;
	x->io_error.code = 0;
	x->reads_left = x->fs.blk->size / x->block + 16;
	if (n->inode->i_flags & EXT4_EXTENTS_FL)
		r = ext_map_extents(x, n, &local);
	else
		r = ext_map_blocks(x, n, &local);
	x->reads_left = UINT64_MAX;
	if (r < 0) {
		vtr_error_at(&local, "inode %" PRIu64, n->ino);
		/* A directory's other blocks are worth reading; a file with a hole where data was is not the file. */
		if (vtr_ext_mode_type(n->inode->i_mode) != VTR_TYPE_DIR || n->n == 0 ||
		    !vtr_error_is(&local, VTR_KIND_DAMAGED)) {
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
int vtr_ext_read_mapped(struct ext *x, const struct ext_node *n, uint64_t off, uint8_t *buf, size_t len, bool meta,
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
						"inode %" PRIu64 ": %" PRIu32 " blocks at %" PRIu64
						" leave the volume (%" PRIu64 " blocks)",
						n->ino, n->map[i].len, n->map[i].pblk, x->sb.blocks);
			} else if ((meta ? vtr_ext_meta(x, phys + from, buf, part, err)
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
