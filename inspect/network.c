/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The network's configuration: keyfiles of NetworkManager (nm-settings-keyfile(5)), systemd.network(5), ifcfg files of Red
 * Hat and of SUSE; ifupdown and netplan are in files of their own. What was given out by DHCP is not in them.
 */
#include "inspect/network.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/checked.h"

static bool network_mask_bits(unsigned *out, struct vtr_span mask)
{
	struct vtr_span rest = mask, part;
	uint64_t n, bits = 0;
	unsigned parts = 0;

	if (vtr_span_u64(&n, mask, 128)) {
		*out = (unsigned)n;
		return true;
	}
	while (vtr_span_field(&part, &rest, '.')) {
		if (!vtr_span_u64(&n, part, 255) || ++parts > 4)
			return false;
		bits = bits << 8 | n;
	}
	if (parts != 4 || (~bits & UINT32_MAX & ((~bits & UINT32_MAX) + 1)) != 0)
		return false;
	*out = (unsigned)__builtin_popcountll(bits);
	return true;
}

void vtr_interface_address(struct vtr_interface *i, struct vtr_span address, struct vtr_span mask)
{
	struct vtr_str s = { 0 };
	unsigned bits;

	if (address.len == 0)
		return;
	vtr_str_put(&s, address.p, address.len);
	if (mask.len > 0 && vtr_span_find(address, '/') == address.len && network_mask_bits(&bits, mask))
		vtr_str_putf(&s, "/%u", bits);
	if (s.oom)
		i->addresses.oom = true;
	else
		vtr_list_put(&i->addresses, (struct vtr_span){ s.p, s.len });
	vtr_str_done(&s);
}

void vtr_interface_done(struct vtr_interface *i)
{
	vtr_str_done(&i->addresses);
	vtr_str_done(&i->gateways);
	vtr_str_done(&i->dns);
	vtr_str_done(&i->match);
	*i = (struct vtr_interface){ .method = NULL };
}

int vtr_interface_add(struct vtr_interface *i, struct vtr_os *os, const char *manager, const char *path,
		      struct vtr_error *err)
{
	struct vtr_draft d;
	int rc = 0;

	if (i->name.len > 0) {
		vtr_draft_begin(&d, os, "interfaces", path, err);
		vtr_draft_span(&d, "name", i->name);
		vtr_draft_text(&d, "manager", manager);
		vtr_draft_text(&d, "method", i->method);
		vtr_draft_text(&d, "method6", i->method6);
		vtr_draft_span(&d, "kind", i->kind);
		vtr_draft_span(&d, "mac", i->mac);
		if (i->match.len > 0)
			vtr_draft_list(&d, "match", &i->match);
		vtr_draft_list(&d, "addresses", &i->addresses);
		vtr_draft_list(&d, "gateways", &i->gateways);
		vtr_draft_list(&d, "dns", &i->dns);
		rc = vtr_draft_end(&d);
	}
	vtr_interface_done(i);
	return rc;
}

/* -------------------------------------------------------------------------------------------------- NetworkManager */

#define KEYFILE_ADDRESSES 64u

struct keyfile {
	struct vtr_interface i;
	struct vtr_str id, name;
	struct keyfile_family {
		struct vtr_span gateway; /* of [ipv4] itself */
		struct vtr_span dns;
		bool disabled;
		struct keyfile_address {
			int64_t index; /* of "address2"; -1: it has none */
			bool plural;   /* "addresses2" is another key */
			struct vtr_span value;
		} addresses[KEYFILE_ADDRESSES];
		size_t n;
	} four, six;
	bool lost; /* addresses beyond KEYFILE_ADDRESSES */
};

static const char *keyfile_method(struct vtr_span value)
{
	static const char *const names[][2] = {
		{ "auto", "dhcp" },	{ "manual", "static" },		{ "disabled", "disabled" },
		{ "shared", "shared" }, { "link-local", "link-local" }, { "ignore", "disabled" },
		{ "dhcp", "dhcp" },
	};

	for (size_t i = 0; i < VTR_COUNT(names); i++)
		if (vtr_span_is(value, names[i][0]))
			return names[i][1];
	return NULL;
}

