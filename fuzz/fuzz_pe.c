/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs of Windows: whatever the headers say, texts are text, and the same is read twice. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "inspect/pe.h"

static void fuzz_text(const char *s)
{
	FUZZ_CHECK(strnlen(s, VTR_PE_TEXT) < VTR_PE_TEXT && vtr_utf8_is(s, strlen(s)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VTR_UNREF struct vtr_blk *b = fuzz_blk(data, len);
	struct vtr_pe_version v = { 0 }, again = { 0 };
	struct vtr_error err = { 0 };
	size_t text_len = 0;
	uint64_t at = 0;
	char *text = NULL;
	struct vtr_pe pe;
	int rc;

	if (vtr_pe_read(&pe, b, &err) < 0) {
		FUZZ_CHECK(err.code != 0 && err.text[0]);
		return 0;
	}
	rc = vtr_pe_section(&text, &text_len, &at, &pe, b, ".rsrc", 64, &err);
	FUZZ_CHECK(rc >= 0 ? rc == 0 || (text_len <= 64 && at + text_len <= len) : err.code != 0);
	free(text);
	rc = vtr_pe_read_version(&v, &pe, b, &err);
	FUZZ_CHECK(rc >= 0 || err.code != 0);
	FUZZ_CHECK(rc == vtr_pe_read_version(&again, &pe, b, NULL) && memcmp(&v, &again, sizeof(v)) == 0);
	fuzz_text(v.company);
	fuzz_text(v.description);
	fuzz_text(v.file_version);
	fuzz_text(v.product_name);
	fuzz_text(v.product_version);
	fuzz_text(v.original_name);
	return 0;
}
