/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Services and drivers: HKLM\SYSTEM\ControlSet…\Services. Values and their numbers are those of CreateService().
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/fold.h"
#include "inspect/windows/windows.h"

enum {
	S_TYPE,
	S_START,
	S_PATH,
	S_NAME,
	S_GROUP,
	S_USER,
	S_DELAYED,
	S_DESCRIPTION,
	S_AFTER,
	S_COUNT,
};

/* clang-format off */
static const char *const services_values[S_COUNT] = {
	"Type", "Start", "ImagePath", "DisplayName", "Group", "ObjectName", "DelayedAutostart", "Description",
	"DependOnService",
};

/* Drivers for machines that are virtual, by the names of their services. */
static const struct {
	const char *name, *platform;
	bool storage;
} services_virtual[] = {
	{ "viostor", "virtio", true }, { "vioscsi", "virtio", true }, { "rhelscsi", "virtio", true },
	{ "netkvm", "virtio", false }, { "rhelnet", "virtio", false }, { "rhelfltr", "virtio", false },
	{ "balloon", "virtio", false }, { "BalloonService", "virtio", false }, { "vioser", "virtio", false },
	{ "VirtioSerial", "virtio", false }, { "viorng", "virtio", false }, { "VirtRng", "virtio", false },
	{ "vioinput", "virtio", false }, { "viofs", "virtio", false }, { "viosock", "virtio", false },
	{ "viomem", "virtio", false }, { "viocrypt", "virtio", false }, { "viogpudo", "virtio", false },
	{ "qxldod", "virtio", false }, { "qxl", "virtio", false }, { "pvpanic", "virtio", false },
	{ "fwcfg", "virtio", false }, { "qemufwcfg", "virtio", false }, { "gvnic", "google", false },
	{ "storvsc", "hyper-v", true }, { "vmbus", "hyper-v", false }, { "storflt", "hyper-v", false },
	{ "vmstorfl", "hyper-v", false }, { "netvsc", "hyper-v", false }, { "VMBusHID", "hyper-v", false },
	{ "HyperVideo", "hyper-v", false }, { "hyperkbd", "hyper-v", false }, { "dmvsc", "hyper-v", false },
	{ "s3cap", "hyper-v", false }, { "vmgid", "hyper-v", false }, { "gencounter", "hyper-v", false },
	{ "vpci", "hyper-v", false },
	{ "pvscsi", "vmware", true }, { "pvscsii", "vmware", true }, { "vmscsi", "vmware", true },
	{ "vmxnet", "vmware", false }, { "vmxnet3ndis6", "vmware", false }, { "vmxnet3ndis5", "vmware", false },
	{ "vmmouse", "vmware", false }, { "vmusbmouse", "vmware", false }, { "vmhgfs", "vmware", false },
	{ "vmci", "vmware", false }, { "vsock", "vmware", false }, { "vmmemctl", "vmware", false },
	{ "vm3dmp", "vmware", false }, { "vm3dmp_loader", "vmware", false }, { "vmrawdsk", "vmware", false },
	{ "vmdebug", "vmware", false }, { "vmx_svga", "vmware", false },
	{ "xenvbd", "xen", true }, { "xendisk", "xen", true }, { "xenscsi", "xen", true }, { "scsifilt", "xen", true },
	{ "xenbus", "xen", false }, { "xennet", "xen", false }, { "xenvif", "xen", false }, { "xeniface", "xen", false },
	{ "xenfilt", "xen", false }, { "xevtchn", "xen", false },
	{ "AWSNVMe", "aws", true }, { "ena", "aws", false },
	{ "VBoxGuest", "virtualbox", false }, { "VBoxMouse", "virtualbox", false }, { "VBoxSF", "virtualbox", false },
	{ "VBoxVideo", "virtualbox", false }, { "VBoxWddm", "virtualbox", false },
	{ "prl_strg", "parallels", true }, { "prl_tg", "parallels", false }, { "prl_fs", "parallels", false },
};
/* clang-format on */

/* How a service or driver is started. */
static const char *const services_starts[] = { "boot", "system", "auto", "manual", "disabled" };

static const char *services_type(uint64_t type)
{
	switch (type & 0x3f) {
	case 0x01:
		return "kernel driver";
	case 0x02:
		return "filesystem driver";
	case 0x04:
		return "adapter";
	case 0x08:
		return "filesystem recogniser";
	case 0x10:
		return "own process";
	case 0x20:
		return "shared process";
	case 0x30:
		return "own or shared process";
	default:
		return "unknown";
	}
}

/*
 * The text of a name or description: "@file,-number" is in a library and says nothing, but what follows a semicolon is
 * the text: "@oem4.inf,%name%;VirtIO SCSI driver".
 */
static const char *services_text(const struct win_value *v)
{
	const char *semicolon;

	if (!v->text || v->text[0] != '@')
		return v->text;
	semicolon = strrchr(v->text, ';');
	return semicolon && semicolon[1] ? semicolon + 1 : NULL;
}

struct services {
	struct vtr_str boot; /* storage drivers of virtual machines that start with the system */
};

/* Whether a driver's file is there: 1, 0, -1. Without a path it is in the usual place. */
static int services_driver_there(struct vtr_os *os, const char *name, const char *path, struct vtr_error *err)
{
	VTR_FREE char *whole = NULL;
	char usual[300];

	snprintf(usual, sizeof(usual), "System32\\drivers\\%.255s.sys", name);
	whole = vtr_win_path(os->windows, path && *path ? path : usual, err);
	return whole ? vtr_os_look(NULL, NULL, os, whole, VTR_WALK_ICASE, err) : -1;
}

