/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the families of a Windows system share: its hives, and how their values become facts and members of records. */
#ifndef VTR_INSPECT_WINDOWS_WINDOWS_H
#define VTR_INSPECT_WINDOWS_WINDOWS_H

#include "inspect/records.h"

#define WIN_DEPTH 2048u /* bytes of a key's path that is put together */

struct win_hive {
	struct vtr_hive *h;	 /* NULL: not there, or of no use */
	char *path;		 /* in the system's tree: "/Windows/System32/config/SYSTEM" */
	const char *name;	 /* "HKLM\\SYSTEM" */
	const struct vtr_fs *fs; /* it is on; NULL: where the path leads in the system's tree. Borrowed */
};

struct vtr_windows {
	char *root;					       /* "/Windows" */
	struct win_hive system, software, sam, security, user; /* the last is that of the system's own user, .DEFAULT */
	char set[16];					       /* "ControlSet001"; "" not known */
	char *sid; /* of the machine: "S-1-5-21-…"; NULL: not read yet, or not known */
};

/*
 * What to do about an error of a hive: 0: it is not there, or damage that was warned of, -1: the work cannot go on. hive may
 * be NULL.
 */
int vtr_win_excuse(struct vtr_os *os, const struct win_hive *hive, struct vtr_error *e, struct vtr_error *err);

/* Open a hive of the system. 1, 0: it is not there (needed: which is told), or of no use; -1. */
int vtr_win_open(struct win_hive *out, struct vtr_os *os, const char *path, const char *name, bool needed,
		 struct vtr_error *err);
void vtr_win_close(struct win_hive *hive);

/* A key by its path from another, 0 being the root. 1, 0, -1. */
int vtr_win_key(uint32_t *out, struct vtr_os *os, const struct win_hive *hive, uint32_t from, const char *path,
		struct vtr_error *err);

/* "ControlSet001\\Services": a path below the current control set, in buf of WIN_DEPTH bytes. */
const char *vtr_win_set(char *buf, const struct vtr_windows *w, const char *path);

/*
 * Values by their names, all in one pass over a key. What is not there, or is neither text, list nor number, stays as it
 * is: text NULL, has_number false. A text has no blanks around it, and its last NUL is not counted; the strings of a list
 * have a newline behind each.
 */
struct win_value {
	const char *name;
	bool raw;   /* keep the bytes of any type in text */
	char *text; /* NUL terminated; NULL: none */
	size_t len;
	uint64_t number;
	bool has_number, found, list;
	uint32_t type;
};
int vtr_win_values(struct win_value *v, size_t n, struct vtr_os *os, const struct win_hive *hive, uint32_t key,
		   struct vtr_error *err);
void vtr_win_values_done(struct win_value *v, size_t n);

/* Each subkey: fn gets its number and its name. 0 to go on; -1 stops, with *err set. */
typedef int win_key_fn(void *arg, struct vtr_os *os, const struct win_hive *hive, uint32_t key, const char *name,
		       struct vtr_error *err);
int vtr_win_each(struct vtr_os *os, const struct win_hive *hive, uint32_t key, win_key_fn *fn, void *arg,
		 struct vtr_error *err);

/* A fact of a value: key_path is that of the key in the hive. */
int vtr_win_fact(struct vtr_os *os, const char *fact, const char *text, const struct win_hive *hive,
		 const char *key_path, const char *value, struct vtr_error *err);
/* The same, read first. 1: it became one, 0, -1. */
int vtr_win_fact_read(struct vtr_os *os, const char *fact, const struct win_hive *hive, const char *key_path,
		      const char *value, struct vtr_error *err);
/* A time as facts have it. */
int vtr_win_fact_time(struct vtr_os *os, const char *fact, int64_t sec, uint32_t nsec, const struct win_hive *hive,
		      const char *key_path, const char *value, struct vtr_error *err);

/* Begin a record that is read from a key. */
void vtr_win_draft(struct vtr_draft *d, struct vtr_os *os, const char *kind, const struct win_hive *hive,
		   const char *key_path, struct vtr_error *err);
/* One more in a list, with its backslashes. */
void vtr_win_list_put(struct vtr_str *list, struct vtr_os *os, const char *text, size_t len);
/* Each string of a list's text. */
void vtr_win_list_put_all(struct vtr_str *list, struct vtr_os *os, const struct win_value *v);

/* 100 ns since 1601 as seconds since 1970; false: none, or never. */
bool vtr_win_time(int64_t *sec, uint32_t *nsec, uint64_t filetime);

