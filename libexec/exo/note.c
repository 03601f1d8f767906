/* Which attempt a workitem is in, as cur/NAME,aN: only where that could be forgotten otherwise (docs/SPOOL.md, claim.3). */
#include <fcntl.h>

#include "base/clock.h"
#include "exo.h"
#include "sys/dir.h"

#define LOOK_S 0.1
static const int64_t LONG_NS = 100000000;

void note_attempt(struct exo *x, struct item *it)
{
	int r = it->noted ? 0 : sn_claim_note(&x->spool, it->name, it->attempt);

	if (r < 0)
		sn_warn("name=%s attempt=%u: cannot be noted in work/cur: %s", it->name, it->attempt,
			strerror(-r));
	it->noted = true; /* once is enough to say it */
}

/* What has run for a while. Until the next one begins: who works for hours does not keep us awake. */
static void on_look(struct ev_loop *loop, ev_timer *t, int events)
{
	struct exo *x = t->data;
	const int64_t now = sn_clock_mono_ns();
	bool busy = false;

	(void)events;
	for (unsigned i = 0; i < x->worker_count; i++) {
		struct worker *w = x->workers[i];

		if (w->job_count == 0 || w->jobs[0].item.noted)
			continue;
		if (now - worker_began_ns(w) >= LONG_NS)
			note_attempt(x, &w->jobs[0].item);
		else
			busy = true;
	}
	if (!busy)
		ev_timer_stop(loop, t);
}

void note_start(struct exo *x)
{
	ev_timer_init(&x->note, on_look, LOOK_S, LOOK_S);
	x->note.data = x;
}

void note_begin(struct exo *x)
{
	if (!ev_is_active(&x->note))
		ev_timer_again(x->loop, &x->note);
}

void note_answered(struct exo *x, const struct item *it)
{
	int r = it->noted ? sn_claim_forget(&x->spool, it->name, it->attempt) : 0;

	if (r < 0)
		sn_debug("name=%s: its note stays until the next rescan: %s", it->name, strerror(-r));
}

void note_unbegun(struct exo *x, const struct item *it)
{
	int r = it->noted ? sn_claim_uncount(&x->spool, it->name, it->attempt) : 0;

	if (r < 0 && r != -ENOENT)
		sn_warn("name=%s: this attempt counts: %s", it->name, strerror(-r));
}

static int tidy_one(void *arg, const char *leaf)
{
	struct exo *x = arg;
	struct item it;

	if (sn_attempt_parse(leaf, it.name, &it.attempt) == 0 && exo_held(x, it.name) == NULL &&
	    faccessat(x->spool.open, it.name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		unlink_quietly(x->spool.cur, leaf);
	return 0;
}

void note_tidy(struct exo *x)
{
	int r = sn_dir_each(x->spool.cur, tidy_one, x);

	if (r < 0)
		sn_err("cannot read work/cur: %s", strerror(-r));
}
