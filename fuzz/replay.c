/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A main() for any fuzz target that is built without libFuzzer: replay the files that are named, and those in the
 * folders that are. A folder that is not there is an empty one.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz/fuzz.h"

static size_t replayed;

static void replay_fail(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	exit(1);
}

static void replay_file(const char *path, uint64_t size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(size ? size : 1);

	if (!f || !data || fread(data, 1, size, f) != size)
		replay_fail(path);
	fclose(f);
	/* Whatever happens next, the last line tells with which input. */
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	replayed++;
}

static void replay(const char *path)
{
	struct dirent **names = NULL;
	struct stat st;
	int n;

	if (stat(path, &st) < 0) {
		if (errno == ENOENT)
			return;
		replay_fail(path);
	}
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path, (uint64_t)st.st_size);
		return;
	}
	n = scandir(path, &names, NULL, alphasort);
	if (n < 0)
		replay_fail(path);
	for (int i = 0; i < n; i++) {
		char *below;

		if (names[i]->d_name[0] != '.') {
			if (asprintf(&below, "%s/%s", path, names[i]->d_name) < 0)
				replay_fail(path);
			replay(below);
			free(below);
		}
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%zu inputs\n", replayed);
	return 0;
}
