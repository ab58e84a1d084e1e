/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Apple's sparse images (.sparseimage), big endian. There is no specification: the layout is what others have found of
 * what hdiutil writes. The header, and index nodes that are chained behind it, have a 32-bit number for each band that
 * follows them in the file: which band of the disk it is, from 1 on; 0 for none.
 *
 * That is the wrong way round for reading: what exists in the file is held, sorted by its place on the disk.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/image.h"

#define SPRS_MAGIC 0x73707273u /* "sprs" */
#define SPRS_NODE 4096u
#define SPRS_HEADER_BANDS 64u /* where the numbers start */
#define SPRS_INDEX_BANDS 56u
#define SPRS_MAX_BAND (1u << 21) /* sectors: 1 GiB */

struct sprs_band {
	uint32_t number; /* of the disk, from 0 on */
	uint64_t off;	 /* in the file */
};

struct sprs {
	struct vtr_image im;
	uint64_t band;	/* bytes */
	uint64_t count; /* bands of the disk */
	struct sprs_band *bands;
	size_t n, cap;
	uint64_t charged;
	uint32_t version, flags;
	uint64_t nodes;
};

/* --------------------------------------------------------------------------------------------------------- mapping */

/* The first band in the file that has this number or a higher one. */
static size_t sprs_find(const struct sprs *s, uint64_t number)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->bands[mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int sprs_map(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err)
{
	struct sprs *s = (struct sprs *)im;
	uint64_t number = off / s->band, in = off % s->band;
	size_t i = sprs_find(s, number);

	if (i == s->n || s->bands[i].number != number) {
		out->kind = VTR_RUN_ABSENT;
		out->len = VTR_MIN(max, i == s->n ? max : s->bands[i].number * s->band - off);
		return 0;
	}
	if (s->bands[i].off >= im->file->size)
		return vtr_fail(err, VTR_ETRUNCATED,
				"band %" PRIu64 " at %#" PRIx64 " lies past the end of the file (%#" PRIx64 ")", number,
				s->bands[i].off, im->file->size);
	out->kind = VTR_RUN_PLAIN;
	out->host = s->bands[i].off + in;
	out->len = s->band - in;
	for (size_t k = i + 1; k < s->n && out->len < max; k++) {
		if (s->bands[k].number != number + (k - i) || s->bands[k].off != out->host + out->len ||
		    s->bands[k].off >= im->file->size)
			break;
		out->len += s->band;
	}
	out->len = VTR_MIN(out->len, max);
	return 0;
}

static void sprs_close(struct vtr_image *im)
{
	struct sprs *s = (struct sprs *)im;

	free(s->bands);
	vtr_uncharge(im->blk.ctx, s->charged);
}

static const struct vtr_image_ops sprs_ops = {
	.blk = VTR_IMAGE_BLK_OPS("sparseimage"),
	.map = sprs_map,
	.close = sprs_close,
	.short_tail = true,
};

/* ------------------------------------------------------------------------------------------------------------ open */

/*
 * Header, 4096 bytes.
 *   0  4  magic "sprs"			20  8  offset of the next index node, 0: none
 *   4  4  version, 3			28  8  sectors of the disk
 *   8  4  sectors of a band		36 28  zeros
 *  12  4  flags, 1			64     numbers of the bands that follow
 *  16  4  sectors of the disk, the lower half
 */
static int sprs_parse_header(struct sprs *s, uint64_t *next, struct vtr_cur *c, struct vtr_error *err)
{
	uint32_t band, low;
	uint64_t sectors;

	if (vtr_cur_be32(c) != SPRS_MAGIC)
		return vtr_fail(err, c->bad ? VTR_ETRUNCATED : VTR_ECORRUPT,
				"no header: it does not start with \"sprs\"");
	s->version = vtr_cur_be32(c);
	band = vtr_cur_be32(c);
	s->flags = vtr_cur_be32(c);
	low = vtr_cur_be32(c);
	*next = vtr_cur_be64(c);
	sectors = vtr_cur_be64(c);
	if (c->bad || vtr_cur_len(c) < SPRS_NODE)
		return vtr_fail(err, VTR_ETRUNCATED, "header: the file has %zu bytes, expected %u", vtr_cur_len(c),
				SPRS_NODE);
	if (s->version != 3)
		return vtr_fail(err, VTR_EUNSUPPORTED, "header: version %" PRIu32 ", read is 3", s->version);
	if (band == 0 || band > SPRS_MAX_BAND)
		return vtr_fail(err, VTR_ECORRUPT, "header: bands of %" PRIu32 " sectors, expected 1 to %u", band,
				SPRS_MAX_BAND);
	if (sectors == 0) /* as the first writers left it */
		sectors = low;
	if ((uint32_t)sectors != low || sectors > INT64_MAX / 512)
		return vtr_fail(err, VTR_ECORRUPT, "header: %" PRIu64 " sectors and %" PRIu32 " do not agree", sectors,
				low);
	s->band = band * 512ull;
	s->im.blk.size = sectors * 512;
	s->count = vtr_div_up(sectors, band);
	return 0;
}

/* The bands that follow a node: their numbers are what is left of the cursor. */
static int sprs_parse_bands(struct sprs *s, struct vtr_cur *c, uint64_t node, struct vtr_error *err)
{
	for (uint64_t i = 0; vtr_cur_left(c) >= 4; i++) {
		uint32_t number = vtr_cur_be32(c);
		uint64_t off;
		size_t cap = s->cap;

		if (number == 0)
			continue;
		if (number > s->count)
			return vtr_fail(err, VTR_ECORRUPT,
					"index node at %#" PRIx64 ": entry %" PRIu64 " is band %" PRIu32
					", the disk has %" PRIu64,
					node, i, number, s->count);
		if (vtr_mul_over(i, s->band, &off) || vtr_add_over(off, node + SPRS_NODE, &off))
			return vtr_fail(err, VTR_ECORRUPT,
					"index node at %#" PRIx64 ": entry %" PRIu64 " lies past the end of the file",
					node, i);
		if (s->n == s->cap) {
			/* Counted before it is taken; twice as much for growing. */
			uint64_t more = (cap ? cap : 64) * sizeof(*s->bands);

			if (vtr_charge(s->im.blk.ctx, more, "bands", err) < 0)
				return -1;
			s->charged += more;
		}
		if (!VTR_GROW(s->bands, s->n, s->cap, err))
			return -1;
		s->bands[s->n++] = (struct sprs_band){ .number = number - 1, .off = off };
	}
	return 0;
}

/*
 * Index node, 4096 bytes.
 *   0  4  magic "sprs"			12  8  offset of the next index node, 0: none
 *   4  4  its number, from 0 on	20 36  zeros
 *   8  4  flags, 1			56     numbers of the bands that follow
 */
static int sprs_read_nodes(struct sprs *s, uint64_t next, struct vtr_error *err)
{
	uint64_t last = 0, steps = 0;
	uint8_t node[SPRS_NODE];

	for (; next != 0; s->nodes++) {
		struct vtr_cur c = vtr_cur_of(node, sizeof(node), next);

		if (vtr_tick(s->im.blk.ctx, &steps, 1, err) < 0)
			return -1;
		if (next < last + SPRS_NODE)
			return vtr_fail(err, VTR_ECORRUPT, "index node at %#" PRIx64 " follows the one at %#" PRIx64,
					next, last);
		if (!vtr_range_in(next, SPRS_NODE, s->im.file->size))
			return vtr_fail(err, VTR_ETRUNCATED,
					"index node at %#" PRIx64 " ends past the end of the file (%#" PRIx64 ")", next,
					s->im.file->size);
		if (vtr_blk_pread(s->im.file, next, node, sizeof(node), err) < 0)
			return -1;
		if (vtr_cur_be32(&c) != SPRS_MAGIC)
			return vtr_fail(err, VTR_ECORRUPT, "index node at %#" PRIx64 " does not start with \"sprs\"",
					next);
		last = next;
		vtr_cur_skip(&c, 8);
		next = vtr_cur_be64(&c);
		vtr_cur_seek(&c, SPRS_INDEX_BANDS);
		if (sprs_parse_bands(s, &c, last, err) < 0)
			return -1;
	}
	return 0;
}

static int sprs_by_number(const void *a, const void *b)
{
	const struct sprs_band *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static int sprs_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = NULL;
	uint8_t head[SPRS_NODE] = { 0 };
	size_t n = (size_t)VTR_MIN(o->file->size, (uint64_t)sizeof(head));
	struct vtr_cur c = vtr_cur_of(head, n, 0);
	struct sprs *s;
	uint64_t next;

	if (o->opt->snapshot)
		return vtr_fail(err, VTR_ENOTFOUND, "no snapshot \"%s\": a sparse image has none", o->opt->snapshot);
	if (!(im = vtr_image_new(&sprs_ops, sizeof(*s), o, err)))
		return -1;
	s = (struct sprs *)im;
	if (vtr_blk_pread(im->file, 0, head, n, err) < 0 || sprs_parse_header(s, &next, &c, err) < 0)
		return -1;
	vtr_cur_seek(&c, SPRS_HEADER_BANDS);
	if (sprs_parse_bands(s, &c, 0, err) < 0 || sprs_read_nodes(s, next, err) < 0)
		return -1;
	if (s->n > 0)
		qsort(s->bands, s->n, sizeof(s->bands[0]), sprs_by_number);
	for (size_t i = 1; i < s->n; i++)
		if (s->bands[i].number == s->bands[i - 1].number)
			return vtr_fail(err, VTR_ECORRUPT,
					"band %" PRIu32 " lies both at %#" PRIx64 " and at %#" PRIx64,
					s->bands[i].number, s->bands[i - 1].off, s->bands[i].off);
	im->info.cluster_size = s->band;
	im->info.logical_sector = 512;
	if (vtr_image_prop_number(im, "version", "version", s->version, err) < 0 ||
	    vtr_image_prop_number(im, "bands", "bands", s->count, err) < 0 ||
	    vtr_image_prop_number(im, "bands_allocated", "bands in use", s->n, err) < 0 ||
	    vtr_image_prop_number(im, "index_nodes", "index nodes", s->nodes, err) < 0)
		return -1;
	return vtr_image_finish(out, &im, o, err);
}

/* Magic and version. */
static int sprs_probe(const struct vtr_probe *p)
{
	return p->head_len >= 8 && vtr_get_be32(p->head) == SPRS_MAGIC && vtr_get_be32(p->head + 4) == 3 ? 64 : 0;
}

extern const struct vtr_format vtr_format_sparseimage;
const struct vtr_format vtr_format_sparseimage = {
	.name = "sparseimage",
	.title = "Apple sparse image",
	.probe = sprs_probe,
	.open = sprs_open,
};
