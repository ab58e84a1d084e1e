/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ext2, ext3 and ext4 as mke2fs, debugfs, tune2fs and e2fsck 1.47 write them, feature by feature. Whole volumes are
 * compared with the kernel's mount, or with debugfs; the rest with what was put in.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/ext_images.h"
#include "tests/part_images.h"

static char *dir, tree[512], image[512], scratch[512];

#define NEED_TOOLS()                                                                                                   \
	do {                                                                                                           \
		if (!part_has_tool("mke2fs") || !part_has_tool("debugfs"))                                             \
			skip();                                                                                        \
	} while (0)

/* The tree of every kind of file, made once. */
static void ext_need_tree(void)
{
	static bool made;

	if (!made) {
		ext_make_tree(tree, 400);
		part_run("head -c 4095 /dev/zero | tr '\\0' l >'%s.t'; ln -s \"$(cat '%s.t')\" '%s/link4095' || true",
			 tree, tree, tree);
	}
	made = true;
}

/* ---------------------------------------------------------------------------------------------------- whole volumes */

static const struct kind {
	const char *arguments, *size, *type;
	const char *after; /* a shell command with the image as $I */
	bool slow;	   /* with VTR_SLOW only */
} kinds[] = {
	{ "-b 4096 -I 128 -O none -r 0 -N 2000", "64M", "ext2", NULL, true },
	{ "-b 4096 -I 128 -O none,sparse_super,large_file -o hurd -N 2000", "64M", "ext2", NULL, false },
	{ "-t ext2 -b 4096 -I 128", "64M", "ext2", NULL, true },
	{ "-t ext3 -b 4096", "64M", "ext3", NULL, false },
	{ "-t ext4 -b 4096", "64M", "ext4", NULL, false },
	{ "-t ext4 -b 4096 -O ^has_journal,^resize_inode", "32M", "ext4", NULL, true },
	{ "-t ext4 -b 8192", "64M", "ext4", NULL, true },
	{ "-t ext4 -b 65536 -N 1000", "256M", "ext4", NULL, false },
	{ "-t ext4 -b 4096 -I 256 -O inline_data", "64M", "ext4", NULL, false },
	{ "-t ext4 -b 4096 -I 1024 -O inline_data", "64M", "ext4", NULL, true },
	{ "-t ext4 -b 4096 -I 4096 -N 1000 -O inline_data,ea_inode", "64M", "ext4", NULL, true },
	{ "-t ext4 -b 4096 -I 128", "64M", "ext4", NULL, true },
	{ "-t ext4 -b 4096 -O ^extents,^64bit", "64M", "ext4", NULL, false },
	{ "-t ext4 -b 4096 -O ^metadata_csum,uninit_bg", "64M", "ext4", NULL, true },
	{ "-t ext4 -b 4096 -O metadata_csum_seed -U 01234567-89ab-cdef-0123-456789abcdef", "64M", "ext4",
	  "tune2fs -U 11111111-2222-3333-4444-555555555555 $I", false },
	{ "-t ext4 -b 4096 -O bigalloc -C 65536", "256M", "ext4", NULL, false },
	{ "-t ext4 -b 4096 -g 1024 -O meta_bg,^resize_inode", "64M", "ext4", NULL, false },
	{ "-t ext4 -b 4096 -g 1024 -O ^flex_bg,sparse_super2", "64M", "ext4", NULL, true },
	{ "-t ext4 -b 4096 -O large_dir,mmp,project,stable_inodes", "64M", "ext4", NULL, true },
	{ "-t ext4 -b 4096 -O orphan_file,verity", "64M", "ext4", NULL, true },
	{ "-t ext4 -b 4096 -O casefold,encrypt -E encoding=utf8", "64M", "ext4", NULL, true },
	{ "-t ext4 -b 4096 -O dir_index", "64M", "ext4", "e2fsck -fyD $I; e2fsck -fn $I", false },
};

