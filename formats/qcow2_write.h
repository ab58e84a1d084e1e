/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing a new qcow2 image, version 3, in one pass from the first cluster of the disk to the last. Compressing is done
 * by several threads at once; placing by one, in order; the bytes of a cluster that has its place are the caller's to
 * write. Memory is that of one table of each kind, whatever the disk's size.
 */
#ifndef VTR_FORMATS_QCOW2_WRITE_H
#define VTR_FORMATS_QCOW2_WRITE_H

#include "base/ctx.h"

#define VTR_QCOW2_MIN_CLUSTER 512u
#define VTR_QCOW2_MAX_CLUSTER (2u << 20)
#define VTR_QCOW2_CLUSTER (64u << 10) /* what everybody takes */

struct vtr_qcow2_writer;

/*
 * An image of a disk of size bytes, into the empty file fd, which is the caller's. compression: "zlib", "zstd", or NULL;
 * level: 0 for the usual one. VTR_EUSAGE for what cannot be asked for, VTR_ELIMIT for a disk that needs a larger cluster.
 */
int vtr_qcow2_writer_new(struct vtr_qcow2_writer **out, struct vtr_ctx *ctx, int fd, uint64_t size, size_t cluster,
			 const char *compression, int level, struct vtr_error *err);
void vtr_qcow2_writer_free(struct vtr_qcow2_writer *w); /* NULL is fine */

/*
 * Compress a cluster into out, which has room for one: 1, and *len is below a cluster; 0: it does not become smaller.
 * From several threads at once.
 */
int vtr_qcow2_writer_pack(size_t *len, struct vtr_qcow2_writer *w, uint8_t *out, const uint8_t *in,
			  struct vtr_error *err);

/*
 * Give the cluster at offset off of the disk a place for packed bytes, or (0) for itself as it is: *host is the offset in
 * the file. By one thread, offsets ascending.
 */
int vtr_qcow2_writer_place(uint64_t *host, struct vtr_qcow2_writer *w, uint64_t off, size_t packed,
			   struct vtr_error *err);

/* Write the tables that are left, and the header: the file is an image from now on. */
int vtr_qcow2_writer_finish(struct vtr_qcow2_writer *w, struct vtr_error *err);

/* Write all of it. what: for messages. */
int vtr_write_at(int fd, const void *buf, size_t len, uint64_t off, const char *what, struct vtr_error *err);

#endif
