/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fast commits of ext4: what Linux writes to the end of the journal on fsync(2) instead of a whole transaction. The
 * kernel's Documentation/filesystems/ext4/journal.rst, "Fast commits", little endian; what each tag does was compared
 * with Linux 6.18.
 *
 * Tags are small changes: an inode's bytes, a name added to or removed from a directory, a range of blocks added to or
 * removed from a file. They are applied to copies in memory of the inodes, maps and directories that they name, which
 * the other files of this driver ask for first. Nothing is allocated in the volume: a directory that grows has its new
 * entries here, and no block.
 */
#include "fs/ext/ext.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc.h"

enum {
	FAST_ADD_RANGE = 1,
	FAST_DEL_RANGE,
	FAST_CREATE,
	FAST_LINK,
	FAST_UNLINK,
	FAST_INODE,
	FAST_PAD,
	FAST_TAIL,
	FAST_HEAD,
};

#define FAST_TAG 4u /* tag 2, length of the value 2 */
#define FAST_NAME 255u
#define FAST_OLD_INODE 128u
#define FAST_EXTENT_MAGIC 0xf30au
#define FAST_ROOT_EXTENTS 4u /* that fit into the inode */

/* Offsets in an inode on disk. */
enum {
	INODE_MODE = 0x00,
	INODE_SIZE = 0x04,
	INODE_LINKS = 0x1a,
	INODE_BLOCKS = 0x1c,
	INODE_FLAGS = 0x20,
	INODE_BLOCK = 0x28,
	INODE_GENERATION = 0x64,
	INODE_SIZE_HIGH = 0x6c,
	INODE_BLOCKS_HIGH = 0x74,
};

/* An inode that fast commits name. */
struct fast_inode {
	uint32_t ino;
	uint32_t next; /* with the same hash; all of these count from 1, 0 is none */
	uint32_t first_name, last_name;
	bool mapped;  /* map counts, not what i_block says */
	bool listed;  /* the names count, not what lies in the directory's blocks */
	bool grown;   /* Linux gave this directory a block, which no map here has */
	uint8_t *raw; /* as on disk */
	struct ext_extent *map;
	size_t n, cap;
};

/* An entry of a directory. */
struct fast_name {
	uint32_t dir, ino; /* ino 0: removed */
	uint32_t next;	   /* with the same hash */
	uint32_t next_in_dir;
	size_t text;
	size_t len;
	int type;
};

struct ext_fast {
	struct ext *x;
	struct fast_inode *inodes;
	size_t n_inodes, cap_inodes;
	struct fast_name *names;
	size_t n_names, cap_names;
	char *text;
	size_t text_len, text_cap;
	uint32_t *inode_table, *name_table; /* heads of chains */
	size_t inode_buckets, name_buckets; /* powers of two */
	uint64_t charged;
	uint64_t tags, commits; /* replayed */
};

void vtr_ext_fast_free(struct ext_fast *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n_inodes; i++) {
		free(f->inodes[i].raw);
		free(f->inodes[i].map);
	}
	vtr_uncharge(f->x->fs.ctx, f->charged);
	free(f->inodes);
	free(f->names);
	free(f->text);
	free(f->inode_table);
	free(f->name_table);
	free(f);
}

static int fast_charge(struct ext_fast *f, uint64_t bytes, struct vtr_error *err)
{
	if (vtr_charge(f->x->fs.ctx, bytes, "fast commits", err) < 0)
		return -1;
	f->charged += bytes;
	return 0;
}

/* ------------------------------------------------------------------------------------------------ inodes and names */

static size_t fast_hash(uint64_t h)
{
	return (size_t)(h * 0x9e3779b97f4a7c15u >> 20);
}

static size_t fast_name_hash(uint32_t dir, const char *name, size_t len)
{
	uint64_t h = dir;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)name[i]) * 0x100000001b3u;
	return fast_hash(h);
}

/* Whether a table must grow before one more is put in, and to what. */
static int fast_table(uint32_t **out, size_t *buckets, struct ext_fast *f, size_t n, struct vtr_error *err)
{
	size_t want = *buckets ? *buckets * 2 : 64;
	uint32_t *fresh;

	*out = NULL;
	if (n < *buckets)
		return 0;
	if (n >= UINT32_MAX)
		return vtr_fail(err, VTR_ELIMIT, "more than 2^32 entries in fast commits");
	if (fast_charge(f, (want - *buckets) * sizeof(*fresh), err) < 0 ||
	    !(fresh = vtr_calloc(want, sizeof(*fresh), err)))
		return -1;
	*out = fresh;
	*buckets = want;
	return 0;
}

