/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A raw disk in numbered pieces: disk.001, disk.002, …; .000, .0001 and so on; .aa, .ab, … as split(1) names them. The
 * caller names the first piece. The others are files that the caller did not name: they are opened as those that an
 * image names are, and when that is not allowed, the first piece is not taken for the whole disk.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/search.h"
#include "formats/image.h"

#define SPLIT_PIECES 4096u /* each is a file of the host */
#define SPLIT_SUFFIX 10u   /* of a suffix, with all that it grows by */

struct split_piece {
	struct vtr_blk *src; /* borrowed from the image */
	uint64_t start;	     /* on the disk */
};

struct split {
	struct vtr_image im;
	struct split_piece *pieces;
	size_t n, cap;
};

/* --------------------------------------------------------------------------------------------------------- reading */

/* The piece that has the byte at off. */
static const struct split_piece *split_at(const struct split *s, uint64_t off)
{
	return &s->pieces[VTR_LAST_AT(s->pieces, s->n, start, off)];
}

static int split_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	const struct split_piece *p = split_at((struct split *)b, off);
	uint8_t *to = buf;

	for (; len > 0; p++) {
		uint64_t in = off - p->start;
		size_t n = (size_t)VTR_MIN((uint64_t)len, p->src->size - in);

		if (n > 0 && vtr_blk_pread(p->src, in, to, n, err) < 0)
			return -1;
		to += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int split_extent(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err)
{
	const struct split_piece *p = split_at((struct split *)b, off);

	if (vtr_blk_extent(out, p->src, off - p->start, err) < 0)
		return -1;
	if (out->has_host_off && p->start == 0)
		out->host_file = vtr_image_of(b)->path;
	return 0;
}

static void split_close(struct vtr_image *im)
{
	free(((struct split *)im)->pieces);
}

/* No map: the pieces are the disk. */
static const struct vtr_image_ops split_ops = {
	.blk = {
		.kind = "split raw disk",
		.pread = split_pread,
		.extent = split_extent,
		.close = vtr_image_close,
		.info = vtr_image_get_info,
	},
	.close = split_close,
};

/* ----------------------------------------------------------------------------------------------------------- names */

/* The suffix of a first piece, behind the last dot of the last component; NULL: it is none. */
static const char *split_first(const char *path)
{
	const char *dot = strrchr(path, '.');
	size_t n;

	if (!dot || dot == path || dot[-1] == '/' || strchr(dot, '/'))
		return NULL;
	n = strlen(++dot);
	if (n < 2 || n > 4)
		return NULL;
	if (strspn(dot, "a") == n)
		return dot;
	return strspn(dot, "0") >= n - 1 && (dot[n - 1] == '0' || dot[n - 1] == '1') ? dot : NULL;
}

/* The same number of digits or letters, one higher; false after the last. */
static bool split_count(char *suffix)
{
	char low = isdigit((unsigned char)*suffix) ? '0' : 'a', high = low == '0' ? '9' : 'z';

	for (size_t i = strlen(suffix); i-- > 0;) {
		if (suffix[i] != high) {
			suffix[i]++;
			return true;
		}
		suffix[i] = low;
	}
	return false;
}

/*
 * The other name that the next piece may have, where numbers outgrow their width: after 999 comes 1000; split(1) goes
 * on from yz to zaaa, and from 89 to 9000. False: there is none.
 */
static bool split_widen(char *out, const char *suffix)
{
	size_t n = strlen(suffix);
	char low = isdigit((unsigned char)*suffix) ? '0' : 'a', high = low == '0' ? '9' : 'z';
	char last[SPLIT_SUFFIX];

	if (n + 3 > SPLIT_SUFFIX)
		return false;
	memset(last, high, n);
	last[n] = 0;
	if (low == '0' && strcmp(suffix, last) == 0) {
		out[0] = '1';
		memset(out + 1, '0', n);
		out[n + 1] = 0;
		return true;
	}
	/* All of them but the last before the highest: split keeps names in order by leaving those out. */
	for (size_t i = 0; i < n; i++)
		if (suffix[i] != high) {
			if (suffix[i] != high - 1)
				return false;
			for (size_t k = i + 1; k < n; k++)
				if (suffix[k] != high)
					return false;
			memset(out, high, i + 1);
			memset(out + i + 1, low, n - i + 1);
			out[n + 2] = 0;
			return true;
		}
	return false;
}

/* The last component of the first piece's path, with another suffix. */
static char *split_name(const char *path, const char *first, const char *suffix, struct vtr_error *err)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t n = (size_t)(first - base);
	const char *before = memchr(base, ':', n) ? "./" : ""; /* or it would be a protocol */
	char *name = vtr_calloc(1, strlen(before) + n + strlen(suffix) + 1, err);

	if (!name)
		return NULL;
	memcpy(stpcpy(name, before), base, n);
	strcat(name, suffix);
	return name;
}

