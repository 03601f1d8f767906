/* What waits: inotify on open/ as a hint, and a look at it at start, on overflow and every 30 s. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "cancel.h"
#include "exo.h"
#include "sys/dir.h"

enum { RESCAN_S = 30, EVENTS_SIZE = 16384, READS_MAX = 256 };

void unlink_quietly(int dirfd, const char *leaf)
{
	int r = sn_dir_unlink(dirfd, leaf);

	if (r < 0)
		sn_debug("cannot unlink %s: %s", leaf, strerror(-r));
}

void intake_resume(struct exo *x, const struct item *it)
{
	const struct death *d = deaths_find(&x->deaths, it->name);
	const unsigned tried = d != NULL && d->count > it->attempt ? d->count : it->attempt;
	struct item next = *it;
	int r;

	if (cancel_intercept(x, it))
		return;
	if (tried >= x->config.participant.max_attempts || (d != NULL && d->late)) {
		crash_answer(x, it, d != NULL ? d->why : "exo ended while it was worked on", NULL);
		return;
	}
	r = sn_claim_again(&x->spool, it->name, it->attempt);
	if (r < 0) {
		sn_err("name=%s attempt=%u: cannot be resumed, tried again later: %s", it->name, it->attempt,
		       strerror(-r));
		return;
	}
	next.attempt++;
	next.noted = true;
	sn_info("name=%s: attempt %u", it->name, next.attempt);
	r = item_list_add(&x->claimed, &next);
	if (r < 0)
		sn_debug("name=%s: left until the next rescan", it->name);
	x->look = true;
}

struct looking {
	struct exo *x;
	size_t skip; /* those that earlier scans had */
	struct answered seen;
};

static bool is_nobodys(const struct exo *x, const char *name)
{
	return sn_name_valid(name) && !queue_has(&x->queue, name) && exo_held(x, name) == NULL &&
	       !withdraw_pending(x, name) && !sn_claim_held(&x->spool, name);
}

static int gather_nobodys(void *arg, const char *name)
{
	struct looking *l = arg;

	if (!is_nobodys(l->x, name))
		return 0;
	if (l->skip > 0) {
		l->skip--;
		return 0;
	}
	return answered_add(&l->seen, name) < 0 ? 1 : 0;
}

static int add_unanswered(void *arg, const char *name)
{
	struct looking *l = arg;

	if (answered_not(&l->seen, name)) /* so it was nobody's a moment ago */
		queue_add(&l->x->queue, name, 0);
	return 0;
}

static bool hear_some(struct exo *x, bool *ret_look);

/* Answered ones stay in open/ for as long as the broker is away. If there are too many even to ask for their answers at once,
 * each scan looks at others. What was said before is heard first: else it would be said of what was answered long ago. */
void intake_look(struct exo *x)
{
	struct looking l = {.x = x, .skip = x->scan_from};
	bool ignored = false; /* we look */
	int r;

	x->queue.more = false;
	for (unsigned n = 0; n < READS_MAX && hear_some(x, &ignored); n++)
		;
	r = sn_dir_each(x->spool.open, gather_nobodys, &l);
	x->scan_from = r == 1 ? x->scan_from + l.seen.count : 0;
	if (r >= 0 && answered_look(&l.seen, x) > 0)
		r = sn_dir_each(x->spool.open, add_unanswered, &l);
	if (r < 0)
		sn_err("cannot read open: %s", strerror(-r));
	answered_release(&l.seen);
	x->look = true;
}

/* Somebody replaced or removed the directories, or all spools: what is open here is not the spool any more. Where all are away
 * without another in their place what is open goes on serving. */
static bool still_there(const struct exo *x)
{
	struct stat all, held_all;

	const struct {
		const char *path;
		int fd;
	} dirs[] = {{"open", x->spool.open}, {"work/cur", x->spool.cur}, {"work/result", x->spool.result}};

	for (size_t i = 0; i < SN_COUNT(dirs); i++) {
		SN_AUTOFREE char *path = sn_asprintf("%s/%s", x->name, dirs[i].path);
		struct stat now, held;

		if (fstatat(x->spools_fd, path, &now, 0) < 0 || fstat(dirs[i].fd, &held) < 0 ||
		    now.st_ino != held.st_ino || now.st_dev != held.st_dev)
			return false;
	}
	return stat(x->home.spool, &all) < 0 || fstat(x->spools_fd, &held_all) < 0 ||
	       (all.st_ino == held_all.st_ino && all.st_dev == held_all.st_dev);
}

