/* amqp-call: one short talk with the broker for a command of a person's: publish an item to the engine (publish.c's step by
 * hand), or ask other hosts over AIR (docs/BRIDGE.md). A program of its own, so that no verb links librabbitmq. */
#ifndef AMQP_CALL_H
#define AMQP_CALL_H

#include "link.h"
#include "svc/cli.h"

enum { CALL_CHANNEL = 1, CALL_CONFIRM_S = 30 };

struct call {
	struct sn_cli cli;
	struct sn_config config;
	amqp_connection_state_t conn;
	char where[LINK_WHERE_SIZE];
};

/* What the broker said first. */
enum call_heard {
	CALL_ACKED,
	CALL_RETURNED, /* no queue takes it */
	CALL_DELIVERED,
	CALL_TIMEOUT,
	CALL_CLOSED, /* the channel or the connection is gone; said on stderr */
};

/* Reads the configuration, connects, opens the channel in confirm mode; or dies with the exit code that fits. */
void call_open(struct call *c);
void call_close(struct call *c);
/* After a synchronous call of librabbitmq on c->conn: it was well, or dies with `what` and the reason. */
void call_must(const struct call *c, const char *what);
/* Publishes persistent and mandatory on CALL_CHANNEL; or dies. `reply_to`, `message_id`: NULL none. */
struct call_message {
	const char *exchange, *routing_key, *reply_to, *message_id;
	amqp_bytes_t body;
};
void call_publish(struct call *c, const struct call_message *m);
/* The next of what call_heard lists. A delivery's body is appended to `delivery` (its ceiling: -E2BIG is passed over); NULL:
 * there is no consumer. */
enum call_heard call_hear(struct call *c, int64_t until_ns, struct sn_buf *delivery) SN_CHECK;

/* amqp-call-air.c: asks the service; each answer is a line of JSON on stdout. The exit code. */
struct call_air {
	const char *service, *what; /* WFID or PARTICIPANT.WFID; status or cancel */
	int64_t timeout_ns;
	long wait_ms, kill_s; /* kill_s 0: no */
};
int call_air(struct call *c, const struct call_air *a) SN_CHECK;

#endif
