/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening a hive: its base block, room for its bins, the logs of one that is dirty, and its root. A hive is read natively:
 * libhivex reads no logs and refuses what is damaged anywhere.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/filetime.h"
#include "base/utf16.h"
#include "registry/registry.h"

/* The bins as far as there are any, without reading them. */
static int hive_room(struct vtr_hive *h, uint32_t size, struct vtr_error *err)
{
	uint64_t there = h->b->size > HIVE_BASE ? h->b->size - HIVE_BASE : 0;
	struct vtr_error why;

	h->base.size = size;
	/* Without a checksum the file is the better witness. */
	h->size = h->base.sum_ok || h->info.replayed ? size : VTR_MAX(there, (uint64_t)size);
	if (h->size > 0xfffff000u)
		h->size = 0xfffff000u;
	if (h->info.log_entries == 0 && h->size > there) {
		vtr_error_set(&why, VTR_ETRUNCATED,
			      "the file ends at %#" PRIx64 ", its bins at %#" PRIx64 ": what is not there is lost",
			      h->b->size, HIVE_AT(h->size));
		vtr_hive_warn(h, &why);
		h->size = there;
	}
	if (h->size < HIVE_PAGE)
		return vtr_fail(err, VTR_ETRUNCATED, "%" PRIu64 " bytes of bins, expected %u or more", h->size,
				HIVE_PAGE);
	if (VTR_OVER(h->ctx, hive, h->size, "bytes of a registry hive", err) < 0)
		return -1;
	h->bins = vtr_calloc(1, (size_t)h->size, err);
	h->have = vtr_calloc((size_t)(h->size / HIVE_PAGE / 64 + 1), sizeof(*h->have), err);
	return h->bins && h->have ? 0 : -1;
}

/* Pages beyond the end of the file that a log did not bring. */
static void hive_grown(struct vtr_hive *h)
{
	uint64_t there = h->b->size > HIVE_BASE ? (h->b->size - HIVE_BASE) / HIVE_PAGE : 0;
	uint64_t pages = vtr_div_up(h->size, HIVE_PAGE), lost = 0, first = 0;
	struct vtr_error why;

	for (uint64_t page = there; page < pages; page++) {
		uint64_t off = page * HIVE_PAGE;

		if (vtr_hive_has(h, page))
			continue;
		if (lost++ == 0)
			first = page;
		/* Part of it may be in the file; the rest is zeros, which is no cell. */
		if (h->b->size > HIVE_AT(off))
			(void)vtr_blk_pread(h->b, HIVE_AT(off), h->bins + off, (size_t)(h->b->size - HIVE_AT(off)),
					    NULL);
		h->have[page / 64] |= (uint64_t)1 << page % 64;
	}
	if (lost == 0)
		return;
	vtr_error_set(&why, VTR_ETRUNCATED,
		      "the file ends at %#" PRIx64 ", and no log has %" PRIu64 " pages from %#" PRIx64
		      " on: they are lost",
		      h->b->size, lost, HIVE_AT(first * HIVE_PAGE));
	vtr_hive_warn(h, &why);
}

static int hive_replay(struct vtr_hive *h, struct vtr_blk *const *blks, size_t n, struct vtr_error *err)
{
	struct hive_log logs[3] = { 0 };
	struct vtr_error why;
	int used = vtr_hive_logs_read(logs, h, blks, VTR_MIN(n, VTR_COUNT(logs)), err), r = used < 0 ? -1 : 0;
	uint32_t size = h->base.size;

	if (used > 0) {
		/* What a lost base block said is in the log's copy. */
		if (!h->base.sum_ok) {
			struct hive_base lost = h->base;

			h->base = logs[0].base;
			h->base.type = lost.type;
			h->base.sum_ok = false;
		}
		size = logs[used - 1].run.size;
		h->info.replayed = true;
		/* The room is made for what comes out: the file may be shorter. */
		h->info.log_entries = 1;
		r = hive_room(h, size, err);
		h->info.log_entries = 0;
		for (int i = 0; i < used && r == 0; i++)
			r = vtr_hive_log_apply(h, &logs[i], err);
		if (r == 0)
			hive_grown(h);
	} else if (used == 0) {
		vtr_error_set(&why, h->base.sum_ok ? VTR_OK : VTR_ECORRUPT, "%s, and no log %s: it is read as it lies",
			      h->base.sum_ok ? "the hive was being written" : "the checksum of its base block is wrong",
			      n > 0 ? "fits" : "is given");
		vtr_hive_warn(h, &why);
		r = hive_room(h, size, err);
	}
	vtr_hive_logs_free(logs, VTR_COUNT(logs));
	return r;
}

