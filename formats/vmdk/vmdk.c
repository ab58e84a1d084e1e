/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VMDK, VMware's disks: a descriptor (descriptor.c), which is a file of its own or lies in a sparse extent, and the
 * extents that it names (sparse.c, map.c). A sparse extent without a descriptor is read as the part of a disk that it
 * is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fold.h"
#include "formats/vmdk/vmdk.h"

#define VMDK_NO_PARENT 0xffffffffu
#define VMDK_LISTED 16u /* extents whose names are among the facts */

/* ----------------------------------------------------------------------------------------------------------- names */

/* A value of the descriptor as text for people. */
static const char *vmdk_text(struct vmdk *v, const char *value, struct vtr_error *err)
{
	VTR_FREE char *utf8 = vtr_vmdk_utf8(&v->d, value);

	return vtr_image_text(&v->im, utf8 ? utf8 : value, strlen(utf8 ? utf8 : value), err);
}

static int vmdk_add_name(const char **names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return n;
	names[n++] = name;
	return n;
}

#define VMDK_NAMES 8 /* at most */

/*
 * The names that a file may have here, best first: as it is written, as the host writes it, and beside the image,
 * where its folder or its drive is none of this host's.
 */
static int vmdk_names(const char **names, struct vmdk *v, const char *raw, struct vtr_error *err)
{
	VTR_FREE char *utf8 = vtr_vmdk_utf8(&v->d, raw);
	const char *as[2] = { NULL, raw };
	bool windows = strchr(raw, '\\') || (vtr_ascii_is_letter(raw[0]) && raw[1] == ':');
	int n = 0;

	if (utf8 && !(as[0] = vtr_image_bytes(&v->im, utf8, strlen(utf8), err)))
		return -1;
	for (int i = 0; i < 2; i++)
		if (as[i] && !windows)
			n = vmdk_add_name(names, n, as[i]);
	for (int i = 0; i < 2; i++) {
		const char *made[2];
		int k = as[i] ? vtr_image_windows_names(made, &v->im, as[i], err) : 0;

		if (k < 0)
			return -1;
		for (int j = 0; j < k; j++)
			n = vmdk_add_name(names, n, made[j]);
	}
	for (int i = 0; i < 2; i++)
		if (as[i])
			n = vmdk_add_name(names, n, as[i]);
	return n;
}

/* Open an extent's file by the first of its names that there is. */
static int vmdk_open_file(struct vtr_blk **out, struct vmdk *v, struct vtr_open *o, const char *name,
			  struct vtr_error *err)
{
	struct vtr_error first = { 0 }, e;
	const char *names[VMDK_NAMES];
	int n = vmdk_names(names, v, name, err);

	if (n < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		e = (struct vtr_error){ 0 };
		if (vtr_image_open_file(out, &v->im, o, names[i], "extent", &e) == 0)
			return 0;
		vtr_image_better_error(&first, &e, names[i]);
		if (!vtr_error_is(&e, VTR_KINDS_UNOPENED)) {
			first = e;
			break;
		}
	}
	if (err)
		*err = first;
	return -1;
}

/* --------------------------------------------------------------------------------------------------------- extents */

/*
 * A sparse extent covers len bytes by its descriptor. VirtualBox rounds what the header has up to a grain; where they
 * differ by more, the header says what there is.
 */
static void vmdk_check_capacity(struct vmdk *v, struct vmdk_extent *e, bool only)
{
	if (e->s.capacity / e->s.grain == vtr_div_up(e->len, e->s.grain) && e->s.capacity % e->s.grain == 0)
		return;
	if (e->s.capacity == e->len)
		return;
	vtr_vmdk_warn(v, e->name, e->s.capacity < e->len && !only ? VTR_ECORRUPT : VTR_OK,
		      "the descriptor has %" PRIu64 " sectors for it, its header %" PRIu64, e->len / VMDK_SECTOR,
		      e->s.capacity / VMDK_SECTOR);
	if (only)
		e->len = e->s.capacity;
}

static int vmdk_open_sparse(struct vmdk *v, struct vmdk_extent *e, struct vtr_error *err)
{
	if (vtr_vmdk_sparse_open(&e->s, v, e->file, e->name, err) < 0)
		return -1;
	e->kind = e->s.kind;
	if (e->s.kind == VMDK_IS_SESPARSE && e->s.dirty && !v->im.blk.ctx->no_replay)
		return vtr_fail(err, VTR_EUNSUPPORTED, "its journal must be replayed, which is not done");
	return 0;
}

