/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of filesystem drivers, and the wrappers that make the common checks once. */
#include "fs/fs.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

/* Those that are read come first; the rest are recognised and refused by name (fs/known.c). */
/* clang-format off */
#define DRIVERS(X) \
	X(ext) X(ntfs) X(exfat) X(fat) X(xfs) X(btrfs) X(iso9660) X(squashfs) X(f2fs) X(hfsplus) X(apfs) X(reiserfs) \
	X(jfs) X(erofs) X(udf) X(cramfs) X(hfs) X(ufs) X(swap) X(refs) X(bcachefs) X(nilfs2) X(minix) X(vmfs) LIBRARIES(X)
/* clang-format on */
#ifdef VTR_NTFS3G
#define LIBRARIES(X) X(ntfs3g) /* chosen by its name alone */
#else
#define LIBRARIES(X)
#endif
#define X(name) extern const struct vtr_fs_driver vtr_fs_driver_##name;
DRIVERS(X)
#undef X
#define X(name) &vtr_fs_driver_##name,
const struct vtr_fs_driver *const vtr_fs_drivers[] = { DRIVERS(X) NULL };
#undef X

const char *vtr_type_name(int type)
{
	static const char *const names[] = {
		[VTR_TYPE_UNKNOWN] = "unknown", [VTR_TYPE_FILE] = "file",     [VTR_TYPE_DIR] = "dir",
		[VTR_TYPE_SYMLINK] = "symlink", [VTR_TYPE_CHAR] = "char",     [VTR_TYPE_BLOCK] = "block",
		[VTR_TYPE_FIFO] = "fifo",	[VTR_TYPE_SOCKET] = "socket",
	};

	return type < 0 || (size_t)type >= VTR_COUNT(names) ? names[0] : names[type];
}

const char *vtr_type_noun(int type)
{
	static const char *const nouns[] = {
		[VTR_TYPE_UNKNOWN] = "thing of unknown type",
		[VTR_TYPE_FILE] = "file",
		[VTR_TYPE_DIR] = "directory",
		[VTR_TYPE_SYMLINK] = "symbolic link",
		[VTR_TYPE_CHAR] = "character device",
		[VTR_TYPE_BLOCK] = "block device",
		[VTR_TYPE_FIFO] = "FIFO",
		[VTR_TYPE_SOCKET] = "socket",
	};

	return type < 0 || (size_t)type >= VTR_COUNT(nouns) ? nouns[0] : nouns[type];
}

const struct vtr_fs_driver *vtr_fs_driver_of(int sig)
{
	if (sig == VTR_SIG_JBD) /* a journal's superblock is one of ext */
		sig = VTR_SIG_EXT;
	for (size_t i = 0; vtr_fs_drivers[i]; i++)
		if (vtr_fs_drivers[i]->sig == sig)
			return vtr_fs_drivers[i];
	return NULL;
}

const char *vtr_fs_driver_name(const struct vtr_fs_driver *d)
{
	return d->name ? d->name : vtr_signatures[d->sig].name;
}

const char *vtr_fs_driver_title(const struct vtr_fs_driver *d)
{
	return d->title ? d->title : vtr_signatures[d->sig].title;
}

const struct vtr_fs_driver *vtr_fs_driver_find(const char *name)
{
	static const struct {
		const char *alias, *name;
	} aliases[] = { { "ext2", "ext" },  { "ext3", "ext" },	   { "ext4", "ext" },
			{ "msdos", "fat" }, { "fat32", "fat" },	   { "fat16", "fat" },
			{ "fat12", "fat" }, { "hfs+", "hfsplus" }, { "nilfs", "nilfs2" } };

	for (size_t i = 0; i < VTR_COUNT(aliases); i++)
		if (strcmp(aliases[i].alias, name) == 0)
			name = aliases[i].name;
	for (size_t i = 0; vtr_fs_drivers[i]; i++)
		if (strcmp(vtr_fs_driver_name(vtr_fs_drivers[i]), name) == 0 ||
		    (!vtr_fs_drivers[i]->name && strcmp(vtr_signatures[vtr_fs_drivers[i]->sig].type, name) == 0))
			return vtr_fs_drivers[i];
	return NULL;
}

