/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The root of a system that has none on its disks: it is made in memory at each start, and /usr alone is stored. These are
 * the directories that systemd makes there, and the links into /usr that file-hierarchy(7) wants.
 */
#include <string.h>

#include "base/checked.h"
#include "fs/fs.h"

#define SKELETON_ROOT 1u /* entries follow, in the order of the table */

static const struct {
	const char *name, *target; /* target NULL: a directory */
	uint32_t mode;
} skeleton_entries[] = {
	{ "bin", "usr/bin", 0777 },	{ "boot", NULL, 0755 },	       { "dev", NULL, 0755 },
	{ "etc", NULL, 0755 },		{ "home", NULL, 0755 },	       { "lib", "usr/lib", 0777 },
	{ "lib64", "usr/lib64", 0777 }, { "nix", NULL, 0755 },	       { "proc", NULL, 0755 },
	{ "root", NULL, 0700 },		{ "run", NULL, 0755 },	       { "sbin", "usr/sbin", 0777 },
	{ "srv", NULL, 0755 },		{ "sys", NULL, 0755 },	       { "system", NULL, 0755 },
	{ "tmp", NULL, 01777 },		{ "ubuntu-seed", NULL, 0755 }, { "usr", NULL, 0755 },
	{ "var", NULL, 0755 },
};

/* Of the entries that only some systems have: there when what is mounted on it is. */
struct skeleton {
	struct vtr_fs fs;
	size_t only; /* of "nix", "system", "ubuntu-seed" and "usr" this one, by its index */
};

static bool skeleton_has(const struct vtr_fs *fs, size_t i)
{
	const struct skeleton *s = (const struct skeleton *)fs;
	const char *name = skeleton_entries[i].name;
	bool usr = strcmp(skeleton_entries[s->only].name, "usr") == 0;

	if (strcmp(name, "nix") == 0 || strcmp(name, "system") == 0 || strcmp(name, "ubuntu-seed") == 0)
		return i == s->only;
	return usr || !skeleton_entries[i].target;
}

static int skeleton_stat(struct vtr_stat *out, struct vtr_fs *fs, uint64_t node, struct vtr_error *err)
{
	size_t i = (size_t)(node - SKELETON_ROOT - 1);

	*out = (struct vtr_stat){ .node = node, .type = VTR_TYPE_DIR, .mode = 0755, .nlink = 1 };
	if (node == SKELETON_ROOT)
		return 0;
	if (i >= VTR_COUNT(skeleton_entries) || !skeleton_has(fs, i))
		return vtr_fail(err, VTR_ENOTFOUND, "no inode %" PRIu64, node);
	out->mode = skeleton_entries[i].mode;
	if (skeleton_entries[i].target) {
		out->type = VTR_TYPE_SYMLINK;
		out->size = strlen(skeleton_entries[i].target);
	}
	return 0;
}

static int skeleton_readdir(struct vtr_fs *fs, uint64_t dir, struct vtr_emitter *e, struct vtr_error *err)
{
	int r = 0;

	for (size_t i = 0; dir == SKELETON_ROOT && i < VTR_COUNT(skeleton_entries) && r == 0; i++)
		if (skeleton_has(fs, i))
			r = vtr_fs_emit(e, skeleton_entries[i].name, strlen(skeleton_entries[i].name),
					SKELETON_ROOT + 1 + i,
					skeleton_entries[i].target ? VTR_TYPE_SYMLINK : VTR_TYPE_DIR, err);
	return r;
}

static int skeleton_read(struct vtr_fs *fs, uint64_t node, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	(void)fs, (void)off, (void)buf, (void)len;
	return vtr_fail(err, VTR_ENOTFOUND, "inode %" PRIu64 " is no file", node);
}

static ssize_t skeleton_readlink(struct vtr_fs *fs, uint64_t node, char *buf, size_t size, struct vtr_error *err)
{
	const char *target = skeleton_entries[node - SKELETON_ROOT - 1].target;

	(void)fs, (void)err;
	memcpy(buf, target, size);
	return (ssize_t)size;
}

static const struct vtr_fs_info *skeleton_info(struct vtr_fs *fs)
{
	static const struct vtr_fs_info info = { .type = "tmpfs", .label = "", .uuid = "" };

	(void)fs;
	return &info;
}

static const struct vtr_fs_ops skeleton_ops = {
	.stat = skeleton_stat,
	.readdir = skeleton_readdir,
	.read = skeleton_read,
	.readlink = skeleton_readlink,
	.info = skeleton_info,
};

int vtr_fs_skeleton(struct vtr_fs **out, struct vtr_blk *b, const char *name, struct vtr_error *err)
{
	struct vtr_fs *fs = vtr_fs_new(&skeleton_ops, sizeof(struct skeleton), b, err);

	if (!fs)
		return -1;
	for (size_t i = 0; i < VTR_COUNT(skeleton_entries); i++)
		if (strcmp(skeleton_entries[i].name, name) == 0)
			((struct skeleton *)fs)->only = i;
	fs->root = SKELETON_ROOT;
	*out = fs;
	return 0;
}
