/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ext2, ext3 and ext4: the adapter, and libext2fs behind it. */
#include "fuzz/fuzz_fs.h"

extern const struct vtr_fs_driver vtr_fs_driver_ext;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VTR_UNREF struct vtr_blk *b = NULL;
	VTR_PROBE_DONE struct vtr_probe p = { 0 };
	struct vtr_identity id = { 0 };
	struct vtr_error err = { 0 };
	struct vtr_fs *fs = NULL;
	size_t n;
	uint8_t *volume = fuzz_volume(&n, data, len);

	b = fuzz_blk(volume, n);
	free(volume);
	vtr_ctx_on_warning(b->ctx, fuzz_warned, NULL);
	if (vtr_probe_read(&p, b, &err) == 0 && vtr_signature_bits(VTR_SIG_EXT, &p) > 0)
		vtr_fs_driver_ext.identify(&id, &p, b);
	if (vtr_fs_open(&fs, b, "ext", &err) < 0) {
		fuzz_check_error(&err);
		return 0;
	}
	fuzz_check_fs(fs);
	vtr_fs_unref(fs);
	return 0;
}