/* Escapes of GKeyFile's strings. */
static void keyfile_string(struct vtr_str *out, struct vtr_span s)
{
	static const char from[] = "sntr\\", to[] = " \n\t\r\\";

	out->len = 0;
	for (size_t i = 0; i < s.len; i++) {
		const char *at = s.p[i] == '\\' && i + 1 < s.len && s.p[i + 1] ? strchr(from, s.p[i + 1]) : NULL;

		vtr_str_put(out, at ? &to[at - from] : &s.p[i], 1);
		i += at != NULL;
	}
}

/* "address", "addresses", with a number that has no zeros in front, or without one. */
static bool keyfile_address_key(int64_t *index, struct vtr_span key)
{
	struct vtr_span rest;
	uint64_t n;

	if (!vtr_span_starts(key, "address"))
		return false;
	rest = vtr_span_skip(key, vtr_span_starts(key, "addresses") ? 9 : 7);
	*index = -1;
	if (rest.len == 0)
		return true;
	if (!vtr_span_u64(&n, rest, INT32_MAX) || (*rest.p == '0' && rest.len > 1))
		return false;
	*index = (int64_t)n;
	return true;
}

static int keyfile_setting(void *arg, const struct vtr_setting *s, struct vtr_error *err)
{
	struct keyfile *k = arg;
	bool six = vtr_span_is(s->section, "ipv6"), ip = six || vtr_span_is(s->section, "ipv4");
	struct keyfile_family *f = six ? &k->six : &k->four;
	int64_t index;

	(void)err;
	if (vtr_span_is(s->section, "connection")) {
		if (vtr_span_is(s->key, "interface-name"))
			keyfile_string(&k->name, s->value);
		else if (vtr_span_is(s->key, "id"))
			keyfile_string(&k->id, s->value);
	} else if (vtr_span_is(s->key, "mac-address")) {
		k->i.mac = s->value;
	} else if (ip && vtr_span_is(s->key, "method")) {
		*(six ? &k->i.method6 : &k->i.method) = keyfile_method(s->value);
	} else if (ip && vtr_span_is(s->key, "gateway")) {
		f->gateway = s->value;
	} else if (ip && vtr_span_is(s->key, "dns")) {
		f->dns = s->value;
	} else if (ip && keyfile_address_key(&index, s->key)) {
		bool plural = vtr_span_starts(s->key, "addresses");
		size_t at = 0;

		while (at < f->n && (f->addresses[at].index != index || f->addresses[at].plural != plural))
			at++;
		if (at == KEYFILE_ADDRESSES)
			k->lost = true;
		else
			f->addresses[at] = (struct keyfile_address){ index, plural, s->value };
		f->n += at == f->n && at < KEYFILE_ADDRESSES;
	}
	return 0;
}

/* The field in front of any of the separators, and what stands behind it. */
static struct vtr_span keyfile_field(struct vtr_span *rest, const char *separators)
{
	struct vtr_span field = *rest;

	field.len = 0;
	while (field.len < rest->len && !strchr(separators, rest->p[field.len]) && rest->p[field.len])
		field.len++;
	*rest = vtr_span_skip(*rest, field.len);
	return field;
}

static bool keyfile_ip_is(struct vtr_span s, bool six)
{
	uint8_t bytes[16];
	char text[64];

	if (s.len == 0 || s.len >= sizeof(text) || memchr(s.p, 0, s.len))
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = 0;
	return inet_pton(six ? AF_INET6 : AF_INET, text, bytes) == 1;
}

/*
 * ADDRESS/PREFIX,GATEWAY and the older ADDRESS;PREFIX;GATEWAY;. A prefix that is not there, or too long, is 24 of IPv4
 * and 64 of IPv6. Only the first gateway counts, and the key "gateway" before it. What is no address is passed over.
 */