/* The extent that a line describes, at start of the disk. own: it is the file that the descriptor lies in. */
static int vmdk_open_line(struct vmdk_extent *e, struct vmdk *v, struct vtr_open *o, const struct vmdk_line *line,
			  bool own, struct vtr_error *err)
{
	struct vtr_error bad = { 0 };

	e->len = line->sectors * VMDK_SECTOR;
	e->name = line->name;
	if (line->type == VMDK_ZERO) {
		e->kind = VMDK_IS_ZERO;
		return 0;
	}
	if (line->access == VMDK_NOACCESS) {
		e->kind = VMDK_IS_ZERO;
		vtr_vmdk_warn(v, e->name, VTR_OK, "it is not to be accessed (NOACCESS): it reads as zeros");
		return 0;
	}
	if (own) {
		e->file = v->im.file;
		return vmdk_open_sparse(v, e, err);
	}
	if (o->opt->alone) {
		e->kind = VMDK_IS_CLOSED;
		return 0;
	}
	if (line->type == VMDK_VMFSRDM || line->type == VMDK_VMFSRAW)
		return vtr_fail(err, VTR_EUNSUPPORTED, "the type %s, a device of the host that wrote it, is not read",
				vtr_vmdk_types[line->type]);
	/* The same file may hold several extents. */
	for (const struct vmdk_extent *k = v->extents; k < e && !e->file; k++)
		if (k->file && k->kind == VMDK_IS_FLAT && strcmp(k->name, e->name) == 0)
			e->file = k->file;
	if (!e->file && vmdk_open_file(&e->file, v, o, line->name, &bad) < 0) {
		if (err)
			*err = bad;
		return -1;
	}
	if (line->type != VMDK_FLAT && line->type != VMDK_VMFS)
		return vmdk_open_sparse(v, e, err);
	e->kind = VMDK_IS_FLAT;
	e->off = line->offset * VMDK_SECTOR;
	if (!vtr_range_in(e->off, e->len, e->file->size))
		vtr_vmdk_warn(v, e->name, VTR_ETRUNCATED,
			      "it has %" PRIu64 " bytes, %" PRIu64 " at %#" PRIx64
			      " are expected: the rest cannot be read",
			      e->file->size, e->len, e->off);
	return 0;
}

/* Which line describes the file that the descriptor lies in: the one that has its name, else the first that may. */
static size_t vmdk_own_line(const struct vmdk *v)
{
	const char *slash = v->im.shown ? strrchr(v->im.shown, '/') : NULL, *base = slash ? slash + 1 : v->im.shown;
	size_t own = SIZE_MAX;

	for (size_t i = 0; i < v->d.n_lines; i++) {
		const struct vmdk_line *l = &v->d.lines[i];

		if (l->type != VMDK_SPARSE && l->type != VMDK_VMFSSPARSE && l->type != VMDK_SESPARSE)
			continue;
		if (base && l->name && strcmp(l->name, base) == 0)
			return i;
		if (own == SIZE_MAX)
			own = i;
	}
	return own;
}

/* The extents of the descriptor. embedded: it lies in a sparse extent that is one of them. */
static int vmdk_open_lines(struct vmdk *v, struct vtr_open *o, bool embedded, struct vtr_error *err)
{
	size_t own = embedded ? vmdk_own_line(v) : SIZE_MAX, lines = 0;
	uint64_t at = 0;

	for (size_t i = 0; i < v->d.n_lines; i++)
		lines += v->d.lines[i].sectors > 0 || i == own;
	v->extents = vtr_calloc(VTR_MAX(lines, (size_t)1), sizeof(*v->extents), err);
	if (!v->extents)
		return -1;
	for (size_t i = 0; i < v->d.n_lines; i++) {
		struct vmdk_extent *e = &v->extents[v->n_extents];

		if (v->d.lines[i].sectors == 0 && i != own)
			continue;
		v->n_extents++;
		e->start = at;
		if (vmdk_open_line(e, v, o, &v->d.lines[i], i == own, err) < 0)
			return v->d.lines[i].name && i != own
				       ? vtr_at(err, "extent %zu, \"%s\"", v->n_extents, v->d.lines[i].name)
				       : -1;
		if (e->s.grain)
			vmdk_check_capacity(v, e, lines == 1);
		if (vtr_add_over(at, e->len, &at) || at > INT64_MAX)
			return vtr_fail(err, VTR_ECORRUPT, "descriptor: the extents have more than 2^63 bytes");
	}
	v->im.blk.size = at;
	return 0;
}

