/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FILETIME, MS-DTYP 2.3.3: units of 100 ns since 1601-01-01 UTC. */
#ifndef VTR_BASE_FILETIME_H
#define VTR_BASE_FILETIME_H

#include "api/vitrine.h"

#define VTR_FILETIME_EPOCH INT64_C(11644473600) /* seconds from 1601 to 1970 */

/* 0 is no time: set is false. Others are taken as they are; where "never" has a number, the caller knows it. */
static inline struct vtr_time vtr_filetime(uint64_t filetime)
{
	struct vtr_time t = { .set = filetime != 0 };

	if (t.set) {
		t.sec = (int64_t)(filetime / 10000000) - VTR_FILETIME_EPOCH;
		t.nsec = (uint32_t)(filetime % 10000000) * 100;
	}
	return t;
}

#endif
