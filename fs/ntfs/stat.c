/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is told of a node: stat, named streams, extended attributes, and what only NTFS has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/filetime.h"
#include "base/utf16.h"
#include "fs/ntfs/ntfs.h"

#define STAT_MAX_EA (64u << 10)

/* The value of an extended attribute: NULL when there is none. */
struct stat_ea {
	const char *name;
	const uint8_t *value;
	size_t name_len, len;
};

/*
 * $EA: 4 distance to the next one, 0 the last; 1 flags; 1 length of the name; 2 of the value; name, NUL, value. 1; 0
 * after the last; -1: they are not whole.
 */
static int stat_ea_next(struct stat_ea *out, const uint8_t *p, size_t len, size_t *at)
{
	size_t left, next;

	if (*at >= len)
		return 0;
	left = len - *at;
	if (left < 8)
		return -1;
	p += *at;
	next = vtr_get_le32(p);
	*out = (struct stat_ea){ .name = (const char *)p + 8, .name_len = p[5], .len = vtr_get_le16(p + 6) };
	if (9 + out->name_len + out->len > left || (next != 0 && (next < 9 + out->name_len + out->len || next > left)))
		return -1;
	out->value = p + 9 + out->name_len;
	*at = next ? *at + next : len;
	return 1;
}

static uint32_t stat_ea_le32(const uint8_t *eas, size_t len, const char *name, uint32_t otherwise)
{
	struct stat_ea ea;
	size_t at = 0;

	while (stat_ea_next(&ea, eas, len, &at) > 0)
		if (ea.name_len == strlen(name) && memcmp(ea.name, name, ea.name_len) == 0 && ea.len >= 4)
			return vtr_get_le32(ea.value);
	return otherwise;
}

/* Owner and mode as the Windows Subsystem for Linux keeps them. */
static void stat_lx(struct vtr_stat *out, struct ntfs *x, struct ntfs_node *n)
{
	const struct ntfs_attr *a = vtr_ntfs_attr(n, NTFS_AT_EA, "");
	VTR_FREE uint8_t *eas = NULL;
	const uint8_t *p;
	size_t len;

	if (!a || vtr_ntfs_slurp(&eas, &len, x, n, a, STAT_MAX_EA, NULL) < 0)
		return;
	p = eas;
	out->uid = stat_ea_le32(p, len, "$LXUID", 0);
	out->gid = stat_ea_le32(p, len, "$LXGID", 0);
	out->mode = stat_ea_le32(p, len, "$LXMOD", out->mode) & 07777;
	if (out->type == VTR_TYPE_CHAR || out->type == VTR_TYPE_BLOCK) {
		struct stat_ea ea;
		size_t at = 0;

		while (stat_ea_next(&ea, p, len, &at) > 0)
			if (ea.name_len == 6 && memcmp(ea.name, "$LXDEV", 6) == 0 && ea.len >= 8) {
				out->rdev_major = vtr_get_le32(ea.value);
				out->rdev_minor = vtr_get_le32(ea.value + 4);
			}
	}
}

/* Device nodes and links of Interix, which NTFS-3G makes: system files that begin with "Intx". */
static void stat_interix(struct vtr_stat *out, struct ntfs *x, struct ntfs_node *n, const struct ntfs_attr *a)
{
	struct ntfs_stream *s;
	uint8_t head[24] = { 0 };

	if (a->size < 8 || a->size > NTFS_MAX_REPARSE || (a->flags & (NTFS_ATTR_ENCRYPTED | NTFS_ATTR_COMPRESSION)) ||
	    vtr_ntfs_stream(&s, x, n, a, NULL) < 0 ||
	    vtr_ntfs_stored(x, s, 0, head, (size_t)VTR_MIN(a->size, (uint64_t)sizeof(head)), true, NULL) < 0)
		return;
	if (memcmp(head, "IntxLNK\1", 8) == 0)
		out->type = VTR_TYPE_SYMLINK;
	else if (a->size == sizeof(head) && memcmp(head, "IntxCHR", 8) == 0)
		out->type = VTR_TYPE_CHAR;
	else if (a->size == sizeof(head) && memcmp(head, "IntxBLK", 8) == 0)
		out->type = VTR_TYPE_BLOCK;
	else
		return;
	if (out->type != VTR_TYPE_SYMLINK) {
		out->rdev_major = (uint32_t)vtr_get_le64(head + 8);
		out->rdev_minor = (uint32_t)vtr_get_le64(head + 16);
	}
}

