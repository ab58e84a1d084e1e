/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vitrine find: files by what is known of them. Syntax and meaning are those of find(1) as POSIX.1-2017 has it, with the
 * tests and directives of GNU find that make sense in an image; nothing is run and nothing is deleted.
 */
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <locale.h>
#include <regex.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

extern const struct cli_verb cli_verb_find;

#define FIND_DAY 86400
#define FIND_MAX_WIDTH 100000u /* of a column of -printf */
#define FIND_MAX_NESTING 1000u /* of parentheses and negations in an expression */

enum find_kind {
	/* operators */
	FIND_AND,
	FIND_OR,
	FIND_COMMA,
	FIND_NOT,
	/* tests */
	FIND_TRUE,
	FIND_FALSE,
	FIND_NAME,
	FIND_PATH,
	FIND_LNAME,
	FIND_REGEX,
	FIND_TYPE,
	FIND_SIZE,
	FIND_AGE,
	FIND_NEWER,
	FIND_PERM,
	FIND_UID,
	FIND_GID,
	FIND_NOUSER,
	FIND_NOGROUP,
	FIND_LINKS,
	FIND_INUM,
	FIND_SAMEFILE,
	FIND_FSTYPE,
	FIND_EMPTY,
	/* actions */
	FIND_PRUNE,
	FIND_QUIT,
	FIND_PRINT,
	FIND_PRINT0,
	FIND_LS,
	FIND_PRINTF,
};

struct find_node {
	enum find_kind kind;
	struct find_node *next_made; /* all that were made, to free them */
	struct find_node *left, *right;
	const char *text; /* pattern, type letters, format */
	bool icase;
	char sign;     /* '+', '-', '/' or 0 */
	uint64_t n;    /* number, unit of a size, mode */
	uint64_t unit; /* bytes of a size's unit; seconds of an age's */
	char which;    /* time: 'a', 'c', 'm', 'B' */
	struct vtr_time than;
	struct vtr_place place;
	regex_t regex;
	bool has_regex;
};

struct find {
	struct cli c;
	struct vtr_tree *tree;
	struct find_node *made, *root;
	struct vtr_accounts *names[2]; /* users, groups: read when the first is asked for */
	bool names_failed[2];
	char **args; /* the expression that is left to parse */
	int n_args;
	unsigned nesting;
	int regex_flags;
	bool has_action, depth_first, one_fs, tty, quit;
	uint64_t min_depth, max_depth;
	struct timespec now;
	const char *start; /* the path that is searched, as the user wrote it */
	struct vtr_fs *start_fs;
	struct find_late *late; /* directories whose turn comes after what lies in them */
	size_t n_late, cap_late;
	unsigned width[5]; /* of -ls: inode, blocks, links, owner, group, which grow */
	unsigned size_width;
};

/* A file that the expression is asked about. */
struct find_at {
	struct find *f;
	const char *path; /* below the start; "" for itself */
	unsigned depth;
	struct vtr_place place;
	const struct vtr_stat *st;
	char *whole;  /* path with the start, made when somebody asks */
	char *target; /* of a symbolic link, likewise */
	bool target_failed;
	bool prune;
};

struct find_late {
	char *path;
	unsigned depth;
	struct vtr_place place;
	struct vtr_stat st;
};

/* -------------------------------------------------------------------------------------------------------- the file */

static const char *find_whole(struct find_at *at)
{
	if (!at->whole)
		at->whole = cli_join(at->f->start, at->path);
	return at->whole ? at->whole : "";
}

/* The last name of a path, without the slashes at its end; "/" of a path of slashes. */
static const char *find_base(struct find_at *at, size_t *len)
{
	const char *p = at->path[0] ? at->path : at->f->start;
	size_t n = strlen(p), from;

	while (n > 1 && p[n - 1] == '/')
		n--;
	for (from = n; from > 0 && p[from - 1] != '/';)
		from--;
	if (from == n && n > 0)
		from = n - 1;
	*len = n - from;
	return p + from;
}

static const char *find_target(struct find_at *at)
{
	struct vtr_error err = { 0 };

	if (at->st->type != VTR_TYPE_SYMLINK)
		return NULL;
	if (!at->target && !at->target_failed && vtr_fs_readlink(&at->target, at->place.fs, at->place.node, &err) < 0) {
		cli_partial_at(&at->f->c, find_whole(at), &err);
		at->target_failed = true;
	}
	return at->target;
}

static const struct vtr_time *find_time(const struct vtr_stat *st, char which)
{
	return which == 'a' ? &st->atime : which == 'c' ? &st->ctime : which == 'B' ? &st->btime : &st->mtime;
}

/* Users or groups; NULL: they cannot be read, and everybody is a number. */
static const struct vtr_accounts *find_names(struct find *f, bool group)
{
	struct vtr_error err = { 0 };

	if (!f->names[group] && !f->names_failed[group] &&
	    vtr_accounts_read(&f->names[group], f->c.ctx, f->tree, group, &err) < 0) {
		f->names_failed[group] = true;
		cli_partial(&f->c, &err);
	}
	return f->names[group];
}

static const char *find_account(struct find *f, bool group, uint32_t id)
{
	const struct vtr_accounts *a = find_names(f, group);

	return a ? vtr_accounts_name(a, id) : NULL;
}

static const char *find_user(struct find *f, uint32_t id)
{
	return find_account(f, false, id);
}

static const char *find_group(struct find *f, uint32_t id)
{
	return find_account(f, true, id);
}

static char find_letter(int type)
{
	static const char letters[] = "Ufdlcbps";

	return type > 0 && type < 8 ? letters[type] : 'U';
}

static uint64_t find_blocks(const struct vtr_stat *st, uint64_t size)
{
	return st->allocated / size + (st->allocated % size != 0);
}

/* ---------------------------------------------------------------------------------------------------------- output */

/* Bytes of the guest: escaped for people, as they are for programs. */
static void find_put(const struct find *f, const char *bytes)
{
	if (f->tty)
		cli_puts(stdout, bytes);
	else
		fputs(bytes, stdout);
}

