/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The databases that users and groups are in. */
#ifndef VTR_INSPECT_ACCOUNTS_H
#define VTR_INSPECT_ACCOUNTS_H

#include "inspect/records.h"

#define VTR_ACCOUNT_SOURCES 8u

/* Files as passwd(5), shadow(5) and group(5) have them; shadow NULL: none. All NULL: records of systemd's userdb. */
struct vtr_account_source {
	const char *service, *passwd, *shadow, *group;
};
extern const struct vtr_account_source vtr_account_sources[VTR_ACCOUNT_SOURCES];

/* The sources of one database, by their index, in the order in which they are asked. */
struct vtr_account_order {
	unsigned sources[VTR_ACCOUNT_SOURCES];
	size_t n;
	bool merge; /* [SUCCESS=merge]: groups of several sources go together */
};

void vtr_nsswitch_parse(struct vtr_account_order *out, const char *database, const char *text, size_t len);
int vtr_nsswitch_read(struct vtr_account_order *out, struct vtr_os *os, bool groups, struct vtr_error *err);

/*
 * A user or group record, https://systemd.io/USER_RECORD and GROUP_RECORD, in JSON: what is not there is empty. Spans lie
 * in the text, or in unescaped; vtr_userdb_done() afterwards.
 */
#define VTR_USERDB_TEXTS 9
struct vtr_userdb {
	const char *path;
	struct vtr_span name, uid, gid, gecos, home, shell, locked, hash, must_change;
	struct vtr_str members;
	struct vtr_str unescaped[VTR_USERDB_TEXTS];
	uint64_t skipped; /* lines that could not be read */
};
void vtr_userdb_done(struct vtr_userdb *u);
int vtr_userdb_parse(struct vtr_userdb *u, const char *text, size_t len, struct vtr_error *err);

/* The records in userdb's directories, and those of systemd-homed. fn returns 0 to go on, -1 to stop. */
typedef int vtr_userdb_fn(void *arg, struct vtr_os *os, const struct vtr_userdb *u, struct vtr_error *err);
int vtr_userdb_each(struct vtr_os *os, bool groups, vtr_userdb_fn *fn, void *arg, struct vtr_error *err);

#endif