/* The file itself, an extent that no descriptor describes. */
static int vmdk_open_lone(struct vmdk *v, bool embedded, struct vtr_error *err)
{
	struct vmdk_extent *e = v->extents = vtr_calloc(1, sizeof(*e), err);

	if (!e)
		return -1;
	v->n_extents = 1;
	v->lone = !embedded;
	e->file = v->im.file;
	if (vmdk_open_sparse(v, e, err) < 0)
		return -1;
	e->len = v->im.blk.size = e->s.capacity;
	if (embedded)
		vtr_vmdk_warn(
			v, NULL, VTR_ECORRUPT,
			"the descriptor in it does not name the extent that it lies in: that is read as the disk");
	else
		vtr_vmdk_warn(v, NULL, VTR_OK,
			      "an extent without its descriptor: it is read as a disk, and what it does not hold as "
			      "zeros, which may be a part of a disk, and a parent's");
	return 0;
}

/* ----------------------------------------------------------------------------------------------------------- facts */

static int vmdk_prop(struct vmdk *v, const char *key, const char *title, const char *value, struct vtr_error *err)
{
	return value && value[0] ? vtr_image_prop_text(&v->im, key, title, vmdk_text(v, value, err), err) : 0;
}

static int vmdk_prop_geometry(struct vmdk *v, const char *key, const char *title, const char *c, const char *h,
			      const char *s, struct vtr_error *err)
{
	if (!c || !h || !s)
		return 0;
	return vtr_image_prop_text(&v->im, key, title, vtr_image_textf(&v->im, err, "%.40s/%.40s/%.40s", c, h, s), err);
}

/* "1", "true", "yes"; in what case ever. */
static bool vmdk_true(const char *value)
{
	return value[0] == '1' || vtr_ascii_lower(value[0]) == 't' || vtr_ascii_lower(value[0]) == 'y';
}

/* What the extents are: each type once, and the first names. */
static int vmdk_extent_facts(struct vmdk *v, struct vtr_error *err)
{
	struct vtr_str types = { 0 }, names = { 0 };
	unsigned seen = 0;
	const char *t, *n;
	int r = -1;

	for (size_t i = 0; i < v->d.n_lines; i++) {
		const struct vmdk_line *l = &v->d.lines[i];

		if (!(seen & 1u << l->type))
			vtr_str_putf(&types, "%s%s", types.len ? ", " : "", vtr_vmdk_types[l->type]);
		seen |= 1u << l->type;
		if (i < VMDK_LISTED && l->name) {
			VTR_FREE char *utf8 = vtr_vmdk_utf8(&v->d, l->name);

			vtr_str_puts(&names, names.len ? ", " : "");
			vtr_str_puts(&names, utf8 ? utf8 : l->name);
		} else if (i == VMDK_LISTED) {
			vtr_str_puts(&names, ", …");
		}
	}
	vtr_str_puts(&types, "");
	vtr_str_puts(&names, "");
	if (types.oom || names.oom) {
		vtr_error_set(err, VTR_ENOMEM, "out of memory for the names of extents");
	} else {
		t = vtr_image_text(&v->im, types.p, types.len, err);
		n = t ? vtr_image_text(&v->im, names.p, names.len, err) : NULL;
		if (n && vtr_image_prop_number(&v->im, "extents", "extents", v->d.n_lines, err) == 0 &&
		    vtr_image_prop_text(&v->im, "extent_types", "extent types", t, err) == 0 &&
		    (names.len == 0 || vtr_image_prop_text(&v->im, "extent_names", "extent names", n, err) == 0))
			r = 0;
	}
	vtr_str_done(&types);
	vtr_str_done(&names);
	return r;
}