static struct fast_inode *fast_find(struct ext_fast *f, uint64_t ino)
{
	uint32_t i = f->inode_buckets ? f->inode_table[fast_hash(ino) & (f->inode_buckets - 1)] : 0;

	while (i && f->inodes[i - 1].ino != ino)
		i = f->inodes[i - 1].next;
	return i ? &f->inodes[i - 1] : NULL;
}

static void fast_chain_inode(struct ext_fast *f, size_t i)
{
	uint32_t *head = &f->inode_table[fast_hash(f->inodes[i].ino) & (f->inode_buckets - 1)];

	f->inodes[i].next = *head;
	*head = (uint32_t)i + 1;
}

/* The record of an inode, made from what lies on the disk when there is none. Good until the next call. */
static struct fast_inode *fast_inode(struct ext_fast *f, uint32_t ino, struct vtr_error *err)
{
	struct fast_inode *i = fast_find(f, ino);
	VTR_FREE uint8_t *raw = NULL;
	uint32_t *fresh;

	if (i)
		return i;
	if (fast_table(&fresh, &f->inode_buckets, f, f->n_inodes, err) < 0)
		return NULL;
	if (fresh) {
		free(f->inode_table);
		f->inode_table = fresh;
		for (size_t k = 0; k < f->n_inodes; k++)
			fast_chain_inode(f, k);
	}
	if (fast_charge(f, sizeof(*i) + f->x->sb.inode_len, err) < 0 ||
	    !(raw = vtr_calloc(1, f->x->sb.inode_len, err)) || vtr_ext_inode_raw(raw, f->x, ino, err) < 0 ||
	    !VTR_GROW(f->inodes, f->n_inodes, f->cap_inodes, err))
		return NULL;
	i = &f->inodes[f->n_inodes++];
	*i = (struct fast_inode){ .ino = ino, .raw = vtr_steal(raw) };
	fast_chain_inode(f, f->n_inodes - 1);
	return i;
}

static struct fast_name *fast_find_name(struct ext_fast *f, uint32_t dir, const char *name, size_t len)
{
	uint32_t i = f->name_buckets ? f->name_table[fast_name_hash(dir, name, len) & (f->name_buckets - 1)] : 0;

	for (; i; i = f->names[i - 1].next) {
		struct fast_name *n = &f->names[i - 1];

		if (n->ino != 0 && n->dir == dir && n->len == len && memcmp(f->text + n->text, name, len) == 0)
			return n;
	}
	return NULL;
}

static void fast_chain_name(struct ext_fast *f, size_t i)
{
	const struct fast_name *n = &f->names[i];
	uint32_t *head = &f->name_table[fast_name_hash(n->dir, f->text + n->text, n->len) & (f->name_buckets - 1)];

	f->names[i].next = *head;
	*head = (uint32_t)i + 1;
}

/* Add an entry to a directory that is listed here. */
static int fast_add_name(struct ext_fast *f, uint32_t dir, const char *name, size_t len, uint32_t ino, int type,
			 struct vtr_error *err)
{
	struct fast_inode *d = fast_find(f, dir);
	uint32_t *fresh;
	char *text;

	if (fast_table(&fresh, &f->name_buckets, f, f->n_names, err) < 0)
		return -1;
	if (fresh) {
		free(f->name_table);
		f->name_table = fresh;
		for (size_t k = 0; k < f->n_names; k++)
			fast_chain_name(f, k);
	}
	if (fast_charge(f, sizeof(struct fast_name) + len + 1, err) < 0 ||
	    !VTR_GROW(f->names, f->n_names, f->cap_names, err))
		return -1;
	if (len >= f->text_cap - f->text_len) {
		size_t cap = f->text_cap * 2 + 4096;

		if (!(text = realloc(f->text, cap)))
			return vtr_fail(err, VTR_ENOMEM, "out of memory: names in fast commits");
		f->text = text;
		f->text_cap = cap;
	}
	memcpy(f->text + f->text_len, name, len);
	f->text[f->text_len + len] = 0;
	f->names[f->n_names++] = (struct fast_name){
		.dir = dir,
		.ino = ino,
		.text = f->text_len,
		.len = len,
		.type = type,
	};
	f->text_len += len + 1;
	fast_chain_name(f, f->n_names - 1);
	if (d->last_name)
		f->names[d->last_name - 1].next_in_dir = (uint32_t)f->n_names;
	else
		d->first_name = (uint32_t)f->n_names;
	d->last_name = (uint32_t)f->n_names;
	return 0;
}

