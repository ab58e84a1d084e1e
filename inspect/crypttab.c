/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crypttab(5): encrypted devices that are set up when the system starts. Fields are divided by blanks; of a line with
 * fewer than two, or more than four, systemd-cryptsetup-generator(8) makes nothing.
 */
#include "base/checked.h"
#include "inspect/records.h"

int vtr_crypttab_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line;
	size_t number = 0;

	while (vtr_span_line(&line, &rest)) {
		struct vtr_span field[5] = { 0 };
		struct vtr_str options = { 0 };
		struct vtr_draft d;
		size_t n = 0;
		int rc;

		number++;
		line = vtr_span_trim(line);
		if (line.len == 0 || *line.p == '#')
			continue;
		while (n < VTR_COUNT(field) && vtr_span_word(&field[n], &line))
			n++;
		if (n < 2 || n > 4) {
			vtr_os_warn(os, path, VTR_ECORRUPT, "line %zu: %zu fields, expected 2 to 4: skipped", number,
				    n);
			continue;
		}
		vtr_list_put_words(&options, field[3], ',');
		vtr_draft_begin(&d, os, "crypttab", path, err);
		vtr_draft_span(&d, "name", field[0]);
		vtr_draft_span(&d, "spec", field[1]);
		/* "none" and "-" ask for a passphrase. */
		if (!vtr_span_is(field[2], "none") && !vtr_span_is(field[2], "-"))
			vtr_draft_span(&d, "key_file", field[2]);
		vtr_draft_list(&d, "options", &options);
		rc = vtr_draft_end(&d);
		vtr_str_done(&options);
		if (rc < 0)
			return -1;
	}
	return 0;
}

int vtr_crypttab_read(struct vtr_os *os, struct vtr_error *err)
{
	return vtr_os_text(os, "/etc/crypttab", vtr_crypttab_parse, err) < 0 ? -1 : 0;
}
