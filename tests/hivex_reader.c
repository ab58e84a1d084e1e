/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libhivex as a second reader of hives. It reads a file by its name: the bytes are in one that lives in memory, sealed, so
 * that nothing can change beneath the library's mapping. Never HIVEX_OPEN_UNSAFE: it then reads past the end.
 */
#include "tests/hivex_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <hivex.h>

#define READER_DEPTH 1000u

struct reader {
	hive_h *h;
	struct vtr_str *out;
	const char *why;
	unsigned depth;
};

struct named {
	char *name;
	size_t len, index;
	uint64_t handle;
};

static int reader_cmp(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	size_t n = x->len < y->len ? x->len : y->len;
	int c = memcmp(x->name, y->name, n);

	if (c == 0)
		c = (x->len > y->len) - (x->len < y->len);
	return c ? c : (x->index > y->index) - (x->index < y->index);
}

/* Quotes and backslashes have a backslash before them in names of values. What a terminal acts on is as vtr_escape() has
 * it, which is the one thing that hivexregedit does not do. */
static void reader_put(struct vtr_str *out, const char *name, size_t len, bool value)
{
	for (size_t i = 0; i < len;) {
		uint32_t cp = 0;
		size_t n = vtr_utf8_next(&cp, (const uint8_t *)name + i, len - i);

		n = n ? n : 1;
		if (name[i] == '\\' || name[i] == '"') {
			if (value)
				vtr_str_put(out, "\\", 1);
			vtr_str_put(out, name + i, 1);
		} else {
			vtr_str_put_escaped(out, name + i, n);
		}
		i += n;
	}
}

static void reader_free(struct named *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i].name);
	free(list);
}

/* The names of handles, ended by 0, sorted. */
static struct named *reader_sort(struct reader *r, const uint64_t *handles, size_t *n, bool values)
{
	struct named *list;
	size_t count = 0;

	while (handles[count] != 0)
		count++;
	list = calloc(count + 1, sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		list[i].handle = handles[i];
		list[i].index = i;
		list[i].len = values ? hivex_value_key_len(r->h, (hive_value_h)handles[i])
				     : hivex_node_name_len(r->h, (hive_node_h)handles[i]);
		list[i].name = values ? hivex_value_key(r->h, (hive_value_h)handles[i])
				      : hivex_node_name(r->h, (hive_node_h)handles[i]);
		if (!list[i].name) {
			r->why = values ? "name of a value" : "name of a key";
			reader_free(list, i);
			return NULL;
		}
	}
	qsort(list, count, sizeof(*list), reader_cmp);
	*n = count;
	return list;
}

static bool reader_values(struct reader *r, hive_node_h node)
{
	hive_value_h *handles = hivex_node_values(r->h, node);
	struct named *list;
	bool ok = true;
	size_t n;

	if (!handles) {
		r->why = "values";
		return false;
	}
	list = reader_sort(r, handles, &n, true);
	free(handles);
	for (size_t i = 0; list && i < n && ok; i++) {
		hive_type type;
		size_t len;
		char *data = hivex_value_value(r->h, (hive_value_h)list[i].handle, &type, &len);

		if (!data) {
			r->why = "data of a value";
			ok = false;
			break;
		}
		if (list[i].len == 0) {
			vtr_str_puts(r->out, "@=");
		} else {
			vtr_str_puts(r->out, "\"");
			reader_put(r->out, list[i].name, list[i].len, true);
			vtr_str_puts(r->out, "\"=");
		}
		if (type == hive_t_REG_DWORD && len == 4) {
			vtr_str_putf(r->out, "dword:%08x", vtr_get_le32((uint8_t *)data));
		} else {
			vtr_str_putf(r->out, "hex(%x):", (unsigned)type);
			for (size_t k = 0; k < len; k++)
				vtr_str_putf(r->out, "%s%02x", k ? "," : "", (uint8_t)data[k]);
		}
		vtr_str_puts(r->out, "\n");
		free(data);
	}
	if (list)
		reader_free(list, n);
	return list && ok;
}

/* Hives are a few hundred keys deep, so this may call itself; libhivex lets a key be below itself. */
static bool reader_key(struct reader *r, hive_node_h node, const struct vtr_str *path)
{
	hive_node_h *handles;
	struct named *list;
	bool ok = true;
	size_t n;

	if (r->depth > READER_DEPTH) {
		r->why = "keys below each other";
		return false;
	}
	vtr_str_puts(r->out, "[");
	vtr_str_put(r->out, path->len ? path->p : "\\", path->len ? path->len : 1);
	vtr_str_puts(r->out, "]\n");
	if (!reader_values(r, node))
		return false;
	vtr_str_puts(r->out, "\n");
	handles = hivex_node_children(r->h, node);
	if (!handles) {
		r->why = "subkeys";
		return false;
	}
	list = reader_sort(r, handles, &n, false);
	free(handles);
	for (size_t i = 0; list && i < n && ok; i++) {
		struct vtr_str below = { 0 };

		vtr_str_put(&below, path->p, path->len);
		vtr_str_puts(&below, "\\");
		reader_put(&below, list[i].name, list[i].len, false);
		r->depth++;
		ok = reader_key(r, (hive_node_h)list[i].handle, &below);
		r->depth--;
		vtr_str_done(&below);
	}
	if (list)
		reader_free(list, n);
	return list && ok;
}

bool hivex_export(struct vtr_str *out, const void *bytes, size_t len, const char **why)
{
	int fd = memfd_create("hive", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	struct reader r = { .out = out };
	struct vtr_str path = { 0 };
	char name[64];
	bool ok = false;

	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		r.why = "no file in memory";
	} else {
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		r.h = hivex_open(name, 0);
		if (!r.h)
			r.why = strerror(errno);
	}
	if (r.h) {
		vtr_str_puts(out, "Windows Registry Editor Version 5.00\n\n");
		vtr_str_put(&path, "", 0);
		ok = reader_key(&r, hivex_root(r.h), &path);
		vtr_str_done(&path);
		hivex_close(r.h);
	}
	if (fd >= 0)
		close(fd);
	if (why)
		*why = ok ? NULL : r.why;
	return ok;
}
