/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of host files as hostile images have them, and the directory that they are tried in. */
#ifndef TESTS_HOSTILE_NAMES_H
#define TESTS_HOSTILE_NAMES_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/part_images.h"

enum { OK = VTR_OK, NO = VTR_EPOLICY, NF = VTR_ENOTFOUND, UN = VTR_EUNSUPPORTED };

/*
 * What becomes of a name in images/top as a path of POSIX: by default, with follow, and with the directory "outside"
 * allowed. @: the test's directory, which hostile_dir() fills.
 */
static const struct hostile_name {
	const char *name;
	int plain, follow, allowed;
} hostile_names[] = {
	{ "base.raw", NO, OK, NO },
	{ "./base.raw", NO, OK, NO },
	{ "sub/deep.raw", NO, OK, NO },
	{ "sub//./deep.raw", NO, OK, NO },
	{ "sub/../base.raw", NO, OK, NO },
	{ "missing/../base.raw", NO, OK, NO }, /* taken away by text, as qemu's path_combine() does not; harmless */
	{ "link_in", NO, OK, NO },
	{ "@/images/base.raw", NO, OK, NO },
	{ "@/images/../images/base.raw", NO, OK, NO },
	{ "./with:colon", NO, OK, NO },
	{ "../outside/secret.raw", NO, NO, OK },
	{ "@/outside/secret.raw", NO, NO, OK },
	{ "sub/../../outside/secret.raw", NO, NO, OK },
	{ "../outside/link_back", NO, NO, NO },
	{ "../imagesx/secret.raw", NO, NO, NO },
	{ "@/images/../outside/../imagesx/secret.raw", NO, NO, NO },
	{ "../../../../../../../../../../etc/passwd", NO, NO, NO },
	{ "/etc/passwd", NO, NO, NO },
	{ "//etc//passwd", NO, NO, NO },
	{ "/proc/self/environ", NO, NO, NO },
	{ "/proc/self/mem", NO, NO, NO },
	{ "/proc/self/fd/0", NO, NO, NO },
	{ "/proc/self/root/etc/passwd", NO, NO, NO },
	{ "/dev/stdin", NO, NO, NO },
	{ "/dev/zero", NO, NO, NO },
	{ "/dev/fd/0", NO, NO, NO },
	{ "link_out", NO, NO, NO },
	{ "link_abs", NO, NO, NO },
	{ "link_dir/secret.raw", NO, NO, NO },
	{ "link_root/etc/passwd", NO, NO, NO },
	{ "link_proc", NO, NO, NO },
	{ "link_loop", NO, NO, NO },
	{ "fifo", NO, NO, NO },
	{ "socket", NO, NO, NO },
	{ "sub", NO, NO, NO },
	{ "sub/", NO, NO, NO },
	{ ".", NO, NO, NO },
	{ "..", NO, NO, NO },
	{ "/", NO, NO, NO },
	{ "sub/..", NO, NO, NO },
	{ "missing.raw", NO, NF, NO },
	{ "missing/x", NO, NF, NO },
	{ "base.raw/x", NO, NF, NO },
	{ "~/.ssh/id_rsa", NO, NF, NO },
	{ "$HOME/.ssh/id_rsa", NO, NF, NO },
	{ "base.raw;id", NO, NF, NO },
	{ "|id", NO, NF, NO },
	{ "%s%n", NO, NF, NO },
	{ "base.raw\n", NO, NF, NO },
	{ "..\\..\\boot.ini", NO, NF, NO },
	{ "\x1b]0;title\x07", NO, NF, NO },
	{ "\xff\xfe", NO, NF, NO },
	{ "json:{\"driver\":\"file\",\"filename\":\"/etc/passwd\"}", UN, UN, UN },
	{ "json:{}", UN, UN, UN },
	{ "nbd:localhost:10809", UN, UN, UN },
	{ "nbd://localhost/x", UN, UN, UN },
	{ "nbd+unix:///x?socket=/tmp/s", UN, UN, UN },
	{ "http://localhost/x", UN, UN, UN },
	{ "https://localhost/x", UN, UN, UN },
	{ "ftp://localhost/x", UN, UN, UN },
	{ "ssh://root@localhost/etc/shadow", UN, UN, UN },
	{ "rbd:pool/image", UN, UN, UN },
	{ "iscsi://localhost/x/0", UN, UN, UN },
	{ "gluster://localhost/x/y", UN, UN, UN },
	{ "nfs://localhost/x", UN, UN, UN },
	{ "fat:rw:/etc", UN, UN, UN },
	{ "file:base.raw", UN, UN, UN },
	{ "file:///etc/passwd", UN, UN, UN },
	{ "blkdebug::base.raw", UN, UN, UN },
	{ "null-co://", UN, UN, UN },
	{ "host_device:/dev/sda", UN, UN, UN },
	{ "C:\\Windows\\x.raw", UN, UN, UN },
	{ ":", UN, UN, UN },
	{ "/etc/../etc/passwd", NO, NO, NO },
	{ "./../outside/secret.raw", NO, NO, OK },
	{ "..\\secret", NO, NF, NO },
	{ "sub\\..\\..\\secret", NO, NF, NO },
	{ "C:secret.vmdk", UN, UN, UN },
	{ "c:/secret.vmdk", UN, UN, UN },
	{ "\\\\server\\share\\secret.vmdk", NO, NF, NO },
	{ "\\\\.\\PhysicalDrive0", NO, NF, NO },
	{ "\\\\?\\C:\\secret.vmdk", UN, UN, UN },
	{ "\\\\?\\GLOBALROOT\\Device\\x", NO, NF, NO },
	{ "nbd:unix:/tmp/socket", UN, UN, UN },
	{ "raw:/etc/passwd", UN, UN, UN },
	{ "fuse:/tmp/x", UN, UN, UN },
	{ "/vmfs/devices/disks/naa.600508b1001c", NO, NO, NO },
	{ "[datastore1] vm/secret.vmdk", NO, NF, NO },
};

static inline int hostile_socket(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), r = -1;

	if (fd >= 0 && strlen(name) < sizeof(a.sun_path)) {
		strcpy(a.sun_path, name);
		r = bind(fd, (struct sockaddr *)&a, sizeof(a));
	}
	close(fd);
	return r;
}

/* Fill a directory, a real path: images, with links that lead out of it, beside outside and imagesx. */
static inline void hostile_dir(const char *dir)
{
	char name[200];

	part_run(
		"cd '%s' && mkdir images images/sub outside imagesx && echo x >images/base.raw && echo x >images/sub/deep.raw && "
		"echo x >outside/secret.raw && cp outside/secret.raw imagesx && echo x >images/with:colon && "
		"ln -s base.raw images/link_in && ln -s ../outside/secret.raw images/link_out && ln -s /etc/passwd images/link_abs && "
		"ln -s ../outside images/link_dir && ln -s / images/link_root && ln -s /proc/self/environ images/link_proc && "
		"ln -s link_loop images/link_loop && mkfifo images/fifo && ln -s ../images/base.raw outside/link_back",
		dir);
	snprintf(name, sizeof(name), "%s/images/socket", dir);
	if (hostile_socket(name) != 0)
		abort();
}

/* Without openat2(2) no symbolic link is followed at all, see test_hostfile.c. Valgrind does not know it either. */
static inline bool hostile_links_are_followed(void)
{
	return syscall(SYS_openat2, -1, "", NULL, 0) == 0 || (errno != ENOSYS && errno != EPERM);
}

#endif