/*
 * Whether the next piece lies beside the first. Its name follows from the one that the caller gave: a name that an image
 * gave is none to look around at.
 */
static bool split_named(const struct vtr_open *o)
{
	const char *first = o->path && !o->above ? split_first(o->path) : NULL;
	VTR_FREE char *name = NULL;
	char suffix[SPLIT_SUFFIX];

	if (!first)
		return false;
	strcpy(suffix, first);
	return split_count(suffix) && (name = split_name(o->path, first, suffix, NULL)) &&
	       vtr_hostfile_beside(o->path, strncmp(name, "./", 2) == 0 ? name + 2 : name);
}

/* ------------------------------------------------------------------------------------------------------------ open */

static int split_add(struct split *s, struct vtr_blk *src, struct vtr_error *err)
{
	if (!VTR_GROW(s->pieces, s->n, s->cap, err))
		return -1;
	s->pieces[s->n++] = (struct split_piece){ .src = src, .start = s->im.blk.size };
	if (vtr_add_over(s->im.blk.size, src->size, &s->im.blk.size) || s->im.blk.size > INT64_MAX)
		return vtr_fail(err, VTR_ECORRUPT, "the pieces have more than 2^63 bytes");
	return 0;
}

/* 1: the piece of that suffix is added; 0: there is none. */
static int split_try(struct split *s, struct vtr_open *o, const char *first, const char *suffix, struct vtr_error *err)
{
	VTR_FREE char *name = split_name(o->shown, first, suffix, err);
	struct vtr_error e = { 0 };
	struct vtr_blk *src;

	if (!name)
		return -1;
	if (vtr_image_open_file(&src, &s->im, o, name, "piece", &e) == 0)
		return split_add(s, src, err) < 0 ? -1 : 1;
	if (e.code == VTR_ENOTFOUND)
		return 0;
	if (e.code == VTR_EPOLICY)
		return vtr_fail(err, e.code, "%s; --format raw reads the first piece alone", e.text);
	if (err)
		*err = e;
	return -1;
}