static int stat_type(uint32_t tag, const struct ntfs_node *n)
{
	switch (tag) {
	case NTFS_TAG_AF_UNIX:
		return VTR_TYPE_SOCKET;
	case NTFS_TAG_LX_FIFO:
		return VTR_TYPE_FIFO;
	case NTFS_TAG_LX_CHR:
		return VTR_TYPE_CHAR;
	case NTFS_TAG_LX_BLK:
		return VTR_TYPE_BLOCK;
	default:
		return n->flags & NTFS_RECORD_DIRECTORY ? VTR_TYPE_DIR : VTR_TYPE_FILE;
	}
}

/* A link whose target cannot be read is what it is without its reparse point, and told. */
static int stat_link(struct vtr_stat *out, struct ntfs *x, struct ntfs_node *n, struct vtr_error *err)
{
	VTR_FREE char *target = NULL;
	struct vtr_error local = { 0 };

	if (vtr_ntfs_target(&target, x, n, &local) == 0) {
		out->type = VTR_TYPE_SYMLINK;
		out->size = strlen(target);
		return 0;
	}
	if (vtr_error_is(&local, VTR_KIND_STOPPED | VTR_KIND_LIMITED)) {
		if (err)
			*err = local;
		return -1;
	}
	if (out->type == VTR_TYPE_SYMLINK)
		out->type = VTR_TYPE_FILE;
	out->flags |= VTR_STAT_DAMAGED;
	vtr_warn(x->fs.ctx, VTR_ECORRUPT, "ntfs: record %" PRIu64 ": %s", n->ino, local.text);
	return 0;
}

static uint64_t stat_allocated(const struct ntfs_attr *a)
{
	return !a || !a->nonresident				       ? 0
	       : a->flags & (NTFS_ATTR_COMPRESSION | NTFS_ATTR_SPARSE) ? a->compressed
								       : a->allocated;
}

static void stat_times(struct vtr_stat *out, const struct ntfs_standard *st)
{
	out->mtime = vtr_filetime(st->modified);
	out->atime = vtr_filetime(st->accessed);
	out->ctime = vtr_filetime(st->changed);
	out->btime = vtr_filetime(st->created);
}

/* Links by name; the short name of a file is no link of its own. */
static uint64_t stat_links(const struct ntfs_node *n)
{
	uint64_t links = 0;

	for (size_t i = 0; i < n->n; i++) {
		const struct ntfs_attr *a = &n->attrs[i];
		struct ntfs_name name;

		if (a->type == NTFS_AT_FILE_NAME && !a->nonresident &&
		    vtr_ntfs_file_name(&name, a->value, a->value_len) && name.space != NTFS_NAME_DOS)
			links++;
	}
	return links;
}

/* Mode as Linux shows it: all may do all, and nobody writes what is read-only. */
static uint32_t stat_mode(const struct vtr_stat *st, const struct ntfs_standard *standard)
{
	if (st->type == VTR_TYPE_SYMLINK)
		return 0777;
	return (standard->attributes & NTFS_FILE_READONLY) && st->type != VTR_TYPE_DIR ? 0555 : 0755;
}

/* What the attribute of its contents, or of its index, says; NULL: there is none. */
static void stat_contents(struct vtr_stat *out, const struct ntfs_attr *a)
{
	if (!a)
		return;
	out->size = a->size;
	out->allocated = stat_allocated(a);
	if (a->flags & NTFS_ATTR_ENCRYPTED)
		out->flags |= VTR_STAT_ENCRYPTED;
	if (a->flags & NTFS_ATTR_COMPRESSION)
		out->flags |= VTR_STAT_COMPRESSED;
	if (!a->nonresident && a->size > 0)
		out->flags |= VTR_STAT_INLINE;
}

