/* The channels of the consuming connection: one per participant, its steps, its messages, its acks. */
#include <stdlib.h>

#include "base/fail.h"
#include "consumer_private.h"
#include "tags.h"

enum { ACK_AT = 32 };
#define ACK_DELAY_S 0.005

/* ---- channels: what is asked, and what follows the answer -------------- */

static bool send_method(struct consumer *c, struct participant *p, amqp_method_number_t id, void *m)
{
	return reader_send(&c->link, p->ch.number, id, m);
}

static void ask_open(struct consumer *c, struct participant *p)
{
	amqp_channel_open_t m = {.out_of_band = amqp_empty_bytes};

	p->ch.state = CH_OPENING;
	p->ch.epoch = ++c->epoch;
	(void)send_method(c, p, AMQP_CHANNEL_OPEN_METHOD, &m); /* a failure ends the connection */
}

static void ask_declare(struct consumer *c, struct participant *p)
{
	amqp_queue_declare_t m = {.queue = amqp_cstring_bytes(p->config.participant.queue), .durable = 1};

	p->ch.state = CH_DECLARING;
	(void)send_method(c, p, AMQP_QUEUE_DECLARE_METHOD, &m);
}

static void ask_qos(struct consumer *c, struct participant *p)
{
	amqp_basic_qos_t m = {.prefetch_count = (uint16_t)p->config.participant.prefetch};

	p->ch.state = CH_QOS;
	(void)send_method(c, p, AMQP_BASIC_QOS_METHOD, &m);
}

static void ask_consume(struct consumer *c, struct participant *p)
{
	amqp_basic_consume_t m = {.queue = amqp_cstring_bytes(p->config.participant.queue),
				  .consumer_tag = amqp_cstring_bytes("spool")};

	p->ch.state = CH_STARTING;
	(void)send_method(c, p, AMQP_BASIC_CONSUME_METHOD, &m);
}

static void ask_cancel(struct consumer *c, struct participant *p)
{
	amqp_basic_cancel_t m = {.consumer_tag = amqp_cstring_bytes("spool")};

	p->ch.state = CH_CANCELLING;
	(void)send_method(c, p, AMQP_BASIC_CANCEL_METHOD, &m);
}

static void ask_close(struct consumer *c, struct participant *p)
{
	amqp_channel_close_t m = {.reply_code = 200, .reply_text = amqp_cstring_bytes("bye")};

	p->ch.state = CH_CLOSING;
	(void)send_method(c, p, AMQP_CHANNEL_CLOSE_METHOD, &m);
}

static bool wants_work(const struct consumer *c, const struct participant *p)
{
	return !p->held && !p->lost && !c->b->full && !c->quiesced && !p->stale;
}

/* The consumer runs, or has stopped: is that still what is wanted? */
static void settle(struct consumer *c, struct participant *p)
{
	if (p->ch.state == CH_PAUSED && p->ch.requeue)
		consumer_flush(c);
	if (p->ch.state == CH_PAUSED && wants_work(c, p))
		ask_consume(c, p);
	else if (p->ch.state == CH_CONSUMING && !wants_work(c, p))
		ask_cancel(c, p);
	else
		return;
	status_touch(c->b);
}

static void on_consuming(struct consumer *c, struct participant *p)
{
	p->ch.state = CH_CONSUMING;
	status_touch(c->b);
	settle(c, p);
}

static void on_paused(struct consumer *c, struct participant *p)
{
	p->ch.state = CH_PAUSED;
	status_touch(c->b);
	settle(c, p);
}

static void on_closed(struct consumer *c, struct participant *p)
{
	p->ch.state = CH_CLOSED;
	tags_clear(&p->ch);
	if (!p->stale)
		ask_open(c, p); /* it was closed to be opened anew, with other settings */
}

static const struct {
	enum channel_state state;
	amqp_method_number_t method;
	void (*next)(struct consumer *c, struct participant *p);
} STEPS[] = {
	{CH_OPENING, AMQP_CHANNEL_OPEN_OK_METHOD, ask_declare},
	{CH_DECLARING, AMQP_QUEUE_DECLARE_OK_METHOD, ask_qos},
	{CH_QOS, AMQP_BASIC_QOS_OK_METHOD, on_paused},
	{CH_STARTING, AMQP_BASIC_CONSUME_OK_METHOD, on_consuming},
	{CH_CANCELLING, AMQP_BASIC_CANCEL_OK_METHOD, on_paused},
	{CH_CLOSING, AMQP_CHANNEL_CLOSE_OK_METHOD, on_closed},
	{CH_CONSUMING, AMQP_BASIC_CANCEL_METHOD, ask_declare}, /* the queue was deleted: make it again */
	{CH_STARTING, AMQP_BASIC_CANCEL_METHOD, ask_declare},
};

void consumer_update(struct consumer *c, struct participant *p)
{
	if (c == NULL || c->link.conn == NULL)
		return;
	if (p->ch.number == 0) {
		/* Numbers are not used again: frames for a channel that is closing may still come. */
		c->channels = sn_realloc(c->channels, (c->channel_count + 1) * sizeof(struct participant *));
		c->channels[c->channel_count++] = p;
		p->ch.number = (uint16_t)c->channel_count;
	}
	if (p->ch.state == CH_CLOSED || p->ch.state == CH_FAILED) {
		if (!c->quiesced)
			ask_open(c, p);
	} else {
		settle(c, p);
	}
}

