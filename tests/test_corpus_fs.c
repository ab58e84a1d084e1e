/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Volumes that other people's software wrote, good and damaged ($VITRINE_CORPUS): the good ones against the file lists
 * recorded of them, the others to an end in good time. Passes without the corpus.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/text.h"
#include "tests/ext_images.h"
#include "tests/part_images.h"

#define CORPUS_SECONDS 60u /* what takes longer hangs */
#define CORPUS_FIELDS 12

/* Where the lists are not what vitrine answers, and why. */
static const struct {
	const char *path, *why;
} explained[] = {
	/* Its list is empty: debugfs refused the primary superblock, whose backup is read here, as e2fsck reads it. */
	{ "ext/e2fsprogs-f_zero_inode_size-image.img.gz", "the backup superblock is read" },
};

struct row { /* of a recorded list */
	char *path, *type, *size, *sum, *target;
	bool met;
};

struct corpus {
	char *dir, image[600];
	size_t images, compared, agree, refused, differ; /* differ: of the image at hand */
	struct row *rows;
	size_t n;
	const char *name;
	char prefix[16];
	struct vtr_tree *t;
};

static int corpus_row_cmp(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->path, ((const struct row *)b)->path);
}

/* Cut text at tabs, n fields at most; missing ones are "". */
static void corpus_fields(char **out, size_t n, char *text)
{
	for (size_t i = 0; i < n; i++) {
		char *tab = strchr(text, '\t');

		out[i] = text;
		text = tab ? tab + 1 : text + strlen(text);
		if (tab)
			*tab = 0;
	}
}

/* Two lines of heading, then path, type, size, sha256, target. text stays and is cut up. */
static void corpus_load(struct corpus *c, char *text)
{
	size_t cap = 0, line_no = 0;

	c->rows = NULL;
	c->n = 0;
	for (char *line = text, *next; *line; line = next) {
		char *end = strchr(line, '\n'), *f[5];

		next = end ? end + 1 : line + strlen(line);
		if (end)
			*end = 0;
		if (line_no++ < 2)
			continue;
		corpus_fields(f, 5, line);
		assert_true(VTR_GROW(c->rows, c->n, cap, NULL));
		c->rows[c->n++] = (struct row){ f[0], f[1], f[2], f[3], f[4], false };
	}
	if (c->n > 0)
		qsort(c->rows, c->n, sizeof(*c->rows), corpus_row_cmp);
}

/* As the lists have it: bytes that are not UTF-8 and control characters as \xNN, a backslash doubled. */
static void corpus_escape(char *out, const char *s)
{
	size_t left = strlen(s);

	while (left > 0) {
		uint32_t cp;
		size_t n = vtr_utf8_next(&cp, (const uint8_t *)s, left);

		if (n == 0 || cp < 0x20 || cp == 0x7f) {
			out += sprintf(out, "\\x%02x", (uint8_t)*s);
			n = 1;
		} else {
			memcpy(out, s, n);
			out += n;
			if (*s == '\\')
				*out++ = '\\';
		}
		s += n;
		left -= n;
	}
	*out = 0;
}

static void corpus_differs(struct corpus *c, const char *path, const char *what, const char *ours, const char *theirs)
{
	if (c->differ++ < 5)
		print_error("%s: %s: %s %s, recorded %s\n", c->name, path, what, ours, theirs);
}

static int corpus_entry(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	static const char letters[] = "?fdlcbps";
	struct corpus *c = arg;
	char *path = malloc(4 * e->path_len + 32), ours[4 * 4096], *target = NULL;
	struct row key = { .path = path }, *row;
	struct vtr_digest digest;

	(void)err;
	assert_non_null(path);
	sprintf(path, "%s/", c->prefix);
	corpus_escape(path + strlen(path), e->path);
	row = c->n ? bsearch(&key, c->rows, c->n, sizeof(*c->rows), corpus_row_cmp) : NULL;
	if (!row) {
		corpus_differs(c, path, "type", vtr_type_name(e->st.type), "nothing");
	} else if (row->type[0] != '?') {
		bool lost = strncmp(row->sum, "ERR:", 4) == 0; /* to the tool that made the list */

		if (e->failed && !lost)
			corpus_differs(c, path, "error", e->error->text, row->type);
		else if (!e->failed && letters[e->st.type] != row->type[0])
			corpus_differs(c, path, "type", vtr_type_name(e->st.type), row->type);
		else if (!e->failed && e->st.type == VTR_TYPE_FILE && !lost) {
			snprintf(ours, sizeof(ours), "%" PRIu64, e->st.size);
			if (strcmp(ours, row->size) != 0)
				corpus_differs(c, path, "size", ours, row->size);
			if (strcmp(row->sum, "not-hashed") != 0 && vtr_tree_sha256(&digest, &e->place, 1, err) == 0 &&
			    strcmp(digest.failed ? digest.error.text : digest.hex, row->sum) != 0)
				corpus_differs(c, path, "sha256", digest.failed ? digest.error.text : digest.hex,
					       row->sum);
		} else if (!e->failed && e->st.type == VTR_TYPE_SYMLINK && !lost) {
			ours[0] = 0;
			if (vtr_fs_readlink(&target, e->place.fs, e->place.node, err) == 0 && strlen(target) < 4096)
				corpus_escape(ours, target);
			if (strcmp(ours, row->target) != 0 && strncmp(row->target, "unsupported reparse tag", 23) != 0)
				corpus_differs(c, path, "target", ours, row->target);
			free(target);
		}
	}
	if (row)
		row->met = true;
	free(path);
	return 0;
}

