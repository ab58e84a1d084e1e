/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images whose structures lie far apart. The input has the sizes of two files (4 bytes each, little endian), a byte of
 * options (1: any parent, 2: no replay), and what is not zero in the files: pieces of a place in units of 512 bytes (3
 * bytes; the highest bit: in the second file), a length (2 bytes) and bytes. The first file is opened; the second is what
 * it finds for whatever name it asks.
 */
#ifndef FUZZ_FUZZ_VHD_H
#define FUZZ_FUZZ_VHD_H

#include "base/bytes.h"
#include "fuzz/fuzz_images.h"

#define FUZZ_VHD_PIECES 300u
#define FUZZ_VHD_SIZE (64u << 20)

struct fuzz_vhd_file {
	uint64_t size;
	struct {
		uint64_t at;
		size_t len;
		const uint8_t *bytes;
	} piece[FUZZ_VHD_PIECES];
	size_t n;
	struct vtr_blk *blk;
};

static int fuzz_vhd_pread(void *arg, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	const struct fuzz_vhd_file *f = arg;

	(void)err;
	memset(buf, 0, len);
	for (size_t i = 0; i < f->n; i++) {
		uint64_t from = VTR_MAX(off, f->piece[i].at), to = VTR_MIN(off + len, f->piece[i].at + f->piece[i].len);

		if (from < to)
			memcpy((uint8_t *)buf + (from - off), f->piece[i].bytes + (from - f->piece[i].at),
			       (size_t)(to - from));
	}
	return 0;
}

static int fuzz_vhd_resolve(void *arg, struct vtr_blk **out, const char *image, const char *name, struct vtr_error *err)
{
	const struct fuzz_vhd_file *f = arg;
	size_t n = strlen(name);

	(void)image;
	if (f->size == 0 || (n > 0 && name[n - 1] == '!'))
		return vtr_fail(err, VTR_ENOTFOUND, "no file \"%s\"", name);
	*out = vtr_blk_ref(f->blk);
	return 1;
}

static void fuzz_vhd_open(struct fuzz_vhd_file *f, const struct vtr_image_options *opt, bool plain, size_t *budget)
{
	VTR_UNREF struct vtr_blk *b = NULL;
	const struct vtr_image_info *info;
	struct vtr_error err = { 0 };

	if (vtr_image_decode(&b, f->blk, opt, &err) < 0) {
		FUZZ_CHECK(!b);
		fuzz_check_error(&err);
		return;
	}
	info = vtr_image_info(b);
	FUZZ_CHECK(info->subformat && info->id && info->content_id);
	for (size_t i = 0; i < info->n_props; i++)
		FUZZ_CHECK(info->props[i].kind != VTR_PROP_TEXT ||
			   vtr_utf8_is(info->props[i].text, strlen(info->props[i].text)));
	FUZZ_CHECK(!info->creator || vtr_utf8_is(info->creator, strlen(info->creator)));
	fuzz_check_disk(b, plain ? f->blk : NULL, budget);
}

static void fuzz_vhd_input(const char *format, const uint8_t *data, size_t len)
{
	static struct fuzz_vhd_file file[2];
	struct vtr_cur c = vtr_cur_of(data, len, 0);
	struct vtr_image_options opt = { .format = format };
	struct vtr_ctx *ctx;
	size_t budget = FUZZ_BYTES;
	uint8_t flags;

	for (unsigned i = 0; i < 2; i++) {
		file[i].size = vtr_cur_le32(&c) % (FUZZ_VHD_SIZE + 1);
		file[i].n = 0;
	}
	flags = vtr_cur_u8(&c);
	if (c.bad)
		return;
	while (vtr_cur_left(&c) > 5) {
		uint32_t at = vtr_cur_le16(&c) | (uint32_t)vtr_cur_u8(&c) << 16;
		size_t want = vtr_cur_le16(&c), n = VTR_MIN(want, vtr_cur_left(&c));
		struct fuzz_vhd_file *f = &file[at >> 23];

		if (f->n == FUZZ_VHD_PIECES)
			break;
		f->piece[f->n].at = (uint64_t)(at & 0x7fffff) * 512;
		f->piece[f->n].len = n;
		f->piece[f->n++].bytes = vtr_cur_take(&c, n);
	}
	ctx = fuzz_ctx();
	for (unsigned i = 0; i < 2; i++) {
		struct vtr_blk_source from = { .pread = fuzz_vhd_pread, .arg = &file[i], .size = file[i].size };

		FUZZ_CHECK(vtr_blk_custom(&file[i].blk, ctx, &from, NULL) == 0);
	}
	opt.any_parent = flags & 1;
	vtr_ctx_no_replay(ctx, flags & 2);
	vtr_ctx_resolver(ctx, fuzz_vhd_resolve, &file[1]);
	fuzz_vhd_open(&file[0], &opt, false, &budget);
	opt.alone = true;
	fuzz_vhd_open(&file[0], &opt, true, &budget);
	for (unsigned i = 0; i < 2; i++)
		vtr_blk_unref(file[i].blk);
	vtr_ctx_unref(ctx);
}

#endif
