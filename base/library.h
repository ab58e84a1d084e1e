/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shared libraries that are loaded when they are first used. Most runs need neither libcrypto nor libsqlite3, and loading
 * and relocating the two takes longer than all else that happens at the start.
 *
 * A file that uses such a library lists the functions once:
 *
 *	#define SUM_FUNCS(X) X(EVP_MD_CTX_new) X(EVP_MD_CTX_free)
 *	VTR_LIBRARY(sum, "libcrypto.so.3", SUM_FUNCS)
 *
 * and calls sum.EVP_MD_CTX_new() after sum_load() has succeeded. A static build (make STATIC=1) links the functions
 * instead, and sum_load() only fills the table.
 */
#ifndef VTR_BASE_LIBRARY_H
#define VTR_BASE_LIBRARY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* The outcome of loading one library: kept for the life of the process, written once. */
struct vtr_library {
	pthread_once_t once;
	bool loaded;
	char why[160]; /* the dynamic linker's own words, when it failed */
};

/* Fill table, n function pointers, with the functions of these names. Called once per library, below pthread_once(). */
void vtr_library_open(struct vtr_library *lib, const char *soname, void *table, const char *const *names, size_t n);

/* 0, or VTR_EUNSUPPORTED: the library is not installed, or lacks a function. */
int vtr_library_check(const struct vtr_library *lib, const char *soname, struct vtr_error *err);

#define VTR_LIBRARY_FIELD_(f) __typeof__(f) *f;
#define VTR_LIBRARY_NAME_(f) #f,
#define VTR_LIBRARY_LINKED_(f) .f = f,

#ifdef VTR_STATIC
#define VTR_LIBRARY(name, soname, FUNCS)                                                                               \
	static const struct {                                                                                          \
		FUNCS(VTR_LIBRARY_FIELD_)                                                                              \
	} name = { FUNCS(VTR_LIBRARY_LINKED_) };                                                                       \
	static inline int name##_load(struct vtr_error *err)                                                           \
	{                                                                                                              \
		(void)err;                                                                                             \
		return 0;                                                                                              \
	}
#else
/* Every member of the table is a function pointer, so the nth name belongs to the nth pointer. */
#define VTR_LIBRARY(name, soname, FUNCS)                                                                               \
	static struct {                                                                                                \
		FUNCS(VTR_LIBRARY_FIELD_)                                                                              \
	} name;                                                                                                        \
	static struct vtr_library name##_library = { .once = PTHREAD_ONCE_INIT };                                      \
	static void name##_open(void)                                                                                  \
	{                                                                                                              \
		static const char *const names[] = { FUNCS(VTR_LIBRARY_NAME_) };                                       \
		_Static_assert(sizeof(name) == sizeof(names), "one pointer for each function");                        \
		vtr_library_open(&name##_library, soname, &name, names, sizeof(names) / sizeof(names[0]));             \
	}                                                                                                              \
	static int name##_load(struct vtr_error *err)                                                                  \
	{                                                                                                              \
		pthread_once(&name##_library.once, name##_open);                                                       \
		return vtr_library_check(&name##_library, soname, err);                                                \
	}
#endif

#endif
