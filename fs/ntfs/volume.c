/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The volume as a whole: boot sector, label and version, what its log and its hibernation file tell, free space. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf16.h"
#include "fs/ntfs/ntfs.h"

#define VOLUME_DIRTY 0x0001u

/* Sizes in clusters, or, below 0, as a power of two in bytes. */
static uint32_t boot_len(int8_t v, unsigned cluster_log2)
{
	if (v > 0)
		return cluster_log2 <= 20 ? (uint32_t)v << cluster_log2 : 0;
	return v <= -9 && v >= -31 ? 1u << -v : 0;
}

/*
 * Boot sector:
 *   0x03 8 "NTFS    "	0x28 8 sectors		0x40 1 size of a record	  0x48 8 serial number
 *   0x0b 2 bytes of a sector	0x30 8 cluster of the MFT	0x44 1 of an index block  0x1fe 2 55 aa
 *   0x0d 1 sectors of a cluster; above 0x80 (clusters over 64 KiB) the power of two, negated
 */
int vtr_ntfs_boot_parse(struct ntfs_boot *out, const uint8_t *b, uint64_t size, struct vtr_error *err)
{
	struct ntfs_boot v = { .sector = vtr_get_le16(b + 0x0b), .sectors = vtr_get_le64(b + 0x28) };
	unsigned per_cluster = b[0x0d], log2;

	if (memcmp(b + 3, "NTFS    ", 8) != 0)
		return vtr_fail(err, VTR_ECORRUPT, "boot sector: no NTFS signature");
	if (v.sector < 256 || v.sector > 4096 || !vtr_pow2_is(v.sector))
		return vtr_fail(err, VTR_ECORRUPT, "boot sector: sectors of %" PRIu32 " bytes, expected 256 to 4096",
				v.sector);
	if (per_cluster > 0x80)
		log2 = 256 - per_cluster;
	else if (vtr_pow2_is(per_cluster))
		log2 = vtr_log2(per_cluster);
	else
		return vtr_fail(err, VTR_ECORRUPT, "boot sector: %u sectors in a cluster, expected a power of two",
				per_cluster);
	log2 += vtr_log2(v.sector);
	if (log2 > NTFS_MAX_CLUSTER_LOG2)
		return vtr_fail(err, VTR_ECORRUPT, "boot sector: clusters of 2^%u bytes, expected at most 2^%u", log2,
				NTFS_MAX_CLUSTER_LOG2);
	v.cluster_log2 = log2;
	v.record_len = boot_len((int8_t)b[0x40], log2);
	v.index_len = boot_len((int8_t)b[0x44], log2);
	if (v.record_len < NTFS_SECTOR || v.record_len > NTFS_MAX_RECORD || !vtr_pow2_is(v.record_len))
		return vtr_fail(err, VTR_ECORRUPT, "boot sector: records of %" PRIu32 " bytes (%d), expected 512 to %u",
				v.record_len, (int8_t)b[0x40], NTFS_MAX_RECORD);
	if (v.sectors == 0 || v.sectors > (uint64_t)INT64_MAX >> vtr_log2(v.sector))
		return vtr_fail(err, VTR_ECORRUPT, "boot sector: %" PRIu64 " sectors", v.sectors);
	v.clusters = v.sectors * v.sector >> log2;
	v.mft_lcn = vtr_get_le64(b + 0x30);
	v.mirror_lcn = vtr_get_le64(b + 0x38);
	v.serial = vtr_get_le64(b + 0x48);
	if (v.mft_lcn == 0 || v.mft_lcn >= v.clusters)
		return vtr_fail(err, VTR_ECORRUPT, "boot sector: the MFT at cluster %" PRIu64 " of %" PRIu64, v.mft_lcn,
				v.clusters);
	if (v.mirror_lcn >= v.clusters)
		v.mirror_lcn = v.mft_lcn;
	if ((v.mft_lcn << log2) >= size)
		return vtr_fail(err, VTR_ETRUNCATED, "the MFT is at %#" PRIx64 ", the volume ends at %#" PRIx64,
				v.mft_lcn << log2, size);
	*out = v;
	return 0;
}

static void volume_prop(struct ntfs *x, const char *key, const char *title, int kind, uint64_t number, const char *text)
{
	if (x->info.n_props < NTFS_MAX_PROPS)
		x->props[x->info.n_props++] = (struct vtr_prop){ key, title, kind, text, number };
}

