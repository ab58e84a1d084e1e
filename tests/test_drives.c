/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trees with drives: paths by "Naming Files, Paths, and Namespaces" and by the names of the kernel's objects, over volumes
 * that debugfs makes.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/ext_images.h"
#include "tests/part_images.h"

#define GUID "656b1715-ecf6-11df-92e6-806e6f6e6963"
#define OTHER "00000000-0000-0000-0000-00000000000a"

static char *dir, image[512], other[512], third[512];
static bool tools;

static void drives_make(void)
{
	char script[4096];

	part_run("for i in image other third; do mke2fs -q -F -t ext4 -b 1024 \"%s/$i\" 2M >/dev/null 2>&1; done", dir);
	snprintf(
		script, sizeof(script),
		"mkdir Windows\nmkdir Windows/System32\nmkdir Users\nmkdir Users/alice\nmkdir DosDevices\n"
		"symlink junction /Users\nsymlink there /D:/data\nsymlink letter D:\\Data\nsymlink volume /Volume{" OTHER
		"}\n"
		"symlink rooted \\Users\nsymlink relative ..\\Users\nsymlink share //server/share\n"
		"symlink moved /D:/moved\nsymlink nothing /nothing\nsymlink root %%SystemRoot%%\\System32\nsymlink gone X:\\y\nsymlink loop C:\\loop\n");
	ext_debugfs(image, script);
	ext_debugfs(
		other,
		"mkdir moved\nmkdir moved/in\nmkdir data\nmkdir data/inner\nsymlink back C:\\Users\nsymlink own /data\nsymlink up ..\\data\n");
	ext_debugfs(third, "mkdir here\n");
}

