/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static double progress_seconds(const struct timespec *from, const struct timespec *to)
{
	return (double)(to->tv_sec - from->tv_sec) + (double)(to->tv_nsec - from->tv_nsec) / 1e9;
}

void cli_progress_begin(struct cli_progress *p)
{
	*p = (struct cli_progress){ .tty = isatty(STDERR_FILENO) };
	clock_gettime(CLOCK_MONOTONIC, &p->started);
}

void cli_progress_show(struct cli_progress *p, const char *fmt, ...)
{
	struct timespec now;
	va_list ap;

	if (!p->tty)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (progress_seconds(&p->started, &now) < 1 || progress_seconds(&p->shown, &now) < 0.2)
		return;
	p->shown = now;
	p->drawn = true;
	fputs("\r\033[K", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fflush(stderr);
}

void cli_progress_clear(struct cli_progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}
