/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volume managers and encryption: LVM2 is read; the others are identified where a device is listed. */
#ifndef VTR_VOLUMES_VOLUME_H
#define VTR_VOLUMES_VOLUME_H

#include "base/layer.h"

extern const struct vtr_layer *const vtr_volume_layers[]; /* ends with NULL */

/* The volume manager of a signature (base/signature.h). NULL: it is recognised alone. */
const struct vtr_layer *vtr_volume_layer(int sig);

/* Members that wait for the others of their sets. */
struct vtr_sets;

struct vtr_sets *vtr_sets_new(struct vtr_ctx *ctx, struct vtr_error *err);
void vtr_sets_free(struct vtr_sets *s); /* NULL is fine */

/*
 * Read what a source says of its set. name and index: the caller's, for messages and for inputs. 1: it is kept; 0: the
 * layer is not read. -1: it is damaged (VTR_ECORRUPT and so on), or the work ends.
 */
int vtr_sets_add(struct vtr_sets *s, const struct vtr_layer *layer, struct vtr_blk *b, const char *name, size_t index,
		 struct vtr_error *err);

/*
 * Assemble the next set that was not, into out. degraded: one with missing members will do. 1: one was assembled; 0: there
 * is none. -1: this set cannot be used, and is not tried again; or the work ends.
 */
int vtr_sets_assemble(struct vtr_volumes *out, struct vtr_sets *s, bool degraded, struct vtr_error *err);

/* The i-th member, in the order in which they were added; NULL: there are fewer. Borrowed. */
const struct vtr_set_member *vtr_sets_member(const struct vtr_sets *s, size_t i);

/* Warn of members that no set has claimed. */
void vtr_sets_warn_rest(const struct vtr_sets *s);

#endif