/* $VOLUME_NAME, and $VOLUME_INFORMATION: 0x08 1 major, 1 minor, 2 flags. */
static int volume_facts(unsigned *flags, struct ntfs *x, struct vtr_error *err)
{
	NTFS_PUT struct ntfs_node *n = NULL;
	const struct ntfs_attr *name, *a;

	if (vtr_ntfs_node(&n, x, NTFS_VOLUME, err) < 0)
		return -1;
	name = vtr_ntfs_attr(n, NTFS_AT_VOLUME_NAME, "");
	if (name && !name->nonresident)
		vtr_utf16_name(x->label, name->value, VTR_MIN(name->value_len / 2, NTFS_MAX_NAME));
	a = vtr_ntfs_attr(n, NTFS_AT_VOLUME_INFORMATION, "");
	if (!a || a->nonresident || a->value_len < 12)
		return vtr_fail(err, VTR_ECORRUPT, "record 3 ($Volume): it does not say which version this is");
	if (a->value[8] < 1 || a->value[8] > 3)
		return vtr_fail(err, VTR_EUNSUPPORTED, "version %u.%u, read are 1.1 to 3.1", a->value[8], a->value[9]);
	snprintf(x->version, sizeof(x->version), "%u.%u", a->value[8], a->value[9]);
	*flags = vtr_get_le16(a->value + 10);
	return 0;
}

/*
 * The label without opening the volume: record 3 lies in the first run of the MFT, as all of the first 16 do. Attributes:
 * 0x00 4 type, 0x04 4 length, 0x08 1 not resident, 0x10 4 length of the value, 0x14 2 its offset.
 */
void vtr_ntfs_label_peek(char *out, size_t size, struct vtr_blk *b, const struct ntfs_boot *boot)
{
	uint64_t off = (boot->mft_lcn << boot->cluster_log2) + (uint64_t)NTFS_VOLUME * boot->record_len;
	uint8_t r[NTFS_MAX_RECORD];
	char label[NTFS_NAME_BYTES];
	size_t at, len;

	if (boot->record_len > sizeof(r) || !vtr_range_in(off, boot->record_len, b->size) ||
	    vtr_blk_pread(b, off, r, boot->record_len, NULL) < 0 ||
	    vtr_ntfs_fixup(r, boot->record_len, "FILE", NULL) < 0)
		return;
	for (at = vtr_get_le16(r + 0x14); vtr_range_in(at, 0x18, boot->record_len); at += len) {
		uint32_t type = vtr_get_le32(r + at), value_len = vtr_get_le32(r + at + 0x10);
		size_t value = vtr_get_le16(r + at + 0x14);

		len = vtr_get_le32(r + at + 4);
		if (type > NTFS_AT_VOLUME_NAME || len < 0x18 || !vtr_range_in(at, len, boot->record_len))
			return;
		if (type != NTFS_AT_VOLUME_NAME || r[at + 8] != 0)
			continue;
		if (!vtr_range_in(value, value_len, len))
			return;
		vtr_utf16_name(label, r + at + value, VTR_MIN(value_len / 2, NTFS_MAX_NAME));
		snprintf(out, size, "%s", label);
		return;
	}
}

/*
 * A restart page of $LogFile: fixups ("RSTR"; "CHKD" when chkdsk was there), 0x10 4 bytes of a page, 0x18 2 offset of
 * the restart area, whose 0x00 8 is the newest LSN, 0x0c 2 the first client in use (ffff: none), 0x0e 2 flags: 2 clean.
 * 1: closed; 0: not; -1: it is no such page.
 */
static int volume_log_page(uint64_t *lsn, uint32_t *page, struct ntfs *x, const struct ntfs_stream *s, uint64_t off)
{
	uint8_t b[4096];
	size_t at;

	if (!vtr_range_in(off, sizeof(b), s->valid) || vtr_ntfs_stored(x, s, off, b, sizeof(b), true, NULL) < 0)
		return -1;
	if (memcmp(b, "CHKD", 4) != 0 && vtr_ntfs_fixup(b, sizeof(b), "RSTR", NULL) < 0)
		return -1;
	at = vtr_get_le16(b + 0x18);
	if (at > sizeof(b) - 0x10)
		return -1;
	*page = vtr_get_le32(b + 0x10);
	*lsn = vtr_get_le64(b + at);
	return memcmp(b, "CHKD", 4) == 0 || vtr_get_le16(b + at + 0x0c) == 0xffff || (vtr_get_le16(b + at + 0x0e) & 2);
}

