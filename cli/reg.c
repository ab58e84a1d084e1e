/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine reg: keys and values of the Windows registry. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/output.h"

extern const struct cli_verb cli_verb_reg;

enum {
	REG_HIVE = CLI_LONG,
	REG_LOG,
	REG_RAW,
	REG_PREFIX,
	REG_DELETED,
	REG_WHOLE,
	REG_KEYS,
	REG_VALUES,
	REG_DATA,
	REG_SECURITY,
	REG_UTF16,
};

enum reg_what { REG_GET, REG_LS, REG_EXPORT, REG_FIND };
static const char *const reg_whats[] = { "get", "ls", "export", "find" };

#define REG_ROOT_WIDTH 16u /* of "HKLM\\BCD00000000" */
#define REG_FOR(what) (1u << REG_##what)

struct reg {
	struct cli c;
	enum reg_what what;
	const char *hive_path; /* in the guest */
	const char *logs[3];
	size_t n_logs;
	const char *prefix; /* before the path of each key: NULL: what its hive is called */
	bool raw, deleted, recursive, security, utf16;
	unsigned search;
	unsigned used; /* options that only some have: a bit each */
	struct vtr_hive *h;
	struct vtr_registry *registry;
	const char *above; /* ls, find: the roots that begin with this, and no key; else NULL */
	uint32_t key;
	size_t found;
};

/* Which of the four an option is for. */
static const struct {
	int opt;
	unsigned of;
	const char *name;
} reg_options[] = {
	{ REG_RAW, REG_FOR(GET), "--raw" },
	{ 'R', REG_FOR(LS), "-R" },
	{ REG_SECURITY, REG_FOR(GET), "--security" },
	{ REG_PREFIX, REG_FOR(EXPORT) | REG_FOR(LS) | REG_FOR(FIND), "--prefix" },
	{ REG_UTF16, REG_FOR(EXPORT), "--utf16" },
	{ REG_DELETED, REG_FOR(EXPORT), "--deleted" },
	{ REG_WHOLE, REG_FOR(FIND), "--whole" },
	{ REG_KEYS, REG_FOR(FIND), "--keys" },
	{ REG_VALUES, REG_FOR(FIND), "--values" },
	{ REG_DATA, REG_FOR(FIND), "--data" },
};

static bool reg_option(void *arg, int opt, const char *value)
{
	struct reg *r = arg;

	for (size_t i = 0; i < sizeof(reg_options) / sizeof(reg_options[0]); i++)
		if (reg_options[i].opt == opt)
			r->used |= 1u << i;
	switch (opt) {
	case REG_HIVE:
		r->hive_path = value;
		return true;
	case REG_LOG:
		if (r->n_logs == 3)
			return false;
		r->logs[r->n_logs++] = value;
		return true;
	case REG_RAW:
		r->raw = true;
		return true;
	case REG_PREFIX:
		r->prefix = value;
		return true;
	case REG_DELETED:
		r->deleted = true;
		return true;
	case REG_WHOLE:
		r->search |= VTR_SEARCH_WHOLE;
		return true;
	case REG_KEYS:
		r->search |= VTR_SEARCH_KEYS;
		return true;
	case REG_VALUES:
		r->search |= VTR_SEARCH_VALUES;
		return true;
	case REG_DATA:
		r->search |= VTR_SEARCH_DATA;
		return true;
	case REG_UTF16:
		r->utf16 = true;
		return true;
	case REG_SECURITY:
		r->security = true;
		return true;
	default:
		r->recursive = true;
		return true;
	}
}

/* --------------------------------------------------------------------------------------------------------- opening */

/* Whether the only image is a hive itself; -1: it cannot be read. */
static int reg_is_hive(struct reg *r)
{
	static const struct vtr_image_options plain = { .format = "raw" };
	struct vtr_error err = { 0 };
	struct vtr_blk *b;
	char magic[4];
	int is;

	if (r->c.n_images != 1 || r->c.images_named || r->c.image.format || r->hive_path)
		return 0;
	if (vtr_image_open(&b, r->c.ctx, r->c.images[0], &plain, &err) < 0) {
		cli_error(&r->c, &err);
		return -1;
	}
	is = vtr_blk_size(b) >= 4 && vtr_blk_pread(b, 0, magic, 4, &err) == 0 && memcmp(magic, "regf", 4) == 0;
	vtr_blk_unref(b);
	return is;
}