static void ext_reads_every_kind(void **state)
{
	(void)state;
	NEED_TOOLS();
	ext_need_tree();
	for (size_t i = 0; i < VTR_COUNT(kinds); i++) {
		char *said;
		struct ext_opened o;

		if (kinds[i].slow && !getenv("VTR_SLOW"))
			continue;
		said = ext_output("I='%s'; rm -f $I; mke2fs -q -F %s -E root_owner=0:0 -d '%s' $I %s 2>&1", image,
				  kinds[i].arguments, tree, kinds[i].size);
		free(said);
		said = ext_output("e2fsck -fn '%s' >/dev/null 2>&1 && echo sound", image);
		if (strcmp(said, "sound\n") != 0) {
			print_message("SKIPPED: this mke2fs does not make %s\n", kinds[i].arguments);
			free(said);
			continue;
		}
		free(said);
		if (kinds[i].after)
			part_run("I='%s'; { %s; } >/dev/null 2>&1 || [ $? -le 1 ]", image, kinds[i].after);
		ext_compare(image, scratch, 470);
		ext_open_file(&o, image, NULL);
		assert_string_equal(kinds[i].type, vtr_fs_info(o.fs)->type);
		assert_string_equal("", o.said);
		ext_done(&o);
	}
}

/* Blocks of 1 KiB reach the third level of indirection after 64 MiB. */
static void ext_indirect_and_extents_of_small_blocks(void **state)
{
	static const char *const arguments[] = {
		"-t ext2 -b 1024",
		"-t ext4 -b 1024 -O inline_data",
		"-t ext4 -b 2048 -O ^extents,^64bit",
		"-t ext3 -b 2048 -I 256",
		"-t ext4 -b 1024 -g 256 -O meta_bg,^resize_inode",
		"-b 1024 -I 128 -r 0 -O none -N 2000",
	};

	(void)state;
	NEED_TOOLS();
	ext_need_tree();
	part_run("mkdir -p '%s2'; cp -a '%s/.' '%s2/'; rm -f '%s2/link4095' '%s2/link1000'", tree, tree, tree, tree,
		 tree);
	for (size_t i = 0; i < VTR_COUNT(arguments); i++) {
		char small[600];

		snprintf(small, sizeof(small), "%s2", tree);
		ext_make_image(image, small, arguments[i], "64M");
		ext_compare(image, scratch, 470);
	}
}

/* Thousands of names, hashed, in several levels. */
static void ext_large_hashed_directories(void **state)
{
	static const char *const hashes[] = { "legacy", "half_md4", "tea" };
	char many[600];

	/* Some 180 blocks of names, and so two levels of index blocks, which have room for 125 entries each. */
	(void)state;
	NEED_TOOLS();
	snprintf(many, sizeof(many), "%s/many", dir);
	part_run(
		"mkdir -p '%s/d'; cd '%s/d'; seq -f 'a-rather-long-name-so-that-blocks-fill-up-soon-%%g' 1 3000 | xargs touch",
		many, many);
	ext_make_image(image, many, "-t ext4 -b 1024 -N 8000 -O large_dir", "32M");
	for (size_t i = 0; i < VTR_COUNT(hashes); i++) {
		struct ext_opened o;
		struct vtr_stat st;

		part_run("tune2fs -E hash_alg=%s '%s' >/dev/null; e2fsck -fyD '%s' >/dev/null 2>&1 || [ $? -le 1 ]",
			 hashes[i], image, image);
		ext_compare(image, scratch, 3000);
		ext_open_file(&o, image, NULL);
		st = ext_stat_of(&o, "/d/a-rather-long-name-so-that-blocks-fill-up-soon-2999");
		assert_int_equal(VTR_TYPE_FILE, st.type);
		ext_done(&o);
	}
}

/* -------------------------------------------------------------------------------------------------- what was put in */

/* An empty volume, and a file f in it. */
static void ext_small(const char *arguments, const char *commands)
{
	char script[8192], file[600];

	snprintf(file, sizeof(file), "%s/f", dir);
	part_run("printf 'contents' >'%s'; rm -f '%s'; mke2fs -q -F %s '%s' 8M >/dev/null 2>&1", file, image, arguments,
		 image);
	snprintf(script, sizeof(script), "write %s f\nmkdir d\n%s", file, commands);
	ext_debugfs(image, script);
}

