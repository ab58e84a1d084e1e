/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The partition tables of other machines, which are recognised, and refused by name. */
#include "partitions/partition.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"

/*
 * These labels count in sectors of 512 bytes or say otherwise themselves: asked once. What else starts with the disk comes
 * first; all of its signatures are asked only where there is a label. bits has at least 512 bytes to look at.
 */
static int known_probe(const struct vtr_probe *p, unsigned sector, int (*bits)(const struct vtr_probe *p))
{
	int found = sector == 512 && p->head_len >= 512 ? bits(p) : 0;

	return found > 0 && vtr_signature_at_start(p->head, p->head_len, false) < 0 ? found : 0;
}

#define KNOWN_BSD_MAGIC 0x82564557u

/* disklabel(5): in the second sector of PCs, at byte 64 or 128 of others; its magic comes again 132 bytes later. */
static int bsd_bits(const struct vtr_probe *p)
{
	static const size_t places[] = { 512, 64, 128 };

	for (size_t i = 0; i < VTR_COUNT(places); i++) {
		const uint8_t *label = p->head + places[i];

		if (places[i] + 136 <= p->head_len && vtr_get_le32(label) == KNOWN_BSD_MAGIC &&
		    vtr_get_le32(label + 132) == KNOWN_BSD_MAGIC)
			return 64;
	}
	return 0;
}

/* The 16-bit words of the sector, the magic 0xdabe and the checksum among them, make zero by exclusive or. */
static int sun_bits(const struct vtr_probe *p)
{
	uint16_t sum = 0;

	if (vtr_get_be16(p->head + 508) != 0xdabe)
		return 0;
	for (size_t i = 0; i < 512; i += 2)
		sum ^= vtr_get_be16(p->head + i);
	return sum == 0 ? 32 : 0;
}

/* The sum of count 32-bit words. */
static uint32_t known_be32_sum(const uint8_t *p, size_t count)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += vtr_get_be32(p + 4 * i);
	return sum;
}

static int sgi_bits(const struct vtr_probe *p)
{
	return vtr_get_be32(p->head) == 0x0be5a941 && known_be32_sum(p->head, 128) == 0 ? 64 : 0;
}

/* "PM" in the first block of the map, whose size the driver descriptor "ER" tells; 512 on hybrid CDs all the same. */
static int apm_bits(const struct vtr_probe *p)
{
	size_t block;

	block = vtr_get_be16(p->head + 2);
	if (memcmp(p->head, "ER", 2) != 0)
		block = 512;
	for (size_t i = 0; i < 2; i++, block = 512) {
		uint32_t entries;

		if (block < 512 || !vtr_pow2_is(block) || block + 512 > p->head_len ||
		    memcmp(p->head + block, "PM\0\0", 4) != 0)
			continue;
		entries = vtr_get_be32(p->head + block + 4);
		if (entries > 0 && entries <= 1024)
			return 48;
	}
	return 0;
}

/* "RDSK" in one of the first 16 blocks; its longwords, as many as it says, make zero. */
static int amiga_bits(const struct vtr_probe *p)
{
	for (size_t at = 0; at + 512 <= p->head_len && at < 16 * 512; at += 512) {
		const uint8_t *block = p->head + at;
		uint32_t words = vtr_get_be32(block + 4);

		if (memcmp(block, "RDSK", 4) == 0 && words <= 128 && words > 2 && known_be32_sum(block, words) == 0)
			return 64;
	}
	return 0;
}

/* The volume label in block 2, in EBCDIC: VOL1, LNX1 or CMS1. */
static int dasd_bits(const struct vtr_probe *p)
{
	static const char labels[][5] = { "\xe5\xd6\xd3\xf1", "\xd3\xd5\xe7\xf1", "\xc3\xd4\xe2\xf1" };

	for (size_t block = 512; block <= 4096; block *= 2)
		for (size_t i = 0; i < VTR_COUNT(labels); i++)
			if (2 * block + 4 <= p->head_len && memcmp(p->head + 2 * block, labels[i], 4) == 0)
				return 32;
	return 0;
}

/*
 * The root sector of the Atari has no magic: the size of the disk, then four entries of a flag, three letters, a start
 * and a length. All in use must have known letters and lie on the disk.
 */
static int atari_bits(const struct vtr_probe *p)
{
	static const char ids[][4] = { "GEM", "BGM", "XGM", "RAW", "F32", "MIX", "UNX", "LNX", "SWP", "MAC", "QWA" };
	unsigned used = 0;
	uint32_t sectors;

	sectors = vtr_get_be32(p->head + 0x1c2);
	if (sectors < 2 || sectors > p->size / 512)
		return 0;
	for (size_t at = 0x1c6; at < 0x1c6 + 4 * 12; at += 12) {
		const uint8_t *e = p->head + at;
		bool known = false;

		if ((e[0] & 1) == 0)
			continue;
		for (size_t i = 0; i < VTR_COUNT(ids); i++)
			known |= memcmp(e + 1, ids[i], 3) == 0;
		if (!known || !vtr_range_in(vtr_get_be32(e + 4), vtr_get_be32(e + 8), sectors))
			return 0;
		used++;
	}
	return used > 0 ? 24 + 8 * (int)used : 0;
}

#define KNOWN(id, text)                                                                                                \
	static int id##_probe(const struct vtr_probe *p, unsigned sector)                                              \
	{                                                                                                              \
		return known_probe(p, sector, id##_bits);                                                              \
	}                                                                                                              \
	const struct vtr_partition vtr_partition_##id = { .name = #id, .title = text, .probe = id##_probe }
KNOWN(bsd, "BSD disklabel");
KNOWN(sun, "Sun disk label");
KNOWN(sgi, "SGI volume header");
KNOWN(apm, "Apple partition map");
KNOWN(amiga, "Amiga rigid disk block");
KNOWN(dasd, "IBM DASD volume label");
KNOWN(atari, "Atari root sector");
