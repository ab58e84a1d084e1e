/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which files of several names were met already, and under which name first. */
#ifndef VTR_CLI_LINKS_H
#define VTR_CLI_LINKS_H

#include "cli/cli.h"

struct cli_link {
	const struct vtr_fs *fs; /* NULL: free */
	uint64_t node;
	char *path;
};

struct cli_links {
	struct cli_link *slots; /* a power of two */
	size_t n, cap;
};

/*
 * The name under which this file was met first; NULL: this is the first time, and path is kept. *oom: out of memory.
 */
const char *cli_links_met(struct cli_links *l, const struct vtr_place *p, const char *path, bool *oom);
/* The same, and nothing is kept. */
const char *cli_links_find(const struct cli_links *l, const struct vtr_place *p);
void cli_links_done(struct cli_links *l);

#endif