static bool hive_key_at(struct vtr_hive *h, uint64_t off)
{
	return vtr_range_in(off, 8, h->size) && vtr_hive_fill(h, off, 8, NULL) == 0 && h->bins[off] == 'n' &&
	       h->bins[off + 1] == 'k';
}

/* The first key in use that says that it is a root; HIVE_NONE. */
static uint32_t hive_scan_root(struct vtr_hive *h, struct hive_key *k, struct vtr_error *err)
{
	for (uint64_t off = 32; off + 8 + HIVE_MIN_KEY <= h->size; off += 8) {
		const uint8_t *p = h->bins + off + h->head;

		if (off % HIVE_PAGE == 0 && vtr_tick(h->ctx, &h->steps, HIVE_PAGE / 64, err) < 0)
			return HIVE_NONE;
		if (p[0] == 'n' && p[1] == 'k' && (p[2] & HIVE_KEY_ENTRY) &&
		    vtr_hive_key_read(k, h, (uint32_t)off, NULL) == 0)
			return (uint32_t)off;
	}
	vtr_error_set(err, VTR_ECORRUPT, "no key is a root");
	return HIVE_NONE;
}

/* Where the root is. Where the base block leads nowhere, a key that says so is looked for. */
static int hive_find_root(struct vtr_hive *h, struct vtr_error *err)
{
	struct vtr_error why, none;
	struct hive_key k;
	uint32_t off;

	h->head = 4;
	/* Cells of version 1.1 have 8 bytes before them; a damaged base block may say anything. */
	if (h->base.minor == 1 && hive_key_at(h, (uint64_t)h->base.root + 8))
		h->head = 8;
	if (vtr_hive_key_read(&k, h, h->base.root, &why) == 0)
		return 0;
	vtr_error_at(&why, "root");
	off = vtr_error_ends(&why) || vtr_hive_fill_all(h, NULL) < 0 ? HIVE_NONE : hive_scan_root(h, &k, &none);
	if (off == HIVE_NONE) {
		if (err)
			*err = why;
		return -1;
	}
	vtr_error_set(&none, why.code, "%s: the key at %#" PRIx64 " is taken for it", why.text, HIVE_AT(off));
	vtr_hive_warn(h, &none);
	h->base.root = off;
	return 0;
}

static int hive_parse(struct vtr_hive *h, struct vtr_error *err)
{
	size_t len = (size_t)VTR_MIN(h->b->size, (uint64_t)1024);
	uint8_t head[1024] = { 0 };

	if (vtr_blk_pread(h->b, 0, head, len, err) < 0 || vtr_hive_parse_base(&h->base, head, len, err) < 0)
		return -1;
	if (memcmp(head + 512, "DIRT", 4) == 0 || memcmp(head + 512, "HvLE", 4) == 0)
		return vtr_fail(err, VTR_EUNSUPPORTED,
				"a transaction log (type %" PRIu32 "): open the hive that it belongs to", h->base.type);
	if (h->base.sum_ok && (h->base.major != 1 || h->base.minor < 1 || h->base.minor > 6))
		return vtr_fail(err, VTR_EUNSUPPORTED, "version %" PRIu32 ".%" PRIu32 ", read are 1.1 to 1.6",
				h->base.major, h->base.minor);
	return 0;
}

