/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the bytes of a disk lie: extent, grain directory, grain table, grain. Tables are read through one cache of
 * pages that all extents share; entries are looked at in batches, and neighbours that are alike make one run.
 */
#include <string.h>

#include "base/search.h"
#include "formats/vmdk/vmdk.h"

#define MAP_BATCH 4096u	       /* bytes of entries looked at in one go */
#define MAP_PACKED_ENTRIES 64u /* of these at most where each grain is a run of its own */
#define MAP_GTE_ZEROED 1u
#define MAP_KEY_LOG2 50 /* bits of a page's number; the extent's is above */

_Static_assert(63 - VTR_PAGE_LOG2 <= MAP_KEY_LOG2 && VMDK_MAX_EXTENTS <= 1u << (64 - MAP_KEY_LOG2), "keys fit");

/* ---------------------------------------------------------------------------------------------------------- tables */

int vtr_vmdk_page_fill(void *arg, uint64_t key, uint8_t *block, size_t len, struct vtr_error *err)
{
	struct vmdk *v = arg;
	const struct vmdk_extent *e = &v->extents[key >> MAP_KEY_LOG2];
	uint64_t off = (key & ((1ull << MAP_KEY_LOG2) - 1)) << VTR_PAGE_LOG2;
	size_t have = (size_t)VTR_MIN((uint64_t)len, e->file->size - off);

	memset(block + have, 0, len - have);
	return vtr_blk_pread(e->file, off, block, have, err);
}

/* Bytes of an extent's tables; the range lies in the file. */
static int map_read(struct vmdk *v, const struct vmdk_extent *e, uint64_t off, uint8_t *to, size_t len,
		    struct vtr_error *err)
{
	uint64_t extent = (uint64_t)(e - v->extents) << MAP_KEY_LOG2;

	return vtr_cache_read_row(v->tables, extent, off, to, len, err);
}

static const char *map_in_area(const struct vmdk_sparse *s, uint64_t off, uint64_t len)
{
	for (size_t i = 0; i < s->n_areas; i++)
		if (off < s->areas[i].off + s->areas[i].len && s->areas[i].off < off + len)
			return s->areas[i].what;
	return NULL;
}

/* What an entry of a grain directory says: where the grain table is. */
struct map_table {
	uint64_t off; /* of the file; 0: there is none */
	bool zero;    /* all of its grains are zero */
};

/* Say where in the tables something is wrong. */
#define map_bad(err, code, what, i, fmt, ...)                                                                          \
	vtr_fail(err, code, "%s: entry %" PRIu64 " " fmt, (what), (uint64_t)(i), __VA_ARGS__)

/* The entry of a grain directory, checked as far as need bytes of the table. */
static int map_directory_entry(struct map_table *out, const struct vmdk_extent *e, const char *what, const uint8_t *raw,
			       uint64_t i, uint64_t need, struct vtr_error *err)
{
	const struct vmdk_sparse *s = &e->s;
	struct map_table t = { 0 };
	const char *area;

	if (s->kind == VMDK_IS_SESPARSE) {
		uint64_t v = vtr_get_le64(raw), table = s->gt_entries * 8ull;

		if (v == 0) {
			*out = t;
			return 0;
		}
		/* The highest half-byte says that the table is allocated; the lower half is its number. */
		if (v >> 32 != 0x10000000)
			return map_bad(err, VTR_ECORRUPT, what, i,
				       "is %#" PRIx64 ", expected 0x10000000 in its upper half", v);
		t.off = s->tables + (v & UINT32_MAX) * table;
		if ((v & UINT32_MAX) >= s->tables_len / table)
			return map_bad(err, VTR_ECORRUPT, what, i, "is table %" PRIu64 " of %" PRIu64, v & UINT32_MAX,
				       s->tables_len / table);
	} else {
		uint32_t v = vtr_get_le32(raw);

		if (v == 0 || (s->zeroed && v == MAP_GTE_ZEROED)) {
			t.zero = v != 0;
			*out = t;
			return 0;
		}
		t.off = (uint64_t)v * VMDK_SECTOR;
	}
	if (!vtr_range_in(t.off, need, e->file->size))
		return map_bad(err, VTR_ECORRUPT, what, i,
			       "points to a table at %#" PRIx64 " that ends past the end of the file (%#" PRIx64 ")",
			       t.off, e->file->size);
	area = map_in_area(s, t.off, need);
	if (area)
		return map_bad(err, VTR_ECORRUPT, what, i, "points into the %s", area);
	*out = t;
	return 0;
}