static void keyfile_address_add(struct keyfile *k, struct vtr_span value, bool six, struct vtr_span *gateway)
{
	struct vtr_span rest = value, address = keyfile_field(&rest, "/;,"), prefix = { "", 0 }, via = { "", 0 };
	struct vtr_str s = { 0 };
	uint64_t bits;

	if (rest.len > 0) {
		rest = vtr_span_skip(rest, 1);
		prefix = keyfile_field(&rest, ";,");
		if (rest.len > 0) {
			rest = vtr_span_skip(rest, 1);
			via = keyfile_field(&rest, ";,");
			if (rest.len > 1)
				return;
		}
	}
	if (!keyfile_ip_is(address, six) || (via.len > 0 && !keyfile_ip_is(via, six)))
		return;
	for (size_t i = 0; i < prefix.len; i++)
		if (prefix.p[i] < '0' || prefix.p[i] > '9')
			return;
	if (!vtr_span_u64(&bits, prefix, six ? 128 : 32))
		bits = six ? 64 : 24;
	vtr_str_put(&s, address.p, address.len);
	vtr_str_putf(&s, "/%" PRIu64, bits);
	if (s.oom)
		k->i.addresses.oom = true;
	else
		vtr_list_put(&k->i.addresses, (struct vtr_span){ s.p, s.len });
	vtr_str_done(&s);
	if (gateway->len == 0)
		*gateway = via;
}

static int keyfile_address_compare(const void *pa, const void *pb)
{
	const struct keyfile_address *a = pa, *b = pb;

	return a->index != b->index ? (a->index > b->index) - (a->index < b->index) : a->plural - b->plural;
}

static void keyfile_family_add(struct keyfile *k, struct keyfile_family *f, bool six)
{
	struct vtr_span gateway = vtr_span_trim(f->gateway);

	qsort(f->addresses, f->n, sizeof(f->addresses[0]), keyfile_address_compare);
	for (size_t i = 0; i < f->n; i++)
		keyfile_address_add(k, f->addresses[i].value, six, &gateway);
	if (gateway.len > 0 && !vtr_span_is(gateway, "0.0.0.0") && !vtr_span_is(gateway, "::"))
		vtr_list_put(&k->i.gateways, gateway);
	vtr_list_put_words(&k->i.dns, f->dns, ';');
}

int vtr_keyfile_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct keyfile *k = vtr_calloc(1, sizeof(*k), err);
	size_t refused;
	int rc = k ? vtr_settings(&refused, text, len, VTR_INI_GLIB, keyfile_setting, k, err) : -1;

	if (!k)
		return -1;
	if (rc == 0 && (k->id.oom || k->name.oom))
		rc = vtr_fail(err, VTR_ENOMEM, "%s", path);
	if (rc == 0 && refused > 0) {
		vtr_os_warn(os, path, VTR_ECORRUPT,
			    "line %zu is no group, no key and no comment: NetworkManager refuses the file", refused);
	} else if (rc == 0) {
		if (k->lost)
			vtr_os_warn(os, path, VTR_ELIMIT, "more than %u addresses of a family: the others are left out",
				    KEYFILE_ADDRESSES);
		keyfile_family_add(k, &k->four, false);
		keyfile_family_add(k, &k->six, true);
		/* A connection for whichever interface is known by its name. */
		k->i.name = k->name.len > 0 ? (struct vtr_span){ k->name.p, k->name.len }
					    : (struct vtr_span){ k->id.len > 0 ? k->id.p : "", k->id.len };
		rc = vtr_interface_add(&k->i, os, "NetworkManager", path, err);
	}
	vtr_interface_done(&k->i);
	vtr_str_done(&k->id);
	vtr_str_done(&k->name);
	free(k);
	return rc;
}

/* ------------------------------------------------------------------------------------------------ systemd-networkd */

