/* The consuming connection. */
#include <stdlib.h>

#include "consumer_private.h"
#include "tags.h"

static void on_frame(void *consumer, const amqp_frame_t *f)
{
	struct consumer *c = consumer;
	struct participant *p;

	if (f->channel == 0 || f->channel > c->channel_count)
		return; /* connection.blocked concerns publishers */
	p = c->channels[f->channel - 1];
	if (p == NULL)
		return;
	if (f->frame_type == AMQP_FRAME_METHOD)
		channel_method(c, p, &f->payload.method);
	else if (f->frame_type == AMQP_FRAME_HEADER || f->frame_type == AMQP_FRAME_BODY)
		channel_content(c, p, f);
}

static void on_ack_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	consumer_flush(w->data);
}

/* ---- connecting -------------------------------------------------------- */

static void *connector_main(void *arg)
{
	struct consumer *c = arg;

	c->attempt->conn = link_open(&c->attempt->settings, &c->attempt->try);
	ev_async_send(c->b->loop, &c->connected);
	return NULL;
}

static void start_connecting(void *consumer)
{
	struct consumer *c = consumer;
	char why[LINK_WHY_SIZE];
	int r;

	if (c->connecting || c->link.conn != NULL || c->quiesced)
		return;
	c->attempt = sn_calloc(1, sizeof *c->attempt);
	r = link_settings_init(&c->attempt->settings, &c->b->config, c->b->home.etc, why);
	if (r == 0) {
		c->attempt->try.attempt = c->link.host;
		c->attempt->try.purpose = "SkyNET amqp-spool: workitems";
		c->connecting = true;
		r = -pthread_create(&c->thread, NULL, connector_main, c);
		(void)snprintf(why, sizeof why, "no thread");
	}
	if (r < 0) {
		(void)snprintf(c->trouble, sizeof c->trouble, "cannot connect: %s", why);
		sn_err("%s", c->trouble);
		status_touch(c->b);
		c->connecting = false;
		link_settings_release(&c->attempt->settings);
		free(c->attempt);
		c->attempt = NULL;
		reader_wait(&c->link, 30.);
	}
}

static void use_connection(struct consumer *c, const struct attempt *a)
{
	struct bridge *b = c->b;
	struct participant *p;

	reader_use(&c->link, a->conn, &a->try, a->settings.heartbeat_s);
	c->trouble[0] = '\0';
	sn_info("connected to %s", c->link.where);
	TAILQ_FOREACH(p, &b->participants, link)
	consumer_update(c, p);
	reader_read(&c->link);
}

static void on_connected(struct ev_loop *loop, ev_async *w, int events)
{
	struct consumer *c = w->data;
	struct attempt *a = c->attempt;

	(void)loop;
	(void)events;
	if (!c->connecting || a == NULL)
		return;
	(void)pthread_join(c->thread, NULL); /* it has just said that it is done */
	c->connecting = false;
	c->attempt = NULL;
	if (a->conn != NULL && !c->quiesced) {
		use_connection(c, a);
	} else if (a->conn != NULL) {
		link_close(a->conn, true);
	} else {
		(void)snprintf(c->trouble, sizeof c->trouble, "cannot connect to %s: %s", a->try.where,
			       a->try.why);
		sn_warn("%s", c->trouble);
		c->link.host++;
		reader_back_off(&c->link);
	}
	status_touch(c->b);
	link_settings_release(&a->settings);
	free(a);
}

/* Drops the connection; the broker will redeliver what is not acked. */
static void disconnect(struct consumer *c, bool polite)
{
	struct bridge *b = c->b;
	struct participant *p;

	ev_timer_stop(b->loop, &c->ack_timer);
	reader_close(&c->link, polite);
	c->due = false;
	TAILQ_FOREACH(p, &b->participants, link)
	{
		p->ch.state = CH_CLOSED;
		p->ch.in_message = false;
		p->ch.epoch = 0;
		sn_buf_reset(&p->ch.body);
		tags_clear(&p->ch);
	}
	for (size_t i = 0; i < c->channel_count; i++) {
		if (c->channels[i] != NULL)
			c->channels[i]->ch.number = 0;
	}
	c->channel_count = 0;
	status_touch(b);
}

void consumer_lost(void *consumer, const char *why)
{
	struct consumer *c = consumer;

	if (c->link.conn == NULL)
		return;
	(void)snprintf(c->trouble, sizeof c->trouble, "lost the connection to %s: %s", c->link.where, why);
	sn_warn("%s", c->trouble);
	disconnect(c, false);
	reader_back_off(&c->link);
}

/* ---- life -------------------------------------------------------------- */

struct consumer *consumer_new(struct bridge *b)
{
	static const struct reader_calls CALLS = {
		.frame = on_frame, .lost = consumer_lost, .retry = start_connecting};
	struct consumer *c = sn_calloc(1, sizeof *c);

	c->b = b;
	reader_init(&c->link, b->loop, &CALLS, c);
	ev_init(&c->ack_timer, on_ack_timer);
	ev_async_init(&c->connected, on_connected);
	c->ack_timer.data = c->connected.data = c;
	ev_async_start(b->loop, &c->connected);
	return c;
}

void consumer_reconnect(struct consumer *c, const char *why)
{
	if (c->link.conn != NULL) {
		sn_info("reconnecting: %s", why);
		consumer_flush(c);
		disconnect(c, true);
	}
	ev_timer_stop(c->b->loop, &c->link.retry);
	start_connecting(c);
}

void consumer_hurry(struct consumer *c)
{
	c->link.attempts = 0;
	ev_timer_stop(c->b->loop, &c->link.retry);
	start_connecting(
		c); /* nothing if it is connected, or about to be: then the next back-off is a short one */
}

void consumer_quiesce(struct consumer *c)
{
	struct participant *p;

	c->quiesced = true;
	ev_timer_stop(c->b->loop, &c->link.retry);
	TAILQ_FOREACH(p, &c->b->participants, link)
	consumer_update(c, p);
}

bool consumer_connected(const struct consumer *c, const char **ret_where)
{
	*ret_where = c->link.where;
	return c->link.conn != NULL;
}

const char *consumer_trouble(const struct consumer *c)
{
	return c->trouble;
}

void consumer_free(struct consumer *c)
{
	if (c == NULL)
		return;
	if (c->link.conn != NULL) {
		consumer_flush(c);
		disconnect(c, true);
	}
	/* A connector that still waits for the broker is left behind: the process ends now. */
	ev_async_stop(c->b->loop, &c->connected);
	ev_timer_stop(c->b->loop, &c->link.retry);
}
