/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Options that every verb has, messages, and opening what they name. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum {
	OPT_FORMAT = CLI_LONG - 16,
	OPT_SNAPSHOT,
	OPT_MEMBER,
	OPT_FOLLOW,
	OPT_ALLOW_DIR,
	OPT_ANY_PARENT,
	OPT_TABLE,
	OPT_FS,
	OPT_SECTOR,
	OPT_LIMIT,
	OPT_TIMEOUT,
	OPT_NO_REPLAY,
	OPT_JSON,
	OPT_ROOT,
	OPT_EXCLUDE,
	OPT_EXCLUDE_FROM,
};

static const struct option common_longs[] = {
	{ "add", required_argument, NULL, 'a' },
	{ "device", required_argument, NULL, 'd' },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "snapshot", required_argument, NULL, OPT_SNAPSHOT },
	{ "member", required_argument, NULL, OPT_MEMBER },
	{ "follow", no_argument, NULL, OPT_FOLLOW },
	{ "allow-dir", required_argument, NULL, OPT_ALLOW_DIR },
	{ "any-parent", no_argument, NULL, OPT_ANY_PARENT },
	{ "table", required_argument, NULL, OPT_TABLE },
	{ "fs", required_argument, NULL, OPT_FS },
	{ "sector-size", required_argument, NULL, OPT_SECTOR },
	{ "limit", required_argument, NULL, OPT_LIMIT },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "no-replay", no_argument, NULL, OPT_NO_REPLAY },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "exclude", required_argument, NULL, OPT_EXCLUDE },
	{ "exclude-from", required_argument, NULL, OPT_EXCLUDE_FROM },
	{ "help", no_argument, NULL, 'h' },
};
#define COMMON_LONGS (sizeof(common_longs) / sizeof(common_longs[0]))
#define COMMON_MAX_LONGS 16

static const struct {
	const char *line;
	unsigned without;
} common_help[] = {
	{ "      --exclude PATTERN  leave out what fits, and what is below it: tar's '*.log', 'var/cache'\n"
	  "      --exclude-from FILE  and what fits the patterns in FILE, one a line\n",
	  CLI_NO_EXCLUDE },
	{ "  -a, --add IMAGE      one of several disks; then the first argument is no image\n", 0 },
	{ "  -d, --device DEV     this device (/dev/sda1): the system whose root it is, else what is on it\n",
	  CLI_NO_DEVICE },
	{ "      --root WHAT      of several systems this one: by its root device, number or name\n", CLI_NO_ROOT },
	{ "      --json           facts for programs\n", CLI_NO_JSON },
	{ "      --format NAME    the images are of this format: guess nothing\n", 0 },
	{ "      --snapshot NAME  the disk as it was in this internal snapshot\n", 0 },
	{ "      --member NAME    of an archive with several disks (OVA), this one\n", 0 },
	{ "      --follow         open files that the image names, beneath its directory\n", 0 },
	{ "      --allow-dir DIR  and beneath DIR\n", 0 },
	{ "      --any-parent     read a parent that was changed, or is not the one that it was\n", CLI_NO_ANY_PARENT },
	{ "      --no-replay      read journals and logs as they lie\n", 0 },
	{ "      --table NAME     the partition table to read: mbr, gpt or none; DEV=NAME for one disk\n",
	  CLI_NO_SECTOR },
	{ "      --fs TYPE        the filesystem to read where there are signs of two; DEV=TYPE for one device\n",
	  CLI_NO_FS },
	{ "      --sector-size N  512 or 4096\n", CLI_NO_SECTOR },
	{ "      --limit NAME=N   set a limit, as its error message names it\n", 0 },
	{ "      --timeout S      give up after so many seconds\n", 0 },
	{ "  -h, --help           this\n", 0 },
};

static void common_print_help(const struct cli_verb *v)
{
	printf("usage: vitrine %s %s\n\n%s.\n\n%s", v->name, v->usage, v->summary, v->options);
	for (size_t i = 0; i < sizeof(common_help) / sizeof(common_help[0]); i++)
		if (!(common_help[i].without & v->without))
			fputs(common_help[i].line, stdout);
}

/* The signal that ended the work, and the context that it cancels; verbs then clean up what they have half done. */
static volatile sig_atomic_t common_signal;
static struct vtr_ctx *volatile common_running;

/* That standard output could not be written. */
static bool common_output_told;

bool cli_interrupted(void)
{
	return common_signal != 0;
}

/* Whoever closed the pipe has what he wants: there is nothing to tell. */
static bool common_is_quiet(void)
{
	return common_signal == SIGPIPE;
}

void cli_error(struct cli *c, const struct vtr_error *err)
{
	fflush(stdout);
	if (!common_is_quiet())
		fprintf(stderr, "vitrine: %s\n", err->text);
	c->status = CLI_FAILED;
}

