/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In which state a system was left, whose it is, and what language it speaks: facts that few ask for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/fold.h"
#include "base/utf16.h"
#include "fs/fs.h"
#include "inspect/windows/windows.h"

#define STATE_VERSION "Microsoft\\Windows\\CurrentVersion"

/* One value of one key of SYSTEM, below the current control set: 1, 0, -1. */
static int state_value(struct win_value *v, char *path, struct vtr_os *os, const char *below, struct vtr_error *err)
{
	struct vtr_windows *w = os->windows;
	uint32_t key;
	int rc = vtr_win_key(&key, os, &w->system, 0, vtr_win_set(path, w, below), err);

	if (rc > 0 && vtr_win_values(v, 1, os, &w->system, key, err) < 0)
		return -1;
	return rc > 0 ? v->found : rc;
}

static int state_shutdown(struct vtr_os *os, struct vtr_error *err)
{
	struct win_value v = { .name = "ShutdownTime", .raw = true };
	char path[WIN_DEPTH];
	uint32_t nsec;
	int64_t sec;
	int rc = state_value(&v, path, os, "Control\\Windows", err);

	if (rc > 0 && v.len == 8 && vtr_win_time(&sec, &nsec, vtr_get_le64((const uint8_t *)v.text)))
		rc = vtr_win_fact_time(os, "last_shutdown", sec, nsec, &os->windows->system, path, v.name, err);
	vtr_win_values_done(&v, 1);
	return rc < 0 ? -1 : 0;
}

/* --------------------------------------------------------------------------------------------------- hibernation */

/*
 * The first bytes of hiberfil.sys: "hibr" (or in capitals): memory was saved, and starting goes on from there; "wake": it
 * did; "rstr": it was about to; zeros: the file is reserved, and was not used.
 */
static int state_hibernation(struct vtr_os *os, struct vtr_error *err)
{
	static const struct {
		const char *magic, *state;
	} states[] = {
		{ "HIBR", "hibernated" }, { "WAKE", "resumed" }, { "RSTR", "resuming" }, { "LINK", "hibernated" }
	};
	struct win_value v = { .name = "HiberbootEnabled" };
	char path[WIN_DEPTH], magic[4];
	const char *state = "none";
	struct vtr_error e = { 0 };
	struct vtr_place place;
	struct vtr_stat st;
	int rc = state_value(&v, path, os, "Control\\Session Manager\\Power", err);

	if (rc > 0 && v.has_number)
		rc = vtr_win_fact(os, "fast_startup", v.number ? "enabled" : "disabled", &os->windows->system, path,
				  v.name, err);
	vtr_win_values_done(&v, 1);
	if (rc >= 0)
		rc = vtr_os_look(&place, &st, os, "/hiberfil.sys", 0, err);
	if (rc <= 0 || st.type != VTR_TYPE_FILE)
		return rc < 0 ? -1 : 0;
	if (vtr_fs_read(place.fs, place.node, 0, magic, sizeof(magic), &e) != sizeof(magic))
		return e.code ? vtr_win_excuse(os, NULL, &e, err) : 0;
	for (size_t i = 0; i < VTR_COUNT(states); i++)
		if (vtr_ascii_ncasecmp(magic, states[i].magic, sizeof(magic)) == 0)
			state = states[i].state;
	return vtr_os_add_fact_on(os, "hibernation", state, strlen(state), "/hiberfil.sys", place.fs, err);
}

/* ----------------------------------------------------------------------------------------------------- what waits */

