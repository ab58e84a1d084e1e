/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine df: the space of filesystems, as df(1) would tell it with the guest's disks mounted. */
#include <ctype.h>
#include <string.h>

#include "cli/cli.h"

extern const struct cli_verb cli_verb_df;

#define DF_COLUMNS 7u
#define DF_CELL 64u

struct df {
	struct cli c;
	bool blocks, inodes;
	unsigned power; /* of human numbers: 1024 or 1000 */
	size_t only;	/* the device that was asked for; SIZE_MAX: all */
	int systems;
};

/* One filesystem. */
struct df_row {
	const struct vtr_device *d;
	const struct vtr_fs_info *info; /* NULL: it is not read, and error says why */
	struct vtr_error error;
	const char *mounted;		/* NULL: no system says where */
	uint64_t size, used, available; /* bytes */
};

static bool df_option(void *arg, int opt, const char *value)
{
	struct df *df = arg;

	(void)value;
	if (opt == 'i')
		df->inodes = true;
	else if (opt == 'k')
		df->blocks = true;
	else if (opt == 'H')
		df->power = 1000;
	return true; /* -T is what is done anyway */
}

/* Where the systems that were found have it mounted. */
static const char *df_mounted_on(struct df *df, const char *device)
{
	for (int i = 0; i < df->systems; i++) {
		const struct vtr_os *os = vtr_guest_os(df->c.guest, (size_t)i);
		const struct vtr_mount *m;

		/* A volume of Windows has a letter, or a folder of another volume; the system's own has one, too. */
		for (size_t k = 0; (m = vtr_os_mount(os, k)); k++)
			if (m->device && strcmp(m->device, device) == 0 && isalpha((unsigned char)m->path[0]) &&
			    m->path[1] == ':')
				return m->path;
		if (strcmp(vtr_os_root(os), device) == 0)
			return "/";
		for (size_t k = 0; (m = vtr_os_mount(os, k)); k++)
			if (m->device && strcmp(m->device, device) == 0 && m->path[0] == '/')
				return m->path;
	}
	return NULL;
}

/* A number that the driver tells of its filesystem; otherwise, when it tells none. */
static uint64_t df_prop(const struct vtr_fs_info *info, const char *key, uint64_t otherwise)
{
	for (size_t i = 0; i < info->n_props; i++)
		if (strcmp(info->props[i].key, key) == 0)
			return info->props[i].number;
	return otherwise;
}

static void df_read(struct df *df, struct df_row *r, size_t i, bool tell)
{
	struct vtr_fs *fs = vtr_guest_fs(df->c.guest, i, &r->error);
	uint64_t overhead, free_bytes;

	r->d = vtr_guest_device(df->c.guest, i);
	r->mounted = df_mounted_on(df, r->d->name);
	if (!fs) {
		if (tell && r->error.code != VTR_EUNSUPPORTED)
			cli_partial(&df->c, &r->error);
		return;
	}
	r->info = vtr_fs_info(fs);
	overhead = df_prop(r->info, "overhead", 0);
	free_bytes = r->info->size - r->info->used;
	r->size = r->info->size - overhead;
	r->used = r->size > free_bytes ? r->size - free_bytes : 0;
	r->available = df_prop(r->info, "available", free_bytes);
}

/* As df(1): of what users can have, rounded up. -1: of nothing. */
static int df_percent(uint64_t used, uint64_t available)
{
	double of = (double)used + (double)available, p = of > 0 ? 100 * (double)used / of : -1;
	int whole = (int)p;

	return p < 0 ? -1 : whole + (p > whole);
}

static void df_number(const struct df *df, char *cell, uint64_t v)
{
	if (df->inodes)
		snprintf(cell, DF_CELL, "%" PRIu64, v);
	else if (df->blocks)
		snprintf(cell, DF_CELL, "%" PRIu64, v / 1024 + (v % 1024 != 0));
	else if (df->power)
		cli_size_short(cell, v, df->power);
	else
		cli_size(cell, v);
}

static void df_cells(const struct df *df, const struct df_row *r, char cells[DF_COLUMNS][DF_CELL])
{
	uint64_t size = r->size, used = r->used, available = r->available;
	int percent;

	snprintf(cells[0], DF_CELL, "%s", r->d->name);
	snprintf(cells[1], DF_CELL, "%s", r->info ? r->info->type : r->d->content ? r->d->content : "-");
	for (size_t i = 2; i < 6; i++)
		snprintf(cells[i], DF_CELL, "-");
	snprintf(cells[6], DF_CELL, "%s", r->mounted ? "" : "-");
	if (!r->info)
		return;
	if (df->inodes) {
		size = r->info->nodes;
		used = r->info->nodes_used;
		available = size > used ? size - used : 0;
	}
	df_number(df, cells[2], size);
	df_number(df, cells[3], used);
	df_number(df, cells[4], available);
	percent = df_percent(used, available);
	if (percent >= 0)
		snprintf(cells[5], DF_CELL, "%d%%", percent);
}

/* Print a row with these widths, or only widen them. */
static void df_row_print(const struct df_row *r, char cells[DF_COLUMNS][DF_CELL], int width[DF_COLUMNS], bool print)
{
	for (size_t i = 0; i < DF_COLUMNS; i++) {
		int n = (int)strlen(cells[i]);

		if (!print)
			width[i] = n > width[i] ? n : width[i];
		else if (i < 2)
			printf("%-*s ", width[i], cells[i]);
		else if (i < 6)
			printf("%*s ", width[i], cells[i]);
		else if (r && r->mounted)
			cli_puts(stdout, r->mounted);
		else
			fputs(cells[i], stdout);
	}
	if (print)
		putchar('\n');
}

