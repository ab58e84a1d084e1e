/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine info: the container of a disk. */
#include <string.h>

#include "cli/cli.h"

extern const struct cli_verb cli_verb_info;

/* Extents that are counted without --measure: a few milliseconds. */
#define INFO_EXTENTS 10000

struct info_verb {
	struct cli c;
	bool measure;
};

/* What is found out by looking at the tables, and with --measure at the disk. */
struct info_facts {
	struct vtr_image_usage usage;
	bool has_usage;
	size_t partitions, aligned;
	bool has_partitions;
};

static bool info_option(void *arg, int opt, const char *value)
{
	(void)opt, (void)value;
	((struct info_verb *)arg)->measure = true;
	return true;
}

/* How much of the data does not lie behind what is before it on the disk. */
static unsigned info_fragmentation(const struct vtr_image_usage *u)
{
	return u->blocks > 1 ? (unsigned)(100.0 * (double)(u->fragments - 1) / (double)(u->blocks - 1) + 0.5) : 0;
}

static bool info_is_aligned(const struct vtr_image_usage *u)
{
	return u->unaligned == 0;
}

static void info_text(const char *title, const char *text)
{
	printf("  %-17s %s\n", title, text);
}

/* Bytes of the image, which have not been escaped. */
static void info_name(const char *title, const char *bytes)
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

static void info_percent(char *buf, size_t size, uint64_t n, uint64_t of)
{
	snprintf(buf, size, "%u %%", of ? (unsigned)(100.0 * (double)n / (double)of + 0.5) : 0);
}

static void info_print_usage(const struct info_facts *f)
{
	const struct vtr_image_usage *u = &f->usage;
	char text[64], size[32];

	if (f->has_usage && !u->whole) {
		info_text("stored", "not counted: it has many extents, --measure counts them");
	} else if (f->has_usage) {
		info_bytes("stored", u->data);
		info_bytes("zero", u->zero);
		info_bytes("absent", u->absent);
		if (u->compressed) {
			info_percent(text, sizeof(text), u->compressed, u->data);
			info_text("compressed", text);
		}
		if (u->plain) {
			snprintf(text, sizeof(text), "%" PRIu64 ", %u %% fragmented", u->fragments,
				 info_fragmentation(u));
			info_text("fragments", text);
			snprintf(text, sizeof(text), "no, by %s", cli_size(size, u->unaligned));
			info_text("4 KiB aligned", info_is_aligned(u) ? "yes" : text);
		}
	}
	if (f->has_partitions) {
		snprintf(text, sizeof(text), "%zu, %zu of them 4 KiB aligned", f->partitions, f->aligned);
		info_text("partitions", text);
	}
}

static void info_print_props(const struct vtr_image_info *i)
{
	for (size_t k = 0; k < i->n_props; k++) {
		const struct vtr_prop *p = &i->props[k];

		if (i->compression && strcmp(p->title, "compression") == 0) /* said already */
			continue;
		if (p->kind == VTR_PROP_TEXT)
			info_text(p->title, p->text);
		else if (p->kind == VTR_PROP_BYTES)
			info_bytes(p->title, p->number);
		else if (p->kind == VTR_PROP_BOOL)
			info_text(p->title, p->number ? "yes" : "no");
		else
			printf("  %-17s %" PRIu64 "\n", p->title, p->number);
	}
}

static void info_print_parent(const struct vtr_image_info *i)
{
	if (i->backing)
		info_name("backing file", i->backing);
	if (i->backing_format)
		info_name("backing format", i->backing_format);
	if (i->parent_id)
		info_text("parent id", i->parent_id);
	if (i->backing || i->parent_id)
		info_name("backing found",
			  i->backing_path ? i->backing_path : "not opened: --follow or --allow-dir opens it");
	if (i->parent_match == VTR_MATCH_YES)
		info_text("parent matches", "yes");
	else if (i->parent_match == VTR_MATCH_NO)
		info_text("parent matches", "no: it is another image, or was changed since");
}

static void info_print_files(const struct vtr_image_info *i)
{
	char size[32];

	for (size_t k = 0; k < i->n_files; k++) {
		printf("  %-17s ", i->files[k].role);
		cli_puts(stdout, i->files[k].path);
		printf(" (%s)\n", cli_size(size, i->files[k].size));
	}
}

