/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the verbs of the command share. The command uses the public header alone, as any program would. */
#ifndef VTR_CLI_CLI_H
#define VTR_CLI_CLI_H

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include "api/vitrine.h"

#define CLI_NO_JSON (1u << 0)
#define CLI_NO_DEVICE (1u << 1)
#define CLI_NO_SECTOR (1u << 2)
#define CLI_NO_ANY_PARENT (1u << 4)
#define CLI_NO_FS (1u << 5)
#define CLI_NO_ROOT (1u << 6)
#define CLI_NO_EXCLUDE (1u << 7)
#define CLI_OPTIONS_FIRST (1u << 3) /* options end at the first argument: what follows may look like one */

/* Exit statuses. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_PARTIAL = 3 };

struct cli_verb {
	const char *name;
	const char *summary; /* one line for the list of verbs */
	const char *usage;   /* after "vitrine NAME " */
	const char *options; /* the verb's own, one a line, as help shows them */
	unsigned without;    /* CLI_NO_…: common options that would have no effect, and are refused */
	int (*run)(int argc, char **argv);
};

extern const struct cli_verb *const cli_verbs[]; /* ends with NULL */

/* The options that every verb has, and what was opened by them. */
struct cli {
	const struct cli_verb *verb;
	struct vtr_ctx *ctx;
	struct vtr_limits limits;
	struct vtr_image_options image;
	const char **images; /* -a, then the first argument when there was no -a */
	size_t n_images;
	bool images_named; /* by -a */
	const char **allow_dirs;
	size_t n_allow_dirs;
	const char **tables; /* of --table and --fs, "NAME" or "DEV=NAME" */
	size_t n_tables;
	const char **types;
	size_t n_types;
	struct vtr_exclude *exclude; /* of --exclude and --exclude-from; NULL: there are none */
	bool follow, json, no_replay;
	bool hush;   /* do not tell what is merely odd: somebody asked for a file, not for the system */
	bool hushed; /* something was not told */
	unsigned sector;
	uint64_t timeout_ms;
	const char *device, *root; /* not both */
	struct vtr_guest *guest;
	struct vtr_os *os;	   /* that the paths are of, or that was asked for; NULL: none. Borrowed */
	struct vtr_tree *own_tree; /* of a single filesystem; systems own theirs */
	char **paths;		   /* cli_paths() made them */
	size_t n_paths;
	int status; /* worst so far of CLI_FAILED and CLI_PARTIAL */
};

/* Long options of a verb's own start here; short ones are their letters. */
#define CLI_LONG 256

/*
 * Parse the options. own: letters of the verb's own short options as for getopt; longs: its long ones, ending with a
 * zeroed one; on_option gets each of them (NULL: there are none). Images are taken out of the arguments: *argc and *argv are what is left.
 * Returns true to go on; else the verb returns c->status.
 */
typedef bool cli_on_option(void *arg, int option, const char *value);
bool cli_begin(struct cli *c, const struct cli_verb *verb, int *argc, char ***argv, const char *own,
	       const struct option *longs, cli_on_option *on_option, void *arg);

/* Signals ask for an orderly end. cli_finish() is the last of main(): it sees to standard output, and ends by the signal. */
void cli_catch_signals(void);
int cli_finish(int status);
/* Whether a signal asked for the end. */
bool cli_interrupted(void);

/* A number; one of bytes ("1k", "10M"); one of time ("10s", "5m"), seconds without a unit. False: it is none. */
bool cli_number(uint64_t *out, const char *text);
bool cli_size_value(uint64_t *out, const char *text);
bool cli_time_value(uint64_t *ms, const char *text);
/*
 * Take -h out of the arguments of a verb whose letters it belongs to, as fingers have it from ls(1) and df(1): in a
 * cluster of these letters, or alone where there is an image, too. Alone with nothing else it asks for help.
 */
bool cli_take_human(int *argc, char **argv, const char *letters);
/* Whether known is more like a word that was typed than the best until now; *best starts as UINT_MAX. */
bool cli_is_nearer(unsigned *best, const char *word, const char *known);

/* Release everything; the exit status of the verb. */
int cli_end(struct cli *c);

/* Say what went wrong on standard error: CLI_FAILED. */
void cli_error(struct cli *c, const struct vtr_error *err);
/*
 * Say that a part is lost: CLI_PARTIAL. The second puts a guest's path in front, where err does not have it. The third
 * does too, of what is no loss. Of messages that are alike the first ones are printed: cli_end() says how many others.
 */
