/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LVM2: the label and the header of a physical volume, the metadata areas and their text, and the logical volumes that are
 * linear or striped. There is no specification; this follows what lvm2 2.03 writes and reads (lib/format_text/layout.h
 * describes the structures).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/crc.h"
#include "base/pieces.h"
#include "base/text.h"
#include "volumes/lvm2_text.h"
#include "volumes/volume.h"

#define LVM2_SECTOR 512u
#define LVM2_LABEL_SECTORS 4u
#define LVM2_CRC_START 0xf597a6cfu
#define LVM2_ID_LEN 32u
#define LVM2_MDA_MAGIC " LVM2 x[5A%r0N*>"
#define LVM2_MDA_HEADER 512u
#define LVM2_MDA_IGNORED 1u
#define LVM2_MAX_AREAS 16u /* of one kind on a physical volume; LVM writes at most two */
#define LVM2_NAME_MAX 127u

/* What is kept of a physical volume: the newest text that it has. */
struct lvm2_pv {
	char *text; /* NULL: it has no metadata of its own */
	size_t len;
	char vg[LVM2_NAME_MAX + 1];
};

/* ------------------------------------------------------------------------------------------------------------- label */

static const uint8_t *lvm2_label(const uint8_t *head, size_t len)
{
	size_t at = vtr_lvm2_label_find(head, len);

	return at != SIZE_MAX ? head + at : NULL;
}

/* An identifier is 32 letters and digits, which are written in groups. false: these are none. */
static bool lvm2_id_text(char out[40], const uint8_t *id)
{
	static const uint8_t groups[] = { 6, 4, 4, 4, 4, 4, 6 };
	size_t n = 0;

	for (size_t i = 0; i < LVM2_ID_LEN; i++)
		if (id[i] <= ' ' || id[i] >= 0x7f)
			return false;
	for (size_t i = 0; i < VTR_COUNT(groups); id += groups[i++]) {
		if (i > 0)
			out[n++] = '-';
		memcpy(out + n, id, groups[i]);
		n += groups[i];
	}
	out[n] = 0;
	return true;
}

/* 0x14 4 of the label: where the header of the volume is, which starts with its identifier. */
static void lvm2_identify(struct vtr_identity *out, const struct vtr_probe *p)
{
	const uint8_t *label = lvm2_label(p->head, p->head_len);
	size_t at = label ? (size_t)(label - p->head) + vtr_get_le32(label + 0x14) : 0;

	if (label && vtr_range_in(at, LVM2_ID_LEN, p->head_len))
		(void)lvm2_id_text(out->uuid, p->head + at);
}

static uint32_t lvm2_crc(uint32_t crc, const void *bytes, size_t len)
{
	/* The CRC of zlib with another start, and not inverted at either end. */
	return ~vtr_crc32(~crc, bytes, len);
}

/* --------------------------------------------------------------------------------------------------- metadata areas */

/* Text from a ring of bytes, of which the first LVM2_MDA_HEADER are the header's. */
static int lvm2_ring_read(char *out, struct vtr_blk *b, uint64_t area, uint64_t size, uint64_t at, uint64_t len,
			  struct vtr_error *err)
{
	uint64_t first = VTR_MIN(len, size - at);

	if (vtr_blk_pread(b, area + at, out, (size_t)first, err) < 0)
		return -1;
	return vtr_blk_pread(b, area + LVM2_MDA_HEADER, out + first, (size_t)(len - first), err);
}

/* The name, the identifier and the sequence number of a volume group's text. */
static int lvm2_head_parse(struct vtr_set_member *m, struct lvm2_pv *pv, struct vtr_error *err)
{
	VTR_CLEANUP(lvm2_text_done) struct lvm2_text t = { .ctx = NULL };
	const struct lvm2_node *vg;
	const char *id;
	uint64_t seqno;

	if (lvm2_text_parse(&t, m->blk->ctx, pv->text, pv->len, true, err) < 0)
		return -1;
	for (vg = lvm2_first(&t, &t.v[0]); vg && vg->kind != LVM2_SECTION;)
		vg = lvm2_next(&t, vg);
	id = lvm2_string(&t, vg, "id");
	if (!id || !lvm2_number(&seqno, &t, vg, "seqno"))
		return vtr_fail(err, VTR_ECORRUPT, "it has no volume group with an id and a seqno");
	if (strlen(id) >= sizeof(m->set) || strlen(vg->key) >= sizeof(pv->vg))
		return vtr_fail(err, VTR_ECORRUPT, "a name of %zu bytes, an id of %zu", strlen(vg->key), strlen(id));
	snprintf(m->set, sizeof(m->set), "%s", id);
	snprintf(pv->vg, sizeof(pv->vg), "%s", vg->key);
	m->generation = seqno;
	return 0;
}

/*
 * Header of a metadata area, 512 bytes, little endian:
 *   0x00  4  CRC of the rest
 *   0x04 16  magic
 *   0x14  4  version, 1
 *   0x18  8  where the area starts, bytes
 *   0x20  8  its size
 *   0x28 24  of each text: offset in the area, size, CRC, flags (1: the area is not used); an offset of 0 ends them. The
 *            first one is what was committed.
 * What is found is kept in m when it is newer.
 */
