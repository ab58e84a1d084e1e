/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/codec/codec.h"

#include <stdlib.h>

#include "base/codec/methods.h"

#define CODEC_KEEP (1u << 20) /* stored bytes: a larger buffer is not kept */

#define X(name) &vtr_method_##name,
const struct vtr_method *const vtr_methods[] = { VTR_METHODS(X) NULL };
#undef X

/* --------------------------------------------------------------------------------------------------------- pieces */

int vtr_codec_decode(struct vtr_codec *c, const struct vtr_method *m, uint8_t *out, size_t out_len, const uint8_t *in,
		     size_t in_len, struct vtr_error *err)
{
	return m->decode(c, out, out_len, in, in_len, err);
}

int vtr_codec_no_memory(struct vtr_error *err)
{
	return vtr_fail(err, VTR_ENOMEM, "out of memory for decompression");
}

int vtr_codec_unsound(const struct vtr_method *m, size_t out_len, size_t in_len, struct vtr_error *err)
{
	vtr_error_set(err, VTR_ECORRUPT, "%s: %zu bytes are no %zu decompressed bytes", m->name, in_len, out_len);
	return 0;
}

void vtr_codec_done(struct vtr_codec *c)
{
	free(c->in);
	vtr_codec_free_zstd(c);
	vtr_codec_free_deflate(c);
}

/* -------------------------------------------------------------------------------------------------------- streams */

enum vtr_codec_result vtr_codec_start(struct vtr_codec_stream *s, const struct vtr_method *m, uint64_t memory)
{
	s->method = m;
	s->why = NULL;
	return m->start(s, memory);
}

enum vtr_codec_result vtr_codec_step(struct vtr_codec_stream *s)
{
	return s->method->step(s);
}

enum vtr_codec_result vtr_codec_restart(struct vtr_codec_stream *s)
{
	return s->method->restart(s);
}

void vtr_codec_stop(struct vtr_codec_stream *s)
{
	if (s->state)
		s->method->stop(s);
	s->state = NULL;
}

/* ---------------------------------------------------------------------------------------------------- compression */

int vtr_encoder_init(struct vtr_encoder *out, const struct vtr_method *m, int level, unsigned window_log,
		     struct vtr_error *err)
{
	void *state = m->encode_new(level, window_log);

	if (!state)
		return vtr_fail(err, VTR_ENOMEM, "out of memory: %s", m->name);
	out->method = m;
	out->state = state;
	return 0;
}

void vtr_encoder_done(struct vtr_encoder *e)
{
	if (e->state)
		e->method->encode_free(e->state);
	e->state = NULL;
}

size_t vtr_encoder_run(struct vtr_encoder *e, uint8_t *out, size_t room, const uint8_t *in, size_t in_len)
{
	return e->method->encode(e->state, out, room, in, in_len);
}

/* ---------------------------------------------------------------------------------------------------------- pools */

void vtr_codecs_init(struct vtr_codecs *all, uint64_t memory)
{
	pthread_mutex_init(&all->lock, NULL);
	pthread_cond_init(&all->given, NULL);
	all->memory = memory;
	all->taken = 0;
	all->n = 0;
}

void vtr_codecs_done(struct vtr_codecs *all)
{
	for (size_t i = 0; i < all->n; i++)
		vtr_codec_done(&all->idle[i]);
	pthread_cond_destroy(&all->given);
	pthread_mutex_destroy(&all->lock);
}

void vtr_codecs_get(struct vtr_codec *out, struct vtr_codecs *all)
{
	*out = (struct vtr_codec){ .deflate = NULL };
	pthread_mutex_lock(&all->lock);
	if (all->n > 0)
		*out = all->idle[--all->n];
	pthread_mutex_unlock(&all->lock);
	out->all = all;
}

void vtr_codecs_take(struct vtr_codecs *all, uint64_t bytes)
{
	pthread_mutex_lock(&all->lock);
	while (all->taken > 0 && (all->taken > all->memory || bytes > all->memory - all->taken))
		pthread_cond_wait(&all->given, &all->lock);
	all->taken += bytes;
	pthread_mutex_unlock(&all->lock);
}

void vtr_codecs_give(struct vtr_codecs *all, uint64_t bytes)
{
	pthread_mutex_lock(&all->lock);
	all->taken -= bytes;
	pthread_cond_broadcast(&all->given);
	pthread_mutex_unlock(&all->lock);
}

void vtr_codec_take(struct vtr_codec *c, uint64_t bytes)
{
	if (!c->all)
		return;
	if (c->taken > 0)
		vtr_codecs_give(c->all, c->taken);
	vtr_codecs_take(c->all, bytes);
	c->taken = bytes;
}

void vtr_codecs_put(struct vtr_codecs *all, struct vtr_codec *c)
{
	bool kept = false;

	if (c->in_cap > CODEC_KEEP) {
		free(c->in);
		c->in = NULL;
		c->in_cap = 0;
	}
	if (c->taken > 0)
		vtr_codecs_give(all, c->taken);
	c->taken = 0;
	pthread_mutex_lock(&all->lock);
	if (all->n < VTR_CODECS) {
		all->idle[all->n++] = *c;
		kept = true;
	}
	pthread_mutex_unlock(&all->lock);
	if (!kept)
		vtr_codec_done(c);
}

int vtr_codec_load(struct vtr_codec *c, struct vtr_blk *b, uint64_t off, size_t len, struct vtr_error *err)
{
	if (len > c->taken)
		vtr_codec_take(c, len);
	if (len > c->in_cap) {
		free(c->in);
		c->in_cap = 0;
		if (!(c->in = malloc(len)))
			return vtr_fail(err, VTR_ENOMEM, "out of memory: %zu compressed bytes", len);
		c->in_cap = len;
	}
	return vtr_blk_pread(b, off, c->in, len, err);
}
