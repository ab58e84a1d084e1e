/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of users and groups as the guest's own files have them. */
#ifndef VTR_CLI_NAMES_H
#define VTR_CLI_NAMES_H

#include "cli/cli.h"

struct cli_name {
	uint32_t id;
	const char *name;
	size_t line;
};

struct cli_names {
	char *text;
	struct cli_name *list; /* by id, and those of one id as the file has them */
	size_t n;
	bool read;
};

/* The name of a number; NULL: it has none. path is "/etc/passwd" or "/etc/group", read the first time. */
const char *cli_name_of(struct cli_names *l, struct vtr_tree *t, const char *path, uint64_t max, uint32_t id);
/* The number of a name; false: there is none. */
bool cli_id_of(struct cli_names *l, struct vtr_tree *t, const char *path, uint64_t max, const char *name, uint32_t *id);
void cli_names_done(struct cli_names *l);

#endif
