/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inspection over filesystems that mke2fs made of directories: which are roots, how they are mounted together, and
 * what each system says of itself. The expected facts are those that were written into the files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "inspect/inspect.h"
#include "partitions/partition.h"

#define MACHINE_FS 8

/* A disk with a GPT, /dev/sda, and its partitions; more of them make more disks. */
struct machine {
	char dir[32];
	struct vtr_ctx *ctx;
	struct vtr_device devices[MACHINE_FS + 1];
	char names[MACHINE_FS + 1][16];
	struct vtr_blk *blks[MACHINE_FS + 1];
	struct vtr_fs *fs[MACHINE_FS + 1];
	struct vtr_part parts[MACHINE_FS];
	struct vtr_parts table;
	size_t n; /* devices */
	struct vtr_os **os;
	size_t n_os;
	char warnings[8192];
};

static void warning_note(void *arg, const struct vtr_error *w)
{
	struct machine *m = arg;
	size_t at = strlen(m->warnings);

	snprintf(m->warnings + at, sizeof(m->warnings) - at, "%s\n", w->text);
}

static bool tools_there(void)
{
	if (system("PATH=$PATH:/usr/sbin:/sbin; command -v mke2fs >/dev/null") == 0)
		return true;
	print_message("SKIPPED: no mke2fs to make filesystems with\n");
	return false;
}

static int machine_setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	strcpy(m->dir, "/tmp/vitrine-inspect-XXXXXX");
	assert_non_null(mkdtemp(m->dir));
	m->ctx = vtr_ctx_new(NULL, NULL);
	assert_non_null(m->ctx);
	vtr_ctx_on_warning(m->ctx, warning_note, m);
	m->table.scheme = vtr_partitions[0];
	for (size_t i = 0; vtr_partitions[i]; i++)
		if (strcmp(vtr_partitions[i]->name, "gpt") == 0)
			m->table.scheme = vtr_partitions[i];
	m->table.parts = m->parts;
	m->devices[0] = (struct vtr_device){
		.name = "/dev/sda",
		.parent = -1,
		.content = "gpt",
		.label = "",
		.uuid = "",
		.table = &m->table,
	};
	m->n = 1;
	*state = m;
	return 0;
}

static int machine_teardown(void **state)
{
	struct machine *m = *state;
	char command[64];

	for (size_t i = 0; i < m->n_os; i++)
		vtr_os_free(m->os[i]);
	free(m->os);
	for (size_t i = 0; i < m->n; i++) {
		vtr_fs_unref(m->fs[i]);
		vtr_blk_unref(m->blks[i]);
	}
	vtr_ctx_unref(m->ctx);
	snprintf(command, sizeof(command), "rm -rf '%s'", m->dir);
	assert_int_equal(0, system(command));
	free(m);
	return 0;
}

/* Bytes of an image as a block source. */
static struct vtr_blk *image_blk(struct machine *m, const char *path)
{
	struct vtr_blk *b = NULL;
	FILE *f = fopen(path, "r");
	char *bytes;
	long len;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	len = ftell(f);
	rewind(f);
	bytes = malloc((size_t)len);
	assert_non_null(bytes);
	assert_int_equal(len, fread(bytes, 1, (size_t)len, f));
	fclose(f);
	assert_int_equal(0, vtr_blk_memory(&b, m->ctx, bytes, (size_t)len, NULL));
	free(bytes);
	return b;
}

/* A filesystem of what the shell commands make in an empty directory, in the file img of m's directory. */
static void image_make(struct machine *m, const char *commands, const char *label, const char *uuid)
{
	char command[512];
	FILE *sh;

	snprintf(command, sizeof(command), "rm -rf '%s/d' && mkdir '%s/d' && cd '%s/d' && sh -e", m->dir, m->dir,
		 m->dir);
	sh = popen(command, "w");
	assert_non_null(sh);
	fputs(commands, sh);
	assert_int_equal(0, pclose(sh));
	snprintf(command, sizeof(command),
		 "PATH=$PATH:/usr/sbin:/sbin; cd '%s' && rm -f img && "
		 "mke2fs -q -F -t ext4 -O ^has_journal -L '%s' -U %s -d d img 4M >/dev/null",
		 m->dir, label, uuid);
	assert_int_equal(0, system(command));
}

/* The next partition. GUIDs end in the partition's number. */
static void machine_add(struct machine *m, const char *commands, const char *label, const char *uuid,
			const char *part_name)
{
	struct vtr_device *d = &m->devices[m->n];
	struct vtr_part *p = &m->parts[m->n - 1];
	char path[64];

	assert_true(m->n <= MACHINE_FS);
	image_make(m, commands, label, uuid);
	snprintf(path, sizeof(path), "%s/img", m->dir);
	m->blks[m->n] = image_blk(m, path);
	snprintf(m->names[m->n], sizeof(m->names[0]), "/dev/sda%zu", m->n);
	*p = (struct vtr_part){ .number = (unsigned)m->n };
	snprintf(p->guid, sizeof(p->guid), "C0FFEE00-0000-4000-8000-00000000000%zu", m->n);
	snprintf(p->name, sizeof(p->name), "%s", part_name);
	m->table.n = m->n;
	*d = (struct vtr_device){
		.name = m->names[m->n],
		.parent = 0,
		.blk = m->blks[m->n],
		.content = "ext4",
		.label = label,
		.uuid = uuid,
		.of = &m->table,
		.part = m->n - 1,
		.has_fs = true,
	};
	m->n++;
}

