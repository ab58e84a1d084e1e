/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one door to files of the host. */
#ifndef VTR_BASE_HOSTFILE_H
#define VTR_BASE_HOSTFILE_H

#include "base/blk.h"

/* What the file was when it was opened. */
struct vtr_hostfile_id {
	uint64_t dev, ino;
	uint64_t allocated; /* bytes that it takes on its disk */
	int64_t mtime_s;    /* last written, seconds since 1970 UTC */
};

/*
 * Open a file that the caller named, read-only: a regular file or a block device. VTR_ENOTFOUND, VTR_EUSAGE (neither),
 * VTR_EIO. A file that another process has open for writing (by qemu's locks) is warned of.
 */
int vtr_hostfile_open(struct vtr_blk **out, struct vtr_ctx *ctx, const char *path, struct vtr_error *err);

/*
 * The image that names a file. What it is called and where it lies are two things: the name of an image that a resolver
 * served was written by another image, and says nothing about a directory of the host.
 */
struct vtr_origin {
	const char *shown; /* its name, for messages and for the resolver; NULL: none */
	const char
		*path;	/* where it lies on the host, and names in it start from; NULL: elsewhere, it names no files */
	unsigned depth; /* images above it in the chain */
};

/* A file that was opened by the name in an image. */
struct vtr_found {
	char *shown;  /* where it was found, or the name that the resolver served; the caller's */
	bool on_host; /* shown is a path of the host */
};

/*
 * Open a file that an image named: by the resolver of the context, else by its policy. name is the bytes in the image.
 * found may be NULL. VTR_EPOLICY unless the context allows it, VTR_EUNSUPPORTED for a name with a protocol ("json:",
 * "nbd:"); what says what the image wants with it ("backing file").
 */
int vtr_hostfile_open_named(struct vtr_blk **out, struct vtr_found *found, struct vtr_ctx *ctx,
			    const struct vtr_origin *image, const char *name, const char *what, struct vtr_error *err);

/*
 * A file of our own, for reading and writing, that has no name and goes with its descriptor: in $TMPDIR, /var/tmp or
 * /tmp. The caller closes *fd. VTR_EIO.
 */
int vtr_hostfile_temp(int *fd, struct vtr_error *err);

/*
 * The regular files of a directory: of the image's own (sub is "."), or of the one above that (".."), by the policy of
 * vtr_hostfile_open_named(), which opens the names as they are given here: "./a", "../b". Sorted; symbolic links are
 * left out. VTR_EPOLICY unless the context allows the directory, VTR_ELIMIT when it has more than limits.dir_entries or
 * VTR_HOSTFILE_LIST entries.
 */
#define VTR_HOSTFILE_LIST 100000u
struct vtr_hostfile_names {
	char **name;
	size_t n, cap;
};
int vtr_hostfile_list(struct vtr_hostfile_names *out, struct vtr_ctx *ctx, const struct vtr_origin *image,
		      const char *sub, const char *what, struct vtr_error *err);
void vtr_hostfile_names_done(struct vtr_hostfile_names *names);
#define VTR_HOSTFILE_NAMES_DONE VTR_CLEANUP(vtr_hostfile_names_done)

/*
 * Whether a regular file of this name (a last component) lies in the directory of a file that the caller named. It is
 * not opened: for names that follow from the caller's own.
 */
bool vtr_hostfile_beside(const char *path, const char *name);

/* Whose file b is; false when it is no host file. */
bool vtr_hostfile_id(struct vtr_hostfile_id *out, const struct vtr_blk *b);

#endif
