/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vitrine grep: lines of a guest's files that fit a pattern, as grep(1) has it. A file is read in pieces and never held
 * whole; a line that is longer than GREP_LINE is searched as several.
 */
#include <errno.h>
#include <locale.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

extern const struct cli_verb cli_verb_grep;

#define GREP_CHUNK (96u << 10) /* what grep(1) looks at when it asks whether a file is binary */
#define GREP_LINE (256u << 10)
#define GREP_MATCHED 2 /* the group that the pattern itself is in, with -w */

struct grep_pattern {
	char *text; /* as it was written */
	size_t len;
	bool plain; /* these bytes, and nothing else */
	bool ascii;
	/*
	 * Whether a line fits is asked of an expression that starts at its start: that takes time in proportion to the line,
	 * where a search tries each place of it anew. In characters, and in bytes: for lines that are no UTF-8, and quicker
	 * for those that are ASCII.
	 */
	regex_t fits, fits_bytes;
	regex_t where;	   /* for -o */
	unsigned compiled; /* how many of these */
};

struct grep {
	struct cli c;
	struct grep_pattern *patterns;
	size_t n_patterns;
	char kind; /* G basic, E extended, F fixed */
	bool icase, invert, word, whole, quiet, text, skip_binary, silent;
	bool only, count, number, list, list_without, recursive;
	int names; /* 1 with names, -1 without, 0 as it comes */
	uint64_t max;
	bool given; /* -e */
	bool oom;
	bool tty;
	bool with_name;
	bool matched; /* any line of any file */
	bool stop;
	const char *base;
	char *buf;
};

/* The file that is being searched. */
struct grep_file {
	struct grep *g;
	const char *path;
	struct vtr_place place;
	uint64_t size, at;		  /* at: how far a file with holes was searched */
	size_t have;			  /* bytes of a line that has not ended */
	uint64_t lines, selected, hidden; /* hidden: selected, and not shown as the file is binary */
	bool binary, done;
};

/* -------------------------------------------------------------------------------------------------------- patterns */

static bool grep_add_line(struct grep *g, const char *text, size_t len)
{
	struct grep_pattern *p = realloc(g->patterns, (g->n_patterns + 1) * sizeof(*p));

	if (!p)
		return false;
	g->patterns = p;
	p[g->n_patterns] = (struct grep_pattern){ .text = strndup(text, len), .len = len };
	return p[g->n_patterns++].text != NULL;
}

/* A pattern of several lines is several patterns. */
static bool grep_add(struct grep *g, const char *text)
{
	for (;;) {
		size_t n = strcspn(text, "\n");

		if (!grep_add_line(g, text, n)) {
			g->oom = true;
			return false;
		}
		if (!text[n])
			return true;
		text += n + 1;
	}
}

/*
 * The pattern itself: quoted with -F, and with its back-references counting the groups that are put around it. Returns
 * false when they have no number left.
 */
static bool grep_body(const struct grep *g, const struct grep_pattern *p, unsigned around, char *out)
{
	bool bracket = false;
	size_t n = 0, from = 0;

	for (size_t i = 0; i < p->len; i++) {
		char c = p->text[i];

		if (g->kind == 'F') {
			if (strchr("\\.[]*^$+?(){}|", c))
				out[n++] = '\\';
		} else if (bracket) {
			bracket = c != ']' || i <= from;
		} else if (c == '[') {
			bracket = true;
			from = i + 1 + (p->text[i + 1] == '^'); /* a bracket that closes may come first */
		} else if (c == '\\' && i + 1 < p->len) {
			out[n++] = c;
			c = p->text[++i];
			if (c >= '1' && c <= '9') {
				if ((unsigned)(c - '0') + around > 9)
					return false;
				c = (char)(c + (char)around);
			}
		}
		out[n++] = c;
	}
	out[n] = 0;
	return true;
}

