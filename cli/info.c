/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine info: the container of a disk. */
#include <string.h>

#include "cli/cli.h"

extern const struct cli_verb cli_verb_info;

static void info_text(const char *title, const char *bytes)
{
	printf("  %-17s ", title);
	cli_puts(stdout, bytes);
	putchar('\n');
}

static void info_bytes(const char *title, uint64_t n)
{
	char size[32];

	if (n < 1024)
		printf("  %-17s %" PRIu64 " bytes\n", title, n);
	else
		printf("  %-17s %s (%" PRIu64 " bytes)\n", title, cli_size(size, n), n);
}

static void info_snapshot_line(const struct vtr_snapshot *s)
{
	struct vtr_time t = { .sec = s->date_s, .nsec = s->date_ns, .set = true };
	char when[48], size[32], state[32];

	printf("  snapshot          ");
	cli_puts(stdout, s->id);
	fputs("  ", stdout);
	cli_puts(stdout, s->name);
	printf("  %s  disk %s", cli_time(when, &t, false), cli_size(size, s->size));
	if (s->vm_state_size)
		printf(", machine state %s", cli_size(state, s->vm_state_size));
	putchar('\n');
}

static void info_print(const struct vtr_image_info *i, unsigned depth)
{
	if (depth > 0)
		putchar('\n');
	cli_puts(stdout, i->path ? i->path : "(no path)");
	printf(": %s (%s)\n", i->format, i->title);
	info_bytes("virtual size", i->virtual_size);
	info_bytes("file size", i->file_size);
	info_bytes("allocated", i->allocated_size);
	if (i->cluster_size)
		info_bytes("cluster size", i->cluster_size);
	if (i->backing) {
		info_text("backing file", i->backing);
		if (i->backing_format)
			info_text("backing format", i->backing_format);
		info_text("backing found",
			  i->backing_path ? i->backing_path : "not opened: --follow or --allow-dir opens it");
	}
	for (size_t k = 0; k < i->n_props; k++) {
		const struct vtr_prop *p = &i->props[k];

		if (p->kind == VTR_PROP_TEXT)
			info_text(p->title, p->text);
		else if (p->kind == VTR_PROP_BYTES)
			info_bytes(p->title, p->number);
		else if (p->kind == VTR_PROP_BOOL)
			info_text(p->title, p->number ? "yes" : "no");
		else
			printf("  %-17s %" PRIu64 "\n", p->title, p->number);
	}
	if (i->dirty)
		info_text("dirty", "yes: it was not closed by its last writer");
	if (i->corrupt)
		info_text("corrupt", "yes: it says so of itself");
	for (size_t k = 0; k < i->n_snapshots; k++)
		info_snapshot_line(&i->snapshots[k]);
}

static json_t *info_json(const struct vtr_image_info *i)
{
	json_t *o = json_object(), *list, *props;

	cli_json_set(o, "path", i->path);
	json_object_set_new(o, "format", json_string(i->format));
	json_object_set_new(o, "virtual_size", cli_json_u64(i->virtual_size));
	json_object_set_new(o, "file_size", cli_json_u64(i->file_size));
	json_object_set_new(o, "allocated_size", cli_json_u64(i->allocated_size));
	if (i->cluster_size)
		json_object_set_new(o, "cluster_size", cli_json_u64(i->cluster_size));
	cli_json_set(o, "backing_file", i->backing);
	cli_json_set(o, "backing_format", i->backing_format);
	cli_json_set(o, "backing_path", i->backing_path);
	json_object_set_new(o, "dirty", json_boolean(i->dirty));
	json_object_set_new(o, "corrupt", json_boolean(i->corrupt));
	json_object_set_new(o, "encrypted", json_boolean(i->encrypted));
	props = json_object();
	cli_json_props(props, i->props, i->n_props);
	json_object_set_new(o, "format_specific", props);
	list = json_array();
	for (size_t k = 0; k < i->n_snapshots; k++) {
		const struct vtr_snapshot *s = &i->snapshots[k];
		struct vtr_time t = { .sec = s->date_s, .nsec = s->date_ns, .set = true };
		json_t *e = json_object();
		char when[48];

		cli_json_set(e, "id", s->id);
		cli_json_set(e, "name", s->name);
		json_object_set_new(e, "date", json_string(cli_time(when, &t, true)));
		json_object_set_new(e, "size", cli_json_u64(s->size));
		json_object_set_new(e, "vm_state_size", cli_json_u64(s->vm_state_size));
		json_object_set_new(e, "vm_clock_ns", cli_json_u64(s->vm_clock_ns));
		json_array_append_new(list, e);
	}
	json_object_set_new(o, "snapshots", list);
	return o;
}

/* The image with its chain; where that is not allowed or not readable, the image alone, which info is about. */
static struct vtr_blk *info_open(struct cli *c, const char *path)
{
	struct vtr_image_options opt = c->image;
	struct vtr_error err = { 0 }, alone = { 0 };
	struct vtr_blk *b = NULL;

	if (vtr_image_open(&b, c->ctx, path, &opt, &err) == 0)
		return b;
	opt.alone = true;
	if (err.code == VTR_EUSAGE || vtr_image_open(&b, c->ctx, path, &opt, &alone) < 0) {
		cli_error(c, &err);
		return NULL;
	}
	if (err.code != VTR_EPOLICY && !vtr_image_info(b)->encrypted)
		cli_partial(c, &err);
	return b;
}

static int info_run(int argc, char **argv)
{
	json_t *images = NULL;
	struct cli c;

	if (!cli_begin(&c, &cli_verb_info, &argc, &argv, "", NULL, NULL, NULL))
		return cli_end(&c);
	if (argc > 0) {
		cli_usage(&c, "one image; -a for more");
		return cli_end(&c);
	}
	images = c.json ? json_array() : NULL;
	for (size_t i = 0; i < c.n_images; i++) {
		struct vtr_blk *b = info_open(&c, c.images[i]);
		unsigned depth = i > 0;
		json_t *chain = b && images ? json_array() : NULL;

		for (struct vtr_blk *p = b; p && vtr_image_info(p); p = vtr_image_backing(p)) {
			if (chain)
				json_array_append_new(chain, info_json(vtr_image_info(p)));
			else
				info_print(vtr_image_info(p), depth++);
		}
		if (chain) {
			/* The image itself, and below it what it builds on. */
			json_t *o = json_incref(json_array_get(chain, 0));

			json_array_remove(chain, 0);
			json_object_set_new(o, "chain", chain);
			json_array_append_new(images, o);
		}
		vtr_blk_unref(b);
	}
	if (images) {
		if (c.n_images > 1)
			cli_json_print(json_incref(images));
		else if (json_array_size(images) == 1)
			cli_json_print(json_incref(json_array_get(images, 0)));
		json_decref(images);
	}
	cli_flush(&c);
	return cli_end(&c);
}

const struct cli_verb cli_verb_info = {
	.name = "info",
	.summary = "Tell about the container: format, sizes, chain, snapshots",
	.usage = "[options] IMAGE",
	.options = "",
	.without = CLI_NO_DEVICE | CLI_NO_SECTOR,
	.run = info_run,
};