/* Restarts that something waits for, each by what it is; the fact names the first place. */
static int state_pending(struct vtr_os *os, struct vtr_error *err)
{
	static const struct {
		const char *key, *what;
	} keys[] = {
		{ STATE_VERSION "\\Component Based Servicing\\RebootPending", "servicing" },
		{ STATE_VERSION "\\Component Based Servicing\\RebootInProgress", "servicing" },
		{ STATE_VERSION "\\Component Based Servicing\\PackagesPending", "servicing" },
		{ STATE_VERSION "\\WindowsUpdate\\Auto Update\\RebootRequired", "update" },
		{ STATE_VERSION "\\WindowsUpdate\\Auto Update\\PostRebootReporting", "update" },
	};
	struct vtr_windows *w = os->windows;
	struct win_value v = { .name = "PendingFileRenameOperations" };
	const char *first = NULL, *last = NULL;
	struct vtr_span rest, one;
	struct vtr_str what = { 0 };
	char path[WIN_DEPTH], number[24];
	size_t renames = 0;
	uint32_t key;
	int rc = 0;

	for (size_t i = 0; i < VTR_COUNT(keys) && rc >= 0; i++) {
		rc = vtr_win_key(&key, os, &w->software, 0, keys[i].key, err);
		if (rc <= 0 || (last && strcmp(last, keys[i].what) == 0))
			continue;
		vtr_str_puts(&what, what.len ? ", " : "");
		vtr_str_puts(&what, last = keys[i].what);
		first = first ? first : keys[i].key;
	}
	if (rc >= 0 && what.oom)
		rc = vtr_fail(err, VTR_ENOMEM, "what a restart is needed for");
	if (rc >= 0 && first)
		rc = vtr_win_fact(os, "pending_reboot", what.p, &w->software, first, NULL, err);
	vtr_str_done(&what);
	if (rc < 0)
		return -1;
	rc = state_value(&v, path, os, "Control\\Session Manager", err);
	rest = (struct vtr_span){ v.text, v.text ? v.len : 0 };
	while (rc > 0 && vtr_span_field(&one, &rest, '\n'))
		renames++; /* each file, and its new name, or "" for one that is deleted */
	if (rc > 0 && renames > 1) {
		snprintf(number, sizeof(number), "%zu", renames / 2);
		rc = vtr_win_fact(os, "pending_renames", number, &w->system, path, v.name, err);
	}
	vtr_win_values_done(&v, 1);
	return rc < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------------- whose machine */

/* 2 length, 2 room, 4 where from the start, UTF-16. */
static void state_lsa_text(char *out, size_t size, const struct win_value *v)
{
	const uint8_t *p = (const uint8_t *)v->text;
	uint32_t len, off;

	out[0] = 0;
	if (!p || v->len < 8)
		return;
	len = vtr_get_le16(p);
	off = vtr_get_le32(p + 4);
	if (vtr_range_in(off, len, v->len))
		vtr_utf16_to_utf8(out, size, p + off, len & ~1u, VTR_UTF16_LE);
}

/* The domain, or the workgroup: a machine of a domain has the domain's identifier beside its name. */
static int state_membership(struct vtr_os *os, struct vtr_error *err)
{
	struct vtr_windows *w = os->windows;
	struct win_value name = { .name = "", .raw = true }, sid = { .name = "", .raw = true };
	char path[WIN_DEPTH], text[512];
	bool joined;
	uint32_t key;
	int rc = 0;

	snprintf(path, sizeof(path), "%s/System32/config/SECURITY", w->root);
	if (!w->security.path)
		rc = vtr_win_open(&w->security, os, path, "HKLM\\SECURITY", false, err);
	if (rc >= 0)
		rc = vtr_win_key(&key, os, &w->security, 0, "Policy\\PolPrDmN", err);
	if (rc > 0 && vtr_win_values(&name, 1, os, &w->security, key, err) < 0)
		rc = -1;
	if (rc > 0)
		rc = vtr_win_key(&key, os, &w->security, 0, "Policy\\PolPrDmS", err);
	if (rc > 0 && vtr_win_values(&sid, 1, os, &w->security, key, err) < 0)
		rc = -1;
	state_lsa_text(text, sizeof(text), &name);
	joined = sid.text && sid.len >= 8 && sid.text[0] == 1;
	if (rc >= 0 && text[0])
		rc = vtr_win_fact(os, joined ? "domain_netbios" : "workgroup", text, &w->security, "Policy\\PolPrDmN",
				  "", err);
	vtr_win_values_done(&name, 1);
	vtr_win_values_done(&sid, 1);
	return rc < 0 ? -1 : 0;
}

struct state_policies {
	struct vtr_str names;
	size_t n;
};

/* A policy that was applied: its name is that of its extension's key. */
static int state_policy_key(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *name,
			    struct vtr_error *err)
{
	struct win_value v = { .name = "DisplayName" };
	struct state_policies *p = arg;
	struct vtr_span rest = { p->names.p, p->names.len }, one;
	bool known = false;

	(void)name;
	if (vtr_win_values(&v, 1, os, hive, key, err) < 0)
		return -1;
	while (v.text && vtr_span_field(&one, &rest, '\n'))
		known = known || (one.len == v.len && memcmp(one.p, v.text, v.len) == 0);
	if (v.text && *v.text && !known && p->n++ < 64) {
		vtr_str_puts(&p->names, p->names.len ? "\n" : "");
		vtr_str_put(&p->names, v.text, v.len);
	}
	vtr_win_values_done(&v, 1);
	return 0;
}

static int state_extension_key(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key,
			       const char *name, struct vtr_error *err)
{
	return name[0] == '{' ? vtr_win_each(os, hive, key, state_policy_key, arg, err) : 0;
}

static int state_group_policy(struct vtr_os *os, struct vtr_error *err)
{
	static const char history[] = STATE_VERSION "\\Group Policy\\History";
	struct win_hive *software = &os->windows->software;
	struct state_policies p = { 0 };
	uint32_t key;
	int rc = vtr_win_key(&key, os, software, 0, history, err);

	if (rc > 0)
		rc = vtr_win_each(os, software, key, state_extension_key, &p, err);
	if (rc >= 0 && p.names.oom)
		rc = vtr_fail(err, VTR_ENOMEM, "names of policies");
	for (size_t i = 0; i < p.names.len; i++)
		if (p.names.p[i] == '\n')
			p.names.p[i] = ';';
	if (rc >= 0 && p.names.len > 0)
		rc = vtr_win_fact(os, "group_policy", p.names.p, software, history, NULL, err);
	vtr_str_done(&p.names);
	return rc < 0 ? -1 : 0;
}

/* -------------------------------------------------------------------------------------------------------- language */

static int state_language(struct vtr_os *os, const char *fact, const char *value, struct vtr_error *err)
{
	struct win_value v = { .name = value };
	char path[WIN_DEPTH], *end;
	const char *tag;
	int rc = state_value(&v, path, os, "Control\\Nls\\Language", err);

	if (rc > 0 && v.text) {
		tag = vtr_win_language((uint32_t)strtoul(v.text, &end, 16));
		if (tag && *end == 0 && end != v.text)
			rc = vtr_win_fact(os, fact, tag, &os->windows->system, path, value, err);
	}
	vtr_win_values_done(&v, 1);
	return rc < 0 ? -1 : 0;
}

/* The layout that is there before anybody logs on, by its name. */
static int state_keyboard(struct vtr_os *os, struct vtr_error *err)
{
	static const char preload[] = "Keyboard Layout\\Preload";
	struct vtr_windows *w = os->windows;
	struct win_value v = { .name = "1" }, name = { .name = "Layout Text" };
	char path[WIN_DEPTH], below[128];
	uint32_t key;
	int rc = vtr_win_key(&key, os, &w->user, 0, preload, err);

	if (rc > 0 && vtr_win_values(&v, 1, os, &w->user, key, err) < 0)
		rc = -1;
	if (rc > 0 && v.text && *v.text) {
		snprintf(below, sizeof(below), "Control\\Keyboard Layouts\\%.60s", v.text);
		rc = state_value(&name, path, os, below, err);
		if (rc >= 0)
			rc = vtr_win_fact(os, "keymap", name.text && *name.text ? name.text : v.text, &w->user, preload,
					  "1", err);
	}
	vtr_win_values_done(&v, 1);
	vtr_win_values_done(&name, 1);
	return rc < 0 ? -1 : 0;
}

static int state_names(struct vtr_os *os, struct vtr_error *err)
{
	struct vtr_windows *w = os->windows;
	char path[WIN_DEPTH];
	int rc = 0;

	snprintf(path, sizeof(path), "%s/System32/config/DEFAULT", w->root);
	if (!w->user.path)
		rc = vtr_win_open(&w->user, os, path, "HKU\\.DEFAULT", false, err);
	if (rc < 0 ||
	    vtr_win_fact_read(os, "locale", &w->user, "Control Panel\\International", "LocaleName", err) < 0 ||
	    state_language(os, "locale", "Default", err) < 0 ||
	    state_language(os, "language", "InstallLanguage", err) < 0)
		return -1;
	return state_keyboard(os, err);
}

static int state_servers(struct vtr_os *os, struct vtr_error *err)
{
	static const char tcpip[] = "Services\\Tcpip\\Parameters";
	char path[WIN_DEPTH];
	int rc = vtr_win_fact_read(os, "nameservers", &os->windows->system, vtr_win_set(path, os->windows, tcpip),
				   "NameServer", err);

	if (rc == 0)
		rc = vtr_win_fact_read(os, "nameservers", &os->windows->system, path, "DhcpNameServer", err);
	return rc < 0 ? -1 : 0;
}

int vtr_windows_state_read(struct vtr_os *os, struct vtr_error *err)
{
	static int (*const all[])(struct vtr_os * os, struct vtr_error * err) = {
		state_shutdown,	    state_hibernation, state_pending, state_membership,
		state_group_policy, state_names,       state_servers,
	};

	for (size_t i = 0; i < VTR_COUNT(all); i++)
		if (all[i](os, err) < 0)
			return -1;
	return 0;
}
