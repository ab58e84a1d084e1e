/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vitrine tar: a tree as a pax stream (POSIX.1-2017, pax Interchange Format), with the records in which GNU tar and
 * libarchive keep what POSIX has no place for: SCHILY.xattr.*, SCHILY.acl.*, RHT.security.selinux, GNU.sparse.* 1.0.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/crew.h"
#include "cli/links.h"
#include "cli/output.h"
#include "cli/tar.h"

extern const struct cli_verb cli_verb_tar;

enum { TAR_FORCE = CLI_LONG };

#define TAR_BLOCK 512u
#define TAR_RECORD 10240u /* the stream is padded to this */
#define TAR_CHUNK (256u << 10)
#define TAR_CHUNKS 4u

struct tar_buf {
	char *p;
	size_t len, cap;
	bool oom;
};

/* A stretch of a file that holds data. */
struct tar_piece {
	uint64_t off, len;
};

/* A stretch of the stream, which is written while the next one is made. */
struct tar_chunk {
	char *bytes;
	size_t len;
	int error; /* errno, when it could not be written */
};

struct tar {
	struct cli *c;
	FILE *out;
	struct cli_crew *crew; /* NULL: this thread writes */
	struct tar_chunk chunks[TAR_CHUNKS];
	uint64_t n_chunks; /* before the one that is being made */
	struct cli_links links;
	uint64_t written;
	const char *base; /* what the names of this listing begin with, "" or "etc" */
	struct tar_buf pax;
	struct tar_piece *map; /* of the current file */
	size_t n_map, cap_map;
	char **last; /* the entry that was met last at each depth of this listing */
	size_t n_last;
	int error;   /* errno of the output */
	bool failed; /* the output, or all that is left */
};

