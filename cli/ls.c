/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine ls: names and metadata. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

extern const struct cli_verb cli_verb_ls;

#define LS_BUFFER (64u << 10)

struct ls {
	struct cli c;
	bool l, recursive, itself, unsorted, human;
	const char *base; /* the path that is listed, as the user wrote it */
	bool paths;	  /* print whole paths */
};

static bool ls_option(void *arg, int opt, const char *value)
{
	struct ls *ls = arg;

	(void)value;
	if (opt == 'l')
		ls->l = true;
	else if (opt == 'R')
		ls->recursive = true;
	else if (opt == 'U')
		ls->unsorted = true;
	else if (opt == 'D')
		ls->itself = true;
	return true; /* -A and -1 are what is done anyway */
}

/* Put a number right-aligned. A listing has many lines, and printf() takes half of its time. */
static char *ls_number(char *p, uint64_t v, unsigned width)
{
	char digits[20];
	unsigned n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	for (unsigned i = n; i < width; i++)
		*p++ = ' ';
	while (n > 0)
		*p++ = digits[--n];
	*p++ = ' ';
	return p;
}

static void ls_print_long(const struct ls *ls, const struct vtr_stat *st)
{
	char line[160], size[32], *p = line;

	cli_mode(p, st);
	p += strlen(p);
	*p++ = ' ';
	p = ls_number(p, st->nlink, 2);
	p = ls_number(p, st->uid, 4);
	p = ls_number(p, st->gid, 4);
	if (st->type == VTR_TYPE_CHAR || st->type == VTR_TYPE_BLOCK)
		p += sprintf(p, "%4u, %4u ", st->rdev_major, st->rdev_minor);
	else if (ls->human)
		p += sprintf(p, "%10s ", cli_size_short(size, st->size, 1024));
	else
		p = ls_number(p, st->size, 10);
	cli_time(p, &st->mtime, false);
	p += strlen(p);
	*p++ = ' ';
	fwrite(line, 1, (size_t)(p - line), stdout);
}

static int ls_entry(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	struct ls *ls = arg;
	struct vtr_error why = { 0 };
	char *target = NULL, *path = NULL;
	const char *shown = e->path;
	int excluded = vtr_exclude_has(ls->c.exclude, e->path, e->path_len, err);

	if (excluded != 0)
		return excluded;
	if (ls->paths || e->path_len == 0 || e->failed) {
		path = cli_join(ls->base, e->path);
		if (!path)
			return -1;
		shown = path;
	}
	if (e->failed) {
		cli_partial_at(&ls->c, shown, e->error);
		free(path);
		return 0;
	}
	if (e->st.type == VTR_TYPE_SYMLINK && (ls->l || ls->c.json) &&
	    vtr_fs_readlink(&target, e->place.fs, e->place.node, &why) < 0)
		cli_partial_at(&ls->c, shown, &why);
	if (ls->c.json) {
		char *whole = path ? NULL : cli_join(ls->base, e->path);

		cli_json_line(cli_json_file(path ? path : whole, &e->st, target));
		free(whole);
	} else {
		if (ls->l)
			ls_print_long(ls, &e->st);
		cli_puts(stdout, shown);
		if (target) {
			fputs(" -> ", stdout);
			cli_puts(stdout, target);
		}
		putchar('\n');
	}
	free(target);
	free(path);
	return ferror(stdout) ? -1 : 0;
}

static void ls_path(struct ls *ls, struct vtr_tree *t, const char *path)
{
	unsigned flags = (ls->recursive ? VTR_LIST_RECURSIVE : 0) | (ls->unsorted ? 0 : VTR_LIST_SORT);
	struct vtr_error err = { 0 };
	struct vtr_place p;
	struct vtr_stat st;

	ls->base = path;
	if (vtr_tree_walk(&p, t, path, ls->l || ls->itself ? VTR_WALK_NOFOLLOW : 0, &err) < 0 ||
	    vtr_fs_stat(&st, p.fs, p.node, &err) < 0) {
		cli_error(&ls->c, &err);
		return;
	}
	if (cli_begin_excluded(&ls->c, t, path))
		return;
	if (ls->itself) {
		struct vtr_entry e = { .path = "", .place = p, .st = st };

		ls_entry(ls, &e, &err);
		return;
	}
	if (vtr_tree_list(t, &p, flags, ls_entry, ls, &err) < 0 && err.code)
		cli_error(&ls->c, &err);
}

/*
 * "ls -al" and "ls -ld" as ls(1) means them: in a cluster of its letters, -a is what is done anyway, and -d the directory
 * itself. Alone, -a and -d are the common options, and take a value.
 */
static void ls_take_clusters(int argc, char **argv)
{
	static const char letters[] = "lRUDA1adh";

	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		char *p = argv[i];

		if (p[0] != '-' || p[1] == 0 || p[2] == 0 || p[1 + strspn(p + 1, letters)])
			continue;
		for (; *p; p++)
			*p = *p == 'a' ? 'A' : *p == 'd' ? 'D' : *p;
	}
}

static int ls_run(int argc, char **argv)
{
	struct ls ls = { 0 };
	bool human;
	struct vtr_tree *t;

	ls_take_clusters(argc, argv);
	human = cli_take_human(&argc, argv, "lRUDA1h");
	if (!cli_begin(&ls.c, &cli_verb_ls, &argc, &argv, "lRUDA1", NULL, ls_option, &ls))
		return cli_end(&ls.c);
	ls.human = human;
	/* A person at a terminal sees each line at once. */
	if (!isatty(STDOUT_FILENO))
		(void)setvbuf(stdout, NULL, _IOFBF, LS_BUFFER);
	t = cli_tree(&ls.c);
	argv = cli_paths(&ls.c, t, argv, &argc, true);
	ls.paths = ls.recursive || argc > 1;
	for (int i = 0; i < argc; i++)
		ls_path(&ls, t, argv[i]);
	cli_flush(&ls.c);
	return cli_end(&ls.c);
}

const struct cli_verb cli_verb_ls = {
	.name = "ls",
	.summary = "List directories: names, or with -l their metadata",
	.usage = "[-lhRUDA1] [options] IMAGE [PATH…]",
	.options = "  -l                   mode, links, owner, group, size, time and link target\n"
		   "  -R                   all that is below, as whole paths\n"
		   "  -U                   in the order of the disk\n"
		   "  -D                   the directory itself; also as -d, together with other letters: -ld\n"
		   "  -A                   all names, which is done anyway; also as -a, with other letters: -al\n"
		   "  -1                   one name a line, which is done anyway\n"
		   "  With an image or other letters, -h: sizes as 1.5G.\n",
	.run = ls_run,
};
