/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bounding messages: the first few of each kind are shown, the others are counted. */
#ifndef VTR_BASE_MESSAGES_H
#define VTR_BASE_MESSAGES_H

#include "base/error.h"

#define VTR_MESSAGES_KINDS 100u
#define VTR_MESSAGES_SHOWN 10u /* of each kind */

#define VTR_MESSAGES_CUTS 16u

struct vtr_message_kind {
	uint64_t hash, n, shown;
	struct vtr_error first;
};

/* A reason that many messages end with: see vtr_messages_cut(). */
struct vtr_message_cut {
	uint64_t hash;
	bool told;
};

struct vtr_messages {
	struct vtr_message_kind *kinds;
	size_t n_kinds;
	uint64_t *seen; /* hashes of texts; open addressing, 0 is free */
	size_t n_seen;
	struct vtr_message_cut cuts[VTR_MESSAGES_CUTS];
	size_t n_cuts;
};

/*
 * Whether to show a message. once: the same text is neither shown nor counted again. Without memory nothing is shown.
 * Two messages are of one kind when their plain words are the same, whatever numbers and names are between them. When
 * there are too many kinds, all others are one.
 */
bool vtr_messages_show(struct vtr_messages *m, const struct vtr_error *message, bool once);

/*
 * A reason that has many consequences: an image that ends early. Messages with once that end in a text like this are of one
 * kind, whatever stands before it; one of them is shown, or none when the reason was reported by itself (told). Two reasons are
 * alike when their first words are equal, the name of an image for one, and their plain words are.
 */
void vtr_messages_cut(struct vtr_messages *m, const char *text, bool told);

/* Hand out "… and 5 more like this: TEXT" for each kind of which some were not shown, and start counting anew. */
void vtr_messages_left_out(struct vtr_messages *m, vtr_warning *fn, void *arg);
void vtr_messages_done(struct vtr_messages *m);

#endif