static void tar_buf_put(struct tar_buf *b, const void *p, size_t len)
{
	if (b->len + len + 1 > b->cap) {
		size_t cap = 2 * (b->len + len + 1);
		char *q = realloc(b->p, cap);

		if (!q) {
			b->oom = true;
			return;
		}
		b->p = q;
		b->cap = cap;
	}
	memcpy(b->p + b->len, p, len);
	b->len += len;
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void tar_pax(struct tar_buf *b, const char *key, const void *value, size_t len)
{
	size_t rest = strlen(key) + len + 3, total = 0, next = rest + 1;
	char text[32];

	while (next != total) {
		total = next;
		next = rest + (size_t)snprintf(text, sizeof(text), "%zu", total);
	}
	tar_buf_put(b, text, (size_t)snprintf(text, sizeof(text), "%zu ", total));
	tar_buf_put(b, key, strlen(key));
	tar_buf_put(b, "=", 1);
	tar_buf_put(b, value, len);
	tar_buf_put(b, "\n", 1);
}

static void tar_pax_text(struct tar_buf *b, const char *key, const char *value)
{
	tar_pax(b, key, value, strlen(value));
}

static void tar_pax_u64(struct tar_buf *b, const char *key, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	tar_pax_text(b, key, text);
}

static void tar_oom(struct tar *t)
{
	struct vtr_error err = { .code = VTR_ENOMEM, .text = "out of memory" };

	cli_error(t->c, &err);
	t->failed = true;
}

static void tar_write_chunk(void *arg, uint64_t k)
{
	struct tar *t = arg;
	struct tar_chunk *chunk = &t->chunks[k % TAR_CHUNKS];

	errno = 0;
	chunk->error = fwrite(chunk->bytes, 1, chunk->len, t->out) == chunk->len ? 0 : errno ? errno : EIO;
}

/* The stretch k is written, or failed. */
static void tar_wait(struct tar *t, uint64_t k)
{
	if (t->crew)
		cli_crew_wait(t->crew, k);
	if (!t->error)
		t->error = t->chunks[k % TAR_CHUNKS].error;
	t->failed = t->failed || t->error;
}

/* Begin the next stretch. */
static void tar_next_chunk(struct tar *t)
{
	uint64_t k = t->n_chunks++;

	if (t->crew)
		cli_crew_add(t->crew);
	else
		tar_write_chunk(t, k);
	if (k + 1 >= TAR_CHUNKS)
		tar_wait(t, k + 1 - TAR_CHUNKS);
	t->chunks[t->n_chunks % TAR_CHUNKS].len = 0;
}

/* Room for len bytes of the stream, at most TAR_CHUNK, which tar_put() then counts. */
static char *tar_room(struct tar *t, size_t len)
{
	if (t->chunks[t->n_chunks % TAR_CHUNKS].len + len > TAR_CHUNK)
		tar_next_chunk(t);
	return t->chunks[t->n_chunks % TAR_CHUNKS].bytes + t->chunks[t->n_chunks % TAR_CHUNKS].len;
}

static void tar_put(struct tar *t, size_t len)
{
	t->chunks[t->n_chunks % TAR_CHUNKS].len += len;
	t->written += len;
}

static void tar_out(struct tar *t, const void *p, size_t len)
{
	while (len > 0 && !t->failed) {
		size_t n = len < TAR_CHUNK ? len : TAR_CHUNK;

		memcpy(tar_room(t, n), p, n);
		tar_put(t, n);
		p = (const char *)p + n;
		len -= n;
	}
}

/* All of the stream is written. */
static void tar_settle(struct tar *t)
{
	tar_next_chunk(t);
	for (uint64_t k = t->n_chunks < TAR_CHUNKS ? 0 : t->n_chunks - TAR_CHUNKS; k < t->n_chunks; k++)
		tar_wait(t, k);
}

static void tar_pad(struct tar *t, size_t block)
{
	static const char zeros[TAR_RECORD];
	size_t over = (size_t)(t->written % block);

	if (over)
		tar_out(t, zeros, block - over);
}

/* An octal field with its NUL; false: it does not fit, and zero is written. */
static bool tar_octal(char *field, size_t size, uint64_t v)
{
	bool fits = v < 1ull << 3 * (size - 1);

	snprintf(field, size, "%0*" PRIo64, (int)size - 1, fits ? v : 0);
	return fits;
}

struct tar_header {
	char type;
	const char *name, *link;
	uint32_t mode, uid, gid, major, minor;
	uint64_t size;
	int64_t mtime;
};

/*
 * ustar header.
 *   0 100 name	 116 8 gid	148  8 chksum	257 6 "ustar"	329 8 devmajor
 * 100   8 mode	 124 12 size	156  1 typeflag	263 2 "00"	337 8 devminor
 * 108   8 uid	 136 12 mtime	157 100 linkname		345 155 prefix
 * What does not fit goes into pax records; the fields then hold what old readers can use.
 */
static void tar_write_header(struct tar *t, const struct tar_header *h)
{
	char b[TAR_BLOCK] = { 0 };
	unsigned sum = 0;
	size_t n = strlen(h->name);

	memcpy(b, h->name, n < 100 ? n : 100);
	tar_octal(b + 100, 8, h->mode);
	tar_octal(b + 108, 8, h->uid);
	tar_octal(b + 116, 8, h->gid);
	tar_octal(b + 124, 12, h->size);
	tar_octal(b + 136, 12, h->mtime < 0 ? 0 : (uint64_t)h->mtime);
	memset(b + 148, ' ', 8);
	b[156] = h->type;
	if (h->link) {
		n = strlen(h->link);
		memcpy(b + 157, h->link, n < 100 ? n : 100);
	}
	memcpy(b + 257, "ustar\00000", 8);
	if (h->type == '3' || h->type == '4') {
		tar_octal(b + 329, 8, h->major);
		tar_octal(b + 337, 8, h->minor);
	}
	for (size_t i = 0; i < sizeof(b); i++)
		sum += (unsigned char)b[i];
	snprintf(b + 148, 8, "%06o", sum);
	b[155] = ' ';
	tar_out(t, b, sizeof(b));
}

/* Tags of an access list's entries as getxattr(2) gives them, in their text form. */
static void tar_acl(struct tar_buf *b, const char *key, const struct vtr_xattr *x)
{
	const unsigned char *p = x->value;
	struct tar_buf text = { 0 };

	for (size_t at = 4; at + 8 <= x->len; at += 8) {
		unsigned tag = p[at] | p[at + 1] << 8, perm = p[at + 2];
		uint32_t id =
			p[at + 4] | (uint32_t)p[at + 5] << 8 | (uint32_t)p[at + 6] << 16 | (uint32_t)p[at + 7] << 24;
		const char *name = tag == 1 || tag == 2	  ? "user"
				   : tag == 4 || tag == 8 ? "group"
				   : tag == 16		  ? "mask"
							  : "other";
		char line[64], who[16] = "";

		if (tag == 2 || tag == 8)
			snprintf(who, sizeof(who), "%" PRIu32, id);
		tar_buf_put(&text, line,
			    (size_t)snprintf(line, sizeof(line), "%s%s:%s:%c%c%c", text.len ? "," : "", name, who,
					     perm & 4 ? 'r' : '-', perm & 2 ? 'w' : '-', perm & 1 ? 'x' : '-'));
	}
	if (text.len)
		tar_pax(b, key, text.p, text.len);
	free(text.p);
}

struct tar_xattrs {
	struct tar *t;
	const char *path;
};

static int tar_xattr(void *arg, const struct vtr_xattr *x)
{
	const struct vtr_error odd = { .text = "an attribute's name holds '=': left out" };
	struct tar_xattrs *to = arg;
	struct tar_buf *b = &to->t->pax;
	char key[400];

	if (strcmp(x->name, "system.posix_acl_access") == 0 || strcmp(x->name, "system.posix_acl_default") == 0) {
		tar_acl(b, x->name[17] == 'a' ? "SCHILY.acl.access" : "SCHILY.acl.default", x);
		return 0;
	}
	if (strcmp(x->name, "security.selinux") == 0)
		tar_pax(b, "RHT.security.selinux", x->value,
			x->len > 0 && ((const char *)x->value)[x->len - 1] == 0 ? x->len - 1 : x->len);
	/* A '=' would end the key. */
	if (strchr(x->name, '=')) {
		cli_warn_at(to->t->c, to->path, &odd);
		return 0;
	}
	snprintf(key, sizeof(key), "SCHILY.xattr.%s", x->name);
	tar_pax(b, key, x->value, x->len);
	return 0;
}

static void tar_pax_time(struct tar_buf *b, const char *key, const struct vtr_time *t)
{
	char text[48];

	/* Decimal seconds: before 1970 the fraction counts backwards. */
	if (t->sec < 0 && t->nsec > 0)
		snprintf(text, sizeof(text), "-%" PRId64 ".%09u", -(t->sec + 1), 1000000000u - t->nsec);
	else
		snprintf(text, sizeof(text), "%" PRId64 ".%09u", t->sec, t->nsec);
	tar_pax_text(b, key, text);
}

static int tar_extent(void *arg, const struct vtr_file_extent *e)
{
	struct tar *t = arg;
	struct tar_piece *last = t->n_map ? &t->map[t->n_map - 1] : NULL;

	if (e->unwritten)
		return 0;
	if (last && last->off + last->len == e->off) {
		last->len += e->len;
		return 0;
	}
	if (t->n_map == t->cap_map) {
		size_t cap = t->cap_map ? 2 * t->cap_map : 16;
		struct tar_piece *p = realloc(t->map, cap * sizeof(*p));

		if (!p) {
			tar_oom(t);
			return -1;
		}
		t->map = p;
		t->cap_map = cap;
	}
	t->map[t->n_map++] = (struct tar_piece){ e->off, e->len };
	return 0;
}

/*
 * Where the file has data. True: it has holes worth keeping. What cannot be read is a hole, and told: a damaged file may
 * say of itself that it has any size, and the stream would grow with it. *bytes: of data.
 */
static bool tar_is_sparse(struct tar *t, const struct vtr_entry *e, const char *path, uint64_t *bytes)
{
	struct vtr_error err = { 0 };
	uint64_t data = 0;
	char byte;
	int r;

	t->n_map = 0;
	*bytes = e->st.size;
	if (e->st.size < 4096)
		return false;
	r = vtr_fs_extents(e->place.fs, e->place.node, tar_extent, t, &err);
	if (r < 0 && err.code == VTR_EUNSUPPORTED && vtr_fs_read(e->place.fs, e->place.node, 0, &byte, 1, &err) == 1)
		return false;
	if (r < 0 && path && !t->failed)
		cli_partial_at(t->c, path, &err);
	for (size_t i = 0; i < t->n_map; i++)
		data += t->map[i].len;
	*bytes = data;
	return data < e->st.size;
}

/* The map of a sparse file as it stands before its data. */
static void tar_sparse_map(struct tar_buf *b, const struct tar *t, uint64_t size)
{
	bool end = t->n_map == 0 || t->map[t->n_map - 1].off + t->map[t->n_map - 1].len < size;
	char text[64];

	tar_buf_put(b, text, (size_t)snprintf(text, sizeof(text), "%zu\n", t->n_map + end));
	for (size_t i = 0; i < t->n_map; i++)
		tar_buf_put(b, text,
			    (size_t)snprintf(text, sizeof(text), "%" PRIu64 "\n%" PRIu64 "\n", t->map[i].off,
					     t->map[i].len));
	if (end)
		tar_buf_put(b, text, (size_t)snprintf(text, sizeof(text), "%" PRIu64 "\n0\n", size));
	while (b->len % TAR_BLOCK)
		tar_buf_put(b, "", 1);
}

/* Bytes of a file; what cannot be read is zeros, told, so that the stream stays whole. */
static void tar_data(struct tar *t, const struct vtr_entry *e, const char *path, uint64_t off, uint64_t len)
{
	struct vtr_error err = { 0 };
	bool told = false;

	while (len > 0 && !t->failed) {
		size_t n = (size_t)(len < TAR_CHUNK ? len : TAR_CHUNK);
		char *to = tar_room(t, n);
		ssize_t got = vtr_fs_read(e->place.fs, e->place.node, off, to, n, &err);

		if (got < 0 && err.code == VTR_ECANCELLED) {
			cli_error(t->c, &err);
			t->failed = true;
			return;
		}
		if (got <= 0) {
			if (!told && got < 0)
				cli_partial_at(t->c, path, &err);
			told = true;
			memset(to, 0, n);
			got = (ssize_t)n;
		}
		tar_put(t, (size_t)got);
		off += (uint64_t)got;
		len -= (uint64_t)got;
	}
}

static void tar_pax_member(struct tar *t, const char *path)
{
	struct tar_header h = { .type = 'x', .mode = 0644, .size = t->pax.len };
	char name[101];

	if (t->pax.len == 0)
		return;
	snprintf(name, sizeof(name), "PaxHeaders/%.80s", strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	h.name = name;
	tar_write_header(t, &h);
	tar_out(t, t->pax.p, t->pax.len);
	tar_pad(t, TAR_BLOCK);
}

/* A name that the ustar header holds for every reader: short, and ASCII. */
static bool tar_is_plain(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)name[i] >= 0x80)
			return false;
	return n <= 100;
}

