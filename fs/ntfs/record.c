/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records of the master file table and the attributes in them. All that others use of an attribute is checked here, once,
 * against the record that holds it.
 */
#include <stdlib.h>
#include <string.h>

#include "fs/ntfs/ntfs.h"

/* Read metadata of the volume through the cache. */
int vtr_ntfs_meta(struct ntfs *x, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	if (vtr_pages_read(x->pages, off, buf, len, err) < 0)
		return -1;
	return vtr_tick(x->fs.ctx, &x->fs.steps, 1, err);
}

/*
 * Multi-sector protection of records and index blocks: the last two bytes of each 512 are the update sequence number,
 * what belongs there is in an array. Puts it back.
 *   0x00 4 magic	0x04 2 offset of the array: the number, then the bytes	0x06 2 elements of the array
 */
int vtr_ntfs_fixup(uint8_t *block, size_t len, const char *magic, struct vtr_error *err)
{
	size_t at = vtr_get_le16(block + 4), n = vtr_get_le16(block + 6), sectors = len / NTFS_SECTOR;

	if (memcmp(block, "BAAD", 4) == 0)
		return vtr_fail(err, VTR_ECORRUPT, "chkdsk marked it as torn (BAAD)");
	if (memcmp(block, magic, 4) != 0)
		return vtr_fail(err, VTR_ECORRUPT, "magic %02x%02x%02x%02x, expected %s", block[0], block[1], block[2],
				block[3], magic);
	if (at % 2 != 0 || at < 8 || n < sectors + 1 || at + 2 * (sectors + 1) > NTFS_SECTOR - 2)
		return vtr_fail(err, VTR_ECORRUPT, "update sequence of %zu elements at %zu, expected %zu", n, at,
				sectors + 1);
	for (size_t i = 0; i < sectors; i++) {
		uint8_t *end = block + (i + 1) * NTFS_SECTOR - 2;

		if (!vtr_sum_ok(vtr_get_le16(block + at), vtr_get_le16(end)))
			return vtr_fail(err, VTR_ECORRUPT, "torn: sector %zu ends with %04x, expected %04x", i,
					vtr_get_le16(end), vtr_get_le16(block + at));
		memcpy(end, block + at + 2 * (i + 1), 2);
	}
	return 0;
}

/*
 * Attribute header.
 *   0x00 4 type	0x08 1 non-resident	0x0a 2 offset of the name	0x0e 2 instance
 *   0x04 4 length	0x09 1 length of name	0x0c 2 flags
 * resident:
 *   0x10 4 length of the value	0x14 2 its offset
 * non-resident:
 *   0x10 8 first VCN	0x20 2 offset of the mapping pairs	0x28 8 allocated	0x38 8 valid
 *   0x18 8 last VCN	0x22 1 log2 of the compression unit	0x30 8 size		0x40 8 compressed, if 0x22 or sparse
 */
