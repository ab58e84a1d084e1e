/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of volume managers. LVM2 is read (volumes/lvm2.c); the others are recognised by their signatures, so that a
 * listing names them and their contents are never taken for a filesystem.
 */
#include "volumes/volume.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/text.h"

static bool volumes_head(const struct vtr_probe *p, size_t at, const char *magic, size_t n)
{
	return at <= p->head_len && n <= p->head_len - at && memcmp(p->head + at, magic, n) == 0;
}
#define HEAD(at, magic) volumes_head(p, (at), "" magic, sizeof(magic) - 1)

static int luks_probe(const struct vtr_probe *p)
{
	return HEAD(0, "LUKS\xba\xbe") || HEAD(0, "SKUL\xba\xbe") ? 48 : 0;
}

#define MD_MAGIC 0xa92b4efcu

/* Version 1, little endian: 0x04 4 version. */
static bool mdraid_is_v1(const uint8_t *b)
{
	return vtr_get_le32(b) == MD_MAGIC && vtr_get_le32(b + 4) == 1;
}

/* Version 0.90, in the byte order of the machine: 0x04 4 and 0x08 4 version. */
static bool mdraid_is_v09(const uint8_t *b)
{
	return (vtr_get_le32(b) == MD_MAGIC && vtr_get_le32(b + 4) == 0 && vtr_get_le32(b + 8) == 90) ||
	       (vtr_get_be32(b) == MD_MAGIC && vtr_get_be32(b + 4) == 0 && vtr_get_be32(b + 8) == 90);
}

/*
 * The superblock, and how many bytes there are of it: version 1.1 at the start, 1.2 at 4 KiB, 1.0 at least 8 KiB from the
 * end and aligned to 4 KiB, 0.90 64 KiB from the end, aligned to that. NULL: none.
 */
static const uint8_t *mdraid_find(uint64_t *left, const struct vtr_probe *p)
{
	static const size_t starts[] = { 0, 4096 };
	uint64_t ends[2] = { UINT64_MAX, UINT64_MAX };

	for (size_t i = 0; i < VTR_COUNT(starts); i++) {
		if (starts[i] + 64 > p->head_len || !mdraid_is_v1(p->head + starts[i]))
			continue;
		*left = p->head_len - starts[i];
		return p->head + starts[i];
	}
	if (p->size >= 131072)
		ends[0] = (p->size & ~65535ull) - 65536;
	if (p->size >= 8192)
		ends[1] = ((p->size / 512 - 16) & ~7ull) * 512;
	for (size_t i = 0; i < VTR_COUNT(ends); i++) {
		const uint8_t *b;

		if (ends[i] == UINT64_MAX || p->size - ends[i] > p->tail_len || p->size - ends[i] < 64)
			continue;
		b = p->tail + (p->tail_len - (p->size - ends[i]));
		if (i == 0 ? !mdraid_is_v09(b) : !mdraid_is_v1(b))
			continue;
		*left = p->size - ends[i];
		return b;
	}
	return NULL;
}

static int mdraid_probe(const struct vtr_probe *p)
{
	uint64_t left;

	return mdraid_find(&left, p) ? 64 : 0;
}

/*
 * BitLocker's own mark in place of the boot sector's, and the identifiers of BitLocker To Go behind a boot sector of
 * FAT32, which lies before a discovery volume that is read without a key, and of volumes that encrypt what is used alone.
 */
static int bitlocker_probe(const struct vtr_probe *p)
{
	static const char guids[][17] = {
		"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01", /* 4967d63b-2e29-4ad8-8399-f6a339e3d001 */
		"\x3b\x4d\xa8\x92\x80\xdd\x0e\x4d\x9e\x4e\xb1\xe3\x28\x4e\xae\xd8", /* 92a84d3b-dd80-4d0e-9e4e-b1e3284eaed8 */
	};
	static const size_t places[] = { 0xa0, 0x1a8 };

	if (HEAD(3, "-FVE-FS-"))
		return 64;
	if (p->head_len < 512 || p->head[510] != 0x55 || p->head[511] != 0xaa)
		return 0;
	for (size_t i = 0; i < VTR_COUNT(places); i++)
		for (size_t k = 0; k < VTR_COUNT(guids); k++)
			if (memcmp(p->head + places[i], guids[k], 16) == 0)
				return 128;
	return 0;
}

/*
 * A label of 256 KiB at the start: at 16 KiB a list of names and values in XDR (1 its encoding, 1 the byte order of who
 * wrote it), which has the identifier of the pool in it.
 */
static int zfs_probe(const struct vtr_probe *p)
{
	size_t at = 16384;

	return p->head_len > at + 4096 && p->head[at] == 1 && p->head[at + 1] <= 1 &&
			       memmem(p->head + at, 4096, "pool_guid", 9)
		       ? 64
		       : 0;
}

/* A pair of the list: 0 4 its length, 8 4 length of the name, the name, padded to 4; 4 type, 4 how many values. */
#define ZFS_UINT64 8u
#define ZFS_STRING 9u

