/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Systems that are not Linux, whose roots are known by the files that virt-inspector looks for: FreeBSD, NetBSD, OpenBSD,
 * Minix and the Hurd. They are named, with the version that their files tell.
 */
#include "base/checked.h"
#include "inspect/records.h"

static const struct unix_kind {
	const char *type, *product;
	const char *signs[3]; /* files, all of which a root has; the first decides, and is the fact's source */
	const char *version;  /* the file that tells it; NULL: none does */
	const char *before;   /* what stands before the version in it */
} unix_kinds[] = {
	{ "freebsd",
	  "FreeBSD",
	  { "/etc/freebsd-update.conf", "/etc/fstab", NULL },
	  "/bin/freebsd-version",
	  "USERLAND_VERSION=" },
	{ "netbsd", "NetBSD", { "/netbsd", "/etc/fstab", "/etc/release" }, "/etc/release", "NetBSD " },
	{ "openbsd", "OpenBSD", { "/bsd", "/etc/fstab", "/etc/motd" }, "/etc/motd", "OpenBSD " },
	{ "minix", "MINIX", { "/service/vm", "/etc/fstab", "/etc/version" }, "/etc/version", "" },
	{ "hurd", NULL, { "/hurd/console", "/hurd/null", NULL }, NULL, NULL },
};

int vtr_unix_find(const char **type, const char **sign, struct vtr_os *os, struct vtr_error *err)
{
	for (size_t i = 0; i < VTR_COUNT(unix_kinds); i++) {
		const struct unix_kind *k = &unix_kinds[i];
		struct vtr_stat st;
		int there = 1;

		for (size_t j = 0; there > 0 && j < VTR_COUNT(k->signs) && k->signs[j]; j++) {
			there = vtr_os_look(NULL, &st, os, k->signs[j], VTR_WALK_NOFOLLOW, err);
			if (there > 0 && st.type != VTR_TYPE_FILE && !(j > 0 && st.type == VTR_TYPE_SYMLINK))
				there = 0;
		}
		if (there < 0)
			return -1;
		if (there == 0)
			continue;
		*type = k->type;
		*sign = k->signs[0];
		return 1;
	}
	return 0;
}

/* The digits and dots after what stands before them in the text; "13.2-RELEASE" is 13.2. */
static struct vtr_span unix_version(struct vtr_span text, const char *before)
{
	const char *at = text.len > 0 ? memmem(text.p, text.len, before, strlen(before)) : NULL;
	struct vtr_span s = { "", 0 };
	size_t n = 0;

	if (!at)
		return s;
	s = vtr_span_skip(text, (size_t)(at - text.p) + strlen(before));
	if (s.len > 0 && (*s.p == '"' || *s.p == '\''))
		s = vtr_span_skip(s, 1);
	while (n < s.len && ((s.p[n] >= '0' && s.p[n] <= '9') || (n > 0 && s.p[n] == '.')))
		n++;
	s.len = n > 0 && s.p[n - 1] == '.' ? n - 1 : n;
	return s;
}

static int unix_version_add(struct vtr_os *os, const struct unix_kind *k, struct vtr_span v, struct vtr_error *err)
{
	struct vtr_span rest = v, part;
	VTR_FREE char *product = NULL;
	struct vtr_str s = { 0 };

	vtr_str_puts(&s, k->product);
	vtr_str_put(&s, " ", 1);
	vtr_str_put(&s, v.p, v.len);
	product = vtr_str_take(&s, err);
	if (!product || vtr_os_add_text(os, "product_name", product, k->version, err) < 0 ||
	    vtr_os_add_fact(os, "version", v.p, v.len, k->version, err) < 0)
		return -1;
	if (vtr_span_field(&part, &rest, '.') &&
	    vtr_os_add_fact(os, "major_version", part.p, part.len, k->version, err) < 0)
		return -1;
	if (!vtr_span_field(&part, &rest, '.'))
		return 0;
	return vtr_os_add_fact(os, "minor_version", part.p, part.len, k->version, err);
}

int vtr_unix_read(struct vtr_os *os, const char *type, struct vtr_error *err)
{
	for (size_t i = 0; i < VTR_COUNT(unix_kinds); i++) {
		const struct unix_kind *k = &unix_kinds[i];
		VTR_FREE char *text = NULL;
		struct vtr_span v;
		size_t len;
		int there;

		if (strcmp(k->type, type) != 0 || !k->product)
			continue;
		if (vtr_os_add_text(os, "distro", k->type, k->signs[0], err) < 0)
			return -1;
		there = vtr_os_slurp(&text, &len, os, k->version, os->ctx->lim.text_file, err);
		if (there <= 0)
			return there;
		v = unix_version((struct vtr_span){ text, len }, k->before);
		return v.len > 0 ? unix_version_add(os, k, v, err) : 0;
	}
	return 0;
}
