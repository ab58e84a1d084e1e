/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths, by path_resolution(7), and recursive listings, over volumes that debugfs makes. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/ext_images.h"
#include "tests/part_images.h"

static char *dir, image[512], other[512];
static bool tools;

#define NEED_TOOLS()                                                                                                   \
	do {                                                                                                           \
		if (!tools)                                                                                            \
			skip();                                                                                        \
	} while (0)

/* What a path leads to in the made tree: the path without links, found step by step. NULL: an error of code. */
static const struct walk {
	const char *path, *want;
	unsigned flags;
	int code;
	const char *words;
} walks[] = {
	{ "/", "/", 0, 0, NULL },
	{ "", NULL, 0, VTR_ENOTFOUND, "an empty path" },
	{ "///", "/", 0, 0, NULL },
	{ ".", "/", 0, 0, NULL },
	{ "..", "/", 0, 0, NULL },
	{ "/../../..", "/", 0, 0, NULL },
	{ "../../a/../../a", "/a", 0, 0, NULL },
	{ "a", "/a", 0, 0, NULL },
	{ "/a/b/../b/./c", "/a/b/c", 0, 0, NULL },
	{ "/a//b///file", "/a/b/file", 0, 0, NULL },
	{ "/a/b/file/", NULL, 0, VTR_ENOTFOUND, "\"file\" is a file, not a directory" },
	{ "/a/b/file/.", NULL, 0, VTR_ENOTFOUND, "is a file, not a directory" },
	{ "/a/b/file/..", NULL, 0, VTR_ENOTFOUND, "is a file, not a directory" },
	{ "/a/none", NULL, 0, VTR_ENOTFOUND, "\"none\"" },
	{ "/a/none/more", NULL, 0, VTR_ENOTFOUND, "\"none\"" },
	{ "/rel", "/a/b", 0, 0, NULL },
	{ "/rel", "/rel", VTR_WALK_NOFOLLOW, 0, NULL },
	{ "/rel/", "/a/b", VTR_WALK_NOFOLLOW, 0, NULL },
	{ "/rel/.", "/a/b", VTR_WALK_NOFOLLOW, 0, NULL },
	{ "/rel/..", "/a", 0, 0, NULL }, /* the parent of what the link leads to */
	{ "/rel/file", "/a/b/file", VTR_WALK_NOFOLLOW, 0, NULL },
	{ "/a/b/abs", "/a/b/file", 0, 0, NULL },
	{ "/a/b/up", "/a", 0, 0, NULL },
	{ "/a/b/above", "/a/b/file", 0, 0, NULL }, /* ../../../../../../a/b/file */
	{ "/a/b/tofile/", NULL, 0, VTR_ENOTFOUND, "not a directory" },
	{ "/broken", NULL, 0, VTR_ENOTFOUND, "nowhere" },
	{ "/broken", "/broken", VTR_WALK_NOFOLLOW, 0, NULL },
	{ "/loop", NULL, 0, VTR_ELIMIT, "limit symlinks=40" },
	{ "/loop", "/loop", VTR_WALK_NOFOLLOW, 0, NULL },
	{ "/loop/x", NULL, VTR_WALK_NOFOLLOW, VTR_ELIMIT, "limit symlinks=40" },
	{ "/ping", NULL, 0, VTR_ELIMIT, "limit symlinks=40" },
	{ "/l40", "/a/b/file", 0, 0, NULL },
	{ "/l41", NULL, 0, VTR_ELIMIT, "limit symlinks=40" },
	{ "/A/B/FILE", NULL, 0, VTR_ENOTFOUND, "\"A\"" },
	{ "/A/B/FILE", "/a/b/file", VTR_WALK_ICASE, 0, NULL },
	{ "/REL/File", "/a/b/file", VTR_WALK_ICASE, 0, NULL },
	{ "/case", "/case", VTR_WALK_ICASE, 0, NULL },
	{ "/Case", "/Case", VTR_WALK_ICASE, 0, NULL }, /* an exact one is preferred */
	{ "/\303\211t\303\251", "/\303\251t\303\251", VTR_WALK_ICASE, 0, NULL },
	{ "/caser", NULL, VTR_WALK_ICASE, VTR_ENOTFOUND, "\"caser\"" },
};

