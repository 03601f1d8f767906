#include "worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "exo.h"

enum { BACKOFF_MAX_S = 60, HEALTHY_S = 60 };

/* What the timer means, by state. */
static void back_off_over(struct worker *w)
{
	worker_start(w);
}

static void start_hangs(struct worker *w)
{
	(void)snprintf(w->fatal, sizeof w->fatal, "start took longer than start_limit (%u s)",
		       w->x->config.participant.start_limit_s);
	sn_err("worker %s: %s, killing it", w->id, w->fatal);
	worker_kill(w);
}

static void will_not_quit(struct worker *w)
{
	sn_warn("worker %s: does not end, killing it", w->id);
	worker_kill(w);
}

static void no_meaning(struct worker *w)
{
	(void)w;
}

static void (*const ON_TIMER[WORKER_STATES])(struct worker *) = {
	[WORKER_DOWN] = back_off_over,	   [WORKER_STARTING] = start_hangs, [WORKER_READY] = no_meaning,
	[WORKER_QUITTING] = will_not_quit, [WORKER_KILLED] = no_meaning,
};

static void on_timer(struct ev_loop *loop, ev_timer *t, int events)
{
	struct worker *w = t->data;

	(void)loop, (void)events;
	w->x->look = true;
	ON_TIMER[w->state](w);
}

void worker_set_timer(struct worker *w, double seconds)
{
	ev_timer_stop(w->x->loop, &w->timer);
	if (seconds < 0)
		return;
	ev_timer_set(&w->timer, seconds, 0);
	ev_timer_start(w->x->loop, &w->timer);
}

void worker_enter(struct worker *w, enum worker_state state)
{
	if (w->state == state)
		return;
	w->state = state;
	w->since_ns = sn_clock_mono_ns();
}

int64_t worker_began_ns(const struct worker *w)
{
	return w->jobs[0].sent_ns > w->done_ns ? w->jobs[0].sent_ns : w->done_ns;
}

struct worker *worker_new(struct exo *x, unsigned index)
{
	struct worker *w = sn_calloc(1, sizeof *w);

	w->x = x;
	w->index = index;
	w->since_ns = sn_clock_mono_ns();
	w->work = w->theirs = w->control = -1;
	for (size_t i = 0; i < SN_COUNT(w->slots); i++)
		slot_init(&w->slots[i], x);
	ev_init(&w->timer, on_timer);
	w->timer.data = w;
	limit_init(w);
	return w;
}

void worker_free(struct worker *w)
{
	worker_close(w);
	ev_timer_stop(w->x->loop, &w->timer);
	free(w);
}

unsigned worker_depth(const struct worker *w)
{
	return w->pace_ns > 0 && w->pace_ns < WORKER_QUICK_NS ? WORKER_JOBS : 2;
}

bool worker_full(const struct worker *w)
{
	const unsigned max = w->x->config.participant.max_items;

	return max > 0 && w->done_items + w->job_count >= max;
}

bool worker_idle(const struct worker *w)
{
	return w->state == WORKER_READY && w->job_count == 0 && !w->stale && !w->surplus;
}

/* The two ends; ours is not blocking. */
static int pair(int ret[2])
{
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0)
		return -errno;
	if (fcntl(ret[0], F_SETFL, O_NONBLOCK) == 0)
		return 0;
	r = -errno;
	(void)close(ret[0]);
	(void)close(ret[1]);
	return r;
}

static int launch(struct worker *w)
{
	SN_AUTOFD int out0 = slot_open(&w->slots[0]);
	SN_AUTOFD int out1 = slot_open(&w->slots[1]);
	SN_AUTOFD int theirs = -1;
	int control[2], work[2], r;

	if (out0 < 0 || out1 < 0)
		return out0 < 0 ? out0 : out1;
	if ((r = pair(work)) < 0)
		return r;
	w->work = work[0];
	w->theirs = work[1];
	if ((r = pair(control)) < 0)
		return r;
	w->control = control[0];
	theirs = control[1];
	w->pid = spawn(w, &(struct spawn_fds){{out0, out1}, w->theirs, theirs});
	return w->pid < 0 ? w->pid : 0;
}

void worker_start(struct worker *w)
{
	unsigned limit = w->x->config.participant.start_limit_s;
	int r;

	w->generation = ++w->x->generation;
	if (w->trial)
		(void)snprintf(w->id, sizeof w->id, "check-%u", w->generation);
	else
		(void)snprintf(w->id, sizeof w->id, "%u-%u", w->index, w->generation);
	w->stale = w->planned = w->warned = w->over = false;
	w->broke = NULL;
	w->done_items = 0;
	w->ready_ns = 0;
	w->done_ns = w->pace_ns = 0;
	w->fatal[0] = '\0';
	r = launch(w);
	if (r < 0) {
		(void)snprintf(w->fatal, sizeof w->fatal, "cannot start a worker: %s", strerror(-r));
		sn_err("worker %s: %s", w->id, w->fatal);
		w->pid = 0;
		worker_close(w);
		w->bad_starts++;
		if (!w->trial)
			worker_again(w, false);
		return;
	}
	worker_enter(w, WORKER_STARTING);
	worker_set_timer(w, limit > 0 ? (double)limit : -1);
	talk_start(w);
}

void worker_quit(struct worker *w, double limit_s)
{
	if (w->state != WORKER_STARTING && w->state != WORKER_READY)
		return;
	if (w->state == WORKER_READY)
		talk_control(w, "stop");
	talk_control(w, "quit");
	worker_enter(w, WORKER_QUITTING);
	worker_set_timer(w, limit_s);
}

void worker_retire(struct worker *w)
{
	double grace = w->x->config.participant.grace_s;

	w->stale = true;
	exo_take_back(w);
	if (w->state == WORKER_STARTING)
		worker_kill(w); /* has nothing to lose */
	else if (w->state == WORKER_READY && w->job_count == 0)
		worker_quit(w, grace > 1 ? grace : 1);
}

void worker_kill(struct worker *w)
{
	if (w->pid <= 0)
		return;
	(void)kill(-w->pid, SIGKILL); /* ESRCH: waitpid will tell */
	(void)kill(w->pid, SIGKILL);
	worker_enter(w, WORKER_KILLED);
	worker_set_timer(w, -1);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* sockets */
	*fd = -1;
}

void worker_close(struct worker *w)
{
	asks_drop_worker(w);
	limit_end(w);
	talk_stop(w);
	close_fd(&w->work);
	close_fd(&w->theirs);
	close_fd(&w->control);
	for (size_t i = 0; i < SN_COUNT(w->slots); i++)
		slot_close(&w->slots[i]);
	w->job_count = 0;
	w->pid = 0;
	worker_enter(w, WORKER_DOWN);
}

void worker_again(struct worker *w, bool at_once)
{
	if (w->ready_ns != 0 && sn_clock_mono_ns() - w->ready_ns >= HEALTHY_S * INT64_C(1000000000))
		w->backoff_s = 0;
	if (w->backoff_s == 0 && !at_once)
		w->backoff_s = 1;
	worker_set_timer(w, w->backoff_s);
	w->backoff_s = w->backoff_s == 0 ? 1 : w->backoff_s * 2;
	if (w->backoff_s > BACKOFF_MAX_S)
		w->backoff_s = BACKOFF_MAX_S;
}
