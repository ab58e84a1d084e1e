/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A second opinion on NTFS: the driver "ntfs-3g", which nothing chooses but its name, reads through libntfs-3g over our
 * block source. Tests hold our own reader against it. What the library does not know is refused (contents of the overlay
 * filter) or shown as what it is without its meaning (reparse points).
 *
 * The library believes much of what a volume says. It sees one that our own reader has opened without finding damage,
 * its reads are counted, and neither its lists of access rights nor its conversions of names are called. It prints
 * nothing (its log goes nowhere unless somebody says otherwise), sets no locale, and keeps nothing between volumes.
 *
 * Only `make NTFS=1`, the default, builds this: libntfs-3g is under the GNU General Public License.
 */
#include "base/filetime.h"
#include "base/utf16.h"
#include "fs/fs.h"

#ifdef VTR_NTFS3G

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "base/text.h"

#define HAVE_STDINT_H 1
#define HAVE_STDIO_H 1
#define HAVE_STDARG_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_TIME_H 1
#define HAVE_FFS 1
#define HAVE_DAEMON 1
#define HAVE_STRSEP 1
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <ntfs-3g/types.h>

#include <ntfs-3g/attrib.h>
#include <ntfs-3g/device.h>
#include <ntfs-3g/dir.h>
#include <ntfs-3g/inode.h>
#include <ntfs-3g/volume.h>
#pragma GCC diagnostic pop

#define LIBRARY_READS 200000u  /* that one call may make: more is a loop */
#define LIBRARY_RECORD_BITS 48 /* of a node; above them which stream, as fs/ntfs/ntfs.h has it */

struct library {
	struct vtr_fs fs;
	ntfs_volume *vol;
	struct vtr_error io_error; /* of the last read that failed */
	uint64_t reads_left;
	s64 pos;
	struct vtr_fs *own; /* by our reader: what it says of the whole */
};

static inline struct library *to_library(struct vtr_fs *fs)
{
	return (struct library *)fs;
}

/* ------------------------------------------------------------------------------------------------------ its device */

static struct library *library_of(struct ntfs_device *dev)
{
	return dev->d_private;
}

static int library_dev_open(struct ntfs_device *dev, int flags)
{
	(void)flags;
	NDevSetReadOnly(dev);
	NDevSetOpen(dev);
	return 0;
}

static int library_dev_close(struct ntfs_device *dev)
{
	NDevClearOpen(dev);
	return 0;
}

static s64 library_dev_pread(struct ntfs_device *dev, void *buf, s64 count, s64 off)
{
	struct library *l = library_of(dev);
	uint64_t size = l->fs.blk->size;

	if (count < 0 || off < 0 || (uint64_t)off > size) {
		errno = EINVAL;
		return -1;
	}
	if (l->reads_left == 0 || vtr_tick(l->fs.ctx, &l->fs.steps, 1, &l->io_error) < 0) {
		if (l->reads_left == 0)
			vtr_error_set(&l->io_error, VTR_ECORRUPT, "libntfs-3g reads without end");
		errno = EIO;
		return -1;
	}
	l->reads_left--;
	count = (s64)VTR_MIN((uint64_t)count, size - (uint64_t)off);
	if (vtr_blk_pread(l->fs.blk, (uint64_t)off, buf, (size_t)count, &l->io_error) < 0) {
		errno = EIO;
		return -1;
	}
	return count;
}

/* Whether the last sector is there is asked by going to it. */
static s64 library_dev_seek(struct ntfs_device *dev, s64 off, int whence)
{
	struct library *l = library_of(dev);

	if (whence != SEEK_SET || off < 0 || (uint64_t)off > l->fs.blk->size) {
		errno = EINVAL;
		return -1;
	}
	l->pos = off;
	return off;
}

static s64 library_dev_read(struct ntfs_device *dev, void *buf, s64 count)
{
	struct library *l = library_of(dev);
	s64 n = library_dev_pread(dev, buf, count, l->pos);

	l->pos += n > 0 ? n : 0;
	return n;
}

static s64 library_dev_write(struct ntfs_device *dev, const void *buf, s64 count)
{
	(void)dev, (void)buf, (void)count;
	errno = EROFS;
	return -1;
}

static s64 library_dev_pwrite(struct ntfs_device *dev, const void *buf, s64 count, s64 off)
{
	(void)dev, (void)buf, (void)count, (void)off;
	errno = EROFS;
	return -1;
}

static int library_dev_sync(struct ntfs_device *dev)
{
	(void)dev;
	return 0;
}

