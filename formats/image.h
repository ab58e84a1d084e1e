/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the containers have in common. A driver tells where a run of the disk's bytes lies; reading it, decoding it on
 * several threads, falling back to the parent, and telling extents is done here, once.
 */
#ifndef VTR_FORMATS_IMAGE_H
#define VTR_FORMATS_IMAGE_H

#include "base/codec/codec.h"
#include "base/pages.h"
#include "base/text.h"
#include "base/units.h"
#include "formats/format.h"

struct vtr_image;

enum vtr_run_kind {
	VTR_RUN_ABSENT, /* the parent's bytes; zeros without one, and beyond its end */
	VTR_RUN_ZERO,
	VTR_RUN_PLAIN,	/* lies in a block source as it is */
	VTR_RUN_PACKED, /* must be decoded */
};

/* A run of the disk's bytes that are alike. */
struct vtr_run {
	int kind;	     /* enum vtr_run_kind */
	uint64_t len;	     /* bytes from the asked offset; not 0 */
	struct vtr_blk *src; /* PLAIN: where they lie; NULL: the image's file */
	uint64_t host;	     /* PLAIN: of the first byte; PACKED: of the stored bytes, for unpack */
	uint64_t host_len;   /* PACKED: how many are stored, for unpack */
	uint64_t unit;	     /* PACKED: offset on the disk of what is decoded in one go */
	size_t unit_len;     /* PACKED: its bytes, at most the image's unit_max */
	unsigned method;     /* PACKED: for unpack */
	bool unplaced;	     /* PLAIN: src is no file, so that host is no place in one */
	const char *locked;  /* how the bytes are encrypted, so that they cannot be read; NULL: they are not. Static */
};

/* The image itself is the driver's object: it embeds a struct vtr_image as its first member. */
struct vtr_image_ops {
	struct vtr_blk_ops blk; /* VTR_IMAGE_BLK_OPS("qcow2") */
	/* What lies at off, for at most max bytes of it. From several threads at once. */
	int (*map)(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err);
	/* Decode the unit of a PACKED run into out, of run->unit_len bytes. From several threads at once. */
	int (*unpack)(struct vtr_image *im, const struct vtr_run *run, struct vtr_codec *c, uint8_t *out,
		      struct vtr_error *err);
	void (*close)(struct vtr_image *im); /* what the driver added. NULL: nothing. im may be half built */
	/* The file may end within the last PLAIN run: the rest reads as zeros, with a warning. */
	bool short_tail;
};

struct vtr_image {
	struct vtr_blk blk;
	struct vtr_blk *file;	 /* the image's own bytes; a reference */
	struct vtr_blk *parent;	 /* NULL: none, or not opened */
	struct vtr_blk *outer;	 /* the image that this one lies in, for its facts; NULL: none */
	struct vtr_pages *pages; /* of file */
	struct vtr_units *units; /* decoded; NULL until vtr_image_finish(), and when there are none */
	struct vtr_decoded decoded;
	size_t unit_max; /* bytes of the largest unit; 0: nothing is packed */
	struct vtr_codecs codecs;
	const char *other_parent_id; /* the parent may have this content_id as well as info.parent_id; NULL: may not */
	char *shown;		     /* its name, for messages; NULL: none */
	const char *path;	     /* shown, where that is a path of the host; else NULL */
	struct vtr_image_info info;  /* the driver fills what it knows; texts through vtr_image_text() */
	struct vtr_prop *props;
	struct vtr_image_file *files;
	struct vtr_blk **file_refs; /* as files */
	size_t n_files;
	char **texts;
	size_t n_texts, props_cap, files_cap, refs_cap, texts_cap;
};

static inline struct vtr_image *vtr_image_of(struct vtr_blk *b)
{
	return (struct vtr_image *)b;
}

int vtr_image_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err);
int vtr_image_extent(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err);
/* The same of the image alone, as if it had no parent. b may be any image. */
int vtr_image_extent_own(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err);
void vtr_image_close(struct vtr_blk *b);
const struct vtr_image_info *vtr_image_get_info(struct vtr_blk *b);
struct vtr_blk *vtr_image_get_parent(struct vtr_blk *b);
#define VTR_IMAGE_BLK_OPS(name)                                                                                        \
	{                                                                                                              \
		.kind = (name), .pread = vtr_image_pread, .extent = vtr_image_extent, .close = vtr_image_close,        \
		.info = vtr_image_get_info, .backing = vtr_image_get_parent                                            \
	}

