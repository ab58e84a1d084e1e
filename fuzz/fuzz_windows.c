/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What inspection reads of Windows. The first byte says which parser gets the rest; above those of single values, the
 * rest is one hive, which is every hive of a system at once, and its boot store, and a whole inspection reads it.
 */
#include <string.h>

#include "base/checked.h"
#include "fs/fs.h"
#include "fuzz/fuzz_packages.h"
#include "fuzz/fuzz_records.h"
#include "inspect/windows/windows.h"

/* ------------------------------------------------------------------------------------------- a filesystem for hives */

static const struct tiny_node {
	const char *name;
	uint64_t parent;
	bool file;
} tiny_nodes[] = {
	{ "", 0, false },
	{ "Windows", 0, false },
	{ "System32", 1, false },
	{ "config", 2, false },
	{ "SYSTEM", 3, true },
	{ "SOFTWARE", 3, true },
	{ "SAM", 3, true },
	{ "SECURITY", 3, true },
	{ "DEFAULT", 3, true },
	{ "Boot", 0, false },
	{ "BCD", 9, true },
	{ "boot.ini", 0, true },
	{ "hiberfil.sys", 0, true },
	{ "ntoskrnl.exe", 2, true },
	{ "Users", 0, false },
	{ "alice", 14, false },
	{ "NTUSER.DAT", 15, true },
};

static int tiny_stat(struct vtr_stat *out, struct vtr_fs *fs, uint64_t node, struct vtr_error *err)
{
	if (node >= VTR_COUNT(tiny_nodes))
		return vtr_fail(err, VTR_ENOTFOUND, "no such node");
	out->type = tiny_nodes[node].file ? VTR_TYPE_FILE : VTR_TYPE_DIR;
	out->size = tiny_nodes[node].file ? fs->blk->size : 0;
	out->nlink = 1;
	return 0;
}

static int tiny_readdir(struct vtr_fs *fs, uint64_t dir, struct vtr_emitter *e, struct vtr_error *err)
{
	(void)fs;
	for (size_t i = 1; i < VTR_COUNT(tiny_nodes); i++) {
		const struct tiny_node *n = &tiny_nodes[i];
		int rc = n->parent == dir ? vtr_fs_emit(e, n->name, strlen(n->name), i,
							n->file ? VTR_TYPE_FILE : VTR_TYPE_DIR, err)
					  : 0;

		if (rc != 0)
			return rc;
	}
	return 0;
}

static int tiny_read(struct vtr_fs *fs, uint64_t node, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	(void)node;
	return vtr_blk_pread(fs->blk, off, buf, len, err);
}

static ssize_t tiny_readlink(struct vtr_fs *fs, uint64_t node, char *buf, size_t size, struct vtr_error *err)
{
	(void)fs, (void)node, (void)buf, (void)size;
	return vtr_fail(err, VTR_EUSAGE, "no link");
}

static const struct vtr_fs_info *tiny_info(struct vtr_fs *fs)
{
	static const struct vtr_fs_info info = { .type = "tiny", .label = "", .uuid = "" };

	(void)fs;
	return &info;
}

static const struct vtr_fs_ops tiny_ops = {
	.stat = tiny_stat,
	.readdir = tiny_readdir,
	.read = tiny_read,
	.readlink = tiny_readlink,
	.info = tiny_info,
};

static struct vtr_fs *tiny_fs(void *arg, size_t device, struct vtr_error *err)
{
	(void)device, (void)err;
	return arg;
}

