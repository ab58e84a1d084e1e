/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the NTFS driver share. */
#ifndef VTR_FS_NTFS_NTFS_H
#define VTR_FS_NTFS_NTFS_H

#include "base/bytes.h"
#include "base/checked.h"
#include "base/pages.h"
#include "base/text.h"
#include "fs/fs.h"

#define NTFS_SECTOR 512u /* what fixups go by, whatever the volume's sectors are */
#define NTFS_MAX_RECORD 4096u
#define NTFS_MAX_INDEX (64u << 10)
#define NTFS_MAX_CLUSTER_LOG2 21u
#define NTFS_MAX_LIST (256u << 10)	      /* $ATTRIBUTE_LIST; Windows' bound */
#define NTFS_MAX_ATTRS (NTFS_MAX_LIST / 0x1a) /* of a node: what a list of that size can name */
#define NTFS_MAX_REPARSE (16u << 10)
#define NTFS_MAX_SD (64u << 10) /* a security descriptor; what its 16 bits of ACL size allow */
#define NTFS_MAX_NAME 255u	/* UTF-16 units */
#define NTFS_NAME_BYTES (3 * NTFS_MAX_NAME + 1)
#define NTFS_DEPTH 32u	      /* levels of an index */
#define NTFS_PAGE_LOG2 12u    /* of the metadata cache */
#define NTFS_NODES 16u	      /* records that are kept parsed */
#define NTFS_USER_RECORDS 16u /* the first record that is not the filesystem's own */
#define NTFS_MAX_PROPS 24u

enum {
	NTFS_MFT = 0,
	NTFS_MFTMIRR,
	NTFS_LOGFILE,
	NTFS_VOLUME,
	NTFS_ROOT = 5,
	NTFS_BITMAP,
	NTFS_SECURE = 9,
	NTFS_UPCASE,
};

/* Attribute types. */
enum {
	NTFS_AT_STANDARD = 0x10,
	NTFS_AT_LIST = 0x20,
	NTFS_AT_FILE_NAME = 0x30,
	NTFS_AT_OBJECT_ID = 0x40,
	NTFS_AT_SECURITY = 0x50,
	NTFS_AT_VOLUME_NAME = 0x60,
	NTFS_AT_VOLUME_INFORMATION = 0x70,
	NTFS_AT_DATA = 0x80,
	NTFS_AT_INDEX_ROOT = 0x90,
	NTFS_AT_INDEX_ALLOCATION = 0xa0,
	NTFS_AT_BITMAP = 0xb0,
	NTFS_AT_REPARSE = 0xc0,
	NTFS_AT_EA = 0xe0,
};

/* Flags of an attribute. */
#define NTFS_ATTR_COMPRESSION 0x00ffu
#define NTFS_ATTR_LZNT1 1u
#define NTFS_ATTR_ENCRYPTED 0x4000u
#define NTFS_ATTR_SPARSE 0x8000u

/* Flags of a record. */
#define NTFS_RECORD_IN_USE 1u
#define NTFS_RECORD_DIRECTORY 2u

/* Attributes of a file, as in $STANDARD_INFORMATION and $FILE_NAME. */
#define NTFS_FILE_READONLY 0x1u
#define NTFS_FILE_SYSTEM 0x4u
#define NTFS_FILE_REPARSE 0x400u
#define NTFS_FILE_COMPRESSED 0x800u
#define NTFS_FILE_OFFLINE 0x1000u
#define NTFS_FILE_ENCRYPTED 0x4000u
#define NTFS_FILE_RECALL_ON_OPEN 0x40000u
#define NTFS_FILE_RECALL_ON_ACCESS 0x400000u
#define NTFS_FILE_DIRECTORY 0x10000000u /* in $FILE_NAME alone */

enum { NTFS_NAME_POSIX = 0, NTFS_NAME_WIN32, NTFS_NAME_DOS, NTFS_NAME_BOTH };

/* Reparse tags that matter to a reader; all are told by name. */
#define NTFS_TAG_MOUNT_POINT 0xa0000003u
#define NTFS_TAG_SYMLINK 0xa000000cu
#define NTFS_TAG_LX_SYMLINK 0xa000001du
#define NTFS_TAG_APPEXECLINK 0x8000001bu
#define NTFS_TAG_WOF 0x80000017u
#define NTFS_TAG_DEDUP 0x80000013u
#define NTFS_TAG_AF_UNIX 0x80000023u
#define NTFS_TAG_LX_FIFO 0x80000024u
#define NTFS_TAG_LX_CHR 0x80000025u
#define NTFS_TAG_LX_BLK 0x80000026u

