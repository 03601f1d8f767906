/* TERM and INT end the bridge, HUP has it read its configuration again. */
#include <signal.h>

#include "bridge.h"
#include "consumer.h"

enum { STOP_S = 4 };

static sigset_t hangup(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGHUP);
	return set;
}

void signals_hold(void)
{
	const sigset_t set = hangup();

	(void)sigprocmask(SIG_BLOCK, &set, NULL); /* cannot fail */
}

static void on_stop_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)w;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

void bridge_stop(struct bridge *b, int exit_code)
{
	if (b->stopping)
		return;
	b->stopping = true;
	b->exit_code = exit_code;
	b->stop_deadline_ns = sn_clock_mono_ns() + (int64_t)STOP_S * 1000000000;
	if (b->consumer != NULL)
		consumer_quiesce(b->consumer);
	ev_timer_set(&b->stop_timer, STOP_S, 0.);
	ev_timer_start(b->loop, &b->stop_timer);
	status_touch(b);
}

static void on_stop_signal(struct ev_loop *loop, ev_signal *w, int events)
{
	(void)loop;
	(void)events;
	sn_info("signal %d: stopping", w->signum);
	bridge_stop(w->data, SN_EXIT_OK);
}

static void add_signal(struct bridge *b, ev_signal *w, int signum,
		       void (*cb)(struct ev_loop *, ev_signal *, int))
{
	ev_signal_init(w, cb, signum);
	w->data = b;
	ev_signal_start(b->loop, w);
}

void signals_watch(struct bridge *b)
{
	const sigset_t set = hangup();

	ev_init(&b->stop_timer, on_stop_timer);
	b->stop_timer.data = b;
	add_signal(b, &b->sigterm, SIGTERM, on_stop_signal);
	add_signal(b, &b->sigint, SIGINT, on_stop_signal);
	add_signal(b, &b->sighup, SIGHUP, bridge_reload);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL); /* before there are other threads: they inherit it */
}
