/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A whole tree of thousands of files, entry by entry, against the kernel's own mount where that is possible, else
 * against debugfs: what of the running system lies in /etc, /usr/share and /var/lib/dpkg, copied by mke2fs; and with
 * VTR_GUEST=IMAGE a volume of a whole system.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/ext_images.h"
#include "tests/part_images.h"

static char *dir;

/* Some thousand files of the running system. */
static void tree_gather(void)
{
	part_run(
		"set -e; mkdir -p '%s/sys/usr/share' '%s/sys/var/lib'; cd /; "
		"tar -cf - --ignore-failed-read --warning=none --exclude=shadow\\* etc $(find usr/share -mindepth 1 -maxdepth 2 | "
		"head -n 300) $(test -d var/lib/dpkg && echo var/lib/dpkg) 2>/dev/null | head -c 40000000 | "
		"tar -C '%s/sys' -xf - 2>/dev/null || true; find '%s/sys' | wc -l >'%s/count'",
		dir, dir, dir, dir, dir);
}

static void tree_of_a_system(void **state)
{
	static const char *const arguments[] = { "-t ext4 -O inline_data -N 60000", "-t ext3 -b 1024 -N 60000" };
	char image[512], scratch[512], *count;

	(void)state;
	if (!part_has_tool("mke2fs") || !part_has_tool("debugfs"))
		skip();
	tree_gather();
	count = ext_output("cat '%s/count'", dir);
	snprintf(image, sizeof(image), "%s/image", dir);
	snprintf(scratch, sizeof(scratch), "%s/scratch", dir);
	for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++) {
		char tree[512];

		snprintf(tree, sizeof(tree), "%s/sys", dir);
		ext_make_image(image, tree, arguments[i], "150M");
		ext_compare(image, scratch, (size_t)atoi(count));
	}
	free(count);
}

/* The same by both witnesses, whatever is possible here. */
static void tree_by_debugfs(void **state)
{
	char image[512], tree[512], scratch[512];
	struct ext_opened o;
	size_t differ;

	(void)state;
	if (!part_has_tool("mke2fs") || !part_has_tool("debugfs"))
		skip();
	snprintf(image, sizeof(image), "%s/small", dir);
	snprintf(tree, sizeof(tree), "%s/made", dir);
	snprintf(scratch, sizeof(scratch), "%s/scratch", dir);
	ext_make_tree(tree, 50);
	part_run("rm '%s/hole'", tree); /* debugfs writes every byte of it */
	ext_make_image(image, tree, "-t ext4", "32M");
	ext_open_file(&o, image, NULL);
	assert_non_null(o.fs);
	assert_true(ext_compare_debugfs(&o, image, scratch, &differ) > 100);
	assert_int_equal(0, differ);
	ext_done(&o);
}

static void tree_of_a_guest(void **state)
{
	const char *guest = getenv("VTR_GUEST");
	char scratch[512];

	(void)state;
	if (!guest || !guest[0])
		skip();
	snprintf(scratch, sizeof(scratch), "%s/scratch", dir);
	ext_compare(guest, scratch, 1000);
}

static int tree_setup(void **state)
{
	(void)state;
	dir = part_temp();
	return 0;
}

static int tree_teardown(void **state)
{
	(void)state;
	part_run("chmod -R u+rwx '%s' 2>/dev/null || true", dir);
	part_temp_done(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tree_of_a_system),
		cmocka_unit_test(tree_by_debugfs),
		cmocka_unit_test(tree_of_a_guest),
	};

	return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
