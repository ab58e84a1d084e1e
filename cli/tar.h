/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tree as a pax stream. */
#ifndef VTR_CLI_TAR_H
#define VTR_CLI_TAR_H

#include "cli/cli.h"

/*
 * Write what lies beneath these paths as one stream. What is lost is reported, and c's status tells; where f cannot be written, or the context is cancelled, the stream ends without its end: false.
 */
bool cli_tar_write(struct cli *c, FILE *f, struct vtr_tree *tree, char *const *paths, size_t n);

#endif