static void ext_device_numbers(void **state)
{
	struct ext_opened o;
	struct vtr_stat st;

	(void)state;
	NEED_TOOLS();
	ext_small(
		"-t ext4",
		"mknod null c 1 3\nmknod sda b 8 255\nmknod wide c 511 4660\nmknod huge b 300 65535\nset_inode_field huge block[1] 0xfff12cff\nmknod pipe p\n"
		"mknod sock c 1 1\nset_inode_field sock mode 0140755\nset_inode_field sock block[0] 0");
	ext_open_file(&o, image, NULL);
	st = ext_stat_of(&o, "null");
	assert_true(st.type == VTR_TYPE_CHAR && st.rdev_major == 1 && st.rdev_minor == 3);
	st = ext_stat_of(&o, "sda");
	assert_true(st.type == VTR_TYPE_BLOCK && st.rdev_major == 8 && st.rdev_minor == 255);
	st = ext_stat_of(&o, "wide");
	assert_true(st.type == VTR_TYPE_CHAR && st.rdev_major == 511 && st.rdev_minor == 4660);
	st = ext_stat_of(&o, "huge");
	assert_true(st.type == VTR_TYPE_BLOCK && st.rdev_major == 300 && st.rdev_minor == 1048575);
	assert_int_equal(VTR_TYPE_FIFO, ext_stat_of(&o, "pipe").type);
	assert_int_equal(VTR_TYPE_SOCKET, ext_stat_of(&o, "sock").type);
	ext_done(&o);
	ext_compare(image, scratch, 8);
}

/* i_mtime holds 32 signed bits; i_mtime_extra 2 bits above them, below 30 bits of nanoseconds. */
static void ext_times(void **state)
{
	static const struct {
		const char *sec, *extra;
		int64_t want;
		uint32_t nsec;
	} times[] = {
		{ "0x00000000", "0x00000000", 0, 0 },
		{ "0x7fffffff", "0xee6b27fc", 2147483647, 999999999 }, /* 2038-01-19 */
		{ "0x80000000", "0x00000001", 2147483648, 0 },	       /* one second later */
		{ "0x80000000", "0x00000000", -2147483648LL, 0 },      /* 1901-12-13 */
		{ "0xffffffff", "0x00000004", -1, 1 },		       /* 1969-12-31 */
		{ "0x00000000", "0x00000001", 4294967296, 0 },	       /* 2106 */
		{ "0x7fffffff", "0x00000003", 15032385535, 0 },	       /* 2446-05-10, the last */
	};

	(void)state;
	NEED_TOOLS();
	for (size_t i = 0; i < VTR_COUNT(times); i++) {
		struct ext_opened o;
		struct vtr_stat st;
		char commands[600];

		snprintf(commands, sizeof(commands),
			 "set_inode_field f mtime_lo %s\nset_inode_field f mtime_extra %s\n"
			 "set_inode_field f crtime_lo %s\nset_inode_field f crtime_extra %s",
			 times[i].sec, times[i].extra, times[i].sec, times[i].extra);
		ext_small("-t ext4 -I 256", commands);
		ext_open_file(&o, image, NULL);
		st = ext_stat_of(&o, "f");
		assert_int_equal(times[i].want, st.mtime.sec);
		assert_int_equal(times[i].nsec, st.mtime.nsec);
		assert_true(st.btime.set && st.btime.sec == times[i].want && st.btime.nsec == times[i].nsec);
		ext_done(&o);
		ext_compare(image, scratch, 3);
	}
}

static void ext_small_inodes_have_no_nanoseconds(void **state)
{
	struct ext_opened o;
	struct vtr_stat st;

	(void)state;
	NEED_TOOLS();
	ext_small("-t ext2 -I 128", "set_inode_field f mtime 0x80000000");
	ext_open_file(&o, image, NULL);
	st = ext_stat_of(&o, "f");
	assert_true(st.mtime.set && st.mtime.sec == -2147483648LL && st.mtime.nsec == 0 && !st.btime.set);
	ext_done(&o);
}

static void ext_owners_of_32_bits(void **state)
{
	struct ext_opened o;
	struct vtr_stat st;

	(void)state;
	NEED_TOOLS();
	ext_small("-t ext4", "set_inode_field f uid 0x56789\nset_inode_field f gid 4294967294\n"
			     "set_inode_field f mode 0107777");
	ext_open_file(&o, image, NULL);
	st = ext_stat_of(&o, "f");
	assert_int_equal(0x56789, st.uid);
	assert_int_equal(4294967294u, st.gid);
	assert_int_equal(07777, st.mode);
	ext_done(&o);
	ext_compare(image, scratch, 3);
}