static int library_dev_stat(struct ntfs_device *dev, struct stat *st)
{
	*st = (struct stat){ .st_mode = S_IFREG | 0400, .st_size = (off_t)library_of(dev)->fs.blk->size };
	return 0;
}

static int library_dev_ioctl(struct ntfs_device *dev, unsigned long request, void *arg)
{
	(void)dev, (void)request, (void)arg;
	errno = EOPNOTSUPP;
	return -1;
}

static struct ntfs_device_operations library_device = {
	.open = library_dev_open,
	.close = library_dev_close,
	.seek = library_dev_seek,
	.read = library_dev_read,
	.write = library_dev_write,
	.pread = library_dev_pread,
	.pwrite = library_dev_pwrite,
	.sync = library_dev_sync,
	.stat = library_dev_stat,
	.ioctl = library_dev_ioctl,
};

/* ------------------------------------------------------------------------------------------------------- its nodes */

static void library_begin(struct library *l)
{
	l->reads_left = LIBRARY_READS;
	l->io_error.code = VTR_OK;
	errno = 0;
}

static int library_fail(struct library *l, const char *what, uint64_t ino, struct vtr_error *err)
{
	if (l->io_error.code) {
		if (err)
			*err = l->io_error;
		return vtr_at(err, "record %" PRIu64 ": %s", ino, what);
	}
	return vtr_fail_errno(err,
			      errno == ENOENT	    ? VTR_ENOTFOUND
			      : errno == ENOMEM	    ? VTR_ENOMEM
			      : errno == EOPNOTSUPP ? VTR_EUNSUPPORTED
			      : errno == EACCES	    ? VTR_EUNSUPPORTED
						    : VTR_ECORRUPT,
			      errno, "record %" PRIu64 ": %s", ino, what);
}

static uint64_t library_ino(uint64_t node)
{
	return node & (((uint64_t)1 << LIBRARY_RECORD_BITS) - 1);
}

static void library_inode_close(ntfs_inode **ni)
{
	if (*ni)
		ntfs_inode_close(*ni);
}

static void library_attr_close(ntfs_attr **na)
{
	if (*na)
		ntfs_attr_close(*na);
}

static int library_inode(ntfs_inode **out, struct library *l, uint64_t node, struct vtr_error *err)
{
	library_begin(l);
	*out = ntfs_inode_open(l->vol, library_ino(node));
	return *out ? 0 : library_fail(l, "libntfs-3g does not open it", library_ino(node), err);
}

/* Hand on the named streams, in the order of their attributes; k-th: stop at that one. 0, or what fn returned. */
typedef int library_stream_fn(void *arg, unsigned k, const ATTR_RECORD *a);
static int library_each_stream(ntfs_inode *ni, library_stream_fn *fn, void *arg)
{
	ntfs_attr_search_ctx *c = ntfs_attr_get_search_ctx(ni, NULL);
	unsigned k = 0;
	int r = 0;

	while (c && r == 0 && ntfs_attr_lookup(AT_DATA, NULL, 0, CASE_SENSITIVE, 0, NULL, 0, c) == 0)
		if (c->attr->name_length > 0 && (!c->attr->non_resident || c->attr->lowest_vcn == 0))
			r = fn(arg, ++k, c->attr);
	if (c)
		ntfs_attr_put_search_ctx(c);
	return r;
}

struct library_name {
	unsigned k;
	ntfschar name[256];
	unsigned len;
};

static int library_keep_name(void *arg, unsigned k, const ATTR_RECORD *a)
{
	struct library_name *n = arg;

	if (k != n->k)
		return 0;
	n->len = a->name_length;
	memcpy(n->name, (const uint8_t *)a + le16_to_cpu(a->name_offset), 2u * n->len);
	return 1;
}

/* The contents of a node: NULL, and no error, when it has none. */
static int library_contents(ntfs_attr **out, struct library *l, ntfs_inode *ni, uint64_t node, struct vtr_error *err)
{
	struct library_name n = { .k = (unsigned)(node >> LIBRARY_RECORD_BITS) };

	if (n.k && library_each_stream(ni, library_keep_name, &n) != 1)
		return vtr_fail(err, VTR_ENOTFOUND, "record %" PRIu64 " has no stream %u", library_ino(node), n.k);
	errno = 0;
	*out = ntfs_attr_open(ni, AT_DATA, n.k ? n.name : AT_UNNAMED, n.len);
	return *out || errno == ENOENT ? 0 : library_fail(l, "contents", library_ino(node), err);
}

static struct vtr_time library_time(ntfs_time t)
{
	return vtr_filetime((uint64_t)sle64_to_cpu(t));
}

