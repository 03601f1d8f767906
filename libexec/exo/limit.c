/* time_limit: how long one workitem may take. One timer for each worker, set when it has nothing to do and gets work, and
 * only looked at again when it fires: a workitem in between costs nothing. */
#include <signal.h>

#include "answer.h"
#include "base/clock.h"
#include "cancel.h"
#include "exo.h"
#include "hear.h"

static const double DIE_BEFORE_S = 5, TERM_PATIENCE_S = 2;

static double limit_s(const struct worker *w)
{
	return w->x->config.participant.time_limit_s;
}

/* When the handler is told: earlier than the end, and never before half of the time is over. */
static double warning_s(const struct worker *w)
{
	const double limit = limit_s(w);

	return limit > 2 * DIE_BEFORE_S ? limit - DIE_BEFORE_S : limit / 2;
}

static void arm(struct worker *w, double seconds)
{
	ev_timer_stop(w->x->loop, &w->limit);
	ev_timer_set(&w->limit, seconds, 0);
	ev_timer_start(w->x->loop, &w->limit);
}

static void over(struct worker *w)
{
	sn_err("name=%s attempt=%u: time_limit of %g s is over, ending worker %s", w->jobs[0].item.name,
	       w->jobs[0].item.attempt, limit_s(w), w->id);
	w->over = w->planned = true;
	exo_take_back(w);
	if (kill(-w->pid, SIGTERM) < 0)
		(void)kill(w->pid, SIGTERM); /* it has left its group; ESRCH: waitpid will tell */
	worker_enter(w, WORKER_QUITTING);
	worker_set_timer(w, TERM_PATIENCE_S);
}

/* It need not end, but it was told that it will: it gets no more work. */
static void warn(struct worker *w)
{
	sn_warn("name=%s: time_limit of %g s is over soon", w->jobs[0].item.name, limit_s(w));
	w->stale = w->warned = true;
	exo_take_back(w);
	talk_control(w, "die");
}

static void on_limit(struct ev_loop *loop, ev_timer *t, int events)
{
	struct worker *w = t->data;
	double elapsed;

	(void)loop, (void)events;
	w->x->look = true;
	talk_read_all(w); /* a `done` counts */
	if (limit_s(w) <= 0 || w->job_count == 0 || w->over || w->state == WORKER_KILLED)
		return;
	elapsed = (double)(sn_clock_mono_ns() - worker_began_ns(w)) * 1e-9;
	if (elapsed >= limit_s(w)) {
		over(w);
	} else if (elapsed >= warning_s(w)) {
		if (!w->warned)
			warn(w);
		arm(w, limit_s(w) - elapsed);
	} else {
		arm(w, warning_s(w) - elapsed);
	}
}

void limit_init(struct worker *w)
{
	ev_init(&w->limit, on_limit);
	w->limit.data = w;
}

void limit_begin(struct worker *w)
{
	if (limit_s(w) > 0 && !ev_is_active(&w->limit))
		arm(w, warning_s(w));
}

void limit_end(struct worker *w)
{
	ev_timer_stop(w->x->loop, &w->limit);
}

void limit_answer(struct worker *w, const struct item *it, const struct ring *ring)
{
	struct exo *x = w->x;
	char why[DEATH_WHY_SIZE];

	(void)snprintf(why, sizeof why, "not done within time_limit (%g s)", limit_s(w)); /* fits */
	deaths_late(&x->deaths, it->name, why); /* it does not run again, answered now or later */
	crash_answer(x, it, why, ring);
}

bool limit_refuses(struct worker *w, const struct job *job)
{
	struct cancel *k;

	if (!w->over)
		return false;
	k = cancel_find(w->x, job->item.name);
	if (k != NULL)
		cancel_settle(k, &job->item, "its time was over", NULL);
	else
		limit_answer(w, &job->item, w->slots[job->slot].ring);
	worker_kill(w);
	return true;
}
