/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VHD and VHDX images laid out by hand, from Microsoft's specifications. */
#ifndef TESTS_VHD_IMAGES_H
#define TESTS_VHD_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A dynamic (type 3) or differencing (type 4) VHD of blocks of 4096 bytes:
 *
 *	0 copy of the footer	512 header	1536 BAT, 6 entries	2048 locator data
 *	2560 block 5	7168 block 0	11776 block 4	16384 block 2	20992 footer
 *
 * Each block has 512 bytes of bitmap in front. Blocks 1 and 3 are not there. Block 0 has all its sectors, block 2 those
 * of the bits 01100101, block 4 none, block 5 its first three, where the disk ends. What lies in the place of other
 * sectors is rubbish.
 */
#define VHD_BUILD_LEN 21504u
#define VHD_BUILD_SIZE 22016u
#define VHD_BUILD_HEADER 512u
#define VHD_BUILD_BAT 1536u
#define VHD_BUILD_LOCATOR 2048u
#define VHD_BUILD_FOOTER (VHD_BUILD_LEN - 512u)
void vhd_build(uint8_t *out, unsigned type);

/* What it holds: over the parent's bytes, which may be NULL. The caller frees it. */
uint8_t *vhd_build_disk(const uint8_t *parent, size_t parent_len);

/* Fill a footer. */
void vhd_build_footer(uint8_t *footer, unsigned type, uint64_t size, uint64_t data_off, const char *app);

/* Compute the checksum of 512 or 511 bytes of footer; of a header; of both footers and the header of an image as above. */
void vhd_seal_footer(uint8_t *footer, size_t len);
void vhd_seal_header(uint8_t *header);
void vhd_seal(uint8_t *image);

/* Set the i-th parent locator of an image as above, its data at an offset. */
void vhd_build_locator(uint8_t *image, unsigned i, const char *code, size_t at, const void *data, size_t len);

/* ASCII as UTF-16; the bytes written. */
size_t vhd_utf16(uint8_t *out, const char *text, bool big_endian);

/* A VHDX in memory. Everything in it lies at multiples of 1 MiB. */
struct vhdx_built {
	uint8_t *p;
	size_t len;
	uint64_t log_off, bat_off, metadata_off, data_off;
	uint32_t log_len, bat_len;
	uint32_t item_at;	/* where the next item of metadata goes */
	uint64_t flushed, last; /* of log entries; 0: the file's length */
};

struct vhdx_options {
	uint64_t size;
	uint32_t block, logical, physical;			       /* 0: 1 MiB, 512, 4096 */
	uint32_t flags;						       /* 1: leave blocks allocated, 2: has a parent */
	unsigned log_mb, bat_mb;				       /* 0: 1 */
	unsigned data_mb;					       /* behind the metadata */
	const char *linkage, *linkage2, *relative, *volume, *absolute; /* of the parent */
};

void vhdx_build(struct vhdx_built *b, const struct vhdx_options *o);
void vhdx_done(struct vhdx_built *b);

/* An entry of the BAT: its state, and where the block lies. */
void vhdx_bat(struct vhdx_built *b, uint64_t i, unsigned state, uint64_t off);

/* Add an item to the metadata; flags: 1 user, 2 virtual disk, 4 required. */
void vhdx_item(struct vhdx_built *b, const uint8_t guid[16], const void *data, size_t len, uint32_t flags);

/* The CRC-32C of both headers and region tables. */
void vhdx_seal(struct vhdx_built *b);

#define VHDX_DATA_WRITE_GUID "33221100-5544-7766-8899-AABBCCDDEEFF" /* as vhdx_build() writes it */

/* What a log entry writes: a sector of data, or zeros where that is NULL. */
struct vhdx_write {
	uint64_t off, zeros;
	const uint8_t *data;
};

/* Put an entry at an offset of the log; returns where the next one goes. The log's GUID is the header's. */
uint32_t vhdx_log_entry(struct vhdx_built *b, uint32_t at, uint64_t sequence, uint32_t tail,
			const struct vhdx_write *writes, unsigned n);

/* The log is to be replayed: write its GUID into the headers. */
void vhdx_log_use(struct vhdx_built *b);

void vhd_put_le(uint8_t *p, unsigned width, uint64_t value);

/* Whether libvhdi for Python is installed; if not, that is said. */
bool vhd_has_peer(void);

/* Fail unless libvhdi reads these bytes of a chain of images, named as arguments of a shell. */
void vhd_expect_peer(const char *images, const uint8_t *bytes, uint64_t len);

#endif
