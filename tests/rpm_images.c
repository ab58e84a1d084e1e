/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/rpm_images.h"

#include <string.h>

#include <zlib.h>

#define PAGE 512u

static void put32(struct vtr_str *s, uint32_t v, bool big)
{
	char b[4];

	for (unsigned i = 0; i < 4; i++)
		b[i] = (char)(v >> 8 * (big ? 3 - i : i));
	vtr_str_put(s, b, 4);
}

static void set(struct vtr_str *s, size_t at, uint32_t v, size_t bytes, bool big)
{
	for (size_t i = 0; i < bytes; i++)
		s->p[at + i] = (char)(v >> 8 * (big ? bytes - 1 - i : i));
}

static void zeros(struct vtr_str *s, size_t n)
{
	while (n-- > 0)
		vtr_str_put(s, "", 1);
}

static void item_put(struct vtr_str *index, struct vtr_str *data, const struct rpm_item *item)
{
	size_t align = item->type == 4 ? 4 : item->type == 5 ? 8 : 1;

	while (data->len % align != 0)
		zeros(data, 1);
	put32(index, item->tag, true);
	put32(index, item->type, true);
	put32(index, (uint32_t)data->len, true);
	put32(index, item->count, true);
	vtr_str_put(data, item->bytes, item->len);
}

struct vtr_str rpm_header_make(const struct rpm_item *items, size_t n, size_t added)
{
	struct vtr_str index = { 0 }, data = { 0 }, out = { 0 };
	uint32_t region = (uint32_t)(n - added + 1);

	for (size_t i = 0; i < n - added; i++)
		item_put(&index, &data, &items[i]);
	put32(&out, (uint32_t)n + 1, true);
	put32(&out, 0, true);
	put32(&out, 63, true); /* the region, and its trailer in the data */
	put32(&out, 7, true);
	put32(&out, (uint32_t)data.len, true);
	put32(&out, 16, true);
	put32(&data, 63, true);
	put32(&data, 7, true);
	put32(&data, 0u - 16 * region, true);
	put32(&data, 16, true);
	for (size_t i = n - added; i < n; i++)
		item_put(&index, &data, &items[i]);
	vtr_str_put(&out, index.p ? index.p : "", index.len);
	set(&out, 4, (uint32_t)data.len, 4, true);
	vtr_str_put(&out, data.p, data.len);
	vtr_str_done(&index);
	vtr_str_done(&data);
	return out;
}

struct vtr_str rpm_ndb_make(const struct rpm_blob *blobs, size_t n)
{
	struct vtr_str s = { 0 };

	vtr_str_puts(&s, "RpmP");
	put32(&s, 0, false);
	put32(&s, 7, false);
	put32(&s, 1, false);
	put32(&s, (uint32_t)n + 1, false);
	zeros(&s, 12);
	while (s.len < 4096) {
		vtr_str_puts(&s, "Slot");
		zeros(&s, 12);
	}
	for (size_t i = 0; i < n; i++) {
		size_t start = s.len, slot = 48 + 16 * i; /* one is free */

		vtr_str_puts(&s, "BlbS");
		put32(&s, blobs[i].number, false);
		put32(&s, 7, false);
		put32(&s, (uint32_t)blobs[i].len, false);
		vtr_str_put(&s, blobs[i].p, blobs[i].len);
		while ((s.len + 12) % 16 != 0)
			zeros(&s, 1);
		put32(&s, (uint32_t)adler32(1, (const Bytef *)s.p + start, (uInt)(s.len - start)), false);
		put32(&s, (uint32_t)blobs[i].len, false);
		vtr_str_puts(&s, "BlbE");
		set(&s, slot + 4, blobs[i].number, 4, false);
		set(&s, slot + 8, (uint32_t)(start / 16), 4, false);
		set(&s, slot + 12, (uint32_t)((s.len - start) / 16), 4, false);
	}
	return s;
}

