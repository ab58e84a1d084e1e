/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Classic log files, plain and compressed: every line, and that its parts lie within it, in their order. */
#include <string.h>

#include "fuzz/fuzz.h"

static const char *fuzz_part(const char *p, size_t len, const char *last)
{
	FUZZ_CHECK(p || len == 0);
	if (!p)
		return last;
	FUZZ_CHECK(!last || p >= last);
	for (size_t i = 0; i < len; i++)
		FUZZ_CHECK(p[i] != '\n');
	return p + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VTR_UNREF struct vtr_blk *b = fuzz_blk(data, len);
	struct vtr_time mtime = { .sec = 1714979289, .set = true };
	struct vtr_syslog *s = NULL;
	struct vtr_syslog_line l;
	struct vtr_error err = { 0 };
	uint64_t last = 0;
	int r;

	if (vtr_syslog_open(&s, b, "log", &mtime, &err) < 0) {
		FUZZ_CHECK(err.code != VTR_OK && err.text[0]);
		return 0;
	}
	while ((r = vtr_syslog_next(&l, s, &err)) == 1) {
		const char *at = NULL;

		FUZZ_CHECK(l.number > last && l.time.nsec < 1000000000u);
		FUZZ_CHECK(l.priority >= -1 && l.priority <= 7 && l.facility >= -1 && l.facility <= 23);
		at = fuzz_part(l.host, l.host_len, at);
		at = fuzz_part(l.ident, l.ident_len, at);
		at = fuzz_part(l.pid, l.pid_len, at);
		at = fuzz_part(l.msgid, l.msgid_len, at);
		at = fuzz_part(l.data, l.data_len, at);
		FUZZ_CHECK(l.message);
		(void)fuzz_part(l.message, l.message_len, at);
		last = l.number;
	}
	FUZZ_CHECK(r == 0 || err.code != VTR_OK);
	vtr_syslog_close(s);
	return 0;
}
