/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vitrine: look inside virtual-machine disk images, wholly in user space.
 *
 * This is the whole public interface. It depends on the C library alone and works from C11 and C++.
 *
 * The layers can be used one by one, or all together:
 *
 *	image file -> vtr_image_open()      -> struct vtr_blk	the decoded disk, bytes by offset
 *	           -> vtr_partitions_open() -> struct vtr_parts	its partitions, each a struct vtr_blk again
 *	           -> vtr_fs_open()         -> struct vtr_fs	a tree of nodes
 *	           -> vtr_tree_new()        -> struct vtr_tree	several filesystems mounted together: paths
 *	image files -> vtr_guest_new(), _add(), _scan()		all of it: devices, systems, mounted trees
 *
 * Errors. A function that can fail returns 0 or a count (or a pointer) on success and -1 (or NULL) on failure, and
 * then fills *err, which the caller owns; err may be NULL. Out parameters are written on success only. Where a text
 * advises an option of the command, the library has the same by another name: --follow is vtr_ctx_follow(), --allow-dir
 * vtr_ctx_allow_dir(), --no-replay vtr_ctx_no_replay(); --format and --any-parent are members of struct
 * vtr_image_options.
 *
 * Damage to one of many things (a directory entry, a backup table) does not fail the call: it is handed to the warning
 * function of the context, see vtr_ctx_on_warning(). A program that wants to know whether what it got is whole asks
 * vtr_ctx_warnings() afterwards.
 *
 * Threads. There is no global state. Distinct contexts and what was opened from them may be used by distinct threads
 * freely. A struct vtr_blk may be read by several threads at once. A struct vtr_fs, vtr_tree or vtr_guest, and files
 * opened from them, are used by one thread at a time.
 *
 * Names that come out of an image are bytes: they hold no NUL and no '/', and need not be UTF-8. vtr_escape() makes
 * them fit for a terminal or a log.
 *
 * Reading never writes: images are opened read-only.
 */
#ifndef VITRINE_H
#define VITRINE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define VTR_API __attribute__((visibility("default")))
#else
#define VTR_API
#endif

/* ------------------------------------------------------------------------------------------------ version, errors */

#define VTR_VERSION_MAJOR 0
#define VTR_VERSION_MINOR 1
#define VTR_VERSION_PATCH 0

/* The version of the library at run time, "0.1.0". Static. */
VTR_API const char *vtr_version(void);

/* Whose move it is. */
enum vtr_code {
	VTR_OK = 0,
	VTR_ECORRUPT,	  /* the image breaks its own format's rules */
	VTR_ETRUNCATED,	  /* the image ends before what it promises */
	VTR_EUNSUPPORTED, /* the image is right, and vitrine does not read this feature: it is named */
	VTR_ELIMIT,	  /* a limit was reached; the text names it: raise it in struct vtr_limits */
	VTR_EPOLICY,	  /* the image names a host file that the caller did not allow; the text says what would */
	VTR_EKEY,	  /* a key or passphrase is missing or wrong */
	VTR_EAMBIGUOUS,	  /* two readings fit: the caller names one (a format, a device) */
	VTR_ENOTFOUND,	  /* no such path, device, snapshot, or nothing recognised */
	VTR_EUSAGE,	  /* the caller erred: a bad argument, a directory where a file is needed */
	VTR_EIO,	  /* the host failed to read or write */
	VTR_ENOMEM,	  /* the host has no memory */
	VTR_ECANCELLED,	  /* vtr_ctx_cancel() or the deadline */
};

/* A failure: its code, and one line that a person can act on. The text is UTF-8 without control characters. */
struct vtr_error {
	int code;  /* enum vtr_code */
	int posix; /* an errno for programs that speak these: the host's own where it failed, else vtr_code_errno() */
	char text[1016];
};

/* Takes what is printed: 0 to go on; anything else stops, and is returned. */
typedef int vtr_write(void *arg, const char *text, size_t len);

/*
 * The errno that is closest to a code: EUCLEAN for damage, EOPNOTSUPP for what is not read, EOVERFLOW for a limit, EACCES for
 * the policy, ENOKEY, ENOTUNIQ for what is ambiguous, ENOENT, EINVAL, EIO, ENOMEM, ECANCELED. 0 for VTR_OK, EIO for other
 * numbers. The numbers are those of Linux.
 */
VTR_API int vtr_code_errno(int code);

/*
 * Set an error, for functions that the caller gives to the library (a resolver, a block source): code, posix, and the text,
 * which is escaped, so that names from an image may be given with %s, and cut where it is too long. err may be NULL.
 */