/* What the ustar header has no room for, but for the name. */
static void tar_collect(struct tar *t, const struct vtr_entry *e, const char *path, const char *link, bool first)
{
	const struct vtr_stat *st = &e->st;
	struct vtr_error err = { 0 };
	struct tar_xattrs xattrs = { t, path };
	struct tar_buf *b = &t->pax;

	b->len = 0;
	if (!vtr_utf8_is(path, strlen(path)) || (link && !vtr_utf8_is(link, strlen(link))))
		tar_pax_text(b, "hdrcharset", "BINARY");
	if (link && !tar_is_plain(link))
		tar_pax_text(b, "linkpath", link);
	if (st->uid > 07777777)
		tar_pax_u64(b, "uid", st->uid);
	if (st->gid > 07777777)
		tar_pax_u64(b, "gid", st->gid);
	tar_pax_time(b, "mtime", &st->mtime);
	if (st->atime.set)
		tar_pax_time(b, "atime", &st->atime);
	if (st->ctime.set)
		tar_pax_time(b, "ctime", &st->ctime);
	if (first && vtr_fs_xattrs(e->place.fs, e->place.node, tar_xattr, &xattrs, &err) < 0)
		cli_partial_at(t->c, path, &err);
}

static void tar_file(struct tar *t, const struct vtr_entry *e, const char *path, struct tar_header *h)
{
	struct tar_buf map = { 0 };
	char name[101];
	bool sparse = tar_is_sparse(t, e, path, &h->size);

	if (sparse) {
		tar_sparse_map(&map, t, e->st.size);
		h->size += map.len;
		/* The records' own name stands for the path, so that old readers see what they have. */
		tar_pax_text(&t->pax, "GNU.sparse.major", "1");
		tar_pax_text(&t->pax, "GNU.sparse.minor", "0");
		tar_pax_text(&t->pax, "GNU.sparse.name", path);
		tar_pax_u64(&t->pax, "GNU.sparse.realsize", e->st.size);
		snprintf(name, sizeof(name), "GNUSparseFile.0/%.80s",
			 strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
		h->name = name;
	} else if (!tar_is_plain(path)) {
		tar_pax_text(&t->pax, "path", path);
	}
	if (h->size > 077777777777)
		tar_pax_u64(&t->pax, "size", h->size);
	tar_pax_member(t, path);
	tar_write_header(t, h);
	if (sparse) {
		tar_out(t, map.p, map.len);
		for (size_t i = 0; i < t->n_map; i++)
			tar_data(t, e, path, t->map[i].off, t->map[i].len);
	} else {
		tar_data(t, e, path, 0, e->st.size);
	}
	tar_pad(t, TAR_BLOCK);
	free(map.p);
}

/* Holes are not in the stream, but for those of a file of which nobody can say where they are. */
static bool tar_fits(struct tar *t, const struct vtr_entry *e, const char *path)
{
	uint64_t bytes = e->st.size;

	if (bytes > t->c->limits.file)
		tar_is_sparse(t, e, NULL, &bytes);
	return cli_file_fits(t->c, path, bytes);
}

static const char tar_types[] = {
	[VTR_TYPE_FILE] = '0',	[VTR_TYPE_DIR] = '5',  [VTR_TYPE_SYMLINK] = '2', [VTR_TYPE_CHAR] = '3',
	[VTR_TYPE_BLOCK] = '4', [VTR_TYPE_FIFO] = '6', [VTR_TYPE_SOCKET] = 0
};

static void tar_left_out(struct tar *t, const char *path, const char *why)
{
	struct vtr_error err = { .code = VTR_ECORRUPT };

	snprintf(err.text, sizeof(err.text), "%s: left out", why);
	cli_partial_at(t->c, path, &err);
}

static void tar_member(struct tar *t, const struct vtr_entry *e, const char *path)
{
	const struct vtr_stat *st = &e->st;
	struct vtr_error err = { 0 };
	struct tar_header h = {
		.name = path,
		.mode = st->mode,
		.uid = st->uid,
		.gid = st->gid,
		.major = st->rdev_major,
		.minor = st->rdev_minor,
		.mtime = st->mtime.sec,
	};
	const char *met = NULL;
	char *target = NULL;
	bool oom = false;

	h.type = st->type > 0 && (size_t)st->type < sizeof(tar_types) ? tar_types[st->type] : 0;
	if (!h.type) {
		err.code = VTR_EUNSUPPORTED;
		snprintf(err.text, sizeof(err.text), "a %s: tar has none: left out", vtr_type_name(st->type));
		cli_warn_at(t->c, path, &err);
		return;
	}
	if (st->type == VTR_TYPE_FILE && st->size > INT64_MAX) {
		tar_left_out(t, path, "it says of itself that it is larger than any file can be");
		return;
	}
	if (st->type == VTR_TYPE_FILE && !tar_fits(t, e, path))
		return;
	if (st->type == VTR_TYPE_SYMLINK && vtr_fs_readlink(&target, e->place.fs, e->place.node, &err) < 0) {
		cli_partial_at(t->c, path, &err);
		return;
	}
	/* Only what becomes a member: other names are links to this one. */
	if (st->type != VTR_TYPE_DIR && st->nlink > 1)
		met = cli_links_met(&t->links, &e->place, path, &oom);
	h.link = met ? met : target;
	if (met)
		h.type = '1';
	tar_collect(t, e, path, h.link, !met);
	if (h.type == '0') {
		tar_file(t, e, path, &h);
	} else {
		if (!tar_is_plain(path))
			tar_pax_text(&t->pax, "path", path);
		tar_pax_member(t, path);
		tar_write_header(t, &h);
	}
	free(target);
	if (oom || t->pax.oom)
		tar_oom(t);
}

/*
 * A damaged directory may have a name twice, and of a symlink and a directory of one name, what lies in the one would be
 * unpacked where the other leads. They stand beside each other: the listing is sorted.
 */
static bool tar_is_repeated(struct tar *t, const struct vtr_entry *e)
{
	char *copy;

	if (e->depth < t->n_last && t->last[e->depth] && strcmp(t->last[e->depth], e->path) == 0)
		return true;
	if (e->depth >= t->n_last) {
		size_t n = 2 * (size_t)e->depth + 16;
		char **p = realloc(t->last, n * sizeof(*p));

		if (!p) {
			tar_oom(t);
			return false;
		}
		memset(p + t->n_last, 0, (n - t->n_last) * sizeof(*p));
		t->last = p;
		t->n_last = n;
	}
	copy = strdup(e->path);
	if (!copy)
		tar_oom(t);
	free(t->last[e->depth]);
	t->last[e->depth] = copy;
	return false;
}

static void tar_forget(struct tar *t)
{
	for (size_t i = 0; i < t->n_last; i++)
		free(t->last[i]);
	free(t->last);
	t->last = NULL;
	t->n_last = 0;
}

static int tar_entry(void *arg, const struct vtr_entry *e, struct vtr_error *err)
{
	struct tar *t = arg;
	int excluded = vtr_exclude_has(t->c->exclude, e->path, e->path_len, err);
	char *path;

	if (excluded != 0)
		return excluded;
	path = e->path_len ? cli_join(t->base, e->path) : strdup(t->base[0] ? t->base : ".");
	if (!path) {
		tar_oom(t);
		return -1;
	}
	if (e->failed) {
		cli_partial_at(t->c, path, e->error);
	} else if (e->path_len == 0 && !t->base[0] && e->st.type != VTR_TYPE_DIR) {
		tar_left_out(t, "/", "the root is no directory");
	} else if (tar_is_repeated(t, e)) {
		tar_left_out(t, path, "its directory has this name twice");
		free(path);
		return 1;
	} else {
		if (e->st.type == VTR_TYPE_DIR) {
			char *slash = NULL; /* as everybody writes directories */

			if (asprintf(&slash, "%s/", path) < 0)
				slash = NULL;

			free(path);
			path = slash;
		}
		if (path)
			tar_member(t, e, path);
		else
			tar_oom(t);
	}
	free(path);
	return t->failed ? -1 : 0;
}

/* The names that a path's members begin with: without "." and "..", which no member may have. The caller frees. */
static char *tar_base(const char *path)
{
	char *base = malloc(strlen(path) + 1);
	size_t n = 0;

	while (base && *path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && memcmp(path, "..", 2) == 0) {
			while (n > 0 && base[--n] != '/')
				;
		} else if (len > 0 && !(len == 1 && path[0] == '.')) {
			if (n > 0)
				base[n++] = '/';
			memcpy(base + n, path, len);
			n += len;
		}
		path += len + (path[len] == '/');
	}
	if (base)
		base[n] = 0;
	return base;
}

