/* What exo asks, handed to the library on a thread of its own. */
#include "base/clock.h"
#include "base/log.h"
#include "data/json.h"
#include "so.h"
#include "sys/fd.h"

enum { PATIENCE_US = 1000000 };

/* KEY: answer, error or absent; json: its value. */
static void say(const char *id, const char *key, const char *json)
{
	struct sn_buf b = SN_BUF(SN_WORKER_PACKET - 1);
	int r = sn_buf_addf(&b, "answer %s {\"%s\":%s}", id, key, json);

	if (r == 0)
		r = sn_fd_send(SN_WORKER_CONTROL, b.data, b.len, -1);
	if (r < 0)
		sn_debug("worker: an answer is not sent: %s", strerror(-r));
	sn_buf_release(&b);
}

static void report(const struct request *q, int r, const char *text)
{
	struct sn_span none;

	if (q->id[0] == '\0')
		return; /* stop and die are not answered */
	if (r == SKYNET_UNSUPPORTED)
		say(q->id, "absent", "\"the library does not know this\"");
	else if (r != 0)
		say(q->id, "error", "\"skynet_control failed\"");
	else if (text[0] == '\0')
		say(q->id, "answer", "null");
	else if (sn_json_object(text, strlen(text), NULL, &none, 0) == -EBADMSG)
		say(q->id, "error", "\"the library's answer is no JSON\"");
	else
		say(q->id, "answer", text);
}

/* mine: the workitem in question is the one that is being worked on, and stays until we are done. */
static void serve(struct so *s, const struct request *q, bool mine)
{
	char text[ANSWER_SIZE] = "";
	struct skynet_control message = {.message = q->message,
					 .workitem = mine ? &s->item : NULL,
					 .answer = text,
					 .answer_size = sizeof text};
	int r;

	if (q->id[0] != '\0' && !mine && strcmp(q->leaf, "-") != 0) {
		say(q->id, "absent", "\"finished meanwhile\"");
		return;
	}
	r = s->control(&message);
	if (s->worker.forked)
		_exit(0); /* a fork of the participant's came out of its code */
	text[sizeof text - 1] = '\0';
	report(q, r, text);
}

static void *control(void *arg)
{
	struct so *s = arg;
	struct sn_worker *w = &s->worker;

	(void)pthread_mutex_lock(&w->lock);
	for (;;) {
		struct request q;
		bool mine;

		while (s->count == 0)
			(void)pthread_cond_wait(&w->changed, &w->lock);
		q = s->requests[0];
		s->since_us = sn_clock_real_us();
		mine = s->running && strcmp(q.leaf, w->job.leaf) == 0;
		s->in_control = mine;
		(void)pthread_mutex_unlock(&w->lock);
		serve(s, &q, mine);
		(void)pthread_mutex_lock(&w->lock);
		s->in_control = false;
		s->since_us = 0;
		s->count--;
		memmove(s->requests, s->requests + 1, s->count * sizeof s->requests[0]);
		(void)pthread_cond_broadcast(&w->changed);
	}
	return NULL;
}

/* Signals are for it, too: what it starts would inherit that they are blocked. */
int so_control_start(struct so *s)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, control, s);

	return r == 0 ? -pthread_detach(thread) : -r;
}

void so_control_leave(struct so *s)
{
	struct sn_worker *w = &s->worker;

	(void)pthread_mutex_lock(&w->lock);
	s->running = false;
	while (s->in_control)
		(void)pthread_cond_wait(&w->changed, &w->lock);
	(void)pthread_mutex_unlock(&w->lock);
}

void so_control_settle(struct so *s)
{
	struct sn_worker *w = &s->worker;

	(void)pthread_mutex_lock(&w->lock);
	while (s->count > 0)
		(void)pthread_cond_wait(&w->changed, &w->lock);
	(void)pthread_mutex_unlock(&w->lock);
}

/* It hangs, it seems: who asks for its status need not find out by waiting. */
static bool refuses(const struct so *s, const struct request *q)
{
	char since[SN_TIME_TEXT_SIZE], text[96];

	if (q->message != SKYNET_STATUS || s->since_us == 0 ||
	    sn_clock_real_us() - s->since_us <= PATIENCE_US)
		return false;
	sn_time_format(s->since_us, since);
	(void)snprintf(text, sizeof text, "\"still busy with an earlier message, since %s\"",
		       since); /* fits */
	say(q->id, "absent", text);
	return true;
}

/* On the watch thread. arg: "ID NAME,aN", "ID -", or nothing. */
static void ask(struct sn_worker *w, int message, const char *arg)
{
	struct so *s = (struct so *)w;
	struct request q = {.message = message};
	const char *leaf = strchr(arg, ' ');

	if (leaf != NULL) {
		(void)snprintf(q.id, sizeof q.id, "%.*s", (int)(leaf - arg), arg); /* exo's are short */
		(void)snprintf(q.leaf, sizeof q.leaf, "%s", leaf + 1);		   /* a cut one is no name */
	}
	if (refuses(s, &q))
		return;
	if (s->count < REQUESTS_MAX) {
		s->requests[s->count++] = q;
		(void)pthread_cond_broadcast(&w->changed);
		return;
	}
	if (q.id[0] != '\0')
		say(q.id, "absent", "\"too many questions wait\"");
}

static void on_stop(struct sn_worker *w, const char *arg)
{
	ask(w, SKYNET_STOP, arg);
}

static void on_die(struct sn_worker *w, const char *arg)
{
	ask(w, SKYNET_DIE, arg);
}

static void on_cancel(struct sn_worker *w, const char *arg)
{
	ask(w, SKYNET_CANCEL, arg);
}

static void on_status(struct sn_worker *w, const char *arg)
{
	ask(w, SKYNET_STATUS, arg);
}

const struct sn_worker_verb SO_VERBS[] = {
	{"stop", on_stop},     {"die", on_die},	 {"cancel", on_cancel},
	{"status", on_status}, {"stacks", NULL}, /* exo says what the kernel knows of the group */
	{NULL, NULL}};