/* A file or directory by its record alone. */
static void stat_record(struct vtr_stat *out, const struct ntfs_node *n, const struct ntfs_standard *st)
{
	bool dir = n->flags & NTFS_RECORD_DIRECTORY;

	stat_times(out, st);
	out->type = dir ? VTR_TYPE_DIR : VTR_TYPE_FILE;
	out->generation = n->seq;
	out->nlink = stat_links(n);
	out->mode = stat_mode(out, st);
	if (n->damaged)
		out->flags |= VTR_STAT_DAMAGED;
	stat_contents(out,
		      dir ? vtr_ntfs_attr(n, NTFS_AT_INDEX_ALLOCATION, "$I30") : vtr_ntfs_attr(n, NTFS_AT_DATA, ""));
	if (!dir)
		return;
	if (!(st->version == 1 && st->max_versions == 0))
		out->flags |= VTR_STAT_CASEFOLD;
	if (st->attributes & NTFS_FILE_ENCRYPTED)
		out->flags |= VTR_STAT_ENCRYPTED;
	if (st->attributes & NTFS_FILE_COMPRESSED)
		out->flags |= VTR_STAT_COMPRESSED;
}

bool vtr_ntfs_stat_plain(struct vtr_stat *out, const struct ntfs_node *n)
{
	struct ntfs_standard st;

	for (size_t i = 0; i < n->n; i++)
		if (n->attrs[i].type == NTFS_AT_LIST || n->attrs[i].type == NTFS_AT_REPARSE ||
		    n->attrs[i].type == NTFS_AT_EA)
			return false;
	vtr_ntfs_standard(&st, n);
	if (st.attributes & NTFS_FILE_SYSTEM)
		return false;
	stat_record(out, n, &st);
	return true;
}

/* A stream beside the contents: a file of its own, with the times of the one that it belongs to. */
static int stat_stream(struct vtr_stat *out, struct ntfs *x, const struct ntfs_node *n, unsigned k,
		       struct vtr_error *err)
{
	const struct ntfs_attr *a = vtr_ntfs_named(n, k);
	struct ntfs_standard st;

	if (vtr_tick(x->fs.ctx, &x->fs.steps, n->n / 64, err) < 0)
		return -1;
	if (!a)
		return vtr_fail(err, VTR_ENOTFOUND, "record %" PRIu64 " has no stream %u", n->ino, k);
	vtr_ntfs_standard(&st, n);
	stat_times(out, &st);
	out->type = VTR_TYPE_FILE;
	out->generation = n->seq;
	out->nlink = 1;
	out->mode = stat_mode(out, &st);
	stat_contents(out, a);
	return 0;
}

/* What a reparse point makes of it. */
static int stat_reparsed(struct vtr_stat *out, struct ntfs *x, struct ntfs_node *n, uint32_t tag, struct vtr_error *err)
{
	out->type = stat_type(tag, n);
	if (tag == NTFS_TAG_WOF) {
		out->flags |= VTR_STAT_COMPRESSED;
		out->allocated += stat_allocated(vtr_ntfs_attr(n, NTFS_AT_DATA, "WofCompressedData"));
	}
	return vtr_ntfs_tag_is_link(tag) ? stat_link(out, x, n, err) : 0;
}

int vtr_ntfs_stat(struct vtr_stat *out, struct vtr_fs *fs, uint64_t node, struct vtr_error *err)
{
	struct ntfs *x = to_ntfs(fs);
	NTFS_PUT struct ntfs_node *n = NULL;
	const struct ntfs_brief *b = vtr_ntfs_brief(x, node);
	const struct ntfs_attr *a;
	struct ntfs_standard st;
	uint32_t tag;

	if (b && b->known) {
		st = (struct ntfs_standard){
			.created = b->created, .modified = b->modified, .changed = b->changed, .accessed = b->accessed
		};
		stat_times(out, &st);
		out->type = b->type;
		out->mode = b->mode;
		out->nlink = b->nlink;
		out->size = b->size;
		out->allocated = b->allocated;
		out->flags = b->flags;
		out->generation = b->seq;
		return 0;
	}
	if (vtr_ntfs_node(&n, x, ntfs_ino(node), err) < 0)
		return -1;
	if (ntfs_stream_number(node))
		return stat_stream(out, x, n, ntfs_stream_number(node), err);
	vtr_ntfs_standard(&st, n);
	stat_record(out, n, &st);
	a = vtr_ntfs_attr(n, NTFS_AT_DATA, "");
	tag = vtr_ntfs_tag(x, n);
	if (tag != 0 && stat_reparsed(out, x, n, tag, err) < 0)
		return -1;
	if (tag == 0 && out->type == VTR_TYPE_FILE && a && (st.attributes & NTFS_FILE_SYSTEM)) {
		stat_interix(out, x, n, a);
		if (out->type == VTR_TYPE_SYMLINK && stat_link(out, x, n, err) < 0)
			return -1;
	}
	stat_lx(out, x, n);
	if (out->type == VTR_TYPE_SYMLINK)
		out->mode = stat_mode(out, &st);
	if (out->type != VTR_TYPE_FILE && out->type != VTR_TYPE_DIR) {
		out->flags &= ~(uint32_t)(VTR_STAT_CASEFOLD | VTR_STAT_INLINE);
		out->allocated = 0;
		if (out->type != VTR_TYPE_SYMLINK)
			out->size = 0;
	}
	return 0;
}