static int lvm2_area_read(struct vtr_set_member *m, uint64_t off, uint64_t size, struct vtr_error *err)
{
	struct lvm2_pv *pv = m->data, found = { .text = NULL };
	struct vtr_set_member head = { .blk = m->blk };
	uint8_t h[LVM2_MDA_HEADER];
	VTR_FREE char *text = NULL;
	uint64_t at, len;

	if (size <= LVM2_MDA_HEADER)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu64 " bytes", size);
	if (vtr_blk_pread(m->blk, off, h, sizeof(h), err) < 0)
		return -1;
	if (memcmp(h + 4, LVM2_MDA_MAGIC, 16) != 0)
		return vtr_fail(err, VTR_ECORRUPT, "the header has no magic");
	if (!vtr_sum_ok(vtr_get_le32(h), lvm2_crc(LVM2_CRC_START, h + 4, sizeof(h) - 4)))
		return vtr_fail(err, VTR_ECORRUPT, "the header's checksum is wrong");
	if (vtr_get_le32(h + 0x14) != 1)
		return vtr_fail(err, VTR_EUNSUPPORTED, "version %" PRIu32, vtr_get_le32(h + 0x14));
	if (vtr_get_le64(h + 0x18) != off)
		return vtr_fail(err, VTR_ECORRUPT, "the header is of an area at %#" PRIx64, vtr_get_le64(h + 0x18));
	size = vtr_get_le64(h + 0x20);
	at = vtr_get_le64(h + 0x28);
	len = vtr_get_le64(h + 0x30);
	if (at == 0 || (vtr_get_le32(h + 0x3c) & LVM2_MDA_IGNORED))
		return 0;
	if (size <= LVM2_MDA_HEADER || at < LVM2_MDA_HEADER || at >= size || len > size - LVM2_MDA_HEADER)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu64 " bytes of text at %#" PRIx64 " of %#" PRIx64, len, at,
				size);
	if (VTR_OVER(m->blk->ctx, alloc, len, "text of a metadata area", err) < 0)
		return -1;
	text = vtr_calloc(1, (size_t)len + 1, err);
	if (!text || lvm2_ring_read(text, m->blk, off, size, at, len, err) < 0)
		return -1;
	if (!vtr_sum_ok(vtr_get_le32(h + 0x38), lvm2_crc(LVM2_CRC_START, text, (size_t)len)))
		return vtr_fail(err, VTR_ECORRUPT, "the checksum of the text is wrong");
	if (pv->text && pv->len == len && memcmp(pv->text, text, (size_t)len) == 0)
		return 0;
	found.text = text;
	found.len = (size_t)len;
	if (lvm2_head_parse(&head, &found, err) < 0)
		return -1;
	if (pv->text && strcmp(head.set, m->set) != 0)
		return vtr_fail(err, VTR_ECORRUPT, "it is of the volume group %s, another area of %s", found.vg,
				pv->vg);
	if (pv->text && head.generation != m->generation)
		vtr_warn(m->blk->ctx, VTR_ECORRUPT,
			 "%s: lvm2: its metadata areas have sequence numbers %" PRIu64 " and %" PRIu64
			 ": the higher one is read",
			 m->name, VTR_MIN(head.generation, m->generation), VTR_MAX(head.generation, m->generation));
	if (pv->text && head.generation <= m->generation)
		return 0;
	if (vtr_charge(m->blk->ctx, len, "metadata of LVM2", err) < 0)
		return -1;
	vtr_uncharge(m->blk->ctx, pv->len);
	free(pv->text);
	*pv = found;
	text = NULL;
	memcpy(m->set, head.set, sizeof(m->set));
	m->generation = head.generation;
	return 0;
}

/* Errors of one metadata area leave the others: 0, warned of; or -1, where the work ends. */
static int lvm2_area(struct vtr_set_member *m, uint64_t off, uint64_t size, struct vtr_error *err)
{
	struct vtr_error local = { 0 };

	if (lvm2_area_read(m, off, size, &local) == 0)
		return 0;
	if (vtr_error_ends(&local)) {
		if (err)
			*err = local;
		return -1;
	}
	vtr_error_at(&local, "%s: lvm2: metadata area at %#" PRIx64, m->name, off);
	vtr_warn_err(m->blk->ctx, &local);
	return 0;
}

static void lvm2_forget(struct vtr_set_member *m)
{
	struct lvm2_pv *pv = m->data;

	if (pv) {
		vtr_uncharge(m->blk->ctx, pv->len);
		free(pv->text);
	}
	free(pv);
	m->data = NULL;
}

/*
 * Label, little endian: 0x00 8 "LABELONE", 0x08 8 the sector that it is in, 0x10 4 CRC of what follows, to the end of the
 * sector, 0x14 4 where the header is, 0x18 8 "LVM2 001".
 * Header: 0x00 32 identifier, 0x20 8 size of the volume, then the data areas and the metadata areas: offset and size, 8
 * each; one whose offset is 0 ends a list.
 */