/* The whole expression, with what -w and -x ask for. The caller frees. */
static char *grep_regex(const struct grep *g, const struct grep_pattern *p, bool fits)
{
	bool extended = g->kind != 'G';
	const char *open = extended ? "(" : "\\(", *close = extended ? ")" : "\\)", * or = extended ? "|" : "\\|";
	unsigned around = (fits ? 1 : 0) + (g->whole ? 1 : g->word ? 2 : 0);
	char *body = malloc(2 * p->len + 1), *inner = NULL, *out = NULL;
	int r = -1;

	if (body && !grep_body(g, p, around, body))
		r = asprintf(&inner, "\\9"); /* which is refused as what it is */
	else if (body && g->whole)
		r = asprintf(&inner, "^%s%s%s$", open, body, close);
	else if (body && g->word)
		r = asprintf(&inner, "%s^%s[^[:alnum:]_]%s%s%s%s%s[^[:alnum:]_]%s$%s", open, or, close, open, body,
			     close, open, or, close);
	else if (body)
		r = asprintf(&inner, "%s", body);
	free(body);
	if (r < 0)
		return NULL;
	/* An anchor in the middle of a basic expression is one only after a parenthesis. */
	r = fits ? asprintf(&out, "%s%s%s%s", g->whole ? "" : "^.*", open, inner, close) : asprintf(&out, "%s", inner);
	free(inner);
	return r < 0 ? NULL : out;
}

static int grep_compile_one(const struct grep *g, struct grep_pattern *p, regex_t *to, bool fits)
{
	char *regex = grep_regex(g, p, fits);
	int r = REG_ESPACE;

	if (regex)
		r = regcomp(to, regex,
			    (g->kind == 'G' ? 0 : REG_EXTENDED) | (g->icase ? REG_ICASE : 0) | (fits ? REG_NOSUB : 0));
	free(regex);
	p->compiled += r == 0;
	return r;
}

static bool grep_compile(struct grep *g)
{
	for (size_t i = 0; i < g->n_patterns; i++) {
		struct grep_pattern *p = &g->patterns[i];
		char why[200];
		int r;

		p->ascii = true;
		for (size_t k = 0; k < p->len; k++)
			p->ascii = p->ascii && !(p->text[k] & 0x80);
		p->plain =
			!g->icase && !g->word && !g->whole && (g->kind == 'F' || !strpbrk(p->text, "\\.[]*^$+?(){}|"));
		setlocale(LC_CTYPE, "C.UTF-8");
		r = grep_compile_one(g, p, &p->where, false);
		if (r == 0)
			r = grep_compile_one(g, p, &p->fits, true);
		setlocale(LC_CTYPE, "C");
		if (r == 0)
			r = grep_compile_one(g, p, &p->fits_bytes, true);
		setlocale(LC_CTYPE, "C.UTF-8");
		if (r) {
			regerror(r, NULL, why, sizeof(why));
			cli_usage(&g->c, "%s: %s", p->text, why);
			return false;
		}
	}
	return true;
}

static void grep_patterns_done(struct grep *g)
{
	for (size_t i = 0; i < g->n_patterns; i++) {
		struct grep_pattern *p = &g->patterns[i];

		if (p->compiled > 0)
			regfree(&p->where);
		if (p->compiled > 1)
			regfree(&p->fits);
		if (p->compiled > 2)
			regfree(&p->fits_bytes);
		free(p->text);
	}
	free(g->patterns);
}

/* -------------------------------------------------------------------------------------------------------- matching */

static bool grep_ascii(const char *p, size_t len)
{
	unsigned char all = 0;

	for (size_t i = 0; i < len; i++)
		all |= (unsigned char)p[i];
	return all < 0x80;
}

/*
 * regexec() between m[0].rm_so and m[0].rm_eo of text. Not every C library has REG_STARTEND (musl has not): a copy with a
 * NUL at its end does the same, but that a NUL within the text ends it.
 */
static int grep_regexec(const regex_t *re, const char *text, size_t n, regmatch_t *m, int flags)
{
#ifdef REG_STARTEND
	return regexec(re, text, n, m, REG_STARTEND | flags);
#else
	size_t from = (size_t)m[0].rm_so;
	char *copy = strndup(text + from, (size_t)m[0].rm_eo - from);
	int r = copy ? regexec(re, copy, n, m, flags) : REG_ESPACE;

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (m[i].rm_so < 0)
			continue;
		m[i].rm_so += (regoff_t)from;
		m[i].rm_eo += (regoff_t)from;
	}
	free(copy);
	return r;
#endif
}

/* Whether a line without NULs fits any pattern. */
static bool grep_text_fits(const struct grep *g, const char *line, size_t len)
{
	bool ascii = grep_ascii(line, len), utf8 = ascii || vtr_utf8_is(line, len);

	for (size_t i = 0; i < g->n_patterns; i++) {
		const struct grep_pattern *p = &g->patterns[i];
		regmatch_t m[1] = { { .rm_so = 0, .rm_eo = (regoff_t)len } };

		if (p->plain ? memmem(line, len, p->text, p->len) != NULL
			     : grep_regexec(!utf8 || (ascii && p->ascii) ? &p->fits_bytes : &p->fits, line, 0, m, 0) ==
				       0)
			return true;
	}
	return false;
}

