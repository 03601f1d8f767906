/* Cancelling what no worker has begun. Each that is withdrawn is an error reply with a sync,
 * so many are withdrawn in steps, one step in a turn of the loop, and exo answers and works in between. Until a
 * withdrawal is over nothing of its process goes to a worker: withdraw_pending(). */
#include <stdlib.h>

#include "answer.h"
#include "answered.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cancel.h"
#include "data/workitem.h"
#include "exo.h"
#include "sys/dir.h"

enum { WITHDRAWALS_MAX = CONTROL_CLIENTS, WITHDRAW_MAX = 1024, STEP_ITEMS = 32, LIST_MAX = 128 };
static const int64_t STEP_NS = 5000000;

enum place { TAKEN, WAITING, PLACES }; /* x->claimed; open/ */

struct withdrawal {
	struct withdrawal *next;
	struct client *client; /* NULL: gone. What it set in motion goes on */
	struct exo *x;
	char key[CONTROL_KEY_SIZE];
	bool quiet;
	unsigned found; /* of any kind, for its answer */
	unsigned done;
	enum place place;
	char last[SN_NAME_SIZE]; /* up to here `place` has been looked through */
	struct item_list list;	 /* the next of a directory, at most LIST_MAX */
	size_t at;
	bool more;	      /* than `list` */
	struct answered seen; /* of those of `list` */
};

static bool fits(const struct withdrawal *w, const char *name)
{
	return strcmp(name, w->key) == 0 || sn_name_maybe_of(name, w->key);
}

bool withdraw_pending(const struct exo *x, const char *name)
{
	for (const struct withdrawal *w = x->control.withdrawals; w != NULL; w = w->next) {
		if (fits(w, name))
			return true;
	}
	return false;
}

/* The first LIST_MAX, sorted, of those that are behind `last`. */
static int note(struct withdrawal *w, const struct item *it)
{
	struct item_list *l = &w->list;

	if (strcmp(it->name, w->last) <= 0 || !fits(w, it->name))
		return 0;
	w->more = w->more || l->count == LIST_MAX;
	if (l->count == LIST_MAX && strcmp(it->name, l->items[LIST_MAX - 1].name) > 0)
		return 0;
	if (l->count == LIST_MAX)
		item_list_remove(l, LIST_MAX - 1);
	return item_list_add(l, it);
}

static int note_waiting(void *arg, const char *name)
{
	const struct withdrawal *w = arg;
	struct item it = {0};

	if (!sn_name_valid(name) || exo_held(w->x, name) != NULL)
		return 0;
	memcpy(it.name, name, strlen(name) + 1); /* valid: it fits */
	return note(arg, &it);
}

/* The journals are read once for all of the list. */
static void look_for_answers(struct withdrawal *w)
{
	answered_release(&w->seen);
	for (size_t i = 0; i < w->list.count; i++)
		(void)!answered_add(&w->seen, w->list.items[i].name); /* LIST_MAX: they fit */
	(void)answered_look(&w->seen, w->x);
}

static void list(struct withdrawal *w)
{
	int r;

	w->list.count = w->at = 0;
	w->more = false;
	r = sn_dir_each(w->x->spool.open, note_waiting, w);
	if (r < 0)
		sn_err("cannot read open: %s", strerror(-r));
	look_for_answers(w);
}

static const struct item *next_taken(const struct withdrawal *w)
{
	const struct item_list *l = &w->x->claimed;

	for (size_t i = 0; i < l->count; i++) {
		if (strcmp(l->items[i].name, w->last) > 0 && fits(w, l->items[i].name))
			return &l->items[i];
	}
	return NULL;
}

/* The next whose name fits. False: there is none any more. */
static bool next(struct withdrawal *w, struct item *ret)
{
	while (w->place < PLACES) {
		const struct item *it = w->place == TAKEN	? next_taken(w)
					: w->at < w->list.count ? &w->list.items[w->at++]
								: NULL;

		if (it != NULL) {
			*ret = *it;
			memcpy(w->last, it->name, sizeof w->last);
			return true;
		}
		if (!w->more) {
			w->place++;
			w->last[0] = '\0';
		}
		if (w->place < PLACES)
			list(w);
	}
	return false;
}

/* The name fits; is it that process? Locked then, so that nobody holds it at the same time; -1: not wanted, or held, or
 * another has it. */
static int wanted(const struct withdrawal *w, const struct item *it)
{
	struct stat st;

	if (w->place == WAITING && (exo_held(w->x, it->name) != NULL || !answered_not(&w->seen, it->name)))
		return -1;
	return key_names(w->x, w->key, it) ? sn_claim(&w->x->spool, it->name, &st) : -1;
}

/* Afterwards nobody else has it. */
static void take(const struct withdrawal *w, struct item *it)
{
	struct exo *x = w->x;

	if (w->place == TAKEN) {
		item_list_remove(&x->claimed,
				 (size_t)(item_list_find(&x->claimed, it->name) - x->claimed.items));
		return;
	}
	queue_remove(&x->queue, it->name);
	it->attempt = sn_claim_noted(&x->spool, it->name, x->config.participant.max_attempts);
	it->noted = it->attempt > 0;
	if (!it->noted)
		it->attempt = 1;
}