#define NTFS_HOLE UINT64_MAX
struct ntfs_run {
	uint64_t vcn, len; /* clusters */
	uint64_t lcn;	   /* NTFS_HOLE: none */
};

/* An attribute as a record has it: every member was checked against the record that it points into. */
struct ntfs_attr {
	uint32_t type;
	uint16_t flags;
	uint8_t name_len; /* UTF-16 units */
	bool nonresident;
	uint8_t unit_log2;    /* clusters of a compression unit */
	const uint8_t *name;  /* UTF-16LE */
	const uint8_t *value; /* resident: the value; else the mapping pairs */
	uint32_t value_len;
	uint64_t first_vcn, last_vcn;
	uint64_t allocated, size, valid, compressed; /* bytes; of a segment with first_vcn 0 */
};

/* An attribute whole: its segments put together. Belongs to its node. */
struct ntfs_stream {
	struct ntfs_stream *next;
	struct ntfs_attr head;
	uint64_t size, valid; /* bytes */
	struct ntfs_run *runs;
	size_t n, cap;
	uint64_t charged; /* of the context's metadata */
};

/* A record of the MFT with what its extension records hold. */
struct ntfs_node {
	uint64_t ino;
	unsigned refs;
	uint64_t used; /* when, for the choice of what goes */
	uint16_t seq, flags;
	bool damaged;
	struct ntfs_attr *attrs;
	size_t n, cap;
	struct ntfs_stream *streams;
	uint8_t **extra; /* extension records */
	size_t n_extra, extra_cap;
	struct vtr_ctx *ctx; /* borrowed: what extension records and streams are charged to */
	uint64_t charged;    /* for the former */
	uint8_t *list;	     /* a non-resident $ATTRIBUTE_LIST */
	uint8_t record[];
};

/* $STANDARD_INFORMATION; zeros where there is none. */
struct ntfs_standard {
	uint64_t created, modified, changed, accessed;
	uint32_t attributes, max_versions, version;
	uint32_t owner_id, security_id;
	uint64_t usn;
	bool v3; /* the last three are there */
};

/* $FILE_NAME, in an attribute or as the key of an index entry. */
struct ntfs_name {
	uint64_t parent;
	uint64_t created, modified, changed, accessed;
	uint32_t attributes, tag;
	uint8_t space, len; /* NTFS_NAME_…; UTF-16 units */
	const uint8_t *name;
};

/* What stat says of a record, as the pass over the MFT keeps it. */
struct ntfs_brief {
	uint64_t size, allocated;
	uint64_t created, modified, changed, accessed;
	uint32_t nlink;
	uint16_t seq;
	uint16_t flags; /* VTR_STAT_… */
	uint16_t mode;
	uint8_t type;
	bool known; /* it is told here; else the record must be looked at */
};

/* What the boot sector says, checked. */
struct ntfs_boot {
	uint32_t sector, cluster_log2, record_len, index_len; /* bytes */
	uint64_t sectors, clusters;
	uint64_t mft_lcn, mirror_lcn;
	uint64_t serial;
};

/* What a stream's contents are, when they are not what lies in its clusters. */
enum ntfs_codec { NTFS_PLAIN = 0, NTFS_LZNT1, NTFS_WOF_XPRESS4K, NTFS_WOF_LZX, NTFS_WOF_XPRESS8K, NTFS_WOF_XPRESS16K };

/* The last unit that was decoded. */
struct ntfs_unit {
	uint64_t node, unit;
	bool full;
	uint8_t *bytes, *packed;
	size_t cap, packed_cap;
};

struct ntfs {
	struct vtr_fs fs;
	struct ntfs_boot boot;
	uint32_t cluster; /* bytes */
	struct vtr_pages *pages;
	struct ntfs_node *nodes[NTFS_NODES];
	uint64_t clock, loads;	   /* of records, so far */
	struct ntfs_brief *briefs; /* of all records, once the pass was made */
	uint16_t *sequences;	   /* and their sequence numbers, which are asked for more; 0: not in use */
	uint64_t n_briefs;
	bool passed;		    /* it was made, or tried */
	struct ntfs_node *mft_node; /* a reference */
	struct ntfs_stream *mft;
	bool mirror;	 /* the MFT's own record is taken from the mirror */
	bool capitals;	 /* $UpCase was looked for */
	uint8_t *upcase; /* 65536 UTF-16LE units; NULL: it cannot be used */
	struct ntfs_unit unit;
	uint8_t *listing; /* the buffer of the last listing, for the next one; NULL: it is in use, or there was none */
	bool counted;
	struct vtr_fs_info info;
	struct vtr_prop props[NTFS_MAX_PROPS];
	char uuid[20], label[NTFS_NAME_BYTES], version[16], state[160];
};

