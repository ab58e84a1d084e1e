/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Search in sorted arrays. */
#ifndef VTR_BASE_SEARCH_H
#define VTR_BASE_SEARCH_H

#include <stddef.h>

/*
 * The index of the last of the n elements of v, sorted by member, whose member is at most key. 0 also where that of the first
 * is greater, and where n is 0: the caller knows that there is one. key is evaluated once for each step.
 */
#define VTR_LAST_AT(v, n, member, key)                                                                                 \
	__extension__({                                                                                                \
		size_t low_ = 0, high_ = (n);                                                                          \
                                                                                                                       \
		while (low_ + 1 < high_) {                                                                             \
			size_t mid_ = low_ + (high_ - low_) / 2;                                                       \
                                                                                                                       \
			if ((v)[mid_].member <= (key))                                                                 \
				low_ = mid_;                                                                           \
			else                                                                                           \
				high_ = mid_;                                                                          \
		}                                                                                                      \
		low_;                                                                                                  \
	})

#endif