static int library_stat(struct vtr_stat *out, struct vtr_fs *fs, uint64_t node, struct vtr_error *err)
{
	struct library *l = to_library(fs);
	VTR_CLEANUP(library_inode_close) ntfs_inode *ni = NULL;
	VTR_CLEANUP(library_attr_close) ntfs_attr *na = NULL;
	bool dir;

	if (library_inode(&ni, l, node, err) < 0)
		return -1;
	dir = (ni->mrec->flags & MFT_RECORD_IS_DIRECTORY) && node >> LIBRARY_RECORD_BITS == 0;
	if (!dir && library_contents(&na, l, ni, node, err) < 0)
		return -1;
	out->type = dir ? VTR_TYPE_DIR : VTR_TYPE_FILE;
	out->mode = ni->flags & FILE_ATTR_READONLY && !dir ? 0555 : 0755;
	out->nlink = le16_to_cpu(ni->mrec->link_count);
	out->generation = le16_to_cpu(ni->mrec->sequence_number);
	if (na) {
		out->size = (uint64_t)na->data_size;
		out->allocated = (uint64_t)(NAttrNonResident(na) ? na->allocated_size : 0);
	}
	out->btime = library_time(ni->creation_time);
	out->mtime = library_time(ni->last_data_change_time);
	out->ctime = library_time(ni->last_mft_change_time);
	out->atime = library_time(ni->last_access_time);
	return 0;
}

struct library_dir {
	struct vtr_emitter *e;
	uint64_t dir;
	struct vtr_error *err;
	int r;
};

static int library_filldir(void *arg, const ntfschar *name, const int len, const int space, const s64 pos,
			   const MFT_REF ref, const unsigned type)
{
	struct library_dir *d = arg;
	char text[3 * 255 + 1];

	(void)pos;
	if (space == FILE_NAME_DOS || (d->dir == FILE_root && MREF(ref) < FILE_first_user))
		return 0;
	vtr_utf16_to_utf8(text, sizeof(text), (const uint8_t *)name, 2u * (unsigned)len, VTR_UTF16_LE);
	d->r = vtr_fs_emit(d->e, text, strlen(text), MREF(ref),
			   type == NTFS_DT_DIR	 ? VTR_TYPE_DIR
			   : type == NTFS_DT_REG ? VTR_TYPE_FILE
						 : VTR_TYPE_UNKNOWN,
			   d->err);
	return d->r ? -1 : 0;
}

static int library_readdir(struct vtr_fs *fs, uint64_t dir, struct vtr_emitter *e, struct vtr_error *err)
{
	struct library *l = to_library(fs);
	VTR_CLEANUP(library_inode_close) ntfs_inode *ni = NULL;
	struct library_dir d = { .e = e, .dir = library_ino(dir), .err = err };
	s64 pos = 0;

	if (library_inode(&ni, l, dir, err) < 0)
		return -1;
	if (ntfs_readdir(ni, &pos, &d, library_filldir) < 0 && d.r == 0)
		return library_fail(l, "names", library_ino(dir), err);
	return d.r;
}

