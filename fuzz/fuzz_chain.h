/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A target for a format whose images name others. The input is an image, or, when it starts with FUZZ_CHAIN, several: a
 * byte for each of the first two images says how many blocks of 512 bytes it has, the rest is the last. The first is
 * opened; the others are what a resolver gives for the names in them, by the last byte of the name.
 */
#ifndef FUZZ_FUZZ_CHAIN_H
#define FUZZ_FUZZ_CHAIN_H

#include "fuzz/fuzz_images.h"

#define FUZZ_CHAIN "chain"
#define FUZZ_FILES 3u

struct fuzz_files {
	struct vtr_blk *file[FUZZ_FILES];
};

static inline int fuzz_chain_resolve(void *arg, struct vtr_blk **out, const char *image, const char *name,
				     struct vtr_error *err)
{
	static const char vdi[] = "}.vdi"; /* a UUID is in front of that */
	struct fuzz_files *f = arg;
	size_t n = strlen(name);
	unsigned i;

	(void)image;
	if (n >= sizeof(vdi) && strcmp(name + n - (sizeof(vdi) - 1), vdi) == 0)
		n -= sizeof(vdi) - 1;
	i = n > 0 ? (unsigned char)name[n - 1] % FUZZ_FILES : 0;
	if (n > 0 && name[n - 1] == '!')
		return vtr_fail(err, VTR_ENOTFOUND, "no file \"%s\"", name);
	if (n > 0 && name[n - 1] == '?')
		return 0;
	*out = vtr_blk_ref(f->file[i]);
	return 1;
}

/* Open it as it is, and in its first snapshots. plain: what lies plainly lies in the file itself. */
static inline void fuzz_chain_open(struct vtr_blk *file, const struct vtr_image_options *opt, bool plain,
				   size_t *budget)
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
	fuzz_check_disk(b, plain ? file : NULL, budget);
	if (opt->snapshot)
		return;
	for (size_t i = 0; i < info->n_snapshots && i < 4; i++) {
		struct vtr_image_options of = *opt;

		of.snapshot = i % 2 ? info->snapshots[i].name : info->snapshots[i].id;
		fuzz_chain_open(file, &of, plain, budget);
	}
}

static inline int fuzz_chain(const char *format, const uint8_t *data, size_t len)
{
	struct vtr_ctx *ctx = fuzz_ctx();
	struct fuzz_files f = { { NULL } };
	size_t mark = sizeof(FUZZ_CHAIN) - 1, part[FUZZ_FILES] = { len, 0, 0 }, budget = FUZZ_BYTES;
	bool chain = len >= mark + 2 && memcmp(data, FUZZ_CHAIN, mark) == 0;
	struct vtr_image_options opt = { .format = format };

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
		vtr_ctx_resolver(ctx, fuzz_chain_resolve, &f);
	fuzz_chain_open(f.file[0], &opt, !chain, &budget);
	opt.alone = true;
	fuzz_chain_open(f.file[0], &opt, true, &budget);
	for (unsigned i = 0; i < FUZZ_FILES; i++)
		vtr_blk_unref(f.file[i]);
	vtr_ctx_unref(ctx);
	return 0;
}

#endif