static int lvm2_member(struct vtr_set_member *m, struct vtr_error *err)
{
	uint8_t head[LVM2_LABEL_SECTORS * LVM2_SECTOR];
	size_t head_len = (size_t)VTR_MIN((uint64_t)sizeof(head), m->blk->size);
	const uint8_t *label;
	struct vtr_cur c;

	if (vtr_blk_pread(m->blk, 0, head, head_len, err) < 0)
		return -1;
	label = lvm2_label(head, head_len);
	if (!label)
		return vtr_fail(err, VTR_ECORRUPT, "no label in the first %u sectors", LVM2_LABEL_SECTORS);
	if (!vtr_sum_ok(vtr_get_le32(label + 0x10), lvm2_crc(LVM2_CRC_START, label + 0x14, LVM2_SECTOR - 0x14)))
		return vtr_fail(err, VTR_ECORRUPT, "the label's checksum is wrong");
	if (vtr_get_le64(label + 8) != (uint64_t)(label - head) / LVM2_SECTOR)
		return vtr_fail(err, VTR_ECORRUPT, "the label in sector %zu is of sector %" PRIu64,
				(size_t)(label - head) / LVM2_SECTOR, vtr_get_le64(label + 8));
	m->data = vtr_calloc(1, sizeof(struct lvm2_pv), err);
	if (!m->data)
		return -1;
	c = vtr_cur_of(label, LVM2_SECTOR, (uint64_t)(label - head));
	vtr_cur_seek(&c, vtr_get_le32(label + 0x14));
	if (c.bad || vtr_cur_left(&c) < LVM2_ID_LEN + 8 || !lvm2_id_text(m->own, c.p))
		return vtr_fail(err, VTR_ECORRUPT, "the label leads to no header with an identifier");
	vtr_cur_skip(&c, LVM2_ID_LEN + 8);
	for (size_t i = 0; i <= LVM2_MAX_AREAS; i++) {
		bool last = vtr_cur_le64(&c) == 0;

		vtr_cur_skip(&c, 8);
		if (last)
			break;
	}
	for (size_t i = 0; i < LVM2_MAX_AREAS && !c.bad; i++) {
		uint64_t off = vtr_cur_le64(&c), size;

		if (off == 0)
			break;
		size = vtr_cur_le64(&c);
		if (!c.bad && lvm2_area(m, off, size, err) < 0)
			return -1;
	}
	if (c.bad)
		return vtr_fail(err, VTR_ECORRUPT, "the lists of areas do not end in the label's sector");
	return 0;
}

/* ------------------------------------------------------------------------------------------------------ volume groups */

struct lvm2_pv_of {
	const char *name, *id;	     /* "pv0" */
	uint64_t pe_start, pe_count; /* sectors, extents */
	struct vtr_set_member *m;    /* NULL: missing */
	struct vtr_blk *missing;     /* what fails to read, in its place; made when it is first needed */
};

struct lvm2_lv {
	const char *name, *id;
	const struct lvm2_node *node;
	uint64_t extents;
	bool visible;
	const struct lvm2_node *seg; /* where lvm2_below() goes on */
	int state;		     /* 0: not built; 1: what it lies on is being built; 2: built */
	struct vtr_blk *blk;
	int volume_state; /* enum vtr_state */
	struct vtr_error problem;
	bool *on; /* which physical volumes it lies on */
};

struct lvm2_vg {
	struct vtr_ctx *ctx; /* borrowed */
	struct lvm2_text t;
	const char *name;
	uint64_t extent_len;		/* bytes */
	struct vtr_set_member **member; /* by their identifiers */
	size_t n_member;
	struct lvm2_pv_of *pv;
	size_t n_pv;
	struct lvm2_lv *lv;
	size_t n_lv;
	uint64_t steps;
};

static void lvm2_vg_done(struct lvm2_vg *vg)
{
	for (size_t i = 0; i < vg->n_pv; i++)
		vtr_blk_unref(vg->pv[i].missing);
	for (size_t i = 0; i < vg->n_lv; i++) {
		vtr_blk_unref(vg->lv[i].blk);
		free(vg->lv[i].on);
	}
	free(vg->pv);
	free(vg->lv);
	free(vg->member);
	lvm2_text_done(&vg->t);
}

/* Names of volumes become names of devices: what LVM allows, and nothing else. */
static bool lvm2_name_ok(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= LVM2_NAME_MAX && name[0] != '-' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_.-") == len;
}

static size_t lvm2_count(const struct lvm2_text *t, const struct lvm2_node *in)
{
	size_t n = 0;

	for (const struct lvm2_node *i = lvm2_first(t, in); i; i = lvm2_next(t, i))
		n += i->kind == LVM2_SECTION;
	return n;
}

static int lvm2_pv_compare(const void *a, const void *b)
{
	return strcmp(((const struct lvm2_pv_of *)a)->name, ((const struct lvm2_pv_of *)b)->name);
}

static int lvm2_lv_compare(const void *a, const void *b)
{
	return strcmp(((const struct lvm2_lv *)a)->name, ((const struct lvm2_lv *)b)->name);
}