static int library_read(struct vtr_fs *fs, uint64_t node, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct library *l = to_library(fs);
	VTR_CLEANUP(library_inode_close) ntfs_inode *ni = NULL;
	VTR_CLEANUP(library_attr_close) ntfs_attr *na = NULL;
	uint8_t *p = buf;

	if (library_inode(&ni, l, node, err) < 0)
		return -1;
	/* Nothing but zeros would come. */
	if ((ni->flags & FILE_ATTR_REPARSE_POINT) && node >> LIBRARY_RECORD_BITS == 0)
		return vtr_fail(err, VTR_EUNSUPPORTED, "record %" PRIu64 " is a reparse point", library_ino(node));
	if (library_contents(&na, l, ni, node, err) < 0)
		return -1;
	if (na && NAttrEncrypted(na))
		return vtr_fail(err, VTR_EUNSUPPORTED, "record %" PRIu64 " is encrypted (EFS)", library_ino(node));
	while (len > 0) {
		s64 n = na ? ntfs_attr_pread(na, (s64)off, (s64)len, p) : 0;

		if (n <= 0)
			return library_fail(l, "contents", library_ino(node), err);
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

struct library_streams {
	vtr_stream_fn *fn;
	void *arg;
	uint64_t ino;
};

static int library_tell_stream(void *arg, unsigned k, const ATTR_RECORD *a)
{
	struct library_streams *s = arg;
	char name[3 * 255 + 1];
	struct vtr_stream v = { .name = name, .node = s->ino | (uint64_t)k << LIBRARY_RECORD_BITS };

	vtr_utf16_to_utf8(name, sizeof(name), (const uint8_t *)a + le16_to_cpu(a->name_offset), 2u * a->name_length,
			  VTR_UTF16_LE);
	v.name_len = strlen(name);
	v.size = a->non_resident ? (uint64_t)sle64_to_cpu(a->data_size) : le32_to_cpu(a->value_length);
	v.allocated = a->non_resident ? (uint64_t)sle64_to_cpu(a->allocated_size) : 0;
	return s->fn(s->arg, &v);
}

static int library_streams(struct vtr_fs *fs, uint64_t node, vtr_stream_fn *fn, void *arg, struct vtr_error *err)
{
	struct library_streams s = { .fn = fn, .arg = arg, .ino = library_ino(node) };
	VTR_CLEANUP(library_inode_close) ntfs_inode *ni = NULL;

	if (library_inode(&ni, to_library(fs), node, err) < 0)
		return -1;
	return library_each_stream(ni, library_tell_stream, &s);
}

struct library_sought {
	const char *name;
	size_t len;
	uint64_t node;
};

static int library_seek_stream(void *arg, const struct vtr_stream *v)
{
	struct library_sought *s = arg;

	if (v->name_len != s->len || memcmp(v->name, s->name, s->len) != 0)
		return 0;
	s->node = v->node;
	return 1;
}

static int library_stream(uint64_t *out, struct vtr_fs *fs, uint64_t node, const char *name, size_t len,
			  struct vtr_error *err)
{
	struct library_sought s = { .name = name, .len = len };
	int r = library_streams(fs, node, library_seek_stream, &s, err);

	if (r == 1)
		*out = s.node;
	return r;
}

static ssize_t library_readlink(struct vtr_fs *fs, uint64_t node, char *buf, size_t size, struct vtr_error *err)
{
	(void)fs, (void)buf, (void)size;
	return vtr_fail(err, VTR_EUSAGE, "record %" PRIu64 " is no link to this driver", library_ino(node));
}

static const struct vtr_fs_info *library_info(struct vtr_fs *fs)
{
	return vtr_fs_info(to_library(fs)->own);
}

static void library_close(struct vtr_fs *fs)
{
	struct library *l = to_library(fs);

	library_begin(l);
	if (l->vol)
		ntfs_umount(l->vol, TRUE);
	vtr_fs_unref(l->own);
}

static const struct vtr_fs_ops library_ops = {
	.stat = library_stat,
	.readdir = library_readdir,
	.read = library_read,
	.readlink = library_readlink,
	.streams = library_streams,
	.stream = library_stream,
	.info = library_info,
	.close = library_close,
};

static int library_open(struct vtr_fs **out, struct vtr_blk *b, const struct vtr_fs_others *others,
			struct vtr_error *err)
{
	VTR_FS_UNREF struct vtr_fs *fs = vtr_fs_new(&library_ops, sizeof(struct library), b, err);
	uint64_t damage = vtr_ctx_damage(b->ctx);
	struct ntfs_device *dev;
	struct library *l;
	struct vtr_stat st;

	(void)others;
	if (!fs)
		return -1;
	l = to_library(fs);
	fs->root = FILE_root;
	if (vtr_fs_open(&l->own, b, "ntfs", err) < 0)
		return -1;
	for (uint64_t i = 0; i <= FILE_Extend; i++)
		if (vtr_fs_stat(&st, l->own, i, err) < 0)
			return -1;
	if (vtr_ctx_damage(b->ctx) != damage)
		return vtr_fail(err, VTR_ECORRUPT, "the volume is damaged: libntfs-3g does not get to see it");
	library_begin(l);
	dev = ntfs_device_alloc("vitrine", 0, &library_device, l);
	if (!dev)
		return vtr_fail(err, VTR_ENOMEM, "out of memory: libntfs-3g");
	l->vol = ntfs_device_mount(dev, NTFS_MNT_RDONLY | NTFS_MNT_FORENSIC);
	if (!l->vol) {
		ntfs_device_free(dev);
		return library_fail(l, "libntfs-3g does not mount it", 0, err);
	}
	*out = vtr_steal(fs);
	return 0;
}

extern const struct vtr_fs_driver vtr_fs_driver_ntfs3g;
const struct vtr_fs_driver vtr_fs_driver_ntfs3g = {
	.sig = VTR_SIG_NTFS,
	.name = "ntfs-3g",
	.title = "NTFS, through libntfs-3g",
	.open = library_open,
};

#endif