static int record_attr(struct ntfs_attr *out, const uint8_t *p, size_t len, struct vtr_error *err)
{
	struct ntfs_attr a = { .type = vtr_get_le32(p), .flags = vtr_get_le16(p + 0x0c), .name_len = p[9] };
	size_t name = vtr_get_le16(p + 0x0a), value;

	a.nonresident = p[8] != 0;
	if (len < (a.nonresident ? 0x40u : 0x18u))
		return vtr_fail(err, VTR_ECORRUPT, "attribute %#" PRIx32 " has %zu bytes", a.type, len);
	if (a.name_len > 0 && (name > len || 2u * a.name_len > len - name))
		return vtr_fail(err, VTR_ECORRUPT, "attribute %#" PRIx32 ": a name of %u units at %zu of %zu bytes",
				a.type, a.name_len, name, len);
	a.name = p + (a.name_len ? name : 0);
	if (!a.nonresident) {
		a.value_len = vtr_get_le32(p + 0x10);
		value = vtr_get_le16(p + 0x14);
		if (value > len || a.value_len > len - value)
			return vtr_fail(err, VTR_ECORRUPT,
					"attribute %#" PRIx32 ": a value of %" PRIu32 " bytes at %zu of %zu bytes",
					a.type, a.value_len, value, len);
		a.value = p + value;
		a.size = a.valid = a.value_len;
	} else {
		a.first_vcn = vtr_get_le64(p + 0x10);
		a.last_vcn = vtr_get_le64(p + 0x18);
		value = vtr_get_le16(p + 0x20);
		a.unit_log2 = p[0x22];
		a.allocated = a.compressed = vtr_get_le64(p + 0x28);
		a.size = vtr_get_le64(p + 0x30);
		a.valid = vtr_get_le64(p + 0x38);
		if ((a.unit_log2 || (a.flags & NTFS_ATTR_SPARSE)) && a.first_vcn == 0 && len >= 0x48 && value >= 0x48)
			a.compressed = vtr_get_le64(p + 0x40);
		if (value < 0x40 || value > len)
			return vtr_fail(err, VTR_ECORRUPT, "attribute %#" PRIx32 ": mapping pairs at %zu of %zu bytes",
					a.type, value, len);
		if (a.first_vcn > INT64_MAX || a.last_vcn + 1 < a.first_vcn || a.size > INT64_MAX)
			return vtr_fail(err, VTR_ECORRUPT,
					"attribute %#" PRIx32 ": VCN %" PRIu64 " to %" PRIu64 ", %" PRIu64 " bytes",
					a.type, a.first_vcn, a.last_vcn, a.size);
		a.valid = VTR_MIN(a.valid, a.size);
		a.value = p + value;
		a.value_len = (uint32_t)(len - value);
	}
	*out = a;
	return 0;
}

/* The attributes of a record after its fixups. What is behind a damaged one cannot be told: a warning. */
int vtr_ntfs_record_attrs(struct ntfs *x, struct ntfs_node *n, const uint8_t *record, uint64_t ino, bool quiet,
			  struct vtr_error *err)
{
	size_t at = vtr_get_le16(record + 0x14), end = vtr_get_le32(record + 0x18);
	struct vtr_error local = { 0 };

	if (end > x->boot.record_len || at < 0x28 || at % 8 != 0 || at > end)
		return vtr_fail(err, VTR_ECORRUPT, "attributes at %zu to %zu of %" PRIu32 " bytes", at, end,
				x->boot.record_len);
	while (end - at >= 8 && vtr_get_le32(record + at) != 0xffffffff) {
		size_t len = vtr_get_le32(record + at + 4);
		struct ntfs_attr a;

		if (len < 0x18 || len % 8 != 0 || len > end - at)
			vtr_error_set(&local, VTR_ECORRUPT, "attribute %#" PRIx32 " at %zu: %zu bytes, %zu are left",
				      vtr_get_le32(record + at), at, len, end - at);
		if (local.code == VTR_OK && n->n == NTFS_MAX_ATTRS)
			vtr_error_set(&local, VTR_ECORRUPT, "more than %u attributes", NTFS_MAX_ATTRS);
		if (local.code == VTR_OK && record_attr(&a, record + at, len, &local) == 0) {
			if (!VTR_GROW(n->attrs, n->n, n->cap, err))
				return -1;
			n->attrs[n->n++] = a;
		}
		if (local.code != VTR_OK) {
			if (!quiet)
				vtr_warn(x->fs.ctx, VTR_ECORRUPT, "ntfs: record %" PRIu64 ": %s", ino, local.text);
			n->damaged = true;
			break;
		}
		at += len;
	}
	return 0;
}

