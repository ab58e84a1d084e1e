/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines as RFC 3164 has them, "May  6 07:08:09 host ident[pid]: message", and as rsyslog writes them with the time of
 * RFC 3339, "2024-05-06T07:08:09.123456+02:00 host ident[pid]: message".
 *
 * The former have neither a year nor a time zone. The last line is of the year of the file's own time, and each time that the
 * months start again before it is a year back; the zone is taken to be UTC.
 */
#include "cli/syslog.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zlib.h>

#define SYSLOG_CHUNK 65536u

struct cli_syslog {
	struct cli *c;
	const char *path;
	struct vtr_place place;
	struct vtr_time mtime;
	uint64_t off;
	bool gzip, ended, told_cut;
	bool quiet; /* it will be read again: damage is told then */
	z_stream z;
	unsigned char *in, *out; /* as it lies, and as it is read */
	size_t at, have;	 /* in out */
	char *line;
	size_t len, max;
	int64_t year, sec;
	int month; /* of the line before; -1: none */
};

int64_t cli_days(int64_t year, unsigned month, unsigned day)
{
	/* Years that start in March, so that the odd day is their last. */
	int64_t y = month <= 2 ? year - 1 : year, era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400, of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void syslog_say(struct cli_syslog *s, int code, const char *text)
{
	struct vtr_error err = { .code = code };

	if (s->quiet)
		return;
	snprintf(err.text, sizeof(err.text), "%s", text);
	cli_partial_at(s->c, s->path, &err);
}

/* Start over. */
static bool syslog_rewind(struct cli_syslog *s)
{
	s->off = 0;
	s->at = s->have = s->len = 0;
	s->ended = false;
	s->month = -1;
	s->sec = 0;
	if (!s->gzip)
		return true;
	s->z.avail_in = 0;
	return inflateReset(&s->z) == Z_OK;
}

/* More of the file as it lies: the count; 0: the end, or damage, which is told. */
static size_t syslog_fill(struct cli_syslog *s, unsigned char *buf)
{
	struct vtr_error err = { 0 };
	ssize_t n = vtr_fs_read(s->place.fs, s->place.node, s->off, buf, SYSLOG_CHUNK, &err);

	if (n < 0) {
		if (!s->quiet)
			cli_partial_at(s->c, s->path, &err);
		return 0;
	}
	s->off += (uint64_t)n;
	return (size_t)n;
}

/* More of the file as it is read. Members of gzip follow each other; zeros after the last one are padding. */
static size_t syslog_more(struct cli_syslog *s)
{
	if (!s->gzip)
		return syslog_fill(s, s->out);
	s->z.next_out = s->out;
	s->z.avail_out = SYSLOG_CHUNK;
	while (s->z.avail_out == SYSLOG_CHUNK) {
		int r;

		if (s->z.avail_in == 0) {
			s->z.next_in = s->in;
			s->z.avail_in = (uInt)syslog_fill(s, s->in);
			if (s->z.avail_in == 0) {
				if (s->z.total_in > 0)
					syslog_say(s, VTR_ETRUNCATED, "gzip: the file ends before its data");
				return 0;
			}
		}
		r = inflate(&s->z, Z_NO_FLUSH);
		if (r == Z_STREAM_END) {
			inflateReset(&s->z);
			while (s->z.avail_in > 0 && *s->z.next_in == 0)
				s->z.next_in++, s->z.avail_in--;
		} else if (r != Z_OK && r != Z_BUF_ERROR) {
			syslog_say(s, VTR_ECORRUPT, "gzip: the data is damaged");
			s->z.avail_in = 0;
			s->ended = true;
			break;
		}
	}
	return SYSLOG_CHUNK - s->z.avail_out;
}

/* The next line into s->line, without its end; what is over the limit is cut. */
static bool syslog_line(struct cli_syslog *s)
{
	bool any = false;

	s->len = 0;
	for (;;) {
		const unsigned char *nl;
		size_t n, keep;

		if (s->at == s->have) {
			s->at = 0;
			s->have = s->ended ? 0 : syslog_more(s);
			if (s->have == 0) {
				s->ended = true;
				return any;
			}
		}
		any = true;
		nl = memchr(s->out + s->at, '\n', s->have - s->at);
		n = nl ? (size_t)(nl - s->out) - s->at : s->have - s->at;
		keep = n < s->max - s->len ? n : s->max - s->len;
		memcpy(s->line + s->len, s->out + s->at, keep);
		s->len += keep;
		s->at += n + (nl != NULL);
		if (keep < n && !s->told_cut && !s->quiet) {
			syslog_say(s, VTR_ELIMIT, "a line is cut at the limit line");
			s->told_cut = true;
		}
		if (nl)
			return true;
	}
}

/* ------------------------------------------------------------------------------------------------------- parsing */

/* A number of so many digits; -1: there is none. */
static int syslog_digits(const char *p, size_t n)
{
	int v = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		v = v * 10 + p[i] - '0';
	}
	return v;
}

