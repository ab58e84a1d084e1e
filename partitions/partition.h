/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Partition tables, for those who write one. */
#ifndef VTR_PARTITIONS_PARTITION_H
#define VTR_PARTITIONS_PARTITION_H

#include "base/layer.h"

struct vtr_parts {
	const struct vtr_partition *scheme;
	struct vtr_blk *disk; /* a reference */
	unsigned sector;      /* bytes */
	char disk_id[37];
	uint64_t first, end; /* bytes: where partitions may lie; end 0: from the second sector to the end of the disk */
	struct vtr_part *parts; /* in the order of their numbers */
	size_t n, cap;
};

struct vtr_partition {
	const char *name, *title; /* "gpt", "GUID partition table" */
	/*
	 * How many bits were verified, for this sector size (512 or 4096); 0: not ours. The whole table need not be
	 * sound: a table that is there and damaged is ours too. One that another scheme's table accounts for (the
	 * protective MBR of a GPT, a GPT that its disk's MBR has replaced) is not: two answers are an ambiguous disk.
	 */
	int (*probe)(const struct vtr_probe *p, unsigned sector);
	/*
	 * The same when the caller named the scheme: whether the table is there, whatever else the disk has the signs
	 * of. NULL: as probe.
	 */
	int (*present)(const struct vtr_probe *p, unsigned sector);
	/* Asked when both sector sizes fit: which one the disk speaks for. NULL: the one with more bits. */
	unsigned (*sector)(struct vtr_blk *disk);
	/*
	 * Fill the empty *out, whose disk and sector are set. Entries that are unusable are warned of and left out.
	 * NULL: recognised and refused by name, where no driver that reads finds anything.
	 */
	int (*open)(struct vtr_parts *out, struct vtr_error *err);
};

extern const struct vtr_partition *const vtr_partitions[]; /* ends with NULL */

/*
 * Append a partition: number, off and stated_len are set; len is cut to the disk (warned of). NULL: VTR_ELIMIT,
 * VTR_ENOMEM. The result may be filled further until the next call.
 */
struct vtr_part *vtr_parts_add(struct vtr_parts *t, unsigned number, uint64_t off, uint64_t stated_len,
			       struct vtr_error *err);

/*
 * Append the partitions to out, named by their numbers, each with its place in t as part. index: the caller's number of the
 * disk, their input. A partition that starts beyond the end of its disk is warned of and left out.
 */
int vtr_parts_volumes(struct vtr_volumes *out, const struct vtr_parts *t, size_t index, struct vtr_error *err);

/* Warn of partitions that share bytes, though neither contains the other by design. */
int vtr_parts_check_overlaps(const struct vtr_parts *t, struct vtr_error *err);

/*
 * How many bits of a partition table's signs the probed bytes have, and its name. For telling ambiguous images.
 */
int vtr_partitions_probe(const struct vtr_probe *p, const char **name);

void vtr_parts_close_cleanup(struct vtr_parts **t);
#define VTR_PARTS_CLOSE VTR_CLEANUP(vtr_parts_close_cleanup)

#endif
