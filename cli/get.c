/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vitrine get: files and trees out of the guest.
 *
 * What the guest says never decides where something is written. The destination is opened once; each folder below it is
 * opened beneath that without following a link, names are single components, every file is made without a name (where
 * the host has no such files, under one of its own) and gets its name when it is whole, and the guest's symbolic links are
 * made after everything else.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "cli/crew.h"
#include "cli/links.h"
#include "cli/output.h"
#include "cli/progress.h"

extern const struct cli_verb cli_verb_get;

#define GET_CHUNK (256u << 10)
#define GET_BLOCK 4096u /* what is given up at a time where a file cannot be read */
#define GET_TEMP_TRIES 100u
#define GET_RENAME_NOREPLACE 1 /* RENAME_NOREPLACE of linux/fs.h */
#define GET_JOBS 32u
#define GET_JOB_MAX (1u << 20) /* the largest file that is written by the crew */

enum { GET_DEVICES = CLI_LONG, GET_SETID, GET_OWNER, GET_XATTRS, GET_LIMIT }; /* the limits follow */
enum { GET_XATTRS_NONE, GET_XATTRS_USER, GET_XATTRS_ALL };
enum { GET_BYTES, GET_ALLOCATED, GET_FILES, GET_FILE, GET_LIMITS };

/* What an extraction may cost: a small image can promise exabytes. */
static const struct {
	const char *name;
	uint64_t value;
} get_limits[GET_LIMITS] = {
	[GET_BYTES] = { "max-bytes", 16ull << 30 },
	[GET_ALLOCATED] = { "max-allocated", 4ull << 30 },
	[GET_FILES] = { "max-files", 1000000 },
	[GET_FILE] = { "max-file", 4ull << 30 },
};

/* A folder below the destination: its last name, and its parent. The first is the destination itself. */
struct get_dir {
	size_t parent;
	char *name;	  /* NULL: the destination */
	const char *base; /* the guest's path that it is of */
	bool top;	  /* that path itself */
	struct vtr_place place;
	bool there; /* it was there before */
	bool keep;  /* its mode and times stay as they are */
};

/* A symbolic link, or another name of one, that is made at the end. */
struct get_link {
	size_t dir;
	char *name;
	const char *base; /* the guest's path that it is of */
	bool top;	  /* that path itself */
	struct vtr_place place;
};

/*
 * A file that was read and is to be written, by any thread, into a folder that was made here. What does not go at once is
 * done again, in the order of the listing and as if nothing had been tried.
 */
struct get_job {
	size_t dir;
	int dir_fd;
	int close_fd; /* a folder's descriptor that no job after this one wants; -1 */
	struct vtr_entry e;
	char *name, *path;
	char *buf;
	size_t cap;
	bool done;
};

struct get {
	struct cli c;
	bool no_clobber, update, force, verbose, preserve, devices, setid, owner;
	int xattrs;
	uint64_t max[GET_LIMITS], used[GET_LIMITS];
	int root_fd;
	struct get_dir *dirs;
	size_t n_dirs, cap_dirs;
	struct get_link *links;
	size_t n_links, cap_links;
	size_t *stack; /* the folder of each depth of the listing */
	size_t cap_stack;
	struct cli_links names; /* "FOLDER/NAME" of files that were written, by inode */
	struct cli_sources sources;
	size_t open_dir;  /* whose descriptor open_fd is */
	int open_fd;	  /* -1: none */
	const char *top;  /* the name of what is copied; "": what lies in it */
	const char *base; /* the guest's path that is copied, for messages */
	char *chunk;
	struct cli_crew *crew; /* NULL: not yet, or no threads are to be had */
	bool crewless;
	struct get_job jobs[GET_JOBS];
	uint64_t first_job, n_jobs; /* the oldest that is kept, and how many there were */
	bool open_used;		    /* open_fd is a job's */
	bool nameless;		    /* files can be made without a name */
	bool stop;		    /* an error ended it */
	struct cli_progress progress;
};

/* The file that is being written. */
struct get_file {
	struct get *g;
	struct vtr_place place;
	const char *path;
	int fd;
	uint64_t size;
	uint64_t done;	  /* the end of what was copied */
	uint64_t written; /* and of what was not left a hole */
	bool told;	  /* that a part is lost */
	bool failed;	  /* and nothing of it is kept */
};

/* --------------------------------------------------------------------------------------------------------- telling */

static void get_progress(struct get *g)
{
	char size[32];

	cli_progress_show(&g->progress, "%" PRIu64 " files, %s", g->used[GET_FILES],
			  cli_size(size, g->used[GET_ALLOCATED]));
}

static void get_lost(struct get *g, const char *path, const struct vtr_error *err)
{
	cli_progress_clear(&g->progress);
	cli_partial_at(&g->c, path, err);
}

static void get_say(struct get *g, const char *path, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void get_say(struct get *g, const char *path, int code, const char *fmt, ...)
{
	struct vtr_error err = { .code = code };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err.text, sizeof(err.text), fmt, ap);
	va_end(ap);
	get_lost(g, path, &err);
}

/* What the host did not do for one file. A full disk ends everything. */
static void get_host_error(struct get *g, const char *path, const char *what)
{
	int e = errno;

	get_say(g, path, VTR_EIO, "%s: %s", what, strerror(e));
	if (e == ENOSPC || e == EDQUOT || e == ENOMEM || e == EROFS) {
		g->c.status = CLI_FAILED;
		g->stop = true;
	}
}

static void get_oom(struct get *g)
{
	struct vtr_error err = { .code = VTR_ENOMEM, .text = "out of memory" };

	cli_progress_clear(&g->progress);
	cli_error(&g->c, &err);
	g->stop = true;
}

static void get_verbose(struct get *g, const char *path)
{
	if (g->verbose) {
		cli_progress_clear(&g->progress);
		cli_puts(stdout, path);
		putchar('\n');
	}
}

/* Count against a limit; false: it is reached, which ends everything. */
static bool get_count(struct get *g, int limit, uint64_t n, const char *path)
{
	if (n <= g->max[limit] && g->used[limit] <= g->max[limit] - n) {
		g->used[limit] += n;
		return true;
	}
	if (!g->stop)
		get_say(g, path, VTR_ELIMIT, "%" PRIu64 " and %" PRIu64 " more are over --%s %" PRIu64 ": stopped here",
			g->used[limit], n, get_limits[limit].name, g->max[limit]);
	g->c.status = CLI_FAILED;
	g->stop = true;
	return false;
}

/* --------------------------------------------------------------------------------------------- the host's folders */

/* A name that can be one component of a path, and no other. */
static bool get_name_is(const char *name)
{
	return name[0] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/');
}