/* --------------------------------------------------------------------------------------------------------- streams */

/* Hand on each named $DATA with its number, from 1 on, until fn returns something: that, or 0. */
typedef int stat_named_fn(void *arg, unsigned k, const struct ntfs_attr *a);
static int stat_each_named(const struct ntfs_node *n, stat_named_fn *fn, void *arg)
{
	unsigned k = 0;
	int r = 0;

	for (size_t i = 0; i < n->n && k < UINT16_MAX && r == 0; i++)
		if (n->attrs[i].type == NTFS_AT_DATA && n->attrs[i].first_vcn == 0 && n->attrs[i].name_len > 0)
			r = fn(arg, ++k, &n->attrs[i]);
	return r;
}

struct stat_streams {
	struct ntfs *x;
	const struct ntfs_node *n;
	vtr_stream_fn *fn;
	void *arg;
	struct vtr_error *err;
	/* the one that is sought */
	uint16_t units[NTFS_MAX_NAME];
	size_t n_units;
	uint64_t node;
};

static int stat_tell_stream(void *arg, unsigned k, const struct ntfs_attr *a)
{
	struct stat_streams *t = arg;
	char name[NTFS_NAME_BYTES];
	struct vtr_stream s = { .name = name, .size = a->size, .allocated = stat_allocated(a) };

	s.name_len = vtr_utf16_name(name, a->name, a->name_len);
	s.node = t->n->ino | (uint64_t)k << NTFS_RECORD_BITS;
	if (vtr_tick(t->x->fs.ctx, &t->x->fs.steps, 1, t->err) < 0)
		return -1;
	if (strlen(name) == s.name_len)
		return t->fn(t->arg, &s);
	vtr_warn(t->x->fs.ctx, VTR_ECORRUPT, "ntfs: record %" PRIu64 ": a stream has a NUL in its name: left out",
		 t->n->ino);
	return 0;
}

int vtr_ntfs_streams(struct vtr_fs *fs, uint64_t node, vtr_stream_fn *fn, void *arg, struct vtr_error *err)
{
	struct stat_streams t = { .x = to_ntfs(fs), .fn = fn, .arg = arg, .err = err };
	NTFS_PUT struct ntfs_node *n = NULL;

	if (vtr_ntfs_node(&n, t.x, ntfs_ino(node), err) < 0)
		return -1;
	t.n = n;
	return ntfs_stream_number(node) ? 0 : stat_each_named(n, stat_tell_stream, &t);
}

static int stat_seek_stream(void *arg, unsigned k, const struct ntfs_attr *a)
{
	struct stat_streams *t = arg;

	if (vtr_ntfs_name_cmp(t->x, t->units, t->n_units, a->name, a->name_len) != 0)
		return 0;
	t->node = t->n->ino | (uint64_t)k << NTFS_RECORD_BITS;
	return 1;
}

int vtr_ntfs_stream_find(uint64_t *out, struct vtr_fs *fs, uint64_t node, const char *name, size_t len,
			 struct vtr_error *err)
{
	struct stat_streams t = { .x = to_ntfs(fs) };
	NTFS_PUT struct ntfs_node *n = NULL;
	int units = vtr_ntfs_name_units(t.units, name, len);

	if (vtr_ntfs_upcase(t.x, err) < 0 || vtr_ntfs_node(&n, t.x, ntfs_ino(node), err) < 0)
		return -1;
	t.n = n;
	t.n_units = units > 0 ? (size_t)units : 0;
	if (units <= 0 || ntfs_stream_number(node) || stat_each_named(n, stat_seek_stream, &t) == 0)
		return 0;
	*out = t.node;
	return 1;
}

