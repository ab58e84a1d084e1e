/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/ext_images.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/part_images.h"

#define EXT_SHOWN 20u /* differences that are printed */
#define EXT_CHUNK (1u << 20)
#define EXT_WHOLE (64u << 20) /* larger files are compared where they hold data */

/* -------------------------------------------------------------------------------------------------------- opening */

static void ext_heard(void *arg, const struct vtr_error *w)
{
	struct ext_opened *o = arg;
	size_t n = strlen(o->said);

	snprintf(o->said + n, sizeof(o->said) - n, "%s: %s\n", vtr_code_name(w->code), w->text);
}

static void ext_open_blk(struct ext_opened *o)
{
	if (vtr_fs_open(&o->fs, o->blk, "ext", &o->err) < 0) {
		assert_null(o->fs);
		assert_int_not_equal(VTR_OK, o->err.code);
		return;
	}
	o->t = vtr_tree_new(o->fs, &o->err);
	assert_non_null(o->t);
}

static void ext_open_ctx(struct ext_opened *o, const struct vtr_limits *limits)
{
	*o = (struct ext_opened){ 0 };
	o->ctx = vtr_ctx_new(limits, NULL);
	assert_non_null(o->ctx);
	vtr_ctx_on_warning(o->ctx, ext_heard, o);
}

void ext_open_file(struct ext_opened *o, const char *path, const struct vtr_limits *limits)
{
	struct vtr_image_options opt = { .format = "raw" };

	ext_open_ctx(o, limits);
	if (vtr_image_open(&o->blk, o->ctx, path, &opt, &o->err) < 0)
		fail_msg("%s", o->err.text);
	ext_open_blk(o);
}

void ext_open_bytes(struct ext_opened *o, const void *bytes, size_t len, const struct vtr_limits *limits)
{
	ext_open_ctx(o, limits);
	assert_int_equal(0, vtr_blk_memory(&o->blk, o->ctx, bytes, len, &o->err));
	ext_open_blk(o);
}

void ext_done(struct ext_opened *o)
{
	vtr_tree_free(o->t);
	vtr_fs_unref(o->fs);
	vtr_blk_unref(o->blk);
	vtr_ctx_unref(o->ctx);
}

uint64_t ext_node_of(struct ext_opened *o, const char *path)
{
	struct vtr_error err = { 0 };
	struct vtr_place p;

	if (!o->t)
		fail_msg("%s", o->err.text);
	if (vtr_tree_walk(&p, o->t, path, VTR_WALK_NOFOLLOW, &err) < 0)
		fail_msg("%s", err.text);
	return p.node;
}

struct vtr_stat ext_stat_of(struct ext_opened *o, const char *path)
{
	struct vtr_error err = { 0 };
	struct vtr_stat st;

	if (vtr_fs_stat(&st, o->fs, ext_node_of(o, path), &err) < 0)
		fail_msg("%s: %s", path, err.text);
	return st;
}

struct ext_wanted {
	const char *name;
	uint8_t *value;
	size_t len;
};

static int ext_wanted_fn(void *arg, const struct vtr_xattr *x)
{
	struct ext_wanted *w = arg;

	if (strcmp(w->name, x->name) != 0)
		return 0;
	w->len = x->len;
	w->value = malloc(x->len + 1);
	assert_non_null(w->value);
	if (x->len > 0)
		memcpy(w->value, x->value, x->len);
	w->value[x->len] = 0;
	return 1;
}

void *ext_xattr_of(size_t *len, struct ext_opened *o, const char *path, const char *name)
{
	struct ext_wanted w = { .name = name };
	struct vtr_error err = { 0 };

	if (vtr_fs_xattrs(o->fs, ext_node_of(o, path), ext_wanted_fn, &w, &err) < 0)
		fail_msg("%s: %s", path, err.text);
	*len = w.len;
	return w.value;
}

uint8_t *ext_load_file(size_t *len, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *p;

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	p = malloc((size_t)st.st_size + 1);
	assert_non_null(p);
	for (off_t at = 0; at < st.st_size;) {
		ssize_t n = read(fd, p + at, (size_t)(st.st_size - at));

		assert_true(n > 0);
		at += n;
	}
	close(fd);
	*len = (size_t)st.st_size;
	return p;
}

/* ----------------------------------------------------------------------------------------------------------- tools */

