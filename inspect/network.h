/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interfaces of the network, as the files of its several managers describe them. */
#ifndef VTR_INSPECT_NETWORK_H
#define VTR_INSPECT_NETWORK_H

#include "inspect/records.h"

/* One interface that is being put together. */
struct vtr_interface {
	struct vtr_span name;
	const char *method, *method6; /* static strings; NULL: not said */
	struct vtr_str addresses, gateways, dns;
	struct vtr_str match; /* a list: what else must hold of it */
	struct vtr_span mac, kind;
};

/* Make it a record unless it has no name, and empty it. */
int vtr_interface_add(struct vtr_interface *i, struct vtr_os *os, const char *manager, const char *path,
		      struct vtr_error *err);
void vtr_interface_done(struct vtr_interface *i);

/* "ADDRESS" and "255.255.255.0" or "24" as ADDRESS/24; what is no mask is left out. */
void vtr_interface_address(struct vtr_interface *i, struct vtr_span address, struct vtr_span mask);

/* All files of netplan(5) together; interfaces(5), and what it names. */
int vtr_netplan_read(struct vtr_os *os, struct vtr_error *err);
int vtr_ifupdown_read(struct vtr_os *os, struct vtr_error *err);

/* NetworkManager: the fact unmanaged_devices, and those of its profiles that count. */
int vtr_nmconf_read(struct vtr_os *os, struct vtr_error *err);
int vtr_nmconf_profiles_read(struct vtr_os *os, struct vtr_error *err);

#endif
