/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NTFS 1.1 to 3.1. There is no specification; what is known is in the layout headers of Linux and NTFS-3G, in the
 * documents of libfsntfs, and for what Windows shows of it in MS-FSCC.
 *
 * All of it is read here: libntfs-3g takes ten times as long for a listing, knows nothing of WOF, and believes what a
 * volume says. It is a second opinion in fs/ntfs/library.c.
 */
#include "fs/ntfs/ntfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void ntfs_close(struct vtr_fs *fs)
{
	struct ntfs *x = to_ntfs(fs);

	vtr_ntfs_nodes_done(x);
	vtr_ntfs_unit_done(x);
	vtr_ntfs_pass_done(x);
	vtr_pages_free(x->pages);
	free(x->listing);
	free(x->upcase);
}

static const struct vtr_fs_ops ntfs_ops = {
	.stat = vtr_ntfs_stat,
	.readdir = vtr_ntfs_readdir,
	.lookup = vtr_ntfs_lookup,
	.read = vtr_ntfs_read,
	.readlink = vtr_ntfs_readlink,
	.xattrs = vtr_ntfs_xattrs,
	.extents = vtr_ntfs_extents,
	.streams = vtr_ntfs_streams,
	.stream = vtr_ntfs_stream_find,
	.props = vtr_ntfs_props,
	.info = vtr_ntfs_info,
	.close = ntfs_close,
};

/* The boot sector; where it is no good, its copy in the last sector of the partition. */
static int ntfs_read_boot(struct ntfs_boot *out, struct vtr_blk *b, struct vtr_error *err)
{
	struct vtr_error local = { 0 };
	uint8_t sector[NTFS_SECTOR];

	if (b->size < 2 * NTFS_SECTOR)
		return vtr_fail(err, VTR_ETRUNCATED, "the volume has %" PRIu64 " bytes", b->size);
	if (vtr_blk_pread(b, 0, sector, sizeof(sector), err) < 0)
		return vtr_at(err, "boot sector");
	if (vtr_ntfs_boot_parse(out, sector, b->size, err) == 0)
		return 0;
	if (vtr_blk_pread(b, b->size - NTFS_SECTOR, sector, sizeof(sector), &local) < 0 ||
	    vtr_ntfs_boot_parse(out, sector, b->size, &local) < 0)
		return -1;
	vtr_warn(b->ctx, VTR_ECORRUPT, "ntfs: the boot sector cannot be used: its copy at the end of the volume is");
	return 0;
}

static int ntfs_open(struct vtr_fs **out, struct vtr_blk *b, const struct vtr_fs_others *others, struct vtr_error *err)
{
	VTR_FS_UNREF struct vtr_fs *fs = vtr_fs_new(&ntfs_ops, sizeof(struct ntfs), b, err);
	struct ntfs *x;

	(void)others;
	if (!fs)
		return -1;
	x = to_ntfs(fs);
	fs->root = NTFS_ROOT;
	if (ntfs_read_boot(&x->boot, b, err) < 0)
		return -1;
	x->cluster = 1u << x->boot.cluster_log2;
	x->pages = vtr_pages_new(b, NTFS_PAGE_LOG2, VTR_MAX(fs->ctx->lim.cache / 2, (uint64_t)2 << NTFS_PAGE_LOG2),
				 "volume", err);
	if (!x->pages || vtr_ntfs_mft_open(x, err) < 0 || vtr_ntfs_volume_read(x, err) < 0)
		return -1;
	if (x->info.size > b->size && !b->partial)
		vtr_warn(fs->ctx, VTR_ETRUNCATED,
			 "ntfs: it has %" PRIu64 " bytes, the volume %" PRIu64 ": read as far as that goes",
			 x->info.size, b->size);
	b->partial |= x->info.size > b->size;
	*out = vtr_steal(fs);
	return 0;
}

static void ntfs_identify(struct vtr_identity *out, const struct vtr_probe *p, struct vtr_blk *b)
{
	struct ntfs_boot boot;

	snprintf(out->uuid, sizeof(out->uuid), "%016" PRIX64, vtr_get_le64(p->head + 0x48));
	if (vtr_ntfs_boot_parse(&boot, p->head, p->size, NULL) < 0)
		return;
	out->size = boot.clusters << boot.cluster_log2;
	if (b)
		vtr_ntfs_label_peek(out->label, sizeof(out->label), b, &boot);
}

extern const struct vtr_fs_driver vtr_fs_driver_ntfs;
const struct vtr_fs_driver vtr_fs_driver_ntfs = {
	.sig = VTR_SIG_NTFS,
	.open = ntfs_open,
	.identify = ntfs_identify,
};
