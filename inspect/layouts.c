/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What systems say of themselves that keep it elsewhere than in os-release: generations of NixOS and Guix, which are
 * symbolic links (nix's manual, "Profiles"), Ubuntu Core with its modeenv, and Android with its properties.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "inspect/records.h"

/* ----------------------------------------------------------------------------------------------------- generations */

static const char *const layouts_profiles[] = { "/nix/var/nix/profiles", "/var/guix/profiles" };

/* The number of "system-42-link"; 0: it is another name. */
static uint64_t layouts_generation(struct vtr_span name)
{
	static const char before[] = "system-", after[] = "-link";
	uint64_t n;

	if (!vtr_span_starts(name, before) || !vtr_span_ends(name, after) ||
	    name.len <= sizeof(before) - 1 + sizeof(after) - 1)
		return 0;
	name.len -= sizeof(after) - 1;
	return vtr_span_u64(&n, vtr_span_skip(name, sizeof(before) - 1), UINT32_MAX) ? n : 0;
}

struct layouts_generations {
	uint64_t *v;
	size_t n, cap;
};

static int layouts_profile_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct layouts_generations *g = arg;
	uint64_t n = e->type == VTR_TYPE_SYMLINK ? layouts_generation(vtr_span_of(e->name)) : 0;

	if (n == 0)
		return 0;
	if (VTR_OVER(os->ctx, records, g->n + 1, "generations", err) < 0 || !VTR_GROW(g->v, g->n, g->cap, err))
		return -1;
	g->v[g->n++] = n;
	return 0;
}

static int layouts_compare(const void *pa, const void *pb)
{
	const uint64_t *a = pa, *b = pb;

	return *a < *b ? -1 : *a > *b;
}

/* The facts generation, the one that is booted, and generations, all that there are. */
static int layouts_generations_read(struct vtr_os *os, const char *profiles, struct vtr_error *err)
{
	struct layouts_generations g = { 0 };
	const struct vtr_fs *fs = NULL;
	VTR_FREE char *target = NULL;
	char path[64], text[24];
	struct vtr_str all = { 0 };
	struct vtr_span last;
	uint64_t n;
	int rc;

	snprintf(path, sizeof(path), "%s/system", profiles);
	rc = vtr_os_readlink(&target, &fs, os, path, err);
	if (rc <= 0)
		return rc;
	last = vtr_span_of(strrchr(target, '/') ? strrchr(target, '/') + 1 : target);
	n = layouts_generation(last);
	if (n > 0) {
		snprintf(text, sizeof(text), "%" PRIu64, n);
		if (vtr_os_add_fact_on(os, "generation", text, strlen(text), path, fs, err) < 0)
			return -1;
	}
	rc = vtr_os_list(os, profiles, layouts_profile_entry, &g, err);
	if (rc == 0 && g.n > 1) {
		qsort(g.v, g.n, sizeof(*g.v), layouts_compare);
		for (size_t i = 0; i < g.n; i++) {
			snprintf(text, sizeof(text), "%s%" PRIu64, i > 0 ? " " : "", g.v[i]);
			vtr_str_puts(&all, text);
		}
		rc = all.oom ? vtr_fail(err, VTR_ENOMEM, "generations")
			     : vtr_os_add_text(os, "generations", all.p, profiles, err);
	}
	vtr_str_done(&all);
	free(g.v);
	return rc < 0 ? -1 : 0;
}

/* ----------------------------------------------------------------------------------------------------- Ubuntu Core */

/* The snap's name and revision in "core20_3.snap": a base, core22, is the release; "core" was the first, 16. */
static int layouts_base_add(struct vtr_os *os, const char *path, struct vtr_span base, struct vtr_error *err)
{
	struct vtr_span name = { base.p, vtr_span_find(base, '_') }, number;
	char product[64];

	if (base.len == 0 || vtr_os_add_fact(os, "base", base.p, base.len, path, err) < 0)
		return base.len == 0 ? 0 : -1;
	if (!vtr_span_starts(name, "core") || name.len > 16)
		return 0;
	number = vtr_span_skip(name, strlen("core"));
	if (number.len == 0)
		number = vtr_span_of("16");
	snprintf(product, sizeof(product), "Ubuntu Core %.*s", (int)number.len, number.p);
	if (vtr_os_add_fact(os, "version", number.p, number.len, path, err) < 0)
		return -1;
	return vtr_os_add_text(os, "product_name", product, path, err);
}

