/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NTFS, from its records up: an input is a list of records, their attributes and what these store, of which a small volume
 * is made. Lengths, update sequences, places of clusters and the names in the root directory are put in here, so that what
 * is mutated is what lies behind them. fuzz/seeds/mk-ntfs-record.py writes such lists.
 */
#include <string.h>

#include "fs/ntfs/ntfs.h"
#include "fuzz/fuzz_fs.h"

#define MADE_RECORDS 24u
#define MADE_SIZE (160u << 10)
#define MADE_MIRROR 4096u
#define MADE_MFT 8192u
#define MADE_ATTRS 0x48u

extern const struct vtr_fs_driver vtr_fs_driver_ntfs;

struct made {
	uint8_t bytes[MADE_SIZE];
	const uint8_t *p, *end; /* of the input */
	uint32_t cluster, record_len, index_len;
	uint32_t next;		     /* the first byte that is not given away */
	uint32_t used[MADE_RECORDS]; /* bytes of a record; 0: it is not there */
	bool plain[MADE_RECORDS];    /* its name says that it is a plain file */
	unsigned at;		     /* the record at hand */
};

static void made_put(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t made_number(struct made *m, unsigned bytes)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < bytes && m->p < m->end; i++)
		v |= (uint32_t)*m->p++ << (8 * i);
	return v;
}

static const uint8_t *made_take(struct made *m, size_t *len)
{
	const uint8_t *p = m->p;

	*len = VTR_MIN(*len, (size_t)(m->end - m->p));
	m->p += *len;
	return p;
}

static uint8_t *made_bytes(struct made *m)
{
	return m->bytes + MADE_MFT + m->at * m->record_len;
}

static void made_record(struct made *m, unsigned ino, unsigned flags, unsigned base)
{
	uint8_t *r;

	m->at = ino;
	r = made_bytes(m);
	memset(r, 0, m->record_len);
	memcpy(r, "FILE", 4);
	made_put(r + 4, 0x30, 2);
	made_put(r + 6, (uint16_t)(m->record_len / NTFS_SECTOR + 1), 2);
	made_put(r + 0x10, (uint16_t)(ino + 1), 2);
	made_put(r + 0x12, 1, 2);
	made_put(r + 0x14, MADE_ATTRS, 2);
	made_put(r + 0x16, (uint16_t)flags, 2);
	made_put(r + 0x1c, m->record_len, 4);
	made_put(r + 0x20, base ? base | (uint64_t)(base + 1) << NTFS_RECORD_BITS : 0, 8);
	m->used[ino] = MADE_ATTRS;
}

/* A header of an attribute with room for value_len bytes behind it and its name: where these go. NULL: no room. */
static uint8_t *made_attr(struct made *m, unsigned type, unsigned name, unsigned flags, bool nonresident,
			  size_t value_len)
{
	static const char *const names[] = {
		"", "$I30", "$SDS", "$SII", "$SDH", "WofCompressedData", "s", "stream two"
	};
	const char *text = names[name % VTR_COUNT(names)];
	static const uint16_t bits[] = { 0, NTFS_ATTR_LZNT1, NTFS_ATTR_SPARSE, NTFS_ATTR_ENCRYPTED };
	size_t header = nonresident ? 0x48 : 0x18, n = strlen(text);
	size_t value = (header + 2 * n + 7) & ~(size_t)7, len = (value + value_len + 7) & ~(size_t)7;
	uint8_t *a = made_bytes(m) + m->used[m->at];

	if (m->used[m->at] == 0 || len > m->record_len - m->used[m->at] - 8)
		return NULL;
	made_put(a, type << 4, 4);
	made_put(a + 4, (uint32_t)len, 4);
	a[8] = nonresident;
	a[9] = (uint8_t)n;
	made_put(a + 0x0a, (uint16_t)header, 2);
	made_put(a + 0x0c, flags < VTR_COUNT(bits) ? bits[flags] : (uint16_t)(flags * 0x0101u), 2);
	for (size_t i = 0; i < n; i++)
		a[header + 2 * i] = (uint8_t)text[i];
	if (nonresident) {
		made_put(a + 0x20, (uint16_t)value, 2);
	} else {
		made_put(a + 0x10, (uint32_t)value_len, 4);
		made_put(a + 0x14, (uint16_t)value, 2);
	}
	m->used[m->at] += (uint32_t)len;
	return a;
}