/* Files of systemd-networkd, and those of udev that it shares its directories with. */
enum networkd_kind { NETWORKD_NETWORK, NETWORKD_NETDEV, NETWORKD_LINK };

/* Keys of [Match] beside Name and MACAddress. */
static const char *const networkd_matches[] = {
	"PermanentMACAddress", "Path",	     "Driver",	     "Type",	 "Kind",	   "Property",
	"WLANInterfaceType",   "SSID",	     "BSSID",	     "Host",	 "Virtualization", "KernelCommandLine",
	"KernelVersion",       "Credential", "Architecture", "Firmware", "OriginalName",   "MACAddress",
};

struct networkd {
	enum networkd_kind what;
	struct vtr_interface i;
	struct vtr_str name, mac; /* [Match] Name, words that add up */
	struct vtr_str matches[VTR_COUNT(networkd_matches)];
	struct vtr_str kind; /* of [NetDev] */
	bool mac_set;	     /* by [Link]: stands before that of [Match] */
	int dhcp;	     /* 1: IPv4, 2: IPv6 */
	bool unmanaged;
};

static bool networkd_yes(struct vtr_span v)
{
	static const char *const words[] = { "1", "yes", "y", "true", "t", "on" };

	for (size_t i = 0; i < VTR_COUNT(words); i++)
		if (vtr_span_is_icase(v, words[i]))
			return 1;
	return 0;
}

/* An empty value takes back what was before it. */
static void networkd_words(struct vtr_str *out, struct vtr_span v)
{
	struct vtr_span word;
	bool inverted = v.len > 0 && *v.p == '!'; /* all words of the line */

	if (v.len == 0) {
		out->len = 0;
		return;
	}
	v = vtr_span_skip(v, inverted);
	while (vtr_span_word(&word, &v)) {
		if (out->len > 0)
			vtr_str_put(out, " ", 1);
		vtr_str_put(out, "!", inverted);
		vtr_str_put(out, word.p, word.len);
	}
}

static void networkd_list(struct vtr_str *list, struct vtr_span v, bool words)
{
	if (v.len == 0)
		list->len = 0;
	else if (words)
		vtr_list_put_words(list, v, ' ');
	else
		vtr_list_put(list, v);
}

static int networkd_setting(void *arg, const struct vtr_setting *s, struct vtr_error *err)
{
	bool network = vtr_span_is(s->section, "Network"), link = vtr_span_is(s->section, "Link");
	bool match = vtr_span_is(s->section, "Match");
	struct networkd *n = arg;

	(void)err;
	for (size_t i = 0; i < VTR_COUNT(networkd_matches); i++)
		if (match && vtr_span_is(s->key, networkd_matches[i]) &&
		    (n->what == NETWORKD_LINK || !vtr_span_is(s->key, "MACAddress")))
			networkd_words(&n->matches[i], s->value);
	if (n->what == NETWORKD_NETDEV && vtr_span_is(s->section, "NetDev")) {
		struct vtr_str *to = vtr_span_is(s->key, "Name")	 ? &n->name
				     : vtr_span_is(s->key, "Kind")	 ? &n->kind
				     : vtr_span_is(s->key, "MACAddress") ? &n->mac
									 : NULL;

		if (to) {
			to->len = 0;
			vtr_str_put(to, s->value.p, s->value.len);
		}
	} else if (n->what == NETWORKD_LINK && link && vtr_span_is(s->key, "Name")) {
		n->name.len = 0;
		vtr_str_put(&n->name, s->value.p, s->value.len);
	} else if (n->what == NETWORKD_NETWORK && match && vtr_span_is(s->key, "Name")) {
		networkd_words(&n->name, s->value);
	} else if (link && vtr_span_is(s->key, "Unmanaged")) {
		n->unmanaged = networkd_yes(s->value);
	} else if (vtr_span_is(s->key, "MACAddress") && vtr_span_is(s->section, "Link")) {
		n->mac.len = 0;
		networkd_words(&n->mac, s->value);
		n->mac_set = s->value.len > 0;
	} else if (vtr_span_is(s->key, "MACAddress") && match && n->what == NETWORKD_NETWORK && !n->mac_set) {
		networkd_words(&n->mac, s->value);
	} else if (network && vtr_span_is(s->key, "DHCP")) {
		n->dhcp = networkd_yes(s->value)	  ? 3
			  : vtr_span_is(s->value, "ipv4") ? 1
			  : vtr_span_is(s->value, "ipv6") ? 2
							  : 0;
	} else if ((network || vtr_span_is(s->section, "Address")) && vtr_span_is(s->key, "Address")) {
		networkd_list(&n->i.addresses, s->value, false);
	} else if ((network || vtr_span_is(s->section, "Route")) && vtr_span_is(s->key, "Gateway")) {
		networkd_list(&n->i.gateways, s->value, false);
	} else if (network && vtr_span_is(s->key, "DNS")) {
		networkd_list(&n->i.dns, s->value, true);
	}
	return 0;
}

