/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * OVA: the Open Virtualization Format (DMTF DSP0243) as one file, a tar archive (POSIX ustar and pax, GNU) with a
 * descriptor, which comes first by the standard, and elsewhere in what people pack themselves. What it names as disks are
 * images of their own; one of them is opened, where it lies. A descriptor that is a file of its own is refused with the
 * names of its disks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/fold.h"
#include "formats/image.h"
#include "formats/xml.h"

#define OVA_BLOCK 512u
#define OVA_DISKS 1024u	    /* of a descriptor; each is looked for among the files */
#define OVA_FILES 4096u	    /* of a descriptor */
#define OVA_HEADERS 4096u   /* of the archive: all are read for each of its disks */
#define OVA_PAX (64u << 10) /* bytes of an extended header, or of a long name */

struct ova_member {
	char *name;
	uint64_t off, size;
	char type;
};

struct ova_file {
	char *id, *href;
	bool pieces; /* chunkSize: in files of their own */
};

struct ova {
	struct vtr_image im;
	struct ova_member *member;
	size_t n, cap;
	struct ova_file *file;
	size_t n_files, files_cap;
	char **disk; /* the fileRef of each disk that has one */
	size_t n_disks, disks_cap;
	char *system;
	const struct ova_member *descriptor;
	uint64_t charged, steps;
};

/* ------------------------------------------------------------------------------------------------------------- tar */

/*
 * Header: 0 100 name, 124 12 size, 148 8 checksum, 156 1 type, 257 6 "ustar", 345 155 what goes before the name (POSIX
 * alone: GNU writes "ustar  ").
 */
static bool ova_sum_ok(const uint8_t *h)
{
	uint32_t sum = 8 * ' ', stored = 0;
	size_t i = 148;

	for (size_t k = 0; k < OVA_BLOCK; k++)
		sum += k >= 148 && k < 156 ? 0 : h[k];
	while (i < 156 && h[i] == ' ')
		i++;
	for (; i < 156 && h[i] >= '0' && h[i] <= '7'; i++)
		stored = stored * 8 + (uint32_t)(h[i] - '0');
	return vtr_sum_ok(stored, sum);
}

/* Octal digits, or with the first bit set a big number. */
static bool ova_size(uint64_t *out, const uint8_t *p)
{
	uint64_t v = 0;
	size_t i = 0;

	if (p[0] & 0x80) {
		if (p[0] != 0x80 || p[1] || p[2] || p[3] || (p[4] & 0x80))
			return false;
		*out = vtr_get_be64(p + 4);
		return true;
	}
	while (i < 12 && p[i] == ' ')
		i++;
	for (; i < 12 && p[i] >= '0' && p[i] <= '7'; i++)
		v = v * 8 + (uint64_t)(p[i] - '0');
	*out = v;
	return i == 12 || p[i] == 0 || p[i] == ' ';
}

static bool ova_is_zero(const uint8_t *h)
{
	return h[0] == 0 && memcmp(h, h + 1, OVA_BLOCK - 1) == 0;
}

/* What an extended header, or a GNU one, says of the member that follows. */
struct ova_next {
	char *name;
	uint64_t size;
	bool has_size;
};

/* Records of "LENGTH KEY=VALUE\n". */
static int ova_parse_pax(struct ova_next *next, const char *p, size_t len, struct vtr_error *err)
{
	while (len > 0) {
		size_t n = 0, digits = 0;
		const char *rest, *eq;

		while (digits < len && digits < 7 && p[digits] >= '0' && p[digits] <= '9')
			n = n * 10 + (size_t)(p[digits++] - '0');
		if (digits == 0 || n > len || n < digits + 2 || p[digits] != ' ' || p[n - 1] != '\n')
			return vtr_fail(err, VTR_ECORRUPT, "no record of an extended header");
		rest = p + digits + 1;
		eq = memchr(rest, '=', n - digits - 2);
		if (!eq)
			return vtr_fail(err, VTR_ECORRUPT, "a record of an extended header without a value");
		if (eq - rest == 4 && memcmp(rest, "path", 4) == 0) {
			free(next->name);
			if (!(next->name = vtr_strndup(eq + 1, (size_t)(p + n - 1 - (eq + 1)), err)))
				return -1;
		} else if (eq - rest == 4 && memcmp(rest, "size", 4) == 0) {
			next->size = 0;
			for (eq++; *eq >= '0' && *eq <= '9'; eq++)
				if (vtr_mul_over(next->size, 10u, &next->size) ||
				    vtr_add_over(next->size, (uint64_t)(*eq - '0'), &next->size))
					return vtr_fail(err, VTR_ECORRUPT, "a size of more than 2^64");
			next->has_size = true;
		}
		p += n;
		len -= n;
	}
	return 0;
}