static size_t map_width(const struct vmdk_sparse *s)
{
	return s->kind == VMDK_IS_SESPARSE ? 8 : 4;
}

/* How many bytes of grain table i there must be: the last one may end with the disk. */
static uint64_t map_table_bytes(const struct vmdk_sparse *s, uint64_t i)
{
	uint64_t grains = vtr_div_up(s->capacity, s->grain) - i * s->gt_entries;

	return VTR_MIN(grains, (uint64_t)s->gt_entries) * map_width(s);
}

/*
 * Grain table i, by the grain directory, or by its redundant copy when the entry there is damaged: writers fill both,
 * so that one that is missing in the first alone was lost. *second: where the copy's table is; 0: there is none.
 */
static int map_table(struct map_table *out, struct map_table *second, struct vmdk *v, const struct vmdk_extent *e,
		     uint64_t i, struct vtr_error *err)
{
	const struct vmdk_sparse *s = &e->s;
	size_t w = map_width(s);
	uint64_t need = map_table_bytes(s, i);
	struct vtr_error bad = { 0 };
	struct map_table t = { 0 }, t2 = { 0 };
	uint8_t raw[8];
	int r;

	if (map_read(v, e, s->gd + i * w, raw, w, err) < 0)
		return vtr_at(err, "grain directory: entry %" PRIu64, i);
	r = map_directory_entry(&t, e, "grain directory", raw, i, need, &bad);
	if (s->gd2) {
		if (map_read(v, e, s->gd2 + i * w, raw, w, err) < 0)
			return vtr_at(err, "redundant grain directory: entry %" PRIu64, i);
		if (map_directory_entry(&t2, e, "redundant grain directory", raw, i, need, NULL) < 0)
			t2 = (struct map_table){ 0 };
	}
	if (t2.off && (r < 0 || (t.off == 0 && !t.zero))) {
		vtr_vmdk_warn(v, e->name, VTR_ECORRUPT, "%s%s: its redundant copy is used", bad.text,
			      r < 0 ? "" : "an entry of the grain directory is lost");
		t = t2;
		r = 0;
	}
	if (r < 0) {
		if (err)
			*err = bad;
		return -1;
	}
	*out = t;
	*second = t2;
	return 0;
}

/* ---------------------------------------------------------------------------------------------------------- grains */

/* Where an allocated grain is; checked. */
static int map_grain_entry(struct vtr_run *r, const struct vmdk_extent *e, const uint8_t *raw, uint64_t table,
			   uint64_t i, struct vtr_error *err)
{
	const struct vmdk_sparse *s = &e->s;
	uint64_t host;
	const char *area;

	if (s->kind == VMDK_IS_SESPARSE) {
		uint64_t v = vtr_get_le64(raw);

		/* The highest half-byte: 0 never written, 1 unmapped by the guest, 2 zero, 3 allocated. */
		switch (v >> 60) {
		case 0:
			if (v != 0)
				goto unknown;
			r->kind = VTR_RUN_ABSENT;
			return 0;
		case 1:
		case 2:
			r->kind = VTR_RUN_ZERO;
			return 0;
		case 3:
			/* Its number: the lowest 12 bits are above the others. */
			v = (v >> 48 & 0xfff) | (v & 0xffffffffffff) << 12;
			if (vtr_mul_over(v, s->grain, &host) || vtr_add_over(host, s->grains, &host) ||
			    host > INT64_MAX)
				host = INT64_MAX;
			break;
		default:
		unknown:
			return vtr_fail(err, VTR_ECORRUPT,
					"grain table at %#" PRIx64 ": entry %" PRIu64 " is %#" PRIx64
					", of no known kind",
					table, i, v);
		}
	} else {
		uint32_t v = vtr_get_le32(raw);

		if (v == 0) {
			r->kind = VTR_RUN_ABSENT;
			return 0;
		}
		if (s->zeroed && v == MAP_GTE_ZEROED) {
			r->kind = VTR_RUN_ZERO;
			return 0;
		}
		host = (uint64_t)v * VMDK_SECTOR;
	}
	if (host >= e->file->size)
		return vtr_fail(err, VTR_ECORRUPT,
				"grain table at %#" PRIx64 ": entry %" PRIu64
				" points past the end of the file (%#" PRIx64 " > %#" PRIx64 ")",
				table, i, host, e->file->size);
	area = map_in_area(s, host, s->packed ? VMDK_SECTOR : s->grain);
	if (area)
		return vtr_fail(err, VTR_ECORRUPT, "grain table at %#" PRIx64 ": entry %" PRIu64 " points into the %s",
				table, i, area);
	r->kind = s->packed ? VTR_RUN_PACKED : VTR_RUN_PLAIN;
	r->host = host;
	return 0;
}