static void made_resident(struct made *m, unsigned type, unsigned name, unsigned flags, const void *value, size_t len)
{
	uint8_t *a = made_attr(m, type, name, flags, false, len);

	if (a && len > 0)
		memcpy(a + vtr_get_le16(a + 0x14), value, len);
}

/* sizes: allocated, size, valid. clusters: of this segment. */
static void made_runs(struct made *m, unsigned type, unsigned name, unsigned flags, unsigned unit, uint32_t first,
		      uint64_t clusters, const uint64_t *sizes, const uint8_t *pairs, size_t len)
{
	uint8_t *a = made_attr(m, type, name, flags, true, len + 1);

	if (!a)
		return;
	made_put(a + 0x10, first, 8);
	made_put(a + 0x18, first + clusters - 1, 8);
	a[0x22] = (uint8_t)unit;
	made_put(a + 0x28, sizes[0], 8);
	made_put(a + 0x30, sizes[1], 8);
	made_put(a + 0x38, sizes[2], 8);
	made_put(a + 0x40, sizes[0], 8);
	if (len > 0)
		memcpy(a + vtr_get_le16(a + 0x20), pairs, len);
}

static size_t made_pair(uint8_t *out, uint32_t clusters, uint32_t lcn, bool hole)
{
	out[0] = hole ? 0x02 : 0x32;
	made_put(out + 1, (uint16_t)clusters, 2);
	if (hole)
		return 3;
	made_put(out + 3, (uint16_t)lcn, 2);
	out[5] = (uint8_t)(lcn >> 16);
	return 6;
}

static void made_fixup(uint8_t *p, size_t len)
{
	size_t at = vtr_get_le16(p + 4);

	if (at % 2 != 0 || at < 8 || at + 2 * (len / NTFS_SECTOR + 1) > NTFS_SECTOR - 2)
		return;
	made_put(p + at, 0x4711, 2);
	for (size_t i = 0; i < len / NTFS_SECTOR; i++) {
		uint8_t *end = p + (i + 1) * NTFS_SECTOR - 2;

		memcpy(p + at + 2 + 2 * i, end, 2);
		made_put(end, 0x4711, 2);
	}
}

/* Contents of their own: clusters that nothing else has, and a hole up to the end of a compression unit. */
static void made_stored(struct made *m)
{
	unsigned type = made_number(m, 1), name = made_number(m, 1), flags = made_number(m, 1);
	unsigned unit = made_number(m, 1);
	uint32_t first = made_number(m, 1), size = made_number(m, 3), clusters, lcn = m->next / m->cluster;
	size_t len = made_number(m, 2), n;
	const uint8_t *p = made_take(m, &len);
	uint64_t sizes[3];
	uint8_t pairs[16];

	len = VTR_MIN(len, MADE_SIZE - m->next);
	clusters = (uint32_t)(len + m->cluster - 1) / m->cluster;
	if (clusters == 0 || clusters * m->cluster > MADE_SIZE - m->next)
		return;
	memcpy(m->bytes + m->next, p, len);
	if (len >= 8 && memcmp(p, "INDX", 4) == 0)
		for (uint32_t at = 0; at + m->index_len <= clusters * m->cluster; at += m->index_len)
			made_fixup(m->bytes + m->next + at, m->index_len);
	m->next += clusters * m->cluster;
	n = made_pair(pairs, clusters, lcn, false);
	if (unit > 0 && unit < 16 && clusters % (1u << unit) != 0) {
		uint32_t hole = (1u << unit) - clusters % (1u << unit);

		n += made_pair(pairs + n, hole, 0, true);
		clusters += hole;
	}
	sizes[0] = (uint64_t)clusters * m->cluster;
	sizes[1] = sizes[2] = size ? size : len;
	made_runs(m, type, name, flags, unit, first, clusters, sizes, pairs, n);
}

/* Mapping pairs as the input has them; the last cluster follows from them. */
static void made_mapped(struct made *m)
{
	unsigned type = made_number(m, 1), name = made_number(m, 1), flags = made_number(m, 1);
	unsigned unit = made_number(m, 1);
	uint32_t first = made_number(m, 1);
	uint64_t sizes[3], clusters = 0;
	size_t len;
	const uint8_t *p;

	sizes[1] = made_number(m, 3);
	sizes[2] = made_number(m, 3);
	len = made_number(m, 1);
	p = made_take(m, &len);
	for (size_t at = 0; at < len && p[at]; at += 1u + (p[at] & 15) + (p[at] >> 4))
		for (size_t i = 0; i < (p[at] & 15) && i < 8 && at + 1 + i < len; i++)
			clusters += (uint64_t)p[at + 1 + i] << (8 * i);
	sizes[0] = clusters * m->cluster;
	made_runs(m, type, name, flags, unit, first, clusters, sizes, p, len);
}

