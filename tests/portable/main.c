/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What differs between C libraries and processors, tried by a program that needs no library but libc. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

static int failed;

static void expect(int ok, const char *what)
{
	if (ok)
		return;
	printf("FAILED: %s\n", what);
	failed = 1;
}

int main(void)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct vtr_error err = { 0 };

	/* strerror_r() has two shapes. Every C library has these words for ENOENT. */
	expect(vtr_fail_errno(&err, VTR_EIO, ENOENT, "%s", "disk") == -1, "vtr_fail_errno()");
	expect(strcmp(err.text, "disk: No such file or directory") == 0, "the text of ENOENT");
	expect(err.posix == ENOENT, "the errno of an error");
	expect(vtr_fail_errno(&err, VTR_EIO, 99999, "disk") == -1, "vtr_fail_errno()");
	expect(strlen(err.text) > strlen("disk: "), "the text of an errno that is none");
	expect(vtr_get_le32(bytes + 1) == 0x05040302u, "little endian, unaligned");
	expect(vtr_get_be64(bytes) == 0x0102030405060708u, "big endian");
	return failed;
}
