/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of systemd's journal: every entry both ways, and the entries of each field that is found. */
#include <string.h>

#include "fuzz/fuzz.h"

static void fuzz_find(struct vtr_journal *j, const struct vtr_journal_field *f, uint64_t entries)
{
	size_t len = f->name_len + 1 + f->len;
	uint64_t *list = NULL;
	ssize_t n;
	char *data = malloc(len);

	FUZZ_CHECK(data);
	memcpy(data, f->name, f->name_len);
	data[f->name_len] = '=';
	if (f->len > 0)
		memcpy(data + f->name_len + 1, f->value, f->len);
	n = vtr_journal_find(&list, j, data, len, NULL);
	for (ssize_t i = 0; i < n; i++)
		FUZZ_CHECK(list[i] < entries && (i == 0 || list[i] > list[i - 1]));
	if (n > 0)
		free(list);
	free(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VTR_UNREF struct vtr_blk *b = fuzz_blk(data, len);
	const struct vtr_journal_info *info;
	struct vtr_journal_entry e, stamp;
	struct vtr_journal *j = NULL;
	struct vtr_error err = { 0 };
	uint64_t last = 0, n = 0;

	if (vtr_journal_open(&j, b, &err) < 0) {
		FUZZ_CHECK(err.code != VTR_OK && err.text[0]);
		return 0;
	}
	info = vtr_journal_info(j);
	FUZZ_CHECK(strlen(info->file_id) == 32 && strlen(info->machine_id) == 32 && info->entries <= len / 8);
	while (vtr_journal_next(&e, j, &err) == 1) {
		FUZZ_CHECK(e.index < info->entries && (n == 0 || e.index > last));
		FUZZ_CHECK(strlen(e.boot_id) == 32);
		for (size_t i = 0; i < e.n_fields; i++) {
			const struct vtr_journal_field *f = &e.fields[i];

			FUZZ_CHECK(f->name_len > 0 && strlen(f->name) == f->name_len && !strchr(f->name, '='));
			FUZZ_CHECK(((const char *)f->value)[f->len] == 0);
			FUZZ_CHECK(vtr_journal_value(&e, f->name, NULL));
		}
		last = e.index;
		if (vtr_journal_stamp(&stamp, j, last, NULL) == 0)
			FUZZ_CHECK(stamp.realtime == e.realtime && stamp.seqnum == e.seqnum);
		n++;
	}
	/* A field's value is borrowed until the next call: it is copied before it is looked for. */
	for (uint64_t i = 0; i < info->entries && i < 16; i++) {
		for (size_t k = 0; k < 16; k++) {
			if (vtr_journal_read(&e, j, i, NULL) < 0 || k >= e.n_fields)
				break;
			fuzz_find(j, &e.fields[k], info->entries);
		}
	}
	vtr_journal_close(j);
	return 0;
}