struct fast_load {
	struct ext_fast *f;
	uint32_t dir;
	struct vtr_error *err;
};

static int fast_load_name(void *arg, const struct vtr_dirent *d)
{
	struct fast_load *l = arg;

	return fast_add_name(l->f, l->dir, d->name, d->name_len, (uint32_t)d->node, d->type, l->err);
}

/* The entries of a directory, from its blocks, before the first change to it. */
static int fast_load_dir(struct ext_fast *f, uint32_t dir, struct vtr_error *err)
{
	struct fast_load l = { .f = f, .dir = dir, .err = err };

	if (!fast_inode(f, dir, err))
		return -1;
	if (fast_find(f, dir)->listed)
		return 0;
	f->x->cur.ino = 0;
	if (vtr_fs_readdir(&f->x->fs, dir, fast_load_name, &l, err) < 0)
		return -1;
	fast_find(f, dir)->listed = true;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------- the fields */

static void fast_put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void fast_put32(uint8_t *p, uint32_t v)
{
	fast_put16(p, v);
	fast_put16(p + 2, v >> 16);
}

static bool fast_has_extents(const struct fast_inode *i)
{
	return vtr_get_le32(i->raw + INODE_FLAGS) & EXT4_EXTENTS_FL;
}

static int fast_type(const struct fast_inode *i)
{
	return vtr_ext_mode_type(vtr_get_le16(i->raw + INODE_MODE));
}

static void fast_set_size(struct fast_inode *i, uint64_t size)
{
	fast_put32(i->raw + INODE_SIZE, (uint32_t)size);
	fast_put32(i->raw + INODE_SIZE_HIGH, (uint32_t)(size >> 32));
}

/* The map of a file into its record, before the first change to it. */
static int fast_load_map(struct ext_fast *f, uint32_t ino, struct vtr_error *err)
{
	struct ext_node n = { 0 };
	struct fast_inode *i;
	int r = -1;

	if (fast_find(f, ino)->mapped)
		return 0;
	if (vtr_ext_node_load(f->x, &n, ino, err) == 0 && vtr_ext_node_map(f->x, &n, err) == 0 &&
	    fast_charge(f, n.n * sizeof(*n.map), err) == 0) {
		i = fast_find(f, ino);
		free(i->map);
		i->map = vtr_steal(n.map);
		i->n = n.n;
		i->cap = n.cap;
		i->mapped = true;
		r = 0;
	}
	vtr_ext_node_done(&n);
	return r;
}

/*
 * The blocks of a file for i_blocks, which Linux counts anew: those of its extents, and of the tree where the inode has
 * no room for them. How full Linux would have left the tree's blocks is not known here: they count as full.
 */
static void fast_count_blocks(struct ext_fast *f, struct fast_inode *i)
{
	uint64_t blocks = i->grown, at = i->n, per = (f->x->block - 12) / 12;

	for (size_t k = 0; k < i->n; k++)
		blocks += i->map[k].len;
	while (at > FAST_ROOT_EXTENTS) {
		at = vtr_div_up(at, per);
		blocks += at;
	}
	if (!(vtr_get_le32(i->raw + INODE_FLAGS) & EXT4_HUGE_FILE_FL))
		blocks *= f->x->block / 512;
	fast_put32(i->raw + INODE_BLOCKS, (uint32_t)blocks);
	fast_put16(i->raw + INODE_BLOCKS_HIGH, (uint32_t)(blocks >> 32));
}

/* ---------------------------------------------------------------------------------------------------- what tags do */

/*
 * The inode of a tag, as Linux would get it: in use, and none of those that the filesystem keeps for itself. NULL with
 * *err unset: there is none, and the tag has no effect.
 */
static struct fast_inode *fast_get(struct ext_fast *f, uint32_t ino, struct vtr_error *err)
{
	struct vtr_error local = { 0 };
	struct fast_inode *i;

	if (ino > f->x->sb.inodes || (ino != EXT2_ROOT_INO && ino < EXT2_FIRST_INODE(f->x->e2->super)))
		return NULL;
	i = fast_inode(f, ino, &local);
	if (!i && !vtr_error_is(&local, VTR_KIND_DAMAGED)) {
		*err = local;
		return NULL;
	}
	return !i || vtr_get_le16(i->raw + INODE_LINKS) == 0 || fast_type(i) == VTR_TYPE_UNKNOWN ? NULL : i;
}

/*
 * The last name of a file went: so does the file. Linux frees its blocks where i_blocks counts some. That of a directory
 * which a fast commit made has none before its next INODE tag, so its block stays with the inode.
 */
static void fast_delete(struct fast_inode *i)
{
	bool counted = vtr_get_le32(i->raw + INODE_BLOCKS) || vtr_get_le16(i->raw + INODE_BLOCKS_HIGH);

	fast_set_size(i, 0);
	if (!counted && (i->grown || i->n > 0))
		return;
	i->n = 0;
	i->mapped = fast_has_extents(i);
	i->listed = i->grown = false;
	memset(i->raw + INODE_BLOCK, 0, EXT_FAST_SYMLINK);
}

/* INODE: the inode's number, then its bytes on disk. Where its blocks are stays: ranges tell that. */
static int fast_do_inode(struct ext_fast *f, const uint8_t *v, size_t len, struct vtr_error *err)
{
	uint32_t ino = vtr_get_le32(v);
	const uint8_t *raw = v + 4;
	struct fast_inode *i;
	uint8_t *root;

	if (ino == 0 || ino > f->x->sb.inodes)
		return vtr_fail(err, VTR_ECORRUPT, "there is no inode %" PRIu32, ino);
	if (!(i = fast_inode(f, ino, err)))
		return -1;
	root = i->raw + INODE_BLOCK;
	memcpy(i->raw, raw, INODE_BLOCK);
	memcpy(i->raw + INODE_GENERATION, raw + INODE_GENERATION, len - 4 - INODE_GENERATION);
	if (fast_has_extents(i)) {
		if (!i->mapped && vtr_get_le16(root) != FAST_EXTENT_MAGIC) {
			memset(root, 0, 12);
			fast_put16(root, FAST_EXTENT_MAGIC);
			fast_put16(root + 4, FAST_ROOT_EXTENTS);
		}
		if (fast_load_map(f, ino, err) < 0)
			return -1;
		fast_count_blocks(f, fast_find(f, ino));
	} else {
		i->mapped = false;
		if (vtr_get_le32(i->raw + INODE_FLAGS) & EXT4_INLINE_DATA_FL)
			memcpy(root, raw + INODE_BLOCK, EXT_FAST_SYMLINK);
	}
	return 0;
}

struct fast_dentry {
	uint32_t dir, ino;
	const char *name;
	size_t len;
};

/* A directory's inode, then another's, then the name. */
static struct fast_dentry fast_dentry(const uint8_t *v, size_t len)
{
	return (struct fast_dentry){ vtr_get_le32(v), vtr_get_le32(v + 4), (const char *)v + 8, len - 8 };
}

static int fast_link(struct ext_fast *f, const struct fast_dentry *d, struct vtr_error *err)
{
	struct fast_inode *dir = fast_get(f, d->dir, err), *i;

	if (!dir)
		return err->code ? -1 : 0;
	if (fast_type(dir) != VTR_TYPE_DIR)
		return vtr_fail(err, VTR_ECORRUPT, "inode %" PRIu32 " is no directory", d->dir);
	if (fast_load_dir(f, d->dir, err) < 0)
		return -1;
	if (fast_find_name(f, d->dir, d->name, d->len))
		return 0;
	i = fast_find(f, d->ino);
	fast_put16(i->raw + INODE_LINKS, vtr_get_le16(i->raw + INODE_LINKS) + 1u);
	return fast_add_name(f, d->dir, d->name, d->len, d->ino, fast_type(i), err);
}

static int fast_do_link(struct ext_fast *f, const uint8_t *v, size_t len, struct vtr_error *err)
{
	struct fast_dentry d = fast_dentry(v, len);

	if (!fast_get(f, d.ino, err))
		return err->code ? -1 : 0;
	return fast_link(f, &d, err);
}

/*
 * A new directory is empty; Linux gives it a block for "." and "..". It gives up where the inode still has a first block:
 * that of a directory which had the inode before. Replaying the removal of a directory takes one of its two links away,
 * so its blocks stay; see fast_delete(), too. Such a directory gets no name.
 */
static int fast_new_dir(struct ext_fast *f, uint32_t ino, struct vtr_error *err)
{
	struct fast_inode *i = fast_find(f, ino);

	if (!(vtr_get_le32(i->raw + INODE_FLAGS) & EXT4_INLINE_DATA_FL)) {
		if (fast_load_map(f, ino, err) < 0)
			return -1;
		i = fast_find(f, ino);
		if (i->grown || (i->n > 0 && i->map[0].lblk == 0))
			return vtr_fail(err, VTR_ECORRUPT,
					"the new directory of inode %" PRIu32 " has the blocks of an older one, "
					"and is left out, as Linux does",
					ino);
		i->grown = true;
		fast_set_size(i, f->x->block);
	}
	i->listed = true;
	i->first_name = i->last_name = 0;
	return 0;
}

static int fast_do_create(struct ext_fast *f, const uint8_t *v, size_t len, struct vtr_error *err)
{
	struct fast_dentry d = fast_dentry(v, len);
	struct fast_inode *i = fast_get(f, d.ino, err);

	if (!i)
		return err->code ? -1 : vtr_fail(err, VTR_ECORRUPT, "inode %" PRIu32 " is not in use", d.ino);
	if (fast_type(i) == VTR_TYPE_DIR) {
		if (!fast_get(f, d.dir, err))
			return err->code ? -1 : 0;
		if (fast_new_dir(f, d.ino, err) < 0)
			return -1;
	}
	if (fast_link(f, &d, err) < 0)
		return -1;
	fast_put16(fast_find(f, d.ino)->raw + INODE_LINKS, 1);
	return 0;
}

static int fast_do_unlink(struct ext_fast *f, const uint8_t *v, size_t len, struct vtr_error *err)
{
	struct fast_dentry d = fast_dentry(v, len);
	struct fast_inode *i = fast_get(f, d.ino, err);
	struct fast_name *name;
	uint32_t links;

	if (!i || !(i = fast_get(f, d.dir, err)))
		return err->code ? -1 : 0;
	if (fast_type(i) != VTR_TYPE_DIR)
		return vtr_fail(err, VTR_ECORRUPT, "inode %" PRIu32 " is no directory", d.dir);
	if (fast_load_dir(f, d.dir, err) < 0)
		return -1;
	if (!(name = fast_find_name(f, d.dir, d.name, d.len)))
		return 0;
	/* A name that is another's by now stays; the inode has lost it all the same. */
	if (name->ino == d.ino)
		name->ino = 0;
	i = fast_find(f, d.ino);
	links = vtr_get_le16(i->raw + INODE_LINKS) - 1u;
	fast_put16(i->raw + INODE_LINKS, links);
	if (links == 0)
		fast_delete(i);
	return 0;
}

/* Take the blocks from first to end - 1 out of a map. *at is where they were. */
static int fast_cut(struct ext_fast *f, struct fast_inode *i, size_t *at, uint64_t first, uint64_t end,
		    struct vtr_error *err)
{
	size_t lo = 0, hi = i->n, k;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if ((uint64_t)i->map[mid].lblk + i->map[mid].len <= first)
			lo = mid + 1;
		else
			hi = mid;
	}
	*at = lo;
	if (lo == i->n)
		return 0;
	if (vtr_tick(f->x->fs.ctx, &f->x->fs.steps, 1 + (i->n - lo) / 64, err) < 0)
		return -1;
	if (i->map[lo].lblk < first) {
		struct ext_extent *e = &i->map[lo], right = *e;
		uint32_t keep = (uint32_t)(first - e->lblk);

		right.lblk += keep;
		right.len -= keep;
		right.pblk += keep;
		if (fast_charge(f, sizeof(*e), err) < 0 || !VTR_GROW(i->map, i->n, i->cap, err))
			return -1;
		memmove(&i->map[lo + 1], &i->map[lo], (i->n - lo) * sizeof(*e));
		i->n++;
		i->map[lo].len = keep;
		i->map[++lo] = right;
	}
	for (k = lo; k < i->n && (uint64_t)i->map[k].lblk + i->map[k].len <= end; k++)
		;
	if (k < i->n && i->map[k].lblk < end) {
		uint32_t gone = (uint32_t)(end - i->map[k].lblk);

		i->map[k].lblk += gone;
		i->map[k].len -= gone;
		i->map[k].pblk += gone;
	}
	memmove(&i->map[lo], &i->map[k], (i->n - k) * sizeof(*i->map));
	i->n -= k - lo;
	*at = lo;
	return 0;
}

