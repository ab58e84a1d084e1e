/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "formats/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/pool.h"

#define IMAGE_JOBS 64u	      /* units decoded in one go */
#define IMAGE_HOLE (4u << 20) /* holes are looked for in runs of this length: shorter ones are read as fast */

/* --------------------------------------------------------------------------------------------------------- reading */

static const struct vtr_image_ops *image_ops(const struct vtr_image *im)
{
	return (const struct vtr_image_ops *)im->blk.ops;
}

int vtr_image_at(const struct vtr_image *im, struct vtr_error *err)
{
	if (!im->info.format)
		return -1;
	if (im->shown)
		vtr_error_at(err, "%s: %s", im->shown, im->info.format);
	else
		vtr_error_at(err, "%s", im->info.format);
	/* A table whose entry points past the end may be damaged as well as the file may be cut. */
	if (err && (err->code == VTR_ETRUNCATED || strstr(err->text, "past the end of the file")))
		vtr_ctx_cut(im->blk.ctx, err, false);
	return -1;
}

static int image_map(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err)
{
	struct vtr_run run = { 0 };

	if (image_ops(im)->map(&run, im, off, max, err) < 0)
		return -1;
	run.len = VTR_MIN(run.len, max);
	if (run.kind == VTR_RUN_PLAIN && !run.src)
		run.src = im->file;
	*out = run;
	return 0;
}

static int image_unpack(struct vtr_image *im, const struct vtr_run *run, uint8_t *out, struct vtr_error *err)
{
	struct vtr_codec c;
	int r;

	vtr_codecs_get(&c, &im->codecs);
	r = image_ops(im)->unpack(im, run, &c, out, err);
	vtr_codecs_put(&im->codecs, &c);
	return r;
}

/* The key of a decoded unit is its place on the disk: tables do not change while the image is open. */
static int image_unit_fill(void *arg, uint64_t key, uint8_t *block, size_t len, struct vtr_error *err)
{
	struct vtr_image *im = arg;
	struct vtr_run run;

	if (image_map(&run, im, key, 1, err) < 0)
		return -1;
	if (run.kind != VTR_RUN_PACKED || run.unit != key || run.unit_len > len) /* somebody writes to the image */
		return vtr_fail(err, VTR_ECORRUPT, "what lies at %#" PRIx64 " changed while it was read", key);
	return image_unpack(im, &run, block, err);
}

struct image_jobs {
	struct vtr_image *im;
	struct {
		struct vtr_run run;
		uint8_t *out;
	} job[IMAGE_JOBS];
	size_t n;
};

static int image_do_job(void *arg, size_t i, struct vtr_error *err)
{
	struct image_jobs *j = arg;

	return image_unpack(j->im, &j->job[i].run, j->job[i].out, err);
}

static int image_do_jobs(struct image_jobs *j, struct vtr_error *err)
{
	int r = vtr_pool_run(j->im->blk.ctx, image_do_job, j, j->n, err);

	j->n = 0;
	return r;
}

/* Bytes that this image does not have: the parent's, as far as it goes, then zeros. */
static int image_read_parent(struct vtr_image *im, uint64_t off, uint8_t *buf, size_t len, struct vtr_error *err)
{
	size_t have = 0;

	if (im->parent && off < im->parent->size) {
		have = (size_t)VTR_MIN((uint64_t)len, im->parent->size - off);
		if (vtr_blk_pread(im->parent, off, buf, have, err) < 0)
			return vtr_at(err, "backing file");
	}
	memset(buf + have, 0, len - have);
	return 0;
}

/* Writers leave out what lies past the end of the disk in the last cluster, and so the file ends within it. */
static int image_read_plain(struct vtr_image *im, const struct vtr_run *run, uint8_t *buf, size_t len,
			    struct vtr_error *err)
{
	size_t have = len;

	if (image_ops(im)->short_tail) {
		have = (size_t)VTR_MIN((uint64_t)len, run->src->size > run->host ? run->src->size - run->host : 0);
		if (have < len)
			vtr_image_warn(im, VTR_ETRUNCATED,
				       "the file ends within a cluster, at %#" PRIx64
				       ": %zu bytes of the disk read as zeros",
				       run->src->size, len - have);
		memset(buf + have, 0, len - have);
	}
	return have == 0 ? 0 : vtr_blk_pread(run->src, run->host, buf, have, err);
}

