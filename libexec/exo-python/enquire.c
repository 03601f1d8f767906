/* status and cancel: what exo wants to know from the handler. Each has a thread of its own, made when it is first
 * needed: neither a status() that hangs nor one that waits for the interpreter keeps a cancel() or a `stop` waiting. */
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "sys/fd.h"
#include "worker.h"

enum { ANSWER_MAX = 64 << 10, PATIENCE_US = 1000000 };
static const char *const WORDS[LANES] = {[LANE_STATUS] = "status", [LANE_CANCEL] = "cancel"};

static void answer(const char *id, const char *json)
{
	SN_AUTOFREE char *text = NULL;
	size_t len = strlen(json);

	if (len > ANSWER_MAX)
		text = sn_asprintf("answer %s {\"error\":\"the answer has %zu bytes, which is too long\"}",
				   id, len);
	else
		text = sn_asprintf("answer %s %s", id, json);
	if (sn_fd_send(SN_WORKER_CONTROL, text, strlen(text), -1) < 0)
		sn_debug("worker: an answer cannot be sent"); /* exo is gone: the watch thread sees it */
}

static void *serve(void *arg)
{
	struct lane *l = arg;
	struct worker *w = l->worker;

	for (;;) {
		SN_AUTOFREE char *json = NULL;
		struct enquiry e;

		(void)pthread_mutex_lock(&w->base.lock);
		while (l->count == 0)
			(void)pthread_cond_wait(&w->base.changed, &w->base.lock);
		e = l->queue[0];
		memmove(l->queue, l->queue + 1, --l->count * sizeof l->queue[0]);
		l->since_us = sn_clock_real_us();
		(void)pthread_mutex_unlock(&w->base.lock);
		json = python_enquire(WORDS[l - w->lanes], strcmp(e.leaf, "-") == 0 ? NULL : e.leaf);
		answer(e.id, json != NULL ? json : "{\"absent\":\"the handler is not loaded yet\"}");
		(void)pthread_mutex_lock(&w->base.lock);
		l->since_us = 0;
		(void)pthread_mutex_unlock(&w->base.lock);
	}
	return NULL;
}

/* As the control thread it blocks no signal: its children would inherit that. */
static bool start(struct lane *l)
{
	pthread_t thread;
	sigset_t none, old;
	int r;

	(void)sigemptyset(&none);
	(void)pthread_sigmask(SIG_SETMASK, &none, &old);
	r = pthread_create(&thread, NULL, serve, l);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r != 0)
		sn_warn("worker: no thread for the handler's %s(): %s", WORDS[l - l->worker->lanes],
			strerror(r));
	return r == 0;
}

/* A status() hangs, it seems. Who asks now is told so and need not find out by waiting; a cancel waits its turn. */
static bool hangs(const struct lane *l)
{
	return l == &l->worker->lanes[LANE_STATUS] && l->since_us != 0 &&
	       (l->count == ENQUIRIES_MAX || sn_clock_real_us() - l->since_us > PATIENCE_US);
}

static void refuse(const struct lane *l, const char *id)
{
	char since[SN_TIME_TEXT_SIZE], json[128];

	sn_time_format(l->since_us, since);
	(void)snprintf(json, sizeof json, "{\"absent\":\"still busy with an earlier status(), since %s\"}",
		       since); /* fits */
	answer(id, json);
}

void enquire(struct worker *w, enum lane_number number, const char *arg)
{
	struct lane *l = &w->lanes[number];
	const char *leaf = strchr(arg, ' ');
	struct enquiry e;

	if (leaf == NULL || (size_t)(leaf - arg) >= sizeof e.id || strlen(leaf + 1) >= sizeof e.leaf)
		return;
	l->worker = w;
	if (!l->started && !(l->started = start(l)))
		return;
	(void)snprintf(e.id, sizeof e.id, "%.*s", (int)(leaf - arg), arg); /* both fit */
	(void)snprintf(e.leaf, sizeof e.leaf, "%s", leaf + 1);
	if (hangs(l)) {
		refuse(l, e.id);
		return;
	}
	if (l->count == ENQUIRIES_MAX)
		return; /* too many wait behind one that hangs: exo does not wait for answers */
	l->queue[l->count++] = e;
	(void)pthread_cond_broadcast(&w->base.changed);
}