/* ---------------------------------------------------------------------------------------------- extended attributes */

int vtr_ntfs_xattrs(struct vtr_fs *fs, uint64_t node, vtr_xattr_fn *fn, void *arg, struct vtr_error *err)
{
	struct ntfs *x = to_ntfs(fs);
	NTFS_PUT struct ntfs_node *n = NULL;
	VTR_FREE uint8_t *eas = NULL;
	const struct ntfs_attr *a;
	struct stat_ea ea;
	size_t len, at = 0;
	int r;

	if (vtr_ntfs_node(&n, x, ntfs_ino(node), err) < 0)
		return -1;
	a = ntfs_stream_number(node) ? NULL : vtr_ntfs_attr(n, NTFS_AT_EA, "");
	if (!a)
		return 0;
	if (vtr_ntfs_slurp(&eas, &len, x, n, a, STAT_MAX_EA, err) < 0)
		return vtr_at(err, "record %" PRIu64 ": extended attributes", n->ino);
	while ((r = stat_ea_next(&ea, eas, len, &at)) > 0) {
		char name[256];
		struct vtr_xattr v = { .name = name, .value = ea.value, .len = ea.len };

		memcpy(name, ea.name, ea.name_len);
		name[ea.name_len] = 0;
		r = fn(arg, &v);
		if (r != 0)
			return r;
	}
	if (r < 0)
		vtr_warn(fs->ctx, VTR_ECORRUPT, "ntfs: record %" PRIu64 ": extended attributes end early", n->ino);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------ properties */

struct stat_props {
	vtr_prop_fn *fn;
	void *arg;
	int r;
};

static void stat_text(struct stat_props *p, const char *key, const char *title, const char *text)
{
	if (p->r == 0)
		p->r = p->fn(p->arg,
			     &(struct vtr_prop){ .key = key, .title = title, .kind = VTR_PROP_TEXT, .text = text });
}

static void stat_number(struct stat_props *p, const char *key, const char *title, uint64_t number)
{
	if (p->r == 0)
		p->r = p->fn(p->arg, &(struct vtr_prop){
					     .key = key, .title = title, .kind = VTR_PROP_NUMBER, .number = number });
}

static void stat_filetime(struct stat_props *p, const char *key, const char *title, uint64_t filetime)
{
	const struct vtr_time t = vtr_filetime(filetime);
	char text[48];

	vtr_time_text(text, sizeof(text), &t);
	if (filetime)
		stat_text(p, key, title, text);
}

/* As `attrib` and MS-FSCC 2.6 call them. */
static void stat_attributes(struct stat_props *p, uint32_t attributes)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{ 0x1, "readonly" },
		{ 0x2, "hidden" },
		{ 0x4, "system" },
		{ 0x20, "archive" },
		{ 0x40, "device" },
		{ 0x80, "normal" },
		{ 0x100, "temporary" },
		{ 0x200, "sparse" },
		{ 0x400, "reparse_point" },
		{ 0x800, "compressed" },
		{ 0x1000, "offline" },
		{ 0x2000, "not_content_indexed" },
		{ 0x4000, "encrypted" },
		{ 0x8000, "integrity_stream" },
		{ 0x20000, "no_scrub_data" },
		{ 0x40000, "recall_on_open" },
		{ 0x80000, "pinned" },
		{ 0x100000, "unpinned" },
		{ 0x400000, "recall_on_data_access" },
	};
	char text[300];
	size_t at = 0;

	text[0] = 0;
	for (size_t i = 0; i < VTR_COUNT(names); i++)
		if (attributes & names[i].bit)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", at ? " " : "", names[i].name);
	stat_text(p, "attributes", "attributes", text);
}

