/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Package databases that are text: the first byte says whether the rest is apk's or the desc of one of pacman's. */
#include "fuzz/fuzz_packages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vtr_error err = { 0 };
	struct vtr_packages l = { .path = "db" };
	struct vtr_ctx *ctx;
	char *text;
	int rc;

	if (len == 0)
		return 0;
	ctx = fuzz_ctx();
	l.os = vtr_os_new(ctx, "/dev/sda1", NULL, NULL);
	text = malloc(len > 1 ? len - 1 : 1);
	FUZZ_CHECK(l.os && text);
	memcpy(text, data + 1, len - 1);
	if (data[0] % 2 == 0) {
		rc = vtr_apk_parse(&l, text, len - 1, &err);
	} else {
		/* The name of the directory is the image's, too. */
		char *dir = strndup(text, len - 1 < 40 ? len - 1 : 40);

		FUZZ_CHECK(dir);
		rc = vtr_pacman_parse(&l, dir, text, len - 1, &err);
		free(dir);
	}
	free(text);
	FUZZ_CHECK(rc == 0 || err.code == VTR_ELIMIT);
	fuzz_packages_check(&l, rc, &err);
	vtr_os_free(l.os);
	vtr_ctx_unref(ctx);
	return 0;
}
