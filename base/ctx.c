/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The context: limits, warnings, cancellation, accounts of work and memory. */
#include "base/ctx.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/pool.h"

static const struct {
	const char *name;
	size_t at;
	uint64_t value;
} ctx_limits[] = {
#define X(name, value) { #name, offsetof(struct vtr_limits, name), (uint64_t)(value) },
	VTR_LIMITS(X)
#undef X
};

void vtr_limits_default(struct vtr_limits *out)
{
	for (size_t i = 0; i < VTR_COUNT(ctx_limits); i++)
		memcpy((char *)out + ctx_limits[i].at, &ctx_limits[i].value, sizeof(uint64_t));
}

const char *vtr_limits_name(size_t i, const struct vtr_limits *l, uint64_t *value)
{
	if (i >= VTR_COUNT(ctx_limits))
		return NULL;
	if (value)
		memcpy(value, (const char *)l + ctx_limits[i].at, sizeof(*value));
	return ctx_limits[i].name;
}

int vtr_limits_set(struct vtr_limits *l, const char *name, uint64_t value, struct vtr_error *err)
{
	for (size_t i = 0; i < VTR_COUNT(ctx_limits); i++) {
		if (strcmp(name, ctx_limits[i].name) == 0) {
			memcpy((char *)l + ctx_limits[i].at, &value, sizeof(value));
			return 0;
		}
	}
	return vtr_fail(err, VTR_EUSAGE, "no limit is named \"%s\"", name);
}

struct vtr_ctx *vtr_ctx_new(const struct vtr_limits *limits, struct vtr_error *err)
{
	struct vtr_ctx *ctx = vtr_calloc(1, sizeof(*ctx), err);
	pthread_mutexattr_t checked;

	if (!ctx)
		return NULL;
	atomic_init(&ctx->refs, 1);
	if (limits)
		ctx->lim = *limits;
	else
		vtr_limits_default(&ctx->lim);
	pthread_mutexattr_init(&checked);
	pthread_mutexattr_settype(&checked, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&ctx->warn_lock, &checked);
	pthread_mutexattr_destroy(&checked);
	pthread_mutex_init(&ctx->pool_lock, NULL);
	return ctx;
}

struct vtr_ctx *vtr_ctx_ref(struct vtr_ctx *ctx)
{
	atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
	return ctx;
}

void vtr_ctx_unref(struct vtr_ctx *ctx)
{
	if (!ctx || atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) != 1)
		return;
	vtr_pool_free(ctx->pool);
	for (size_t i = 0; i < ctx->n_dirs; i++) {
		close(ctx->dirs[i].fd);
		free(ctx->dirs[i].path);
	}
	free(ctx->dirs);
	vtr_messages_done(&ctx->messages);
	pthread_mutex_destroy(&ctx->warn_lock);
	pthread_mutex_destroy(&ctx->pool_lock);
	free(ctx);
}

const struct vtr_limits *vtr_ctx_limits(const struct vtr_ctx *ctx)
{
	return &ctx->lim;
}

void vtr_ctx_follow(struct vtr_ctx *ctx, bool follow)
{
	ctx->follow = follow;
}

void vtr_ctx_no_replay(struct vtr_ctx *ctx, bool no_replay)
{
	ctx->no_replay = no_replay;
}

void vtr_ctx_resolver(struct vtr_ctx *ctx, vtr_resolver *fn, void *arg)
{
	ctx->resolver = fn;
	ctx->resolver_arg = arg;
}

void vtr_ctx_on_warning(struct vtr_ctx *ctx, vtr_warning *fn, void *arg)
{
	ctx->warn = fn;
	ctx->warn_arg = arg;
}

uint64_t vtr_ctx_damage(const struct vtr_ctx *ctx)
{
	return atomic_load(&ctx->damage);
}

uint64_t vtr_ctx_warnings(const struct vtr_ctx *ctx)
{
	return atomic_load(&ctx->warnings);
}

uint64_t vtr_ctx_bytes_read(const struct vtr_ctx *ctx)
{
	return atomic_load(&ctx->bytes_read);
}

void vtr_warn_err(struct vtr_ctx *ctx, const struct vtr_error *err)
{
	atomic_fetch_add(&ctx->warnings, 1);
	if (err->code != VTR_OK)
		atomic_fetch_add(&ctx->damage, 1);
	/* The caller's function may do what warns again: EDEADLK. */
	if (pthread_mutex_lock(&ctx->warn_lock) != 0)
		return;
	if (ctx->warn && vtr_messages_show(&ctx->messages, err, true))
		ctx->warn(ctx->warn_arg, err);
	pthread_mutex_unlock(&ctx->warn_lock);
}

void vtr_ctx_cut(struct vtr_ctx *ctx, const struct vtr_error *err, bool told)
{
	if (!err || pthread_mutex_lock(&ctx->warn_lock) != 0)
		return;
	vtr_messages_cut(&ctx->messages, err->text, told);
	pthread_mutex_unlock(&ctx->warn_lock);
}