static int lvm2_read_pvs(struct lvm2_vg *vg, const struct lvm2_node *list, struct vtr_error *err)
{
	size_t n = lvm2_count(&vg->t, list);

	if (VTR_OVER(vg->ctx, devices, n, "physical volumes", err) < 0)
		return -1;
	vg->pv = vtr_calloc(n + 1, sizeof(vg->pv[0]), err);
	if (!vg->pv)
		return -1;
	for (const struct lvm2_node *i = lvm2_first(&vg->t, list); i; i = lvm2_next(&vg->t, i)) {
		struct lvm2_pv_of pv = { .name = i->key, .id = lvm2_string(&vg->t, i, "id") };

		if (i->kind != LVM2_SECTION)
			continue;
		if (!pv.id || !lvm2_number(&pv.pe_start, &vg->t, i, "pe_start") ||
		    !lvm2_number(&pv.pe_count, &vg->t, i, "pe_count"))
			return vtr_fail(err, VTR_ECORRUPT, "physical volume %s: no id, pe_start or pe_count", i->key);
		vg->pv[vg->n_pv++] = pv;
	}
	qsort(vg->pv, vg->n_pv, sizeof(vg->pv[0]), lvm2_pv_compare);
	return 0;
}

static int lvm2_read_lvs(struct lvm2_vg *vg, const struct lvm2_node *list, struct vtr_error *err)
{
	size_t n = lvm2_count(&vg->t, list);

	if (VTR_OVER(vg->ctx, devices, n, "logical volumes", err) < 0)
		return -1;
	vg->lv = vtr_calloc(n + 1, sizeof(vg->lv[0]), err);
	if (!vg->lv)
		return -1;
	for (const struct lvm2_node *i = lvm2_first(&vg->t, list); i; i = lvm2_next(&vg->t, i)) {
		if (i->kind != LVM2_SECTION)
			continue;
		vg->lv[vg->n_lv++] = (struct lvm2_lv){
			.name = i->key,
			.id = lvm2_string(&vg->t, i, "id"),
			.node = i,
			.seg = lvm2_first(&vg->t, i),
			.visible = lvm2_has_flag(&vg->t, i, "status", "VISIBLE"),
		};
	}
	return 0;
}

static struct lvm2_pv_of *lvm2_pv_find(const struct lvm2_vg *vg, const char *name)
{
	const struct lvm2_pv_of key = { .name = name };

	return vg->n_pv ? bsearch(&key, vg->pv, vg->n_pv, sizeof(key), lvm2_pv_compare) : NULL;
}

static int lvm2_vg_read(struct lvm2_vg *vg, const struct lvm2_pv *newest, struct vtr_error *err)
{
	const struct lvm2_node *node;
	uint64_t sectors;

	if (lvm2_text_parse(&vg->t, vg->ctx, newest->text, newest->len, false, err) < 0)
		return -1;
	for (node = lvm2_first(&vg->t, &vg->t.v[0]); node && node->kind != LVM2_SECTION;)
		node = lvm2_next(&vg->t, node);
	if (!node)
		return vtr_fail(err, VTR_ECORRUPT, "it has no volume group");
	vg->name = node->key;
	if (!lvm2_name_ok(vg->name))
		return vtr_fail(err, VTR_ECORRUPT, "\"%s\" is no name of a volume group", vg->name);
	if (!lvm2_number(&sectors, &vg->t, node, "extent_size") || sectors == 0 ||
	    vtr_mul_over(sectors, (uint64_t)LVM2_SECTOR, &vg->extent_len))
		return vtr_fail(err, VTR_ECORRUPT, "volume group %s: no extent_size", vg->name);
	if (lvm2_read_pvs(vg, lvm2_find(&vg->t, node, "physical_volumes"), err) < 0 ||
	    lvm2_read_lvs(vg, lvm2_find(&vg->t, node, "logical_volumes"), err) < 0)
		return vtr_at(err, "volume group %s", vg->name);
	qsort(vg->lv, vg->n_lv, sizeof(vg->lv[0]), lvm2_lv_compare);
	for (size_t i = 1; i < vg->n_lv; i++)
		if (strcmp(vg->lv[i - 1].name, vg->lv[i].name) == 0)
			return vtr_fail(err, VTR_ECORRUPT, "volume group %s: two logical volumes are named %s",
					vg->name, vg->lv[i].name);
	for (size_t i = 1; i < vg->n_pv; i++)
		if (strcmp(vg->pv[i - 1].name, vg->pv[i].name) == 0)
			return vtr_fail(err, VTR_ECORRUPT, "volume group %s: two physical volumes are named %s",
					vg->name, vg->pv[i].name);
	return 0;
}

static int lvm2_member_compare(const void *a, const void *b)
{
	const struct vtr_set_member *x = *(struct vtr_set_member *const *)a, *y = *(struct vtr_set_member *const *)b;
	int r = strcmp(x->own, y->own);

	return r != 0 ? r : (x->index > y->index) - (x->index < y->index);
}