static int ova_read_next(struct ova_next *next, struct ova *v, char type, uint64_t off, uint64_t size,
			 struct vtr_error *err)
{
	VTR_FREE uint8_t *bytes = NULL;

	if (size > OVA_PAX)
		return vtr_fail(err, VTR_ELIMIT, "an extended header of %" PRIu64 " bytes, at most %u", size, OVA_PAX);
	if (vtr_blk_read_new(&bytes, v->im.file, off, size, "extended header", err) < 0)
		return -1;
	if (type == 'x')
		return ova_parse_pax(next, (const char *)bytes, (size_t)size, err);
	free(next->name);
	next->name = vtr_strndup((const char *)bytes, strnlen((const char *)bytes, (size_t)size), err);
	return next->name ? 0 : -1;
}

static char *ova_name(const uint8_t *h, struct vtr_error *err)
{
	struct vtr_str s = { 0 };

	vtr_str_puts(&s, "");
	if (memcmp(h + 257, "ustar\0", 6) == 0 && h[345] != 0) {
		vtr_str_put(&s, (const char *)h + 345, strnlen((const char *)h + 345, 155));
		vtr_str_puts(&s, "/");
	}
	vtr_str_put(&s, (const char *)h, strnlen((const char *)h, 100));
	return vtr_str_take(&s, err);
}

static int ova_add(struct ova *v, struct ova_member *m, struct vtr_error *err)
{
	uint64_t bytes = sizeof(*m) + strlen(m->name) + 1;

	if (vtr_charge(v->im.blk.ctx, bytes, "members", err) < 0)
		return -1;
	v->charged += bytes;
	if (!VTR_GROW(v->member, v->n, v->cap, err))
		return -1;
	v->member[v->n++] = *m;
	m->name = NULL;
	return 0;
}

/* One header at *off; 0: the archive ends. next is for the member behind it. */
static int ova_read_header(struct ova *v, struct ova_next *next, uint64_t *off, struct vtr_error *err)
{
	uint64_t size, body = *off + OVA_BLOCK, padded;
	struct ova_member m = { .off = body };
	uint8_t h[OVA_BLOCK];
	int r;

	if (vtr_blk_pread(v->im.file, *off, h, OVA_BLOCK, err) < 0)
		return -1;
	if (ova_is_zero(h))
		return 0;
	if (!ova_sum_ok(h))
		return vtr_fail(err, VTR_ECORRUPT, "its checksum does not fit");
	if (!ova_size(&size, h + 124))
		return vtr_fail(err, VTR_ECORRUPT, "its size is no number");
	m.type = h[156] == 0 || h[156] == '7' ? '0' : (char)h[156];
	if (next->has_size && m.type != 'x' && m.type != 'L')
		size = next->size;
	if (!vtr_range_in(body, size, v->im.file->size))
		return vtr_fail(err, VTR_ETRUNCATED, "%" PRIu64 " bytes leave the file, which ends at %#" PRIx64, size,
				v->im.file->size);
	padded = (size + OVA_BLOCK - 1) / OVA_BLOCK * OVA_BLOCK;
	*off = body + VTR_MIN(padded, v->im.file->size - body);
	if (m.type == 'x' || m.type == 'L')
		return ova_read_next(next, v, m.type, body, size, err) < 0 ? -1 : 1;
	if (m.type == 'g' || m.type == 'K')
		return 1;
	m.size = size;
	m.name = next->name ? vtr_steal(next->name) : ova_name(h, err);
	next->has_size = false;
	if (!m.name)
		return -1;
	r = ova_add(v, &m, err);
	free(m.name);
	return r < 0 ? -1 : 1;
}

