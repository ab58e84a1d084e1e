/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One pass over the MFT. Whoever lists a whole volume asks for each record once, in the order of directories, which is
 * no order on the disk: when a good part of them was asked for, the rest is read from the first to the last, and what
 * stat says of them is kept, in less than a tenth of their size. Records that are not plain are left to be looked at.
 */
#include <stdlib.h>
#include <string.h>

#include "fs/ntfs/ntfs.h"

#define PASS_CHUNK (256u << 10)
#define PASS_MIN_LOADS 512u
#define PASS_PART 64u /* of all records, asked for: then the pass is due; a listing asks twice for each */
#define PASS_BYTES (sizeof(struct ntfs_brief) + sizeof(uint16_t)) /* kept of a record */

void vtr_ntfs_pass_done(struct ntfs *x)
{
	if (x->briefs)
		vtr_uncharge(x->fs.ctx, x->n_briefs * PASS_BYTES);
	free(x->briefs);
	free(x->sequences);
	x->briefs = NULL;
	x->sequences = NULL;
}

static void pass_record(struct ntfs_brief *out, uint16_t *seq, struct ntfs *x, struct ntfs_node *n, uint64_t ino,
			uint8_t *record)
{
	struct ntfs_standard st;
	struct vtr_stat s = { 0 };

	if (vtr_ntfs_fixup(record, x->boot.record_len, "FILE", NULL) < 0)
		return;
	n->flags = vtr_get_le16(record + 0x16);
	if (!(n->flags & NTFS_RECORD_IN_USE))
		return;
	*seq = out->seq = vtr_get_le16(record + 0x10);
	if (ntfs_ino(vtr_get_le64(record + 0x20)) != 0)
		return;
	n->ino = ino;
	n->n = 0;
	n->damaged = false;
	n->seq = out->seq;
	if (vtr_ntfs_record_attrs(x, n, record, ino, true, NULL) < 0 || n->damaged || !vtr_ntfs_stat_plain(&s, n))
		return;
	vtr_ntfs_standard(&st, n);
	out->size = s.size;
	out->allocated = s.allocated;
	out->created = st.created;
	out->modified = st.modified;
	out->changed = st.changed;
	out->accessed = st.accessed;
	out->nlink = (uint32_t)s.nlink;
	out->flags = (uint16_t)s.flags;
	out->mode = (uint16_t)s.mode;
	out->type = (uint8_t)s.type;
	out->known = true;
}

/* What fails is left to those who look at records one by one: they have somebody to tell. */
static void pass_make(struct ntfs *x)
{
	const size_t len = x->boot.record_len, per_chunk = PASS_CHUNK / len;
	const uint64_t records = x->mft->valid / len;
	VTR_FREE uint8_t *chunk = malloc(PASS_CHUNK);
	struct ntfs_node n = { .refs = 1 };

	x->passed = true;
	if (!chunk || records > SIZE_MAX / PASS_BYTES ||
	    vtr_charge(x->fs.ctx, records * PASS_BYTES, "the pass over the MFT", NULL) < 0)
		return;
	x->n_briefs = records;
	x->briefs = calloc((size_t)records, sizeof(*x->briefs));
	x->sequences = calloc((size_t)records, sizeof(*x->sequences));
	for (uint64_t i = 0; x->briefs && x->sequences && i < records; i += per_chunk) {
		size_t k, count = (size_t)VTR_MIN((uint64_t)per_chunk, records - i);

		if (vtr_tick(x->fs.ctx, &x->fs.steps, 1, NULL) < 0 ||
		    vtr_ntfs_stored(x, x->mft, i * len, chunk, count * len, false, NULL) < 0)
			break;
		for (k = 0; k < count; k++)
			pass_record(&x->briefs[i + k], &x->sequences[i + k], x, &n, i + k, chunk + k * len);
		if (i + count == records) {
			free(n.attrs);
			return;
		}
	}
	free(n.attrs);
	if (!x->briefs)
		vtr_uncharge(x->fs.ctx, records * PASS_BYTES);
	vtr_ntfs_pass_done(x);
}

static void pass_when_due(struct ntfs *x)
{
	if (!x->passed && x->loads > PASS_MIN_LOADS && x->loads > x->mft->size / x->boot.record_len / PASS_PART)
		pass_make(x);
}

const uint16_t *vtr_ntfs_brief_sequence(struct ntfs *x, uint64_t ino)
{
	pass_when_due(x);
	return x->sequences && ino < x->n_briefs ? &x->sequences[ino] : NULL;
}

const struct ntfs_brief *vtr_ntfs_brief(struct ntfs *x, uint64_t ino)
{
	pass_when_due(x);
	return x->briefs && ino < x->n_briefs ? &x->briefs[ino] : NULL;
}
