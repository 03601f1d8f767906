/* Questions to the broker between batches: the fence, the witness, is there such a queue (docs/BRIDGE.md). */
#include <sys/random.h>

#include "publisher_private.h"
#include "sys/dir.h"

int probe_load_id(struct publisher *p)
{
	struct sn_buf b = SN_BUF(64);
	unsigned char noise[12];
	int r = sn_dir_read(p->b->libdir, "bridge-id", &b);

	if (r == 0 && b.len >= 24 && strspn(b.data, "0123456789abcdef") == 24) {
		(void)snprintf(p->id, sizeof p->id, "%.24s", b.data);
	} else {
		if (getrandom(noise, sizeof noise, 0) < 0)
			return -errno;
		for (size_t i = 0; i < sizeof noise; i++)
			(void)snprintf(p->id + 2 * i, 3, "%02x", noise[i]);
		r = sn_dir_replace(p->b->libdir, "bridge-id", p->id, 24);
	}
	sn_buf_release(&b);
	return r;
}

static const char LOCKED[] = "RESOURCE_LOCKED";

/* An exclusive queue is a fence: while the connection of a bridge that was killed is still being worked off by the
 * broker, this is refused. False: not yet, or trouble; the connection is to be dropped. */
bool probe_declare(struct publisher *p)
{
	amqp_table_entry_t few[] = {
		{.key = amqp_cstring_bytes("x-max-length"),
		 .value = {.kind = AMQP_FIELD_KIND_I32, .value = {.i32 = 4}}},
		{.key = amqp_cstring_bytes("x-expires"),
		 .value = {.kind = AMQP_FIELD_KIND_I32, .value = {.i32 = 86400000}}},
	};
	const amqp_table_t args = {.num_entries = 2, .entries = few};
	char fence[64], witness[64];

	(void)snprintf(fence, sizeof fence, "skynet.fence.%s", p->id);
	(void)snprintf(witness, sizeof witness, "skynet.witness.%s", p->id);
	amqp_channel_open(p->conn, CHANNEL);
	if (!link_fine(p->conn, p->why))
		return false;
	amqp_queue_declare(p->conn, CHANNEL, amqp_cstring_bytes(fence), 0, 0, /*exclusive*/ 1, 1,
			   amqp_empty_table);
	if (!link_fine(p->conn, p->why)) {
		if (strncmp(p->why, LOCKED, sizeof LOCKED - 1) == 0)
			(void)snprintf(
				p->why, sizeof p->why,
				"the broker still has the former bridge's connection (does it block publishers?)");
		return false;
	}
	amqp_queue_declare(p->conn, CHANNEL, amqp_cstring_bytes(witness), 0, 0, 0, 0, args);
	return link_fine(p->conn, p->why);
}

/* 1: the witness of p->batch_id is there; 0: it is not; -1: trouble. */
int probe_witness(struct publisher *p)
{
	char queue[64];
	int found = 0;

	(void)snprintf(queue, sizeof queue, "skynet.witness.%s", p->id);
	for (;;) {
		amqp_rpc_reply_t r =
			amqp_basic_get(p->conn, CHANNEL, amqp_cstring_bytes(queue), /*no_ack*/ 0);
		amqp_message_t m;

		if (r.reply_type != AMQP_RESPONSE_NORMAL)
			return -1;
		if (r.reply.id ==
		    AMQP_BASIC_GET_EMPTY_METHOD) /* they stay: we may be killed before we retire */
			return amqp_basic_nack(p->conn, CHANNEL, 0, /*multiple*/ 1, /*requeue*/ 1) ==
					       AMQP_STATUS_OK
				       ? found
				       : -1;
		r = amqp_read_message(p->conn, CHANNEL, &m, 0);
		if (r.reply_type != AMQP_RESPONSE_NORMAL)
			return -1;
		if (m.body.len == strlen(p->batch_id) && memcmp(m.body.bytes, p->batch_id, m.body.len) == 0)
			found = 1;
		amqp_destroy_message(&m);
	}
}

bool probe_knows(const struct publisher *p, const char *queue)
{
	size_t i = 0;

	while (i < QUEUES_KNOWN && strcmp(p->routable[i], queue) != 0)
		i++;
	return i < QUEUES_KNOWN;
}

/* Is there a queue to route to? 1, 0, or -1 for trouble. Asked once per connection and queue, and again after a return:
 * a batch whose fate the witness tells was then not returned either. */
int probe_queue(struct publisher *p, const char *queue)
{
	amqp_channel_close_ok_t ok = {0};
	amqp_rpc_reply_t r;

	if (probe_knows(p, queue))
		return 1;
	amqp_channel_open(p->conn, PROBE_CHANNEL);
	if (!link_fine(p->conn, p->why))
		return -1;
	amqp_queue_declare(p->conn, PROBE_CHANNEL, amqp_cstring_bytes(queue), /*passive*/ 1, 0, 0, 0,
			   amqp_empty_table);
	r = amqp_get_rpc_reply(p->conn);
	if (r.reply_type == AMQP_RESPONSE_NORMAL) {
		memmove(p->routable[1], p->routable[0], sizeof p->routable - sizeof p->routable[0]);
		(void)snprintf(p->routable[0], sizeof p->routable[0], "%s", queue);
		r = amqp_channel_close(p->conn, PROBE_CHANNEL, AMQP_REPLY_SUCCESS);
		return r.reply_type == AMQP_RESPONSE_NORMAL ? 1 : -1;
	}
	if (r.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION || r.reply.id != AMQP_CHANNEL_CLOSE_METHOD)
		return -1;
	return amqp_send_method(p->conn, PROBE_CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok) == AMQP_STATUS_OK
		       ? 0
		       : -1;
}