static bool hive_dirty(const struct vtr_hive *h)
{
	return !h->base.sum_ok || h->base.seq[0] != h->base.seq[1];
}

static void hive_describe(struct vtr_hive *h, const uint32_t seq[2])
{
	struct vtr_str s = { 0 };
	size_t n = 0;

	while (n < sizeof(h->base.name) && vtr_get_le16(h->base.name + n) != 0)
		n += 2;
	vtr_utf16_put(&s, h->base.name, n);
	vtr_str_put(&s, "", 0);
	if (!s.oom && s.len < sizeof(h->file_name))
		memcpy(h->file_name, s.p, s.len + 1);
	vtr_str_done(&s);
	h->info.file_name = h->file_name;
	h->info.major = h->base.major;
	h->info.minor = h->base.minor;
	h->info.sequence1 = seq[0];
	h->info.sequence2 = seq[1];
	h->info.written = vtr_filetime(h->base.time);
	h->info.size = h->size;
}

void vtr_hive_close(struct vtr_hive *h)
{
	if (!h)
		return;
	free(h->name);
	if (h->charged > 0)
		vtr_uncharge(h->ctx, h->charged);
	free(h->bins);
	free(h->have);
	free(h->joined);
	vtr_str_done(&h->text);
	vtr_str_done(&h->value_text);
	vtr_str_done(&h->class_text);
	vtr_blk_unref(h->b);
	vtr_ctx_unref(h->ctx);
	free(h);
}

static void hive_close_cleanup(struct vtr_hive **h)
{
	vtr_hive_close(*h);
}

int vtr_hive_open_as(struct vtr_hive **out, struct vtr_blk *b, const char *name, struct vtr_blk *const *logs,
		     size_t n_logs, hive_logs_fn *more, void *arg, struct vtr_error *err)
{
	VTR_CLEANUP(hive_close_cleanup) struct vtr_hive *h = vtr_calloc(1, sizeof(*h), err);
	struct vtr_blk *found[3] = { NULL };
	uint32_t seq[2];
	int r;

	if (!h)
		return -1;
	h->ctx = vtr_ctx_ref(b->ctx);
	h->b = vtr_blk_ref(b);
	if (name && !(h->name = vtr_strndup(name, strlen(name), err)))
		return -1;
	if (hive_parse(h, err) < 0)
		return vtr_hive_at(h, err);
	memcpy(seq, h->base.seq, sizeof(seq));
	h->info.dirty = hive_dirty(h);
	if (h->info.dirty && h->ctx->no_replay) {
		struct vtr_error why;

		vtr_error_set(&why, h->base.sum_ok ? VTR_OK : VTR_ECORRUPT, "%s: it is read as it lies",
			      h->base.sum_ok ? "the hive was being written"
					     : "the checksum of its base block is wrong");
		vtr_hive_warn(h, &why);
		r = hive_room(h, h->base.size, err);
	} else if (h->info.dirty) {
		r = 0;
		if (n_logs == 0 && more) {
			r = more(arg, h, found, &n_logs, err);
			logs = found;
		}
		if (r == 0)
			r = hive_replay(h, logs, n_logs, err);
		for (size_t i = 0; i < VTR_COUNT(found); i++)
			vtr_blk_unref(found[i]);
	} else {
		r = hive_room(h, h->base.size, err);
	}
	if (r < 0 || hive_find_root(h, err) < 0)
		return vtr_hive_at(h, err);
	hive_describe(h, seq);
	*out = vtr_steal(h);
	return 0;
}

int vtr_hive_open(struct vtr_hive **out, struct vtr_blk *b, struct vtr_blk *const *logs, size_t n_logs,
		  struct vtr_error *err)
{
	return vtr_hive_open_as(out, b, NULL, logs, n_logs, NULL, NULL, err);
}

const struct vtr_hive_info *vtr_hive_info(const struct vtr_hive *h)
{
	return &h->info;
}

uint32_t vtr_hive_root(const struct vtr_hive *h)
{
	return h->base.root;
}