/* The value that getxattr(2) gives: version 2, and tag, permissions and id of each entry. */
static const uint8_t acl[] = {
	2, 0, 0,    0,	  1,	0,    6,  0, 0xff, 0xff, 0xff, 0xff, 2,	   0,	 7,  0, 0xe8, 3, 0,    0,    4,	   0,
	4, 0, 0xff, 0xff, 0xff, 0xff, 16, 0, 7,	   0,	 0xff, 0xff, 0xff, 0xff, 32, 0, 4,    0, 0xff, 0xff, 0xff, 0xff,
};
/* struct vfs_cap_data of version 2: cap_net_raw permitted and effective. */
static const uint8_t capability[] = { 1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };

static void ext_put_file(const char *name, const void *bytes, size_t len)
{
	char path[600];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(len, fwrite(bytes, 1, len, f));
	assert_int_equal(0, fclose(f));
}

static void ext_want_xattr(struct ext_opened *o, const char *path, const char *name, const void *value, size_t len)
{
	size_t n;
	uint8_t *v = ext_xattr_of(&n, o, path, name);

	if (!v || n != len || memcmp(v, value, len) != 0)
		fail_msg("%s of %s: %zu bytes, expected %zu, or other ones", name, path, v ? n : 0, len);
	free(v);
}

static void ext_attributes(void **state)
{
	static const char *const arguments[] = { "-t ext4 -I 256", "-t ext2 -I 128", "-t ext4 -I 1024 -O inline_data",
						 "-t ext4 -I 256 -O ea_inode",
						 "-t ext4 -I 256 -O ea_inode,^metadata_csum" };
	static const char selinux[] = "system_u:object_r:etc_t:s0"; /* with its NUL */
	static uint8_t large[4096]; /* the most that debugfs sets; with the header more than a block */
	char commands[4096], kind[200];

	(void)state;
	NEED_TOOLS();
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (uint8_t)(i * 7 + i / 256);
	ext_put_file("acl", acl, sizeof(acl));
	ext_put_file("cap", capability, sizeof(capability));
	ext_put_file("selinux", selinux, sizeof(selinux));
	ext_put_file("large", large, 3000);
	ext_put_file("huge", large, sizeof(large));
	for (size_t i = 0; i < VTR_COUNT(arguments); i++) {
		bool ea_inode = strstr(arguments[i], "ea_inode") != NULL;
		struct ext_opened o;
		size_t n;
		int at;

		at = snprintf(
			commands, sizeof(commands),
			"ea_set -f %s/selinux f security.selinux\nea_set -f %s/cap f security.capability\n"
			"ea_set -f %s/acl f system.posix_acl_access\nea_set -f %s/acl d system.posix_acl_default\n"
			"ea_set f user.empty \"\"\nea_set f user.short x\nea_set f trusted.overlay.opaque y\n"
			"ea_set -f %s/large d user.large\n",
			dir, dir, dir, dir, dir);
		if (ea_inode)
			snprintf(commands + at, sizeof(commands) - (size_t)at, "ea_set -f %s/huge d user.huge\n", dir);
		snprintf(kind, sizeof(kind), "-b 4096 %s", arguments[i]);
		ext_small(kind, commands);
		ext_open_file(&o, image, NULL);
		ext_want_xattr(&o, "f", "security.selinux", selinux, sizeof(selinux));
		ext_want_xattr(&o, "f", "security.capability", capability, sizeof(capability));
		ext_want_xattr(&o, "f", "system.posix_acl_access", acl, sizeof(acl));
		ext_want_xattr(&o, "d", "system.posix_acl_default", acl, sizeof(acl));
		ext_want_xattr(&o, "f", "user.short", "x", 1);
		ext_want_xattr(&o, "f", "user.empty", "", 0);
		ext_want_xattr(&o, "f", "trusted.overlay.opaque", "y", 1);
		ext_want_xattr(&o, "d", "user.large", large, 3000);
		if (ea_inode)
			ext_want_xattr(&o, "d", "user.huge", large, sizeof(large));
		assert_null(ext_xattr_of(&n, &o, "f", "user.none"));
		assert_string_equal("", o.said);
		ext_done(&o);
		ext_compare(image, scratch, 3);
	}
}

