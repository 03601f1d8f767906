/* What cancel items set in motion and could not be done at once: tasks, tried again; and what exo is told (cancel.5). */
#include <stdlib.h>

#include "base/fail.h"
#include "cancel.h"
#include "control.h"

enum {
	BACKOFF_FIRST_MS = 500,
	BACKOFF_MAX_MS = 30000,
	REPEAT_MS = 30000,
	CALL_LIMIT_S = 2,
	TASKS_PER_TURN = 256
};

struct task {
	enum cancel_task what;
	char name[SN_NAME_SIZE];
	int64_t due_ns;
	unsigned tries;
	bool blocked; /* it needs a call, and one is under way */
};

static void on_timer(struct ev_loop *loop, ev_timer *w, int events);

struct canceller *canceller_of(struct participant *p)
{
	if (p->canceller == NULL) {
		p->canceller = sn_calloc(1, sizeof *p->canceller);
		p->canceller->p = p;
		ev_init(&p->canceller->timer, on_timer);
		p->canceller->timer.data = p->canceller;
	}
	return p->canceller;
}

static int64_t in_ms(int64_t ms)
{
	return sn_clock_mono_ns() + ms * 1000000;
}

static int64_t backoff_ms(unsigned n)
{
	int64_t ms = BACKOFF_FIRST_MS;

	for (; n > 1 && ms < BACKOFF_MAX_MS; n--)
		ms *= 2;
	return ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
}

/* ---- telling exo ------------------------------------------------------- */

static void run_tasks(struct canceller *c);

static void drop(struct canceller *c, struct task *t)
{
	size_t i = 0;

	while (i < c->count && c->tasks[i] != t)
		i++;
	c->count--;
	memmove(&c->tasks[i], &c->tasks[i + 1], (c->count - i) * sizeof(struct task *));
	free(t);
}

static void told(struct canceller *c, struct task *t)
{
	struct participant *p = c->p;
	int r;

	if (t->what == TASK_PURSUE) { /* once more after a while, should exo have died of it */
		t->due_ns = in_ms(REPEAT_MS);
		t->tries = 0;
		return;
	}
	r = sn_cancel_told(&p->spool, t->name);
	if (r == 0 || r == -ENOENT) {
		drop(c, t);
		return;
	}
	sn_err("participant=%s name=%s: cannot be filed: %s", p->name, t->name, strerror(-r));
	t->due_ns = in_ms(backoff_ms(++t->tries));
}

static void is_silent(struct canceller *c, int error)
{
	if (c->silent++ == 0)
		sn_warn("participant=%s: exo cannot be told of a cancellation yet: %s", c->p->name,
			strerror(-error));
	c->silent_until_ns = in_ms(backoff_ms(c->silent));
}

static void on_answer(void *arg, int error, int code, const struct sn_buf *text)
{
	struct canceller *c = arg;
	struct task *t = c->calling;

	(void)text;
	c->call = NULL;
	c->calling = NULL;
	if (error < 0) {
		is_silent(c, error);
		t->due_ns = c->silent_until_ns;
	} else {
		c->silent = 0;
		/* 4: nobody works on it; a workitem is then looked for again. */
		if (code == 0 || code == SN_EXIT_TRY_AGAIN ||
		    (code == SN_EXIT_UNKNOWN && t->what == TASK_TELL))
			told(c, t);
		else
			t->due_ns = in_ms(backoff_ms(++t->tries));
	}
	run_tasks(c);
}

/* cancel.5 */
static void call(struct canceller *c, struct task *t)
{
	struct participant *p = c->p;
	char line[SN_NAME_SIZE + 32];
	const struct control_request rq = {.run = p->b->rundirs,
					   .participant = p->name,
					   .uid = p->uid,
					   .line = line,
					   .limit_s = CALL_LIMIT_S,
					   .max_bytes = 1 << 18,
					   .done = on_answer,
					   .arg = c};
	int r = SN_FAIL("cancel.5");

	(void)snprintf(line, sizeof line, "cancel %s quiet=yes\n", t->what == TASK_TELL ? "-" : t->name);
	if (r == 0)
		r = control_start(p->b->loop, &rq, &c->call);
	if (r == 0) {
		c->calling = t;
		return;
	}
	if (t->what == TASK_TELL && !control_exo_lives(p->b->rundirs, p->name)) {
		told(c, t); /* no handler runs */
		return;
	}
	is_silent(c, r);
	t->due_ns = c->silent_until_ns;
}

/* ---- tasks ------------------------------------------------------------- */

static enum progress decide(struct participant *p, const char *name)
{
	int r = cancel_decide(p, name);

	return r == 0 || r == -ENOENT ? DONE : AGAIN;
}

static enum progress settle(struct participant *p, const char *name)
{
	int r = sn_cancel_settle(&p->spool, name);

	return r == 0 || r == -EBUSY ? DONE : AGAIN;
}