/* A unit that is wanted whole is decoded into place, beside others; parts come from the cache. */
static int image_read_packed(struct vtr_image *im, struct image_jobs *jobs, const struct vtr_run *run, uint64_t off,
			     uint8_t *buf, size_t len, struct vtr_error *err)
{
	if (off != run->unit || len != run->unit_len)
		return vtr_units_read(im->units, run->unit, run->unit_len, (size_t)(off - run->unit), buf, len, err);
	jobs->job[jobs->n].run = *run;
	jobs->job[jobs->n++].out = buf;
	return jobs->n == IMAGE_JOBS ? image_do_jobs(jobs, err) : 0;
}

static int image_read(struct vtr_image *im, uint64_t off, uint8_t *p, size_t len, struct vtr_error *err)
{
	struct image_jobs jobs;

	jobs.im = im;
	jobs.n = 0;
	while (len > 0) {
		struct vtr_run run;
		size_t n;
		int r = 0;

		if (image_map(&run, im, off, len, err) < 0)
			return -1;
		n = (size_t)run.len;
		if (run.locked)
			return vtr_fail(err, VTR_EUNSUPPORTED, "%#" PRIx64 " is encrypted with %s", off, run.locked);
		switch (run.kind) {
		case VTR_RUN_ZERO:
			memset(p, 0, n);
			break;
		case VTR_RUN_ABSENT:
			r = image_read_parent(im, off, p, n, err);
			break;
		case VTR_RUN_PLAIN:
			r = image_read_plain(im, &run, p, n, err);
			break;
		case VTR_RUN_PACKED:
			r = image_read_packed(im, &jobs, &run, off, p, n, err);
			break;
		}
		if (r < 0)
			return -1;
		p += n;
		off += n;
		len -= n;
	}
	return image_do_jobs(&jobs, err);
}

int vtr_image_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct vtr_image *im = vtr_image_of(b);

	return image_read(im, off, buf, len, err) < 0 ? vtr_image_at(im, err) : 0;
}

/* The path of the file that a block source of the image is, or that a part of it lies in. */
static const char *image_file_path(const struct vtr_image *im, const struct vtr_blk *src)
{
	if (src == im->file)
		return im->path;
	for (size_t i = 0; i < im->n_files; i++)
		if (src == im->file_refs[i] || src == vtr_image_of(im->file_refs[i])->file)
			return vtr_image_of(im->file_refs[i])->path;
	return NULL;
}

/* What lies in a hole of its file need not be read. */
static void image_see_hole(struct vtr_extent *e, const struct vtr_run *run)
{
	struct vtr_extent host;

	if (vtr_blk_extent(&host, run->src, run->host, NULL) < 0) /* past its end: short_tail */
		return;
	e->len = VTR_MIN(e->len, host.len);
	e->zero = host.kind != VTR_EXTENT_DATA || host.zero;
}

/* whole: as the disk is read, with the parent, and with the holes of the files. */
static int image_extent(struct vtr_extent *out, struct vtr_image *im, uint64_t off, bool whole, struct vtr_error *err)
{
	struct vtr_run run;
	struct vtr_extent e = { 0 };

	if (image_map(&run, im, off, im->blk.size - off, err) < 0)
		return -1;
	e.len = run.len;
	switch (run.kind) {
	case VTR_RUN_ZERO:
		e.kind = VTR_EXTENT_ZERO;
		break;
	case VTR_RUN_PLAIN:
		e.kind = VTR_EXTENT_DATA;
		/* The bytes of what it lies in are no file's. */
		e.has_host_off = !run.locked && !run.unplaced && !im->outer;
		e.host_off = run.host;
		e.host_file = image_file_path(im, run.src);
		if (whole && !run.locked && run.len >= IMAGE_HOLE)
			image_see_hole(&e, &run);
		break;
	case VTR_RUN_PACKED:
		e.kind = VTR_EXTENT_DATA;
		e.compressed = true;
		break;
	case VTR_RUN_ABSENT:
		e.kind = VTR_EXTENT_ABSENT;
		if (whole && im->parent && off < im->parent->size) {
			if (vtr_blk_extent(&e, im->parent, off, err) < 0)
				return vtr_at(err, "backing file");
			e.depth++;
			e.len = VTR_MIN(e.len, run.len);
		}
		break;
	}
	*out = e;
	return 0;
}