/* facts: NULL for what an image lies in. */
static void info_print(const struct vtr_image_info *i, const struct info_facts *facts, unsigned depth)
{
	if (depth > 0)
		putchar('\n');
	cli_puts(stdout, i->path ? i->path : "(no path)");
	printf(": %s%s (%s)\n", facts ? "" : "it lies in ", i->format, i->title);
	if (i->subformat)
		info_text("subformat", i->subformat);
	info_bytes("virtual size", i->virtual_size);
	info_bytes("file size", i->file_size);
	info_bytes("allocated", i->allocated_size);
	info_print_files(i);
	if (i->cluster_size)
		info_bytes("cluster size", i->cluster_size);
	if (i->logical_sector)
		info_bytes("logical sector", i->logical_sector);
	if (i->physical_sector)
		info_bytes("physical sector", i->physical_sector);
	if (i->creator)
		info_text("creator", i->creator);
	if (i->id)
		info_text("id", i->id);
	if (i->content_id)
		info_text("content id", i->content_id);
	info_print_parent(i);
	if (i->compression)
		info_text("compression", i->compression);
	info_print_props(i);
	if (i->encrypted)
		info_text("encrypted", "yes");
	if (i->dirty)
		info_text("dirty", "yes: it was not closed by its last writer");
	if (i->corrupt)
		info_text("corrupt", "yes: it says so of itself");
	if (facts)
		info_print_usage(facts);
	for (size_t k = 0; k < i->n_snapshots; k++)
		info_snapshot_line(&i->snapshots[k]);
}

static void info_json_usage(json_t *o, const struct info_facts *f)
{
	const struct vtr_image_usage *u = &f->usage;
	json_t *e;

	if (f->has_usage && u->whole) {
		e = json_object();
		json_object_set_new(e, "data", cli_json_u64(u->data));
		json_object_set_new(e, "zero", cli_json_u64(u->zero));
		json_object_set_new(e, "absent", cli_json_u64(u->absent));
		json_object_set_new(e, "compressed", cli_json_u64(u->compressed));
		if (u->plain) {
			json_object_set_new(e, "fragments", cli_json_u64(u->fragments));
			json_object_set_new(e, "fragmentation_percent", json_integer(info_fragmentation(u)));
			json_object_set_new(e, "aligned_4k", json_boolean(info_is_aligned(u)));
		}
		json_object_set_new(o, "usage", e);
	}
	if (f->has_partitions) {
		e = json_object();
		json_object_set_new(e, "count", cli_json_u64(f->partitions));
		json_object_set_new(e, "aligned_4k", cli_json_u64(f->aligned));
		json_object_set_new(o, "partitions", e);
	}
}

static void info_json_files(json_t *o, const struct vtr_image_info *i)
{
	json_t *list = json_array();

	for (size_t k = 0; k < i->n_files; k++) {
		json_t *e = json_object();

		json_object_set_new(e, "role", json_string(i->files[k].role));
		cli_json_set(e, "path", i->files[k].path);
		json_object_set_new(e, "size", cli_json_u64(i->files[k].size));
		json_object_set_new(e, "allocated_size", cli_json_u64(i->files[k].allocated_size));
		json_array_append_new(list, e);
	}
	json_object_set_new(o, "files", list);
}

