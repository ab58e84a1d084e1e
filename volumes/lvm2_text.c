/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The text of LVM2's metadata, as lvm.conf(5) describes the format that both share:
 *
 *	text: (name "=" value | name "{" text "}")…
 *	value: number | string | "[" [value ("," value)…] "]"
 *
 * A number may have a sign and a fraction. A string is in double quotes, where a backslash keeps a quote or a backslash, or
 * in single quotes, where nothing is special, or a bare word. "#" starts a comment.
 */
#include "volumes/lvm2_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#define LVM2_MAX_DEPTH 16u /* sections and arrays in each other; LVM itself writes four */

struct lvm2_parser {
	struct lvm2_text *t;
	char *p, *end; /* *end is NUL */
	uint64_t line, steps;
	uint32_t open[LVM2_MAX_DEPTH]; /* the sections and arrays that are open, from the outside */
	uint32_t last[LVM2_MAX_DEPTH]; /* the last child of each; 0: none yet */
	unsigned depth;
};

void lvm2_text_done(struct lvm2_text *t)
{
	free(t->v);
	free(t->bytes);
	if (t->ctx) {
		vtr_uncharge(t->ctx, t->held);
		vtr_ctx_unref(t->ctx);
	}
	*t = (struct lvm2_text){ .ctx = NULL };
}

static void lvm2_skip_blank(struct lvm2_parser *p)
{
	for (; p->p < p->end; p->p++) {
		if (*p->p == '#')
			while (p->p + 1 < p->end && p->p[1] != '\n')
				p->p++;
		else if (*p->p == '\n')
			p->line++;
		else if (*p->p != ' ' && *p->p != '\t' && *p->p != '\r' && *p->p != '\v' && *p->p != '\f')
			return;
	}
}

#define lvm2_wrong(p, err, ...) (vtr_error_set((err), VTR_ECORRUPT, __VA_ARGS__), lvm2_at_line((p), (err)))
static int lvm2_at_line(const struct lvm2_parser *p, struct vtr_error *err)
{
	return vtr_at(err, "line %" PRIu64, p->line);
}

static int lvm2_expected(const struct lvm2_parser *p, const char *what, struct vtr_error *err)
{
	if (p->p >= p->end)
		return lvm2_wrong(p, err, "the text ends, expected %s", what);
	return lvm2_wrong(p, err, "\"%.*s\", expected %s", (int)VTR_MIN((size_t)(p->end - p->p), (size_t)16), p->p,
			  what);
}

/* A node as the next child of what is open. NULL sets *err. */
static struct lvm2_node *lvm2_add(struct lvm2_parser *p, const char *key, int kind, struct vtr_error *err)
{
	struct lvm2_text *t = p->t;
	uint32_t i = (uint32_t)t->n;

	if (vtr_tick(t->ctx, &p->steps, 1, err) < 0)
		return NULL;
	if (t->n == t->cap) {
		uint64_t more = VTR_MAX(t->cap, (size_t)16) * sizeof(t->v[0]);

		if (vtr_charge(t->ctx, more, "metadata of LVM2", err) < 0)
			return NULL;
		t->held += more;
	}
	if (t->n >= UINT32_MAX || !VTR_GROW(t->v, t->n, t->cap, err))
		return NULL;
	t->v[t->n++] = (struct lvm2_node){ .key = key, .kind = kind };
	if (p->depth > 0) {
		uint32_t *last = &p->last[p->depth - 1];

		if (*last)
			t->v[*last].next = i;
		else
			t->v[p->open[p->depth - 1]].child = i;
		*last = i;
	}
	return &t->v[i];
}

static int lvm2_open(struct lvm2_parser *p, const struct lvm2_node *n, struct vtr_error *err)
{
	if (p->depth >= LVM2_MAX_DEPTH)
		return vtr_fail(err, VTR_ELIMIT, "line %" PRIu64 ": more than %u sections in each other", p->line,
				LVM2_MAX_DEPTH);
	p->open[p->depth] = (uint32_t)(n - p->t->v);
	p->last[p->depth++] = 0;
	return 0;
}

static bool lvm2_in_word(char c)
{
	return c && !strchr(" \t\r\v\f\n#={}[],\"'", c);
}

/* The end of a word at p->p, which becomes a C string only once its delimiter was read. */
static char *lvm2_word(struct lvm2_parser *p)
{
	char *q = p->p;

	while (q < p->end && lvm2_in_word(*q))
		q++;
	return q;
}