static int networkd_text(struct networkd *n, struct vtr_os *os, const char *path, const char *text, size_t len,
			 struct vtr_error *err)
{
	size_t refused;

	if (vtr_settings(&refused, text, len, VTR_INI_SYSTEMD, networkd_setting, n, err) < 0)
		return -1;
	if (refused > 0)
		vtr_os_warn(
			os, path, VTR_ECORRUPT,
			"line %zu: a section's name without its bracket, or more than 1 MiB: systemd-networkd refuses the file",
			refused);
	return 0;
}

/* What must hold of an interface beside its name: "Type=ether", each a condition. */
static bool networkd_match(struct vtr_interface *i, struct networkd *n)
{
	bool oom = n->name.oom || n->mac.oom || n->kind.oom;

	for (size_t k = 0; k < VTR_COUNT(networkd_matches); k++) {
		struct vtr_str one = { 0 };

		oom = oom || n->matches[k].oom;
		if (n->matches[k].len == 0)
			continue;
		vtr_str_putf(&one, "%s=", networkd_matches[k]);
		vtr_str_put(&one, n->matches[k].p, n->matches[k].len);
		vtr_list_put(&i->match, (struct vtr_span){ one.p, one.len });
		if (n->what == NETWORKD_NETWORK && n->name.len == 0 && n->mac.len == 0) /* it has no other name */
			vtr_str_put(&n->name, one.p, one.len);
		oom = oom || one.oom || n->name.oom;
		vtr_str_done(&one);
	}
	return !oom;
}

static void networkd_done(struct networkd *n)
{
	vtr_interface_done(&n->i);
	vtr_str_done(&n->name);
	vtr_str_done(&n->mac);
	vtr_str_done(&n->kind);
	for (size_t k = 0; k < VTR_COUNT(networkd_matches); k++)
		vtr_str_done(&n->matches[k]);
}

static int networkd_end(struct networkd *n, struct vtr_os *os, const char *path, struct vtr_error *err)
{
	struct vtr_span rest = { n->i.addresses.p, n->i.addresses.len }, line;
	int rc = 0;

	if (!networkd_match(&n->i, n))
		rc = vtr_fail(err, VTR_ENOMEM, "%s", path);
	while (vtr_span_line(&line, &rest))
		*(vtr_span_find(line, ':') < line.len ? &n->i.method6 : &n->i.method) = "static";
	if (n->dhcp & 1)
		n->i.method = "dhcp";
	if (n->dhcp & 2)
		n->i.method6 = "dhcp";
	if (n->unmanaged)
		n->i.method = n->i.method6 = "unmanaged";
	n->i.mac = (struct vtr_span){ n->mac.p, n->mac.len };
	n->i.kind = (struct vtr_span){ n->kind.p, n->kind.len };
	/* A match by the hardware's address alone: that is its name. */
	n->i.name = n->name.len > 0 ? (struct vtr_span){ n->name.p, n->name.len } : n->i.mac;
	/* What only says how interfaces are named is no interface. */
	if (n->what == NETWORKD_LINK && n->name.len == 0 && n->mac.len == 0)
		n->i.name.len = 0;
	else if (rc == 0 && n->i.name.len == 0)
		vtr_os_warn(os, path, VTR_OK, "names no interface: systemd-networkd ignores it");
	if (rc == 0)
		rc = vtr_interface_add(&n->i, os, n->what == NETWORKD_LINK ? "udev" : "systemd-networkd", path, err);
	networkd_done(n);
	return rc;
}

