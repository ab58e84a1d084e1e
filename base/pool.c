/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small pool of worker threads: one loop over numbered items at a time, shared by the workers and the caller.
 * Threads are started at the first loop that has use for them, with all signals blocked, so that the program's own
 * handlers run on the program's own threads.
 */
#include "base/pool.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/checked.h"

#define POOL_MAX 8u

struct pool_loop {
	vtr_pool_fn *fn;
	void *arg;
	size_t n;
	atomic_size_t next;
	atomic_bool failed;
	size_t fail_i; /* the lowest item that failed; under the lock */
	struct vtr_error fail;
	unsigned working; /* threads in it; under the lock */
};

struct vtr_pool {
	pthread_mutex_t lock;
	pthread_cond_t wake, done;
	pthread_mutex_t owner; /* held by whoever runs a loop */
	struct pool_loop *loop;
	uint64_t round;
	bool quit;
	unsigned n;
	pthread_t threads[POOL_MAX];
};

static _Thread_local bool pool_inside; /* this thread is within an item */

static void pool_work(struct vtr_pool *p, struct pool_loop *l)
{
	struct vtr_error err = { 0 };
	size_t i;

	pool_inside = true;
	while (!atomic_load(&l->failed) && (i = atomic_fetch_add(&l->next, 1)) < l->n) {
		if (l->fn(l->arg, i, &err) == 0)
			continue;
		pthread_mutex_lock(&p->lock);
		if (!atomic_load(&l->failed) || i < l->fail_i) {
			l->fail_i = i;
			l->fail = err;
		}
		atomic_store(&l->failed, true);
		pthread_mutex_unlock(&p->lock);
	}
	pool_inside = false;
}

static void *pool_thread(void *arg)
{
	struct vtr_pool *p = arg;
	uint64_t round = 0;

	pthread_mutex_lock(&p->lock);
	while (!p->quit) {
		struct pool_loop *l = p->loop;

		if (!l || p->round == round) {
			pthread_cond_wait(&p->wake, &p->lock);
			continue;
		}
		round = p->round;
		l->working++;
		pthread_mutex_unlock(&p->lock);
		pool_work(p, l);
		pthread_mutex_lock(&p->lock);
		if (--l->working == 0)
			pthread_cond_broadcast(&p->done);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

unsigned vtr_pool_width(struct vtr_ctx *ctx)
{
	uint64_t n = ctx->lim.threads;

	if (n == 0) {
		long cpus = sysconf(_SC_NPROCESSORS_ONLN);

		n = cpus > 0 ? (uint64_t)cpus : 1;
	}
	return (unsigned)VTR_MIN(n, (uint64_t)POOL_MAX);
}

/* NULL: one thread is all that there is, or all that can be had. */
static struct vtr_pool *pool_get(struct vtr_ctx *ctx)
{
	unsigned width = vtr_pool_width(ctx);
	struct vtr_pool *p;

	pthread_mutex_lock(&ctx->pool_lock);
	p = ctx->pool;
	if (!p && width > 1 && (p = calloc(1, sizeof(*p)))) {
		sigset_t all, old;

		pthread_mutex_init(&p->lock, NULL);
		pthread_mutex_init(&p->owner, NULL);
		pthread_cond_init(&p->wake, NULL);
		pthread_cond_init(&p->done, NULL);
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		while (p->n < width - 1 && pthread_create(&p->threads[p->n], NULL, pool_thread, p) == 0)
			p->n++;
		pthread_sigmask(SIG_SETMASK, &old, NULL);
		ctx->pool = p;
	}
	pthread_mutex_unlock(&ctx->pool_lock);
	return p;
}

void vtr_pool_free(struct vtr_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->quit = true;
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n; i++)
		pthread_join(p->threads[i], NULL);
	pthread_mutex_destroy(&p->lock);
	pthread_mutex_destroy(&p->owner);
	pthread_cond_destroy(&p->wake);
	pthread_cond_destroy(&p->done);
	free(p);
}

int vtr_pool_run(struct vtr_ctx *ctx, vtr_pool_fn *fn, void *arg, size_t n, struct vtr_error *err)
{
	struct vtr_pool *p = n > 1 && !pool_inside ? pool_get(ctx) : NULL;
	struct pool_loop l = { .fn = fn, .arg = arg, .n = n };

	if (!p || pthread_mutex_trylock(&p->owner) != 0) {
		for (size_t i = 0; i < n; i++)
			if (fn(arg, i, err) < 0)
				return -1;
		return 0;
	}
	pthread_mutex_lock(&p->lock);
	p->loop = &l;
	p->round++;
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
	pool_work(p, &l);
	pthread_mutex_lock(&p->lock);
	p->loop = NULL;
	while (l.working > 0)
		pthread_cond_wait(&p->done, &p->lock);
	pthread_mutex_unlock(&p->lock);
	pthread_mutex_unlock(&p->owner);
	if (!atomic_load(&l.failed))
		return 0;
	if (err)
		*err = l.fail;
	return -1;
}