static void ext_encrypted_is_named_as_such(void **state)
{
	struct ext_opened o;
	struct vtr_error err = { 0 };
	struct vtr_place p;
	char *target = NULL, byte;

	(void)state;
	NEED_TOOLS();
	ext_small("-t ext4 -O encrypt",
		  "cd d\nmkdir aaaaaaaaaaaaaaaa\nsymlink bbbbbbbbbbbbbbbb to\ncd /\n"
		  "set_inode_field d flags 0x80800\nset_inode_field d/bbbbbbbbbbbbbbbb flags 0x800\n"
		  "set_inode_field f flags 0x80800");
	ext_open_file(&o, image, NULL);
	assert_true(ext_stat_of(&o, "d").flags & VTR_STAT_ENCRYPTED);
	assert_true(ext_stat_of(&o, "f").flags & VTR_STAT_ENCRYPTED);
	assert_int_equal(-1, vtr_fs_read(o.fs, ext_node_of(&o, "f"), 0, &byte, 1, &err));
	assert_int_equal(VTR_EUNSUPPORTED, err.code);
	assert_non_null(strstr(err.text, "encrypted"));
	/* The names are bytes of a cipher: RFC 4648's base64url of them. */
	ext_node_of(&o, "d/YWFhYWFhYWFhYWFhYWFhYQ");
	assert_int_equal(0, vtr_tree_walk(&p, o.t, "d/YmJiYmJiYmJiYmJiYmJiYg", VTR_WALK_NOFOLLOW, &err));
	assert_int_equal(-1, vtr_fs_readlink(&target, o.fs, p.node, &err));
	assert_int_equal(VTR_EUNSUPPORTED, err.code);
	ext_done(&o);
}

static void ext_casefold_directories(void **state)
{
	struct ext_opened o;
	struct vtr_error err = { 0 };
	struct vtr_place p;

	(void)state;
	NEED_TOOLS();
	ext_small("-t ext4 -O casefold -E encoding=utf8",
		  "set_inode_field d flags 0x40080000\ncd d\nmkdir Sub\nmkdir \303\204\n");
	ext_open_file(&o, image, NULL);
	assert_true(ext_stat_of(&o, "d").flags & VTR_STAT_CASEFOLD);
	assert_int_equal(ext_node_of(&o, "d/Sub"), ext_node_of(&o, "d/sUB"));
	assert_int_equal(ext_node_of(&o, "d/\303\204"), ext_node_of(&o, "d/\303\244"));
	assert_int_equal(-1, vtr_tree_walk(&p, o.t, "F", 0, &err));
	assert_int_equal(VTR_ENOTFOUND, err.code);
	ext_done(&o);
}

static void ext_symlinks_of_every_length(void **state)
{
	static const unsigned lengths[] = { 1, 58, 59, 60, 61, 155, 156, 157, 1023, 1024, 2047, 4095 };
	static const char *const arguments[] = { "-t ext4 -b 4096", "-t ext4 -b 4096 -O inline_data",
						 "-t ext2 -b 4096 -I 128" };

	(void)state;
	NEED_TOOLS();
	part_run("mkdir -p '%s/links'", dir);
	for (size_t i = 0; i < VTR_COUNT(lengths); i++)
		part_run("ln -sf $(head -c %u /dev/zero | tr '\\0' k) '%s/links/%u'", lengths[i], dir, lengths[i]);
	for (size_t k = 0; k < VTR_COUNT(arguments); k++) {
		struct ext_opened o;
		char links[600], name[16];

		snprintf(links, sizeof(links), "%s/links", dir);
		ext_make_image(image, links, arguments[k], "8M");
		ext_open_file(&o, image, NULL);
		for (size_t i = 0; i < VTR_COUNT(lengths); i++) {
			struct vtr_error err = { 0 };
			char *target;

			snprintf(name, sizeof(name), "%u", lengths[i]);
			assert_int_equal(lengths[i], ext_stat_of(&o, name).size);
			assert_int_equal(0, vtr_fs_readlink(&target, o.fs, ext_node_of(&o, name), &err));
			assert_int_equal(lengths[i], strlen(target));
			assert_int_equal(lengths[i], strspn(target, "k"));
			free(target);
		}
		ext_done(&o);
		ext_compare(image, scratch, VTR_COUNT(lengths));
	}
}

