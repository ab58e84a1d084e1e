/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text formats that inspection reads: the first byte says which parser gets the rest. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/held.h"
#include "inspect/inspect.h"

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			abort();                                                                                       \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int fuzz_assigned(void *arg, const char *name, size_t name_len, const char *value, size_t value_len,
			 struct vtr_error *err)
{
	size_t *total = arg;

	(void)err;
	CHECK(name_len > 0 && memchr(name, '=', name_len) == NULL);
	*total += name_len + value_len;
	/* Of each value every byte is read, for the sanitizer. */
	return value_len > 0 && memchr(value, 0xff, value_len) == value + value_len ? 1 : 0;
}

static void fuzz_assignments(const char *text, size_t len)
{
	struct vtr_error err = { 0 };
	size_t total = 0;

	CHECK(vtr_assignments(text, len, fuzz_assigned, &total, &err) == 0);
	CHECK(total <= len);
}

static const struct vtr_device fuzz_devices[] = {
	{ .name = "/dev/sda", .parent = -1, .label = "", .uuid = "" },
	{ .name = "/dev/sda1", .parent = 0, .label = "root", .uuid = "ABCD-1234", .has_fs = true },
	{ .name = "/dev/vg/lv-a", .parent = 1, .label = "a b", .uuid = "0f3f0e53-2a7e-4b6f-9b66-0d1f1f0a0001" },
};

static int fuzz_entry(void *arg, const struct vtr_fstab_entry *e, struct vtr_error *err)
{
	const struct vtr_inspect in = { .devices = fuzz_devices, .n_devices = 3 };
	const struct vtr_inspect one = { .devices = fuzz_devices, .n_devices = 1 };
	size_t device = 0;

	CHECK(vtr_fstab_resolve(&device, &in, e->spec, 1, err) >= 0 && device < 3);
	device = 0;
	CHECK(vtr_fstab_resolve(&device, &one, e->spec, 0, err) >= 0 && device == 0);
	*(size_t *)arg += strlen(e->spec) + strlen(e->file) + strlen(e->type);
	return strlen(e->options) > SIZE_MAX / 2;
}

static void fuzz_fstab(const char *text, size_t len)
{
	struct vtr_error err = { 0 };
	size_t total = 0;

	CHECK(vtr_fstab_parse(text, len, fuzz_entry, &total, &err) == 0);
	CHECK(total <= len);
}

static bool fuzz_plain(const char *s)
{
	for (; s && *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static void fuzz_dpkg(const char *text, size_t len)
{
	struct vtr_limits lim;
	struct vtr_error err = { 0 };
	struct vtr_ctx *ctx;
	const struct vtr_package *p, *before = NULL;
	struct vtr_os *os;
	char *copy;

	vtr_limits_default(&lim);
	lim.packages = 300;
	lim.line = 200;
	ctx = vtr_ctx_new(&lim, NULL);
	os = vtr_os_new(ctx, "/dev/sda1", NULL, NULL);
	copy = vtr_hold(ctx, len + 1, 1, "text", NULL);
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = 0;
	if (vtr_dpkg_parse(os, copy, len, &err) < 0) {
		CHECK(err.code == VTR_ELIMIT);
		vtr_let_go(copy);
	}
	for (size_t i = 0; (p = vtr_os_package(os, i)); i++) {
		const char *strings[] = { p->name,   p->version,	p->arch,   p->status,
					  p->source, p->source_version, p->summary };

		CHECK(p->name && *p->name && p->version && p->arch && p->status);
		CHECK(strcmp(p->status, "not-installed") != 0);
		for (size_t j = 0; j < sizeof(strings) / sizeof(strings[0]); j++)
			CHECK(!strings[j] || (fuzz_plain(strings[j]) && vtr_utf8_is(strings[j], strlen(strings[j]))));
		if (before) {
			int c = strcmp(before->name, p->name);

			CHECK(c < 0 || (c == 0 && strcmp(before->arch, p->arch) < 0));
		}
		before = p;
	}
	vtr_os_free(os);
	vtr_ctx_unref(ctx);
}

static void fuzz_lines(const char *text, size_t len)
{
	struct vtr_lines l = { text, text + len };
	const char *line, *at = text;
	size_t line_len;

	while (vtr_lines_next(&l, &line, &line_len) > 0) {
		CHECK(line == at && line + line_len <= text + len && !memchr(line, '\n', line_len));
		at = l.p;
	}
	CHECK(at == text + len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text;

	if (len == 0)
		return 0;
	text = malloc(len > 1 ? len - 1 : 1);
	memcpy(text, data + 1, len - 1);
	switch (data[0] % 5) {
	case 0:
		fuzz_assignments(text, len - 1);
		break;
	case 1:
		fuzz_fstab(text, len - 1);
		break;
	case 2:
		fuzz_dpkg(text, len - 1);
		break;
	case 3:
		vtr_elf_arch((const uint8_t *)text, len - 1);
		break;
	default:
		fuzz_lines(text, len - 1);
		break;
	}
	free(text);
	return 0;
}
