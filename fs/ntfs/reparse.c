/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reparse points, MS-FSCC 2.1.2: links of all kinds, and files whose contents somebody else provides. */
#include <stdlib.h>
#include <string.h>

#include "base/fold.h"
#include "base/utf16.h"
#include "fs/ntfs/ntfs.h"

/* MS-FSCC 2.1.2.1. elsewhere: what is stored is not what is read. */
static const struct reparse_tag {
	uint32_t tag;
	bool link;
	const char *name, *elsewhere;
} reparse_tags[] = {
	{ NTFS_TAG_MOUNT_POINT, true, "junction or mount point", NULL },
	{ NTFS_TAG_SYMLINK, true, "symbolic link", NULL },
	{ NTFS_TAG_LX_SYMLINK, true, "symbolic link (Linux)", NULL },
	{ NTFS_TAG_APPEXECLINK, true, "app execution alias", NULL },
	{ NTFS_TAG_WOF, false, "compressed (WOF)", NULL },
	{ NTFS_TAG_DEDUP, false, "deduplicated", "in the chunk store of data deduplication" },
	{ NTFS_TAG_AF_UNIX, false, "socket", NULL },
	{ NTFS_TAG_LX_FIFO, false, "FIFO (Linux)", NULL },
	{ NTFS_TAG_LX_CHR, false, "character device (Linux)", NULL },
	{ NTFS_TAG_LX_BLK, false, "block device (Linux)", NULL },
	{ 0xc0000004, false, "hierarchical storage", "in hierarchical storage" },
	{ 0x80000006, false, "hierarchical storage 2", "in hierarchical storage" },
	{ 0x80000007, false, "single instance storage", "in the common store of single instance storage" },
	{ 0x80000008, false, "WIM mount", "in a mounted WIM file" },
	{ 0x80000009, false, "clustered shared volume", NULL },
	{ 0x8000000a, false, "DFS", NULL },
	{ 0x8000000b, false, "filter manager", NULL },
	{ 0x80000012, false, "DFS replication", NULL },
	{ 0x80000014, false, "NFS", NULL },
	{ 0x80000015, false, "file placeholder", "with the server of a placeholder" },
	{ 0x80000016, false, "dynamic file filter", NULL },
	{ 0x80000018, false, "container isolation", NULL },
	{ 0x90001018, false, "container isolation 1", NULL },
	{ 0xa000001f, false, "container isolation tombstone", NULL },
	{ 0x90000019, false, "global reparse", NULL },
	{ 0x8000001e, false, "storage sync", NULL },
	{ 0x90000027, false, "storage sync folder", NULL },
	{ 0x9000001c, false, "projected", "with the provider of a projected filesystem" },
	{ 0xa0000022, false, "projected tombstone", NULL },
};

const char *vtr_ntfs_tag_name(uint32_t tag)
{
	for (size_t i = 0; i < VTR_COUNT(reparse_tags); i++)
		if (reparse_tags[i].tag == tag)
			return reparse_tags[i].name;
	/* 0x9000001a to 0x9000f01a are sixteen of one kind. */
	return (tag & 0xffff0fffu) == 0x9000001a ? "cloud file" : "unknown";
}

bool vtr_ntfs_tag_is_link(uint32_t tag)
{
	for (size_t i = 0; i < VTR_COUNT(reparse_tags); i++)
		if (reparse_tags[i].tag == tag)
			return reparse_tags[i].link;
	return false;
}

const char *vtr_ntfs_tag_elsewhere(uint32_t tag, uint32_t attributes)
{
	for (size_t i = 0; i < VTR_COUNT(reparse_tags); i++)
		if (reparse_tags[i].tag == tag && reparse_tags[i].elsewhere)
			return reparse_tags[i].elsewhere;
	if (tag != 0 && (attributes & (NTFS_FILE_OFFLINE | NTFS_FILE_RECALL_ON_OPEN | NTFS_FILE_RECALL_ON_ACCESS)))
		return (tag & 0xffff0fffu) == 0x9000001a ? "in the cloud" : "offline";
	return NULL;
}