static struct vtr_fs *machine_fs(void *arg, size_t device, struct vtr_error *err)
{
	struct machine *m = arg;

	assert_true(device < m->n);
	if (!m->fs[device] && vtr_fs_open(&m->fs[device], m->blks[device], NULL, err) < 0)
		return NULL;
	return m->fs[device];
}

static void machine_inspect(struct machine *m)
{
	const struct vtr_inspect in = {
		.ctx = m->ctx, .devices = m->devices, .n_devices = m->n, .fs = machine_fs, .arg = m
	};
	struct vtr_error err = { 0 };

	if (vtr_inspect_run(&m->os, &m->n_os, &in, &err) < 0)
		fail_msg("%s", err.text);
}

static void fact_check(struct vtr_os *os, const char *key, const char *value, const char *path, const char *device)
{
	const struct vtr_fact *f = vtr_os_fact(os, key);

	if (!value) {
		if (f)
			fail_msg("%s: \"%s\" from %s, expected none", key, f->value, f->path);
		return;
	}
	if (!f)
		fail_msg("%s: none, expected \"%s\"", key, value);
	if (strcmp(f->value, value) != 0 || (path && strcmp(f->path, path) != 0) ||
	    (device && strcmp(f->device, device) != 0))
		fail_msg("%s: \"%s\" from %s on %s, expected \"%s\" from %s on %s", key, f->value, f->path, f->device,
			 value, path ? path : "anywhere", device ? device : "anything");
}

static const struct vtr_mount *mount_at(const struct vtr_os *os, const char *path)
{
	for (size_t i = 0; i < vtr_os_mounts(os); i++)
		if (strcmp(vtr_os_mount(os, i)->path, path) == 0)
			return vtr_os_mount(os, i);
	return NULL;
}

static void mount_check(const struct vtr_os *os, const char *path, const char *device, bool mounted)
{
	const struct vtr_mount *m = mount_at(os, path);

	if (!m)
		fail_msg("no mount at %s", path);
	if ((device == NULL) != (m->device == NULL) || (device && strcmp(m->device, device) != 0) ||
	    m->mounted != mounted)
		fail_msg("%s: %s, %smounted", path, m->device ? m->device : "no device", m->mounted ? "" : "not ");
}

