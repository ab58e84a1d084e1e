/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of volume managers. None is read yet; each is recognised by its signs, so that a listing names it and its
 * contents are never taken for a filesystem.
 */
#include "volumes/volume.h"

#include <string.h>

#include "base/bytes.h"

static bool volumes_head(const struct vtr_probe *p, size_t at, const char *magic, size_t n)
{
	return at <= p->head_len && n <= p->head_len - at && memcmp(p->head + at, magic, n) == 0;
}
#define HEAD(at, magic) volumes_head(p, (at), "" magic, sizeof(magic) - 1)

/* A label in one of the first four sectors, of type "LVM2 001". */
static int lvm2_probe(const struct vtr_probe *p)
{
	for (size_t at = 0; at < 4 * 512; at += 512)
		if (HEAD(at, "LABELONE") && HEAD(at + 24, "LVM2 001"))
			return 128;
	return 0;
}

static int luks_probe(const struct vtr_probe *p)
{
	return HEAD(0, "LUKS\xba\xbe") || HEAD(0, "SKUL\xba\xbe") ? 48 : 0;
}

static bool mdraid_at(const uint8_t *b)
{
	return vtr_get_le32(b) == 0xa92b4efcu || vtr_get_be32(b) == 0xa92b4efcu;
}

/* Superblocks of version 1.1 at the start, 1.2 at 4 KiB, 1.0 and 0.90 near the end. */
static int mdraid_probe(const struct vtr_probe *p)
{
	uint64_t v10 = p->size >= 8192 ? ((p->size / 512 - 16) & ~7ull) * 512 : UINT64_MAX, v09;

	if ((p->head_len >= 4 && mdraid_at(p->head) && vtr_get_le32(p->head + 4) == 1) ||
	    (p->head_len >= 4104 && mdraid_at(p->head + 4096) && vtr_get_le32(p->head + 4100) == 1))
		return 64;
	/* 0.90: 64 KiB from the end, aligned to 64 KiB; its version is 0 and 90. */
	v09 = p->size >= 131072 ? (p->size & ~65535ull) - 65536 : UINT64_MAX;
	if (v09 != UINT64_MAX && p->size - v09 <= p->tail_len) {
		const uint8_t *b = p->tail + (p->tail_len - (p->size - v09));

		if (mdraid_at(b) &&
		    ((vtr_get_le32(b + 4) == 0 && vtr_get_le32(b + 8) == 90) || vtr_get_be32(b + 8) == 90))
			return 64;
	}
	if (v10 != UINT64_MAX && p->size - v10 <= p->tail_len && mdraid_at(p->tail + (p->tail_len - (p->size - v10))))
		return 32;
	return 0;
}

static int bitlocker_probe(const struct vtr_probe *p)
{
	return HEAD(3, "-FVE-FS-") ? 64 : 0;
}

static const struct vtr_volume volume_luks = { "luks", "LUKS encrypted volume", luks_probe };
static const struct vtr_volume volume_mdraid = { "mdraid", "Linux RAID member", mdraid_probe };
static const struct vtr_volume volume_lvm2 = { "lvm2", "LVM2 physical volume", lvm2_probe };
static const struct vtr_volume volume_bitlocker = { "bitlocker", "BitLocker encrypted volume", bitlocker_probe };

const struct vtr_volume *const vtr_volumes[] = { &volume_luks, &volume_mdraid, &volume_lvm2, &volume_bitlocker, NULL };

const struct vtr_volume *vtr_volume_probe(const struct vtr_probe *p)
{
	for (size_t i = 0; vtr_volumes[i]; i++)
		if (vtr_volumes[i]->probe(p) > 0)
			return vtr_volumes[i];
	return NULL;
}
