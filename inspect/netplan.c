/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces as netplan(5) has them: all its files together. A later file sets scalars anew, and adds to lists what is not
 * in them yet.
 */
#include <stdlib.h>

#include "base/checked.h"
#include "inspect/network.h"
#include "inspect/yaml.h"

struct netplan_def {
	char *id, *path; /* path: of the file that names it first */
	struct vtr_str addresses, gateways, dns, name, mac, match_mac, gateway4, gateway6;
	bool dhcp4, dhcp6;
};

struct netplan {
	struct vtr_os *os;
	const char *path;
	struct netplan_def *defs;
	size_t n, cap, cur;
	const char *at; /* where the name of the current one lies: another one is another interface */
	struct vtr_span to, via;
	uint64_t item;
};

static void netplan_set(struct vtr_str *out, struct vtr_span v)
{
	out->len = 0;
	vtr_str_put(out, v.p, v.len);
}

/* One more in a list, unless it is there. */
static void netplan_put(struct vtr_str *list, struct vtr_span v)
{
	struct vtr_span rest = { list->p, list->len }, line;
	struct vtr_str one = { 0 };

	vtr_list_put(&one, v);
	while (vtr_span_line(&line, &rest))
		if (line.len == one.len && memcmp(line.p, one.p, one.len) == 0) {
			vtr_str_done(&one);
			return;
		}
	vtr_str_done(&one);
	vtr_list_put(list, v);
}

/* A route of the interface's is whole when the next begins. */
static void netplan_route(struct netplan *n)
{
	if (n->via.len > 0 &&
	    (vtr_span_is(n->to, "default") || vtr_span_is(n->to, "0.0.0.0/0") || vtr_span_is(n->to, "::/0")))
		netplan_put(&n->defs[n->cur].gateways, n->via);
	n->to.len = n->via.len = 0;
}

static int netplan_def_find(struct netplan *n, struct vtr_span id, struct vtr_error *err)
{
	struct netplan_def *d;

	if (n->at)
		netplan_route(n);
	n->at = id.p;
	for (n->cur = 0; n->cur < n->n; n->cur++)
		if (vtr_span_is(id, n->defs[n->cur].id))
			return 0;
	if (VTR_OVER(n->os->ctx, records, n->n + 1, "interfaces", err) < 0 || !VTR_GROW(n->defs, n->n, n->cap, err))
		return -1;
	d = &n->defs[n->n++];
	*d = (struct netplan_def){ .id = vtr_strndup(id.p, id.len, err) };
	d->path = d->id ? vtr_strndup(n->path, strlen(n->path), err) : NULL;
	return d->path ? 0 : -1;
}

static bool netplan_yes(struct vtr_span v)
{
	return vtr_span_is_icase(v, "true") || vtr_span_is_icase(v, "yes") || vtr_span_is_icase(v, "on") ||
	       vtr_span_is_icase(v, "y");
}

