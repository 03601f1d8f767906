/* Results that come densely are not heard of one by one: an event for each costs its worker a wake-up of ours, and us a turn of the
 * loop. Of a busy participant the watch on work/result is without IN_MODIFY, and its journals are read each millisecond.
 *
 * Busy is not who is merely fast: where few workitems are open, the next one waits for the answer to this one, and would wait
 * for the poll. Of workitems that are handed in one after the other no two are answered between two polls: that is not busy, or
 * not for long. New journals are heard of all the time. */
#include <sys/inotify.h>

#include "bridge.h"

/* Busy: DENSE records within WINDOW_NS, and BACKLOG workitems are open. No more: VAIN_POLLS in a row. Looking into a journal
 * costs an eighth of an event, at most: with many of them open it is not worth while for few records. */
enum { WINDOW_NS = 4000000, DENSE = 8, BACKLOG = 16, VAIN_POLLS = 4, JOURNALS_EACH = 8 };
static const double POLL_S = 0.001, STUCK_S = 0.1;

int busy_watch(struct participant *p, bool modify)
{
	const uint32_t mask = IN_CREATE | IN_MOVED_TO | IN_ONLYDIR | (modify ? IN_MODIFY : 0);
	char path[64];
	int wd;

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", p->spool.result); /* fits */
	wd = inotify_add_watch(p->b->inotify, path, mask); /* or replaces the mask of the one that there is */
	if (wd < 0)
		return -errno;
	p->watch = wd;
	return 0;
}

static void poll_every(struct bridge *b, double s) /* 0: not at all */
{
	b->poll_timer.repeat = s;
	ev_timer_again(b->loop, &b->poll_timer);
}

static void enter(struct participant *p)
{
	int r = busy_watch(p, false);

	if (r < 0) { /* then each is heard of, as before */
		sn_debug("participant=%s: cannot change the inotify watch: %s", p->name, strerror(-r));
		return;
	}
	p->busy = true;
	p->vain_polls = 0;
	TAILQ_INSERT_TAIL(&p->b->busy, p, busy_link);
	poll_every(p->b, POLL_S);
}

void busy_end(struct participant *p)
{
	if (p->busy)
		TAILQ_REMOVE(&p->b->busy, p, busy_link);
	p->busy = false;
}

void busy_heard(struct participant *p)
{
	int64_t now;

	if (p->busy || p->found == 0)
		return;
	now = sn_clock_mono_ns();
	if (now - p->found_since_ns > WINDOW_NS) { /* what is found at once may have been all */
		p->found_since_ns = now;
		p->found = 0;
	} else if (p->found >= DENSE && p->found * JOURNALS_EACH >= p->journal_count &&
		   HASH_COUNT(p->items) >= BACKLOG) {
		enter(p);
	}
}

/* What is `unread` is read in the turns that follow, or waits for the broker: then there is nothing to poll for. */
static void read_on(struct participant *p)
{
	if (!p->unread)
		journals_read(p, false);
}

static void leave(struct participant *p)
{
	int r = busy_watch(p, true);

	if (r < 0) { /* the participant can bring that about: the directory is its own */
		if (p->vain_polls == VAIN_POLLS)
			sn_warn("participant=%s: no inotify watch (%s): results are looked for", p->name,
				strerror(-r));
		return;
	}
	busy_end(p);
	/* Only now: what was written before is found here, and of the rest we hear. */
	read_on(p);
	p->rescan = p->rescan || p->complained; /* a journal that could not be opened, and may have grown */
}

static void poll_one(struct participant *p)
{
	read_on(p);
	if (p->found > 1 && p->found * JOURNALS_EACH >= p->journal_count)
		p->vain_polls = 0;
	else
		p->vain_polls++;
	p->found = 0;
	if (p->vain_polls >= VAIN_POLLS)
		leave(p);
}

void busy_poll(struct ev_loop *loop, ev_timer *w, int events)
{
	struct bridge *b = w->data;
	struct participant *p, *next;
	bool stuck = true;

	(void)loop;
	(void)events;
	for (p = TAILQ_FIRST(&b->busy); p != NULL; p = next) {
		next = TAILQ_NEXT(p, busy_link);
		poll_one(p);
		stuck = stuck && p->vain_polls >= VAIN_POLLS;
	}
	poll_every(b, TAILQ_EMPTY(&b->busy) ? 0. : stuck ? STUCK_S : POLL_S);
}
