/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Single facts beside those of inspect/linux.c: locale and keymap, SELinux and AppArmor, cloud-init, whether this is the
 * tree of a container or of an installer's medium.
 */
#include <stdlib.h>

#include "base/checked.h"
#include "inspect/records.h"

/* An assignment of a file as a fact. */
struct system_row {
	const char *key, *path, *name;
};

static const struct system_row system_rows[] = {
	{ "locale", "/etc/locale.conf", "LANG" },
	{ "locale", "/etc/default/locale", "LANG" },
	{ "locale", "/etc/sysconfig/i18n", "LANG" },
	{ "locale", "/etc/sysconfig/language", "RC_LANG" },
	{ "keymap", "/etc/vconsole.conf", "KEYMAP" },
	{ "keymap", "/etc/default/keyboard", "XKBLAYOUT" },
	{ "keymap", "/etc/sysconfig/keyboard", "KEYTABLE" },
	{ "keymap", "/etc/conf.d/keymaps", "keymap" },
	{ "keymap", "/etc/conf.d/loadkmap", "KEYMAP" },
	{ "selinux", "/etc/selinux/config", "SELINUX" },
	{ "selinux_policy", "/etc/selinux/config", "SELINUXTYPE" },
};

struct system_one {
	const struct system_row *row;
	struct vtr_os *os;
};

static int system_assigned(void *arg, const char *name, size_t name_len, const char *value, size_t value_len,
			   struct vtr_error *err)
{
	const struct system_one *one = arg;

	if (!vtr_span_is((struct vtr_span){ name, name_len }, one->row->name))
		return 0;
	return vtr_os_add_fact(one->os, one->row->key, value, value_len, one->row->path, err);
}

static int system_rows_read(struct vtr_os *os, struct vtr_error *err)
{
	for (size_t i = 0; i < VTR_COUNT(system_rows); i++) {
		struct system_one one = { &system_rows[i], os };
		VTR_FREE char *text = NULL;
		size_t len;
		int there = vtr_os_fact(os, one.row->key) ? 0 : vtr_os_text_slurp(&text, &len, os, one.row->path, err);

		if (there < 0 || (there > 0 && vtr_assignments(text, len, system_assigned, &one, err) < 0))
			return -1;
	}
	return 0;
}

/* Profiles in /etc/apparmor.d: files, not its directories of pieces. */
static int system_profile(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	(void)os, (void)err;
	*(uint64_t *)arg += e->type == VTR_TYPE_FILE && *e->name != '.';
	return 0;
}

/*
 * "enabled" when its service is, and profiles are there to load; "disabled" when the kernel is told so, or nothing
 * starts it; no fact when it is not installed.
 */
static int system_apparmor_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const parsers[] = { "/sbin/apparmor_parser", "/usr/sbin/apparmor_parser", NULL };
	const struct vtr_record *r;
	const char *path = NULL, *from = "/etc/apparmor.d";
	uint64_t profiles = 0;
	bool enabled = false;
	int there = vtr_os_there_any(&path, os, parsers, err);

	if (there <= 0)
		return there;
	if (vtr_os_list(os, from, system_profile, &profiles, err) < 0)
		return -1;
	for (size_t i = 0; (r = vtr_os_record(os, "services", i)); i++) {
		const char *name = vtr_record_member(r, "name"), *state = vtr_record_member(r, "state");

		if (!name || !state || strcmp(state, "enabled") != 0 ||
		    (strcmp(name, "apparmor") != 0 && strcmp(name, "apparmor.service") != 0 &&
		     strcmp(name, "boot.apparmor") != 0))
			continue;
		enabled = true;
		from = r->path;
		break;
	}
	return vtr_os_add_text(os, "apparmor", enabled && profiles > 0 ? "enabled" : "disabled", from, err);
}

/*
 * cloud-init: what it found in its last run is in /var/lib/cloud/instance/datasource ("DataSourceNoCloud: …"); what it
 * may look for, in datasource_list of /etc/cloud.
 */
