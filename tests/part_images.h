/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks with partition tables, for the tests: laid out by hand, made by tools, or of the corpus. */
#ifndef TESTS_PART_IMAGES_H
#define TESTS_PART_IMAGES_H

#include "base/blk.h"
#include "partitions/partition.h"

/* A table as it was opened, and what was said meanwhile. */
struct part_opened {
	struct vtr_ctx *ctx;
	struct vtr_blk *disk;
	struct vtr_parts *t; /* NULL: no table, or rc is -1 */
	int rc;
	struct vtr_error err;
	char said[16384]; /* the warnings, each with its code's name in front, a line each */
};

/* Open the table of len bytes or of a file; sector as vtr_partitions_open(). limits may be NULL. */
void part_open(struct part_opened *o, const void *bytes, size_t len, unsigned sector, const struct vtr_limits *limits);
void part_open_as(struct part_opened *o, const void *bytes, size_t len, const char *scheme, unsigned sector);
void part_open_file(struct part_opened *o, const char *path, unsigned sector);
void part_done(struct part_opened *o);

/* Fail unless there is a table of this scheme with n partitions; or unless it failed with these; or said this. */
void part_expect(const struct part_opened *o, const char *scheme, size_t n);
void part_expect_error(const struct part_opened *o, int code, const char *words);
void part_expect_said(const struct part_opened *o, const char *words);
void part_expect_quiet(const struct part_opened *o);

/* Fail unless the i-th partition has this number and lies there, in sectors of the table. */
void part_expect_at(const struct part_opened *o, size_t i, unsigned number, uint64_t start, uint64_t sectors);

/* What holds of every table: partitions within the disk, readable, or refused as they should be. */
void part_check(const struct part_opened *o);

void part_put16(uint8_t *p, uint16_t v);
void part_put32(uint8_t *p, uint32_t v);
void part_put64(uint8_t *p, uint64_t v);

/* Write the boot signature into the record at off, and its i-th entry. */
void part_mbr_entry(uint8_t *disk, size_t off, unsigned i, uint8_t flag, uint8_t type, uint32_t start, uint32_t count);

/*
 * A disk with a protective MBR and both copies of a GPT of 8 entries, of which the first, second and fourth are used:
 * an EFI System of 4 sectors, a Linux filesystem of 8 named "r\u00f6\u00f6t \U0001f5a5" and a Linux swap of 2, one
 * after the other. It has PART_GPT_SECTORS sectors.
 */
#define PART_GPT_SECTORS 32u
void part_gpt_build(uint8_t *disk, unsigned sector);

/* Compute the checksums of the GPT header at an LBA, of its table too. */
void part_gpt_seal(uint8_t *disk, unsigned sector, uint64_t lba);

/* Whether a program is installed; if not, that is said, and the test that asked is to be skipped. */
bool part_has_tool(const char *name);

/* A directory for the test's files, which part_temp_done() removes, and a path in it. */
char *part_temp(void);
void part_temp_done(char *dir);

/* Run a shell command; fails the test unless it succeeds. */
void part_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* $VITRINE_CORPUS; NULL when there is none. */
const char *part_corpus(void);

/* Compare every image of a scheme in $VITRINE_CORPUS/ptable with its recorded partitions. The count; -1: no corpus. */
int part_check_corpus(const char *scheme);

#endif