/* Where a path leads, and how it is shown: "C", "D" or "V" and the path there; NULL: an error. */
static const struct path {
	const char *path, *volume, *at, *shown, *words;
} paths[] = {
	{ "C:\\", "C", "/", "/", NULL },
	{ "c:", "C", "/", "/", NULL },
	{ "/", "C", "/", "/", NULL },
	{ "\\", "C", "/", "/", NULL },
	{ "C:\\WINDOWS\\system32", "C", "/Windows/System32", "/WINDOWS/system32", NULL },
	{ "C:/Windows\\System32/", "C", "/Windows/System32", "/Windows/System32/", NULL },
	{ "windows", "C", "/Windows", "windows", NULL },
	{ "D:\\DATA\\Inner", "D", "/data/inner", "D:/DATA/Inner", NULL },
	{ "d:data", NULL, NULL, "d:data", "\"d:data\"" }, /* from where a program was, which nobody knows */
	{ "D:\\..\\..\\data", "D", "/data", "D:/../../data", NULL },
	{ "\\\\?\\D:\\data", "D", "/data", "D:/data", NULL },
	{ "//?/d:/data", "D", "/data", "D:/data", NULL },
	{ "\\\\.\\D:", "D", "/", "D:/", NULL },
	{ "\\?"
	  "?\\C:\\Users",
	  "C", "/Users", "/Users", NULL },
	{ "\\DosDevices\\D:\\data", "D", "/data", "D:/data", NULL },
	{ "\\dosdevices\\c:", "C", "/", "/", NULL },
	{ "\\GLOBAL?"
	  "?\\D:\\data",
	  "D", "/data", "D:/data", NULL },
	{ "\\\\?\\Volume{" OTHER "}\\here", "V", "/here", "//?/Volume{" OTHER "}/here", NULL },
	{ "\\?"
	  "?\\volume{" GUID "}\\data",
	  "D", "/data", "D:/data", NULL },
	{ "//?/Volume{" OTHER "}", "V", "/", "//?/Volume{" OTHER "}/", NULL },
	{ "C:\\D:", NULL, NULL, "/D:", "\"D:\"" },
	{ "C:\\DosDevices\\D:", NULL, NULL, "C:/DosDevices/D:", "\"D:\"" },
	{ "C:\\\\?\\D:\\data", NULL, NULL, "C://?/D:/data", "\"?\"" },
	{ "%SystemRoot%", "C", "/Windows", "/Windows", NULL },
	{ "%SYSTEMROOT%\\System32", "C", "/Windows/System32", "/Windows/System32", NULL },
	{ "%windir%/System32", "C", "/Windows/System32", "/Windows/System32", NULL },
	{ "\\SystemRoot\\System32", "C", "/Windows/System32", "/Windows/System32", NULL },
	{ "%SystemDrive%\\Users", "C", "/Users", "/Users", NULL },
	{ "%SystemRootx%", NULL, NULL, "%SystemRootx%", "\"%SystemRootx%\"" },
	{ "/DosDevices", "C", "/DosDevices", "/DosDevices", NULL },
	{ "C:\\junction\\alice", "C", "/Users/alice", "/junction/alice", NULL },
	{ "C:\\there\\inner", "D", "/data/inner", "/there/inner", NULL },
	{ "C:\\letter", "D", "/data", "/letter", NULL },
	{ "C:\\letter\\..\\..", "D", "/", "/letter/../..", NULL },
	{ "C:\\volume\\here", "V", "/here", "/volume/here", NULL },
	{ "C:\\rooted", "C", "/Users", "/rooted", NULL },
	{ "C:\\relative\\alice", "C", "/Users/alice", "/relative/alice", NULL },
	{ "C:\\root", "C", "/Windows/System32", "/root", NULL },
	{ "D:\\back\\alice", "C", "/Users/alice", "D:/back/alice", NULL },
	{ "D:\\own", "D", "/data", "D:/own", NULL }, /* from the root of the volume that the link is on */
	{ "D:\\up\\inner", "D", "/data/inner", "D:/up/inner", NULL },
	{ "C:\\moved\\in", "D", "/moved/in", "/moved/in", NULL },
	{ "C:\\nothing", NULL, NULL, "/nothing", "limit symlinks=40" },
	{ "C:\\share", NULL, NULL, "/share", "a share" },
	{ "C:\\gone", NULL, NULL, "/gone", "no drive X:" },
	{ "C:\\loop", NULL, NULL, "/loop", "limit symlinks=40" },
	{ "E:\\x", NULL, NULL, NULL, "no drive E: among the guest's disks: there is C: D:" },
	{ "\\\\?\\UNC\\server\\share", NULL, NULL, NULL, "a share of the network" },
	{ "\\\\server\\share", NULL, NULL, NULL, "a share of the network" },
	{ "\\\\?\\GLOBALROOT\\Device", NULL, NULL, NULL, "no drive, and no volume" },
	{ "\\\\?\\Volume{656b1715}", NULL, NULL, NULL, "no drive, and no volume" },
	{ "\\\\?\\Volume{11111111-1111-1111-1111-111111111111}\\", NULL, NULL, NULL, "no volume {11111111-" },
};

static uint64_t drives_plain(struct vtr_fs *fs, const char *path)
{
	uint64_t node = vtr_fs_root(fs);

	while (*(path += strspn(path, "/"))) {
		size_t n = strcspn(path, "/");

		assert_int_equal(0, vtr_fs_lookup(&node, NULL, fs, node, path, n, NULL));
		path += n;
	}
	return node;
}

