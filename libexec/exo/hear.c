/* What workers say on their sockets. */
#include "hear.h"

#include <stdlib.h>

#include "answer.h"
#include "base/clock.h"
#include "base/log.h"
#include "cancel.h"
#include "exo.h"

void hear_break_off(struct worker *w, const char *why)
{
	sn_err("worker %s: %s, killing it", w->id, why);
	if (w->broke == NULL)
		w->broke = why;
	worker_kill(w);
}

static void on_ready(struct worker *w, struct packet *p)
{
	(void)p;
	w->ready_ns = sn_clock_mono_ns();
	w->bad_starts = 0;
	if (w->trial) {
		worker_kill(w); /* that was all */
		return;
	}
	if (w->state != WORKER_STARTING)
		return; /* told to quit meanwhile */
	worker_enter(w, WORKER_READY);
	worker_set_timer(w, -1);
}

static void on_fatal(struct worker *w, struct packet *p)
{
	(void)snprintf(w->fatal, sizeof w->fatal, "%s", p->text); /* cut: it is for people */
}

void hear_drop_job(struct worker *w, unsigned i)
{
	w->job_count--;
	memmove(&w->jobs[i], &w->jobs[i + 1], (w->job_count - i) * sizeof w->jobs[0]);
}

/* From the end of the one before, or from when it was sent if that was later. */
static void pace(struct worker *w, const struct job *j)
{
	const int64_t now = sn_clock_mono_ns(), from = j->sent_ns > w->done_ns ? j->sent_ns : w->done_ns;

	w->pace_ns += (now - from - w->pace_ns) / 4;
	w->done_ns = now;
}

/* The workitem is not with the worker any more: its output ends here. Returns false if it never was. */
static bool end_job(struct worker *w, const struct packet *p, struct job *ret)
{
	char leaf[SN_ATTEMPT_SIZE];
	struct slot *s;

	if (w->job_count == 0)
		return false;
	item_leaf(&w->jobs[0].item, leaf);
	if (p->words[1] == NULL || strcmp(leaf, p->words[1]) != 0)
		return false;
	*ret = w->jobs[0];
	hear_drop_job(w, 0);
	if (w->job_count > 0) {
		w->jobs[0].item.again = false; /* its turn has come */
		note_begin(w->x);
	}
	pace(w, ret);
	s = &w->slots[ret->slot];
	slot_drain(s);
	if (p->dirty)
		slot_detach(s);
	slot_begin(s, NULL);
	return true;
}

static void after_job(struct worker *w)
{
	w->done_items++;
	if (w->job_count == 0 && worker_full(w))
		w->stale = true;
	if (w->job_count == 0 && (w->stale || w->surplus))
		worker_retire(w);
}

static const char *outcome_word(const struct packet *p)
{
	enum sn_outcome o;

	return p->words[2] != NULL && sn_outcome_parse(p->words[2], &o) == 0 ? sn_outcome_name(o) : "unknown";
}

static void on_done(struct worker *w, struct packet *p)
{
	struct job job;

	if (!end_job(w, p, &job)) {
		hear_break_off(w, "says it did a workitem that it does not have");
		return;
	}
	answer_stored(w->x, &job.item, outcome_word(p));
	if (job.item.again)
		queue_add(&w->x->queue, job.item.name, 0);
	if (w->over)
		worker_kill(w); /* it was told to end: the result came late, and is on its way all the same */
	after_job(w);
}

/* Passed over. What has become of it since then may be the reason to look again. */
static void look_again(struct exo *x, const struct item *it)
{
	note_unbegun(x, it);
	if (it->again || it->changed)
		queue_add(&x->queue, it->name, 0);
}

static void on_damaged(struct worker *w, struct packet *p)
{
	struct job job;

	if (!end_job(w, p, &job)) {
		hear_break_off(w, "speaks of a workitem that it does not have");
		return;
	}
	sn_err("name=%s: its file in open/ is damaged, left to the bridge", job.item.name);
	look_again(w->x, &job.item);
	after_job(w);
}

