/* Batches of replies, each a transaction with a witness (docs/BRIDGE.md). Runs in the publisher thread. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/fail.h"
#include "publisher_private.h"

/* ---- frames ------------------------------------------------------------ */

enum got { GOT_NOTHING, GOT_COMMIT_OK, GOT_RETURN, GOT_OTHER, GOT_LOST };

static enum got lost(struct publisher *p, const char *why)
{
	(void)snprintf(p->why, sizeof p->why, "%s", why);
	return GOT_LOST;
}

/* A returned message: its message_id names the job. */
static enum got read_return(struct publisher *p)
{
	amqp_message_t m;
	amqp_rpc_reply_t r = amqp_read_message(p->conn, CHANNEL, &m, 0);
	struct job *j;

	if (r.reply_type != AMQP_RESPONSE_NORMAL)
		return lost(p, "cannot read a returned message");
	STAILQ_FOREACH(j, &p->current, link)
	{
		if (strlen(j->leaf) == m.properties.message_id.len &&
		    memcmp(j->leaf, m.properties.message_id.bytes, m.properties.message_id.len) == 0)
			j->outcome = JOB_RETURNED;
	}
	memset(p->routable, 0, sizeof p->routable);
	amqp_destroy_message(&m);
	return GOT_RETURN;
}

static enum got read_frame(struct publisher *p)
{
	struct timeval now = {0};
	amqp_frame_t f;
	int r;

	amqp_maybe_release_buffers(p->conn);
	r = amqp_simple_wait_frame_noblock(p->conn, &f, &now);
	if (r == AMQP_STATUS_TIMEOUT)
		return GOT_NOTHING;
	if (r != AMQP_STATUS_OK)
		return lost(p, amqp_error_string2(r));
	if (f.frame_type != AMQP_FRAME_METHOD)
		return GOT_OTHER;
	switch (f.payload.method.id) {
	case AMQP_TX_COMMIT_OK_METHOD:
		return GOT_COMMIT_OK;
	case AMQP_BASIC_RETURN_METHOD:
		return read_return(p);
	case AMQP_CONNECTION_BLOCKED_METHOD:
		p->blocked = true;
		publisher_set_state(p, PUB_BLOCKED);
		return GOT_OTHER;
	case AMQP_CONNECTION_UNBLOCKED_METHOD:
		p->blocked = false;
		publisher_set_state(p, PUB_READY);
		return GOT_OTHER;
	case AMQP_CONNECTION_CLOSE_METHOD:
	case AMQP_CHANNEL_CLOSE_METHOD:
		link_reason(&f.payload.method, p->why);
		return GOT_LOST;
	default:
		return GOT_OTHER;
	}
}

/* ---- what became of a batch ------------------------------------------ */

/* The batch is not with the broker: it goes first when there is a connection. */
static void requeue(struct publisher *p)
{
	struct job_list again = STAILQ_HEAD_INITIALIZER(again);
	struct job *j;
	size_t count = 0;

	while ((j = STAILQ_FIRST(&p->current)) != NULL) {
		STAILQ_REMOVE_HEAD(&p->current, link);
		if (j->outcome == JOB_KNOWN) {
			job_free(
				j); /* of a former bridge: its result is still there, and is found by the rescan */
			continue;
		}
		j->outcome = JOB_CONFIRMED;
		STAILQ_INSERT_TAIL(&again, j, link);
		count++;
	}
	pthread_mutex_lock(&p->lock);
	p->waiting += count;
	STAILQ_CONCAT(&again, &p->submitted);
	STAILQ_CONCAT(&p->submitted, &again);
	pthread_mutex_unlock(&p->lock);
}

/* What became of the batch that was out when the connection was lost, or the bridge killed? */
bool batch_resolve(struct publisher *p)
{
	struct job *j;
	size_t count = 0;
	int found;

	if (STAILQ_EMPTY(&p->current))
		return true;
	found = probe_witness(p);
	STAILQ_FOREACH(j, &p->current, link)
	{
		/* A job of a former bridge does not say where it went; that bridge had looked, too. */
		if (found == 1 && j->queue[0] != '\0')
			found = probe_queue(p, j->queue);
	}
	if (found < 0) {
		(void)snprintf(p->why, sizeof p->why, "cannot ask for the witness");
		return false;
	}
	STAILQ_FOREACH(j, &p->current, link)
	count++;
	sn_info("batch=%s replies=%zu: %s", p->batch_id, count,
		found ? "the broker has them"
		      : "the broker does not know them, those that still wait go out again");
	if (found) {
		publisher_hand_back(p, &p->current);
		return true;
	}
	/* A line may be too bad for as much as that: a batch that is cut short has brought nothing. */
	p->halved += p->halved < HALVED_MAX && count > 1;
	requeue(p);
	return true;
}

