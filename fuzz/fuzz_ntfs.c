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

/* The volumes, unpacked once; an execution patches one and puts back what it changed: to copy them costs more. */
static struct ntfs_volume {
	uint8_t *bytes, *pristine;
	uint32_t *places;
	size_t n_places;
} ntfs_volumes[VTR_COUNT(ntfs_bases)];

struct ntfs_memory {
	struct vtr_blk blk;
	const uint8_t *bytes;
};

static int ntfs_memory_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	(void)err;
	memcpy(buf, ((struct ntfs_memory *)b)->bytes + off, len);
	return 0;
}

static const struct vtr_blk_ops ntfs_memory_ops = { .kind = "memory", .pread = ntfs_memory_pread };

static struct ntfs_volume *ntfs_volume(size_t i)
{
	struct ntfs_volume *v = &ntfs_volumes[i];
	const struct ntfs_base *base = &ntfs_bases[i];
	uLongf unpacked = base->len;

	if (v->bytes)
		return v;
	v->pristine = malloc(base->len);
	v->bytes = malloc(base->len);
	v->places = malloc(base->len * sizeof(uint32_t));
	FUZZ_CHECK(v->pristine && v->bytes && v->places && base->upcase + 131072 <= base->len);
	FUZZ_CHECK(uncompress(v->pristine, &unpacked, base->packed, base->packed_len) == Z_OK && unpacked == base->len);
	v->n_places = fuzz_places(v->places, v->pristine, base->len);
	ntfs_upcase(v->pristine + base->upcase);
	memcpy(v->bytes, v->pristine, base->len);
	return v;
}

static struct vtr_blk *ntfs_patched(struct ntfs_volume *v, size_t len, const uint8_t *data, size_t data_len)
{
	struct vtr_ctx *ctx = fuzz_ctx();
	size_t n = fuzz_patch(v->bytes, len, v->places, v->n_places, data, data_len);
	struct vtr_blk *b = vtr_blk_new(&ntfs_memory_ops, sizeof(struct ntfs_memory), ctx, n, NULL);

	FUZZ_CHECK(b);
	((struct ntfs_memory *)b)->bytes = v->bytes;
	vtr_ctx_unref(ctx);
	return b;
}

/* A first byte below 32 is the number of a volume, and above its lowest bit the part of it that is looked at. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t i = len > 0 && data[0] < 32 ? data[0] % VTR_COUNT(ntfs_bases) : VTR_COUNT(ntfs_bases);
	struct ntfs_volume *v = i < VTR_COUNT(ntfs_bases) ? ntfs_volume(i) : NULL;
	struct vtr_blk *b = v ? ntfs_patched(v, ntfs_bases[i].len, data + 1, len - 1) : fuzz_blk(data, len);
	VTR_PROBE_DONE struct vtr_probe p = { 0 };
	struct vtr_identity id = { 0 };
	struct vtr_error err = { 0 };
	struct vtr_fs *fs = NULL;

	vtr_ctx_on_warning(b->ctx, fuzz_warned, NULL);
	if (vtr_probe_read_head(&p, b, &err) == 0 && vtr_signature_bits(VTR_SIG_NTFS, &p) > 0)
		vtr_fs_driver_ntfs.identify(&id, &p, b);
	if (vtr_fs_open(&fs, b, "ntfs", &err) < 0)
		fuzz_check_error(&err);
	else
		fuzz_check_fs_part(fs, v ? data[0] / VTR_COUNT(ntfs_bases) : 0);
	vtr_fs_unref(fs);
	vtr_blk_unref(b);
	if (v)
		memcpy(v->bytes, v->pristine, ntfs_bases[i].len);
	return 0;
}