/* modeenv of snapd: assignments without quotes. */
int vtr_modeenv_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	static const struct {
		const char *name, *key;
	} keys[] = { { "model", "model" }, { "grade", "grade" }, { "current_kernels", "kernel_snap" } };
	struct vtr_span rest = { text, len }, line;

	while (vtr_span_line(&line, &rest)) {
		size_t eq = vtr_span_find(line, '=');
		struct vtr_span name = { line.p, eq }, value;

		if (eq == line.len)
			continue;
		value = vtr_span_trim(vtr_span_skip(line, eq + 1));
		if (vtr_span_is(name, "base") && layouts_base_add(os, path, value, err) < 0)
			return -1;
		for (size_t i = 0; i < VTR_COUNT(keys); i++)
			if (vtr_span_is(name, keys[i].name) &&
			    vtr_os_add_fact(os, keys[i].key, value.p, value.len, path, err) < 0)
				return -1;
	}
	return 0;
}

int vtr_ubuntu_core_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char snapd[] = "/var/lib/snapd", modeenv[] = "/var/lib/snapd/modeenv";
	const struct vtr_fact *base;

	if (vtr_os_add_text(os, "distro", "ubuntu-core", snapd, err) < 0 ||
	    vtr_os_text(os, modeenv, vtr_modeenv_parse, err) < 0)
		return -1;
	base = vtr_os_fact(os, "base");
	vtr_warn(os->ctx, VTR_OK,
		 "%s: %s: the root of Ubuntu Core is a snap, %s, which is not read: here are its writable files",
		 os->root, os->dir, base ? base->value : "its base");
	return vtr_os_add_text(os, "product_name", "Ubuntu Core", snapd, err);
}

/* The headers of an assertion of a model, "NAME: VALUE" up to an empty line. */
int vtr_model_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line, brand = { "", 0 }, model = { "", 0 };
	VTR_FREE char *whole = NULL;
	struct vtr_str s = { 0 };

	while (vtr_span_line(&line, &rest) && line.len > 0) {
		size_t colon = vtr_span_find(line, ':');
		struct vtr_span name = { line.p, colon }, value = vtr_span_skip(line, VTR_MIN(colon + 1, line.len));

		value = vtr_span_trim(value);
		if (vtr_span_is(name, "brand-id"))
			brand = value;
		else if (vtr_span_is(name, "model"))
			model = value;
		else if (vtr_span_is(name, "base") && layouts_base_add(os, path, value, err) < 0)
			return -1;
		else if (vtr_span_is(name, "grade") && vtr_os_add_fact(os, "grade", value.p, value.len, path, err) < 0)
			return -1;
	}
	if (model.len == 0)
		return 0;
	vtr_str_put(&s, brand.p, brand.len);
	vtr_str_put(&s, "/", brand.len > 0);
	vtr_str_put(&s, model.p, model.len);
	whole = vtr_str_take(&s, err);
	return whole ? vtr_os_add_text(os, "model", whole, path, err) : -1;
}

struct layouts_seed {
	char *last; /* labels are dates: the newest system is the last */
};

static int layouts_seed_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct layouts_seed *s = arg;

	(void)os;
	if (e->type != VTR_TYPE_DIR)
		return 0;
	free(s->last);
	s->last = vtr_strndup(e->path, strlen(e->path), err);
	return s->last ? 0 : -1;
}

int vtr_ubuntu_seed_read(struct vtr_os *os, const char *systems, struct vtr_error *err)
{
	struct layouts_seed seed = { NULL };
	VTR_FREE char *model = NULL;
	struct vtr_str s = { 0 };
	int rc = vtr_os_list(os, systems, layouts_seed_entry, &seed, err);

	if (rc == 0 && seed.last) {
		vtr_str_putf(&s, "%s/model", seed.last);
		model = vtr_str_take(&s, err);
		rc = model && vtr_os_text(os, model, vtr_model_parse, err) >= 0 ? 0 : -1;
	}
	free(seed.last);
	if (rc < 0 || vtr_os_add_text(os, "distro", "ubuntu-core", systems, err) < 0)
		return -1;
	vtr_warn(os->ctx, VTR_OK, "%s: Ubuntu Core, which is not installed yet: here is what it is installed from",
		 os->root);
	return vtr_os_add_text(os, "product_name", "Ubuntu Core", systems, err);
}