char *ext_output(const char *fmt, ...)
{
	char command[8192], *out = NULL;
	size_t len = 0, cap = 0;
	va_list ap;
	int n = snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin:/sbin; ");
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(command + n, sizeof(command) - (size_t)n, fmt, ap);
	va_end(ap);
	f = popen(command, "r");
	assert_non_null(f);
	do {
		if (cap - len < 65536) {
			cap += 1u << 20;
			out = realloc(out, cap);
			assert_non_null(out);
		}
		n = (int)fread(out + len, 1, cap - len - 1, f);
		len += (size_t)n;
	} while (n > 0);
	out[len] = 0;
	pclose(f);
	return out;
}

void ext_debugfs(const char *image, const char *commands)
{
	char name[1024], *said;
	FILE *f;

	snprintf(name, sizeof(name), "%s.commands", image);
	f = fopen(name, "w");
	assert_non_null(f);
	assert_true(fputs(commands, f) >= 0 && fputc('\n', f) == '\n' && fclose(f) == 0);
	/* Its complaints go to standard error, after a line with its version. */
	said = ext_output("debugfs -w -f '%s' '%s' 2>&1 >/dev/null | sed 1d", name, image);
	if (said[0])
		fail_msg("debugfs: %s", said);
	free(said);
	unlink(name);
}

void ext_make_tree(const char *dir, unsigned many)
{
	part_run(
		"set -e; umask 022; mkdir -p '%s'; cd '%s'; mkdir -p a/b/c empty many deep; "
		"printf x > one; : > none; printf %%060d 7 > f60; printf %%061d 7 > f61; printf %%0100d 7 > f100; "
		"printf %%0160d 7 > f160; head -c 1024 /dev/zero | tr '\\0' y > f1024; seq 1 30000 > lines; ln one a/hard; "
		"for s in 0 11264 30000 280000 67300000 70000000; do printf 'data at %%d' $s | "
		"dd of=sparse bs=1 seek=$s conv=notrunc status=none; done; truncate -s 80000000 sparse; "
		"truncate -s 5G hole; chmod 4755 one; chmod 1777 empty; chmod 2750 a/b; "
		/* mke2fs reads it, too, and not everybody may read all. */
		"if [ $(id -u) = 0 ]; then chmod 0 none; else chmod 400 none; fi; "
		"printf 'last' > 'a name with \t and \\ and \303\251 and \377'",
		dir, dir);
	part_run(
		"set -e; cd '%s'; for n in 1 2 58 59 60 61 62 120 160 500 1000; do "
		"ln -sf $(head -c $n /dev/zero | tr '\\0' t) link$n; done; ln -s a/b rel; ln -s /a/b/c abs; ln -s nowhere broken; "
		"n=$(head -c 255 /dev/zero | tr '\\0' n); printf long > $n; d=deep; for i in $(seq 1 40); do d=$d/d$i; done; "
		"mkdir -p $d; printf bottom > $d/file; for i in $(seq 1 %u); do echo $i > many/name-of-file-number-$i; done; "
		"touch -d '2021-03-04 05:06:07.123456789 UTC' lines",
		dir, many);
}

void ext_make_image(const char *image, const char *tree, const char *arguments, const char *size)
{
	part_run("rm -f '%s'; mke2fs -q -F %s -d '%s' '%s' %s >'%s.log' 2>&1 || { cat '%s.log'; false; }", image,
		 arguments, tree, image, size, image, image);
	part_run("e2fsck -fn '%s' >'%s.log' 2>&1 || { cat '%s.log'; false; }; rm -f '%s.log'", image, image, image,
		 image);
}

int ext_mount(const char *image)
{
	static int possible = -1;
	char dir[] = "/tmp/vitrine-mount-XXXXXX", command[4096];
	int fd = -1;

	if (possible < 0) {
		/* Root of a user namespace has no loop devices. */
		possible = geteuid() == 0 && access("/dev/loop-control", R_OK | W_OK) == 0 &&
			   system("grep -q '^ *0 *0 *4294967295$' /proc/self/uid_map") == 0;
		if (!possible)
			print_message("no root, or no loop devices: compared with debugfs\n");
	}
	if (!possible)
		return -1;
	assert_non_null(mkdtemp(dir));
	/* Detached at once: it lives as long as the descriptor. */
	snprintf(command, sizeof(command),
		 "PATH=$PATH:/usr/sbin:/sbin; mount -t ext4 -o loop,ro,noload '%s' %s 2>/dev/null", image, dir);
	if (system(command) == 0) {
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin:/sbin; umount -l %s", dir);
		assert_int_equal(0, system(command));
	}
	rmdir(dir);
	return fd;
}

