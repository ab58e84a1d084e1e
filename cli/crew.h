/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that do what the main thread does not wait for. */
#ifndef VTR_CLI_CREW_H
#define VTR_CLI_CREW_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Jobs are numbers from 0 on, in the order in which they are added; what they are is the caller's, who keeps that of at
 * most `room` of them: job i is taken to be forgotten when job i + room is added. work() is called once for each, from
 * any thread, with all signals blocked on those of the crew.
 */
struct cli_crew;
typedef void cli_crew_fn(void *arg, uint64_t job);

/*
 * At most `threads`, which is the limit of that name: 0 for as many as there are processors; the caller is one of them. A
 * few jobs wait for more, or for cli_crew_wait(). In turn: a single thread does all jobs in their order, and at once.
 * NULL: one thread is all that there is, or that can be had.
 */
struct cli_crew *cli_crew_new(uint64_t threads, unsigned room, bool in_turn, cli_crew_fn *work, void *arg);
void cli_crew_add(struct cli_crew *c);
/* Returns when a job is done. The caller does jobs meanwhile, too, unless they are done in turn. */
void cli_crew_wait(struct cli_crew *c, uint64_t job);
/* All jobs are done. */
void cli_crew_free(struct cli_crew *c);

#endif