/* The bytes of a record, fixed up. */
static int record_bytes(uint8_t *buf, struct ntfs *x, uint64_t ino, struct vtr_error *err)
{
	const struct ntfs_brief *b = x->briefs && ino < x->n_briefs ? &x->briefs[ino] : NULL;
	/* Who lists a volume comes to each directory once, and to few others that lie beside it. */
	bool meta = !b || !b->known || b->type != VTR_TYPE_DIR;
	uint64_t off;

	if (!x->mft) {
		/* The MFT's own first records are needed to know where the others are. */
		off = ((x->mirror ? x->boot.mirror_lcn : x->boot.mft_lcn) << x->boot.cluster_log2) +
		      ino * x->boot.record_len;
		if (vtr_ntfs_meta(x, off, buf, x->boot.record_len, err) < 0)
			return -1;
	} else {
		if (vtr_mul_over(ino, (uint64_t)x->boot.record_len, &off) ||
		    !vtr_range_in(off, x->boot.record_len, x->mft->size))
			return vtr_fail(err, VTR_ENOTFOUND, "there is no such record, there are %" PRIu64,
					x->mft->size / x->boot.record_len);
		if (vtr_ntfs_stored(x, x->mft, off, buf, x->boot.record_len, meta, err) < 0)
			return -1;
	}
	return vtr_ntfs_fixup(buf, x->boot.record_len, "FILE", err);
}

unsigned vtr_ntfs_sequence(struct ntfs *x, uint64_t ino)
{
	const uint16_t *brief = vtr_ntfs_brief_sequence(x, ino);
	uint8_t head[0x18];
	uint64_t off;

	if (brief)
		return *brief;
	for (size_t i = 0; i < NTFS_NODES; i++)
		if (x->nodes[i] && x->nodes[i]->ino == ino)
			return x->nodes[i]->seq;
	x->loads++;
	if (vtr_mul_over(ino, (uint64_t)x->boot.record_len, &off) || !vtr_range_in(off, sizeof(head), x->mft->size) ||
	    vtr_ntfs_stored(x, x->mft, off, head, sizeof(head), true, NULL) < 0 || memcmp(head, "FILE", 4) != 0 ||
	    !(vtr_get_le16(head + 0x16) & NTFS_RECORD_IN_USE))
		return 0;
	return vtr_get_le16(head + 0x10);
}

static void record_drop_streams(struct ntfs_node *n)
{
	while (n->streams) {
		struct ntfs_stream *s = n->streams;

		n->streams = s->next;
		vtr_uncharge(n->ctx, s->charged);
		free(s->runs);
		free(s);
	}
}

static void record_free(struct ntfs_node *n)
{
	if (!n)
		return;
	record_drop_streams(n);
	vtr_uncharge(n->ctx, n->charged);
	for (size_t i = 0; i < n->n_extra; i++)
		free(n->extra[i]);
	free(n->extra);
	free(n->list);
	free(n->attrs);
	free(n);
}

void vtr_ntfs_node_put(struct ntfs_node **n)
{
	if (*n && --(*n)->refs == 0)
		record_free(*n);
	*n = NULL;
}

void vtr_ntfs_nodes_done(struct ntfs *x)
{
	for (size_t i = 0; i < NTFS_NODES; i++)
		vtr_ntfs_node_put(&x->nodes[i]);
	vtr_ntfs_node_put(&x->mft_node);
}

int vtr_ntfs_charge(struct ntfs *x, uint64_t bytes, const char *what, struct vtr_error *err)
{
	if (vtr_charge(x->fs.ctx, bytes, what, NULL) == 0)
		return 0;
	for (size_t i = 0; i < NTFS_NODES; i++)
		vtr_ntfs_node_put(&x->nodes[i]);
	return vtr_charge(x->fs.ctx, bytes, what, err);
}

/* ------------------------------------------------------------------------------------------------ attribute lists */

/* Where the MFT is, as far as its record and the extensions of it that were met tell. */
static int record_mft_map(struct ntfs *x, struct ntfs_node *n, struct vtr_error *err)
{
	const struct ntfs_attr *a = vtr_ntfs_attr(n, NTFS_AT_DATA, "");
	struct ntfs_stream *s;

	if (!a || !a->nonresident)
		return vtr_fail(err, VTR_ECORRUPT, "it has no contents outside of it");
	record_drop_streams(n);
	x->mft = NULL;
	if (vtr_ntfs_stream(&s, x, n, a, err) < 0)
		return -1;
	x->mft = s;
	return 0;
}

