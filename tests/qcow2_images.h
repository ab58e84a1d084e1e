/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disk images for the tests: laid out by hand, made by qemu-img and qemu-io, and compared with what those read. */
#ifndef TESTS_QCOW2_IMAGES_H
#define TESTS_QCOW2_IMAGES_H

#include "base/blk.h"

/* An image as it was opened, and what was said meanwhile. */
struct qcow2_opened {
	struct vtr_ctx *ctx;
	struct vtr_blk *disk; /* NULL when rc is -1 */
	int rc;
	struct vtr_error err;
	char said[16384]; /* the warnings, each with its code's name in front, a line each */
};

/* A context for opening, with defaults where limits is NULL; files that images name are opened when follow. */
void qcow2_start(struct qcow2_opened *o, const struct vtr_limits *limits, bool follow);
void qcow2_open(struct qcow2_opened *o, const char *path, const struct vtr_image_options *opt);
void qcow2_open_bytes(struct qcow2_opened *o, const void *bytes, size_t len, const struct vtr_image_options *opt);
void qcow2_done(struct qcow2_opened *o);

/* All of it: start with the defaults and follow, open, and fail unless that worked. */
void qcow2_open_good(struct qcow2_opened *o, const char *path, const struct vtr_image_options *opt);

/*
 * The same of an image alone, whose reads are counted: what an open or a walk costs, whatever the machine does beside.
 * The counts are of all reads since, until qcow2_done().
 */
struct qcow2_reads {
	uint64_t calls, bytes;
	int fd;
};
void qcow2_open_counted(struct qcow2_opened *o, struct qcow2_reads *reads, const char *path);

/* Bytes that the program holds of the heap; 0 where a sanitizer has one of its own. */
size_t qcow2_heap(void);

/*
 * A disk of size bytes of which only stored bytes are data, and the one at off is value: opening it, and walking it from
 * end to end, reads and holds little, however large it is.
 */
void qcow2_expect_sparse(const char *path, uint64_t size, uint64_t off, uint8_t value, uint64_t stored);

/* Fail unless opening failed with this code and these words; or unless it warned of these. */
void qcow2_expect_error(const struct qcow2_opened *o, int code, const char *words);
void qcow2_expect_said(const struct qcow2_opened *o, const char *words);
void qcow2_expect_quiet(const struct qcow2_opened *o);

/* Fail unless the disk has these bytes: read as a whole, in pieces large and small, and by its extents. */
void qcow2_expect_bytes(struct vtr_blk *disk, const uint8_t *bytes, uint64_t len);

/*
 * Fail unless the disk is what qemu-img convert makes of the image: size, bytes, extents (against qemu-img map).
 * more: options for both, "-l snapshot" for one; "" for none.
 */
void qcow2_expect_qemu(struct vtr_blk *disk, const char *path, const char *more);

/* A whole file; the caller frees it. */
uint8_t *qcow2_file(const char *path, uint64_t *len);
void qcow2_write_file(const char *path, const void *bytes, size_t len);

/* Change bytes of a file, in its own order: big endian. */
void qcow2_patch(const char *path, uint64_t at, unsigned width, uint64_t value);

/* Fill with bytes as disks have them: runs of zeros, of text, of noise. The same for the same seed. */
void qcow2_noise(uint8_t *p, size_t len, uint32_t seed);

/* The next of a sequence of numbers. */
uint32_t qcow2_random(uint32_t *state);

/* Whether qemu-img and qemu-io are installed; if not, that is said. */
bool qcow2_has_tools(void);

/* $VTR_SLOW: whether to try everything. */
bool qcow2_slow(void);

/*
 * An image of version 3 by hand, of clusters of 512 bytes (log2 9) to 32 KiB (15). In units of clusters:
 *
 *	0 header	1 refcount table	2 refcount block	3 L1 table, two entries		4 L2 table
 *	5 data of guest cluster 0		6, 7 guest cluster 1, compressed	8 snapshot table
 *	9 L1 table of the snapshot		10 data of guest cluster 3
 *
 * Guest cluster 2 is a zero cluster. The snapshot has id "7", name "snap" and the same clusters. The disk ends
 * QCOW2_BUILD_TAIL bytes after what the first L2 table describes.
 */
#define QCOW2_BUILD_CLUSTERS 11u
#define QCOW2_BUILD_TAIL 700u
size_t qcow2_build(uint8_t *out, unsigned cluster_log2);
uint64_t qcow2_build_size(unsigned cluster_log2);
uint8_t *qcow2_build_disk(unsigned cluster_log2); /* what it holds; the caller frees it */
void qcow2_build_backing(uint8_t *image, const char *name, size_t len, const char *format);
#define QCOW2_BUILD_EXTENSIONS 112u /* offset of the first header extension */

void qcow2_put(uint8_t *p, unsigned width, uint64_t value);

#endif
