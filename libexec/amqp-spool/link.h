/* A connection to the broker: the one place that knows how librabbitmq connects. */
#ifndef LINK_H
#define LINK_H

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

#include "base/base.h"
#include "data/config.h"

enum {
	LINK_FRAME_MAX = 131072,
	LINK_CONNECT_S = 10,
	LINK_WHY_SIZE = 256,
	LINK_WHERE_SIZE = 300,
	LINK_TROUBLE_SIZE = LINK_WHERE_SIZE + LINK_WHY_SIZE + 32
};

struct link_settings { /* a copy that a thread may keep; owned */
	char *hosts;   /* "host[:port], …" */
	char *vhost, *user, *password;
	char *password_file;   /* absolute, read at each attempt; "": password is it */
	char *ca, *cert, *key; /* absolute, or "" */
	bool tls, verify;
	int heartbeat_s;
};

/* From the configuration. 0, or -errno with a message in why: the password file cannot be read. */
int link_settings_init(struct link_settings *s, const struct sn_config *c, const char *etc,
		       char why[LINK_WHY_SIZE]) SN_CHECK;
void link_settings_release(struct link_settings *s);

struct link_try {		     /* one attempt: which host, and what came of it */
	unsigned attempt;	     /* selects the host, round robin */
	const char *purpose;	     /* shown in the broker's list of connections */
	char where[LINK_WHERE_SIZE]; /* out: host:port */
	char why[LINK_WHY_SIZE];     /* out: the reason of a failure, without secrets */
};
/* Connects and logs in; blocks for LINK_CONNECT_S at most. NULL: t->why. Close with link_close(). */
amqp_connection_state_t link_open(const struct link_settings *s, struct link_try *t) SN_CHECK;
/* Frees; `polite` says goodbye first (half a second at most). NULL is allowed. */
void link_close(amqp_connection_state_t conn, bool polite);
/* What a connection.close or channel.close says, for the log. */
void link_reason(const amqp_method_t *m, char why[LINK_WHY_SIZE]);
/* Was the last request (an amqp_… that waits for its answer) answered well? If not: why. */
bool link_fine(amqp_connection_state_t conn, char why[LINK_WHY_SIZE]) SN_CHECK;
/* Delay before attempt n (1…): 0.5 s doubling to 30 s, with up to half of it taken off at random. */
double link_backoff_s(unsigned n);

#endif