/* Take in an extension record; which is known not to be there yet. */
static int record_extend(struct ntfs *x, struct ntfs_node *n, uint64_t ino, struct vtr_error *err)
{
	VTR_FREE uint8_t *record = malloc(x->boot.record_len);

	if (!record || !VTR_GROW(n->extra, n->n_extra, n->extra_cap, err))
		return vtr_fail(err, VTR_ENOMEM, "out of memory: an extension record");
	if (record_bytes(record, x, ino, err) < 0)
		return vtr_at(err, "extension record %" PRIu64, ino);
	if (!(vtr_get_le16(record + 0x16) & NTFS_RECORD_IN_USE) || ntfs_ino(vtr_get_le64(record + 0x20)) != n->ino)
		return vtr_fail(err, VTR_ECORRUPT, "extension record %" PRIu64 " belongs to record %" PRIu64, ino,
				ntfs_ino(vtr_get_le64(record + 0x20)));
	if (vtr_ntfs_charge(x, x->boot.record_len, "extension records", err) < 0)
		return -1;
	n->charged += x->boot.record_len;
	n->extra[n->n_extra++] = record;
	return vtr_ntfs_record_attrs(x, n, vtr_steal(record), ino, false, err);
}

/*
 * The records that a list names, each once. Entries:
 *   0x00 4 type	0x06 1 length of name	0x08 8 first VCN	0x18 2 instance
 *   0x04 2 length	0x07 1 its offset	0x10 8 record
 * They are sorted by type, name and VCN: what a record holds is taken in at its first mention. A record that is lost is
 * warned of.
 */
static int record_list(struct ntfs *x, struct ntfs_node *n, const uint8_t *list, size_t len, struct vtr_error *err)
{
	VTR_FREE uint64_t *seen = NULL;
	size_t n_seen = 0, cap = 0;

	for (size_t at = 0; len - at >= 0x1a;) {
		size_t entry = vtr_get_le16(list + at + 4), i = 0;
		uint64_t ino = ntfs_ino(vtr_get_le64(list + at + 0x10));
		struct vtr_error local = { 0 };

		if (entry < 0x1a || entry > len - at) {
			vtr_warn(x->fs.ctx, VTR_ECORRUPT,
				 "ntfs: record %" PRIu64 ": attribute list: an entry of %zu bytes, %zu are left",
				 n->ino, entry, len - at);
			n->damaged = true;
			break;
		}
		at += entry;
		/* Mostly it is the one before: sought from the end. */
		for (i = n_seen; i > 0 && seen[i - 1] != ino; i--)
			;
		if (ino == n->ino || i > 0)
			continue;
		if (!VTR_GROW(seen, n_seen, cap, err) || vtr_tick(x->fs.ctx, &x->fs.steps, 1 + n_seen / 64, err) < 0)
			return -1;
		seen[n_seen++] = ino;
		if (record_extend(x, n, ino, &local) == 0) {
			/* Of the MFT itself: the next one may lie in what this one tells of. */
			if (n->ino == NTFS_MFT && !x->mft_node && record_mft_map(x, n, err) < 0)
				return -1;
			continue;
		}
		if (!vtr_error_is(&local, VTR_KIND_DAMAGED | VTR_KIND_MISSING)) {
			if (err)
				*err = local;
			return -1;
		}
		vtr_warn(x->fs.ctx, VTR_ECORRUPT, "ntfs: record %" PRIu64 ": %s", n->ino, local.text);
		n->damaged = true;
	}
	return 0;
}