static void netplan_member(struct netplan *n, const struct vtr_span *keys, size_t count, struct vtr_span value,
			   uint64_t item)
{
	struct netplan_def *d = &n->defs[n->cur];
	const struct vtr_span *key = &keys[3];

	if (vtr_span_is(*key, "dhcp4")) {
		d->dhcp4 = netplan_yes(value);
	} else if (vtr_span_is(*key, "dhcp6")) {
		d->dhcp6 = netplan_yes(value);
	} else if (vtr_span_is(*key, "addresses")) {
		/* An address that is a key has a label or a lifetime. */
		if (count > 4 && item == n->item)
			return;
		n->item = item;
		netplan_put(&d->addresses, count > 4 ? keys[4] : value);
	} else if (vtr_span_is(*key, "gateway4") || vtr_span_is(*key, "gateway6")) {
		netplan_set(vtr_span_is(*key, "gateway4") ? &d->gateway4 : &d->gateway6, value);
	} else if (vtr_span_is(*key, "macaddress")) {
		netplan_set(&d->mac, value);
	} else if (vtr_span_is(*key, "match") && count == 5 && vtr_span_is(keys[4], "macaddress")) {
		netplan_set(&d->match_mac, value);
	} else if (vtr_span_is(*key, "set-name")) {
		netplan_set(&d->name, value);
	} else if (vtr_span_is(*key, "nameservers") && count == 5 && vtr_span_is(keys[4], "addresses")) {
		vtr_list_put(&d->dns, value);
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
}

static int netplan_scalar(void *arg, const struct vtr_span *keys, size_t count, struct vtr_span value, uint64_t item,
			  struct vtr_error *err)
{
	static const char *const kinds[] = { "ethernets", "wifis",   "bonds", "bridges",       "vlans",
					     "modems",	  "tunnels", "vrfs",  "dummy-devices", "virtual-ethernets" };
	struct netplan *n = arg;
	bool known = false;

	if (count < 4 || !vtr_span_is(keys[0], "network"))
		return 0;
	for (size_t i = 0; i < VTR_COUNT(kinds); i++)
		known = known || vtr_span_is(keys[1], kinds[i]);
	if (!known || keys[2].len == 0)
		return 0;
	if (n->at != keys[2].p && netplan_def_find(n, keys[2], err) < 0)
		return -1;
	netplan_member(n, keys, count, value, item);
	return 0;
}

static int netplan_file(struct netplan *n, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	uint64_t skipped;

	n->path = path;
	n->at = NULL;
	n->item = 0;
	n->to.len = n->via.len = 0;
	if (vtr_yaml_parse(&skipped, text, len, netplan_scalar, n, err) < 0)
		return -1;
	if (n->at)
		netplan_route(n);
	n->at = NULL;
	if (skipped > 0)
		vtr_os_warn(
			n->os, path, VTR_EUNSUPPORTED,
			"%" PRIu64
			" values are not read: aliases of nothing, keys of several words or blocks of several lines",
			skipped);
	return 0;
}

/* Of a list those of IPv4, then those of IPv6: netplan keeps them apart. Whether there is any. */
static bool netplan_family(struct vtr_str *out, const struct vtr_str *list, bool six)
{
	struct vtr_span rest = { list->p, list->len }, line;
	bool any = false;

	while (vtr_span_line(&line, &rest)) {
		if ((vtr_span_find(line, ':') < line.len) != six)
			continue;
		if (out->len > 0)
			vtr_str_put(out, "\n", 1);
		vtr_str_put(out, line.p, line.len); /* it is escaped already */
		any = true;
	}
	out->oom = out->oom || list->oom;
	return any;
}

static int netplan_def_add(struct netplan *n, struct netplan_def *d, struct vtr_error *err)
{
	struct vtr_interface i = { .method = NULL };
	const struct vtr_str *mac = d->mac.len > 0 ? &d->mac : &d->match_mac;
	int rc;

	if (d->name.oom || d->mac.oom || d->match_mac.oom || d->gateway4.oom || d->gateway6.oom)
		return vtr_fail(err, VTR_ENOMEM, "an interface");
	i.name = d->name.len > 0 ? (struct vtr_span){ d->name.p, d->name.len } : vtr_span_of(d->id);
	i.mac = (struct vtr_span){ mac->p, mac->len };
	i.method = netplan_family(&i.addresses, &d->addresses, false) ? "static" : NULL;
	i.method6 = netplan_family(&i.addresses, &d->addresses, true) ? "static" : NULL;
	if (d->dhcp4)
		i.method = "dhcp";
	if (d->dhcp6)
		i.method6 = "dhcp";
	netplan_family(&i.dns, &d->dns, false);
	netplan_family(&i.dns, &d->dns, true);
	vtr_list_put(&i.gateways, (struct vtr_span){ d->gateway4.p, d->gateway4.len });
	vtr_list_put(&i.gateways, (struct vtr_span){ d->gateway6.p, d->gateway6.len });
	netplan_family(&i.gateways, &d->gateways, false);
	netplan_family(&i.gateways, &d->gateways, true);
	rc = vtr_interface_add(&i, n->os, "netplan", d->path, err);
	vtr_interface_done(&i);
	return rc;
}

/* All that was read becomes records, and goes. */
static int netplan_end(struct netplan *n, int rc, struct vtr_error *err)
{
	for (size_t i = 0; i < n->n; i++) {
		struct netplan_def *d = &n->defs[i];
		struct vtr_str *all[] = { &d->addresses, &d->gateways,	&d->dns,      &d->name,
					  &d->mac,	 &d->match_mac, &d->gateway4, &d->gateway6 };

		if (rc == 0)
			rc = netplan_def_add(n, d, err);
		for (size_t j = 0; j < VTR_COUNT(all); j++)
			vtr_str_done(all[j]);
		free(d->id);
		free(d->path);
	}
	free(n->defs);
	return rc;
}

int vtr_netplan_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct netplan n = { .os = os };

	return netplan_end(&n, netplan_file(&n, path, text, len, err), err);
}

/* A file in /etc stands in for one of the same name in /lib. */
int vtr_netplan_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const dirs[] = { "/etc/netplan", "/usr/lib/netplan", "/lib/netplan" };
	struct netplan n = { .os = os };
	struct vtr_merged m;
	int rc = vtr_os_merge(&m, os, dirs, VTR_COUNT(dirs), ".yaml", err);

	for (size_t i = 0; rc == 0 && i < m.n; i++) {
		VTR_FREE char *text = NULL;
		size_t len;
		int there = vtr_os_text_slurp(&text, &len, os, m.paths[i], err);

		rc = there > 0 ? netplan_file(&n, m.paths[i], text, len, err) : there;
	}
	vtr_merged_done(&m);
	return netplan_end(&n, rc, err);
}
