/* exo-so: the worker that runs a shared library (include/skynet/participant.h).
 *
 * main.c (loading it, one workitem), control.c (what it is told meanwhile). */
#ifndef SO_H
#define SO_H

#include <skynet/participant.h>

#include "svc/worker.h"

enum { REQUESTS_MAX = 16, ANSWER_SIZE = 3072, ID_SIZE = 32 };

struct request {
	int message;
	char id[ID_SIZE], leaf[SN_ATTEMPT_SIZE]; /* of CANCEL and STATUS, as exo wrote them */
};

struct so {
	struct sn_worker worker; /* first: the class gets this */
	int (*handle)(const struct skynet_workitem *in, struct skynet_reply *out);
	int (*control)(const struct skynet_control *message);

	/* Under worker.lock */
	struct skynet_workitem item;
	bool running;			       /* `item` is being worked on */
	bool in_control;		       /* control() has it, too: it stays until that returns */
	struct request requests[REQUESTS_MAX]; /* [0] is with the library since: */
	unsigned count;
	int64_t since_us;

	struct skynet_reply reply; /* the main thread's */
};

/* control.c */
extern const struct sn_worker_verb SO_VERBS[];
int so_control_start(struct so *s) SN_CHECK;
/* Waits until nobody but the main thread has the workitem. */
void so_control_leave(struct so *s);
/* Waits until everything that was asked is answered. */
void so_control_settle(struct so *s);

#endif
