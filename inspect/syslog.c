/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines of classic log files. One file may have lines of several kinds, and each is read for what it is:
 *
 *	May  6 07:08:09 host ident[pid]: message			RFC 3164, 4.1; also with a year or fractions
 *	2024-05-06T07:08:09.123456+02:00 host ident[pid]: message	rsyslog's default since version 7
 *	1 2024-05-06T07:08:09Z host ident pid msgid [data] message	RFC 5424, 6
 *
 * A "<PRI>" may stand before any of them. Other lines have no time, and belong to the line before them.
 *
 * A time of RFC 3164 has neither year nor zone. The zone is taken to be UTC. The year is that of the next line that has
 * one, else that of the file's own time for the last line; each time that the months start again before that is a year
 * back.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/text.h"
#include "base/unpack.h"
#include "inspect/inspect.h"

#define SYSLOG_CHUNK 65536u

struct vtr_syslog {
	struct vtr_ctx *ctx;
	struct vtr_unpack *u;
	char *name;
	struct vtr_time mtime;
	uint8_t *buf;
	size_t at, have; /* in buf */
	char *line;
	size_t len, max;
	uint64_t number;
	int64_t year;
	int month;  /* of the line before, from 0; -1: none */
	bool quiet; /* the file will be read again: damage is reported then */
	bool cut_reported, zeros_reported, ended;
};

static void syslog_report(struct vtr_syslog *s, const struct vtr_error *err)
{
	struct vtr_error e = *err;

	if (s->quiet)
		return;
	vtr_error_at(&e, "%s", s->name);
	vtr_warn_err(s->ctx, &e);
}

/* More of the file: 1, 0: the end, or damage, which is reported; -1: what ends the work. */
static int syslog_more(struct vtr_syslog *s, struct vtr_error *err)
{
	struct vtr_error e = { 0 };
	ssize_t n = vtr_unpack_read(s->u, s->buf, SYSLOG_CHUNK, &e);

	s->at = 0;
	s->have = n > 0 ? (size_t)n : 0;
	if (n >= 0)
		return n > 0;
	if (!vtr_error_is(&e, VTR_KINDS_LOST)) {
		if (err)
			*err = e;
		return vtr_at(err, "%s", s->name);
	}
	syslog_report(s, &e);
	return 0;
}

/* The next line into s->line, without its end; what is over the limit is cut. 1, 0: the end, -1. */
static int syslog_line(struct vtr_syslog *s, struct vtr_error *err)
{
	struct vtr_error e = { 0 };
	bool any = false;

	s->len = 0;
	s->number++;
	for (;;) {
		const uint8_t *nl;
		size_t n, keep;

		if (s->at == s->have) {
			int r = s->ended ? 0 : syslog_more(s, err);

			if (r <= 0) {
				s->ended = true;
				return r < 0 ? -1 : any;
			}
		}
		any = true;
		nl = memchr(s->buf + s->at, '\n', s->have - s->at);
		n = nl ? (size_t)(nl - s->buf) - s->at : s->have - s->at;
		keep = VTR_MIN(n, s->max - s->len);
		memcpy(s->line + s->len, s->buf + s->at, keep);
		s->len += keep;
		s->at += n + (nl != NULL);
		if (keep < n && !s->cut_reported && !s->quiet) {
			vtr_error_set(&e, VTR_ELIMIT,
				      "line %" PRIu64 " is longer than limit line=%zu: cut, as are others", s->number,
				      s->max);
			syslog_report(s, &e);
			s->cut_reported = true;
		}
		if (nl)
			return 1;
	}
}

/* A crash leaves zeros where the last writes of a file should be; they are no text. False: the line is nothing else. */
static bool syslog_skip_zeros(struct vtr_syslog *s)
{
	struct vtr_error e = { 0 };
	size_t n = 0;

	while (n < s->len && s->line[n] == 0)
		n++;
	if (n == 0)
		return true;
	if (!s->zeros_reported && !s->quiet) {
		vtr_error_set(&e, VTR_ECORRUPT, "line %" PRIu64 " begins with zeros, as a crash leaves them",
			      s->number);
		syslog_report(s, &e);
		s->zeros_reported = true;
	}
	s->len -= n;
	memmove(s->line, s->line + n, s->len);
	return s->len > 0;
}

/* --------------------------------------------------------------------------------------------------------- times */

