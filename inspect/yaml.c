/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The part of YAML that configuration files use: mappings and sequences by indentation, [flow, sequences] and {flow:
 * mappings} over any number of lines, plain and quoted scalars, comments, anchors and aliases. So JSON is read, too. Tags are
 * passed over; of block scalars those of one line are read; complex keys are not known. Escapes in quotes stay as they are.
 */
#include "inspect/yaml.h"

#include <stdlib.h>

#include "base/checked.h"

#define YAML_DEPTH 24u
/* What is kept so that aliases can say it again: no text makes us say more than these all in all. */
#define YAML_EVENTS 16384u
#define YAML_KEYS 65536u
#define YAML_ANCHORS 256u

struct yaml_level {
	size_t indent;
	struct vtr_span key; /* p NULL: an item of a sequence */
};

/* A scalar as it was handed on: its keys are a piece of those that are kept. */
struct yaml_event {
	size_t keys, n;
	struct vtr_span value;
	uint64_t item;
};

/* What an anchor names: events, whose keys go on from those that lead to it. */
struct yaml_anchor {
	struct vtr_span name;
	size_t first, last; /* last SIZE_MAX: it is not at its end yet */
	size_t base;	    /* how many keys lead to it */
	size_t level;	    /* it ends with the last level of the lines above this many */
	uint64_t items;
};

struct yaml {
	struct vtr_span rest;
	bool keep; /* there are aliases */
	bool lost; /* and more of them than we take */
	struct yaml_event *events;
	size_t n_events, cap_events;
	struct vtr_span *keys;
	size_t n_keys, cap_keys;
	struct yaml_anchor *anchors;
	size_t n_anchors, cap_anchors;
	struct yaml_level levels[YAML_DEPTH];
	size_t n;
	uint64_t skipped;
	uint64_t items; /* dashes and flow items so far: it changes with each item of a sequence */
	vtr_yaml_fn *fn;
	void *arg;
};

static bool yaml_in(char c, const char *set)
{
	return c != 0 && strchr(set, c);
}

/* The keys that lead to where we are. Their number. */
static size_t yaml_path(struct vtr_span keys[YAML_DEPTH], const struct yaml *y)
{
	size_t n = 0;

	for (size_t i = 0; i < y->n; i++)
		if (y->levels[i].key.p)
			keys[n++] = y->levels[i].key;
	return n;
}

static int yaml_hand_on(struct yaml *y, const struct vtr_span *keys, size_t n, struct vtr_span value,
			struct vtr_error *err)
{
	if (y->keep && (y->n_events == YAML_EVENTS || y->n_keys + n > YAML_KEYS))
		y->lost = true;
	if (y->keep && !y->lost) {
		if (!VTR_GROW(y->events, y->n_events, y->cap_events, err))
			return -1;
		y->events[y->n_events++] = (struct yaml_event){ y->n_keys, n, value, y->items };
		for (size_t i = 0; i < n; i++) {
			if (!VTR_GROW(y->keys, y->n_keys, y->cap_keys, err))
				return -1;
			y->keys[y->n_keys++] = keys[i];
		}
	}
	return y->fn(y->arg, keys, n, value, y->items, err);
}

/* "*name": what the last anchor of that name has, as if it stood here. */
static int yaml_alias(struct yaml *y, struct vtr_span name, struct vtr_error *err)
{
	struct vtr_span keys[YAML_DEPTH];
	size_t n = yaml_path(keys, y);
	const struct yaml_anchor *found = NULL;
	uint64_t items = 0;
	struct yaml_anchor a;

	for (size_t i = y->n_anchors; i-- > 0 && !found;)
		if (y->anchors[i].name.len == name.len && memcmp(y->anchors[i].name.p, name.p, name.len) == 0)
			found = &y->anchors[i];
	if (!found || found->last == SIZE_MAX || y->lost) {
		y->skipped++;
		return 0;
	}
	a = *found;
	for (size_t i = a.first; i < a.last; i++) {
		const struct yaml_event e = y->events[i];
		size_t more = e.n - VTR_MIN(a.base, e.n);

		if (y->lost || n + more > YAML_DEPTH) {
			y->skipped++;
			return 0;
		}
		for (size_t k = 0; k < more; k++)
			keys[n + k] = y->keys[e.keys + a.base + k];
		/* Items of its own sequences differ, and from those before. */
		y->items += e.item > a.items && e.item - a.items != items;
		items = e.item > a.items ? e.item - a.items : 0;
		if (yaml_hand_on(y, keys, n + more, e.value, err) < 0)
			return -1;
	}
	return 0;
}

