#include "cancel.h"

#include <stdlib.h>

#include "answer.h"
#include "base/mem.h"
#include "data/workitem.h"
#include "exo.h"

static const double AGAIN_S = 0.05;
/* What a worker says of a workitem that it has not begun yet, or has just ended. */
static const char NOT_NOW[] = "\"finished meanwhile\"";

struct cancel *cancel_find(const struct exo *x, const char *name)
{
	for (struct cancel *k = x->control.cancels; k != NULL; k = k->next) {
		if (strcmp(k->name, name) == 0)
			return k;
	}
	return NULL;
}

void cancel_line(struct client *c, const struct cancel_event *e)
{
	struct sn_buf buf = SN_BUF(CONTROL_LINE_MAX);
	struct sn_jsonw j;

	line_begin(&j, &buf, "cancel");
	sn_jsonw_string(&j, "name", e->name);
	sn_jsonw_string(&j, "wfid", e->wfid);
	sn_jsonw_string(&j, "event", e->event);
	if (e->outcome != NULL)
		sn_jsonw_string(&j, "outcome", e->outcome);
	if (e->answer != NULL && e->answer->kind != ANSWER_ABSENT)
		answer_line(&j, e->answer);
	line_send(c, &j);
}

static size_t followed(const struct client *c, const char *name)
{
	size_t i = 0;

	while (i < c->follows.count && !item_is(&c->follows.items[i], name))
		i++;
	return i;
}

static void say(const struct cancel *k, struct cancel_event e)
{
	e.name = k->name;
	e.wfid = k->wfid;
	for (struct client *c = k->x->control.clients; c != NULL; c = c->next) {
		if (!c->dead && followed(c, k->name) < c->follows.count)
			cancel_line(c, &e);
	}
}

static void drop(struct cancel *k)
{
	ev_timer_stop(k->x->loop, &k->kill);
	ev_timer_stop(k->x->loop, &k->again);
	free(k);
}

static void forget(struct cancel *k)
{
	struct control *control = &k->x->control;
	struct cancel **at = &control->cancels;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	control->cancel_count--;
	drop(k);
}

static void finish(struct cancel *k)
{
	const char *outcome = k->outcome;

	say(k, (struct cancel_event){.event = "finished", .outcome = outcome});
	for (struct client *c = k->x->control.clients; c != NULL; c = c->next) {
		size_t at = followed(c, k->name);

		if (at == c->follows.count)
			continue;
		item_list_remove(&c->follows, at);
		if (c->follows.count == 0 && !c->withdrawing)
			client_end(c, 0);
	}
	sn_info("name=%s: cancelled, ended (%s)", k->name, outcome);
	forget(k);
}

void cancel_finished(struct cancel *k, const char *outcome)
{
	(void)snprintf(k->outcome, sizeof k->outcome, "%s", outcome); /* a word of ours: it fits */
	if (!k->asked) {
		finish(k);
		return;
	}
	/* Its cancel() has just made it end, most likely: what that returned is on its way. */
	k->ended = true;
	ev_timer_stop(k->x->loop, &k->kill);
	ev_timer_again(k->x->loop, &k->again);
}

void cancel_settle(struct cancel *k, const struct item *it, const char *how, const struct ring *ring)
{
	char message[256];

	(void)snprintf(message, sizeof message, "%s: cancelled: %s", k->x->name, how); /* cut if ever */
	if (answer_unless_held(k->x, it,
			       &(struct answer){.outcome = SN_CANCELLED,
						.silent = k->quiet,
						.message = message,
						.ring = ring}) < 0)
		return;
	if (k->killed)
		say(k, (struct cancel_event){.event = "killed"});
	cancel_finished(k, sn_outcome_name(SN_CANCELLED));
}

bool cancel_intercept(struct exo *x, const struct item *it)
{
	struct cancel *k = x->control.cancels != NULL ? cancel_find(x, it->name) : NULL;

	if (k == NULL)
		return false;
	cancel_settle(k, it, "it does not run again", NULL);
	return true;
}

/* The worker that has it, NULL if none. */
static struct worker *worker_of(const struct exo *x, const char *name)
{
	for (unsigned i = 0; i < x->worker_count; i++) {
		for (unsigned j = 0; j < x->workers[i]->job_count; j++) {
			if (item_is(&x->workers[i]->jobs[j].item, name))
				return x->workers[i];
		}
	}
	return NULL;
}

static void on_kill(struct ev_loop *loop, ev_timer *t, int events)
{
	struct cancel *k = t->data;
	struct worker *w = worker_of(k->x, k->name);

	(void)loop, (void)events;
	if (w == NULL || w->job_count == 0 || !item_is(&w->jobs[0].item, k->name))
		return; /* it has just ended: that it is over will be said */
	sn_warn("name=%s: cancelled, not ended after %g s, killing worker %s", k->name, k->kill_s, w->id);
	k->killed = true;
	w->planned = true;
	worker_kill(w);
}

static void tell(struct cancel *k, struct worker *w, const struct item *it)
{
	int r = ask_worker(w, "cancel", it, NULL);

	k->asked = r == 0;
	if (r == 0)
		return;
	sn_warn("name=%s: worker %s cannot be told of the cancellation, tried again: %s", k->name, w->id,
		strerror(-r));
	ev_timer_again(k->x->loop, &k->again);
}

static void on_again(struct ev_loop *loop, ev_timer *t, int events)
{
	struct cancel *k = t->data;
	struct worker *w = worker_of(k->x, k->name);

	(void)events;
	ev_timer_stop(loop, t);
	if (k->ended)
		finish(k);
	else if (w != NULL && item_is(&w->jobs[0].item, k->name))
		tell(k, w, &w->jobs[0].item);
	else if (w != NULL)
		ev_timer_again(loop, t); /* its turn has not come */
}