void cli_partial(struct cli *c, const struct vtr_error *err)
{
	if (c->status == CLI_OK)
		c->status = CLI_PARTIAL;
	if (common_is_quiet() || !vtr_ctx_message(c->ctx, err))
		return;
	fflush(stdout);
	fprintf(stderr, "vitrine: %s\n", err->text);
}

/* One message of many that name a guest's path each. */
static void common_say_at(struct cli *c, const char *before, const char *path, const struct vtr_error *err)
{
	char at[512];

	if (common_is_quiet() || !vtr_ctx_message(c->ctx, err))
		return;
	vtr_escape(at, sizeof(at), path, strlen(path));
	fflush(stdout);
	fprintf(stderr, "vitrine: %s%s: %s\n", before, at, err->text);
}

/* An error with a name before it, which is escaped; what is too long is cut. */
static void common_at(struct vtr_error *out, const char *name, const struct vtr_error *err)
{
	const size_t half = sizeof(out->text) / 2;
	size_t n;

	out->code = err->code;
	vtr_escape(out->text, half, name, strlen(name));
	n = strlen(out->text);
	snprintf(out->text + n, sizeof(out->text) - n, ": %.*s", (int)vtr_escape_cut(err->text, half - 10), err->text);
}

void cli_partial_at(struct cli *c, const char *path, const struct vtr_error *err)
{
	if (c->status == CLI_OK)
		c->status = CLI_PARTIAL;
	common_say_at(c, "", path, err);
}

void cli_warn_at(struct cli *c, const char *path, const struct vtr_error *err)
{
	common_say_at(c, "warning: ", path, err);
}

bool cli_file_fits(struct cli *c, const char *path, uint64_t bytes)
{
	struct vtr_error err = { .code = VTR_ELIMIT };

	if (bytes <= c->limits.file)
		return true;
	snprintf(err.text, sizeof(err.text), "bytes of a file: %" PRIu64 " needed, limit file=%" PRIu64, bytes,
		 c->limits.file);
	cli_partial_at(c, path, &err);
	return false;
}

static void common_say_usage(struct cli *c)
{
	fprintf(stderr, "usage: vitrine %s %s\n", c->verb->name, c->verb->usage);
	c->status = CLI_USAGE;
}

void cli_usage(struct cli *c, const char *fmt, ...)
{
	char text[1000], safe[2000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	vtr_escape(safe, sizeof(safe), text, strlen(text));
	fprintf(stderr, "vitrine: %s\n", safe);
	common_say_usage(c);
}

static void common_warning(void *arg, const struct vtr_error *w)
{
	struct cli *c = arg;

	if (c->hush && w->code == VTR_OK) {
		c->hushed = true;
		return;
	}
	if (common_is_quiet())
		return;
	fflush(stdout);
	fprintf(stderr, "vitrine: warning: %s\n", w->text);
}

/* What was counted of messages that are alike. */
static void common_left_out(void *arg, const struct vtr_error *w)
{
	const struct cli *c = arg;

	if (!common_is_quiet() && (!c->hushed || w->code != VTR_OK))
		fprintf(stderr, "vitrine: %s\n", w->text);
}

bool cli_number(uint64_t *out, const char *text)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == 0;
}

/* A number with one of these units after it, each of which is worth so much. */
struct common_unit {
	const char *name;
	uint64_t worth;
};

static bool common_units(uint64_t *out, const char *text, const struct common_unit *units, size_t n, uint64_t plain)
{
	uint64_t v, worth = plain;
	char *end;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || text[0] < '0' || text[0] > '9')
		return false;
	for (size_t i = 0; *end && i <= n; i++) {
		if (i == n)
			return false;
		if (strcasecmp(end, units[i].name) == 0) {
			worth = units[i].worth;
			break;
		}
	}
	return !__builtin_mul_overflow(v, worth, out);
}

bool cli_size_value(uint64_t *out, const char *text)
{
	static const struct common_unit units[] = {
		{ "k", 1ull << 10 },
		{ "m", 1ull << 20 },
		{ "g", 1ull << 30 },
		{ "t", 1ull << 40 },
		{ "p", 1ull << 50 },
		{ "e", 1ull << 60 },
		{ "kib", 1ull << 10 },
		{ "mib", 1ull << 20 },
		{ "gib", 1ull << 30 },
		{ "tib", 1ull << 40 },
		{ "pib", 1ull << 50 },
		{ "eib", 1ull << 60 },
		{ "b", 1 },
		{ "kb", 1000 },
		{ "mb", 1000000 },
		{ "gb", 1000000000 },
		{ "tb", 1000000000000 },
	};

	return common_units(out, text, units, sizeof(units) / sizeof(units[0]), 1);
}