/* As find(1) quotes names in its long listing. */
static void find_put_quoted(const char *p)
{
	static const char plain[] = "\n\b\r\t\f \"\\", quoted[] = "nbrtf \"\\";

	for (; *p; p++) {
		const char *q = strchr(plain, *p);

		if (q)
			printf("\\%c", quoted[q - plain]);
		else if (*p > 040 && *p < 0177)
			putchar(*p);
		else
			printf("\\%03o", (unsigned char)*p);
	}
}

/* In the local zone, as find(1) has it. */
static bool find_tm(struct tm *tm, const struct vtr_time *t)
{
	time_t sec = t->sec;

	return localtime_r(&sec, tm) != NULL;
}

/* A column that remembers how wide it has been. */
static void find_column(unsigned *width, bool left, const char *text)
{
	int n = printf(left ? "%-*s " : "%*s ", (int)*width, text) - 1;

	if (n > (int)*width)
		*width = (unsigned)n;
}

static const char *find_id_text(char *buf, const char *name, uint32_t id)
{
	if (name)
		vtr_escape(buf, 64, name, strlen(name));
	else
		snprintf(buf, 64, "%" PRIu32, id);
	return buf;
}

static void find_ls(struct find_at *at)
{
	struct find *f = at->f;
	const struct vtr_stat *st = at->st;
	int64_t age = f->now.tv_sec - st->mtime.sec;
	const char *target = find_target(at);
	char text[64], mode[12];
	struct tm tm;

	snprintf(text, sizeof(text), "%" PRIu64, st->node);
	find_column(&f->width[0], false, text);
	snprintf(text, sizeof(text), "%" PRIu64, find_blocks(st, 1024));
	find_column(&f->width[1], false, text);
	printf("%s ", cli_mode(mode, st));
	snprintf(text, sizeof(text), "%" PRIu64, st->nlink);
	find_column(&f->width[2], false, text);
	find_column(&f->width[3], true, find_id_text(text, find_user(f, st->uid), st->uid));
	find_column(&f->width[4], true, find_id_text(text, find_group(f, st->gid), st->gid));
	if (st->type == VTR_TYPE_CHAR || st->type == VTR_TYPE_BLOCK)
		snprintf(text, sizeof(text), "%3u, %3u", st->rdev_major, st->rdev_minor);
	else
		snprintf(text, sizeof(text), "%" PRIu64, st->size);
	find_column(&f->size_width, false, text);
	/* Half a year of the Gregorian calendar, and an hour of clocks that differ: as ls(1). */
	if (!find_tm(&tm, &st->mtime))
		snprintf(text, sizeof(text), "%" PRId64, st->mtime.sec);
	else
		strftime(text, sizeof(text), age > 31556952 / 2 || age < -3600 ? "%b %e  %Y" : "%b %e %H:%M", &tm);
	printf("%s ", text);
	find_put_quoted(find_whole(at));
	if (target) {
		fputs(" -> ", stdout);
		find_put_quoted(target);
	}
	putchar('\n');
}

static void find_print(struct find_at *at)
{
	struct find *f = at->f;

	if (f->c.json) {
		cli_json_line(cli_json_file(find_whole(at), at->st, find_target(at)));
		return;
	}
	find_put(f, find_whole(at));
	putchar('\n');
}

/* ---------------------------------------------------------------------------------------------------------- printf */

/* "-1.5000000000": find(1) writes ten digits. */
static void find_seconds(char *buf, size_t size, const struct vtr_time *t)
{
	if (t->sec < 0 && t->nsec > 0)
		snprintf(buf, size, "-%" PRId64 ".%09u0", -(t->sec + 1), 1000000000u - t->nsec);
	else
		snprintf(buf, size, "%" PRId64 ".%09u0", t->sec, t->nsec);
}

/* A time in one of the forms of strftime(3), with the fraction where seconds are. */
static void find_time_text(char *buf, size_t size, const struct vtr_time *t, char form)
{
	char format[16], frac[16];
	struct tm tm;
	size_t n;

	buf[0] = 0;
	if (!t->set)
		return;
	if (form == '@' || !find_tm(&tm, t)) {
		find_seconds(buf, size, t);
		return;
	}
	snprintf(frac, sizeof(frac), ".%09u0", t->nsec);
	if (form == '+')
		snprintf(format, sizeof(format), "%%F+%%T");
	else if (form == 't')
		snprintf(format, sizeof(format), "%%a %%b %%e %%T");
	else
		snprintf(format, sizeof(format), "%%%c", form);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* it is one of FIND_TIME_FORMS, or from above */
	n = strftime(buf, size, format, &tm);
#pragma GCC diagnostic pop
	if (form == 't')
		snprintf(buf + n, size - n, "%s %lld", frac, 1900ll + tm.tm_year);
	else if (strchr("STX+", form))
		snprintf(buf + n, size - n, "%s", frac);
}

/* What may stand between the percent sign and the letter: "%-10.5p". */
struct find_spec {
	bool left, zero, alternate;
	unsigned width, precision;
};

static struct find_spec find_parse_spec(const char *p)
{
	struct find_spec s = { .precision = UINT32_MAX };

	for (; *p && strchr("-+ #0", *p); p++) {
		s.left = s.left || *p == '-';
		s.zero = s.zero || *p == '0';
		s.alternate = s.alternate || *p == '#';
	}
	for (; isdigit((unsigned char)*p) && s.width < FIND_MAX_WIDTH; p++)
		s.width = s.width * 10 + (unsigned)(*p - '0');
	if (*p == '.')
		for (s.precision = 0, p++; isdigit((unsigned char)*p) && s.precision < FIND_MAX_WIDTH; p++)
			s.precision = s.precision * 10 + (unsigned)(*p - '0');
	return s;
}

static void find_pad(char c, size_t n)
{
	while (n-- > 0)
		putchar(c);
}

/* One value: number says that zeros may pad it. */
static void find_value(const struct find *f, const struct find_spec *s, const char *text, bool number)
{
	size_t len = strlen(text), pad;
	char *safe = NULL;

	if (!number && len > s->precision)
		len = s->precision;
	if (f->tty) {
		size_t n = vtr_escape(NULL, 0, text, len);

		safe = malloc(n + 1);
		if (!safe)
			return;
		vtr_escape(safe, n + 1, text, len);
		len = n;
	}
	pad = len < s->width ? s->width - len : 0;
	if (!s->left)
		find_pad(number && s->zero ? '0' : ' ', pad);
	fwrite(safe ? safe : text, 1, len, stdout);
	if (s->left)
		find_pad(' ', pad);
	free(safe);
}