VTR_API void vtr_error_set(struct vtr_error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A word for a code: "corrupt", "limit", … Static; "unknown" for other numbers. */
VTR_API const char *vtr_code_name(int code);

/* ------------------------------------------------------------------------------------------------ limits, context */

/*
 * What an image may cost. X(name, default): all are uint64_t. Going over one is VTR_ELIMIT, whose text has the name.
 *
 *	steps		metadata nodes (blocks, records, entries) visited in one filesystem; KiB that an image decodes beyond those
 *			that are read of it
 *	entries		directory entries listed by one walk
 *	dir_entries	entries of one directory
 *	depth		directories, or registry keys, below each other in a walk; components of a path
 *	symlinks	symbolic links followed in one path (as Linux)
 *	path_len	bytes of a path
 *	chain		images below each other: backing files
 *	layers		block sources below each other: container, partition, filesystem, …
 *	devices		partitions, volumes and filesystems of one guest
 *	partitions	entries of one partition table
 *	logical		logical partitions of one extended partition
 *	alloc		bytes allocated because of one number in an image
 *	metadata	bytes of metadata held at one time by one context
 *	cache		bytes of decoded blocks that one image or filesystem keeps
 *	text_file	bytes of a guest's configuration file
 *	package_db	bytes of a guest's package database
 *	line		bytes of one line of a text file
 *	packages	installed packages of one system
 *	records		records of one kind of one system: users, services, …
 *	hive		bytes of a registry hive, which are held in memory as they are read
 *	snapshots	internal snapshots of one image
 *	spool		bytes of compressed images that one context keeps, decompressed, in a temporary file; zeros, which take no
 *			room, count a fourth
 *	ratio		bytes that an image decodes beyond those that are read of it, for each byte that its files have; the
 *			first 128 MiB are free
 *	file		bytes of one file that are produced one by one, holes too: to hash, to print
 *	threads		worker threads of one context; 0: as many as there are processors, at most 8
 */
#define VTR_LIMITS(X)                                                                                                  \
	X(steps, 50000000)                                                                                             \
	X(entries, 20000000)                                                                                           \
	X(dir_entries, 5000000)                                                                                        \
	X(depth, 1024)                                                                                                 \
	X(symlinks, 40)                                                                                                \
	X(path_len, 32768)                                                                                             \
	X(chain, 10)                                                                                                   \
	X(layers, 16)                                                                                                  \
	X(devices, 4096)                                                                                               \
	X(partitions, 4096)                                                                                            \
	X(logical, 128)                                                                                                \
	X(alloc, 64 << 20)                                                                                             \
	X(metadata, 128 << 20)                                                                                         \
	X(cache, 32 << 20)                                                                                             \
	X(text_file, 2000000)                                                                                          \
	X(package_db, 512 << 20)                                                                                       \
	X(line, 65536)                                                                                                 \
	X(packages, 1000000)                                                                                           \
	X(records, 100000)                                                                                             \
	X(hive, 512 << 20)                                                                                             \
	X(snapshots, 65536)                                                                                            \
	X(spool, 8589934592)                                                                                           \
	X(ratio, 1040)                                                                                                 \
	X(file, 1099511627776)                                                                                         \
	X(threads, 0)

struct vtr_limits {
#define VTR_LIMIT_MEMBER(name, value) uint64_t name;
	VTR_LIMITS(VTR_LIMIT_MEMBER)
#undef VTR_LIMIT_MEMBER
};

/* Fill *out with the defaults. */
VTR_API void vtr_limits_default(struct vtr_limits *out);

/* The name of the i-th limit, and *value of it where value is not NULL. Static; NULL: there are fewer. */
VTR_API const char *vtr_limits_name(size_t i, const struct vtr_limits *l, uint64_t *value);

/* Set one limit by its name. VTR_EUSAGE when there is none of this name. */
VTR_API int vtr_limits_set(struct vtr_limits *l, const char *name, uint64_t value, struct vtr_error *err);

/*
 * A context: limits, the policy for host files, warnings, cancellation, worker threads. Everything is opened from one
 * and keeps a reference to it. Set it up before the first open.
 */
struct vtr_ctx;

/* A context with these limits (NULL: the defaults). Release with vtr_ctx_unref(). VTR_ENOMEM only. */
VTR_API struct vtr_ctx *vtr_ctx_new(const struct vtr_limits *limits, struct vtr_error *err);
VTR_API void vtr_ctx_unref(struct vtr_ctx *ctx); /* NULL is fine */

/* The limits in force. Borrowed until the context goes. */
VTR_API const struct vtr_limits *vtr_ctx_limits(const struct vtr_ctx *ctx);

/*
 * The policy for host files that an image names (backing files, data files, extents). Nothing is opened by default:
 * VTR_EPOLICY. With follow, files beneath the directory of the image that names them are; with an allowed directory,
 * files beneath that. Only regular files, and no symbolic link leads out of the directory.
 */
VTR_API void vtr_ctx_follow(struct vtr_ctx *ctx, bool follow);
VTR_API int vtr_ctx_allow_dir(struct vtr_ctx *ctx, const char *dir, struct vtr_error *err);

struct vtr_blk;

/*
 * Decide about a name inside an image yourself: return 1 and a new block source in *out, 0 to let the policy above
 * decide, -1 (and *err) to refuse. image is the path of the image that names it, or the name that it was served by (NULL:
 * it has neither), name the bytes in the image. An image that is served has no directory: only the resolver opens what it
 * names. Images that fn opens under the same context count against limits.chain with those that wait for it.
 */
typedef int vtr_resolver(void *arg, struct vtr_blk **out, const char *image, const char *name, struct vtr_error *err);
VTR_API void vtr_ctx_resolver(struct vtr_ctx *ctx, vtr_resolver *fn, void *arg);

/*
 * Called with each warning: something was damaged or odd, and the work went on. Called from whatever thread noticed,
 * one at a time. The same text is handed on once. Of warnings that differ only in numbers and names the first 10 are
 * handed on, and of at most 100 such kinds; of those that an image which ends early leads to, one. The others are only
 * counted, as are those that come up in fn itself, which does not read or open anything under the context.
 */
typedef void vtr_warning(void *arg, const struct vtr_error *warning);
VTR_API void vtr_ctx_on_warning(struct vtr_ctx *ctx, vtr_warning *fn, void *arg);

/*
 * The same bound for a program's own messages about an image's many files: true: print it, false: 10 of its kind were
 * printed, and it is counted. Nothing is called.
 */
VTR_API bool vtr_ctx_message(struct vtr_ctx *ctx, const struct vtr_error *message);

/*
 * What was counted and not handed on or printed: fn gets one message for each kind, "… and 5 more like this: " and the
 * first of them. Call it when the work is done; it starts the counts anew.
 */
VTR_API void vtr_ctx_left_out(struct vtr_ctx *ctx, vtr_warning *fn, void *arg);

/*
 * Journals and logs that wait to be replayed are replayed in memory when a filesystem is opened, as mounting it would;
 * with no_replay everything is read as it lies.
 */
VTR_API void vtr_ctx_no_replay(struct vtr_ctx *ctx, bool no_replay);

/* How many warnings there were of damage (something was lost), and of all kinds (lost or merely odd). */
VTR_API uint64_t vtr_ctx_damage(const struct vtr_ctx *ctx);
VTR_API uint64_t vtr_ctx_warnings(const struct vtr_ctx *ctx);

/* Make all work under this context fail with VTR_ECANCELLED soon. From any thread and from signal handlers. */
VTR_API void vtr_ctx_cancel(struct vtr_ctx *ctx);

/* The same by itself after this many milliseconds from now; 0: never (the default). */
VTR_API void vtr_ctx_deadline(struct vtr_ctx *ctx, uint64_t milliseconds);

/* Bytes read from host files under this context so far. */
VTR_API uint64_t vtr_ctx_bytes_read(const struct vtr_ctx *ctx);

/* -------------------------------------------------------------------------------------------------- block sources */

/*
 * A block source: a number of bytes, read by offset. A file, a decoded disk, a partition are block sources. Counted
 * references: each function that gives one out gives a reference, released with vtr_blk_unref().
 */
VTR_API struct vtr_blk *vtr_blk_ref(struct vtr_blk *b);
VTR_API void vtr_blk_unref(struct vtr_blk *b); /* NULL is fine */

VTR_API uint64_t vtr_blk_size(const struct vtr_blk *b); /* bytes */

/* What kind it is: "file", "qcow2", "slice", … Static. */
VTR_API const char *vtr_blk_kind(const struct vtr_blk *b);

/*
 * Fill buf with exactly len bytes from off. VTR_ETRUNCATED when that leaves the source; VTR_ECORRUPT or
 * VTR_EUNSUPPORTED when the container says nothing readable about the range; VTR_EIO. Any thread.
 */
VTR_API int vtr_blk_pread(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err);

enum vtr_extent_kind {
	VTR_EXTENT_DATA = 1, /* stored: must be read */
	VTR_EXTENT_ZERO,     /* stated to be zero */
	VTR_EXTENT_ABSENT,   /* stored nowhere in the chain: reads as zeros */
};

struct vtr_extent {
	uint64_t len;	   /* bytes from the asked offset that are alike; never 0 */
	int kind;	   /* enum vtr_extent_kind */
	unsigned depth;	   /* which image of the chain says so: 0 the opened one, 1 its parent, … */
	bool compressed;   /* data that is stored compressed */
	bool zero;	   /* data that reads as zeros: it lies in a large hole of its file */
	bool has_host_off; /* data that lies plainly in the file of its image, from host_off */
	uint64_t host_off;
	const char *host_file; /* the path of that file; NULL: it is no file of the host. Borrowed until b goes */
};

/*
 * What lies at off (less than the size), and for how long. Neighbouring extents may be alike. The errors of
 * vtr_blk_pread().
 */
VTR_API int vtr_blk_extent(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err);

/* A source over len bytes of parent from off, which it keeps a reference to. VTR_EUSAGE when they leave the parent. */
VTR_API int vtr_blk_slice(struct vtr_blk **out, struct vtr_blk *parent, uint64_t off, uint64_t len,
			  struct vtr_error *err);

/* A source over a copy of len bytes. VTR_ENOMEM. */
VTR_API int vtr_blk_memory(struct vtr_blk **out, struct vtr_ctx *ctx, const void *bytes, size_t len,
			   struct vtr_error *err);

/* A source over the caller's own functions. pread fills buf and returns 0, or returns -1 and sets *err; from any thread. */
struct vtr_blk_source {
	int (*pread)(void *arg, uint64_t off, void *buf, size_t len, struct vtr_error *err);
	void (*close)(void *arg); /* may be NULL */
	void *arg;
	uint64_t size; /* bytes, less than 2^63 */
};
VTR_API int vtr_blk_custom(struct vtr_blk **out, struct vtr_ctx *ctx, const struct vtr_blk_source *src,
			   struct vtr_error *err);

/* -------------------------------------------------------------------------------------------------------- images */

struct vtr_image_options {
	const char *format;   /* "qcow2", "raw", …: nothing is guessed. NULL: recognise it */
	const char *snapshot; /* open this internal snapshot (name or id) as the disk; NULL: the present state */
	/*
	 * The image's own file alone, for its facts: no other file is opened, nothing is decrypted. What a backing file
	 * would give reads as absent; what lies in a data file, or is encrypted, fails to read.
	 */
	bool alone;
	/* Of an archive with several disks (OVA), this one: its name in the archive, or its number from 1. NULL: the only one */
	const char *member;
	/* A parent that is not the one that the image was made on is read, with a warning. It is refused otherwise. */
	bool any_parent;
};

/*
 * Open an image that the caller names and decode it. opt may be NULL. VTR_EAMBIGUOUS when it fits two formats,
 * VTR_EPOLICY when it needs a file that is not allowed, VTR_EUNSUPPORTED for a feature or a whole format that is
 * recognised and not read, VTR_ENOTFOUND for an unknown snapshot or file.
 */
VTR_API int vtr_image_open(struct vtr_blk **out, struct vtr_ctx *ctx, const char *path,
			   const struct vtr_image_options *opt, struct vtr_error *err);

/* The same for bytes that come from elsewhere, a disk image inside a filesystem for one. It names no neighbours. */
VTR_API int vtr_image_decode(struct vtr_blk **out, struct vtr_blk *file, const struct vtr_image_options *opt,
			     struct vtr_error *err);

/* A fact that only some formats have. */
enum vtr_prop_kind { VTR_PROP_TEXT = 1, VTR_PROP_NUMBER, VTR_PROP_BYTES, VTR_PROP_BOOL };
struct vtr_prop {
	const char *key;   /* "refcount_bits": stable, for programs */
	const char *title; /* "refcount width": for people */
	int kind;	   /* enum vtr_prop_kind; BYTES is a NUMBER that is a size */
	const char *text;  /* TEXT: bytes from the image are escaped */
	uint64_t number;   /* NUMBER, BYTES, BOOL */
};

struct vtr_snapshot {
	const char *id;	  /* bytes of the image, NUL terminated */
	const char *name; /* the same */
	uint64_t size;	  /* of the disk in this snapshot, bytes */
	uint64_t vm_state_size;
	int64_t date_s; /* seconds since 1970, UTC */
	uint32_t date_ns;
	uint64_t vm_clock_ns;
};

/* A host file that an image keeps a part of itself in. */
struct vtr_image_file {
	const char *role; /* "extent", "data file", …. Static */
	const char *path; /* where it was found; or the name that a resolver served */
	uint64_t size, allocated_size;
};

enum vtr_match {
	VTR_MATCH_UNKNOWN = 0, /* there is nothing to compare, or the parent is not opened */
	VTR_MATCH_YES,
	VTR_MATCH_NO,
};

/* Texts are UTF-8 without control characters, but for names of files, which are bytes. */
struct vtr_image_info {
	const char *format;	 /* "qcow2" */
	const char *title;	 /* "QEMU copy-on-write v2/v3" */
	const char *subformat;	 /* "streamOptimized", "dynamic", …, as the format's own tools say; NULL: has none */
	const char *path;	 /* as opened, or the name that a resolver served; NULL when it came from elsewhere */
	uint64_t virtual_size;	 /* bytes */
	uint64_t file_size;	 /* bytes of the host file */
	uint64_t allocated_size; /* bytes that all its files take on their disk */
	uint64_t cluster_size; /* bytes that are allocated at once: clusters, blocks, grains; 0: the format has none */
	uint32_t logical_sector;    /* bytes; 0: the format does not say */
	uint32_t physical_sector;   /* bytes; 0: the format does not say */
	const char *id;		    /* the disk's identifier; NULL: none */
	const char *content_id;	    /* changes when the contents do: what a child remembers of its parent; NULL: none */
	const char *creator;	    /* the program that wrote it; NULL: not said */
	const char *compression;    /* "zlib", …; NULL: nothing is compressed */
	const char *backing;	    /* the parent, as written in the image; NULL: none */
	const char *backing_path;   /* where it was found, or the name that a resolver served; NULL: not opened */
	const char *backing_format; /* as written in the image; NULL: not said */
	const char *parent_id;	    /* the content_id that the parent should have; NULL: not said */
	int parent_match;	    /* enum vtr_match: whether it has that */
	bool dirty, corrupt, encrypted;
	const struct vtr_image_file *files; /* the other files of the image itself, as far as they are opened */
	size_t n_files;
	const struct vtr_image_info *outer; /* what the image lies in (an archive, a compressed file); NULL: nothing */
	const struct vtr_prop *props;
	size_t n_props;
	const struct vtr_snapshot *snapshots;
	size_t n_snapshots;
};

/* The facts of an opened image; NULL for a block source that is none. Borrowed until b goes. */
VTR_API const struct vtr_image_info *vtr_image_info(struct vtr_blk *b);

/* The backing image of an image, borrowed until b goes; NULL when it has none. */
VTR_API struct vtr_blk *vtr_image_backing(struct vtr_blk *b);

/*
 * What an image itself stores of its disk, its parents aside. Data that lies in the image's files as it is may lie in
 * fragments: stretches whose parts follow each other in a file in the order of the disk. What is left out of a disk of a
 * format without clusters is left out of its file, too, and parts no fragment.
 */
struct vtr_image_usage {
	uint64_t data;	     /* bytes of the disk that are stored; compressed ones count by what they decode to */
	uint64_t zero;	     /* bytes that are stated to be zero */
	uint64_t absent;     /* bytes that it says nothing of: the parent's, or zeros */
	uint64_t compressed; /* bytes of data that are stored compressed */
	uint64_t plain;	     /* bytes of data that lie in a file as they are */
	/* bytes of plain: their offsets on the disk and in the file differ by no multiple of 4096 */
	uint64_t unaligned;
	uint64_t blocks;    /* clusters (of 4096 bytes, where the format has none) that plain takes */
	uint64_t fragments; /* of plain */
	uint64_t extents;   /* that were looked at */
	bool whole;	    /* false: there are more extents, and the numbers are of the first ones */
};

/*
 * Count it, by at most max extents (0: as many as limits.steps). VTR_EUSAGE for a block source that is no image, and
 * the errors of vtr_blk_extent().
 */
VTR_API int vtr_image_measure(struct vtr_image_usage *out, struct vtr_blk *b, uint64_t max, struct vtr_error *err);

/* What an image is by its signs. */
struct vtr_image_sign {
	const char *format; /* "bochs". Static, as the title is */
	const char *title;
	bool read; /* vtr_image_open() reads this format */
	uint64_t file_size, allocated_size;
};

/* Recognise an image, also of a format that is not read. The errors of vtr_image_open() that come before reading. */
VTR_API int vtr_image_recognise(struct vtr_image_sign *out, struct vtr_ctx *ctx, const char *path,
				struct vtr_error *err);

/* The i-th container format that is read: *title is set. NULL after the last. Static. */
VTR_API const char *vtr_format_name(size_t i, const char **title);

/* ---------------------------------------------------------------------------------------------------- partitions */

struct vtr_part {
	unsigned number;       /* as the kernel numbers it: 1… */
	uint64_t off, len;     /* bytes on the disk; cut to the disk where the table says more */
	uint64_t stated_len;   /* bytes as the table says */
	bool active;	       /* MBR: bootable. GPT: legacy BIOS bootable */
	bool extended;	       /* the container of the logical partitions, or the protective entry of a GPT */
	bool logical;	       /* lies in an extended partition */
	unsigned mbr_type;     /* MBR: the type byte */
	char type_guid[37];    /* GPT: "0FC63DAF-8483-4772-8E79-3D69D8477DE4" */
	char guid[37];	       /* GPT: the partition's own; MBR: "", see vtr_parts_part_uuid() */
	uint64_t attributes;   /* GPT */
	const char *type_name; /* "Linux filesystem"; NULL: unknown. Static */
	char name[220];	       /* GPT: UTF-8, what was not UTF-16 replaced by U+FFFD; "" when none */
};

struct vtr_parts; /* a partition table */

/*
 * Read the partition table of a disk. sector is 512 or 4096, or 0 to find out. *out is NULL when there is no table,
 * and that is no error. VTR_EAMBIGUOUS for two tables of equal standing, VTR_ECORRUPT for one that cannot be used.
 */
VTR_API int vtr_partitions_open(struct vtr_parts **out, struct vtr_blk *disk, unsigned sector, struct vtr_error *err);

/*
 * The same for a scheme that the caller names ("mbr", "gpt"; NULL: find out), whatever else the disk has the signs of.
 * VTR_ENOTFOUND: the disk has no such table; VTR_EUSAGE: there is no scheme of this name.
 */
VTR_API int vtr_partitions_open_as(struct vtr_parts **out, struct vtr_blk *disk, const char *scheme, unsigned sector,
				   struct vtr_error *err);

/* The i-th scheme that is read: *title is set. NULL after the last. Static. */
VTR_API const char *vtr_partitions_name(size_t i, const char **title);

VTR_API void vtr_parts_close(struct vtr_parts *t); /* NULL is fine */

VTR_API const char *vtr_parts_scheme(const struct vtr_parts *t);  /* "mbr", "gpt" */
VTR_API const char *vtr_parts_disk_id(const struct vtr_parts *t); /* MBR "1234abcd", GPT its GUID */
VTR_API unsigned vtr_parts_sector(const struct vtr_parts *t);	  /* bytes */
VTR_API size_t vtr_parts_count(const struct vtr_parts *t);
VTR_API const struct vtr_part *vtr_parts_at(const struct vtr_parts *t, size_t i); /* NULL beyond the last */

/*
 * Hand on each range of at least min bytes that partitions may take and none does, in order; within an extended partition,
 * too. min 0 is 1. fn returns 0 to go on; anything else stops, and is returned.
 */
typedef int vtr_unused_fn(void *arg, uint64_t off, uint64_t len);
VTR_API int vtr_parts_unused(const struct vtr_parts *t, uint64_t min, vtr_unused_fn *fn, void *arg,
			     struct vtr_error *err);

/* What Linux calls PARTUUID: the GUID in lower case for GPT, "1234abcd-05" for MBR. buf has 64 bytes. Returns buf. */
VTR_API const char *vtr_parts_part_uuid(const struct vtr_parts *t, size_t i, char *buf);

/* The i-th partition as a block source. Partitions that start beyond the end of the disk are VTR_ETRUNCATED. */
VTR_API int vtr_parts_blk(struct vtr_blk **out, const struct vtr_parts *t, size_t i, struct vtr_error *err);

/* ------------------------------------------------------------------------------------------------------- volumes */

/* How much of a volume there is. */
enum vtr_state {
	VTR_STATE_COMPLETE = 0,
	VTR_STATE_DEGRADED, /* all of it can be read, though members are missing or stale */
	VTR_STATE_PARTIAL,  /* members are missing: what lies on them fails to read as VTR_ETRUNCATED */
	VTR_STATE_LOCKED,   /* it needs a key */
	VTR_STATE_UNREAD,   /* it is of a kind that is recognised and not read: reading fails as VTR_EUNSUPPORTED */
};

/* "complete", "degraded", "partial", "locked", "not read". Static. */
VTR_API const char *vtr_state_name(int state);

/* A block source that a volume manager makes of others: a logical volume. Texts are UTF-8. */
struct vtr_volume {
	const char *name;     /* below /dev: "vg0/root" */
	const char *alias;    /* another name below /dev: "mapper/vg0-root"; NULL: none */
	const char *kind;     /* lsblk's name: "part", "lvm". Static */
	const char *set;      /* what it belongs to: the name of the volume group, "vg0" */
	const char *uuid;     /* its own identifier, as its manager writes it; "" when none */
	uint64_t size;	      /* bytes */
	int state;	      /* enum vtr_state */
	const char *problem;  /* what is missing, or why it is not read; NULL: nothing */
	const size_t *inputs; /* indexes of the sources that it lies on, each once, in ascending order */
	size_t n_inputs;
};

struct vtr_volumes;

/*
 * Assemble the volumes of n sources, in any order: LVM2 volume groups. What lies below a volume (a volume group on a logical
 * volume) is assembled by a second call with its block source. Members that are missing are warned of, and volumes without
 * them are made as far as they can be read. VTR_ENOTFOUND: no source is a member of anything; VTR_EUNSUPPORTED: only of
 * what is recognised and not read; VTR_ECORRUPT: nothing of it can be used. *out lives on its own: it keeps references
 * to the sources, and is released with vtr_volumes_close(). One thread at a time; the block sources as any other.
 */
VTR_API int vtr_volumes_open(struct vtr_volumes **out, struct vtr_blk *const *in, size_t n, struct vtr_error *err);
VTR_API void vtr_volumes_close(struct vtr_volumes *v); /* NULL is fine */

VTR_API size_t vtr_volumes_count(const struct vtr_volumes *v);
VTR_API const struct vtr_volume *vtr_volumes_at(const struct vtr_volumes *v,
						size_t i); /* borrowed; NULL beyond the last */

/* The i-th volume as a block source: a reference. VTR_EUSAGE: there is none. */
VTR_API int vtr_volumes_blk(struct vtr_blk **out, const struct vtr_volumes *v, size_t i, struct vtr_error *err);

/* --------------------------------------------------------------------------------------------------- filesystems */

enum vtr_type {
	VTR_TYPE_UNKNOWN = 0,
	VTR_TYPE_FILE,
	VTR_TYPE_DIR,
	VTR_TYPE_SYMLINK,
	VTR_TYPE_CHAR,
	VTR_TYPE_BLOCK,
	VTR_TYPE_FIFO,
	VTR_TYPE_SOCKET,
};

/* "file", "dir", "symlink", "char", "block", "fifo", "socket", "unknown". Static. */
VTR_API const char *vtr_type_name(int type);

/* For messages: "file", "directory", "symbolic link", "character device", … Static. */
VTR_API const char *vtr_type_noun(int type);

struct vtr_time {
	int64_t sec; /* since 1970-01-01 UTC */
	uint32_t nsec;
	bool set; /* the filesystem keeps this time */
};

/* vtr_stat.flags */
#define VTR_STAT_ENCRYPTED (1u << 0) /* contents (and names, in a directory) are encrypted */
#define VTR_STAT_CASEFOLD (1u << 1)  /* a directory whose names are looked up without regard to case */
#define VTR_STAT_COMPRESSED (1u << 2)
#define VTR_STAT_IMMUTABLE (1u << 3)
#define VTR_STAT_APPEND (1u << 4)
#define VTR_STAT_INLINE (1u << 5) /* contents lie in the inode */
#define VTR_STAT_VERITY (1u << 6)
#define VTR_STAT_DAMAGED (1u << 7) /* its checksum is wrong: the rest is what was read all the same */
#define VTR_STAT_NODUMP (1u << 8)

struct vtr_stat {
	uint64_t node; /* the filesystem's number for it: the inode */
	int type;      /* enum vtr_type */
	uint32_t mode; /* permissions and set-id bits: 07777 */
	uint32_t uid, gid;
	uint64_t nlink;
	uint64_t size;	    /* bytes; of a symlink: of its target */
	uint64_t allocated; /* bytes of the filesystem that it takes */
	uint32_t rdev_major, rdev_minor;
	struct vtr_time mtime, atime, ctime, btime;
	uint32_t flags; /* VTR_STAT_… */
	uint32_t generation;
};

/* A name in a directory. */
struct vtr_dirent {
	const char *name; /* bytes, NUL terminated; borrowed during the call */
	size_t name_len;
	uint64_t node;
	int type; /* enum vtr_type, as far as the directory says: else VTR_TYPE_UNKNOWN */
};

struct vtr_xattr {
	const char *name; /* "security.selinux"; NUL terminated */
	const void *value;
	size_t len;
};

/* Where a file's bytes lie. */
struct vtr_file_extent {
	uint64_t off; /* bytes from the start of the file */
	uint64_t len;
	uint64_t phys;	  /* bytes from the start of the filesystem's block source; 0 with inline_data */
	bool unwritten;	  /* reserved, reads as zeros */
	bool inline_data; /* the bytes lie within the filesystem's metadata */
};

struct vtr_fs_info {
	const char *type;    /* "ext4" */
	const char *label;   /* bytes; "" when none */
	const char *uuid;    /* as blkid prints it; "" when none */
	uint64_t size, used; /* bytes */
	uint32_t block_size;
	uint64_t nodes, nodes_used;
	bool dirty;   /* was not unmounted, or a journal waits to be replayed */
	bool damaged; /* the filesystem itself says that it has errors */
	const struct vtr_prop *props;
	size_t n_props;
};

struct vtr_fs;

/*
 * Open the filesystem of a block source, to which it keeps a reference. type: a driver's name ("ext", "ntfs"), or NULL to
 * recognise it. VTR_ENOTFOUND: none known; VTR_EAMBIGUOUS: it has the signs of two; VTR_EUNSUPPORTED: one that is
 * recognised and not read, or a feature of it; VTR_EUSAGE: no driver has this name.
 */
VTR_API int vtr_fs_open(struct vtr_fs **out, struct vtr_blk *b, const char *type, struct vtr_error *err);
/* The i-th type that is known by name, and whether it is read. NULL after the last. Static. */
VTR_API const char *vtr_fs_type_name(size_t i, const char **title, bool *read);

VTR_API struct vtr_fs *vtr_fs_ref(struct vtr_fs *fs);
VTR_API void vtr_fs_unref(struct vtr_fs *fs); /* NULL is fine */

VTR_API const struct vtr_fs_info *vtr_fs_info(struct vtr_fs *fs); /* borrowed until fs goes */
VTR_API uint64_t vtr_fs_root(struct vtr_fs *fs);

/*
 * A directory of a filesystem as a filesystem of its own, whose root it is: mounted in a tree, it is what a bind mount
 * shows. Nodes keep their numbers. Keeps a reference to fs. VTR_EUSAGE: no directory.
 */
VTR_API int vtr_fs_view(struct vtr_fs **out, struct vtr_fs *fs, uint64_t dir, struct vtr_error *err);
/* The filesystem that a view shows a part of; of any other itself. A file has one node in all of them. Borrowed. */
VTR_API struct vtr_fs *vtr_fs_whole(struct vtr_fs *fs);

/* One node. VTR_ENOTFOUND: no such node in use; VTR_ECORRUPT. */
VTR_API int vtr_fs_stat(struct vtr_stat *out, struct vtr_fs *fs, uint64_t node, struct vtr_error *err);

/*
 * The entries of a directory, in the order of the disk, without "." and "..". emit returns 0 to go on; anything else
 * stops, and is returned. Names with '/' or NUL, empty ones, "." and ".." elsewhere are damage: warned of and left out.
 */
typedef int vtr_emit(void *arg, const struct vtr_dirent *d);
VTR_API int vtr_fs_readdir(struct vtr_fs *fs, uint64_t dir, vtr_emit *emit, void *arg, struct vtr_error *err);

/*
 * The node of a name in a directory: exactly these bytes; in a directory without regard to case, where a filesystem has
 * its own rules for that, also what it takes for the same. VTR_ENOTFOUND. type may be NULL.
 */
VTR_API int vtr_fs_lookup(uint64_t *node, int *type, struct vtr_fs *fs, uint64_t dir, const char *name, size_t name_len,
			  struct vtr_error *err);

/*
 * Read up to len bytes of a regular file from off: the count, short only at the end of the file; holes are zeros.
 * VTR_EUSAGE: no regular file. VTR_EUNSUPPORTED: encrypted or in an unknown way compressed.
 */
VTR_API ssize_t vtr_fs_read(struct vtr_fs *fs, uint64_t node, uint64_t off, void *buf, size_t len,
			    struct vtr_error *err);

/* The target of a symlink: bytes, NUL terminated; the caller frees it with free(). VTR_EUSAGE: no symlink. */
VTR_API int vtr_fs_readlink(char **out, struct vtr_fs *fs, uint64_t node, struct vtr_error *err);

/* The extended attributes, sorted by name. fn as emit above. */
typedef int vtr_xattr_fn(void *arg, const struct vtr_xattr *x);
VTR_API int vtr_fs_xattrs(struct vtr_fs *fs, uint64_t node, vtr_xattr_fn *fn, void *arg, struct vtr_error *err);

/*
 * Named streams: contents that a file or directory has beside its own ("Zone.Identifier" on NTFS). Each is a node of its
 * own, a regular file for everything that takes a node.
 */
struct vtr_stream {
	const char *name; /* bytes, NUL terminated; borrowed during the call */
	size_t name_len;
	uint64_t node;
	uint64_t size, allocated; /* bytes */
};

/* The named streams of a node, in the order of the disk; none where the filesystem knows no such thing. fn as emit. */
typedef int vtr_stream_fn(void *arg, const struct vtr_stream *s);
VTR_API int vtr_fs_streams(struct vtr_fs *fs, uint64_t node, vtr_stream_fn *fn, void *arg, struct vtr_error *err);

/* The node of a named stream. VTR_ENOTFOUND. */
VTR_API int vtr_fs_stream(uint64_t *out, struct vtr_fs *fs, uint64_t node, const char *name, size_t name_len,
			  struct vtr_error *err);

/*
 * What only this kind of filesystem keeps of a node: short names, attributes, identifiers. fn as emit; what it is given
 * is borrowed during the call. With VTR_PROPS_SECURITY who may do what, too: "sddl" on NTFS.
 */
#define VTR_PROPS_SECURITY (1u << 0)
typedef int vtr_prop_fn(void *arg, const struct vtr_prop *p);
VTR_API int vtr_fs_props(struct vtr_fs *fs, uint64_t node, unsigned flags, vtr_prop_fn *fn, void *arg,
			 struct vtr_error *err);

/* The extents of a file in order; holes are left out. VTR_EUNSUPPORTED when the driver cannot say. */
typedef int vtr_file_extent_fn(void *arg, const struct vtr_file_extent *e);
VTR_API int vtr_fs_extents(struct vtr_fs *fs, uint64_t node, vtr_file_extent_fn *fn, void *arg, struct vtr_error *err);

/* A regular file as a block source: a disk image inside a guest. It is used by one thread at a time, as fs is. */
VTR_API int vtr_fs_file_blk(struct vtr_blk **out, struct vtr_fs *fs, uint64_t node, struct vtr_error *err);

/* --------------------------------------------------------------------------------------------------- path trees */

/*
 * Filesystems mounted together, and the paths in them. "/" is the first one's root. Where a filesystem has named streams,
 * a path whose last name does not exist and has a colon is that of a stream: "/dir/file:stream", "/dir:stream".
 */
struct vtr_tree;

VTR_API struct vtr_tree *vtr_tree_new(struct vtr_fs *root, struct vtr_error *err); /* keeps a reference to root */
VTR_API void vtr_tree_free(struct vtr_tree *t);					   /* NULL is fine */

/* Mount fs at the directory path, which is resolved inside the tree. VTR_ENOTFOUND, VTR_EUSAGE: no directory. */
VTR_API int vtr_tree_mount(struct vtr_tree *t, const char *path, struct vtr_fs *fs, struct vtr_error *err);

/*
 * Give the tree a drive, as Windows has them. A tree with drives takes paths as Windows writes them, beside those with
 * slashes from "/": "C:\\Windows", "c:/windows", "\\\\?\\C:\\Windows", "\\\\?\\Volume{GUID}\\", "\\DosDevices\\C:\\Windows",
 * "%SystemRoot%\\System32". A backslash is a slash in it, names are looked up as with VTR_WALK_ICASE, and links lead to
 * drives. letter: 'A' to 'Z', or 0 for a volume without; volume: its GUID, or NULL. The filesystem at "/" may be one of
 * the drives, and should. VTR_EUSAGE: no letter, or it is taken.
 */
VTR_API int vtr_tree_add_drive(struct vtr_tree *t, char letter, const char *volume, struct vtr_fs *fs,
			       struct vtr_error *err);

/* The filesystem of a drive, borrowed; NULL: there is none of this letter. */
VTR_API struct vtr_fs *vtr_tree_drive(const struct vtr_tree *t, char letter);

/* What %SystemRoot% stands for: "/Windows". */
VTR_API int vtr_tree_set_system_root(struct vtr_tree *t, const char *path, struct vtr_error *err);

/*
 * A path of a tree with drives as programs like it: with slashes, "/Windows" for what lies on the filesystem at "/",
 * "D:/data" for another drive, "//?/Volume{GUID}/data" for one without a letter. Nothing is looked up, and the tree takes
 * it again. Of a tree without drives it is the path as it is. *out is the caller's. VTR_ENOTFOUND: no such drive.
 */
VTR_API int vtr_tree_path(char **out, const struct vtr_tree *t, const char *path, struct vtr_error *err);

#define VTR_WALK_NOFOLLOW (1u << 0) /* do not follow a symlink at the very end of the path */
#define VTR_WALK_ICASE (1u << 1)    /* where no name fits exactly, one that fits but for ASCII and Latin case */

/* A place in a tree. fs is borrowed until the tree goes. */
struct vtr_place {
	struct vtr_fs *fs;
	uint64_t node;
};

/*
 * Resolve a path as the guest would: symbolic links inside the tree only, ".." never above its root; relative paths
 * start at "/". VTR_ENOTFOUND (the text says which component), VTR_ELIMIT: too many links, too long.
 */
VTR_API int vtr_tree_walk(struct vtr_place *out, struct vtr_tree *t, const char *path, unsigned flags,
			  struct vtr_error *err);

/*
 * The paths that a pattern stands for, as a shell has it (glob(7)): "*", "?" and "[a-z]" in each name, where "*" and "?" match
 * no "." at the start of one; a backslash keeps what follows it. fn gets each path that is there, sorted by bytes. A path that
 * is there as it is written, and one without a pattern, is given to fn as it is; the latter need not be there. In a
 * tree with drives case does not count, and a backslash is a slash. fn returns 0 to go on; anything else stops, and is returned.
 * VTR_ENOTFOUND: nothing matches; VTR_ELIMIT (entries, metadata, path_len). Damage to a directory is warned of.
 */
typedef int vtr_glob_fn(void *arg, const char *path);
VTR_API int vtr_tree_glob(struct vtr_tree *t, const char *pattern, vtr_glob_fn *fn, void *arg, struct vtr_error *err);

/*
 * Paths that a walk leaves out, and what lies below them, by the patterns of GNU tar's --exclude: a pattern fits a whole path,
 * which begins with a slash, or its end from any name on; "*" and "?" match a slash, too, and a "." in front; a backslash keeps
 * what follows it. "./" in front is "/". In a tree with drives case does not count, a backslash is a slash, and the
 * path of another drive than that of "/" begins with its letter, "D:/data".
 *
 *	vtr_exclude_begin(), then vtr_tree_list() or vtr_tree_pairs(), whose fn begins with
 *	if ((r = vtr_exclude_has(x, e->path, e->path_len, err)) != 0) return r;
 */
struct vtr_exclude;
VTR_API struct vtr_exclude *vtr_exclude_new(struct vtr_error *err);				/* VTR_ENOMEM */
VTR_API void vtr_exclude_free(struct vtr_exclude *x);						/* NULL is fine */
VTR_API int vtr_exclude_add(struct vtr_exclude *x, const char *pattern, struct vtr_error *err); /* before _begin() */

/* A walk starts at a path of t: 1 when that is left out, or a directory on the way to it; 0; -1. t is used during the call. */
VTR_API int vtr_exclude_begin(struct vtr_exclude *x, struct vtr_tree *t, const char *path, struct vtr_error *err);

/* Whether a path below the start, as in struct vtr_entry, is left out: 1, 0 (also where x is NULL), -1: VTR_ENOMEM. */
VTR_API int vtr_exclude_has(struct vtr_exclude *x, const char *path, size_t len, struct vtr_error *err);

/* One line of a recursive listing. */
struct vtr_entry {
	const char *path; /* from the start of the listing: "etc/passwd"; "" for the start itself. Borrowed */
	size_t path_len;
	unsigned depth; /* 0: the start */
	struct vtr_place place;
	struct vtr_stat st; /* type alone is sure when failed */
	bool failed;	    /* it could not be read: error says why */
	struct vtr_error *error;
};

#define VTR_LIST_RECURSIVE (1u << 0)
#define VTR_LIST_SORT (1u << 1)	  /* each directory by bytes */
#define VTR_LIST_ONE_FS (1u << 2) /* do not cross mount points */
#define VTR_LIST_SELF (1u << 3)	  /* the start itself first */

/*
 * List a place: what lies in a directory, or the place itself when it is none. A directory that cannot be read is
 * given to fn as failed, after its own entry, and the listing goes on. fn returns 0 to go on, 1 not to descend into
 * this directory, -1 to stop (then -1 is returned and *err is fn's).
 */
typedef int vtr_list_fn(void *arg, const struct vtr_entry *e, struct vtr_error *err);
VTR_API int vtr_tree_list(struct vtr_tree *t, const struct vtr_place *from, unsigned flags, vtr_list_fn *fn, void *arg,
			  struct vtr_error *err);

/* What lies at a path on one of two sides. */
struct vtr_pair_side {
	bool there;
	struct vtr_place place;
	struct vtr_stat st; /* type alone is sure when failed */
	bool failed;	    /* it could not be read: error says why */
	struct vtr_error *error;
};

/* The same path in two trees: it is there in one of them at least. */
struct vtr_pair {
	const char *path; /* from the start of the walk, as in struct vtr_entry. Borrowed */
	size_t path_len;
	unsigned depth; /* 0: the start */
	struct vtr_pair_side side[2];
};

/*
 * Walk two places, of two trees or of one, in lock step, each directory sorted by bytes: what both have at a path comes
 * together. A side that starts at NULL has nothing. A directory of either side is walked; one that cannot be read is given
 * to fn as failed on this side, after its own pair, and what the other side has below it is given only where names of both
 * are known: what is lost is not missing. flags: VTR_LIST_ONE_FS. Both contexts are asked for cancellation, the limits of
 * the walk are those of the first. fn and errors are as those of vtr_tree_list().
 */
typedef int vtr_pair_fn(void *arg, const struct vtr_pair *p, struct vtr_error *err);
VTR_API int vtr_tree_pairs(struct vtr_tree *a, const struct vtr_place *from_a, struct vtr_tree *b,
			   const struct vtr_place *from_b, unsigned flags, vtr_pair_fn *fn, void *arg,
			   struct vtr_error *err);

/*
 * The names of a system's users, or of its groups: from the files that nsswitch.conf(5) of the tree names, passwd(5) and
 * group(5) of several services and records of systemd's userdb. Without nsswitch.conf it is /etc/passwd or /etc/group.
 */
struct vtr_accounts;
VTR_API int vtr_accounts_read(struct vtr_accounts **out, struct vtr_ctx *ctx, struct vtr_tree *t, bool groups,
			      struct vtr_error *err);
VTR_API void vtr_accounts_free(struct vtr_accounts *a); /* NULL is fine */
/* The first name of a number, as the file's bytes have it; NULL: it has none. */
VTR_API const char *vtr_accounts_name(const struct vtr_accounts *a, uint32_t id);
/* The first number of a name; false: there is none. */
VTR_API bool vtr_accounts_id(uint32_t *id, const struct vtr_accounts *a, const char *name);

/* The whole of a regular file, at most max bytes (VTR_ELIMIT): *out is the caller's, with a NUL after its bytes. */
VTR_API int vtr_tree_slurp(char **out, size_t *len, struct vtr_tree *t, const char *path, uint64_t max,
			   struct vtr_error *err);

/* --------------------------------------------------------------------------------------------------------- guests */

/* One disk or several that make a machine. */
struct vtr_guest;

/* A device of a guest, named as guest tools do. */
/* What a device is used for, by what is recognised on it. */
enum vtr_usage {
	VTR_USAGE_UNKNOWN = 0, /* nothing is recognised, or only where partitions lie in it */
	VTR_USAGE_TABLE,       /* it has a partition table */
	VTR_USAGE_MEMBER,      /* it is a member of a volume set: LVM, RAID, encryption */
	VTR_USAGE_FILESYSTEM,
	VTR_USAGE_SWAP,
	VTR_USAGE_JOURNAL, /* of a filesystem on another device */
};

/* "partition table", "member", "filesystem", "swap", "journal", "unknown". Static. */
VTR_API const char *vtr_usage_name(int usage);

struct vtr_device {
	const char *name;	  /* "/dev/sda", "/dev/sda1", "/dev/vg0/root" */
	const char *alias;	  /* another name: "/dev/mapper/vg0-root"; NULL: none */
	const char *kind;	  /* lsblk's name: "disk", "part", "lvm". Static */
	int parent;		  /* index of the device that it lies on, the first of its inputs; -1: a disk */
	const size_t *inputs;	  /* indexes of all devices that it lies on; borrowed until the guest goes */
	size_t n_inputs;	  /* 0: a disk */
	struct vtr_blk *blk;	  /* borrowed until the guest goes */
	uint64_t size;		  /* bytes */
	const char *type;	  /* blkid's name: "gpt", "ext4", "swap", "LVM2_member"; NULL: nothing recognised */
	const char *content;	  /* the same for people: "ext4", "LVM2 physical volume"; NULL: nothing recognised */
	int usage;		  /* enum vtr_usage */
	int state;		  /* enum vtr_state: how much of it there is */
	const char *problem;	  /* what is missing, or why it is not read; NULL: nothing */
	const char *set;	  /* a volume: the set that it is of, the name of its volume group; else NULL */
	bool used;		  /* other devices were made of it: partitions, volumes */
	const char *label, *uuid; /* of the content; "" when none */
	const struct vtr_parts *table; /* a disk with a partition table; else NULL */
	const struct vtr_parts *of;    /* a partition: the table that it is in */
	size_t part;		       /* and which one */
	bool has_fs;		       /* vtr_guest_fs() will try to open it */
};

/* What is in a system: one fact, and where it was read. */
struct vtr_fact {
	const char *key;    /* see vtr_os_fact() */
	const char *value;  /* UTF-8, guest bytes escaped */
	const char *device; /* "/dev/sda2" */
	const char *path;   /* "/etc/os-release" */
	/* Where in a hive of a registry: "HKLM\\SYSTEM\\Select" and "Current"; NULL: the file is none, or no value says it */
	const char *reg_key, *reg_value;
};

/* An entry of fstab, or what takes its place, a drive for one; bytes of the guest, NUL terminated. */
struct vtr_mount {
	const char *spec;    /* as in fstab: "UUID=…" */
	const char *path;    /* "/", "/boot"; "none" for swap; "C:" */
	const char *type;    /* "ext4" */
	const char *options; /* "defaults,ro" */
	const char *device;  /* "/dev/sda1"; NULL: not among the guest's devices */
	bool mounted;	     /* it is part of vtr_os_tree() */
	const char
		*why; /* why it is not; NULL: it is, or nothing has to be said: swap, filesystems of other machines */
};

struct vtr_package {
	const char *name;	    /* bytes from the guest, escaped to UTF-8 */
	const char *version;	    /* whole: "1:2.36-9+deb12u4" */
	const char *arch;	    /* "amd64" */
	const char *source;	    /* source package; NULL: not recorded */
	const char *source_version; /* NULL: as version */
	const char *status;	    /* "installed", "config-files", … */
	uint64_t installed_size;    /* bytes; 0: not recorded */
	const char *summary;	    /* first line of the description; NULL */
	const char *vendor;	    /* who made it, where recorded ("Fedora Project"); NULL */
	int64_t install_time;	    /* seconds since 1970-01-01 UTC; 0: not recorded */
	const char *id;		    /* its name in the database where that is another: "{90160000-…}"; NULL */
	const char *user;	    /* whose alone it is; NULL: the system's */
	const char *location;	    /* the folder that it is in, where recorded; NULL */
};

/* Whether files of the package are there. Of "config-files" its settings alone are left: it is removed. */
VTR_API bool vtr_package_is_there(const struct vtr_package *p);

struct vtr_os; /* an operating system in a guest */

/* A guest without disks. Keeps a reference to ctx. Release with vtr_guest_free(). */
VTR_API struct vtr_guest *vtr_guest_new(struct vtr_ctx *ctx, struct vtr_error *err);
VTR_API void vtr_guest_free(struct vtr_guest *g); /* NULL is fine */

/*
 * Add a disk: an image file (the errors of vtr_image_open()), or any block source. The first is /dev/sda. All disks of an
 * archive with several are added, unless opt->member is one of them.
 */
VTR_API int vtr_guest_add(struct vtr_guest *g, const char *path, const struct vtr_image_options *opt,
			  struct vtr_error *err);
VTR_API int vtr_guest_add_blk(struct vtr_guest *g, struct vtr_blk *disk, struct vtr_error *err);

/* Sector size of the disks: 512, 4096, or 0 to find out (the default). Before the scan. */
VTR_API void vtr_guest_sector(struct vtr_guest *g, unsigned sector);

/*
 * Choose what cannot be found out, before the scan. device: "/dev/sda1" or "sda1"; NULL: all that it fits. The partition
 * table of a disk by its scheme ("mbr", "gpt"), whatever else there is; "none": the disk has no table. The filesystem of a
 * device by its type ("ext", "ntfs"): for all devices where they have its signs, for one whatever signs it has.
 * VTR_EUSAGE: unknown scheme or type. The scan fails with VTR_ENOTFOUND where a device that was named does not exist.
 */
VTR_API int vtr_guest_choose_table(struct vtr_guest *g, const char *device, const char *scheme, struct vtr_error *err);
VTR_API int vtr_guest_choose_fs(struct vtr_guest *g, const char *device, const char *type, struct vtr_error *err);

/*
 * Find the devices. Damage to one disk's table is warned of, and the others are scanned; fails only when nothing at
 * all can be told (VTR_ELIMIT, VTR_EAMBIGUOUS, VTR_EIO, VTR_ENOMEM).
 */
VTR_API int vtr_guest_scan(struct vtr_guest *g, struct vtr_error *err);

VTR_API size_t vtr_guest_devices(const struct vtr_guest *g);
VTR_API const struct vtr_device *vtr_guest_device(const struct vtr_guest *g, size_t i); /* NULL beyond the last */

/* A device by its name, "/dev/sda1" or "sda1"; -1: none (VTR_ENOTFOUND, the text lists what there is). */
VTR_API int vtr_guest_find_device(const struct vtr_guest *g, const char *name, struct vtr_error *err);

/* The filesystem of the i-th device, opened once and borrowed until the guest goes; NULL and *err. */
VTR_API struct vtr_fs *vtr_guest_fs(struct vtr_guest *g, size_t i, struct vtr_error *err);

/*
 * Find the operating systems. The count; 0 is no error. What is damaged is warned of.
 */
VTR_API int vtr_guest_inspect(struct vtr_guest *g, struct vtr_error *err);
VTR_API struct vtr_os *vtr_guest_os(struct vtr_guest *g, size_t i); /* borrowed; NULL beyond the last */

/*
 * One of the systems. what is the device of its root ("/dev/sda2", "sda2"), its number from 1, what vtr_os_name() says,
 * its root directory, or the last part of that or four letters of its beginning; NULL: the one that starts by itself.
 * Borrowed until the guest goes. VTR_ENOTFOUND: none; VTR_EAMBIGUOUS: several; the text names those that there are. Where
 * what is a device, and vtr_guest_inspect() was not called yet, no other device is searched for systems.
 */
VTR_API struct vtr_os *vtr_guest_find_os(struct vtr_guest *g, const char *what, struct vtr_error *err);

/* The device that its root filesystem is on. */
VTR_API const char *vtr_os_root(const struct vtr_os *os);
/* The directory of that filesystem which is the system's "/": "/ostree/deploy/…"; "/" for most. */
VTR_API const char *vtr_os_root_dir(const struct vtr_os *os);
/* What tells it from all others of the guest: its root device, and where that has several, ":" and a directory. UTF-8. */
VTR_API const char *vtr_os_name(const struct vtr_os *os);

/*
 * A fact by its key; NULL: unknown. Borrowed until the guest goes. Keys:
 *
 *	type		"linux", "windows", "hurd", "freebsd", "netbsd", "openbsd", "minix"
 *	distro		"debian", "ubuntu", "fedora", … : the os-release ID where nothing better is known
 *	product_name	"Debian GNU/Linux 12 (bookworm)"
 *	version		"12.5": as the system says it; major_version and minor_version: its first two numbers
 *	codename	"bookworm"
 *	variant		"server"
 *	arch		"x86_64", "i386", "aarch64", "arm", "ppc64le", "riscv64", "s390x", …
 *	hostname
 *	package_format	"deb", "rpm", "apk", "pacman", …
 *	package_manager	"apt", "dnf", …
 *	init		"systemd", "sysvinit", "openrc", …
 *	machine_id	32 hexadecimal digits
 *	timezone	"Europe/Rome"
 *	id, version_id, build_id	of os-release, as they are there
 *	osinfo		"debian12": the short id that virt-inspector prints
 *	model, base, kernel_snap, grade		of Ubuntu Core; generation, generations		of NixOS and Guix
 *	role		of a system that has others beside it to fall back on: "default", "alternative"
 *
 * of Windows also build, revision, display_version, service_pack, edition, system_root, control_set, computer_name, domain,
 * timezone_name, product_id, registered_owner, registered_organization, install_date, medium, boot_loader, boot_default,
 * firmware,
 *
 * and after vtr_os_read_records() these, too: locale, keymap, boot_loader, firmware, boot_default, boot_default_id,
 * boot_next, default_target,
 * nameservers, unmanaged_devices, selinux, selinux_policy, apparmor, cloud_init, cloud_init_datasources, container, medium, last_boot,
 * last_activity, and of Windows language, last_shutdown, fast_startup, hibernation, pending_reboot, pending_renames,
 * workgroup, domain_netbios, group_policy, machine_sid, boot_storage_drivers. vitrine-inspect(1) says what they are.
 */
VTR_API const struct vtr_fact *vtr_os_fact(const struct vtr_os *os, const char *key);
VTR_API const struct vtr_fact *vtr_os_fact_at(const struct vtr_os *os, size_t i); /* NULL beyond the last */

/*
 * What a system has many of: users, services, kernels. One of them is a record: members with a value each, and where it
 * was read. Kinds and their members are listed in vitrine-inspect(1); each member's kind says how JSON has it.
 */
enum vtr_member_kind { VTR_MEMBER_TEXT = 1, VTR_MEMBER_NUMBER, VTR_MEMBER_BOOL, VTR_MEMBER_LIST };
struct vtr_member {
	const char *key; /* "name", "uid" */
	int kind;	 /* enum vtr_member_kind */
	/* UTF-8, guest bytes escaped; a number's digits; "true" or "false"; texts with a newline between them, which
	 * none of them has: "" is no text at all */
	const char *value;
};
struct vtr_record {
	const char *kind;   /* "users" */
	const char *device; /* "/dev/sda2" */
	const char *path;   /* "/etc/passwd"; escaped */
	const struct vtr_member *members;
	size_t n;
	const char *reg_key; /* in a hive of a registry: which key; NULL: the file is none */
};

/*
 * Read the records of every kind, once: all that vtr_guest_inspect() leaves for those who ask. What is damaged is warned
 * of and left out, and so is what goes over a limit. Fails with VTR_ENOMEM and VTR_ECANCELLED only.
 * There are more facts afterwards: vtr_os_fact() lists those.
 */
VTR_API int vtr_os_read_records(struct vtr_os *os, struct vtr_error *err);

/* The i-th kind there is; NULL after the last. Static. */
VTR_API const char *vtr_record_kind(size_t i);

/* The i-th record of a kind, in the order of the guest's own files; NULL beyond the last. Borrowed as facts are. */
VTR_API const struct vtr_record *vtr_os_record(const struct vtr_os *os, const char *kind, size_t i);

/* The value of a member; NULL: it has none. */
VTR_API const char *vtr_record_member(const struct vtr_record *r, const char *key);

VTR_API size_t vtr_os_mounts(const struct vtr_os *os);
VTR_API const struct vtr_mount *vtr_os_mount(const struct vtr_os *os, size_t i); /* NULL beyond the last */

/*
 * The system's filesystems mounted together as its fstab says; of Windows the volume that it is on, with its drives: see
 * vtr_tree_add_drive(). Borrowed until the guest goes.
 */
VTR_API struct vtr_tree *vtr_os_tree(struct vtr_os *os);

/*
 * Read the list of packages, once. Their count, sorted by name and architecture; a damaged record is warned of.
 * VTR_EUNSUPPORTED: the system's packages are of a format that is not read.
 */
VTR_API ssize_t vtr_os_read_packages(struct vtr_os *os, struct vtr_error *err);
VTR_API const struct vtr_package *vtr_os_package(const struct vtr_os *os, size_t i); /* NULL beyond the last */

/*
 * Which of two versions of a package is the later one, by the rules of its manager: less than 0, 0, more than 0. format
 * is the system's package_format: "deb", "rpm", "apk", "pacman", "ebuild", "opkg"; NULL and others: as "deb".
 */
VTR_API int vtr_package_version_compare(const char *format, const char *a, const char *b);

enum vtr_sbom_format { VTR_SBOM_CYCLONEDX = 1, VTR_SBOM_SPDX };

/* A format by its name, "cyclonedx" or "spdx"; 0: there is none of this name. */
VTR_API int vtr_sbom_format(const char *name);

struct vtr_sbom {
	int format;		 /* enum vtr_sbom_format */
	struct vtr_os *os;	 /* of this system; NULL: of all but those whose role is "alternative" */
	const char *subject;	 /* what the document is of: "disk.qcow2"; it is escaped */
	struct vtr_time created; /* written to the second; not set: CycloneDX has none, SPDX 1970-01-01 */
};

/*
 * Write a bill of materials of what vtr_guest_inspect() finds, in JSON: CycloneDX 1.5 or SPDX 2.3, as it is made. The
 * same guest gives the same bytes. Nothing is written before all packages are read. Packages that cannot be read are
 * warned of and left out. VTR_EUSAGE; VTR_EUNSUPPORTED: libcrypto is not installed; the errors of vtr_guest_inspect().
 * What write returned, where that is not 0.
 */
VTR_API int vtr_sbom_write(struct vtr_guest *g, const struct vtr_sbom *how, vtr_write *write, void *arg,
			   struct vtr_error *err);

/* ------------------------------------------------------------------------------------------------------- journals */

/*
 * A file of systemd's journal: "LPKSHHRH". All that its writers made is read: regular and compact ones, keyed hashes,
 * fields compressed with XZ, LZ4 and Zstandard. One that was not closed, or is damaged, is read as far as it goes.
 */
struct vtr_journal;

struct vtr_journal_info {
	char file_id[33], machine_id[33]; /* 32 hexadecimal digits */
	char seqnum_id[33];		  /* sequence numbers count within this one */
	const char *state;		  /* "offline": closed; "archived"; "online": it was being written; "unknown" */
	bool compact, keyed, sealed;
	bool whole;			       /* nothing was found damaged or cut when it was opened */
	uint64_t entries;		       /* that can be reached: their indices are below this */
	uint64_t head_realtime, tail_realtime; /* microseconds since 1970, as the header says */
};

/* A field of an entry. A name may come more than once. */
struct vtr_journal_field {
	const char *name;  /* bytes, NUL terminated: "MESSAGE" */
	const void *value; /* any bytes; a NUL follows them */
	size_t name_len, len;
};

struct vtr_journal_entry {
	uint64_t index;	    /* in its file, from 0, in the order of writing */
	uint64_t seqnum;    /* of info's seqnum_id */
	uint64_t realtime;  /* microseconds since 1970 */
	uint64_t monotonic; /* microseconds since the start of the boot */
	uint64_t xor_hash;  /* over the fields, whatever their order: the same entry in two files has the same */
	char boot_id[33];
	const struct vtr_journal_field *fields; /* borrowed until the next call on this journal */
	size_t n_fields;
};

/*
 * Open a journal file: any block source, a file of a guest by vtr_fs_file_blk() for one. Keeps a reference to b.
 * VTR_ECORRUPT: no journal, or its header is of no use; VTR_EUNSUPPORTED: written by a feature that is not known; what
 * is damaged beyond that is warned of. VTR_ELIMIT: more entries than limits.metadata has room for.
 */
VTR_API int vtr_journal_open(struct vtr_journal **out, struct vtr_blk *b, struct vtr_error *err);
VTR_API void vtr_journal_close(struct vtr_journal *j);				      /* NULL is fine */
VTR_API const struct vtr_journal_info *vtr_journal_info(const struct vtr_journal *j); /* borrowed until j goes */

/*
 * An entry by its index: with its fields, or (stamp) all but them, which is much cheaper. Fields that are damaged are
 * warned of and left out. VTR_ECORRUPT, VTR_ETRUNCATED: this entry is lost, the others are not. VTR_EUSAGE: no such
 * index.
 */
VTR_API int vtr_journal_read(struct vtr_journal_entry *out, struct vtr_journal *j, uint64_t index,
			     struct vtr_error *err);
VTR_API int vtr_journal_stamp(struct vtr_journal_entry *out, struct vtr_journal *j, uint64_t index,
			      struct vtr_error *err);

/*
 * The next entry, from the first on, or from where seek said: 1; 0 after the last; -1. Lost ones are warned of and
 * passed over. Indices beyond the last are the end.
 */
VTR_API int vtr_journal_next(struct vtr_journal_entry *out, struct vtr_journal *j, struct vtr_error *err);
VTR_API void vtr_journal_seek(struct vtr_journal *j, uint64_t index);

/*
 * The entries that have exactly this field ("_SYSTEMD_UNIT=ssh.service"), by the file's own index of them: their count,
 * and the caller's array of their indices, ascending; NULL when there is none. In a file that is not whole, or was being
 * written, some may be missing from the index.
 */
VTR_API ssize_t vtr_journal_find(uint64_t **out, struct vtr_journal *j, const void *field, size_t len,
				 struct vtr_error *err);

/* The first value of a name, and its length (may be NULL); NULL: the entry has none. Borrowed as the fields are. */
VTR_API const char *vtr_journal_value(const struct vtr_journal_entry *e, const char *name, size_t *len);

/* ------------------------------------------------------------------------------------------------ classic log files */

/*
 * A file of lines as syslog daemons write them, plain or compressed by gzip, bzip2, xz or Zstandard. Each line is read for
 * what it is: RFC 3164 (also with a year or fractions of seconds), the same with a time of RFC 3339, or RFC 5424; "<PRI>"
 * may stand before any of them. Used by one thread at a time.
 */
struct vtr_syslog;

/* A line. Texts are bytes without a NUL at their end, borrowed until the next call; NULL: the line has none. */
struct vtr_syslog_line {
	uint64_t number;      /* from 1 */
	struct vtr_time time; /* UTC; not set: the line says none, and belongs to the one before it */
	int priority;	      /* 0, an emergency, to 7; -1: not said */
	int facility;	      /* 0 to 23; -1: not said */
	const char *host, *ident, *pid, *msgid;
	const char *data; /* RFC 5424: structured data, as it stands in the line */
	const char *message;
	size_t host_len, ident_len, pid_len, msgid_len, data_len, message_len;
};

/*
 * Open any block source; name (copied) is for messages. mtime is the file's own time: where lines have no year, the last
 * one is of that year, and each time that the months start again before it is a year back; for this the file is read
 * once. Times without a zone are taken to be UTC. VTR_EUNSUPPORTED: compressed in another way.
 */
VTR_API int vtr_syslog_open(struct vtr_syslog **out, struct vtr_blk *b, const char *name, const struct vtr_time *mtime,
			    struct vtr_error *err);
VTR_API void vtr_syslog_close(struct vtr_syslog *s); /* NULL is fine */

/*
 * The next line: 1; 0 at the end; -1. Damage of a compressed file ends it, lines longer than limits.line are cut, zeros
 * that a crash left are passed over: each is warned of. VTR_ELIMIT: limits.steps.
 */
VTR_API int vtr_syslog_next(struct vtr_syslog_line *out, struct vtr_syslog *s, struct vtr_error *err);

/* ------------------------------------------------------------------------------------------------- registry hives */

/*
 * A hive of the Windows registry, "regf" 1.1 to 1.6 (Windows NT 3.1 to 11): keys below each other, values in them. It is
 * read as it is visited: one value out of a large hive costs a few pages. A hive that was being written when its system
 * stopped is brought to its last state in memory, from its logs.
 *
 * A key is known by a number, which holds until the hive closes. Names are given out as UTF-8; where they are no
 * well-formed UTF-16, U+FFFD takes the place of what is not. They may hold any character, NUL included. Names are
 * looked up without regard to case, as Windows does.
 *
 * What is damaged is warned of, and what can be read is delivered. A hive is used by one thread at a time.
 */
struct vtr_hive;

struct vtr_hive_info {
	const char *file_name;	       /* the end of the path that it had, as its header says; UTF-8 */
	uint32_t major, minor;	       /* version of the format: 1, 5 */
	uint32_t sequence1, sequence2; /* of the header, as it lies */
	struct vtr_time written;       /* as its header says; Windows 8.1 and later do not keep it up */
	uint64_t size;		       /* bytes of its bins */
	bool dirty;		       /* it was being written: what is in the file alone is not the last state */
	bool replayed;		       /* and its logs brought it there */
	uint32_t log_entries;	       /* how many entries of its logs did (1 for a log in the old format) */
};

#define VTR_KEY_LINK (1u << 0)	     /* a symbolic link: its value SymbolicLinkValue says where to */
#define VTR_KEY_DELETED (1u << 1)    /* found in free cells */
#define VTR_KEY_NAME_CUT (1u << 2)   /* its name is no well-formed UTF-16, or not all there */
#define VTR_KEY_PREDEFINED (1u << 3) /* stands for a handle of the system */

struct vtr_key {
	uint32_t id;
	const char *name; /* UTF-8, a NUL after it; the root's is nowhere shown */
	size_t name_len;
	/* walks, searches and what was deleted: from the root, "\\Microsoft\\Windows NT"; else NULL */
	const char *path;
	size_t path_len;
	unsigned depth;		/* in a walk; 0: its start */
	const char *class_name; /* UTF-8; NULL: it has none */
	size_t class_len;
	struct vtr_time written;
	uint32_t parent;	  /* as it says */
	uint32_t subkeys, values; /* as it says: how many */
	uint32_t flags;		  /* VTR_KEY_… */
	const void *name_raw;	  /* as it lies: UTF-16LE, or bytes of Latin-1 */
	size_t name_raw_len;
	bool name_utf16;
};

#define VTR_VALUE_DELETED (1u << 0)
#define VTR_VALUE_CUT (1u << 1)	      /* damaged: less data than it says */
#define VTR_VALUE_TOMBSTONE (1u << 2) /* says, in a layer of a container, that there is none */
#define VTR_VALUE_NAME_CUT (1u << 3)  /* its name is no well-formed UTF-16 */

enum vtr_reg_type {
	VTR_REG_NONE = 0,
	VTR_REG_SZ,
	VTR_REG_EXPAND_SZ,
	VTR_REG_BINARY,
	VTR_REG_DWORD,
	VTR_REG_DWORD_BIG_ENDIAN,
	VTR_REG_LINK,
	VTR_REG_MULTI_SZ,
	VTR_REG_RESOURCE_LIST,
	VTR_REG_FULL_RESOURCE_DESCRIPTOR,
	VTR_REG_RESOURCE_REQUIREMENTS_LIST,
	VTR_REG_QWORD,
};

struct vtr_value {
	const char *name; /* UTF-8, a NUL after it; "" is the default value */
	size_t name_len;
	uint32_t type;	  /* enum vtr_reg_type; others are allowed, too */
	const void *data; /* len bytes; they may lie anywhere: no alignment */
	size_t len;
	uint64_t stated_len; /* what the value says */
	uint32_t flags;	     /* VTR_VALUE_… */
	const void *name_raw;
	size_t name_raw_len;
	bool name_utf16;
};

/*
 * Open a hive from any block source, a file of a guest by vtr_fs_file_blk() for one. logs (NULL and 0: none) are its
 * .LOG1, .LOG2 and .LOG, in this order, NULL for one that is not there: they are read when the hive needs them, unless
 * vtr_ctx_no_replay() says not to, and are the caller's again afterwards. Keeps a reference to b. VTR_ECORRUPT: no hive,
 * or its header is of no use; VTR_EUNSUPPORTED: a version that is not known, or a log; VTR_ELIMIT: larger than
 * limits.hive. A dirty hive that no log fits is read as it lies, with a warning.
 */
VTR_API int vtr_hive_open(struct vtr_hive **out, struct vtr_blk *b, struct vtr_blk *const *logs, size_t n_logs,
			  struct vtr_error *err);

/*
 * The same of a file of the host. When the hive is dirty and no logs are given, those beside it are opened as far as the
 * context allows: vtr_ctx_follow(), vtr_ctx_allow_dir().
 */
VTR_API int vtr_hive_open_file(struct vtr_hive **out, struct vtr_ctx *ctx, const char *path,
			       struct vtr_blk *const *logs, size_t n_logs, struct vtr_error *err);

/* The same of a file in a tree, found without regard to case, with the logs beside it. */
VTR_API int vtr_hive_open_path(struct vtr_hive **out, struct vtr_tree *t, const char *path, struct vtr_error *err);
VTR_API void vtr_hive_close(struct vtr_hive *h);			     /* NULL is fine */
VTR_API const struct vtr_hive_info *vtr_hive_info(const struct vtr_hive *h); /* borrowed until h closes */
VTR_API uint32_t vtr_hive_root(const struct vtr_hive *h);

/*
 * A key by its path below another: names with a backslash between them; one before the first, and one after the last,
 * do not matter, and "" is the key itself. VTR_ENOTFOUND: the text says which name.
 */
VTR_API int vtr_hive_find(uint32_t *out, struct vtr_hive *h, uint32_t from, const char *path, struct vtr_error *err);

/* What is known of a key. Borrowed until the next call on this hive. */
VTR_API int vtr_hive_key(struct vtr_key *out, struct vtr_hive *h, uint32_t key, struct vtr_error *err);

/*
 * Each subkey, each value, in the order of the hive. fn returns 0 to go on; anything else stops, and is returned. What fn
 * gets is borrowed during the call; it may call others of these functions.
 */
typedef int vtr_key_fn(void *arg, const struct vtr_key *key);
typedef int vtr_value_fn(void *arg, const struct vtr_value *value);
VTR_API int vtr_hive_subkeys(struct vtr_hive *h, uint32_t key, vtr_key_fn *fn, void *arg, struct vtr_error *err);
VTR_API int vtr_hive_values(struct vtr_hive *h, uint32_t key, vtr_value_fn *fn, void *arg, struct vtr_error *err);

/* A value by its name ("": the default value). VTR_ENOTFOUND. Borrowed until the next call on this hive. */
VTR_API int vtr_hive_value(struct vtr_value *out, struct vtr_hive *h, uint32_t key, const char *name,
			   struct vtr_error *err);

/*
 * The security descriptor of a key, self-relative, as it lies. Borrowed until h closes. VTR_ENOTFOUND: it has none.
 */
VTR_API int vtr_hive_security(const void **out, size_t *len, struct vtr_hive *h, uint32_t key, struct vtr_error *err);

/*
 * A key and all below it, each once, a key before its subkeys; fn as above, but 1 goes on without the keys below this
 * one.
 */
VTR_API int vtr_hive_walk(struct vtr_hive *h, uint32_t key, vtr_key_fn *fn, void *arg, struct vtr_error *err);

#define VTR_SEARCH_KEYS (1u << 0)   /* names of keys */
#define VTR_SEARCH_VALUES (1u << 1) /* names of values */
#define VTR_SEARCH_DATA (1u << 2)   /* texts of values; the bytes of others, as UTF-16LE */
#define VTR_SEARCH_WHOLE (1u << 3)  /* all of it is the text, not a part */

/*
 * Look for a text, without regard to case, in a key and all below it: in what flags (VTR_SEARCH_…) say, in all three
 * when they say none. fn gets the key, and the value (NULL: the key's own name has it).
 */
typedef int vtr_search_fn(void *arg, const struct vtr_key *key, const struct vtr_value *value);
VTR_API int vtr_hive_search(struct vtr_hive *h, uint32_t key, const char *text, unsigned flags, vtr_search_fn *fn,
			    void *arg, struct vtr_error *err);

/*
 * What was deleted, as far as free cells still have it: keys, each with the values that it still has; then values of keys
 * that are there (flags without VTR_KEY_DELETED); then, with key NULL, values whose key is not known. A path that does
 * not begin with a backslash ends at a key that is lost. What free cells hold may have been overwritten in part.
 */
typedef int vtr_deleted_fn(void *arg, const struct vtr_key *key, const struct vtr_value *values, size_t n);
VTR_API int vtr_hive_deleted(struct vtr_hive *h, vtr_deleted_fn *fn, void *arg, struct vtr_error *err);

/* Whether the bins and cells of the whole hive fit together. What does not is warned of; VTR_EIO and the like fail. */
VTR_API int vtr_hive_check(struct vtr_hive *h, struct vtr_error *err);

enum vtr_hive_format {
	VTR_HIVE_REG = 1, /* text of regedit, version 5, in UTF-8: as hivexregedit prints it */
	VTR_HIVE_JSON,	  /* one object a line for each key */
	VTR_HIVE_REGEDIT, /* text of regedit as Windows writes it: UTF-16LE with its mark, lines that end with CR and LF */
};

struct vtr_hive_export {
	int format;	    /* enum vtr_hive_format */
	const char *prefix; /* before each path, and the root's own: "HKEY_LOCAL_MACHINE\\SOFTWARE"; NULL: nothing */
	bool shallow;	    /* the key and its subkeys, not what is below them */
	bool deleted;	    /* what was deleted, too, after the rest: JSON only, of the whole hive */
};

/* Print a key and all below it, sorted by name. */
VTR_API int vtr_hive_export(struct vtr_hive *h, uint32_t key, const struct vtr_hive_export *how, vtr_write *write,
			    void *arg, struct vtr_error *err);

/* "REG_SZ", …; NULL: the type has no name. Static. */
VTR_API const char *vtr_reg_type_name(uint32_t type);

/*
 * A value as text, in UTF-8: a string up to its first NUL, the strings of a list with a newline after each, a number's
 * digits. *out is the caller's. VTR_EUSAGE: its type has no text, or its data are no such thing (a number of other than
 * its size).
 */
VTR_API int vtr_value_text(char **out, size_t *len, const struct vtr_value *v, struct vtr_error *err);

/* A number: REG_DWORD, its big endian kind, REG_QWORD. VTR_EUSAGE: no number. */
VTR_API int vtr_value_number(uint64_t *out, const struct vtr_value *v, struct vtr_error *err);

/* Each string of a list (REG_MULTI_SZ), or the one of REG_SZ and its like. fn as above. VTR_EUSAGE: no strings. */
typedef int vtr_string_fn(void *arg, const char *text, size_t len);
VTR_API int vtr_value_strings(const struct vtr_value *v, vtr_string_fn *fn, void *arg, struct vtr_error *err);

/* -------------------------------------------------------------------------------------------- the registry as a whole */

/* The hives of a Windows system, put together under the names that its programs use. */
struct vtr_registry;

/*
 * Find the hives of the system in a tree, whose root is its system drive. windows: the path of its folder; NULL: the one
 * that the tree knows, see vtr_tree_set_system_root(), else where setup puts it. The tree is used until the registry
 * closes. VTR_ENOTFOUND: no such folder, or no hives in it.
 */
VTR_API int vtr_registry_open(struct vtr_registry **out, struct vtr_tree *t, const char *windows,
			      struct vtr_error *err);
VTR_API void vtr_registry_close(struct vtr_registry *r);		/* NULL is fine */
VTR_API const char *vtr_registry_windows(const struct vtr_registry *r); /* "Windows": the path in the tree */

/*
 * A key by its whole path: HKLM (SYSTEM, SOFTWARE, SAM, SECURITY, COMPONENTS, DRIVERS, BCD00000000, …), HKU (.DEFAULT and
 * the identifiers of users and their _Classes), HKCR, HKCC, HKCU (where there is one user), or their long names.
 * CurrentControlSet is the one that Select names; symbolic links are followed. The hive is borrowed until the registry
 * closes. VTR_ENOTFOUND, VTR_EAMBIGUOUS, and the errors of opening a hive.
 */
VTR_API int vtr_registry_find(struct vtr_hive **out, uint32_t *key, struct vtr_registry *r, const char *path,
			      struct vtr_error *err);

/*
 * A hive by the path of its root: "HKLM\\SYSTEM", "HKU\\S-1-5-18". *file (may be NULL) is its path in the tree. Borrowed.
 */
VTR_API int vtr_registry_hive(struct vtr_hive **out, const char **file, struct vtr_registry *r, const char *root,
			      struct vtr_error *err);

/*
 * The name of a hive that was found in r, as vtr_registry_hive() takes it; whole: with the long name of its first part, as
 * .reg files have it. Borrowed until the registry closes. NULL: it is none of r's.
 */
VTR_API const char *vtr_registry_root(const struct vtr_registry *r, const struct vtr_hive *h, bool whole);

/*
 * Of a path that ends above the roots of hives ("", HKLM, HKU, or their long names) what the names of the roots below it begin
 * with: "", "HKLM\\", "HKU\\". NULL: any other path. Static.
 */
VTR_API const char *vtr_registry_above(const char *path);

/*
 * As vtr_hive_search(), in each hive whose root begins with above: one after the other, each file once. The keys' paths begin
 * with the root: "HKLM\\SOFTWARE\\Microsoft". A hive that cannot be read, or not to its end, is warned of, and the others are
 * searched. VTR_ENOMEM, VTR_ECANCELLED, VTR_EIO.
 */
VTR_API int vtr_registry_search(struct vtr_registry *r, const char *above, const char *text, unsigned flags,
				vtr_search_fn *fn, void *arg, struct vtr_error *err);

/*
 * The hives that have a file, those below HKLM first, users last: root as vtr_registry_hive() takes it, file its path in
 * the tree, a slash first; both are borrowed until fn returns. No hive but SOFTWARE is opened, which lists the users:
 * where it cannot be read they are missing, with a warning. fn ends it with anything but 0, which is then returned.
 * VTR_ENOMEM, VTR_ECANCELLED.
 */
typedef int vtr_root_fn(void *arg, const char *root, const char *file);
VTR_API int vtr_registry_roots(struct vtr_registry *r, vtr_root_fn *fn, void *arg, struct vtr_error *err);

/* The users that have a hive: each identifier and the path of its profile in the tree (NULL: not found). */
typedef int vtr_user_fn(void *arg, const char *sid, const char *profile);
VTR_API int vtr_registry_users(struct vtr_registry *r, vtr_user_fn *fn, void *arg, struct vtr_error *err);

/* ----------------------------------------------------------------------------------------------------- conveniences */

/*
 * Bytes as text for a terminal or a log: printable UTF-8 stays; control characters, invalid UTF-8, bidirectional
 * controls and invisible separators become \n, \t, \xHH or \u{HHHH}, and a backslash \\. Writes at most size bytes with
 * the NUL (cut between characters) and returns the length that all would have had.
 */
VTR_API size_t vtr_escape(char *buf, size_t size, const char *bytes, size_t len);

/* How many bytes of a text that vtr_escape() made are kept when it is cut to len: whole characters, and whole escapes. */
VTR_API size_t vtr_escape_cut(const char *escaped, size_t len);

/*
 * Bytes as the inside of a JSON string, without its quotes, handed to write in pieces. Well-formed UTF-8 stays, except for
 * quotes, backslashes, and the characters that vtr_escape() escapes: those become \", \\, \b, \t, \n, \f, \r or \uXXXX
 * with small letters. Each byte that belongs to no character becomes U+FFFD; where vtr_utf8_is() says that there are such,
 * the command has the bytes in a member KEY_hex, too. Returns 0, or what write returned.
 */
VTR_API int vtr_json_escape(const char *bytes, size_t len, vtr_write *write, void *arg);

enum vtr_security_kind { VTR_SECURITY_FILE = 1, VTR_SECURITY_KEY };

/*
 * A security descriptor of Windows, self-relative, as text (SDDL): owner, group and access list. kind: what it is of,
 * enum vtr_security_kind, for the names of rights. The caller frees *out. VTR_ECORRUPT, VTR_ENOMEM.
 */
VTR_API int vtr_security_text(char **out, const void *bytes, size_t len, int kind, struct vtr_error *err);

/* Whether the bytes are well-formed UTF-8 (no surrogates, nothing above U+10FFFF, nothing overlong). */
VTR_API bool vtr_utf8_is(const char *bytes, size_t len);

/*
 * A time in ISO 8601, UTC, with nanoseconds: "2024-05-06T07:08:09.123456789Z". Writes at most size bytes with the NUL
 * and returns the length that all would have had; 48 bytes are enough.
 */
VTR_API size_t vtr_time_text(char *buf, size_t size, const struct vtr_time *t);

/* Gets the bytes done so far, and cancels with nonzero. */
typedef int vtr_progress(void *arg, uint64_t done, uint64_t total);

/*
 * Copy a disk to a file descriptor: to a regular file sparsely (zeros become holes; the file ends at its size), to
 * anything else all bytes in order. progress may be NULL.
 */
VTR_API int vtr_blk_copy(struct vtr_blk *b, int fd, vtr_progress *progress, void *arg, struct vtr_error *err);

/* Zeroed: a raw disk. */
struct vtr_export_options {
	const char *format;	 /* "raw", "qcow2"; NULL: raw */
	const char *compression; /* of qcow2: "zlib", "zstd"; NULL: none */
	int level;		 /* of the compression, 1 is the fastest; 0: the usual one */
	uint64_t cluster_size;	 /* of qcow2, bytes: a power of two, 512 to 2 MiB; 0: 64 KiB */
	vtr_progress *progress;	 /* NULL: none */
	void *arg;		 /* for progress */
};

/*
 * Copy a disk, as vtr_blk_copy() does, or to a new qcow2 image, version 3, in an empty regular file: it has no parent, its
 * zeros are not stored, and its size is rounded up to a sector of 512 bytes. opt may be NULL. sha256 (NULL: none) gets
 * the digest of the disk's bytes in hexadecimal: 65 bytes with the NUL. VTR_EUSAGE: no such format or option, or qcow2 to
 * what is no empty file.
 */
VTR_API int vtr_blk_export(char *sha256, struct vtr_blk *b, int fd, const struct vtr_export_options *opt,
			   struct vtr_error *err);

/*
 * Whether two disks have the same bytes: 0; 1 when they differ, and *first is the offset of the first difference; -1. A
 * disk that is longer must be zero beyond the end of the other.
 */
VTR_API int vtr_blk_compare(uint64_t *first, struct vtr_blk *a, struct vtr_blk *b, vtr_progress *progress, void *arg,
			    struct vtr_error *err);

/*
 * The sha256 of many files, spread over the worker threads; out is hex with a NUL for each. A file that cannot be read
 * has failed set.
 */
struct vtr_digest {
	char hex[65];
	uint64_t size;
	bool failed;
	struct vtr_error error;
};
VTR_API int vtr_tree_sha256(struct vtr_digest *out, const struct vtr_place *places, size_t n, struct vtr_error *err);

#ifdef __cplusplus
}
#endif
#endif
