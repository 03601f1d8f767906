#include "publisher.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "link.h"
#include "outbox.h"
#include "sys/dir.h"

enum { CHANNEL = 1, JOBS_MAX = 512, BATCH_MAX = 256, BATCH_BYTES = 8 << 20, PENDING_BYTES = 32 << 20,
       QUEUES_KNOWN = 4, PROBE_CHANNEL = 2,
       GATHER = 16, GATHER_NS = 2000000, GATHER_SKIP_MAX = 1024 };

enum pub_state { PUB_CONNECTING, PUB_RESOLVING, PUB_READY, PUB_BLOCKED, PUB_STATES };
static const char *const STATE_NAMES[PUB_STATES] = {
	[PUB_CONNECTING] = "connecting", [PUB_RESOLVING] = "resolving", [PUB_READY] = "connected", [PUB_BLOCKED] = "blocked"};

struct publisher {
	struct bridge *b;
	pthread_t thread;
	int wake_fd;       /* eventfd: something for the thread */
	int outbox;
	char id[40];       /* of this home, in the names of its queues; constant */

	pthread_mutex_t lock; /* for what follows, up to the blank line */
	struct job_list submitted, done;
	size_t pending, pending_bytes;
	size_t waiting;   /* submitted and not taken into a batch */
	bool wants_many;  /* the thread gathers: no wake before GATHER are waiting */
	enum pub_state state;
	bool known; /* done holds replies that must not be submitted again */
	bool stop, reconnect;
	struct link_settings settings;
	uint64_t collected, retired; /* batches handed over; batches retired */
	int socket;                  /* of the connection, to wake the thread up by force; -1 none */

	/* the thread's own */
	amqp_connection_state_t conn;
	uint64_t batch, epoch;
	char batch_id[BATCH_ID_SIZE];
	struct job_list current; /* the batch that is out, uncommitted or unknown */
	struct sn_buf taken, text;
	char routable[QUEUES_KNOWN][256]; /* queues that were seen to exist since we connected */
	bool blocked;
	unsigned attempts, host;
	size_t last_count; /* replies in the last batch */
	unsigned gather_skip, gather_penalty;
	char why[LINK_WHY_SIZE];
};

void job_free(struct job *j)
{
	if (j->own_body) {
		void *p;

		memcpy(&p, &j->body, sizeof p);
		free(p);
	}
	free(j);
}

static void set_state(struct publisher *p, enum pub_state state)
{
	pthread_mutex_lock(&p->lock);
	p->state = state;
	p->socket = p->conn != NULL ? amqp_get_sockfd(p->conn) : -1;
	pthread_mutex_unlock(&p->lock);
	ev_async_send(p->b->loop, &p->b->wake);
}

static bool must_end(struct publisher *p)
{
	bool end;

	pthread_mutex_lock(&p->lock);
	end = p->stop || p->reconnect;
	pthread_mutex_unlock(&p->lock);
	return end;
}

/* Waits for the broker, the main thread, or the time to pass. */
static void wait_ns(struct publisher *p, int64_t timeout_ns)
{
	const struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / 1000000000), .tv_nsec = (long)(timeout_ns % 1000000000)};
	struct pollfd fds[2] = {{.fd = p->wake_fd, .events = POLLIN},
				{.fd = p->conn != NULL ? amqp_get_sockfd(p->conn) : -1, .events = POLLIN}};
	uint64_t n;

	if (ppoll(fds, 2, &timeout, NULL) > 0 && (fds[0].revents & POLLIN) != 0 && read(p->wake_fd, &n, sizeof n) < 0) {
		/* nobody else reads it; nothing is lost */
	}
}

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
	STAILQ_FOREACH(j, &p->current, link) {
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
		set_state(p, PUB_BLOCKED);
		return GOT_OTHER;
	case AMQP_CONNECTION_UNBLOCKED_METHOD:
		p->blocked = false;
		set_state(p, PUB_READY);
		return GOT_OTHER;
	case AMQP_CONNECTION_CLOSE_METHOD:
	case AMQP_CHANNEL_CLOSE_METHOD:
		link_reason(&f.payload.method, p->why);
		return GOT_LOST;
	default:
		return GOT_OTHER;
	}
}

/* ---- the witness ------------------------------------------------------- */

static bool rpc_fine(struct publisher *p, const char *what)
{
	amqp_rpc_reply_t r = amqp_get_rpc_reply(p->conn);

	if (r.reply_type == AMQP_RESPONSE_NORMAL)
		return true;
	if (r.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION)
		link_reason(&r.reply, p->why);
	else
		(void)snprintf(p->why, sizeof p->why, "%s: %s", what, amqp_error_string2(r.library_error));
	return false;
}

