/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command's tar streams, of volumes as fuzz_ext makes them: libarchive reads each to its end, and nothing in it
 * leaves the folder that it is unpacked in.
 */
#include <locale.h>
#include <stdio.h>

#include "cli/tar.h"
#include "fuzz/fuzz_fs.h"

#ifdef FUZZ_LIBARCHIVE

#include <archive.h>
#include <archive_entry.h>

#define TAR_MAX_STREAM (8u << 20) /* a small volume may promise more: then the output "fails" */
#define TAR_MAX_FILE (256u << 10) /* files up to this are compared */

/* What the stream must come from: the tree as another context lists it. */
struct tar_name {
	char *path; /* no slash behind directories; the root is "." */
	int type;
	uint64_t size, node;
	bool written; /* it came in the stream */
};

struct tar_tree {
	struct vtr_fs *fs;
	struct vtr_tree *tree;
	struct tar_name names[2001]; /* limits.entries of fuzz_ctx(), and the root */
	size_t n, n_members;	     /* sockets are no members */
};

struct tar_stream {
	char *p;
	size_t len;
	bool full;
};

/* A filesystem over its own copy of the volume, and its own context. */
static struct vtr_fs *tar_fs(const uint8_t *volume, size_t len)
{
	VTR_UNREF struct vtr_blk *b = fuzz_blk(volume, len);
	struct vtr_fs *fs = NULL;

	return vtr_fs_open(&fs, b, "ext", NULL) < 0 ? NULL : fs;
}

static int tar_listed(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	struct tar_tree *t = arg;

	(void)err;
	if (e->failed)
		return 0;
	FUZZ_CHECK(t->n < VTR_COUNT(t->names));
	t->names[t->n] = (struct tar_name){ .path = strdup(e->path_len ? e->path : "."),
					    .type = e->st.type,
					    .size = e->st.type == VTR_TYPE_FILE ? e->st.size : 0,
					    .node = e->st.node };
	FUZZ_CHECK(t->names[t->n].path);
	t->n_members += e->st.type != VTR_TYPE_SOCKET;
	t->n++;
	return 0;
}

static int tar_compare(const void *a, const void *b)
{
	return strcmp(((const struct tar_name *)a)->path, ((const struct tar_name *)b)->path);
}

static void tar_tree_init(struct tar_tree *t, struct vtr_fs *fs)
{
	struct vtr_place root;

	*t = (struct tar_tree){ .fs = fs, .tree = vtr_tree_new(fs, NULL) };
	FUZZ_CHECK(t->tree);
	root = vtr_tree_cross(t->tree, (struct vtr_place){ fs, vtr_fs_root(fs) });
	vtr_tree_list(t->tree, &root, VTR_LIST_RECURSIVE | VTR_LIST_SORT | VTR_LIST_SELF, tar_listed, t, NULL);
	qsort(t->names, t->n, sizeof(t->names[0]), tar_compare);
}

static void tar_tree_done(struct tar_tree *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->names[i].path);
	vtr_tree_free(t->tree);
}

/* The first of this path; damaged directories may have several. */
static struct tar_name *tar_find(struct tar_tree *t, const char *path)
{
	struct tar_name key = { .path = (char *)(uintptr_t)path };
	struct tar_name *found = bsearch(&key, t->names, t->n, sizeof(key), tar_compare);

	while (found && found > t->names && tar_compare(found - 1, &key) == 0)
		found--;
	return found;
}

static struct tar_name *tar_next(struct tar_tree *t, struct tar_name *n)
{
	return n + 1 < t->names + t->n && tar_compare(n, n + 1) == 0 ? n + 1 : NULL;
}

static ssize_t tar_write(void *arg, const char *p, size_t len)
{
	struct tar_stream *s = arg;

	if (len > TAR_MAX_STREAM - s->len) {
		FUZZ_CHECK(!s->full);
		s->full = true;
		return 0;
	}
	memcpy(s->p + s->len, p, len);
	s->len += len;
	return (ssize_t)len;
}

/* Messages are lines of text that no terminal takes for commands. */
static void tar_check_messages(char *text, size_t len)
{
	FUZZ_CHECK(strlen(text) == len && (len == 0 || text[len - 1] == '\n'));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		FUZZ_CHECK(strncmp(line, "vitrine: ", 9) == 0);
		fuzz_check_text(line);
	}
}

static int tar_make(struct tar_stream *s, struct vtr_fs *fs)
{
	struct vtr_tree *tree = vtr_tree_new(fs, NULL);
	struct cli c = { .ctx = fs->ctx, .limits.threads = 1 };
	FILE *out = fopencookie(s, "w", (cookie_io_functions_t){ .write = tar_write }), *real = stderr;
	char *text = NULL;
	size_t len;

	FUZZ_CHECK(tree && out);
	stderr = open_memstream(&text, &len);
	FUZZ_CHECK(stderr);
	(void)cli_tar_write(&c, out, tree, (char *const[]){ (char[]){ "/" } }, 1);
	fclose(stderr);
	stderr = real;
	fclose(out);
	tar_check_messages(text, len);
	free(text);
	vtr_tree_free(tree);
	return c.status;
}

/* A name below the folder that the stream is unpacked in: whole components, none of them special. */
static void tar_check_path(const char *path, bool dir)
{
	size_t n = strlen(path);

	FUZZ_CHECK(n > 0 && path[0] != '/');
	if (dir && strcmp(path, "./") == 0)
		return;
	for (const char *p = path; *p;) {
		size_t len = strcspn(p, "/");

		FUZZ_CHECK(len > 0 && !(len == 1 && p[0] == '.') && !(len == 2 && p[0] == '.' && p[1] == '.'));
		p += len + (p[len] == '/');
	}
	FUZZ_CHECK((path[n - 1] == '/') == dir);
}

