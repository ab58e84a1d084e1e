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
	size_t only; /* systems whose root is on one device alone: 1 + its index; 0: all systems */
};

/* A filesystem in a system's tree: where does a path's fact come from. */
struct vtr_os_mounted {
	char *path, *device;
	const struct vtr_fs *fs; /* borrowed as the tree's */
};

struct vtr_os {
	struct vtr_ctx *ctx; /* a reference */
	char *root;	     /* name of the root's device */
	char *dir;	     /* the directory of the filesystem there that is the system's "/"; NULL: its own root */
	enum { VTR_LAYOUT_PLAIN, VTR_LAYOUT_OSTREE, VTR_LAYOUT_SNAP } layout;
	char *name;	  /* what tells it from all others; NULL: root does */
	bool alternative; /* to fall back on: another one starts by itself */
	struct vtr_tree *tree;
	struct vtr_os_mounted *mounted; /* what the tree is made of, the longest path first */
	size_t n_mounted, cap_mounted;
	struct vtr_fact *facts; /* strings are owned */
	size_t n_facts, cap_facts;
	struct vtr_mount *mounts; /* strings are owned, device too; bytes from the guest are escaped in the end */
	size_t n_mounts, cap_mounts;
	struct vtr_package *packages; /* strings lie in package_text, those that had to be escaped in escaped */
	size_t n_packages, cap_packages;
	char *package_text;
	struct vtr_os_escaped *escaped;
	bool packages_read;
	struct vtr_records *records; /* inspect/records.c; NULL: none yet */
	struct vtr_windows *windows; /* its hives, inspect/windows; NULL: it is no Windows */
};

/* Find the systems. *out is an array of *n, the caller's: each to vtr_os_free(), then free(). */
int vtr_inspect_run(struct vtr_os ***out, size_t *n, const struct vtr_inspect *in, struct vtr_error *err);
void vtr_os_free(struct vtr_os *os); /* NULL is fine */

/* A system whose root filesystem lies on this device: its tree is that alone. fs NULL: no tree, for tests. */
struct vtr_os *vtr_os_new(struct vtr_ctx *ctx, const char *device, struct vtr_fs *fs, struct vtr_error *err);
/* The same of a system whose "/" is a directory of the filesystem, by its path there. */
struct vtr_os *vtr_os_new_in(struct vtr_ctx *ctx, const char *device, struct vtr_fs *fs, const char *dir,
			     struct vtr_error *err);

/*
 * Mount a filesystem in the tree. One that is in the tree already is not mounted again: that could make a tree
 * without end.
 */
int vtr_os_mount_add(struct vtr_os *os, const char *path, const char *device, struct vtr_fs *fs, struct vtr_error *err);

/* Mount a directory of a filesystem on device, by its path there, as a bind mount does. 1; 0: there is none; -1. */
int vtr_os_bind_add(struct vtr_os *os, const char *path, const char *device, struct vtr_fs *fs, const char *dir,
		    struct vtr_error *err);

/* One more of os->mounts, not mounted yet; device NULL: it is not among the guest's. NULL sets *err. */
struct vtr_mount *vtr_os_mount_new(struct vtr_os *os, const char *spec, const char *path, const char *type,
				   const char *device, struct vtr_error *err);

/*
 * Say which device a filesystem is on that is no part of the tree's one root: a drive, "D:", or one that the system is
 * started from. One that is known already is left as it is.
 */
int vtr_os_beside_add(struct vtr_os *os, const char *path, const char *device, struct vtr_fs *fs,
		      struct vtr_error *err);

/*
 * Add a fact that was read from path in the system's tree. Bytes from the guest are escaped. The first value of a key
 * stays. An empty value is no fact, and one over limits.line is warned of and left out.
 *
 * The fact's device is where the file is that path leads to; vtr_os_add_fact_on() is for a fact that comes from
 * elsewhere: a symlink itself.
 */
int vtr_os_add_fact(struct vtr_os *os, const char *key, const char *value, size_t len, const char *path,
		    struct vtr_error *err);
int vtr_os_add_fact_on(struct vtr_os *os, const char *key, const char *value, size_t len, const char *path,
		       const struct vtr_fs *fs, struct vtr_error *err);
/* The same of what a hive says: reg_key and reg_value as vtr_fact has them; NULL: none. */
int vtr_os_add_fact_in(struct vtr_os *os, const char *key, const char *value, size_t len, const char *path,
		       const struct vtr_fs *fs, const char *reg_key, const char *reg_value, struct vtr_error *err);

