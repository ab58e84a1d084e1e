/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening the host's files for writing, naming them when they are whole, and metadata by handle. */
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define OUTPUT_TEMP_TRIES 100u

void cli_output_std(void)
{
	/* Opened the wrong way round: using it fails as it would have, with EBADF. */
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
			_exit(CLI_FAILED);
}

bool cli_output_not_terminal(struct cli *c, const char *what)
{
	if (!isatty(STDOUT_FILENO))
		return true;
	cli_usage(c, "%s is not for a terminal: name a file, or redirect standard output", what);
	return false;
}

/* Say what is wrong with an output: CLI_FAILED. */
static bool output_fail(struct cli *c, const char *path, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static bool output_fail(struct cli *c, const char *path, const char *fmt, ...)
{
	struct vtr_error err = { .code = VTR_EIO };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err.text, sizeof(err.text), fmt, ap);
	va_end(ap);
	cli_partial_at(c, path, &err);
	c->status = CLI_FAILED;
	return false;
}

/* --------------------------------------------------------------------------------------------------------- sources */

static bool sources_add(struct cli_sources *s, const char *path)
{
	struct cli_source *p;
	struct stat st;

	if (!path || stat(path, &st) < 0)
		return true;
	p = realloc(s->items, (s->n + 1) * sizeof(*p));
	if (!p)
		return false;
	p[s->n++] = (struct cli_source){ st.st_dev, S_ISBLK(st.st_mode) ? st.st_rdev : 0, st.st_ino };
	s->items = p;
	return true;
}

static bool sources_add_chain(struct cli_sources *s, struct vtr_blk *b)
{
	for (; b && vtr_image_info(b); b = vtr_image_backing(b)) {
		const char *path;

		for (size_t k = 0; cli_image_file(&path, vtr_image_info(b), k); k++)
			if (!sources_add(s, path))
				return false;
	}
	return true;
}

bool cli_sources_note(struct cli_sources *s, struct cli *c, struct vtr_blk *image)
{
	for (size_t i = 0; i < c->n_images; i++)
		if (!sources_add(s, c->images[i]))
			return false;
	for (size_t i = 0; c->guest && i < vtr_guest_devices(c->guest); i++) {
		const struct vtr_device *d = vtr_guest_device(c->guest, i);

		if (d->parent < 0 && !sources_add_chain(s, d->blk))
			return false;
	}
	return sources_add_chain(s, image);
}

bool cli_sources_has(const struct cli_sources *s, const struct stat *st)
{
	for (size_t i = 0; s && i < s->n; i++)
		if ((s->items[i].dev == st->st_dev && s->items[i].ino == st->st_ino) ||
		    (S_ISBLK(st->st_mode) && s->items[i].rdev == st->st_rdev))
			return true;
	return false;
}

void cli_sources_done(struct cli_sources *s)
{
	free(s->items);
	*s = (struct cli_sources){ 0 };
}

/* --------------------------------------------------------------------------------------------------- what is there */

const char *cli_output_noun(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "a file";
	case S_IFDIR:
		return "a directory";
	case S_IFLNK:
		return "a symbolic link";
	case S_IFCHR:
		return "a character device";
	case S_IFBLK:
		return "a block device";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	default:
		return "something of no known type";
	}
}

int cli_output_look(char **real, struct stat *st, const char *path)
{
	*real = NULL;
	if (lstat(path, st) < 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISLNK(st->st_mode))
		return 1;
	/* stat() first: the kernel may refuse to follow a link that a stranger put into /tmp, realpath() would not. */
	if (stat(path, st) < 0) {
		errno = errno == ENOENT ? ELOOP : errno;
		return -1;
	}
	*real = realpath(path, NULL);
	return *real ? 1 : -1;
}

/* ----------------------------------------------------------------------------------------------- beneath a directory */

void cli_output_temp_name(char *buf, size_t size)
{
	static unsigned count;

	snprintf(buf, size, ".vitrine-%ld-%u", (long)getpid(), count++);
}

int cli_output_make_nameless(int dir, mode_t mode)
{
	return openat(dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, mode);
}

