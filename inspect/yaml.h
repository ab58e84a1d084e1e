/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A part of YAML, and JSON with it. */
#ifndef VTR_INSPECT_YAML_H
#define VTR_INSPECT_YAML_H

#include "inspect/records.h"

/* A scalar, and the keys that lead to it. item changes with each item of a sequence. */
typedef int vtr_yaml_fn(void *arg, const struct vtr_span *keys, size_t n, struct vtr_span value, uint64_t item,
			struct vtr_error *err);

/*
 * fn gets each scalar, in the order of the text, until it returns other than 0. Spans lie in the text. *skipped: how many
 * values were passed over, because they are of the kinds that are not read.
 */
int vtr_yaml_parse(uint64_t *skipped, const char *text, size_t len, vtr_yaml_fn *fn, void *arg, struct vtr_error *err);

#endif
