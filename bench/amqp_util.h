/* amqp_util.h - the few librabbitmq idioms that wiload and echo_worker share. */
#ifndef AMQP_UTIL_H
#define AMQP_UTIL_H

#include <amqp.h>
#include <stdbool.h>
#include <stdint.h>

/* Every connection here uses exactly one channel. */
enum { BROKER_CHANNEL = 1 };

struct broker_addr {
	const char *host;
	int port;
	const char *vhost;
	const char *user;
	const char *password;
};

/* 127.0.0.1:5672, vhost "bench", user and password "boss". */
extern const struct broker_addr BROKER_DEFAULTS;

/* Splits "host[:port]" into addr, writing a NUL into arg. False: bad port. */
bool broker_parse_host(struct broker_addr *addr, char *arg);

/* Connects, logs in and opens BROKER_CHANNEL. NULL on failure, already
 * reported on stderr. No heartbeat is negotiated: callers may sit in their own
 * waits for a long time between librabbitmq calls. */
amqp_connection_state_t broker_open(const struct broker_addr *addr);

/* Closes politely when possible; always frees. NULL is allowed. */
void broker_close(amqp_connection_state_t conn);

/* True if the reply is normal, otherwise reports it, naming `what`. */
bool rpc_ok(amqp_rpc_reply_t reply, const char *what);

/* The same for functions that return an AMQP_STATUS_ code. */
bool status_ok(int status, const char *what);

/* Declares a queue as SkyNET and ruote do: durable, shared, not auto-deleted.
 * Stores the number of ready messages in *ready unless that is NULL. */
bool declare_durable_queue(amqp_connection_state_t conn, const char *queue, uint32_t *ready);

/* Explains a method frame that the caller did not ask for (channel.close,
 * connection.close, basic.return, connection.blocked, ...). True if the
 * connection is still usable; a returned message's content is consumed. */
bool unexpected_method(amqp_connection_state_t conn, const amqp_frame_t *frame);

int64_t now_ns(void); /* CLOCK_MONOTONIC */

#endif