const char *vtr_fs_type_name(size_t i, const char **title, bool *read)
{
	for (size_t k = 0; vtr_fs_drivers[k]; k++) {
		if (k != i)
			continue;
		if (title)
			*title = vtr_fs_driver_title(vtr_fs_drivers[k]);
		if (read)
			*read = vtr_fs_drivers[k]->open != NULL;
		return vtr_fs_driver_name(vtr_fs_drivers[k]);
	}
	return NULL;
}

int vtr_fs_open(struct vtr_fs **out, struct vtr_blk *b, const char *type, struct vtr_error *err)
{
	return vtr_fs_open_among(out, b, type, NULL, err);
}

/* A root that is no directory is damage: nothing else would say so where only its own line is printed. */
static int fs_check_root(struct vtr_fs *fs, struct vtr_error *err)
{
	const char *type = vtr_fs_info(fs)->type;
	struct vtr_error local = { 0 };
	struct vtr_stat st;

	if (vtr_fs_stat(&st, fs, fs->root, &local) == 0) {
		if (st.type != VTR_TYPE_DIR)
			vtr_warn(fs->ctx, VTR_ECORRUPT, "%s: the root, inode %" PRIu64 ", is a %s, not a directory",
				 type, fs->root, vtr_type_noun(st.type));
		return 0;
	}
	if (!vtr_error_is(&local, VTR_KINDS_LOST | VTR_KIND_MISSING)) {
		if (err)
			*err = local;
		return -1;
	}
	if (local.code == VTR_ENOTFOUND)
		local.code = VTR_ECORRUPT;
	vtr_error_at(&local, "%s: the root cannot be read", type);
	vtr_warn_err(fs->ctx, &local);
	return 0;
}

int vtr_fs_open_among(struct vtr_fs **out, struct vtr_blk *b, const char *type, const struct vtr_fs_others *others,
		      struct vtr_error *err)
{
	const struct vtr_fs_driver *d = NULL;
	const char *title = NULL;
	int sig, second;
	VTR_PROBE_DONE struct vtr_probe p = { 0 };
	VTR_FS_UNREF struct vtr_fs *fs = NULL;

	if (type) {
		d = vtr_fs_driver_find(type);
		if (!d)
			return vtr_fail(err, VTR_EUSAGE, "no filesystem is named \"%s\"", type);
	} else {
		if (vtr_probe_read(&p, b, err) < 0)
			return -1;
		sig = vtr_signature_find(&p, NULL, &second);
		if (sig < 0)
			return vtr_fail(err, VTR_ENOTFOUND, "no filesystem is recognised");
		if (second >= 0)
			return vtr_fail(err, VTR_EAMBIGUOUS,
					"it has the signs of %s and of %s: choose with --fs %s or --fs %s",
					vtr_signatures[sig].title, vtr_signatures[second].title,
					vtr_signatures[sig].name, vtr_signatures[second].name);
		d = vtr_fs_driver_of(sig);
		title = vtr_signatures[sig].title;
	}
	if (!d || !d->open)
		return vtr_fail(err, VTR_EUNSUPPORTED, "%s is recognised, and not read",
				title ? title : vtr_fs_driver_title(d));
	if (d->open(&fs, b, others, err) < 0 || fs_check_root(fs, err) < 0)
		return vtr_at(err, "%s", vtr_fs_driver_name(d));
	*out = vtr_steal(fs);
	return 0;
}

struct vtr_fs *vtr_fs_new(const struct vtr_fs_ops *ops, size_t bytes, struct vtr_blk *b, struct vtr_error *err)
{
	struct vtr_fs *fs = vtr_calloc(1, bytes, err);