bool cli_time_value(uint64_t *ms, const char *text)
{
	static const struct common_unit units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 },
	};

	return common_units(ms, text, units, sizeof(units) / sizeof(units[0]), 1000);
}

static bool common_append(const char ***list, size_t *n, const char *value)
{
	const char **p = realloc(*list, (*n + 1) * sizeof(*p));

	if (!p)
		return false;
	p[(*n)++] = value;
	*list = p;
	return true;
}

static bool common_format(struct cli *c, const char *value)
{
	char known[256] = "";
	const char *name;
	size_t at = 0;

	for (size_t i = 0; (name = vtr_format_name(i, NULL)); i++) {
		if (strcmp(name, value) == 0) {
			c->image.format = value;
			return true;
		}
		if (at < sizeof(known))
			at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s", i ? ", " : "", name);
	}
	cli_usage(c, "--format %s: read are %s", value, known);
	return false;
}

/* "NAME", or "DEV=NAME": what comes behind the last '='. */
static const char *common_chosen(const char *value)
{
	const char *eq = strrchr(value, '=');

	return eq ? eq + 1 : value;
}

static bool common_table(struct cli *c, const char *value)
{
	char known[64] = "none";
	const char *name;

	for (size_t i = 0; (name = vtr_partitions_name(i, NULL)); i++) {
		size_t at = strlen(known);

		if (strcmp(name, common_chosen(value)) == 0)
			return common_append(&c->tables, &c->n_tables, value);
		snprintf(known + at, sizeof(known) - at, ", %s", name);
	}
	if (strcmp(common_chosen(value), "none") == 0)
		return common_append(&c->tables, &c->n_tables, value);
	cli_usage(c, "--table %s: read are %s", value, known);
	return false;
}

/* Hand the choices of --table and --fs to the guest. A type alone is meant for --device, where that is given. */
static bool common_choose(struct cli *c, struct vtr_error *err)
{
	char device[64];

	for (size_t i = 0; i < c->n_tables + c->n_types; i++) {
		bool table = i < c->n_tables;
		const char *value = table ? c->tables[i] : c->types[i - c->n_tables], *name = common_chosen(value);
		const char *dev = name == value ? NULL : device;

		snprintf(device, sizeof(device), "%.*s", (int)(name > value ? name - value - 1 : 0), value);
		if (table ? vtr_guest_choose_table(c->guest, dev, name, err) < 0
			  : vtr_guest_choose_fs(c->guest, dev ? dev : c->device, name, err) < 0)
			return false;
	}
	return true;
}

static bool common_fs(struct cli *c, const char *value)
{
	char known[400] = "";
	struct vtr_ctx *ctx = NULL;
	struct vtr_guest *g;
	const char *name;
	size_t at = 0;
	bool good;

	/* The library knows what may stand for a type. */
	g = (ctx = vtr_ctx_new(NULL, NULL)) ? vtr_guest_new(ctx, NULL) : NULL;
	good = g && vtr_guest_choose_fs(g, NULL, common_chosen(value), NULL) == 0;
	vtr_guest_free(g);
	vtr_ctx_unref(ctx);
	if (good)
		return common_append(&c->types, &c->n_types, value);
	for (size_t i = 0; (name = vtr_fs_type_name(i, NULL, NULL)); i++)
		if (at < sizeof(known))
			at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s", i ? ", " : "", name);
	cli_usage(c, "--fs %s: known are %s", value, known);
	return false;
}

static bool common_exclude(struct cli *c, const char *pattern)
{
	if (!c->exclude)
		c->exclude = vtr_exclude_new(NULL);
	return c->exclude && vtr_exclude_add(c->exclude, pattern, NULL) == 0;
}

/* Patterns, one a line, as GNU tar reads them: without spaces at their ends, and without empty lines. */
static bool common_exclude_lines(struct cli *c, FILE *f)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	bool good = true;

	while (good && (len = getline(&line, &cap, f)) >= 0) {
		while (len > 0 && strchr(" \t\n\v\f\r", line[len - 1]))
			line[--len] = 0;
		if (len > 0)
			good = common_exclude(c, line);
	}
	free(line);
	return good;
}

