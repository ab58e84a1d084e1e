/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small journals, put together block by block as the kernel's journal.rst describes them. */
#ifndef TESTS_JBD2_IMAGES_H
#define TESTS_JBD2_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_BLOCK 1024u
#define JOURNAL_BLOCKS 16u

struct journal_maker {
	uint8_t b[JOURNAL_BLOCKS * JOURNAL_BLOCK];
	uint32_t incompat, compat;
	uint32_t at;  /* the next block */
	uint32_t tid; /* of the transaction being written */
	uint8_t uuid[16];
};

void journal_begin(struct journal_maker *m, uint32_t incompat, uint32_t compat, uint32_t start, uint32_t tid);
/* A descriptor and its blocks: each is filled with its letter; escaped: it begins with the journal's magic. */
void journal_write(struct journal_maker *m, const uint64_t *blocks, const char *letters, size_t n, bool escaped);
void journal_revoke(struct journal_maker *m, const uint64_t *blocks, size_t n);
void journal_commit(struct journal_maker *m, uint64_t seconds);
uint8_t *journal_block(struct journal_maker *m, uint32_t i);
/* Put the right checksum on a changed block: 0 is the superblock. */
void journal_seal(struct journal_maker *m, uint32_t i);

#endif