static void made_name(struct made *m)
{
	uint8_t value[0x42 + 2 * 255] = { NTFS_ROOT, 0, 0, 0, 0, 0, NTFS_ROOT + 1 };
	unsigned space = made_number(m, 1);
	size_t len = made_number(m, 1);
	const uint8_t *p = made_take(m, &len);

	value[0x40] = (uint8_t)len;
	value[0x41] = (uint8_t)space;
	for (size_t i = 0; i < len; i++)
		value[0x42 + 2 * i] = p[i];
	made_resident(m, 3, 0, 0, value, 0x42 + 2 * len);
}

/* The root directory names each record from 16 on with a letter. */
static void made_root(struct made *m)
{
	uint8_t root[0x20 + (MADE_RECORDS - NTFS_USER_RECORDS) * 0x58 + 0x10] = { NTFS_AT_FILE_NAME };
	size_t at = 0x20;

	made_put(root + 4, 1, 4);
	made_put(root + 8, m->index_len, 4);
	made_put(root + 0x10, 0x10, 4);
	for (unsigned i = NTFS_USER_RECORDS; i < MADE_RECORDS; i++) {
		uint8_t *e = root + at;

		if (m->used[i] == 0)
			continue;
		made_put(e, i | (uint64_t)(i + 1) << NTFS_RECORD_BITS, 8);
		made_put(e + 8, 0x58, 2);
		made_put(e + 0x0a, 0x44, 2);
		made_put(e + 0x10, NTFS_ROOT | (uint64_t)(NTFS_ROOT + 1) << NTFS_RECORD_BITS, 8);
		made_put(e + 0x10 + 0x38, m->plain[i] ? 0x20 : NTFS_FILE_SYSTEM, 4);
		e[0x10 + 0x40] = 1;
		e[0x10 + 0x42] = (uint8_t)('a' + i - NTFS_USER_RECORDS);
		at += 0x58;
	}
	made_put(root + at + 8, 0x10, 2);
	made_put(root + at + 0x0c, 2, 2);
	at += 0x10;
	made_put(root + 0x14, (uint32_t)at - 0x10, 4);
	made_put(root + 0x18, (uint32_t)at - 0x10, 4);
	made_resident(m, 9, 1, 0, root, at);
}

/* What a record of the filesystem's own needs to have. */
static void made_defaults(struct made *m)
{
	static const uint8_t version[12] = { [8] = 3, [9] = 1 }, standard[0x48] = { 1, [0x20] = 4 };
	static const uint8_t ones[8] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	uint32_t bytes = MADE_RECORDS * m->record_len, clusters = bytes / m->cluster;
	const uint64_t sizes[] = { bytes, bytes, bytes };
	uint8_t pair[8];

	switch (m->at) {
	case NTFS_MFT:
		made_runs(m, 8, 0, 0, 0, 0, clusters, sizes, pair,
			  made_pair(pair, clusters, MADE_MFT / m->cluster, false));
		made_resident(m, 0xb, 0, 0, ones, 3);
		break;
	case NTFS_LOGFILE:
	case NTFS_BITMAP:
		made_resident(m, 8, 0, 0, ones, sizeof(ones));
		break;
	case NTFS_VOLUME:
		made_resident(m, 6, 0, 0, "V\0o\0l", 6);
		made_resident(m, 7, 0, 0, version, sizeof(version));
		break;
	case NTFS_ROOT:
		made_root(m);
		break;
	default:
		made_resident(m, 1, 0, 0, standard, sizeof(standard));
		break;
	}
}

static void made_op(struct made *m)
{
	unsigned op = made_number(m, 1), v, base;
	uint32_t at;
	size_t len;
	const uint8_t *p;

	switch (op & 7) {
	case 0: /* a record */
		at = made_number(m, 1) % MADE_RECORDS;
		v = made_number(m, 1);
		base = v & 4 ? made_number(m, 1) : 0;
		made_record(m, at, (v & 3) ^ 1, base);
		m->plain[at] = v & 8;
		break;
	case 1: /* an attribute in it */
		v = made_number(m, 1);
		at = made_number(m, 1);
		base = made_number(m, 1);
		len = made_number(m, 2) & 0xfff;
		p = made_take(m, &len);
		made_resident(m, v, at, base, p, len);
		break;
	case 2:
		made_mapped(m);
		break;
	case 3:
		made_stored(m);
		break;
	case 4: /* bytes, anywhere */
		at = made_number(m, 3) % MADE_SIZE;
		len = made_number(m, 2);
		p = made_take(m, &len);
		memcpy(m->bytes + at, p, VTR_MIN(len, (size_t)(MADE_SIZE - at)));
		break;
	case 5: /* bytes of the record at hand */
		at = made_number(m, 2) % m->record_len;
		len = made_number(m, 1);
		p = made_take(m, &len);
		memcpy(made_bytes(m) + at, p, VTR_MIN(len, (size_t)(m->record_len - at)));
		break;
	case 6:
		made_name(m);
		break;
	case 7:
		made_defaults(m);
		break;
	}
}

