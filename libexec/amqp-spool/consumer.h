/* The consuming connection: connects in a thread of its own, then lives in the main loop. */
#ifndef CONSUMER_H
#define CONSUMER_H

#include "bridge.h"

struct consumer *consumer_new(struct bridge *b);
void consumer_free(struct consumer *c);
/* (Re)starts everything: another broker, or the first time. */
void consumer_reconnect(struct consumer *c, const char *why);
/* Not connected: tries at once, whatever the back-off. */
void consumer_hurry(struct consumer *c);
/* Brings a participant's channel to what it should be: consuming, paused (held, full), closed (going). */
void consumer_update(struct consumer *c, struct participant *p);
/* Its channel is closed and forgotten, also while a connection lives; tags go back to the broker. */
void consumer_drop(struct consumer *c, struct participant *p);
/* The delivery may be acked. Stale epochs are ignored. */
void consumer_due(struct consumer *c, struct participant *p, uint64_t epoch, uint64_t tag);
void consumer_flush(struct consumer *c);
/* Stops consuming everywhere. */
void consumer_quiesce(struct consumer *c);
bool consumer_connected(const struct consumer *c, const char **ret_where);
/* Why it is not connected, "" if it is. */
const char *consumer_trouble(const struct consumer *c);

#endif
