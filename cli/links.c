/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/links.h"

#include <stdlib.h>
#include <string.h>

static size_t links_slot(const struct cli_links *l, const struct vtr_place *p)
{
	const struct vtr_fs *fs = vtr_fs_whole(p->fs);
	size_t i = (size_t)((p->node ^ (uintptr_t)fs) * 0x9e3779b97f4a7c15u >> 20) & (l->cap - 1);

	while (l->slots[i].fs && (l->slots[i].fs != fs || l->slots[i].node != p->node))
		i = (i + 1) & (l->cap - 1);
	return i;
}

static bool links_grow(struct cli_links *l)
{
	struct cli_links bigger = { .n = l->n, .cap = l->cap ? 2 * l->cap : 256 };

	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	if (!bigger.slots)
		return false;
	for (size_t i = 0; i < l->cap; i++) {
		struct vtr_place p = { (struct vtr_fs *)(uintptr_t)l->slots[i].fs, l->slots[i].node };

		if (l->slots[i].fs)
			bigger.slots[links_slot(&bigger, &p)] = l->slots[i];
	}
	free(l->slots);
	*l = bigger;
	return true;
}

const char *cli_links_met(struct cli_links *l, const struct vtr_place *p, const char *path, bool *oom)
{
	size_t i;
	char *copy;

	*oom = false;
	if (2 * l->n >= l->cap && !links_grow(l)) {
		*oom = true;
		return NULL;
	}
	i = links_slot(l, p);
	if (l->slots[i].fs)
		return l->slots[i].path;
	copy = strdup(path);
	if (!copy) {
		*oom = true;
		return NULL;
	}
	l->slots[i] = (struct cli_link){ vtr_fs_whole(p->fs), p->node, copy };
	l->n++;
	return NULL;
}

const char *cli_links_find(const struct cli_links *l, const struct vtr_place *p)
{
	return l->cap ? l->slots[links_slot(l, p)].path : NULL;
}

void cli_links_done(struct cli_links *l)
{
	for (size_t i = 0; i < l->cap; i++)
		free(l->slots[i].path);
	free(l->slots);
	*l = (struct cli_links){ 0 };
}
