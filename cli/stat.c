/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine stat: all that is known of a file. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

extern const struct cli_verb cli_verb_stat;

struct stat_verb {
	struct cli c;
	bool follow, extents, streams, security;
	json_t *list; /* xattrs or extents of the current file */
	json_t *docs;
};

enum { STAT_EXTENTS = CLI_LONG, STAT_STREAMS, STAT_SECURITY };

static bool stat_option(void *arg, int opt, const char *value)
{
	struct stat_verb *s = arg;

	(void)value;
	switch (opt) {
	case 'L':
		s->follow = true;
		break;
	case STAT_EXTENTS:
		s->extents = true;
		break;
	case STAT_STREAMS:
		s->streams = true;
		break;
	case STAT_SECURITY:
		s->security = true;
		break;
	}
	return true;
}

static void stat_hex(char *out, const void *p, size_t len)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < len; i++)
		sprintf(out + 2 * i, "%02x", b[i]);
	out[2 * len] = 0;
}

/* Values that are text are shown as such: without the NUL that ends those of SELinux. */
static bool stat_text_is(const struct vtr_xattr *x, size_t *len)
{
	const char *p = x->value;

	*len = x->len > 0 && p[x->len - 1] == 0 ? x->len - 1 : x->len;
	if (!vtr_utf8_is(p, *len))
		return false;
	for (size_t i = 0; i < *len; i++)
		if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			return false;
	return true;
}

static int stat_xattr(void *arg, const struct vtr_xattr *x)
{
	struct stat_verb *s = arg;
	char *hex = malloc(2 * x->len + 1);
	size_t len;
	bool text = stat_text_is(x, &len);

	if (!hex)
		return -1;
	stat_hex(hex, x->value, x->len);
	if (s->list) {
		json_t *o = json_object();

		cli_json_set(o, "name", x->name);
		if (text)
			json_object_set_new(o, "value", cli_json_text(x->value, len));
		json_object_set_new(o, "hex", json_string(hex));
		json_array_append_new(s->list, o);
	} else {
		fputs("    xattr: ", stdout);
		cli_puts(stdout, x->name);
		if (text) {
			fputs("=\"", stdout);
			cli_put(stdout, x->value, len);
			fputs("\"\n", stdout);
		} else {
			printf("=0x%s\n", hex);
		}
	}
	free(hex);
	return 0;
}

static int stat_extent(void *arg, const struct vtr_file_extent *e)
{
	struct stat_verb *s = arg;

	if (s->list) {
		json_t *o = json_object();

		json_object_set_new(o, "offset", cli_json_u64(e->off));
		json_object_set_new(o, "length", cli_json_u64(e->len));
		if (e->inline_data)
			json_object_set_new(o, "inline", json_true());
		else
			json_object_set_new(o, "physical", cli_json_u64(e->phys));
		if (e->unwritten)
			json_object_set_new(o, "unwritten", json_true());
		json_array_append_new(s->list, o);
	} else if (e->inline_data) {
		printf("   extent: bytes 0 to %" PRIu64 " in the inode\n", e->len);
	} else {
		printf("   extent: bytes %" PRIu64 " to %" PRIu64 " at %" PRIu64 " of the filesystem%s\n", e->off,
		       e->off + e->len, e->phys, e->unwritten ? " (unwritten)" : "");
	}
	return 0;
}

static int stat_stream(void *arg, const struct vtr_stream *f)
{
	struct stat_verb *s = arg;

	if (s->list) {
		json_t *o = json_object();

		cli_json_set(o, "name", f->name);
		json_object_set_new(o, "size", cli_json_u64(f->size));
		json_object_set_new(o, "allocated", cli_json_u64(f->allocated));
		json_array_append_new(s->list, o);
	} else {
		fputs("   stream: ", stdout);
		cli_puts(stdout, f->name);
		printf(", %" PRIu64 " bytes, %" PRIu64 " allocated\n", f->size, f->allocated);
	}
	return 0;
}

/* The texts are escaped by the library. */
static int stat_prop(void *arg, const struct vtr_prop *p)
{
	struct stat_verb *s = arg;
	json_t *value;

	if (!s->list) {
		printf("%9s: ", p->title);
		if (p->kind == VTR_PROP_TEXT)
			puts(p->text);
		else if (p->kind == VTR_PROP_BOOL)
			puts(p->number ? "yes" : "no");
		else
			printf("%" PRIu64 "\n", p->number);
		return 0;
	}
	value = p->kind == VTR_PROP_TEXT   ? json_string(p->text)
		: p->kind == VTR_PROP_BOOL ? json_boolean(p->number)
					   : cli_json_u64(p->number);
	json_object_set_new(s->list, p->key, value);
	return 0;
}

