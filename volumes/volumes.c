/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of volume managers. LVM2 is read (volumes/lvm2.c); of the others a listing names what their superblocks say.
 */
#include "volumes/volume.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/text.h"

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

static void bcache_identify(struct vtr_identity *out, const struct vtr_probe *p)
{
	if (p->head_len >= 4096 + 56)
		vtr_uuid_text(out->uuid, p->head + 4096 + 40);
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
	bool v09, little;
	uint64_t at = vtr_mdraid_find(p, &v09);
	const uint8_t *b = at != UINT64_MAX ? vtr_probe_at(p, at, 0x40) : NULL;
	uint8_t uuid[16];

	if (!b)
		return;
	if (!v09) {
		vtr_uuid_text(out->uuid, b + 0x10);
		volumes_text(out->label, sizeof(out->label), b + 0x20, 32);
		return;
	}
	little = b[0] == 0xfc; /* the magic's lowest byte */
	for (size_t i = 0; i < 16; i++)
		uuid[i] = b[(i < 4 ? 0x14 : 0x30) + (little ? i ^ 3 : i)];
	vtr_uuid_text(out->uuid, uuid);
}

/* The last 4 KiB, big endian: 0x28 8 the device's own UUID. */
static void drbd_identify(struct vtr_identity *out, const struct vtr_probe *p)
{
	const uint8_t *b = p->size >= 4096 ? vtr_probe_at(p, p->size - 4096, 0x40) : NULL;

	if (b && vtr_get_be64(b + 0x28) != 0)
		snprintf(out->uuid, sizeof(out->uuid), "%016" PRIx64, vtr_get_be64(b + 0x28));
}

/* Text: the magic, a sign, and 32 letters. */
static void drbdmanage_identify(struct vtr_identity *out, const struct vtr_probe *p)
{
	if (p->head_len >= 43 && volumes_is_id(p->head + 11, 32))
		volumes_text(out->uuid, 33, p->head + 11, 32);
}

#define KNOWN(id, signature, identify_fn)                                                                              \
	static const struct vtr_layer layer_##id = { .sig = (signature), .identify = (identify_fn) }

KNOWN(luks, VTR_SIG_LUKS, luks_identify);
KNOWN(mdraid, VTR_SIG_MDRAID, mdraid_identify);
KNOWN(zfs, VTR_SIG_ZFS, zfs_identify);
KNOWN(bcache, VTR_SIG_BCACHE, bcache_identify);
KNOWN(drbd, VTR_SIG_DRBD, drbd_identify);
KNOWN(drbdmanage, VTR_SIG_DRBDMANAGE, drbdmanage_identify);

extern const struct vtr_layer vtr_layer_lvm2;

const struct vtr_layer *const vtr_volume_layers[] = {
	&layer_luks, &layer_mdraid, &vtr_layer_lvm2, &layer_zfs, &layer_bcache, &layer_drbd, &layer_drbdmanage, NULL,
};

const struct vtr_layer *vtr_volume_layer(int sig)
{
	for (size_t i = 0; vtr_volume_layers[i]; i++)
		if (vtr_volume_layers[i]->sig == sig)
			return vtr_volume_layers[i];
	return NULL;
}
