/* run/NAME/status: written at changes of state only. */
#include "svc/status.h"

#include "base/clock.h"
#include "exo.h"

static const char *state_of(struct exo *x, unsigned ready)
{
	bool backoff = false;

	if (x->phase != EXO_RUNNING)
		return "stopping";
	if (x->no_room)
		return "backoff"; /* room_wait() has set the reason */
	for (unsigned i = 0; ready == 0 && i < x->worker_count; i++) {
		const struct worker *w = x->workers[i];

		if (w->bad_starts == 0 && w->state != WORKER_DOWN)
			continue;
		backoff = true;
		if (w->fatal[0] ==
		    '\0') /* it is trying again: the reason of the time before stands until it knows */
			continue;
		(void)snprintf(x->reason, sizeof x->reason, "%s", w->fatal);
		return "backoff";
	}
	if (backoff)
		return "backoff";
	x->reason[0] = '\0';
	return ready > 0 ? "ready" : "starting";
}

void exo_status_write(struct exo *x, const char *state, int code, const char *reason)
{
	char state_copy[16], reason_copy[EXO_REASON_SIZE];
	struct sn_status s = {.state = state_copy,
			      .pid = getpid(),
			      .workers = x->ready_workers,
			      .restarts = x->restarts,
			      .code = code,
			      .reloads = x->reload.count,
			      .reload = x->reload.why[0] != '\0' && x->reload.trial == NULL ? x->reload.why
											    : NULL,
			      .reason = reason_copy};
	int r;

	if (x->run_fd < 0)
		return;
	x->written_reloads = x->reload.count;
	if (x->state == NULL || strcmp(x->state, state) != 0)
		x->since_us = sn_clock_real_us();
	s.since_us = x->since_us;
	x->state = state;
	(void)snprintf(state_copy, sizeof state_copy, "%s", state);
	(void)snprintf(reason_copy, sizeof reason_copy, "%s", reason != NULL ? reason : "");
	(void)snprintf(x->written_reason, sizeof x->written_reason, "%s", reason_copy);
	r = sn_status_write(x->run_fd, &s);
	if (r < 0)
		sn_warn("cannot write the status file: %s", strerror(-r));
	x->status_failed = r < 0;
}

void exo_status_again(struct exo *x)
{
	if (x->status_failed)
		exo_status_write(x, x->state, 0, x->reason);
}

void exo_status(struct exo *x)
{
	unsigned ready = 0;
	const char *state;

	for (unsigned i = 0; i < x->worker_count; i++)
		ready += x->workers[i]->state == WORKER_READY;
	state = state_of(x, ready);
	if (x->state != NULL && strcmp(state, x->state) == 0 && ready == x->ready_workers &&
	    strcmp(x->reason, x->written_reason) == 0 && x->reload.count == x->written_reloads)
		return;
	x->ready_workers = ready;
	exo_status_write(x, state, 0, x->reason);
}
