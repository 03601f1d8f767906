/* The AIR thread: its loop, its connection. */
#include <stdlib.h>

#include "air_private.h"

enum { FRAMES_PER_TURN = 512, IDLE_S = 60, COMPLAIN_S = 60 };

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
	a->socket = a->conn != NULL ? amqp_get_sockfd(a->conn) : -1;
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

static void schedule_retry(struct air *a)
{
	a->attempts++;
	ev_timer_set(&a->retry, link_backoff_s(a->attempts), 0.);
	ev_timer_start(a->loop, &a->retry);
}

static void disconnect(struct air *a, bool polite)
{
	ev_io_stop(a->loop, &a->io);
	ev_timer_stop(a->loop, &a->heartbeat);
	ev_timer_stop(a->loop, &a->reopen);
	ev_idle_stop(a->loop, &a->more);
	request_abort_all(a);
	pthread_mutex_lock(&a->lock);
	a->socket = -1; /* before it is closed: the number may be another's then */
	pthread_mutex_unlock(&a->lock);
	link_close(a->conn, polite);
	a->conn = NULL;
	table_reset(a);
}

void air_lost(struct air *a, const char *why)
{
	if (a->conn == NULL)
		return;
	sn_warn("lost the connection for AIR to %s: %s", a->where, why);
	disconnect(a, false);
	schedule_retry(a);
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
	case AMQP_CONNECTION_CLOSE_METHOD:
	case AMQP_CHANNEL_CLOSE_METHOD:
		link_reason(&f->payload.method, why);
		air_lost(a, why);
		break;
	default:
		break;
	}
}

static void read_frames(struct air *a)
{
	for (unsigned n = 0; a->conn != NULL && n < FRAMES_PER_TURN; n++) {
		struct timeval now = {0};
		amqp_frame_t f;
		int r = amqp_simple_wait_frame_noblock(a->conn, &f, &now);

		if (r == AMQP_STATUS_TIMEOUT) {
			ev_idle_stop(a->loop, &a->more);
			return;
		}
		if (r != AMQP_STATUS_OK) {
			air_lost(a, amqp_error_string2(r));
			return;
		}
		if (f.channel <= AIR_CHANNEL)
			own_frame(a, &f);
		else
			table_frame(a, &f);
		if (a->conn != NULL)
			amqp_maybe_release_buffers_on_channel(a->conn, f.channel);
	}
	if (a->conn != NULL)
		ev_idle_start(a->loop, &a->more);
}

static void on_io(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	read_frames(w->data);
}

static void on_more(struct ev_loop *loop, ev_idle *w, int events)
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

/* Was the last RPC answered well? */
static bool fine(struct air *a)
{
	amqp_rpc_reply_t r = amqp_get_rpc_reply(a->conn);

	if (r.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION)
		link_reason(&r.reply, a->why);
	else if (r.reply_type != AMQP_RESPONSE_NORMAL)
		(void)snprintf(a->why, sizeof a->why, "%s", amqp_error_string2(r.library_error));
	return r.reply_type == AMQP_RESPONSE_NORMAL;
}

static bool declare(struct air *a)
{
	amqp_exchange_declare(a->conn, AIR_CHANNEL, amqp_cstring_bytes("AIR-request"),
			      amqp_cstring_bytes("direct"), 0, /*durable*/ 1, 0, 0, amqp_empty_table);
	if (!fine(a))
		return false;
	amqp_exchange_declare(a->conn, AIR_CHANNEL, amqp_cstring_bytes("AIR-response"),
			      amqp_cstring_bytes("direct"), 0, /*durable*/ 0, 0, 0, amqp_empty_table);
	return fine(a);
}

static void use_connection(struct air *a, int heartbeat_s)
{
	int channels = amqp_get_channel_max(a->conn);

	pthread_mutex_lock(&a->lock);
	a->limit = a->max;
	pthread_mutex_unlock(&a->lock);
	if (channels <= 0 || channels > 65535)
		channels = 65535;
	if (a->limit > (unsigned)channels - AIR_CHANNEL)
		a->limit = (unsigned)channels - AIR_CHANNEL;
	a->attempts = 0;
	a->blocked = false;
	ev_io_set(&a->io, amqp_get_sockfd(a->conn), EV_READ);
	ev_io_start(a->loop, &a->io);
	if (heartbeat_s > 0) {
		ev_timer_set(&a->heartbeat, heartbeat_s / 2.0, heartbeat_s / 2.0);
		ev_timer_start(a->loop, &a->heartbeat);
	}
	table_reset(a);
	set_state(a, AIR_CONNECTED);
	table_fill(a);
	if (a->conn != NULL)
		read_frames(a); /* what came along with the answers above */
}

/* Blocks for LINK_CONNECT_S at most; there is nobody to be answered meanwhile. */
static void connect_now(struct air *a)
{
	struct link_try t = {.attempt = a->host, .purpose = "SkyNET amqp-spool: AIR"};
	struct link_settings s;

	set_state(a, AIR_CONNECTING);
	pthread_mutex_lock(&a->lock);
	s = a->settings; /* never freed */
	pthread_mutex_unlock(&a->lock);
	a->conn = link_open(&s, &t);
	memcpy(a->where, t.where, sizeof a->where);
	if (a->conn != NULL)
		amqp_channel_open(a->conn, AIR_CHANNEL);
	if (a->conn != NULL && fine(a) && declare(a)) {
		ev_now_update(a->loop);
		use_connection(a, s.heartbeat_s);
		return;
	}
	sn_warn("cannot connect to %s for AIR: %s", t.where, a->conn == NULL ? t.why : a->why);
	link_close(a->conn, false);
	a->conn = NULL;
	a->host++;
	ev_now_update(a->loop);
	schedule_retry(a);
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int events)
{
	struct air *a = w->data;

	(void)loop;
	(void)events;
	if (a->conn == NULL && a->wfids != NULL)
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
	if (a->conn == NULL || a->wfids != NULL)
		return;
	disconnect(a, true);
	set_state(a, AIR_IDLE);
}

/* What there is to do decides what runs. */
static void settle(struct air *a)
{
	if (a->wfids == NULL) {
		ev_timer_stop(a->loop, &a->retry);
		if (a->conn == NULL && a->now.state != AIR_IDLE)
			set_state(a, AIR_IDLE);
		if (a->conn != NULL && !ev_is_active(&a->idle)) {
			ev_timer_set(&a->idle, IDLE_S, 0.);
			ev_timer_start(a->loop, &a->idle);
		}
		return;
	}
	ev_timer_stop(a->loop, &a->idle);
	if (a->conn != NULL)
		table_fill(a);
	else if (!ev_is_active(&a->retry))
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
	if (reconnect && a->conn != NULL)
		disconnect(a, true);
	if (reconnect || hurry) {
		ev_timer_stop(a->loop, &a->retry);
		a->attempts = 0;
	}
	settle(a);
}

void air_prepare(struct air *a)
{
	ev_async_init(&a->command, on_command);
	ev_init(&a->io, on_io);
	ev_init(&a->heartbeat, on_heartbeat);
	ev_init(&a->retry, on_retry);
	ev_init(&a->idle, on_idle);
	ev_init(&a->report, on_report);
	ev_init(&a->reopen, on_reopen);
	ev_idle_init(&a->more, on_more);
	a->command.data = a->io.data = a->heartbeat.data = a->retry.data = a->idle.data = a->report.data =
		a->reopen.data = a->more.data = a;
	ev_async_start(a->loop, &a->command);
}

void *air_main(void *arg)
{
	struct air *a = arg;

	ev_run(a->loop, 0);
	disconnect(a, true);
	return NULL;
}
