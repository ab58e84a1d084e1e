/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a system has many of, and what is read beside it: the store of records, and the families that fill it. A family
 * is one file: a function that finds its files in the system's tree, and one for each of their formats that takes any
 * bytes and makes records and facts of them.
 */
#ifndef VTR_INSPECT_RECORDS_H
#define VTR_INSPECT_RECORDS_H

#include "inspect/inspect.h"

/* --- pieces of a text ----------------------------------------------------------------------------------------------- */

/* Bytes within a text. They may be any. */
struct vtr_span {
	const char *p;
	size_t len;
};

struct vtr_span vtr_span_of(const char *text);
bool vtr_span_is(struct vtr_span s, const char *text);
bool vtr_span_starts(struct vtr_span s, const char *text);
bool vtr_span_ends(struct vtr_span s, const char *text);
bool vtr_span_is_icase(struct vtr_span s, const char *text); /* ASCII */
struct vtr_span vtr_span_skip(struct vtr_span s, size_t n);  /* n is at most its length */
struct vtr_span vtr_span_trim(struct vtr_span s);	     /* blanks at both ends */
struct vtr_span vtr_span_unquote(struct vtr_span s);	     /* one pair of '…' or "…" around all of it */
/* Where the first c is; s.len: nowhere. */
size_t vtr_span_find(struct vtr_span s, char c);

/*
 * Whether a name fits a pattern of glob(7): *, ?, [a-c], [!a], and a backslash before what is meant itself. A slash is a
 * character as any other. Takes at most name.len * pattern.len steps.
 */
bool vtr_span_glob(struct vtr_span name, struct vtr_span pattern);

/* Taking from the front of *rest. False: there is nothing left. */
bool vtr_span_line(struct vtr_span *out, struct vtr_span *rest);
bool vtr_span_word(struct vtr_span *out, struct vtr_span *rest);	    /* between blanks */
bool vtr_span_field(struct vtr_span *out, struct vtr_span *rest, char sep); /* "" has no field, "a:" has two */

/* All of it as a decimal number of at most max. */
bool vtr_span_u64(uint64_t *out, struct vtr_span s, uint64_t max);

/*
 * Files of sections: [section], key=value, comments. VTR_INI_SYSTEMD is systemd.syntax(7), where a backslash at a line's
 * end joins the next one to it; VTR_INI_GLIB is GKeyFile, whose escapes stay as they are. section lies in the text; key and
 * value are there during the call alone. fn returns 0, or -1 and stops.
 *
 * What the program leaves out is left out. *refused is the line, from 1, at which it refuses the file, 0: it takes it. Of
 * a refused file systemd keeps what comes before; GLib nothing, so that the caller has to forget what fn was given.
 */
struct vtr_setting {
	struct vtr_span section, key, value;
};
enum vtr_ini { VTR_INI_SYSTEMD, VTR_INI_GLIB };
typedef int vtr_setting_fn(void *arg, const struct vtr_setting *s, struct vtr_error *err);
int vtr_settings(size_t *refused, const char *text, size_t len, enum vtr_ini how, vtr_setting_fn *fn, void *arg,
		 struct vtr_error *err);

/* --- making a record ------------------------------------------------------------------------------------------------ */

#define VTR_DRAFT_MEMBERS 24u

/*
 * A record that is being made. Members are given one after the other; an empty text is no member. What goes wrong is
 * remembered, and vtr_draft_end() tells.
 */
struct vtr_draft {
	struct vtr_os *os;
	struct vtr_error *err;
	struct vtr_record r;
	struct vtr_member members[VTR_DRAFT_MEMBERS];
	bool failed;
};

/* path: the file that it comes from, a path in the system's tree. kind is one of vtr_record_kind(). */
void vtr_draft_begin(struct vtr_draft *d, struct vtr_os *os, const char *kind, const char *path, struct vtr_error *err);
/* As it is for a symlink itself, and for what lies elsewhere than the path alone says. */
void vtr_draft_begin_on(struct vtr_draft *d, struct vtr_os *os, const char *kind, const char *path,
			const struct vtr_fs *fs, struct vtr_error *err);
