/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/spool.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/hostfile.h"

#define SPOOL_GRAIN 4096u /* zeros of this size and alignment become holes */
#define SPOOL_ZEROS 4u	  /* zeros that are left out take no room, but time: so many count as one byte */

/* --------------------------------------------------------------------------------------------------------- account */

int vtr_decoded_add(struct vtr_decoded *d, uint64_t bytes, struct vtr_error *err)
{
	uint64_t decoded = atomic_fetch_add(&d->decoded, bytes) + bytes, delivered = atomic_load(&d->delivered);
	uint64_t over = decoded > delivered ? decoded - delivered : 0, most;
	const struct vtr_limits *l = &d->ctx->lim;

	if (vtr_ctx_check(d->ctx, err) < 0)
		return -1;
	if (!vtr_mul_over(d->stored, l->ratio, &most) && !vtr_add_over(most, VTR_DECODED_FREE, &most) && over > most)
		return vtr_fail(err, VTR_ELIMIT,
				"%" PRIu64 " bytes decoded of a file of %" PRIu64
				", beyond those that were read, limit ratio=%" PRIu64,
				over, d->stored, l->ratio);
	if (over / VTR_DECODED_STEP > l->steps)
		return vtr_fail(err, VTR_ELIMIT,
				"%" PRIu64 " KiB decoded, beyond those that were read, limit steps=%" PRIu64,
				over / VTR_DECODED_STEP, l->steps);
	return 0;
}

void vtr_decoded_deliver(struct vtr_decoded *d, uint64_t bytes)
{
	atomic_fetch_add_explicit(&d->delivered, bytes, memory_order_relaxed);
}

/* ------------------------------------------------------------------------------------------------------------ file */

void vtr_spool_init(struct vtr_spool *s, struct vtr_ctx *ctx)
{
	*s = (struct vtr_spool){ .ctx = ctx, .fd = -1 };
}

int vtr_spool_open(struct vtr_spool *s, struct vtr_error *err)
{
	return vtr_hostfile_temp(&s->fd, err);
}

void vtr_spool_done(struct vtr_spool *s)
{
	if (!s->ctx) /* never made */
		return;
	if (s->fd >= 0)
		close(s->fd);
	vtr_spool_uncount(s, atomic_load(&s->counted));
	s->fd = -1;
}

static int spool_put(struct vtr_spool *s, uint64_t off, const uint8_t *p, size_t len, struct vtr_error *err)
{
	while (len > 0) {
		ssize_t n = pwrite(s->fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vtr_fail_errno(err, VTR_EIO, errno, "writing %zu bytes to the temporary file", len);
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int spool_count(struct vtr_spool *s, size_t len, uint64_t *counted, struct vtr_error *err)
{
	*counted += len;
	atomic_fetch_add(&s->counted, len);
	return VTR_OVER(s->ctx, spool, atomic_fetch_add(&s->ctx->spool, len) + len, "bytes of decompressed image", err);
}

void vtr_spool_uncount(struct vtr_spool *s, uint64_t counted)
{
	atomic_fetch_sub(&s->counted, counted);
	atomic_fetch_sub(&s->ctx->spool, counted);
}

int vtr_spool_write(struct vtr_spool *s, uint64_t off, const uint8_t *p, size_t len, uint64_t *counted,
		    struct vtr_error *err)
{
	size_t from = 0, at = 0, zeros = 0;

	while (at < len) {
		size_t n = VTR_MIN(len - at, (size_t)(SPOOL_GRAIN - (off + at) % SPOOL_GRAIN));

		if (p[at] == 0 && memcmp(p + at, p + at + 1, n - 1) == 0) {
			if (spool_count(s, at - from, counted, err) < 0 ||
			    spool_put(s, off + from, p + from, at - from, err) < 0)
				return -1;
			from = at + n;
			zeros += n;
		}
		at += n;
	}
	if (spool_count(s, at - from + zeros / SPOOL_ZEROS, counted, err) < 0)
		return -1;
	return spool_put(s, off + from, p + from, at - from, err);
}

int vtr_spool_read(struct vtr_spool *s, uint64_t off, uint8_t *buf, size_t len, struct vtr_error *err)
{
	while (len > 0) {
		ssize_t n = pread(s->fd, buf, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vtr_fail_errno(err, VTR_EIO, errno, "reading the temporary file");
		if (n == 0) {
			memset(buf, 0, len);
			break;
		}
		buf += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

bool vtr_spool_hole(uint64_t *len, struct vtr_spool *s, uint64_t off, uint64_t end)
{
	off_t at = lseek(s->fd, (off_t)off, SEEK_DATA);

	*len = end - off;
	if (at < 0 && errno == ENXIO)
		at = (off_t)end;
	if (at > (off_t)off) {
		*len = VTR_MIN((uint64_t)at, end) - off;
		return true;
	}
	at = lseek(s->fd, (off_t)off, SEEK_HOLE);
	if (at > (off_t)off)
		*len = VTR_MIN((uint64_t)at, end) - off;
	return false;
}
