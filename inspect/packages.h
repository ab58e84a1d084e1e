/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of a system's packages as its databases fill it: for all of them but dpkg's, which keeps its text. */
#ifndef VTR_INSPECT_PACKAGES_H
#define VTR_INSPECT_PACKAGES_H

#include "inspect/inspect.h"

/* The packages of the database that the system's package_format names. -1: it cannot be read, or is of no known kind. */
int vtr_packages_read(struct vtr_os *os, struct vtr_error *err);

struct vtr_bytes {
	const char *p; /* NULL: not recorded */
	size_t len;
};

/* A package as its record has it: bytes that are borrowed during the call. */
struct vtr_package_bytes {
	struct vtr_bytes name, version, arch, source, source_version, summary, vendor, id, user, location;
	uint64_t installed_size;
	int64_t install_time;
};

struct vtr_packages {
	struct vtr_os *os;
	const char *path; /* of the database, for messages */
	size_t damaged;	  /* records and places; a few are told one by one */
	uint64_t steps;	  /* for vtr_tick() */
	uint8_t *room;
	size_t room_len;
};

/* Copy the package, escaped, to os. One without a name is damage. */
int vtr_packages_add(struct vtr_packages *l, const struct vtr_package_bytes *p, struct vtr_error *err);

/* Damage to one record of many: its siblings follow. */
void vtr_packages_warn(struct vtr_packages *l, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same with an error that was made already. 0; -1 when it is one that ends the work: then *err is set. */
int vtr_packages_excuse(struct vtr_packages *l, const struct vtr_error *e, struct vtr_error *err);

/* Memory of len bytes, held against limits.alloc, for one record. It is l's, and the next call's. */
int vtr_packages_room(uint8_t **out, struct vtr_packages *l, uint64_t len, const char *what, struct vtr_error *err);

/* The end: what was added is sorted, or with rc -1 taken away again. Returns rc. */
int vtr_packages_finish(struct vtr_packages *l, int rc);

/* Decimal digits; 0 when it is no number or none that fits. */
uint64_t vtr_packages_number(const char *p, size_t len);

/* The database itself, a text in held memory: 1, 0: there is none, -1: it is there and cannot be read. */
int vtr_packages_slurp(char **out, size_t *len, struct vtr_packages *l, const char *path, struct vtr_error *err);

/* The names in a directory but hidden ones, sorted. 1, 0: it is no directory, -1. */
struct vtr_names {
	char **names; /* NUL terminated; held memory */
	size_t n, cap;
};
int vtr_names_read(struct vtr_names *out, struct vtr_packages *l, const char *dir, struct vtr_error *err);
void vtr_names_done(struct vtr_names *names);

/* --- the databases in a system's tree. 1: there is one, 0: there is none, -1 --------------------------------------- */

int vtr_rpm_read(struct vtr_packages *l, struct vtr_error *err);
int vtr_apk_read(struct vtr_packages *l, struct vtr_error *err);
int vtr_pacman_read(struct vtr_packages *l, struct vtr_error *err);
int vtr_portage_read(struct vtr_packages *l, struct vtr_error *err);
int vtr_opkg_read(struct vtr_packages *l, struct vtr_error *err);
int vtr_windows_packages_read(struct vtr_packages *l, struct vtr_error *err);

/* --- the databases as bytes ---------------------------------------------------------------------------------------- */

/*
 * One header blob of rpm's as a package; damage is warned of. number is its key in the database. -1: the work cannot
 * go on.
 */
int vtr_rpm_header_add(struct vtr_packages *l, const uint8_t *p, size_t len, uint64_t number, struct vtr_error *err);

/*
 * rpm's databases: each header goes to vtr_rpm_header_add(). wal is the write-ahead log beside the database, NULL when
 * there is none or it is not to be replayed. -1: the file is none of the kind, or what it holds cannot be found.
 */
int vtr_rpmdb_sqlite_read(struct vtr_packages *l, struct vtr_blk *b, struct vtr_blk *wal, struct vtr_error *err);
int vtr_rpmdb_ndb_read(struct vtr_packages *l, struct vtr_blk *b, struct vtr_error *err);
int vtr_rpmdb_bdb_read(struct vtr_packages *l, struct vtr_blk *b, struct vtr_error *err);

int vtr_apk_parse(struct vtr_packages *l, const char *text, size_t len, struct vtr_error *err);

/* One package's desc; dir is the name of its directory, which speaks where desc does not. */
int vtr_pacman_parse(struct vtr_packages *l, const char *dir, const char *text, size_t len, struct vtr_error *err);

#endif