static int ova_read_members(struct ova *v, struct vtr_error *err)
{
	struct ova_next next = { 0 };
	uint64_t off = 0, at = 0;
	unsigned n = 0;
	int r = 1;

	while (r == 1 && v->im.file->size - off >= OVA_BLOCK) {
		at = off;
		if (++n > OVA_HEADERS) {
			r = vtr_fail(err, VTR_ELIMIT, "it has more than %u headers before it", OVA_HEADERS);
			break;
		}
		r = vtr_tick(v->im.blk.ctx, &v->steps, 1, err) < 0 ? -1 : ova_read_header(v, &next, &off, err);
	}
	free(next.name);
	return r < 0 ? vtr_at(err, "member at %#" PRIx64, at) : 0;
}

/* ------------------------------------------------------------------------------------------------------ descriptor */

static const char *ova_plain(const char *name)
{
	return strncmp(name, "./", 2) == 0 ? name + 2 : name;
}

static bool ova_ends(const char *name, const char *with)
{
	size_t n = strlen(name), w = strlen(with);

	return n >= w && vtr_ascii_casecmp(name + n - w, with) == 0;
}

static int ova_hold(struct ova *v, size_t bytes, struct vtr_error *err)
{
	if (vtr_charge(v->im.blk.ctx, bytes, "descriptor", err) < 0)
		return -1;
	v->charged += bytes;
	return 0;
}

/* A copy of an attribute of the element; NULL when it has none. */
static int ova_attr(char **out, struct ova *v, const char *const *attrs, const char *name, struct vtr_error *err)
{
	const char *value = vtr_xml_attr(attrs, name);

	if (!value)
		return 0;
	if (ova_hold(v, strlen(value) + 1, err) < 0 || !(*out = vtr_strndup(value, strlen(value), err)))
		return -1;
	return 0;
}

static int ova_on_start(void *arg, unsigned depth, const char *name, const char *const *attrs, struct vtr_error *err)
{
	struct ova *v = arg;

	(void)depth;
	if (strcmp(name, "File") == 0) {
		struct ova_file *f;

		if (v->n_files == OVA_FILES)
			return vtr_fail(err, VTR_ELIMIT, "its descriptor names more than %u files", OVA_FILES);
		if (ova_hold(v, sizeof(*f), err) < 0 || !VTR_GROW(v->file, v->n_files, v->files_cap, err))
			return -1;
		f = &v->file[v->n_files++];
		*f = (struct ova_file){ .pieces = vtr_xml_attr(attrs, "chunkSize") != NULL };
		return ova_attr(&f->id, v, attrs, "id", err) < 0 ? -1 : ova_attr(&f->href, v, attrs, "href", err);
	}
	if (strcmp(name, "Disk") == 0 && vtr_xml_attr(attrs, "fileRef")) { /* without one, it is an empty disk */
		if (v->n_disks == OVA_DISKS)
			return vtr_fail(err, VTR_ELIMIT, "its descriptor names more than %u disks", OVA_DISKS);
		if (ova_hold(v, sizeof(char *), err) < 0 || !VTR_GROW(v->disk, v->n_disks, v->disks_cap, err) ||
		    ova_attr(&v->disk[v->n_disks], v, attrs, "fileRef", err) < 0)
			return -1;
		v->n_disks++;
	} else if (strcmp(name, "VirtualSystem") == 0 && !v->system) {
		return ova_attr(&v->system, v, attrs, "id", err);
	}
	return 0;
}

static int ova_read_descriptor(struct ova *v, const struct ova_member *m, struct vtr_error *err)
{
	static const struct vtr_xml xml = { .no_xml = "no XML, or cut off", .start = ova_on_start };
	VTR_FREE uint8_t *text = NULL;

	if (VTR_OVER(v->im.blk.ctx, text_file, m->size, "bytes of descriptor", err) < 0 ||
	    vtr_blk_read_new(&text, v->im.file, m->off, m->size, "descriptor", err) < 0)
		return -1;
	if (vtr_xml_parse(&xml, v, v->im.blk.ctx, text, (size_t)m->size, err) < 0)
		return vtr_at(err, "descriptor \"%s\"", m->name);
	return 0;
}

/* ----------------------------------------------------------------------------------------------------------- disks */

static const struct ova_file *ova_file(const struct ova *v, size_t disk)
{
	for (size_t i = 0; i < v->n_files; i++)
		if (v->file[i].id && v->file[i].href && strcmp(v->file[i].id, v->disk[disk]) == 0)
			return &v->file[i];
	return NULL;
}

