/* wiload_publish.c - the publisher thread of wiload. */
#include "wiload.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <sys/time.h>

static void confirm_one(struct run *r, size_t seq, bool positive)
{
	if (r->items[seq].confirmed)
		return;
	r->items[seq].confirmed = true;
	r->unconfirmed--;
	if (!positive)
		r->nacked++;
}

/* Handles basic.ack and basic.nack of delivery tags 1.. = seq 0.. */
static bool confirm(struct run *r, uint64_t tag, bool multiple, bool positive)
{
	if (tag > r->published || (tag == 0 && !multiple)) {
		fprintf(stderr, "broker confirmed unknown tag %" PRIu64 "\n", tag);
		return false;
	}
	size_t end = tag == 0 ? r->published : (size_t)tag; /* 0: all of them */
	for (size_t seq = multiple ? r->confirm_floor : end - 1; seq < end; seq++)
		confirm_one(r, seq, positive);
	while (r->confirm_floor < r->published && r->items[r->confirm_floor].confirmed)
		r->confirm_floor++;
	return true;
}

/* Reads confirms until no more than `limit` publishings lack one. */
static bool await_confirms(struct run *r, size_t limit)
{
	const struct options *opt = r->opt;
	struct timeval timeout = {
		.tv_sec = (time_t)opt->idle_timeout_s,
		.tv_usec = (suseconds_t)(fmod(opt->idle_timeout_s, 1.0) * 1e6),
	};
	while (r->unconfirmed > limit) {
		amqp_frame_t frame;
		int status = amqp_simple_wait_frame_noblock(r->pub_conn, &frame, &timeout);
		if (!status_ok(status, "waiting for publisher confirms"))
			return false;
		if (frame.frame_type != AMQP_FRAME_METHOD)
			continue;
		const amqp_method_t *method = &frame.payload.method;
		if (method->id == AMQP_BASIC_ACK_METHOD) {
			const amqp_basic_ack_t *m = method->decoded;
			if (!confirm(r, m->delivery_tag, m->multiple, true))
				return false;
		} else if (method->id == AMQP_BASIC_NACK_METHOD) {
			const amqp_basic_nack_t *m = method->decoded;
			if (!confirm(r, m->delivery_tag, m->multiple, false))
				return false;
		} else if (!unexpected_method(r->pub_conn, &frame)) {
			return false;
		}
		amqp_maybe_release_buffers(r->pub_conn);
	}
	return true;
}

/* Waits for room in the window and stamps the next workitem. False: stop. */
static bool claim_next(struct run *r)
{
	pthread_mutex_lock(&r->lock);
	while (!r->stop && r->published - r->answered >= r->opt->window)
		pthread_cond_wait(&r->room, &r->lock);
	bool go_on = !r->stop;
	if (go_on) {
		int64_t now = now_ns();
		r->items[r->published].sent_ns = now;
		if (r->published == 0)
			r->first_sent_ns = now;
		r->published++;
	}
	pthread_mutex_unlock(&r->lock);
	return go_on;
}

static bool publish_all(struct run *r)
{
	const struct options *opt = r->opt;
	const amqp_basic_properties_t props = {
		._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG,
		.content_type = amqp_cstring_bytes("application/json"),
		.delivery_mode = AMQP_DELIVERY_PERSISTENT,
	};
	const amqp_bytes_t queue = amqp_cstring_bytes(opt->queue);

	for (size_t seq = 0; seq < opt->count; seq++) {
		workitem_set_seq(&r->tpl, seq);
		if (!claim_next(r))
			return false;
		amqp_bytes_t body = {.len = r->tpl.len, .bytes = r->tpl.json};
		r->unconfirmed++;
		if (!status_ok(amqp_basic_publish(r->pub_conn, BROKER_CHANNEL, amqp_empty_bytes, queue,
						  /*mandatory*/ 1, /*immediate*/ 0, &props, body),
			       "basic.publish"))
			return false;
		/* Let the window fill, then read confirms until it is half empty, so
         * that publishing and confirming overlap. */
		if (r->unconfirmed >= opt->confirm_window && !await_confirms(r, opt->confirm_window / 2))
			return false;
	}
	return await_confirms(r, 0);
}

void *publisher_main(void *arg)
{
	struct run *r = arg;
	bool ok = publish_all(r);
	pthread_mutex_lock(&r->lock);
	r->last_sent_ns = now_ns();
	r->publisher_failed = !ok && !r->stop;
	r->publisher_done = true;
	pthread_mutex_unlock(&r->lock);
	if (ok && !r->opt->quiet)
		fprintf(stderr, "published %zu workitems in %.3f s\n", r->opt->count,
			(double)(r->last_sent_ns - r->first_sent_ns) / 1e9);
	return NULL;
}