static inline struct ntfs *to_ntfs(struct vtr_fs *fs)
{
	return (struct ntfs *)fs;
}

/* A node as callers see it: a record, and above its 48 bits which of its named streams, counted from 1. */
#define NTFS_RECORD_BITS 48
static inline uint64_t ntfs_ino(uint64_t node)
{
	return node & (((uint64_t)1 << NTFS_RECORD_BITS) - 1);
}

static inline unsigned ntfs_stream_number(uint64_t node)
{
	return (unsigned)(node >> NTFS_RECORD_BITS);
}

/* record.c: records and their attributes */
int vtr_ntfs_fixup(uint8_t *block, size_t len, const char *magic, struct vtr_error *err);
int vtr_ntfs_meta(struct ntfs *x, uint64_t off, void *buf, size_t len, struct vtr_error *err);
/* The record ino, a reference; VTR_ENOTFOUND when it is not in use. */
int vtr_ntfs_node(struct ntfs_node **out, struct ntfs *x, uint64_t ino, struct vtr_error *err);
void vtr_ntfs_node_put(struct ntfs_node **n);
#define NTFS_PUT VTR_CLEANUP(vtr_ntfs_node_put)
void vtr_ntfs_nodes_done(struct ntfs *x);
/* Charge metadata; when there is no room, what is kept of other nodes goes. */
int vtr_ntfs_charge(struct ntfs *x, uint64_t bytes, const char *what, struct vtr_error *err);
int vtr_ntfs_mft_open(struct ntfs *x, struct vtr_error *err);
/* The sequence number of a record that is in use; 0: it is not, or cannot be read. */
unsigned vtr_ntfs_sequence(struct ntfs *x, uint64_t ino);
/* The first attribute of a type and a name (ASCII; "" none), or NULL. */
const struct ntfs_attr *vtr_ntfs_attr(const struct ntfs_node *n, uint32_t type, const char *name);
/* The k-th named $DATA, from 1 on; NULL beyond the last. */
const struct ntfs_attr *vtr_ntfs_named(const struct ntfs_node *n, unsigned k);
bool vtr_ntfs_name_is(const struct ntfs_attr *a, const char *name);
void vtr_ntfs_standard(struct ntfs_standard *out, const struct ntfs_node *n);
bool vtr_ntfs_file_name(struct ntfs_name *out, const uint8_t *p, size_t len);

/* The attributes of a fixed-up record, which must stay; quiet: damage is not told. */
int vtr_ntfs_record_attrs(struct ntfs *x, struct ntfs_node *n, const uint8_t *record, uint64_t ino, bool quiet,
			  struct vtr_error *err);

/* pass.c: all records in one go */
/* What the pass knows of a record, making it when it is due; NULL: the record must be looked at. */
const struct ntfs_brief *vtr_ntfs_brief(struct ntfs *x, uint64_t ino);
/* Of its sequence number; 0: it is not in use. */
const uint16_t *vtr_ntfs_brief_sequence(struct ntfs *x, uint64_t ino);
void vtr_ntfs_pass_done(struct ntfs *x);

/* stream.c: the bytes of attributes */
int vtr_ntfs_stream(struct ntfs_stream **out, struct ntfs *x, struct ntfs_node *n, const struct ntfs_attr *head,
		    struct vtr_error *err);
/* The index of the first run that ends after vcn; s->n: none does. */
size_t vtr_ntfs_run_at(const struct ntfs_stream *s, uint64_t vcn);
/* len bytes that lie within the stream, as they are stored: neither unpacked nor cut at the valid length. */
int vtr_ntfs_stored(struct ntfs *x, const struct ntfs_stream *s, uint64_t off, uint8_t *buf, size_t len, bool meta,
		    struct vtr_error *err);
/* The whole of an attribute, at most max bytes; the caller frees it. */
int vtr_ntfs_slurp(uint8_t **out, size_t *len, struct ntfs *x, struct ntfs_node *n, const struct ntfs_attr *head,
		   size_t max, struct vtr_error *err);
int vtr_ntfs_read(struct vtr_fs *fs, uint64_t node, uint64_t off, void *buf, size_t len, struct vtr_error *err);
int vtr_ntfs_extents(struct vtr_fs *fs, uint64_t node, vtr_file_extent_fn *fn, void *arg, struct vtr_error *err);

