/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Software bills of materials: what inspection finds, in the forms that vulnerability scanners read. */
#ifndef VTR_CLI_SBOM_H
#define VTR_CLI_SBOM_H

#include "cli/cli.h"

/* Whether a form of this name is written: "cyclonedx" or "spdx". */
bool cli_sbom_is(const char *form);

/* Print the document of an inspected guest's systems. Packages that cannot be read are told, and make it partial. */
void cli_sbom_print(struct cli *c, const char *form);

#endif
