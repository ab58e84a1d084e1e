/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine log: what a system has logged: systemd's journals, or the classic files of a syslog daemon. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"

extern const struct cli_verb cli_verb_log;

#define LOG_MAX_SOURCES 4096u

/* A list of arguments. */
struct log_words {
	const char *list[32];
	size_t n;
};

/* One file, and its next entry that is asked for. */
struct log_source {
	char *path;
	struct vtr_journal *j;
	struct vtr_syslog *s;
	uint64_t *list; /* a journal's entries that can fit; NULL: all */
	size_t n_list, at;
	bool listed, ended;
	uint64_t time; /* of the next entry: microseconds since 1970 */
	struct vtr_journal_entry e;
	struct vtr_syslog_line l;
	uint64_t unsaid; /* lines left out since they do not say their priority */
};

struct log_boot {
	char id[33];
	uint64_t first, last; /* microseconds since 1970 */
	size_t group;	      /* of the journals that count their entries together */
	uint64_t seqnum;      /* of its first entry there */
};

/* One of the last entries, until they are printed. */
struct log_kept {
	char *text;
	json_t *json;
};

struct log {
	struct cli c;
	struct log_words units, idents, files;
	uint64_t since, until, lines;
	bool has_lines, kernel, syslog, list_boots, stopped;
	int worst, least; /* priorities: 0 is the worst */
	const char *boot;
	char boot_id[33]; /* "": any */
	struct vtr_tree *tree;
	struct log_source *sources;
	size_t n_sources;
	struct log_boot *boots;
	size_t n_boots;
	size_t *boot_slots; /* a hash table of them: index + 1, 0 is free */
	size_t n_boot_slots;
	struct log_kept *kept; /* a ring of lines */
	uint64_t n_printed;
	FILE *out;
};

enum { OPT_SINCE = CLI_LONG, OPT_UNTIL, OPT_FILE, OPT_SYSLOG, OPT_BOOTS };

/* -------------------------------------------------------------------------------------------------------- options */

/*
 * "2024-05-06", "2024-05-06 07:08", "2024-05-06T07:08:09.5Z", "@1714979289": microseconds since 1970. Without a Z or UTC
 * it is a local time, as journalctl(1) takes it.
 */
static bool log_time(uint64_t *out, const char *text)
{
	struct tm tm = { .tm_isdst = -1 };
	unsigned year, month, day, hour = 0, minute = 0;
	double second = 0;
	unsigned long long epoch;
	int n = 0, m = 0;
	bool utc = false;
	int64_t sec;

	if (text[0] == '@' && isdigit((unsigned char)text[1])) {
		if (sscanf(text + 1, "%llu%n", &epoch, &n) != 1 || text[1 + n] || epoch > UINT64_MAX / 2000000)
			return false;
		*out = epoch * 1000000;
		return true;
	}
	if (sscanf(text, "%4u-%2u-%2u%n", &year, &month, &day, &n) != 3 || month < 1 || month > 12 || day < 1 ||
	    day > 31)
		return false;
	text += n;
	if (*text == 'T' || *text == ' ') {
		if (sscanf(text + 1, "%2u:%2u%n", &hour, &minute, &n) != 2 || hour > 23 || minute > 59)
			return false;
		text += 1 + n;
		if (*text == ':') {
			if (!isdigit((unsigned char)text[1]) || sscanf(text + 1, "%lf%n", &second, &m) != 1 ||
			    !(second < 61))
				return false;
			text += 1 + m;
		}
	}
	if (strcmp(text, "Z") == 0 || strcmp(text, " UTC") == 0)
		utc = true;
	else if (*text)
		return false;
	tm.tm_year = (int)year - 1900;
	tm.tm_mon = (int)month - 1;
	tm.tm_mday = (int)day;
	tm.tm_hour = (int)hour;
	tm.tm_min = (int)minute;
	sec = utc ? timegm(&tm) : mktime(&tm);
	if (sec < 0)
		return false;
	*out = (uint64_t)sec * 1000000 + (uint64_t)(second * 1e6 + 0.5);
	return true;
}

static int log_priority(const char *text, size_t len)
{
	static const char *const names[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };

	if (len == 1 && text[0] >= '0' && text[0] <= '7')
		return text[0] - '0';
	for (int i = 0; i < 8; i++)
		if (strlen(names[i]) == len && memcmp(names[i], text, len) == 0)
			return i;
	return -1;
}

/* "err": that and worse; "warning..notice": between them. */
static bool log_priorities(struct log *v, const char *text)
{
	const char *dots = strstr(text, "..");
	int a, b;

	if (!dots) {
		v->worst = 0;
		v->least = log_priority(text, strlen(text));
		return v->least >= 0;
	}
	a = log_priority(text, (size_t)(dots - text));
	b = log_priority(dots + 2, strlen(dots + 2));
	v->worst = a < b ? a : b;
	v->least = a < b ? b : a;
	return v->worst >= 0;
}

static bool log_word(struct log_words *w, const char *value)
{
	if (!*value || w->n == sizeof(w->list) / sizeof(w->list[0]))
		return false;
	w->list[w->n++] = value;
	return true;
}