static bool common_exclude_from(struct cli *c, const char *name)
{
	bool standard = strcmp(name, "-") == 0, good;
	int fd = standard ? dup(STDIN_FILENO) : open(name, O_RDONLY | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

	if (!f) {
		cli_usage(c, "--exclude-from %s: %s", name, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	errno = 0;
	good = common_exclude_lines(c, f);
	if (good && ferror(f)) {
		cli_usage(c, "--exclude-from %s: %s", name, strerror(errno));
		good = false;
	}
	fclose(f);
	return good;
}

/* One common option; false: usage was told. */
static bool common_option(struct cli *c, int opt, const char *value)
{
	static const struct {
		int opt;
		unsigned without;
		const char *name;
	} refused[] = { { OPT_ROOT, CLI_NO_ROOT, "--root" },
			{ 'd', CLI_NO_DEVICE, "--device" },
			{ OPT_ANY_PARENT, CLI_NO_ANY_PARENT, "--any-parent" },
			{ OPT_JSON, CLI_NO_JSON, "--json" },
			{ OPT_EXCLUDE, CLI_NO_EXCLUDE, "--exclude" },
			{ OPT_EXCLUDE_FROM, CLI_NO_EXCLUDE, "--exclude-from" },
			{ OPT_TABLE, CLI_NO_SECTOR, "--table" },
			{ OPT_FS, CLI_NO_FS, "--fs" },
			{ OPT_SECTOR, CLI_NO_SECTOR, "--sector-size" } };
	struct vtr_error err = { 0 };
	uint64_t number;
	char name[64];
	const char *eq;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (refused[i].opt == opt && (refused[i].without & c->verb->without)) {
			cli_usage(c, "%s has no effect here", refused[i].name);
			return false;
		}
	}

	switch (opt) {
	case 'a':
		return common_append(&c->images, &c->n_images, value);
	case 'd':
		c->device = value;
		return true;
	case OPT_ROOT:
		c->root = value;
		return true;
	case OPT_FORMAT:
		return common_format(c, value);
	case OPT_SNAPSHOT:
		c->image.snapshot = value;
		return true;
	case OPT_MEMBER:
		c->image.member = value;
		return true;
	case OPT_FOLLOW:
		c->follow = true;
		return true;
	case OPT_ALLOW_DIR:
		return common_append(&c->allow_dirs, &c->n_allow_dirs, value);
	case OPT_ANY_PARENT:
		c->image.any_parent = true;
		return true;
	case OPT_NO_REPLAY:
		c->no_replay = true;
		return true;
	case OPT_JSON:
		c->json = true;
		return true;
	case OPT_EXCLUDE:
		return common_exclude(c, value);
	case OPT_EXCLUDE_FROM:
		return common_exclude_from(c, value);
	case OPT_TABLE:
		return common_table(c, value);
	case OPT_FS:
		return common_fs(c, value);
	case OPT_SECTOR:
		if (!cli_size_value(&number, value) || (number != 512 && number != 4096)) {
			cli_usage(c, "--sector-size %s: 512 or 4096", value);
			return false;
		}
		c->sector = (unsigned)number;
		return true;
	case OPT_TIMEOUT:
		if (!cli_time_value(&c->timeout_ms, value)) {
			cli_usage(c, "--timeout %s: a number of seconds, or with a unit: 500ms, 10s, 5m, 2h", value);
			return false;
		}
		return true;
	case OPT_LIMIT:
		eq = strchr(value, '=');
		if (!eq || (size_t)(eq - value) >= sizeof(name) || !cli_size_value(&number, eq + 1)) {
			cli_usage(c, "--limit %s: NAME=N; K, M, G, T may follow the number", value);
			return false;
		}
		memcpy(name, value, (size_t)(eq - value));
		name[eq - value] = 0;
		if (vtr_limits_set(&c->limits, name, number, &err) < 0) {
			cli_usage(c, "--limit: %s", err.text);
			return false;
		}
		return true;
	default:
		return false;
	}
}

/*
 * The first signal asks for an orderly end. One that comes more than a second later, when that has not come, ends the
 * program; some who interrupt, timeout(1) for one, do it twice at once.
 */
static void common_interrupt(int signo)
{
	static struct timespec first;
	struct vtr_ctx *ctx = common_running;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!common_signal && ctx) {
		common_signal = signo;
		first = now;
		vtr_ctx_cancel(ctx);
	} else if (!ctx || (signo != SIGPIPE && now.tv_sec - first.tv_sec > 1)) {
		signal(signo, SIG_DFL);
		raise(signo);
	}
}

void cli_catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
	struct sigaction sa = { .sa_handler = common_interrupt }, old;

	sigemptyset(&sa.sa_mask);
	/* What the caller has us ignore, as nohup(1) does, stays ignored. */
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &sa, NULL);
}

int cli_finish(int status)
{
	bool failed = ferror(stdout) != 0;

	/* Some filesystems say only when a file is closed that there was no room. */
	errno = 0;
	if (fclose(stdout) != 0)
		failed = true;
	if (failed && !common_output_told && !common_is_quiet())
		fprintf(stderr, "vitrine: standard output: %s\n", errno ? strerror(errno) : "write error");
	if (failed)
		status = CLI_FAILED;
	if (common_signal) {
		signal(common_signal, SIG_DFL);
		raise(common_signal);
	}
	return status;
}

