/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * netplan(5): YAML, of which these files use a part: mappings and sequences by indentation, [flow, sequences] and
 * {flow: mappings} over any number of lines, plain and quoted scalars, comments. Anchors, tags, block scalars and
 * directives are not known: a line that has one is passed over.
 */
#include "base/checked.h"
#include "inspect/network.h"

#define YAML_DEPTH 24u

struct yaml_level {
	size_t indent;
	struct vtr_span key; /* p NULL: an item of a sequence */
};

/* A scalar, and the keys that lead to it. */
typedef int yaml_fn(void *arg, const struct vtr_span *keys, size_t n, struct vtr_span value, uint64_t item,
		    struct vtr_error *err);

struct yaml {
	struct vtr_span rest;
	struct yaml_level levels[YAML_DEPTH];
	size_t n;
	uint64_t items; /* dashes and flow items so far: it changes with each item of a sequence */
	yaml_fn *fn;
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
			struct vtr_span scalar;

			if (c == '"' || c == '\'')
				*p = yaml_quote_end(*p, end);
			while (*p < end && !yaml_in(**p, ",[]{}\n") &&
			       !(**p == ':' && (*p + 1 == end || yaml_in((*p)[1], " \t\n,[]{}"))))
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
	if (value.len == 0 || *value.p == '|' || *value.p == '>' || *value.p == '&' || *value.p == '*' ||
	    *value.p == '!')
		return 0;
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

static int yaml_parse(const char *text, size_t len, yaml_fn *fn, void *arg, struct vtr_error *err)
{
	struct yaml y = { .rest = { text, len }, .fn = fn, .arg = arg };
	struct vtr_span line;

	while (vtr_span_line(&line, &y.rest))
		if (yaml_line(&y, line, err) < 0)
			return -1;
	return 0;
}

/* -------------------------------------------------------------------------------------------------------- netplan */

struct netplan {
	struct vtr_os *os;
	const char *path;
	struct vtr_interface i;
	const char *name; /* where the name lies: another one is another interface */
	struct vtr_span set_name, to, via;
	uint64_t item;
};

/* A route of the interface's is whole when the next begins. */
static void netplan_route(struct netplan *n)
{
	if (n->via.len > 0 &&
	    (vtr_span_is(n->to, "default") || vtr_span_is(n->to, "0.0.0.0/0") || vtr_span_is(n->to, "::/0")))
		vtr_list_put(&n->i.gateways, n->via);
	n->to.len = n->via.len = 0;
}

static int netplan_flush(struct netplan *n, struct vtr_error *err)
{
	netplan_route(n);
	if (n->set_name.len > 0)
		n->i.name = n->set_name;
	n->set_name.len = 0;
	n->name = NULL;
	return vtr_interface_add(&n->i, n->os, "netplan", n->path, err);
}

static bool netplan_yes(struct vtr_span v)
{
	return vtr_span_is_icase(v, "true") || vtr_span_is_icase(v, "yes") || vtr_span_is_icase(v, "on");
}

static int netplan_scalar(void *arg, const struct vtr_span *keys, size_t count, struct vtr_span value, uint64_t item,
			  struct vtr_error *err)
{
	static const char *const kinds[] = { "ethernets", "wifis",   "bonds", "bridges",       "vlans",
					     "modems",	  "tunnels", "vrfs",  "dummy-devices", "virtual-ethernets" };
	struct netplan *n = arg;
	const struct vtr_span *key;
	bool known = false;

	if (count < 4 || !vtr_span_is(keys[0], "network"))
		return 0;
	for (size_t i = 0; i < VTR_COUNT(kinds); i++)
		known = known || vtr_span_is(keys[1], kinds[i]);
	if (!known)
		return 0;
	if (n->name != keys[2].p) {
		if (netplan_flush(n, err) < 0)
			return -1;
		n->name = keys[2].p;
		n->i.name = keys[2];
	}
	key = &keys[3];
	if (vtr_span_is(*key, "dhcp4") && netplan_yes(value)) {
		n->i.method = "dhcp";
	} else if (vtr_span_is(*key, "dhcp6") && netplan_yes(value)) {
		n->i.method6 = "dhcp";
	} else if (vtr_span_is(*key, "addresses")) {
		/* An address that is a key has a label or a lifetime. */
		if (count > 4 && item == n->item)
			return 0;
		n->item = item;
		value = count > 4 ? keys[4] : value;
		vtr_list_put(&n->i.addresses, value);
		if (vtr_span_find(value, ':') < value.len)
			n->i.method6 = n->i.method6 ? n->i.method6 : "static";
		else
			n->i.method = n->i.method ? n->i.method : "static";
	} else if (vtr_span_is(*key, "gateway4") || vtr_span_is(*key, "gateway6")) {
		vtr_list_put(&n->i.gateways, value);
	} else if (vtr_span_is(*key, "macaddress") ||
		   (vtr_span_is(*key, "match") && count == 5 && vtr_span_is(keys[4], "macaddress"))) {
		n->i.mac = value;
	} else if (vtr_span_is(*key, "set-name")) {
		n->set_name = value;
	} else if (vtr_span_is(*key, "nameservers") && count == 5 && vtr_span_is(keys[4], "addresses")) {
		vtr_list_put(&n->i.dns, value);
	} else if (vtr_span_is(*key, "routes") && count == 5) {
		bool to = vtr_span_is(keys[4], "to");

		/* Within flow mappings each pair is counted: a second "to" or "via" begins a route, too. */
		if (to ? n->to.len > 0 : vtr_span_is(keys[4], "via") && n->via.len > 0)
			netplan_route(n);
		if (to)
			n->to = value;
		else if (vtr_span_is(keys[4], "via"))
			n->via = value;
	}
	return 0;
}

int vtr_netplan_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct netplan n = { .os = os, .path = path };
	int rc = yaml_parse(text, len, netplan_scalar, &n, err);

	if (rc == 0)
		rc = netplan_flush(&n, err);
	vtr_interface_done(&n.i);
	return rc;
}