/* What is left of a value behind its tags and its anchor, which begins here. */
static int yaml_properties(struct yaml *y, struct vtr_span *value, struct vtr_error *err)
{
	struct vtr_span word;

	while (value->len > 0 && (*value->p == '&' || *value->p == '!')) {
		struct vtr_span keys[YAML_DEPTH];

		if (!vtr_span_word(&word, value))
			break;
		*value = vtr_span_trim(*value);
		if (*word.p == '!' || !y->keep)
			continue;
		if (y->n_anchors == YAML_ANCHORS) {
			y->skipped++;
			continue;
		}
		if (!VTR_GROW(y->anchors, y->n_anchors, y->cap_anchors, err))
			return -1;
		y->anchors[y->n_anchors++] = (struct yaml_anchor){ vtr_span_skip(word, 1), y->n_events, SIZE_MAX,
								   yaml_path(keys, y),	   y->n,	y->items };
	}
	return 0;
}

/* The anchors that began at this level or above it are at their ends. */
static void yaml_anchors_end(struct yaml *y, size_t level)
{
	for (size_t i = y->n_anchors; i-- > 0;)
		if (y->anchors[i].last == SIZE_MAX && y->anchors[i].level >= level)
			y->anchors[i].last = y->n_events;
}

static void yaml_pop(struct yaml *y, size_t n)
{
	if (n < y->n)
		yaml_anchors_end(y, n + 1);
	y->n = n;
}

static int yaml_emit(struct yaml *y, struct vtr_span value, struct vtr_error *err)
{
	struct vtr_span keys[YAML_DEPTH];
	size_t before = y->n_anchors;
	int rc;

	value = vtr_span_trim(value);
	if (yaml_properties(y, &value, err) < 0)
		return -1;
	if (value.len > 1 && *value.p == '*')
		return yaml_alias(y, vtr_span_skip(value, 1), err);
	rc = yaml_hand_on(y, keys, yaml_path(keys, y), vtr_span_unquote(value), err);
	for (size_t i = before; i < y->n_anchors; i++) /* a scalar's: the ones around it go on */
		y->anchors[i].last = y->n_events;
	return rc;
}

static bool yaml_push(struct yaml *y, size_t indent, struct vtr_span key)
{
	if (y->n == YAML_DEPTH)
		return false;
	if (key.p)
		key = vtr_span_unquote(vtr_span_trim(key));
	y->levels[y->n++] = (struct yaml_level){ indent, key };
	return true;
}

/* Where a quoted scalar that starts at p ends; end when it is not closed. */
static const char *yaml_quote_end(const char *p, const char *end)
{
	char quote = *p++;

	for (; p < end && *p != quote; p++)
		if (*p == '\\' && quote == '"' && p + 1 < end)
			p++;
	return p < end ? p + 1 : end;
}

/* The line up to a comment: "#" at its start or after a blank, outside of quotes. */
static struct vtr_span yaml_uncomment(struct vtr_span line)
{
	const char *p = line.p, *end = line.p + line.len;
	bool start = true; /* of a scalar: a quote elsewhere is a letter */

	while (p < end) {
		if (*p == '#' && (p == line.p || p[-1] == ' ' || p[-1] == '\t'))
			return (struct vtr_span){ line.p, (size_t)(p - line.p) };
		if (start && (*p == '"' || *p == '\'')) {
			p = yaml_quote_end(p, end);
			start = false;
			continue;
		}
		start = *p == ' ' || *p == '[' || *p == '{' || *p == ',' || (start && *p == '\t');
		p++;
	}
	return line;
}