/* An exclusive queue is a fence: while the connection of a bridge that was killed is still being worked off by the
 * broker, this is refused. False: not yet, or trouble; the connection is to be dropped. */
static bool declare_queues(struct publisher *p)
{
	amqp_table_entry_t few[] = {
		{.key = amqp_cstring_bytes("x-max-length"), .value = {.kind = AMQP_FIELD_KIND_I32, .value = {.i32 = 4}}},
		{.key = amqp_cstring_bytes("x-expires"), .value = {.kind = AMQP_FIELD_KIND_I32, .value = {.i32 = 86400000}}},
	};
	const amqp_table_t args = {.num_entries = 2, .entries = few};
	char fence[64], witness[64];

	(void)snprintf(fence, sizeof fence, "skynet.fence.%s", p->id);
	(void)snprintf(witness, sizeof witness, "skynet.witness.%s", p->id);
	amqp_channel_open(p->conn, CHANNEL);
	if (!rpc_fine(p, "channel.open"))
		return false;
	amqp_queue_declare(p->conn, CHANNEL, amqp_cstring_bytes(fence), 0, 0, /*exclusive*/ 1, 1, amqp_empty_table);
	if (!rpc_fine(p, "fence"))
		return false;
	amqp_queue_declare(p->conn, CHANNEL, amqp_cstring_bytes(witness), 0, 0, 0, 0, args);
	return rpc_fine(p, "witness");
}

/* 1: the witness of p->batch_id is there; 0: it is not; -1: trouble. */
static int look_for_witness(struct publisher *p)
{
	char queue[64];
	int found = 0;

	(void)snprintf(queue, sizeof queue, "skynet.witness.%s", p->id);
	for (;;) {
		amqp_rpc_reply_t r = amqp_basic_get(p->conn, CHANNEL, amqp_cstring_bytes(queue), /*no_ack*/ 0);
		amqp_message_t m;

		if (r.reply_type != AMQP_RESPONSE_NORMAL)
			return -1;
		if (r.reply.id == AMQP_BASIC_GET_EMPTY_METHOD) /* they stay: we may be killed before we retire */
			return amqp_basic_nack(p->conn, CHANNEL, 0, /*multiple*/ 1, /*requeue*/ 1) == AMQP_STATUS_OK ? found : -1;
		r = amqp_read_message(p->conn, CHANNEL, &m, 0);
		if (r.reply_type != AMQP_RESPONSE_NORMAL)
			return -1;
		if (m.body.len == strlen(p->batch_id) && memcmp(m.body.bytes, p->batch_id, m.body.len) == 0)
			found = 1;
		amqp_destroy_message(&m);
	}
}

static void hand_back(struct publisher *p, struct job_list *jobs)
{
	struct job *j;

	pthread_mutex_lock(&p->lock);
	STAILQ_FOREACH(j, jobs, link) {
		if (j->outcome == JOB_KNOWN) {
			p->known = true;
			continue;
		}
		p->pending--;
		p->pending_bytes -= j->len;
	}
	STAILQ_CONCAT(&p->done, jobs);
	p->collected++;
	pthread_mutex_unlock(&p->lock);
	ev_async_send(p->b->loop, &p->b->wake);
}

/* Is there a queue to route to? 1, 0, or -1 for trouble. Asked once per connection and queue, and again after a return:
 * a batch whose fate the witness tells was then not returned either. */
static int queue_exists(struct publisher *p, const char *queue)
{
	amqp_channel_close_ok_t ok = {0};
	amqp_rpc_reply_t r;
	size_t i = 0;

	while (i < QUEUES_KNOWN && strcmp(p->routable[i], queue) != 0)
		i++;
	if (i < QUEUES_KNOWN)
		return 1;
	amqp_channel_open(p->conn, PROBE_CHANNEL);
	if (!rpc_fine(p, "channel.open"))
		return -1;
	amqp_queue_declare(p->conn, PROBE_CHANNEL, amqp_cstring_bytes(queue), /*passive*/ 1, 0, 0, 0, amqp_empty_table);
	r = amqp_get_rpc_reply(p->conn);
	if (r.reply_type == AMQP_RESPONSE_NORMAL) {
		memmove(p->routable[1], p->routable[0], sizeof p->routable - sizeof p->routable[0]);
		(void)snprintf(p->routable[0], sizeof p->routable[0], "%s", queue);
		r = amqp_channel_close(p->conn, PROBE_CHANNEL, AMQP_REPLY_SUCCESS);
		return r.reply_type == AMQP_RESPONSE_NORMAL ? 1 : -1;
	}
	if (r.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION || r.reply.id != AMQP_CHANNEL_CLOSE_METHOD)
		return -1;
	return amqp_send_method(p->conn, PROBE_CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok) == AMQP_STATUS_OK ? 0 : -1;
}

