/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bochs' growing disks (redologs of versions 1 and 2), little endian, by the disk image formats chapter of the Bochs
 * developers' guide. The catalog has a number for each extent of the disk; an extent in the file is a bitmap of the
 * sectors that were written, in whole sectors, and then the sectors.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/image.h"

#define BOCHS_MAGIC "Bochs Virtual HD Image"
#define BOCHS_HEADER 512u
#define BOCHS_V1 0x00010000u
#define BOCHS_V2 0x00020000u
#define BOCHS_MAX_CATALOG 0x100000u
#define BOCHS_MAX_EXTENT 0x800000u
#define BOCHS_NONE 0xffffffffu
#define BOCHS_BITS 512u /* bytes of a bitmap looked at in one go */

struct bochs_header {
	char type[17], subtype[17];
	uint32_t version, header_len, entries, bitmap, extent, timestamp;
	uint64_t size;
};

struct bochs {
	struct vtr_image im;
	struct bochs_header h;
	uint64_t data_off;   /* of extent 0 in the file */
	uint64_t bitmap_len; /* in whole sectors */
};

/*
 *   0 32  magic			72  4  entries of the catalog
 *  32 16  type				76  4  bytes of a bitmap
 *  48 16  subtype			80  4  bytes of an extent
 *  64  4  version			84  4  time stamp; not in version 1
 *  68  4  header's size		88  8  bytes of the disk; version 1: at 84
 */
static int bochs_parse_header(struct bochs_header *out, struct vtr_cur *c, struct vtr_error *err)
{
	struct bochs_header h = { .version = 0 };
	uint8_t magic[32];

	vtr_cur_bytes(c, magic, sizeof(magic));
	if (c->bad || memcmp(magic, BOCHS_MAGIC, sizeof(BOCHS_MAGIC)) != 0)
		return vtr_fail(err, c->bad ? VTR_ETRUNCATED : VTR_ECORRUPT,
				"no header: it does not start with \"" BOCHS_MAGIC "\"");
	vtr_cur_bytes(c, h.type, 16);
	vtr_cur_bytes(c, h.subtype, 16);
	h.version = vtr_cur_le32(c);
	h.header_len = vtr_cur_le32(c);
	h.entries = vtr_cur_le32(c);
	h.bitmap = vtr_cur_le32(c);
	h.extent = vtr_cur_le32(c);
	if (h.version != BOCHS_V1)
		h.timestamp = vtr_cur_le32(c);
	h.size = vtr_cur_le64(c);
	if (c->bad)
		return vtr_fail(err, VTR_ETRUNCATED, "header: the file has %zu bytes", vtr_cur_len(c));
	if (strcmp(h.type, "Redolog") != 0)
		return vtr_fail(err, VTR_EUNSUPPORTED, "header: type \"%s\", read is Redolog", h.type);
	if (strcmp(h.subtype, "Growing") != 0 && strcmp(h.subtype, "Undoable") != 0 &&
	    strcmp(h.subtype, "Volatile") != 0)
		return vtr_fail(err, VTR_EUNSUPPORTED, "header: subtype \"%s\", read is Growing", h.subtype);
	if (h.version != BOCHS_V1 && h.version != BOCHS_V2)
		return vtr_fail(err, VTR_EUNSUPPORTED, "header: version %#" PRIx32 ", read are %#x and %#x", h.version,
				BOCHS_V1, BOCHS_V2);
	if (h.header_len < 96 || h.header_len % 4 != 0)
		return vtr_fail(err, VTR_ECORRUPT, "header: its size is %" PRIu32 ", expected %u", h.header_len,
				BOCHS_HEADER);
	if (h.entries > BOCHS_MAX_CATALOG)
		return vtr_fail(err, VTR_ELIMIT, "header: a catalog of %" PRIu32 " entries, at most %u", h.entries,
				BOCHS_MAX_CATALOG);
	if (!vtr_pow2_is(h.extent) || h.extent < 512 || h.extent > BOCHS_MAX_EXTENT)
		return vtr_fail(err, VTR_ECORRUPT,
				"header: extents of %" PRIu32 " bytes, expected a power of 2 up to %u", h.extent,
				BOCHS_MAX_EXTENT);
	if (h.bitmap > BOCHS_MAX_EXTENT || h.bitmap * 8ull < h.extent / 512)
		return vtr_fail(err, VTR_ECORRUPT,
				"header: a bitmap of %" PRIu32 " bytes for an extent of %" PRIu32 " bytes", h.bitmap,
				h.extent);
	if (vtr_div_up(h.size, h.extent) > h.entries)
		return vtr_fail(err, VTR_ECORRUPT,
				"header: a catalog of %" PRIu32 " entries, a disk of %" PRIu64 " bytes needs more",
				h.entries, h.size);
	*out = h;
	return 0;
}

/* The sectors of an extent that are alike in its bitmap, from a sector on, at most max (one at least). */
static int bochs_sectors(bool *written, uint64_t *count, struct bochs *b, uint64_t bitmap, uint64_t first, uint64_t max,
			 struct vtr_error *err)
{
	uint8_t bits[BOCHS_BITS];
	uint64_t end = first + max, n = first;
	bool is = false;

