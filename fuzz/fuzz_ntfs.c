/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NTFS: volumes that are patched, as fuzz_fs.h says, or given whole. */
#include "fuzz/fuzz_fs.h"
#include "fuzz/ntfs_base.h"

extern const struct vtr_fs_driver vtr_fs_driver_ntfs;

/* Capitals of ASCII: what Windows' table has beyond them makes no difference here. */
static void ntfs_upcase(uint8_t *p)
{
	for (uint32_t i = 0; i < 65536; i++) {
		uint32_t c = i >= 'a' && i <= 'z' ? i - 0x20 : i;

		p[2 * i] = (uint8_t)c;
		p[2 * i + 1] = (uint8_t)(c >> 8);
	}
}

static uint8_t *ntfs_volume(size_t *len, const uint8_t *data, size_t data_len)
{
	static uint8_t *volumes[VTR_COUNT(ntfs_bases)];
	static uint32_t *places[VTR_COUNT(ntfs_bases)];
	static size_t n_places[VTR_COUNT(ntfs_bases)];
	size_t i = data[0], n = ntfs_bases[i].len;
	uint8_t *out = malloc(n);

	FUZZ_CHECK(out);
	if (!volumes[i]) {
		uLongf unpacked = n;

		volumes[i] = malloc(n);
		places[i] = malloc(n * sizeof(uint32_t));
		FUZZ_CHECK(volumes[i] && places[i] && ntfs_bases[i].upcase + 131072 <= n);
		FUZZ_CHECK(uncompress(volumes[i], &unpacked, ntfs_bases[i].packed, ntfs_bases[i].packed_len) == Z_OK &&
			   unpacked == n);
		n_places[i] = fuzz_places(places[i], volumes[i], n);
		ntfs_upcase(volumes[i] + ntfs_bases[i].upcase);
	}
	memcpy(out, volumes[i], n);
	*len = fuzz_patch(out, n, places[i], n_places[i], data + 1, data_len - 1);
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VTR_UNREF struct vtr_blk *b = NULL;
	VTR_PROBE_DONE struct vtr_probe p = { 0 };
	struct vtr_fs_identity id = { 0 };
	struct vtr_error err = { 0 };
	struct vtr_fs *fs = NULL;

	if (len > 0 && data[0] < VTR_COUNT(ntfs_bases)) {
		size_t n;
		uint8_t *volume = ntfs_volume(&n, data, len);

		b = fuzz_blk(volume, n);
		free(volume);
	} else {
		b = fuzz_blk(data, len);
	}
	vtr_ctx_on_warning(b->ctx, fuzz_warned, NULL);
	if (vtr_probe_read(&p, b, &err) == 0 && vtr_fs_driver_ntfs.probe(&p) > 0)
		vtr_fs_driver_ntfs.identify(&id, &p);
	if (vtr_fs_open(&fs, b, "ntfs", &err) < 0) {
		fuzz_check_error(&err);
		return 0;
	}
	fuzz_check_fs(fs);
	vtr_fs_unref(fs);
	return 0;
}
