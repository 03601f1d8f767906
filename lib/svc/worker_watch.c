/* The watch thread. */
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/log.h"
#include "svc/worker.h"
#include "sys/fd.h"

enum { STACK_BYTES = 256 << 10 };

static void handle(struct sn_worker *w, char *text)
{
	const struct sn_worker_verb *v = w->class->verbs;
	char *rest = text, *word = strsep(&rest, " ");

	if (strcmp(word, "quit") == 0) {
		(void)pthread_mutex_lock(&w->lock); /* never fails on a plain mutex */
		w->quit = true;
		(void)pthread_cond_broadcast(&w->changed);
		(void)pthread_mutex_unlock(&w->lock);
		(void)shutdown(SN_WORKER_WORK,
			       SHUT_RD); /* wakes the main thread, once it has finished what it runs */
		return;
	}
	while (v->word != NULL && strcmp(v->word, word) != 0)
		v++;
	if (v->word == NULL)
		sn_warn("worker: unknown control message \"%s\"", word);
	if (v->handle == NULL)
		return;
	(void)pthread_mutex_lock(&w->lock);
	v->handle(w, rest != NULL ? rest : "");
	(void)pthread_mutex_unlock(&w->lock);
}

/* Not the participant's, in the place of ours. */
static bool is_ours(const struct sn_worker *w)
{
	return sn_fd_is(SN_WORKER_WORK, &w->work) && sn_fd_is(SN_WORKER_CONTROL, &w->control);
}

/* exo is gone: so is everything that this worker started. */
static SN_NORETURN void orphaned(const struct sn_worker *w)
{
	if (!is_ours(w))
		sn_err("worker: the participant's code has closed its sockets to exo");
	(void)kill(0, SIGKILL); /* our own group */
	_exit(SN_EXIT_TEMPORARY);
}

static void *watch(void *arg)
{
	struct sn_worker *w = arg;
	struct pollfd p[] = {{.fd = SN_WORKER_CONTROL, .events = POLLIN},
			     {.fd = SN_WORKER_WORK, .events = 0}};
	char text[SN_WORKER_PACKET];
	int passed;

	for (;;) {
		if (poll(p, SN_COUNT(p), -1) < 0)
			continue; /* EINTR */
		if ((p[0].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) != 0) {
			if (!is_ours(w) || sn_fd_recv(SN_WORKER_CONTROL, text, sizeof text, &passed, 0) <= 0)
				orphaned(w);
			handle(w, text);
		} else if ((p[1].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
			orphaned(w);
		}
	}
	return NULL;
}

int sn_worker_thread(const struct sn_worker *w, void *(*f)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int r = pthread_attr_init(&attr);

	if (r != 0)
		return -r;
	(void)sigfillset(&all);
	if (w->class->open_signal != NULL)
		(void)sigdelset(&all, w->class->open_signal());
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_attr_setstacksize(&attr, STACK_BYTES);
	if (r == 0)
		r = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (r == 0)
		r = pthread_create(&thread, &attr, f, arg);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	return -r;
}

int sn_worker_watch(struct sn_worker *w)
{
	return sn_worker_thread(w, watch, w);
}