static bool reg_open_hive(struct reg *r)
{
	static const struct vtr_image_options plain = { .format = "raw" };
	struct vtr_blk *logs[3] = { NULL };
	struct vtr_error err = { 0 };
	bool ok = true;

	for (size_t i = 0; i < r->n_logs && ok; i++)
		ok = vtr_image_open(&logs[i], r->c.ctx, r->logs[i], &plain, &err) == 0;
	ok = ok && vtr_hive_open_file(&r->h, r->c.ctx, r->c.images[0], logs, r->n_logs, &err) == 0;
	for (size_t i = 0; i < r->n_logs; i++)
		vtr_blk_unref(logs[i]);
	if (!ok)
		cli_error(&r->c, &err);
	return ok;
}

/* Whether the path ends above the roots of hives, where there is nothing but those to list. */
static bool reg_is_above(struct reg *r, const char *key)
{
	if (r->what == REG_FIND || (r->what == REG_LS && !r->recursive))
		r->above = vtr_registry_above(key);
	return r->above != NULL;
}

/* Keys of a guest are named with their hive, but where it was named by its file. */
static const char *reg_prefix(const struct reg *r, bool whole)
{
	const char *root = r->registry && !r->prefix ? vtr_registry_root(r->registry, r->h, whole) : r->prefix;

	return root ? root : "";
}

/* The hive, and the key in it that the path names; or, for ls, which part of the registry is listed. */
static bool reg_open(struct reg *r, const char *key)
{
	struct vtr_error err = { 0 };
	int is = reg_is_hive(r), ok;
	struct vtr_tree *t;

	if (is < 0)
		return false;
	if (is) {
		if (!reg_open_hive(r))
			return false;
	} else {
		if (r->n_logs > 0) {
			cli_usage(&r->c, "--log is for a hive that is a file of its own: those of a guest are found");
			return false;
		}
		t = cli_tree(&r->c);
		if (!t)
			return false;
		if (!r->hive_path) {
			ok = vtr_registry_open(&r->registry, t, NULL, &err) == 0 &&
			     (reg_is_above(r, key) || vtr_registry_find(&r->h, &r->key, r->registry, key, &err) == 0);
			if (!ok)
				cli_error(&r->c, &err);
			return ok;
		}
		if (vtr_hive_open_path(&r->h, t, r->hive_path, &err) < 0) {
			cli_error(&r->c, &err);
			return false;
		}
	}
	if (vtr_hive_find(&r->key, r->h, vtr_hive_root(r->h), key, &err) < 0) {
		cli_error(&r->c, &err);
		return false;
	}
	return true;
}

/* ------------------------------------------------------------------------------------------------------ values as text */

/* Guest text escaped, but for backslashes: every path has them. */
static void reg_put(const char *text, size_t len)
{
	while (len > 0) {
		const char *slash = memchr(text, '\\', len);
		size_t n = slash ? (size_t)(slash - text) : len;

		cli_put(stdout, text, n);
		if (slash) {
			putchar('\\');
			n++;
		}
		text += n;
		len -= n;
	}
}

/* A path of a hive with what comes before it; the root is a backslash alone where nothing does. */
static void reg_put_path(const struct reg *r, const char *path, size_t len)
{
	const char *prefix = reg_prefix(r, false);
	size_t n = strlen(prefix);

	reg_put(prefix, n > 0 && prefix[n - 1] == '\\' ? n - 1 : n);
	if (n == 0 || len > 1)
		reg_put(path, len);
}

static const char *reg_type(char buf[16], uint32_t type)
{
	const char *name = vtr_reg_type_name(type);

	snprintf(buf, 16, "0x%08" PRIx32, type);
	return name ? name : buf;
}