int vtr_image_extent(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err)
{
	struct vtr_image *im = vtr_image_of(b);

	return image_extent(out, im, off, true, err) < 0 ? vtr_image_at(im, err) : 0;
}

int vtr_image_extent_own(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err)
{
	struct vtr_image *im = vtr_image_of(b);

	if (!image_ops(im)->map) /* the file is the disk */
		return vtr_blk_extent(out, b, off, err);
	return image_extent(out, im, off, false, err) < 0 ? vtr_image_at(im, err) : 0;
}

int vtr_image_meta(struct vtr_image *im, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	return vtr_pages_read(im->pages, off, buf, len, err);
}

/* ------------------------------------------------------------------------------------------------------------ facts */

const struct vtr_image_info *vtr_image_get_info(struct vtr_blk *b)
{
	return &vtr_image_of(b)->info;
}

struct vtr_blk *vtr_image_get_parent(struct vtr_blk *b)
{
	return vtr_image_of(b)->parent;
}

void vtr_image_warn(struct vtr_image *im, int code, const char *fmt, ...)
{
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	vtr_warn(im->blk.ctx, code, "%s%s%s: %s", im->shown ? im->shown : "", im->shown ? ": " : "", im->blk.ops->kind,
		 text);
}

/* Takes text in every case. */
static const char *image_keep(struct vtr_image *im, char *text, struct vtr_error *err)
{
	if (!text || !VTR_GROW(im->texts, im->n_texts, im->texts_cap, err)) {
		free(text);
		return NULL;
	}
	return im->texts[im->n_texts++] = text;
}

const char *vtr_image_bytes(struct vtr_image *im, const void *bytes, size_t len, struct vtr_error *err)
{
	return image_keep(im, vtr_strndup(bytes, len, err), err);
}

const char *vtr_image_text(struct vtr_image *im, const void *bytes, size_t len, struct vtr_error *err)
{
	struct vtr_str s = { 0 };

	vtr_str_puts(&s, "");
	vtr_str_put_escaped(&s, bytes, len);
	return image_keep(im, vtr_str_take(&s, err), err);
}

const char *vtr_image_textf(struct vtr_image *im, struct vtr_error *err, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return vtr_image_text(im, text, n < 0 ? 0 : VTR_MIN((size_t)n, sizeof(text) - 1), err);
}

static int image_prop(struct vtr_image *im, const struct vtr_prop *p, struct vtr_error *err)
{
	if (!VTR_GROW(im->props, im->info.n_props, im->props_cap, err))
		return -1;
	im->props[im->info.n_props++] = *p;
	im->info.props = im->props;
	return 0;
}

int vtr_image_prop_text(struct vtr_image *im, const char *key, const char *title, const char *text,
			struct vtr_error *err)
{
	struct vtr_prop p = { .key = key, .title = title, .kind = VTR_PROP_TEXT, .text = text };

	return text ? image_prop(im, &p, err) : -1; /* the text could not be kept: *err is set */
}

int vtr_image_prop_number(struct vtr_image *im, const char *key, const char *title, uint64_t n, struct vtr_error *err)
{
	struct vtr_prop p = { .key = key, .title = title, .kind = VTR_PROP_NUMBER, .number = n };

	return image_prop(im, &p, err);
}

int vtr_image_prop_bytes(struct vtr_image *im, const char *key, const char *title, uint64_t n, struct vtr_error *err)
{
	struct vtr_prop p = { .key = key, .title = title, .kind = VTR_PROP_BYTES, .number = n };

	return image_prop(im, &p, err);
}

int vtr_image_prop_bool(struct vtr_image *im, const char *key, const char *title, bool yes, struct vtr_error *err)
{
	struct vtr_prop p = { .key = key, .title = title, .kind = VTR_PROP_BOOL, .number = yes };

	return image_prop(im, &p, err);
}

/* ------------------------------------------------------------------------------------------------------ other files */

