/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Block sources, for those who make them. */
#ifndef VTR_BASE_BLK_H
#define VTR_BASE_BLK_H

#include <stdatomic.h>

#include "base/ctx.h"

struct vtr_blk_ops {
	const char *kind; /* "qcow2", "slice": named in messages */
	/* Fill buf with exactly len (not 0) bytes from off; the range was checked. From several threads at once. */
	int (*pread)(struct vtr_blk *b, uint64_t off, void *buf, size_t len, struct vtr_error *err);
	/* What lies at off, which was checked. The wrapper cuts len to the size. NULL: all is data, place unknown. */
	int (*extent)(struct vtr_extent *out, struct vtr_blk *b, uint64_t off, struct vtr_error *err);
	void (*close)(struct vtr_blk *b); /* after the last unref; b may be half built */
	/* Images only. Borrowed until b goes. */
	const struct vtr_image_info *(*info)(struct vtr_blk *b);
	struct vtr_blk *(*backing)(struct vtr_blk *b);
};

/* Drivers embed this as their first member. */
struct vtr_blk {
	const struct vtr_blk_ops *ops;
	struct vtr_ctx *ctx; /* a reference */
	uint64_t size;	     /* bytes */
	atomic_uint refs;
	unsigned layers;     /* block sources below this one */
	bool forward;	     /* to read near the end costs all that is before it */
	atomic_bool partial; /* what cannot be read of it was reported when it was made */
};

/* A zeroed object of bytes (of the driver's struct, whose first member is the vtr_blk), with one reference. */
struct vtr_blk *vtr_blk_new(const struct vtr_blk_ops *ops, size_t bytes, struct vtr_ctx *ctx, uint64_t size,
			    struct vtr_error *err);

/* Say that b lies on below: counts the layers against limits.layers. */
int vtr_blk_stack(struct vtr_blk *b, const struct vtr_blk *below, struct vtr_error *err);

void vtr_blk_unref_cleanup(struct vtr_blk **b);
#define VTR_UNREF VTR_CLEANUP(vtr_blk_unref_cleanup)

/* Read len bytes from off into new memory, held against limits.alloc; the caller frees it. what: for messages. */
int vtr_blk_read_new(uint8_t **out, struct vtr_blk *b, uint64_t off, uint64_t len, const char *what,
		     struct vtr_error *err);

/*
 * The bytes that probing looks at: the head and the tail, read once. vtr_probe_at() gives those at any offset: what lies
 * elsewhere is read when it is first asked for: at most VTR_PROBE_MORE pieces of a page.
 */
#define VTR_PROBE_PAGE 4096u
#define VTR_PROBE_MORE 64u
#define VTR_PROBE_HEAD (68u * 1024)  /* ext: 0x400; Btrfs: 64 KiB + 4 KiB */
#define VTR_PROBE_TAIL (128u * 1024) /* GPT backup header, VHD footer, RAID superblocks 1.0 and 0.90 */
struct vtr_probe {
	const uint8_t *head;
	size_t head_len;
	const uint8_t *tail; /* the last bytes of the source */
	size_t tail_len;
	uint64_t size;
	uint8_t *memory;
	struct vtr_probe_more *more; /* NULL: there is no source to read from */
};
/* len bytes from off, which stay until the probe is done. NULL: they are not there, cannot be read, or are too much. */
const uint8_t *vtr_probe_at(const struct vtr_probe *p, uint64_t off, size_t len);
/* What a filesystem or a volume says of itself at its very start. Zeroed before it is filled. */
struct vtr_identity {
	const char *type; /* "ext4"; NULL: as the driver */
	char label[256];  /* bytes */
	char uuid[40];	  /* as blkid prints it */
	uint64_t size;	  /* bytes that a filesystem claims; 0: not known */
};
int vtr_probe_read(struct vtr_probe *out, struct vtr_blk *b, struct vtr_error *err);
/* The head alone: the tail is empty, and vtr_probe_at() reads nothing more. */
int vtr_probe_read_head(struct vtr_probe *out, struct vtr_blk *b, struct vtr_error *err);
void vtr_probe_done(struct vtr_probe *p);
#define VTR_PROBE_DONE VTR_CLEANUP(vtr_probe_done)

#endif
