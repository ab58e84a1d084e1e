/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The whole stack: a disk image of any kind, to its systems, their packages and files. */
#include "fuzz/fuzz_fs.h"

static void stack_os(struct vtr_os *os)
{
	struct vtr_error err = { 0 };
	const struct vtr_package *p;
	const struct vtr_fact *f;
	const struct vtr_mount *m;

	FUZZ_CHECK(vtr_os_root(os) && vtr_os_tree(os));
	for (size_t i = 0; (f = vtr_os_fact_at(os, i)); i++) {
		fuzz_check_text(f->value);
		FUZZ_CHECK(vtr_os_fact(os, f->key));
	}
	for (size_t i = 0; (m = vtr_os_mount(os, i)); i++)
		FUZZ_CHECK(m->spec && m->path && m->type && m->options);
	if (vtr_os_read_packages(os, &err) < 0)
		fuzz_check_error(&err);
	for (size_t i = 0; (p = vtr_os_package(os, i)); i++) {
		fuzz_check_text(p->name);
		fuzz_check_text(p->version);
	}
	fuzz_check_tree(vtr_os_tree(os));
}

static void stack_guest(struct vtr_guest *g)
{
	struct vtr_error err = { 0 };
	const struct vtr_device *d;
	struct vtr_os *os;

	if (vtr_guest_scan(g, &err) < 0) {
		fuzz_check_error(&err);
		return;
	}
	for (size_t i = 0; (d = vtr_guest_device(g, i)); i++) {
		FUZZ_CHECK(d->parent < (int)i && vtr_guest_find_device(g, d->name, NULL) == (int)i);
		FUZZ_CHECK(vtr_utf8_is(d->uuid, strlen(d->uuid)));
	}
	if (vtr_guest_inspect(g, &err) < 0)
		fuzz_check_error(&err);
	for (size_t i = 0; (os = vtr_guest_os(g, i)); i++)
		stack_os(os);
	for (size_t i = 0; (d = vtr_guest_device(g, i)); i++)
		if (d->has_fs && !vtr_guest_fs(g, i, &err))
			fuzz_check_error(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VTR_UNREF struct vtr_blk *file = NULL, *disk = NULL;
	const struct vtr_image_info *info;
	struct vtr_error err = { 0 };
	struct vtr_guest *g;
	size_t n;
	uint8_t *volume = fuzz_volume(&n, data, len);

	file = fuzz_blk(volume, n);
	free(volume);
	vtr_ctx_on_warning(file->ctx, fuzz_warned, NULL);
	if (vtr_image_decode(&disk, file, NULL, &err) < 0) {
		fuzz_check_error(&err);
		return 0;
	}
	info = vtr_image_info(disk);
	FUZZ_CHECK(info && info->format);
	g = vtr_guest_new(file->ctx, NULL);
	FUZZ_CHECK(g);
	if (vtr_guest_add_blk(g, disk, &err) < 0)
		fuzz_check_error(&err);
	else
		stack_guest(g);
	vtr_guest_free(g);
	return 0;
}