	if (!fs)
		return NULL;
	fs->ops = ops;
	fs->ctx = vtr_ctx_ref(b->ctx);
	fs->blk = vtr_blk_ref(b);
	fs->refs = 1;
	pthread_mutex_init(&fs->files_lock, NULL);
	return fs;
}

struct vtr_fs *vtr_fs_ref(struct vtr_fs *fs)
{
	fs->refs++;
	return fs;
}

void vtr_fs_unref(struct vtr_fs *fs)
{
	struct vtr_ctx *ctx;

	if (!fs || --fs->refs > 0)
		return;
	ctx = fs->ctx;
	if (fs->ops->close)
		fs->ops->close(fs);
	vtr_blk_unref(fs->blk);
	pthread_mutex_destroy(&fs->files_lock);
	free(fs);
	vtr_ctx_unref(ctx);
}

void vtr_fs_unref_cleanup(struct vtr_fs **fs)
{
	vtr_fs_unref(*fs);
}

const struct vtr_fs_info *vtr_fs_info(struct vtr_fs *fs)
{
	return fs->ops->info(fs);
}

uint64_t vtr_fs_root(struct vtr_fs *fs)
{
	return fs->root;
}

int vtr_fs_stat(struct vtr_stat *out, struct vtr_fs *fs, uint64_t node, struct vtr_error *err)
{
	struct vtr_stat st = { .node = node };

	if (vtr_tick(fs->ctx, &fs->steps, 1, err) < 0 || fs->ops->stat(&st, fs, node, err) < 0)
		return -1;
	*out = st;
	return 0;
}

/* The stat of a node that must be of a type. */
static int fs_stat_typed(struct vtr_stat *st, struct vtr_fs *fs, uint64_t node, int type, struct vtr_error *err)
{
	if (vtr_fs_stat(st, fs, node, err) < 0)
		return -1;
	if (st->type != type)
		return vtr_fail(err, VTR_EUSAGE, "inode %" PRIu64 " is a %s, not a %s", node, vtr_type_noun(st->type),
				vtr_type_noun(type));
	return 0;
}

int vtr_fs_emit(struct vtr_emitter *e, const char *name, size_t len, uint64_t node, int type, struct vtr_error *err)
{
	struct vtr_ctx *ctx = e->fs->ctx;
	struct vtr_dirent d = { .name = name, .name_len = len, .node = node, .type = type };

	if (vtr_tick(ctx, &e->fs->steps, 1, err) < 0)
		return -1;
	if (++e->count > ctx->lim.dir_entries)
		return vtr_fail(err, VTR_ELIMIT,
				"directory inode %" PRIu64 ": more entries than limit dir_entries=%" PRIu64, e->dir,
				ctx->lim.dir_entries);
	if (len > 0 && len <= 2 && memcmp(name, "..", len) == 0)
		return 0;
	if (len == 0 || memchr(name, '/', len) || memchr(name, 0, len)) {
		vtr_warn(ctx, VTR_ECORRUPT,
			 "directory inode %" PRIu64 ": inode %" PRIu64 " has a name that %s: left out", e->dir, node,
			 len == 0		  ? "is empty"
			 : memchr(name, '/', len) ? "holds a slash"
						  : "holds a NUL");
		return 0;
	}
	e->stopped = e->emit(e->arg, &d);
	return e->stopped;
}

int vtr_fs_readdir(struct vtr_fs *fs, uint64_t dir, vtr_emit *emit, void *arg, struct vtr_error *err)
{
	struct vtr_emitter e = { .fs = fs, .dir = dir, .emit = emit, .arg = arg };
	struct vtr_stat st;
	int r;

	if (fs_stat_typed(&st, fs, dir, VTR_TYPE_DIR, err) < 0)
		return -1;
	r = fs->ops->readdir(fs, dir, &e, err);
	return e.stopped ? e.stopped : r;
}

struct fs_lookup {
	const char *name;
	size_t len;
	uint64_t node;
	int type;
};