static bool common_make_ctx(struct cli *c)
{
	struct vtr_error err = { 0 };

	c->ctx = vtr_ctx_new(&c->limits, &err);
	if (!c->ctx) {
		cli_error(c, &err);
		return false;
	}
	vtr_ctx_on_warning(c->ctx, common_warning, c);
	vtr_ctx_follow(c->ctx, c->follow);
	vtr_ctx_no_replay(c->ctx, c->no_replay);
	vtr_ctx_deadline(c->ctx, c->timeout_ms);
	for (size_t i = 0; i < c->n_allow_dirs; i++) {
		if (vtr_ctx_allow_dir(c->ctx, c->allow_dirs[i], &err) < 0) {
			vtr_ctx_unref(c->ctx);
			c->ctx = NULL;
			cli_error(c, &err);
			return false;
		}
	}
	common_running = c->ctx;
	return true;
}

/* How many letters must be put in, left out, exchanged or swapped to make one word of the other; at most max + 1. */
static unsigned common_distance(const char *a, const char *b, unsigned max)
{
	unsigned rows[3][40] = { 0 }, *two = rows[0], *one = rows[1], *now = rows[2];
	size_t n = strlen(a), m = strlen(b);

	if (n >= 40 || m >= 40)
		return max + 1;
	for (size_t j = 0; j <= m; j++)
		one[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *free_row = two;

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned best = one[j - 1] + (a[i - 1] != b[j - 1]);

			best = one[j] + 1 < best ? one[j] + 1 : best;
			best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && two[j - 2] + 1 < best)
				best = two[j - 2] + 1;
			now[j] = best;
		}
		two = one;
		one = now;
		now = free_row;
	}
	return one[m];
}

bool cli_is_nearer(unsigned *best, const char *word, const char *known)
{
	unsigned max = strlen(word) < 4 ? 1 : 2, d = common_distance(word, known, max);

	/* Half a word, or another word: no guess. */
	if (d > max || d >= strlen(known) || d >= *best)
		return false;
	*best = d;
	return true;
}

/* What getopt_long() does not know, or takes for several. */
static void common_unknown(struct cli *c, const struct option *all, const char *typed)
{
	const char *near = NULL, *what = "unknown option";
	size_t n = strcspn(typed, "="), matches = 0;
	char name[64], list[200] = "";
	unsigned best = UINT32_MAX;

	snprintf(name, sizeof(name), "%.*s", n < sizeof(name) ? (int)n : 0, typed);
	for (; strncmp(typed, "--", 2) == 0 && all->name; all++) {
		if (cli_is_nearer(&best, name + 2, all->name))
			near = all->name;
		if (strcmp(name + 2, all->name) == 0)
			what = "no value belongs to";
		if (name[2] && strncmp(name + 2, all->name, strlen(name + 2)) == 0 && strlen(list) < 150)
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s --%s", matches++ ? "," : "",
				 all->name);
	}
	if (matches > 1)
		cli_usage(c, "%s: which of%s?", typed, list);
	else if (near && strcmp(what, "unknown option") == 0)
		cli_usage(c, "unknown option %s; did you mean --%s?", typed, near);
	else
		cli_usage(c, "%s %s", what, typed);
}

/* The line of help that has this option: what it takes. NULL: none. */
static const char *common_help_line(const char *help, const char *option, int *len)
{
	size_t n = strlen(option);

	for (const char *line = help; *line; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] != 0)) {
		const char *at = line;
		size_t end = strcspn(line, "\n");

		/* Its names are at the start: "  -n, --lines N  …". */
		while ((at = memchr(at, '-', (size_t)(line + end - at))) && at - line < 8) {
			size_t word = strcspn(at, " ,\n");

			if (word == n && strncmp(at, option, n) == 0) {
				*len = (int)end;
				return line;
			}
			at += word;
		}
	}
	return NULL;
}

/* A value that an option does not take: the option as it was typed, and what it takes, as help has it. */
static void common_bad_value(struct cli *c, const struct option *all, int index, int opt, const char *value)
{
	char name[64];
	const char *line;
	int len = 0;

	if (index >= 0)
		snprintf(name, sizeof(name), "--%s", all[index].name);
	else
		snprintf(name, sizeof(name), "-%c", opt);
	line = common_help_line(c->verb->options, name, &len);
	fprintf(stderr, "vitrine: %s ", name);
	cli_puts(stderr, value ? value : "");
	fputs(": a value that it does not take\n", stderr);
	if (line)
		fprintf(stderr, "%.*s\n", len, line);
	common_say_usage(c);
}

