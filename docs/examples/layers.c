/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each layer on its own: an image becomes a disk, the disk has partitions, a partition holds a filesystem, and a path
 * in it leads to a file. Usage: layers IMAGE PARTITION PATH, for example: layers guest.qcow2 2 /etc/hostname
 */
#include <stdio.h>
#include <stdlib.h>

#include <vitrine.h>

/* Write a regular file to standard output. */
static int print_file(struct vtr_tree *tree, const char *path, struct vtr_error *err)
{
	struct vtr_place at;
	char buf[65536];
	uint64_t off = 0;
	ssize_t n;

	/* Symbolic links are followed inside the tree only. */
	if (vtr_tree_walk(&at, tree, path, 0, err) < 0)
		return -1;
	while ((n = vtr_fs_read(at.fs, at.node, off, buf, sizeof(buf), err)) > 0) {
		fwrite(buf, 1, (size_t)n, stdout);
		off += (uint64_t)n;
	}
	return n < 0 ? -1 : 0;
}

/* The partition of this number as a block source of its own. */
static int open_partition(struct vtr_blk **out, struct vtr_blk *disk, unsigned number, struct vtr_error *err)
{
	struct vtr_parts *table = NULL;
	int r = -1;

	if (vtr_partitions_open(&table, disk, 0, err) < 0)
		return -1;
	err->code = VTR_ENOTFOUND;
	snprintf(err->text, sizeof(err->text), "no partition %u", number);
	for (size_t i = 0; table && i < vtr_parts_count(table); i++)
		if (vtr_parts_at(table, i)->number == number)
			r = vtr_parts_blk(out, table, i, err);
	vtr_parts_close(table); /* the block source keeps what it needs */
	return r;
}

int main(int argc, char **argv)
{
	struct vtr_error err = { 0 };
	struct vtr_ctx *ctx = NULL;
	struct vtr_blk *disk = NULL, *part = NULL;
	struct vtr_fs *fs = NULL;
	struct vtr_tree *tree = NULL;
	int r = -1;

	if (argc != 4) {
		fprintf(stderr, "usage: layers IMAGE PARTITION PATH\n");
		return 2;
	}
	if ((ctx = vtr_ctx_new(NULL, &err)) &&				       /* limits, policy, warnings */
	    vtr_image_open(&disk, ctx, argv[1], NULL, &err) == 0 &&	       /* the file, decoded */
	    open_partition(&part, disk, (unsigned)atoi(argv[2]), &err) == 0 && /* a slice of it */
	    vtr_fs_open(&fs, part, NULL, &err) == 0 &&			       /* a tree of nodes */
	    (tree = vtr_tree_new(fs, &err)))				       /* and the paths in it */
		r = print_file(tree, argv[3], &err);
	if (r < 0)
		fprintf(stderr, "layers: %s: %s\n", vtr_code_name(err.code), err.text);
	vtr_tree_free(tree);
	vtr_fs_unref(fs);
	vtr_blk_unref(part);
	vtr_blk_unref(disk);
	vtr_ctx_unref(ctx);
	return r < 0 || fflush(stdout) != 0 ? 1 : 0;
}
