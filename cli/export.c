/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine export: the decoded disk to a raw file, sparse, or to standard output. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

extern const struct cli_verb cli_verb_export;

struct export {
	struct cli c;
	bool force;
};

static bool export_option(void *arg, int opt, const char *value)
{
	struct export *x = arg;

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

/* Into a new file beside the name, which it gets when it is whole. */
static void export_to_file(struct export *x, struct vtr_blk *b, const char *path)
{
	struct vtr_error err = { 0 };
	char part[4096];
	int fd;

	if (!x->force && access(path, F_OK) == 0) {
		errno = EEXIST;
		export_host_error(&x->c, path);
		return;
	}
	if ((size_t)snprintf(part, sizeof(part), "%s.part", path) >= sizeof(part)) {
		errno = ENAMETOOLONG;
		export_host_error(&x->c, path);
		return;
	}
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (fd < 0) {
		export_host_error(&x->c, part);
		return;
	}
	if (vtr_blk_copy(b, fd, NULL, NULL, &err) < 0) {
		cli_error(&x->c, &err);
		close(fd);
		unlink(part);
		return;
	}
	if (close(fd) < 0 || (x->force ? rename(part, path) : link(part, path)) < 0)
		export_host_error(&x->c, path);
	if (!x->force || x->c.status != CLI_OK)
		unlink(part);
}

static int export_run(int argc, char **argv)
{
	static const struct option longs[] = { { "force", no_argument, NULL, 'f' }, { 0 } };
	struct export x = { 0 };
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
		if (vtr_blk_copy(part, STDOUT_FILENO, NULL, NULL, &err) < 0)
			cli_error(&x.c, &err);
	} else if (part) {
		export_to_file(&x, part, argv[0]);
	}
	vtr_blk_unref(b);
	return cli_end(&x.c);
}

const struct cli_verb cli_verb_export = {
	.name = "export",
	.summary = "Write the decoded disk to a raw file, or to standard output",
	.usage = "[-f] [options] IMAGE FILE|-",
	.options = "  -f, --force          replace FILE\n",
	.run = export_run,
};
