/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The context seen from inside: limits, accounts, warnings, policy, workers. */
#ifndef VTR_BASE_CTX_H
#define VTR_BASE_CTX_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/error.h"
#include "base/messages.h"

struct vtr_pool;

struct vtr_allowed_dir {
	char *path; /* absolute, without symlinks */
	int fd;
};

struct vtr_ctx {
	atomic_uint refs;
	struct vtr_limits lim;

	bool follow, no_replay;
	struct vtr_allowed_dir *dirs;
	size_t n_dirs;
	vtr_resolver *resolver;
	void *resolver_arg;

	pthread_mutex_t warn_lock;
	vtr_warning *warn;
	void *warn_arg;
	struct vtr_messages messages; /* what was handed on */
	atomic_uint_fast64_t damage, warnings;

	atomic_uint depth; /* of images that the resolver opens while it is asked; 0: it is not */

	atomic_bool cancelled;
	atomic_uint_fast64_t deadline_ms; /* CLOCK_MONOTONIC; 0: none */

	atomic_uint_fast64_t metadata; /* bytes held */
	atomic_uint_fast64_t spool;    /* against limits.spool */
	atomic_uint_fast64_t bytes_read;

	pthread_mutex_t pool_lock;
	struct vtr_pool *pool;
};

struct vtr_ctx *vtr_ctx_ref(struct vtr_ctx *ctx);

/*
 * Warn: code VTR_OK is merely odd, anything else is damage (something was lost or had to be worked around).
 * vtr_warn_err hands on an error that was made already.
 */
void vtr_warn(struct vtr_ctx *ctx, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void vtr_warn_err(struct vtr_ctx *ctx, const struct vtr_error *err);

/*
 * A read failed with *err (may be NULL) since an image ends early: of the warnings that end in this text, whatever they are about,
 * one is handed on, or none when that was warned of already. All are counted.
 */
void vtr_ctx_cut(struct vtr_ctx *ctx, const struct vtr_error *err, bool told);

/* Whether work should end: VTR_ECANCELLED. Cheap enough for every block, not for every byte. */
int vtr_ctx_check(struct vtr_ctx *ctx, struct vtr_error *err);

/* Count n steps into *steps against limits.steps, and see now and then to cancellation. */
int vtr_tick(struct vtr_ctx *ctx, uint64_t *steps, uint64_t n, struct vtr_error *err);

/* Hold bytes of metadata against limits.metadata, one allocation against limits.alloc; what names the structure. */
int vtr_charge(struct vtr_ctx *ctx, uint64_t bytes, const char *what, struct vtr_error *err);
void vtr_uncharge(struct vtr_ctx *ctx, uint64_t bytes);

/* Fails with VTR_ELIMIT when needed is over the limit: "17 snapshots, limit snapshots=16". Use: VTR_OVER(…) < 0. */
#define VTR_OVER(ctx, name, needed, what, err) vtr_limit_check(#name, (ctx)->lim.name, (needed), (what), (err))
int vtr_limit_check(const char *name, uint64_t limit, uint64_t needed, const char *what, struct vtr_error *err);

/* Zeroed memory; NULL sets VTR_ENOMEM. */
void *vtr_calloc(size_t n, size_t size, struct vtr_error *err);
char *vtr_strndup(const char *s, size_t len, struct vtr_error *err);

/* Make room for one more in an array that grows by doubling; false sets VTR_ENOMEM. */
#define VTR_GROW(array, n, cap, err) vtr_grow((void **)&(array), (n), &(cap), sizeof(*(array)), (err))
bool vtr_grow(void **array, size_t n, size_t *cap, size_t size, struct vtr_error *err);

/* Releasing on leaving a scope, and giving away. */
#define VTR_CLEANUP(fn) __attribute__((cleanup(fn)))
void vtr_free_cleanup(void *p);
#define VTR_FREE VTR_CLEANUP(vtr_free_cleanup)
#define vtr_steal(p)                                                                                                   \
	__extension__({                                                                                                \
		__typeof__(p) *stolen_ = &(p);                                                                         \
		__typeof__(p) given_ = *stolen_;                                                                       \
		*stolen_ = NULL;                                                                                       \
		given_;                                                                                                \
	})

/*
 * Whether a checksum fits. The one place that compares checksums of images: the fuzzing build makes it say yes, so
 * that mutated input gets past it.
 */
static inline bool vtr_sum_ok(uint64_t stored, uint64_t computed)
{
#ifdef VTR_FUZZING
	(void)stored, (void)computed;
	return true;
#else
	return stored == computed;
#endif
}

#endif
