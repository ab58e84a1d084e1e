/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine layout: disks, their partitions, and what lies in them. */
#include <string.h>

#include "cli/cli.h"

extern const struct cli_verb cli_verb_layout;

static const struct vtr_part *layout_part(const struct vtr_device *d)
{
	return d->of ? vtr_parts_at(d->of, d->part) : NULL;
}

static void layout_type_name(char *buf, size_t size, const struct vtr_device *d)
{
	const struct vtr_part *p = layout_part(d);

	if (d->set)
		snprintf(buf, size, "%s volume", strcmp(d->kind, "lvm") == 0 ? "LVM2" : d->kind);
	else if (!p)
		snprintf(buf, size, "%s", d->table ? vtr_parts_scheme(d->table) : "disk");
	else if (p->type_name)
		snprintf(buf, size, "%s", p->type_name);
	else if (p->type_guid[0])
		snprintf(buf, size, "%s", p->type_guid);
	else
		snprintf(buf, size, "0x%02x", p->mbr_type);
}

static bool layout_has_names(const struct vtr_device *d, const struct vtr_part *p)
{
	return d->label[0] || d->uuid[0] || d->table || (d->set && (d->n_inputs || d->state)) ||
	       (p && (p->name[0] || p->active));
}

/* Name, label, identifiers: what people know a device by. */
static void layout_print_names(struct vtr_guest *g, const struct vtr_device *d, const struct vtr_part *p)
{
	if (layout_has_names(d, p))
		putchar(' ');
	if (p && p->name[0]) {
		fputs(" name \"", stdout);
		cli_puts(stdout, p->name);
		fputs("\"", stdout);
	}
	if (d->label[0]) {
		fputs(" label \"", stdout);
		cli_puts(stdout, d->label);
		fputs("\"", stdout);
	}
	if (d->uuid[0])
		printf(" %s", d->uuid);
	if (d->table)
		printf(" %s", vtr_parts_disk_id(d->table));
	if (p && p->active)
		fputs(" active", stdout);
	for (size_t i = 0; d->set && i < d->n_inputs; i++)
		printf("%s%s", i ? ", " : " on ", vtr_guest_device(g, d->inputs[i])->name);
	if (d->state != VTR_STATE_COMPLETE && d->state != VTR_STATE_UNREAD)
		printf(" %s: %s", vtr_state_name(d->state), d->problem);
}

/* Less than this between partitions is alignment. */
#define LAYOUT_UNUSED (1u << 20)

struct layout_columns {
	int name;
};

static int layout_print_unused(void *arg, uint64_t off, uint64_t len)
{
	const struct layout_columns *w = arg;
	char start[32], size[32];

	printf("  %-*s %10s %10s %10s  unallocated\n", w->name - 2, "-", cli_size(start, off), cli_size(size, len), "");
	return 0;
}

static int layout_json_unused(void *arg, uint64_t off, uint64_t len)
{
	json_t *o = json_object();

	json_object_set_new(o, "start", cli_json_u64(off));
	json_object_set_new(o, "size", cli_json_u64(len));
	json_array_append_new(arg, o);
	return 0;
}

