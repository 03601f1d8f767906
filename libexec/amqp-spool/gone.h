/* What a participant that was removed (HUP) leaves behind: replies and messages that are on their way, and those that the broker has
 * though their workitems are still open. When it comes back none of them goes out a second time. */
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

/* The broker has it; the participant is not there, or goes. Remembered until it comes back: the latest GONE_TAKEN_MAX. */
enum { GONE_TAKEN_MAX = 4096 };
void gone_taken(struct bridge *b, const char *participant, const char *leaf);
/* It is back, its spool was looked through: what the broker has is retired. */
void gone_return(struct participant *p);
/* What is remembered outlives us in run/amqp-spool/taken: a line "PARTICIPANT LEAF" for each, no file if there is none. Saved, where
 * it changed, before the outbox may forget. */
void gone_load(struct bridge *b);
void gone_save(struct bridge *b);

#endif