/* Escape a string for a package or a record, in memory of os. NULL sets *err. */
const char *vtr_os_escape(struct vtr_os *os, const char *bytes, size_t len, struct vtr_error *err);
/* Zeroed memory of os, aligned to a power of two up to 16, for as long as os is. NULL sets *err. */
void *vtr_os_keep(struct vtr_os *os, size_t size, size_t align, struct vtr_error *err);

/* The device that a filesystem of the tree is on; fs NULL: what the path alone says. Borrowed. */
const char *vtr_os_device(const struct vtr_os *os, const struct vtr_fs *fs, const char *path);

void vtr_records_free(struct vtr_os *os);

/*
 * Looking at the system's tree. 1: it is there, 0: it is not, or it is damaged, which was warned of; -1: the work
 * cannot go on. A place or a stat that is not wanted is NULL.
 */
int vtr_os_look(struct vtr_place *place, struct vtr_stat *st, struct vtr_os *os, const char *path, unsigned flags,
		struct vtr_error *err);
int vtr_os_slurp(char **out, size_t *len, struct vtr_os *os, const char *path, uint64_t max, struct vtr_error *err);
/* The target of a symlink, and the filesystem that it is on (may be NULL). 0 also when path is no symlink. */
int vtr_os_readlink(char **out, const struct vtr_fs **fs, struct vtr_os *os, const char *path, struct vtr_error *err);

/*
 * Report that something of a file is left out: "DEVICE: PATH: …". Whoever skips, cuts or does not believe a piece of a
 * file calls this with the code of the damage; a code of VTR_OK is for what is merely odd.
 */
