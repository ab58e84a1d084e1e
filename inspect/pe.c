/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Headers of programs, by Microsoft's "PE Format", and the resource that has the version, by "VS_VERSIONINFO structure"
 * and those beside it. All is little endian.
 *
 *   DOS header:	0x00  2  "MZ"		0x3c  4  offset of the PE header
 *   PE header:		0x00  4  "PE\0\0"	0x04  2  Machine	0x06  2  NumberOfSections	0x08  4  TimeDateStamp
 *			0x14  2  SizeOfOptionalHeader			0x16  2  Characteristics
 *   optional header:	0x00  2  0x10b: PE32, 0x20b: PE32+		0x44  2  Subsystem
 *			0x5c (0x6c)  4  NumberOfRvaAndSizes		0x60 (0x70)  8  each: address, size
 *   section:		0x08  4  VirtualSize	0x0c  4  VirtualAddress	0x10  4  SizeOfRawData	0x14  4  PointerToRawData
 *   resource table:	0x0c  2  entries by name, 0x0e  2  by number; 0x10  8  each: id, offset (bit 31: another table)
 *   resource:		0x00  4  address	0x04  4  size
 */
#include "inspect/pe.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/text.h"
#include "base/utf16.h"

#define PE_HEADER 24u
#define PE_SECTION 40u
#define PE_RESOURCES 2u /* the directory's number */
#define PE_VERSION 16u	/* RT_VERSION */
#define PE_ENGLISH 0x409u
#define PE_MAX_OPTIONAL 1024u
#define PE_MAX_ENTRIES 4096u /* of a table of resources (ours): there are some thousand icons at most */
#define PE_FIXED 52u
#define PE_FIXED_MAGIC 0xfeef04bdu

static const struct {
	uint16_t machine;
	const char *arch;
} pe_machines[] = {
	{ 0x014c, "i386" },    { 0x8664, "x86_64" },	  { 0xaa64, "aarch64" },
	{ 0xa641, "aarch64" }, /* ARM64EC */
	{ 0xa64e, "aarch64" }, /* ARM64X */
	{ 0x01c0, "arm" },     { 0x01c2, "arm" },	  { 0x01c4, "arm" },
	{ 0x0200, "ia64" },    { 0x0184, "alpha" },	  { 0x0284, "alpha" },
	{ 0x0162, "mipsel" },  { 0x0166, "mipsel" },	  { 0x0168, "mipsel" },
	{ 0x01f0, "ppcle" },   { 0x01f1, "ppcle" },	  { 0x01f2, "ppc" },
	{ 0x01a2, "sh4" },     { 0x01a6, "sh4" },	  { 0x5032, "riscv32" },
	{ 0x5064, "riscv64" }, { 0x6232, "loongarch32" }, { 0x6264, "loongarch64" },
};

const char *vtr_pe_arch(uint16_t machine)
{
	for (size_t i = 0; i < VTR_COUNT(pe_machines); i++)
		if (pe_machines[i].machine == machine)
			return pe_machines[i].arch;
	return NULL;
}

static int pe_optional(struct vtr_pe *pe, struct vtr_cur *c, struct vtr_error *err)
{
	uint16_t magic = vtr_cur_le16(c);
	uint32_t dirs;

	if (magic != 0x10b && magic != 0x20b)
		return c->bad ? vtr_fail(err, VTR_ETRUNCATED, "optional header at %#" PRIx64 ": %zu bytes", c->origin,
					 vtr_cur_len(c))
			      : vtr_fail(err, VTR_ECORRUPT,
					 "optional header at %#" PRIx64 ": magic %#x, expected 0x10b or 0x20b",
					 c->origin, magic);
	pe->plus = magic == 0x20b;
	vtr_cur_seek(c, 0x44);
	pe->subsystem = vtr_cur_le16(c);
	vtr_cur_seek(c, pe->plus ? 0x6c : 0x5c);
	dirs = vtr_cur_le32(c);
	if (c->bad)
		return vtr_fail(err, VTR_ETRUNCATED, "optional header at %#" PRIx64 ": %zu bytes, expected %u or more",
				c->origin, vtr_cur_len(c), pe->plus ? 0x70 : 0x60);
	if (dirs > PE_RESOURCES) {
		vtr_cur_skip(c, (size_t)PE_RESOURCES * 8);
		pe->resources_rva = vtr_cur_le32(c);
		pe->resources_len = vtr_cur_le32(c);
		if (c->bad)
			return vtr_fail(err, VTR_ETRUNCATED,
					"optional header at %#" PRIx64 ": %" PRIu32 " directories in %zu bytes",
					c->origin, dirs, vtr_cur_len(c));
	}
	return 0;
}

