/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copy a logical volume that lies on one or more disk images to standard output: volumes VG/LV IMAGE... */
#include <stdio.h>
#include <string.h>

#include <vitrine.h>

#define IMAGES 16

static int fail(const struct vtr_error *err)
{
	fprintf(stderr, "%s: %s\n", vtr_code_name(err->code), err->text);
	return -1;
}

static int copy(struct vtr_blk *b)
{
	static char buf[1 << 20];
	struct vtr_error err;

	for (uint64_t at = 0; at < vtr_blk_size(b);) {
		uint64_t left = vtr_blk_size(b) - at;
		size_t n = left < sizeof(buf) ? (size_t)left : sizeof(buf);

		if (vtr_blk_pread(b, at, buf, n, &err) < 0)
			return fail(&err);
		if (fwrite(buf, 1, n, stdout) != n)
			return -1;
		at += n;
	}
	return fflush(stdout);
}

/* The volume by its name; else what there is. */
static int copy_named(const struct vtr_volumes *v, const char *name)
{
	const struct vtr_volume *one;
	struct vtr_blk *b = NULL;
	struct vtr_error err;
	int status;

	for (size_t i = 0; (one = vtr_volumes_at(v, i)); i++) {
		if (strcmp(one->name, name) != 0)
			continue;
		if (vtr_volumes_blk(&b, v, i, &err) < 0)
			return fail(&err);
		status = copy(b);
		vtr_blk_unref(b);
		return status;
	}
	for (size_t i = 0; (one = vtr_volumes_at(v, i)); i++)
		fprintf(stderr, "%s, %s\n", one->name, vtr_state_name(one->state));
	return -1;
}

int main(int argc, char **argv)
{
	struct vtr_error err;
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, &err);
	struct vtr_blk *in[IMAGES] = { NULL };
	struct vtr_volumes *v = NULL;
	int n = 0, status = -1;

	for (; ctx && n + 2 < argc && n < IMAGES; n++)
		if (vtr_image_open(&in[n], ctx, argv[n + 2], NULL, &err) < 0)
			break;
	if (argc < 3 || argc > IMAGES + 2)
		fprintf(stderr, "usage: volumes VG/LV IMAGE...\n");
	else if (!ctx || n + 2 < argc || vtr_volumes_open(&v, in, (size_t)n, &err) < 0)
		fail(&err);
	else
		status = copy_named(v, argv[1]);
	vtr_volumes_close(v);
	for (int i = 0; i < n; i++)
		vtr_blk_unref(in[i]);
	vtr_ctx_unref(ctx);
	return status < 0 ? 1 : 0;
}