static void tell(const struct withdrawal *w, const struct item *it, const struct sn_fei *fei,
		 const char *event)
{
	if (w->client != NULL)
		cancel_line(w->client,
			    &(struct cancel_event){.name = it->name, .wfid = fei->wfid, .event = event});
}

/* False: it could not be, and there are too many of those. */
static bool withdraw_one(struct withdrawal *w, const struct item *it)
{
	char message[128];
	const struct answer a = {.outcome = SN_CANCELLED, .silent = w->quiet, .message = message};
	struct sn_fei fei = {0};
	struct cancel *k;

	(void)snprintf(message, sizeof message, "%s: cancelled before it was begun", w->x->name); /* fits */
	(void)fei_read(w->x, it->name, &fei); /* only for the answer */
	if (answer_make(w->x, it, &a) == 0) {
		sn_info("name=%s: cancelled before it was begun%s", it->name,
			w->quiet ? " by the engine" : "");
		tell(w, it, &fei, "withdrawn");
		return true;
	}
	k = cancel_add(w->x, it, fei.wfid); /* it must not run */
	if (k != NULL)
		k->quiet = k->quiet || w->quiet;
	if (k == NULL || (w->client != NULL && item_list_add(&w->client->follows, it) < 0))
		return false;
	tell(w, it, &fei, "requested");
	return true;
}

/* One step. Returns -EAGAIN if there is more to do; 0: all is withdrawn; -E2BIG: no more at once, -ENOSPC: too many
 * that cannot be answered. */
static int step(struct withdrawal *w)
{
	const int64_t until = sn_clock_mono_ns() + STEP_NS;
	struct item it;

	for (unsigned n = 0; n < STEP_ITEMS && sn_clock_mono_ns() < until; n++) {
		SN_AUTOFD int lock = -1;

		if (!next(w, &it))
			return 0;
		lock = wanted(w, &it);
		if (lock < 0)
			continue;
		if (w->done == WITHDRAW_MAX)
			return -E2BIG;
		take(w, &it);
		w->done++;
		if (!withdraw_one(w, &it))
			return -ENOSPC;
	}
	return -EAGAIN;
}

static void end(struct withdrawal *w, const char *why)
{
	struct client *c = w->client;

	if (c != NULL)
		c->withdrawing = false;
	if (c != NULL && why != NULL)
		client_error(c, SN_EXIT_TRY_AGAIN, why);
	else if (c != NULL)
		cancel_requested(c, w->found + w->done);
	item_list_release(&w->list);
	answered_release(&w->seen);
	free(w);
}

static const char *why_not_all(int r)
{
	return r == -E2BIG ? "more of them wait, ask again" : r < 0 ? "too many are being cancelled" : NULL;
}

/* Each has its turn: one step, then it is the last. */
static void on_turn(struct ev_loop *loop, ev_timer *t, int events)
{
	struct exo *x = t->data;
	struct withdrawal **at = &x->control.withdrawals, *w = *at;
	int r = step(w);

	(void)events;
	*at = w->next;
	w->next = NULL;
	if (r == -EAGAIN) {
		while (*at != NULL)
			at = &(*at)->next;
		*at = w;
	} else {
		x->control.withdrawal_count--;
		end(w, why_not_all(r));
		intake_look(x); /* what was passed over, and had a name that fits only */
		x->look = true;
	}
	if (x->control.withdrawals != NULL)
		ev_timer_start(loop, t);
}

void withdraw(struct client *c, const struct request *rq, unsigned found)
{
	struct control *k = &c->x->control;
	struct withdrawal *w;
	int r;

	if (k->withdrawal_count == WITHDRAWALS_MAX) {
		client_error(c, SN_EXIT_TRY_AGAIN, "too many are being cancelled");
		return;
	}
	w = sn_calloc(1, sizeof *w);
	w->client = c;
	w->x = c->x;
	w->quiet = rq->quiet;
	w->found = found;
	(void)snprintf(w->key, sizeof w->key, "%s", rq->key); /* fits */
	r = step(w);					      /* most are done with it */
	if (r != -EAGAIN) {
		end(w, why_not_all(r));
		return;
	}
	c->withdrawing = true;
	w->next = k->withdrawals;
	k->withdrawals = w;
	k->withdrawal_count++;
	if (ev_is_active(&k->turn))
		return;
	ev_timer_init(&k->turn, on_turn, 0, 0);
	k->turn.data = c->x;
	ev_timer_start(c->x->loop, &k->turn);
}

void withdraw_drop_client(const struct client *c)
{
	for (struct withdrawal *w = c->x->control.withdrawals; w != NULL; w = w->next) {
		if (w->client == c)
			w->client = NULL;
	}
}

void withdraw_stop(struct exo *x)
{
	struct control *k = &x->control;
	struct withdrawal *w;

	while ((w = k->withdrawals) != NULL) {
		k->withdrawals = w->next;
		end(w, "exo ends, ask again");
	}
	k->withdrawal_count = 0;
	ev_timer_stop(x->loop, &k->turn);
}
