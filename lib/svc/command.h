/* What the C commands have in common: a table of options that feeds the parser and --help, and the home.
 *
 *	static const struct sn_option OPTIONS[] = {{'n', "lines", "N", "only the last N"}, {0}};
 *	static const struct sn_command COMMAND = {"skynet log", "[OPTIONS] [NAME…]", "Shows logs.", OPTIONS};
 *	while ((opt = sn_command_next(&COMMAND, argc, argv)) != -1)
 *		switch (opt) …
 *
 * --home and --help (-h) are added to every table. */
#ifndef SN_COMMAND_H
#define SN_COMMAND_H

#include "base/buf.h"
#include "svc/home.h"

enum { /* letters of options that have none, and what sn_command_next returns beyond the table */
       SN_OPT_HOME = 256, /* --home DIR, in optarg */
       SN_OPT_HELP,	  /* was printed: return 0 */
       SN_OPT_WRONG,	  /* was explained: return SN_EXIT_USAGE */
       SN_OPT_FIRST,	  /* the first number that is free for options without a letter */
};

struct sn_option {
	int letter;
	const char *name, *arg, *help; /* arg NULL: a flag; "[=X]": may be missing, optarg is then NULL */
};

struct sn_command {
	const char *name, *synopsis, *about;
	const struct sn_option *options; /* ends with an empty row */
};

/* The next option's letter, -1 behind the last (optind is then the first operand). */
int sn_command_next(const struct sn_command *c, int argc, char *const *argv) SN_CHECK;
/* Prints "NAME: text" and where help is; returns SN_EXIT_USAGE. */
int sn_command_usage(const struct sn_command *c, const char *fmt, ...) SN_CHECK SN_PRINTF(2, 3);
/* Prints "NAME: text"; returns `code`. */
int sn_command_fail(const struct sn_command *c, int code, const char *fmt, ...) SN_CHECK SN_PRINTF(3, 4);
/* sn_home_init that says why not. 0 or an exit code. */
int sn_command_home(const struct sn_command *c, const char *option, struct sn_home *ret) SN_CHECK;
/* The whole of standard output is written. 0 or SN_EXIT_FAILED. */
int sn_command_flush(const struct sn_command *c) SN_CHECK;
/* A sn_config_complain for people, on stderr. */
void sn_command_complain(void *arg, bool error, const char *file, unsigned line, const char *text);
/* "5", "0.2", "10m", "2h", "3d" → nanoseconds. 0 or -EINVAL. */
int sn_command_duration(const char *text, int64_t *ret_ns) SN_CHECK;
/* Prints `text` as a JSON string. */
void sn_command_json(const char *text);
/* Prints `,"key":"text"`; NULL: null. */
void sn_command_json_member(const char *key, const char *text);
/* Begins an object of an array of such: `{"name":"NAME"`. */
void sn_command_json_row(bool first, const char *name);

#endif