/* ---- batches ----------------------------------------------------------- */

/* Moves what goes out now from submitted to current. Not before the batch before the last one is retired: the
 * outbox names two batches at most. */
static size_t take_batch(struct publisher *p)
{
	size_t count = 0, bytes = 0;
	struct job *j;

	pthread_mutex_lock(&p->lock);
	while (p->collected - p->retired < 2 && count < (size_t)BATCH_MAX >> p->halved &&
	       bytes < (size_t)BATCH_BYTES >> p->halved && (j = STAILQ_FIRST(&p->submitted)) != NULL) {
		STAILQ_REMOVE_HEAD(&p->submitted, link);
		p->waiting--;
		STAILQ_INSERT_TAIL(&p->current, j, link);
		j->outcome = JOB_CONFIRMED;
		bytes += j->len;
		count++;
	}
	p->kicked = p->kicked > count ? p->kicked - count : 0;
	if (count > 0)
		p->wake_at = SIZE_MAX; /* it looks again when this batch is through */
	pthread_mutex_unlock(&p->lock);
	return count;
}

static int publish(struct publisher *p, const char *queue, const struct job *j)
{
	amqp_basic_properties_t props = {._flags = AMQP_BASIC_CONTENT_TYPE_FLAG,
					 .content_type = amqp_cstring_bytes("text/plain")};
	amqp_bytes_t body = {.len = strlen(p->batch_id), .bytes = p->batch_id};

	if (j != NULL) {
		props._flags |= AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG;
		props.delivery_mode = AMQP_DELIVERY_PERSISTENT;
		props.message_id = amqp_cstring_bytes(j->leaf);
		body.len = j->len;
		memcpy(&body.bytes, &j->body, sizeof body.bytes); /* librabbitmq does not write to it */
	}
	return amqp_basic_publish(p->conn, CHANNEL, amqp_empty_bytes, amqp_cstring_bytes(queue), j != NULL, 0,
				  &props, body);
}

/* Gives back at once what has no queue to go to. False: trouble. */
static bool sort_out(struct publisher *p)
{
	struct job_list fine = STAILQ_HEAD_INITIALIZER(fine), none = STAILQ_HEAD_INITIALIZER(none);
	struct job *j;
	int r = 0;

	while ((j = STAILQ_FIRST(&p->current)) != NULL && (r = probe_queue(p, j->queue)) >= 0) {
		STAILQ_REMOVE_HEAD(&p->current, link);
		if (r == 0)
			j->outcome = JOB_RETURNED;
		if (r == 0)
			STAILQ_INSERT_TAIL(&none, j, link);
		else
			STAILQ_INSERT_TAIL(&fine, j, link);
	}
	STAILQ_CONCAT(&fine, &p->current);
	STAILQ_CONCAT(&p->current, &fine);
	if (!STAILQ_EMPTY(&none))
		publisher_hand_back(p, &none);
	if (r < 0)
		requeue(p); /* nothing went out */
	return r >= 0;
}

/* librabbitmq makes three writes of each message. Corked they leave as full segments, and the broker reads as many at
 * once. Without it nothing is wrong, only slower. */
