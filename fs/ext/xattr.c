/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Extended attributes in the inode, in a block, in inodes of their own; inline data, which lies in one. */
#include "fs/ext/ext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ext_xattr {
	uint8_t index;
	const char *name;
	size_t name_len;
	uint32_t value_ino;
	const uint8_t *value; /* NULL with value_ino */
	size_t len;
};

typedef int ext_xattr_fn(struct ext *x, const struct ext_xattr *a, void *arg, struct vtr_error *err);

/*
 * A list of attributes: entries of 16 bytes and a name each, padded to 4, that end with four zero bytes. Values lie at
 * an offset from values. fn returns nonzero to stop.
 *   0  1  e_name_len	 4  4  e_value_inum
 *   1  1  e_name_index	 8  4  e_value_size
 *   2  2  e_value_offs	12  4  e_hash
 */
static int ext_xattr_list(struct ext *x, struct vtr_cur c, const uint8_t *values, ext_xattr_fn *fn, void *arg,
			  struct vtr_error *err)
{
	size_t values_len = (size_t)(c.end - values);

	while (vtr_cur_left(&c) >= 4 && vtr_get_le32(c.p) != 0) {
		struct ext_xattr a = { 0 };
		uint32_t off;
		int r;

		a.name_len = vtr_cur_u8(&c);
		a.index = vtr_cur_u8(&c);
		off = vtr_cur_le16(&c);
		a.value_ino = vtr_cur_le32(&c);
		a.len = vtr_cur_le32(&c);
		vtr_cur_skip(&c, 4);
		a.name = (const char *)vtr_cur_take(&c, a.name_len);
		if (c.bad)
			return vtr_fail(err, VTR_ECORRUPT, "an attribute's name leaves its block");
		vtr_cur_skip(&c, VTR_MIN((4 - a.name_len % 4) % 4, vtr_cur_left(&c)));
		if (memchr(a.name, 0, a.name_len))
			return vtr_fail(err, VTR_ECORRUPT, "an attribute's name holds a NUL");
		if (a.value_ino == 0) {
			if (a.len > EXT_MAX_XATTR || !vtr_range_in(off, a.len, values_len))
				return vtr_fail(err, VTR_ECORRUPT,
						"attribute \"%.*s\": %zu bytes at %" PRIu32 " leave its block",
						(int)a.name_len, a.name, a.len, off);
			a.value = values + off;
		}
		r = fn(x, &a, arg, err);
		if (r != 0)
			return r;
	}
	return 0;
}

/* The attributes after the inode's fixed part. */
static int ext_xattr_inode(struct ext *x, const struct ext_node *n, ext_xattr_fn *fn, void *arg, struct vtr_error *err)
{
	struct vtr_cur c;
	size_t at = 128u + n->inode->i_extra_isize;

	if (x->sb.inode_len <= 128)
		return 0;
	if (n->inode->i_extra_isize % 4 != 0 || at > x->sb.inode_len)
		return vtr_fail(err, VTR_ECORRUPT, "i_extra_isize %u in an inode of %" PRIu32 " bytes",
				n->inode->i_extra_isize, x->sb.inode_len);
	c = vtr_cur_of(n->inode, x->sb.inode_len, 0);
	vtr_cur_seek(&c, at);
	if (vtr_cur_left(&c) < 8 || vtr_cur_le32(&c) != EXT_XATTR_MAGIC)
		return 0;
	return ext_xattr_list(x, c, c.p, fn, arg, err);
}

/*
 * The attribute block that i_file_acl names.
 *   0  4  h_magic	 8  4  h_blocks (1)	16  4  h_checksum
 *   4  4  h_refcount	12  4  h_hash		32     entries
 */
static int ext_xattr_block(struct ext *x, const struct ext_node *n, ext_xattr_fn *fn, void *arg, struct vtr_error *err)
{
	uint64_t block = n->inode->i_file_acl;
	VTR_FREE uint8_t *b = NULL;
	struct vtr_cur c;

	if (x->sb.incompat & EXT4_FEATURE_INCOMPAT_64BIT)
		block |= (uint64_t)n->inode->osd2.linux2.l_i_file_acl_high << 32;
	if (block == 0)
		return 0;
	if (block >= x->sb.blocks)
		return vtr_fail(err, VTR_ECORRUPT,
				"attribute block %" PRIu64 " is outside of the volume (%" PRIu64 " blocks)", block,
				x->sb.blocks);
	if (!(b = vtr_calloc(1, x->block, err)) || vtr_ext_meta(x, block * x->block, b, x->block, err) < 0)
		return -1;
	c = vtr_cur_of(b, x->block, block * x->block);
	if (vtr_cur_le32(&c) != EXT_XATTR_MAGIC)
		return vtr_fail(err, VTR_ECORRUPT, "attribute block %" PRIu64 ": magic %#" PRIx32 ", expected %#x",
				block, vtr_get_le32(b), EXT_XATTR_MAGIC);
	if (!vtr_sum_ok(1, (uint64_t)ext2fs_ext_attr_block_csum_verify(x->e2, (ext2_ino_t)n->ino, block, (void *)b)))
		vtr_warn(x->fs.ctx, VTR_ECORRUPT,
			 "%s: inode %" PRIu64 ": the checksum of attribute block %" PRIu64 " is wrong", x->info.type,
			 n->ino, block);
	vtr_cur_seek(&c, 32);
	return ext_xattr_list(x, c, b, fn, arg, err);
}