/* The colon that ends a key in a line: before a blank or the end. line.len: there is none. */
static size_t yaml_colon(struct vtr_span line)
{
	size_t i = 0;

	if (line.len > 0 && (*line.p == '"' || *line.p == '\''))
		i = (size_t)(yaml_quote_end(line.p, line.p + line.len) - line.p);
	for (; i < line.len; i++)
		if (line.p[i] == ':' && (i + 1 == line.len || line.p[i + 1] == ' ' || line.p[i + 1] == '\t'))
			return i;
	return line.len;
}

/* One flow collection, from its bracket on; *p becomes what follows. Its keys are above those of the lines. */
static int yaml_flow(struct yaml *y, const char **p, const char *end, struct vtr_error *err)
{
	const size_t base = y->n;
	size_t indents[YAML_DEPTH], depth = 0; /* y->n where each bracket was met */
	size_t anchors[YAML_DEPTH];	       /* and the number of anchors, without its own */
	size_t before = y->n_anchors;

	while (*p < end) {
		char c = **p;

		if (c == '[' || c == '{') {
			if (depth == YAML_DEPTH)
				break;
			anchors[depth] = before;
			indents[depth++] = y->n;
			y->items++;
			before = y->n_anchors;
			++*p;
		} else if (c == ']' || c == '}') {
			++*p;
			y->n = indents[--depth];
			for (size_t i = anchors[depth]; i < y->n_anchors && depth > 0; i++)
				if (y->anchors[i].last == SIZE_MAX)
					y->anchors[i].last = y->n_events;
			before = y->n_anchors;
			if (depth == 0) {
				y->n = base;
				return 0;
			}
		} else if (c == ',') {
			before = y->n_anchors;
			y->n = indents[depth - 1];
			y->items++;
			++*p;
		} else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			++*p;
		} else if (c == '#') {
			while (*p < end && **p != '\n')
				++*p;
		} else {
			const char *from = *p;
			bool quoted = c == '"' || c == '\'';
			struct vtr_span scalar;

			if (quoted)
				*p = yaml_quote_end(*p, end);
			/* As JSON has it, the colon may stand right between a quoted key and its value. */
			while (*p < end && !yaml_in(**p, ",[]{}\n") &&
			       !(**p == ':' && (quoted || *p + 1 == end || yaml_in((*p)[1], " \t\n,[]{}"))))
				++*p;
			scalar = vtr_span_trim((struct vtr_span){ from, (size_t)(*p - from) });
			if (*p < end && **p == ':') {
				++*p;
				if (!yaml_push(y, SIZE_MAX, scalar))
					break;
			} else if (yaml_in(*scalar.p, "&!") && vtr_span_find(scalar, ' ') == scalar.len) {
				if (yaml_properties(y, &scalar, err) < 0) /* of the bracket that follows */
					return -1;
			} else if (yaml_emit(y, scalar, err) < 0) {
				return -1;
			}
		}
	}
	y->n = base;
	*p = end; /* not closed, or too deep */
	return 0;
}

/* A block scalar, "|" or ">": the lines that stand further in than the level. One of a single line is handed on. */
static int yaml_block(struct yaml *y, struct vtr_error *err)
{
	size_t level = y->n > 0 ? y->levels[y->n - 1].indent : 0, lines = 0;
	struct vtr_span rest = y->rest, line, text = { "", 0 };

	while (vtr_span_line(&line, &rest)) {
		size_t indent = 0;

		while (indent < line.len && line.p[indent] == ' ')
			indent++;
		if (indent < line.len && indent <= level && y->n > 0)
			break;
		y->rest = rest;
		line = vtr_span_trim(line);
		if (line.len > 0 && lines++ == 0)
			text = line;
	}
	if (lines == 1) {
		struct vtr_span keys[YAML_DEPTH];

		return yaml_hand_on(y, keys, yaml_path(keys, y), text, err);
	}
	y->skipped += lines > 1;
	return 0;
}