bool cli_take_human(int *argc, char **argv, const char *letters)
{
	bool human = false;

	for (int i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
		char *p = argv[i];
		size_t n = 0;

		if (p[0] != '-' || p[1] == 0 || p[1 + strspn(p + 1, letters)] || !strchr(p, 'h') ||
		    (p[2] == 0 && *argc == 2))
			continue;
		human = true;
		for (size_t k = 0; p[k]; k++)
			if (p[k] != 'h')
				p[n++] = p[k];
		p[n] = 0;
		if (n > 1)
			continue;
		memmove(argv + i, argv + i + 1, (size_t)(*argc - i) * sizeof(*argv)); /* with the NULL */
		(*argc)--;
		i--;
	}
	return human;
}

bool cli_begin(struct cli *c, const struct cli_verb *verb, int *argc, char ***argv, const char *own,
	       const struct option *longs, cli_on_option *on_option, void *arg)
{
	struct option all[COMMON_LONGS + COMMON_MAX_LONGS + 1] = { 0 };
	char shorts[64];
	size_t n = 0;
	int opt, index;

	*c = (struct cli){ .verb = verb };
	vtr_limits_default(&c->limits);
	snprintf(shorts, sizeof(shorts), "%s:a:d:h%s", verb->without & CLI_OPTIONS_FIRST ? "+" : "", own);
	for (; longs && longs[n].name && n < COMMON_MAX_LONGS; n++)
		all[n] = longs[n];
	memcpy(all + n, common_longs, sizeof(common_longs));
	optind = 1;
	opterr = 0;
	while (index = -1, (opt = getopt_long(*argc, *argv, shorts, all, &index)) != -1) {
		if (opt == 'h') {
			common_print_help(verb);
			return false;
		}
		if (opt == '?' || opt == ':') {
			const char *typed = (*argv)[optind - 1];
			char letter[3] = { '-', (char)optopt, 0 };
			bool is_short = optopt > 0 && optopt < 128 && strncmp(typed, "--", 2) != 0;

			if (opt == ':')
				cli_usage(c, "%s needs a value", is_short ? letter : typed);
			else
				common_unknown(c, all, is_short ? letter : typed);
			return false;
		}
		if (opt != 'a' && opt != 'd' && (opt < OPT_FORMAT || opt >= CLI_LONG)) {
			if (!on_option || !on_option(arg, opt, optarg)) {
				common_bad_value(c, all, index, opt, optarg);
				return false;
			}
		} else if (!common_option(c, opt, optarg)) {
			if (c->status == CLI_OK) /* no memory */
				c->status = CLI_FAILED;
			return false;
		}
	}
	if (c->device && c->root) {
		cli_usage(c, "--device and --root: one of them");
		return false;
	}
	*argc -= optind;
	*argv += optind;
	c->images_named = c->n_images > 0;
	if (!c->images_named) {
		if (*argc == 0) {
			cli_usage(c, "which image?");
			return false;
		}
		if (!common_append(&c->images, &c->n_images, (*argv)[0]))
			return false;
		(*argc)--;
		(*argv)++;
	}
	return common_make_ctx(c);
}

int cli_end(struct cli *c)
{
	if (c->ctx) {
		fflush(stdout);
		vtr_ctx_left_out(c->ctx, common_left_out, c);
	}
	if (c->ctx && c->status == CLI_OK && vtr_ctx_damage(c->ctx) > 0)
		c->status = CLI_PARTIAL;
	common_running = NULL;
	for (size_t i = 0; i < c->n_paths; i++)
		free(c->paths[i]);
	free(c->paths);
	vtr_tree_free(c->own_tree);
	vtr_guest_free(c->guest);
	vtr_ctx_unref(c->ctx);
	free(c->images);
	free(c->allow_dirs);
	free(c->tables);
	free(c->types);
	vtr_exclude_free(c->exclude);
	return c->status;
}

bool cli_begin_excluded(struct cli *c, struct vtr_tree *t, const char *path)
{
	struct vtr_error err = { 0 };
	int r = c->exclude ? vtr_exclude_begin(c->exclude, t, path, &err) : 0;

	if (r < 0)
		cli_error(c, &err);
	return r != 0;
}

const char *cli_table(const struct cli *c, size_t image)
{
	char device[2][16] = { "", "" };
	const char *found = NULL;

	if (image < 26) {
		snprintf(device[0], sizeof(device[0]), "sd%c=", (char)('a' + image));
		snprintf(device[1], sizeof(device[1]), "/dev/sd%c=", (char)('a' + image));
	}
	for (size_t i = 0; i < c->n_tables; i++) {
		const char *name = common_chosen(c->tables[i]);
		size_t n = (size_t)(name - c->tables[i]);

		if (n == 0 || (image < 26 && ((n == 4 && strncmp(c->tables[i], device[0], n) == 0) ||
					      (n == 9 && strncmp(c->tables[i], device[1], n) == 0))))
			found = name;
	}
	return found;
}

