/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of a block source, six bytes each: the kind, or to settle; where, how much, and from where. An array that the
 * same is done to must agree.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/overlay.h"
#include "fuzz/fuzz.h"

#define OVERLAY_SIZE 1024u

static void overlay_check(struct vtr_blk *view, const uint8_t *model)
{
	uint8_t all[OVERLAY_SIZE], one;

	FUZZ_CHECK(vtr_overlay_settle(view, NULL) == 0);
	FUZZ_CHECK(vtr_blk_pread(view, 0, all, sizeof(all), NULL) == 0);
	FUZZ_CHECK(memcmp(all, model, sizeof(all)) == 0);
	for (uint64_t off = 0; off < OVERLAY_SIZE;) {
		uint64_t len = OVERLAY_SIZE - off;

		vtr_overlay_replaced(view, off, &len);
		FUZZ_CHECK(len > 0 && len <= OVERLAY_SIZE - off);
		FUZZ_CHECK(vtr_blk_pread(view, off + len - 1, &one, 1, NULL) == 0 && one == model[off + len - 1]);
		off += len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t bytes[OVERLAY_SIZE], model[OVERLAY_SIZE], was[OVERLAY_SIZE];
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct vtr_blk *below = NULL, *view = NULL;

	for (size_t i = 0; i < OVERLAY_SIZE; i++)
		bytes[i] = model[i] = (uint8_t)(i * 151 >> 3);
	FUZZ_CHECK(vtr_blk_memory(&below, ctx, bytes, OVERLAY_SIZE, NULL) == 0);
	FUZZ_CHECK(vtr_overlay_new(&view, below, "overlay", "changes", NULL) == 0);
	for (; len >= 6; data += 6, len -= 6) {
		uint32_t off = vtr_get_le16(data) >> 4 & (OVERLAY_SIZE - 1), kind = data[0] & 7;
		uint32_t n = VTR_MIN(vtr_get_le16(data + 2) & (OVERLAY_SIZE - 1), OVERLAY_SIZE - off), from;

		from = (uint32_t)(vtr_get_le16(data + 4) % (OVERLAY_SIZE - n + 1));
		memset(was, data[5], sizeof(was));
		if (kind < 2) {
			FUZZ_CHECK(vtr_overlay_zero(view, off, n, NULL) == 0);
			memset(model + off, 0, n);
		} else if (kind < 4) {
			FUZZ_CHECK(vtr_overlay_write(view, off, was, n, NULL) == 0);
			memcpy(model + off, was, n);
		} else if (kind < 7) {
			FUZZ_CHECK(vtr_overlay_map(view, off, n, below, from, NULL, NULL) == 0);
			memcpy(model + off, bytes + from, n);
		} else {
			overlay_check(view, model);
		}
	}
	overlay_check(view, model);
	vtr_blk_unref(view);
	vtr_blk_unref(below);
	vtr_ctx_unref(ctx);
	return 0;
}
