/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logs of registry hives. The input is a hive and two logs, one behind the other; its first six bytes say where the logs
 * begin, in units of 512 bytes: two numbers of 16 bits, and two bytes that nobody reads.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "fuzz/fuzz.h"

static int fuzz_key(void *arg, const struct vtr_key *k)
{
	(void)arg;
	FUZZ_CHECK(vtr_utf8_is(k->path, k->path_len));
	return 0;
}

static struct vtr_blk *fuzz_part(const struct vtr_blk *hive, const uint8_t *data, size_t len)
{
	struct vtr_blk *b = NULL;

	FUZZ_CHECK(vtr_blk_memory(&b, hive->ctx, data, len, NULL) == 0);
	return b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t one, two;

	if (len < 6)
		return 0;
	one = VTR_MIN((size_t)vtr_get_le16(data) * 512, len - 6);
	two = one + VTR_MIN((size_t)vtr_get_le16(data + 2) * 512, len - 6 - one);
	data += 6;
	len -= 6;
	for (unsigned as_it_lies = 0; as_it_lies < 2; as_it_lies++) {
		VTR_UNREF struct vtr_blk *hive = fuzz_blk(data, one);
		VTR_UNREF struct vtr_blk *log1 = fuzz_part(hive, data + one, two - one);
		VTR_UNREF struct vtr_blk *log2 = fuzz_part(hive, data + two, len - two);
		struct vtr_blk *logs[] = { log1, log2 };
		struct vtr_error err = { 0 };
		struct vtr_hive *h;

		vtr_ctx_no_replay(hive->ctx, as_it_lies);
		if (vtr_hive_open(&h, hive, logs, 2, &err) < 0) {
			FUZZ_CHECK(err.code != VTR_OK && err.text[0]);
			continue;
		}
		FUZZ_CHECK(!(as_it_lies && vtr_hive_info(h)->replayed));
		FUZZ_CHECK(vtr_hive_info(h)->replayed == (vtr_hive_info(h)->log_entries > 0));
		(void)vtr_hive_walk(h, vtr_hive_root(h), fuzz_key, NULL, NULL);
		(void)vtr_hive_check(h, NULL);
		vtr_hive_close(h);
	}
	return 0;
}