/* Without a list: everything is asked for, and the answers are not looked at. */
static int corpus_touch(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	static char buf[65536];
	size_t *n = arg;
	char *target = NULL;

	(*n)++;
	if (e->failed)
		return 0;
	if (e->st.type == VTR_TYPE_SYMLINK && vtr_fs_readlink(&target, e->place.fs, e->place.node, err) == 0)
		free(target);
	if (e->st.type == VTR_TYPE_FILE)
		for (uint64_t at = 0; at < VTR_MIN(e->st.size, (uint64_t)8 << 20); at += sizeof(buf))
			if (vtr_fs_read(e->place.fs, e->place.node, at, buf, sizeof(buf), err) <= 0)
				break;
	return 0;
}

/* One filesystem of a guest. */
static void corpus_fs(struct corpus *c, struct vtr_fs *fs, bool listed)
{
	struct vtr_error err = { 0 };
	struct vtr_tree *t = vtr_tree_new(fs, NULL);
	struct vtr_place root = { fs, vtr_fs_root(fs) };
	size_t n = 0;
	int r;

	assert_non_null(t);
	r = vtr_tree_list(t, &root, VTR_LIST_RECURSIVE | VTR_LIST_SORT, listed ? corpus_entry : corpus_touch,
			  listed ? (void *)c : (void *)&n, &err);
	if (r < 0 && err.code == VTR_ECANCELLED)
		fail_msg("%s: takes more than %u s", c->name, CORPUS_SECONDS);
	if (r < 0 && listed)
		corpus_differs(c, "/", "error", err.text, "a list");
	vtr_tree_free(t);
}

/* Open all that an image has; its ext volumes against the list, if there is one. */
static void corpus_image(struct corpus *c, bool listed)
{
	struct vtr_error err = { 0 };
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, NULL);
	struct vtr_guest *g = vtr_guest_new(ctx, NULL);
	const struct vtr_device *d;
	size_t volumes = 0;

	vtr_ctx_no_replay(ctx,
			  true); /* what is recorded was read without replay; tests/test_replay.sh compares with it */
	assert_non_null(g);
	vtr_ctx_deadline(ctx, CORPUS_SECONDS * 1000);
	c->differ = 0;
	if (vtr_guest_add(g, c->image, NULL, &err) < 0 || vtr_guest_scan(g, &err) < 0) {
		assert_int_not_equal(VTR_ECANCELLED, err.code);
		if (listed)
			print_message("refused: %s: %s\n", c->name, strstr(err.text, ": ") + 2);
		c->refused += listed;
		listed = false;
	}
	for (size_t i = 0; (d = vtr_guest_device(g, i)); i++) {
		const char *number = d->name + strcspn(d->name, "0123456789");
		bool ours = d->has_fs && d->content &&
			    (strncmp(d->content, "ext", 3) == 0 || strcmp(d->content, "ntfs") == 0),
		     named = d->parent < 0;
		struct vtr_fs *fs = ours ? vtr_guest_fs(g, i, &err) : NULL;

		if (!fs)
			continue;
		volumes++;
		snprintf(c->prefix, sizeof(c->prefix), "%s%.8s", d->parent < 0 ? "" : "p", d->parent < 0 ? "" : number);
		/* Of disks with partitions lists may name some alone. */
		for (size_t k = 0; k < c->n && !named; k++)
			named = strncmp(c->rows[k].path, c->prefix, strlen(c->prefix)) == 0;
		corpus_fs(c, fs, listed && named);
		for (size_t k = 0; k < c->n && listed && named; k++)
			if (strncmp(c->rows[k].path, c->prefix, strlen(c->prefix)) == 0 && !c->rows[k].met)
				corpus_differs(c, c->rows[k].path, "type", "nothing", c->rows[k].type);
	}
	if (listed && volumes > 0) {
		bool known = false;

		for (size_t i = 0; i < VTR_COUNT(explained); i++)
			known = known || strcmp(explained[i].path, c->name) == 0;
		c->compared++;
		c->agree += c->differ == 0;
		if (c->differ > 0 && known)
			print_message("explained: %s\n", c->name);
		else if (c->differ > 0)
			fail_msg("%s: %zu differences", c->name, c->differ);
	}
	vtr_guest_free(g);
	vtr_ctx_unref(ctx);
}