static char *reg_hex(const void *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *b = p;
	char *hex = malloc(2 * len + 1);

	for (size_t i = 0; hex && i < len; i++) {
		hex[2 * i] = digits[b[i] >> 4];
		hex[2 * i + 1] = digits[b[i] & 15];
	}
	if (hex)
		hex[2 * len] = 0;
	return hex;
}

static int reg_put_one(void *arg, const char *text, size_t len)
{
	bool *first = arg;

	fputs(*first ? "\"" : ", \"", stdout);
	reg_put(text, len);
	putchar('"');
	*first = false;
	return 0;
}

/* On one line: strings in quotes, numbers both ways, bytes in hexadecimal. */
static void reg_put_data(const struct vtr_value *v)
{
	bool first = true;
	uint64_t number;
	char *hex;

	if (vtr_value_number(&number, v, NULL) == 0) {
		printf("%" PRIu64 " (0x%" PRIx64 ")", number, number);
	} else if (vtr_value_strings(v, reg_put_one, &first, NULL) != 0) {
		hex = reg_hex(v->data, v->len);
		fputs(hex ? hex : "", stdout);
		free(hex);
	}
	if (v->flags & VTR_VALUE_CUT)
		printf(" (damaged: %zu of %" PRIu64 " bytes)", v->len, v->stated_len);
}

static int reg_put_value(void *arg, const struct vtr_value *v)
{
	const unsigned *indent = arg;
	char type[16];

	printf("%*s", indent ? (int)*indent : 0, "");
	if (v->name_len == 0)
		fputs("(default)", stdout);
	else
		reg_put(v->name, v->name_len);
	printf("  %s  ", reg_type(type, v->type));
	reg_put_data(v);
	putchar('\n');
	return 0;
}

static int reg_json_string(void *arg, const char *text, size_t len)
{
	json_array_append_new(arg, cli_json_text(text, len));
	return 0;
}

static int reg_json_text(void *arg, const char *text, size_t len)
{
	json_object_set_new(arg, "value", cli_json_text(text, len));
	return 0;
}

/* The members that export has, too. */
static json_t *reg_json_value(const struct vtr_value *v)
{
	json_t *o = json_object(), *list;
	uint64_t number;
	char type[16];
	char *hex;

	json_object_set_new(o, "name", cli_json_text(v->name, v->name_len));
	if (v->flags & VTR_VALUE_NAME_CUT) {
		hex = reg_hex(v->name_raw, v->name_raw_len);
		json_object_set_new(o, "name_hex", json_string(hex ? hex : ""));
		free(hex);
	}
	json_object_set_new(o, "type", json_string(reg_type(type, v->type)));
	if (vtr_value_number(&number, v, NULL) == 0) {
		json_object_set_new(o, "value", cli_json_u64(number));
	} else if (v->type == VTR_REG_MULTI_SZ) {
		list = json_array();
		(void)vtr_value_strings(v, reg_json_string, list, NULL);
		json_object_set_new(o, "value", list);
	} else {
		(void)vtr_value_strings(v, reg_json_text, o, NULL);
	}
	hex = reg_hex(v->data, v->len);
	json_object_set_new(o, "hex", json_string(hex ? hex : ""));
	free(hex);
	if (v->flags & VTR_VALUE_CUT)
		json_object_set_new(o, "stated_size", cli_json_u64(v->stated_len));
	if (v->flags & VTR_VALUE_TOMBSTONE)
		json_object_set_new(o, "tombstone", json_true());
	return o;
}

/* -------------------------------------------------------------------------------------------------------------- verbs */

static int reg_write(void *arg, const char *text, size_t len)
{
	(void)arg;
	return fwrite(text, 1, len, stdout) == len ? 0 : 1;
}

