/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Classic log files: lines that a syslog daemon wrote, plain or compressed by gzip. */
#ifndef VTR_CLI_SYSLOG_H
#define VTR_CLI_SYSLOG_H

#include "cli/cli.h"

struct cli_syslog;

/* A line. Texts are bytes, not NUL terminated, borrowed until the next call; without a length they are absent. */
struct cli_syslog_line {
	int64_t sec; /* since 1970; of a line without a time, that of the line before it */
	uint32_t usec;
	bool timed;
	const char *host, *ident, *pid, *message;
	size_t host_len, ident_len, pid_len, message_len;
};

/* Open a regular file; path is for messages and borrowed. NULL: said why. */
struct cli_syslog *cli_syslog_open(struct cli *c, const char *path, const struct vtr_place *p);
void cli_syslog_close(struct cli_syslog *s); /* NULL is fine */

/* The next line: 1; 0: the end. What is damaged is told, and ends the file. */
int cli_syslog_next(struct cli_syslog *s, struct cli_syslog_line *out);

/* Days from 1970-01-01 to a day of the Gregorian calendar. */
int64_t cli_days(int64_t year, unsigned month, unsigned day);

#endif
