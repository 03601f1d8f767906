/* wiload_consume.c - the main thread of wiload: counts replies. */
#include "wiload.h"

#include <stdio.h>
#include <sys/time.h>

static void count_reply(struct run *r, const amqp_message_t *message)
{
	int64_t now = now_ns();
	struct workitem_reply reply = workitem_parse(&r->tpl, message->body.bytes, message->body.len);

	if (reply.kind == WORKITEM_MALFORMED) {
		r->malformed++;
		return;
	}
	pthread_mutex_lock(&r->lock);
	if (reply.kind == WORKITEM_FOREIGN || reply.seq >= r->published) {
		r->foreign++;
	} else if (++r->items[reply.seq].replies > 1) {
		r->duplicates++;
	} else {
		r->items[reply.seq].answered_ns = now;
		r->answered++;
		pthread_cond_signal(&r->room);
		if (r->first_answer_ns == 0)
			r->first_answer_ns = now;
		r->last_answer_ns = now;
		r->errors += reply.has_error;
		r->without_result += !reply.result_true;
	}
	pthread_mutex_unlock(&r->lock);
}

/* What to do when amqp_consume_message found a frame that is no delivery. */
static bool skip_other_frame(amqp_connection_state_t conn)
{
	amqp_frame_t frame;
	if (!status_ok(amqp_simple_wait_frame(conn, &frame), "reading a frame"))
		return false;
	return frame.frame_type != AMQP_FRAME_METHOD || unexpected_method(conn, &frame);
}

enum verdict { GO_ON, FINISHED, FAILED };

/* What the consumer has seen happen last; "nothing" for too long ends the run. */
struct progress {
	int64_t last_event_ns;
	size_t published;
};

/* Nothing to read for a moment: is it time to stop? */
static enum verdict judge(struct run *r, struct progress *progress)
{
	const struct options *opt = r->opt;
	int64_t now = now_ns();

	pthread_mutex_lock(&r->lock);
	if (r->published != progress->published) {
		progress->published = r->published;
		progress->last_event_ns = now;
	}
	bool all = r->publisher_done && r->answered == opt->count;
	bool failed = r->publisher_failed;
	pthread_mutex_unlock(&r->lock);
	if (failed)
		return FAILED;
	if (all && now - r->last_answer_ns >= (int64_t)(opt->linger_s * 1e9))
		return FINISHED;
	if (!all && now - progress->last_event_ns >= (int64_t)(opt->idle_timeout_s * 1e9)) {
		fprintf(stderr, "giving up: nothing for %.1f s\n", opt->idle_timeout_s);
		return FINISHED;
	}
	return GO_ON;
}

/* Reads one reply, if there is one. False: AMQP trouble. */
static bool consume_one(struct run *r, bool *ret_got)
{
	struct timeval poll_interval = {.tv_usec = 50000};
	amqp_envelope_t envelope;

	*ret_got = false;
	amqp_maybe_release_buffers(r->sub_conn);
	amqp_rpc_reply_t got = amqp_consume_message(r->sub_conn, &envelope, &poll_interval, 0);
	if (got.reply_type == AMQP_RESPONSE_NORMAL) {
		count_reply(r, &envelope.message);
		amqp_destroy_envelope(&envelope);
		*ret_got = true;
		return true;
	}
	if (got.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
		if (got.library_error == AMQP_STATUS_UNEXPECTED_STATE)
			return skip_other_frame(r->sub_conn);
		if (got.library_error == AMQP_STATUS_TIMEOUT)
			return true;
	}
	return rpc_ok(got, "consuming replies");
}

bool consume_replies(struct run *r, const volatile sig_atomic_t *interrupted)
{
	struct progress progress = {.last_event_ns = now_ns()};

	while (!*interrupted) {
		bool got;
		if (!consume_one(r, &got))
			return false;
		if (got) {
			progress.last_event_ns = now_ns();
			continue;
		}
		enum verdict verdict = judge(r, &progress);
		if (verdict != GO_ON)
			return verdict == FINISHED;
	}
	fprintf(stderr, "interrupted\n");
	return true;
}

bool consumer_start(struct run *r)
{
	const struct options *opt = r->opt;

	if (!declare_durable_queue(r->sub_conn, opt->queue, NULL) ||
	    !declare_durable_queue(r->sub_conn, opt->reply_queue, NULL))
		return false;
	amqp_basic_consume(r->sub_conn, BROKER_CHANNEL, amqp_cstring_bytes(opt->reply_queue),
			   amqp_empty_bytes,
			   /*no_local*/ 0, /*no_ack*/ 1, /*exclusive*/ 0, amqp_empty_table);
	return rpc_ok(amqp_get_rpc_reply(r->sub_conn), "basic.consume");
}
