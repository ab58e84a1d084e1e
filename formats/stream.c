/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a file is compressed in several units of a modest size, these are decoded into the cache, as clusters of other
 * formats are. Otherwise what is decoded is kept in a temporary file without a name (the spool), whose zeros are holes:
 * unit by unit as they are asked for, several at a time, and a single unit as far forward as was read so far.
 *
 * Formats that do not say how large the content is are decoded to their end when they are opened. Nothing less tells
 * the size of a disk: gzip's length is that of its last member, modulo 2^32.
 */
#include "formats/stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/pool.h"
#include "base/search.h"
#include "base/spool.h"

#define STREAM_SMALL (4u << 20)	  /* bytes of a unit that the cache may hold */
#define STREAM_LOAD (64u << 10)	  /* compressed bytes loaded at once */
#define STREAM_PIECE (256u << 10) /* bytes decoded at once */
#define STREAM_STEP 16384u	  /* bytes decoded for one step of work */
#define STREAM_EMPTY 16u	  /* steps of work for a unit that holds nothing */

enum { STREAM_TODO = 0, STREAM_BUSY, STREAM_DONE };

struct stream_unit {
	uint64_t out, out_len, in, in_len;
	unsigned method;
	unsigned state; /* of the spool; under the lock */
};

struct vtr_packed {
	struct vtr_image im;
	const struct vtr_stream_ops *ops;
	struct stream_unit *unit; /* ascending, without gaps */
	size_t n, cap;
	uint64_t charged, size;
	bool unknown; /* the size, until all is decoded */
	struct vtr_spool spool;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	/* A single unit: */
	atomic_uint_fast64_t front; /* decoded, and in the spool */
	pthread_mutex_t forward;    /* whoever decodes */
	struct vtr_decoder live;
	bool is_live;
	uint64_t steps;
	struct vtr_error failed; /* it is not decoded any further */
	uint8_t *piece;
};

static struct vtr_packed *stream_of(struct vtr_image *im)
{
	return (struct vtr_packed *)im;
}

/* -------------------------------------------------------------------------------------------------------- decoding */

int vtr_decoder_no_memory(struct vtr_error *err)
{
	return vtr_fail(err, VTR_ENOMEM, "out of memory for decompression");
}

int vtr_decoder_need(struct vtr_decoder *d, size_t n, struct vtr_error *err)
{
	size_t more;

	if (d->have - d->at >= n || d->in == d->in_end)
		return 0;
	/* What is compressed may go on for long and hold nothing. */
	if (vtr_tick(d->ctx, &d->steps, STREAM_LOAD / STREAM_STEP, err) < 0)
		return -1;
	memmove(d->buf, d->buf + d->at, d->have - d->at);
	d->have -= d->at;
	d->at = 0;
	more = (size_t)VTR_MIN((uint64_t)(STREAM_LOAD - d->have), d->in_end - d->in);
	if (vtr_blk_pread(d->file, d->in, d->buf + d->have, more, err) < 0)
		return -1;
	d->have += more;
	d->in += more;
	return 0;
}

void vtr_decoder_take(struct vtr_decoder *d, uint64_t bytes)
{
	d->taken = VTR_MIN(bytes, d->ctx->lim.metadata); /* more is refused */
	vtr_codecs_take(d->all, d->taken);
}

static void decoder_stop(struct vtr_decoder *d, const struct vtr_stream_ops *ops)
{
	ops->stop(d);
	d->state = NULL;
	if (d->taken > 0)
		vtr_codecs_give(d->all, d->taken);
	d->taken = 0;
	free(d->buf);
	d->buf = NULL;
}

static int decoder_start(struct vtr_decoder *d, struct vtr_packed *s, const struct stream_unit *u,
			 struct vtr_error *err)
{
	*d = (struct vtr_decoder){
		.ctx = s->im.blk.ctx,
		.file = s->im.file,
		.in = u->in,
		.in_end = u->in + u->in_len,
		.method = u->method,
		.path = s->im.shown,
		.all = &s->im.codecs,
	};
	d->buf = malloc(STREAM_LOAD);
	if (!d->buf)
		return vtr_decoder_no_memory(err);
	if (s->ops->start(d, err) < 0) {
		decoder_stop(d, s->ops);
		return -1;
	}
	return 0;
}