static void zfs_pair(struct vtr_identity *out, const uint8_t *pair, size_t len)
{
	uint32_t name_len = vtr_get_be32(pair + 8), type;
	const uint8_t *name = pair + 12, *value;
	size_t at = 12 + ((size_t)name_len + 3) / 4 * 4;

	if (name_len > 64 || at + 8 + 8 > len)
		return;
	type = vtr_get_be32(pair + at);
	value = pair + at + 8;
	if (type == ZFS_UINT64 && name_len == 9 && memcmp(name, "pool_guid", 9) == 0) {
		snprintf(out->uuid, sizeof(out->uuid), "%" PRIu64, vtr_get_be64(value));
	} else if (type == ZFS_STRING && name_len == 4 && memcmp(name, "name", 4) == 0) {
		uint32_t n = vtr_get_be32(value);

		if (vtr_range_in(at + 12, n, len) && n < sizeof(out->label))
			memcpy(out->label, value + 4, n);
	}
}

/* The list: 4 bytes of encoding, 4 version, 4 flags, then pairs until one of length 0. */
static void zfs_identify(struct vtr_identity *out, const struct vtr_probe *p)
{
	for (size_t at = 16384 + 12; at + 32 <= p->head_len;) {
		size_t len = vtr_get_be32(p->head + at);

		if (len < 32 || !vtr_range_in(at, len, p->head_len))
			return;
		zfs_pair(out, p->head + at, len);
		at += len;
	}
}

static int bcache_probe(const struct vtr_probe *p)
{
	return HEAD(4096 + 24, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81") ? 128 : 0;
}

static void bcache_identify(struct vtr_identity *out, const struct vtr_probe *p)
{
	if (p->head_len >= 4096 + 56)
		vtr_uuid_text(out->uuid, p->head + 4096 + 40);
}

static int stratis_probe(const struct vtr_probe *p)
{
	static const char magic[] = "!Stra0tis\x86\xff\x02^\x41rh";

	return HEAD(512 + 4, "!Stra0tis\x86\xff\x02^\x41rh") || HEAD(9 * 512 + 4, "!Stra0tis\x86\xff\x02^\x41rh")
		       ? 8 * (int)(sizeof(magic) - 1)
		       : 0;
}

static void volumes_text(char *out, size_t size, const uint8_t *p, size_t len)
{
	len = VTR_MIN(len, size - 1);
	memcpy(out, p, len);
	out[len] = 0;
}

/* An identifier that is text: what is no printable ASCII is none. */
static bool volumes_is_id(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len && p[i]; i++)
		if (p[i] <= ' ' || p[i] >= 0x7f)
			return false;
	return true;
}

/* The UUID is text, 0xa8 40; version 2 has a label, 0x18 48. */
static void luks_identify(struct vtr_identity *out, const struct vtr_probe *p)
{
	if (p->head_len < 0xa8 + 40)
		return;
	if (volumes_is_id(p->head + 0xa8, 40))
		volumes_text(out->uuid, sizeof(out->uuid), p->head + 0xa8, 40);
	if (vtr_get_be16(p->head + 6) == 2)
		volumes_text(out->label, sizeof(out->label), p->head + 0x18, 48);
}

/* Version 1: 0x10 16 UUID of the array, 0x20 32 its name. 0.90: the UUID in words of 4 bytes at 0x14 and 0x34. */
static void mdraid_identify(struct vtr_identity *out, const struct vtr_probe *p)
{
	uint8_t uuid[16];
	uint64_t left;
	const uint8_t *b = mdraid_find(&left, p);

	if (!b)
		return;
	if (mdraid_is_v1(b) && left >= 0x40) {
		vtr_uuid_text(out->uuid, b + 0x10);
		volumes_text(out->label, sizeof(out->label), b + 0x20, 32);
	} else if (!mdraid_is_v1(b) && left >= 0x40) {
		bool little = vtr_get_le32(b) == MD_MAGIC;

		for (size_t i = 0; i < 16; i++)
			uuid[i] = b[(i < 4 ? 0x14 : 0x30) + (little ? i ^ 3 : i)];
		vtr_uuid_text(out->uuid, uuid);
	}
}

#define KNOWN(id, type_text, title_text, identify_fn)                                                                  \
	static const struct vtr_layer layer_##id = { .name = #id,                                                      \
						     .type = (type_text),                                              \
						     .title = (title_text),                                            \
						     .probe = id##_probe,                                              \
						     .identify = (identify_fn) }

KNOWN(luks, "crypto_LUKS", "LUKS encrypted volume", luks_identify);
KNOWN(mdraid, "linux_raid_member", "Linux RAID member", mdraid_identify);
KNOWN(bitlocker, "BitLocker", "BitLocker encrypted volume", NULL);
KNOWN(zfs, "zfs_member", "ZFS member", zfs_identify);
KNOWN(bcache, "bcache", "bcache device", bcache_identify);
KNOWN(stratis, "stratis", "Stratis block device", NULL);

extern const struct vtr_layer vtr_layer_lvm2;

const struct vtr_layer *const vtr_volume_layers[] = {
	&layer_luks, &layer_mdraid, &vtr_layer_lvm2, &layer_bitlocker, &layer_zfs, &layer_bcache, &layer_stratis, NULL,
};

const struct vtr_layer *vtr_volume_probe(const struct vtr_probe *p)
{
	for (size_t i = 0; vtr_volume_layers[i]; i++)
		if (vtr_volume_layers[i]->probe(p) > 0)
			return vtr_volume_layers[i];
	return NULL;
}
