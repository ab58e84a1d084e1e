/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * interfaces(5) of ifupdown, as version 0.8.41 reads it. Each "iface" stanza configures something of its interface; those
 * of one name become one record unless they contradict each other. ifup(8) takes nothing of a main file that has a
 * mistake, and of another file only what is before it.
 */
#include <stdlib.h>

#include "base/checked.h"
#include "base/held.h"
#include "inspect/includes.h"
#include "inspect/network.h"

#define IFUPDOWN_DEPTH 16u
#define IFUPDOWN_FILES 4096u

/* What is remembered of a stanza's options. */
enum { IFUPDOWN_ADDRESS, IFUPDOWN_NETMASK, IFUPDOWN_GATEWAY, IFUPDOWN_MAC, IFUPDOWN_TEXTS };

struct ifupdown_stanza {
	char *name, *family, *path;
	const char *method;	     /* static; NULL: one that we do not know */
	char *texts[IFUPDOWN_TEXTS]; /* what comes first counts */
	struct vtr_str dns;	     /* a list */
	bool done;		     /* it is in a record */
};

struct ifupdown {
	struct vtr_includes files;
	struct ifupdown_stanza *v; /* held */
	size_t n, cap;
	enum { IFUPDOWN_NONE, IFUPDOWN_IFACE, IFUPDOWN_MAPPING } in; /* what options belong to */
	struct vtr_str joined;
};

/* Methods of interfaces(5) that have a name of ours. */
static const char *ifupdown_method(struct vtr_span word)
{
	static const char *const known[] = { "static", "manual", "dhcp",   "auto",   "loopback", "ppp",
					     "bootp",  "tunnel", "wvdial", "ipv4ll", "v4tunnel", "6to4" };

	for (size_t i = 0; i < VTR_COUNT(known); i++)
		if (vtr_span_is(word, known[i]))
			return known[i];
	return NULL;
}

/* One line, with those that a backslash at its end joins to it. Blanks at both ends are gone. */
static int ifupdown_line(struct ifupdown *u, struct vtr_include *f, struct vtr_span *out, struct vtr_error *err)
{
	struct vtr_span line;
	bool more = true;

	u->joined.len = 0;
	while (more && vtr_span_line(&line, &f->rest)) {
		f->skipped.line++;
		if (u->joined.len == 0) {
			struct vtr_span first = vtr_span_trim(line);

			*out = first;
			if (first.len == 0 || *first.p == '#') /* a comment's backslash joins nothing */
				return 0;
		}
		more = vtr_span_ends(line, "\\");
		vtr_str_put(&u->joined, line.p, line.len - more);
	}
	if (u->joined.oom)
		return vtr_fail(err, VTR_ENOMEM, "a line of %s", f->path);
	*out = vtr_span_trim((struct vtr_span){ u->joined.p, u->joined.len });
	return 0;
}

static void ifupdown_stanza_done(struct ifupdown_stanza *s)
{
	for (size_t i = 0; i < VTR_COUNT(s->texts); i++)
		free(s->texts[i]);
	free(s->name);
	free(s->family);
	free(s->path);
	vtr_str_done(&s->dns);
}

static int ifupdown_copy(char **to, struct vtr_span s, struct vtr_error *err)
{
	*to = vtr_strndup(s.p, s.len, err);
	return *to ? 0 : -1;
}

/* What a stanza has from the one that it inherits from: the first of that name, and of the family if one was given. 1, 0, -1. */
static int ifupdown_inherit(struct ifupdown *u, struct ifupdown_stanza *s, struct vtr_span from, struct vtr_error *err)
{
	const struct ifupdown_stanza *base = NULL;

	for (size_t i = 0; i < u->n && !base; i++)
		if (vtr_span_is(from, u->v[i].name) && (!s->family || strcmp(s->family, u->v[i].family) == 0))
			base = &u->v[i];
	if (!base)
		return 0;
	if (!s->family) {
		s->method = base->method;
		if (ifupdown_copy(&s->family, vtr_span_of(base->family), err) < 0)
			return -1;
	}
	for (size_t i = 0; i < VTR_COUNT(s->texts); i++)
		if (base->texts[i] && ifupdown_copy(&s->texts[i], vtr_span_of(base->texts[i]), err) < 0)
			return -1;
	vtr_str_put(&s->dns, base->dns.p, base->dns.len);
	return 1;
}

