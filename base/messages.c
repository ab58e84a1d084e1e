/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/messages.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#define MESSAGES_SEEN 4096u /* slots, a power of two; half of them are used */

/* FNV-1a, 64 bits. */
#define MESSAGES_HASH_INIT 0xcbf29ce484222325u
static uint64_t messages_hash(uint64_t h, const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)p[i]) * 0x100000001b3u;
	return h;
}

/* A word of small letters, with punctuation behind it: part of the sentence, not a name or a number. */
static bool messages_plain_is(const char *word, size_t len)
{
	size_t n = 0;

	while (n < len && word[n] >= 'a' && word[n] <= 'z')
		n++;
	return n > 0 && n + strspn(word + n, ",:;)") >= len;
}

/* A name with blanks in it: from a quote to the next one that ends a word, and a path of the guest up to its colon. */
static size_t messages_name_len(const char *text)
{
	const char *end = NULL;

	if (*text == '"')
		for (end = strchr(text + 1, '"'); end && end[1] && !strchr(" ,:;)", end[1]);)
			end = strchr(end + 1, '"');
	else if (*text == '/' && strncmp(text, "/dev/", 5) != 0)
		end = strstr(text, ": ");
	return end ? (size_t)(end - text) + strcspn(end, " ") : 0;
}

/* A hash of the plain words; what lies between two of them counts as one thing. */
static uint64_t messages_kind(const char *text)
{
	uint64_t h = MESSAGES_HASH_INIT;
	bool gap = false;

	while (*text) {
		size_t name = messages_name_len(text), len = name ? name : strcspn(text, " ");

		if (!name && messages_plain_is(text, len)) {
			h = messages_hash(h, text, len);
			h = messages_hash(h, " ", 1);
			gap = false;
		} else if (!gap) {
			h = messages_hash(h, "#", 1);
			gap = true;
		}
		text += len;
		text += strspn(text, " ");
	}
	return h;
}

/* The first word counts as it is. */
static uint64_t messages_cut_kind(const char *text)
{
	return messages_hash(messages_kind(text), text, strcspn(text, " "));
}

/* A number at the start is none of the words. */
static uint64_t messages_cut_hash(const char *text)
{
	return *text >= '0' && *text <= '9' ? messages_kind(text) : messages_cut_kind(text);
}

void vtr_messages_cut(struct vtr_messages *m, const char *text, bool told)
{
	uint64_t h = messages_cut_hash(text);

	for (size_t i = 0; i < m->n_cuts; i++) {
		if (m->cuts[i].hash == h) {
			m->cuts[i].told |= told;
			return;
		}
	}
	if (m->n_cuts < VTR_MESSAGES_CUTS)
		m->cuts[m->n_cuts++] = (struct vtr_message_cut){ h, told };
}

/* The reason that a text ends with, the shortest one; NULL: none that is known. */
static const struct vtr_message_cut *messages_cut_of(const struct vtr_messages *m, const char *text)
{
	for (const char *p = text + strlen(text); m->n_cuts > 0 && p >= text; p--) {
		uint64_t h;

		if (p != text && (p < text + 2 || p[-2] != ':' || p[-1] != ' '))
			continue;
		h = messages_cut_hash(p);
		for (size_t i = 0; i < m->n_cuts; i++)
			if (m->cuts[i].hash == h)
				return &m->cuts[i];
	}
	return NULL;
}

/* Whether this text is new. Once there is no more room every text is. */
static bool messages_new_is(struct vtr_messages *m, const char *text)
{
	uint64_t h = messages_hash(MESSAGES_HASH_INIT, text, strlen(text)) | 1;
	size_t i = h >> 20 & (MESSAGES_SEEN - 1);

	while (m->seen[i] && m->seen[i] != h)
		i = (i + 1) & (MESSAGES_SEEN - 1);
	if (m->seen[i])
		return false;
	if (m->n_seen < MESSAGES_SEEN / 2) {
		m->seen[i] = h;
		m->n_seen++;
	}
	return true;
}

static struct vtr_message_kind *messages_kind_of(struct vtr_messages *m, const struct vtr_error *message, bool once)
{
	const struct vtr_message_cut *cut = once ? messages_cut_of(m, message->text) : NULL;
	uint64_t h = cut ? cut->hash : messages_kind(message->text);
	struct vtr_message_kind *k;

	for (size_t i = 0; i < m->n_kinds; i++)
		if (m->kinds[i].hash == h)
			return &m->kinds[i];
	if (m->n_kinds == VTR_MESSAGES_KINDS)
		return &m->kinds[VTR_MESSAGES_KINDS - 1];
	k = &m->kinds[m->n_kinds++];
	k->hash = h;
	k->shown = !cut ? VTR_MESSAGES_SHOWN : cut->told ? 0 : 1;
	k->first = *message;
	return k;
}

bool vtr_messages_show(struct vtr_messages *m, const struct vtr_error *message, bool once)
{
	struct vtr_message_kind *k;

	if (!m->kinds)
		m->kinds = calloc(VTR_MESSAGES_KINDS, sizeof(*m->kinds));
	if (!m->seen)
		m->seen = calloc(MESSAGES_SEEN, sizeof(*m->seen));
	if (!m->kinds || !m->seen || (once && !messages_new_is(m, message->text)))
		return false;
	k = messages_kind_of(m, message, once);
	return k->n++ < k->shown;
}

void vtr_messages_left_out(struct vtr_messages *m, vtr_warning *fn, void *arg)
{
	for (size_t i = 0; i < m->n_kinds; i++) {
		struct vtr_message_kind *k = &m->kinds[i];
		struct vtr_error e = k->first;

		if (k->n <= k->shown)
			continue;
		vtr_error_at(&e, "\xe2\x80\xa6 and %" PRIu64 " more like this", k->n - k->shown);
		k->n = k->shown;
		fn(arg, &e);
	}
}

void vtr_messages_done(struct vtr_messages *m)
{
	free(m->kinds);
	free(m->seen);
}
