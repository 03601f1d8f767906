/* How workers end, and what was with them. Judged by waitpid alone. */
#include <signal.h>
#include <sys/wait.h>

#include "answer.h"
#include "cancel.h"
#include "exo.h"
#include "sys/signame.h"

enum { UNCOUNTED_MAX = 100, HOW_SIZE = 96 };

/* docs/WORKER.md, last paragraph. Afterwards jobs[0] is the workitem it died in, if there is one. */
static void settle(struct worker *w)
{
	talk_read_all(w); /* a `done` counts */
	exo_take_back(w);
	for (size_t i = 0; i < SN_COUNT(w->slots); i++)
		slot_drain(&w->slots[i]);
}

/* We have cut it short ourselves. */
static void uncount(struct exo *x, const struct item *it)
{
	const unsigned long times = short_add(x, it->name);

	if (times > UNCOUNTED_MAX)
		sn_warn("name=%s: cut short for the %luth time: this attempt counts", it->name, times);
	else
		note_unbegun(x, it);
}

static void lose_job(struct worker *w, const char *how)
{
	struct exo *x = w->x;
	struct job *job = &w->jobs[0];
	struct cancel *k;
	const struct ring *ring = w->slots[job->slot].ring;
	char why[DEATH_WHY_SIZE];
	enum sn_outcome outcome;
	unsigned tried;
	int r;

	r = sn_journal_has_since(x->spool.result, job->item.name, job->item.since_us, &outcome);
	if (r < 0)
		sn_err("cannot read work/result: %s", strerror(-r));
	if (r == 1) { /* it died between that and its `done` */
		sn_info("name=%s attempt=%u: had its answer when its worker ended", job->item.name,
			job->item.attempt);
		answer_stored(x, &job->item, sn_outcome_name(outcome));
		if (job->item.again) /* that one is rejected already */
			queue_add(&x->queue, job->item.name, 0);
		return;
	}
	note_attempt(x, &job->item);
	(void)snprintf(why, sizeof why, "worker %s", how);
	crash_report(&job->item, how, ring);
	k = cancel_find(x, job->item.name);
	if (k != NULL) {
		cancel_settle(k, &job->item, why, ring);
		return;
	}
	if (w->over) {
		limit_answer(w, &job->item, ring);
		return;
	}
	if (x->phase != EXO_RUNNING) { /* the next start resumes it */
		if (w->state == WORKER_KILLED)
			uncount(x, &job->item);
		return;
	}
	tried = deaths_add(&x->deaths, job->item.name, job->item.attempt, why);
	if (tried < x->config.participant.max_attempts) {
		intake_resume(x, &job->item);
		return;
	}
	crash_answer(x, &job->item, why, ring);
}

static void next_life(struct worker *w, bool planned)
{
	struct exo *x = w->x;

	if (x->phase != EXO_RUNNING || w->surplus)
		return;
	if (planned)
		worker_start(w);
	else
		worker_again(w, w->ready_ns != 0);
}

static void say(struct worker *w, const char *how)
{
	const char *last;

	if (w->ready_ns != 0) {
		(void)snprintf(w->fatal, sizeof w->fatal, "worker %s", how);
		sn_err("worker %s: %s", w->id, how);
		return;
	}
	w->bad_starts++;
	if (w->fatal[0] == '\0') {
		last = ring_reason(w->slots[0].ring);
		(void)snprintf(w->fatal, sizeof w->fatal, "%s in start%s%s", how, last != NULL ? ": " : "",
			       last != NULL ? last : "");
	}
	sn_err("worker %s: did not start: %s", w->id, w->fatal);
}

static void describe(const struct worker *w, const siginfo_t *si, char ret_how[HOW_SIZE])
{
	if (w->broke != NULL)
		(void)snprintf(ret_how, HOW_SIZE, "%s, and was killed", w->broke); /* fits */
	else
		sn_describe_end(si->si_code, si->si_status, ret_how, HOW_SIZE);
}

static void bury(struct worker *w, const siginfo_t *si)
{
	struct exo *x = w->x;
	bool planned = (w->state == WORKER_QUITTING && si->si_code == CLD_EXITED && si->si_status == 0) ||
		       w->stale;
	bool had_job;
	char how[HOW_SIZE];

	describe(w, si, how);
	(void)kill(-w->pid, SIGKILL); /* its group: not reaped yet, so the number is still its own */
	settle(w);
	had_job = w->job_count > 0;
	if (had_job)
		lose_job(w, how);
	planned = w->planned || (planned && !had_job) || x->phase != EXO_RUNNING;
	if (!planned) {
		x->restarts++;
		say(w, how);
	}
	for (size_t i = 0; i < SN_COUNT(w->slots); i++)
		slot_detach(&w->slots[i]); /* for what its children still print; they are killed */
	worker_close(w);
	strays_kill(x);
	next_life(w, planned);
}

static void bury_trial(struct worker *w, const siginfo_t *si)
{
	char how[HOW_SIZE];

	describe(w, si, how);
	(void)kill(-w->pid, SIGKILL);
	settle(w);
	w->pid = 0;
	reload_judge(w->x, how);
}

void death_reap(struct exo *x)
{
	for (;;) {
		siginfo_t si = {0};
		struct worker *w = NULL;

		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || si.si_pid == 0)
			return;
		for (unsigned i = 0; i < x->worker_count; i++) {
			if (x->workers[i]->pid == si.si_pid)
				w = x->workers[i];
		}
		if (w != NULL)
			bury(w, &si);
		else if (x->reload.trial != NULL && x->reload.trial->pid == si.si_pid)
			bury_trial(x->reload.trial, &si);
		(void)waitid(P_PID, (id_t)si.si_pid, &si, WEXITED | WNOHANG); /* it is there */
		x->look = true;
	}
}