	while (n < end) {
		size_t len = (size_t)VTR_MIN(vtr_div_up(end, 8) - n / 8, (uint64_t)sizeof(bits));
		uint64_t base = n / 8 * 8, stop = VTR_MIN(end, base + len * 8);

		if (vtr_image_meta(&b->im, bitmap + n / 8, bits, len, err) < 0)
			return -1;
		if (n == first)
			is = bits[0] >> (n % 8) & 1;
		for (; n < stop; n++)
			if ((bits[(n - base) / 8] >> (n % 8) & 1) != is) {
				end = n;
				break;
			}
	}
	*written = is;
	*count = n - first;
	return 0;
}

static int bochs_map(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err)
{
	struct bochs *b = (struct bochs *)im;
	uint64_t i = off / b->h.extent, in = off % b->h.extent, at, count, len = VTR_MIN(max, b->h.extent - in);
	uint8_t raw[4];
	uint32_t e;
	bool written;

	/* i < entries: bochs_parse_header() */
	if (vtr_image_meta(im, b->h.header_len + i * 4, raw, 4, err) < 0)
		return vtr_at(err, "catalog entry %" PRIu64, i);
	e = vtr_get_le32(raw);
	out->kind = VTR_RUN_ABSENT;
	out->len = len;
	if (e == BOCHS_NONE)
		return 0;
	at = b->data_off + e * (b->bitmap_len + b->h.extent); /* below 2^57 */
	if (!vtr_range_in(at, b->bitmap_len, im->file->size))
		return vtr_fail(err, VTR_ECORRUPT,
				"catalog: entry %" PRIu64 " is extent %" PRIu32
				", which lies past the end of the file (%#" PRIx64 " > %#" PRIx64 ")",
				i, e, at, im->file->size);
	if (bochs_sectors(&written, &count, b, at, in / 512, vtr_div_up(in % 512 + len, 512), err) < 0)
		return vtr_at(err, "bitmap of extent %" PRIu32 " at %#" PRIx64, e, at);
	out->len = VTR_MIN(len, count * 512 - in % 512);
	if (!written)
		return 0;
	out->kind = VTR_RUN_PLAIN;
	out->host = at + b->bitmap_len + in;
	if (out->host >= im->file->size)
		return vtr_fail(err, VTR_ECORRUPT,
				"catalog: entry %" PRIu64 " is extent %" PRIu32 " at %#" PRIx64
				", which has sectors past the end of the file (%#" PRIx64 ")",
				i, e, at, im->file->size);
	return 0;
}

static const struct vtr_image_ops bochs_ops = {
	.blk = VTR_IMAGE_BLK_OPS("bochs"),
	.map = bochs_map,
	.short_tail = true,
};

static int bochs_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = NULL;
	uint8_t head[96] = { 0 };
	size_t n = (size_t)VTR_MIN(o->file->size, (uint64_t)sizeof(head));
	struct vtr_cur c = vtr_cur_of(head, n, 0);
	struct bochs *b;

	if (o->opt->snapshot)
		return vtr_fail(err, VTR_ENOTFOUND, "no snapshot \"%s\": a Bochs disk has none", o->opt->snapshot);
	if (!(im = vtr_image_new(&bochs_ops, sizeof(*b), o, err)))
		return -1;
	b = (struct bochs *)im;
	if (vtr_blk_pread(im->file, 0, head, n, err) < 0 || bochs_parse_header(&b->h, &c, err) < 0)
		return -1;
	if (strcmp(b->h.subtype, "Growing") != 0 && !o->opt->alone)
		return vtr_fail(err, VTR_EUNSUPPORTED,
				"%s redolog: what was written over a disk that it does not name: not read",
				b->h.subtype);
	if (!vtr_range_in(b->h.header_len, 4ull * b->h.entries, im->file->size))
		return vtr_fail(err, VTR_ETRUNCATED,
				"catalog: %" PRIu32 " entries at %#" PRIx32 " end past the end of the file (%#" PRIx64
				")",
				b->h.entries, b->h.header_len, im->file->size);
	b->data_off = b->h.header_len + 4ull * b->h.entries;
	b->bitmap_len = vtr_div_up(b->h.bitmap, 512) * 512;
	im->blk.size = b->h.size;
	im->info.subformat = strcmp(b->h.subtype, "Growing") == 0    ? "growing"
			     : strcmp(b->h.subtype, "Undoable") == 0 ? "undoable"
								     : "volatile";
	im->info.cluster_size = b->h.extent;
	im->info.logical_sector = 512;
	if (vtr_image_prop_text(im, "version", "version", b->h.version == BOCHS_V1 ? "1" : "2", err) < 0 ||
	    vtr_image_prop_number(im, "catalog_entries", "catalog entries", b->h.entries, err) < 0 ||
	    vtr_image_prop_bytes(im, "bitmap_size", "bitmap size", b->h.bitmap, err) < 0)
		return -1;
	return vtr_image_finish(out, &im, o, err);
}

static int bochs_probe(const struct vtr_probe *p)
{
	return p->head_len >= sizeof(BOCHS_MAGIC) && memcmp(p->head, BOCHS_MAGIC, sizeof(BOCHS_MAGIC)) == 0 ? 184 : 0;
}

extern const struct vtr_format vtr_format_bochs;
const struct vtr_format vtr_format_bochs = {
	.name = "bochs",
	.title = "Bochs disk",
	.probe = bochs_probe,
	.open = bochs_open,
};
