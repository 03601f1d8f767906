/* The unacked delivery tags of one channel, in order: which may be acked, and how few acks that takes. */
#ifndef TAGS_H
#define TAGS_H

#include "bridge.h"

enum tag_mark { TAG_HELD, TAG_DUE, TAG_REQUEUE, TAG_GONE };

/* The next delivery of the channel. */
void tags_add(struct channel *ch, uint64_t tag);
/* Marks one; unknown tags are ignored. */
void tags_mark(struct channel *ch, uint64_t tag, enum tag_mark mark);
/* Calls ack(arg, tag, multiple) for all that is due: one "multiple" for the head of the line, single ones beyond;
 * and requeue(arg, tag) for TAG_REQUEUE if `requeue` is given. Stops at the first non-zero return, and returns it. */
struct tags_out {
	int (*ack)(void *arg, uint64_t tag, bool multiple);
	int (*requeue)(void *arg, uint64_t tag);
	void *arg;
};
int tags_flush(struct channel *ch, const struct tags_out *out) SN_CHECK;
void tags_clear(struct channel *ch);

#endif