/* A range of a file's blocks: gone, or at pblk now. */
static int fast_range(struct ext_fast *f, uint32_t ino, uint64_t lblk, uint64_t len, const struct ext_extent *now,
		      struct vtr_error *err)
{
	struct fast_inode *i = fast_get(f, ino, err);
	size_t at;

	if (!i)
		return err->code ? -1 : 0;
	if (!fast_has_extents(i))
		return vtr_fail(err, VTR_ECORRUPT, "inode %" PRIu32 " has no extents", ino);
	if (len > UINT32_MAX - lblk)
		return vtr_fail(err, VTR_ECORRUPT, "inode %" PRIu32 ": %" PRIu64 " blocks at block %" PRIu64, ino, len,
				lblk);
	if (len == 0)
		return 0;
	if (fast_load_map(f, ino, err) < 0)
		return -1;
	i = fast_find(f, ino);
	if (fast_cut(f, i, &at, lblk, lblk + len, err) < 0)
		return -1;
	if (lblk == 0)
		i->grown = false;
	if (!now)
		return 0;
	if (vtr_tick(f->x->fs.ctx, &f->x->fs.steps, 1 + (i->n - at) / 64, err) < 0 ||
	    fast_charge(f, sizeof(*now), err) < 0 || !VTR_GROW(i->map, i->n, i->cap, err))
		return -1;
	memmove(&i->map[at + 1], &i->map[at], (i->n - at) * sizeof(*now));
	i->map[at] = *now;
	i->n++;
	return 0;
}

