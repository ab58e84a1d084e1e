/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine export: the decoded disk to a raw file, sparse, to a qcow2 image, or to standard output. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/progress.h"

extern const struct cli_verb cli_verb_export;

enum { OPT_COMPRESS = CLI_LONG, OPT_LEVEL, OPT_CLUSTER, OPT_SHA256 };

struct export_verb {
	struct cli c;
	bool force, sha256;
	struct vtr_export_options how;
	struct cli_progress progress;
};

static bool export_option(void *arg, int opt, const char *value)
{
	struct export_verb *x = arg;
	uint64_t n;

	switch (opt) {
	case 'f':
		x->force = true;
		return true;
	case 'O':
		x->how.format = value;
		return strcmp(value, "raw") == 0 || strcmp(value, "qcow2") == 0;
	case OPT_COMPRESS:
		x->how.compression = value;
		return strcmp(value, "zlib") == 0 || strcmp(value, "zstd") == 0;
	case OPT_LEVEL:
		if (!cli_number(&n, value) || n == 0 || n > 100)
			return false;
		x->how.level = (int)n;
		return true;
	case OPT_CLUSTER:
		x->how.cluster_size = 0;
		return cli_size_value(&n, value) && n > 0 && n <= UINT32_MAX && (x->how.cluster_size = n);
	case OPT_SHA256:
		x->sha256 = true;
		return true;
	default:
		return false;
	}
}

static int export_progress(void *arg, uint64_t done, uint64_t total)
{
	struct export_verb *x = arg;
	char a[32], b[32];

	cli_progress_show(&x->progress, "%s of %s, %u %%", cli_size(a, done), cli_size(b, total),
			  total ? (unsigned)(100.0 * (double)done / (double)total) : 100);
	return 0;
}

/* Copy, with progress. digest: where the digest goes, if one is wanted. */
static bool export_copy(char *digest, struct export_verb *x, struct vtr_blk *b, int fd)
{
	struct vtr_error err = { 0 };
	int r;

	x->how.progress = export_progress;
	x->how.arg = x;
	cli_progress_begin(&x->progress);
	r = vtr_blk_export(x->sha256 ? digest : NULL, b, fd, &x->how, &err);
	cli_progress_clear(&x->progress);
	if (r < 0 && fd == STDOUT_FILENO)
		(void)cli_pipe_closed();
	if (r < 0)
		cli_error(&x->c, &err);
	return r == 0;
}

/* As sha256sum(1) has it; beside the disk itself it goes to standard error. */
static void export_print_digest(const struct export_verb *x, FILE *f, const char *digest, const char *path)
{
	if (!x->sha256)
		return;
	fprintf(f, "%s  ", digest);
	cli_puts(f, path);
	putc('\n', f);
}

static void export_to_file(struct export_verb *x, struct vtr_blk *image, struct vtr_blk *b, const char *path)
{
	bool qcow2 = x->how.format && strcmp(x->how.format, "qcow2") == 0;
	unsigned flags = (x->force ? CLI_OUTPUT_FORCE : 0) | (qcow2 ? CLI_OUTPUT_REGULAR : 0);
	struct cli_sources sources = { 0 };
	struct cli_output o;
	char digest[65];

	if (!cli_sources_note(&sources, &x->c, image)) {
		struct vtr_error err = { .code = VTR_ENOMEM, .text = "out of memory" };

		cli_error(&x->c, &err);
	} else {
		if (cli_output_open(&o, &x->c, path, flags, &sources) && export_copy(digest, x, b, o.fd) &&
		    cli_output_publish(&o, &x->c))
			export_print_digest(x, stdout, digest, path);
		cli_output_done(&o);
	}
	cli_sources_done(&sources);
}

/* The format that the name of a new file stands for, as people name them. */
static const struct {
	const char *suffix, *format; /* NULL: one that is not written */
} export_names[] = {
	{ ".qcow2", "qcow2" }, { ".vmdk", NULL }, { ".vhd", NULL },	    { ".vpc", NULL }, { ".vhdx", NULL },
	{ ".avhdx", NULL },    { ".vdi", NULL },  { ".qcow", NULL },	    { ".qed", NULL }, { ".hdd", NULL },
	{ ".hds", NULL },      { ".dmg", NULL },  { ".e01", NULL },	    { ".ewf", NULL }, { ".ova", NULL },
	{ ".gz", NULL },       { ".bz2", NULL },  { ".xz", NULL },	    { ".zst", NULL }, { ".simg", NULL },
	{ ".zip", NULL },      { ".tar", NULL },  { ".sparseimage", NULL },
};

