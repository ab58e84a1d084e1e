/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMDK images laid out by hand from VMware's "Virtual Disk Format 5.0", and, for seSparse, from what is known of it. */
#ifndef TESTS_VMDK_IMAGES_H
#define TESTS_VMDK_IMAGES_H

#include <stddef.h>
#include <stdint.h>

/*
 * In sectors of the file:
 *
 *	VMDK_BUILD_SPARSE	0 header	1, 2 descriptor		3 redundant grain directory	4, 5 its tables
 *				6 grain directory	7, 8 its tables		16 grain 3	24 grain 0	32 grains 9, 10
 *				48 grain 11
 *	VMDK_BUILD_STREAM	0 header	1, 2 descriptor		4 grains, compressed, each behind its marker;
 *				then a table, a directory, a footer, each behind its marker; the end-of-stream marker
 *	VMDK_BUILD_COWD		0 to 3 header	4 grain directory	5 grain table	40 grains 7, 2	42 grain 3
 *	VMDK_BUILD_SESPARSE	0 header	1 volatile header	2 grain directory	8 grain table
 *				72 grain 0	80 grain 4	88 grain 3
 *
 * Sparse and stream: 89 sectors in grains of 8, four to a table. The second table does not exist, grain 2 is a zero
 * grain (of the stream: not there). COWD: 10 sectors, which are grains. seSparse: 41 sectors in grains of 8, of which
 * grain 1 is zero, grain 2 unmapped.
 */
enum vmdk_build_kind { VMDK_BUILD_SPARSE, VMDK_BUILD_STREAM, VMDK_BUILD_COWD, VMDK_BUILD_SESPARSE };

/*
 * The image; the caller frees it. text: lines of the descriptor after its first two, for the first two kinds; NULL: a
 * usual one; "": no descriptor at all. seed: of the contents.
 */
uint8_t *vmdk_build(size_t *len, int kind, const char *text, uint32_t seed);

/* What it holds, over what its parent has (NULL: zeros); the caller frees it. */
uint8_t *vmdk_build_disk(uint64_t *len, int kind, uint32_t seed, const uint8_t *parent);

/* A whole descriptor: "# Disk DescriptorFile", a version, and these lines. Printf. Until the next call. */
const char *vmdk_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define VMDK_BUILD_GD2 (3u * 512)
#define VMDK_BUILD_GT2 (4u * 512)
#define VMDK_BUILD_GD (6u * 512)
#define VMDK_BUILD_GT (7u * 512)

void vmdk_put(uint8_t *p, unsigned width, uint64_t value); /* little endian */

#endif
