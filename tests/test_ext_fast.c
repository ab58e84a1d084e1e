/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fast commits of ext4. Volumes that Linux wrote, with what Linux shows after mounting them (tests/images/mk-ext-fast.sh);
 * and areas of fast commits that are put together here, by the kernel's Documentation/filesystems/ext4/journal.rst, over
 * one of these volumes.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/crc.h"
#include "base/hash.h"
#include "tests/ext_images.h"
#include "tests/part_images.h"

#define BLOCK 1024u
#define AREA 63u /* blocks: one less than s_num_fc_blks */

static char *dir;
static uint8_t *image, *work; /* ext-fast as it lies, and the copy at hand */
static size_t image_len, area_at;
static uint32_t tid;

#define NEED_TOOLS()                                                                                                   \
	do {                                                                                                           \
		if (!image)                                                                                            \
			skip();                                                                                        \
	} while (0)

static int fast_count(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	(void)err;
	assert_false(e->failed);
	++*(unsigned *)arg;
	return 0;
}

/* The SHA-256 of a file. */
static void fast_sum(char *out, struct ext_opened *o, uint64_t node, uint64_t size)
{
	uint8_t *all = malloc(size + 1), sum[VTR_HASH_MAX];
	struct vtr_error err = { 0 };

	assert_non_null(all);
	if (vtr_fs_read(o->fs, node, 0, all, size, &err) != (ssize_t)size)
		fail_msg("%s", err.text);
	assert_int_equal(0, vtr_hash_bytes(sum, VTR_HASH_SHA256, all, size, &err));
	for (size_t i = 0; i < 32; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
	free(all);
}

/* Each line of a list: path, type, mode, uid, gid, links, size, SHA-256. */
static void fast_compare(const char *name)
{
	char path[600], line[1000], *at, *field[8], sum[65];
	struct vtr_error err = { 0 };
	unsigned lines = 0, entries = 0;
	struct ext_opened o;
	struct vtr_place top;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.img", dir, name);
	ext_open_file(&o, path, NULL);
	assert_non_null(o.fs);
	if (o.said[0])
		fail_msg("%s: %s", name, o.said);
	snprintf(path, sizeof(path), "tests/images/%s.tsv", name);
	f = fopen(path, "r");
	assert_non_null(f);
	for (; fgets(line, sizeof(line), f); lines++) {
		struct vtr_stat st;
		uint64_t node;

		line[strcspn(line, "\n")] = 0;
		at = line;
		for (size_t i = 0; i < 8; i++)
			field[i] = strsep(&at, "\t");
		assert_non_null(field[7]);
		node = strcmp(field[0], "/") == 0 ? vtr_fs_root(o.fs) : ext_node_of(&o, field[0]);
		assert_int_equal(0, vtr_fs_stat(&st, o.fs, node, &err));
		assert_string_equal(field[1], vtr_type_name(st.type));
		if (st.mode != strtoul(field[2], NULL, 8) || st.uid != strtoul(field[3], NULL, 10) ||
		    st.gid != strtoul(field[4], NULL, 10) || st.nlink != strtoul(field[5], NULL, 10) ||
		    (st.type != VTR_TYPE_DIR &&
		     st.size != strtoull(field[6], NULL, 10))) /* Linux gives a directory blocks */
			fail_msg("%s: %s: mode %o, owner %u %u, %u links, %llu bytes, expected %s, %s %s, %s, %s", name,
				 field[0], (unsigned)st.mode, (unsigned)st.uid, (unsigned)st.gid, (unsigned)st.nlink,
				 (unsigned long long)st.size, field[2], field[3], field[4], field[5], field[6]);
		if (st.type != VTR_TYPE_FILE)
			continue;
		fast_sum(sum, &o, node, st.size);
		if (strcmp(sum, field[7]) != 0)
			fail_msg("%s: %s: contents differ", name, field[0]);
	}
	fclose(f);
	top = (struct vtr_place){ o.fs, vtr_fs_root(o.fs) };
	assert_int_equal(0, vtr_tree_list(o.t, &top, VTR_LIST_RECURSIVE, fast_count, &entries, &err));
	assert_int_equal(lines - 1, entries); /* the root has a line */
	ext_done(&o);
}

static void fast_commits_of_linux_are_replayed(void **state)
{
	(void)state;
	NEED_TOOLS();
	fast_compare("ext-fast");
	fast_compare("ext-fast-inline");
}

/* ------------------------------------------------------------------------------------------------ areas made here */

struct area {
	uint8_t *block; /* the one that is being filled */
	size_t at;	/* in it */
	uint32_t crc;
};

static void area_put(uint8_t *p, unsigned len, uint64_t v)
{
	for (unsigned i = 0; i < len; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* A tag; where it does not fit, the block is padded first. */
static void area_tag(struct area *a, unsigned tag, const uint8_t *value, size_t len, size_t said)
{
	uint8_t *p;

	if (a->at + 4 + len > BLOCK) {
		p = a->block + a->at;
		if (a->at + 4 <= BLOCK) {
			area_put(p, 2, 7);
			area_put(p + 2, 2, BLOCK - a->at - 4);
			a->crc = vtr_crc32c_raw(a->crc, p, BLOCK - a->at);
		}
		a->block += BLOCK;
		a->at = 0;
	}
	p = a->block + a->at;
	area_put(p, 2, tag);
	area_put(p + 2, 2, said);
	memcpy(p + 4, value, len);
	a->crc = vtr_crc32c_raw(a->crc, p, 4 + len);
	a->at += 4 + len;
}

/* The end of a commit: the rest of the block, with the transaction and the checksum first. */
static void area_tail(struct area *a, uint32_t of, uint32_t wrong)
{
	uint8_t *p = a->block + a->at;

	if (a->at + 12 > BLOCK)
		fail_msg("a tail does not fit");
	area_put(p, 2, 8);
	area_put(p + 2, 2, BLOCK - a->at - 4);
	area_put(p + 4, 4, of);
	area_put(p + 8, 4, vtr_crc32c_raw(a->crc, p, 8) ^ wrong);
	a->block += BLOCK;
	a->at = 0;
	a->crc = 0;
}

/* A number, or =PATH: the inode that has this path before fast commits. */
static uint32_t area_number(struct ext_opened *before, const char *word)
{
	if (!word)
		fail_msg("a number is missing");
	return word[0] == '=' ? (uint32_t)ext_node_of(before, word + 1) : (uint32_t)strtoul(word, NULL, 0);
}

/*
 * Put the area together by a script of lines:
 *	head FEATURES TID-DIFFERENCE	tail TID-DIFFERENCE WRONG	pad LENGTH	raw TAG LENGTH SAID-LENGTH	cut
 *	inode N MODE LINKS SIZE FLAGS	create|link|unlink DIR N NAME	add N LBLK LEN PBLK	del N LBLK LEN
 */
static void area_make(struct ext_opened *before, const char *script)
{
	struct area a = { .block = work + area_at };
	char text[4000], *line, *lines = text;

	memset(work + area_at, 0, AREA * BLOCK);
	snprintf(text, sizeof(text), "%s", script);
	while ((line = strsep(&lines, "\n;"))) {
		char *verb = strsep(&line, " "), *word[5] = { 0 };
		uint8_t v[1100] = { 0 };
		uint32_t n[5] = { 0 };
		size_t len = 0;

		if (!verb[0])
			continue;
		for (size_t i = 0; i < 5 && line; i++)
			word[i] = strsep(&line, " ");
		for (size_t i = 0; i < 5 && word[i]; i++)
			n[i] = i == 2 && strpbrk(verb, "kt") && strcmp(verb, "inode") != 0
				       ? 0
				       : area_number(before, word[i]);
		if (strcmp(verb, "head") == 0) {
			area_put(v, 4, n[0]);
			area_put(v + 4, 4, tid + n[1]);
			area_tag(&a, 9, v, 8, 8);
		} else if (strcmp(verb, "tail") == 0) {
			area_tail(&a, tid + n[0], n[1]);
		} else if (strcmp(verb, "cut") == 0) {
			a.block[-1 - (int)BLOCK + 5] ^= 1;
		} else if (strcmp(verb, "pad") == 0) {
			area_tag(&a, 7, v, n[0], n[0]);
		} else if (strcmp(verb, "raw") == 0) {
			area_tag(&a, n[0], v, n[1], word[2] ? (size_t)strtoul(word[2], NULL, 0) : n[1]);
		} else if (strcmp(verb, "inode") == 0) {
			area_put(v, 4, n[0]);
			area_put(v + 4, 2, n[1]);
			area_put(v + 4 + 0x04, 4, n[3]);
			area_put(v + 4 + 0x1a, 2, n[2]);
			area_put(v + 4 + 0x20, 4, n[4]);
			area_put(v + 4 + 0x80, 2, 32);
			area_tag(&a, 6, v, 4 + 160, 4 + 160);
		} else if (strcmp(verb, "add") == 0) {
			area_put(v, 4, n[0]);
			area_put(v + 4, 4, n[1]);
			area_put(v + 8, 2, strtoul(word[2], NULL, 0));
			area_put(v + 12, 4, n[3]);
			area_tag(&a, 1, v, 16, 16);
		} else if (strcmp(verb, "del") == 0) {
			area_put(v, 4, n[0]);
			area_put(v + 4, 4, n[1]);
			area_put(v + 8, 4, strtoul(word[2], NULL, 0));
			area_tag(&a, 2, v, 12, 12);
		} else {
			static const char *const verbs[] = { "create", "link", "unlink" };
			unsigned tag = 0;

			while (tag < 3 && strcmp(verb, verbs[tag]) != 0)
				tag++;
			if (tag == 3 || !word[2])
				fail_msg("script: %s", verb);
			len = strlen(word[2]);
			area_put(v, 4, n[0]);
			area_put(v + 4, 4, n[1]);
			memcpy(v + 8, word[2], len);
			area_tag(&a, tag + 3, v, 8 + len, 8 + len);
		}
	}
}

#define FILE_OF(n, links, size) "inode " #n " 0x81a4 " #links " " #size " 0x80000;"
#define NEW_DIR(n) "inode " #n " 0x41ed 2 1024 0x80000;"
#define WHOLE "tail 0 0"

static const struct {
	const char *script;
	const char *path; /* what is looked at: with links and size, or -1: it is not there */
	int links;
	uint64_t size;
	const char *words; /* of a warning; NULL: none comes */
} areas[] = {
	/* the scan: which commits count */
	{ "", "d/fresh", -1, 0, NULL },
	{ "head 0 0;" FILE_OF(400, 1, 9) "create 2 400 fresh;" WHOLE, "fresh", 1, 9, NULL },
	{ "head 0 1;" FILE_OF(400, 1, 9) "create 2 400 fresh;tail 1 0", "fresh", -1, 0, NULL },
	{ "head 0 -1;" FILE_OF(400, 1, 9) "create 2 400 fresh;tail -1 0", "fresh", -1, 0, NULL },
	{ "head 1 0;" FILE_OF(400, 1, 9) "create 2 400 fresh;" WHOLE, "fresh", -1, 0, "features 0x1" },
	{ "head 0 0;" FILE_OF(400, 1, 9) "create 2 400 fresh", "fresh", -1, 0, NULL }, /* interrupted */
	{ "head 0 0;" FILE_OF(400, 1, 9) "create 2 400 fresh;tail 0 1", "fresh", -1, 0,
	  "fast commits from block 1025 on are not replayed, 1 of them: the checksum of a commit is wrong" },
	{ "head 0 0;" FILE_OF(400, 1, 9) "create 2 400 fresh;" WHOLE
					 ";" FILE_OF(401, 1, 7) "create 2 401 two;tail 0 0x100",
	  "fresh", 1, 9, "fast commits from block 1026 on are not replayed, 1 of them" },
	{ "head 0 0;" FILE_OF(400, 1, 9) "create 2 400 fresh;" WHOLE
					 ";" FILE_OF(401, 1, 7) "create 2 401 two;tail -1 0",
	  "two", -1, 0, NULL }, /* of an older transaction */
	{ "head 0 0;" FILE_OF(400, 1, 9) "create 2 400 fresh;" WHOLE ";raw 10 4;" WHOLE, "fresh", 1, 9,
	  "tag 10 of 4 bytes" },
	{ "head 0 0;" FILE_OF(400, 1, 9) "create 2 400 fresh;" WHOLE ";raw 10 4", "fresh", 1, 9, NULL },
	{ "head 0 0;pad 0;pad 990;" FILE_OF(400, 1, 9) "create 2 400 fresh;" WHOLE, "fresh", 1, 9,
	  NULL }, /* two blocks */
	{ FILE_OF(400, 1, 9) "create 2 400 fresh;" WHOLE, "fresh", -1, 0, "there is something else before them" },
	/* lengths: the last that passes, the first that does not */
	{ "head 0 0;raw 1 16;" WHOLE, "fresh", -1, 0, NULL },
	{ "head 0 0;raw 1 17;" WHOLE, "fresh", -1, 0, "tag 1 of 17 bytes" },
	{ "head 0 0;raw 1 15;" WHOLE, "fresh", -1, 0, "tag 1 of 15 bytes" },
	{ "head 0 0;raw 2 12;" WHOLE, "fresh", -1, 0, NULL },
	{ "head 0 0;raw 2 13;" WHOLE, "fresh", -1, 0, "tag 2 of 13 bytes" },
	{ "head 0 0;raw 4 9;" WHOLE, "fresh", -1, 0, NULL },
	{ "head 0 0;raw 4 8;" WHOLE, "fresh", -1, 0, "tag 4 of 8 bytes" },
	{ "head 0 0;raw 4 263;" WHOLE, "fresh", -1, 0, NULL },
	{ "head 0 0;raw 4 264;" WHOLE, "fresh", -1, 0, "tag 4 of 264 bytes" },
	{ "head 0 0;raw 6 131;" WHOLE, "fresh", -1, 0, "tag 6 of 131 bytes" },
	{ "head 0 0;raw 6 132;" WHOLE, "fresh", -1, 0, "there is no inode 0" },
	{ "head 0 0;raw 6 260;" WHOLE, "fresh", -1, 0, "there is no inode 0" },
	{ "head 0 0;raw 6 261;" WHOLE, "fresh", -1, 0, "tag 6 of 261 bytes" },
	{ "head 0 0;raw 7 4 1000;" WHOLE, "fresh", -1, 0, "tag 0 of 0 bytes at 0x3f8" },
	{ "head 0 0;raw 7 4 1009;" WHOLE, "fresh", -1, 0, "tag 7 of 1009 bytes" },
	/* inodes */
	{ "head 0 0;" FILE_OF(512, 1, 9) "create 2 512 fresh;" WHOLE, "fresh", 1, 9, NULL },
	{ "head 0 0;" FILE_OF(513, 1, 9) WHOLE, "fresh", -1, 0, "inode: there is no inode 513" },
	{ "head 0 0;create 2 513 fresh;" WHOLE, "fresh", -1, 0, "name created: inode 513 is not in use" },
	{ "head 0 0;create 2 400 fresh;" WHOLE, "fresh", -1, 0, "name created: inode 400 is not in use" },
	{ "head 0 0;link 2 400 fresh;" WHOLE, "fresh", -1, 0, NULL }, /* as Linux: without an inode it has no effect */
	{ "head 0 0;link 2 8 fresh;" WHOLE, "fresh", -1, 0, NULL },   /* the journal's */
	{ "head 0 0;inode 400 0x31a4 1 9 0x80000;create 2 400 fresh;" WHOLE, "fresh", -1, 0,
	  "inode 400 is not in use" },
	/* names */
	{ "head 0 0;link 2 =first fresh;" WHOLE, "fresh", 2, 1, NULL },
	{ "head 0 0;link 2 =first fresh;link 2 =first fresh;" WHOLE, "fresh", 2, 1, NULL },
	{ "head 0 0;link =first =first fresh;" WHOLE, "fresh", -1, 0, "is no directory" },
	{ "head 0 0;link 400 =first fresh;" WHOLE, "fresh", -1, 0, NULL },
	{ "head 0 0;unlink 2 =first first;" WHOLE, "first", -1, 0, NULL },
	{ "head 0 0;unlink 2 =first second;" WHOLE, "first", 1, 1, NULL },
	{ "head 0 0;link 2 =first fresh;unlink 2 =first first;" WHOLE, "fresh", 1, 1, NULL },
	{ "head 0 0;link 2 =d/old fresh;unlink 2 =first fresh;" WHOLE, "fresh", 2, 100, NULL },
	{ "head 0 0;unlink =first =first x;" WHOLE, "first", 1, 1, "is no directory" },
	{ "head 0 0;" FILE_OF(400, 1, 9) "create 2 400 a/b;" WHOLE, "first", 1, 1, "a name that holds a slash" },
	{ "head 0 0;inode 400 0x41ed 2 1024 0x80000;create 2 400 nd;" FILE_OF(401, 1, 5) "create 400 401 in;" WHOLE,
	  "nd/in", 1, 5, NULL },
	{ "head 0 0;inode 400 0x41ed 2 1024 0x80000;create 2 400 nd;" WHOLE, "nd", 1, 1024, NULL },
	/* a new directory with the inode of an older one: Linux 6.18 leaves out what still has that one's first block */
	{ "head 0 0;unlink 2 =gone gone;inode =gone 0x41ed 2 1024 0x80000;create 2 =gone nd;" WHOLE, "nd", -1, 0,
	  "name created: the new directory of inode" },
	{ "head 0 0;" NEW_DIR(400) "create 2 400 nd;unlink 2 400 nd;" NEW_DIR(400) "create 2 400 next;" WHOLE, "next",
	  -1, 0, "has the blocks of an older one" }, /* the only link went, the block stayed */
	{ "head 0 0;" NEW_DIR(400) "create 2 400 nd;" NEW_DIR(400) "unlink 2 400 nd;" NEW_DIR(
		  400) "create 2 400 next;" WHOLE,
	  "next", -1, 0, "has the blocks of an older one" },
	{ "head 0 0;unlink 2 =first first;inode =first 0x41ed 2 1024 0x80000;create 2 =first nd;" WHOLE, "nd", 1, 1024,
	  NULL },
	/* ranges */
	{ "head 0 0;add =first 1 3 100;" WHOLE, "first", 1, 1, NULL },
	{ "head 0 0;add =first 4294967295 1 100;" WHOLE, "first", 1, 1, "1 blocks at block 4294967295" },
	{ "head 0 0;del =first 4294967290 6;" WHOLE, "first", 1, 1, "6 blocks at block 4294967290" },
	{ "head 0 0;del =first 4294967290 5;" WHOLE, "first", 1, 1, NULL },
	{ "head 0 0;del =first 0 0;add =first 0 0 5;" WHOLE, "first", 1, 1, NULL },
	{ "head 0 0;inode 400 0x81a4 1 9 0;create 2 400 fresh;add 400 0 1 100;" WHOLE, "fresh", 1, 9,
	  "inode 400 has no extents" },
};

static void fast_areas(void **state)
{
	struct vtr_error err = { 0 };
	struct ext_opened before, o;

	(void)state;
	NEED_TOOLS();
	memcpy(work, image, image_len);
	memset(work + area_at, 0, AREA * BLOCK);
	ext_open_bytes(&before, work, image_len, NULL);
	assert_non_null(before.fs);
	for (size_t i = 0; i < VTR_COUNT(areas); i++) {
		struct vtr_stat st = { 0 };
		struct vtr_place p;
		int r;

		area_make(&before, areas[i].script);
		ext_open_bytes(&o, work, image_len, NULL);
		if (!o.fs)
			fail_msg("%s: %s", areas[i].script, o.err.text);
		r = vtr_tree_walk(&p, o.t, areas[i].path, 0, &err);
		if (r == 0)
			r = vtr_fs_stat(&st, p.fs, p.node, &err);
		if ((areas[i].links < 0) != (r < 0) ||
		    (r == 0 && (st.nlink != (unsigned)areas[i].links || st.size != areas[i].size)))
			fail_msg("%s: %s: %d, %u links, %llu bytes: %s", areas[i].script, areas[i].path, r,
				 (unsigned)st.nlink, (unsigned long long)st.size, o.said);
		{
			unsigned n = 0;
			struct vtr_place top = { o.fs, vtr_fs_root(o.fs) };

			assert_int_equal(0, vtr_tree_list(o.t, &top, VTR_LIST_RECURSIVE, fast_count, &n, &err));
		}
		if (areas[i].words ? !strstr(o.said, areas[i].words) : o.said[0] != 0)
			fail_msg("%s: \"%s\", expected \"%s\"", areas[i].script, o.said,
				 areas[i].words ? areas[i].words : "");
		assert_true((areas[i].words != NULL) == (vtr_ctx_damage(o.ctx) > 0));
		ext_done(&o);
	}
	ext_done(&before);
}

/* Ranges of one file, each letter a block; '.' a hole. Blocks with letters are put where nothing else lies. */
static const struct {
	const char *script, *content;
} ranges[] = {
	{ "add 400 0 1 8000;add 400 1 2 8001", "ABC" },
	{ "add 400 0 3 8000;add 400 1 1 8005", "AFC" },			   /* in the middle */
	{ "add 400 0 3 8000;add 400 0 2 8004", "EFC" },			   /* the start */
	{ "add 400 0 3 8000;add 400 1 4 8004", "AEFGH" },		   /* the end, and on */
	{ "add 400 0 2 8000;add 400 3 2 8003;add 400 0 5 8001", "BCDEF" }, /* over a hole */
	{ "add 400 0 5 8000;del 400 1 2", "A..DE" },
	{ "add 400 0 5 8000;del 400 0 1;del 400 4 9", ".BCD" },
	{ "add 400 0 5 8000;del 400 0 100;add 400 2 1 8002", "..C" },
	{ "add 400 0 2 8000;add 400 1 0x8001 8001", "A." },  /* unwritten */
	{ "add 400 0 0x8003 8000;add 400 1 1 8001", ".B." }, /* and converted */
	{ "add 400 4 1 8004;add 400 2 1 8002;add 400 0 1 8000", "A.C.E" },
};

static void fast_ranges(void **state)
{
	struct ext_opened before, o;

	(void)state;
	NEED_TOOLS();
	memcpy(work, image, image_len);
	for (unsigned i = 0; i < 10; i++)
		memset(work + (8000 + i) * (size_t)BLOCK, 'A' + (int)i, BLOCK);
	memset(work + area_at, 0, AREA * BLOCK);
	ext_open_bytes(&before, work, image_len, NULL);
	for (size_t i = 0; i < VTR_COUNT(ranges); i++) {
		size_t n = strlen(ranges[i].content);
		struct vtr_error err = { 0 };
		char script[500];

		snprintf(
			script, sizeof(script),
			"head 0 0;inode 400 0x81a4 1 %zu 0x80000;create 2 400 fresh;%s;inode 400 0x81a4 1 %zu 0x80000;" WHOLE,
			n * BLOCK, ranges[i].script, n * BLOCK);
		area_make(&before, script);
		ext_open_bytes(&o, work, image_len, NULL);
		if (o.said[0])
			fail_msg("%s: %s", ranges[i].script, o.said);
		for (size_t k = 0; k < n; k++) {
			char c[BLOCK];

			assert_int_equal(BLOCK, vtr_fs_read(o.fs, 400, k * BLOCK, c, BLOCK, &err));
			if (c[0] != (ranges[i].content[k] == '.' ? 0 : ranges[i].content[k]) || c[BLOCK - 1] != c[0])
				fail_msg("%s: block %zu has %#x, expected %c", ranges[i].script, k, c[0],
					 ranges[i].content[k]);
		}
		ext_done(&o);
	}
	ext_done(&before);
}

static void fast_heard(void *arg, const struct vtr_error *w)
{
	if (strstr(w->text, "its journal waits to be replayed, and its fast commits: read as it lies"))
		++*(int *)arg;
}

/* As it lies, no file of a fast commit is there, and that the journal waits is said. */
static void fast_commits_wait_without_replay(void **state)
{
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct vtr_error err = { 0 };
	struct vtr_blk *b = NULL;
	struct vtr_fs *fs = NULL;
	uint64_t node;
	int waits = 0;

	(void)state;
	NEED_TOOLS();
	vtr_ctx_on_warning(ctx, fast_heard, &waits);
	vtr_ctx_no_replay(ctx, true);
	assert_int_equal(0, vtr_blk_memory(&b, ctx, image, image_len, &err));
	assert_int_equal(0, vtr_fs_open(&fs, b, "ext", &err));
	assert_int_equal(-1, vtr_fs_lookup(&node, NULL, fs, vtr_fs_root(fs), "last", 4, &err));
	assert_int_equal(VTR_ENOTFOUND, err.code);
	assert_int_equal(1, waits);
	vtr_fs_unref(fs);
	vtr_blk_unref(b);
	vtr_ctx_unref(ctx);
}

/* The area begins with a head: its tag, its length, no features. */
static int fast_setup(void **state)
{
	static const uint8_t head[8] = { 9, 0, 8, 0, 0, 0, 0, 0 };
	char path[600];

	(void)state;
	dir = part_temp();
	if (!part_has_tool("xz"))
		return 0;
	part_run("for n in ext-fast ext-fast-inline; do xz -dc tests/images/$n.img.xz >'%s'/$n.img; done", dir);
	snprintf(path, sizeof(path), "%s/ext-fast.img", dir);
	image = ext_load_file(&image_len, path);
	work = malloc(image_len);
	assert_non_null(work);
	for (size_t at = 0; at + BLOCK <= image_len && area_at == 0; at += BLOCK)
		if (memcmp(image + at, head, sizeof(head)) == 0)
			area_at = at;
	assert_true(area_at > 0);
	tid = vtr_get_le32(image + area_at + 8);
	return 0;
}

static int fast_teardown(void **state)
{
	(void)state;
	free(image);
	free(work);
	part_temp_done(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fast_commits_of_linux_are_replayed),
		cmocka_unit_test(fast_areas),
		cmocka_unit_test(fast_ranges),
		cmocka_unit_test(fast_commits_wait_without_replay),
	};

	return cmocka_run_group_tests(tests, fast_setup, fast_teardown);
}
