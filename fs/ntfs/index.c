/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Indexes: B-trees of keys, whose root is an attribute and whose other nodes are blocks of $INDEX_ALLOCATION. A directory
 * is the index $I30 of $FILE_NAMEs. Listing takes the blocks that $BITMAP says are in use, in the order of the disk: no
 * damaged pointer between blocks hides a file or leads in circles.
 */
#include <stdlib.h>
#include <string.h>

#include "base/utf16.h"
#include "fs/ntfs/ntfs.h"

/* How many blocks there can be: an index has no holes, whatever its size says. */
static uint64_t index_max_blocks(const struct ntfs *x, const struct ntfs_stream *s, uint32_t block_len)
{
	return VTR_MIN(s->size, x->fs.blk->size) / block_len;
}

struct index {
	struct ntfs *x;
	struct ntfs_node *n;
	const struct ntfs_attr *root;
	struct ntfs_stream *blocks;   /* NULL: the root is all */
	uint32_t block_len, vcn_log2; /* bytes; what a VCN counts */
	uint8_t *buf;		      /* room bytes, of which have are those from off on */
	size_t room, have;
	uint64_t off;
	bool ahead; /* blocks are asked for in their order, once */
};

/*
 * $INDEX_ROOT: 0x00 4 type of the keys, 0x04 4 collation, 0x08 4 bytes of a block, then from 0x10 the header of a node:
 *   0x00 4 offset of the entries	0x04 4 their end	0x08 4 allocated	0x0c 1 flags: 1 there are blocks
 * both from the header on. A block begins with a header of 0x18 bytes: fixups, 0x10 8 its VCN.
 */
#define INDEX_ROOT_HEADER 0x10u
#define INDEX_BLOCK_HEADER 0x18u
#define INDEX_AHEAD NTFS_MAX_INDEX /* bytes read at once */

static int index_open(struct index *ix, struct ntfs *x, struct ntfs_node *n, const char *name, bool ahead,
		      struct vtr_error *err)
{
	const struct ntfs_attr *a;

	*ix = (struct index){ .x = x, .n = n, .ahead = ahead, .root = vtr_ntfs_attr(n, NTFS_AT_INDEX_ROOT, name) };
	if (!ix->root || ix->root->nonresident || ix->root->value_len < 0x20)
		return vtr_fail(err, VTR_ECORRUPT, "record %" PRIu64 ": it has no root of index %s", n->ino, name);
	ix->block_len = vtr_get_le32(ix->root->value + 8);
	a = vtr_ntfs_attr(n, NTFS_AT_INDEX_ALLOCATION, name);
	if (!a || a->size == 0)
		return 0;
	if (ix->block_len < NTFS_SECTOR || ix->block_len > NTFS_MAX_INDEX || !vtr_pow2_is(ix->block_len))
		return vtr_fail(err, VTR_ECORRUPT, "record %" PRIu64 ": index blocks of %" PRIu32 " bytes", n->ino,
				ix->block_len);
	ix->vcn_log2 = x->cluster <= ix->block_len ? x->boot.cluster_log2 : 9;
	if (vtr_ntfs_stream(&ix->blocks, x, n, a, err) < 0)
		return vtr_at(err, "record %" PRIu64 ": index", n->ino);
	ix->room = ahead ? INDEX_AHEAD : ix->block_len;
	ix->buf = ahead && x->listing ? vtr_steal(x->listing) : malloc(ix->room);
	return ix->buf ? 0 : vtr_fail(err, VTR_ENOMEM, "out of memory: an index block");
}

/* The buffer is kept for the next listing: as large as it is, it is costly to have. */
static void index_done(struct index *ix)
{
	if (ix->ahead && !ix->x->listing)
		ix->x->listing = vtr_steal(ix->buf);
	free(ix->buf);
}

/*
 * Have the block at off of the allocation in memory: alone, or, for a listing, with those that follow it. A listing does
 * not come back to a block, which would only take room in the cache.
 */
