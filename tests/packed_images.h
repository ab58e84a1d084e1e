/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images that lie in something else, for the tests: laid out by hand from what is known of each format. */
#ifndef TESTS_PACKED_IMAGES_H
#define TESTS_PACKED_IMAGES_H

#include "tests/qcow2_images.h"

/* Bytes that grow; the caller frees p. */
struct packed {
	uint8_t *p;
	size_t len;
};
void packed_bytes(struct packed *b, const void *bytes, size_t len);
void packed_zeros(struct packed *b, size_t len);
void packed_le(struct packed *b, unsigned width, uint64_t value);
void packed_be(struct packed *b, unsigned width, uint64_t value);
void packed_set_le(uint8_t *p, unsigned width, uint64_t value);

/* An image and its disk; packed_image_done() releases it. */
struct packed_image {
	struct packed image, disk;
	size_t at[16]; /* of what a test changes, as each builder says */
};
void packed_image_done(struct packed_image *i);

/* One changed field, and what is said of it. little: how it is stored. */
struct packed_damage {
	size_t at;
	unsigned width;
	uint64_t value;
	int code;
	const char *words;
};

/*
 * Open the image with each damage in turn, and fail unless that, or reading what it holds, fails as it should.
 * VTR_OK: it opens and reads all the same, and warns with these words (NULL: is quiet).
 */
void packed_try_damage(const struct packed_image *i, const char *format, const struct packed_damage *d, size_t n,
		       bool little);

/* Open, compare, and see that nothing was warned of. */
void packed_expect_good(const struct packed_image *i, const char *format);

/*
 * Android sparse, blocks of 512 bytes: raw 2, fill 3, don't care 1, fill with zeros 1, CRC-32, raw 1. at: of the chunks;
 * the last is the end. More bytes in the headers than version 1.0 has.
 */
void packed_android(struct packed_image *i, unsigned more);

/*
 * UDIF of 14 sectors. Table 0, at sector 0: raw 2, packed 4, comment, zero 2, end. Table 1, at sector 8: ignore 1,
 * packed 3, ignore 2, end; but for XML, it is at sector 9: packed 3 (with an offset of its own in the data fork),
 * ignore 1, and sectors 8 and 13 are in no table. at: 0 koly, 1 and 2 the tables (with FORK), 3 the first packed piece.
 */
enum packed_dmg_how { PACKED_DMG_XML, PACKED_DMG_FORK, PACKED_DMG_HEAD };
void packed_dmg(struct packed_image *i, uint32_t type, enum packed_dmg_how how);

/*
 * A disk of PACKED_STREAM bytes, compressed in two halves by themselves: members, streams, frames; for xz the second is two
 * blocks, with padding before it and behind. "zstd-open": frames that do not say how large they are. "…-one": in one.
 */
#define PACKED_STREAM 9000u
void packed_stream(struct packed_image *i, const char *how);

/*
 * E01 of five chunks of 1024 bytes, the last of 512: compressed, plain, compressed, and in a table of their own plain,
 * compressed. With `split`, the second table is in a second segment, which is `second`. at: 0 volume, 1 and 2 sectors,
 * table, 3 table2, 4 digest, 5 hash, 6 the second table, 7 the end; of the sections.
 */
struct packed_ewf {
	struct packed_image first;
	struct packed second;
};
void packed_ewf(struct packed_ewf *e, bool split, bool smart);
void packed_ewf_done(struct packed_ewf *e);
/* Make the checksums of the first segment's sections, volume and tables fit again. */
void packed_ewf_seal(struct packed_image *i);

/*
 * An OVA of two disks (raw, and qcow2 compressed with gzip; or the first alone), a manifest and a certificate. kind: how
 * names and sizes are written. at: 0 the descriptor's header, 1 its bytes, 2 the header of the first disk.
 */
enum packed_tar { PACKED_USTAR, PACKED_GNU, PACKED_PAX };
void packed_ova(struct packed_image *i, enum packed_tar kind, unsigned disks);
void packed_ova_seal(uint8_t *header);

/* len bytes, compressed by themselves. */
void packed_compress(struct packed *out, const char *how, const void *bytes, size_t len);

#endif