static void path_make(void)
{
	char script[8192];
	int n;

	part_run(
		"printf text >'%s/file'; for i in image other; do mke2fs -q -F -t ext4 -b 1024 \"%s/$i\" 2M >/dev/null 2>&1; done",
		dir, dir);
	n = snprintf(
		script, sizeof(script),
		"mkdir a\nmkdir a/b\nmkdir a/b/c\nmkdir case\nmkdir Case\nmkdir \303\251t\303\251\ncd a/b\nwrite %s/file file\n"
		"symlink abs /a/b/file\nsymlink up ..\nsymlink above ../../../../../../a/b/file\nsymlink tofile file\n"
		"symlink out /rel/../../mnt/inner\ncd /\nsymlink rel a/b\nsymlink broken nowhere\nsymlink loop loop\n"
		"symlink ping pong\nsymlink pong ping\nsymlink l1 a/b/file\n",
		dir);
	for (int i = 2; i <= 41; i++)
		n += snprintf(script + n, sizeof(script) - (size_t)n, "symlink l%d l%d\n", i, i - 1);
	snprintf(script + n, sizeof(script) - (size_t)n, "mkdir mnt\nmkdir mnt/hidden\n");
	ext_debugfs(image, script);
	snprintf(
		script, sizeof(script),
		"mkdir inner\nmkdir inner/deep\ncd inner\nwrite %s/file file\nsymlink home /a/b/file\nsymlink back ../../case\n",
		dir);
	ext_debugfs(other, script);
}

/* Step by step, without the walker. */
static uint64_t path_plain(struct vtr_fs *fs, const char *path)
{
	uint64_t node = vtr_fs_root(fs);

	while (*(path += strspn(path, "/"))) {
		size_t n = strcspn(path, "/");

		assert_int_equal(0, vtr_fs_lookup(&node, NULL, fs, node, path, n, NULL));
		path += n;
	}
	return node;
}

static void path_walks_as_the_guest_would(void **state)
{
	struct ext_opened o;

	(void)state;
	NEED_TOOLS();
	ext_open_file(&o, image, NULL);
	for (size_t i = 0; i < VTR_COUNT(walks); i++) {
		const struct walk *w = &walks[i];
		struct vtr_error err = { 0 };
		struct vtr_place p = { 0 };
		int r = vtr_tree_walk(&p, o.t, w->path, w->flags, &err);

		if (!w->want) {
			assert_int_equal(-1, r);
			assert_int_equal(w->code, err.code);
			if (!strstr(err.text, w->words))
				fail_msg("%s: %s, expected %s", w->path, err.text, w->words);
		} else if (r < 0) {
			fail_msg("%s", err.text);
		} else if (p.fs != o.fs || p.node != path_plain(o.fs, w->want)) {
			fail_msg("%s leads to inode %" PRIu64 ", expected %s", w->path, p.node, w->want);
		}
		assert_int_equal(r, vtr_tree_walk(&p, o.t, w->path, w->flags, NULL));
	}
	ext_done(&o);
}