static int index_fetch(struct index *ix, uint64_t off, struct vtr_error *err)
{
	size_t len = (size_t)VTR_MIN((uint64_t)ix->room, ix->blocks->size - off);

	if (off >= ix->off && off - ix->off < ix->have && ix->block_len <= ix->have - (off - ix->off))
		return 0;
	ix->off = off;
	ix->have = len;
	if (ix->ahead && vtr_ntfs_stored(ix->x, ix->blocks, off, ix->buf, len, false, NULL) == 0)
		return 0;
	ix->have = 0;
	if (vtr_ntfs_stored(ix->x, ix->blocks, off, ix->buf, ix->block_len, true, err) < 0)
		return -1;
	ix->have = ix->block_len;
	return 0;
}

/* The block at off of the allocation: *out is in ix->buf, and good until the next one. Asked for once. */
static int index_block(uint8_t **out, struct index *ix, uint64_t off, struct vtr_error *err)
{
	uint8_t *p;

	if (!ix->blocks || !vtr_range_in(off, ix->block_len, ix->blocks->size))
		return vtr_fail(err, VTR_ECORRUPT, "index block at %#" PRIx64 ": there are %" PRIu64 " bytes of them",
				off, ix->blocks ? ix->blocks->size : 0);
	if (index_fetch(ix, off, err) < 0)
		return vtr_at(err, "index block at %#" PRIx64, off);
	p = ix->buf + (off - ix->off);
	if (vtr_ntfs_fixup(p, ix->block_len, "INDX", err) < 0)
		return vtr_at(err, "index block at %#" PRIx64, off);
	if (vtr_get_le64(p + 0x10) != off >> ix->vcn_log2)
		return vtr_fail(err, VTR_ECORRUPT, "index block at %#" PRIx64 ": it says that it is VCN %" PRIu64, off,
				vtr_get_le64(p + 0x10));
	*out = p;
	return 0;
}

/*
 * Entry:
 *   0x00 8 record; in other indexes 2 offset, 2 length of the value	0x0a 2 length of the key	0x10 key
 *   0x08 2 length		0x0c 2 flags: 1 a block is below, its VCN at the end; 2 last, without a key
 */
struct index_entry {
	const uint8_t *p;
	size_t len, key_len;
	bool last, below;
	uint64_t vcn;
};

struct index_cursor {
	const uint8_t *p, *end;
	bool ended; /* the last entry was given; a node without one is damaged */
};

/* The entries of a node whose header is at `header`, in `room` bytes. */
static int index_entries(struct index_cursor *c, const uint8_t *header, size_t room, struct vtr_error *err)
{
	size_t first = vtr_get_le32(header), end = vtr_get_le32(header + 4);

	if (first < 0x10 || first % 8 != 0 || first > end || end > room)
		return vtr_fail(err, VTR_ECORRUPT, "entries at %zu to %zu of %zu bytes", first, end, room);
	*c = (struct index_cursor){ .p = header + first, .end = header + end };
	return 0;
}

/* 1; 0 after the last; -1. */
static int index_next(struct index_entry *e, struct index_cursor *c, struct vtr_error *err)
{
	size_t left = (size_t)(c->end - c->p);
	unsigned flags;

	if (c->ended)
		return 0;
	if (left == 0)
		return vtr_fail(err, VTR_ECORRUPT, "a node of its index has no last entry");
	if (left < 0x10)
		return vtr_fail(err, VTR_ECORRUPT, "an index entry where %zu bytes are left", left);
	*e = (struct index_entry){ .p = c->p, .len = vtr_get_le16(c->p + 8), .key_len = vtr_get_le16(c->p + 0x0a) };
	flags = vtr_get_le16(c->p + 0x0c);
	e->below = flags & 1;
	e->last = flags & 2;
	if (e->len < 0x10u + (e->below ? 8 : 0) || e->len > left || e->len % 8 != 0 ||
	    (!e->last && e->key_len > e->len - 0x10 - (e->below ? 8 : 0)))
		return vtr_fail(err, VTR_ECORRUPT, "an index entry of %zu bytes with a key of %zu, %zu are left",
				e->len, e->key_len, left);
	if (e->below)
		e->vcn = vtr_get_le64(c->p + e->len - 8);
	c->p += e->len;
	c->ended = e->last;
	return 1;
}

/* --------------------------------------------------------------------------------------------------------- listing */

