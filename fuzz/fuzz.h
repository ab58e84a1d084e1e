/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the fuzz targets share. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdint.h>
#include <stdlib.h>

#include "base/blk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What must hold of every input. */
#define FUZZ_CHECK(condition)                                                                                          \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			abort();                                                                                       \
	} while (0)

/* A context whose limits are so small that a slow input is a bug. */
static inline struct vtr_ctx *fuzz_ctx(void)
{
	struct vtr_limits l;
	struct vtr_ctx *ctx;

	vtr_limits_default(&l);
	l.steps = 20000;
	l.entries = 2000;
	l.dir_entries = 1000;
	l.depth = 16;
	l.symlinks = 8;
	l.path_len = 1024;
	l.chain = 3;
	l.layers = 6;
	l.devices = 32;
	l.partitions = 256;
	l.logical = 16;
	l.alloc = 1 << 20;
	l.metadata = 4 << 20;
	l.cache = 1 << 20;
	l.text_file = 65536;
	l.package_db = 1 << 20;
	l.line = 4096;
	l.hive = 1 << 20;
	l.packages = 1000;
	l.snapshots = 16;
	l.threads = 1;
	ctx = vtr_ctx_new(&l, NULL);
	FUZZ_CHECK(ctx);
	return ctx;
}

/* The input as a block source, over a copy of exactly its size. It alone keeps its context. */
static inline struct vtr_blk *fuzz_blk(const uint8_t *data, size_t len)
{
	struct vtr_ctx *ctx = fuzz_ctx();
	struct vtr_blk *b = NULL;

	FUZZ_CHECK(vtr_blk_memory(&b, ctx, data, len, NULL) == 0);
	vtr_ctx_unref(ctx);
	return b;
}

#endif