static void cork(struct publisher *p, int on)
{
	(void)setsockopt(amqp_get_sockfd(p->conn), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

/* publish.2: outbox, replies, witness, commit. */
static bool send_batch(struct publisher *p)
{
	amqp_tx_commit_t commit = {0};
	char witness[64];
	struct job *j;
	int r;

	p->batch++;
	(void)snprintf(p->batch_id, sizeof p->batch_id, "%016llx-%llu", (unsigned long long)p->epoch,
		       (unsigned long long)p->batch);
	sn_buf_reset(&p->text);
	r = outbox_add(&p->text, p->batch_id, &p->current);
	if (r == 0)
		r = outbox_write(p->outbox, &p->taken, &p->text);
	if (r < 0 && !p->outbox_failed)
		sn_warn("cannot write run/amqp-spool/outbox: %s: after a kill -9 replies would go out twice",
			strerror(-r));
	else if (r == 0 && p->outbox_failed)
		sn_info("run/amqp-spool/outbox can be written again");
	p->outbox_failed = r < 0;
	(void)snprintf(witness, sizeof witness, "skynet.witness.%s", p->id);
	cork(p, 1);
	r = SN_FAIL("publish.2") < 0 ? AMQP_STATUS_SOCKET_ERROR : AMQP_STATUS_OK;
	STAILQ_FOREACH(j, &p->current, link)
	{
		if (r == AMQP_STATUS_OK)
			r = publish(p, j->queue, j);
	}
	if (r == AMQP_STATUS_OK)
		r = publish(p, witness, NULL);
	if (r == AMQP_STATUS_OK)
		r = amqp_send_method(p->conn, CHANNEL, AMQP_TX_COMMIT_METHOD, &commit);
	cork(p, 0);
	if (r != AMQP_STATUS_OK)
		(void)lost(p, amqp_error_string2(r));
	return r == AMQP_STATUS_OK;
}

/* publish.3. False: the connection is lost, the batch is unknown. */
static bool await_commit(struct publisher *p, int64_t half_heartbeat_ns)
{
	for (;;) {
		switch (read_frame(p)) {
		case GOT_COMMIT_OK:
			if (SN_FAIL("publish.3") < 0)
				return false;
			publisher_hand_back(p, &p->current);
			p->halved -= p->halved > 0;
			sn_buf_reset(&p->taken);
			if (sn_buf_add(&p->taken, p->text.data, p->text.len) < 0)
				sn_debug("outbox over its limit");
			return true;
		case GOT_LOST:
			return false;
		case GOT_NOTHING: {
			bool stop;

			publisher_wait(p, half_heartbeat_ns);
			pthread_mutex_lock(&p->lock);
			stop = p->reconnect;
			pthread_mutex_unlock(&p->lock);
			if (stop)
				return false;
			break;
		}
		case GOT_RETURN:
		case GOT_OTHER:
			break;
		}
	}
}

/* Each batch costs a witness and a commit. Where the last one held several replies more are on their way: wait a
 * moment for them. Where that was in vain, let it be for a while. */
static void gather(struct publisher *p)
{
	const int64_t until = sn_clock_mono_ns() + GATHER_NS;
	size_t waiting;
	int64_t left;

	if (p->last_count < 2 || p->gather_skip > 0) {
		p->gather_skip -= p->gather_skip > 0;
		return;
	}
	while ((waiting = publisher_wake_at(p, GATHER)) < GATHER && !publisher_must_end(p) &&
	       (left = until - sn_clock_mono_ns()) > 0)
		publisher_wait(p, left);
	waiting = publisher_wake_at(p, 1);
	if (waiting >= 4) {
		p->gather_penalty = 16;
	} else {
		p->gather_skip = p->gather_penalty;
		p->gather_penalty = p->gather_penalty < GATHER_SKIP_MAX ? 2 * p->gather_penalty + 1
									: GATHER_SKIP_MAX;
	}
}

/* Is there one small job to a queue that is known, and nothing else? */
static bool is_single(struct publisher *p)
{
	const struct job *j;
	bool single;

	if (p->blocked || p->lost || p->last_count > 1 || !STAILQ_EMPTY(&p->current))
		return false;
	pthread_mutex_lock(&p->lock);
	j = STAILQ_FIRST(&p->submitted);
	single = p->state == PUB_READY && p->waiting == 1 && p->wake_at == 1 && !p->stop && !p->reconnect &&
		 j != NULL && j->len <= OFFER_BYTES && probe_knows(p, j->queue);
	pthread_mutex_unlock(&p->lock);
	return single;
}

bool batch_offer(struct publisher *p)
{
	bool sent = false;

	if (pthread_mutex_trylock(&p->serving) != 0)
		return false;
	if (is_single(p) && take_batch(p) == 1) {
		p->last_count = 1;
		sent = send_batch(p);
		p->lost = !sent;
	}
	pthread_mutex_unlock(&p->serving);
	return sent;
}

void batch_serve(struct publisher *p, int64_t half_heartbeat_ns)
{
	while (!publisher_must_end(p)) {
		enum got g;

		if (p->lost || (!STAILQ_EMPTY(&p->current) && !await_commit(p, half_heartbeat_ns)))
			return;
		g = read_frame(p);
		if (g == GOT_LOST)
			return;
		if (g != GOT_NOTHING)
			continue;
		if (publisher_wake_at(p, 1) > 0 && !p->blocked)
			gather(p);
		if (p->blocked || (p->last_count = take_batch(p)) == 0) {
			publisher_wait(p, half_heartbeat_ns);
			continue;
		}
		if (!sort_out(p))
			return;
		if (STAILQ_EMPTY(&p->current))
			continue;
		if (!send_batch(p) || !await_commit(p, half_heartbeat_ns))
			return;
	}
}

bool batch_select(struct publisher *p)
{
	amqp_tx_select(p->conn, CHANNEL);
	return link_fine(p->conn, p->why);
}
