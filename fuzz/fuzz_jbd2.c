/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A journal over a small volume: the input is the journal. */
#include <string.h>

#include "fs/jbd2.h"
#include "fuzz/fuzz.h"

#define VOLUME (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t volume[VOLUME];
	struct vtr_blk *journal = fuzz_blk(data, len), *fs = NULL, *view = NULL;
	struct vtr_jbd2_result result;

	FUZZ_CHECK(vtr_blk_memory(&fs, journal->ctx, volume, sizeof(volume), NULL) == 0);
	if (vtr_jbd2_replay(&view, &result, fs, journal, 0, NULL) == 0) {
		static uint8_t whole[VOLUME], part[VOLUME];

		FUZZ_CHECK(vtr_blk_size(view) == VOLUME);
		FUZZ_CHECK(vtr_blk_pread(view, 0, whole, VOLUME, NULL) == 0);
		/* Odd pieces are the same bytes. */
		for (size_t at = 0, n; at < VOLUME; at += n) {
			n = 1 + (at * 7 + len) % 3001;
			n = n < VOLUME - at ? n : VOLUME - at;
			FUZZ_CHECK(vtr_blk_pread(view, at, part, n, NULL) == 0);
			FUZZ_CHECK(memcmp(whole + at, part, n) == 0);
		}
	}
	vtr_blk_unref(view);
	vtr_blk_unref(fs);
	vtr_blk_unref(journal);
	return 0;
}
