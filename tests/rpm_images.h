/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rpm's headers and databases, made by hand. */
#ifndef TESTS_RPM_IMAGES_H
#define TESTS_RPM_IMAGES_H

#include "base/text.h"

/* An index entry and its data. */
struct rpm_item {
	uint32_t tag, type, count;
	const char *bytes;
	size_t len;
};
#define RPM_STR(tag, text)                                                                                             \
	{                                                                                                              \
		tag, 6, 1, text, sizeof(text)                                                                          \
	}
#define RPM_INT(tag, be32)                                                                                             \
	{                                                                                                              \
		tag, 4, 1, be32, 4                                                                                     \
	}

/* A header blob: with a region, which covers all items but the last added ones. */
struct vtr_str rpm_header_make(const struct rpm_item *items, size_t n, size_t added);

struct rpm_blob {
	uint32_t number;
	const char *p;
	size_t len;
};

/* The databases. Berkeley DB has pages of 512 bytes and two buckets; headers over 200 bytes are on overflow pages. */
struct vtr_str rpm_ndb_make(const struct rpm_blob *blobs, size_t n);
struct vtr_str rpm_bdb_make(const struct rpm_blob *blobs, size_t n, bool big);

#endif
