/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of partition schemes, what is common to all of them, and who decides when several fit. */
#include "partitions/partition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/fold.h"
#include "partitions/gpt.h"

#define PARTITIONS(X) X(gpt) X(mbr) X(bsd) X(sun) X(sgi) X(apm) X(amiga) X(dasd) X(atari)
#define X(name) extern const struct vtr_partition vtr_partition_##name;
PARTITIONS(X)
#undef X
#define X(name) &vtr_partition_##name,
const struct vtr_partition *const vtr_partitions[] = { PARTITIONS(X) NULL };
#undef X

static const unsigned parts_sectors[] = { 512, 4096 };

/* One way to read a disk. */
struct parts_reading {
	const struct vtr_partition *scheme; /* NULL: none */
	unsigned sector;
	int bits;
};

/* The best reading of one scheme; sector 0 stands for both sizes. disk may be NULL: then nothing is read. */
static int parts_read_as(struct parts_reading *out, const struct vtr_partition *scheme, bool named,
			 const struct vtr_probe *p, unsigned sector, struct vtr_blk *disk, struct vtr_error *err)
{
	int (*probe)(const struct vtr_probe *p, unsigned sector) =
		named && scheme->present ? scheme->present : scheme->probe;
	struct parts_reading best = { 0 };

	for (size_t i = 0; i < VTR_COUNT(parts_sectors); i++) {
		struct parts_reading r = { scheme, parts_sectors[i], 0 };

		if (sector != 0 && sector != r.sector)
			continue;
		r.bits = probe(p, r.sector);
		if (r.bits <= 0)
			continue;
		if (best.scheme && scheme->sector) {
			best.sector = disk ? scheme->sector(disk) : best.sector;
			best.bits = VTR_MAX(best.bits, r.bits);
			continue;
		}
		if (best.scheme && best.bits == r.bits)
			return vtr_fail(err, VTR_EAMBIGUOUS,
					"%s with sectors of %u bytes and %s with sectors of %u bytes: choose with "
					"--sector-size",
					scheme->name, best.sector, scheme->name, r.sector);
		if (r.bits > best.bits)
			best = r;
	}
	*out = best;
	return 0;
}

/* name NULL: whatever there is. */
static int parts_recognise(struct parts_reading *out, const struct vtr_probe *p, const char *name, unsigned sector,
			   struct vtr_blk *disk, struct vtr_error *err)
{
	struct parts_reading best = { 0 };

	for (size_t i = 0; vtr_partitions[i]; i++) {
		struct parts_reading r;

		if (name && strcmp(name, vtr_partitions[i]->name) != 0)
			continue;
		if (parts_read_as(&r, vtr_partitions[i], name != NULL, p, sector, disk, err) < 0)
			return -1;
		if (!r.scheme)
			continue;
		if (best.scheme && best.scheme->open && r.scheme->open)
			return vtr_fail(err, VTR_EAMBIGUOUS,
					"%s (%s) and %s (%s): neither table accounts for the other: choose with "
					"--table %s or --table %s",
					best.scheme->name, best.scheme->title, r.scheme->name, r.scheme->title,
					best.scheme->name, r.scheme->name);
		if (!best.scheme || (!best.scheme->open && (r.scheme->open || r.bits > best.bits)))
			best = r;
	}
	*out = best;
	return 0;
}

const char *vtr_partitions_name(size_t i, const char **title)
{
	for (size_t k = 0; vtr_partitions[k]; k++) {
		if (!vtr_partitions[k]->open || i-- > 0)
			continue;
		if (title)
			*title = vtr_partitions[k]->title;
		return vtr_partitions[k]->name;
	}
	return NULL;
}

/* The caller named a scheme that is not on the disk: say what is. */
static int parts_absent(const char *scheme, const struct vtr_probe *p, struct vtr_error *err)
{
	const char *name = NULL;

	for (size_t i = 0; vtr_partitions[i]; i++)
		if (strcmp(vtr_partitions[i]->name, scheme) == 0)
			name = scheme;
	if (!name)
		return vtr_fail(err, VTR_EUSAGE, "no partition table is named \"%s\"", scheme);
	name = NULL;
	if (vtr_partitions_probe(p, &name) > 0)
		return vtr_fail(err, VTR_ENOTFOUND, "there is no %s partition table: it is %s", scheme, name);
	return vtr_fail(err, VTR_ENOTFOUND, "there is no %s partition table", scheme);
}

int vtr_partitions_open(struct vtr_parts **out, struct vtr_blk *disk, unsigned sector, struct vtr_error *err)
{
	return vtr_partitions_open_as(out, disk, NULL, sector, err);
}

int vtr_partitions_open_as(struct vtr_parts **out, struct vtr_blk *disk, const char *scheme, unsigned sector,
			   struct vtr_error *err)
{
	VTR_PROBE_DONE struct vtr_probe p = { 0 };
	VTR_PARTS_CLOSE struct vtr_parts *t = NULL;
	struct parts_reading r;
	int boot;