bool vtr_ctx_message(struct vtr_ctx *ctx, const struct vtr_error *message)
{
	bool show;

	if (pthread_mutex_lock(&ctx->warn_lock) != 0)
		return false;
	show = vtr_messages_show(&ctx->messages, message, false);
	pthread_mutex_unlock(&ctx->warn_lock);
	return show;
}

void vtr_ctx_left_out(struct vtr_ctx *ctx, vtr_warning *fn, void *arg)
{
	if (pthread_mutex_lock(&ctx->warn_lock) != 0)
		return;
	vtr_messages_left_out(&ctx->messages, fn, arg);
	pthread_mutex_unlock(&ctx->warn_lock);
}

void vtr_warn(struct vtr_ctx *ctx, int code, const char *fmt, ...)
{
	struct vtr_error err = { 0 };
	va_list ap;

	va_start(ap, fmt);
	vtr_error_vset(&err, code, fmt, ap);
	va_end(ap);
	vtr_warn_err(ctx, &err);
}

static uint64_t ctx_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void vtr_ctx_cancel(struct vtr_ctx *ctx)
{
	atomic_store(&ctx->cancelled, true);
}

void vtr_ctx_deadline(struct vtr_ctx *ctx, uint64_t milliseconds)
{
	uint64_t at;

	if (milliseconds == 0)
		at = 0;
	else if (vtr_add_over(ctx_now_ms(), milliseconds, &at))
		at = UINT64_MAX;
	atomic_store(&ctx->deadline_ms, at);
}

int vtr_ctx_check(struct vtr_ctx *ctx, struct vtr_error *err)
{
	uint64_t deadline;

	if (atomic_load_explicit(&ctx->cancelled, memory_order_relaxed))
		return vtr_fail(err, VTR_ECANCELLED, "cancelled");
	deadline = atomic_load_explicit(&ctx->deadline_ms, memory_order_relaxed);
	if (deadline != 0 && ctx_now_ms() >= deadline)
		return vtr_fail(err, VTR_ECANCELLED, "the time allowed is over");
	return 0;
}

int vtr_limit_check(const char *name, uint64_t limit, uint64_t needed, const char *what, struct vtr_error *err)
{
	if (needed > limit)
		return vtr_fail(err, VTR_ELIMIT, "%s: %" PRIu64 " needed, limit %s=%" PRIu64, what, needed, name,
				limit);
	return 0;
}

int vtr_tick(struct vtr_ctx *ctx, uint64_t *steps, uint64_t n, struct vtr_error *err)
{
	uint64_t before = *steps, now;

	if (vtr_add_over(before, n, &now) || now > ctx->lim.steps)
		return vtr_fail(err, VTR_ELIMIT, "more than %" PRIu64 " metadata nodes, limit steps=%" PRIu64,
				ctx->lim.steps, ctx->lim.steps);
	*steps = now;
	return before >> 10 != now >> 10 ? vtr_ctx_check(ctx, err) : 0;
}

int vtr_charge(struct vtr_ctx *ctx, uint64_t bytes, const char *what, struct vtr_error *err)
{
	uint64_t before, after;

	if (VTR_OVER(ctx, alloc, bytes, what, err) < 0)
		return -1;
	before = atomic_fetch_add(&ctx->metadata, bytes);
	if (vtr_add_over(before, bytes, &after))
		after = UINT64_MAX;
	if (after > ctx->lim.metadata) {
		atomic_fetch_sub(&ctx->metadata, bytes);
		return vtr_limit_check("metadata", ctx->lim.metadata, after, what, err);
	}
	return 0;
}

void vtr_uncharge(struct vtr_ctx *ctx, uint64_t bytes)
{
	atomic_fetch_sub(&ctx->metadata, bytes);
}

void *vtr_calloc(size_t n, size_t size, struct vtr_error *err)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		vtr_error_set(err, VTR_ENOMEM, "out of memory: %zu times %zu bytes", n, size);
	return p;
}

char *vtr_strndup(const char *s, size_t len, struct vtr_error *err)
{
	char *p = len < SIZE_MAX ? malloc(len + 1) : NULL;

	if (!p) {
		vtr_error_set(err, VTR_ENOMEM, "out of memory: %zu bytes of text", len);
		return NULL;
	}
	if (len > 0)
		memcpy(p, s, len);
	p[len] = 0;
	return p;
}

bool vtr_grow(void **array, size_t n, size_t *cap, size_t size, struct vtr_error *err)
{
	size_t want = *cap ? *cap * 2 : 8, bytes;
	void *p;

	if (n < *cap)
		return true;
	if (want < *cap || vtr_mul_over(want, size, &bytes) || !(p = realloc(*array, bytes))) {
		vtr_error_set(err, VTR_ENOMEM, "out of memory: %zu items of %zu bytes", want, size);
		return false;
	}
	*array = p;
	*cap = want;
	return true;
}

void vtr_free_cleanup(void *p)
{
	void *mem;

	memcpy(&mem, p, sizeof(mem));
	free(mem);
}