/* The first of the members with an identifier; NULL: there is none. Those with the same one follow. */
static struct vtr_set_member *const *lvm2_member_find(const struct lvm2_vg *vg, const char *id)
{
	size_t from = 0, to = vg->n_member;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (strcmp(vg->member[mid]->own, id) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from < vg->n_member && strcmp(vg->member[from]->own, id) == 0 ? vg->member + from : NULL;
}

/* Find the physical volumes among the members. The count of those that are missing; -1. */
static int lvm2_match(size_t *missing, struct lvm2_vg *vg, struct vtr_set_member *const *m, size_t n,
		      struct vtr_error *err)
{
	vg->member = vtr_calloc(n + 1, sizeof(struct vtr_set_member *), err);
	if (!vg->member)
		return -1;
	memcpy(vg->member, m, n * sizeof(struct vtr_set_member *));
	vg->n_member = n;
	qsort(vg->member, n, sizeof(struct vtr_set_member *), lvm2_member_compare);
	*missing = 0;
	for (size_t i = 0; i < vg->n_pv; i++) {
		struct vtr_set_member *const *found = lvm2_member_find(vg, vg->pv[i].id);

		vg->pv[i].m = found ? *found : NULL;
		*missing += !found;
	}
	return 0;
}

/* The group is assembled: the members are its own, and what is wrong with them is reported. */
static void lvm2_take(struct lvm2_vg *vg)
{
	for (size_t i = 0; i < vg->n_pv; i++) {
		struct vtr_set_member *const *end = vg->member + vg->n_member, *const * m;

		if (!vg->pv[i].m)
			vtr_warn(vg->ctx, VTR_ETRUNCATED, "lvm2: volume group %s: physical volume %s (%s) is missing",
				 vg->name, vg->pv[i].name, vg->pv[i].id);
		for (m = lvm2_member_find(vg, vg->pv[i].id); m && m < end && strcmp((*m)->own, vg->pv[i].id) == 0;
		     m++) {
			(*m)->used = true;
			if (*m != vg->pv[i].m)
				vtr_warn(vg->ctx, VTR_EAMBIGUOUS,
					 "lvm2: volume group %s: %s and %s are the same physical volume %s: the first "
					 "is read",
					 vg->name, vg->pv[i].m->name, (*m)->name, vg->pv[i].id);
		}
	}
}

/* --------------------------------------------------------------------------------------------------- logical volumes */

/* What is read in place of a physical volume that is not there. NULL sets *err. */
static struct vtr_blk *lvm2_missing(struct lvm2_vg *vg, struct lvm2_pv_of *pv, struct vtr_error *err)
{
	struct vtr_error why = { 0 };

	vtr_error_set(&why, VTR_ETRUNCATED, "physical volume %s (%s) of volume group %s is missing", pv->name, pv->id,
		      vg->name);
	if (!pv->missing && vtr_blk_unreadable(&pv->missing, vg->ctx, INT64_MAX, &why, err) < 0)
		return NULL;
	return pv->missing;
}

static struct lvm2_lv *lvm2_lv_find(const struct lvm2_vg *vg, const char *name)
{
	const struct lvm2_lv key = { .name = name };

	return vg->n_lv ? bsearch(&key, vg->lv, vg->n_lv, sizeof(key), lvm2_lv_compare) : NULL;
}

/* One stripe of a segment: a physical volume and its extent, or a logical volume and its extent. */
static int lvm2_stripe(struct vtr_piece *out, struct lvm2_vg *vg, struct lvm2_lv *lv, const struct lvm2_node *name,
		       const struct lvm2_node *extent, uint64_t extents, struct vtr_error *err)
{
	struct lvm2_pv_of *pv;
	struct lvm2_lv *below;
	uint64_t first;

	if (!extent || name->kind != LVM2_STRING || extent->kind != LVM2_NUMBER || extent->number < 0)
		return vtr_fail(err, VTR_ECORRUPT, "its stripes are no pairs of a name and a number");
	first = (uint64_t)extent->number;
	if (vtr_mul_over(extents, vg->extent_len, &out->len) || vtr_mul_over(first, vg->extent_len, &out->off))
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu64 " extents from %" PRIu64, extents, first);
	pv = lvm2_pv_find(vg, name->text);
	if (!pv) {
		below = lvm2_lv_find(vg, name->text);
		if (!below)
			return vtr_fail(err, VTR_ECORRUPT, "it lies on \"%s\", which there is not", name->text);
		if (below->state != 2)
			return vtr_fail(err, VTR_ECORRUPT, "it lies on %s, which lies on it", below->name);
		if (!below->blk) {
			vtr_error_set(err, below->problem.code, "%s: %s", below->name, below->problem.text);
			return -1;
		}
		if (!vtr_range_in(first, extents, below->extents))
			return vtr_fail(err, VTR_ECORRUPT,
					"%" PRIu64 " extents from %" PRIu64 " leave %s, which has %" PRIu64, extents,
					first, below->name, below->extents);
		lv->volume_state = VTR_MAX(lv->volume_state, below->volume_state);
		if (below->problem.code && !lv->problem.code)
			lv->problem = below->problem;
		for (size_t i = 0; i < vg->n_pv; i++)
			lv->on[i] |= below->on[i];
		out->blk = below->blk;
		return 0;
	}
	if (!vtr_range_in(first, extents, pv->pe_count))
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu64 " extents from %" PRIu64 " leave %s, which has %" PRIu64,
				extents, first, pv->name, pv->pe_count);
	if (pv->pe_start > INT64_MAX / LVM2_SECTOR || vtr_add_over(out->off, pv->pe_start * LVM2_SECTOR, &out->off))
		return vtr_fail(err, VTR_ECORRUPT, "%s starts at sector %" PRIu64, pv->name, pv->pe_start);
	lv->on[pv - vg->pv] = true;
	out->blk = pv->m ? pv->m->blk : lvm2_missing(vg, pv, err);
	if (!out->blk)
		return -1;
	if (!pv->m) {
		lv->volume_state = VTR_MAX(lv->volume_state, (int)VTR_STATE_PARTIAL);
		if (!lv->problem.code)
			vtr_error_set(&lv->problem, VTR_ETRUNCATED, "physical volume %s (%s) is missing", pv->name,
				      pv->id);
	}
	return 0;
}