/* ------------------------------------------------------------------------------------------------------- comparing */

struct ext_compare {
	struct ext_opened *o;
	int dirfd;
	size_t n, differ, files;
	char *xattrs; /* of the current file, by the kernel */
	char path[512 + PATH_MAX];
	const char *shown;
};

#define EXT_DIFFERS(c, ...)                                                                                            \
	do {                                                                                                           \
		if ((c)->differ++ < EXT_SHOWN) {                                                                       \
			print_error("%s: ", (c)->shown);                                                               \
			print_error(__VA_ARGS__);                                                                      \
			print_error("\n");                                                                             \
		}                                                                                                      \
	} while (0)

#define EXT_SAME(c, what, theirs, ours)                                                                                \
	do {                                                                                                           \
		int64_t t_ = (int64_t)(theirs), o_ = (int64_t)(ours);                                                  \
		if (t_ != o_)                                                                                          \
			EXT_DIFFERS(c, "%s %" PRId64 ", expected %" PRId64, what, o_, t_);                             \
	} while (0)

static void ext_same_time(struct ext_compare *c, const char *what, int64_t sec, uint32_t nsec, const struct vtr_time *t)
{
	if (!t->set || sec != t->sec || nsec != t->nsec)
		EXT_DIFFERS(c, "%s %" PRId64 ".%09u, expected %" PRId64 ".%09u", what, t->sec, t->nsec, sec, nsec);
}

static int ext_mode_type_of(mode_t m)
{
	return S_ISREG(m)    ? VTR_TYPE_FILE
	       : S_ISDIR(m)  ? VTR_TYPE_DIR
	       : S_ISLNK(m)  ? VTR_TYPE_SYMLINK
	       : S_ISCHR(m)  ? VTR_TYPE_CHAR
	       : S_ISBLK(m)  ? VTR_TYPE_BLOCK
	       : S_ISFIFO(m) ? VTR_TYPE_FIFO
			     : VTR_TYPE_SOCKET;
}

static int ext_same_xattr(void *arg, const struct vtr_xattr *x)
{
	struct ext_compare *c = arg;
	char *value = malloc(x->len + 65536);
	ssize_t n;

	assert_non_null(value);
	n = lgetxattr(c->path, x->name, value, x->len + 65536);
	if (n < 0)
		EXT_DIFFERS(c, "attribute %s: expected none (%s)", x->name, strerror(errno));
	else if ((size_t)n != x->len || memcmp(value, x->value, x->len) != 0)
		EXT_DIFFERS(c, "attribute %s: %zu bytes, expected %zd, or other ones", x->name, x->len, n);
	free(value);
	c->n++;
	return 0;
}

static void ext_same_xattrs(struct ext_compare *c, const struct vtr_entry *e)
{
	struct vtr_error err = { 0 };
	ssize_t len = llistxattr(c->path, c->xattrs, 65536);
	size_t theirs = 0, before = c->n;

	for (ssize_t i = 0; i < len; i += (ssize_t)strlen(c->xattrs + i) + 1)
		theirs++;
	if (vtr_fs_xattrs(e->place.fs, e->place.node, ext_same_xattr, c, &err) < 0)
		EXT_DIFFERS(c, "attributes: %s", err.text);
	EXT_SAME(c, "attributes", theirs, c->n - before);
	c->n = before;
}

/* len bytes of both from off. */
static bool ext_same_range(struct ext_compare *c, int fd, const struct vtr_place *p, uint64_t off, uint64_t len)
{
	static uint8_t ours[EXT_CHUNK], theirs[EXT_CHUNK];
	struct vtr_error err = { 0 };

	while (len > 0) {
		size_t n = (size_t)VTR_MIN(len, (uint64_t)EXT_CHUNK);
		ssize_t got = pread(fd, theirs, n, (off_t)off), have = vtr_fs_read(p->fs, p->node, off, ours, n, &err);

		if (got < 0 || have != got || memcmp(ours, theirs, (size_t)got) != 0) {
			EXT_DIFFERS(c, "contents at %#" PRIx64 ": %zd bytes, expected %zd: %s", off, have, got,
				    err.text);
			return false;
		}
		if (got == 0)
			return true;
		off += (uint64_t)got;
		len -= (uint64_t)got;
	}
	return true;
}

