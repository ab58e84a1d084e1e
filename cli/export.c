/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine export: the decoded disk to a raw file, sparse, to a qcow2 image, or to standard output. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/progress.h"

extern const struct cli_verb cli_verb_export;

enum { OPT_COMPRESS = CLI_LONG, OPT_LEVEL, OPT_CLUSTER, OPT_SHA256 };

struct export_verb {
	struct cli c;
	bool force, sha256;
	struct vtr_export_options how;
	struct cli_progress progress;
};

static bool export_number(uint64_t *out, const char *text, uint64_t max)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno == 0 && end != text && *end == 0 && text[0] != '-' && *out > 0 && *out <= max;
}

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
		if (!export_number(&n, value, 100))
			return false;
		x->how.level = (int)n;
		return true;
	case OPT_CLUSTER:
		return export_number(&x->how.cluster_size, value, UINT32_MAX);
	case OPT_SHA256:
		x->sha256 = true;
		return true;
	default:
		return false;
	}
}

static void export_host_error(struct cli *c, const char *path)
{
	struct vtr_error err = { .code = VTR_EIO };
	char at[600];

	vtr_escape(at, sizeof(at), path, strlen(path));
	snprintf(err.text, sizeof(err.text), "%s: %s%s", at, strerror(errno),
		 errno == EEXIST ? "; --force replaces it" : "");
	cli_error(c, &err);
}

/* Whether the file at path is one that the image is read from: replacing it would lose what is copied. */
static bool export_is_source(struct vtr_blk *image, const char *path)
{
	struct stat to, from;

	if (stat(path, &to) < 0)
		return false;
	for (struct vtr_blk *b = image; b && vtr_image_info(b); b = vtr_image_backing(b)) {
		const char *file;

		for (size_t k = 0; cli_image_file(&file, vtr_image_info(b), k); k++)
			if (file && stat(file, &from) == 0 && from.st_dev == to.st_dev && from.st_ino == to.st_ino)
				return true;
	}
	return false;
}

/* A file in the directory of path that has no name until it is whole; where there are none, one with a name. */
static int export_open_new(char *part, size_t size, const char *path)
{
	const char *slash = strrchr(path, '/');
	int fd;

	part[0] = 0;
	if (slash == path)
		snprintf(part, size, "/");
	else
		snprintf(part, size, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	fd = open(part, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
	part[0] = 0;
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	if ((size_t)snprintf(part, size, "%s.XXXXXX", path) >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(part, O_CLOEXEC);
	if (fd < 0)
		part[0] = 0;
	return fd;
}

/* Give the new file its name; with force it takes the place of what has it. */
static int export_name(int fd, const char *part, const char *path, bool force)
{
	char proc[64], beside[4096];

	if (part[0])
		return force ? rename(part, path) : link(part, path);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (!force)
		return linkat(AT_FDCWD, proc, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
	if ((size_t)snprintf(beside, sizeof(beside), "%s.%ld.new", path, (long)getpid()) >= sizeof(beside)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (linkat(AT_FDCWD, proc, AT_FDCWD, beside, AT_SYMLINK_FOLLOW) < 0)
		return -1;
	if (rename(beside, path) == 0)
		return 0;
	unlink(beside);
	return -1;
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
	struct vtr_error err = { 0 };
	char part[4096], digest[65];
	bool good;
	int fd;

	if (!x->force && access(path, F_OK) == 0) {
		errno = EEXIST;
		export_host_error(&x->c, path);
		return;
	}
	if (export_is_source(image, path)) {
		err.code = VTR_EUSAGE;
		snprintf(err.text, sizeof(err.text), "it is the image itself, or one that it builds on");
		cli_partial_at(&x->c, path, &err);
		x->c.status = CLI_FAILED;
		return;
	}
	fd = export_open_new(part, sizeof(part), path);
	if (fd < 0) {
		export_host_error(&x->c, path);
		return;
	}
	good = export_copy(digest, x, b, fd);
	if (good && export_name(fd, part, path, x->force) < 0) {
		export_host_error(&x->c, path);
		good = false;
	}
	if (part[0])
		unlink(part);
	if (close(fd) < 0) {
		export_host_error(&x->c, path);
		good = false;
	}
	if (good)
		export_print_digest(x, stdout, digest, path);
}

/* What was said of the new image fits together. */
static bool export_check(struct export_verb *x, const char *to)
{
	bool qcow2 = x->how.format && strcmp(x->how.format, "qcow2") == 0;

	if (!qcow2 && (x->how.compression || x->how.cluster_size))
		cli_usage(&x->c, "--compress and --cluster-size are for --to qcow2");
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
	if (argc != 1 || x.c.n_images != 1) {
		cli_usage(&x.c, "one image and where to: a file, or - for standard output");
		return cli_end(&x.c);
	}
	if (!export_check(&x, argv[0]))
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
	.options = "  -f, --force          replace FILE\n"
		   "  -O, --to FORMAT      raw (sparse; without this option) or qcow2\n"
		   "      --compress HOW   zlib or zstd: the clusters of qcow2\n"
		   "      --level N        of the compression: 1 is the fastest\n"
		   "      --cluster-size N of qcow2, in bytes; 65536 without this option\n"
		   "      --sha256         print the digest of the disk's bytes, too\n",
	.without = CLI_NO_JSON | CLI_NO_FS,
	.run = export_run,
};
