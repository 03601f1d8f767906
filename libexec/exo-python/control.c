/* What exo says, and the thread that tells Python "stop" and "die". */
#include "worker.h"

static void set(struct sn_worker *base, bool *flag)
{
	*flag = true;
	(void)pthread_cond_broadcast(&base->changed);
}

static void on_stop(struct sn_worker *base, const char *arg)
{
	(void)arg;
	set(base, &worker.stop);
}

static void on_die(struct sn_worker *base, const char *arg)
{
	(void)arg;
	set(base, &worker.die);
}

static void on_status(struct sn_worker *base, const char *arg)
{
	(void)base;
	enquire(&worker, LANE_STATUS, arg);
}

static void on_cancel(struct sn_worker *base, const char *arg)
{
	(void)base;
	enquire(&worker, LANE_CANCEL, arg);
}

static void on_stacks(struct sn_worker *base, const char *arg)
{
	(void)base, (void)arg;
	stacks(&worker);
}

const struct sn_worker_verb CONTROL_VERBS[] = {
	{"stop", on_stop},     {"die", on_die},	      {"status", on_status},
	{"cancel", on_cancel}, {"stacks", on_stacks}, {NULL, NULL},
};

static void *control(void *arg)
{
	struct worker *w = arg;

	for (;;) {
		const char *message;

		(void)pthread_mutex_lock(&w->base.lock);
		while (!w->stop && !w->die)
			(void)pthread_cond_wait(&w->base.changed, &w->base.lock);
		message = w->stop ? "stop" : "die";
		*(w->stop ? &w->stop : &w->die) = false;
		w->in_control = true;
		(void)pthread_mutex_unlock(&w->base.lock);
		python_control(message);
		(void)pthread_mutex_lock(&w->base.lock);
		w->in_control = false;
		(void)pthread_cond_broadcast(&w->base.changed);
		(void)pthread_mutex_unlock(&w->base.lock);
	}
	return NULL;
}

/* It runs Python, and blocks no signal: its children would inherit that. */
int control_start(struct worker *w)
{
	pthread_t thread;

	return -pthread_create(&thread, NULL, control, w);
}

void control_settle(struct worker *w)
{
	(void)pthread_mutex_lock(&w->base.lock);
	while (w->stop || w->die || w->in_control)
		(void)pthread_cond_wait(&w->base.changed, &w->base.lock);
	(void)pthread_mutex_unlock(&w->base.lock);
}