/* The batch is not with the broker: it goes first when there is a connection. */
static void requeue(struct publisher *p)
{
	struct job_list again = STAILQ_HEAD_INITIALIZER(again);
	struct job *j;
	size_t count = 0;

	while ((j = STAILQ_FIRST(&p->current)) != NULL) {
		STAILQ_REMOVE_HEAD(&p->current, link);
		if (j->outcome == JOB_KNOWN) {
			job_free(j); /* of a former bridge: its result is still there, and is found by the rescan */
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
static bool resolve(struct publisher *p)
{
	struct job *j;
	size_t count = 0;
	int found;

	if (STAILQ_EMPTY(&p->current))
		return true;
	found = look_for_witness(p);
	STAILQ_FOREACH(j, &p->current, link) {
		/* A job of a former bridge does not say where it went; that bridge had looked, too. */
		if (found == 1 && j->queue[0] != '\0')
			found = queue_exists(p, j->queue);
	}
	if (found < 0) {
		(void)snprintf(p->why, sizeof p->why, "cannot ask for the witness");
		return false;
	}
	STAILQ_FOREACH(j, &p->current, link)
		count++;
	sn_info("batch=%s replies=%zu: %s", p->batch_id, count,
		found ? "the broker has them" : "the broker does not know them, those that still wait go out again");
	if (found) {
		hand_back(p, &p->current);
		return true;
	}
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
	while (p->collected - p->retired < 2 && count < BATCH_MAX && bytes < BATCH_BYTES &&
	       (j = STAILQ_FIRST(&p->submitted)) != NULL) {
		STAILQ_REMOVE_HEAD(&p->submitted, link);
		p->waiting--;
		STAILQ_INSERT_TAIL(&p->current, j, link);
		j->outcome = JOB_CONFIRMED;
		bytes += j->len;
		count++;
	}
	pthread_mutex_unlock(&p->lock);
	return count;
}

static int publish(struct publisher *p, const char *queue, const struct job *j)
{
	amqp_basic_properties_t props = {._flags = AMQP_BASIC_CONTENT_TYPE_FLAG, .content_type = amqp_cstring_bytes("text/plain")};
	amqp_bytes_t body = {.len = strlen(p->batch_id), .bytes = p->batch_id};

	if (j != NULL) {
		props._flags |= AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG;
		props.delivery_mode = AMQP_DELIVERY_PERSISTENT;
		props.message_id = amqp_cstring_bytes(j->leaf);
		body.len = j->len;
		memcpy(&body.bytes, &j->body, sizeof body.bytes); /* librabbitmq does not write to it */
	}
	return amqp_basic_publish(p->conn, CHANNEL, amqp_empty_bytes, amqp_cstring_bytes(queue), j != NULL, 0, &props, body);
}

/* Gives back at once what has no queue to go to. False: trouble. */
static bool sort_out(struct publisher *p)
{
	struct job_list fine = STAILQ_HEAD_INITIALIZER(fine), none = STAILQ_HEAD_INITIALIZER(none);
	struct job *j;
	int r = 0;

	while ((j = STAILQ_FIRST(&p->current)) != NULL && (r = queue_exists(p, j->queue)) >= 0) {
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
		hand_back(p, &none);
	if (r < 0)
		requeue(p); /* nothing went out */
	return r >= 0;
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
	if (r < 0) /* not fatal: after a kill -9 these replies would go out again */
		sn_warn("cannot write run/amqp-spool/outbox: %s", strerror(-r));
	(void)snprintf(witness, sizeof witness, "skynet.witness.%s", p->id);
	r = AMQP_STATUS_OK;
	STAILQ_FOREACH(j, &p->current, link) {
		if (r == AMQP_STATUS_OK)
			r = publish(p, j->queue, j);
	}
	if (r == AMQP_STATUS_OK)
		r = publish(p, witness, NULL);
	if (r == AMQP_STATUS_OK)
		r = amqp_send_method(p->conn, CHANNEL, AMQP_TX_COMMIT_METHOD, &commit);
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
			hand_back(p, &p->current);
			sn_buf_reset(&p->taken);
			if (sn_buf_add(&p->taken, p->text.data, p->text.len) < 0)
				sn_debug("outbox over its limit");
			return true;
		case GOT_LOST:
			return false;
		case GOT_NOTHING: {
			bool stop;

			wait_ns(p, half_heartbeat_ns);
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
	pthread_mutex_lock(&p->lock);
	p->wants_many = true;
	waiting = p->waiting;
	pthread_mutex_unlock(&p->lock);
	while (waiting < GATHER && !must_end(p) && (left = until - sn_clock_mono_ns()) > 0) {
		wait_ns(p, left);
		pthread_mutex_lock(&p->lock);
		waiting = p->waiting;
		pthread_mutex_unlock(&p->lock);
	}
	pthread_mutex_lock(&p->lock);
	p->wants_many = false;
	pthread_mutex_unlock(&p->lock);
	if (waiting >= 4) {
		p->gather_penalty = 16;
	} else {
		p->gather_skip = p->gather_penalty;
		p->gather_penalty = p->gather_penalty < GATHER_SKIP_MAX ? 2 * p->gather_penalty + 1 : GATHER_SKIP_MAX;
	}
}

static bool any_waiting(struct publisher *p)
{
	bool any;

	pthread_mutex_lock(&p->lock);
	any = p->waiting > 0;
	pthread_mutex_unlock(&p->lock);
	return any;
}

static void serve(struct publisher *p, int64_t half_heartbeat_ns)
{
	while (!must_end(p)) {
		enum got g = read_frame(p);

		if (g == GOT_LOST)
			return;
		if (g != GOT_NOTHING)
			continue;
		if (!p->blocked && any_waiting(p))
			gather(p);
		if (p->blocked || (p->last_count = take_batch(p)) == 0) {
			wait_ns(p, half_heartbeat_ns);
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

/* ---- the thread -------------------------------------------------------- */

static int64_t open_link(struct publisher *p)
{
	struct link_settings s;
	struct link_try t = {.attempt = p->host, .purpose = "SkyNET amqp-spool: replies"};

	pthread_mutex_lock(&p->lock);
	s = p->settings; /* the main thread replaces them only through publisher_reconnect */
	pthread_mutex_unlock(&p->lock);
	p->conn = link_open(&s, &t);
	if (p->conn == NULL) {
		sn_warn("cannot connect to %s for replies: %s", t.where, t.why);
		p->host++;
		return -1;
	}
	return s.heartbeat_s > 0 ? s.heartbeat_s * INT64_C(500000000) : INT64_C(60000000000);
}

static bool session(struct publisher *p)
{
	int64_t half_ns = open_link(p);
	bool ready = false;

	if (half_ns < 0)
		return false;
	p->blocked = false;
	memset(p->routable, 0, sizeof p->routable);
	set_state(p, PUB_RESOLVING);
	if (declare_queues(p) && resolve(p)) {
		amqp_tx_select(p->conn, CHANNEL);
		ready = rpc_fine(p, "tx.select");
	}
	if (ready) {
		p->attempts = 0;
		set_state(p, PUB_READY);
		serve(p, half_ns);
	}
	if (!must_end(p))
		sn_warn("lost the connection for replies: %s", p->why);
	link_close(p->conn, must_end(p));
	p->conn = NULL;
	set_state(p, PUB_CONNECTING);
	return ready;
}

static void back_off(struct publisher *p)
{
	const int64_t until = sn_clock_mono_ns() + (int64_t)(link_backoff_s(++p->attempts) * 1e9);
	int64_t left;

	while (!must_end(p) && (left = until - sn_clock_mono_ns()) > 0)
		wait_ns(p, left);
}

static void *publisher_main(void *arg)
{
	struct publisher *p = arg;
	bool stop;

	do {
		(void)session(p); /* what ended it is logged */
		pthread_mutex_lock(&p->lock);
		p->reconnect = false;
		pthread_mutex_unlock(&p->lock);
		back_off(p);
		pthread_mutex_lock(&p->lock);
		stop = p->stop;
		pthread_mutex_unlock(&p->lock);
	} while (!stop);
	return NULL;
}

/* ---- the main thread's side -------------------------------------------- */

static void wake(struct publisher *p)
{
	const uint64_t one = 1;

	if (write(p->wake_fd, &one, sizeof one) < 0) {
		/* the counter is full: it wakes as well */
	}
}

bool publisher_submit(struct publisher *p, struct job *j)
{
	bool room, wanted = false;

	pthread_mutex_lock(&p->lock);
	room = p->state == PUB_READY && !p->known && p->pending < JOBS_MAX && (p->pending == 0 || p->pending_bytes + j->len <= PENDING_BYTES);
	if (room) {
		STAILQ_INSERT_TAIL(&p->submitted, j, link);
		p->waiting++;
		wanted = !p->wants_many || p->waiting >= GATHER;
		p->pending++;
		p->pending_bytes += j->len;
	}
	pthread_mutex_unlock(&p->lock);
	if (wanted)
		wake(p);
	return room;
}

void publisher_collect(struct publisher *p, struct job_list *out)
{
	STAILQ_INIT(out);
	pthread_mutex_lock(&p->lock);
	STAILQ_CONCAT(out, &p->done);
	p->known = false;
	pthread_mutex_unlock(&p->lock);
}

void publisher_retired(struct publisher *p)
{
	bool more;

	pthread_mutex_lock(&p->lock);
	more = p->retired != p->collected && STAILQ_EMPTY(&p->done);
	if (more)
		p->retired = p->collected;
	more = more && !STAILQ_EMPTY(&p->submitted);
	pthread_mutex_unlock(&p->lock);
	if (more)
		wake(p);
}

bool publisher_ready(struct publisher *p)
{
	bool ready;

	pthread_mutex_lock(&p->lock);
	ready = p->state == PUB_READY && !p->known && p->pending < JOBS_MAX && p->pending_bytes < PENDING_BYTES;
	pthread_mutex_unlock(&p->lock);
	return ready;
}

const char *publisher_state(struct publisher *p)
{
	enum pub_state s;

	pthread_mutex_lock(&p->lock);
	s = p->state;
	pthread_mutex_unlock(&p->lock);
	return STATE_NAMES[s];
}

size_t publisher_pending(struct publisher *p)
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	n = p->pending;
	pthread_mutex_unlock(&p->lock);
	return n;
}

void publisher_reconnect(struct publisher *p)
{
	char why[LINK_WHY_SIZE];
	struct link_settings s;

	if (link_settings_init(&s, &p->b->config, p->b->home.etc, why) < 0) {
		sn_err("cannot connect for replies: %s", why);
		return;
	}
	pthread_mutex_lock(&p->lock);
	/* The former ones are not freed: the thread may be connecting with them. A reload is rare. */
	p->settings = s;
	p->reconnect = true;
	pthread_mutex_unlock(&p->lock);
	wake(p);
}

/* lib/bridge-id: made once, names this home's queues at the broker. */
static int load_id(struct publisher *p)
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

struct publisher *publisher_new(struct bridge *b)
{
	struct publisher *p = sn_calloc(1, sizeof *p);
	struct job_list taken;
	char why[LINK_WHY_SIZE] = "";
	int r;

	p->b = b;
	p->socket = -1;
	STAILQ_INIT(&p->submitted);
	STAILQ_INIT(&p->done);
	p->taken = p->text = SN_BUF(OUTBOX_MAX);
	pthread_mutex_init(&p->lock, NULL);
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = p->wake_fd < 0 ? -errno : load_id(p);
	if (r == 0)
		r = link_settings_init(&p->settings, &b->config, b->home.etc, why);
	if (r == 0 && getrandom(&p->epoch, sizeof p->epoch, 0) < 0)
		r = -errno;
	if (r == 0)
		r = p->outbox = outbox_open(b->rundir);
	if (r >= 0)
		r = outbox_read(p->outbox, &taken, &p->current, p->batch_id);
	if (r == -EINVAL) {
		sn_warn("run/amqp-spool/outbox is damaged: replies that were under way may go out twice");
		r = 0;
	}
	if (r == 0) {
		p->known = !STAILQ_EMPTY(&taken);
		STAILQ_CONCAT(&p->done, &taken); /* known before anything is asked */
		r = -pthread_create(&p->thread, NULL, publisher_main, p);
	}
	if (r < 0) {
		sn_err("cannot start publishing: %s", why[0] != '\0' ? why : strerror(-r));
		free(p);
		return NULL;
	}
	return p;
}

void publisher_free(struct publisher *p, double seconds)
{
	struct timespec until;

	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_mutex_unlock(&p->lock);
	wake(p);
	(void)clock_gettime(CLOCK_REALTIME, &until); /* cannot fail for this clock */
	until.tv_sec += (time_t)seconds;
	if (pthread_timedjoin_np(p->thread, NULL, &until) != 0) {
		pthread_mutex_lock(&p->lock);
		if (p->socket >= 0)
			(void)shutdown(p->socket, SHUT_RDWR); /* it waits for a broker that does not read */
		pthread_mutex_unlock(&p->lock);
	}
}
