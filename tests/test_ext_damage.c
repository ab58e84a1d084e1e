/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Damage to ext volumes, one field at a time: what is answered, and with which words. The volume has blocks of 1 KiB, no
 * checksums but where they are the matter; offsets of fields are those of the kernel's Documentation/filesystems/ext4/.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "tests/ext_images.h"
#include "tests/part_images.h"

static char *dir;
static uint8_t *plain, *summed, *work; /* volumes; the one at hand */
static size_t plain_len, summed_len;

#define NEED_TOOLS()                                                                                                   \
	do {                                                                                                           \
		if (!plain)                                                                                            \
			skip();                                                                                        \
	} while (0)

static void damage_put(uint8_t *p, unsigned len, uint64_t v)
{
	for (unsigned i = 0; i < len; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static uint8_t *damage_make(size_t *len, const char *name, const char *features)
{
	char image[600], script[4096];

	snprintf(image, sizeof(image), "%s/%s", dir, name);
	part_run(
		"printf '%%0200d' 1 >'%s/long'; printf short >'%s/short'; head -c 9000 /dev/zero | tr '\\0' z >'%s/blocks'; "
		"mke2fs -q -F -b 1024 -I 256 -N 64 -O %s '%s' 1M >/dev/null 2>&1",
		dir, dir, dir, features, image);
	snprintf(
		script, sizeof(script),
		"write %s/blocks blocks\nwrite %s/long long\nwrite %s/short short\nmkdir sub\nsymlink fast target\n"
		"symlink slow %0100d\nea_set short user.a value\nea_set blocks user.b %0190d\nmknod pipe p\nmkdir dir\n"
		"cd dir\nwrite %s/short one\nwrite %s/short two\nwrite %s/short three\n",
		dir, dir, dir, 5, 6, dir, dir, dir);
	ext_debugfs(image, script);
	return ext_load_file(len, image);
}

/* ---------------------------------------------------------------------------------------------------- superblock */

static const struct {
	const char *what;
	size_t at; /* from the superblock */
	unsigned len;
	uint64_t value;
	int code;
	const char *words;
} supers[] = {
	{ "s_magic", 0x38, 2, 0xef54, VTR_ECORRUPT, "magic 0xef54, expected 0xef53" },
	{ "s_log_block_size", 0x18, 4, 7, VTR_ECORRUPT, "s_log_block_size 7, expected at most 6" },
	{ "s_log_block_size", 0x18, 4, 0xffffffff, VTR_ECORRUPT, "s_log_block_size 4294967295" },
	{ "s_log_block_size", 0x18, 4, 2, VTR_ECORRUPT, "s_log_cluster_size 0 with s_log_block_size 2" },
	{ "s_log_cluster_size", 0x1c, 4, 33, VTR_ECORRUPT, "s_log_cluster_size 33" },
	{ "s_first_data_block", 0x14, 4, 0, VTR_ECORRUPT, "s_first_data_block 0, expected 1" },
	{ "s_first_data_block", 0x14, 4, 2305, VTR_ECORRUPT, "s_first_data_block 2305, expected 1" },
	{ "s_first_data_block", 0x14, 4, 0xffffffff, VTR_ECORRUPT, "s_first_data_block 4294967295, expected 1" },
	{ "s_blocks_per_group", 0x20, 4, 0, VTR_ECORRUPT, "s_blocks_per_group 0" },
	{ "s_blocks_per_group", 0x20, 4, 8200, VTR_ECORRUPT, "s_blocks_per_group 8200" },
	{ "s_clusters_per_group", 0x24, 4, 0, VTR_ECORRUPT, "s_clusters_per_group 0" },
	{ "s_inodes_per_group", 0x28, 4, 0, VTR_ECORRUPT, "s_inodes_per_group 0" },
	{ "s_inodes_per_group", 0x28, 4, 8193, VTR_ECORRUPT, "s_inodes_per_group 8193, expected 1 to 8192" },
	{ "s_inodes_count", 0x00, 4, 0, VTR_ECORRUPT, "s_inodes_count 0, expected 1 groups" },
	{ "s_inodes_count", 0x00, 4, 0xffffffff, VTR_ECORRUPT, "s_inodes_count 4294967295" },
	{ "s_blocks_count_lo", 0x04, 4, 0, VTR_ECORRUPT, "s_blocks_count 0" },
	{ "s_blocks_count_lo", 0x04, 4, 1, VTR_ECORRUPT, "s_blocks_count 1" },
	{ "s_blocks_count_lo", 0x04, 4, 0xffffffff, VTR_ECORRUPT, "s_inodes_count" },
	{ "s_inode_size", 0x58, 2, 0, VTR_ECORRUPT, "s_inode_size 0, expected a power of two from 128 to 1024" },
	{ "s_inode_size", 0x58, 2, 64, VTR_ECORRUPT, "s_inode_size 64" },
	{ "s_inode_size", 0x58, 2, 129, VTR_ECORRUPT, "s_inode_size 129" },
	{ "s_inode_size", 0x58, 2, 2048, VTR_ECORRUPT, "s_inode_size 2048" },
	{ "s_rev_level", 0x4c, 4, 2, VTR_EUNSUPPORTED, "revision 2, read are 0 and 1" },
	{ "compression", 0x60, 4, 0x43, VTR_EUNSUPPORTED, "feature compression is not read" },
	{ "journal_dev", 0x60, 4, 0x4a, VTR_EUNSUPPORTED, "feature journal_dev is not read" },
	{ "dirdata", 0x60, 4, 0x1042, VTR_EUNSUPPORTED, "feature dirdata is not read" },
	{ "unknown", 0x60, 4, 0x80000042, VTR_EUNSUPPORTED, "incompatible feature 0x80000000 is unknown" },
	{ "64bit, s_desc_size", 0x60, 4, 0xc2, VTR_ECORRUPT, "s_desc_size 0, expected a power of two from 64 to 1024" },
};

static void damage_superblock(void **state)
{
	(void)state;
	NEED_TOOLS();
	for (size_t i = 0; i < VTR_COUNT(supers); i++) {
		struct ext_opened o;

		memcpy(work, plain, plain_len);
		damage_put(work + 1024 + supers[i].at, supers[i].len, supers[i].value);
		ext_open_bytes(&o, work, plain_len, NULL);
		if (o.fs)
			fail_msg("%s %#" PRIx64 " is accepted", supers[i].what, supers[i].value);
		if (o.err.code != supers[i].code || !strstr(o.err.text, supers[i].words))
			fail_msg("%s: %s: %s", supers[i].what, vtr_code_name(o.err.code), o.err.text);
		ext_done(&o);
	}
}

/* Group 1 of a volume of more than 8 MiB has a copy. */
static void damage_backup_superblock(void **state)
{
	static const struct {
		size_t at;
		unsigned len;
		uint64_t value;
		const char *words;
	} broken[] = {
		{ 1024 + 0x14, 4, 77,
		  "s_first_data_block 77, expected 1: the backup superblock at block 8193 is used" },
		{ 1024 + 0x38, 2, 0, "magic 0, expected 0xef53: the backup superblock at block 8193 is used" },
		{ 2048 + 8, 4, 0, "group 0 has no inode table: the backup superblock at block 8193 is used" },
		{ 2048 + 8, 4, 0xfffffff0, "group 0 has no inode table: the backup superblock at block 8193 is used" },
	};
	char image[600];
	uint8_t *b, *copy;
	size_t len;

	(void)state;
	NEED_TOOLS();
	snprintf(image, sizeof(image), "%s/large", dir);
	part_run("mke2fs -q -F -b 1024 -O none,filetype,sparse_super,extents,uninit_bg '%s' 12M >/dev/null 2>&1",
		 image);
	ext_debugfs(image, "mkdir found");
	b = ext_load_file(&len, image);
	copy = malloc(len);
	assert_non_null(copy);
	for (size_t i = 0; i < VTR_COUNT(broken); i++) {
		struct ext_opened o;

		memcpy(copy, b, len);
		damage_put(copy + broken[i].at, broken[i].len, broken[i].value);
		ext_open_bytes(&o, copy, len, NULL);
		assert_int_equal(VTR_TYPE_DIR, ext_stat_of(&o, "found").type);
		if (!strstr(o.said, broken[i].words))
			fail_msg("%s, expected %s", o.said, broken[i].words);
		ext_done(&o);

		/* The copy must say that it is the one of group 1, and be sound. */
		damage_put(copy + 8193 * 1024 + 0x5a, 2, 3);
		ext_open_bytes(&o, copy, len, NULL);
		assert_null(strstr(o.said, "backup"));
		ext_done(&o);
		damage_put(copy + 8193 * 1024 + 0x5a, 2, 1);
		damage_put(copy + 8193 * 1024 + 0x14, 4, 2305);
		ext_open_bytes(&o, copy, len, NULL);
		assert_null(strstr(o.said, "backup"));
		ext_done(&o);
	}
	free(copy);
	free(b);
}

/* A volume that is cut says so, at every length. */
static void damage_cut(void **state)
{
	(void)state;
	NEED_TOOLS();
	for (size_t len = 0; len < plain_len; len += len < 8192 ? 511 : 49999) {
		struct ext_opened o;
		struct vtr_stat st;
		struct vtr_error err = { 0 };

		ext_open_bytes(&o, plain, len, NULL);
		if (!o.fs) {
			assert_int_equal(VTR_ETRUNCATED, o.err.code);
		} else {
			assert_non_null(strstr(o.said, "read as far as that goes"));
			if (vtr_fs_stat(&st, o.fs, 2, &err) < 0)
				assert_int_equal(VTR_ETRUNCATED, err.code);
		}
		ext_done(&o);
	}
}

/* ----------------------------------------------------------------------------------------------------------- inodes */

/* The bytes of an inode in the volume at hand: the first group's table. */
static uint8_t *damage_inode(uint64_t ino)
{
	uint32_t per_group = vtr_get_le32(work + 1024 + 0x28);

	assert_true(ino > 0 && ino <= per_group);
	return work + (size_t)vtr_get_le32(work + 2048 + 8) * 1024 + (size_t)(ino - 1) * 256;
}

enum damage_do { STAT, READ, LIST, LINK, XATTR };

static int damage_count(void *arg, const struct vtr_dirent *d)
{
	(void)d;
	return ++*(int *)arg < 0;
}

static int damage_xattr(void *arg, const struct vtr_xattr *x)
{
	(void)x;
	return ++*(int *)arg < 0;
}

/* Read, list, … a node; the count of what came, or -1. */
static int damage_try(struct ext_opened *o, uint64_t node, enum damage_do what, struct vtr_error *err)
{
	struct vtr_stat st;
	char buf[16384], *target;
	int n = 0;

	switch (what) {
	case STAT:
		return vtr_fs_stat(&st, o->fs, node, err);
	case READ:
		return (int)vtr_fs_read(o->fs, node, 0, buf, sizeof(buf), err);
	case LIST:
		return vtr_fs_readdir(o->fs, node, damage_count, &n, err) < 0 ? -1 : n;
	case LINK:
		if (vtr_fs_readlink(&target, o->fs, node, err) < 0)
			return -1;
		n = (int)strlen(target);
		free(target);
		return n;
	case XATTR:
		return vtr_fs_xattrs(o->fs, node, damage_xattr, &n, err) < 0 ? -1 : n;
	}
	return -1;
}

/*
 * Fields of an inode (at: from its start; with BLOCK: from the start of the block that i_block[0] or, in a tree, the
 * first extent names; with ACL: of the block of attributes). count: what still comes, with words among the warnings;
 * -1: an error of code with words.
 */
#define BLOCK 0x10000u
#define ACL 0x20000u
static const struct {
	const char *path;
	enum damage_do what;
	size_t at;
	unsigned len;
	uint64_t value;
	int count, code;
	const char *words;
} fields[] = {
	/* i_mode, i_links_count */
	{ "short", STAT, 0x00, 2, 0x3000, -1, VTR_ECORRUPT, "mode 030000 is of no type" },
	{ "short", READ, 0x00, 2, 0x41ed, -1, VTR_EUSAGE, "is a directory, not a file" },
	/* i_size_high of a file: all a hole, but for what there is */
	{ "short", READ, 0x6c, 4, 1, 16384, 0, NULL },
	/* the extent header */
	{ "blocks", READ, 0x28, 2, 0xf30b, -1, VTR_ECORRUPT, "the header of an extent block is wrong" },
	{ "blocks", READ, 0x2a, 2, 5, -1, VTR_ECORRUPT, "the header of an extent block is wrong" },
	{ "blocks", READ, 0x2c, 2, 0, -1, VTR_ECORRUPT, "the header of an extent block is wrong" },
	{ "blocks", READ, 0x2e, 2, 6, -1, VTR_ECORRUPT, "" },
	{ "blocks", READ, 0x2e, 2, 1, -1, VTR_ECORRUPT, "" },
	{ "blocks", READ, 0x38, 2, 0, -1, VTR_ECORRUPT, "" }, /* ee_len */
	/* the first extent: ee_start_lo, ee_start_hi */
	{ "blocks", READ, 0x3c, 4, 0x7fffff00, -1, VTR_ECORRUPT, "leave the volume (1024 blocks)" },
	{ "blocks", READ, 0x3a, 2, 0xffff, -1, VTR_ECORRUPT, "leave the volume (1024 blocks)" },
	{ "blocks", READ, 0x3c, 4, 1020, -1, VTR_ECORRUPT, "9 blocks at 1020 leave the volume" },
	/* symlinks */
	{ "fast", LINK, 0x04, 4, 0, -1, VTR_ECORRUPT, "its target is empty" },
	{ "fast", LINK, 0x28, 2, 0x61, -1, VTR_ECORRUPT, "its target holds a NUL" },
	{ "fast", LINK, 0x04, 4, 32769, -1, VTR_ELIMIT, "limit path_len=32768" },
	{ "fast", LINK, 0x04, 4, 1024, -1, VTR_ECORRUPT, "a target of 1024 bytes, at most 1023" },
	{ "slow", LINK, BLOCK | 3, 1, 0, -1, VTR_ECORRUPT, "its target holds a NUL" },
	/* directories: rec_len, name_len, inode of the third entry, after "." and ".." of 12 bytes each */
	{ "dir", LIST, BLOCK | (24 + 4), 2, 0, 0, VTR_ECORRUPT, "record length 0: the rest of its block is lost" },
	{ "dir", LIST, BLOCK | (24 + 4), 2, 7, 0, VTR_ECORRUPT, "record length 7" },
	{ "dir", LIST, BLOCK | (24 + 4), 2, 14, 0, VTR_ECORRUPT, "record length 14" },
	{ "dir", LIST, BLOCK | (24 + 4), 2, 1004, 0, VTR_ECORRUPT, "record length 1004" },
	{ "dir", LIST, BLOCK | (24 + 4), 2, 1000, 1, 0, NULL }, /* swallows the others */
	{ "dir", LIST, BLOCK | (24 + 6), 1, 9, 2, VTR_ECORRUPT, "a name of 9 bytes for inode" },
	{ "dir", LIST, BLOCK | (24 + 6), 1, 0, 2, VTR_ECORRUPT, "has a name that is empty: left out" },
	{ "dir", LIST, BLOCK | 24, 4, 65, 2, VTR_ECORRUPT, "for inode 65: left out" },
	{ "dir", LIST, BLOCK | 24, 4, 0, 2, 0, NULL }, /* deleted */
	{ "dir", LIST, BLOCK | (24 + 8), 1, '/', 2, VTR_ECORRUPT, "has a name that holds a slash: left out" },
	{ "dir", LIST, BLOCK | (24 + 8), 1, 0, 2, VTR_ECORRUPT, "has a name that holds a NUL: left out" },
	/* its size in blocks; Linux 6.18 and debugfs 1.47.0 read what is marked as unwritten (bit 15 of ee_len) */
	{ "dir", LIST, 0x04, 4, 0, 0, VTR_ECORRUPT, "1 blocks beyond its size are not read" },
	{ "dir", LIST, 0x04, 4, 2048, 3, VTR_ECORRUPT, "1 blocks from block 1 are a hole" },
	{ "dir", LIST, 0x34, 4, 1, 0, VTR_ECORRUPT, "1 blocks from block 0 are a hole" },
	{ "dir", LIST, 0x38, 2, 0x8001, 3, VTR_ECORRUPT, "1 blocks from block 0 are marked as unwritten" },
	{ "dir", LIST, BLOCK | (24 + 12 + 12 + 4), 2, 972, 3, VTR_ECORRUPT, "the last 4 bytes" },
	{ "dir", LIST, 0x3c, 4, 0x7fffff00, 0, VTR_ECORRUPT, "" },
	/* attributes in the inode: i_extra_isize is 32, so the header lies at 160, its first entry at 164 */
	{ "short", XATTR, 128, 2, 31, -1, VTR_ECORRUPT, "i_extra_isize 31 in an inode of 256 bytes" },
	{ "short", XATTR, 128, 2, 132, -1, VTR_ECORRUPT, "i_extra_isize 132 in an inode of 256 bytes" },
	{ "short", XATTR, 160, 4, 0, 0, 0, NULL },
	{ "short", XATTR, 164, 1, 255, -1, VTR_ECORRUPT, "an attribute's name leaves its block" },
	{ "short", XATTR, 166, 2, 90, -1, VTR_ECORRUPT, "5 bytes at 90 leave its block" },
	{ "short", XATTR, 166, 2, 0xfffc, -1, VTR_ECORRUPT, "5 bytes at 65532 leave its block" },
	{ "short", XATTR, 172, 4, 0xffffffff, -1, VTR_ECORRUPT, "4294967295 bytes at" },
	{ "short", XATTR, 168, 4, 64, -1, VTR_ECORRUPT, "attribute \"user.a\": value inode 64" },
	{ "short", XATTR, 168, 4, 999, -1, VTR_ENOTFOUND, "there is no inode 999" },
	/* and in a block: i_file_acl, the header's magic, the first entry at 32 */
	{ "blocks", XATTR, 0x68, 4, 0xffffff, -1, VTR_ECORRUPT, "attribute block 16777215 is outside of the volume" },
	{ "blocks", XATTR, ACL | 0, 4, 0xea010000, -1, VTR_ECORRUPT, "magic 0xea010000, expected 0xea020000" },
	/* a value that ends where the block does, and one byte further */
	{ "blocks", XATTR, ACL | 34, 2, 1024 - 190, 1, 0, NULL },
	{ "blocks", XATTR, ACL | 34, 2, 1024 - 189, -1, VTR_ECORRUPT, "190 bytes at 835 leave its block" },
	{ "blocks", XATTR, ACL | 34, 2, 1023, -1, VTR_ECORRUPT, "190 bytes at 1023 leave its block" },
};

static void damage_of_fields(void **state)
{
	(void)state;
	NEED_TOOLS();
	for (size_t i = 0; i < VTR_COUNT(fields); i++) {
		struct vtr_error err = { 0 };
		struct ext_opened o;
		uint8_t *inode;
		uint64_t node;
		int n;

		memcpy(work, plain, plain_len);
		ext_open_bytes(&o, work, plain_len, NULL);
		node = ext_node_of(&o, fields[i].path);
		ext_done(&o);
		inode = damage_inode(node);
		if (fields[i].at & BLOCK)
			inode = work +
				(size_t)vtr_get_le32(inode + 0x28 + (vtr_get_le32(inode + 0x20) & 0x80000 ? 20 : 0)) *
					1024;
		else if (fields[i].at & ACL)
			inode = work + (size_t)vtr_get_le32(inode + 0x68) * 1024;
		damage_put(inode + (fields[i].at & 0xffff), fields[i].len, fields[i].value);
		ext_open_bytes(&o, work, plain_len, NULL);
		assert_non_null(o.fs);
		n = damage_try(&o, node, fields[i].what, &err);
		if (n != fields[i].count || (n < 0 && err.code != fields[i].code))
			fail_msg("%s, field at %#zx set to %#" PRIx64 ": %d, expected %d: %s %s", fields[i].path,
				 fields[i].at, fields[i].value, n, fields[i].count, vtr_code_name(err.code),
				 n < 0 ? err.text : o.said);
		if (fields[i].words && !strstr(n < 0 ? err.text : o.said, fields[i].words))
			fail_msg("%s, field at %#zx set to %#" PRIx64 ": %s, expected %s", fields[i].path, fields[i].at,
				 fields[i].value, n < 0 ? err.text : o.said, fields[i].words);
		if (n >= 0 && fields[i].code == 0)
			assert_int_equal(0, vtr_ctx_damage(o.ctx));
		else if (n >= 0)
			assert_true(vtr_ctx_damage(o.ctx) > 0);
		ext_done(&o);
	}
}

/* Linux refuses such a volume ("corrupt root inode"); here the rest of it can still be looked at. */
static void damage_of_the_root(void **state)
{
	static const struct {
		uint16_t mode;
		const char *words;
	} roots[] = {
		{ 0x81a4, "the root, inode 2, is a file, not a directory" },
		{ 0x31a4, "the root cannot be read: inode 2: mode 030644 is of no type" },
	};

	(void)state;
	NEED_TOOLS();
	for (size_t i = 0; i < VTR_COUNT(roots); i++) {
		struct ext_opened o;

		memcpy(work, plain, plain_len);
		damage_put(damage_inode(2), 2, roots[i].mode);
		ext_open_bytes(&o, work, plain_len, NULL);
		assert_non_null(o.fs);
		assert_true(vtr_ctx_damage(o.ctx) > 0);
		if (!strstr(o.said, roots[i].words))
			fail_msg("%s", o.said);
		ext_done(&o);
	}
}

/* Few blocks that name each other over and over: a walk of all branches would not end. */
static void damage_of_maps_that_repeat(void **state)
{
	struct vtr_error err = { 0 };
	struct ext_opened o;
	uint8_t *inode;
	uint64_t node, sub;
	uint32_t block;
	int n = 0;

	(void)state;
	NEED_TOOLS();
	memcpy(work, plain, plain_len);
	ext_open_bytes(&o, work, plain_len, NULL);
	node = ext_node_of(&o, "blocks");
	sub = ext_node_of(&o, "dir");
	ext_done(&o);

	/* A block full of pointers to one that is full of pointers to one of zeros. */
	inode = damage_inode(node);
	block = vtr_get_le32(inode + 0x28 + 20);
	for (uint32_t i = 0; i < 256; i++) {
		damage_put(work + (size_t)block * 1024 + i * 4, 4, block + 1);
		damage_put(work + (size_t)(block + 1) * 1024 + i * 4, 4, block + 2);
	}
	memset(work + (size_t)(block + 2) * 1024, 0, 1024);
	damage_put(inode + 0x20, 4, 0); /* i_flags: no extents */
	memset(inode + 0x28, 0, 60);
	damage_put(inode + 0x28 + 14 * 4, 4, block);
	damage_put(inode + 0x6c, 4, 3);
	ext_open_bytes(&o, work, plain_len, NULL);
	assert_int_equal(-1, damage_try(&o, node, READ, &err));
	assert_int_equal(VTR_ECORRUPT, err.code);
	assert_non_null(strstr(err.text, "its map of blocks takes more blocks than the volume has"));
	ext_done(&o);

	/* A directory whose extents are the same blocks, each of them sound and empty. */
	inode = damage_inode(sub);
	assert_true(inode < work + 100 * 1024);
	for (size_t b = 100; b < 1000; b++) {
		memset(work + b * 1024, 0, 1024);
		damage_put(work + b * 1024 + 4, 2, 1024);
	}
	damage_put(inode + 0x04, 4, 4 * 900 * 1024);
	damage_put(inode + 0x28 + 2, 2, 4);
	for (uint32_t i = 0; i < 4; i++) {
		uint8_t *extent = inode + 0x28 + 12 + i * 12;

		damage_put(extent, 4, i * 900);
		damage_put(extent + 4, 2, 900);
		damage_put(extent + 6, 2, 0);
		damage_put(extent + 8, 4, 100);
	}
	ext_open_bytes(&o, work, plain_len, NULL);
	assert_int_equal(0, vtr_fs_readdir(o.fs, sub, damage_count, &n, &err));
	if (!strstr(o.said, "it has more blocks than the volume"))
		fail_msg("%s", o.said);
	ext_done(&o);
}

/* ---------------------------------------------------------------------------------------------------- inline data */

/* Inline data: 60 bytes in the inode, the rest in system.data. */
static void damage_of_inline_data(void **state)
{
	struct vtr_error err = { 0 };
	struct ext_opened o;
	uint8_t *inode, buf[400];
	uint64_t node;
	char *at;

	(void)state;
	NEED_TOOLS();
	memcpy(work, summed, summed_len);
	ext_open_bytes(&o, work, summed_len, NULL);
	node = ext_node_of(&o, "inlined");
	assert_true(ext_stat_of(&o, "inlined").flags & VTR_STAT_INLINE);
	assert_int_equal(100, vtr_fs_read(o.fs, node, 0, buf, sizeof(buf), &err));
	assert_true(buf[0] == '0' && buf[98] == '0' && buf[99] == '3');
	ext_done(&o);
	inode = damage_inode(node);
	damage_put(inode + 4, 4, 300); /* larger than what is there: a hole after it */
	ext_open_bytes(&o, work, summed_len, NULL);
	assert_int_equal(300, vtr_fs_read(o.fs, node, 0, buf, sizeof(buf), &err));
	assert_true(buf[99] == '3' && buf[100] == 0 && buf[299] == 0);
	assert_non_null(strstr(o.said, "its checksum is wrong"));
	ext_done(&o);
	at = memmem(inode + 160, 96, "data", 4);
	assert_non_null(at);
	*at = 'D';
	ext_open_bytes(&o, work, summed_len, NULL);
	assert_int_equal(-1, vtr_fs_read(o.fs, node, 0, buf, sizeof(buf), &err));
	assert_int_equal(VTR_ECORRUPT, err.code);
	assert_non_null(strstr(err.text, "300 bytes of inline data, and no system.data"));
	ext_done(&o);
}

/* ----------------------------------------------------------------------------------------------------------- checksums */

/* A changed byte is told wherever a checksum covers it, and what is there is read. */
static void damage_that_checksums_tell(void **state)
{
	struct vtr_error err = { 0 };
	struct ext_opened o;
	uint64_t node, acl;
	int n = 0;

	(void)state;
	NEED_TOOLS();
	memcpy(work, summed, summed_len);
	work[1024 + 0x88] ^= 1; /* s_last_mounted */
	ext_open_bytes(&o, work, summed_len, NULL);
	assert_non_null(o.fs);
	assert_non_null(strstr(o.said, "the superblock's checksum is wrong"));
	node = ext_node_of(&o, "dir");
	acl = ext_node_of(&o, "blocks");
	ext_done(&o);

	memcpy(work, summed, summed_len);
	work[2048 + 12] ^= 1; /* bg_free_blocks_count */
	ext_open_bytes(&o, work, summed_len, NULL);
	assert_non_null(strstr(o.said, "the checksums of 1 group descriptors of 1 are wrong"));
	ext_done(&o);

	memcpy(work, summed, summed_len);
	damage_inode(node)[0x64] ^= 1; /* i_generation */
	ext_open_bytes(&o, work, summed_len, NULL);
	assert_true(ext_stat_of(&o, "dir").flags & VTR_STAT_DAMAGED);
	assert_non_null(strstr(o.said, "its checksum is wrong"));
	ext_done(&o);

	memcpy(work, summed, summed_len);
	work[(size_t)vtr_get_le32(damage_inode(node) + 0x3c) * 1024 + 24 + 8] ^= 2; /* a letter of a name */
	ext_open_bytes(&o, work, summed_len, NULL);
	assert_int_equal(0, vtr_fs_readdir(o.fs, node, damage_count, &n, &err));
	assert_int_equal(3, n);
	assert_non_null(strstr(o.said, "the checksum of block"));
	ext_done(&o);

	memcpy(work, summed, summed_len);
	work[(size_t)vtr_get_le32(damage_inode(acl) + 0x68) * 1024 + 1020] ^= 2; /* in a value */
	n = 0;
	ext_open_bytes(&o, work, summed_len, NULL);
	assert_int_equal(0, vtr_fs_xattrs(o.fs, acl, damage_xattr, &n, &err));
	assert_int_equal(1, n);
	assert_non_null(strstr(o.said, "the checksum of attribute block"));
	ext_done(&o);
}

/* An inode whose checksum is wrong is told, and its file is read, by extents and by indirect blocks. */
static void damage_to_an_inode_leaves_its_file(void **state)
{
	struct vtr_error err = { 0 };
	struct ext_opened o;
	uint8_t *indirect;
	uint64_t node;
	size_t len;

	(void)state;
	NEED_TOOLS();
	indirect = damage_make(&len, "indirect", "none,filetype,ext_attr,metadata_csum");
	for (unsigned i = 0; i < 2; i++) {
		memcpy(work, i == 0 ? indirect : summed, i == 0 ? len : summed_len);
		ext_open_bytes(&o, work, i == 0 ? len : summed_len, NULL);
		node = ext_node_of(&o, "blocks");
		ext_done(&o);
		damage_inode(node)[0x64] ^= 1;
		ext_open_bytes(&o, work, i == 0 ? len : summed_len, NULL);
		if (damage_try(&o, node, READ, &err) != 9000)
			fail_msg("%s", err.text);
		assert_non_null(strstr(o.said, "its checksum is wrong"));
		ext_done(&o);
	}
	free(indirect);
}

static int damage_setup(void **state)
{
	(void)state;
	dir = part_temp();
	if (!part_has_tool("mke2fs") || !part_has_tool("debugfs"))
		return 0;
	plain = damage_make(&plain_len, "plain", "none,filetype,extents,ext_attr,large_file,sparse_super");
	{
		char image[600], script[1000];

		summed = damage_make(&summed_len, "summed", "none,filetype,extents,ext_attr,metadata_csum");
		free(summed);
		snprintf(image, sizeof(image), "%s/summed", dir);
		/* In one volume files with blocks and a directory with one, and a file inside its inode. */
		part_run(
			"tune2fs -O inline_data '%s' >/dev/null 2>&1 || debugfs -w -R 'feature inline_data' '%s' >/dev/null 2>&1; "
			"printf '%%0100d' 3 >'%s/inlined'",
			image, image, dir);
		snprintf(script, sizeof(script), "write %s/inlined inlined", dir);
		ext_debugfs(image, script);
		summed = ext_load_file(&summed_len, image);
	}
	work = malloc(VTR_MAX(plain_len, summed_len));
	assert_non_null(work);
	return 0;
}

static int damage_teardown(void **state)
{
	(void)state;
	free(plain);
	free(summed);
	free(work);
	part_temp_done(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damage_superblock),
		cmocka_unit_test(damage_backup_superblock),
		cmocka_unit_test(damage_cut),
		cmocka_unit_test(damage_of_fields),
		cmocka_unit_test(damage_of_the_root),
		cmocka_unit_test(damage_of_maps_that_repeat),
		cmocka_unit_test(damage_of_inline_data),
		cmocka_unit_test(damage_that_checksums_tell),
		cmocka_unit_test(damage_to_an_inode_leaves_its_file),
	};

	return cmocka_run_group_tests(tests, damage_setup, damage_teardown);
}