/* Days from 1970-01-01 to a day of the Gregorian calendar. Years start in March, so that the odd day is their last. */
static int64_t syslog_days(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year, era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400, of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* What is left of a line. */
struct syslog_text {
	const char *p, *end;
};

static size_t syslog_left(const struct syslog_text *t)
{
	return (size_t)(t->end - t->p);
}

static bool syslog_take(struct syslog_text *t, char c)
{
	if (t->p == t->end || *t->p != c)
		return false;
	t->p++;
	return true;
}

/* A number of so many digits; -1: there is none. */
static int syslog_digits(struct syslog_text *t, size_t n)
{
	int v = 0;

	if (syslog_left(t) < n)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)t->p[i]))
			return -1;
		v = v * 10 + t->p[i] - '0';
	}
	t->p += n;
	return v;
}

/* "07:08:09", with "." or "," and fractions, into seconds and nanoseconds. A leap second is 60. */
static bool syslog_clock(struct syslog_text *t, int *sec, uint32_t *nsec)
{
	int h = syslog_digits(t, 2), m, s;
	uint32_t scale = 100000000;

	if (h < 0 || h > 23 || !syslog_take(t, ':') || (m = syslog_digits(t, 2)) < 0 || m > 59 ||
	    !syslog_take(t, ':') || (s = syslog_digits(t, 2)) < 0 || s > 60)
		return false;
	*sec = h * 3600 + m * 60 + s;
	*nsec = 0;
	if (syslog_left(t) >= 2 && (*t->p == '.' || *t->p == ',') && isdigit((unsigned char)t->p[1]))
		for (t->p++; t->p < t->end && isdigit((unsigned char)*t->p); t->p++, scale /= 10)
			*nsec += scale * (uint32_t)(*t->p - '0');
	return true;
}

/* Between two fields: the end of the line, or a blank, which is taken. */
static bool syslog_gap(struct syslog_text *t)
{
	return t->p == t->end || syslog_take(t, ' ');
}

/* "May  6 07:08:09", "May  6 2024 07:08:09.123", "May  6 07:08:09 2024". */
static bool syslog_time_3164(struct vtr_syslog *s, struct syslog_text *text, struct vtr_time *out, bool *has_year)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct syslog_text t = *text, after;
	int month = -1, day, year = -1, clock;
	uint32_t nsec;

	if (syslog_left(&t) < 15)
		return false;
	for (int i = 0; i < 12; i++)
		if (memcmp(t.p, names + 3 * i, 3) == 0)
			month = i;
	t.p += 3;
	if (month < 0 || !syslog_take(&t, ' '))
		return false;
	day = syslog_take(&t, ' ') ? syslog_digits(&t, 1) : syslog_digits(&t, 2);
	if (day < 1 || day > 31 || !syslog_take(&t, ' '))
		return false;
	after = t;
	year = syslog_digits(&after, 4);
	if (year >= 0 && syslog_take(&after, ' '))
		t = after;
	else
		year = -1;
	if (!syslog_clock(&t, &clock, &nsec) || !syslog_gap(&t))
		return false;
	/* A year that follows is one of four digits that could be this log's, and no host's name. */
	after = t;
	if (year < 0) {
		year = syslog_digits(&after, 4);
		if (year >= 1970 && year < 2200 && syslog_take(&after, ' '))
			t = after;
		else
			year = -1;
	}
	*has_year = year >= 0;
	if (year >= 0)
		s->year = year;
	/* The months start again; but for a line that came late, of the month before. */
	else if (s->month >= 0 && month - s->month <= -2)
		s->year++;
	else if (s->month == 0 && month == 11)
		s->year--;
	s->month = month;
	out->sec = syslog_days(s->year, (unsigned)month + 1, (unsigned)day) * 86400 + clock;
	out->nsec = nsec;
	out->set = true;
	*text = t;
	return true;
}

/* "2024-05-06T07:08:09.123456+02:00": ISO 8601 as RFC 3339 has it, and with a blank, without ":" or minutes in the zone. */
static bool syslog_time_3339(struct vtr_syslog *s, struct syslog_text *text, struct vtr_time *out)
{
	struct syslog_text t = *text;
	int year, month, day, clock, h = 0, m = 0, sign;
	uint32_t nsec;

	year = syslog_digits(&t, 4);
	if (year < 0 || !syslog_take(&t, '-') || (month = syslog_digits(&t, 2)) < 1 || month > 12 ||
	    !syslog_take(&t, '-') || (day = syslog_digits(&t, 2)) < 1 || day > 31 ||
	    (!syslog_take(&t, 'T') && !syslog_take(&t, ' ')) || !syslog_clock(&t, &clock, &nsec))
		return false;
	sign = syslog_take(&t, '+') ? 1 : syslog_take(&t, '-') ? -1 : 0;
	if (sign == 0) {
		(void)syslog_take(&t, 'Z');
	} else {
		h = syslog_digits(&t, 2);
		if (h < 0 || h > 14)
			return false;
		if (syslog_take(&t, ':') || (t.p < t.end && isdigit((unsigned char)*t.p)))
			m = syslog_digits(&t, 2);
		if (m < 0 || m > 59)
			return false;
	}
	if (!syslog_gap(&t))
		return false;
	s->year = year;
	s->month = month - 1;
	out->sec = syslog_days(year, (unsigned)month, (unsigned)day) * 86400 + clock - sign * (h * 3600 + m * 60);
	out->nsec = nsec;
	out->set = true;
	*text = t;
	return true;
}