static json_t *info_json(const struct vtr_image_info *i, const struct info_facts *facts)
{
	json_t *o = json_object(), *list, *props;

	cli_json_set(o, "path", i->path);
	json_object_set_new(o, "format", json_string(i->format));
	json_object_set_new(o, "title", json_string(i->title));
	cli_json_set(o, "subformat", i->subformat);
	json_object_set_new(o, "virtual_size", cli_json_u64(i->virtual_size));
	json_object_set_new(o, "file_size", cli_json_u64(i->file_size));
	json_object_set_new(o, "allocated_size", cli_json_u64(i->allocated_size));
	if (i->cluster_size)
		json_object_set_new(o, "cluster_size", cli_json_u64(i->cluster_size));
	if (i->logical_sector)
		json_object_set_new(o, "logical_sector", json_integer(i->logical_sector));
	if (i->physical_sector)
		json_object_set_new(o, "physical_sector", json_integer(i->physical_sector));
	cli_json_set(o, "id", i->id);
	cli_json_set(o, "content_id", i->content_id);
	cli_json_set(o, "creator", i->creator);
	cli_json_set(o, "compression", i->compression);
	cli_json_set(o, "backing_file", i->backing);
	cli_json_set(o, "backing_format", i->backing_format);
	cli_json_set(o, "backing_path", i->backing_path);
	cli_json_set(o, "parent_id", i->parent_id);
	if (i->parent_match != VTR_MATCH_UNKNOWN)
		json_object_set_new(o, "parent_matches", json_boolean(i->parent_match == VTR_MATCH_YES));
	info_json_files(o, i);
	json_object_set_new(o, "dirty", json_boolean(i->dirty));
	json_object_set_new(o, "corrupt", json_boolean(i->corrupt));
	json_object_set_new(o, "encrypted", json_boolean(i->encrypted));
	if (facts)
		info_json_usage(o, facts);
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

/* What is recognised and not read, a format or a feature of one, is named all the same. */
static void info_recognise(struct cli *c, const char *path, json_t *images)
{
	struct vtr_image_sign sign;
	json_t *o;

	if (c->image.format || vtr_image_recognise(&sign, c->ctx, path, NULL) < 0)
		return;
	if (!images) {
		cli_puts(stdout, path);
		printf(": %s (%s)\n", sign.format, sign.title);
		info_bytes("file size", sign.file_size);
		info_bytes("allocated", sign.allocated_size);
		return;
	}
	o = json_object();
	cli_json_set(o, "path", path);
	json_object_set_new(o, "format", json_string(sign.format));
	json_object_set_new(o, "title", json_string(sign.title));
	json_object_set_new(o, "file_size", cli_json_u64(sign.file_size));
	json_object_set_new(o, "allocated_size", cli_json_u64(sign.allocated_size));
	json_object_set_new(o, "not_read", json_true());
	json_array_append_new(images, o);
}

/* The image with its chain; where that is not allowed or not readable, the image alone, which info is about. */
static struct vtr_blk *info_open(struct cli *c, const char *path, json_t *images)
{
	struct vtr_image_options opt = c->image;
	struct vtr_error err = { 0 }, alone = { 0 };
	struct vtr_blk *b = NULL;

	opt.any_parent = true; /* whether it is the right one is a fact */
	if (vtr_image_open(&b, c->ctx, path, &opt, &err) == 0)
		return b;
	opt.alone = true;
	if (err.code == VTR_EUSAGE || vtr_image_open(&b, c->ctx, path, &opt, &alone) < 0) {
		if (err.code == VTR_EUNSUPPORTED)
			info_recognise(c, path, images);
		cli_error(c, &err);
		return NULL;
	}
	if (err.code != VTR_EPOLICY && !vtr_image_info(b)->encrypted)
		cli_partial(c, &err);
	return b;
}

/* How many disks the archive has that an image lies in; 0: it lies in none. */
static uint64_t info_archive_disks(struct vtr_blk *b)
{
	for (const struct vtr_image_info *i = b ? vtr_image_info(b) : NULL; i; i = i->outer)
		for (size_t k = 0; i->format && strcmp(i->format, "ova") == 0 && k < i->n_props; k++)
			if (strcmp(i->props[k].key, "disks") == 0)
				return i->props[k].number;
	return 0;
}

/* An archive with several disks, of which none was chosen: how many; 0: it is none. */
static uint64_t info_count_disks(struct cli *c, const char *path)
{
	struct vtr_image_options opt = c->image;
	struct vtr_error err = { 0 };
	struct vtr_blk *b = NULL;
	uint64_t n;

	if (opt.member || (opt.format && strcmp(opt.format, "ova") != 0))
		return 0;
	/* Whatever else the image is, this fails at its first bytes. */
	opt.format = "ova";
	opt.alone = true;
	if (vtr_image_open(&b, c->ctx, path, &opt, &err) == 0 || err.code != VTR_EAMBIGUOUS) {
		vtr_blk_unref(b);
		return 0;
	}
	opt.member = "1";
	(void)vtr_image_open(&b, c->ctx, path, &opt, NULL);
	n = info_archive_disks(b);
	vtr_blk_unref(b);
	return n;
}

/* Damaged tables are told, and so is what the facts would have been. */
static void info_find_facts(struct info_facts *out, struct info_verb *v, struct vtr_blk *b, size_t image, bool first)
{
	const char *scheme = cli_table(&v->c, image);
	struct vtr_parts *t = NULL;
	struct vtr_error err = { 0 };

	*out = (struct info_facts){ 0 };
	out->has_usage = vtr_image_measure(&out->usage, b, v->measure ? 0 : INFO_EXTENTS, &err) == 0;
	if (!out->has_usage)
		cli_partial(&v->c, &err);
	if (!v->measure || !first || (scheme && strcmp(scheme, "none") == 0))
		return;
	if (vtr_partitions_open_as(&t, b, scheme, v->c.sector, &err) < 0) {
		cli_partial(&v->c, &err);
		return;
	}
	out->has_partitions = t != NULL;
	out->partitions = t ? vtr_parts_count(t) : 0;
	for (size_t i = 0; i < out->partitions; i++)
		out->aligned += vtr_parts_at(t, i)->off % 4096 == 0;
	vtr_parts_close(t);
}

/* The images of a chain, and what each of them lies in. */
static void info_tell(struct info_verb *v, struct vtr_blk *b, size_t image, json_t *images)
{
	json_t *chain = images ? json_array() : NULL, *o;
	unsigned depth = 0;

	for (struct vtr_blk *p = b; p && vtr_image_info(p); p = vtr_image_backing(p)) {
		const struct vtr_image_info *i = vtr_image_info(p);
		struct info_facts facts;

		info_find_facts(&facts, v, p, image, p == b);
		if (!chain) {
			info_print(i, &facts, depth++);
			for (i = i->outer; i; i = i->outer)
				info_print(i, NULL, depth++);
			continue;
		}
		json_array_append_new(chain, info_json(i, &facts));
		o = json_array_get(chain, json_array_size(chain) - 1);
		for (i = i->outer; i; i = i->outer) {
			json_object_set_new(o, "outer", info_json(i, NULL));
			o = json_object_get(o, "outer");
		}
	}
	if (chain) {
		/* The image itself, and below it what it builds on. */
		o = json_incref(json_array_get(chain, 0));
		json_array_remove(chain, 0);
		json_object_set_new(o, "chain", chain);
		json_array_append_new(images, o);
	}
}

static int info_run(int argc, char **argv)
{
	static const struct option longs[] = { { "measure", no_argument, NULL, CLI_LONG }, { 0 } };
	struct info_verb v = { 0 };
	json_t *images = NULL;

	if (!cli_begin(&v.c, &cli_verb_info, &argc, &argv, "", longs, info_option, &v))
		return cli_end(&v.c);
	if (argc > 0) {
		cli_usage(&v.c, "one image; -a for more");
		return cli_end(&v.c);
	}
	images = v.c.json ? json_array() : NULL;
	for (size_t i = 0; i < v.c.n_images; i++) {
		uint64_t disks = info_count_disks(&v.c, v.c.images[i]);

		for (uint64_t k = 1; k <= (disks ? disks : 1); k++) {
			struct vtr_blk *b;
			char number[24];

			snprintf(number, sizeof(number), "%" PRIu64, k);
			if (disks)
				v.c.image.member = number;
			b = info_open(&v.c, v.c.images[i], images);
			if (disks)
				v.c.image.member = NULL;
			if (b)
				info_tell(&v, b, i, images);
			vtr_blk_unref(b);
		}
	}
	if (images) {
		json_t *root = json_object();

		json_object_set_new(root, "images", images);
		cli_json_print(root);
	}
	cli_flush(&v.c);
	return cli_end(&v.c);
}

const struct cli_verb cli_verb_info = {
	.name = "info",
	.summary = "Tell about the container: format, sizes, chain, snapshots",
	.usage = "[options] IMAGE",
	.options = "      --measure        count all extents, however many, and look at the partitions\n",
	.without = CLI_NO_DEVICE | CLI_NO_ROOT | CLI_NO_FS | CLI_NO_ANY_PARENT | CLI_NO_EXCLUDE,
	.run = info_run,
};