/* Facts of the sparse extents, of which the first speaks for all. */
static int vmdk_sparse_facts(struct vmdk *v, struct vtr_error *err)
{
	const struct vmdk_sparse *s = NULL;
	struct vtr_image *im = &v->im;
	bool rebuilt = false;

	for (size_t i = 0; i < v->n_extents; i++) {
		const struct vmdk_extent *e = &v->extents[i];

		if (e->s.grain == 0)
			continue;
		s = s ? s : &e->s;
		im->info.dirty |= e->s.dirty;
		rebuilt |= e->s.rebuilt;
		im->info.cluster_size = VTR_MAX(im->info.cluster_size, e->s.grain);
		if (e->s.packed) {
			im->unit_max = (size_t)VTR_MAX((uint64_t)im->unit_max, e->s.grain);
			im->info.compression = "zlib";
		}
	}
	if (!s)
		return 0;
	if (vtr_image_prop_number(im, "version", "version", s->version, err) < 0 ||
	    vtr_image_prop_number(im, "grain_table_entries", "entries per table", s->gt_entries, err) < 0)
		return -1;
	if (s->kind == VMDK_IS_HOSTED &&
	    (vtr_image_prop_bool(im, "redundant_tables", "redundant tables", s->gd2 != 0, err) < 0 ||
	     vtr_image_prop_bool(im, "zeroed_grains", "zeroed grains", s->zeroed, err) < 0 ||
	     vtr_image_prop_bool(im, "markers", "markers", s->markers, err) < 0))
		return -1;
	if (s->parent[0] && v->lone && vmdk_prop(v, "named_parent", "named parent", s->parent, err) < 0)
		return -1;
	return rebuilt ? vtr_image_prop_bool(im, "rebuilt", "rebuilt", true, err) : 0;
}

/* CIDs are written with as many digits as they need, by some; they are compared, and shown, with eight. */
static int vmdk_cid(const char **out, struct vmdk *v, const char *key, const char *value, bool parent,
		    struct vtr_error *err)
{
	uint32_t cid;

	if (!value)
		return 0;
	if (!vtr_vmdk_hex(&cid, value)) {
		vtr_vmdk_warn(v, NULL, VTR_ECORRUPT, "descriptor: %s \"%.80s\" is no number of 8 hexadecimal digits",
			      key, value);
		return 0;
	}
	if (parent && cid == VMDK_NO_PARENT)
		return 0;
	*out = vtr_image_textf(&v->im, err, "%08" PRIx32, cid);
	return *out ? 0 : -1;
}

