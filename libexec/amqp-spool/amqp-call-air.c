/* AIR (docs/BRIDGE.md): asks whoever has a process open, and gathers what all of them say until the time is over: how many
 * there are nobody knows. */
#include <stdlib.h>
#include <sys/random.h>

#include "amqp-call.h"
#include "base/clock.h"
#include "svc/control.h"

enum { ANSWER_MAX = 16 << 20, ID_SIZE = 48, QUEUE_SIZE = 256 };

static void make_id(char ret_id[ID_SIZE])
{
	unsigned char r[16];

	if (getrandom(r, sizeof r, 0) != (ssize_t)sizeof r)
		abort(); /* so few bytes come whole once the kernel has any */
	r[6] = (unsigned char)((r[6] & 0x0f) | 0x40);
	r[8] = (unsigned char)((r[8] & 0x3f) | 0x80);
	(void)snprintf(ret_id, ID_SIZE,
		       "urn:uuid:%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0],
		       r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13],
		       r[14], r[15]); /* it fits */
}

/* Exchanges as PROTOCOL has them, and a queue of our own for the answers. */
static void declare(struct call *c, char ret_queue[QUEUE_SIZE])
{
	const amqp_bytes_t direct = amqp_cstring_bytes("direct"),
			   response = amqp_cstring_bytes("AIR-response");
	amqp_queue_declare_ok_t *q;

	(void)amqp_exchange_declare(c->conn, CALL_CHANNEL, amqp_cstring_bytes("AIR-request"), direct, 0, 1, 0,
				    0, amqp_empty_table);
	call_must(c, "cannot declare the exchange AIR-request");
	(void)amqp_exchange_declare(c->conn, CALL_CHANNEL, response, direct, 0, 0, 0, 0, amqp_empty_table);
	call_must(c, "cannot declare the exchange AIR-response");
	q = amqp_queue_declare(c->conn, CALL_CHANNEL, amqp_empty_bytes, 0, 0, 1, 1, amqp_empty_table);
	call_must(c, "cannot declare a queue for the answers");
	(void)snprintf(ret_queue, QUEUE_SIZE, "%.*s", (int)q->queue.len, (const char *)q->queue.bytes);
	(void)amqp_queue_bind(c->conn, CALL_CHANNEL, amqp_cstring_bytes(ret_queue), response,
			      amqp_cstring_bytes(ret_queue), amqp_empty_table);
	call_must(c, "cannot bind the queue for the answers");
	(void)amqp_basic_consume(c->conn, CALL_CHANNEL, amqp_cstring_bytes(ret_queue), amqp_empty_bytes, 0, 1,
				 1, amqp_empty_table);
	call_must(c, "cannot consume the answers");
}

static void ask(struct call *c, const struct call_air *a, const char *queue, const char *id)
{
	struct sn_buf body = SN_BUF(65536);
	const double deadline = (double)sn_clock_real_us() / 1e6 + (double)a->timeout_ns / 1e9;
	struct call_message m = {.exchange = "AIR-request", .routing_key = a->service, .reply_to = queue};
	int r = sn_buf_addf(&body, "{\"msgID\":\"%s\",\"args\":[\"%s\"],\"kwargs\":{\"wait\":%ld", id,
			    a->what, a->wait_ms);

	if (r == 0 && a->kill_s > 0)
		r = sn_buf_addf(&body, ",\"kill\":%ld", a->kill_s);
	if (r == 0)
		r = sn_buf_addf(&body, "},\"deadline\":%.3f}", deadline);
	if (r < 0)
		abort(); /* it is short */
	m.body = (amqp_bytes_t){.len = body.len, .bytes = body.data};
	call_publish(c, &m);
	sn_buf_release(&body);
}

/* Prints the answer, if it is one to us. */
static bool print_answer(const struct sn_buf *b, const char *id)
{
	static const char *const KEYS[] = {"msgID", "return"};
	struct sn_span v[2];
	char text[ID_SIZE + 1];

	if (b->len == 0 || sn_json_object(b->data, b->len, KEYS, v, 2) < 0 || v[1].data == NULL)
		return false;
	(void)sn_json_text(v[0], text, sizeof text);
	if (strcmp(text, id) != 0)
		return false;
	sn_control_print_json(v[1]);
	putchar('\n');
	(void)fflush(stdout); /* an error shows at the end */
	return true;
}

int call_air(struct call *c, const struct call_air *a)
{
	const int64_t start_ns = sn_clock_mono_ns(), until_ns = start_ns + a->timeout_ns,
		      routed_ns = start_ns + CALL_CONFIRM_S * 1000000000LL;
	struct sn_buf answer = SN_BUF(ANSWER_MAX);
	char queue[QUEUE_SIZE], id[ID_SIZE];
	enum call_heard heard;
	unsigned answers = 0;
	bool routed = false; /* until then nobody knows whether a host has it, however short the time is */

	declare(c, queue);
	make_id(id);
	ask(c, a, queue, id);
	while ((heard = call_hear(c, routed || until_ns > routed_ns ? until_ns : routed_ns, &answer)) ==
		       CALL_ACKED ||
	       heard == CALL_DELIVERED) {
		routed = true;
		answers += heard == CALL_DELIVERED && print_answer(&answer, id);
		sn_buf_reset(&answer);
	}
	sn_buf_release(&answer);
	if (answers > 0)
		return 0;
	if (heard == CALL_CLOSED)
		return SN_EXIT_UNAVAILABLE;
	if (heard == CALL_RETURNED) {
		sn_cli_failed(&c->cli, SN_EXIT_UNKNOWN, "%s: no host has it open", a->service);
		return SN_EXIT_UNKNOWN;
	}
	sn_cli_failed(&c->cli, SN_EXIT_TRY_AGAIN, "%s: a host has it open, but none answered", a->service);
	return SN_EXIT_TRY_AGAIN;
}
