/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fast commits over volumes of ext4: the first byte of the input is the number of the volume, the rest is their area. */
#include "fs/ext/ext.h"
#include "fuzz/fuzz_fs.h"

#define HEAD_TID 8u /* where the area's first tag names its transaction */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t base = (uint8_t)(len > 0 ? data[0] % VTR_COUNT(ext_bases) : 0);
	struct vtr_jbd2_result where = { .block = 1024 };
	struct vtr_blk *b, *journal = NULL;
	struct vtr_error err = { 0 };
	struct vtr_fs *fs = NULL;
	size_t n;
	uint8_t *volume = fuzz_volume(&n, &base, 1);

	b = fuzz_blk(volume, n);
	free(volume);
	vtr_ctx_on_warning(b->ctx, fuzz_warned, NULL);
	data += len > 0;
	len -= len > 0;
	FUZZ_CHECK(vtr_blk_memory(&journal, b->ctx, data, len, NULL) == 0);
	where.fast_blocks = (uint32_t)((len + where.block - 1) / where.block); /* the last may end early */
	if (len >= HEAD_TID + 4)
		where.next = vtr_get_le32(data + HEAD_TID);
	FUZZ_CHECK(vtr_fs_open(&fs, b, "ext", &err) == 0);
	if (vtr_ext_fast_replay(to_ext(fs), journal, &where, &err) < 0)
		fuzz_check_error(&err);
	else
		fuzz_check_fs(fs);
	vtr_fs_unref(fs);
	vtr_blk_unref(journal);
	vtr_blk_unref(b);
	return 0;
}