void cli_partial(struct cli *c, const struct vtr_error *err);
void cli_partial_at(struct cli *c, const char *path, const struct vtr_error *err);
void cli_warn_at(struct cli *c, const char *path, const struct vtr_error *err);
/* Whether so many bytes of a file are within limits.file; if not, that is said: CLI_PARTIAL. */
bool cli_file_fits(struct cli *c, const char *path, uint64_t bytes);
void cli_usage(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Add the images to a guest and scan it. */
bool cli_open_guest(struct cli *c);
/*
 * The tree that paths are resolved in: of the system that --root names, or whose root --device is; of that device's
 * filesystem; of the system that starts by itself; or of the only filesystem. NULL: said why.
 */
struct vtr_tree *cli_tree(struct cli *c);
/* Add to a message which devices have something that is not read; before: what stands before the first. */
void cli_say_unread(struct cli *c, struct vtr_error *err, const char *before);
/* The partition table that --table chose for the i-th image; NULL: none was chosen. */
const char *cli_table(const struct cli *c, size_t image);
/* The system of --root. NULL: said why. */
struct vtr_os *cli_root(struct cli *c);
/*
 * The paths of the n arguments as programs like them, where they are written as Windows does (vtr_tree_path()); with patterns
 * also what each stands for (vtr_tree_glob()). "/" where there is no argument. *n becomes their number: 0 where nothing matches,
 * which was reported, or t is NULL. c owns them.
 */
char **cli_paths(struct cli *c, struct vtr_tree *t, char **paths, int *n, bool patterns);

/* A walk starts at a path that is there: whether --exclude leaves it out. Its entries are asked for vtr_exclude_has(). */
bool cli_begin_excluded(struct cli *c, struct vtr_tree *t, const char *path);

/*
 * The only image, or its --device: borrowed until *image, which is the caller's to release, and the command's guest go.
 * NULL: said why.
 */
struct vtr_blk *cli_disk(struct vtr_blk **image, struct cli *c);

/* The k-th host file of one image: its own, then the others that it keeps a part in. NULL: it has no path. */
bool cli_image_file(const char **path, const struct vtr_image_info *i, size_t k);

/* --- text */

/* Print guest bytes escaped. */
void cli_put(FILE *f, const char *bytes, size_t len);
void cli_puts(FILE *f, const char *bytes);
/* "1.5 GiB"; buf has 32 bytes. */
const char *cli_size(char *buf, uint64_t bytes);
/* As ls(1) and df(1) write it, rounded up: "1.5G" of powers of 1024, or of 1000. */
const char *cli_size_short(char *buf, uint64_t bytes, unsigned power);
/* "-rw-r--r--"; buf has 12 bytes. */
const char *cli_mode(char *buf, const struct vtr_stat *st);
/* "2024-05-06T07:08:09.123456789Z"; buf has 48 bytes. full: with nanoseconds. */
const char *cli_time(char *buf, const struct vtr_time *t, bool full);
/* Join a directory as the user wrote it and a path below it; the caller frees. */
char *cli_join(const char *dir, const char *path);
/* Large pieces to standard output, for verbs that write much: fewer calls, and fewer waits where it is a pipe. */
void cli_bulk_output(void);
/* Say once that standard output could not be written, and why (errno, or 0). */
void cli_output_failed(struct cli *c, int error);
/* Whether standard output is a pipe that nobody reads any more, where that ends the command in silence. */
bool cli_pipe_closed(void);
/* Finish standard output; false and an error when it could not be written. */
bool cli_flush(struct cli *c);

/* --- JSON */

/* Guest bytes as a JSON string; what is no UTF-8 becomes U+FFFD. */
json_t *cli_json_text(const char *bytes, size_t len);
/* Set a text member; when it is no UTF-8, KEY_hex too. NULL text sets nothing. */
void cli_json_set(json_t *o, const char *key, const char *bytes);
void cli_json_set_bytes(json_t *o, const char *key, const char *bytes, size_t len);
/*
 * The same for what a system's facts, records and packages say, which the library has escaped for people: in JSON they
 * are the guest's bytes again. Windows says everything with backslashes, and they are not escaped there: see
 * cli_json_is_escaped().
 */
void cli_json_set_fact(json_t *o, const char *key, const char *text, bool escaped);
/* A list, with newlines between its values; KEY_hex, too, when one of them is no UTF-8. */
void cli_json_set_list(json_t *o, const char *key, const char *values, bool escaped);
bool cli_json_is_escaped(const struct vtr_os *os);
/* A number; above 2^53 its digits in a string. */
json_t *cli_json_u64(uint64_t v);
/* A file's members as the manual has them. target may be NULL. */
json_t *cli_json_file(const char *path, const struct vtr_stat *st, const char *target);
void cli_json_props(json_t *o, const struct vtr_prop *props, size_t n);
/*
 * A document that is printed as it is made, since an image says how long it is; its form is that of cli_json_print(). key
 * is NULL within a list. kind: '{' or '['. The values are released.
 */
#define CLI_JSON_DEPTH 8u
struct cli_stream {
	unsigned depth;
	bool any[CLI_JSON_DEPTH]; /* something was put */
	char kinds[CLI_JSON_DEPTH];
};
void cli_stream_begin(struct cli_stream *s, const char *key, char kind);
void cli_stream_put(struct cli_stream *s, const char *key, json_t *value);
void cli_stream_put_all(struct cli_stream *s, json_t *members); /* the members of an object, one by one */
void cli_stream_end(struct cli_stream *s);
/* Print and release a document, or one line. */
void cli_json_print(json_t *o);
void cli_json_line(json_t *o);

#endif