static int services_driver_add(struct services *s, struct vtr_os *os, const struct win_hive *hive, const char *path,
			       const char *name, const struct win_value *v, struct vtr_error *err)
{
	const char *platform = NULL;
	bool storage = false;
	struct vtr_draft d;
	int there = 0;

	for (size_t i = 0; i < VTR_COUNT(services_virtual); i++) {
		if (vtr_ascii_casecmp(services_virtual[i].name, name) == 0) {
			platform = services_virtual[i].platform;
			storage = services_virtual[i].storage;
		}
	}
	if (platform && (there = services_driver_there(os, name, v[S_PATH].text, err)) < 0)
		return -1;
	vtr_win_draft(&d, os, "drivers", hive, path, err);
	vtr_draft_text(&d, "name", name);
	vtr_draft_text(&d, "type", services_type(v[S_TYPE].number));
	vtr_draft_text(&d, "start", services_starts[v[S_START].number]);
	vtr_draft_text(&d, "description", services_text(&v[S_NAME]));
	vtr_draft_text(&d, "path", v[S_PATH].text);
	vtr_draft_text(&d, "group", v[S_GROUP].text);
	vtr_draft_text(&d, "platform", platform);
	if (platform) {
		vtr_draft_bool(&d, "storage", storage);
		vtr_draft_bool(&d, "present", there > 0);
	}
	if (storage && there > 0 && v[S_START].number == 0) {
		vtr_str_puts(&s->boot, s->boot.len ? " " : "");
		vtr_str_puts(&s->boot, name);
	}
	return vtr_draft_end(&d);
}

static int services_add(struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *path,
			const char *name, const struct win_value *v, struct vtr_error *err)
{
	struct win_value dll = { .name = "ServiceDll" };
	struct vtr_str exec = { 0 }, after = { 0 };
	const char *description = services_text(&v[S_DESCRIPTION]);
	struct vtr_draft d;
	uint32_t parameters;
	int rc = 0;

	if (v[S_PATH].text && vtr_ascii_casestr(v[S_PATH].text, "svchost")) { /* what it is is in a library */
		rc = vtr_win_key(&parameters, os, hive, key, "Parameters", err);
		if (rc > 0)
			rc = vtr_win_values(&dll, 1, os, hive, parameters, err);
	}
	if (rc < 0)
		return -1;
	if (v[S_PATH].text)
		vtr_win_list_put(&exec, os, v[S_PATH].text, v[S_PATH].len);
	vtr_win_list_put_all(&after, os, &v[S_AFTER]);
	vtr_win_draft(&d, os, "services", hive, path, err);
	vtr_draft_text(&d, "name", name);
	vtr_draft_text(&d, "manager", "windows");
	vtr_draft_text(&d, "state",
		       v[S_START].number == 4	? "disabled"
		       : v[S_START].number == 3 ? "manual"
						: "enabled");
	vtr_draft_text(&d, "start", services_starts[v[S_START].number]);
	vtr_draft_bool(&d, "delayed", v[S_DELAYED].has_number && v[S_DELAYED].number != 0);
	vtr_draft_text(&d, "type", services_type(v[S_TYPE].number));
	vtr_draft_text(&d, "display_name", services_text(&v[S_NAME]));
	vtr_draft_text(&d, "description", description);
	vtr_draft_list(&d, "exec", &exec);
	vtr_draft_text(&d, "dll", dll.text);
	vtr_draft_text(&d, "user", v[S_USER].text);
	vtr_draft_text(&d, "group", v[S_GROUP].text);
	vtr_draft_list(&d, "after", &after);
	rc = vtr_draft_end(&d);
	vtr_str_done(&exec);
	vtr_str_done(&after);
	vtr_win_values_done(&dll, 1);
	return rc;
}

static int services_key(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *name,
			struct vtr_error *err)
{
	struct win_value v[S_COUNT] = { 0 };
	VTR_FREE char *path = NULL;
	struct vtr_str s = { 0 };
	int rc;

	for (size_t i = 0; i < S_COUNT; i++)
		v[i].name = services_values[i];
	vtr_str_puts(&s, os->windows->set);
	vtr_str_puts(&s, "\\Services\\");
	vtr_str_puts(&s, name);
	path = vtr_str_take(&s, err);
	rc = path ? vtr_win_values(v, S_COUNT, os, hive, key, err) : -1;
	/* Some have but counters for the performance monitor, or settings. */
	if (rc == 0 && v[S_TYPE].has_number && v[S_START].has_number &&
	    v[S_START].number < VTR_COUNT(services_starts)) {
		if ((v[S_TYPE].number & 0x0f) != 0)
			rc = services_driver_add(arg, os, hive, path, name, v, err);
		else if ((v[S_TYPE].number & 0x30) != 0)
			rc = services_add(os, hive, key, path, name, v, err);
	}
	vtr_win_values_done(v, S_COUNT);
	return rc;
}

int vtr_windows_services_read(struct vtr_os *os, struct vtr_error *err)
{
	struct win_hive *system = &os->windows->system;
	struct services s = { 0 };
	char path[WIN_DEPTH];
	uint32_t key;
	int rc = vtr_win_key(&key, os, system, 0, vtr_win_set(path, os->windows, "Services"), err);

	if (rc > 0)
		rc = vtr_win_each(os, system, key, services_key, &s, err);
	if (rc >= 0 && s.boot.oom)
		rc = vtr_fail(err, VTR_ENOMEM, "names of drivers");
	if (rc >= 0 && s.boot.len > 0)
		rc = vtr_win_fact(os, "boot_storage_drivers", s.boot.p, system, path, "Start", err);
	vtr_str_done(&s.boot);
	return rc < 0 ? -1 : 0;
}
