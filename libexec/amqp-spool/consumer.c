/* The consuming connection. */
#include <stdlib.h>

#include "consumer_private.h"
#include "tags.h"

enum { FRAMES_PER_TURN = 512 };

/* ---- frames ------------------------------------------------------------ */

static void handle_frame(struct consumer *c, const amqp_frame_t *f)
{
	struct participant *p;

	if (f->channel == 0) {
		if (f->frame_type == AMQP_FRAME_METHOD &&
		    f->payload.method.id == AMQP_CONNECTION_CLOSE_METHOD) {
			amqp_connection_close_ok_t ok = {0};
			char why[LINK_WHY_SIZE];

			link_reason(&f->payload.method, why);
			(void)amqp_send_method(c->conn, 0, AMQP_CONNECTION_CLOSE_OK_METHOD,
					       &ok); /* it is over */
			consumer_lost(c, why);
		}
		return; /* connection.blocked concerns publishers */
	}
	p = f->channel <= c->channel_count ? c->channels[f->channel - 1] : NULL;
	if (p == NULL)
		return;
	if (f->frame_type == AMQP_FRAME_METHOD)
		channel_method(c, p, &f->payload.method);
	else if (f->frame_type == AMQP_FRAME_HEADER || f->frame_type == AMQP_FRAME_BODY)
		channel_content(c, p, f);
}

/* Reads what there is. librabbitmq buffers: the socket alone does not tell whether more is waiting. */
static void read_frames(struct consumer *c)
{
	for (unsigned n = 0; c->conn != NULL && n < FRAMES_PER_TURN; n++) {
		struct timeval now = {0};
		amqp_frame_t frame;
		int r = amqp_simple_wait_frame_noblock(c->conn, &frame, &now);

		if (r == AMQP_STATUS_TIMEOUT) {
			ev_idle_stop(c->b->loop, &c->more);
			return;
		}
		if (r != AMQP_STATUS_OK) {
			consumer_lost(c, amqp_error_string2(r));
			return;
		}
		handle_frame(c, &frame);
		if (c->conn != NULL)
			amqp_maybe_release_buffers_on_channel(c->conn, frame.channel);
	}
	if (c->conn != NULL)
		ev_idle_start(c->b->loop, &c->more);
}

static void on_io(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	read_frames(w->data);
}

static void on_idle(struct ev_loop *loop, ev_idle *w, int events)
{
	(void)loop;
	(void)events;
	read_frames(w->data);
}

static void on_heartbeat(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	read_frames(w->data); /* librabbitmq sends and checks heartbeats in its calls only */
}

static void on_ack_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	consumer_flush(w->data);
}

uint64_t consumer_epoch(const struct consumer *c)
{
	return c != NULL && c->conn != NULL ? c->epoch : 0;
}

/* ---- connecting -------------------------------------------------------- */

static void *connector_main(void *arg)
{
	struct consumer *c = arg;

	c->attempt->conn = link_open(&c->attempt->settings, &c->attempt->try);
	ev_async_send(c->b->loop, &c->connected);
	return NULL;
}

static void start_connecting(struct consumer *c)
{
	char why[LINK_WHY_SIZE];
	int r;

	if (c->connecting || c->conn != NULL || c->quiesced)
		return;
	c->attempt = sn_calloc(1, sizeof *c->attempt);
	r = link_settings_init(&c->attempt->settings, &c->b->config, c->b->home.etc, why);
	if (r == 0) {
		c->attempt->try.attempt = c->host;
		c->attempt->try.purpose = "SkyNET amqp-spool: workitems";
		c->connecting = true;
		r = -pthread_create(&c->thread, NULL, connector_main, c);
		(void)snprintf(why, sizeof why, "no thread");
	}
	if (r < 0) {
		sn_err("cannot connect: %s", why);
		c->connecting = false;
		link_settings_release(&c->attempt->settings);
		free(c->attempt);
		c->attempt = NULL;
		ev_timer_set(&c->retry, 30., 0.);
		ev_timer_start(c->b->loop, &c->retry);
	}
}