/* Regular expressions have no NUL that their dot could mean: here it is a byte like another. */
static bool grep_fits(const struct grep *g, const char *line, size_t len)
{
	char *copy;
	bool r;

	if (!memchr(line, 0, len))
		return grep_text_fits(g, line, len);
	copy = malloc(len + 1);
	if (!copy)
		return false;
	copy[len] = 0;
	for (size_t k = 0; k < len; k++)
		copy[k] = line[k] ? line[k] : '\1';
	r = grep_text_fits(g, copy, len);
	free(copy);
	return r;
}

/* Where one pattern fits in a line, from at on. */
static bool grep_match(const struct grep *g, const struct grep_pattern *p, const char *line, size_t len, size_t at,
		       size_t *from, size_t *to)
{
	regmatch_t m[GREP_MATCHED + 1] = { { .rm_so = (regoff_t)at, .rm_eo = (regoff_t)len } };
	size_t group = g->word && !g->whole ? GREP_MATCHED : 0;

	if (p->plain) {
		const char *hit = memmem(line + at, len - at, p->text, p->len);

		if (!hit)
			return false;
		*from = (size_t)(hit - line);
		*to = *from + p->len;
		return true;
	}
	if (grep_regexec(&p->where, line, group + 1, m, at > 0 ? REG_NOTBOL : 0) != 0)
		return false;
	*from = (size_t)m[group].rm_so;
	*to = (size_t)m[group].rm_eo;
	return true;
}

/* The first place where any pattern fits, and there the longest. */
static bool grep_first(const struct grep *g, const char *line, size_t len, size_t at, size_t *from, size_t *to)
{
	bool found = false;

	for (size_t i = 0; i < g->n_patterns; i++) {
		size_t a, b;

		if (!grep_match(g, &g->patterns[i], line, len, at, &a, &b))
			continue;
		if (!found || a < *from || (a == *from && b > *to)) {
			*from = a;
			*to = b;
		}
		found = true;
	}
	return found;
}

/* ---------------------------------------------------------------------------------------------------------- output */

/* Bytes of a line: escaped on a terminal, but for tabs. */
static void grep_put(const struct grep *g, const char *p, size_t len)
{
	if (!g->tty) {
		fwrite(p, 1, len, stdout);
		return;
	}
	while (len > 0) {
		const char *tab = memchr(p, '\t', len);
		size_t n = tab ? (size_t)(tab - p) : len;

		cli_put(stdout, p, n);
		if (tab) {
			putchar('\t');
			n++;
		}
		p += n;
		len -= n;
	}
}

static void grep_name(const struct grep *g, const char *path, char after)
{
	grep_put(g, path, strlen(path));
	putchar(after);
}

static void grep_json_line(const struct grep_file *f, const char *p, size_t len)
{
	json_t *o = json_object();

	cli_json_set(o, "path", f->path);
	json_object_set_new(o, "line", cli_json_u64(f->lines));
	cli_json_set_bytes(o, "text", p, len);
	cli_json_line(o);
}

/* One line, or one match, when it is text. */
static void grep_show(struct grep_file *f, const char *p, size_t len)
{
	struct grep *g = f->g;

	if (f->binary || (!g->text && !vtr_utf8_is(p, len))) {
		f->hidden++;
		f->done = f->binary; /* one is enough to say that it matches */
		return;
	}
	if (g->c.json) {
		grep_json_line(f, p, len);
		return;
	}
	if (g->with_name)
		grep_name(g, f->path, ':');
	if (g->number)
		printf("%" PRIu64 ":", f->lines);
	grep_put(g, p, len);
	putchar('\n');
}

static void grep_show_matches(struct grep_file *f, const char *line, size_t len)
{
	size_t at = 0, from = 0, to = 0;

	while (at <= len && !f->done && grep_first(f->g, line, len, at, &from, &to)) {
		if (to > from)
			grep_show(f, line + from, to - from);
		at = to > from ? to : to + 1;
	}
}

/* ----------------------------------------------------------------------------------------------------------- files */

