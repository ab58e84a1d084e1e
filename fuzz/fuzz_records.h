/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What must hold of every fact and every record: they are text that may be printed, of the kinds that they claim. */
#ifndef FUZZ_FUZZ_RECORDS_H
#define FUZZ_FUZZ_RECORDS_H

#include <string.h>

#include "fuzz/fuzz.h"
#include "inspect/records.h"

static inline void fuzz_text_check(const char *s, bool list)
{
	FUZZ_CHECK(s && vtr_utf8_is(s, strlen(s)));
	for (const char *p = s; *p; p++)
		FUZZ_CHECK(((unsigned char)*p >= 0x20 && *p != 0x7f) ||
			   (list && *p == '\n' && p > s && p[-1] != '\n' && p[1]));
}

static inline void fuzz_record_check(const struct vtr_record *r)
{
	fuzz_text_check(r->path, false);
	FUZZ_CHECK(strcmp(r->device, "/dev/sda1") == 0 && r->n <= VTR_DRAFT_MEMBERS);
	for (size_t i = 0; i < r->n; i++) {
		const struct vtr_member *m = &r->members[i];

		fuzz_text_check(m->value, m->kind == VTR_MEMBER_LIST);
		if (m->kind == VTR_MEMBER_NUMBER)
			FUZZ_CHECK(*m->value && strspn(m->value, "0123456789") == strlen(m->value));
		else if (m->kind == VTR_MEMBER_BOOL)
			FUZZ_CHECK(strcmp(m->value, "true") == 0 || strcmp(m->value, "false") == 0);
		else
			FUZZ_CHECK(m->kind == VTR_MEMBER_LIST || (m->kind == VTR_MEMBER_TEXT && *m->value));
		for (size_t j = 0; j < i; j++)
			FUZZ_CHECK(strcmp(m->key, r->members[j].key) != 0);
	}
}

/* All of a system on /dev/sda1; records: how many there are of a kind at most. */
static inline void fuzz_system_check(struct vtr_os *os, uint64_t records)
{
	const struct vtr_record *r;
	const struct vtr_fact *f;
	const char *kind;

	for (size_t k = 0; (kind = vtr_record_kind(k)); k++) {
		for (size_t i = 0; (r = vtr_os_record(os, kind, i)); i++)
			fuzz_record_check(r);
		FUZZ_CHECK(vtr_os_record(os, kind, records) == NULL);
	}
	for (size_t i = 0; (f = vtr_os_fact_at(os, i)); i++)
		fuzz_text_check(f->value, false);
}

#endif