int vtr_image_open_part(struct vtr_blk **out, struct vtr_image *im, struct vtr_open *o, const char *name,
			const char *format, const char *role, struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *b = NULL;
	VTR_FREE char *path = NULL;
	struct vtr_hostfile_id id;
	const char *kept;

	if (vtr_format_open_named(&b, &path, o, name, format, role, err) < 0 || vtr_blk_stack(&im->blk, b, err) < 0)
		return -1;
	if (!VTR_GROW(im->files, im->n_files, im->files_cap, err) ||
	    !VTR_GROW(im->file_refs, im->n_files, im->refs_cap, err))
		return -1;
	if (!(kept = image_keep(im, vtr_steal(path), err)))
		return -1;
	id.allocated = vtr_image_info(b)->allocated_size;
	im->files[im->n_files] = (struct vtr_image_file){ role, kept, b->size, id.allocated };
	im->info.allocated_size += id.allocated;
	im->decoded.stored += vtr_image_info(b)->file_size;
	im->info.files = im->files;
	im->info.n_files = im->n_files + 1;
	*out = im->file_refs[im->n_files++] = vtr_steal(b);
	return 0;
}

int vtr_image_open_file(struct vtr_blk **out, struct vtr_image *im, struct vtr_open *o, const char *name,
			const char *role, struct vtr_error *err)
{
	return vtr_image_open_part(out, im, o, name, "raw", role, err);
}

/* Whether the parent is the one that the image was made on. */
static int image_check_parent(struct vtr_image *im, const struct vtr_open *o, struct vtr_error *err)
{
	const char *want = im->info.parent_id, *has = vtr_image_info(im->parent)->content_id;
	struct vtr_error bad = { 0 };

	if (!want || !has)
		return 0;
	im->info.parent_match = strcmp(want, has) == 0 || (im->other_parent_id && strcmp(im->other_parent_id, has) == 0)
					? VTR_MATCH_YES
					: VTR_MATCH_NO;
	if (im->info.parent_match == VTR_MATCH_YES)
		return 0;
	vtr_error_set(&bad, VTR_ECORRUPT,
		      "its parent is %s, expected %s: it is another image, or was written to since this one was made",
		      has, want);
	if (!o->opt->any_parent)
		return vtr_fail(err, bad.code, "%s; --any-parent reads it all the same", bad.text);
	vtr_image_warn(im, bad.code, "%s", bad.text);
	return 0;
}

void vtr_image_better_error(struct vtr_error *first, const struct vtr_error *e, const char *name)
{
	struct vtr_error was = *first;

	if (first->code == VTR_OK) {
		*first = *e;
		return;
	}
	/* One that --follow opens may well be where it says. */
	if (first->code != VTR_EPOLICY || strchr(name, '/') || strstr(first->text, "--follow"))
		return;
	if (e->code == VTR_EPOLICY)
		*first = *e;
	else if (e->code == VTR_ENOTFOUND)
		vtr_error_set(first, VTR_EPOLICY, "%s; there is no \"%s\" beside the image", was.text, name);
}

int vtr_image_open_parent(struct vtr_image *im, struct vtr_open *o, const char *const *names, size_t n,
			  const char *format, struct vtr_error *err)
{
	struct vtr_error first = { 0 }, e;
	VTR_FREE char *path = NULL;

	if (o->opt->alone)
		return 0;
	for (size_t i = 0; i < n && !im->parent; i++) {
		e.code = 0;
		if (vtr_format_open_named(&im->parent, &path, o, names[i], format, "backing file", &e) == 0)
			break;
		/* Only where there is nothing to open, another name is worth a try. */
		vtr_image_better_error(&first, &e, names[i]);
		if (!vtr_error_is(&e, VTR_KINDS_UNOPENED)) {
			first = e;
			break;
		}
	}
	if (!im->parent) {
		if (n == 0)
			vtr_error_set(&first, VTR_ENOTFOUND, "it does not name its parent");
		if (err)
			*err = first;
		return -1;
	}
	if (vtr_blk_stack(&im->blk, im->parent, err) < 0 ||
	    !(im->info.backing_path = image_keep(im, vtr_steal(path), err)))
		return -1;
	return image_check_parent(im, o, err);
}

int vtr_image_windows_names(const char **names, struct vtr_image *im, const char *path, struct vtr_error *err)
{
	size_t len = strlen(path), last = 0;
	VTR_FREE char *name = vtr_strndup(path, len, err);
	int n = 0;

	if (!name)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (name[i] == '\\')
			name[i] = '/';
		if (name[i] == '/' || name[i] == ':')
			last = i + 1;
	}
	if (name[0] != '/' && !strchr(name, ':') && name[0] != 0 && !(names[n++] = vtr_image_bytes(im, name, len, err)))
		return -1;
	if (last > 0 && last < len && !(names[n++] = vtr_image_bytes(im, name + last, len - last, err)))
		return -1;
	return n;
}

