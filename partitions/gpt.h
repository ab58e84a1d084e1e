/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the other schemes must know of a GPT. */
#ifndef VTR_PARTITIONS_GPT_H
#define VTR_PARTITIONS_GPT_H

#include "base/blk.h"

/* Whether a GPT header's signature is where one belongs: LBA 1 or the last, in sectors of 512 or 4096 bytes. */
bool vtr_gpt_signed(const struct vtr_probe *p);

#endif