/* A folder in a folder, never through a link. */
static int get_open_child(int parent, const char *name)
{
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static bool get_dir_path(const struct get *g, size_t dir, char *buf, size_t size)
{
	size_t at = size - 1;

	buf[at] = 0;
	for (; g->dirs[dir].name; dir = g->dirs[dir].parent) {
		size_t n = strlen(g->dirs[dir].name);

		if (at < n + 1)
			return false;
		if (at < size - 1)
			buf[--at] = '/';
		at -= n;
		memcpy(buf + at, g->dirs[dir].name, n);
	}
	memmove(buf, buf + at, size - at);
	return true;
}

/* Name by name: where the kernel has no openat2(), and for paths that are too long for it. */
static int get_open_steps(const struct get *g, size_t dir)
{
	size_t depth = 0, i;
	int fd = -1;

	for (i = dir; g->dirs[i].name; i = g->dirs[i].parent)
		depth++;
	for (; depth > 0; depth--) {
		int next;

		i = dir;
		for (size_t up = 1; up < depth; up++)
			i = g->dirs[i].parent;
		next = get_open_child(fd < 0 ? g->root_fd : fd, g->dirs[i].name);
		if (fd >= 0) {
			int e = errno;

			close(fd);
			errno = e;
		}
		if (next < 0)
			return -1;
		fd = next;
	}
	return fd;
}

/* The descriptor of a folder, kept until another one is asked for; -1 and errno. */
static int get_fd(struct get *g, size_t dir)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	char path[4096];
	int fd = -1;

	if (!g->dirs[dir].name)
		return g->root_fd;
	if (g->open_fd >= 0 && g->open_dir == dir)
		return g->open_fd;
	if (g->dirs[dir].parent == g->open_dir && g->open_fd >= 0) {
		fd = get_open_child(g->open_fd, g->dirs[dir].name);
	} else {
		if (get_dir_path(g, dir, path, sizeof(path)))
			fd = (int)syscall(SYS_openat2, g->root_fd, path, &how, sizeof(how));
		if (fd < 0)
			fd = get_open_steps(g, dir);
	}
	if (fd < 0)
		return -1;
	if (g->open_used && g->first_job < g->n_jobs)
		g->jobs[(g->n_jobs - 1) % GET_JOBS].close_fd = g->open_fd;
	else if (g->open_fd >= 0)
		close(g->open_fd);
	g->open_used = false;
	g->open_fd = fd;
	g->open_dir = dir;
	return fd;
}

static uint64_t get_nsec(const struct vtr_time *t)
{
	return t->nsec < 1000000000 ? t->nsec : 999999999;
}

/* Whether what is there is of the guest's type, and of its number: another one takes its place. */
static bool get_is_alike(const struct stat *st, const struct vtr_stat *e)
{
	dev_t rdev = makedev(e->rdev_major, e->rdev_minor);

	switch (st->st_mode & S_IFMT) {
	case S_IFCHR:
		return e->type == VTR_TYPE_CHAR && st->st_rdev == rdev;
	case S_IFBLK:
		return e->type == VTR_TYPE_BLOCK && st->st_rdev == rdev;
	case S_IFIFO:
		return e->type == VTR_TYPE_FIFO;
	case S_IFSOCK:
		return e->type == VTR_TYPE_SOCKET;
	default:
		return S_ISREG(st->st_mode) || S_ISLNK(st->st_mode);
	}
}

/*
 * Whether the name is free for what is to be written: 1, or 0 when what is there stays, or -1 when it must not be
 * replaced, which is told.
 */
static int get_may_replace(struct get *g, int fd, const char *name, const struct vtr_entry *e, const char *path)
{
	struct stat st;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return 1;
		get_host_error(g, path, "looking at what is there");
		return -1;
	}
	if (g->no_clobber)
		return 0;
	if (!get_is_alike(&st, &e->st)) {
		get_say(g, path, VTR_EUSAGE, "%s is there: not replaced by a %s", cli_output_noun(st.st_mode),
			vtr_type_noun(e->st.type));
		return -1;
	}
	if (cli_sources_has(&g->sources, &st)) {
		get_say(g, path, VTR_EUSAGE, "it would replace the image that is read: left out");
		return -1;
	}
	if (g->update && e->st.type == VTR_TYPE_FILE && S_ISREG(st.st_mode) && (uint64_t)st.st_size == e->st.size &&
	    st.st_mtim.tv_sec == e->st.mtime.sec && (uint64_t)st.st_mtim.tv_nsec == get_nsec(&e->st.mtime))
		return 0;
	return 1;
}

/* Give what was made its own name. What had that name is replaced: get_may_replace() has looked at it. */
static bool get_rename(struct get *g, int fd, const char *temp, const char *name, const char *path)
{
	/* By its number: musl had no renameat2() before 1.2.6. */
	int r = g->no_clobber ? (int)syscall(SYS_renameat2, fd, temp, fd, name, GET_RENAME_NOREPLACE)
			      : renameat(fd, temp, fd, name);

	if (r < 0 && g->no_clobber && (errno == EINVAL || errno == ENOSYS))
		r = renameat(fd, temp, fd, name);
	if (r < 0) {
		bool kept = g->no_clobber && errno == EEXIST;

		if (!kept)
			get_host_error(g, path, "naming it");
		unlinkat(fd, temp, 0);
		return kept;
	}
	return true;
}

/* ---------------------------------------------------------------------------------------------------- metadata */

struct get_meta {
	struct get *g;
	const char *path;
	const struct vtr_stat *st;
	int fd;
	bool handle; /* fd is a handle on what cannot be opened */
};

static int get_xattr(void *arg, const struct vtr_xattr *x)
{
	struct get_meta *m = arg;
	int r;

	if (m->g->xattrs == GET_XATTRS_USER && strncmp(x->name, "user.", 5) != 0)
		return 0;
	r = m->handle ? cli_output_set_xattr(m->fd, x->name, x->value, x->len)
		      : fsetxattr(m->fd, x->name, x->value, x->len, 0);
	if (r < 0) {
		char what[400], name[300];
		int e = errno;

		vtr_escape(name, sizeof(name), x->name, strlen(x->name));
		snprintf(what, sizeof(what), "attribute %s", name);
		errno = e == ENOSPC ? E2BIG : e; /* no room in the inode, which is no full disk */
		get_host_error(m->g, m->path, what);
	}
	return m->g->stop ? -1 : 0;
}

static void get_times(struct timespec ts[2], const struct vtr_stat *st)
{
	const struct vtr_time *t[2] = { &st->atime, &st->mtime };

	for (int i = 0; i < 2; i++) {
		ts[i].tv_sec = t[i]->sec;
		ts[i].tv_nsec = t[i]->set ? (long)get_nsec(t[i]) : UTIME_OMIT;
	}
}