void vtr_os_warn(struct vtr_os *os, const char *path, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * What an error means for the inspection. This is decided here and nowhere else; `make lint only=errors` sees to it.
 *
 * - The work ends: memory of the host, or somebody cancelled it.
 * - The thing is not there, or not of the kind that is meant: no word is said.
 * - Anything else is damage to one thing: what can be had of the others is. A limit and an error of the host's disk are of
 *   this kind, too: both come from one file at a time, and the warning makes the exit status tell that something is amiss.
 */
enum vtr_verdict { VTR_VERDICT_END, VTR_VERDICT_ABSENT, VTR_VERDICT_DAMAGE };
enum vtr_verdict vtr_inspect_verdict(const struct vtr_error *e);

/* Act upon it: -1, with *err; 0: nothing is there; 0: damage, which is reported with the place in front. NULL: e has it. */
int vtr_inspect_excuse(struct vtr_ctx *ctx, struct vtr_error *e, struct vtr_error *err, const char *place, ...)
	__attribute__((format(printf, 4, 5)));
/* The same where somebody else meets the same damage and reports it: say who in a comment. */
int vtr_inspect_leave(const struct vtr_error *e, struct vtr_error *err);

/*
 * The filesystem of a device: 1; 0: it has none, or one that cannot be read, which is reported by whoever looks for a
 * system on it; -1.
 */
int vtr_inspect_fs(struct vtr_fs **out, const struct vtr_inspect *in, size_t device, struct vtr_error *err);

/* --- families of facts: each adds what it finds; -1 only when the work cannot go on -------------------------------- */

int vtr_linux_read(struct vtr_os *os, struct vtr_error *err); /* distribution, names, package format, init, … */
/* Whether this is the root of another system than Linux: 1, with its type and a file that says so, 0, -1. Static. */
int vtr_unix_find(const char **type, const char **sign, struct vtr_os *os, struct vtr_error *err);
int vtr_unix_read(struct vtr_os *os, const char *type, struct vtr_error *err); /* its name and version */
int vtr_elf_read(struct vtr_os *os, struct vtr_error *err);		       /* arch */
int vtr_dpkg_read(struct vtr_os *os, struct vtr_error *err); /* packages. 1: there is a database, 0: there is none */

/*
 * The Windows systems on a filesystem, whose tree os is: the names of their folders at its root, an array of *n that is
 * the caller's, each of them too. vtr_windows_read() makes a system of one: its hives, facts, and drives.
 */
int vtr_windows_find(char ***out, size_t *n, struct vtr_os *os, struct vtr_error *err);
int vtr_windows_read(struct vtr_os *os, const struct vtr_inspect *in, size_t device, const char *folder,
		     struct vtr_error *err);
void vtr_windows_free(struct vtr_os *os);
const char *vtr_windows_folder(const struct vtr_os *os); /* "/Windows"; NULL: it is no Windows. Borrowed */

/* --- partitions that come in several, inspect/slots.c */

#define VTR_SLOTS_NO_AUTO (UINT64_C(1) << 63) /* attribute: not to be mounted by itself */

/* Whether a partition is /usr, or a root, by its type. NULL: no. */
bool vtr_slots_usr_is(const struct vtr_part *p);
bool vtr_slots_root_is(const struct vtr_part *p);
bool vtr_slots_chrome_is(const struct vtr_part *p); /* a root of ChromeOS */
/* The partition that is /usr of the system whose root is on a device: 1, with its index; 0; -1. */
int vtr_slots_usr(size_t *out, const struct vtr_inspect *in, size_t root, struct vtr_error *err);
/* Of systems on roots of one kind, the one that starts: their fact role. */
int vtr_slots_roles(struct vtr_os **v, size_t n, const struct vtr_inspect *in, struct vtr_error *err);

/* Facts of NixOS, Guix, Android; and of Ubuntu Core, whose os->dir is "/system-data". */
int vtr_layouts_read(struct vtr_os *os, struct vtr_error *err);
int vtr_ubuntu_core_read(struct vtr_os *os, struct vtr_error *err);
/* Facts of one that is not installed yet, by the models in the seed's directory systems. */
int vtr_ubuntu_seed_read(struct vtr_os *os, const char *systems, struct vtr_error *err);

/*
 * The deployments of ostree on a filesystem, whose tree os is: an array of *n, in the order in which the boot loader has
 * them, those that it does not have behind. vtr_ostree_mount() mounts what a deployment's system sees beside itself.
 */
struct vtr_ostree_deployment {
	char *dir;	/* "/ostree/deploy/OS/deploy/CHECKSUM.SERIAL" */
	uint64_t node;	/* of that */
	uint64_t order; /* in the boot loader's menu, from 0; UINT64_MAX: it is not there */
};
int vtr_ostree_find(struct vtr_ostree_deployment **out, size_t *n, struct vtr_os *os, const struct vtr_inspect *in,
		    size_t device, struct vtr_error *err);
void vtr_ostree_done(struct vtr_ostree_deployment *d, size_t n);
int vtr_ostree_mount(struct vtr_os *os, const struct vtr_inspect *in, size_t device, struct vtr_error *err);
int vtr_ostree_read(struct vtr_os *os, struct vtr_error *err); /* facts: the deployment's name and origin */

/* os->mounts from /etc/fstab, with their devices and not yet escaped. root: index of the root's device. */
int vtr_fstab_read(struct vtr_os *os, const struct vtr_inspect *in, size_t root, struct vtr_error *err);

/*
 * The device that fstab(5)'s first field names: UUID=, LABEL=, PARTUUID=, PARTLABEL=, ID=, or a name in /dev. 1: *out is
 * its index, 0: it is not among the guest's; -1: VTR_ENOMEM. Of several that fit it is the one nearest to root, the
 * index of the root's device.
 */
int vtr_fstab_resolve(size_t *out, const struct vtr_inspect *in, const char *spec, size_t root, struct vtr_error *err);

/* --- text formats of configuration files, each usable on any bytes ------------------------------------------------ */

/* One line of a text at a time, without its end (\n or \r\n). 1: a line, 0: the end. Lines may hold any bytes. */
struct vtr_lines {
	const char *p, *end;
};
int vtr_lines_next(struct vtr_lines *l, const char **line, size_t *len);

/*
 * os-release(5) and other files of shell-like assignments: NAME=value, quotes and backslashes as the shell has them,
 * comments, no expansion. fn gets each name with its unquoted value; what it returns other than 0 stops, and is
 * returned. Lines that are no assignment are passed over.
 */
typedef int vtr_assign_fn(void *arg, const char *name, size_t name_len, const char *value, size_t value_len,
			  struct vtr_error *err);
int vtr_assignments(const char *text, size_t len, vtr_assign_fn *fn, void *arg, struct vtr_error *err);

/*
 * fstab(5): each entry, \040 escapes undone, quotes in LABEL="my root" kept. A line with fewer than three fields or
 * with a NUL is passed over. fn as above.
 */
struct vtr_fstab_entry {
	char *spec, *file, *type, *options; /* NUL terminated, owned by the parser during the call */
};
typedef int vtr_fstab_fn(void *arg, const struct vtr_fstab_entry *e, struct vtr_error *err);
int vtr_fstab_parse(const char *text, size_t len, vtr_fstab_fn *fn, void *arg, struct vtr_error *err);

/* The architecture of an ELF file from its first bytes, as uname -m has it; NULL: not ELF, or unknown. Static. */
const char *vtr_elf_arch(const uint8_t *p, size_t len);

/*
 * dpkg's status file: the packages of os, which has none yet. The text, which ends with a NUL after len bytes, is
 * taken apart where it lies and stays with os: it is held memory, which os owns on success.
 */
int vtr_dpkg_parse(struct vtr_os *os, char *text, size_t len, struct vtr_error *err);

#endif