static void tar_path(struct tar *t, struct vtr_tree *tree, const char *path)
{
	struct vtr_error err = { 0 };
	struct vtr_place p;
	char *base;

	if (vtr_tree_walk(&p, tree, path, VTR_WALK_NOFOLLOW, &err) < 0) {
		cli_error(t->c, &err);
		return;
	}
	if (cli_begin_excluded(t->c, tree, path))
		return;
	base = tar_base(path);
	if (!base) {
		tar_oom(t);
		return;
	}
	t->base = base;
	if (vtr_tree_list(tree, &p, VTR_LIST_RECURSIVE | VTR_LIST_SORT | VTR_LIST_SELF, tar_entry, t, &err) < 0 &&
	    err.code) {
		cli_error(t->c, &err);
		t->failed = t->failed || err.code == VTR_ECANCELLED;
	}
	tar_forget(t);
	free(base);
}

static void tar_file_failed(struct cli *c, int error)
{
	struct vtr_error err = { .code = VTR_EIO };

	snprintf(err.text, sizeof(err.text), "writing the stream: %s", strerror(error));
	cli_error(c, &err);
}

bool cli_tar_write(struct cli *c, FILE *f, struct vtr_tree *tree, char *const *paths, size_t n)
{
	static const char end[2 * TAR_BLOCK];
	struct tar t = { .c = c, .out = f };

	for (size_t i = 0; i < TAR_CHUNKS && !t.failed; i++)
		if (!(t.chunks[i].bytes = malloc(TAR_CHUNK)))
			tar_oom(&t);
	if (!t.failed)
		t.crew = cli_crew_new(c->limits.threads, TAR_CHUNKS, true, tar_write_chunk, &t);
	for (size_t i = 0; i < n && !t.failed; i++)
		tar_path(&t, tree, paths[i]);
	if (!t.failed) {
		tar_out(&t, end, sizeof(end));
		tar_pad(&t, TAR_RECORD);
	}
	if (t.chunks[TAR_CHUNKS - 1].bytes)
		tar_settle(&t);
	cli_crew_free(t.crew);
	for (size_t i = 0; i < TAR_CHUNKS; i++)
		free(t.chunks[i].bytes);
	cli_links_done(&t.links);
	free(t.pax.p);
	free(t.map);
	if (t.error && f == stdout)
		cli_output_failed(c, t.error);
	else if (t.error)
		tar_file_failed(c, t.error);
	return !t.failed;
}

