#include "reader.h"

enum { FRAMES_PER_TURN = 512 };

static void take(struct reader *r, const amqp_frame_t *f)
{
	const amqp_method_t *m = &f->payload.method;
	amqp_connection_close_ok_t ok = {0};
	char why[LINK_WHY_SIZE];

	if (f->channel != 0 || f->frame_type != AMQP_FRAME_METHOD || m->id != AMQP_CONNECTION_CLOSE_METHOD) {
		r->calls->frame(r->owner, f);
		return;
	}
	link_reason(m, why);
	(void)amqp_send_method(r->conn, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok); /* it is over */
	r->calls->lost(r->owner, why);
}

void reader_read(struct reader *r)
{
	for (unsigned n = 0; r->conn != NULL && n < FRAMES_PER_TURN; n++) {
		struct timeval now = {0};
		amqp_frame_t f;
		int err = amqp_simple_wait_frame_noblock(r->conn, &f, &now);

		if (err == AMQP_STATUS_TIMEOUT) {
			ev_idle_stop(r->loop, &r->more);
			return;
		}
		if (err != AMQP_STATUS_OK) {
			r->calls->lost(r->owner, amqp_error_string2(err));
			return;
		}
		take(r, &f);
		if (r->conn != NULL)
			amqp_maybe_release_buffers_on_channel(r->conn, f.channel);
	}
	if (r->conn != NULL)
		ev_idle_start(r->loop, &r->more);
}

bool reader_send(struct reader *r, uint16_t channel, amqp_method_number_t id, void *method)
{
	int err;

	if (r->conn == NULL)
		return false;
	err = amqp_send_method(r->conn, channel, id, method);
	if (err != AMQP_STATUS_OK)
		r->calls->lost(r->owner, amqp_error_string2(err));
	return err == AMQP_STATUS_OK;
}

static void on_io(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	reader_read(w->data);
}

static void on_more(struct ev_loop *loop, ev_idle *w, int events)
{
	(void)loop;
	(void)events;
	reader_read(w->data);
}

static void on_heartbeat(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	reader_read(w->data); /* librabbitmq sends and checks heartbeats in its calls only */
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int events)
{
	struct reader *r = w->data;

	(void)loop;
	(void)events;
	r->calls->retry(r->owner);
}

void reader_init(struct reader *r, struct ev_loop *loop, const struct reader_calls *calls, void *owner)
{
	*r = (struct reader){.loop = loop, .calls = calls, .owner = owner};
	ev_init(&r->io, on_io);
	ev_init(&r->heartbeat, on_heartbeat);
	ev_init(&r->retry, on_retry);
	ev_idle_init(&r->more, on_more);
	r->io.data = r->heartbeat.data = r->retry.data = r->more.data = r;
}

void reader_use(struct reader *r, amqp_connection_state_t conn, const struct link_try *t, int heartbeat_s)
{
	memcpy(r->where, t->where, sizeof r->where);
	r->conn = conn;
	r->attempts = 0;
	ev_io_set(&r->io, amqp_get_sockfd(conn), EV_READ);
	ev_io_start(r->loop, &r->io);
	if (heartbeat_s > 0) {
		ev_timer_set(&r->heartbeat, heartbeat_s / 2.0, heartbeat_s / 2.0);
		ev_timer_start(r->loop, &r->heartbeat);
	}
}

void reader_close(struct reader *r, bool polite)
{
	ev_io_stop(r->loop, &r->io);
	ev_timer_stop(r->loop, &r->heartbeat);
	ev_idle_stop(r->loop, &r->more);
	link_close(r->conn, polite);
	r->conn = NULL;
}

void reader_wait(struct reader *r, double seconds)
{
	ev_timer_stop(r->loop, &r->retry);
	ev_timer_set(&r->retry, seconds, 0.);
	ev_timer_start(r->loop, &r->retry);
}

void reader_back_off(struct reader *r)
{
	reader_wait(r, link_backoff_s(++r->attempts));
}
