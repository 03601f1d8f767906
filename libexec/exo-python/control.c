/* The two threads that are always beside the main one. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "sys/fd.h"
#include "worker.h"

enum { STACK_BYTES = 128 << 10 };

static void set(struct worker *w, bool *flag)
{
	*flag = true;
	(void)pthread_cond_broadcast(&w->changed);
}

/* What exo says, called with the lock held. */
static void on_stop(struct worker *w, const char *arg)
{
	(void)arg;
	set(w, &w->stop);
}

static void on_die(struct worker *w, const char *arg)
{
	(void)arg;
	set(w, &w->die);
}

static void on_quit(struct worker *w, const char *arg)
{
	(void)arg;
	set(w, &w->quit);
	(void)shutdown(FD_WORK, SHUT_RD); /* wakes the main thread, once it has finished what it runs */
}

static void on_sent(struct worker *w, const char *arg)
{
	(void)arg;
	w->emit_answer = 0;
	(void)pthread_cond_broadcast(&w->changed);
}

static void on_failed(struct worker *w, const char *arg)
{
	int err = atoi(arg);

	w->emit_answer = err > 0 ? err : EIO;
	(void)pthread_cond_broadcast(&w->changed);
}

static void on_status(struct worker *w, const char *arg)
{
	enquire(w, LANE_STATUS, arg);
}

static void on_cancel(struct worker *w, const char *arg)
{
	enquire(w, LANE_CANCEL, arg);
}

static void on_stacks(struct worker *w, const char *arg)
{
	(void)arg;
	stacks(w);
}

static const struct verb {
	const char *word;
	void (*handle)(struct worker *, const char *arg);
} VERBS[] = {
	{"stop", on_stop},     {"die", on_die},	      {"quit", on_quit},     {"sent", on_sent},
	{"failed", on_failed}, {"status", on_status}, {"cancel", on_cancel}, {"stacks", on_stacks},
};

static void handle(struct worker *w, char *text)
{
	char *rest = text, *word = strsep(&rest, " ");

	for (size_t i = 0; i < SN_COUNT(VERBS); i++) {
		if (strcmp(VERBS[i].word, word) != 0)
			continue;
		(void)pthread_mutex_lock(&w->lock); /* never fails on a plain mutex */
		VERBS[i].handle(w, rest != NULL ? rest : "");
		(void)pthread_mutex_unlock(&w->lock);
		return;
	}
	sn_warn("worker: unknown control message \"%s\"", word);
}

/* exo is gone: so is everything that this worker started. */
static SN_NORETURN void orphaned(void)
{
	(void)kill(0, SIGKILL); /* our own group */
	_exit(SN_EXIT_TEMPORARY);
}

static void *watch(void *arg)
{
	struct worker *w = arg;
	struct pollfd p[] = {{.fd = FD_CONTROL, .events = POLLIN}, {.fd = FD_WORK, .events = 0}};
	char text[PACKET_SIZE];
	int passed;

	for (;;) {
		if (poll(p, SN_COUNT(p), -1) < 0)
			continue; /* EINTR */
		if ((p[0].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) != 0) {
			if (sn_fd_recv(FD_CONTROL, text, sizeof text, &passed, 0) <= 0)
				orphaned();
			handle(w, text);
		} else if ((p[1].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
			orphaned();
		}
	}
	return NULL;
}

static void *control(void *arg)
{
	struct worker *w = arg;

	for (;;) {
		const char *message;

		(void)pthread_mutex_lock(&w->lock);
		while (!w->stop && !w->die)
			(void)pthread_cond_wait(&w->changed, &w->lock);
		message = w->stop ? "stop" : "die";
		*(w->stop ? &w->stop : &w->die) = false;
		w->in_control = true;
		(void)pthread_mutex_unlock(&w->lock);
		python_control(message);
		(void)pthread_mutex_lock(&w->lock);
		w->in_control = false;
		(void)pthread_cond_broadcast(&w->changed);
		(void)pthread_mutex_unlock(&w->lock);
	}
	return NULL;
}

/* Signals are for threads that run Python; the control thread blocks none, as its children would inherit that. */
static int start_watch(struct worker *w)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int r = pthread_attr_init(&attr);

	if (r != 0)
		return -r;
	(void)sigfillset(&all);
	(void)sigdelset(&all, stacks_signal());
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_attr_setstacksize(&attr, STACK_BYTES);
	if (r == 0)
		r = pthread_create(&thread, &attr, watch, w);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	return -r;
}

int control_start(struct worker *w)
{
	pthread_t thread;
	int r = start_watch(w);

	return r < 0 ? r : -pthread_create(&thread, NULL, control, w);
}

void control_settle(struct worker *w)
{
	(void)pthread_mutex_lock(&w->lock);
	while (w->stop || w->die || w->in_control)
		(void)pthread_cond_wait(&w->changed, &w->lock);
	(void)pthread_mutex_unlock(&w->lock);
}