static void grep_line(struct grep_file *f, const char *line, size_t len)
{
	struct grep *g = f->g;

	f->lines++;
	if (grep_fits(g, line, len) == g->invert)
		return;
	f->selected++;
	g->matched = true;
	if (g->quiet)
		g->stop = f->done = true;
	else if (g->list || g->list_without)
		f->done = true;
	else if (!g->count && g->only && !g->invert)
		grep_show_matches(f, line, len);
	else if (!g->count && (!g->only || f->binary))
		grep_show(f, line, len);
	if (f->selected >= g->max)
		f->done = true;
}

static uint64_t grep_newlines(const char *p, const char *end)
{
	uint64_t n = 0;

	while ((p = memchr(p, '\n', (size_t)(end - p)))) {
		n++;
		p++;
	}
	return n;
}

/* All lines from p up to end, where the last one need not have its newline, but has room for a NUL. */
static void grep_lines(struct grep_file *f, char *p, char *end)
{
	const struct grep *g = f->g;
	const struct grep_pattern *only =
		g->n_patterns == 1 && g->patterns[0].plain && g->patterns[0].len > 0 && !g->invert ? &g->patterns[0]
												   : NULL;

	while (p < end && !f->done) {
		char *eol;

		/* One word without meaning to a regular expression: go where it is. */
		if (only) {
			char *hit = memmem(p, (size_t)(end - p), only->text, only->len), *bol;

			bol = hit ? memrchr(p, '\n', (size_t)(hit - p)) : end - 1;
			if (bol) {
				f->lines += grep_newlines(p, bol + 1);
				p = bol + 1;
			}
			if (!hit)
				return;
		}
		eol = memchr(p, '\n', (size_t)(end - p));
		*(eol ? eol : end) = 0; /* some look for it in spite of the length that they are told */
		grep_line(f, p, (size_t)((eol ? eol : end) - p));
		p = eol ? eol + 1 : end;
	}
}

/* A file with NULs is binary: they end lines, as they would not be seen. */
static void grep_look(struct grep_file *f, char *p, size_t len)
{
	if (f->g->text || (!f->binary && !memchr(p, 0, len)))
		return;
	f->binary = true;
	for (char *end = p + len; (p = memchr(p, 0, (size_t)(end - p)));)
		*p = '\n';
}

/* A stretch of the file. */
static void grep_read(struct grep_file *f, uint64_t off, uint64_t end)
{
	struct grep *g = f->g;
	struct vtr_error err = { 0 };

	f->done = f->done || !cli_file_fits(&g->c, f->path, end - off);
	while (!f->done && off < end) {
		size_t want = end - off < GREP_CHUNK ? (size_t)(end - off) : GREP_CHUNK, all;
		ssize_t n = vtr_fs_read(f->place.fs, f->place.node, off, g->buf + f->have, want, &err);
		char *last;

		if (n <= 0) {
			if (n < 0)
				cli_partial_at(&g->c, f->path, &err);
			g->stop = g->stop || (n < 0 && err.code == VTR_ECANCELLED);
			return;
		}
		off += (uint64_t)n;
		all = f->have + (size_t)n;
		grep_look(f, g->buf + f->have, (size_t)n);
		if (f->binary && g->skip_binary)
			f->done = true;
		last = memrchr(g->buf, '\n', all);
		if (!last && all + GREP_CHUNK <= GREP_LINE) {
			f->have = all;
			continue;
		}
		last = last ? last + 1 : g->buf + all;
		grep_lines(f, g->buf, last);
		f->have = all - (size_t)(last - g->buf);
		memmove(g->buf, last, f->have);
	}
}

/* The end of the file, or a hole: the line that was begun ends. */
static void grep_finish_line(struct grep_file *f)
{
	if (f->have > 0 && !f->done)
		grep_lines(f, f->g->buf, f->g->buf + f->have);
	f->have = 0;
}

static void grep_hole(struct grep_file *f)
{
	f->binary = f->binary || !f->g->text;
	f->done = f->done || (f->binary && f->g->skip_binary);
	grep_finish_line(f);
}

static int grep_extent(void *arg, const struct vtr_file_extent *e)
{
	struct grep_file *f = arg;
	uint64_t end = e->len < f->size && e->off < f->size - e->len ? e->off + e->len : f->size;

	if (e->unwritten || e->off < f->at || e->off >= f->size)
		return 0;
	if (e->off > f->at)
		grep_hole(f);
	grep_read(f, e->off, end);
	f->at = end;
	return f->done || f->g->stop ? 1 : 0;
}