/* --------------------------------------------------------------------------------------------------------- lines */

/* "<34>": facility * 8 + severity, 0 to 191. */
static void syslog_pri(struct syslog_text *text, struct vtr_syslog_line *l)
{
	struct syslog_text t = *text;
	int v = 0, n = 0;

	if (!syslog_take(&t, '<'))
		return;
	while (t.p < t.end && isdigit((unsigned char)*t.p) && n < 3) {
		v = v * 10 + *t.p++ - '0';
		n++;
	}
	if (n == 0 || v > 191 || !syslog_take(&t, '>'))
		return;
	l->facility = v / 8;
	l->priority = v % 8;
	*text = t;
}

/* A word of RFC 5424 and the blank behind it; "-" stands for none. */
static bool syslog_word(struct syslog_text *t, const char **p, size_t *len)
{
	const char *q = t->p == t->end ? NULL : memchr(t->p, ' ', syslog_left(t));
	const char *end = q ? q : t->end;

	if (end == t->p)
		return false;
	if (end - t->p != 1 || *t->p != '-') {
		*p = t->p;
		*len = (size_t)(end - t->p);
	}
	t->p = q ? q + 1 : end;
	return true;
}

/* "[id name="value" …]…" up to the message; in values "\"" and "\]" are escaped. False: it has no end. */
static bool syslog_data(struct syslog_text *t, struct vtr_syslog_line *l)
{
	const char *start = t->p;
	bool quoted = false;

	if (syslog_take(t, '-'))
		return syslog_gap(t);
	while (syslog_take(t, '[')) {
		for (; t->p < t->end && (quoted || *t->p != ']'); t->p++) {
			if (quoted && *t->p == '\\' && t->p + 1 < t->end)
				t->p++;
			else if (*t->p == '"')
				quoted = !quoted;
		}
		if (!syslog_take(t, ']'))
			return false;
	}
	if (t->p == start)
		return false;
	l->data = start;
	l->data_len = (size_t)(t->p - start);
	return syslog_gap(t);
}

/* "1 TIME HOST IDENT PID MSGID DATA MESSAGE" */
static bool syslog_5424(struct vtr_syslog *s, struct syslog_text *text, struct vtr_syslog_line *out)
{
	struct vtr_syslog_line l = *out;
	struct syslog_text t = *text;
	int64_t year = s->year;
	int month = s->month;

	if (!syslog_take(&t, '1') || !syslog_take(&t, ' '))
		return false;
	if (syslog_left(&t) >= 2 && t.p[0] == '-' && t.p[1] == ' ')
		t.p += 2;
	else if (!syslog_time_3339(s, &t, &l.time))
		return false;
	if (!syslog_word(&t, &l.host, &l.host_len) || !syslog_word(&t, &l.ident, &l.ident_len) ||
	    !syslog_word(&t, &l.pid, &l.pid_len) || !syslog_word(&t, &l.msgid, &l.msgid_len) || !syslog_data(&t, &l)) {
		s->year = year;
		s->month = month;
		return false;
	}
	if (syslog_left(&t) >= 3 && memcmp(t.p, "\xef\xbb\xbf", 3) == 0)
		t.p += 3;
	*text = t;
	*out = l;
	return true;
}

/* "host ident[pid]: message"; some write "ident:", some neither. */
static void syslog_tag(struct syslog_text *t, struct vtr_syslog_line *l)
{
	const char *p, *q;

	if (!syslog_word(t, &l->host, &l->host_len))
		return;
	for (q = p = t->p; q < t->end && *q != ' ' && *q != ':' && *q != '['; q++)
		;
	if (q == t->end || q == p || *q == ' ')
		return;
	if (*q == '[') {
		const char *close = memchr(q, ']', (size_t)(t->end - q));

		if (!close || close + 1 >= t->end || close[1] != ':')
			return;
		l->pid = q + 1;
		l->pid_len = (size_t)(close - l->pid);
		q = close + 1;
	}
	l->ident = p;
	l->ident_len = (size_t)(q - p);
	if (*p != '[' && l->pid)
		l->ident_len = (size_t)(l->pid - 1 - p);
	t->p = q + 1;
	(void)syslog_take(t, ' ');
}

