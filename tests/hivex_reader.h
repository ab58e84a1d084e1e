/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libhivex as a second reader of hives. */
#ifndef TESTS_HIVEX_READER_H
#define TESTS_HIVEX_READER_H

#include <stdbool.h>

#include "base/text.h"

/*
 * All of a hive as hivexregedit --export prints it. The library gets a sealed file in memory. false: libhivex refuses the
 * hive, or something in it, and *why (may be NULL) says what.
 */
bool hivex_export(struct vtr_str *out, const void *bytes, size_t len, const char **why);

#endif
