/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of host files, in every place where an image may have one. What is open is what the kernel says: the descriptors
 * of the process.
 */
#include <dirent.h>
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/checked.h"
#include "tests/hostile_names.h"
#include "tests/packed_images.h"
#include "tests/part_images.h"
#include "tests/qcow2_images.h"
#include "tests/vhd_images.h"
#include "tests/vmdk_images.h"

static char path[PATH_MAX];

static const char *in(const char *dir, const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_text(const char *file, const char *text)
{
	qcow2_write_file(file, text, strlen(text));
}

/* ------------------------------------------------------------------------------------------------- places of a name */

static void write_qcow2(const char *file, const char *name, const char *format)
{
	uint8_t image[QCOW2_BUILD_CLUSTERS * 4096];
	size_t n = qcow2_build(image, 12);

	qcow2_build_backing(image, name, strlen(name), format);
	qcow2_write_file(file, image, n);
}

static void qcow2_backing(const char *file, const char *name)
{
	write_qcow2(file, name, "raw");
}

/* Version 3 with the incompatible feature "external data file", and its name in a header extension of type "DATA". */
static void qcow2_data_file(const char *file, const char *name)
{
	uint8_t image[QCOW2_BUILD_CLUSTERS * 4096];
	size_t n = qcow2_build(image, 12), len = VTR_MIN(strlen(name), (size_t)1000);

	qcow2_put(image + 72, 8, 4);
	memset(image + QCOW2_BUILD_EXTENSIONS, 0, 4096 - QCOW2_BUILD_EXTENSIONS);
	qcow2_put(image + QCOW2_BUILD_EXTENSIONS, 4, 0x44415441);
	qcow2_put(image + QCOW2_BUILD_EXTENSIONS + 4, 4, len);
	memcpy(image + QCOW2_BUILD_EXTENSIONS + 8, name, len);
	qcow2_write_file(file, image, n);
}

static void raw_target(const char *file)
{
	uint8_t bytes[4096] = "x";

	qcow2_write_file(file, bytes, sizeof(bytes));
}

static void vmdk_flat(const char *file, const char *name)
{
	write_text(file, vmdk_text("RW 1 FLAT \"%s\" 0\n", name));
}

static void vmdk_vmfs(const char *file, const char *name)
{
	write_text(file, vmdk_text("RW 1 VMFS \"%s\"\n", name));
}

static void vmdk_sparse(const char *file, const char *name)
{
	write_text(file, vmdk_text("RW 89 SPARSE \"%s\"\n", name));
}

static void vmdk_parent(const char *file, const char *name)
{
	write_text(file, vmdk_text("CID=2\nparentCID=00000001\nRW 1 ZERO\nparentFileNameHint=\"%s\"\n", name));
}

static void sparse_target(const char *file)
{
	size_t len;
	uint8_t *image = vmdk_build(&len, VMDK_BUILD_SPARSE, "", 3);

	qcow2_write_file(file, image, len);
	free(image);
}

static void parent_target(const char *file)
{
	write_text(file, vmdk_text("CID=00000001\nparentCID=ffffffff\nRW 1 ZERO\n"));
}

static void write_vhd(const char *file, const char *code, const void *data, size_t len)
{
	uint8_t image[VHD_BUILD_LEN];

	vhd_build(image, 4);
	memset(image + VHD_BUILD_HEADER + 64, 0, 512);
	memset(image + VHD_BUILD_HEADER + 576, 0, 192);
	vhd_build_locator(image, 0, code, VHD_BUILD_LOCATOR, data, len);
	qcow2_write_file(file, image, sizeof(image));
}

static void vhd_relative(const char *file, const char *name)
{
	uint8_t data[512] = { 0 };

	write_vhd(file, "W2ru", data, vhd_utf16(data, name, false));
}

static void vhd_absolute(const char *file, const char *name)
{
	uint8_t data[512] = { 0 };

	write_vhd(file, "W2ku", data, vhd_utf16(data, name, false));
}

static void vhd_url(const char *file, const char *name)
{
	char url[300];

	snprintf(url, sizeof(url), "file://%s%s", name[0] == '/' ? "" : "./", name);
	write_vhd(file, "MacX", url, strlen(url));
}

/* The name in the header, 512 bytes of UTF-16, big endian. */
static void vhd_header(const char *file, const char *name)
{
	uint8_t image[VHD_BUILD_LEN];

	vhd_build(image, 4);
	memset(image + VHD_BUILD_HEADER + 64, 0, 512);
	memset(image + VHD_BUILD_HEADER + 576, 0, 192);
	vhd_utf16(image + VHD_BUILD_HEADER + 64, name, true);
	vhd_seal(image);
	qcow2_write_file(file, image, sizeof(image));
}

static void vhd_target(const char *file)
{
	uint8_t image[VHD_BUILD_LEN];

	vhd_build(image, 3);
	qcow2_write_file(file, image, sizeof(image));
}

static void write_vhdx(const char *file, const char *relative, const char *absolute)
{
	struct vhdx_options opt = { .size = 1 << 20,
				    .flags = relative || absolute ? 2 : 0,
				    .data_mb = 1,
				    .relative = relative,
				    .absolute = absolute,
				    .linkage = relative || absolute ? "{" VHDX_DATA_WRITE_GUID "}" : NULL };
	struct vhdx_built b;

	vhdx_build(&b, &opt);
	vhdx_seal(&b);
	qcow2_write_file(file, b.p, b.len);
	vhdx_done(&b);
}

static void vhdx_relative(const char *file, const char *name)
{
	write_vhdx(file, name, NULL);
}

static void vhdx_absolute(const char *file, const char *name)
{
	write_vhdx(file, NULL, name);
}

static void vhdx_target(const char *file)
{
	write_vhdx(file, NULL, NULL);
}

static void parallels_image(const char *file, const char *name)
{
	char text[2000];

	snprintf(
		text, sizeof(text),
		"<?xml version='1.0' encoding='UTF-8'?>\n<Parallels_disk_image Version=\"1.0\"><Disk_Parameters>"
		"<Disk_size>8</Disk_size><LogicSectorSize>512</LogicSectorSize></Disk_Parameters><StorageData><Storage>"
		"<Start>0</Start><End>8</End><Blocksize>2048</Blocksize><Image><GUID>"
		"{5fbaabe3-6958-40ff-92a7-860e329aab41}</GUID><Type>Plain</Type><File>%s</File></Image></Storage>"
		"</StorageData><Snapshots></Snapshots></Parallels_disk_image>\n",
		name);
	write_text(file, text);
}

static const struct place {
	const char *what;
	void (*write)(const char *file, const char *name);
	void (*target)(const char *file); /* what is opened by the name is such a one */
	bool posix;			  /* the name is a path as it is: the table's codes hold */
} places[] = {
	{ "qcow2 backing file", qcow2_backing, raw_target, true },
	{ "qcow2 data file", qcow2_data_file, raw_target, true },
	{ "VMDK flat extent", vmdk_flat, raw_target, false },
	{ "VMDK VMFS extent", vmdk_vmfs, raw_target, false },
	{ "VMDK sparse extent", vmdk_sparse, sparse_target, false },
	{ "VMDK parent", vmdk_parent, parent_target, false },
	{ "VHD relative locator", vhd_relative, vhd_target, false },
	{ "VHD absolute locator", vhd_absolute, vhd_target, false },
	{ "VHD URL", vhd_url, vhd_target, false },
	{ "VHD name", vhd_header, vhd_target, false },
	{ "VHDX relative path", vhdx_relative, vhdx_target, false },
	{ "VHDX absolute path", vhdx_absolute, vhdx_target, false },
	{ "Parallels image", parallels_image, raw_target, false },
};

/* The directory, with files that each place would take for its own. The caller frees it; made is removed. */
static char *start_dir(char **made, const struct place *p)
{
	static const char *const targets[] = { "images/base.raw", "images/sub/deep.raw", "outside/secret.raw",
					       "imagesx/secret.raw" };
	char *dir;

	*made = part_temp();
	dir = realpath(*made, NULL);
	assert_non_null(dir);
	hostile_dir(dir);
	for (size_t i = 0; p && i < VTR_COUNT(targets); i++)
		p->target(in(dir, targets[i]));
	return dir;
}

/* -------------------------------------------------------------------------------------------------------- what is open */

/*
 * Fail unless each descriptor of a file below dir is of a file below dir/allowed ("": of top alone), and none is of
 * what the system keeps elsewhere.
 */
static void expect_open(const char *dir, const char *allowed, const char *what, const char *name)
{
	static const char *const never[] = { "/etc/", "/proc/", "/sys/", "/dev/sd", "/dev/zero" };
	DIR *fds = opendir("/proc/self/fd");
	const struct dirent *e;
	size_t n = strlen(dir);

	assert_non_null(fds);
	while ((e = readdir(fds))) {
		char link[300], to[PATH_MAX];
		struct stat st;
		ssize_t len;

		snprintf(link, sizeof(link), "/proc/self/fd/%s", e->d_name);
		len = readlink(link, to, sizeof(to) - 1);
		if (len < 0)
			continue;
		to[len] = 0;
		for (size_t i = 0; i < VTR_COUNT(never); i++)
			if (strncmp(to, never[i], strlen(never[i])) == 0 && !strstr(to, "/fd"))
				fail_msg("%s \"%s\": %s is open", what, name, to);
		if (strncmp(to, dir, n) != 0 || strcmp(to + n, "/images/top") == 0)
			continue;
		if (stat(link, &st) == 0 && S_ISDIR(st.st_mode)) /* an allowed one */
			continue;
		if (!*allowed || strncmp(to + n, allowed, strlen(allowed)) != 0)
			fail_msg("%s \"%s\": %s is open", what, name, to);
	}
	closedir(fds);
}

enum { PLAIN, FOLLOW, ALLOWED };

static void try_name(const struct place *p, const char *dir, const struct hostile_name *h, int mode)
{
	static const char *const allowed[] = { "", "/images/", "/outside/" };
	int code = mode == PLAIN ? h->plain : mode == FOLLOW ? h->follow : h->allowed, got;
	char name[2 * PATH_MAX], outside[PATH_MAX];
	struct qcow2_opened o;

	snprintf(name, sizeof(name), "%s%s", h->name[0] == '@' ? dir : "", h->name + (h->name[0] == '@'));
	p->write(in(dir, "images/top"), name);
	qcow2_start(&o, NULL, mode == FOLLOW);
	snprintf(outside, sizeof(outside), "%s/outside", dir);
	if (mode == ALLOWED)
		assert_int_equal(0, vtr_ctx_allow_dir(o.ctx, outside, NULL));
	qcow2_open(&o, in(dir, "images/top"), NULL);
	expect_open(dir, allowed[mode], p->what, name);
	got = o.rc < 0 ? o.err.code : VTR_OK;
	if (p->posix && got != code)
		fail_msg("%s \"%s\", mode %d: %s", p->what, name, mode, o.rc < 0 ? o.err.text : "opened");
	/* Where nothing is allowed, nothing is opened, and nothing is looked for. */
	if (mode == PLAIN && (got == VTR_OK || (got == VTR_ENOTFOUND && !strstr(o.err.text, "it does not name its"))))
		fail_msg("%s \"%s\": %s", p->what, name, o.rc < 0 ? o.err.text : "opened");
	qcow2_done(&o);
}

static void hostile_names_open_only_what_is_allowed(void **state)
{
	(void)state;
	for (size_t k = 0; k < VTR_COUNT(places); k++) {
		const struct place *p = &places[k];
		char *made, *dir = start_dir(&made, p);
		struct qcow2_opened o;

		for (size_t i = 0; i < VTR_COUNT(hostile_names); i++)
			for (int mode = PLAIN; mode <= ALLOWED; mode++)
				if (mode != FOLLOW || strcmp(hostile_names[i].name, "link_in") != 0 ||
				    hostile_links_are_followed())
					try_name(p, dir, &hostile_names[i], mode);
		/* What may be opened is. */
		p->write(in(dir, "images/top"), "base.raw");
		qcow2_start(&o, NULL, true);
		qcow2_open(&o, in(dir, "images/top"), NULL);
		if (o.rc < 0)
			fail_msg("%s: %s", p->what, o.err.text);
		qcow2_done(&o);
		free(dir);
		part_temp_done(made);
	}
}

/* ---------------------------------------------------------------------------------------------------------- neighbours */

/* Segments and pieces are no names in an image, but what has such a name may be a link that leads out. */
static void neighbours_that_lead_out_are_not_opened(void **state)
{
	static const char *const how[] = {
		"ln -s ../outside/n images/n",
		"ln -s \"$PWD/outside/n\" images/n",
		"ln -s ../images/../outside/n images/n",
		"ln -s /etc/passwd images/n",
		"ln -s /proc/self/environ images/n",
		"ln -s n images/n",
		"mkdir images/n",
		"mkfifo images/n",
	};
	static const struct {
		const char *first, *next, *format;
	} kinds[] = { { "i.E01", "i.E02", "ewf" }, { "i.001", "i.002", "splitraw" } };
	struct packed_ewf e;

	(void)state;
	packed_ewf(&e, true, false);
	for (size_t k = 0; k < VTR_COUNT(kinds); k++) {
		struct vtr_image_options opt = { .format = kinds[k].format };
		const struct packed *next = k == 0 ? &e.second : &e.first.image;

		for (size_t i = 0; i <= VTR_COUNT(how); i++) {
			char *made = part_temp(), *dir = realpath(made, NULL), file[PATH_MAX + 32];
			struct qcow2_opened o;

			part_run("cd '%s' && mkdir images outside", dir);
			snprintf(file, sizeof(file), "%s/images/%s", dir, kinds[k].first);
			qcow2_write_file(file, e.first.image.p, e.first.image.len);
			qcow2_write_file(in(dir, "outside/n"), next->p, next->len);
			if (i < VTR_COUNT(how))
				part_run("cd '%s' && %s && mv images/n images/%s", dir, how[i], kinds[k].next);
			else
				part_run("cp '%s/outside/n' '%s/images/%s'", dir, dir, kinds[k].next);
			if (i < VTR_COUNT(how) && strncmp(how[i], "ln -s n", 7) == 0)
				part_run("cd '%s/images' && ln -sf %s %s", dir, kinds[k].next, kinds[k].next);
			qcow2_start(&o, NULL, true);
			qcow2_open(&o, file, &opt);
			expect_open(dir, "/images/", kinds[k].format, i < VTR_COUNT(how) ? how[i] : "good");
			if (i < VTR_COUNT(how))
				qcow2_expect_error(&o, VTR_EPOLICY, kinds[k].next);
			else
				assert_int_equal(0, o.rc);
			qcow2_done(&o);
			free(dir);
			part_temp_done(made);
		}
	}
	packed_ewf_done(&e);
}

/* ------------------------------------------------------------------------------------------------------------ resolver */

/* What a resolver serves, by name, to images of any name; and what it was asked. */
struct served {
	struct vtr_ctx *ctx;
	const char *name;
	const uint8_t *bytes;
	uint64_t len;
	char asked[2000];
};

static int serve(void *arg, struct vtr_blk **out, const char *image, const char *name, struct vtr_error *err)
{
	struct served *s = arg;
	size_t n = strlen(s->asked);

	snprintf(s->asked + n, sizeof(s->asked) - n, "[%s>%s]", image ? image : "", name);
	if (strcmp(name, s->name) != 0)
		return 0;
	return vtr_blk_memory(out, s->ctx, s->bytes, s->len, err) < 0 ? -1 : 1;
}

/*
 * The name that a resolver served an image by is no place on the host: the next name is not taken from there. The
 * image lies "in" the directory outside, beside a file that the name in it fits.
 */
static void the_name_of_a_served_image_is_no_directory(void **state)
{
	(void)state;
	for (size_t k = 0; k < VTR_COUNT(places); k++) {
		const struct place *p = &places[k];
		char *made, *dir = start_dir(&made, p), mid[PATH_MAX + 32], file[PATH_MAX];
		struct served s = { .name = mid };
		struct qcow2_opened o;
		uint8_t *bytes;

		snprintf(mid, sizeof(mid), "%s/outside/mid", dir);
		p->write(in(dir, "middle"), "secret.raw");
		bytes = qcow2_file(path, &s.len);
		s.bytes = bytes;
		snprintf(file, sizeof(file), "%s/images/top", dir);
		write_qcow2(file, mid, NULL);
		for (int host = 0; host < 2; host++)
			for (int allow = 0; allow < 2; allow++) {
				qcow2_start(&o, NULL, true);
				if (allow)
					assert_int_equal(0, vtr_ctx_allow_dir(o.ctx, dir, NULL));
				s.ctx = o.ctx;
				s.asked[0] = 0;
				vtr_ctx_resolver(o.ctx, serve, &s);
				if (host) {
					qcow2_open(&o, file, NULL);
				} else {
					uint64_t n;
					uint8_t *top = qcow2_file(file, &n);

					qcow2_open_bytes(&o, top, n, NULL);
					free(top);
				}
				expect_open(dir, "", p->what, "secret.raw");
				if (o.rc == 0)
					fail_msg("%s: opened", p->what);
				qcow2_expect_error(&o, VTR_EPOLICY, "names no files");
				/* The resolver was asked for both, and told which image names the second. */
				assert_non_null(strstr(s.asked, mid));
				assert_non_null(strstr(s.asked, "outside/mid>"));
				qcow2_done(&o);
			}
		free(bytes);
		free(dir);
		part_temp_done(made);
	}
}

static void neighbours_of_a_served_image_are_not_opened(void **state)
{
	static const struct {
		const char *first, *next, *format;
	} kinds[] = { { "i.E01", "i.E02", "ewf" }, { "i.001", "i.002", "splitraw" } };
	struct packed_ewf e;

	(void)state;
	packed_ewf(&e, true, false);
	for (size_t k = 0; k < VTR_COUNT(kinds); k++) {
		char *made = part_temp(), *dir = realpath(made, NULL), name[PATH_MAX + 32], asked[PATH_MAX + 64];
		struct served s = { .name = name, .bytes = e.first.image.p, .len = e.first.image.len };
		struct qcow2_opened o;

		part_run("cd '%s' && mkdir images outside", dir);
		snprintf(name, sizeof(name), "%s/outside/%s", dir, kinds[k].next);
		qcow2_write_file(name, e.second.p, e.second.len);
		snprintf(name, sizeof(name), "%s/outside/%s", dir, kinds[k].first);
		write_qcow2(in(dir, "images/top"), name, kinds[k].format);
		qcow2_start(&o, NULL, true);
		s.ctx = o.ctx;
		vtr_ctx_resolver(o.ctx, serve, &s);
		qcow2_open(&o, in(dir, "images/top"), NULL);
		expect_open(dir, "", kinds[k].format, kinds[k].next);
		qcow2_expect_error(&o, VTR_EPOLICY, "names no files");
		snprintf(asked, sizeof(asked), "[%s>%s]", name, kinds[k].next);
		assert_non_null(strstr(s.asked, asked));
		qcow2_done(&o);
		free(dir);
		part_temp_done(made);
	}
	packed_ewf_done(&e);
}

/* What a resolver served has no path: its extents say so. */
static void a_served_file_has_no_path(void **state)
{
	char *made, *dir = start_dir(&made, NULL);
	uint8_t bytes[65536] = { 1 };
	struct served s = { .name = "base", .bytes = bytes, .len = sizeof(bytes) };
	struct vtr_extent e;
	struct qcow2_opened o;
	uint8_t image[QCOW2_BUILD_CLUSTERS * 4096];
	size_t n = qcow2_build(image, 12);

	(void)state;
	qcow2_put(image + 4 * 4096, 8, 0); /* the first cluster is the backing file's */
	qcow2_build_backing(image, "base", 4, "raw");
	qcow2_write_file(in(dir, "images/top"), image, n);
	qcow2_start(&o, NULL, true);
	s.ctx = o.ctx;
	vtr_ctx_resolver(o.ctx, serve, &s);
	qcow2_open(&o, in(dir, "images/top"), NULL);
	assert_int_equal(0, o.rc);
	assert_string_equal("base", vtr_image_info(o.disk)->backing_path);
	assert_int_equal(0, vtr_blk_extent(&e, o.disk, 0, NULL));
	assert_int_equal(1, e.depth);
	assert_null(e.host_file);
	qcow2_done(&o);
	free(dir);
	part_temp_done(made);
}

/* ----------------------------------------------------------------------------------------------- functions of the caller */

static int serve_nothing(void *arg, struct vtr_blk **out, const char *image, const char *name, struct vtr_error *err)
{
	(void)out, (void)image, (void)name, (void)err;
	return *(int *)arg;
}

static int serve_badly(void *arg, struct vtr_blk **out, const char *image, const char *name, struct vtr_error *err)
{
	(void)arg, (void)out, (void)image, (void)name;
	err->code = VTR_EKEY;
	memset(err->text, 'a', sizeof(err->text)); /* no end */
	err->text[0] = '\n';
	return -1;
}

static void open_served(vtr_resolver *fn, void *arg, int code, const char *words)
{
	uint8_t image[QCOW2_BUILD_CLUSTERS * 4096];
	size_t n = qcow2_build(image, 12);
	struct qcow2_opened o;

	qcow2_build_backing(image, "base", 4, "raw");
	qcow2_start(&o, NULL, false);
	vtr_ctx_resolver(o.ctx, fn, arg);
	qcow2_open_bytes(&o, image, n, NULL);
	qcow2_expect_error(&o, code, words);
	qcow2_done(&o);
}

static void a_resolver_that_serves_nothing_is_told(void **state)
{
	int one = 1, many = 7, failed = -1, none = 0;

	(void)state;
	open_served(serve_nothing, &one, VTR_EUSAGE,
		    "backing file \"base\": the resolver returned 1 and no block source");
	open_served(serve_nothing, &many, VTR_EUSAGE, "the resolver returned 7 and no block source");
	open_served(serve_nothing, &failed, VTR_EUSAGE, "the resolver failed, and did not say why");
	open_served(serve_nothing, &none, VTR_EPOLICY, "names no files");
	open_served(serve_badly, NULL, VTR_EKEY, "\\naaaa");
}

/* A resolver that opens the same image again, which names a file, and so on. */
struct again {
	struct vtr_ctx *ctx;
	uint8_t image[QCOW2_BUILD_CLUSTERS * 4096];
	size_t n;
	unsigned calls, inside, deepest;
};

static int serve_again(void *arg, struct vtr_blk **out, const char *image, const char *name, struct vtr_error *err)
{
	struct again *a = arg;
	struct vtr_blk *file = NULL;
	int r;

	(void)image, (void)name;
	a->calls++;
	a->inside++;
	a->deepest = VTR_MAX(a->deepest, a->inside);
	r = vtr_blk_memory(&file, a->ctx, a->image, a->n, err);
	if (r == 0)
		r = vtr_image_decode(out, file, NULL, err);
	vtr_blk_unref(file);
	a->inside--;
	return r < 0 ? -1 : 1;
}

static void a_resolver_that_opens_images_is_bounded(void **state)
{
	struct again a = { .n = 0 };
	struct vtr_limits limits;

	(void)state;
	a.n = qcow2_build(a.image, 12);
	qcow2_build_backing(a.image, "base", 4, "raw");
	vtr_limits_default(&limits);
	for (unsigned chain = 1; chain <= 10; chain += 9) {
		struct qcow2_opened o;

		limits.chain = chain;
		qcow2_start(&o, &limits, false);
		a.ctx = o.ctx;
		a.calls = a.deepest = 0;
		vtr_ctx_resolver(o.ctx, serve_again, &a);
		for (int twice = 0; twice < 2; twice++) { /* nothing is left counted */
			qcow2_open_bytes(&o, a.image, a.n, NULL);
			qcow2_expect_error(&o, VTR_ELIMIT, "limit chain=");
		}
		assert_int_equal(2 * chain, a.calls);
		assert_int_equal(chain, a.deepest);
		qcow2_done(&o);
	}
}

static int read_returns(void *arg, uint64_t off, void *buf, size_t len, struct vtr_error *err)
{
	(void)off, (void)err;
	memset(buf, 0, len);
	return *(int *)arg;
}

static void a_source_of_the_callers_is_not_trusted(void **state)
{
	static const struct {
		int returns, code;
		const char *words;
	} rows[] = {
		{ 0, VTR_OK, NULL },
		{ 16, VTR_EUSAGE, "the source's pread returned 16, expected 0 or -1" },
		{ -1, VTR_EUSAGE, "the source's pread failed, and did not say why" },
	};
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	uint8_t buf[16];

	(void)state;
	for (size_t i = 0; i < VTR_COUNT(rows); i++) {
		int returns = rows[i].returns;
		struct vtr_blk_source src = { .pread = read_returns, .arg = &returns, .size = 512 };
		struct vtr_error err = { 0 };
		struct vtr_blk *b;

		assert_int_equal(0, vtr_blk_custom(&b, ctx, &src, NULL));
		assert_int_equal(rows[i].code == VTR_OK ? 0 : -1, vtr_blk_pread(b, 0, buf, sizeof(buf), &err));
		assert_int_equal(rows[i].code, err.code);
		if (rows[i].words)
			assert_string_equal(rows[i].words, err.text);
		vtr_blk_unref(b);
	}
	{
		struct vtr_blk_source src = { .pread = read_returns, .size = (uint64_t)INT64_MAX + 1 };
		struct vtr_error err = { 0 };
		struct vtr_blk *b;

		assert_int_equal(-1, vtr_blk_custom(&b, ctx, &src, &err));
		assert_int_equal(VTR_EUSAGE, err.code);
		src.size--;
		assert_int_equal(0, vtr_blk_custom(&b, ctx, &src, &err));
		vtr_blk_unref(b);
	}
	vtr_ctx_unref(ctx);
}

/* A function for warnings that does what warns, again. */
struct warned {
	struct vtr_ctx *ctx;
	const uint8_t *image;
	size_t n, calls;
};

static void warn_again(void *arg, const struct vtr_error *warning)
{
	struct warned *w = arg;
	struct vtr_blk *file = NULL, *disk = NULL;

	(void)warning;
	w->calls++;
	assert_int_equal(0, vtr_blk_memory(&file, w->ctx, w->image, w->n, NULL));
	assert_int_equal(0, vtr_image_decode(&disk, file, NULL, NULL));
	vtr_blk_unref(disk);
	vtr_blk_unref(file);
}

static void a_warning_within_a_warning_is_counted(void **state)
{
	uint8_t image[QCOW2_BUILD_CLUSTERS * 4096];
	struct warned w = { .image = image, .n = qcow2_build(image, 12) };
	struct vtr_blk *file = NULL, *disk = NULL;

	(void)state;
	qcow2_put(image + 72, 8, 2); /* the corrupt bit: a warning */
	w.ctx = vtr_ctx_new(NULL, NULL);
	assert_non_null(w.ctx);
	vtr_ctx_on_warning(w.ctx, warn_again, &w);
	assert_int_equal(0, vtr_blk_memory(&file, w.ctx, image, w.n, NULL));
	assert_int_equal(0, vtr_image_decode(&disk, file, NULL, NULL));
	assert_int_equal(1, w.calls);
	assert_int_equal(2, vtr_ctx_warnings(w.ctx));
	vtr_blk_unref(disk);
	vtr_blk_unref(file);
	vtr_ctx_unref(w.ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_names_open_only_what_is_allowed),
		cmocka_unit_test(neighbours_that_lead_out_are_not_opened),
		cmocka_unit_test(the_name_of_a_served_image_is_no_directory),
		cmocka_unit_test(neighbours_of_a_served_image_are_not_opened),
		cmocka_unit_test(a_served_file_has_no_path),
		cmocka_unit_test(a_resolver_that_serves_nothing_is_told),
		cmocka_unit_test(a_resolver_that_opens_images_is_bounded),
		cmocka_unit_test(a_source_of_the_callers_is_not_trusted),
		cmocka_unit_test(a_warning_within_a_warning_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