/* dated: set when the line says its year itself. */
static void syslog_parse(struct vtr_syslog *s, struct vtr_syslog_line *out, bool *dated)
{
	struct vtr_syslog_line l = { .number = s->number, .priority = -1, .facility = -1 };
	struct syslog_text t = { s->line, s->line + s->len };

	*dated = false;
	syslog_pri(&t, &l);
	if (syslog_5424(s, &t, &l)) {
		*dated = l.time.set;
	} else if (syslog_time_3339(s, &t, &l.time)) {
		*dated = true;
		syslog_tag(&t, &l);
	} else if (syslog_time_3164(s, &t, &l.time, dated)) {
		syslog_tag(&t, &l);
	}
	l.message = t.p;
	l.message_len = syslog_left(&t);
	*out = l;
}

static int syslog_next(struct vtr_syslog *s, struct vtr_syslog_line *out, bool *dated, struct vtr_error *err)
{
	int r;

	do {
		r = syslog_line(s, err);
	} while (r > 0 && !syslog_skip_zeros(s));
	if (r > 0)
		syslog_parse(s, out, dated);
	return r;
}

int vtr_syslog_next(struct vtr_syslog_line *out, struct vtr_syslog *s, struct vtr_error *err)
{
	bool dated;

	return syslog_next(s, out, &dated, err);
}

/* ------------------------------------------------------------------------------------------------------- opening */

static int syslog_rewind(struct vtr_syslog *s, struct vtr_error *err)
{
	s->at = s->have = s->len = 0;
	s->number = 0;
	s->ended = false;
	s->month = -1;
	return vtr_unpack_rewind(s->u, err);
}

/* The year and month (from 0) of a time. */
static void syslog_year_of(int64_t sec, int64_t *year, int *month)
{
	int64_t days = sec / 86400 - (sec % 86400 < 0);

	*year = 1970 + days / 366;
	while (syslog_days(*year + 1, 1, 1) <= days)
		++*year;
	while (syslog_days(*year, 1, 1) > days)
		--*year;
	for (*month = 11; *month > 0 && syslog_days(*year, (unsigned)*month + 1, 1) > days;)
		--*month;
}

/* The year of the first line: when that does not say it, lines are read until one does, or to the end. */
static int syslog_find_year(struct vtr_syslog *s, struct vtr_error *err)
{
	struct vtr_syslog_line l;
	int64_t base;
	int month, r;

	syslog_year_of(s->mtime.sec, &base, &month);
	s->year = base;
	for (;;) {
		int64_t turns = s->year - base; /* as far as the line before */
		int before = s->month;
		bool dated;

		r = syslog_next(s, &l, &dated, err);
		if (r < 0)
			return -1;
		if (r == 0) {
			/* The last line is of the file's own year, or of the one before when its month is later. */
			s->year = s->month < 0 ? base : base - turns - (s->month > month);
			return 0;
		}
		if (!dated)
			continue;
		if (before >= 0 && s->month - before <= -2)
			turns++;
		else if (before == 0 && s->month == 11)
			turns--;
		s->year -= turns;
		return 0;
	}
}

int vtr_syslog_open(struct vtr_syslog **out, struct vtr_blk *b, const char *name, const struct vtr_time *mtime,
		    struct vtr_error *err)
{
	struct vtr_syslog *s = vtr_calloc(1, sizeof(*s), err);
	int64_t year;

	if (!s)
		return -1;
	s->ctx = b->ctx;
	s->mtime = *mtime;
	s->max = (size_t)VTR_MIN(s->ctx->lim.line, s->ctx->lim.alloc);
	s->name = strdup(name);
	s->buf = malloc(SYSLOG_CHUNK);
	s->line = malloc(s->max + 1);
	if (!s->name || !s->buf || !s->line) {
		vtr_syslog_close(s);
		return vtr_fail(err, VTR_ENOMEM, "%s: out of memory", name);
	}
	s->month = -1;
	s->quiet = true;
	if (vtr_unpack_open(&s->u, b, err) < 0 || syslog_find_year(s, err) < 0) {
		vtr_syslog_close(s);
		return -1;
	}
	year = s->year;
	if (syslog_rewind(s, err) < 0) {
		vtr_syslog_close(s);
		return -1;
	}
	s->year = year;
	s->quiet = false;
	*out = s;
	return 0;
}

void vtr_syslog_close(struct vtr_syslog *s)
{
	if (!s)
		return;
	vtr_unpack_close(s->u);
	free(s->name);
	free(s->buf);
	free(s->line);
	free(s);
}