/* What a directory's entry says: false for those that are not shown. */
static bool index_dirent(struct ntfs_name *name, uint64_t *ino, struct ntfs *x, uint64_t dir,
			 const struct index_entry *e)
{
	uint64_t ref = vtr_get_le64(e->p);
	unsigned seq;

	*ino = ntfs_ino(ref);
	if (!vtr_ntfs_file_name(name, e->p + 0x10, e->key_len)) {
		vtr_warn(x->fs.ctx, VTR_ECORRUPT,
			 "ntfs: directory record %" PRIu64 ": record %" PRIu64 " has a name that is not whole", dir,
			 *ino);
		return false;
	}
	seq = vtr_ntfs_sequence(x, *ino);
	if (seq != 0 && seq == ref >> NTFS_RECORD_BITS)
		return true;
	/* A record that cannot be read is told when somebody asks for it. */
	if (seq == 0 && *ino < x->mft->size / x->boot.record_len)
		return true;
	vtr_warn(x->fs.ctx, VTR_ECORRUPT,
		 "ntfs: directory record %" PRIu64 ": an entry leads to record %" PRIu64
		 " as it was (sequence %u, it is %u): left out",
		 dir, *ino, (unsigned)(ref >> NTFS_RECORD_BITS), seq);
	return false;
}

static int index_type(const struct ntfs_name *name)
{
	if (name->attributes & (NTFS_FILE_REPARSE | NTFS_FILE_SYSTEM))
		return VTR_TYPE_UNKNOWN;
	return name->attributes & NTFS_FILE_DIRECTORY ? VTR_TYPE_DIR : VTR_TYPE_FILE;
}

/* The names of one node. Short names stand beside the long ones of the same files and are not listed. */
static int index_emit(struct index *ix, const uint8_t *header, size_t room, struct vtr_emitter *e,
		      struct vtr_error *err)
{
	struct vtr_error local = { 0 };
	struct index_cursor c;
	struct index_entry entry;
	char text[NTFS_NAME_BYTES];
	int r = index_entries(&c, header, room, &local);

	while (r == 0 && (r = index_next(&entry, &c, &local)) > 0) {
		struct ntfs_name name;
		uint64_t ino;
		size_t len;

		r = 0;
		if (entry.last || !index_dirent(&name, &ino, ix->x, ix->n->ino, &entry) ||
		    name.space == NTFS_NAME_DOS || (ix->n->ino == NTFS_ROOT && ino < NTFS_USER_RECORDS))
			continue;
		len = vtr_utf16_name(text, name.name, name.len);
		r = vtr_fs_emit(e, text, len, ino, index_type(&name), err);
		if (r != 0)
			return r;
	}
	if (r < 0)
		vtr_warn(ix->x->fs.ctx, VTR_ECORRUPT, "ntfs: directory record %" PRIu64 ": %s", ix->n->ino, local.text);
	return 0;
}

/* All blocks that are in use. */
static int index_emit_blocks(struct index *ix, struct vtr_emitter *e, struct vtr_error *err)
{
	const struct ntfs_attr *a = vtr_ntfs_attr(ix->n, NTFS_AT_BITMAP, "$I30");
	VTR_FREE uint8_t *used = NULL;
	uint64_t blocks = index_max_blocks(ix->x, ix->blocks, ix->block_len);
	struct vtr_error local = { 0 };
	size_t len = 0;

	if (!a)
		vtr_error_set(&local, VTR_ECORRUPT, "it has no bitmap of its index");
	else if (vtr_ntfs_slurp(&used, &len, ix->x, ix->n, a, (size_t)ix->x->fs.ctx->lim.alloc, &local) < 0 &&
		 vtr_error_ends(&local)) {
		if (err)
			*err = local;
		return -1;
	}
	if (!used)
		vtr_warn(ix->x->fs.ctx, VTR_ECORRUPT, "ntfs: directory record %" PRIu64 ": %s", ix->n->ino, local.text);
	if (used)
		blocks = VTR_MIN(blocks, (uint64_t)len * 8);
	for (uint64_t i = 0; i < blocks; i++) {
		uint8_t *block;
		int r;

		if (i % 1024 == 0 && vtr_tick(ix->x->fs.ctx, &ix->x->fs.steps, 1, err) < 0)
			return -1;
		if (used && (i / 8 >= len || !(used[i / 8] >> (i % 8) & 1)))
			continue;
		local.code = VTR_OK;
		if (index_block(&block, ix, i * ix->block_len, &local) < 0) {
			if (vtr_error_ends(&local)) {
				if (err)
					*err = local;
				return -1;
			}
			/* Without the bitmap, what is no block may never have been one. */
			if (used)
				vtr_warn(ix->x->fs.ctx, local.code, "ntfs: directory record %" PRIu64 ": %s",
					 ix->n->ino, local.text);
			if (vtr_tick(ix->x->fs.ctx, &ix->x->fs.steps, 1, err) < 0)
				return -1;
			continue;
		}
		r = index_emit(ix, block + INDEX_BLOCK_HEADER, ix->block_len - INDEX_BLOCK_HEADER, e, err);
		if (r != 0)
			return r;
	}
	return 0;
}