static void made_boot(struct made *m)
{
	uint8_t *b = m->bytes;

	memcpy(b + 3, "NTFS    ", 8);
	made_put(b + 0x0b, NTFS_SECTOR, 2);
	b[0x0d] = (uint8_t)(m->cluster / NTFS_SECTOR);
	made_put(b + 0x28, MADE_SIZE / NTFS_SECTOR - 1, 8);
	made_put(b + 0x30, MADE_MFT / m->cluster, 8);
	made_put(b + 0x38, MADE_MIRROR / m->cluster, 8);
	b[0x40] = (uint8_t) - (int)vtr_log2(m->record_len);
	b[0x44] = (uint8_t) - (int)vtr_log2(m->index_len);
	b[0x48] = 1;
	b[510] = 0x55;
	b[511] = 0xaa;
	memcpy(m->bytes + MADE_SIZE - NTFS_SECTOR, b, NTFS_SECTOR);
}

/* The end of its attributes, unless the input says otherwise, and its update sequence. */
static void made_finish(struct made *m, unsigned ino)
{
	uint8_t *r;

	m->at = ino;
	r = made_bytes(m);
	if (m->used[ino] == 0)
		return;
	if (vtr_get_le32(r + 0x18) == 0) {
		made_put(r + m->used[ino], 0xffffffff, 4);
		made_put(r + 0x18, m->used[ino] + 8, 4);
	}
	made_fixup(r, m->record_len);
}

static void made_volume(struct made *m, const uint8_t *data, size_t len)
{
	static const uint8_t own[] = { NTFS_MFT, NTFS_LOGFILE, NTFS_VOLUME, NTFS_ROOT, NTFS_BITMAP };
	unsigned shape;

	memset(m, 0, sizeof(*m));
	m->p = data;
	m->end = data + len;
	shape = made_number(m, 1);
	m->cluster = (shape & 3) == 0 ? 512u : 1024u << ((shape & 3) - 1);
	m->record_len = shape & 4 ? 4096 : 1024;
	m->index_len = shape & 8 ? 4096 : 1024;
	m->next = MADE_MFT + MADE_RECORDS * m->record_len;
	made_boot(m);
	while (m->p < m->end)
		made_op(m);
	for (size_t i = 0; i < sizeof(own); i++)
		if (m->used[own[i]] == 0) {
			made_record(m, own[i], own[i] == NTFS_ROOT ? 3 : 1, 0);
			made_defaults(m);
		}
	for (unsigned i = 0; i < MADE_RECORDS; i++)
		made_finish(m, i);
	if (!(shape & 16))
		memcpy(m->bytes + MADE_MIRROR, m->bytes + MADE_MFT, VTR_MIN(m->record_len, (uint32_t)4096));
}

static int made_pread(void *arg, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	(void)err;
	memcpy(buf, ((const struct made *)arg)->bytes + off, len);
	return 0;
}

/* What lists and walks do not ask for. */
static void made_look(struct vtr_fs *fs)
{
	static const char *const names[] = { "B", "alpha", "Zeta", "name-that-is-long-enough-to-be-one", "\xc3\xa4" };
	struct vtr_error err = { 0 };
	uint64_t node;
	int type;

	for (uint64_t i = NTFS_USER_RECORDS; i < MADE_RECORDS; i++) {
		for (size_t k = 0; k < VTR_COUNT(names); k++)
			if (vtr_ntfs_lookup(&node, &type, fs, i, names[k], strlen(names[k]), &err) < 0)
				fuzz_check_error(&err);
		if (vtr_ntfs_stream_find(&node, fs, i, "S", 1, &err) < 0)
			fuzz_check_error(&err);
	}
}

