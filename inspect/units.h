/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit files of systemd: which of several counts, what is put over it, and its state as systemctl(1) has it. */
#ifndef VTR_INSPECT_UNITS_H
#define VTR_INSPECT_UNITS_H

#include "inspect/records.h"

/* A name in one of the directories of unit files, or in a directory below: of drop-ins, of dependencies. */
struct vtr_unit_entry {
	char *owner, *name, *target; /* owner: the directory below, ""; target: of a symlink, as it is there; NULL */
	const struct vtr_fs *fs;
	unsigned dir; /* in the order of their priority */
	int type;     /* enum vtr_type */
	bool null;    /* an empty file, or a link to one or to /dev/null: it masks what has its name */
};

struct vtr_units {
	struct vtr_os *os;
	struct vtr_unit_entry *v; /* sorted by owner, name, and priority */
	size_t n, cap;
	const struct vtr_unit_entry **by_name, **by_target; /* links, sorted by their names and their targets' */
	size_t n_links;
	bool dirs[8]; /* false: there is none, or it is one of the others */
	struct vtr_place places[8];
	struct vtr_unit_preset {
		char *pattern, *instances; /* instances: words; NULL */
		int verdict;		   /* 1: enable, 0: disable, -1: ignore */
	} * presets;
	size_t n_presets, cap_presets;
};

int vtr_units_load(struct vtr_units *u, struct vtr_os *os, struct vtr_error *err);
void vtr_units_done(struct vtr_units *u);

/* systemd.unit(5): whether this can be the name of a unit. Of foo@bar.service the instance is "bar". */
bool vtr_unit_name_is(struct vtr_span name);
/* The name of its template, the caller's; NULL without an error: it is no instance. */
char *vtr_unit_template(const char *name, struct vtr_error *err);

/* Where the first entry of an owner is, or would be; and the best entry of a name, NULL: there is none. */
size_t vtr_units_first(const struct vtr_units *u, const char *owner);
const struct vtr_unit_entry *vtr_units_find(const struct vtr_units *u, const char *owner, const char *name);
/* Its path, the caller's. */
char *vtr_unit_entry_path(const struct vtr_unit_entry *e, struct vtr_error *err);

/* What the name of a unit leads to, over links. */
struct vtr_unit {
	char *name, *path;		    /* path NULL: nothing that is there, or a mask */
	const struct vtr_unit_entry *entry; /* where the name is, or its template's; NULL: nowhere */
	const char *state;		    /* static: "enabled", "static", …; "not-found", "bad" */
	bool masked;
};
int vtr_unit_resolve(struct vtr_unit *out, const struct vtr_units *u, const char *name, struct vtr_error *err);
void vtr_unit_done(struct vtr_unit *unit);

/*
 * The drop-ins of a unit by its names, of which the last is followed by NULL, in the order in which they are read: of equal
 * file names the first that is found, by the order of names and directories. all: those of templates, of prefixes and of
 * the type, too. The caller's, for vtr_unit_paths_free().
 */
int vtr_unit_dropins(char ***paths, size_t *n, const struct vtr_units *u, const char *const *names, bool all,
		     struct vtr_error *err);
void vtr_unit_paths_free(char **paths, size_t n);

/* What systemd.preset(5) says of it: "enabled", "disabled", "ignored". Static. */
const char *vtr_unit_preset(const struct vtr_units *u, const char *name);

/* Services of runlevels. u NULL: the system's init is not systemd. */
int vtr_runlevels_read(struct vtr_os *os, const struct vtr_units *u, struct vtr_error *err);

#endif
