/* echo_worker - the fastest participant there can be on librabbitmq: takes
 * workitems off a queue, sets fields.__result__ by a text splice and publishes
 * the reply. A yardstick for SkyNET, not a participant host.
 *
 * Safe by default: a workitem is acknowledged only when the broker has
 * confirmed its reply. Replies go out in delivery order on the channel that
 * also consumes, so the n-th publishing answers delivery tag n, and one
 * "multiple" acknowledgement covers all replies confirmed so far.
 */
#include "amqp_util.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

struct worker {
	const char *queue, *reply_queue;
	bool auto_ack, confirms;
	size_t prefetch;

	amqp_connection_state_t conn;
	char *body; /* the reply being built */
	size_t body_cap;

	uint64_t delivered;   /* deliveries = publishings so far */
	uint64_t confirmed;   /* replies 1..confirmed are all confirmed */
	uint64_t acked;	      /* deliveries 1..acked are acknowledged */
	unsigned char *early; /* ring: confirmed out of order, by tag */
	size_t ring;
};

static volatile sig_atomic_t stopping;

static void on_signal(int sig)
{
	(void)sig;
	stopping = 1;
}

/* The byte after the first "fields":{ or NULL. */
static const char *after_fields_mark(const char *p, const char *end)
{
	static const char MARK[] = "\"fields\":{";
	const size_t len = sizeof MARK - 1;

	for (; (size_t)(end - p) >= len; p++) {
		p = memchr(p, '"', (size_t)(end - p) - (len - 1));
		if (p == NULL)
			return NULL;
		if (memcmp(p, MARK, len) == 0)
			return p + len;
	}
	return NULL;
}

/* Copies the workitem with "__result__":true as first member of "fields". */
static bool build_reply(struct worker *w, amqp_bytes_t in, size_t *out_len)
{
	static const char EXTRA[] = "\"__result__\":true,";
	size_t need = in.len + sizeof EXTRA;
	if (w->body == NULL || need > w->body_cap) {
		char *bigger = realloc(w->body, need);
		if (bigger == NULL)
			return false;
		w->body = bigger;
		w->body_cap = need;
	}
	const char *p = in.bytes, *end = p + in.len;
	const char *at = after_fields_mark(p, end);
	size_t head = at != NULL ? (size_t)(at - p) : in.len;
	memcpy(w->body, p, head);
	*out_len = head;
	if (at != NULL) {
		memcpy(w->body + head, EXTRA, sizeof EXTRA - 1);
		memcpy(w->body + head + sizeof EXTRA - 1, at, (size_t)(end - at));
		*out_len = in.len + sizeof EXTRA - 1;
	}
	return true;
}

static bool handle_delivery(struct worker *w)
{
	amqp_message_t message;
	if (!rpc_ok(amqp_read_message(w->conn, BROKER_CHANNEL, &message, 0), "reading a workitem"))
		return false;
	const amqp_basic_properties_t props = {
		._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG,
		.content_type = amqp_cstring_bytes("application/json"),
		.delivery_mode = AMQP_DELIVERY_PERSISTENT,
	};
	amqp_bytes_t body;
	bool ok = build_reply(w, message.body, &body.len);
	body.bytes = w->body;
	if (ok)
		ok = status_ok(amqp_basic_publish(w->conn, BROKER_CHANNEL, amqp_empty_bytes,
						  amqp_cstring_bytes(w->reply_queue),
						  /*mandatory*/ 1, /*immediate*/ 0, &props, body),
			       "basic.publish");
	else
		fprintf(stderr, "out of memory\n");
	amqp_destroy_message(&message);
	w->delivered++;
	if (!w->confirms)
		w->confirmed = w->delivered; /* nothing to wait for */
	return ok;
}

static bool handle_confirm(struct worker *w, uint64_t tag, bool multiple)
{
	if (tag > w->delivered) {
		fprintf(stderr, "broker confirmed unknown tag %" PRIu64 "\n", tag);
		return false;
	}
	if (multiple) {
		uint64_t to = tag == 0 ? w->delivered : tag;
		for (uint64_t t = w->confirmed + 1; t <= to; t++)
			w->early[t % w->ring] = 1;
	} else {
		w->early[tag % w->ring] = 1;
	}
	while (w->confirmed < w->delivered && w->early[(w->confirmed + 1) % w->ring]) {
		w->confirmed++;
		w->early[w->confirmed % w->ring] = 0;
	}
	return true;
}

/* Acknowledges what is due: half a prefetch window, or all when idle. */
static bool acknowledge(struct worker *w, bool idle)
{
	uint64_t due = w->confirmed - w->acked;
	if (w->auto_ack || due == 0 || (!idle && due < (w->prefetch + 1) / 2))
		return true;
	w->acked = w->confirmed;
	return status_ok(amqp_basic_ack(w->conn, BROKER_CHANNEL, w->acked,
					/*multiple*/ 1),
			 "basic.ack");
}

static bool handle_frame(struct worker *w, const amqp_frame_t *frame)
{
	if (frame->frame_type != AMQP_FRAME_METHOD)
		return true;
	const amqp_method_t *method = &frame->payload.method;
	switch (method->id) {
	case AMQP_BASIC_DELIVER_METHOD:
		return handle_delivery(w);
	case AMQP_BASIC_ACK_METHOD: {
		const amqp_basic_ack_t *m = method->decoded;
		return handle_confirm(w, m->delivery_tag, m->multiple);
	}
	case AMQP_BASIC_NACK_METHOD:
		fprintf(stderr, "broker refused a reply\n");
		return false; /* unacknowledged workitems will be redelivered */
	default:
		return unexpected_method(w->conn, frame);
	}
}