/* The data of a reparse point: 4 tag, 2 length of what follows, 2 reserved, data. The caller frees all of it. */
static int reparse_data(uint8_t **out, size_t *len, struct ntfs *x, struct ntfs_node *n, struct vtr_error *err)
{
	const struct ntfs_attr *a = vtr_ntfs_attr(n, NTFS_AT_REPARSE, "");
	VTR_FREE uint8_t *p = NULL;

	if (!a)
		return vtr_fail(err, VTR_ECORRUPT, "it is a reparse point without data");
	if (vtr_ntfs_slurp(&p, len, x, n, a, NTFS_MAX_REPARSE, err) < 0)
		return -1;
	if (*len < 8 || vtr_get_le16(p + 4) > *len - 8)
		return vtr_fail(err, VTR_ECORRUPT, "reparse point of %zu bytes, %u of data", *len,
				*len < 8 ? 0 : vtr_get_le16(p + 4));
	*len = 8u + vtr_get_le16(p + 4);
	*out = vtr_steal(p);
	return 0;
}

uint32_t vtr_ntfs_tag(struct ntfs *x, struct ntfs_node *n)
{
	const struct ntfs_attr *a = vtr_ntfs_attr(n, NTFS_AT_REPARSE, "");
	VTR_FREE uint8_t *p = NULL;
	struct vtr_error err = { 0 };
	size_t len;

	if (!a)
		return 0;
	if (!a->nonresident && a->value_len >= 8)
		return vtr_get_le32(a->value);
	if (reparse_data(&p, &len, x, n, &err) == 0)
		return vtr_get_le32(p);
	vtr_warn(x->fs.ctx, VTR_ECORRUPT, "ntfs: record %" PRIu64 ": %s", n->ino, err.text);
	return 0;
}

/*
 * WOF_EXTERNAL_INFO and FILE_PROVIDER_EXTERNAL_INFO_V1, after the 8 bytes of every reparse point:
 *   0x08 4 version 1	0x0c 4 provider: 1 WIM, 2 file	0x10 4 version 1	0x14 4 algorithm
 */
int vtr_ntfs_wof(enum ntfs_codec *out, struct ntfs *x, struct ntfs_node *n, struct vtr_error *err)
{
	VTR_FREE uint8_t *p = NULL;
	uint32_t provider, algorithm;
	size_t len;

	if (reparse_data(&p, &len, x, n, err) < 0)
		return vtr_at(err, "record %" PRIu64, n->ino);
	if (len < 0x10)
		return vtr_fail(err, VTR_ECORRUPT, "record %" PRIu64 ": overlay of %zu bytes", n->ino, len);
	provider = vtr_get_le32(p + 0x0c);
	if (provider == 1)
		return vtr_fail(err, VTR_EUNSUPPORTED,
				"record %" PRIu64 ": its contents are elsewhere: in a WIM file (WIMBoot)", n->ino);
	if (vtr_get_le32(p + 8) != 1 || provider != 2 || len < 0x18 || vtr_get_le32(p + 0x10) != 1)
		return vtr_fail(err, VTR_EUNSUPPORTED,
				"record %" PRIu64 ": overlay of version %" PRIu32 ", provider %" PRIu32, n->ino,
				vtr_get_le32(p + 8), provider);
	algorithm = vtr_get_le32(p + 0x14);
	if (algorithm > 3)
		return vtr_fail(err, VTR_EUNSUPPORTED, "record %" PRIu64 ": overlay compression %" PRIu32 " is unknown",
				n->ino, algorithm);
	*out = (enum ntfs_codec)(NTFS_WOF_XPRESS4K + algorithm);
	return 0;
}

/* ---------------------------------------------------------------------------------------------------------- targets */