/*
 * Fill out, unless the unit ends before. A failure to read the file is told when nothing else is left to tell, and
 * leaves d as it was.
 */
static int decoder_fill(size_t *out_got, struct vtr_decoder *d, const struct vtr_stream_ops *ops, uint8_t *out,
			size_t len, bool *broken, struct vtr_error *err)
{
	size_t got = 0;

	*broken = false;
	while (got < len && !d->ended) {
		size_t before = d->at, n = 0;
		struct vtr_error e = { 0 };
		int r = vtr_decoder_need(d, 1, &e);

		if (r < 0 && got > 0)
			break;
		if (r < 0) {
			if (err)
				*err = e;
			return -1;
		}
		before = d->at;
		r = ops->step(d, out + got, len - got, &n, err);
		got += n;
		if (r < 0) {
			*broken = true;
			return -1;
		}
		d->ended = r == 1;
		if (r == 1 || n > 0 || d->at != before)
			continue;
		*broken = true;
		if (d->at == d->have)
			return vtr_fail(err, VTR_ETRUNCATED,
					"the compressed bytes end at %#" PRIx64 ", before their content does",
					d->in_end);
		return vtr_fail(err, VTR_ECORRUPT, "no progress at %#" PRIx64, d->in - (d->have - d->at));
	}
	*out_got = got;
	return 0;
}

/* All of the unit was had: it ends here, with its checksum. */
static int decoder_finish(struct vtr_decoder *d, const struct vtr_stream_ops *ops, uint64_t expected, bool *broken,
			  struct vtr_error *err)
{
	uint8_t byte;
	size_t got;

	if (d->ended)
		return 0;
	if (decoder_fill(&got, d, ops, &byte, 1, broken, err) < 0)
		return -1;
	*broken = true;
	return got == 0 ? 0
			: vtr_fail(err, VTR_ECORRUPT,
				   "what is compressed before %#" PRIx64 " has more than %" PRIu64
				   " bytes, as is said of it",
				   d->in_end, expected);
}

static int decoder_short(const struct stream_unit *u, uint64_t got, struct vtr_error *err)
{
	return vtr_fail(err, VTR_ECORRUPT,
			"what is compressed at %#" PRIx64 " has %" PRIu64 " bytes, expected %" PRIu64, u->in, got,
			u->out_len);
}

/* ---------------------------------------------------------------------------------------------------- in the cache */

static size_t stream_find(const struct vtr_packed *s, uint64_t off)
{
	return VTR_LAST_AT(s->unit, s->n, out, off);
}

static int stream_map(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err)
{
	struct vtr_packed *s = stream_of(im);
	const struct stream_unit *u = &s->unit[stream_find(s, off)];

	(void)max;
	(void)err;
	out->kind = VTR_RUN_PACKED;
	out->host = u->in;
	out->host_len = u->in_len;
	out->unit = u->out;
	out->unit_len = (size_t)u->out_len;
	out->len = u->out + u->out_len - off;
	out->method = u->method;
	return 0;
}

static int stream_unpack(struct vtr_image *im, const struct vtr_run *run, struct vtr_codec *c, uint8_t *out,
			 struct vtr_error *err)
{
	struct vtr_packed *s = stream_of(im);
	const struct stream_unit u = {
		.in = run->host,
		.in_len = run->host_len,
		.out_len = run->unit_len,
		.method = run->method,
	};
	struct vtr_decoder d;
	bool broken;
	size_t got;
	int r;

	(void)c;
	if (decoder_start(&d, s, &u, err) < 0)
		return -1;
	r = decoder_fill(&got, &d, s->ops, out, run->unit_len, &broken, err);
	if (r == 0 && got < run->unit_len)
		/* Short at a failing read, or at the end. */
		r = d.ended ? decoder_short(&u, got, err)
			    : decoder_fill(&got, &d, s->ops, out + got, run->unit_len - got, &broken, err);
	if (r == 0)
		r = decoder_finish(&d, s->ops, u.out_len, &broken, err);
	decoder_stop(&d, s->ops);
	return r;
}

/* ----------------------------------------------------------------------------------------------------------- spool */