static int record_read_list(struct ntfs *x, struct ntfs_node *n, struct vtr_error *err)
{
	const struct ntfs_attr *a = vtr_ntfs_attr(n, NTFS_AT_LIST, "");
	struct ntfs_attr copy;
	size_t len;

	if (!a)
		return 0;
	copy = *a; /* attributes move when more of them come */
	if (!copy.nonresident)
		return record_list(x, n, copy.value, copy.value_len, err);
	if (vtr_ntfs_slurp(&n->list, &len, x, n, a, NTFS_MAX_LIST, err) < 0)
		return vtr_at(err, "attribute list");
	return record_list(x, n, n->list, len, err);
}

/* ---------------------------------------------------------------------------------------------------------- nodes */

static struct ntfs_node *record_new(struct ntfs *x, struct vtr_error *err)
{
	struct ntfs_node *n = malloc(sizeof(*n) + x->boot.record_len);

	if (!n) {
		vtr_error_set(err, VTR_ENOMEM, "out of memory: a record");
		return NULL;
	}
	*n = (struct ntfs_node){ .refs = 1, .ctx = x->fs.ctx };
	return n;
}

static int record_load(struct ntfs_node *n, struct ntfs *x, uint64_t ino, struct vtr_error *err)
{
	n->ino = ino;
	if (record_bytes(n->record, x, ino, err) < 0)
		return -1;
	n->seq = vtr_get_le16(n->record + 0x10);
	n->flags = vtr_get_le16(n->record + 0x16);
	if (!(n->flags & NTFS_RECORD_IN_USE))
		return vtr_fail(err, VTR_ENOTFOUND, "it is not in use");
	if (ntfs_ino(vtr_get_le64(n->record + 0x20)) != 0)
		return vtr_fail(err, VTR_ENOTFOUND, "it is an extension of record %" PRIu64,
				ntfs_ino(vtr_get_le64(n->record + 0x20)));
	return vtr_ntfs_record_attrs(x, n, n->record, ino, false, err);
}

/* Make room among the nodes: what was not used longest goes. Somebody may still have it. */
static struct ntfs_node **record_slot(struct ntfs *x)
{
	struct ntfs_node **oldest = &x->nodes[0];

	for (size_t i = 0; i < NTFS_NODES; i++) {
		if (!x->nodes[i])
			return &x->nodes[i];
		if (x->nodes[i]->used < (*oldest)->used)
			oldest = &x->nodes[i];
	}
	vtr_ntfs_node_put(oldest);
	return oldest;
}

int vtr_ntfs_node(struct ntfs_node **out, struct ntfs *x, uint64_t ino, struct vtr_error *err)
{
	NTFS_PUT struct ntfs_node *n = NULL;

	for (size_t i = 0; i < NTFS_NODES; i++)
		if (x->nodes[i] && x->nodes[i]->ino == ino) {
			/* All who ask for a node look through its attributes. */
			if (vtr_tick(x->fs.ctx, &x->fs.steps, x->nodes[i]->n / 64, err) < 0)
				return -1;
			*out = x->nodes[i];
			(*out)->refs++;
			(*out)->used = ++x->clock;
			return 0;
		}
	x->loads++;
	n = record_new(x, err);
	if (!n)
		return -1;
	if (record_load(n, x, ino, err) < 0 || record_read_list(x, n, err) < 0)
		return vtr_at(err, "record %" PRIu64, ino);
	n->used = ++x->clock;
	n->refs = 2;
	*record_slot(x) = n;
	*out = vtr_steal(n);
	return 0;
}

/* The MFT's own record says where the MFT is; its attribute list may lead on, to records in the part that is known. */
static int record_mft(struct ntfs *x, struct vtr_error *err)
{
	NTFS_PUT struct ntfs_node *n = record_new(x, err);

	if (!n || record_load(n, x, NTFS_MFT, err) < 0 || record_mft_map(x, n, err) < 0 ||
	    record_read_list(x, n, err) < 0)
		return -1;
	x->mft_node = vtr_steal(n);
	return 0;
}