/* As export prints it; a failure to write is told by cli_flush(). */
static void reg_print(struct reg *r, int format, bool shallow)
{
	struct vtr_hive_export how = { .format = format,
				       .prefix = reg_prefix(r, format != VTR_HIVE_JSON),
				       .shallow = shallow,
				       .deleted = r->deleted };
	struct vtr_error err = { 0 };

	cli_bulk_output();
	if (vtr_hive_export(r->h, r->key, &how, reg_write, r, &err) < 0)
		cli_error(&r->c, &err);
}

static void reg_get_security(struct reg *r)
{
	struct vtr_error err = { 0 };
	const void *p;
	size_t len;
	char *hex, *text = NULL;

	if (vtr_hive_security(&p, &len, r->h, r->key, &err) < 0) {
		cli_error(&r->c, &err);
		return;
	}
	if (r->raw) {
		fwrite(p, 1, len, stdout);
		return;
	}
	if (vtr_security_text(&text, p, len, VTR_SECURITY_KEY, &err) < 0)
		cli_partial(&r->c, &err);
	hex = reg_hex(p, len);
	if (r->c.json) {
		json_t *o = json_object();

		if (text)
			json_object_set_new(o, "security", json_string(text));
		json_object_set_new(o, "security_hex", json_string(hex ? hex : ""));
		cli_json_line(o);
	} else if (text) {
		puts(text);
	}
	free(text);
	free(hex);
}

/* A value by itself: its text, as it is for a program that reads it. */
static void reg_get(struct reg *r, const char *name)
{
	struct vtr_error err = { 0 };
	struct vtr_value v;
	char *text, *hex;
	size_t len;

	if (r->security) {
		reg_get_security(r);
		return;
	}
	if (!name) {
		if (r->c.json)
			reg_print(r, VTR_HIVE_JSON, true);
		else if (vtr_hive_values(r->h, r->key, reg_put_value, NULL, &err) < 0)
			cli_error(&r->c, &err);
		return;
	}
	if (vtr_hive_value(&v, r->h, r->key, name, &err) < 0) {
		cli_error(&r->c, &err);
		return;
	}
	if (r->raw) {
		fwrite(v.data, 1, v.len, stdout);
	} else if (r->c.json) {
		cli_json_line(reg_json_value(&v));
	} else if (vtr_value_text(&text, &len, &v, NULL) == 0) {
		/* A list has its newlines; text for people is escaped line by line. */
		for (size_t at = 0; at < len || at == 0;) {
			char *end = v.type == VTR_REG_MULTI_SZ ? memchr(text + at, '\n', len - at) : NULL;
			size_t n = end ? (size_t)(end - text) - at : len - at;

			if (v.type == VTR_REG_MULTI_SZ && !end)
				break;
			reg_put(text + at, n);
			putchar('\n');
			at += n + 1;
		}
		free(text);
	} else {
		hex = reg_hex(v.data, v.len);
		puts(hex ? hex : "");
		free(hex);
	}
}

static int reg_ls_key(void *arg, const struct vtr_key *k)
{
	char time[48];

	(void)arg;
	printf("%s  ", k->written.set ? cli_time(time, &k->written, false) : "-");
	reg_put(k->name, k->name_len);
	fputs("\\\n", stdout);
	return 0;
}

static int reg_ls_below(void *arg, const struct vtr_key *k)
{
	unsigned indent = 2;
	struct reg *r = arg;
	struct vtr_error err = { 0 };

	if (k->depth > 0)
		putchar('\n');
	reg_put_path(r, k->path, k->path_len);
	putchar('\n');
	if (vtr_hive_values(r->h, k->id, reg_put_value, &indent, &err) < 0) {
		cli_error(&r->c, &err);
		return 2;
	}
	return 0;
}

static int reg_ls_root(void *arg, const char *root, const char *file)
{
	struct reg *r = arg;

	if (strncmp(root, r->above, strlen(r->above)) != 0)
		return 0;
	if (r->c.json) {
		json_t *o = json_object();

		json_object_set_new(o, "key", cli_json_text(root, strlen(root)));
		json_object_set_new(o, "path", cli_json_text(file, strlen(file)));
		cli_json_line(o);
		return 0;
	}
	reg_put(root, strlen(root));
	/* The identifiers of users are longer than all other names, and stick out. */
	printf("%*s  ", strlen(root) < REG_ROOT_WIDTH ? (int)(REG_ROOT_WIDTH - strlen(root)) : 0, "");
	reg_put(file, strlen(file));
	putchar('\n');
	return 0;
}