bool cli_open_guest(struct cli *c)
{
	struct vtr_error err = { 0 };

	c->guest = vtr_guest_new(c->ctx, &err);
	if (!c->guest) {
		cli_error(c, &err);
		return false;
	}
	vtr_guest_sector(c->guest, c->sector);
	if (!common_choose(c, &err)) {
		cli_error(c, &err);
		return false;
	}
	for (size_t i = 0; i < c->n_images; i++) {
		if (vtr_guest_add(c->guest, c->images[i], &c->image, &err) < 0) {
			cli_error(c, &err);
			return false;
		}
	}
	if (vtr_guest_scan(c->guest, &err) < 0) {
		struct vtr_error at = err;

		if (c->n_images == 1) /* say whose /dev/sda it is */
			common_at(&at, c->images[0], &err);
		cli_error(c, &at);
		return false;
	}
	return true;
}

static struct vtr_tree *common_fs_tree(struct cli *c, size_t device)
{
	struct vtr_error err = { 0 };
	struct vtr_fs *fs = vtr_guest_fs(c->guest, device, &err);

	c->own_tree = fs ? vtr_tree_new(fs, &err) : NULL;
	if (!c->own_tree)
		cli_error(c, &err);
	return c->own_tree;
}

/* Something that a filesystem may lie in or is, and that is no filesystem that can be read. */
static bool common_is_unread(struct cli *c, size_t i)
{
	const struct vtr_device *d = vtr_guest_device(c->guest, i);

	if (!d->content || (d->used && d->usage == VTR_USAGE_MEMBER) || (d->table && !d->has_fs))
		return false;
	if (!d->has_fs)
		return d->usage != VTR_USAGE_SWAP && d->usage != VTR_USAGE_JOURNAL;
	return !vtr_guest_fs(c->guest, i, NULL);
}

void cli_say_unread(struct cli *c, struct vtr_error *err, const char *before)
{
	size_t at = strlen(err->text);

	for (size_t i = 0, n = 0; i < vtr_guest_devices(c->guest) && at < 800; i++)
		if (common_is_unread(c, i))
			at += (size_t)snprintf(err->text + at, sizeof(err->text) - at, "%s%s has %s (not read)",
					       n++ ? ", " : before, vtr_guest_device(c->guest, i)->name,
					       vtr_guest_device(c->guest, i)->content);
}

/* No system: the only filesystem that can be read, else which ones there are. */
static struct vtr_tree *common_only_fs(struct cli *c)
{
	struct vtr_error err = { .code = VTR_EAMBIGUOUS };
	size_t found = 0, n = 0, unread = 0, last = 0, at;

	for (size_t i = 0; i < vtr_guest_devices(c->guest); i++) {
		if (vtr_guest_device(c->guest, i)->has_fs && vtr_guest_fs(c->guest, i, NULL))
			found = i, n++;
		else if (common_is_unread(c, i))
			last = i, unread++;
	}
	if (n + unread == 1) /* one that is not read says more of itself */
		return common_fs_tree(c, n ? found : last);
	if (n == 0) {
		err.code = unread ? VTR_EUNSUPPORTED : VTR_ENOTFOUND;
		snprintf(err.text, sizeof(err.text), unread ? "no filesystem can be read" : "no filesystem is found");
		cli_say_unread(c, &err, ": ");
		cli_error(c, &err);
		return NULL;
	}
	at = (size_t)snprintf(err.text, sizeof(err.text),
			      "no operating system, and several filesystems or volumes: choose with --device:");
	for (size_t i = 0; i < vtr_guest_devices(c->guest) && at < 600; i++)
		if (vtr_guest_device(c->guest, i)->has_fs && vtr_guest_fs(c->guest, i, NULL))
			at += (size_t)snprintf(err.text + at, sizeof(err.text) - at, " %s",
					       vtr_guest_device(c->guest, i)->name);
	cli_say_unread(c, &err, "; ");
	cli_error(c, &err);
	return NULL;
}

/* What cli_tree() says when there are several systems to choose from. */
static void common_say_systems(struct cli *c, struct vtr_error *err)
{
	struct vtr_error e = { .code = err->code };

	if (err->code == VTR_EAMBIGUOUS) {
		const char *names = strchr(err->text, ':');

		snprintf(e.text, sizeof(e.text), "several operating systems: choose with --root:%.900s",
			 names ? names + 1 : "");
		cli_error(c, &e);
	} else {
		cli_error(c, err);
	}
}

struct vtr_blk *cli_disk(struct vtr_blk **image, struct cli *c)
{
	struct vtr_error err = { 0 };
	int i;