static void stat_print(const char *path, const struct vtr_stat *st, const char *target)
{
	const struct {
		const char *name;
		const struct vtr_time *t;
	} times[] = { { "modified", &st->mtime },
		      { "accessed", &st->atime },
		      { "changed", &st->ctime },
		      { "born", &st->btime } };
	char buf[48], mode[12];

	fputs("     path: ", stdout);
	cli_puts(stdout, path);
	if (target) {
		fputs(" -> ", stdout);
		cli_puts(stdout, target);
	}
	printf("\n     type: %s%s%s\n", vtr_type_name(st->type), st->flags & VTR_STAT_ENCRYPTED ? ", encrypted" : "",
	       st->flags & VTR_STAT_CASEFOLD ? ", names without regard to case" : "");
	if (st->type == VTR_TYPE_CHAR || st->type == VTR_TYPE_BLOCK)
		printf("   device: %u, %u\n", st->rdev_major, st->rdev_minor);
	else
		printf("     size: %" PRIu64 " bytes, %" PRIu64 " allocated\n", st->size, st->allocated);
	printf("     mode: %04o %s\n    owner: %u:%u\n    inode: %" PRIu64 ", %" PRIu64 " link%s\n", st->mode,
	       cli_mode(mode, st), st->uid, st->gid, st->node, st->nlink, st->nlink == 1 ? "" : "s");
	for (size_t i = 0; i < 4; i++)
		if (times[i].t->set)
			printf("%9s: %s\n", times[i].name, cli_time(buf, times[i].t, true));
	if (st->flags & VTR_STAT_DAMAGED)
		puts("  damaged: its checksum is wrong");
}

static void stat_path(struct stat_verb *s, struct vtr_tree *t, const char *path)
{
	struct vtr_error err = { 0 };
	json_t *doc = NULL;
	struct vtr_place p;
	struct vtr_stat st;
	char *target = NULL;

	if (vtr_tree_walk(&p, t, path, s->follow ? 0 : VTR_WALK_NOFOLLOW, &err) < 0 ||
	    vtr_fs_stat(&st, p.fs, p.node, &err) < 0) {
		cli_error(&s->c, &err);
		return;
	}
	if (st.type == VTR_TYPE_SYMLINK && vtr_fs_readlink(&target, p.fs, p.node, &err) < 0)
		cli_partial(&s->c, &err);
	if (s->c.json)
		doc = cli_json_file(path, &st, target);
	else
		stat_print(path, &st, target);
	free(target);
	s->list = doc ? json_array() : NULL;
	if (vtr_fs_xattrs(p.fs, p.node, stat_xattr, s, &err) < 0)
		cli_partial(&s->c, &err);
	if (doc)
		json_object_set_new(doc, "xattrs", s->list);
	s->list = doc ? json_object() : NULL;
	if (vtr_fs_props(p.fs, p.node, s->security ? VTR_PROPS_SECURITY : 0, stat_prop, s, &err) < 0)
		cli_partial(&s->c, &err);
	if (doc && json_object_size(s->list) > 0)
		json_object_set(doc, "properties", s->list);
	json_decref(s->list);
	if (s->streams) {
		s->list = doc ? json_array() : NULL;
		if (vtr_fs_streams(p.fs, p.node, stat_stream, s, &err) < 0)
			cli_partial(&s->c, &err);
		if (doc)
			json_object_set_new(doc, "streams", s->list);
	}
	if (s->extents && st.type == VTR_TYPE_FILE) {
		s->list = doc ? json_array() : NULL;
		if (vtr_fs_extents(p.fs, p.node, stat_extent, s, &err) < 0)
			cli_partial(&s->c, &err);
		if (doc)
			json_object_set_new(doc, "extents", s->list);
	}
	if (doc)
		json_array_append_new(s->docs, doc);
}

static int stat_run(int argc, char **argv)
{
	static const struct option longs[] = { { "extents", no_argument, NULL, STAT_EXTENTS },
					       { "streams", no_argument, NULL, STAT_STREAMS },
					       { "security", no_argument, NULL, STAT_SECURITY },
					       { 0 } };
	struct stat_verb s = { 0 };
	struct vtr_tree *t;

	if (!cli_begin(&s.c, &cli_verb_stat, &argc, &argv, "L", longs, stat_option, &s))
		return cli_end(&s.c);
	if (argc == 0) {
		cli_usage(&s.c, "which path?");
		return cli_end(&s.c);
	}
	t = cli_tree(&s.c);
	argv = cli_paths(&s.c, t, argv, &argc, true);
	s.docs = s.c.json ? json_array() : NULL;
	for (int i = 0; t && i < argc; i++) {
		if (i > 0 && !s.c.json)
			putchar('\n');
		stat_path(&s, t, argv[i]);
	}
	if (s.docs && t)
		cli_json_print(s.docs);
	else
		json_decref(s.docs);
	cli_flush(&s.c);
	return cli_end(&s.c);
}

const struct cli_verb cli_verb_stat = {
	.name = "stat",
	.summary = "Tell all that is known of files: metadata, extended attributes",
	.usage = "[-L] [--extents] [--streams] [--security] [options] IMAGE PATH…",
	.options = "  -L                   what a symbolic link leads to\n"
		   "      --extents        where the file lies in its filesystem\n"
		   "      --streams        the named streams that it has beside its contents\n"
		   "      --security       owner, group and access list of Windows, in SDDL\n",
	.without = CLI_NO_EXCLUDE,
	.run = stat_run,
};
