/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interfaces as netplan(5) has them. */
#include "base/checked.h"
#include "inspect/network.h"
#include "inspect/yaml.h"

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
	int rc = vtr_yaml_parse(text, len, netplan_scalar, &n, err);

	if (rc == 0)
		rc = netplan_flush(&n, err);
	vtr_interface_done(&n.i);
	return rc;
}