static enum networkd_kind networkd_kind(const char *path)
{
	struct vtr_span name = vtr_span_of(path);

	return vtr_span_ends(name, ".netdev") ? NETWORKD_NETDEV
	       : vtr_span_ends(name, ".link") ? NETWORKD_LINK
					      : NETWORKD_NETWORK;
}

int vtr_networkd_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct networkd n = { .what = networkd_kind(path) };
	int rc = networkd_text(&n, os, path, text, len, err), end = networkd_end(&n, os, path, err);

	return rc < 0 ? -1 : end;
}

static const char *const networkd_dirs[] = { "/etc/systemd/network", "/run/systemd/network",
					     "/usr/local/lib/systemd/network", "/usr/lib/systemd/network",
					     "/lib/systemd/network" };

/* The file, and then its drop-ins from all the directories: NAME.network.d. */
static int networkd_file_read(struct vtr_os *os, const char *path, struct vtr_error *err)
{
	const char *dirs[VTR_COUNT(networkd_dirs)];
	char *owned[VTR_COUNT(networkd_dirs)] = { NULL };
	VTR_FREE char *text = NULL;
	struct networkd n = { .what = networkd_kind(path) };
	struct vtr_merged m = { .n = 0 };
	size_t len;
	int there = vtr_os_text_slurp(&text, &len, os, path, err), rc = there < 0 ? -1 : 0;

	/* An empty file is a mask. */
	if (there <= 0 || len == 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < VTR_COUNT(networkd_dirs); i++) {
		struct vtr_str s = { 0 };

		vtr_str_putf(&s, "%s%s.d", networkd_dirs[i], strrchr(path, '/'));
		owned[i] = vtr_str_take(&s, err);
		dirs[i] = owned[i];
		rc = owned[i] ? 0 : -1;
	}
	if (rc == 0)
		rc = vtr_os_merge(&m, os, dirs, VTR_COUNT(dirs), ".conf", err);
	if (rc == 0)
		rc = networkd_text(&n, os, path, text, len, err);
	for (size_t i = 0; rc == 0 && i < m.n; i++) {
		VTR_FREE char *more = NULL;

		there = vtr_os_text_slurp(&more, &len, os, m.paths[i], err);
		rc = there > 0 ? networkd_text(&n, os, m.paths[i], more, len, err) : there;
	}
	for (size_t i = 0; i < VTR_COUNT(networkd_dirs); i++)
		free(owned[i]);
	vtr_merged_done(&m);
	if (rc == 0)
		return networkd_end(&n, os, path, err);
	networkd_done(&n); /* no record of a half */
	return -1;
}

static int networkd_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const endings[] = { ".network", ".netdev", ".link" };
	int rc = 0;

	for (size_t k = 0; rc == 0 && k < VTR_COUNT(endings); k++) {
		struct vtr_merged m;

		rc = vtr_os_merge(&m, os, networkd_dirs, VTR_COUNT(networkd_dirs), endings[k], err);
		for (size_t i = 0; rc == 0 && i < m.n; i++)
			rc = networkd_file_read(os, m.paths[i], err);
		vtr_merged_done(&m);
	}
	return rc;
}

/* ---------------------------------------------------------------------------------------------------------- ifcfg */

