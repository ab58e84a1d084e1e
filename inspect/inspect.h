/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding operating systems among a guest's filesystems, and their facts. Each family of facts is one file; it reads
 * the system's tree and adds facts, mounts or packages to struct vtr_os with the functions below.
 */
#ifndef VTR_INSPECT_INSPECT_H
#define VTR_INSPECT_INSPECT_H

#include "base/ctx.h"
#include "base/text.h"

/* What inspection works on. */
struct vtr_inspect {
	struct vtr_ctx *ctx;
	const struct vtr_device *devices;
	size_t n_devices;
	/* The filesystem of a device that has one, opened once and borrowed; NULL and *err. */
	struct vtr_fs *(*fs)(void *arg, size_t device, struct vtr_error *err);
	void *arg;
};

struct vtr_os {
	struct vtr_ctx *ctx; /* a reference */
	char *root;	     /* name of the root's device */
	struct vtr_tree *tree;
	struct vtr_os_mounted {
		char *path, *device;
	} *mounted; /* what the tree is made of, the longest path first: where does a path's fact come from */
	size_t n_mounted, cap_mounted;
	struct vtr_fact *facts; /* strings are owned */
	size_t n_facts, cap_facts;
	struct vtr_mount *mounts; /* strings are owned, device too */
	size_t n_mounts, cap_mounts;
	struct vtr_package *packages; /* strings lie in package_text */
	size_t n_packages, cap_packages;
	char *package_text;
	bool packages_read;
};

/* Find the systems. *out is an array of *n, the caller's: each to vtr_os_free(), then free(). */
int vtr_inspect_run(struct vtr_os ***out, size_t *n, const struct vtr_inspect *in, struct vtr_error *err);
void vtr_os_free(struct vtr_os *os); /* NULL is fine */

/*
 * Add a fact that was read from path in the system's tree. Bytes from the guest are escaped. The first value of a key
 * stays. An empty value is no fact.
 */
int vtr_os_add_fact(struct vtr_os *os, const char *key, const char *value, size_t len, const char *path,
		    struct vtr_error *err);

/* --- text formats of configuration files, each usable on any bytes ------------------------------------------------ */

/* One line of a text at a time, without its end (\n or \r\n). 1: a line, 0: the end. Lines may hold any bytes. */
struct vtr_lines {
	const char *p, *end;
};
int vtr_lines_next(struct vtr_lines *l, const char **line, size_t *len);

/*
 * os-release(5) and other files of shell-like assignments: NAME=value, quotes and backslashes as the shell has them,
 * comments, no expansion. fn gets each name with its unquoted value.
 */
typedef int vtr_assign_fn(void *arg, const char *name, size_t name_len, const char *value, size_t value_len,
			  struct vtr_error *err);
int vtr_assignments(const char *text, size_t len, vtr_assign_fn *fn, void *arg, struct vtr_error *err);

/* fstab(5): each entry, \040 escapes undone. */
struct vtr_fstab_entry {
	char *spec, *file, *type, *options; /* NUL terminated, owned by the parser during the call */
};
typedef int vtr_fstab_fn(void *arg, const struct vtr_fstab_entry *e, struct vtr_error *err);
int vtr_fstab_parse(const char *text, size_t len, vtr_fstab_fn *fn, void *arg, struct vtr_error *err);

/* The architecture of an ELF file from its first bytes, as uname -m has it; NULL: not ELF, or unknown. Static. */
const char *vtr_elf_arch(const uint8_t *p, size_t len);

/* dpkg's status file: append its packages to os. The text stays with os: on success it owns it. */
int vtr_dpkg_parse(struct vtr_os *os, char *text, size_t len, struct vtr_error *err);

#endif
