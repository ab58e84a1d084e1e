/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VDI, VirtualBox' disks, versions 1.1 and those before 1, little endian. There is no specification: the layout is what VirtualBox
 * writes (its header VDICore.h names the fields), and what QEMU's driver documents of it.
 *
 * One table has a 32-bit entry for each block of the disk: the number of the block in the file, or a mark for a block
 * that was never written (the parent's, in a differencing image) or that is zero.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/fold.h"
#include "formats/table.h"

#define VDI_MAGIC_AT 0x40u
#define VDI_MAGIC 0xbeda107fu
#define VDI_V0_HEADER 420u /* the file header of versions before 1: the block table follows at once */
#define VDI_V1_HEADER 384u /* from 0x48 on: the least that cbHeader may say */
#define VDI_MIN_BLOCK 512u
#define VDI_MAX_BLOCK (256u << 20)
#define VDI_FREE 0xffffffffu
#define VDI_ZERO 0xfffffffeu
#define VDI_COMMENT 256u

enum { VDI_DYNAMIC = 1, VDI_FIXED = 2, VDI_UNDO = 3, VDI_DIFF = 4 };

static const char *const vdi_types[] = { NULL, "dynamic", "fixed", "undo", "differencing" };

struct vdi_header {
	uint8_t text[64], comment[VDI_COMMENT];
	uint16_t major, minor;
	uint32_t type, flags;
	uint64_t table_off, data_off;
	uint32_t geometry[4], logical[4]; /* cylinders, heads, sectors of a track, bytes of a sector */
	uint64_t size;
	uint32_t block, extra; /* bytes; extra lies in front of each block */
	uint32_t blocks, allocated;
	uint8_t id[16], modified[16], parent[16], parent_modified[16];
};

struct vdi {
	struct vtr_image im;
	struct vdi_header h;
	struct vtr_table table;
};

/* ---------------------------------------------------------------------------------------------------------- header */

/*
 * Version 1.1, offsets in the file.
 *   0x00  64  text			0x170  8  bytes of the disk
 *   0x40   4  signature		0x178  4  bytes of a block
 *   0x44   4  version			0x17c  4  extra bytes in front of each block
 *   0x48   4  header's size from here	0x180  4  blocks
 *   0x4c   4  type			0x184  4  allocated blocks
 *   0x50   4  flags			0x188 16  UUID
 *   0x54 256  comment			0x198 16  UUID of the last modification
 *  0x154   4  offset of the table	0x1a8 16  the parent's UUID
 *  0x158   4  offset of the blocks	0x1b8 16  the parent's UUID of the last modification
 *  0x15c  16  geometry			0x1c8 16  logical geometry, when the header's size has it
 *  0x16c   4  unused
 *
 * The versions before 1 (VirtualBox reads 0.2) have no header's size, no offsets, no extra bytes and no last UUID: what is left follows each other, then
 * comes the table, then the blocks.
 */
static void vdi_parse_fields(struct vdi_header *h, struct vtr_cur *c)
{
	uint32_t header_len = 0;

	if (h->major == 1)
		header_len = vtr_cur_le32(c);
	h->type = vtr_cur_le32(c);
	h->flags = vtr_cur_le32(c);
	vtr_cur_bytes(c, h->comment, sizeof(h->comment));
	if (h->major == 1) {
		h->table_off = vtr_cur_le32(c);
		h->data_off = vtr_cur_le32(c);
	}
	for (unsigned i = 0; i < 4; i++)
		h->geometry[i] = vtr_cur_le32(c);
	if (h->major == 1)
		vtr_cur_skip(c, 4);
	h->size = vtr_cur_le64(c);
	h->block = vtr_cur_le32(c);
	if (h->major == 1)
		h->extra = vtr_cur_le32(c);
	h->blocks = vtr_cur_le32(c);
	h->allocated = vtr_cur_le32(c);
	vtr_cur_bytes(c, h->id, 16);
	vtr_cur_bytes(c, h->modified, 16);
	vtr_cur_bytes(c, h->parent, 16);
	if (h->major == 0) {
		h->table_off = VDI_V0_HEADER;
		h->data_off = VDI_V0_HEADER + 4ull * h->blocks;
		return;
	}
	vtr_cur_bytes(c, h->parent_modified, 16);
	if (header_len >= VDI_V1_HEADER + 16 && vtr_cur_left(c) >= 16)
		for (unsigned i = 0; i < 4; i++)
			h->logical[i] = vtr_cur_le32(c);
}

static int vdi_parse_header(struct vdi_header *out, struct vtr_cur *c, struct vtr_error *err)
{
	struct vdi_header h = { .major = 0 };
	uint32_t magic, version, header_len = VDI_V1_HEADER;

	vtr_cur_bytes(c, h.text, sizeof(h.text));
	magic = vtr_cur_le32(c);
	version = vtr_cur_le32(c);
	if (c->bad || magic != VDI_MAGIC)
		return vtr_fail(err, c->bad ? VTR_ETRUNCATED : VTR_ECORRUPT, "no header: no signature at %#x",
				VDI_MAGIC_AT);
	h.major = (uint16_t)(version >> 16);
	h.minor = (uint16_t)version;
	if (h.major > 1 || h.minor == 0 || h.minor > (h.major == 0 ? 2 : 1))
		return vtr_fail(err, VTR_EUNSUPPORTED, "header: version %u.%u, read are 1.1, 0.2 and 0.1", h.major,
				h.minor);
	if (h.major == 1 && vtr_cur_left(c) >= 4)
		header_len = vtr_get_le32(c->p);
	vdi_parse_fields(&h, c);
	if (c->bad)
		return vtr_fail(err, VTR_ETRUNCATED, "header: the file has %zu bytes", vtr_cur_len(c));
	if (header_len < VDI_V1_HEADER)
		return vtr_fail(err, VTR_ECORRUPT, "header: its size is %" PRIu32 ", expected at least %u", header_len,
				VDI_V1_HEADER);
	if (h.type < VDI_DYNAMIC || h.type > VDI_DIFF)
		return vtr_fail(err, VTR_EUNSUPPORTED, "header: image type %" PRIu32 " is unknown", h.type);
	if (!vtr_pow2_is(h.block) || h.block < VDI_MIN_BLOCK || h.block > VDI_MAX_BLOCK)
		return vtr_fail(err, VTR_ECORRUPT,
				"header: blocks of %" PRIu32 " bytes, expected a power of 2 from %u to %u", h.block,
				VDI_MIN_BLOCK, VDI_MAX_BLOCK);
	if (h.extra > VDI_MAX_BLOCK)
		return vtr_fail(err, VTR_ECORRUPT, "header: %" PRIu32 " extra bytes in front of each block, at most %u",
				h.extra, VDI_MAX_BLOCK);
	if (vtr_div_up(h.size, h.block) > h.blocks)
		return vtr_fail(err, VTR_ECORRUPT,
				"header: %" PRIu32 " blocks of %" PRIu32 " bytes, a disk of %" PRIu64
				" bytes needs more",
				h.blocks, h.block, h.size);
	if (h.major == 1 && h.table_off < VDI_MAGIC_AT + 8 + (uint64_t)header_len)
		return vtr_fail(err, VTR_ECORRUPT, "header: the block table at %#" PRIx64 " lies in the header",
				h.table_off);
	if (h.data_off < h.table_off + 4ull * h.blocks)
		return vtr_fail(err, VTR_ECORRUPT,
				"header: blocks from %#" PRIx64 " on run into the block table, %" PRIu32
				" entries at %#" PRIx64,
				h.data_off, h.blocks, h.table_off);
	*out = h;
	return 0;
}

/* --------------------------------------------------------------------------------------------------------- mapping */

static int vdi_entry(struct vtr_run *r, struct vtr_image *im, const struct vtr_table *t, const uint8_t *raw, uint64_t i,
		     uint64_t in, struct vtr_error *err)
{
	const struct vdi_header *h = &((struct vdi *)im)->h;
	uint32_t e = vtr_get_le32(raw);
	uint64_t start;

	(void)t;
	if (e == VDI_FREE) {
		r->kind = VTR_RUN_ABSENT;
		return 0;
	}
	if (e == VDI_ZERO) {
		r->kind = VTR_RUN_ZERO;
		return 0;
	}
	/* 2^32 blocks of 2^28 + 2^28 bytes: no overflow. */
	start = h->data_off + e * ((uint64_t)h->block + h->extra) + h->extra;
	if (start >= im->file->size)
		return vtr_fail(err, VTR_ECORRUPT,
				"block table: entry %" PRIu64 " is block %" PRIu32
				", which lies past the end of the file (%#" PRIx64 " > %#" PRIx64 ")",
				i, e, start, im->file->size);
	r->kind = VTR_RUN_PLAIN;
	r->host = start + in;
	return 0;
}

static int vdi_map(struct vtr_run *out, struct vtr_image *im, uint64_t off, uint64_t max, struct vtr_error *err)
{
	return vtr_table_map(out, im, &((struct vdi *)im)->table, off, max, err);
}

static const struct vtr_image_ops vdi_ops = {
	.blk = VTR_IMAGE_BLK_OPS("vdi"),
	.map = vdi_map,
	.short_tail = true,
};

/* ---------------------------------------------------------------------------------------------------------- parent */

static bool vdi_uuid_is(const uint8_t uuid[16])
{
	static const uint8_t none[16];

	return memcmp(uuid, none, 16) != 0;
}

/* As VirtualBox writes them: stored as a GUID, shown in small letters. */
static void vdi_uuid_text(char out[37], const uint8_t uuid[16])
{
	vtr_guid_text(out, uuid);
	vtr_ascii_lower_text(out);
}

/* *out stays NULL for none. */
static int vdi_keep_uuid(const char **out, struct vdi *v, const uint8_t uuid[16], struct vtr_error *err)
{
	char text[37];

	if (!vdi_uuid_is(uuid))
		return 0;
	vdi_uuid_text(text, uuid);
	return (*out = vtr_image_text(&v->im, text, 36, err)) ? 0 : -1;
}

enum { VDI_OTHER, VDI_PARENT, VDI_PARENT_AS_IT_WAS };

struct vdi_search {
	const char *best; /* a copy that was written to since this image was made */
	uint64_t files;
	struct vtr_error failed; /* the first file that could not be read; code VTR_OK: none */
};

/* Whether the file of that name is the parent; one that cannot be read is remembered. */
static int vdi_look_at(int *out, struct vdi_search *s, const struct vdi *v, struct vtr_open *o, const char *name,
		       struct vtr_error *err)
{
	VTR_UNREF struct vtr_blk *file = NULL;
	uint8_t head[VDI_MAGIC_AT + 8 + VDI_V1_HEADER] = { 0 };
	struct vdi_header h;
	struct vtr_error e = { 0 };
	struct vtr_cur c;
	size_t n = 0;
	struct vtr_origin origin = vtr_open_origin(o);
	int r = vtr_hostfile_open_named(&file, NULL, o->ctx, &origin, name, "parent", &e);

	*out = VDI_OTHER;
	if (r == 0) {
		n = (size_t)VTR_MIN(file->size, (uint64_t)sizeof(head));
		r = vtr_blk_pread(file, 0, head, n, &e);
	}
	if (r < 0 && vtr_error_is(&e, VTR_KIND_STOPPED)) {
		if (err)
			*err = e;
		return -1;
	}
	if (r < 0) {
		if (s->failed.code == VTR_OK && e.code == VTR_EIO)
			s->failed = e;
		return 0;
	}
	c = vtr_cur_of(head, n, 0);
	if (vdi_parse_header(&h, &c, NULL) == 0 && memcmp(h.id, v->h.parent, 16) == 0)
		*out = !vdi_uuid_is(v->h.parent_modified) || memcmp(h.modified, v->h.parent_modified, 16) == 0
			       ? VDI_PARENT_AS_IT_WAS
			       : VDI_PARENT;
	return 0;
}

static bool vdi_name_is(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && vtr_ascii_casecmp(name + n - 4, ".vdi") == 0;
}

/* The files of one directory: those whose names end as VirtualBox ends them first. *found stays NULL when none is it. */
static int vdi_search_dir(const char **found, struct vdi_search *s, struct vdi *v, struct vtr_open *o, const char *sub,
			  struct vtr_error *err)
{
	VTR_HOSTFILE_NAMES_DONE struct vtr_hostfile_names names = { .n = 0 };
	struct vtr_origin origin = vtr_open_origin(o);

	if (vtr_hostfile_list(&names, o->ctx, &origin, sub, "the parent", err) < 0)
		return -1;
	s->files += names.n;
	for (unsigned pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < names.n; i++) {
			const char *name = names.name[i];
			int what;

			if (vdi_name_is(name) != (pass == 0))
				continue;
			if (vdi_look_at(&what, s, v, o, name, err) < 0)
				return -1;
			if (what == VDI_OTHER || (what == VDI_PARENT && s->best))
				continue;
			if (!(name = vtr_image_bytes(&v->im, name, strlen(name), err)))
				return -1;
			if (what == VDI_PARENT_AS_IT_WAS) {
				*found = name;
				return 0;
			}
			s->best = name;
		}
	return 0;
}

/*
 * The parent is named by its UUID alone. VirtualBox keeps children as {UUID}.vdi in the folder Snapshots beside the
 * disk that they began with: so the image's own directory is searched, and the one above where that is allowed.
 */
static int vdi_find_parent(const char **out, struct vdi *v, struct vtr_open *o, const char *uuid, struct vtr_error *err)
{
	struct vdi_search s = { .files = 0 };
	struct vtr_error e = { 0 };
	const char *found = NULL, *guess;
	int what;

	if (!(guess = vtr_image_textf(&v->im, err, "{%s}.vdi", uuid)) || vdi_look_at(&what, &s, v, o, guess, err) < 0)
		return -1;
	if (what == VDI_PARENT_AS_IT_WAS)
		found = guess;
	else if (what == VDI_PARENT)
		s.best = guess;
	if (!found && o->path) {
		/* What VTR_EPOLICY would say of the image's own directory is the answer, unless the other one has it. */
		if (vdi_search_dir(&found, &s, v, o, ".", &e) < 0 && e.code != VTR_EPOLICY) {
			if (err)
				*err = e;
			return -1;
		}
		if (!found && o->ctx->n_dirs > 0) {
			struct vtr_error above = { 0 };

			if (vdi_search_dir(&found, &s, v, o, "..", &above) < 0 && above.code != VTR_EPOLICY) {
				if (err)
					*err = above;
				return -1;
			}
		}
	}
	*out = found ? found : s.best;
	if (*out)
		return 0;
	if (s.failed.code != VTR_OK)
		e = s.failed;
	if (e.code != VTR_OK)
		return vtr_fail(err, e.code, "its parent is the disk with the UUID %s: %s", uuid, e.text);
	if (!o->path)
		return vtr_fail(err, VTR_EPOLICY,
				"its parent is the disk with the UUID %s: an image without a path of its own has no "
				"neighbours to look for it",
				uuid);
	return vtr_fail(err, VTR_ENOTFOUND,
			"its parent is the disk with the UUID %s: none of the %" PRIu64
			" files beside it is that; --allow-dir with the folder above looks there, too",
			uuid, s.files);
}

static int vdi_open_parent(struct vdi *v, struct vtr_open *o, struct vtr_error *err)
{
	struct vtr_image *im = &v->im;
	const char *name;
	char uuid[37];

	if (v->h.type != VDI_UNDO && v->h.type != VDI_DIFF) {
		if (vdi_uuid_is(v->h.parent))
			vtr_image_warn(im, VTR_OK, "it has the UUID of a parent, of which a %s image makes no use",
				       vdi_types[v->h.type]);
		return 0;
	}
	if (!vdi_uuid_is(v->h.parent))
		return vtr_fail(err, VTR_ECORRUPT, "header: the parent's UUID is missing, the image type is %s",
				vdi_types[v->h.type]);
	vdi_uuid_text(uuid, v->h.parent);
	if (!(im->info.backing = vtr_image_textf(im, err, "{%s}", uuid)))
		return -1;
	if (vdi_keep_uuid(&im->info.parent_id, v, v->h.parent_modified, err) < 0)
		return -1;
	if (o->opt->alone)
		return 0;
	if (vdi_find_parent(&name, v, o, uuid, err) < 0)
		return -1;
	return vtr_image_open_parent(im, o, &name, 1, "vdi", err);
}

/* ------------------------------------------------------------------------------------------------------------ open */

static int vdi_geometry_prop(struct vdi *v, const char *key, const char *title, const uint32_t g[4],
			     struct vtr_error *err)
{
	if (g[0] == 0 && g[1] == 0 && g[2] == 0)
		return 0;
	return vtr_image_prop_text(&v->im, key, title,
				   vtr_image_textf(&v->im, err, "%" PRIu32 "/%" PRIu32 "/%" PRIu32, g[0], g[1], g[2]),
				   err);
}

/* "<<< Oracle VM VirtualBox Disk Image >>>\n", and what others have put there. */
static int vdi_creator(struct vdi *v, struct vtr_error *err)
{
	const char *p = (const char *)v->h.text;
	size_t n = strnlen(p, sizeof(v->h.text));

	while (n > 0 && strchr("< \n", *p)) {
		p++;
		n--;
	}
	while (n > 0 && strchr("> \n", p[n - 1]))
		n--;
	if (n == 0)
		return 0;
	return (v->im.info.creator = vtr_image_text(&v->im, p, n, err)) ? 0 : -1;
}

static int vdi_make_info(struct vdi *v, struct vtr_error *err)
{
	struct vtr_image *im = &v->im;
	const struct vdi_header *h = &v->h;
	size_t comment = strnlen((const char *)h->comment, sizeof(h->comment));

	im->info.subformat = vdi_types[h->type];
	im->info.cluster_size = h->block;
	im->info.logical_sector = 512;
	if (vdi_creator(v, err) < 0 || vdi_keep_uuid(&im->info.id, v, h->id, err) < 0 ||
	    vdi_keep_uuid(&im->info.content_id, v, h->modified, err) < 0 ||
	    vtr_image_prop_text(im, "version", "version", vtr_image_textf(im, err, "%u.%u", h->major, h->minor), err) <
		    0 ||
	    vtr_image_prop_number(im, "blocks", "blocks", h->blocks, err) < 0 ||
	    vtr_image_prop_number(im, "blocks_allocated", "blocks in use", h->allocated, err) < 0 ||
	    vtr_image_prop_text(im, "image_flags", "image flags", vtr_image_textf(im, err, "%#" PRIx32, h->flags),
				err) < 0 ||
	    vdi_geometry_prop(v, "geometry", "geometry (CHS)", h->geometry, err) < 0 ||
	    vdi_geometry_prop(v, "logical_geometry", "logical geometry", h->logical, err) < 0)
		return -1;
	if (h->extra && vtr_image_prop_bytes(im, "block_extra", "extra per block", h->extra, err) < 0)
		return -1;
	if (comment &&
	    vtr_image_prop_text(im, "comment", "comment", vtr_image_text(im, h->comment, comment, err), err) < 0)
		return -1;
	return 0;
}

static int vdi_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = NULL;
	uint8_t head[VDI_MAGIC_AT + 8 + VDI_V1_HEADER + 16] = { 0 };
	size_t n = (size_t)VTR_MIN(o->file->size, (uint64_t)sizeof(head));
	struct vtr_cur c = vtr_cur_of(head, n, 0);
	struct vdi *v;

	if (o->opt->snapshot)
		return vtr_fail(err, VTR_ENOTFOUND, "no snapshot \"%s\": each snapshot of a VDI is a file of its own",
				o->opt->snapshot);
	if (!(im = vtr_image_new(&vdi_ops, sizeof(*v), o, err)))
		return -1;
	v = (struct vdi *)im;
	if (vtr_blk_pread(im->file, 0, head, n, err) < 0 || vdi_parse_header(&v->h, &c, err) < 0)
		return -1;
	if (!vtr_range_in(v->h.table_off, 4ull * v->h.blocks, im->file->size))
		return vtr_fail(err, VTR_ETRUNCATED,
				"block table: %" PRIu32 " entries at %#" PRIx64
				" end past the end of the file (%#" PRIx64 ")",
				v->h.blocks, v->h.table_off, im->file->size);
	v->table = (struct vtr_table){
		.off = v->h.table_off,
		.entries = v->h.blocks,
		.piece = v->h.block,
		.width = 4,
		.entry = vdi_entry,
	};
	im->blk.size = v->h.size;
	if (vdi_make_info(v, err) < 0 || vdi_open_parent(v, o, err) < 0)
		return -1;
	return vtr_image_finish(out, &im, o, err);
}

/* Signature and version. */
static int vdi_probe(const struct vtr_probe *p)
{
	struct vtr_cur c = vtr_cur_of(p->head, p->head_len, 0);

	vtr_cur_seek(&c, VDI_MAGIC_AT);
	if (vtr_cur_le32(&c) != VDI_MAGIC)
		return 0;
	return vtr_cur_left(&c) >= 4 && vtr_get_le32(c.p) == 0x10001 ? 64 : 32;
}

extern const struct vtr_format vtr_format_vdi;
const struct vtr_format vtr_format_vdi = {
	.name = "vdi",
	.title = "VirtualBox disk",
	.probe = vdi_probe,
	.open = vdi_open,
};