	*image = NULL;
	if (!c->device) {
		if (vtr_image_open(image, c->ctx, c->images[0], &c->image, &err) == 0)
			return *image;
	} else {
		if (!cli_open_guest(c))
			return NULL;
		i = vtr_guest_find_device(c->guest, c->device, &err);
		if (i >= 0) {
			*image = vtr_blk_ref(vtr_guest_device(c->guest, 0)->blk);
			return vtr_guest_device(c->guest, (size_t)i)->blk;
		}
	}
	cli_error(c, &err);
	return NULL;
}

bool cli_image_file(const char **path, const struct vtr_image_info *i, size_t k)
{
	if (k > i->n_files)
		return false;
	*path = k == 0 ? i->path : i->files[k - 1].path;
	return true;
}

struct vtr_os *cli_root(struct cli *c)
{
	struct vtr_error err = { 0 };

	c->os = vtr_guest_find_os(c->guest, c->root, &err);
	if (!c->os)
		common_say_systems(c, &err);
	return c->os;
}

/* The tree of --device: of the system whose root it is, else of what is on it. */
static struct vtr_tree *common_device_tree(struct cli *c)
{
	struct vtr_error err = { 0 };
	int i = vtr_guest_find_device(c->guest, c->device, &err);

	if (i < 0) {
		cli_error(c, &err);
		return NULL;
	}
	if (!vtr_guest_device(c->guest, (size_t)i)->has_fs || !vtr_guest_fs(c->guest, (size_t)i, NULL))
		return common_fs_tree(c, (size_t)i);
	c->hush = true;
	c->os = vtr_guest_find_os(c->guest, c->device, &err);
	c->hush = false;
	if (c->os)
		return vtr_os_tree(c->os);
	if (err.code == VTR_ENOTFOUND)
		return common_fs_tree(c, (size_t)i);
	common_say_systems(c, &err);
	return NULL;
}

struct vtr_tree *cli_tree(struct cli *c)
{
	struct vtr_error err = { 0 };

	if (!cli_open_guest(c))
		return NULL;
	if (c->device)
		return common_device_tree(c);
	c->hush = true;
	c->os = vtr_guest_find_os(c->guest, c->root, &err);
	c->hush = false;
	if (c->os)
		return vtr_os_tree(c->os);
	if (err.code == VTR_ENOTFOUND && !c->root)
		return common_only_fs(c);
	common_say_systems(c, &err);
	return NULL;
}

static int common_path(void *arg, const char *path)
{
	struct cli *c = arg;
	char **p = realloc(c->paths, (c->n_paths + 2) * sizeof(*p)), *copy = strdup(path);

	c->paths = p ? p : c->paths;
	if (!p || !copy) {
		free(copy);
		return -1;
	}
	p[c->n_paths++] = copy;
	p[c->n_paths] = NULL;
	return 0;
}

char **cli_paths(struct cli *c, struct vtr_tree *t, char **paths, int *n, bool patterns)
{
	static char slash[] = "/", *root[] = { slash, NULL }, *none[] = { NULL };
	size_t before = c->n_paths;

	if (t && *n == 0) {
		*n = 1;
		return root;
	}
	for (int i = 0; t && i < *n; i++) {
		struct vtr_error err = { 0 };
		size_t from = c->n_paths;
		char *path = NULL;

		if (!patterns && vtr_tree_path(&path, t, paths[i], &err) == 0 && common_path(c, path) == 0) {
			free(path);
			continue;
		}
		free(path);
		if (patterns && vtr_tree_glob(t, paths[i], common_path, c, &err) == 0)
			continue;
		/* A drive that is not there: what takes the path says so. */
		if (err.code == VTR_ENOTFOUND && from == c->n_paths && (!patterns || !strpbrk(paths[i], "*?[")) &&
		    common_path(c, paths[i]) == 0)
			continue;
		if (err.code == VTR_OK)
			err = (struct vtr_error){ .code = VTR_ENOMEM, .text = "out of memory" };
		cli_error(c, &err);
	}
	*n = t ? (int)(c->n_paths - before) : 0;
	return *n ? c->paths + before : none;
}

bool cli_pipe_closed(void)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };
	struct sigaction sa;

	/* Threads that do not take signals meet the error alone. */
	if (poll(&p, 1, 0) == 1 && (p.revents & POLLERR) && sigaction(SIGPIPE, NULL, &sa) == 0 &&
	    sa.sa_handler != SIG_IGN && !common_signal)
		common_signal = SIGPIPE;
	return common_is_quiet();
}

void cli_output_failed(struct cli *c, int error)
{
	struct vtr_error err = { .code = VTR_EIO };

	snprintf(err.text, sizeof(err.text), "standard output: %s", error ? strerror(error) : "write error");
	(void)(error == EPIPE && cli_pipe_closed());
	if (!common_output_told)
		cli_error(c, &err);
	common_output_told = true;
}

bool cli_flush(struct cli *c)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	cli_output_failed(c, errno);
	return false;
}
