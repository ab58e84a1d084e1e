/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parallels' expandable images (.hds, and .hdd as one file), version 2 with both magics: QEMU's
 * docs/interop/parallels.rst, little endian. The bundle that they lie in is parallels_hdd.c's.
 *
 * The BAT follows the header: a 32-bit entry for each cluster, in sectors ("WithoutFreeSpace") or in clusters
 * ("WithouFreSpacExt"); 0 is a cluster that was never written.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/hash.h"
#include "formats/table.h"

#define PARALLELS_HEADER 64u
#define PARALLELS_OLD "WithoutFreeSpace"
#define PARALLELS_EXT "WithouFreSpacExt"
#define PARALLELS_OPEN 0x746f6e59u
#define PARALLELS_CLOSED 0x312e3276u
#define PARALLELS_EMPTY (1u << 0)
#define PARALLELS_MAX_CLUSTER (1u << 30) /* bytes; ours */

#define PARALLELS_FEATURES_MAGIC 0xab234cef23dcea87u
#define PARALLELS_FEATURES_HEAD 24u
#define PARALLELS_BITMAP_MAGIC 0x20385fae252cb34au
#define PARALLELS_NECESSARY (1ull << 0)

struct parallels_header {
	bool ext;
	uint32_t heads, cylinders, cluster_sectors, entries, in_use, flags;
	uint64_t sectors;
	uint64_t data_off, features_off; /* bytes; features_off 0: none */
};

struct parallels {
	struct vtr_image im;
	struct parallels_header h;
	uint64_t cluster; /* bytes */
	struct vtr_table bat;
	uint64_t bitmaps;
};

/* ---------------------------------------------------------------------------------------------------------- header */

/*
 *   0 16  magic			44  4  in_use
 *  16  4  version			48  4  data_off, sectors
 *  20  4  heads			52  4  flags
 *  24  4  cylinders			56  8  ext_off, sectors
 *  28  4  tracks: sectors of a cluster
 *  32  4  nb_bat_entries
 *  36  8  nb_sectors; "WithoutFreeSpace": 4
 */
static int parallels_parse_header(struct parallels_header *out, struct vtr_cur *c, struct vtr_error *err)
{
	struct parallels_header h = { .ext = false };
	uint8_t magic[16];
	uint32_t version, data_off;
	uint64_t ext_off, bat_end;

	vtr_cur_bytes(c, magic, sizeof(magic));
	h.ext = memcmp(magic, PARALLELS_EXT, 16) == 0;
	if (!h.ext && memcmp(magic, PARALLELS_OLD, 16) != 0)
		return vtr_fail(err, c->bad ? VTR_ETRUNCATED : VTR_ECORRUPT,
				"no header: it starts neither with \"" PARALLELS_OLD "\" nor with \"" PARALLELS_EXT
				"\"");
	version = vtr_cur_le32(c);
	h.heads = vtr_cur_le32(c);
	h.cylinders = vtr_cur_le32(c);
	h.cluster_sectors = vtr_cur_le32(c);
	h.entries = vtr_cur_le32(c);
	h.sectors = vtr_cur_le64(c);
	h.in_use = vtr_cur_le32(c);
	data_off = vtr_cur_le32(c);
	h.flags = vtr_cur_le32(c);
	ext_off = vtr_cur_le64(c);
	if (c->bad)
		return vtr_fail(err, VTR_ETRUNCATED, "header: the file has %zu bytes, expected %u", vtr_cur_len(c),
				PARALLELS_HEADER);
	if (version != 2)
		return vtr_fail(err, VTR_EUNSUPPORTED, "header: version %" PRIu32 ", read is 2", version);
	if (!h.ext) /* what follows the four bytes was padding once */
		h.sectors = (uint32_t)h.sectors;
	if (h.cluster_sectors == 0 || h.cluster_sectors > PARALLELS_MAX_CLUSTER / 512)
		return vtr_fail(err, VTR_ECORRUPT, "header: clusters of %" PRIu32 " sectors, expected 1 to %u",
				h.cluster_sectors, PARALLELS_MAX_CLUSTER / 512);
	if (h.sectors > INT64_MAX / 512 || vtr_div_up(h.sectors, h.cluster_sectors) > h.entries)
		return vtr_fail(err, VTR_ECORRUPT,
				"header: %" PRIu32 " clusters of %" PRIu32 " sectors, a disk of %" PRIu64
				" sectors needs more",
				h.entries, h.cluster_sectors, h.sectors);
	bat_end = PARALLELS_HEADER + 4ull * h.entries;
	h.data_off = data_off ? data_off * 512ull : vtr_div_up(bat_end, 512) * 512;
	if (h.data_off < bat_end)
		return vtr_fail(err, VTR_ECORRUPT,
				"header: data_off %#" PRIx64 " lies in the BAT, which ends at %#" PRIx64, h.data_off,
				bat_end);
	if (vtr_mul_over(ext_off, 512u, &h.features_off))
		h.features_off = UINT64_MAX;
	*out = h;
	return 0;
}