/* What a link leads to; N: nothing, L: links without end. */
static char find_led_to(struct find_at *at)
{
	struct vtr_error err = { 0 };
	struct vtr_place p;
	struct vtr_stat st;

	if (at->st->type != VTR_TYPE_SYMLINK)
		return find_letter(at->st->type);
	if (vtr_tree_walk(&p, at->f->tree, find_whole(at), 0, &err) < 0)
		return err.code == VTR_ELIMIT ? 'L' : 'N';
	return vtr_fs_stat(&st, p.fs, p.node, &err) < 0 ? '?' : find_letter(st.type);
}

static char *find_text(const char *p, size_t len)
{
	char *copy = strndup(p, len);

	return copy ? copy : strdup("");
}

/* The directory that a file is in, as its path says. */
static char *find_dir(struct find_at *at)
{
	const char *p = find_whole(at);
	size_t n = strlen(p);

	while (n > 1 && p[n - 1] == '/')
		n--;
	while (n > 0 && p[n - 1] != '/')
		n--;
	if (n == 0)
		return strdup(".");
	return find_text(p, n - 1);
}

/* The value of a directive of one letter; the caller frees. NULL: out of memory. */
static char *find_directive(struct find_at *at, char letter)
{
	struct find *f = at->f;
	const struct vtr_stat *st = at->st;
	const char *name, *target;
	char buf[80], letters[2] = { 0, 0 };
	size_t len;

	switch (letter) {
	case 'p':
		return strdup(find_whole(at));
	case 'P':
		return strdup(at->path);
	case 'H':
		return strdup(f->start);
	case 'f':
		name = find_base(at, &len);
		return find_text(name, len + (name[len] == '/')); /* one of the slashes that the user wrote */
	case 'h':
		return find_dir(at);
	case 'l':
		target = find_target(at);
		return strdup(target ? target : "");
	case 'M':
		return strdup(cli_mode(buf, st));
	case 'u':
		name = find_user(f, st->uid);
		snprintf(buf, sizeof(buf), "%" PRIu32, st->uid);
		return strdup(name ? name : buf);
	case 'g':
		name = find_group(f, st->gid);
		snprintf(buf, sizeof(buf), "%" PRIu32, st->gid);
		return strdup(name ? name : buf);
	case 'F':
		return strdup(vtr_fs_info(at->place.fs)->type);
	case 'y':
	case 'Y':
		letters[0] = letter == 'y' ? find_letter(st->type) : find_led_to(at);
		return strdup(letters);
	case 't':
	case 'a':
	case 'c':
		find_time_text(buf, sizeof(buf), find_time(st, letter), 't');
		return strdup(buf);
	case 's':
		snprintf(buf, sizeof(buf), "%" PRIu64, st->size);
		return strdup(buf);
	case 'U':
	case 'G':
		snprintf(buf, sizeof(buf), "%" PRIu32, letter == 'U' ? st->uid : st->gid);
		return strdup(buf);
	case 'n':
	case 'i':
		snprintf(buf, sizeof(buf), "%" PRIu64, letter == 'n' ? st->nlink : st->node);
		return strdup(buf);
	case 'd':
		snprintf(buf, sizeof(buf), "%u", at->depth);
		return strdup(buf);
	case 'k':
	case 'b':
		snprintf(buf, sizeof(buf), "%" PRIu64, find_blocks(st, letter == 'k' ? 1024 : 512));
		return strdup(buf);
	default:
		return strdup("");
	}
}

#define FIND_DIRECTIVES "pPHfhlMugFyYtacsUGnidkbm"
#define FIND_TIME_FORMS "@+HIklMprSTXZaAbBcdDhjmUwWxyY"

/* "\n", "\101": how many characters it has, and which byte; -1: stop printing. */
static size_t find_backslash(const char *p, int *byte)
{
	static const char letters[] = "abfnrtv\\", bytes[] = "\a\b\f\n\r\t\v\\";
	const char *q = p[1] ? strchr(letters, p[1]) : NULL;
	size_t n = 1;

	*byte = '\\';
	if (q) {
		*byte = bytes[q - letters];
		return 2;
	}
	if (p[1] == 'c') {
		*byte = -1;
		return 2;
	}
	if (p[1] < '0' || p[1] > '7')
		return 1;
	for (*byte = 0; n <= 3 && p[n] >= '0' && p[n] <= '7'; n++)
		*byte = *byte * 8 + (p[n] - '0');
	*byte &= 0xff;
	return n;
}

static void find_printf_one(struct find_at *at, const char *spec, const char *letter)
{
	const struct find_spec s = find_parse_spec(spec);
	char buf[128], *text;

	if (strchr("ACTB", *letter)) {
		char which = *letter == 'B' ? 'B' : *letter == 'T' ? 'm' : *letter == 'A' ? 'a' : 'c';

		find_time_text(buf, sizeof(buf), find_time(at->st, which), letter[1]);
		find_value(at->f, &s, buf, false);
	} else if (*letter == 'm') {
		snprintf(buf, sizeof(buf), "%s%" PRIo32, s.alternate && (at->st->mode & 07777) ? "0" : "",
			 at->st->mode & 07777);
		find_value(at->f, &s, buf, true);
	} else {
		text = find_directive(at, *letter);
		if (text)
			find_value(at->f, &s, text, *letter == 'd');
		free(text);
	}
}

/* Print by a format that find_check_format() found right. */
static void find_printf(struct find_at *at, const char *p)
{
	while (*p) {
		if (*p == '\\') {
			int byte;

			p += find_backslash(p, &byte);
			if (byte < 0)
				return;
			putchar(byte);
		} else if (*p == '%' && p[1] == '%') {
			putchar('%');
			p += 2;
		} else if (*p == '%') {
			size_t n = strspn(p + 1, "-+ #0123456789.");

			find_printf_one(at, p + 1, p + 1 + n);
			p += 1 + n + 1 + (strchr("ACTB", p[1 + n]) ? 1 : 0);
		} else {
			putchar(*p++);
		}
	}
}

/* ------------------------------------------------------------------------------------------------------ evaluation */

static bool find_compare(const struct find_node *x, uint64_t v)
{
	return x->sign == '+' ? v > x->n : x->sign == '-' ? v < x->n : v == x->n;
}

