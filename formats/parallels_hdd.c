/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parallels' disk bundles (.hdd folders): DiskDescriptor.xml, which is what one opens, names the images that the disk
 * is made of, by QEMU's docs/interop/prl-xml.rst. A storage is a range of the disk; it has an image for each snapshot,
 * each laid over that of the parent snapshot, and the root may be a raw file. Disks in several storages are split.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/fold.h"
#include "base/search.h"
#include "formats/image.h"
#include "formats/xml.h"

#define HDD_ROOT "Parallels_disk_image"
#define HDD_TEXT 4096u	   /* bytes of one text */
#define HDD_IMAGES 1024u   /* opened at once: each is a file of the host */
#define HDD_STORAGES 4096u /* described */

/* What is the top where TopGUID does not say. */
static const uint8_t hdd_top[16] = { 0x5f, 0xba, 0xab, 0xe3, 0x69, 0x58, 0x40, 0xff,
				     0x92, 0xa7, 0x86, 0x0e, 0x32, 0x9a, 0xab, 0x41 };

struct hdd_image {
	uint8_t guid[16];
	bool has_guid, compressed, has_type;
	char *file;
};

struct hdd_storage {
	uint64_t start, end, block; /* sectors */
	bool has_start, has_end;
	struct hdd_image *images;
	size_t n_images, cap;
	struct vtr_blk **levels; /* from the top to the root; borrowed from the image; NULL: not opened */
};

struct hdd_shot {
	uint8_t guid[16], parent[16];
	bool has_guid;
};

/* The document. */
struct hdd_doc {
	uint64_t size, cylinders, heads, sectors, padding, logical, physical;
	bool has_size, has_top, encrypted;
	uint8_t top[16], uid[16];
	bool has_uid;
	struct hdd_storage *storages;
	struct hdd_shot *shots;
	size_t n_storages, storages_cap, n_shots, shots_cap;
};

struct hdd {
	struct vtr_image im;
	struct hdd_doc d;
	size_t *chain; /* of shots, from the top to the root: indices; n_levels of them */
	size_t n_levels;
	struct vtr_snapshot *snapshots;
	size_t n_snapshots;
};

/* ----------------------------------------------------------------------------------------------------------- values */