	if (sector != 0 && sector != 512 && sector != 4096)
		return vtr_fail(err, VTR_EUSAGE, "sectors of %u bytes: 512 and 4096 are known", sector);
	if (vtr_probe_read(&p, disk, err) < 0 || parts_recognise(&r, &p, scheme, sector, disk, err) < 0)
		return vtr_at(err, "partition table");
	if (!r.scheme) {
		if (scheme)
			return parts_absent(scheme, &p, err);
		*out = NULL;
		return 0;
	}
	if (!r.scheme->open)
		return vtr_fail(err, VTR_EUNSUPPORTED, "%s: %s: recognised, not read", r.scheme->name, r.scheme->title);

	t = vtr_calloc(1, sizeof(*t), err);
	if (!t)
		return -1;
	t->scheme = r.scheme;
	t->disk = vtr_blk_ref(disk);
	t->sector = r.sector;
	if (r.scheme->open(t, err) < 0 || vtr_parts_check_overlaps(t, err) < 0)
		return vtr_at(err, "%s", r.scheme->name);

	if (r.scheme == &vtr_partition_mbr && !scheme) {
		boot = vtr_signature_at_start(p.head, p.head_len, true);
		if (boot >= 0)
			vtr_warn(disk->ctx, VTR_OK, "mbr: sector 0 has the fields of a %s boot sector too",
				 vtr_signatures[boot].title);
		if (vtr_gpt_signed(&p))
			vtr_warn(
				disk->ctx, VTR_OK,
				"mbr: there is a GPT header too, and no protective entry: the MBR is read, as firmware and "
				"Linux do; --table gpt reads the GPT");
	}
	*out = vtr_steal(t);
	return 0;
}

int vtr_partitions_probe(const struct vtr_probe *p, const char **name)
{
	int best = 0;

	for (size_t i = 0; vtr_partitions[i]; i++)
		for (size_t s = 0; s < VTR_COUNT(parts_sectors); s++) {
			int bits = vtr_partitions[i]->probe(p, parts_sectors[s]);

			if (bits > best) {
				best = bits;
				*name = vtr_partitions[i]->name;
			}
		}
	return best;
}

/* ------------------------------------------------------------------------------------------------- for the drivers */

struct vtr_part *vtr_parts_add(struct vtr_parts *t, unsigned number, uint64_t off, uint64_t stated_len,
			       struct vtr_error *err)
{
	uint64_t size = t->disk->size, left = off < size ? size - off : 0;
	struct vtr_part *part;

	if (VTR_OVER(t->disk->ctx, partitions, t->n + 1, "partitions", err) < 0 ||
	    !VTR_GROW(t->parts, t->n, t->cap, err))
		return NULL;
	part = &t->parts[t->n++];
	memset(part, 0, sizeof(*part));
	part->number = number;
	part->off = off;
	part->stated_len = stated_len;
	part->len = VTR_MIN(stated_len, left);
	if (part->len < stated_len)
		vtr_warn(t->disk->ctx, VTR_ETRUNCATED,
			 "%s: partition %u: %#" PRIx64 " bytes at %#" PRIx64 ", and the disk ends at %#" PRIx64,
			 t->scheme->name, number, stated_len, off, size);
	return part;
}

