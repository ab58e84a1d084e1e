/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bounded reading of bytes. A cursor knows where its bytes end and where they came from. Asking for more than is left
 * sets `bad`, which stays, and yields zeros: a parser reads straight through and asks once, before it uses a value.
 */
#ifndef VTR_BASE_BYTES_H
#define VTR_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct vtr_cur {
	const uint8_t *base, *p, *end;
	uint64_t origin; /* offset of base in its block source, for messages */
	bool bad;	 /* sticky: something was asked for past the end */
};

static inline struct vtr_cur vtr_cur_of(const void *bytes, size_t len, uint64_t origin)
{
	const uint8_t *p = bytes;

	return (struct vtr_cur){ .base = p, .p = p, .end = p + len, .origin = origin };
}

static inline size_t vtr_cur_len(const struct vtr_cur *c)
{
	return (size_t)(c->end - c->base);
}

static inline size_t vtr_cur_left(const struct vtr_cur *c)
{
	return (size_t)(c->end - c->p);
}

/* The next len bytes, or NULL and bad. */
static inline const uint8_t *vtr_cur_take(struct vtr_cur *c, size_t len)
{
	const uint8_t *p = c->p;

	if (c->bad || len > (size_t)(c->end - p)) {
		c->bad = true;
		return NULL;
	}
	c->p += len;
	return p;
}

/* Go to an offset from the start of the bytes. */
static inline void vtr_cur_seek(struct vtr_cur *c, size_t at)
{
	if (at > vtr_cur_len(c))
		c->bad = true;
	else
		c->p = c->base + at;
}

static inline void vtr_cur_skip(struct vtr_cur *c, size_t len)
{
	(void)vtr_cur_take(c, len);
}

/* The bytes are there: for memory whose length was checked. */
static inline uint16_t vtr_get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t vtr_get_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t vtr_get_le64(const uint8_t *p)
{
	return vtr_get_le32(p) | (uint64_t)vtr_get_le32(p + 4) << 32;
}

static inline uint16_t vtr_get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t vtr_get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static inline uint64_t vtr_get_be64(const uint8_t *p)
{
	return (uint64_t)vtr_get_be32(p) << 32 | vtr_get_be32(p + 4);
}

static inline uint8_t vtr_cur_u8(struct vtr_cur *c)
{
	const uint8_t *p = vtr_cur_take(c, 1);

	return p ? p[0] : 0;
}

static inline uint16_t vtr_cur_le16(struct vtr_cur *c)
{
	const uint8_t *p = vtr_cur_take(c, 2);

	return p ? vtr_get_le16(p) : 0;
}

static inline uint32_t vtr_cur_le32(struct vtr_cur *c)
{
	const uint8_t *p = vtr_cur_take(c, 4);

	return p ? vtr_get_le32(p) : 0;
}

static inline uint64_t vtr_cur_le64(struct vtr_cur *c)
{
	const uint8_t *p = vtr_cur_take(c, 8);

	return p ? vtr_get_le64(p) : 0;
}

static inline uint16_t vtr_cur_be16(struct vtr_cur *c)
{
	const uint8_t *p = vtr_cur_take(c, 2);

	return p ? vtr_get_be16(p) : 0;
}

static inline uint32_t vtr_cur_be32(struct vtr_cur *c)
{
	const uint8_t *p = vtr_cur_take(c, 4);

	return p ? vtr_get_be32(p) : 0;
}

static inline uint64_t vtr_cur_be64(struct vtr_cur *c)
{
	const uint8_t *p = vtr_cur_take(c, 8);

	return p ? vtr_get_be64(p) : 0;
}

static inline void vtr_cur_bytes(struct vtr_cur *c, void *out, size_t len)
{
	const uint8_t *p = vtr_cur_take(c, len);

	if (p)
		memcpy(out, p, len);
	else
		memset(out, 0, len);
}

#endif