/* "07:08:09", in seconds; -1. */
static int syslog_clock(const char *p)
{
	int h = syslog_digits(p, 2), m = syslog_digits(p + 3, 2), s = syslog_digits(p + 6, 2);

	return h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 60 || p[2] != ':' || p[5] != ':'
		       ? -1
		       : h * 3600 + m * 60 + s;
}

/* "May  6 07:08:09": the length of it, 0: it is none. */
static size_t syslog_parse_3164(struct cli_syslog *s, const char *p, size_t len, int64_t *sec)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int month = -1, day, clock;

	if (len < 15 || p[3] != ' ' || p[6] != ' ' || (len > 15 && p[15] != ' '))
		return 0;
	for (int i = 0; i < 12; i++)
		if (memcmp(p, names + 3 * i, 3) == 0)
			month = i;
	day = p[4] == ' ' ? syslog_digits(p + 5, 1) : syslog_digits(p + 4, 2);
	clock = syslog_clock(p + 7);
	if (month < 0 || day < 1 || day > 31 || clock < 0)
		return 0;
	/* The months start again; but for a line that came late, of the month before. */
	if (s->month >= 0 && month - s->month <= -2)
		s->year++;
	else if (s->month == 0 && month == 11)
		s->year--;
	s->month = month;
	*sec = cli_days(s->year, (unsigned)month + 1, (unsigned)day) * 86400 + clock;
	return 15;
}

/* "2024-05-06T07:08:09.123456+02:00", the same. */
static size_t syslog_parse_3339(const char *p, size_t len, int64_t *sec, uint32_t *usec)
{
	int year, month, day, clock, h, m;
	uint32_t scale = 100000;
	size_t at = 19;

	if (len < 20 || p[4] != '-' || p[7] != '-' || (p[10] != 'T' && p[10] != ' '))
		return 0;
	year = syslog_digits(p, 4);
	month = syslog_digits(p + 5, 2);
	day = syslog_digits(p + 8, 2);
	clock = syslog_clock(p + 11);
	if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || clock < 0)
		return 0;
	*sec = cli_days(year, (unsigned)month, (unsigned)day) * 86400 + clock;
	*usec = 0;
	if (p[at] == '.' || p[at] == ',') {
		for (at++; at < len && isdigit((unsigned char)p[at]); at++, scale /= 10)
			*usec += scale * (uint32_t)(p[at] - '0');
	}
	if (at < len && p[at] == 'Z')
		return at + 1;
	if (at + 6 <= len && (p[at] == '+' || p[at] == '-') && p[at + 3] == ':') {
		h = syslog_digits(p + at + 1, 2);
		m = syslog_digits(p + at + 4, 2);
		if (h < 0 || m < 0)
			return 0;
		*sec -= (p[at] == '+' ? 1 : -1) * (h * 3600 + m * 60);
		return at + 6;
	}
	return at;
}