/* A zeroed object of bytes over o->file, with the facts that every file has. Released with vtr_blk_unref(&im->blk). */
struct vtr_image *vtr_image_new(const struct vtr_image_ops *ops, size_t bytes, struct vtr_open *o,
				struct vtr_error *err);
void vtr_image_unref_cleanup(struct vtr_image **im);
#define VTR_IMAGE_UNREF VTR_CLEANUP(vtr_image_unref_cleanup)

/* The driver is done: blk.size, unit_max, parent and facts are set. Gives the image to *out. */
int vtr_image_finish(struct vtr_blk **out, struct vtr_image **im, struct vtr_open *o, struct vtr_error *err);

/* Read tables of the image's file, through the cache of its pages. */
int vtr_image_meta(struct vtr_image *im, uint64_t off, void *buf, size_t len, struct vtr_error *err);

/*
 * Put the image's path and format in front of an error: which of the files of a chain, or of a guest, it is that failed.
 * Until the image is open, those who open it say so. -1.
 */
int vtr_image_at(const struct vtr_image *im, struct vtr_error *err);

/* Warn with the image's name in front. */
void vtr_image_warn(struct vtr_image *im, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A copy that lives as long as the image. _text escapes bytes of the image for people; _bytes keeps them. */
const char *vtr_image_text(struct vtr_image *im, const void *bytes, size_t len, struct vtr_error *err);
const char *vtr_image_bytes(struct vtr_image *im, const void *bytes, size_t len, struct vtr_error *err);
const char *vtr_image_textf(struct vtr_image *im, struct vtr_error *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Facts of this format alone. key and title are static; a text is static or from the functions above. */
int vtr_image_prop_text(struct vtr_image *im, const char *key, const char *title, const char *text,
			struct vtr_error *err);
int vtr_image_prop_number(struct vtr_image *im, const char *key, const char *title, uint64_t n, struct vtr_error *err);
int vtr_image_prop_bytes(struct vtr_image *im, const char *key, const char *title, uint64_t n, struct vtr_error *err);
int vtr_image_prop_bool(struct vtr_image *im, const char *key, const char *title, bool yes, struct vtr_error *err);

/*
 * Open another file that the image keeps its bytes in (an extent, a data file), by the policy: as raw, or as the format
 * that is named. It is listed in the facts, and counted in the allocated size. *out is borrowed from the image. role:
 * "extent", static.
 */
int vtr_image_open_part(struct vtr_blk **out, struct vtr_image *im, struct vtr_open *o, const char *name,
			const char *format, const char *role, struct vtr_error *err);
int vtr_image_open_file(struct vtr_blk **out, struct vtr_image *im, struct vtr_open *o, const char *name,
			const char *role, struct vtr_error *err);

/*
 * Open the image that this one builds on, by the first of names that can be opened; format as in
 * vtr_format_open_named(). Sets im->parent and the facts. With o->opt->alone nothing is opened.
 * The driver has set info.parent_id when the parent must have that content_id: another one is VTR_ECORRUPT, or a warning
 * with o->opt->any_parent.
 */
int vtr_image_open_parent(struct vtr_image *im, struct vtr_open *o, const char *const *names, size_t n,
			  const char *format, struct vtr_error *err);

/*
 * A path as Windows has it, as names to try beside the image: with slashes, and its last component alone. What has a
 * drive, a share or a device in front is no relative path: only its last component is tried. The number of names (0 to
 * 2), which live as long as the image; -1.
 */
int vtr_image_windows_names(const char **names, struct vtr_image *im, const char *path, struct vtr_error *err);

/*
 * The image holds the bytes of another image (compressed, or a member of an archive): open that, which is recognised
 * unless format says what it is. bytes: of the inner image; may be &(*im)->blk, which is then finished. The facts of the
 * inner image, in *out, say what it lies in. *im is taken in every case.
 */
int vtr_image_open_inner(struct vtr_blk **out, struct vtr_image **im, struct vtr_open *o, struct vtr_blk *bytes,
			 const char *format, struct vtr_error *err);

/*
 * What to say when none of several names of one file opens: *first is that of the first name, unless a file beside the
 * image is what would be opened with --follow, or what is not there. name: the one that failed with *e.
 */
void vtr_image_better_error(struct vtr_error *first, const struct vtr_error *e, const char *name);

#endif