/* The command: never anything but 0, 1 and 3. */
static void corpus_command(const struct corpus *c)
{
	static const struct {
		const char *verb, *path;
	} verbs[] = { { "inspect", "" }, { "layout", "" }, { "ls -lR", "/" }, { "hash -R", "/" }, { "stat", "/" } };
	const char *v = getenv("VTR_COMMAND");
	char command[4096];

	if (!v)
		return;
	for (size_t i = 0; i < VTR_COUNT(verbs); i++) {
		int status;

		snprintf(command, sizeof(command), "timeout 60 '%s' %s '%s' %s >/dev/null 2>&1", v, verbs[i].verb,
			 c->image, verbs[i].path);
		status = system(command);
		if (!WIFEXITED(status) ||
		    (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 1 && WEXITSTATUS(status) != 3))
			fail_msg("%s: %s: status %#x", c->name, verbs[i].verb, (unsigned)status);
	}
}

static void corpus_unpack(const struct corpus *c, const char *corpus, const char *path)
{
	const char *dot = strrchr(path, '.'), *tool = "cat";

	if (dot && strcmp(dot, ".gz") == 0)
		tool = "gzip -dc";
	else if (dot && strcmp(dot, ".bz2") == 0)
		tool = "bzip2 -dc";
	else if (dot && strcmp(dot, ".xz") == 0)
		tool = "xz -dc";
	else if (dot && strcmp(dot, ".zst") == 0)
		tool = "zstd -dcq";
	part_run("rm -f '%s'; %s '%s/%s' | cp --sparse=always /dev/stdin '%s'", c->image, tool, corpus, path, c->image);
}

static void corpus_against_what_is_recorded(void **state)
{
	const char *corpus = part_corpus();
	struct corpus c = { 0 };
	char *manifest, *next;

	(void)state;
	if (!corpus || !part_has_tool("xz") || !part_has_tool("zstd") || !part_has_tool("bzip2"))
		skip();
	c.dir = part_temp();
	snprintf(c.image, sizeof(c.image), "%s/image", c.dir);
	manifest = ext_output("cat '%s/MANIFEST.tsv'; ls '%s/hostile/ext' | sed 's,^,hostile/ext/,'", corpus, corpus);
	for (char *line = manifest; *line; line = next) {
		char *end = strchr(line, '\n'), *f[CORPUS_FIELDS], *truth = NULL, *list;

		next = end ? end + 1 : line + strlen(line);
		if (end)
			*end = 0;
		corpus_fields(f, CORPUS_FIELDS, line);
		if (strncmp(f[0], "ext/", 4) != 0 && strncmp(f[0], "hostile/ext/", 12) != 0 &&
		    strncmp(f[0], "ntfs/", 5) != 0 &&
		    ((!strstr(f[6], "ext") && !strstr(f[6], "ntfs")) ||
		     (strncmp(f[0], "container/", 10) != 0 && strncmp(f[0], "ptable/", 7) != 0)))
			continue;
		c.name = f[0];
		c.images++;
		corpus_unpack(&c, corpus, f[0]);
		list = strstr(f[10], "truth/");
		if (list) {
			list[strcspn(list, " ")] = 0;
			truth = ext_output("gzip -dc '%s/%s'", corpus, list);
			corpus_load(&c, truth);
		}
		corpus_image(&c, list != NULL);
		corpus_command(&c);
		free(c.rows);
		c.rows = NULL;
		c.n = 0;
		free(truth);
	}
	print_message(
		"%zu images; %zu with a list: %zu agree, %zu explained; %zu with a list are in containers that are not read\n",
		c.images, c.compared, c.agree, c.compared - c.agree, c.refused);
	assert_true(c.images > 100 && c.compared > 50);
	free(manifest);
	part_temp_done(c.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(corpus_against_what_is_recorded) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
