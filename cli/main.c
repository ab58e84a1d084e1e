/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine VERB [options] IMAGE [PATH…] */
#include <limits.h>
#include <string.h>

#include "cli/output.h"

#define VERBS(X)                                                                                                       \
	X(inspect)                                                                                                     \
	X(info)                                                                                                        \
	X(layout)                                                                                                      \
	X(df)                                                                                                          \
	X(ls) X(stat) X(cat) X(hash) X(find) X(grep) X(get) X(tar) X(log) X(diff) X(export) X(map) X(compare) X(reg)
#define X(name) extern const struct cli_verb cli_verb_##name;
VERBS(X)
#undef X
#define X(name) &cli_verb_##name,
const struct cli_verb *const cli_verbs[] = { VERBS(X) NULL };
#undef X

static void main_help(FILE *f)
{
	fputs("usage: vitrine VERB [options] IMAGE [PATH…]\n\n"
	      "Look inside virtual-machine disk images, without root and without mounting.\n\n",
	      f);
	for (size_t i = 0; cli_verbs[i]; i++)
		fprintf(f, "  %-9s %s\n", cli_verbs[i]->name, cli_verbs[i]->summary);
	fputs("\n  vitrine VERB -h tells a verb's options; vitrine --version the version.\n", f);
}

/* A verb that is written almost so; NULL: none is. */
static const char *main_near(const char *word)
{
	unsigned best = UINT_MAX;
	const char *near = NULL;

	for (size_t i = 0; cli_verbs[i]; i++)
		if (cli_is_nearer(&best, word, cli_verbs[i]->name))
			near = cli_verbs[i]->name;
	return near;
}

static int main_run(int argc, char **argv)
{
	const char *near;

	if (argc < 2) {
		main_help(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		main_help(stdout);
		return CLI_OK;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("vitrine %s\n", vtr_version());
		return CLI_OK;
	}
	for (size_t i = 0; cli_verbs[i]; i++)
		if (strcmp(argv[1], cli_verbs[i]->name) == 0)
			return cli_verbs[i]->run(argc - 1, argv + 1);
	near = main_near(argv[1]);
	fprintf(stderr, "vitrine: no verb is named \"");
	cli_puts(stderr, argv[1]);
	if (near)
		fprintf(stderr, "\"; did you mean %s?\n", near);
	else
		fprintf(stderr, "\"; vitrine --help lists them\n");
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	cli_output_std();
	cli_catch_signals();
	return cli_finish(main_run(argc, argv));
}