int vtr_pe_read(struct vtr_pe *out, struct vtr_blk *b, struct vtr_error *err)
{
	uint8_t dos[64], head[PE_HEADER], optional[PE_MAX_OPTIONAL];
	struct vtr_pe pe = { 0 };
	uint64_t at, table;
	uint16_t len;
	struct vtr_cur c;

	if (b->size < sizeof(dos))
		return vtr_fail(err, VTR_ETRUNCATED, "a program of %" PRIu64 " bytes, expected 64 or more", b->size);
	if (vtr_blk_pread(b, 0, dos, sizeof(dos), err) < 0)
		return -1;
	if (memcmp(dos, "MZ", 2) != 0)
		return vtr_fail(err, VTR_ECORRUPT, "no program: it starts with %#x, expected \"MZ\"",
				vtr_get_le16(dos));
	at = vtr_get_le32(dos + 0x3c);
	if (!vtr_range_in(at, sizeof(head), b->size))
		return vtr_fail(err, VTR_ETRUNCATED, "PE header at %#" PRIx64 ": the file ends at %#" PRIx64, at,
				b->size);
	if (vtr_blk_pread(b, at, head, sizeof(head), err) < 0)
		return -1;
	if (memcmp(head, "NE", 2) == 0 || memcmp(head, "LE", 2) == 0 || memcmp(head, "LX", 2) == 0)
		return vtr_fail(err, VTR_EUNSUPPORTED, "a program of kind %.2s", (const char *)head);
	if (memcmp(head, "PE\0\0", 4) != 0)
		return vtr_fail(err, VTR_ECORRUPT, "PE header at %#" PRIx64 ": magic %#" PRIx32 ", expected \"PE\"", at,
				vtr_get_le32(head));
	pe.machine = vtr_get_le16(head + 4);
	pe.n_sections = vtr_get_le16(head + 6);
	pe.timestamp = vtr_get_le32(head + 8);
	len = vtr_get_le16(head + 0x14);
	pe.characteristics = vtr_get_le16(head + 0x16);
	at += PE_HEADER;
	if (!vtr_range_in(at, len, b->size) ||
	    !vtr_range_in(pe.sections_at = at + len, table = (uint64_t)pe.n_sections * PE_SECTION, b->size))
		return vtr_fail(err, VTR_ETRUNCATED,
				"optional header of %u bytes and %u sections at %#" PRIx64
				": the file ends at %#" PRIx64,
				len, pe.n_sections, at, b->size);
	if (len > 0) {
		size_t n = VTR_MIN(len, sizeof(optional));

		if (vtr_blk_pread(b, at, optional, n, err) < 0)
			return -1;
		c = vtr_cur_of(optional, n, at);
		if (pe_optional(&pe, &c, err) < 0)
			return -1;
	}
	*out = pe;
	return 0;
}

/* ------------------------------------------------------------------------------------------------------- resources */

struct pe_file {
	struct vtr_blk *b;
	const uint8_t *sections;
	unsigned n;
};

/* Read len bytes that lie at an address once the program is loaded. */
static int pe_pread(const struct pe_file *f, uint64_t rva, void *buf, size_t len, struct vtr_error *err)
{
	for (unsigned i = 0; i < f->n; i++) {
		const uint8_t *s = f->sections + (size_t)i * PE_SECTION;
		uint32_t from = vtr_get_le32(s + 12), size = vtr_get_le32(s + 16), at = vtr_get_le32(s + 20);

		if (rva >= from && vtr_range_in(rva - from, len, size))
			return vtr_blk_pread(f->b, at + (rva - from), buf, len, err);
	}
	return vtr_fail(err, VTR_ECORRUPT, "%zu bytes at address %#" PRIx64 " lie in no section", len, rva);
}

/*
 * The entry with this number in a table of resources, else (any) its first: 1, with its offset and whether it leads to a
 * table; 0: there is none; -1.
 */
static int pe_entry(uint32_t *off, bool *is_table, const struct pe_file *f, const struct vtr_pe *pe, uint32_t table,
		    uint32_t wanted, bool any, struct vtr_error *err)
{
	uint8_t head[16], e[8];
	uint32_t n;
	bool found = false;

	if (table > pe->resources_len || pe_pread(f, (uint64_t)pe->resources_rva + table, head, sizeof(head), err) < 0)
		return table > pe->resources_len
			       ? vtr_fail(err, VTR_ECORRUPT,
					  "a table of resources at %#" PRIx32 ", they end at %#" PRIx32, table,
					  pe->resources_len)
			       : -1;
	n = (uint32_t)vtr_get_le16(head + 12) + vtr_get_le16(head + 14);
	if (n > PE_MAX_ENTRIES)
		return vtr_fail(err, VTR_ELIMIT, "%" PRIu32 " resources in a table, limit %u", n, PE_MAX_ENTRIES);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t id, at;

		if (pe_pread(f, (uint64_t)pe->resources_rva + table + sizeof(head) + i * sizeof(e), e, sizeof(e), err) <
		    0)
			return -1;
		id = vtr_get_le32(e);
		at = vtr_get_le32(e + 4);
		if (id == wanted || (any && !found)) {
			*off = at & 0x7fffffff;
			*is_table = at >> 31;
			found = true;
		}
		if (id == wanted)
			break;
	}
	return found;
}

