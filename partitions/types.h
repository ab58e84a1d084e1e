/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names for partition types. Static; NULL: unknown. */
#ifndef VTR_PARTITIONS_TYPES_H
#define VTR_PARTITIONS_TYPES_H

const char *vtr_mbr_type_name(unsigned type);
const char *vtr_gpt_type_name(const char *guid); /* as vtr_guid_text() writes it */

#endif
