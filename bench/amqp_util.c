#include "amqp_util.h"

#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

const struct broker_addr BROKER_DEFAULTS = {
	.host = "127.0.0.1",
	.port = 5672,
	.vhost = "bench",
	.user = "boss",
	.password = "boss",
};

enum { FRAME_MAX = 131072, CONNECT_TIMEOUT_S = 10 };

int64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

bool broker_parse_host(struct broker_addr *addr, char *arg)
{
	char *colon = strrchr(arg, ':');
	if (colon != NULL) {
		char *end;
		long port = strtol(colon + 1, &end, 10);
		if (end == colon + 1 || *end != '\0' || port < 1 || port > 65535)
			return false;
		addr->port = (int)port;
		*colon = '\0';
	}
	addr->host = arg;
	return true;
}

static void print_close(const char *what, const amqp_method_t *method)
{
	int code;
	amqp_bytes_t text;
	const char *scope;

	if (method->id == AMQP_CHANNEL_CLOSE_METHOD) {
		const amqp_channel_close_t *m = method->decoded;
		code = m->reply_code;
		text = m->reply_text;
		scope = "channel";
	} else if (method->id == AMQP_CONNECTION_CLOSE_METHOD) {
		const amqp_connection_close_t *m = method->decoded;
		code = m->reply_code;
		text = m->reply_text;
		scope = "connection";
	} else {
		const char *name = amqp_method_name(method->id);
		fprintf(stderr, "%s: unexpected method %s\n", what, name != NULL ? name : "?");
		return;
	}
	fprintf(stderr, "%s: broker closed the %s: %d %.*s\n", what, scope, code, (int)text.len,
		(const char *)text.bytes);
}

bool rpc_ok(amqp_rpc_reply_t reply, const char *what)
{
	switch (reply.reply_type) {
	case AMQP_RESPONSE_NORMAL:
		return true;
	case AMQP_RESPONSE_LIBRARY_EXCEPTION:
		fprintf(stderr, "%s: %s\n", what, amqp_error_string2(reply.library_error));
		return false;
	case AMQP_RESPONSE_SERVER_EXCEPTION:
		print_close(what, &reply.reply);
		return false;
	case AMQP_RESPONSE_NONE:
		break;
	}
	fprintf(stderr, "%s: no reply from the broker\n", what);
	return false;
}

bool status_ok(int status, const char *what)
{
	if (status == AMQP_STATUS_OK)
		return true;
	fprintf(stderr, "%s: %s\n", what, amqp_error_string2(status));
	return false;
}

amqp_connection_state_t broker_open(const struct broker_addr *addr)
{
	amqp_connection_state_t conn = amqp_new_connection();
	if (conn == NULL) {
		fprintf(stderr, "cannot allocate an AMQP connection\n");
		return NULL;
	}
	amqp_socket_t *sock = amqp_tcp_socket_new(conn);
	if (sock == NULL) {
		fprintf(stderr, "cannot allocate a socket\n");
		goto fail;
	}
	struct timeval timeout = {.tv_sec = CONNECT_TIMEOUT_S};
	char what[300];
	snprintf(what, sizeof what, "connect to %s:%d", addr->host, addr->port);
	if (!status_ok(amqp_socket_open_noblock(sock, addr->host, addr->port, &timeout), what))
		goto fail;
	snprintf(what, sizeof what, "log in to vhost %s as %s", addr->vhost, addr->user);
	if (!rpc_ok(amqp_login(conn, addr->vhost, 0, FRAME_MAX, 0, AMQP_SASL_METHOD_PLAIN, addr->user,
			       addr->password),
		    what))
		goto fail;
	amqp_channel_open(conn, BROKER_CHANNEL);
	if (!rpc_ok(amqp_get_rpc_reply(conn), "channel.open"))
		goto fail;
	return conn;

fail:
	amqp_destroy_connection(conn); /* also closes and frees the socket */
	return NULL;
}

void broker_close(amqp_connection_state_t conn)
{
	if (conn == NULL)
		return;
	/* The answer is of no use: the process is done with the broker. But do not
     * wait for ever for a broker that went away. */
	struct timeval timeout = {.tv_sec = 2};
	amqp_set_rpc_timeout(conn, &timeout);
	(void)amqp_connection_close(conn, AMQP_REPLY_SUCCESS);
	amqp_destroy_connection(conn);
}

bool declare_durable_queue(amqp_connection_state_t conn, const char *queue, uint32_t *ready)
{
	char what[300];
	snprintf(what, sizeof what, "queue.declare %s", queue);
	amqp_queue_declare_ok_t *ok =
		amqp_queue_declare(conn, BROKER_CHANNEL, amqp_cstring_bytes(queue), /*passive*/ 0,
				   /*durable*/ 1, /*exclusive*/ 0, /*auto_delete*/ 0, amqp_empty_table);
	if (!rpc_ok(amqp_get_rpc_reply(conn), what) || ok == NULL)
		return false;
	if (ready != NULL)
		*ready = ok->message_count;
	return true;
}

bool unexpected_method(amqp_connection_state_t conn, const amqp_frame_t *frame)
{
	switch (frame->payload.method.id) {
	case AMQP_BASIC_RETURN_METHOD: {
		const amqp_basic_return_t *m = frame->payload.method.decoded;
		fprintf(stderr, "broker returned a message: %d %.*s\n", m->reply_code, (int)m->reply_text.len,
			(const char *)m->reply_text.bytes);
		amqp_message_t message;
		if (!rpc_ok(amqp_read_message(conn, frame->channel, &message, 0), "read returned message"))
			return false;
		amqp_destroy_message(&message);
		return true;
	}
	case AMQP_CONNECTION_BLOCKED_METHOD:
		fprintf(stderr, "broker blocks publishers (memory or disk alarm)\n");
		return true;
	case AMQP_CONNECTION_UNBLOCKED_METHOD:
		fprintf(stderr, "broker unblocks publishers\n");
		return true;
	case AMQP_BASIC_CANCEL_METHOD:
		fprintf(stderr, "broker cancelled the consumer (queue deleted?)\n");
		return false;
	default:
		print_close("broker", &frame->payload.method);
		return false;
	}
}