/* A string in quotes at p->p, without its escapes, in place. NULL sets *err. */
static const char *lvm2_quoted(struct lvm2_parser *p, struct vtr_error *err)
{
	char quote = *p->p, *out = p->p, *start = p->p;
	uint64_t line = p->line;

	for (p->p++; p->p < p->end && *p->p != quote; p->p++) {
		if (*p->p == '\n')
			p->line++;
		if (quote == '"' && *p->p == '\\' && p->p + 1 < p->end)
			p->p++;
		*out++ = *p->p;
	}
	if (p->p >= p->end) {
		p->line = line;
		(void)lvm2_wrong(p, err, "a string does not end");
		return NULL;
	}
	p->p++;
	*out = 0;
	if (strlen(start) != (size_t)(out - start)) {
		(void)lvm2_wrong(p, err, "a string has a NUL");
		return NULL;
	}
	return start;
}

/* A number of a whole word; true: it is one. */
static bool lvm2_is_number(int64_t *out, const char *p, const char *end)
{
	bool minus = p < end && *p == '-';
	int64_t v = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	if (p == end || *p < '0' || *p > '9')
		return false;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		if (vtr_mul_over(v, 10, &v) || vtr_add_over(v, *p - '0', &v))
			return false;
	if (p < end && *p == '.')
		for (p++; p < end && *p >= '0' && *p <= '9';)
			p++;
	*out = minus ? -v : v;
	return p == end;
}

/* A value, but an array is only opened. */
static int lvm2_value(struct lvm2_parser *p, const char *key, struct vtr_error *err)
{
	struct lvm2_node *n;
	int64_t number;
	char *end;

	if (p->p >= p->end)
		return lvm2_expected(p, "a value", err);
	if (*p->p == '[') {
		p->p++;
		n = lvm2_add(p, key, LVM2_ARRAY, err);
		return n ? lvm2_open(p, n, err) : -1;
	}
	if (*p->p == '"' || *p->p == '\'') {
		const char *text = lvm2_quoted(p, err);

		n = text ? lvm2_add(p, key, LVM2_STRING, err) : NULL;
		if (n)
			n->text = text;
		return n ? 0 : -1;
	}
	end = lvm2_word(p);
	if (end == p->p)
		return lvm2_expected(p, "a value", err);
	if (lvm2_is_number(&number, p->p, end)) {
		n = lvm2_add(p, key, LVM2_NUMBER, err);
		if (!n)
			return -1;
		n->number = number;
		p->p = end;
		return 0;
	}
	/* The byte behind a bare word may still count. Move the word one back, over what was read before it. */
	n = lvm2_add(p, key, LVM2_STRING, err);
	if (!n)
		return -1;
	memmove(p->p - 1, p->p, (size_t)(end - p->p));
	end[-1] = 0;
	n->text = p->p - 1;
	p->p = end;
	return 0;
}

/* Pass over a section, whose "{" was read. */
static int lvm2_pass(struct lvm2_parser *p, struct vtr_error *err)
{
	for (unsigned depth = 1; depth > 0;) {
		lvm2_skip_blank(p);
		if (p->p >= p->end)
			return lvm2_expected(p, "\"}\"", err);
		if (vtr_tick(p->t->ctx, &p->steps, 1, err) < 0)
			return -1;
		if (*p->p == '"' || *p->p == '\'') {
			if (!lvm2_quoted(p, err))
				return -1;
			continue;
		}
		depth += *p->p == '{';
		depth -= *p->p == '}';
		if (lvm2_word(p) > p->p)
			p->p = lvm2_word(p);
		else
			p->p++;
	}
	return 0;
}

/* What stands in an array: a value, "," or the end. */
static int lvm2_item(struct lvm2_parser *p, struct vtr_error *err)
{
	if (*p->p == ']') {
		p->depth--;
		p->p++;
		return 0;
	}
	if (p->last[p->depth - 1] != 0) {
		if (*p->p != ',')
			return lvm2_expected(p, "\",\" or \"]\"", err);
		p->p++;
		lvm2_skip_blank(p);
		if (p->p < p->end && *p->p == ']') /* a comma behind the last one */
			return 0;
	}
	return lvm2_value(p, "", err);
}

