/* The sockets between exo and a worker (docs/WORKER.md). */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "exo.h"
#include "hear.h"
#include "sys/dir.h"
#include "sys/fd.h"

/* READ_ALL_MAX: more than a socket holds; who goes on sending meanwhile is not waited for. */
enum { PACKET_SIZE = 4097, ANSWER_SIZE = (64 << 10) + 64, READ_ALL_MAX = 1024 };

static bool hung_up(int sock)
{
	struct pollfd p = {.fd = sock};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

/* 1 one packet was handled, 0 there is none (limit.c may have read it in the same turn of the loop), -1 there will be
 * none any more. */
static int read_packet(struct worker *w, int sock, char *text, size_t size)
{
	int fd = -1;
	ssize_t n = sn_fd_recv(sock, text, size, &fd, MSG_DONTWAIT);

	if (fd >= 0)
		(void)close(fd); /* nobody asked for one */
	if (n == -EMSGSIZE)
		hear_break_off(w, "sent a packet that is too long");
	if (n == 0 && !hung_up(sock))
		hear_break_off(w, "sent an empty packet"); /* it reads like the end, which it is not */
	else if (n == 0)
		return -1; /* waitpid says the rest */
	if (n <= 0)
		return 0;
	hear(w, text);
	return 1;
}

static int read_one(struct worker *w, int sock)
{
	char text[PACKET_SIZE];

	return sock >= 0 ? read_packet(w, sock, text, sizeof text) : 0;
}

/* Rare and long: the answers of handlers. */
static void on_control(struct ev_loop *loop, ev_io *io, int events)
{
	SN_AUTOFREE char *text = sn_malloc(ANSWER_SIZE);
	struct worker *w = io->data;

	(void)events;
	if (read_packet(w, io->fd, text, ANSWER_SIZE) < 0)
		ev_io_stop(loop, io);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct worker *w = io->data;

	(void)loop, (void)events;
	w->x->look = true;
	for (unsigned n = 0; n < WORKER_JOBS && io->fd >= 0; n++) {
		int r = read_one(w, io->fd);

		if (r < 0)
			ev_io_stop(w->x->loop, io);
		if (r <= 0)
			break;
	}
}

void talk_start(struct worker *w)
{
	ev_io_init(&w->work_io, on_readable, w->work, EV_READ);
	ev_io_init(&w->control_io, on_control, w->control, EV_READ);
	w->work_io.data = w->control_io.data = w;
	ev_io_start(w->x->loop, &w->work_io);
	ev_io_start(w->x->loop, &w->control_io);
}

void talk_stop(struct worker *w)
{
	if (w->work >= 0)
		ev_io_stop(w->x->loop, &w->work_io);
	if (w->control >= 0)
		ev_io_stop(w->x->loop, &w->control_io);
}

void talk_read_all(struct worker *w)
{
	for (unsigned n = 0; n < READ_ALL_MAX && read_one(w, w->work) == 1; n++)
		;
}

int talk_say(struct worker *w, const char *text)
{
	return w->control >= 0 ? sn_fd_send(w->control, text, strlen(text), -1) : -ENOTCONN;
}

void talk_control(struct worker *w, const char *text)
{
	int r = talk_say(w, text);

	if (r < 0)
		sn_debug("worker %s: cannot send \"%s\": %s", w->id, text, strerror(-r));
}

/* One that none of its workitems writes to. */
static unsigned free_slot(const struct worker *w)
{
	unsigned used = 0, i;

	for (i = 0; i < w->job_count; i++)
		used |= 1u << w->jobs[i].slot;
	for (i = 0; (used & 1u << i) != 0; i++)
		;
	return i;
}

int talk_work(struct worker *w, const struct item *it)
{
	char leaf[SN_ATTEMPT_SIZE], text[SN_ATTEMPT_SIZE + 16];
	const unsigned number = free_slot(w);
	struct slot *s = &w->slots[number];
	SN_AUTOFD int fresh = -1;
	int n, r;

	if (s->fd < 0 && (fresh = slot_open(s)) < 0)
		return fresh;
	item_leaf(it, leaf);
	n = snprintf(text, sizeof text, "work %s %u", leaf, number);
	r = sn_fd_send(w->work, text, (size_t)n, fresh);
	if (r < 0)
		return r;
	slot_begin(s, it);
	w->jobs[w->job_count++] = (struct job){*it, number, sn_clock_mono_ns()};
	if (w->job_count == 1)
		limit_begin(w);
	note_begin(w->x);
	return 0;
}

/* Which of its workitems the packet is about. */
static struct job *named(struct worker *w, char *text)
{
	char leaf[SN_ATTEMPT_SIZE];
	struct packet p;

	packet_split(text, &p);
	for (unsigned i = 0; p.words[1] != NULL && i < w->job_count; i++) {
		item_leaf(&w->jobs[i].item, leaf);
		if (strcmp(leaf, p.words[1]) == 0)
			return &w->jobs[i];
	}
	return NULL;
}

bool talk_take_back(struct worker *w, struct item *ret)
{
	char text[PACKET_SIZE];
	struct job *job;
	int fd = -1;

	if (w->job_count == 0 || sn_fd_recv(w->theirs, text, sizeof text, &fd, MSG_DONTWAIT) <= 0)
		return false;
	job = named(w, text); /* the first one if the worker had not even read that */
	if (job != NULL) {
		slot_begin(&w->slots[job->slot], NULL);
		if (fd >= 0)
			slot_close(&w->slots[job->slot]); /* the worker never saw that pipe */
		*ret = job->item;
		hear_drop_job(w, (unsigned)(job - w->jobs));
	}
	if (fd >= 0)
		(void)close(fd);
	return job != NULL;
}
