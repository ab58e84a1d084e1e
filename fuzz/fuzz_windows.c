/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What inspection reads of Windows, and paths. The first byte says which parser gets the rest; above those, the rest is one
 * hive, which is every hive of a system at once, and its boot store, and a whole inspection reads it. From 10 on, a length
 * and as many bytes stand before the hive: the files that are none; 11 is a disk with a GPT,
 * 12 one without a boot store, 13 one that does not have boot.ini either.
 */
#include <string.h>

#include "base/checked.h"
#include "fs/fs.h"
#include "fuzz/fuzz_packages.h"
#include "fuzz/fuzz_records.h"
#include "inspect/windows/windows.h"
#include "partitions/partition.h"

/* ------------------------------------------------------------------------------------------- a filesystem for hives */

static const struct tiny_node {
	const char *name;
	uint64_t parent;
	int type; /* enum vtr_type; 0: a directory */
} tiny_nodes[] = {
	{ "", 0, 0 },
	{ "Windows", 0, 0 },
	{ "System32", 1, 0 },
	{ "config", 2, 0 },
	{ "SYSTEM", 3, VTR_TYPE_FILE },
	{ "SOFTWARE", 3, VTR_TYPE_FILE },
	{ "SAM", 3, VTR_TYPE_FILE },
	{ "SECURITY", 3, VTR_TYPE_FILE },
	{ "DEFAULT", 3, VTR_TYPE_FILE },
	{ "Boot", 0, 0 },
	{ "BCD", 9, VTR_TYPE_FILE },
	{ "boot.ini", 0, VTR_TYPE_FILE },
	{ "hiberfil.sys", 0, VTR_TYPE_FILE },
	{ "ntoskrnl.exe", 2, VTR_TYPE_FILE },
	{ "Users", 0, 0 },
	{ "alice", 14, 0 },
	{ "NTUSER.DAT", 15, VTR_TYPE_FILE },
	{ "link", 0, VTR_TYPE_SYMLINK },
	{ "x.sys", 2, VTR_TYPE_FILE },
};

struct tiny {
	struct vtr_fs fs;
	size_t other;	  /* bytes of the source that are the files that are no hives; 0: all are the same */
	unsigned missing; /* 1: the boot store; 2: and boot.ini */
};

/* Where a file's bytes are in the source. */
static uint64_t tiny_place(uint64_t *len, struct vtr_fs *fs, uint64_t node)
{
	const char *name = tiny_nodes[node].name;
	size_t other = ((struct tiny *)fs)->other;
	bool hive = strcmp(name, "boot.ini") != 0 && strcmp(name, "hiberfil.sys") != 0 &&
		    strcmp(name, "ntoskrnl.exe") != 0 && strcmp(name, "x.sys") != 0;

	*len = hive || other == 0 ? fs->blk->size - other : other;
	return hive ? other : 0;
}

static int tiny_stat(struct vtr_stat *out, struct vtr_fs *fs, uint64_t node, struct vtr_error *err)
{
	if (node >= VTR_COUNT(tiny_nodes))
		return vtr_fail(err, VTR_ENOTFOUND, "no such node");
	out->type = tiny_nodes[node].type ? tiny_nodes[node].type : VTR_TYPE_DIR;
	if (tiny_nodes[node].type)
		tiny_place(&out->size, fs, node);
	out->nlink = 1;
	return 0;
}

static int tiny_readdir(struct vtr_fs *fs, uint64_t dir, struct vtr_emitter *e, struct vtr_error *err)
{
	const unsigned missing = ((struct tiny *)fs)->missing;

	for (size_t i = 1; i < VTR_COUNT(tiny_nodes); i++) {
		const struct tiny_node *n = &tiny_nodes[i];
		int rc = n->parent == dir && !(missing > 0 && strcmp(n->name, "BCD") == 0) &&
					 !(missing > 1 && strcmp(n->name, "boot.ini") == 0)
				 ? vtr_fs_emit(e, n->name, strlen(n->name), i, n->type ? n->type : VTR_TYPE_DIR, err)
				 : 0;

		if (rc != 0)
			return rc;
	}
	return 0;
}

static int tiny_read(struct vtr_fs *fs, uint64_t node, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	uint64_t size, at = tiny_place(&size, fs, node);

	return vtr_blk_pread(fs->blk, at + off, buf, len, err);
}