/* NULL, or what is wrong with the line. */
static int ifupdown_iface(const char **wrong, struct ifupdown *u, const char *path, struct vtr_span line,
			  struct vtr_error *err)
{
	struct vtr_span name, word = { "", 0 }, method = { "", 0 }, from = { "", 0 };
	struct ifupdown_stanza s = { .method = NULL };
	int rc = 0;

	if (!vtr_span_word(&name, &line)) {
		*wrong = "an iface without a name";
		return 0;
	}
	while (rc == 0 && vtr_span_word(&word, &line)) {
		if (vtr_span_is(word, "inherits") && vtr_span_word(&from, &line))
			continue;
		if (s.family)
			continue; /* ifup(8) takes no more, and says so */
		rc = ifupdown_copy(&s.family, word, err);
		if (rc == 0 && vtr_span_word(&method, &line))
			s.method = ifupdown_method(method);
	}
	if (rc == 0 && from.len > 0)
		rc = ifupdown_inherit(u, &s, from, err);
	else if (rc == 0)
		rc = s.family && method.len > 0;
	if (rc == 0)
		*wrong = from.len > 0 ? "an iface that inherits from one that is not there"
				      : "an iface without a family or a method";
	if (rc > 0)
		rc = ifupdown_copy(&s.name, name, err) < 0 || ifupdown_copy(&s.path, vtr_span_of(path), err) < 0 ||
				     VTR_OVER(u->files.os->ctx, records, u->n + 1, "interfaces", err) < 0 ||
				     VTR_HOLD_GROW(u->files.os->ctx, u->v, u->n, u->cap, "interfaces", err) < 0
			     ? -1
			     : 1;
	if (rc > 0) {
		u->v[u->n++] = s;
		u->in = IFUPDOWN_IFACE;
		return 0;
	}
	ifupdown_stanza_done(&s);
	return rc;
}

static int ifupdown_option(struct ifupdown_stanza *s, struct vtr_span key, struct vtr_span value, struct vtr_error *err)
{
	static const char *const keys[] = { "address", "netmask", "gateway", "hwaddress" };

	for (size_t i = 0; i < VTR_COUNT(keys); i++)
		if (vtr_span_is(key, keys[i]) && !s->texts[i])
			return ifupdown_copy(&s->texts[i], value, err);
	if (vtr_span_is(key, "dns-nameservers") || vtr_span_is(key, "dns-nameserver"))
		vtr_list_put_words(&s->dns, value, ',');
	return 0;
}

static int ifupdown_listed(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct vtr_span name = vtr_span_of(e->name);

	for (size_t i = 0; i < name.len; i++)
		if (!(name.p[i] >= 'a' && name.p[i] <= 'z') && !(name.p[i] >= 'A' && name.p[i] <= 'Z') &&
		    !(name.p[i] >= '0' && name.p[i] <= '9') && name.p[i] != '_' && name.p[i] != '-')
			return 0;
	return e->type == VTR_TYPE_DIR ? 0 : vtr_paths_add(arg, os, vtr_span_of(e->path), err);
}

/* "source PATTERN…" and "source-directory PATTERN…": relative to the directory of the file that has the line. */
static int ifupdown_source(struct ifupdown *u, struct vtr_include *f, struct vtr_span line, bool directory,
			   struct vtr_error *err)
{
	struct vtr_os *os = u->files.os;
	struct vtr_paths paths = { .n = 0 };
	const char *slash = strrchr(f->path, '/');
	struct vtr_span word;
	int rc = 0;

