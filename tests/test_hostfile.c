/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The door to the host's files. What names inside images may open is also in test_qcow2.c. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/hostfile.h"
#include "tests/part_images.h"
#include "tests/qcow2_images.h"

static char path[PATH_MAX];

static const char *in(const char *dir, const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void open_fails(const char *name, int code, const char *words)
{
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct vtr_blk *b = NULL;
	struct vtr_error err = { 0 };

	assert_int_equal(-1, vtr_hostfile_open(&b, ctx, name, &err));
	assert_null(b);
	assert_string_equal(vtr_code_name(code), vtr_code_name(err.code));
	assert_non_null(strstr(err.text, words));
	assert_non_null(strstr(err.text, name));
	assert_int_equal(-1, vtr_hostfile_open(&b, ctx, name, NULL));
	vtr_ctx_unref(ctx);
}

static void only_files_and_block_devices_are_opened(void **state)
{
	char *dir = part_temp(), longest[PATH_MAX];

	(void)state;
	part_run("cd '%s' && mkfifo fifo && mkdir sub && ln -s loop loop && echo x >file", dir);
	open_fails(in(dir, "missing"), VTR_ENOTFOUND, "No such file");
	open_fails(in(dir, "file/x"), VTR_ENOTFOUND, "Not a directory");
	open_fails(in(dir, "sub"), VTR_EUSAGE, "a directory, expected a regular file or a block device");
	open_fails(in(dir, "fifo"), VTR_EUSAGE, "a FIFO");
	assert_int_equal(0, mknod(in(dir, "socket"), S_IFSOCK | 0600, 0));
	open_fails(path, VTR_EUSAGE, "a socket");
	open_fails("/dev/null", VTR_EUSAGE, "a character device");
	open_fails(in(dir, "loop"), VTR_EIO, "Too many levels");
	memset(longest, 'a', 500);
	longest[0] = '/';
	longest[500] = 0;
	open_fails(longest, VTR_EIO, "too long");
	part_temp_done(dir);
}

static void a_block_device_is_read(void **state)
{
	char *dir, device[100] = "";
	struct vtr_ctx *ctx;
	struct vtr_blk *b = NULL;
	struct vtr_origin origin = { .path = NULL };
	struct vtr_error err = { 0 };
	uint8_t buf[512];
	FILE *f;

	(void)state;
	if (geteuid() != 0 || !part_has_tool("losetup")) {
		print_message("skipped: no root, or no losetup\n");
		skip();
	}
	dir = part_temp();
	part_run(
		"yes device | head -c 1048576 >'%s/file' && { losetup -rf --show '%s/file' >'%s/name' || : >'%s/name'; }",
		dir, dir, dir, dir);
	assert_non_null(f = fopen(in(dir, "name"), "r"));
	if (fscanf(f, "%99s", device) != 1)
		device[0] = 0;
	fclose(f);
	if (!device[0]) {
		part_temp_done(dir);
		print_message("skipped: no loop device\n");
		skip();
	}
	ctx = vtr_ctx_new(NULL, NULL);
	if (vtr_hostfile_open(&b, ctx, device, &err) == 0) {
		assert_int_equal(1 << 20, vtr_blk_size(b));
		assert_int_equal(0, vtr_blk_pread(b, (1 << 20) - 512, buf, 512, &err));
		assert_non_null(memmem(buf, 512, "device\n", 7));
	}
	vtr_blk_unref(b);
	part_run("losetup -d %s", device);
	assert_int_equal(0, err.code);
	/* Named by an image, it is not. */
	b = NULL;
	assert_int_equal(0, vtr_ctx_allow_dir(ctx, "/dev", &err));
	origin.path = in(dir, "file");
	assert_int_equal(-1, vtr_hostfile_open_named(&b, NULL, ctx, &origin, device, "backing file", &err));
	assert_int_equal(VTR_EPOLICY, err.code);
	vtr_ctx_unref(ctx);
	part_temp_done(dir);
}

static void holes_are_told_as_the_host_tells_them(void **state)
{
	/* data in the second and the last of five pieces of 1 MiB; the file ends within a block */
	const uint64_t piece = 1 << 20, size = 5 * piece - 100;
	struct vtr_extent e;
	struct qcow2_opened o;
	uint8_t *bytes = calloc(1, size);
	char *dir = part_temp();
	int fd;

	(void)state;
	assert_non_null(bytes);
	qcow2_noise(bytes + piece, piece, 1);
	qcow2_noise(bytes + 4 * piece, piece - 100, 2);
	memset(bytes + piece, 1, 4096);
	memset(bytes + 2 * piece - 4096, 1, 4096);
	memset(bytes + 4 * piece, 1, 4096);
	fd = open(in(dir, "file"), O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(piece, pwrite(fd, bytes + piece, piece, (off_t)piece));
	assert_int_equal(piece - 100, pwrite(fd, bytes + 4 * piece, piece - 100, (off_t)(4 * piece)));
	fsync(fd);
	if (lseek(fd, 0, SEEK_DATA) != (off_t)piece) {
		close(fd);
		free(bytes);
		part_temp_done(dir);
		print_message("skipped: no holes on this filesystem\n");
		skip();
	}
	close(fd);
	qcow2_open_good(&o, in(dir, "file"), NULL);
	assert_string_equal("raw", vtr_image_info(o.disk)->format);
	qcow2_expect_bytes(o.disk, bytes, size);
	assert_int_equal(0, vtr_blk_extent(&e, o.disk, 0, NULL));
	assert_int_equal(VTR_EXTENT_ABSENT, e.kind);
	assert_int_equal(piece, e.len);
	assert_int_equal(0, vtr_blk_extent(&e, o.disk, piece + 5, NULL));
	assert_int_equal(VTR_EXTENT_DATA, e.kind);
	assert_true(e.has_host_off && e.host_off == piece + 5);
	assert_int_equal(piece - 5, e.len);
	assert_int_equal(0, vtr_blk_extent(&e, o.disk, 2 * piece, NULL));
	assert_int_equal(VTR_EXTENT_ABSENT, e.kind);
	assert_int_equal(2 * piece, e.len);
	assert_int_equal(0, vtr_blk_extent(&e, o.disk, size - 1, NULL));
	assert_int_equal(VTR_EXTENT_DATA, e.kind);
	assert_int_equal(1, e.len);
	qcow2_done(&o);
	/* All hole, and nothing at all. */
	part_run("cd '%s' && truncate -s 0 file", dir);
	qcow2_open_good(&o, in(dir, "file"), NULL);
	qcow2_expect_bytes(o.disk, bytes, 0);
	qcow2_done(&o);
	part_run("cd '%s' && truncate -s 1000000 file", dir);
	memset(bytes, 0, 1000000);
	qcow2_open_good(&o, in(dir, "file"), NULL);
	qcow2_expect_bytes(o.disk, bytes, 1000000);
	assert_int_equal(0, vtr_blk_extent(&e, o.disk, 0, NULL));
	assert_int_equal(1000000, e.len);
	assert_int_equal(VTR_EXTENT_ABSENT, e.kind);
	qcow2_done(&o);
	free(bytes);
	part_temp_done(dir);
}

static void a_file_that_shrinks_is_an_error(void **state)
{
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct vtr_blk *b = NULL;
	struct vtr_error err = { 0 };
	char *dir = part_temp();
	uint8_t buf[100];

	(void)state;
	part_run("head -c 5000 /dev/zero >'%s/file'", dir);
	assert_int_equal(0, vtr_hostfile_open(&b, ctx, in(dir, "file"), &err));
	assert_int_equal(0, vtr_blk_pread(b, 4000, buf, 100, &err));
	assert_int_equal(100, vtr_ctx_bytes_read(ctx));
	assert_int_equal(0, truncate(path, 4050));
	assert_int_equal(-1, vtr_blk_pread(b, 4000, buf, 100, &err));
	assert_int_equal(VTR_EIO, err.code);
	assert_non_null(strstr(err.text, "the file became shorter while it was read: nothing at 0xfd2"));
	assert_int_equal(0, vtr_blk_pread(b, 3900, buf, 100, &err));
	assert_int_equal(0, unlink(path)); /* and one that is removed is still there for us */
	assert_int_equal(0, vtr_blk_pread(b, 3900, buf, 100, &err));
	vtr_ctx_cancel(ctx);
	assert_int_equal(-1, vtr_blk_pread(b, 3900, buf, 100, &err));
	assert_int_equal(VTR_ECANCELLED, err.code);
	vtr_blk_unref(b);
	vtr_ctx_unref(ctx);
	part_temp_done(dir);
}

static void a_writer_of_the_image_is_warned_of(void **state)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 1 };
	struct qcow2_opened o;
	char *dir = part_temp();
	int fd;

	(void)state;
	part_run("head -c 5000 /dev/zero >'%s/file'", dir);
	fd = open(in(dir, "file"), O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(0, fcntl(fd, F_OFD_SETLK, &lock)); /* a reader: byte 100 stands for consistent reading */
	qcow2_open_good(&o, path, NULL);
	qcow2_expect_quiet(&o);
	qcow2_done(&o);
	lock.l_start = 101;
	assert_int_equal(0, fcntl(fd, F_OFD_SETLK, &lock));
	qcow2_open_good(&o, path, NULL);
	qcow2_expect_said(&o, "note: ");
	qcow2_expect_said(&o, "file: another process has it open for writing");
	assert_int_equal(0, vtr_ctx_damage(o.ctx));
	qcow2_done(&o);
	close(fd);
	qcow2_open_good(&o, path, NULL);
	qcow2_expect_quiet(&o);
	qcow2_done(&o);
	part_temp_done(dir);
}

static void reading_changes_nothing(void **state)
{
	struct stat before, after;
	struct qcow2_opened o;
	uint8_t image[QCOW2_BUILD_CLUSTERS * 512], *disk = qcow2_build_disk(9), *again;
	uint64_t len;
	char *dir = part_temp();

	(void)state;
	qcow2_build(image, 9);
	qcow2_put(image + 72, 8, 1); /* dirty: qemu would repair it */
	qcow2_write_file(in(dir, "file"), image, sizeof(image));
	assert_int_equal(0, chmod(path, 0444));
	assert_int_equal(0, stat(path, &before));
	qcow2_open_good(&o, path, NULL);
	qcow2_expect_bytes(o.disk, disk, qcow2_build_size(9));
	qcow2_done(&o);
	assert_int_equal(0, stat(path, &after));
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	assert_int_equal(before.st_ctim.tv_nsec, after.st_ctim.tv_nsec);
	again = qcow2_file(path, &len);
	assert_int_equal(sizeof(image), len);
	assert_memory_equal(image, again, len);
	free(again);
	free(disk);
	part_temp_done(dir);
}

static void allowed_directories_must_be_there(void **state)
{
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct vtr_error err = { 0 };
	char *dir = part_temp();

	(void)state;
	part_run("echo x >'%s/file'", dir);
	assert_int_equal(-1, vtr_ctx_allow_dir(ctx, in(dir, "missing"), &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	assert_int_equal(-1, vtr_ctx_allow_dir(ctx, in(dir, "file"), &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	assert_int_equal(0, vtr_ctx_allow_dir(ctx, dir, &err));
	vtr_ctx_unref(ctx);
	part_temp_done(dir);
}

/* A name that the image at image names; the code. Where it is opened, one byte is read. */
static int named(struct vtr_ctx *ctx, const char *image, const char *name)
{
	VTR_UNREF struct vtr_blk *b = NULL;
	struct vtr_origin origin = { .shown = image, .path = image };
	struct vtr_found found = { 0 };
	VTR_FREE char *where = NULL;
	struct vtr_error err = { 0 };
	char byte;

	if (vtr_hostfile_open_named(&b, &found, ctx, &origin, name, "backing file", &err) < 0)
		return err.code;
	where = found.shown;
	return found.on_host && where && where[0] == '/' && vtr_blk_pread(b, 0, &byte, 1, &err) == 0 ? VTR_OK : -1;
}

static void names_are_relative_to_the_image(void **state)
{
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	char *dir = part_temp(), cwd[PATH_MAX];

	(void)state;
	part_run("cd '%s' && mkdir sub && echo x >sub/base && echo x >top && ln -s sub/image link", dir);
	vtr_ctx_follow(ctx, true);
	assert_int_equal(VTR_OK, named(ctx, in(dir, "sub/image"), "base")); /* the image itself is not looked at */
	assert_int_equal(VTR_OK, named(ctx, in(dir, "sub/../sub/./image"), "base"));
	assert_int_equal(VTR_OK, named(ctx, in(dir, "link"), "top")); /* where the link is, as qemu does */
	assert_int_equal(VTR_ENOTFOUND, named(ctx, in(dir, "link"), "base"));
	assert_int_equal(VTR_EIO, named(ctx, in(dir, "gone/image"), "base"));
	assert_int_equal(VTR_EPOLICY, named(ctx, NULL, "base"));
	assert_int_equal(VTR_EPOLICY, named(ctx, in(dir, "sub/image"), ""));
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(0, chdir(dir));
	assert_int_equal(VTR_OK, named(ctx, "image", "top"));
	assert_int_equal(VTR_OK, named(ctx, "image", "sub/base"));
	assert_int_equal(VTR_OK, named(ctx, "sub/image", "base"));
	assert_int_equal(VTR_EPOLICY, named(ctx, "sub/image", "../top"));
	assert_int_equal(0, vtr_ctx_allow_dir(ctx, ".", NULL));
	assert_int_equal(VTR_OK, named(ctx, "sub/image", "../top"));
	assert_int_equal(0, chdir(cwd));
	assert_int_equal(VTR_OK, named(ctx, in(dir, "sub/image"), "../top")); /* it was resolved when it was allowed */
	vtr_ctx_unref(ctx);

	/* Everything allowed is everything but what is no file. */
	ctx = vtr_ctx_new(NULL, NULL);
	assert_int_equal(0, vtr_ctx_allow_dir(ctx, "/", NULL));
	assert_int_equal(VTR_OK, named(ctx, in(dir, "sub/image"), "../top"));
	assert_int_equal(VTR_EPOLICY, named(ctx, in(dir, "sub/image"), "/dev/zero"));
	assert_int_equal(VTR_EPOLICY, named(ctx, in(dir, "sub/image"), "/proc/self/fd/0")); /* a link of the kernel's */
	assert_int_equal(VTR_EPOLICY, named(ctx, in(dir, "sub/image"), "/"));
	vtr_ctx_unref(ctx);
	part_temp_done(dir);
}

/* ------------------------------------------------------------------------------------- kernels without openat2(2) */

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

static const struct {
	const char *name;
	int code;
} steps[] = {
	{ "base", VTR_OK },
	{ "sub/deep", VTR_OK },
	{ "sub//../sub/deep", VTR_OK },
	{ "link_in", VTR_EPOLICY }, /* no links at all */
	{ "link_out", VTR_EPOLICY },
	{ "link_dir/secret", VTR_EPOLICY },
	{ "../outside/secret", VTR_EPOLICY },
	{ "fifo", VTR_EPOLICY },
	{ "sub", VTR_EPOLICY },
	{ "missing", VTR_ENOTFOUND },
	{ "base/x", VTR_ENOTFOUND },
	{ "sub/missing/x", VTR_ENOTFOUND },
};

/* In a child: make openat2 fail with e, and try the names. The number of the first that is wrong, from 1 on; 0: none. */
static int without_openat2(const char *image, int e)
{
#ifdef ARCH
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)e),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = VTR_COUNT(code), .filter = code };
	struct vtr_ctx *ctx;
	int bad = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return 77;
	ctx = vtr_ctx_new(NULL, NULL);
	vtr_ctx_follow(ctx, true);
	for (size_t i = 0; i < VTR_COUNT(steps) && !bad; i++)
		if (named(ctx, image, steps[i].name) != steps[i].code)
			bad = (int)i + 1;
	vtr_ctx_unref(ctx);
	return bad;
#else
	(void)image, (void)e;
	return 77;
#endif
}

static void old_kernels_follow_the_same_policy(void **state)
{
	static const int errors[] = { ENOSYS, EPERM };
	char *dir = part_temp();

	(void)state;
	part_run(
		"cd '%s' && mkdir images images/sub outside && echo x >images/base && echo x >images/sub/deep && echo x >outside/secret && "
		"ln -s base images/link_in && ln -s ../outside/secret images/link_out && ln -s ../outside images/link_dir && "
		"mkfifo images/fifo",
		dir);
	for (size_t i = 0; i < VTR_COUNT(errors); i++) {
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(without_openat2(in(dir, "images/top"), errors[i]));
		assert_int_equal(pid, waitpid(pid, &status, 0));
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77) {
			part_temp_done(dir);
			print_message("skipped: no seccomp filter\n");
			skip();
		}
		if (WEXITSTATUS(status) != 0)
			fail_msg("\"%s\" is not %s", steps[WEXITSTATUS(status) - 1].name,
				 vtr_code_name(steps[WEXITSTATUS(status) - 1].code));
	}
	part_temp_done(dir);
}

/* ------------------------------------------------------------------------------------------------------ directories */

static void list_is(struct vtr_ctx *ctx, const char *image, const char *sub, const char *expected)
{
	VTR_HOSTFILE_NAMES_DONE struct vtr_hostfile_names names = { .n = 0 };
	struct vtr_origin origin = { .path = image };
	struct vtr_error err = { 0 };
	char got[1000] = "";

	if (vtr_hostfile_list(&names, ctx, &origin, sub, "a parent", &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < names.n; i++)
		strcat(strcat(got, names.name[i]), "|");
	assert_string_equal(expected, got);
}

static void list_fails(struct vtr_ctx *ctx, const char *image, const char *sub, int code, const char *words)
{
	struct vtr_hostfile_names names = { .n = 0 };
	struct vtr_origin origin = { .path = image };
	struct vtr_error err = { 0 };

	assert_int_equal(-1, vtr_hostfile_list(&names, ctx, &origin, sub, "a parent", &err));
	assert_null(names.name);
	if (!strstr(err.text, words))
		fail_msg("\"%s\" is not in: %s", words, err.text);
	assert_string_equal(vtr_code_name(code), vtr_code_name(err.code));
}

static void directories_are_listed_by_the_policy(void **state)
{
	char *dir = part_temp(), image[PATH_MAX], below[PATH_MAX];
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct vtr_limits l;

	(void)state;
	part_run("cd '%s' && touch b a image && mkfifo fifo && mkdir sub && ln -s a link && touch sub/x 'sub/y: z'",
		 dir);
	snprintf(image, sizeof(image), "%s/image", dir);
	snprintf(below, sizeof(below), "%s/sub/x", dir);
	list_fails(ctx, image, ".", VTR_EPOLICY, "a parent is not looked for: --follow or --allow-dir ");
	list_fails(ctx, below, "..", VTR_EPOLICY, "a parent is not looked for: --allow-dir ");
	list_fails(ctx, NULL, ".", VTR_EPOLICY, "an image without a path of its own");
	vtr_ctx_follow(ctx, true);
	list_is(ctx, image, ".", "./a|./b|./image|");
	list_is(ctx, below, ".", "./x|./y: z|");
	list_fails(ctx, below, "..", VTR_EPOLICY, "--allow-dir ");
	vtr_ctx_unref(ctx);

	ctx = vtr_ctx_new(NULL, NULL);
	assert_int_equal(0, vtr_ctx_allow_dir(ctx, dir, NULL));
	list_is(ctx, image, ".", "./a|./b|./image|");
	list_is(ctx, below, ".", "./x|./y: z|");
	list_is(ctx, below, "..", "../a|../b|../image|");
	list_fails(ctx, image, "..", VTR_EPOLICY, "--allow-dir ");
	vtr_ctx_unref(ctx);

	vtr_limits_default(&l);
	l.dir_entries = 3;
	ctx = vtr_ctx_new(&l, NULL);
	vtr_ctx_follow(ctx, true);
	list_fails(ctx, image, ".", VTR_ELIMIT, "limit dir_entries");
	vtr_ctx_unref(ctx);

	assert_true(vtr_hostfile_beside(image, "a"));
	assert_false(vtr_hostfile_beside(image, "c"));
	assert_false(vtr_hostfile_beside(image, "link"));
	assert_false(vtr_hostfile_beside(image, "sub"));
	assert_false(vtr_hostfile_beside(image, "sub/x"));
	part_temp_done(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_files_and_block_devices_are_opened),
		cmocka_unit_test(a_block_device_is_read),
		cmocka_unit_test(holes_are_told_as_the_host_tells_them),
		cmocka_unit_test(a_file_that_shrinks_is_an_error),
		cmocka_unit_test(a_writer_of_the_image_is_warned_of),
		cmocka_unit_test(reading_changes_nothing),
		cmocka_unit_test(allowed_directories_must_be_there),
		cmocka_unit_test(names_are_relative_to_the_image),
		cmocka_unit_test(old_kernels_follow_the_same_policy),
		cmocka_unit_test(directories_are_listed_by_the_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