static void fuzz_system(const uint8_t *data, size_t len)
{
	const struct vtr_device device = { .name = "/dev/sda1", .parent = -1, .content = "ntfs", .has_fs = true };
	struct vtr_limits lim;
	struct vtr_ctx *ctx;
	struct vtr_inspect in = { .devices = &device, .n_devices = 1, .fs = tiny_fs };
	struct vtr_blk *b = NULL;
	struct vtr_error err = { 0 };
	struct vtr_os **systems;
	struct vtr_fs *fs;
	size_t n;

	vtr_limits_default(&lim);
	lim.steps = 20000;
	lim.depth = 32;
	lim.records = 200;
	lim.packages = 200;
	lim.line = 1000;
	lim.text_file = 65536;
	lim.alloc = 1 << 20;
	lim.metadata = 8 << 20;
	lim.threads = 1;
	ctx = vtr_ctx_new(&lim, NULL);
	FUZZ_CHECK(ctx && vtr_blk_memory(&b, ctx, data, len, NULL) == 0);
	fs = vtr_fs_new(&tiny_ops, sizeof(*fs), b, NULL);
	FUZZ_CHECK(fs);
	in.ctx = ctx;
	in.arg = fs;
	FUZZ_CHECK(vtr_inspect_run(&systems, &n, &in, &err) == 0 && n == 1);
	for (size_t i = 0; i < n; i++) {
		struct vtr_packages l = { .os = systems[i], .path = "SOFTWARE" };

		FUZZ_CHECK(strcmp(vtr_os_fact(systems[i], "type")->value, "windows") == 0);
		FUZZ_CHECK(vtr_os_read_records(systems[i], &err) == 0);
		fuzz_system_check(systems[i], lim.records);
		err = (struct vtr_error){ 0 };
		fuzz_packages_check(&l, vtr_windows_packages_read(&l, &err), &err);
		vtr_os_free(systems[i]);
	}
	free(systems);
	vtr_fs_unref(fs);
	vtr_blk_unref(b);
	vtr_ctx_unref(ctx);
}

/* ---------------------------------------------------------------------------------------------------------- values */

static void fuzz_plain(const char *s, size_t size)
{
	FUZZ_CHECK(strnlen(s, size) < size && vtr_utf8_is(s, strlen(s)));
}

static int fuzz_member(void *arg, const char *sid, struct vtr_error *err)
{
	(void)arg, (void)err;
	FUZZ_CHECK(strncmp(sid, "S-1-", 4) == 0 && strlen(sid) < WIN_SID);
	return 0;
}

static int fuzz_boot_entry(void *arg, const struct win_boot_entry *e, struct vtr_error *err)
{
	const struct vtr_span *all = arg, parts[] = { e->arc, e->folder, e->title };

	(void)err;
	for (size_t i = 0; i < VTR_COUNT(parts); i++)
		FUZZ_CHECK(parts[i].len == 0 ||
			   (parts[i].p >= all->p && parts[i].p + parts[i].len <= all->p + all->len));
	return 0;
}

static void fuzz_value(unsigned kind, const uint8_t *p, size_t len)
{
	struct vtr_span all = { (const char *)p, len };
	char name[256], comment[512], letter, guid[37];
	struct vtr_str text = { 0 };
	struct win_mount m = { 0 };
	struct win_user u = { 0 };

	switch (kind) {
	case 0:
		vtr_win_mount_parse(&m, p, len);
		fuzz_plain(m.name, sizeof(m.name));
		break;
	case 1:
		vtr_win_bcd_device_parse(&m, p, len);
		FUZZ_CHECK(m.kind != WIN_MOUNT_NAME);
		break;
	case 2:
		FUZZ_CHECK(vtr_win_user_f_parse(&u, p, len, NULL) < 0 || u.has_f);
		break;
	case 3:
		if (vtr_win_user_v_parse(&u, p, len, NULL) == 0) {
			fuzz_plain(u.name, sizeof(u.name));
			fuzz_plain(u.full_name, sizeof(u.full_name));
			fuzz_plain(u.comment, sizeof(u.comment));
		}
		break;
	case 4:
		if (vtr_win_group_c_parse(name, comment, p, len, fuzz_member, NULL, NULL) == 0) {
			fuzz_plain(name, sizeof(name));
			fuzz_plain(comment, sizeof(comment));
		}
		break;
	case 5:
		FUZZ_CHECK(vtr_win_boot_ini_parse(all.p, len, fuzz_boot_entry, &all, NULL) == 0);
		break;
	case 6:
		vtr_win_actions_parse(&text, p, len);
		FUZZ_CHECK(text.len == 0 || vtr_utf8_is(text.p, text.len));
		break;
	default:
		if (vtr_win_mount_name(&letter, guid, all.p, len))
			FUZZ_CHECK(letter ? letter >= 'A' && letter <= 'Z' : strlen(guid) == 36);
	}
	vtr_str_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *copy;

	if (len == 0)
		return 0;
	copy = malloc(len > 1 ? len - 1 : 1); /* of exactly its size */
	FUZZ_CHECK(copy);
	memcpy(copy, data + 1, len - 1);
	if (data[0] < 8)
		fuzz_value(data[0], copy, len - 1);
	else
		fuzz_system(copy, len - 1);
	free(copy);
	return 0;
}
