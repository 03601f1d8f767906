/* status: what exo itself knows, and what it asks handlers. */
#include "base/clock.h"
#include "base/mem.h"
#include "cancel.h"
#include "control.h"
#include "data/workitem.h"
#include "exo.h"

enum { WAITING_NAMES_MAX = 16, STATUS_ROOM = 16 << 10 /* for one worker and what comes behind the list */ };

bool key_names(const struct exo *x, const char *key, const struct item *it)
{
	struct sn_fei fei;

	if (key == NULL || item_is(it, key))
		return true;
	if (!sn_name_maybe_of(it->name, key))
		return false;
	return fei_read(x, it->name, &fei) && strcmp(fei.wfid, key) == 0;
}

static const char *state_name(const struct worker *w)
{
	static const char *const NAMES[WORKER_STATES] = {[WORKER_DOWN] = "down",
							 [WORKER_STARTING] = "starting",
							 [WORKER_READY] = "idle",
							 [WORKER_QUITTING] = "quitting",
							 [WORKER_KILLED] = "killed"};

	return w->state == WORKER_READY && w->job_count > 0 ? "busy" : NAMES[w->state];
}

static int64_t real_us(int64_t mono_ns)
{
	return sn_clock_real_us() - (sn_clock_mono_ns() - mono_ns) / 1000;
}

static void add_workitem(struct sn_jsonw *j, const struct worker *w)
{
	const struct item *it = &w->jobs[0].item;
	struct sn_fei fei = {0};

	(void)fei_read(w->x, it->name, &fei); /* retired meanwhile: the name is known */
	sn_jsonw_open(j, "workitem", '{');
	sn_jsonw_string(j, "name", it->name);
	sn_jsonw_string(j, "wfid", fei.wfid);
	sn_jsonw_string(j, "expid", fei.expid);
	sn_jsonw_number(j, "attempt", it->attempt);
	sn_jsonw_time(j, "since", real_us(worker_began_ns(w)));
	if (cancel_find(w->x, it->name) != NULL)
		sn_jsonw_bool(j, "cancelled", true);
	sn_jsonw_close(j, '}');
}

static void add_worker(struct sn_jsonw *j, const struct worker *w)
{
	sn_jsonw_open(j, NULL, '{');
	sn_jsonw_string(j, "id", w->id);
	sn_jsonw_number(j, "pid", w->pid);
	sn_jsonw_string(j, "state", state_name(w));
	if (w->job_count > 0) {
		const struct ring *ring = w->slots[w->jobs[0].slot].ring;

		sn_jsonw_time(j, "since", real_us(worker_began_ns(w)));
		add_workitem(j, w);
		if (ring != NULL && ring->count > 0)
			sn_jsonw_string(j, "last_line", ring_line(ring, ring->count - 1));
	} else {
		const bool idle = w->state == WORKER_READY && w->done_ns > w->since_ns;

		sn_jsonw_time(j, "since", real_us(idle ? w->done_ns : w->since_ns));
		if (w->fatal[0] != '\0')
			sn_jsonw_string(j, "reason", w->fatal);
	}
	sn_jsonw_close(j, '}');
}

bool enquiry_means(const struct worker *w, const char *key)
{
	return key == NULL || (w->job_count > 0 && key_names(w->x, key, &w->jobs[0].item));
}

/* Returns how many workers are meant. */
static unsigned add_workers(struct sn_jsonw *j, const struct exo *x, const char *key)
{
	unsigned found = 0, left_out = 0;

	sn_jsonw_open(j, "workers", '[');
	for (unsigned i = 0; i < x->worker_count; i++) {
		if (!enquiry_means(x->workers[i], key))
			continue;
		found++;
		if (j->buf->len > CONTROL_LINE_MAX - STATUS_ROOM)
			left_out++;
		else
			add_worker(j, x->workers[i]);
	}
	sn_jsonw_close(j, ']');
	if (left_out > 0)
		sn_jsonw_number(j, "left_out", left_out);
	return found;
}

struct waiting {
	struct sn_jsonw *j;
	const struct exo *x;
	const char *key;
	unsigned ahead, found;
};

/* By the label alone: they have not begun, and there may be many. */
static void add_waiting_name(struct waiting *s, const char *name)
{
	if (strcmp(name, s->key) != 0 && !sn_name_maybe_of(name, s->key))
		return;
	if (s->found++ < WAITING_NAMES_MAX)
		sn_jsonw_string(s->j, NULL, name);
}

static void add_waiting_names(struct waiting *s)
{
	sn_jsonw_open(s->j, "names", '[');
	for (size_t i = 0; i < s->x->claimed.count; i++)
		add_waiting_name(s, s->x->claimed.items[i].name);
	for (unsigned i = 0; i < s->x->worker_count; i++) {
		for (unsigned j = 1; j < s->x->workers[i]->job_count; j++)
			add_waiting_name(s, s->x->workers[i]->jobs[j].item.name);
	}
	for (size_t i = 0; i < s->x->queue.count; i++)
		add_waiting_name(s, s->x->queue.items[s->x->queue.head + i].name);
	sn_jsonw_close(s->j, ']');
}

/* Returns how many waiting ones are meant. */
static unsigned add_waiting(struct sn_jsonw *j, const struct exo *x, const char *key)
{
	struct waiting s = {.j = j, .x = x, .key = key, .ahead = (unsigned)x->claimed.count};

	for (unsigned i = 0; i < x->worker_count; i++) {
		if (x->workers[i]->job_count > 1)
			s.ahead += x->workers[i]->job_count - 1;
	}
	sn_jsonw_open(j, "waiting", '{');
	sn_jsonw_number(j, "new", (long long)x->queue.count);
	if (x->queue.more)
		sn_jsonw_bool(j, "more", true);
	sn_jsonw_number(j, "ahead", s.ahead);
	if (key != NULL)
		add_waiting_names(&s);
	sn_jsonw_close(j, '}');
	return s.found;
}

static void wait_is_over(struct client *c)
{
	char why[64];

	(void)snprintf(why, sizeof why, "no answer within %g ms", c->wait_s * 1000); /* fits */
	asks_drop_client(c, why);
	client_end(c, 0);
}

static void ask_handlers(struct client *c, const struct request *rq)
{
	for (unsigned i = 0; rq->wait_s > 0 && i < c->x->worker_count; i++) {
		struct worker *w = c->x->workers[i];

		if (w->job_count > 0 && enquiry_means(w, rq->key) &&
		    ask_worker(w, "status", &w->jobs[0].item, c) < 0)
			sn_debug("worker %s cannot be asked", w->id);
	}
	if (c->pending == 0)
		client_end(c, 0);
	else
		client_wait(c, rq->wait_s, wait_is_over);
}

void enquiry_status(struct client *c, const struct request *rq)
{
	struct sn_buf buf = SN_BUF(CONTROL_LINE_MAX);
	const struct exo *x = c->x;
	struct sn_jsonw j;
	unsigned found;

	line_begin(&j, &buf, "status");
	sn_jsonw_string(&j, "participant", x->name);
	sn_jsonw_string(&j, "state", x->state);
	sn_jsonw_number(&j, "pid", getpid());
	sn_jsonw_time(&j, "since", x->since_us);
	if (x->reason[0] != '\0')
		sn_jsonw_string(&j, "reason", x->reason);
	found = add_workers(&j, x, rq->key);
	found += add_waiting(&j, x, rq->key);
	line_send(c, &j);
	if (rq->key != NULL && found == 0)
		client_end(c, SN_EXIT_UNKNOWN);
	else
		ask_handlers(c, rq);
}