static void grep_contents(struct grep_file *f, const struct vtr_stat *st)
{
	/* Holes are NULs by the exabyte: they are not read. */
	if (st->allocated < f->size && f->size - st->allocated > GREP_LINE &&
	    vtr_fs_extents(f->place.fs, f->place.node, grep_extent, f, NULL) >= 0) {
		if (f->at < f->size && !f->done)
			grep_hole(f);
	} else {
		grep_read(f, 0, f->size);
	}
	grep_finish_line(f);
}

static void grep_summary(const struct grep_file *f)
{
	struct grep *g = f->g;
	bool listed = (g->list && f->selected > 0) || (g->list_without && f->selected == 0);

	if (g->quiet)
		return;
	if (g->c.json && (g->count || listed)) {
		json_t *o = json_object();

		cli_json_set(o, "path", f->path);
		if (g->count)
			json_object_set_new(o, "count", cli_json_u64(f->selected));
		cli_json_line(o);
	} else if (g->count && !g->list && !g->list_without) {
		if (g->with_name)
			grep_name(g, f->path, ':');
		printf("%" PRIu64 "\n", f->selected);
	} else if (listed) {
		grep_name(g, f->path, '\n');
	} else if (g->c.json && f->hidden > 0) {
		json_t *o = json_object();

		cli_json_set(o, "path", f->path);
		json_object_set_new(o, "binary", json_true());
		cli_json_line(o);
	} else if (f->hidden > 0) {
		fflush(stdout);
		fputs("vitrine: ", stderr);
		cli_puts(stderr, f->path);
		fputs(": binary file matches\n", stderr);
	}
}

static void grep_file(struct grep *g, const struct vtr_place *place, const struct vtr_stat *st, const char *path)
{
	struct grep_file f = { .g = g, .path = path, .place = *place, .size = st->size };

	if (g->max > 0)
		grep_contents(&f, st);
	if (f.binary && g->skip_binary)
		f.selected = f.hidden = 0;
	grep_summary(&f);
}

static int grep_entry(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	struct grep *g = arg;
	int excluded = vtr_exclude_has(g->c.exclude, e->path, e->path_len, err);
	char *path;

	if (excluded != 0)
		return excluded;
	if (!e->failed && e->st.type != VTR_TYPE_FILE)
		return 0;
	path = cli_join(g->base, e->path);
	if (!path)
		return -1;
	if (e->failed)
		cli_partial_at(&g->c, path, e->error);
	else
		grep_file(g, &e->place, &e->st, path);
	free(path);
	return g->stop || ferror(stdout) ? -1 : 0;
}

static void grep_path(struct grep *g, struct vtr_tree *t, const char *path, bool several)
{
	struct vtr_error err = { 0 };
	struct vtr_place p;
	struct vtr_stat st;

	if (vtr_tree_walk(&p, t, path, 0, &err) < 0 || vtr_fs_stat(&st, p.fs, p.node, &err) < 0) {
		if (g->silent)
			g->c.status = CLI_FAILED;
		else
			cli_error(&g->c, &err);
		return;
	}
	if (cli_begin_excluded(&g->c, t, path))
		return;
	g->with_name = g->names > 0 || (g->names == 0 && (several || (g->recursive && st.type == VTR_TYPE_DIR)));
	g->base = path;
	if (st.type == VTR_TYPE_FILE) {
		grep_file(g, &p, &st, path);
	} else if (st.type == VTR_TYPE_DIR && g->recursive) {
		if (vtr_tree_list(t, &p, VTR_LIST_RECURSIVE | VTR_LIST_SORT, grep_entry, g, &err) < 0 && err.code)
			cli_error(&g->c, &err);
	} else {
		snprintf(err.text, sizeof(err.text), "a %s%s", vtr_type_noun(st.type),
			 st.type == VTR_TYPE_DIR ? ": -r searches what is below it" : ", not a file");
		cli_partial_at(&g->c, path, &err);
	}
}

/* -------------------------------------------------------------------------------------------------------- the verb */

enum { GREP_NO_NAMES = CLI_LONG, GREP_TEXT };