static int parts_by_offset(const void *a, const void *b)
{
	const struct vtr_part *x = *(const struct vtr_part *const *)a, *y = *(const struct vtr_part *const *)b;

	if (x->off != y->off)
		return x->off < y->off ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

/*
 * Once among the entries of the table itself, the container of the logical ones included, and once among all that
 * hold data: there a pair without a logical one was seen before.
 */
static void parts_sweep(const struct vtr_parts *t, struct vtr_part *const *sorted, bool data)
{
	const struct vtr_part *widest = NULL;

	for (size_t i = 0; i < t->n; i++) {
		const struct vtr_part *part = sorted[i];

		if (part->len == 0 || (data ? part->extended : part->logical))
			continue;
		if (widest && part->off < widest->off + widest->len && (!data || part->logical || widest->logical))
			vtr_warn(t->disk->ctx, VTR_OK,
				 "%s: partition %u starts at %#" PRIx64
				 ", within partition %u, which ends at %#" PRIx64,
				 t->scheme->name, part->number, part->off, widest->number, widest->off + widest->len);
		if (!widest || part->off + part->len > widest->off + widest->len)
			widest = part;
	}
}

int vtr_parts_check_overlaps(const struct vtr_parts *t, struct vtr_error *err)
{
	VTR_FREE struct vtr_part **sorted = NULL;

	if (t->n < 2)
		return 0;
	sorted = vtr_calloc(t->n, sizeof(struct vtr_part *), err);
	if (!sorted)
		return -1;
	for (size_t i = 0; i < t->n; i++)
		sorted[i] = &t->parts[i];
	qsort(sorted, t->n, sizeof(struct vtr_part *), parts_by_offset);
	parts_sweep(t, sorted, false);
	parts_sweep(t, sorted, true);
	return 0;
}

/* ------------------------------------------------------------------------------------------------- for the callers */

/* The container of logical partitions, and no protective entry, which is one of nothing. */
static bool parts_is_container(const struct vtr_part *p)
{
	return p->extended && p->mbr_type != 0xee;
}

int vtr_parts_unused(const struct vtr_parts *t, uint64_t min, vtr_unused_fn *fn, void *arg, struct vtr_error *err)
{
	uint64_t end = t->end ? VTR_MIN(t->end, t->disk->size) : t->disk->size, at = t->end ? t->first : t->sector;
	uint64_t inside = 0; /* where the container that at is in ends */
	VTR_FREE const struct vtr_part **sorted = NULL;
	int r;

	sorted = vtr_calloc(t->n + 1, sizeof(struct vtr_part *), err);
	if (!sorted)
		return -1;
	for (size_t i = 0; i < t->n; i++)
		sorted[i] = &t->parts[i];
	if (t->n > 1)
		qsort(sorted, t->n, sizeof(struct vtr_part *), parts_by_offset);
	for (size_t i = 0; i <= t->n; i++) {
		const struct vtr_part *p = sorted[i]; /* NULL: the end */
		uint64_t to = p ? VTR_MIN(p->off, end) : end;

		if (inside > at && to >= inside) {
			if (inside - at >= min && (r = fn(arg, at, inside - at)) != 0)
				return r;
			at = inside;
		}
		if (to > at && to - at >= min && (r = fn(arg, at, to - at)) != 0)
			return r;
		if (p && parts_is_container(p))
			inside = p->off + p->len;
		if (p)
			at = VTR_MAX(at, parts_is_container(p) ? p->off + VTR_MIN((uint64_t)t->sector, p->len)
							       : p->off + p->len);
	}
	return 0;
}

void vtr_parts_close(struct vtr_parts *t)
{
	if (!t)
		return;
	vtr_blk_unref(t->disk);
	free(t->parts);
	free(t);
}

void vtr_parts_close_cleanup(struct vtr_parts **t)
{
	vtr_parts_close(*t);
}

const char *vtr_parts_scheme(const struct vtr_parts *t)
{
	return t->scheme->name;
}

const char *vtr_parts_disk_id(const struct vtr_parts *t)
{
	return t->disk_id;
}

unsigned vtr_parts_sector(const struct vtr_parts *t)
{
	return t->sector;
}

size_t vtr_parts_count(const struct vtr_parts *t)
{
	return t->n;
}

const struct vtr_part *vtr_parts_at(const struct vtr_parts *t, size_t i)
{
	return i < t->n ? &t->parts[i] : NULL;
}

const char *vtr_parts_part_uuid(const struct vtr_parts *t, size_t i, char *buf)
{
	const struct vtr_part *part = vtr_parts_at(t, i);

	buf[0] = '\0';
	if (!part)
		return buf;
	if (part->guid[0] == '\0') {
		snprintf(buf, 64, "%s-%02x", t->disk_id, part->number);
		return buf;
	}
	for (size_t k = 0; k < sizeof(part->guid); k++)
		buf[k] = vtr_ascii_lower(part->guid[k]);
	return buf;
}

int vtr_parts_blk(struct vtr_blk **out, const struct vtr_parts *t, size_t i, struct vtr_error *err)
{
	const struct vtr_part *part = vtr_parts_at(t, i);

	if (!part)
		return vtr_fail(err, VTR_EUSAGE, "partition at index %zu of %zu", i, t->n);
	if (part->off >= t->disk->size)
		return vtr_fail(err, VTR_ETRUNCATED,
				"%s: partition %u starts at %#" PRIx64 ", and the disk ends at %#" PRIx64,
				t->scheme->name, part->number, part->off, t->disk->size);
	if (vtr_blk_slice(out, t->disk, part->off, part->len, err) < 0)
		return vtr_at(err, "%s: partition %u", t->scheme->name, part->number);
	if (part->len < part->stated_len) /* vtr_parts_add() warned of it */
		(*out)->partial = true;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------ as volumes */

int vtr_parts_volumes(struct vtr_volumes *out, const struct vtr_parts *t, size_t index, struct vtr_error *err)
{
	for (size_t i = 0; i < t->n; i++) {
		struct vtr_error local = { 0 };
		VTR_UNREF struct vtr_blk *b = NULL;
		char number[16];
		struct vtr_volume v = { .name = number, .kind = "part", .uuid = "", .inputs = &index, .n_inputs = 1 };

		snprintf(number, sizeof(number), "%u", t->parts[i].number);
		if (vtr_parts_blk(&b, t, i, &local) == 0) {
			if (vtr_volumes_add(out, &v, b, err) < 0)
				return -1;
			out->v[out->n - 1].part = i;
			continue;
		}
		if (vtr_error_ends(&local)) {
			if (err)
				*err = local;
			return -1;
		}
		vtr_warn_err(t->disk->ctx, &local);
	}
	return 0;
}