/* ADD_RANGE: inode, then an extent: ee_block 4, ee_len 2 (more than 32768: unwritten), ee_start_hi 2, ee_start_lo 4. */
static int fast_do_add_range(struct ext_fast *f, const uint8_t *v, struct vtr_error *err)
{
	uint32_t len = vtr_get_le16(v + 8);
	struct ext_extent e = {
		.lblk = vtr_get_le32(v + 4),
		.len = len > 32768 ? len - 32768 : len,
		.pblk = (uint64_t)vtr_get_le16(v + 10) << 32 | vtr_get_le32(v + 12),
		.unwritten = len > 32768,
	};

	return fast_range(f, vtr_get_le32(v), e.lblk, e.len, &e, err);
}

/* ----------------------------------------------------------------------------------------------------- the area */

struct fast_area {
	struct ext_fast *f;
	struct vtr_blk *journal;
	const struct vtr_jbd2_result *r;
	uint8_t *block;
};

struct fast_tag {
	unsigned tag;
	const uint8_t *at, *value;
	size_t len; /* of the value */
};

static int fast_read(struct fast_area *a, uint32_t n, struct vtr_error *err)
{
	if (vtr_tick(a->f->x->fs.ctx, &a->f->x->fs.steps, 1, err) < 0 ||
	    vtr_blk_pread(a->journal, (uint64_t)(a->r->fast_first + n) * a->r->block, a->block, a->r->block, err) < 0)
		return vtr_at(err, "journal block %" PRIu32, a->r->fast_first + n);
	return 0;
}

