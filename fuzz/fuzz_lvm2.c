/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LVM2. The first byte says what follows: an even number, a physical volume; an odd one, a text, which is put on a
 * physical volume as lvm2 would. Either is given twice, so that there are duplicates, too.
 */
#include "base/bytes.h"
#include "fuzz/fuzz.h"

#include <string.h>

#define PV_LEN 131072u
#define AREA_AT 4096u
#define AREA_LEN 61440u

static void lvm2_put(uint8_t *p, unsigned width, uint64_t v)
{
	for (unsigned i = 0; i < width; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* Checksums are not compared here. */
static uint8_t *lvm2_volume(size_t *len, const uint8_t *text, size_t text_len)
{
	uint8_t *p = calloc(1, PV_LEN);

	FUZZ_CHECK(p);
	text_len = text_len < AREA_LEN - 512 ? text_len : AREA_LEN - 512;
	memcpy(p + 512, "LABELONE", 8);
	lvm2_put(p + 520, 8, 1);
	lvm2_put(p + 532, 4, 32);
	memcpy(p + 536, "LVM2 001aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 40);
	lvm2_put(p + 576, 8, PV_LEN);
	lvm2_put(p + 584, 8, 65536);
	lvm2_put(p + 616, 8, AREA_AT);
	lvm2_put(p + 624, 8, AREA_LEN);
	memcpy(p + AREA_AT + 4, " LVM2 x[5A%r0N*>", 16);
	lvm2_put(p + AREA_AT + 0x14, 4, 1);
	lvm2_put(p + AREA_AT + 0x18, 8, AREA_AT);
	lvm2_put(p + AREA_AT + 0x20, 8, AREA_LEN);
	lvm2_put(p + AREA_AT + 0x28, 8, 512);
	lvm2_put(p + AREA_AT + 0x30, 8, text_len);
	if (text_len > 0)
		memcpy(p + AREA_AT + 512, text, text_len);
	*len = PV_LEN;
	return p;
}

/* What holds of every volume. */
static void lvm2_check(struct vtr_volumes *v, size_t i, size_t n_in)
{
	const struct vtr_volume *o = vtr_volumes_at(v, i);
	VTR_UNREF struct vtr_blk *b = NULL;
	struct vtr_error err = { 0 };
	struct vtr_extent e;
	uint8_t buf[2][600];
	uint64_t at = 0;

	FUZZ_CHECK(o && o->name && o->alias && o->set && o->uuid && o->kind);
	FUZZ_CHECK((o->state == VTR_STATE_COMPLETE) == (o->problem == NULL));
	for (size_t k = 0; k < o->n_inputs; k++)
		FUZZ_CHECK(o->inputs[k] < n_in && (k == 0 || o->inputs[k] > o->inputs[k - 1]));
	FUZZ_CHECK(vtr_volumes_blk(&b, v, i, NULL) == 0 && vtr_blk_size(b) == o->size);
	for (int steps = 0; at < o->size && steps < 200; steps++) {
		if (vtr_blk_extent(&e, b, at, &err) < 0) {
			FUZZ_CHECK(err.code != VTR_OK && err.text[0]);
			break;
		}
		FUZZ_CHECK(e.len > 0 && e.len <= o->size - at);
		for (int k = 0; k < 2; k++)
			if (vtr_blk_pread(b, at, buf[k], e.len < sizeof(buf[k]) ? e.len : sizeof(buf[k]), &err) < 0)
				memset(buf[k], 0, sizeof(buf[k]));
		FUZZ_CHECK(memcmp(buf[0], buf[1], e.len < sizeof(buf[0]) ? e.len : sizeof(buf[0])) == 0);
		at += e.len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vtr_volumes *v = NULL;
	struct vtr_error err = { 0 };
	struct vtr_blk *in[2] = { NULL, NULL };
	uint8_t *made = NULL;
	struct vtr_ctx *ctx;

	if (len == 0)
		return 0;
	if (data[0] & 1)
		data = made = lvm2_volume(&len, data + 1, len - 1);
	else
		data++, len--;
	ctx = fuzz_ctx();
	for (int i = 0; i < 2; i++)
		FUZZ_CHECK(vtr_blk_memory(&in[i], ctx, data, len, NULL) == 0);
	if (vtr_volumes_open(&v, in, 2, &err) < 0)
		FUZZ_CHECK(err.code != VTR_OK && err.text[0]);
	else
		for (size_t i = 0; i < vtr_volumes_count(v); i++)
			lvm2_check(v, i, 2);
	vtr_volumes_close(v);
	vtr_blk_unref(in[0]);
	vtr_blk_unref(in[1]);
	vtr_ctx_unref(ctx);
	free(made);
	return 0;
}