/* "{12345678-9abc-def1-2345-6789abcdef12}"; the braces may be missing. */
static bool hdd_guid(uint8_t out[16], const char *text)
{
	size_t len = strlen(text), at = 0;
	uint8_t guid[16];
	int hi, lo;

	if (len == 38 && text[0] == '{' && text[37] == '}')
		text++;
	else if (len != 36)
		return false;
	for (unsigned i = 0; i < 16; i++) {
		if ((i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-')
			return false;
		hi = vtr_hex_digit(text[at]);
		lo = hi < 0 ? -1 : vtr_hex_digit(text[at + 1]);
		if (lo < 0)
			return false;
		guid[i] = (uint8_t)(hi << 4 | lo);
		at += 2;
	}
	memcpy(out, guid, 16);
	return true;
}

static bool hdd_guid_is(const uint8_t guid[16])
{
	static const uint8_t none[16];

	return memcmp(guid, none, 16) != 0;
}

/* out has 39 bytes. */
static void hdd_guid_text(char out[39], const uint8_t guid[16])
{
	out[0] = '{';
	vtr_uuid_text(out + 1, guid);
	strcpy(out + 37, "}");
}

static bool hdd_number(uint64_t *out, const char *text)
{
	uint64_t n = 0;

	if (*text == 0)
		return false;
	for (; *text; text++)
		if (*text < '0' || *text > '9' || vtr_mul_over(n, 10u, &n) ||
		    vtr_add_over(n, (uint64_t)(*text - '0'), &n))
			return false;
	*out = n;
	return true;
}

/* --------------------------------------------------------------------------------------------------------- document */

/* The elements that are known, by their path. */
enum hdd_element {
	HDD_OTHER,
	HDD_IN_ROOT,
	HDD_IN_PARAMETERS,
	HDD_IN_ENCRYPTION,
	HDD_IN_STORAGES,
	HDD_IN_STORAGE,
	HDD_IN_IMAGE,
	HDD_IN_SNAPSHOTS,
	HDD_IN_SHOT,
	HDD_SIZE,
	HDD_CYLINDERS,
	HDD_HEADS,
	HDD_SECTORS,
	HDD_PADDING,
	HDD_LOGICAL,
	HDD_PHYSICAL,
	HDD_UID,
	HDD_ENGINE,
	HDD_START,
	HDD_END,
	HDD_BLOCK,
	HDD_IMAGE_GUID,
	HDD_IMAGE_TYPE,
	HDD_IMAGE_FILE,
	HDD_TOP_GUID,
	HDD_SHOT_GUID,
	HDD_SHOT_PARENT,
};

static const struct {
	int in;
	const char *name;
	int is;
} hdd_elements[] = {
	{ HDD_IN_ROOT, "Disk_Parameters", HDD_IN_PARAMETERS },
	{ HDD_IN_PARAMETERS, "Disk_size", HDD_SIZE },
	{ HDD_IN_PARAMETERS, "Cylinders", HDD_CYLINDERS },
	{ HDD_IN_PARAMETERS, "Heads", HDD_HEADS },
	{ HDD_IN_PARAMETERS, "Sectors", HDD_SECTORS },
	{ HDD_IN_PARAMETERS, "Padding", HDD_PADDING },
	{ HDD_IN_PARAMETERS, "LogicSectorSize", HDD_LOGICAL },
	{ HDD_IN_PARAMETERS, "PhysicalSectorSize", HDD_PHYSICAL },
	{ HDD_IN_PARAMETERS, "UID", HDD_UID },
	{ HDD_IN_PARAMETERS, "Encryption", HDD_IN_ENCRYPTION },
	{ HDD_IN_ENCRYPTION, "Engine", HDD_ENGINE },
	{ HDD_IN_ROOT, "StorageData", HDD_IN_STORAGES },
	{ HDD_IN_STORAGES, "Storage", HDD_IN_STORAGE },
	{ HDD_IN_STORAGE, "Start", HDD_START },
	{ HDD_IN_STORAGE, "End", HDD_END },
	{ HDD_IN_STORAGE, "Blocksize", HDD_BLOCK },
	{ HDD_IN_STORAGE, "Image", HDD_IN_IMAGE },
	{ HDD_IN_IMAGE, "GUID", HDD_IMAGE_GUID },
	{ HDD_IN_IMAGE, "Type", HDD_IMAGE_TYPE },
	{ HDD_IN_IMAGE, "File", HDD_IMAGE_FILE },
	{ HDD_IN_ROOT, "Snapshots", HDD_IN_SNAPSHOTS },
	{ HDD_IN_SNAPSHOTS, "TopGUID", HDD_TOP_GUID },
	{ HDD_IN_SNAPSHOTS, "Shot", HDD_IN_SHOT },
	{ HDD_IN_SHOT, "GUID", HDD_SHOT_GUID },
	{ HDD_IN_SHOT, "ParentGUID", HDD_SHOT_PARENT },
};

struct hdd_parser {
	struct vtr_ctx *ctx;
	struct hdd_doc *d;
	int within[VTR_XML_DEPTH]; /* enum hdd_element of each element that is open */
};

static int hdd_begin(struct hdd_parser *p, int what, const char *const *attrs, struct vtr_error *err)
{
	struct hdd_doc *d = p->d;
	struct hdd_storage *s = d->n_storages > 0 ? &d->storages[d->n_storages - 1] : NULL;
	const char *version;

	switch (what) {
	case HDD_IN_ROOT:
		version = vtr_xml_attr(attrs, "Version");
		if (!version || strcmp(version, "1.0") != 0)
			return vtr_fail(err, VTR_EUNSUPPORTED, HDD_ROOT ": version \"%s\", read is 1.0",
					version ? version : "");
		break;
	case HDD_IN_STORAGE:
		if (d->n_storages == HDD_STORAGES)
			return vtr_fail(err, VTR_ELIMIT, "more than %u storages", HDD_STORAGES);
		if (!VTR_GROW(d->storages, d->n_storages, d->storages_cap, err))
			return -1;
		d->storages[d->n_storages++] = (struct hdd_storage){ .start = 0 };
		break;
	case HDD_IN_IMAGE: /* only within a storage */
		if (s->n_images > p->ctx->lim.snapshots)
			return vtr_fail(err, VTR_ELIMIT, "more images than limit snapshots=%" PRIu64,
					p->ctx->lim.snapshots);
		if (!VTR_GROW(s->images, s->n_images, s->cap, err))
			return -1;
		s->images[s->n_images++] = (struct hdd_image){ .file = NULL };
		break;
	case HDD_IN_SHOT:
		if (d->n_shots > p->ctx->lim.snapshots)
			return vtr_fail(err, VTR_ELIMIT, "more snapshots than limit snapshots=%" PRIu64,
					p->ctx->lim.snapshots);
		if (!VTR_GROW(d->shots, d->n_shots, d->shots_cap, err))
			return -1;
		d->shots[d->n_shots++] = (struct hdd_shot){ .has_guid = false };
		break;
	}
	return what >= HDD_SIZE;
}

static int hdd_on_start(void *arg, unsigned depth, const char *name, const char *const *attrs, struct vtr_error *err)
{
	struct hdd_parser *p = arg;
	int in = depth > 1 ? p->within[depth - 2] : HDD_OTHER, is = HDD_OTHER;

	if (depth == 1 && strcmp(name, HDD_ROOT) != 0)
		return vtr_fail(err, VTR_ECORRUPT, "the document is \"%s\", expected \"" HDD_ROOT "\"", name);
	if (depth == 1)
		is = HDD_IN_ROOT;
	for (size_t i = 0; i < VTR_COUNT(hdd_elements); i++)
		if (hdd_elements[i].in == in && strcmp(hdd_elements[i].name, name) == 0)
			is = hdd_elements[i].is;
	p->within[depth - 1] = is;
	return hdd_begin(p, is, attrs, err);
}

/* The text of an element without the white space around it; XML has no NUL. */
static char *hdd_trim(char *text, size_t len)
{
	while (len > 0 && strchr(" \t\r\n", text[len - 1]))
		len--;
	text[len] = 0;
	return text + strspn(text, " \t\r\n");
}

/* Where the value of an element goes: one of the two. */
static void hdd_place(uint64_t **number, uint8_t **guid, bool **has, struct hdd_parser *p, int what)
{
	struct hdd_doc *d = p->d;
	struct hdd_storage *s = d->n_storages > 0 ? &d->storages[d->n_storages - 1] : NULL;
	struct hdd_image *image = s && s->n_images > 0 ? &s->images[s->n_images - 1] : NULL;
	struct hdd_shot *shot = d->n_shots > 0 ? &d->shots[d->n_shots - 1] : NULL;

	switch (what) {
	case HDD_SIZE:
		*number = &d->size, *has = &d->has_size;
		break;
	case HDD_CYLINDERS:
		*number = &d->cylinders;
		break;
	case HDD_HEADS:
		*number = &d->heads;
		break;
	case HDD_SECTORS:
		*number = &d->sectors;
		break;
	case HDD_PADDING:
		*number = &d->padding;
		break;
	case HDD_LOGICAL:
		*number = &d->logical;
		break;
	case HDD_PHYSICAL:
		*number = &d->physical;
		break;
	case HDD_START:
		*number = &s->start, *has = &s->has_start;
		break;
	case HDD_END:
		*number = &s->end, *has = &s->has_end;
		break;
	case HDD_BLOCK:
		*number = &s->block;
		break;
	case HDD_UID:
		*guid = d->uid, *has = &d->has_uid;
		break;
	case HDD_TOP_GUID:
		*guid = d->top, *has = &d->has_top;
		break;
	case HDD_IMAGE_GUID:
		*guid = image->guid, *has = &image->has_guid;
		break;
	case HDD_SHOT_GUID:
		*guid = shot->guid, *has = &shot->has_guid;
		break;
	case HDD_SHOT_PARENT:
		*guid = shot->parent;
		break;
	}
}

static int hdd_on_end(void *arg, unsigned depth, const char *name, char *text, size_t len, struct vtr_error *err)
{
	struct hdd_parser *p = arg;
	int what = p->within[depth - 1];
	uint64_t *number = NULL;
	uint8_t *guid = NULL, engine[16];
	bool unused, *has = &unused;
	struct hdd_image *image;
	struct hdd_storage *s;

	if (what < HDD_SIZE)
		return 0;
	text = hdd_trim(text, len);
	hdd_place(&number, &guid, &has, p, what);
	if (number || guid) {
		if (number ? !hdd_number(number, text) : !hdd_guid(guid, text))
			return vtr_fail(err, VTR_ECORRUPT, "%s is \"%s\", expected a %s", name, text,
					number ? "number" : "GUID");
		*has = true;
		return 0;
	}
	if (what == HDD_ENGINE) {
		p->d->encrypted = *text && !(hdd_guid(engine, text) && !hdd_guid_is(engine));
		return 0;
	}
	if (what != HDD_IMAGE_TYPE && what != HDD_IMAGE_FILE)
		return 0;
	s = &p->d->storages[p->d->n_storages - 1];
	image = &s->images[s->n_images - 1];
	if (what == HDD_IMAGE_TYPE) {
		image->has_type = true;
		image->compressed = strcmp(text, "Compressed") == 0;
		if (!image->compressed && strcmp(text, "Plain") != 0)
			return vtr_fail(err, VTR_EUNSUPPORTED,
					"images of the type \"%s\", read are Compressed and Plain", text);
		return 0;
	}
	free(image->file);
	image->file = vtr_strndup(text, strlen(text), err);
	return image->file ? 0 : -1;
}

static int hdd_parse(struct hdd_doc *d, struct vtr_ctx *ctx, const uint8_t *bytes, size_t len, struct vtr_error *err)
{
	static const struct vtr_xml xml = { .text_max = HDD_TEXT, .start = hdd_on_start, .end = hdd_on_end };
	struct hdd_parser p = { .ctx = ctx, .d = d };

	return vtr_xml_parse(&xml, &p, ctx, bytes, len, err);
}

/* ---------------------------------------------------------------------------------------------------------- checking */

static int hdd_by_start(const void *a, const void *b)
{
	const struct hdd_storage *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* The storages cover the disk, one after another. */
static int hdd_check_storages(struct hdd_doc *d, struct vtr_error *err)
{
	uint64_t at = 0;

	if (!d->has_size)
		return vtr_fail(err, VTR_ECORRUPT, "Disk_size is missing");
	if (d->size > INT64_MAX / 512)
		return vtr_fail(err, VTR_ECORRUPT, "Disk_size: %" PRIu64 " sectors are more than 2^63 bytes", d->size);
	if (d->n_storages == 0)
		return vtr_fail(err, VTR_ECORRUPT, "it has no storages");
	qsort(d->storages, d->n_storages, sizeof(d->storages[0]), hdd_by_start);
	for (size_t i = 0; i < d->n_storages; i++) {
		struct hdd_storage *s = &d->storages[i];

		if (!s->has_start || !s->has_end || s->n_images == 0)
			return vtr_fail(err, VTR_ECORRUPT, "storage %zu has no %s", i,
					!s->has_start ? "Start"
					: !s->has_end ? "End"
						      : "images");
		if (s->start != at || s->end <= s->start || s->end > INT64_MAX / 512)
			return vtr_fail(err, VTR_ECORRUPT,
					"storage %zu has the sectors %" PRIu64 " to %" PRIu64
					", expected a range from %" PRIu64 " on",
					i, s->start, s->end, at);
		at = s->end;
		for (size_t k = 0; k < s->n_images; k++)
			if (!s->images[k].has_guid || !s->images[k].has_type || !s->images[k].file)
				return vtr_fail(err, VTR_ECORRUPT, "storage %zu: image %zu has no %s", i, k,
						!s->images[k].has_guid	 ? "GUID"
						: !s->images[k].has_type ? "Type"
									 : "File");
	}
	if (at < d->size)
		return vtr_fail(err, VTR_ECORRUPT,
				"the storages end at sector %" PRIu64 ", the disk has %" PRIu64 " sectors", at,
				d->size);
	return 0;
}

static const struct hdd_shot *hdd_find_shot(const struct hdd_doc *d, const uint8_t guid[16])
{
	for (size_t i = 0; i < d->n_shots; i++)
		if (memcmp(d->shots[i].guid, guid, 16) == 0)
			return &d->shots[i];
	return NULL;
}

/* The GUID of the present state. */
static int hdd_find_top(uint8_t out[16], const struct hdd_doc *d, struct vtr_error *err)
{
	char guid[39];

	for (size_t i = 0; i < d->n_shots; i++)
		if (!d->shots[i].has_guid)
			return vtr_fail(err, VTR_ECORRUPT, "snapshot %zu has no GUID", i);
	memcpy(out, d->has_top ? d->top : hdd_top, 16);
	if (hdd_find_shot(d, out))
		return 0;
	hdd_guid_text(guid, out);
	if (d->has_top || d->n_shots > 1)
		return vtr_fail(err, VTR_ECORRUPT, "no snapshot has the GUID of the present state, %s", guid);
	/* One state, whatever it is called. */
	memcpy(out, d->n_shots == 1 ? d->shots[0].guid : d->storages[0].images[0].guid, 16);
	return 0;
}

/* The snapshots from guid to the root, as indices of shots. */
static int hdd_make_chain(struct hdd *h, const uint8_t guid[16], struct vtr_error *err)
{
	const struct hdd_doc *d = &h->d;
	uint64_t max = VTR_MIN(h->im.blk.ctx->lim.chain, (uint64_t)HDD_IMAGES);
	const struct hdd_shot *s = hdd_find_shot(d, guid);
	char text[39];

	if (!s) /* no snapshots at all */
		return 0;
	if (!(h->chain = vtr_calloc((size_t)max + 1, sizeof(*h->chain), err)))
		return -1;
	for (;;) {
		const uint8_t *parent = s->parent;

		if (h->n_levels > max)
			return vtr_fail(err, VTR_ELIMIT,
					"snapshots below each other: more than limit chain=%" PRIu64 ", or a cycle",
					max);
		h->chain[h->n_levels++] = (size_t)(s - d->shots);
		if (!hdd_guid_is(parent))
			return 0;
		s = hdd_find_shot(d, parent);
		hdd_guid_text(text, parent);
		if (!s)
			return vtr_fail(err, VTR_ECORRUPT, "snapshot %s, which is the parent of another, is missing",
					text);
	}
}

/* --------------------------------------------------------------------------------------------------------- mapping */

static const struct hdd_storage *hdd_storage_at(const struct hdd_doc *d, uint64_t sector)
{
	return &d->storages[VTR_LAST_AT(d->storages, d->n_storages, start, sector)];
}

static int hdd_map(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err)
{
	struct hdd *h = (struct hdd *)im;
	const struct hdd_storage *s = hdd_storage_at(&h->d, off / 512);
	uint64_t at = off - s->start * 512, len = VTR_MIN(max, s->end * 512 - off);
	size_t levels = h->n_levels ? h->n_levels : 1;

	if (!s->levels)
		return vtr_fail(err, VTR_EPOLICY, "%#" PRIx64 " lies in \"%s\", which is not opened", off,
				s->images[0].file);
	for (size_t i = 0; i < levels; i++) {
		struct vtr_blk *b = s->levels[i];
		struct vtr_extent e;

		if (at >= b->size) /* shorter than the storage: what is not there is not written */
			continue;
		if (vtr_blk_extent(&e, b, at, err) < 0)
			return vtr_at(err, "%s", vtr_image_info(b)->path ? vtr_image_info(b)->path : "image");
		len = VTR_MIN(len, e.len);
		if (e.kind == VTR_EXTENT_ABSENT)
			continue;
		out->len = len;
		out->kind = e.kind == VTR_EXTENT_ZERO ? VTR_RUN_ZERO : VTR_RUN_PLAIN;
		out->src = e.has_host_off ? vtr_image_of(b)->file : b;
		out->host = e.has_host_off ? e.host_off : at;
		return 0;
	}
	out->kind = VTR_RUN_ABSENT;
	out->len = len;
	return 0;
}

static void hdd_close(struct vtr_image *im)
{
	struct hdd *h = (struct hdd *)im;

	for (size_t i = 0; i < h->d.n_storages; i++) {
		for (size_t k = 0; k < h->d.storages[i].n_images; k++)
			free(h->d.storages[i].images[k].file);
		free(h->d.storages[i].images);
		free(h->d.storages[i].levels);
	}
	free(h->d.storages);
	free(h->d.shots);
	free(h->chain);
	free(h->snapshots);
}

static const struct vtr_image_ops hdd_ops = {
	.blk = VTR_IMAGE_BLK_OPS("parallels-hdd"),
	.map = hdd_map,
	.close = hdd_close,
	.short_tail = true,
};

/* ------------------------------------------------------------------------------------------------------------ open */

/* The image of a storage for a level of the chain. */
static const struct hdd_image *hdd_image_of(const struct hdd *h, const struct hdd_storage *s, size_t level)
{
	if (h->n_levels == 0)
		return &s->images[0];
	for (size_t i = 0; i < s->n_images; i++)
		if (memcmp(s->images[i].guid, h->d.shots[h->chain[level]].guid, 16) == 0)
			return &s->images[i];
	return NULL;
}

/* The name as it is written; where that leads elsewhere, as it does in a bundle that was moved, its last component. */
static int hdd_open_file(struct vtr_blk **out, struct hdd *h, const struct hdd_image *image, struct vtr_open *o,
			 struct vtr_error *err)
{
	const char *names[3] = { image->file };
	struct vtr_error first = { 0 }, e = { 0 };
	int more = vtr_image_windows_names(names + 1, &h->im, image->file, err);

	if (more < 0)
		return -1;
	for (int i = 0; i <= more; i++) {
		if (vtr_image_open_part(out, &h->im, o, names[i], image->compressed ? "parallels" : "raw", "image",
					&e) == 0)
			return 0;
		if (i == 0)
			first = e;
		if (!vtr_error_is(&e, VTR_KINDS_UNOPENED)) {
			first = e;
			break;
		}
	}
	if (err)
		*err = first;
	return -1;
}

static int hdd_open_level(struct hdd *h, struct hdd_storage *s, size_t level, size_t levels, struct vtr_open *o,
			  struct vtr_error *err)
{
	const struct hdd_image *image = hdd_image_of(h, s, level);
	char guid[39];

	if (!image) {
		hdd_guid_text(guid, h->d.shots[h->chain[level]].guid);
		return vtr_fail(err, VTR_ECORRUPT, "it has no image for the snapshot %s", guid);
	}
	if (!image->compressed && level + 1 < levels)
		return vtr_fail(err, VTR_ECORRUPT, "image \"%s\" is plain, and has a parent", image->file);
	return hdd_open_file(&s->levels[level], h, image, o, err);
}

static int hdd_open_images(struct hdd *h, const struct vtr_open *o, struct vtr_error *err)
{
	size_t levels = h->n_levels ? h->n_levels : 1, n = h->d.n_storages * levels;
	struct vtr_open below = *o;

	if (n > HDD_IMAGES)
		return vtr_fail(err, VTR_ELIMIT, "%zu images in %zu storages, at most %u are opened at once", n,
				h->d.n_storages, HDD_IMAGES);
	below.beside = (unsigned)n;
	for (size_t i = 0; i < h->d.n_storages; i++) {
		struct hdd_storage *s = &h->d.storages[i];

		if (h->n_levels == 0 && s->n_images > 1)
			return vtr_fail(err, VTR_ECORRUPT, "storage %zu: %zu images, and no snapshots tell their order",
					i, s->n_images);
		if (!(s->levels = vtr_calloc(levels, sizeof(*s->levels), err)))
			return -1;
		for (size_t k = 0; k < levels; k++)
			if (hdd_open_level(h, s, k, levels, &below, err) < 0)
				return vtr_at(err, "storage %zu", i);
		for (size_t k = 0; k < levels; k++)
			if (s->levels[k]->size / 512 != s->end - s->start && !(k == 0 && levels > 1))
				vtr_image_warn(&h->im, VTR_OK,
					       "storage %zu: an image has %" PRIu64 " sectors, the storage %" PRIu64, i,
					       s->levels[k]->size / 512, s->end - s->start);
	}
	return 0;
}

static int hdd_list_snapshots(struct hdd *h, const uint8_t top[16], struct vtr_error *err)
{
	const struct hdd_doc *d = &h->d;
	char guid[39];

	if (!(h->snapshots = vtr_calloc(d->n_shots + 1, sizeof(*h->snapshots), err)))
		return -1;
	for (size_t i = 0; i < d->n_shots; i++) {
		struct vtr_snapshot *s = &h->snapshots[h->n_snapshots];

		if (memcmp(d->shots[i].guid, top, 16) == 0)
			continue;
		hdd_guid_text(guid, d->shots[i].guid);
		if (!(s->id = vtr_image_text(&h->im, guid, 38, err)))
			return -1;
		s->name = "";
		s->size = d->size * 512;
		h->n_snapshots++;
	}
	h->im.info.snapshots = h->snapshots;
	h->im.info.n_snapshots = h->n_snapshots;
	return 0;
}

static int hdd_choose(uint8_t out[16], struct hdd *h, const char *want, struct vtr_error *err)
{
	struct vtr_str known = { 0 };

	if (hdd_guid(out, want) && hdd_find_shot(&h->d, out))
		return 0;
	for (size_t i = 0; i < h->n_snapshots && i < 16; i++)
		vtr_str_putf(&known, "%s%s", i ? ", " : "", h->snapshots[i].id);
	vtr_error_set(err, VTR_ENOTFOUND, "no snapshot \"%s\": there is %s%s", want, known.p ? known.p : "none",
		      h->n_snapshots > 16 ? ", …" : "");
	vtr_str_done(&known);
	return -1;
}

static int hdd_make_info(struct hdd *h, const uint8_t top[16], struct vtr_error *err)
{
	struct vtr_image *im = &h->im;
	const struct hdd_doc *d = &h->d;
	size_t images = 0;
	char guid[39];

	im->info.subformat = d->n_storages > 1 ? "split" : d->storages[0].images[0].compressed ? "expanding" : "plain";
	im->info.cluster_size = d->storages[0].block <= UINT32_MAX ? d->storages[0].block * 512 : 0;
	im->info.logical_sector = d->logical <= 65536 ? (uint32_t)d->logical : 0;
	im->info.physical_sector = d->physical <= 65536 ? (uint32_t)d->physical : 0;
	im->info.encrypted = d->encrypted;
	for (size_t i = 0; i < d->n_storages; i++)
		images += d->storages[i].n_images;
	if (d->has_uid && hdd_guid_is(d->uid)) {
		hdd_guid_text(guid, d->uid);
		if (!(im->info.id = vtr_image_text(im, guid, 38, err)))
			return -1;
	}
	hdd_guid_text(guid, top);
	if (vtr_image_prop_text(im, "top_guid", "present state", vtr_image_text(im, guid, 38, err), err) < 0 ||
	    vtr_image_prop_text(
		    im, "geometry", "geometry (CHS)",
		    vtr_image_textf(im, err, "%" PRIu64 "/%" PRIu64 "/%" PRIu64, d->cylinders, d->heads, d->sectors),
		    err) < 0 ||
	    vtr_image_prop_number(im, "storages", "storages", d->n_storages, err) < 0 ||
	    vtr_image_prop_number(im, "images", "images", images, err) < 0)
		return -1;
	return hdd_list_snapshots(h, top, err);
}

static int hdd_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = vtr_image_new(&hdd_ops, sizeof(struct hdd), o, err);
	struct hdd *h = (struct hdd *)im;
	VTR_FREE uint8_t *bytes = NULL;
	uint8_t top[16];

	if (!im || VTR_OVER(o->ctx, text_file, o->file->size, "bytes of a disk descriptor", err) < 0)
		return -1;
	if (vtr_blk_read_new(&bytes, o->file, 0, o->file->size, "disk descriptor", err) < 0 ||
	    hdd_parse(&h->d, o->ctx, bytes, (size_t)o->file->size, err) < 0 || hdd_check_storages(&h->d, err) < 0 ||
	    hdd_find_top(top, &h->d, err) < 0 || hdd_make_info(h, top, err) < 0)
		return -1;
	im->blk.size = h->d.size * 512;
	if (o->opt->snapshot && hdd_choose(top, h, o->opt->snapshot, err) < 0)
		return -1;
	if (hdd_make_chain(h, top, err) < 0)
		return -1;
	if (!o->opt->alone) {
		if (h->d.encrypted)
			return vtr_fail(err, VTR_EUNSUPPORTED, "encrypted by an engine of its own: not read");
		if (h->d.padding)
			return vtr_fail(err, VTR_EUNSUPPORTED, "Padding is %" PRIu64 ": not read", h->d.padding);
		if (hdd_open_images(h, o, err) < 0)
			return -1;
	}
	return vtr_image_finish(out, &im, o, err);
}

/* An XML document (which need not say that it is) whose first element has the name of ours. */
static int hdd_probe(const struct vtr_probe *p)
{
	static const char root[] = "<" HDD_ROOT;
	const uint8_t *at = p->head, *end = p->head + VTR_MIN(p->head_len, (size_t)4096);

	if (end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
		at += 3;
	while (at < end && strchr(" \t\r\n", *at) && *at)
		at++;
	if (at == end || *at != '<')
		return 0;
	for (; (size_t)(end - at) > sizeof(root); at++)
		if (memcmp(at, root, sizeof(root) - 1) == 0 && strchr(" \t\r\n>", at[sizeof(root) - 1]))
			return 8 * (int)(sizeof(root) - 1);
	return 0;
}

extern const struct vtr_format vtr_format_parallels_hdd;
const struct vtr_format vtr_format_parallels_hdd = {
	.name = "parallels-hdd",
	.title = "Parallels disk bundle (DiskDescriptor.xml)",
	.probe = hdd_probe,
	.open = hdd_open,
};
