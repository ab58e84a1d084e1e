/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of the host. Nothing else in the library opens one. A file that the caller named may be a regular file or a
 * block device; a file that an image named must be a regular file beneath a directory that the caller allowed, and is
 * opened with openat2(2) RESOLVE_BENEATH, so that neither ".." nor a symbolic link leads out of it.
 */
#include "base/hostfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/text.h"

/* O_NONBLOCK: a FIFO must not hang us before fstat() has told what it is. */
#define HOST_FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

/* qemu's image locking (block/file-posix.c): a process that may write holds a lock on this byte. */
#define HOST_LOCK_WRITER 101

struct hostfile {
	struct vtr_blk blk;
	int fd;
	struct vtr_hostfile_id id;
	bool holes; /* SEEK_DATA works */
	pthread_mutex_t lock;
	uint64_t data,
		data_end; /* a stretch of data that was found last: finding its end may cost as much as it has bytes */
};

static int hostfile_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct hostfile *h = (struct hostfile *)b;
	uint8_t *p = buf;

	if (vtr_ctx_check(b->ctx, err) < 0)
		return -1;
	atomic_fetch_add_explicit(&b->ctx->bytes_read, len, memory_order_relaxed);
	while (len > 0) {
		ssize_t n = pread(h->fd, p, VTR_MIN(len, (size_t)1 << 30), (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vtr_fail_errno(err, VTR_EIO, errno, "reading %zu bytes at %#" PRIx64 "", len, off);
		if (n == 0)
			return vtr_fail(err, VTR_EIO, "the file became shorter while it was read: nothing at %#" PRIx64,
					off);
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int hostfile_extent(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err)
{
	struct hostfile *h = (struct hostfile *)b;
	bool known;
	off_t at;

	(void)err;
	out->kind = VTR_EXTENT_DATA;
	out->has_host_off = true;
	out->host_off = off;
	out->len = b->size - off;
	if (!h->holes)
		return 0;
	pthread_mutex_lock(&h->lock);
	known = h->data <= off && off < h->data_end;
	if (known)
		out->len = h->data_end - off;
	pthread_mutex_unlock(&h->lock);
	if (known)
		return 0;
	at = lseek(h->fd, (off_t)off, SEEK_DATA);
	if (at < 0) {
		if (errno != ENXIO) /* no answer: all is data */
			return 0;
		at = (off_t)b->size; /* no data from off to the end */
	}
	if ((uint64_t)at > off) {
		out->kind = VTR_EXTENT_ABSENT;
		out->has_host_off = false;
		out->len = (uint64_t)at - off;
		return 0;
	}
	at = lseek(h->fd, (off_t)off, SEEK_HOLE);
	if (at > (off_t)off)
		out->len = VTR_MIN((uint64_t)at, b->size) - off;
	pthread_mutex_lock(&h->lock);
	h->data = off;
	h->data_end = off + out->len;
	pthread_mutex_unlock(&h->lock);
	return 0;
}

static void hostfile_close(struct vtr_blk *b)
{
	struct hostfile *h = (struct hostfile *)b;

	if (h->fd >= 0)
		close(h->fd);
	pthread_mutex_destroy(&h->lock);
}

static const struct vtr_blk_ops hostfile_ops = {
	.kind = "file",
	.pread = hostfile_pread,
	.extent = hostfile_extent,
	.close = hostfile_close,
};

bool vtr_hostfile_id(struct vtr_hostfile_id *out, const struct vtr_blk *b)
{
	if (b->ops != &hostfile_ops)
		return false;
	*out = ((const struct hostfile *)b)->id;
	return true;
}

/* Warn when another process may be writing: what is read can then be torn. */
static void hostfile_warn_writer(struct vtr_ctx *ctx, int fd, const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = HOST_LOCK_WRITER, .l_len = 1 };

	if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		vtr_warn(ctx, VTR_OK, "%s: another process has it open for writing: what is read may be torn", path);
}

/* Make a block source of an open descriptor, which it takes in every case. */
static int hostfile_wrap(struct vtr_blk **out, struct vtr_ctx *ctx, int fd, const char *path, bool device_allowed,
			 struct vtr_error *err)
{
	struct stat st;
	uint64_t size = 0;
	struct vtr_blk *b;
	struct hostfile *h;
	unsigned get_size = BLKGETSIZE64; /* musl's ioctl() takes an int, glibc's an unsigned long */

	if (fstat(fd, &st) < 0) {
		vtr_error_errno(err, VTR_EIO, errno, "%s", path);
	} else if (S_ISREG(st.st_mode)) {
		size = (uint64_t)st.st_size;
		goto good;
	} else if (S_ISBLK(st.st_mode) && device_allowed) {
		if (ioctl(fd, get_size, &size) == 0)
			goto good;
		vtr_error_errno(err, VTR_EIO, errno, "%s: size of the block device", path);
	} else {
		vtr_error_set(err, device_allowed ? VTR_EUSAGE : VTR_EPOLICY, "%s: %s, expected a regular file%s", path,
			      S_ISDIR(st.st_mode)    ? "a directory"
			      : S_ISCHR(st.st_mode)  ? "a character device"
			      : S_ISFIFO(st.st_mode) ? "a FIFO"
			      : S_ISBLK(st.st_mode)  ? "a block device"
						     : "neither file nor device",
			      device_allowed ? " or a block device" : "");
	}
	close(fd);
	return -1;
good:
	b = vtr_blk_new(&hostfile_ops, sizeof(struct hostfile), ctx, size, err);
	if (!b) {
		close(fd);
		return -1;
	}
	h = (struct hostfile *)b;
	h->fd = fd;
	pthread_mutex_init(&h->lock, NULL);
	h->id = (struct vtr_hostfile_id){
		.dev = (uint64_t)st.st_dev,
		.ino = (uint64_t)st.st_ino,
		.allocated = S_ISREG(st.st_mode) ? (uint64_t)st.st_blocks * 512 : size,
		.mtime_s = st.st_mtim.tv_sec,
	};
	h->holes = S_ISREG(st.st_mode);
	hostfile_warn_writer(ctx, fd, path);
	*out = b;
	return 0;
}

int vtr_hostfile_open(struct vtr_blk **out, struct vtr_ctx *ctx, const char *path, struct vtr_error *err)
{
	int fd = open(path, HOST_FLAGS);

	if (fd < 0 && errno == ENXIO)
		return vtr_fail(err, VTR_EUSAGE, "%s: a socket or no device, expected a regular file or a block device",
				path);
	if (fd < 0)
		return vtr_fail_errno(err, errno == ENOENT || errno == ENOTDIR ? VTR_ENOTFOUND : VTR_EIO, errno, "%s",
				      path);
	return hostfile_wrap(out, ctx, fd, path, true, err);
}

int vtr_ctx_allow_dir(struct vtr_ctx *ctx, const char *dir, struct vtr_error *err)
{
	struct vtr_allowed_dir *dirs;
	char *real = realpath(dir, NULL);
	int fd;

	if (!real)
		return vtr_fail_errno(err, VTR_EUSAGE, errno, "%s", dir);
	fd = open(real, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		vtr_error_errno(err, VTR_EUSAGE, errno, "%s", dir);
		free(real);
		return -1;
	}
	dirs = realloc(ctx->dirs, (ctx->n_dirs + 1) * sizeof(*dirs));
	if (!dirs) {
		close(fd);
		free(real);
		return vtr_fail(err, VTR_ENOMEM, "out of memory");
	}
	ctx->dirs = dirs;
	ctx->dirs[ctx->n_dirs++] = (struct vtr_allowed_dir){ .path = real, .fd = fd };
	return 0;
}

/* Open rel beneath dirfd for kernels and sandboxes without openat2(2): no symbolic links, no ".." at all. */
static int hostfile_open_steps(int dirfd, const char *rel)
{
	int dir = fcntl(dirfd, F_DUPFD_CLOEXEC, 0), fd = -1;
	const char *p = rel;
	struct stat st;

	while (dir >= 0 && fd < 0) {
		size_t n = strcspn(p, "/");
		bool last = p[n] == 0;
		char name[256];
		int next;

		if (n == 0 && !last) {
			p++;
			continue;
		}
		if (n == 0 || n >= sizeof(name) || (n == 2 && memcmp(p, "..", 2) == 0)) {
			errno = n >= sizeof(name) ? ENAMETOOLONG : EXDEV;
			break;
		}
		memcpy(name, p, n);
		name[n] = 0;
		next = openat(dir, name, (last ? HOST_FLAGS : O_PATH | O_DIRECTORY | O_CLOEXEC) | O_NOFOLLOW);
		if (last) {
			fd = next;
			break;
		}
		if (next < 0) {
			if (errno == ENOTDIR)
				errno = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode)
						? ELOOP
						: ENOTDIR;
			break;
		}
		close(dir);
		dir = next;
		p += n;
	}
	if (dir >= 0) {
		int saved = errno;

		close(dir);
		errno = saved;
	}
	return fd;
}

static int hostfile_open_beneath(int dirfd, const char *rel)
{
	struct open_how how = { .flags = HOST_FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	long fd = -1;

	/* EAGAIN: somebody renames directories meanwhile, so that it cannot tell. */
	for (int tries = 0; tries < 16; tries++) {
		fd = syscall(SYS_openat2, dirfd, rel, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return hostfile_open_steps(dirfd, rel);
	return (int)fd;
}

/* The directory of the image: its real path, the caller's, and a descriptor in *fd. */
static char *hostfile_image_dir(int *fd, const char *image, struct vtr_error *err)
{
	const char *slash = strrchr(image, '/');
	VTR_FREE char *dir = NULL;
	char *real;

	dir = !slash ? vtr_strndup(".", 1, err) : vtr_strndup(image, slash == image ? 1 : (size_t)(slash - image), err);
	if (!dir)
		return NULL;
	real = realpath(dir, NULL);
	if (!real) {
		vtr_error_errno(err, VTR_EIO, errno, "%s", dir);
		return NULL;
	}
	*fd = open(real, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0) {
		vtr_error_errno(err, VTR_EIO, errno, "%s", dir);
		free(real);
		return NULL;
	}
	return real;
}

/* dir + "/" + name, with "." and ".." taken away by text alone. NULL: out of memory. */
static char *hostfile_join(const char *dir, const char *name)
{
	size_t n = strlen(dir) + strlen(name) + 3, at = 0;
	char *in = malloc(n), *out = malloc(n);

	if (!in || !out) {
		free(in);
		free(out);
		return NULL;
	}
	if (name[0] == '/')
		strcpy(in, name);
	else
		strcat(strcat(strcpy(in, dir), "/"), name);
	for (const char *p = in; *p;) {
		size_t len;

		while (*p == '/')
			p++;
		len = strcspn(p, "/");
		if (len == 2 && memcmp(p, "..", 2) == 0) {
			while (at > 0 && out[--at] != '/')
				;
		} else if (len > 0 && !(len == 1 && *p == '.')) {
			out[at++] = '/';
			memcpy(out + at, p, len);
			at += len;
		}
		p += len;
	}
	if (at == 0)
		out[at++] = '/';
	out[at] = 0;
	free(in);
	return out;
}

/* What of path lies beneath dir: "" is dir itself; NULL: it does not. */
static const char *hostfile_rest(const char *dir, const char *path)
{
	size_t n = strlen(dir);

	if (n == 1)
		return path + 1;
	if (strncmp(dir, path, n) != 0 || (path[n] != '/' && path[n] != 0))
		return NULL;
	return path[n] ? path + n + 1 : path + n;
}

/*
 * The length of the protocol in front of a name, its colon included; 0: a plain path. As qemu tells them: a colon
 * before any slash. A file of such a name is written "./a:b".
 */
static size_t hostfile_protocol(const char *name)
{
	size_t n = strcspn(name, ":/");

	return name[n] == ':' ? n + 1 : 0;
}

/* Ask the resolver. 1: *out is what it served; 0: it leaves the name to the policy. */
static int hostfile_resolve(struct vtr_blk **out, struct vtr_ctx *ctx, const struct vtr_origin *image, const char *name,
			    const char *what, struct vtr_error *err)
{
	struct vtr_error own = { 0 };
	struct vtr_blk *b = NULL;
	unsigned before;
	int r;

	/* Images that it opens under this context are images of this chain: vtr_ctx_depth(). */
	if (VTR_OVER(ctx, chain, image->depth + 1, what, err) < 0)
		return -1;
	before = atomic_exchange(&ctx->depth, image->depth + 1);
	r = ctx->resolver(ctx->resolver_arg, &b, image->shown, name, &own);
	atomic_store(&ctx->depth, before);
	if (r < 0)
		return vtr_callback_failed(err, &own, "the resolver");
	if (r == 0)
		return 0;
	if (!b)
		return vtr_fail(err, VTR_EUSAGE, "%s \"%s\": the resolver returned %d and no block source", what, name,
				r);
	*out = b;
	return 1;
}

/* A directory as a shell takes it; the caller frees. NULL: no memory. */
static char *hostfile_quoted(const char *dir)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+,:@%=-";
	struct vtr_str s = { 0 };

	if (dir[strspn(dir, plain)] == 0)
		return strdup(dir);
	vtr_str_puts(&s, "'");
	for (const char *c = dir; *c; c++) {
		if (*c == '\'')
			vtr_str_puts(&s, "'\\''");
		else
			vtr_str_put(&s, c, 1);
	}
	vtr_str_puts(&s, "'");
	return vtr_str_take(&s, NULL);
}

int vtr_hostfile_open_named(struct vtr_blk **out, struct vtr_found *found, struct vtr_ctx *ctx,
			    const struct vtr_origin *image, const char *name, const char *what, struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *served = NULL;
	VTR_FREE char *dir = NULL, *full = NULL;
	int dirfd = -1, fd = -1, e = 0;
	const char *rest;
	bool allowed = false;
	size_t protocol;
	char *slash;

	if (ctx->resolver && hostfile_resolve(&served, ctx, image, name, what, err) < 0)
		return -1;
	if (served) {
		if (found) {
			char *shown = vtr_strndup(name, strlen(name), err);

			if (!shown)
				return -1;
			*found = (struct vtr_found){ .shown = shown };
		}
		*out = vtr_steal(served);
		return 0;
	}
	if (!image->path)
		return vtr_fail(err, VTR_EPOLICY, "%s \"%s\": an image without a path of its own names no files", what,
				name);
	if (name[0] == 0 || strlen(name) >= 4096)
		return vtr_fail(err, VTR_EPOLICY, "%s: a name of %zu bytes", what, strlen(name));
	protocol = hostfile_protocol(name);
	if (protocol > 0)
		return vtr_fail(err, VTR_EUNSUPPORTED, "%s \"%s\" needs the protocol \"%.*s\": only files are read",
				what, name, (int)protocol - 1, name);
	dir = hostfile_image_dir(&dirfd, image->path, err);
	if (!dir)
		return -1;
	full = hostfile_join(dir, name);
	if (!full) {
		close(dirfd);
		return vtr_fail(err, VTR_ENOMEM, "out of memory");
	}
	if (ctx->follow && (rest = hostfile_rest(dir, full)) && *rest) {
		allowed = true;
		fd = hostfile_open_beneath(dirfd, rest);
		e = errno;
	}
	close(dirfd);
	for (size_t i = 0; fd < 0 && i < ctx->n_dirs; i++) {
		rest = hostfile_rest(ctx->dirs[i].path, full);
		if (!rest || !*rest)
			continue;
		allowed = true;
		fd = hostfile_open_beneath(ctx->dirs[i].fd, rest);
		e = errno;
	}
	slash = strrchr(full, '/');
	if (allowed && fd < 0 && (e == EXDEV || e == ELOOP))
		return vtr_fail(err, VTR_EPOLICY, "%s \"%s\" is not opened: %s", what, name,
				e == EXDEV ? "a symbolic link leads out of the allowed directory"
					   : "it goes through a symbolic link that is not followed");
	if (!allowed) {
		const char *follow = hostfile_rest(dir, full) && !ctx->follow ? "--follow or " : "";

		VTR_FREE char *quoted = NULL;

		*(slash == full ? slash + 1 : slash) = 0;
		quoted = hostfile_quoted(full);
		return vtr_fail(err, VTR_EPOLICY, "%s \"%s\" is not opened: %s--allow-dir %s would allow it", what,
				name, follow, quoted ? quoted : full);
	}
	if (fd < 0 && e == ENXIO)
		return vtr_fail(err, VTR_EPOLICY, "%s \"%s\": a socket or no device, expected a regular file", what,
				full);
	if (fd < 0)
		return vtr_fail_errno(err, e == ENOENT || e == ENOTDIR || e == ENAMETOOLONG ? VTR_ENOTFOUND : VTR_EIO,
				      e, "%s \"%s\"", what, full);
	if (hostfile_wrap(out, ctx, fd, full, false, err) < 0)
		return vtr_at(err, "%s", what);
	if (found)
		*found = (struct vtr_found){ .shown = vtr_steal(full), .on_host = true };
	return 0;
}

/* ------------------------------------------------------------------------------------------------------- temporary */

static int hostfile_temp_in(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
	char name[4096];

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	/* Not every filesystem has files without a name. */
	if (snprintf(name, sizeof(name), "%s/vitrine-XXXXXX", dir) >= (int)sizeof(name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

int vtr_hostfile_temp(int *fd, struct vtr_error *err)
{
	const char *dirs[] = { secure_getenv("TMPDIR"), "/var/tmp", "/tmp" };
	int first = 0;

	for (size_t i = 0; i < VTR_COUNT(dirs); i++) {
		int f = dirs[i] && dirs[i][0] ? hostfile_temp_in(dirs[i]) : -1;

		if (f >= 0) {
			*fd = f;
			return 0;
		}
		if (dirs[i] && first == 0)
			first = errno;
	}
	return vtr_fail_errno(err, VTR_EIO, first, "a temporary file, in $TMPDIR, /var/tmp or /tmp");
}

/* ------------------------------------------------------------------------------------------------------ directories */

void vtr_hostfile_names_done(struct vtr_hostfile_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->name[i]);
	free(names->name);
	*names = (struct vtr_hostfile_names){ .n = 0 };
}

static int hostfile_by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool hostfile_is_regular(int dirfd, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_REG;
	return fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* Read an open directory, which the caller closes. */
static int hostfile_read_dir(struct vtr_hostfile_names *out, struct vtr_ctx *ctx, DIR *d, const char *dir,
			     const char *sub, struct vtr_error *err)
{
	uint64_t max = VTR_MIN(ctx->lim.dir_entries, (uint64_t)VTR_HOSTFILE_LIST), n = 0;
	size_t before = strlen(sub) + 1;
	const struct dirent *e;

	for (;;) {
		char *name;

		if (vtr_ctx_check(ctx, err) < 0)
			return -1;
		errno = 0;
		e = readdir(d);
		if (!e)
			break;
		if (++n > max)
			return vtr_fail(err, VTR_ELIMIT, "%s: it has more than %" PRIu64 " files, limit dir_entries",
					dir, max);
		if (!hostfile_is_regular(dirfd(d), e))
			continue;
		if (!VTR_GROW(out->name, out->n, out->cap, err) ||
		    !(name = vtr_calloc(1, before + strlen(e->d_name) + 1, err)))
			return -1;
		strcat(strcat(strcpy(name, sub), "/"), e->d_name);
		out->name[out->n++] = name;
	}
	if (errno != 0)
		return vtr_fail_errno(err, VTR_EIO, errno, "%s", dir);
	if (out->n > 0)
		qsort(out->name, out->n, sizeof(out->name[0]), hostfile_by_name);
	return 0;
}

int vtr_hostfile_list(struct vtr_hostfile_names *out, struct vtr_ctx *ctx, const struct vtr_origin *image,
		      const char *sub, const char *what, struct vtr_error *err)
{
	VTR_HOSTFILE_NAMES_DONE struct vtr_hostfile_names names = { .n = 0 };
	VTR_FREE char *own = NULL, *dir = NULL;
	int ownfd = -1, fd = -1, e = 0, r;
	bool allowed = false;
	DIR *d;

	if (!image->path)
		return vtr_fail(err, VTR_EPOLICY, "%s: an image without a path of its own has no neighbours", what);
	own = hostfile_image_dir(&ownfd, image->path, err);
	if (!own)
		return -1;
	dir = hostfile_join(own, sub);
	if (!dir) {
		close(ownfd);
		return vtr_fail(err, VTR_ENOMEM, "out of memory");
	}
	if (ctx->follow && strcmp(own, dir) == 0) {
		allowed = true;
		fd = hostfile_open_beneath(ownfd, ".");
		e = errno;
	}
	close(ownfd);
	for (size_t i = 0; fd < 0 && i < ctx->n_dirs; i++) {
		const char *rest = hostfile_rest(ctx->dirs[i].path, dir);

		if (!rest)
			continue;
		allowed = true;
		fd = hostfile_open_beneath(ctx->dirs[i].fd, *rest ? rest : ".");
		e = errno;
	}
	if (!allowed) {
		VTR_FREE char *quoted = hostfile_quoted(dir);

		return vtr_fail(err, VTR_EPOLICY, "%s is not looked for: %s--allow-dir %s would allow it", what,
				strcmp(own, dir) == 0 ? "--follow or " : "", quoted ? quoted : dir);
	}
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		e = fd < 0 ? e : errno;
		if (fd >= 0)
			close(fd);
		return vtr_fail_errno(err, VTR_EIO, e, "%s", dir);
	}
	r = hostfile_read_dir(&names, ctx, d, dir, sub, err);
	closedir(d);
	if (r < 0)
		return -1;
	*out = names;
	names = (struct vtr_hostfile_names){ .n = 0 };
	return 0;
}

bool vtr_hostfile_beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	size_t dir = slash ? (size_t)(slash - path) + 1 : 0;
	char full[4096];
	struct stat st;

	if (strchr(name, '/') || dir + strlen(name) >= sizeof(full))
		return false;
	memcpy(full, path, dir);
	strcpy(full + dir, name);
	return lstat(full, &st) == 0 && S_ISREG(st.st_mode);
}