/* Whether a suffix is a later one than another of the same first piece. */
static bool split_is_later(const char *suffix, const char *than, const char *first)
{
	size_t n = strlen(suffix);

	if (n < strlen(first) || n >= SPLIT_SUFFIX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (isdigit((unsigned char)*first) ? !isdigit((unsigned char)suffix[i])
						   : !(suffix[i] >= 'a' && suffix[i] <= 'z'))
			return false;
	return n != strlen(than) ? n > strlen(than) : strcmp(suffix, than) > 0;
}

/* No piece has the suffix: then no later one may be there. */
static int split_check_end(struct vtr_open *o, const char *first, const char *missing, struct vtr_error *err)
{
	VTR_HOSTFILE_NAMES_DONE struct vtr_hostfile_names names = { .n = 0 };
	const char *slash = strrchr(o->shown, '/'), *base = slash ? slash + 1 : o->shown;
	int n = (int)(first - base); /* less than a path has */
	struct vtr_origin origin = vtr_open_origin(o);
	struct vtr_error e = { 0 };

	if (vtr_hostfile_list(&names, o->ctx, &origin, ".", "pieces", &e) < 0) {
		/* A resolver may give pieces where no directory is allowed. */
		if (e.code == VTR_EPOLICY)
			return 0;
		if (err)
			*err = e;
		return -1;
	}
	for (size_t i = 0; i < names.n; i++) {
		const char *name = names.name[i] + 2; /* "./" */

		if (strncmp(name, base, (size_t)n) == 0 && split_is_later(name + n, missing, first))
			return vtr_fail(err, VTR_ENOTFOUND, "piece \"%.*s%s\" is missing, \"%s\" is there", n, base,
					missing, name);
	}
	return 0;
}

static int split_open_pieces(struct split *s, struct vtr_open *o, const char *first, struct vtr_error *err)
{
	char suffix[SPLIT_SUFFIX], other[SPLIT_SUFFIX];
	struct vtr_open below = *o;

	below.beside = SPLIT_PIECES;
	strcpy(suffix, first);
	for (;;) {
		bool wider = split_widen(other, suffix), same = split_count(suffix);
		int r = same ? split_try(s, &below, first, suffix, err) : 0;

		if (r == 0 && wider) {
			r = split_try(s, &below, first, other, err);
			if (r > 0)
				strcpy(suffix, other);
		}
		if (r < 0)
			return -1;
		if (r == 0)
			return same ? split_check_end(o, first, suffix, err) : 0;
		if (s->n > SPLIT_PIECES)
			return vtr_fail(err, VTR_ELIMIT, "more than %u pieces", SPLIT_PIECES);
	}
}

static int split_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = NULL;
	const char *first = o->shown ? split_first(o->shown) : NULL;
	struct split *s;

	if (o->opt->snapshot)
		return vtr_fail(err, VTR_ENOTFOUND, "no snapshot \"%s\": a raw disk has none", o->opt->snapshot);
	if (o->shown && !first)
		return vtr_fail(
			err, VTR_EUSAGE,
			"a first piece has a name that ends in .001, .000, .aa or such: no more and no fewer than two to "
			"four digits or letters");
	if (!(im = vtr_image_new(&split_ops, sizeof(*s), o, err)))
		return -1;
	s = (struct split *)im;
	if (split_add(s, im->file, err) < 0)
		return -1;
	if (first && !o->opt->alone && split_open_pieces(s, o, first, err) < 0)
		return -1;
	if (o->opt->alone)
		vtr_image_warn(im, VTR_OK, "the other pieces are not opened: the sizes are those of the first one");
	for (size_t i = 1; i < s->n; i++)
		if (i + 1 < s->n ? s->pieces[i].src->size != s->pieces[0].src->size
				 : s->pieces[i].src->size > s->pieces[0].src->size)
			vtr_image_warn(im, VTR_OK,
				       "piece %zu has %" PRIu64 " bytes, the first %" PRIu64
				       ": one may be cut, or no piece",
				       i + 1, s->pieces[i].src->size, s->pieces[0].src->size);
	if (vtr_image_prop_number(im, "pieces", "pieces", s->n, err) < 0 ||
	    vtr_image_prop_bytes(im, "piece_size", "size of a piece", s->pieces[0].src->size, err) < 0)
		return -1;
	return vtr_image_finish(out, &im, o, err);
}

/* The bytes say nothing; formats.c asks the name of what looks like a raw disk. */
static int split_probe(const struct vtr_probe *p)
{
	(void)p;
	return 0;
}

extern const struct vtr_format vtr_format_splitraw;
const struct vtr_format vtr_format_splitraw = {
	.name = "splitraw",
	.title = "raw disk in pieces",
	.probe = split_probe,
	.named = split_named,
	.open = split_open,
};