/* The bytes of the disk that grain i of an extent has: the last one may be shorter. */
static uint64_t map_grain_len(const struct vmdk_extent *e, uint64_t i)
{
	return VTR_MIN(e->s.grain, VTR_MIN(e->len, e->s.capacity) - i * e->s.grain);
}

/* Make a run of a grain that is stored at run->host; next: where what follows is stored, 0: not known. */
static void map_packed(struct vtr_run *run, const struct vmdk_extent *e, uint64_t i, uint64_t next)
{
	uint64_t most = VTR_MIN(2 * e->s.grain + VMDK_SECTOR, e->file->size - run->host);

	run->kind = VTR_RUN_PACKED;
	run->unit = e->start + i * e->s.grain;
	run->unit_len = (size_t)map_grain_len(e, i);
	run->host_len = next > run->host ? VTR_MIN(next - run->host, most) : VTR_MIN(e->s.grain + VMDK_SECTOR, most);
}

/* No grain table for offset in: up to where there is one. */
static int map_no_table(struct vtr_run *run, struct vmdk *v, const struct vmdk_extent *e, const struct map_table *t,
			uint64_t in, uint64_t max, struct vtr_error *err)
{
	const struct vmdk_sparse *s = &e->s;
	size_t w = map_width(s), n;
	uint64_t cover = s->grain * s->gt_entries, i = in / cover;
	uint8_t raw[MAP_BATCH], copy[MAP_BATCH];

	run->kind = t->zero ? VTR_RUN_ZERO : VTR_RUN_ABSENT;
	run->len = cover - in % cover;
	if (run->len >= max)
		return 0;
	n = (size_t)VTR_MIN(s->gd_entries - i - 1, (uint64_t)(MAP_BATCH / w));
	if (map_read(v, e, s->gd + (i + 1) * w, raw, n * w, err) < 0)
		return vtr_at(err, "grain directory: entry %" PRIu64, i + 1);
	if (s->gd2 && map_read(v, e, s->gd2 + (i + 1) * w, copy, n * w, err) < 0)
		return vtr_at(err, "redundant grain directory: entry %" PRIu64, i + 1);
	for (size_t k = 0; k < n && run->len < max; k++) {
		uint64_t entry = w == 8 ? vtr_get_le64(raw + k * w) : vtr_get_le32(raw + k * w);

		/* What the copy has and this one has not is damage, and looked at for itself. */
		if (entry != (t->zero ? MAP_GTE_ZEROED : 0) || (s->gd2 && memcmp(raw + k * w, copy + k * w, w) != 0))
			break;
		run->len += cover;
	}
	return 0;
}

/* A damaged entry of a grain table, by the redundant one. */
static int map_second_grain(struct vtr_run *run, struct vmdk *v, const struct vmdk_extent *e, uint64_t table,
			    uint64_t table2, uint64_t i, const struct vtr_error *bad, struct vtr_error *err)
{
	struct vtr_run r = { 0 };
	uint8_t raw[8];

	if (table2 == 0 || table2 == table) {
		if (err)
			*err = *bad;
		return -1;
	}
	if (map_read(v, e, table2 + i * map_width(&e->s), raw, map_width(&e->s), err) < 0)
		return vtr_at(err, "redundant grain table at %#" PRIx64, table2);
	if (map_grain_entry(&r, e, raw, table2, i, NULL) < 0) {
		if (err)
			*err = *bad;
		return -1;
	}
	vtr_vmdk_warn(v, e->name, VTR_ECORRUPT, "%s: its redundant copy is used", bad->text);
	*run = r;
	return 0;
}

