/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A test program's own allocation functions, over those of glibc: they count, and fail when they are told to. Sanitizers
 * have their own in this place, and other C libraries have no such names: HEAP_FAILS is 0 then. Include it in one file.
 */
#ifndef TESTS_FAILING_HEAP_H
#define TESTS_FAILING_HEAP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define HEAP_FAILS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define HEAP_FAILS 0
#else
#define HEAP_FAILS 1
#endif
#else
#define HEAP_FAILS 1
#endif

#if HEAP_FAILS
#define HEAP __attribute__((visibility("default")))

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void __libc_free(void *p);

static _Thread_local struct {
	bool on;
	bool ours; /* those that libraries make do not count, and do not fail */
	unsigned calls, fail_at;
	long live; /* blocks taken and not given back since it was switched on */
} heap;

/* The program's own code: made by the linker. */
extern const char __executable_start[], etext[];

static bool heap_fails(const void *caller)
{
	uintptr_t at = (uintptr_t)caller;

	if (!heap.on || (heap.ours && (at < (uintptr_t)__executable_start || at >= (uintptr_t)etext)))
		return false;
	return ++heap.calls == heap.fail_at;
}

static void *heap_took(void *p)
{
	heap.live += heap.on && p;
	return p;
}

HEAP void *malloc(size_t n)
{
	return heap_fails(__builtin_return_address(0)) ? NULL : heap_took(__libc_malloc(n));
}

HEAP void *calloc(size_t n, size_t size)
{
	return heap_fails(__builtin_return_address(0)) ? NULL : heap_took(__libc_calloc(n, size));
}

HEAP void *realloc(void *p, size_t n)
{
	if (heap_fails(__builtin_return_address(0)))
		return NULL;
	return p ? __libc_realloc(p, n) : heap_took(__libc_malloc(n));
}

HEAP void free(void *p)
{
	heap.live -= heap.on && p;
	__libc_free(p);
}

/* Whether these functions are in use: valgrind puts its own in their place. */
static bool heap_counts(void)
{
	void *(*volatile take)(size_t) = malloc; /* or the compiler knows better than to call it */
	void (*volatile give)(void *) = free;

	heap.calls = 0;
	heap.on = true;
	give(take(1));
	heap.on = false;
	return heap.calls == 1;
}
#endif

#endif
