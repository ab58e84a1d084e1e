/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What puts the layers together. */
#ifndef VTR_API_LAYERS_H
#define VTR_API_LAYERS_H

#include "base/blk.h"

/* What a raw disk of these bytes would hold, for telling ambiguous images; see formats/format.h. */
const char *vtr_raw_content(const struct vtr_probe *p, int *bits);

#endif
