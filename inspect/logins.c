/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When it ran, and who came: the end of wtmp(5), whose records are struct utmp of <utmp.h>, and the header of systemd's
 * journal (JOURNAL_FILE_FORMAT of systemd's documentation).
 *
 * struct utmp, in the byte order of the machine:
 *   0    2	ut_type
 *   8    32	ut_line
 *   44   32	ut_user
 *   76   256	ut_host
 *   336	session, and the time behind it: 4 + 4 + 4 bytes, or 8 + 8 + 8 where the C library has 64 bits for a time
 *		(AArch64). So a record has 384 bytes or 400.
 */
#include <stdlib.h>

#include "base/checked.h"
#include "inspect/records.h"

#define LOGINS_MAX 1000u /* records from the end of the file */
#define LOGINS_SHORT 384u
#define LOGINS_LONG 400u
#define LOGINS_SAMPLE 64u  /* records that tell the size */
#define LOGINS_HEADER 208u /* of a journal's file, up to what is read */

enum { LOGINS_RUN_LVL = 1, LOGINS_BOOT_TIME = 2, LOGINS_USER_PROCESS = 7, LOGINS_TYPES = 10 };

static struct vtr_span logins_text(const uint8_t *p, size_t max)
{
	return (struct vtr_span){ (const char *)p, strnlen((const char *)p, max) };
}

static int logins_time(char out[48], const uint8_t *record, size_t size)
{
	const uint8_t *p = record + (size == LOGINS_SHORT ? 340 : 344);
	struct vtr_time t = { .set = true };
	uint64_t usec;

	t.sec = size == LOGINS_SHORT ? (int64_t)vtr_get_le32(p) : (int64_t)vtr_get_le64(p);
	usec = size == LOGINS_SHORT ? vtr_get_le32(p + 4) : vtr_get_le64(p + 8);
	t.nsec = usec < 1000000 ? (uint32_t)usec * 1000 : 0;
	return t.sec > 0 && t.sec <= UINT32_MAX && vtr_time_text(out, 48, &t) < 48;
}

/*
 * Which of the two sizes: the one by which more records have a type and a time. By the wrong one the time is part of
 * another member. The end of the file proves nothing: the last record may be torn.
 */
static size_t logins_record(const uint8_t *p, size_t len)
{
	static const size_t sizes[] = { LOGINS_SHORT, LOGINS_LONG };
	size_t best = LOGINS_SHORT, most = 0;

	for (size_t i = 0; i < VTR_COUNT(sizes); i++) {
		size_t good = 0;
		char time[48];

		for (size_t at = 0; len - at >= sizes[i]; at += sizes[i])
			good += vtr_get_le16(p + at) < LOGINS_TYPES && logins_time(time, p + at, sizes[i]);
		if (good > most) {
			most = good;
			best = sizes[i];
		}
	}
	return best;
}

static int logins_add(struct vtr_os *os, const char *path, const uint8_t *p, size_t size, char last_boot[48],
		      struct vtr_error *err)
{
	unsigned type = vtr_get_le16(p);
	struct vtr_span user = logins_text(p + 44, 32);
	struct vtr_draft d;
	char time[48];

	if (type != LOGINS_BOOT_TIME && type != LOGINS_USER_PROCESS && type != LOGINS_RUN_LVL)
		return 0;
	if (!logins_time(time, p, size)) {
		vtr_os_warn(os, path, VTR_ECORRUPT, "a record of type %u has no valid time, and is left out", type);
		return 0;
	}
	if (type == LOGINS_BOOT_TIME)
		memcpy(last_boot, time, sizeof(time));
	else if (type == LOGINS_RUN_LVL && !vtr_span_is(user, "shutdown"))
		return 0;
	vtr_draft_begin(&d, os, "logins", path, err);
	vtr_draft_text(&d, "type", type == LOGINS_BOOT_TIME ? "boot" : type == LOGINS_RUN_LVL ? "shutdown" : "login");
	vtr_draft_text(&d, "time", time);
	if (type == LOGINS_USER_PROCESS) {
		vtr_draft_span(&d, "user", user);
		vtr_draft_span(&d, "terminal", logins_text(p + 8, 32));
		vtr_draft_span(&d, "host", logins_text(p + 76, 256));
	} else {
		vtr_draft_span(&d, "kernel", logins_text(p + 76, 256));
	}
	return vtr_draft_end(&d);
}

static int logins_parse(struct vtr_os *os, const char *path, const uint8_t *p, size_t len, size_t size,
			struct vtr_error *err)
{
	char last_boot[48] = "";
	size_t at, strange = 0;

	for (at = 0; len - at >= size; at += size) {
		if (vtr_get_le16(p + at) >= LOGINS_TYPES)
			strange++;
		else if (logins_add(os, path, p + at, size, last_boot, err) < 0)
			return -1;
	}
	if (strange > 0)
		vtr_os_warn(os, path, VTR_ECORRUPT, "%zu records of no known type are left out", strange);
	if (at < len)
		vtr_os_warn(os, path, VTR_ETRUNCATED, "the last record has %zu bytes of %zu, and is left out", len - at,
			    size);
	return last_boot[0] ? vtr_os_add_text(os, "last_boot", last_boot, path, err) : 0;
}

int vtr_wtmp_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	const uint8_t *p = (const uint8_t *)text;

	return logins_parse(os, path, p, len, logins_record(p, len), err);
}