static bool grep_option(void *arg, int opt, const char *value)
{
	struct grep *g = arg;

	switch (opt) {
	case 'e':
		g->given = true;
		return grep_add(g, value);
	case 'm':
		return cli_number(&g->max, value);
	case 'E':
	case 'F':
	case 'G':
		g->kind = (char)opt;
		return true;
	case 'H':
		g->names = 1;
		return true;
	case GREP_NO_NAMES:
		g->names = -1;
		return true;
	case GREP_TEXT:
		g->text = true;
		return true;
	}
	*(opt == 'i'   ? &g->icase
	  : opt == 'v' ? &g->invert
	  : opt == 'w' ? &g->word
	  : opt == 'x' ? &g->whole
	  : opt == 'q' ? &g->quiet
	  : opt == 's' ? &g->silent
	  : opt == 'I' ? &g->skip_binary
	  : opt == 'o' ? &g->only
	  : opt == 'c' ? &g->count
	  : opt == 'n' ? &g->number
	  : opt == 'l' ? &g->list
	  : opt == 'L' ? &g->list_without
		       : &g->recursive) = true;
	return true;
}

/* The first argument is the pattern, unless there was -e; the next one the image, unless there was -a. */
static bool grep_take_pattern(struct grep *g, int *argc, char ***argv)
{
	const char *pattern;

	if (g->given)
		return true;
	if (*argc == 0) {
		cli_usage(&g->c, g->c.images_named ? "which pattern?" : "which image?");
		return false;
	}
	pattern = g->c.images_named ? (*argv)[0] : g->c.images[0];
	if (!g->c.images_named)
		g->c.images[0] = (*argv)[0];
	(*argc)--;
	(*argv)++;
	return grep_add(g, pattern);
}

/* 0: a line was found, 1: none, 3: something could not be searched. */
static int grep_status(const struct grep *g, int status)
{
	if (status == CLI_USAGE || (g->quiet && g->matched))
		return status == CLI_USAGE ? CLI_USAGE : 0;
	if (status != CLI_OK)
		return CLI_PARTIAL;
	return g->matched ? 0 : 1;
}

static int grep_run(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "no-filename", no_argument, NULL, GREP_NO_NAMES },
		{ "text", no_argument, NULL, GREP_TEXT },
		{ 0 },
	};
	struct grep g = { .kind = 'G', .max = UINT64_MAX };
	bool begun = cli_begin(&g.c, &cli_verb_grep, &argc, &argv, "EFGe:ivwxqsIoclLnHrm:", longs, grep_option, &g);
	struct vtr_tree *t;
	int status;

	if (begun && grep_take_pattern(&g, &argc, &argv) && argc == 0 && !g.recursive)
		cli_usage(&g.c, "which path?");
	if (begun && g.c.status == CLI_OK && !g.oom && grep_compile(&g)) {
		g.tty = isatty(STDOUT_FILENO);
		g.buf = malloc(GREP_LINE + GREP_CHUNK + 1);
		t = g.buf ? cli_tree(&g.c) : NULL;
		argv = cli_paths(&g.c, t, argv, &argc, true);
		for (int i = 0; i < argc && !g.stop; i++)
			grep_path(&g, t, argv[i], argc > 1);
		if (t)
			cli_flush(&g.c);
	}
	grep_patterns_done(&g);
	free(g.buf);
	status = cli_end(&g.c);
	return begun ? grep_status(&g, status) : status;
}

const struct cli_verb cli_verb_grep = {
	.name = "grep",
	.summary = "Find lines of files that fit a pattern, as grep(1)",
	.usage = "[-EFGiwxvcoqlLnHrIs] [-m N] [options] PATTERN IMAGE PATH…",
	.options = "  -E                   PATTERN is an extended regular expression\n"
		   "  -F                   PATTERN is a fixed string\n"
		   "  -G                   PATTERN is a basic regular expression (the default)\n"
		   "  -e PATTERN           a pattern, or one more; then the first argument is none\n"
		   "  -i                   capitals and small letters are the same\n"
		   "  -w                   whole words\n"
		   "  -x                   whole lines\n"
		   "  -v                   lines that do not fit\n"
		   "  -c                   how many lines\n"
		   "  -o                   only what fits\n"
		   "  -q                   nothing: the exit status tells\n"
		   "  -l                   names of files with such lines\n"
		   "  -L                   names of files without\n"
		   "  -n                   with numbers of lines\n"
		   "  -H                   with names of files\n"
		   "      --no-filename    without\n"
		   "  -m N                 at most so many lines of a file\n"
		   "  -r                   all files below directories\n"
		   "      --text           binary files are text\n"
		   "  -I                   leave out binary files\n"
		   "  -s                   nothing of files that are not there\n",
	.run = grep_run,
};
