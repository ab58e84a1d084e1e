/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The part of YAML that configuration files use: mappings and sequences by indentation, [flow, sequences] and {flow:
 * mappings} over any number of lines, plain and quoted scalars, comments. So JSON is read, too. Anchors, tags, block
 * scalars and directives are not known: a line that has one is passed over. Escapes in quotes stay as they are.
 */
#include "inspect/yaml.h"

#include "base/checked.h"

#define YAML_DEPTH 24u

struct yaml_level {
	size_t indent;
	struct vtr_span key; /* p NULL: an item of a sequence */
};

struct yaml {
	struct vtr_span rest;
	struct yaml_level levels[YAML_DEPTH];
	size_t n;
	uint64_t skipped;
	uint64_t items; /* dashes and flow items so far: it changes with each item of a sequence */
	vtr_yaml_fn *fn;
	void *arg;
};

static int yaml_emit(struct yaml *y, struct vtr_span value, struct vtr_error *err)
{
	struct vtr_span keys[YAML_DEPTH];
	size_t n = 0;

	for (size_t i = 0; i < y->n; i++)
		if (y->levels[i].key.p)
			keys[n++] = y->levels[i].key;
	return y->fn(y->arg, keys, n, vtr_span_unquote(vtr_span_trim(value)), y->items, err);
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

static bool yaml_in(char c, const char *set)
{
	return c != 0 && strchr(set, c);
}

/* One flow collection, from its bracket on; *p becomes what follows. Its keys are above those of the lines. */
static int yaml_flow(struct yaml *y, const char **p, const char *end, struct vtr_error *err)
{
	const size_t base = y->n;
	size_t indents[YAML_DEPTH], depth = 0; /* y->n where each bracket was met */

	while (*p < end) {
		char c = **p;

		if (c == '[' || c == '{') {
			if (depth == YAML_DEPTH)
				break;
			indents[depth++] = y->n;
			y->items++;
			++*p;
		} else if (c == ']' || c == '}') {
			++*p;
			y->n = indents[--depth];
			if (depth == 0) {
				y->n = base;
				return 0;
			}
		} else if (c == ',') {
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
			} else if (yaml_emit(y, scalar, err) < 0) {
				return -1;
			}
		}
	}
	y->n = base;
	*p = end; /* not closed, or too deep */
	return 0;
}

/* What is behind a key or a dash. */
static int yaml_value(struct yaml *y, struct vtr_span value, struct vtr_error *err)
{
	value = vtr_span_trim(value);
	if (value.len == 0)
		return 0;
	if (yaml_in(*value.p, "|>&*!")) {
		y->skipped++;
		return 0;
	}
	if (*value.p == '[' || *value.p == '{') {
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
		return 0;
	}
	return yaml_emit(y, value, err);
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
			y->n--;
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
	while (y->n > 0 && y->levels[y->n - 1].indent >= indent)
		y->n--;
	colon = yaml_colon(line);
	if (colon == line.len || !yaml_push(y, indent, (struct vtr_span){ line.p, colon }))
		return 0;
	return yaml_value(y, vtr_span_skip(line, colon + 1), err);
}

int vtr_yaml_parse(uint64_t *skipped, const char *text, size_t len, vtr_yaml_fn *fn, void *arg, struct vtr_error *err)
{
	struct yaml y = { .rest = { text, len }, .fn = fn, .arg = arg };
	struct vtr_span line;

	if (vtr_span_starts(y.rest, "\xef\xbb\xbf"))
		y.rest = vtr_span_skip(y.rest, 3);
	*skipped = 0;
	while (vtr_span_line(&line, &y.rest))
		if (yaml_line(&y, line, err) < 0)
			return -1;
	*skipped = y.skipped;
	return 0;
}
