/* What waits: inotify on work/new as a hint, and a look at new/ and cur/ at start, on overflow and every 30 s. */
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "answered.h"
#include "base/mem.h"
#include "cancel.h"
#include "exo.h"
#include "sys/dir.h"

enum { RESCAN_S = 30, EVENTS_SIZE = 16384 };

static int add_name(void *arg, const char *name)
{
	struct exo *x = arg;

	if (sn_name_valid(name))
		queue_add(&x->queue, name);
	return 0;
}

void unlink_quietly(int dirfd, const char *leaf)
{
	int r = sn_dir_unlink(dirfd, leaf);

	if (r < 0)
		sn_debug("cannot unlink %s: %s", leaf, strerror(-r));
}

void intake_scan_new(struct exo *x)
{
	int r;

	queue_clear(&x->queue);
	r = sn_dir_each(x->spool.new, add_name, x);
	if (r < 0)
		sn_err("cannot read work/new: %s", strerror(-r));
}

void intake_resume(struct exo *x, const struct item *it, const char *why)
{
	const struct death *d = why != NULL ? NULL : deaths_find(&x->deaths, it->name);
	unsigned tried = it->attempt, max = x->config.participant.max_attempts;
	struct item next = *it;
	int r;

	if (cancel_intercept(x, it))
		return;
	if (why != NULL)
		tried = deaths_add(&x->deaths, it->name, it->attempt, why);
	else if (d != NULL && d->count > tried)
		tried = d->count;
	if (tried >= max) {
		if (why == NULL)
			why = d != NULL ? d->why : "exo ended while it was worked on";
		crash_answer(x, it, why, NULL);
		return;
	}
	r = sn_claim_again(&x->spool, it->name, it->attempt);
	if (r == -ENOENT)
		return; /* retired meanwhile */
	if (r < 0) {
		sn_err("name=%s attempt=%u: cannot be resumed, tried again later: %s", it->name, it->attempt,
		       strerror(-r));
		return;
	}
	next.attempt++;
	sn_info("name=%s: attempt %u", it->name, next.attempt);
	r = item_list_add(&x->claimed, &next);
	if (r < 0)
		sn_debug("name=%s: left in cur/ until the next rescan", it->name);
	x->look = true;
}

struct unfinished {
	struct exo *x;
	size_t skip; /* those that earlier scans had */
	struct answered seen;
	struct item_list list;
};

static bool is_nobodys(const struct exo *x, const char *leaf, struct item *ret)
{
	return sn_attempt_parse(leaf, ret->name, &ret->attempt) == 0 && exo_held(x, ret->name) == NULL &&
	       !withdraw_pending(x, ret->name);
}

static int note_nobodys(void *arg, const char *leaf)
{
	struct unfinished *u = arg;
	struct item it;

	if (!is_nobodys(u->x, leaf, &it))
		return 0;
	if (u->skip > 0) {
		u->skip--;
		return 0;
	}
	return answered_add(&u->seen, it.name) < 0 ? 1 : 0;
}

static int add_unfinished(void *arg, const char *leaf)
{
	struct unfinished *u = arg;
	struct item it;

	if (!is_nobodys(u->x, leaf, &it) || !answered_not(&u->seen, it.name))
		return 0;
	return item_list_add(&u->list, &it) < 0 ? 1 : 0; /* full: the rest at the next rescan */
}

/* Answered ones stay in cur/ for as long as the broker is away. They must not fill the list, so they are sorted out before;
 * if there are too many even for that, each scan looks at others. */
static void list_unfinished(struct exo *x, struct unfinished *u)
{
	int r = sn_dir_each(x->spool.cur, note_nobodys, u);

	x->scan_from = r == 1 ? x->scan_from + u->seen.count : 0;
	if (r >= 0 && answered_look(&u->seen, x) > 0)
		r = sn_dir_each(x->spool.cur, add_unfinished, u);
	if (r < 0)
		sn_err("cannot read work/cur: %s", strerror(-r));
}

/* Listed first, resumed then: resuming renames what is being listed. */
static void scan_cur(struct exo *x)
{
	struct unfinished u = {.x = x, .skip = x->scan_from};

	list_unfinished(x, &u);
	answered_release(&u.seen);
	for (size_t i = 0; i < u.list.count; i++) {
		if (exo_held(x, u.list.items[i].name) == NULL)
			intake_resume(x, &u.list.items[i], NULL);
	}
	item_list_release(&u.list);
}

/* Somebody replaced or removed the directories: what is open here is not the spool any more. */
static bool still_there(const struct exo *x)
{
	const struct {
		const char *path;
		int fd;
	} dirs[] = {{"work/new", x->spool.new}, {"work/cur", x->spool.cur}, {"work/result", x->spool.result}};

	for (size_t i = 0; i < SN_COUNT(dirs); i++) {
		SN_AUTOFREE char *path = sn_asprintf("%s/%s", x->name, dirs[i].path);
		struct stat now, held;

		if (fstatat(x->spools_fd, path, &now, 0) < 0 || fstat(dirs[i].fd, &held) < 0 ||
		    now.st_ino != held.st_ino || now.st_dev != held.st_dev)
			return false;
	}
	return true;
}

static void rescan(struct exo *x)
{
	if (x->phase != EXO_RUNNING)
		return;
	if (!still_there(x)) {
		exo_fail(x, SN_EXIT_TEMPORARY, "the directories of the spool were removed or replaced");
		return;
	}
	if (!x->no_room)
		scan_cur(x);
	intake_scan_new(x);
	x->look = true;
}

static void on_rescan(struct ev_loop *loop, ev_timer *t, int events)
{
	(void)loop, (void)events;
	rescan(t->data);
}

static void on_inotify(struct ev_loop *loop, ev_io *io, int events)
{
	struct exo *x = io->data;
	_Alignas(struct inotify_event) char text[EVENTS_SIZE];
	ssize_t n = read(x->inotify, text, sizeof text);
	bool again = false;

	(void)loop, (void)events;
	for (char *p = text; n > 0 && p < text + n;) {
		const struct inotify_event *e = (const void *)p;

		p += sizeof *e + e->len;
		if ((e->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0)
			again = true;
		else if (e->len > 0 && sn_name_valid(e->name))
			queue_add(&x->queue, e->name);
	}
	x->look = true;
	if (again)
		rescan(x);
}

void intake_start(struct exo *x)
{
	char path[64];

	x->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", x->spool.new); /* fits */
	if (x->inotify < 0)
		sn_warn("no inotify (%s): new work is found every %d s only", strerror(errno), RESCAN_S);
	else if (inotify_add_watch(x->inotify, path,
				   IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR) < 0)
		sn_warn("cannot watch work/new (%s): new work is found every %d s only", strerror(errno),
			RESCAN_S);
	if (x->inotify >= 0) {
		ev_io_init(&x->inotify_io, on_inotify, x->inotify, EV_READ);
		x->inotify_io.data = x;
		ev_io_start(x->loop, &x->inotify_io);
	}
	ev_timer_init(&x->rescan, on_rescan, RESCAN_S, RESCAN_S);
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