/* Decode a unit as a whole. */
static int stream_unit(struct vtr_packed *s, const struct stream_unit *u, struct vtr_error *err)
{
	VTR_FREE uint8_t *piece = malloc(STREAM_PIECE);
	uint64_t done = 0, steps = 0, counted = 0;
	struct vtr_decoder d;
	bool broken;
	int r = 0;

	if (!piece)
		return vtr_decoder_no_memory(err);
	if (decoder_start(&d, s, u, err) < 0)
		return -1;
	while (r == 0 && done < u->out_len) {
		size_t n = (size_t)VTR_MIN(u->out_len - done, (uint64_t)STREAM_PIECE), got = 0;

		r = vtr_tick(s->im.blk.ctx, &steps, STREAM_PIECE / STREAM_STEP, err);
		if (r == 0)
			r = vtr_decoded_add(&s->im.decoded, 0, err);
		if (r == 0)
			r = decoder_fill(&got, &d, s->ops, piece, n, &broken, err);
		if (r == 0 && d.ended && got < n)
			r = decoder_short(u, done + got, err);
		if (r == 0)
			r = vtr_spool_write(&s->spool, u->out + done, piece, got, &counted, err);
		atomic_fetch_add(&s->im.decoded.decoded, got);
		done += got;
	}
	if (r == 0)
		r = decoder_finish(&d, s->ops, u->out_len, &broken, err);
	decoder_stop(&d, s->ops);
	if (r < 0)
		vtr_spool_uncount(&s->spool, counted);
	return r;
}

/* Have unit i in the spool. */
static int stream_need_unit(struct vtr_packed *s, size_t i, struct vtr_error *err)
{
	struct stream_unit *u = &s->unit[i];
	int r;

	pthread_mutex_lock(&s->lock);
	while (u->state == STREAM_BUSY)
		pthread_cond_wait(&s->moved, &s->lock);
	if (u->state == STREAM_DONE) {
		pthread_mutex_unlock(&s->lock);
		return 0;
	}
	u->state = STREAM_BUSY;
	pthread_mutex_unlock(&s->lock);
	r = stream_unit(s, u, err);
	pthread_mutex_lock(&s->lock);
	u->state = r < 0 ? STREAM_TODO : STREAM_DONE;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
	return r;
}

/* One piece more of a single unit; under s->forward. err is not NULL. */
static int stream_forward(struct vtr_packed *s, struct vtr_error *err)
{
	const struct stream_unit *u = &s->unit[0];
	uint64_t front = atomic_load(&s->front), left = u->out_len - front, counted = 0;
	bool broken = false;
	size_t got = 0;
	int r;

	if (s->failed.code != VTR_OK) {
		*err = s->failed;
		return -1;
	}
	if (!s->piece && !(s->piece = malloc(STREAM_PIECE)))
		return vtr_decoder_no_memory(err);
	if (!s->is_live) {
		if (decoder_start(&s->live, s, u, err) < 0)
			return -1;
		s->is_live = true;
	}
	if (vtr_tick(s->im.blk.ctx, &s->steps, STREAM_PIECE / STREAM_STEP, err) < 0 ||
	    vtr_decoded_add(&s->im.decoded, 0, err) < 0)
		return -1;
	r = decoder_fill(&got, &s->live, s->ops, s->piece, (size_t)VTR_MIN(left, (uint64_t)STREAM_PIECE), &broken, err);
	atomic_fetch_add(&s->im.decoded.decoded, got);
	if (r == 0 && (r = vtr_spool_write(&s->spool, front, s->piece, got, &counted, err)) < 0)
		broken = true; /* these bytes were decoded, and are lost */
	if (r == 0 && s->live.ended && !s->unknown && got < left) {
		r = decoder_short(u, front + got, err);
		broken = true;
	}
	if (r == 0 && got == left && !s->unknown)
		r = decoder_finish(&s->live, s->ops, u->out_len, &broken, err);
	if (r == 0) {
		/* A failure to read has left the decoder as it is: it goes on from there. */
		atomic_store(&s->front, front + got);
		if (!s->live.ended)
			return 0;
	} else if (!broken) {
		return -1;
	} else if (vtr_error_is(err, VTR_KINDS_LOST | VTR_KIND_LIMITED)) {
		s->failed = *err;
	} else {
		vtr_spool_uncount(&s->spool, atomic_load(&s->spool.counted));
		atomic_store(&s->front, 0); /* the host fell short: again from the start, over the same bytes */
	}
	decoder_stop(&s->live, s->ops);
	s->is_live = false;
	return r;
}