struct tar_verb {
	struct cli c;
	const char *file;
	bool force;
};

static bool tar_option(void *arg, int opt, const char *value)
{
	struct tar_verb *v = arg;

	if (opt == TAR_FORCE)
		v->force = true;
	else
		v->file = value;
	return true;
}

/* The stream to a file, which gets its name when it is whole. */
static void tar_to_file(struct tar_verb *v, struct vtr_tree *tree, char *const *paths, size_t n)
{
	struct cli_sources sources = { 0 };
	struct cli_output o = { .fd = -1, .dir = -1 };
	FILE *f = NULL;

	if (cli_sources_note(&sources, &v->c, NULL) &&
	    cli_output_open(&o, &v->c, v->file, v->force ? CLI_OUTPUT_FORCE : 0, &sources)) {
		int fd = dup(o.fd);

		f = fd >= 0 ? fdopen(fd, "w") : NULL;
		if (!f && fd >= 0)
			close(fd);
	}
	if (f) {
		(void)setvbuf(f, NULL, _IONBF, 0);
		if (cli_tar_write(&v->c, f, tree, paths, n))
			cli_output_publish(&o, &v->c);
		fclose(f);
	} else if (v->c.status == CLI_OK) {
		struct vtr_error err = { .code = VTR_ENOMEM, .text = "out of memory" };

		cli_error(&v->c, &err);
	}
	cli_output_done(&o);
	cli_sources_done(&sources);
}