/* Without --to, the name says which format: a raw disk that is named .vmdk would be taken for what it is not. */
static bool export_format_of_name(struct export_verb *x, const char *to)
{
	const char *slash = strrchr(to, '/'), *dot = strrchr(slash ? slash : to, '.');

	for (size_t i = 0; dot && i < sizeof(export_names) / sizeof(export_names[0]); i++) {
		if (strcasecmp(dot, export_names[i].suffix) != 0)
			continue;
		if (!export_names[i].format) {
			cli_usage(&x->c, "%s: this format is not written; --to raw writes a raw disk of this name", to);
			return false;
		}
		x->how.format = export_names[i].format;
	}
	return true;
}

/* What was said of the new image fits together. */
static bool export_check(struct export_verb *x, const char *to)
{
	bool qcow2 = x->how.format && strcmp(x->how.format, "qcow2") == 0;

	if (!qcow2 && (x->how.compression || x->how.cluster_size))
		cli_usage(&x->c, "--compress and --cluster-size are for qcow2");
	else if (x->how.level && !x->how.compression)
		cli_usage(&x->c, "--level is for --compress");
	else if (qcow2 && strcmp(to, "-") == 0)
		cli_usage(&x->c, "qcow2 is written to a file: its header is written last, and a pipe has no way back");
	else
		return true;
	return false;
}

static int export_run(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "force", no_argument, NULL, 'f' },
		{ "to", required_argument, NULL, 'O' },
		{ "compress", required_argument, NULL, OPT_COMPRESS },
		{ "level", required_argument, NULL, OPT_LEVEL },
		{ "cluster-size", required_argument, NULL, OPT_CLUSTER },
		{ "sha256", no_argument, NULL, OPT_SHA256 },
		{ 0 },
	};
	struct export_verb x = { 0 };
	struct vtr_blk *b = NULL, *part;
	char digest[65];

	if (!cli_begin(&x.c, &cli_verb_export, &argc, &argv, "fO:", longs, export_option, &x))
		return cli_end(&x.c);
	if (argc != 1 || (x.c.n_images != 1 && !x.c.device)) {
		cli_usage(&x.c, "one image, or a device of several, and where to: a file, or - for standard output");
		return cli_end(&x.c);
	}
	if ((!x.how.format && !export_format_of_name(&x, argv[0])) || !export_check(&x, argv[0]) ||
	    (strcmp(argv[0], "-") == 0 && !cli_output_not_terminal(&x.c, "a disk")))
		return cli_end(&x.c);
	part = cli_disk(&b, &x.c);
	if (part && strcmp(argv[0], "-") == 0) {
		cli_bulk_output();
		if (export_copy(digest, &x, part, STDOUT_FILENO))
			export_print_digest(&x, stderr, digest, "-");
	} else if (part) {
		export_to_file(&x, b, part, argv[0]);
	}
	vtr_blk_unref(b);
	cli_flush(&x.c);
	return cli_end(&x.c);
}

const struct cli_verb cli_verb_export = {
	.name = "export",
	.summary = "Write the decoded disk to a raw file, to qcow2, or to standard output",
	.usage = "[-f] [options] IMAGE FILE|-",
	.options = "  -f, --force          replace FILE; write to it, where it is a device or a FIFO\n"
		   "  -O, --to FORMAT      raw (sparse) or qcow2; without this option as FILE is named\n"
		   "      --compress HOW   zlib or zstd: the clusters of qcow2\n"
		   "      --level N        of the compression: 1 is the fastest\n"
		   "      --cluster-size N of qcow2, in bytes; K, M may follow; 64K without this option\n"
		   "      --sha256         print the digest of the disk's bytes, too\n",
	.without = CLI_NO_JSON | CLI_NO_ROOT | CLI_NO_FS | CLI_NO_EXCLUDE,
	.run = export_run,
};