/* The times in the long name (the first one), which programs do not change; and the short name, if there is one. */
static void stat_names(struct stat_props *p, const struct ntfs_node *n)
{
	bool told = false;

	for (size_t i = 0; i < n->n; i++) {
		const struct ntfs_attr *a = &n->attrs[i];
		struct ntfs_name name;
		char bytes[NTFS_NAME_BYTES], text[4 * NTFS_NAME_BYTES];

		if (a->type != NTFS_AT_FILE_NAME || a->nonresident ||
		    !vtr_ntfs_file_name(&name, a->value, a->value_len))
			continue;
		if (name.space == NTFS_NAME_DOS) {
			vtr_escape(text, sizeof(text), bytes, vtr_utf16_name(bytes, name.name, name.len));
			stat_text(p, "short_name", "short name", text);
		} else if (!told) {
			told = true;
			stat_number(p, "parent", "parent", ntfs_ino(name.parent));
			stat_filetime(p, "name_born", "name born", name.created);
			stat_filetime(p, "name_modified", "name modified", name.modified);
			stat_filetime(p, "name_changed", "name changed", name.changed);
			stat_filetime(p, "name_accessed", "name accessed", name.accessed);
		}
	}
}

/* $OBJECT_ID: four GUIDs, of which the last three may be missing. */
static void stat_object_id(struct stat_props *p, const struct ntfs_node *n)
{
	static const struct {
		const char *key, *title;
	} ids[] = { { "object_id", "object id" },
		    { "birth_volume_id", "birth volume id" },
		    { "birth_object_id", "birth object id" },
		    { "domain_id", "domain id" } };
	const struct ntfs_attr *a = vtr_ntfs_attr(n, NTFS_AT_OBJECT_ID, "");
	static const uint8_t zeros[16];
	char text[37];

	for (size_t i = 0; a && !a->nonresident && i < VTR_COUNT(ids) && a->value_len >= 16 * (i + 1); i++) {
		if (i > 0 && memcmp(a->value + 16 * i, zeros, 16) == 0)
			continue;
		vtr_guid_text(text, a->value + 16 * i);
		stat_text(p, ids[i].key, ids[i].title, text);
	}
}

static void stat_reparse(struct stat_props *p, struct ntfs *x, struct ntfs_node *n)
{
	static const char *const algorithms[] = { [NTFS_WOF_XPRESS4K] = "wof-xpress4k",
						  [NTFS_WOF_LZX] = "wof-lzx",
						  [NTFS_WOF_XPRESS8K] = "wof-xpress8k",
						  [NTFS_WOF_XPRESS16K] = "wof-xpress16k" };
	const struct ntfs_attr *a = vtr_ntfs_attr(n, NTFS_AT_DATA, "");
	uint32_t tag = vtr_ntfs_tag(x, n);
	enum ntfs_codec codec;
	char text[64];

	if (a && (a->flags & NTFS_ATTR_COMPRESSION))
		stat_text(p, "compression", "compression", "lznt1");
	if (tag == 0)
		return;
	snprintf(text, sizeof(text), "%#010" PRIx32 ", %s", tag, vtr_ntfs_tag_name(tag));
	stat_text(p, "reparse_point", "reparse point", text);
	if (tag == NTFS_TAG_WOF && vtr_ntfs_wof(&codec, x, n, NULL) == 0)
		stat_text(p, "compression", "compression", algorithms[codec]);
}

int vtr_ntfs_props(struct vtr_fs *fs, uint64_t node, unsigned flags, vtr_prop_fn *fn, void *arg, struct vtr_error *err)
{
	struct ntfs *x = to_ntfs(fs);
	struct stat_props p = { .fn = fn, .arg = arg };
	NTFS_PUT struct ntfs_node *n = NULL;
	VTR_FREE char *sddl = NULL;
	struct ntfs_standard st;

	if (vtr_ntfs_node(&n, x, ntfs_ino(node), err) < 0)
		return -1;
	vtr_ntfs_standard(&st, n);
	stat_attributes(&p, st.attributes);
	stat_names(&p, n);
	stat_reparse(&p, x, n);
	stat_object_id(&p, n);
	stat_number(&p, "record", "record", n->ino);
	stat_number(&p, "sequence", "sequence", n->seq);
	stat_number(&p, "extension_records", "extension records", n->n_extra);
	if (st.v3) {
		stat_number(&p, "security_id", "security id", st.security_id);
		stat_number(&p, "owner_id", "owner id", st.owner_id);
		stat_number(&p, "usn", "update sequence number", st.usn);
	}
	if (p.r != 0 || !(flags & VTR_PROPS_SECURITY))
		return p.r;
	if (vtr_ntfs_sddl(&sddl, x, n, err) < 0)
		return vtr_at(err, "record %" PRIu64 ": security descriptor", n->ino);
	if (sddl)
		stat_text(&p, "sddl", "security", sddl);
	return p.r;
}