/* An empty page at the end. */
static uint32_t page_add(struct vtr_str *s, unsigned type, bool big)
{
	uint32_t page = (uint32_t)(s->len / PAGE);

	zeros(s, PAGE);
	set(s, page * PAGE + 8, page, 4, big);
	set(s, page * PAGE + 22, type == 7 ? 0 : PAGE, 2, big);
	s->p[page * PAGE + 25] = (char)type;
	return page;
}

static void page_item_put(struct vtr_str *s, uint32_t page, const void *bytes, size_t len, bool big)
{
	uint8_t *p = (uint8_t *)s->p + page * PAGE;
	unsigned n = big ? vtr_get_be16(p + 20) : vtr_get_le16(p + 20);
	unsigned at = (big ? vtr_get_be16(p + 22) : vtr_get_le16(p + 22)) - (unsigned)len;

	memcpy(p + at, bytes, len);
	set(s, page * PAGE + 26 + 2 * n, at, 2, big);
	set(s, page * PAGE + 20, n + 1, 2, big);
	set(s, page * PAGE + 22, at, 2, big);
}

/* Key and data into a bucket's chain. */
static void pair_put(struct vtr_str *s, uint32_t page, const struct rpm_blob *b, bool big)
{
	size_t need = b->len > 200 ? 12 : b->len + 1;
	struct vtr_str item = { 0 };

	for (;;) {
		uint8_t *p = (uint8_t *)s->p + page * PAGE;
		unsigned n = big ? vtr_get_be16(p + 20) : vtr_get_le16(p + 20);
		unsigned free = big ? vtr_get_be16(p + 22) : vtr_get_le16(p + 22);
		uint32_t next = big ? vtr_get_be32(p + 16) : vtr_get_le32(p + 16);

		if (26 + 2 * (n + 2) + 5 + need <= free)
			break;
		if (next == 0) {
			next = page_add(s, 2, big);
			set(s, page * PAGE + 16, next, 4, big);
			set(s, next * PAGE + 12, page, 4, big);
		}
		page = next;
	}
	vtr_str_put(&item, "\1", 1);
	put32(&item, b->number, big);
	page_item_put(s, page, item.p, item.len, big);
	item.len = 0;
	if (b->len <= 200) {
		vtr_str_put(&item, "\1", 1);
		vtr_str_put(&item, b->p, b->len);
	} else {
		uint32_t before = 0;

		vtr_str_put(&item, "\3\0\0\0", 4);
		for (size_t at = 0; at < b->len; at += PAGE - 26) {
			uint32_t over = page_add(s, 7, big);
			size_t len = b->len - at < PAGE - 26 ? b->len - at : PAGE - 26;

			if (before == 0) {
				put32(&item, over, big);
			} else {
				set(s, before * PAGE + 16, over, 4, big);
				set(s, over * PAGE + 12, before, 4, big);
			}
			set(s, over * PAGE + 20, 1, 2, big);
			set(s, over * PAGE + 22, (uint32_t)len, 2, big);
			memcpy(s->p + over * PAGE + 26, b->p + at, len);
			before = over;
		}
		put32(&item, (uint32_t)b->len, big);
	}
	page_item_put(s, page, item.p, item.len, big);
	vtr_str_done(&item);
}

struct vtr_str rpm_bdb_make(const struct rpm_blob *blobs, size_t n, bool big)
{
	const struct rpm_blob counter = { 0, "\0\0\0\5", 4 };
	struct vtr_str s = { 0 };

	page_add(&s, 8, big);
	set(&s, 12, 0x061561, 4, big);
	set(&s, 16, 9, 4, big);
	set(&s, 20, PAGE, 4, big);
	set(&s, 22, big ? PAGE : 0, 2, big);
	set(&s, 72, 1, 4, big);	 /* last bucket */
	set(&s, 96, 1, 4, big);	 /* bucket 0 on page 1 */
	set(&s, 100, 1, 4, big); /* bucket 1 on page 2 */
	page_add(&s, 2, big);
	page_add(&s, 13, big);
	pair_put(&s, 1, &counter, big);
	for (size_t i = 0; i < n; i++)
		pair_put(&s, 1 + i % 2, &blobs[i], big);
	set(&s, 32, (uint32_t)(s.len / PAGE) - 1, 4, big);
	return s;
}