	while (rc == 0 && os->tree && vtr_span_word(&word, &line)) {
		struct vtr_paths dirs = { .n = 0 };
		struct vtr_str s = { 0 };
		VTR_FREE char *pattern = NULL;

		word = vtr_span_unquote(word);
		if (word.len > 0 && *word.p == '~')
			word = (struct vtr_span){ "", 0 }; /* the home of whoever runs ifup */
		if (word.len == 0 || memchr(word.p, '$', word.len) || memchr(word.p, '`', word.len)) {
			vtr_os_warn(os, f->path, VTR_EUNSUPPORTED, "line %zu: a path with a variable is not read",
				    f->skipped.line);
			continue;
		}
		if (*word.p != '/' && slash)
			vtr_str_put(&s, f->path, (size_t)(slash - f->path) + 1);
		vtr_str_put(&s, word.p, word.len);
		pattern = vtr_str_take(&s, err);
		rc = pattern ? vtr_os_glob(directory ? &dirs : &paths, os, vtr_span_of(pattern), err) : -1;
		for (size_t i = 0; i < dirs.n && rc == 0; i++)
			rc = vtr_os_list(os, dirs.v[i], ifupdown_listed, &paths, err);
		vtr_paths_done(&dirs);
	}
	if (rc == 0)
		return vtr_includes_push(&u->files, &paths, err);
	vtr_paths_done(&paths);
	return -1;
}

/* One line. *wrong: why ifup(8) would not take the file; NULL. */
static int ifupdown_read_line(const char **wrong, struct ifupdown *u, struct vtr_include *f, struct vtr_span line,
			      struct vtr_error *err)
{
	static const char *const alone[] = { "auto", "no-auto-down", "no-scripts", "rename" };
	struct vtr_span word;

	if (!vtr_span_word(&word, &line))
		return 0;
	line = vtr_span_trim(line);
	if (vtr_span_is(word, "iface"))
		return ifupdown_iface(wrong, u, f->path, line, err);
	if (vtr_span_is(word, "mapping")) {
		u->in = IFUPDOWN_MAPPING;
		return 0;
	}
	if (vtr_span_is(word, "source") || vtr_span_is(word, "source-directory")) {
		u->in = IFUPDOWN_NONE;
		return ifupdown_source(u, f, line, !vtr_span_is(word, "source"), err);
	}
	for (size_t i = 0; i <= VTR_COUNT(alone); i++)
		if (i < VTR_COUNT(alone) ? vtr_span_is(word, alone[i]) : vtr_span_starts(word, "allow-")) {
			u->in = IFUPDOWN_NONE;
			return 0;
		}
	if (u->in == IFUPDOWN_NONE)
		*wrong = "an option outside of a stanza";
	else if (line.len == 0)
		*wrong = "an option without a value";
	else if (u->in == IFUPDOWN_IFACE)
		return ifupdown_option(&u->v[u->n - 1], word, line, err);
	return 0;
}

/* The mask that an address of IPv4 has without one: of its class. */
static struct vtr_span ifupdown_class(const char *address)
{
	struct vtr_span rest = vtr_span_of(address), part;
	uint64_t n, first = 256;
	unsigned parts = 0;

	while (vtr_span_field(&part, &rest, '.')) {
		if (!vtr_span_u64(&n, part, 255))
			return (struct vtr_span){ "", 0 };
		first = parts++ == 0 ? n : first;
	}
	return vtr_span_of(parts != 4 ? "" : first < 128 ? "8" : first < 192 ? "16" : first < 224 ? "24" : "32");
}