/* The bytes of a member, holes and all; compared where the other side can read them, too. */
static void tar_check_data(struct tar_tree *t, const struct tar_name *name, struct archive *a, uint64_t size,
			   bool whole, bool cut)
{
	uint8_t *have = size <= TAR_MAX_FILE ? calloc(1, size + 1) : NULL, *want = have ? malloc(size + 1) : NULL;
	uint64_t end = 0;
	const void *p;
	size_t len;
	int64_t off;
	int r;

	FUZZ_CHECK(size > TAR_MAX_FILE || want);
	while ((r = archive_read_data_block(a, &p, &len, &off)) == ARCHIVE_OK) {
		FUZZ_CHECK(off >= 0 && (uint64_t)off >= end && vtr_range_in((uint64_t)off, len, size));
		end = (uint64_t)off + len;
		if (have && len > 0)
			memcpy(have + off, p, len);
	}
	FUZZ_CHECK(r == ARCHIVE_EOF || cut);
	if (have && r == ARCHIVE_EOF && whole &&
	    vtr_fs_read(t->fs, name->node, 0, want, (size_t)size, NULL) == (ssize_t)size)
		FUZZ_CHECK(memcmp(have, want, (size_t)size) == 0);
	free(have);
	free(want);
}

static int tar_type(mode_t filetype)
{
	switch (filetype) {
	case AE_IFREG:
		return VTR_TYPE_FILE;
	case AE_IFDIR:
		return VTR_TYPE_DIR;
	case AE_IFLNK:
		return VTR_TYPE_SYMLINK;
	case AE_IFCHR:
		return VTR_TYPE_CHAR;
	case AE_IFBLK:
		return VTR_TYPE_BLOCK;
	case AE_IFIFO:
		return VTR_TYPE_FIFO;
	default:
		return VTR_TYPE_UNKNOWN;
	}
}

static void tar_check_member(struct tar_tree *t, struct archive *a, struct archive_entry *e, bool whole, bool cut)
{
	const char *link = archive_entry_hardlink(e);
	int type = tar_type(archive_entry_filetype(e));
	char *path = strdup(archive_entry_pathname(e));
	struct tar_name *name, *first = NULL;
	uint64_t size = archive_entry_size_is_set(e) ? (uint64_t)archive_entry_size(e) : 0;

	FUZZ_CHECK(path);
	tar_check_path(path, type == VTR_TYPE_DIR && !link);
	if (path[strlen(path) - 1] == '/')
		path[strlen(path) - 1] = 0;
	name = tar_find(t, path);
	if (link) {
		tar_check_path(link, false);
		/* It came earlier, and is this very file. */
		for (; name && !first; name = first ? name : tar_next(t, name))
			for (first = tar_find(t, link); first; first = tar_next(t, first))
				if (first->written && first->node == name->node && first->type != VTR_TYPE_DIR)
					break;
		FUZZ_CHECK(first && size == 0);
	} else {
		while (name && (name->type != type || name->written || (type == VTR_TYPE_FILE && name->size != size)))
			name = tar_next(t, name);
		FUZZ_CHECK(name && name->size == size);
	}
	/* Each name once, and after the directory that it lies in. */
	for (struct tar_name *n = tar_find(t, path); n; n = tar_next(t, n))
		FUZZ_CHECK(!n->written);
	if (strcmp(path, ".") != 0) {
		char *slash = strrchr(path, '/');
		struct tar_name *dir;

		if (slash)
			*slash = 0;
		dir = tar_find(t, slash ? path : ".");
		while (dir && !(dir->written && dir->type == VTR_TYPE_DIR))
			dir = tar_next(t, dir);
		FUZZ_CHECK(dir);
	}
	name->written = true;
	if (type == VTR_TYPE_FILE && !link)
		tar_check_data(t, name, a, size, whole, cut);
	free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct tar_tree t;
	static struct tar_stream s;
	struct archive_entry *e;
	struct archive *a;
	struct vtr_fs *fs, *again;
	size_t n, members = 0;
	uint8_t *volume = fuzz_volume(&n, data, len);
	int r, status;

	fs = tar_fs(volume, n);
	again = fs ? tar_fs(volume, n) : NULL;
	free(volume);
	if (!fs)
		return 0;
	FUZZ_CHECK(again);
	if (!s.p) {
		s.p = malloc(TAR_MAX_STREAM);
		/* Else libarchive warns of every name that is not ASCII. */
		FUZZ_CHECK(s.p && setlocale(LC_CTYPE, "C.UTF-8"));
	}
	s.len = 0;
	s.full = false;
	tar_tree_init(&t, again);
	status = tar_make(&s, fs);

	a = archive_read_new();
	FUZZ_CHECK(a && archive_read_support_format_tar(a) == ARCHIVE_OK);
	FUZZ_CHECK(s.full || (s.len > 0 && s.len % 10240 == 0));
	r = archive_read_open_memory(a, s.p, s.len);
	while (r == ARCHIVE_OK && (r = archive_read_next_header(a, &e)) == ARCHIVE_OK) {
		FUZZ_CHECK(archive_format(a) == ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE);
		tar_check_member(&t, a, e, status == CLI_OK, s.full);
		members++;
	}
	if (r != ARCHIVE_EOF && !s.full) {
		fprintf(stderr, "libarchive: %s\n", archive_error_string(a));
		abort();
	}
	FUZZ_CHECK(status != CLI_OK || s.full || members == t.n_members);
	archive_read_free(a);
	tar_tree_done(&t);
	vtr_fs_unref(again);
	vtr_fs_unref(fs);
	return 0;
}

#else

/* The replay counts it as skipped. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	(void)data, (void)len;
	puts("skipped: fuzz_tar: libarchive is not installed");
	exit(77);
}

#endif