/* A linear or a striped segment as a piece; *keep: the reference that the caller releases, where it is a source of its own. */
static int lvm2_striped(struct vtr_piece *out, struct vtr_blk **keep, struct lvm2_vg *vg, struct lvm2_lv *lv,
			const struct lvm2_node *seg, uint64_t extents, struct vtr_error *err)
{
	const struct lvm2_node *list = lvm2_find(&vg->t, seg, "stripes"), *i;
	VTR_FREE struct vtr_piece *stripes = NULL;
	uint64_t n = 1, chunk = 0;
	size_t k = 0;

	if (!list || list->kind != LVM2_ARRAY)
		return vtr_fail(err, VTR_ECORRUPT, "it has no stripes");
	(void)lvm2_number(&n, &vg->t, seg, "stripe_count");
	if (n == 0 || extents % n != 0)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu64 " extents in %" PRIu64 " stripes", extents, n);
	if (VTR_OVER(vg->ctx, devices, n, "stripes", err) < 0)
		return -1;
	stripes = vtr_calloc((size_t)n, sizeof(*stripes), err);
	if (!stripes)
		return -1;
	for (i = lvm2_first(&vg->t, list); i; i = lvm2_next(&vg->t, i)) {
		const struct lvm2_node *extent = lvm2_next(&vg->t, i);

		if (k == n)
			return vtr_fail(err, VTR_ECORRUPT, "more than %" PRIu64 " stripes", n);
		if (vtr_tick(vg->ctx, &vg->steps, 1, err) < 0 ||
		    lvm2_stripe(&stripes[k++], vg, lv, i, extent, extents / n, err) < 0)
			return -1;
		i = extent;
	}
	if (k != n)
		return vtr_fail(err, VTR_ECORRUPT, "%zu stripes, expected %" PRIu64, k, n);
	if (n == 1) {
		*out = stripes[0];
		return 0;
	}
	if (!lvm2_number(&chunk, &vg->t, seg, "stripe_size") || chunk == 0 || chunk > UINT32_MAX ||
	    stripes[0].len % (chunk * LVM2_SECTOR) != 0)
		return vtr_fail(err, VTR_ECORRUPT, "stripes of %" PRIu64 " sectors", chunk);
	if (vtr_blk_striped(keep, vg->ctx, stripes, (size_t)n, chunk * LVM2_SECTOR, err) < 0)
		return -1;
	*out = (struct vtr_piece){ .blk = *keep, .len = (*keep)->size };
	return 0;
}

static int lvm2_segment(struct vtr_piece *out, struct vtr_blk **keep, struct lvm2_vg *vg, struct lvm2_lv *lv,
			const struct lvm2_node *seg, struct vtr_error *err)
{
	const char *type = lvm2_string(&vg->t, seg, "type");
	uint64_t start, extents;

	if (!type || !lvm2_number(&start, &vg->t, seg, "start_extent") ||
	    !lvm2_number(&extents, &vg->t, seg, "extent_count") || extents == 0)
		return vtr_fail(err, VTR_ECORRUPT, "it has no type, start_extent or extent_count");
	if (start != lv->extents)
		return vtr_fail(err, VTR_ECORRUPT,
				"it starts at extent %" PRIu64 ", and the one before it ends at %" PRIu64, start,
				lv->extents);
	if (vtr_add_over(lv->extents, extents, &lv->extents) || lv->extents > INT64_MAX / vg->extent_len)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu64 " extents from %" PRIu64, extents, start);
	if (strcmp(type, "striped") == 0 || strcmp(type, "linear") == 0)
		return lvm2_striped(out, keep, vg, lv, seg, extents, err);
	*out = (struct vtr_piece){ .len = extents * vg->extent_len };
	if (strcmp(type, "zero") == 0) {
		out->blk = vtr_blk_zeros(keep, vg->ctx, out->len, err) < 0 ? NULL : *keep;
		return out->blk ? 0 : -1;
	}
	if (strcmp(type, "error") == 0) {
		struct vtr_error why = { .code = VTR_ETRUNCATED, .text = "a segment of type error" };

		lv->volume_state = VTR_MAX(lv->volume_state, (int)VTR_STATE_PARTIAL);
		if (!lv->problem.code)
			lv->problem = why;
		out->blk = vtr_blk_unreadable(keep, vg->ctx, out->len, &why, err) < 0 ? NULL : *keep;
		return out->blk ? 0 : -1;
	}
	return vtr_fail(err, VTR_EUNSUPPORTED, "segments of type %s are recognised, and not read", type);
}

