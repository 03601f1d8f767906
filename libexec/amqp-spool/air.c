/* The main thread's side of AIR. */
#include <stdlib.h>
#include <sys/socket.h>

#include "air_private.h"

enum { PER_TURN = 64 };

static const char *const STATE_NAMES[AIR_STATES] = {
	[AIR_IDLE] = "idle", [AIR_CONNECTING] = "connecting", [AIR_CONNECTED] = "connected"};

/* ---- commands ---------------------------------------------------------- */

static void wake(struct air *a)
{
	if (a->running)
		ev_async_send(a->loop, &a->command);
}

static bool start_thread(struct air *a)
{
	int r;

	if (a->running)
		return true;
	a->loop = ev_loop_new(EVFLAG_NOENV | EVFLAG_NOSIGMASK);
	if (a->loop != NULL)
		air_prepare(a);
	r = a->loop == NULL ? -ENOMEM : -pthread_create(&a->thread, NULL, air_main, a);
	if (r < 0)
		sn_err("cannot start AIR: %s", strerror(-r));
	a->running = r == 0;
	return a->running;
}

static void command(struct air *a, struct air_open *o)
{
	pthread_mutex_lock(&a->lock);
	STAILQ_INSERT_TAIL(&a->commands, o, link);
	pthread_mutex_unlock(&a->lock);
	wake(a);
}

/* It must be fit for a routing key and for exo's control socket. */
static bool wfid_fits(const char *wfid)
{
	static const char SET[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-";
	size_t len = strspn(wfid, SET);

	return len > 0 && len < AIR_WFID_SIZE && wfid[len] == '\0' && strchr("_.:-", wfid[0]) == NULL;
}

static struct air_open *describe(const struct item *it)
{
	struct air_open *o = sn_calloc(1, sizeof *o);

	(void)snprintf(o->wfid, sizeof o->wfid, "%s", it->ids); /* all fit */
	(void)snprintf(o->participant, sizeof o->participant, "%s", it->p->name);
	(void)snprintf(o->name, sizeof o->name, "%s", it->name);
	o->expid = sn_strdup(it->ids + strlen(it->ids) + 1);
	o->uid = it->p->uid;
	return o;
}

static void announce(struct air *a, struct item *it)
{
	/* What another bridge left, or `skynet put`, was never looked into. */
	if (item_learn(it) < 0 || !wfid_fits(it->ids) || !start_thread(a))
		return;
	it->announced = true;
	command(a, describe(it));
}

/* ---- who has come of age ----------------------------------------------- */

static void arm(struct air *a, int64_t left_ns)
{
	double left = (double)left_ns / 1e9;

	ev_timer_set(&a->timer, left > 0.01 ? left : 0.01, 0.);
	ev_timer_start(a->b->loop, &a->timer);
}

/* Workitems of a participant stand in the order in which they came: the first that is too young ends it. */
static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	struct air *a = w->data;
	const int64_t after = a->b->config.skynet.air_after_ns, now = sn_clock_mono_ns();
	int64_t next = INT64_MAX;
	unsigned budget = PER_TURN;
	struct participant *p;

	(void)loop;
	(void)events;
	if (after < 0)
		return;
	TAILQ_FOREACH(p, &a->b->participants, link)
	{
		struct item *it;

		while ((it = p->air_next) != NULL && it->received_ns + after <= now && budget > 0) {
			budget--;
			p->air_next = it->hh.next;
			announce(a, it);
		}
		if (it != NULL && it->received_ns + after - now < next)
			next = it->received_ns + after - now;
	}
	if (next != INT64_MAX)
		arm(a, next);
}

void air_added(struct air *a, struct item *it)
{
	if (a == NULL)
		return;
	if (it->p->air_next == NULL)
		it->p->air_next = it;
	if (!ev_is_active(&a->timer) && a->b->config.skynet.air_after_ns >= 0)
		arm(a, a->b->config.skynet.air_after_ns);
}