/*
 * ifcfg-NAME: /etc/sysconfig/network-scripts of Red Hat and /etc/sysconfig/network of SUSE, which wicked(8) reads, too.
 * Addresses are IPADDR, IPADDR0…, with PREFIX or NETMASK of the same ending, or a prefix in IPADDR itself. The values of
 * vtr_assignments() do not stay: lists take them at once, and an address waits for its mask.
 */
#define IFCFG_ADDRESSES 32u

struct ifcfg {
	struct vtr_interface i;
	struct ifcfg_address {
		char ending[8], mask[40], address[64];
	} addresses[IFCFG_ADDRESSES];
	size_t n;
	char name[64], mac[40];
	bool six;
};

static void ifcfg_copy(char *out, size_t size, struct vtr_span s)
{
	size_t len = s.len < size ? s.len : 0; /* what is too long is nothing of this kind */

	memcpy(out, s.p, len);
	out[len] = 0;
}

static struct ifcfg_address *ifcfg_address(struct ifcfg *c, struct vtr_span ending)
{
	if (ending.len >= sizeof(c->addresses[0].ending))
		return NULL;
	for (size_t i = 0; i < c->n; i++)
		if (vtr_span_is(ending, c->addresses[i].ending))
			return &c->addresses[i];
	if (c->n == IFCFG_ADDRESSES)
		return NULL;
	c->addresses[c->n] = (struct ifcfg_address){ .mask = "" };
	ifcfg_copy(c->addresses[c->n].ending, sizeof(c->addresses[0].ending), ending);
	return &c->addresses[c->n++];
}

static const char *ifcfg_method(struct vtr_span value)
{
	static const char *const names[][2] = {
		{ "dhcp", "dhcp" },	   { "dhcp4", "dhcp" },	       { "dhcp6", "dhcp" },
		{ "bootp", "bootp" },	   { "static", "static" },     { "none", "static" },
		{ "dhcp+autoip", "dhcp" }, { "autoip", "link-local" }, { "auto4", "static" },
	};

	for (size_t i = 0; i < VTR_COUNT(names); i++)
		if (vtr_span_is_icase(value, names[i][0]))
			return names[i][1];
	return NULL;
}

static int ifcfg_assigned(void *arg, const char *name, size_t name_len, const char *value, size_t value_len,
			  struct vtr_error *err)
{
	static const char *const masks[] = { "PREFIXLEN", "PREFIX", "NETMASK" };
	struct vtr_span key = { name, name_len }, v = { value, value_len };
	struct ifcfg *c = arg;
	struct ifcfg_address *a;

	(void)err;
	if (vtr_span_is(key, "DEVICE")) {
		ifcfg_copy(c->name, sizeof(c->name), v);
	} else if (vtr_span_is(key, "HWADDR") || vtr_span_is(key, "MACADDR") || vtr_span_is(key, "LLADDR")) {
		ifcfg_copy(c->mac, sizeof(c->mac), v);
	} else if (vtr_span_is(key, "BOOTPROTO")) {
		c->i.method = ifcfg_method(v);
		if (vtr_span_is_icase(v, "dhcp6"))
			c->i.method = NULL;
		if (vtr_span_is_icase(v, "dhcp6"))
			c->i.method6 = "dhcp";
	} else if (vtr_span_is(key, "DHCPV6C") && vtr_span_is_icase(v, "yes")) {
		c->i.method6 = "dhcp";
	} else if (vtr_span_is(key, "IPV6_AUTOCONF") && vtr_span_is_icase(v, "yes") && !c->i.method6) {
		c->i.method6 = "auto";
	} else if (vtr_span_is(key, "IPV6ADDR") || vtr_span_is(key, "IPV6ADDR_SECONDARIES")) {
		vtr_list_put_words(&c->i.addresses, v, ' ');
		if (!c->i.method6 && v.len > 0)
			c->i.method6 = "static";
	} else if (vtr_span_starts(key, "IPADDR")) {
		a = ifcfg_address(c, vtr_span_skip(key, 6));
		if (a)
			ifcfg_copy(a->address, sizeof(a->address), v);
	} else if (vtr_span_starts(key, "GATEWAY") || vtr_span_is(key, "IPV6_DEFAULTGW")) {
		if (!vtr_span_is(key, "GATEWAYDEV"))
			vtr_list_put(&c->i.gateways, v);
	} else if (vtr_span_starts(key, "DNS") && key.len == 4 && key.p[3] >= '0' && key.p[3] <= '9') {
		vtr_list_put(&c->i.dns, v);
	}
	for (size_t i = 0; i < VTR_COUNT(masks); i++) {
		if (!vtr_span_starts(key, masks[i]))
			continue;
		a = ifcfg_address(c, vtr_span_skip(key, strlen(masks[i])));
		if (a)
			ifcfg_copy(a->mask, sizeof(a->mask), v);
		break;
	}
	return 0;
}

