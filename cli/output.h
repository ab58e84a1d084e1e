/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of the host that the command writes. All of them are opened here, by functions that never destroy what the
 * caller named: "make lint" refuses any other open for writing in cli/, and metadata that is set by name.
 */
#ifndef VTR_CLI_OUTPUT_H
#define VTR_CLI_OUTPUT_H

#include <sys/stat.h>
#include <time.h>

#include "cli/cli.h"

/* Open the standard streams that the caller closed, so that no other file gets their numbers. */
void cli_output_std(void);

/* False, and usage: standard output is a terminal, which what ("a disk") is not for. */
bool cli_output_not_terminal(struct cli *c, const char *what);

/* The host files that are read: none of them is replaced. */
struct cli_sources {
	struct cli_source {
		dev_t dev, rdev;
		ino_t ino;
	} * items;
	size_t n;
};

/* Note the images of the command line, those of its guest, and image with what it builds on; image may be NULL. */
bool cli_sources_note(struct cli_sources *s, struct cli *c, struct vtr_blk *image);
bool cli_sources_has(const struct cli_sources *s, const struct stat *st);
void cli_sources_done(struct cli_sources *s);

/* The words for a host file's type: "a character device". */
const char *cli_output_noun(mode_t mode);

/*
 * What is at a path, as cp(1) looks at it: a symbolic link is followed, and one that leads nowhere is refused. Returns 1
 * with st, and real when it is a link, which the caller frees; 0 when nothing is there; -1 with errno.
 */
int cli_output_look(char **real, struct stat *st, const char *path);

/* One file that a verb writes. */
struct cli_output {
	int fd;
	bool through; /* a device or a FIFO: written from its start on, in order, and never replaced */
	const char *path;
	char *real;	  /* what a symbolic link leads to */
	const char *name; /* the last component */
	int dir;
	bool force, replaces;
	struct stat old; /* of what is replaced */
	char temp[64];	 /* the name that it has until it is whole; empty when it has none */
};

#define CLI_OUTPUT_FORCE (1u << 0)
#define CLI_OUTPUT_REGULAR (1u << 1) /* a device or a FIFO will not do: what is written goes back and forth */

/*
 * Open path for writing. A regular file that is there is replaced with force, once the new one is whole; a device or a
 * FIFO is written through with force; anything else is refused. False: said why.
 */
bool cli_output_open(struct cli_output *o, struct cli *c, const char *path, unsigned flags,
		     const struct cli_sources *s);
/* Give the file its name, when all of it is written. False: said why. */
bool cli_output_publish(struct cli_output *o, struct cli *c);
/* Release it; a file that was not published is gone. */
void cli_output_done(struct cli_output *o);

/* --- beneath a directory that is open */

/*
 * A new file to write to in a directory. *nameless: such files can be made without a name; it is cleared when they
 * cannot. temp: the name that it has then, of at least 64 bytes; else empty. -1, and errno.
 */
int cli_output_make(int dir, bool *nameless, char *temp, size_t size, mode_t mode);
/* A new file without a name; -1, and errno. */
int cli_output_make_nameless(int dir, mode_t mode);
/* Give a file that has no name one. False, and errno. */
bool cli_output_link(int file, int dir, const char *name);
/* A name for something unfinished, unique in this process. */
void cli_output_temp_name(char *buf, size_t size);

/*
 * A handle on something that cannot be opened (a link, a device, a FIFO, a socket) and was made here under a name that
 * others may have exchanged since. It is checked to be of this type and device number, ours, and of no other name; what
 * is done to the handle then is done to that. -1, and errno; ESTALE: it is something else.
 */
int cli_output_handle(int dir, const char *name, mode_t type, dev_t rdev);
/* Metadata by such a handle. -1, and errno. */
int cli_output_set_owner(int handle, uid_t uid, gid_t gid);
int cli_output_set_mode(int handle, mode_t mode);
int cli_output_set_times(int handle, const struct timespec ts[2]);
int cli_output_set_xattr(int handle, const char *name, const void *value, size_t len);

#endif
