/* Enquiries to other hosts over AIR (docs/BRIDGE.md), through amqp-call.
 *
 *	code = sn_remote_ask(&cli, &ask, on_answer, arg);        (an answer: one host)
 *	… sn_remote_each(answer, on_participant, arg) …
 */
#ifndef SN_REMOTE_H
#define SN_REMOTE_H

#include "svc/cli.h"
#include "svc/reply.h"

struct sn_remote_ask {
	const char *wfid, *participant; /* NULL: of any */
	const char *what;		/* status, cancel */
	int64_t timeout_ns;		/* that answers are gathered for; handlers have a second less */
	long kill_s;			/* 0: no */
};

/* `answer`: what a host said, a JSON object (checked). Returns amqp-call's exit code: 0, SN_EXIT_UNKNOWN no host has it open,
 * SN_EXIT_TRY_AGAIN none answered, … it has said why. Dies with SN_EXIT_USAGE for a wfid that no host would serve. */
int sn_remote_ask(const struct sn_cli *cli, const struct sn_remote_ask *ask,
		  void (*each)(void *arg, struct sn_span answer), void *arg) SN_CHECK;

struct sn_remote_part { /* of an answer: one participant of the host */
	char name[384]; /* "HOST PARTICIPANT", fit to be printed */
	struct sn_span workitems, lines;
	int code; /* of exo's `end`; -1: there was none, `error` says why */
	struct sn_span error;
};
/* Calls `each` for each participant of an answer, with its lines. */
void sn_remote_each(struct sn_span answer, void (*each)(void *arg, const struct sn_remote_part *part),
		    void *arg);

#endif