static json_t *df_json(const struct df_row *r)
{
	json_t *o = json_object();
	int percent;

	json_object_set_new(o, "device", json_string(r->d->name));
	cli_json_set(o, "type", r->info ? r->info->type : r->d->content);
	if (r->d->label[0])
		cli_json_set(o, "label", r->d->label);
	if (r->d->uuid[0])
		cli_json_set(o, "uuid", r->d->uuid);
	cli_json_set(o, "mounted_on", r->mounted);
	json_object_set_new(o, "readable", json_boolean(r->info != NULL));
	if (!r->info) {
		cli_json_set(o, "error", r->error.text);
		return o;
	}
	json_object_set_new(o, "size", cli_json_u64(r->size));
	json_object_set_new(o, "used", cli_json_u64(r->used));
	json_object_set_new(o, "available", cli_json_u64(r->available));
	percent = df_percent(r->used, r->available);
	if (percent >= 0)
		json_object_set_new(o, "use_percent", json_integer(percent));
	json_object_set_new(o, "inodes", cli_json_u64(r->info->nodes));
	json_object_set_new(o, "inodes_used", cli_json_u64(r->info->nodes_used));
	return o;
}

/* Every filesystem: to widen the columns, or to print. */
static void df_each(struct df *df, int width[DF_COLUMNS], bool print, json_t *list)
{
	char cells[DF_COLUMNS][DF_CELL];

	for (size_t i = 0; i < vtr_guest_devices(df->c.guest); i++) {
		struct df_row r = { 0 };

		if (!vtr_guest_device(df->c.guest, i)->has_fs || (df->only != SIZE_MAX && df->only != i))
			continue;
		df_read(df, &r, i, print);
		if (list) {
			json_array_append_new(list, df_json(&r));
			continue;
		}
		df_cells(df, &r, cells);
		df_row_print(&r, cells, width, print);
	}
}

static void df_print(struct df *df)
{
	char space[DF_COLUMNS][DF_CELL] = { "Filesystem", "Type", "Size", "Used", "Avail", "Use%", "Mounted on" };
	char inodes[DF_COLUMNS][DF_CELL] = { "Filesystem", "Type", "Inodes", "IUsed", "IFree", "IUse%", "Mounted on" };
	int width[DF_COLUMNS] = { 0 };

	if (df->blocks) {
		strcpy(space[2], "1K-blocks");
		strcpy(space[4], "Available");
	}
	df_row_print(NULL, df->inodes ? inodes : space, width, false);
	df_each(df, width, false, NULL);
	df_row_print(NULL, df->inodes ? inodes : space, width, true);
	df_each(df, width, true, NULL);
}

static size_t df_count(const struct df *df)
{
	size_t n = 0;

	for (size_t i = 0; i < vtr_guest_devices(df->c.guest); i++)
		n += vtr_guest_device(df->c.guest, i)->has_fs;
	return n;
}

static void df_open(struct df *df)
{
	struct vtr_error err = { 0 };

	if (!cli_open_guest(&df->c))
		return;
	if (df->c.device) {
		int i = vtr_guest_find_device(df->c.guest, df->c.device, &err);

		/* Opening it says what there is instead. */
		if (i >= 0 && !vtr_guest_device(df->c.guest, (size_t)i)->has_fs) {
			(void)vtr_guest_fs(df->c.guest, (size_t)i, &err);
			i = -1;
		}
		if (i < 0) {
			cli_error(&df->c, &err);
			return;
		}
		df->only = (size_t)i;
	}
	/* Only for what is mounted where. */
	df->c.hush = true;
	df->systems = vtr_guest_inspect(df->c.guest, &err);
	df->c.hush = false;
	if (df->systems < 0)
		cli_partial(&df->c, &err);
	if (df->c.json) {
		json_t *root = json_object(), *list = json_array();

		df_each(df, NULL, true, list);
		json_object_set_new(root, "filesystems", list);
		cli_json_print(root);
	} else {
		df_print(df);
	}
	if (df_count(df) == 0) {
		struct vtr_error none = { .code = VTR_ENOTFOUND, .text = "no filesystem is found" };

		cli_say_unread(&df->c, &none, ": ");
		cli_error(&df->c, &none);
	}
	cli_flush(&df->c);
}

static int df_run(int argc, char **argv)
{
	struct df df = { 0 };
	bool human = cli_take_human(&argc, argv, "ikHTh");

	if (!cli_begin(&df.c, &cli_verb_df, &argc, &argv, "ikHT", NULL, df_option, &df))
		return cli_end(&df.c);
	df.only = SIZE_MAX;
	df.power = df.power ? df.power : human ? 1024 : 0;
	if (argc > 0)
		cli_usage(&df.c, "one image; -a for more");
	else
		df_open(&df);
	return cli_end(&df.c);
}

const struct cli_verb cli_verb_df = {
	.name = "df",
	.summary = "Tell the space of filesystems: size, used, available",
	.usage = "[-ihkHT] [options] IMAGE",
	.options = "  -i                   inodes, not bytes\n"
		   "  -k                   numbers of 1024 bytes, as df(1) prints them\n"
		   "  -H                   powers of 1000: 1.5G\n"
		   "  -T                   the type, which is printed anyway\n"
		   "  With an image or other letters, -h: powers of 1024, as df(1) prints them.\n",
	.without = CLI_NO_ROOT | CLI_NO_EXCLUDE,
	.run = df_run,
};