static void ifupdown_put(struct vtr_interface *i, struct ifupdown_stanza *s)
{
	const char *address = s->texts[IFUPDOWN_ADDRESS], *mask = s->texts[IFUPDOWN_NETMASK], *mac;
	bool six = strcmp(s->family, "inet6") == 0;

	*(six ? &i->method6 : &i->method) = s->method;
	if (address) {
		struct vtr_span a = vtr_span_of(address);

		if (mask) /* counts before what the address has behind it */
			a.len = vtr_span_find(a, '/');
		vtr_interface_address(i, a,
				      mask  ? vtr_span_of(mask)
				      : six ? vtr_span_of("64")
					    : ifupdown_class(address));
	}
	if (s->texts[IFUPDOWN_GATEWAY])
		vtr_list_put(&i->gateways, vtr_span_of(s->texts[IFUPDOWN_GATEWAY]));
	if (s->dns.len > 0) {
		vtr_str_put(&i->dns, "\n", i->dns.len > 0);
		vtr_str_put(&i->dns, s->dns.p, s->dns.len);
	}
	i->dns.oom = i->dns.oom || s->dns.oom;
	mac = s->texts[IFUPDOWN_MAC];
	if (mac && i->mac.len == 0)
		i->mac = vtr_span_trim(vtr_span_of(strncmp(mac, "ether ", 6) == 0 ? mac + 6 : mac));
	s->done = true;
}

static bool ifupdown_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* The stanzas of one name, unless one wants another method for its family: that one begins a record of its own. */
static int ifupdown_records(struct ifupdown *u, struct vtr_error *err)
{
	uint64_t steps = 0;

	for (size_t first = 0; first < u->n; first++) {
		struct vtr_interface i = { .name = vtr_span_of(u->v[first].name) };
		bool have[2] = { false };

		if (u->v[first].done)
			continue;
		for (size_t k = first; k < u->n; k++) {
			struct ifupdown_stanza *s = &u->v[k];
			bool six = strcmp(s->family, "inet6") == 0;

			if (s->done || strcmp(s->name, u->v[first].name) != 0 ||
			    (have[six] && !ifupdown_same(six ? i.method6 : i.method, s->method)))
				continue;
			have[six] = true;
			ifupdown_put(&i, s);
		}
		if (vtr_interface_add(&i, u->files.os, "ifupdown", u->v[first].path, err) < 0 ||
		    vtr_tick(u->files.os->ctx, &steps, u->n, err) < 0)
			return -1;
	}
	return 0;
}

static int ifupdown_all(struct ifupdown *u, struct vtr_error *err)
{
	struct vtr_include *f;
	int more;

	while ((more = vtr_includes_next(&f, &u->files, err)) > 0) {
		const char *wrong = NULL;
		struct vtr_span line = { "", 0 };
		bool main = f->depth == 0;

		if (f->skipped.line == 0) /* another file: a stanza does not go on in it */
			u->in = IFUPDOWN_NONE;
		if (ifupdown_line(u, f, &line, err) < 0)
			break;
		if (line.len > 0 && *line.p != '#' && ifupdown_read_line(&wrong, u, f, line, err) < 0)
			break;
		if (!wrong)
			continue;
		vtr_os_warn(u->files.os, f->path, VTR_ECORRUPT, "line %zu: %s: ifup takes nothing of %s",
			    f->skipped.line, wrong, main ? "the file" : "what follows in it");
		f->rest.len = 0;
		u->in = IFUPDOWN_NONE;
		while (main && u->n > 0)
			ifupdown_stanza_done(&u->v[--u->n]);
	}
	if (more == 0)
		more = ifupdown_records(u, err);
	while (u->n > 0)
		ifupdown_stanza_done(&u->v[--u->n]);
	vtr_let_go(u->v);
	vtr_str_done(&u->joined);
	vtr_includes_done(&u->files);
	return more == 0 ? 0 : -1;
}

int vtr_ifupdown_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct ifupdown u = {
		.files = { .os = os, .max_depth = IFUPDOWN_DEPTH, .max_files = IFUPDOWN_FILES, .once = true }
	};

	if (vtr_includes_text(&u.files, path, text, len, err) == 0)
		return ifupdown_all(&u, err);
	vtr_includes_done(&u.files);
	return -1;
}

int vtr_ifupdown_read(struct vtr_os *os, struct vtr_error *err)
{
	return vtr_os_text(os, "/etc/network/interfaces", vtr_ifupdown_parse, err) < 0 ? -1 : 0;
}