/* UTF-16 to bytes, with slashes. A NUL ends it. */
static int reparse_text(struct vtr_str *out, const uint8_t *p, size_t len)
{
	for (size_t at = 0; at + 2 <= len;) {
		size_t units = VTR_MIN((len - at) / 2, (size_t)NTFS_MAX_NAME), n;
		char text[NTFS_NAME_BYTES];

		/* Pairs of surrogates stay together. */
		if (units * 2 < len - at && units > 1 && vtr_utf16_is_high(vtr_get_le16(p + at + 2 * units - 2)))
			units--;
		vtr_utf16_name(text, p + at, (unsigned)units);
		n = strlen(text);
		for (size_t i = 0; i < n; i++)
			if (text[i] == '\\')
				text[i] = '/';
		vtr_str_put(out, text, n);
		for (size_t i = 0; i < units; i++)
			if (vtr_get_le16(p + at + 2 * i) == 0)
				return 0;
		at += 2 * units;
	}
	return 0;
}

/*
 * A Windows path to one of the guest: "/there" on this volume, "/D:/there" on another. As long as nobody has said which
 * letter is this volume's, a path whose first name is on it is taken to be on it.
 */
static void reparse_absolute(struct vtr_str *out, struct ntfs *x, const char *path)
{
	const char *rest;
	uint64_t node;
	bool here;
	int type;

	if (strncmp(path, "/?\?/", 4) == 0 || strncmp(path, "//?/", 4) == 0 || strncmp(path, "//./", 4) == 0)
		path += 4;
	if (vtr_ascii_ncasecmp(path, "UNC/", 4) == 0) {
		vtr_str_puts(out, "//");
		vtr_str_puts(out, path + 4);
		return;
	}
	if (!(vtr_ascii_is_letter(path[0]) && path[1] == ':')) {
		if (path[0] != '/')
			vtr_str_puts(out, "/");
		vtr_str_puts(out, path);
		return;
	}
	rest = path + 2 + strspn(path + 2, "/");
	if (x->fs.letter)
		here = vtr_ascii_lower(path[0]) == vtr_ascii_lower(x->fs.letter);
	else if (rest[0] == 0)
		here = vtr_ascii_lower(path[0]) == 'c';
	else
		here = vtr_ntfs_lookup(&node, &type, &x->fs, NTFS_ROOT, rest, strcspn(rest, "/"), NULL) == 1;
	if (here) {
		vtr_str_puts(out, "/");
		vtr_str_puts(out, rest);
		return;
	}
	vtr_str_puts(out, "/");
	vtr_str_put(out, path, 2);
	if (rest[0]) {
		vtr_str_puts(out, "/");
		vtr_str_puts(out, rest);
	}
}

/*
 * After the 8 bytes of every reparse point:
 *   junction:  0x08 2 offset, 2 length of the substitute name	0x0c 2, 2 of the print name	0x10 names
 *   symlink:   the same, then 0x10 4 flags: 1 relative	0x14 names
 *   LX:	0x08 4 version 2	0x0c target in UTF-8
 *   alias:	0x08 4 version 3	0x0c strings, each with a NUL: package, id, path of the program, …
 */