static ssize_t tiny_readlink(struct vtr_fs *fs, uint64_t node, char *buf, size_t size, struct vtr_error *err)
{
	(void)node;
	return vtr_blk_pread(fs->blk, 0, buf, size, err) < 0 ? -1 : (ssize_t)size;
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

/* The disk that MountedDevices and the boot store of the seeds name. */
static const struct vtr_partition fuzz_schemes[] = { { .name = "mbr" }, { .name = "gpt" } };
static struct vtr_part fuzz_mbr[] = { { .off = 1 << 20 }, { .off = 40 << 20 } };
static struct vtr_part fuzz_gpt[] = { { .off = 1 << 20, .guid = "5a170000-0000-4000-8000-0000000000d2" },
				      { .off = 40 << 20, .guid = "5a170000-0000-4000-8000-0000000000d3" } };
static const struct vtr_parts fuzz_tables[] = {
	{ .scheme = &fuzz_schemes[0], .disk_id = "1234abcd", .parts = fuzz_mbr, .n = 2 },
	{ .scheme = &fuzz_schemes[1], .disk_id = "5a170000-0000-4000-8000-0000000000d0", .parts = fuzz_gpt, .n = 2 },
};

static void fuzz_system(unsigned kind, const uint8_t *data, size_t len)
{
	const struct vtr_parts *table = &fuzz_tables[kind == 11];
	const struct vtr_device devices[] = {
		{ .name = "/dev/sda1", .parent = -1, .content = "ntfs", .has_fs = true, .of = table },
		{ .name = "/dev/sda2", .parent = -1, .of = table, .part = 1 },
	};
	size_t other = kind >= 10 && len >= 2 ? VTR_MIN((size_t)vtr_get_le16(data), len - 2) : 0;
	struct vtr_limits lim;
	struct vtr_ctx *ctx;
	struct vtr_inspect in = { .devices = devices, .n_devices = VTR_COUNT(devices), .fs = tiny_fs };
	struct vtr_blk *b = NULL;
	struct vtr_error err = { 0 };
	struct vtr_os **systems;
	struct vtr_fs *fs;
	size_t n;

	if (kind >= 10 && len >= 2)
		data += 2, len -= 2;
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
	fs = vtr_fs_new(&tiny_ops, sizeof(struct tiny), b, NULL);
	FUZZ_CHECK(fs);
	((struct tiny *)fs)->other = other;
	((struct tiny *)fs)->missing = kind == 12 || kind == 13 ? kind - 11 : 0;
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

/* A path, and the target of a link, in a tree with drives: what is shown of a path leads where the path does. */
static void fuzz_path(const uint8_t *data, size_t len)
{
	struct vtr_place p = { 0 }, again = { 0 };
	struct vtr_ctx *ctx = fuzz_ctx();
	struct vtr_blk *b = NULL;
	struct vtr_fs *fs, *other;
	struct vtr_tree *t;
	char *text = malloc(len + 1), *shown;
	int rc;

	FUZZ_CHECK(text && vtr_blk_memory(&b, ctx, data, len, NULL) == 0);
	memcpy(text, data, len);
	text[len] = 0;
	fs = vtr_fs_new(&tiny_ops, sizeof(struct tiny), b, NULL);
	other = vtr_fs_new(&tiny_ops, sizeof(struct tiny), b, NULL);
	t = fs && other ? vtr_tree_new(fs, NULL) : NULL;
	FUZZ_CHECK(t && vtr_tree_add_drive(t, 'C', NULL, fs, NULL) == 0 &&
		   vtr_tree_add_drive(t, 'D', NULL, other, NULL) == 0);
	FUZZ_CHECK(vtr_tree_add_drive(t, 0, "656b1715-ecf6-11df-92e6-806e6f6e6963", other, NULL) == 0);
	FUZZ_CHECK(vtr_tree_set_system_root(t, "/Windows", NULL) == 0);
	rc = vtr_tree_walk(&p, t, text, 0, NULL);
	if (*text && vtr_tree_path(&shown, t, text, NULL) == 0) {
		FUZZ_CHECK(!strchr(shown, '\\') && vtr_tree_walk(&again, t, shown, 0, NULL) == rc);
		FUZZ_CHECK(rc < 0 || (p.fs == again.fs && p.node == again.node));
		free(shown);
	}
	if (vtr_tree_walk(&p, t, "C:\\link", 0, NULL) == 0)
		FUZZ_CHECK((p.fs == fs || p.fs == other) && p.node < VTR_COUNT(tiny_nodes));
	vtr_tree_free(t);
	vtr_fs_unref(fs);
	vtr_fs_unref(other);
	vtr_blk_unref(b);
	vtr_ctx_unref(ctx);
	free(text);
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
	else if (data[0] == 8)
		fuzz_path(copy, len - 1);
	else
		fuzz_system(data[0], copy, len - 1);
	free(copy);
	return 0;
}
