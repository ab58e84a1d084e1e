/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A directory of a filesystem as the root of a filesystem: what a bind mount shows, or what a system sees whose root is
 * a directory. A tree knows mount points by filesystem and node, so a mount in one view is not seen in another, as it
 * is with mounts of Linux.
 */
#include "base/checked.h"
#include "fs/fs.h"

struct view {
	struct vtr_fs fs;
	struct vtr_fs_ops ops; /* those that the filesystem below has */
};

static int view_stat(struct vtr_stat *out, struct vtr_fs *fs, uint64_t node, struct vtr_error *err)
{
	return fs->of->ops->stat(out, fs->of, node, err);
}

static int view_readdir(struct vtr_fs *fs, uint64_t dir, struct vtr_emitter *e, struct vtr_error *err)
{
	return fs->of->ops->readdir(fs->of, dir, e, err);
}

static int view_lookup(uint64_t *node, int *type, struct vtr_fs *fs, uint64_t dir, const char *name, size_t len,
		       struct vtr_error *err)
{
	return fs->of->ops->lookup(node, type, fs->of, dir, name, len, err);
}

static int view_read(struct vtr_fs *fs, uint64_t node, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	return fs->of->ops->read(fs->of, node, off, buf, len, err);
}

static ssize_t view_readlink(struct vtr_fs *fs, uint64_t node, char *buf, size_t size, struct vtr_error *err)
{
	return fs->of->ops->readlink(fs->of, node, buf, size, err);
}

static int view_xattrs(struct vtr_fs *fs, uint64_t node, vtr_xattr_fn *fn, void *arg, struct vtr_error *err)
{
	return fs->of->ops->xattrs(fs->of, node, fn, arg, err);
}

static int view_extents(struct vtr_fs *fs, uint64_t node, vtr_file_extent_fn *fn, void *arg, struct vtr_error *err)
{
	return fs->of->ops->extents(fs->of, node, fn, arg, err);
}

static int view_streams(struct vtr_fs *fs, uint64_t node, vtr_stream_fn *fn, void *arg, struct vtr_error *err)
{
	return fs->of->ops->streams(fs->of, node, fn, arg, err);
}

static int view_stream(uint64_t *out, struct vtr_fs *fs, uint64_t node, const char *name, size_t len,
		       struct vtr_error *err)
{
	return fs->of->ops->stream(out, fs->of, node, name, len, err);
}

static int view_props(struct vtr_fs *fs, uint64_t node, unsigned flags, vtr_prop_fn *fn, void *arg,
		      struct vtr_error *err)
{
	return fs->of->ops->props(fs->of, node, flags, fn, arg, err);
}

static const struct vtr_fs_info *view_info(struct vtr_fs *fs)
{
	return fs->of->ops->info(fs->of);
}

static void view_close(struct vtr_fs *fs)
{
	vtr_fs_unref(fs->of);
}

struct vtr_fs *vtr_fs_whole(struct vtr_fs *fs)
{
	return fs->of ? fs->of : fs;
}

int vtr_fs_view(struct vtr_fs **out, struct vtr_fs *fs, uint64_t dir, struct vtr_error *err)
{
	VTR_FS_UNREF struct vtr_fs *v = NULL;
	const struct vtr_fs_ops *below;
	struct vtr_fs_ops *ops;
	struct vtr_stat st;

	fs = vtr_fs_whole(fs); /* never a view of a view */
	below = fs->ops;
	if (vtr_fs_stat(&st, fs, dir, err) < 0)
		return -1;
	if (st.type != VTR_TYPE_DIR)
		return vtr_fail(err, VTR_EUSAGE, "inode %" PRIu64 " is a %s, not a directory", dir,
				vtr_type_noun(st.type));
	v = vtr_fs_new(below, sizeof(struct view), fs->blk, err);
	if (!v)
		return -1;
	ops = &((struct view *)v)->ops;
	*ops = (struct vtr_fs_ops){
		.stat = view_stat,
		.readdir = view_readdir,
		.lookup = below->lookup ? view_lookup : NULL,
		.read = view_read,
		.readlink = view_readlink,
		.xattrs = below->xattrs ? view_xattrs : NULL,
		.extents = below->extents ? view_extents : NULL,
		.streams = below->streams ? view_streams : NULL,
		.stream = below->stream ? view_stream : NULL,
		.props = below->props ? view_props : NULL,
		.info = view_info,
		.close = view_close,
	};
	v->ops = ops;
	v->of = vtr_fs_ref(fs);
	v->root = dir;
	v->letter = fs->letter;
	*out = vtr_steal(v);
	return 0;
}