/* packed.c: compressed contents */
int vtr_ntfs_read_lznt1(struct ntfs *x, uint64_t node, const struct ntfs_stream *s, uint64_t off, uint8_t *buf,
			size_t len, struct vtr_error *err);
int vtr_ntfs_read_wof(struct ntfs *x, struct ntfs_node *n, enum ntfs_codec codec, uint64_t size, uint64_t off,
		      uint8_t *buf, size_t len, struct vtr_error *err);
void vtr_ntfs_unit_done(struct ntfs *x);

/* index.c: directories, and other indexes */
int vtr_ntfs_readdir(struct vtr_fs *fs, uint64_t dir, struct vtr_emitter *e, struct vtr_error *err);
int vtr_ntfs_lookup(uint64_t *node, int *type, struct vtr_fs *fs, uint64_t dir, const char *name, size_t len,
		    struct vtr_error *err);
/* The value of a key of 4 bytes in an index that is sorted by them: 1, out has value_len bytes; 0; -1. */
int vtr_ntfs_index_le32(uint8_t *out, size_t value_len, struct ntfs *x, struct ntfs_node *n, const char *name,
			uint32_t key, struct vtr_error *err);

/* names.c: UTF-16 and $UpCase */
/*
 * What vtr_utf16_name() wrote (NTFS_NAME_BYTES for a name) as units again: how many, or -1 when there are more than
 * NTFS_MAX_NAME or the bytes are no such text.
 */
int vtr_ntfs_name_units(uint16_t *out, const char *name, size_t len);
/* Have x->upcase, which names are compared with; it may stay NULL. */
int vtr_ntfs_upcase(struct ntfs *x, struct vtr_error *err);
int vtr_ntfs_name_cmp(const struct ntfs *x, const uint16_t *a, size_t a_len, const uint8_t *b, size_t b_len);

/* stat.c */
/* stat of a node that has no links, devices or attributes of Linux to be looked at: false when it may have. */
bool vtr_ntfs_stat_plain(struct vtr_stat *out, const struct ntfs_node *n);
int vtr_ntfs_stat(struct vtr_stat *out, struct vtr_fs *fs, uint64_t node, struct vtr_error *err);
int vtr_ntfs_streams(struct vtr_fs *fs, uint64_t node, vtr_stream_fn *fn, void *arg, struct vtr_error *err);
int vtr_ntfs_stream_find(uint64_t *out, struct vtr_fs *fs, uint64_t node, const char *name, size_t len,
			 struct vtr_error *err);
int vtr_ntfs_props(struct vtr_fs *fs, uint64_t node, unsigned flags, vtr_prop_fn *fn, void *arg, struct vtr_error *err);
int vtr_ntfs_xattrs(struct vtr_fs *fs, uint64_t node, vtr_xattr_fn *fn, void *arg, struct vtr_error *err);

/* reparse.c */
/* The tag of a node, 0: it is no reparse point. Damage is warned of. */
uint32_t vtr_ntfs_tag(struct ntfs *x, struct ntfs_node *n);
const char *vtr_ntfs_tag_name(uint32_t tag);
/* Whether a tag says where to go, and whether it says that the contents are elsewhere (NULL, or where). */
bool vtr_ntfs_tag_is_link(uint32_t tag);
const char *vtr_ntfs_tag_elsewhere(uint32_t tag, uint32_t attributes);
/* The target as a path of the guest; the caller frees it. */
int vtr_ntfs_target(char **out, struct ntfs *x, struct ntfs_node *n, struct vtr_error *err);
ssize_t vtr_ntfs_readlink(struct vtr_fs *fs, uint64_t node, char *buf, size_t size, struct vtr_error *err);
/* How a file with the tag of the overlay filter is packed. */
int vtr_ntfs_wof(enum ntfs_codec *out, struct ntfs *x, struct ntfs_node *n, struct vtr_error *err);

/* security.c */
/* Owner, group and DACL of a node in SDDL; the caller frees it. NULL when it has no descriptor. */
int vtr_ntfs_sddl(char **out, struct ntfs *x, struct ntfs_node *n, struct vtr_error *err);

/* volume.c */
int vtr_ntfs_boot_parse(struct ntfs_boot *out, const uint8_t *sector, uint64_t size, struct vtr_error *err);
/* The label of a volume that is not opened: UTF-8, cut to size. Left alone where it cannot be read or there is none. */
void vtr_ntfs_label_peek(char *out, size_t size, struct vtr_blk *b, const struct ntfs_boot *boot);
int vtr_ntfs_volume_read(struct ntfs *x, struct vtr_error *err);
const struct vtr_fs_info *vtr_ntfs_info(struct vtr_fs *fs);

#endif