static bool log_option(void *arg, int opt, const char *value)
{
	struct log *v = arg;
	char *end;

	switch (opt) {
	case 'n':
		v->lines = strtoull(value, &end, 10);
		v->has_lines = true;
		return isdigit((unsigned char)value[0]) && *end == 0 && v->lines <= 10000000;
	case 'u':
		return log_word(&v->units, value);
	case 't':
		return log_word(&v->idents, value);
	case 'p':
		return log_priorities(v, value);
	case 'b':
		v->boot = value;
		return *value != 0;
	case 'k':
		v->kernel = true;
		return true;
	case 'o':
		v->c.json = strcmp(value, "json") == 0;
		return v->c.json || strcmp(value, "short") == 0;
	case OPT_SINCE:
		return log_time(&v->since, value);
	case OPT_UNTIL:
		return log_time(&v->until, value);
	case OPT_FILE:
		return log_word(&v->files, value);
	case OPT_SYSLOG:
		v->syslog = true;
		return true;
	default:
		v->list_boots = true;
		return true;
	}
}

/* -------------------------------------------------------------------------------------------------------- filters */

static bool log_field_is(const struct vtr_journal_entry *e, const char *name, const char *value)
{
	for (size_t i = 0; i < e->n_fields; i++)
		if (strcmp(e->fields[i].name, name) == 0 && e->fields[i].len == strlen(value) &&
		    memcmp(e->fields[i].value, value, e->fields[i].len) == 0)
			return true;
	return false;
}

/* A unit's name as it is in fields: a service when nothing else is said. The caller frees. */
static char *log_unit(const char *name)
{
	char *out = NULL;

	return asprintf(&out, "%s%s", name, strchr(name, '.') ? "" : ".service") < 0 ? NULL : out;
}

/*
 * What a unit wrote, and what systemd, running as process 1, and other daemons of root say of it.
 */
static bool log_unit_fits(const struct vtr_journal_entry *e, const char *name)
{
	char *unit = log_unit(name);
	const char *dot = unit ? strrchr(unit, '.') : NULL;
	bool fits;

	if (!unit)
		return false;
	fits = log_field_is(e, "_SYSTEMD_UNIT", unit) ||
	       (log_field_is(e, "_PID", "1") && log_field_is(e, "UNIT", unit)) ||
	       (log_field_is(e, "_UID", "0") &&
		(log_field_is(e, "OBJECT_SYSTEMD_UNIT", unit) ||
		 (log_field_is(e, "COREDUMP_UNIT", unit) &&
		  log_field_is(e, "MESSAGE_ID", "fc2e22bc6ee647b6b90729ab34a250b1")))) ||
	       (dot && strcmp(dot, ".slice") == 0 && log_field_is(e, "_SYSTEMD_SLICE", unit));
	free(unit);
	return fits;
}

/* Cheap ones first: those that need no field. */
static bool log_stamp_fits(const struct log *v, const struct vtr_journal_entry *e)
{
	return e->realtime >= v->since && e->realtime <= v->until &&
	       (!v->boot_id[0] || strcmp(v->boot_id, e->boot_id) == 0);
}

static bool log_entry_fits(const struct log *v, const struct vtr_journal_entry *e)
{
	bool any = false;
	size_t len = 0;

	if (v->kernel && !log_field_is(e, "_TRANSPORT", "kernel"))
		return false;
	if (v->least < 7 || v->worst > 0) {
		const char *p = vtr_journal_value(e, "PRIORITY", &len);

		if (!p || len != 1 || p[0] - '0' < v->worst || p[0] - '0' > v->least)
			return false;
	}
	for (size_t i = 0; i < v->idents.n && !any; i++)
		any = log_field_is(e, "SYSLOG_IDENTIFIER", v->idents.list[i]);
	if (v->idents.n > 0 && !any)
		return false;
	any = v->units.n == 0;
	for (size_t i = 0; i < v->units.n && !any; i++)
		any = log_unit_fits(e, v->units.list[i]);
	return any;
}

static bool log_line_fits(const struct log *v, struct log_source *s)
{
	const struct vtr_syslog_line *l = &s->l;
	bool any = v->idents.n == 0;

	if (s->time < v->since || s->time > v->until)
		return false;
	if (v->kernel && l->facility != 0 && !(l->ident_len == 6 && memcmp(l->ident, "kernel", 6) == 0))
		return false;
	for (size_t i = 0; i < v->idents.n && !any; i++)
		any = l->ident_len == strlen(v->idents.list[i]) &&
		      memcmp(l->ident, v->idents.list[i], l->ident_len) == 0;
	if (!any || (v->least == 7 && v->worst == 0))
		return any;
	if (l->priority < 0) {
		s->unsaid++;
		return false;
	}
	return l->priority >= v->worst && l->priority <= v->least;
}

/* -------------------------------------------------------------------------------------------------------- sources */

