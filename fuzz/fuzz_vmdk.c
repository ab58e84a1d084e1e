/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VMDK: descriptors, sparse extents, streams. The input is an image, or, when it starts with FUZZ_CHAIN, several: a byte
 * for each of the first two files says how many blocks of 512 bytes it has, the rest is the last. The first is opened;
 * the others are what a resolver gives for the names in it, by the last letter of the name before any ending.
 */
#include "fuzz/fuzz_images.h"

#define FUZZ_CHAIN "chain"
#define FUZZ_FILES 3u

struct fuzz_files {
	struct vtr_blk *file[FUZZ_FILES];
};

static int fuzz_resolve(void *arg, struct vtr_blk **out, const char *image, const char *name, struct vtr_error *err)
{
	struct fuzz_files *f = arg;
	size_t n = strcspn(name, ".");
	unsigned char last = n > 0 ? (unsigned char)name[n - 1] : 0;

	(void)image;
	if (last == '!')
		return vtr_fail(err, VTR_ENOTFOUND, "no file \"%s\"", name);
	if (last == '?')
		return 0;
	*out = vtr_blk_ref(f->file[last % FUZZ_FILES]);
	return 1;
}

static void fuzz_open(struct vtr_blk *file, const struct vtr_image_options *opt, bool plain, size_t *budget)
{
	VTR_UNREF struct vtr_blk *b = NULL;
	struct vtr_error err = { 0 };
	const struct vtr_image_info *info;

	if (vtr_image_decode(&b, file, opt, &err) < 0) {
		FUZZ_CHECK(!b);
		fuzz_check_error(&err);
		return;
	}
	FUZZ_CHECK(b);
	info = vtr_image_info(b);
	for (size_t i = 0; i < info->n_props; i++)
		FUZZ_CHECK(info->props[i].kind != VTR_PROP_TEXT ||
			   vtr_utf8_is(info->props[i].text, strlen(info->props[i].text)));
	FUZZ_CHECK(!info->subformat || vtr_utf8_is(info->subformat, strlen(info->subformat)));
	FUZZ_CHECK(!info->id || vtr_utf8_is(info->id, strlen(info->id)));
	fuzz_check_disk(b, plain ? file : NULL, budget);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vtr_ctx *ctx = fuzz_ctx();
	struct fuzz_files f = { { NULL } };
	size_t mark = sizeof(FUZZ_CHAIN) - 1, part[FUZZ_FILES] = { len, 0, 0 }, budget = FUZZ_BYTES;
	bool chain = len >= mark + 2 && memcmp(data, FUZZ_CHAIN, mark) == 0;
	struct vtr_image_options opt = { .format = "vmdk", .any_parent = true };

	if (chain) {
		len -= mark + 2;
		for (unsigned i = 0; i < 2; i++) {
			part[i] = VTR_MIN(512u * data[mark + i], len);
			len -= part[i];
		}
		part[2] = len;
		data += mark + 2;
	}
	for (unsigned i = 0; i < FUZZ_FILES; i++) {
		FUZZ_CHECK(vtr_blk_memory(&f.file[i], ctx, data, part[i], NULL) == 0);
		data += part[i];
	}
	if (chain)
		vtr_ctx_resolver(ctx, fuzz_resolve, &f);
	fuzz_open(f.file[0], &opt, !chain, &budget);
	opt.alone = true;
	vtr_ctx_no_replay(ctx, true);
	fuzz_open(f.file[0], &opt, !chain, &budget);
	for (unsigned i = 0; i < FUZZ_FILES; i++)
		vtr_blk_unref(f.file[i]);
	vtr_ctx_unref(ctx);
	return 0;
}