int cli_output_make(int dir, bool *nameless, char *temp, size_t size, mode_t mode)
{
	int fd = -1;

	temp[0] = 0;
	if (*nameless) {
		fd = cli_output_make_nameless(dir, mode);
		if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT))
			return fd;
		*nameless = false;
	}
	for (unsigned i = 0; i < OUTPUT_TEMP_TRIES; i++) {
		cli_output_temp_name(temp, size);
		fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		if (fd >= 0 || errno != EEXIST)
			break;
	}
	if (fd < 0)
		temp[0] = 0;
	return fd;
}

bool cli_output_link(int file, int dir, const char *name)
{
	char proc[40];

	if (linkat(file, "", dir, name, AT_EMPTY_PATH) == 0)
		return true;
	if (errno != ENOENT)
		return false;
	/* linkat(AT_EMPTY_PATH) may need CAP_DAC_READ_SEARCH. */
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", file);
	return linkat(AT_FDCWD, proc, dir, name, AT_SYMLINK_FOLLOW) == 0;
}

int cli_output_handle(int dir, const char *name, mode_t type, dev_t rdev)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	bool device = type == S_IFCHR || type == S_IFBLK;
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type && st.st_nlink == 1 && st.st_uid == geteuid() &&
	    (!device || st.st_rdev == rdev))
		return fd;
	close(fd);
	errno = ESTALE;
	return -1;
}

int cli_output_set_owner(int handle, uid_t uid, gid_t gid)
{
	return fchownat(handle, "", uid, gid, AT_EMPTY_PATH);
}

static void output_proc(char *proc, size_t size, int handle)
{
	snprintf(proc, size, "/proc/self/fd/%d", handle);
}

