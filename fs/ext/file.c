/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Contents of files, targets of symbolic links. */
#include "fs/ext/ext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int vtr_ext_read(struct vtr_fs *fs, uint64_t node, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct ext *x = to_ext(fs);

	if (vtr_ext_node_load(x, &x->cur, node, err) < 0)
		return -1;
	if (x->cur.inode->i_flags & EXT4_ENCRYPT_FL)
		return vtr_fail(err, VTR_EUNSUPPORTED, "inode %" PRIu64 " is encrypted (fscrypt)", node);
	if (x->cur.inode->i_flags & EXT2_COMPRBLK_FL)
		return vtr_fail(err, VTR_EUNSUPPORTED, "inode %" PRIu64 " is compressed (e2compr)", node);
	if (x->cur.inode->i_flags & EXT4_INLINE_DATA_FL) {
		VTR_FREE uint8_t *all = NULL;
		size_t have, part;

		if (vtr_ext_inline_read(&all, &have, x, &x->cur, err) < 0)
			return -1;
		part = off < have ? VTR_MIN(len, have - (size_t)off) : 0;
		if (part > 0)
			memcpy(buf, all + off, part);
		memset((uint8_t *)buf + part, 0, len - part);
		return 0;
	}
	if (vtr_ext_node_map(x, &x->cur, err) < 0)
		return -1;
	return vtr_ext_read_mapped(x, &x->cur, off, buf, len, false, err);
}

static int ext_map_tell(struct ext *x, const struct ext_node *n, vtr_file_extent_fn *fn, void *arg,
			struct vtr_error *err)
{
	uint64_t size = vtr_ext_inode_size(n->inode);

	for (size_t i = 0; i < n->n; i++) {
		const struct ext_extent *m = &n->map[i];
		struct vtr_file_extent e = { .off = (uint64_t)m->lblk * x->block, .unwritten = m->unwritten };
		int r;

		if (e.off >= size)
			break;
		e.len = VTR_MIN((uint64_t)m->len * x->block, size - e.off);
		if (!vtr_range_in(m->pblk, m->len, x->sb.blocks))
			return vtr_fail(err, VTR_ECORRUPT,
					"inode %" PRIu64 ": %" PRIu32 " blocks at %" PRIu64
					" leave the volume (%" PRIu64 " blocks)",
					n->ino, m->len, m->pblk, x->sb.blocks);
		e.phys = m->pblk * x->block;
		r = fn(arg, &e);
		if (r != 0)
			return r;
	}
	return 0;
}

int vtr_ext_extents(struct vtr_fs *fs, uint64_t node, vtr_file_extent_fn *fn, void *arg, struct vtr_error *err)
{
	struct ext *x = to_ext(fs);
	struct ext_node own;
	uint64_t size;
	int r;

	if (vtr_ext_node_load(x, &x->cur, node, err) < 0)
		return -1;
	size = vtr_ext_inode_size(x->cur.inode);
	if (x->cur.inode->i_flags & (EXT4_ENCRYPT_FL | EXT2_COMPRBLK_FL))
		return vtr_fail(err, VTR_EUNSUPPORTED, "inode %" PRIu64 " is %s", node,
				x->cur.inode->i_flags & EXT4_ENCRYPT_FL ? "encrypted (fscrypt)"
									: "compressed (e2compr)");
	if (x->cur.inode->i_flags & EXT4_INLINE_DATA_FL) {
		struct vtr_file_extent e = { .inline_data = true };
		VTR_FREE uint8_t *all = NULL;
		size_t have;

		if (vtr_ext_inline_read(&all, &have, x, &x->cur, err) < 0)
			return -1;
		e.len = VTR_MIN(size, (uint64_t)have);
		return size ? fn(arg, &e) : 0;
	}
	if (vtr_ext_node_map(x, &x->cur, err) < 0)
		return -1;
	/* The caller may look at other nodes from within fn: the map must not go with the current one. */
	own = x->cur;
	x->cur = (struct ext_node){ 0 };
	r = ext_map_tell(x, &own, fn, arg, err);
	vtr_ext_node_done(&x->cur);
	x->cur = own;
	return r;
}

/* A target of fewer than 60 bytes lies in the inode when no block (but that of attributes) belongs to it. */
static bool ext_symlink_is_fast(const struct ext *x, const struct ext2_inode_large *i)
{
	uint32_t attr = i->i_file_acl || i->osd2.linux2.l_i_file_acl_high ? (1u << (x->sb.cluster_log2 + 1)) : 0;

	return vtr_ext_inode_size(i) < EXT_FAST_SYMLINK && !(i->i_flags & EXT4_EXTENTS_FL) &&
	       (i->i_blocks == 0 || i->i_blocks == attr || (x->sb.incompat & EXT4_FEATURE_INCOMPAT_EA_INODE));
}

ssize_t vtr_ext_readlink(struct vtr_fs *fs, uint64_t node, char *buf, size_t size, struct vtr_error *err)
{
	struct ext *x = to_ext(fs);
	const struct ext2_inode_large *i;

	if (vtr_ext_node_load(x, &x->cur, node, err) < 0)
		return -1;
	i = x->cur.inode;
	if (i->i_flags & EXT4_ENCRYPT_FL)
		return vtr_fail(err, VTR_EUNSUPPORTED, "symbolic link inode %" PRIu64 " is encrypted (fscrypt)", node);
	if (i->i_flags & EXT4_INLINE_DATA_FL) {
		VTR_FREE uint8_t *all = NULL;
		size_t have;

		if (vtr_ext_inline_read(&all, &have, x, &x->cur, err) < 0)
			return -1;
		if (size > have)
			return vtr_fail(err, VTR_ECORRUPT,
					"symbolic link inode %" PRIu64 ": a target of %zu bytes, %zu are there", node,
					size, have);
		memcpy(buf, all, size);
		return (ssize_t)size;
	}
	if (ext_symlink_is_fast(x, i)) {
		memcpy(buf, i->i_block, size);
		return (ssize_t)size;
	}
	if (size >= x->block)
		return vtr_fail(err, VTR_ECORRUPT,
				"symbolic link inode %" PRIu64 ": a target of %zu bytes, at most %" PRIu32, node, size,
				x->block - 1);
	if (vtr_ext_node_map(x, &x->cur, err) < 0 ||
	    vtr_ext_read_mapped(x, &x->cur, 0, (uint8_t *)buf, size, true, err) < 0)
		return -1;
	return (ssize_t)size;
}
