/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of container formats, and deciding which one an image is. */
#include "formats/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

/* qcow2 and its relatives first, raw, which fits everything, last. */
/* clang-format off */
#define FORMATS(X) \
	X(qcow2) X(qcow1) X(vmdk) X(vhdx) X(vhd) X(vdi) X(qed) X(parallels) X(parallels_hdd) X(dmg) X(ewf) X(bochs) \
	X(sparseimage) X(sparsebundle) X(android_sparse) X(ova) X(ovf) X(zip) X(seven_zip) X(rar) X(cpio) X(ar) X(rpm) X(cab) X(wim) X(gzip) X(xz) X(zstd) X(bzip2) X(splitraw) X(raw)
/* clang-format on */
#define X(name) extern const struct vtr_format vtr_format_##name;
FORMATS(X)
#undef X
#define X(name) &vtr_format_##name,
const struct vtr_format *const vtr_formats[] = { FORMATS(X) NULL };
#undef X

/* Fewer verified bits than this are an accident. */
#define FORMAT_MIN_BITS 24

/* A raw disk's partition table or filesystem counts against a container from here on. */
#define FORMAT_MIN_RAW_BITS 24

const char *vtr_format_name(size_t i, const char **title)
{
	for (size_t k = 0; vtr_formats[k]; k++) {
		if (!vtr_formats[k]->open)
			continue;
		if (i-- == 0) {
			if (title)
				*title = vtr_formats[k]->title;
			return vtr_formats[k]->name;
		}
	}
	return NULL;
}

const struct vtr_format *vtr_format_find(const char *name)
{
	for (size_t i = 0; vtr_formats[i]; i++)
		if (strcmp(vtr_formats[i]->name, name) == 0)
			return vtr_formats[i];
	return NULL;
}

/* tail: look at the end too. */
static const struct vtr_format *formats_recognise(struct vtr_open *o, bool tail, struct vtr_error *err)
{
	const struct vtr_format *best = &vtr_format_raw, *second = NULL;
	VTR_PROBE_DONE struct vtr_probe p = { 0 };
	struct vtr_hostfile_id id;
	const char *raw = NULL;
	int raw_bits = 0;

	if ((tail ? vtr_probe_read : vtr_probe_read_head)(&p, o->file, err) < 0)
		return NULL;
	for (size_t i = 0; vtr_formats[i] != &vtr_format_raw; i++) {
		if (vtr_formats[i]->probe(&p) < FORMAT_MIN_BITS)
			continue;
		if (best == &vtr_format_raw)
			best = vtr_formats[i];
		else if (!second)
			second = vtr_formats[i];
	}
	/* A name says what a file of the host is, not what lies in it. */
	for (size_t i = 0;
	     best == &vtr_format_raw && tail && vtr_hostfile_id(&id, o->file) && vtr_formats[i] != &vtr_format_raw; i++)
		if (vtr_formats[i]->named && vtr_formats[i]->named(o))
			return vtr_formats[i];
	if (best == &vtr_format_raw)
		return best;
	if (o->raw_content && !(best->raw_inside && best->raw_inside(&p)))
		raw = o->raw_content(&p, &raw_bits);
	if (second) {
		vtr_error_set(err, VTR_EAMBIGUOUS, "it has the signs of %s and of %s: name one with --format",
			      best->name, second->name);
		return NULL;
	}
	if (raw && raw_bits >= FORMAT_MIN_RAW_BITS) {
		vtr_error_set(
			err, VTR_EAMBIGUOUS,
			"it has the signs of %s, and of a raw disk with %s: name one with --format %s or --format raw",
			best->name, raw, best->name);
		return NULL;
	}
	return best;
}

const struct vtr_format *vtr_format_recognise(struct vtr_open *o, struct vtr_error *err)
{
	/* Signs at the end are looked for where they cost nothing, or where there are none at the start. */
	const struct vtr_format *f = formats_recognise(o, !o->file->forward, err);

	if (o->file->forward && (f == &vtr_format_raw || f == &vtr_format_bzip2 || f == &vtr_format_xz))
		f = formats_recognise(o, true, err);
	return f;
}

static bool formats_is_archive(struct vtr_blk *b)
{
	for (const struct vtr_image_info *i = vtr_image_info(b); i; i = i->outer)
		if (i->format == vtr_format_ova.name)
			return true;
	return false;
}