static void layout_print(struct vtr_guest *g)
{
	int name_w = 6, type_w = 4, content_w = 7;
	struct layout_columns columns;

	for (size_t i = 0; i < vtr_guest_devices(g); i++) {
		const struct vtr_device *d = vtr_guest_device(g, i);
		int n = (int)strlen(d->name) + (d->of ? 2 : 0);
		char type[80];

		layout_type_name(type, sizeof(type), d);
		name_w = n > name_w ? n : name_w;
		type_w = (int)strlen(type) > type_w ? (int)strlen(type) : type_w;
		n = d->content ? (int)strlen(d->content) : 0;
		content_w = n > content_w ? n : content_w;
	}
	columns = (struct layout_columns){ name_w };
	printf("%-*s %10s %10s %10s  %-*s  %-*s  %s\n", name_w, "DEVICE", "START", "SIZE", "USED", type_w, "TYPE",
	       content_w, "CONTENT", "LABEL, UUID");
	for (size_t i = 0; i < vtr_guest_devices(g); i++) {
		const struct vtr_device *d = vtr_guest_device(g, i), *next;
		const struct vtr_part *p = layout_part(d);
		const struct vtr_parts *table;
		char type[80], size[32], start[32] = "", used[32] = "";
		struct vtr_fs *fs = d->has_fs ? vtr_guest_fs(g, i, NULL) : NULL;
		const char *content;
		bool last;

		layout_type_name(type, sizeof(type), d);
		if (p)
			cli_size(start, p->off);
		if (fs)
			cli_size(used, vtr_fs_info(fs)->used);
		content = d->content && (!d->table || d->has_fs) ? d->content : "";
		last = !layout_has_names(d, p);
		printf("%s%-*s %10s %10s %10s  ", d->of ? "  " : "", name_w - (d->of ? 2 : 0), d->name, start,
		       cli_size(size, d->size), used);
		/* No blanks at the end of a line. */
		if (last && !content[0])
			fputs(type, stdout);
		else
			printf("%-*s  %-*s", type_w, type, last ? 0 : content_w, content);
		layout_print_names(g, d, p);
		putchar('\n');
		/* Behind the last partition of a disk. */
		table = d->table ? d->table : d->of;
		next = vtr_guest_device(g, i + 1);
		if (table && !(next && next->of == table))
			(void)vtr_parts_unused(table, LAYOUT_UNUSED, layout_print_unused, &columns, NULL);
	}
}

static json_t *layout_json_part(const struct vtr_device *d, const struct vtr_part *p)
{
	json_t *o = json_object();
	char uuid[64], type[16];

	json_object_set_new(o, "number", json_integer(p->number));
	json_object_set_new(o, "start", cli_json_u64(p->off));
	json_object_set_new(o, "size", cli_json_u64(p->len));
	if (p->stated_len != p->len)
		json_object_set_new(o, "stated_size", cli_json_u64(p->stated_len));
	if (p->type_guid[0]) {
		json_object_set_new(o, "type", json_string(p->type_guid));
		json_object_set_new(o, "attributes", cli_json_u64(p->attributes));
	} else {
		snprintf(type, sizeof(type), "0x%02x", p->mbr_type);
		json_object_set_new(o, "type", json_string(type));
	}
	cli_json_set(o, "type_name", p->type_name);
	if (p->name[0])
		cli_json_set(o, "name", p->name);
	json_object_set_new(o, "uuid", json_string(vtr_parts_part_uuid(d->of, d->part, uuid)));
	json_object_set_new(o, "active", json_boolean(p->active));
	json_object_set_new(o, "extended", json_boolean(p->extended));
	json_object_set_new(o, "logical", json_boolean(p->logical));
	return o;
}

/* What a filesystem says of itself when it can be opened. */
static json_t *layout_json_fs(struct cli *c, size_t i)
{
	struct vtr_error err = { 0 };
	struct vtr_fs *fs = vtr_guest_fs(c->guest, i, &err);
	const struct vtr_fs_info *f;
	json_t *o = json_object(), *props;

	if (!fs) {
		if (err.code != VTR_EUNSUPPORTED)
			cli_partial(c, &err);
		json_object_set_new(o, "readable", json_false());
		cli_json_set(o, "error", err.text);
		return o;
	}
	f = vtr_fs_info(fs);
	json_object_set_new(o, "readable", json_true());
	json_object_set_new(o, "type", json_string(f->type));
	json_object_set_new(o, "size", cli_json_u64(f->size));
	json_object_set_new(o, "used", cli_json_u64(f->used));
	json_object_set_new(o, "block_size", json_integer(f->block_size));
	json_object_set_new(o, "inodes", cli_json_u64(f->nodes));
	json_object_set_new(o, "inodes_used", cli_json_u64(f->nodes_used));
	json_object_set_new(o, "dirty", json_boolean(f->dirty));
	json_object_set_new(o, "damaged", json_boolean(f->damaged));
	props = json_object();
	cli_json_props(props, f->props, f->n_props);
	json_object_set_new(o, "properties", props);
	return o;
}

