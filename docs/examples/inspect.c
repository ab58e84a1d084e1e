/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Say which systems are in a disk image, and how many packages each has. */
#include <stdio.h>

#include <vitrine.h>

/* Damage to one of many things does not stop the work; it is handed to this function. */
static void on_warning(void *arg, const struct vtr_error *w)
{
	(void)arg;
	fprintf(stderr, "warning: %s\n", w->text);
}

static int fail(const struct vtr_error *err)
{
	fprintf(stderr, "%s: %s\n", vtr_code_name(err->code), err->text);
	return -1;
}

static int tell(struct vtr_guest *g, const char *path, struct vtr_error *err)
{
	int n;

	if (vtr_guest_add(g, path, NULL, err) < 0 || (n = vtr_guest_inspect(g, err)) < 0)
		return fail(err);
	for (int i = 0; i < n; i++) {
		struct vtr_os *os = vtr_guest_os(g, (size_t)i);
		const struct vtr_fact *product = vtr_os_fact(os, "product_name");
		ssize_t packages = vtr_os_read_packages(os, err);

		printf("%s: %s", vtr_os_root(os), product ? product->value : "unknown");
		if (packages >= 0)
			printf(", %zd packages\n", packages);
		else if (err->code == VTR_EUNSUPPORTED) /* a format that is not read */
			printf(", packages not read\n");
		else
			return fail(err);
	}
	return n;
}

int main(int argc, char **argv)
{
	struct vtr_error err = { 0 };
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, &err);
	struct vtr_guest *g = ctx ? vtr_guest_new(ctx, &err) : NULL;
	int systems = -1;

	if (argc != 2)
		fprintf(stderr, "usage: inspect IMAGE\n");
	else if (!g)
		fail(&err);
	else {
		vtr_ctx_on_warning(ctx, on_warning, NULL);
		systems = tell(g, argv[1], &err);
	}
	vtr_guest_free(g);
	vtr_ctx_unref(ctx);
	return systems > 0 ? 0 : 1;
}