static bool work(struct worker *w)
{
	while (!stopping) {
		amqp_frame_t frame;
		bool waiting = amqp_frames_enqueued(w->conn) || amqp_data_in_buffer(w->conn);
		struct timeval poll_now = {0}, poll_later = {.tv_usec = 200000};
		int status = AMQP_STATUS_TIMEOUT;
		amqp_maybe_release_buffers(w->conn);
		if (!waiting) { /* one more look at the socket before calling it idle */
			status = amqp_simple_wait_frame_noblock(w->conn, &frame, &poll_now);
			if (status == AMQP_STATUS_TIMEOUT && !acknowledge(w, true))
				return false;
		}
		if (status == AMQP_STATUS_TIMEOUT)
			status = amqp_simple_wait_frame_noblock(w->conn, &frame, &poll_later);
		if (status == AMQP_STATUS_TIMEOUT)
			continue;
		if (!status_ok(status, "waiting for a frame") || !handle_frame(w, &frame) ||
		    !acknowledge(w, false))
			return false;
	}
	return acknowledge(w, true);
}

static bool start(struct worker *w)
{
	if (!declare_durable_queue(w->conn, w->queue, NULL) ||
	    !declare_durable_queue(w->conn, w->reply_queue, NULL))
		return false;
	if (w->confirms) {
		amqp_confirm_select(w->conn, BROKER_CHANNEL);
		if (!rpc_ok(amqp_get_rpc_reply(w->conn), "confirm.select"))
			return false;
	}
	amqp_basic_qos(w->conn, BROKER_CHANNEL, 0, (uint16_t)w->prefetch, 0);
	if (!rpc_ok(amqp_get_rpc_reply(w->conn), "basic.qos"))
		return false;
	amqp_basic_consume(w->conn, BROKER_CHANNEL, amqp_cstring_bytes(w->queue), amqp_empty_bytes,
			   /*no_local*/ 0, w->auto_ack,
			   /*exclusive*/ 0, amqp_empty_table);
	return rpc_ok(amqp_get_rpc_reply(w->conn), "basic.consume");
}

static void usage(FILE *out)
{
	fprintf(out, "Usage: echo_worker [options] QUEUE\n"
		     "Answers every workitem on QUEUE at once, with fields.__result__ true.\n"
		     "\n"
		     "  -P, --prefetch N      unacknowledged workitems, 1..65535 (default 100)\n"
		     "  -A, --auto-ack        the broker forgets workitems when it sends them\n"
		     "  -C, --no-confirms     do not wait for publisher confirms\n"
		     "  -r, --reply-queue Q   (default ruote_workitems)\n"
		     "  -H, --host HOST[:PORT]  broker (default 127.0.0.1:5672)\n"
		     "  -v, --vhost VHOST     (default bench; user and password are boss)\n"
		     "  -h, --help\n");
}

static bool parse_prefetch(const char *arg, size_t *ret)
{
	char *end;
	long v = strtol(arg, &end, 10);
	if (end == arg || *end != '\0' || v < 1 || v > 65535)
		return false;
	*ret = (size_t)v;
	return true;
}

static bool set_option(struct worker *w, struct broker_addr *broker, int id, char *arg)
{
	switch (id) {
	case 'P':
		return parse_prefetch(arg, &w->prefetch);
	case 'A':
		w->auto_ack = true;
		return true;
	case 'C':
		w->confirms = false;
		return true;
	case 'r':
		w->reply_queue = arg;
		return true;
	case 'H':
		return broker_parse_host(broker, arg);
	case 'v':
		broker->vhost = arg;
		return true;
	case 'h':
		usage(stdout);
		exit(0);
	default:
		return false;
	}
}

static bool parse_options(int argc, char **argv, struct worker *w, struct broker_addr *broker)
{
	static const struct option LONG[] = {
		{"prefetch", required_argument, NULL, 'P'}, {"auto-ack", no_argument, NULL, 'A'},
		{"no-confirms", no_argument, NULL, 'C'},    {"reply-queue", required_argument, NULL, 'r'},
		{"host", required_argument, NULL, 'H'},	    {"vhost", required_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},	    {NULL, 0, NULL, 0},
	};
	int id;

	while ((id = getopt_long(argc, argv, "P:ACr:H:v:h", LONG, NULL)) != -1)
		if (!set_option(w, broker, id, optarg))
			return false;
	if (optind != argc - 1)
		return false;
	w->queue = argv[optind];
	return true;
}

int main(int argc, char **argv)
{
	struct broker_addr broker = BROKER_DEFAULTS;
	struct worker w = {.reply_queue = "ruote_workitems", .confirms = true, .prefetch = 100};
	const struct sigaction sa = {.sa_handler = on_signal};

	if (!parse_options(argc, argv, &w, &broker)) {
		usage(stderr);
		return 1;
	}
	/* Without acknowledgements nothing bounds the unconfirmed replies. */
	w.ring = w.auto_ack ? (size_t)1 << 22 : w.prefetch + 1;
	w.early = calloc(w.ring, 1);
	if (w.early == NULL) {
		fprintf(stderr, "out of memory\n");
		return 2;
	}
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	w.conn = broker_open(&broker);
	bool ok = w.conn != NULL && start(&w) && work(&w);
	broker_close(w.conn);
	free(w.early);
	free(w.body);
	return ok ? 0 : 2;
}