/* All segments of a volume; extents are counted also where the volume cannot be read. */
static int lvm2_segments(struct vtr_piece *pieces, struct vtr_blk **keep, size_t n, struct lvm2_vg *vg,
			 struct lvm2_lv *lv, struct vtr_error *err)
{
	struct vtr_error local = { 0 };
	size_t k = 0;

	for (const struct lvm2_node *i = lvm2_first(&vg->t, lv->node); i; i = lvm2_next(&vg->t, i)) {
		if (i->kind != LVM2_SECTION || strncmp(i->key, "segment", 7) != 0)
			continue;
		if (vtr_tick(vg->ctx, &vg->steps, 1, err) < 0)
			return -1;
		if (lvm2_segment(&pieces[k], &keep[k], vg, lv, i, &local) < 0) {
			vtr_error_at(&local, "%s", i->key);
			if (vtr_error_ends(&local) || local.code == VTR_ECORRUPT) {
				*err = local;
				return -1;
			}
			if (lv->volume_state < VTR_STATE_UNREAD)
				lv->problem = local;
			lv->volume_state = VTR_STATE_UNREAD;
		}
		k++;
	}
	return k == n ? 0 : vtr_fail(err, VTR_ECORRUPT, "%zu segments, expected %zu", k, n);
}

/* Make the source of a volume, or say in problem why there is none. 0; -1 where the work ends. */
static int lvm2_build(struct lvm2_vg *vg, struct lvm2_lv *lv, struct vtr_error *err)
{
	size_t n = 0;
	VTR_FREE struct vtr_piece *pieces = NULL;
	VTR_FREE struct vtr_blk **keep = NULL;
	struct vtr_error local = { 0 };
	int rc = -1;

	for (const struct lvm2_node *i = lvm2_first(&vg->t, lv->node); i; i = lvm2_next(&vg->t, i))
		n += i->kind == LVM2_SECTION && strncmp(i->key, "segment", 7) == 0;
	lv->on = vtr_calloc(vg->n_pv + 1, sizeof(lv->on[0]), err);
	pieces = lv->on ? vtr_calloc(n + 1, sizeof(*pieces), err) : NULL;
	keep = pieces ? vtr_calloc(n + 1, sizeof(struct vtr_blk *), err) : NULL;
	if (!keep)
		return -1;
	if (n == 0)
		(void)vtr_fail(&local, VTR_ECORRUPT, "it has no segment");
	else if (lvm2_segments(pieces, keep, n, vg, lv, &local) == 0)
		rc = 0;
	if (rc == 0 && lv->volume_state != VTR_STATE_UNREAD)
		rc = vtr_blk_pieces(&lv->blk, vg->ctx, pieces, n, &local);
	for (size_t i = 0; i < n; i++)
		vtr_blk_unref(keep[i]);
	if (rc == 0)
		return 0;
	if (vtr_error_ends(&local)) {
		if (err)
			*err = local;
		return -1;
	}
	lv->problem = local;
	lv->volume_state = VTR_STATE_UNREAD;
	return 0;
}

/* The next volume that one lies on and that is not built; NULL: all are. Each segment before it is done with. */
static struct lvm2_lv *lvm2_below(struct lvm2_vg *vg, struct lvm2_lv *lv)
{
	for (const struct lvm2_node *s = lv->seg; s; s = lvm2_next(&vg->t, s)) {
		const struct lvm2_node *list = s->kind == LVM2_SECTION ? lvm2_find(&vg->t, s, "stripes") : NULL;

		for (const struct lvm2_node *i = lvm2_first(&vg->t, list); i; i = lvm2_next(&vg->t, i)) {
			struct lvm2_lv *below =
				i->kind == LVM2_STRING && !lvm2_pv_find(vg, i->text) ? lvm2_lv_find(vg, i->text) : NULL;

			if (below && below->state == 0) {
				lv->seg = s;
				return below;
			}
		}
	}
	lv->seg = NULL;
	return NULL;
}

/* Volumes that others lie on are built before them. A circle is noticed by lvm2_stripe(). */
static int lvm2_build_all(struct lvm2_vg *vg, struct vtr_error *err)
{
	VTR_FREE struct lvm2_lv **stack = vtr_calloc(vg->n_lv + 1, sizeof(struct lvm2_lv *), err);

	if (!stack)
		return -1;
	for (size_t i = 0; i < vg->n_lv; i++) {
		size_t n = 0;

		if (vg->lv[i].state == 0)
			stack[n++] = &vg->lv[i];
		while (n > 0) {
			struct lvm2_lv *lv = stack[n - 1], *below;

			if (vtr_tick(vg->ctx, &vg->steps, 1, err) < 0)
				return -1;
			lv->state = 1;
			below = lvm2_below(vg, lv);
			if (below) {
				stack[n++] = below;
				continue;
			}
			if (lvm2_build(vg, lv, err) < 0)
				return -1;
			lv->state = 2;
			n--;
		}
	}
	return 0;
}

