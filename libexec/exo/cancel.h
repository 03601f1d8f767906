/* Cancelling workitems (docs/CONTROL.md). What runs is remembered here until it ended: it is not run again, and what comes
 * out of it may be kept from the engine. */
#ifndef EXO_CANCEL_H
#define EXO_CANCEL_H

#include "control.h"

enum { CANCELS_MAX = 512 };

struct ring;

struct cancel {
	struct cancel *next;
	struct exo *x;
	char name[SN_NAME_SIZE], wfid[CONTROL_KEY_SIZE];
	bool quiet;  /* nothing is sent to the engine */
	bool asked;  /* its handler is being told */
	bool told;   /* and has answered once */
	bool killed; /* by us, because of `kill` */
	bool ended;  /* only the handler's answer is waited for, for a moment */
	char outcome[16];
	double kill_s;
	ev_timer kill, again;
};

/* The verb. */
void cancel_request(struct client *c, const struct request *rq);
/* NULL: not cancelled. */
struct cancel *cancel_find(const struct exo *x, const char *name);
void cancel_answered(struct worker *w, const struct item *it, const struct handler_answer *h);
/* A cancelled workitem that has ended: `outcome` goes to who waits for it, and it is forgotten. */
void cancel_finished(struct cancel *k, const char *outcome);
/* One that must not run (again) gets its answer; forgotten if that could be stored, otherwise tried again at a rescan. */
void cancel_settle(struct cancel *k, const struct item *it, const char *how, const struct ring *ring);
/* True if this one, which was about to run, was cancelled. */
bool cancel_intercept(struct exo *x, const struct item *it);
void cancels_release(struct exo *x);

/* All that the request means have heard of it, or are withdrawn: how many they are. The client is answered. */
void cancel_requested(struct client *c, unsigned found);

/* withdraw.c: those that no worker has begun; at once if they are few, else in steps. Then the client is told how many were
 * found, the `found` ones that run included; or that it is to ask again. */
void withdraw(struct client *c, const struct request *rq, unsigned found);
/* True of what is about to be withdrawn, most likely: it is not to be given to a worker before that is over. */
bool withdraw_pending(const struct exo *x, const char *name);
void withdraw_drop_client(const struct client *c);
/* Exo ends: what is not withdrawn yet stays what it was. */
void withdraw_stop(struct exo *x);
/* An entry, found or new. NULL: there are too many. */
struct cancel *cancel_add(struct exo *x, const struct item *it, const char *wfid);
/* One line about it for one client. `h`: NULL, or what the handler said. */
struct cancel_event {
	const char *name, *wfid, *event, *outcome;
	const struct handler_answer *answer;
};
void cancel_line(struct client *c, const struct cancel_event *e);

#endif