static void run_task(struct canceller *c, struct task *t)
{
	enum progress r = CALLS;

	switch (t->what) {
	case TASK_DECIDE:
		r = decide(c->p, t->name);
		break;
	case TASK_PURSUE:
		r = cancel_pursue(c->p, t->name);
		break;
	case TASK_SETTLE:
		r = settle(c->p, t->name);
		break;
	case TASK_TELL:
		break;
	}
	t->blocked = r == CALLS && c->call != NULL;
	if (r == DONE)
		drop(c, t);
	else if (r == SOON)
		t->due_ns = in_ms(BACKOFF_FIRST_MS);
	else if (r == AGAIN)
		t->due_ns = in_ms(backoff_ms(++t->tries));
	else if (!t->blocked && c->silent_until_ns > sn_clock_mono_ns())
		t->due_ns = c->silent_until_ns;
	else if (!t->blocked)
		call(c, t);
}

/* The timer, for the task that is due next. */
static void arm(struct canceller *c)
{
	struct ev_loop *loop = c->p->b->loop;
	int64_t next_ns = INT64_MAX;
	double left;

	for (size_t i = 0; i < c->count; i++) {
		const struct task *t = c->tasks[i];

		if (!t->blocked && t != c->calling && t->due_ns < next_ns)
			next_ns = t->due_ns;
	}
	ev_timer_stop(loop, &c->timer);
	if (next_ns == INT64_MAX)
		return;
	left = (double)(next_ns - sn_clock_mono_ns()) / 1e9;
	ev_timer_set(&c->timer, left > 0.001 ? left : 0.001, 0.);
	ev_timer_start(loop, &c->timer);
}

static bool is_due(const struct canceller *c, struct task *t, int64_t now)
{
	if (t->blocked && c->call == NULL)
		t->blocked = false;
	return t != c->calling && !t->blocked && t->due_ns <= now;
}

/* Those of the tasks that are due, of one kind. A task ends none but itself; what it adds may have its turn here, too. */
static void run_kind(struct canceller *c, enum cancel_task what, unsigned *budget)
{
	const int64_t now = sn_clock_mono_ns();

	for (size_t i = 0; i<c->count && * budget> 0;) {
		struct task *t = c->tasks[i];

		if (t->what == what && is_due(c, t, now)) {
			(*budget)--;
			run_task(c, t);
		}
		i += i < c->count && c->tasks[i] == t; /* it may be gone: then the next one stands here */
	}
}

static void run_tasks(struct canceller *c)
{
	unsigned budget = TASKS_PER_TURN;

	if (c->running)
		return;
	c->running = true;
	/* What is to be decided comes first: it looks for markers, which retiring takes away. */
	for (int what = TASK_DECIDE; what <= TASK_SETTLE; what++)
		run_kind(c, (enum cancel_task)what, &budget);
	c->running = false;
	arm(c);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	run_tasks(w->data);
}

/* The task, new unless there is such a one. */
static bool add(struct canceller *c, enum cancel_task what, const char *name)
{
	struct task *t;

	for (size_t i = 0; i < c->count; i++) {
		if (c->tasks[i]->what == what && strcmp(c->tasks[i]->name, name) == 0)
			return false;
	}
	if (c->count == c->cap) {
		c->cap = c->cap > 0 ? 2 * c->cap : 16;
		c->tasks = sn_realloc(c->tasks, c->cap * sizeof(struct task *));
	}
	t = sn_calloc(1, sizeof *t);
	t->what = what;
	memcpy(t->name, name, strlen(name) + 1);
	t->due_ns = sn_clock_mono_ns();
	c->tasks[c->count++] = t;
	return true;
}

void cancel_later(struct participant *p, enum cancel_task what, const char *name)
{
	struct canceller *c = canceller_of(p);

	if (add(c, what, name) && !c->running)
		arm(c);
}

void cancel_do(struct participant *p, enum cancel_task what, const char *name)
{
	struct canceller *c = canceller_of(p);

	(void)add(c, what, name); /* if there is one, it is not run out of its turn */
	run_tasks(c);
}

void cancel_recover(struct participant *p)
{
	struct canceller *c = p->canceller;

	for (size_t i = 0; c != NULL && i < c->count; i++) {
		struct item *it = c->tasks[i]->what == TASK_PURSUE ? item_find(p, c->tasks[i]->name) : NULL;

		if (it != NULL)
			it->cancelled = true; /* before a cancel item is decided that may have marked it */
	}
	if (c != NULL)
		run_tasks(c);
}

void cancel_free(struct participant *p)
{
	struct canceller *c = p->canceller;

	if (c == NULL)
		return;
	control_abort(c->call);
	ev_timer_stop(p->b->loop, &c->timer);
	for (size_t i = 0; i < c->count; i++)
		free(c->tasks[i]);
	free(c->tasks);
	free(c->recent);
	free(c);
	p->canceller = NULL;
}
