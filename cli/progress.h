/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A line on the terminal for what takes longer than a second. */
#ifndef VTR_CLI_PROGRESS_H
#define VTR_CLI_PROGRESS_H

#include <stdbool.h>
#include <time.h>

struct cli_progress {
	bool tty;   /* standard error is a terminal */
	bool drawn; /* a line stands there now */
	struct timespec started, shown;
};

void cli_progress_begin(struct cli_progress *p);
/* Show a line in place of the last, unless that was just now. */
void cli_progress_show(struct cli_progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Take the line away: at the end, and before anything else is printed. */
void cli_progress_clear(struct cli_progress *p);

#endif