/*
 * Offsets in a journal's header, little endian: "LPKSHHRH" at 0; 192: the time of the last entry, in microseconds since
 * 1970; 200: the same since the boot. Their difference is when that boot was.
 */
int vtr_journal_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	const uint8_t *p = (const uint8_t *)text;
	struct vtr_time t = { .set = true };
	uint64_t real, up;
	char time[48];

	if (len < LOGINS_HEADER || memcmp(p, "LPKSHHRH", 8) != 0) {
		vtr_os_warn(os, path, len < LOGINS_HEADER ? VTR_ETRUNCATED : VTR_ECORRUPT, "%s",
			    len < LOGINS_HEADER ? "shorter than a journal's header" : "not a journal");
		return 0;
	}
	real = vtr_get_le64(p + 192);
	up = vtr_get_le64(p + 200);
	if (real == 0 || real >= (uint64_t)UINT32_MAX * 1000000 || up >= real)
		return 0;
	t.sec = (int64_t)(real / 1000000);
	t.nsec = (uint32_t)(real % 1000000) * 1000;
	if (vtr_time_text(time, sizeof(time), &t) < sizeof(time) &&
	    vtr_os_add_text(os, "last_activity", time, path, err) < 0)
		return -1;
	t.sec = (int64_t)((real - up) / 1000000);
	t.nsec = (uint32_t)((real - up) % 1000000) * 1000;
	if (vtr_time_text(time, sizeof(time), &t) >= sizeof(time))
		return 0;
	return vtr_os_add_text(os, "last_boot", time, path, err);
}

/* The last records of the file: all of a short one. */
static int logins_wtmp_read(struct vtr_os *os, const char *path, struct vtr_error *err)
{
	const size_t max = ((size_t)LOGINS_MAX + 1) * LOGINS_LONG;
	VTR_FREE uint8_t *text = vtr_calloc(1, max, err);
	uint64_t size = 0, records, off;
	size_t record, len;
	ssize_t n = text ? vtr_os_peek(text, LOGINS_SAMPLE * LOGINS_LONG, 0, &size, os, path, err) : -1;

	if (n <= 0)
		return (int)n;
	record = logins_record(text, (size_t)n);
	records = size / record;
	off = records > LOGINS_MAX ? (records - LOGINS_MAX) * record : 0;
	len = (size_t)(size - off); /* less than a record more than LOGINS_MAX */
	n = vtr_os_peek(text, len, off, NULL, os, path, err);
	return n <= 0 ? (int)n : logins_parse(os, path, text, (size_t)n, record, err);
}

static int logins_journal_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	uint8_t head[LOGINS_HEADER];
	VTR_FREE char *path = NULL;
	struct vtr_str s = { 0 };
	ssize_t n;

	(void)arg;
	if (e->type != VTR_TYPE_DIR)
		return 0;
	vtr_str_puts(&s, e->path);
	vtr_str_puts(&s, "/system.journal");
	path = vtr_str_take(&s, err);
	n = path ? vtr_os_peek(head, sizeof(head), 0, NULL, os, path, err) : -1;
	return n <= 0 ? (int)n : vtr_journal_parse(os, path, (const char *)head, (size_t)n, err);
}

int vtr_logins_read(struct vtr_os *os, struct vtr_error *err)
{
	if (logins_wtmp_read(os, "/var/log/wtmp", err) < 0)
		return -1;
	return vtr_os_list(os, "/var/log/journal", logins_journal_entry, NULL, err);
}