/* ------------------------------------------------------------------------------------------------------- the volume */

static const struct vtr_prop *ext_prop_of(struct ext_opened *o, const char *key)
{
	const struct vtr_fs_info *info = vtr_fs_info(o->fs);

	for (size_t i = 0; i < info->n_props; i++)
		if (strcmp(info->props[i].key, key) == 0)
			return &info->props[i];
	fail_msg("there is no %s", key);
	return NULL;
}

static void ext_facts_of_the_volume(void **state)
{
	const struct vtr_fs_info *info;
	struct ext_opened o;
	char *number;

	(void)state;
	NEED_TOOLS();
	ext_small("-t ext4 -b 4096 -L 'a label of 16..' -U 01234567-89ab-cdef-0123-456789abcdef -M /srv/data -I 512",
		  "");
	ext_open_file(&o, image, NULL);
	info = vtr_fs_info(o.fs);
	assert_string_equal("ext4", info->type);
	assert_string_equal("a label of 16..", info->label);
	assert_string_equal("01234567-89ab-cdef-0123-456789abcdef", info->uuid);
	assert_int_equal(4096, info->block_size);
	assert_int_equal(8 << 20, info->size);
	assert_false(info->dirty || info->damaged);
	number = ext_output("dumpe2fs -h '%s' 2>/dev/null | awk '/^Inode count/ { i = $3 } /^Free inodes/ { f = $3 } "
			    "END { printf \"%%d\", i - f }'",
			    image);
	assert_int_equal(atoi(number), info->nodes_used);
	free(number);
	number = ext_output("dumpe2fs -h '%s' 2>/dev/null | awk '/^Block count/ { i = $3 } /^Free blocks/ { f = $3 } "
			    "END { printf \"%%d\", (i - f) * 4096 }'",
			    image);
	assert_int_equal(atoi(number), info->used);
	free(number);
	number =
		ext_output("dumpe2fs -h '%s' 2>/dev/null | sed -n 's/^Filesystem features: *//p' | tr -d '\\n'", image);
	for (const char *word = strtok(number, " "); word; word = strtok(NULL, " "))
		assert_non_null(strstr(ext_prop_of(&o, "features")->text, word));
	free(number);
	assert_int_equal(512, ext_prop_of(&o, "inode_size")->number);
	assert_string_equal("clean", ext_prop_of(&o, "state")->text);
	assert_string_equal("/srv/data", ext_prop_of(&o, "last_mounted")->text);
	ext_done(&o);
}

static void ext_unclean_states_are_told(void **state)
{
	struct ext_opened o;

	(void)state;
	NEED_TOOLS();
	ext_small("-t ext4", "feature needs_recovery");
	ext_open_file(&o, image, NULL);
	assert_true(vtr_fs_info(o.fs)->dirty);
	assert_int_equal(1, ext_prop_of(&o, "needs_recovery")->number);
	assert_string_equal("", o.said); /* its journal is empty: there is nothing to replay, nor to tell */
	assert_int_equal(0, vtr_ctx_damage(o.ctx));
	ext_node_of(&o, "f");
	ext_done(&o);

	ext_small("-t ext4", "set_super_value last_orphan 12");
	ext_open_file(&o, image, NULL);
	assert_int_equal(1, ext_prop_of(&o, "orphans")->number);
	ext_done(&o);

	ext_small("-t ext4", "set_super_value state 2\nset_super_value error_count 7");
	ext_open_file(&o, image, NULL);
	assert_true(vtr_fs_info(o.fs)->damaged);
	assert_int_equal(7, ext_prop_of(&o, "error_count")->number);
	ext_done(&o);
}