/* -1, 0, 1 */
static int find_time_cmp(const struct vtr_time *a, const struct vtr_time *b)
{
	if (a->sec != b->sec)
		return a->sec < b->sec ? -1 : 1;
	return a->nsec < b->nsec ? -1 : a->nsec > b->nsec;
}

/*
 * How long ago: -mtime 1 is from one day up to two, and -mmin 1 from now up to one minute: the one counts whole days, the
 * other rounds up.
 */
static bool find_age(const struct find *f, const struct find_node *x, const struct vtr_stat *st)
{
	const struct vtr_time *t = find_time(st, x->which);
	struct vtr_time from, until; /* of the time that fits exactly: after from, not after until */
	int64_t unit = (int64_t)x->unit, n = (int64_t)x->n;

	if (!t->set)
		return false;
	until.sec = f->now.tv_sec - (unit == FIND_DAY ? n : n - 1) * unit;
	until.nsec = from.nsec = (uint32_t)f->now.tv_nsec;
	from.sec = until.sec - unit;
	if (x->sign == '-')
		return find_time_cmp(t, unit == FIND_DAY ? &until : &from) > 0;
	if (x->sign == '+')
		return find_time_cmp(t, &from) < 0;
	return find_time_cmp(t, &from) > 0 && find_time_cmp(t, &until) <= 0;
}

static bool find_match(const struct find_node *x, const char *text)
{
	return fnmatch(x->text, text, x->icase ? FNM_CASEFOLD : 0) == 0;
}

static bool find_name(const struct find_node *x, struct find_at *at)
{
	size_t len;
	const char *base = find_base(at, &len);
	char *copy;
	bool r;

	if (base[len] == 0)
		return find_match(x, base);
	copy = strndup(base, len);
	r = copy && find_match(x, copy);
	free(copy);
	return r;
}

/* The whole path must fit. */
static bool find_regex(const struct find_node *x, struct find_at *at)
{
	const char *path = find_whole(at);
	regmatch_t m;

	return regexec(&x->regex, path, 1, &m, 0) == 0 && m.rm_so == 0 && path[m.rm_eo] == 0;
}

static int find_any(void *arg, const struct vtr_dirent *d)
{
	(void)arg;
	return d->name_len <= 2 && memcmp(d->name, "..", d->name_len) == 0 ? 0 : 1;
}

static bool find_empty(struct find_at *at)
{
	struct vtr_error err = { 0 };
	int r;

	if (at->st->type == VTR_TYPE_FILE)
		return at->st->size == 0;
	if (at->st->type != VTR_TYPE_DIR)
		return false;
	r = vtr_fs_readdir(at->place.fs, at->place.node, find_any, NULL, &err);
	if (r < 0)
		cli_partial_at(&at->f->c, find_whole(at), &err);
	return r == 0;
}

static bool find_perm(const struct find_node *x, uint32_t mode)
{
	if (x->sign == '-')
		return (mode & x->n) == x->n;
	if (x->sign == '/')
		return x->n == 0 || (mode & x->n) != 0;
	return mode == x->n;
}

static bool find_test(const struct find_node *x, struct find_at *at)
{
	struct find *f = at->f;
	const struct vtr_stat *st = at->st;
	const char *target;

	switch (x->kind) {
	case FIND_TRUE:
		return true;
	case FIND_NAME:
		return find_name(x, at);
	case FIND_PATH:
		return find_match(x, find_whole(at));
	case FIND_LNAME:
		target = find_target(at);
		return target && find_match(x, target);
	case FIND_REGEX:
		return find_regex(x, at);
	case FIND_TYPE:
		return strchr(x->text, find_letter(st->type)) != NULL;
	case FIND_SIZE:
		return find_compare(x, st->size / x->unit + (st->size % x->unit != 0));
	case FIND_AGE:
		return find_age(f, x, st);
	case FIND_NEWER:
		return find_time(st, x->which)->set && find_time_cmp(find_time(st, x->which), &x->than) > 0;
	case FIND_PERM:
		return find_perm(x, st->mode & 07777);
	case FIND_UID:
		return find_compare(x, st->uid);
	case FIND_GID:
		return find_compare(x, st->gid);
	case FIND_NOUSER:
		return !find_user(f, st->uid);
	case FIND_NOGROUP:
		return !find_group(f, st->gid);
	case FIND_LINKS:
		return find_compare(x, st->nlink);
	case FIND_INUM:
		return find_compare(x, st->node);
	case FIND_SAMEFILE:
		return at->place.node == x->place.node && vtr_fs_whole(at->place.fs) == vtr_fs_whole(x->place.fs);
	case FIND_FSTYPE:
		return strcmp(vtr_fs_info(at->place.fs)->type, x->text) == 0;
	case FIND_EMPTY:
		return find_empty(at);
	default:
		return false;
	}
}

static bool find_act(const struct find_node *x, struct find_at *at)
{
	switch (x->kind) {
	case FIND_PRUNE:
		at->prune = true;
		break;
	case FIND_QUIT:
		at->f->quit = true;
		break;
	case FIND_PRINT:
		find_print(at);
		break;
	case FIND_PRINT0:
		fputs(find_whole(at), stdout);
		putchar(0);
		break;
	case FIND_LS:
		find_ls(at);
		break;
	default:
		find_printf(at, x->text);
		break;
	}
	return true;
}

/* As deep as the user nested it, which the parser bounds. */
static bool find_eval(const struct find_node *x, struct find_at *at)
{
	bool left;

	if (x->kind >= FIND_PRUNE)
		return find_act(x, at);
	if (x->kind > FIND_NOT)
		return find_test(x, at);
	left = find_eval(x->left, at);
	if (at->f->quit)
		return false;
	if (x->kind == FIND_NOT)
		return !left;
	if (x->kind == FIND_AND && !left)
		return false;
	if (x->kind == FIND_OR && left)
		return true;
	return find_eval(x->right, at);
}

/* --------------------------------------------------------------------------------------------------------- parsing */

static struct find_node *find_new(struct find *f, enum find_kind kind)
{
	struct find_node *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->kind = kind;
	x->next_made = f->made;
	f->made = x;
	return x;
}

