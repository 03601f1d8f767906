/* What consumer.c (the connection) and channels.c (what goes on in it) share. */
#ifndef CONSUMER_PRIVATE_H
#define CONSUMER_PRIVATE_H

#include <pthread.h>

#include "consumer.h"
#include "reader.h"

struct attempt { /* of the connector thread; handed back whole */
	struct link_settings settings;
	struct link_try try;
	amqp_connection_state_t conn;
};

struct consumer {
	struct bridge *b;
	struct reader link;
	uint64_t epoch; /* counts up with each channel that is opened: tags begin anew */
	bool connecting, quiesced, due;
	char trouble[LINK_TROUBLE_SIZE]; /* why it is not connected; "": it is, or not known yet */
	pthread_t thread;
	struct attempt *attempt;
	ev_timer ack_timer;
	ev_async connected;
	struct participant **channels; /* by number - 1 */
	size_t channel_count;
};

/* consumer.c: drops the connection and schedules the next. */
void consumer_lost(void *consumer, const char *why);

/* channels.c: one frame of a participant's channel. */
void channel_method(struct consumer *c, struct participant *p, const amqp_method_t *m);
void channel_content(struct consumer *c, struct participant *p, const amqp_frame_t *f);

#endif