int vtr_ntfs_readdir(struct vtr_fs *fs, uint64_t dir, struct vtr_emitter *e, struct vtr_error *err)
{
	struct ntfs *x = to_ntfs(fs);
	NTFS_PUT struct ntfs_node *n = NULL;
	struct index ix = { 0 };
	int r;

	if (vtr_ntfs_node(&n, x, ntfs_ino(dir), err) < 0)
		return -1;
	r = index_open(&ix, x, n, "$I30", true, err);
	if (r == 0)
		r = index_emit(&ix, ix.root->value + INDEX_ROOT_HEADER, ix.root->value_len - INDEX_ROOT_HEADER, e, err);
	if (r == 0 && ix.blocks)
		r = index_emit_blocks(&ix, e, err);
	index_done(&ix);
	return r;
}

/* --------------------------------------------------------------------------------------------------------- seeking */

/* How an entry's key stands to what is sought: below 0 before it. See() is told of those that are equal; 1 ends. */
struct index_seek {
	int (*cmp)(struct index_seek *s, const struct index_entry *e);
	int (*see)(struct index_seek *s, const struct index_entry *e);
	struct ntfs *x;
	/* a name in a directory */
	uint16_t units[NTFS_MAX_NAME];
	size_t n_units;
	bool exact; /* nothing but these very letters */
	uint64_t dir, ino;
	int type;
	bool found;
	/* a number */
	uint32_t key;
	uint8_t *value;
	size_t value_len;
};

/* One node: the entries that are equal, and below which entries there may be more. 1: found; 0; -1. */
static int index_seek_node(uint64_t *below, size_t *n_below, size_t max, struct index_seek *s, const uint8_t *header,
			   size_t room, struct vtr_error *err)
{
	struct index_cursor c;
	struct index_entry e;
	int before = -1, r;

	if (index_entries(&c, header, room, err) < 0)
		return -1;
	while ((r = index_next(&e, &c, err)) > 0) {
		int cmp = e.last ? 1 : s->cmp(s, &e);

		if (cmp == 0 && s->see(s, &e) > 0)
			return 1;
		if (e.below && before <= 0 && cmp >= 0) {
			if (*n_below == max)
				return vtr_fail(err, VTR_ECORRUPT, "the index has more than %zu branches for one key",
						max);
			below[(*n_below)++] = e.vcn;
		}
		if (cmp > 0)
			return 0;
		before = cmp;
	}
	return r;
}

/* Go down from the root. 1: see() said so; 0: all was seen; -1. */
static int index_seek(struct index *ix, struct index_seek *s, struct vtr_error *err)
{
	uint64_t below[2 * NTFS_DEPTH];
	uint64_t visits = ix->blocks ? index_max_blocks(ix->x, ix->blocks, ix->block_len) : 0;
	size_t n = 0;
	int r = index_seek_node(below, &n, VTR_COUNT(below), s, ix->root->value + INDEX_ROOT_HEADER,
				ix->root->value_len - INDEX_ROOT_HEADER, err);

	while (r == 0 && n > 0) {
		uint8_t *block;
		uint64_t off;

		if (visits-- == 0)
			return vtr_fail(err, VTR_ECORRUPT, "its index leads in circles");
		if (below[--n] > UINT64_MAX >> ix->vcn_log2)
			return vtr_fail(err, VTR_ECORRUPT, "index VCN %" PRIu64, below[n]);
		off = below[n] << ix->vcn_log2;
		ix->have = 0; /* a block that is met again is not fixed up again */
		if (index_block(&block, ix, off, err) < 0)
			return -1;
		r = index_seek_node(below, &n, VTR_COUNT(below), s, block + INDEX_BLOCK_HEADER,
				    ix->block_len - INDEX_BLOCK_HEADER, err);
	}
	return r;
}

