/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the seeds of vdi, parallels, parallels_hdd, qed, qcow1, bochs and sparseimage into the folders of these names
 * in the folder that is named: the small images of the tests, and chains of them.
 *
 *	cc -I. -D_GNU_SOURCE fuzz/seeds/mk-small.c tests/small_images.c tests/qcow2_images.c tests/part_images.c \
 *		build/release/libvitrine.a $(pkg-config --libs cmocka ext2fs expat libdeflate libzstd zlib liblzma \
 *		liblz4 libcrypto sqlite3) -o mk-small && ./mk-small fuzz/seeds
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/small_images.h"

static const char *seeds;

static void put(const char *folder, const char *name, const void *bytes, size_t len, const char *mode)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", seeds, folder);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", seeds, folder, name);
	f = fopen(path, mode);
	if (!f || fwrite(bytes, 1, len, f) != len || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

static void put_image(const char *folder, const char *name, struct small_image *s)
{
	put(folder, name, s->bytes, s->len, "w");
	small_done(s);
}

/* The first two are filled up to blocks of 512 bytes; fill is what a document may end with. */
static void put_chain(const char *folder, const char *name, struct small_image *of, unsigned n, char fill)
{
	char mark[7] = { 'c', 'h', 'a', 'i', 'n', 0, 0 }, more[512];

	memset(more, fill, sizeof(more));
	for (unsigned i = 0; i < 2 && i < n; i++)
		mark[5 + i] = (char)((of[i].len + 511) / 512);
	put(folder, name, mark, sizeof(mark), "w");
	for (unsigned i = 0; i < n; i++) {
		put(folder, name, of[i].bytes, of[i].len, "a");
		if (i < 2)
			put(folder, name, more, (512 - of[i].len % 512) % 512, "a");
		small_done(&of[i]);
	}
}

static void make_vdi(void)
{
	static const struct small_vdi how[] = {
		{ 1, 1, 400, 0x200, 0x400, 0, 0x11, 0x22, 0, 0, 1 },
		{ 1, 1, 384, 0x1c8, 0x1ec, 24, 0x11, 0x22, 0, 0, 2 },
		{ 2, 1, 400, 0x200, 0x400, 0, 0x11, 0x22, 0, 0, 3 },
		{ 1, 0, 0, 0, 0, 0, 0x11, 0x22, 0, 0, 4 },
	};
	static const char *const names[] = { "dynamic", "odd", "fixed", "old" };
	struct small_image of[3];

	for (unsigned i = 0; i < 4; i++) {
		small_vdi(&of[0], &how[i]);
		put_image("vdi", names[i], &of[0]);
	}
	/* The last digit of a UUID chooses the image, modulo 3: '1' is 49, '2' is 50. */
	small_vdi(&of[0], &(struct small_vdi){ 4, 1, 400, 0x200, 0x400, 0, 0x33, 0x44, 0x11, 0x22, 5 });
	small_vdi(&of[1], &(struct small_vdi){ 4, 1, 400, 0x200, 0x400, 0, 0x11, 0x22, 0x22, 0x55, 6 });
	small_vdi(&of[2], &(struct small_vdi){ 1, 1, 400, 0x200, 0x400, 0, 0x22, 0x55, 0, 0, 7 });
	put_chain("vdi", "chain", of, 3, 0);
	small_vdi(&of[0], &(struct small_vdi){ 3, 1, 400, 0x200, 0x400, 0, 0x33, 0x44, 0x11, 0x99, 5 });
	small_vdi(&of[1], &(struct small_vdi){ 2, 0, 0, 0, 0, 0, 0x11, 0x22, 0, 0, 6 });
	put_chain("vdi", "chain-undo", of, 2, 0);
}

#define DOC(images, shots)                                                                                             \
	"<Parallels_disk_image Version=\"1.0\"><Disk_Parameters><Disk_size>17</Disk_size><Padding>0</Padding>"         \
	"</Disk_Parameters><StorageData>" images "</StorageData><Snapshots>" shots                                     \
	"</Snapshots></Parallels_disk_image>"
#define TOP "{5fbaabe3-6958-40ff-92a7-860e329aab41}"
#define ONE "{11111111-1111-1111-1111-111111111111}"
#define IMAGE(guid, type, file) "<Image><GUID>" guid "</GUID><Type>" type "</Type><File>" file "</File></Image>"
#define STORAGE(start, end, images) "<Storage><Start>" #start "</Start><End>" #end "</End>" images "</Storage>"
#define SHOT(guid, parent) "<Shot><GUID>" guid "</GUID><ParentGUID>" parent "</ParentGUID></Shot>"
#define NONE "{00000000-0000-0000-0000-000000000000}"

static void make_parallels(void)
{
	static const char *const docs[] = {
		DOC(STORAGE(0, 17, IMAGE(TOP, "Compressed", "1") IMAGE(ONE, "Compressed", "2")),
		    SHOT(TOP, ONE) SHOT(ONE, NONE)),
		DOC(STORAGE(0, 10, IMAGE(TOP, "Compressed", "1")) STORAGE(10, 17, IMAGE(TOP, "Plain", "2")),
		    SHOT(TOP, NONE)),
		DOC(STORAGE(0, 17, IMAGE(ONE, "Plain", "1")), "<TopGUID>" ONE "</TopGUID>" SHOT(ONE, NONE)),
	};
	static const char *const names[] = { "snapshot", "split", "plain" };
	struct small_image of[3];

	small_parallels(&of[0], 0, 1);
	put_image("parallels", "old", &of[0]);
	small_parallels(&of[0], 1, 2);
	put_image("parallels", "ext", &of[0]);
	/* A cluster with a format extension: a bitmap. Its checksum fits when fuzzing. */
	small_parallels(&of[0], 1, 3);
	small_le(of[0].bytes + 56, 8, 8);
	memset(of[0].bytes + 8 * 512, 0, 1024);
	small_le(of[0].bytes + 8 * 512, 8, 0xab234cef23dcea87);
	small_le(of[0].bytes + 8 * 512 + 24, 8, 0x20385fae252cb34a);
	small_le(of[0].bytes + 8 * 512 + 40, 4, 40);
	put_image("parallels", "bitmap", &of[0]);
	for (unsigned i = 0; i < 3; i++) {
		of[0].bytes = (uint8_t *)strdup(docs[i]);
		of[0].len = strlen(docs[i]);
		of[0].disk = NULL;
		put("parallels_hdd", names[i], of[0].bytes, of[0].len, "w");
		small_parallels(&of[1], 1, 1);
		small_parallels(&of[2], 0, 2);
		put_chain("parallels_hdd",
			  i == 0   ? "chain-snapshot"
			  : i == 1 ? "chain-split"
				   : "chain-plain",
			  of, 3, ' ');
	}
}

int main(int argc, char **argv)
{
	struct small_image of[3];

	seeds = argc > 1 ? argv[1] : ".";
	make_vdi();
	make_parallels();
	small_qed(&of[0]);
	put_image("qed", "plain", &of[0]);
	for (unsigned i = 0; i < 2; i++) {
		small_qed(&of[i]);
		small_le(of[i].bytes + 16, 8, 1);
		small_le(of[i].bytes + 56, 4, 64);
		small_le(of[i].bytes + 60, 4, 1);
		of[i].bytes[64] = (uint8_t)('1' + i);
	}
	small_qed(&of[2]);
	put_chain("qed", "chain", of, 3, 0);
	small_qcow1(&of[0]);
	put_image("qcow1", "plain", &of[0]);
	for (unsigned i = 0; i < 2; i++) {
		small_qcow1(&of[i]);
		small_be(of[i].bytes + 8, 8, 80);
		small_be(of[i].bytes + 16, 4, 1);
		of[i].bytes[80] = (uint8_t)('1' + i);
	}
	small_qcow1(&of[2]);
	put_chain("qcow1", "chain", of, 3, 0);
	for (unsigned version = 1; version <= 2; version++) {
		small_bochs(&of[0], version);
		put_image("bochs", version == 1 ? "v1" : "v2", &of[0]);
	}
	small_sparse(&of[0]);
	put_image("sparseimage", "plain", &of[0]);
	return 0;
}