static int reparse_target(struct vtr_str *out, struct ntfs *x, const uint8_t *p, size_t len, struct vtr_error *err)
{
	uint32_t tag = vtr_get_le32(p);
	size_t names = tag == NTFS_TAG_SYMLINK ? 0x14 : 0x10, at, n;
	struct vtr_str windows = { 0 };
	bool relative = false;

	if (tag == NTFS_TAG_LX_SYMLINK) {
		if (len < 0x0c || memchr(p + 0x0c, 0, len - 0x0c))
			return vtr_fail(err, VTR_ECORRUPT, "symbolic link (Linux) of %zu bytes", len);
		vtr_str_put(out, (const char *)p + 0x0c, len - 0x0c);
		return 0;
	}
	if (tag == NTFS_TAG_APPEXECLINK) {
		at = 0x0c;
		for (unsigned i = 0; i < 2; i++) {
			while (len - VTR_MIN(at, len) >= 2 && vtr_get_le16(p + at) != 0)
				at += 2;
			at += 2;
		}
		if (at >= len)
			return vtr_fail(err, VTR_ECORRUPT, "app execution alias of %zu bytes", len);
		n = len - at;
	} else {
		if (len < names)
			return vtr_fail(err, VTR_ECORRUPT, "link of %zu bytes", len);
		at = vtr_get_le16(p + 8);
		n = vtr_get_le16(p + 0x0a);
		if (!vtr_range_in(at, n, len - names) || n < 2)
			return vtr_fail(err, VTR_ECORRUPT, "link: a target of %zu bytes at %zu of %zu", n, at,
					len - names);
		at += names;
		relative = tag == NTFS_TAG_SYMLINK && (vtr_get_le32(p + 0x10) & 1);
	}
	reparse_text(&windows, p + at, n);
	if (!windows.oom && windows.len > 0) {
		if (relative)
			vtr_str_puts(out, windows.p);
		else
			reparse_absolute(out, x, windows.p);
	}
	if (windows.oom)
		out->oom = true;
	vtr_str_done(&windows);
	return 0;
}

/* Interix links, as NTFS-3G makes them: a system file "IntxLNK", a byte 1, and the target in UTF-16. */
static int reparse_interix(struct vtr_str *out, struct ntfs *x, struct ntfs_node *n, struct vtr_error *err)
{
	const struct ntfs_attr *a = vtr_ntfs_attr(n, NTFS_AT_DATA, "");
	VTR_FREE uint8_t *p = NULL;
	size_t len;

	if (!a || vtr_ntfs_slurp(&p, &len, x, n, a, NTFS_MAX_REPARSE, err) < 0)
		return a ? -1 : vtr_fail(err, VTR_ECORRUPT, "it is no link");
	if (len < 10 || memcmp(p, "IntxLNK\1", 8) != 0)
		return vtr_fail(err, VTR_ECORRUPT, "it is no link");
	for (size_t at = 8; at + 2 <= len;) {
		size_t units = VTR_MIN((len - at) / 2, (size_t)NTFS_MAX_NAME);
		char text[NTFS_NAME_BYTES];

		if (units * 2 < len - at && units > 1 && vtr_utf16_is_high(vtr_get_le16(p + at + 2 * units - 2)))
			units--;
		vtr_utf16_name(text, p + at, (unsigned)units);
		vtr_str_puts(out, text);
		at += 2 * units;
	}
	return 0;
}

int vtr_ntfs_target(char **out, struct ntfs *x, struct ntfs_node *n, struct vtr_error *err)
{
	VTR_FREE uint8_t *p = NULL;
	struct vtr_str target = { 0 };
	size_t len;
	char *text;
	int r = vtr_ntfs_attr(n, NTFS_AT_REPARSE, "") ? reparse_data(&p, &len, x, n, err) : 0;

	if (r == 0)
		r = p ? reparse_target(&target, x, p, len, err) : reparse_interix(&target, x, n, err);
	if (r == 0 && target.len == 0 && !target.oom)
		r = vtr_fail(err, VTR_ECORRUPT, "an empty target");
	if (r < 0) {
		vtr_str_done(&target);
		return -1;
	}
	text = vtr_str_take(&target, err);
	if (!text)
		return -1;
	*out = text;
	return 0;
}

ssize_t vtr_ntfs_readlink(struct vtr_fs *fs, uint64_t node, char *buf, size_t size, struct vtr_error *err)
{
	struct ntfs *x = to_ntfs(fs);
	NTFS_PUT struct ntfs_node *n = NULL;
	VTR_FREE char *target = NULL;
	size_t len;

	if (vtr_ntfs_node(&n, x, ntfs_ino(node), err) < 0)
		return -1;
	if (vtr_ntfs_target(&target, x, n, err) < 0)
		return vtr_at(err, "record %" PRIu64, n->ino);
	len = VTR_MIN(strlen(target), size);
	memcpy(buf, target, len);
	return (ssize_t)len;
}