/* --------------------------------------------------------------------------------------------------------- mapping */

static int parallels_entry(struct vtr_run *r, struct vtr_image *im, const struct vtr_table *t, const uint8_t *raw,
			   uint64_t i, uint64_t in, struct vtr_error *err)
{
	const struct parallels *p = (struct parallels *)im;
	uint64_t host = vtr_get_le32(raw) * (p->h.ext ? p->cluster : 512);

	(void)t;
	if (host == 0) {
		r->kind = VTR_RUN_ABSENT;
		return 0;
	}
	/* Some writers begin the data before data_off says: what counts is that it is not the table. */
	if (host < p->bat.off + 4ull * p->bat.entries)
		return vtr_fail(err, VTR_ECORRUPT, "BAT: entry %" PRIu64 " points to %#" PRIx64 ", into the BAT", i,
				host);
	if (host >= im->file->size)
		return vtr_fail(err, VTR_ECORRUPT,
				"BAT: entry %" PRIu64 " points past the end of the file (%#" PRIx64 " > %#" PRIx64 ")",
				i, host, im->file->size);
	r->kind = VTR_RUN_PLAIN;
	r->host = host + in;
	return 0;
}

static int parallels_map(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err)
{
	return vtr_table_map(out, im, &((struct parallels *)im)->bat, off, max, err);
}

static const struct vtr_image_ops parallels_ops = {
	.blk = VTR_IMAGE_BLK_OPS("parallels"),
	.map = parallels_map,
	.short_tail = true,
};

/* ------------------------------------------------------------------------------------------------------ extensions */

/* 1: it is, 0: it is not. */
static int parallels_md5_is(const uint8_t *sum, const uint8_t *bytes, size_t len, struct vtr_error *err)
{
	uint8_t got[VTR_HASH_MAX];

	if (vtr_hash_bytes(got, VTR_HASH_MD5, bytes, len, err) < 0)
		return -1;
	return vtr_sum_ok(vtr_get_le64(sum), vtr_get_le64(got)) &&
	       vtr_sum_ok(vtr_get_le64(sum + 8), vtr_get_le64(got + 8));
}

/* Sections: magic 8, flags 8, size 4, unused 4, data padded to 8 bytes. Reading needs none of them. */
static int parallels_parse_features(struct parallels *p, struct vtr_cur *c, struct vtr_error *err)
{
	for (unsigned i = 0;; i++) {
		uint64_t magic = vtr_cur_le64(c), flags = vtr_cur_le64(c);
		uint32_t len = vtr_cur_le32(c);

		vtr_cur_skip(c, 4);
		if (c->bad)
			return vtr_fail(err, VTR_ECORRUPT, "section %u: it leaves the cluster", i);
		if (magic == 0)
			return 0;
		vtr_cur_skip(c, len);
		if (c->bad)
			return vtr_fail(err, VTR_ECORRUPT, "section %u: %" PRIu32 " bytes leave the cluster", i, len);
		vtr_cur_skip(c, VTR_MIN((8 - len % 8) % 8, vtr_cur_left(c)));
		if (magic == PARALLELS_BITMAP_MAGIC)
			p->bitmaps++;
		else
			vtr_image_warn(&p->im, VTR_OK, "format extension %#" PRIx64 " is unknown%s", magic,
				       flags & PARALLELS_NECESSARY ? ": others must not write to this image" : "");
	}
}

static int parallels_try_features(struct parallels *p, uint64_t off, struct vtr_error *err)
{
	VTR_FREE uint8_t *bytes = NULL;
	struct vtr_cur c;
	int same;

	if (!vtr_range_in(off, p->cluster, p->im.file->size))
		return vtr_fail(err, VTR_ETRUNCATED, "it ends past the end of the file (%#" PRIx64 ")",
				p->im.file->size);
	if (vtr_blk_read_new(&bytes, p->im.file, off, p->cluster, "its cluster", err) < 0)
		return -1;
	c = vtr_cur_of(bytes, (size_t)p->cluster, off);
	if (vtr_cur_le64(&c) != PARALLELS_FEATURES_MAGIC)
		return vtr_fail(err, VTR_ECORRUPT, "its magic is wrong");
	vtr_cur_skip(&c, 16);
	if (c.bad)
		return vtr_fail(err, VTR_ECORRUPT, "its checksum is wrong");
	same = parallels_md5_is(bytes + 8, bytes + PARALLELS_FEATURES_HEAD,
				(size_t)p->cluster - PARALLELS_FEATURES_HEAD, err);
	if (same < 0)
		return -1;
	if (same == 0)
		return vtr_fail(err, VTR_ECORRUPT, "its checksum is wrong");
	return parallels_parse_features(p, &c, err);
}