struct ext_inline {
	uint8_t *buf; /* room for the whole inode */
	size_t len;   /* 0: there is no system.data */
};

static int ext_inline_cb(struct ext *x, const struct ext_xattr *a, void *arg, struct vtr_error *err)
{
	struct ext_inline *in = arg;

	(void)err;
	if (a->index != 7 || a->name_len != 4 || memcmp(a->name, "data", 4) != 0 || !a->value)
		return 0;
	in->len = EXT_FAST_SYMLINK + VTR_MIN(a->len, (size_t)x->sb.inode_len);
	memcpy(in->buf + EXT_FAST_SYMLINK, a->value, in->len - EXT_FAST_SYMLINK);
	return 1;
}

/*
 * What lies in an inode with inline data: 60 bytes in i_block, and the attribute system.data, however large the file
 * is: mke2fs -d leaves files that are one large hole like this, and the kernel reads zeros there. The caller frees *out.
 */
int vtr_ext_inline_read(uint8_t **out, size_t *len, struct ext *x, const struct ext_node *n, struct vtr_error *err)
{
	VTR_FREE uint8_t *buf = vtr_calloc(1, (size_t)EXT_FAST_SYMLINK + x->sb.inode_len, err);
	struct ext_inline in = { .buf = buf };

	if (!buf)
		return -1;
	memcpy(buf, n->inode->i_block, EXT_FAST_SYMLINK);
	if (ext_xattr_inode(x, n, ext_inline_cb, &in, err) < 0)
		return vtr_at(err, "inode %" PRIu64, n->ino);
	if (in.len == 0 && vtr_ext_inode_size(n->inode) > EXT_FAST_SYMLINK)
		return vtr_fail(err, VTR_ECORRUPT,
				"inode %" PRIu64 ": %" PRIu64 " bytes of inline data, and no system.data", n->ino,
				vtr_ext_inode_size(n->inode));
	*out = vtr_steal(buf);
	*len = VTR_MAX(in.len, (size_t)EXT_FAST_SYMLINK);
	return 0;
}

struct vtr_ext_xattrs {
	vtr_xattr_fn *fn;
	void *arg;
	uint64_t ino;
};

/*
 * An access list as ext4 stores it (version 1: tag 2, permissions 2, and an id 4 for named users and groups) to the
 * form that getxattr(2) gives (version 2: tag, permissions and id always). *len is the new length.
 */
static uint8_t *ext_acl(size_t *len, const uint8_t *p, size_t in_len, struct vtr_error *err)
{
	struct vtr_cur c = vtr_cur_of(p, in_len, 0);
	uint8_t *out;
	size_t n = 4;

	if (in_len < 4 || vtr_cur_le32(&c) != 1) {
		vtr_error_set(err, VTR_ECORRUPT, "access list of version %" PRIu32 ", expected 1",
			      in_len < 4 ? 0 : vtr_get_le32(p));
		return NULL;
	}
	out = vtr_calloc(1, 4 + in_len * 2, err); /* 4 bytes become 8 */
	if (!out)
		return NULL;
	out[0] = 2;
	while (vtr_cur_left(&c) > 0) {
		uint16_t tag = vtr_cur_le16(&c), perm = vtr_cur_le16(&c);
		bool named = tag == 2 || tag == 8;
		uint32_t id = named ? vtr_cur_le32(&c) : UINT32_MAX;
		const uint8_t entry[8] = {
			(uint8_t)tag, (uint8_t)(tag >> 8), (uint8_t)perm,	(uint8_t)(perm >> 8),
			(uint8_t)id,  (uint8_t)(id >> 8),  (uint8_t)(id >> 16), (uint8_t)(id >> 24)
		};

		if (c.bad || (tag & (tag - 1)) || tag == 0 || tag > 32) {
			vtr_error_set(err, VTR_ECORRUPT, "access list: an entry with tag %#x", tag);
			free(out);
			return NULL;
		}
		memcpy(out + n, entry, 8);
		n += 8;
	}
	*len = n;
	return out;
}

