/* What consumer.c (the connection) and channels.c (what goes on in it) share. */
#ifndef CONSUMER_PRIVATE_H
#define CONSUMER_PRIVATE_H

#include <pthread.h>

#include "consumer.h"
#include "link.h"

struct attempt { /* of the connector thread; handed back whole */
	struct link_settings settings;
	struct link_try try;
	amqp_connection_state_t conn;
};

struct consumer {
	struct bridge *b;
	struct link_settings settings;
	bool have_settings;
	amqp_connection_state_t conn;
	uint64_t epoch; /* of conn; counts up with each connection */
	char where[LINK_WHERE_SIZE];
	unsigned attempts, host; /* since the last success; which host is tried */
	bool connecting, quiesced, due;
	pthread_t thread;
	struct attempt *attempt;
	ev_io io;
	ev_timer heartbeat, retry, ack_timer;
	ev_async connected;
	ev_idle more;		       /* frames were left for the next turn */
	struct participant **channels; /* by number - 1 */
	size_t channel_count;
};

/* consumer.c: drops the connection and schedules the next. */
void consumer_lost(struct consumer *c, const char *why);

/* channels.c: one frame of a participant's channel. */
void channel_method(struct consumer *c, struct participant *p, const amqp_method_t *m);
void channel_content(struct consumer *c, struct participant *p, const amqp_frame_t *f);

#endif