static void syslog_parse(struct cli_syslog *s, struct cli_syslog_line *out)
{
	const char *p = s->line, *end = s->line + s->len, *q;
	struct cli_syslog_line l = { 0 };
	size_t n = syslog_parse_3164(s, p, s->len, &l.sec);

	if (n == 0)
		n = syslog_parse_3339(p, s->len, &l.sec, &l.usec);
	l.timed = n > 0;
	if (l.timed)
		s->sec = l.sec;
	l.sec = s->sec;
	p += n;
	if (l.timed && p < end && *p == ' ') {
		p++;
		q = memchr(p, ' ', (size_t)(end - p));
		q = q ? q : end;
		l.host = p;
		l.host_len = (size_t)(q - p);
		p = q < end ? q + 1 : q;
		for (q = p; q < end && *q != ' ' && *q != ':' && *q != '['; q++)
			;
		if (q < end && q > p && *q == ':') {
			l.ident = p;
			l.ident_len = (size_t)(q - p);
			p = q + 1;
		} else if (q < end && q > p && *q == '[') {
			const char *close = memchr(q, ']', (size_t)(end - q));

			if (close && close + 1 < end && close[1] == ':') {
				l.ident = p;
				l.ident_len = (size_t)(q - p);
				l.pid = q + 1;
				l.pid_len = (size_t)(close - l.pid);
				p = close + 2;
			}
		}
		if (l.ident && p < end && *p == ' ')
			p++;
	}
	l.message = p;
	l.message_len = (size_t)(end - p);
	*out = l;
}

int cli_syslog_next(struct cli_syslog *s, struct cli_syslog_line *out)
{
	if (!syslog_line(s))
		return 0;
	syslog_parse(s, out);
	return 1;
}

/* The year of the first line: lines are read once for it when they have none. */
static void syslog_find_year(struct cli_syslog *s)
{
	struct cli_syslog_line l;
	time_t mtime = (time_t)s->mtime.sec;
	struct tm tm = { .tm_year = 70 };

	gmtime_r(&mtime, &tm);
	s->year = tm.tm_year + 1900;
	if (cli_syslog_next(s, &l) == 0 || s->month < 0) {
		s->ended = false;
		return;
	}
	while (cli_syslog_next(s, &l) == 1)
		;
	/* The year has gone on by as many turns as there are; a last line after the file's own time is of the year before. */
	s->year = 2 * ((int64_t)tm.tm_year + 1900) - s->year - (s->month > tm.tm_mon);
}

struct cli_syslog *cli_syslog_open(struct cli *c, const char *path, const struct vtr_place *p)
{
	struct cli_syslog *s = calloc(1, sizeof(*s));
	struct vtr_error err = { .code = VTR_ENOMEM, .text = "no memory" };
	unsigned char magic[2];
	struct vtr_stat st;

	if (!s)
		return NULL;
	s->c = c;
	s->path = path;
	s->place = *p;
	s->max = vtr_ctx_limits(c->ctx)->line;
	s->in = malloc(SYSLOG_CHUNK);
	s->out = malloc(SYSLOG_CHUNK);
	s->line = malloc(s->max + 1);
	if (!s->in || !s->out || !s->line || vtr_fs_stat(&st, p->fs, p->node, &err) < 0 ||
	    vtr_fs_read(p->fs, p->node, 0, magic, sizeof(magic), &err) < 0) {
		cli_partial_at(c, path, &err);
		cli_syslog_close(s);
		return NULL;
	}
	s->mtime = st.mtime;
	if (st.size >= 2 && magic[0] == 0x1f && magic[1] == 0x8b) {
		if (inflateInit2(&s->z, 15 + 16) != Z_OK) {
			cli_partial_at(c, path, &err);
			cli_syslog_close(s);
			return NULL;
		}
		s->gzip = true;
	}
	syslog_rewind(s);
	s->quiet = true;
	syslog_find_year(s);
	s->quiet = false;
	syslog_rewind(s);
	return s;
}

void cli_syslog_close(struct cli_syslog *s)
{
	if (!s)
		return;
	if (s->gzip)
		inflateEnd(&s->z);
	free(s->in);
	free(s->out);
	free(s->line);
	free(s);
}
