/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files that records and facts are read from: the first byte says which parser gets the rest. Whatever they are
 * given, records are text that may be printed, and of the kinds that their members claim.
 */
#include <string.h>

#include "base/checked.h"
#include "fuzz/fuzz_records.h"
#include "fuzz/parsers.h"
#include "inspect/accounts.h"
#include "inspect/yaml.h"

static int fuzz_passwd(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span all = { text, len };
	size_t half = vtr_span_find(all, '\f'); /* then comes shadow */
	struct vtr_span shadow = vtr_span_skip(all, VTR_MIN(half + 1, len));

	return vtr_passwd_parse(os, path, text, half, shadow.p, shadow.len, err);
}

static int fuzz_kernel(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	uint64_t at;
	const char *arch = vtr_kernel_arch((const uint8_t *)text, len, &at);

	(void)os, (void)path, (void)err;
	FUZZ_CHECK(at <= 0x200 + UINT16_MAX && (!arch || *arch));
	return 0;
}

static int fuzz_scalar(void *arg, const struct vtr_span *keys, size_t n, struct vtr_span value, uint64_t item,
		       struct vtr_error *err)
{
	const struct vtr_span *text = arg;

	(void)item, (void)err;
	FUZZ_CHECK(value.p >= text->p && value.p + value.len <= text->p + text->len);
	for (size_t i = 0; i < n; i++)
		FUZZ_CHECK(keys[i].p >= text->p && keys[i].p + keys[i].len <= text->p + text->len);
	return 0;
}

static int fuzz_yaml(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span all = { text, len };
	uint64_t skipped;

	(void)os, (void)path;
	return vtr_yaml_parse(&skipped, text, len, fuzz_scalar, &all, err);
}

static int fuzz_nsswitch(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_account_order order;

	(void)os, (void)path, (void)err;
	vtr_nsswitch_parse(&order, "group", text, len);
	FUZZ_CHECK(order.n <= VTR_ACCOUNT_SOURCES);
	return 0;
}

static int fuzz_userdb(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_userdb u = { .path = path };
	int rc = vtr_userdb_parse(&u, text, len, err);

	(void)os;
	FUZZ_CHECK(u.name.len <= len && u.hash.len <= len && u.members.len <= 4 * len);
	vtr_userdb_done(&u);
	return rc;
}

static bool fuzz_special(struct vtr_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (memchr("*?[\\", s.p[i], 4))
			return true;
	return false;
}

/* The name is before the first newline. A pattern of the same bytes fits unless they are special. */
static int fuzz_glob(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span name, rest = { text, len };

	(void)os, (void)path, (void)err;
	if (!vtr_span_line(&name, &rest) || name.len * rest.len > 1 << 20)
		return 0;
	vtr_span_glob(name, rest);
	FUZZ_CHECK(vtr_span_glob(name, vtr_span_of("*")));
	FUZZ_CHECK(fuzz_special(name) || vtr_span_glob(name, name));
	return 0;
}

static int fuzz_setting(void *arg, const struct vtr_setting *s, struct vtr_error *err)
{
	size_t *total = arg;

	(void)err;
	*total += s->key.len + s->value.len;
	return 0;
}

static int fuzz_settings(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	(void)os, (void)path;
	for (int how = VTR_INI_SYSTEMD; how <= VTR_INI_GLIB; how++) {
		size_t refused, total = 0;

		FUZZ_CHECK(vtr_settings(&refused, text, len, how, fuzz_setting, &total, err) == 0);
		FUZZ_CHECK(total <= 2 * len && refused <= len + 1);
	}
	return 0;
}

static int fuzz_netdev(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	(void)path;
	return vtr_networkd_parse(os, "/a.netdev", text, len, err);
}

static int fuzz_link(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	(void)path;
	return vtr_networkd_parse(os, "/a.link", text, len, err);
}

#define X(parser) parser,
static vtr_text_fn *const fuzz_parsers[] = { TEXT_PARSERS(X) };
#undef X

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vtr_error err = { 0 };
	struct vtr_limits lim;
	struct vtr_ctx *ctx;
	struct vtr_os *os;
	char *text;

	if (len == 0)
		return 0;
	vtr_limits_default(&lim);
	lim.records = 100;
	lim.line = 200;
	lim.metadata = 4 << 20;
	lim.threads = 1;
	ctx = vtr_ctx_new(&lim, NULL);
	FUZZ_CHECK(ctx);
	os = vtr_os_new(ctx, "/dev/sda1", NULL, NULL);
	text = malloc(len > 1 ? len - 1 : 1); /* without a NUL behind it: nobody may look for one */
	FUZZ_CHECK(os && text);
	memcpy(text, data + 1, len - 1);
	if (fuzz_parsers[data[0] % VTR_COUNT(fuzz_parsers)](os, "/etc/f\x1bile", text, len - 1, &err) < 0)
		FUZZ_CHECK(err.code == VTR_ELIMIT);
	free(text);
	fuzz_system_check(os, lim.records);
	vtr_os_free(os);
	vtr_ctx_unref(ctx);
	return 0;
}
