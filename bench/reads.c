/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads 4 KiB at places all over a disk image: reads READER IMAGE COUNT STEP. The places are those of
 * `qemu-img bench -s 4096 -S STEP`: each STEP bytes after the one before it, round and round. READER is vitrine, or a
 * library that was there when this was compiled: qcow, vhdi, vmdk.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/vitrine.h"

#define READ 4096u

typedef int reader(void *disk, uint64_t off, uint8_t *buf);

static void die(const char *what)
{
	fprintf(stderr, "reads: %s\n", what);
	exit(1);
}

static void go(reader *read, void *disk, uint64_t size, uint64_t count, uint64_t step)
{
	uint64_t off = 0, sum = 0;
	uint8_t buf[READ];

	if (size < READ)
		die("too small");
	for (uint64_t i = 0; i < count; i++) {
		if (off > size - READ)
			off %= size - READ + 1;
		if (read(disk, off, buf) != 0)
			die("a read failed");
		for (size_t k = 0; k < READ; k += 512)
			sum = sum * 31 + buf[k];
		off += step;
	}
	printf("%" PRIx64 "\n", sum);
}

static int vitrine_read(void *disk, uint64_t off, uint8_t *buf)
{
	return vtr_blk_pread(disk, off, buf, READ, NULL);
}

static void vitrine(const char *path, uint64_t count, uint64_t step)
{
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct vtr_error err = { 0 };
	struct vtr_blk *b;

	if (!ctx || vtr_image_open(&b, ctx, path, NULL, &err) < 0)
		die(err.text);
	go(vitrine_read, b, vtr_blk_size(b), count, step);
	vtr_blk_unref(b);
	vtr_ctx_unref(ctx);
}

/* The libraries of one family, whose functions are alike but for their names. */
#define LIBYAL(lib, type, open_more)                                                                                   \
	static int lib##_read(void *disk, uint64_t off, uint8_t *buf)                                                  \
	{                                                                                                              \
		return lib##_##type##_read_buffer_at_offset(disk, buf, READ, (off64_t)off, NULL) == READ ? 0 : -1;     \
	}                                                                                                              \
	static void lib(const char *path, uint64_t count, uint64_t step)                                               \
	{                                                                                                              \
		lib##_##type##_t *f = NULL;                                                                            \
		uint64_t size = 0;                                                                                     \
		if (lib##_##type##_initialize(&f, NULL) != 1 ||                                                        \
		    lib##_##type##_open(f, path, lib##_get_access_flags_read(), NULL) != 1 || !(open_more) ||          \
		    lib##_##type##_get_media_size(f, &size, NULL) != 1)                                                \
			die(#lib " cannot open it");                                                                   \
		go(lib##_read, f, size, count, step);                                                                  \
		lib##_##type##_free(&f, NULL);                                                                         \
	}

#ifdef HAVE_LIBQCOW
#include <libqcow.h>
LIBYAL(libqcow, file, true)
#endif
#ifdef HAVE_LIBVHDI
#include <libvhdi.h>
LIBYAL(libvhdi, file, true)
#endif
#ifdef HAVE_LIBVMDK
#include <libvmdk.h>
LIBYAL(libvmdk, handle, libvmdk_handle_open_extent_data_files(f, NULL) == 1)
#endif

static const struct {
	const char *name;
	void (*run)(const char *path, uint64_t count, uint64_t step);
} readers[] = {
	{ "vitrine", vitrine },
#ifdef HAVE_LIBQCOW
	{ "libqcow", libqcow },
#endif
#ifdef HAVE_LIBVHDI
	{ "libvhdi", libvhdi },
#endif
#ifdef HAVE_LIBVMDK
	{ "libvmdk", libvmdk },
#endif
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 5 && i < sizeof(readers) / sizeof(readers[0]); i++) {
		if (strcmp(argv[1], readers[i].name) == 0) {
			readers[i].run(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
			return 0;
		}
	}
	die("usage: reads READER IMAGE COUNT STEP");
}
