/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names for partition types. Static; NULL: unknown. */
#ifndef VTR_PARTITIONS_TYPES_H
#define VTR_PARTITIONS_TYPES_H

const char *vtr_mbr_type_name(unsigned type);
const char *vtr_gpt_type_name(const char *guid); /* as vtr_guid_text() writes it */

/* Which architecture a discoverable root, or /usr, is for: a number that both share; -1: the type is another. */
int vtr_gpt_root_arch(const char *guid);
int vtr_gpt_usr_arch(const char *guid);

#endif