/* Whether a value may have this length. */
static bool fast_len_ok(const struct fast_area *a, unsigned tag, size_t len)
{
	switch (tag) {
	case FAST_ADD_RANGE:
		return len == 16;
	case FAST_DEL_RANGE:
		return len == 12;
	case FAST_CREATE:
	case FAST_LINK:
	case FAST_UNLINK:
		return len >= 8 + 1 && len <= 8 + FAST_NAME;
	case FAST_INODE:
		return len >= 4 + FAST_OLD_INODE && len <= 4 + a->f->x->sb.inode_len;
	case FAST_PAD:
		return true;
	case FAST_TAIL:
		return len >= 8;
	case FAST_HEAD:
		return len == 8;
	default:
		return false;
	}
}

/* The tag at *at in the block, and what comes after it. 0: the block ends. */
static int fast_next(struct fast_tag *t, const struct fast_area *a, size_t *at, struct vtr_error *err)
{
	const uint8_t *p = a->block + *at;

	if (*at > a->r->block - FAST_TAG)
		return 0;
	*t = (struct fast_tag){ vtr_get_le16(p), p, p + FAST_TAG, vtr_get_le16(p + 2) };
	if (t->len > a->r->block - *at - FAST_TAG || !fast_len_ok(a, t->tag, t->len))
		return vtr_fail(err, VTR_ECORRUPT, "tag %u of %zu bytes at %#zx", t->tag, t->len, *at);
	*at += FAST_TAG + t->len;
	if (vtr_tick(a->f->x->fs.ctx, &a->f->x->fs.steps, 1, err) < 0)
		return -1;
	return 1;
}