static mode_t get_mode(const struct get *g, const struct vtr_stat *st)
{
	return st->mode & (g->setid ? 07777 : 0777);
}

/* Owner, attributes, mode, times: in this order, as each takes away what a later one sets. */
static void get_set_meta(struct get *g, int fd, const struct vtr_place *p, const struct vtr_stat *st, const char *path)
{
	struct get_meta m = { .g = g, .path = path, .st = st, .fd = fd };
	struct vtr_error err = { 0 };
	struct timespec ts[2];

	if (g->owner && fchown(fd, st->uid, st->gid) < 0)
		get_host_error(g, path, "owner");
	if (g->xattrs && vtr_fs_xattrs(p->fs, p->node, get_xattr, &m, &err) < 0 && !g->stop)
		get_lost(g, path, &err);
	if (fchmod(fd, get_mode(g, st)) < 0)
		get_host_error(g, path, "mode");
	get_times(ts, st);
	if (futimens(fd, ts) < 0)
		get_host_error(g, path, "times");
}

/* The same for what cannot be opened: links, devices, FIFOs, sockets. False: it is no longer what was made, which is told. */
static bool get_set_meta_at(struct get *g, int dir, const char *name, mode_t type, const struct vtr_entry *e,
			    const char *path)
{
	int fd = cli_output_handle(dir, name, type, makedev(e->st.rdev_major, e->st.rdev_minor));
	struct get_meta m = { .g = g, .path = path, .st = &e->st, .fd = fd, .handle = true };
	struct vtr_error err = { 0 };
	struct timespec ts[2];

	if (fd < 0 && errno == ESTALE) {
		get_say(g, path, VTR_EIO, "something else has its name, while it is made: left out");
		return false;
	}
	if (fd < 0) {
		get_host_error(g, path, "looking at it");
		return false;
	}
	if (g->owner && cli_output_set_owner(fd, e->st.uid, e->st.gid) < 0)
		get_host_error(g, path, "owner");
	if (g->xattrs && vtr_fs_xattrs(e->place.fs, e->place.node, get_xattr, &m, &err) < 0 && !g->stop)
		get_lost(g, path, &err);
	if (type != S_IFLNK && cli_output_set_mode(fd, get_mode(g, &e->st)) < 0)
		get_host_error(g, path, "mode");
	get_times(ts, &e->st);
	if (cli_output_set_times(fd, ts) < 0)
		get_host_error(g, path, "times");
	close(fd);
	return true;
}

/* -------------------------------------------------------------------------------------------------------- files */

/* Whether an error of reading belongs to these bytes: the others are worth having. */
static bool get_is_damage(const struct vtr_error *err)
{
	return err->code == VTR_ECORRUPT || err->code == VTR_ETRUNCATED || err->code == VTR_EIO;
}

