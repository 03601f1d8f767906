/* TERM, INT, HUP, CHLD, and how exo ends. */
#include <signal.h>
#include <stdlib.h>

#include "exo.h"

static const double DIE_BEFORE_S = 5, KILL_SLACK_S = 0.5, START_PATIENCE_S = 5, KERNEL_PATIENCE_S = 0.3;

static void each_worker(struct exo *x, void (*f)(struct worker *))
{
	for (unsigned i = 0; i < x->worker_count; i++)
		f(x->workers[i]);
}

static void kill_now(struct exo *x)
{
	x->phase = EXO_KILLING;
	each_worker(x, worker_kill);
	ev_timer_stop(x->loop, &x->die);
	ev_timer_stop(x->loop, &x->end);
	ev_timer_set(&x->end, KERNEL_PATIENCE_S, 0);
	ev_timer_start(x->loop, &x->end);
}

static void on_end(struct ev_loop *loop, ev_timer *t, int events)
{
	struct exo *x = t->data;

	(void)events;
	if (x->phase == EXO_KILLING) { /* stuck in the kernel; PDEATHSIG is on its way too */
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	sn_warn("grace is over, killing the workers; what they worked on is resumed at the next start");
	kill_now(x);
}

static void say_die(struct worker *w)
{
	if (w->state == WORKER_QUITTING)
		talk_control(w, "die");
}

static void on_die(struct ev_loop *loop, ev_timer *t, int events)
{
	struct exo *x = t->data;

	(void)loop, (void)events;
	each_worker(x, say_die);
}

static void stop_worker(struct worker *w)
{
	worker_set_timer(w, -1); /* back-off ends; `end` is over all */
	worker_quit(w, w->state == WORKER_STARTING ? START_PATIENCE_S : -1);
}

static void stop(struct exo *x)
{
	double grace = x->config.participant.grace_s;
	double end = grace > 4 * KILL_SLACK_S ? grace - KILL_SLACK_S : grace * 0.75;

	x->phase = EXO_STOPPING;
	intake_stop(x);
	exo_give_back(x);
	each_worker(x, stop_worker);
	if (x->reload.trial != NULL)
		worker_kill(x->reload.trial);
	ev_timer_set(&x->end, end, 0);
	ev_timer_set(&x->die, end > DIE_BEFORE_S ? end - DIE_BEFORE_S : 0, 0);
	ev_timer_start(x->loop, &x->end);
	ev_timer_start(x->loop, &x->die);
}

static void on_stop(struct ev_loop *loop, ev_signal *s, int events)
{
	struct exo *x = s->data;

	(void)loop, (void)events;
	if (s->signum == SIGINT && ++x->interrupts == 2)
		kill_now(x);
	else if (x->phase == EXO_RUNNING)
		stop(x);
}

static void on_child(struct ev_loop *loop, ev_signal *s, int events)
{
	(void)loop, (void)events;
	death_reap(s->data);
}

void exo_resize(struct exo *x)
{
	unsigned want = x->config.participant.instances;

	if (want > EXO_INSTANCES_MAX)
		want = EXO_INSTANCES_MAX;
	for (unsigned i = 0; i < x->worker_count; i++)
		x->workers[i]->surplus = i >= want;
	for (unsigned i = want; i < x->worker_count; i++)
		worker_retire(x->workers[i]);
	while (x->worker_count < want) {
		struct worker *w = worker_new(x, x->worker_count);

		x->workers[x->worker_count++] = w;
		worker_start(w);
	}
}

static void on_hangup(struct ev_loop *loop, ev_signal *s, int events)
{
	struct exo *x = s->data;

	(void)loop, (void)events;
	if (x->phase == EXO_RUNNING)
		exo_reload(x);
}

void exo_fail(struct exo *x, int code, const char *why)
{
	sn_err("%s, ending", why);
	x->exit_code = code;
	(void)snprintf(x->reason, sizeof x->reason, "%s", why);
	intake_stop(x);
	kill_now(x);
}

static void drop_surplus(struct exo *x)
{
	while (x->worker_count > 0 && x->workers[x->worker_count - 1]->surplus &&
	       x->workers[x->worker_count - 1]->state == WORKER_DOWN)
		worker_free(x->workers[--x->worker_count]);
}

void exo_check_finished(struct exo *x)
{
	drop_surplus(x);
	if (x->phase == EXO_RUNNING)
		return;
	for (unsigned i = 0; i < x->worker_count; i++) {
		if (x->workers[i]->pid > 0)
			return;
	}
	ev_break(x->loop, EVBREAK_ALL);
}

static void pause_pipes(struct exo *x)
{
	bool pause = output_congested(&x->out);

	if (pause == x->paused)
		return;
	x->paused = pause;
	x->look = true;
	for (unsigned i = 0; i < x->worker_count; i++) {
		for (size_t j = 0; j < SN_COUNT(x->workers[i]->slots); j++)
			slot_pause(&x->workers[i]->slots[j], pause);
	}
	for (struct slot *t = x->tails; t != NULL; t = t->next)
		slot_pause(t, pause);
}

static void on_before_sleep(struct ev_loop *loop, ev_prepare *p, int events)
{
	struct exo *x = p->data;

	(void)loop, (void)events;
	pause_pipes(x);
	exo_dispatch(x);
	exo_status(x);
	output_flush(&x->out);
	control_sweep(x);
	exo_check_finished(x);
}

static void listen_for(struct exo *x, ev_signal *s, int signum,
		       void (*cb)(struct ev_loop *, ev_signal *, int))
{
	ev_signal_init(s, cb, signum);
	s->data = x;
	ev_signal_start(x->loop, s);
}

void exo_signals_start(struct exo *x)
{
	sigset_t none;

	ev_timer_init(&x->end, on_end, 0, 0);
	ev_timer_init(&x->die, on_die, 0, 0);
	x->end.data = x->die.data = x;
	ev_prepare_init(&x->before_sleep, on_before_sleep);
	x->before_sleep.data = x;
	ev_prepare_start(x->loop, &x->before_sleep);
	listen_for(x, &x->term, SIGTERM, on_stop);
	listen_for(x, &x->interrupt, SIGINT, on_stop);
	listen_for(x, &x->hangup, SIGHUP, on_hangup);
	listen_for(x, &x->child, SIGCHLD, on_child);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}