int cli_output_set_mode(int handle, mode_t mode)
{
	char proc[40];

#ifdef SYS_fchmodat2
	if (syscall(SYS_fchmodat2, handle, "", mode, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOSYS && errno != EPERM)
		return -1;
#endif
	/* Linux before 6.6: no call takes the handle itself, but this name leads to nothing else. */
	output_proc(proc, sizeof(proc), handle);
	return chmod(proc, mode);
}

int cli_output_set_times(int handle, const struct timespec ts[2])
{
	char proc[40];

	if (utimensat(handle, "", ts, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOENT)
		return -1;
	output_proc(proc, sizeof(proc), handle); /* Linux before 5.8 */
	return utimensat(AT_FDCWD, proc, ts, 0);
}

int cli_output_set_xattr(int handle, const char *name, const void *value, size_t len)
{
	char proc[40];

	output_proc(proc, sizeof(proc), handle);
	return setxattr(proc, name, value, len, 0);
}

/* -------------------------------------------------------------------------------------------------------- one file */

/* A device or a FIFO, which is what it was when it was looked at. */
static bool output_open_through(struct cli_output *o, struct cli *c, const struct stat *st)
{
	/* O_EXCL: a block device that is mounted, or otherwise in use, is busy. */
	int flags = O_WRONLY | O_NOCTTY | O_CLOEXEC | (S_ISBLK(st->st_mode) ? O_EXCL : 0);
	struct stat now;

	o->fd = open(o->real ? o->real : o->path, flags);
	if (o->fd < 0)
		return output_fail(c, o->path, "%s", strerror(errno));
	if (fstat(o->fd, &now) < 0 || now.st_mode != st->st_mode || now.st_rdev != st->st_rdev ||
	    now.st_ino != st->st_ino || now.st_dev != st->st_dev)
		return output_fail(c, o->path, "it is not what it was a moment ago");
	o->through = true;
	return true;
}

/* A new file in the directory of the path. */
static bool output_open_new(struct cli_output *o, struct cli *c)
{
	const char *path = o->real ? o->real : o->path, *slash = strrchr(path, '/');
	bool nameless = access("/proc/self/fd", X_OK) == 0;
	char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");

	o->name = slash ? slash + 1 : path;
	if (!o->name[0] || strcmp(o->name, ".") == 0 || strcmp(o->name, "..") == 0) {
		free(dir);
		return output_fail(c, o->path, "no name for a file");
	}
	o->dir = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	free(dir);
	if (o->dir >= 0)
		o->fd = cli_output_make(o->dir, &nameless, o->temp, sizeof(o->temp), 0666);
	return o->fd >= 0 || output_fail(c, o->path, "%s", strerror(errno));
}

bool cli_output_open(struct cli_output *o, struct cli *c, const char *path, unsigned flags, const struct cli_sources *s)
{
	struct stat st;
	int there;

	*o = (struct cli_output){ .fd = -1, .dir = -1, .path = path, .force = flags & CLI_OUTPUT_FORCE };
	there = cli_output_look(&o->real, &st, path);
	if (there < 0 && errno == ELOOP)
		return output_fail(c, path, "a symbolic link that leads nowhere: not written through");
	if (there < 0)
		return output_fail(c, path, "%s", strerror(errno));
	if (there == 0)
		return output_open_new(o, c);
	if (cli_sources_has(s, &st))
		return output_fail(c, path, "it is the image itself, or one that it builds on");
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		if (!o->force)
			return output_fail(c, path, "%s; --force replaces it", strerror(EEXIST));
		o->replaces = true;
		o->old = st;
		return output_open_new(o, c);
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
		if (flags & CLI_OUTPUT_REGULAR)
			return output_fail(c, path, "%s: what is written needs a regular file",
					   cli_output_noun(st.st_mode));
		if (!o->force)
			return output_fail(c, path, "%s is there; --force writes to it", cli_output_noun(st.st_mode));
		return output_open_through(o, c, &st);
	default:
		return output_fail(c, path, "%s is there: not replaced", cli_output_noun(st.st_mode));
	}
}

/* The name has still what was there, or nothing. */
static bool output_is_as_before(struct cli_output *o)
{
	struct stat st;

	if (fstatat(o->dir, o->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT;
	return S_ISREG(st.st_mode);
}

/* The new file can be read by those who could read the old one. */
static bool output_keep_readers(struct cli_output *o)
{
	bool group = fchown(o->fd, o->old.st_uid, o->old.st_gid) == 0 || fchown(o->fd, (uid_t)-1, o->old.st_gid) == 0;

	return fchmod(o->fd, o->old.st_mode & (group ? 0777 : 0707)) == 0;
}

bool cli_output_publish(struct cli_output *o, struct cli *c)
{
	bool linked = o->temp[0] != 0;
	int fd;

	if (o->through) {
		struct stat st;

		if (fstat(o->fd, &st) == 0 && S_ISBLK(st.st_mode) && fsync(o->fd) < 0)
			return output_fail(c, o->path, "%s", strerror(errno));
		return true;
	}
	if (o->replaces && !output_keep_readers(o))
		return output_fail(c, o->path, "mode: %s", strerror(errno));
	fd = dup(o->fd);
	if (fd < 0 || close(fd) < 0) /* where writing was put off until then, this says whether it was done */
		return output_fail(c, o->path, "%s", strerror(errno));
	if (!o->force) {
		if (linked ? linkat(o->dir, o->temp, o->dir, o->name, 0) == 0 : cli_output_link(o->fd, o->dir, o->name))
			return true;
		return output_fail(c, o->path, "%s%s", strerror(errno), errno == EEXIST ? "; --force replaces it" : "");
	}
	for (unsigned i = 0; !linked && i < OUTPUT_TEMP_TRIES; i++) {
		cli_output_temp_name(o->temp, sizeof(o->temp));
		linked = cli_output_link(o->fd, o->dir, o->temp);
		if (!linked)
			o->temp[0] = 0;
		if (!linked && errno != EEXIST)
			break;
	}
	if (!linked)
		return output_fail(c, o->path, "%s", strerror(errno));
	if (!output_is_as_before(o))
		return output_fail(c, o->path, "it is not what it was: not replaced");
	if (renameat(o->dir, o->temp, o->dir, o->name) < 0)
		return output_fail(c, o->path, "%s", strerror(errno));
	o->temp[0] = 0;
	return true;
}

void cli_output_done(struct cli_output *o)
{
	if (o->temp[0])
		unlinkat(o->dir, o->temp, 0);
	o->temp[0] = 0;
	if (o->fd >= 0)
		close(o->fd);
	if (o->dir >= 0)
		close(o->dir);
	o->fd = o->dir = -1;
	free(o->real);
	o->real = NULL;
}