static bool get_write(struct get_file *f, const char *p, size_t len, uint64_t off)
{
	while (len > 0) {
		ssize_t n = pwrite(f->fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			get_host_error(f->g, f->path, "writing");
			return false;
		}
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	f->written = off;
	return true;
}

static bool get_is_zero(const char *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* Copy a stretch. What cannot be read stays a hole, which is told. */
static bool get_copy(struct get_file *f, uint64_t off, uint64_t len, bool holes)
{
	struct vtr_error err = { 0 };

	while (len > 0) {
		size_t n = (size_t)(len < GET_CHUNK ? len : GET_CHUNK);
		ssize_t got = vtr_fs_read(f->place.fs, f->place.node, off, f->g->chunk, n, &err);

		if (got < 0 && get_is_damage(&err) && n > GET_BLOCK) {
			n = GET_BLOCK - (size_t)(off % GET_BLOCK);
			got = vtr_fs_read(f->place.fs, f->place.node, off, f->g->chunk, n, &err);
		}
		if (got < 0) {
			if (!f->told)
				get_lost(f->g, f->path, &err);
			f->told = true;
			if (!get_is_damage(&err)) {
				f->g->stop = f->g->stop || err.code == VTR_ECANCELLED;
				return false;
			}
		} else {
			bool hole = holes && get_is_zero(f->g->chunk, (size_t)got);

			if (got == 0)
				return true;
			n = (size_t)got;
			if (!hole &&
			    (!get_count(f->g, GET_ALLOCATED, n, f->path) || !get_write(f, f->g->chunk, n, off)))
				return false;
		}
		off += n;
		len -= n;
		get_progress(f->g);
	}
	return true;
}

static int get_extent(void *arg, const struct vtr_file_extent *e)
{
	struct get_file *f = arg;
	uint64_t off = e->off > f->done ? e->off : f->done, end = f->size;

	if (e->unwritten || off >= f->size)
		return 0;
	if (e->len < f->size && e->off <= f->size - e->len)
		end = e->off + e->len;
	if (off >= end)
		return 0;
	f->done = end;
	if (get_copy(f, off, end - off, false))
		return 0;
	f->failed = true;
	return -1;
}

/* The contents, with the holes that they have. */
static bool get_contents(struct get_file *f)
{
	struct vtr_error err = { 0 };

	if (vtr_fs_extents(f->place.fs, f->place.node, get_extent, f, &err) < 0) {
		if (f->failed)
			return false;
		if (err.code == VTR_ECANCELLED) {
			get_lost(f->g, f->path, &err);
			f->g->stop = true;
			return false;
		}
		/* Where it lies cannot be said: read what is left, and leave out the zeros. */
		if (!get_copy(f, f->done, f->size - f->done, true))
			return false;
	}
	if (f->written != f->size && ftruncate(f->fd, (off_t)f->size) < 0) {
		get_host_error(f->g, f->path, "its size");
		return false;
	}
	return true;
}

/* A second name of a file that was written. False: it must be copied. */
static bool get_hard_link(struct get *g, int fd, const char *name, const char *first, const char *path, bool *done)
{
	size_t dir = (size_t)strtoull(first, NULL, 10);
	char temp[64];
	int from = -1, to = dup(fd);
	bool linked = false;

	*done = false;
	if (to < 0)
		return false;
	from = get_fd(g, dir);
	if (from >= 0) {
		cli_output_temp_name(temp, sizeof(temp));
		linked = linkat(from, strchr(first, '/') + 1, to, temp, 0) == 0;
		*done = linked && get_rename(g, to, temp, name, path);
		/* Where both were names of one file, both are still there. */
		if (*done)
			unlinkat(to, temp, 0);
	}
	close(to);
	return linked;
}

/* Keep under which name a file was written, for the other names that it has. */
static void get_remember(struct get *g, const struct vtr_entry *e, size_t dir, const char *name)
{
	char *key;
	bool oom;

	if (e->st.nlink < 2)
		return;
	if (asprintf(&key, "%zu/%s", dir, name) < 0) {
		get_oom(g);
		return;
	}
	cli_links_met(&g->names, &e->place, key, &oom);
	if (oom)
		get_oom(g);
	free(key);
}

/*
 * Name a whole file. *temp: the name that it has; it has that no more. Checked: what has its own name may be replaced;
 * else nothing had it.
 */
static bool get_publish(struct get *g, int file, char *temp, size_t size, int fd, const char *name,
			const struct vtr_entry *e, const char *path, bool checked)
{
	bool named = temp[0] != 0;

	if (!named && cli_output_link(file, fd, name))
		return true;
	if (!named && errno == EEXIST && g->no_clobber)
		return true;
	if (!named && errno != EEXIST) {
		get_host_error(g, path, "naming it");
		return false;
	}
	if (!checked && get_may_replace(g, fd, name, e, path) <= 0) {
		if (named)
			unlinkat(fd, temp, 0);
		return false;
	}
	for (unsigned i = 0; !named && i < GET_TEMP_TRIES; i++) {
		cli_output_temp_name(temp, size);
		named = cli_output_link(file, fd, temp);
		if (!named && errno != EEXIST)
			break;
	}
	if (!named) {
		get_host_error(g, path, "naming it");
		return false;
	}
	return get_rename(g, fd, temp, name, path);
}

static void get_one_file(struct get *g, int fd, size_t dir, const char *name, const struct vtr_entry *e,
			 const char *path, bool checked)
{
	struct get_file f = { .g = g, .place = e->place, .path = path, .size = e->st.size };
	char temp[64];

	f.fd = cli_output_make(fd, &g->nameless, temp, sizeof(temp), 0600);
	if (f.fd < 0) {
		get_host_error(g, path, "making it");
		return;
	}
	if (get_contents(&f))
		get_set_meta(g, f.fd, &e->place, &e->st, path);
	else
		f.failed = true;
	if (f.failed || g->stop) {
		if (temp[0])
			unlinkat(fd, temp, 0);
	} else if (get_publish(g, f.fd, temp, sizeof(temp), fd, name, e, path, checked)) {
		get_remember(g, e, dir, name);
		get_verbose(g, path);
	}
	close(f.fd);
}

/* ----------------------------------------------------------------------------------------------- files by the crew */

/* Write a job's file: whole, or not at all. */
static void get_work(void *arg, uint64_t job)
{
	struct get *g = arg;
	struct get_job *j = &g->jobs[job % GET_JOBS];
	int fd = cli_output_make_nameless(j->dir_fd, 0600);
	size_t at = 0, len = (size_t)j->e.st.size;
	struct timespec ts[2];
	ssize_t n = 1;

	j->done = false;
	if (fd < 0)
		return;
	for (; at < len && n > 0; at += n > 0 ? (size_t)n : 0)
		n = pwrite(fd, j->buf + at, len - at, (off_t)at);
	get_times(ts, &j->e.st);
	j->done = at == len && (!g->owner || fchown(fd, j->e.st.uid, j->e.st.gid) == 0) &&
		  fchmod(fd, get_mode(g, &j->e.st)) == 0 && futimens(fd, ts) == 0 &&
		  cli_output_link(fd, j->dir_fd, j->name);
	close(fd);
}

/* Take the oldest job away when it is done. */
static void get_end_job(struct get *g)
{
	struct get_job *j = &g->jobs[g->first_job % GET_JOBS];

	cli_crew_wait(g->crew, g->first_job);
	if (!j->done && !g->stop) {
		g->used[GET_ALLOCATED] -= j->e.st.size;
		/* The job's own descriptor: get_fd() is free to close what other jobs want. */
		get_one_file(g, j->dir_fd, j->dir, j->name, &j->e, j->path, false);
	}
	if (j->close_fd >= 0)
		close(j->close_fd);
	if (j->cap > GET_CHUNK) {
		free(j->buf);
		j->buf = NULL;
		j->cap = 0;
	}
	free(j->name);
	free(j->path);
	g->first_job++;
}

/* What was left to the crew is done. */
static void get_settle(struct get *g)
{
	while (g->first_job < g->n_jobs)
		get_end_job(g);
}

struct get_gather {
	const struct vtr_place *place;
	char *buf;
	uint64_t size, done;
};

static int get_gather_extent(void *arg, const struct vtr_file_extent *e)
{
	struct get_gather *t = arg;
	uint64_t len = e->off < t->size && e->len < t->size - e->off ? e->len : t->size - t->done;

	if (e->unwritten || e->off != t->done || len == 0 ||
	    vtr_fs_read(t->place->fs, t->place->node, t->done, t->buf + t->done, (size_t)len, NULL) != (ssize_t)len)
		return -1;
	t->done += len;
	return 0;
}

/* The contents of a file that has no holes; false: it has, or not all of it can be read. */
static bool get_gather(char *buf, const struct vtr_entry *e)
{
	struct get_gather t = { .place = &e->place, .buf = buf, .size = e->st.size };
	struct vtr_error err = { 0 };

	if (vtr_fs_extents(e->place.fs, e->place.node, get_gather_extent, &t, &err) == 0)
		return t.done == t.size;
	return err.code == VTR_EUNSUPPORTED && t.done == 0 &&
	       vtr_fs_read(e->place.fs, e->place.node, 0, buf, (size_t)t.size, NULL) == (ssize_t)t.size &&
	       !get_is_zero(buf, (size_t)t.size);
}

static bool get_have_crew(struct get *g)
{
	if (!g->crew && !g->crewless) {
		g->crew = cli_crew_new(g->c.limits.threads, GET_JOBS, false, get_work, g);
		g->crewless = !g->crew;
	}
	return !g->crewless;
}

/* Leave a file to the crew; false: it must be written here. */
static bool get_leave(struct get *g, int fd, size_t dir, const char *name, const struct vtr_entry *e, const char *path)
{
	struct get_job *j = &g->jobs[g->n_jobs % GET_JOBS];
	size_t size = (size_t)e->st.size;

	if (!g->nameless || g->verbose || g->xattrs || e->st.size > GET_JOB_MAX || !get_have_crew(g))
		return false;
	if (g->n_jobs - g->first_job == GET_JOBS)
		get_end_job(g);
	if (size > j->cap) {
		free(j->buf);
		j->cap = size <= GET_CHUNK ? GET_CHUNK : GET_JOB_MAX;
		j->buf = malloc(j->cap);
		j->cap = j->buf ? j->cap : 0;
	}
	if (size > j->cap || !get_gather(j->buf, e))
		return false;
	if (!get_count(g, GET_ALLOCATED, size, path))
		return true;
	j->dir = dir;
	j->dir_fd = fd;
	j->close_fd = -1;
	j->e = *e;
	j->name = strdup(name);
	j->path = strdup(path);
	if (!j->name || !j->path) {
		free(j->name);
		free(j->path);
		get_oom(g);
		return true;
	}
	g->open_used = g->open_used || fd == g->open_fd;
	g->n_jobs++;
	cli_crew_add(g->crew);
	return true;
}

/* Whether the last job has this name, too: one comes after the other then. */
static bool get_is_twice(const struct get *g, size_t dir, const char *name)
{
	const struct get_job *j = &g->jobs[(g->n_jobs + GET_JOBS - 1) % GET_JOBS];

	return g->first_job < g->n_jobs && j->dir == dir && strcmp(j->name, name) == 0;
}

static void get_regular(struct get *g, int fd, size_t dir, const char *name, const struct vtr_entry *e,
			const char *path, bool checked)
{
	if (e->st.size > g->max[GET_FILE]) {
		get_say(g, path, VTR_ELIMIT, "%" PRIu64 " bytes are over --max-file %" PRIu64 ": left out", e->st.size,
			g->max[GET_FILE]);
		return;
	}
	if (!get_count(g, GET_BYTES, e->st.size, path))
		return;
	if (checked || !get_leave(g, fd, dir, name, e, path))
		get_one_file(g, fd, dir, name, e, path, checked);
}

static void get_special(struct get *g, int fd, size_t dir, const char *name, const struct vtr_entry *e,
			const char *path)
{
	static const mode_t kinds[] = { [VTR_TYPE_CHAR] = S_IFCHR,
					[VTR_TYPE_BLOCK] = S_IFBLK,
					[VTR_TYPE_FIFO] = S_IFIFO,
					[VTR_TYPE_SOCKET] = S_IFSOCK };
	char temp[64];

	cli_output_temp_name(temp, sizeof(temp));
	if (mknodat(fd, temp, kinds[e->st.type] | 0600, makedev(e->st.rdev_major, e->st.rdev_minor)) < 0) {
		get_host_error(g, path, vtr_type_noun(e->st.type));
		return;
	}
	if (!get_set_meta_at(g, fd, temp, kinds[e->st.type], e, path))
		return;
	if (get_rename(g, fd, temp, name, path)) {
		get_remember(g, e, dir, name);
		get_verbose(g, path);
	}
}

static void get_symlink(struct get *g, int fd, size_t dir, const char *name, const struct vtr_entry *e,
			const char *path)
{
	struct vtr_error err = { 0 };
	char temp[64], *target = NULL;

	if (vtr_fs_readlink(&target, e->place.fs, e->place.node, &err) < 0) {
		get_lost(g, path, &err);
		return;
	}
	cli_output_temp_name(temp, sizeof(temp));
	if (symlinkat(target, fd, temp) < 0) {
		get_host_error(g, path, "symbolic link");
	} else if (get_set_meta_at(g, fd, temp, S_IFLNK, e, path) && get_rename(g, fd, temp, name, path)) {
		get_remember(g, e, dir, name);
		get_verbose(g, path);
	}
	free(target);
}

/* Whatever is no directory, into a folder that is there. */
static void get_write_entry(struct get *g, size_t dir, const char *name, const struct vtr_entry *e, const char *path)
{
	const char *first;
	int fd = get_fd(g, dir), may = 1;
	bool done, checked;

	if (fd < 0) {
		get_host_error(g, path, "its directory");
		return;
	}
	/* In a folder that was made here, only what the guest has twice is there before it. */
	checked = e->st.type != VTR_TYPE_FILE || e->st.nlink > 1 || g->dirs[dir].there;
	if (checked)
		may = get_may_replace(g, fd, name, e, path);
	if (may == 0 && !g->no_clobber)
		get_remember(g, e, dir, name); /* it is the same */
	if (may <= 0)
		return;
	first = e->st.nlink > 1 ? cli_links_find(&g->names, &e->place) : NULL;
	if (first) {
		if (get_hard_link(g, fd, name, first, path, &done)) {
			if (done)
				get_verbose(g, path);
			return;
		}
		/* Not on this host: a file of its own. The folder may have been closed. */
		fd = get_fd(g, dir);
		if (fd < 0) {
			get_host_error(g, path, "its directory");
			return;
		}
	}
	if (e->st.type == VTR_TYPE_FILE)
		get_regular(g, fd, dir, name, e, path, checked);
	else if (e->st.type == VTR_TYPE_SYMLINK)
		get_symlink(g, fd, dir, name, e, path);
	else
		get_special(g, fd, dir, name, e, path);
}

/* ------------------------------------------------------------------------------------------------------ the tree */

static bool get_grow(struct get *g, void *array, size_t n, size_t *cap, size_t size)
{
	void **p = array, *q;
	size_t more = *cap ? 2 * *cap : 64;

	if (n < *cap)
		return true;
	q = realloc(*p, more * size);
	if (!q) {
		get_oom(g);
		return false;
	}
	*p = q;
	*cap = more;
	return true;
}

/* Note a folder that is there now. Its place in the table; 0 is the destination, and no folder below it. */
static size_t get_add_dir(struct get *g, size_t parent, const char *name, const struct vtr_entry *e, bool there)
{
	char *copy;

	if (!get_grow(g, &g->dirs, g->n_dirs, &g->cap_dirs, sizeof(*g->dirs)))
		return 0;
	copy = strdup(name);
	if (!copy) {
		get_oom(g);
		return 0;
	}
	g->dirs[g->n_dirs] =
		(struct get_dir){ parent, copy, g->base, e->depth == 0, e->place, there, there && g->no_clobber };
	return g->n_dirs++;
}

/* A folder for the guest's. 0: it cannot be had, which was told. */
static size_t get_make_dir(struct get *g, size_t parent, const char *name, const struct vtr_entry *e, const char *path)
{
	int fd = get_fd(g, parent), child;
	bool there = false;
	struct stat st;
	size_t dir;

	if (fd < 0) {
		get_host_error(g, path, "its directory");
		return 0;
	}
	if (mkdirat(fd, name, 0700) < 0) {
		there = errno == EEXIST;
		if (!there) {
			get_host_error(g, path, "directory");
			return 0;
		}
		get_settle(g);
	}
	child = get_open_child(fd, name);
	if (child < 0) {
		if (errno == ENOTDIR || errno == ELOOP)
			get_say(g, path, VTR_EUSAGE, "what is there is no directory: neither followed nor replaced");
		else
			get_host_error(g, path, "directory");
		return 0;
	}
	/* One of an earlier run, which has its own mode already. */
	if (there && !g->no_clobber && fstat(child, &st) == 0 && (st.st_mode & 0700) != 0700)
		fchmod(child, (st.st_mode & 0777) | 0700);
	close(child);
	dir = get_add_dir(g, parent, name, e, there);
	if (dir && !there)
		get_verbose(g, path);
	return dir;
}

/* Keep a link for the end. */
static void get_defer(struct get *g, size_t dir, const char *name, const struct vtr_entry *e)
{
	char *copy;

	if (!get_grow(g, &g->links, g->n_links, &g->cap_links, sizeof(*g->links)))
		return;
	copy = strdup(name);
	if (!copy) {
		get_oom(g);
		return;
	}
	g->links[g->n_links++] = (struct get_link){ dir, copy, g->base, e->depth == 0, e->place };
}

/* One entry of the guest. Returns what a listing wants: 0, 1 not to go into it, -1 to stop. */
static int get_one(struct get *g, const struct vtr_entry *e, const char *name, const char *path)
{
	size_t parent = e->depth > 0 ? g->stack[e->depth - 1] : 0, dir;

	if (!get_name_is(name)) {
		get_say(g, path, VTR_ECORRUPT, "no name for a file: left out");
		return 1;
	}
	if (!get_count(g, GET_FILES, 1, path))
		return -1;
	get_progress(g);
	if (get_is_twice(g, parent, name))
		get_settle(g);
	switch (e->st.type) {
	case VTR_TYPE_DIR:
		dir = get_make_dir(g, parent, name, e, path);
		if (!dir)
			return g->stop ? -1 : 1;
		g->stack[e->depth] = dir;
		return 0;
	case VTR_TYPE_SYMLINK:
		get_defer(g, parent, name, e);
		break;
	case VTR_TYPE_FILE:
		get_write_entry(g, parent, name, e, path);
		break;
	case VTR_TYPE_CHAR:
	case VTR_TYPE_BLOCK:
	case VTR_TYPE_FIFO:
	case VTR_TYPE_SOCKET:
		if (g->devices) {
			get_write_entry(g, parent, name, e, path);
		} else {
			struct vtr_error odd = { 0 };

			snprintf(odd.text, sizeof(odd.text), "a %s: left out without --devices",
				 vtr_type_noun(e->st.type));
			cli_progress_clear(&g->progress);
			cli_warn_at(&g->c, path, &odd);
		}
		break;
	default:
		get_say(g, path, VTR_ECORRUPT, "of no known type: left out");
		break;
	}
	return g->stop ? -1 : 0;
}

static int get_entry(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	struct get *g = arg;
	const char *slash = strrchr(e->path, '/'), *name = e->depth == 0 ? g->top : slash ? slash + 1 : e->path;
	char *path;
	int r = vtr_exclude_has(g->c.exclude, e->path, e->path_len, err);

	if (r != 0)
		return r;
	path = cli_join(g->base, e->path);
	if (!path || !get_grow(g, &g->stack, e->depth, &g->cap_stack, sizeof(*g->stack))) {
		free(path);
		return -1;
	}
	if (e->failed) {
		get_lost(g, path, e->error);
		r = 0;
	} else if (e->depth == 0 && !g->top[0]) {
		g->stack[0] = 0; /* what lies in it goes into the destination */
		r = 0;
	} else {
		r = get_one(g, e, name, path);
	}
	free(path);
	return r;
}

/* The guest's path of what was deferred, for messages; its end when it is very long. */
static char *get_shown(const struct get *g, size_t dir, const char *name, const char *base, bool top)
{
	char path[4096];
	size_t at = sizeof(path) - 1;

	path[at] = 0;
	while (!top) {
		size_t n = strlen(name);

		if (at < n + 1)
			break;
		if (path[at])
			path[--at] = '/';
		at -= n;
		memcpy(path + at, name, n);
		if (!g->dirs[dir].name)
			break;
		name = g->dirs[dir].name;
		top = g->dirs[dir].top;
		dir = g->dirs[dir].parent;
	}
	return cli_join(base, path + at);
}

static void get_write_links(struct get *g)
{
	for (size_t i = 0; i < g->n_links && !g->stop; i++) {
		const struct get_link *l = &g->links[i];
		struct vtr_entry e = { .place = l->place };
		struct vtr_error err = { 0 };
		char *path = get_shown(g, l->dir, l->name, l->base, l->top);

		if (!path)
			get_oom(g);
		else if (vtr_fs_stat(&e.st, l->place.fs, l->place.node, &err) < 0)
			get_lost(g, path, &err);
		else
			get_write_entry(g, l->dir, l->name, &e, path);
		free(path);
		g->stop = g->stop || err.code == VTR_ECANCELLED;
	}
}

/* Modes and times of the folders, the deepest first: writing into them has changed their times. */
static void get_finish_dirs(struct get *g)
{
	bool stopped = g->stop;

	for (size_t i = g->n_dirs; i-- > 1;) {
		const struct get_dir *d = &g->dirs[i];
		struct vtr_error err = { 0 };
		struct vtr_stat st;
		char *path;
		int fd;

		if (d->keep)
			continue;
		path = get_shown(g, d->parent, d->name, d->base, d->top);
		fd = path ? get_fd(g, i) : -1;
		if (fd < 0) {
			if (path)
				get_host_error(g, path, "directory");
		} else if (vtr_fs_stat(&st, d->place.fs, d->place.node, &err) == 0) {
			get_set_meta(g, fd, &d->place, &st, path);
		} else if (!stopped) {
			get_lost(g, path, &err);
		}
		free(path);
		get_progress(g);
	}
}

/* ------------------------------------------------------------------------------------------------------- the verb */

/* The last name of a guest's path; "" when it says what lies in a directory: "/", ".", "etc/.". The caller frees. */
static char *get_base_name(const char *path)
{
	size_t n = strlen(path), at;

	while (n > 0 && path[n - 1] == '/')
		n--;
	for (at = n; at > 0 && path[at - 1] != '/';)
		at--;
	if ((n - at == 1 && path[at] == '.') || (n - at == 2 && memcmp(path + at, "..", 2) == 0))
		n = at;
	return strndup(path + at, n - at);
}

/* Copy one path; as: the name that it gets, "" for what lies in it. */
static void get_path(struct get *g, struct vtr_tree *t, char *path, const char *as)
{
	struct vtr_error err = { 0 };
	struct vtr_place p;
	struct vtr_stat st;

	if (vtr_tree_walk(&p, t, path, VTR_WALK_NOFOLLOW, &err) < 0 || vtr_fs_stat(&st, p.fs, p.node, &err) < 0) {
		cli_progress_clear(&g->progress);
		cli_error(&g->c, &err);
		return;
	}
	if (cli_begin_excluded(&g->c, t, path))
		return;
	if (!as[0] && strlen(path) >= 2 && strcmp(path + strlen(path) - 2, "/.") == 0)
		path[strlen(path) - 1] = 0; /* for messages */
	g->top = as;
	g->base = path;
	if (vtr_tree_list(t, &p, VTR_LIST_RECURSIVE | VTR_LIST_SORT | VTR_LIST_SELF, get_entry, g, &err) < 0 &&
	    err.code) {
		cli_progress_clear(&g->progress);
		cli_error(&g->c, &err);
		g->stop = true;
	}
	get_settle(g);
}

/* Copy one file into what cannot be replaced, a device or a FIFO, from its start to its end. */
static bool get_pour(struct get *g, struct cli_output *o, const struct vtr_place *p, uint64_t size, const char *path)
{
	struct vtr_error err = { 0 };
	bool told = false;

	for (uint64_t off = 0; off < size;) {
		size_t n = (size_t)(size - off < GET_CHUNK ? size - off : GET_CHUNK), at = 0;
		ssize_t got = vtr_fs_read(p->fs, p->node, off, g->chunk, n, &err);

		if (got < 0 && get_is_damage(&err) && n > GET_BLOCK) {
			n = GET_BLOCK - (size_t)(off % GET_BLOCK);
			got = vtr_fs_read(p->fs, p->node, off, g->chunk, n, &err);
		}
		if (got < 0) {
			if (!told)
				get_lost(g, path, &err);
			told = true;
			if (!get_is_damage(&err))
				return false;
			memset(g->chunk, 0, n);
			got = (ssize_t)n;
		}
		if (got == 0)
			break;
		if (!get_count(g, GET_ALLOCATED, (size_t)got, path))
			return false;
		while (at < (size_t)got) {
			ssize_t put = write(o->fd, g->chunk + at, (size_t)got - at);

			if (put < 0 && errno != EINTR) {
				get_host_error(g, path, "writing");
				return false;
			}
			if (cli_interrupted())
				return false;
			at += put > 0 ? (size_t)put : 0;
		}
		off += (uint64_t)got;
		get_progress(g);
	}
	return true;
}

/* Copy one path through the device or the FIFO that was named as its destination. */
static void get_through(struct get *g, struct vtr_tree *t, const char *path, const char *dest)
{
	struct cli_output o;
	struct vtr_error err = { 0 };
	struct vtr_place p;
	struct vtr_stat st;

	if (vtr_tree_walk(&p, t, path, VTR_WALK_NOFOLLOW, &err) < 0 || vtr_fs_stat(&st, p.fs, p.node, &err) < 0) {
		cli_error(&g->c, &err);
		return;
	}
	if (cli_begin_excluded(&g->c, t, path))
		return;
	if (st.type != VTR_TYPE_FILE) {
		get_say(g, dest, VTR_EUSAGE, "a %s is not written to a device or a FIFO", vtr_type_noun(st.type));
		g->c.status = CLI_FAILED;
		return;
	}
	if (st.size > g->max[GET_FILE]) {
		get_say(g, path, VTR_ELIMIT, "%" PRIu64 " bytes are over --max-file %" PRIu64 ": left out", st.size,
			g->max[GET_FILE]);
		return;
	}
	if (!get_count(g, GET_FILES, 1, path) || !get_count(g, GET_BYTES, st.size, path))
		return;
	if (cli_output_open(&o, &g->c, dest, CLI_OUTPUT_FORCE, &g->sources)) {
		bool good = get_pour(g, &o, &p, st.size, path);

		if (good && cli_output_publish(&o, &g->c))
			get_verbose(g, path);
		else
			g->c.status = CLI_FAILED;
	}
	cli_output_done(&o);
	cli_progress_clear(&g->progress);
}

/* Whether the guest has a regular file there: such a one goes where a link at the destination leads, as with cp(1). */
static bool get_is_file(struct vtr_tree *t, const char *path)
{
	struct vtr_place p;
	struct vtr_stat st;

	return vtr_tree_walk(&p, t, path, VTR_WALK_NOFOLLOW, NULL) == 0 && vtr_fs_stat(&st, p.fs, p.node, NULL) == 0 &&
	       st.type == VTR_TYPE_FILE;
}

/* Where things go. */
struct get_dest {
	int fd;	      /* a directory; -1: none, which was told */
	char *as;     /* the name that the only thing gets in it; NULL: its own */
	char *real;   /* what a link at the destination leads to */
	bool through; /* no directory, but a device or a FIFO that is written to */
};

static void get_dest_done(struct get_dest *d)
{
	free(d->as);
	free(d->real);
}

/* What is at the destination, which is no directory, may be there. *name: where the thing goes. */
static bool get_look_at_dest(struct get *g, struct get_dest *d, const char **name, struct vtr_tree *t, const char *path)
{
	const char *dest = *name;
	struct stat st;
	int there;

	if (lstat(dest, &st) == 0 && S_ISLNK(st.st_mode) && !get_is_file(t, path))
		return true; /* the link itself is replaced */
	there = cli_output_look(&d->real, &st, dest);
	if (there < 0 && errno == ELOOP)
		get_say(g, dest, VTR_EUSAGE, "a symbolic link that leads nowhere: not written through");
	else if (there < 0 && errno != ENOTDIR)
		get_host_error(g, dest, "looking at what is there");
	else if (there == 1 && !S_ISREG(st.st_mode) && !g->no_clobber && !g->force)
		get_say(g, dest, VTR_EUSAGE, "%s is there%s", cli_output_noun(st.st_mode),
			S_ISSOCK(st.st_mode) ? "" : "; --force writes to it");
	else if (there == 1 && !S_ISREG(st.st_mode) && !g->no_clobber)
		d->through = true;
	else {
		*name = d->real ? d->real : dest;
		return true;
	}
	g->c.status = d->through ? g->c.status : CLI_FAILED;
	return false;
}

/* Open the destination: a directory that is there, or the directory that one thing is made in. */
static void get_open_dest(struct get_dest *d, struct get *g, const char *dest, struct vtr_tree *t, int n_paths,
			  const char *path)
{
	struct vtr_error err = { .code = VTR_EIO };
	const char *name = dest;
	char *dir = NULL, *slash;
	size_t n;

	d->fd = open(dest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) && n_paths == 1 && dest[0]) {
		if (!get_look_at_dest(g, d, &name, t, path))
			return;
		n = strlen(name);
		while (n > 1 && name[n - 1] == '/')
			n--;
		dir = strndup(name, n);
		slash = dir ? strrchr(dir, '/') : NULL;
		d->as = dir ? strdup(slash ? slash + 1 : dir) : NULL;
		if (slash)
			slash[slash == dir] = 0;
		errno = ENOTDIR;
		if (d->as && get_name_is(d->as))
			d->fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (d->fd < 0) {
		snprintf(err.text, sizeof(err.text), "%s", strerror(errno));
		cli_partial_at(&g->c, dest, &err);
		g->c.status = CLI_FAILED;
	}
	free(dir);
}

static bool get_option(void *arg, int opt, const char *value)
{
	struct get *g = arg;

	switch (opt) {
	case 'n':
		g->no_clobber = true;
		g->update = g->force = false;
		return true;
	case 'f':
		g->force = true;
		g->no_clobber = g->update = false;
		return true;
	case 'u':
		g->update = true;
		g->no_clobber = g->force = false;
		return true;
	case 'v':
		g->verbose = true;
		return true;
	case 'p':
		g->preserve = true;
		return true;
	case GET_DEVICES:
		g->devices = true;
		return true;
	case GET_SETID:
		g->setid = true;
		return true;
	case GET_OWNER:
		g->owner = true;
		return true;
	case GET_XATTRS:
		g->xattrs = strcmp(value, "all") == 0 ? GET_XATTRS_ALL : GET_XATTRS_USER;
		return strcmp(value, "all") == 0 || strcmp(value, "user") == 0;
	default:
		return cli_size_value(&g->max[opt - GET_LIMIT], value);
	}
}

static void get_run_paths(struct get *g, struct vtr_tree *t, int n, char **paths, const char *as)
{
	for (int i = 0; i < n && !g->stop; i++) {
		char *name = as ? strdup(as) : get_base_name(paths[i]);

		if (name)
			get_path(g, t, paths[i], name);
		else
			get_oom(g);
		free(name);
	}
	get_write_links(g);
	get_finish_dirs(g);
	cli_progress_clear(&g->progress);
}

static void get_done(struct get *g)
{
	for (size_t i = 0; i < g->n_dirs; i++)
		free(g->dirs[i].name);
	for (size_t i = 0; i < g->n_links; i++)
		free(g->links[i].name);
	free(g->dirs);
	free(g->links);
	free(g->stack);
	cli_sources_done(&g->sources);
	free(g->chunk);
	cli_crew_free(g->crew);
	for (size_t i = 0; i < GET_JOBS; i++)
		free(g->jobs[i].buf);
	cli_links_done(&g->names);
	if (g->open_fd >= 0)
		close(g->open_fd);
	if (g->root_fd >= 0)
		close(g->root_fd);
}

static int get_run(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "no-clobber", no_argument, NULL, 'n' },
		{ "force", no_argument, NULL, 'f' },
		{ "update", no_argument, NULL, 'u' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "preserve", no_argument, NULL, 'p' },
		{ "devices", no_argument, NULL, GET_DEVICES },
		{ "setid", no_argument, NULL, GET_SETID },
		{ "owner", no_argument, NULL, GET_OWNER },
		{ "xattrs", required_argument, NULL, GET_XATTRS },
		{ "max-bytes", required_argument, NULL, GET_LIMIT + GET_BYTES },
		{ "max-allocated", required_argument, NULL, GET_LIMIT + GET_ALLOCATED },
		{ "max-files", required_argument, NULL, GET_LIMIT + GET_FILES },
		{ "max-file", required_argument, NULL, GET_LIMIT + GET_FILE },
		{ 0 },
	};
	struct get g = { .root_fd = -1, .open_fd = -1 };
	struct get_dest dest = { .fd = -1 };
	struct vtr_tree *t;
	char **paths, *to;
	int n;

	for (int i = 0; i < GET_LIMITS; i++)
		g.max[i] = get_limits[i].value;
	if (!cli_begin(&g.c, &cli_verb_get, &argc, &argv, "nfuvp", longs, get_option, &g))
		return cli_end(&g.c);
	if (argc < 2) {
		cli_usage(&g.c, argc == 1 ? "which path, and where to?" : "which path?");
		return cli_end(&g.c);
	}
	g.owner = g.owner || (g.preserve && geteuid() == 0);
	if (g.preserve && !g.xattrs)
		g.xattrs = GET_XATTRS_USER;
	/* Where a privilege is wanted to name a file by its descriptor, it is named by this. */
	g.nameless = access("/proc/self/fd", X_OK) == 0;
	cli_progress_begin(&g.progress);
	g.chunk = malloc(GET_CHUNK);
	t = g.chunk ? cli_tree(&g.c) : NULL;
	n = argc - 1;
	to = argv[n];
	paths = cli_paths(&g.c, t, argv, &n, true);
	if (t && n > 0 && cli_sources_note(&g.sources, &g.c, NULL) &&
	    get_grow(&g, &g.dirs, 0, &g.cap_dirs, sizeof(*g.dirs))) {
		g.dirs[g.n_dirs++] = (struct get_dir){ .there = true, .keep = true };
		get_open_dest(&dest, &g, to, t, n, paths[0]);
		g.root_fd = dest.fd;
		if (dest.through)
			get_through(&g, t, paths[0], to);
		else if (g.root_fd >= 0)
			get_run_paths(&g, t, n, paths, dest.as);
		cli_flush(&g.c);
	}
	get_dest_done(&dest);
	get_done(&g);
	return cli_end(&g.c);
}

const struct cli_verb cli_verb_get = {
	.name = "get",
	.summary = "Copy files and trees out of the guest",
	.usage = "[-nfuvp] [options] IMAGE PATH… DEST",
	.options = "  -n, --no-clobber     leave alone what is there\n"
		   "  -f, --force          replace files that are there (the default); write to a device or FIFO\n"
		   "  -u, --update         leave alone files of the same size and time: go on\n"
		   "  -v, --verbose        print each path\n"
		   "  -p, --preserve       user attributes, too; and owners, as root\n"
		   "      --owner          owners and groups, by number\n"
		   "      --xattrs WHICH   attributes: user, or all\n"
		   "      --setid          set-id and sticky bits\n"
		   "      --devices        devices, pipes and sockets\n"
		   "      --max-bytes N    size of all files; K, M, G, T may follow (16G)\n"
		   "      --max-allocated N  bytes written (4G)\n"
		   "      --max-files N    files, directories and links (1000000)\n"
		   "      --max-file N     size of one file (4G)\n",
	.without = CLI_NO_JSON,
	.run = get_run,
};
