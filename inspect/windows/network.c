/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces of the network as TCP/IP has them: Services\Tcpip\Parameters\Interfaces, with the names of connections and of
 * adapters; NT 4 keeps the same values with each adapter's service.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/fold.h"
#include "inspect/network.h"
#include "inspect/windows/windows.h"

#define NET_CLASS "{4D36E972-E325-11CE-BFC1-08002BE10318}"

enum {
	N_DHCP,
	N_ADDRESS,
	N_MASK,
	N_GATEWAY,
	N_DNS,
	N_DHCP_ADDRESS,
	N_DHCP_MASK,
	N_DHCP_GATEWAY,
	N_DHCP_DNS,
	N_DOMAIN,
	N_DHCP_DOMAIN,
	N_COUNT,
};

/* clang-format off */
static const char *const net_values[N_COUNT] = {
	"EnableDHCP", "IPAddress", "SubnetMask", "DefaultGateway", "NameServer", "DhcpIPAddress", "DhcpSubnetMask",
	"DhcpDefaultGateway", "DhcpNameServer", "Domain", "DhcpDomain",
};
/* clang-format on */

struct net_adapter {
	char *id, *description, *mac;
};

struct net {
	struct net_adapter *v;
	size_t n, cap;
};

static int net_adapter_key(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *name,
			   struct vtr_error *err)
{
	struct win_value v[] = { { .name = "NetCfgInstanceId" },
				 { .name = "DriverDesc" },
				 { .name = "NetworkAddress" } };
	struct net *net = arg;
	int rc = vtr_win_values(v, VTR_COUNT(v), os, hive, key, err);

	(void)name;
	if (rc == 0 && v[0].text) {
		if (VTR_OVER(os->ctx, records, net->n + 1, "adapters", err) < 0 ||
		    !VTR_GROW(net->v, net->n, net->cap, err))
			rc = -1;
		else
			net->v[net->n++] = (struct net_adapter){ vtr_steal(v[0].text), vtr_steal(v[1].text),
								 vtr_steal(v[2].text) };
	}
	vtr_win_values_done(v, VTR_COUNT(v));
	return rc;
}

static bool net_something(struct vtr_span s)
{
	return s.len > 0 && !vtr_span_is(s, "0.0.0.0");
}

/* Addresses with their masks, which come in the same order. */
static void net_addresses(struct vtr_interface *i, const struct win_value *addresses, const struct win_value *masks)
{
	struct vtr_span a = { addresses->text, addresses->text ? addresses->len : 0 };
	struct vtr_span m = { masks->text, masks->text ? masks->len : 0 }, one, mask;

	while (vtr_span_field(&one, &a, '\n')) {
		if (!vtr_span_field(&mask, &m, '\n'))
			mask = vtr_span_of("");
		if (net_something(one))
			vtr_interface_address(i, one, mask);
	}
}

static void net_list(struct vtr_str *out, const struct win_value *v)
{
	struct vtr_span s = { v->text, v->text ? v->len : 0 }, line, field, word;

	while (vtr_span_field(&line, &s, '\n'))
		while (vtr_span_field(&field, &line, ','))
			while (vtr_span_word(&word, &field))
				if (net_something(word))
					vtr_list_put(out, word);
}

/* What "Network Connections" calls it. 1, 0, -1; the caller frees. */
static int net_connection(char **out, struct vtr_os *os, const char *id, struct vtr_error *err)
{
	struct win_value v = { .name = "Name" };
	char path[WIN_DEPTH], below[512];
	uint32_t key;
	int rc;

	snprintf(below, sizeof(below), "Control\\Network\\" NET_CLASS "\\%.300s\\Connection", id);
	rc = vtr_win_key(&key, os, &os->windows->system, 0, vtr_win_set(path, os->windows, below), err);
	if (rc > 0 && vtr_win_values(&v, 1, os, &os->windows->system, key, err) < 0)
		rc = -1;
	*out = vtr_steal(v.text);
	return rc;
}

