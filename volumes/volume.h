/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volume managers and encryption: for now they are recognised, and named where a device is listed. */
#ifndef VTR_VOLUMES_VOLUME_H
#define VTR_VOLUMES_VOLUME_H

#include "base/blk.h"

struct vtr_volume {
	const char *name, *title;		 /* "lvm2", "LVM2 physical volume" */
	int (*probe)(const struct vtr_probe *p); /* how many bits were verified; 0: not ours */
	/* What the probed bytes tell of it; *out is zeroed before. NULL: nothing. */
	void (*identify)(struct vtr_identity *out, const struct vtr_probe *p);
};

extern const struct vtr_volume *const vtr_volumes[]; /* ends with NULL */

/* The volume manager whose signs the bytes have; NULL: none. What wraps is asked before what is wrapped. */
const struct vtr_volume *vtr_volume_probe(const struct vtr_probe *p);

#endif
