/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the VMDK driver share. */
#ifndef VTR_FORMATS_VMDK_VMDK_H
#define VTR_FORMATS_VMDK_VMDK_H

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/image.h"

#define VMDK_SECTOR 512u /* all that is counted in sectors is counted in these */

/* Bounds of ours. */
#define VMDK_MAX_DESCRIPTOR (1u << 20)	 /* bytes */
#define VMDK_MAX_EXTENTS 4096u		 /* 8 TiB in pieces of 2 GiB */
#define VMDK_MAX_GRAIN (1u << 30)	 /* bytes; writers have 512 to 64 KiB */
#define VMDK_MAX_PACKED_GRAIN (1u << 20) /* bytes of a grain that is stored compressed */
#define VMDK_MAX_NAME 4096u

/* ------------------------------------------------------------------------------------------------------ descriptor */

/* X(member, key): keys of the descriptor that are looked at. Case does not matter in them. */
#define VMDK_KEYS(X)                                                                                                   \
	X(version, "version")                                                                                          \
	X(encoding, "encoding")                                                                                        \
	X(dot_encoding, ".encoding")                                                                                   \
	X(cid, "CID")                                                                                                  \
	X(parent_cid, "parentCID")                                                                                     \
	X(native_snapshot, "isNativeSnapshot")                                                                         \
	X(create_type, "createType")                                                                                   \
	X(parent_hint, "parentFileNameHint")                                                                           \
	X(change_track, "changeTrackPath")                                                                             \
	X(encryption_keys, "encryptionKeys")                                                                           \
	X(encryption_key_safe, "encryption.keySafe")                                                                   \
	X(encryption_data, "encryption.data")                                                                          \
	X(adapter, "ddb.adapterType")                                                                                  \
	X(hw_version, "ddb.virtualHWVersion")                                                                          \
	X(tools_version, "ddb.toolsVersion")                                                                           \
	X(tools_install, "ddb.toolsInstallType")                                                                       \
	X(uuid, "ddb.uuid")                                                                                            \
	X(uuid_image, "ddb.uuid.image")                                                                                \
	X(uuid_parent, "ddb.uuid.parent")                                                                              \
	X(uuid_modification, "ddb.uuid.modification")                                                                  \
	X(long_content_id, "ddb.longContentID")                                                                        \
	X(thin, "ddb.thinProvisioned")                                                                                 \
	X(deletable, "ddb.deletable")                                                                                  \
	X(cylinders, "ddb.geometry.cylinders")                                                                         \
	X(heads, "ddb.geometry.heads")                                                                                 \
	X(sectors, "ddb.geometry.sectors")                                                                             \
	X(bios_cylinders, "ddb.geometry.biosCylinders")                                                                \
	X(bios_heads, "ddb.geometry.biosHeads")                                                                        \
	X(bios_sectors, "ddb.geometry.biosSectors")                                                                    \
	X(native_parent_cid, "ddb.nativeParentCID")                                                                    \
	X(native_parent_hint, "ddb.nativeParentHint")                                                                  \
	X(object_parent_uri, "ddb.objectParentUri")                                                                    \
	X(io_filters, "ddb.iofilters")                                                                                 \
	X(comment, "ddb.comment")

enum vmdk_access { VMDK_RW, VMDK_RDONLY, VMDK_NOACCESS };

enum vmdk_type {
	VMDK_FLAT,
	VMDK_SPARSE,
	VMDK_ZERO,
	VMDK_VMFS,
	VMDK_VMFSSPARSE,
	VMDK_VMFSRDM,
	VMDK_VMFSRAW,
	VMDK_SESPARSE,
	VMDK_TYPES
};
extern const char *const vtr_vmdk_types[VMDK_TYPES]; /* their names */

/* A line that describes an extent. */
struct vmdk_line {
	int access; /* enum vmdk_access */
	int type;   /* enum vmdk_type */
	uint64_t sectors;
	uint64_t offset;  /* sectors */
	const char *name; /* NULL: none */
};

/* A descriptor after parsing. Values are bytes as they are in it, without quotes; NULL: there is no such key. */
struct vmdk_descriptor {
	char *text; /* what values and names point into */
#define X(member, key) const char *member;
	VMDK_KEYS(X)
#undef X
	struct vmdk_line *lines;
	size_t n_lines, cap_lines;
	bool utf8; /* it was UTF-16: names are UTF-8, whatever it says */
};

