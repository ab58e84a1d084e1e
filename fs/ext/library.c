/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libext2fs's I/O channel over our block source, and what its errors mean. */
#include "fs/ext/ext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Read metadata through the cache. */
int vtr_ext_meta(struct ext *x, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	if (vtr_tick(x->fs.ctx, &x->fs.steps, 1 + len / VTR_PAGE, err) < 0)
		return -1;
	return vtr_pages_read(x->pages, off, buf, len, err);
}

static errcode_t ext_io_read64(io_channel ch, unsigned long long block, int count, void *data)
{
	struct ext *x = ch->private_data;
	uint64_t off, len = count < 0 ? (uint64_t) - (int64_t)count : (uint64_t)count * (unsigned)ch->block_size;

	if (vtr_mul_over((uint64_t)block, (uint64_t)(unsigned)ch->block_size, &off) ||
	    !vtr_range_in(off, len, x->sb.blocks * x->block)) {
		vtr_error_set(&x->io_error, VTR_ECORRUPT, "block %llu is outside of the volume (%" PRIu64 " blocks)",
			      block, x->sb.blocks);
		return EXT2_ET_BAD_BLOCK_NUM;
	}
	/* Trees whose branches are the same blocks over and over would be walked for hours. */
	if (x->reads_left-- == 0) {
		x->reads_left = 0;
		vtr_error_set(&x->io_error, VTR_ECORRUPT, "its map of blocks takes more blocks than the volume has");
		return EXT2_ET_BAD_BLOCK_NUM;
	}
	return vtr_ext_meta(x, off, data, (size_t)len, &x->io_error) < 0 ? EXT2_ET_SHORT_READ : 0;
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

const struct struct_io_manager vtr_ext_manager = {
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
int vtr_ext_fail(struct ext *x, errcode_t code, struct vtr_error *err)
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
