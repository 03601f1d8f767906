/* What a participant that was removed (HUP) leaves behind: replies and messages that are on their way, and those that the broker has
 * though their workitems are still open. When it comes back none of them goes out a second time. So with those of a participant that
 * is there, where they cannot be kept or retired (a full disk), should we end. */
#ifndef GONE_H
#define GONE_H

#include "bridge.h"

struct job;

/* NAME or NAME.mNNNN is with the publisher, and its item goes. Takes the text, which the publisher may be reading. */
void gone_detach(const struct item *it, const char *leaf, struct sn_buf *text);
/* Is it with the publisher, since before its participant went? */
bool gone_is_out(const struct bridge *b, const char *participant, const char *leaf);
/* The publisher does not have it any more. */
void gone_is_back(struct bridge *b, const struct job *j);

/* The broker has it, and that cannot be seen in its spool. Remembered until its participant comes back, or it is retired: the latest
 * GONE_TAKEN_MAX. */
enum { GONE_TAKEN_MAX = 4096 };
void gone_taken(struct bridge *b, const char *participant, const char *leaf);
/* The same of an item of a participant that is here: its answer, or a message of it. */
void gone_remember(struct item *it, const char *leaf);
/* It is retired: nothing of it is remembered. */
void gone_forget(const struct item *it);
/* It is back, its spool was looked through: what the broker has is retired. */
void gone_return(struct participant *p);
/* What is remembered outlives us in run/amqp-spool/taken: a line "PARTICIPANT LEAF" for each, no file if there is none. Saved, where
 * it changed, before the outbox may forget. */
void gone_load(struct bridge *b);
void gone_save(struct bridge *b);

#endif