/* Pieces of files and of their first streams, read in turns and from the end, are those of the whole. */
static void made_pieces(struct vtr_fs *fs)
{
	enum { FILES = 2 * (MADE_RECORDS - NTFS_USER_RECORDS), MOST = 40000, PIECE = 1777 };
	struct vtr_stat st[FILES] = { 0 };
	uint8_t *whole[FILES] = { NULL }, piece[PIECE];
	struct vtr_error err = { 0 };

	for (unsigned i = 0; i < FILES; i++) {
		uint64_t node = (NTFS_USER_RECORDS + i / 2) | (uint64_t)(i % 2) << NTFS_RECORD_BITS;

		if (vtr_fs_stat(&st[i], fs, node, &err) < 0 || st[i].type != VTR_TYPE_FILE || st[i].size > MOST)
			continue;
		st[i].node = node;
		whole[i] = malloc(st[i].size + 1);
		FUZZ_CHECK(whole[i]);
		if (vtr_fs_read(fs, node, 0, whole[i], st[i].size, &err) == (ssize_t)st[i].size)
			continue;
		free(whole[i]);
		whole[i] = NULL;
	}
	for (uint64_t at = MOST / PIECE * PIECE;; at -= PIECE) {
		for (unsigned i = 0; i < FILES; i++) {
			uint64_t len = at < st[i].size ? VTR_MIN(st[i].size - at, (uint64_t)PIECE) : 0;

			if (whole[i] && len > 0 && vtr_fs_read(fs, st[i].node, at, piece, len, &err) == (ssize_t)len)
				FUZZ_CHECK(memcmp(piece, whole[i] + at, len) == 0);
		}
		if (at == 0)
			break;
	}
	for (unsigned i = 0; i < FILES; i++)
		free(whole[i]);
}

/* What the pass over the MFT keeps is what the records say one by one. */
static void made_pass(struct vtr_fs *fs)
{
	struct vtr_stat one[MADE_RECORDS] = { 0 }, two[MADE_RECORDS] = { 0 };
	struct vtr_error err = { 0 };
	bool ok[MADE_RECORDS];

	for (unsigned i = 0; i < MADE_RECORDS; i++)
		ok[i] = vtr_fs_stat(&one[i], fs, i, &err) == 0;
	to_ntfs(fs)->loads = 1000;
	for (unsigned i = 0; i < MADE_RECORDS; i++) {
		if (vtr_fs_stat(&two[i], fs, i, &err) < 0 || !ok[i])
			continue;
		FUZZ_CHECK(one[i].type == two[i].type && one[i].size == two[i].size && one[i].mode == two[i].mode);
		FUZZ_CHECK(one[i].allocated == two[i].allocated && one[i].flags == two[i].flags);
		FUZZ_CHECK(one[i].nlink == two[i].nlink && one[i].generation == two[i].generation);
		FUZZ_CHECK(memcmp(&one[i].mtime, &two[i].mtime, sizeof(one[i].mtime)) == 0);
	}
}

static void made_probe(const struct made *m)
{
	struct vtr_probe p = { .head = m->bytes, .head_len = 4096, .size = MADE_SIZE };
	struct vtr_identity id = { 0 };

	if (vtr_signature_bits(VTR_SIG_NTFS, &p) > 0)
		vtr_fs_driver_ntfs.identify(&id, &p, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const unsigned shape = len > 0 ? data[0] : 0;
	static struct made m;
	struct vtr_blk_source source = { .pread = made_pread, .arg = &m, .size = MADE_SIZE };
	struct vtr_ctx *ctx = fuzz_ctx();
	VTR_UNREF struct vtr_blk *b = NULL;
	struct vtr_error err = { 0 };
	struct vtr_fs *fs = NULL;

	if (shape & 128) { /* limits that are met */
		ctx->lim.steps = 500;
		ctx->lim.metadata = 3000;
		ctx->lim.alloc = 100;
	}
	made_volume(&m, data, len);
	made_probe(&m);
	FUZZ_CHECK(vtr_blk_custom(&b, ctx, &source, NULL) == 0);
	vtr_ctx_unref(ctx);
	vtr_ctx_on_warning(b->ctx, fuzz_warned, NULL);
	if (vtr_fs_open(&fs, b, "ntfs", &err) < 0) {
		fuzz_check_error(&err);
		return 0;
	}
	if (shape & 64)
		fs->letter = 'C';
	if (shape & 32)
		made_pass(fs);
	fuzz_check_fs(fs);
	made_look(fs);
	made_pieces(fs);
	vtr_fs_unref(fs);
	return 0;
}