static struct find_node *find_join(struct find *f, enum find_kind kind, struct find_node *left, struct find_node *right)
{
	struct find_node *x = left && (right || kind == FIND_NOT) ? find_new(f, kind) : NULL;

	if (!x)
		return NULL;
	x->left = left;
	x->right = right;
	return x;
}

static bool find_digits(uint64_t *out, const char *text, const char **end)
{
	char *e;

	errno = 0;
	*out = strtoull(text, &e, 10);
	*end = e;
	return isdigit((unsigned char)text[0]) && errno == 0;
}

/* "+5", "-5", "5", and what follows the digits. */
static bool find_number(struct find_node *x, const char *text, const char **end)
{
	x->sign = *text == '+' || *text == '-' ? *text++ : 0;
	return find_digits(&x->n, text, end);
}

static bool find_set_number(struct find_node *x, const char *text)
{
	const char *end;

	return find_number(x, text, &end) && *end == 0;
}

static bool find_set_size(struct find_node *x, const char *text)
{
	static const char letters[] = "cwbkMG";
	static const uint64_t units[] = { 1, 2, 512, 1024, 1 << 20, 1 << 30 };
	const char *end, *unit;

	if (!find_number(x, text, &end))
		return false;
	unit = *end ? strchr(letters, *end) : letters + 2;
	if (!unit || (*end && end[1]))
		return false;
	x->unit = units[unit - letters];
	return true;
}

static bool find_set_age(struct find_node *x, const char *text)
{
	return find_set_number(x, text) && x->n < (1ull << 40);
}

static bool find_set_type(struct find_node *x, const char *text)
{
	for (size_t i = 0; text[i]; i++)
		if (i % 2 ? text[i] != ',' : !strchr("fdlcbps", text[i]))
			return false;
	x->text = text;
	return strlen(text) % 2 == 1;
}

/* The letters of one clause of a symbolic mode, "u+rw": the bits, of those that who means. */
static uint32_t find_mode_bits(const char **p, uint32_t who, uint32_t so_far)
{
	uint32_t bits = 0;

	for (; **p && strchr("rwxXstugo", **p); (*p)++) {
		switch (**p) {
		case 'r':
			bits |= 0444 & who;
			break;
		case 'w':
			bits |= 0222 & who;
			break;
		case 'x':
			bits |= 0111 & who;
			break;
		case 'X':
			bits |= so_far & 0111 ? 0111 & who : 0;
			break;
		case 's':
			bits |= 06000 & who;
			break;
		case 't':
			bits |= 01000 & who;
			break;
		default: {
			unsigned shift = **p == 'u' ? 6 : **p == 'g' ? 3 : 0;

			bits |= ((so_far >> shift & 7) * 0111) & who;
		}
		}
	}
	return bits;
}

/* chmod(1)'s symbolic modes, starting from nothing. */
static bool find_symbolic(uint64_t *out, const char *p)
{
	uint32_t mode = 0;

	while (*p) {
		uint32_t who = 0, bits;

		for (; *p && strchr("ugoa", *p); p++)
			who |= *p == 'u' ? 04700u : *p == 'g' ? 02070u : *p == 'o' ? 01007u : 07777u;
		if (who == 0)
			who = 07777;
		if (!*p || !strchr("+-=", *p))
			return false;
		while (*p && strchr("+-=", *p)) {
			char op = *p++;

			bits = find_mode_bits(&p, who, mode);
			if (op == '=')
				mode &= ~(who & 0777);
			mode = op == '-' ? mode & ~bits : mode | bits;
		}
		if (*p == ',')
			p++;
		else if (*p)
			return false;
	}
	*out = mode;
	return true;
}

static bool find_set_perm(struct find_node *x, const char *text)
{
	char *end;

	x->sign = *text == '-' || *text == '/' ? *text++ : 0;
	if (*text >= '0' && *text <= '7') {
		x->n = strtoul(text, &end, 8);
		return *end == 0 && x->n <= 07777;
	}
	return *text && find_symbolic(&x->n, text);
}

static bool find_set_regex(struct find *f, struct find_node *x, const char *text)
{
	int r = regcomp(&x->regex, text, f->regex_flags | (x->icase ? REG_ICASE : 0));
	char why[200];

	x->has_regex = r == 0;
	if (r == 0)
		return true;
	regerror(r, &x->regex, why, sizeof(why));
	cli_usage(&f->c, "%s: %s", text, why);
	return false;
}

/* "@1700000000.5", "2024-05-06", "2024-05-06 07:08[:09[.5]]", with T for the blank, and Z or UTC at the end: all are UTC. */
static bool find_set_date(struct find_node *x, const char *text)
{
	struct tm tm = { .tm_mday = 1, .tm_isdst = -1 };
	const char *p = text;
	bool epoch = *p == '@', utc;
	char *end;

	x->than.set = true;
	if (*p == '@') {
		errno = 0;
		x->than.sec = strtoll(p + 1, &end, 10);
		if (errno || end == p + 1)
			return false;
		p = end;
	} else {
		p = strptime(text, "%Y-%m-%d", &tm);
		if (p && (*p == ' ' || *p == 'T') && isdigit((unsigned char)p[1])) {
			const char *minutes = strptime(p + 1, "%H:%M", &tm);

			p = minutes && *minutes == ':' ? strptime(minutes, ":%S", &tm) : minutes;
		}
		if (!p)
			return false;
	}
	if (*p == '.') {
		uint32_t scale = 100000000;

		for (p++; isdigit((unsigned char)*p); p++, scale /= 10)
			x->than.nsec += (uint32_t)(*p - '0') * scale;
	}
	utc = strcmp(p, "Z") == 0 || strcmp(p, " UTC") == 0;
	if (*p && !utc)
		return false;
	if (!epoch)
		x->than.sec = utc ? timegm(&tm) : mktime(&tm);
	return true;
}

/* A file of the guest that the expression names: its place and its metadata. */
static bool find_reference(struct find *f, struct find_node *x, const char *path, struct vtr_stat *st)
{
	struct vtr_error err = { 0 };

	if (vtr_tree_walk(&x->place, f->tree, path, VTR_WALK_NOFOLLOW, &err) == 0 &&
	    vtr_fs_stat(st, x->place.fs, x->place.node, &err) == 0)
		return true;
	cli_error(&f->c, &err);
	return false;
}