static void path_crosses_mounts(void **state)
{
	struct ext_opened o, m;
	struct vtr_error err = { 0 };
	struct vtr_place p;
	char *text;
	size_t len;

	(void)state;
	NEED_TOOLS();
	ext_open_file(&o, image, NULL);
	ext_open_file(&m, other, NULL);
	assert_int_equal(-1, vtr_tree_mount(o.t, "/a/b/file", m.fs, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	assert_int_equal(-1, vtr_tree_mount(o.t, "/none", m.fs, &err));
	assert_int_equal(VTR_ENOTFOUND, err.code);
	assert_int_equal(0, vtr_tree_mount(o.t, "/mnt", m.fs, &err));
	assert_int_equal(-1, vtr_tree_mount(o.t, "/case", m.fs, &err)); /* twice */

	assert_int_equal(0, vtr_tree_walk(&p, o.t, "/mnt", 0, &err));
	assert_true(p.fs == m.fs && p.node == vtr_fs_root(m.fs));
	assert_int_equal(0, vtr_tree_walk(&p, o.t, "/mnt/..", 0, &err));
	assert_true(p.fs == o.fs && p.node == vtr_fs_root(o.fs));
	assert_int_equal(-1, vtr_tree_walk(&p, o.t, "/mnt/hidden", 0, &err)); /* covered */
	assert_int_equal(0, vtr_tree_walk(&p, o.t, "/a/b/out/deep/../../..", 0, &err));
	assert_true(p.fs == o.fs && p.node == vtr_fs_root(o.fs));
	/* A link inside the mounted one: absolute ones start at the root of the tree, ".." leaves by the mount point. */
	assert_int_equal(0, vtr_tree_slurp(&text, &len, o.t, "/mnt/inner/home", 100, &err));
	assert_string_equal("text", text);
	free(text);
	assert_int_equal(0, vtr_tree_walk(&p, o.t, "/mnt/inner/back", 0, &err));
	assert_true(p.fs == o.fs && p.node == path_plain(o.fs, "/case"));
	ext_done(&o);
	ext_done(&m);
}

static void path_limits(void **state)
{
	struct vtr_limits lim;
	struct ext_opened o;
	struct vtr_error err = { 0 };
	struct vtr_place p;
	char *longest = malloc(40000), *text;
	size_t len;

	(void)state;
	NEED_TOOLS();
	vtr_limits_default(&lim);
	lim.depth = 2;
	lim.symlinks = 3;
	assert_non_null(longest);
	memset(longest, '/', 40000);
	longest[39999] = 0;
	ext_open_file(&o, image, &lim);
	assert_int_equal(-1, vtr_tree_walk(&p, o.t, longest, 0, &err));
	assert_int_equal(VTR_ELIMIT, err.code);
	assert_non_null(strstr(err.text, "limit path_len=32768"));
	longest[32768] = 0;
	assert_int_equal(0, vtr_tree_walk(&p, o.t, longest, 0, &err));
	for (size_t i = 0; i + 3 < 32768; i += 3)
		memcpy(longest + i, "../", 3);
	assert_int_equal(0, vtr_tree_walk(&p, o.t, longest, 0, &err));
	memset(longest, 'n', 32768);
	assert_int_equal(-1, vtr_tree_walk(&p, o.t, longest, 0, &err));
	assert_int_equal(VTR_ENOTFOUND, err.code);
	assert_int_equal(0, vtr_tree_walk(&p, o.t, "/a/b", 0, &err));
	assert_int_equal(-1, vtr_tree_walk(&p, o.t, "/a/b/c", 0, &err));
	assert_non_null(strstr(err.text, "limit depth=2"));
	assert_int_equal(0, vtr_tree_walk(&p, o.t, "/l3", 0, &err));
	assert_int_equal(-1, vtr_tree_walk(&p, o.t, "/l4", 0, &err));
	assert_non_null(strstr(err.text, "limit symlinks=3"));
	assert_int_equal(-1, vtr_tree_slurp(&text, &len, o.t, "/a/b/file", 3, &err));
	assert_int_equal(VTR_ELIMIT, err.code);
	assert_int_equal(-1, vtr_tree_slurp(&text, &len, o.t, "/a", 3, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	free(longest);
	ext_done(&o);
}

/* --------------------------------------------------------------------------------------------------------- listings */

struct listed {
	char text[16384];
	size_t n, stop_at;
	const char *prune;
};

static int path_listed(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	struct listed *l = arg;
	size_t n = strlen(l->text);

	assert_int_equal(e->path_len, strlen(e->path));
	snprintf(l->text + n, sizeof(l->text) - n, "%s%s%s\n", e->path, e->failed ? ": " : "",
		 e->failed ? e->error->text : "");
	if (++l->n == l->stop_at)
		return vtr_fail(err, VTR_ECANCELLED, "enough");
	return l->prune && strcmp(l->prune, e->path) == 0;
}

static int path_list(struct listed *l, struct ext_opened *o, const char *from, unsigned flags, struct vtr_error *err)
{
	struct vtr_place p;

	assert_int_equal(0, vtr_tree_walk(&p, o->t, from, VTR_WALK_NOFOLLOW, err));
	l->text[0] = 0;
	l->n = 0;
	return vtr_tree_list(o->t, &p, flags, path_listed, l, err);
}

static void path_lists(void **state)
{
	struct ext_opened o, m;
	struct vtr_error err = { 0 };
	struct listed l = { 0 };

	(void)state;
	NEED_TOOLS();
	ext_open_file(&o, image, NULL);
	ext_open_file(&m, other, NULL);
	assert_int_equal(0, path_list(&l, &o, "/a", VTR_LIST_SORT, &err));
	assert_string_equal("b\n", l.text);
	assert_int_equal(0, path_list(&l, &o, "/a", VTR_LIST_SORT | VTR_LIST_SELF, &err));
	assert_string_equal("\nb\n", l.text);
	assert_int_equal(0, path_list(&l, &o, "/a/b/file", VTR_LIST_RECURSIVE, &err));
	assert_string_equal("\n", l.text);
	assert_int_equal(0, path_list(&l, &o, "/rel", VTR_LIST_RECURSIVE, &err)); /* a link is not followed */
	assert_string_equal("\n", l.text);
	assert_int_equal(0, path_list(&l, &o, "/a", VTR_LIST_SORT | VTR_LIST_RECURSIVE, &err));
	assert_string_equal("b\nb/above\nb/abs\nb/c\nb/file\nb/out\nb/tofile\nb/up\n", l.text);
	l.prune = "b";
	assert_int_equal(0, path_list(&l, &o, "/a", VTR_LIST_SORT | VTR_LIST_RECURSIVE, &err));
	assert_string_equal("b\n", l.text);
	l.prune = NULL;
	l.stop_at = 3;
	assert_int_equal(-1, path_list(&l, &o, "/a", VTR_LIST_SORT | VTR_LIST_RECURSIVE, &err));
	assert_int_equal(VTR_ECANCELLED, err.code);
	assert_string_equal("b\nb/above\nb/abs\n", l.text);
	l.stop_at = 0;

	assert_int_equal(0, vtr_tree_mount(o.t, "/mnt", m.fs, &err));
	assert_int_equal(0, path_list(&l, &o, "/", VTR_LIST_SORT | VTR_LIST_RECURSIVE, &err));
	assert_non_null(strstr(l.text, "\nmnt\nmnt/inner\nmnt/inner/back\n"));
	assert_null(strstr(l.text, "hidden"));
	assert_int_equal(0, path_list(&l, &o, "/", VTR_LIST_SORT | VTR_LIST_RECURSIVE | VTR_LIST_ONE_FS, &err));
	assert_non_null(strstr(l.text, "\nmnt\nmnt/hidden\n"));
	ext_done(&o);
	ext_done(&m);
}

static void path_list_limits(void **state)
{
	static const struct {
		const char *name, *words;
		uint64_t value;
	} limits[] = {
		{ "entries", "limit entries=5", 5 },   { "depth", "limit depth=1", 1 },
		{ "path_len", "limit path_len=4", 4 }, { "dir_entries", "limit dir_entries=4", 4 },
		{ "steps", "limit steps=30", 30 },
	};

	(void)state;
	NEED_TOOLS();
	for (size_t i = 0; i < VTR_COUNT(limits); i++) {
		struct vtr_error err = { 0 };
		struct listed l = { 0 };
		struct vtr_limits lim;
		struct ext_opened o;
		struct vtr_place p;

		vtr_limits_default(&lim);
		assert_int_equal(0, vtr_limits_set(&lim, limits[i].name, limits[i].value, &err));
		ext_open_file(&o, image, &lim);
		p = (struct vtr_place){ o.fs, vtr_fs_root(o.fs) };
		assert_int_equal(-1, vtr_tree_list(o.t, &p, VTR_LIST_RECURSIVE, path_listed, &l, &err));
		assert_int_equal(VTR_ELIMIT, err.code);
		if (!strstr(err.text, limits[i].words))
			fail_msg("%s: %s", limits[i].name, err.text);
		ext_done(&o);
	}
}

/* A directory that lies below itself is told, and not entered again; nor is one with two names. */
static void path_list_meets_cycles(void **state)
{
	struct vtr_error err = { 0 };
	struct listed l = { 0 };
	struct ext_opened o;
	char cyclic[600];

	(void)state;
	NEED_TOOLS();
	snprintf(cyclic, sizeof(cyclic), "%s/cyclic", dir);
	part_run("cp '%s' '%s'", image, cyclic);
	ext_debugfs(cyclic, "link a a/b/again\nlink a/b twin\nlink / a/b/root");
	ext_open_file(&o, cyclic, NULL);
	assert_int_equal(0, path_list(&l, &o, "/", VTR_LIST_SORT | VTR_LIST_RECURSIVE, &err));
	assert_non_null(strstr(l.text, "\na/b/again\na/b/again: directory inode "));
	assert_non_null(
		strstr(l.text, "\na/b/root\na/b/root: directory inode 2 is met a second time: not entered again\n"));
	assert_non_null(strstr(l.text, "\ntwin\ntwin: directory inode "));
	assert_null(strstr(l.text, "again/"));
	ext_done(&o);
}

/* A directory without blocks, an entry to an inode that is free: told beside the rest. */
static void path_list_goes_past_damage(void **state)
{
	struct vtr_error err = { 0 };
	struct listed l = { 0 };
	struct ext_opened o;
	char bad[600];

	(void)state;
	NEED_TOOLS();
	snprintf(bad, sizeof(bad), "%s/bad", dir);
	part_run("cp '%s' '%s'", image, bad);
	ext_debugfs(
		bad,
		"set_inode_field a/b block[0] 0x12345\nset_inode_field case mode 0\nset_inode_field case links_count 0");
	ext_open_file(&o, bad, NULL);
	assert_int_equal(0, path_list(&l, &o, "/", VTR_LIST_SORT | VTR_LIST_RECURSIVE, &err));
	assert_non_null(strstr(l.text, "\na/b\na/b: inode "));
	assert_non_null(strstr(l.text, "\ncase: inode "));
	assert_non_null(strstr(l.text, "is not in use\n"));
	assert_non_null(strstr(l.text, "\nrel\n"));
	ext_done(&o);
}

/* ------------------------------------------------------------------------------------------------ in lock step */

/* "-" what the first has alone, "+" the second, "=" both, "!" one of them failed. */
static int path_paired(void *arg, const struct vtr_pair *p, struct vtr_error *err)
{
	const struct vtr_pair_side *a = &p->side[0], *b = &p->side[1];
	struct listed *l = arg;
	size_t n = strlen(l->text);

	assert_int_equal(p->path_len, strlen(p->path));
	assert_true(a->there || b->there);
	for (size_t i = 0; i < 2; i++) {
		assert_true(p->side[i].there || !p->side[i].failed);
		assert_int_equal(p->side[i].failed, p->side[i].error != NULL);
	}
	snprintf(l->text + n, sizeof(l->text) - n, "%c %s%s%s\n",
		 a->failed || b->failed ? '!'
		 : !b->there		? '-'
		 : !a->there		? '+'
					: '=',
		 p->path, a->failed || b->failed ? ": " : "",
		 a->failed   ? a->error->text
		 : b->failed ? b->error->text
			     : "");
	if (++l->n == l->stop_at)
		return vtr_fail(err, VTR_ECANCELLED, "enough");
	return l->prune && strcmp(l->prune, p->path) == 0;
}

static int path_pairs(struct listed *l, struct ext_opened *a, const char *from_a, struct ext_opened *b,
		      const char *from_b, struct vtr_error *err)
{
	struct vtr_place p, q;

	l->text[0] = 0;
	l->n = 0;
	assert_int_equal(0, from_a ? vtr_tree_walk(&p, a->t, from_a, VTR_WALK_NOFOLLOW, err) : 0);
	assert_int_equal(0, from_b ? vtr_tree_walk(&q, b->t, from_b, VTR_WALK_NOFOLLOW, err) : 0);
	return vtr_tree_pairs(a->t, from_a ? &p : NULL, b->t, from_b ? &q : NULL, 0, path_paired, l, err);
}

static void path_pairs_come_together(void **state)
{
	struct vtr_error err = { 0 };
	struct listed l = { 0 };
	struct ext_opened o, m;

	(void)state;
	NEED_TOOLS();
	ext_open_file(&o, image, NULL);
	ext_open_file(&m, other, NULL);
	assert_int_equal(0, path_pairs(&l, &o, "/a", &m, "/inner", &err));
	assert_string_equal("= \n- b\n- b/above\n- b/abs\n- b/c\n- b/file\n- b/out\n- b/tofile\n- b/up\n+ back\n"
			    "+ deep\n+ file\n+ home\n",
			    l.text);
	assert_int_equal(0, path_pairs(&l, &m, "/inner", &o, "/a/b", &err));
	assert_string_equal("= \n+ above\n+ abs\n- back\n+ c\n- deep\n= file\n- home\n+ out\n+ tofile\n+ up\n", l.text);
	/* A directory and a file; nothing on one side; a file alone. */
	assert_int_equal(0, path_pairs(&l, &m, "/inner/file", &o, "/a", &err));
	assert_non_null(strstr(l.text, "= \n+ b\n+ b/above\n"));
	assert_int_equal(0, path_pairs(&l, &m, NULL, &o, "/a", &err));
	assert_non_null(strstr(l.text, "+ \n+ b\n+ b/above\n"));
	assert_int_equal(0, path_pairs(&l, &m, "/inner/file", &o, NULL, &err));
	assert_string_equal("- \n", l.text);
	l.prune = "b";
	assert_int_equal(0, path_pairs(&l, &o, "/a", &o, "/a", &err));
	assert_string_equal("= \n= b\n", l.text);
	l.prune = NULL;
	l.stop_at = 3;
	assert_int_equal(-1, path_pairs(&l, &o, "/a", &o, "/a", &err));
	assert_int_equal(VTR_ECANCELLED, err.code);
	ext_done(&o);
	ext_done(&m);
}

/* Each directory twice in the one before: 2^12 paths, and the root at their end. Work is counted, not time. */
static void path_pairs_enter_a_directory_once(void **state)
{
	struct vtr_error err = { 0 };
	struct vtr_limits limits;
	struct listed l = { 0 };
	struct ext_opened a, b;
	char cyclic[600], script[2048];
	int n = 0;

	(void)state;
	NEED_TOOLS();
	snprintf(cyclic, sizeof(cyclic), "%s/twice", dir);
	part_run("mke2fs -q -F -t ext2 -b 1024 '%s' 1M >/dev/null 2>&1", cyclic);
	for (int i = 0; i < 13; i++)
		n += snprintf(script + n, sizeof(script) - (size_t)n, "mkdir d%d\n", i);
	for (int i = 0; i < 12; i++)
		n += snprintf(script + n, sizeof(script) - (size_t)n, "link d%d d%d/a\nlink d%d d%d/b\n", i + 1, i,
			      i + 1, i);
	snprintf(script + n, sizeof(script) - (size_t)n, "link / d12/root\n");
	ext_debugfs(cyclic, script);
	vtr_limits_default(&limits);
	limits.entries = 100;
	ext_open_file(&a, cyclic, &limits);
	ext_open_file(&b, cyclic, &limits);
	assert_int_equal(0, path_pairs(&l, &a, "/", &b, "/", &err));
	assert_true(l.n < 100);
	assert_non_null(strstr(l.text, "/root: directory inode 2 is met a second time: not entered again\n"));
	assert_null(strstr(l.text, "\n- "));
	assert_null(strstr(l.text, "\n+ "));
	/* What one side does not enter again is lost, not missing. */
	ext_done(&b);
	ext_open_file(&b, image, NULL);
	assert_int_equal(0, path_pairs(&l, &a, "/d12", &b, "/a", &err));
	assert_non_null(strstr(l.text, "- root/d0/"));
	limits.entries = 5;
	ext_done(&a);
	ext_open_file(&a, cyclic, &limits);
	assert_int_equal(-1, path_pairs(&l, &a, "/", &a, "/", &err));
	assert_int_equal(VTR_ELIMIT, err.code);
	assert_non_null(strstr(err.text, "limit entries=5"));
	limits.entries = 1000;
	limits.depth = 3;
	ext_done(&a);
	ext_open_file(&a, cyclic, &limits);
	assert_int_equal(-1, path_pairs(&l, &a, "/", &a, "/", &err));
	assert_non_null(strstr(err.text, "limit depth=3"));
	/* The names of directories and the table of those that were entered are held. */
	limits.depth = 100;
	limits.metadata = 20000;
	ext_done(&a);
	ext_done(&b);
	ext_open_file(&a, cyclic, NULL);
	a.ctx->lim.metadata = a.ctx->metadata + 9000;
	assert_int_equal(-1, path_pairs(&l, &a, "/", &a, "/", &err));
	assert_non_null(strstr(err.text, "limit metadata="));
	a.ctx->lim.metadata = 128 << 20;
	n = (int)a.ctx->metadata;
	assert_int_equal(0, path_pairs(&l, &a, "/", &a, "/", &err));
	assert_int_equal(n, a.ctx->metadata);
	ext_done(&a);
}

static void path_pairs_leave_out_what_is_lost(void **state)
{
	struct vtr_error err = { 0 };
	struct listed l = { 0 };
	struct ext_opened o, m;
	char bad[600];

	(void)state;
	NEED_TOOLS();
	snprintf(bad, sizeof(bad), "%s/lost", dir);
	part_run("cp '%s' '%s'", image, bad);
	ext_debugfs(bad, "set_inode_field a/b block[0] 0x12345\nset_inode_field case mode 0");
	ext_open_file(&o, bad, NULL);
	ext_open_file(&m, image, NULL);
	assert_int_equal(0, path_pairs(&l, &o, "/", &m, "/", &err));
	assert_non_null(strstr(l.text, "\n= a/b\n! a/b: inode "));
	assert_null(strstr(l.text, "a/b/"));
	assert_null(strstr(l.text, "\n+ "));
	assert_null(strstr(l.text, "\n- "));
	ext_done(&o);
	ext_done(&m);
}

static int path_setup(void **state)
{
	(void)state;
	dir = part_temp();
	snprintf(image, sizeof(image), "%s/image", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	tools = part_has_tool("mke2fs") && part_has_tool("debugfs");
	if (tools)
		path_make();
	return 0;
}

static int path_teardown(void **state)
{
	(void)state;
	part_temp_done(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_walks_as_the_guest_would),
		cmocka_unit_test(path_crosses_mounts),
		cmocka_unit_test(path_limits),
		cmocka_unit_test(path_lists),
		cmocka_unit_test(path_list_limits),
		cmocka_unit_test(path_list_meets_cycles),
		cmocka_unit_test(path_list_goes_past_damage),
		cmocka_unit_test(path_pairs_come_together),
		cmocka_unit_test(path_pairs_enter_a_directory_once),
		cmocka_unit_test(path_pairs_leave_out_what_is_lost),
	};

	return cmocka_run_group_tests(tests, path_setup, path_teardown);
}
