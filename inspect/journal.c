/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of systemd's journal, by docs/JOURNAL_FILE_FORMAT.md of systemd 246 to 256. All numbers are little endian, all
 * offsets are bytes from the start of the file, all objects lie on multiples of 8.
 *
 * A writer only appends objects, and links one to another after both are there. So whatever chain there is, each offset
 * in it is greater than the one before: that is checked, and no chain can have a loop.
 *
 * Entries are found through the chain of entry arrays. Where that is damaged, the objects are walked from the first one
 * on as well, and what either way finds is what there is.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/blk.h"
#include "base/bytes.h"
#include "base/checked.h"
#include "base/codec/codec.h"
#include "base/pages.h"

#define JOURNAL_CACHE (64u * VTR_PAGE)
#define JOURNAL_MIN_HEADER 208u /* up to tail_entry_monotonic: what every version has */
#define JOURNAL_STEP 128u	/* bytes that are read or decompressed for one step, */
#define JOURNAL_STEP_BAD 16u	/* or so many where they were of no use */

enum {
	JOURNAL_XZ = 1 << 0,
	JOURNAL_LZ4 = 1 << 1,
	JOURNAL_KEYED = 1 << 2,
	JOURNAL_ZSTD = 1 << 3,
	JOURNAL_COMPACT = 1 << 4,
	JOURNAL_KNOWN = (1 << 5) - 1,
	JOURNAL_SEALED = 1 << 0, /* compatible */
};

enum { JOURNAL_DATA = 1, JOURNAL_ENTRY = 3, JOURNAL_ARRAY = 6, JOURNAL_TYPES = 8 };

/* An object's flags: how its payload is compressed. */
enum { JOURNAL_OBJECT_XZ = 1, JOURNAL_OBJECT_LZ4 = 2, JOURNAL_OBJECT_ZSTD = 4 };

struct journal_header {
	uint32_t compatible, incompatible;
	uint8_t state, file_id[16];
	uint64_t header_len, arena_len;
	uint64_t data_table, data_table_len;
	uint64_t tail_object;
	uint64_t entry_array;
};

struct journal_object {
	uint8_t type, flags;
	uint64_t off, len; /* of the whole object */
};

struct vtr_journal {
	struct vtr_blk *b; /* a reference */
	struct vtr_ctx *ctx;
	struct vtr_pages *pages;
	struct vtr_codec codec;
	struct journal_header h;
	struct vtr_journal_info info;
	uint64_t *entries; /* offsets, ascending */
	size_t n_entries, cap_entries;
	uint64_t charged;
	uint64_t next, steps;
	struct vtr_journal_field *fields; /* of the last entry that was read */
	size_t n_fields, cap_fields;
	char *text; /* their bytes */
	size_t text_len, text_cap;
	uint64_t entry_read; /* bytes of the entry's fields as they lie, sound or not */
	bool too_large;	     /* the error is of this entry's size alone */
};

/* -------------------------------------------------------------------------------------------------------- hashes */

static uint32_t journal_rot32(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}

/* Bob Jenkins' lookup3, hashlittle2() with zero seeds: its first result is the high half. */
static uint64_t journal_jenkins(const uint8_t *p, size_t len)
{
	uint32_t v[3];
	uint8_t tail[12] = { 0 };

	v[0] = v[1] = v[2] = 0xdeadbeefu + (uint32_t)len;
	for (; len > 12; p += 12, len -= 12) {
		static const uint8_t by[6] = { 4, 6, 8, 16, 19, 4 };

		for (unsigned i = 0; i < 3; i++)
			v[i] += vtr_get_le32(p + 4 * i);
		for (unsigned i = 0; i < 6; i++) {
			uint32_t *a = &v[i % 3], *b = &v[(i + 1) % 3], *c = &v[(i + 2) % 3];

			*a -= *c;
			*a ^= journal_rot32(*c, by[i]);
			*c += *b;
		}
	}
	if (len > 0) {
		static const uint8_t by[7] = { 14, 11, 25, 16, 4, 14, 24 };

		memcpy(tail, p, len);
		for (unsigned i = 0; i < 3; i++)
			v[i] += vtr_get_le32(tail + 4 * i);
		for (unsigned i = 0; i < 7; i++) {
			uint32_t *to = &v[(i + 2) % 3], from = v[(i + 1) % 3];

			*to ^= from;
			*to -= journal_rot32(from, by[i]);
		}
	}
	return (uint64_t)v[2] << 32 | v[1];
}