/* -newerXY, where test is its name after "-newer": "", or two letters. */
static bool find_set_newer(struct find *f, struct find_node *x, const char *test, const char *value)
{
	struct vtr_stat st;

	x->which = test[0] ? test[0] : 'm';
	if (test[0] && test[1] == 't') {
		if (find_set_date(x, value))
			return true;
		cli_usage(&f->c, "-newer%s %s: no date (2024-05-06, 2024-05-06 07:08:09, @SECONDS)", test, value);
		return false;
	}
	if (!find_reference(f, x, value, &st))
		return false;
	x->than = *find_time(&st, test[0] ? test[1] : 'm');
	return true;
}

static bool find_set_owner(struct find *f, struct find_node *x, bool group, const char *value)
{
	const struct vtr_accounts *names = find_names(f, group);
	uint32_t id;
	const char *end;

	if (names && vtr_accounts_id(&id, names, value)) {
		x->n = id;
		return true;
	}
	if (find_digits(&x->n, value, &end) && *end == 0)
		return true;
	cli_usage(&f->c, "%s: the guest has no such %s", value, group ? "group" : "user");
	return false;
}

static bool find_check_format(struct find *f, const char *p)
{
	for (; *p; p++) {
		const char *from = p;
		size_t n;

		if (*p != '%')
			continue;
		if (p[1] == '%') {
			p++;
			continue;
		}
		n = strspn(p + 1, "-+ #0123456789.");
		p += 1 + n;
		if (n < 16 && *p && strchr("ACTB", *p) && p[1] && strchr(FIND_TIME_FORMS, p[1]))
			p++;
		else if (n >= 16 || !*p || !strchr(FIND_DIRECTIVES, *p)) {
			cli_usage(&f->c, "-printf: %.20s is not known", from);
			return false;
		}
	}
	return true;
}

/* How a primary's value is understood. */
enum find_value {
	FIND_V_NONE,
	FIND_V_TEXT,
	FIND_V_NUMBER,
	FIND_V_SIZE,
	FIND_V_DAYS,
	FIND_V_MINUTES,
	FIND_V_TYPE,
	FIND_V_PERM,
	FIND_V_REGEX,
	FIND_V_USER,
	FIND_V_GROUP,
	FIND_V_FILE,
	FIND_V_NEWER,
	FIND_V_FORMAT,
};

static const struct find_primary {
	const char *name;
	enum find_kind kind;
	enum find_value value;
	bool icase;
	char which;
} find_primaries[] = {
	{ "true", FIND_TRUE, FIND_V_NONE, false, 0 },	    { "false", FIND_FALSE, FIND_V_NONE, false, 0 },
	{ "name", FIND_NAME, FIND_V_TEXT, false, 0 },	    { "iname", FIND_NAME, FIND_V_TEXT, true, 0 },
	{ "path", FIND_PATH, FIND_V_TEXT, false, 0 },	    { "wholename", FIND_PATH, FIND_V_TEXT, false, 0 },
	{ "ipath", FIND_PATH, FIND_V_TEXT, true, 0 },	    { "iwholename", FIND_PATH, FIND_V_TEXT, true, 0 },
	{ "lname", FIND_LNAME, FIND_V_TEXT, false, 0 },	    { "ilname", FIND_LNAME, FIND_V_TEXT, true, 0 },
	{ "regex", FIND_REGEX, FIND_V_REGEX, false, 0 },    { "iregex", FIND_REGEX, FIND_V_REGEX, true, 0 },
	{ "type", FIND_TYPE, FIND_V_TYPE, false, 0 },	    { "size", FIND_SIZE, FIND_V_SIZE, false, 0 },
	{ "mtime", FIND_AGE, FIND_V_DAYS, false, 'm' },	    { "atime", FIND_AGE, FIND_V_DAYS, false, 'a' },
	{ "ctime", FIND_AGE, FIND_V_DAYS, false, 'c' },	    { "mmin", FIND_AGE, FIND_V_MINUTES, false, 'm' },
	{ "amin", FIND_AGE, FIND_V_MINUTES, false, 'a' },   { "cmin", FIND_AGE, FIND_V_MINUTES, false, 'c' },
	{ "perm", FIND_PERM, FIND_V_PERM, false, 0 },	    { "user", FIND_UID, FIND_V_USER, false, 0 },
	{ "group", FIND_GID, FIND_V_GROUP, false, 0 },	    { "uid", FIND_UID, FIND_V_NUMBER, false, 0 },
	{ "gid", FIND_GID, FIND_V_NUMBER, false, 0 },	    { "nouser", FIND_NOUSER, FIND_V_NONE, false, 0 },
	{ "nogroup", FIND_NOGROUP, FIND_V_NONE, false, 0 }, { "links", FIND_LINKS, FIND_V_NUMBER, false, 0 },
	{ "inum", FIND_INUM, FIND_V_NUMBER, false, 0 },	    { "samefile", FIND_SAMEFILE, FIND_V_FILE, false, 0 },
	{ "fstype", FIND_FSTYPE, FIND_V_TEXT, false, 0 },   { "empty", FIND_EMPTY, FIND_V_NONE, false, 0 },
	{ "prune", FIND_PRUNE, FIND_V_NONE, false, 0 },	    { "quit", FIND_QUIT, FIND_V_NONE, false, 0 },
	{ "print", FIND_PRINT, FIND_V_NONE, false, 0 },	    { "print0", FIND_PRINT0, FIND_V_NONE, false, 0 },
	{ "ls", FIND_LS, FIND_V_NONE, false, 0 },	    { "printf", FIND_PRINTF, FIND_V_FORMAT, false, 0 },
};

static bool find_set_value(struct find *f, struct find_node *x, const struct find_primary *p, const char *value)
{
	struct vtr_stat st;
	bool good = true;

	x->text = value;
	switch (p->value) {
	case FIND_V_NUMBER:
		good = find_set_number(x, value);
		break;
	case FIND_V_SIZE:
		good = find_set_size(x, value);
		break;
	case FIND_V_DAYS:
	case FIND_V_MINUTES:
		x->unit = p->value == FIND_V_DAYS ? FIND_DAY : 60;
		good = find_set_age(x, value);
		break;
	case FIND_V_TYPE:
		good = find_set_type(x, value);
		break;
	case FIND_V_PERM:
		good = find_set_perm(x, value);
		break;
	case FIND_V_REGEX:
		return find_set_regex(f, x, value);
	case FIND_V_USER:
	case FIND_V_GROUP:
		return find_set_owner(f, x, p->value == FIND_V_GROUP, value);
	case FIND_V_FILE:
		return find_reference(f, x, value, &st);
	case FIND_V_FORMAT:
		return find_check_format(f, value);
	default:
		break;
	}
	if (!good)
		cli_usage(&f->c, "-%s %s: not understood", p->name, value);
	return good;
}