int vtr_ifcfg_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	struct ifcfg c = { .n = 0 };
	int rc = vtr_assignments(text, len, ifcfg_assigned, &c, err);

	c.i.name = vtr_span_of(c.name[0] ? c.name : strncmp(base, "ifcfg-", 6) == 0 ? base + 6 : base);
	c.i.mac = vtr_span_of(c.mac);
	for (size_t i = 0; i < c.n; i++) {
		struct ifcfg_address *a = &c.addresses[i];

		vtr_interface_address(&c.i, vtr_span_of(a->address), vtr_span_of(a->mask));
		if (a->address[0] && !c.i.method)
			c.i.method = "static";
	}
	if (rc == 0)
		rc = vtr_interface_add(&c.i, os, "ifcfg", path, err);
	vtr_interface_done(&c.i);
	return rc;
}

static int ifcfg_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	static const char *const leavings[] = { "~", ".bak", ".orig", ".rpmnew", ".rpmorig", ".rpmsave", ".swp" };
	struct vtr_span name = vtr_span_of(e->name);

	(void)arg;
	if (!vtr_span_starts(name, "ifcfg-") || e->type == VTR_TYPE_DIR)
		return 0;
	for (size_t i = 0; i < VTR_COUNT(leavings); i++)
		if (vtr_span_ends(name, leavings[i]))
			return 0;
	return vtr_os_text(os, e->path, vtr_ifcfg_parse, err) < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------------------------ all */

/* resolv.conf(5), when it is a file and not what runs made: the servers, as a fact. */
int vtr_resolv_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line, word;
	struct vtr_str servers = { 0 };
	int rc = 0;

	while (vtr_span_line(&line, &rest)) {
		if (!vtr_span_word(&word, &line) || !vtr_span_is(word, "nameserver") || !vtr_span_word(&word, &line))
			continue;
		if (servers.len > 0)
			vtr_str_put(&servers, " ", 1);
		vtr_str_put(&servers, word.p, word.len);
	}
	if (servers.oom)
		rc = vtr_fail(err, VTR_ENOMEM, "%s", path);
	else if (servers.len > 0)
		rc = vtr_os_add_fact(os, "nameservers", servers.p, servers.len, path, err);
	vtr_str_done(&servers);
	return rc;
}

int vtr_network_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const ifcfgs[] = { "/etc/sysconfig/network-scripts", "/etc/sysconfig/network" };

	if (vtr_ifupdown_read(os, err) < 0 || vtr_netplan_read(os, err) < 0 || vtr_nmconf_read(os, err) < 0 ||
	    vtr_nmconf_profiles_read(os, err) < 0 || networkd_read(os, err) < 0)
		return -1;
	for (size_t i = 0; i < VTR_COUNT(ifcfgs); i++)
		if (vtr_os_list(os, ifcfgs[i], ifcfg_entry, NULL, err) < 0)
			return -1;
	return vtr_os_text(os, "/etc/resolv.conf", vtr_resolv_parse, err) < 0 ? -1 : 0;
}