/* Whether bytes from the start of a file are those of a descriptor. */
bool vtr_vmdk_is_descriptor(const uint8_t *p, size_t len);

/* VTR_ECORRUPT, VTR_ELIMIT, VTR_EUNSUPPORTED (a type of extent that is unknown). */
int vtr_vmdk_parse(struct vmdk_descriptor *out, const uint8_t *p, size_t len, struct vtr_error *err);
void vtr_vmdk_descriptor_done(struct vmdk_descriptor *d);

/* A value as UTF-8, by the encoding that the descriptor has; NULL: it is that already, or it cannot be told. The caller's. */
char *vtr_vmdk_utf8(const struct vmdk_descriptor *d, const char *value);

/* A number in hexadecimal digits, as CIDs are; false: it is none. */
bool vtr_vmdk_hex(uint32_t *out, const char *text);

/* --------------------------------------------------------------------------------------------------------- extents */

enum vmdk_kind {
	VMDK_IS_ZERO, /* nothing is stored */
	VMDK_IS_FLAT, /* the bytes of a file */
	VMDK_IS_HOSTED,
	VMDK_IS_COWD,
	VMDK_IS_SESPARSE,
	VMDK_IS_CLOSED, /* its file is not opened */
};

/* A range of the file where no grain and no grain table may lie. */
struct vmdk_area {
	const char *what;
	uint64_t off, len;
};

/* A grain of a stream without a grain directory. */
struct vmdk_found {
	uint32_t grain;	 /* its number */
	uint32_t sector; /* of the file, where its marker is */
};

/* A sparse extent's header and where its tables are, in bytes. */
struct vmdk_sparse {
	int kind; /* enum vmdk_kind: HOSTED, COWD, SESPARSE */
	uint32_t version, flags;
	uint64_t capacity; /* of the disk; 0: it has a descriptor alone */
	uint64_t grain;
	uint32_t gt_entries; /* of one grain table */
	uint64_t gd, gd2;    /* grain directory, and its redundant copy; 0: none */
	uint64_t gd_entries; /* that the capacity needs */
	uint64_t descriptor, descriptor_len;
	uint64_t overhead; /* where grains begin, as the header says */
	bool dirty, packed, markers, zeroed;
	struct vmdk_area areas[5];
	size_t n_areas;
	/* seSparse */
	uint64_t tables, tables_len, grains;
	/* COWD */
	char parent[1025];
	/* What was found in a stream without a grain directory; from lost on, bytes of the disk, nothing is known. */
	struct vmdk_found *found;
	size_t n_found, cap_found;
	uint64_t charged, lost;
	bool rebuilt;
};

struct vmdk_extent {
	uint64_t start, len; /* bytes of the disk */
	int kind;	     /* enum vmdk_kind */
	const char *name;    /* as the descriptor has it; NULL: none */
	struct vtr_blk *file;
	uint64_t off; /* FLAT: bytes of the file */
	struct vmdk_sparse s;
};

struct vmdk {
	struct vtr_image im;
	struct vmdk_descriptor d;
	struct vmdk_extent *extents;
	size_t n_extents;
	struct vtr_cache *tables; /* pages of the extents' files */
	atomic_bool warned_lba;
	bool lone; /* an extent that was opened without its descriptor */
};

/* What a file's first bytes say that it is: an enum vmdk_kind of a sparse extent, or VMDK_IS_FLAT: none of them. */
int vtr_vmdk_sparse_kind(const uint8_t *p, size_t len);

/*
 * Read the header of a sparse extent, and find its tables. What a stream without a grain directory holds is found by
 * its markers. v is for warnings, and may have no extents yet.
 */
int vtr_vmdk_sparse_open(struct vmdk_sparse *out, struct vmdk *v, struct vtr_blk *file, const char *name,
			 struct vtr_error *err);
void vtr_vmdk_sparse_done(struct vmdk_sparse *s, struct vtr_ctx *ctx);

/* Warn of an extent; name may be NULL. */
void vtr_vmdk_warn(struct vmdk *v, const char *name, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The operations of the image; see formats/image.h. */
int vtr_vmdk_map(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err);
int vtr_vmdk_unpack(struct vtr_image *im, const struct vtr_run *run, struct vtr_codec *c, uint8_t *out,
		    struct vtr_error *err);
int vtr_vmdk_extent_at(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err);

/* The cache of the extents' tables: for vtr_cache_new(). */
int vtr_vmdk_page_fill(void *arg, uint64_t key, uint8_t *block, size_t len, struct vtr_error *err);

#endif