static struct find_node *find_parse_primary(struct find *f, const char *name)
{
	const struct find_primary newer = { name, FIND_NEWER, FIND_V_NEWER, false, 0 }, *p = NULL;
	const char *value = NULL;
	struct find_node *x;

	for (size_t i = 0; !p && i < sizeof(find_primaries) / sizeof(find_primaries[0]); i++)
		if (strcmp(find_primaries[i].name, name) == 0)
			p = &find_primaries[i];
	if (!p && strncmp(name, "newer", 5) == 0 &&
	    (!name[5] || (strlen(name) == 7 && strchr("acmB", name[5]) && strchr("acmBt", name[6]))))
		p = &newer;
	if (!p) {
		cli_usage(&f->c, "unknown test or action -%s", name);
		return NULL;
	}
	if (p->value != FIND_V_NONE) {
		if (f->n_args == 0) {
			cli_usage(&f->c, "-%s needs a value", name);
			return NULL;
		}
		value = *f->args++;
		f->n_args--;
	}
	if (f->c.json && p->kind >= FIND_PRINT0) {
		cli_usage(&f->c, "-%s prints no JSON", name);
		return NULL;
	}
	x = find_new(f, p->kind);
	if (!x)
		return NULL;
	x->icase = p->icase;
	x->which = p->which;
	if (p->kind >= FIND_PRINT)
		f->has_action = true;
	if (p == &newer)
		return find_set_newer(f, x, name + 5, value) ? x : NULL;
	return find_set_value(f, x, p, value) ? x : NULL;
}

/* What holds for the whole search, wherever it stands: 1; 0: it is something else; -1: told. */
static int find_parse_option(struct find *f, const char *name)
{
	static const char *const basic[] = { "posix-basic", "posix-minimal-basic", "grep", "ed", "sed" };
	static const char *const extended[] = { "posix-extended", "posix-egrep", "egrep" };
	bool max = strcmp(name, "maxdepth") == 0;
	const char *value = f->n_args > 0 ? *f->args : "", *end;
	uint64_t v;

	if (strcmp(name, "depth") == 0 || strcmp(name, "d") == 0) {
		f->depth_first = true;
		return 1;
	}
	if (strcmp(name, "xdev") == 0 || strcmp(name, "mount") == 0) {
		f->one_fs = true;
		return 1;
	}
	if (max || strcmp(name, "mindepth") == 0) {
		if (!find_digits(&v, value, &end) || *end) {
			cli_usage(&f->c, "-%s %s: how many?", name, value);
			return -1;
		}
		*(max ? &f->max_depth : &f->min_depth) = v;
	} else if (strcmp(name, "regextype") == 0) {
		f->regex_flags = -1;
		for (size_t i = 0; i < sizeof(basic) / sizeof(basic[0]); i++)
			if (strcmp(value, basic[i]) == 0)
				f->regex_flags = 0;
		for (size_t i = 0; i < sizeof(extended) / sizeof(extended[0]); i++)
			if (strcmp(value, extended[i]) == 0)
				f->regex_flags = REG_EXTENDED;
		if (f->regex_flags < 0) {
			cli_usage(&f->c, "-regextype %s: posix-basic or posix-extended", value);
			return -1;
		}
	} else {
		return 0;
	}
	f->args++;
	f->n_args--;
	return 1;
}

static struct find_node *find_parse_comma(struct find *f);

/* The next word, when it is one of these two. */
static bool find_next_is(struct find *f, const char *a, const char *b)
{
	if (f->n_args == 0 || (strcmp(*f->args, a) != 0 && strcmp(*f->args, b) != 0))
		return false;
	f->args++;
	f->n_args--;
	return true;
}

static struct find_node *find_parse_not(struct find *f)
{
	struct find_node *x = NULL;
	const char *word;
	int option;

	if (++f->nesting > FIND_MAX_NESTING) {
		cli_usage(&f->c, "the expression is nested too deeply");
	} else if (f->n_args == 0) {
		cli_usage(&f->c, "the expression ends where a test is expected");
	} else if (find_next_is(f, "!", "-not")) {
		x = find_join(f, FIND_NOT, find_parse_not(f), NULL);
	} else if (find_next_is(f, "(", "(")) {
		x = find_parse_comma(f);
		if (x && !find_next_is(f, ")", ")")) {
			cli_usage(&f->c, "a parenthesis is not closed");
			x = NULL;
		}
	} else {
		word = *f->args++;
		f->n_args--;
		option = word[0] == '-' ? find_parse_option(f, word + 1) : 0;
		if (option > 0)
			x = find_new(f, FIND_TRUE);
		else if (option == 0 && word[0] == '-')
			x = find_parse_primary(f, word + 1);
		else if (option == 0)
			cli_usage(&f->c, "%s: paths come before the expression", word);
	}
	f->nesting--;
	return x;
}

static bool find_at_end(const struct find *f)
{
	return f->n_args == 0 || strcmp(*f->args, ")") == 0 || strcmp(*f->args, ",") == 0 ||
	       strcmp(*f->args, "-o") == 0 || strcmp(*f->args, "-or") == 0;
}

static struct find_node *find_parse_and(struct find *f)
{
	struct find_node *x = find_parse_not(f);

	while (x && !find_at_end(f)) {
		find_next_is(f, "-a", "-and");
		x = find_join(f, FIND_AND, x, find_parse_not(f));
	}
	return x;
}

static struct find_node *find_parse_or(struct find *f)
{
	struct find_node *x = find_parse_and(f);

	while (x && find_next_is(f, "-o", "-or"))
		x = find_join(f, FIND_OR, x, find_parse_and(f));
	return x;
}

static struct find_node *find_parse_comma(struct find *f)
{
	struct find_node *x = find_parse_or(f);