/* Whether the block ends with the tail of a commit to the transaction that is replayed. Linux before 6.2 left a byte. */
static bool fast_has_tail(const struct fast_area *a)
{
	const size_t end = a->r->block;

	for (size_t at = 0; at + FAST_TAG + 8 <= end; at++) {
		const uint8_t *p = a->block + at;
		size_t stop = at + FAST_TAG + vtr_get_le16(p + 2);

		if (vtr_get_le16(p) == FAST_TAIL && (stop == end || stop == end - 1) &&
		    vtr_get_le32(p + 4) == a->r->next)
			return true;
	}
	return false;
}

/* One block of the scan: *crc is of the commit that is being read, *tags counts. 0: nothing after this counts. */
static int fast_scan_block(struct fast_area *a, uint32_t *crc, uint64_t *tags, struct vtr_error *err)
{
	struct ext_fast *f = a->f;
	struct fast_tag t;
	size_t at = 0;
	int r;

	while ((r = fast_next(&t, a, &at, err)) > 0) {
		size_t summed = FAST_TAG + (t.tag == FAST_TAIL ? 4 : t.len);

		if (t.tag == FAST_HEAD && vtr_get_le32(t.value + 4) != a->r->next)
			return 0;
		if (t.tag == FAST_HEAD && vtr_get_le32(t.value) != 0)
			return vtr_fail(err, VTR_EUNSUPPORTED, "features %#" PRIx32, vtr_get_le32(t.value));
		++*tags;
		*crc = vtr_crc32c_raw(*crc, t.at, summed);
		if (t.tag != FAST_TAIL)
			continue;
		if (vtr_get_le32(t.value) != a->r->next)
			return 0;
		if (!vtr_sum_ok(vtr_get_le32(t.value + 4), *crc))
			return vtr_fail(err, VTR_ECORRUPT, "the checksum of a commit is wrong");
		*crc = 0;
		f->tags = *tags;
		f->commits++;
	}
	return r < 0 ? -1 : 1;
}

/* Commits after block n that are whole but for what stopped the scan: without one it is where a crash interrupted. */
static int fast_look_for_lost(struct fast_area *a, uint32_t n, const struct vtr_error *why, struct vtr_error *err)
{
	const char *type = a->f->x->info.type;
	uint64_t lost = 0;

	for (uint32_t k = n; k < a->r->fast_blocks; k++) {
		if (fast_read(a, k, err) < 0)
			return -1;
		lost += fast_has_tail(a);
	}
	if (lost > 0 || why->code == VTR_EUNSUPPORTED)
		vtr_warn(a->f->x->fs.ctx, why->code ? why->code : VTR_ECORRUPT,
			 "%s: its journal: fast commits from block %" PRIu32 " on are not replayed, %" PRIu64
			 " of them: %s",
			 type, a->r->fast_first + n, lost,
			 why->code ? why->text : "there is something else before them");
	return 0;
}

/* Find where the last whole commit ends: f->tags and f->commits. */
static int fast_scan(struct fast_area *a, struct vtr_error *err)
{
	struct vtr_error why = { 0 };
	uint64_t tags = 0;
	uint32_t crc = 0, n;
	int r = 1;

	for (n = 0; n < a->r->fast_blocks; n++) {
		if (fast_read(a, n, err) < 0)
			return -1;
		if (n == 0 && vtr_get_le16(a->block) != FAST_HEAD)
			r = 0;
		else
			r = fast_scan_block(a, &crc, &tags, &why);
		if (r <= 0)
			break;
	}
	if (r < 0 && !vtr_error_is(&why, VTR_KINDS_LOST)) {
		*err = why;
		return -1;
	}
	return n < a->r->fast_blocks ? fast_look_for_lost(a, n, &why, err) : 0;
}

static int fast_apply(struct ext_fast *f, const struct fast_tag *t, struct vtr_error *err)
{
	switch (t->tag) {
	case FAST_ADD_RANGE:
		return fast_do_add_range(f, t->value, err);
	case FAST_DEL_RANGE:
		return fast_range(f, vtr_get_le32(t->value), vtr_get_le32(t->value + 4), vtr_get_le32(t->value + 8),
				  NULL, err);
	case FAST_CREATE:
		return fast_do_create(f, t->value, t->len, err);
	case FAST_LINK:
		return fast_do_link(f, t->value, t->len, err);
	case FAST_UNLINK:
		return fast_do_unlink(f, t->value, t->len, err);
	case FAST_INODE:
		return fast_do_inode(f, t->value, t->len, err);
	default:
		return 0;
	}
}