static int fs_lookup_emit(void *arg, const struct vtr_dirent *d)
{
	struct fs_lookup *l = arg;

	if (d->name_len != l->len || memcmp(d->name, l->name, l->len) != 0)
		return 0;
	l->node = d->node;
	l->type = d->type;
	return 1;
}

int vtr_fs_lookup(uint64_t *node, int *type, struct vtr_fs *fs, uint64_t dir, const char *name, size_t name_len,
		  struct vtr_error *err)
{
	struct fs_lookup l = { .name = name, .len = name_len };
	int r;

	if (fs->ops->lookup)
		r = fs->ops->lookup(&l.node, &l.type, fs, dir, name, name_len, err);
	else
		r = vtr_fs_readdir(fs, dir, fs_lookup_emit, &l, err);
	if (r < 0)
		return -1;
	if (r == 0)
		return vtr_fail(err, VTR_ENOTFOUND, "no \"%.*s\" in directory inode %" PRIu64,
				(int)VTR_MIN(name_len, (size_t)255), name, dir);
	*node = l.node;
	if (type)
		*type = l.type;
	return 0;
}

ssize_t vtr_fs_read(struct vtr_fs *fs, uint64_t node, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct vtr_stat st;

	if (fs_stat_typed(&st, fs, node, VTR_TYPE_FILE, err) < 0)
		return -1;
	if (off >= st.size)
		return 0;
	len = (size_t)VTR_MIN((uint64_t)VTR_MIN(len, (size_t)1 << 30), st.size - off);
	if (len > 0 && fs->ops->read(fs, node, off, buf, len, err) < 0)
		return -1;
	return (ssize_t)len;
}

int vtr_fs_readlink(char **out, struct vtr_fs *fs, uint64_t node, struct vtr_error *err)
{
	VTR_FREE char *buf = NULL;
	struct vtr_stat st;
	ssize_t n;

	if (fs_stat_typed(&st, fs, node, VTR_TYPE_SYMLINK, err) < 0)
		return -1;
	if (VTR_OVER(fs->ctx, path_len, st.size, "target of a symbolic link", err) < 0)
		return -1;
	buf = vtr_calloc(1, (size_t)st.size + 1, err);
	if (!buf)
		return -1;
	n = fs->ops->readlink(fs, node, buf, (size_t)st.size, err);
	if (n < 0)
		return -1;
	if (n == 0 || memchr(buf, 0, (size_t)n))
		return vtr_fail(err, VTR_ECORRUPT, "symbolic link inode %" PRIu64 ": its target %s", node,
				n == 0 ? "is empty" : "holds a NUL");
	*out = vtr_steal(buf);
	return 0;
}

struct fs_xattrs {
	struct vtr_ctx *ctx;
	struct vtr_xattr *x;
	size_t n, cap;
	uint64_t bytes;
	struct vtr_error *err;
};

static int fs_xattr_keep(void *arg, const struct vtr_xattr *x)
{
	struct fs_xattrs *l = arg;
	size_t name_len = strlen(x->name);
	char *p;

	l->bytes += x->len + name_len;
	if (VTR_OVER(l->ctx, alloc, l->bytes, "extended attributes of one node", l->err) < 0 ||
	    !VTR_GROW(l->x, l->n, l->cap, l->err))
		return -1;
	p = vtr_calloc(1, x->len + name_len + 1, l->err);
	if (!p)
		return -1;
	if (x->len > 0)
		memcpy(p, x->value, x->len);
	memcpy(p + x->len, x->name, name_len);
	l->x[l->n++] = (struct vtr_xattr){ .name = p + x->len, .value = p, .len = x->len };
	return 0;
}

static int fs_xattr_cmp(const void *a, const void *b)
{
	return strcmp(((const struct vtr_xattr *)a)->name, ((const struct vtr_xattr *)b)->name);
}