void air_removed(struct air *a, struct item *it)
{
	struct air_open *o;

	if (it->p->air_next == it)
		it->p->air_next = it->hh.next;
	if (a == NULL || !it->announced)
		return;
	it->announced = false;
	o = describe(it);
	o->close = true;
	command(a, o);
}

/* ---- life -------------------------------------------------------------- */

struct air *air_new(struct bridge *b)
{
	struct air *a = sn_calloc(1, sizeof *a);
	char why[LINK_WHY_SIZE];
	struct participant *p;

	a->b = b;
	a->socket = -1;
	a->max = b->config.skynet.air_max;
	STAILQ_INIT(&a->commands);
	TAILQ_INIT(&a->waiting);
	TAILQ_INIT(&a->enquiries);
	pthread_mutex_init(&a->lock, NULL);
	ev_init(&a->timer, on_timer);
	a->timer.data = a;
	if (gethostname(a->hostname, sizeof a->hostname - 1) < 0)
		(void)snprintf(a->hostname, sizeof a->hostname, "localhost");
	if (link_settings_init(&a->settings, &b->config, b->home.etc, why) < 0) {
		sn_err("no AIR: %s", why);
		free(a);
		return NULL;
	}
	TAILQ_FOREACH(p, &b->participants, link)
	p->air_next = p->items; /* those that were there at start */
	if (b->config.skynet.air_after_ns >= 0)
		arm(a, b->config.skynet.air_after_ns);
	return a;
}

static void withdraw_all(struct air *a)
{
	struct participant *p;
	struct item *it, *next;

	TAILQ_FOREACH(p, &a->b->participants, link)
	{
		HASH_ITER(hh, p->items, it, next)
		air_removed(a, it);
		p->air_next = p->items;
	}
}

void air_reload(struct air *a, bool anew)
{
	struct link_settings s;
	char why[LINK_WHY_SIZE];
	int r = 0;

	if (a == NULL)
		return;
	if (a->b->config.skynet.air_after_ns < 0) {
		withdraw_all(a);
		ev_timer_stop(a->b->loop, &a->timer);
	} else {
		ev_timer_stop(a->b->loop, &a->timer);
		arm(a, 0);
	}
	if (anew)
		r = link_settings_init(&s, &a->b->config, a->b->home.etc, why);
	if (r < 0) {
		sn_err("cannot connect for AIR: %s", why);
		anew = false;
	}
	pthread_mutex_lock(&a->lock);
	a->max = a->b->config.skynet.air_max;
	a->hurry = true;
	if (anew) { /* the former ones are not freed: the thread may be connecting with them */
		a->settings = s;
		a->reconnect = true;
	}
	pthread_mutex_unlock(&a->lock);
	wake(a);
}

bool air_changed(struct air *a)
{
	bool changed;

	if (a == NULL || !a->running)
		return false;
	pthread_mutex_lock(&a->lock);
	changed = a->changed;
	a->changed = false;
	pthread_mutex_unlock(&a->lock);
	return changed;
}

int air_status(struct air *a, struct sn_buf *out)
{
	struct air_counts c;

	if (a == NULL || !a->running)
		return 0;
	pthread_mutex_lock(&a->lock);
	c = a->counts;
	pthread_mutex_unlock(&a->lock);
	return sn_buf_addf(out, "air: %s open=%lu waiting=%lu answered=%lu dropped=%lu expired=%lu\n",
			   STATE_NAMES[c.state], c.open, c.waiting, c.answered, c.dropped, c.expired);
}

void air_free(struct air *a, double seconds)
{
	struct timespec until;

	if (a == NULL)
		return;
	ev_timer_stop(a->b->loop, &a->timer);
	if (!a->running)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	if (a->socket >= 0)
		(void)shutdown(a->socket, SHUT_RDWR); /* nothing is owed to anybody */
	pthread_mutex_unlock(&a->lock);
	wake(a);
	(void)clock_gettime(CLOCK_REALTIME, &until); /* cannot fail for this clock */
	until.tv_nsec += (long)(seconds * 1e9);
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	if (pthread_timedjoin_np(a->thread, NULL, &until) != 0)
		sn_debug("the AIR thread still connects; it is left behind");
}
