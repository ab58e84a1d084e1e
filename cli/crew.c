/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/crew.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define CREW_MAX 7u
#define CREW_WAKE 8u /* jobs that are worth waking a thread for */

struct cli_crew {
	pthread_mutex_t lock;
	pthread_cond_t wake, done;
	uint64_t next, end; /* the job that is taken next; how many were added */
	bool *is_done;	    /* of the last `room` jobs */
	unsigned room, idle;
	bool quit, waited_for, in_turn;
	cli_crew_fn *work;
	void *arg;
	unsigned n;
	pthread_t threads[CREW_MAX];
};

/* Under the lock, which is given up meanwhile. */
static void crew_do_one(struct cli_crew *c)
{
	uint64_t job = c->next++;

	pthread_mutex_unlock(&c->lock);
	c->work(c->arg, job);
	pthread_mutex_lock(&c->lock);
	c->is_done[job % c->room] = true;
	if (c->waited_for)
		pthread_cond_signal(&c->done);
}

static void *crew_thread(void *arg)
{
	struct cli_crew *c = arg;

	pthread_mutex_lock(&c->lock);
	while (!c->quit) {
		if (c->next < c->end) {
			crew_do_one(c);
			continue;
		}
		c->idle++;
		pthread_cond_wait(&c->wake, &c->lock);
		c->idle--;
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

struct cli_crew *cli_crew_new(uint64_t threads, unsigned room, bool in_turn, cli_crew_fn *work, void *arg)
{
	struct cli_crew *c = calloc(1, sizeof(*c));
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	sigset_t all, old;

	if (!c)
		return NULL;
	if (threads == 0)
		threads = cpus > 0 ? (uint64_t)cpus : 1;
	if (in_turn && threads > 2)
		threads = 2;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	pthread_cond_init(&c->done, NULL);
	c->is_done = calloc(room, sizeof(*c->is_done));
	c->room = room;
	c->in_turn = in_turn;
	c->work = work;
	c->arg = arg;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (c->is_done && c->n + 1 < threads && c->n < CREW_MAX &&
	       pthread_create(&c->threads[c->n], NULL, crew_thread, c) == 0)
		c->n++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (c->n > 0)
		return c;
	cli_crew_free(c);
	return NULL;
}

void cli_crew_add(struct cli_crew *c)
{
	bool wake;

	pthread_mutex_lock(&c->lock);
	c->is_done[c->end++ % c->room] = false;
	wake = c->idle > 0 && (c->in_turn || c->end - c->next >= CREW_WAKE);
	pthread_mutex_unlock(&c->lock);
	if (wake)
		pthread_cond_signal(&c->wake);
}

void cli_crew_wait(struct cli_crew *c, uint64_t job)
{
	pthread_mutex_lock(&c->lock);
	while (!c->is_done[job % c->room]) {
		if (c->next < c->end && !c->in_turn) {
			crew_do_one(c);
			continue;
		}
		c->waited_for = true;
		pthread_cond_wait(&c->done, &c->lock);
		c->waited_for = false;
	}
	pthread_mutex_unlock(&c->lock);
}

void cli_crew_free(struct cli_crew *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->quit = true;
	pthread_cond_broadcast(&c->wake);
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < c->n; i++)
		pthread_join(c->threads[i], NULL);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->wake);
	pthread_cond_destroy(&c->done);
	free(c->is_done);
	free(c);
}