static int map_sparse(struct vtr_run *out, struct vmdk *v, const struct vmdk_extent *e, uint64_t in, uint64_t max,
		      struct vtr_error *err)
{
	const struct vmdk_sparse *s = &e->s;
	size_t w = map_width(s), n, have;
	uint64_t grain = in / s->grain, first = grain % s->gt_entries, skip = in % s->grain;
	struct map_table t, t2;
	struct vtr_error bad = { 0 };
	struct vtr_run run = { 0 };
	uint8_t raw[MAP_BATCH];

	if (map_table(&t, &t2, v, e, grain / s->gt_entries, err) < 0)
		return -1;
	if (t.off == 0)
		return map_no_table(out, v, e, &t, in, max, err);
	n = (size_t)VTR_MIN(s->gt_entries - first, (uint64_t)(MAP_BATCH / w));
	n = (size_t)VTR_MIN((uint64_t)n, vtr_div_up(VTR_MIN(e->len, s->capacity), s->grain) - grain);
	have = (size_t)VTR_MIN((uint64_t)n, vtr_div_up(skip + max, s->grain));
	if (s->packed) {
		/* One more than is asked for: where it ends is most often where the next one starts. */
		n = VTR_MIN(n, have + 1);
		n = VTR_MIN(n, (size_t)MAP_PACKED_ENTRIES);
		have = VTR_MIN(have, n);
	} else {
		n = have;
	}
	if (map_read(v, e, t.off + first * w, raw, n * w, err) < 0)
		return vtr_at(err, "grain table at %#" PRIx64, t.off);
	if (map_grain_entry(&run, e, raw, t.off, first, &bad) < 0 &&
	    map_second_grain(&run, v, e, t.off, t2.off, first, &bad, err) < 0)
		return -1;
	if (run.kind == VTR_RUN_PACKED) {
		map_packed(&run, e, grain, n > 1 && w == 4 ? (uint64_t)vtr_get_le32(raw + 4) * VMDK_SECTOR : 0);
		run.len = run.unit_len - skip;
		*out = run;
		return 0;
	}
	run.host += run.kind == VTR_RUN_PLAIN ? skip : 0;
	run.len = s->grain - skip;
	/* What follows is joined while it is alike; it will be checked again, and named, when it is asked for itself. */
	for (size_t k = 1; k < have; k++) {
		struct vtr_run next = { 0 };

		if (map_grain_entry(&next, e, raw + k * w, t.off, first + k, NULL) < 0 || next.kind != run.kind ||
		    (run.kind == VTR_RUN_PLAIN && next.host != run.host + run.len))
			break;
		run.len += s->grain;
	}
	run.src = e->file;
	*out = run;
	return 0;
}

/* Of a stream whose grains were found by their markers. */
static int map_found(struct vtr_run *out, const struct vmdk_extent *e, uint64_t in, struct vtr_error *err)
{
	const struct vmdk_sparse *s = &e->s;
	uint64_t grain = in / s->grain;
	size_t low = 0, high = s->n_found;
	struct vtr_run run = { 0 };

	if (in >= s->lost)
		return vtr_fail(err, VTR_ETRUNCATED, "%#" PRIx64 " is lost: the stream is known up to %#" PRIx64, in,
				s->lost);
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->found[mid].grain < grain)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < s->n_found && s->found[low].grain == grain) {
		run.host = (uint64_t)s->found[low].sector * VMDK_SECTOR;
		map_packed(&run, e, grain, low + 1 < s->n_found ? (uint64_t)s->found[low + 1].sector * VMDK_SECTOR : 0);
		run.len = run.unit_len - in % s->grain;
	} else {
		run.kind = VTR_RUN_ABSENT;
		run.len = (low < s->n_found ? s->found[low].grain * s->grain : s->lost) - in;
	}
	*out = run;
	return 0;
}

/* The extent that off lies in. */
static const struct vmdk_extent *map_extent(const struct vmdk *v, uint64_t off)
{
	return &v->extents[VTR_LAST_AT(v->extents, v->n_extents, start, off)];
}

/* What lies at in of an extent, at most max bytes of it. */
static int map_one(struct vtr_run *out, struct vmdk *v, const struct vmdk_extent *e, uint64_t in, uint64_t max,
		   struct vtr_error *err)
{
	struct vtr_run run = { 0 };