int vtr_fs_xattrs(struct vtr_fs *fs, uint64_t node, vtr_xattr_fn *fn, void *arg, struct vtr_error *err)
{
	struct fs_xattrs l = { .ctx = fs->ctx, .err = err };
	int r;

	if (!fs->ops->xattrs)
		return 0;
	r = fs->ops->xattrs(fs, node, fs_xattr_keep, &l, err);
	if (r == 0 && l.n > 1)
		qsort(l.x, l.n, sizeof(*l.x), fs_xattr_cmp);
	for (size_t i = 0; i < l.n && r == 0; i++)
		r = fn(arg, &l.x[i]);
	for (size_t i = 0; i < l.n; i++)
		free((void *)(uintptr_t)l.x[i].value);
	free(l.x);
	return r;
}

int vtr_fs_streams(struct vtr_fs *fs, uint64_t node, vtr_stream_fn *fn, void *arg, struct vtr_error *err)
{
	return fs->ops->streams ? fs->ops->streams(fs, node, fn, arg, err) : 0;
}

int vtr_fs_stream(uint64_t *out, struct vtr_fs *fs, uint64_t node, const char *name, size_t name_len,
		  struct vtr_error *err)
{
	int r = fs->ops->stream ? fs->ops->stream(out, fs, node, name, name_len, err) : 0;

	if (r < 0)
		return -1;
	if (r == 0)
		return vtr_fail(err, VTR_ENOTFOUND, "inode %" PRIu64 " has no stream \"%.*s\"", node,
				(int)VTR_MIN(name_len, (size_t)255), name);
	return 0;
}

int vtr_fs_props(struct vtr_fs *fs, uint64_t node, unsigned flags, vtr_prop_fn *fn, void *arg, struct vtr_error *err)
{
	return fs->ops->props ? fs->ops->props(fs, node, flags, fn, arg, err) : 0;
}

int vtr_fs_extents(struct vtr_fs *fs, uint64_t node, vtr_file_extent_fn *fn, void *arg, struct vtr_error *err)
{
	struct vtr_stat st;

	if (fs_stat_typed(&st, fs, node, VTR_TYPE_FILE, err) < 0)
		return -1;
	if (!fs->ops->extents)
		return vtr_fail(err, VTR_EUNSUPPORTED, "%s does not tell where files lie", vtr_fs_info(fs)->type);
	return fs->ops->extents(fs, node, fn, arg, err);
}

/* ---------------------------------------------------------------------------------------- a file as a block source */

struct fs_file {
	struct vtr_blk blk;
	struct vtr_fs *fs;
	uint64_t node;
};

static int fs_file_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct fs_file *f = (struct fs_file *)b;
	uint8_t *p = buf;
	ssize_t n = 1;

	pthread_mutex_lock(&f->fs->files_lock);
	while (len > 0 && (n = vtr_fs_read(f->fs, f->node, off, p, len, err)) > 0) {
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	pthread_mutex_unlock(&f->fs->files_lock);
	if (n == 0)
		return vtr_fail(err, VTR_ETRUNCATED, "inode %" PRIu64 " ends at %#" PRIx64, f->node, off);
	return n < 0 ? -1 : 0;
}

static void fs_file_close(struct vtr_blk *b)
{
	vtr_fs_unref(((struct fs_file *)b)->fs);
}

static const struct vtr_blk_ops fs_file_ops = { .kind = "guest file", .pread = fs_file_pread, .close = fs_file_close };

int vtr_fs_file_blk(struct vtr_blk **out, struct vtr_fs *fs, uint64_t node, struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *b = NULL;
	struct vtr_stat st;

	if (fs_stat_typed(&st, fs, node, VTR_TYPE_FILE, err) < 0)
		return -1;
	fs = vtr_fs_whole(fs); /* its views share the one lock */
	b = vtr_blk_new(&fs_file_ops, sizeof(struct fs_file), fs->ctx, st.size, err);
	if (!b)
		return -1;
	((struct fs_file *)b)->fs = vtr_fs_ref(fs);
	((struct fs_file *)b)->node = node;
	if (vtr_blk_stack(b, fs->blk, err) < 0)
		return -1;
	*out = vtr_steal(b);
	return 0;
}
