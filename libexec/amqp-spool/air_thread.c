/* The AIR thread: its loop, its connection. */
#include <stdlib.h>

#include "air_private.h"

enum { IDLE_S = 60, COMPLAIN_S = 60 };

/* ---- what is told ------------------------------------------------------ */

static void report(struct air *a)
{
	a->now.open = 0;
	for (const struct air_wfid *w = a->wfids; w != NULL; w = w->hh.next)
		a->now.open += w->state == WFID_OPEN;
	a->now.waiting = HASH_COUNT(a->wfids) - a->now.open;
	pthread_mutex_lock(&a->lock);
	a->counts = a->now;
	a->changed = true;
	pthread_mutex_unlock(&a->lock);
	ev_async_send(a->b->loop, &a->b->wake);
}

static void on_report(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	report(w->data);
}

/* Not for each of many: the status file is written at most so often for our sake. */
void air_touch(struct air *a)
{
	if (ev_is_active(&a->report))
		return;
	ev_timer_set(&a->report, a->reported ? AIR_REPORT_S : 0.2, 0.);
	ev_timer_start(a->loop, &a->report);
	a->reported = true;
}

static void set_state(struct air *a, enum air_state state)
{
	a->now.state = state;
	pthread_mutex_lock(&a->lock);
	a->socket = a->link.conn != NULL ? amqp_get_sockfd(a->link.conn) : -1;
	pthread_mutex_unlock(&a->lock);
	report(a);
}

void air_drop(struct air *a, const char *why)
{
	const int64_t now = sn_clock_mono_ns();

	a->now.dropped++;
	a->complaints++;
	air_touch(a);
	if (a->complained_ns != 0 && now - a->complained_ns < (int64_t)COMPLAIN_S * 1000000000)
		return;
	sn_warn("AIR: a request was dropped: %s; so many since this was last said: %lu", why, a->complaints);
	a->complained_ns = now;
	a->complaints = 0;
}

/* ---- the connection ---------------------------------------------------- */

static void disconnect(struct air *a, bool polite)
{
	ev_timer_stop(a->loop, &a->reopen);
	request_abort_all(a);
	pthread_mutex_lock(&a->lock);
	a->socket = -1; /* before it is closed: the number may be another's then */
	pthread_mutex_unlock(&a->lock);
	reader_close(&a->link, polite);
	table_reset(a);
}

void air_lost(void *air, const char *why)
{
	struct air *a = air;

	if (a->link.conn == NULL)
		return;
	sn_warn("lost the connection for AIR to %s: %s", a->link.where, why);
	disconnect(a, false);
	reader_back_off(&a->link);
	set_state(a, AIR_CONNECTING);
}

/* Of the connection itself, and of our channel. */
static void own_frame(struct air *a, const amqp_frame_t *f)
{
	char why[LINK_WHY_SIZE];

	if (f->frame_type != AMQP_FRAME_METHOD)
		return;
	switch (f->payload.method.id) {
	case AMQP_CONNECTION_BLOCKED_METHOD:
		a->blocked = true;
		break;
	case AMQP_CONNECTION_UNBLOCKED_METHOD:
		a->blocked = false;
		break;
	case AMQP_CHANNEL_CLOSE_METHOD:
		link_reason(&f->payload.method, why);
		air_lost(a, why);
		break;
	default:
		break;
	}
}

static void on_frame(void *air, const amqp_frame_t *f)
{
	if (f->channel <= AIR_CHANNEL)
		own_frame(air, f);
	else
		table_frame(air, f);
}

/* Our channel and the two exchanges. */
static bool prepare_broker(amqp_connection_state_t conn, char why[LINK_WHY_SIZE])
{
	amqp_channel_open(conn, AIR_CHANNEL);
	if (!link_fine(conn, why))
		return false;
	amqp_exchange_declare(conn, AIR_CHANNEL, amqp_cstring_bytes("AIR-request"),
			      amqp_cstring_bytes("direct"), 0, /*durable*/ 1, 0, 0, amqp_empty_table);
	if (!link_fine(conn, why))
		return false;
	amqp_exchange_declare(conn, AIR_CHANNEL, amqp_cstring_bytes("AIR-response"),
			      amqp_cstring_bytes("direct"), 0, /*durable*/ 0, 0, 0, amqp_empty_table);
	return link_fine(conn, why);
}

