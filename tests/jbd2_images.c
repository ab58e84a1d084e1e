/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/jbd2_images.h"

#include <string.h>

#define MAGIC 0xc03b3998u

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* CRC-32C bit by bit, neither started nor ended with an inversion: independent of the library's. */
static uint32_t sum(uint32_t crc, const uint8_t *p, size_t len)
{
	while (len-- > 0) {
		crc ^= *p++;
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

static bool has_sums(const struct journal_maker *m)
{
	return m->incompat & 0x18;
}

uint8_t *journal_block(struct journal_maker *m, uint32_t i)
{
	return m->b + i * JOURNAL_BLOCK;
}

static uint32_t next_block(struct journal_maker *m)
{
	uint32_t i = m->at;

	m->at = m->at + 1 == JOURNAL_BLOCKS ? 1 : m->at + 1;
	return i;
}

void journal_seal(struct journal_maker *m, uint32_t i)
{
	uint32_t seed = sum(UINT32_MAX, m->uuid, 16);
	uint8_t *b = journal_block(m, i);
	size_t at;

	if (!has_sums(m))
		return;
	if (i == 0) {
		put32(b + 0xfc, 0);
		put32(b + 0xfc, sum(UINT32_MAX, b, 1024));
		return;
	}
	at = get32(b + 4) == 2 ? 16 : JOURNAL_BLOCK - 4;
	put32(b + at, 0);
	put32(b + at, sum(seed, b, JOURNAL_BLOCK));
}

void journal_begin(struct journal_maker *m, uint32_t incompat, uint32_t compat, uint32_t start, uint32_t tid)
{
	uint8_t *b = m->b;

	memset(m, 0, sizeof(*m));
	m->incompat = incompat;
	m->compat = compat;
	m->at = start;
	m->tid = tid;
	for (uint8_t i = 0; i < 16; i++)
		m->uuid[i] = (uint8_t)(0xa0 + i);
	put32(b, MAGIC);
	put32(b + 4, 4);
	put32(b + 0x0c, JOURNAL_BLOCK);
	put32(b + 0x10, JOURNAL_BLOCKS);
	put32(b + 0x14, 1);
	put32(b + 0x18, tid);
	put32(b + 0x1c, start);
	put32(b + 0x24, compat);
	put32(b + 0x28, incompat);
	memcpy(b + 0x30, m->uuid, 16);
	put32(b + 0x40, 1);
	b[0x50] = has_sums(m) ? 4 : 0;
	journal_seal(m, 0);
}

static uint8_t *header(struct journal_maker *m, uint32_t i, uint32_t type)
{
	uint8_t *b = journal_block(m, i);

	memset(b, 0, JOURNAL_BLOCK);
	put32(b, MAGIC);
	put32(b + 4, type);
	put32(b + 8, m->tid);
	return b;
}

void journal_write(struct journal_maker *m, const uint64_t *blocks, const char *letters, size_t n, bool escaped)
{
	uint32_t seed = sum(UINT32_MAX, m->uuid, 16), d = next_block(m);
	uint8_t *b = header(m, d, 1), tid[4];
	size_t pos = 12;

	put32(tid, m->tid);
	for (size_t i = 0; i < n; i++) {
		uint8_t *data = journal_block(m, next_block(m));
		uint32_t flags = (escaped ? 1 : 0) | (i > 0 ? 2 : 0) | (i + 1 == n ? 8 : 0), s;

		memset(data, letters[i], JOURNAL_BLOCK);
		if (escaped)
			memset(data, 0, 4);
		s = sum(sum(seed, tid, 4), data, JOURNAL_BLOCK);
		put32(b + pos, (uint32_t)blocks[i]);
		if (m->incompat & 0x10) {
			put32(b + pos + 4, flags);
			put32(b + pos + 8, (uint32_t)(blocks[i] >> 32));
			put32(b + pos + 12, s);
			pos += 16;
		} else {
			put32(b + pos + 4, (m->incompat & 8 ? (s & 0xffff) << 16 : 0) | flags);
			if (m->incompat & 2)
				put32(b + pos + 8, (uint32_t)(blocks[i] >> 32));
			pos += 8 + (m->incompat & 2 ? 4 : 0) + (m->incompat & 8 ? 2 : 0);
		}
		if (i == 0) {
			memcpy(b + pos, m->uuid, 16);
			pos += 16;
		}
	}
	journal_seal(m, d);
}

void journal_revoke(struct journal_maker *m, const uint64_t *blocks, size_t n)
{
	uint32_t r = next_block(m);
	uint8_t *b = header(m, r, 5);
	size_t pos = 16;

	for (size_t i = 0; i < n; i++) {
		if (m->incompat & 2) {
			put32(b + pos, (uint32_t)(blocks[i] >> 32));
			pos += 4;
		}
		put32(b + pos, (uint32_t)blocks[i]);
		pos += 4;
	}
	put32(b + 12, (uint32_t)pos);
	journal_seal(m, r);
}

void journal_commit(struct journal_maker *m, uint64_t seconds)
{
	uint32_t c = next_block(m);
	uint8_t *b = header(m, c, 2);

	put32(b + 0x30, (uint32_t)(seconds >> 32));
	put32(b + 0x34, (uint32_t)seconds);
	journal_seal(m, c);
	m->tid++;
}