/* Have bytes up to end of a single unit in the spool. */
static int stream_need_front(struct vtr_packed *s, uint64_t end, struct vtr_error *err)
{
	struct vtr_error local = { 0 };
	int r = 0;

	while (r == 0 && atomic_load(&s->front) < end) {
		pthread_mutex_lock(&s->forward);
		if (atomic_load(&s->front) < end)
			r = stream_forward(s, &local);
		pthread_mutex_unlock(&s->forward);
	}
	if (r < 0 && err)
		*err = local;
	return r;
}

static int stream_need(struct vtr_packed *s, uint64_t off, size_t len, struct vtr_error *err)
{
	if (s->n == 1)
		return stream_need_front(s, off + len, err);
	for (size_t i = stream_find(s, off); i < s->n && s->unit[i].out < off + len; i++)
		if (stream_need_unit(s, i, err) < 0)
			return -1;
	return 0;
}

static int stream_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	struct vtr_packed *s = stream_of(vtr_image_of(b));

	if (stream_need(s, off, len, err) < 0)
		return -1;
	vtr_decoded_deliver(&s->im.decoded, len);
	return vtr_spool_read(&s->spool, off, buf, len, err);
}

struct stream_ahead {
	struct vtr_packed *s;
	size_t first;
};

static int stream_ahead_unit(void *arg, size_t i, struct vtr_error *err)
{
	struct stream_ahead *a = arg;

	return stream_need_unit(a->s, a->first + i, err);
}

/* Extents are asked for by whoever wants all of the disk: units are decoded side by side. */
static int stream_extent(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err)
{
	struct vtr_packed *s = stream_of(vtr_image_of(b));
	uint64_t end;

	if (s->n == 1) {
		if (stream_need_front(s, off + 1, err) < 0)
			return -1;
		end = atomic_load(&s->front);
		if (end <= off) /* it began again meanwhile */
			end = off + 1;
	} else {
		struct stream_ahead a = { s, stream_find(s, off) };
		const struct stream_unit *u = &s->unit[a.first];
		bool done;

		pthread_mutex_lock(&s->lock);
		done = u->state == STREAM_DONE;
		pthread_mutex_unlock(&s->lock);
		if (!done) {
			size_t n = VTR_MIN(s->n - a.first, (size_t)vtr_pool_width(b->ctx));

			/* Only this one is asked for; the others tell their failures when they are. */
			if (vtr_pool_run(b->ctx, stream_ahead_unit, &a, n, NULL) < 0 &&
			    stream_need_unit(s, a.first, err) < 0)
				return -1;
		}
		end = u->out + u->out_len;
	}
	out->kind = VTR_EXTENT_DATA;
	out->compressed = true;
	if (vtr_spool_hole(&out->len, &s->spool, off, end)) {
		out->kind = VTR_EXTENT_ZERO;
		out->compressed = false;
		vtr_decoded_deliver(&s->im.decoded, out->len);
	}
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------ life */

static void stream_close(struct vtr_image *im)
{
	struct vtr_packed *s = stream_of(im);

	if (!s->ops) /* half built: no descriptor is ours yet */
		return;
	if (s->is_live)
		decoder_stop(&s->live, s->ops);
	vtr_spool_done(&s->spool);
	free(s->piece);
	free(s->unit);
	vtr_uncharge(im->blk.ctx, s->charged);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->forward);
	pthread_cond_destroy(&s->moved);
}

static const struct vtr_image_ops stream_unit_ops = {
	.blk = VTR_IMAGE_BLK_OPS("compressed file"),
	.map = stream_map,
	.unpack = stream_unpack,
	.close = stream_close,
};

static const struct vtr_image_ops stream_spool_ops = {
	.blk = {
		.kind = "compressed file",
		.pread = stream_pread,
		.extent = stream_extent,
		.close = vtr_image_close,
		.info = vtr_image_get_info,
	},
	.close = stream_close,
};

