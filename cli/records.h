/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a system has many of, as inspect shows it. */
#ifndef VTR_CLI_RECORDS_H
#define VTR_CLI_RECORDS_H

#include "cli/cli.h"

/* Every kind as an array, a member of the object that is open. */
void cli_records_json(struct cli_stream *s, const struct vtr_os *os);

/* One record's members as a JSON object. */
json_t *cli_record_json(const struct vtr_record *r, bool escaped);

/* Counts and the interesting ones, a line or two for each kind. */
void cli_records_print(const struct vtr_os *os);

#endif