void consumer_drop(struct consumer *c, struct participant *p)
{
	if (c == NULL || p->ch.number == 0)
		return;
	if (c->link.conn != NULL && p->ch.state != CH_CLOSED && p->ch.state != CH_FAILED &&
	    p->ch.state != CH_CLOSING) {
		consumer_flush(c);
		if (c->link.conn != NULL)
			ask_close(c, p);
	}
	if (p->stale && p->ch.number != 0) {
		c->channels[p->ch.number - 1] = NULL; /* frames that still come for it are dropped */
		p->ch.number = 0;
		tags_clear(&p->ch);
	}
}

/* ---- frames of a channel ----------------------------------------------- */

static void start_message(struct participant *p, const amqp_basic_deliver_t *m)
{
	tags_add(&p->ch, m->delivery_tag);
	p->ch.tag = m->delivery_tag;
	p->ch.redelivered = m->redelivered;
	p->ch.in_message = true;
}

/* The message is whole. */
static void end_message(struct consumer *c, struct participant *p)
{
	p->ch.in_message = false;
	switch (deliver_message(p)) {
	case DELIVERED_KEEP:
		break;
	case DELIVERED_ACK:
		consumer_due(c, p, p->ch.epoch, p->ch.tag);
		break;
	case DELIVERED_NO_ROOM: /* goes back when no consumer is left here to get it at once again */
		tags_mark(&p->ch, p->ch.tag, TAG_REQUEUE);
		settle(c, p);
		break;
	}
	if (p->ch.body.cap > 1 << 20)
		sn_buf_release(&p->ch.body);
	else
		sn_buf_reset(&p->ch.body);
}

void channel_content(struct consumer *c, struct participant *p, const amqp_frame_t *f)
{
	struct channel *ch = &p->ch;

	if (!ch->in_message)
		return;
	if (f->frame_type == AMQP_FRAME_HEADER) {
		ch->body_size = f->payload.properties.body_size;
		ch->body_seen = 0;
		ch->body.max_bytes = p->config.participant.max_size_bytes;
	} else {
		size_t len = f->payload.body_fragment.len;
		size_t room = ch->body.max_bytes - ch->body.len;

		/* Over max_size: the head is kept for a person, the rest is counted. */
		if (sn_buf_add(&ch->body, f->payload.body_fragment.bytes, len < room ? len : room) < 0)
			sn_debug("participant=%s: body over the limit", p->name);
		ch->body_seen += len;
	}
	if (ch->body_seen == ch->body_size)
		end_message(c, p);
}

static void channel_refused(struct consumer *c, struct participant *p, const amqp_method_t *m)
{
	amqp_channel_close_ok_t ok = {0};
	char why[LINK_WHY_SIZE];

	link_reason(m, why);
	if (!send_method(c, p, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok))
		return;
	sn_err("participant=%s queue=%s: the broker refuses it: %s", p->name, p->config.participant.queue,
	       why);
	p->ch.state = CH_FAILED; /* tried again at the next reconcile */
	p->ch.in_message = false;
	tags_clear(&p->ch);
	participant_set_error(p, "%s", why);
}

void channel_method(struct consumer *c, struct participant *p, const amqp_method_t *m)
{
	if (m->id == AMQP_BASIC_DELIVER_METHOD) {
		start_message(p, m->decoded);
		return;
	}
	if (m->id == AMQP_CHANNEL_CLOSE_METHOD) {
		channel_refused(c, p, m);
		return;
	}
	for (size_t i = 0; i < SN_COUNT(STEPS); i++) {
		if (STEPS[i].state == p->ch.state && STEPS[i].method == m->id) {
			STEPS[i].next(c, p);
			return;
		}
	}
	sn_debug("participant=%s: %s in state %d ignored", p->name, amqp_method_name(m->id),
		 (int)p->ch.state);
}

/* ---- acks -------------------------------------------------------------- */

struct sender {
	struct consumer *c;
	struct participant *p;
};

static int send_ack(void *arg, uint64_t tag, bool multiple)
{
	const struct sender *s = arg;

	if (SN_FAIL("ack.3") < 0)
		return AMQP_STATUS_SOCKET_ERROR;
	return amqp_basic_ack(s->c->link.conn, s->p->ch.number, tag, multiple);
}

static int send_requeue(void *arg, uint64_t tag)
{
	const struct sender *s = arg;

	return amqp_basic_nack(s->c->link.conn, s->p->ch.number, tag, false, true);
}

void consumer_flush(struct consumer *c)
{
	struct participant *p;

	c->due = false;
	ev_timer_stop(c->b->loop, &c->ack_timer);
	TAILQ_FOREACH(p, &c->b->participants, link)
	{
		struct sender s = {.c = c, .p = p};
		const struct tags_out out = {.ack = send_ack,
					     .requeue = p->ch.state == CH_PAUSED ? send_requeue : NULL,
					     .arg = &s};
		int r;

		if (c->link.conn == NULL)
			return;
		if (p->ch.due == 0 && !(p->ch.requeue && out.requeue != NULL))
			continue;
		/* The broker may have closed it, and takes offence. It all comes again. */
		if (p->ch.state == CH_CLOSING)
			continue;
		r = tags_flush(&p->ch, &out);
		if (r != 0)
			consumer_lost(c, amqp_error_string2(r));
	}
}

void consumer_due(struct consumer *c, struct participant *p, uint64_t epoch, uint64_t tag)
{
	if (c == NULL || epoch == 0 || epoch != p->ch.epoch || c->link.conn == NULL)
		return;
	tags_mark(&p->ch, tag, TAG_DUE);
	if (p->ch.due >= ACK_AT || p->ch.due * 2 > p->config.participant.prefetch) {
		consumer_flush(c);
	} else if (!c->due) {
		c->due = true;
		ev_timer_set(&c->ack_timer, ACK_DELAY_S, 0.);
		ev_timer_start(c->b->loop, &c->ack_timer);
	}
}
