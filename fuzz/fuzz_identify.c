/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every filesystem and volume says of itself without being opened. */
#include "base/text.h"
#include "fs/fs.h"
#include "fuzz/fuzz.h"
#include "volumes/volume.h"

#include <string.h>

static void identify_check(const struct vtr_identity *id)
{
	FUZZ_CHECK(memchr(id->label, 0, sizeof(id->label)) && memchr(id->uuid, 0, sizeof(id->uuid)));
	FUZZ_CHECK(vtr_utf8_is(id->uuid, strlen(id->uuid)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VTR_UNREF struct vtr_blk *b = fuzz_blk(data, len);
	VTR_PROBE_DONE struct vtr_probe p = { 0 };

	if (vtr_probe_read(&p, b, NULL) < 0)
		return 0;
	for (size_t i = 0; vtr_fs_drivers[i]; i++) {
		const struct vtr_fs_driver *d = vtr_fs_drivers[i];
		struct vtr_identity with = { 0 }, without = { 0 };

		if (vtr_signature_bits(d->sig, &p) <= 0 || !d->identify)
			continue;
		d->identify(&with, &p, b);
		d->identify(&without, &p, NULL);
		identify_check(&with);
		identify_check(&without);
		FUZZ_CHECK(strcmp(with.uuid, without.uuid) == 0 || d->sig == VTR_SIG_UDF);
	}
	for (size_t i = 0; vtr_volume_layers[i]; i++) {
		struct vtr_identity id = { 0 };

		if (vtr_signature_bits(vtr_volume_layers[i]->sig, &p) <= 0 || !vtr_volume_layers[i]->identify)
			continue;
		vtr_volume_layers[i]->identify(&id, &p);
		identify_check(&id);
	}
	return 0;
}