static int vmdk_make_info(struct vmdk *v, bool embedded, struct vtr_error *err)
{
	static const char *const lone[] = { [VMDK_IS_HOSTED] = "sparse extent",
					    [VMDK_IS_COWD] = "COWD extent",
					    [VMDK_IS_SESPARSE] = "seSparse extent" };
	const struct vmdk_descriptor *d = &v->d;
	struct vtr_image *im = &v->im;

	im->info.logical_sector = VMDK_SECTOR;
	if (v->lone)
		im->info.subformat = lone[v->extents[0].kind];
	else if (d->create_type && !(im->info.subformat = vmdk_text(v, d->create_type, err)))
		return -1;
	if (d->uuid_image || d->uuid)
		if (!(im->info.id = vmdk_text(v, d->uuid_image ? d->uuid_image : d->uuid, err)))
			return -1;
	if (d->parent_hint && d->parent_hint[0] &&
	    !(im->info.backing = vtr_image_bytes(im, d->parent_hint, strlen(d->parent_hint), err)))
		return -1;
	if (vmdk_cid(&im->info.content_id, v, "CID", d->cid, false, err) < 0 ||
	    vmdk_cid(&im->info.parent_id, v, "parentCID", d->parent_cid, true, err) < 0 ||
	    vmdk_sparse_facts(v, err) < 0 ||
	    vtr_image_prop_text(im, "descriptor", "descriptor",
				v->lone	   ? "none"
				: embedded ? "embedded"
					   : "file",
				err) < 0 ||
	    (!v->lone && vmdk_extent_facts(v, err) < 0))
		return -1;
	if (vmdk_prop(v, "descriptor_version", "descr. version", d->version, err) < 0 ||
	    vmdk_prop(v, "encoding", "encoding", d->encoding, err) < 0 ||
	    vmdk_prop(v, "adapter_type", "adapter", d->adapter, err) < 0 ||
	    vmdk_prop(v, "hw_version", "hardware version", d->hw_version, err) < 0 ||
	    vmdk_prop(v, "tools_version", "tools version", d->tools_version, err) < 0 ||
	    vmdk_prop(v, "tools_install_type", "tools type", d->tools_install, err) < 0 ||
	    vmdk_prop_geometry(v, "geometry", "geometry (CHS)", d->cylinders, d->heads, d->sectors, err) < 0 ||
	    vmdk_prop_geometry(v, "bios_geometry", "BIOS geometry", d->bios_cylinders, d->bios_heads, d->bios_sectors,
			       err) < 0 ||
	    vmdk_prop(v, "long_content_id", "long content id", d->long_content_id, err) < 0 ||
	    vmdk_prop(v, "modification_uuid", "modification id", d->uuid_modification, err) < 0 ||
	    vmdk_prop(v, "parent_uuid", "parent's id", d->uuid_parent, err) < 0 ||
	    vmdk_prop(v, "change_track_path", "change tracking", d->change_track, err) < 0 ||
	    vmdk_prop(v, "native_parent_cid", "native parent CID", d->native_parent_cid, err) < 0 ||
	    vmdk_prop(v, "native_parent_hint", "native parent", d->native_parent_hint, err) < 0 ||
	    vmdk_prop(v, "object_parent_uri", "object parent", d->object_parent_uri, err) < 0 ||
	    vmdk_prop(v, "io_filters", "I/O filters", d->io_filters, err) < 0 ||
	    vmdk_prop(v, "comment", "comment", d->comment, err) < 0)
		return -1;
	if ((d->thin && vtr_image_prop_bool(im, "thin_provisioned", "thin provisioned", vmdk_true(d->thin), err) < 0) ||
	    (d->deletable && vtr_image_prop_bool(im, "deletable", "deletable", vmdk_true(d->deletable), err) < 0) ||
	    (d->native_snapshot &&
	     vtr_image_prop_bool(im, "native_snapshot", "native snapshot", vmdk_true(d->native_snapshot), err) < 0))
		return -1;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------ open */

static void vmdk_close(struct vtr_image *im)
{
	struct vmdk *v = (struct vmdk *)im;

	for (size_t i = 0; i < v->n_extents; i++)
		vtr_vmdk_sparse_done(&v->extents[i].s, im->blk.ctx);
	free(v->extents);
	vtr_cache_free(v->tables);
	vtr_vmdk_descriptor_done(&v->d);
}

static const struct vtr_image_ops vmdk_ops = {
	.blk = VTR_IMAGE_BLK_OPS("vmdk"),
	.map = vtr_vmdk_map,
	.unpack = vtr_vmdk_unpack,
	.close = vmdk_close,
	.short_tail = true,
};

/* What encrypts the disk; NULL: nothing. */
static const char *vmdk_encryption(const struct vmdk_descriptor *d)
{
	if (d->encryption_key_safe)
		return "encryption.keySafe";
	if (d->encryption_data)
		return "encryption.data";
	if (d->encryption_keys)
		return "encryptionKeys";
	if (d->io_filters && strstr(d->io_filters, "vmcrypt"))
		return "the I/O filter vmwarevmcrypt";
	return NULL;
}

/* The descriptor: the file itself, or what lies in its sparse extent. *embedded; there may be none in the end. */
static int vmdk_read_descriptor(struct vmdk *v, bool *embedded, bool *own, struct vtr_error *err)
{
	uint64_t off = 0, len = v->im.file->size;
	VTR_FREE uint8_t *bytes = NULL;
	uint8_t head[8] = { 0 };
	size_t n = (size_t)VTR_MIN((uint64_t)sizeof(head), v->im.file->size);
	int kind;

	if (vtr_blk_pread(v->im.file, 0, head, n, err) < 0)
		return -1;
	kind = vtr_vmdk_sparse_kind(head, n);
	*embedded = kind == VMDK_IS_HOSTED;
	*own = kind != VMDK_IS_FLAT;
	if (kind == VMDK_IS_COWD || kind == VMDK_IS_SESPARSE)
		return 0;
	if (kind == VMDK_IS_HOSTED) {
		uint8_t h[VMDK_SECTOR] = { 0 };

		n = (size_t)VTR_MIN((uint64_t)sizeof(h), v->im.file->size);
		if (vtr_blk_pread(v->im.file, 0, h, n, err) < 0)
			return -1;
		/* A header that has all of this is checked with the extent's. */
		off = vtr_get_le64(h + 28);
		len = vtr_get_le64(h + 36);
		*own = vtr_get_le64(h + 12) != 0 || vtr_get_le64(h + 56) == UINT64_MAX;
		if (n < VMDK_SECTOR || off == 0 || len == 0 || off >= v->im.file->size / VMDK_SECTOR ||
		    len > VMDK_MAX_DESCRIPTOR / VMDK_SECTOR)
			return 0;
		off *= VMDK_SECTOR;
		len = VTR_MIN(len * VMDK_SECTOR, v->im.file->size - off);
	} else if (len > VMDK_MAX_DESCRIPTOR) {
		return vtr_fail(err, VTR_ECORRUPT, "a descriptor of %" PRIu64 " bytes, at most %u", len,
				VMDK_MAX_DESCRIPTOR);
	}
	if (vtr_blk_read_new(&bytes, v->im.file, off, len, "descriptor", err) < 0)
		return -1;
	if (!vtr_vmdk_is_descriptor(bytes, (size_t)len)) {
		/* Room for a descriptor that another file has. */
		if (*embedded && bytes[0] == 0)
			return 0;
		return vtr_fail(err, n < 4 ? VTR_ETRUNCATED : VTR_ECORRUPT,
				"descriptor at %#" PRIx64 ": it does not start with \"# Disk DescriptorFile\"", off);
	}
	return vtr_vmdk_parse(&v->d, bytes, (size_t)len, err);
}

static int vmdk_open_parent(struct vmdk *v, struct vtr_open *o, struct vtr_error *err)
{
	const char *names[VMDK_NAMES];
	int n = 0;

	if (!v->im.info.backing && !v->im.info.parent_id)
		return 0;
	if (v->im.info.backing && !v->im.info.parent_id)
		vtr_vmdk_warn(v, NULL, VTR_OK, "it names a parent, and has no parentCID to know it by");
	/* VirtualBox finds it by its list of all disks. */
	if (!v->im.info.backing && v->d.uuid_parent && !o->opt->alone)
		return vtr_fail(err, VTR_ENOTFOUND, "it names its parent by the id %.80s alone, and no file",
				v->d.uuid_parent);
	if (v->im.info.backing && (n = vmdk_names(names, v, v->im.info.backing, err)) < 0)
		return -1;
	return vtr_image_open_parent(&v->im, o, names, (size_t)n, "vmdk", err);
}

static int vmdk_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = NULL;
	bool embedded = false, own = false;
	const char *encryption;
	struct vmdk *v;

	if (o->opt->snapshot)
		return vtr_fail(err, VTR_ENOTFOUND, "no snapshot \"%s\": each is a disk of its own, in its own file",
				o->opt->snapshot);
	im = vtr_image_new(&vmdk_ops, sizeof(struct vmdk), o, err);
	v = (struct vmdk *)im;
	if (!im || vmdk_read_descriptor(v, &embedded, &own, err) < 0)
		return -1;
	v->tables = vtr_cache_new(VTR_PAGE, (size_t)(o->ctx->lim.cache / (o->depth + 1) / 4 / VTR_PAGE),
				  vtr_vmdk_page_fill, v, err);
	if (!v->tables)
		return -1;
	encryption = vmdk_encryption(&v->d);
	if (encryption && !o->opt->alone)
		return vtr_fail(err, VTR_EUNSUPPORTED, "encrypted, by %s: not read", encryption);
	if (encryption) {
		im->info.encrypted = true;
		if (vtr_image_prop_text(im, "encryption", "encryption", encryption, err) < 0)
			return -1;
	}
	if (own && vmdk_own_line(v) == SIZE_MAX) {
		if (vmdk_open_lone(v, v->d.text != NULL, err) < 0)
			return -1;
	} else if (v->d.n_lines == 0 && !encryption) {
		return vtr_fail(err, VTR_ECORRUPT, "descriptor: it names no extents");
	} else if (vmdk_open_lines(v, o, own, err) < 0) {
		return -1;
	}
	if (vmdk_make_info(v, embedded, err) < 0 || vmdk_open_parent(v, o, err) < 0)
		return -1;
	return vtr_image_finish(out, &im, o, err);
}

/* Magic and version; of a descriptor its first line. */
static int vmdk_probe(const struct vtr_probe *p)
{
	switch (vtr_vmdk_sparse_kind(p->head, p->head_len)) {
	case VMDK_IS_HOSTED:
	case VMDK_IS_COWD:
		/* The version is a small number. */
		return p->head_len >= 8 && vtr_get_le32(p->head + 4) < 256 ? 56 : 32;
	case VMDK_IS_SESPARSE:
		return 64;
	default:
		return vtr_vmdk_is_descriptor(p->head, p->head_len) ? 64 : 0;
	}
}

extern const struct vtr_format vtr_format_vmdk;
const struct vtr_format vtr_format_vmdk = {
	.name = "vmdk",
	.title = "VMware disk",
	.probe = vmdk_probe,
	.open = vmdk_open,
};