/* The caller named a format that does not fit: say what fits. */
static void formats_say_other(struct vtr_open *o, const struct vtr_format *f, struct vtr_error *err)
{
	const struct vtr_error was = *err;
	VTR_PROBE_DONE struct vtr_probe p = { 0 };
	const struct vtr_format *other;
	const char *raw = NULL;
	int bits = 0;

	if (!vtr_error_is(&was, VTR_KINDS_LOST) || vtr_probe_read(&p, o->file, NULL) < 0 || f->probe(&p) > 0)
		return;
	other = vtr_format_recognise(o, NULL);
	if (!other || other == f)
		return;
	if (other == &vtr_format_raw && o->raw_content)
		raw = o->raw_content(&p, &bits);
	if (raw)
		vtr_error_set(err, was.code, "%s; it has the signs of a raw disk with %s", was.text, raw);
	else if (other == &vtr_format_raw)
		vtr_error_set(err, was.code, "%s; it has the signs of no format that is known", was.text);
	else
		vtr_error_set(err, was.code, "%s; it has the signs of %s", was.text, other->name);
}

int vtr_format_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	const struct vtr_format *f;
	struct vtr_blk *b = NULL;

	if (o->opt->format) {
		f = vtr_format_find(o->opt->format);
		if (!f)
			return vtr_fail(err, VTR_EUSAGE, "no format is named \"%s\"", o->opt->format);
	} else {
		f = vtr_format_recognise(o, err);
		if (!f)
			return -1;
	}
	if (!f->open) {
		VTR_FREE char *advice = f->advise ? f->advise(o) : NULL;

		return vtr_fail(err, VTR_EUNSUPPORTED, "%s (%s) is recognised, and not read%s%s", f->name, f->title,
				advice ? ": " : "", advice ? advice : "");
	}
	if (f->open(&b, o, err) < 0) {
		if (o->opt->format && err)
			formats_say_other(o, f, err);
		return vtr_at(err, "%s", f->name);
	}
	/* What lies in another image has its own name already. */
	if (!vtr_image_of(b)->info.format) {
		vtr_image_of(b)->info.format = f->name;
		vtr_image_of(b)->info.title = f->title;
	}
	if (o->opt->member && !o->above && !formats_is_archive(b)) {
		vtr_blk_unref(b);
		return vtr_fail(err, VTR_EUSAGE, "member \"%s\": it is %s, no archive", o->opt->member, f->name);
	}
	*out = b;
	return 0;
}

/* Whether file is one of the files above in the chain. */
static bool formats_is_above(const struct vtr_open *o, const struct vtr_blk *file)
{
	struct vtr_hostfile_id a, b;

	if (!vtr_hostfile_id(&a, file))
		return false;
	for (; o; o = o->above)
		if (vtr_hostfile_id(&b, o->file) && a.dev == b.dev && a.ino == b.ino)
			return true;
	return false;
}

/* The name of a format as images have it. qemu calls VHD by the program that it came from. */
static const char *formats_spelling(const char *format)
{
	static const struct {
		const char *qemu, *ours;
	} names[] = { { "vpc", "vhd" }, { "file", "raw" }, { "host_device", "raw" } };

	for (size_t i = 0; format && i < VTR_COUNT(names); i++)
		if (strcmp(format, names[i].qemu) == 0)
			return names[i].ours;
	return format;
}

int vtr_format_open_named(struct vtr_blk **out, char **shown, struct vtr_open *o, const char *name, const char *format,
			  const char *what, struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *file = NULL;
	struct vtr_origin origin = vtr_open_origin(o);
	struct vtr_found found = { 0 };
	VTR_FREE char *name_found = NULL;
	struct vtr_image_options opt = { .format = formats_spelling(format), .any_parent = o->opt->any_parent };
	struct vtr_open below = {
		.ctx = o->ctx,
		.opt = &opt,
		.depth = o->depth + 1,
		.beside = o->beside,
		.above = o,
		.raw_content = o->raw_content,
	};

	if (VTR_OVER(o->ctx, chain, below.depth, what, err) < 0)
		return -1;
	if (opt.format && !vtr_format_find(opt.format))
		return vtr_fail(err, VTR_EUNSUPPORTED, "%s \"%s\" is of the format \"%s\", which is unknown", what,
				name, format);
	if (vtr_hostfile_open_named(&file, &found, o->ctx, &origin, name, what, err) < 0)
		return -1;
	name_found = found.shown;
	if (formats_is_above(o, file))
		return vtr_fail(err, VTR_ECORRUPT, "%s \"%s\" is an image of its own chain: a cycle", what, name);
	below.file = file;
	below.shown = name_found;
	below.path = found.on_host ? name_found : NULL;
	if (vtr_format_open(out, &below, err) < 0)
		return vtr_at(err, "%s \"%s\"", what, name);
	if (shown)
		*shown = vtr_steal(name_found);
	return 0;
}