static int tar_run(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "file", required_argument, NULL, 'f' },
		{ "force", no_argument, NULL, TAR_FORCE },
		{ 0 },
	};
	struct tar_verb v = { 0 };
	struct vtr_tree *tree;

	if (!cli_begin(&v.c, &cli_verb_tar, &argc, &argv, "f:", longs, tar_option, &v))
		return cli_end(&v.c);
	if (v.file && strcmp(v.file, "-") == 0)
		v.file = NULL;
	if (!v.file && !cli_output_not_terminal(&v.c, "a tar stream"))
		return cli_end(&v.c);
	if (!v.file) {
		cli_bulk_output();
		(void)setvbuf(stdout, NULL, _IONBF, 0); /* what is written is large */
	}
	tree = cli_tree(&v.c);
	argv = cli_paths(&v.c, tree, argv, &argc, true);
	/* Where no path matches, which was reported, there is no archive. */
	if (argc > 0 && v.file)
		tar_to_file(&v, tree, argv, (size_t)argc);
	else if (argc > 0 && cli_tar_write(&v.c, stdout, tree, argv, (size_t)argc))
		cli_flush(&v.c);
	return cli_end(&v.c);
}

const struct cli_verb cli_verb_tar = {
	.name = "tar",
	.summary = "Write a tree as a tar stream, with everything that tar can hold",
	.usage = "[-f FILE] [options] IMAGE [PATH…]",
	.options = "  -f, --file FILE      write to FILE; without this option, or with -, to standard output\n"
		   "      --force          replace FILE; write to it, where it is a device or a FIFO\n",
	.without = CLI_NO_JSON,
	.run = tar_run,
};