/* A value that fills an inode of its own. The caller frees it. */
static uint8_t *ext_ea_inode(struct ext *x, const struct ext_xattr *a, struct vtr_error *err)
{
	struct ext_node n = { 0 };
	uint8_t *out = NULL;
	bool good = false;
	uint32_t sum;

	if (vtr_ext_node_load(x, &n, a->value_ino, err) < 0)
		goto done;
	if (!(n.inode->i_flags & EXT4_EA_INODE_FL) || vtr_ext_inode_size(n.inode) != a->len ||
	    a->len > EXT_MAX_EA_INODE) {
		vtr_error_set(err, VTR_ECORRUPT, "value inode %" PRIu32 " has %" PRIu64 " bytes, expected %zu",
			      a->value_ino, vtr_ext_inode_size(n.inode), a->len);
		goto done;
	}
	if (vtr_ext_node_map(x, &n, err) < 0 || !(out = vtr_calloc(1, a->len, err)) ||
	    vtr_ext_read_mapped(x, &n, 0, out, a->len, true, err) < 0)
		goto done;
	/* The hash lies in i_atime; inodes of Lustre have none, and name their owner in i_mtime. */
	sum = ext2fs_crc32c_le(x->e2->csum_seed, out, a->len);
	if (!vtr_sum_ok(n.inode->i_atime, sum) && n.inode->i_mtime == 0) {
		vtr_error_set(err, VTR_ECORRUPT, "value inode %" PRIu32 ": hash %#" PRIx32 ", expected %#" PRIx32,
			      a->value_ino, sum, (uint32_t)n.inode->i_atime);
		goto done;
	}
	good = true;
done:
	vtr_ext_node_done(&n);
	if (!good) {
		free(out);
		return NULL;
	}
	return out;
}

static int ext_xattr_emit(struct ext *x, const struct ext_xattr *a, void *arg, struct vtr_error *err)
{
	static const char *const prefixes[] = {
		[1] = "user.",
		[2] = "system.posix_acl_access",
		[3] = "system.posix_acl_default",
		[4] = "trusted.",
		[6] = "security.",
		[7] = "system.",
		[8] = "system.richacl",
		[10] = "gnu.",
	};
	const struct vtr_ext_xattrs *l = arg;
	VTR_FREE uint8_t *own = NULL;
	struct vtr_xattr out = { .value = a->value, .len = a->len };
	char name[300];

	if (vtr_tick(x->fs.ctx, &x->fs.steps, 1, err) < 0)
		return -1;
	/* What lies inline, and the key's description of an encrypted node, are no attributes to the outside. */
	if (a->index == 9 || (a->index == 7 && a->name_len == 4 && memcmp(a->name, "data", 4) == 0))
		return 0;
	if (a->index < VTR_COUNT(prefixes) && prefixes[a->index])
		snprintf(name, sizeof(name), "%s%.*s", prefixes[a->index], (int)a->name_len, a->name);
	else if (a->index == 0)
		snprintf(name, sizeof(name), "%.*s", (int)a->name_len, a->name);
	else
		snprintf(name, sizeof(name), "ext-index-%u.%.*s", a->index, (int)a->name_len, a->name);
	out.name = name;
	if (a->value_ino) {
		if (!(own = ext_ea_inode(x, a, err)))
			return vtr_at(err, "attribute \"%s\"", name);
		out.value = own;
	}
	if (a->index == 2 || a->index == 3) {
		uint8_t *acl = ext_acl(&out.len, out.value, a->len, err);

		if (!acl)
			return vtr_at(err, "attribute \"%s\"", name);
		free(own);
		out.value = own = acl;
	}
	return l->fn(l->arg, &out);
}

int vtr_ext_xattrs(struct vtr_fs *fs, uint64_t node, vtr_xattr_fn *fn, void *arg, struct vtr_error *err)
{
	struct ext *x = to_ext(fs);
	struct vtr_ext_xattrs l = { .fn = fn, .arg = arg, .ino = node };
	int r;

	if (vtr_ext_node_load(x, &x->cur, node, err) < 0)
		return -1;
	r = ext_xattr_inode(x, &x->cur, ext_xattr_emit, &l, err);
	if (r == 0)
		r = ext_xattr_block(x, &x->cur, ext_xattr_emit, &l, err);
	return r < 0 ? vtr_at(err, "inode %" PRIu64, node) : r;
}
