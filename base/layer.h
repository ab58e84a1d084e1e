/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Volume managers: a source says which set it is a member of, and the members of a set are assembled into named block
 * sources. A partition table, a set of one that is known by itself, gives the same list: see vtr_parts_volumes().
 */
#ifndef VTR_BASE_LAYER_H
#define VTR_BASE_LAYER_H

#include "base/signature.h"

/* What a source says of the set that it belongs to. */
struct vtr_set_member {
	const struct vtr_layer *layer;
	struct vtr_blk *blk; /* a reference */
	char *name;	     /* of the source, for messages: "/dev/sda2" */
	size_t index;	     /* the caller's number of the source */
	char set[64];	     /* the same for all members of a set; "": it does not know its set */
	char own[64];	     /* the member's own identifier */
	uint64_t generation; /* of what it says; the highest of a set is right */
	bool used;	     /* it is part of an assembled set */
	void *data;	     /* the layer's */
};

/* What came out of sets: see vtr_volumes_open(). */
struct vtr_made {
	struct vtr_volume pub; /* its pointers are to memory of this struct's */
	struct vtr_blk *blk;   /* a reference */
	size_t part;	       /* of a partition: its place in the table */
};

struct vtr_volumes {
	struct vtr_ctx *ctx; /* a reference */
	struct vtr_made *v;
	size_t n, cap;
};

struct vtr_layer {
	int sig; /* VTR_SIG_LVM2: see base/signature.h, which has its name and its title */
	/* What the probed bytes tell of the member; *out is zeroed before. NULL: nothing. */
	void (*identify)(struct vtr_identity *out, const struct vtr_probe *p);
	/*
	 * Fill set, own, generation and data of *m, whose layer, blk, name and index are set. Damage that leaves the
	 * member usable is warned of. NULL: recognised, and not read.
	 */
	int (*member)(struct vtr_set_member *m, struct vtr_error *err);
	void (*forget)(struct vtr_set_member *m); /* release data, which may be NULL */
	/*
	 * Assemble a set into out. m has its members and those that do not know their set, n in all. Once it is assembled, those
	 * that it consists of are marked as used. 1: done; 0: members are missing, and degraded was not asked for; -1.
	 */
	int (*assemble)(struct vtr_volumes *out, struct vtr_set_member *const *m, size_t n, bool degraded,
			struct vtr_error *err);
};

/* An empty list. NULL sets *err. */
struct vtr_volumes *vtr_volumes_new(struct vtr_ctx *ctx, struct vtr_error *err);

/*
 * Append a volume, of which a copy is taken: strings and inputs too. blk: taken a reference of. 0; -1: VTR_ELIMIT (devices),
 * VTR_ENOMEM.
 */
int vtr_volumes_add(struct vtr_volumes *out, const struct vtr_volume *v, struct vtr_blk *blk, struct vtr_error *err);

void vtr_volumes_close_cleanup(struct vtr_volumes **v);
#define VTR_VOLUMES_CLOSE VTR_CLEANUP(vtr_volumes_close_cleanup)

#endif