/* One node of the version: its length, the length of its value, its kind, its name, the value, then nodes below it. */
struct pe_node {
	const uint8_t *name, *value, *below;
	size_t name_len, value_len, below_len; /* bytes; a value of text goes up to the node's end */
};

static size_t pe_align(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* 1: the next node; 0: there is none; -1: it leaves its parent. Offsets are from base, where all starts. */
static int pe_node_next(struct pe_node *out, const uint8_t *base, size_t *at, size_t end, struct vtr_error *err)
{
	size_t len, value_len, p, stop, text;

	*at = pe_align(*at);
	if (*at > end || end - *at < 6 || vtr_get_le16(base + *at) == 0)
		return 0;
	len = vtr_get_le16(base + *at);
	if (len < 6 || len > end - *at)
		return vtr_fail(err, VTR_ECORRUPT, "version: a node of %zu bytes at %#zx, its parent ends at %#zx", len,
				*at, end);
	value_len = vtr_get_le16(base + *at + 2);
	if (vtr_get_le16(base + *at + 4) == 1) /* text: in characters, but some writers count bytes */
		value_len *= 2;
	stop = *at + len;
	p = text = *at + 6;
	while (p + 2 <= stop && vtr_get_le16(base + p) != 0)
		p += 2;
	if (p + 2 > stop)
		return vtr_fail(err, VTR_ECORRUPT, "version: the name of the node at %#zx has no end", *at);
	*out = (struct pe_node){ .name = base + text, .name_len = p - text };
	p = VTR_MIN(pe_align(p + 2), stop);
	out->value = base + p;
	out->value_len = VTR_MIN(value_len, stop - p);
	p = VTR_MIN(pe_align(p + out->value_len), stop);
	out->below = base + p;
	out->below_len = stop - p;
	*at = stop;
	return 1;
}

static bool pe_name_is(const struct pe_node *n, const char *name)
{
	size_t len = strlen(name);

	if (n->name_len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (n->name[2 * i] != (uint8_t)name[i] || n->name[2 * i + 1] != 0)
			return false;
	return true;
}

static int pe_strings(struct vtr_pe_version *v, const uint8_t *base, size_t at, size_t end, struct vtr_error *err)
{
	const struct {
		const char *name;
		char *text;
	} wanted[] = {
		{ "CompanyName", v->company },
		{ "FileDescription", v->description },
		{ "FileVersion", v->file_version },
		{ "ProductName", v->product_name },
		{ "ProductVersion", v->product_version },
		{ "OriginalFilename", v->original_name },
	};
	struct pe_node n;
	int rc;

	while ((rc = pe_node_next(&n, base, &at, end, err)) > 0)
		for (size_t i = 0; i < VTR_COUNT(wanted); i++)
			if (pe_name_is(&n, wanted[i].name) && !wanted[i].text[0])
				vtr_utf16_to_utf8(wanted[i].text, VTR_PE_TEXT, n.value, n.value_len & ~(size_t)1,
						  VTR_UTF16_LE);
	return rc;
}

static int pe_version_parse(struct vtr_pe_version *out, const uint8_t *p, size_t len, struct vtr_error *err)
{
	struct vtr_pe_version v = { 0 };
	struct pe_node root, n, table;
	size_t at = 0, next, end;
	int rc = pe_node_next(&root, p, &at, len, err);

	if (rc < 0)
		return -1;
	if (rc == 0 || !pe_name_is(&root, "VS_VERSION_INFO"))
		return vtr_fail(err, VTR_ECORRUPT, "version: no VS_VERSION_INFO");
	if (root.value_len >= PE_FIXED && vtr_get_le32(root.value) == PE_FIXED_MAGIC) {
		v.has_fixed = true;
		for (unsigned i = 0; i < 4; i++) { /* the high half of each of two words comes first */
			v.file[i] = vtr_get_le16(root.value + 8 + (i ^ 1u) * 2);
			v.product[i] = vtr_get_le16(root.value + 16 + (i ^ 1u) * 2);
		}
		v.flags = vtr_get_le32(root.value + 24) & vtr_get_le32(root.value + 28);
	} else if (root.value_len > 0) {
		return vtr_fail(err, VTR_ECORRUPT, "version: %zu bytes that start with %#" PRIx32 ", expected %#x",
				root.value_len, root.value_len >= 4 ? vtr_get_le32(root.value) : 0, PE_FIXED_MAGIC);
	}
	next = (size_t)(root.below - p);
	end = next + root.below_len;
	while ((rc = pe_node_next(&n, p, &next, end, err)) > 0) {
		size_t tables = (size_t)(n.below - p), tables_end = tables + n.below_len;

		if (!pe_name_is(&n, "StringFileInfo"))
			continue;
		while ((rc = pe_node_next(&table, p, &tables, tables_end, err)) > 0)
			if (pe_strings(&v, p, (size_t)(table.below - p), (size_t)(table.below - p) + table.below_len,
				       err) < 0)
				return -1;
		if (rc < 0)
			return -1;
	}
	if (rc < 0)
		return -1;
	*out = v;
	return 0;
}

int vtr_pe_read_version(struct vtr_pe_version *out, const struct vtr_pe *pe, struct vtr_blk *b, struct vtr_error *err)
{
	VTR_FREE uint8_t *sections = NULL, *bytes = NULL;
	struct pe_file f = { .b = b, .n = pe->n_sections };
	uint8_t leaf[8];
	uint32_t off = 0, len;
	bool is_table = true;
	int rc;

	if (pe->resources_rva == 0 || pe->resources_len == 0 || pe->n_sections == 0)
		return 0;
	if (vtr_blk_read_new(&sections, b, pe->sections_at, (uint64_t)pe->n_sections * PE_SECTION, "sections", err) < 0)
		return -1;
	f.sections = sections;
	for (unsigned level = 0; level < 3; level++) { /* type, name, language */
		if (!is_table)
			return vtr_fail(err, VTR_ECORRUPT, "resources: level %u ends at %#" PRIx32, level, off);
		rc = pe_entry(&off, &is_table, &f, pe, off, level == 0 ? PE_VERSION : PE_ENGLISH, level > 0, err);
		if (rc <= 0)
			return rc;
	}
	if (is_table)
		return vtr_fail(err, VTR_ECORRUPT, "resources: a table below the languages at %#" PRIx32, off);
	if (pe_pread(&f, (uint64_t)pe->resources_rva + off, leaf, sizeof(leaf), err) < 0)
		return -1;
	len = vtr_get_le32(leaf + 4);
	if (len > UINT16_MAX + 1u)
		return vtr_fail(err, VTR_ECORRUPT, "version: %" PRIu32 " bytes, at most 65536 make sense", len);
	bytes = vtr_calloc(1, len + 1u, err);
	if (!bytes || pe_pread(&f, vtr_get_le32(leaf), bytes, len, err) < 0 ||
	    pe_version_parse(out, bytes, len, err) < 0)
		return -1;
	return 1;
}

/* A header of a section, 40 bytes: 0 its name, 8 its size in memory, 16 in the file, 20 where it is there. */
int vtr_pe_section(char **text, size_t *len, uint64_t *at, const struct vtr_pe *pe, struct vtr_blk *b, const char *name,
		   size_t max, struct vtr_error *err)
{
	for (unsigned i = 0; i < pe->n_sections; i++) {
		uint64_t header = pe->sections_at + (uint64_t)i * 40, from, size;
		uint8_t h[40];
		char *out;

		if (!vtr_range_in(header, sizeof(h), b->size))
			return vtr_fail(err, VTR_ETRUNCATED, "section %u of %u: the file ends at %#" PRIx64, i,
					pe->n_sections, b->size);
		if (vtr_blk_pread(b, header, h, sizeof(h), err) < 0)
			return -1;
		if (strnlen((const char *)h, 8) != strlen(name) || memcmp(h, name, strlen(name)) != 0)
			continue;
		from = vtr_get_le32(h + 20);
		size = VTR_MIN(vtr_get_le32(h + 8), vtr_get_le32(h + 16));
		if (!vtr_range_in(from, size, b->size))
			return vtr_fail(err, VTR_ETRUNCATED, "section %s at %#" PRIx64 ": the file ends at %#" PRIx64,
					name, from, b->size);
		size = VTR_MIN(size, (uint64_t)max);
		out = vtr_calloc(1, (size_t)size + 1, err);
		if (!out || vtr_blk_pread(b, from, out, (size_t)size, err) < 0) {
			free(out);
			return -1;
		}
		*text = out;
		*len = (size_t)size;
		*at = from;
		return 1;
	}
	return 0;
}
