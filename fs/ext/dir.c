/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories: in blocks, and inline. */
#include "fs/ext/ext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ext_dir {
	struct ext *x;
	uint64_t ino;
	uint8_t generation[4]; /* as on disk */
	bool encrypted;
	struct vtr_emitter *e;
};

static int ext_dirent_type(unsigned t)
{
	static const int types[] = {
		VTR_TYPE_UNKNOWN, VTR_TYPE_FILE, VTR_TYPE_DIR,	  VTR_TYPE_CHAR,
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
				 "%s: directory inode %" PRIu64 ": entry at %#" PRIx64 ": record length %" PRIu32
				 ": the rest of its block is lost",
				 x->info.type, d->ino, origin + at, rec);
			return 0;
		}
		if (x->sb.incompat & EXT2_FEATURE_INCOMPAT_FILETYPE)
			type = ext_dirent_type(b[at + 7] & 15);
		else
			name_len |= (uint32_t)b[at + 7] << 8;
		if (ino != 0 && (name_len > rec - 8 || name_len > 255 || ino > x->sb.inodes)) {
			vtr_warn(x->fs.ctx, VTR_ECORRUPT,
				 "%s: directory inode %" PRIu64 ": entry at %#" PRIx64 ": a name of %" PRIu32
				 " bytes for inode %" PRIu32 ": left out",
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
	if (at < len)
		vtr_warn(x->fs.ctx, VTR_ECORRUPT,
			 "%s: directory inode %" PRIu64 ": the last %zu bytes at %#" PRIx64 " belong to no entry",
			 x->info.type, d->ino, len - at, origin + at);
	return 0;
}

static int ext_readdir_inline(struct ext_dir *d, struct vtr_error *err)
{
	struct ext *x = d->x;
	VTR_FREE uint8_t *all = NULL;
	size_t len;
	int r;

	if (vtr_ext_inline_read(&all, &len, x, &x->cur, err) < 0)
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

	if (vtr_ext_meta(x, pblk * x->block, buf, x->block, &local) < 0) {
		if (!vtr_error_is(&local, VTR_KIND_DAMAGED)) {
			if (err)
				*err = local;
			return -1;
		}
		vtr_error_at(&local, "%s: directory inode %" PRIu64, x->info.type, d->ino);
		vtr_warn_err(x->fs.ctx, &local);
		return 0;
	}
	if (!vtr_ext_dir_sum_ok(x, d->ino, d->generation, buf))
		vtr_warn(x->fs.ctx, VTR_ECORRUPT,
			 "%s: directory inode %" PRIu64 ": the checksum of block %" PRIu64 " is wrong", x->info.type,
			 d->ino, pblk);
	return ext_dir_block(d, buf, x->block, pblk * x->block, err);
}

/* A directory has no holes: entries that were in the blocks from next to at are lost. */
static void ext_dir_gap(const struct ext_dir *d, uint64_t next, uint64_t at)
{
	if (next < at)
		vtr_warn(d->x->fs.ctx, VTR_ECORRUPT,
			 "%s: directory inode %" PRIu64 ": %" PRIu64 " blocks from block %" PRIu64
			 " are a hole: their entries are lost",
			 d->x->info.type, d->ino, at - next, next);
}

int vtr_ext_readdir(struct vtr_fs *fs, uint64_t dir, struct vtr_emitter *e, struct vtr_error *err)
{
	struct ext *x = to_ext(fs);
	struct ext_dir d = { .x = x, .ino = dir, .e = e };
	VTR_FREE struct ext_extent *map = NULL;
	VTR_FREE uint8_t *buf = NULL;
	uint64_t end, next = 0, left = x->fs.blk->size / x->block + 1; /* no block is there twice */
	size_t n;
	int listed;

	if (vtr_ext_fast_list(&listed, x, dir, e, err))
		return listed;
	if (vtr_ext_node_load(x, &x->cur, dir, err) < 0)
		return -1;
	d.encrypted = x->cur.inode->i_flags & EXT4_ENCRYPT_FL;
	memcpy(d.generation, &x->cur.inode->i_generation, 4);
	if (x->cur.inode->i_flags & EXT4_INLINE_DATA_FL)
		return ext_readdir_inline(&d, err);
	if (vtr_ext_node_map(x, &x->cur, err) < 0 || !(buf = vtr_calloc(1, x->block, err)))
		return -1;
	end = vtr_div_up(vtr_ext_inode_size(x->cur.inode), x->block);
	/* The caller may look at other nodes from within emit: the map must not go with the current one. */
	n = x->cur.n;
	if (n > 0) {
		map = vtr_calloc(n, sizeof(*map), err);
		if (!map)
			return -1;
		memcpy(map, x->cur.map, n * sizeof(*map));
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t len = (uint64_t)map[i].lblk < end ? VTR_MIN((uint64_t)map[i].len, end - map[i].lblk) : 0;
		uint64_t in =
			map[i].pblk > 0 && map[i].pblk < x->sb.blocks ? VTR_MIN(len, x->sb.blocks - map[i].pblk) : 0;

		if (len < map[i].len && !(x->sb.compat & EXT2_FEATURE_COMPAT_DIR_PREALLOC))
			vtr_warn(fs->ctx, VTR_ECORRUPT,
				 "%s: directory inode %" PRIu64 ": %" PRIu64 " blocks beyond its size are not read",
				 x->info.type, dir, map[i].len - len);
		if (len == 0)
			break;
		ext_dir_gap(&d, next, map[i].lblk);
		next = map[i].lblk + len;
		/* Linux reads such a block as any other; e2fsck clears the mark. */
		if (map[i].unwritten)
			vtr_warn(fs->ctx, VTR_ECORRUPT,
				 "%s: directory inode %" PRIu64 ": %" PRIu64 " blocks from block %" PRIu32
				 " are marked as unwritten: they are read all the same",
				 x->info.type, dir, len, map[i].lblk);
		if (in < len)
			vtr_warn(fs->ctx, VTR_ECORRUPT,
				 "%s: directory inode %" PRIu64 ": %" PRIu64 " blocks at %" PRIu64 " leave the volume",
				 x->info.type, dir, len, map[i].pblk);
		for (uint64_t k = 0; k < in; k++, left--) {
			int r;

			if (left == 0) {
				vtr_warn(fs->ctx, VTR_ECORRUPT,
					 "%s: directory inode %" PRIu64 ": it has more blocks than the volume",
					 x->info.type, dir);
				return 0;
			}
			r = ext_readdir_block(&d, map[i].pblk + k, buf, err);
			if (r != 0)
				return r;
			if (vtr_tick(fs->ctx, &fs->steps, 1, err) < 0)
				return -1;
		}
	}
	ext_dir_gap(&d, next, end);
	return 0;
}