/* --------------------------------------------------------------------------------------------------------- Android */

/* ABIs of the NDK, and what uname -m calls them. */
static const struct {
	const char *abi, *arch;
} layouts_abis[] = {
	{ "arm64-v8a", "aarch64" }, { "armeabi-v7a", "arm" }, { "armeabi", "arm" },	{ "x86_64", "x86_64" },
	{ "x86", "i386" },	    { "riscv64", "riscv64" }, { "mips64", "mips64el" }, { "mips", "mipsel" },
};

static int layouts_property(struct vtr_os *os, const char *path, struct vtr_span name, struct vtr_span value,
			    struct vtr_error *err)
{
	static const struct {
		const char *name, *key;
	} keys[] = {
		{ "ro.build.version.release", "version" },
		{ "ro.system.build.version.release", "version" },
		{ "ro.product.model", "model" },
		{ "ro.product.system.model", "model" },
		{ "ro.product.vendor.model", "model" },
		{ "ro.build.display.id", "build_id" },
		{ "ro.build.id", "build_id" },
		{ "ro.system.build.id", "build_id" },
		{ "persist.sys.timezone", "timezone" },
	};
	struct vtr_span first = { value.p, vtr_span_find(value, ',') };

	for (size_t i = 0; i < VTR_COUNT(keys); i++)
		if (vtr_span_is(name, keys[i].name))
			return vtr_os_add_fact(os, keys[i].key, value.p, value.len, path, err);
	if (!vtr_span_is(name, "ro.product.cpu.abilist") && !vtr_span_is(name, "ro.product.cpu.abi") &&
	    !vtr_span_is(name, "ro.system.product.cpu.abilist"))
		return 0;
	for (size_t i = 0; i < VTR_COUNT(layouts_abis); i++)
		if (vtr_span_is(first, layouts_abis[i].abi))
			return vtr_os_add_text(os, "arch", layouts_abis[i].arch, path, err);
	return 0;
}

int vtr_properties_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line;

	while (vtr_span_line(&line, &rest)) {
		size_t eq;

		line = vtr_span_trim(line);
		eq = vtr_span_find(line, '=');
		if (line.len == 0 || *line.p == '#' || eq == line.len)
			continue;
		if (layouts_property(os, path, (struct vtr_span){ line.p, eq }, vtr_span_skip(line, eq + 1), err) < 0)
			return -1;
	}
	return 0;
}

static int layouts_android_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char system[] = "/system/build.prop", vendor[] = "/vendor/build.prop";
	const struct vtr_fact *version;
	char product[96];

	if (vtr_os_text(os, system, vtr_properties_parse, err) < 0 ||
	    vtr_os_text(os, vendor, vtr_properties_parse, err) < 0 ||
	    vtr_os_add_text(os, "distro", "android", system, err) < 0)
		return -1;
	version = vtr_os_fact(os, "version");
	snprintf(product, sizeof(product), "Android%s%.60s", version ? " " : "", version ? version->value : "");
	return vtr_os_add_text(os, "product_name", product, system, err);
}

int vtr_layouts_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char guix[] = "/var/guix/profiles/system";
	int there;

	for (size_t i = 0; i < VTR_COUNT(layouts_profiles); i++)
		if (layouts_generations_read(os, layouts_profiles[i], err) < 0)
			return -1;
	there = vtr_os_fact(os, "distro") ? 0 : vtr_os_look(NULL, NULL, os, guix, VTR_WALK_NOFOLLOW, err);
	if (there < 0 || (there > 0 && (vtr_os_add_text(os, "distro", "guix", guix, err) < 0 ||
					vtr_os_add_text(os, "product_name", "Guix System", guix, err) < 0)))
		return -1;
	there = vtr_os_fact(os, "distro") ? 0 : vtr_os_there(os, "/system/build.prop", err);
	return there > 0 ? layouts_android_read(os, err) : there;
}