static void ext_same_contents(struct ext_compare *c, int fd, const struct vtr_place *p, uint64_t size)
{
	off_t at = 0, end;

	c->files++;
	if (size <= EXT_WHOLE) {
		ext_same_range(c, fd, p, 0, size + 1);
		return;
	}
	while ((at = lseek(fd, at, SEEK_DATA)) >= 0 && (end = lseek(fd, at, SEEK_HOLE)) >= 0) {
		uint64_t from = at > 4096 ? (uint64_t)at - 4096 : 0;

		if (!ext_same_range(c, fd, p, from, (uint64_t)end - from + 4096))
			return;
		at = end;
	}
	ext_same_range(c, fd, p, size - 4096, 8192);
}

static int ext_compare_entry(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	struct ext_compare *c = arg;
	struct statx st;
	char *target = NULL, theirs[4097];
	ssize_t n;
	int fd;

	c->shown = e->path_len ? e->path : ".";
	if (e->failed) {
		EXT_DIFFERS(c, "%s", e->error->text);
		return 0;
	}
	c->n++;
	snprintf(c->path, sizeof(c->path), "/proc/self/fd/%d/%s", c->dirfd, e->path);
	if (statx(c->dirfd, c->shown, AT_SYMLINK_NOFOLLOW, STATX_ALL, &st) < 0) {
		EXT_DIFFERS(c, "expected none (%s)", strerror(errno));
		return 0;
	}
	EXT_SAME(c, "type", ext_mode_type_of(st.stx_mode), e->st.type);
	EXT_SAME(c, "mode", st.stx_mode & 07777, e->st.mode);
	EXT_SAME(c, "uid", st.stx_uid, e->st.uid);
	EXT_SAME(c, "gid", st.stx_gid, e->st.gid);
	EXT_SAME(c, "links", st.stx_nlink, e->st.nlink);
	EXT_SAME(c, "inode", st.stx_ino, e->st.node);
	EXT_SAME(c, "size", st.stx_size, e->st.size);
	/* The kernel rounds bytes in the inode up to sectors of their own. */
	if (!(e->st.flags & VTR_STAT_INLINE))
		EXT_SAME(c, "allocated", st.stx_blocks * 512, e->st.allocated);
	ext_same_time(c, "mtime", st.stx_mtime.tv_sec, st.stx_mtime.tv_nsec, &e->st.mtime);
	ext_same_time(c, "atime", st.stx_atime.tv_sec, st.stx_atime.tv_nsec, &e->st.atime);
	ext_same_time(c, "ctime", st.stx_ctime.tv_sec, st.stx_ctime.tv_nsec, &e->st.ctime);
	if (st.stx_mask & STATX_BTIME)
		ext_same_time(c, "btime", st.stx_btime.tv_sec, st.stx_btime.tv_nsec, &e->st.btime);
	if (S_ISCHR(st.stx_mode) || S_ISBLK(st.stx_mode)) {
		EXT_SAME(c, "major", st.stx_rdev_major, e->st.rdev_major);
		EXT_SAME(c, "minor", st.stx_rdev_minor, e->st.rdev_minor);
	}
	ext_same_xattrs(c, e);
	if (S_ISLNK(st.stx_mode)) {
		n = readlinkat(c->dirfd, c->shown, theirs, sizeof(theirs) - 1);
		theirs[n < 0 ? 0 : n] = 0;
		if (vtr_fs_readlink(&target, e->place.fs, e->place.node, err) < 0)
			EXT_DIFFERS(c, "target: %s", err->text);
		else if (strcmp(target, theirs) != 0)
			EXT_DIFFERS(c, "target %s, expected %s", target, theirs);
		free(target);
	} else if (S_ISREG(st.stx_mode)) {
		fd = openat(c->dirfd, c->shown, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			EXT_DIFFERS(c, "not opened: %s", strerror(errno));
		else
			ext_same_contents(c, fd, &e->place, e->st.size);
		if (fd >= 0)
			close(fd);
	}
	return 0;
}

/* How many entries lie below a directory. */
static size_t ext_count(const char *dir)
{
	char *paths[] = { (char *)(uintptr_t)dir, NULL };
	FTS *f = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	size_t n = 0;

	assert_non_null(f);
	for (FTSENT *e; (e = fts_read(f));)
		n += e->fts_info != FTS_DP;
	fts_close(f);
	return n;
}

static struct vtr_place ext_root(const struct ext_opened *o)
{
	return (struct vtr_place){ o->fs, vtr_fs_root(o->fs) };
}

size_t ext_compare_dir(struct ext_opened *o, int dirfd, size_t *differ)
{
	struct ext_compare c = { .o = o, .dirfd = dirfd, .xattrs = malloc(65536), .shown = "/" };
	struct vtr_place root = ext_root(o);
	struct vtr_error err = { 0 };
	char dir[64];

	assert_non_null(c.xattrs);
	if (vtr_tree_list(o->t, &root, VTR_LIST_RECURSIVE | VTR_LIST_SELF, ext_compare_entry, &c, &err) < 0)
		EXT_DIFFERS(&c, "%s", err.text);
	snprintf(dir, sizeof(dir), "/proc/self/fd/%d/.", dirfd);
	EXT_SAME(&c, "entries", ext_count(dir), c.n);
	free(c.xattrs);
	*differ = c.differ;
	return c.n;
}

/* ------------------------------------------------------------------------------------------------- against debugfs */

struct ext_said {
	struct ext_compare c;
	const char *scratch;
	char *stats; /* what debugfs says of each entry, in the order of the listing */
	char *at;
	FILE *commands;
	size_t dumped;
};

static int ext_said_ask(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	struct ext_said *s = arg;

	(void)err;
	if (!e->failed)
		fprintf(s->commands, "stat <%" PRIu64 ">\n", e->st.node);
	return 0;
}

/* The number after a word of debugfs's answer, in C's notation; 0 and false: it does not say. */
static bool ext_said_number(int64_t *out, const char *from, const char *end, const char *word, int base)
{
	const char *p = memmem(from, (size_t)(end - from), word, strlen(word));

	*out = p ? strtoll(p + strlen(word), NULL, base) : 0;
	return p != NULL;
}

/* " mtime: 0x655d0001:075bcd14 -- Tue …": seconds; and 2 bits of epoch below 30 of nanoseconds, in large inodes. */
static void ext_said_time(struct ext_compare *c, const char *from, const char *end, const char *word,
			  const struct vtr_time *t)
{
	const char *p = memmem(from, (size_t)(end - from), word, strlen(word));
	unsigned sec, extra = 0;

	if (p && sscanf(p + strlen(word), " 0x%x:%x", &sec, &extra) >= 1)
		ext_same_time(c, word, (int32_t)sec + ((int64_t)(extra & 3) << 32), extra >> 2, t);
}

static int ext_said_entry(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	static const char *const names[] = { "bad type",	  "regular",	   "directory", "symlink",
					     "character special", "block special", "FIFO",	"socket" };
	struct ext_said *s = arg;
	struct ext_compare *c = &s->c;
	char *target = NULL, theirs[4097], *end;
	int64_t v;
	ssize_t n;
	int fd;

	c->shown = e->path_len ? e->path : ".";
	if (e->failed) {
		EXT_DIFFERS(c, "%s", e->error->text);
		return 0;
	}
	c->n++;
	end = strstr(s->at + 1, "\nInode: ");
	end = end ? end : s->at + strlen(s->at);
	if (!memmem(s->at, (size_t)(end - s->at), names[e->st.type], strlen(names[e->st.type])))
		EXT_DIFFERS(c, "type %s, expected another", vtr_type_name(e->st.type));
	if (ext_said_number(&v, s->at, end, "Inode: ", 10))
		EXT_SAME(c, "inode", v, e->st.node);
	if (ext_said_number(&v, s->at, end, "Mode: ", 8))
		EXT_SAME(c, "mode", v, e->st.mode);
	if (ext_said_number(&v, s->at, end, "User: ", 10))
		EXT_SAME(c, "uid", (uint32_t)v, e->st.uid);
	if (ext_said_number(&v, s->at, end, "Group: ", 10))
		EXT_SAME(c, "gid", (uint32_t)v, e->st.gid); /* debugfs shows it with a sign */
	if (ext_said_number(&v, s->at, end, " Size: ", 10) && e->st.type <= VTR_TYPE_SYMLINK)
		EXT_SAME(c, "size", v, e->st.size);
	if (ext_said_number(&v, s->at, end, "Links: ", 10))
		EXT_SAME(c, "links", v, e->st.nlink);
	ext_said_time(c, s->at, end, " mtime:", &e->st.mtime);
	ext_said_time(c, s->at, end, " atime:", &e->st.atime);
	ext_said_time(c, s->at, end, " ctime:", &e->st.ctime);
	ext_said_time(c, s->at, end, "crtime:", &e->st.btime);
	if (ext_said_number(&v, s->at, end, "Device major/minor number: ", 10))
		EXT_SAME(c, "major", v, e->st.rdev_major);
	s->at = end;
	snprintf(c->path, sizeof(c->path), "%s/%s", s->scratch, e->path);
	if (e->st.type == VTR_TYPE_SYMLINK) {
		s->dumped++;
		n = readlink(c->path, theirs, sizeof(theirs) - 1);
		theirs[n < 0 ? 0 : n] = 0;
		if (vtr_fs_readlink(&target, e->place.fs, e->place.node, err) < 0)
			EXT_DIFFERS(c, "target: %s", err->text);
		else if (strcmp(target, theirs) != 0)
			EXT_DIFFERS(c, "target %s, expected %s", target, theirs);
		free(target);
	} else if (e->st.type == VTR_TYPE_FILE) {
		s->dumped++;
		/*
		 * Of short inline data debugfs 1.47 dumps all 60 bytes that there is room for, and of a file that is
		 * longer than what is stored it leaves out the zeros that the kernel reads.
		 */
		if ((e->st.flags & VTR_STAT_INLINE) && truncate(c->path, (off_t)e->st.size) < 0)
			EXT_DIFFERS(c, "not dumped: %s", strerror(errno));
		fd = open(c->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			EXT_DIFFERS(c, "not dumped: %s", strerror(errno));
		else
			ext_same_contents(c, fd, &e->place, e->st.size);
		if (fd >= 0)
			close(fd);
	} else if (e->st.type == VTR_TYPE_DIR) {
		s->dumped++;
	}
	return 0;
}

size_t ext_compare_debugfs(struct ext_opened *o, const char *image, const char *scratch, size_t *differ)
{
	struct ext_said s = { .c = { .o = o, .shown = "/" }, .scratch = scratch };
	struct vtr_place root = ext_root(o);
	struct vtr_error err = { 0 };
	char name[1024];

	snprintf(name, sizeof(name), "%s.commands", scratch);
	s.commands = fopen(name, "w");
	assert_non_null(s.commands);
	assert_int_equal(0, vtr_tree_list(o->t, &root, VTR_LIST_RECURSIVE | VTR_LIST_SELF, ext_said_ask, &s, &err));
	assert_int_equal(0, fclose(s.commands));
	s.stats = ext_output("debugfs -f '%s' '%s' 2>/dev/null", name, image);
	unlink(name);
	s.at = strstr(s.stats, "Inode: ");
	assert_non_null(s.at);
	part_run(
		"chmod -R u+rwx '%s' 2>/dev/null; rm -rf '%s'; mkdir '%s'; debugfs -R 'rdump / %s' '%s' >/dev/null 2>&1; "
		"chmod -R u+rwX '%s'",
		scratch, scratch, scratch, scratch, image, scratch);
	if (vtr_tree_list(o->t, &root, VTR_LIST_RECURSIVE | VTR_LIST_SELF, ext_said_entry, &s, &err) < 0)
		EXT_DIFFERS(&s.c, "%s", err.text);
	EXT_SAME(&s.c, "files, directories and links", ext_count(scratch), s.dumped);
	free(s.stats);
	*differ = s.c.differ;
	return s.c.n;
}

void ext_compare(const char *image, const char *scratch, size_t at_least)
{
	struct ext_opened o;
	size_t n, differ;
	int dirfd = ext_mount(image);

	ext_open_file(&o, image, NULL);
	if (!o.fs)
		fail_msg("%s: %s", image, o.err.text);
	if (dirfd >= 0) {
		n = ext_compare_dir(&o, dirfd, &differ);
		close(dirfd);
	} else {
		n = ext_compare_debugfs(&o, image, scratch, &differ);
	}
	if (differ > 0 || n < at_least)
		fail_msg("%s: %zu entries, %zu differences from %s", image, n, differ,
			 dirfd >= 0 ? "the kernel" : "debugfs");
	if (vtr_ctx_damage(o.ctx) > 0)
		fail_msg("%s: %s", image, o.said);
	ext_done(&o);
}