static int index_name_cmp(struct index_seek *s, const struct index_entry *e)
{
	struct ntfs_name name;

	if (!vtr_ntfs_file_name(&name, e->p + 0x10, e->key_len))
		return -1;
	return -vtr_ntfs_name_cmp(s->x, s->units, s->n_units, name.name, name.len);
}

/* Names that differ in case alone may stand side by side: these very letters go before others. */
static int index_name_see(struct index_seek *s, const struct index_entry *e)
{
	struct ntfs_name name;
	bool same = true;
	uint64_t ino;

	if (!index_dirent(&name, &ino, s->x, s->dir, e))
		return 0;
	for (size_t i = 0; i < s->n_units && same; i++)
		same = s->units[i] == vtr_get_le16(name.name + 2 * i);
	if (!same && (s->exact || s->found))
		return 0;
	s->found = true;
	s->ino = ino;
	s->type = index_type(&name);
	return same;
}

int vtr_ntfs_lookup(uint64_t *node, int *type, struct vtr_fs *fs, uint64_t dir, const char *name, size_t len,
		    struct vtr_error *err)
{
	struct ntfs *x = to_ntfs(fs);
	NTFS_PUT struct ntfs_node *n = NULL;
	struct index_seek s = { .cmp = index_name_cmp, .see = index_name_see, .x = x, .dir = ntfs_ino(dir) };
	struct ntfs_standard st;
	struct index ix = { 0 };
	int units = vtr_ntfs_name_units(s.units, name, len), r;

	if (vtr_ntfs_node(&n, x, ntfs_ino(dir), err) < 0)
		return -1;
	if (!(n->flags & NTFS_RECORD_DIRECTORY))
		return vtr_fail(err, VTR_EUSAGE, "record %" PRIu64 " is no directory", n->ino);
	if (vtr_ntfs_upcase(x, err) < 0)
		return -1;
	if (units <= 0)
		return 0;
	s.n_units = (size_t)units;
	vtr_ntfs_standard(&st, n);
	s.exact = st.version == 1 && st.max_versions == 0;
	r = index_open(&ix, x, n, "$I30", false, err);
	if (r == 0)
		r = index_seek(&ix, &s, err);
	index_done(&ix);
	if (r < 0)
		return vtr_at(err, "directory record %" PRIu64, n->ino);
	if (!s.found)
		return 0;
	*node = s.ino;
	*type = s.type;
	return 1;
}

static int index_le32_cmp(struct index_seek *s, const struct index_entry *e)
{
	uint32_t key = e->key_len >= 4 ? vtr_get_le32(e->p + 0x10) : 0;

	return key < s->key ? -1 : key > s->key;
}

static int index_le32_see(struct index_seek *s, const struct index_entry *e)
{
	size_t at = vtr_get_le16(e->p), len = vtr_get_le16(e->p + 2);

	if (at > e->len || len > e->len - at || len < s->value_len)
		return 0;
	memcpy(s->value, e->p + at, s->value_len);
	return 1;
}

int vtr_ntfs_index_le32(uint8_t *out, size_t value_len, struct ntfs *x, struct ntfs_node *n, const char *name,
			uint32_t key, struct vtr_error *err)
{
	struct index_seek s = {
		.cmp = index_le32_cmp, .see = index_le32_see, .x = x, .key = key, .value = out, .value_len = value_len
	};
	struct index ix = { 0 };
	int r = index_open(&ix, x, n, name, false, err);

	if (r == 0)
		r = index_seek(&ix, &s, err);
	index_done(&ix);
	return r;
}