static void use_connection(struct air *a)
{
	int channels = amqp_get_channel_max(a->link.conn);

	pthread_mutex_lock(&a->lock);
	a->limit = a->max;
	pthread_mutex_unlock(&a->lock);
	if (channels <= 0 || channels > 65535)
		channels = 65535;
	if (a->limit > (unsigned)channels - AIR_CHANNEL)
		a->limit = (unsigned)channels - AIR_CHANNEL;
	a->blocked = false;
	table_reset(a);
	set_state(a, AIR_CONNECTED);
	table_fill(a);
	reader_read(&a->link);
}

/* Blocks for LINK_CONNECT_S at most; there is nobody to be answered meanwhile. */
static void connect_now(struct air *a)
{
	struct link_try t = {.attempt = a->link.host, .purpose = "SkyNET amqp-spool: AIR"};
	struct link_settings s;
	amqp_connection_state_t conn;
	bool ready;

	set_state(a, AIR_CONNECTING);
	pthread_mutex_lock(&a->lock);
	s = a->settings; /* never freed */
	pthread_mutex_unlock(&a->lock);
	conn = link_open(&s, &t);
	ready = conn != NULL && prepare_broker(conn, t.why);
	ev_now_update(a->loop);
	if (ready) {
		reader_use(&a->link, conn, &t, s.heartbeat_s);
		use_connection(a);
		return;
	}
	sn_warn("cannot connect to %s for AIR: %s", t.where, t.why);
	link_close(conn, false);
	a->link.host++;
	reader_back_off(&a->link);
}

static void on_retry(void *air)
{
	struct air *a = air;

	if (a->link.conn == NULL && a->wfids != NULL)
		connect_now(a);
}

static void on_reopen(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	table_fill(w->data);
}

/* ---- life -------------------------------------------------------------- */

static void on_idle(struct ev_loop *loop, ev_timer *w, int events)
{
	struct air *a = w->data;

	(void)loop;
	(void)events;
	if (a->link.conn == NULL || a->wfids != NULL)
		return;
	disconnect(a, true);
	set_state(a, AIR_IDLE);
}

/* What there is to do decides what runs. */
static void settle(struct air *a)
{
	if (a->wfids == NULL) {
		ev_timer_stop(a->loop, &a->link.retry);
		if (a->link.conn == NULL && a->now.state != AIR_IDLE)
			set_state(a, AIR_IDLE);
		if (a->link.conn != NULL && !ev_is_active(&a->idle)) {
			ev_timer_set(&a->idle, IDLE_S, 0.);
			ev_timer_start(a->loop, &a->idle);
		}
		return;
	}
	ev_timer_stop(a->loop, &a->idle);
	if (a->link.conn != NULL)
		table_fill(a);
	else if (!ev_is_active(&a->link.retry))
		connect_now(a);
}

static void on_command(struct ev_loop *loop, ev_async *w, int events)
{
	struct air *a = w->data;
	struct air_open_list commands = STAILQ_HEAD_INITIALIZER(commands);
	struct air_open *o;
	bool stop, reconnect, hurry;

	(void)events;
	pthread_mutex_lock(&a->lock);
	STAILQ_CONCAT(&commands, &a->commands);
	stop = a->stop;
	reconnect = a->reconnect;
	hurry = a->hurry;
	a->reconnect = a->hurry = false;
	pthread_mutex_unlock(&a->lock);
	if (stop) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	while ((o = STAILQ_FIRST(&commands)) != NULL) {
		STAILQ_REMOVE_HEAD(&commands, link);
		table_command(a, o);
	}
	if (reconnect && a->link.conn != NULL)
		disconnect(a, true);
	if (reconnect || hurry) {
		ev_timer_stop(a->loop, &a->link.retry);
		a->link.attempts = 0;
	}
	settle(a);
}

void air_prepare(struct air *a)
{
	static const struct reader_calls CALLS = {.frame = on_frame, .lost = air_lost, .retry = on_retry};

	reader_init(&a->link, a->loop, &CALLS, a);
	ev_async_init(&a->command, on_command);
	ev_init(&a->idle, on_idle);
	ev_init(&a->report, on_report);
	ev_init(&a->reopen, on_reopen);
	a->command.data = a->idle.data = a->report.data = a->reopen.data = a;
	ev_async_start(a->loop, &a->command);
}

void *air_main(void *arg)
{
	struct air *a = arg;

	ev_run(a->loop, 0);
	disconnect(a, true);
	return NULL;
}
