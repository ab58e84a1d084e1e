/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Filesystems, for those who write a driver: a tree of nodes. Paths, symlinks, case, ".." and mounts live above, once,
 * in fs/path.c; recursive listing in fs/list.c.
 */
#ifndef VTR_FS_FS_H
#define VTR_FS_FS_H

#include "base/signature.h"

struct vtr_emitter;

struct vtr_fs_ops {
	int (*stat)(struct vtr_stat *out, struct vtr_fs *fs, uint64_t node, struct vtr_error *err);
	/* Hand each entry, "." and ".." too, to vtr_fs_emit(), and stop with what it returns when that is not 0. */
	int (*readdir)(struct vtr_fs *fs, uint64_t dir, struct vtr_emitter *e, struct vtr_error *err);
	/*
	 * NULL: readdir is searched. Returns 1 found, 0 not, -1. In directories with VTR_STAT_CASEFOLD names are
	 * compared as the filesystem itself does: nobody seeks again without regard to case.
	 */
	int (*lookup)(uint64_t *node, int *type, struct vtr_fs *fs, uint64_t dir, const char *name, size_t len,
		      struct vtr_error *err);
	/* node is a regular file and off lies within it; len is cut to the file. Fill all of it; holes are zeros. */
	int (*read)(struct vtr_fs *fs, uint64_t node, uint64_t off, void *buf, size_t len, struct vtr_error *err);
	/* node is a symlink of size bytes (at most limits.path_len). buf has size + 1 bytes. The length, or -1. */
	ssize_t (*readlink)(struct vtr_fs *fs, uint64_t node, char *buf, size_t size, struct vtr_error *err);
	/* NULL: the filesystem has none. In any order; the wrapper sorts. */
	int (*xattrs)(struct vtr_fs *fs, uint64_t node, vtr_xattr_fn *fn, void *arg, struct vtr_error *err);
	/* NULL: cannot say. node is a regular file. */
	int (*extents)(struct vtr_fs *fs, uint64_t node, vtr_file_extent_fn *fn, void *arg, struct vtr_error *err);
	/* NULL: there are no named streams. */
	int (*streams)(struct vtr_fs *fs, uint64_t node, vtr_stream_fn *fn, void *arg, struct vtr_error *err);
	/* There when streams is. Returns 1 found, 0 not, -1. */
	int (*stream)(uint64_t *out, struct vtr_fs *fs, uint64_t node, const char *name, size_t len,
		      struct vtr_error *err);
	/* NULL: nothing beyond stat. */
	int (*props)(struct vtr_fs *fs, uint64_t node, unsigned flags, vtr_prop_fn *fn, void *arg,
		     struct vtr_error *err);
	const struct vtr_fs_info *(*info)(struct vtr_fs *fs);
	void (*close)(struct vtr_fs *fs); /* fs may be half built */
};

/* Drivers embed this as their first member. */
struct vtr_fs {
	const struct vtr_fs_ops *ops;
	struct vtr_ctx *ctx; /* a reference */
	struct vtr_blk *blk; /* a reference */
	uint64_t root;
	uint64_t steps; /* for vtr_tick() */
	char letter;	/* of the drive that the guest makes of it; '?': several systems differ; 0: not known */
	pthread_mutex_t files_lock; /* its files as block sources may be read by several threads, it itself by one */
	unsigned refs;
	struct vtr_fs *of; /* vtr_fs_view(): the filesystem that this is a part of; NULL otherwise */
};

/* Carries a directory's entries from the driver to the caller. */
struct vtr_emitter {
	struct vtr_fs *fs;
	uint64_t dir;
	vtr_emit *emit;
	void *arg;
	uint64_t count;
	int stopped; /* what emit returned */
};

/* Count and check one entry and hand it on. Nonzero: stop; -1 has *err set. */
int vtr_fs_emit(struct vtr_emitter *e, const char *name, size_t len, uint64_t node, int type, struct vtr_error *err);

/* The other devices of a guest, for filesystems that need more than one. */
struct vtr_fs_others {
	/* The device whose contents have this UUID, as blkid prints it. 1: *out is a reference; 0: there is none; -1. */
	int (*find)(void *arg, struct vtr_blk **out, const char *uuid, struct vtr_error *err);
	void *arg;
};

struct vtr_fs_driver {
	int sig;	   /* VTR_SIG_EXT: see base/signature.h */
	const char *name;  /* of one that is chosen by its name alone; NULL: the signature's */
	const char *title; /* of such a one, for people */
	/* NULL: recognised, and refused by name. */
	int (*open)(struct vtr_fs **out, struct vtr_blk *b, const struct vtr_fs_others *others, struct vtr_error *err);
	/*
	 * What tells it from others, so that a listing need not open it: from the probed bytes, which were recognised,
	 * and where they do not have it from a few reads of b (NULL: none). What cannot be read is left out. NULL: nothing.
	 */
	void (*identify)(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b);
};

extern const struct vtr_fs_driver *const vtr_fs_drivers[]; /* ends with NULL */

/* By its name, or by what mount(8) calls one of its kinds ("ext4", "vfat"). NULL: there is none. */
const struct vtr_fs_driver *vtr_fs_driver_find(const char *name);

/* As vtr_fs_open(); others may be NULL. */
int vtr_fs_open_among(struct vtr_fs **out, struct vtr_blk *b, const char *type, const struct vtr_fs_others *others,
		      struct vtr_error *err);

/* A zeroed object of bytes over b. */
struct vtr_fs *vtr_fs_new(const struct vtr_fs_ops *ops, size_t bytes, struct vtr_blk *b, struct vtr_error *err);

/* The driver of a signature. NULL: it is no filesystem, or one that is recognised alone. */
const struct vtr_fs_driver *vtr_fs_driver_of(int sig);
const char *vtr_fs_driver_name(const struct vtr_fs_driver *d);
const char *vtr_fs_driver_title(const struct vtr_fs_driver *d);

/*
 * The root of a system that has none on its disks, with empty directories and links into /usr. name: "usr", "nix",
 * "system" or "ubuntu-seed": what will be mounted. b lends its context.
 */
int vtr_fs_skeleton(struct vtr_fs **out, struct vtr_blk *b, const char *name, struct vtr_error *err);

void vtr_fs_unref_cleanup(struct vtr_fs **fs);
#define VTR_FS_UNREF VTR_CLEANUP(vtr_fs_unref_cleanup)

#endif