/* Apply the tags that the scan found. What one of them breaks is reported, and the others follow. */
static int fast_replay(struct fast_area *a, struct vtr_error *err)
{
	static const char *const names[] = { "",     "range added",  "range removed", "name created",
					     "link", "name removed", "inode" };
	struct ext_fast *f = a->f;
	uint64_t left = f->tags;

	for (uint32_t n = 0; n < a->r->fast_blocks && left > 0; n++) {
		struct fast_tag t;
		size_t at = 0;
		int r;

		if (fast_read(a, n, err) < 0)
			return -1;
		while (left > 0 && (r = fast_next(&t, a, &at, err)) != 0) {
			struct vtr_error local = { 0 };

			if (r < 0)
				return -1;
			left--;
			if (fast_apply(f, &t, &local) == 0)
				continue;
			if (!vtr_error_is(&local, VTR_KINDS_LOST)) {
				*err = local;
				return -1;
			}
			vtr_error_at(&local, "%s: its journal: fast commit in block %" PRIu32 ": %s", f->x->info.type,
				     a->r->fast_first + n, names[t.tag < VTR_COUNT(names) ? t.tag : 0]);
			vtr_warn_err(f->x->fs.ctx, &local);
		}
	}
	return 0;
}

int vtr_ext_fast_replay(struct ext *x, struct vtr_blk *journal, const struct vtr_jbd2_result *r, struct vtr_error *err)
{
	struct fast_area a = { .journal = journal, .r = r };
	VTR_FREE uint8_t *block = NULL;
	struct vtr_error local = { 0 };

	if (r->fast_blocks == 0)
		return 0;
	if (!(block = vtr_calloc(1, r->block, err)) || !(x->fast = vtr_calloc(1, sizeof(*x->fast), err)))
		return -1;
	x->fast->x = x;
	a.f = x->fast;
	a.block = block;
	if (fast_scan(&a, &local) < 0 || fast_replay(&a, &local) < 0) {
		vtr_error_at(&local, "%s: its journal: fast commits are not all replayed", x->info.type);
		if (!vtr_error_is(&local, VTR_KINDS_LOST)) {
			if (err)
				*err = local;
			return -1;
		}
		vtr_warn_err(x->fs.ctx, &local);
	}
	x->cur.ino = 0; /* what it holds may be older */
	return 0;
}

uint64_t vtr_ext_fast_commits(const struct ext *x)
{
	return x->fast ? x->fast->commits : 0;
}

/* ------------------------------------------------------------------------------------------------- for the readers */

const uint8_t *vtr_ext_fast_inode(const struct ext *x, uint64_t ino)
{
	const struct fast_inode *i = x->fast ? fast_find(x->fast, ino) : NULL;

	return i ? i->raw : NULL;
}

int vtr_ext_fast_map(struct ext *x, struct ext_node *n, struct vtr_error *err)
{
	const struct fast_inode *i = x->fast ? fast_find(x->fast, n->ino) : NULL;

	if (!i || !i->mapped)
		return 0;
	n->n = 0;
	for (size_t k = 0; k < i->n; k++) {
		const struct ext_extent *e = &i->map[k];
		struct ext_extent *last = n->n > 0 ? &n->map[n->n - 1] : NULL;

		if (last && last->unwritten == e->unwritten && (uint64_t)last->lblk + last->len == e->lblk &&
		    last->pblk + last->len == e->pblk) {
			last->len += e->len;
			continue;
		}
		if (!VTR_GROW(n->map, n->n, n->cap, err))
			return -1;
		n->map[n->n++] = *e;
	}
	return 1;
}

int vtr_ext_fast_list(int *result, struct ext *x, uint64_t dir, struct vtr_emitter *e, struct vtr_error *err)
{
	struct ext_fast *f = x->fast;
	const struct fast_inode *d = f ? fast_find(f, dir) : NULL;

	if (!d || !d->listed)
		return 0;
	*result = 0;
	for (uint32_t i = d->first_name; i && *result == 0; i = f->names[i - 1].next_in_dir) {
		const struct fast_name *n = &f->names[i - 1];

		if (n->ino != 0)
			*result = vtr_fs_emit(e, f->text + n->text, n->len, n->ino, n->type, err);
	}
	return 1;
}