/* Undo %20 and the like, where they stand (RFC 3986, 2.1). A NUL cannot be meant, nor what is no two digits. */
static void ova_decode(char *s)
{
	char *out = s;

	for (; *s; s++) {
		int high = s[0] == '%' ? vtr_hex_digit(s[1]) : -1, low = high >= 0 ? vtr_hex_digit(s[2]) : -1;

		if (low >= 0 && (high != 0 || low != 0)) {
			*out++ = (char)(high << 4 | low);
			s += 2;
		} else {
			*out++ = *s;
		}
	}
	*out = 0;
}

/* Take "." and ".." out of a path (5.2.4), where it stands. */
static void ova_remove_dots(char *path)
{
	char *out = path, *p = path;

	while (*p) {
		size_t n = strcspn(p, "/");
		bool up = n == 2 && memcmp(p, "..", 2) == 0;

		if (up && out > path) {
			out--; /* its slash */
			while (out > path && out[-1] != '/')
				out--;
		} else if (!up && n > 0 && !(n == 1 && *p == '.')) {
			memmove(out, p, n);
			out += n;
			if (p[n] == '/')
				*out++ = '/';
		}
		p += n + (p[n] == '/');
	}
	*out = 0;
}

/* "http:", "file:": not relative to the descriptor. */
static bool ova_is_absolute(const char *href)
{
	size_t n = strspn(href, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

	return href[0] == '/' || (n > 1 && href[n] == ':');
}

/*
 * The name of the member that a reference leads to, the caller's: a URI relative to the descriptor, so decoded. Some
 * writers put a name there as it is, with blanks and percent signs: plain. *out is NULL where it lies elsewhere.
 */
static int ova_target(char **out, const struct ova *v, const struct ova_file *f, bool plain, struct vtr_error *err)
{
	const char *from = v->descriptor->name, *slash = strrchr(from, '/');
	int dir = slash ? (int)(slash + 1 - from) : 0;
	struct vtr_str s = { 0 };

	*out = NULL;
	if (ova_is_absolute(f->href))
		return 0;
	vtr_str_putf(&s, "%.*s%s", dir, from, f->href);
	*out = vtr_str_take(&s, err);
	if (!*out)
		return -1;
	if (!plain)
		ova_decode(*out + dir);
	ova_remove_dots(*out);
	return 0;
}

static bool ova_is_called(const struct ova *v, const struct ova_file *f, const char *want)
{
	for (int plain = 0; plain < 2; plain++) {
		VTR_FREE char *name = NULL;

		if (ova_target(&name, v, f, plain, NULL) == 0 && name && strcmp(ova_plain(want), name) == 0)
			return true;
	}
	return strcmp(ova_plain(want), ova_plain(f->href)) == 0;
}

/* Which disk the caller wants: by its name in the archive, or its number from 1. */
static int ova_choose(size_t *out, struct ova *v, const char *want, struct vtr_error *err)
{
	bool by_name = want && want[strspn(want, "0123456789")] != 0;
	struct vtr_str known = { 0 };
	int code;

	for (size_t i = 0; i < v->n_disks; i++) {
		const struct ova_file *f = by_name || i < 16 ? ova_file(v, i) : NULL;
		char number[24];

		snprintf(number, sizeof(number), "%zu", i + 1);
		if (!want ? v->n_disks == 1
			  : strcmp(want, number) == 0 || (by_name && f && ova_is_called(v, f, want))) {
			*out = i;
			vtr_str_done(&known);
			return 0;
		}
		if (i < 16)
			vtr_str_putf(&known, "%s%s", i ? ", " : "", f ? f->href : v->disk[i]);
	}
	code = want || v->n_disks == 0 ? VTR_ENOTFOUND : VTR_EAMBIGUOUS;
	if (v->n_disks == 0)
		vtr_error_set(err, code, "its descriptor names no disk with a file");
	else if (want)
		vtr_error_set(err, code, "no disk \"%s\": there is %s%s", want, known.p ? known.p : "",
			      v->n_disks > 16 ? ", ..." : "");
	else
		vtr_error_set(err, code, "it holds %zu disks: name one with --member: %s%s", v->n_disks,
			      known.p ? known.p : "", v->n_disks > 16 ? ", ..." : "");
	vtr_str_done(&known);
	return -1;
}

static int ova_find(const struct ova_member **out, struct ova *v, size_t disk, struct vtr_error *err)
{
	const struct ova_file *f = ova_file(v, disk);

	if (!f)
		return vtr_fail(err, VTR_ECORRUPT, "disk %zu: its descriptor has no file \"%s\"", disk + 1,
				v->disk[disk]);
	if (f->pieces)
		return vtr_fail(err, VTR_EUNSUPPORTED, "disk %zu: \"%s\" is in pieces (ovf:chunkSize): not read",
				disk + 1, f->href);
	for (int plain = 0; plain < 2; plain++) {
		VTR_FREE char *name = NULL;

		if (ova_target(&name, v, f, plain, err) < 0)
			return -1;
		if (!name)
			return vtr_fail(err, VTR_EUNSUPPORTED, "disk %zu: \"%s\" lies elsewhere, not in the archive",
					disk + 1, f->href);
		for (size_t i = 0; i < v->n; i++) {
			const struct ova_member *m = &v->member[i];

			if (strcmp(ova_plain(m->name), name) != 0)
				continue;
			if (m->type != '0')
				return vtr_fail(err, VTR_EUNSUPPORTED,
						"disk %zu: \"%s\" is a member of type '%c', no plain file", disk + 1,
						f->href, m->type);
			*out = m;
			return 0;
		}
	}
	return vtr_fail(err, VTR_ECORRUPT, "disk %zu: \"%s\" is not in the archive", disk + 1, f->href);
}

static int ova_make_info(struct ova *v, size_t disk, const struct ova_member *m, struct vtr_error *err)
{
	struct vtr_image *im = &v->im;
	bool manifest = false, certificate = false;

	for (size_t i = 0; i < v->n; i++) {
		manifest |= ova_ends(v->member[i].name, ".mf");
		certificate |= ova_ends(v->member[i].name, ".cert");
	}
	if (v->system && vtr_image_prop_text(im, "system", "virtual system",
					     vtr_image_text(im, v->system, strlen(v->system), err), err) < 0)
		return -1;
	if (vtr_image_prop_text(im, "descriptor", "descriptor",
				vtr_image_text(im, v->descriptor->name, strlen(v->descriptor->name), err), err) < 0 ||
	    vtr_image_prop_bool(im, "manifest", "manifest", manifest, err) < 0 ||
	    vtr_image_prop_bool(im, "certificate", "certificate", certificate, err) < 0 ||
	    vtr_image_prop_number(im, "disks", "disks", v->n_disks, err) < 0 ||
	    vtr_image_prop_number(im, "disk", "this disk", disk + 1, err) < 0 ||
	    vtr_image_prop_text(im, "member", "member", vtr_image_text(im, m->name, strlen(m->name), err), err) < 0)
		return -1;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------ open */

/* The lists: nobody asks for them once the disk is found, and each disk of the archive has its own. */
static void ova_release(struct ova *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->member[i].name);
	for (size_t i = 0; i < v->n_files; i++) {
		free(v->file[i].id);
		free(v->file[i].href);
	}
	for (size_t i = 0; i < v->n_disks; i++)
		free(v->disk[i]);
	free(v->member);
	free(v->file);
	free(v->disk);
	free(v->system);
	v->member = NULL;
	v->file = NULL;
	v->disk = NULL;
	v->system = NULL;
	v->descriptor = NULL;
	v->n = v->n_files = v->n_disks = 0;
	vtr_uncharge(v->im.blk.ctx, v->charged);
	v->charged = 0;
}

static void ova_close(struct vtr_image *im)
{
	ova_release((struct ova *)im);
}

/* The archive is no disk: what is read is the image inside. */
static const struct vtr_image_ops ova_ops = { .blk = VTR_IMAGE_BLK_OPS("ova"), .close = ova_close };

extern const struct vtr_format vtr_format_ova;

static int ova_open(struct vtr_blk **out, struct vtr_open *o, struct vtr_error *err)
{
	VTR_IMAGE_UNREF struct vtr_image *im = vtr_image_new(&ova_ops, sizeof(struct ova), o, err);
	VTR_UNREF struct vtr_blk *bytes = NULL;
	struct ova *v = (struct ova *)im;
	const struct ova_member *m = NULL;
	size_t disk = 0;

	if (!im || ova_read_members(v, err) < 0)
		return -1;
	for (size_t i = 0; i < v->n && !v->descriptor; i++)
		if (v->member[i].type == '0' && ova_ends(v->member[i].name, ".ovf"))
			v->descriptor = &v->member[i];
	if (v->n == 0)
		return vtr_fail(err, VTR_ECORRUPT, "no tar archive, or one without members");
	if (!v->descriptor)
		return vtr_fail(err, VTR_EUNSUPPORTED,
				"a tar archive without a descriptor (.ovf), its first member is \"%s\": unpack it, and "
				"name the disk image in it",
				v->member[0].name);
	if (ova_read_descriptor(v, v->descriptor, err) < 0 || ova_choose(&disk, v, o->opt->member, err) < 0 ||
	    ova_find(&m, v, disk, err) < 0 || ova_make_info(v, disk, m, err) < 0 ||
	    vtr_blk_slice(&bytes, o->file, m->off, m->size, err) < 0)
		return -1;
	im->info.format = vtr_format_ova.name;
	im->info.title = vtr_format_ova.title;
	im->info.virtual_size = m->size;
	ova_release(v);
	if (vtr_image_open_inner(out, &im, o, bytes, NULL, err) < 0)
		return vtr_at(err, "disk %zu", disk + 1);
	return 0;
}

/* A tar archive; before POSIX there was no magic, and the first member must be a descriptor. */
static int ova_probe(const struct vtr_probe *p)
{
	size_t at = 0;

	for (unsigned i = 0; i < 4 && p->head_len - at >= OVA_BLOCK; i++) {
		const uint8_t *h = p->head + at;
		char name[101] = { 0 };
		uint64_t size;

		if (!ova_sum_ok(h) || !ova_size(&size, h + 124) || (memcmp(h + 257, "ustar", 5) != 0 && h[257] != 0))
			return 0;
		memcpy(name, h, 100);
		if (h[156] != 'x' && h[156] != 'g' && h[156] != 'L')
			return h[257] != 0 || ((h[156] == '0' || h[156] == 0) && ova_ends(name, ".ovf")) ? 64 : 0;
		size = (size + OVA_BLOCK - 1) / OVA_BLOCK * OVA_BLOCK;
		if (size > p->head_len - at - OVA_BLOCK)
			return memcmp(h + 257, "ustar", 5) == 0 ? 64 : 0;
		at += OVA_BLOCK + (size_t)size;
	}
	return at > 0 ? 64 : 0;
}

const struct vtr_format vtr_format_ova = {
	.name = "ova",
	.title = "Open Virtualization Format (OVA)",
	.probe = ova_probe,
	.open = ova_open,
};

/* ------------------------------------------------------------------------------------------- a descriptor by itself */

static int ovf_probe(const struct vtr_probe *p)
{
	size_t n = VTR_MIN(p->head_len, (size_t)4096);
	size_t at = n >= 3 && memcmp(p->head, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	while (at < n && (p->head[at] == ' ' || p->head[at] == '\t' || p->head[at] == '\r' || p->head[at] == '\n'))
		at++;
	if (at >= n || p->head[at] != '<' || !memmem(p->head, n, "Envelope", 8))
		return 0;
	return memmem(p->head, n, "/ovf/envelope", 13) ? 64 : 0;
}

/* Which files its disks are. */
static char *ovf_advise(struct vtr_open *o)
{
	VTR_IMAGE_UNREF struct vtr_image *im = vtr_image_new(&ova_ops, sizeof(struct ova), o, NULL);
	struct ova *v = (struct ova *)im;
	char name[] = "descriptor";
	const struct ova_member all = { .name = name, .size = o->file->size };
	struct vtr_str files = { 0 };
	size_t n = 0;

	if (!im || ova_read_descriptor(v, &all, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < v->n_disks && n < 16; i++) {
		const struct ova_file *f = ova_file(v, i);

		if (!f)
			continue;
		ova_decode(f->href);
		vtr_str_putf(&files, "%s\"%s\"", n++ ? ", " : "", f->href);
	}
	if (n == 0) {
		vtr_str_done(&files);
		return NULL;
	}
	vtr_str_puts(&files, n == 1 ? " is its disk: name that" : " are its disks: name those, each with -a");
	return vtr_str_take(&files, NULL);
}

extern const struct vtr_format vtr_format_ovf;
const struct vtr_format vtr_format_ovf = {
	.name = "ovf",
	.title = "descriptor of the Open Virtualization Format",
	.probe = ovf_probe,
	.advise = ovf_advise,
};
