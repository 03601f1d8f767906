/* What the commands share beyond svc/command.h: options that all have, ending with a reason, naming workitems.
 *
 *	struct sn_cli cli = {.command = &COMMAND};
 *	while ((opt = sn_cli_next(&cli, argc, argv)) != -1) …      (ends the process after --help and after a mistake)
 *	sn_cli_home(&cli);
 *
 * Unlike the rest of the library these end the process: main() of a tool is all that calls them. */
#ifndef SN_CLI_H
#define SN_CLI_H

#include "svc/command.h"
#include "svc/items.h"
#include "svc/put.h"

enum { SN_CLI_BODY_MAX = 1 << 30, SN_CLI_RESULT_MAX = (1 << 30) + (1 << 16) };

struct sn_cli {
	const struct sn_command *command;
	const char *home_option;
	struct sn_home home;
	unsigned done, failed; /* of several operands */
	int code;	       /* of the last failure */
};

/* As sn_command_next, --home and --help looked after. */
int sn_cli_next(struct sn_cli *cli, int argc, char *const *argv) SN_CHECK;
/* Finds the home; umask 022: what is written in a spool is for all its users. */
void sn_cli_home(struct sn_cli *cli);
/* "TOOL: text" on stderr, the end. */
void sn_cli_die(const struct sn_cli *cli, int code, const char *fmt, ...) SN_NORETURN SN_PRINTF(3, 4);
/* The same for a wrong use (exit 64), with where help is. */
void sn_cli_usage(const struct sn_cli *cli, const char *fmt, ...) SN_NORETURN SN_PRINTF(2, 3);
/* One operand failed: says so and goes on. */
void sn_cli_failed(struct sn_cli *cli, int code, const char *fmt, ...) SN_PRINTF(3, 4);
/* Exit code after all operands: 0; the code of the failure if there was one operand only; 1 if some failed. */
int sn_cli_end(const struct sn_cli *cli) SN_CHECK;
/* The exit code for -errno: permission, try again (no room), unknown, else 1. */
int sn_cli_code(int err) SN_CHECK;

/* Names of all participants, sorted; sn_home_files_free(). Or dies. */
char **sn_cli_participants(const struct sn_cli *cli) SN_CHECK;

/* Does the bridge ("amqp-spool") or the exo of a participant run? True where that cannot be known. */
bool sn_cli_runs(const struct sn_cli *cli, const char *name) SN_CHECK;
/* Reads FILE, or stdin for "-", into b. 0 or -errno. */
int sn_cli_read(const char *file, struct sn_buf *b) SN_CHECK;
/* All of it to stdout, exactly; or dies. */
void sn_cli_write(const struct sn_cli *cli, const void *data, size_t len);
/* The path of a program that is beside this one. The caller's. */
char *sn_cli_sibling(const char *name) SN_CHECK;
/* "5s", "12m", "3h", "40d". */
void sn_cli_age(int64_t since_us, char ret_text[16]);

/* -- cli_items.c */

/* Opens a participant's spool or dies. */
void sn_cli_shelf(const struct sn_cli *cli, const char *participant, struct sn_shelf *ret);
/* The shelves of `participant`, or of all there are (NULL). The array is the caller's; or dies. */
struct sn_shelf *sn_cli_shelves(const struct sn_cli *cli, const char *participant,
				size_t *ret_count) SN_CHECK;
/* The one workitem that `text` means, on any of the shelves. 0; or SN_EXIT_UNKNOWN, SN_EXIT_BAD_ITEM (several: they were
 * listed), said on stderr and counted. */
int sn_cli_find(struct sn_cli *cli, const struct sn_shelf *shelves, size_t count, const char *text,
		struct sn_item *ret) SN_CHECK;

/* main() of a tool "NAME ITEM…" that does one step to unfinished workitems, in the role of the spool's owner. */
struct sn_cli_step {
	int (*run)(struct sn_spool *s, const char *name);	       /* 0, 1: nothing to do, -errno */
	void (*failed)(struct sn_cli *cli, const char *name, int err); /* calls sn_cli_failed */
	const char *already;					       /* said after 1 */
};
int sn_cli_each_open(const struct sn_command *command, int argc, char *const *argv,
		     const struct sn_cli_step *step) SN_CHECK;

/* sn_put_open, or dies. */
void sn_cli_put_open(const struct sn_cli *cli, const char *participant, struct sn_put *ret);
/* sn_put, said and counted if it fails, else counted as done; `label`: what the body is called. 0; 1: a cancel item;
 * -errno. */
int sn_cli_put(struct sn_cli *cli, struct sn_put *p, const char *label, const struct sn_buf *body,
	       char ret_name[SN_NAME_SIZE]) SN_CHECK;
/* The same with what FILE, or stdin for "-", has in it. */
int sn_cli_put_file(struct sn_cli *cli, struct sn_put *p, const char *file,
		    char ret_name[SN_NAME_SIZE]) SN_CHECK;

#endif