struct vtr_image *vtr_stream_new(const struct vtr_stream_ops *ops, struct vtr_open *o, struct vtr_error *err)
{
	struct vtr_image *im = vtr_image_new(&stream_unit_ops, sizeof(struct vtr_packed), o, err);
	struct vtr_packed *s = stream_of(im);

	if (!im)
		return NULL;
	s->ops = ops;
	vtr_spool_init(&s->spool, o->ctx);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->forward, NULL);
	pthread_cond_init(&s->moved, NULL);
	im->info.format = ops->format->name;
	im->info.title = ops->format->title;
	return im;
}

/* It has no place on the disk, where somebody would ask for it: it is looked at now, or never. */
static int stream_check_empty(struct vtr_packed *s, const struct stream_unit *u, struct vtr_error *err)
{
	struct vtr_decoder d;
	bool broken;
	int r;

	if (vtr_tick(s->im.blk.ctx, &s->steps, STREAM_EMPTY, err) < 0 || decoder_start(&d, s, u, err) < 0)
		return -1;
	r = decoder_finish(&d, s->ops, 0, &broken, err);
	decoder_stop(&d, s->ops);
	return r;
}

int vtr_stream_add(struct vtr_image *im, uint64_t in, uint64_t in_len, uint64_t out_len, unsigned method,
		   struct vtr_error *err)
{
	struct vtr_packed *s = stream_of(im);
	struct stream_unit u = { .out = s->size, .out_len = out_len, .in = in, .in_len = in_len, .method = method };

	if (out_len == 0)
		return stream_check_empty(s, &u, err);
	if (vtr_add_over(s->size, out_len, &s->size) || s->size > INT64_MAX)
		return vtr_fail(err, VTR_ECORRUPT, "what is compressed at %#" PRIx64 " ends past 2^63 bytes", in);
	if (s->n == s->cap) {
		uint64_t more = (s->cap ? s->cap : 8) * sizeof(u);

		if (vtr_charge(im->blk.ctx, more, "compressed units", err) < 0)
			return -1;
		s->charged += more;
	}
	if (!VTR_GROW(s->unit, s->n, s->cap, err))
		return -1;
	s->unit[s->n++] = u;
	im->unit_max = VTR_MAX(im->unit_max, (size_t)VTR_MIN(out_len, (uint64_t)SIZE_MAX));
	return 0;
}

/* A file of unknown size: decode it, and know. */
static int stream_measure(struct vtr_packed *s, struct vtr_error *err)
{
	struct stream_unit *u;

	s->unknown = true;
	s->n = 0;
	if (!VTR_GROW(s->unit, s->n, s->cap, err))
		return -1;
	u = &s->unit[s->n++];
	*u = (struct stream_unit){ .out_len = INT64_MAX, .in_len = s->im.file->size };
	do
		if (stream_forward(s, err) < 0)
			return -1;
	while (s->is_live);
	s->size = u->out_len = atomic_load(&s->front);
	return 0;
}

int vtr_stream_open(struct vtr_blk **out, struct vtr_image **im, struct vtr_open *o, bool whole, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *m = vtr_steal(*im);
	struct vtr_packed *s = stream_of(m);
	struct vtr_error local = { 0 };
	struct vtr_blk *b;

	if (whole || s->n <= 1 || m->unit_max > VTR_MIN(STREAM_SMALL, o->ctx->lim.alloc)) {
		m->blk.ops = &stream_spool_ops.blk;
		m->unit_max = 0;
		if (vtr_spool_open(&s->spool, err) < 0)
			return -1;
	}
	if (whole && stream_measure(s, &local) < 0) {
		if (err)
			*err = local;
		return -1;
	}
	m->blk.size = s->size;
	m->blk.forward = s->n == 1 && !whole;
	if (vtr_image_prop_bytes(m, "content_size", "content", s->size, err) < 0 ||
	    vtr_image_prop_bool(m, "spooled", "in a spool", s->spool.fd >= 0, err) < 0 ||
	    vtr_image_finish(&b, &m, o, err) < 0)
		return -1;
	m = vtr_image_of(b);
	return vtr_image_open_inner(out, &m, o, b, NULL, err);
}