struct cancel *cancel_add(struct exo *x, const struct item *it, const char *wfid)
{
	struct control *control = &x->control;
	struct cancel *k = cancel_find(x, it->name);

	if (k != NULL || control->cancel_count == CANCELS_MAX)
		return k;
	k = sn_calloc(1, sizeof *k);
	k->x = x;
	memcpy(k->name, it->name, sizeof k->name);
	(void)snprintf(k->wfid, sizeof k->wfid, "%s", wfid); /* fits: SN_FEI_MAX */
	ev_timer_init(&k->kill, on_kill, 0, 0);
	ev_timer_init(&k->again, on_again, 0, AGAIN_S);
	k->kill.data = k->again.data = k;
	k->next = control->cancels;
	control->cancels = k;
	control->cancel_count++;
	return k;
}

static bool not_now(const struct handler_answer *h)
{
	return h->kind == ANSWER_ABSENT && h->json.len == sizeof NOT_NOW - 1 &&
	       memcmp(h->json.data, NOT_NOW, h->json.len) == 0;
}

void cancel_answered(struct worker *w, const struct item *it, const struct handler_answer *h)
{
	static const char *const EVENTS[] = {
		[ANSWER_VALUE] = "acknowledged", [ANSWER_ERROR] = "failed", [ANSWER_ABSENT] = "unsupported"};
	struct cancel *k = cancel_find(w->x, it->name);

	if (k == NULL)
		return; /* it has ended */
	k->asked = false;
	if (h->kind != ANSWER_ABSENT ||
	    (h->json.data != NULL && !not_now(h))) { /* no data: its worker has died */
		k->told = true;
		say(k, (struct cancel_event){.event = EVENTS[h->kind], .answer = h});
	}
	if (k->ended)
		finish(k);
	else if (h->json.data != NULL && not_now(h))
		ev_timer_again(w->x->loop, &k->again);
}

/* It runs, or is about to. False: too many are cancelled at once. */
static bool cancel_running(struct client *c, const struct request *rq, struct worker *w,
			   const struct item *it)
{
	struct sn_fei fei = {0};
	struct cancel *k;

	(void)fei_read(c->x, it->name, &fei); /* only for the answer */
	k = cancel_add(c->x, it, fei.wfid);
	if (k == NULL || item_list_add(&c->follows, it) < 0)
		return false;
	if (!k->told)
		sn_info("name=%s: cancelled%s", it->name, rq->quiet ? " by the engine" : "");
	k->quiet = k->quiet || rq->quiet;
	if (rq->kill_s > 0) {
		k->kill_s = rq->kill_s;
		ev_timer_stop(c->x->loop, &k->kill);
		ev_timer_set(&k->kill, rq->kill_s, 0);
		ev_timer_start(c->x->loop, &k->kill);
	}
	/* Who asks again wants the handler told again; the bridge repeats itself by the clock. */
	if (!k->asked && !ev_is_active(&k->again) && !(k->told && rq->quiet))
		tell(k, w, it);
	cancel_line(c, &(struct cancel_event){.name = k->name, .wfid = k->wfid, .event = "requested"});
	return true;
}

/* What its worker has not read is taken back first: it need not run. */
static unsigned cancel_with_workers(struct client *c, const struct request *rq)
{
	struct exo *x = c->x;
	unsigned found = 0;

	for (unsigned i = 0; i < x->worker_count; i++) {
		struct worker *w = x->workers[i];

		for (unsigned j = 1; j < w->job_count; j++) {
			if (!key_names(x, rq->key, &w->jobs[j].item))
				continue;
			exo_take_back(w);
			x->look = true;
		}
		for (unsigned j = 0; j < w->job_count; j++) {
			if (!key_names(x, rq->key, &w->jobs[j].item))
				continue;
			found++;
			if (!cancel_running(c, rq, w, &w->jobs[j].item))
				client_error(c, SN_EXIT_TRY_AGAIN, "too many are being cancelled");
		}
	}
	return found;
}

/* Which workitem is meant is not known: every handler hears of it. */
static void tell_all(struct client *c)
{
	unsigned told = 0;

	for (unsigned i = 0; i < c->x->worker_count; i++) {
		struct worker *w = c->x->workers[i];
		char text[32];

		(void)snprintf(text, sizeof text, "cancel %u -", ++c->x->control.last_id); /* fits */
		if (w->state == WORKER_READY && talk_say(w, text) == 0)
			told++;
	}
	client_end(c, told > 0 ? 0 : SN_EXIT_UNKNOWN);
}

static void wait_is_over(struct client *c)
{
	client_end(c, SN_EXIT_TRY_AGAIN);
}

void cancel_requested(struct client *c, unsigned found)
{
	if (c->ending)
		return; /* it has been told that too many are being cancelled */
	if (found == 0)
		client_end(c, SN_EXIT_UNKNOWN);
	else if (c->follows.count == 0 || c->wait_s <= 0)
		client_end(c, 0);
	else
		client_wait(c, c->wait_s, wait_is_over);
}

void cancel_request(struct client *c, const struct request *rq)
{
	if (rq->key == NULL) {
		client_error(c, SN_EXIT_USAGE, "cancel needs a name or a wfid");
		return;
	}
	if (strcmp(rq->key, "-") == 0) {
		tell_all(c);
		return;
	}
	withdraw(c, rq, cancel_with_workers(c, rq));
}

void cancels_release(struct exo *x)
{
	struct cancel *next = x->control.cancels;

	x->control.cancels = NULL;
	while (next != NULL) {
		struct cancel *k = next;

		next = k->next;
		drop(k);
	}
}
