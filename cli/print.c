/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text for people. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* The civil date of a day counted from 1970-01-01, in the proleptic Gregorian calendar; years of any sign. */
static void print_civil(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097), yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = (int64_t)yoe + era * 400 + (*month <= 2);
}

/* Two digits. */
static char *print_two(char *p, unsigned v, char after)
{
	*p++ = (char)('0' + v / 10);
	*p++ = (char)('0' + v % 10);
	*p++ = after;
	return p;
}

const char *cli_time(char *buf, const struct vtr_time *t, bool full)
{
	int64_t days = t->sec / 86400, year;
	unsigned rest, month, day;
	char *p = buf;

	if (t->sec % 86400 < 0)
		days--;
	rest = (unsigned)(t->sec - days * 86400);
	print_civil(days, &year, &month, &day);
	if (year >= 1000 && year <= 9999) {
		p = print_two(p, (unsigned)year / 100, 0);
		p = print_two(p - 1, (unsigned)year % 100, '-');
	} else {
		p += snprintf(p, 24, "%04" PRId64 "-", year);
	}
	p = print_two(p, month, '-');
	p = print_two(p, day, full ? 'T' : ' ');
	p = print_two(p, rest / 3600, ':');
	p = print_two(p, rest / 60 % 60, full ? ':' : 0);
	if (full) {
		p = print_two(p, rest % 60, '.');
		snprintf(p, 12, "%09uZ", t->nsec % 1000000000u);
	}
	return buf;
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
