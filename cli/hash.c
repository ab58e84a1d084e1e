/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine hash: sha256 of files, as sha256sum prints it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

extern const struct cli_verb cli_verb_hash;

#define HASH_BATCH 1024u

struct hash {
	struct cli c;
	bool recursive, tty;
	const char *base;
	struct vtr_place places[HASH_BATCH];
	char *paths[HASH_BATCH];
	size_t n;
};

static bool hash_option(void *arg, int opt, const char *value)
{
	struct hash *h = arg;

	(void)opt, (void)value;
	h->recursive = true;
	return true;
}

/*
 * sha256sum's form: names with a backslash, a newline or a carriage return have these escaped and a backslash in front
 * of the line; other bytes are as they are, but for a terminal.
 */
static void hash_print(struct hash *h, const char *hex, const char *path)
{
	if (h->tty) {
		printf("%s  ", hex);
		cli_puts(stdout, path);
		putchar('\n');
		return;
	}
	printf("%s%s  ", strpbrk(path, "\\\n\r") ? "\\" : "", hex);
	if (!strpbrk(path, "\\\n\r")) {
		puts(path);
		return;
	}
	for (const char *p = path; *p; p++) {
		if (*p == '\\')
			fputs("\\\\", stdout);
		else if (*p == '\n')
			fputs("\\n", stdout);
		else if (*p == '\r')
			fputs("\\r", stdout);
		else
			putchar(*p);
	}
	putchar('\n');
}

static int hash_flush(struct hash *h, struct vtr_error *err)
{
	struct vtr_digest *out = calloc(HASH_BATCH, sizeof(*out));
	int r = -1;

	if (out)
		r = vtr_tree_sha256(out, h->places, h->n, err);
	for (size_t i = 0; i < h->n; i++) {
		if (r == 0 && out[i].failed) {
			cli_partial_at(&h->c, h->paths[i], &out[i].error);
		} else if (r == 0 && h->c.json) {
			json_t *o = json_object();

			cli_json_set(o, "path", h->paths[i]);
			json_object_set_new(o, "size", cli_json_u64(out[i].size));
			json_object_set_new(o, "sha256", json_string(out[i].hex));
			cli_json_line(o);
		} else if (r == 0) {
			hash_print(h, out[i].hex, h->paths[i]);
		}
		free(h->paths[i]);
	}
	h->n = 0;
	free(out);
	return r;
}

static int hash_entry(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	struct hash *h = arg;
	int excluded = vtr_exclude_has(h->c.exclude, e->path, e->path_len, err);
	char *path;

	if (excluded != 0)
		return excluded;
	if (!e->failed && e->st.type != VTR_TYPE_FILE)
		return 0;
	path = cli_join(h->base, e->path);
	if (!path)
		return -1;
	if (e->failed) {
		cli_partial_at(&h->c, path, e->error);
		free(path);
		return 0;
	}
	h->places[h->n] = e->place;
	h->paths[h->n++] = path;
	return h->n == HASH_BATCH && hash_flush(h, err) < 0 ? -1 : 0;
}

static void hash_path(struct hash *h, struct vtr_tree *t, const char *path)
{
	struct vtr_error err = { 0 };
	struct vtr_place p;
	struct vtr_stat st;

	h->base = path;
	if (vtr_tree_walk(&p, t, path, 0, &err) < 0 || vtr_fs_stat(&st, p.fs, p.node, &err) < 0) {
		cli_error(&h->c, &err);
		return;
	}
	if (cli_begin_excluded(&h->c, t, path))
		return;
	if (st.type == VTR_TYPE_DIR && !h->recursive) {
		err.code = VTR_EUSAGE;
		snprintf(err.text, sizeof(err.text), "a directory: -R hashes what is below it");
		cli_partial_at(&h->c, path, &err);
		h->c.status = CLI_FAILED;
		return;
	}
	if (st.type != VTR_TYPE_DIR && st.type != VTR_TYPE_FILE) {
		err.code = VTR_EUSAGE;
		snprintf(err.text, sizeof(err.text), "a %s, not a file", vtr_type_noun(st.type));
		cli_partial_at(&h->c, path, &err);
		h->c.status = CLI_FAILED;
		return;
	}
	if (vtr_tree_list(t, &p, VTR_LIST_RECURSIVE | VTR_LIST_SORT, hash_entry, h, &err) < 0 ||
	    hash_flush(h, &err) < 0)
		cli_error(&h->c, &err);
}

static int hash_run(int argc, char **argv)
{
	struct hash *h = calloc(1, sizeof(*h));
	struct vtr_tree *t;
	int status;

	if (!h)
		return CLI_FAILED;
	if (cli_begin(&h->c, &cli_verb_hash, &argc, &argv, "R", NULL, hash_option, h)) {
		h->tty = isatty(STDOUT_FILENO);
		if (argc == 0 && !h->recursive) {
			cli_usage(&h->c, "which path?");
		} else {
			t = cli_tree(&h->c);
			argv = cli_paths(&h->c, t, argv, &argc, true);
			for (int i = 0; i < argc; i++)
				hash_path(h, t, argv[i]);
			cli_flush(&h->c);
		}
	}
	status = cli_end(&h->c);
	free(h);
	return status;
}

const struct cli_verb cli_verb_hash = {
	.name = "hash",
	.summary = "Print the sha256 of files, as sha256sum does",
	.usage = "[-R] [options] IMAGE PATH…",
	.options = "  -R                   all files below directories\n",
	.run = hash_run,
};