static void schedule_retry(struct consumer *c)
{
	c->attempts++;
	ev_timer_stop(c->b->loop, &c->retry);
	ev_timer_set(&c->retry, link_backoff_s(c->attempts), 0.);
	ev_timer_start(c->b->loop, &c->retry);
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	start_connecting(w->data);
}

static void use_connection(struct consumer *c, const struct attempt *a)
{
	struct bridge *b = c->b;
	struct participant *p;

	c->conn = a->conn;
	c->epoch++;
	c->attempts = 0;
	memcpy(c->where, a->try.where, sizeof c->where);
	sn_info("connected to %s", c->where);
	ev_io_set(&c->io, amqp_get_sockfd(c->conn), EV_READ);
	ev_io_start(b->loop, &c->io);
	if (a->settings.heartbeat_s > 0) {
		double half = a->settings.heartbeat_s / 2.0;

		ev_timer_set(&c->heartbeat, half, half);
		ev_timer_start(b->loop, &c->heartbeat);
	}
	TAILQ_FOREACH(p, &b->participants, link)
	consumer_update(c, p);
	read_frames(c);
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
		sn_warn("cannot connect to %s: %s", a->try.where, a->try.why);
		c->host++;
		schedule_retry(c);
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

	ev_io_stop(b->loop, &c->io);
	ev_timer_stop(b->loop, &c->heartbeat);
	ev_timer_stop(b->loop, &c->ack_timer);
	ev_idle_stop(b->loop, &c->more);
	link_close(c->conn, polite);
	c->conn = NULL;
	c->due = false;
	TAILQ_FOREACH(p, &b->participants, link)
	{
		p->ch.state = CH_CLOSED;
		p->ch.in_message = false;
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

void consumer_lost(struct consumer *c, const char *why)
{
	if (c->conn == NULL)
		return;
	sn_warn("lost the connection to %s: %s", c->where, why);
	disconnect(c, false);
	schedule_retry(c);
}

/* ---- life -------------------------------------------------------------- */

struct consumer *consumer_new(struct bridge *b)
{
	struct consumer *c = sn_calloc(1, sizeof *c);

	c->b = b;
	ev_init(&c->io, on_io);
	ev_init(&c->heartbeat, on_heartbeat);
	ev_init(&c->retry, on_retry);
	ev_init(&c->ack_timer, on_ack_timer);
	ev_idle_init(&c->more, on_idle);
	ev_async_init(&c->connected, on_connected);
	c->io.data = c->heartbeat.data = c->retry.data = c->ack_timer.data = c->more.data =
		c->connected.data = c;
	ev_async_start(b->loop, &c->connected);
	return c;
}

void consumer_reconnect(struct consumer *c, const char *why)
{
	if (c->conn != NULL) {
		sn_info("reconnecting: %s", why);
		consumer_flush(c);
		disconnect(c, true);
	}
	ev_timer_stop(c->b->loop, &c->retry);
	start_connecting(c);
}

void consumer_hurry(struct consumer *c)
{
	c->attempts = 0;
	ev_timer_stop(c->b->loop, &c->retry);
	start_connecting(
		c); /* nothing if it is connected, or about to be: then the next back-off is a short one */
}

void consumer_quiesce(struct consumer *c)
{
	struct participant *p;

	c->quiesced = true;
	ev_timer_stop(c->b->loop, &c->retry);
	TAILQ_FOREACH(p, &c->b->participants, link)
	consumer_update(c, p);
}

bool consumer_connected(const struct consumer *c, const char **ret_where)
{
	*ret_where = c->where;
	return c->conn != NULL;
}

void consumer_free(struct consumer *c)
{
	if (c == NULL)
		return;
	if (c->conn != NULL) {
		consumer_flush(c);
		disconnect(c, true);
	}
	/* A connector that still waits for the broker is left behind: the process ends now. */
	ev_async_stop(c->b->loop, &c->connected);
	ev_timer_stop(c->b->loop, &c->retry);
}