int vtr_ntfs_mft_open(struct ntfs *x, struct vtr_error *err)
{
	struct vtr_error first = { 0 };

	if (record_mft(x, &first) == 0)
		return 0;
	x->mft = NULL;
	x->mirror = true;
	if (vtr_error_is(&first, VTR_KIND_DAMAGED | VTR_KIND_MISSING))
		if (record_mft(x, NULL) == 0) {
			vtr_warn(x->fs.ctx, VTR_ECORRUPT, "ntfs: record 0 ($MFT): %s: its mirror is used", first.text);
			return 0;
		}
	x->mft = NULL;
	if (err)
		*err = first;
	return vtr_at(err, "record 0 ($MFT)");
}

/* ----------------------------------------------------------------------------------------------------- attributes */

bool vtr_ntfs_name_is(const struct ntfs_attr *a, const char *name)
{
	size_t len = strlen(name);

	if (a->name_len != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (vtr_get_le16(a->name + 2 * i) != (uint8_t)name[i])
			return false;
	return true;
}

const struct ntfs_attr *vtr_ntfs_attr(const struct ntfs_node *n, uint32_t type, const char *name)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->attrs[i].type == type && n->attrs[i].first_vcn == 0 && vtr_ntfs_name_is(&n->attrs[i], name))
			return &n->attrs[i];
	return NULL;
}

const struct ntfs_attr *vtr_ntfs_named(const struct ntfs_node *n, unsigned k)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->attrs[i].type == NTFS_AT_DATA && n->attrs[i].first_vcn == 0 && n->attrs[i].name_len > 0 &&
		    --k == 0)
			return &n->attrs[i];
	return NULL;
}

/*
 * $STANDARD_INFORMATION: four FILETIMEs, then
 *   0x20 4 attributes	0x24 4 maximum of versions	0x28 4 version, 1 in case-sensitive directories
 *   0x30 4 owner id	0x34 4 security id	0x38 8 quota	0x40 8 USN: from version 3.0 on
 */
void vtr_ntfs_standard(struct ntfs_standard *out, const struct ntfs_node *n)
{
	const struct ntfs_attr *a = vtr_ntfs_attr(n, NTFS_AT_STANDARD, "");
	const uint8_t *p;

	*out = (struct ntfs_standard){ 0 };
	if (!a || a->nonresident || a->value_len < 0x30)
		return;
	p = a->value;
	out->created = vtr_get_le64(p);
	out->modified = vtr_get_le64(p + 8);
	out->changed = vtr_get_le64(p + 0x10);
	out->accessed = vtr_get_le64(p + 0x18);
	out->attributes = vtr_get_le32(p + 0x20);
	out->max_versions = vtr_get_le32(p + 0x24);
	out->version = vtr_get_le32(p + 0x28);
	if (a->value_len < 0x48)
		return;
	out->v3 = true;
	out->owner_id = vtr_get_le32(p + 0x30);
	out->security_id = vtr_get_le32(p + 0x34);
	out->usn = vtr_get_le64(p + 0x40);
}

/*
 * $FILE_NAME:
 *   0x00 8 parent, four FILETIMEs	0x28 8 allocated, 0x30 8 size	0x38 4 attributes	0x3c 4 reparse tag
 *   0x40 1 length	0x41 1 namespace	0x42 name
 */
bool vtr_ntfs_file_name(struct ntfs_name *out, const uint8_t *p, size_t len)
{
	if (len < 0x42 || 2u * p[0x40] > len - 0x42)
		return false;
	*out = (struct ntfs_name){
		.parent = vtr_get_le64(p),
		.created = vtr_get_le64(p + 8),
		.modified = vtr_get_le64(p + 0x10),
		.changed = vtr_get_le64(p + 0x18),
		.accessed = vtr_get_le64(p + 0x20),
		.attributes = vtr_get_le32(p + 0x38),
		.tag = vtr_get_le32(p + 0x3c),
		.len = p[0x40],
		.space = p[0x41],
		.name = p + 0x42,
	};
	return true;
}