int vtr_image_open_inner(struct vtr_blk **out, struct vtr_image **im, struct vtr_open *o, struct vtr_blk *bytes,
			 const char *format, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *outer = vtr_steal(*im);
	struct vtr_image_options opt = *o->opt;
	struct vtr_open inner = {
		.ctx = o->ctx,
		.file = bytes,
		.path = o->path,
		.shown = o->shown,
		.opt = &opt,
		.depth = o->depth + 1,
		.above = o,
		.raw_content = o->raw_content,
		.stored = outer->decoded.stored,
	};
	struct vtr_image *last;
	struct vtr_blk *b = NULL;

	opt.format = format;
	if (VTR_OVER(o->ctx, chain, inner.depth, "images in each other", err) < 0 ||
	    vtr_format_open(&b, &inner, err) < 0)
		return -1;
	/* What was opened may lie in more than one already. */
	for (last = vtr_image_of(b); last->outer; last = vtr_image_of(last->outer))
		;
	last->info.outer = &outer->info;
	last->outer = &vtr_steal(outer)->blk;
	*out = b;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------- life */

void vtr_image_close(struct vtr_blk *b)
{
	struct vtr_image *im = vtr_image_of(b);

	if (image_ops(im)->close)
		image_ops(im)->close(im);
	vtr_units_free(im->units);
	vtr_pages_free(im->pages);
	vtr_codecs_done(&im->codecs);
	for (size_t i = 0; i < im->n_files; i++)
		vtr_blk_unref(im->file_refs[i]);
	for (size_t i = 0; i < im->n_texts; i++)
		free(im->texts[i]);
	free(im->texts);
	free(im->files);
	free(im->file_refs);
	free(im->props);
	free(im->shown);
	vtr_blk_unref(im->parent);
	vtr_blk_unref(im->file);
	vtr_blk_unref(im->outer);
}

void vtr_image_unref_cleanup(struct vtr_image **im)
{
	if (*im)
		vtr_blk_unref(&(*im)->blk);
}

struct vtr_image *vtr_image_new(const struct vtr_image_ops *ops, size_t bytes, struct vtr_open *o,
				struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *b = vtr_blk_new(&ops->blk, bytes, o->ctx, 0, err);
	struct vtr_hostfile_id id;
	struct vtr_image *im;

	if (!b)
		return NULL;
	im = vtr_image_of(b);
	vtr_codecs_init(&im->codecs, o->ctx->lim.metadata / (o->depth + 1));
	im->file = vtr_blk_ref(o->file);
	if (vtr_blk_stack(b, o->file, err) < 0)
		return NULL;
	if (o->shown && !(im->shown = vtr_strndup(o->shown, strlen(o->shown), err)))
		return NULL;
	im->path = o->path ? im->shown : NULL;
	/* A quarter of the cache for tables, the rest for decoded units. */
	im->pages = vtr_pages_new(o->file, VTR_PAGE_LOG2, o->ctx->lim.cache / (o->depth + 1) / (o->beside + 1) / 4,
				  NULL, err);
	if (!im->pages)
		return NULL;
	im->decoded.ctx = o->ctx;
	im->decoded.stored = o->stored ? o->stored : o->file->size;
	im->info.path = im->shown;
	im->info.file_size = o->file->size;
	im->info.allocated_size = vtr_hostfile_id(&id, o->file) ? id.allocated : o->file->size;
	return vtr_image_of(vtr_steal(b));
}

int vtr_image_finish(struct vtr_blk **out, struct vtr_image **im, struct vtr_open *o, struct vtr_error *err)
{
	uint64_t cache = o->ctx->lim.cache / (o->depth + 1) / (o->beside + 1) / 4 * 3;
	struct vtr_image *m = *im;

	m->info.virtual_size = m->blk.size;
	if (m->unit_max > 0 &&
	    !(m->units = vtr_units_new(o->ctx, m->unit_max, cache, &m->decoded, image_unit_fill, m, err)))
		return -1;
	*out = &vtr_steal(*im)->blk;
	return 0;
}