static void drives_are_walked(void **state)
{
	struct ext_opened c, d, v;

	(void)state;
	if (!tools)
		skip();
	ext_open_file(&c, image, NULL);
	ext_open_file(&d, other, NULL);
	ext_open_file(&v, third, NULL);
	assert_int_equal(0, vtr_tree_add_drive(c.t, 'c', NULL, c.fs, NULL));
	assert_int_equal(0, vtr_tree_add_drive(c.t, 'D', "656B1715-ECF6-11DF-92E6-806E6F6E6963", d.fs, NULL));
	assert_int_equal(0, vtr_tree_add_drive(c.t, 0, OTHER, v.fs, NULL));
	assert_int_equal(0, vtr_tree_set_system_root(c.t, "/Windows", NULL));
	for (size_t i = 0; i < VTR_COUNT(paths); i++) {
		const struct path *w = &paths[i];
		struct vtr_error err = { 0 };
		struct vtr_place p = { 0 };
		char *shown = NULL;
		int r = vtr_tree_walk(&p, c.t, w->path, 0, &err);

		if (!w->volume) {
			assert_int_equal(-1, r);
			if (!strstr(err.text, w->words))
				fail_msg("%s: %s, expected %s", w->path, err.text, w->words);
		} else {
			struct vtr_fs *fs = *w->volume == 'C' ? c.fs : *w->volume == 'D' ? d.fs : v.fs;

			if (r < 0)
				fail_msg("%s", err.text);
			if (p.fs != fs || p.node != drives_plain(fs, w->at))
				fail_msg("%s leads elsewhere than to %s:%s", w->path, w->volume, w->at);
		}
		r = vtr_tree_path(&shown, c.t, w->path, &err);
		if (!w->shown) {
			assert_int_equal(-1, r);
			assert_int_equal(VTR_ENOTFOUND, err.code);
			continue;
		}
		assert_int_equal(0, r);
		assert_string_equal(w->shown, shown);
		if (w->volume) { /* the tree takes it again */
			struct vtr_place again = { 0 };

			assert_int_equal(0, vtr_tree_walk(&again, c.t, shown, 0, NULL));
			assert_true(again.fs == p.fs && again.node == p.node);
		}
		free(shown);
	}
	ext_done(&c);
	ext_done(&d);
	ext_done(&v);
}

static void drives_are_added(void **state)
{
	struct vtr_error err = { 0 };
	struct ext_opened c, d;
	struct vtr_place p;
	char *shown;

	(void)state;
	if (!tools)
		skip();
	ext_open_file(&c, image, NULL);
	ext_open_file(&d, other, NULL);
	/* Without a drive it is a tree like any other. */
	assert_int_equal(-1, vtr_tree_walk(&p, c.t, "\\Windows", 0, &err));
	assert_int_equal(-1, vtr_tree_walk(&p, c.t, "/WINDOWS", 0, &err));
	assert_int_equal(0, vtr_tree_path(&shown, c.t, "C:\\x", &err));
	assert_string_equal("C:\\x", shown);
	free(shown);
	assert_null(vtr_tree_drive(c.t, 'C'));
	assert_int_equal(-1, vtr_tree_add_drive(c.t, '1', NULL, c.fs, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	assert_int_equal(-1, vtr_tree_add_drive(c.t, 'C', "short", c.fs, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	assert_int_equal(0, vtr_tree_add_drive(c.t, 'C', NULL, c.fs, &err));
	assert_int_equal(-1, vtr_tree_add_drive(c.t, 'c', NULL, d.fs, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	assert_true(vtr_tree_drive(c.t, 'c') == c.fs);
	assert_null(vtr_tree_drive(c.t, 0));
	assert_int_equal(-1, vtr_tree_walk(&p, c.t, "D:\\", 0, &err));
	assert_non_null(strstr(err.text, "there is C:"));
	assert_int_equal(0, vtr_tree_walk(&p, c.t, "\\WINDOWS", 0, &err));
	/* The folder of the system is not known. */
	assert_int_equal(-1, vtr_tree_walk(&p, c.t, "%SystemRoot%", 0, &err));
	ext_done(&c);
	ext_done(&d);
}

static int drives_setup(void **state)
{
	(void)state;
	dir = part_temp();
	snprintf(image, sizeof(image), "%s/image", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	snprintf(third, sizeof(third), "%s/third", dir);
	tools = part_has_tool("mke2fs") && part_has_tool("debugfs");
	if (tools)
		drives_make();
	return 0;
}

static int drives_teardown(void **state)
{
	(void)state;
	part_temp_done(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drives_are_walked),
		cmocka_unit_test(drives_are_added),
	};

	return cmocka_run_group_tests(tests, drives_setup, drives_teardown);
}
