/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal of ext3 and ext4, replayed into a view of the volume; nothing is written. */
#ifndef VTR_FS_JBD2_H
#define VTR_FS_JBD2_H

#include "base/blk.h"

/* What a journal's superblock says. */
struct vtr_jbd2_super {
	uint32_t block;	      /* bytes */
	uint32_t first, last; /* the log's blocks: first to last - 1 */
	uint32_t start;	      /* where replay begins; 0: nothing waits */
	uint32_t sequence;    /* of the first transaction there */
	uint32_t incompat, compat;
	uint32_t fast_commit_blocks; /* after last; 0: none */
	uint32_t error;
	uint8_t uuid[16];
};

/*
 * Read and check the superblock, at byte at of journal: 0 where the journal is a file; on a device of its own it is
 * the block after the device's superblock, and its blocks are counted from the start of the device.
 */
int vtr_jbd2_super_read(struct vtr_jbd2_super *out, struct vtr_blk *journal, uint64_t at, struct vtr_error *err);

/* What replay found. */
struct vtr_jbd2_result {
	uint64_t transactions, blocks, revoked;
	uint32_t next; /* the transaction after the last complete one */
	/* Where in the journal fast commits to that transaction lie; they are not replayed here. 0 blocks: nowhere. */
	uint32_t fast_first, fast_blocks;
	uint32_t block; /* bytes */
};

/*
 * *out is fs_blk with the blocks of the journal's complete transactions in their places. journal and at are as above; both blocks are kept references to. A log that ends in the middle of a transaction is what a
 * crash leaves: what came before counts. Blocks whose checksum is wrong are warned of and left as they lie in fs_blk.
 */
int vtr_jbd2_replay(struct vtr_blk **out, struct vtr_jbd2_result *result, struct vtr_blk *fs_blk,
		    struct vtr_blk *journal, uint64_t at, struct vtr_error *err);

#endif