static void rescan(struct exo *x)
{
	if (x->phase != EXO_RUNNING)
		return;
	if (!still_there(x)) {
		exo_fail(x, SN_EXIT_TEMPORARY, "the directories of the spool were removed or replaced");
		return;
	}
	exo_status_again(x);
	note_tidy(x);
	intake_look(x);
}

static void on_rescan(struct ev_loop *loop, ev_timer *t, int events)
{
	(void)loop, (void)events;
	rescan(t->data);
}

/* NAME.again went: it runs, answered or not. NAME.hold: it may run; returns whether that takes a look. */
static bool unmarked(struct exo *x, const char *leaf)
{
	char name[SN_NAME_SIZE];
	struct item *held;

	if (sn_mark_parse(leaf, SN_MARK_AGAIN, name)) {
		held = exo_held(x, name);
		if (held != NULL)
			held->again = true;
		else
			queue_add(&x->queue, name, 0);
		return false;
	}
	if (!sn_mark_parse(leaf, SN_MARK_HOLD, name))
		return false;
	held = exo_held(x, name);
	if (held != NULL)
		held->changed = true;
	return held == NULL;
}

static bool heard(struct exo *x, const struct inotify_event *e)
{
	if ((e->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0)
		return true;
	if (e->len > 0 && (e->mask & IN_DELETE) != 0)
		return unmarked(x, e->name);
	if (e->len > 0 && sn_name_valid(e->name) && !lately_has(&x->answered, e->name))
		queue_add(&x->queue, e->name, 1);
	return false;
}

/* False: there was nothing. */
static bool hear_some(struct exo *x, bool *ret_look)
{
	_Alignas(struct inotify_event) char text[EVENTS_SIZE];
	ssize_t n = x->inotify >= 0 ? read(x->inotify, text, sizeof text) : 0;

	for (char *p = text; n > 0 && p < text + n;) {
		const struct inotify_event *e = (const void *)p;

		p += sizeof *e + e->len;
		*ret_look = heard(x, e) || *ret_look;
	}
	return n > 0;
}

static void on_inotify(struct ev_loop *loop, ev_io *io, int events)
{
	struct exo *x = io->data;
	bool look = false;

	(void)loop, (void)events;
	(void)hear_some(x, &look);
	x->look = true;
	if (look)
		rescan(x);
}

static double rescan_every_s(void)
{
#ifdef SN_TESTING
	const char *text = getenv("SKYNET_RESCAN_S");

	if (text != NULL)
		return strtod(text, NULL);
#endif
	return RESCAN_S;
}

void intake_start(struct exo *x)
{
	char path[64];

	x->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", x->spool.open); /* fits */
	if (x->inotify < 0)
		sn_warn("no inotify (%s): new work is found every %d s only", strerror(errno), RESCAN_S);
	else if (inotify_add_watch(x->inotify, path,
				   IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |
					   IN_ONLYDIR) < 0)
		sn_warn("cannot watch open/ (%s): new work is found every %d s only", strerror(errno),
			RESCAN_S);
	if (x->inotify >= 0) {
		ev_io_init(&x->inotify_io, on_inotify, x->inotify, EV_READ);
		x->inotify_io.data = x;
		ev_io_start(x->loop, &x->inotify_io);
	}
	ev_timer_init(&x->rescan, on_rescan, rescan_every_s(), rescan_every_s());
	x->rescan.data = x;
	ev_timer_start(x->loop, &x->rescan);
	rescan(x);
}

void intake_stop(struct exo *x)
{
	withdraw_stop(x);
	if (x->inotify >= 0)
		ev_io_stop(x->loop, &x->inotify_io);
	ev_timer_stop(x->loop, &x->rescan);
	queue_clear(&x->queue);
}
