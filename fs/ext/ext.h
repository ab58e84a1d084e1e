/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the ext driver share. */
#ifndef VTR_FS_EXT_EXT_H
#define VTR_FS_EXT_EXT_H

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>

#include "base/bytes.h"
#include "base/pages.h"
#include "base/checked.h"
#include "fs/fs.h"
#include "fs/jbd2.h"

#define EXT_SB_OFF 1024u
#define EXT_SB_LEN 1024u
#define EXT_MAX_LOG_BLOCK 6u
#define EXT_MAX_XATTR (64u << 10)   /* a value in the inode or a block; the kernel's bound */
#define EXT_MAX_EA_INODE (1u << 20) /* the kernel sets 64 KiB at most */
#define EXT_XATTR_MAGIC 0xea020000u
#define EXT_FAST_SYMLINK 60u
#define EXT_MAX_PROPS 24u

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
	uint8_t journal_backup_type; /* 1: what follows is there */
	uint32_t journal_backup[17]; /* i_block of the journal's inode, then i_size_high and i_size */
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
	bool given;			/* from the superblock's copy or from fast commits, not from the inode table */
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
	struct vtr_pages *pages;
	struct vtr_error io_error;    /* of the last failed read that libext2fs asked for */
	uint64_t reads_left;	      /* of libext2fs, while it maps one node */
	const struct ext_node *given; /* while it is being mapped */
	struct ext_node cur;
	struct ext_fast *fast; /* what fast commits changed; NULL: nothing */
	uint64_t charged;      /* bytes of metadata that libext2fs holds */
	bool before;	       /* opened for its journal alone: what is wrong before replay may be right after it */
	struct vtr_fs_info info;
	struct vtr_prop props[EXT_MAX_PROPS];
	char uuid[37], label[17];
	char features[1024], last_mounted[400], state[64];
	char mkfs_time[48], mount_time[48], write_time[48];
};

static inline struct ext *to_ext(struct vtr_fs *fs)
{
	return (struct ext *)fs;
}

/* super.c */
int vtr_ext_precheck(const struct ext_super *s, const struct vtr_blk *blk, struct vtr_error *err);
void vtr_ext_make_info(struct ext *x);
void vtr_ext_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b);
bool vtr_ext_parse_super(struct ext_super *out, struct vtr_cur c);
void vtr_ext_prop(struct ext *x, const char *key, const char *title, int kind, uint64_t number, const char *text);
int vtr_ext_check_features(const struct ext_super *s, struct vtr_error *err);
const char *vtr_ext_type(const struct ext_super *s);

/* library.c */
extern const struct struct_io_manager vtr_ext_manager;
int vtr_ext_meta(struct ext *x, uint64_t off, void *buf, size_t len, struct vtr_error *err);
int vtr_ext_fail(struct ext *x, errcode_t code, struct vtr_error *err);

/* inode.c */
void vtr_ext_node_done(struct ext_node *n);
int vtr_ext_stat(struct vtr_stat *out, struct vtr_fs *fs, uint64_t node, struct vtr_error *err);
bool vtr_ext_dir_sum_ok(struct ext *x, uint64_t ino, const uint8_t generation[4], uint8_t *block);
int vtr_ext_mode_type(uint32_t mode);
bool vtr_ext_table_is_outside(const struct ext *x, dgrp_t g);
uint64_t vtr_ext_inode_size(const struct ext2_inode_large *i);
int vtr_ext_node_load(struct ext *x, struct ext_node *n, uint64_t ino, struct vtr_error *err);

int vtr_ext_inode_raw(void *out, struct ext *x, uint64_t ino, struct vtr_error *err);

/* map.c */
int vtr_ext_node_map(struct ext *x, struct ext_node *n, struct vtr_error *err);
int vtr_ext_read_mapped(struct ext *x, const struct ext_node *n, uint64_t off, uint8_t *buf, size_t len, bool meta,
			struct vtr_error *err);

/* xattr.c */
int vtr_ext_inline_read(uint8_t **out, size_t *len, struct ext *x, const struct ext_node *n, struct vtr_error *err);
int vtr_ext_xattrs(struct vtr_fs *fs, uint64_t node, vtr_xattr_fn *fn, void *arg, struct vtr_error *err);

/* file.c */
int vtr_ext_extents(struct vtr_fs *fs, uint64_t node, vtr_file_extent_fn *fn, void *arg, struct vtr_error *err);
int vtr_ext_read(struct vtr_fs *fs, uint64_t node, uint64_t off, void *buf, size_t len, struct vtr_error *err);
ssize_t vtr_ext_readlink(struct vtr_fs *fs, uint64_t node, char *buf, size_t size, struct vtr_error *err);

/* dir.c */
int vtr_ext_readdir(struct vtr_fs *fs, uint64_t dir, struct vtr_emitter *e, struct vtr_error *err);

/* fast.c */
/* Replay the fast commits that lie in the journal where r says, over x: a volume whose journal was replayed. */
int vtr_ext_fast_replay(struct ext *x, struct vtr_blk *journal, const struct vtr_jbd2_result *r, struct vtr_error *err);
void vtr_ext_fast_free(struct ext_fast *f);
uint64_t vtr_ext_fast_commits(const struct ext *x);
/* The bytes of an inode that fast commits changed, as on disk. NULL: none did. */
const uint8_t *vtr_ext_fast_inode(const struct ext *x, uint64_t ino);
/* The map of a node whose blocks fast commits changed: 1, or 0: none did, or -1. */
int vtr_ext_fast_map(struct ext *x, struct ext_node *n, struct vtr_error *err);
/* Hand on the entries of a directory that fast commits changed, with *result of vtr_fs_emit(): 1, or 0: none did. */
int vtr_ext_fast_list(int *result, struct ext *x, uint64_t dir, struct vtr_emitter *e, struct vtr_error *err);

#endif
