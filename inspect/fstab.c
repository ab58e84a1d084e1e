/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fstab(5), and which of the guest's devices it means. Names in /dev are those of the running guest: its n-th disk
 * is taken for ours, whatever driver the guest knew it by.
 */
#include "inspect/inspect.h"

#include <stdlib.h>

#include "base/checked.h"
#include "base/fold.h"

#define FSTAB_FIELDS 4u

/* ------------------------------------------------------------------------------------------------------- parsing */

static bool fstab_blank_is(char c)
{
	return c == ' ' || c == '\t';
}

static bool fstab_octal_is(const char *p)
{
	return p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' && p[2] >= '0' && p[2] <= '7';
}

/* The end of the field at p. In the first field a quote after '=' holds blanks, when it is closed. */
static char *fstab_field_end(char *p, bool first)
{
	while (*p && !fstab_blank_is(*p)) {
		if (first && *p == '=' && (p[1] == '"' || p[1] == '\'')) {
			char *close = strchr(p + 2, p[1]);

			if (close)
				p = close;
		}
		p++;
	}
	return p;
}

/* Undo \040 and the other octal escapes, where they stand. A NUL cannot be meant. */
static void fstab_unescape(char *s)
{
	char *out = s;

	while (*s) {
		if (*s == '\\' && fstab_octal_is(s + 1) && (s[1] != '0' || s[2] != '0' || s[3] != '0')) {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = 0;
}

int vtr_fstab_parse(const char *text, size_t len, vtr_fstab_fn *fn, void *arg, struct vtr_error *err)
{
	struct vtr_lines lines = { .p = text, .end = text + len };
	const char *line;
	size_t line_len;

	while (vtr_lines_next(&lines, &line, &line_len) > 0) {
		char none[] = "defaults", *fields[FSTAB_FIELDS] = { NULL, NULL, NULL, none };
		VTR_FREE char *copy = NULL;
		struct vtr_fstab_entry e;
		size_t n = 0;
		char *p;
		int rc;

		while (line_len > 0 && fstab_blank_is(*line)) {
			line++;
			line_len--;
		}
		if (line_len == 0 || *line == '#' || memchr(line, 0, line_len))
			continue;
		copy = vtr_strndup(line, line_len, err);
		if (!copy)
			return -1;
		for (p = copy; *p && n < FSTAB_FIELDS;) {
			char *end = fstab_field_end(p, n == 0);

			fields[n++] = p;
			for (p = end; fstab_blank_is(*p); p++)
				;
			*end = 0;
		}
		if (n < 3)
			continue;
		for (size_t i = 0; i < n; i++)
			fstab_unescape(fields[i]);
		e = (struct vtr_fstab_entry){ fields[0], fields[1], fields[2], fields[3] };
		rc = fn(arg, &e, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* ----------------------------------------------------------------------------------------------------- resolving */

static int fstab_uuid_fits(const struct vtr_device *d, const char *value)
{
	return d->uuid && *d->uuid && vtr_ascii_casecmp(d->uuid, value) == 0;
}

static int fstab_label_fits(const struct vtr_device *d, const char *value)
{
	return d->label && *d->label && strcmp(d->label, value) == 0;
}

static int fstab_partuuid_fits(const struct vtr_device *d, const char *value)
{
	char buf[64];

	return d->of && *value && vtr_ascii_casecmp(vtr_parts_part_uuid(d->of, d->part, buf), value) == 0;
}

static int fstab_partlabel_fits(const struct vtr_device *d, const char *value)
{
	const struct vtr_part *p = d->of ? vtr_parts_at(d->of, d->part) : NULL;

	return p && *p->name && strcmp(p->name, value) == 0;
}

static int fstab_name_fits(const struct vtr_device *d, const char *value)
{
	return (d->name && strcmp(d->name, value) == 0) || (d->alias && strcmp(d->alias, value) == 0);
}

/* The disk that a device lies on. Devices come after those that they lie on. */
static size_t fstab_disk_of(const struct vtr_inspect *in, size_t i)
{
	while (in->devices[i].parent >= 0 && (size_t)in->devices[i].parent < i)
		i = (size_t)in->devices[i].parent;
	return i;
}

/*
 * Copies of a disk have the same identifiers: the root itself comes first, then its disk, and a filesystem before what
 * only holds one.
 */
static ssize_t fstab_find(const struct vtr_inspect *in, size_t root,
			  int (*fits)(const struct vtr_device *d, const char *value), const char *value)
{
	ssize_t best = -1;
	int best_score = -1;

	if (!*value)
		return -1;
	for (size_t i = 0; i < in->n_devices; i++) {
		int score = 0;

		if (!fits(&in->devices[i], value))
			continue;
		if (i == root)
			score = 4;
		else if (fstab_disk_of(in, i) == fstab_disk_of(in, root))
			score = 2;
		score += in->devices[i].has_fs;
		if (score > best_score) {
			best = (ssize_t)i;
			best_score = score;
		}
	}
	return best;
}

/* The n-th disk, from 0; -1: there are fewer. */
static ssize_t fstab_disk(const struct vtr_inspect *in, uint64_t n)
{
	for (size_t i = 0; i < in->n_devices; i++)
		if (in->devices[i].parent < 0 && n-- == 0)
			return (ssize_t)i;
	return -1;
}

static size_t fstab_disks(const struct vtr_inspect *in)
{
	size_t n = 0;

	for (size_t i = 0; i < in->n_devices; i++)
		n += in->devices[i].parent < 0;
	return n;
}

/* Partition number of a disk; 0: the disk itself. */
static ssize_t fstab_part(const struct vtr_inspect *in, ssize_t disk, uint64_t number)
{
	if (disk < 0 || number == 0)
		return disk;
	for (size_t i = 0; i < in->n_devices; i++) {
		const struct vtr_device *d = &in->devices[i];
		const struct vtr_part *p = d->parent == disk && d->of ? vtr_parts_at(d->of, d->part) : NULL;

		if (p && p->number == number)
			return (ssize_t)i;
	}
	return -1;
}

/* A decimal number at *s, which is moved past it; at most 9 digits. */
static bool fstab_number(uint64_t *out, const char **s)
{
	const char *p = *s;
	uint64_t n = 0;

	while (*p >= '0' && *p <= '9' && p - *s < 9)
		n = n * 10 + (uint64_t)(*p++ - '0');
	if (p == *s || (*p >= '0' && *p <= '9'))
		return false;
	*out = n;
	*s = p;
	return true;
}

/* sda1, hdb, xvda, dasda1: letters count disks as a, …, z, aa, ab, … */
static bool fstab_lettered(ssize_t *out, const struct vtr_inspect *in, const char *name)
{
	static const char *const prefixes[] = { "sd", "hd", "vd", "xvd", "dasd", "ubd" };

	for (size_t i = 0; i < VTR_COUNT(prefixes); i++) {
		size_t len = strlen(prefixes[i]);
		const char *p = name + len;
		uint64_t disk = 0, part = 0;

		if (strncmp(name, prefixes[i], len) != 0 || *p < 'a' || *p > 'z')
			continue;
		for (; *p >= 'a' && *p <= 'z' && disk < 100000; p++)
			disk = disk * 26 + (uint64_t)(*p - 'a') + 1;
		if (*p && (!fstab_number(&part, &p) || *p || part == 0))
			continue;
		*out = fstab_part(in, fstab_disk(in, disk - 1), part);
		return true;
	}
	return false;
}

/* nvme0n1p2, mmcblk0p1, pmem0p1, cciss/c0d0p1: the disk's number, then p and the partition's. */
static bool fstab_numbered(ssize_t *out, const struct vtr_inspect *in, const char *name)
{
	static const struct {
		const char *prefix;
		const char *unit; /* before a second number, which is not the disk's; "" none */
	} schemes[] = { { "nvme", "n" }, { "mmcblk", "" }, { "pmem", "" }, { "nbd", "" }, { "cciss/c0d", "" } };

	for (size_t i = 0; i < VTR_COUNT(schemes); i++) {
		size_t len = strlen(schemes[i].prefix), unit_len = strlen(schemes[i].unit);
		const char *p = name + len;
		uint64_t disk, part = 0, unit;

		if (strncmp(name, schemes[i].prefix, len) != 0 || !fstab_number(&disk, &p))
			continue;
		if (unit_len > 0) {
			if (strncmp(p, schemes[i].unit, unit_len) != 0)
				continue;
			p += unit_len;
			if (!fstab_number(&unit, &p))
				continue;
		}
		if (*p == 'p' && p++ && (!fstab_number(&part, &p) || part == 0))
			continue;
		if (*p)
			continue;
		*out = fstab_part(in, fstab_disk(in, disk), part);
		return true;
	}
	return false;
}

/*
 * by-id and by-path name hardware that an image does not remember: with a single disk it can only be that one, and
 * "-part2" its partition.
 */
static ssize_t fstab_hardware(const struct vtr_inspect *in, const char *id)
{
	const char *part = NULL, *p;
	uint64_t number = 0;

	if (fstab_disks(in) != 1 || strncmp(id, "dm-", 3) == 0 || strncmp(id, "md-", 3) == 0 ||
	    strncmp(id, "lvm-", 4) == 0)
		return -1;
	for (p = strstr(id, "-part"); p; p = strstr(p + 1, "-part"))
		part = p + strlen("-part");
	if (part && (!fstab_number(&number, &part) || *part || number == 0))
		return -1;
	return fstab_part(in, fstab_disk(in, 0), number);
}

/* /dev/mapper/my--vg-root is /dev/my-vg/root: a hyphen within a name is doubled. */
static ssize_t fstab_mapper(const struct vtr_inspect *in, size_t root, const char *name, struct vtr_error *err)
{
	size_t len = strlen(name), at = 0;
	VTR_FREE char *path = vtr_calloc(len + sizeof("/dev/"), 1, err);
	bool split = false;

	if (!path)
		return -1;
	memcpy(path, "/dev/", 5);
	at = 5;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (c == '-' && name[i + 1] == '-') {
			i++;
		} else if (c == '-' && !split) {
			c = '/';
			split = true;
		}
		path[at++] = c;
	}
	return split ? fstab_find(in, root, fstab_name_fits, path) : -1;
}

/* udev writes what it does not like in a name as \x20. */
static void fstab_udev_unescape(char *s)
{
	char *out = s;

	while (*s) {
		int hi = s[0] == '\\' && s[1] == 'x' ? vtr_hex_digit(s[2]) : -1;
		int lo = hi >= 0 ? vtr_hex_digit(s[3]) : -1;

		if (lo >= 0 && (hi | lo) != 0) {
			*out++ = (char)(hi << 4 | lo);
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = 0;
}

static ssize_t fstab_dev(const struct vtr_inspect *in, const char *spec, size_t root, struct vtr_error *err)
{
	const char *name = spec + strlen("/dev/");
	ssize_t found;

	if (strcmp(name, "root") == 0)
		return (ssize_t)root;
	if (fstab_lettered(&found, in, name) || fstab_numbered(&found, in, name))
		return found;
	found = fstab_find(in, root, fstab_name_fits, spec); /* /dev/vg/lv, /dev/md127, /dev/mapper/luks-… */
	if (found < 0 && strncmp(name, "mapper/", 7) == 0)
		found = fstab_mapper(in, root, name + 7, err);
	return found;
}

/* The index of the device, or -1: none, or *err. */
static ssize_t fstab_spec(const struct vtr_inspect *in, const char *spec, size_t root, struct vtr_error *err)
{
	static const struct {
		const char *tag, *dir;
		int (*fits)(const struct vtr_device *d, const char *value);
	} tags[] = {
		{ "UUID=", "/dev/disk/by-uuid/", fstab_uuid_fits },
		{ "LABEL=", "/dev/disk/by-label/", fstab_label_fits },
		{ "PARTUUID=", "/dev/disk/by-partuuid/", fstab_partuuid_fits },
		{ "PARTLABEL=", "/dev/disk/by-partlabel/", fstab_partlabel_fits },
		{ "ID=", "/dev/disk/by-id/", NULL },
		{ "", "/dev/disk/by-path/", NULL },
	};
	VTR_FREE char *copy = NULL;

	for (size_t i = 0; i < VTR_COUNT(tags); i++) {
		size_t tag_len = strlen(tags[i].tag), dir_len = strlen(tags[i].dir);
		char *value;

		if (tag_len > 0 && strncmp(spec, tags[i].tag, tag_len) == 0) {
			size_t len = strlen(spec + tag_len);

			copy = vtr_strndup(spec + tag_len, len, err);
			value = copy;
			if (value && len >= 2 && (*value == '"' || *value == '\'') && value[len - 1] == *value) {
				value[len - 1] = 0;
				value++;
			}
		} else if (strncmp(spec, tags[i].dir, dir_len) == 0) {
			copy = vtr_strndup(spec + dir_len, strlen(spec + dir_len), err);
			value = copy;
			if (value)
				fstab_udev_unescape(value);
		} else {
			continue;
		}
		if (!value)
			return -1;
		return tags[i].fits ? fstab_find(in, root, tags[i].fits, value) : fstab_hardware(in, value);
	}
	return strncmp(spec, "/dev/", 5) == 0 ? fstab_dev(in, spec, root, err) : -1;
}

int vtr_fstab_resolve(size_t *out, const struct vtr_inspect *in, const char *spec, size_t root, struct vtr_error *err)
{
	struct vtr_error e = { 0 };
	ssize_t device = fstab_spec(in, spec, root, &e);

	if (device < 0) {
		if (err && e.code)
			*err = e;
		return e.code ? -1 : 0;
	}
	*out = (size_t)device;
	return 1;
}

/* -------------------------------------------------------------------------------------------- the system's mounts */

struct fstab_reading {
	struct vtr_os *os;
	const struct vtr_inspect *in;
	size_t root;
};

/* "//usr//local/." is /usr/local; ".." stays for the walk. Where it stands. */
static void fstab_path_clean(char *path)
{
	char *out = path;

	if (*path != '/')
		return;
	for (char *p = path; *p;) {
		size_t len;

		while (*p == '/')
			p++;
		len = strcspn(p, "/");
		if (len > 0 && !(len == 1 && *p == '.')) {
			*out++ = '/';
			memmove(out, p, len);
			out += len;
		}
		p += len;
	}
	if (out == path)
		*out++ = '/';
	*out = 0;
}

static int fstab_entry_add(void *arg, const struct vtr_fstab_entry *e, struct vtr_error *err)
{
	struct fstab_reading *r = arg;
	struct vtr_os *os = r->os;
	struct vtr_mount *m;
	size_t device;
	int found;

	if (os->n_mounts >= os->ctx->lim.devices) {
		vtr_warn(os->ctx, VTR_ELIMIT, "%s: /etc/fstab: more entries than limit devices=%" PRIu64, os->root,
			 os->ctx->lim.devices);
		return 1;
	}
	if (!VTR_GROW(os->mounts, os->n_mounts, os->cap_mounts, err))
		return -1;
	fstab_path_clean(e->file);
	m = &os->mounts[os->n_mounts++]; /* freed with os, however much of it is there */
	*m = (struct vtr_mount){ .spec = vtr_strndup(e->spec, strlen(e->spec), err) };
	m->path = m->spec ? vtr_strndup(e->file, strlen(e->file), err) : NULL;
	m->type = m->path ? vtr_strndup(e->type, strlen(e->type), err) : NULL;
	m->options = m->type ? vtr_strndup(e->options, strlen(e->options), err) : NULL;
	if (!m->options)
		return -1;
	found = vtr_fstab_resolve(&device, r->in, e->spec, r->root, err);
	if (found < 0)
		return -1;
	if (found > 0) {
		const char *name = r->in->devices[device].name;

		m->device = vtr_strndup(name, strlen(name), err);
		if (!m->device)
			return -1;
	}
	return 0;
}

int vtr_fstab_read(struct vtr_os *os, const struct vtr_inspect *in, size_t root, struct vtr_error *err)
{
	struct fstab_reading r = { .os = os, .in = in, .root = root };
	VTR_FREE char *text = NULL;
	size_t len;
	int there = vtr_os_slurp(&text, &len, os, "/etc/fstab", os->ctx->lim.text_file, err);

	if (there <= 0)
		return there;
	return vtr_fstab_parse(text, len, fstab_entry_add, &r, err) < 0 ? -1 : 0;
}