	while (x && find_next_is(f, ",", ","))
		x = find_join(f, FIND_COMMA, x, find_parse_or(f));
	return x;
}

/* The expression; what asks for nothing prints. False: it was told. */
static bool find_parse(struct find *f)
{
	f->root = f->n_args > 0 ? find_parse_comma(f) : find_new(f, FIND_TRUE);
	if (f->root && f->n_args > 0) {
		cli_usage(&f->c, "a parenthesis is not opened");
		return false;
	}
	if (f->root && !f->has_action)
		f->root = find_join(f, FIND_AND, f->root, find_new(f, FIND_PRINT));
	if (!f->root && f->c.status == CLI_OK)
		f->c.status = CLI_FAILED; /* out of memory */
	return f->root != NULL;
}

/* ------------------------------------------------------------------------------------------------------ the search */

/* Ask the expression about a file. True: it said not to go into it. */
static bool find_ask(struct find *f, const char *path, unsigned depth, struct vtr_place place,
		     const struct vtr_stat *st)
{
	struct find_at at = { .f = f, .path = path, .depth = depth, .place = place, .st = st };

	if (!f->quit && depth >= f->min_depth && depth <= f->max_depth)
		find_eval(f->root, &at);
	free(at.whole);
	free(at.target);
	return at.prune;
}

/* With -depth: the directories that are finished once something of this depth comes. */
static void find_finish(struct find *f, unsigned depth)
{
	while (f->n_late > 0 && f->late[f->n_late - 1].depth >= depth) {
		struct find_late *d = &f->late[--f->n_late];

		find_ask(f, d->path, d->depth, d->place, &d->st);
		free(d->path);
	}
}

static bool find_keep(struct find *f, const struct vtr_entry *e)
{
	if (f->n_late == f->cap_late) {
		size_t cap = f->cap_late ? 2 * f->cap_late : 32;
		struct find_late *p = realloc(f->late, cap * sizeof(*p));

		if (!p)
			return false;
		f->late = p;
		f->cap_late = cap;
	}
	f->late[f->n_late] = (struct find_late){ strdup(e->path), e->depth, e->place, e->st };
	return f->late[f->n_late++].path != NULL;
}

static int find_entry(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	struct find *f = arg;
	int excluded = vtr_exclude_has(f->c.exclude, e->path, e->path_len, err);
	bool prune = false;

	if (excluded != 0)
		return excluded;
	if (e->failed) {
		char *path = cli_join(f->start, e->path);

		if (path)
			cli_partial_at(&f->c, path, e->error);
		free(path);
		return 0;
	}
	if (f->depth_first)
		find_finish(f, e->depth);
	if (f->depth_first && e->st.type == VTR_TYPE_DIR) {
		if (!find_keep(f, e))
			return -1;
	} else {
		prune = find_ask(f, e->path, e->depth, e->place, &e->st);
	}
	if (f->quit || ferror(stdout))
		return -1;
	return prune || e->depth >= f->max_depth || (f->one_fs && e->place.fs != f->start_fs);
}

static void find_path(struct find *f, const char *path)
{
	struct vtr_error err = { 0 };
	struct vtr_place p;

	if (vtr_tree_walk(&p, f->tree, path, VTR_WALK_NOFOLLOW, &err) < 0) {
		cli_error(&f->c, &err);
		return;
	}
	if (cli_begin_excluded(&f->c, f->tree, path))
		return;
	f->start = path;
	f->start_fs = p.fs;
	if (vtr_tree_list(f->tree, &p, VTR_LIST_RECURSIVE | VTR_LIST_SELF, find_entry, f, &err) < 0 && err.code)
		cli_error(&f->c, &err);
	find_finish(f, 0);
}

static void find_done(struct find *f)
{
	while (f->made) {
		struct find_node *x = f->made;

		f->made = x->next_made;
		if (x->has_regex)
			regfree(&x->regex);
		free(x);
	}
	for (size_t i = 0; i < f->n_late; i++)
		free(f->late[i].path);
	free(f->late);
	vtr_accounts_free(f->names[0]);
	vtr_accounts_free(f->names[1]);
}

static bool find_is_expression(const char *word)
{
	return word[0] == '-' || strcmp(word, "(") == 0 || strcmp(word, ")") == 0 || strcmp(word, "!") == 0 ||
	       strcmp(word, ",") == 0;
}

static int find_run(int argc, char **argv)
{
	struct find f = {
		.regex_flags = REG_EXTENDED, .max_depth = UINT64_MAX, .width = { 9, 6, 3, 8, 8 }, .size_width = 8
	};
	int n = 0;

	if (!cli_begin(&f.c, &cli_verb_find, &argc, &argv, "", NULL, NULL, NULL))
		return cli_end(&f.c);
	/* Patterns are of characters. The names of months stay those of C. */
	setlocale(LC_CTYPE, "C.UTF-8");
	clock_gettime(CLOCK_REALTIME, &f.now);
	f.tty = isatty(STDOUT_FILENO);
	while (n < argc && !find_is_expression(argv[n]))
		n++;
	f.args = argv + n;
	f.n_args = argc - n;
	f.tree = cli_tree(&f.c);
	argv = cli_paths(&f.c, f.tree, argv, &n, true);
	if (f.tree && find_parse(&f)) {
		for (int i = 0; i < n && !f.quit; i++)
			find_path(&f, argv[i]);
		cli_flush(&f.c);
	}
	find_done(&f);
	return cli_end(&f.c);
}

const struct cli_verb cli_verb_find = {
	.name = "find",
	.summary = "Find files by name, type, size, time, owner, as find(1)",
	.usage = "[options] IMAGE [PATH…] [EXPRESSION]",
	.options = "Options come before the image. The expression has, each with a dash before it:\n"
		   "  tests: name iname path ipath regex iregex lname ilname type size empty mtime atime\n"
		   "    ctime mmin amin cmin newer newerXY perm user group uid gid nouser nogroup links\n"
		   "    inum samefile fstype true false\n"
		   "  actions: print print0 ls printf prune quit\n"
		   "  for the whole search: maxdepth mindepth depth xdev mount regextype\n"
		   "  and the operators ( ) ! not a and o or ,\n\n",
	.without = CLI_OPTIONS_FIRST,
	.run = find_run,
};