/*
 * The format extension says nothing about the disk's bytes: one that is damaged, or in a cluster larger than is read
 * at once, is warned of.
 */
static int parallels_read_features(struct parallels *p, struct vtr_error *err)
{
	struct vtr_error e = { 0 };

	if (p->h.features_off == 0 || parallels_try_features(p, p->h.features_off, &e) == 0)
		return 0;
	if (vtr_error_is(&e, VTR_KINDS_LOST | VTR_KIND_LIMITED)) {
		vtr_image_warn(&p->im, e.code, "format extension at %#" PRIx64 ": %s", p->h.features_off, e.text);
		return 0;
	}
	if (err)
		*err = e;
	return -1;
}

/* ------------------------------------------------------------------------------------------------------------ open */

static int parallels_make_info(struct parallels *p, struct vtr_error *err)
{
	struct vtr_image *im = &p->im;

	im->info.subformat = p->h.ext ? PARALLELS_EXT : PARALLELS_OLD;
	im->info.cluster_size = p->cluster;
	im->info.logical_sector = 512;
	im->info.dirty = p->h.in_use == PARALLELS_OPEN;
	if (vtr_image_prop_number(im, "version", "version", 2, err) < 0 ||
	    vtr_image_prop_text(im, "geometry", "geometry (CH)",
				vtr_image_textf(im, err, "%" PRIu32 "/%" PRIu32, p->h.cylinders, p->h.heads),
				err) < 0 ||
	    vtr_image_prop_bytes(im, "data_offset", "data offset", p->h.data_off, err) < 0 ||
	    vtr_image_prop_bool(im, "empty", "flagged as empty", p->h.flags & PARALLELS_EMPTY, err) < 0)
		return -1;
	if (p->h.features_off && vtr_image_prop_number(im, "bitmaps", "dirty bitmaps", p->bitmaps, err) < 0)
		return -1;
	if (p->h.in_use != 0 && p->h.in_use != PARALLELS_OPEN && p->h.in_use != PARALLELS_CLOSED)
		vtr_image_warn(im, VTR_OK, "header: in_use %#" PRIx32 " is no known value", p->h.in_use);
	return 0;
}

static int parallels_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = NULL;
	uint8_t head[PARALLELS_HEADER] = { 0 };
	size_t n = (size_t)VTR_MIN(o->file->size, (uint64_t)sizeof(head));
	struct vtr_cur c = vtr_cur_of(head, n, 0);
	struct parallels *p;

	if (o->opt->snapshot)
		return vtr_fail(err, VTR_ENOTFOUND,
				"no snapshot \"%s\": snapshots are listed in DiskDescriptor.xml, which is to be opened",
				o->opt->snapshot);
	if (!(im = vtr_image_new(&parallels_ops, sizeof(*p), o, err)))
		return -1;
	p = (struct parallels *)im;
	if (vtr_blk_pread(im->file, 0, head, n, err) < 0 || parallels_parse_header(&p->h, &c, err) < 0)
		return -1;
	if (!vtr_range_in(PARALLELS_HEADER, 4ull * p->h.entries, im->file->size))
		return vtr_fail(err, VTR_ETRUNCATED,
				"BAT: %" PRIu32 " entries at %#x end past the end of the file (%#" PRIx64 ")",
				p->h.entries, PARALLELS_HEADER, im->file->size);
	p->cluster = p->h.cluster_sectors * 512ull;
	p->bat = (struct vtr_table){
		.off = PARALLELS_HEADER,
		.entries = p->h.entries,
		.piece = p->cluster,
		.width = 4,
		.entry = parallels_entry,
	};
	im->blk.size = p->h.sectors * 512;
	if (parallels_read_features(p, err) < 0 || parallels_make_info(p, err) < 0)
		return -1;
	return vtr_image_finish(out, &im, o, err);
}

/* Magic and version. */
static int parallels_probe(const struct vtr_probe *p)
{
	if (p->head_len < 16 || (memcmp(p->head, PARALLELS_OLD, 16) != 0 && memcmp(p->head, PARALLELS_EXT, 16) != 0))
		return 0;
	return p->head_len >= 20 && vtr_get_le32(p->head + 16) == 2 ? 160 : 128;
}

extern const struct vtr_format vtr_format_parallels;
const struct vtr_format vtr_format_parallels = {
	.name = "parallels",
	.title = "Parallels disk",
	.probe = parallels_probe,
	.open = parallels_open,
};