static void reg_ls(struct reg *r)
{
	struct vtr_error err = { 0 };
	int result;

	if (r->above) {
		if (vtr_registry_roots(r->registry, reg_ls_root, r, &err) < 0)
			cli_error(&r->c, &err);
		return;
	}
	if (r->c.json) {
		reg_print(r, VTR_HIVE_JSON, !r->recursive);
		return;
	}
	if (r->recursive)
		result = vtr_hive_walk(r->h, r->key, reg_ls_below, r, &err);
	else
		result = vtr_hive_subkeys(r->h, r->key, reg_ls_key, r, &err) < 0 ||
					 vtr_hive_values(r->h, r->key, reg_put_value, NULL, &err) < 0
				 ? -1
				 : 0;
	if (result < 0)
		cli_error(&r->c, &err);
}

/* A path as JSON has it, with what comes before it. */
static json_t *reg_json_path(const struct reg *r, const char *path, size_t len)
{
	const char *prefix = r->above ? "" : reg_prefix(r, false);
	size_t n = strlen(prefix);
	char *whole = malloc(n + len + 1);
	json_t *text = NULL;

	if (whole) {
		memcpy(whole, prefix, n);
		if (n > 0 && prefix[n - 1] == '\\')
			n--;
		if (n == 0 || len > 1) {
			memcpy(whole + n, path, len);
			n += len;
		}
		text = cli_json_text(whole, n);
	}
	free(whole);
	return text;
}

static int reg_found(void *arg, const struct vtr_key *k, const struct vtr_value *v)
{
	struct reg *r = arg;

	r->found++;
	if (r->c.json) {
		json_t *o = json_object();

		json_object_set_new(o, "key", reg_json_path(r, k->path, k->path_len));
		if (v)
			json_object_update_new(o, reg_json_value(v));
		cli_json_line(o);
		return 0;
	}
	if (r->above)
		reg_put(k->path, k->path_len);
	else
		reg_put_path(r, k->path, k->path_len);
	fputs(v ? "  " : "\n", stdout);
	if (v)
		reg_put_value(NULL, v);
	return 0;
}

static void reg_find(struct reg *r, const char *text)
{
	struct vtr_error err = { 0 };
	int result = r->above ? vtr_registry_search(r->registry, r->above, text, r->search, reg_found, r, &err)
			      : vtr_hive_search(r->h, r->key, text, r->search, reg_found, r, &err);

	if (result < 0)
		cli_error(&r->c, &err);
	else if (r->found == 0 && r->c.status == CLI_OK && vtr_ctx_damage(r->c.ctx) == 0)
		r->c.status = CLI_FAILED;
}

static void reg_export(struct reg *r)
{
	struct vtr_error err = { 0 };

	if (r->key == vtr_hive_root(r->h) && vtr_hive_check(r->h, &err) < 0)
		cli_error(&r->c, &err);
	reg_print(r, r->c.json ? VTR_HIVE_JSON : r->utf16 ? VTR_HIVE_REGEDIT : VTR_HIVE_REG, false);
}

