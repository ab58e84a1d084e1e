/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes fuzz/seeds/jbd2: small journals in every format of tags and checksums.
 *	cc -I. -o build/mk-jbd2 fuzz/seeds/mk-jbd2.c tests/jbd2_images.c && build/mk-jbd2
 */
#include <stdio.h>

#include "tests/jbd2_images.h"

int main(void)
{
	static const uint32_t features[] = { 0x1, 0x3, 0x9, 0xb, 0x11, 0x13, 0x33 };

	for (unsigned i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		struct journal_maker m;
		char name[64];
		FILE *f;

		journal_begin(&m, features[i], 0, i == 0 ? JOURNAL_BLOCKS - 3 : 1, 7);
		if (features[i] & 0x20)
			m.b[0x57] = 2;
		journal_seal(&m, 0);
		journal_write(&m, (uint64_t[]){ 3, 4 }, "ab", 2, false);
		journal_commit(&m, 100);
		journal_revoke(&m, (uint64_t[]){ 3 }, 1);
		journal_write(&m, (uint64_t[]){ 4 }, "c", 1, true);
		journal_commit(&m, 101);
		snprintf(name, sizeof(name), "fuzz/seeds/jbd2/features-%02x", features[i]);
		f = fopen(name, "wb");
		if (!f || fwrite(m.b, 1, sizeof(m.b), f) != sizeof(m.b) || fclose(f) != 0)
			return 1;
	}
	return 0;
}
