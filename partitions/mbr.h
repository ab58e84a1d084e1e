/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The boot record in sector 0, which a GPT has too. */
#ifndef VTR_PARTITIONS_MBR_H
#define VTR_PARTITIONS_MBR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blk.h"

#define VTR_MBR_LEN 512u
#define VTR_MBR_ENTRIES 4u
#define VTR_MBR_TYPE_PROTECTIVE 0xeeu

struct vtr_mbr_entry {
	uint8_t flag, type;
	uint32_t start_sector; /* in an extended boot record: relative */
	uint32_t sectors;      /* 0: the entry is not used */
};

struct vtr_mbr {
	uint32_t disk_id;
	bool flags_ok;		     /* every entry's flag is 0x00 or 0x80, as in all that a person calls an MBR */
	bool bare;		     /* the table is all zeros */
	unsigned protective, others; /* entries in use that are of the protective type, and that are not */
	struct vtr_mbr_entry entry[VTR_MBR_ENTRIES];
};

/* Decode a boot record; false when there are no 512 bytes with the boot signature. */
bool vtr_mbr_parse(struct vtr_mbr *out, const uint8_t *bytes, size_t len);

/* Whether its entries make a partition table, and not the code of a boot sector that has parameters of its own. */
bool vtr_mbr_fits(const struct vtr_mbr *m, const struct vtr_probe *p, unsigned sector);

#endif
