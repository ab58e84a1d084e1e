/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine cat: the contents of files, byte for byte. */
#include <errno.h>
#include <stdlib.h>

#include "cli/cli.h"

extern const struct cli_verb cli_verb_cat;

#define CAT_CHUNK (256u << 10)
#define CAT_STEP 4096u /* what is read at a time after something could not be, to get up to the very place */

static void cat_path(struct cli *c, struct vtr_tree *t, const char *path, char *buf)
{
	struct vtr_error err = { 0 };
	struct vtr_place p;
	size_t chunk = CAT_CHUNK;
	struct vtr_stat st;
	uint64_t off = 0;
	ssize_t n;

	if (vtr_tree_walk(&p, t, path, 0, &err) < 0 || vtr_fs_stat(&st, p.fs, p.node, &err) < 0) {
		cli_error(c, &err);
		return;
	}
	/* What is larger is most likely a hole, of a damaged file: nothing of it is printed. */
	if (st.type == VTR_TYPE_FILE && !cli_file_fits(c, path, st.size)) {
		c->status = CLI_FAILED;
		return;
	}
	while ((n = vtr_fs_read(p.fs, p.node, off, buf, chunk, &err)) != 0) {
		if (n < 0 && chunk > CAT_STEP) {
			chunk = CAT_STEP;
			continue;
		}
		if (n < 0)
			break;
		if (fwrite(buf, 1, (size_t)n, stdout) != (size_t)n) {
			cli_output_failed(c, errno);
			return;
		}
		off += (uint64_t)n;
	}
	if (n < 0) {
		cli_partial_at(c, path, &err);
		c->status = CLI_FAILED;
	}
}

static int cat_run(int argc, char **argv)
{
	struct cli c;
	struct vtr_tree *t;
	char *buf;

	if (!cli_begin(&c, &cli_verb_cat, &argc, &argv, "", NULL, NULL, NULL))
		return cli_end(&c);
	if (argc == 0) {
		cli_usage(&c, "which path?");
		return cli_end(&c);
	}
	t = cli_tree(&c);
	argv = cli_paths(&c, t, argv, &argc, true);
	cli_bulk_output();
	buf = t ? malloc(CAT_CHUNK) : NULL;
	for (int i = 0; buf && i < argc; i++)
		cat_path(&c, t, argv[i], buf);
	free(buf);
	cli_flush(&c);
	return cli_end(&c);
}

const struct cli_verb cli_verb_cat = {
	.name = "cat",
	.summary = "Print the contents of files",
	.usage = "[options] IMAGE PATH…",
	.options = "",
	.without = CLI_NO_JSON | CLI_NO_EXCLUDE,
	.run = cat_run,
};