/* What is behind a key or a dash. */
static int yaml_value(struct yaml *y, struct vtr_span value, struct vtr_error *err)
{
	size_t before = y->n_anchors;
	int rc;

	value = vtr_span_trim(value);
	if (yaml_properties(y, &value, err) < 0)
		return -1;
	if (value.len == 0)
		return 0; /* lines below it; an anchor ends with its level */
	if (yaml_in(*value.p, "|>")) {
		rc = yaml_block(y, err);
	} else if (*value.p == '[' || *value.p == '{') {
		const char *p = value.p, *end = y->rest.p + y->rest.len;
		struct vtr_span rest;

		if (yaml_flow(y, &p, end, err) < 0)
			return -1;
		/* The rest of the line in which it ends. */
		rest = (struct vtr_span){ p, (size_t)(end - p) };
		if (p > y->rest.p) {
			size_t nl = vtr_span_find(rest, '\n');

			y->rest = vtr_span_skip(rest, nl < rest.len ? nl + 1 : nl);
		}
		rc = 0;
	} else {
		rc = yaml_emit(y, value, err);
	}
	for (size_t i = before; i < y->n_anchors; i++)
		if (y->anchors[i].last == SIZE_MAX)
			y->anchors[i].last = y->n_events;
	return rc;
}

static int yaml_line(struct yaml *y, struct vtr_span line, struct vtr_error *err)
{
	size_t indent = 0, colon;

	line = yaml_uncomment(line);
	while (indent < line.len && line.p[indent] == ' ')
		indent++;
	line = vtr_span_trim(vtr_span_skip(line, indent));
	if (line.len == 0 || *line.p == '%' || vtr_span_starts(line, "---") || vtr_span_starts(line, "..."))
		return 0;
	if (*line.p == '[' || *line.p == '{') /* JSON */
		return yaml_value(y, line, err);
	while (line.len > 0 && *line.p == '-' && (line.len == 1 || line.p[1] == ' ')) {
		/* A sequence may stand below its key without being indented. */
		while (y->n > 0 && (y->levels[y->n - 1].indent > indent ||
				    (y->levels[y->n - 1].indent == indent && !y->levels[y->n - 1].key.p)))
			yaml_pop(y, y->n - 1);
		if (!yaml_push(y, indent, (struct vtr_span){ NULL, 0 }))
			return 0;
		y->items++;
		do {
			line = vtr_span_skip(line, 1);
			indent++;
		} while (line.len > 0 && *line.p == ' ');
		if (line.len == 0)
			return 0;
		if (yaml_colon(line) == line.len && *line.p != '-')
			return yaml_value(y, line, err);
	}
	if (*line.p == '?' && (line.len == 1 || line.p[1] == ' ')) {
		y->skipped++;
		return 0;
	}
	while (y->n > 0 && y->levels[y->n - 1].indent >= indent)
		yaml_pop(y, y->n - 1);
	colon = yaml_colon(line);
	if (colon == line.len || !yaml_push(y, indent, (struct vtr_span){ line.p, colon }))
		return 0;
	return yaml_value(y, vtr_span_skip(line, colon + 1), err);
}

int vtr_yaml_parse(uint64_t *skipped, const char *text, size_t len, vtr_yaml_fn *fn, void *arg, struct vtr_error *err)
{
	struct yaml y = { .rest = { text, len }, .fn = fn, .arg = arg };
	struct vtr_span line;
	int rc = 0;

	y.keep = len > 0 && memchr(text, '&', len) && memchr(text, '*', len);
	if (vtr_span_starts(y.rest, "\xef\xbb\xbf"))
		y.rest = vtr_span_skip(y.rest, 3);
	while (rc == 0 && vtr_span_line(&line, &y.rest))
		rc = yaml_line(&y, line, err);
	free(y.events);
	free(y.keys);
	free(y.anchors);
	*skipped = y.skipped;
	return rc;
}