static void ext_hurd_is_told(void **state)
{
	struct ext_opened o;

	(void)state;
	NEED_TOOLS();
	ext_small("-t ext2 -o hurd -I 128", "set_inode_field f block[0] 0\nset_inode_field f size 0");
	ext_open_file(&o, image, NULL);
	assert_string_equal("Hurd", ext_prop_of(&o, "creator_os")->text);
	ext_done(&o);
}

/* ----------------------------------------------------------------------------------------------------------- extents */

struct ext_map {
	struct vtr_fs *fs;
	size_t n;
	uint64_t off[64], len[64], phys[64];
	bool unwritten[64], inlined[64];
};

static int ext_ignore_fn(void *arg, const struct vtr_dirent *d)
{
	(void)arg, (void)d;
	return 0;
}

static int ext_map_fn(void *arg, const struct vtr_file_extent *e)
{
	struct ext_map *m = arg;

	assert_true(m->n < 64);
	assert_int_equal(0, vtr_fs_readdir(m->fs, vtr_fs_root(m->fs), ext_ignore_fn, NULL, NULL)); /* another node */
	m->off[m->n] = e->off;
	m->len[m->n] = e->len;
	m->phys[m->n] = e->phys;
	m->inlined[m->n] = e->inline_data;
	m->unwritten[m->n++] = e->unwritten;
	return 0;
}

static void ext_tells_where_files_lie(void **state)
{
	struct ext_opened o;
	struct vtr_error err = { 0 };
	struct ext_map m = { 0 };
	char *block, bytes[8];

	(void)state;
	NEED_TOOLS();
	ext_small("-t ext4 -b 1024", "fallocate f 4 7");
	block = ext_output("debugfs -R 'bmap f 0' '%s' 2>/dev/null", image);
	ext_open_file(&o, image, NULL);
	m.fs = o.fs;
	assert_int_equal(0, vtr_fs_extents(o.fs, ext_node_of(&o, "f"), ext_map_fn, &m, &err));
	assert_int_equal(1, m.n); /* what is reserved lies after the end of the file */
	assert_int_equal(0, m.off[0]);
	assert_int_equal(8, m.len[0]);
	assert_int_equal((uint64_t)atoi(block) * 1024, m.phys[0]);
	assert_int_equal(0, vtr_blk_pread(o.blk, m.phys[0], bytes, 8, &err));
	assert_memory_equal("contents", bytes, 8);
	free(block);
	ext_done(&o);

	ext_debugfs(image, "set_inode_field f size 7000");
	ext_open_file(&o, image, NULL);
	m.n = 0;
	m.fs = o.fs;
	assert_int_equal(0, vtr_fs_extents(o.fs, ext_node_of(&o, "f"), ext_map_fn, &m, &err));
	assert_int_equal(2, m.n);
	assert_true(m.off[1] == 4096 && m.len[1] == 7000 - 4096 && m.unwritten[1]);
	ext_done(&o);
}

static int ext_setup(void **state)
{
	(void)state;
	dir = part_temp();
	snprintf(tree, sizeof(tree), "%s/tree", dir);
	snprintf(image, sizeof(image), "%s/image", dir);
	snprintf(scratch, sizeof(scratch), "%s/scratch", dir);
	return 0;
}

static int ext_teardown(void **state)
{
	(void)state;
	part_run("chmod -R u+rwx '%s' 2>/dev/null || true", dir);
	part_temp_done(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ext_reads_every_kind),
		cmocka_unit_test(ext_indirect_and_extents_of_small_blocks),
		cmocka_unit_test(ext_large_hashed_directories),
		cmocka_unit_test(ext_device_numbers),
		cmocka_unit_test(ext_times),
		cmocka_unit_test(ext_small_inodes_have_no_nanoseconds),
		cmocka_unit_test(ext_owners_of_32_bits),
		cmocka_unit_test(ext_attributes),
		cmocka_unit_test(ext_encrypted_is_named_as_such),
		cmocka_unit_test(ext_casefold_directories),
		cmocka_unit_test(ext_symlinks_of_every_length),
		cmocka_unit_test(ext_facts_of_the_volume),
		cmocka_unit_test(ext_unclean_states_are_told),
		cmocka_unit_test(ext_hurd_is_told),
		cmocka_unit_test(ext_tells_where_files_lie),
	};

	return cmocka_run_group_tests(tests, ext_setup, ext_teardown);
}
