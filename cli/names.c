/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int names_cmp(const void *a, const void *b)
{
	const struct cli_name *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

/* "NAME:PASSWORD:ID:…" is what passwd(5) and group(5) have in common. */
static bool names_parse(struct cli_name *out, char *line)
{
	char *colon = strchr(line, ':'), *id = colon ? strchr(colon + 1, ':') : NULL, *end;
	unsigned long v;

	if (!id || colon == line)
		return false;
	errno = 0;
	v = strtoul(id + 1, &end, 10);
	if (errno || end == id + 1 || (*end != ':' && *end != 0) || v > UINT32_MAX)
		return false;
	*colon = 0;
	out->name = line;
	out->id = (uint32_t)v;
	return true;
}

static void names_read(struct cli_names *l, struct vtr_tree *t, const char *path, uint64_t max)
{
	size_t len, lines = 1, at = 0;
	char *line, *next;

	if (l->read)
		return;
	l->read = true;
	if (vtr_tree_slurp(&l->text, &len, t, path, max, NULL) < 0)
		return; /* then everybody is a number */
	for (const char *p = l->text; (p = strchr(p, '\n')); p++)
		lines++;
	l->list = calloc(lines, sizeof(*l->list));
	for (line = l->text; l->list && line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		l->list[l->n].line = at++;
		if (names_parse(&l->list[l->n], line))
			l->n++;
	}
	if (l->n > 1)
		qsort(l->list, l->n, sizeof(*l->list), names_cmp);
}

const char *cli_name_of(struct cli_names *l, struct vtr_tree *t, const char *path, uint64_t max, uint32_t id)
{
	size_t low = 0, high;

	names_read(l, t, path, max);
	for (high = l->n; low < high;) {
		size_t mid = low + (high - low) / 2;

		if (l->list[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->n && l->list[low].id == id ? l->list[low].name : NULL;
}

bool cli_id_of(struct cli_names *l, struct vtr_tree *t, const char *path, uint64_t max, const char *name, uint32_t *id)
{
	const struct cli_name *first = NULL;

	names_read(l, t, path, max);
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->list[i].name, name) == 0 && (!first || l->list[i].line < first->line))
			first = &l->list[i];
	if (first)
		*id = first->id;
	return first != NULL;
}

void cli_names_done(struct cli_names *l)
{
	free(l->text);
	free(l->list);
	*l = (struct cli_names){ 0 };
}
