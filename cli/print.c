/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text for people. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

void cli_put(FILE *f, const char *bytes, size_t len)
{
	char small[512], *p = small;
	size_t n = vtr_escape(small, sizeof(small), bytes, len);

	if (n >= sizeof(small)) {
		p = malloc(n + 1);
		if (!p)
			return;
		vtr_escape(p, n + 1, bytes, len);
	}
	fwrite(p, 1, n, f);
	if (p != small)
		free(p);
}

void cli_puts(FILE *f, const char *bytes)
{
	cli_put(f, bytes, strlen(bytes));
}

const char *cli_size(char *buf, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 1023.95 && u + 1 < sizeof(units) / sizeof(units[0])) {
		v /= 1024;
		u++;
	}
	if (u == 0 || v >= 99.95 || v == (double)(uint64_t)v)
		snprintf(buf, 32, "%.0f %s", v, units[u]);
	else
		snprintf(buf, 32, "%.1f %s", v, units[u]);
	return buf;
}

const char *cli_size_short(char *buf, uint64_t bytes, unsigned power)
{
	static const char units[] = "\0KMGTPE";
	uint64_t unit = 1, tenths;
	size_t u = 0;

	while (bytes / unit >= power && u + 1 < sizeof(units) - 1) {
		unit *= power;
		u++;
	}
	/* Below ten with a decimal, else without one; both up. */
	tenths = bytes / unit * 10 + (bytes % unit * 10 + unit - 1) / unit;
	if (u > 0 && tenths < 100)
		snprintf(buf, 32, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10, units[u]);
	else if (u > 0 && tenths / 10 + (tenths % 10 != 0) >= power && u + 1 < sizeof(units) - 1)
		snprintf(buf, 32, "1.0%c", units[u + 1]);
	else if (u > 0)
		snprintf(buf, 32, "%" PRIu64 "%c", tenths / 10 + (tenths % 10 != 0), units[u]);
	else
		snprintf(buf, 32, "%" PRIu64, bytes);
	return buf;
}

const char *cli_mode(char *buf, const struct vtr_stat *st)
{
	static const char letters[] = "?-dlcbps";
	static const char rwx[] = "rwxrwxrwx";

	buf[0] = st->type >= 0 && st->type < 8 ? letters[st->type] : '?';
	for (int i = 0; i < 9; i++)
		buf[1 + i] = st->mode & (0400u >> i) ? rwx[i] : '-';
	if (st->mode & 04000)
		buf[3] = buf[3] == 'x' ? 's' : 'S';
	if (st->mode & 02000)
		buf[6] = buf[6] == 'x' ? 's' : 'S';
	if (st->mode & 01000)
		buf[9] = buf[9] == 'x' ? 't' : 'T';
	buf[10] = 0;
	return buf;
}

const char *cli_time(char *buf, const struct vtr_time *t, bool full)
{
	char *sep;

	vtr_time_text(buf, 48, t);
	sep = full ? NULL : strchr(buf, 'T');
	if (sep) {
		*sep = ' ';
		sep[6] = 0; /* " 07:08" */
	}
	return buf;
}

void cli_bulk_output(void)
{
	/* Without a larger pipe or buffer it is only slower. */
	(void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, 1 << 20);
	(void)setvbuf(stdout, NULL, _IOFBF, 256u << 10);
}

char *cli_join(const char *dir, const char *path)
{
	size_t n = strlen(dir), m = strlen(path);
	bool slash = n > 0 && dir[n - 1] != '/' && m > 0;
	char *out = malloc(n + slash + m + 1);

	if (!out)
		return NULL;
	memcpy(out, dir, n);
	if (slash)
		out[n] = '/';
	memcpy(out + n + slash, path, m + 1);
	return out;
}
