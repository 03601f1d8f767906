/* The publishing connection, in a thread that owns it, but while it waits: then a single reply may go out from the main thread
 * (docs/BRIDGE.md).
 *
 * Replies go out in batches, each one AMQP transaction that also holds a witness: a tiny message with the batch's number to a queue
 * of ours. The batch is written to run/amqp-spool/outbox first. After a lost connection or a killed bridge the
 * witness tells whether the broker took the batch, so that nothing is sent twice while the broker lives. */
#ifndef PUBLISHER_H
#define PUBLISHER_H

#include "bridge.h"
#include "link.h"

enum job_outcome {
	JOB_CONFIRMED,
	JOB_RETURNED, /* no queue to route it to */
	JOB_KNOWN,    /* at start: the outbox says the broker has it */
};

struct job { /* made by the main thread, handed over, and handed back */
	STAILQ_ENTRY(job) link;
	char participant[65];
	char leaf[SN_ATTEMPT_SIZE]; /* NAME, or NAME.mNNNN */
	char queue[256];
	const char *body; /* borrowed: the item keeps it until the job is back; owned if own_body */
	size_t len;
	bool own_body;
	enum job_outcome outcome;
};
STAILQ_HEAD(job_list, job);

struct publisher *publisher_new(struct bridge *b);
/* Takes the job. False: as much is on its way as may be, or there is no connection; ask again after the next `wake`. */
bool publisher_submit(struct publisher *p, struct job *j);
/* Jobs were submitted: off they go. Once per turn of the loop, so that the thread is woken up once for many. */
void publisher_kick(struct publisher *p);
/* Jobs that are done, in order; the caller frees them with job_free(). */
void publisher_collect(struct publisher *p, struct job_list *out);
/* Everything collected so far has been retired: the outbox need not name it any longer. */
void publisher_retired(struct publisher *p);
bool publisher_ready(struct publisher *p);
/* connecting, connected, blocked, resolving. Static text. */
const char *publisher_state(struct publisher *p);
/* Something to tell in the status, since it was last asked? */
bool publisher_changed(struct publisher *p);
/* Why it is not connected, "" if it is. */
void publisher_trouble(struct publisher *p, char ret[LINK_TROUBLE_SIZE]);
/* The settings changed: connect anew. */
void publisher_reconnect(struct publisher *p);
/* Ends a back-off. */
void publisher_hurry(struct publisher *p);
/* Number of jobs that are not back yet. */
size_t publisher_pending(struct publisher *p);
/* Ends the thread: at the latest after `seconds`, by force. Jobs that are not back stay S5. */
void publisher_free(struct publisher *p, double seconds);
void job_free(struct job *j);

#endif