/*
 * A path of the registry as one in the tree that can be looked at: "\\SystemRoot\\…", "System32\\drivers\\x.sys",
 * "\\??\\C:\\…", "%SystemRoot%\\…". The caller frees; NULL sets *err.
 */
char *vtr_win_path(const struct vtr_windows *w, const char *path, struct vtr_error *err);

/* The hive of each user with a profile, opened one after the other. */
typedef int win_user_fn(void *arg, struct vtr_os *os, const struct win_hive *hive, const char *sid, const char *user,
			struct vtr_error *err);
int vtr_win_each_user(struct vtr_os *os, win_user_fn *fn, void *arg, struct vtr_error *err);

/* --- families in files of their own ------------------------------------------------------------------------------- */

int vtr_win_drives_read(struct vtr_os *os, const struct vtr_inspect *in, size_t device, struct vtr_error *err);
int vtr_win_boot_read(struct vtr_os *os, const struct vtr_inspect *in, size_t device, struct vtr_error *err);

/* --- formats, each usable on any bytes ---------------------------------------------------------------------------- */

/* What a value of MountedDevices says a volume is. */
enum win_mount_kind { WIN_MOUNT_OTHER = 0, WIN_MOUNT_MBR, WIN_MOUNT_GPT, WIN_MOUNT_NAME };
struct win_mount {
	int kind;	/* enum win_mount_kind */
	uint32_t disk;	/* MBR: the disk's signature */
	uint64_t off;	/* and where the partition begins, bytes */
	char guid[37];	/* GPT: the partition's, in capitals */
	char name[512]; /* NAME: of a device that is no part of a disk: "\\??\\SCSI#CdRom…" */
};
void vtr_win_mount_parse(struct win_mount *out, const uint8_t *p, size_t len);
/* What the name of such a value says: a letter, a volume's GUID in small letters, or neither (false). */
bool vtr_win_mount_name(char *letter, char guid[37], const char *name, size_t len);

/* A user in SAM, by its values F and V. Texts are UTF-8. */
struct win_user {
	uint32_t rid, group;
	uint32_t
		flags; /* ACB: 1 disabled, 4 no password is needed, 0x10 a person's, 0x200 never expires, 0x400 locked */
	uint64_t last_logon, password_set, expires; /* FILETIME; 0: never */
	uint16_t logons;
	bool has_f, has_v, has_password;
	char name[256], full_name[512], comment[512];
};
int vtr_win_user_f_parse(struct win_user *u, const uint8_t *p, size_t len, struct vtr_error *err);
int vtr_win_user_v_parse(struct win_user *u, const uint8_t *p, size_t len, struct vtr_error *err);

/* A group (alias) in SAM by its value C: its name, and each member's identifier. */
typedef int win_sid_fn(void *arg, const char *sid, struct vtr_error *err);
int vtr_win_group_c_parse(char name[256], char comment[512], const uint8_t *p, size_t len, win_sid_fn *fn, void *arg,
			  struct vtr_error *err);

#define WIN_SID 192u /* bytes that any identifier takes as text */
/* An identifier as text; how many bytes of p it takes, 0: it is none. */
size_t vtr_win_sid_text(char out[WIN_SID], const uint8_t *p, size_t len);

/* The partition that an element of a boot store is on: kind and the members of win_mount; OTHER: something else. */
void vtr_win_bcd_device_parse(struct win_mount *out, const uint8_t *p, size_t len);

/* A line of [operating systems] of boot.ini, or of its default. */
struct win_boot_entry {
	struct vtr_span arc, folder,
		title; /* "multi(0)disk(0)rdisk(0)partition(1)", "\\WINDOWS", "Microsoft Windows XP" */
	bool is_default;
};
typedef int win_boot_fn(void *arg, const struct win_boot_entry *e, struct vtr_error *err);
int vtr_win_boot_ini_parse(const char *text, size_t len, win_boot_fn *fn, void *arg, struct vtr_error *err);

/* What the task scheduler is to do, by the value Actions: the command of the first program, with what it is given. */
int vtr_win_actions_parse(struct vtr_str *out, const uint8_t *p, size_t len);

/* The IANA name of a time zone of Windows; NULL: not known. Static. */
const char *vtr_win_zone(const char *name);
/* The tag of a language by its number, 0x0409: "en-US"; NULL. Static. */
const char *vtr_win_language(uint32_t lcid);

#endif