static int log_compare_numbers(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Add the entries of one field to those that can fit. False: the file's index is of no use. */
static bool log_list_add(struct log_source *s, const char *name, const char *value)
{
	uint64_t *found = NULL, *all;
	char *field = NULL;
	ssize_t n;
	int len = asprintf(&field, "%s=%s", name, value);

	if (len < 0)
		return false;
	n = vtr_journal_find(&found, s->j, field, (size_t)len, NULL);
	free(field);
	if (n <= 0)
		return n == 0;
	all = realloc(s->list, (s->n_list + (size_t)n) * sizeof(*all));
	if (all) {
		memcpy(all + s->n_list, found, (size_t)n * sizeof(*all));
		s->list = all;
		s->n_list += (size_t)n;
	}
	free(found);
	return all != NULL;
}

/* Where the file's own index can be trusted, it says which entries can fit. */
static void log_list(const struct log *v, struct log_source *s)
{
	static const char *const names[] = { "_SYSTEMD_UNIT", "UNIT", "OBJECT_SYSTEMD_UNIT", "COREDUMP_UNIT",
					     "_SYSTEMD_SLICE" };
	const struct vtr_journal_info *info = vtr_journal_info(s->j);
	bool good = info->whole && strcmp(info->state, "online") != 0 && (v->units.n > 0 || v->idents.n > 0);
	size_t n = 0;

	for (size_t i = 0; good && v->units.n == 0 && i < v->idents.n; i++)
		good = log_list_add(s, "SYSLOG_IDENTIFIER", v->idents.list[i]);
	for (size_t i = 0; good && i < v->units.n; i++) {
		char *unit = log_unit(v->units.list[i]);

		for (size_t k = 0; good && k < sizeof(names) / sizeof(names[0]); k++)
			good = unit && log_list_add(s, names[k], unit);
		free(unit);
	}
	if (!good) {
		free(s->list);
		s->list = NULL;
		s->n_list = 0;
		return;
	}
	if (s->n_list > 0)
		qsort(s->list, s->n_list, sizeof(*s->list), log_compare_numbers);
	for (size_t i = 0; i < s->n_list; i++)
		if (n == 0 || s->list[n - 1] != s->list[i])
			s->list[n++] = s->list[i];
	s->n_list = n;
	s->listed = true;
}

static size_t log_candidates(const struct log_source *s)
{
	return s->listed ? s->n_list : (size_t)vtr_journal_info(s->j)->entries;
}

/* Nothing more can be read: a limit, the deadline, the host. What was printed is not all. */
static void log_stop(struct log *v, const struct vtr_error *err)
{
	cli_error(&v->c, err);
	v->stopped = true;
}

/* The i-th candidate, if it is asked for: 1; 0: it is not, or is lost, which is told; -1: nothing more can be read. */
static int log_candidate(struct log *v, struct log_source *s, size_t i, bool tell)
{
	uint64_t index = s->listed ? s->list[i] : i;
	struct vtr_error err = { 0 };

	if (vtr_journal_stamp(&s->e, s->j, index, &err) == 0) {
		if (!log_stamp_fits(v, &s->e))
			return 0;
		if (vtr_journal_read(&s->e, s->j, index, &err) == 0)
			return log_entry_fits(v, &s->e);
	}
	if (err.code == VTR_ECORRUPT || err.code == VTR_ETRUNCATED) {
		if (tell)
			cli_partial_at(&v->c, s->path, &err);
		return 0;
	}
	if (tell)
		log_stop(v, &err);
	return -1;
}

/* Go on to the next entry that is asked for. */
static void log_advance(struct log *v, struct log_source *s)
{
	if (s->s) {
		struct vtr_error err = { 0 };

		do {
			int r = vtr_syslog_next(&s->l, s->s, &err);

			if (r < 0)
				log_stop(v, &err);
			if (r <= 0) {
				s->ended = true;
				return;
			}
			if (s->l.time.set) /* else that of the line before */
				s->time = s->l.time.sec < 0 ? 0
							    : (uint64_t)s->l.time.sec * 1000000 + s->l.time.nsec / 1000;
		} while (!log_line_fits(v, s));
		return;
	}
	for (; s->at < log_candidates(s); s->at++) {
		int r = log_candidate(v, s, s->at, true);

		if (r < 0)
			break;
		if (r > 0) {
			s->at++;
			s->time = s->e.realtime;
			return;
		}
	}
	s->ended = true;
}

/* Start where only as many entries are left as are wanted from all. */
static void log_skip(struct log *v, struct log_source *s)
{
	uint64_t found = 0;

	for (s->at = log_candidates(s); s->at > 0 && found < v->lines; s->at--) {
		int r = log_candidate(v, s, s->at - 1, false);

		if (r < 0) { /* what cannot be read backwards is not skipped */
			s->at = 0;
			return;
		}
		found += r > 0;
	}
}

static bool log_ends(const char *s, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len >= n && memcmp(s + len - n, end, n) == 0;
}

static bool log_is_journal(const char *name, size_t len)
{
	return log_ends(name, len, ".journal") || log_ends(name, len, ".journal~");
}

static bool log_add(struct log *v, const char *path, const struct vtr_place *p)
{
	struct vtr_error err = { .code = VTR_ENOMEM, .text = "no memory" };
	struct log_source *s, *all;
	struct vtr_blk *b = NULL;
	struct vtr_stat st;
	char magic[8] = "";

	all = v->n_sources < LOG_MAX_SOURCES ? realloc(v->sources, (v->n_sources + 1) * sizeof(*all)) : NULL;
	if (!all) {
		snprintf(err.text, sizeof(err.text), "more than %u files", LOG_MAX_SOURCES);
		cli_error(&v->c, &err);
		return false;
	}
	v->sources = all;
	s = &all[v->n_sources];
	*s = (struct log_source){ .path = strdup(path) };
	if (!s->path)
		return false;
	if (vtr_fs_read(p->fs, p->node, 0, magic, sizeof(magic), &err) < 0 ||
	    vtr_fs_file_blk(&b, p->fs, p->node, &err) < 0 || vtr_fs_stat(&st, p->fs, p->node, &err) < 0)
		goto bad;
	/* By its name it is a journal, or by its signature: what is neither has lines. */
	if (log_is_journal(path, strlen(path)) || memcmp(magic, "LPKSHHRH", sizeof(magic)) == 0) {
		if (vtr_journal_open(&s->j, b, &err) < 0)
			goto bad;
	} else if (vtr_syslog_open(&s->s, b, path, &st.mtime, &err) < 0) {
		goto bad;
	}
	vtr_blk_unref(b);
	v->n_sources++;
	return true;
bad:
	vtr_blk_unref(b);
	free(s->path);
	if (err.code != VTR_ECORRUPT && err.code != VTR_ETRUNCATED && err.code != VTR_EUNSUPPORTED) {
		log_stop(v, &err);
		return false;
	}
	cli_partial_at(&v->c, path, &err);
	return true;
}

struct log_walk {
	struct log *v;
	const char *dir;
	const char *const *names; /* NULL: journals */
};

/* Whether a name is that of a log or of one that was rotated: "syslog.2.gz", "messages-20240506". */
static bool log_is_of(const char *name, const char *base)
{
	size_t n = strlen(base);

	if (strncmp(name, base, n) != 0)
		return false;
	return name[n] == 0 || ((name[n] == '.' || name[n] == '-') && isdigit((unsigned char)name[n + 1]));
}

static int log_entry(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	struct log_walk *w = arg;
	char *path = cli_join(w->dir, e->path);
	bool wanted = false;
	int r = 0;

	if (!path) {
		err->code = VTR_ENOMEM;
		snprintf(err->text, sizeof(err->text), "no memory");
		return -1;
	}
	if (e->failed)
		cli_partial_at(&w->v->c, path, e->error);
	else if (e->st.type != VTR_TYPE_FILE)
		;
	else if (!w->names)
		wanted = log_is_journal(e->path, e->path_len);
	else
		for (size_t i = 0; w->names[i] && !wanted; i++)
			wanted = log_is_of(e->path, w->names[i]);
	if (wanted && !log_add(w->v, path, &e->place)) {
		err->code = VTR_ECANCELLED;
		snprintf(err->text, sizeof(err->text), "%s: not all logs are read", w->dir);
		r = -1;
	}
	free(path);
	return r;
}

/* The logs below a directory, which need not be there. */
static bool log_walk(struct log *v, const char *dir, const char *const *names)
{
	struct log_walk w = { .v = v, .dir = dir, .names = names };
	struct vtr_error err = { 0 };
	struct vtr_place p;

	if (vtr_tree_walk(&p, v->tree, dir, 0, &err) < 0) {
		if (err.code != VTR_ENOTFOUND)
			cli_partial(&v->c, &err);
		return true;
	}
	if (vtr_tree_list(v->tree, &p, VTR_LIST_SORT | (names ? 0 : VTR_LIST_RECURSIVE), log_entry, &w, &err) == 0)
		return true;
	cli_error(&v->c, &err);
	return false;
}

static bool log_is_there(const struct log *v, const char *path)
{
	struct vtr_place p;

	return vtr_tree_walk(&p, v->tree, path, 0, NULL) == 0;
}

/*
 * The files of a syslog daemon. Where there is a file of all things, those of some things repeat it, but for what
 * is kept out of it: logins for one.
 */
static bool log_find_classic(struct log *v)
{
	static const char *const debian[] = { "syslog", "auth.log", NULL };
	static const char *const redhat[] = { "messages", "secure", "maillog", "cron", "auth.log", NULL };
	static const char *const parts[] = { "kern.log", "daemon.log", "user.log", "auth.log",
					     "mail.log", "cron.log",   NULL };

	return log_walk(v, "/var/log",
			log_is_there(v, "/var/log/syslog")     ? debian
			: log_is_there(v, "/var/log/messages") ? redhat
							       : parts);
}

static bool log_find(struct log *v)
{
	struct vtr_error err = { 0 };
	struct vtr_place p;

	for (size_t i = 0; i < v->files.n; i++) {
		if (vtr_tree_walk(&p, v->tree, v->files.list[i], 0, &err) < 0) {
			cli_error(&v->c, &err);
			continue;
		}
		if (!log_add(v, v->files.list[i], &p))
			return false;
	}
	if (v->files.n > 0)
		return true;
	if (!v->syslog && (!log_walk(v, "/var/log/journal", NULL) || !log_walk(v, "/run/log/journal", NULL)))
		return false;
	if (v->n_sources == 0 && !log_find_classic(v))
		return false;
	if (v->n_sources == 0 && v->c.status == CLI_OK) {
		err.code = VTR_ENOTFOUND;
		snprintf(err.text, sizeof(err.text),
			 "no log is found: no journal below /var/log/journal, and no classic file in /var/log");
		cli_error(&v->c, &err);
	}
	return v->n_sources > 0;
}

/* ---------------------------------------------------------------------------------------------------------- boots */

static size_t *log_boot_slot(struct log *v, const char *id)
{
	size_t h = 0;

	for (const char *p = id; *p; p++)
		h = h * 31 + (unsigned char)*p;
	for (h %= v->n_boot_slots; v->boot_slots[h]; h = (h + 1) % v->n_boot_slots)
		if (strcmp(v->boots[v->boot_slots[h] - 1].id, id) == 0)
			break;
	return &v->boot_slots[h];
}

/* The boot with this identifier, made when it is new; NULL: there is no memory. */
static struct log_boot *log_boot_of(struct log *v, const char *id)
{
	struct log_boot *all;
	size_t *slot;

	if (2 * (v->n_boots + 1) > v->n_boot_slots) {
		size_t n = v->n_boot_slots ? 2 * v->n_boot_slots : 256, *slots = calloc(n, sizeof(*slots));

		all = slots ? realloc(v->boots, n / 2 * sizeof(*all)) : NULL;
		if (!all) {
			free(slots);
			return NULL;
		}
		free(v->boot_slots);
		v->boots = all;
		v->boot_slots = slots;
		v->n_boot_slots = n;
		for (size_t i = 0; i < v->n_boots; i++)
			*log_boot_slot(v, v->boots[i].id) = i + 1;
	}
	slot = log_boot_slot(v, id);
	if (*slot == 0) {
		v->boots[v->n_boots] =
			(struct log_boot){ .first = UINT64_MAX, .seqnum = UINT64_MAX, .group = SIZE_MAX };
		memcpy(v->boots[v->n_boots].id, id, sizeof(v->boots->id));
		*slot = ++v->n_boots;
	}
	return &v->boots[*slot - 1];
}

/* One file's entries. False: nothing more can be read. */
static bool log_add_boots(struct log *v, struct log_source *s, size_t group)
{
	uint64_t n = vtr_journal_info(s->j)->entries, max = v->c.limits.records;

	for (uint64_t k = 0; k < n; k++) {
		struct vtr_error err = { .code = VTR_ENOMEM, .text = "out of memory" };
		struct vtr_journal_entry e;
		struct log_boot *b;

		if (vtr_journal_stamp(&e, s->j, k, &err) < 0) {
			if (err.code == VTR_ECORRUPT || err.code == VTR_ETRUNCATED) { /* this entry alone is lost */
				cli_partial_at(&v->c, s->path, &err);
				continue;
			}
			log_stop(v, &err);
			return false;
		}
		b = log_boot_of(v, e.boot_id);
		if (b && v->n_boots > max) {
			v->n_boots--;
			err.code = VTR_ELIMIT;
			snprintf(err.text, sizeof(err.text), "boots of the journals: more than limit records=%llu",
				 (unsigned long long)max);
			b = NULL;
		}
		if (!b) {
			log_stop(v, &err);
			return false;
		}
		b->first = e.realtime < b->first ? e.realtime : b->first;
		b->last = e.realtime > b->last ? e.realtime : b->last;
		if (group < b->group || (group == b->group && e.seqnum < b->seqnum)) {
			b->group = group;
			b->seqnum = e.seqnum;
		}
	}
	return true;
}

static int log_compare_boots(const void *a, const void *b)
{
	const struct log_boot *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return x->seqnum < y->seqnum ? -1 : x->seqnum > y->seqnum;
}

/* Journals by the time of their first entry. */
static int log_compare_heads(const void *a, const void *b)
{
	const struct log_source *x = *(struct log_source *const *)a, *y = *(struct log_source *const *)b;
	uint64_t t = vtr_journal_info(x->j)->head_realtime, u = vtr_journal_info(y->j)->head_realtime;

	return t < u ? -1 : t > u;
}

/*
 * The boots, in the order of their first entries. Entries that were numbered together are in the order of their numbers:
 * a machine's clock may be wrong or set back, the numbers only grow. Only groups that were numbered apart are ordered by
 * the clock.
 */
static bool log_find_boots(struct log *v)
{
	struct log_source *all[LOG_MAX_SOURCES];
	size_t n = 0;

	for (size_t i = 0; i < v->n_sources; i++)
		if (v->sources[i].j)
			all[n++] = &v->sources[i];
	if (n > 0)
		qsort(all, n, sizeof(*all), log_compare_heads);
	for (size_t i = 0; i < n; i++) {
		size_t group = 0;

		while (strcmp(vtr_journal_info(all[group]->j)->seqnum_id, vtr_journal_info(all[i]->j)->seqnum_id) != 0)
			group++;
		if (!log_add_boots(v, all[i], group))
			break;
	}
	if (v->n_boots > 0)
		qsort(v->boots, v->n_boots, sizeof(*v->boots), log_compare_boots);
	return !v->stopped;
}

/* -b: an identifier, or a number: 0 the last one, -1 the one before, 1 the first. */
static bool log_choose_boot(struct log *v)
{
	struct vtr_error err = { .code = VTR_ENOTFOUND };
	char *end;
	long n;

	if (strlen(v->boot) == 32 && strspn(v->boot, "0123456789abcdefABCDEF") == 32) {
		for (size_t i = 0; i < 33; i++)
			v->boot_id[i] = (char)tolower((unsigned char)v->boot[i]);
		return true;
	}
	n = strtol(v->boot, &end, 10);
	if (*end) {
		cli_usage(&v->c, "-b %s: an identifier of 32 digits, or a number", v->boot);
		return false;
	}
	if (!log_find_boots(v))
		return false;
	if (n <= 0 ? (unsigned long)-n >= v->n_boots : (unsigned long)n > v->n_boots) {
		snprintf(err.text, sizeof(err.text), "-b %ld: the journals have %zu boot%s", n, v->n_boots,
			 v->n_boots == 1 ? "" : "s");
		cli_error(&v->c, &err);
		return false;
	}
	memcpy(v->boot_id, v->boots[n > 0 ? n - 1 : (long)v->n_boots - 1 + n].id, sizeof(v->boot_id));
	return true;
}

/* --------------------------------------------------------------------------------------------------------- output */

static struct vtr_time log_vtr_time(uint64_t us)
{
	return (struct vtr_time){ .sec = (int64_t)(us / 1000000),
				  .nsec = (uint32_t)(us % 1000000) * 1000,
				  .set = true };
}

/* "2024-05-06 07:08:09", in the local time zone, as journalctl(1) prints it. */
static const char *log_short_time(char buf[48], uint64_t us)
{
	time_t sec = (time_t)(us / 1000000);
	struct tm tm;

	if (!localtime_r(&sec, &tm) || strftime(buf, 48, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(buf, 48, "@%lld", (long long)sec);
	return buf;
}

static void log_set_time(json_t *o, const char *key, uint64_t us)
{
	struct vtr_time t = log_vtr_time(us);
	char buf[48];

	vtr_time_text(buf, sizeof(buf), &t);
	json_object_set_new(o, key, json_string(buf));
}

/* A small number that is text in the log. */
static void log_set_number(json_t *o, const char *key, const char *p, size_t len)
{
	char digits[16];

	if (!p || len == 0 || len > 10)
		return;
	memcpy(digits, p, len);
	digits[len] = 0;
	if (strspn(digits, "0123456789") == len)
		json_object_set_new(o, key, json_integer((json_int_t)strtoull(digits, NULL, 10)));
}

/* What is told of an entry, wherever it comes from. */
struct log_told {
	const char *host, *ident, *pid, *message;
	size_t host_len, ident_len, pid_len, message_len;
};

static void log_tell(struct log_told *out, const struct log_source *s)
{
	struct log_told t = { 0 };

	if (s->s) {
		*out = (struct log_told){ s->l.host,	 s->l.ident,	 s->l.pid,     s->l.message,
					  s->l.host_len, s->l.ident_len, s->l.pid_len, s->l.message_len };
		return;
	}
	t.host = vtr_journal_value(&s->e, "_HOSTNAME", &t.host_len);
	t.ident = vtr_journal_value(&s->e, "SYSLOG_IDENTIFIER", &t.ident_len);
	if (!t.ident)
		t.ident = vtr_journal_value(&s->e, "_COMM", &t.ident_len);
	t.pid = vtr_journal_value(&s->e, "_PID", &t.pid_len);
	if (!t.pid)
		t.pid = vtr_journal_value(&s->e, "SYSLOG_PID", &t.pid_len);
	t.message = vtr_journal_value(&s->e, "MESSAGE", &t.message_len);
	*out = t;
}

/* The fields by their names; one that comes more than once is an array. */
static json_t *log_fields(const struct vtr_journal_entry *e)
{
	json_t *o = json_object(), *once, *old, *v;
	const char *key;

	for (size_t i = 0; i < e->n_fields; i++) {
		const struct vtr_journal_field *f = &e->fields[i];
		char *name = NULL;
		size_t n = vtr_escape(NULL, 0, f->name, f->name_len);

		name = malloc(n + 1);
		if (!name)
			break;
		vtr_escape(name, n + 1, f->name, f->name_len);
		once = json_object();
		cli_json_set_bytes(once, n < 64 ? name : "LONG_NAME", f->value, f->len);
		json_object_foreach(once, key, v)
		{
			old = json_object_get(o, key);
			if (!old)
				json_object_set(o, key, v);
			else if (json_is_array(old))
				json_array_append(old, v);
			else
				json_object_set_new(o, key, json_pack("[O,O]", old, v));
		}
		json_decref(once);
		free(name);
	}
	return o;
}

static json_t *log_json(const struct log_source *s)
{
	json_t *o = json_object();
	struct log_told t;
	const char *p;
	size_t len = 0;

	log_tell(&t, s);
	if (!s->s || s->l.time.set)
		log_set_time(o, "time", s->time);
	cli_json_set(o, "path", s->path);
	if (t.host)
		cli_json_set_bytes(o, "host", t.host, t.host_len);
	if (t.ident)
		cli_json_set_bytes(o, "ident", t.ident, t.ident_len);
	log_set_number(o, "pid", t.pid, t.pid_len);
	if (s->s && s->l.priority >= 0)
		json_object_set_new(o, "priority", json_integer(s->l.priority));
	if (s->s && s->l.facility >= 0)
		json_object_set_new(o, "facility", json_integer(s->l.facility));
	if (s->s && s->l.msgid)
		cli_json_set_bytes(o, "msgid", s->l.msgid, s->l.msgid_len);
	if (s->s && s->l.data)
		cli_json_set_bytes(o, "structured_data", s->l.data, s->l.data_len);
	if (s->j) {
		p = vtr_journal_value(&s->e, "PRIORITY", &len);
		log_set_number(o, "priority", p, len);
		p = vtr_journal_value(&s->e, "_SYSTEMD_UNIT", &len);
		if (p)
			cli_json_set_bytes(o, "unit", p, len);
	}
	if (t.message)
		cli_json_set_bytes(o, "message", t.message, t.message_len);
	if (s->j) {
		json_object_set_new(o, "boot_id", json_string(s->e.boot_id));
		json_object_set_new(o, "monotonic_us", cli_json_u64(s->e.monotonic));
		json_object_set_new(o, "seqnum", cli_json_u64(s->e.seqnum));
		json_object_set_new(o, "fields", log_fields(&s->e));
	}
	return o;
}

/* "2024-05-06 07:08:09 host ident[pid]: message"; its further lines are indented. */
static void log_text(FILE *f, const struct log_source *s)
{
	struct log_told t;
	char buf[48];

	log_tell(&t, s);
	if (s->s && !s->l.time.set) {
		cli_put(f, t.message, t.message_len);
		fputc('\n', f);
		return;
	}
	fprintf(f, "%s ", log_short_time(buf, s->time));
	if (t.host) {
		cli_put(f, t.host, t.host_len);
		fputc(' ', f);
	}
	if (t.ident || s->j)
		cli_put(f, t.ident ? t.ident : "unknown", t.ident ? t.ident_len : 7);
	if (t.pid) {
		fputc('[', f);
		cli_put(f, t.pid, t.pid_len);
		fputc(']', f);
	}
	if (t.ident || s->j)
		fputs(": ", f);
	for (const char *p = t.message, *end = p ? p + t.message_len : p; p && p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = nl ? (size_t)(nl - p) : (size_t)(end - p);

		cli_put(f, p, n);
		p += n + 1;
		if (p < end)
			fputs("\n    ", f);
	}
	if (!t.message)
		fputs("(no message)", f);
	fputc('\n', f);
}

static void log_kept_done(struct log_kept *k)
{
	free(k->text);
	json_decref(k->json);
	*k = (struct log_kept){ 0 };
}

/* Print an entry, or keep it, when only the last ones are wanted. */
static void log_put(struct log *v, const struct log_source *s)
{
	struct log_kept *k = v->has_lines ? &v->kept[v->n_printed % v->lines] : NULL;
	size_t len;
	FILE *f;

	v->n_printed++;
	if (!k && v->c.json) {
		cli_json_line(log_json(s));
	} else if (!k) {
		log_text(stdout, s);
	} else {
		log_kept_done(k);
		if (v->c.json) {
			k->json = log_json(s);
			return;
		}
		f = open_memstream(&k->text, &len);
		if (f) {
			log_text(f, s);
			fclose(f);
		}
	}
}

static void log_put_kept(struct log *v)
{
	uint64_t n = v->n_printed < v->lines ? v->n_printed : v->lines;

	for (uint64_t i = v->n_printed - n; i < v->n_printed; i++) {
		struct log_kept *k = &v->kept[i % v->lines];

		if (k->json) {
			cli_json_line(k->json);
			k->json = NULL;
		} else if (k->text) {
			fputs(k->text, stdout);
		}
		log_kept_done(k);
	}
}

/* -------------------------------------------------------------------------------------------------------- merging */

/*
 * Which of two comes first. Numbers of one daemon count without a gap, the clock of one boot never jumps; wall clocks
 * are the last resort. 0: they are the same entry.
 */
static int log_order(const struct log_source *a, const struct log_source *b)
{
	const struct vtr_journal_entry *x = &a->e, *y = &b->e;

	if (a->j && b->j) {
		bool boot = strcmp(x->boot_id, y->boot_id) == 0;

		if (boot && x->monotonic == y->monotonic && x->realtime == y->realtime && x->xor_hash == y->xor_hash)
			return 0;
		if (strcmp(vtr_journal_info(a->j)->seqnum_id, vtr_journal_info(b->j)->seqnum_id) == 0 &&
		    x->seqnum != y->seqnum)
			return x->seqnum < y->seqnum ? -1 : 1;
		if (boot && x->monotonic != y->monotonic)
			return x->monotonic < y->monotonic ? -1 : 1;
	}
	return a->time < b->time ? -1 : 1;
}

static void log_merge(struct log *v)
{
	for (size_t i = 0; i < v->n_sources; i++) {
		if (v->sources[i].j)
			log_list(v, &v->sources[i]);
		if (v->sources[i].j && v->has_lines)
			log_skip(v, &v->sources[i]);
		log_advance(v, &v->sources[i]);
	}
	while (!ferror(stdout)) {
		struct log_source *first = NULL;

		for (size_t i = 0; i < v->n_sources; i++) {
			struct log_source *s = &v->sources[i];
			int order;

			if (s->ended)
				continue;
			order = first ? log_order(s, first) : -1;
			if (order == 0) { /* the same entry in two files */
				log_advance(v, s);
				i--;
			} else if (order < 0 || (first && s->time == first->time && s->s && first->j)) {
				first = s;
			}
		}
		if (!first)
			break;
		log_put(v, first);
		log_advance(v, first);
	}
	if (v->has_lines)
		log_put_kept(v);
	for (size_t i = 0; i < v->n_sources; i++) {
		struct vtr_error err = { .code = VTR_EUNSUPPORTED };

		if (v->sources[i].unsaid == 0)
			continue;
		snprintf(err.text, sizeof(err.text), "-p: %llu lines do not say their priority: left out",
			 (unsigned long long)v->sources[i].unsaid);
		cli_partial_at(&v->c, v->sources[i].path, &err);
	}
}

static void log_print_boots(struct log *v)
{
	char a[48], b[48];

	(void)log_find_boots(v); /* what was found until it stopped is printed */
	for (size_t i = 0; i < v->n_boots; i++) {
		const struct log_boot *t = &v->boots[i];
		long n = (long)i - (long)v->n_boots + 1;

		if (v->c.json) {
			json_t *o = json_object();

			json_object_set_new(o, "boot", json_integer(n));
			json_object_set_new(o, "boot_id", json_string(t->id));
			log_set_time(o, "first", t->first);
			log_set_time(o, "last", t->last);
			cli_json_line(o);
		} else {
			printf("%4ld %s %s to %s\n", n, t->id, log_short_time(a, t->first), log_short_time(b, t->last));
		}
	}
}

/* Classic lines do not say what some options ask for. */
static bool log_can_answer(struct log *v)
{
	const char *option = v->units.n ? "-u" : v->boot ? "-b" : v->list_boots ? "--list-boots" : NULL;

	for (size_t i = 0; option && i < v->n_sources; i++) {
		struct vtr_error err = { .code = VTR_EUSAGE };

		if (v->sources[i].j)
			continue;
		snprintf(err.text, sizeof(err.text), "%s: classic log files do not say that", option);
		cli_partial_at(&v->c, v->sources[i].path, &err);
		v->c.status = CLI_FAILED;
		return false;
	}
	return true;
}

static void log_work(struct log *v)
{
	v->tree = cli_tree(&v->c);
	if (!v->tree || !log_find(v) || !log_can_answer(v))
		return;
	if (v->list_boots) {
		log_print_boots(v);
		return;
	}
	if (v->boot && !log_choose_boot(v))
		return;
	if (v->has_lines && v->lines == 0)
		return;
	if (v->has_lines) {
		v->kept = calloc((size_t)v->lines, sizeof(*v->kept));
		if (!v->kept) {
			v->c.status = CLI_FAILED;
			return;
		}
	}
	log_merge(v);
}

static int log_run(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "lines", required_argument, NULL, 'n' },
		{ "unit", required_argument, NULL, 'u' },
		{ "identifier", required_argument, NULL, 't' },
		{ "priority", required_argument, NULL, 'p' },
		{ "boot", required_argument, NULL, 'b' },
		{ "dmesg", no_argument, NULL, 'k' },
		{ "output", required_argument, NULL, 'o' },
		{ "since", required_argument, NULL, OPT_SINCE },
		{ "until", required_argument, NULL, OPT_UNTIL },
		{ "file", required_argument, NULL, OPT_FILE },
		{ "syslog", no_argument, NULL, OPT_SYSLOG },
		{ "list-boots", no_argument, NULL, OPT_BOOTS },
		{ 0 },
	};
	struct log *v = calloc(1, sizeof(*v));
	int status;

	if (!v)
		return CLI_FAILED;
	v->until = UINT64_MAX;
	v->least = 7;
	if (cli_begin(&v->c, &cli_verb_log, &argc, &argv, "n:u:t:p:b:ko:", longs, log_option, v)) {
		if (argc > 0)
			cli_usage(&v->c, "no path: --file names one");
		else
			log_work(v);
		cli_flush(&v->c);
	}
	for (size_t i = 0; i < v->n_sources; i++) {
		vtr_journal_close(v->sources[i].j);
		vtr_syslog_close(v->sources[i].s);
		free(v->sources[i].list);
		free(v->sources[i].path);
	}
	free(v->sources);
	free(v->boots);
	free(v->boot_slots);
	free(v->kept);
	status = cli_end(&v->c);
	free(v);
	return status;
}

const struct cli_verb cli_verb_log = {
	.name = "log",
	.summary = "Print what a system has logged: its journals, or classic log files",
	.usage = "[options] IMAGE",
	.options =
		"  -n, --lines N        the last N entries\n"
		"      --since TIME     from this time on: 2024-05-06, \"2024-05-06 07:08:09\" or @SECONDS\n"
		"      --until TIME     up to this time\n"
		"  -u, --unit UNIT      of this unit of systemd\n"
		"  -t, --identifier ID  of this program\n"
		"  -p, --priority P     this bad or worse: emerg, alert, crit, err, warning, notice, info, debug; or A..B\n"
		"  -b, --boot BOOT      of this boot: its identifier, 0 the last, -1 the one before, 1 the first\n"
		"      --list-boots     the boots that the journals have\n"
		"  -k, --dmesg          of the kernel\n"
		"      --file PATH      this log of the guest\n"
		"      --syslog         classic log files, though there are journals\n"
		"  -o, --output FORM    short, or json: as --json\n",
	.without = CLI_NO_EXCLUDE,
	.run = log_run,
};
