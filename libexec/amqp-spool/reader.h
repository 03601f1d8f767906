/* A connection that lives in an event loop: its frames are read as they come, without waiting, and its back-off runs there.
 * Who connects, and what the frames mean, is the owner's affair (consumer.c, air_thread.c).
 *
 *	reader_init(&r, loop, &CALLS, owner);
 *	reader_use(&r, conn, &t, heartbeat_s);   connected: then reader_read() once
 *	reader_back_off(&r);                     or not: CALLS.retry comes
 *	reader_close(&r, polite);                the end, or in CALLS.lost */
#ifndef READER_H
#define READER_H

#include <ev.h>

#include "link.h"

struct reader_calls { /* of the owner */
	/* Any frame but connection.close. It may close the reader. */
	void (*frame)(void *owner, const amqp_frame_t *f);
	/* The connection is of no use any more: reader_close() it. */
	void (*lost)(void *owner, const char *why);
	void (*retry)(void *owner); /* the back-off is over */
};

struct reader {
	struct ev_loop *loop;
	const struct reader_calls *calls;
	void *owner;
	amqp_connection_state_t conn; /* NULL: none */
	char where[LINK_WHERE_SIZE];  /* to whom, or to whom last */
	unsigned attempts, host;      /* since the last success; which host is tried */
	ev_io io;
	ev_timer heartbeat, retry;
	ev_idle more; /* frames were left for the next turn */
};

void reader_init(struct reader *r, struct ev_loop *loop, const struct reader_calls *calls, void *owner);
/* Takes the connection, which `t` was made with. */
void reader_use(struct reader *r, amqp_connection_state_t conn, const struct link_try *t, int heartbeat_s);
/* Reads what there is. librabbitmq buffers: the socket alone does not tell whether more is waiting, so once unasked after
 * reader_use(), for what came along with earlier answers. */
void reader_read(struct reader *r);
/* Sends a method. False: there is no connection, or none any more, and calls->lost was told. */
bool reader_send(struct reader *r, uint16_t channel, amqp_method_number_t id, void *method);
void reader_close(struct reader *r, bool polite);
/* CALLS.retry comes after a back-off, which grows with each since the last reader_use(); or after so many seconds. */
void reader_back_off(struct reader *r);
void reader_wait(struct reader *r, double seconds);

#endif