/* Whether the log was closed: by the newer of its two restart pages. One that is all ones was emptied. */
static bool volume_log_is_clean(struct ntfs *x)
{
	NTFS_PUT struct ntfs_node *n = NULL;
	const struct ntfs_attr *a;
	struct ntfs_stream *s;
	uint64_t lsn[2] = { 0, 0 };
	uint32_t page = 0, other;
	uint8_t head[4];
	int first, second;

	if (vtr_ntfs_node(&n, x, NTFS_LOGFILE, NULL) < 0)
		return false;
	a = vtr_ntfs_attr(n, NTFS_AT_DATA, "");
	if (!a || vtr_ntfs_stream(&s, x, n, a, NULL) < 0 || s->valid < sizeof(head) ||
	    vtr_ntfs_stored(x, s, 0, head, sizeof(head), true, NULL) < 0)
		return false;
	if (memcmp(head, "\xff\xff\xff\xff", 4) == 0)
		return true;
	first = volume_log_page(&lsn[0], &page, x, s, 0);
	if (first < 0 || page < 512 || page > 65536)
		page = 4096;
	second = volume_log_page(&lsn[1], &other, x, s, page);
	if (first < 0 || (second >= 0 && lsn[1] > lsn[0]))
		return second > 0;
	return first > 0;
}

/* What hiberfil.sys begins with while a session waits in it: of hibernation, or of the shutdown that Fast Startup does. */
static bool volume_is_hibernated(struct ntfs *x)
{
	static const char name[] = "hiberfil.sys";
	struct vtr_stat st = { 0 };
	uint8_t head[4];
	uint64_t node;
	int type;

	if (vtr_ntfs_lookup(&node, &type, &x->fs, NTFS_ROOT, name, sizeof(name) - 1, NULL) <= 0 ||
	    vtr_ntfs_stat(&st, &x->fs, node, NULL) < 0 || st.type != VTR_TYPE_FILE || st.size < sizeof(head) ||
	    vtr_ntfs_read(&x->fs, node, 0, head, sizeof(head), NULL) < 0)
		return false;
	return memcmp(head, "hibr", 4) == 0 || memcmp(head, "HIBR", 4) == 0;
}

int vtr_ntfs_volume_read(struct ntfs *x, struct vtr_error *err)
{
	unsigned flags = 0;
	struct vtr_error local = { 0 };
	bool clean, hibernated;

	x->info.type = "ntfs";
	x->info.label = x->label;
	x->info.uuid = x->uuid;
	snprintf(x->uuid, sizeof(x->uuid), "%016" PRIX64, x->boot.serial);
	x->info.size = x->boot.clusters << x->boot.cluster_log2;
	x->info.block_size = x->cluster;
	x->info.props = x->props;
	strcpy(x->version, "unknown");
	if (volume_facts(&flags, x, &local) < 0) {
		if (!vtr_error_is(&local, VTR_KIND_DAMAGED | VTR_KIND_MISSING)) {
			if (err)
				*err = local;
			return -1;
		}
		vtr_warn(x->fs.ctx, VTR_ECORRUPT, "ntfs: %s", local.text);
	}
	clean = volume_log_is_clean(x);
	hibernated = volume_is_hibernated(x);
	x->info.dirty = (flags & VOLUME_DIRTY) || !clean || hibernated;
	snprintf(x->state, sizeof(x->state), "%s%s%s", x->info.dirty ? "not clean" : "clean",
		 flags & VOLUME_DIRTY ? ", marked dirty" : "", hibernated ? ", hibernated" : "");
	if (!clean)
		snprintf(x->state + strlen(x->state), sizeof(x->state) - strlen(x->state), ", $LogFile to be replayed");
	if (flags & VOLUME_DIRTY)
		vtr_warn(x->fs.ctx, VTR_OK, "ntfs: the volume is marked dirty: Windows will check it");
	if (!clean)
		vtr_warn(x->fs.ctx, VTR_OK,
			 "ntfs: $LogFile was not closed, and is not replayed: what was changed last may be half there");
	if (hibernated)
		vtr_warn(
			x->fs.ctx, VTR_OK,
			"ntfs: hiberfil.sys holds a session (hibernated, or shut down with Fast Startup): what Windows kept "
			"in memory is not on the volume");
	volume_prop(x, "version", "version", VTR_PROP_TEXT, 0, x->version);
	volume_prop(x, "state", "state", VTR_PROP_TEXT, 0, x->state);
	volume_prop(x, "marked_dirty", "marked dirty", VTR_PROP_BOOL, !!(flags & VOLUME_DIRTY), NULL);
	volume_prop(x, "log_clean", "$LogFile closed", VTR_PROP_BOOL, clean, NULL);
	volume_prop(x, "hibernated", "hibernated", VTR_PROP_BOOL, hibernated, NULL);
	volume_prop(x, "sector_size", "sector size", VTR_PROP_BYTES, x->boot.sector, NULL);
	volume_prop(x, "record_size", "size of an MFT record", VTR_PROP_BYTES, x->boot.record_len, NULL);
	volume_prop(x, "mft_size", "size of the MFT", VTR_PROP_BYTES, x->mft->size, NULL);
	return 0;
}