	switch (e->kind) {
	case VMDK_IS_CLOSED:
		return vtr_fail(err, VTR_EPOLICY, "it is not opened");
	case VMDK_IS_ZERO:
		run.kind = VTR_RUN_ZERO;
		run.len = max;
		break;
	case VMDK_IS_FLAT:
		run.kind = VTR_RUN_PLAIN;
		run.src = e->file;
		run.host = e->off + in;
		if (run.host >= e->file->size)
			return vtr_fail(err, VTR_ETRUNCATED,
					"%#" PRIx64 " lies past the end of the file (%#" PRIx64 ")", run.host,
					e->file->size);
		run.len = VTR_MIN(max, e->file->size - run.host);
		break;
	default:
		/* An extent may be longer than its header says: there is nothing of that. */
		if (in >= e->s.capacity) {
			run.kind = VTR_RUN_ABSENT;
			run.len = max;
			break;
		}
		max = VTR_MIN(max, e->s.capacity - in);
		if ((e->s.rebuilt ? map_found(&run, e, in, err) : map_sparse(&run, v, e, in, max, err)) < 0)
			return -1;
		run.len = VTR_MIN(run.len, max);
	}
	*out = run;
	return 0;
}

int vtr_vmdk_map(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err)
{
	struct vmdk *v = (struct vmdk *)im;
	const struct vmdk_extent *e = map_extent(v, off);
	uint64_t in = off - e->start;

	if (map_one(out, v, e, in, VTR_MIN(max, e->len - in), err) < 0)
		return e->name ? vtr_at(err, "extent \"%s\"", e->name) : -1;
	return 0;
}

/* ---------------------------------------------------------------------------------------------------------- unpack */

/* The place of a grain whose marker has another LBA: table and marker do not agree. Said once. */
static void map_warn_lba(struct vmdk *v, const struct vmdk_extent *e, const struct vtr_run *run, uint64_t lba)
{
	if (!atomic_exchange(&v->warned_lba, true))
		vtr_vmdk_warn(v, e->name, VTR_ECORRUPT,
			      "the marker of the grain at %#" PRIx64 " is for sector %" PRIu64
			      ", the grain table for %" PRIu64,
			      run->host, lba, (run->unit - e->start) / VMDK_SECTOR);
}

int vtr_vmdk_unpack(struct vtr_image *im, const struct vtr_run *run, struct vtr_codec *c, uint8_t *out,
		    struct vtr_error *err)
{
	struct vmdk *v = (struct vmdk *)im;
	const struct vmdk_extent *e = map_extent(v, run->unit);
	const struct vmdk_sparse *s = &e->s;
	uint64_t len = run->host_len, need;
	const uint8_t *data;
	int good;

	if (!s->markers)
		len = VTR_MIN(2 * s->grain + VMDK_SECTOR, e->file->size - run->host);
	if (s->markers && len < 12)
		return vtr_fail(err, VTR_ETRUNCATED, "compressed grain at %#" PRIx64 ": the file ends in its marker",
				run->host);
	if (vtr_codec_load(c, e->file, run->host, (size_t)len, err) < 0)
		return -1;
	data = c->in;
	if (s->markers) {
		uint64_t lba = vtr_get_le64(c->in);
		uint32_t size = vtr_get_le32(c->in + 8);

		if (size == 0 || size > 2 * s->grain + VMDK_SECTOR)
			return vtr_fail(err, VTR_ECORRUPT,
					"compressed grain at %#" PRIx64 ": %" PRIu32 " bytes, expected 1 to %" PRIu64,
					run->host, size, 2 * s->grain + VMDK_SECTOR);
		need = 12 + (uint64_t)size;
		if (!vtr_range_in(run->host, need, e->file->size))
			return vtr_fail(err, VTR_ETRUNCATED,
					"compressed grain at %#" PRIx64 ": %" PRIu32
					" bytes end past the end of the file (%#" PRIx64 ")",
					run->host, size, e->file->size);
		if (need > len && vtr_codec_load(c, e->file, run->host, (size_t)need, err) < 0)
			return -1;
		if (lba != (run->unit - e->start) / VMDK_SECTOR)
			map_warn_lba(v, e, run, lba);
		data = c->in + 12;
		len = size;
	}
	good = vtr_codec_decode(c, &vtr_method_zlib, out, run->unit_len, data, (size_t)len, err);
	if (good < 0)
		return -1;
	if (!good)
		return vtr_fail(err, VTR_ECORRUPT,
				"compressed grain at %#" PRIx64 ": %" PRIu64 " bytes of deflate do not fill %zu bytes",
				run->host, len, run->unit_len);
	return 0;
}