static void file_check(struct vtr_os *os, const char *path, const char *want)
{
	struct vtr_error err = { 0 };
	char *text;
	size_t len;

	if (vtr_tree_slurp(&text, &len, vtr_os_tree(os), path, 1000, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(want, text);
	free(text);
}

#define ELF_AARCH64 "printf '\\177ELF\\2\\1\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\003\\000\\267\\000'"
#define ELF_I386 "printf '\\177ELF\\1\\1\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\002\\000\\003\\000'"
#define STATUS                                                                                                         \
	"printf 'Package: b\\nStatus: install ok installed\\nArchitecture: arm64\\nVersion: 1-2\\n\\n"                 \
	"Package: a\\nStatus: deinstall ok config-files\\nArchitecture: all\\nVersion: 3\\n\\n'"
#define OS_RELEASE                                                                                                     \
	"printf 'PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\\nNAME=\"Debian GNU/Linux\"\\nVERSION_ID=\"12\"\\n"    \
	"VERSION=\"12 (bookworm)\"\\nVERSION_CODENAME=bookworm\\nID=debian\\n'"

#define UUID_A "0f3f0e53-2a7e-4b6f-9b66-0d1f1f0a000a"
#define UUID_B "0f3f0e53-2a7e-4b6f-9b66-0d1f1f0a000b"
#define UUID_C "0f3f0e53-2a7e-4b6f-9b66-0d1f1f0a000c"
#define UUID_D "0f3f0e53-2a7e-4b6f-9b66-0d1f1f0a000d"
#define UUID_E "0f3f0e53-2a7e-4b6f-9b66-0d1f1f0a000e"
#define UUID_F "0f3f0e53-2a7e-4b6f-9b66-0d1f1f0a000f"

static const char debian_root[] =
	"mkdir -p etc usr/bin usr/lib/systemd usr/sbin usr/share var/lib/dpkg\n"
	"ln -s usr/bin bin; ln -s usr/sbin sbin; ln -s usr/lib lib\n"
	"ln -s ../usr/lib/os-release etc/os-release\n" OS_RELEASE " > usr/lib/os-release\n"
	"echo 12.5 > etc/debian_version; echo web.example > etc/hostname\n"
	"echo 0123456789abcdef0123456789abcdef > etc/machine-id\n"
	"ln -s /usr/share/zoneinfo/Europe/Rome etc/localtime\n"
	"ln -s /lib/systemd/systemd usr/sbin/init\n" ELF_AARCH64 " > usr/lib/systemd/systemd\n"
	"cp usr/lib/systemd/systemd usr/bin/real; ln -s /bin/real usr/bin/bash\n" STATUS " > var/lib/dpkg/status\n";

static void debian_facts_check(struct vtr_os *os, const char *root, const char *usr, const char *var)
{
	fact_check(os, "type", "linux", NULL, root);
	fact_check(os, "distro", "debian", "/etc/os-release", usr);
	fact_check(os, "product_name", "Debian GNU/Linux 12 (bookworm)", "/etc/os-release", usr);
	fact_check(os, "version", "12.5", "/etc/debian_version", root);
	fact_check(os, "major_version", "12", "/etc/debian_version", root);
	fact_check(os, "minor_version", "5", "/etc/debian_version", root);
	fact_check(os, "codename", "bookworm", "/etc/os-release", usr);
	fact_check(os, "variant", NULL, NULL, NULL);
	fact_check(os, "arch", "aarch64", "/bin/bash", usr);
	fact_check(os, "hostname", "web.example", "/etc/hostname", root);
	fact_check(os, "package_format", "deb", "/var/lib/dpkg/status", var);
	fact_check(os, "package_manager", "apt", "/etc/os-release", usr);
	fact_check(os, "init", "systemd", "/sbin/init", usr);
	fact_check(os, "machine_id", "0123456789abcdef0123456789abcdef", "/etc/machine-id", root);
	fact_check(os, "timezone", "Europe/Rome", "/etc/localtime", root);
	assert_int_equal(2, vtr_os_read_packages(os, NULL));
	assert_int_equal(2, vtr_os_read_packages(os, NULL));
	assert_string_equal("a", vtr_os_package(os, 0)->name);
	assert_string_equal("config-files", vtr_os_package(os, 0)->status);
	assert_string_equal("1-2", vtr_os_package(os, 1)->version);
}

static void a_single_root_is_found(void **state)
{
	struct machine *m = *state;

	if (!tools_there())
		skip();
	machine_add(m, debian_root, "root", UUID_A, "");
	machine_add(m, "mkdir -p photos/bin etc", "data", UUID_B, ""); /* no root */
	machine_inspect(m);
	assert_int_equal(1, m->n_os);
	assert_string_equal("/dev/sda1", vtr_os_root(m->os[0]));
	debian_facts_check(m->os[0], "/dev/sda1", "/dev/sda1", "/dev/sda1");
	assert_int_equal(1, vtr_os_mounts(m->os[0])); /* there is no fstab */
	mount_check(m->os[0], "/", "/dev/sda1", true);
	assert_string_equal("", m->warnings);
}

static void separate_filesystems_are_mounted(void **state)
{
	struct machine *m = *state;
	static const char root[] =
		"mkdir etc usr var boot home 'my data' proc; ln -s usr/bin bin; ln -s usr/sbin sbin; ln -s usr/lib lib\n"
		"ln -s ../usr/lib/os-release etc/os-release\n"
		"echo 12.5 > etc/debian_version; echo web.example > etc/hostname\n"
		"echo 0123456789abcdef0123456789abcdef > etc/machine-id\n"
		"ln -s /usr/share/zoneinfo/Europe/Rome etc/localtime\n"
		"cat > etc/fstab <<'E'\n"
		"# <file system> <mount point> <type> <options>\n"
		"/dev/vda6 /my\\040data/ ext4 noauto 0 0\n"
		"PARTUUID=c0ffee00-0000-4000-8000-000000000004 //boot ext4 ro 0 2\n"
		"UUID=" UUID_A " / ext4 errors=remount-ro 0 1\n"
		"LABEL=\"the var\" /var ext4 defaults 0 2\n"
		"UUID=" UUID_B " /usr ext4 ro 0 2\n"
		"PARTLABEL=home\\040dirs /home ext4 defaults 0 2\n"
		"/dev/vdb1 /var/cache ext4 defaults 0 2\n"
		"UUID=dead /gone ext4 defaults 0 2\n"
		"proc /proc proc defaults 0 0\n"
		"/dev/sda7 none swap sw 0 0\n"
		"E\n";

	if (!tools_there())
		skip();
	machine_add(m, root, "", UUID_A, "");
	machine_add(m,
		    "mkdir -p bin lib/systemd sbin share local src\n" OS_RELEASE " > lib/os-release\n"
		    "ln -s /lib/systemd/systemd sbin/init\n" ELF_AARCH64 " > lib/systemd/systemd\n"
		    "cp lib/systemd/systemd bin/real; ln -s /bin/real bin/bash\n",
		    "", UUID_B, "");
	machine_add(m, "mkdir -p lib/dpkg log run spool cache\n" STATUS " > lib/dpkg/status\n", "the var", UUID_C, "");
	machine_add(m, "mkdir grub; echo boot > vmlinuz\n", "boot", UUID_D, "");
	machine_add(m, "mkdir alice; echo hi > alice/note\n", "", UUID_E, "home dirs");
	machine_add(m, "echo six > six\n", "", UUID_F, "");
	machine_inspect(m);
	assert_int_equal(1, m->n_os);
	debian_facts_check(m->os[0], "/dev/sda1", "/dev/sda2", "/dev/sda3");
	file_check(m->os[0], "/boot/vmlinuz", "boot\n");
	file_check(m->os[0], "/home/alice/note", "hi\n");
	file_check(m->os[0], "/my data/six", "six\n");
	mount_check(m->os[0], "/", "/dev/sda1", true);
	mount_check(m->os[0], "/usr", "/dev/sda2", true);
	mount_check(m->os[0], "/var", "/dev/sda3", true);
	mount_check(m->os[0], "/boot", "/dev/sda4", true);
	mount_check(m->os[0], "/home", "/dev/sda5", true);
	mount_check(m->os[0], "/my data", "/dev/sda6", true);
	mount_check(m->os[0], "/var/cache", NULL, false);
	mount_check(m->os[0], "/gone", NULL, false);
	mount_check(m->os[0], "/proc", NULL, false);
	mount_check(m->os[0], "none", NULL, false);
	assert_string_equal("UUID=" UUID_B, mount_at(m->os[0], "/usr")->spec);
	assert_string_equal("ro", mount_at(m->os[0], "/usr")->options);
	assert_int_equal(10, vtr_os_mounts(m->os[0]));
	assert_string_equal("", m->warnings);
}

static void two_systems_do_not_mix(void **state)
{
	struct machine *m = *state;

	if (!tools_there())
		skip();
	machine_add(m, debian_root, "one", UUID_A, "");
	machine_add(m,
		    "mkdir -p etc bin lib/apk/db mnt/other; echo alpine > etc/hostname; touch lib/apk/db/installed\n"
		    "printf 'ID=alpine\\nVERSION_ID=3.19.1\\nPRETTY_NAME=\"Alpine Linux v3.19\"\\n' > etc/os-release\n"
		    "ln -s /bin/busybox bin/sh; mkdir sbin; ln -s /bin/busybox sbin/init; touch sbin/openrc\n" ELF_I386
		    " > bin/busybox\n"
		    "echo 'LABEL=one /mnt/other ext4' > etc/fstab\n",
		    "two", UUID_B, "");
	machine_inspect(m);
	assert_int_equal(2, m->n_os);
	debian_facts_check(m->os[0], "/dev/sda1", "/dev/sda1", "/dev/sda1");
	fact_check(m->os[1], "distro", "alpinelinux", "/etc/os-release", "/dev/sda2");
	fact_check(m->os[1], "version", "3.19.1", NULL, NULL);
	fact_check(m->os[1], "major_version", "3", NULL, NULL);
	fact_check(m->os[1], "minor_version", "19", NULL, NULL);
	fact_check(m->os[1], "package_format", "apk", "/lib/apk/db/installed", NULL);
	fact_check(m->os[1], "package_manager", "apk", NULL, NULL);
	fact_check(m->os[1], "init", "openrc", NULL, NULL);
	fact_check(m->os[1], "arch", "i386", "/bin/sh", NULL);
	mount_check(m->os[1], "/", "/dev/sda2", true);
	mount_check(m->os[1], "/mnt/other", "/dev/sda1", true);
	file_check(m->os[1], "/mnt/other/etc/hostname", "web.example\n");
	assert_int_equal(0, vtr_os_read_packages(m->os[1], NULL));
	assert_string_equal("", m->warnings);
}

/* How many entries a listing of everything has. */
static int entry_count(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	(void)e, (void)err;
	++*(size_t *)arg;
	return 0;
}

static void a_hostile_fstab_is_survived(void **state)
{
	struct machine *m = *state;
	struct vtr_place top;
	size_t entries = 0;

	if (!tools_there())
		skip();
	machine_add(
		m,
		"mkdir -p etc bin a b proc sys dev/x; ln -s / up; ln -s loop loop; ln -s ../etc/os-release etc/os-release\n"
		"ln -s /loop etc/hostname; mkdir etc/timezone\n"
		"cat > etc/fstab <<'E'\n"
		"/dev/sda1 /a ext4\n" /* the root in itself */
		"/dev/sda2 /a/../../../b ext4\n"
		"/dev/sda2 /a ext4\n" /* twice */
		"/dev/sda2 /dev/x ext4\n"
		"/dev/sda3 /up ext4\n" /* over the root */
		"/dev/sda4 /loop ext4\n"
		"/dev/sda4 /no/such/dir ext4\n"
		"/dev/sda4 /etc/fstab ext4\n"
		"/dev/sda4 relative ext4\n"
		"/dev/sda5 /b/deep ext4\n" /* garbage */
		"LABEL=\033[31m /\033[0m ext4 \033]0;x\007\n"
		"UUID=x /\\134\\011\\377 ext4\n"
		"E\n"
		"yes '/dev/sdzz9 /x ext4' | head -10000 >> etc/fstab\n",
		"", UUID_A, "");
	machine_add(m, "mkdir deep; echo two > two\n", "", UUID_B, "");
	machine_add(m, "mkdir a b etc; echo three > three\n", "", UUID_C, "");
	machine_add(m, "echo four > four\n", "", UUID_D, "");
	machine_add(m, ":", "", UUID_E, "");
	vtr_blk_unref(m->blks[5]);
	m->blks[5] = NULL;
	assert_int_equal(0, vtr_blk_memory(&m->blks[5], m->ctx, debian_root, sizeof(debian_root), NULL));
	machine_inspect(m);
	assert_int_equal(1, m->n_os);
	mount_check(m->os[0], "/", "/dev/sda1", true);
	mount_check(m->os[0], "/a/../../../b", "/dev/sda2", false); /* the same filesystem is at /a already */
	mount_check(m->os[0], "/up", "/dev/sda3", true);
	mount_check(m->os[0], "/dev/x", "/dev/sda2", false);
	mount_check(m->os[0], "/loop", "/dev/sda4", false);
	mount_check(m->os[0], "/no/such/dir", "/dev/sda4", false);
	mount_check(m->os[0], "/b/deep", "/dev/sda5", false);
	mount_check(m->os[0], "/\x1b[0m", NULL, false);
	mount_check(m->os[0], "/\\\t\xff", NULL, false);
	assert_true(vtr_os_mounts(m->os[0]) <= vtr_ctx_limits(m->ctx)->devices + 1);
	assert_non_null(strstr(m->warnings, "limit devices="));
	assert_non_null(strstr(m->warnings, "/dev/sda5"));
	assert_null(strchr(m->warnings, '\033'));
	assert_int_equal(0, vtr_tree_walk(&top, vtr_os_tree(m->os[0]), "/", 0, NULL));
	assert_int_equal(0,
			 vtr_tree_list(vtr_os_tree(m->os[0]), &top, VTR_LIST_RECURSIVE, entry_count, &entries, NULL));
	assert_true(entries < 100);
	assert_int_equal(0, vtr_os_read_packages(m->os[0], NULL));
}

/* Put img into the disk that is being made. */
static void disk_put(struct machine *m, unsigned mib)
{
	char command[256];

	snprintf(command, sizeof(command), "dd if='%s/img' of='%s/disk' bs=1M seek=%u conv=notrunc status=none", m->dir,
		 m->dir, mib);
	assert_int_equal(0, system(command));
}

/* The same from a disk that sfdisk partitioned, an MBR and a GPT, through the public interface. */
static int bill_take(void *arg, const char *text, size_t len)
{
	strncat(arg, text, len);
	return 0;
}

static int bill_refuse(void *arg, const char *text, size_t len)
{
	(void)text, (void)len;
	++*(unsigned *)arg;
	return 7;
}

/* tests/test_sbom.sh looks at the documents. */
static void bills_check(struct vtr_guest *g, struct vtr_os *os)
{
	struct vtr_sbom how = { .format = VTR_SBOM_SPDX, .subject = "a\xff\x1b" };
	static char all[65536], one[65536];
	struct vtr_error err = { 0 };
	unsigned calls = 0;

	all[0] = one[0] = 0;
	assert_int_equal(0, vtr_sbom_write(g, &how, bill_take, all, &err));
	assert_non_null(strstr(all, "\"name\": \"a\\\\xFF\\\\x1B\",\n"));
	assert_non_null(strstr(all, "\"created\": \"1970-01-01T00:00:00Z\""));
	how.os = os;
	assert_int_equal(0, vtr_sbom_write(g, &how, bill_take, one, &err));
	assert_string_equal(all, one); /* there is one system */
	how.created = (struct vtr_time){ .set = true, .sec = 253402300799, .nsec = 999999999 };
	one[0] = 0;
	assert_int_equal(0, vtr_sbom_write(g, &how, bill_take, one, &err));
	assert_non_null(strstr(one, "\"created\": \"9999-12-31T23:59:59Z\""));
	assert_int_equal(7, vtr_sbom_write(g, &how, bill_refuse, &calls, &err));
	assert_int_equal(1, calls);
	how.created.sec++;
	assert_int_equal(-1, vtr_sbom_write(g, &how, bill_take, one, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	how.created.sec = -1;
	assert_int_equal(-1, vtr_sbom_write(g, &how, bill_take, one, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	how.created.set = false;
	how.format = 0;
	assert_int_equal(-1, vtr_sbom_write(g, &how, bill_take, one, &err));
	assert_int_equal(VTR_EUSAGE, err.code);
	assert_int_equal(VTR_SBOM_CYCLONEDX, vtr_sbom_format("cyclonedx"));
	assert_int_equal(VTR_SBOM_SPDX, vtr_sbom_format("spdx"));
	assert_int_equal(0, vtr_sbom_format("spd"));
}

static void disks_of_sfdisk_are_inspected(void **state)
{
	static const struct {
		const char *table, *usr, *var;
	} disks[] = {
		{ "label: gpt\n"
		  "start=2048, size=8192, type=L\n"
		  "start=10240, size=8192, type=L, uuid=C0FFEE00-0000-4000-8000-00000000ABCD\n"
		  "start=18432, size=8192, type=L, name=\"the var\"\n",
		  "PARTUUID=c0ffee00-0000-4000-8000-00000000abcd", "PARTLABEL=\"the var\"" },
		{ "label: dos\n"
		  "label-id: 0x1234abcd\n"
		  "start=2048, size=8192, type=83\n"
		  "start=10240, size=8192, type=83\n"
		  "start=18432, size=8192, type=83\n",
		  "PARTUUID=1234abcd-02", "/dev/nvme0n1p3" },
	};
	struct machine *m = *state;

	if (!tools_there())
		skip();
	if (system("PATH=$PATH:/usr/sbin:/sbin; command -v sfdisk >/dev/null") != 0) {
		print_message("SKIPPED: no sfdisk to partition with\n");
		skip();
	}
	for (size_t i = 0; i < VTR_COUNT(disks); i++) {
		char commands[2048], command[256], path[64];
		struct vtr_error err = { 0 };
		struct vtr_guest *g;
		struct vtr_os *os;
		FILE *sfdisk;

		snprintf(
			command, sizeof(command),
			"PATH=$PATH:/usr/sbin:/sbin; rm -f '%s/disk'; truncate -s 16M '%s/disk'; sfdisk -q '%s/disk' >/dev/null",
			m->dir, m->dir, m->dir);
		sfdisk = popen(command, "w");
		assert_non_null(sfdisk);
		fputs(disks[i].table, sfdisk);
		assert_int_equal(0, pclose(sfdisk));
		snprintf(commands, sizeof(commands), "%s%s > etc/fstab <<'E'\n%s /usr ext4 ro\n%s /var ext4\nE\n",
			 "mkdir etc usr var; ln -s usr/bin bin; ln -s usr/sbin sbin; ln -s usr/lib lib\n"
			 "ln -s ../usr/lib/os-release etc/os-release; echo 12.5 > etc/debian_version\n"
			 "echo web.example > etc/hostname; ln -s ../usr/share/zoneinfo/Europe/Rome etc/localtime\n"
			 "echo 0123456789abcdef0123456789abcdef > etc/machine-id\n",
			 "cat", disks[i].usr, disks[i].var);
		image_make(m, commands, "", UUID_A);
		disk_put(m, 1);
		image_make(m,
			   "mkdir -p bin lib/systemd sbin share\n" OS_RELEASE " > lib/os-release\n"
			   "ln -s /lib/systemd/systemd sbin/init\n" ELF_AARCH64 " > lib/systemd/systemd\n"
			   "cp lib/systemd/systemd bin/real; ln -s /bin/real bin/bash\n",
			   "", UUID_B);
		disk_put(m, 5);
		image_make(m, "mkdir -p lib/dpkg\n" STATUS " > lib/dpkg/status\n", "", UUID_C);
		disk_put(m, 9);
		snprintf(path, sizeof(path), "%s/disk", m->dir);
		g = vtr_guest_new(m->ctx, &err);
		assert_non_null(g);
		if (vtr_guest_add(g, path, NULL, &err) < 0 || vtr_guest_scan(g, &err) < 0 ||
		    vtr_guest_inspect(g, &err) != 1)
			fail_msg("disk %zu: %s", i, err.text);
		os = vtr_guest_os(g, 0);
		assert_string_equal("/dev/sda1", vtr_os_root(os));
		debian_facts_check(os, "/dev/sda1", "/dev/sda2", "/dev/sda3");
		mount_check(os, "/usr", "/dev/sda2", true);
		mount_check(os, "/var", "/dev/sda3", true);
		bills_check(g, os);
		vtr_guest_free(g);
		assert_string_equal("", m->warnings);
	}
}

/* By the partitions' types of the Discoverable Partitions Specification. */
static void discoverable_partitions_are_mounted(void **state)
{
	struct machine *m = *state;

	if (!tools_there())
		skip();
	machine_add(m,
		    "mkdir etc usr home srv boot; ln -s usr/bin bin; echo x > srv/full; echo localhost > etc/hosts\n"
		    "echo '/dev/sda9 /boot ext4' > etc/fstab\n",
		    "", UUID_A, "");
	machine_add(m, "mkdir -p lib bin etc share; touch etc/hosts\n" OS_RELEASE " > lib/os-release\n", "", UUID_B,
		    "");
	machine_add(m, "touch one", "", UUID_C, "");
	machine_add(m, "touch two", "", UUID_D, "");
	machine_add(m, "touch three", "", UUID_E, "");
	strcpy(m->parts[1].type_guid, "8484680C-9521-48C6-9C11-B0720656F69E");
	strcpy(m->parts[2].type_guid, "933AC7E1-2EB4-4F13-B844-0E14E2AEF915");
	strcpy(m->parts[3].type_guid, "3B8F8425-20E0-4F3B-907F-1A25A76F98E8");
	strcpy(m->parts[4].type_guid, "BC13C2FF-59E6-4262-A352-B275FD6F7172");
	machine_inspect(m);
	assert_int_equal(1, m->n_os); /* /usr has an etc, a bin and a share, and is no root */
	fact_check(m->os[0], "distro", "debian", "/usr/lib/os-release", "/dev/sda2");
	mount_check(m->os[0], "/usr", "/dev/sda2", true);
	mount_check(m->os[0], "/home", "/dev/sda3", true);
	assert_null(mount_at(m->os[0], "/srv"));     /* not empty */
	mount_check(m->os[0], "/boot", NULL, false); /* fstab knows better */
	mount_check(m->os[0], "/", "/dev/sda1", true);
	assert_string_equal("", m->warnings);
}

static void files_over_their_limit_are_passed_over(void **state)
{
	struct machine *m = *state;
	struct vtr_error err = { 0 };
	struct vtr_limits lim;

	if (!tools_there())
		skip();
	vtr_limits_default(&lim);
	lim.text_file = 1000;
	lim.package_db = 2000;
	vtr_ctx_unref(m->ctx);
	m->ctx = vtr_ctx_new(&lim, NULL);
	assert_non_null(m->ctx);
	vtr_ctx_on_warning(m->ctx, warning_note, m);
	machine_add(m,
		    "mkdir -p etc bin usr/lib var/lib/dpkg; echo ok > etc/hostname; echo 7.0 > etc/debian_version\n"
		    "head -c 1001 /dev/zero > etc/fstab; cp etc/fstab etc/os-release\n"
		    "head -c 2001 /dev/zero > var/lib/dpkg/status\n",
		    "", UUID_A, "");
	machine_inspect(m);
	assert_int_equal(1, m->n_os);
	fact_check(m->os[0], "hostname", "ok", NULL, NULL);
	fact_check(m->os[0], "distro", "debian", "/etc/debian_version", NULL);
	mount_check(m->os[0], "/", "/dev/sda1", true);
	assert_int_equal(2, vtr_ctx_damage(m->ctx));
	assert_non_null(strstr(m->warnings, "/dev/sda1: /etc/fstab: "));
	assert_non_null(strstr(m->warnings, "/dev/sda1: /etc/os-release: "));
	assert_int_equal(-1, vtr_os_read_packages(m->os[0], &err));
	assert_int_equal(VTR_ELIMIT, err.code);
}

static void cancelling_ends_it(void **state)
{
	struct machine *m = *state;
	struct vtr_inspect in = { .ctx = m->ctx, .devices = m->devices, .fs = machine_fs, .arg = m };
	struct vtr_error err = { 0 };

	if (!tools_there())
		skip();
	machine_add(m, debian_root, "", UUID_A, "");
	in.n_devices = m->n;
	vtr_ctx_cancel(m->ctx);
	assert_int_equal(-1, vtr_inspect_run(&m->os, &m->n_os, &in, &err));
	assert_int_equal(VTR_ECANCELLED, err.code);
	assert_null(m->os);
}

/* Systems of before os-release, and what else tells them apart. */
static void release_files_name_the_distribution(void **state)
{
	static const struct {
		const char *commands;
		const char *distro, *product, *version, *major, *minor, *codename, *format, *manager;
	} cases[] = {
		{ "echo 'CentOS Linux release 7.9.2009 (Core)' > etc/centos-release\n"
		  "ln -s centos-release etc/redhat-release\n"
		  "printf 'NAME=\"CentOS Linux\"\\nVERSION=\"7 (Core)\"\\nID=\"centos\"\\nVERSION_ID=\"7\"\\n"
		  "PRETTY_NAME=\"CentOS Linux 7 (Core)\"\\n' > etc/os-release\n",
		  "centos", "CentOS Linux 7 (Core)", "7.9.2009", "7", "9", "Core", "rpm", "yum" },
		{ "echo 'Red Hat Enterprise Linux AS release 4 (Nahant Update 8)' > etc/redhat-release\n", "rhel",
		  "Red Hat Enterprise Linux AS release 4 (Nahant Update 8)", "4.8", "4", "8", NULL, "rpm", "up2date" },
		{ "echo 'Fedora release 14 (Laughlin)' > etc/fedora-release; ln -s fedora-release etc/redhat-release\n",
		  "fedora", "Fedora release 14 (Laughlin)", "14", "14", "0", NULL, "rpm", "yum" },
		{ "printf 'ID=fedora\\nVERSION_ID=39\\nVERSION=\"39 (Workstation Edition)\"\\nVARIANT_ID=workstation\\n"
		  "PRETTY_NAME=\"Fedora Linux 39 (Workstation Edition)\"\\n' > etc/os-release\n"
		  "mkdir -p usr/bin; touch usr/bin/dnf\n",
		  "fedora", "Fedora Linux 39 (Workstation Edition)", "39", "39", "0", NULL, "rpm", "dnf" },
		{ "printf 'SUSE Linux Enterprise Server 11 (x86_64)\\nVERSION = 11\\nPATCHLEVEL = 4\\n' > etc/SuSE-release\n",
		  "sles", "SUSE Linux Enterprise Server 11 (x86_64)", "11.4", "11", "4", NULL, "rpm", "zypper" },
		{ "printf 'openSUSE 13.1 (x86_64)\\nVERSION = 13.1\\nCODENAME = Bottle\\n' > etc/SuSE-release\n",
		  "opensuse", "openSUSE 13.1 (x86_64)", "13.1", "13", "1", "Bottle", "rpm", "zypper" },
		{ "echo 5.0.10 > etc/debian_version\n", "debian", "Debian GNU/Linux 5.0.10", "5.0.10", "5", "0", NULL,
		  "deb", "apt" },
		{ "echo trixie/sid > etc/debian_version\nprintf 'PRETTY_NAME=\"Debian GNU/Linux trixie/sid\"\\n"
		  "NAME=\"Debian GNU/Linux\"\\nVERSION_CODENAME=trixie\\nID=debian\\n' > etc/os-release\n",
		  "debian", "Debian GNU/Linux trixie/sid", NULL, NULL, NULL, "trixie", "deb", "apt" },
		{ "echo 11.9 > etc/debian_version\nprintf 'ID=debian\\nVERSION_ID=12\\n' > etc/os-release\n", "debian",
		  NULL, "12", "12", "0", NULL, "deb", "apt" },
		{ "printf 'DISTRIB_ID=Ubuntu\\nDISTRIB_RELEASE=10.04\\nDISTRIB_CODENAME=lucid\\n"
		  "DISTRIB_DESCRIPTION=\"Ubuntu 10.04.1 LTS\"\\n' > etc/lsb-release; echo squeeze/sid > etc/debian_version\n",
		  "ubuntu", "Ubuntu 10.04.1 LTS", "10.04", "10", "4", "lucid", "deb", "apt" },
		{ "touch etc/arch-release\n", "archlinux", "Arch Linux", NULL, NULL, NULL, NULL, "pacman", "pacman" },
		{ "printf 'NAME=Gentoo\\nID=gentoo\\nPRETTY_NAME=\"Gentoo Linux\"\\n' > etc/os-release\n", "gentoo",
		  "Gentoo Linux", NULL, NULL, NULL, NULL, "ebuild", "portage" },
		{ "printf 'ID=\"opensuse-leap\"\\nVERSION_ID=\"15.5\"\\nNAME=x\\n' > etc/os-release\n", "opensuse", "x",
		  "15.5", "15", "5", NULL, "rpm", "zypper" },
		{ "printf 'ID=brandnew\\nVERSION_ID=1\\nPRETTY_NAME=\"Brand New\"\\n' > etc/os-release\n"
		  "mkdir -p var/lib/rpm usr/bin; touch var/lib/rpm/rpmdb.sqlite usr/bin/zypper\n",
		  "brandnew", "Brand New", "1", "1", "0", NULL, "rpm", "zypper" },
		{ ":\n", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
	};

	(void)state;
	if (!tools_there())
		skip();
	for (size_t i = 0; i < VTR_COUNT(cases); i++) {
		struct machine *m;
		char commands[1024];
		void *p;

		machine_setup(&p);
		m = p;
		snprintf(commands, sizeof(commands), "mkdir etc bin; touch etc/fstab\n%s", cases[i].commands);
		machine_add(m, commands, "", UUID_A, "");
		machine_inspect(m);
		assert_int_equal(1, m->n_os);
		fact_check(m->os[0], "type", "linux", "/etc/fstab", "/dev/sda1");
		fact_check(m->os[0], "distro", cases[i].distro, NULL, NULL);
		fact_check(m->os[0], "product_name", cases[i].product, NULL, NULL);
		fact_check(m->os[0], "version", cases[i].version, NULL, NULL);
		fact_check(m->os[0], "major_version", cases[i].major, NULL, NULL);
		fact_check(m->os[0], "minor_version", cases[i].minor, NULL, NULL);
		fact_check(m->os[0], "codename", cases[i].codename, NULL, NULL);
		fact_check(m->os[0], "package_format", cases[i].format, NULL, NULL);
		fact_check(m->os[0], "package_manager", cases[i].manager, NULL, NULL);
		fact_check(m->os[0], "arch", NULL, NULL, NULL);
		assert_string_equal("", m->warnings);
		machine_teardown(&p);
	}
}

/* Distroless images have no dpkg, and a file for each package; and dpkg's updates are not merged yet. */
static void packages_come_from_directories_too(void **state)
{
	struct machine *m = *state;

	if (!tools_there())
		skip();
	machine_add(m,
		    "mkdir -p etc usr var/lib/dpkg/status.d; echo root:x:0:0 > etc/passwd\n"
		    "printf 'Package: zlib\\nVersion: 1\\nArchitecture: amd64' > var/lib/dpkg/status.d/zlib\n"
		    "printf 'Package: base\\nVersion: 2\\nArchitecture: all\\n' > var/lib/dpkg/status.d/base\n"
		    "echo Package: nothing > var/lib/dpkg/status.d/base.md5sums\n",
		    "", UUID_A, "");
	machine_add(m,
		    "mkdir -p etc bin var/lib/dpkg/updates; touch etc/fstab\n"
		    "printf 'Package: a\\nStatus: install ok installed\\nVersion: 1\\n' > var/lib/dpkg/status\n"
		    "printf 'Package: b\\nStatus: install ok installed\\nVersion: 1\\n' > var/lib/dpkg/updates/0000\n"
		    "printf 'Package: a\\nStatus: install ok unpacked\\nVersion: 2\\n' > var/lib/dpkg/updates/0001\n"
		    "printf 'Package: c\\nStatus: install ok installed\\nVersion: 2\\n' > var/lib/dpkg/updates/tmp.i\n",
		    "", UUID_B, "");
	machine_inspect(m);
	assert_int_equal(2, m->n_os);
	assert_int_equal(2, vtr_os_read_packages(m->os[0], NULL));
	assert_string_equal("base", vtr_os_package(m->os[0], 0)->name);
	assert_string_equal("zlib", vtr_os_package(m->os[0], 1)->name);
	assert_string_equal("amd64", vtr_os_package(m->os[0], 1)->arch);
	assert_string_equal("installed", vtr_os_package(m->os[0], 1)->status);
	assert_int_equal(2, vtr_os_read_packages(m->os[1], NULL));
	assert_string_equal("2", vtr_os_package(m->os[1], 0)->version);
	assert_string_equal("unpacked", vtr_os_package(m->os[1], 0)->status);
	assert_string_equal("b", vtr_os_package(m->os[1], 1)->name);
	assert_string_equal("", m->warnings);
}

int main(void)
{
#define MACHINE_TEST(f) cmocka_unit_test_setup_teardown(f, machine_setup, machine_teardown)
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_single_root_is_found),
		MACHINE_TEST(separate_filesystems_are_mounted),
		MACHINE_TEST(two_systems_do_not_mix),
		MACHINE_TEST(a_hostile_fstab_is_survived),
		MACHINE_TEST(packages_come_from_directories_too),
		MACHINE_TEST(disks_of_sfdisk_are_inspected),
		MACHINE_TEST(discoverable_partitions_are_mounted),
		MACHINE_TEST(files_over_their_limit_are_passed_over),
		MACHINE_TEST(cancelling_ends_it),
		cmocka_unit_test(release_files_name_the_distribution),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
