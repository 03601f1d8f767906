/* What `skynet query`, `cancel` and `stacks` have in common: whom to ask, asking all of them at once, and what the spools
 * say of the same workitems.
 *
 *	struct sn_enquiry e;
 *	sn_enquiry_init(&e, &cli, KEY or NULL, NAME or NULL);
 *	sn_enquiry_ask(&e, "status", "wait=100", until_ns, on_line, arg);
 *	for (i = 0; i < e.count; i++) … e.asked[i].why …
 *	sn_enquiry_release(&e);
 *
 * Ends the process where there is nothing to ask (svc/cli.h). */
#ifndef SN_ENQUIRY_H
#define SN_ENQUIRY_H

#include "svc/cli.h"
#include "svc/control.h"

struct sn_asked {
	char *name;
	struct sn_control control;
	int failed;    /* 0, or the exit code of why there is no (whole) answer */
	char why[320]; /* the same in words; control characters are escaped when it is printed */
	bool running;  /* its exo holds its lock */
	bool matched;  /* it knew what KEY means */
};

struct sn_enquiry {
	struct sn_cli *cli;
	const char *key; /* as it is sent: a whole name where `text` began one; NULL: all there is */
	char name[SN_NAME_SIZE];
	struct sn_asked *asked;
	size_t count;
	struct sn_shelf *shelves; /* of those who may be read */
	size_t shelf_count;
	struct sn_items items; /* what KEY means in the spools, finished ones too, oldest first */
};

/* Whom: `participant`, or all there are (NULL). Dies with SN_EXIT_UNKNOWN where it is none, with SN_EXIT_BAD_ITEM where
 * `text` begins the names of several workitems, with SN_EXIT_USAGE where it cannot be asked for. */
void sn_enquiry_init(struct sn_enquiry *e, struct sn_cli *cli, const char *text, const char *participant);
/* Sends "VERB [KEY] [OPTIONS]" to all; `arg` of `each` is the caller's. Afterwards `failed`, `why` and `matched` stand. */
void sn_enquiry_ask(struct sn_enquiry *e, const char *verb, const char *options, int64_t until_ns,
		    sn_control_line *each, void *arg);
/* The participant of that name; it must be one of those that were asked. */
struct sn_asked *sn_enquiry_named(const struct sn_enquiry *e, const char *name) SN_CHECK;
/* How many of the items are unfinished; of one participant (NULL: of all). */
size_t sn_enquiry_open_items(const struct sn_enquiry *e, const char *participant) SN_CHECK;
/* Says why nothing was found, and returns the exit code: SN_EXIT_UNKNOWN, or why somebody could not be asked. `name`: it might
 * have been meant for a participant's. */
int sn_enquiry_nothing(const struct sn_enquiry *e, const char *text, bool name) SN_CHECK;
/* Is `text` the name of a participant, and not of a workitem? Dies where it is the bridge's. */
bool sn_enquiry_is_name(const struct sn_cli *cli, const char *text) SN_CHECK;
void sn_enquiry_release(struct sn_enquiry *e);

#endif
