/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small images of the lesser containers, laid out by hand from their descriptions, with the disks that they hold. */
#ifndef TESTS_SMALL_IMAGES_H
#define TESTS_SMALL_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct small_image {
	uint8_t *bytes, *disk;
	size_t len, disk_len;
};
void small_done(struct small_image *s);

/* Little endian, and big. */
void small_le(uint8_t *p, unsigned width, uint64_t value);
void small_be(uint8_t *p, unsigned width, uint64_t value);

/*
 * VDI, blocks of 512 bytes: 0 is stored as 2, 1 is zero, 2 free, 3 and 4 are stored as 0 and 1, 5 is free, 6 is stored as
 * 3, 7 is zero, 8 (of which the disk has 200 bytes) is stored as 4. The disk's free blocks are zero.
 */
struct small_vdi {
	unsigned type;	      /* 1 dynamic, 2 fixed (all is stored, in order), 3 undo, 4 differencing */
	unsigned major;	      /* 1, or 0 for version 0.1 */
	unsigned header_len;  /* 384, 400 */
	unsigned table, data; /* offsets; version 0.1 has none */
	unsigned extra;
	uint8_t id, modified, parent, parent_modified; /* each UUID is 16 of these bytes */
	uint32_t seed;				       /* of the bytes */
};
#define SMALL_VDI_BLOCKS 9u
#define SMALL_VDI_SIZE (8u * 512 + 200)
extern const struct small_vdi small_vdi_plain; /* dynamic, 1.1, the table at 0x200, blocks at 0x400 */
void small_vdi(struct small_image *s, const struct small_vdi *how);

/* Parallels, clusters of 2 sectors, a disk of 17: clusters 0, 2, 3 and 8 are stored, 2 and 3 behind each other. */
void small_parallels(struct small_image *s, int ext, uint32_t seed);
#define SMALL_PARALLELS_SECTORS 17u
#define SMALL_PARALLELS_CLUSTERS 9u

/* QED, clusters of 4096 bytes: header, L1, L2, data. Of a disk of 9.5 clusters 0, 3, 4 and 9 are stored, 1 is zero. */
void small_qed(struct small_image *s);
#define SMALL_QED_SIZE (9u * 4096 + 2048)

/* qcow, clusters of 512 bytes, L2 tables of 64: clusters 0, 3 and 4 are stored, 1 is compressed; the rest is absent. */
void small_qcow1(struct small_image *s);
#define SMALL_QCOW1_SIZE (64u * 512 + 700)

/* Bochs, extents of 4096 bytes: of five, 0 is stored as 1, 3 as 0; sectors 0, 1, 2 and 7 of each are written. */
void small_bochs(struct small_image *s, unsigned version);
#define SMALL_BOCHS_SIZE (4u * 4096 + 1024)

/* A sparse image, bands of a sector: of 12, the header has 5, 6 and 1, an index node 12 and 9 (counted from 1). */
void small_sparse(struct small_image *s);
#define SMALL_SPARSE_NODE (4096u + 4 * 512)

/* Open it, and fail unless it has its disk's bytes and nothing is warned of. */
void small_expect(const char *format, const struct small_image *s);

/*
 * A table of damage: width bytes at a place (little or big endian) are changed, the image is opened and all of it is
 * read. What fails, or is warned of, has the code and the words. VTR_OK: it is odd, and said.
 */
struct small_damage {
	size_t at;
	unsigned width;
	uint64_t value;
	int code;
	const char *words;
};
void small_expect_damage(const char *format, const struct small_image *s, bool big, const struct small_damage *d,
			 size_t n);

/* A fact as text: "" when there is none; until the next call. */
struct vtr_blk;
const char *small_prop(struct vtr_blk *disk, const char *key);

#endif