int vtr_datasource_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line;
	size_t end;

	if (!vtr_span_line(&line, &rest))
		return 0;
	line = vtr_span_trim(line);
	if (vtr_span_starts(line, "DataSource"))
		line = vtr_span_skip(line, 10);
	end = vtr_span_find(line, ' ');
	end = VTR_MIN(end, vtr_span_find(line, ':'));
	return vtr_os_add_fact(os, "cloud_init", line.p, end, path, err);
}

/* datasource_list: [ NoCloud, None ] */
int vtr_cloud_cfg_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line;

	while (vtr_span_line(&line, &rest)) {
		size_t from, to;

		if (!vtr_span_starts(line, "datasource_list:"))
			continue;
		from = vtr_span_find(line, '[');
		to = vtr_span_find(line, ']');
		if (from >= to || to == line.len)
			continue;
		line = vtr_span_trim((struct vtr_span){ line.p + from + 1, to - from - 1 });
		return vtr_os_add_fact(os, "cloud_init_datasources", line.p, line.len, path, err);
	}
	return 0;
}

static int system_cloud_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const disabled = "/etc/cloud/cloud-init.disabled";
	int there = vtr_os_there(os, disabled, err);

	if (there < 0 || (there > 0 && vtr_os_add_text(os, "cloud_init", "disabled", disabled, err) < 0) ||
	    vtr_os_text(os, "/var/lib/cloud/instance/datasource", vtr_datasource_parse, err) < 0 ||
	    vtr_os_texts(os, "/etc/cloud/cloud.cfg.d", ".cfg", vtr_cloud_cfg_parse, err) < 0 ||
	    vtr_os_text(os, "/etc/cloud/cloud.cfg", vtr_cloud_cfg_parse, err) < 0)
		return -1;
	if (vtr_os_fact(os, "cloud_init"))
		return 0;
	there = vtr_os_there(os, "/etc/cloud/cloud.cfg", err);
	return there > 0 ? vtr_os_add_text(os, "cloud_init", "not run", "/etc/cloud/cloud.cfg", err) : there;
}

/* A file that tells what kind of tree this is. */
static const struct {
	const char *key, *value, *path;
} system_signs[] = {
	{ "container", "docker", "/.dockerenv" },
	{ "container", "docker", "/.dockerinit" },
	{ "container", "podman", "/run/.containerenv" },
	{ "container", "lxc", "/dev/.lxc-boot-id" },
	{ "container", "kubernetes", "/var/run/secrets/kubernetes.io" },
	{ "container", "singularity", "/.singularity.d" },
	{ "container", "systemd-nspawn", "/run/host/container-manager" },
	{ "container", "flatpak", "/.flatpak-info" },
	{ "container", "toolbox", "/run/.toolboxenv" },
	{ "medium", "installer", "/.disk/base_installable" },
	{ "medium", "installer", "/var/lib/debian-installer" },
	{ "medium", "installer", "/usr/bin/debconf-disconnect" },
	{ "medium", "installer", "/sbin/debian-installer" },
	{ "medium", "installer", "/usr/sbin/anaconda" },
	{ "medium", "live", "/usr/lib/live/boot" },
	{ "medium", "live", "/lib/live/boot" },
	{ "medium", "live", "/usr/bin/casper-stop" },
	{ "medium", "live", "/etc/casper.conf" },
	{ "medium", "live", "/usr/lib/live/config" },
	{ "medium", "live", "/run/archiso" },
	{ "medium", "live", "/usr/sbin/livesys" },
	{ "medium", "live", "/etc/live" },
};

static int system_signs_read(struct vtr_os *os, struct vtr_error *err)
{
	for (size_t i = 0; i < VTR_COUNT(system_signs); i++) {
		int there = vtr_os_fact(os, system_signs[i].key) ? 0 : vtr_os_there(os, system_signs[i].path, err);

		if (there < 0 || (there > 0 && vtr_os_add_text(os, system_signs[i].key, system_signs[i].value,
							       system_signs[i].path, err) < 0))
			return -1;
	}
	return 0;
}

int vtr_system_read(struct vtr_os *os, struct vtr_error *err)
{
	if (system_rows_read(os, err) < 0 || system_apparmor_read(os, err) < 0 || system_cloud_read(os, err) < 0)
		return -1;
	return system_signs_read(os, err);
}