void vtr_draft_span(struct vtr_draft *d, const char *key, struct vtr_span s);
void vtr_draft_words(struct vtr_draft *d, const char *key, struct vtr_span s); /* one blank between words */
void vtr_draft_text(struct vtr_draft *d, const char *key, const char *text);   /* NULL: none */
void vtr_draft_number(struct vtr_draft *d, const char *key, uint64_t n);
void vtr_draft_bool(struct vtr_draft *d, const char *key, bool yes);
void vtr_draft_time(struct vtr_draft *d, const char *key, int64_t sec, uint32_t nsec); /* 0: none */
/* The key of a hive that it is in: "HKLM\\SOFTWARE\\…". */
void vtr_draft_key(struct vtr_draft *d, const char *key);
/* A list, which vtr_list_put() filled; it may be empty. */
void vtr_draft_list(struct vtr_draft *d, const char *key, const struct vtr_str *list);
int vtr_draft_end(struct vtr_draft *d);

/* One more in a list: escaped, and set off by a newline, which no escaped text has. Empty ones are left out. */
void vtr_list_put(struct vtr_str *list, struct vtr_span s);
/* Words between blanks or sep, each put. */
void vtr_list_put_words(struct vtr_str *list, struct vtr_span words, char sep);

/*
 * Entries of a file that its own reader would skip or refuse, because they are malformed: damage, whose first ones are
 * reported by their lines, and the others as a number. vtr_skip_end() says how many.
 */
struct vtr_skipped {
	struct vtr_os *os;
	const char *path;
	size_t line, n;
};
void vtr_skip(struct vtr_skipped *s, const char *what);
void vtr_skip_end(const struct vtr_skipped *s);

/* --- finding files -------------------------------------------------------------------------------------------------- */

/* What takes a file's text apart. It ends with a NUL after len bytes. */
typedef int vtr_text_fn(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err);

/* Read a file and hand it to fn. 1: it was there, 0: not, or damaged and warned of; -1. */
int vtr_os_text(struct vtr_os *os, const char *path, vtr_text_fn *fn, struct vtr_error *err);

/* As vtr_os_slurp() with limits.text_file, and counted: a system's files may not make us read without end. */
int vtr_os_text_slurp(char **out, size_t *len, struct vtr_os *os, const char *path, struct vtr_error *err);

/* A file, up to max bytes of it from off. The count; 0 also when it is not there or damaged, which was warned of. */
ssize_t vtr_os_peek(void *buf, size_t max, uint64_t off, uint64_t *size, struct vtr_os *os, const char *path,
		    struct vtr_error *err);

/* What is in a directory, sorted by bytes; symlinks are not followed. fn returns 0 to go on, -1 to stop. */
struct vtr_os_entry {
	const char *path, *name;
	int type; /* enum vtr_type */
	const struct vtr_fs *fs;
	const struct vtr_stat *st;
};
typedef int vtr_os_entry_fn(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err);
int vtr_os_list(struct vtr_os *os, const char *dir, vtr_os_entry_fn *fn, void *arg, struct vtr_error *err);

/* Each file of a directory whose name ends so, to fn; names that start with a dot are left out. */
int vtr_os_texts(struct vtr_os *os, const char *dir, const char *suffix, vtr_text_fn *fn, struct vtr_error *err);

/*
 * The files of several directories whose names end so, as one directory would have them: of equal names the first
 * directory's counts. paths are in the order of their names. vtr_merged_done() afterwards.
 */
struct vtr_merged {
	const char **paths;
	size_t n;
	struct vtr_merged_file {
		char *path;
		size_t order;
	} * files;
	size_t n_files, cap_files;
};
int vtr_os_merge(struct vtr_merged *m, struct vtr_os *os, const char *const *dirs, size_t n, const char *suffix,
		 struct vtr_error *err);
void vtr_merged_done(struct vtr_merged *m);
int vtr_os_merged_texts(struct vtr_os *os, const char *const *dirs, size_t n, const char *suffix, vtr_text_fn *fn,
			struct vtr_error *err);

/* Whether something is there: 1, 0, -1. */
int vtr_os_there(struct vtr_os *os, const char *path, struct vtr_error *err);
/* The first of these that is there, NULL: none. paths ends with NULL. */
int vtr_os_there_any(const char **out, struct vtr_os *os, const char *const *paths, struct vtr_error *err);

/* A fact of a text that is no literal: as vtr_os_add_fact(). */
int vtr_os_add_text(struct vtr_os *os, const char *key, const char *value, const char *path, struct vtr_error *err);

/* --- families: each makes the records that it finds. -1: the work cannot go on, or a limit was reached -------------- */