static uint64_t journal_rot64(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static void journal_sip_rounds(uint64_t v[4], unsigned n)
{
	while (n--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = journal_rot64(v[1], 13) ^ v[0];
		v[3] = journal_rot64(v[3], 16) ^ v[2];
		v[0] = journal_rot64(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = journal_rot64(v[1], 17) ^ v[2];
		v[3] = journal_rot64(v[3], 21) ^ v[0];
		v[2] = journal_rot64(v[2], 32);
	}
}

/* SipHash-2-4, Aumasson and Bernstein 2012. */
static uint64_t journal_siphash(const uint8_t *p, size_t len, const uint8_t key[16])
{
	uint64_t k0 = vtr_get_le64(key), k1 = vtr_get_le64(key + 8), m = (uint64_t)len << 56;
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
			  k1 ^ 0x7465646279746573u };

	for (; len >= 8; p += 8, len -= 8) {
		uint64_t word = vtr_get_le64(p);

		v[3] ^= word;
		journal_sip_rounds(v, 2);
		v[0] ^= word;
	}
	for (size_t i = 0; i < len; i++)
		m |= (uint64_t)p[i] << (8 * i);
	v[3] ^= m;
	journal_sip_rounds(v, 2);
	v[0] ^= m;
	v[2] ^= 0xff;
	journal_sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t journal_hash(const struct vtr_journal *j, const void *p, size_t len)
{
	return j->info.keyed ? journal_siphash(p, len, j->h.file_id) : journal_jenkins(p, len);
}

/* ------------------------------------------------------------------------------------------------------- reading */

static int journal_pread(struct vtr_journal *j, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	return vtr_pages_read(j->pages, off, buf, len, err);
}

/*
 * The object at off, of this type (0: any) and at least this long.
 *   0x00  1  type
 *   0x01  1  flags
 *   0x08  8  size	of all of the object, without what pads it to 8 bytes
 */
static int journal_object(struct journal_object *out, struct vtr_journal *j, uint64_t off, int type, uint64_t min,
			  struct vtr_error *err)
{
	struct journal_object o = { .off = off };
	uint8_t head[16];

	if (vtr_tick(j->ctx, &j->steps, 1, err) < 0)
		return -1;
	if (off % 8 != 0 || off < j->h.header_len)
		return vtr_fail(err, VTR_ECORRUPT, "object at %#" PRIx64 ": no place of an object", off);
	if (journal_pread(j, off, head, sizeof(head), err) < 0)
		return vtr_at(err, "object");
	o.type = head[0];
	o.flags = head[1];
	o.len = vtr_get_le64(head + 8);
	if (type != 0 && o.type != type)
		return vtr_fail(err, VTR_ECORRUPT, "object at %#" PRIx64 ": type %u, expected %d", off, o.type, type);
	if (o.len < min)
		return vtr_fail(err, VTR_ECORRUPT,
				"object at %#" PRIx64 ": %" PRIu64 " bytes, expected at least %" PRIu64, off, o.len,
				min);
	if (o.len > j->b->size - off)
		return vtr_fail(err, VTR_ETRUNCATED,
				"object at %#" PRIx64 ": %" PRIu64 " bytes, the journal ends after %" PRIu64, off,
				o.len, j->b->size - off);
	*out = o;
	return 0;
}

/* Whether only this object is lost. */
static bool journal_is_damage(const struct vtr_journal *j, const struct vtr_error *err)
{
	return vtr_error_is(err, j->too_large ? VTR_KINDS_LOST | VTR_KIND_LIMITED : VTR_KINDS_LOST);
}

static void journal_hex(char out[33], const uint8_t id[16])
{
	for (size_t i = 0; i < 16; i++) {
		out[2 * i] = "0123456789abcdef"[id[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[id[i] & 15];
	}
	out[32] = 0;
}

/* ------------------------------------------------------------------------------------------------------ opening */

/*
 * The header.
 *   0x00  8  "LPKSHHRH"
 *   0x08  4  compatible_flags
 *   0x0c  4  incompatible_flags
 *   0x10  1  state			0 offline, 1 online, 2 archived
 *   0x18 16  file_id			also the key of the hashes
 *   0x28 16  machine_id
 *   0x38 16  tail_entry_boot_id
 *   0x48 16  seqnum_id
 *   0x58  8  header_size		objects start here
 *   0x60  8  arena_size		bytes after the header
 *   0x68  8  data_hash_table_offset	of the table's first item, not of its object
 *   0x70  8  data_hash_table_size	bytes
 *   0x78  8  field_hash_table_offset
 *   0x80  8  field_hash_table_size
 *   0x88  8  tail_object_offset
 *   0x90  8  n_objects
 *   0x98  8  n_entries
 *   0xa0  8  tail_entry_seqnum
 *   0xa8  8  head_entry_seqnum
 *   0xb0  8  entry_array_offset	0: no entry
 *   0xb8  8  head_entry_realtime
 *   0xc0  8  tail_entry_realtime
 *   0xc8  8  tail_entry_monotonic
 */
static int journal_parse_header(struct vtr_journal *j, const uint8_t *bytes, struct vtr_error *err)
{
	static const char *const states[] = { "offline", "online", "archived" };
	struct vtr_cur c = vtr_cur_of(bytes, JOURNAL_MIN_HEADER, 0);
	struct journal_header *h = &j->h;
	uint8_t id[16];

	if (memcmp(bytes, "LPKSHHRH", 8) != 0)
		return vtr_fail(err, VTR_ECORRUPT, "no journal: its signature is missing");
	vtr_cur_seek(&c, 0x08);
	h->compatible = vtr_cur_le32(&c);
	h->incompatible = vtr_cur_le32(&c);
	h->state = vtr_cur_u8(&c);
	vtr_cur_seek(&c, 0x18);
	vtr_cur_bytes(&c, h->file_id, sizeof(h->file_id));
	vtr_cur_bytes(&c, id, sizeof(id));
	journal_hex(j->info.machine_id, id);
	vtr_cur_seek(&c, 0x48);
	vtr_cur_bytes(&c, id, sizeof(id));
	journal_hex(j->info.seqnum_id, id);
	journal_hex(j->info.file_id, h->file_id);
	h->header_len = vtr_cur_le64(&c);
	h->arena_len = vtr_cur_le64(&c);
	h->data_table = vtr_cur_le64(&c);
	h->data_table_len = vtr_cur_le64(&c);
	vtr_cur_seek(&c, 0x88);
	h->tail_object = vtr_cur_le64(&c);
	vtr_cur_seek(&c, 0xb0);
	h->entry_array = vtr_cur_le64(&c);
	j->info.head_realtime = vtr_cur_le64(&c);
	j->info.tail_realtime = vtr_cur_le64(&c);
	if (h->incompatible & ~(uint32_t)JOURNAL_KNOWN)
		return vtr_fail(err, VTR_EUNSUPPORTED, "journal header: incompatible flags %#" PRIx32 ", known are %#x",
				h->incompatible, JOURNAL_KNOWN);
	if (h->header_len < JOURNAL_MIN_HEADER || h->header_len % 8 != 0 || h->header_len > j->b->size)
		return vtr_fail(err, VTR_ECORRUPT,
				"journal header: %" PRIu64 " bytes, expected from %u to those of the file",
				h->header_len, JOURNAL_MIN_HEADER);
	j->info.state = h->state < VTR_COUNT(states) ? states[h->state] : "unknown";
	j->info.compact = h->incompatible & JOURNAL_COMPACT;
	j->info.keyed = h->incompatible & JOURNAL_KEYED;
	j->info.sealed = h->compatible & JOURNAL_SEALED;
	j->info.whole = true;
	return 0;
}

/* Note damage that does not stop the opening. */
static void journal_lost(struct vtr_journal *j, const struct vtr_error *err)
{
	vtr_warn_err(j->ctx, err);
	j->info.whole = false;
}

static int journal_add_entry(struct vtr_journal *j, uint64_t off, struct vtr_error *err)
{
	size_t before = j->cap_entries;
	uint64_t bytes;

	if (j->n_entries == before) {
		bytes = (before ? before : 8) * sizeof(*j->entries);
		if (vtr_charge(j->ctx, bytes, "a journal's entries", err) < 0)
			return -1;
		j->charged += bytes;
	}
	if (!VTR_GROW(j->entries, j->n_entries, j->cap_entries, err))
		return -1;
	j->entries[j->n_entries++] = off;
	return 0;
}

/*
 * The offsets in a chain of entry arrays, from the array at off on. fn returns other than 0 to stop.
 *   0x10  8  next_entry_array_offset	0: the last one
 *   0x18     offsets, 8 bytes each, 4 in a compact file; 0: no more are there yet
 */
typedef int journal_offset_fn(struct vtr_journal *j, void *arg, uint64_t off, struct vtr_error *err);
static int journal_arrays(struct vtr_journal *j, uint64_t off, journal_offset_fn *fn, void *arg, struct vtr_error *err)
{
	const size_t width = j->info.compact ? 4 : 8;
	uint64_t last = 0, next;
	struct journal_object o;
	uint8_t buf[1024];

	for (; off != 0; off = next) {
		if (journal_object(&o, j, off, JOURNAL_ARRAY, 24, err) < 0 ||
		    journal_pread(j, off + 16, buf, 8, err) < 0)
			return vtr_at(err, "entry array");
		next = vtr_get_le64(buf);
		if (next != 0 && next <= off)
			return vtr_fail(err, VTR_ECORRUPT,
					"entry array at %#" PRIx64 ": the next one lies before it, at %#" PRIx64, off,
					next);
		for (uint64_t at = 24; at + width <= o.len;) {
			size_t n = (size_t)VTR_MIN((o.len - at) / width * width, sizeof(buf));

			if (vtr_tick(j->ctx, &j->steps, n / width, err) < 0 ||
			    journal_pread(j, off + at, buf, n, err) < 0)
				return -1;
			for (size_t i = 0; i < n; i += width) {
				uint64_t entry = width == 4 ? vtr_get_le32(buf + i) : vtr_get_le64(buf + i);

				if (entry == 0)
					return 0;
				if (entry <= last)
					return vtr_fail(err, VTR_ECORRUPT,
							"entry array at %#" PRIx64 ": an entry at %#" PRIx64
							" after one at %#" PRIx64,
							off, entry, last);
				last = entry;
				if (fn(j, arg, entry, err) < 0)
					return -1;
			}
			at += n;
		}
	}
	return 0;
}

static int journal_chained(struct vtr_journal *j, void *arg, uint64_t off, struct vtr_error *err)
{
	(void)arg;
	if (off % 8 != 0 || off < j->h.header_len || off > j->b->size)
		return vtr_fail(err, VTR_ETRUNCATED, "entry at %#" PRIx64 ": the journal ends at %#" PRIx64, off,
				j->b->size);
	return journal_add_entry(j, off, err);
}

static int journal_compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* All entries, one object after the other, besides those that are known. */
static int journal_scan(struct vtr_journal *j, struct vtr_error *err)
{
	struct vtr_error odd = { 0 };
	struct journal_object o;
	size_t n = 0;

	for (uint64_t off = j->h.header_len; off < j->b->size;) {
		if (journal_object(&o, j, off, 0, 16, &odd) < 0) {
			if (!journal_is_damage(j, &odd)) {
				*err = odd;
				return -1;
			}
			break;
		}
		if (o.type == 0 || o.type >= JOURNAL_TYPES)
			break;
		if (o.type == JOURNAL_ENTRY && journal_add_entry(j, off, err) < 0)
			return -1;
		off += (o.len + 7) & ~7ull; /* o.len is at most the size of the file */
	}
	if (j->n_entries > 0)
		qsort(j->entries, j->n_entries, sizeof(*j->entries), journal_compare);
	for (size_t i = 0; i < j->n_entries; i++)
		if (n == 0 || j->entries[n - 1] != j->entries[i])
			j->entries[n++] = j->entries[i];
	j->n_entries = n;
	return 0;
}

static int journal_find_entries(struct vtr_journal *j, struct vtr_error *err)
{
	struct vtr_error damage = { 0 };
	uint64_t stated;

	if (vtr_add_over(j->h.header_len, j->h.arena_len, &stated) || stated > j->b->size) {
		vtr_error_set(&damage, VTR_ETRUNCATED, "journal: %" PRIu64 " bytes, its header says %" PRIu64,
			      j->b->size, stated);
		journal_lost(j, &damage);
	}
	if (journal_arrays(j, j->h.entry_array, journal_chained, NULL, &damage) < 0) {
		if (!journal_is_damage(j, &damage)) {
			if (err)
				*err = damage;
			return -1;
		}
		journal_lost(j, &damage);
	}
	if (!j->info.whole && journal_scan(j, err) < 0)
		return -1;
	j->info.entries = j->n_entries;
	return 0;
}

int vtr_journal_open(struct vtr_journal **out, struct vtr_blk *b, struct vtr_error *err)
{
	uint8_t head[JOURNAL_MIN_HEADER];
	struct vtr_journal *j;
	struct vtr_error e = { 0 };

	if (b->size < sizeof(head))
		return vtr_fail(err, VTR_ETRUNCATED, "no journal: %" PRIu64 " bytes, its header alone has %u", b->size,
				JOURNAL_MIN_HEADER);
	if (vtr_blk_pread(b, 0, head, sizeof(head), err) < 0)
		return vtr_at(err, "journal header");
	j = vtr_calloc(1, sizeof(*j), err);
	if (!j)
		return -1;
	j->b = vtr_blk_ref(b);
	j->ctx = b->ctx;
	j->pages = vtr_pages_new(b, VTR_PAGE_LOG2, VTR_MIN((uint64_t)JOURNAL_CACHE, j->ctx->lim.cache), "journal", &e);
	if (!j->pages || journal_parse_header(j, head, &e) < 0 || journal_find_entries(j, &e) < 0) {
		vtr_journal_close(j);
		if (err)
			*err = e;
		return -1;
	}
	*out = j;
	return 0;
}

void vtr_journal_close(struct vtr_journal *j)
{
	if (!j)
		return;
	vtr_uncharge(j->ctx, j->charged);
	vtr_pages_free(j->pages);
	free(j->entries);
	free(j->fields);
	vtr_codec_done(&j->codec);
	free(j->text);
	vtr_blk_unref(j->b);
	free(j);
}

const struct vtr_journal_info *vtr_journal_info(const struct vtr_journal *j)
{
	return &j->info;
}

/* -------------------------------------------------------------------------------------------------------- fields */

/* Room for len more bytes of text; what an entry has together is held against limits.alloc. */
static int journal_room(struct vtr_journal *j, uint64_t len, struct vtr_error *err)
{
	uint64_t need;
	size_t cap;
	char *p;

	if (vtr_add_over(j->text_len, len, &need) || vtr_add_over(need, 1u, &need))
		need = UINT64_MAX;
	if (VTR_OVER(j->ctx, alloc, need, "bytes of a journal's entry", err) < 0) {
		j->too_large = true;
		return -1;
	}
	if (need <= j->text_cap)
		return 0;
	cap = (size_t)VTR_MAX(need, VTR_MIN((uint64_t)j->text_cap * 2, j->ctx->lim.alloc));
	p = realloc(j->text, cap);
	if (!p)
		return vtr_fail(err, VTR_ENOMEM, "a journal's entry of %" PRIu64 " bytes", need);
	j->text = p;
	j->text_cap = cap;
	return 0;
}

/* The size is known before: one step for so many bytes. */
static int journal_inflated(struct vtr_journal *j, uint64_t len, struct vtr_error *err)
{
	if (journal_room(j, len, err) < 0)
		return -1;
	return vtr_tick(j->ctx, &j->steps, len / JOURNAL_STEP, err);
}

/* Decode in to so many bytes at the end of the text. title: of the method, for messages. */
static int journal_whole(struct vtr_journal *j, const struct vtr_method *m, const char *title, uint64_t out,
			 const uint8_t *in, size_t len, struct vtr_error *err)
{
	int r;

	if (journal_inflated(j, out, err) < 0)
		return -1;
	r = vtr_codec_decode(&j->codec, m, (uint8_t *)j->text + j->text_len, (size_t)out, in, len, err);
	if (r < 0)
		return -1;
	if (r == 0)
		return vtr_fail(err, VTR_ECORRUPT, "%s: the data is damaged", title);
	j->text_len += (size_t)out;
	return 0;
}

/* An LZ4 block, after 8 bytes that say how much comes out of it. */
static int journal_lz4(struct vtr_journal *j, const uint8_t *in, size_t len, struct vtr_error *err)
{
	uint64_t out;

	if (len < 8 || len - 8 > INT_MAX)
		return vtr_fail(err, VTR_ECORRUPT, "LZ4: %zu bytes", len);
	out = vtr_get_le64(in);
	/* The format cannot do better than 255 to 1. */
	if (out > INT_MAX || out / 255 > len)
		return vtr_fail(err, VTR_ECORRUPT, "LZ4: %" PRIu64 " bytes out of %zu", out, len);
	return journal_whole(j, &vtr_method_lz4, "LZ4", out, in + 8, len - 8, err);
}

/* A Zstandard frame that says its size, as all of systemd's do. */
static int journal_zstd(struct vtr_journal *j, const uint8_t *in, size_t len, struct vtr_error *err)
{
	uint64_t out;

	if (!vtr_zstd_size(&out, in, len))
		return vtr_fail(err, VTR_ECORRUPT, "Zstandard: no frame that says its size");
	return journal_whole(j, &vtr_method_zstd, "Zstandard", out, in, len, err);
}

/* An .xz stream: what comes out is seen as it comes. */
static int journal_xz(struct vtr_journal *j, const uint8_t *in, size_t len, struct vtr_error *err)
{
	struct vtr_codec_stream s = { .in = in, .in_len = len };
	enum vtr_codec_result r = vtr_codec_start(&s, &vtr_method_xz, j->ctx->lim.alloc);
	int rc = 0;

	while (rc == 0 && r == VTR_CODEC_MORE) {
		size_t room, made;

		rc = journal_room(j, 4096, err);
		if (rc < 0)
			break;
		room = j->text_cap - 1 - j->text_len;
		s.out = (uint8_t *)j->text + j->text_len;
		s.out_len = room;
		r = vtr_codec_step(&s);
		made = room - s.out_len;
		if (r == VTR_CODEC_MORE && s.in_len == 0 && s.out_len > 0)
			r = VTR_CODEC_DAMAGED; /* it ends too early */
		rc = vtr_tick(j->ctx, &j->steps, 1 + made / JOURNAL_STEP, err);
		j->text_len += made;
	}
	vtr_codec_stop(&s);
	if (rc < 0)
		return -1;
	if (r == VTR_CODEC_NO_MEMORY)
		return vtr_fail(err, VTR_ENOMEM, "XZ");
	if (r == VTR_CODEC_LIMIT)
		return vtr_fail(err, VTR_ECORRUPT, "XZ: a dictionary over limit alloc=%" PRIu64, j->ctx->lim.alloc);
	return r == VTR_CODEC_END ? 0 : vtr_fail(err, VTR_ECORRUPT, "XZ: the data is damaged");
}

/*
 * The payload of a data object, put at the end of the text.
 *   0x10  8  hash			of the payload, as it is before it is compressed
 *   0x18  8  next_hash_offset
 *   0x20  8  next_field_offset
 *   0x28  8  entry_offset		the first entry that has it
 *   0x30  8  entry_array_offset	the others
 *   0x38  8  n_entries
 *   0x40     payload			8 bytes on in a compact file
 */
static int journal_decode(struct vtr_journal *j, const struct journal_object *o, uint64_t head, uint64_t len,
			  struct vtr_error *err)
{
	VTR_FREE uint8_t *packed = NULL;
	const size_t start = j->text_len;
	uint8_t hash[8];
	int r;

	if (journal_pread(j, o->off + 16, hash, sizeof(hash), err) < 0)
		return -1;
	if (o->flags == 0) {
		if (journal_room(j, len, err) < 0 ||
		    journal_pread(j, o->off + head, j->text + start, (size_t)len, err) < 0)
			return -1;
		j->text_len += (size_t)len;
		r = 0;
	} else {
		packed = vtr_calloc(1, (size_t)len, err);
		if (!packed || journal_pread(j, o->off + head, packed, (size_t)len, err) < 0)
			return -1;
		if (o->flags == JOURNAL_OBJECT_XZ)
			r = journal_xz(j, packed, (size_t)len, err);
		else if (o->flags == JOURNAL_OBJECT_LZ4)
			r = journal_lz4(j, packed, (size_t)len, err);
		else
			r = journal_zstd(j, packed, (size_t)len, err);
	}
	if (r == 0 && !vtr_sum_ok(vtr_get_le64(hash), journal_hash(j, j->text + start, j->text_len - start)))
		r = vtr_fail(err, VTR_ECORRUPT, "its hash does not fit");
	return r;
}

/*
 * What the object says of itself is checked, and its length charged, before anything is allocated or read for it. An entry
 * may name one large object again and again: all that is read for an entry together is held against limits.alloc.
 */
static int journal_payload(struct vtr_journal *j, const struct journal_object *o, struct vtr_error *err)
{
	const uint64_t head = j->info.compact ? 72 : 64, len = o->len - head;
	const size_t start = j->text_len;
	struct vtr_error limit = { 0 };
	int r = 0;

	if (o->flags != 0 && o->flags != JOURNAL_OBJECT_XZ && o->flags != JOURNAL_OBJECT_LZ4 &&
	    o->flags != JOURNAL_OBJECT_ZSTD)
		r = vtr_fail(err, VTR_EUNSUPPORTED, "compression flags %#x", o->flags);
	if (r == 0 && (vtr_add_over(j->entry_read, len, &j->entry_read) ||
		       VTR_OVER(j->ctx, alloc, j->entry_read, "bytes of a journal's entry", err) < 0)) {
		j->entry_read = UINT64_MAX - 1; /* nothing more of this entry */
		j->too_large = true;
		r = -1;
	}
	if (r == 0 && vtr_tick(j->ctx, &j->steps, len / JOURNAL_STEP, err) < 0)
		return -1;
	if (r == 0 && (r = journal_decode(j, o, head, len, err)) < 0 &&
	    vtr_tick(j->ctx, &j->steps, (len + j->text_len - start) / JOURNAL_STEP_BAD, &limit) < 0 && err)
		*err = limit;
	if (r < 0) {
		j->text_len = start;
		return vtr_at(err, "data at %#" PRIx64, o->off);
	}
	return 0;
}

static int journal_data(struct journal_object *out, struct vtr_journal *j, uint64_t off, struct vtr_error *err)
{
	return journal_object(out, j, off, JOURNAL_DATA, j->info.compact ? 72 : 64, err);
}

/* One field: "NAME=value". Where its text is, is kept as a distance until the text has come to rest. */
static int journal_add_field(struct vtr_journal *j, uint64_t off, struct vtr_error *err)
{
	struct vtr_journal_field *f;
	struct journal_object o;
	size_t start = j->text_len, len;
	const char *eq;

	if (journal_data(&o, j, off, err) < 0 || journal_payload(j, &o, err) < 0)
		return -1;
	len = j->text_len - start;
	eq = len > 0 ? memchr(j->text + start, '=', len) : NULL;
	if (!eq || eq == j->text + start || memchr(j->text + start, 0, (size_t)(eq - j->text) - start)) {
		j->text_len = start;
		return vtr_fail(err, VTR_ECORRUPT, "data at %#" PRIx64 ": no field", off);
	}
	if (VTR_OVER(j->ctx, alloc, (j->n_fields + 1) * sizeof(*f), "bytes of a list of fields", err) < 0 ||
	    !VTR_GROW(j->fields, j->n_fields, j->cap_fields, err))
		return -1;
	f = &j->fields[j->n_fields++];
	f->name_len = (size_t)(eq - j->text) - start;
	f->len = len - f->name_len - 1;
	j->text[start + f->name_len] = 0;
	j->text[j->text_len++] = 0; /* journal_room() left one byte for it */
	return 0;
}

/*
 * An entry.
 *   0x10  8  seqnum
 *   0x18  8  realtime
 *   0x20  8  monotonic
 *   0x28 16  boot_id
 *   0x38  8  xor_hash
 *   0x40     items: the offset of a data object and its hash, 8 bytes each; in a compact file only the offset, 4 bytes
 */
static int journal_entry(struct journal_object *o, struct vtr_journal_entry *e, struct vtr_journal *j, uint64_t index,
			 struct vtr_error *err)
{
	uint8_t head[48];
	struct vtr_cur c = vtr_cur_of(head, sizeof(head), 0);
	uint8_t id[16];

	if (index >= j->n_entries)
		return vtr_fail(err, VTR_EUSAGE, "entry %" PRIu64 " of %zu", index, j->n_entries);
	if (journal_object(o, j, j->entries[index], JOURNAL_ENTRY, 64, err) < 0 ||
	    journal_pread(j, o->off + 16, head, sizeof(head), err) < 0)
		return vtr_at(err, "journal entry");
	*e = (struct vtr_journal_entry){ .index = index };
	e->seqnum = vtr_cur_le64(&c);
	e->realtime = vtr_cur_le64(&c);
	e->monotonic = vtr_cur_le64(&c);
	vtr_cur_bytes(&c, id, sizeof(id));
	e->xor_hash = vtr_cur_le64(&c);
	journal_hex(e->boot_id, id);
	return 0;
}

int vtr_journal_stamp(struct vtr_journal_entry *out, struct vtr_journal *j, uint64_t index, struct vtr_error *err)
{
	struct journal_object o;
	struct vtr_journal_entry e;

	if (journal_entry(&o, &e, j, index, err) < 0)
		return -1;
	*out = e;
	return 0;
}

int vtr_journal_read(struct vtr_journal_entry *out, struct vtr_journal *j, uint64_t index, struct vtr_error *err)
{
	const size_t width = j->info.compact ? 4 : 16;
	struct vtr_error damage = { 0 };
	struct vtr_journal_entry e;
	struct journal_object o;
	uint8_t item[8];
	char *text;

	if (journal_entry(&o, &e, j, index, err) < 0)
		return -1;
	j->n_fields = 0;
	j->text_len = 0;
	j->entry_read = 0;
	for (uint64_t at = 64; at + width <= o.len; at += width) {
		if (journal_pread(j, o.off + at, item, VTR_MIN(width, sizeof(item)), err) < 0)
			return vtr_at(err, "journal entry at %#" PRIx64, o.off);
		j->too_large = false;
		if (journal_add_field(j, width == 4 ? vtr_get_le32(item) : vtr_get_le64(item), &damage) == 0)
			continue;
		vtr_error_at(&damage, "journal entry at %#" PRIx64, o.off);
		if (!journal_is_damage(j, &damage)) {
			if (err)
				*err = damage;
			return -1;
		}
		vtr_warn_err(j->ctx, &damage);
	}
	text = j->text;
	for (size_t i = 0; i < j->n_fields; i++) {
		struct vtr_journal_field *f = &j->fields[i];

		f->name = text;
		f->value = text + f->name_len + 1;
		text += f->name_len + f->len + 2;
	}
	e.fields = j->fields;
	e.n_fields = j->n_fields;
	*out = e;
	return 0;
}

int vtr_journal_next(struct vtr_journal_entry *out, struct vtr_journal *j, struct vtr_error *err)
{
	struct vtr_error e = { 0 };

	while (j->next < j->n_entries) {
		j->too_large = false;
		if (vtr_journal_read(out, j, j->next, &e) == 0) {
			j->next++;
			return 1;
		}
		if (!journal_is_damage(j, &e)) {
			if (err)
				*err = e;
			return -1;
		}
		vtr_warn_err(j->ctx, &e);
		j->next++;
	}
	return 0;
}

void vtr_journal_seek(struct vtr_journal *j, uint64_t index)
{
	j->next = index;
}

const char *vtr_journal_value(const struct vtr_journal_entry *e, const char *name, size_t *len)
{
	for (size_t i = 0; i < e->n_fields; i++) {
		if (strcmp(e->fields[i].name, name) != 0)
			continue;
		if (len)
			*len = e->fields[i].len;
		return e->fields[i].value;
	}
	return NULL;
}

/* ------------------------------------------------------------------------------------------------------ searching */

struct journal_found {
	uint64_t *list;
	size_t n, cap;
};

static int journal_found_add(struct vtr_journal *j, void *arg, uint64_t off, struct vtr_error *err)
{
	struct journal_found *f = arg;
	const uint64_t *at =
		j->n_entries ? bsearch(&off, j->entries, j->n_entries, sizeof(off), journal_compare) : NULL;

	if (!at) /* linked here, and not in the list of all: it was being written */
		return 0;
	if (f->n > 0 && f->list[f->n - 1] >= (uint64_t)(at - j->entries))
		return vtr_fail(err, VTR_ECORRUPT, "entry at %#" PRIx64 ": out of order", off);
	if (VTR_OVER(j->ctx, alloc, (f->n + 1) * sizeof(off), "bytes of a list of entries", err) < 0 ||
	    !VTR_GROW(f->list, f->n, f->cap, err))
		return -1;
	f->list[f->n++] = (uint64_t)(at - j->entries);
	return 0;
}

/* The data object of a field; 0: there is none. */
static int journal_lookup(struct journal_object *out, struct vtr_journal *j, const void *field, size_t len,
			  struct vtr_error *err)
{
	const uint64_t hash = journal_hash(j, field, len);
	uint8_t head[16];
	uint64_t off, next;

	if (j->h.data_table_len < 16)
		return 0;
	if (journal_pread(j, j->h.data_table, head, 1, err) < 0 || j->h.data_table_len > j->b->size - j->h.data_table)
		return vtr_fail(err, VTR_ECORRUPT, "%" PRIu64 " bytes at %#" PRIx64 " leave the file",
				j->h.data_table_len, j->h.data_table);
	if (journal_pread(j, j->h.data_table + hash % (j->h.data_table_len / 16) * 16, head, 8, err) < 0)
		return -1;
	for (off = vtr_get_le64(head); off != 0; off = next) {
		if (journal_data(out, j, off, err) < 0 || journal_pread(j, off + 16, head, sizeof(head), err) < 0)
			return -1;
		next = vtr_get_le64(head + 8);
		if (next != 0 && next <= off)
			return vtr_fail(err, VTR_ECORRUPT,
					"data at %#" PRIx64 ": the next one lies before it, at %#" PRIx64, off, next);
		if (!vtr_sum_ok(vtr_get_le64(head), hash))
			continue;
		j->text_len = 0;
		j->n_fields = 0;
		j->entry_read = 0;
		if (journal_payload(j, out, err) < 0)
			return -1;
		if (j->text_len == len && memcmp(j->text, field, len) == 0)
			return 1;
	}
	return 0;
}

ssize_t vtr_journal_find(uint64_t **out, struct vtr_journal *j, const void *field, size_t len, struct vtr_error *err)
{
	struct journal_found f = { 0 };
	struct journal_object o;
	uint8_t links[16];
	uint64_t first;
	int r;

	if (len == 0)
		return vtr_fail(err, VTR_EUSAGE, "an empty field");
	r = journal_lookup(&o, j, field, len, err);
	if (r < 0)
		return vtr_at(err, "journal: table of fields");
	if (r == 0) {
		*out = NULL;
		return 0;
	}
	r = journal_pread(j, o.off + 40, links, sizeof(links), err);
	first = vtr_get_le64(links);
	if (r == 0 && first != 0)
		r = journal_found_add(j, &f, first, err);
	if (r == 0)
		r = journal_arrays(j, vtr_get_le64(links + 8), journal_found_add, &f, err);
	if (r < 0) {
		free(f.list);
		return vtr_at(err, "journal: entries of a field");
	}
	*out = f.list;
	return (ssize_t)f.n;
}
