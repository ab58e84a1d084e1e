/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine export: the decoded disk to a raw file, sparse, or to standard output. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/progress.h"

extern const struct cli_verb cli_verb_export;

struct export_verb {
	struct cli c;
	bool force;
	struct cli_progress progress;
};

static bool export_option(void *arg, int opt, const char *value)
{
	struct export_verb *x = arg;

	(void)opt, (void)value;
	x->force = true;
	return true;
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

/* Copy, with progress. */
static bool export_copy(struct export_verb *x, struct vtr_blk *b, int fd)
{
	struct vtr_error err = { 0 };
	int r;

	cli_progress_begin(&x->progress);
	r = vtr_blk_copy(b, fd, export_progress, x, &err);
	cli_progress_clear(&x->progress);
	if (r < 0)
		cli_error(&x->c, &err);
	return r == 0;
}

static void export_to_file(struct export_verb *x, struct vtr_blk *image, struct vtr_blk *b, const char *path)
{
	struct vtr_error err = { 0 };
	char part[4096];
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
	if (export_copy(x, b, fd) && export_name(fd, part, path, x->force) < 0)
		export_host_error(&x->c, path);
	if (part[0])
		unlink(part);
	if (close(fd) < 0)
		export_host_error(&x->c, path);
}

static int export_run(int argc, char **argv)
{
	static const struct option longs[] = { { "force", no_argument, NULL, 'f' }, { 0 } };
	struct export_verb x = { 0 };
	struct vtr_error err = { 0 };
	struct vtr_blk *b = NULL, *part = NULL;
	int i;

	if (!cli_begin(&x.c, &cli_verb_export, &argc, &argv, "f", longs, export_option, &x))
		return cli_end(&x.c);
	if (argc != 1 || x.c.n_images != 1) {
		cli_usage(&x.c, "one image and where to: a file, or - for standard output");
		return cli_end(&x.c);
	}
	if (x.c.device) {
		if (cli_open_guest(&x.c)) {
			i = vtr_guest_find_device(x.c.guest, x.c.device, &err);
			if (i < 0)
				cli_error(&x.c, &err);
			else
				part = vtr_guest_device(x.c.guest, (size_t)i)->blk;
		}
	} else if (vtr_image_open(&b, x.c.ctx, x.c.images[0], &x.c.image, &err) < 0) {
		cli_error(&x.c, &err);
	} else {
		part = b;
	}
	if (part && strcmp(argv[0], "-") == 0) {
		cli_bulk_output();
		export_copy(&x, part, STDOUT_FILENO);
	} else if (part) {
		export_to_file(&x, b ? b : vtr_guest_device(x.c.guest, 0)->blk, part, argv[0]);
	}
	vtr_blk_unref(b);
	return cli_end(&x.c);
}

const struct cli_verb cli_verb_export = {
	.name = "export",
	.summary = "Write the decoded disk to a raw file, or to standard output",
	.usage = "[-f] [options] IMAGE FILE|-",
	.options = "  -f, --force          replace FILE\n",
	.without = CLI_NO_JSON,
	.run = export_run,
};