static int reg_run(int argc, char **argv)
{
	static const struct option longs[] = { { "hive", required_argument, NULL, REG_HIVE },
					       { "log", required_argument, NULL, REG_LOG },
					       { "raw", no_argument, NULL, REG_RAW },
					       { "security", no_argument, NULL, REG_SECURITY },
					       { "recursive", no_argument, NULL, 'R' },
					       { "prefix", required_argument, NULL, REG_PREFIX },
					       { "deleted", no_argument, NULL, REG_DELETED },
					       { "keys", no_argument, NULL, REG_KEYS },
					       { "values", no_argument, NULL, REG_VALUES },
					       { "data", no_argument, NULL, REG_DATA },
					       { "whole", no_argument, NULL, REG_WHOLE },
					       { "utf16", no_argument, NULL, REG_UTF16 },
					       { 0 } };
	static const int most[] = { 2, 1, 1, 2 };
	struct reg r = { 0 };
	const char *word, *text;
	size_t what = 0;

	if (!cli_begin(&r.c, &cli_verb_reg, &argc, &argv, "R", longs, reg_option, &r))
		return cli_end(&r.c);
	/* What is to be done is the first argument, and was taken for the image. */
	word = r.c.images_named ? (argc > 0 ? argv[0] : "") : r.c.images[0];
	while (what < 4 && strcmp(word, reg_whats[what]) != 0)
		what++;
	if (what == 4 || (argc == 0 && !r.c.images_named)) {
		cli_usage(&r.c, what == 4 ? "get, ls, export or find?" : "which image, or hive?");
		return cli_end(&r.c);
	}
	if (!r.c.images_named)
		r.c.images[0] = argv[0];
	argv++;
	argc--;
	r.what = (enum reg_what)what;
	for (size_t i = 0; i < sizeof(reg_options) / sizeof(reg_options[0]); i++) {
		if ((r.used & 1u << i) && !(reg_options[i].of & 1u << what)) {
			cli_usage(&r.c, "%s has no effect on %s", reg_options[i].name, reg_whats[what]);
			return cli_end(&r.c);
		}
	}
	if (argc > most[what] || argc < (r.what == REG_FIND || r.what == REG_GET)) {
		cli_usage(&r.c, argc > most[what]    ? "too many arguments"
				: r.what == REG_FIND ? "what text?"
						     : "which key?");
		return cli_end(&r.c);
	}
	text = r.what == REG_FIND ? argv[--argc] : NULL;
	if (r.deleted && !r.c.json) {
		cli_usage(&r.c, "--deleted needs --json: a .reg file has no place for it");
		return cli_end(&r.c);
	}
	if (r.utf16 && r.c.json) {
		cli_usage(&r.c, "--utf16 and --json: one of them");
		return cli_end(&r.c);
	}
	if (r.utf16 && !cli_output_not_terminal(&r.c, "text in UTF-16"))
		return cli_end(&r.c);
	if (reg_open(&r, argc > 0 ? argv[0] : "")) {
		if (r.above && r.prefix)
			cli_usage(&r.c, "--prefix: one name for several hives");
		else if (r.what == REG_GET)
			reg_get(&r, argc > 1 ? argv[1] : NULL);
		else if (r.what == REG_LS)
			reg_ls(&r);
		else if (r.what == REG_EXPORT)
			reg_export(&r);
		else
			reg_find(&r, text);
	}
	cli_flush(&r.c);
	if (r.registry)
		vtr_registry_close(r.registry);
	else
		vtr_hive_close(r.h);
	return cli_end(&r.c);
}

const struct cli_verb cli_verb_reg = {
	.name = "reg",
	.summary = "Read the Windows registry of a guest, or a hive",
	.usage = "get|ls|export|find [options] IMAGE|HIVE [KEY] [VALUE|TEXT]",
	.options = "      --hive PATH      this hive of the guest; then KEY starts at its root\n"
		   "      --log FILE       a log of the hive: .LOG1, .LOG2, .LOG, in this order\n"
		   "      --raw            get: the bytes as they lie\n"
		   "      --security       get: the security descriptor of the key\n"
		   "  -R, --recursive      ls: all below KEY, too\n"
		   "      --prefix TEXT    export, ls, find: put this before each key, in place of its hive's name\n"
		   "      --utf16          export: as regedit of Windows writes it\n"
		   "      --deleted        export: keys and values that were deleted, too\n"
		   "      --keys           find: in the names of keys\n"
		   "      --values         find: in the names of values\n"
		   "      --data           find: in the data of values\n"
		   "      --whole          find: the whole name or text, not a part of it\n",
	.without = CLI_NO_EXCLUDE,
	.run = reg_run,
};