int vtr_users_read(struct vtr_os *os, struct vtr_error *err);
int vtr_sudoers_read(struct vtr_os *os, struct vtr_error *err); /* after them */
int vtr_services_read(struct vtr_os *os, struct vtr_error *err);
int vtr_kernels_read(struct vtr_os *os, struct vtr_error *err);
int vtr_cron_read(struct vtr_os *os, struct vtr_error *err);
int vtr_network_read(struct vtr_os *os, struct vtr_error *err);
int vtr_crypttab_read(struct vtr_os *os, struct vtr_error *err);
int vtr_kernelconf_read(struct vtr_os *os, struct vtr_error *err); /* sysctl, modules, the environment */
int vtr_ssh_read(struct vtr_os *os, struct vtr_error *err);
int vtr_bundles_read(struct vtr_os *os, struct vtr_error *err); /* images of containers, snaps, flatpaks */
int vtr_repositories_read(struct vtr_os *os, struct vtr_error *err);
int vtr_logins_read(struct vtr_os *os, struct vtr_error *err);
int vtr_boot_read(struct vtr_os *os, struct vtr_error *err);   /* facts alone */
int vtr_system_read(struct vtr_os *os, struct vtr_error *err); /* the same; after the services */

/* Those of Windows: inspect/windows. */
int vtr_windows_users_read(struct vtr_os *os, struct vtr_error *err);
int vtr_windows_services_read(struct vtr_os *os, struct vtr_error *err);
int vtr_windows_network_read(struct vtr_os *os, struct vtr_error *err);
int vtr_windows_updates_read(struct vtr_os *os, struct vtr_error *err);
int vtr_windows_apps_read(struct vtr_os *os, struct vtr_error *err);
int vtr_windows_autoruns_read(struct vtr_os *os, struct vtr_error *err);
int vtr_windows_tasks_read(struct vtr_os *os, struct vtr_error *err);
int vtr_windows_state_read(struct vtr_os *os, struct vtr_error *err); /* facts alone */

/* --- their formats: any bytes make records and facts of os, which may have no tree ---------------------------------- */

/* shadow NULL: there is one, and it cannot be read: then nothing is said of passwords that are in it. */
int vtr_passwd_parse(struct vtr_os *os, const char *path, const char *text, size_t len, const char *shadow,
		     size_t shadow_len, struct vtr_error *err);
vtr_text_fn vtr_group_parse, vtr_sudoers_parse;
vtr_text_fn vtr_unit_parse; /* a unit's file without its drop-ins */
/*
 * The architecture of a kernel by its first bytes, 1 KiB of them, as uname -m has it; NULL: not known. *version_at: where
 * the text lies in the file that starts with its version; 0: nowhere.
 */
const char *vtr_kernel_arch(const uint8_t *p, size_t len, uint64_t *version_at);
/* crontab(5) with a column of users, and one user's own: the last part of path. */
vtr_text_fn vtr_crontab_parse, vtr_crontab_user_parse, vtr_anacrontab_parse;
vtr_text_fn vtr_ifupdown_parse, vtr_netplan_parse, vtr_keyfile_parse, vtr_networkd_parse, vtr_ifcfg_parse,
	vtr_resolv_parse;
vtr_text_fn vtr_nmconf_parse;
vtr_text_fn vtr_crypttab_parse;
vtr_text_fn vtr_sysctl_parse, vtr_modules_load_parse, vtr_modprobe_parse, vtr_environment_parse,
	vtr_environment_d_parse;
vtr_text_fn vtr_grub_parse, vtr_loader_conf_parse, vtr_boot_entry_parse, vtr_ostree_entry_parse;
vtr_text_fn vtr_ostree_origin_parse, vtr_modeenv_parse, vtr_model_parse, vtr_properties_parse;
vtr_text_fn vtr_datasource_parse, vtr_cloud_cfg_parse;
vtr_text_fn vtr_ssh_key_parse, vtr_sshd_config_parse;
vtr_text_fn vtr_docker_repositories_parse, vtr_storage_images_parse;
vtr_text_fn vtr_sources_list_parse, vtr_deb822_sources_parse, vtr_yum_repo_parse, vtr_zypp_repo_parse,
	vtr_apk_repositories_parse, vtr_pacman_conf_parse, vtr_opkg_conf_parse;
/* The last records of wtmp, or all of it; and the head of a journal's file: their times are facts. */
vtr_text_fn vtr_wtmp_parse, vtr_journal_parse;

#endif