/* What a device is, and what it lies on. */
static void layout_json_graph(json_t *o, struct vtr_guest *g, const struct vtr_device *d)
{
	json_t *inputs = json_array();

	cli_json_set(o, "alias", d->alias);
	cli_json_set(o, "kind", d->kind);
	cli_json_set(o, "set", d->set);
	if (d->parent >= 0)
		json_object_set_new(o, "parent", json_string(vtr_guest_device(g, (size_t)d->parent)->name));
	for (size_t i = 0; i < d->n_inputs; i++)
		json_array_append_new(inputs, json_string(vtr_guest_device(g, d->inputs[i])->name));
	json_object_set_new(o, "inputs", inputs);
	json_object_set_new(o, "state", json_string(vtr_state_name(d->state)));
	cli_json_set(o, "problem", d->problem);
}

static json_t *layout_json(struct cli *c)
{
	json_t *root = json_object(), *list = json_array();

	for (size_t i = 0; i < vtr_guest_devices(c->guest); i++) {
		const struct vtr_device *d = vtr_guest_device(c->guest, i);
		const struct vtr_part *p = layout_part(d);
		json_t *o = json_object(), *t, *unused;

		json_object_set_new(o, "name", json_string(d->name));
		layout_json_graph(o, c->guest, d);
		json_object_set_new(o, "size", cli_json_u64(d->size));
		cli_json_set(o, "content", d->content);
		cli_json_set(o, "type", d->type);
		if (d->usage != VTR_USAGE_UNKNOWN)
			json_object_set_new(o, "usage", json_string(vtr_usage_name(d->usage)));
		if (d->label[0])
			cli_json_set(o, "label", d->label);
		if (d->uuid[0])
			cli_json_set(o, "uuid", d->uuid);
		if (d->table) {
			t = json_object();
			json_object_set_new(t, "scheme", json_string(vtr_parts_scheme(d->table)));
			json_object_set_new(t, "id", json_string(vtr_parts_disk_id(d->table)));
			json_object_set_new(t, "sector_size", json_integer(vtr_parts_sector(d->table)));
			unused = json_array();
			(void)vtr_parts_unused(d->table, LAYOUT_UNUSED, layout_json_unused, unused, NULL);
			json_object_set_new(t, "unallocated", unused);
			json_object_set_new(o, "partition_table", t);
		}
		if (p)
			json_object_set_new(o, "partition", layout_json_part(d, p));
		if (d->has_fs)
			json_object_set_new(o, "filesystem", layout_json_fs(c, i));
		json_array_append_new(list, o);
	}
	json_object_set_new(root, "devices", list);
	return root;
}

static int layout_run(int argc, char **argv)
{
	struct cli c;

	if (!cli_begin(&c, &cli_verb_layout, &argc, &argv, "", NULL, NULL, NULL))
		return cli_end(&c);
	if (argc > 0) {
		cli_usage(&c, "one image; -a for more");
		return cli_end(&c);
	}
	if (cli_open_guest(&c)) {
		if (c.json)
			cli_json_print(layout_json(&c));
		else
			layout_print(c.guest);
		cli_flush(&c);
	}
	return cli_end(&c);
}

const struct cli_verb cli_verb_layout = {
	.name = "layout",
	.summary = "Show disks, partitions, and what lies in them",
	.usage = "[options] IMAGE",
	.options = "",
	.without = CLI_NO_DEVICE | CLI_NO_ROOT | CLI_NO_EXCLUDE,
	.run = layout_run,
};