static void on_gone(struct worker *w, struct packet *p)
{
	struct job job;
	struct cancel *k;

	if (!end_job(w, p, &job)) {
		hear_break_off(w, "speaks of a workitem that it does not have");
		return;
	}
	sn_info("name=%s: is not there any more, or held", job.item.name);
	look_again(w->x, &job.item);
	k = cancel_find(w->x, job.item.name);
	if (k != NULL)
		cancel_finished(k, "gone");
	after_job(w);
}

static void on_nospace(struct worker *w, struct packet *p)
{
	struct job job;
	char why[DEATH_WHY_SIZE];
	int err = p->words[2] != NULL ? atoi(p->words[2]) : EIO;

	if (!end_job(w, p, &job)) {
		hear_break_off(w, "speaks of a workitem that it does not have");
		return;
	}
	if (limit_refuses(w, &job))
		return;
	(void)snprintf(why, sizeof why, "the result cannot be stored: %s", strerror(err));
	sn_err("name=%s attempt=%u: %s", job.item.name, job.item.attempt, why);
	room_wait(w->x, p->words[3] != NULL ? strtoull(p->words[3], NULL, 10) : 0, err);
	/* Not the workitem's fault: the same attempt again, when there is room. */
	if (item_list_add(&w->x->claimed, &job.item) < 0)
		sn_debug("name=%s: left until the next rescan", job.item.name);
	after_job(w);
}

static void on_ok(struct worker *w, struct packet *p)
{
	(void)w, (void)p; /* "ok stop": nothing waits for it; `quit` is behind it in the socket */
}

/* On the control socket: "answer ID JSON". */
static void on_answer(struct worker *w, struct packet *p)
{
	ask_answered(w, p->text);
}

static const struct verb {
	const char *word;
	bool (*allowed)[WORKER_STATES];
	void (*handle)(struct worker *, struct packet *);
} VERBS[] = {
	{"ready", &(bool[WORKER_STATES]){[WORKER_STARTING] = true, [WORKER_QUITTING] = true}, on_ready},
	{"fatal", &(bool[WORKER_STATES]){[WORKER_STARTING] = true, [WORKER_QUITTING] = true}, on_fatal},
	{"done", &(bool[WORKER_STATES]){false, false, true, true, true}, on_done},
	{"damaged", &(bool[WORKER_STATES]){false, false, true, true, true}, on_damaged},
	{"gone", &(bool[WORKER_STATES]){false, false, true, true, true}, on_gone},
	{"nospace", &(bool[WORKER_STATES]){false, false, true, true, true}, on_nospace},
	{"ok", &(bool[WORKER_STATES]){false, true, true, true, true}, on_ok},
	{"answer", &(bool[WORKER_STATES]){false, true, true, true, true}, on_answer},
};

void packet_split(char *text, struct packet *ret)
{
	size_t len = strlen(text), n = 0;
	char *rest = text, *word;

	*ret = (struct packet){.dirty = len >= 6 && strcmp(text + len - 6, " dirty") == 0};
	ret->text = strchr(text, ' ') != NULL ? strchr(text, ' ') + 1 : text + len;
	if (strncmp(text, "fatal ", 6) == 0 || strncmp(text, "answer ", 7) == 0) {
		ret->text[-1] = '\0';
		ret->words[0] = text;
		return;
	}
	while (n < WORDS_MAX && (word = strsep(&rest, " ")) != NULL)
		ret->words[n++] = word;
}

void hear(struct worker *w, char *text)
{
	struct packet p;

	packet_split(text, &p);
	for (size_t i = 0; i < SN_COUNT(VERBS); i++) {
		if (strcmp(VERBS[i].word, p.words[0]) != 0)
			continue;
		if ((*VERBS[i].allowed)[w->state])
			VERBS[i].handle(w, &p);
		else
			hear_break_off(w, "sent a message out of turn");
		return;
	}
	hear_break_off(w, "sent a message that is none");
}
