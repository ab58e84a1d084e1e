/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Container formats, for those who write one. */
#ifndef VTR_FORMATS_FORMAT_H
#define VTR_FORMATS_FORMAT_H

#include "base/hostfile.h"

struct vtr_image_options;

/* What an image is opened from. Borrowed during the call; a driver keeps references and copies. */
struct vtr_open {
	struct vtr_ctx *ctx;
	struct vtr_blk *file;		     /* the bytes of the image file */
	const char *path;		     /* its path on the host; NULL: it has none, and names no neighbours */
	const char *shown;		     /* its name, for messages: path, or what a resolver served; NULL: none */
	const struct vtr_image_options *opt; /* never NULL; its format is decided already */
	unsigned depth;			     /* images above this one in the chain */
	unsigned beside;		     /* images that are opened beside this one, and share its cache */
	uint64_t stored;		     /* bytes of the files that this one is decoded from; 0: those of file */
	const struct vtr_open *above;	     /* the image that named this one; NULL: the caller did */
	/*
	 * What a raw disk of these bytes would hold (a partition table, a filesystem) and how many bits say so; NULL:
	 * nothing. From whoever knows the layers above; may be NULL.
	 */
	const char *(*raw_content)(const struct vtr_probe *p, int *bits);
};

struct vtr_format {
	const char *name;  /* "qcow2", as people type it */
	const char *title; /* "QEMU copy-on-write v2/v3" */
	/* How many bits of the format's own signs were found; 0: not ours. Looks at the given bytes only. */
	int (*probe)(const struct vtr_probe *p);
	/*
	 * Of an image that was recognised: it is laid around a raw disk, so that the signs of a raw disk in it are no other
	 * reading. NULL: never.
	 */
	bool (*raw_inside)(const struct vtr_probe *p);
	/* Of an image whose bytes have no format's signs: its path says that it is ours. NULL: never. */
	bool (*named)(const struct vtr_open *o);
	/* Of a format that is not read: what to do, in memory that the caller frees; NULL: nothing to say. */
	char *(*advise)(struct vtr_open *o);
	/* NULL: recognised, and refused by name. */
	int (*open)(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err);
};

extern const struct vtr_format *const vtr_formats[]; /* ends with NULL; raw, which fits everything, is last */

const struct vtr_format *vtr_format_find(const char *name);

/*
 * The format that the bytes have the signs of; raw when there are none. Every sign counts: a disk that a guest has made
 * look like a container too is ambiguous, and the caller must name what it is. NULL and *err.
 */
const struct vtr_format *vtr_format_recognise(struct vtr_open *o, struct vtr_error *err);

/* Decode o->file; decides its format first unless o->opt names it. */
int vtr_format_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err);

/* The image of o, for the door to the host's files. */
static inline struct vtr_origin vtr_open_origin(const struct vtr_open *o)
{
	return (struct vtr_origin){ .shown = o->shown, .path = o->path, .depth = o->depth };
}

/*
 * Open the image that the image of o names, with the format that it names (NULL: recognise it). Counts the chain and
 * refuses a cycle. *shown is its name, as in struct vtr_found, the caller's. what: "backing file".
 */
int vtr_format_open_named(struct vtr_blk **out, char **shown, struct vtr_open *o, const char *name, const char *format,
			  const char *what, struct vtr_error *err);

#endif
