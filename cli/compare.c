/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine compare: whether two disks have the same contents. */
#include <string.h>

#include "cli/cli.h"
#include "cli/progress.h"

extern const struct cli_verb cli_verb_compare;

enum { OPT_STRICT = CLI_LONG, OPT_FORMAT_B };

struct compare_verb {
	struct cli c;
	bool strict;
	const char *format_b;
	struct cli_progress progress;
};

static bool compare_option(void *arg, int opt, const char *value)
{
	struct compare_verb *v = arg;

	if (opt == OPT_STRICT)
		v->strict = true;
	else
		v->format_b = value;
	return true;
}

static int compare_progress(void *arg, uint64_t done, uint64_t total)
{
	struct compare_verb *v = arg;
	char a[32], b[32];

	cli_progress_show(&v->progress, "%s of %s, %u %%", cli_size(a, done), cli_size(b, total),
			  total ? (unsigned)(100.0 * (double)done / (double)total) : 100);
	return 0;
}

/* differ: at first. */
static void compare_print(const struct compare_verb *v, uint64_t a, uint64_t b, bool differ, uint64_t first)
{
	json_t *o;

	if (v->c.json) {
		o = json_object();
		json_object_set_new(o, "equal", json_boolean(!differ));
		json_object_set_new(o, "a_size", cli_json_u64(a));
		json_object_set_new(o, "b_size", cli_json_u64(b));
		if (differ)
			json_object_set_new(o, "first_difference", cli_json_u64(first));
		cli_json_print(o);
		return;
	}
	if (differ)
		printf("the disks differ, first at byte %" PRIu64 " (0x%" PRIx64 ")\n", first, first);
	else
		puts("the disks are equal");
	if (a != b)
		printf("the first has %" PRIu64 " bytes, the second %" PRIu64 "%s\n", a, b,
		       differ ? "" : ": what is longer is zero");
}

/* 1: they differ. */
static int compare_work(struct compare_verb *v, const char *const *paths)
{
	struct vtr_error err = { 0 };
	struct vtr_blk *disks[2] = { NULL, NULL };
	uint64_t a = 0, b = 0, first = 0;
	int r = 0;

	for (size_t i = 0; i < 2 && r == 0; i++) {
		struct vtr_image_options opt = v->c.image;

		if (i == 1 && v->format_b)
			opt.format = v->format_b;
		r = vtr_image_open(&disks[i], v->c.ctx, paths[i], &opt, &err);
	}
	if (r == 0) {
		a = vtr_blk_size(disks[0]);
		b = vtr_blk_size(disks[1]);
		cli_progress_begin(&v->progress);
		r = vtr_blk_compare(&first, disks[0], disks[1], compare_progress, v, &err);
		cli_progress_clear(&v->progress);
	}
	if (r < 0) {
		cli_error(&v->c, &err);
	} else {
		if (r == 0 && v->strict && a != b) {
			r = 1;
			first = a < b ? a : b;
		}
		compare_print(v, a, b, r > 0, first);
	}
	vtr_blk_unref(disks[0]);
	vtr_blk_unref(disks[1]);
	return r;
}

static int compare_run(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "strict", no_argument, NULL, OPT_STRICT },
		{ "format-b", required_argument, NULL, OPT_FORMAT_B },
		{ 0 },
	};
	struct compare_verb v = { 0 };
	const char *paths[2];
	int r = 0, status;

	if (cli_begin(&v.c, &cli_verb_compare, &argc, &argv, "", longs, compare_option, &v)) {
		if (v.c.n_images + (size_t)argc != 2) {
			cli_usage(&v.c, "two images");
		} else {
			paths[0] = v.c.images[0];
			paths[1] = v.c.n_images == 2 ? v.c.images[1] : argv[0];
			r = compare_work(&v, paths);
			cli_flush(&v.c);
		}
	}
	status = cli_end(&v.c);
	if (status == CLI_FAILED) /* as cmp(1): 1 is a difference */
		status = CLI_USAGE;
	else if (status == CLI_OK && r > 0)
		status = 1;
	return status;
}

const struct cli_verb cli_verb_compare = {
	.name = "compare",
	.summary = "Tell whether two disks have the same contents, and where they differ",
	.usage = "[options] IMAGE IMAGE",
	.options = "      --strict         they differ when their sizes do\n"
		   "      --format-b NAME  the format of the second image, where --format is the first's\n",
	.without = CLI_NO_DEVICE | CLI_NO_ROOT | CLI_NO_SECTOR | CLI_NO_FS | CLI_NO_EXCLUDE,
	.run = compare_run,
};