static int net_add(struct net *net, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *path,
		   const char *id, struct vtr_error *err)
{
	struct win_value v[N_COUNT] = { 0 };
	const struct net_adapter *adapter = NULL;
	struct vtr_interface i = { 0 };
	VTR_FREE char *name = NULL;
	struct vtr_draft d;
	bool any = false, dhcp;
	int rc;

	for (size_t k = 0; k < N_COUNT; k++)
		v[k].name = net_values[k];
	rc = vtr_win_values(v, N_COUNT, os, hive, key, err);
	for (size_t k = 0; k < N_COUNT; k++)
		any = any || v[k].found;
	if (rc < 0 || !any || net_connection(&name, os, id, err) < 0) { /* the loopback's has no values */
		vtr_win_values_done(v, N_COUNT);
		return any ? -1 : rc;
	}
	for (size_t k = 0; k < net->n && !adapter; k++)
		if (vtr_ascii_casecmp(net->v[k].id, id) == 0)
			adapter = &net->v[k];
	dhcp = v[N_DHCP].has_number && v[N_DHCP].number != 0;
	net_addresses(&i, &v[dhcp ? N_DHCP_ADDRESS : N_ADDRESS], &v[dhcp ? N_DHCP_MASK : N_MASK]);
	net_list(&i.gateways, &v[dhcp ? N_DHCP_GATEWAY : N_GATEWAY]);
	net_list(&i.dns, &v[N_DNS]);
	if (i.dns.len == 0 && dhcp) /* what is set by hand goes before */
		net_list(&i.dns, &v[N_DHCP_DNS]);
	vtr_win_draft(&d, os, "interfaces", hive, path, err);
	vtr_draft_text(&d, "name", name && *name ? name : id);
	vtr_draft_text(&d, "id", id);
	vtr_draft_text(&d, "description", adapter ? adapter->description : NULL);
	vtr_draft_text(&d, "manager", "windows");
	vtr_draft_text(&d, "method", dhcp ? "dhcp" : i.addresses.len > 0 ? "static" : NULL);
	vtr_draft_text(&d, "mac", adapter ? adapter->mac : NULL);
	vtr_draft_text(&d, "domain", v[N_DOMAIN].text && *v[N_DOMAIN].text ? v[N_DOMAIN].text : v[N_DHCP_DOMAIN].text);
	vtr_draft_list(&d, "addresses", &i.addresses);
	vtr_draft_list(&d, "gateways", &i.gateways);
	vtr_draft_list(&d, "dns", &i.dns);
	rc = vtr_draft_end(&d);
	vtr_interface_done(&i);
	vtr_win_values_done(v, N_COUNT);
	return rc;
}

static int net_interface_key(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *name,
			     struct vtr_error *err)
{
	char path[WIN_DEPTH];

	snprintf(path, sizeof(path), "%s\\Services\\Tcpip\\Parameters\\Interfaces\\%.600s", os->windows->set, name);
	return net_add(arg, os, hive, key, path, name, err);
}

/* NT 4: Tcpip is bound to adapters, "\Device\AMDPCN1", each a service with parameters of its own. */
static int net_bound(struct net *net, struct vtr_os *os, struct vtr_error *err)
{
	struct win_hive *system = &os->windows->system;
	struct win_value v = { .name = "Bind" };
	struct vtr_span rest, one;
	char path[WIN_DEPTH], below[512];
	uint32_t key;
	int rc = vtr_win_key(&key, os, system, 0, vtr_win_set(path, os->windows, "Services\\Tcpip\\Linkage"), err);

	if (rc > 0 && vtr_win_values(&v, 1, os, system, key, err) < 0)
		rc = -1;
	rest = (struct vtr_span){ v.text, v.text ? v.len : 0 };
	while (rc >= 0 && vtr_span_field(&one, &rest, '\n')) {
		VTR_FREE char *id = NULL;

		if (one.len > 8 && vtr_span_is_icase((struct vtr_span){ one.p, 8 }, "\\Device\\"))
			one = vtr_span_skip(one, 8);
		id = vtr_strndup(one.p, one.len, err);
		if (!id) {
			rc = -1;
			break;
		}
		snprintf(below, sizeof(below), "Services\\%.300s\\Parameters\\Tcpip", id);
		rc = vtr_win_key(&key, os, system, 0, vtr_win_set(path, os->windows, below), err);
		if (rc > 0)
			rc = net_add(net, os, system, key, path, id, err);
	}
	vtr_win_values_done(&v, 1);
	return rc < 0 ? -1 : 0;
}

int vtr_windows_network_read(struct vtr_os *os, struct vtr_error *err)
{
	struct win_hive *system = &os->windows->system;
	struct net net = { 0 };
	char path[WIN_DEPTH];
	uint32_t key;
	int rc = vtr_win_key(&key, os, system, 0, vtr_win_set(path, os->windows, "Control\\Class\\" NET_CLASS), err);

	if (rc > 0)
		rc = vtr_win_each(os, system, key, net_adapter_key, &net, err);
	if (rc >= 0)
		rc = vtr_win_key(&key, os, system, 0,
				 vtr_win_set(path, os->windows, "Services\\Tcpip\\Parameters\\Interfaces"), err);
	if (rc > 0)
		rc = vtr_win_each(os, system, key, net_interface_key, &net, err);
	else if (rc == 0)
		rc = net_bound(&net, os, err);
	for (size_t i = 0; i < net.n; i++) {
		free(net.v[i].id);
		free(net.v[i].description);
		free(net.v[i].mac);
	}
	free(net.v);
	return rc < 0 ? -1 : 0;
}
