/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the methods share, and no other folder uses. */
#ifndef VTR_BASE_CODEC_METHODS_H
#define VTR_BASE_CODEC_METHODS_H

#include "base/codec/codec.h"

int vtr_codec_no_memory(struct vtr_error *err);

/* 0, and err says that in_len bytes do not decode to out_len. */
int vtr_codec_unsound(const struct vtr_method *m, size_t out_len, size_t in_len, struct vtr_error *err);

/* Members of a workspace, which may be NULL. */
void vtr_codec_free_deflate(struct vtr_codec *c);
void vtr_codec_free_zstd(struct vtr_codec *c);

#endif
