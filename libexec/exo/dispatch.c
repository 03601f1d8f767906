/* Which workitem goes to which worker. */
#include "base/clock.h"
#include "cancel.h"
#include "exo.h"

#define COLLECT_S 0.0005

struct item *exo_held(const struct exo *x, const char *name)
{
	struct item *claimed = item_list_find(&x->claimed, name);

	if (claimed != NULL)
		return claimed;
	for (unsigned i = 0; i < x->worker_count; i++) {
		struct worker *w = x->workers[i];

		for (unsigned j = 0; j < w->job_count; j++) {
			if (item_is(&w->jobs[j].item, name))
				return &w->jobs[j].item;
		}
	}
	return NULL;
}

/* Found by looking: it may have been begun before, and exo ended. False: it is not to be run now. */
static bool remember(struct exo *x, struct item *it)
{
	const struct death *d = deaths_find(&x->deaths, it->name);

	it->attempt = sn_claim_noted(&x->spool, it->name, x->config.participant.max_attempts);
	it->noted = it->attempt > 0;
	if (d != NULL && d->count > it->attempt)
		it->attempt = d->count;
	if (it->attempt > 0) {
		intake_resume(x, it);
		return false;
	}
	it->attempt = 1;
	note_attempt(x, it);
	return true;
}

/* The oldest of what waits. False if that one is not ours to run. */
static bool take_first(struct exo *x, struct item *ret)
{
	struct item *held;

	*ret = *queue_first(&x->queue);
	queue_drop_first(&x->queue);
	held = exo_held(x, ret->name);
	if (held != NULL)
		held->changed = true; /* it was found before it was whole */
	if (held != NULL || withdraw_pending(x, ret->name))
		return false; /* or withdrawn, or looked for again when that is over */
	if (ret->attempt > 0)
		return true;
	ret->since_us = sn_clock_real_us();
	return remember(x, ret);
}

/* Those that are about to be withdrawn are passed over. NULL: there is none. */
static const struct item *first_claimed(const struct exo *x)
{
	for (size_t i = 0; i < x->claimed.count; i++) {
		if (!withdraw_pending(x, x->claimed.items[i].name))
			return &x->claimed.items[i];
	}
	return NULL;
}

static bool pick(struct exo *x, struct item *ret)
{
	bool scanned = false;

	for (;;) {
		const struct item *claimed = first_claimed(x);
		const struct item *waiting;

		if (x->queue.count == 0 && x->queue.more && !scanned) {
			scanned = true; /* once: names that cannot be run must not keep us here */
			intake_look(x);
		}
		waiting = queue_first(&x->queue);
		if (claimed != NULL && (waiting == NULL || strcmp(claimed->name, waiting->name) <= 0)) {
			*ret = *claimed;
			item_list_remove(&x->claimed, (size_t)(claimed - x->claimed.items));
			return true;
		}
		if (waiting == NULL)
			return false;
		if (take_first(x, ret))
			return true;
	}
}

static bool next_item(struct exo *x, struct item *ret)
{
	while (pick(x, ret)) {
		if (!cancel_intercept(x, ret))
			return true;
	}
	return false;
}

static void keep(struct exo *x, const struct item *it)
{
	if (item_list_add(&x->claimed, it) < 0)
		sn_debug("name=%s: left until the next rescan", it->name);
}

/* Gives work to all workers that have `depth` workitems. Returns false when nothing is left to give. */
static bool fill(struct exo *x, unsigned depth)
{
	for (unsigned i = 0; i < x->worker_count; i++) {
		struct worker *w = x->workers[i];
		struct item it;
		int r;

		if (w->state != WORKER_READY || w->stale || w->surplus || w->job_count != depth ||
		    depth >= worker_depth(w) || worker_full(w))
			continue;
		if (!next_item(x, &it))
			return false;
		it.again = it.changed = false; /* it is to run now */
		r = talk_work(w, &it);
		if (r < 0) {
			sn_err("worker %s: cannot be given work: %s", w->id, strerror(-r));
			keep(x, &it);
			w->broke = "could not be given work";
			worker_kill(w);
		}
	}
	return true;
}

/* A worker has nothing to do while another has one ahead: that one is taken back. */
static void balance(struct exo *x)
{
	unsigned idle = 0, i;
	struct item it;

	for (i = 0; i < x->worker_count; i++)
		idle += worker_idle(x->workers[i]);
	for (i = 0; i < x->worker_count && idle > 0; i++) {
		struct worker *w = x->workers[i];

		if (w->job_count > 1 && talk_take_back(w, &it)) {
			keep(x, &it);
			idle--;
			x->look = true;
		}
	}
}

/* Workers that have several ahead do not wait for us: look at them all at once, every half a millisecond, instead of
 * waking up (and taking the CPU from them) for each `done`. */
static void set_rhythm(struct exo *x)
{
	bool deep = false;

	for (unsigned i = 0; i < x->worker_count; i++)
		deep = deep || x->workers[i]->job_count > WORKER_JOBS / 2;
	ev_set_io_collect_interval(x->loop, deep ? COLLECT_S : 0.);
}

static void give_out(struct exo *x)
{
	while (x->look) {
		unsigned depth = 0;

		x->look = false;
		if (x->phase != EXO_RUNNING || x->no_room || output_congested(&x->out))
			return;
		if (!fill(x, 0)) {
			balance(x);
			continue;
		}
		while (++depth < WORKER_JOBS && fill(x, depth)) /* nobody is idle: ahead for each */
			;
	}
}

void exo_dispatch(struct exo *x)
{
	if (!x->look)
		return;
	give_out(x);
	set_rhythm(x);
}

void exo_take_back(struct worker *w)
{
	struct item it;

	while (talk_take_back(w, &it))
		keep(w->x, &it);
}

void exo_give_back(struct exo *x)
{
	struct item it;

	for (unsigned i = 0; i < x->worker_count; i++)
		exo_take_back(x->workers[i]);
	while (x->claimed.count > 0) {
		it = x->claimed.items[0];
		item_list_remove(&x->claimed, 0);
		if (!cancel_intercept(x, &it))
			note_unbegun(x, &it);
	}
}