/* What stands in a section: a name and its value or its section, or the end. */
static int lvm2_entry(struct lvm2_parser *p, bool top, struct vtr_error *err)
{
	char *key = p->p, *end;
	struct lvm2_node *n;

	if (*p->p == '}') {
		if (p->depth == 1)
			return lvm2_expected(p, "a name", err);
		p->depth--;
		p->p++;
		return 0;
	}
	if (*p->p == '"' || *p->p == '\'') {
		key = (char *)(uintptr_t)lvm2_quoted(p, err);
		if (!key)
			return -1;
		end = NULL;
	} else {
		end = lvm2_word(p);
		if (end == p->p)
			return lvm2_expected(p, "a name", err);
		p->p = end;
	}
	lvm2_skip_blank(p);
	if (p->p < p->end && *p->p == '{') {
		p->p++;
		if (end)
			*end = 0;
		if (top && p->depth == 2)
			return lvm2_pass(p, err);
		n = lvm2_add(p, key, LVM2_SECTION, err);
		return n ? lvm2_open(p, n, err) : -1;
	}
	if (p->p >= p->end || *p->p != '=')
		return lvm2_expected(p, "\"=\" or \"{\"", err);
	p->p++;
	if (end)
		*end = 0;
	lvm2_skip_blank(p);
	return lvm2_value(p, key, err);
}

int lvm2_text_parse(struct lvm2_text *t, struct vtr_ctx *ctx, const char *text, size_t len, bool top,
		    struct vtr_error *err)
{
	struct lvm2_parser p = { .t = t, .line = 1 };
	struct lvm2_node *whole;

	*t = (struct lvm2_text){ .ctx = vtr_ctx_ref(ctx) };
	if (vtr_charge(ctx, len + 1, "metadata of LVM2", err) < 0)
		return -1;
	t->held = len + 1;
	t->bytes = vtr_strndup(text, len, err);
	if (!t->bytes)
		return -1;
	p.p = t->bytes;
	p.end = t->bytes + len;
	/* LVM counts a NUL at the end as part of the text. */
	while (p.end > p.p && p.end[-1] == 0)
		p.end--;
	whole = lvm2_add(&p, "", LVM2_SECTION, err);
	if (!whole || lvm2_open(&p, whole, err) < 0)
		return -1;
	for (;;) {
		lvm2_skip_blank(&p);
		if (p.p >= p.end)
			break;
		if ((t->v[p.open[p.depth - 1]].kind == LVM2_ARRAY ? lvm2_item(&p, err) : lvm2_entry(&p, top, err)) < 0)
			return -1;
	}
	if (p.depth > 1)
		return lvm2_expected(&p, t->v[p.open[p.depth - 1]].kind == LVM2_ARRAY ? "\"]\"" : "\"}\"", err);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------- looking up */

const struct lvm2_node *lvm2_first(const struct lvm2_text *t, const struct lvm2_node *in)
{
	return in && in->child ? &t->v[in->child] : NULL;
}

const struct lvm2_node *lvm2_next(const struct lvm2_text *t, const struct lvm2_node *n)
{
	return n->next ? &t->v[n->next] : NULL;
}

const struct lvm2_node *lvm2_find(const struct lvm2_text *t, const struct lvm2_node *in, const char *key)
{
	if (!in || in->kind != LVM2_SECTION)
		return NULL;
	for (const struct lvm2_node *n = lvm2_first(t, in); n; n = lvm2_next(t, n))
		if (strcmp(n->key, key) == 0)
			return n;
	return NULL;
}

bool lvm2_number(uint64_t *out, const struct lvm2_text *t, const struct lvm2_node *in, const char *key)
{
	const struct lvm2_node *n = lvm2_find(t, in, key);

	if (!n || n->kind != LVM2_NUMBER || n->number < 0)
		return false;
	*out = (uint64_t)n->number;
	return true;
}

const char *lvm2_string(const struct lvm2_text *t, const struct lvm2_node *in, const char *key)
{
	const struct lvm2_node *n = lvm2_find(t, in, key);

	return n && n->kind == LVM2_STRING ? n->text : NULL;
}

bool lvm2_has_flag(const struct lvm2_text *t, const struct lvm2_node *in, const char *key, const char *flag)
{
	const struct lvm2_node *n = lvm2_find(t, in, key);

	if (n && n->kind == LVM2_STRING)
		return strcmp(n->text, flag) == 0;
	for (n = n && n->kind == LVM2_ARRAY ? lvm2_first(t, n) : NULL; n; n = lvm2_next(t, n))
		if (n->kind == LVM2_STRING && strcmp(n->text, flag) == 0)
			return true;
	return false;
}