/* How many of the first `bits` bits of an attribute are set. */
static int volume_count(uint64_t *out, struct ntfs *x, uint64_t ino, uint32_t type, uint64_t bits,
			struct vtr_error *err)
{
	NTFS_PUT struct ntfs_node *n = NULL;
	VTR_FREE uint8_t *buf = NULL;
	const size_t step = 256u << 10;
	const struct ntfs_attr *a;
	struct ntfs_stream *s;
	uint64_t count = 0, bytes;

	if (vtr_ntfs_node(&n, x, ino, err) < 0)
		return -1;
	a = vtr_ntfs_attr(n, type, "");
	if (!a || vtr_ntfs_stream(&s, x, n, a, err) < 0)
		return a ? -1 : vtr_fail(err, VTR_ECORRUPT, "it has no bitmap");
	buf = malloc(step);
	if (!buf)
		return vtr_fail(err, VTR_ENOMEM, "out of memory: a bitmap");
	bytes = VTR_MIN(s->valid, bits / 8 + (bits % 8 != 0));
	for (uint64_t at = 0; at < bytes; at += step) {
		size_t len = (size_t)VTR_MIN((uint64_t)step, bytes - at), i = 0;

		if (vtr_tick(x->fs.ctx, &x->fs.steps, len / 512, err) < 0 ||
		    vtr_ntfs_stored(x, s, at, buf, len, false, err) < 0 || vtr_ctx_check(x->fs.ctx, err) < 0)
			return -1;
		/* Bits beyond the last are set in the last byte. */
		if (at + len == bits / 8 + 1)
			buf[len - 1] &= (uint8_t)((1u << (bits % 8)) - 1);
		for (; i + 8 <= len; i += 8)
			count += (unsigned)__builtin_popcountll(vtr_get_le64(buf + i));
		for (; i < len; i++)
			count += (unsigned)__builtin_popcount(buf[i]);
	}
	*out = count;
	return 0;
}

/* Free space is counted when somebody asks: the bitmap of a large volume has many megabytes. */
const struct vtr_fs_info *vtr_ntfs_info(struct vtr_fs *fs)
{
	struct ntfs *x = to_ntfs(fs);
	uint64_t records = x->mft->size / x->boot.record_len, clusters = x->boot.clusters, n;
	struct vtr_error err = { 0 };

	/* A damaged size must not make this long: what there is no room for is not counted. */
	clusters = VTR_MIN(clusters, fs->blk->size >> x->boot.cluster_log2);
	if (x->counted)
		return &x->info;
	x->counted = true;
	x->info.nodes = records;
	if (volume_count(&n, x, NTFS_BITMAP, NTFS_AT_DATA, clusters, &err) == 0)
		x->info.used = VTR_MIN(n << x->boot.cluster_log2, x->info.size);
	else
		vtr_warn(fs->ctx, VTR_ECORRUPT, "ntfs: $Bitmap: %s", err.text);
	if (volume_count(&n, x, NTFS_MFT, NTFS_AT_BITMAP, VTR_MIN(records, fs->blk->size / x->boot.record_len), &err) ==
	    0)
		x->info.nodes_used = VTR_MIN(n, records);
	else
		vtr_warn(fs->ctx, VTR_ECORRUPT, "ntfs: bitmap of the MFT: %s", err.text);
	return &x->info;
}