/* A name as device mapper has it: dashes doubled. */
static void lvm2_mapper_name(struct vtr_str *s, const char *name)
{
	for (; *name; name++) {
		vtr_str_put(s, name, 1);
		if (*name == '-')
			vtr_str_put(s, name, 1);
	}
}

/* Add a volume to the list. */
static int lvm2_give(struct vtr_volumes *out, struct lvm2_vg *vg, struct lvm2_lv *lv, struct vtr_error *err)
{
	VTR_CLEANUP(vtr_str_done) struct vtr_str name = { 0 };
	VTR_CLEANUP(vtr_str_done) struct vtr_str alias = { 0 };
	VTR_FREE size_t *inputs = vtr_calloc(vg->n_pv + 1, sizeof(*inputs), err);
	struct vtr_volume v = {
		.kind = "lvm", .set = vg->name, .uuid = lv->id ? lv->id : "", .state = lv->volume_state
	};

	if (!inputs)
		return -1;
	if (!lv->blk && vtr_blk_unreadable(&lv->blk, vg->ctx, lv->extents * vg->extent_len, &lv->problem, err) < 0)
		return -1;
	vtr_str_putf(&name, "%s/%s", vg->name, lv->name);
	vtr_str_puts(&alias, "mapper/");
	lvm2_mapper_name(&alias, vg->name);
	vtr_str_put(&alias, "-", 1);
	lvm2_mapper_name(&alias, lv->name);
	if (name.oom || alias.oom)
		return vtr_fail(err, VTR_ENOMEM, "out of memory");
	v.name = name.p;
	v.alias = alias.p;
	v.problem = lv->problem.code ? lv->problem.text : NULL;
	v.inputs = inputs;
	for (size_t i = 0; i < vg->n_pv; i++)
		if (lv->on[i] && vg->pv[i].m)
			inputs[v.n_inputs++] = vg->pv[i].m->index;
	return vtr_volumes_add(out, &v, lv->blk, err);
}

static bool lvm2_uuid_ok(const char *s)
{
	return !s || (strlen(s) < 64 && vtr_utf8_is(s, strlen(s)));
}

/* By their names, as lvs(8) lists them. */
static int lvm2_give_all(struct vtr_volumes *out, struct lvm2_vg *vg, struct vtr_error *err)
{
	for (size_t i = 0; i < vg->n_lv; i++) {
		struct lvm2_lv *lv = &vg->lv[i];

		if (!lv->visible)
			continue;
		if (!lvm2_name_ok(lv->name) || !lvm2_uuid_ok(lv->id)) {
			vtr_warn(vg->ctx, VTR_ECORRUPT,
				 "lvm2: volume group %s: \"%s\" is no name of a logical volume: left out", vg->name,
				 lv->name);
			continue;
		}
		/* Physical volumes that are missing were reported; what is not read is told by who lists it. */
		if (lv->volume_state == VTR_STATE_UNREAD && lv->problem.code != VTR_EUNSUPPORTED)
			vtr_warn(vg->ctx, lv->problem.code, "lvm2: %s/%s: %s", vg->name, lv->name, lv->problem.text);
		if (lvm2_give(out, vg, lv, err) < 0)
			return -1;
	}
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------- the set */

/* The member whose metadata is the newest, among those that have any; what disagrees is reported. */
static struct vtr_set_member *lvm2_newest(struct vtr_set_member *const *m, size_t n)
{
	struct vtr_set_member *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (((struct lvm2_pv *)m[i]->data)->text && (!best || m[i]->generation > best->generation))
			best = m[i];
	for (size_t i = 0; i < n && best; i++)
		if (((struct lvm2_pv *)m[i]->data)->text && m[i]->generation != best->generation)
			vtr_warn(best->blk->ctx, VTR_OK,
				 "%s: lvm2: its metadata has sequence number %" PRIu64 ", that of %s %" PRIu64
				 ": the newer one is read",
				 m[i]->name, m[i]->generation, best->name, best->generation);
	return best;
}

static int lvm2_assemble(struct vtr_volumes *out, struct vtr_set_member *const *m, size_t n, bool degraded,
			 struct vtr_error *err)
{
	VTR_CLEANUP(lvm2_vg_done) struct lvm2_vg vg = { .ctx = m[0]->blk->ctx };
	struct vtr_set_member *newest = lvm2_newest(m, n);
	size_t missing;

	if (!newest)
		return vtr_fail(err, VTR_ECORRUPT, "%s: no physical volume has the metadata of its volume group",
				m[0]->name);
	if (lvm2_vg_read(&vg, newest->data, err) < 0)
		return vtr_at(err, "%s", newest->name);
	if (lvm2_match(&missing, &vg, m, n, err) < 0)
		return -1;
	if (missing > 0 && !degraded)
		return 0;
	lvm2_take(&vg);
	if (lvm2_build_all(&vg, err) < 0 || lvm2_give_all(out, &vg, err) < 0)
		return vtr_at(err, "volume group %s", vg.name);
	return 1;
}

const struct vtr_layer vtr_layer_lvm2 = {
	.sig = VTR_SIG_LVM2,
	.identify = lvm2_identify,
	.member = lvm2_member,
	.forget = lvm2_forget,
	.assemble = lvm2_assemble,
};
