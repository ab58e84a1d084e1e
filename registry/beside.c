/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hives that are files of the host or of a tree, and where their logs are looked for: beside them. */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/hostfile.h"
#include "registry/registry.h"

static const char *const hive_log_ends[] = { ".LOG1", ".LOG2", ".LOG" };

/* The last part of a path. */
static const char *hive_leaf_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Logs beside a file of the host: a name that the caller did not give, so that its policy decides. */
static int hive_logs_beside(void *arg, struct vtr_hive *h, struct vtr_blk *logs[3], size_t *n, struct vtr_error *err)
{
	const char *path = arg, *name = hive_leaf_name(path);
	struct vtr_origin hive = { .shown = path, .path = path };
	struct vtr_error why;

	for (size_t i = 0; i < VTR_COUNT(hive_log_ends); i++) {
		VTR_FREE char *want = NULL;
		struct vtr_str s = { 0 };

		vtr_str_puts(&s, name);
		vtr_str_puts(&s, hive_log_ends[i]);
		want = vtr_str_take(&s, err);
		if (!want)
			return -1;
		if (vtr_hostfile_open_named(&logs[i], NULL, h->ctx, &hive, want, "log of a registry hive", &why) == 0) {
			*n = VTR_COUNT(hive_log_ends);
		} else if (why.code == VTR_EPOLICY) {
			why.code = VTR_OK;
			vtr_hive_warn(h, &why);
			return 0;
		} else if (why.code != VTR_ENOTFOUND) {
			vtr_hive_warn(h, &why);
		}
	}
	return 0;
}

int vtr_hive_open_file(struct vtr_hive **out, struct vtr_ctx *ctx, const char *path, struct vtr_blk *const *logs,
		       size_t n_logs, struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *b = NULL;
	char *copy;
	int r;

	if (vtr_hostfile_open(&b, ctx, path, err) < 0)
		return -1;
	copy = vtr_strndup(path, strlen(path), err);
	if (!copy)
		return -1;
	r = vtr_hive_open_as(out, b, path, logs, n_logs, hive_logs_beside, copy, err);
	free(copy);
	return r;
}

static int hive_tree_blk(struct vtr_blk **out, struct vtr_tree *t, const char *path, struct vtr_error *err)
{
	struct vtr_place p;

	if (vtr_tree_walk(&p, t, path, VTR_WALK_ICASE, err) < 0)
		return -1;
	return vtr_fs_file_blk(out, p.fs, p.node, err);
}

struct hive_place {
	struct vtr_tree *t;
	const char *path;
};

static int hive_logs_in_tree(void *arg, struct vtr_hive *h, struct vtr_blk *logs[3], size_t *n, struct vtr_error *err)
{
	const struct hive_place *p = arg;
	struct vtr_error why;

	for (size_t i = 0; i < VTR_COUNT(hive_log_ends); i++) {
		VTR_FREE char *path = NULL;
		struct vtr_str s = { 0 };

		vtr_str_puts(&s, p->path);
		vtr_str_puts(&s, hive_log_ends[i]);
		path = vtr_str_take(&s, err);
		if (!path)
			return -1;
		if (hive_tree_blk(&logs[i], p->t, path, &why) == 0)
			*n = VTR_COUNT(hive_log_ends);
		else if (why.code != VTR_ENOTFOUND)
			vtr_hive_warn(h, &why);
	}
	return 0;
}

int vtr_hive_open_path(struct vtr_hive **out, struct vtr_tree *t, const char *path, struct vtr_error *err)
{
	struct hive_place place = { t, path };
	VTR_UNREF struct vtr_blk *b = NULL;

	if (hive_tree_blk(&b, t, path, err) < 0)
		return -1;
	return vtr_hive_open_as(out, b, path, NULL, 0, hive_logs_in_tree, &place, err);
}
