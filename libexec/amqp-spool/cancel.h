/* Cancel items (docs/SPOOL.md, section 10). cancel.c decides who is meant, pursue.c withdraws, canceller.c tells exo and
 * tries again what did not succeed at once. */
#ifndef CANCEL_H
#define CANCEL_H

#include "bridge.h"
#include "data/workitem.h"
#include "spool/cancel.h"

/* ---- cancel.c ---- */

/* A cancel item came, p->ch has its bytes: cancel.1 and, if nothing goes wrong, all the rest. `name` is the one made for it. */
enum delivered cancel_message(struct participant *p, char name[SN_NAME_SIZE], const struct sn_workitem *w);
/* A name of open/, at start: kept until cancel_recover(). */
void cancel_found(struct participant *p, const char *leaf);
/* A recorded one, for redeliveries. */
void cancel_note(struct participant *p, const char *name);
/* A name of open/, at reconcile. */
void cancel_entry(struct participant *p, const char *leaf);
/* An entry of work/result. True: it was spool-put's bell, and is gone. */
bool cancel_bell(struct participant *p, const char *leaf);

/* cancel.2 and cancel.3. 0; -ENOENT: there is no such item (any more); -errno: again later. */
int cancel_decide(struct participant *p, const char *name) SN_CHECK;

/* ---- pursue.c ---- */

enum progress { DONE, SOON, AGAIN, CALLS };
/* cancel.4. DONE: withdrawn, or its result will decide; CALLS: a worker has it, exo is to be told; SOON: at the next look; AGAIN:
 * it cannot be done now, later. */
enum progress cancel_pursue(struct participant *p, const char *name) SN_CHECK;
/* cancel.6, for a marked workitem that has just been retired. */
void cancel_settle(struct participant *p, const char *name);

/* The reply of a marked workitem is with the broker: it was with the publisher when the cancel item came. It was not cancelled. */
void cancel_too_late(struct item *it);

/* ---- canceller.c ---- */

enum cancel_task { TASK_DECIDE, TASK_TELL, TASK_PURSUE, TASK_SETTLE };
/* Does it now, as far as that is possible, and the rest when it is. Nothing if such a task is there. */
void cancel_do(struct participant *p, enum cancel_task what, const char *name);
/* The same a moment later. */
void cancel_later(struct participant *p, enum cancel_task what, const char *name);
/* All of open/ was seen. Before any result is looked at. */
void cancel_recover(struct participant *p);
void cancel_free(struct participant *p);

/* The last cancel items, in p->canceller. */
enum { CANCELS_MAX = 4096 };
struct cancel_recent {
	uint64_t digest, epoch; /* epoch: of the last delivery that belongs to it */
};

struct task;
struct canceller {
	struct participant *p;
	struct task **tasks; /* in order */
	size_t count, cap;
	ev_timer timer;
	struct control *call; /* one request to exo at a time */
	struct task *calling;
	unsigned silent; /* how often in a row exo did not answer */
	int64_t silent_until_ns;
	struct cancel_recent *recent; /* a ring */
	unsigned recent_count, recent_next;
	bool running; /* cancel_do() within a task */
};
struct canceller *canceller_of(struct participant *p);

#endif
