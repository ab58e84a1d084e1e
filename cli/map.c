/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine map: which parts of a disk are stored, and where. */
#include <string.h>

#include "cli/cli.h"

extern const struct cli_verb cli_verb_map;

/* A part of the disk that is alike throughout. */
struct map_line {
	uint64_t start;
	struct vtr_extent e;
	bool present;
};

/* Whether a line goes on with what comes after it. */
static bool map_joins(const struct map_line *l, const struct map_line *next)
{
	const struct vtr_extent *a = &l->e, *b = &next->e;

	if (a->kind != b->kind || a->depth != b->depth || a->compressed != b->compressed || a->zero != b->zero ||
	    a->has_host_off != b->has_host_off || l->present != next->present)
		return false;
	return !a->has_host_off || (a->host_off + a->len == b->host_off && a->host_file == b->host_file);
}

/* Images that cannot have a parent say of all that they have it: holes of a raw disk are zeros of its own. */
static bool map_present(struct vtr_blk *image, const struct vtr_extent *e)
{
	if (e->kind != VTR_EXTENT_ABSENT)
		return true;
	for (unsigned i = 0; i < e->depth && image; i++)
		image = vtr_image_backing(image);
	return image && vtr_image_info(image) && strcmp(vtr_image_info(image)->format, "raw") == 0;
}

static void map_print(const struct cli *c, const struct map_line *l)
{
	const struct vtr_extent *e = &l->e;
	bool data = e->kind == VTR_EXTENT_DATA;
	json_t *o;

	if (!c->json) {
		printf("%#16" PRIx64 " %#16" PRIx64 "  %-10s  %5u", l->start, e->len,
		       !l->present     ? "absent"
		       : !data	       ? "zero"
		       : e->compressed ? "compressed"
		       : e->zero       ? "hole"
				       : "data",
		       e->depth);
		if (e->has_host_off)
			printf(" %#16" PRIx64, e->host_off);
		if (e->has_host_off && e->host_file) {
			fputs("  ", stdout);
			cli_puts(stdout, e->host_file);
		}
		putchar('\n');
		return;
	}
	o = json_object();
	json_object_set_new(o, "start", cli_json_u64(l->start));
	json_object_set_new(o, "length", cli_json_u64(e->len));
	json_object_set_new(o, "depth", json_integer(e->depth));
	json_object_set_new(o, "present", json_boolean(l->present));
	json_object_set_new(o, "zero", json_boolean(!data || e->zero));
	json_object_set_new(o, "data", json_boolean(data));
	json_object_set_new(o, "compressed", json_boolean(e->compressed));
	if (e->has_host_off) {
		json_object_set_new(o, "offset", cli_json_u64(e->host_off));
		cli_json_set(o, "file", e->host_file);
	}
	cli_json_line(o);
}

static void map_work(struct cli *c, struct vtr_blk *image, struct vtr_blk *disk)
{
	struct vtr_error err = { 0 };
	struct map_line line = { 0 }, next;
	uint64_t off = 0, size = vtr_blk_size(disk), steps = 0;

	if (!c->json)
		printf("%16s %16s  %-10s  %5s %16s  %s\n", "start", "length", "what", "depth", "offset", "file");
	for (; off < size && !ferror(stdout); off += next.e.len) {
		next.start = off;
		/* Tables that many parts share say something of more of them than there is. */
		if (++steps > c->limits.steps) {
			err.code = VTR_ELIMIT;
			snprintf(err.text, sizeof(err.text), "more than %" PRIu64 " extents, limit steps=%" PRIu64,
				 c->limits.steps, c->limits.steps);
			cli_error(c, &err);
			break;
		}
		if (vtr_blk_extent(&next.e, disk, off, &err) < 0) {
			cli_error(c, &err);
			break;
		}
		next.present = map_present(image, &next.e);
		if (line.e.len > 0 && map_joins(&line, &next)) {
			line.e.len += next.e.len;
			continue;
		}
		if (line.e.len > 0)
			map_print(c, &line);
		line = next;
	}
	if (line.e.len > 0)
		map_print(c, &line);
}

static int map_run(int argc, char **argv)
{
	struct vtr_blk *image = NULL, *disk;
	struct cli c;

	if (!cli_begin(&c, &cli_verb_map, &argc, &argv, "", NULL, NULL, NULL))
		return cli_end(&c);
	if (argc != 0 || (c.n_images != 1 && !c.device)) {
		cli_usage(&c, "one image, or a device of several");
		return cli_end(&c);
	}
	disk = cli_disk(&image, &c);
	if (disk)
		map_work(&c, image, disk);
	vtr_blk_unref(image);
	cli_flush(&c);
	return cli_end(&c);
}

const struct cli_verb cli_verb_map = {
	.name = "map",
	.summary = "Tell which parts of the disk are stored, and where",
	.usage = "[options] IMAGE",
	.options = "",
	.without = CLI_NO_ROOT | CLI_NO_FS | CLI_NO_EXCLUDE,
	.run = map_run,
};
